import { chacha8 } from '@noble/ciphers/chacha.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chacha8Block, ternaryNoise, inputNoise, noiseBytes, noiseKeyWords, noiseWords } from '../../src/core/training/noise.ts'

const key = fc.uint8Array({ minLength: 32, maxLength: 32 })
const word = fc.nat({ max: 0xffffffff })

function nobleStream (k: Uint8Array, step: number, tag: number, bytes: number): Uint8Array {
  const nonce = new Uint8Array(12)
  new DataView(nonce.buffer).setUint32(0, step, true)
  new DataView(nonce.buffer).setUint32(4, tag, true)
  return chacha8(k, nonce, new Uint8Array(bytes))
}

describe('the keyed stream', () => {
  test('is ChaCha8 with nonce (step, tag, 0)', () => {
    fc.assert(fc.property(key, word, word, fc.integer({ min: 1, max: 400 }), (k, step, tag, count) => {
      expect(noiseBytes(noiseKeyWords(k), step, tag, count)).toEqual(nobleStream(k, step, tag, count))
    }), { numRuns: 60 })
  })

  test('gives words that are its bytes, little-endian', () => {
    fc.assert(fc.property(key, word, word, fc.integer({ min: 1, max: 70 }), (k, step, tag, count) => {
      const bytes = nobleStream(k, step, tag, count * 4)
      const view = new DataView(bytes.buffer, bytes.byteOffset)
      const words = noiseWords(noiseKeyWords(k), step, tag, count)
      expect(words).toHaveLength(count)
      for (let i = 0; i < count; i++) expect(words[i]).toBe(view.getUint32(4 * i, true))
    }), { numRuns: 40 })
  })

  test('can be entered at any block', () => {
    const k = noiseKeyWords(Uint8Array.from({ length: 32 }, (_, i) => i))
    const all = noiseWords(k, 7, 9, 16 * 5)
    const block = new Uint32Array(16)
    chacha8Block(k, 3, 7, 9, 0, block, 0)
    expect(block).toEqual(all.slice(48, 64))
  })

  test('needs a key of 256 bits', () => {
    expect(() => noiseKeyWords(new Uint8Array(16))).toThrow('needs 32')
  })
})

describe('noise values', () => {
  const bytes = Array.from({ length: 256 }, (_, i) => i)

  test.each([1, 2, 4, 8, 16, 32])('input noise of amplitude %d is uniform in [-A, A)', amplitude => {
    const counts = new Map<number, number>()
    for (const b of bytes) counts.set(inputNoise(b, amplitude), (counts.get(inputNoise(b, amplitude)) ?? 0) + 1)
    expect([...counts.keys()].sort((a, b) => a - b)).toEqual(Array.from({ length: 2 * amplitude }, (_, i) => i - amplitude))
    expect(new Set(counts.values())).toEqual(new Set([128 / amplitude]))
  })

  test('amplitude 0 is no noise', () => {
    expect(new Set(bytes.map(b => inputNoise(b, 0)))).toEqual(new Set([0]))
  })

  test('ternary noise is -1, 0, 1 without bias', () => {
    const count = (n: number): number => bytes.filter(b => ternaryNoise(b) === n).length
    expect([count(-1), count(0), count(1)]).toEqual([85, 86, 85])
  })
})
