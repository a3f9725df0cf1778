import { Buffer as NodeBuffer } from 'node:buffer'
import { expect, test } from 'vitest'
import { Buffer } from '../src/sszBuffer.ts'

test('writes integers as Node does', () => {
  for (const value of [0, 1, 255, 256, 65_535, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 12_345, 2 ** 48 - 1]) {
    const ours = Buffer.alloc(12).fill(9)
    const theirs = NodeBuffer.alloc(12).fill(9)
    expect(ours.writeUIntLE(value, 3, 6)).toBe(theirs.writeUIntLE(value, 3, 6))
    expect([...ours]).toEqual([...theirs])
  }
})

test('alloc is zeros, from is a view and no copy', () => {
  expect([...Buffer.alloc(3)]).toEqual([0, 0, 0])
  const bytes = new Uint8Array(8)
  const view = Buffer.from(bytes.buffer, 2, 4)
  view.writeUIntLE(0x010203, 0, 3)
  expect(view).toHaveLength(4)
  expect([...bytes]).toEqual([0, 0, 3, 2, 1, 0, 0, 0])
})
