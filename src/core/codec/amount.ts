/** Amounts as text: exact decimals of credits, a million grains each. Integers only, no rounding. */
import { GRAINS_PER_CREDIT } from '../params.ts'

const DECIMALS = 6
const U64_MAX = 0xffffffffffffffffn

export type AmountParse =
  | { readonly ok: true, readonly value: bigint }
  | { readonly ok: false, readonly error: string }

/** 12500000n is "12.5". */
export function formatAmount (grains: bigint): string {
  const sign = grains < 0n ? '-' : ''
  const size = grains < 0n ? -grains : grains
  const part = (size % GRAINS_PER_CREDIT).toString().padStart(DECIMALS, '0').replace(/0+$/, '')
  return `${sign}${size / GRAINS_PER_CREDIT}${part === '' ? '' : `.${part}`}`
}

/** Digits, and a point with one to six digits behind it; no sign, no exponent, no grouping. */
export function parseAmount (text: string): AmountParse {
  const match = /^(\d{1,20})(?:\.(\d+))?$/.exec(text.trim())
  if (match === null) return { ok: false, error: 'expected an amount such as 12 or 12.5' }
  const part = match[2] ?? ''
  if (part.length > DECIMALS) return { ok: false, error: `at most ${DECIMALS} decimal places` }
  const value = BigInt(match[1]) * GRAINS_PER_CREDIT + BigInt(part.padEnd(DECIMALS, '0'))
  return value > U64_MAX ? { ok: false, error: 'the amount is larger than any there can be' } : { ok: true, value }
}
