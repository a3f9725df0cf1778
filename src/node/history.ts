/**
 * Why did I earn this: every ledger event of the accounts this node follows becomes a line with its
 * reason in one sentence. Lines belong to main-chain blocks: those of a block that leaves go with it.
 *
 * Stored by height, one record per block that has lines. The ledger itself is the source: on a restart
 * the blocks still in memory are derived again, so a write that was lost costs at most older lines.
 */
import { ContainerType, ListCompositeType, type ValueOf } from '@chainsafe/ssz'
import type { HistoryEntry } from '../bridge/api.ts'
import { formatAddress } from '../core/codec/address.ts'
import { formatAmount } from '../core/codec/amount.ts'
import { byteList, Bytes32, decode, equalBytes, fromHex, toHex, U32, U53, U64, U8, ZERO32 } from '../core/codec/ssz.ts'
import type { LedgerEvent } from '../core/ledger/apply.ts'
import { findJob } from '../core/ledger/state.ts'
import { type Storage, StorageError, type StorageOp } from '../ports/storage.ts'
import type { BlockRecord, ChainEvents, ChainService, Log } from './parts.ts'
import { heightKey } from './persist.ts'

/** Lines kept in memory; older ones stay stored. */
export const HISTORY_KEPT = 2_000
/** One block can name an account at most once per transaction, contribution and credit. */
const MAX_LINES = 2_048

const KINDS = ['block-reward', 'contribution', 'contribution-subsidy', 'fees', 'received', 'sent', 'job-posted', 'job-refund', 'set-aside', 'seeding-pay', 'set-aside-returned'] as const satisfies ReadonlyArray<HistoryEntry['kind']>

const Line = new ContainerType({
  /** Index into KINDS. */
  kind: U8,
  timeMs: U53,
  /** 1: a debit. */
  debit: U8,
  amount: U64,
  /** 0: at once. */
  maturesAt: U32,
  block: Bytes32,
  /** Zero for none. */
  job: Bytes32,
  counterparty: Bytes32,
  /** UTF-8. */
  reason: byteList(512)
})
type Line = ValueOf<typeof Line>
const Lines = new ListCompositeType(Line, MAX_LINES)
const LINES_BYTES = MAX_LINES * 1024

type WatchedChain = Pick<ChainService, 'head' | 'at'> & { on: <K extends keyof ChainEvents>(event: K, listener: ChainEvents[K]) => () => void, baseHeight: () => number }

export class History {
  readonly #storage: Storage
  readonly #log: Log
  readonly #accounts: readonly Uint8Array[]
  readonly #listeners = new Set<() => void>()
  /** Ascending in height. */
  #entries: HistoryEntry[] = []
  #writes: Promise<void> = Promise.resolve()
  #failed = false

  constructor (d: { readonly storage: Storage, readonly log: Log, readonly accounts: readonly Uint8Array[] }) {
    this.#storage = d.storage
    this.#log = d.log
    this.#accounts = d.accounts
  }

