/**
 * While a chain is on probation, those of other peers that leave it below what was redone of it are weighed against
 * it. All a chain on trust has shown is that its newest blocks were really computed; those below may be forged, heavy, and
 * dated so that the target of the newest ones is next to none. So a chain weighs what it would if all its time since the
 * fork had been like its newest blocks, faster than the network's interval counting as that: a forger has to compute
 * what the honest network puts into as many blocks as are redone, however many and heavy he says lie below them.
 */
import { equalBytes, toHex } from '../core/codec/ssz.ts'
import type { Claim } from '../core/codec/wire.ts'
import type { HeaderMeta } from '../core/consensus/chain.ts'
import type { ChainParams } from '../core/params.ts'
import type { Clock } from '../ports/clock.ts'
import type { PeerId } from '../ports/network.ts'
import { within } from './askPeers.ts'
import type { Chain } from './chain.ts'
import { HEADERS_FIRST, type HeaderWalk, type Walked } from './headerWalk.ts'
import type { Log } from './parts.ts'
import { cutParents, treeDepths } from './tree.ts'

/** In one look at the chains of some peers none is begun after so long, and redoing what was found ends after as much again. */
export const WEIGH_MS = 60_000
/** However many headers it shows, one peer has no longer than this. */
const PEER_LAST_MS = 10 * 60_000
/** One peer has so long to begin with, and more for every header it shows: others wait for their turn. A header is 576 bytes. */
const BEGIN_MS = 10_000
const HEADER_MS = 2
/** Chains looked at at once, and headers asked of one in a row. */
const AT_ONCE = 8
const HEADERS_AT_ONCE = 2_048
/** What was outweighed is not followed, and what could not be followed not weighed, again for so long. */
const REMEMBERED_MS = 10 * 60_000
const REMEMBERED = 256

/** `from`: who shows the block, and may have what it takes. */
export type Redoing = (claim: Claim, from?: PeerId) => Promise<'right' | 'wrong' | 'unavailable'>

/** What a chain of `spanMs` weighs if all of it is like its newest `blocks`, which took `newestMs` and of whose work `redone` was redone. */
export function weightOf (spanMs: number, redone: bigint, newestMs: number, blocks: number, intervalMs: number): bigint {
  return redone * BigInt(Math.max(1, spanMs)) / BigInt(Math.max(1, newestMs, blocks * intervalMs))
}

interface Newest { readonly header: Claim, readonly work: bigint }

/** A chain that somebody shows, from where it leaves ours. */
interface Rival { readonly peer: PeerId, readonly fork: HeaderMeta, readonly first: HeaderMeta, newest: Newest[], /** Date of the block below those. */ newestFrom: number, tip: HeaderMeta }

/** `fork`: height of the newest block in common. `first`: hash of the one after it on the other chain. `peers`: who shows it, all that were looked at. */
export interface Heavier { readonly peers: readonly PeerId[], readonly fork: number, readonly first: Uint8Array }

/** What is remembered for a while. */
class Remembered {
  readonly #clock: Pick<Clock, 'now'>
  readonly #until = new Map<string, number>()

