/**
 * The pieces a peer says it has. It answers in one look whether they are all: WebTorrent, which asks that of the
 * pieces of each peer that says to have one more, would look at every piece each time.
 */
import { MAX_PIECES } from '../../core/torrent/metainfo.ts'
import type { Bits } from './webtorrentTypes.ts'

const NOTHING_SAID = new Uint8Array(0)
/** Longer than the bits of any set: what is not as long as the torrent's own is not looked through. */
const NOT_ALL = new Uint8Array(MAX_PIECES / 8 + 1)

export class HeldPieces implements Bits {
  readonly #bits = new Uint8Array(MAX_PIECES / 8)
  readonly #pieces: () => number
  #said: boolean
  /** Unknown before the number of pieces is. */
  #missing: number | undefined

  /** `pieces`: of the torrent, 0 while unknown. `bits`: as a bitfield says them (BEP 3). */
  constructor (pieces: () => number, bits?: Uint8Array) {
    this.#pieces = pieces
    this.#said = bits !== undefined
    if (bits !== undefined) this.#bits.set(bits.subarray(0, this.#bits.length))
  }

  get (i: number): boolean { return i >= 0 && i < MAX_PIECES && (this.#bits[i >> 3] & 128 >> (i & 7)) !== 0 }

  set (i: number, has = true): void {
    if (i < 0 || i >= MAX_PIECES || this.get(i) === has) return
    this.#said = true
    this.#bits[i >> 3] ^= 128 >> (i & 7)
    if (this.#missing !== undefined && i < this.#pieces()) this.#missing += has ? -1 : 1
  }

  /** WebTorrent takes what has this method for a list, and what has not for one of a peer that has all. */
  setAll (bits: ArrayLike<boolean>): void { for (let i = 0; i < bits.length; i++) this.set(i, bits[i]) }

  get buffer (): Uint8Array {
    if (!this.#said) return NOTHING_SAID
    return this.#hasAll() ? this.#bits.subarray(0, Math.ceil(this.#pieces() / 8)) : NOT_ALL
  }

  #hasAll (): boolean {
    const pieces = this.#pieces()
    if (pieces === 0) return false
    if (this.#missing === undefined) {
      this.#missing = 0
      for (let i = 0; i < pieces; i++) if (!this.get(i)) this.#missing++
    }
    return this.#missing === 0
  }
}
