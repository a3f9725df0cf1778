/**
 * A map that forgets its longest unused entries once their sizes sum to more than `sizeMax`. As long as
 * it is not half full, nothing has to go soon, and what is used keeps its place: to move it costs more than to find it.
 */
export class Lru<V> {
  readonly #sizeMax: number
  readonly #sizeOf: (value: V) => number
  readonly #entries = new Map<string, V>()
  #size = 0

  constructor (sizeMax: number, sizeOf: (value: V) => number = () => 1) {
    this.#sizeMax = sizeMax
    this.#sizeOf = sizeOf
  }

  get count (): number { return this.#entries.size }

  has (key: string): boolean { return this.#entries.has(key) }

  get (key: string): V | undefined {
    const value = this.#entries.get(key)
    if (value === undefined || 2 * this.#size < this.#sizeMax) return value
    this.#entries.delete(key)
    this.#entries.set(key, value)
    return value
  }

  /** The newest entry stays even if it alone is larger than the bound. */
  set (key: string, value: V): void {
    this.delete(key)
    this.#entries.set(key, value)
    this.#size += this.#sizeOf(value)
    for (const oldest of this.#entries.keys()) {
      if (this.#size <= this.#sizeMax || this.#entries.size === 1) break
      this.delete(oldest)
    }
  }

  delete (key: string): void {
    const value = this.#entries.get(key)
    if (value === undefined) return
    this.#entries.delete(key)
    this.#size -= this.#sizeOf(value)
  }

  /** Longest unused first. */
  entries (): IterableIterator<[string, V]> { return this.#entries.entries() }
}
