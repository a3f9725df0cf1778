/**
 * IDX, the format of MNIST and its kin: two zero bytes, a type, the number of dimensions, each
 * dimension as a big-endian u32, then the values. Only unsigned bytes are taken. Records are
 * [features], [height, width] or, in colour, [channels, height, width].
 * Source: http://yann.lecun.com/exdb/mnist/ ("the IDX file format").
 */
import { MAX_DATASET_BYTES, MAX_FEATURES, MAX_RECORDS } from '../params.ts'
import { newDataset, type Dataset, type PictureShape } from './dataset.ts'
import type { FieldError, Outcome } from './fieldError.ts'
import { splitRecords } from './split.ts'

const TYPE_U8 = 0x08
const MAX_DIMENSIONS = 4

export interface IdxArray {
  readonly dimensions: readonly number[]
  /** Row major; aliases the file's bytes. */
  readonly values: Uint8Array
}

export type IdxResult = { readonly ok: true, readonly value: IdxArray } | { readonly ok: false, readonly error: string }

const TYPE_NAMES: Readonly<Record<number, string>> = { 0x09: 'signed bytes', 0x0b: 'shorts', 0x0c: 'ints', 0x0d: 'floats', 0x0e: 'doubles' }

const refuse = (error: string): IdxResult => ({ ok: false, error })

