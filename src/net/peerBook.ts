/**
 * What a node remembers about peers by name: bans, scores, how fast they ask. Every table is
 * bounded, and the oldest entry goes first; time comes in as an argument.
 */
import { Bucket } from './bucket.ts'
import { DISCONNECT_SCORE, FORWARDS_BURST, FORWARDS_PER_PEER_BURST, FORWARDS_PER_PEER_PER_SECOND, FORWARDS_PER_SECOND, FORWARDS_SHARED_BURST, FORWARDS_SHARED_PER_SECOND, MAX_BANS, MAX_REQUESTS_PER_PEER, MAX_REQUESTS_PER_PROTOCOL, MAX_TRACKED_PEERS, MAX_VALIDATIONS, MAX_VALIDATIONS_PER_PEER, REQUEST_BURST_SECONDS, SCORE_HALF_LIFE_MS, VALIDATIONS_KEPT_PER_PEER, VALIDATIONS_SHARED } from './bounds.ts'
import type { PeerId, ProtocolLimits } from '../ports/network.ts'

type Now = () => number

/** Sets a value as the newest and forgets the oldest beyond `max`. */
function remember<V> (map: Map<PeerId, V>, id: PeerId, value: V, max: number): void {
  map.delete(id)
  map.set(id, value)
  if (map.size > max) map.delete(map.keys().next().value as PeerId)
}

export class BanList {
  readonly #now: Now
  readonly #bans = new Map<PeerId, { readonly reason: string, readonly until: number }>()

