import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hash } from '../../../src/core/crypto/hash.ts'
import { benchmarkSpec } from '../../../src/core/training/benchmark.ts'
import { initialState, stateFromSeed32 } from '../../../src/core/training/init.ts'
import { bitLength, fmix32, isqrt, key32 } from '../../../src/core/training/integers.ts'
import { MAX_WEIGHT, type ModelState } from '../../../src/core/training/modelState.ts'
import { mlp, shapeOf } from '../../../src/core/training/shape.ts'
import { decodeState, stateBytes, stateHash, stateSize } from '../../../src/core/training/stateHash.ts'

const spec = mlp([6, 5, 4, 3])

/** Of 32-bit words, as EXACT's vectors were made. */
function fnv (words: Iterable<number>): string {
  let h = 0x811c9dc5
  for (const word of words) h = Math.imul(h ^ word, 0x01000193)
  return (h >>> 0).toString(16).padStart(8, '0')
}

describe('integers of EXACT 5', () => {
  it.each([[0, '00000000'], [1, '514e28b7'], [2, '30f4c306'], [4294967295, '81f16f39'], [2654435761, '11fd02eb']])('fmix32(%i)', (x, expected) => {
    expect(fmix32(x)).toBe(parseInt(expected, 16))
  })

  it.each([[1, 0, 40, '2808e743'], [1, 0, 61, '3b04ecd1'], [1, -1, 100, 'b9c02fdc'], [7, 1000, 62, '68c7f938']])('key(%i, %i, %i)', (seed, step, tag, expected) => {
    expect(key32(seed, step, tag)).toBe(parseInt(expected, 16))
  })

  it.each([[6, 784, 5733], [6, 128, 14188], [3, 64, 14188]])('isqrt(%i * 2^32 / %i)', (c, k, expected) => {
    expect(isqrt(Math.floor(c * 2 ** 32 / k))).toBe(expected)
  })

  it('isqrt is the floor of the root', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 51 }), n => {
      const root = isqrt(n)
      return root * root <= n && (root + 1) * (root + 1) > n
    }))
  })

  it('counts bits', () => {
    expect([0, 1, 127, 128, 2 ** 30, 2 ** 31].map(bitLength)).toEqual([0, 1, 7, 8, 31, 32])
  })
})

describe('initial state', () => {
  it('has the bits of EXACT 5 for its seed', () => {
    const state = stateFromSeed32(mlp([784, 128, 64, 10]), 1)
    expect([...state.weights[0].subarray(0, 8)]).toEqual([-10543104, 17592320, -19582976, -8208384, 9408512, -20295680, -20111360, 7725056])
    expect(fnv(state.weights.flatMap((w, l) => [...w, ...state.biases[l]]))).toBe('c947a56d')
  })

  it('starts with exponents 4 and 8 and biases 0', () => {
    const state = initialState(benchmarkSpec)
    expect([...state.activationExponents]).toEqual([4, 4])
    expect([...state.errorExponents]).toEqual([8, 8])
    expect(state.biases.every(b => b.every(v => v === 0))).toBe(true)
  })

  it('differs by seed and only by seed', () => {
    const other = { ...benchmarkSpec, seed: hash('another') }
    expect(stateHash(initialState(benchmarkSpec))).toEqual(stateHash(initialState({ ...benchmarkSpec })))
    expect(stateHash(initialState(other))).not.toEqual(stateHash(initialState(benchmarkSpec)))
  })

  it('keeps narrow inputs within the weight bound', () => {
    for (const weights of stateFromSeed32(mlp([1, 1, 2]), 5).weights) expect(weights.every(w => Math.abs(w) <= 32767 * 4096)).toBe(true)
  })
})

