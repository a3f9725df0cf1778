/**
 * The figures of a report out of what was seen in a world: plain arrays in, plain values out. Who
 * sees (a watcher, a scale run) and who draws (report/) both stay out of here.
 */
import { poissonAtMost } from './chance.ts'
import type { ForkWindow, Moment, Spread, TabFigures } from './report/types.ts'

/** Nearest rank: a value that was seen, not one between two; zeros of nothing. */
export function spread (values: readonly number[] | Float64Array): Spread {
  const sorted = Float64Array.from(values).sort()
  const at = (share: number): number => sorted.length === 0 ? 0 : sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
  return { p50: at(0.5), p95: at(0.95), max: at(1) }
}

/** Each as a share of their sum, 0..1; zeros where the sum is zero. */
export function shares (parts: readonly number[]): number[] {
  const sum = parts.reduce((a, b) => a + b, 0)
  return parts.map(p => sum === 0 ? 0 : p / sum)
}

export const ratio = (of: number, per: number): number => per === 0 ? 0 : of / per

/** A block somebody made, valid or at least taken by its maker. */
export interface BlockSeen {
  readonly hash: string
  readonly parent: string
  readonly height: number
  /** Tab that made it. */
  readonly tab: number
  /** Virtual ms since the world began. */
  readonly madeAtMs: number
}

/** A tab's head became this block. */
export interface HeadSeen { readonly atMs: number, readonly tab: number, readonly hash: string }

/** Hashes from `head` down as far as blocks are known. */
export function mainChain (blocks: readonly BlockSeen[], head: string): Set<string> {
  const byHash = new Map(blocks.map(b => [b.hash, b]))
  const main = new Set<string>()
  for (let b = byHash.get(head); b !== undefined && !main.has(b.hash); b = byHash.get(b.parent)) main.add(b.hash)
  return main
}

export interface Forks { readonly blocksMain: number, readonly blocksOrphaned: number, readonly forkRate: number }

/** Blocks above `settledHeight` are left out on both sides: whether they stay is not decided yet. */
export function forks (blocks: readonly BlockSeen[], head: string, settledHeight = Infinity): Forks {
  const main = mainChain(blocks, head)
  const settled = blocks.filter(b => b.height <= settledHeight)
  const blocksMain = settled.filter(b => main.has(b.hash)).length
  const blocksOrphaned = settled.length - blocksMain
  return { blocksMain, blocksOrphaned, forkRate: ratio(blocksOrphaned, blocksMain) }
}

/** The same in `count` windows of equal length up to `endMs`. */
export function forkWindows (blocks: readonly BlockSeen[], head: string, endMs: number, count: number, settledHeight = Infinity): ForkWindow[] {
  const main = mainChain(blocks, head)
  const windows = Array.from({ length: count }, (_, i) => ({ fromMs: endMs * i / count, toMs: endMs * (i + 1) / count, blocksMain: 0, blocksOrphaned: 0 }))
  for (const b of blocks) {
    const window = windows[Math.min(count - 1, Math.floor(b.madeAtMs / endMs * count))]
    if (b.height > settledHeight || window === undefined) continue
    if (main.has(b.hash)) window.blocksMain++
    else window.blocksOrphaned++
  }
  return windows
}

/** Ms from each block's making to its being the head of another tab, of every such pair; first time only. */
export function propagationMs (blocks: readonly BlockSeen[], heads: readonly HeadSeen[]): number[] {
  const byHash = new Map(blocks.map(b => [b.hash, { block: b, at: new Set<number>([b.tab]) }]))
  const delays: number[] = []
  for (const { atMs, hash, tab } of heads) {
    const known = byHash.get(hash)
    if (known === undefined || known.at.has(tab)) continue
    known.at.add(tab)
    delays.push(atMs - known.block.madeAtMs)
  }
  return delays
}

/** Where one tab stands at one moment. */
export interface TipSeen { readonly head: string, readonly height: number, readonly round: number }

