/**
 * One link of a torrent: counts what passes it, watches that the other side keeps its word, and
 * carries the nodes' messages in a BEP 10 extension.
 */
import type { PeerId } from '../../ports/network.ts'
import { MAX_LINK_MESSAGE_BYTES, type InfoHash, type LinkId, type Offence, type SwarmLink } from '../../ports/swarm.ts'
import { Bucket } from '../bucket.ts'
import { FALSE_HAVE_MAX, LINK_MESSAGES_BURST, LINK_MESSAGES_PER_SECOND, MAX_METADATA_BYTES, MAX_WIRE_MESSAGE_BYTES, REQUESTS_MAX, SLOW_BYTES, SLOW_MS, UNASKED_BYTES_MAX, UNASKED_SHARE } from './bounds.ts'
import { queueMetadataRequests, RequestQueue } from './requestQueue.ts'
import { Talk } from './talk.ts'
import type { ExtendedHandshake, Wire, WireExtension, WireExtensionClass } from './webtorrentTypes.ts'

/** Name of the extension in the handshake's dictionary. */
export const RECEIPT_EXTENSION = 'cw_receipt'
/** Messages that wait until the other side has said that it takes them. */
const WAITING_MAX = 4

export interface LinkEvents {
  readonly message: (link: Link, bytes: Uint8Array) => void
  readonly offence: (link: Link, offence: Offence, detail: string) => void
  readonly closed: (link: Link) => void
}

export interface LinkDeps {
  readonly id: LinkId
  readonly infoHash: InfoHash
  readonly peer?: PeerId
  readonly via: SwarmLink['via']
  readonly wire: Wire
  readonly now: () => number
  /** Pieces of the torrent; 0 while unknown. */
  readonly pieces: () => number
  /** `hear` hands the torrent what this peer has said. */
  readonly during: (hear: () => void) => void
  readonly events: LinkEvents
}

const hasMetadata = (h: ExtendedHandshake): boolean => typeof h.metadata_size === 'number' && h.metadata_size > 0

export class Link {
  readonly id: LinkId
  readonly peer: PeerId | undefined
  readonly via: SwarmLink['via']
  readonly wire: Wire
  /** Bytes that were asked for and came. */
  down = 0
  readonly #d: LinkDeps
  readonly #unchoke: () => void
  #allowed = true
  #speaks = false
  #waiting: Uint8Array[] = []
  #rejects = 0
  /** Each message costs a look at every piece, and a signature to check. */
  readonly #messages: Bucket
  #usefulAt: number
  #usefulDown = 0

