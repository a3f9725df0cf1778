/**
 * Parcels between the parts of a world, as they go from thread to thread: the same bytes go over once and are the same
 * object for all who get them, for that is what nothing is decoded and verified twice by (remember.ts).
 */
import type { Parcel } from '../../../src/net/memoryParts.ts'

/** The newest that both sides know: what is older goes over again. */
const KEPT = 16_384

type Packed<P = Parcel> = P extends Parcel ? Omit<P, 'bytes'> & { readonly bytes: number } : never

/** All that goes to another part at one time. */
export interface Post {
  readonly parcels: readonly Packed[]
  /** Bytes that the other side has not, or no more, in order of their numbers. */
  readonly fresh: ReadonlyArray<readonly [number, Uint8Array]>
}

export class Outbox {
  readonly #numbers = new WeakMap<Uint8Array, number>()
  #next = 0
  #parcels: Packed[] = []
  #fresh: Array<readonly [number, Uint8Array]> = []

  put (parcel: Parcel): void { this.#parcels.push({ ...parcel, bytes: this.#numberOf(parcel.bytes) }) }

  empty (): Post {
    const post = { parcels: this.#parcels, fresh: this.#fresh }
    this.#parcels = []
    this.#fresh = []
    return post
  }

  #numberOf (bytes: Uint8Array): number {
    const known = this.#numbers.get(bytes)
    if (known !== undefined && this.#next - known < KEPT) return known
    const number = this.#next++
    this.#numbers.set(bytes, number)
    // Of a view the whole buffer would go over.
    this.#fresh.push([number, bytes.length === bytes.buffer.byteLength ? bytes : bytes.slice()])
    return number
  }
}

export class Inbox {
  readonly #known = new Map<number, Uint8Array>()
  #forgotten = 0

  /** `nowMs`: parcels are at the line then at the earliest. */
  open ({ fresh, parcels }: Post, nowMs: number): Parcel[] {
    for (const [number, bytes] of fresh) this.#known.set(number, bytes)
    const opened = parcels.map(p => {
      const bytes = this.#known.get(p.bytes)
      if (bytes === undefined) throw new Error(`bytes ${p.bytes} were never sent`)
      return { ...p, bytes, atMs: Math.max(p.atMs, nowMs) }
    })
    const last = fresh.at(-1)
    if (last !== undefined) while (this.#forgotten < last[0] - KEPT) this.#known.delete(this.#forgotten++)
    return opened
  }
}
