/** Amounts as text: exact decimals of credits, a million grains each. Integers only, no rounding. */
import { GRAINS_PER_CREDIT } from '../params.ts'

const DECIMALS = 6
const U64_MAX = 0xffffffffffffffffn

/** What is longer is more than there can be, and is not made a number of. */
const WHOLE_DIGITS_MAX = 20

export type AmountParse =
  | { readonly ok: true, readonly value: bigint }
  | { readonly ok: false, readonly error: string }

const TOO_LARGE = { ok: false, error: 'this is more than all the credits there can ever be' } as const

/** 12500000n is "12.5". */
export function formatAmount (grains: bigint): string {
  const sign = grains < 0n ? '-' : ''
  const size = grains < 0n ? -grains : grains
  const part = (size % GRAINS_PER_CREDIT).toString().padStart(DECIMALS, '0').replace(/0+$/, '')
  return `${sign}${size / GRAINS_PER_CREDIT}${part === '' ? '' : `.${part}`}`
}

/** 1000000n is "1 credit", 12500000n is "12.5 credits". */
export const formatCredits = (grains: bigint): string => `${formatAmount(grains)} ${grains === GRAINS_PER_CREDIT ? 'credit' : 'credits'}`

/** What is wrong with digits that have a comma among them: it would be a decimal sign for some and a mark of thousands for others. */
export function commaFault (text: string): string | undefined {
  return /^[\d.]*,[\d.,]*$/.test(text.trim()) ? 'write decimals with a point, and thousands without a comma, such as 1234.5' : undefined
}

/** Digits, and a point with one to six digits behind it; no sign, no exponent, no grouping. */
export function parseAmount (text: string): AmountParse {
  const match = /^0*(\d+)(?:\.(\d+))?$/.exec(text.trim())
  if (match === null) return { ok: false, error: commaFault(text) ?? 'expected an amount such as 12 or 12.5' }
  const part = match[2] ?? ''
  if (part.length > DECIMALS) return { ok: false, error: `at most ${DECIMALS} decimal places` }
  if (match[1].length > WHOLE_DIGITS_MAX) return TOO_LARGE
  const value = BigInt(match[1]) * GRAINS_PER_CREDIT + BigInt(part.padEnd(DECIMALS, '0'))
  return value > U64_MAX ? TOO_LARGE : { ok: true, value }
}
