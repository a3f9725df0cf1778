/** Files that people open: IDX, CSV, gzip, key backups, checkpoints, models. */
import { gunzipSync, gzipSync } from 'node:zlib'
import { decodeCheckpoint, encodeCheckpoint, firstProgress } from '../../../src/cli/train.ts'
import type { JobSpec } from '../../../src/core/codec/jobSpec.ts'
import { MAX_DATASET_BYTES, MAX_RECORDS } from '../../../src/core/params.ts'
import { benchmarkSpec } from '../../../src/core/training/benchmark.ts'
import { datasetFromCsv } from '../../../src/core/training/csv.ts'
import type { Dataset } from '../../../src/core/training/dataset.ts'
import type { Outcome } from '../../../src/core/training/fieldError.ts'
import { datasetFromIdx, parseIdx } from '../../../src/core/training/idx.ts'
import { initialState } from '../../../src/core/training/init.ts'
import { decodeModelFile, encodeModelFile, type ModelFile } from '../../../src/core/training/modelFile.ts'
import { mlp } from '../../../src/core/training/shape.ts'
import { stateHash } from '../../../src/core/training/stateHash.ts'
import { scaleRow, type Table } from '../../../src/core/training/table.ts'
import type { Compute } from '../../../src/ports/compute.ts'
import { openKey } from '../../../src/storage/keyBackup.ts'
import { gunzip } from '../../../workers/gunzip.ts'
import { backups, withChecksum } from '../backups.ts'
import type { Rng } from '../random.ts'
import { TINY_SPEC } from '../tinyModel.ts'
import { ACCEPTED, bytesText, must, reasonOf, sameBytes, type Target, textBytes, words } from '../target.ts'

/** What is true of every data set that was made of a file. */
function checkDataset (made: Outcome<Dataset>): string {
  if (!made.ok) {
    must(made.errors.length > 0, 'refused without a reason')
    return made.errors[0].field
  }
  const { ref, records, classNames } = made.value
  must(records === ref.trainRecords + ref.testRecords && records >= 2 && records <= MAX_RECORDS, 'records do not add up')
  must(ref.trainRecords > 0 && ref.testRecords > 0 && records * ref.features <= MAX_DATASET_BYTES, 'a data set out of bounds')
  must(classNames.length === ref.classes && ref.classes >= 2, 'classes do not add up')
  const { inputs, labels } = made.value.gather([0, records - 1])
  must(inputs.length === 2 * ref.features && labels.every(l => l < ref.classes), 'a record is of no class')
  return ACCEPTED
}

const idxOf = (dimensions: readonly number[], values: Uint8Array): Uint8Array =>
  Uint8Array.of(0, 0, 8, dimensions.length, ...dimensions.flatMap(d => [d >>> 24, (d >>> 16) & 255, (d >>> 8) & 255, d & 255]), ...values)

const LABELS = idxOf([6], Uint8Array.of(0, 1, 2, 0, 1, 2))

const idx: Target = {
  name: 'file/idx',
  max: 1024,
  covers: ['src/core/training/idx.ts#parseIdx', 'src/core/training/idx.ts#datasetFromIdx', 'src/core/training/idx.ts#readPart'],
  seeds: () => [idxOf([6, 2, 3], new Uint8Array(36).fill(9)), idxOf([6, 3, 2, 2], new Uint8Array(72)), idxOf([6, 5], new Uint8Array(30)), LABELS, Uint8Array.of(0x1f, 0x8b, 8, 0)],
  run: input => {
    const parsed = parseIdx(input)
    if (!parsed.ok) return reasonOf(parsed.error)
    const { dimensions, values } = parsed.value
    must(sameBytes(idxOf(dimensions, values), input), 'an IDX file is written otherwise')
    // Each is tried as features with good labels, and as labels of good features.
    const asFeatures = checkDataset(datasetFromIdx({ trainFeatures: input, trainLabels: LABELS }))
    const asLabels = checkDataset(datasetFromIdx({ trainFeatures: idxOf([6, 2], new Uint8Array(12)), trainLabels: input }))
    return asFeatures === ACCEPTED || asLabels === ACCEPTED ? ACCEPTED : `${asFeatures} or ${asLabels}`
  }
}

