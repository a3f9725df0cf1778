/**
 * `npm run sim`: one simulated world, or one scenario, from one seed. The seed comes first on stderr, the
 * verdict last; with --json the report is one line on stdout.
 */
import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { ATTACKERS } from '../../tests/simulation/attackers.ts'
import { renderReport } from '../../tests/simulation/report/html.ts'
import type { Report, WorldReport } from '../../tests/simulation/report/types.ts'
import { SCENARIOS } from '../../tests/simulation/scenarios.ts'
import { Misused, number, runCommand, say, seedOf } from './arguments.ts'

const NODES_MAX = 5_000
const HOURS_MAX = 1_000

const USAGE = `npm run sim -- [--nodes N] [--hours H] [--seed S] [--attackers F] [--enemies NAME,NAME] [--scenario NAME] [--json] [--report FILE.html]

  --nodes N        tabs of the world (2..${NODES_MAX}); drawn from the seed if left out
  --hours H        virtual hours with faults (above 0, at most ${HOURS_MAX}); drawn if left out
  --seed S         any text; the same seed and options give the same world. Random if left out
  --attackers F    share of attackers, 0 to 0.5; drawn if left out
  --enemies NAMES  of which kinds they may be: ${Object.keys(ATTACKERS).join(', ')}; if left out, any
  --scenario NAME  ${Object.entries(SCENARIOS).map(([name, s]) => `${name}: ${s.about}`).join('\n                   ')}
  --json           the report as one line of JSON on stdout
  --report FILE    the report as a page

Exit code 1 if a checker fired; the last line says how to see it again.`

function worlds (report: Report): readonly WorldReport[] { return report.kind === 'world' ? [report] : report.points }

await runCommand(USAGE, async () => {
  const { values } = parseArgs({
    options: {
      nodes: { type: 'string' }, hours: { type: 'string' }, seed: { type: 'string' }, attackers: { type: 'string' }, enemies: { type: 'string' },
      scenario: { type: 'string', default: 'faults' }, json: { type: 'boolean', default: false }, report: { type: 'string' }, help: { type: 'boolean', default: false }
    }
  })
  if (values.help) {
    process.stdout.write(`${USAGE}\n`)
    return 0
  }
  const scenario = SCENARIOS[values.scenario]
  if (scenario === undefined) throw new Misused(`--scenario: there is no "${values.scenario}"; there are ${Object.keys(SCENARIOS).join(', ')}`)
  const nodes = number('nodes', values.nodes, 2, NODES_MAX, true)
  const hours = number('hours', values.hours, 0.001, HOURS_MAX, false)
  const attackers = number('attackers', values.attackers, 0, 0.5, false)
  const enemies = values.enemies?.split(',')
  for (const name of enemies ?? []) if (!Object.hasOwn(ATTACKERS, name)) throw new Misused(`--enemies: there is no "${name}"; there are ${Object.keys(ATTACKERS).join(', ')}`)
  const seed = seedOf(values.seed)
  const command = ['npm run sim --', `--scenario ${values.scenario}`, `--seed ${seed}`, ...Object.entries({ nodes, hours, attackers, enemies }).flatMap(([name, n]) => n === undefined ? [] : [`--${name} ${n}`])].join(' ')
  say(`seed ${seed}: ${command}`)

  const report = await scenario.run({ seed, nodes, hours, attackers, enemies, command, progress: say })
  if (values.report !== undefined) {
    const file = resolve(process.env.INIT_CWD ?? '.', values.report)
    await writeFile(file, renderReport(report))
    say(`the report is in ${file}`)
  }
  if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`)
  const violations = worlds(report).flatMap(w => w.violations)
  for (const v of violations) say(`VIOLATION at ${(v.atMs / 60_000).toFixed(2)} min: ${v.checker}: ${v.detail}`)
  for (const w of worlds(report)) say(`${w.nodes} nodes, ${(w.virtualMs / 60_000).toFixed(1)} virtual minutes in ${(w.wallMs / 1000).toFixed(0)} s, ${w.events} events, ${w.blocksMain} blocks, ${w.blocksOrphaned} orphaned${w.agreedAtMs === undefined || w.healedAtMs === undefined ? '' : `, all agree ${((w.agreedAtMs - w.healedAtMs) / 1000).toFixed(0)} s after healing`}`)
  say(`${(process.cpuUsage().user / 1e6).toFixed(0)} s of CPU time, ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`)
  if (violations.length === 0) say('no checker fired')
  else say(`${violations.length} violations; again with: ${command}`)
  return violations.length === 0 ? 0 : 1
})
