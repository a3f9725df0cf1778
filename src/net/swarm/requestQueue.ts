/**
 * What a peer asks for waits here until there is room to send it. The wire below reads from the disk whatever is
 * asked for, at once, and keeps it until the other side takes it: whoever asks for everything and reads nothing
 * would have the whole set in this tab's memory.
 */
import { REQUESTS_MAX, REQUESTS_READ_MAX, UNSENT_BYTES_MAX } from './bounds.ts'
import type { Wire } from './webtorrentTypes.ts'

/** How soon it is looked whether the other side has taken something, ms. */
const LOOK_MS = 25

interface Request { readonly piece: number, readonly offset: number, readonly length: number }

export class RequestQueue {
  readonly #wire: Wire
  readonly #read: (piece: number, offset: number, length: number) => void
  #waiting: Request[] = []
  #timer: ReturnType<typeof setTimeout> | undefined

  /** `onFlood`: more wait than any client asks for. */
  constructor (wire: Wire, onFlood: () => void) {
    this.#wire = wire
    this.#read = wire._onRequest.bind(wire)
    wire._onRequest = (piece, offset, length) => {
      if (this.#waiting.length >= REQUESTS_MAX) { onFlood(); return }
      this.#waiting.push({ piece, offset, length })
      this.#next()
    }
    const cancel = wire._onCancel.bind(wire)
    wire._onCancel = (piece, offset, length) => {
      const at = this.#waiting.findIndex(r => r.piece === piece && r.offset === offset && r.length === length)
      if (at === -1) cancel(piece, offset, length)
      else this.#waiting.splice(at, 1)
    }
    wire.on('upload', () => { this.#next() })
    wire.once('close', () => { this.#end() })
  }

  #next (): void {
    const { peerRequests, _readableState: unsent } = this.#wire
    let taken = 0
    while (taken < this.#waiting.length && peerRequests.length < REQUESTS_READ_MAX && unsent.buffered < UNSENT_BYTES_MAX) {
      const { piece, offset, length } = this.#waiting[taken++]
      this.#read(piece, offset, length)
    }
    this.#waiting.splice(0, taken)
    if (this.#waiting.length === 0 || this.#wire.destroyed) { this.#end(); return }
    // Nothing tells when the other side has taken some.
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#next()
    }, LOOK_MS)
  }

  #end (): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#wire.destroyed) this.#waiting = []
  }
}
