/** The reference against the golden values of EXACT: vectors/ix8-v1.json. */
import { existsSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { bitlen, clamp, roundDithered, roundNearest, roundStochastic } from '../../src/compute/reference/integer.ts'
import { networkFrom, trainStep, type Network, type RandomSource } from '../../src/compute/reference/network.ts'
import { keyedRandom, plainRandom } from '../../src/compute/reference/random.ts'
import { EXP2, LOG2 } from '../../src/compute/tables.ts'
import { OP_ADD, OP_APPLY, OP_CONV, OP_SCORES, OP_SOFTMAX, type Model } from '../../src/core/codec/jobSpec.ts'
import { stateFromSeed32 } from '../../src/core/training/init.ts'
import { fmix32, isqrt, key32 } from '../../src/core/training/integers.ts'
import { mlp, opOf, shapeOf } from '../../src/core/training/shape.ts'
import vectors from '../vectors/ix8-v1.json'
import { task } from './tasks.ts'

const MODEL = mlp([784, 128, 64, 10])
const BATCH = 64
const GOLDEN = 0x9e3779b1

const hex = (x: number): string => (x >>> 0).toString(16).padStart(8, '0')

/** FNV-1a whose unit is a 32-bit word. */
function fnv (...arrays: ReadonlyArray<ArrayLike<number>>): string {
  let h = 0x811c9dc5
  for (const array of arrays) for (let i = 0; i < array.length; i++) h = Math.imul(h ^ array[i], 0x01000193)
  return hex(h)
}

/** A tensor [channels][batch][positions] as [batch][channels][positions]. */
function bySample (values: Int32Array, batch: number, positions = 1): number[] {
  const channels = values.length / batch / positions
  const at = (n: number, c: number): number[] => [...values.subarray((c * batch + n) * positions, (c * batch + n + 1) * positions)]
  return Array.from({ length: batch }, (_, n) => Array.from({ length: channels }, (_, c) => at(n, c)).flat()).flat()
}

const stateFnv = (network: Network): string => fnv(...network.layers.flatMap(layer => [layer.weights.values, layer.biases.values]))

describe('ix8-v1: scalars and tables', () => {
  test('fmix32', () => { for (const [x, want] of vectors.fmix) expect(hex(fmix32(x as number))).toBe(want) })

  test('keys', () => {
    for (const [seed, step, tag, want] of vectors.key) expect(hex(key32(seed as number, step as number, tag as number))).toBe(want)
  })

  test('rounding to nearest', () => { for (const [x, s, want] of vectors.rn) expect(roundNearest(x, s)).toBe(want) })

  test('stochastic rounding', () => {
    for (const [x, s, key, i, want] of vectors.sr) expect(roundStochastic(x, s, fmix32(Math.imul(i, GOLDEN) + key))).toBe(want)
  })

  test('integer square root', () => {
    for (const [c, k, want] of vectors.isqrt) expect(isqrt(Math.floor(c * 2 ** 32 / k))).toBe(want)
  })

  test('the exponential table', () => {
    expect([...EXP2.slice(0, 4)]).toEqual(vectors.lut.first4)
    expect([...EXP2.slice(-2)]).toEqual(vectors.lut.last2)
    expect(fnv(EXP2)).toBe(vectors.lut.fnv)
  })

  test('the logarithm table', () => {
    expect([...LOG2]).toEqual(Array.from({ length: 257 }, (_, i) => Math.round(65536 * Math.log2(1 + i / 256))))
  })

  test('the initial state', () => {
    const state = stateFromSeed32(MODEL, 1)
    expect([...state.weights[0].slice(0, 8)]).toEqual(vectors.init_first8)
    expect(stateFnv(networkFrom(MODEL, state))).toBe(vectors.init)
  })
})

describe('edges of the scalar operations', () => {
  test('shifts of any size', () => {
    expect(roundNearest(1, -40)).toBe(1 << 31)
    expect(roundNearest(-1, 64)).toBe(0)
    expect(roundNearest(2 ** 30, 31)).toBe(1)
    expect(roundStochastic(-(2 ** 31), 31, 0xffffffff)).toBe(-1)
    expect(roundStochastic(2 ** 31 - 1, 50, 0xffffffff)).toBe(1)
    expect(roundStochastic(3, -31, 0)).toBe(1 << 31)
  })

  test('stochastic rounding is unbiased over its words', () => {
    for (const x of [-37, -16, -1, 0, 5, 100]) {
      let sum = 0
      for (let word = 0; word < 16; word++) sum += roundStochastic(x, 4, word)
      expect(sum).toBe(x)
    }
  })

  test('dithered rounding is off by at most 1/512 on the mean of its bytes', () => {
    for (const s of [1, 2, 5, 8, 9, 12, 20, 31, 40]) {
      for (const x of [-(2 ** 31), -1000003, -129, -1, 0, 1, 77, 2 ** 20 + 5, 2 ** 31 - 1]) {
        let sum = 0
        for (let byte = 0; byte < 256; byte++) sum += roundDithered(x, s, byte)
        expect(Math.abs(sum / 256 - x / 2 ** Math.min(s, 31))).toBeLessThanOrEqual(1 / 512)
      }
    }
    expect(roundDithered(3, -31, 200)).toBe(1 << 31)
    expect(roundDithered(-5, 0, 255)).toBe(-5)
  })

  test('bit length and clamp', () => {
    expect([0, 1, 127, 128, 2 ** 31 - 1, 2 ** 31].map(bitlen)).toEqual([0, 1, 7, 8, 31, 32])
    expect([-200, -127, 3, 200].map(x => clamp(x, 127))).toEqual([-127, -127, 3, 127])
  })
})

/** The random numbers that samples first..first+n of a batch have. */
const shardOf = (whole: RandomSource, first: number, batch: number): RandomSource => {
  return {
    inputNoise (step, _, features) {
      const at = whole.inputNoise(step, batch, features)
      return (sample, feature) => at(first + sample, feature)
    },
    activationNoise (step, op, _, tensor) {
      const at = whole.activationNoise(step, op, batch, tensor)
      return (channel, sample, ...rest) => at(channel, first + sample, ...rest)
    },
    error (step, op, _, tensor) {
      const at = whole.error(step, op, batch, tensor)
      return (channel, sample, ...rest) => at(channel, first + sample, ...rest)
    },
    traced: whole.traced
  }
}

/** Attention of positions in two sizes, with a residual. */
const attention: Model = {
  channels: 1, height: 3, width: 7,
  ops: [
    opOf({ kind: OP_CONV, units: 6, kernel: 1, stride: 1, groups: 1, relu: 1 }), opOf({ kind: OP_CONV, a: 1, units: 6, kernel: 2, stride: 1, groups: 1 }),
    opOf({ kind: OP_SCORES, a: 1, b: 2 }), opOf({ kind: OP_SOFTMAX, a: 3, stride: 1 }), opOf({ kind: OP_APPLY, a: 4, b: 2 }),
    opOf({ kind: OP_ADD, a: 5, b: 1 }), opOf({ a: 6, units: 5 })
  ]
}

test.each([
  ['dense', [21, 12, 9, 5], 2], ['dense', [21, 12, 9, 5], 4], ['attention', attention, 2], ['attention', attention, 4]
] as const)('a batch (%s) in shards has the same errors, and their gradients sum to its gradient', (_, layers, shards) => {
  const { spec, state, inputs, labels, noiseKey, lr20 } = task(layers, 32, 1)
  const whole = keyedRandom(noiseKey, spec.inputNoise)
  const all = trainStep(networkFrom(spec, state), 0, inputs, labels, lr20, whole)
  const size = 32 / shards
  const parts = Array.from({ length: shards }, (_, s) => trainStep(
    networkFrom(spec, state), 0, inputs.subarray(s * size * 21, (s + 1) * size * 21),
    labels.subarray(s * size, (s + 1) * size), lr20, shardOf(whole, s * size, 32)
  ))
  for (const [l, gradient] of all.gradients.entries()) {
    expect([...gradient]).toEqual([...gradient].map((_, i) => parts.reduce((sum, part) => sum + part.gradients[l][i], 0)))
  }
  for (const [i, { output }] of shapeOf(spec).ops.entries()) {
    const samples = (e: Int32Array, batch: number): number[] => bySample(e, batch, output.height * output.width)
    expect(samples(all.errors[i], 32)).toEqual(parts.flatMap(part => samples(part.errors[i], size)))
  }
})

/** Epoch 0 of seed 1 in the record behind the vectors: Fisher-Yates from the end, draws by multiplication. */
function permutation (count: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i)
  const key = fmix32(12345 + 77)
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(fmix32(Math.imul(i, GOLDEN) + key) * (i + 1) / 2 ** 32)
    const moved = order[j]
    order[j] = order[i]
    order[i] = moved
  }
  return order
}

