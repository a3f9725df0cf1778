/**
 * `npm run sim`: one simulated world, or one scenario, from one seed. The seed comes first on stderr, the
 * verdict last; with --json the report is one line on stdout.
 */
import { parseArgs } from 'node:util'
import { ATTACKERS } from '../../tests/simulation/attackers.ts'
import { renderReport } from '../../tests/simulation/report/html.ts'
import { tableText } from '../../tests/simulation/report/text.ts'
import { drawOptions } from '../../tests/simulation/options.ts'
import type { Report, WorldReport } from '../../tests/simulation/report/types.ts'
import { isPartThread } from '../../tests/simulation/parts/threads.ts'
import { runScalePart } from '../../tests/simulation/scale.ts'
import { type Choice, SCENARIOS } from '../../tests/simulation/scenarios.ts'
import { fileToWrite, Misused, number, runCommand, say, SEED_MAX, seedOf, someAttackers, writeReport } from './arguments.ts'

const NODES_MAX = 5_000
const HOURS_LEAST = 0.001
const HOURS_MAX = 1_000

const chosenBy = (uses: readonly Choice[]): string => ['seed', ...uses].map(name => `--${name}`).join(', ')

const USAGE = `npm run sim -- [--nodes N] [--hours H] [--seed S] [--attackers F] [--enemies NAME,NAME] [--set NAME=VALUE,NAME=VALUE] [--scenario NAME] [--json] [--report FILE.html]

  --nodes N        tabs of the world (2..${NODES_MAX}); drawn from the seed if left out
  --hours H        virtual hours, here with faults (${HOURS_LEAST} to ${HOURS_MAX}); drawn if left out
  --seed S         1 to ${SEED_MAX} letters, digits or . / - _; the same seed and options give the same world. Random if left out
  --attackers F    share of the tabs that attack, 0 to 0.5, not of the work: an enemy may have a gaming machine and mine at all times; drawn if left out
  --enemies NAMES  of which kinds they may be: ${Object.keys(ATTACKERS).join(', ')}; if left out, any
  --set OPTIONS    what is not to be drawn, by the names that are printed first (and have no option here): compute=real,duplicate=0.2
  --scenario NAME  ${Object.entries(SCENARIOS).map(([name, s]) => `${name}: ${s.about} (${chosenBy(s.uses)})`).join('\n                   ')}
  --json           the report as one line of JSON on stdout
  --report FILE    the report as a page

Exit code 1 if a checker fired: then how to see it again is said, too. 2 if it was called wrongly.`

function worlds (report: Report): readonly WorldReport[] { return report.kind === 'world' ? [report] : report.points }

function settings (text: string): Record<string, string> {
  const set = new Map<string, string>()
  for (const part of text.split(',')) {
    const [name, value, more] = part.split('=').map(word => word.trim())
    if (value === undefined || more !== undefined) throw new Misused(`--set: expected NAME=VALUE, got "${part}"`)
    if (set.has(name)) throw new Misused(`--set: ${name} twice`)
    set.set(name, value)
  }
  return Object.fromEntries(set)
}

if (isPartThread()) await runScalePart()
else await runCommand(USAGE, async () => {
  const { values } = parseArgs({
    options: {
      nodes: { type: 'string' }, hours: { type: 'string' }, seed: { type: 'string' }, attackers: { type: 'string' }, enemies: { type: 'string' }, set: { type: 'string', multiple: true },
      scenario: { type: 'string', default: 'faults' }, json: { type: 'boolean', default: false }, report: { type: 'string' }, help: { type: 'boolean', default: false }
    }
  })
  if (values.help) {
    process.stdout.write(`${USAGE}\n`)
    return 0
  }
  const scenario = SCENARIOS[values.scenario]
  if (!Object.hasOwn(SCENARIOS, values.scenario)) throw new Misused(`--scenario: there is no "${values.scenario}"; there are ${Object.keys(SCENARIOS).join(', ')}`)
  const nodes = number('nodes', values.nodes, 2, NODES_MAX, true)
  const hours = number('hours', values.hours, HOURS_LEAST, HOURS_MAX, false)
  const attackers = number('attackers', values.attackers, 0, 0.5, false)
  someAttackers(nodes, attackers)
  const enemies = values.enemies?.split(',')
  if (enemies !== undefined && attackers === 0) throw new Misused('--enemies means nothing with --attackers 0')
  for (const name of enemies ?? []) if (!Object.hasOwn(ATTACKERS, name)) throw new Misused(`--enemies: there is no "${name}"; there are ${Object.keys(ATTACKERS).join(', ')}`)
  const setting = values.set?.join(',')
  const set = setting === undefined ? undefined : settings(setting)
  const given = { nodes, hours, attackers, enemies, set }
  for (const name of Object.keys(given) as Choice[]) if (given[name] !== undefined && !scenario.uses.includes(name)) throw new Misused(`--${name} means nothing for the scenario ${values.scenario}, which takes ${chosenBy(scenario.uses)}`)
  const file = await fileToWrite('report', values.report)
  const seed = seedOf(values.seed)
  const command = ['npm run sim --', `--scenario ${values.scenario}`, `--seed ${seed}`, ...Object.entries(given).flatMap(([name, n]) => n === undefined ? [] : [`--${name} ${name === 'set' ? setting : n}`])].join(' ')
  // A name that nobody draws is said before anything is run.
  if (set !== undefined) drawOptions({ seed, set })
  say(`seed ${seed}: ${command}`)

  const report = await scenario.run({ seed, ...given, command, progress: say, threads: new URL(import.meta.url) })
  if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`)
  const violations = worlds(report).flatMap(w => w.violations)
  for (const v of violations) say(`VIOLATION at ${(v.atMs / 60_000).toFixed(2)} min: ${v.checker}: ${v.detail}`)
  for (const w of worlds(report)) say(`${w.nodes} nodes, ${(w.virtualMs / 60_000).toFixed(1)} virtual minutes in ${(w.wallMs / 1000).toFixed(0)} s, ${w.events} events, ${w.blocksMain} blocks decided, ${w.blocksOrphaned} beside them${w.agreedAtMs === undefined || w.healedAtMs === undefined ? '' : `, all agree ${((w.agreedAtMs - w.healedAtMs) / 1000).toFixed(0)} s after healing`}`)
  say(`${(process.cpuUsage().user / 1e6).toFixed(0)} s of CPU time, ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`)
  for (const t of report.tables ?? []) say(`\n${tableText(t)}\n`)
  if (violations.length > 0) say(`${violations.length === 1 ? 'a violation' : `${violations.length} violations`}; again with: ${command}`)
  else say(worlds(report).every(w => (w.checked ?? []).length > 0) ? 'no checker fired' : 'nothing was checked: this run only measures')
  if (file !== undefined) {
    await writeReport(file, renderReport(report))
  }
  return violations.length === 0 ? 0 : 1
})
