/** One torrent that is followed: its links, what came of whom, and what the node is told of it. */
import { decodeMetainfo, type Metainfo } from '../../core/torrent/metainfo.ts'
import type { PeerId } from '../../ports/network.ts'
import type { FollowOptions, InfoHash, Offence, SwarmError, SwarmEvent, SwarmItem } from '../../ports/swarm.ts'
import { MAX_LINKS, UPLOAD_SLOTS } from './bounds.ts'
import { peerOfConnection } from './btStream.ts'
import { chunkStoreClass } from './chunkStore.ts'
import { Link } from './link.ts'
import { Looks } from './looks.ts'
import type { PieceDisk } from './pieceDisk.ts'
import { Proof } from './proof.ts'
import type { Client, SwarmPeer, Torrent, Wire } from './webtorrentTypes.ts'

const FAILED_PIECE = /^Piece (\d+) failed verification/

export interface ItemDeps {
  readonly infoHash: InfoHash
  readonly client: Client
  readonly disk: PieceDisk
  readonly trackers: readonly string[]
  readonly now: () => number
  readonly nextLink: () => number
  /** Whether a link to this peer may be. */
  readonly admits: (infoHash: InfoHash, peer: PeerId) => boolean
  readonly emit: (e: SwarmEvent) => void
  readonly onLink: (link: Link) => void
  readonly onUnlink: (link: Link) => void
}

export class Item {
  readonly infoHash: InfoHash
  readonly links = new Map<Wire, Link>()
  readonly torrent: Torrent
  metainfo: Metainfo | undefined
  readonly #d: ItemDeps
  readonly #looks: Looks
  readonly #proof: Proof
  readonly #torrentFile: Uint8Array | undefined
  #fetch: boolean
  #failure: Pick<SwarmItem, 'failure' | 'detail'> | undefined
  #availabilityAt = 0
  #availability: Uint8Array = new Uint8Array(0)
  /** Of links that have ended. */
  #down = 0
  #up = 0

