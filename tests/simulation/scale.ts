/**
 * How large a network one process can be, and what grows with it: calm worlds of phones and laptops
 * that mine a two-hundredth of their time, of some sizes, and per tab its traffic, its disk, its memory, its events. A world is
 * run in two parts (parts/).
 * What a tab must do may grow like log N (hops), not like N: the growth is checked, not only shown.
 */
import { type ChainParams, MAIN } from '../../src/core/params.ts'
import { bytes, count, percent, rate } from '../../src/ui/format.ts'
import { DEAREST_SLICE_MS } from './devices.ts'
import { forkWords, likeLog, rateInterval } from './figures.ts'
import { heapBytes } from './heap.ts'
import { Observer } from './observer.ts'
import { inTurns, type Part } from './parts/lockstep.ts'
import { Inbox, Outbox } from './parts/post.ts'
import { inThreads, runPart } from './parts/threads.ts'
import type { SweepReport, Table, Violation, WorldReport } from './report/types.ts'
import { reportOf, type Sightings } from './sightings.ts'
import { World } from './world.ts'

export interface ScaleOptions {
  readonly seed: string
  readonly nodes: number
  /** Virtual. */
  readonly hours: number
  /** Instead of the main network's. */
  readonly params?: Partial<ChainParams>
  /** Of a device's time, 0..1. */
  readonly duty?: number
  /** Contributions per round in the beginning, as WorldOptions has it. */
  readonly offers?: number
  readonly command?: string
  readonly progress?: (line: string) => void
  /** The program that runs one part in a thread, if it is to be done in threads (parts/threads.ts). */
  readonly threads?: URL
}

/** Every third tab is a phone. Gaming machines make slices by the dozen and would only cost events. */
const PHONES = 3
const DUTY = 0.005
/** Offered per round in the beginning: from below, for sixteen times as many are offered before the first miners are counted. */
const OFFERS = 4
/** Pages open within this, ms. */
const OPENING_MS = 20_000
/** A figure per tab may be so much more than the logarithms say. */
export const GROWTH_SLACK = 1.5
/** Below so many rounds, the first offers, of miners who do not know yet how many they are, are most of all that was carried. */
const JUDGED_ROUNDS = 20

/** Whole: of 0.017 hours there is a fraction left over that a clock of this day never reaches. */
const msOf = (hours: number): number => Math.round(hours * 3_600_000)

const perSecond = (n: number, nodes: number, ms: number): number => Math.round(n / nodes / (ms / 1000) * 100) / 100

/** What one part of the world is at a moment. */
interface Look { readonly low: number, readonly high: number, readonly events: number }

interface Seen {
  readonly sightings: Sightings
  readonly offerShare: number
  readonly roundMs: number
  /** Contributions offered, by the round they start from. */
  readonly offered: ReadonlyMap<number, number>
  /** What the part, or all parts of this thread, hold alive in the end. */
  readonly heapBytes: number
}

type PartOptions = Pick<ScaleOptions, 'duty' | 'hours' | 'nodes' | 'offers' | 'params' | 'seed'>

function partOfScale (o: PartOptions, index: number): { readonly part: Part, readonly ms: number, readonly look: () => Look, readonly seen: () => Omit<Seen, 'heapBytes'> } {
  const { duty = DUTY, nodes, offers = OFFERS, seed } = o
  const outbox = new Outbox()
  const world = new World({
    seed, nodes, compute: 'stand-in', laptopSliceMs: DEAREST_SLICE_MS, warm: true, offers, duty,
    devices: i => i % PHONES === 0 ? 'phone' : 'laptop',
    params: o.params, part: { index, post: parcel => { outbox.put(parcel) } }
  })
  const observer = new Observer(world, 10_000)
  const offered = new Map<number, number>()
  world.listen({ opened: (_, { log }) => {
    const debug = log.debug.bind(log)
    log.debug = (area, text) => {
      const round = area === 'trainer' ? /^contribution: slice \d+ of round (\d+)/.exec(text)?.[1] : undefined
      if (round !== undefined) offered.set(Number(round), (offered.get(Number(round)) ?? 0) + 1)
      debug(area, text)
    }
  } })
  world.openAll(OPENING_MS)
  const look = (): Look => {
    const heights = world.tabs.flatMap(t => t.node === undefined ? [] : [t.node.chain.head().height])
    return { low: Math.min(...heights), high: Math.max(...heights), events: world.scheduler.events }
  }
  const seen = (): Omit<Seen, 'heapBytes'> => ({ sightings: observer.sightings(), offerShare: world.offerShare, roundMs: world.params.roundMs, offered })
  return { part: { world, outbox, inbox: new Inbox() }, ms: msOf(o.hours), look, seen }
}

