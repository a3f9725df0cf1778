/**
 * The mesh in memory: the twin of the libp2p adapter for tests and simulation. Links, latency,
 * loss and partitions are the hub's; time is the clock's alone, so a simulated world runs as fast
 * as it can and twice the same. Gossip floods over links, each node forwarding what it accepted.
 */
import { MAX_GOSSIP_BYTES } from '../core/params.ts'
import type { Clock, Random } from '../ports/clock.ts'
import { type GossipMessage, type Network, type NetworkStatus, type PeerId, type PeerView, type ProtocolLimits, RequestError, type RequestOptions, type Verdict } from '../ports/network.ts'
import { GOSSIP_BURST, GOSSIP_PER_PEER_PER_SECOND, HANDLER_TIMEOUT_MS, PENALTY_OVERSIZE, PENALTY_REJECTED_MESSAGE, PENALTY_TOO_FAST, SCORE_BAN_MS, SEEN_MS, VALIDATOR_TIMEOUT_MS } from './bounds.ts'
import { type Answer, answerTo, Calls, type Elsewhere, Names, type Parcel } from './memoryParts.ts'
import { BanList, Forwards, isUnbearable, PeerBuckets, PeerTimes, Penalties, RequestGate, Validations } from './peerBook.ts'

const STATUS_EVERY_MS = 1_000

/** When a message of so many bytes arrives, ms from now, once per copy; empty when it is lost. */
export type Route = (bytes: number, kind: 'gossip' | 'stream') => readonly number[]

export interface MemoryHubOptions {
  readonly clock: Clock
  /** One way, ms; a pair is drawn from evenly. */
  readonly latencyMs?: number | readonly [number, number]
  /** Share of gossip messages and of requests that get lost, 0..1. */
  readonly loss?: number
  /** Needed for a latency range, for loss and for `maxLinks`. */
  readonly random?: Random
  /** Instead of `latencyMs` and `loss`; asked once for either way of a link. */
  readonly route?: (from: PeerId, to: PeerId) => Route
  /** A joiner links to at most this many of those present (default: to all). 0: link by hand. */
  readonly maxLinks?: number
  /**
   * For large worlds. Everybody gets the very bytes that were sent, not a copy: their nodes leave them
   * as they are. And a gossip message that its receiver will have seen by then is counted, not carried.
   */
  readonly share?: boolean
  /** Bytes that were counted are told to listeners so long after, ms; whether peers came or went, at once. */
  readonly statusEveryMs?: number
  readonly elsewhere?: Elsewhere
}

export interface MemoryHub {
  join (id: PeerId): Network
  /** Links two nodes, whatever `maxLinks` says. */
  connect (a: PeerId, b: PeerId): void
  disconnect (a: PeerId, b: PeerId): void
  /** Those a node is linked to, whether or not anything passes now; none for who is not in the hub. */
  links (id: PeerId): PeerId[]
  /** When the second was the first to bring the first something welcome, last. */
  welcomeAt (id: PeerId, by: PeerId): number | undefined
  /** Nothing passes between the two until `heal`. */
  cut (a: PeerId, b: PeerId): void
  /** Nothing passes between nodes of different groups until `heal`. */
  partition (groups: ReadonlyArray<readonly PeerId[]>): void
  heal (): void
  /** Do bytes pass between the two now? */
  open (a: PeerId, b: PeerId): boolean
  /** Another part has posted this for a node of ours. */
  take (parcel: Parcel): void
}

export function createMemoryHub (options: MemoryHubOptions): MemoryHub {
  return new Hub(options)
}

interface Topic {
  readonly name: string
  /** 1: who follows it. */
  readonly followers: PerNode
}

interface Flying {
  readonly topic: Topic
  readonly bytes: Uint8Array
  readonly origin: PeerId
  /**
   * When the first copy reaches whom; Infinity: none is on its way, `seen`: it has it, against loops. Kept with the
   * message, and so no longer than the message is on its way.
   */
  readonly arrivals: PerNode
  /** Once it has been in another part. */
  name: number | undefined
}

/** Of whom a copy has reached at this time: below all times. */
const seen = (atMs: number): number => -1 - atMs

