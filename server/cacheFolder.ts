/**
 * A folder of the server's as the SyncFolder that src/net/swarm/pieceDisk.ts writes pieces to. Names
 * are infohashes, made by that disk; no name of a stranger reaches the file system.
 */
import { closeSync, fstatSync, mkdirSync, openSync, readdirSync, readSync, rmSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { SyncFile, SyncFolder } from '../src/net/swarm/pieceDisk.ts'

class CacheFile implements SyncFile {
  readonly #fd: number

  constructor (fd: number) { this.#fd = fd }

  read (into: Uint8Array, { at }: { readonly at: number }): number { return readSync(this.#fd, into, 0, into.length, at) }
  write (bytes: Uint8Array, { at }: { readonly at: number }): number { return writeSync(this.#fd, bytes, 0, bytes.length, at) }
  getSize (): number { return fstatSync(this.#fd).size }
  /** Pieces are verified when a torrent is opened again: what a power cut takes is fetched again. */
  flush (): void {}
  close (): void { closeSync(this.#fd) }
}

export class CacheFolder implements SyncFolder {
  readonly #path: string

  constructor (path: string) {
    this.#path = path
    mkdirSync(path, { recursive: true, mode: 0o700 })
  }

  async open (name: string, create: boolean): Promise<SyncFile | undefined> {
    try {
      return new CacheFile(openSync(join(this.#path, name), 'r+'))
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code !== 'ENOENT') throw e
      return create ? new CacheFile(openSync(join(this.#path, name), 'wx+', 0o600)) : undefined
    }
  }

  async remove (name: string): Promise<void> { rmSync(join(this.#path, name), { force: true }) }

  async list (): Promise<ReadonlyArray<{ readonly name: string, readonly bytes: number }>> {
    return readdirSync(this.#path, { withFileTypes: true }).filter(f => f.isFile()).map(f => ({ name: f.name, bytes: statSync(join(this.#path, f.name)).size }))
  }
}
