/**
 * Exact decimals: a learning rate becomes an integer from its digits, never through a float
 * (EXACT 9), so that every node derives the same job hash from the same file.
 */

/** value = digits * 10^exponent, with its sign. */
export interface Decimal { readonly digits: bigint, readonly exponent: number }

/** Longest number text read, and largest exponent: bounds the bigints below. */
const MAX_TEXT = 64
const MAX_EXPONENT = 64

/** A number as JSON writes it; undefined if it is not one, or is absurdly long. */
export function parseDecimal (text: string): Decimal | undefined {
  if (text.length > MAX_TEXT) return undefined
  const m = /^(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/.exec(text)
  if (m === null) return undefined
  const [, sign, whole, fraction = '', power = '0'] = m
  const shift = Number(power)
  if (shift > MAX_EXPONENT || shift < -MAX_EXPONENT) return undefined
  const digits = BigInt(whole + fraction)
  return { digits: sign === '-' ? -digits : digits, exponent: shift - fraction.length }
}

/** round(value * scale), half away from zero. */
export function scaleDecimal ({ digits, exponent }: Decimal, scale: bigint): bigint {
  const n = digits * scale
  if (exponent >= 0) return n * 10n ** BigInt(exponent)
  const d = 10n ** BigInt(-exponent)
  const magnitude = n < 0n ? -n : n
  const rounded = (2n * magnitude + d) / (2n * d)
  return n < 0n ? -rounded : rounded
}

/** The value if it is an integer ("60000", "6e4", "60000.0"). */
export function integerOf (value: Decimal): bigint | undefined {
  const n = scaleDecimal(value, 1n)
  return compareToInteger(value, n) === 0 ? n : undefined
}

/** Sign of value - n. */
export function compareToInteger ({ digits, exponent }: Decimal, n: bigint): number {
  const left = exponent >= 0 ? digits * 10n ** BigInt(exponent) : digits
  const right = exponent >= 0 ? n : n * 10n ** BigInt(-exponent)
  return left < right ? -1 : left > right ? 1 : 0
}

export const MAX_LR20 = 65535n

/** LR20 = round(rate * 2^20), 1..65535; undefined outside. */
export function lr20Of (rate: Decimal): number | undefined {
  const scaled = scaleDecimal(rate, 1n << 20n)
  return scaled >= 1n && scaled <= MAX_LR20 ? Number(scaled) : undefined
}
