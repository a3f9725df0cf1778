/**
 * Before work on trust is taken for proved, the chains of the peers at hand that fork off below what was redone of it are
 * weighed against it. All a chain on trust has shown is that its newest blocks were really computed; those below may be
 * forged, heavy, and dated so that the target of the newest ones is next to none. So each of its blocks counts for the mean
 * of the redone ones. There are about as many on a forged chain, whose blocks are dated like all others: a forger has to
 * compute what the honest network puts into as many blocks as are redone, whatever he says lies below them.
 */
import { toHex } from '../core/codec/ssz.ts'
import type { Claim } from '../core/codec/wire.ts'
import type { HeaderMeta } from '../core/consensus/chain.ts'
import type { ChainParams } from '../core/params.ts'
import type { Clock } from '../ports/clock.ts'
import type { PeerId } from '../ports/network.ts'
import { HEADERS_FIRST, type HeaderWalk, type Walk, type Walked } from './headerWalk.ts'
import type { Chain } from './chain.ts'
import type { Log } from './parts.ts'
import { cutParents, treeDepths } from './tree.ts'

/** All of it ends after so long: who shows his headers more slowly is not weighed. */
export const WEIGH_MS = 60_000
/** Chains weighed at once, and headers asked of one in a row. */
const WEIGHED_AT_ONCE = 8
const HEADERS_AT_ONCE = 2_048
/** What was outweighed is not followed, and what could not be followed not weighed, again for so long. */
const REMEMBERED_MS = 10 * 60_000
const REMEMBERED = 64

export type Redoing = (claim: Claim) => Promise<'right' | 'wrong' | 'unavailable'>

/** What so many blocks weigh if each is like the newest ones, of which there are at most `window`. `redone`: the work of those, as far as it was redone. */
export function weightOf (blocks: number, redone: bigint, window: number): bigint {
  return blocks === 0 ? 0n : redone * BigInt(blocks) / BigInt(Math.min(blocks, window))
}

/** A chain that somebody shows, from where it leaves ours. */
interface Rival { readonly peer: PeerId, readonly fork: HeaderMeta, readonly first: HeaderMeta, blocks: number, newest: Array<{ readonly header: Claim, readonly work: bigint }> }

/** `fork`: height of the newest block in common. `first`: hash of the one after it on the other chain. */
export interface Heavier { readonly peer: PeerId, readonly fork: number, readonly first: Uint8Array }

/** Blocks that are remembered for a while. */
class Remembered {
  readonly #clock: Pick<Clock, 'now'>
  readonly #until = new Map<string, number>()

