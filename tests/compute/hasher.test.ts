import { expect, test, vi } from 'vitest'
import { createKeyedHash, useFastHash } from '../../src/compute/hasher.ts'
import { hash, hashTagKey } from '../../src/core/crypto/hash.ts'
import { newDataset } from '../../src/core/training/dataset.ts'

const bytes = Uint8Array.from({ length: 9000 }, (_, i) => i * 7)

/** What core hashes to by itself; nothing in this file has brought it another engine before. */
test('hash() is the same by either engine, whatever the tags, their order and the parts', async () => {
  const engine = await createKeyedHash()
  for (const tag of ['tensor', 'claim', 'tensor', 'library-note', 'of no block', 'claim']) {
    for (const parts of [[], [bytes], [bytes.subarray(0, 64), bytes.subarray(64, 65)], [new Uint8Array(0), bytes.subarray(1, 1025)], [bytes.subarray(3, 4099)], [bytes.subarray(3, 4100)]]) {
      expect(engine(hashTagKey(tag), parts), tag).toEqual(hash(tag, ...parts))
    }
  }
})

test('once it is there it is used: a data set has one root, whoever hashes', async () => {
  const records = { features: bytes.slice(0, 3000), labels: new Uint8Array(300), trainRecords: 200, classes: 2 }
  const before = newDataset(records).ref
  const made = vi.spyOn(WebAssembly, 'instantiate')
  await useFastHash()
  await useFastHash()
  expect(newDataset(records).ref).toEqual(before)
  // A realm with twenty memories, times as many workers as a large machine has, is more than a browser gives a tab.
  expect(made).toHaveBeenCalledTimes(1)
})
