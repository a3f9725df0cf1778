/**
 * What this profile's wallet has signed, and what became of it. All tabs of the profile read and write
 * one record of it, each in its turn (ports/purse.ts), so that no two of them sign with one nonce, and so
 * that what a tab has called sent and no block will have is shown by all, to be sent again once.
 *
 * Who signs writes it down before anybody hears of it. What became of it is judged by the chain alone,
 * and only by a tab that is in step with the network and no lower than whoever judged before it: the
 * ledger of a tab that has to catch up says nothing about the network's. But what waits or is unseen, and is
 * in a block of its chain, any tab notes as mined: later that block may be older than what it keeps.
 *
 *   waiting, mined -> mined where the chain has it, waiting where it does not and the nonce is free
 *                  -> ahead   another transaction has its nonce, in a block that may still be lost
 *                  -> stuck   the nonce is free, and the rules do not let it happen now, or the credits are missing
 *                  -> unseen  its nonce was used in a block that is not here
 *   ahead, stuck   -> taken, same, void   when they were that for `maturity` blocks; no tab hands these on any more.
 *                     same: what has its nonce does the same
 *   void           -> taken, same, unseen where its nonce is used in the end
 *   taken, void    -> closed when the user has sent it again; all failed ones when he has let them go, or where they are no matter of his
 */
import type { Outcome, UnsentView } from '../bridge/api.ts'
import { formatAddress } from '../core/codec/address.ts'
import { equalBytes, toHex } from '../core/codec/ssz.ts'
import { ACTION_CANCEL_JOB, ACTION_POST_JOB, ACTION_TRANSFER, type SignedTransaction, Transaction } from '../core/codec/wire.ts'
import { chainId } from '../core/consensus/chain.ts'
import { transactionId } from '../core/crypto/ids.ts'
import { account } from '../core/ledger/state.ts'
import type { ChainParams } from '../core/params.ts'
import type { Clock } from '../ports/clock.ts'
import type { Purse } from '../ports/purse.ts'
import { StorageError } from '../ports/storage.ts'
import type { Mempool } from './mempool.ts'
import type { BlockRecord, ChainService, Hex, Log } from './parts.ts'
import { type Book, copyOf, decodeBook, emptyBook, encodeBook, type Entry, fingerprint, idOf, type State } from './purseRecord.ts'
import { spending } from './views.ts'

/** What other tabs have written is looked at with the next block, but not with every one of thousands. */
export const LOOK_MS = 2_000
/** A judge was higher than this tab is: so long after, the network is where this tab is, and its chain was given up. */
export const JUDGED_MS = 60 * 60_000

/** What a person did. The rest this node does by itself, and will do again. */
const BY_HAND: ReadonlyMap<number, UnsentView['kind']> = new Map([[ACTION_TRANSFER, 'transfer'], [ACTION_POST_JOB, 'job'], [ACTION_CANCEL_JOB, 'cancellation']])
/** No tab hands these on any more. */
const GIVEN_UP: ReadonlySet<State> = new Set<State>(['closed', 'taken', 'same', 'void'])
/** Why the log says that one was not sent, or that it is not known. */
const WORDS: Partial<Readonly<Record<State, string>>> = {
  taken: 'was called sent and is not: another transaction of this wallet has its place',
  same: 'was called sent and is not: another transaction of this wallet, which does the same, has its place',
  void: 'was called sent and is not: the rules do not let it happen any more',
  unseen: 'was called sent, and its place was used in a block that this tab does not have: whether it was this one is not known'
}

/** Makes one with this nonce, which the pool will take. */
export type Make = (nonce: number, again?: SignedTransaction) => Promise<Outcome<SignedTransaction>>

export interface SpendingDeps {
  readonly purse: Purse
  readonly account: Uint8Array
  readonly params: Pick<ChainParams, 'maturity'>
  readonly chain: Pick<ChainService, 'head' | 'at' | 'on'>
  readonly pool: Pick<Mempool, 'pending' | 'add' | 'resume' | 'withdraw' | 'lacks' | 'onVoid'>
  /** Whether the height here is the network's, as far as this node knows. */
  readonly inStep: () => boolean
  readonly clock: Pick<Clock, 'now'>
  readonly log: Log
  /** One of this wallet that no tab of this profile has signed is in a block instead of one that was; once for each. */
  readonly onForeign?: () => void
}

