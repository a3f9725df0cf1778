/**
 * Where pieces lie: one file per torrent, written at the piece's offset, in a directory that belongs
 * to one identity slot. Nothing is written by halves in silence: a short write is a full disk, and
 * every piece is verified again when a torrent is opened.
 * Source: File System Standard, 2.5 (sync access handles: write() returns a count, and may be short).
 */
import { type InfoHash, SwarmError } from '../../ports/swarm.ts'

export interface PieceDisk {
  readonly kind: 'opfs' | 'memory'
  /** Undefined where not all of it is there. */
  read (infoHash: InfoHash, at: number, length: number): Promise<Uint8Array | undefined>
  /** Throws SwarmError: full or gone; then nothing about the piece may be relied on. */
  write (infoHash: InfoHash, at: number, bytes: Uint8Array): Promise<void>
  /** Lets go of the file. */
  close (infoHash: InfoHash): Promise<void>
  remove (infoHash: InfoHash): Promise<void>
  stored (): Promise<Array<{ readonly infoHash: InfoHash, readonly bytes: number }>>
}

/** As much of FileSystemSyncAccessHandle as is used. */
export interface SyncFile {
  read (into: Uint8Array, options: { readonly at: number }): number
  write (bytes: Uint8Array, options: { readonly at: number }): number
  getSize (): number
  flush (): void
  close (): void
}

/** A directory of such files; FileSystemDirectoryHandle in a browser. */
export interface SyncFolder {
  open (name: string, create: boolean): Promise<SyncFile | undefined>
  remove (name: string): Promise<void>
  list (): Promise<ReadonlyArray<{ readonly name: string, readonly bytes: number }>>
}

const NAME = /^[0-9a-f]{40}$/

const failureOf = (e: unknown): SwarmError => {
  if (e instanceof SwarmError) return e
  const name = e instanceof Error || e instanceof DOMException ? e.name : ''
  if (name === 'QuotaExceededError') return new SwarmError('full', 'the browser gives this site no more room')
  return new SwarmError('gone', e instanceof Error ? e.message : String(e))
}

/** On sync access handles; lives in a worker. */
export class FileDisk implements PieceDisk {
  readonly kind = 'opfs'
  readonly #folder: SyncFolder
  readonly #files = new Map<InfoHash, Promise<SyncFile | undefined>>()

  constructor (folder: SyncFolder) { this.#folder = folder }

  async read (infoHash: InfoHash, at: number, length: number): Promise<Uint8Array | undefined> {
    try {
      const file = await this.#open(infoHash, false)
      if (file === undefined || at + length > file.getSize()) return undefined
      const bytes = new Uint8Array(length)
      return file.read(bytes, { at }) === length ? bytes : undefined
    } catch (e) { throw failureOf(e) }
  }

  async write (infoHash: InfoHash, at: number, bytes: Uint8Array): Promise<void> {
    try {
      const file = (await this.#open(infoHash, true))!
      const written = file.write(bytes, { at })
      if (written !== bytes.length) throw new SwarmError('full', `${written} of ${bytes.length} bytes found room`)
      file.flush()
    } catch (e) { throw failureOf(e) }
  }

  async close (infoHash: InfoHash): Promise<void> {
    const file = this.#files.get(infoHash)
    this.#files.delete(infoHash)
    try { (await file)?.close() } catch { /* It is of no use any more either way. */ }
  }

  async remove (infoHash: InfoHash): Promise<void> {
    await this.close(infoHash)
    try { await this.#folder.remove(infoHash) } catch (e) { throw failureOf(e) }
  }

  async stored (): Promise<Array<{ readonly infoHash: InfoHash, readonly bytes: number }>> {
    try {
      return (await this.#folder.list()).filter(f => NAME.test(f.name)).map(f => ({ infoHash: f.name, bytes: f.bytes }))
    } catch (e) { throw failureOf(e) }
  }

  #open (infoHash: InfoHash, create: boolean): Promise<SyncFile | undefined> {
    if (!NAME.test(infoHash)) throw new SwarmError('other', 'not an infohash')
    const known = this.#files.get(infoHash)
    if (known !== undefined) return known.then(file => file ?? (create ? this.#reopen(infoHash) : undefined))
    return this.#reopen(infoHash, create)
  }

  #reopen (infoHash: InfoHash, create = true): Promise<SyncFile | undefined> {
    const opening = this.#folder.open(infoHash, create)
    this.#files.set(infoHash, opening)
    // A file that could not be opened, or is not there yet, is looked for again.
    const forget = (): void => { if (this.#files.get(infoHash) === opening) this.#files.delete(infoHash) }
    opening.then(file => { if (file === undefined) forget() }, forget)
    return opening
  }
}

/** Without a private file system: as much as memory may hold, lost with the tab. */
export class MemoryDisk implements PieceDisk {
  readonly kind = 'memory'
  readonly #bytesMax: number
  readonly #pieces = new Map<InfoHash, Map<number, Uint8Array>>()
  #bytes = 0

  constructor (bytesMax: number) { this.#bytesMax = bytesMax }

  async read (infoHash: InfoHash, at: number, length: number): Promise<Uint8Array | undefined> {
    const pieces = this.#pieces.get(infoHash)
    const whole = pieces?.get(at)
    if (whole !== undefined && whole.length >= length) return whole.slice(0, length)
    for (const [from, piece] of pieces ?? []) {
      if (from <= at && at + length <= from + piece.length) return piece.slice(at - from, at - from + length)
    }
    return undefined
  }

  async write (infoHash: InfoHash, at: number, bytes: Uint8Array): Promise<void> {
    const pieces = this.#pieces.get(infoHash) ?? new Map<number, Uint8Array>()
    const more = bytes.length - (pieces.get(at)?.length ?? 0)
    if (this.#bytes + more > this.#bytesMax) throw new SwarmError('full', `memory may hold ${this.#bytesMax} bytes of files`)
    this.#pieces.set(infoHash, pieces)
    pieces.set(at, bytes.slice())
    this.#bytes += more
  }

  async close (): Promise<void> {}

  async remove (infoHash: InfoHash): Promise<void> {
    for (const piece of this.#pieces.get(infoHash)?.values() ?? []) this.#bytes -= piece.length
    this.#pieces.delete(infoHash)
  }

  async stored (): Promise<Array<{ readonly infoHash: InfoHash, readonly bytes: number }>> {
    return [...this.#pieces].map(([infoHash, pieces]) => ({ infoHash, bytes: [...pieces.values()].reduce((n, p) => n + p.length, 0) }))
  }
}
