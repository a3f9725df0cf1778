/**
 * The network between home connections: how long bytes take, what gets lost, who can reach whom.
 * Delay = the sender's queue and uplink + the way between the regions, with jitter + the receiver's
 * downlink. Figures are of ordinary home lines (median 10 Mbit/s up, 50 down; 8 to 150 ms one way).
 */
import type { Clock } from '../../src/ports/clock.ts'
import type { PeerId } from '../../src/ports/network.ts'
import { SEEN_MS } from '../../src/net/bounds.ts'
import { createMemoryHub, type MemoryHub, type Route } from '../../src/net/memory.ts'
import type { Elsewhere, Parcel } from '../../src/net/memoryParts.ts'
import { byWorth } from '../../src/net/peerBook.ts'
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

/**
 * Of a router: cone: with hole punching anybody reaches the tab behind it, as without a router. symmetric: another
 * symmetric one does not.
 */
export type Nat = 'cone' | 'symmetric'

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
    nat: u < 0.8 ? 'cone' : 'symmetric',
    up: Math.max(0.1, random.logNormal(1250, 0.8)),
    down: Math.max(0.5, random.logNormal(6250, 0.8))
  }
}

export const canLink = (a: Pick<Line, 'nat'>, b: Pick<Line, 'nat'>): boolean => a.nat !== 'symmetric' || b.nat !== 'symmetric'

export interface InternetFaults {
  /** Share of packets a line loses: they come again a round trip later. */
  loss: number
  /** Share of messages whose stream breaks: they never come. */
  drop: number
  /** Share of messages that come twice: of gossip, which a node that has seen it drops, some so late that it has forgotten. */
  duplicate: number
  /** Jitter of the way, as the spread of a log-normal factor. */
  jitter: number
  /** New links cannot be made: signalling is down. */
  relayDown: boolean
}

export const CALM: Readonly<InternetFaults> = { loss: 0, drop: 0, duplicate: 0, jitter: 0.1, relayDown: false }

/** Bytes of headers, encryption and acknowledgement around a message. */
const OVERHEAD_BYTES = 120
/** The second copy comes so much later, in the mean, ms. */
const AGAIN_MS = 500
/** Of second copies of gossip, those of a tab that slept over the first: its neighbours have forgotten what it hands on. */
const SLEPT_OVER = 0.1
const SLEPT_MS = 30_000
/** Nobody looks at a tab's traffic more often, ms. */
const STATUS_EVERY_MS = 10_000
/** The sender's queue is dropped when it is longer, ms. */
const QUEUE_MS_MAX = 60_000

const NOBODY: ReadonlySet<PeerId> = new Set()

/** Where a tab is: its region, and its row of numbers. */
interface Endpoint { readonly region: number, readonly row: number }

/** A row: bytes per ms, when either queue is through, ms, and whether it is there at all, 1 or 0. */
const ROW = 5
const UP = 0
const DOWN = 1
const UP_FREE_AT = 2
const DOWN_FREE_AT = 3
const REACHABLE = 4

export class Internet {
  readonly hub: MemoryHub
  readonly faults: InternetFaults = { ...CALM }
  readonly #clock: Clock
  readonly #random: Seeded
  readonly #elsewhere: Elsewhere | undefined
  readonly #ends = new Map<PeerId, Endpoint>()
  /** Of all that were ever plugged in, row by row: a message to each neighbour finds them side by side. */
  #numbers = new Float64Array(64 * ROW)
  #plugged = 0
  /** One way only: from a group to a group. */
  #oneWay: { readonly from: ReadonlySet<PeerId>, readonly to: ReadonlySet<PeerId> } | undefined
  /** Between whom no link can be made now. */
  apart: ((a: PeerId, b: PeerId) => boolean) | undefined
  bytes = 0
  messages = 0

