/**
 * Transactions that wait for a block. Per sender in the order of their nonces; bounded by count, by
 * bytes and per sender; where there is no room the lowest fee goes, before it what no block could have. A transaction with the nonce of a
 * waiting one replaces it for a tenth more in fee. Own ones are on disk before they count as taken,
 * stay there until the block that has them is, and are sent again until then.
 */
import { ContainerType } from '@chainsafe/ssz'
import { equalBytes, toHex, decode, U53 } from '../core/codec/ssz.ts'
import { ACTION_CANCEL_JOB, ACTION_POST_JOB, ACTION_REDEEM, RedeemedReceipt, SignedTransaction } from '../core/codec/wire.ts'
import { type BlockMeta, chainId } from '../core/consensus/chain.ts'
import { invalid, type ReasonCode, type Refusal, refusal } from '../core/consensus/refusal.ts'
import { signatureRefusal, stepTransaction, transactionSignatureItems, tryTransactions } from '../core/consensus/transaction.ts'
import { transactionId } from '../core/crypto/ids.ts'
import { openBlock } from '../core/ledger/apply.ts'
import { account, type LedgerState } from '../core/ledger/state.ts'
import { type ChainParams, MAX_BODY_BYTES, MAX_RECEIPTS_PER_REDEMPTION, MAX_SPEC_BYTES } from '../core/params.ts'
import type { Clock } from '../ports/clock.ts'
import type { PeerId } from '../ports/network.ts'
import type { Signatures } from '../ports/signatures.ts'
import { type Storage, StorageError, type StorageOp } from '../ports/storage.ts'
import type { Chain } from './chain.ts'
import type { BlockRecord, ChainService, Hex, Log, PoolService } from './parts.ts'
import type { ChainStore } from './persist.ts'
import { idleOf } from './poolIdle.ts'
import { TokenBuckets } from './tokenBucket.ts'

export interface PoolLimits { readonly count: number, readonly bytes: number, readonly perSender: number, readonly ageMs: number }
export const POOL_LIMITS: PoolLimits = { count: 1024, bytes: 1024 * 1024, perSender: 16, ageMs: 3 * 60 * 60_000 }
/** A serialized signed transaction is never larger: a job spec or as many receipts as there may be, and their surroundings. */
export const MAX_TRANSACTION_BYTES = Math.max(MAX_SPEC_BYTES, MAX_RECEIPTS_PER_REDEMPTION * RedeemedReceipt.fixedSize!) + 512
/** Transactions leave room for seals in the body. */
export const TRANSACTIONS_BYTES_PER_BLOCK = MAX_BODY_BYTES / 4
export const REBROADCAST_MS = 30_000
/** Looks at all that waits for room in a full pool, for what one neighbour hands over: some ms each if redemptions fill it. */
export const LOOKS_AT_ONCE = 32
const LOOKS_PER_SECOND = 4
/** A replacement pays at least this many hundredths of the old fee. */
const REPLACE_PERCENT = 110n
/** What an own transaction lacks may be in blocks that did not reach the disk, or come again after a reorganisation. */
const NOT_YET: ReadonlySet<ReasonCode> = new Set<ReasonCode>(['transaction-balance', 'transaction-nonce-gap'])

/**
 * Others may fill the table of jobs until a posting's deadline is near, or for much longer; a job may end before its
 * cancellation is in a block; a pot is emptied by others, and an epoch passes.
 */
const VOIDED_BY_OTHERS: ReadonlySet<number> = new Set([ACTION_POST_JOB, ACTION_CANCEL_JOB, ACTION_REDEEM])

/** An own one on disk. */
const Kept = new ContainerType({ addedAt: U53, signed: SignedTransaction })
const KEPT_BYTES = MAX_TRANSACTION_BYTES + 16

/** Undefined where it is damaged. Earlier versions wrote the transaction alone. */
function decodeKept (bytes: Uint8Array): { readonly addedAt?: number, readonly signed: SignedTransaction } | undefined {
  if (bytes.length === 0) return undefined
  const d = decode(Kept, bytes, KEPT_BYTES)
  if (d.ok) return Number.isSafeInteger(d.value.addedAt) ? d.value : { signed: d.value.signed }
  const alone = decode(SignedTransaction, bytes, MAX_TRANSACTION_BYTES)
  return alone.ok ? { signed: alone.value } : undefined
}

