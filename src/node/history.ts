/**
 * Why did I earn this: every ledger event of the wallet's account becomes a line with its reason in one
 * sentence. Lines belong to main-chain blocks: those of a block that leaves go with it.
 *
 * Lines fall into groups, and each group is kept and stored apart: a miner is paid many times a minute, and
 * what it was sent or has spent must be found after months. Stored under the account, by group and height:
 * another key that is imported has lines of its own. The ledger itself is the source: on a restart the
 * blocks still in memory are derived again, so a write that was lost costs at most older lines.
 */
import { ContainerType, ListCompositeType, type ValueOf } from '@chainsafe/ssz'
import type { HistoryEntry, HistoryGroup } from '../bridge/api.ts'
import { formatAddress } from '../core/codec/address.ts'
import { formatAmount } from '../core/codec/amount.ts'
import { byteList, Bytes32, decode, equalBytes, fromHex, toHex, U32, U53, U64, U8, ZERO32 } from '../core/codec/ssz.ts'
import type { LedgerEvent } from '../core/ledger/apply.ts'
import { findJob } from '../core/ledger/state.ts'
import { type Storage, StorageError, type StorageOp } from '../ports/storage.ts'
import type { BlockRecord, ChainEvents, ChainService, Log } from './parts.ts'
import { heightKey } from './persist.ts'

/** Lines of each group kept in memory; older ones stay stored. */
export const HISTORY_KEPT = 2_000
/** Of one group: a block can name an account at most once per transaction, contribution and credit. */
const MAX_LINES = 2_048

const KINDS = ['block-reward', 'contribution', 'contribution-subsidy', 'fees', 'received', 'sent', 'job-posted', 'job-refund', 'set-aside', 'seeding-pay', 'set-aside-returned'] as const satisfies ReadonlyArray<HistoryEntry['kind']>

/** In the order that the lines of one block stand in. */
const GROUPS = ['earned', 'received', 'spent'] as const satisfies readonly HistoryGroup[]

const GROUP: Readonly<Record<HistoryEntry['kind'], HistoryGroup>> = {
  'block-reward': 'earned', contribution: 'earned', 'contribution-subsidy': 'earned', fees: 'earned', 'seeding-pay': 'earned',
  received: 'received', 'job-refund': 'received', 'set-aside-returned': 'received',
  sent: 'spent', 'job-posted': 'spent', 'set-aside': 'spent'
}

/** What a wallet is paid for training. */
const WORK: ReadonlySet<HistoryEntry['kind']> = new Set(['block-reward', 'contribution', 'contribution-subsidy', 'fees'])

