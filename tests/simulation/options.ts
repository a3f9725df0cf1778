/**
 * What a world is like, drawn from its seed: every kind of fault is off in some worlds and wild in
 * others, for what always happens together is only ever seen together. (Swarm testing: Groce et al.,
 * ISSTA 2012; TigerBeetle's vopr draws its options so.) Each number has a stream of its own, so that
 * a new one changes none of the others.
 */
import { Misused } from '../../src/cli/arguments.ts'
import { type ChainParams, MAIN, TEST } from '../../src/core/params.ts'
import { Seeded } from './seeded.ts'

/** Mean time per tab between two faults of a kind, ms; 0: never. */
export interface FaultOptions {
  readonly loss: number
  readonly drop: number
  readonly duplicate: number
  /** Spread of the way's log-normal factor: messages overtake one another. */
  readonly jitter: number
  /** Of the world, not of a tab. */
  readonly partitionEveryMs: number
  readonly oneWayEveryMs: number
  readonly relayDownEveryMs: number
  /** Mean length of a partition or an outage, and the most: halves that were apart for longer than blocks are kept do not come together again (docs/security.md, section 7). */
  readonly outageMs: number
  readonly outageMostMs: number
  readonly hideEveryMs: number
  readonly freezeEveryMs: number
  readonly closeEveryMs: number
  readonly crashEveryMs: number
  readonly reloadEveryMs: number
  readonly wipeEveryMs: number
  /** Mean time hidden, frozen or closed. */
  readonly awayMs: number
  /** Clocks are wrong by up to this, either way; a tenth of them by a hundred times as much. */
  readonly skewMs: number
  readonly jumpEveryMs: number
  readonly jumpMs: number
  readonly diskLatencyMs: number
  readonly tornEveryMs: number
  readonly quotaEveryMs: number
  readonly goneEveryMs: number
  readonly lostEveryMs: number
  readonly slowEveryMs: number
  /** Share of honest tabs whose device will compute wrong bits: at some time, for a while or for good. */
  readonly wrongShare: number
}

export interface UserOptions {
  /** Mean time per tab between two transfers, and per world between two jobs, ms; 0: never. */
  readonly sendEveryMs: number
  readonly jobEveryMs: number
}

export interface SimOptions {
  readonly seed: string
  readonly nodes: number
  readonly compute: 'real' | 'stand-in'
  readonly laptopSliceMs: number
  /** main: the numbers of the main network. fast: twice as fast, with the committees and delays of the test network. */
  readonly network: 'main' | 'fast'
  /** short: a third of the blocks is kept and half redone by who joins, so that also a world of minutes prunes and is joined by its ledger. */
  readonly history: 'long' | 'short'
  /** Least time between two seals, ms. */
  readonly roundMs: number
  /** Contributions offered per round in the beginning; 0: all that the rule of a new network lets through. */
  readonly offers: number
  /** Share of a device's time that its tab mines. */
  readonly duty: number
  /** Of the tabs; the others are laptops. */
  readonly phoneShare: number
  readonly gamingShare: number
  /** Of the phase with faults, virtual. */
  readonly safetyMs: number
  /** Within which all must agree after everything is healed, virtual. */
  readonly livenessMs: number
  readonly attackerShare: number
  /** Names of enemies, one of which each attacker is. */
  readonly attackers: readonly string[]
  readonly faults: FaultOptions
  readonly users: UserOptions
}

export interface Given {
  readonly seed: string
  readonly nodes?: number
  readonly hours?: number
  readonly attackerShare?: number
  /** Enemies to choose from. */
  readonly enemies?: readonly string[]
  /** By the names that are printed: these are not drawn. */
  readonly set?: Readonly<Record<string, string>>
}

const MINUTE = 60_000
/** Shares of worlds in which a fault is off. */
const OFF = 0.45
/** Of many kinds of enemy a world has at most so many. */
const ENEMIES_MAX = 2

/** Off, or somewhere between mild and wild, evenly in its logarithm. */
function swarm (random: Seeded, mild: number, wild: number): number {
  return random.chance(OFF) ? 0 : mild * (wild / mild) ** random.uniform()
}

const rounded = (n: number): number => Number(n.toPrecision(3))

