/**
 * Whole numbers from a seed, the same on every machine: a Weyl sequence put through the finaliser of
 * a hash. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014), with
 * the constants for 32 bits found by C. Wellons (hash-prospector).
 */
const WEYL = 0x9e3779b9

function mix (x: number): number {
  let h = x
  h = Math.imul(h ^ (h >>> 16), 0x21f0aaad)
  h = Math.imul(h ^ (h >>> 15), 0x735a2d97)
  return (h ^ (h >>> 15)) >>> 0
}

export class Seeded {
  #state: number

  constructor (seed: string) {
    let h = WEYL
    for (let i = 0; i < seed.length; i++) h = mix(h ^ seed.charCodeAt(i)) + WEYL | 0
    this.#state = h
  }

  /** 0..2^32-1. */
  next (): number {
    this.#state = this.#state + WEYL | 0
    return mix(this.#state)
  }

  /** 0..bound-1. */
  below (bound: number): number { return Math.floor(this.next() / 2 ** 32 * bound) }

  /** Both ends included. */
  between (low: number, high: number): number { return low + this.below(high - low + 1) }

  chance (percent: number): boolean { return this.below(100) < percent }

  /** One name by its weight. */
  weighted<K extends string> (weights: Readonly<Record<K, number>>): K {
    const entries = Object.entries(weights) as Array<[K, number]>
    let at = this.below(entries.reduce((n, [, w]) => n + w, 0))
    for (const [name, weight] of entries) {
      if (at < weight) return name
      at -= weight
    }
    throw new Error('no weights')
  }
}
