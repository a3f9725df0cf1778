/**
 * Scenario: one data-centre GPU, as fast as 200 laptops, among laptops. Tickets are not capped, so
 * its share of blocks is its share of the work; contributions are drawn by key, so its share of them
 * is that of a tab.
 */
import { count, percent } from '../../src/ui/format.ts'
import { DEAREST_SLICE_MS } from './devices.ts'
import { MainChain, payeeOf, wealth, workOf } from './enemies/mainChain.ts'
import { Observer } from './observer.ts'
import type { WorldReport } from './report/types.ts'
import { World } from './world.ts'

export interface DatacentreScenario {
  readonly seed: string
  /** The GPU is one of them; default 201. */
  readonly nodes?: number
  /** Virtual ms; default 20 minutes. */
  readonly virtualMs?: number
  readonly command: string
  readonly progress?: (line: string) => void
}

/** Contributions per round in the beginning: of a network that has been there for a while. */
const OFFERS = 8
const PROGRESS_MS = 60_000

export async function datacentreWorld ({ seed, nodes = 201, virtualMs = 20 * 60_000, command, progress }: DatacentreScenario): Promise<WorldReport> {
  const began = performance.now()
  const world = new World({ seed, nodes, compute: 'stand-in', laptopSliceMs: DEAREST_SLICE_MS, warm: true, offers: OFFERS, devices: i => i === 0 ? 'datacentre' : 'laptop' })
  const observer = new Observer(world, 10_000)
  const chain = new MainChain()
  world.listen({ opened: (tab, node) => { if (tab.index === 1) chain.follow(node) } })
  world.openAll(5_000)
  while (world.elapsed < virtualMs) {
    await world.run(Math.min(PROGRESS_MS, virtualMs - world.elapsed))
    progress?.(`${(world.elapsed / 60_000).toFixed(1)} of ${(virtualMs / 60_000).toFixed(1)} min: ${chain.records.length} blocks, ${chain.blocksOf(world.tabs[0].minerKey)} of them by the GPU; ${((performance.now() - began) / 1000).toFixed(0)} s`)
  }
  const gpu = world.tabs[0]
  const node = world.tabs[1].node!
  const contributions = chain.records.reduce((n, r) => n + r.body.seals.reduce((m, s) => m + s.seal.contributions.length, 0), 0)
  const total = world.tabs.reduce((sum, t) => sum + Number(wealth(node, payeeOf(t))), 0)
  const work = workOf(gpu) / world.tabs.reduce((sum, t) => sum + workOf(t), 0)
  const blocks = chain.blocksOf(gpu.minerKey) / Math.max(1, chain.records.length)
  const parts = chain.contributionsOf(gpu.minerKey) / Math.max(1, contributions)
  const credits = Number(wealth(node, payeeOf(gpu))) / Math.max(1, total)
  return observer.report({
    command,
    scenario: 'datacentre',
    wallMs: performance.now() - began,
    tables: [{
      caption: `One GPU among ${nodes - 1} laptops: its share`,
      head: ['of', 'share of the GPU', 'in all'],
      rows: [['work', percent(work), ''], ['blocks', percent(blocks), count(chain.records.length)], ['contributions', percent(parts), count(contributions)], ['credits', percent(credits), '']]
    }],
    options: {
      'work of the GPU': work, 'blocks of the GPU': blocks, 'contributions of the GPU': parts, 'credits of the GPU': credits,
      'blocks in all': chain.records.length, 'contributions in all': contributions
    }
  })
}