/** In a thread that `scale` has started. */
export async function runScalePart (): Promise<void> {
  const before = heapBytes()
  await runPart((o: PartOptions, index) => {
    const { seen, ...part } = partOfScale(o, index)
    return { ...part, seen: (): Seen => ({ heapBytes: heapBytes() - before, ...seen() }) }
  })
}

export async function scale (o: ScaleOptions): Promise<WorldReport> {
  const { duty = DUTY, hours, nodes, offers, params, seed } = o
  const begun = performance.now()
  const cpu = process.cpuUsage()
  const ms = msOf(hours)
  const used = (): number => { const { user, system } = process.cpuUsage(cpu); return (user + system) / 1e6 }
  let rss = 0
  let minutes = 0
  const looked = (looks: readonly Look[]): void => {
    rss = Math.max(rss, process.memoryUsage.rss())
    const events = looks.reduce((sum, l) => sum + l.events, 0)
    o.progress?.(`${nodes} nodes, ${Math.min(++minutes, ms / 60_000).toFixed(1)} min: heights ${Math.min(...looks.map(l => l.low))}..${Math.max(...looks.map(l => l.high))}, ${events} events, ${used().toFixed(0)} s CPU, ${((performance.now() - begun) / 1000).toFixed(0)} s, ${(rss / 1e6).toFixed(0)} MB`)
  }
  const given: PartOptions = { duty, hours, nodes, offers, params, seed }
  const seen = o.threads === undefined ? await inOneThread(given, looked) : await inThreads<PartOptions, Look, Seen>(o.threads, given, looked)
  const sightings = seen.map(s => s.sightings)
  const events = sightings.reduce((sum, s) => sum + s.events, 0)
  const offered = new Map<number, number>()
  for (const s of seen) for (const [round, n] of s.offered) offered.set(round, (offered.get(round) ?? 0) + n)
  const rounds = [...offered].sort(([a], [b]) => a - b).map(([, n]) => n)
  const half = rounds.slice(Math.floor(rounds.length / 2), -1)
  const report = reportOf(sightings, {
    command: o.command ?? `npm run sim -- --scenario scale --nodes ${nodes} --hours ${hours} --seed ${seed}`, scenario: 'scale', wallMs: performance.now() - begun,
    options: {
      'round, ms': seen[0].roundMs, 'share of time mined': duty, 'offer share of the first block': seen[0].offerShare, 'CPU, s': Math.round(used()), 'memory of the process, MB': Math.round(rss / 1e6),
      'events per node-second': perSecond(events, nodes, ms), 'CPU per node-second, µs': Math.round(used() * 1e6 / nodes / (ms / 1000)),
      'contributions offered in the first round': rounds[0] ?? 0,
      'contributions offered per round of the second half': half.length === 0 ? 0 : Math.round(half.reduce((a, b) => a + b, 0) / half.length)
    }
  })
  return { ...report, heapPerTab: seen.reduce((sum, s) => sum + s.heapBytes, 0) / nodes }
}

async function inOneThread (o: PartOptions, looked: (looks: readonly Look[]) => void): Promise<Seen[]> {
  const before = heapBytes()
  const [a, b] = [partOfScale(o, 0), partOfScale(o, 1)]
  await inTurns([a.part, b.part], a.ms, () => { looked([a.look(), b.look()]) })
  const held = heapBytes() - before
  return [{ ...a.seen(), heapBytes: held }, { ...b.seen(), heapBytes: 0 }]
}

const size = (b: number): string => bytes(Math.round(b))

/** What may grow no faster than log N. Of memory there is one figure for all: the tabs of a process share most of it. */
const FIGURES: ReadonlyArray<{ readonly checker: string, readonly of: (p: WorldReport) => number, readonly whose: string, readonly words: (n: number) => string }> = [
  { checker: 'bandwidth-growth', of: p => p.bytesPerSecond.p50, whose: 'half of the tabs', words: rate },
  { checker: 'bandwidth-growth', of: p => p.bytesPerSecond.p95, whose: '95 of 100 tabs', words: rate },
  { checker: 'disk-growth', of: p => p.diskBytes.p50, whose: 'half of the tabs', words: size },
  { checker: 'disk-growth', of: p => p.diskBytes.p95, whose: '95 of 100 tabs', words: size },
  { checker: 'memory-growth', of: p => p.heapPerTab ?? 0, whose: 'the mean tab', words: size }
]