  constructor (clock: Pick<Clock, 'now'>) { this.#clock = clock }

  add (name: string): void {
    this.#until.delete(name)
    this.#until.set(name, this.#clock.now() + REMEMBERED_MS)
    for (const oldest of this.#until.keys()) {
      if (this.#until.size <= REMEMBERED) break
      this.#until.delete(oldest)
    }
  }

  get size (): number { return this.#until.size }
  delete (name: string): void { this.#until.delete(name) }
  has (name: string): boolean { return (this.#until.get(name) ?? 0) > this.#clock.now() }
}

export interface WeigherDeps {
  readonly params: ChainParams
  readonly clock: Pick<Clock, 'now' | 'after'>
  readonly chain: Pick<Chain, 'headerAt' | 'knownHeader'>
  /** The newest block of ours that is not on trust by itself. */
  readonly ours: () => HeaderMeta
  readonly walk: Pick<HeaderWalk, 'walk'>
  readonly redo: Redoing | undefined
  readonly log: Log
  readonly stopped: () => boolean
}

export class Weigher {
  readonly #d: WeigherDeps
  /** First blocks of chains that another was chosen over; those of others, by who showed them, that could not be followed then. */
  readonly #outweighed: Remembered
  readonly #withheld: Remembered

  constructor (d: WeigherDeps) {
    this.#d = d
    this.#outweighed = new Remembered(d.clock)
    this.#withheld = new Remembered(d.clock)
  }

  /** One of these blocks begins a chain that another was chosen over. */
  outweighed (headers: readonly HeaderMeta[]): boolean { return this.#outweighed.size > 0 && headers.some((h) => this.#outweighed.has(toHex(h.hash))) }

  /** The chain that begins with this block is left for another. */
  outweigh (first: Uint8Array): void { this.#outweighed.add(toHex(first)) }
  /** That other is not to be had from anybody. */
  forgive (first: Uint8Array): void { this.#outweighed.delete(toHex(first)) }
  /** This peer showed the chain that begins with this block, and keeps it back: it says nothing of others who show it. */
  withheld (peer: PeerId, first: Uint8Array): void { this.#withheld.add(`${peer}/${toHex(first)}`) }

  /**
   * A chain that weighs more than ours, its newest blocks redone as ours were. `locator`: of our chain, newest first.
   * `onBegun`: this peer has its turn; those of whom it is not said have none in this look. `onWeighed`: there is nothing
   * more to be found out of it.
   */
  async heavier (peers: readonly PeerId[], locator: readonly Uint8Array[], { onBegun, onWeighed }: { readonly onBegun: (peer: PeerId) => void, readonly onWeighed: (peer: PeerId) => void }): Promise<Heavier | undefined> {
    const { clock, log, stopped } = this.#d
    const until = clock.now() + WEIGH_MS
    const queue = [...peers]
    const rivals: Rival[] = []
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      for (let peer = queue.shift(); peer !== undefined && clock.now() < until && !stopped(); peer = queue.shift()) {
        onBegun(peer)
        const rival = await this.#shown(peer, locator)
        if (rival !== undefined) rivals.push(rival)
        else onWeighed(peer)
      }
    }))
    const redoUntil = clock.now() + WEIGH_MS
    const claims = rivals
      .map((r) => ({ r, claimed: this.#weight(r, r.newest.reduce((sum, { work }) => sum + work, 0n)), ours: this.#ours(r.fork) }))
      .filter(({ claimed, ours }) => claimed > ours)
      .sort((a, b) => a.claimed < b.claimed ? 1 : -1)
    for (const r of rivals) if (!claims.some((c) => c.r === r)) onWeighed(r.peer)
    // At once: one whose data nobody has must not take the time of the others.
    const weighed = await Promise.all(claims.map(async ({ r, ours }) => ({ r, ...await this.#redone(r, ours, redoUntil) })))
    if (stopped()) return undefined
    let best: { readonly r: Rival, readonly weight: bigint } | undefined
    for (const { r, weight, isSure } of weighed) {
      const isMore = weight > this.#ours(r.fork)
      log.info('sync', `the chain of ${r.peer} leaves ours after block ${r.fork.height}: ${isMore ? 'it weighs more' : 'it claims more, but what was redone of it weighs less'}`)
      if (isSure) onWeighed(r.peer)
      if (isMore && (best === undefined || weight > best.weight)) best = { r, weight }
    }
    if (best === undefined) return undefined
    const { r } = best
    return { peers: [r, ...rivals.filter((o) => o !== r && equalBytes(o.first.hash, r.first.hash))].map((o) => o.peer), fork: r.fork.height, first: r.first.hash }
  }

  get #window (): number { return this.#d.params.joinReplayBlocks }

  #weight (r: Rival, redone: bigint): bigint {
    const tipTime = r.tip.header.template.time
    return weightOf(tipTime - r.fork.header.template.time, redone, tipTime - r.newestFrom, r.newest.length, this.#d.params.blockIntervalMs)
  }

  /** All of the newest ones are redone. */
  #ours (fork: HeaderMeta): bigint {
    const { chain, ours, params } = this.#d
    const head = ours()
    const below = chain.headerAt(Math.max(fork.height, head.height - this.#window))
    if (below === undefined) return 0n
    const { time } = head.header.template
    return weightOf(time - fork.header.template.time, head.work - below.work, time - below.header.template.time, head.height - below.height, params.blockIntervalMs)
  }

  /** Undefined: it goes with ours up to what was redone of it, or does not show where it goes. */
  async #shown (peer: PeerId, locator: readonly Uint8Array[]): Promise<Rival | undefined> {
    const { chain, clock, params, stopped, walk } = this.#d
    const latest = clock.now() + PEER_LAST_MS
    let until = clock.now() + BEGIN_MS
    const leftMs = (): number => Math.max(0, until - clock.now())
    let last: HeaderMeta | undefined
    const ask = async (most: number): Promise<Walked | undefined> => {
      const walked = await walk.walk(peer, {
        locator: last === undefined ? locator : [last.hash, ...locator],
        known: (hash) => last !== undefined && equalBytes(hash, last.hash) ? last : chain.knownHeader(hash),
        unknown: () => 'it forks off too far below',
        most,
        leftMs,
        ended: () => stopped() ? 'the node stops' : leftMs() === 0 ? 'time is over' : undefined,
        shown: (headers) => { until = Math.min(latest, until + headers * HEADER_MS) }
      })
      return 'why' in walked ? undefined : walked
    }
    let rival: Rival | undefined
    let isWhole = false
    for (let part = await ask(HEADERS_FIRST); part !== undefined; part = await ask(HEADERS_AT_ONCE)) {
      const { fork, headers, whole, cut } = part
      // Its chain is another one by now.
      if (last !== undefined && fork !== last) return undefined
      last = headers[headers.length - 1]
      // The locator has gaps: the first ones may be blocks of our own.
      const fresh = rival !== undefined ? 0 : headers.findIndex((h) => !equalBytes(chain.headerAt(h.height)?.hash ?? new Uint8Array(0), h.hash))
      if (fresh >= 0) {
        rival ??= { peer, fork: fresh === 0 ? fork : headers[fresh - 1], first: headers[fresh], newest: [], newestFrom: 0, tip: last }
        if (rival.fork.height >= this.#d.ours().height - this.#window || this.#withheld.has(`${peer}/${toHex(rival.first.hash)}`)) return undefined
        rival.tip = last
        for (let i = Math.max(fresh, headers.length - this.#window); i < headers.length; i++) rival.newest.push({ header: headers[i].header, work: headers[i].work - (i === 0 ? fork : headers[i - 1]).work })
        rival.newest = rival.newest.slice(-this.#window)
        let below: HeaderMeta = last
        for (let i = 0; i < rival.newest.length && below.parent !== undefined; i++) below = below.parent
        rival.newestFrom = below.header.template.time
      }
      isWhole = whole
      if (whole || cut) break
      const { metas } = treeDepths(params)
      if (fresh >= 0 && headers.length - fresh > metas) cutParents(last, metas - 1)
    }
    // A part of a chain says nothing of its end.
    return leftMs() === 0 && !isWhole ? undefined : rival
  }

  /**
   * What it weighs by those of its newest blocks whose slices are as claimed; nothing where one is not, or as soon as the
   * others cannot make it weigh more than ours. `isSure`: that does not come of data that could not be had in time.
   */
  async #redone (r: Rival, ours: bigint, until: number): Promise<{ readonly weight: bigint, readonly isSure: boolean }> {
    const { clock, redo, stopped } = this.#d
    if (redo === undefined) return { weight: 0n, isSure: true }
    let isSure = true
    let possible = r.newest.reduce((sum, { work }) => sum + work, 0n)
    for (const { header, work } of r.newest) {
      const leftMs = until - clock.now()
      if (stopped() || leftMs <= 0) return { weight: 0n, isSure: false }
      if (this.#weight(r, possible) <= ours) return { weight: 0n, isSure }
      const redone = await within(clock, leftMs, redo(header, r.peer))
      if (redone === 'wrong') return { weight: 0n, isSure: true }
      if (redone === 'right') continue
      possible -= work
      isSure = false
    }
    return { weight: this.#weight(r, possible), isSure }
  }
}
