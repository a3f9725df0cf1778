import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { datasetFromIdx, type IdxFiles, parseIdx } from '../../../src/core/training/idx.ts'
import { splitOrder } from '../../../src/core/training/split.ts'

function idx (dimensions: readonly number[], values: ArrayLike<number>, type = 8): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * dimensions.length + values.length)
  bytes.set([0, 0, type, dimensions.length])
  const view = new DataView(bytes.buffer)
  dimensions.forEach((d, i) => { view.setUint32(4 + 4 * i, d, false) })
  bytes.set(values, 4 + 4 * dimensions.length)
  return bytes
}

const images = (n: number): Uint8Array => idx([n, 2, 3], Array.from({ length: n * 6 }, (_, i) => i % 251))
const classes = (n: number): Uint8Array => idx([n], Array.from({ length: n }, (_, i) => i % 3))

describe('IDX', () => {
  it('reads what it describes', () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 }), fc.infiniteStream(fc.nat(255)), (dimensions, stream) => {
      const values = Array.from({ length: dimensions.reduce((a, b) => a * b, 1) }, () => stream.next().value as number)
      expect(parseIdx(idx(dimensions, values))).toEqual({ ok: true, value: { dimensions, values: Uint8Array.from(values) } })
    }))
  })

  const huge = idx([0xffffffff, 0xffffffff], [])
  it.each([
    ['nothing', new Uint8Array(0), 'is empty: choose a file in IDX format'],
    ['gzip', Uint8Array.of(0x1f, 0x8b, 8, 0, 0), 'is compressed with gzip; unpack it first'],
    ['another format', Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0, 0), 'is not an IDX file: it must begin with two zero bytes'],
    ['floats', idx([2], [0, 0], 0x0d), 'holds floats, expected unsigned bytes (type 8)'],
    ['an unknown type', idx([2], [0, 0], 0x77), 'holds type 119, expected unsigned bytes (type 8)'],
    ['no dimensions', idx([], []), 'has 0 dimensions, expected 1 to 4'],
    ['many dimensions', idx([1, 1, 1, 1, 1], [0]), 'has 5 dimensions, expected 1 to 4'],
    ['a cut header', idx([3, 2], []).subarray(0, 9), 'ends inside its header of 12 bytes'],
    ['an empty dimension', idx([3, 0], []), 'dimension 2 is zero'],
    ['too few values', idx([3, 2], [1, 2, 3, 4, 5]), 'claims 3 x 2 = 6 values, holds 5'],
    ['too many values', idx([3], [1, 2, 3, 4]), 'claims 3 = 3 values, holds 4'],
    ['a bomb', huge, 'claims more than 67108864 values']
  ])('refuses %s', (_, bytes, error) => { expect(parseIdx(bytes)).toEqual({ ok: false, error }) })

  it('never throws', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), bytes => { parseIdx(Uint8Array.of(0, 0, 8, ...bytes)) }))
  })
})