const refuse = (message: string): Outcome<never> => ({ ok: false, errors: [{ field: 'form', message }] })
const nonceOf = ({ signed }: Entry): number => signed.transaction.nonce
const doSame = (a: SignedTransaction, b: SignedTransaction): boolean => {
  const bytes = ({ transaction: t }: SignedTransaction): Uint8Array => Transaction.serialize({ ...t, nonce: 0, fee: 0n })
  return equalBytes(bytes(a), bytes(b))
}

/** What is to be said of a judgement once it is written down. */
interface Said { readonly lines: string[], foreign: boolean }

export class Spending {
  readonly #d: SpendingDeps
  /** As it was read last. */
  #book: Book = emptyBook()
  /** Dropped by the pool since the last look. */
  readonly #voided = new Set<Hex>()
  /** Found in blocks since the last look, and the heights of those. */
  readonly #seen = new Map<Hex, number>()
  #looking: Promise<void> | undefined
  /** Turns begun and ended: what was read outside of them may be older than what they left. */
  #turns = 0
  #again = false
  /** What was wrong with the record when it was read last. */
  #damaged: string | undefined
  /** What was read last, if it was whole: at most turns nothing has been written since. */
  #known: { readonly bytes: Uint8Array, readonly book: Book } | undefined
  #lookedAt = -Infinity

