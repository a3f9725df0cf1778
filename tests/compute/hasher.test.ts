import { expect, test } from 'vitest'
import { createEngines, FAST_TAGS, useFastHash } from '../../src/compute/hasher.ts'
import { hash } from '../../src/core/crypto/hash.ts'
import { newDataset } from '../../src/core/training/dataset.ts'

const bytes = Uint8Array.from({ length: 3000 }, (_, i) => i * 7)

/** What core hashes to by itself; nothing in this file has brought it another engine before. */
test('hash() is the same by either engine, whatever the tag and the parts', async () => {
  const engines = await createEngines()
  expect(engines.map(([tag]) => tag)).toEqual(FAST_TAGS)
  for (const [tag, engine] of engines) {
    for (const parts of [[], [bytes], [bytes.subarray(0, 64), bytes.subarray(64, 65)], [new Uint8Array(0), bytes.subarray(1, 1025)]]) {
      expect(engine(parts), tag).toEqual(hash(tag, ...parts))
    }
  }
})

test('once it is there it is used: a data set has one root, whoever hashes', async () => {
  const records = { features: bytes, labels: new Uint8Array(300), trainRecords: 200, classes: 2 }
  const before = newDataset(records).ref
  const other = hash('of no engine', bytes)
  await useFastHash()
  expect(newDataset(records).ref).toEqual(before)
  expect(hash('of no engine', bytes)).toEqual(other)
})
