/**
 * One world from its options to its report: a phase with faults, in which nothing wrong may be
 * believed, then one in which everything is healed and all must agree and go on. (TigerBeetle's vopr:
 * a safety phase, then a liveness phase.)
 */
import { benchmarkJob } from '../../src/core/ledger/state.ts'
import { ATTACKERS } from './attackers.ts'
import type { DeviceClass } from './devices.ts'
import { Faults } from './faults.ts'
import { Observer } from './observer.ts'
import { paramsOf, printable, type SimOptions } from './options.ts'
import type { WorldReport } from './report/types.ts'
import { Seeded } from './seeded.ts'
import { Users } from './users.ts'
import { CHECKED, Watch } from './watch.ts'
import { World } from './world.ts'

const LOOK_MS = 5_000
const OPENING_MS = 10_000
/** After agreeing, so many blocks and seals more must come. */
const MORE_BLOCKS = 3
const MORE_ROUNDS = 1
/** No round is asked for where a quorum of the seats was honest for less than this of the time, ms. */
const SEALING_MS = 300_000

function classOf (o: SimOptions, u: number): DeviceClass {
  return u < o.gamingShare ? 'gaming' : u < o.gamingShare + o.phoneShare ? 'phone' : 'laptop'
}

export interface Course {
  readonly command: string
  readonly scenario: string
  readonly progress?: (line: string) => void
}

export async function runWorld (o: SimOptions, course: Course): Promise<WorldReport> {
  const begun = performance.now()
  const { progress = () => {} } = course
  const attackers = Math.round(o.nodes * o.attackerShare)
  const devices = new Seeded(o.seed, 'device mix')
  const classes = Array.from({ length: o.nodes }, () => classOf(o, devices.uniform()))
  const squads = o.attackers.map(name => ATTACKERS[name]())
  const world = new World({
    seed: o.seed, nodes: o.nodes, compute: o.compute, laptopSliceMs: o.laptopSliceMs, duty: o.duty, offers: o.offers === 0 ? undefined : o.offers, warm: true, params: { ...paramsOf(o), roundMs: o.roundMs },
    devices: i => classes[i],
    // The first ones: who is which is drawn anyhow (line, device).
    enemy: i => i < attackers ? squads[i % squads.length].recruit() : undefined
  })
  const faults = new Faults(world, o.faults)
  const watch = new Watch(world, faults, squads)
  const observer = new Observer(world, LOOK_MS)
  const users = new Users(world, o.users)
  const unhandled = (e: unknown): void => { watch.fail('unhandled rejection', e instanceof Error ? e.stack ?? e.message : String(e)) }
  process.on('unhandledRejection', unhandled)
  try {
    world.openAll(OPENING_MS)
    faults.start()
    users.start()
    while (world.elapsed < o.safetyMs) {
      await world.run(Math.min(60_000, o.safetyMs - world.elapsed))
      progress(line(world, 'faults'))
    }
    users.stop()
    faults.heal()
    const healedAtMs = world.elapsed
    const agreedAtMs = await converge(world, watch, o.livenessMs, progress)
    if (agreedAtMs !== undefined) watch.finish(users)
    for (const e of [...faults.mistakes, ...users.mistakes]) watch.fail('simulator', e instanceof Error ? e.stack ?? e.message : String(e))
    const report = observer.report({
      command: course.command, scenario: course.scenario, wallMs: performance.now() - begun, violations: watch.violations, checked: CHECKED,
      options: printable(o),
      counts: { ...prefixed('struck: ', faults.counts), ...prefixed('users: ', users.counts), ...Object.assign({}, ...squads.map(squad => prefixed(`${squad.name}: `, squad.deeds.all()))) as Record<string, number>, ...prefixed('refused between honest: ', watch.refusedBetweenHonest), 'deepest reorganisation': watch.deepestReorganisation, ...prefixed('tabs whose chain was ', watch.longChains), 'wrong contributions sealed': watch.sealedWrong, ...prefixed('wrong contributions: ', watch.wrongRounds) },
      healedAtMs
    })
    const deeds = Object.fromEntries(o.attackers.slice(0, attackers).map((name, i) => [name, squads[i].deeds.all()]))
    return { ...report, deeds, ...agreedAtMs === undefined ? {} : { agreedAtMs } }
  } finally {
    process.off('unhandledRejection', unhandled)
  }
}

const prefixed = (prefix: string, counts: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(counts).map(([name, n]) => [prefix + name, n]))

/** Runs on until all agree and the chain has grown and sealed, if it can; when they agreed, ms. */
async function converge (world: World, watch: Watch, withinMs: number, progress: (line: string) => void): Promise<number | undefined> {
  const end = world.elapsed + withinMs
  const reach = (): { readonly height: number, readonly round: number } => {
    const heads = watch.soundUp().map(u => u.node.chain.head())
    return { height: Math.min(...heads.map(h => h.height)), round: Math.max(...heads.map(h => benchmarkJob(h.ledger).round)) }
  }
  let agreed: { readonly atMs: number, readonly height: number, readonly round: number } | undefined
  let why: string | undefined
  let canSealMs = 0
  while (world.elapsed < end) {
    await world.run(LOOK_MS)
    why = watch.disagreement()
    if (why !== undefined) agreed = undefined
    else if (agreed === undefined) {
      agreed = { atMs: world.elapsed, ...reach() }
      canSealMs = 0
    }
    if (watch.canSeal()) canSealMs += LOOK_MS
    if (world.elapsed % 60_000 < LOOK_MS) progress(`${line(world, 'healed')}${why === undefined ? '' : `  ${why}`}`)
    if (agreed === undefined) continue
    const now = reach()
    if (now.height >= agreed.height + MORE_BLOCKS && now.round >= agreed.round + MORE_ROUNDS) return agreed.atMs
  }
  if (agreed !== undefined && canSealMs < SEALING_MS && reach().height >= agreed.height + MORE_BLOCKS) return agreed.atMs
  for (const words of watch.lastWords()) progress(words)
  if (why !== undefined) watch.fail('agreement', `${Number((withinMs / 60_000).toPrecision(3))} minutes after healing: ${why}`)
  else watch.fail('progress', `agreed at height ${agreed?.height}, round ${agreed?.round}, but in ${Math.round((world.elapsed - agreed!.atMs) / 1000)} s came only to height ${reach().height}, round ${reach().round}; for ${canSealMs / 1000} s a quorum was honest`)
  return undefined
}

function line (world: World, phase: string): string {
  const heights = world.tabs.filter(t => t.honest && t.up).map(t => t.node!.chain.head().height)
  return `${(world.elapsed / 60_000).toFixed(1).padStart(6)} min  ${phase}  honest up ${heights.length}/${world.tabs.filter(t => t.honest).length}  height ${heights.length === 0 ? '–' : `${Math.min(...heights)}..${Math.max(...heights)}`}`
}
