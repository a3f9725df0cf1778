/**
 * Messages overtake one another: a vote may come before its proposal. Waiters hold it back for a
 * moment until what it refers to is here; so many at most, the next ones do not wait.
 */
import type { Clock } from '../ports/clock.ts'

export class Waiters {
  readonly #clock: Pick<Clock, 'after'>
  readonly #max: number
  readonly #waiting = new Set<() => void>()

  constructor (clock: Pick<Clock, 'after'>, max: number) {
    this.#clock = clock
    this.#max = max
  }

  /** Whether `test` came true within `ms`; it is asked now and at every `wake`. */
  async until (test: () => boolean, ms: number): Promise<boolean> {
    if (test()) return true
    if (this.#waiting.size >= this.#max) return false
    return await new Promise<boolean>(resolve => {
      const check = (): void => { if (test()) settle(true) }
      const cancel = this.#clock.after(ms, () => { settle(false) })
      const settle = (met: boolean): void => {
        cancel()
        this.#waiting.delete(check)
        resolve(met)
      }
      this.#waiting.add(check)
    })
  }

  wake (): void { for (const check of [...this.#waiting]) check() }
}
