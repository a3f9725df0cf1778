import { describe, expect, it } from 'vitest'
import { hash } from '../../../src/core/crypto/hash.ts'
import { rangeProof, verifyRange } from '../../../src/core/crypto/merkle.ts'
import { builtinDataset, datasetLeaves, datasetRoot, heldDataset, imageShape, newDataset, packRecords, recordBytes, recordLeaf, unpackRecords } from '../../../src/core/training/dataset.ts'
import { BUILTIN_FEATURES, BUILTIN_TEST, BUILTIN_TRAIN, digitRecord } from '../../../src/core/training/digits.ts'

const features = Uint8Array.from({ length: 7 * 4 }, (_, i) => i * 9)
const labels = Uint8Array.of(0, 1, 2, 0, 1, 2, 2)
const data = newDataset({ features, labels, trainRecords: 5, classes: 3 }, { classNames: ['a', 'b', 'c'] })

describe('data sets', () => {
  it('describes itself', () => {
    expect(data.ref).toEqual({ source: 1, root: datasetRoot(datasetLeaves(data)), trainRecords: 5, testRecords: 2, features: 4, classes: 3 })
    expect([data.records, data.channels, data.width, data.height, data.classNames]).toEqual([7, 1, 2, 2, ['a', 'b', 'c']])
  })

  it('gathers records in order', () => {
    expect(data.gather([6, 0, 6])).toEqual({ inputs: Uint8Array.of(216, 225, 234, 243, 0, 9, 18, 27, 216, 225, 234, 243), labels: Uint8Array.of(2, 0, 2) })
    expect(data.gather(Uint32Array.of())).toEqual({ inputs: new Uint8Array(0), labels: new Uint8Array(0) })
  })

  it('commits to every byte and every label', () => {
    const root = (f: Uint8Array, l: Uint8Array): string => newDataset({ features: f, labels: l, trainRecords: 5, classes: 3 }).ref.root.join()
    const seen = new Set([root(features, labels)])
    for (let i = 0; i < features.length; i++) seen.add(root(features.map((v, k) => k === i ? v ^ 1 : v), labels))
    for (let i = 0; i < labels.length; i++) seen.add(root(features, labels.map((v, k) => k === i ? v ^ 1 : v)))
    expect(seen.size).toBe(1 + features.length + labels.length)
  })

  it('hashes a record as its bytes', () => {
    expect(recordLeaf(features.subarray(0, 4), 0)).toEqual(hash('record', packRecords(data, 0, 1)))
  })

  it('sends ranges that prove themselves', () => {
    const leaves = datasetLeaves(data)
    const unpacked = unpackRecords(data.ref, packRecords(data, 2, 4))
    expect(unpacked?.inputs).toEqual(features.slice(8, 24))
    expect(unpacked?.labels).toEqual(labels.slice(2, 6))
    expect(verifyRange(data.ref.root, 7, 2, unpacked?.leafHashes ?? [], rangeProof(leaves, 2, 4))).toBe(true)
    expect(recordBytes(data.ref)).toBe(5)
  })

  it.each([
    ['nothing', new Uint8Array(0)],
    ['part of a record', new Uint8Array(7)],
    ['a class that does not exist', Uint8Array.of(3, 1, 2, 3, 4)]
  ])('does not unpack %s', (_, bytes) => { expect(unpackRecords(data.ref, bytes)).toBeUndefined() })

  it('takes held records only with a matching reference', () => {
    expect(heldDataset(data.ref, features, labels).classNames).toEqual(['0', '1', '2'])
    expect(() => heldDataset(data.ref, features, labels.subarray(1))).toThrow('do not match')
    expect(() => heldDataset(data.ref, features.subarray(1), labels)).toThrow('do not match')
  })

  it('draws squares as images, others as rows', () => {
    expect([1, 784, 4, 5].map(imageShape)).toEqual([{ width: 1, height: 1 }, { width: 28, height: 28 }, { width: 2, height: 2 }, { width: 5, height: 1 }])
  })
})

describe('how a record is drawn', () => {
  const records = (size: number): Parameters<typeof newDataset>[0] => ({ features: new Uint8Array(6 * size), labels: Uint8Array.of(0, 1, 0, 1, 0, 1), trainRecords: 5, classes: 2 })
  it.each<[string, number, { width: number, height: number } | undefined, readonly [number, number, number]]>([
    ['as said', 12, { width: 4, height: 3 }, [1, 3, 4]],
    ['in as many channels as there is room for', 36, { width: 4, height: 3 }, [3, 3, 4]],
    ['as a square where nothing is said', 36, undefined, [1, 6, 6]],
    ['as a row where what is said cannot be', 35, { width: 4, height: 3 }, [1, 1, 35]],
    ['as a row where nothing is left of it', 35, { width: 0, height: 3 }, [1, 1, 35]]
  ])('%s', (_, size, shape, expected) => {
    const { channels, height, width } = newDataset(records(size), { shape })
    expect([channels, height, width]).toEqual(expected)
  })
})

describe('built-in digits', () => {
  const digits = builtinDataset()

  it('gives any record alone', () => {
    for (const i of [13_999, 0, 7]) {
      const { features, label } = digitRecord(i)
      expect(digits.features(i)).toEqual(features)
      expect(digits.label(i)).toBe(label)
    }
    expect(digits.gather([7, 0]).inputs).toHaveLength(2 * BUILTIN_FEATURES)
  })

  it('has every class about equally often, in both parts', () => {
    for (const [first, count] of [[0, 2000], [BUILTIN_TRAIN, BUILTIN_TEST]]) {
      const counts = new Uint32Array(10)
      for (let i = first; i < first + count; i++) counts[digits.label(i)]++
      expect(Math.min(...counts)).toBeGreaterThan(140)
      expect(Math.max(...counts)).toBeLessThan(260)
    }
  })

  it('draws ink on every picture and never the same picture twice', () => {
    const seen = new Set<string>()
    for (let i = 0; i < 1500; i++) {
      const pixels = digits.features(i)
      const ink = pixels.filter(v => v > 96).length
      expect(ink).toBeGreaterThan(8)
      expect(ink).toBeLessThan(392)
      seen.add(pixels.join())
    }
    expect(seen.size).toBe(1500)
  })

  it('cannot be told apart by the mean picture of each class alone', () => {
    // Nearest class mean, the simplest linear rule: far above chance, far below a trained net.
    const means = Array.from({ length: 10 }, () => new Int32Array(BUILTIN_FEATURES))
    const counts = new Int32Array(10)
    for (let i = 0; i < 3000; i++) {
      counts[digits.label(i)]++
      digits.features(i).forEach((v, k) => { means[digits.label(i)][k] += v })
    }
    let right = 0
    for (let i = BUILTIN_TRAIN; i < BUILTIN_TRAIN + 500; i++) {
      const pixels = digits.features(i)
      const distances = means.map((m, c) => pixels.reduce((d, v, k) => d + (v - m[k] / counts[c]) ** 2, 0))
      if (distances.indexOf(Math.min(...distances)) === digits.label(i)) right++
    }
    expect(right).toBeGreaterThan(150)
    expect(right).toBeLessThan(400)
  })
})