  /** Loads the stored lines up to the chain's head and follows the chain from there. */
  async start (chain: WatchedChain): Promise<() => void> {
    const head = chain.head().height
    const rows = await this.#storage.range('history', { to: heightKey(head + 1), reverse: true, limit: HISTORY_KEPT })
    for (const [key, bytes] of rows.reverse()) {
      const d = bytes.length === 0 ? undefined : decode(Lines, bytes, LINES_BYTES)
      if (d?.ok === true) this.#entries.push(...d.value.map((l, i) => fromLine(l, parseInt(key, 16), i)))
      else this.#log.warn('history', `stored lines of block ${parseInt(key, 16)} are damaged`)
    }
    // Of blocks that were not on disk yet when their lines were.
    const ahead = await this.#storage.keys('history', { from: heightKey(head + 1) })
    if (ahead.length > 0) this.#write(ahead.map((key) => ({ op: 'delete', store: 'history', key })))
    const kept: BlockRecord[] = []
    for (let h = head; h > chain.baseHeight(); h--) {
      const r = chain.at(h)
      if (r === undefined) break
      kept.push(r)
    }
    this.#replace(head - kept.length, kept.reverse())
    return chain.on('head', (e) => { this.#replace(e.added.length > 0 ? e.added[0].meta.height - 1 : e.head.height, e.added) })
  }

  /** Newest first. */
  list (limit: number): HistoryEntry[] { return limit > 0 ? this.#entries.slice(-limit).reverse() : [] }

  onChange (listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  /** When everything so far is stored, or could not be. */
  async idle (): Promise<void> { await this.#writes }

  /** Drops every line above `fork` and adds those of `blocks`. */
  #replace (fork: number, blocks: readonly BlockRecord[]): void {
    const before = this.#entries.length
    const dropped = new Set(this.#entries.filter((e) => e.height > fork).map((e) => e.height))
    this.#entries = this.#entries.filter((e) => e.height <= fork)
    const ops: StorageOp[] = []
    for (const b of blocks) {
      const lines = entriesOf(b, this.#accounts).slice(0, MAX_LINES)
      if (lines.length === 0) continue
      this.#entries.push(...lines)
      dropped.delete(b.meta.height)
      ops.push({ op: 'put', store: 'history', key: heightKey(b.meta.height), value: Lines.serialize(lines.map(toLine)) })
    }
    for (const height of dropped) ops.push({ op: 'delete', store: 'history', key: heightKey(height) })
    this.#entries = this.#entries.slice(-HISTORY_KEPT)
    if (ops.length > 0) this.#write(ops)
    if (ops.length > 0 || this.#entries.length !== before) for (const l of this.#listeners) l()
  }

  #write (ops: readonly StorageOp[]): void {
    this.#writes = this.#writes.then(async () => {
      try {
        await this.#storage.commit(ops)
        this.#failed = false
      } catch (e) {
        if (!(e instanceof StorageError)) throw e
        if (!this.#failed) this.#log.warn('history', `lines are not stored: ${e.message}`)
        this.#failed = true
      }
    })
  }
}

/** The lines of one block, in the order of the ledger's events. */
export function entriesOf (b: BlockRecord, accounts: readonly Uint8Array[]): HistoryEntry[] {
  return b.events
    .filter((e) => accounts.some((a) => equalBytes(a, e.account)))
    .map((e, i): HistoryEntry => ({
      id: `${b.meta.height}-${i}`,
      height: b.meta.height,
      timeMs: b.meta.header.template.time,
      kind: e.kind,
      amount: e.amount,
      reason: reasonOf(b, e),
      maturesAt: e.maturesAt,
      block: toHex(b.meta.hash),
      job: e.job === undefined ? undefined : toHex(e.job),
      counterparty: e.counterparty === undefined ? undefined : toHex(e.counterparty)
    }))
}

function reasonOf (b: BlockRecord, e: LedgerEvent): string {
  const block = `Block ${b.meta.height}`
  const { template } = b.meta.header
  const fee = e.fee === undefined ? '' : `, fee ${formatAmount(e.fee)} included`
  switch (e.kind) {
    case 'block-reward':
      return `${block}: you trained round ${template.round + 1} of ${jobName(b, template.job)} and your slice won the draw.`
    case 'fees': {
      const n = b.body.transactions.length
      return `${block}: the ${n === 1 ? 'fee of the transaction' : `fees of the ${n} transactions`} in the block you found.`
    }
    case 'contribution':
      return `${block}: a slice you trained was sealed into round ${e.round} of ${jobName(b, e.job)}; its owner pays you.`
    case 'contribution-subsidy':
      return `${block}: a slice you trained was sealed into round ${e.round} of ${jobName(b, e.job)}; your share of the block's issuance for sealed work.`
    case 'received':
      return `${block}: sent to you by ${address(e.counterparty)}.`
    case 'sent':
      if (e.counterparty === undefined && e.job === undefined) return `${block}: the fee for redeeming receipts of those you sent files to.`
      return e.counterparty === undefined
        ? `${block}: the fee for cancelling your job ${jobName(b, e.job)}.`
        : `${block}: you sent it to ${address(e.counterparty)}${fee}.`
    case 'job-posted':
      return `${block}: you posted the job ${jobName(b, e.job)}: escrow for its contributions and its burned weight${fee}.`
    case 'job-refund':
      return `${block}: what was left of the escrow of your job ${jobName(b, e.job)} came back${ended(b, e.job)}.`
    case 'set-aside':
      return `${block}: you set it aside for those who send you files${fee}; what they do not claim comes back.`
    case 'seeding-pay':
      return `${block}: ${address(e.counterparty)} got files from you and signed for them; this is your pay, out of what was set aside for it.`
    case 'set-aside-returned':
      return `${block}: of what you had set aside for those who send you files, nobody claimed this.`
    default:
      return e.kind satisfies never
  }
}

/** The job may have left the table in this very block: then its parent's ledger knows it. */
function jobOf (b: BlockRecord, job: Uint8Array | undefined): ReturnType<typeof findJob> {
  if (job === undefined) return undefined
  return findJob(b.meta.ledger, job) ?? (b.meta.parent === undefined ? undefined : findJob(b.meta.parent.ledger, job))
}

function jobName (b: BlockRecord, job: Uint8Array | undefined): string {
  const found = jobOf(b, job)
  return found === undefined ? 'a job' : new TextDecoder().decode(found.spec.name)
}

function ended (b: BlockRecord, job: Uint8Array | undefined): string {
  switch (jobOf(b, job)?.status) {
    case 'expired': return ': its deadline has passed'
    case 'cancelled': return ': you cancelled it'
    case 'done': return ': all its rounds are trained'
    case 'exhausted': return ': it pays for no further contribution'
    default: return ''
  }
}

const address = (key: Uint8Array | undefined): string => key === undefined ? 'nobody' : formatAddress(key)

function toLine (e: HistoryEntry): Line {
  return {
    kind: KINDS.indexOf(e.kind),
    timeMs: e.timeMs,
    debit: e.amount < 0n ? 1 : 0,
    amount: e.amount < 0n ? -e.amount : e.amount,
    maturesAt: e.maturesAt ?? 0,
    block: e.block === undefined ? ZERO32 : fromHex(e.block, 32)!,
    job: e.job === undefined ? ZERO32 : fromHex(e.job, 32)!,
    counterparty: e.counterparty === undefined ? ZERO32 : fromHex(e.counterparty, 32)!,
    reason: new TextEncoder().encode(e.reason).subarray(0, 512)
  }
}

function fromLine (l: Line, height: number, index: number): HistoryEntry {
  const hex = (b: Uint8Array): string | undefined => equalBytes(b, ZERO32) ? undefined : toHex(b)
  return {
    id: `${height}-${index}`,
    height,
    timeMs: l.timeMs,
    kind: KINDS[l.kind] ?? 'received',
    amount: l.debit === 1 ? -l.amount : l.amount,
    reason: new TextDecoder().decode(l.reason),
    maturesAt: l.maturesAt === 0 ? undefined : l.maturesAt,
    block: hex(l.block),
    job: hex(l.job),
    counterparty: hex(l.counterparty)
  }
}
