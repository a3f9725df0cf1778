import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { datasetFromCsv, type CsvFiles } from '../../../src/core/training/csv.ts'
import { cellNumber, cellText, scanCsv } from '../../../src/core/training/csvScan.ts'
import type { Dataset } from '../../../src/core/training/dataset.ts'
import { splitOrder } from '../../../src/core/training/split.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

function table (text: string | Uint8Array): string[][] {
  const data = typeof text === 'string' ? bytes(text) : text
  const rows: string[][] = []
  const fault = scanCsv(data, {
    cell (row, column, start, end, quoted) {
      rows[row] ??= []
      rows[row][column] = cellText(data, start, end, quoted) as string
      return undefined
    },
    endRow: (row, columns) => rows[row].length === columns ? undefined : 'endRow disagrees'
  })
  if (fault !== undefined) throw new Error(`${fault.line}:${fault.column} ${fault.message}`)
  return rows
}

function read (files: Omit<CsvFiles, 'train' | 'test'> & { readonly train: string, readonly test?: string }): Dataset {
  const result = datasetFromCsv({ ...files, train: bytes(files.train), test: files.test === undefined ? undefined : bytes(files.test) })
  if (!result.ok) throw new Error(JSON.stringify(result.errors))
  return result.value
}

const errorsOf = (files: { readonly train: string | Uint8Array, readonly test?: string, readonly labelColumn?: string }): unknown => {
  const result = datasetFromCsv({ ...files, train: typeof files.train === 'string' ? bytes(files.train) : files.train, test: files.test === undefined ? undefined : bytes(files.test) })
  return result.ok ? 'accepted' : result.errors
}

