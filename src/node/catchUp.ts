/**
 * How far one catching-up is, over all its stages, 0..1: it begins where the tab was, and never goes back. Each
 * stage counts heights of its own: headers run ahead of the blocks, and a plan that fails begins again from the chain.
 */
import type { SyncProgress } from './sync.ts'

/** Of the way, what headers are: small and checked fast beside what follows. */
const HEADERS_SHARE = 0.3

export class CatchUp {
  #from: number | undefined
  #done = 0

  /** `height`: of the chain here. */
  at (progress: SyncProgress, height: number): number {
    const from = this.#from ??= Math.min(height, progress.target)
    const way = progress.target - from
    const gone = way <= 0 ? 0 : Math.min(1, Math.max(0, progress.height - from) / way)
    const done = progress.stage === 'headers' ? HEADERS_SHARE * gone : progress.stage === 'snapshot' ? HEADERS_SHARE : HEADERS_SHARE + (1 - HEADERS_SHARE) * gone
    return this.#done = Math.max(this.#done, done)
  }

  /** Where nobody is followed at the moment. */
  get done (): number { return this.#done }

  over (): void {
    this.#from = undefined
    this.#done = 0
  }
}
