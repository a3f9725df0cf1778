/** Steps and MACs per second over the last slices, falling when nothing is done. */
const SLICES_KEPT = 16
/** Older slices say nothing about now, ms. */
const HORIZON_MS = 20_000

interface Done { readonly startedMs: number, readonly steps: number, readonly macs: number }

export class Throughput {
  readonly #now: () => number
  #done: Done[] = []

  constructor (now: () => number) { this.#now = now }

  add (steps: number, macs: number, elapsedMs: number): void {
    this.#done = [...this.#done, { startedMs: this.#now() - elapsedMs, steps, macs }].slice(-SLICES_KEPT)
  }

  perSecond (): { readonly steps: number, readonly macs: number } {
    const now = this.#now()
    const recent = this.#done.filter(slice => slice.startedMs > now - HORIZON_MS)
    if (recent.length === 0) return { steps: 0, macs: 0 }
    const seconds = Math.max(1, now - Math.min(...recent.map(slice => slice.startedMs))) / 1000
    return {
      steps: recent.reduce((sum, slice) => sum + slice.steps, 0) / seconds,
      macs: recent.reduce((sum, slice) => sum + slice.macs, 0) / seconds
    }
  }
}
