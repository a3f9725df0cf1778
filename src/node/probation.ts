/**
 * A chain that was proved a moment ago is on probation: it is worked on, and can still be left for one that weighs more
 * (weigh.ts). Whoever is met meanwhile and goes on where ours does not is weighed, once.
 */
import type { HeaderMeta } from '../core/consensus/chain.ts'
import type { PeerId } from '../ports/network.ts'
import type { Chain } from './chain.ts'
import type { Log } from './parts.ts'
import type { ChainStore } from './persist.ts'
import { locatorOf } from './syncPlan.ts'
import type { Told, Trust } from './trust.ts'
import type { Heavier, Weigher } from './weigh.ts'

export interface ProbationDeps {
  readonly chain: Pick<Chain, 'head' | 'headerAt' | 'forkHeights' | 'metaAt' | 'isMain'>
  readonly store: Pick<ChainStore, 'settledHash'>
  readonly trust: Pick<Trust, 'proved'>
  readonly weigher: Weigher
  readonly log: Log
  /** Peers whose head is not here. */
  readonly elsewhere: () => PeerId[]
  readonly onOutweighed: () => void
}

export class Probation {
  readonly #d: ProbationDeps
  readonly #weighed = new Set<PeerId>()
  /** Had their turn once; what came of it may be open. */
  readonly #begun = new Set<PeerId>()
  #weighing = false
  /** Somebody is among those looked at who had no turn before. */
  #isFirst = false
  /** `left`: our lowest block that has to go for it. */
  #outweighed: Heavier & { readonly left: Pick<Told, 'hash' | 'height'> } | undefined
  /** Whose chain ours was just left for: who is to be followed, in this order. `left`: our lowest block that had to go. */
  #heavier: { readonly peers: readonly PeerId[], readonly first: Uint8Array, readonly left: Uint8Array } | undefined

  constructor (d: ProbationDeps) { this.#d = d }

  /** A chain that weighs more was found, and ours is still followed. */
  get isOutweighed (): boolean { return this.#outweighed !== undefined }
  get isOpen (): boolean { return this.#weighing || this.isOutweighed }
  /** It is, and more than another try with those whose slices could not be redone. */
  get isFirst (): boolean { return this.#weighing && this.#isFirst }

  /** Another chain was chosen over one that has these blocks. */
  excludes (headers: readonly HeaderMeta[]): boolean { return this.#d.weigher.outweighed(headers) }

  begin (): void {
    this.#weighed.clear()
    this.#begun.clear()
    this.weigh()
  }

  weigh (): void {
    const { chain, elsewhere, log, onOutweighed, store, trust, weigher } = this.#d
    if (this.#weighing || trust.proved === undefined) return
    const others = elsewhere().filter((id) => !this.#weighed.has(id))
    if (others.length === 0) return
    // Who had no turn comes first, however many names somebody has who shows little and slowly.
    others.sort((a, b) => Number(this.#begun.has(a)) - Number(this.#begun.has(b)))
    this.#isFirst = !this.#begun.has(others[0])
    this.#weighing = true
    let failed = false
    locatorOf(chain, store, undefined)
      .then(async locator => await weigher.heavier(others, locator, { onBegun: (id) => { this.#begun.add(id) }, onWeighed: (id) => { this.#weighed.add(id) } }))
      .then(heavier => {
        const { proved } = trust
        if (heavier === undefined || proved === undefined || chain.isMain(heavier.first)) return
        this.#outweighed = { ...heavier, left: chain.metaAt(Math.max(proved.height, heavier.fork + 1)) ?? proved }
      })
      .catch((e: unknown) => {
        failed = true
        log.error('sync', e instanceof Error ? e.message : String(e))
      })
      .finally(() => {
        this.#weighing = false
        if (this.isOutweighed) onOutweighed()
        // Those of whom it is still open are looked at again with the next poll.
        else if (!failed && others.every((id) => this.#weighed.has(id))) this.weigh()
      })
  }

  /** The lowest block of ours that has to go, where a chain that weighs more was found. */
  leave (): Pick<Told, 'hash' | 'height'> | undefined {
    const heavier = this.#outweighed
    this.#outweighed = undefined
    // By now another chain may be ours, that one for instance: to leave it would be to shut out everybody who is on it.
    if (heavier === undefined || this.#d.trust.proved === undefined || !this.#d.chain.isMain(heavier.left.hash)) return undefined
    const { first, left, peers } = heavier
    this.#d.weigher.outweigh(left.hash)
    this.#heavier = { peers, first, left: left.hash }
    return left
  }

  /** It was weighed, and ours left for it. */
  chose (peer: PeerId): boolean { return this.#heavier?.peers.includes(peer) === true }

  /** Who is to be followed before all others. `can`: who may be. */
  next (can: (peer: PeerId) => boolean): PeerId | undefined {
    if (this.#heavier === undefined) return undefined
    const { peers, first, left } = this.#heavier
    const next = peers.find(can)
    if (next !== undefined) return next
    // It is not to be had: ours may come again.
    for (const peer of peers) this.#d.weigher.withheld(peer, first)
    this.#d.weigher.forgive(left)
    this.#heavier = undefined
    return undefined
  }

  /** What came of following it. */
  followed (peer: PeerId, came: 'leads' | 'part' | 'failed'): void {
    const heavier = this.#heavier
    if (heavier === undefined || came === 'part') return
    if (came === 'leads') this.#heavier = undefined
    else if (heavier.peers.includes(peer)) {
      this.#d.weigher.withheld(peer, heavier.first)
      this.#heavier = { ...heavier, peers: heavier.peers.filter((id) => id !== peer) }
    }
  }
}
