/**
 * The part of the server that tabs meet through: a libp2p node that passes WebRTC signalling from
 * one to the other and introduces peers of the same network. It follows no topic, holds no chain.
 */
import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { circuitRelayServer, type CircuitRelayService } from '@libp2p/circuit-relay-v2'
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { identify, type Identify } from '@libp2p/identify'
import type { Connection, PeerId, PrivateKey, Stream } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { peerIdFromString } from '@libp2p/peer-id'
import { ping, type Ping } from '@libp2p/ping'
import { yamux } from '@libp2p/yamux'
import { createLibp2p, type Libp2p } from 'libp2p'
import { retimeableSignal } from 'retimeable-signal'
import { readFrame, writeFrame } from '../src/net/frames.ts'
import { forgetTheGone } from '../src/net/forgetTheGone.ts'
import { PeerBuckets } from '../src/net/peerBook.ts'
import { type PeerStreams, peerStreams } from '../src/net/peerStreams.ts'
import { encodeNames, MAX_NAMES, MAX_NAMESPACE_BYTES, RENDEZVOUS } from '../src/net/protocols.ts'
import { SocketGate, socketTransport } from './socketTransport.ts'
import { StartError } from './startError.ts'
import type { SocketBounds } from './upgrades.ts'

/** What one circuit may carry: a WebRTC handshake takes a few kB and a second. */
const CIRCUIT = { duration: 60_000, data: BigInt(128 * 1024) }
const RESERVATION_MS = 24 * 3600_000
const ASK_MS = 5_000
/** Introductions one tab may ask for. */
const ASKS_PER_SECOND = 1
const ASKS_AT_ONCE = 10

/** Beside the relay's own protocols, on one connection. */
const STREAMS_PER_TAB = 128

export interface Relay {
  readonly id: string
  readonly gate: SocketGate
  /** To tabs on the connections they keep with us; none is dialled. */
  readonly streams: PeerStreams
  /** Tabs that have asked for others of their network. */
  tabs (): readonly string[]
  counts (): { readonly connections: number, readonly registered: number, readonly reservations: number }
  /** Names of which something is kept. */
  known (): Promise<readonly string[]>
  stop (): Promise<void>
}

/** Written whole or not at all: a torn key would change the address that tabs remember. */
export async function loadKey (dataDir: string): Promise<PrivateKey> {
  const path = join(dataDir, 'relay.key')
  try {
    return privateKeyFromProtobuf(await readFile(path))
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === 'ENOTDIR') throw new StartError(`--data-dir: ${dataDir} is not a folder: name one, or one that can be made`)
    if ((e as NodeJS.ErrnoException).code !== 'ENOENT') throw new StartError(`the relay's key at ${path} cannot be read (${e instanceof Error ? e.message : String(e)}): put its backup in its place, or delete it, and the server starts with a new key and so under a new name`)
  }
  const key = await generateKeyPair('Ed25519')
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const fresh = `${path}.new`
  const file = await open(fresh, 'w', 0o600)
  try {
    await file.writeFile(privateKeyToProtobuf(key))
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(fresh, path)
  return key
}

interface Services extends Record<string, unknown> { identify: Identify, ping: Ping, relay: CircuitRelayService }

