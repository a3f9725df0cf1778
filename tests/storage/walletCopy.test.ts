/** The bytes of the wallet's second copy: whole, or none at all. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { COPY_BYTES, decodeCopy, encodeCopy } from '../../src/storage/walletCopy.ts'

const record = fc.record({ seed: fc.uint8Array({ minLength: 32, maxLength: 32 }), backedUp: fc.boolean() })

test('is read as it was written', () => {
  fc.assert(fc.property(record, r => {
    const bytes = encodeCopy(r)
    expect(bytes.length).toBe(COPY_BYTES)
    const read = decodeCopy(bytes)!
    expect({ seed: [...read.seed], backedUp: read.backedUp }).toEqual({ seed: [...r.seed], backedUp: r.backedUp })
  }))
})

test('torn, longer or with one bit turned over it is none', () => {
  fc.assert(fc.property(record, fc.nat({ max: 8 * COPY_BYTES - 1 }), fc.nat({ max: COPY_BYTES - 1 }), (r, bit, length) => {
    const bytes = encodeCopy(r)
    expect(decodeCopy(bytes.subarray(0, length))).toBeUndefined()
    expect(decodeCopy(Uint8Array.of(...bytes, 0))).toBeUndefined()
    bytes[bit >> 3] ^= 1 << (bit & 7)
    expect(decodeCopy(bytes)).toBeUndefined()
  }))
})
