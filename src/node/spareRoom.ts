/**
 * How much of what a node waits for at one peer it may ask of others meanwhile. The line decides: room grows by one
 * with every answer that came quickly, and is gone with one that did not. Over a line that is slow, many at once
 * would all come too late, and none be kept.
 */

/** A request that took longer means that there is too much under way, ms. */
const SLOW_MS = 2_000
const QUICK_MS = 1_000
/** The most that is under way in it. */
const ROOM_MAX = 8

export class SpareRoom {
  #places = 0
  #taken = 0
  readonly #waiting: Array<() => void> = []

  /** A request was answered, with what was asked for or not, or given up. */
  answered (ms: number, got: boolean): void {
    if (ms > SLOW_MS) this.#places = 0
    else if (got && ms <= QUICK_MS && this.#places < ROOM_MAX) this.#places++
    this.#next()
  }

  /**
   * Runs it once there is room, unless `leave` comes first (true): then it comes to undefined. What came last is first:
   * the peer at which all of it waits begins at the other end.
   */
  enter<T> (run: () => Promise<T | undefined>): { readonly done: Promise<T | undefined>, readonly leave: () => boolean } {
    let leave = (): boolean => false
    const done = new Promise<T | undefined>((resolve, reject) => {
      const begin = (): void => { run().finally(() => { this.#taken--; this.#next() }).then(resolve, reject) }
      leave = () => {
        const at = this.#waiting.indexOf(begin)
        if (at === -1) return false
        this.#waiting.splice(at, 1)
        resolve(undefined)
        return true
      }
      this.#waiting.push(begin)
    })
    this.#next()
    return { done, leave }
  }

  #next (): void {
    while (this.#taken < this.#places && this.#waiting.length > 0) {
      this.#taken++
      this.#waiting.pop()!()
    }
  }
}
