/**
 * The network between home connections: how long bytes take, what gets lost, who can reach whom.
 * Delay = the sender's queue and uplink + the way between the regions, with jitter + the receiver's
 * downlink. Figures are of ordinary home lines (median 10 Mbit/s up, 50 down; 8 to 150 ms one way).
 */
import type { Clock } from '../../src/ports/clock.ts'
import type { PeerId } from '../../src/ports/network.ts'
import { createMemoryHub, type MemoryHub, type Route } from '../../src/net/memory.ts'
import type { Seeded } from './seeded.ts'

/** One way between regions, ms: Europe, North America, South America, Asia, Oceania. */
const REGION_MS = [
  [8, 45, 95, 90, 140],
  [45, 15, 65, 80, 85],
  [95, 65, 20, 150, 150],
  [90, 80, 150, 25, 60],
  [140, 85, 150, 60, 12]
] as const
const REGION_SHARES = [0.35, 0.3, 0.1, 0.2, 0.05] as const

/** open: anybody reaches it. cone: with hole punching. symmetric: not from another symmetric one. */
export type Nat = 'open' | 'cone' | 'symmetric'

export interface Line {
  readonly region: number
  readonly nat: Nat
  /** Bytes per ms. */
  readonly up: number
  readonly down: number
}

export function drawLine (random: Seeded): Line {
  let region = 0
  for (let u = random.uniform(); region < REGION_SHARES.length - 1 && (u -= REGION_SHARES[region]) >= 0;) region++
  const u = random.uniform()
  return {
    region,
    nat: u < 0.15 ? 'open' : u < 0.8 ? 'cone' : 'symmetric',
    up: Math.max(0.1, random.logNormal(1250, 0.8)),
    down: Math.max(0.5, random.logNormal(6250, 0.8))
  }
}

export const canLink = (a: Line, b: Line): boolean => a.nat !== 'symmetric' || b.nat !== 'symmetric'

export interface InternetFaults {
  /** Share of packets a line loses: they come again a round trip later. */
  loss: number
  /** Share of messages whose stream breaks: they never come. */
  drop: number
  /** Share of messages that come twice. */
  duplicate: number
  /** Jitter of the way, as the spread of a log-normal factor. */
  jitter: number
  /** New links cannot be made: signalling is down. */
  relayDown: boolean
}

export const CALM: Readonly<InternetFaults> = { loss: 0, drop: 0, duplicate: 0, jitter: 0.1, relayDown: false }

/** Bytes of headers, encryption and acknowledgement around a message. */
const OVERHEAD_BYTES = 120
/** Nobody looks at a tab's traffic more often, ms. */
const STATUS_EVERY_MS = 10_000
/** The sender's queue is dropped when it is longer, ms. */
const QUEUE_MS_MAX = 60_000

const NOBODY: ReadonlySet<PeerId> = new Set()

interface Endpoint {
  readonly region: number
  /** [UP, DOWN, UP_FREE_AT, DOWN_FREE_AT]: side by side, where four numbers of an object lie in four places of a large memory. */
  readonly numbers: Float64Array
  reachable: boolean
}
/** Bytes per ms, and when the queue is through, ms. */
const UP = 0
const DOWN = 1
const UP_FREE_AT = 2
const DOWN_FREE_AT = 3

export class Internet {
  readonly hub: MemoryHub
  readonly faults: InternetFaults = { ...CALM }
  readonly #clock: Clock
  readonly #random: Seeded
  readonly #ends = new Map<PeerId, Endpoint>()
  /** One way only: from a group to a group. */
  #oneWay: { readonly from: ReadonlySet<PeerId>, readonly to: ReadonlySet<PeerId> } | undefined
  /** Between whom no link can be made now. */
  apart: ((a: PeerId, b: PeerId) => boolean) | undefined
  bytes = 0
  messages = 0

