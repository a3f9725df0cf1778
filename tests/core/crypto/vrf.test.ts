/** The VRF against the RFC's own vectors, and what a cheater might hand in. */
import { ed25519 } from '@noble/curves/ed25519.js'
import { sha512 } from '@noble/hashes/sha2.js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromHex, toHex } from '../../../src/core/codec/ssz.ts'
import { publicKey } from '../../../src/core/crypto/keys.ts'
import { OUTPUT_BYTES, PROOF_BYTES, proofToHash, prove, verify } from '../../../src/core/crypto/vrf.ts'

const bytes = (hex: string): Uint8Array => fromHex(hex, hex.length / 2) as Uint8Array

/** RFC 9381, appendix B.3 (ECVRF-EDWARDS25519-SHA512-TAI), examples 16 to 18. */
const RFC9381 = [
  {
    example: 16,
    seed: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    key: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    alpha: '',
    pi: '8657106690b5526245a92b003bb079ccd1a92130477671f6fc01ad16f26f723f26f8a57ccaed74ee1b190bed1f479d9727d2d0f9b005a6e456a35d4fb0daab1268a1b0db10836d9826a528ca76567805',
    beta: '90cf1df3b703cce59e2a35b925d411164068269d7b2d29f3301c03dd757876ff66b71dda49d2de59d03450451af026798e8f81cd2e333de5cdf4f3e140fdd8ae'
  },
  {
    example: 17,
    seed: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    key: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    alpha: '72',
    pi: 'f3141cd382dc42909d19ec5110469e4feae18300e94f304590abdced48aed5933bf0864a62558b3ed7f2fea45c92a465301b3bbf5e3e54ddf2d935be3b67926da3ef39226bbc355bdc9850112c8f4b02',
    beta: 'eb4440665d3891d668e7e0fcaf587f1b4bd7fbfe99d0eb2211ccec90496310eb5e33821bc613efb94db5e5b54c70a848a0bef4553a41befc57663b56373a5031'
  },
  {
    example: 18,
    seed: 'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
    key: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    alpha: 'af82',
    pi: '9bc0f79119cc5604bf02d23b4caede71393cedfbb191434dd016d30177ccbf8096bb474e53895c362d8628ee9f9ea3c0e52c7a5c691b6c18c9979866568add7a2d41b00b05081ed0f58ee5e31b3a970e',
    beta: '645427e5d00c62a23fb703732fa5d892940935942101e456ecca7bb217c61c452118fec1219202a0edcf038bb6373241578be7217ba85a2687f7a0310b2df19f'
  }
]

const [FIRST] = RFC9381
const seed = bytes(FIRST.seed)
const key = bytes(FIRST.key)
const alpha = bytes('00ff')
const proof = prove(seed, alpha)
const flip = (b: Uint8Array, bit: number): Uint8Array => b.map((x, i) => i === bit >> 3 ? x ^ (1 << (bit & 7)) : x)