export function drawOptions (given: Given): SimOptions {
  const { faults, users, ...drawn } = draw(given)
  const set = new Map(Object.entries(given.set ?? {}))
  const options = { ...setIn(drawn, set), faults: setIn(faults, set), users: setIn(users, set) }
  for (const name of set.keys()) throw new Misused(Object.hasOwn(OWN, name) ? `--set: use ${OWN[name]} for ${name}` : `--set: there is nothing of the name "${name}" to set; there are ${settable({ ...drawn, ...faults, ...users }).join(', ')}`)
  return options
}

const WORDS: Readonly<Record<string, readonly string[]>> = { compute: ['real', 'stand-in'], network: ['main', 'fast'], history: ['long', 'short'] }
/** Options of the command itself. */
const OWN: Readonly<Record<string, string>> = { nodes: '--nodes', attackerShare: '--attackers', safetyMs: '--hours', attackers: '--enemies', seed: '--seed' }
/** Of the others, the least and the most; what has no line here is from 0. Nothing would ever arrive where all is lost. */
const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  roundMs: [100, 1e9], laptopSliceMs: [1, 1e6], duty: [0.01, 1], phoneShare: [0, 1], gamingShare: [0, 1], wrongShare: [0, 1], loss: [0, 0.9], drop: [0, 0.9], duplicate: [0, 0.9], jitter: [0, 10], offers: [0, 1_000], livenessMs: [1, 1e9]
}
/** What happens every so often, if it does: what happens all the time lets nothing else happen. */
const EVERY_LEAST_MS = 100
const ANY: readonly [number, number] = [0, 1e9]

const settable = (options: object): string[] => Object.entries(options).filter(([name, drawn]) => !Object.hasOwn(OWN, name) && (typeof drawn === 'number' || Object.hasOwn(WORDS, name))).map(([name]) => name)

/** With what `set` says of these, which is taken out of it. */
function setIn<T extends object> (options: T, set: Map<string, string>): T {
  const changed: Record<string, string | number> = {}
  for (const name of settable(options)) {
    const text = set.get(name)
    const words = WORDS[name]
    if (text === undefined) continue
    const [least, most] = RANGES[name] ?? ANY
    const often = name.endsWith('EveryMs') && Number(text) !== 0 && Number(text) < EVERY_LEAST_MS
    const fits = words === undefined ? text !== '' && Number(text) >= least && Number(text) <= most && !often : words.includes(text)
    if (!fits) throw new Misused(`--set: ${name}: expected ${words === undefined ? `${often ? '0 or ' : ''}a number from ${often ? EVERY_LEAST_MS : least} to ${most}` : words.join(' or ')}, got "${text}"`)
    changed[name] = words === undefined ? Number(text) : text
    set.delete(name)
  }
  return { ...options, ...changed }
}