  constructor (d: ItemDeps, options: FollowOptions) {
    this.#d = d
    this.infoHash = d.infoHash
    this.#fetch = options.fetch
    this.#torrentFile = options.torrent
    if (options.torrent !== undefined) this.#read(options.torrent)
    this.torrent = d.client.add(options.torrent ?? d.infoHash, {
      store: chunkStoreClass(d.disk, d.infoHash, e => { this.#fail(e.kind, e.message) }),
      strategy: 'rarest',
      announce: d.trackers,
      storeCacheSlots: 0,
      deselect: !options.fetch,
      uploads: UPLOAD_SLOTS
    })
    this.#looks = new Looks(this.torrent)
    this.#proof = new Proof({
      torrent: this.torrent,
      now: d.now,
      linkOf: wire => this.links.get(wire),
      onLiar: (link, piece) => { this.#offence(link, 'bad-piece', `piece ${piece} is not what its hash says`) }
    })
    this.torrent.on('wire', wire => { this.#onWire(wire) })
    this.torrent.on('metadata', () => { this.#onMetadata() })
    this.torrent.on('verified', piece => { void this.#proof.isRight(piece) })
    this.torrent.on('warning', e => { this.#onWarning(e instanceof Error ? e.message : e) })
    // A connection that a tracker led to fails when it likes, also when nobody minds it any more; an error that nobody listens for ends in the page's console.
    for (const event of ['peer', 'invalidPeer'] as const) this.torrent.on(event, peer => { if (typeof peer !== 'string') peer.on('error', () => {}) })
    this.torrent.on('error', e => { this.#fail('other', e instanceof Error ? e.message : e) })
    this.torrent.on('done', () => { if (this.isComplete()) d.emit({ type: 'complete', infoHash: d.infoHash }) })
  }

  isComplete (): boolean {
    const { metainfo, torrent } = this
    return metainfo !== undefined && torrent.ready && this.#haveBytes(metainfo) === metainfo.bytes
  }

  get failed (): boolean { return this.#failure !== undefined }

  fetch (): void {
    if (this.#fetch) return
    this.#fetch = true
    this.#select()
  }

  watch (throttled: boolean): void {
    for (const link of [...this.links.values()]) link.watch(throttled)
    this.#proof.look()
  }

  view (): SwarmItem {
    const { metainfo, torrent } = this
    const links = [...this.links.values()].map(l => l.view())
    const have = metainfo === undefined || torrent.bitfield === undefined ? new Uint8Array(0) : torrent.bitfield.buffer.slice(0, Math.ceil(metainfo.pieces / 8))
    return {
      infoHash: this.infoHash,
      state: this.#failure !== undefined ? 'failed' : metainfo === undefined ? 'metadata' : !torrent.ready ? 'checking' : this.isComplete() ? 'complete' : 'downloading',
      ...this.#failure,
      have,
      haveBytes: metainfo === undefined ? 0 : this.#haveBytes(metainfo),
      availability: this.#readAvailability(),
      links,
      down: this.#down + links.reduce((n, l) => n + l.down, 0),
      up: this.#up + links.reduce((n, l) => n + l.up, 0),
      downPerSecond: links.reduce((n, l) => n + l.downPerSecond, 0),
      upPerSecond: links.reduce((n, l) => n + l.upPerSecond, 0)
    }
  }

  #haveBytes (m: Metainfo): number {
    const { bitfield } = this.torrent
    if (bitfield === undefined) return 0
    let bytes = 0
    for (let i = 0; i < m.pieces; i++) if (bitfield.get(i)) bytes += i === m.pieces - 1 ? m.bytes - m.pieceBytes * i : m.pieceBytes
    return bytes
  }

  /** Once a second: it looks at every piece of every peer. */
  #readAvailability (): Uint8Array {
    const now = this.#d.now()
    if (this.metainfo === undefined || now - this.#availabilityAt < 1_000) return this.#availability
    this.#availabilityAt = now
    const counts = new Uint8Array(this.metainfo.pieces)
    for (const { wire } of this.links.values()) {
      for (let i = 0; i < counts.length; i++) if (counts[i] < 255 && wire.peerPieces.get(i)) counts[i]++
    }
    return this.#availability = counts
  }

  #read (torrent: Uint8Array): boolean {
    const m = decodeMetainfo(torrent)
    if (m.ok && m.value.infoHash === this.infoHash) {
      this.metainfo = m.value
      return true
    }
    this.#fail('metainfo', m.ok ? 'it is of another torrent' : `${m.reason}: ${m.detail}`)
    return false
  }

  #onMetadata (): void {
    const torrent = this.#torrentFile ?? this.torrent.torrentFile
    if (torrent === undefined || this.metainfo !== undefined) {
      if (this.#fetch) this.#select()
      return
    }
    // The hash is right, so all who sent it sent the same: the torrent is to blame, not they.
    if (!this.#read(torrent)) return
    this.#d.emit({ type: 'metadata', infoHash: this.infoHash, torrent: torrent.slice() })
  }

  #select (): void {
    const { metainfo, torrent } = this
    if (metainfo === undefined || torrent.destroyed || torrent.metadata === null) return
    torrent.select(0, metainfo.pieces - 1, 0)
  }

  #onWire (wire: Wire): void {
    const connection = this.#connectionOf(wire)
    const peer = connection === undefined ? undefined : peerOfConnection(connection.id)
    if (this.links.size >= MAX_LINKS || (peer !== undefined && !this.#d.admits(this.infoHash, peer))) {
      wire.destroy()
      return
    }
    const link = new Link({
      id: this.#d.nextLink(),
      infoHash: this.infoHash,
      peer,
      via: peer === undefined ? 'tracker' : 'mesh',
      wire,
      now: this.#d.now,
      pieces: () => this.metainfo?.pieces ?? 0,
      during: hear => { this.#looks.during(hear) },
      events: {
        message: (l, bytes) => { this.#d.emit({ type: 'message', link: l.view(), bytes }) },
        offence: (l, offence, detail) => { this.#offence(l, offence, detail) },
        closed: l => { this.#onClosed(l) }
      }
    })
    this.links.set(wire, link)
    this.#d.onLink(link)
    this.#d.emit({ type: 'link', link: link.view() })
  }

  #onClosed (link: Link): void {
    if (!this.links.delete(link.wire)) return
    this.#down += link.down
    this.#up += link.wire.uploaded
    this.#d.onUnlink(link)
    this.#d.emit({ type: 'unlink', link: link.view() })
  }

  #offence (link: Link, offence: Offence, detail: string): void {
    this.#d.emit({ type: 'offence', link: link.view(), offence, detail })
    // Whatever the node makes of it, this link has shown what it is worth.
    link.cut()
  }

  #onWarning (text: string): void {
    const piece = FAILED_PIECE.exec(text)?.[1]
    if (piece !== undefined) this.#proof.isWrong(Number(piece))
  }

  #connectionOf (wire: Wire): SwarmPeer | undefined {
    for (const p of this.torrent._peers?.values() ?? []) if (p.wire === wire) return p
    return undefined
  }

  #fail (failure: SwarmError['kind'], detail: string): void {
    // The store's own words say more than what the torrent makes of them.
    if (this.#failure?.failure !== undefined && this.#failure.failure !== 'other') return
    this.#failure = { failure, detail }
  }
}