const csv: Target = {
  name: 'file/csv',
  max: 1024,
  covers: ['src/core/training/csv.ts#datasetFromCsv', 'src/core/training/csv.ts#readLayout'],
  dictionary: words(',', ';', '1,5', '\n', '\r\n', '"', '""', '\ufeff', '1e9', '-0', '1e100', '.5', '5.', 'NaN', '+1', '"a\nb"', ' ', '0.1234567890123456789', 'label', '\r', '٣', ',,'),
  seeds: () => words('a,b,label\n1,2,x\n3,4,y\n5,6,x\n7,8,y\n9,1,x\n2,2,y\n', '1,2,0\n3,4,1\n5,6,0\n', '"a, b",c\r\n1e-3,"x ""y"""\r\n-2.5,z\r\n0,z\r\n', '\ufeff1,0\n2,1\n\n3,0', 'a;"b;c";label\n1;2.5;x\n3;4;"y, z"\n5;6;x\n'),
  run: input => {
    const whole = checkDataset(datasetFromCsv({ train: input }))
    // The same file for the test, with a label column by name and by index.
    const tested = checkDataset(datasetFromCsv({ train: input, test: input, labelColumn: (input.length & 1) === 0 ? '0' : 'label' }))
    return whole === ACCEPTED ? ACCEPTED : `${whole} or ${tested}`
  }
}

const GUNZIP_MAX = 4096

const gzip: Target = {
  name: 'file/gzip',
  max: 512,
  covers: ['workers/gunzip.ts#gunzip'],
  seeds: () => [gzipSync(textBytes('hello hello hello')), gzipSync(new Uint8Array(GUNZIP_MAX)), gzipSync(new Uint8Array(1_000_000)), gzipSync(new Uint8Array(0)), gzipSync(Uint8Array.from({ length: 300 }, (_, i) => 31 * i * i))],
  run: async input => {
    let bytes: Uint8Array
    try { bytes = await gunzip(input.slice(), GUNZIP_MAX) } catch (e) {
      must(e instanceof Error, 'what was thrown is no error')
      return e.message.startsWith('it unpacks to more') ? 'too large' : 'no gzip'
    }
    must(bytes.length <= GUNZIP_MAX, 'more than was allowed')
    must(sameBytes(bytes, gunzipSync(input)), 'zlib unpacks it otherwise')
    return ACCEPTED
  }
}

const PASSPHRASE = 'correct horse'

const backup: Target = {
  name: 'file/key-backup',
  max: 2048,
  covers: ['src/storage/keyBackup.ts#openKey', 'src/storage/keyBackup.ts#parse'],
  dictionary: words('"format"', '"commonweight-key"', '"version"', '"scrypt"', '"n"', '"r"', '"p"', '"salt"', '"nonce"', '"sealed"', '"checksum"', '"address"', '{', '}', 'null', '2', '4', '131072', '1e9', '-1', '0.5', '"'),
  seeds: () => backups(PASSPHRASE).map(textBytes),
  run: async input => {
    const typed = bytesText(input)
    // With a right checksum two thirds of the inputs get as far as the seal.
    const text = input.length % 3 === 0 ? typed : withChecksum(typed)
    const opened = await openKey(text, PASSPHRASE)
    if (!opened.ok) return opened.reason
    must(opened.seed.length === 32, 'a seed of another length')
    return ACCEPTED
  }
}

const hashOnly: Pick<Compute, 'stateHash'> = { stateHash: async state => stateHash(state) }

const checkpoint: Target = {
  name: 'file/checkpoint',
  max: 1024,
  covers: ['src/cli/train.ts#decodeCheckpoint'],
  dictionary: words('"format"', '"spec"', '"steps"', '"round"', '"rho"', '"stateHash"', '\n', 'null', '1e300', '-1', '{', '}'),
  seeds: () => {
    const first = firstProgress(TINY_SPEC)
    return [encodeCheckpoint(TINY_SPEC, first, stateHash(first.state)), encodeCheckpoint(TINY_SPEC, { ...first, steps: 7, round: 3 }, stateHash(first.state))]
  },
  run: async input => {
    const decoded = await decodeCheckpoint(TINY_SPEC, input, hashOnly as Compute)
    if (!decoded.ok) return reasonOf(decoded.reason)
    const again = await decodeCheckpoint(TINY_SPEC, encodeCheckpoint(TINY_SPEC, decoded.value, stateHash(decoded.value.state)), hashOnly as Compute)
    must(again.ok && again.value.steps === decoded.value.steps && again.value.round === decoded.value.round, 'a checkpoint does not come back')
    return ACCEPTED
  }
}