  constructor (d: SpendingDeps) { this.#d = d }

  /** After the pool: what waits in the purse goes on from whichever tab is open. */
  start (): () => void {
    const { chain, pool } = this.#d
    const offs = [
      pool.onVoid(signed => { this.#voided.add(idOf(signed)); this.#look() }),
      chain.on('head', ({ removed, added }) => {
        const [lost, found] = [removed, added].map(blocks => blocks.flatMap(b => this.#ownIn(b).map(t => [idOf(t), b.meta.height] as const)))
        for (const [id] of lost) this.#seen.delete(id)
        for (const [id, at] of found) this.#seen.set(id, at)
        const since = this.#d.clock.now() - this.#lookedAt
        // A clock may be set back.
        if (lost.length + found.length > 0 || since < 0 || since >= LOOK_MS) this.#look()
      })
    ]
    this.#look()
    return () => { for (const off of offs) off() }
  }

  /** When what is known so far is settled. */
  async idle (): Promise<void> { while (this.#looking !== undefined) await this.#looking }

  /**
   * The first free one: where an earlier one was dropped, what waits behind it waits for this. Which are
   * free a tab that has to catch up cannot know: it takes the one above all that the profile has used.
   */
  nextNonce (book: Book = this.#book): number {
    const { chain, pool, account: key } = this.#d
    const used = new Set(pool.pending(key).map(tx => tx.transaction.nonce))
    let { nonce } = account(chain.head().ledger, key)
    if (!this.#mayJudge(book)) nonce = Math.max(nonce, book.next)
    else for (const [id, e] of book.entries) if ((e.state === 'waiting' && !this.#voided.has(id)) || e.state === 'mined') used.add(nonceOf(e))
    while (used.has(nonce)) nonce++
    return nonce
  }

  /** What was not sent, and what waits to be known. Oldest first. */
  unsent (): UnsentView[] {
    const { chain, params: { maturity } } = this.#d
    const missing = this.#missing()
    return [...this.#book.entries].flatMap(([id, { state, at, signed }]): UnsentView[] => {
      const { action, fee, nonce } = signed.transaction
      const kind = BY_HAND.get(action.selector)
      const why = state === 'waiting' && nonce > missing ? 'gap' : state
      if (kind === undefined || why === 'waiting' || why === 'mined' || why === 'closed') return []
      const to = action.value !== null && 'to' in action.value ? formatAddress(action.value.to) : undefined
      const blocks = state === 'ahead' || state === 'stuck' ? Math.min(maturity, Math.max(1, at + maturity - chain.head().height)) : undefined
      return [{ id, kind, why, blocks, to, amount: spending(signed) - fee, fee }]
    })
  }

  /** The first nonce that nothing which can happen now has: no block can have what waits behind it. A tab that has to catch up cannot know. */
  #missing (): number {
    const { chain, pool, account: key } = this.#d
    const { entries } = this.#book
    if (!this.#mayJudge(this.#book)) return Infinity
    const there = new Set(pool.pending(key).filter(t => entries.get(idOf(t))?.state !== 'stuck').map(t => t.transaction.nonce))
    for (const e of entries.values()) if (e.state === 'waiting' || e.state === 'mined') there.add(nonceOf(e))
    let { nonce } = account(chain.head().ledger, key)
    while (there.has(nonce)) nonce++
    return nonce
  }

  /** Signs in a turn. `again`: in place of this one, which was not sent; once, whichever tab is asked. Once it is written down, it is sent. */
  async sign (make: Make, again?: Hex): Promise<Outcome<SignedTransaction>> {
    const { log, pool } = this.#d
    try {
      const turn = await this.#turn(async book => {
        const old = again === undefined ? undefined : book.entries.get(again)
        const nonce = this.nextNonce(book)
        const why = again === undefined ? undefined : this.#notAgain(book, old, nonce)
        if (why !== undefined) return refuse(why)
        const made = await make(nonce, old?.signed)
        if (!made.ok) return made
        const mayJudge = this.#mayJudge(book)
        if (old !== undefined) old.state = 'closed'
        book.entries.set(idOf(made.value), { state: 'waiting', at: 0, signed: made.value })
        book.next = Math.max(book.next, made.value.transaction.nonce + 1)
        // A tab that is lower than this would find fault with what stands on this ledger.
        if (mayJudge) this.#judgedNow(book)
        return made
      }, async made => {
        if (!made.ok) return
        try {
          const refused = await pool.add(made.value)
          if (refused !== undefined) log.warn('wallet', `${idOf(made.value).slice(0, 8)} is to wait: ${refused.reason}, ${refused.detail}`)
        } catch (e) {
          // It is signed and written down: from here on all tabs see to it.
          log.error('wallet', e instanceof Error ? e.stack ?? e.message : String(e))
        }
      })
      return turn?.value ?? refuse('another tab of this browser is sending and does not come to an end; try again, or close it')
    } catch (e) {
      if (!(e instanceof StorageError)) throw e
      log.warn('wallet', `nothing is sent: what the tabs of this browser have signed cannot be read or written: ${e.message}`)
      return refuse(`nothing was sent, for this browser cannot keep what is sent: ${e.message}`)
    }
  }

  /** The user has seen that it was not sent. Throws StorageError. */
  async forget (id: Hex): Promise<void> {
    await this.#turn(async book => {
      const entry = book.entries.get(id)
      if (entry !== undefined && (GIVEN_UP.has(entry.state) || entry.state === 'unseen')) entry.state = 'closed'
    })
  }

  /** Why this one cannot be sent again. */
  #notAgain (book: Book, old: Entry | undefined, next: number): string | undefined {
    const { chain, account: key, params: { maturity } } = this.#d
    if (old === undefined || (old.state !== 'taken' && old.state !== 'void')) return 'it is not among what was not sent any more'
    if (!this.#mayJudge(book)) return 'this tab is not in step with the network: try again when it is'
    const { nonce } = account(chain.head().ledger, key)
    // With the same nonce only one of the two can ever happen. With another one both could, unless the first one's is used for good.
    if (nonceOf(old) >= nonce) return nonceOf(old) === next ? undefined : 'another transaction of this wallet is on its way and has to be in a block first'
    const by = this.#userOf(nonceOf(old))
    if (by !== undefined && chain.head().height - by.at < maturity) return `another transaction of this wallet took its place just now: try again in ${by.at + maturity - chain.head().height} blocks`
    return undefined
  }

  #mayJudge ({ judged, judgedAt }: Book): boolean {
    const { chain, clock, inStep } = this.#d
    return inStep() && (chain.head().height >= judged || Math.abs(clock.now() - judgedAt) >= JUDGED_MS)
  }

  #judgedNow (book: Book): void {
    book.judged = this.#d.chain.head().height
    book.judgedAt = this.#d.clock.now()
  }

  #look (): void {
    this.#again = true
    this.#looking ??= this.#lookAll().finally(() => { this.#looking = undefined })
  }

  async #lookAll (): Promise<void> {
    const { clock, log } = this.#d
    while (this.#again) {
      this.#again = false
      this.#lookedAt = clock.now()
      try {
        const turns = this.#turns
        const seen = [...this.#seen]
        const read = await this.#read()
        if (turns === this.#turns) this.#book = read
        const draft = copyOf(this.#book)
        await this.#resume(draft)
        // A turn is asked for where there is something to write, which is rare.
        await this.#judge(draft)
        const isKept = fingerprint(draft) === fingerprint(this.#book) || await this.#turn(async () => {}) !== undefined
        this.#voided.clear()
        if (isKept) for (const [id, at] of seen) if (this.#seen.get(id) === at) this.#seen.delete(id)
      } catch (e) {
        if (e instanceof StorageError) log.warn('wallet', `what the tabs of this browser have signed cannot be read or written: ${e.message}`)
        else log.error('wallet', e instanceof Error ? e.stack ?? e.message : String(e))
      }
    }
  }

  /** What others have signed waits here, too: their tabs may be closed. What was given up, or sent again, waits nowhere. */
  async #resume (book: Book): Promise<void> {
    const { chain, pool, account: key } = this.#d
    const { entries } = book
    this.#withdraw(book)
    const here = new Set(pool.pending(key).map(idOf))
    const { nonce } = account(chain.head().ledger, key)
    for (const [id, e] of byNonce(entries)) if (e.state === 'waiting' && nonceOf(e) >= nonce && !here.has(id)) await pool.resume(e.signed)
  }

  #withdraw ({ entries }: Book): void { this.#d.pool.withdraw([...entries].flatMap(([id, { state }]) => GIVEN_UP.has(state) ? [id] : [])) }

  /** Brings the book to what the chain here says, if that is the network's. */
  async #judge (book: Book, said: Said = { lines: [], foreign: false }): Promise<void> {
    const before = copyOf(book)
    const { nonce } = account(this.#d.chain.head().ledger, this.#d.account)
    const open = byNonce(book.entries).filter(([, e]) => e.state !== 'closed')
    for (const [id, e] of open) if (nonceOf(e) < nonce && (e.state === 'waiting' || e.state === 'unseen')) this.#noteMined(id, e)
    if (!this.#mayJudge(book)) return
    for (const [id, e] of open) if (nonceOf(e) < nonce) this.#judgeUsed(book, id, e, said)
    for (const [id, e] of open) if (nonceOf(e) >= nonce && !GIVEN_UP.has(e.state)) await this.#judgeFree(book, id, e)
    for (const [id, e] of open) {
      const name = BY_HAND.get(e.signed.transaction.action.selector)
      const words = e.state === before.entries.get(id)!.state ? undefined : WORDS[e.state]
      if (words !== undefined && name !== undefined) said.lines.push(`${name} ${id.slice(0, 8)} ${words}`)
      if (name === undefined && (GIVEN_UP.has(e.state) || e.state === 'unseen')) e.state = 'closed'
    }
    if (fingerprint(before) !== fingerprint(book)) this.#judgedNow(book)
  }

  /** That it is in a block here is known without a judge. Should that block be lost, a judge finds out. */
  #noteMined (id: Hex, e: Entry): void {
    let at = this.#seen.get(id)
    if (at === undefined) {
      const by = this.#userOf(nonceOf(e))
      if (by !== undefined && idOf(by.signed) === id) at = by.at
    }
    if (at === undefined) return
    e.state = 'mined'
    e.at = at
  }

  /** What became of one whose nonce is used: the chain says it, also where no tab was there when it came about. */
  #judgeUsed (book: Book, id: Hex, e: Entry, said: Said): void {
    const { chain, params: { maturity } } = this.#d
    const { height } = chain.head()
    if (e.state === 'mined' && e.at <= height) {
      const block = chain.at(e.at)
      if (block === undefined || this.#ownIn(block).some(t => idOf(t) === id)) return
    }
    const by = this.#userOf(nonceOf(e))
    const become = (state: State, at: number): void => { e.state = state; e.at = at }
    if (by !== undefined && idOf(by.signed) === id) become('mined', by.at)
    // What was void may be mined after all where the rules have come to let it: that its nonce is used does not say by whom.
    else if (GIVEN_UP.has(e.state) && e.state !== 'void') return
    else if (by === undefined) {
      // Whoever has seen the block that is ahead of it will say more, if it is open.
      if (e.state !== 'unseen' && !(e.state === 'ahead' && height - e.at < maturity)) become('unseen', height)
    } else {
      const isDeep = height - by.at >= maturity
      if (isDeep) become(doSame(by.signed, e.signed) ? 'same' : 'taken', by.at)
      else if (e.state !== 'void') become('ahead', by.at)
      const other = transactionId(by.signed.transaction)
      if (book.entries.has(toHex(other)) || book.foreign.some(f => equalBytes(f, other))) return
      book.foreign.push(other)
      said.foreign = true
    }
  }

  /** One whose nonce is free waits, unless the rules are against it, or it cannot be paid. */
  async #judgeFree ({ entries }: Book, id: Hex, e: Entry): Promise<void> {
    const { chain, pool, account: key, params: { maturity } } = this.#d
    const isReplaced = [...entries].some(([other, o]) => other !== id && nonceOf(o) === nonceOf(e) && (o.state === 'waiting' || o.state === 'mined'))
    const isHere = pool.pending(key).some(t => idOf(t) === id)
    const isTaken = isHere || (!isReplaced && (await pool.resume(e.signed))?.verdict !== 'invalid')
    if (isTaken && !pool.lacks(e.signed)) {
      e.state = 'waiting'
      e.at = 0
      return
    }
    const { height } = chain.head()
    if (e.state !== 'stuck') e.at = height
    e.state = height - e.at < maturity ? 'stuck' : 'void'
  }

  #ownIn ({ body }: BlockRecord): SignedTransaction[] { return body.transactions.filter(t => equalBytes(t.transaction.from, this.#d.account)) }

  /** The one that has used this nonce, and the height of its block, if that is here. */
  #userOf (nonce: number): { readonly signed: SignedTransaction, readonly at: number } | undefined {
    const { chain } = this.#d
    for (let at = chain.head().height, r = chain.at(at); r !== undefined; r = chain.at(--at)) {
      const signed = this.#ownIn(r).find(t => t.transaction.nonce === nonce)
      if (signed !== undefined) return { signed, at }
    }
    return undefined
  }

  /** What it leaves is on disk before `written` is called. Throws StorageError where it cannot be read or written; nothing has changed then. */
  async #turn<T> (work: (book: Book) => Promise<T>, written: (value: T) => Promise<void> = async () => {}): Promise<{ readonly value: T } | undefined> {
    const { chain, log, onForeign, purse } = this.#d
    return await purse.inTurn(async () => {
      this.#turns++
      try {
        const book = await this.#read()
        const before = fingerprint(book)
        const said: Said = { lines: [], foreign: false }
        await this.#resume(book)
        await this.#judge(book, said)
        // What was given up just now keeps no nonce.
        this.#withdraw(book)
        const value = await work(book)
        if (fingerprint(book) !== before) await purse.write(encodeBook(book, chainId(chain.head())))
        this.#book = book
        for (const line of said.lines) log.warn('wallet', line)
        if (said.foreign) onForeign?.()
        await written(value)
        return value
      } finally {
        this.#turns++
      }
    })
  }

  async #read (): Promise<Book> {
    const { purse, log, chain, account: key } = this.#d
    const bytes = await purse.read()
    if (bytes !== undefined && this.#known !== undefined && equalBytes(bytes, this.#known.bytes)) return copyOf(this.#known.book)
    const { book, damaged } = decodeBook(bytes, chainId(chain.head()), key)
    this.#known = bytes === undefined || damaged !== undefined ? undefined : { bytes, book: copyOf(book) }
    // It stays so until there is something to write.
    if (damaged !== undefined && damaged !== this.#damaged) log.warn('wallet', `what other tabs have signed is damaged: ${damaged}`)
    this.#damaged = damaged
    return book
  }
}

const byNonce = (entries: ReadonlyMap<Hex, Entry>): Array<[Hex, Entry]> => [...entries].sort((a, b) => nonceOf(a[1]) - nonceOf(b[1]))
