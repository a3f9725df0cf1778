/** So many at once, and so many a second. */
export class Bucket {
  readonly #perSecond: number
  readonly #burst: () => number
  /** Taken, less what time has given back. */
  #taken = 0
  #at: number

  /** `burst`: may grow with what becomes known. */
  constructor (now: number, perSecond: number, burst: number | (() => number)) {
    this.#perSecond = perSecond
    this.#burst = typeof burst === 'number' ? () => burst : burst
    this.#at = now
  }

  /** False: too fast. `price`: of one that costs less than others. */
  take (now: number, price = 1): boolean {
    this.#taken = Math.max(0, this.#taken - Math.max(0, now - this.#at) / 1000 * this.#perSecond)
    this.#at = now
    if (this.#taken + price > this.#burst()) return false
    this.#taken += price
    return true
  }
}
