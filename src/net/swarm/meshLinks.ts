/**
 * Links over the mesh: opens a stream to each peer that follows what we follow, takes those that
 * others open, and keeps one link per peer and torrent. Where both sides dial at once, the stream of
 * the peer whose name is smaller stays; both know that.
 */
import type { Stream } from '@libp2p/interface'
import type { PeerId } from '../../ports/network.ts'
import type { InfoHash } from '../../ports/swarm.ts'
import type { PeerStreams } from '../peerStreams.ts'
import { ENOUGH_LINKS, MAX_LINKS, MAX_LINKS_PER_PEER, MAX_UNKNOWN_STREAMS, OPEN_MS, REDIAL_MS } from './bounds.ts'
import { connectionId, readWireHead, type WireConnection, wireConnection, WIRE_PROTOCOL } from './btStream.ts'
import type { Item } from './item.ts'

const TICK_MS = 500
/** Names of peers kept per torrent. */
const WANTED_MAX = 256

interface Attempt { nextAt: number, waitMs: number, dialling: boolean }

export interface MeshLinksDeps {
  readonly streams: PeerStreams
  readonly now: () => number
  readonly item: (infoHash: InfoHash) => Item | undefined
  readonly admits: (infoHash: InfoHash, peer: PeerId) => boolean
  readonly onError: (e: unknown) => void
}

export class MeshLinks {
  readonly #d: MeshLinksDeps
  readonly #wanted = new Map<InfoHash, Map<PeerId, Attempt>>()
  /** Connections by torrent and peer, from the moment they are handed to the torrent. */
  readonly #connections = new Map<string, { readonly connection: WireConnection, readonly ours: boolean, readonly since: number }>()
  #unknown = 0
  #unhandle: (() => void) | undefined
  #timer: ReturnType<typeof setInterval> | undefined

  constructor (d: MeshLinksDeps) { this.#d = d }

  async start (): Promise<void> {
    this.#unhandle = await this.#d.streams.handle(WIRE_PROTOCOL, MAX_LINKS_PER_PEER, (stream, peer, ofServer) => { void this.#incoming(stream, peer, ofServer) })
    this.#timer = setInterval(() => { this.#tick() }, TICK_MS)
  }

  async stop (): Promise<void> {
    clearInterval(this.#timer)
    this.#unhandle?.()
    this.#wanted.clear()
    for (const { connection } of this.#connections.values()) connection.destroy()
  }

  /** The peers that follow the torrent now. */
  want (infoHash: InfoHash, peers: readonly PeerId[]): void {
    const before = this.#wanted.get(infoHash)
    const now = new Map<PeerId, Attempt>()
    for (const peer of peers.slice(0, WANTED_MAX)) if (peer !== this.#d.streams.self) now.set(peer, before?.get(peer) ?? { nextAt: 0, waitMs: REDIAL_MS[0], dialling: false })
    if (now.size === 0) this.#wanted.delete(infoHash)
    else this.#wanted.set(infoHash, now)
    this.#tick()
  }

  #tick (): void {
    const now = this.#d.now()
    for (const [infoHash, peers] of this.#wanted) {
      const item = this.#d.item(infoHash)
      if (item === undefined || item.failed || item.torrent.destroyed) continue
      for (const [peer, attempt] of peers) {
        if (item.links.size >= MAX_LINKS) break
        if (attempt.dialling || attempt.nextAt > now || this.#connections.has(keyOf(infoHash, peer))) continue
        if (!this.#d.admits(infoHash, peer)) continue
        // Who has all of it waits for those who want something.
        if (!this.#d.streams.isConnected(peer) && (item.isComplete() || item.links.size >= ENOUGH_LINKS)) continue
        attempt.dialling = true
        void this.#dial(infoHash, peer).then(done => {
          attempt.dialling = false
          attempt.nextAt = this.#d.now() + attempt.waitMs
          attempt.waitMs = done ? REDIAL_MS[0] : Math.min(REDIAL_MS[1], attempt.waitMs * 2)
        })
      }
    }
  }

  async #dial (infoHash: InfoHash, peer: PeerId): Promise<boolean> {
    let stream: Stream
    try {
      if (!this.#d.streams.isConnected(peer) && !await this.#d.streams.meet(peer)) return false
      stream = await this.#d.streams.open(peer, WIRE_PROTOCOL, OPEN_MS)
    } catch { return false }
    const connection = wireConnection(stream, connectionId(peer))
    try {
      return this.#add(infoHash, peer, connection, true)
    } catch {
      // A torrent that does not know its own name yet takes nobody: later.
      connection.destroy()
      return false
    }
  }

  async #incoming (stream: Stream, peer: PeerId, ofServer: boolean): Promise<void> {
    if (this.#unknown >= MAX_UNKNOWN_STREAMS) {
      stream.abort(new Error('too many streams wait for their handshake'))
      return
    }
    this.#unknown++
    try {
      const read = await readWireHead(stream)
      if (read === undefined || this.#d.item(read.infoHash) === undefined) stream.abort(new Error('no such torrent here'))
      else this.#add(read.infoHash, peer, wireConnection(stream, connectionId(peer, ofServer), read.head), false)
    } catch (e) {
      stream.abort(e as Error)
      this.#d.onError(e)
    } finally { this.#unknown-- }
  }

  #add (infoHash: InfoHash, peer: PeerId, connection: WireConnection, ours: boolean): boolean {
    const item = this.#d.item(infoHash)
    const key = keyOf(infoHash, peer)
    const other = this.#connections.get(key)
    if (item === undefined || item.torrent.destroyed || !this.#d.admits(infoHash, peer) || (other !== undefined && !this.#replaces(other, peer, ours))) {
      connection.destroy()
      return false
    }
    if (other !== undefined) {
      this.#connections.delete(key)
      other.connection.destroy()
    }
    const entry = { connection, ours, since: this.#d.now() }
    this.#connections.set(key, entry)
    connection.on('close', () => { if (this.#connections.get(key) === entry) this.#connections.delete(key) })
    if (other === undefined) return item.torrent.addPeer(connection)
    // The torrent knows connections by their id, and lets go of one a moment after it has ended.
    setTimeout(() => {
      if (connection.destroyed || item.torrent.destroyed) return
      if (item.torrent._peers?.has(connection.id) === true || !item.torrent.addPeer(connection)) connection.destroy()
    }, 50)
    return true
  }

  /** Of two streams made at once the one of the smaller name stays; a later one of theirs means that they have lost ours. */
  #replaces (other: { readonly ours: boolean, readonly since: number }, peer: PeerId, ours: boolean): boolean {
    if (other.ours === ours) return !ours
    const smallerIsUs = this.#d.streams.self < peer
    return this.#d.now() - other.since > OPEN_MS ? !ours : ours === smallerIsUs
  }
}

const keyOf = (infoHash: InfoHash, peer: PeerId): string => `${infoHash} ${peer}`
