/**
 * A PieceDisk as the store WebTorrent wants: by piece, with callbacks. It keeps some pieces in memory, for
 * blocks of one are asked for one after the other, and gives views of them: a copy of each block would cost
 * more than to send it. Source: abstract-chunk-store.
 */
import { type InfoHash, SwarmError } from '../../ports/swarm.ts'
import { CACHED_BYTES } from './bounds.ts'
import type { PieceDisk } from './pieceDisk.ts'
import type { ChunkStore, ChunkStoreClass } from './webtorrentTypes.ts'

type Done<T> = (e: Error | null, value?: T) => void

/** `onFailure`: called before the torrent falls over it. */
export function chunkStoreClass (disk: Pick<PieceDisk, 'read' | 'write' | 'close' | 'remove'>, infoHash: InfoHash, onFailure: (e: SwarmError) => void): ChunkStoreClass {
  return class implements ChunkStore {
    readonly #chunkLength: number
    readonly #length: number
    readonly #cachedMax: number
    /** By index, the longest unused first; a piece that is being read is read once. */
    readonly #cached = new Map<number, Promise<Uint8Array | undefined>>()

    constructor (chunkLength: number, options: { readonly length?: number }) {
      this.#chunkLength = chunkLength
      this.#length = options.length ?? 0
      this.#cachedMax = Math.max(1, Math.floor(CACHED_BYTES / chunkLength))
    }

    put (index: number, bytes: Uint8Array, done: Done<undefined> = () => {}): void {
      disk.write(infoHash, index * this.#chunkLength, bytes).then(() => {
        // The next to be asked for, by those who have just been told of it.
        this.#keep(index, Promise.resolve(bytes))
        done(null)
      }, (e: Error) => {
        onFailure(e instanceof SwarmError ? e : new SwarmError('gone', e.message))
        done(e)
      })
    }

    get (index: number, options: { readonly offset?: number, readonly length?: number } | Done<Uint8Array> | undefined, done?: Done<Uint8Array>): void {
      if (typeof options === 'function') { this.get(index, undefined, options); return }
      const at = index * this.#chunkLength
      const whole = Math.min(this.#chunkLength, this.#length - at)
      const offset = options?.offset ?? 0
      const length = options?.length ?? whole - offset
      // Asked for by strangers.
      if (offset < 0 || length < 0 || offset + length > whole) { queueMicrotask(() => { done?.(new Error(`piece ${index} has no bytes ${offset} to ${offset + length}`)) }); return }
      const known = this.#cached.get(index)
      // Whole pieces are read once, to be verified: they would drive out what is being served.
      const reading = known ?? disk.read(infoHash, at, whole)
      if (known !== undefined || length < whole) this.#keep(index, reading)
      reading.then(piece => {
        if (piece === undefined) {
          this.#cached.delete(index)
          done?.(new Error(`piece ${index} is not here`))
        } else done?.(null, length === whole ? piece : piece.subarray(offset, offset + length))
      }, (e: Error) => {
        this.#cached.delete(index)
        done?.(e)
      })
    }

    close (done: Done<undefined> = () => {}): void {
      this.#cached.clear()
      disk.close(infoHash).then(() => { done(null) }, done)
    }

    destroy (done: Done<undefined> = () => {}): void {
      this.#cached.clear()
      disk.remove(infoHash).then(() => { done(null) }, done)
    }

    #keep (index: number, piece: Promise<Uint8Array | undefined>): void {
      this.#cached.delete(index)
      this.#cached.set(index, piece)
      if (this.#cached.size > this.#cachedMax) this.#cached.delete(this.#cached.keys().next().value!)
    }
  }
}