describe('ECVRF-EDWARDS25519-SHA512-TAI', () => {
  it.each(RFC9381)('gives and takes example $example of RFC 9381', v => {
    expect(publicKey(bytes(v.seed))).toEqual(bytes(v.key))
    expect(toHex(prove(bytes(v.seed), bytes(v.alpha)))).toBe(v.pi)
    expect(toHex(verify(bytes(v.key), bytes(v.alpha), bytes(v.pi)) as Uint8Array)).toBe(v.beta)
    expect(toHex(proofToHash(bytes(v.pi)) as Uint8Array)).toBe(v.beta)
  })

  it('proves one output per key and input, and others for others', () => {
    fc.assert(fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.uint8Array({ maxLength: 80 }), fc.uint8Array({ maxLength: 80 }), (secret, a, b) => {
      const pi = prove(secret, a)
      const beta = verify(publicKey(secret), a, pi)
      expect(pi).toHaveLength(PROOF_BYTES)
      expect(beta).toHaveLength(OUTPUT_BYTES)
      expect(prove(secret, a)).toEqual(pi)
      expect(proofToHash(pi)).toEqual(beta)
      expect(verify(key, a, pi)).toBeUndefined()
      if (toHex(a) !== toHex(b)) {
        expect(verify(publicKey(secret), b, pi)).toBeUndefined()
        expect(proofToHash(prove(secret, b))).not.toEqual(beta)
      }
    }), { numRuns: 6 })
  })

  it('refuses another key, another input, and every changed bit of the proof', () => {
    expect(verify(key, alpha, proof)).toBeDefined()
    expect(verify(bytes(RFC9381[1].key), alpha, proof)).toBeUndefined()
    for (let bit = 0; bit < 16; bit += 3) expect(verify(key, flip(alpha, bit), proof)).toBeUndefined()
    for (let bit = 0; bit < 8 * PROOF_BYTES; bit += 13) expect(verify(key, alpha, flip(proof, bit))).toBeUndefined()
    for (let bit = 0; bit < 256; bit += 19) expect(verify(flip(key, bit), alpha, proof)).toBeUndefined()
  })

  it('refuses what has another length', () => {
    for (const length of [0, 79, 81]) {
      expect(verify(key, alpha, new Uint8Array(length))).toBeUndefined()
      expect(proofToHash(new Uint8Array(length))).toBeUndefined()
    }
    expect(verify(key.subarray(1), alpha, proof)).toBeUndefined()
    expect(verify(new Uint8Array(0), alpha, proof)).toBeUndefined()
  })

  it('refuses a scalar that is not below the order (5.4.4): s + q proves the same to a lax verifier', () => {
    const order = ed25519.Point.CURVE().n
    let s = 0n
    for (let i = 31; i >= 0; i--) s = (s << 8n) | BigInt(proof[48 + i])
    const high = proof.slice()
    for (let i = 0; i < 32; i++) high[48 + i] = Number(((s + order) >> BigInt(8 * i)) & 0xffn)
    expect(verify(key, alpha, high)).toBeUndefined()
    expect(proofToHash(high)).toBeUndefined()
  })

  /** The eight points of small order, and encodings of them that RFC 8032 does not have. */
  const SMALL = [
    '0100000000000000000000000000000000000000000000000000000000000000', 'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    '0000000000000000000000000000000000000000000000000000000000000000', '0000000000000000000000000000000000000000000000000000000000000080',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
    '0100000000000000000000000000000000000000000000000000000000000080', 'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', 'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff'
  ].map(bytes)

  const { Point } = ed25519
  const toNumber = (b: Uint8Array): bigint => b.reduceRight((n, byte) => (n << 8n) | BigInt(byte), 0n)
  const hashed = (...parts: readonly Uint8Array[]): Uint8Array => sha512(Uint8Array.of(...parts.flatMap(part => [...part])))
  type Point = InstanceType<typeof Point>

  /** 5.4.1.1 and 5.4.3 once more, in short. */
  function hashToCurve (salt: Uint8Array): Point {
    for (let i = 0; ; i++) {
      try { return Point.fromBytes(hashed(Uint8Array.of(3, 1), salt, alpha, Uint8Array.of(i, 0)).subarray(0, 32)).clearCofactor() } catch { /* the next counter */ }
    }
  }
  const challenge = (points: readonly Point[]): Uint8Array => hashed(Uint8Array.of(3, 2), ...points.map(p => p.toBytes()), Uint8Array.of(0)).subarray(0, 16)

  /**
   * Without a secret: key and gamma of order 8 vanish from the equations if c is a multiple of 8, and
   * s = k can be tried until it is. Whoever checks no key takes it.
   */
  it('refuses keys of small order (5.4.5), for which anybody can prove', () => {
    const small = Point.fromBytes(SMALL[4])
    const h = hashToCurve(SMALL[4])
    let forged: Uint8Array | undefined
    for (let k = 1n; forged === undefined; k++) {
      const c = challenge([small, h, small, Point.BASE.multiply(k), h.multiply(k)])
      if (c[0] % 8 !== 0) continue
      const n = toNumber(c)
      // The equations of 5.3 hold.
      expect(challenge([small, h, small, Point.BASE.multiply(k).subtract(small.multiplyUnsafe(n)), h.multiply(k).subtract(small.multiplyUnsafe(n))])).toEqual(c)
      forged = Uint8Array.of(...SMALL[4], ...c, ...Array.from({ length: 32 }, (_, i) => Number((k >> BigInt(8 * i)) & 0xffn)))
    }
    expect(proofToHash(forged)).toBeDefined()
    expect(verify(SMALL[4], alpha, forged)).toBeUndefined()
    for (const key of SMALL) expect(verify(key, alpha, proof)).toBeUndefined()
  })

  it('refuses an encoding of gamma that is not the one of its point (RFC 8032, 5.1.3)', () => {
    for (const gamma of SMALL.slice(8)) expect(proofToHash(Uint8Array.of(...gamma, ...proof.subarray(32)))).toBeUndefined()
  })

  it('gives a gamma with a part of small order no other output', () => {
    const torsion = ed25519.Point.fromBytes(SMALL[4])
    const gamma = ed25519.Point.fromBytes(proof.subarray(0, 32)).add(torsion)
    expect(proofToHash(Uint8Array.of(...gamma.toBytes(), ...proof.subarray(32)))).toEqual(proofToHash(proof))
  })
})