/** Where all tabs of a world stand at one moment, or those of a part of it. */
export interface Stand {
  readonly atMs: number
  readonly up: number
  /** Heights; Infinity and -Infinity of none. */
  readonly low: number
  readonly high: number
  /** Different ones. */
  readonly heads: readonly string[]
  readonly round: number
}

export function stand (atMs: number, tips: readonly TipSeen[]): Stand {
  const heights = tips.map(t => t.height)
  return {
    atMs,
    up: tips.length,
    low: Math.min(...heights),
    high: Math.max(...heights),
    heads: [...new Set(tips.map(t => t.head))],
    round: tips.reduce((most, t) => Math.max(most, t.round), 0)
  }
}

/** Of the stands of all parts at one time. */
export function moment (parts: readonly Stand[]): Moment {
  const up = parts.reduce((sum, p) => sum + p.up, 0)
  return {
    atMs: parts[0].atMs,
    up,
    heightMin: up === 0 ? 0 : Math.min(...parts.map(p => p.low)),
    heightMax: up === 0 ? 0 : Math.max(...parts.map(p => p.high)),
    heads: new Set(parts.flatMap(p => p.heads)).size,
    round: Math.max(...parts.map(p => p.round))
  }
}

/** The first moment since the healing at which all that were up had one head. */
export function agreedAtMs (moments: readonly Moment[], healedAtMs: number): number | undefined {
  return moments.find(m => m.atMs >= healedAtMs && m.up > 0 && m.heads === 1)?.atMs
}

/** What one participant did over the whole run, in its own units. */
export interface TabSeen {
  readonly tab: number
  readonly device: string
  readonly role: string
  /** Cost units of slices: compute time x speed. */
  readonly work: number
  /** On the main chain. */
  readonly blocks: number
  /** Grains; a share is enough exact as a double. */
  readonly reward: number
  /** In and out. */
  readonly bytes: number
  readonly upMs: number
}

export function tabFigures (tabs: readonly TabSeen[]): TabFigures[] {
  const work = shares(tabs.map(t => t.work))
  const blocks = shares(tabs.map(t => t.blocks))
  const reward = shares(tabs.map(t => t.reward))
  return tabs.map((t, i) => ({
    tab: t.tab, device: t.device, role: t.role,
    workShare: work[i], blockShare: blocks[i], rewardShare: reward[i], bytesPerSecond: ratio(t.bytes, t.upMs / 1000)
  }))
}

export interface Interval { readonly low: number, readonly high: number }

/** The x at which a falling function reaches `y`. */
function solveFalling (f: (x: number) => number, y: number, high: number): number {
  let [a, b] = [0, high]
  for (let i = 0; i < 60; i++) {
    const middle = (a + b) / 2
    if (f(middle) > y) a = middle
    else b = middle
  }
  return (a + b) / 2
}

/** Where the true rate lies with 95 % when `events` were counted in `exposure` (Garwood 1936, exact). */
export function rateInterval (events: number, exposure: number): Interval {
  if (exposure === 0) return { low: 0, high: Infinity }
  const top = 10 + 2 * events + 10 * Math.sqrt(events)
  const low = events === 0 ? 0 : solveFalling(mean => poissonAtMost(events - 1, mean), 0.975, top)
  return { low: low / exposure, high: solveFalling(mean => poissonAtMost(events, mean), 0.025, top) / exposure }
}

/** A rate of forks with the interval that so many counts give, for a line on the console. */
export function forkWords ({ forkRate, blocksOrphaned, blocksMain }: Forks): string {
  if (blocksMain === 0) return 'no blocks, no fork rate'
  const { low, high } = rateInterval(blocksOrphaned, blocksMain)
  return `fork rate ${forkRate.toFixed(3)} (95 %: ${low.toFixed(3)} to ${high.toFixed(3)})`
}

/** What `y` at `from` becomes at `to` if it grows like their logarithms; below two nodes there is nothing to tell. */
export const likeLog = (y: number, from: number, to: number): number => y * Math.log2(Math.max(2, to)) / Math.log2(Math.max(2, from))
