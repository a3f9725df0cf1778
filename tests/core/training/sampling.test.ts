import fc from 'fast-check'
import { chacha8 } from '@noble/ciphers/chacha.js'
import { describe, expect, it } from 'vitest'
import type { Template } from '../../../src/core/codec/wire.ts'
import { ZERO32 } from '../../../src/core/codec/ssz.ts'
import { hash, u32le } from '../../../src/core/crypto/hash.ts'
import { batchIndices, batchKey, noiseKey } from '../../../src/core/training/sampling.ts'
import { splitOrder } from '../../../src/core/training/split.ts'

const key = (n: number): Uint8Array => hash('batch', u32le(n))

const template: Template = {
  version: 1, chain: ZERO32, height: 5, parent: ZERO32, time: 1000, target: 7n, bodyRoot: ZERO32, stateRoot: ZERO32,
  miner: hash('miner'), payee: hash('payee'), job: hash('job'), round: 3, seal: ZERO32, stateHash: ZERO32, randomness: hash('rho')
}

describe('sampling', () => {
  it('draws every record once before any twice', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 700 }), fc.nat(), (total, count, k) => {
      const drawn = batchIndices(key(k), total, count)
      expect(drawn).toHaveLength(count)
      for (let start = 0; start < count; start += total) {
        const part = [...drawn.subarray(start, start + total)]
        expect(new Set(part).size).toBe(part.length)
        expect(part.every(i => i < total)).toBe(true)
      }
    }), { numRuns: 200 })
  })

  it('is a prefix of itself', () => {
    expect(batchIndices(key(1), 1000, 3000).subarray(0, 700)).toEqual(batchIndices(key(1), 1000, 700))
  })

  it('differs by key', () => {
    expect(batchIndices(key(1), 60_000, 64)).not.toEqual(batchIndices(key(2), 60_000, 64))
  })

  it('is Fisher-Yates over the plain keystream', () => {
    const total = 1000
    const stream = new DataView(chacha8(key(9), new Uint8Array(12), new Uint8Array(65536)).buffer)
    const order = Array.from({ length: total }, (_, i) => i)
    let at = 0
    const expected = Array.from({ length: total }, (_, i) => {
      const range = total - i
      let x = stream.getUint32(4 * at++, true)
      while (x >= 2 ** 32 - 2 ** 32 % range) x = stream.getUint32(4 * at++, true)
      const pick = i + x % range
      ;[order[i], order[pick]] = [order[pick], order[i]]
      return order[i]
    })
    expect([...batchIndices(key(9), total, total)]).toEqual(expected)
  })

  it('draws each record about equally often', () => {
    const counts = new Uint32Array(50)
    for (let k = 0; k < 2000; k++) for (const i of batchIndices(key(k), 50, 10)) counts[i]++
    // 20,000 draws over 50: 400 each, standard deviation below 20.
    expect(Math.min(...counts)).toBeGreaterThan(300)
    expect(Math.max(...counts)).toBeLessThan(500)
  })

  it('keys batches by what the miner cannot vary, noise by everything', () => {
    const other: Template = { ...template, time: 1001, payee: hash('other'), bodyRoot: hash('body') }
    expect(batchKey(other, 0)).toEqual(batchKey(template, 0))
    expect(noiseKey(other, 0)).not.toEqual(noiseKey(template, 0))
    for (const change of [{ miner: hash('x') }, { job: hash('x') }, { round: 4 }, { randomness: hash('x') }]) {
      expect(batchKey({ ...template, ...change }, 0)).not.toEqual(batchKey(template, 0))
    }
    expect(batchKey(template, 1)).not.toEqual(batchKey(template, 0))
    expect(noiseKey(template, 1)).not.toEqual(noiseKey(template, 0))
  })
})

describe('split of one file', () => {
  it('holds out a sixth, at least one', () => {
    expect([2, 5, 6, 11, 12, 150].map(n => n - splitOrder(n).trainRecords)).toEqual([1, 1, 1, 1, 2, 25])
  })

  it('is a permutation', () => {
    expect([...splitOrder(500).order].sort((a, b) => a - b)).toEqual(Array.from({ length: 500 }, (_, i) => i))
  })
})
