/**
 * ports/Swarm on WebTorrent, whose wires run over libp2p streams on the connections the mesh keeps:
 * one connection for everything, and peers that cannot choose who they are. The WebSocket tracker of
 * the bootstrap is asked as well, for plain WebTorrent clients and where the mesh knows nobody.
 * WebTorrent itself is loaded when the first torrent is followed.
 */
import { equalBytes } from '../../core/codec/ssz.ts'
import { makeMetainfo, PIECE_HASH_BYTES, pieceBytesFor, pieceLength, wrapInfo } from '../../core/torrent/metainfo.ts'
import { tameName } from '../../core/torrent/names.ts'
import type { PeerId } from '../../ports/network.ts'
import { type FollowOptions, type InfoHash, type LinkId, type Swarm, SwarmError, type SwarmEvent, type SwarmLimits, type SwarmStatus } from '../../ports/swarm.ts'
import type { PeerStreams } from '../peerStreams.ts'
import { MAX_LINKS_PER_PEER, STATUS_MS } from './bounds.ts'
import { Item } from './item.ts'
import type { Link } from './link.ts'
import { MeshLinks } from './meshLinks.ts'
import type { PieceDisk } from './pieceDisk.ts'
import type { Client, ClientClass } from './webtorrentTypes.ts'

const WATCH_MS = 2_000
/** Bytes of a file that are read at once when it is saved. */
const SAVE_BYTES = 4 * 1024 * 1024
/** Below it, a link is slow because we want it so. */
const THROTTLED_BYTES = 128 * 1024

export interface WebTorrentSwarmOptions {
  readonly streams: PeerStreams
  /** Opened at the first use. */
  readonly openDisk: () => Promise<{ readonly disk: PieceDisk, readonly problem?: string }>
  /** WebSocket trackers, ours. */
  readonly trackers: readonly string[]
  readonly iceServers: readonly RTCIceServer[]
  readonly onError: (e: unknown) => void
  /** Instead of the package's, in tests. */
  readonly load?: () => Promise<ClientClass>
  /** Unix time, ms; another one in tests. */
  readonly now?: () => number
}

const loadWebTorrent = async (): Promise<ClientClass> => (await import('webtorrent/dist/webtorrent.min.js')).default

export class WebTorrentSwarm implements Swarm {
  readonly #o: WebTorrentSwarmOptions
  readonly #now: () => number
  readonly #items = new Map<InfoHash, Item>()
  readonly #links = new Map<LinkId, Link>()
  readonly #listeners = new Set<(e: SwarmEvent) => void>()
  readonly #mesh: MeshLinks
  /** Until when no link of a peer is taken for a torrent, ms; by both their names. */
  readonly #cutUntil = new Map<string, number>()
  readonly #refused = new Set<PeerId>()
  #disk: Promise<{ readonly disk: PieceDisk, readonly problem?: string }> | undefined
  #opened: { readonly disk: PieceDisk, readonly problem?: string } | undefined
  #client: Promise<Client> | undefined
  #limits: SwarmLimits = { up: 0, down: 0 }
  #nextLink = 1
  #timers: Array<ReturnType<typeof setInterval>> = []
  #dirty = false
  /** Cancellations so far: a share that began before one ends. */
  #cancelled = 0
  #stopped = false
  /** By torrent, so that one step is over before the next begins. */
  readonly #steps = new Map<InfoHash, Promise<unknown>>()

