import { expect, test } from 'vitest'
import { createHasher, DATA_TAGS, LEDGER_TAGS } from '../../src/compute/hasher.ts'
import { hash } from '../../src/core/crypto/hash.ts'
import { digestSeedingWith, NO_POTS, NO_SEEDING, seedingRoot, withSeeder } from '../../src/core/ledger/pots.ts'
import { newDataset } from '../../src/core/training/dataset.ts'

const bytes = Uint8Array.from({ length: 3000 }, (_, i) => i * 7)

test.each([['models', undefined], ['data sets', DATA_TAGS], ['ledgers', LEDGER_TAGS]])('the hasher of %s is the hash of core, whatever the tag and the parts', async (_, tags) => {
  const hasher = await createHasher(tags)
  for (const tag of ['tensor', 'tensor-node', 'payload', ...DATA_TAGS, ...LEDGER_TAGS, 'claim']) {
    for (const parts of [[], [bytes], [bytes.subarray(0, 64), bytes.subarray(64, 65)], [new Uint8Array(0), bytes.subarray(1, 1025)]]) {
      expect(hasher(tag, ...parts), tag).toEqual(hash(tag, ...parts))
    }
  }
})

test('a data set has one root, whoever hashes', async () => {
  const records = { features: bytes, labels: new Uint8Array(300), trainRecords: 200, classes: 2 }
  expect(newDataset(records, {}, await createHasher(DATA_TAGS)).ref).toEqual(newDataset(records).ref)
})

test('a ledger\'s seeding has one root, whoever hashes, and none of it is left to the slow engine', async () => {
  const key = (i: number): Uint8Array => new Uint8Array(32).fill(i)
  const paid = [{ to: key(9), infoHash: new Uint8Array(20), bytes: 2 ** 20 }]
  const made = (): typeof NO_SEEDING => ({
    setAside: NO_POTS.set(key(1), { left: 5n, paid: [] }).set(key(2), { left: 6n, paid: [] }),
    redeemable: NO_POTS.set(key(3), { left: 7n, paid }),
    seeders: [1, 2, 3].reduce((all, i) => withSeeder(all, key(i), { bytes: BigInt(i), leechers: i, sets: i }), NO_SEEDING.seeders)
  })
  const hasher = await createHasher(LEDGER_TAGS)
  const tags: string[] = []
  const fast = made()
  digestSeedingWith(fast, (tag, ...parts) => { tags.push(tag); return hasher(tag, ...parts) })
  // Six entries and the three branches between them; a hash of its own for each of three seeders.
  expect(tags.length).toBe(6 + 3 + 3)
  expect(seedingRoot(fast)).toEqual(seedingRoot(made()))
})
