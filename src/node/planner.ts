/**
 * What a peer's chain has beyond ours, by its headers. What a peer has shown of a long one before it fell silent is
 * kept for a while: the next peer goes on from there, as a month of headers takes longer than many a tab stays open.
 */
import { equalBytes } from '../core/codec/ssz.ts'
import type { HeaderMeta } from '../core/consensus/chain.ts'
import type { Clock } from '../ports/clock.ts'
import type { PeerId } from '../ports/network.ts'
import type { Chain } from './chain.ts'
import type { HeaderWalk } from './headerWalk.ts'
import type { ChainStore } from './persist.ts'
import { locatorOf, type Plan } from './syncPlan.ts'

/**
 * Headers of one plan; a longer chain is followed in several, and never joined by a ledger. A month, and some 200 MB
 * while they are linked (packedHeaders.ts).
 */
export const PLAN_HEADERS = 262_144
/** What was shown is good for so long after a peer fell silent. */
const KEPT_MS = 5 * 60_000

export interface PlannerDeps {
  readonly clock: Pick<Clock, 'now'>
  readonly chain: Pick<Chain, 'head' | 'headerAt' | 'forkHeights' | 'meta' | 'isMain' | 'baseHeight'>
  readonly store: Pick<ChainStore, 'settledHash'>
  readonly walk: HeaderWalk
  /** Another chain was chosen over one that has these blocks. */
  readonly excludes: (headers: readonly HeaderMeta[]) => boolean
  readonly planHeaders?: number
}

/** How a plan is waited for. `worthKeeping`: so many headers are kept where the peer shows no more; fewer are followed as far as they go. */
export interface Planning {
  readonly reached: Uint8Array | undefined
  readonly worthKeeping: number
  readonly leftMs: () => number
  readonly ended: (last: HeaderMeta | undefined) => string | undefined
  readonly shown: (headers: number) => void
}

export class Planner {
  readonly #d: PlannerDeps
  /** Shown before by somebody who fell silent. */
  #kept: { readonly fork: HeaderMeta, readonly headers: readonly HeaderMeta[], readonly until: number } | undefined

  constructor (d: PlannerDeps) { this.#d = d }

  /** What was kept is not to be gone on from. */
  forget (): void { this.#kept = undefined }

  /** `cut` in place of a plan: it fell silent, and what it has shown is kept. */
  async plan (id: PeerId, p: Planning): Promise<Plan | { readonly why: string, readonly cut?: true }> {
    const { chain, clock, excludes, planHeaders = PLAN_HEADERS, store, walk } = this.#d
    const kept = this.#kept !== undefined && clock.now() < this.#kept.until && chain.isMain(this.#kept.fork.hash) ? this.#kept : undefined
    this.#kept = kept
    const before = kept?.headers.at(-1)
    const walked = await walk.walk(id, {
      locator: await locatorOf(chain, store, before?.hash ?? p.reached),
      known: (hash) => before !== undefined && equalBytes(before.hash, hash) ? before : chain.meta(hash),
      unknown: () => `it forks off below block ${chain.baseHeight()}`,
      most: planHeaders - (kept?.headers.length ?? 0),
      leftMs: p.leftMs,
      ended: p.ended,
      shown: p.shown
    })
    if ('why' in walked) return walked
    const { whole, cut } = walked
    const goesOn = kept !== undefined && walked.fork === before
    const headers = goesOn ? kept.headers.concat(walked.headers) : walked.headers
    const fork = goesOn ? kept.fork : walked.fork
    if (cut && headers.length >= p.worthKeeping) {
      this.#kept = { fork, headers, until: clock.now() + KEPT_MS }
      return { why: `it stopped answering for headers at block ${headers[headers.length - 1].height}`, cut: true }
    }
    this.#kept = undefined
    const tip = headers[headers.length - 1]
    if (tip.work <= chain.head().work) return { why: `its headers end at block ${tip.height} with no more work than ours` }
    // The locator has gaps: the first ones may be blocks of our own, and what is dropped with a wrong chain begins above them.
    const fresh = headers.findIndex((h) => !chain.isMain(h.hash))
    if (fresh === -1) return { why: `its blocks up to ${tip.height} are all here` }
    if (excludes(headers)) return { why: 'another chain that was shown weighs more' }
    return { fork: fresh === 0 ? fork : headers[fresh - 1], headers: headers.slice(fresh), whole, cut, goesOn }
  }
}
