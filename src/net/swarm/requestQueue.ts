/**
 * What a peer asks for waits here until there is room to send it. The wire below reads whatever is asked for,
 * blocks from the disk and metadata from memory, at once, and keeps it until the other side takes it: whoever asks
 * for everything and reads nothing would have the whole set, or the metadata a thousand times, in this tab's memory.
 */
import { MAX_METADATA_BYTES, METADATA_PIECE_BYTES, METADATA_REQUESTS_SPARE, REQUESTS_MAX, REQUESTS_READ_MAX, UNSENT_BYTES_MAX } from './bounds.ts'
import type { Wire } from './webtorrentTypes.ts'

/** How soon it is looked whether the other side has taken something, ms. */
const LOOK_MS = 25

/** What is taken in order while there is room; each value waits once. */
class Backlog<T> {
  readonly #wire: Wire
  readonly #hasRoom: () => boolean
  readonly #take: (item: T) => void
  readonly #waiting = new Set<T>()
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor (wire: Wire, hasRoom: () => boolean, take: (item: T) => void) {
    this.#wire = wire
    this.#hasRoom = hasRoom
    this.#take = take
    wire.once('close', () => { this.#end() })
  }

  get size (): number { return this.#waiting.size }

  add (item: T): void {
    this.#waiting.add(item)
    this.next()
  }

  delete (item: T): void { this.#waiting.delete(item) }

  next (): void {
    for (const item of this.#waiting) {
      if (!this.#hasRoom()) break
      this.#waiting.delete(item)
      this.#take(item)
    }
    if (this.#waiting.size === 0 || this.#wire.destroyed) { this.#end(); return }
    // Nothing tells when the other side has taken some.
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.next()
    }, LOOK_MS)
  }

  #end (): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#wire.destroyed) this.#waiting.clear()
  }
}

interface Request { readonly piece: number, readonly offset: number, readonly length: number }

const nameOf = (r: Request): string => `${r.piece} ${r.offset} ${r.length}`

export class RequestQueue {
  readonly #backlog: Backlog<Request>
  /** Those that wait, in order: one that is taken back is found without a look at all the others. */
  readonly #named = new Map<string, Request[]>()

  /** `onFlood`: more wait than any client asks for. */
  constructor (wire: Wire, onFlood: () => void) {
    const read = wire._onRequest.bind(wire)
    this.#backlog = new Backlog(wire, () => wire.peerRequests.length < REQUESTS_READ_MAX && wire._readableState.buffered < UNSENT_BYTES_MAX, r => {
      this.#pull(nameOf(r))
      read(r.piece, r.offset, r.length)
    })
    wire._onRequest = (piece, offset, length) => {
      if (this.#backlog.size >= REQUESTS_MAX) { onFlood(); return }
      const request = { piece, offset, length }
      const name = nameOf(request)
      const same = this.#named.get(name)
      if (same === undefined) this.#named.set(name, [request])
      else same.push(request)
      this.#backlog.add(request)
    }
    const cancel = wire._onCancel.bind(wire)
    wire._onCancel = (piece, offset, length) => {
      const request = this.#pull(nameOf({ piece, offset, length }))
      if (request === undefined) cancel(piece, offset, length)
      else this.#backlog.delete(request)
    }
    wire.on('upload', () => { this.#backlog.next() })
    wire.once('close', () => { this.#named.clear() })
  }

  /** The first of that name that waits. */
  #pull (name: string): Request | undefined {
    const same = this.#named.get(name)
    const first = same?.shift()
    if (same?.length === 0) this.#named.delete(name)
    return first
  }
}

/**
 * BEP 9: a piece of the metadata is 16 KiB for 31 bytes. Whoever wants it asks for each piece once, and once more
 * where it came out wrong. `onFlood`: more than that and some.
 */
export function queueMetadataRequests (wire: Wire, onFlood: (detail: string) => void): void {
  const metadata = wire.ut_metadata
  if (metadata === undefined) return
  const answer = metadata._onRequest.bind(metadata)
  const backlog = new Backlog<number>(wire, () => wire._readableState.buffered < UNSENT_BYTES_MAX, answer)
  let asked = 0
  metadata._onRequest = piece => {
    const pieces = Math.ceil((metadata._metadataComplete ? metadata._metadataSize : MAX_METADATA_BYTES) / METADATA_PIECE_BYTES)
    const most = 2 * pieces + METADATA_REQUESTS_SPARE
    if (++asked > most) {
      if (asked === most + 1) onFlood(`more than ${most} requests for ${pieces} pieces of metadata`)
      return
    }
    if (Number.isInteger(piece) && piece >= 0 && piece < pieces) backlog.add(piece)
  }
}