  /** `share`: all receivers get the same bytes. */
  constructor (clock: Clock, random: Seeded, share = false) {
    this.#clock = clock
    this.#random = random
    this.hub = createMemoryHub({ clock, maxLinks: 0, share, statusEveryMs: STATUS_EVERY_MS, route: (from, to) => this.#route(from, to) })
  }

  plug (id: PeerId, line: Line): void { this.#ends.set(id, { region: line.region, numbers: Float64Array.of(line.up, line.down, 0, 0), reachable: true }) }
  unplug (id: PeerId): void {
    this.silence(id)
    this.#ends.delete(id)
  }

  /** A dead tab's links stay until the others notice; nothing passes. */
  silence (id: PeerId): void {
    const end = this.#ends.get(id)
    if (end !== undefined) end.reachable = false
  }

  blockOneWay (from: Iterable<PeerId>, to: Iterable<PeerId>): void { this.#oneWay = { from: new Set(from), to: new Set(to) } }

  heal (): void {
    this.#oneWay = undefined
    this.apart = undefined
    Object.assign(this.faults, CALM)
    this.hub.heal()
  }

  /** Whether two are linked and bytes pass both ways. */
  passes (a: PeerId, b: PeerId): boolean {
    const { from, to } = this.#oneWay ?? { from: NOBODY, to: NOBODY }
    return this.hub.open(a, b) && this.#ends.get(a)?.reachable === true && this.#ends.get(b)?.reachable === true &&
      !(from.has(a) && to.has(b)) && !(from.has(b) && to.has(a))
  }

  #route (from: PeerId, to: PeerId): Route {
    const a = this.#ends.get(from)
    const b = this.#ends.get(to)
    if (a === undefined || b === undefined) return () => []
    const way = REGION_MS[a.region][b.region]
    return bytes => this.#pass(from, a, to, b, way, bytes)
  }

  /** `way`: between their regions, ms. */
  #pass (from: PeerId, a: Endpoint, to: PeerId, b: Endpoint, way: number, size: number): readonly number[] {
    if (!a.reachable || !b.reachable) return []
    if (this.#oneWay !== undefined && this.#oneWay.from.has(from) && this.#oneWay.to.has(to)) return []
    const { faults } = this
    const random = this.#random
    if (faults.drop > 0 && random.chance(faults.drop)) return []
    const now = this.#clock.now()
    const bytes = size + OVERHEAD_BYTES
    this.bytes += bytes
    this.messages++
    const sentAt = Math.max(now, a.numbers[UP_FREE_AT]) + bytes / a.numbers[UP]
    if (sentAt > now + QUEUE_MS_MAX) return []
    a.numbers[UP_FREE_AT] = sentAt
    let arrives = sentAt + (faults.jitter > 0 ? random.logNormal(way, faults.jitter) : way)
    while (faults.loss > 0 && random.chance(faults.loss)) arrives += 2 * way + 20
    const there = Math.max(arrives, b.numbers[DOWN_FREE_AT]) + bytes / b.numbers[DOWN]
    b.numbers[DOWN_FREE_AT] = there
    const ms = there - now
    return faults.duplicate > 0 && random.chance(faults.duplicate) ? [ms, ms + random.exponential(500)] : [ms]
  }
}

export interface TopologyNumbers {
  readonly target: number
  readonly soft: number
  readonly hard: number
  readonly tickMs: number
  readonly exploreMs: number
}

/** As in src/net/mesh.ts. */
export const TOPOLOGY: TopologyNumbers = { target: 5, soft: 10, hard: 16, tickMs: 2_000, exploreMs: 45_000 }

/** What the topology needs to know of a node that is up. */
export interface Dialler { readonly id: PeerId, readonly line: Line, readonly wants: () => boolean, exploreAt: number, dialling: number }

/** Keeps everybody linked to a few others: what src/net/mesh.ts does over real connections. */
export class Topology {
  readonly #internet: Internet
  readonly #clock: Clock
  readonly #random: Seeded
  readonly #numbers: TopologyNumbers
  readonly #present = new Map<PeerId, Dialler>()
  #order: Dialler[] = []

  constructor (internet: Internet, clock: Clock, random: Seeded, numbers = TOPOLOGY) {
    this.#internet = internet
    this.#clock = clock
    this.#random = random
    this.#numbers = numbers
    this.#tick()
  }

  add (id: PeerId, line: Line, wants: () => boolean = () => true): void {
    const d: Dialler = { id, line, wants, exploreAt: this.#clock.now() + this.#random.uniform() * this.#numbers.exploreMs, dialling: 0 }
    this.#present.set(id, d)
    this.#order.push(d)
    for (let i = 0; i < this.#numbers.target; i++) this.#dial(d)
  }

  remove (id: PeerId): void {
    if (this.#present.delete(id)) this.#order = this.#order.filter(d => d.id !== id)
  }

  #tick (): void {
    const { hub } = this.#internet
    const { exploreMs, soft, target, tickMs } = this.#numbers
    const now = this.#clock.now()
    for (const d of this.#order) {
      const links = hub.links(d.id)
      if (links.length + d.dialling < target) this.#dial(d)
      else if (now >= d.exploreAt) {
        d.exploreAt = now + exploreMs * this.#random.between(0.75, 1.25)
        this.#dial(d)
      }
      if (links.length > soft) hub.disconnect(d.id, this.#random.pick(links))
    }
    this.#clock.after(tickMs, () => { this.#tick() })
  }

  #dial (d: Dialler): void {
    if (!d.wants()) return
    const other = this.#candidate(d)
    if (other === undefined) return
    d.dialling++
    this.#clock.after(this.#random.between(400, 2_500), () => {
      d.dialling--
      const there = this.#present.get(other.id)
      if (there === undefined || !there.wants() || this.#present.get(d.id) !== d || !canLink(d.line, other.line) || this.#internet.apart?.(d.id, other.id) === true) return
      if (this.#internet.hub.links(other.id).length < this.#numbers.hard) this.#internet.hub.connect(d.id, other.id)
    })
  }

  /** Through the server: anybody. Without it: whom a neighbour knows. */
  #candidate (d: Dialler): Dialler | undefined {
    const { hub } = this.#internet
    const links = hub.links(d.id)
    const id = this.#internet.faults.relayDown
      ? (links.length === 0 ? undefined : this.#random.pick([...hub.links(this.#random.pick(links)), d.id]))
      : this.#random.pick(this.#order).id
    return id === undefined || id === d.id || links.includes(id) ? undefined : this.#present.get(id)
  }
}
