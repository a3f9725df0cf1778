/**
 * Looks for one planted bug in simulated worlds, seed after seed. One of the checkers that are meant must fire: that
 * something else is upset shows no more than that. The world that found it is run once more without the bug.
 */
import { spawn } from 'node:child_process'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Plant } from './table.mjs'

interface World { readonly checkers: readonly string[], readonly first: string }
export interface Found { readonly name: string, readonly seed?: string, readonly tries: number, readonly checkers: readonly string[], readonly cleanFails: boolean }

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

/** `VIOLATION at 1.20 min: NAME: detail`; the auditor's names have a word in front. */
export const checkerOf = (line: string): string => /^VIOLATION at [\d.]+ min: ((?:audit: )?[^:]+)/.exec(line)?.[1] ?? line

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
  return { checkers: [...new Set(violations.map(checkerOf))], first: violations[0] ?? '' }
}

/** `options`: of every world, before those that the bug needs. */
export async function hunt (plant: Plant, from: string, options: readonly string[], say: (line: string) => void): Promise<Found> {
  const all = [...options, ...plant.options ?? []]
  for (let tries = 1; tries <= plant.seeds; tries++) {
    const seed = `${from}-${tries}`
    const { checkers, first } = await world(plant, seed, all)
    if (checkers.length === 0) continue
    if (!checkers.some(c => plant.checkers.includes(c))) {
      say(`beside    ${plant.name} with seed ${seed}: ${checkers.join(', ')}, none of those that are meant (${plant.checkers.join(', ')})`)
      continue
    }
    const clean = await world(undefined, seed, all)
    if (clean.checkers.length > 0) {
      say(`PRODUCT   seed ${seed} fails without ${plant.name} as well: ${clean.first}`)
      return { name: plant.name, tries, checkers: [], cleanFails: true }
    }
    say(`found     ${plant.name} with seed ${seed} (${tries} of at most ${plant.seeds}): ${checkers.join(', ')}\n          ${first}`)
    return { name: plant.name, seed, tries, checkers, cleanFails: false }
  }
  say(`NOT FOUND ${plant.name} within ${plant.seeds} seeds: ${plant.what}`)
  return { name: plant.name, tries: plant.seeds, checkers: [], cleanFails: false }
}
