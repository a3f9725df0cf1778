/**
 * The bridge between tabs and classic BitTorrent clients: one node that takes part in the same torrents
 * on both sides and passes verified pieces on. To tabs it speaks the wire over the streams of the relay's
 * own connections (docs/protocol.md 16), to the others over TCP. It dials nobody: tabs are connected
 * already, and classic clients learn its port from the HTTP tracker. Which torrents, how many, how many
 * bytes and how fast is the operator's to say. Source: BEP 3.
 */
import { join } from 'node:path'
import { decodeMetainfo } from '../src/core/torrent/metainfo.ts'
import type { PeerStreams } from '../src/net/peerStreams.ts'
import { FileDisk } from '../src/net/swarm/pieceDisk.ts'
import { WebTorrentSwarm } from '../src/net/swarm/webtorrentSwarm.ts'
import type { Client, IncomingTcp } from '../src/net/swarm/webtorrentTypes.ts'
import type { PeerId } from '../src/ports/network.ts'
import type { InfoHash, LinkId, SwarmEvent, SwarmItem } from '../src/ports/swarm.ts'
import { networkOf, PlacesPerNetwork } from './address.ts'
import { CacheFolder } from './cacheFolder.ts'
import { type HybridOptions, MAX_BRIDGED } from './options.ts'

/** TCP connections in all, handshaken or not; and of the links of one torrent, so that some are left for tabs. */
const MAX_TCP = 512
/** Of those, of one address: a household has several clients, and each a connection per torrent. */
export const MAX_TCP_PER_ADDRESS = 32
export const MAX_TCP_LINKS = 24
/** Tabs that are asked for one torrent, another choice of them every so often. */
const TABS_ASKED = 32
const ASK_OTHERS_MS = 30_000
const TICK_MS = 1_000
/** An unnamed torrent without a link for so long is left; its bytes stay until their room is wanted. */
const IDLE_MS = 10 * 60_000
/** What was refused (too large, a forbidden name) is not looked at again for so long. */
const REFUSED_MS = 10 * 60_000
const REFUSED_MAX = 1024

export interface HybridDeps {
  readonly options: HybridOptions
  readonly dataDir: string
  readonly streams: PeerStreams
  readonly tabs: () => readonly PeerId[]
  readonly onError: (e: unknown) => void
}

export interface Hybrid {
  /** TCP port of the wire. */
  readonly port: number
  readonly peerId: string
  /** Whether a classic client may announce it; where any torrent may be bridged, it is from now on. */
  admits (infoHash: InfoHash): boolean
  counts (): { readonly bridged: number, readonly bridgedComplete: number, readonly bridgeLinks: number, readonly cacheBytes: number }
  stop (): Promise<void>
}

interface Bridged {
  readonly named: boolean
  /** Of all its pieces; 0 while unknown. */
  bytes: number
  fetching: boolean
  usedAt: number
  asked: readonly PeerId[]
  askedAt: number
}

/** Starts to listen; throws with the system's reason if it cannot. */
async function listen (port: number): Promise<Client> {
  const { default: WebTorrent } = await import('webtorrent')
  const client = new WebTorrent({
    dht: false, lsd: false, utPex: false, natUpnp: false, natPmp: false, webSeeds: false, utp: false, tracker: false,
    torrentPort: port
  })
  await new Promise<void>((resolve, reject) => {
    client.on('error', reject)
    client.once('listening', resolve)
  })
  const { tcpServer } = client._connPool!
  tcpServer.maxConnections = MAX_TCP
  tcpServer.prependListener('connection', boundPerAddress())
  return client
}

/** Ends what comes from an address that has as many connections as it may; stands before the client's own listener, which lets go of what has ended. */
export function boundPerAddress (): (socket: IncomingTcp) => void {
  const places = new PlacesPerNetwork(MAX_TCP_PER_ADDRESS)
  return socket => {
    const network = networkOf(socket.remoteAddress ?? '')
    if (places.take(network)) socket.once('close', () => { places.giveBack(network) })
    else socket.destroy()
  }
}