  constructor (clock: Pick<Clock, 'now'>) { this.#clock = clock }

  add (hash: Uint8Array): void {
    this.#until.set(toHex(hash), this.#clock.now() + REMEMBERED_MS)
    for (const oldest of this.#until.keys()) {
      if (this.#until.size <= REMEMBERED) break
      this.#until.delete(oldest)
    }
  }

  delete (hash: Uint8Array): void { this.#until.delete(toHex(hash)) }
  has (hash: Uint8Array): boolean { return (this.#until.get(toHex(hash)) ?? 0) > this.#clock.now() }
}

export interface WeigherDeps {
  readonly params: ChainParams
  readonly clock: Pick<Clock, 'now'>
  readonly chain: Pick<Chain, 'head' | 'headerAt' | 'knownHeader'>
  readonly walk: HeaderWalk
  readonly redo: Redoing | undefined
  readonly log: Log
  readonly stopped: () => boolean
}

export class Weigher {
  readonly #d: WeigherDeps

  /** First blocks of chains that another was chosen over, and of those that could not be followed then. */
  readonly #outweighed: Remembered
  readonly #withheld: Remembered

  constructor (d: WeigherDeps) {
    this.#d = d
    this.#outweighed = new Remembered(d.clock)
    this.#withheld = new Remembered(d.clock)
  }

  /** One of these blocks begins a chain that another was chosen over. */
  outweighed (headers: readonly HeaderMeta[]): boolean { return headers.some((h) => this.#outweighed.has(h.hash)) }

  /** The chain that begins with this block is left for another. */
  outweigh (first: Uint8Array): void { this.#outweighed.add(first) }

  /** That other, which begins with `withheld`, could not be followed: it was real, and kept back. */
  withheld (withheld: Uint8Array, outweighed: Uint8Array): void {
    this.#withheld.add(withheld)
    this.#outweighed.delete(outweighed)
  }

  /**
   * The peer whose chain weighs more than ours, its newest blocks redone as ours were, and where it leaves ours;
   * undefined where there is none. `locator`: of our chain, newest first.
   */
  async heavier (peers: readonly PeerId[], locator: readonly Uint8Array[]): Promise<Heavier | undefined> {
    const until = this.#d.clock.now() + WEIGH_MS
    const leftMs = (): number => Math.max(0, until - this.#d.clock.now())
    const queue = [...peers]
    const rivals: Rival[] = []
    await Promise.all(Array.from({ length: WEIGHED_AT_ONCE }, async () => {
      for (let peer = queue.shift(); peer !== undefined; peer = queue.shift()) {
        const rival = await this.#shown(peer, locator, leftMs)
        if (rival !== undefined) rivals.push(rival)
      }
    }))
    const weighed = rivals
      .map((r) => ({ r, claimed: weightOf(r.blocks, r.newest.reduce((sum, { work }) => sum + work, 0n), this.#window), ours: this.#ours(r.fork.height) }))
      .filter(({ claimed, ours }) => claimed > ours)
      .sort((a, b) => a.claimed < b.claimed ? 1 : -1)
    for (const { r, ours } of weighed) {
      const redone = await this.#redone(r, ours)
      if (this.#d.stopped()) return undefined
      const weight = weightOf(r.blocks, redone, this.#window)
      this.#d.log.info('sync', `the chain of ${r.peer} leaves ours after block ${r.fork.height}: ${weight > ours ? 'it weighs more' : 'it claims more, but what was redone of it weighs less'}`)
      if (weight > ours) return { peer: r.peer, fork: r.fork.height, first: r.first.hash }
    }
    return undefined
  }

  get #window (): number { return this.#d.params.joinReplayBlocks }

  /** All of the newest ones are redone. */
  #ours (fork: number): bigint {
    const { chain } = this.#d
    const { height, work } = chain.head()
    const below = chain.headerAt(Math.max(fork, height - this.#window))
    return below === undefined ? 0n : weightOf(height - fork, work - below.work, this.#window)
  }

  /** Undefined: it goes with ours up to what was redone of it, or does not show where it goes. */
  async #shown (peer: PeerId, locator: readonly Uint8Array[], leftMs: () => number): Promise<Rival | undefined> {
    const { chain, stopped, walk } = this.#d
    const ask = async (from: readonly Uint8Array[], known: Walk['known'], most: number): Promise<Walked | undefined> => {
      const walked = await walk.walk(peer, { locator: from, known, unknown: () => 'it forks off too far below', most, leftMs, ended: () => stopped() ? 'the node stops' : leftMs() === 0 ? 'time is over' : undefined })
      return 'why' in walked ? undefined : walked
    }
    let part = await ask(locator, (hash) => chain.knownHeader(hash), HEADERS_FIRST)
    let rival: Rival | undefined
    while (part !== undefined) {
      const { headers, whole, cut } = part
      const last = headers[headers.length - 1]
      // The locator has gaps: the first ones may be blocks of our own.
      const fresh = rival !== undefined ? 0 : headers.findIndex((h) => toHex(chain.headerAt(h.height)?.hash ?? new Uint8Array(0)) !== toHex(h.hash))
      if (fresh >= 0) {
        rival ??= { peer, fork: fresh === 0 ? part.fork : headers[fresh - 1], first: headers[fresh], blocks: 0, newest: [] }
        if (rival.fork.height >= chain.head().height - this.#window || this.#withheld.has(rival.first.hash)) return undefined
        rival.blocks += headers.length - fresh
        for (let i = Math.max(fresh, headers.length - this.#window); i < headers.length; i++) rival.newest.push({ header: headers[i].header, work: headers[i].work - (i === 0 ? part.fork : headers[i - 1]).work })
        rival.newest = rival.newest.slice(-this.#window)
      }
      if (whole || cut) break
      const { metas } = treeDepths(this.#d.params)
      if (fresh >= 0 && headers.length - fresh > metas) cutParents(last, metas - 1)
      part = await ask([last.hash], (hash) => toHex(hash) === toHex(last.hash) ? last : undefined, HEADERS_AT_ONCE)
    }
    return rival
  }

  /** Work of its newest blocks whose slices are as claimed; none where one is not, or as soon as the others cannot make it weigh more than ours. */
  async #redone (r: Rival, ours: bigint): Promise<bigint> {
    const { redo, stopped } = this.#d
    if (redo === undefined) return 0n
    let possible = r.newest.reduce((sum, { work }) => sum + work, 0n)
    for (const { header, work } of r.newest) {
      if (stopped() || weightOf(r.blocks, possible, this.#window) <= ours) return 0n
      const redone = await redo(header)
      if (redone === 'wrong') return 0n
      if (redone === 'unavailable') possible -= work
    }
    return possible
  }
}