export async function startRelay (options: SocketBounds & { readonly dataDir: string }): Promise<Relay> {
  const gate = new SocketGate(options)
  const node = await createLibp2p<Services>({
    privateKey: await loadKey(options.dataDir),
    addresses: { listen: ['/ip4/0.0.0.0/tcp/0/ws'] },
    transports: [socketTransport(gate)],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    // The defaults admit five tabs a second and fifteen in all; behind a proxy all share one address.
    connectionManager: { maxConnections: options.maxConnections, inboundConnectionThreshold: options.maxConnections, maxIncomingPendingConnections: 500, inboundUpgradeTimeout: 20_000 },
    connectionMonitor: { pingInterval: 30_000, pingTimeout: { minTimeout: 30_000 } },
    services: {
      identify: identify(),
      ping: ping(),
      relay: circuitRelayServer({
        hopTimeout: 30_000,
        maxInboundHopStreams: 64,
        maxOutboundStopStreams: 256,
        reservations: { maxReservations: options.maxConnections, reservationTtl: RESERVATION_MS, defaultDurationLimit: CIRCUIT.duration, defaultDataLimit: CIRCUIT.data }
      })
    }
  })
  const register = new Register(node)
  await register.start()
  forgetTheGone(node)
  return {
    id: node.peerId.toString(),
    gate,
    streams: peerStreams({
      node,
      connectionTo: peer => node.getConnections(peerIdFromString(peer)).find(c => c.status === 'open' && c.limits === undefined),
      isBanned: () => false,
      meet: async () => false,
      maxPerConnection: STREAMS_PER_TAB,
      onError: e => { process.stderr.write(`${e instanceof Error ? e.message : String(e)}\n`) }
    }),
    tabs: () => register.tabs(),
    counts: () => ({ connections: node.getConnections().length, registered: register.size, reservations: node.services.relay.reservations.size }),
    known: async () => (await node.peerStore.all()).map(p => p.id.toString()),
    stop: async () => { await node.stop() }
  }
}

/** Who is here, by network. */
class Register {
  readonly #node: Libp2p<Services>
  readonly #namespaces = new Map<string, Set<string>>()
  readonly #namespaceOf = new Map<string, string>()
  readonly #asks = new PeerBuckets(() => Date.now(), ASKS_PER_SECOND, ASKS_AT_ONCE)

  constructor (node: Libp2p<Services>) { this.#node = node }

  get size (): number { return this.#namespaceOf.size }
  tabs (): readonly string[] { return [...this.#namespaceOf.keys()] }

  async start (): Promise<void> {
    // Every tab can be reached through us as long as it is connected, and no longer: the stock
    // reservations outlive their tab by hours and fill the table.
    this.#node.addEventListener('peer:identify', e => {
      const { connection } = e.detail
      if (connection.limits !== undefined || connection.status !== 'open') return
      this.#clearReservation(connection.remotePeer)
      this.#node.services.relay.reservations.set(connection.remotePeer, { addr: connection.remoteAddr, expiry: new Date(Date.now() + RESERVATION_MS), limit: CIRCUIT, signal: retimeableSignal(RESERVATION_MS) })
    })
    this.#node.addEventListener('peer:disconnect', e => {
      this.#clearReservation(e.detail)
      this.#leave(e.detail.toString())
    })
    await this.#node.handle(RENDEZVOUS, async (stream, connection) => {
      try {
        await this.#introduce(stream, connection)
      } catch (e) {
        stream.abort(e as Error)
      }
    }, { maxInboundStreams: 4 })
  }

  async #introduce (stream: Stream, connection: Connection): Promise<void> {
    const id = connection.remotePeer.toString()
    if (!this.#asks.take(id)) throw new Error('too many questions')
    const signal = AbortSignal.timeout(ASK_MS)
    const namespace = new TextDecoder().decode(await readFrame(stream, MAX_NAMESPACE_BYTES, signal))
    if (connection.status !== 'open') return
    this.#leave(id)
    this.#namespaceOf.set(id, namespace)
    const present = this.#namespaces.get(namespace) ?? new Set()
    this.#namespaces.set(namespace, present)
    const others = sample([...present], MAX_NAMES)
    present.add(id)
    await writeFrame(stream, encodeNames(others), signal)
    await stream.close({ signal })
  }

  #leave (id: string): void {
    const namespace = this.#namespaceOf.get(id)
    if (namespace === undefined) return
    this.#namespaceOf.delete(id)
    const present = this.#namespaces.get(namespace)
    present?.delete(id)
    if (present?.size === 0) this.#namespaces.delete(namespace)
  }

  #clearReservation (peer: PeerId): void {
    this.#node.services.relay.reservations.get(peer)?.signal.clear()
    this.#node.services.relay.reservations.delete(peer)
  }
}

/** `count` of the list, each as likely as any other. */
function sample<T> (list: T[], count: number): T[] {
  for (let i = 0; i < Math.min(count, list.length); i++) {
    const j = i + Math.floor(Math.random() * (list.length - i))
    const swap = list[i]
    list[i] = list[j]
    list[j] = swap
  }
  return list.slice(0, count)
}
