/** `npm run soak`: a thousand worlds, each with faults and attackers of its own; every failure prints the line that repeats it. */
import { parseArgs } from 'node:util'
import { renderReport } from '../../tests/simulation/report/html.ts'
import { tableText } from '../../tests/simulation/report/text.ts'
import type { WorldReport } from '../../tests/simulation/report/types.ts'
import { soak, soakCommand } from '../../tests/simulation/soak.ts'
import { soakReport } from '../../tests/simulation/soakReport.ts'
import { fileToWrite, number, runCommand, say, SEED_OF_MANY_MAX, seedOf, someAttackers, writeReport } from './arguments.ts'

const USAGE = `npm run soak -- [--worlds 1000] [--seed S] [--first I] [--hours-wall H] [--attackers 0.3] [--nodes N] [--hours H] [--workers 2] [--stop] [--json] [--report FILE.html]

  --worlds N       worlds to run, of 30 to 100 nodes each (1..1000000)
  --seed S         1 to ${SEED_OF_MANY_MAX} letters, digits or . / - _: world I has the seed S-I. Random if left out
  --first I        the first world: goes on with a soak that was broken off (it ends by saying how)
  --hours-wall H   begin no world after so many hours on the clock of the wall: with exit code 2 if some were left
  --attackers F    share of the tabs that attack, 0 to 0.5
  --nodes N        nodes of every world instead of drawn numbers (2..5000)
  --hours H        virtual hours with faults instead of drawn ones
  --workers N      processes at a time (1..64)
  --stop           stop at the first failure
  --json           the summary as one line of JSON on stdout
  --report FILE    a page about all worlds

Exit code 1 if a checker fired in any world or in what all worlds together give, or if in a hundred worlds or more a kind
of enemy did not do what it does; 2 if fewer worlds were run than was asked, or it was called wrongly.`

/** A world that takes longer has hung. */
const WORLD_MS = 3 * 3_600_000

await runCommand(USAGE, async () => {
  const { values } = parseArgs({
    options: {
      worlds: { type: 'string', default: '1000' }, seed: { type: 'string' }, first: { type: 'string', default: '0' }, 'hours-wall': { type: 'string' }, hours: { type: 'string' },
      attackers: { type: 'string', default: '0.3' }, nodes: { type: 'string' }, workers: { type: 'string', default: '2' },
      stop: { type: 'boolean', default: false }, json: { type: 'boolean', default: false }, report: { type: 'string' }, help: { type: 'boolean', default: false }
    }
  })
  if (values.help) {
    process.stdout.write(`${USAGE}\n`)
    return 0
  }
  const worlds = number('worlds', values.worlds, 1, 1_000_000, true)!
  const first = number('first', values.first, 0, 1e9, true)!
  const hoursWall = number('hours-wall', values['hours-wall'], 0.001, 10_000, false)
  const workers = number('workers', values.workers, 1, 64, true)!
  const drawn = { attackers: number('attackers', values.attackers, 0, 0.5, false), nodes: number('nodes', values.nodes, 2, 5_000, true), hours: number('hours', values.hours, 0.001, 1_000, false) }
  someAttackers(drawn.nodes, drawn.attackers)
  const args = Object.entries(drawn).flatMap(([name, n]) => n === undefined ? [] : [`--${name}`, `${n}`])
  const file = await fileToWrite('report', values.report)
  const seed = seedOf(values.seed, SEED_OF_MANY_MAX)
  say(`seed ${seed}: ${soakCommand({ seed, args }, first, worlds)}`)

  const points: WorldReport[] = []
  const all = await soak({
    seed, first, worlds, workers, args, wallMs: (hoursWall ?? Infinity) * 3_600_000, worldMs: WORLD_MS, stopAtFailure: values.stop,
    done: (world, sum) => {
      if (world.report !== undefined) points.push(world.report)
      const what = world.report === undefined ? 'no report' : `${world.report.nodes} nodes, ${(world.report.virtualMs / 60_000).toFixed(0)} min, ${world.report.blocksMain} blocks`
      say(`${String(sum.worlds).padStart(5)}/${worlds}  ${world.seed}  ${what}  ${(sum.wallMs / 60_000).toFixed(0)} min  ${sum.failed.length} failed so far`)
      for (const v of world.violations) say(`       ${v.checker}: ${v.detail}`)
      if (world.violations.length > 0) say(`       again with: ${world.command}`)
    }
  })
  if (values.json) process.stdout.write(`${JSON.stringify(all)}\n`)
  const report = soakReport(all, points, soakCommand({ seed, args }, first, all.worlds), drawn.attackers === 0)
  for (const t of report.tables ?? []) say(`\n${tableText(t)}\n`)
  for (const f of all.failed) say(`FAILED ${f.seed}: ${[...new Set(f.violations.map(v => v.checker))].join(', ')}: ${f.command}`)
  say(`${all.worlds} worlds, ${all.nodes} nodes, ${all.virtualHours.toFixed(1)} virtual hours, ${all.blocks} blocks: ${all.failed.length} failed`)
  // Worlds that said nothing are named above.
  for (const v of report.violations ?? []) if (v.checker !== 'process') say(`FAILED ${v.checker}: ${v.detail}`)
  if (file !== undefined) await writeReport(file, renderReport(report))
  const left = first + worlds - all.next
  const isBroken = all.failed.length > 0 || (report.violations ?? []).length > 0
  const isShort = !isBroken && all.worlds < worlds
  if (isShort) say(`SHORT: ${all.worlds} of ${worlds} worlds, for the ${hoursWall} hours were over`)
  if (left > 0) say(`go on with: ${soakCommand({ seed, args }, all.next, left)}`)
  return isBroken ? 1 : isShort ? 2 : 0
})
