/**
 * What was seen of a world, as plain values that may come from another thread, and the report that they give. A world
 * that is run in parts is seen by an observer in each, and what they saw is put together.
 */
import { agreedAtMs, type BlockSeen, forks, forkWindows, type HeadSeen, mainChain, moment, propagationMs, spread, type Stand, tabFigures, type TabSeen } from './figures.ts'
import type { Violation, WorldReport } from './report/types.ts'

/** Blocks below the head that a report takes for decided. */
const SETTLED_DEPTH = 2

/** Windows of time of the fork rate. */
const WINDOWS = 12

/** What is the same in all parts. */
export interface About {
  readonly seed: string
  readonly compute: 'real' | 'stand-in'
  readonly blockIntervalMs: number
  readonly laptopSliceMs: number
  readonly nodes: number
  readonly attackers: Readonly<Record<string, number>>
  readonly elapsedMs: number
}

/** One tab: what the chain says of it comes later. */
export type TabSighting = Omit<TabSeen, 'blocks' | 'reward'> & { readonly diskBytes: number }

export interface Sightings {
  readonly about: About
  readonly events: number
  /** The heaviest head of a sound tab. */
  readonly tip: { readonly hash: string, readonly height: number, readonly work: bigint } | undefined
  readonly blocks: readonly BlockSeen[]
  readonly heads: readonly HeadSeen[]
  readonly stands: readonly Stand[]
  /** Credits of a block, by account. */
  readonly credits: ReadonlyMap<string, ReadonlyArray<readonly [string, number]>>
  /** Who worked for whom: miner keys and payees of every profile a tab has had. */
  readonly tabOf: ReadonlyMap<string, number>
  readonly tabs: readonly TabSighting[]
}

/** A block is known first where it was made: what other parts say of its making is when it came. */
function firstSeen (parts: readonly Sightings[]): BlockSeen[] {
  const first = new Map<string, BlockSeen>()
  for (const { blocks } of parts) {
    for (const b of blocks) {
      const other = first.get(b.hash)
      if (other === undefined || b.madeAtMs < other.madeAtMs) first.set(b.hash, b)
    }
  }
  return [...first.values()].sort((a, b) => a.madeAtMs - b.madeAtMs)
}

const heaviest = (parts: readonly Sightings[]): Sightings['tip'] =>
  parts.reduce<Sightings['tip']>((best, { tip }) => best === undefined || (tip !== undefined && tip.work > best.work) ? tip : best, undefined)

export interface ReportWords {
  readonly command: string
  readonly scenario: string
  readonly wallMs: number
  readonly violations?: readonly Violation[]
  /** What the checkers look for, a sentence each. */
  readonly checked?: readonly string[]
  readonly tables?: WorldReport['tables']
  readonly options?: WorldReport['options']
  readonly counts?: WorldReport['counts']
  readonly healedAtMs?: number
}

export function reportOf (parts: readonly Sightings[], words: ReportWords): WorldReport {
  const { about } = parts[0]
  const tip = heaviest(parts)
  const head = tip?.hash ?? ''
  const settledHeight = (tip?.height ?? 0) - SETTLED_DEPTH
  const blocks = firstSeen(parts)
  const heads = parts.length === 1 ? parts[0].heads : parts.flatMap(p => p.heads).sort((a, b) => a.atMs - b.atMs)
  const moments = parts[0].stands.map((_, i) => moment(parts.map(p => p.stands[i])))
  const tabs = parts.flatMap(p => p.tabs).sort((a, b) => a.tab - b.tab)
  const figures = tabFigures(withEarnings(parts, blocks, mainChain(blocks, head), tabs))
  return {
    kind: 'world', command: words.command, seed: about.seed, scenario: words.scenario,
    options: { compute: about.compute, 'block interval, ms': about.blockIntervalMs, 'a slice on a laptop, ms': about.laptopSliceMs, ...words.options },
    ...(words.counts === undefined ? {} : { counts: words.counts }),
    nodes: about.nodes, attackers: about.attackers, virtualMs: about.elapsedMs, wallMs: words.wallMs, events: parts.reduce((sum, p) => sum + p.events, 0),
    violations: words.violations ?? [],
    ...(words.checked === undefined ? {} : { checked: words.checked }),
    ...(words.tables === undefined ? {} : { tables: words.tables }),
    ...forks(blocks, head, settledHeight),
    forksOverTime: forkWindows(blocks, head, about.elapsedMs, WINDOWS, settledHeight),
    propagationMs: spread(propagationMs(blocks, heads)),
    bytesPerSecond: spread(figures.map(t => t.bytesPerSecond)),
    diskBytes: spread(tabs.map(t => t.diskBytes)),
    tabs: figures,
    moments,
    ...(words.healedAtMs === undefined ? {} : { healedAtMs: words.healedAtMs, agreedAtMs: agreedAtMs(moments, words.healedAtMs) })
  }
}

/** With its blocks of the main chain, and what that has paid it. */
function withEarnings (parts: readonly Sightings[], blocks: readonly BlockSeen[], main: ReadonlySet<string>, tabs: readonly TabSighting[]): TabSeen[] {
  const credits = new Map(parts.flatMap(p => [...p.credits]))
  const tabOf = new Map(parts.flatMap(p => [...p.tabOf]))
  const made = new Map<number, number>()
  const reward = new Map<number, number>()
  const add = (map: Map<number, number>, tab: number | undefined, n: number): void => { if (tab !== undefined) map.set(tab, (map.get(tab) ?? 0) + n) }
  for (const b of blocks) if (main.has(b.hash)) add(made, b.tab, 1)
  for (const hash of main) for (const [account, amount] of credits.get(hash) ?? []) add(reward, tabOf.get(account), amount)
  return tabs.map(t => ({ ...t, blocks: made.get(t.tab) ?? 0, reward: reward.get(t.tab) ?? 0 }))
}
