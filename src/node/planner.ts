/** What a peer's chain has beyond ours, by its headers. */
import type { HeaderMeta } from '../core/consensus/chain.ts'
import type { PeerId } from '../ports/network.ts'
import type { Chain } from './chain.ts'
import type { HeaderWalk } from './headerWalk.ts'
import type { ChainStore } from './persist.ts'
import { locatorOf, type Plan } from './syncPlan.ts'

/**
 * Headers of one plan; a longer chain is followed in several, and never joined by a ledger. A month, and some 225 MB
 * while they are linked (packedHeaders.ts).
 */
export const PLAN_HEADERS = 262_144

export interface PlannerDeps {
  readonly chain: Pick<Chain, 'head' | 'headerAt' | 'forkHeights' | 'meta' | 'isMain' | 'baseHeight'>
  readonly store: Pick<ChainStore, 'settledHash'>
  readonly walk: HeaderWalk
  /** Another chain was chosen over one that has these blocks. */
  readonly excludes: (headers: readonly HeaderMeta[]) => boolean
  readonly planHeaders?: number
}

/** How a plan is waited for. `mostCut`: more headers than that without their end are no plan; fewer are followed as far as they go. */
export interface Planning {
  readonly reached: Uint8Array | undefined
  readonly mostCut: number
  readonly leftMs: () => number
  readonly ended: (last: HeaderMeta | undefined) => string | undefined
  readonly shown: (headers: number) => void
}

export class Planner {
  readonly #d: PlannerDeps

  constructor (d: PlannerDeps) { this.#d = d }

  /** In place of a plan, `cut`: it fell silent; `parted`: its chain leaves ours below all that is kept of it. */
  async plan (id: PeerId, p: Planning): Promise<Plan | { readonly why: string, readonly cut?: true, readonly parted?: true }> {
    const { chain, excludes, planHeaders = PLAN_HEADERS, store, walk } = this.#d
    const walked = await walk.walk(id, {
      locator: await locatorOf(chain, store, p.reached),
      known: (hash) => chain.meta(hash),
      unknown: () => `it forks off below block ${chain.baseHeight()}`,
      most: planHeaders,
      leftMs: p.leftMs,
      ended: p.ended,
      shown: p.shown
    })
    if ('why' in walked) return walked
    const { cut, fork, headers, whole } = walked
    const tip = headers[headers.length - 1]
    if (cut && headers.length > p.mostCut) return { why: `it stopped answering for headers at block ${tip.height}`, cut: true }
    if (tip.work <= chain.head().work) return { why: `its headers end at block ${tip.height} with no more work than ours` }
    // The locator has gaps: the first ones may be blocks of our own, and what is dropped with a wrong chain begins above them.
    const fresh = headers.findIndex((h) => !chain.isMain(h.hash))
    if (fresh === -1) return { why: `its blocks up to ${tip.height} are all here` }
    if (excludes(headers)) return { why: 'another chain that was shown weighs more' }
    return { fork: fresh === 0 ? fork : headers[fresh - 1], headers: headers.slice(fresh), whole, cut }
  }
}
