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
  readonly chain: Pick<Chain, 'head' | 'metaAt'>
  readonly store: Pick<ChainStore, 'settledHash'>
  readonly trust: Pick<Trust, 'first' | 'onProbation'>
  readonly weigher: Weigher
  readonly log: Log
  /** Peers whose head is not here. */
  readonly elsewhere: () => PeerId[]
  readonly onOutweighed: () => void
}

export class Probation {
  readonly #d: ProbationDeps
  readonly #weighed = new Set<PeerId>()
  #weighing = false
  #outweighed: Heavier | undefined
  /** Whose chain ours was just left for. `left`: its lowest block. */
  #heavier: Heavier & { readonly left: Uint8Array } | undefined

  constructor (d: ProbationDeps) { this.#d = d }

  /** A chain that weighs more was found, and ours is still followed. */
  get isOutweighed (): boolean { return this.#outweighed !== undefined }
  get isOpen (): boolean { return this.#weighing || this.isOutweighed }
  /** Who is to be followed before all others. */
  get heavier (): PeerId | undefined { return this.#heavier?.peer }

  /** Another chain was chosen over one that has these blocks. */
  excludes (headers: readonly HeaderMeta[]): boolean { return this.#d.weigher.outweighed(headers) }

  begin (): void {
    this.#weighed.clear()
    this.weigh()
  }

  weigh (): void {
    const { chain, elsewhere, log, onOutweighed, store, trust, weigher } = this.#d
    if (this.#weighing || !trust.onProbation) return
    const others = elsewhere().filter((id) => !this.#weighed.has(id))
    if (others.length === 0) return
    for (const id of others) this.#weighed.add(id)
    this.#weighing = true
    locatorOf(chain, store, undefined)
      .then(async locator => { this.#outweighed = await weigher.heavier(others, locator) })
      .catch((e: unknown) => { log.error('sync', e instanceof Error ? e.message : String(e)) })
      .finally(() => {
        this.#weighing = false
        if (this.isOutweighed) onOutweighed()
        else this.weigh()
      })
  }

  /** The lowest block of ours that has to go, where a chain that weighs more was found. */
  leave (): Pick<Told, 'hash' | 'height'> | undefined {
    const heavier = this.#outweighed
    const { first, onProbation } = this.#d.trust
    this.#outweighed = undefined
    if (heavier === undefined || first === undefined || !onProbation) return undefined
    const left = this.#d.chain.metaAt(Math.max(first.height, heavier.fork + 1)) ?? first
    this.#d.weigher.outweigh(left.hash)
    this.#heavier = { ...heavier, left: left.hash }
    return left
  }

  /** A chain was followed to its end, or was not. */
  followed (peer: PeerId, ok: boolean): void {
    if (ok) this.#heavier = undefined
    else if (this.#heavier?.peer === peer) this.notFollowed()
  }

  /** The chain that ours was left for is not to be had: ours may come again. */
  notFollowed (): void {
    if (this.#heavier === undefined) return
    this.#d.weigher.withheld(this.#heavier.first, this.#heavier.left)
    this.#heavier = undefined
  }
}
