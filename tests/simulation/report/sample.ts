/** Reports with every figure in them, for the tests of what is drawn: made by rule, not measured. */
import type { SweepReport, TabFigures, WorldReport } from './types.ts'

const DEVICES = ['phone', 'laptop', 'gaming', 'datacentre'] as const
const SPEED = { phone: 1, laptop: 5, gaming: 100, datacentre: 1000 } as const

export function sampleWorld (nodes = 40, over: Partial<WorldReport> = {}): WorldReport {
  const wave = (i: number): number => (Math.sin(i * 12.9898) + 1) / 2
  const weights = Array.from({ length: nodes }, (_, i) => SPEED[i === nodes - 1 ? 'datacentre' : DEVICES[i % 3]] * (0.8 + 0.4 * wave(i)))
  const all = weights.reduce((a, b) => a + b, 0)
  const tabs = weights.map((w, i): TabFigures => ({
    tab: i, device: i === nodes - 1 ? 'datacentre' : DEVICES[i % 3], role: i % 10 === 7 ? 'selfish' : i % 10 === 3 ? 'lazy' : 'honest',
    workShare: w / all, blockShare: w / all * (0.9 + 0.2 * wave(i + 1)), rewardShare: w / all * (0.8 + 0.4 * wave(i + 2)), bytesPerSecond: 9_000 + 4_000 * wave(i + 3)
  }))
  const minute = 60_000
  const moments = Array.from({ length: 121 }, (_, i) => {
    const split = i > 20 && i < 72
    return { atMs: i * 15_000, up: nodes - (i % 4), heightMin: i - (split ? Math.floor((i - 20) / 4) : 0), heightMax: i + 1, heads: split ? 3 + i % 4 : i === 72 ? 2 : 1 + Number(i % 9 === 4), round: i * 2 }
  })
  return {
    kind: 'world', command: 'npm run sim -- --nodes 40 --hours 0.5 --seed 17', seed: '17', scenario: 'swarm',
    options: { 'lost packets, share': 0.02, partitions: true, 'a slice on a laptop, ms': 250, compute: 'real' },
    nodes, attackers: { selfish: 4, lazy: 4 }, virtualMs: 30 * minute, wallMs: 95_000, events: 1_204_331,
    violations: [], checked: ['Honest tabs share one history up to the depth that is final.', 'Supply is conserved at every block.'],
    blocksMain: 176, blocksOrphaned: 9, forkRate: 9 / 176,
    forksOverTime: Array.from({ length: 10 }, (_, i) => ({ fromMs: i * 3 * minute, toMs: (i + 1) * 3 * minute, blocksMain: 17 + i % 3, blocksOrphaned: [0, 1, 3, 2, 2, 1, 0, 0, 0, 0][i] })),
    propagationMs: { p50: 640, p95: 2_310, max: 9_870 }, bytesPerSecond: { p50: 10_800, p95: 12_700, max: 13_000 }, diskBytes: { p50: 812_000, p95: 990_000, max: 1_230_000 },
    tabs, moments, healedAtMs: 17.5 * minute, agreedAtMs: 18.25 * minute, ...over
  }
}

export function sampleSweep (): SweepReport {
  const point = (nodes: number, i: number): WorldReport => {
    const grow = Math.log2(nodes)
    return sampleWorld(nodes, {
      seed: `1/${nodes}`, scenario: 'forks', attackers: {}, tabs: sampleWorld(nodes).tabs.map(t => ({ ...t, role: 'honest' })),
      blocksOrphaned: 3 + i, forkRate: (3 + i) / 176,
      propagationMs: { p50: 120 * grow, p95: 300 * grow, max: 900 * grow }, bytesPerSecond: { p50: 2_000 * grow, p95: 2_600 * grow, max: 3_900 * grow }, diskBytes: { p50: 700_000 + 9_000 * grow, p95: 800_000 + 9_000 * grow, max: 900_000 }
    })
  }
  return { kind: 'sweep', command: 'npm run sim -- --scenario forks --seed 1', scenario: 'forks', points: [20, 50, 100, 200].map(point) }
}
