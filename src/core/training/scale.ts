/**
 * Decimal numbers of a table as the bytes a model sees, exactly: round(255 (v - least) / (greatest - least)),
 * half up, clamped. A file is scaled by it when it is read, and a single value when a model is asked.
 */
import { cellNumber, type CellNumber, MAX_DIGITS, MAX_POWER } from './csvScan.ts'
import { utf8Bytes } from './utf8.ts'

const POWERS = Array.from({ length: 16 }, (_, k) => Array<number>(k).fill(10).reduce((a, b) => a * b, 1))
const ZERO: CellNumber = { mantissa: 0, exponent: 0 }

function digitCount (mantissa: number): number {
  const m = Math.abs(mantissa)
  let digits = 0
  while (digits < POWERS.length && m >= POWERS[digits]) digits++
  return digits
}

const big = ({ mantissa, exponent }: CellNumber, unit: number): bigint => BigInt(mantissa) * 10n ** BigInt(exponent - unit)

export function isLess (a: CellNumber, b: CellNumber): boolean {
  const apart = a.exponent - b.exponent
  if (apart === 0) return a.mantissa < b.mantissa
  if (apart > 0 && apart + digitCount(a.mantissa) <= 15) return a.mantissa * POWERS[apart] < b.mantissa
  if (apart < 0 && digitCount(b.mantissa) - apart <= 15) return a.mantissa < b.mantissa * POWERS[-apart]
  const unit = Math.min(a.exponent, b.exponent)
  return big(a, unit) < big(b, unit)
}

export interface Range { readonly least: CellNumber, readonly greatest: CellNumber }

/** Range of one feature over the training rows, and the decimal places that all its rows need. */
export class Scale {
  private least?: CellNumber
  private greatest?: CellNumber
  /** Power of ten of the finest digit, and one above that of the coarsest. */
  private finest = 100
  private top = -200

  see (value: CellNumber, training: boolean): void {
    if (value.mantissa !== 0) {
      this.finest = Math.min(this.finest, value.exponent)
      this.top = Math.max(this.top, value.exponent + digitCount(value.mantissa))
    }
    if (!training) return
    if (this.least === undefined || isLess(value, this.least)) this.least = value
    if (this.greatest === undefined || isLess(this.greatest, value)) this.greatest = value
  }

  range (): Range { return { least: this.least ?? ZERO, greatest: this.greatest ?? ZERO } }

  /** Up to 12 digits plain numbers are exact: 10^12 * 2 * 510 < 2^53; beyond that bigints. */
  scaler (): (value: CellNumber) => number {
    const { least, greatest } = this.range()
    const { finest } = this
    if (!isLess(least, greatest)) return () => 0
    const clamp = (n: number): number => Math.max(0, Math.min(255, n))
    if (this.top - finest <= 12) {
      const units = (v: CellNumber): number => v.mantissa === 0 ? 0 : v.mantissa * POWERS[v.exponent - finest]
      const from = units(least)
      const range = units(greatest) - from
      return value => clamp(Math.floor((510 * (units(value) - from) + range) / (2 * range)))
    }
    const units = (v: CellNumber): bigint => v.mantissa === 0 ? 0n : big(v, finest)
    const from = units(least)
    const range = units(greatest) - from
    return value => {
      const offset = units(value) - from
      return offset <= 0n ? 0 : offset >= range ? 255 : Number((510n * offset + range) / (2n * range))
    }
  }
}

/** One value, as if it stood in a row that does not train. */
export function scaleValue ({ least, greatest }: Range, value: CellNumber): number {
  const scale = new Scale()
  scale.see(least, true)
  scale.see(greatest, true)
  scale.see(value, false)
  return scale.scaler()(value)
}

/** Zeros that are written out rather than counted by an exponent: at most so many digits on a side of the point. */
const PLAIN_DIGITS = 20

/** The one way in which a number is written down; `cellNumber` reads the same number from it. */
export function numberText ({ mantissa, exponent }: CellNumber): string {
  if (mantissa === 0) return '0'
  let m = mantissa
  let e = exponent
  // Up to the power that cellNumber takes: 1000e100 has no shorter form that it would read.
  while (m % 10 === 0 && e < MAX_POWER) { m /= 10; e++ }
  const sign = m < 0 ? '-' : ''
  const digits = String(Math.abs(m))
  if (e >= 0 && digits.length + e <= MAX_DIGITS) return sign + digits + '0'.repeat(e)
  if (e >= 0 || -e > PLAIN_DIGITS) return `${sign}${digits}e${e}`
  const padded = digits.padStart(1 - e, '0')
  return `${sign}${padded.slice(0, padded.length + e)}.${padded.slice(e)}`
}

/** As a cell of a table would be read. */
export function readNumber (text: string): CellNumber | undefined {
  const bytes = utf8Bytes(text)
  return bytes === undefined ? undefined : cellNumber(bytes, 0, bytes.length)
}

/**
 * A short number that scales to `byte`: the coarsest that does, so that a record which is known by its bytes
 * only can be shown in the units of its table. Where 15 digits do not tell the bytes of a range apart, it
 * is the nearest.
 */
export function valueOf ({ least, greatest }: Range, byte: number): CellNumber {
  if (byte === 0 || !isLess(least, greatest)) return least
  if (byte === 255) return greatest
  const unit = Math.min(least.exponent, greatest.exponent)
  const from = big(least, unit)
  const range = big(greatest, unit) - from
  // In 255ths of a unit; a step of a thousandth of the unit is finer than half a byte of any range.
  const exact = 255n * from + range * BigInt(byte)
  let nearest = least
  for (let power = unit + String(range).length; power >= unit - 3; power--) {
    const up = power > unit ? 255n * 10n ** BigInt(power - unit) : 255n
    const down = power < unit ? 10n ** BigInt(unit - power) : 1n
    const mantissa = roundedQuotient(exact * down, up)
    if (mantissa <= -(10n ** BigInt(MAX_DIGITS)) || mantissa >= 10n ** BigInt(MAX_DIGITS)) break
    // Read from its text, as the user's own entry would be: what that cannot write is no answer.
    const value = readNumber(numberText({ mantissa: Number(mantissa), exponent: mantissa === 0n ? 0 : power }))
    if (value === undefined) continue
    nearest = value
    if (scaleValue({ least, greatest }, value) === byte) break
  }
  return nearest
}

/** The nearest whole number, half up. */
function roundedQuotient (n: bigint, d: bigint): bigint {
  const twice = 2n * n + d
  const q = twice / (2n * d)
  return twice < 0n && q * 2n * d !== twice ? q - 1n : q
}
