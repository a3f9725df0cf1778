/**
 * A second copy of the wallet, in the private file system. Chromium deletes all databases of a site when it finds
 * the files of one damaged, as they can be after its processes were killed: what else is in them comes again from
 * peers, and a key from nowhere.
 */
import { equalBytes } from '../core/codec/ssz.ts'
import { SEED_BYTES } from '../core/crypto/keys.ts'
import { hash } from '../core/crypto/hash.ts'

export interface WalletRecord { readonly seed: Uint8Array, readonly backedUp: boolean }

const FOLDER = 'wallet'
const FILE = 'copy'
const VERSION = 1
const HEAD_BYTES = 2
const CHECK_BYTES = 8
/** Version, whether it is backed up, the seed, and what tells a torn write. */
export const COPY_BYTES = HEAD_BYTES + SEED_BYTES + CHECK_BYTES

const check = (bytes: Uint8Array): Uint8Array => hash('wallet-copy', bytes).subarray(0, CHECK_BYTES)

export function encodeCopy ({ seed, backedUp }: WalletRecord): Uint8Array {
  const said = Uint8Array.of(VERSION, backedUp ? 1 : 0, ...seed)
  return Uint8Array.of(...said, ...check(said))
}

/** Undefined where it is none, or not whole. */
export function decodeCopy (bytes: Uint8Array): WalletRecord | undefined {
  if (bytes.length !== COPY_BYTES || bytes[0] !== VERSION || bytes[1] > 1) return undefined
  const said = bytes.subarray(0, HEAD_BYTES + SEED_BYTES)
  return equalBytes(bytes.subarray(said.length), check(said)) ? { seed: said.slice(HEAD_BYTES), backedUp: said[1] === 1 } : undefined
}

/** As the DOM library has it, for the context of a worker. */
interface SyncFile { truncate (bytes: number): void, write (bytes: Uint8Array, options: { readonly at: number }): number, flush (): void, close (): void }

async function copyFile (create: boolean): Promise<FileSystemFileHandle> {
  const root = await navigator.storage.getDirectory()
  return await (await root.getDirectoryHandle(FOLDER, { create })).getFileHandle(FILE, { create })
}

/** 'none': nothing is there, or nothing whole. 'unreadable': something is, which may be read another time, or by a later version: nothing may take its place. */
export type Copy = { readonly kind: 'copy', readonly record: WalletRecord } | { readonly kind: 'none' } | { readonly kind: 'unreadable', readonly why: string }

/** Pauses before it is asked again, ms: what was left of a killed browser may hold the file for a moment. */
const PAUSES_MS = [200, 500, 1_000, 2_000]

export async function readCopy (): Promise<Copy> {
  if (typeof navigator === 'undefined' || typeof navigator.storage?.getDirectory !== 'function') return { kind: 'none' }
  for (let i = 0; ; i++) {
    try {
      const bytes = new Uint8Array(await (await (await copyFile(false)).getFile()).arrayBuffer())
      const record = decodeCopy(bytes)
      if (record !== undefined) return { kind: 'copy', record }
      return bytes.length > 0 && bytes[0] > VERSION ? { kind: 'unreadable', why: 'it was written by a later version of the app' } : { kind: 'none' }
    } catch (e) {
      // A private window may refuse its file system, and has none to keep.
      if (e instanceof DOMException && (e.name === 'NotFoundError' || e.name === 'SecurityError')) return { kind: 'none' }
      if (i === PAUSES_MS.length) return { kind: 'unreadable', why: e instanceof Error ? e.message : String(e) }
      await new Promise(resolve => setTimeout(resolve, PAUSES_MS[i]))
    }
  }
}

/** False: it could not be removed. */
export async function removeCopy (): Promise<boolean> {
  try {
    if (typeof navigator.storage?.getDirectory === 'function') await (await navigator.storage.getDirectory()).removeEntry(FOLDER, { recursive: true })
    return true
  } catch (e) {
    return e instanceof DOMException && (e.name === 'NotFoundError' || e.name === 'SecurityError')
  }
}

/** False: it could not be written, and whatever there was is there still or cannot be read. */
export async function writeCopy (record: WalletRecord): Promise<boolean> {
  try {
    const bytes = new Uint8Array(encodeCopy(record))
    const file = await copyFile(true)
    if (typeof file.createWritable === 'function') {
      // Takes the place of what was there when it is closed.
      const stream = await file.createWritable()
      await stream.write(bytes)
      await stream.close()
    } else {
      const handle = await (file as unknown as { createSyncAccessHandle (): Promise<SyncFile> }).createSyncAccessHandle()
      try {
        handle.truncate(0)
        handle.write(bytes, { at: 0 })
        handle.flush()
      } finally {
        handle.close()
      }
    }
    return true
  } catch {
    return false
  }
}
