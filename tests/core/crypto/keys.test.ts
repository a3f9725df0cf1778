/** The pinned rule for signatures: RFC 8032 vectors, and the cases on which verifiers disagree. */
import { ed25519 } from '@noble/curves/ed25519.js'
import { sha512 } from '@noble/hashes/sha2.js'
import { describe, expect, it } from 'vitest'
import { fromHex } from '../../../src/core/codec/ssz.ts'
import { publicKey, sign, verifyZip215 } from '../../../src/core/crypto/keys.ts'

const bytes = (hex: string): Uint8Array => fromHex(hex, hex.length / 2) as Uint8Array

/** RFC 8032, 7.1: TEST 1, 2, 3 and SHA(abc). */
const RFC8032 = [
  {
    seed: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    key: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    message: '',
    signature: 'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b'
  },
  {
    seed: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    key: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    message: '72',
    signature: '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00'
  },
  {
    seed: 'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
    key: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    message: 'af82',
    signature: '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a'
  },
  {
    seed: '833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42',
    key: 'ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf',
    message: 'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
    signature: 'dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704'
  }
]

describe('ed25519', () => {
  it.each(RFC8032)('signs and verifies RFC 8032 vector of key $key', v => {
    const [seed, message, signature] = [bytes(v.seed), bytes(v.message), bytes(v.signature)]
    expect(publicKey(seed)).toEqual(bytes(v.key))
    expect(sign(seed, message)).toEqual(signature)
    expect(verifyZip215(bytes(v.key), message, signature)).toBe(true)
  })

  it('refuses every single flipped bit of key, message and signature', () => {
    const v = RFC8032[2]
    const [key, message, signature] = [bytes(v.key), bytes(v.message), bytes(v.signature)]
    const flip = (b: Uint8Array, i: number): Uint8Array => b.map((x, n) => n === i >> 3 ? x ^ (1 << (i & 7)) : x)
    for (let i = 0; i < 512; i += 7) expect(verifyZip215(key, message, flip(signature, i))).toBe(false)
    for (let i = 0; i < 256; i += 5) expect(verifyZip215(flip(key, i), message, signature)).toBe(false)
    for (let i = 0; i < 16; i++) expect(verifyZip215(key, flip(message, i), signature)).toBe(false)
  })

  it('answers false to wrong lengths', () => {
    const v = RFC8032[0]
    expect(verifyZip215(bytes(v.key).subarray(1), new Uint8Array(), bytes(v.signature))).toBe(false)
    expect(verifyZip215(bytes(v.key), new Uint8Array(), bytes(v.signature).subarray(1))).toBe(false)
    expect(verifyZip215(bytes(v.key), new Uint8Array(), new Uint8Array(65))).toBe(false)
    expect(verifyZip215(new Uint8Array(), new Uint8Array(), new Uint8Array())).toBe(false)
  })

  it('refuses S + L: one signature, one encoding of its scalar', () => {
    const v = RFC8032[0]
    const order = ed25519.Point.CURVE().n
    const signature = bytes(v.signature)
    let s = 0n
    for (let i = 31; i >= 0; i--) s = (s << 8n) | BigInt(signature[32 + i])
    s += order
    const malleated = signature.slice()
    for (let i = 0; i < 32; i++) malleated[32 + i] = Number((s >> BigInt(8 * i)) & 0xffn)
    expect(verifyZip215(bytes(v.key), new Uint8Array(), malleated)).toBe(false)
  })
})

/**
 * ZIP 215's own set: the small-order points in canonical and non-canonical encoding. With S = 0 and
 * R and A among them, every pair is a valid signature of every message.
 * Source: https://zips.z.cash/zip-0215; the encodings are those of its test vectors.
 */
const SMALL_ORDER = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0000000000000000000000000000000000000000000000000000000000000080',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  // Not canonical: x = 0 with the sign bit, or y >= p.
  '0100000000000000000000000000000000000000000000000000000000000080',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff'
]

describe('ZIP 215', () => {
  it('accepts all 196 pairs of small-order R and A with S = 0', () => {
    const message = bytes('5a63617368') // "Zcash"
    for (const a of SMALL_ORDER) {
      for (const r of SMALL_ORDER) expect(verifyZip215(bytes(a), message, bytes(r + '00'.repeat(32)))).toBe(true)
    }
  })

  it('differs there from the strict rule, so no strict verifier may be the reason to refuse', () => {
    const [a, r] = [bytes(SMALL_ORDER[0]), bytes(SMALL_ORDER[9] + '00'.repeat(32))]
    expect(ed25519.verify(r, new Uint8Array(), a, { zip215: false })).toBe(false)
    expect(verifyZip215(a, new Uint8Array(), r)).toBe(true)
  })

  it('uses the cofactored equation: a torsion point in R changes nothing', () => {
    const { Point } = ed25519
    const seed = bytes(RFC8032[1].seed)
    const { scalar, pointBytes } = ed25519.utils.getExtendedPublicKey(seed)
    const torsion = Point.fromBytes(bytes(SMALL_ORDER[4]), true)
    const order = Point.CURVE().n
    const r = 123456789n
    const R = Point.BASE.multiply(r).add(torsion).toBytes()
    const message = bytes('72')
    const digest = challenge(R, pointBytes, message, order)
    const s = (r + digest * scalar) % order
    const signature = new Uint8Array(64)
    signature.set(R)
    for (let i = 0; i < 32; i++) signature[32 + i] = Number((s >> BigInt(8 * i)) & 0xffn)
    expect(verifyZip215(pointBytes, message, signature)).toBe(true)
    signature[32] ^= 1
    expect(verifyZip215(pointBytes, message, signature)).toBe(false)
  })

  it('refuses bytes that are no point', () => {
    const v = RFC8032[0]
    const notOnCurve = '02' + '00'.repeat(31)
    expect(verifyZip215(bytes(notOnCurve), new Uint8Array(), bytes(v.signature))).toBe(false)
    expect(verifyZip215(bytes(v.key), new Uint8Array(), bytes(notOnCurve + '00'.repeat(32)))).toBe(false)
  })
})

function challenge (r: Uint8Array, a: Uint8Array, message: Uint8Array, order: bigint): bigint {
  const d = sha512(Uint8Array.of(...r, ...a, ...message))
  let k = 0n
  for (let i = 63; i >= 0; i--) k = (k << 8n) | BigInt(d[i])
  return k % order
}
