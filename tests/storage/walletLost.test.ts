/** The wallet and its second copy where either of the two fails, as a browser's disk may. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

/** What the disk holds: the wallet's database, and the file of the second copy. */
const disk: { db: unknown, copy: Uint8Array | undefined, readFails: number, writeFails: boolean } = { db: undefined, copy: undefined, readFails: 0, writeFails: false }

vi.mock('../../src/storage/steadyOpen.ts', () => ({
  openSteadily: async () => ({
    transaction: () => ({ store: { get: async () => disk.db, put: async (v: unknown) => { disk.db = v } }, done: Promise.resolve() }),
    get: async () => disk.db,
    close: () => {}
  })
}))

const notFound = (): DOMException => new DOMException('none', 'NotFoundError')
const file = {
  getFile: async () => {
    if (disk.readFails > 0) { disk.readFails--; throw new DOMException('the file could not be read', 'NotReadableError') }
    return new Blob([disk.copy! as BlobPart])
  },
  createWritable: async () => {
    let next = new Uint8Array()
    return { write: async (b: Uint8Array) => { next = new Uint8Array(b) }, close: async () => { if (disk.writeFails) throw new DOMException('full', 'QuotaExceededError'); disk.copy = next } }
  }
}
const folder = {
  getFileHandle: async (_: string, o: { create: boolean }) => { if (disk.copy === undefined && !o.create) throw notFound(); return file },
  removeEntry: async () => { disk.copy = undefined }
}
const root = { getDirectoryHandle: async (_: string, o: { create: boolean }) => { if (disk.copy === undefined && !o.create) throw notFound(); return folder }, removeEntry: async () => { disk.copy = undefined } }

const { openWallet } = await import('../../src/storage/wallet.ts')
const { removeCopy } = await import('../../src/storage/walletCopy.ts')
let made = 0
const random = { bytes: (n: number) => new Uint8Array(n).fill(++made) }

beforeEach(() => {
  Object.assign(disk, { db: undefined, copy: undefined, readFails: 0, writeFails: false })
  vi.stubGlobal('indexedDB', {})
  vi.stubGlobal('navigator', { storage: { getDirectory: async () => root } })
})
afterEach(() => { vi.unstubAllGlobals() })

test('a lost database comes back from the copy', async () => {
  const { seed } = await openWallet(random)
  disk.db = undefined
  expect(await openWallet(random)).toMatchObject({ seed, restored: true })
})

test('a copy that cannot be read for a moment, after the crash that lost the database, is not overwritten by a new key', async () => {
  const { seed } = await openWallet(random)
  disk.db = undefined
  disk.readFails = 1
  await openWallet(random).catch(() => {})
  disk.db = undefined
  expect((await openWallet(random)).seed).toEqual(seed)
})

test('where an import cannot write the copy, the old key does not come back later in place of the new one', async () => {
  const wallet = await openWallet(random)
  const imported = new Uint8Array(32).fill(200)
  disk.writeFails = true
  await wallet.replace(imported).catch(() => {})
  disk.db = undefined
  disk.writeFails = false
  expect((await openWallet(random)).seed).not.toEqual(wallet.seed)
})

test('a copy that stays unreadable, or is of a later version, keeps the app from starting with another key', async () => {
  const { seed } = await openWallet(random)
  const copy = disk.copy!
  disk.db = undefined
  disk.copy = Uint8Array.of(2, ...copy.subarray(1))
  await expect(openWallet(random)).rejects.toMatchObject({ kind: 'corrupt' })
  expect(disk).toMatchObject({ db: undefined, copy: Uint8Array.of(2, ...copy.subarray(1)) })
  disk.copy = copy
  expect(await openWallet(random)).toMatchObject({ seed, restored: true })
})

test('a copy that was torn in the middle of its write is made again from the database', async () => {
  const { seed } = await openWallet(random)
  const copy = disk.copy!
  disk.copy = copy.subarray(0, 20)
  expect(await openWallet(random)).toMatchObject({ seed, restored: false })
  expect(disk.copy).toEqual(copy)
})

test('a second copy that cannot be written is said to be missing, until one can', async () => {
  disk.writeFails = true
  expect(await openWallet(random)).toMatchObject({ copied: false })
  disk.writeFails = false
  expect(await openWallet(random)).toMatchObject({ copied: true })
  disk.writeFails = true
  expect(await openWallet(random)).toMatchObject({ copied: true })
  // Another mark than the wallet's: it has to be written again.
  await (await openWallet(random)).setBackedUp()
  expect(await openWallet(random)).toMatchObject({ backedUp: true, copied: false })
  disk.copy = undefined
  // A copy that cannot be read now may be any.
  disk.writeFails = false
  await openWallet(random)
  disk.readFails = 99
  expect(await openWallet(random)).toMatchObject({ copied: false })
})

test('removed with its copy, the wallet is another one', async () => {
  const { seed } = await openWallet(random)
  disk.db = undefined
  expect(await removeCopy()).toBe(true)
  expect(await openWallet(random)).toMatchObject({ restored: false })
  expect(disk.copy).not.toEqual(seed)
  expect((await openWallet(random)).seed).not.toEqual(seed)
})
