/** What the library keeps of receipts where there are more than it keeps, and which settings it takes. */
import { expect, it } from 'vitest'
import type { SignedReceipt } from '../../src/core/codec/library.ts'
import { hash } from '../../src/core/crypto/hash.ts'
import { REDEEM_BYTES_LEAST } from '../../src/core/params.ts'
import { DEFAULT_SETTINGS, LibraryStore, RECEIPTS_KEPT, settingsErrors, settingsOf } from '../../src/node/libraryStore.ts'
import { RingLog } from '../../src/node/log.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { ManualClock } from './chainRig.ts'

const receipt = (from: number, epoch: number, bytes: number): SignedReceipt => ({
  receipt: { chain: hash('chain'), from: hash('from', Uint8Array.of(from & 255, from >> 8)), to: hash('me'), infoHash: hash('set').subarray(0, 20), epoch, bytes }, signature: new Uint8Array(64)
})

it('receipts of a byte each, of whatever epoch, do not drive out those that are paid', async () => {
  const clock = new ManualClock(0)
  const store = new LibraryStore({ storage: new MemoryStorage(new MemoryDisk()), clock, log: new RingLog(clock) })
  const paying = [receipt(1, 7, REDEEM_BYTES_LEAST), receipt(2, 8, 9 * REDEEM_BYTES_LEAST)]
  await store.put('in', paying[0])
  for (let i = 0; i < RECEIPTS_KEPT; i++) await store.put('in', receipt(100 + i, 9 + i, 1))
  await store.put('in', paying[1])
  const kept = [...store.receiptsIn()]
  expect(kept).toHaveLength(RECEIPTS_KEPT)
  expect(kept.filter(r => r.receipt.bytes > 1)).toEqual(paying)
})

it.each([
  ['budget', { budget: 1 }, /16 MiB to 1024 GiB/], ['budget', { budget: 2 ** 41 }, /16 MiB to 1024 GiB/], ['upLimit', { upLimit: -1 }, /1073 MB per second/], ['downLimit', { downLimit: 2 ** 31 }, /1073 MB per second/],
  ['setAside', { setAside: 1_000_000_001 }, /1000 credits/], ['redeem', { redeem: 'yes' }, /true or false/]
] as const)('a wrong %s is named, in units that people use', (field, change, words) => {
  const errors = settingsErrors({ ...DEFAULT_SETTINGS, ...change })
  expect(errors).toEqual([{ field, message: expect.stringMatching(words) as string }])
  expect(errors[0].message).not.toMatch(/grain|byte/)
  expect(settingsOf({ ...DEFAULT_SETTINGS, ...change })).toBeUndefined()
})

it('a budget that the browser has no room for is refused with what it gives; what it was before stays as it is', async () => {
  const clock = new ManualClock(1)
  const store = (quota?: number): LibraryStore => new LibraryStore({ storage: new MemoryStorage(new MemoryDisk(quota)), clock, log: new RingLog(clock) })
  const GIB = 1024 ** 3
  const set = async (budget: number, quota?: number): Promise<string[]> => (await store(quota).errors({ ...DEFAULT_SETTINGS, budget }, DEFAULT_SETTINGS)).map(e => `${e.field}: ${e.message}`)
  expect(await set(50 * GIB, 10.1 * GIB)).toEqual(['budget: the browser gives this page 10.10 GiB in all, for all its tabs: allow no more than that, or free some space on this device'])
  expect(await set(50 * GIB)).toEqual([])
  expect(await set(10 * GIB, 10.1 * GIB)).toEqual([])
  expect(await set(DEFAULT_SETTINGS.budget, GIB)).toEqual([])
  expect(await set(1, 10 * GIB)).toEqual([expect.stringMatching(/^budget: the library may keep/)])
})