interface Entry {
  readonly id: Hex
  readonly signed: SignedTransaction
  readonly from: Hex
  readonly nonce: number
  readonly fee: bigint
  readonly bytes: number
  readonly own: boolean
  readonly addedAt: number
}

export class Mempool implements PoolService {
  readonly #params: ChainParams
  readonly #clock: Clock
  readonly #signatures: Signatures
  readonly #chain: Pick<ChainService, 'head' | 'on'> & Pick<Chain, 'offMain'>
  readonly #blocks: Pick<ChainStore, 'written'>
  readonly #storage: Pick<Storage, 'range' | 'commit'>
  readonly #log: Log
  readonly #own: readonly Uint8Array[]
  readonly #publish: (tx: SignedTransaction) => void
  readonly #limits: PoolLimits
  readonly #byId = new Map<Hex, Entry>()
  readonly #bySender = new Map<Hex, Map<number, Entry>>()
  readonly #listeners = new Set<() => void>()
  readonly #voidListeners = new Set<(tx: SignedTransaction) => void>()
  #bytes = 0
  readonly #looks: TokenBuckets
  /** Counts what comes and goes. */
  #changes = 0
  /** Where all that waited could be in a block. */
  #noneIdle: { readonly tip: BlockMeta, readonly changes: number } | undefined
  /** Records that may go once the disk takes writes again: the blocks that carry them are in memory only. */
  readonly #obsolete = new Set<Hex>()
  #writes: Promise<void> = Promise.resolve()
  #cancelTimer: (() => void) | undefined

  /** `own`: accounts whose transactions are stored and sent again; `publish` announces one. */
  constructor (d: {
    readonly params: ChainParams
    readonly clock: Clock
    readonly signatures: Signatures
    readonly chain: Pick<ChainService, 'head' | 'on'> & Pick<Chain, 'offMain'>
    readonly blocks: Pick<ChainStore, 'written'>
    readonly storage: Pick<Storage, 'range' | 'commit'>
    readonly log: Log
    readonly own: readonly Uint8Array[]
    readonly publish: (tx: SignedTransaction) => void
    readonly limits?: PoolLimits
  }) {
    this.#params = d.params
    this.#clock = d.clock
    this.#signatures = d.signatures
    this.#chain = d.chain
    this.#blocks = d.blocks
    this.#storage = d.storage
    this.#log = d.log
    this.#own = d.own
    this.#publish = d.publish
    this.#limits = d.limits ?? POOL_LIMITS
    this.#looks = new TokenBuckets(d.clock, LOOKS_PER_SECOND, LOOKS_AT_ONCE)
  }

