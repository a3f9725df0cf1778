/** A peer that speaks the BitTorrent wire by hand, byte by byte, so that it can say what no honest one says. Source: BEP 3, 6, 9, 10. */
import type { Stream, StreamMessageEvent } from '@libp2p/interface'
import { decodeBencoded, encodeBencoded, isDict } from '../../../src/core/torrent/bencode.ts'
import { WIRE_PROTOCOL } from '../../../src/net/swarm/btStream.ts'
import type { RealNode } from './nodes.ts'

const HANDSHAKE_BYTES = 68
export const [CHOKE, UNCHOKE, INTERESTED, BITFIELD, REQUEST, PIECE, HAVE_ALL, REJECT, EXTENDED] = [0, 1, 2, 5, 6, 7, 14, 16, 20]

export interface Asked { readonly piece: number, readonly offset: number, readonly length: number }

const text = (s: string): Uint8Array => new TextEncoder().encode(s)

export class RawPeer {
  readonly #stream: Stream
  #buffer = Buffer.alloc(0)
  #shaken = false
  closed = false
  onMessage: (id: number, body: Buffer) => void = () => {}
  onRequest: (asked: Asked) => void = () => {}
  onMetadata: (piece: number, id: number) => void = () => {}
  /** Ids that the other side gave its extensions. */
  readonly extensions = new Map<string, number>()

  private constructor (stream: Stream) {
    this.#stream = stream
    stream.addEventListener('message', (e: StreamMessageEvent) => {
      this.#buffer = Buffer.concat([this.#buffer, e.data instanceof Uint8Array ? e.data : e.data.subarray()])
      this.#read()
    })
    stream.addEventListener('close', () => { this.closed = true })
  }

  /** Opens a stream of its own and shakes hands about the torrent. */
  static async open (from: RealNode, to: RealNode, infoHash: string, extended: Record<string, number> = {}): Promise<RawPeer> {
    const peer = new RawPeer(await from.network.streams.open(to.name, WIRE_PROTOCOL, 5_000))
    // Fast extension (BEP 6) and extension protocol (BEP 10).
    const reserved = Uint8Array.of(0, 0, 0, 0, 0, 0x10, 0, 0x04)
    peer.raw(Buffer.concat([Uint8Array.of(19), text('BitTorrent protocol'), reserved, Buffer.from(infoHash, 'hex'), Buffer.from('-XX0000-' + Math.random().toString(36).padEnd(14, 'x').slice(2, 14))]))
    const m = new Map([['cw_receipt', 3], ['ut_metadata', 4]])
    peer.message(EXTENDED, Uint8Array.of(0), encodeBencoded({ entries: new Map<string, number | { entries: Map<string, number> }>([['m', { entries: m }], ...Object.entries(extended)]) }))
    return peer
  }

  /** Takes nothing from now on. Its own end of the stream may have had enough of that before the other does. */
  deaf (): void { this.#stream.pause() }
  close (): void { this.#stream.abort(new Error('enough')) }

  raw (bytes: Uint8Array): void { if (!this.closed) this.#stream.send(Uint8Array.from(bytes)) }

  message (id: number, ...parts: readonly Uint8Array[]): void {
    const body = Buffer.concat([Uint8Array.of(id), ...parts])
    const head = Buffer.alloc(4)
    head.writeUInt32BE(body.length)
    this.raw(Buffer.concat([head, body]))
  }

  piece (piece: number, offset: number, bytes: Uint8Array): void { this.message(PIECE, numbers(piece, offset), bytes) }
  request ({ piece, offset, length }: Asked): void { this.message(REQUEST, numbers(piece, offset, length)) }
  reject ({ piece, offset, length }: Asked): void { this.message(REJECT, numbers(piece, offset, length)) }

  metadata (piece: number, info: Uint8Array): void {
    const head = encodeBencoded({ entries: new Map([['msg_type', 1], ['piece', piece], ['total_size', info.length]]) })
    this.message(EXTENDED, Uint8Array.of(this.extensions.get('ut_metadata')!), head, info.subarray(piece * 16384, (piece + 1) * 16384))
  }

  #read (): void {
    if (!this.#shaken) {
      if (this.#buffer.length < HANDSHAKE_BYTES) return
      this.#buffer = this.#buffer.subarray(HANDSHAKE_BYTES)
      this.#shaken = true
    }
    while (this.#buffer.length >= 4 && this.#buffer.length >= 4 + this.#buffer.readUInt32BE()) {
      const body = this.#buffer.subarray(4, 4 + this.#buffer.readUInt32BE())
      this.#buffer = this.#buffer.subarray(4 + body.length)
      if (body.length > 0) this.#take(body[0], body.subarray(1))
    }
  }

  #take (id: number, body: Buffer): void {
    this.onMessage(id, body)
    if (id === REQUEST) this.onRequest({ piece: body.readUInt32BE(), offset: body.readUInt32BE(4), length: body.readUInt32BE(8) })
    if (id !== EXTENDED) return
    const d = decodeBencoded(Uint8Array.from(body.subarray(1)))
    if (!d.ok || !isDict(d.value)) return
    if (body[0] === 0) {
      const m = d.value.entries.get('m')
      if (isDict(m)) for (const [name, value] of m.entries) this.extensions.set(name, value as number)
    } else if (body[0] === 4 && d.value.entries.get('msg_type') === 0) this.onMetadata(d.value.entries.get('piece') as number, body[0])
  }
}

function numbers (...list: readonly number[]): Uint8Array {
  const out = Buffer.alloc(4 * list.length)
  list.forEach((n, i) => out.writeUInt32BE(n, 4 * i))
  return out
}
