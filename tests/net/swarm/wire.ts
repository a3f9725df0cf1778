/** A wire without anything behind it, to be spoken to message by message. */
import { EventEmitter } from 'node:events'
import type { MetadataExtension, Wire } from '../../../src/net/swarm/webtorrentTypes.ts'

export class FakeWire extends EventEmitter {
  peerPieces: Wire['peerPieces'] = { get: () => false, buffer: new Uint8Array(0) }
  requests: Array<{ readonly piece: number }> = []
  peerRequests: unknown[] = []
  peerChoking = false
  downloaded = 0
  destroyed = false
  readonly extendedMapping: Record<string, string> = { 1: 'ut_metadata', 2: 'lt_donthave' }
  readonly _readableState = { buffered: 0 }
  ut_metadata?: MetadataExtension & EventEmitter
  /** Messages that got through, by id; keep-alives by -1, and extended handshakes by 256. */
  readonly heard = new Map<number, number>()

  count (id: number): number { return this.heard.get(id) ?? 0 }
  #hear (id: number): void { this.heard.set(id, this.count(id) + 1) }

  use (): void {}
  unchoke (): void {}
  _parse (): void {}
  _onMessageLength (): void {}
  _onMessage (message: Uint8Array): void {
    const [id] = message
    this.#hear(id)
    if (id === 4) (this.peerPieces as unknown as { set (i: number): void }).set(new DataView(message.buffer).getUint32(1))
    if (id === 5) this._onBitField(message.subarray(1))
    if (id === 14) this._onHaveAll()
    if (id === 15) this._onHaveNone()
    if (id === 20) this._onExtended(message[1], message.subarray(2))
  }

  _onKeepAlive (): void { this.#hear(-1) }
  readonly lists: string[] = []
  _onBitField (_bits: Uint8Array): void { this.lists.push('bitfield') }
  _onHaveAll (): void { this.lists.push('all') }
  _onHaveNone (): void { this.lists.push('none') }
  _onExtended (id: number, _bytes: Uint8Array): void { if (id === 0) this.#hear(256) }
  readonly read: number[] = []
  _onRequest (piece: number, _offset: number, _length: number): void { this.read.push(piece) }
  readonly cancelled: number[] = []
  _onCancel (piece: number, _offset: number, _length: number): void { this.cancelled.push(piece) }
  request (_piece: number, _offset: number, length: number, done: (e: null, bytes: Uint8Array) => void): void {
    this.downloaded += length
    done(null, new Uint8Array(length))
  }

  get wire (): Wire { return this as unknown as Wire }

  /** As the wire does once it has a whole message. */
  say (id: number, ...numbers: readonly number[]): void {
    const message = new Uint8Array(1 + 4 * numbers.length)
    message[0] = id
    numbers.forEach((n, i) => { new DataView(message.buffer).setUint32(1 + 4 * i, n) })
    this._onMessage(message)
  }
}