/** Figures per tab that grow faster than log N, from the smallest world to each larger one. */
export function growth (points: readonly WorldReport[]): Violation[] {
  const [first, ...larger] = points
  return larger.flatMap(p => FIGURES.flatMap(({ checker, of, whose, words }) => {
    const most = GROWTH_SLACK * likeLog(of(first), first.nodes, p.nodes)
    return of(p) <= most ? [] : [{ checker, detail: `${whose}: ${words(of(p))} per tab with ${p.nodes} tabs, ${words(of(first))} with ${first.nodes}: more than ${words(most)}`, atMs: p.virtualMs }]
  }))
}

/**
 * Of the large runs, ms: at the main network's four seconds, carrying contributions, vouches, votes and
 * seals is nine tenths of all events, and an hour of 2,000 tabs would take as long as an hour.
 */
export const LARGE_ROUND_MS = 60_000

function intervalOf (p: WorldReport): string {
  if (p.blocksMain === 0) return '–'
  const { low, high } = rateInterval(p.blocksOrphaned, p.blocksMain)
  return `${percent(low)} to ${percent(high)}`
}

const MEMORY_NOTE = 'Memory is what the process holds alive in the end over its tabs: what they share, blocks and results, counts once, and what the simulator keeps of them counts, too.'

function tableOf (points: readonly WorldReport[], notes: readonly string[]): Table {
  return {
    caption: 'A tab in a larger network',
    head: ['tabs', 'blocks', 'beside them', '95 % interval', 'traffic of a tab', '95 %', 'disk of a tab', '95 %', 'memory per tab'],
    rows: points.map(p => [count(p.nodes), count(p.blocksMain), percent(p.forkRate), intervalOf(p), rate(p.bytesPerSecond.p50), rate(p.bytesPerSecond.p95), size(p.diskBytes.p50), size(p.diskBytes.p95), size(p.heapPerTab ?? 0)]),
    notes: [MEMORY_NOTE, ...notes]
  }
}

/** The same world at some sizes; what grew too fast is a violation of the last. */
export async function scaleSweep (o: ScaleOptions, sizes: readonly number[] = [20, 200, o.nodes]): Promise<SweepReport> {
  const points: WorldReport[] = []
  for (const nodes of [...new Set(sizes)].sort((a, b) => a - b)) {
    const p = await scale({ ...o, nodes })
    points.push(p)
    o.progress?.(`${nodes} nodes: ${p.blocksMain} blocks, ${forkWords(p)}, ${p.bytesPerSecond.p50.toFixed(0)} B/s and ${(p.diskBytes.p50 / 1e6).toFixed(1)} MB of disk for half of the tabs, ${p.bytesPerSecond.p95.toFixed(0)} B/s and ${(p.diskBytes.p95 / 1e6).toFixed(1)} MB for 95 of 100, ${((p.heapPerTab ?? 0) / 1e6).toFixed(2)} MB of memory per tab, ${Object.entries(p.options).map(([name, value]) => `${name}: ${value}`).join('; ')}`)
  }
  const rounds = Math.floor(msOf(o.hours) / (o.params?.roundMs ?? MAIN.roundMs))
  const command = o.command ?? points[points.length - 1].command
  if (rounds < JUDGED_ROUNDS) {
    return { kind: 'sweep', command, scenario: 'scale', points, tables: [tableOf(points, [`Too short to judge how traffic, disk and memory grow: it had time for ${rounds} rounds, and takes ${JUDGED_ROUNDS}.`])] }
  }
  const violations = growth(points)
  const judged = points.map((p, i) => ({ ...p, checked: ['Traffic and disk of a tab, of half of them and of 95 of 100, and memory per tab grow no faster than the logarithm of the tabs.'], violations: i < points.length - 1 ? p.violations : [...p.violations, ...violations] }))
  return { kind: 'sweep', command, scenario: 'scale', points: judged, tables: [tableOf(points, [])] }
}
