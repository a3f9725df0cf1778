/**
 * Many drawn worlds, one process each, so that what one leaves behind does not burden the next. World i
 * of soak S has the seed S-i: a soak that was broken off goes on with --first. The program is made one
 * file before the first of them: else the loader takes seconds of each.
 */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { withBundle } from '../../scripts/bundle.mjs'
import { DRAWN } from './attackers.ts'
import { ENEMIES, type EnemyName } from './enemies/table.ts'
import { type Earner, pooled, unfair } from './fairness.ts'
import { tooManyKept } from './forgeries.ts'
import type { Violation, WorldReport } from './report/types.ts'

/** From so many worlds on each kind of enemy must have done what it does: it was in some seven of them. */
const IDLE_WORLDS = 100
/** By chance one of the kinds is in none of a hundred worlds once in fifty soaks; of so many, once in a hundred thousand. */
const ABSENT_WORLDS = 250

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export interface SoakOptions {
  readonly seed: string
  /** Index of the first world. */
  readonly first: number
  readonly worlds: number
  /** Arguments of `npm run sim` beside the seed. */
  readonly args: readonly string[]
  readonly workers: number
  /** No world is begun after this, wall ms. */
  readonly wallMs: number
  /** A world that takes longer than this has hung, wall ms. */
  readonly worldMs: number
  readonly stopAtFailure: boolean
  readonly done: (world: SoakWorld, all: SoakSummary) => void
}

/** The line that runs so many worlds of this soak from that one on. */
export function soakCommand ({ args, seed }: Pick<SoakOptions, 'args' | 'seed'>, first: number, worlds: number): string {
  return ['npm run soak --', `--seed ${seed} --first ${first} --worlds ${worlds}`, ...args].join(' ')
}

export interface SoakWorld {
  readonly index: number
  readonly seed: string
  readonly command: string
  /** Absent where the world ended without one. */
  readonly report?: WorldReport
  readonly violations: readonly Violation[]
}

export interface SoakSummary {
  readonly seed: string
  readonly first: number
  /** Worlds that have ended, and the first that has not: where to go on. */
  worlds: number
  next: number
  failed: Array<{ readonly seed: string, readonly command: string, readonly violations: readonly Violation[] }>
  nodes: number
  virtualHours: number
  blocks: number
  /** By kind of enemy: in how many worlds it was, and how often it did what such an enemy does. */
  enemies: Record<string, { worlds: number, deeds: Record<string, number> }>
  /** By checker, in how many worlds. */
  checkers: Record<string, number>
  wallMs: number
  /** All tabs of a kind of device or of enemy in all worlds: shares of every world, in its blocks. */
  earned: readonly Earner[]
  /** Rounds in which a committee sealed something wrong. */
  wrongRounds: { readonly rounds: number, readonly kept: number, readonly byChance: number }
}

/** So rarely is it chance where all worlds together are judged. */
const RARE = 1e-9

/** What no world shows alone: who earns too much or too little in all of them, and wrong contributions that stay too often. */
export function soakVerdict ({ earned, wrongRounds: { byChance, kept, rounds } }: Pick<SoakSummary, 'earned' | 'wrongRounds'>): string[] {
  const wrong = rounds === 0 ? undefined : tooManyKept(kept, rounds, byChance, RARE)
  return [...unfair(earned, 1, RARE), ...wrong === undefined ? [] : [wrong]]
}

/** What is young may be much, as in scripts/run.mjs: a tenth of a world's time went into collecting what would soon be dead. */
const YOUNG_MIB = 128
/** Each worker has a core: collecting beside the world would take it from the other one. */
const FLAGS = [`--max-semi-space-size=${YOUNG_MIB}`, '--single-threaded-gc', '--enable-source-maps']
const PROGRAM = fileURLToPath(new URL('../../src/cli/sim.ts', import.meta.url))

export async function soak (o: SoakOptions): Promise<SoakSummary> {
  return await withBundle(PROGRAM, async file => await soakBy(file, o))
}

