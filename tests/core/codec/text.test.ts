/** Addresses and amounts as people type them. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bech32mDecode, bech32mEncode, formatAddress, parseAddress } from '../../../src/core/codec/address.ts'
import { formatAmount, formatCredits, parseAmount } from '../../../src/core/codec/amount.ts'

const key = fc.uint8Array({ minLength: 32, maxLength: 32 })

/** BIP 350, "Test vectors": valid and invalid strings. */
const VALID = [
  'A1LQFN3A', 'a1lqfn3a',
  'an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6',
  'abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx',
  '11llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllludsr8',
  'split1checkupstagehandshakeupstreamerranterredcaperredlc445v',
  '?1v759aa'
]
const INVALID = [
  ' 1xj0phk', '\x7f1g6xzxy', '\x801vctc34',
  'an84characterslonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11d6pts4',
  'qyrz8wqd2c9m', '1qyrz8wqd2c9m', 'y1b0jsk6g', 'lt1igcx5c0', 'in1muywd', 'mm1crxm3i', 'au1s5cgom', 'M1VUXWEZ', '16plkw9', '1p2gdwpf'
]

describe('bech32m', () => {
  it.each(VALID)('takes %s', text => {
    const d = bech32mDecode(text)
    expect(d).toBeDefined()
    expect(bech32mEncode(d!.prefix, d!.symbols)).toBe(text.toLowerCase())
  })

  it.each(INVALID)('refuses %j', text => expect(bech32mDecode(text)).toBeUndefined())
})

describe('addresses', () => {
  it('come back', () => {
    fc.assert(fc.property(key, k => {
      const text = formatAddress(k)
      expect(text).toMatch(/^cw1[02-9ac-hj-np-z]{58}$/)
      expect(parseAddress(text)).toEqual({ ok: true, value: k })
      expect(parseAddress(` ${text.toUpperCase()}\n`)).toEqual({ ok: true, value: k })
    }))
  })

  it('are refused with any one character changed', () => {
    fc.assert(fc.property(key, fc.nat(57), fc.integer({ min: 1, max: 31 }), (k, at, by) => {
      const charset = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'
      const text = formatAddress(k)
      const i = 3 + at
      const wrong = text.slice(0, i) + charset[(charset.indexOf(text[i]) + by) % 32] + text.slice(i + 1)
      expect(parseAddress(wrong).ok).toBe(false)
    }))
  })

  it('say what is wrong', () => {
    const text = formatAddress(new Uint8Array(32))
    expect(parseAddress(text.slice(0, -1))).toMatchObject({ ok: false, error: expect.stringContaining('mistyped') })
    expect(parseAddress(bech32mEncode('bc', new Array(52).fill(0)))).toMatchObject({ error: expect.stringContaining('bc1') })
    expect(parseAddress(bech32mEncode('cw', new Array(51).fill(0)))).toMatchObject({ error: expect.stringContaining('length') })
    expect(parseAddress(bech32mEncode('cw', [...new Array(51).fill(0), 1]))).toMatchObject({ error: expect.stringContaining('padded') })
    expect(parseAddress('')).toMatchObject({ ok: false })
  })

  it('never throw', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 120 }), text => { parseAddress(text) }))
  })
})

describe('amounts', () => {
  it('come back exactly', () => {
    fc.assert(fc.property(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), g => {
      expect(parseAmount(formatAmount(g))).toEqual({ ok: true, value: g })
    }))
  })

  it.each([['12.5', 12_500_000n], ['0', 0n], ['0.000001', 1n], ['007', 7_000_000n], [' 3 ', 3_000_000n], ['1.100000', 1_100_000n]])('reads %s', (text, grains) => {
    expect(parseAmount(text)).toEqual({ ok: true, value: grains })
  })

  it.each(['', '.5', '5.', '1,5', '-1', '+1', '1e3', '0x10', '1.0000001', '١', '1 000', 'NaN', '18446744073710', '1'.repeat(21)])('refuses %j', text => {
    expect(parseAmount(text).ok).toBe(false)
  })

  it('says which amounts are too large, however long they are', () => {
    for (const text of ['18446744073710', '9'.repeat(40)]) expect(parseAmount(text)).toMatchObject({ ok: false, error: expect.stringMatching(/more than all the credits/) as string })
    expect(parseAmount(`${'0'.repeat(40)}7`)).toEqual({ ok: true, value: 7_000_000n })
  })

  it('are of one credit or of several', () => {
    expect([0n, 1_000_000n, 12_500_000n].map(formatCredits)).toEqual(['0 credits', '1 credit', '12.5 credits'])
  })

  it('writes debits with a sign and nothing superfluous', () => {
    expect(formatAmount(-12_500_000n)).toBe('-12.5')
    expect(formatAmount(-1n)).toBe('-0.000001')
    expect(formatAmount(5_000_000n)).toBe('5')
  })
})
