/** What a report shows of its figures: one section each, of a sentence, a chart, and the chart's figures as a table. */
import { count, duration, percent } from '../../../src/ui/format.ts'
import { likeLog, rateInterval, ratio } from '../figures.ts'
import { bars, chart, escape, type Point, type Series, SHAPES, table } from './svg.ts'
import type { SweepReport, Table, TabFigures, WorldReport } from './types.ts'

const figure = (v: number): string => v === 0 ? '0' : Math.abs(v) >= 100 ? count(Math.round(v)) : String(Number(v.toPrecision(3)))
const seconds = (ms: number): string => `${figure(ms / 1000)} s`
/** Decimal units: their round numbers are round on an axis. */
const size = (b: number): string => b >= 1e9 ? `${figure(b / 1e9)} GB` : b >= 1e6 ? `${figure(b / 1e6)} MB` : b >= 1e3 ? `${figure(b / 1e3)} kB` : `${figure(b)} B`
const perSecond = (b: number): string => `${size(b)}/s`
const share = (v: number): string => percent(v, v > 0 && v < 0.001 ? 3 : v < 0.1 ? 2 : 1)
const axisShare = (v: number): string => `${Number((v * 100).toPrecision(3))} %`
const minutes = (ms: number): number => ms / 60_000
const TIME = { label: 'virtual minutes', scale: 'linear', format: figure } as const

interface Section { readonly title: string, readonly says: string, readonly chart: string, readonly tables: readonly Table[] }

const section = (s: Section): string =>
  `<section class="card"><h2>${escape(s.title)}</h2><p>${escape(s.says)}</p>${s.chart}<details><summary>The figures</summary>${s.tables.map(table).join('')}</details></section>`

// --- of one world

export function worldSections (r: WorldReport): string {
  return [forksOverTime(r), convergence(r), rewards(r.tabs, 'Reward against work', 'rewards'), traffic(r), propagation(r), disk(r)].join('')
}

const spreadTable = (caption: string, s: WorldReport['diskBytes'], format: (v: number) => string): Table => ({ caption, head: ['Part', 'Figure'], rows: [['Half, at most', format(s.p50)], ['95 of 100, at most', format(s.p95)], ['Most of all', format(s.max)]] })
const spreadBars = (id: string, title: string, s: WorldReport['diskBytes'], format: (v: number) => string, colour: number): string =>
  bars(id, title, [{ label: 'median', value: s.p50, text: format(s.p50) }, { label: '95 %', value: s.p95, text: format(s.p95) }, { label: 'max', value: s.max, text: format(s.max) }], colour)

/** Where the rate of forks lies with 95 %; without a block there is no rate. */
const forkInterval = (orphaned: number, main: number): string => {
  if (main === 0) return '–'
  const { low, high } = rateInterval(orphaned, main)
  return `${figure(low)} to ${figure(high)}`
}

