/** The browser's account of what is stored is believed, unless it cannot be true. */
import { expect, test } from 'vitest'
import { folderBytes, UsageReader } from '../../src/storage/usage.ts'

const MIB = 2 ** 20
const GIB = 2 ** 30

const never = (): never => { throw new Error('the files are not counted for this') }
const files = (bytes: number) => async (): Promise<number> => bytes

test('an account far below 2^32 is believed, without a look at the files', async () => {
  expect(await new UsageReader().read({ usage: 20 * MIB, quota: GIB, usageDetails: { fileSystem: 4 * MIB } }, never)).toEqual({ used: 20 * MIB, quota: GIB })
  expect(await new UsageReader().read({}, never)).toEqual({ used: 0 })
})

test.each([
  ['below 2^32', 2 ** 32 - 10 * MIB],
  ['at 2^32', 2 ** 32],
  ['above twice 2^32', 2 ** 33 + 30 * MIB]
])('an account of files that has wrapped, %s, is replaced by a count of them, and so is the room it leaves', async (_, fileSystem) => {
  const usage = fileSystem + 15 * MIB
  const read = await new UsageReader().read({ usage, quota: 10 * GIB + usage, usageDetails: { fileSystem, indexedDB: 15 * MIB } }, files(3 * MIB))
  expect(read).toEqual({ used: 18 * MIB, quota: 10 * GIB + 18 * MIB, claimed: usage })
})

test('gigabytes that are there are believed', async () => {
  const usage = 2 ** 32 + 5 * MIB
  const estimate = { usage, quota: 9 * GIB, usageDetails: { fileSystem: 2 ** 32, indexedDB: 5 * MIB } }
  expect(await new UsageReader().read(estimate, files(2 ** 32 - MIB))).toEqual({ used: usage, quota: 9 * GIB })
  // A browser that does not say what its account is made of.
  expect(await new UsageReader().read({ usage, quota: 9 * GIB }, never)).toEqual({ used: usage, quota: 9 * GIB })
})

test('the count follows the account, and files are counted again only after a large change', async () => {
  const reader = new UsageReader()
  let looks = 0
  const at = async (fileSystem: number, counted: number): ReturnType<UsageReader['read']> => await reader.read({ usage: fileSystem, usageDetails: { fileSystem } }, async () => { looks++; return counted })
  expect((await at(2 ** 32 - 8 * MIB, 4 * MIB)).used).toBe(4 * MIB)
  expect((await at(2 ** 32, 0)).used).toBe(12 * MIB)
  expect(looks).toBe(1)
  expect((await at(2 ** 32 + 90 * MIB, 100 * MIB)).used).toBe(100 * MIB)
  expect(looks).toBe(2)
  expect(await at(100 * MIB, 0)).toEqual({ used: 100 * MIB })
})

test('files are counted in all folders', async () => {
  const folder = (entries: Record<string, unknown>): unknown => ({ kind: 'directory', entries: async function * () { yield * Object.entries(entries) } })
  const file = (size: number): unknown => ({ kind: 'file', getFile: async () => ({ size }) })
  expect(await folderBytes(folder({ a: file(5), swarm: folder({ one: folder({ b: file(7) }), two: folder({}) }) }) as never)).toBe(12)
})