export async function startHybrid (d: HybridDeps): Promise<Hybrid> {
  const client = await listen(d.options.port)
  // The swarm makes its client when it needs one: this one listens already.
  class Ready { constructor () { return client } }
  const swarm = new WebTorrentSwarm({
    streams: d.streams, trackers: [], iceServers: [], onError: d.onError,
    openDisk: async () => ({ disk: new FileDisk(new CacheFolder(join(d.dataDir, 'bridge'))) }),
    load: async () => Ready as unknown as new () => Client
  })
  await swarm.limits({ up: d.options.rate, down: d.options.rate })
  const bridge = new Bridge(d, swarm)
  await bridge.start()
  return {
    port: client.torrentPort,
    peerId: client.peerId,
    admits: infoHash => bridge.admits(infoHash),
    counts: () => bridge.counts(),
    stop: async () => { await bridge.stop() }
  }
}

class Bridge {
  readonly #d: HybridDeps
  readonly #swarm: WebTorrentSwarm
  readonly #bridged = new Map<InfoHash, Bridged>()
  /** Bytes on the disk of torrents that are not taken part in, the longest unused first. */
  readonly #cached = new Map<InfoHash, number>()
  readonly #refused = new Map<InfoHash, number>()
  /** Links over TCP, by torrent. */
  readonly #tcp = new Map<InfoHash, Set<LinkId>>()
  #items: readonly SwarmItem[] = []
  #timer: ReturnType<typeof setInterval> | undefined
  #step: Promise<void> = Promise.resolve()
  #ticking = false

  constructor (d: HybridDeps, swarm: WebTorrentSwarm) {
    this.#d = d
    this.#swarm = swarm
  }

