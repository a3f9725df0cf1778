/**
 * Cells of a CSV file as byte ranges, so that a file of millions of cells makes no strings.
 * Source: RFC 4180; also takes bare line feeds, a byte order mark and blank lines, and semicolons in the place of
 * commas, as programs write them where the comma is the decimal sign.
 */
import { utf8Text } from './utf8.ts'

/** Called in order; a returned text stops the scan as an error. */
export interface CsvVisitor {
  /** `start` and `end` exclude the quotes. */
  cell(row: number, column: number, start: number, end: number, quoted: boolean): string | undefined
  endRow(row: number, columns: number): string | undefined
}

export interface CsvFault { readonly line: number, readonly column: number, readonly message: string }

const QUOTE = 0x22
const COMMA = 0x2c
const SEMICOLON = 0x3b
const CR = 0x0d
const LF = 0x0a

function bodyStart (bytes: Uint8Array): number {
  return bytes.length >= 3 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0
}

/**
 * What stands between the cells: a comma, unless the first row has none outside quotes and has a semicolon there.
 * Such a file has one column by RFC 4180, which is of no use as a table.
 */
function separatorOf (bytes: Uint8Array): number {
  let inQuotes = false
  let found = COMMA
  let isBlank = true
  for (let at = bodyStart(bytes); at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte === QUOTE) inQuotes = !inQuotes
    else if (!inQuotes && byte === COMMA) return COMMA
    else if (!inQuotes && byte === SEMICOLON) found = SEMICOLON
    else if (!inQuotes && byte === LF && !isBlank) return found
    isBlank &&= byte === CR || byte === LF
  }
  return found
}

/** Row numbers count rows that are not blank; lines and columns of a fault count from 1. */
export function scanCsv (bytes: Uint8Array, visitor: CsvVisitor): CsvFault | undefined {
  const separator = separatorOf(bytes)
  let at = bodyStart(bytes)
  let line = 1
  let row = 0
  let column = 0
  const atLineEnd = (): boolean => at === bytes.length || bytes[at] === LF || (bytes[at] === CR && bytes[at + 1] === LF)
  while (at < bytes.length) {
    if (column === 0 && atLineEnd()) {
      at += bytes[at] === CR ? 2 : 1
      line++
      continue
    }
    const cellLine = line
    const quoted = bytes[at] === QUOTE
    let start = at
    let end = at
    if (quoted) {
      start = ++at
      for (;;) {
        if (at >= bytes.length) return { line: cellLine, column: column + 1, message: 'a quoted cell without its closing quote' }
        if (bytes[at] === LF) line++
        if (bytes[at] === QUOTE) {
          if (bytes[at + 1] !== QUOTE) break
          at++
        }
        at++
      }
      end = at++
      if (!atLineEnd() && bytes[at] !== separator) return { line, column: column + 1, message: `text after a closing quote; expected a ${separator === COMMA ? 'comma' : 'semicolon'} or the end of the line` }
    } else {
      while (!atLineEnd() && bytes[at] !== separator) {
        // A decimal comma: whether 1,5 is a number or two is not guessed.
        if (bytes[at] === COMMA) return { line, column: column + 1, message: 'a comma where semicolons separate the columns: write decimals with a point, and text with a comma in quotes' }
        if (bytes[at] === QUOTE) return { line, column: column + 1, message: 'a quote inside a cell that does not begin with one' }
        at++
      }
      end = at
    }
    let wrong = visitor.cell(row, column, start, end, quoted)
    if (wrong === undefined && bytes[at] === separator) {
      at++
      column++
      if (at < bytes.length && !atLineEnd()) continue
      wrong = visitor.cell(row, column, at, at, false)
    }
    wrong ??= visitor.endRow(row, column + 1)
    if (wrong !== undefined) return { line: cellLine, column: column + 1, message: wrong }
    at += bytes[at] === CR ? 2 : 1
    line++
    row++
    column = 0
  }
  return undefined
}

/** Text of a cell, surrounding blanks removed; undefined if it is not UTF-8. */
export function cellText (bytes: Uint8Array, start: number, end: number, quoted: boolean): string | undefined {
  const text = utf8Text(bytes.subarray(start, end))
  return (quoted ? text?.replaceAll('""', '"') : text)?.trim()
}

export interface CellNumber {
  /** value = mantissa * 10^exponent; at most 15 significant digits are read, so it is exact. */
  readonly mantissa: number
  readonly exponent: number
}

export const MAX_DIGITS = 15
export const MAX_POWER = 100

/**
 * A decimal number, from the bytes. Digits after the fifteenth are dropped: a feature is scaled to
 * 8 bits. Undefined for anything else, NaN and infinities included.
 */
export function cellNumber (bytes: Uint8Array, start: number, end: number): CellNumber | undefined {
  let i = start
  while (i < end && (bytes[i] === 0x20 || bytes[i] === 0x09)) i++
  while (end > i && (bytes[end - 1] === 0x20 || bytes[end - 1] === 0x09)) end--
  const negative = bytes[i] === 0x2d
  if (i < end && (negative || bytes[i] === 0x2b)) i++
  let mantissa = 0
  let digits = 0
  let seen = 0
  let exponent = 0
  let point = false
  for (; i < end; i++) {
    const digit = bytes[i] - 0x30
    if (digit >= 0 && digit <= 9) {
      seen++
      if (digits < MAX_DIGITS) {
        mantissa = mantissa * 10 + digit
        if (mantissa > 0) digits++
        if (point) exponent--
      } else if (!point) exponent++
    } else if (bytes[i] === 0x2e && !point) point = true
    else break
  }
  if (seen === 0) return undefined
  if (i < end) {
    const power = powerOfTen(bytes, i, end)
    if (power === undefined) return undefined
    exponent += power
  }
  if (mantissa === 0) return { mantissa: 0, exponent: 0 }
  if (exponent > MAX_POWER || exponent < -MAX_POWER) return undefined
  return { mantissa: negative ? -mantissa : mantissa, exponent }
}

/** "e-3" and the like. */
function powerOfTen (bytes: Uint8Array, start: number, end: number): number | undefined {
  let i = start
  if (bytes[i] !== 0x65 && bytes[i] !== 0x45) return undefined
  i++
  const negative = bytes[i] === 0x2d
  if (negative || bytes[i] === 0x2b) i++
  if (i >= end || end - i > 4) return undefined
  let power = 0
  for (; i < end; i++) {
    const digit = bytes[i] - 0x30
    if (digit < 0 || digit > 9) return undefined
    power = power * 10 + digit
  }
  return negative ? -power : power
}