function forksOverTime (r: WorldReport): string {
  const says = `${count(r.blocksOrphaned)} valid ${r.blocksOrphaned === 1 ? 'block' : 'blocks'} beside ${count(r.blocksMain)} of the main chain, its newest two left out as undecided: ${figure(r.forkRate)} forks per block${r.blocksMain === 0 ? '' : `, with 95 % between ${forkInterval(r.blocksOrphaned, r.blocksMain).replace(' to ', ' and ')}`}.`
  const windows = r.forksOverTime
  if (windows === undefined) {
    return section({
      title: 'Fork rate', says,
      chart: chart({ id: 'forks', title: 'Different heads over time', x: TIME, y: { label: 'heads', scale: 'linear', whole: true, format: figure }, series: [{ name: 'different heads', draw: 'steps', colour: 0, points: r.moments.map(m => ({ x: minutes(m.atMs), y: m.heads })) }] }),
      tables: [{ caption: 'Forks in all', head: ['Blocks', 'Number'], rows: [['on the main chain', count(r.blocksMain)], ['valid, not on it', count(r.blocksOrphaned)], ['forks per block', figure(r.forkRate)], ['95 % interval', forkInterval(r.blocksOrphaned, r.blocksMain)]] }]
    })
  }
  // Where none of the chain's was made there is no rate, whatever lies beside it.
  const points = windows.flatMap(w => w.blocksMain === 0 ? [] : [{ x: minutes((w.fromMs + w.toMs) / 2), y: w.blocksOrphaned / w.blocksMain }])
  return section({
    title: 'Fork rate', says,
    chart: chart({
      id: 'forks', title: 'Forks per block over time',
      x: { ...TIME, max: minutes(r.virtualMs) }, y: { label: 'forks per block', scale: 'linear', format: figure },
      series: [{ name: 'forks per block', draw: 'line', shape: 'circle', colour: 0, points }, { name: 'of the whole run', draw: 'line', dashed: true, colour: 1, points: [{ x: 0, y: r.forkRate }, { x: minutes(r.virtualMs), y: r.forkRate }] }]
    }),
    tables: [{ caption: 'Forks by time', head: ['From', 'Main chain', 'Beside it', 'Per block', '95 % interval'], rows: [...windows.map(w => [duration(w.fromMs), count(w.blocksMain), count(w.blocksOrphaned), w.blocksMain === 0 ? '–' : figure(w.blocksOrphaned / w.blocksMain), forkInterval(w.blocksOrphaned, w.blocksMain)]), ['The whole run', count(r.blocksMain), count(r.blocksOrphaned), figure(r.forkRate), forkInterval(r.blocksOrphaned, r.blocksMain)]] }]
  })
}

function propagation (r: WorldReport): string {
  return section({
    title: 'Propagation', says: `From a block's making to its being the head of another tab: half within ${seconds(r.propagationMs.p50)}, 95 of 100 within ${seconds(r.propagationMs.p95)}. The redoing of its work is part of it.`,
    chart: spreadBars('propagation', 'Time to be the head elsewhere', r.propagationMs, seconds, 1),
    tables: [spreadTable('Time from making to head elsewhere', r.propagationMs, seconds)]
  })
}

/** In order of first appearance, the honest ones first. */
const rolesOf = (tabs: readonly TabFigures[]): string[] => [...new Set(tabs.map(t => t.role))].sort((a, b) => Number(b === 'honest') - Number(a === 'honest'))

function rewards (tabs: readonly TabFigures[], title: string, id: string, of = ''): string {
  const roles = rolesOf(tabs)
  const devices = [...new Set(tabs.map(t => t.device))]
  const groups = roles.flatMap((role, colour) => devices.map((device, i) => ({ role, device, colour: Math.min(colour, 4), shape: SHAPES[Math.min(i, SHAPES.length - 1)], tabs: tabs.filter(t => t.role === role && t.device === device) }))).filter(g => g.tabs.length > 0)
  const most = 1.06 * Math.max(...tabs.flatMap(t => [t.workShare, t.rewardShare]), 0.01)
  const axis = { scale: 'sqrt' as const, format: axisShare, max: most }
  const sum = (of: readonly TabFigures[], key: 'workShare' | 'blockShare' | 'rewardShare'): number => of.reduce((s, t) => s + t[key], 0)
  const rows = groups.map(g => [`${g.role}, ${g.device}`, count(g.tabs.length), share(sum(g.tabs, 'workShare')), share(sum(g.tabs, 'blockShare')), share(sum(g.tabs, 'rewardShare')), figure(ratio(sum(g.tabs, 'rewardShare'), sum(g.tabs, 'workShare')))])
  const attackers = tabs.filter(t => t.role !== 'honest')
  return section({
    title,
    says: of + (attackers.length === 0
      ? 'Each mark is a participant; on the diagonal it earns what its work is worth. Both axes are drawn by square roots, so that small ones can be told apart.'
      : `Those who are not honest did ${share(sum(attackers, 'workShare'))} of the work and earned ${share(sum(attackers, 'rewardShare'))} of the credits. On the diagonal a participant earns what its work is worth. Axes by square roots.`),
    chart: chart({
      id, title: 'Share of rewards against share of work', x: { label: 'share of work', ...axis }, y: { label: 'share of rewards', ...axis },
      series: [{ name: 'reward = work', draw: 'line', dashed: true, colour: 4, points: [{ x: 0, y: 0 }, { x: most, y: most }] },
        ...groups.map((g): Series => ({ name: `${g.role}, ${g.device}`, draw: 'points', colour: g.colour, shape: g.shape, points: g.tabs.map(t => ({ x: t.workShare, y: t.rewardShare })) }))]
    }),
    tables: [
      { caption: 'By role and device', head: ['Who', 'Tabs', 'Work', 'Blocks', 'Rewards', 'Reward per work'], rows },
      { caption: 'Every participant', head: ['Tab', 'Role, device', 'Work', 'Blocks', 'Rewards', 'Traffic'], rows: tabs.map(t => [String(t.tab), `${t.role}, ${t.device}`, share(t.workShare), share(t.blockShare), share(t.rewardShare), perSecond(t.bytesPerSecond)]) }
    ]
  })
}

