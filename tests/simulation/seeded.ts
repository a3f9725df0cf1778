/** Randomness from one seed: as many independent streams as there are names for them. */
import { sha256 } from '@noble/hashes/sha2.js'
import { utf8ToBytes } from '@noble/hashes/utils.js'
import type { Random } from '../../src/ports/clock.ts'

/**
 * sfc32 (PractRand, public domain): passes its tests, 16 bytes of state, no multiplication. The state is kept as signed
 * numbers, for those are small integers to the engine: unsigned ones are made anew on the heap at every step.
 */
export class Seeded implements Random {
  readonly #name: string
  #a: number
  #b: number
  #c: number
  #d = 1

  constructor (seed: number | string, stream = '') {
    this.#name = `${seed}/${stream}`
    const view = new DataView(sha256(utf8ToBytes(this.#name)).buffer)
    this.#a = view.getInt32(0)
    this.#b = view.getInt32(4)
    this.#c = view.getInt32(8)
    for (let i = 0; i < 12; i++) this.u32()
  }

  /** Another stream, which drawing from this one does not move. */
  stream (name: string): Seeded { return new Seeded(this.#name, name) }

  u32 (): number {
    const t = (this.#a + this.#b + this.#d) | 0
    this.#d = (this.#d + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + t | 0
    return t >>> 0
  }

  /** [0, 1) */
  uniform (): number { return this.u32() / 4294967296 }

  between (from: number, to: number): number { return from + this.uniform() * (to - from) }

  /** 0 .. n-1 */
  below (n: number): number { return Math.floor(this.uniform() * n) }

  chance (p: number): boolean { return this.uniform() < p }

  pick<T> (from: readonly T[]): T { return from[this.below(from.length)] }

  /** Mean `mean`. */
  exponential (mean: number): number { return -Math.log(1 - this.uniform()) * mean }

  /** The logarithm is normal: median `median`, and `spread` its standard deviation. */
  logNormal (median: number, spread: number): number {
    const normal = Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform())
    return median * Math.exp(spread * normal)
  }

  shuffle<T> (items: readonly T[]): T[] {
    const out = [...items]
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      ;[out[i], out[j]] = [out[j], out[i]]
    }
    return out
  }

  bytes (n: number): Uint8Array {
    const out = new Uint8Array(n)
    for (let i = 0; i < n; i++) out[i] = this.u32() >>> 24
    return out
  }
}