  async start (): Promise<void> {
    await this.#swarm.onEvent(e => { this.#onEvent(e) })
    for (const { infoHash, bytes } of await this.#swarm.stored()) this.#cached.set(infoHash, bytes)
    for (const infoHash of this.#d.options.torrents) await this.#take(infoHash, true)
    await this.#makeRoom(0)
    this.#timer = setInterval(() => {
      if (this.#ticking) return
      this.#ticking = true
      this.#later(async () => { try { await this.#tick() } finally { this.#ticking = false } })
    }, TICK_MS)
  }

  async stop (): Promise<void> {
    clearInterval(this.#timer)
    await this.#step
    await this.#swarm.stop()
  }

  admits (infoHash: InfoHash): boolean {
    const known = this.#bridged.get(infoHash)
    if (known !== undefined) {
      known.usedAt = Date.now()
      return true
    }
    if (!this.#d.options.open || (this.#refused.get(infoHash) ?? 0) > Date.now()) return false
    if (this.#bridged.size >= MAX_BRIDGED && this.#idlest() === undefined) return false
    this.#later(async () => { await this.#take(infoHash, false) })
    return true
  }

  counts (): ReturnType<Hybrid['counts']> {
    return {
      bridged: this.#bridged.size,
      bridgedComplete: this.#items.filter(i => i.state === 'complete').length,
      bridgeLinks: this.#items.reduce((n, i) => n + i.links.length, 0),
      cacheBytes: this.#used()
    }
  }

  /** One after the other: each looks at what the one before has left. */
  #later (run: () => Promise<void>): void { this.#step = this.#step.then(run).catch(this.#d.onError) }

  async #take (infoHash: InfoHash, named: boolean): Promise<void> {
    if (this.#bridged.has(infoHash)) return
    if (this.#bridged.size >= MAX_BRIDGED) {
      const idle = this.#idlest()
      if (idle === undefined) return
      await this.#leave(idle)
    }
    const bytes = this.#cached.get(infoHash) ?? 0
    this.#cached.delete(infoHash)
    this.#bridged.set(infoHash, { named, bytes, fetching: false, usedAt: Date.now(), asked: [], askedAt: 0 })
    await this.#swarm.follow(infoHash, { fetch: false })
  }

  /** Of the unnamed ones without a link the one that was used longest ago. */
  #idlest (but?: InfoHash): InfoHash | undefined {
    let found: InfoHash | undefined
    for (const [infoHash, b] of this.#bridged) {
      if (infoHash !== but && !b.named && this.#linksOf(infoHash) === 0 && (found === undefined || b.usedAt < this.#bridged.get(found)!.usedAt)) found = infoHash
    }
    return found
  }

  #linksOf (infoHash: InfoHash): number { return this.#items.find(i => i.infoHash === infoHash)?.links.length ?? 0 }

  async #leave (infoHash: InfoHash): Promise<void> {
    this.#bridged.delete(infoHash)
    await this.#swarm.leave(infoHash)
    const stored = (await this.#swarm.stored()).find(s => s.infoHash === infoHash)
    if (stored !== undefined) this.#cached.set(infoHash, stored.bytes)
  }

  async #tick (): Promise<void> {
    const now = Date.now()
    this.#items = (await this.#swarm.status()).items
    for (const item of this.#items) {
      const b = this.#bridged.get(item.infoHash)
      if (b === undefined) continue
      if (item.links.length > 0) b.usedAt = now
      if (item.state === 'failed') await this.#refuse(item.infoHash, item.detail ?? 'it failed')
      else if (!b.named && now - b.usedAt > IDLE_MS) await this.#leave(item.infoHash)
      // Of what nobody named nothing is fetched before a tab follows it: strangers get no store of their own.
      else if (!b.fetching && item.state !== 'metadata' && (b.named || item.links.some(l => l.via === 'mesh'))) await this.#fetch(item.infoHash, b)
    }
    await this.#askTabs(now)
  }

  async #askTabs (now: number): Promise<void> {
    const tabs = this.#d.tabs()
    for (const [infoHash, b] of this.#bridged) {
      const here = b.asked.filter(t => tabs.includes(t))
      if (here.length === Math.min(TABS_ASKED, tabs.length) && now - b.askedAt < ASK_OTHERS_MS) continue
      const linked = new Set(this.#items.find(i => i.infoHash === infoHash)?.links.flatMap(l => l.peer ?? []))
      const keep = now - b.askedAt < ASK_OTHERS_MS ? here : here.filter(t => linked.has(t))
      const others = tabs.filter(t => !keep.includes(t))
      // Round the list, so that each has its turn.
      const from = others.length === 0 ? 0 : Math.floor(now / ASK_OTHERS_MS) * TABS_ASKED % others.length
      if (keep !== here || b.askedAt === 0) b.askedAt = now
      b.asked = [...keep, ...others.slice(from), ...others.slice(0, from)].slice(0, TABS_ASKED)
      await this.#swarm.peers(infoHash, b.asked)
    }
  }

  async #fetch (infoHash: InfoHash, b: Bridged): Promise<void> {
    if (b.bytes > this.#d.options.cacheBytes || !await this.#makeRoom(b.bytes, infoHash)) {
      await this.#refuse(infoHash, `${b.bytes} bytes, for which the cache has no room`)
      return
    }
    b.fetching = true
    await this.#swarm.follow(infoHash, { fetch: true })
  }

  async #refuse (infoHash: InfoHash, why: string): Promise<void> {
    this.#d.onError(new Error(`the bridge leaves ${infoHash}: ${why}`))
    this.#bridged.delete(infoHash)
    this.#refused.set(infoHash, Date.now() + REFUSED_MS)
    if (this.#refused.size > REFUSED_MAX) this.#refused.delete(this.#refused.keys().next().value!)
    await this.#swarm.remove(infoHash)
  }

  #used (): number {
    let n = 0
    for (const bytes of this.#cached.values()) n += bytes
    for (const b of this.#bridged.values()) if (b.fetching) n += b.bytes
    return n
  }

  /** Deletes what was used longest ago until so many bytes fit. */
  async #makeRoom (more: number, keep?: InfoHash): Promise<boolean> {
    for (;;) {
      if (this.#used() + more <= this.#d.options.cacheBytes) return true
      const oldest = this.#cached.keys().next().value ?? this.#idlest(keep)
      if (oldest === undefined) return false
      this.#cached.delete(oldest)
      this.#bridged.delete(oldest)
      await this.#swarm.remove(oldest)
    }
  }

  #onEvent (e: SwarmEvent): void {
    if (e.type === 'metadata') {
      const b = this.#bridged.get(e.infoHash)
      const m = decodeMetainfo(e.torrent)
      if (b !== undefined && m.ok) b.bytes = m.value.bytes
    }
    if (e.type === 'link' && e.link.via === 'tracker') {
      const links = this.#tcp.get(e.link.infoHash) ?? new Set<LinkId>()
      this.#tcp.set(e.link.infoHash, links.add(e.link.id))
      if (links.size > MAX_TCP_LINKS) this.#later(async () => { await this.#swarm.cut(e.link.id) })
    }
    if (e.type === 'unlink') {
      const links = this.#tcp.get(e.link.infoHash)
      links?.delete(e.link.id)
      if (links?.size === 0) this.#tcp.delete(e.link.infoHash)
    }
    if (e.type === 'offence' && e.link.peer !== undefined) this.#later(async () => { await this.#swarm.refuse(e.link.peer!) })
  }
}
