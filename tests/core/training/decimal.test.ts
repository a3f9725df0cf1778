import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareToInteger, integerOf, lr20Of, parseDecimal, scaleDecimal, type Decimal } from '../../../src/core/training/decimal.ts'

const decimal = (text: string): Decimal => {
  const d = parseDecimal(text)
  if (d === undefined) throw new Error(`not a decimal: ${text}`)
  return d
}

describe('learning rates', () => {
  it.each([
    ['0.001', 1049], ['1e-3', 1049], ['1E-03', 1049], ['0.0010', 1049], ['10e-4', 1049], ['0.1e-2', 1049],
    ['0.002', 2097], ['0.01', 10486], ['0.0624', 65431], ['0.0624995', 65535], ['0.000001', 1], ['5e-7', 1],
    // 1.5 / 2^20 exactly: half rounds up; one digit less rounds down.
    ['0.000001430511474609375', 2], ['0.000001430511474609374', 1]
  ])('%s -> %i', (text, lr20) => { expect(lr20Of(decimal(text))).toBe(lr20) })

  it.each(['0', '0.0', '0.0000004', '0.0625', '1', '-0.001', '1e60'])('%s is outside', text => {
    expect(lr20Of(decimal(text))).toBeUndefined()
  })

  it('does not go through a float', () => {
    // Nearest doubles of these two are equal; their roundings are not.
    const below = '0.00095415115356445312499999999999'
    const above = '0.000954151153564453125'
    expect(Number(below)).toBe(Number(above))
    expect([lr20Of(decimal(below)), lr20Of(decimal(above))]).toEqual([1000, 1001])
  })
})

describe('decimals', () => {
  it.each(['', '-', '.5', '5.', '01', '+1', '1e', '1e+', 'NaN', 'Infinity', '0x10', '1_000', ' 1', '1 ', '1e65', '1e-65', '1'.repeat(65)])('refuses %j', text => {
    expect(parseDecimal(text)).toBeUndefined()
  })

  it('scales and rounds as rationals do', () => {
    const digits = fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n })
    fc.assert(fc.property(digits, fc.integer({ min: -30, max: 10 }), fc.bigInt({ min: 1n, max: 1n << 40n }), (d, e, scale) => {
      const text = `${d}e${e}`
      const rounded = scaleDecimal(decimal(text), scale)
      // |value * scale - rounded| <= 1/2, in exact integers, and a tie goes away from zero.
      const unit = 10n ** BigInt(Math.max(0, -e))
      const exact = d * 10n ** BigInt(Math.max(0, e)) * scale
      const off = 2n * (exact - rounded * unit)
      const tieIsAway = off === unit || off === -unit ? (exact > 0n) === (off < 0n) : true
      return off <= unit && off >= -unit && tieIsAway
    }), { numRuns: 500 })
  })

  it.each([['60000', 60000n], ['6e4', 60000n], ['60000.00', 60000n], ['600000e-1', 60000n], ['-3', -3n], ['0e5', 0n]])('%s is the integer %s', (text, n) => {
    expect(integerOf(decimal(text))).toBe(n)
  })
  it.each(['0.5', '6.0001', '1e-1', '-2.5'])('%s is no integer', text => { expect(integerOf(decimal(text))).toBeUndefined() })

  it('compares with integers', () => {
    expect(['0.9999', '1', '1.0001', '-0.1', '1e2'].map(t => compareToInteger(decimal(t), 1n))).toEqual([-1, 0, 1, -1, 1])
  })
})