describe('state bytes and hash', () => {
  it('knows shapes', () => {
    const shape = shapeOf(spec)
    expect(shape.parameters).toBe(30 + 5 + 20 + 4 + 12 + 3)
    expect(shape.layers).toMatchObject([{ outputs: 5, inputs: 6 }, { outputs: 4, inputs: 5 }, { outputs: 3, inputs: 4 }])
    expect(shape.tensors.map(t => t.size)).toEqual([6, 5, 4, 3])
    expect(stateSize(spec)).toBe(4 * (74 + 4))
  })

  it('round trips', () => {
    const state = stateFromSeed32(spec, 9)
    const bytes = stateBytes(state)
    expect(bytes.length).toBe(stateSize(spec))
    expect(decodeState(spec, bytes)).toEqual({ ok: true, value: state })
  })

  it('reads from the middle of a buffer', () => {
    const state = stateFromSeed32(spec, 9)
    const padded = new Uint8Array(stateSize(spec) + 3)
    padded.set(stateBytes(state), 3)
    expect(decodeState(spec, padded.subarray(3))).toEqual({ ok: true, value: state })
  })

  const at = (offset: number, value: number): Uint8Array => {
    const bytes = stateBytes(stateFromSeed32(spec, 9))
    new DataView(bytes.buffer).setInt32(offset, value, true)
    return bytes
  }
  it.each([
    ['too short', new Uint8Array(stateSize(spec) - 1), 'malformed', '311 bytes, a state of this job has 312'],
    ['too long', new Uint8Array(stateSize(spec) + 4), 'too-large', '316 bytes, a state of this job has 312'],
    ['a weight above the bound', at(8, MAX_WEIGHT + 1), 'malformed', 'weights of layer 0[2] is 1073741825, outside +-1073741824'],
    ['a bias below the bound', at(4 * 30, -MAX_WEIGHT - 1), 'malformed', 'biases of layer 0[0] is -1073741825, outside +-1073741824'],
    ['a wild exponent', at(4 * 74, 1024), 'malformed', 'activation exponents[0] is 1024, outside +-1023'],
    ['a wild error exponent', at(4 * 77, -1024), 'malformed', 'error exponents[1] is -1024, outside +-1023']
  ])('refuses %s', (_, bytes, reason, detail) => {
    expect(decodeState(spec, bytes)).toEqual({ ok: false, error: { reason, detail } })
  })

  it('takes the bounds themselves', () => {
    expect(decodeState(spec, at(8, MAX_WEIGHT)).ok).toBe(true)
    expect(decodeState(spec, at(8, -MAX_WEIGHT)).ok).toBe(true)
    expect(decodeState(spec, at(4 * 77, -1023)).ok).toBe(true)
  })

  it('changes with every value of every tensor', () => {
    const bytes = stateBytes(stateFromSeed32(spec, 9))
    const hashOf = (b: Uint8Array): string => {
      const state = decodeState(spec, b)
      if (!state.ok) throw new Error(state.error.detail)
      return stateHash(state.value).join()
    }
    const seen = new Set([hashOf(bytes)])
    for (let i = 0; i < bytes.length; i += 4) {
      const changed = bytes.slice()
      changed[i] ^= 1
      seen.add(hashOf(changed))
    }
    expect(seen.size).toBe(1 + bytes.length / 4)
  })

  it('does not confuse tensors of the same bytes', () => {
    const zero = (n: number): Int32Array => new Int32Array(n)
    const state = (hidden: Partial<ModelState>): ModelState => ({ weights: [zero(4), zero(4)], biases: [zero(2), zero(2)], activationExponents: zero(1), errorExponents: zero(1), ...hidden })
    const one = Int32Array.of(1)
    expect(stateHash(state({ activationExponents: one }))).not.toEqual(stateHash(state({ errorExponents: one })))
  })

  it('hashes a model without hidden layers', () => {
    const linear = mlp([4, 3])
    const state = stateFromSeed32(linear, 2)
    expect(decodeState(linear, stateBytes(state))).toEqual({ ok: true, value: state })
    expect(stateHash(state)).toHaveLength(32)
  })
})
