/**
 * Keeps a node in the mesh: finds peers through the bootstraps, through neighbours when those are
 * gone, replaces what is lost, and never stops trying. A bootstrap only passes signalling on; with
 * it dead, neighbours do that for each other.
 */
import type { CircuitRelayService } from '@libp2p/circuit-relay-v2'
import type { Connection, IdentifyResult, Libp2p, PeerId as LibPeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { retimeableSignal } from 'retimeable-signal'
import type { PeerId, PeerView } from '../ports/network.ts'
import { readFrame, writeFrame } from './frames.ts'
import { byWorth } from './peerBook.ts'
import { decodeNames, encodeNames, MAX_NAMES_BYTES, NEIGHBOURS, RENDEZVOUS } from './protocols.ts'

export interface MeshNumbers {
  /** Neighbours looked for; with fewer than `enough`, more are. */
  readonly target: number
  readonly enough: number
  /** Above it, meeting somebody new costs old links. */
  readonly soft: number
  readonly tickMs: number
  /** Somebody new is met this often, so that two halves of a network find each other. */
  readonly exploreMs: number
}

export const MESH: MeshNumbers = { target: 5, enough: 4, soft: 10, tickMs: 1_000, exploreMs: 45_000 }

/** A tab passes signalling on for its neighbours within these bounds. */
export const TAB_RELAY = { maxReservations: 64, defaultDurationLimit: 60_000, defaultDataLimit: BigInt(128 * 1024) }

/** A busy machine needs seconds for a handshake; libp2p's own 6 s would fail there for good. */
export const DIAL_MS = 20_000
const ASK_MS = 5_000
const BOOTSTRAP_DIAL_MS = 8_000
/** Between two dials of a dead bootstrap: doubles from the first to the second, ms. */
const REDIAL_MS = [1_000, 5_000] as const
/** Between two searches for neighbours: doubles likewise as long as nobody new is found. */
const SEARCH_MS = [1_000, 8_000] as const
/** After a dial failed or it left, a peer is left alone. */
const FAILED_DIAL_MS = 8_000
/** A signalling circuit has done its job by then; a simultaneous dial may still need it before. */
const CIRCUIT_MS = 4_000
/** An open connection nobody identified himself on is a phantom. */
const PHANTOM_MS = 30_000
/** Ticks without a gossip stream to a neighbour until the link is dropped to be made anew. */
const SILENT_TICKS = 6
/** Ticks after both gossip streams ended: the other side has gone, which WebRTC says up to 30 s later. */
const GONE_TICKS = 2
/** Two links made within this time come of both sides dialling at once. */
const SIMULTANEOUS_MS = 10_000
const RESERVATION_MS = 24 * 3600_000
const MAX_FAILED_KEPT = 512

interface Bootstrap {
  readonly address: string
  readonly id: PeerId
  readonly multiaddr: Multiaddr
  nextDialAt: number
  waitMs: number
  dialling: boolean
}

/** Ticks without our gossip stream, and without either after both were there. */
interface Silence { readonly met: boolean, readonly ours: number, readonly both: number }

export interface MeshOptions {
  readonly node: Libp2p<{ relay: CircuitRelayService }>
  readonly bootstraps: readonly string[]
  readonly namespace: string
  readonly numbers: MeshNumbers
  readonly isBanned: (id: PeerId) => boolean
  /** When a neighbour was the first to bring something welcome, last. */
  readonly welcomeAt: (id: PeerId) => number | undefined
  /** A neighbour appeared or went. */
  readonly onChange: () => void
  readonly onDebug: (text: string) => void
}

/** The peer id a multiaddr ends with. */
function peerOf (address: Multiaddr): PeerId {
  const id = address.getComponents().findLast(c => c.name === 'p2p')?.value
  if (id === undefined) throw new Error(`a bootstrap address must end with /p2p/<id>: ${address.toString()}`)
  return peerIdFromString(id).toString()
}

/** WebSocket and WebRTC fail with bare events. */
const reasonOf = (e: unknown): string => e instanceof Error ? e.message : e instanceof Event ? e.type : String(e)

function shuffled<T> (list: Iterable<T>): T[] {
  return [...list].map(v => ({ v, at: Math.random() })).sort((a, b) => a.at - b.at).map(x => x.v)
}

export class Mesh {
  readonly #o: MeshOptions
  readonly #node: MeshOptions['node']
  readonly #self: PeerId
  readonly #bootstraps: Bootstrap[]
  /** Connections on which the other side has identified itself; others may be phantoms. */
  readonly #identified = new Set<string>()
  readonly #dialling = new Set<PeerId>()
  readonly #failed = new Map<PeerId, number>()
  readonly #silence = new Map<PeerId, Silence>()
  #timer: ReturnType<typeof setInterval> | undefined
  #ticking = false
  #searchAt = 0
  #searchWaitMs: number = SEARCH_MS[0]
  #exploreAt: number

  constructor (options: MeshOptions) {
    this.#o = options
    this.#node = options.node
    this.#self = options.node.peerId.toString()
    this.#bootstraps = options.bootstraps.map(address => {
      const parsed = multiaddr(address)
      return { address, id: peerOf(parsed), multiaddr: parsed, nextDialAt: 0, waitMs: REDIAL_MS[0], dialling: false }
    }).filter(b => b.id !== this.#self)
    this.#exploreAt = Date.now() + options.numbers.exploreMs
  }

  async start (): Promise<void> {
    this.#node.addEventListener('peer:identify', e => { this.#onIdentify(e.detail) })
    this.#node.addEventListener('connection:close', e => {
      if (this.#identified.delete(e.detail.id)) this.#changed()
    })
    this.#node.addEventListener('peer:disconnect', e => { this.#forgetReservation(e.detail) })
    await this.#node.handle(NEIGHBOURS, async stream => {
      try {
        const signal = AbortSignal.timeout(ASK_MS)
        await writeFrame(stream, encodeNames(shuffled(this.#neighbours())), signal)
        await stream.close({ signal })
      } catch (e) {
        stream.abort(e as Error)
      }
    }, { maxInboundStreams: 4 })
    this.#timer = setInterval(() => { void this.#tick() }, this.#o.numbers.tickMs)
    void this.#tick()
  }

  stop (): void { clearInterval(this.#timer) }

  /** A direct connection to the peer, newest first: requests go over it. */
  connectionTo (peer: PeerId): Connection | undefined {
    return this.#connections(peer).filter(c => this.#isDirect(c)).sort((a, b) => b.timeline.open - a.timeline.open)[0]
  }

  /** Links to a peer that somebody wants by name, introduced by a bootstrap or by a neighbour that knows it. */
  async meet (peer: PeerId): Promise<boolean> {
    if (this.connectionTo(peer) !== undefined) return true
    if (peer === this.#self || this.#o.isBanned(peer) || this.#dialling.has(peer) || this.#failed.has(peer) || this.#isCalling(peer)) return false
    let address = this.#bootstraps.filter(b => this.#isUp(b)).map(b => multiaddr(`${b.address}/p2p-circuit/webrtc/p2p/${peer}`))[0]
    for (const n of this.#neighbours()) {
      if (address !== undefined) break
      if (this.#connections(n).some(c => c.limits !== undefined) || !(await this.#ask(n, NEIGHBOURS)).includes(peer)) continue
      address = multiaddr(`/p2p/${n}/p2p-circuit/webrtc/p2p/${peer}`)
    }
    if (address === undefined) return false
    await this.#dial(peer, address)
    return this.connectionTo(peer) !== undefined
  }

  relays (): Array<{ readonly address: string, readonly connected: boolean }> {
    return this.#bootstraps.map(b => ({ address: b.address, connected: this.#isUp(b) }))
  }

  /** One line per peer, its best link. */
  peers (score: (id: PeerId) => number): PeerView[] {
    const best = new Map<PeerId, Connection>()
    for (const c of this.#node.getConnections()) {
      if (c.status !== 'open' || !this.#identified.has(c.id)) continue
      const id = c.remotePeer.toString()
      const other = best.get(id)
      if (other === undefined || (other.limits !== undefined && c.limits === undefined)) best.set(id, c)
    }
    return [...best].map(([id, c]) => ({
      id,
      link: this.#linkOf(c),
      direction: c.direction,
      score: score(id),
      connectedAt: c.timeline.open,
      ...(this.#o.welcomeAt(id) === undefined ? {} : { welcomeAt: this.#o.welcomeAt(id) }),
      ...(c.rtt === undefined ? {} : { rttMs: c.rtt })
    }))
  }

  /** Direct neighbours, the bootstraps aside. */
  #neighbours (): PeerId[] {
    const ids = new Set<PeerId>()
    for (const c of this.#node.getConnections()) if (this.#isDirect(c) && this.#linkOf(c) !== 'server') ids.add(c.remotePeer.toString())
    return [...ids]
  }

  #connections (peer: PeerId): Connection[] { return this.#node.getConnections(peerIdFromString(peer)) }
  #isDirect (c: Connection): boolean { return c.status === 'open' && c.limits === undefined && this.#identified.has(c.id) }
  #isOwn (id: PeerId): boolean { return this.connectionTo(id)?.direction === 'outbound' }
  #isUp (b: Bootstrap): boolean { return this.#connections(b.id).some(c => c.status === 'open') }

  #linkOf (c: Connection): PeerView['link'] {
    if (c.limits !== undefined) return 'relay'
    const names = c.remoteAddr.getComponents().map(x => x.name)
    if (names.includes('webrtc')) return 'webrtc'
    return names.includes('memory') ? 'memory' : 'server'
  }

  #onIdentify ({ connection }: IdentifyResult): void {
    if (connection.status !== 'open') return
    this.#identified.add(connection.id)
    if (!this.#settle(connection)) return
    if (this.#linkOf(connection) === 'webrtc') {
      // Neighbours may be reached through us without asking: explicit reservations over WebRTC throw.
      this.#forgetReservation(connection.remotePeer)
      if (this.#node.services.relay.reservations.size < TAB_RELAY.maxReservations) {
        this.#node.services.relay.reservations.set(connection.remotePeer, {
          addr: connection.remoteAddr,
          expiry: new Date(Date.now() + RESERVATION_MS),
          limit: { data: TAB_RELAY.defaultDataLimit, duration: TAB_RELAY.defaultDurationLimit },
          signal: retimeableSignal(RESERVATION_MS)
        })
      }
    }
    this.#changed()
  }

  /**
   * One link per neighbour. An older one is dead at the other end, unless both have dialled at
   * once: then both keep what the lesser name has dialled. Gossipsub, told of the new link after
   * this, opens its streams there; it would never leave the old one by itself.
   */
  #settle (made: Connection): boolean {
    if (this.#linkOf(made) !== 'webrtc') return true
    const peer = made.remotePeer.toString()
    const lesser = this.#self < peer ? 'outbound' : 'inbound'
    for (const other of this.#connections(peer)) {
      if (other.id === made.id || !this.#isDirect(other)) continue
      const simultaneous = Math.abs(made.timeline.open - other.timeline.open) < SIMULTANEOUS_MS && made.direction !== other.direction
      const loser = simultaneous && other.direction === lesser ? made : other
      loser.abort(new Error('one link is enough'))
      if (loser === made) return false
    }
    return true
  }

  #forgetReservation (peer: LibPeerId): void {
    this.#node.services.relay.reservations.get(peer)?.signal.clear()
    this.#node.services.relay.reservations.delete(peer)
  }

  async #tick (): Promise<void> {
    if (this.#ticking) return
    this.#ticking = true
    try {
      const { enough, exploreMs, target } = this.#o.numbers
      for (const b of this.#bootstraps) void this.#redial(b)
      this.#clean()
      const have = this.#neighbours().length
      if (have < enough && Date.now() >= this.#searchAt) {
        const found = await this.#grow(target - have)
        this.#searchWaitMs = found ? SEARCH_MS[0] : Math.min(SEARCH_MS[1], this.#searchWaitMs * 2)
        // Two tabs that lost each other would dial at once: the jitter spares double links.
        this.#searchAt = Date.now() + this.#searchWaitMs * (0.5 + Math.random())
      }
      if (Date.now() >= this.#exploreAt) {
        this.#exploreAt = Date.now() + exploreMs * (0.75 + Math.random() / 2)
        await this.#grow(1)
        this.#makeRoom()
      }
    } catch (e) {
      this.#o.onDebug(`mesh: ${reasonOf(e)}`)
    } finally {
      this.#ticking = false
    }
  }

  /** libp2p gives a lost peer five dials and forgets it; a bootstrap gets them for ever. */
  async #redial (b: Bootstrap): Promise<void> {
    if (b.dialling || this.#isUp(b) || Date.now() < b.nextDialAt) return
    b.dialling = true
    try {
      await this.#node.dial(b.multiaddr, { signal: AbortSignal.timeout(BOOTSTRAP_DIAL_MS) })
      b.waitMs = REDIAL_MS[0]
      this.#o.onDebug(`bootstrap ${b.address} is up`)
      const have = this.#neighbours().length
      // Also without a need: the bootstrap must know that we are here.
      await this.#grow(Math.max(1, this.#o.numbers.target - have), [b])
      this.#changed()
    } catch (e) {
      b.waitMs = Math.min(REDIAL_MS[1], b.waitMs * 2)
      b.nextDialAt = Date.now() + b.waitMs * (0.5 + Math.random())
      this.#o.onDebug(`bootstrap ${b.address} is down: ${reasonOf(e)}`)
    } finally {
      b.dialling = false
    }
  }

  /** Drops circuits that have done their job, phantoms, and links whose gossip went silent. */
  #clean (): void {
    const now = Date.now()
    for (const c of this.#node.getConnections()) {
      const age = now - c.timeline.open
      const circuitDone = c.limits !== undefined && (age > PHANTOM_MS || (age > CIRCUIT_MS && this.connectionTo(c.remotePeer.toString()) !== undefined))
      if (circuitDone) c.close().catch(() => {})
      else if (!this.#identified.has(c.id) && age > PHANTOM_MS) c.abort(new Error('never identified'))
    }
    const neighbours = new Set(this.#neighbours())
    for (const id of this.#silence.keys()) if (!neighbours.has(id)) this.#silence.delete(id)
    for (const id of neighbours) {
      const gossip = this.#connections(id).flatMap(c => c.streams.filter(s => s.protocol.includes('meshsub')).map(s => s.direction))
      const old = this.#silence.get(id) ?? { met: false, ours: 0, both: 0 }
      const met = old.met || new Set(gossip).size === 2
      const silence = { met, ours: gossip.includes('outbound') ? 0 : old.ours + 1, both: met && gossip.length === 0 ? old.both + 1 : 0 }
      this.#silence.set(id, silence)
      // Gossipsub does not reopen its stream while another connection to the peer stays open.
      if (silence.ours < SILENT_TICKS && silence.both < GONE_TICKS) continue
      if (silence.both >= GONE_TICKS) this.#leaveAlone(id)
      this.#o.onDebug(`${id} has gone silent`)
      this.#drop(id, 'silent')
    }
    for (const [id, until] of this.#failed) if (until <= now) this.#failed.delete(id)
  }

  /** Dials up to `count` peers that are not neighbours yet; was there anybody to dial? */
  async #grow (count: number, bootstraps: readonly Bootstrap[] = this.#bootstraps): Promise<boolean> {
    const found = await this.#candidates(bootstraps)
    await Promise.all(shuffled(found).slice(0, count).map(async ([id, address]) => this.#dial(id, address)))
    return found.size > 0
  }

  #changed (): void {
    this.#searchWaitMs = SEARCH_MS[0]
    this.#searchAt = Math.min(this.#searchAt, Date.now() + SEARCH_MS[0] * (0.5 + Math.random()))
    this.#o.onChange()
  }

  async #candidates (bootstraps: readonly Bootstrap[]): Promise<Map<PeerId, Multiaddr>> {
    const found = new Map<PeerId, Multiaddr>()
    const neighbours = this.#neighbours()
    const skip = new Set([this.#self, ...neighbours, ...this.#dialling, ...this.#failed.keys()])
    const offer = (id: PeerId, address: string): void => {
      if (!skip.has(id) && !this.#o.isBanned(id) && !found.has(id) && !this.#isCalling(id)) found.set(id, multiaddr(address))
    }
    /** What goes wrong with one answer ends the search at no other. */
    const hear = async (peer: PeerId, protocol: string, introducer: string, body?: Uint8Array): Promise<void> => {
      try {
        for (const id of await this.#ask(peer, protocol, body)) offer(id, `${introducer}/p2p-circuit/webrtc/p2p/${id}`)
      } catch (e) {
        this.#o.onDebug(`names of ${peer}: ${reasonOf(e)}`)
      }
    }
    const namespace = new TextEncoder().encode(this.#o.namespace)
    await Promise.all(bootstraps.filter(b => this.#isUp(b)).map(async b => hear(b.id, RENDEZVOUS, b.address, namespace)))
    if (found.size > 0) return found
    // Friends of friends, introduced by the friend. A circuit to him could not carry a circuit.
    await Promise.all(neighbours.filter(n => this.#connections(n).every(c => c.limits === undefined)).map(async n => hear(n, NEIGHBOURS, `/p2p/${n}`)))
    return found
  }

  /** Is the peer signalling to us just now? Dialling it as well would make two links. */
  #isCalling (id: PeerId): boolean {
    return this.#connections(id).some(c => c.status === 'open' && c.direction === 'inbound' && Date.now() - c.timeline.open < DIAL_MS)
  }

  async #ask (peer: PeerId, protocol: string, body?: Uint8Array): Promise<PeerId[]> {
    // A bootstrap just dialled has not identified itself yet.
    const connection = this.connectionTo(peer) ?? this.#connections(peer).find(c => c.status === 'open' && c.limits === undefined)
    if (connection === undefined) return []
    const signal = AbortSignal.timeout(ASK_MS)
    try {
      const stream = await connection.newStream([protocol], { signal })
      try {
        if (body !== undefined) await writeFrame(stream, body, signal)
        return decodeNames(await readFrame(stream, MAX_NAMES_BYTES, signal))
      } finally {
        stream.close().catch(() => {})
      }
    } catch (e) {
      this.#o.onDebug(`${protocol} of ${peer}: ${reasonOf(e)}`)
      return []
    }
  }

  async #dial (id: PeerId, address: Multiaddr): Promise<void> {
    if (this.#dialling.has(id)) return
    this.#dialling.add(id)
    try {
      await this.#node.dial(address, { signal: AbortSignal.timeout(DIAL_MS) })
    } catch (e) {
      this.#leaveAlone(id)
      this.#o.onDebug(`dial of ${id} failed: ${reasonOf(e)}`)
    } finally {
      this.#dialling.delete(id)
    }
  }

  #leaveAlone (id: PeerId): void {
    if (this.#failed.size < MAX_FAILED_KEPT) this.#failed.set(id, Date.now() + FAILED_DIAL_MS)
  }

  /**
   * Whoever fills a tab's places with names of his own must not decide what it hears (Heilman et al., "Eclipse Attacks on
   * Bitcoin's Peer-to-Peer Network", USENIX Security 2015, section 7): links that it has dialled itself go last, and of
   * the others those first that were welcome the longest ago. What it fetches over stays; of those that others
   * fetch over as many as of those that nothing happens on, and neither costs the other a place.
   */
  #makeRoom (): void {
    const uses = (id: PeerId, direction: 'inbound' | 'outbound'): boolean => this.#connections(id).some(c => c.streams.some(s => s.direction === direction && s.protocol.startsWith('/cw/')))
    const others = shuffled(this.#neighbours()).filter(id => !uses(id, 'outbound'))
    for (const isUsed of [true, false]) {
      const alike = byWorth(others.filter(id => uses(id, 'inbound') === isUsed), id => this.#isOwn(id), id => this.#o.welcomeAt(id))
      for (const id of alike.slice(0, Math.max(0, alike.length - this.#o.numbers.soft))) this.#drop(id, 'making room')
    }
  }

  /** Aborts, so that the other side sees its streams reset at once. */
  #drop (id: PeerId, why: string): void {
    for (const c of this.#connections(id)) c.abort(new Error(why))
  }
}
