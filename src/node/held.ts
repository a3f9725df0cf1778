/**
 * Blocks that wait: for their parent, for their time, for their data. Bounded by count, by bytes and
 * per peer, so that nobody can fill the memory of a tab with blocks that never come due.
 */
import type { Block } from '../core/codec/wire.ts'
import type { Refusal } from '../core/consensus/refusal.ts'
import type { PeerId } from '../ports/network.ts'
import type { Hex } from './parts.ts'
import type { Mode } from './verify.ts'

export interface Held<M> {
  /** Hash of the block together with its signature and body (see chain.ts: variant). */
  readonly key: string
  readonly id: Hex
  readonly block: Block
  readonly parent: Hex
  readonly bytes: number
  readonly refusal: Refusal
  readonly via?: PeerId
  /** How it is to be submitted again. */
  readonly how: M
  attempts: number
  /** Unix time, ms, of the next attempt; Infinity where only an event brings it back. */
  nextAt: number
}

export interface HeldLimits { readonly count: number, readonly bytes: number, readonly perPeer: number }

export interface ChainLimits { readonly orphans: HeldLimits, readonly waiting: HeldLimits, readonly outdone: HeldLimits }
export const CHAIN_LIMITS: ChainLimits = {
  orphans: { count: 64, bytes: 8 * 1024 * 1024, perPeer: 16 },
  waiting: { count: 64, bytes: 16 * 1024 * 1024, perPeer: 16 },
  outdone: { count: 64, bytes: 8 * 1024 * 1024, perPeer: 16 }
}
/** A block that others outdid is forgotten after it: whoever builds on it will bring it again. */
export const OUTDONE_MS = 600_000
/** An orphan further above the head than this is left to the sync. */
export const ORPHAN_REACH = 64
/** An orphan whose parent has not come by then is forgotten, and named if the chain has passed it by. */
export const ORPHAN_MS = 60_000
/** A block dated further ahead than this is refused, not held. */
export const FUTURE_HELD_MS = 120_000
/** Attempts to get the data of an unavailable block: 1, 2, 4 ... 30 s apart. */
export const RETRIES = 8
const RETRY_FIRST_MS = 1_000
const RETRY_LAST_MS = 30_000

export const retryWaitMs = (attempts: number): number => Math.min(RETRY_LAST_MS, RETRY_FIRST_MS * 2 ** attempts)

export class HeldBlocks<M> {
  readonly #limits: HeldLimits
  /** In order of arrival. */
  readonly #held = new Map<string, Held<M>>()
  #bytes = 0

  constructor (limits: HeldLimits) { this.#limits = limits }

  get size (): number { return this.#held.size }
  get bytes (): number { return this.#bytes }
  get (key: string): Held<M> | undefined { return this.#held.get(key) }
  values (): Held<M>[] { return [...this.#held.values()] }

  /**
   * False if there is no room for it. A peer that holds its share is refused; a full pool makes room
   * at the expense of the peer that holds the most of it, its oldest first.
   */
  add (h: Held<M>): boolean {
    this.take(h.key)
    const share = (peer: PeerId | undefined): number => this.values().filter((x) => x.via === peer).length
    if (h.bytes > this.#limits.bytes) return false
    if (share(h.via) >= this.#limits.perPeer) return false
    while (this.#held.size >= this.#limits.count || this.#bytes + h.bytes > this.#limits.bytes) {
      let greediest = this.values()[0]
      for (const x of this.values()) if (share(x.via) > share(greediest.via)) greediest = x
      this.take(greediest.key)
    }
    this.#held.set(h.key, h)
    this.#bytes += h.bytes
    return true
  }

  take (key: string): Held<M> | undefined {
    const h = this.#held.get(key)
    if (h === undefined) return undefined
    this.#held.delete(key)
    this.#bytes -= h.bytes
    return h
  }

  /** Takes out what waits for this block. */
  childrenOf (parent: Hex): Held<M>[] {
    const out = this.values().filter((h) => h.parent === parent)
    for (const h of out) this.take(h.key)
    return out
  }

  /** Whether something waits for this block. */
  isWanted (parent: Hex): boolean { return this.values().some((h) => h.parent === parent) }

  due (nowMs: number): Held<M>[] { return this.values().filter((h) => h.nextAt <= nowMs) }

  nextAt (): number { return this.values().reduce((t, h) => Math.min(t, h.nextAt), Infinity) }
}

interface How { readonly mode: Mode, readonly isGossip?: true }

/**
 * A block that is held is judged anew for who shows the chain around it, where only gossip brought it before, and for
 * who asks that its work be taken on trust: else it would wait for its next turn, a minute or two, in the way of both.
 */
export const asksForLess = (how: How, before: How): boolean =>
  (before.isGossip === true && how.isGossip !== true) || (how.mode === 'ledger' && before.mode !== 'ledger')