export function parseIdx (bytes: Uint8Array): IdxResult {
  if (bytes.length >= 2 && bytes[0] === 0x1f && bytes[1] === 0x8b) return refuse('is compressed with gzip; unpack it first')
  if (bytes.length === 0) return refuse('is empty: choose a file in IDX format')
  if (bytes.length < 4) return refuse(`has ${bytes.length} bytes, an IDX file has at least 8`)
  if (bytes[0] !== 0 || bytes[1] !== 0) return refuse('is not an IDX file: it must begin with two zero bytes')
  const type = bytes[2]
  if (type !== TYPE_U8) return refuse(`holds ${TYPE_NAMES[type] ?? `type ${type}`}, expected unsigned bytes (type 8)`)
  const rank = bytes[3]
  if (rank < 1 || rank > MAX_DIMENSIONS) return refuse(`has ${rank} dimensions, expected 1 to ${MAX_DIMENSIONS}`)
  const start = 4 + 4 * rank
  if (bytes.length < start) return refuse(`ends inside its header of ${start} bytes`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const dimensions = Array.from({ length: rank }, (_, d) => view.getUint32(4 + 4 * d, false))
  let product = 1
  for (const [d, size] of dimensions.entries()) {
    if (size === 0) return refuse(`dimension ${d + 1} is zero`)
    product *= size
    // Both factors are below 2^32 and the product so far at most 2^26: 2^58 may round, but stays above the bound.
    if (product > MAX_DATASET_BYTES) return refuse(`claims more than ${MAX_DATASET_BYTES} values`)
  }
  const have = bytes.length - start
  if (have !== product) return refuse(`claims ${dimensions.join(' x ')} = ${product} values, holds ${have}`)
  return { ok: true, value: { dimensions, values: bytes.subarray(start) } }
}

export interface IdxFiles {
  readonly trainFeatures: Uint8Array
  readonly trainLabels: Uint8Array
  readonly testFeatures?: Uint8Array
  readonly testLabels?: Uint8Array
}

/** [height, width, channels], the other order of colour pictures; no picture is three or four pixels wide. */
const channelsLast = ([a, b, c]: readonly number[]): boolean => (c === 3 || c === 4) && a > 4 && b > 4

interface Part { readonly count: number, readonly size: number, readonly shape?: PictureShape, readonly features: Uint8Array, readonly labels: Uint8Array }

function readPart (features: Uint8Array, labels: Uint8Array, names: readonly [string, string], errors: FieldError[]): Part | undefined {
  const fail = (field: string, message: string): void => { errors.push({ field, message }) }
  const f = parseIdx(features)
  const l = parseIdx(labels)
  if (!f.ok) fail(names[0], f.error)
  if (!l.ok) fail(names[1], l.error)
  if (!f.ok || !l.ok) return undefined
  const [count, ...record] = f.value.dimensions
  const size = record.reduce((product, d) => product * d, 1)
  const before = errors.length
  if (record.length === 0) fail(names[0], 'has 1 dimension, as labels have; expected records of features in 2 or more')
  if (l.value.dimensions.length !== 1) fail(names[1], `has ${l.value.dimensions.length} dimensions, expected 1: a class per record`)
  else if (l.value.dimensions[0] !== count) fail(names[1], `has ${l.value.dimensions[0]} labels for ${count} records`)
  if (channelsLast(record)) fail(names[0], `has records of ${record.join(' x ')}, which reads as ${record[0]} channels of ${record[1]} x ${record[2]}; channels come first: ${record[2]} x ${record[0]} x ${record[1]}`)
  if (size > MAX_FEATURES) fail(names[0], `has ${size} features per record, at most ${MAX_FEATURES}`)
  if (errors.length > before) return undefined
  const shape = record.length > 1 ? { height: record[record.length - 2], width: record[record.length - 1] } : undefined
  return { count, size, shape, features: f.value.values, labels: l.value.values }
}

/**
 * Classes are 0..the largest label. Without test files a sixth of the records is held out, drawn
 * by a fixed permutation.
 */
export function datasetFromIdx (files: IdxFiles): Outcome<Dataset> {
  const errors: FieldError[] = []
  const train = readPart(files.trainFeatures, files.trainLabels, ['trainFeatures', 'trainLabels'], errors)
  let test: Part | undefined
  if (files.testFeatures !== undefined && files.testLabels !== undefined) {
    test = readPart(files.testFeatures, files.testLabels, ['testFeatures', 'testLabels'], errors)
  } else if (files.testFeatures !== undefined || files.testLabels !== undefined) {
    errors.push({ field: files.testFeatures === undefined ? 'testFeatures' : 'testLabels', message: 'is missing: test records need features and labels' })
  }
  if (train === undefined || errors.length > 0) return { ok: false, errors }
  if (test !== undefined && test.size !== train.size) errors.push({ field: 'testFeatures', message: `has ${test.size} features per record, the training file has ${train.size}` })
  else if (test?.shape !== undefined && train.shape !== undefined && (test.shape.height !== train.shape.height || test.shape.width !== train.shape.width)) {
    errors.push({ field: 'testFeatures', message: `has records of ${test.shape.height} x ${test.shape.width}, the training file has ${train.shape.height} x ${train.shape.width}` })
  }
  const total = train.count + (test?.count ?? 0)
  if (total > MAX_RECORDS) errors.push({ field: 'trainFeatures', message: `${total} records in all, at most ${MAX_RECORDS}` })
  if (total * train.size > MAX_DATASET_BYTES) errors.push({ field: 'trainFeatures', message: `${total * train.size} bytes of features in all, at most ${MAX_DATASET_BYTES}` })
  const classes = 1 + Math.max(greatest(train.labels), test === undefined ? 0 : greatest(test.labels))
  if (classes < 2) errors.push({ field: 'trainLabels', message: 'every label is 0: there is only one class' })
  if (test === undefined && total < 2) errors.push({ field: 'trainFeatures', message: 'has one record: nothing is left to hold out' })
  if (errors.length > 0) return { ok: false, errors }
  const records = test === undefined ? splitRecords(train.features, train.labels) : join(train, test)
  return { ok: true, value: newDataset({ ...records, classes }, { shape: train.shape }) }
}

const greatest = (labels: Uint8Array): number => labels.reduce((most, label) => Math.max(most, label), 0)

function join (train: Part, test: Part): { readonly features: Uint8Array, readonly labels: Uint8Array, readonly trainRecords: number } {
  const features = new Uint8Array(train.features.length + test.features.length)
  features.set(train.features)
  features.set(test.features, train.features.length)
  const labels = new Uint8Array(train.count + test.count)
  labels.set(train.labels)
  labels.set(test.labels, train.count)
  return { features, labels, trainRecords: train.count }
}