describe('RFC 4180', () => {
  it.each([
    ['plain', 'a,b\nc,d\n', [['a', 'b'], ['c', 'd']]],
    ['CRLF, no last line end', 'a,b\r\nc,d', [['a', 'b'], ['c', 'd']]],
    ['quotes', '"a ""x""","b,\nc"\nd,e', [['a "x"', 'b,\nc'], ['d', 'e']]],
    ['blank lines', '\n\na,b\n\r\n\nc,d\n\n', [['a', 'b'], ['c', 'd']]],
    ['empty cells', ',\na,\n', [['', ''], ['a', '']]],
    ['a trailing empty cell at the end', 'a,b\nc,', [['a', 'b'], ['c', '']]],
    ['a byte order mark', '\ufeffa,b', [['a', 'b']]],
    ['blanks around cells', ' a , b\t\n', [['a', 'b']]],
    ['an empty quoted cell', '"",x', [['', 'x']]],
    ['semicolons, as there are no commas outside quotes', '\n"a,b";c\r\n1.5;"x;y"\n;"1,5"', [['a,b', 'c'], ['1.5', 'x;y'], ['', '1,5']]],
    ['commas, as there is one in the first row', 'a;b,c\nd,e;f', [['a;b', 'c'], ['d', 'e;f']]],
    ['no semicolon within quotes as a separator', '"a;b"\n"c"', [['a;b'], ['c']]]
  ])('reads %s', (_, text, rows) => { expect(table(text)).toEqual(rows) })

  it('reads back what a writer wrote', () => {
    const cell = fc.string({ unit: fc.constantFrom('a', '1', ',', '"', '\n', '\r\n', 'é', ' x'), maxLength: 6 }).map(s => s.trim())
    fc.assert(fc.property(fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 5 }), fc.constantFrom('\n', '\r\n'), (rows, end) => {
      const text = rows.map(r => r.map(c => /[",\r\n]/.test(c) ? `"${c.replaceAll('"', '""')}"` : c).join(',')).join(end)
      expect(table(text)).toEqual(rows)
    }), { numRuns: 500 })
  })

  it.each([
    ['a,"b', '1:2 a quoted cell without its closing quote'],
    ['a,b\n"c"x,d', '2:1 text after a closing quote; expected a comma or the end of the line'],
    ['a;b\n"c"x;d', '2:1 text after a closing quote; expected a semicolon or the end of the line'],
    ['a;b\nc;1,5', '2:2 a comma where semicolons separate the columns'],
    ['a,b\nc,d"e', '2:2 a quote inside a cell that does not begin with one'],
    ['"x\ny",b\nc"', '3:1 a quote inside a cell that does not begin with one']
  ])('refuses %j', (text, message) => { expect(() => table(text)).toThrow(message) })
})

it('makes the same data set of a table with semicolons as of one with commas', () => {
  const text = 'height,width,kind\n1.5,2,tall\n3,4.25,wide\n5,6,tall\n7,8,wide\n'
  expect(read({ train: text.replaceAll(',', ';') }).ref).toEqual(read({ train: text }).ref)
})

describe('numbers in cells', () => {
  const parse = (text: string): ReturnType<typeof cellNumber> => cellNumber(bytes(text), 0, bytes(text).length)

  it('reads decimals exactly', () => {
    fc.assert(fc.property(fc.integer({ min: -999_999_999, max: 999_999_999 }), fc.integer({ min: 0, max: 6 }), (n, places) => {
      const digits = String(Math.abs(n)).padStart(places + 1, '0')
      const text = `${n < 0 ? '-' : ''}${digits.slice(0, digits.length - places)}${places > 0 ? `.${digits.slice(-places)}` : ''}`
      const value = parse(text)
      expect(value === undefined ? undefined : BigInt(value.mantissa) * 10n ** BigInt(value.exponent + 6)).toBe(BigInt(n) * 10n ** BigInt(6 - places))
    }))
  })

  it.each([
    ['1.5', 15, -1], ['.5', 5, -1], ['5.', 5, 0], ['+7', 7, 0], ['-2e3', -2, 3], ['1E-02', 1, -2], [' 4\t', 4, 0], ['0.000', 0, 0], ['-0', 0, 0],
    ['123456789012345678', 123456789012345, 3], ['0.1234567890123456789', 123456789012345, -15]
  ])('%j', (text, mantissa, exponent) => { expect(parse(text)).toEqual({ mantissa, exponent }) })

  it.each(['', ' ', '-', '.', 'e5', '1e', '1e+', '1x', 'NaN', 'Infinity', '1,5', '0x10', '1 2', '--1', '1.2.3', '1e101', '1e9999', '?'])('%j is no number', text => {
    expect(parse(text)).toBeUndefined()
  })
})

/** Rows in the order in which the data set has them. */
function scaled (train: string, test: string): number[][] {
  const data = read({ train, test })
  return Array.from({ length: data.records }, (_, i) => [...data.features(i), data.label(i)])
}

describe('tables as data sets', () => {
  it('scales by the exact range of the training rows and clamps the test rows', () => {
    expect(scaled('x,y,kind\n0,-1.5,a\n10,2.5,b\n5,0.5,a\n', 'x,y,kind\n-3,99,b\n2.5,0,a\n')).toEqual([[0, 0, 0], [255, 255, 1], [128, 128, 0], [0, 255, 1], [64, 96, 0]])
  })

  it('scales as rationals do', () => {
    const cell = fc.tuple(fc.bigInt({ min: -(10n ** 14n), max: 10n ** 14n }), fc.integer({ min: -12, max: 6 }))
    fc.assert(fc.property(fc.array(cell, { minLength: 2, maxLength: 12 }), cells => {
      const text = cells.map(([m, e], i) => `${m}e${e},${i % 2}`).join('\n')
      const exact = cells.map(([m, e]) => m * 10n ** BigInt(e + 12))
      const least = exact.reduce((a, b) => a < b ? a : b)
      const range = exact.reduce((a, b) => a > b ? a : b) - least
      const expected = exact.map(v => range === 0n ? 0 : Number((510n * (v - least) + range) / (2n * range)))
      expect(scaled(text, text).map(r => r[0])).toEqual([...expected, ...expected])
    }), { numRuns: 300 })
  })

  it('gives a constant column zeros, also for other test values', () => {
    expect(scaled('7,1,a\n7,2,b\n', '8,1,a\n').map(r => r[0])).toEqual([0, 0, 0])
  })

  it('holds out a sixth by the fixed permutation and scales by the rest', () => {
    const rows = Array.from({ length: 24 }, (_, i) => `${i * i},${i % 2 === 0 ? 'even' : 'odd'}`)
    const data = read({ train: rows.join('\n') })
    const { order, trainRecords } = splitOrder(24)
    const training = [...order.subarray(0, trainRecords)].map(i => i * i)
    const least = Math.min(...training)
    const range = Math.max(...training) - least
    expect(data.ref).toMatchObject({ trainRecords: 20, testRecords: 4, features: 1, classes: 2 })
    for (let k = 0; k < 24; k++) {
      expect(data.label(k)).toBe(order[k] % 2)
      expect(data.features(k)[0]).toBe(Math.max(0, Math.min(255, Math.round((order[k] ** 2 - least) * 255 / range))))
    }
  })

  it.each([
    ['header by text', 'a,b,c\n1,2,x\n3,4,y\n', ['x', 'y'], 2],
    ['no header, text classes', '1,2,x\n3,4,y\n', ['x', 'y'], 2],
    ['no header, numeric classes', '1,2,0\n3,4,1\n', ['0', '1'], 2],
    ['numbers as header, word over the classes', '1,2,label\n1,2,0\n3,4,1\n', ['0', '1'], 2]
  ])('detects %s', (_, train, names, records) => {
    const data = read({ train })
    expect(data.classNames).toEqual(names)
    expect(data.records).toBe(records)
  })

  it('finds the label column by header or by index', () => {
    const train = 'kind,x,y\nb,1,2\na,3,4\n'
    for (const labelColumn of ['kind', '0']) {
      const data = read({ train, labelColumn })
      expect(data.classNames).toEqual(['a', 'b'])
      expect([...data.gather([0, 1]).labels].sort()).toEqual([0, 1])
    }
    expect(read({ train: '0,1,2\n1,3,4\n', labelColumn: '0' }).records).toBe(2)
  })

  it('orders numeric classes by number', () => {
    expect(read({ train: '1,10\n2,9\n3,-1\n4,10\n' }).classNames).toEqual(['-1', '9', '10'])
  })

  it('reads the example table', () => {
    const result = datasetFromCsv({ train: readFileSync(new URL('../../../examples/flowers.csv', import.meta.url)), labelColumn: 'species' })
    expect(result.ok && result.value.ref).toMatchObject({ trainRecords: 125, testRecords: 25, features: 4, classes: 3 })
  })

  const good = 'x,y,kind\n1,2,a\n3,4,b\n'
  it.each<[string, { readonly train: string | Uint8Array, readonly test?: string, readonly labelColumn?: string }, string, string, number | undefined]>([
    ['an empty file', { train: '' }, 'trainFeatures', 'is empty: choose a file with a row for every record', undefined],
    ['a header alone', { train: 'x,y,kind\n' }, 'trainFeatures', 'has a header but no rows', undefined],
    ['one column', { train: 'x\n1\n2\n' }, 'trainFeatures', 'line 1, column 1: one column only; expected at least one feature and the class, separated by commas or semicolons', 1],
    ['decimal commas between semicolons', { train: 'x;y\n1.5;a\n2,5;b\n' }, 'trainFeatures', 'line 3, column 1: a comma where semicolons separate the columns: write decimals with a point, and text with a comma in quotes', 3],
    ['semicolons that are not the same in every row', { train: 'x;y\n1;2\n3;4;5\n' }, 'trainFeatures', 'line 3, column 3: the row has 3 cells, expected 2 as in the first row', 3],
    ['a short row', { train: 'x,y,kind\n1,2,a\n3,b\n' }, 'trainFeatures', 'line 3, column 2: the row has 2 cells, expected 3 as in the first row', 3],
    ['a long row', { train: 'x,y,kind\n1,2,a,\n' }, 'trainFeatures', 'line 2, column 4: the row has 4 cells, expected 3 as in the first row', 2],
    ['a word among numbers', { train: 'x,y,kind\n1,2,a\n3,many,b\n' }, 'trainFeatures', 'line 3, column 2: expected a number ("y"), found "many"', 3],
    ['a missing value', { train: 'x,y,kind\n1,2,a\n,4,b\n' }, 'trainFeatures', 'line 3, column 1: expected a number ("x"), found nothing', 3],
    ['NaN without a header', { train: '1,2,a\nNaN,4,b\n' }, 'trainFeatures', 'line 2, column 1: expected a number, found "NaN"', 2],
    ['an empty class', { train: 'x,y,kind\n1,2,\n' }, 'trainFeatures', 'line 2, column 3: the class is empty', 2],
    ['one class', { train: 'x,y,kind\n1,2,a\n3,4,a\n' }, 'labelColumn', 'every row has the class "a"; is it the right column?', undefined],
    ['a class per row', { train: Array.from({ length: 300 }, (_, i) => `${i},c${i}`).join('\n') }, 'trainFeatures', 'line 259, column 2: the label column has more than 256 different values; is it the right column?', 259],
    ['an unknown label column', { train: good, labelColumn: 'sort' }, 'trainFeatures', 'line 1, column 3: there is no label column "sort"; expected one of "x", "y", "kind" or an index below 3', 1],
    ['a label index too large', { train: good, labelColumn: '3' }, 'trainFeatures', 'line 1, column 3: there is no label column "3"; expected one of "x", "y", "kind" or an index below 3', 1],
    ['an open quote', { train: 'x,y,kind\n1,2,"a\n' }, 'trainFeatures', 'line 2, column 3: a quoted cell without its closing quote', 2],
    ['a class that is not UTF-8', { train: Uint8Array.of(0x31, 0x2c, 0xff, 0x0a) }, 'trainFeatures', 'line 1, column 2: this cell is not text in UTF-8: save the file with the encoding UTF-8', 1],
    ['a picture', { train: Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a) }, 'trainFeatures', 'is not text in UTF-8: choose a CSV file, and save a table of another program as one with the encoding UTF-8', undefined],
    ['a table in UTF-16', { train: Uint8Array.of(0x61, 0, 0x2c, 0, 0x62, 0, 0x0a, 0) }, 'trainFeatures', 'is not text in UTF-8: choose a CSV file, and save a table of another program as one with the encoding UTF-8', undefined],
    ['one row', { train: '1,2,a\n' }, 'trainFeatures', 'has one row: nothing is left to hold out', undefined],
    ['another width in the test file', { train: good, test: 'x,kind\n1,a\n' }, 'testFeatures', 'has 2 columns, the training file has 3', undefined],
    ['another header in the test file', { train: good, test: 'y,x,kind\n1,2,a\n' }, 'testFeatures', 'has another header than the training file', undefined],
    ['a new class in the test file', { train: good, test: 'x,y,kind\n1,2,a\n1,2,z\n' }, 'testFeatures', 'has the class "z", which the training file has not (data row 2)', undefined],
    ['a word in the test file', { train: good, test: 'x,y,kind\n1,?,a\n' }, 'testFeatures', 'line 2, column 2: expected a number ("y"), found "?"', 2],
    ['an empty test file', { train: good, test: '\n' }, 'testFeatures', 'is empty: choose a file with a row for every record', undefined]
  ])('refuses %s', (_, files, field, message, line) => {
    expect(errorsOf(files)).toEqual([line === undefined ? { field, message } : { field, message, line }])
  })

  it('bounds columns and rows', () => {
    expect(errorsOf({ train: `${Array(4098).fill('1').join(',')}\n` })).toMatchObject([{ message: 'line 1, column 4098: more than 4096 feature columns' }])
    expect(errorsOf({ train: `x,kind\n${'1,a\n'.repeat(200_001)}` })).toMatchObject([{ message: 'line 200002, column 1: more than 200000 rows' }])
  })

  it('never throws on text of a stranger', () => {
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom('1', '2', 'a', ',', '"', '\n', '.', 'e', '-', 'é'), maxLength: 40 }), text => {
      const result = datasetFromCsv({ train: bytes(text) })
      if (!result.ok) expect(result.errors.length).toBeGreaterThan(0)
    }), { numRuns: 2000 })
  })
})