function convergence (r: WorldReport): string {
  const { agreedAtMs, healedAtMs, moments } = r
  const marks = [...(healedAtMs === undefined ? [] : [{ x: minutes(healedAtMs), label: 'healed' }]), ...(agreedAtMs === undefined ? [] : [{ x: minutes(agreedAtMs), label: 'all agree' }])]
  const says = healedAtMs === undefined
    ? 'This run had no moment of healing: heads and heights as they went.'
    : agreedAtMs === undefined ? `Healed after ${duration(healedAtMs)}; by the end not all tabs had one head again.` : `Healed after ${duration(healedAtMs)}; ${duration(agreedAtMs - healedAtMs)} later all honest tabs had one head.`
  return section({
    title: 'Convergence', says,
    chart: chart({
      id: 'convergence', title: 'Different heads and spread of heights over time', marks,
      x: { ...TIME, max: minutes(r.virtualMs) }, y: { label: 'heads, blocks', scale: 'linear', whole: true, format: figure },
      series: [
        { name: 'different heads', draw: 'steps', colour: 0, points: moments.map(m => ({ x: minutes(m.atMs), y: m.heads })) },
        { name: 'highest less lowest height', draw: 'steps', dashed: true, colour: 2, points: moments.map(m => ({ x: minutes(m.atMs), y: m.heightMax - m.heightMin })) }
      ]
    }),
    tables: [{ caption: 'Moments', head: ['At', 'Tabs up', 'Heads', 'Lowest', 'Highest', 'Round'], rows: moments.map(m => [duration(m.atMs), count(m.up), count(m.heads), count(m.heightMin), count(m.heightMax), count(m.round)]) }]
  })
}

function traffic (r: WorldReport): string {
  const devices = [...new Set(r.tabs.map(t => t.device))]
  const ranked = [...r.tabs].sort((a, b) => a.bytesPerSecond - b.bytesPerSecond).map((t, i) => ({ t, rank: i + 1 }))
  return section({
    title: 'Traffic of a tab', says: `In and out together, while it is open: half of the tabs at most ${perSecond(r.bytesPerSecond.p50)}, 95 of 100 at most ${perSecond(r.bytesPerSecond.p95)}, none above ${perSecond(r.bytesPerSecond.max)}.`,
    chart: chart({
      id: 'traffic', title: 'Traffic of every tab, least first', x: { label: 'tabs, least traffic first', scale: 'linear', whole: true, format: figure, min: 0 }, y: { label: 'bytes per second', scale: 'linear', format: perSecond },
      series: devices.map((device, i): Series => ({ name: device, draw: 'points', colour: Math.min(i, 4), shape: SHAPES[Math.min(i, SHAPES.length - 1)], points: ranked.filter(x => x.t.device === device).map(x => ({ x: x.rank, y: x.t.bytesPerSecond })) }))
    }),
    tables: [spreadTable('Traffic of a tab, in and out', r.bytesPerSecond, perSecond)]
  })
}