  constructor (now: Now) { this.#now = now }

  /** Without `ms`, for good. A ban that lasts longer is not shortened. */
  ban (id: PeerId, reason: string, ms = Number.POSITIVE_INFINITY): void {
    const until = this.#now() + ms
    const old = this.#bans.get(id)
    if (old !== undefined && old.until >= until) return
    remember(this.#bans, id, { reason, until }, MAX_BANS)
  }

  has (id: PeerId): boolean {
    const b = this.#bans.get(id)
    if (b === undefined) return false
    if (b.until > this.#now()) return true
    this.#bans.delete(id)
    return false
  }

  list (): Array<{ readonly id: PeerId, readonly reason: string }> {
    return [...this.#bans].filter(([id]) => this.has(id)).map(([id, { reason }]) => ({ id, reason }))
  }
}

/** Offences, fading with time. Zero is a stranger; less is worse. */
export class Penalties {
  readonly #now: Now
  readonly #owed = new Map<PeerId, { readonly amount: number, readonly at: number }>()

  constructor (now: Now) { this.#now = now }

  /** The score after it. */
  add (id: PeerId, amount: number): number {
    const owed = amount - this.score(id)
    remember(this.#owed, id, { amount: owed, at: this.#now() }, MAX_TRACKED_PEERS)
    return -owed
  }

  score (id: PeerId): number {
    const o = this.#owed.get(id)
    if (o === undefined) return 0
    return -o.amount * 2 ** (-(this.#now() - o.at) / SCORE_HALF_LIFE_MS)
  }
}

export const isUnbearable = (score: number): boolean => score <= DISCONNECT_SCORE

export class PeerBuckets {
  readonly #now: Now
  readonly #perSecond: number
  readonly #burst: number
  readonly #buckets = new Map<PeerId, Bucket>()

  constructor (now: Now, perSecond: number, burst: number) {
    this.#now = now
    this.#perSecond = perSecond
    this.#burst = burst
  }

  /** False: too fast. */
  take (id: PeerId, price = 1): boolean {
    const now = this.#now()
    let bucket = this.#buckets.get(id)
    if (bucket === undefined) remember(this.#buckets, id, bucket = new Bucket(now, this.#perSecond, this.#burst), MAX_TRACKED_PEERS)
    // Who comes first goes first only once there are many: moving an entry to the end costs more than all the rest.
    else if (this.#buckets.size > MAX_TRACKED_PEERS / 2) remember(this.#buckets, id, bucket, MAX_TRACKED_PEERS)
    return bucket.take(now, price)
  }
}

/** When each has done something last. */
export class PeerTimes {
  readonly #now: Now
  readonly #times = new Map<PeerId, number>()

  constructor (now: Now) { this.#now = now }

  note (id: PeerId): void { remember(this.#times, id, this.#now(), MAX_TRACKED_PEERS) }
  of (id: PeerId): number | undefined { return this.#times.get(id) }
}

/** Those first that can be spared; what are alike stay in their order. */
export function byWorth (ids: readonly PeerId[], isOwn: (id: PeerId) => boolean, welcomeAt: (id: PeerId) => number | undefined): PeerId[] {
  const worth = ids.map(id => ({ id, own: Number(isOwn(id)), at: welcomeAt(id) ?? -Infinity }))
  return worth.sort((a, b) => a.own - b.own || (a.at === b.at ? 0 : a.at - b.at)).map(w => w.id)
}

/** What of the accepted messages goes on. One neighbour's flood leaves the others a little each. */
export class Forwards {
  readonly #now: Now
  readonly #all: Bucket
  readonly #shared: Bucket
  readonly #each: PeerBuckets

  constructor (now: Now) {
    this.#now = now
    this.#all = new Bucket(now(), FORWARDS_PER_SECOND, FORWARDS_BURST)
    this.#shared = new Bucket(now(), FORWARDS_SHARED_PER_SECOND, FORWARDS_SHARED_BURST)
    this.#each = new PeerBuckets(now, FORWARDS_PER_PEER_PER_SECOND, FORWARDS_PER_PEER_BURST)
  }

  /** False: it ends here. */
  take (via: PeerId): boolean {
    const now = this.#now()
    return (this.#each.take(via) || this.#shared.take(now)) && this.#all.take(now)
  }
}

/** Names without anything under way that are kept. */
const IDLE_NAMES = 32

/** How many things are under way, by name and in all. */
export class InFlight {
  readonly #perPeer: number
  readonly #total: number
  readonly #kept: number
  readonly #shared: number
  readonly #counts = new Map<PeerId, number>()
  #all = 0
  #ofShared = 0

  /** The first `kept` of each name take nothing of what is shared. */
  constructor (perPeer: number, total: number, kept = 0, shared = total) {
    this.#perPeer = perPeer
    this.#total = total
    this.#kept = kept
    this.#shared = shared
  }

  /** Undefined when full; else to be called once it is over. */
  enter (id: PeerId): (() => void) | undefined {
    const mine = this.#counts.get(id) ?? 0
    const isKept = mine < this.#kept
    if (mine >= this.#perPeer || this.#all >= this.#total || (!isKept && this.#ofShared >= this.#shared)) return undefined
    this.#counts.set(id, mine + 1)
    this.#all++
    if (!isKept) this.#ofShared++
    let over = false
    return () => {
      if (over) return
      over = true
      this.#all--
      const left = (this.#counts.get(id) ?? 1) - 1
      if (left >= this.#kept) this.#ofShared--
      // Who comes again and again keeps his place: a table that grows and shrinks with each is made anew all the time.
      if (left === 0 && this.#counts.size > IDLE_NAMES) this.#counts.delete(id)
      else this.#counts.set(id, left)
    }
  }
}

/** Messages that are being judged. One neighbour's, or many strangers', leave each other one a few places. */
export class Validations extends InFlight {
  constructor () { super(MAX_VALIDATIONS_PER_PEER, MAX_VALIDATIONS, VALIDATIONS_KEPT_PER_PEER, VALIDATIONS_SHARED) }
}

/** Admission to one request protocol. */
export class RequestGate {
  readonly #buckets: PeerBuckets
  readonly #inFlight = new InFlight(MAX_REQUESTS_PER_PEER, MAX_REQUESTS_PER_PROTOCOL)

  constructor (now: Now, limits: ProtocolLimits) {
    this.#buckets = new PeerBuckets(now, limits.perPeerPerSecond, Math.max(1, limits.perPeerPerSecond * REQUEST_BURST_SECONDS))
  }

  enter (id: PeerId): { readonly leave: () => void } | { readonly refused: 'rate' | 'full' } {
    if (!this.#buckets.take(id)) return { refused: 'rate' }
    const leave = this.#inFlight.enter(id)
    return leave === undefined ? { refused: 'full' } : { leave }
  }
}
