import { describe, expect, test } from 'vitest'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { STORAGE_CASES } from '../compliance/storage.ts'

describe('memory storage meets the contract', () => {
  for (const { name, run } of STORAGE_CASES) {
    test(name, async () => {
      const disk = new MemoryDisk()
      await run({
        open: async () => new MemoryStorage(disk),
        limit: async bytes => { disk.quota = bytes === undefined ? undefined : disk.used + bytes }
      })
    })
  }
})

describe('memory disk', () => {
  const put = (key: string, size: number): { op: 'put', store: 'meta', key: string, value: Uint8Array } => ({ op: 'put', store: 'meta', key, value: new Uint8Array(size) })

  test('counts keys and values, through replacing and deleting', async () => {
    const disk = new MemoryDisk()
    const storage = new MemoryStorage(disk)
    await storage.commit([put('ab', 10), put('ab', 20), put('c', 5)])
    expect(disk.used).toBe(4 + 20 + 2 + 5)
    await storage.commit([put('ab', 1), { op: 'delete', store: 'meta', key: 'c' }, { op: 'delete', store: 'meta', key: 'c' }])
    expect(disk.used).toBe(4 + 1)
    await storage.commit([{ op: 'delete', store: 'meta', key: 'ab' }])
    expect(disk.used).toBe(0)
  })

  test('a disk that is over its quota still takes what makes it smaller', async () => {
    const disk = new MemoryDisk()
    const storage = new MemoryStorage(disk)
    await storage.commit([put('a', 1000), put('b', 1000)])
    disk.quota = 10
    await expect(storage.commit([put('c', 1)])).rejects.toMatchObject({ kind: 'full' })
    await storage.commit([{ op: 'delete', store: 'meta', key: 'a' }])
    expect(await storage.keys('meta')).toEqual(['b'])
  })

  test('what was too much is undone, also where it names a key again and again', async () => {
    const disk = new MemoryDisk()
    const storage = new MemoryStorage(disk)
    await storage.commit([put('a', 1), put('b', 2)])
    disk.quota = disk.used
    await expect(storage.commit([put('a', 3), { op: 'delete', store: 'meta', key: 'b' }, put('c', 4), { op: 'delete', store: 'meta', key: 'c' }, put('a', 5), put('b', 6)])).rejects.toMatchObject({ kind: 'full' })
    expect(await storage.range('meta')).toEqual([['a', new Uint8Array(1)], ['b', new Uint8Array(2)]])
    expect(disk.used).toBe(disk.quota)
  })

  test.each(['gone', 'newer', 'corrupt', 'full'] as const)('fails as told: %s', async kind => {
    const disk = new MemoryDisk()
    const storage = new MemoryStorage(disk)
    disk.fail(kind)
    await expect(storage.commit([put('a', 1)])).rejects.toMatchObject({ name: 'StorageError', kind })
    if (kind === 'full') expect(await storage.keys('meta')).toEqual([])
    else await expect(storage.get('meta', 'a')).rejects.toMatchObject({ kind })
    disk.fail(undefined)
    await storage.commit([put('a', 1)])
    expect(await storage.keys('meta')).toEqual(['a'])
  })
})
