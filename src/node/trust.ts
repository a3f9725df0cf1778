/**
 * Which part of the main chain this node has only been told of: blocks whose rules and ledger were checked and whose
 * work was not redone. They are believed for a while, under a chain whose newest blocks are redone for good.
 */
import type { Clock } from '../ports/clock.ts'
import type { Chain } from './chain.ts'

interface Told { readonly hash: Uint8Array, readonly height: number, readonly since: number }

export class Trust {
  readonly #chain: Pick<Chain, 'head' | 'at' | 'isMain'>
  readonly #clock: Pick<Clock, 'now'>
  readonly #window: number
  /** Lowest block of the main chain that was taken on trust since the last chain that was proved. */
  #first: Told | undefined
  /** Trusted chains in a row that were not proved in time, and until when none is taken after them. */
  #slow = 0
  #restUntil = 0

  /** `window`: blocks at the end of a chain that prove it once they are redone. */
  constructor (chain: Pick<Chain, 'head' | 'at' | 'isMain'>, clock: Pick<Clock, 'now'>, window: number) {
    this.#chain = chain
    this.#clock = clock
    this.#window = window
  }

  get first (): Told | undefined { return this.#first }
  get restUntil (): number { return this.#restUntil }
  get resting (): boolean { return this.#clock.now() < this.#restUntil }
  unproved (): boolean { return this.#first !== undefined && this.#chain.isMain(this.#first.hash) }

  /** A block was taken. `since`: when its chain was first followed, ms. */
  took (hash: Uint8Array, height: number, since: number): void { this.#first ??= { hash, height, since } }

  forget (): void { this.#first = undefined }

  /** Its newest blocks are redone. */
  proved (): void {
    this.#first = undefined
    this.#slow = 0
  }

  /** What was redone since, whoever asked for it, is not on trust any more: the part that is begins above it, or there is none. */
  reconsider (): void {
    if (this.#first === undefined || !this.unproved()) return
    const { since } = this.#first
    const head = this.#chain.head().height
    let { height } = this.#first
    let newest = head
    while (newest >= height && newest > head - this.#window && this.#redone(newest)) newest--
    if (newest <= head - this.#window) return this.proved()
    // Too few to prove a chain that others may stand on, but none of them is on trust.
    if (newest < height) return this.forget()
    while (this.#redone(height)) height++
    const told = this.#chain.at(height)
    if (told !== undefined) this.#first = { hash: told.meta.hash, height, since }
  }

  /** It was not proved in time. After the first such chain others are tried at once; from the second on this node works as long as the last one has kept it from working. */
  failed (): void {
    const now = this.#clock.now()
    if (this.#slow++ > 0 && this.#first !== undefined) this.#restUntil = now + now - this.#first.since
  }

  #redone (height: number): boolean {
    const record = this.#chain.at(height)
    return record !== undefined && record.checked !== 'ledger'
  }
}
