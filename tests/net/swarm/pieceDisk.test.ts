/** The disk for pieces: nothing is taken for written that is not, and what a disk cannot do has a name. */
import { describe, expect, test } from 'vitest'
import { connectDisk, exposeDisk } from '../../../src/net/swarm/portSwarm.ts'
import { FileDisk, MemoryDisk, type SyncFile, type SyncFolder } from '../../../src/net/swarm/pieceDisk.ts'
import { openDisk } from '../../../src/net/swarm/openDisk.ts'

const A = 'ab'.repeat(20)
const B = 'cd'.repeat(20)

/** A private file system with so much room; `fault` is thrown by whatever is done next. */
class FakeFolder implements SyncFolder {
  readonly files = new Map<string, Uint8Array>()
  readonly open_ = new Set<string>()
  room = Infinity
  fault: Error | undefined

  async open (name: string, create: boolean): Promise<SyncFile | undefined> {
    if (this.fault !== undefined) throw this.fault
    if (!this.files.has(name) && !create) return undefined
    if (this.open_.has(name)) throw new DOMException('locked', 'NoModificationAllowedError')
    this.open_.add(name)
    if (!this.files.has(name)) this.files.set(name, new Uint8Array(0))
    const folder = this
    return {
      read: (into, { at }) => {
        if (folder.fault !== undefined) throw folder.fault
        const part = folder.files.get(name)!.subarray(at, at + into.length)
        into.set(part)
        return part.length
      },
      write: (bytes, { at }) => {
        if (folder.fault !== undefined) throw folder.fault
        const n = Math.min(bytes.length, folder.room)
        folder.room -= n
        const before = folder.files.get(name)!
        const after = new Uint8Array(Math.max(before.length, at + n))
        after.set(before)
        after.set(bytes.subarray(0, n), at)
        folder.files.set(name, after)
        return n
      },
      getSize: () => folder.files.get(name)!.length,
      flush: () => {},
      close: () => { folder.open_.delete(name) }
    }
  }

  async remove (name: string): Promise<void> {
    if (this.open_.has(name)) throw new DOMException('locked', 'NoModificationAllowedError')
    this.files.delete(name)
  }

  async list (): Promise<Array<{ name: string, bytes: number }>> { return [...this.files].map(([name, b]) => ({ name, bytes: b.length })) }
}

describe('on files', () => {
  test('reads what was written, and nothing that was not', async () => {
    const folder = new FakeFolder()
    const disk = new FileDisk(folder)
    expect(await disk.read(A, 0, 4)).toBeUndefined()
    await disk.write(A, 4, Uint8Array.of(5, 6, 7, 8))
    expect(await disk.read(A, 4, 4)).toEqual(Uint8Array.of(5, 6, 7, 8))
    expect(await disk.read(A, 6, 4)).toBeUndefined()
    await disk.write(B, 0, Uint8Array.of(1))
    expect(await disk.stored()).toEqual([{ infoHash: A, bytes: 8 }, { infoHash: B, bytes: 1 }])
    await disk.remove(A)
    expect(await disk.read(A, 4, 4)).toBeUndefined()
    await disk.close(B)
    expect(folder.open_.size).toBe(0)
    expect(await disk.read(B, 0, 1)).toEqual(Uint8Array.of(1))
  })

  test('a short write is a full disk, not a written piece', async () => {
    const folder = new FakeFolder()
    folder.room = 3
    const disk = new FileDisk(folder)
    await expect(disk.write(A, 0, new Uint8Array(4))).rejects.toMatchObject({ name: 'SwarmError', kind: 'full' })
    folder.room = 100
    await disk.write(A, 0, Uint8Array.of(1, 2, 3, 4))
    expect(await disk.read(A, 0, 4)).toEqual(Uint8Array.of(1, 2, 3, 4))
  })

  test('a quota is full, anything else is gone, and both can heal', async () => {
    const folder = new FakeFolder()
    const disk = new FileDisk(folder)
    folder.fault = new DOMException('no', 'QuotaExceededError')
    await expect(disk.write(A, 0, new Uint8Array(4))).rejects.toMatchObject({ kind: 'full' })
    folder.fault = new DOMException('no', 'InvalidStateError')
    await expect(disk.read(A, 0, 4)).rejects.toMatchObject({ kind: 'gone' })
    folder.fault = undefined
    await disk.write(A, 0, new Uint8Array(4))
    expect(await disk.read(A, 0, 4)).toEqual(new Uint8Array(4))
  })

  test('a name that is no infohash is no file', async () => {
    const disk = new FileDisk(new FakeFolder())
    for (const name of ['../x', 'probe', A.toUpperCase()]) await expect(disk.write(name, 0, new Uint8Array(1)), name).rejects.toMatchObject({ kind: 'other' })
  })
})

test('memory holds so much and no more, and gives room back', async () => {
  const disk = new MemoryDisk(10)
  await disk.write(A, 0, new Uint8Array(8))
  await disk.write(A, 0, new Uint8Array(8))
  await expect(disk.write(B, 0, new Uint8Array(3))).rejects.toMatchObject({ kind: 'full' })
  await disk.remove(A)
  await disk.write(B, 0, Uint8Array.of(1, 2, 3))
  expect(await disk.read(B, 1, 2)).toEqual(Uint8Array.of(2, 3))
  expect(await disk.stored()).toEqual([{ infoHash: B, bytes: 3 }])
})

test('without a private file system files are kept in memory, and the reason is said', async () => {
  const opened = await openDisk('x', () => { throw new Error('not reached') })
  expect(opened.disk.kind).toBe('memory')
  expect(opened.problem).toMatch(/private file system.*memory.*lost/)
})

test('behind a port every write has its own bytes, and leaves those it was given alone', async () => {
  const { port1, port2 } = new MessageChannel()
  exposeDisk(new MemoryDisk(10_000_000), port1)
  const disk = connectDisk(port2, 'memory')
  // Some at once, so that buffers come back while others are away; the last one is shorter.
  for (let round = 0; round < 3; round++) {
    const written = Array.from({ length: 9 }, (_, i) => new Uint8Array(i === 8 ? 300 : 1000).fill(round * 20 + i + 1))
    await Promise.all(written.map(async (bytes, i) => { await disk.write('ab'.repeat(20), i * 1000, bytes) }))
    for (const [i, bytes] of written.entries()) {
      expect(bytes.every(b => b === round * 20 + i + 1), `${round} ${i}`).toBe(true)
      expect(await disk.read('ab'.repeat(20), i * 1000, bytes.length)).toEqual(bytes)
    }
  }
  port1.close()
  port2.close()
})
