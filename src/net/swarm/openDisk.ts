/**
 * The disk of a tab: the browser's private file system in a worker, or memory with the reason why.
 * Source: File System Standard, 3 (the origin private file system).
 */
import { MEMORY_DISK_BYTES } from './bounds.ts'
import { FileDisk, MemoryDisk, type PieceDisk, type SyncFile, type SyncFolder } from './pieceDisk.ts'
import { connectDisk, exposeDisk } from './portSwarm.ts'

const OPEN_MS = 10_000
/** Where all of this site's torrents lie. */
const ROOT = 'swarm'

export interface DiskBoot { readonly directory: string, readonly port: MessagePort }
export type DiskReply = { readonly ready: true } | { readonly failed: string }

/** On the page. `directory`: of one identity slot on one network; two tabs never share one. */
export async function openDisk (directory: string, spawn: () => Worker): Promise<{ readonly disk: PieceDisk, readonly problem?: string }> {
  const inMemory = (why: string): { readonly disk: PieceDisk, readonly problem: string } => ({
    disk: new MemoryDisk(MEMORY_DISK_BYTES),
    problem: `${why}: files are kept in memory, ${MEMORY_DISK_BYTES / 1024 / 1024} MiB at most, and are lost when the tab is closed`
  })
  if (typeof navigator === 'undefined' || typeof navigator.storage?.getDirectory !== 'function') return inMemory('this browser has no private file system, or refuses it here')
  let worker: Worker | undefined
  try {
    worker = spawn()
    const { port1, port2 } = new MessageChannel()
    const reply = await new Promise<DiskReply>((resolve, reject) => {
      const timer = setTimeout(() => { reject(new Error('it does not answer')) }, OPEN_MS)
      worker!.onmessage = (e: MessageEvent<DiskReply>) => { clearTimeout(timer); resolve(e.data) }
      worker!.onerror = e => { clearTimeout(timer); reject(new Error(e.message)) }
      worker!.postMessage({ directory, port: port2 } satisfies DiskBoot, [port2])
    })
    if ('failed' in reply) throw new Error(reply.failed)
    return { disk: connectDisk(port1, 'opfs') }
  } catch (e) {
    worker?.terminate()
    return inMemory(`the private file system cannot be used (${e instanceof Error ? e.message : String(e)})`)
  }
}

/** As the DOM library has it, for the context of a worker. */
interface SyncFileHandle extends FileSystemFileHandle { createSyncAccessHandle (): Promise<SyncFile> }

class OpfsFolder implements SyncFolder {
  readonly #folder: FileSystemDirectoryHandle

  constructor (folder: FileSystemDirectoryHandle) { this.#folder = folder }

  async open (name: string, create: boolean): Promise<SyncFile | undefined> {
    let handle: FileSystemFileHandle
    try {
      handle = await this.#folder.getFileHandle(name, { create })
    } catch (e) {
      if (!create && e instanceof DOMException && e.name === 'NotFoundError') return undefined
      throw e
    }
    return await (handle as SyncFileHandle).createSyncAccessHandle()
  }

  async remove (name: string): Promise<void> {
    try {
      await this.#folder.removeEntry(name)
    } catch (e) {
      if (!(e instanceof DOMException && e.name === 'NotFoundError')) throw e
    }
  }

  async list (): Promise<ReadonlyArray<{ readonly name: string, readonly bytes: number }>> {
    const found: Array<{ readonly name: string, readonly bytes: number }> = []
    for await (const [name, handle] of this.#folder.entries()) {
      if (handle.kind === 'file') found.push({ name, bytes: (await (handle as FileSystemFileHandle).getFile()).size })
    }
    return found
  }
}

/** In the worker. */
export async function serveDisk ({ directory, port }: DiskBoot): Promise<void> {
  const root = await navigator.storage.getDirectory()
  const folder = await (await root.getDirectoryHandle(ROOT, { create: true })).getDirectoryHandle(directory, { create: true })
  // Before it is relied on: a handle that can be had and written.
  const opfs = new OpfsFolder(folder)
  const probe = (await opfs.open('probe', true))!
  const written = probe.write(Uint8Array.of(1), { at: 0 })
  probe.close()
  await opfs.remove('probe')
  if (written !== 1) throw new Error('there is no room at all')
  exposeDisk(new FileDisk(opfs), port)
}
