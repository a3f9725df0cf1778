/**
 * Pseudo-random numbers of the fuzzer: one 32-bit seed, no allocation per draw.
 * Source: Bob Jenkins / Chris Doty-Humphrey, sfc32 (PractRand).
 */
export class Rng {
  #a: number
  #b: number
  #c: number
  #count = 1

  constructor (seed: number) {
    this.#a = seed | 0
    this.#b = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) | 0
    this.#c = 0x2545f491
    for (let i = 0; i < 12; i++) this.u32()
  }

  u32 (): number {
    const t = (this.#a + this.#b + this.#count) | 0
    this.#count = (this.#count + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + t | 0
    return t >>> 0
  }

  /** 0 .. n - 1; the bias of 2^-32 n does not matter here. */
  below (n: number): number { return Math.floor(this.u32() / 0x100000000 * n) }

  byte (): number { return this.u32() >>> 24 }

  pick<T> (list: ArrayLike<T>): T { return list[this.below(list.length)] }

  bytes (n: number): Uint8Array { return Uint8Array.from({ length: n }, () => this.byte()) }
}

/** FNV-1a: another stream per name from one seed. */
export function seedOf (seed: number, name: string): number {
  let h = (0x811c9dc5 ^ seed) >>> 0
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193) >>> 0
  return h
}
