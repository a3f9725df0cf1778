import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { packedMax, packZeros, unpackZeros } from '../../../src/core/training/zeroRuns.ts'

const zeros = (n: number): number[] => new Array<number>(n).fill(0)
const ones = (n: number): number[] => new Array<number>(n).fill(1)

describe('runs of zeros', () => {
  it.each([
    ['nothing', [], []],
    ['literals', [5, 6], [1, 5, 6]],
    ['two zeros, which stay as they are', [5, 0, 0, 6], [3, 5, 0, 0, 6]],
    ['three zeros', [5, 0, 0, 0, 6], [0, 5, 130, 0, 6]],
    ['zeros at the ends', [0, 0, 0, 7, 0, 0, 0, 0], [130, 0, 7, 131]],
    ['128 of a kind', [...zeros(128), ...ones(128)], [255, 127, ...ones(128)]],
    ['129 of a kind', [...zeros(129), ...ones(129)], [255, 128, 127, ...ones(128), 0, 1]]
  ])('pack %s', (_, bytes, packed) => {
    expect([...packZeros(Uint8Array.from(bytes))]).toEqual(packed)
    expect([...unpackZeros(Uint8Array.from(packed), bytes.length)!]).toEqual(bytes)
  })

  const sparse = fc.array(fc.oneof({ weight: 3, arbitrary: fc.constant(zeros(1)) }, fc.integer({ min: 1, max: 300 }).map(zeros), fc.integer({ min: 1, max: 300 }).map(ones)), { maxLength: 40 })
    .map(parts => Uint8Array.from(parts.flat()))

  it('come back as they were, and never take more than one byte in 128 more', () => {
    fc.assert(fc.property(sparse, bytes => {
      const packed = packZeros(bytes)
      expect(packed.length).toBeLessThanOrEqual(packedMax(bytes.length))
      expect(unpackZeros(packed, bytes.length)).toEqual(bytes)
      expect(unpackZeros(packed, bytes.length + 1)).toBeUndefined()
    }))
  })

  it('have one form: whatever unpacks is what packing makes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 0, max: 400 }), (packed, size) => {
      const bytes = unpackZeros(packed, size)
      if (bytes !== undefined) expect(packZeros(bytes)).toEqual(packed)
    }))
  })

  it.each([
    ['zeros as literals', [2, 0, 0, 0], 3],
    ['a run of two', [129], 2],
    ['literals cut short', [0, 5, 0, 6], 2],
    ['a run cut short', [130, 130], 6],
    ['literals that end too soon', [3, 1, 2], 4],
    ['a byte behind the end', [0, 5, 0], 1],
    ['more than was asked for', [255], 100],
    ['less than was asked for', [130], 4],
    ['far more than can be needed', ones(200), 100]
  ])('are refused with %s', (_, packed, size) => { expect(unpackZeros(Uint8Array.from(packed), size)).toBeUndefined() })
})