  constructor (options: WebTorrentSwarmOptions) {
    this.#o = options
    this.#now = options.now ?? (() => Date.now())
    this.#mesh = new MeshLinks({
      streams: options.streams,
      now: this.#now,
      item: infoHash => this.#items.get(infoHash),
      admits: (infoHash, peer) => this.#admits(infoHash, peer),
      onError: options.onError
    })
  }

  async status (): Promise<SwarmStatus> { return this.#status() }

  async onEvent (listener: (e: SwarmEvent) => void): Promise<() => void> {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  async share (files: readonly File[], name: string): Promise<Uint8Array> {
    const whole = new Blob([...files])
    const { disk } = await this.#useDisk()
    const pieceBytes = pieceBytesFor(whole.size)
    const pieces = Math.ceil(whole.size / pieceBytes)
    const hashes = new Uint8Array(pieces * PIECE_HASH_BYTES)
    const piece = async (i: number): Promise<Uint8Array<ArrayBuffer>> => {
      try {
        return new Uint8Array(await whole.slice(i * pieceBytes, Math.min(whole.size, (i + 1) * pieceBytes)).arrayBuffer())
      } catch (e) { throw new SwarmError('other', `the file could not be read: ${e instanceof Error ? e.message : String(e)}`) }
    }
    const cancelled = this.#cancelled
    const step = (done: number): void => {
      if (this.#cancelled !== cancelled) throw new SwarmError('cancelled', 'it was cancelled')
      this.#emit({ type: 'sharing', done, of: 2 * whole.size })
    }
    for (let i = 0; i < pieces; i++) {
      step(i * pieceBytes)
      hashes.set(new Uint8Array(await crypto.subtle.digest('SHA-1', await piece(i))), i * PIECE_HASH_BYTES)
    }
    const single = files.length === 1
    const tamed = tameName(single ? files[0].name : name)
    // Of a folder that was chosen the rest of the path; a File made by hand has none.
    const inFolder = (f: Partial<File>): string | undefined => f.webkitRelativePath?.split('/').slice(1).join('/')
    const listed = files.map(f => ({ path: single ? tamed : inFolder(f) || f.name, bytes: f.size }))
    let metainfo
    try {
      metainfo = makeMetainfo(tamed, listed, pieceBytes, hashes)
    } catch (e) { throw new SwarmError('metainfo', e instanceof Error ? e.message : String(e)) }
    const { infoHash } = metainfo
    const isNew = !(await disk.stored()).some(s => s.infoHash === infoHash)
    try {
      // The infohash names the file they go to, so they are read twice; follow() verifies what was written.
      for (let i = 0; i < pieces; i++) {
        step(whole.size + i * pieceBytes)
        await disk.write(infoHash, i * pieceBytes, await piece(i))
      }
    } catch (e) {
      // A half of it would take the room of something else until the next load.
      if (isNew) await disk.remove(infoHash).catch(this.#o.onError)
      throw e
    }
    return wrapInfo(metainfo.info)
  }

  async cancelShare (): Promise<void> { this.#cancelled++ }

  async follow (infoHash: InfoHash, options: FollowOptions): Promise<void> {
    await this.#step(infoHash, async () => {
      const known = this.#items.get(infoHash)
      if (known !== undefined && !known.failed) {
        if (options.fetch) known.fetch()
        return
      }
      if (known !== undefined) await this.#drop(infoHash, false)
      const client = await this.#useClient()
      const { disk } = await this.#useDisk()
      this.#items.set(infoHash, new Item({
        infoHash, client, disk, trackers: this.#o.trackers,
        now: this.#now,
        nextLink: () => this.#nextLink++,
        admits: (hash, peer) => this.#admits(hash, peer),
        emit: e => { this.#emit(e) },
        onLink: link => { this.#links.set(link.id, link) },
        onUnlink: link => { this.#links.delete(link.id) }
      }, options))
      this.#changed()
    })
  }

  async leave (infoHash: InfoHash): Promise<void> { await this.#step(infoHash, async () => { await this.#drop(infoHash, false) }) }

  async remove (infoHash: InfoHash): Promise<void> {
    await this.#step(infoHash, async () => {
      await this.#drop(infoHash, true)
      await (await this.#useDisk()).disk.remove(infoHash)
    })
  }

  async peers (infoHash: InfoHash, peers: readonly PeerId[]): Promise<void> { this.#mesh.want(infoHash, peers) }

  async open (infoHash: InfoHash, path: string): Promise<Blob> {
    const item = this.#items.get(infoHash)
    const metainfo = item?.metainfo
    if (item === undefined || metainfo === undefined || !item.isComplete()) throw new SwarmError('other', 'it is not whole yet')
    let at = 0
    for (const file of metainfo.files) {
      if (file.path === path) return await this.#blob(infoHash, metainfo, at, file.bytes)
      at += file.bytes
    }
    throw new SwarmError('other', 'there is no such file in it')
  }

  async piece (infoHash: InfoHash, index: number): Promise<Uint8Array | undefined> {
    const item = this.#items.get(infoHash)
    const m = item?.metainfo
    if (item === undefined || m === undefined || index >= m.pieces || item.torrent.bitfield?.get(index) !== true) return undefined
    const { disk } = await this.#useDisk()
    // Not by way of the torrent's store, which would answer out of memory.
    const bytes = await disk.read(infoHash, index * m.pieceBytes, pieceLength(m, index))
    if (bytes === undefined) return undefined
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-1', bytes as BufferSource))
    return equalBytes(hash, m.hashes.subarray(index * PIECE_HASH_BYTES, (index + 1) * PIECE_HASH_BYTES)) ? bytes : undefined
  }

  async limits (limits: SwarmLimits): Promise<void> {
    this.#limits = limits
    if (this.#client !== undefined) this.#throttle(await this.#client)
  }

  async send (link: LinkId, bytes: Uint8Array): Promise<void> { this.#links.get(link)?.send(bytes) }
  async serve (link: LinkId, allowed: boolean): Promise<void> { this.#links.get(link)?.serve(allowed) }

  async cut (id: LinkId, forMs?: number): Promise<void> {
    const link = this.#links.get(id)
    if (link === undefined) return
    if (forMs !== undefined && link.peer !== undefined) this.#cutUntil.set(`${link.infoHash} ${link.peer}`, this.#now() + forMs)
    link.cut()
  }

  async refuse (peer: PeerId): Promise<void> {
    this.#refused.add(peer)
    for (const link of [...this.#links.values()]) if (link.peer === peer) link.cut()
  }

  async stored (): Promise<ReadonlyArray<{ readonly infoHash: InfoHash, readonly bytes: number }>> { return await (await this.#useDisk()).disk.stored() }

  async stop (): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    this.#listeners.clear()
    for (const t of this.#timers) clearInterval(t)
    await this.#mesh.stop()
    const client = await this.#client?.catch(() => undefined)
    if (client !== undefined) await new Promise<void>(done => { client.destroy(() => { done() }) })
  }

  #isSentAway (peer: PeerId): boolean { return this.#refused.has(peer) || this.#o.streams.isBanned(peer) }

  #admits (infoHash: InfoHash, peer: PeerId): boolean {
    if (this.#isSentAway(peer)) return false
    const until = this.#cutUntil.get(`${infoHash} ${peer}`)
    if (until !== undefined && until > this.#now()) return false
    if (until !== undefined) this.#cutUntil.delete(`${infoHash} ${peer}`)
    let links = 0
    for (const l of this.#links.values()) if (l.peer === peer) links++
    return links < MAX_LINKS_PER_PEER
  }

  async #drop (infoHash: InfoHash, deleteBytes: boolean): Promise<void> {
    const item = this.#items.get(infoHash)
    if (item === undefined) return
    this.#mesh.want(infoHash, [])
    const client = await this.#useClient()
    for (const link of [...item.links.values()]) link.cut()
    if (!item.torrent.destroyed) {
      await new Promise<void>(done => {
        client.remove(infoHash, { destroyStore: deleteBytes }, () => { done() }).catch(() => { done() })
      })
    }
    await this.#opened?.disk.close(infoHash)
    this.#items.delete(infoHash)
    this.#changed()
  }

  async #blob (infoHash: InfoHash, m: { readonly pieceBytes: number, readonly pieces: number, readonly bytes: number }, from: number, bytes: number): Promise<Blob> {
    const { disk } = await this.#useDisk()
    const parts: Blob[] = []
    const step = Math.max(SAVE_BYTES, m.pieceBytes)
    for (let at = from; at < from + bytes;) {
      // Within one piece where pieces are in memory, which knows no more than them.
      const piece = Math.floor(at / m.pieceBytes)
      const inPiece = piece * m.pieceBytes + pieceLength(m, piece) - at
      const length = Math.min(from + bytes - at, disk.kind === 'memory' ? inPiece : step)
      const part = await disk.read(infoHash, at, length)
      if (part === undefined) throw new SwarmError('gone', 'a part of it is missing on the disk')
      parts.push(new Blob([part as BlobPart]))
      at += length
    }
    return new Blob(parts)
  }

  #useDisk (): Promise<{ readonly disk: PieceDisk, readonly problem?: string }> {
    return this.#disk ??= this.#o.openDisk().then(opened => this.#opened = opened)
  }

  #useClient (): Promise<Client> {
    return this.#client ??= this.#start().catch((e: unknown) => {
      // The package could not be loaded: tried again at the next call.
      this.#client = undefined
      throw e
    })
  }

  async #start (): Promise<Client> {
    const WebTorrent = await (this.#o.load ?? loadWebTorrent)()
    const client = new WebTorrent({
      dht: false, lsd: false, utPex: false, natUpnp: false, natPmp: false, webSeeds: false, utp: false,
      tracker: this.#o.trackers.length === 0 ? false : { rtcConfig: { iceServers: [...this.#o.iceServers] }, getAnnounceOpts: () => this.#onAnnounce() }
    })
    client.on('error', this.#o.onError)
    this.#throttle(client)
    await this.#mesh.start()
    this.#timers = [
      setInterval(() => { this.#tell() }, STATUS_MS),
      setInterval(() => {
        const throttled = this.#limits.down > 0 && this.#limits.down < THROTTLED_BYTES
        for (const item of this.#items.values()) item.watch(throttled)
      }, WATCH_MS)
    ]
    return client
  }

  /** All sets talk to a tracker over one socket, and each listens for what is its own: more than ten are no leak. */
  #onAnnounce (): object {
    for (const { torrent } of this.#items.values()) for (const { socket } of torrent.discovery?.tracker?._trackers ?? []) socket?.setMaxListeners(0)
    return {}
  }

  #throttle (client: Client): void {
    client.throttleDownload(this.#limits.down > 0 ? this.#limits.down : -1)
    client.throttleUpload(this.#limits.up > 0 ? this.#limits.up : -1)
  }

  async #step (infoHash: InfoHash, run: () => Promise<void>): Promise<void> {
    const before = this.#steps.get(infoHash) ?? Promise.resolve()
    const step = before.then(run, run)
    this.#steps.set(infoHash, step)
    try { await step } finally { if (this.#steps.get(infoHash) === step) this.#steps.delete(infoHash) }
  }

  #status (): SwarmStatus {
    return { items: [...this.#items.values()].map(i => i.view()), store: this.#opened?.disk.kind ?? 'opfs', storeProblem: this.#opened?.problem }
  }

  #changed (): void { this.#dirty = true }

  #tell (): void {
    if (this.#stopped || this.#listeners.size === 0) return
    const busy = [...this.#items.values()].some(i => i.links.size > 0 || !i.torrent.ready)
    if (!busy && !this.#dirty) return
    this.#dirty = busy
    this.#emit({ type: 'status', status: this.#status() })
  }

  #emit (e: SwarmEvent): void {
    if (e.type !== 'status' && e.type !== 'sharing') this.#changed()
    for (const l of this.#listeners) l(e)
  }
}