  constructor (d: LinkDeps) {
    this.#d = d
    this.id = d.id
    this.peer = d.peer
    this.via = d.via
    this.wire = d.wire
    this.#usefulAt = d.now()
    this.#messages = new Bucket(d.now(), LINK_MESSAGES_PER_SECOND, LINK_MESSAGES_BURST)
    const { wire } = d
    // Who is served is decided by WebTorrent's tit for tat, among those whom the node allows.
    this.#unchoke = wire.unchoke.bind(wire)
    wire.unchoke = () => { if (this.#allowed) this.#unchoke() }
    const parse = wire._parse.bind(wire)
    wire._parse = (bytes, parser) => {
      parse(bytes, parser)
      // After its end a wire waits for what never comes.
      if (bytes <= MAX_WIRE_MESSAGE_BYTES || wire.destroyed || bytes > 0xffffffff) return
      d.events.offence(this, 'message-too-large', `a message of ${bytes} bytes`)
    }
    const request = wire.request.bind(wire)
    wire.request = (piece, offset, length, callback) => {
      request(piece, offset, length, (error, bytes) => {
        if (bytes !== null && bytes !== undefined) this.down += bytes.length
        callback(error, bytes)
      })
    }
    new RequestQueue(wire, () => { d.events.offence(this, 'request-flood', `more than ${REQUESTS_MAX} requests ahead`) })
    queueMetadataRequests(wire, detail => { d.events.offence(this, 'request-flood', detail) })
    new Talk({ wire, now: d.now, pieces: d.pieces, during: d.during, onFlood: detail => { d.events.offence(this, 'message-flood', detail) } })
    wire.on('reject', piece => {
      if (!wire.peerChoking && wire.peerPieces.get(piece) && ++this.#rejects === FALSE_HAVE_MAX) d.events.offence(this, 'false-have', `refused ${FALSE_HAVE_MAX} requests for pieces it says it has`)
    })
    wire.on('extended', (name, payload) => {
      if (name === 'handshake') this.#onHandshake(payload as ExtendedHandshake)
    })
    wire.ut_metadata?.on('warning', e => {
      if (e.message.includes('invalid metadata')) d.events.offence(this, 'metadata-refused', 'it sends metadata of another hash')
    })
    // Who linked when neither side had the metadata asks for it only once he is told that it is here now.
    wire.ut_metadata?.on('metadata', () => {
      if (wire._extendedHandshakeSent && !wire.destroyed && !hasMetadata(wire.peerExtendedHandshake)) wire._sendExtendedHandshake()
    })
    wire.once('close', () => { d.events.closed(this) })
    wire.use(this.#extension() as unknown as WireExtensionClass)
  }

  get infoHash (): InfoHash { return this.#d.infoHash }

  view (): SwarmLink {
    const { wire } = this
    const pieces = this.#d.pieces()
    let has = 0
    for (let i = 0; i < pieces; i++) if (wire.peerPieces.get(i)) has++
    return {
      id: this.id, infoHash: this.#d.infoHash, peer: this.peer, via: this.via,
      has: pieces === 0 ? 0 : has / pieces,
      down: this.down, up: wire.uploaded,
      downPerSecond: Math.round(wire.downloadSpeed()), upPerSecond: Math.round(wire.uploadSpeed()),
      choked: wire.amChoking, interested: wire.peerInterested
    }
  }

  serve (allowed: boolean): void {
    if (this.#allowed === allowed) return
    this.#allowed = allowed
    if (!allowed) this.wire.choke()
    else if (this.wire.peerInterested) this.#unchoke()
  }

  send (bytes: Uint8Array): void {
    if (this.wire.destroyed || bytes.length > MAX_LINK_MESSAGE_BYTES) return
    if (this.#speaks) this.wire.extended(RECEIPT_EXTENSION, bytes)
    else if (this.#waiting.length < WAITING_MAX) this.#waiting.push(bytes)
  }

  cut (): void { this.wire.destroy() }

  /** Called every few seconds: a peer that serves us drop by drop holds pieces others would send. */
  watch (throttled: boolean): void {
    const now = this.#d.now()
    const { wire } = this
    if (wire.downloaded - this.down > UNASKED_BYTES_MAX + this.down / UNASKED_SHARE) this.#d.events.offence(this, 'unasked-bytes', `${wire.downloaded - this.down} bytes that were not asked for`)
    if (throttled || wire.peerChoking || wire.requests.length === 0 || this.down - this.#usefulDown >= SLOW_BYTES) {
      this.#usefulAt = now
      this.#usefulDown = this.down
    } else if (now - this.#usefulAt >= SLOW_MS) {
      this.#usefulAt = now
      this.#d.events.offence(this, 'slow', `${this.down - this.#usefulDown} bytes in ${Math.round(SLOW_MS / 1000)} s, ${wire.requests.length} blocks asked for`)
    }
  }

  #onHandshake (handshake: ExtendedHandshake): void {
    const size = handshake.metadata_size
    if (typeof size === 'number' && size > MAX_METADATA_BYTES) this.#d.events.offence(this, 'metadata-too-large', `${size} bytes of metadata, at most ${MAX_METADATA_BYTES}`)
  }

  #extension (): new () => WireExtension {
    const link = this
    const { events } = this.#d
    class Receipts implements WireExtension {
      onExtendedHandshake (): void {
        if (link.#speaks) return
        link.#speaks = true
        for (const bytes of link.#waiting.splice(0)) link.wire.extended(RECEIPT_EXTENSION, bytes)
      }

      onMessage (bytes: Uint8Array): void {
        if (link.wire.destroyed) return
        if (!link.#messages.take(link.#d.now())) events.offence(link, 'message-flood', `more than ${LINK_MESSAGES_BURST} messages at once`)
        else if (bytes.length > MAX_LINK_MESSAGE_BYTES) events.offence(link, 'message-too-large', `${bytes.length} bytes`)
        else events.message(link, bytes.slice())
      }
    }
    Object.defineProperty(Receipts.prototype, 'name', { value: RECEIPT_EXTENSION })
    return Receipts
  }
}
