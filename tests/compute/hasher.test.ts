import { expect, test } from 'vitest'
import { createHasher, DATA_TAGS } from '../../src/compute/hasher.ts'
import { hash } from '../../src/core/crypto/hash.ts'
import { newDataset } from '../../src/core/training/dataset.ts'

const bytes = Uint8Array.from({ length: 3000 }, (_, i) => i * 7)

test.each([['models', undefined], ['data sets', DATA_TAGS]])('the hasher of %s is the hash of core, whatever the tag and the parts', async (_, tags) => {
  const hasher = await createHasher(tags)
  for (const tag of ['tensor', 'tensor-node', 'payload', ...DATA_TAGS, 'claim']) {
    for (const parts of [[], [bytes], [bytes.subarray(0, 64), bytes.subarray(64, 65)], [new Uint8Array(0), bytes.subarray(1, 1025)]]) {
      expect(hasher(tag, ...parts), tag).toEqual(hash(tag, ...parts))
    }
  }
})

test('a data set has one root, whoever hashes', async () => {
  const records = { features: bytes, labels: new Uint8Array(300), trainRecords: 200, classes: 2 }
  expect(newDataset(records, {}, await createHasher(DATA_TAGS)).ref).toEqual(newDataset(records).ref)
})
