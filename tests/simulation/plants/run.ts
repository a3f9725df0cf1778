/**
 * `npm run sim:plants`: plants one bug after another in the product and looks for it in simulated
 * worlds (hunt.ts). A bug that is not found within its number of seeds is a failure of the checkers. A
 * world that fails without it as well has found a bug of the product.
 */
import { parseArgs } from 'node:util'
import { Misused, number, runCommand, say, seedOf } from '../../../src/cli/arguments.ts'
import { type Found, hunt } from './hunt.ts'
import { PLANTS } from './table.mjs'

const USAGE = `npm run sim:plants -- [--only NAME,NAME] [--seed S] [--nodes 12] [--hours 0.1] [--json]

  --only NAMES  of ${PLANTS.map(p => p.name).join(', ')}

Exit code 1 if a bug was not found within its number of worlds, or a world fails without it.`

await runCommand(USAGE, async () => {
  const { values } = parseArgs({ options: { only: { type: 'string' }, seed: { type: 'string', default: 'p' }, nodes: { type: 'string', default: '12' }, hours: { type: 'string', default: '0.1' }, json: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } } })
  if (values.help) {
    process.stdout.write(`${USAGE}\n`)
    return 0
  }
  const names = values.only?.split(',')
  for (const name of names ?? []) if (!PLANTS.some(p => p.name === name)) throw new Misused(`--only: there is no planted bug "${name}"`)
  const options = ['--nodes', `${number('nodes', values.nodes, 2, 5_000, true)}`, '--hours', `${number('hours', values.hours, 0.001, 1_000, false)}`]
  const seed = seedOf(values.seed)
  const found: Found[] = []
  for (const plant of PLANTS) if (names?.includes(plant.name) ?? true) found.push(await hunt(plant, seed, options, say))
  if (values.json) process.stdout.write(`${JSON.stringify(found)}\n`)
  const missed = found.filter(f => f.seed === undefined)
  say(`${found.length - missed.length} of ${found.length} planted bugs found`)
  return missed.length === 0 ? 0 : 1
})
