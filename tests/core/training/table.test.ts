/** What is kept of a table: names and ranges within their bounds, and the one scale of a file and of a value. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { datasetFromCsv } from '../../../src/core/training/csv.ts'
import type { Dataset } from '../../../src/core/training/dataset.ts'
import { numberText, readNumber, scaleValue, valueOf } from '../../../src/core/training/scale.ts'
import { MAX_TABLE_BYTES, MAX_TABLE_NAME_BYTES, parseTable, rowOf, scaleRow, type Table, tableJson, tableOf } from '../../../src/core/training/table.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

function read (train: string, more: { readonly test?: string, readonly labelColumn?: string } = {}): Dataset {
  const made = datasetFromCsv({ train: bytes(train), labelColumn: more.labelColumn, test: more.test === undefined ? undefined : bytes(more.test) })
  if (!made.ok) throw new Error(JSON.stringify(made.errors))
  return made.value
}

const tableFrom = (data: Dataset): Table => ({ columns: data.columns!, classes: data.classNames })

const PETS = 'a,b,label\n0.5,-10,cat\n2.5,90,dog\n1.5,40,cat\n'
const TEST = 'a,b,label\n1,200,dog\n'

describe('what is kept of a table', () => {
  it('is the name of each column, and the range of the rows that train', () => {
    expect(read(PETS, { test: TEST }).columns).toEqual([{ name: 'a', least: '0.5', greatest: '2.5' }, { name: 'b', least: '-10', greatest: '90' }])
  })

  it('leaves out the class column wherever it is, and counts columns without a name', () => {
    expect(read('kind,,b\nx,1,2\ny,3,4\n', { labelColumn: 'kind', test: 'kind,,b\nx,1,2\n' }).columns!.map(c => c.name)).toEqual(['column 2', 'b'])
    expect(read('1,2,0\n3,4,1\n', { test: '1,2,0\n' }).columns!.map(c => c.name)).toEqual(['column 1', 'column 2'])
  })

  it('makes one line of a header\'s cell', () => {
    expect(read('"height\nin cm",label\n1,x\n2,y\n', { test: '1,x\n' }).columns![0].name).toBe('height in cm')
  })

  it('is nothing at all where a name is too long, or all together are', () => {
    const long = 'n'.repeat(MAX_TABLE_NAME_BYTES + 1)
    expect(read(`${long},b,label\n1,2,x\n3,4,y\n`, { test: '1,2,x\n' }).columns).toBeUndefined()
    expect(read(`a,b,label\n1,2,${long}\n3,4,y\n`, { test: '1,2,y\n' }).columns).toBeUndefined()
    const names = Array.from({ length: 600 }, (_, i) => `${i}`.padStart(MAX_TABLE_NAME_BYTES, 'n'))
    expect(read(`${names.join(',')},label\n${names.map(() => '1').join(',')},x\n${names.map(() => '2').join(',')},y\n`, { test: `${names.map(() => '1').join(',')},x\n` }).columns).toBeUndefined()
  })
})

describe('a row in the units of its table', () => {
  it('is scaled as the file was', () => {
    const data = read(PETS, { test: TEST })
    const rows = [['0.5', '-10'], ['2.5', '90'], ['1.5', '40'], ['1', '200']]
    for (const [i, row] of rows.entries()) expect(scaleRow(tableFrom(data), row)).toEqual({ ok: true, value: { features: data.features(i), outside: i === 3 ? [1] : [] } })
  })

  it('is scaled as the file was, whatever the numbers', () => {
    const cell = fc.tuple(fc.integer({ min: -(10 ** 15) + 1, max: 10 ** 15 - 1 }), fc.oneof(fc.integer({ min: -4, max: 4 }), fc.integer({ min: -99, max: 99 }))).map(([m, e]) => `${m}e${e}`)
    fc.assert(fc.property(fc.array(cell, { minLength: 2, maxLength: 9 }), cell, (train, held) => {
      const data = read(train.map((v, i) => `${v},${i % 2}\n`).join(''), { test: `${held},0\n` })
      const table = tableFrom(data)
      for (const [i, v] of [...train, held].entries()) {
        const scaled = scaleRow(table, [v])
        if (!scaled.ok || scaled.value.features[0] !== data.features(i)[0]) return false
      }
      const again = parseTable(tableJson(table), { features: 1, classes: 2 })
      return again.ok && JSON.stringify(again.value) === JSON.stringify(table)
    }), { numRuns: 300 })
  })

  it('names the column whose value is none', () => {
    const table = tableFrom(read(PETS, { test: TEST }))
    expect(scaleRow(table, ['x', ' '])).toEqual({ ok: false, errors: [{ field: 'row[0]', message: 'expected a number for "a", found "x"' }, { field: 'row[1]', message: 'expected a number for "b", found nothing' }] })
    expect(scaleRow(table, ['1'])).toEqual({ ok: false, errors: [{ field: 'row', message: 'expected 2 values, got 1' }] })
  })

  it('comes back from what the model sees of it, in few digits', () => {
    const table = tableFrom(read(PETS, { test: TEST }))
    expect(rowOf(table, Uint8Array.of(128, 128))).toEqual(['1.5', '40'])
    expect(rowOf(table, Uint8Array.of(0, 255))).toEqual(['0.5', '90'])
    const number = fc.tuple(fc.integer({ min: -99_999, max: 99_999 }), fc.integer({ min: -30, max: 30 })).map(([m, e]) => readNumber(`${m}e${e}`)!)
    fc.assert(fc.property(number, number, fc.integer({ min: 0, max: 255 }), (a, b, byte) => {
      const range = a.mantissa === b.mantissa || scaleValue({ least: a, greatest: b }, b) === 255 ? { least: a, greatest: b } : { least: b, greatest: a }
      fc.pre(Math.abs(a.exponent - b.exponent) < 8 && scaleValue(range, range.greatest) === 255)
      return scaleValue(range, valueOf(range, byte)) === byte
    }), { numRuns: 300 })
  })
})

describe('a number', () => {
  it.each([['15e2', '1500'], ['-0.50', '-0.5'], ['1000e100', '1000e100'], ['1e-100', '1e-100'], ['0.000e7', '0'], ['123456789012345678', '123456789012345e3'], ['+.25', '0.25'], ['10e99', '1e100']])('%s is written %s, and read again', (from, to) => {
    const value = readNumber(from)!
    const text = numberText(value)
    expect(text).toBe(to)
    expect(numberText(readNumber(text)!)).toBe(text)
  })
})

describe('a damaged table', () => {
  const good = { columns: [['a', '0', '1.5'], ['b', '-2', '7']], classes: ['cat', 'dog'] }
  const refusal = (value: unknown): string => {
    const r = parseTable(value, { features: 2, classes: 2 })
    return r.ok ? 'accepted' : r.reason
  }
  const column = (c: unknown): unknown => ({ ...good, columns: [good.columns[0], c] })
  const wide = Array.from({ length: 600 }, () => ({ name: 'n'.repeat(MAX_TABLE_NAME_BYTES), least: { mantissa: 0, exponent: 0 }, greatest: { mantissa: 1, exponent: 0 } }))

  it.each<[string, unknown, string]>([
    ['a good one', good, 'accepted'],
    ['nothing', null, 'table-form'],
    ['a list', [], 'table-form'],
    ['another key', { ...good, unit: 'cm' }, 'table-form'],
    ['a column of two', column(['b', '1']), 'table-form'],
    ['a column too few', { ...good, columns: [good.columns[0]] }, 'table-columns'],
    ['a class too many', { ...good, classes: ['a', 'b', 'c'] }, 'table-classes'],
    ['two classes of one name', { ...good, classes: ['cat', 'cat'] }, 'table-classes'],
    ['no name', column(['', '0', '1']), 'table-name'],
    ['a name that is a number', column([7, '0', '1']), 'table-name'],
    ['half a character', column(['\ud800', '0', '1']), 'table-name'],
    ['a name that breaks the line', { ...good, classes: ['cat', 'd\nog'] }, 'table-name'],
    ['a name that turns the line around', column(['\u202eb', '0', '1']), 'table-name'],
    ['a long name', column(['b'.repeat(MAX_TABLE_NAME_BYTES + 1), '0', '1']), 'table-name'],
    ['a bound that is a number', column(['b', 0, 1]), 'table-number'],
    ['a bound that is written otherwise', column(['b', '0.0', '1']), 'table-number'],
    ['a bound that is none', column(['b', '0', 'NaN']), 'table-number'],
    ['a range the wrong way round', column(['b', '1', '0']), 'table-range']
  ])('%s', (_, value, reason) => { expect(refusal(value)).toBe(reason) })

  it('that is too large as a whole', () => {
    const value = { columns: wide.map(c => [c.name, '0', '1']), classes: ['a', 'b'] }
    expect(JSON.stringify(value).length).toBeGreaterThan(MAX_TABLE_BYTES)
    expect(parseTable(value, { features: 600, classes: 2 })).toMatchObject({ ok: false, reason: 'table-size' })
    expect(tableOf(wide, ['a', 'b'])).toBeUndefined()
  })
})
