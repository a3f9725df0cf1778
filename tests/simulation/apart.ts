/**
 * Who is parted from the others, and for how long: seen from the lines and the clocks, not from what nodes say. A tab
 * that bytes reach neither way, or whose clock is so wrong that blocks do not count, goes on alone; so does a group.
 */
import { sliceCost } from '../../src/core/training/cost.ts'
import type { BlockRecord } from '../../src/node/parts.ts'
import type { Tab } from './tab.ts'
import type { World } from './world.ts'

/** Who is linked to this share of the speed of all honest ones that are open misses no more of the work than luck makes up for. */
const WITH = 0.9
/** Until a tab that is in touch again has found and loaded what it has missed, ms, and a device without limits has redone it. */
const REJOIN_MS = 180_000
/** A pool that keeps its blocks back is ever as far ahead as DEPTH with a chance of one in so many, at 30 % of the speed. */
const LUCK = 800_000

/** Of so many blocks alone a reorganisation may be where enemies have the share `q` of the speed: the others' luck is no better than theirs. */
export function luckyDepth (q: number, least: number): number {
  if (q >= 0.5) return Infinity
  return q === 0 ? least : Math.max(least, Math.ceil(Math.log(LUCK) / Math.log((1 - q) / q)))
}

/**
 * Of the blocks that a tab takes back, lowest first, those that it had redone and that were its own. What stands on blocks
 * that it was only told of is no more its own than they are, until as many of the newest are redone as prove them (`window`).
 */
export function ownDepth (removed: ReadonlyArray<Pick<BlockRecord, 'checked'>>, window: number): number {
  const told = removed.map(r => r.checked === 'ledger')
  const lowest = told.indexOf(true)
  return lowest !== -1 && removed.length - 1 - told.lastIndexOf(true) < window ? lowest : told.filter(t => !t).length
}

/** Who can speak with whom: ids by those they are joined with, themselves among them. */
export function groups<T> (all: readonly T[], joined: (one: T) => readonly T[]): Map<T, ReadonlySet<T>> {
  const of = new Map<T, ReadonlySet<T>>()
  for (const one of all) {
    if (of.has(one)) continue
    const group = new Set([one])
    for (const x of group) for (const y of joined(x)) group.add(y)
    for (const x of group) of.set(x, group)
  }
  return of
}

export class Apart {
  readonly #world: World
  /** Ms apart since it was last in touch for long enough, and ms in touch since; when it was last seen open, and since when. */
  readonly #spells = new Map<Tab, { apartMs: number, touchMs: number, seenMs: number, openMs: number }>()
  /** The most that any clock was wrong by: so long may blocks wait for their time to come. */
  #skewMs = 0

  constructor (world: World) { this.#world = world }

  /** Ms for which the tab may have gone on without the others, up to now. */
  ms (tab: Tab): number { return this.#spells.get(tab)?.apartMs ?? 0 }

  /** Ms that its device takes to redo the blocks of `apartMs`; they come twice as fast as they should at most. */
  #redoMs (tab: Tab, apartMs: number): number {
    const { params, spec } = this.#world
    return 2 * apartMs / params.blockIntervalMs * sliceCost(spec) / tab.costPerSecond * 1000
  }

  /** Every `ms`. Of a tab that is not open nothing changes. */
  sample (ms: number): void {
    const { elapsed, internet, params, tabs } = this.#world
    const up = tabs.filter(t => t.session !== undefined && t.up)
    const byId = new Map(up.map(t => [t.session!.id, t]))
    for (const t of tabs) this.#skewMs = Math.max(this.#skewMs, Math.abs(t.faults.skewMs))
    // Enemies are banned: what they do among themselves is a matter of luckyDepth.
    const speed = (some: Iterable<Tab>): number => [...some].reduce((sum, t) => sum + (t.honest ? t.costPerSecond : 0), 0)
    const all = speed(up)
    const alike = (a: Tab, b: Tab): boolean => Math.abs(a.faults.skewMs - b.faults.skewMs) <= params.futureMs / 2
    const group = groups(up, tab => internet.hub.links(tab.session!.id).flatMap(id => {
      const other = byId.get(id)
      return other !== undefined && alike(tab, other) && internet.passes(tab.session!.id, id) ? [other] : []
    }))
    const before = new Map(up.map(t => [t, this.ms(t)]))
    for (const tab of up) {
      const s = this.#spells.get(tab) ?? { apartMs: 0, touchMs: 0, seenMs: -Infinity, openMs: 0 }
      this.#spells.set(tab, s)
      if (elapsed - s.seenMs > 1.5 * ms) s.openMs = elapsed
      s.seenMs = elapsed
      // Who has just come takes what those have whom he asks first.
      if (elapsed - s.openMs < REJOIN_MS) for (const other of group.get(tab)!) s.apartMs = Math.max(s.apartMs, before.get(other) ?? 0)
      if (speed(group.get(tab)!) < WITH * all) {
        s.apartMs += ms
        s.touchMs = 0
      } else if ((s.touchMs += ms) >= REJOIN_MS + this.#skewMs + this.#redoMs(tab, s.apartMs)) s.apartMs = 0
    }
  }
}