/** Above every key that is a height alone, as lines were stored when they did not say whose they are. */
const OF = 'of/'
const HEIGHT_DIGITS = heightKey(0).length

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
  readonly #account: Uint8Array
  readonly #sinceMs: number
  readonly #listeners = new Set<() => void>()
  /** Ascending in height, and in the order of the groups within one. */
  #entries: HistoryEntry[] = []
  #earned = 0n
  #writes: Promise<void> = Promise.resolve()
  #failed = false

  constructor (d: { readonly storage: Storage, readonly log: Log, readonly account: Uint8Array, readonly sinceMs: number }) {
    this.#storage = d.storage
    this.#log = d.log
    this.#account = d.account
    this.#sinceMs = d.sinceMs
  }

  /** Loads the stored lines up to the chain's head and follows the chain from there. */
  async start (chain: WatchedChain): Promise<() => void> {
    const head = chain.head().height
    // Nothing says whose these lines are: another key may have been imported since.
    const stale = await this.#storage.keys('history', { to: OF })
    for (const group of GROUPS) {
      const above = this.#key(group, head + 1)
      const rows = await this.#storage.range('history', { from: this.#key(group, 0), to: above, reverse: true, limit: HISTORY_KEPT })
      for (const [key, bytes] of rows.reverse()) {
        const height = parseInt(key.slice(-HEIGHT_DIGITS), 16)
        const d = bytes.length === 0 ? undefined : decode(Lines, bytes, LINES_BYTES)
        if (d?.ok === true) this.#entries.push(...d.value.map((l, i) => fromLine(l, height, idOf(height, group, i))))
        else this.#log.warn('history', `stored lines of block ${height} are damaged`)
      }
      // Of blocks that were not on disk yet when their lines were.
      stale.push(...await this.#storage.keys('history', { from: above, to: `${this.#folder(group)}g` }))
    }
    this.#entries.sort((a, b) => a.height - b.height)
    this.#earned = this.#paid(this.#entries)
    if (stale.length > 0) this.#write(stale.map((key) => ({ op: 'delete', store: 'history', key })))
    const kept: BlockRecord[] = []
    for (let h = head; h > chain.baseHeight(); h--) {
      const r = chain.at(h)
      if (r === undefined) break
      kept.push(r)
    }
    this.#replace(head - kept.length, kept.reverse())
    return chain.on('head', (e) => { this.#replace(e.added.length > 0 ? e.added[0].meta.height - 1 : e.head.height, e.added) })
  }

  /** Newest first, of one group or of all. */
  list (limit: number, group?: HistoryGroup): HistoryEntry[] {
    const wanted = group === undefined ? this.#entries : this.#entries.filter((e) => GROUP[e.kind] === group)
    return limit > 0 ? wanted.slice(-limit).reverse() : []
  }

  /** For work in blocks since `sinceMs`, also by lines that are in memory no more. */
  earned (): bigint { return this.#earned }

  onChange (listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  /** When everything so far is stored, or could not be. */
  async idle (): Promise<void> { await this.#writes }

  /** Drops every line above `fork` and adds those of `blocks`. */
  #replace (fork: number, blocks: readonly BlockRecord[]): void {
    const before = this.#entries.length
    const leaving = this.#entries.filter((e) => e.height > fork)
    const dropped = new Set(leaving.map((e) => this.#key(GROUP[e.kind], e.height)))
    this.#earned -= this.#paid(leaving)
    this.#entries = this.#entries.filter((e) => e.height <= fork)
    const ops: StorageOp[] = []
    for (const b of blocks) {
      const lines = entriesOf(b, this.#account)
      this.#entries.push(...lines)
      this.#earned += this.#paid(lines)
      for (const group of GROUPS) {
        const ofGroup = lines.filter((e) => GROUP[e.kind] === group)
        if (ofGroup.length === 0) continue
        const key = this.#key(group, b.meta.height)
        dropped.delete(key)
        ops.push({ op: 'put', store: 'history', key, value: Lines.serialize(ofGroup.map(toLine)) })
      }
    }
    for (const key of dropped) ops.push({ op: 'delete', store: 'history', key })
    this.#trim()
    if (ops.length > 0) this.#write(ops)
    if (ops.length > 0 || this.#entries.length !== before) for (const l of this.#listeners) l()
  }

  #paid (lines: readonly HistoryEntry[]): bigint { return lines.reduce((sum, e) => WORK.has(e.kind) && e.timeMs >= this.#sinceMs ? sum + e.amount : sum, 0n) }

  /** A group takes no room from another one. */
  #trim (): void {
    if (this.#entries.length <= HISTORY_KEPT) return
    const over = new Map(GROUPS.map((group) => [group, -HISTORY_KEPT]))
    for (const e of this.#entries) over.set(GROUP[e.kind], over.get(GROUP[e.kind])! + 1)
    this.#entries = this.#entries.filter((e) => {
      const left = over.get(GROUP[e.kind])!
      over.set(GROUP[e.kind], left - 1)
      return left <= 0
    })
  }

  #folder (group: HistoryGroup): string { return `${OF}${toHex(this.#account)}/${group}/` }

  #key (group: HistoryGroup, height: number): string { return `${this.#folder(group)}${heightKey(height)}` }

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

/** Told apart from all others, before a restart and after. */
const idOf = (height: number, group: HistoryGroup, index: number): string => `${height}-${group}-${index}`

/** The lines of one block: by group, and within it in the order of the ledger's events. */
export function entriesOf (b: BlockRecord, account: Uint8Array): HistoryEntry[] {
  const own = b.events.filter((e) => equalBytes(e.account, account))
  return GROUPS.flatMap((group) => own.filter((e) => GROUP[e.kind] === group).slice(0, MAX_LINES).map((e, i): HistoryEntry => ({
    id: idOf(b.meta.height, group, i),
    height: b.meta.height,
    timeMs: b.meta.header.template.time,
    kind: e.kind,
    amount: e.amount,
    reason: reasonOf(b, e),
    maturesAt: e.maturesAt,
    block: toHex(b.meta.hash),
    job: e.job === undefined ? undefined : toHex(e.job),
    counterparty: e.counterparty === undefined ? undefined : toHex(e.counterparty)
  })))
}

/** As everywhere on the page, and in a claim: the round that the work starts from. The event names the round that its seal makes. */
const trainedIn = (e: LedgerEvent): string => e.round === undefined ? 'a round' : `round ${e.round - 1}`

function reasonOf (b: BlockRecord, e: LedgerEvent): string {
  const block = `Block ${b.meta.height}`
  const { template } = b.meta.header
  const fee = e.fee === undefined ? '' : `, fee ${formatAmount(e.fee)} included`
  switch (e.kind) {
    case 'block-reward':
      return `${block}: you trained slice ${b.meta.header.slice} in round ${template.round} of ${jobName(b, template.job)}, and it won the draw.`
    case 'fees': {
      const n = b.body.transactions.length
      return `${block}: the ${n === 1 ? 'fee of the transaction' : `fees of the ${n} transactions`} in the block you found.`
    }
    case 'contribution':
      return `${block}: a slice you trained in ${trainedIn(e)} of ${jobName(b, e.job)} was sealed; its owner pays you.`
    case 'contribution-subsidy':
      return `${block}: a slice you trained in ${trainedIn(e)} of ${jobName(b, e.job)} was sealed; your share of the block's issuance for sealed work.`
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

function fromLine (l: Line, height: number, id: string): HistoryEntry {
  const hex = (b: Uint8Array): string | undefined => equalBytes(b, ZERO32) ? undefined : toHex(b)
  return {
    id,
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
