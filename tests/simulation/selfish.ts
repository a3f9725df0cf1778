/**
 * Scenario: a selfish pool with a quarter or a third of the work, over so many blocks that its gain
 * can be told from luck, beside what theory allows it. Work is stood in for and rounds are not sealed,
 * for only blocks count here.
 */
import { toHex } from '../../src/core/codec/ssz.ts'
import { percent } from '../../src/ui/format.ts'
import { batchMeans, MainChain, workOf } from './enemies/mainChain.ts'
import { selfish, type SelfishOptions } from './enemies/selfish.ts'
import { bestByTicket, eyalSirer } from './enemies/theory.ts'
import { Observer } from './observer.ts'
import type { SweepReport, Table, WorldReport } from './report/types.ts'
import { World } from './world.ts'

export interface SelfishScenario {
  readonly seed: string
  /** The pool is one tab of so many, all equally fast. */
  readonly nodes: number
  /** paper: Eyal and Sirer's machine. ticket: keeps back what is likely to win a tie. */
  readonly strategy: 'paper' | 'ticket'
  /** Of the main chain. */
  readonly blocks: number
  readonly command: string
}

const SLICE_MS = 1_000
const STEP_MS = 60_000

export async function selfishWorld ({ seed, nodes, strategy, blocks, command }: SelfishScenario): Promise<WorldReport> {
  const began = performance.now()
  const options: SelfishOptions = strategy === 'paper' ? { threshold: 1, stubborn: true } : bestByTicket(1 / nodes)
  const pool = selfish(options)
  const world = new World({
    seed: `${seed}/${strategy}/${nodes}`, nodes, compute: 'stand-in', devices: 'laptop', laptopSliceMs: SLICE_MS, warm: true,
    enemy: i => i === 0 ? pool.recruit() : undefined,
    // No committee, no seals.
    params: { committeeBlocks: 2 ** 30, minerCountBlocks: 1 }
  })
  const observer = new Observer(world, STEP_MS)
  const chain = new MainChain()
  world.listen({ opened: (tab, node) => { if (tab.index === nodes - 1) chain.follow(node) } })
  world.openAll(500)
  while (chain.records.length < blocks) await world.run(STEP_MS)
  const mine = toHex(world.tabs[0].minerKey)
  const { mean, half } = batchMeans(chain.records.map(r => toHex(r.meta.header.template.miner) === mine))
  const { deeds } = pool
  const won = deeds.of('ties with the lower ticket')
  const ties = won + deeds.of('ties with the higher ticket')
  const gamma = ties === 0 ? 0 : won / ties
  const work = workOf(world.tabs[0]) / world.tabs.reduce((sum, t) => sum + workOf(t), 0)
  const allowed = strategy === 'paper' ? eyalSirer(work, gamma) : bestByTicket(work).share
  return observer.report({
    command,
    scenario: `selfish, ${strategy}`,
    wallMs: performance.now() - began,
    checked: ['A selfish pool has no larger share of the blocks than theory allows it.'],
    tables: [{ ...TABLE, rows: [[`${strategy}, ${nodes} tabs`, percent(work), `${percent(mean)} ± ${percent(half)}`, percent(allowed), `${won} of ${ties}`, String(chain.records.length)]] }],
    options: {
      strategy, 'kept back below this part of the winning tickets': options.threshold, 'goes on after a lost tie': options.stubborn,
      ties, 'ties won (gamma)': gamma, 'work of the pool': work, 'blocks of the pool': mean, 'plus or minus (95 %)': half,
      'theory allows': allowed, 'the paper, half of the ties won': eyalSirer(work, 0.5), ...deeds.all()
    },
    violations: mean - half > allowed
      ? [{ checker: 'selfish gain', detail: `the pool has ${percent(work)} of the work and ${percent(mean)} +- ${percent(half)} of the blocks; theory allows ${percent(allowed)}`, atMs: world.elapsed }]
      : []
  })
}

const TABLE: Omit<Table, 'rows'> = {
  caption: 'The share of a selfish pool, beside what theory allows it',
  head: ['pool', 'of the work', 'of the blocks (95 %)', 'theory allows', 'ties won', 'blocks'],
  notes: ['The pool is one of the tabs. paper: Eyal and Sirer’s strategy; ticket: keeps back what is likely to win a tie.']
}

/** Both strategies with a quarter and with a third of the work. */
export async function selfishSweep (o: { readonly seed: string, readonly blocks?: number, readonly command: string, readonly progress?: (line: string) => void }): Promise<SweepReport> {
  const { seed, blocks = 2_000, command, progress } = o
  const points: WorldReport[] = []
  for (const strategy of ['paper', 'ticket'] as const) {
    for (const nodes of [4, 3]) {
      const point = await selfishWorld({ seed, nodes, strategy, blocks, command })
      points.push(point)
      const [[pool, work, share, allowed]] = point.tables![0].rows
      progress?.(`${pool}: ${work} of the work, ${share} of the blocks; theory allows ${allowed}`)
    }
  }
  return { kind: 'sweep', command, scenario: 'selfish', points, tables: [{ ...TABLE, rows: points.flatMap(p => p.tables![0].rows) }] }
}
