/**
 * Which part of the main chain this node has only been told of: blocks whose rules and ledger were checked and whose
 * work was not redone. They are believed for a while, under a chain whose newest blocks are redone for good.
 */
import type { Clock } from '../ports/clock.ts'
import type { Chain } from './chain.ts'
import type { BlockRecord } from './parts.ts'

/** Whoever is met so soon after a chain was proved may still show one that weighs more: the first peers need not be the best. */
export const PROBATION_MS = 60_000

export interface Told { readonly hash: Uint8Array, readonly height: number, readonly since: number }

export class Trust {
  readonly #chain: Pick<Chain, 'head' | 'at' | 'isMain' | 'hold'>
  readonly #clock: Pick<Clock, 'now'>
  readonly #window: number
  readonly #probationMs: number
  /** Lowest block of the main chain that was taken on trust since the last chain that was proved. */
  #first: Told | undefined
  /** Trusted chains in a row that were not proved in time, and until when none is taken after them. */
  #slow = 0
  #probationUntil: number | undefined
  #restUntil = 0

  /** `window`: blocks at the end of a chain that prove it once they are redone. */
  constructor (chain: Pick<Chain, 'head' | 'at' | 'isMain' | 'hold'>, clock: Pick<Clock, 'now'>, window: number, probationMs: number = PROBATION_MS) {
    this.#chain = chain
    this.#clock = clock
    this.#window = window
    this.#probationMs = probationMs
  }

  get first (): Told | undefined { return this.#first }
  /** Proved a moment ago: nothing is done with it that could not be undone. */
  get onProbation (): boolean { return this.#probationUntil !== undefined && this.#isMain() }
  get probationOver (): boolean { return this.#probationUntil !== undefined && (this.#clock.now() >= this.#probationUntil || !this.#isMain()) }
  get restUntil (): number { return this.#restUntil }
  get resting (): boolean { return this.#clock.now() < this.#restUntil }
  unproved (): boolean { return this.#probationUntil === undefined && this.#isMain() }

  /** A block was taken. `since`: when its chain was first followed, ms. */
  took (hash: Uint8Array, height: number, since: number): void {
    if (this.#first === undefined) this.#set({ hash, height, since })
    else if (this.onProbation) this.#set(this.#first)
  }

  forget (): void { if (this.#first !== undefined) this.#set(undefined) }

  /** Its newest blocks are redone: all that is left is to weigh it against what others show. */
  get ripe (): boolean {
    if (this.#first === undefined || !this.unproved()) return false
    const head = this.#chain.head().height
    for (let height = head; height > head - this.#window; height--) if (height < this.#first.height || !this.#redone(height)) return false
    return true
  }

  /** It is ripe, and nobody shows one that weighs more. */
  proved (): void {
    if (this.#isMain()) this.#probationUntil ??= this.#clock.now() + this.#probationMs
    else this.forget()
    this.#slow = 0
  }

  /** After a restart: whether what was proved had been weighed as well is not known. */
  resume (): void {
    let told: BlockRecord | undefined
    for (let height = this.#chain.head().height, r = this.#chain.at(height); r !== undefined; r = this.#chain.at(--height)) if (r.checked === 'ledger') told = r
    if (told === undefined) return
    this.took(told.meta.hash, told.meta.height, this.#clock.now())
    if (this.ripe) this.proved()
    else this.forget()
  }

  /** What may turn out to be wrong can be left again: nothing of it is settled. */
  #set (first: Told | undefined): void {
    this.#first = first
    this.#probationUntil = undefined
    this.#chain.hold(first?.hash)
  }

  /** What was redone since, whoever asked for it, is not on trust any more: the part that is begins above it, or there is none. */
  reconsider (): void {
    if (this.#first === undefined || !this.unproved() || this.ripe) return
    const { since } = this.#first
    const head = this.#chain.head().height
    let { height } = this.#first
    while (height <= head && this.#redone(height)) height++
    // Too few to prove a chain that others may stand on, but none of them is on trust.
    if (height > head) return this.forget()
    const told = this.#chain.at(height)
    if (told !== undefined && height > this.#first.height) this.#set({ hash: told.meta.hash, height, since })
  }

  /** It was not proved in time. After the first such chain others are tried at once; from the second on this node works as long as the last one has kept it from working. */
  failed (): void {
    const now = this.#clock.now()
    if (this.#slow++ > 0 && this.#first !== undefined) this.#restUntil = now + now - this.#first.since
  }

  #isMain (): boolean { return this.#first !== undefined && this.#chain.isMain(this.#first.hash) }

  #redone (height: number): boolean {
    const record = this.#chain.at(height)
    return record !== undefined && record.checked !== 'ledger'
  }
}