  get size (): number { return this.#byId.size }
  get bytes (): number { return this.#bytes }

  /** Loads own pending transactions and follows the chain's head. */
  async start (): Promise<() => void> {
    const off = this.#chain.on('head', (e) => { this.#headMoved(e.removed, e.added) })
    const rows = await this.#storage.range('pool', { limit: this.#limits.count })
    for (const [key, bytes] of rows) {
      const d = decodeKept(bytes)
      const refused = d === undefined ? invalid('transaction-signature', 'stored bytes are damaged') : await this.#unsigned(d.signed) ?? this.#takeAgain(d.signed, d.addedAt)
      if (refused === undefined) continue
      this.#log.info('pool', `stored transaction ${key.slice(0, 8)} dropped: ${refused.reason}`)
      this.#forget(key)
    }
    // It may have died between the block that took a transaction out of the chain and this record of it.
    for (const b of this.#chain.offMain()) for (const t of b.body.transactions) if (this.#isOwn(t)) this.#takeAgain(t)
    this.#rebroadcastLater()
    return () => {
      off()
      this.#cancelTimer?.()
    }
  }

  onChange (listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  /** Called with an own one that the rules do not let happen any more. */
  onVoid (listener: (tx: SignedTransaction) => void): () => void {
    this.#voidListeners.add(listener)
    return () => { this.#voidListeners.delete(listener) }
  }

  /** Takes an own one that was taken before, here or in another tab, also where its turn or its credit is yet to come. */
  async resume (tx: SignedTransaction): Promise<Refusal | undefined> {
    const refused = await this.#unsigned(tx) ?? this.#takeAgain(tx)
    if (refused !== undefined) return refused
    this.#changed()
    await this.#writes
    return undefined
  }

  /** Why this one would not be taken now; its signature and the room for it are not looked at. */
  check (tx: SignedTransaction): Refusal | undefined {
    const bytes = SignedTransaction.serialize(tx).length
    return bytes > MAX_TRANSACTION_BYTES ? invalid('transaction-action', `${bytes} bytes, at most ${MAX_TRANSACTION_BYTES}`) : this.#refusal(this.#entry(tx, bytes))
  }

  /** Whether it waits for credits that its account does not have; not so of what waits for an earlier one. */
  lacks (tx: SignedTransaction): boolean {
    const e = this.#byId.get(toHex(transactionId(tx.transaction)))
    const tip = this.#chain.head()
    const ledger = e === undefined ? undefined : this.#ledgerBefore(e, tip)
    return ledger !== undefined && refusalOf(stepTransaction(this.#params, chainId(tip), ledger, tx.transaction))?.reason === 'transaction-balance'
  }

  /** Lets go of those that are not to happen any more. */
  withdraw (ids: Iterable<Hex>): void {
    const before = this.#byId.size
    for (const id of ids) {
      const e = this.#byId.get(id)
      if (e !== undefined) this.#remove(e)
    }
    if (this.#byId.size !== before) this.#changed()
  }

  /** When every write so far is done, or could not be. */
  async idle (): Promise<void> { await this.#writes }

  /**
   * Undefined: taken, or known already. The id does not commit to the signature: a copy of a known one
   * is looked at all the same, because who hears "taken" passes it on and answers for it.
   */
  async add (tx: SignedTransaction, via?: PeerId): Promise<Refusal | undefined> {
    const bytes = SignedTransaction.serialize(tx).length
    if (bytes > MAX_TRANSACTION_BYTES) return invalid('transaction-action', `${bytes} bytes, at most ${MAX_TRANSACTION_BYTES}`)
    const entry = this.#entry(tx, bytes)
    const known = this.#byId.get(entry.id)
    if (known !== undefined && equalBytes(known.signed.signature, tx.signature)) return undefined
    // For what is refused for want of room nobody's signatures are looked at: of receipts there may be many.
    const early = known === undefined ? this.#refusal(entry) ?? (entry.own ? undefined : this.#noRoom(entry, via) ?? this.#makeRoom(entry, true)) : undefined
    if (early !== undefined) return early
    const unsigned = await this.#unsigned(tx)
    if (unsigned !== undefined) return unsigned
    // The chain and the pool may have moved on during the await.
    if (this.#byId.has(entry.id)) return undefined
    const refused = this.#refusal(entry) ?? this.#makeRoom(entry)
    if (refused !== undefined) return refused
    this.#insert(entry)
    // What was behind a gap was looked at alone: together they may be more than there is.
    if (Math.max(...this.#bySender.get(entry.from)!.keys()) > entry.nonce) this.#revalidate(entry.from, this.#chain.head())
    this.#log.debug('pool', `transaction ${entry.id.slice(0, 8)}${via === undefined ? '' : ` from ${via}`} waits, fee ${entry.fee}`)
    this.#changed()
    // What is taken is called sent: it must be here after a crash.
    if (entry.own) await this.#writes
    return undefined
  }

  select (parent: BlockMeta): SignedTransaction[] {
    const next = new Map<Hex, Entry>()
    for (const [from, queue] of this.#bySender) {
      const first = queue.get(account(parent.ledger, queue.values().next().value!.signed.transaction.from).nonce)
      if (first !== undefined) next.set(from, first)
    }
    const candidates: SignedTransaction[] = []
    // All of them: any number of the best may come to nothing, such as redemptions of one pot.
    while (next.size > 0) {
      let best: Entry | undefined
      for (const e of next.values()) if (best === undefined || better(e, best)) best = e
      candidates.push(best!.signed)
      const after = this.#bySender.get(best!.from)!.get(best!.nonce + 1)
      if (after === undefined) next.delete(best!.from)
      else next.set(best!.from, after)
    }
    return tryTransactions(this.#params, parent, candidates, TRANSACTIONS_BYTES_PER_BLOCK)
  }

  pending (from: Uint8Array): SignedTransaction[] { return this.waiting(from).map((w) => w.signed) }

  /** The same, with when each was taken here. */
  waiting (from: Uint8Array): Array<{ readonly signed: SignedTransaction, readonly sinceMs: number }> {
    const queue = this.#bySender.get(toHex(from))
    return queue === undefined ? [] : [...queue.values()].sort((a, b) => a.nonce - b.nonce).map((e) => ({ signed: e.signed, sinceMs: e.addedAt }))
  }

  /** As the next block finds it. */
  #nextLedger (tip: BlockMeta): LedgerState { return openBlock(this.#params, tip.ledger, tip.height + 1).ledger }

  async #unsigned (tx: SignedTransaction): Promise<Refusal | undefined> {
    return signatureRefusal(await this.#signatures.verify(transactionSignatureItems(tx)))
  }

  #entry (signed: SignedTransaction, bytes: number, addedAt = this.#clock.now()): Entry {
    const tx = signed.transaction
    return {
      id: toHex(transactionId(tx)),
      signed,
      from: toHex(tx.from),
      nonce: tx.nonce,
      fee: tx.fee,
      bytes,
      own: this.#isOwn(signed),
      addedAt
    }
  }

  #isOwn (signed: SignedTransaction): boolean { return this.#own.some((k) => equalBytes(k, signed.transaction.from)) }

  /** Everything but the signature and the room. */
  #refusal (e: Entry): Refusal | undefined {
    const tx = e.signed.transaction
    const tip = this.#chain.head()
    const now = account(tip.ledger, tx.from)
    if (!equalBytes(tx.chain, chainId(tip))) return invalid('transaction-chain', 'of another network')
    if (tx.fee < this.#params.minFee) return invalid('transaction-fee', `fee ${tx.fee}, at least ${this.#params.minFee}`)
    if (tx.nonce < now.nonce) return refusal('stale', 'transaction-nonce-reused', `nonce ${tx.nonce}, the account is at ${now.nonce}`)
    if (tx.nonce >= now.nonce + this.#limits.perSender) return refusal('orphan', 'transaction-nonce-gap', `nonce ${tx.nonce}, the account is at ${now.nonce} and ${this.#limits.perSender} may wait`)
    const old = this.#bySender.get(e.from)?.get(e.nonce)
    if (old !== undefined && e.fee * 100n < old.fee * REPLACE_PERCENT) return refusal('stale', 'transaction-fee', `replaces one with fee ${old.fee}: needs a tenth more`)
    const ledger = this.#ledgerBefore(e, tip)
    if (ledger === undefined) {
      // Not its turn yet: what it will find then is unknown, but it must be able to pay now.
      const alone = this.#nextLedger(tip)
      const pretended = { ...alone, accounts: alone.accounts.set(tx.from, { balance: now.balance, nonce: tx.nonce }) }
      return refusalOf(stepTransaction(this.#params, chainId(tip), pretended, tx))
    }
    return refusalOf(stepTransaction(this.#params, chainId(tip), ledger, tx))
  }

  /** The ledger after the sender's earlier waiting transactions; undefined if one is missing. */
  #ledgerBefore (e: Entry, tip: BlockMeta): LedgerState | undefined {
    let ledger = this.#nextLedger(tip)
    const queue = this.#bySender.get(e.from)
    for (let nonce = account(ledger, e.signed.transaction.from).nonce; nonce < e.nonce; nonce++) {
      const before = queue?.get(nonce)
      const step = before === undefined ? undefined : stepTransaction(this.#params, chainId(tip), ledger, before.signed.transaction)
      if (step?.ok !== true) return undefined
      ledger = step.ledger
    }
    return ledger
  }

  /** One that was taken before, its signature checked. */
  #takeAgain (tx: SignedTransaction, addedAt?: number): Refusal | undefined {
    const e = this.#entry(tx, SignedTransaction.serialize(tx).length, addedAt)
    if (this.#byId.has(e.id)) return undefined
    const refused = this.#refusal(e)
    if (refused !== undefined && !(e.own && NOT_YET.has(refused.reason))) return refused
    const full = this.#makeRoom(e)
    if (full === undefined) this.#insert(e)
    return full
  }

  #isFull (e: Entry): boolean { return this.#byId.size >= this.#limits.count || this.#bytes + e.bytes > this.#limits.bytes }

  /** Refuses for want of room what can be refused without a look at all that waits, and what would take more looks than its neighbour has. */
  #noRoom (e: Entry, via: PeerId | undefined): Refusal | undefined {
    if (!this.#isFull(e)) return undefined
    if (this.#noneIdle?.tip === this.#chain.head() && this.#noneIdle.changes === this.#changes && this.#bySender.get(e.from)?.has(e.nonce) !== true) {
      let lowest: bigint | undefined
      for (const x of this.#byId.values()) if (!x.own && x.from !== e.from && (lowest === undefined || x.fee < lowest)) lowest = x.fee
      // Of the lowest fee and the last to come, it changes nothing for those before it.
      if (lowest === undefined || e.fee <= lowest) return lowFee(e)
    }
    return via === undefined || this.#looks.take(via) ? undefined : refusal('stale', 'transaction-fee', 'the pool is full, and too much that would take a place in it came of this neighbour')
  }

  /** Lets go of what pays less; refuses the newcomer if that is itself. A trial leaves all as it is. */
  #makeRoom (e: Entry, isTrial = false): Refusal | undefined {
    const old = this.#bySender.get(e.from)?.get(e.nonce)
    const gone = old === undefined ? [] : [old]
    const changes = this.#changes
    const putBack = (): void => {
      for (const x of gone) this.#insert(x)
      this.#changes = changes
    }
    if (old !== undefined) this.#remove(old)
    if (!this.#isFull(e)) {
      if (isTrial) putBack()
      return undefined
    }
    const tip = this.#chain.head()
    const idle = idleOf(this.#nextLedger(tip), [...this.#byId.values(), e].sort((a, b) => better(a, b) ? -1 : 1))
    const isLast = [...this.#bySender.get(e.from)?.keys() ?? []].every(nonce => nonce < e.nonce)
    if (old === undefined && isLast && [...idle].every(x => x === e)) this.#noneIdle = { tip, changes }
    const worse = (a: Entry, b: Entry): boolean => idle.has(a) === idle.has(b) ? better(b, a) : idle.has(a)
    while (this.#isFull(e)) {
      let worst: Entry | undefined
      for (const x of this.#byId.values()) if (!x.own && x.from !== e.from && (worst === undefined || worse(x, worst))) worst = x
      if (worst === undefined || (!e.own && (idle.has(worst) === idle.has(e) ? worst.fee >= e.fee : idle.has(e)))) {
        // Who is refused makes no room for anybody.
        putBack()
        return lowFee(e)
      }
      // Its last one: the ones before it stay usable.
      const queue = this.#bySender.get(worst.from)!
      const last = queue.get(Math.max(...queue.keys()))!
      gone.push(last)
      this.#remove(last)
    }
    if (isTrial) putBack()
    return undefined
  }

  #insert (e: Entry): void {
    this.#changes++
    this.#byId.set(e.id, e)
    const queue = this.#bySender.get(e.from) ?? new Map<number, Entry>()
    this.#bySender.set(e.from, queue)
    queue.set(e.nonce, e)
    this.#bytes += e.bytes
    if (e.own) this.#write({ op: 'put', store: 'pool', key: e.id, value: Kept.serialize({ addedAt: e.addedAt, signed: e.signed }) })
  }

  #remove (e: Entry): void {
    this.#changes++
    this.#byId.delete(e.id)
    const queue = this.#bySender.get(e.from)!
    queue.delete(e.nonce)
    if (queue.size === 0) this.#bySender.delete(e.from)
    this.#bytes -= e.bytes
    if (e.own) this.#forget(e.id)
  }

  #headMoved (removed: readonly BlockRecord[], added: readonly BlockRecord[]): void {
    const before = this.#byId.size
    const mined = new Set<Hex>()
    const touched = new Set<Hex>()
    for (const b of added) {
      for (const t of b.body.transactions) {
        mined.add(toHex(transactionId(t.transaction)))
        touched.add(toHex(t.transaction.from))
      }
    }
    // What a lost block had waits again, unless the new chain has it too. Its signatures were checked.
    for (const b of removed) {
      for (const t of b.body.transactions) {
        touched.add(toHex(t.transaction.from))
        if (!mined.has(toHex(transactionId(t.transaction)))) this.#takeAgain(t)
      }
    }
    for (const id of mined) {
      const e = this.#byId.get(id)
      if (e !== undefined) this.#remove(e)
    }
    const tip = this.#chain.head()
    const oldest = this.#clock.now() - this.#limits.ageMs
    for (const e of [...this.#byId.values()]) {
      const reused = e.nonce < account(tip.ledger, e.signed.transaction.from).nonce
      if (reused && e.own) this.#log.warn('pool', `own transaction ${e.id.slice(0, 8)} waits no more: nonce ${e.nonce} was used by another one, or in a block that is not here`)
      if (reused || (!e.own && e.addedAt < oldest)) this.#remove(e)
    }
    // What others do can make these void for ever, and then they would hold up all that is behind them.
    for (const e of this.#byId.values()) if (VOIDED_BY_OTHERS.has(e.signed.transaction.action.selector)) touched.add(e.from)
    for (const from of touched) this.#revalidate(from, tip)
    if (added.length > 0 || this.#byId.size !== before) this.#changed()
  }

  /** Drops what the sender's account can no longer do. */
  #revalidate (from: Hex, tip: BlockMeta): void {
    const queue = this.#bySender.get(from)
    if (queue === undefined) return
    let ledger = this.#nextLedger(tip)
    const waiting = [...queue.values()].sort((a, b) => a.nonce - b.nonce)
    for (const [i, e] of waiting.entries()) {
      const step = stepTransaction(this.#params, chainId(tip), ledger, e.signed.transaction)
      if (step.ok) { ledger = step.ledger; continue }
      const { reason, detail } = step.refusal
      if (reason === 'transaction-nonce-gap') return
      // After a reorganisation the credit it spends may come again.
      if (e.own && reason === 'transaction-balance') return
      // To sign what is behind it anew would be to pay twice: it is out there, and goes on once this nonce is used.
      const behind = i + 1 === waiting.length ? '' : `; ${waiting.length - i - 1} sent after it wait for the next transaction, which takes its place`
      if (e.own) this.#log.warn('pool', `own transaction ${e.id.slice(0, 8)} dropped: ${reason}, ${detail}${behind}`)
      this.#remove(e)
      if (e.own) for (const l of this.#voidListeners) l(e.signed)
    }
  }

  #rebroadcastLater (): void {
    this.#cancelTimer = this.#clock.after(REBROADCAST_MS, () => {
      for (const e of this.#byId.values()) if (e.own) this.#publish(e.signed)
      for (const key of this.#obsolete) this.#forget(key)
      this.#rebroadcastLater()
    })
  }

  #changed (): void { for (const l of this.#listeners) l() }

  /** Not before the block that has it is on disk: a full disk has room for deletions and none for blocks. */
  #forget (key: Hex): void { this.#write({ op: 'delete', store: 'pool', key }) }

  #write (op: StorageOp): void {
    this.#writes = this.#writes.then(async () => {
      try {
        // Until it is done it is to be done; one that waits again stays.
        if (op.op === 'put') this.#obsolete.delete(op.key)
        else if (this.#byId.has(op.key)) return
        else this.#obsolete.add(op.key)
        if (op.op === 'delete' && !await this.#blocks.written()) return
        await this.#storage.commit([op])
        this.#obsolete.delete(op.key)
      } catch (e) {
        if (!(e instanceof StorageError)) throw e
        this.#log.warn('pool', `own transactions are not stored: ${e.message}`)
      }
    })
  }
}

const lowFee = (e: Entry): Refusal => refusal('stale', 'transaction-fee', `the pool is full and fee ${e.fee} is not above its lowest`)

type Step = ReturnType<typeof stepTransaction>
const refusalOf = (s: Step): Refusal | undefined => s.ok ? undefined : s.refusal

/** More fee, then longer here, then by id: two nodes agree where they can. */
function better (a: Entry, b: Entry): boolean {
  if (a.fee !== b.fee) return a.fee > b.fee
  if (a.addedAt !== b.addedAt) return a.addedAt < b.addedAt
  return a.id < b.id
}
