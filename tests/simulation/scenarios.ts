/** What `npm run sim -- --scenario NAME` can run: name, what it is, and the function that does it. */
import { DRAWN } from './attackers.ts'
import { datacentreWorld } from './datacentre.ts'
import { gainsSweep } from './enemies/gains.ts'
import { forkWords } from './figures.ts'
import { forksSweep } from './forks.ts'
import { drawOptions, printable } from './options.ts'
import { runWorld } from './phases.ts'
import { pot, type PotRun } from './pot.ts'
import { LARGE_ROUND_MS, scaleSweep } from './scale.ts'
import type { Report } from './report/types.ts'
import { selfishSweep } from './selfish.ts'

export interface ScenarioOptions {
  readonly seed: string
  readonly nodes?: number
  /** Virtual. */
  readonly hours?: number
  /** Share of attackers, 0..1. */
  readonly attackers?: number
  /** Kinds they may be of; if left out, those that are drawn (attackers.ts). */
  readonly enemies?: readonly string[]
  /** Options that are not drawn, by name. */
  readonly set?: Readonly<Record<string, string>>
  /** The line that does it again. */
  readonly command: string
  readonly progress: (line: string) => void
  /** The program itself: run in a thread, it runs a part of a large world (runScalePart). */
  readonly threads?: URL
}

/** Options that mean something to some scenarios only. */
export type Choice = 'nodes' | 'hours' | 'attackers' | 'enemies' | 'set'

export interface Scenario {
  readonly about: string
  readonly uses: readonly Choice[]
  readonly run: (o: ScenarioOptions) => Promise<Report>
}

async function faults (o: ScenarioOptions): Promise<Report> {
  const drawn = drawOptions({ seed: o.seed, nodes: o.nodes, hours: o.hours, attackerShare: o.attackers, enemies: o.enemies ?? DRAWN, set: o.set })
  o.progress(Object.entries(printable(drawn)).map(([name, value]) => `${name} ${value}`).join(', '))
  return await runWorld(drawn, { command: o.command, scenario: 'faults', progress: o.progress })
}

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  faults: { about: 'everything that can go wrong, as drawn from the seed; then healed, and all must agree', uses: ['nodes', 'hours', 'attackers', 'enemies', 'set'], run: faults },
  pot: {
    about: "the Proof of Training prototype's experiment with our nodes, its table beside ours; --nodes for one size alone",
    uses: ['nodes'],
    run: async o => {
      const onRun = (r: PotRun): void => { o.progress(`${r.n} nodes, seed ${r.seed}: ${r.blocks} blocks in ${r.seconds.toFixed(0)} s, ${r.confirmed} transfers, ${r.orphaned} blocks beside them`) }
      return await pot({ seed: o.seed, sizes: o.nodes === undefined ? undefined : [o.nodes], command: o.command, onRun })
    }
  },
  forks: {
    about: 'calm worlds of 20 to 200 nodes: how forks, propagation and traffic grow',
    uses: ['hours'],
    run: async o => await forksSweep({ seed: o.seed, virtualMs: o.hours === undefined ? undefined : o.hours * 3_600_000, command: o.command, onPoint: p => { o.progress(`${p.nodes} nodes: ${forkWords(p)}`) } })
  },
  scale: {
    about: 'calm worlds of 20, 200 and --nodes (2000) with a round a minute: forks, traffic, disk, memory and time they take; none of traffic, disk and memory per tab may grow faster than log N',
    uses: ['nodes', 'hours'],
    run: async o => await scaleSweep({ seed: o.seed, nodes: o.nodes ?? 2_000, hours: o.hours ?? 1, params: { roundMs: LARGE_ROUND_MS }, command: o.command, progress: o.progress, threads: o.threads })
  },
  datacentre: {
    about: 'one data-centre GPU among 200 laptops: its share of work, blocks, contributions and credits',
    uses: ['nodes', 'hours'],
    run: async o => await datacentreWorld({ seed: o.seed, nodes: o.nodes, virtualMs: o.hours === undefined ? undefined : o.hours * 3_600_000, command: o.command, progress: o.progress })
  },
  gains: {
    about: 'floods, an eclipse, a Sybil swarm and free riders in small worlds: what they get or cost',
    uses: [],
    run: async o => await gainsSweep({ seed: o.seed, command: o.command, progress: o.progress })
  },
  selfish: {
    about: 'a selfish pool with a quarter and with a third of the work over 2 000 blocks each, beside what theory allows',
    uses: [],
    run: async o => await selfishSweep({ seed: o.seed, command: o.command, progress: o.progress })
  }
}
