/**
 * What a peer may say besides blocks and requests for them, which are bounded by bytes and by what waits: each
 * message costs this tab more than it costs the peer, so there are so many of them. Source: BEP 3, 6, 10.
 */
import { MAX_PIECES } from '../../core/torrent/metainfo.ts'
import { Bucket } from '../bucket.ts'
import { EXTENDED_HANDSHAKES_MAX, WIRE_MESSAGES_BURST, WIRE_MESSAGES_PER_PIECE, WIRE_MESSAGES_PER_SECOND } from './bounds.ts'
import { HeldPieces } from './heldPieces.ts'
import type { Wire } from './webtorrentTypes.ts'

const [HAVE, REQUEST, PIECE, CANCEL, REJECT] = [4, 6, 7, 8, 16]
/** Takes back what was said to be had. Who hears it for every piece in turn looks at all of them each time; no tab says it. */
const DONT_HAVE = 'lt_donthave'

export interface TalkDeps {
  readonly wire: Wire
  readonly now: () => number
  /** Of the torrent; 0 while unknown. */
  readonly pieces: () => number
  readonly during: (hear: () => void) => void
  /** Once. */
  readonly onFlood: (detail: string) => void
}

export class Talk {
  readonly #d: TalkDeps
  readonly #bucket: Bucket
  #flooded = false
  /** Requests of it, and of us; what was said of them. */
  #requests = 0
  #cancels = 0
  #asked = 0
  #rejects = 0
  #handshakes = 0

  constructor (d: TalkDeps) {
    this.#d = d
    this.#bucket = new Bucket(d.now(), WIRE_MESSAGES_PER_SECOND, () => WIRE_MESSAGES_BURST + WIRE_MESSAGES_PER_PIECE * d.pieces())
    const { wire } = d
    wire.peerPieces = new HeldPieces(d.pieces)
    for (const [id, name] of Object.entries(wire.extendedMapping)) if (name === DONT_HAVE) delete wire.extendedMapping[id]
    this.#hearOnce()
    const hear = wire._onMessage.bind(wire)
    wire._onMessage = message => {
      const [id] = message
      if (id === REQUEST || id === PIECE) {
        if (id === REQUEST) this.#requests++
        hear(message)
      } else if (this.#isDue(id, message) || this.#mayTell()) {
        // A piece that there is not would be told again and again: it can never be noted as had.
        if (id === HAVE && !this.#exists(pieceOf(message))) this.#skip()
        else d.during(() => { hear(message) })
      } else this.#skip()
    }
    const ask = wire.request.bind(wire)
    wire.request = (...request) => {
      this.#asked++
      ask(...request)
    }
    const alive = wire._onKeepAlive.bind(wire)
    wire._onKeepAlive = () => { if (this.#mayTell()) alive() }
    const extended = wire._onExtended.bind(wire)
    wire._onExtended = (id, bytes) => {
      // Each one is asked for the metadata anew, as long as that is wanted.
      if (id === 0 && ++this.#handshakes > EXTENDED_HANDSHAKES_MAX) this.#flood(`more than ${EXTENDED_HANDSHAKES_MAX} extended handshakes`)
      else extended(id, bytes)
    }
  }

  /** What is had is said once, at the start; one message a piece then adds to it. None may come before all or some: a client that waits for the metadata says so. */
  #hearOnce (): void {
    const { wire, pieces } = this.#d
    let hasSaid = false
    let hasSaidNone = false
    const bitfield = wire._onBitField.bind(wire)
    wire._onBitField = bits => {
      if (hasSaid) return
      hasSaid = true
      bitfield(bits)
      wire.peerPieces = new HeldPieces(pieces, bits)
    }
    const haveAll = wire._onHaveAll.bind(wire)
    wire._onHaveAll = () => {
      if (hasSaid) return
      hasSaid = true
      haveAll()
    }
    const haveNone = wire._onHaveNone.bind(wire)
    wire._onHaveNone = () => {
      if (hasSaid || hasSaidNone) return
      hasSaidNone = true
      haveNone()
    }
  }

  /** Bounded by what it is about: a piece that is new, what was asked for and is refused or taken back. So full speed is never too fast. */
  #isDue (id: number, message: Uint8Array): boolean {
    const { wire } = this.#d
    switch (id) {
      case HAVE: return this.#exists(pieceOf(message)) && !wire.peerPieces.get(pieceOf(message))
      case CANCEL: return this.#cancels < this.#requests && this.#cancels++ >= 0
      case REJECT: return this.#rejects < this.#asked && this.#rejects++ >= 0
      default: return false
    }
  }

  #exists (piece: number): boolean { return piece < (this.#d.pieces() || MAX_PIECES) }

  #mayTell (): boolean {
    if (this.#flooded) return false
    if (this.#bucket.take(this.#d.now())) return true
    this.#flood(`more than ${WIRE_MESSAGES_BURST} messages and ${WIRE_MESSAGES_PER_PIECE} a piece at once`)
    return false
  }

  #flood (detail: string): void {
    if (this.#flooded) return
    this.#flooded = true
    this.#d.onFlood(detail)
  }

  /** The wire waits for the next message. */
  #skip (): void { this.#d.wire._parse(4, this.#d.wire._onMessageLength) }
}

/** The number behind the id of a message; beyond any piece where it is too short. */
function pieceOf (m: Uint8Array): number { return m.length < 5 ? Infinity : (m[1] << 24 | m[2] << 16 | m[3] << 8 | m[4]) >>> 0 }