function draw (given: Given): SimOptions {
  const root = new Seeded(given.seed, 'options')
  const of = (name: string): Seeded => root.stream(name)
  const fault = (name: string, mild: number, wild: number): number => rounded(swarm(of(name), mild, wild))
  const enemies = given.enemies ?? []
  const network = of('network').chance(0.4) ? 'main' : 'fast'
  // A slice of the benchmark takes a laptop a tenth of a second, the dearest one a quarter; fewer are simulated faster.
  const laptopSliceMs = rounded(of('slice').between(200, 400))
  // Set or drawn: how long the world is, and how long its halves may be apart, goes by it.
  const drawn = network === 'fast' && of('history').chance(0.4) ? 'short' : 'long'
  const history = given.set?.history === 'short' || given.set?.history === 'long' ? given.set.history : drawn
  // It takes two hundred blocks to make a ledger that is joined by, and somebody who has nothing.
  const joins = history === 'short' && of('joins').chance(0.25)
  const lengthMs = of('length').between(4, 10) * MINUTE * (joins ? 3 : 1)
  const attackerShare = enemies.length === 0 ? 0 : given.attackerShare ?? (of('attackers').chance(OFF) ? 0 : 0.3)
  return {
    seed: given.seed,
    nodes: given.nodes ?? 30 + of('nodes').below(71),
    compute: of('compute').chance(0.25) ? 'real' : 'stand-in',
    network,
    history,
    // Contributions, vouches and votes are most of what happens in a world: rounds that are longer make more worlds.
    roundMs: Math.round(of('round').between(1, 4) * (paramsOf({ network }).roundMs ?? MAIN.roundMs)),
    offers: of('offers').chance(0.15) ? 0 : 4 + of('offers per round').below(9),
    laptopSliceMs,
    duty: rounded(verifying(laptopSliceMs, network) + of('duty').between(0.1, 0.25)),
    phoneShare: rounded(swarm(of('phones'), 0.1, 0.5)),
    gamingShare: of('gaming').chance(0.3) ? 0.04 : 0,
    safetyMs: given.hours === undefined ? Math.round(lengthMs) : Math.round(given.hours * 60 * MINUTE),
    livenessMs: 15 * MINUTE,
    attackerShare,
    attackers: attackerShare === 0 ? [] : of('enemies').shuffle(enemies).slice(0, 1 + of('enemy kinds').below(ENEMIES_MAX)),
    faults: {
      loss: fault('loss', 0.005, 0.1),
      drop: fault('drop', 0.001, 0.05),
      duplicate: fault('duplicate', 0.005, 0.2),
      jitter: Math.max(0.1, fault('jitter', 0.2, 1.2)),
      partitionEveryMs: fault('partition', 10 * MINUTE, 2 * MINUTE),
      oneWayEveryMs: fault('one way', 10 * MINUTE, 2 * MINUTE),
      relayDownEveryMs: fault('relay', 10 * MINUTE, 2 * MINUTE),
      outageMs: rounded(of('outage').between(15_000, 90_000)),
      outageMostMs: history === 'short' ? MINUTE : 10 * MINUTE,
      hideEveryMs: fault('hide', 10 * MINUTE, MINUTE),
      freezeEveryMs: fault('freeze', 20 * MINUTE, 3 * MINUTE),
      closeEveryMs: fault('close', 20 * MINUTE, 3 * MINUTE),
      crashEveryMs: fault('crash', 30 * MINUTE, 3 * MINUTE),
      reloadEveryMs: fault('reload', 20 * MINUTE, 3 * MINUTE),
      wipeEveryMs: joins ? 6 * MINUTE : fault('wipe', 60 * MINUTE, 10 * MINUTE),
      awayMs: rounded(of('away').between(5_000, 120_000)),
      skewMs: fault('skew', 200, 4_000),
      jumpEveryMs: fault('jump', 60 * MINUTE, 10 * MINUTE),
      jumpMs: rounded(of('jump size').between(1_000, 10 * MINUTE)),
      diskLatencyMs: fault('disk', 1, 200),
      tornEveryMs: fault('torn', 40 * MINUTE, 5 * MINUTE),
      quotaEveryMs: fault('quota', 60 * MINUTE, 10 * MINUTE),
      goneEveryMs: fault('gone', 60 * MINUTE, 15 * MINUTE),
      lostEveryMs: fault('lost', 60 * MINUTE, 10 * MINUTE),
      slowEveryMs: fault('slow', 30 * MINUTE, 5 * MINUTE),
      wrongShare: fault('wrong', 0.01, 0.08)
    },
    users: {
      sendEveryMs: fault('send', 10 * MINUTE, MINUTE),
      jobEveryMs: fault('job', 6 * MINUTE, MINUTE)
    }
  }
}

/**
 * The share of a laptop's time that goes into redoing what others did: a block and about a contribution for each. The
 * blocks of these worlds come sooner and their slices take longer than in the main network: with no more than its time
 * for mining, whoever verifies would hardly mine, and those who do not would have most of the work.
 */
function verifying (laptopSliceMs: number, network: SimOptions['network']): number {
  return 2 * laptopSliceMs / (paramsOf({ network }).blockIntervalMs ?? MAIN.blockIntervalMs)
}

export function paramsOf ({ history, network }: Partial<Pick<SimOptions, 'history'>> & Pick<SimOptions, 'network'>): Partial<ChainParams> {
  const { cancelDelay, committeeBlocks, epochBlocks, maturity, retargetWindow } = TEST
  return {
    ...network === 'main' ? {} : { blockIntervalMs: MAIN.blockIntervalMs / 2, roundMs: MAIN.roundMs / 2, cancelDelay, committeeBlocks, epochBlocks, maturity, retargetWindow },
    ...history === 'short' ? { historyBlocks: MAIN.historyBlocks / 3 + 2, joinReplayBlocks: MAIN.joinReplayBlocks / 2 } : {}
  }
}

/** One number per name, for the report and for the first lines of the command. */
export function printable (o: SimOptions): Record<string, string | number | boolean> {
  const { attackers, faults, users, seed: _, ...rest } = o
  return { ...rest, attackers: attackers.join(' and ') || 'none', ...faults, ...users }
}
