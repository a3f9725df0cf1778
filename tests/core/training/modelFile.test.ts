/** The model file: what was written comes back, old files open, and each damage has its name. */
import { describe, expect, it } from 'vitest'
import { encodeJobSpec, type JobSpec } from '../../../src/core/codec/jobSpec.ts'
import { toHex } from '../../../src/core/codec/ssz.ts'
import { benchmarkSpec } from '../../../src/core/training/benchmark.ts'
import { initialState } from '../../../src/core/training/init.ts'
import { decodeModelFile, encodeModelFile, MAX_MODEL_FILE_BYTES, type ModelFile } from '../../../src/core/training/modelFile.ts'
import { mlp } from '../../../src/core/training/shape.ts'
import { stateBytes, stateHash } from '../../../src/core/training/stateHash.ts'
import type { Table } from '../../../src/core/training/table.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const spec: JobSpec = { ...benchmarkSpec, ...mlp([2, 3, 2]), name: utf8('Cats “and” dogs'), data: { ...benchmarkSpec.data, source: 1, root: new Uint8Array(32).fill(7), trainRecords: 64, testRecords: 9, features: 2, classes: 2 } }
const state = initialState(spec)
const table: Table = { columns: [{ name: 'a', least: '0.5', greatest: '2.5' }, { name: 'b', least: '-10', greatest: '90' }], classes: ['cat', 'dog'] }
const plain: ModelFile = { job: new Uint8Array(32).fill(0xab), round: 7, spec, state }
const write = (file: ModelFile): Uint8Array => encodeModelFile(file, stateHash(file.state))

/** The line as it was written before it could have a table. */
function oldFile (one: JobSpec): Uint8Array {
  const weights = initialState(one)
  const bytes = encodeJobSpec(one)
  const body = stateBytes(weights)
  const head = `${JSON.stringify({
    format: 'commonweight-model-1',
    name: new TextDecoder().decode(one.name),
    job: 'ab'.repeat(32),
    round: 7,
    stateHash: toHex(stateHash(weights)),
    channels: one.channels,
    height: one.height,
    width: one.width,
    ops: one.ops,
    weights: 'i32 little-endian, 28 fractional bits, row major [outputs][inputs], then biases, layer by layer',
    specBytes: bytes.length,
    stateBytes: body.length
  })}\n`
  return Uint8Array.of(...utf8(head), ...bytes, ...body)
}

describe('a model file', () => {
  it.each<[string, ModelFile]>([['without a table', plain], ['with one', { ...plain, table }]])('%s comes back', (_, file) => {
    expect(decodeModelFile(write(file))).toEqual({ ok: true, value: file })
  })

  it('from before there were tables is the same byte for byte, and opens', () => {
    expect(write(plain)).toEqual(oldFile(spec))
    expect(decodeModelFile(oldFile(spec))).toEqual({ ok: true, value: plain })
    expect(decodeModelFile(oldFile({ ...benchmarkSpec, ...mlp([784, 3, 10]) }))).toMatchObject({ ok: true, value: { round: 7 } })
  })
})

describe('a damaged model file', () => {
  const refusal = (bytes: Uint8Array): string => {
    const r = decodeModelFile(bytes)
    return r.ok ? 'accepted' : r.reason
  }
  const good = write({ ...plain, table })
  const end = good.indexOf(10)
  const line = new TextDecoder().decode(good.subarray(0, end))
  const rest = good.subarray(end + 1)
  const head = (text: string): Uint8Array => Uint8Array.of(...utf8(`${text}\n`), ...rest)
  const flipped = (at: number): Uint8Array => good.map((b, i) => i === at ? b ^ 1 : b)

  it.each<[string, Uint8Array, string]>([
    ['the line as it is', head(line), 'accepted'],
    ['nothing', new Uint8Array(0), 'model-head'],
    ['no line', utf8('{}'), 'model-head'],
    ['no text', Uint8Array.of(0xff, 10), 'model-head'],
    ['no JSON', head('{'), 'model-json'],
    ['no object', head('7'), 'model-json'],
    ['null', head('null'), 'model-json'],
    ['another format', head(line.replace('model-1', 'model-2')), 'model-format'],
    ['no job', head(line.replace('"ab', '"xy')), 'model-head'],
    ['half a round', head(line.replace('"round":7', '"round":7.5')), 'model-head'],
    ['a cut end', good.subarray(0, good.length - 1), 'model-length'],
    ['a length below nothing', head(line.replace(/"specBytes":\d+/, '"specBytes":-1')), 'model-length'],
    ['a spec that is none', flipped(end + 1), 'model-spec'],
    ['another weight', flipped(good.length - 40), 'model-hash'],
    ['a blank in the line', head(line.replace(',', ', ')), 'model-canonical'],
    ['another name', head(line.replace('Cats', 'Rats')), 'model-canonical'],
    ['a key of its own', head(line.replace('"round"', '"x":1,"round"')), 'model-canonical'],
    ['a key twice', head(line.replace('"round":7', '"round":8,"round":7')), 'model-canonical'],
    ['a table of null', head(line.replace(/"table":.*$/, '"table":null}')), 'table-form'],
    ['a table with a column less', head(line.replace('["a","0.5","2.5"],', '')), 'table-columns'],
    ['a table with a class less', head(line.replace('"cat",', '')), 'table-classes'],
    ['a table with a bound written otherwise', head(line.replace('"0.5"', '"0.50"')), 'table-number'],
    ['a table whose range is the wrong way round', head(line.replace('"2.5"', '"-2.5"')), 'table-range'],
    ['too many bytes', new Uint8Array(MAX_MODEL_FILE_BYTES + 1), 'model-size']
  ])('%s', (_, bytes, reason) => { expect(refusal(bytes)).toBe(reason) })

  it('says what is wrong with its model', () => {
    expect(refusal(write({ ...plain, spec: { ...spec, batch: 3 } }))).toBe('model-spec')
    const wild = { ...state, biases: state.biases.map(b => b.map(() => 2 ** 31 - 1)) }
    expect(refusal(write({ ...plain, state: wild }))).toBe('model-state')
  })
})
