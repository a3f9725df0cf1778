/** Says that something has changed, once per while: the first time soon, and never twice within it. */
import type { Clock } from '../ports/clock.ts'

export class Paced {
  readonly #clock: Pick<Clock, 'after'>
  readonly #ms: number
  readonly #run: () => void
  #waiting = false
  #again = false
  #cancel: (() => void) | undefined

  constructor (clock: Pick<Clock, 'after'>, ms: number, run: () => void) {
    this.#clock = clock
    this.#ms = ms
    this.#run = run
  }

  soon (): void {
    if (this.#waiting) {
      this.#again = true
      return
    }
    this.#waiting = true
    this.#again = false
    this.#run()
    this.#cancel = this.#clock.after(this.#ms, () => {
      this.#waiting = false
      if (this.#again) this.soon()
    })
  }

  stop (): void {
    this.#waiting = true
    this.#cancel?.()
  }
}
