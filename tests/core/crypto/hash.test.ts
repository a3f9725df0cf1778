import { blake3 } from '@noble/hashes/blake3.js'
import { describe, expect, it } from 'vitest'
import { toHex } from '../../../src/core/codec/ssz.ts'
import { firstU32, hash, hashTagKey, u32le, u64le } from '../../../src/core/crypto/hash.ts'

const utf8 = (s: string): Uint8Array => new TextEncoder().encode(s)

describe('the tagged hash', () => {
  it('is keyed BLAKE3 over the concatenation, the key is the hash of the tag', () => {
    const key = blake3(utf8('commonweight/1/claim'))
    expect(hashTagKey('claim')).toEqual(key)
    expect(hash('claim', utf8('ab'), utf8('c'))).toEqual(blake3(utf8('abc'), { key }))
  })

  /** BLAKE3 test_vectors.json: key "whats the Elvish word for friend", input 0, 1, 2. */
  it('agrees with the published keyed vectors', () => {
    const key = utf8('whats the Elvish word for friend')
    expect(toHex(blake3(new Uint8Array(), { key }))).toBe('92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26')
    expect(toHex(blake3(Uint8Array.of(0), { key }))).toBe('6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b')
  })

  it('separates meanings', () => {
    expect(hash('claim', utf8('x'))).not.toEqual(hash('seal', utf8('x')))
  })

  it('hands out a key that cannot be spoilt', () => {
    hashTagKey('claim').fill(0)
    expect(hashTagKey('claim')).toEqual(blake3(utf8('commonweight/1/claim')))
  })

  it('writes integers little-endian and refuses what does not fit', () => {
    expect(toHex(u32le(0x01020304))).toBe('04030201')
    expect(toHex(u32le(0xffffffff))).toBe('ffffffff')
    expect(toHex(u64le(0x0102030405060708n))).toBe('0807060504030201')
    expect(firstU32(u32le(0xdeadbeef))).toBe(0xdeadbeef)
    for (const n of [-1, 2 ** 32, 0.5, NaN]) expect(() => u32le(n)).toThrow('u32')
    for (const n of [-1n, 1n << 64n]) expect(() => u64le(n)).toThrow('u64')
  })
})
