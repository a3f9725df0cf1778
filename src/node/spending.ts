/**
 * What this profile's wallet has signed, and what became of it. All tabs of the profile read and write
 * one record of it, each in its turn (ports/purse.ts), so that no two of them sign with one nonce, and so
 * that what a tab has called sent and no block will have is shown by all, to be sent again once.
 *
 *   waiting -> mined, and back where a reorganisation takes its block away
 *   waiting, mined -> taken   another transaction has its nonce
 *                  -> unseen  its nonce was used in a block that is not here
 *                  -> void    the rules do not let it happen any more
 *   taken, unseen  -> waiting where a reorganisation frees the nonce; taken, unseen, void -> mined where it comes in after all
 *   taken, unseen, void -> closed when the user has sent it again or let it go, or where it is no matter of his
 */
import { ContainerType, ListCompositeType } from '@chainsafe/ssz'
import type { Outcome, UnsentView } from '../bridge/api.ts'
import { formatAddress } from '../core/codec/address.ts'
import { decode, equalBytes, toHex, U8 } from '../core/codec/ssz.ts'
import { ACTION_CANCEL_JOB, ACTION_POST_JOB, ACTION_TRANSFER, SignedTransaction } from '../core/codec/wire.ts'
import { chainId } from '../core/consensus/chain.ts'
import { transactionId } from '../core/crypto/ids.ts'
import { account } from '../core/ledger/state.ts'
import type { Clock } from '../ports/clock.ts'
import type { Purse } from '../ports/purse.ts'
import { StorageError } from '../ports/storage.ts'
import { MAX_TRANSACTION_BYTES, type Mempool } from './mempool.ts'
import type { ChainService, Hex, Log } from './parts.ts'
import { spending } from './views.ts'

/** Transactions remembered; those that are settled go first. */
export const SIGNED_KEPT = 64
/** What other tabs have written is looked at with the next block, but not with every one of thousands. */
export const LOOK_MS = 2_000

const STATES = ['waiting', 'mined', 'closed', 'taken', 'unseen', 'void'] as const
type State = typeof STATES[number]

const PurseRecord = new ListCompositeType(new ContainerType({ state: U8, signed: SignedTransaction }), SIGNED_KEPT)
const PURSE_RECORD_BYTES = SIGNED_KEPT * (MAX_TRANSACTION_BYTES + 64)

/** What a person did. The rest this node does by itself, and will do again. */
const BY_HAND: ReadonlyMap<number, UnsentView['kind']> = new Map([[ACTION_TRANSFER, 'transfer'], [ACTION_POST_JOB, 'job'], [ACTION_CANCEL_JOB, 'cancellation']])
const FAILED: ReadonlySet<State> = new Set<State>(['taken', 'unseen', 'void'])
const WORDS: Readonly<Record<UnsentView['why'], string>> = {
  taken: 'another transaction of this wallet has its place',
  unseen: 'its place was used in a block that this tab does not have; it may have been this one',
  void: 'the rules do not let it happen any more'
}

interface Entry { state: State, readonly signed: SignedTransaction }
type Book = Map<Hex, Entry>

/** Makes one with this nonce, and hands it to the pool. */
export type Make = (nonce: number, again?: SignedTransaction) => Promise<Outcome<SignedTransaction>>

export interface SpendingDeps {
  readonly purse: Purse
  readonly account: Uint8Array
  readonly chain: Pick<ChainService, 'head' | 'at' | 'on'>
  readonly pool: Pick<Mempool, 'pending' | 'resume' | 'onVoid'>
  readonly clock: Pick<Clock, 'now'>
  readonly log: Log
  /** One of this wallet that no tab of this profile has signed is in a block instead of one that was. */
  readonly onForeign?: () => void
}

const refuse = (message: string): Outcome<never> => ({ ok: false, errors: [{ field: 'form', message }] })
const idOf = (signed: SignedTransaction): Hex => toHex(transactionId(signed.transaction))

export class Spending {
  readonly #d: SpendingDeps
  /** As it was read last. */
  #book: Book = new Map()
  #news = new Map<Hex, 'mined' | 'unmined' | 'void'>()
  #looking: Promise<void> | undefined
  /** Turns begun and ended: what was read outside of them may be older than what they left. */
  #turns = 0
  #again = false
  #lookedAt = -Infinity