  /** All tabs of the world are run here. */
  get isWhole (): boolean { return this.#elsewhere === undefined }

  /** `share`: all receivers get the same bytes. `elsewhere`: tabs that another part of the world runs. */
  constructor (clock: Clock, random: Seeded, share = false, elsewhere?: Elsewhere) {
    this.#clock = clock
    this.#random = random
    this.#elsewhere = elsewhere
    this.hub = createMemoryHub({ clock, maxLinks: 0, share, statusEveryMs: STATUS_EVERY_MS, elsewhere, route: (from, to) => this.#route(from, to) })
  }

  plug (id: PeerId, line: Line): void {
    const row = this.#plugged++ * ROW
    if (row === this.#numbers.length) {
      const more = new Float64Array(2 * row)
      more.set(this.#numbers)
      this.#numbers = more
    }
    this.#numbers.set([line.up, line.down, 0, 0, 1], row)
    this.#ends.set(id, { region: line.region, row })
  }

  unplug (id: PeerId): void {
    this.silence(id)
    this.#ends.delete(id)
  }

  /** A dead tab's links stay until the others notice; nothing passes. */
  silence (id: PeerId): void {
    const end = this.#ends.get(id)
    if (end !== undefined) this.#numbers[end.row + REACHABLE] = 0
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
    return this.hub.open(a, b) && this.#reachable(a) && this.#reachable(b) && !(from.has(a) && to.has(b)) && !(from.has(b) && to.has(a))
  }

  #reachable (id: PeerId): boolean {
    const end = this.#ends.get(id)
    return end !== undefined && this.#numbers[end.row + REACHABLE] === 1
  }

  #route (from: PeerId, to: PeerId): Route {
    const a = this.#ends.get(from)
    const b = this.#ends.get(to)
    if (a === undefined || b === undefined) return () => []
    const way = REGION_MS[a.region][b.region]
    const { row } = a
    const { row: there } = b
    const through = this.#elsewhere?.runs(to) !== true
    return (bytes, kind) => this.#pass(from, row, to, there, way, bytes, kind, through)
  }

  /** What another part has sent is at the receiver's line. */
  take (parcel: Parcel): void {
    const end = this.#ends.get(parcel.to)
    if (end !== undefined && this.#reachable(parcel.to)) this.hub.take({ ...parcel, atMs: this.#land(end.row, parcel.bytes.length + OVERHEAD_BYTES, parcel.atMs) })
  }

  /** `a`, `b`: their rows; `way`: between their regions, ms. `through`: with the receiver's downlink, of which its own part of the world knows. */
  #pass (from: PeerId, a: number, to: PeerId, b: number, way: number, size: number, kind: 'gossip' | 'stream', through: boolean): readonly number[] {
    const numbers = this.#numbers
    if (numbers[a + REACHABLE] === 0 || numbers[b + REACHABLE] === 0) return []
    if (this.#oneWay !== undefined && this.#oneWay.from.has(from) && this.#oneWay.to.has(to)) return []
    const { faults } = this
    const random = this.#random
    if (faults.drop > 0 && random.chance(faults.drop)) return []
    const now = this.#clock.now()
    const bytes = size + OVERHEAD_BYTES
    this.bytes += bytes
    this.messages++
    const sentAt = Math.max(now, numbers[a + UP_FREE_AT]) + bytes / numbers[a + UP]
    if (sentAt > now + QUEUE_MS_MAX) return []
    numbers[a + UP_FREE_AT] = sentAt
    let arrives = sentAt + (faults.jitter > 0 ? random.logNormal(way, faults.jitter) : way)
    while (faults.loss > 0 && random.chance(faults.loss)) arrives += 2 * way + 20
    const ms = (through ? this.#land(b, bytes, arrives) : arrives) - now
    if (faults.duplicate === 0 || !random.chance(faults.duplicate)) return [ms]
    return [ms, ms + (kind === 'gossip' && random.chance(SLEPT_OVER) ? SEEN_MS + random.exponential(SLEPT_MS) : random.exponential(AGAIN_MS))]
  }

  /** When the last of so many bytes, whose first come at `arrives`, is through the receiver's line. */
  #land (row: number, bytes: number, arrives: number): number {
    const numbers = this.#numbers
    const there = Math.max(arrives, numbers[row + DOWN_FREE_AT]) + bytes / numbers[row + DOWN]
    numbers[row + DOWN_FREE_AT] = there
    return there
  }
}

/**
 * Of a world run in two parts, by region: Europe, South America and Oceania are half of all tabs, and from them to the
 * others it takes 45 ms and more. What is sent is so long on its way that both parts can go on by two thirds of that at a time.
 */
export const PARTS = 2
const PART_OF_REGION = [0, 1, 0, 1, 0] as const
export const partOf = (line: Line): number => PART_OF_REGION[line.region]

/** One way between two parts takes at least this, ms, jitter and lines left out. */
export const LEAST_WAY_MS = Math.min(...REGION_MS.flatMap((row, a) => row.filter((_, b) => PART_OF_REGION[a] !== PART_OF_REGION[b])))

export interface TopologyNumbers {
  readonly target: number
  readonly soft: number
  readonly hard: number
  readonly tickMs: number
  readonly exploreMs: number
}

/** The numbers of src/net/mesh.ts, where a tab has 48 places; dials fail and wait there, and links over which something is fetched stay. */
export const TOPOLOGY: TopologyNumbers = { target: 5, soft: 10, hard: 16, tickMs: 2_000, exploreMs: 45_000 }

/** What the topology needs to know of a node that is up. */
export interface Dialler {
  readonly id: PeerId
  readonly line: Line
  readonly wants: () => boolean
  /** Those it has linked to itself. */
  readonly own: Set<PeerId>
  exploreAt: number
  dialling: number
}

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
    const d: Dialler = { id, line, wants, own: new Set(), exploreAt: this.#clock.now() + this.#random.uniform() * this.#numbers.exploreMs, dialling: 0 }
    this.#present.set(id, d)
    this.#order.push(d)
    for (let i = 0; i < this.#numbers.target; i++) this.#dial(d)
  }

  remove (id: PeerId): void {
    if (this.#present.delete(id)) this.#order = this.#order.filter(d => d.id !== id)
  }

  /** Of all links: two topologies that have one are alike. */
  fingerprint (): number {
    let print = this.#order.length
    for (const { id } of this.#order) for (const other of [id, ...this.#internet.hub.links(id)]) for (let i = 0; i < other.length; i++) print = Math.imul(print, 31) + other.charCodeAt(i) | 0
    return print
  }

  #tick (): void {
    const { hub } = this.#internet
    const { exploreMs, target, tickMs } = this.#numbers
    const now = this.#clock.now()
    for (const d of this.#order) {
      const links = hub.links(d.id)
      for (const id of d.own) if (!links.includes(id)) d.own.delete(id)
      if (links.length + d.dialling < target) this.#dial(d)
      if (now >= d.exploreAt) {
        d.exploreAt = now + exploreMs * this.#random.between(0.75, 1.25)
        this.#dial(d)
        this.#makeRoom(d, links)
      }
    }
    this.#clock.after(tickMs, () => { this.#tick() })
  }

  #makeRoom (d: Dialler, links: readonly PeerId[]): void {
    const over = links.length - this.#numbers.soft
    if (over <= 0) return
    const { hub } = this.#internet
    const shuffled = links.map(id => ({ id, at: this.#random.uniform() })).sort((a, b) => a.at - b.at).map(l => l.id)
    // Of a world in parts each must come to the same links, and knows only of its own tabs what was welcome to them.
    const welcomeAt = (l: PeerId): number | undefined => this.#internet.isWhole ? hub.welcomeAt(d.id, l) : undefined
    for (const id of byWorth(shuffled, l => d.own.has(l), welcomeAt).slice(0, over)) {
      d.own.delete(id)
      hub.disconnect(d.id, id)
    }
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
      const { hub } = this.#internet
      if (hub.links(other.id).length >= this.#numbers.hard || hub.links(d.id).includes(other.id)) return
      hub.connect(d.id, other.id)
      d.own.add(other.id)
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
