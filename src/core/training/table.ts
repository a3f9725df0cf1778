/**
 * What a table says besides its numbers: the names of its columns, the least and the greatest value that
 * each was scaled by, and the names of the classes. No root commits to it and no message carries it: the
 * node that read the table keeps it, and a model file may take it along. It is bounded as a whole: a table
 * that says more is one of which nothing is kept.
 */
import { MAX_CLASSES, MAX_FEATURES } from '../params.ts'
import type { Outcome } from './fieldError.ts'
import { isLess, numberText, type Range, readNumber, scaleValue, valueOf } from './scale.ts'
import { utf8Bytes } from './utf8.ts'

/** Bytes of a column's or a class's name: a question of a survey is one. */
export const MAX_TABLE_NAME_BYTES = 256
/** Bytes of the whole in JSON: 4096 columns with names and numbers of ten characters each, about. */
export const MAX_TABLE_BYTES = 128 * 1024

export interface TableColumn {
  readonly name: string
  /** Over the training rows, as decimal numbers in their canonical text. */
  readonly least: string
  readonly greatest: string
}

export interface Table {
  readonly columns: readonly TableColumn[]
  readonly classes: readonly string[]
}

export type TableReason = 'table-form' | 'table-columns' | 'table-classes' | 'table-name' | 'table-number' | 'table-range' | 'table-size'
export type ReadTable = { readonly ok: true, readonly value: Table } | { readonly ok: false, readonly reason: TableReason, readonly detail: string }

/** Controls, and what turns the direction of writing: either would let a name disturb the text around it. */
function isUnfit (char: string): boolean {
  const c = char.codePointAt(0) as number
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069)
}

/** A header's cell may have line breaks; a column without one is known by its place in the file. */
export function columnName (header: string | undefined, index: number): string {
  const name = Array.from(header ?? '').map(char => isUnfit(char) ? ' ' : char).join('').trim()
  return name === '' ? `column ${index + 1}` : name
}

function nameFault (name: unknown): string | undefined {
  if (typeof name !== 'string') return 'is no text'
  const bytes = utf8Bytes(name)
  if (bytes === undefined) return 'cannot be written in UTF-8'
  if (bytes.length < 1 || bytes.length > MAX_TABLE_NAME_BYTES) return `has ${bytes.length} bytes, expected 1 to ${MAX_TABLE_NAME_BYTES}`
  if (Array.from(name).some(isUnfit)) return 'has control characters'
  return undefined
}

const isCanonical = (text: unknown): text is string => {
  const value = typeof text === 'string' && text.length <= 32 ? readNumber(text) : undefined
  return value !== undefined && numberText(value) === text
}

/** In JSON, and short: a table may have thousands of them. */
export const columnJson = ({ name, least, greatest }: TableColumn): unknown => [name, least, greatest]
export const tableJson = ({ columns, classes }: Table): unknown => ({ columns: columns.map(columnJson), classes })

/** Strict: as many columns and classes as the data set has, every bound kept, numbers in their one form. */
export function parseTable (value: unknown, data: { readonly features: number, readonly classes: number }): ReadTable {
  const bad = (reason: TableReason, detail: string): ReadTable => ({ ok: false, reason, detail })
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return bad('table-form', 'expected an object')
  const { columns, classes, ...rest } = value as { readonly [key: string]: unknown }
  if (!Array.isArray(columns) || !Array.isArray(classes) || Object.keys(rest).length > 0) return bad('table-form', 'expected columns and classes, and nothing else')
  if (columns.length !== data.features || columns.length > MAX_FEATURES) return bad('table-columns', `${columns.length} columns, the data has ${data.features}`)
  if (classes.length !== data.classes || classes.length > MAX_CLASSES) return bad('table-classes', `${classes.length} classes, the data has ${data.classes}`)
  const read: TableColumn[] = []
  for (const [i, column] of (columns as unknown[]).entries()) {
    if (!Array.isArray(column) || column.length !== 3) return bad('table-form', `column ${i} is not a name and two numbers`)
    const [name, least, greatest] = column as unknown[]
    const wrong = nameFault(name)
    if (wrong !== undefined) return bad('table-name', `the name of column ${i} ${wrong}`)
    if (!isCanonical(least) || !isCanonical(greatest)) return bad('table-number', `column ${i} has a bound that is no number, or one that is written otherwise`)
    const range = rangeOf({ least, greatest })
    if (isLess(range.greatest, range.least)) return bad('table-range', `column ${i} goes from ${least} to ${greatest}`)
    read.push({ name: name as string, least, greatest })
  }
  for (const [i, name] of (classes as unknown[]).entries()) {
    const wrong = nameFault(name)
    if (wrong !== undefined) return bad('table-name', `the name of class ${i} ${wrong}`)
  }
  if (new Set(classes).size !== classes.length) return bad('table-classes', 'two classes have one name')
  const table: Table = { columns: read, classes: classes as string[] }
  const size = utf8Bytes(JSON.stringify(tableJson(table)))!.length
  if (size > MAX_TABLE_BYTES) return bad('table-size', `${size} bytes, at most ${MAX_TABLE_BYTES}`)
  return { ok: true, value: table }
}

/** Undefined where a bound is not kept: half of it would name some columns and leave the user to guess the others. */
export function tableOf (columns: ReadonlyArray<Range & { readonly name: string }>, classes: readonly string[]): Table | undefined {
  const table: Table = { columns: columns.map(c => ({ name: c.name, least: numberText(c.least), greatest: numberText(c.greatest) })), classes }
  const read = parseTable(tableJson(table), { features: columns.length, classes: classes.length })
  return read.ok ? read.value : undefined
}

/** The texts were checked when the table was made. */
const rangeOf = ({ least, greatest }: Pick<TableColumn, 'least' | 'greatest'>): Range => ({ least: readNumber(least)!, greatest: readNumber(greatest)! })

export interface ScaledRow {
  readonly features: Uint8Array
  /** Columns whose value lies outside the range of training, and was taken as its nearer end. */
  readonly outside: readonly number[]
}

/** A row as the user writes it, as the model sees it: just as the file was read. */
export function scaleRow ({ columns }: Table, row: readonly string[]): Outcome<ScaledRow> {
  if (row.length !== columns.length) return { ok: false, errors: [{ field: 'row', message: `expected ${columns.length} values, got ${row.length}` }] }
  const errors: Array<{ readonly field: string, readonly message: string }> = []
  const features = new Uint8Array(columns.length)
  const outside: number[] = []
  for (const [i, column] of columns.entries()) {
    const value = readNumber(row[i])
    if (value === undefined) {
      errors.push({ field: `row[${i}]`, message: `expected a number for ${JSON.stringify(column.name)}, found ${row[i].trim() === '' ? 'nothing' : JSON.stringify(row[i].slice(0, 40))}` })
      continue
    }
    const range = rangeOf(column)
    features[i] = scaleValue(range, value)
    if (isLess(value, range.least) || isLess(range.greatest, value)) outside.push(i)
  }
  return errors.length > 0 ? { ok: false, errors } : { ok: true, value: { features, outside } }
}

/** A record in the units of its table; scaled again it is the same record. */
export const rowOf = ({ columns }: Pick<Table, 'columns'>, features: Uint8Array): string[] =>
  columns.map((column, i) => numberText(valueOf(rangeOf(column), features[i])))