  constructor (d: SpendingDeps) { this.#d = d }

  /** After the pool: what waits in the purse goes on from whichever tab is open. */
  start (): () => void {
    const { chain, pool } = this.#d
    const offs = [
      pool.onVoid(signed => { this.#news.set(idOf(signed), 'void'); this.#look() }),
      chain.on('head', ({ removed, added }) => {
        for (const id of this.#ownIn(removed)) this.#news.set(id, 'unmined')
        for (const id of this.#ownIn(added)) this.#news.set(id, 'mined')
        if (this.#news.size > 0 || this.#d.clock.now() - this.#lookedAt >= LOOK_MS) this.#look()
      })
    ]
    this.#look()
    return () => { for (const off of offs) off() }
  }

  /** When what is known so far is settled. */
  async idle (): Promise<void> { while (this.#looking !== undefined) await this.#looking }

  /** The first free one: where an earlier one was dropped, what waits behind it waits for this. */
  nextNonce (book: ReadonlyMap<Hex, Entry> = this.#book): number {
    const { chain, pool, account: key } = this.#d
    const taken = new Set(pool.pending(key).map(tx => tx.transaction.nonce))
    for (const [id, { state, signed }] of book) {
      // A tab that has to catch up does not have all the blocks that others have seen.
      if (state === 'mined' || (state === 'waiting' && this.#news.get(id) !== 'void')) taken.add(signed.transaction.nonce)
    }
    let { nonce } = account(chain.head().ledger, key)
    while (taken.has(nonce)) nonce++
    return nonce
  }

  /** Oldest first. */
  unsent (): UnsentView[] {
    return [...this.#book].flatMap(([id, { state, signed }]) => {
      const { action, fee } = signed.transaction
      const kind = BY_HAND.get(action.selector)
      if (kind === undefined || !isFailed(state)) return []
      const to = action.value !== null && 'to' in action.value ? formatAddress(action.value.to) : undefined
      return [{ id, kind, why: state, to, amount: spending(signed) - fee, fee }]
    })
  }

  /** Signs in a turn. `again`: in place of this one, which was not sent; once, whichever tab is asked. */
  async sign (make: Make, again?: Hex): Promise<Outcome<SignedTransaction>> {
    const turn = await this.#turn(async book => {
      await this.#resume(book)
      const old = again === undefined ? undefined : book.get(again)
      if (again !== undefined && (old === undefined || !isFailed(old.state))) return refuse('it is not among what was not sent any more')
      const made = await make(this.nextNonce(book), old?.signed)
      if (!made.ok) return made
      if (old !== undefined) old.state = 'closed'
      book.set(idOf(made.value), { state: 'waiting', signed: made.value })
      return made
    })
    return turn?.value ?? refuse('another tab of this browser is sending and does not come to an end; try again, or close it')
  }

  /** The user has seen that it was not sent. */
  async forget (id: Hex): Promise<void> {
    await this.#turn(async book => {
      const entry = book.get(id)
      if (entry !== undefined && isFailed(entry.state)) entry.state = 'closed'
    })
  }

  * #ownIn (blocks: ReadonlyArray<{ readonly body: { readonly transactions: readonly SignedTransaction[] } }>): Iterable<Hex> {
    for (const { body } of blocks) for (const t of body.transactions) if (equalBytes(t.transaction.from, this.#d.account)) yield idOf(t)
  }

  #look (): void {
    this.#again = true
    this.#looking ??= this.#lookAll().finally(() => { this.#looking = undefined })
  }

  async #lookAll (): Promise<void> {
    while (this.#again) {
      this.#again = false
      this.#lookedAt = this.#d.clock.now()
      try {
        const turns = this.#turns
        const read = await this.#read()
        if (turns === this.#turns) this.#book = read
        await this.#resume(this.#book)
        // A turn is asked for where there is something to write, which is rare.
        if (this.#settle(copyOf(this.#book), this.#news).length === 0) { this.#news.clear(); continue }
        await this.#turn(async book => {
          const news = this.#news
          this.#news = new Map()
          for (const said of this.#settle(book, news)) if (said !== '') this.#d.log.warn('wallet', said)
        })
      } catch (e) {
        this.#d.log.error('wallet', e instanceof Error ? e.stack ?? e.message : String(e))
      }
    }
  }

  /** What others have signed waits here, too, as long as no block that is here has it: their tabs may be closed, and their blocks lost. */
  async #resume (book: Book): Promise<void> {
    const { chain, pool, account: key } = this.#d
    const here = new Set(pool.pending(key).map(idOf))
    const { nonce } = account(chain.head().ledger, key)
    for (const [id, { state, signed }] of book) {
      if ((state !== 'waiting' && state !== 'mined') || here.has(id) || signed.transaction.nonce < nonce) continue
      const refused = await pool.resume(signed)
      if (refused?.verdict === 'invalid') this.#news.set(id, 'void')
    }
  }

  /** Brings the book to what is known; gives a line for each change, empty where it is none to speak of. */
  #settle (book: Book, news: ReadonlyMap<Hex, 'mined' | 'unmined' | 'void'>): string[] {
    const { chain, account: key } = this.#d
    const { nonce } = account(chain.head().ledger, key)
    const changes: string[] = []
    for (const [id, entry] of book) {
      const before = entry.state
      const what = news.get(id)
      if (what === 'mined' && before !== 'closed') entry.state = 'mined'
      if (what === 'unmined' && before === 'mined') entry.state = 'waiting'
      if (what === 'void' && before === 'waiting') entry.state = 'void'
      const isUsed = entry.signed.transaction.nonce < nonce
      if (entry.state === 'waiting' && isUsed) entry.state = this.#usedBy(id, entry.signed, book)
      if ((entry.state === 'taken' || entry.state === 'unseen') && !isUsed) entry.state = 'waiting'
      const name = BY_HAND.get(entry.signed.transaction.action.selector)
      if (isFailed(entry.state) && name === undefined) entry.state = 'closed'
      if (entry.state !== before) changes.push(isFailed(entry.state) ? `${name} ${id.slice(0, 8)} was called sent and is not: ${WORDS[entry.state]}` : '')
    }
    return changes
  }

  /** What became of one whose nonce is used. */
  #usedBy (id: Hex, { transaction: { nonce } }: SignedTransaction, book: Book): State {
    const { chain, account: key, onForeign } = this.#d
    for (let h = chain.head().height, r = chain.at(h); r !== undefined; r = chain.at(--h)) {
      const by = r.body.transactions.find(t => t.transaction.nonce === nonce && equalBytes(t.transaction.from, key))
      if (by === undefined) continue
      if (idOf(by) === id) return 'mined'
      if (!book.has(idOf(by))) onForeign?.()
      return 'taken'
    }
    return 'unseen'
  }

  async #turn<T> (work: (book: Book) => Promise<T>): Promise<{ readonly value: T } | undefined> {
    return await this.#d.purse.inTurn(async () => {
      this.#turns++
      const book = await this.#read()
      const before = fingerprint(book)
      try {
        return await work(book)
      } finally {
        trim(book)
        if (fingerprint(book) !== before) await this.#write(book)
        this.#book = book
        this.#turns++
      }
    })
  }

  /** Where it cannot be read, this tab goes on with what it knew. */
  async #read (): Promise<Book> {
    const { purse, log, chain, account: key } = this.#d
    let bytes: Uint8Array | undefined
    try {
      bytes = await purse.read()
    } catch (e) {
      if (!(e instanceof StorageError)) throw e
      log.warn('wallet', `what other tabs have signed cannot be read: ${e.message}`)
      return this.#book
    }
    const d = bytes === undefined ? undefined : decode(PurseRecord, bytes, PURSE_RECORD_BYTES)
    if (d?.ok === false) log.warn('wallet', `what other tabs have signed is damaged: ${d.error.detail}`)
    const mine = d?.ok === true ? d.value.filter(({ state, signed: { transaction: t } }) => state < STATES.length && equalBytes(t.from, key) && equalBytes(t.chain, chainId(chain.head()))) : []
    return new Map(mine.map(({ state, signed }) => [idOf(signed), { state: STATES[state], signed }]))
  }

  async #write (book: Book): Promise<void> {
    try {
      await this.#d.purse.write(PurseRecord.serialize([...book.values()].map(({ state, signed }) => ({ state: STATES.indexOf(state), signed }))))
    } catch (e) {
      if (!(e instanceof StorageError)) throw e
      this.#d.log.warn('wallet', `other tabs are not told what this one has signed: ${e.message}`)
    }
  }
}

const isFailed = (state: State): state is UnsentView['why'] => FAILED.has(state)
const copyOf = (book: Book): Book => new Map([...book].map(([id, e]) => [id, { ...e }]))
const fingerprint = (book: Book): string => [...book].map(([id, { state }]) => `${id} ${state}`).join()

/** The oldest that is settled goes first, then the oldest that failed. */
function trim (book: Book): void {
  for (const goes of [(s: State) => s === 'mined' || s === 'closed', isFailed, () => true]) {
    for (const [id, { state }] of book) {
      if (book.size <= SIGNED_KEPT) return
      if (goes(state)) book.delete(id)
    }
  }
}
