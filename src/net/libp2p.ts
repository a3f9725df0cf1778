/**
 * ports/Network over js-libp2p: gossipsub for topics, streams for requests, WebRTC between tabs.
 * A page load gets a key of its own; blame falls on that name, while the user's key signs what is
 * inside the messages.
 */
import './polyfill.ts'
import { circuitRelayServer, type CircuitRelayService } from '@libp2p/circuit-relay-v2'
import { identify, type Identify } from '@libp2p/identify'
import type { ConnectionGater, Libp2p, PeerId as LibPeerId } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { peerIdFromString } from '@libp2p/peer-id'
import { ping, type Ping } from '@libp2p/ping'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { type GossipMessage, type Network, type NetworkStatus, type PeerId, type ProtocolLimits, RequestError, type RequestOptions, type Verdict } from '../ports/network.ts'
import { SCORE_BAN_MS } from './bounds.ts'
import { forgetTheGone } from './forgetTheGone.ts'
import { Gossip, type GossipService, gossipService } from './gossip.ts'
import { DIAL_MS, Mesh, MESH, type MeshNumbers, TAB_RELAY } from './mesh.ts'
import { type PeerStreams, peerStreams } from './peerStreams.ts'
import { BanList, isUnbearable, Penalties } from './peerBook.ts'
import { Requests } from './requests.ts'
import { StreamBytes } from './streamBytes.ts'
import type { Carriers } from './webTransports.ts'

export interface Libp2pNetworkOptions {
  /** Multiaddrs ending in /p2p/<id>. None, or none reachable: the node waits and keeps trying. */
  readonly bootstraps: readonly string[]
  /** The network's name: peers of another are not introduced to us. */
  readonly namespace?: string
  /** STUN and TURN for WebRTC; none are asked unless they are named. */
  readonly iceServers?: readonly RTCIceServer[]
  /** Instead of what a tab uses. */
  readonly carriers?: Carriers
  readonly mesh?: Partial<MeshNumbers>
  /** Our own bugs: a validator or handler that threw. */
  readonly onError?: (e: unknown) => void
  readonly onDebug?: (text: string) => void
}

interface Services extends Record<string, unknown> { identify: Identify, ping: Ping, pubsub: GossipService, relay: CircuitRelayService }

const STATUS_EVERY_MS = 1000
/** A round trip is measured this often. */
const PING_EVERY_MS = 20_000
/** Links of a tab at most: hundreds of tabs, and still a browser that answers. */
const MAX_CONNECTIONS = 48
/** Streams of one page-side protocol that we open to one peer. */
const MAX_STREAMS_PER_CONNECTION = 32

/** The mesh, and streams on its connections for what lives on the page beside it. */
export interface TabNetwork extends Network { readonly streams: PeerStreams }

export async function createLibp2pNetwork (options: Libp2pNetworkOptions): Promise<TabNetwork> {
  const carriers = options.carriers ?? (await import('./webTransports.ts')).webTransports(options.iceServers ?? [])
  const now = (): number => Date.now()
  const bans = new BanList(now)
  const penalties = new Penalties(now)
  const bytes = new StreamBytes()
  const node = await createLibp2p<Services>({
    addresses: { listen: [...carriers.listen] },
    transports: carriers.transports,
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: gater(bans),
    connectionManager: {
      maxConnections: MAX_CONNECTIONS,
      inboundConnectionThreshold: 100,
      maxIncomingPendingConnections: 50,
      dialTimeout: DIAL_MS,
      addressDialTimeout: DIAL_MS,
      inboundUpgradeTimeout: DIAL_MS,
      inboundStreamProtocolNegotiationTimeout: DIAL_MS,
      outboundStreamProtocolNegotiationTimeout: DIAL_MS
    },
    // A starved tab answers late: closing its link for that would cut the healthy ones first.
    connectionMonitor: { pingInterval: PING_EVERY_MS, abortConnectionOnPingFailure: false },
    metrics: bytes.metrics,
    services: {
      identify: identify(),
      ping: ping(),
      pubsub: gossipService(penalties),
      relay: circuitRelayServer({ reservations: TAB_RELAY })
    }
  })
  forgetTheGone(node)
  const network = new Libp2pNetwork(node, options, bans, penalties, bytes, now)
  await network.start()
  return network
}

function gater (bans: BanList): ConnectionGater {
  const banned = (id: LibPeerId): boolean => bans.has(id.toString())
  return {
    // Browsers refuse ws:// and private addresses by default; a page served over http has both.
    denyDialMultiaddr: () => false,
    denyDialPeer: banned,
    denyInboundEncryptedConnection: banned,
    denyOutboundEncryptedConnection: banned,
    denyInboundUpgradedConnection: banned,
    denyInboundRelayedConnection: (_relay, peer) => banned(peer),
    denyOutboundRelayedConnection: (source, destination) => banned(source) || banned(destination),
    // Neighbours have implicit ones (mesh.ts); nobody else is served.
    denyInboundRelayReservation: () => true
  }
}

