/**
 * Scenario: a selfish pool with a quarter or a third of the work, over so many blocks that its gain
 * can be told from luck, beside what theory allows it. Work is stood in for and rounds are not sealed,
 * for only blocks count here.
 */
import { toHex } from '../../src/core/codec/ssz.ts'
import { batchMeans, MainChain, shares, workOf } from './enemies/mainChain.ts'
import { selfish, type SelfishOptions } from './enemies/selfish.ts'
import { bestByTicket, eyalSirer } from './enemies/theory.ts'
import type { WorldReport } from './report/types.ts'
import { World } from './world.ts'

export interface SelfishScenario {
  readonly seed: string
  /** The pool is one tab of so many, all equally fast. */
  readonly nodes: number
  /** paper: Eyal and Sirer's machine. ticket: keeps back what is likely to win a tie. */
  readonly strategy: 'paper' | 'ticket'
  readonly blocks: number
}

const SLICE_MS = 1_000
const STEP_MS = 60_000

export async function selfishScenario ({ seed, nodes, strategy, blocks }: SelfishScenario): Promise<WorldReport> {
  const began = performance.now()
  const best = bestByTicket(1 / nodes)
  const options: SelfishOptions = strategy === 'paper' ? { threshold: 1, stubborn: true } : best
  const pool = selfish(options)
  const world = new World({
    seed, nodes, compute: 'stand-in', devices: 'laptop', laptopSliceMs: SLICE_MS, warm: true,
    enemy: i => i === 0 ? pool.recruit() : undefined,
    // No committee, no seals.
    params: { committeeBlocks: 2 ** 30, minerCountBlocks: 1 }
  })
  const chain = new MainChain()
  world.listen({ opened: (tab, node) => { if (tab.index === nodes - 1) chain.follow(node) } })
  world.openAll(500)
  while (chain.records.length < blocks) await world.run(STEP_MS)
  const node = world.tabs[nodes - 1].node!
  const figures = shares(world, chain, node)
  const mine = toHex(world.tabs[0].minerKey)
  const { mean, half } = batchMeans(chain.records.map(r => toHex(r.meta.header.template.miner) === mine))
  const { deeds } = pool
  const won = deeds.of('ties with the lower ticket')
  const ties = won + deeds.of('ties with the higher ticket')
  const gamma = ties === 0 ? 0 : won / ties
  const work = workOf(world.tabs[0]) / world.tabs.reduce((sum, t) => sum + workOf(t), 0)
  const allowed = strategy === 'paper' ? eyalSirer(work, gamma) : bestByTicket(work).share
  const heights = world.tabs.map(t => t.node?.chain.head().height ?? 0)
  const heads = new Set(world.tabs.slice(1).map(t => toHex(t.node!.chain.head().hash))).size
  return {
    kind: 'world',
    command: `npm run sim -- --scenario selfish --seed ${seed} --nodes ${nodes}`,
    seed,
    scenario: `selfish, ${strategy}`,
    options: {
      strategy, threshold: options.threshold, stubborn: options.stubborn, gamma, ties,
      poolWork: work, poolBlocks: mean, poolBlocksPlusMinus: half, theoryAllows: allowed, paperAtHalfGamma: eyalSirer(work, 0.5),
      ...deeds.all()
    },
    nodes,
    attackers: { [pool.name]: 1 },
    virtualMs: world.elapsed,
    wallMs: performance.now() - began,
    events: world.scheduler.events,
    violations: mean - half > allowed
      ? [{ checker: 'selfish gain', detail: `the pool has ${(work * 100).toFixed(1)} % of the work and ${(mean * 100).toFixed(1)} +- ${(half * 100).toFixed(1)} % of the blocks; theory allows ${(allowed * 100).toFixed(1)} %`, atMs: world.elapsed }]
      : [],
    blocksMain: chain.records.length,
    blocksOrphaned: chain.orphaned,
    forkRate: chain.orphaned / chain.records.length,
    propagationMs: NOT_MEASURED,
    bytesPerSecond: NOT_MEASURED,
    diskBytes: NOT_MEASURED,
    tabs: figures.map(f => ({ tab: f.tab.index, device: f.tab.deviceClass, role: f.tab.enemy?.name ?? 'honest', workShare: f.work, blockShare: f.blocks, rewardShare: f.rewards, bytesPerSecond: 0 })),
    moments: [{ atMs: world.elapsed, up: nodes, heightMin: Math.min(...heights), heightMax: Math.max(...heights), heads, round: 0 }]
  }
}

const NOT_MEASURED = { p50: 0, p95: 0, max: 0 } as const
