/**
 * What peers say of newer versions of the protocol. Three bytes are enough to say it, so the page hears of one
 * only when several peers of this node say so, each for itself, and no longer than they say it.
 */
import { PROTOCOL_VERSION } from '../core/params.ts'
import type { PeerId } from '../ports/network.ts'
import { Lru } from './lru.ts'

/** Different peers that must have said it. */
export const VERSION_WORDS = 3
/** A word counts for so long, ms: peers of a newer version say it with every block. */
export const VERSION_WORD_MS = 10 * 60_000
/** Peers whose word is remembered. */
const WORDS_KEPT = 64

export class Versions {
  readonly #words = new Lru<{ readonly version: number, readonly at: number }>(WORDS_KEPT)

  saw (version: number, peer: PeerId, now: number): void {
    if (version > PROTOCOL_VERSION) this.#words.set(peer, { version, at: now })
    else this.#words.delete(peer)
  }

  /** The greatest that enough peers speak, or a later one; our own where there is none. */
  newest (now: number): number {
    const said = [...this.#words.entries()].filter(([, w]) => now - w.at < VERSION_WORD_MS).map(([, w]) => w.version).sort((a, b) => b - a)
    return said[VERSION_WORDS - 1] ?? PROTOCOL_VERSION
  }
}