const MODEL_SPEC: JobSpec = { ...benchmarkSpec, ...mlp([2, 2]), name: textBytes('m'), data: { ...benchmarkSpec.data, source: 1, trainRecords: 32, testRecords: 3, features: 2, classes: 2 } }

const PLAIN_MODEL: ModelFile = { job: new Uint8Array(32).fill(0xab), round: 7, spec: MODEL_SPEC, state: initialState(MODEL_SPEC) }
const modelBytes = (file: ModelFile): Uint8Array => encodeModelFile(file, stateHash(file.state))

/** A good model whose table is made of good and bad parts. */
function tabledModel (rng: Rng): Uint8Array {
  const pick = (list: readonly string[]): string => list[rng.below(list.length)]
  const names = ['a', 'b', 'cat', 'dog', 'é', rng.below(8) === 0 ? pick(['', '\n', '\ud800', '\u202e', 'n'.repeat(257)]) : 'c']
  const numbers = ['-1000e100', '-3e-30', '-2', '0', '1e-7', '0.5', '1', '123456789012345e9', '1000e100', rng.below(8) === 0 ? pick(['-0', '0.50', '1e101', '1e3', 'x', ' 1', '']) : '7']
  const bounds = [0, 0, 0, 0].map(() => rng.below(numbers.length))
  // In order more often than not: the ends of a range the wrong way round are refused at once.
  const range = (i: number): string[] => (rng.below(8) === 0 ? bounds.slice(i, i + 2) : bounds.slice(i, i + 2).sort((x, y) => x - y)).map(n => numbers[n])
  const table = { columns: [[pick(names), ...range(0)], [pick(names), ...range(2)]], classes: [pick(names), pick(names)] }
  const plain = modelBytes(PLAIN_MODEL)
  const end = plain.indexOf(0x7d, plain.indexOf(10) - 1)
  return Uint8Array.of(...plain.subarray(0, end), ...textBytes(`,"table":${JSON.stringify(table)}`), ...plain.subarray(end))
}

const model: Target = {
  name: 'file/model',
  max: 2048,
  covers: ['src/core/training/modelFile.ts#decodeModelFile', 'src/core/training/table.ts#parseTable'],
  dictionary: words('"table"', '"columns"', '"classes"', '"round"', '"specBytes"', '"stateBytes"', '"cat"', '["a","0","1"]', '"1e-7"', '"1000e100"', '"-0"', '"0.5"', 'null', '[]', '{}', ',', '\n', '1e300', '-1', '\\ud800', '\\u0000'),
  seeds: () => {
    const tables: Table[] = [
      { columns: [{ name: 'a', least: '0.5', greatest: '2.5' }, { name: 'b', least: '-1e-30', greatest: '1000e100' }], classes: ['cat', 'dog'] },
      { columns: [{ name: 'a', least: '3', greatest: '3' }, { name: 'a', least: '0', greatest: '0' }], classes: ['0', '1'] }
    ]
    return [PLAIN_MODEL, ...tables.map(table => ({ ...PLAIN_MODEL, table }))].map(modelBytes)
  },
  fresh: tabledModel,
  freshEvery: 3,
  run: input => {
    const read = decodeModelFile(input)
    if (!read.ok) return read.reason
    const { spec, table } = read.value
    must(sameBytes(modelBytes(read.value), input), 'a model file is written otherwise')
    if (table === undefined) return ACCEPTED
    must(table.columns.length === spec.data.features && table.classes.length === spec.data.classes, 'a table of another data set')
    // The ends of every range are what a model sees as the ends, and nothing of them is outside.
    for (const end of ['least', 'greatest'] as const) {
      const scaled = scaleRow(table, table.columns.map(c => c[end]))
      must(scaled.ok && scaled.value.outside.length === 0, 'a range does not hold its own ends')
      must(table.columns.every((c, i) => scaled.value.features[i] === (end === 'least' || c.least === c.greatest ? 0 : 255)), 'an end of a range is scaled to the middle')
    }
    return 'with a table'
  }
}

export const fileTargets: readonly Target[] = [idx, csv, gzip, backup, checkpoint, model]
