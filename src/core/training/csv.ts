/**
 * CSV tables as data sets: one column holds the class, every other one a number, scaled to 0..255
 * by the exact least and greatest value of the training rows.
 */
import { MAX_CLASSES, MAX_DATASET_BYTES, MAX_FEATURES, MAX_RECORDS } from '../params.ts'
import { type CellNumber, cellNumber, cellText, type CsvFault, scanCsv } from './csvScan.ts'
import { newDataset, type Dataset } from './dataset.ts'
import type { FieldError, Outcome } from './fieldError.ts'
import { Scale } from './scale.ts'
import { splitOrder } from './split.ts'
import { columnName, tableOf } from './table.ts'

export interface CsvFiles {
  readonly train: Uint8Array
  /** Without it a sixth of the rows is held out, drawn by a fixed permutation. */
  readonly test?: Uint8Array
  /** Header of the class column, or its index from 0; the last column by default. */
  readonly labelColumn?: string
}

/** What one pass over a file finds out. */
interface Layout {
  readonly columns: number
  readonly header?: readonly string[]
  readonly labelIndex: number
  /** Class text of every data row. */
  readonly labels: readonly string[]
}

/** A fault without a place is one of the file. */
type Read<T> = { readonly ok: true, readonly value: T } | { readonly ok: false, readonly fault: CsvFault | string }

const isNumber = (bytes: Uint8Array, start: number, end: number): boolean => cellNumber(bytes, start, end) !== undefined
const NUMBER_TEXT = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/

/** Index of the class column among `cells`; a text says what is wrong. */
function findLabel (cells: readonly string[], labelColumn: string | undefined): number | string {
  if (labelColumn === undefined) return cells.length - 1
  const named = cells.indexOf(labelColumn)
  if (named !== -1) return named
  if (/^[0-9]{1,5}$/.test(labelColumn) && Number(labelColumn) < cells.length) return Number(labelColumn)
  return `there is no label column ${JSON.stringify(labelColumn)}; expected one of ${cells.slice(0, 8).map(c => JSON.stringify(c)).join(', ')}${cells.length > 8 ? ', ...' : ''} or an index below ${cells.length}`
}

function readLayout (bytes: Uint8Array, labelColumn: string | undefined): Read<Layout> {
  const first: string[] = []
  const numeric: boolean[] = []
  const labels: string[] = []
  const distinct = new Map<string, string>()
  let labelIndex = -1
  let isText = true
  const fault = scanCsv(bytes, {
    cell (row, column, start, end, quoted) {
      if (row > MAX_RECORDS) return `more than ${MAX_RECORDS} rows`
      if (row > 0 && column !== labelIndex) return undefined
      const text = cellText(bytes, start, end, quoted)
      if (row === 0 && column === 0 && (text === undefined || text.includes('\0'))) isText = false
      if (text === undefined || !isText) return 'this cell is not text in UTF-8: save the file with the encoding UTF-8'
      if (row === 0) {
        if (column > MAX_FEATURES) return `more than ${MAX_FEATURES} feature columns`
        first.push(text)
        numeric.push(isNumber(bytes, start, end))
        return undefined
      }
      if (text === '') return 'the class is empty'
      // One text object per class, however many rows. The header's own name may be counted too.
      if (!distinct.has(text) && distinct.size > MAX_CLASSES) return `the label column has more than ${MAX_CLASSES} different values; is it the right column?`
      if (!distinct.has(text)) distinct.set(text, text)
      labels.push(distinct.get(text) as string)
      return undefined
    },
    endRow (row, columns) {
      if (columns !== first.length) return `the row has ${columns} cells, expected ${first.length} as in the first row`
      if (row > 0) return undefined
      if (columns < 2) return 'one column only; expected at least one feature and the class, separated by commas or semicolons'
      const found = findLabel(first, labelColumn)
      if (typeof found === 'string') return found
      labelIndex = found
      return undefined
    }
  })
  if (!isText) return { ok: false, fault: 'is not text in UTF-8: choose a CSV file, and save a table of another program as one with the encoding UTF-8' }
  if (fault !== undefined) return { ok: false, fault }
  if (first.length === 0) return { ok: false, fault: 'is empty: choose a file with a row for every record' }
  const named = labelColumn !== undefined && first[labelIndex] === labelColumn && !NUMBER_TEXT.test(labelColumn)
  const textFeature = numeric.some((isNumeric, column) => !isNumeric && column !== labelIndex)
  const onlyFirstIsText = !numeric[labelIndex] && labels.length > 0 && [...distinct.keys()].every(t => NUMBER_TEXT.test(t))
  const header = named || textFeature || onlyFirstIsText ? first : undefined
  if (header === undefined && first[labelIndex] === '') return { ok: false, fault: { line: 1, column: labelIndex + 1, message: 'the class is empty' } }
  const all = header === undefined ? [first[labelIndex], ...labels] : labels
  return { ok: true, value: { columns: first.length, header, labelIndex, labels: all } }
}

/** Numbers in numeric order, everything else by code units. */
function sortClasses (names: Iterable<string>): string[] {
  const list = [...names].sort()
  return list.every(n => /^-?[0-9]{1,9}$/.test(n)) ? list.sort((a, b) => Number(a) - Number(b)) : list
}

