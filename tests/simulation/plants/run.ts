/**
 * `npm run sim:plants`: plants one bug after another in the product and looks for it in simulated
 * worlds (hunt.ts). A bug that is not found within its number of seeds is a failure of the checkers. A
 * world that fails without it as well has found a bug of the product.
 */
import { parseArgs } from 'node:util'
import { Misused, number, runCommand, say, SEED_OF_MANY_MAX, seedOf } from '../../../src/cli/arguments.ts'
import { type Found, hunt } from './hunt.ts'
import { PLANTS } from './table.mjs'

const USAGE = `npm run sim:plants -- [--only NAME,NAME] [--seed S] [--nodes 12] [--hours 0.1] [--json]

  --only NAMES  of ${PLANTS.map(p => p.name).join(', ')}
  --seed S      1 to ${SEED_OF_MANY_MAX} letters, digits or . / - _: the worlds have the seeds S-0, S-1 and so on
  --nodes N     tabs of every world (2..5000)
  --hours H     virtual hours with faults of every world (0.001 to 1000)
  --json        end with one line of JSON on stdout

Exit code 1 if a bug was not found within its number of worlds, or a world fails without it; 2 if it was called wrongly.`

await runCommand(USAGE, async () => {
  const { values } = parseArgs({ options: { only: { type: 'string' }, seed: { type: 'string', default: 'p' }, nodes: { type: 'string', default: '12' }, hours: { type: 'string', default: '0.1' }, json: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } } })
  if (values.help) {
    process.stdout.write(`${USAGE}\n`)
    return 0
  }
  const names = values.only?.split(',')
  for (const name of names ?? []) if (!PLANTS.some(p => p.name === name)) throw new Misused(`--only: there is no planted bug "${name}"; there are ${PLANTS.map(p => p.name).join(', ')}`)
  const options = ['--nodes', `${number('nodes', values.nodes, 2, 5_000, true)}`, '--hours', `${number('hours', values.hours, 0.001, 1_000, false)}`]
  const seed = seedOf(values.seed, SEED_OF_MANY_MAX)
  const found: Found[] = []
  for (const plant of PLANTS) if (names?.includes(plant.name) ?? true) found.push(await hunt(plant, seed, options, say))
  if (values.json) process.stdout.write(`${JSON.stringify(found)}\n`)
  const missed = found.filter(f => f.seed === undefined)
  say(`${found.length - missed.length} of ${found.length} planted bugs found`)
  return missed.length === 0 ? 0 : 1
})