function disk (r: WorldReport): string {
  return section({
    title: 'Disk of a tab', says: 'What each tab keeps in its storage at the end: chain, states and payloads of the window, data.',
    chart: spreadBars('disk', 'Bytes kept by a tab', r.diskBytes, size, 2),
    tables: [spreadTable('Disk of a tab at the end', r.diskBytes, size)]
  })
}

// --- over growing numbers of nodes

/** Worlds with the same number of nodes, fewest first; one without any says nothing of N. */
export function byNodes (points: readonly WorldReport[]): Array<{ readonly nodes: number, readonly worlds: readonly WorldReport[] }> {
  const sizes = [...new Set(points.map(p => p.nodes))].filter(n => n > 0).sort((a, b) => a - b)
  return sizes.map(nodes => ({ nodes, worlds: points.filter(p => p.nodes === nodes) }))
}

export function sweepSections (r: SweepReport): string {
  if (r.points.length === 0) return ''
  if (r.unlike === true) return r.points.map((p, i) => rewards(p.tabs, `Reward against work: ${p.scenario}`, `rewards${String.fromCharCode(97 + i)}`)).join('')
  const largest = r.points.reduce((a, b) => b.nodes > a.nodes ? b : a)
  return [
    forksByNodes(r), spreadByNodes(r, { title: 'Propagation', id: 'propagation', of: p => p.propagationMs, y: 'time to be the head elsewhere', format: seconds, says: "From a block's making to its being the head of another tab." }),
    spreadByNodes(r, { title: 'Bandwidth', id: 'bandwidth', of: p => p.bytesPerSecond, y: 'bytes per second of a tab', format: perSecond, says: 'Traffic of a tab, in and out.' }),
    rewards(largest.tabs, `Reward against work, ${count(largest.nodes)} nodes`, 'rewards', r.points.length === 1 ? '' : `Of one of the ${count(r.points.length)} worlds, seed ${largest.seed}. `), healing(r),
    spreadByNodes(r, { title: 'Disk', id: 'disk', of: p => p.diskBytes, y: 'bytes kept by a tab', format: size, says: 'What a tab keeps at the end.' })
  ].join('')
}

/** Label, scale and ticks of the number of nodes. */
const nodesAxis = (r: SweepReport) => ({ label: 'nodes (N)', scale: 'log' as const, format: (v: number) => count(v), ticks: byNodes(r.points).map(g => g.nodes) })
const mean = (values: readonly number[]): number => ratio(values.reduce((a, b) => a + b, 0), values.length)

const againstN = (groups: readonly unknown[]): string => groups.length === 1 ? '' : ' against N'

const forkBars = ({ interval, rate }: { readonly rate: number, readonly interval: { readonly low: number, readonly high: number } }): string => {
  const bar = (label: string, value: number): { readonly label: string, readonly value: number, readonly text: string } => ({ label, value, text: figure(value) })
  return bars('forks', 'Forks per block', [bar('at least', interval.low), bar('counted', rate), bar('at most', interval.high)])
}

function forksByNodes (r: SweepReport): string {
  const groups = byNodes(r.points).map(({ nodes, worlds }) => {
    const main = worlds.reduce((s, w) => s + w.blocksMain, 0)
    const orphaned = worlds.reduce((s, w) => s + w.blocksOrphaned, 0)
    return { nodes, worlds: worlds.length, main, orphaned, rate: ratio(orphaned, main), interval: rateInterval(orphaned, main) }
  })
  return section({
    title: `Fork rate${againstN(groups)}`, says: 'Valid blocks that are not on the main chain, per block that is; the bars are where the rate lies with 95 % by the number of forks counted.',
    chart: groups.length === 1 && groups[0].main > 0 ? forkBars(groups[0]) : chart({
      id: 'forks', title: 'Forks per block against the number of nodes', x: nodesAxis(r), y: { label: 'forks per block', scale: 'linear', format: figure },
      series: [{ name: 'forks per block, 95 % interval', draw: 'line', shape: 'circle', colour: 0, points: groups.flatMap((g): Point[] => g.main === 0 ? [] : [{ x: g.nodes, y: g.rate, low: g.interval.low, high: g.interval.high }]) }]
    }),
    tables: [{ caption: 'Forks by number of nodes', head: ['Nodes', 'Worlds', 'Main chain', 'Beside it', 'Per block', '95 % interval'], rows: groups.map(g => [count(g.nodes), count(g.worlds), count(g.main), count(g.orphaned), figure(g.rate), forkInterval(g.orphaned, g.main)]) }]
  })
}

