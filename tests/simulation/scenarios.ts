/** What `npm run sim -- --scenario NAME` can run: name, what it is, and the function that does it. */
import { ATTACKERS } from './attackers.ts'
import { forksSweep } from './forks.ts'
import { drawOptions, printable } from './options.ts'
import { runWorld } from './phases.ts'
import { LARGE_ROUND_MS, scaleSweep } from './scale.ts'
import type { Report } from './report/types.ts'

export interface ScenarioOptions {
  readonly seed: string
  readonly nodes?: number
  /** Virtual. */
  readonly hours?: number
  /** Share of attackers, 0..1. */
  readonly attackers?: number
  /** The line that does it again. */
  readonly command: string
  readonly progress: (line: string) => void
}

export interface Scenario {
  readonly about: string
  readonly run: (o: ScenarioOptions) => Promise<Report>
}

async function faults (o: ScenarioOptions): Promise<Report> {
  const drawn = drawOptions({ seed: o.seed, nodes: o.nodes, hours: o.hours, attackerShare: o.attackers, enemies: Object.keys(ATTACKERS) })
  o.progress(Object.entries(printable(drawn)).map(([name, value]) => `${name} ${value}`).join(', '))
  return await runWorld(drawn, { command: o.command, scenario: 'faults', progress: o.progress })
}

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  faults: { about: 'everything that can go wrong, as drawn from the seed; then healed, and all must agree', run: faults },
  forks: {
    about: 'calm worlds of 20 to 200 nodes: how forks, propagation and traffic grow',
    run: async o => await forksSweep({ seed: o.seed, virtualMs: o.hours === undefined ? undefined : o.hours * 3_600_000, command: o.command, onPoint: p => { o.progress(`${p.nodes} nodes: fork rate ${p.forkRate.toFixed(3)}`) } })
  },
  scale: {
    about: 'calm worlds of 20, 200 and --nodes (2000) with a round a minute: forks, traffic, disk and time they take; nothing per tab may grow faster than log N',
    run: async o => await scaleSweep({ seed: o.seed, nodes: o.nodes ?? 2_000, hours: o.hours ?? 1, params: { roundMs: LARGE_ROUND_MS }, command: o.command, progress: o.progress })
  }
}
