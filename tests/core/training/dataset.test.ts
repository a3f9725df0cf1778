import { describe, expect, it } from 'vitest'
import { equalBytes } from '../../../src/core/codec/ssz.ts'
import { hash } from '../../../src/core/crypto/hash.ts'
import { merkleRoot, rangeProof, verifyRange } from '../../../src/core/crypto/merkle.ts'
import { builtinDataset, chunkCount, chunkRecords, chunkRoot, type Dataset, datasetRoot, heldDataset, imageShape, newDataset, packChunk, readRecords, recordBytes, recordsOf, recordsPerChunk, unpackChunk } from '../../../src/core/training/dataset.ts'
import { BUILTIN_FEATURES, BUILTIN_TEST, BUILTIN_TRAIN, digitRecord } from '../../../src/core/training/digits.ts'

const features = Uint8Array.from({ length: 7 * 4 }, (_, i) => i * 9)
const labels = Uint8Array.of(0, 1, 2, 0, 1, 2, 2)
const data = newDataset({ features, labels, trainRecords: 5, classes: 3 }, { classNames: ['a', 'b', 'c'] })

const leavesOf = (d: Dataset): Uint8Array[] => Array.from({ length: d.records }, (_, i) => hash('record', Uint8Array.of(d.label(i)), d.features(i)))
const ROOTS = [data.ref.root]

describe('data sets', () => {
  it('describes itself', () => {
    expect(data.ref).toEqual({ source: 1, root: merkleRoot(leavesOf(data)), trainRecords: 5, testRecords: 2, features: 4, classes: 3 })
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
    expect(recordsOf(data, 5, 2)).toEqual(Uint8Array.of(2, 180, 189, 198, 207, 2, 216, 225, 234, 243))
    expect(chunkRoot(data.ref, recordsOf(data, 5, 1))).toEqual(leavesOf(data)[5])
    expect(recordBytes(data.ref)).toBe(5)
  })

  // 4,096 features: 64 records to a chunk; whole chunks, one record more, one less.
  it.each([64, 65, 191])('of %i records have one root by records and by chunks, and each chunk proves itself', records => {
    const large = newDataset({ features: Uint8Array.from({ length: records * 4096 }, (_, i) => i % 7 === 0 ? i >> 8 : 0), labels: new Uint8Array(records), trainRecords: records - 1, classes: 2 })
    const { ref } = large
    const count = chunkCount(ref)
    expect([recordsPerChunk(ref), count]).toEqual([64, Math.ceil(records / 64)])
    expect(ref.root).toEqual(merkleRoot(leavesOf(large)))
    const roots = large.chunkRoots!
    expect(datasetRoot(roots)).toEqual(ref.root)
    for (let chunk = 0; chunk < count; chunk++) {
      const bytes = unpackChunk(ref, chunk, packChunk(large, chunk))!
      expect(equalBytes(bytes, recordsOf(large, chunk * 64, chunkRecords(ref, chunk)))).toBe(true)
      expect(chunkRoot(ref, bytes)).toEqual(roots[chunk])
      const proof = rangeProof(roots, chunk, 1)
      // The proof of a chunk is the proof of its records.
      expect(proof).toEqual(rangeProof(leavesOf(large), chunk * 64, chunkRecords(ref, chunk)))
      expect(verifyRange(ref.root, count, chunk, [roots[chunk]], proof)).toBe(true)
      bytes[3]++
      expect(verifyRange(ref.root, count, chunk, [chunkRoot(ref, bytes)], proof)).toBe(false)
    }
  })

  it('does not unpack a chunk of another size', () => {
    const packed = packChunk(data, 0)
    expect(unpackChunk(data.ref, 0, packed)).toEqual(recordsOf(data, 0, 7))
    expect(unpackChunk({ ...data.ref, testRecords: 3 }, 0, packed)).toBeUndefined()
    expect(unpackChunk({ ...data.ref, features: 3 }, 0, packed)).toBeUndefined()
  })

  it('does not read a class that does not exist', () => {
    const bytes = recordsOf(data, 0, 7)
    expect(readRecords(data.ref, bytes)).toEqual({ inputs: features, labels })
    expect(readRecords({ ...data.ref, classes: 2 }, bytes)).toBeUndefined()
  })

  it('takes held records only with a matching reference', () => {
    expect(heldDataset(data.ref, features, labels, ROOTS).classNames).toEqual(['0', '1', '2'])
    expect(() => heldDataset(data.ref, features, labels.subarray(1), ROOTS)).toThrow('do not match')
    expect(() => heldDataset(data.ref, features.subarray(1), labels, ROOTS)).toThrow('do not match')
    expect(() => heldDataset(data.ref, features, labels, [])).toThrow('do not match')
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
