/**
 * Makes new inputs of old ones, in one buffer: nothing is allocated per input. Besides bits and
 * bytes it changes what formats hang on: little-endian lengths and offsets, digits, tokens of the
 * target's dictionary, runs, the joint of two inputs.
 * Source of the list of mutations: AFL's havoc stage and libFuzzer's MutationDispatcher.
 */
import type { Rng } from './random.ts'

export interface MutatorOptions {
  /** Bytes of an input at most. */
  readonly max: number
  /** Words of the format, spliced in whole. */
  readonly dictionary?: readonly Uint8Array[]
}

const INTERESTING = [0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 100, 127, 128, 255, 256, 512, 1023, 1024, 4095, 4096, 32767, 32768, 65535, 65536, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff]

export class Mutator {
  readonly #rng: Rng
  readonly #max: number
  readonly #dictionary: readonly Uint8Array[]
  readonly #buffer: Uint8Array
  #length = 0

  constructor (rng: Rng, { max, dictionary = [] }: MutatorOptions) {
    this.#rng = rng
    this.#max = max
    this.#dictionary = dictionary
    this.#buffer = new Uint8Array(max)
  }

  /** An input made from `from`, perhaps with pieces of `pool`. It is valid until the next call. */
  mutate (from: Uint8Array, pool: readonly Uint8Array[]): Uint8Array {
    const rng = this.#rng
    this.#length = Math.min(from.length, this.#max)
    this.#buffer.set(this.#length === from.length ? from : from.subarray(0, this.#length))
    // Mostly few changes: an input with many is refused by the first rule it breaks.
    for (let n = 1 + (rng.u32() & rng.u32() & 7); n > 0; n--) this.#change(pool)
    return this.#buffer.subarray(0, this.#length)
  }

  #change (pool: readonly Uint8Array[]): void {
    const rng = this.#rng
    const b = this.#buffer
    const length = this.#length
    const kind = length === 0 ? 9 : rng.below(this.#dictionary.length > 0 ? 17 : 13)
    switch (kind) {
      case 0: b[rng.below(length)] ^= 1 << rng.below(8); break
      case 1: b[rng.below(length)] = rng.byte(); break
      case 2: b[rng.below(length)] += 1 + rng.below(4); break
      case 3: b[rng.below(length)] -= 1 + rng.below(4); break
      case 4: this.#length = rng.below(length); break
      case 5: this.#length = length - Math.min(length, 1 + rng.below(4)); break
      case 6: this.#integer(rng.pick(INTERESTING)); break
      // What stands in offsets and lengths: sizes of this very input.
      case 7: this.#integer(rng.below(length + 8)); break
      case 8: this.#addToInteger(); break
      case 9: this.#insert(rng.below(length + 1), 1 + rng.below(8)); break
      case 10: this.#remove(); break
      case 11: this.#copyWithin(); break
      case 12: this.#splice(rng.pick(pool)); break
      case 13:
      case 14: this.#token(rng.pick(this.#dictionary), true); break
      case 15: this.#token(rng.pick(this.#dictionary), false); break
      case 16: b[rng.below(length)] = 0x30 + rng.below(10); break
    }
  }

  /** Overwrites one, two or four bytes, at any place and, half of the time, at one a multiple of four. */
  #integer (value: number): void {
    const rng = this.#rng
    const size = Math.min(1 << rng.below(3), this.#length)
    let at = rng.below(this.#length - size + 1)
    if ((rng.u32() & 1) === 0) at -= at % 4
    for (let i = 0; i < size; i++) this.#buffer[at + i] = value >>> (8 * i)
  }

  #addToInteger (): void {
    const rng = this.#rng
    if (this.#length < 4) return
    const at = rng.below(this.#length - 3)
    const b = this.#buffer
    const value = (b[at] | (b[at + 1] << 8) | (b[at + 2] << 16) | (b[at + 3] << 24)) + rng.below(129) - 64
    for (let i = 0; i < 4; i++) b[at + i] = value >>> (8 * i)
  }

  #insert (at: number, count: number): boolean {
    if (this.#length + count > this.#max) return false
    const b = this.#buffer
    b.copyWithin(at + count, at, this.#length)
    this.#length += count
    const fill = this.#rng.below(3)
    for (let i = 0; i < count; i++) b[at + i] = fill === 0 ? 0 : fill === 1 ? this.#rng.byte() : b[Math.max(0, at - 1)]
    return true
  }

  #remove (): void {
    const at = this.#rng.below(this.#length)
    const count = Math.min(this.#length - at, 1 + this.#rng.below(16))
    this.#buffer.copyWithin(at, at + count, this.#length)
    this.#length -= count
  }

  /** A piece of the input a second time, over what was there or between it. */
  #copyWithin (): void {
    const rng = this.#rng
    const from = rng.below(this.#length)
    const count = Math.min(this.#length - from, 1 + rng.below(64))
    const to = rng.below(this.#length)
    if ((rng.u32() & 1) === 0) {
      this.#buffer.copyWithin(to, from, Math.min(from + count, from + this.#length - to))
      return
    }
    const piece = this.#buffer.slice(from, from + count)
    if (this.#insert(to, count)) this.#buffer.set(piece, to)
  }

  /** The beginning of this one and the end of another. */
  #splice (other: Uint8Array): void {
    const rng = this.#rng
    const at = rng.below(this.#length + 1)
    // Aligned half of the time: fields of fixed size then meet fields of the same kind.
    const from = (rng.u32() & 1) === 0 ? Math.min(at, other.length) : rng.below(other.length + 1)
    const count = Math.min(other.length - from, this.#max - at)
    this.#buffer.set(other.subarray(from, from + count), at)
    this.#length = at + count
  }

  #token (token: Uint8Array, between: boolean): void {
    const at = this.#rng.below(this.#length + 1)
    if (between) {
      if (this.#insert(at, token.length)) this.#buffer.set(token, at)
    } else if (at + token.length <= this.#max) {
      this.#buffer.set(token, at)
      this.#length = Math.max(this.#length, at + token.length)
    }
  }
}