class Libp2pNetwork implements TabNetwork {
  readonly streams: PeerStreams
  readonly #node: Libp2p<Services>
  readonly #bans: BanList
  readonly #bytes: StreamBytes
  readonly #mesh: Mesh
  readonly #gossip: Gossip
  readonly #requests: Requests
  readonly #listeners = new Set<(s: NetworkStatus) => void>()
  readonly #goodbye = (e: Event): void => {
    // Otherwise the others notice after 10 to 15 s. A page kept for "back" stays.
    if ((e as PageTransitionEvent).persisted) return
    for (const c of this.#node.getConnections()) {
      // One that is half closed already may throw: the others still get their goodbye.
      try { c.abort(new Error('the page was closed')) } catch {}
    }
  }

  #timer: ReturnType<typeof setInterval> | undefined
  #stopped = false

  constructor (node: Libp2p<Services>, options: Libp2pNetworkOptions, bans: BanList, penalties: Penalties, bytes: StreamBytes, now: () => number) {
    const onError = options.onError ?? ((e: unknown) => { console.error(e) })
    this.#node = node
    this.#bans = bans
    this.#bytes = bytes
    this.#mesh = new Mesh({
      node,
      bootstraps: options.bootstraps,
      namespace: options.namespace ?? 'commonweight',
      numbers: { ...MESH, ...options.mesh },
      isBanned: id => bans.has(id),
      welcomeAt: id => this.#gossip.welcomeAt(id),
      onChange: () => { this.#announce() },
      onDebug: options.onDebug ?? (() => {})
    })
    this.#gossip = new Gossip({ service: node.services.pubsub, bans, penalties, now, onError, onReject: id => { this.#judge(id) } })
    this.streams = peerStreams({ node, connectionTo: id => this.#mesh.connectionTo(id), isBanned: id => bans.has(id), meet: id => this.#mesh.meet(id), maxPerConnection: MAX_STREAMS_PER_CONNECTION, onError })
    this.#requests = new Requests({ node, connectionTo: id => this.#mesh.connectionTo(id), penalties, now, onError, onOffence: id => { this.#judge(id) } })
  }

  async start (): Promise<void> {
    await this.#mesh.start()
    globalThis.addEventListener?.('pagehide', this.#goodbye)
    this.#timer = setInterval(() => {
      for (const p of this.#peers()) this.#judge(p.id)
      this.#announce()
    }, STATUS_EVERY_MS)
  }

  async status (): Promise<NetworkStatus> { return this.#status() }

  async onStatus (listener: (s: NetworkStatus) => void): Promise<() => void> {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  async publish (topic: string, bytes: Uint8Array): Promise<number> {
    this.#running()
    return this.#gossip.publish(topic, bytes)
  }

  async subscribe (topic: string, validator: (m: GossipMessage) => Promise<Verdict>): Promise<() => void> {
    this.#running()
    return this.#gossip.subscribe(topic, validator)
  }

  async request (peer: PeerId, protocol: string, body: Uint8Array, options: RequestOptions): Promise<Uint8Array> {
    this.#running()
    return this.#requests.request(peer, protocol, body, options)
  }

  async handle (protocol: string, limits: ProtocolLimits, handler: (peer: PeerId, body: Uint8Array) => Promise<Uint8Array>): Promise<() => void> {
    this.#running()
    return this.#requests.handle(protocol, limits, handler)
  }

  async ban (peer: PeerId, reason: string, ms?: number): Promise<void> {
    this.#bans.ban(peer, reason, ms)
    const id = peerIdFromString(peer)
    // Aborted, not closed: a close would wait for what the peer still sends.
    for (const c of this.#node.getConnections(id)) c.abort(new Error(`banned: ${reason}`))
    this.#announce()
  }

  async stop (): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    clearInterval(this.#timer)
    this.#listeners.clear()
    globalThis.removeEventListener?.('pagehide', this.#goodbye)
    this.#mesh.stop()
    await this.#node.stop()
  }

  #peers (): ReturnType<Mesh['peers']> { return this.#mesh.peers(id => this.#node.services.pubsub.getScore(id)) }

  #judge (peer: PeerId): void {
    if (this.#stopped || this.#bans.has(peer) || !isUnbearable(this.#node.services.pubsub.getScore(peer))) return
    void this.ban(peer, 'score', SCORE_BAN_MS)
  }

  #status (): NetworkStatus {
    return { self: this.#node.peerId.toString(), peers: this.#peers(), relays: this.#mesh.relays(), bytesIn: this.#bytes.in, bytesOut: this.#bytes.out, banned: this.#bans.list() }
  }

  #announce (): void {
    if (this.#stopped || this.#listeners.size === 0) return
    const s = this.#status()
    for (const l of this.#listeners) l(s)
  }

  #running (): void {
    if (this.#stopped) throw new RequestError('unreachable', 'the network was stopped')
  }
}
