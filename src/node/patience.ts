/**
 * How long a promise of a heavier chain is believed. Headers can be forged for the price of hashing,
 * so only work that was redone here counts as proof, and what has not been proved may take only so
 * much of a node's time: a peer that hands out a chain slowly must not keep a tab from mining.
 */
import type { Clock } from '../ports/clock.ts'

/** A followed chain has this long until the first of its blocks has been redone here. */
export const PROVE_MS = 60_000
/** More for every block whose header it shows meanwhile: most of them are taken on trust. */
export const PROVE_BLOCK_MS = 20
/** However many they are, no longer than this in all. */
export const PROVE_LAST_MS = 10 * 60_000
/** Twice that for whom it was too short before. */
const LAST_FACTOR = 2
/** From each block that was redone to the next; a slice is a quarter of a second on the reference device. */
export const PROVE_NEXT_MS = 15_000

/** A node that could work waits this long for others who say they are ahead. */
export const PATIENCE_MS = 30_000
/** What a block that was redone is worth of it. */
export const PROOF_WORTH_MS = 3_000
/** Patience grows again by one in so many: never-ending promises take a fifth of the time at most. */
const REST_SHARE = 4

/** By when the chain being followed must have shown more work. `factor`: of the time for the first block, for peers that were too slow before. */
export class Due {
  readonly #clock: Pick<Clock, 'now'>
  readonly #last: number
  #until: number

  constructor (clock: Pick<Clock, 'now'>, factor: number) {
    this.#clock = clock
    this.#until = clock.now() + PROVE_MS * factor
    this.#last = clock.now() + PROVE_LAST_MS * Math.min(LAST_FACTOR, factor)
  }

  shown (headers: number): void { this.#until = Math.min(this.#last, this.#until + headers * PROVE_BLOCK_MS) }
  redone (): void { this.#until = Math.max(this.#until, this.#clock.now() + PROVE_NEXT_MS) }
  leftMs (): number { return Math.max(0, this.#until - this.#clock.now()) }
  over (): boolean { return this.leftMs() === 0 }
}

/** What is left of a node's patience. */
export class Patience {
  #leftMs = PATIENCE_MS

  /** `ms` have passed, waiting or not, and so many blocks were redone meanwhile. */
  pass (ms: number, waiting: boolean, redone: number): void {
    const change = (waiting ? -ms : ms / REST_SHARE) + redone * PROOF_WORTH_MS
    this.#leftMs = Math.min(PATIENCE_MS, Math.max(0, this.#leftMs + change))
  }

  get over (): boolean { return this.#leftMs === 0 }
}
