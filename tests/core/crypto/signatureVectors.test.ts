/**
 * Published signatures, good and bad, for the pinned rule (ZIP-215), and Node's WebCrypto beside it:
 * what WebCrypto takes must be taken, for it may say yes early (compute/signatures.ts).
 * Vectors: scripts/make-signature-vectors.ts.
 */
import { webcrypto } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { ed25519 } from '@noble/curves/ed25519.js'
import { describe, expect, it } from 'vitest'
import { fromHex } from '../../../src/core/codec/ssz.ts'
import { sign, verifyZip215 } from '../../../src/core/crypto/keys.ts'
import { hash, u32le } from '../../../src/core/crypto/hash.ts'
import { Mutator } from '../../fuzz/mutate.ts'
import { Rng } from '../../fuzz/random.ts'

interface Vector { readonly id: number, readonly key: string, readonly msg: string, readonly sig: string }

const bytes = (hex: string): Uint8Array => fromHex(hex, hex.length / 2) as Uint8Array
function vectors<T extends Vector> (name: string): readonly T[] {
  return (JSON.parse(readFileSync(new URL(`../../vectors/${name}`, import.meta.url), 'utf8')) as { readonly vectors: readonly T[] }).vectors
}

const wycheproof = vectors<Vector & { readonly valid: boolean, readonly why: string }>('ed25519-wycheproof.json')
const cctv = vectors<Vector & { readonly flags: string }>('ed25519-cctv.json')

const zip215 = (v: Vector): boolean => verifyZip215(bytes(v.key), bytes(v.msg), bytes(v.sig))

async function webCrypto (key: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
  try {
    const imported = await webcrypto.subtle.importKey('raw', key, { name: 'Ed25519' }, false, ['verify'])
    return await webcrypto.subtle.verify({ name: 'Ed25519' }, imported, signature, message)
  } catch {
    // A key that is no key to it.
    return false
  }
}

describe('Wycheproof, Ed25519', () => {
  /**
   * Wycheproof asks for RFC 8032, which has one encoding of a point. ZIP-215 takes others too, where
   * the equation holds: 151 has an R whose y is 1 and whose x, 0, has its sign bit set.
   */
  const TAKEN_BY_ZIP215 = [151]

  it('are 151, of which 63 are wrong', () => {
    expect(wycheproof).toHaveLength(151)
    expect(wycheproof.filter(v => !v.valid)).toHaveLength(63)
  })

  it('every good one is taken, every bad one refused but those that ZIP-215 takes by design', () => {
    expect(wycheproof.filter(v => zip215(v) !== v.valid).map(v => v.id)).toEqual(TAKEN_BY_ZIP215)
  })

  it('the strict rule of RFC 8032 refuses those too', () => {
    expect(wycheproof.filter(v => v.sig.length === 128 && ed25519.verify(bytes(v.sig), bytes(v.msg), bytes(v.key), { zip215: false }) !== v.valid).map(v => v.id)).toEqual([])
  })

  it('WebCrypto takes none that we refuse', async () => {
    for (const v of wycheproof) if (await webCrypto(bytes(v.key), bytes(v.msg), bytes(v.sig))) expect([v.id, zip215(v)]).toEqual([v.id, true])
  })
})

describe('CCTV, Ed25519: every combination of odd points', () => {
  it('are 914', () => { expect(cctv).toHaveLength(914) })

  /**
   * ZIP-215 takes all of them, but for those whose hash was made over another encoding of R or A than
   * the one they carry ("reencoded_k"): these are signatures under a rule that nobody has. Where A is
   * of small order the hash does not matter, times the cofactor.
   */
  it('ZIP-215 takes all of them that its hash is in', () => {
    const expected = (flags: string): boolean => !flags.includes('reencoded_k') || flags.split(' ').includes('low_order_A')
    expect(cctv.filter(v => zip215(v) !== expected(v.flags)).map(v => [v.id, v.flags])).toEqual([])
    expect(cctv.filter(v => !expected(v.flags)).length).toBeLessThan(100)
  })

  it('WebCrypto takes some of them, none that we refuse, and refuses others: it may say yes, never no', async () => {
    const taken = await Promise.all(cctv.map(async v => await webCrypto(bytes(v.key), bytes(v.msg), bytes(v.sig))))
    expect(cctv.filter((v, i) => taken[i] && !zip215(v)).map(v => v.id)).toEqual([])
    expect(taken.some(t => t)).toBe(true)
    expect(taken.some(t => !t)).toBe(true)
  })
})

describe('what WebCrypto takes, ZIP-215 takes', () => {
  const SEED = Math.floor(Math.random() * 2 ** 32)
  const rng = new Rng(SEED)
  const L = ed25519.Point.CURVE().n
  const torsion = ed25519.Point.fromBytes(bytes('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'))

  it(`on signatures that were tampered with (seed ${SEED})`, async () => {
    const pool = Array.from({ length: 4 }, (_, i) => {
      const seed = hash('fuzz-signer', u32le(i))
      const message = rng.bytes(i * 9)
      return Uint8Array.of(...ed25519.getPublicKey(seed), ...sign(seed, message), ...message)
    })
    const mutator = new Mutator(rng, { max: 160 })
    let good = 0
    for (let i = 0; i < 400; i++) {
      const b = i < pool.length ? pool[i] : mutator.mutate(rng.pick(pool), pool).slice()
      const [key, signature, message] = [b.slice(0, 32), b.slice(32, 96), b.slice(96)]
      const web = await webCrypto(key, message, signature)
      if (web) good++
      if (web && !verifyZip215(key, message, signature)) expect.fail(`taken by WebCrypto alone: ${Buffer.from(b).toString('hex')}`)
    }
    expect(good).toBeGreaterThanOrEqual(pool.length)
  })

  it('on keys and nonces with a part of small order, for which the equation holds with or without the cofactor', async () => {
    const answers = { zip: 0, web: 0 }
    for (let i = 0; i < 24; i++) {
      const { scalar } = ed25519.utils.getExtendedPublicKey(hash('fuzz-torsion', u32le(i)))
      const times = (n: number): typeof torsion => torsion.multiplyUnsafe(BigInt(n))
      const key = ed25519.Point.BASE.multiply(scalar).add(times(i % 8)).toBytes()
      const r = (scalar * 7n + BigInt(i)) % L
      const nonce = ed25519.Point.BASE.multiply(r).add(times(i >> 3)).toBytes()
      const message = Uint8Array.of(i)
      const k = await challenge(nonce, key, message)
      let s = (r + k * scalar) % L
      const signature = Uint8Array.of(...nonce, ...Array.from({ length: 32 }, () => { const byte = Number(s & 0xffn); s >>= 8n; return byte }))
      const [zip, web] = [verifyZip215(key, message, signature), await webCrypto(key, message, signature)]
      if (zip) answers.zip++
      if (web) answers.web++
      expect(zip || !web).toBe(true)
    }
    // The cofactored equation holds for all of them, the other one where the small parts cancel.
    expect(answers.zip).toBe(24)
    expect(answers.web).toBeLessThan(24)
  })

  async function challenge (...parts: readonly Uint8Array[]): Promise<bigint> {
    const digest = new Uint8Array(await webcrypto.subtle.digest('SHA-512', Buffer.concat(parts)))
    return digest.reduceRight((n, byte) => (n << 8n) | BigInt(byte), 0n) % L
  }
})
