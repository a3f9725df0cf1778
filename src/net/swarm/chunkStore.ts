/** A PieceDisk as the store WebTorrent wants: by piece, with callbacks. Source: abstract-chunk-store. */
import { type InfoHash, SwarmError } from '../../ports/swarm.ts'
import type { PieceDisk } from './pieceDisk.ts'
import type { ChunkStore, ChunkStoreClass } from './webtorrentTypes.ts'

type Done<T> = (e: Error | null, value?: T) => void

/** `onFailure`: called before the torrent falls over it. */
export function chunkStoreClass (disk: PieceDisk, infoHash: InfoHash, onFailure: (e: SwarmError) => void): ChunkStoreClass {
  return class implements ChunkStore {
    readonly #chunkLength: number
    readonly #length: number

    constructor (chunkLength: number, options: { readonly length?: number }) {
      this.#chunkLength = chunkLength
      this.#length = options.length ?? 0
    }

    put (index: number, bytes: Uint8Array, done: Done<undefined> = () => {}): void {
      disk.write(infoHash, index * this.#chunkLength, bytes).then(() => { done(null) }, (e: Error) => {
        onFailure(e instanceof SwarmError ? e : new SwarmError('gone', e.message))
        done(e)
      })
    }

    get (index: number, options: { readonly offset?: number, readonly length?: number } | Done<Uint8Array> | undefined, done?: Done<Uint8Array>): void {
      if (typeof options === 'function') { this.get(index, undefined, options); return }
      const at = index * this.#chunkLength
      const whole = Math.min(this.#chunkLength, this.#length - at)
      const offset = options?.offset ?? 0
      const length = Math.min(options?.length ?? whole - offset, whole - offset)
      disk.read(infoHash, at + offset, length).then(bytes => {
        if (bytes === undefined) done?.(new Error(`piece ${index} is not here`))
        else done?.(null, bytes)
      }, (e: Error) => { done?.(e) })
    }

    close (done: Done<undefined> = () => {}): void { disk.close(infoHash).then(() => { done(null) }, done) }
    destroy (done: Done<undefined> = () => {}): void { disk.remove(infoHash).then(() => { done(null) }, done) }
  }
}