async function soakBy (file: string, o: SoakOptions): Promise<SoakSummary> {
  const begun = performance.now()
  const all: SoakSummary = { seed: o.seed, first: o.first, worlds: 0, next: o.first, failed: [], nodes: 0, virtualHours: 0, blocks: 0, enemies: {}, checkers: {}, wallMs: 0, earned: [], wrongRounds: { rounds: 0, kept: 0, byChance: 0 } }
  const ended = new Set<number>()
  let index = o.first
  const more = (): boolean => index < o.first + o.worlds && performance.now() - begun < o.wallMs && !(o.stopAtFailure && all.failed.length > 0)
  await Promise.all(Array.from({ length: o.workers }, async () => {
    while (more()) {
      const world = await oneWorld(index++, file, o)
      ended.add(world.index)
      while (ended.delete(all.next)) all.next++
      count(all, world)
      all.wallMs = performance.now() - begun
      o.done(world, all)
    }
  }))
  return all
}

export function count (all: SoakSummary, { command, report, seed, violations }: SoakWorld): void {
  all.worlds++
  if (report !== undefined) {
    all.nodes += report.nodes
    all.virtualHours += report.virtualMs / 3_600_000
    all.blocks += report.blocksMain
    all.earned = pooled([...all.earned, ...report.tabs.map((t): Earner => ({
      name: t.role === 'honest' ? `honest, ${t.device}` : t.role, kind: t.role === 'honest' ? 'honest' : 'attacker',
      work: t.workShare * report.blocksMain, blocks: t.blockShare * report.blocksMain, credits: t.rewardShare * report.blocksMain
    }))])
    const of = (what: string): number => Number(report.counts?.[`wrong contributions: ${what}`] ?? 0)
    const { byChance, kept, rounds } = all.wrongRounds
    all.wrongRounds = { rounds: rounds + of('rounds'), kept: kept + of('kept'), byChance: byChance + of('byChance') }
    for (const [name, did] of Object.entries(report.deeds ?? {})) {
      const sum = all.enemies[name] ??= { worlds: 0, deeds: Object.fromEntries(ENEMIES[name as EnemyName].deeds.map(d => [d, 0])) }
      sum.worlds++
      for (const deed of Object.keys(sum.deeds)) sum.deeds[deed] += did[deed] ?? 0
    }
  }
  if (violations.length === 0) return
  all.failed.push({ seed, command, violations })
  for (const checker of new Set(violations.map(v => v.checker))) all.checkers[checker] = (all.checkers[checker] ?? 0) + 1
}

/** Of the kinds that are drawn those that did nothing, or left out a part of what they do, in worlds enough for it: their worlds have proved nothing. */
export function idle ({ enemies, worlds }: Pick<SoakSummary, 'enemies' | 'worlds'>): string[] {
  if (worlds < IDLE_WORLDS) return []
  return DRAWN.flatMap(name => {
    const sum = enemies[name]
    if (sum === undefined) return worlds < ABSENT_WORLDS ? [] : [`${name} was in no world`]
    return Object.entries(sum.deeds).flatMap(([deed, n]) => n > 0 ? [] : [`${name}: no ${deed} in ${sum.worlds} worlds`])
  })
}

async function oneWorld (index: number, file: string, o: SoakOptions): Promise<SoakWorld> {
  const seed = `${o.seed}-${index}`
  const args = ['--seed', seed, ...o.args]
  const command = `npm run sim -- ${args.join(' ')}`
  const { code, err, out } = await run(file, args, o.worldMs)
  const failed = (detail: string): SoakWorld => ({ index, seed, command, violations: [{ checker: 'process', detail, atMs: 0 }] })
  if (code !== 0 && code !== 1) return failed(`ended with ${code ?? `nothing after ${o.worldMs / 60_000} minutes`}: ${err.slice(-2_000)}`)
  let report: WorldReport
  try {
    report = JSON.parse(out) as WorldReport
  } catch {
    return failed(`said nothing that can be read: ${err.slice(-2_000)}`)
  }
  return { index, seed, command, report, violations: report.violations }
}

async function run (file: string, args: readonly string[], limitMs: number): Promise<{ readonly code: number | null, readonly out: string, readonly err: string }> {
  const child = spawn(process.execPath, [...FLAGS, file, ...args, '--json'], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
  const text = { out: '', err: '' }
  child.stdout.on('data', (d: Buffer) => { text.out += d.toString() })
  child.stderr.on('data', (d: Buffer) => { text.err = (text.err + d.toString()).slice(-10_000) })
  const limit = setTimeout(() => { child.kill('SIGKILL') }, limitMs)
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('close', resolve)
    child.on('error', reject)
  })
  clearTimeout(limit)
  return { code, ...text }
}
