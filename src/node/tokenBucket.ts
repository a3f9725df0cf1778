/**
 * How often one stranger may make this node do something: `perSecond` on average, `burst` at once.
 * Names are peer ids or keys; the longest unseen is forgotten first, and starts afresh.
 */
import type { Clock } from '../ports/clock.ts'
import { Lru } from './lru.ts'

const NAMES_KEPT = 1024

export class TokenBuckets {
  readonly #clock: Pick<Clock, 'now'>
  readonly #perSecond: number
  readonly #burst: number
  readonly #buckets = new Lru<{ tokens: number, at: number }>(NAMES_KEPT)

  constructor (clock: Pick<Clock, 'now'>, perSecond: number, burst: number) {
    this.#clock = clock
    this.#perSecond = perSecond
    this.#burst = burst
  }

  /** False: not now. `amount`: tokens that it takes. */
  take (name: string, amount = 1): boolean {
    const now = this.#clock.now()
    let bucket = this.#buckets.get(name)
    if (bucket === undefined) this.#buckets.set(name, bucket = { tokens: this.#burst, at: now })
    bucket.tokens = Math.min(this.#burst, bucket.tokens + Math.max(0, now - bucket.at) / 1000 * this.#perSecond)
    bucket.at = now
    if (bucket.tokens < amount) return false
    bucket.tokens -= amount
    return true
  }
}