/** Walks the numbers of a file; every cell outside the class column must be one. */
function eachNumber (bytes: Uint8Array, layout: Layout, visit: (row: number, feature: number, value: CellNumber) => void): CsvFault | undefined {
  const skip = layout.header === undefined ? 0 : 1
  return scanCsv(bytes, {
    cell (row, column, start, end, quoted) {
      if (row < skip || column === layout.labelIndex) return undefined
      const value = cellNumber(bytes, start, end)
      if (value === undefined) {
        const text = cellText(bytes, start, Math.min(end, start + 40), quoted)
        const name = layout.header === undefined ? '' : ` (${JSON.stringify(layout.header[column])})`
        return `expected a number${name}, found ${text === '' ? 'nothing' : text === undefined ? 'bytes that are not UTF-8' : JSON.stringify(text)}`
      }
      visit(row - skip, column < layout.labelIndex ? column : column - 1, value)
      return undefined
    },
    endRow: () => undefined
  })
}

interface Source { readonly field: 'trainFeatures' | 'testFeatures', readonly bytes: Uint8Array, readonly layout: Layout }

const faultError = (field: string, fault: CsvFault | string): FieldError =>
  typeof fault === 'string' ? { field, message: fault } : ({ field, message: `line ${fault.line}, column ${fault.column}: ${fault.message}`, line: fault.line })

function checkTest (train: Layout, test: Layout): string | undefined {
  if (test.columns !== train.columns) return `has ${test.columns} columns, the training file has ${train.columns}`
  if (test.header !== undefined && train.header !== undefined && test.header.some((name, c) => name !== train.header?.[c])) return 'has another header than the training file'
  if (test.labelIndex !== train.labelIndex) return 'has its label column elsewhere than the training file'
  const known = new Set(train.labels)
  const stranger = test.labels.findIndex(l => !known.has(l))
  if (stranger !== -1) return `has the class ${JSON.stringify(test.labels[stranger])}, which the training file has not (data row ${stranger + 1})`
  return undefined
}

export function datasetFromCsv (files: CsvFiles): Outcome<Dataset> {
  const refuse = (field: string, message: string): Outcome<Dataset> => ({ ok: false, errors: [{ field, message }] })
  const train = readLayout(files.train, files.labelColumn)
  if (!train.ok) return { ok: false, errors: [faultError('trainFeatures', train.fault)] }
  const sources: Source[] = [{ field: 'trainFeatures', bytes: files.train, layout: train.value }]
  if (files.test !== undefined) {
    const test = readLayout(files.test, files.labelColumn)
    if (!test.ok) return { ok: false, errors: [faultError('testFeatures', test.fault)] }
    const wrong = checkTest(train.value, test.value)
    if (wrong !== undefined) return refuse('testFeatures', wrong)
    sources.push({ field: 'testFeatures', bytes: files.test, layout: test.value })
  }
  const size = train.value.columns - 1
  const total = sources.reduce((sum, s) => sum + s.layout.labels.length, 0)
  const classNames = sortClasses(new Set(train.value.labels))
  if (sources.some(s => s.layout.labels.length === 0)) return refuse(sources[sources.length - 1].field, 'has a header but no rows')
  if (total < 2) return refuse('trainFeatures', 'has one row: nothing is left to hold out')
  if (total > MAX_RECORDS) return refuse('trainFeatures', `${total} rows in all, at most ${MAX_RECORDS}`)
  if (total * size > MAX_DATASET_BYTES) return refuse('trainFeatures', `${total} rows of ${size} features, at most ${MAX_DATASET_BYTES} bytes in all`)
  if (classNames.length < 2) return refuse('labelColumn', `every row has the class ${JSON.stringify(classNames[0])}; is it the right column?`)
  if (classNames.length > MAX_CLASSES) return refuse('labelColumn', `${classNames.length} classes, at most ${MAX_CLASSES}; is it the right column?`)

  const { place, trainRecords } = placement(sources)
  const columns = Array.from({ length: size }, () => new Scale())
  let offset = 0
  for (const { field, bytes, layout } of sources) {
    const base = offset
    const fault = eachNumber(bytes, layout, (row, feature, value) => { columns[feature].see(value, place[base + row] < trainRecords) })
    if (fault !== undefined) return { ok: false, errors: [faultError(field, fault)] }
    offset += layout.labels.length
  }
  const features = new Uint8Array(total * size)
  const labels = new Uint8Array(total)
  const scalers = columns.map(c => c.scaler())
  const classOf = new Map(classNames.map((name, c) => [name, c]))
  offset = 0
  for (const { bytes, layout } of sources) {
    const base = offset
    eachNumber(bytes, layout, (row, feature, value) => { features[place[base + row] * size + feature] = scalers[feature](value) })
    for (const [row, label] of layout.labels.entries()) labels[place[base + row]] = classOf.get(label) as number
    offset += layout.labels.length
  }
  const { header, labelIndex } = train.value
  const named = columns.map((c, i) => {
    const at = i < labelIndex ? i : i + 1
    return { name: columnName(header?.[at], at), ...c.range() }
  })
  const display = { classNames, columns: tableOf(named, classNames)?.columns }
  return { ok: true, value: newDataset({ features, labels, trainRecords, classes: classNames.length }, display) }
}

/** Where each row goes: in order if there is a test file, else as the split says. */
function placement (sources: readonly Source[]): { readonly place: Uint32Array, readonly trainRecords: number } {
  const trainRows = sources[0].layout.labels.length
  if (sources.length > 1) {
    const total = trainRows + sources[1].layout.labels.length
    return { place: Uint32Array.from({ length: total }, (_, i) => i), trainRecords: trainRows }
  }
  const { order, trainRecords } = splitOrder(trainRows)
  const place = new Uint32Array(trainRows)
  for (let k = 0; k < order.length; k++) place[order[k]] = k
  return { place, trainRecords }
}