interface SpreadSection { readonly title: string, readonly id: string, readonly of: (p: WorldReport) => WorldReport['diskBytes'], readonly y: string, readonly format: (v: number) => string, readonly says: string }

/** Median, 95 % and maximum against N, and what the smallest world's median becomes if it grows like log N. */
function spreadByNodes (r: SweepReport, s: SpreadSection): string {
  const groups = byNodes(r.points).map(({ nodes, worlds }) => ({ nodes, p50: mean(worlds.map(w => s.of(w).p50)), p95: mean(worlds.map(w => s.of(w).p95)), max: Math.max(...worlds.map(w => s.of(w).max)) }))
  const reference = groups.map(g => likeLog(groups[0].p50, groups[0].nodes, g.nodes))
  const last = groups.length - 1
  const line = (name: string, key: 'p50' | 'p95' | 'max', i: number): Series => ({ name, draw: 'line', colour: i, shape: SHAPES[i], points: groups.map(g => ({ x: g.nodes, y: g[key] })) })
  const law = last < 1 || reference[last] === 0 ? '' : ` The dashed line grows like log N from the smallest world's median; at ${count(groups[last].nodes)} nodes the median is ${figure(groups[last].p50 / reference[last])} times that.`
  return section({
    title: `${s.title}${s.id === 'propagation' ? '' : againstN(groups)}`, says: `${s.says}${law}`,
    chart: last === 0 ? spreadBars(s.id, s.title, groups[0], s.format, 1) : chart({
      id: s.id, title: `${s.title}: median, 95 % and maximum`, x: nodesAxis(r), y: { label: s.y, scale: 'linear', format: s.format },
      series: [line('median', 'p50', 0), line('95 %', 'p95', 1), line('max', 'max', 2), ...(last < 1 ? [] : [{ name: 'median if it grew like log N', draw: 'line' as const, dashed: true, colour: 4, points: groups.map((g, i) => ({ x: g.nodes, y: reference[i] })) }])]
    }),
    tables: [{ caption: `${s.title}, by number of nodes`, head: ['Nodes', 'Median', '95 %', 'Max', 'Median like log N'], rows: groups.map((g, i) => [count(g.nodes), s.format(g.p50), s.format(g.p95), s.format(g.max), s.format(reference[i])]) }]
  })
}

function healing (r: SweepReport): string {
  const healed = r.points.filter(p => p.healedAtMs !== undefined)
  if (healed.length === 0) return ''
  const agreed = healed.filter(p => p.agreedAtMs !== undefined).sort((a, b) => (a.agreedAtMs! - a.healedAtMs!) - (b.agreedAtMs! - b.healedAtMs!))
  const isOneSize = byNodes(agreed).length < 2
  return section({
    title: 'Convergence after healing', says: `${count(agreed.length)} of ${count(healed.length)} healed worlds had one head again; the time it took each.`,
    chart: chart({
      id: 'convergence', title: 'Time from healing to one head', x: isOneSize ? { label: 'worlds, quickest first', scale: 'linear', whole: true, format: figure, min: 0 } : nodesAxis(r), y: { label: 'time to agree', scale: 'linear', format: seconds },
      series: [{ name: 'a world', draw: 'points', colour: 0, points: agreed.map((p, i) => ({ x: isOneSize ? i + 1 : p.nodes, y: p.agreedAtMs! - p.healedAtMs! })) }]
    }),
    tables: [{ caption: 'Healing by world', head: ['Seed', 'Nodes', 'Healed at', 'Agreed after'], rows: healed.map(p => [p.seed, count(p.nodes), duration(p.healedAtMs!), p.agreedAtMs === undefined ? 'not by the end' : duration(p.agreedAtMs - p.healedAtMs!)]) }]
  })
}