describe('data sets from IDX', () => {
  it('joins training and test files', () => {
    const result = datasetFromIdx({ trainFeatures: images(20), trainLabels: classes(20), testFeatures: images(4), testLabels: classes(4) })
    if (!result.ok) throw new Error(JSON.stringify(result.errors))
    const { value } = result
    expect(value.ref).toMatchObject({ source: 1, trainRecords: 20, testRecords: 4, features: 6, classes: 3 })
    expect([value.width, value.height]).toEqual([3, 2])
    expect([...value.features(21)]).toEqual([6, 7, 8, 9, 10, 11])
    expect(value.label(22)).toBe(2)
  })

  it.each<[string, readonly number[], readonly [number, number, number]]>([
    ['rows of features, square', [12, 49], [1, 7, 7]],
    ['rows of features', [12, 6], [1, 1, 6]],
    ['pictures', [12, 2, 3], [1, 2, 3]],
    ['pictures of one channel', [12, 1, 2, 3], [1, 2, 3]],
    ['colour pictures', [12, 3, 2, 4], [3, 2, 4]],
    ['pictures of many channels', [12, 7, 5, 2], [7, 5, 2]]
  ])('takes %s for what they are', (_, dimensions, shape) => {
    const size = dimensions.reduce((a, b) => a * b, 1)
    const result = datasetFromIdx({ trainFeatures: idx(dimensions, new Uint8Array(size)), trainLabels: classes(12) })
    if (!result.ok) throw new Error(JSON.stringify(result.errors))
    const { channels, height, width, ref } = result.value
    expect([channels, height, width]).toEqual(shape)
    expect(ref.features).toBe(size / 12)
  })

  it('holds out a sixth of a single file, by the fixed permutation', () => {
    const result = datasetFromIdx({ trainFeatures: images(30), trainLabels: classes(30) })
    if (!result.ok) throw new Error(JSON.stringify(result.errors))
    const { order } = splitOrder(30)
    expect(result.value.ref).toMatchObject({ trainRecords: 25, testRecords: 5 })
    for (let i = 0; i < 30; i++) {
      expect(result.value.label(i)).toBe(order[i] % 3)
      expect(result.value.features(i)[0]).toBe(order[i] * 6 % 251)
    }
  })

  it.each<[string, Partial<IdxFiles>, string, string]>([
    ['labels for features', { trainFeatures: classes(20) }, 'trainFeatures', 'has 1 dimension, as labels have; expected records of features in 2 or more'],
    ['features for labels', { trainLabels: images(20) }, 'trainLabels', 'has 3 dimensions, expected 1: a class per record'],
    ['a label too few', { trainLabels: classes(19) }, 'trainLabels', 'has 19 labels for 20 records'],
    ['large records', { trainFeatures: idx([20, 4097], new Uint8Array(20 * 4097)) }, 'trainFeatures', 'has 4097 features per record, at most 4096'],
    ['test features alone', { testFeatures: images(4) }, 'testLabels', 'is missing: test records need features and labels'],
    ['test labels alone', { testLabels: classes(4) }, 'testFeatures', 'is missing: test records need features and labels'],
    ['another shape in the test file', { testFeatures: idx([4, 5], new Uint8Array(20)), testLabels: classes(4) }, 'testFeatures', 'has 5 features per record, the training file has 6'],
    ['pictures turned on their side in the test file', { testFeatures: idx([4, 3, 2], new Uint8Array(24)), testLabels: classes(4) }, 'testFeatures', 'has records of 3 x 2, the training file has 2 x 3'],
    ['channels that come last', { trainFeatures: idx([20, 8, 9, 3], new Uint8Array(20 * 216)) }, 'trainFeatures', 'has records of 8 x 9 x 3, which reads as 8 channels of 9 x 3; channels come first: 3 x 8 x 9'],
    ['one class', { trainLabels: idx([20], new Uint8Array(20)) }, 'trainLabels', 'every label is 0: there is only one class'],
    ['one record', { trainFeatures: images(1), trainLabels: idx([1], [1]) }, 'trainFeatures', 'has one record: nothing is left to hold out'],
    ['a file that is no IDX', { trainLabels: Uint8Array.of(1, 2, 3, 4) }, 'trainLabels', 'is not an IDX file: it must begin with two zero bytes']
  ])('refuses %s', (_, change, field, message) => {
    expect(datasetFromIdx({ trainFeatures: images(20), trainLabels: classes(20), ...change })).toEqual({ ok: false, errors: [{ field, message }] })
  })

  it('counts records of both files', () => {
    const many = idx([150_000, 1], new Uint8Array(150_000))
    const label = idx([150_000], Uint8Array.from({ length: 150_000 }, (_, i) => i & 1))
    expect(datasetFromIdx({ trainFeatures: many, trainLabels: label, testFeatures: many, testLabels: label }))
      .toEqual({ ok: false, errors: [{ field: 'trainFeatures', message: '300000 records in all, at most 200000' }] })
  })
})
