/**
 * `npm run sim:plants`: plants one bug after another in the product and looks for it in simulated
 * worlds, seed after seed. A bug that is not found within its number of seeds is a failure of the
 * checkers. The world that found it is run once more without it: one that fails all the same has found
 * a bug of the product.
 */
import { spawn } from 'node:child_process'
import { parseArgs } from 'node:util'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Misused, number, runCommand, say, seedOf } from '../../../src/cli/arguments.ts'
import { type Plant, PLANTS } from './table.mjs'

interface World { readonly code: number, readonly violations: readonly string[] }
interface Found { readonly name: string, readonly seed?: string, readonly tries: number, readonly checkers: readonly string[], readonly cleanFails: boolean }

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

/** One world in a process of its own: the bug, if any, is in the code it loads. */
async function world (plant: Plant | undefined, seed: string, options: readonly string[]): Promise<World> {
  const hook = new URL('./plant.mjs', import.meta.url)
  hook.searchParams.set('name', plant?.name ?? '')
  const planting = plant === undefined ? [] : ['--import', hook.href]
  const tsx = pathToFileURL(`${ROOT}node_modules/tsx/dist/loader.mjs`)
  const child = spawn(process.execPath, [...planting, '--import', tsx.href, 'src/cli/sim.ts', '--seed', seed, ...options], { cwd: ROOT, stdio: ['ignore', 'ignore', 'pipe'] })
  let words = ''
  child.stderr.on('data', (part: Buffer) => { words += part.toString() })
  const code = await new Promise<number>((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', c => { resolve(c ?? 1) })
  })
  if (plant !== undefined && !words.includes(`planted: ${plant.name}`)) throw new Error(`${plant.name} was not planted: ${words.slice(-400)}`)
  const violations = words.split('\n').filter(line => line.startsWith('VIOLATION'))
  if (code !== 0 && violations.length === 0) throw new Error(`${plant?.name ?? 'no bug'}, seed ${seed}: the world ended with code ${code} and no checker fired: ${words.slice(-800)}`)
  return { code, violations }
}

async function hunt (plant: Plant, from: string, options: readonly string[]): Promise<Found> {
  for (let tries = 1; tries <= plant.seeds; tries++) {
    const seed = `${from}-${tries}`
    const all = [...options, ...plant.options ?? []]
    const { violations } = await world(plant, seed, all)
    if (violations.length === 0) continue
    const clean = await world(undefined, seed, all)
    if (clean.violations.length > 0) {
      say(`PRODUCT   seed ${seed} fails without ${plant.name} as well: ${clean.violations[0]}`)
      return { name: plant.name, tries, checkers: [], cleanFails: true }
    }
    const checkers = [...new Set(violations.map(v => v.split(': ')[1]))]
    say(`found     ${plant.name} with seed ${seed} (${tries} of at most ${plant.seeds}): ${checkers.join(', ')}\n          ${violations[0]}`)
    return { name: plant.name, seed, tries, checkers, cleanFails: false }
  }
  say(`NOT FOUND ${plant.name} within ${plant.seeds} seeds: ${plant.what}`)
  return { name: plant.name, tries: plant.seeds, checkers: [], cleanFails: false }
}

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
  for (const plant of PLANTS) if (names?.includes(plant.name) ?? true) found.push(await hunt(plant, seed, options))
  if (values.json) process.stdout.write(`${JSON.stringify(found)}\n`)
  const missed = found.filter(f => f.seed === undefined)
  say(`${found.length - missed.length} of ${found.length} planted bugs found`)
  return missed.length === 0 ? 0 : 1
})