/** Does a copy that comes at `atMs` find this arrival forgotten? As in gossipsub, from the first copy on. */
const isForgotten = (arrival: number, atMs: number): boolean => atMs - (arrival < 0 ? seen(arrival) : arrival) >= SEEN_MS

/** A number for each node, by its index: of these a flood asks at every link, and the nodes themselves lie far apart in memory. */
class PerNode {
  readonly #others: number
  #values: Float64Array

  /** `others`: of those that none is set for. */
  constructor (nodes: number, others: number) {
    this.#others = others
    this.#values = new Float64Array(nodes).fill(others)
  }

  of (index: number): number { return index < this.#values.length ? this.#values[index] : this.#others }

  set (index: number, value: number): void {
    if (index >= this.#values.length) {
      const more = new Float64Array(2 * index + 1).fill(this.#others)
      more.set(this.#values)
      this.#values = more
    }
    this.#values[index] = value
  }
}

/** Will a copy that comes at `atMs` be handed to the node? If it is the first of all, others are measured by it. */
function isNews (arrivals: PerNode, index: number, atMs: number): boolean {
  const first = arrivals.of(index)
  if (first <= atMs) return isForgotten(first, atMs)
  arrivals.set(index, atMs)
  return true
}

interface Link {
  readonly id: PeerId
  readonly node: MemoryNode
  /** The node's: a flood that passes by need not look at the node itself. */
  readonly index: number
  readonly direction: 'inbound' | 'outbound'
  readonly connectedAt: number
  readonly route: Route
  /** Another part runs it. */
  readonly elsewhere: boolean
}

const pair = (a: PeerId, b: PeerId): string => a < b ? `${a}|${b}` : `${b}|${a}`

class Hub implements MemoryHub {
  readonly clock: Clock
  readonly nodes = new Map<PeerId, MemoryNode>()
  /** Nodes that were ever here. */
  joined = 0
  readonly #options: MemoryHubOptions
  readonly shares: boolean
  readonly statusEveryMs: number
  readonly copy: (bytes: Uint8Array) => Uint8Array
  readonly #cuts = new Set<string>()
  #groups = new Map<PeerId, number>()
  readonly #topics = new Map<string, Topic>()
  readonly elsewhere: Elsewhere | undefined
  readonly #names: Names<Flying> | undefined
  readonly #calls = new Calls()

  constructor (options: MemoryHubOptions) {
    this.#options = options
    this.clock = options.clock
    this.elsewhere = options.elsewhere
    if (options.elsewhere !== undefined) this.#names = new Names(options.clock, options.elsewhere)
    this.shares = options.share === true
    this.statusEveryMs = options.statusEveryMs ?? STATUS_EVERY_MS
    this.copy = this.shares ? bytes => bytes : bytes => bytes.slice()
  }

  join (id: PeerId): Network {
    if (this.nodes.has(id)) throw new Error(`${id} is in the hub already`)
    const node = new MemoryNode(this, id, this.joined++)
    const present = [...this.nodes.keys()]
    this.nodes.set(id, node)
    const { maxLinks } = this.#options
    const chosen = maxLinks === undefined ? present : present.map(p => ({ p, at: maxLinks === 0 ? 0 : this.#uniform() })).sort((a, b) => a.at - b.at).slice(0, maxLinks).map(x => x.p)
    for (const other of chosen) this.connect(id, other)
    return node
  }

  connect (a: PeerId, b: PeerId): void {
    const [x, y] = [this.#node(a), this.#node(b)]
    if (a === b || x.isBanned(b) || y.isBanned(a)) return
    x.linked(b, y, 'outbound')
    y.linked(a, x, 'inbound')
  }

  disconnect (a: PeerId, b: PeerId): void {
    this.nodes.get(a)?.unlinked(b)
    this.nodes.get(b)?.unlinked(a)
  }

  welcomeAt (id: PeerId, by: PeerId): number | undefined { return this.nodes.get(id)?.welcomeAt(by) }
  links (id: PeerId): PeerId[] { return this.nodes.get(id)?.links() ?? [] }

  cut (a: PeerId, b: PeerId): void {
    this.#cuts.add(pair(a, b))
    this.#changed()
  }

  partition (groups: ReadonlyArray<readonly PeerId[]>): void {
    this.#groups = new Map(groups.flatMap((ids, i) => ids.map(id => [id, i] as const)))
    this.#changed()
  }

  heal (): void {
    this.#cuts.clear()
    this.#groups = new Map()
    this.#changed()
  }

  open (a: PeerId, b: PeerId): boolean { return this.nodes.get(a)?.isLinked(b) === true && this.passes(a, b) }

  /** Do they, if the two are linked? */
  passes (a: PeerId, b: PeerId): boolean {
    return (this.#cuts.size === 0 || !this.#cuts.has(pair(a, b))) &&
      (this.#groups.size === 0 || this.#groups.get(a) === this.#groups.get(b))
  }

  /** Runs `fn` one latency later, unless the message is lost or the link is down by then. */
  carry (from: PeerId, to: PeerId, bytes: number, fn: (node: MemoryNode) => void): void {
    for (const ms of this.nodes.get(from)?.link(to)?.route(bytes, 'stream') ?? []) {
      this.clock.after(ms, () => {
        const node = this.nodes.get(to)
        if (node !== undefined && this.open(from, to)) fn(node)
      })
    }
  }

  /** Asks a node; what is given back forgets that it was asked. */
  call (from: PeerId, to: PeerId, protocol: string, body: Uint8Array, answered: (a: Answer) => void): () => void {
    if (this.nodes.get(from)?.link(to)?.elsewhere !== true) {
      this.carry(from, to, body.length, node => {
        void node.serve(from, protocol, body).then(a => { this.carry(to, from, a.ok ? a.bytes.length : 0, () => { answered(a) }) })
      })
      return () => {}
    }
    const call = this.#calls.open(answered)
    this.#post(from, to, body.length, atMs => ({ kind: 'request', from, to, atMs, call, protocol, bytes: body }))
    return () => { this.#calls.forget(call) }
  }

  take (parcel: Parcel): void {
    const { from, to } = parcel
    const due = (fn: (node: MemoryNode) => void): void => {
      this.clock.after(parcel.atMs - this.clock.now(), () => {
        const node = this.nodes.get(to)
        if (node !== undefined && this.open(from, to)) fn(node)
      })
    }
    if (parcel.kind === 'answer') return due(() => { this.#calls.answered(parcel) })
    if (parcel.kind === 'request') {
      return due(node => {
        void node.serve(from, parcel.protocol, parcel.bytes).then(a => { this.#post(to, from, a.ok ? a.bytes.length : 0, atMs => answerTo(parcel, a, atMs)) })
      })
    }
    const message = this.#names!.find(parcel.name, () => ({ topic: this.topic(parcel.topic), bytes: parcel.bytes, origin: parcel.origin, arrivals: new PerNode(this.joined, Infinity), name: parcel.name }))
    const { arrivals } = message
    arrivals.set(this.#node(from).index, seen(this.clock.now()))
    if (this.shares && !isNews(arrivals, this.#node(to).index, parcel.atMs)) return
    due(node => { node.receive(message, from) })
  }

  nameOf (message: Flying): number { return this.#names!.of(message) }

  /** As often as the way brings it. */
  #post (from: PeerId, to: PeerId, bytes: number, parcel: (atMs: number) => Parcel): void {
    for (const ms of this.nodes.get(from)?.link(to)?.route(bytes, 'stream') ?? []) this.elsewhere!.post(parcel(this.clock.now() + ms))
  }

  topic (name: string): Topic {
    let topic = this.#topics.get(name)
    if (topic === undefined) this.#topics.set(name, topic = { name, followers: new PerNode(this.joined, 0) })
    return topic
  }

  route (from: PeerId, to: PeerId): Route { return this.#options.route?.(from, to) ?? (() => this.#plainRoute()) }

  #plainRoute (): readonly number[] {
    const { loss = 0, latencyMs = 0 } = this.#options
    if (loss > 0 && this.#uniform() < loss) return []
    return [typeof latencyMs === 'number' ? latencyMs : latencyMs[0] + this.#uniform() * (latencyMs[1] - latencyMs[0])]
  }

  leave (id: PeerId): void {
    for (const other of this.links(id)) this.disconnect(id, other)
    this.nodes.delete(id)
  }

  #changed (): void { for (const n of this.nodes.values()) n.announce() }

  #node (id: PeerId): MemoryNode {
    const n = this.nodes.get(id)
    if (n === undefined) throw new Error(`${id} is not in the hub`)
    return n
  }

  #uniform (): number {
    const { random } = this.#options
    if (random === undefined) throw new Error('latency ranges, loss and maxLinks need a random source')
    const [a, b, c] = random.bytes(3)
    return (a * 65536 + b * 256 + c) / 16777216
  }
}

type Validator = (m: GossipMessage) => Promise<Verdict>
interface Handler { readonly limits: ProtocolLimits, readonly gate: RequestGate, readonly answer: (peer: PeerId, body: Uint8Array) => Promise<Uint8Array> }

class MemoryNode implements Network {
  readonly #hub: Hub
  readonly #id: PeerId
  readonly index: number
  readonly #links = new Map<PeerId, Link>()
  /** The same, in the same order: gone through at every message. */
  #ways: readonly Link[] = []
  readonly #validators = new Map<string, Validator>()
  readonly #handlers = new Map<string, Handler>()
  readonly #bans: BanList
  readonly #penalties: Penalties
  readonly #gossipRate: PeerBuckets
  readonly #forwards: Forwards
  readonly #validating = new Validations()
  readonly #welcomes: PeerTimes
  readonly #listeners = new Set<(s: NetworkStatus) => void>()
  #bytesIn = 0
  #bytesOut = 0
  #statusDue: (() => void) | undefined
  #stopped = false

  constructor (hub: Hub, id: PeerId, index: number) {
    const now = (): number => hub.clock.now()
    this.#hub = hub
    this.#id = id
    this.index = index
    this.#bans = new BanList(now)
    this.#penalties = new Penalties(now)
    this.#gossipRate = new PeerBuckets(now, GOSSIP_PER_PEER_PER_SECOND, GOSSIP_BURST)
    this.#forwards = new Forwards(now)
    this.#welcomes = new PeerTimes(now)
  }

  async status (): Promise<NetworkStatus> { return this.#status() }

  async onStatus (listener: (s: NetworkStatus) => void): Promise<() => void> {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  async publish (topic: string, bytes: Uint8Array): Promise<number> {
    this.#running()
    if (bytes.length > MAX_GOSSIP_BYTES) throw new Error(`a message of ${bytes.length} bytes is over the limit of ${MAX_GOSSIP_BYTES}`)
    const message: Flying = { topic: this.#hub.topic(topic), bytes: this.#hub.copy(bytes), origin: this.#id, arrivals: new PerNode(this.#hub.joined, Infinity), name: undefined }
    message.arrivals.set(this.index, seen(this.#hub.clock.now()))
    return this.#spread(message)
  }

  async subscribe (name: string, validator: Validator): Promise<() => void> {
    this.#running()
    if (this.#validators.has(name)) throw new Error(`subscribed to ${name} already`)
    const { followers } = this.#hub.topic(name)
    followers.set(this.index, 1)
    this.#validators.set(name, validator)
    return () => {
      if (this.#validators.get(name) !== validator) return
      this.#validators.delete(name)
      followers.set(this.index, 0)
    }
  }

  async request (peer: PeerId, protocol: string, body: Uint8Array, options: RequestOptions): Promise<Uint8Array> {
    this.#running()
    if (!this.#hub.open(this.#id, peer)) throw new RequestError('unreachable', `no link to ${peer}`)
    const sent = this.#hub.copy(body)
    const answer = await new Promise<Answer>(resolve => {
      const settle = (a: Answer): void => {
        cancel()
        forget()
        resolve(a)
      }
      const cancel = this.#hub.clock.after(options.timeoutMs, () => { settle({ ok: false, error: new RequestError('timeout', `no answer within ${options.timeoutMs} ms`) }) })
      this.#count('out', sent.length)
      const forget = this.#hub.call(this.#id, peer, protocol, sent, settle)
    })
    if (!answer.ok) throw answer.error
    if (answer.bytes.length > options.maxResponseBytes) {
      this.#count('in', options.maxResponseBytes)
      if (answer.bytes.length > (options.fairBytes ?? 0)) this.#offend(peer, PENALTY_OVERSIZE)
      throw new RequestError('too-large', `an answer of ${answer.bytes.length} bytes, ${options.maxResponseBytes} were allowed`)
    }
    this.#count('in', answer.bytes.length)
    return answer.bytes
  }

  async handle (protocol: string, limits: ProtocolLimits, handler: Handler['answer']): Promise<() => void> {
    this.#running()
    if (this.#handlers.has(protocol)) throw new Error(`handling ${protocol} already`)
    const entry: Handler = { limits, gate: new RequestGate(() => this.#hub.clock.now(), limits), answer: handler }
    this.#handlers.set(protocol, entry)
    return () => { if (this.#handlers.get(protocol) === entry) this.#handlers.delete(protocol) }
  }

  async ban (peer: PeerId, reason: string, ms?: number): Promise<void> {
    this.#bans.ban(peer, reason, ms)
    this.#hub.disconnect(this.#id, peer)
    this.announce()
  }

  async stop (): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    this.#statusDue?.()
    this.#listeners.clear()
    for (const name of this.#validators.keys()) this.#hub.topic(name).followers.set(this.index, 0)
    this.#validators.clear()
    this.#handlers.clear()
    this.#hub.leave(this.#id)
  }

  // What the hub and the other nodes call.

  isBanned (id: PeerId): boolean { return this.#bans.has(id) }
  isLinked (id: PeerId): boolean { return this.#links.has(id) }
  links (): PeerId[] { return [...this.#links.keys()] }
  link (id: PeerId): Link | undefined { return this.#links.get(id) }
  welcomeAt (by: PeerId): number | undefined { return this.#welcomes.of(by) }

  linked (id: PeerId, node: MemoryNode, direction: 'inbound' | 'outbound'): void {
    if (this.#links.has(id)) return
    this.#links.set(id, { id, node, index: node.index, direction, connectedAt: this.#hub.clock.now(), route: this.#hub.route(this.#id, id), elsewhere: this.#hub.elsewhere?.runs(id) === true })
    this.#ways = [...this.#links.values()]
    this.announce()
  }

  unlinked (id: PeerId): void {
    if (!this.#links.delete(id)) return
    this.#ways = [...this.#links.values()]
    this.announce()
  }

  /** Peers came or went. */
  announce (): void {
    this.#statusDue?.()
    this.#statusDue = undefined
    if (this.#listeners.size === 0) return
    const status = this.#status()
    for (const l of this.#listeners) l(status)
  }

  receive (message: Flying, via: PeerId): void {
    const validator = this.#validators.get(message.topic.name)
    if (validator === undefined) return
    const now = this.#hub.clock.now()
    const before = message.arrivals.of(this.index)
    if (before < 0 && !isForgotten(before, now)) return
    this.#count('in', message.bytes.length)
    message.arrivals.set(this.index, seen(now))
    if (this.#bans.has(message.origin)) return
    if (!this.#gossipRate.take(via)) return this.#offend(via, PENALTY_TOO_FAST)
    const done = this.#validating.enter(via)
    if (done === undefined) return
    let open = true
    const settle = (verdict: Verdict): void => {
      if (!open) return
      open = false
      cancel()
      done()
      if (this.#stopped) return
      if ((verdict === 'accept' || verdict === 'welcome') && this.#forwards.take(via)) this.#spread(message, via)
      if (verdict === 'reject') this.#offend(via, PENALTY_REJECTED_MESSAGE)
    }
    const cancel = this.#hub.clock.after(VALIDATOR_TIMEOUT_MS, () => { settle('ignore') })
    void validator({ topic: message.topic.name, bytes: this.#hub.copy(message.bytes), origin: message.origin, via }).then(verdict => {
      if (verdict === 'welcome') this.#welcomes.note(via)
      settle(verdict)
    })
  }

  async serve (peer: PeerId, protocol: string, body: Uint8Array): Promise<Answer> {
    const refuse = (kind: 'refused' | 'busy' | 'too-large', words: string): Answer => ({ ok: false, error: new RequestError(kind, words) })
    const handler = this.#handlers.get(protocol)
    if (handler === undefined) return refuse('refused', `${protocol} is not served`)
    const entry = handler.gate.enter(peer)
    if ('refused' in entry) {
      if (entry.refused === 'rate') this.#offend(peer, PENALTY_TOO_FAST)
      return refuse('busy', entry.refused === 'rate' ? 'too many requests per second' : 'too many requests at once')
    }
    if (body.length > handler.limits.maxRequestBytes) {
      entry.leave()
      this.#offend(peer, PENALTY_OVERSIZE)
      return refuse('too-large', `a request of ${body.length} bytes, ${handler.limits.maxRequestBytes} are allowed`)
    }
    this.#count('in', body.length)
    return new Promise<Answer>((resolve, reject) => {
      const settle = (a: Answer): void => {
        cancel()
        entry.leave()
        if (a.ok) this.#count('out', a.bytes.length)
        resolve(a)
      }
      const cancel = this.#hub.clock.after(HANDLER_TIMEOUT_MS, () => { settle(refuse('busy', 'the answer took too long')) })
      handler.answer(peer, body).then(bytes => {
        if (bytes.length > handler.limits.maxResponseBytes) throw new Error(`our answer on ${protocol} is ${bytes.length} bytes, ${handler.limits.maxResponseBytes} are allowed`)
        settle({ ok: true, bytes: this.#hub.copy(bytes) })
      }).catch((e: unknown) => {
        if (e instanceof RequestError) return settle(refuse(e.kind === 'busy' || e.kind === 'too-large' ? e.kind : 'refused', e.message))
        cancel()
        entry.leave()
        reject(e as Error)
      })
    })
  }

  #status (): NetworkStatus {
    const peers: PeerView[] = []
    for (const { connectedAt, direction, id } of this.#ways) {
      if (!this.#hub.passes(this.#id, id)) continue
      const welcomeAt = this.#welcomes.of(id)
      peers.push({ id, link: 'memory', direction, connectedAt, score: this.#penalties.score(id), ...(welcomeAt === undefined ? {} : { welcomeAt }) })
    }
    return { self: this.#id, peers, relays: [], bytesIn: this.#bytesIn, bytesOut: this.#bytesOut, banned: this.#bans.list() }
  }

  #spread (message: Flying, via?: PeerId): number {
    const { arrivals, bytes, origin, topic } = message
    const { shares } = this.#hub
    const now = this.#hub.clock.now()
    let sent = 0
    for (const { elsewhere, id, index, node, route } of this.#ways) {
      if ((topic.followers.of(index) === 0 && !elsewhere) || id === via || id === origin || !this.#hub.passes(this.#id, id)) continue
      sent++
      for (const ms of route(bytes.length, 'gossip')) {
        if (shares && !isNews(arrivals, index, now + ms)) continue
        if (elsewhere) {
          this.#hub.elsewhere!.post({ kind: 'gossip', from: this.#id, to: id, atMs: now + ms, name: this.#hub.nameOf(message), topic: topic.name, origin, bytes })
          continue
        }
        this.#hub.clock.after(ms, () => {
          if (this.#links.get(id)?.node === node && this.#hub.passes(this.#id, id)) node.receive(message, this.#id)
        })
      }
    }
    if (sent > 0) this.#count('out', sent * bytes.length)
    return sent
  }

  #offend (peer: PeerId, amount: number): void {
    if (isUnbearable(this.#penalties.add(peer, amount))) void this.ban(peer, 'score', SCORE_BAN_MS)
    else this.#count('in', 0)
  }

  /** Counts, and tells the listeners soon. */
  #count (way: 'in' | 'out', bytes: number): void {
    if (way === 'in') this.#bytesIn += bytes
    else this.#bytesOut += bytes
    if (this.#listeners.size > 0 && this.#statusDue === undefined) this.#announceSoon()
  }

  #announceSoon (): void { this.#statusDue = this.#hub.clock.after(this.#hub.statusEveryMs, () => { this.announce() }) }

  #running (): void {
    if (this.#stopped) throw new RequestError('unreachable', 'the network was stopped')
  }
}
