/**
 * Which part of the main chain this node has only been told of: blocks whose rules and ledger were checked and whose
 * work was not redone. They are believed for a while, under a chain whose newest blocks are redone for good. What was
 * proved so is on probation at first (probation.ts); what is told above it meanwhile is on trust by itself.
 */
import type { Clock } from '../ports/clock.ts'
import type { Chain } from './chain.ts'
import type { BlockRecord } from './parts.ts'

/** Whoever is met while so many times the peers are looked at may still show a chain that weighs more: the first ones need not be the best. A minute of a tab that is awake. */
export const PROBATION_POLLS = 15

/** So many more are waited for what is being weighed. */
const OVERDUE_POLLS = 45
/** And so many where somebody has his first turn: whoever comes while others are looked at has a look of his own, and one takes twelve minutes at most (weigh.ts). */
const OVERDUE_FIRST_POLLS = 330

export interface Told { readonly hash: Uint8Array, readonly height: number, readonly since: number }

export class Trust {
  readonly #chain: Pick<Chain, 'head' | 'at' | 'isMain' | 'hold'>
  readonly #clock: Pick<Clock, 'now'>
  readonly #window: number
  readonly #polls: number
  /** Lowest block of the main chain that was taken on trust since the last chain that was proved. */
  #first: Told | undefined
  /** Lowest block of what was proved and is not settled. */
  #proved: Told | undefined
  /** Looks at the peers until it may be. */
  #pollsLeft = 0
  /** Trusted chains in a row that were not proved in time, and until when none is taken after them. */
  #slow = 0
  #restUntil = 0

  /** `window`: blocks at the end of a chain that prove it once they are redone. */
  constructor (chain: Pick<Chain, 'head' | 'at' | 'isMain' | 'hold'>, clock: Pick<Clock, 'now'>, window: number, polls: number = PROBATION_POLLS) {
    this.#chain = chain
    this.#clock = clock
    this.#window = window
    this.#polls = polls
  }

  get first (): Told | undefined { return this.#first }
  /** Lowest block of what is on probation. */
  get proved (): Told | undefined { return this.#isMain(this.#proved) ? this.#proved : undefined }
  get restUntil (): number { return this.#restUntil }
  get resting (): boolean { return this.#clock.now() < this.#restUntil }
  unproved (): boolean { return this.#isMain(this.#first) }

  /** A block was taken. `since`: when its chain was first followed, ms. */
  took (hash: Uint8Array, height: number, since: number): void { if (this.#first === undefined) this.#set({ hash, height, since }, this.#proved) }

  forget (): void { if (this.#first !== undefined) this.#set(undefined, this.#proved) }

  /** Its newest blocks are redone. */
  get ripe (): boolean {
    if (this.#first === undefined || !this.unproved()) return false
    const head = this.#chain.head().height
    for (let height = head; height > head - this.#window; height--) if (height < this.#first.height || !this.#redone(height)) return false
    return true
  }

  /** It is ripe. */
  prove (): void {
    this.#slow = 0
    if (this.unproved()) {
      this.#pollsLeft = this.#polls
      this.#set(undefined, this.proved ?? this.#first)
    } else this.forget()
  }

  /** The peers were looked at. */
  poll (): void { this.#pollsLeft-- }
  get isDue (): boolean { return this.#proved !== undefined && (this.#pollsLeft <= 0 || this.proved === undefined) }
  /** Whatever is being weighed: that must not go on for ever. */
  isOverdue (isFirst: boolean): boolean { return this.#proved !== undefined && this.#pollsLeft <= -(isFirst ? OVERDUE_FIRST_POLLS : OVERDUE_POLLS) }

  settle (): void { this.#set(this.#first, undefined) }

  /** What stays of what was proved, where its newest blocks are left for others. */
  doubt (): void {
    const { proved } = this
    this.#set(proved === undefined ? undefined : { ...proved, since: this.#clock.now() }, undefined)
  }

  /** After a restart: whether what was proved had been weighed as well is not known, and what was not proved is on trust again. */
  resume (): void {
    let told: BlockRecord | undefined
    for (let height = this.#chain.head().height, r = this.#chain.at(height); r !== undefined; r = this.#chain.at(--height)) if (r.checked === 'ledger') told = r
    if (told === undefined) return
    this.took(told.meta.hash, told.meta.height, this.#clock.now())
    if (this.ripe) this.prove()
  }

  /** What may turn out to be wrong can be left again: nothing of it is settled. */
  #set (first: Told | undefined, proved: Told | undefined): void {
    this.#first = first
    this.#proved = proved
    this.#chain.hold((this.proved ?? first)?.hash)
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
    if (told !== undefined && height > this.#first.height) this.#set({ hash: told.meta.hash, height, since }, this.#proved)
  }

  /** It was not proved in time. After the first such chain others are tried at once; from the second on this node works as long as the last one has kept it from working. */
  failed (): void {
    const now = this.#clock.now()
    if (this.#slow++ > 0 && this.#first !== undefined) this.#restUntil = now + now - this.#first.since
  }

  #isMain (told: Told | undefined): boolean { return told !== undefined && this.#chain.isMain(told.hash) }

  #redone (height: number): boolean {
    const record = this.#chain.at(height)
    return record !== undefined && record.checked !== 'ledger'
  }
}