test('the order of the records', () => {
  const order = permutation(60_000)
  expect([...order.slice(0, 8)]).toEqual(vectors.perm_first8)
  expect(fnv(order)).toBe(vectors.perm_fnv)
})

const mnist = new URL('../../../shared/data/mnist/', import.meta.url)
if (existsSync(mnist)) {
  describe('ix8-v1: the plain trajectory on MNIST', () => {
    test('golden steps 1 to 5, 100 and 300', { timeout: 600_000 }, () => {
      const images = gunzipSync(readFileSync(new URL('train-images-idx3-ubyte.gz', mnist))).subarray(16)
      const classes = gunzipSync(readFileSync(new URL('train-labels-idx1-ubyte.gz', mnist))).subarray(8)
      const order = permutation(60_000)
      // Ten epochs of 937 whole batches; the rate falls linearly.
      const total = 9370
      const random = plainRandom(1, 3)
      const network = networkFrom(MODEL, stateFromSeed32(MODEL, 1))
      const raw = new Uint8Array(BATCH * 784)
      const labels = new Uint8Array(BATCH)
      for (let step = 0; step < 300; step++) {
        for (let n = 0; n < BATCH; n++) {
          const record = order[step * BATCH + n]
          raw.set(images.subarray(record * 784, (record + 1) * 784), n * 784)
          labels[n] = classes[record]
        }
        const lr20 = Math.floor(1049 * (total - step) / total)
        const trace = trainStep(network, step, raw, labels, lr20, random)
        const golden = vectors.steps[step]
        if (golden !== undefined) {
          expect({
            step: network.steps,
            lr20,
            hash: stateFnv(network),
            fw: trace.weightExponents,
            fo: [...network.activationExponents],
            fe: [...network.errorExponents, 7],
            G0: fnv(trace.gradients[0]),
            G2: fnv(trace.gradients[2]),
            E2: fnv(bySample(trace.errors[2], BATCH))
          }).toEqual(golden)
        }
        if (network.steps === 100) expect(stateFnv(network)).toBe(vectors.long['mnist seed1 B64 step100'])
      }
      expect(stateFnv(network)).toBe(vectors.long['mnist seed1 B64 step300'])
    })
  })
} else {
  console.warn('ix8-v1: MNIST is not at ../shared/data/mnist, so the golden training steps are not checked in this run')
}
