/** The fast kernels against the slow ones. */
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import type { SyncKernels } from '../../src/compute/kernels.ts'
import { referenceKernels } from '../../src/compute/reference/referenceKernels.ts'
import { createWasmKernels } from '../../src/compute/wasm/wasmKernels.ts'
import { OP_ADD, OP_APPLY, OP_AVERAGE_POOL, OP_CONV, OP_DENSE, OP_MAX_POOL, OP_NORM, OP_SCORES, OP_SOFTMAX, type Model, type Op } from '../../src/core/codec/jobSpec.ts'
import { graphErrors } from '../../src/core/training/graphRules.ts'
import { MAX_WEIGHT, type ModelState } from '../../src/core/training/modelState.ts'
import { opOf } from '../../src/core/training/shape.ts'
import type { SliceTask } from '../../src/ports/compute.ts'
import { describeModel, modelCases } from './models.ts'
import { task } from './tasks.ts'

let wasm: SyncKernels
beforeAll(async () => { wasm = await createWasmKernels() })

/** Fails with the first tensor that differs, and where. */
function expectSame (slice: SliceTask): void {
  const want = referenceKernels.runSlice(slice)
  const got = wasm.runSlice(slice)
  const model = describeModel(slice.spec)
  const tensors = (s: ModelState): Array<readonly [string, Int32Array]> => [
    ['fo', s.activationExponents], ['fe', s.errorExponents],
    ...s.weights.flatMap((w, l) => [[`W${l}`, w] as const, [`b${l}`, s.biases[l]] as const])
  ]
  for (const [t, [name, tensor]] of tensors(want).entries()) {
    const other = tensors(got)[t][1]
    const at = tensor.findIndex((x, i) => x !== other[i])
    expect(at === -1 ? 'equal' : `${name}[${at}] is ${tensor[at]}, computed ${other[at]}: ${model}, batch ${slice.spec.batch}`).toBe('equal')
    expect(other).toHaveLength(tensor.length)
  }
  const { spec, state, inputs, labels } = slice
  expect(wasm.score({ spec, state, inputs, labels })).toEqual(referenceKernels.score({ spec, state, inputs, labels }))
}

const settings = fc.record({
  inputNoise: fc.constantFrom(0, 1, 2, 4, 8, 16, 32),
  lr20: fc.oneof(fc.integer({ min: 1, max: 65535 }), fc.constantFrom(1, 1049, 65535)),
  seed: fc.nat({ max: 0xffffffff })
})
const width = fc.integer({ min: 1, max: 41 })
const dense = fc.record({
  layers: fc.array(width, { minLength: 1, maxLength: 8 })
    .chain(rest => fc.integer({ min: 1, max: 70 }).map(first => [first, ...rest])),
  batch: fc.integer({ min: 16, max: 64 })
})

/** `slice` from a state of the given magnitudes and exponents. */
function fromState (slice: SliceTask, seed: number, weightBits: number, biasBits: number, fo: number, fe: number): SliceTask {
  let x = seed | 1
  const random = (limit: number): number => {
    x ^= x << 13; x ^= x >>> 17; x ^= x << 5
    return Math.max(-limit, Math.min(limit, (x >>> 0) % (2 * limit + 1) - limit))
  }
  const state: ModelState = {
    weights: slice.state.weights.map(w => w.map(() => random(2 ** weightBits))),
    biases: slice.state.biases.map(b => b.map(() => random(2 ** biasBits))),
    activationExponents: slice.state.activationExponents.map((_, i) => fo + i % 3),
    errorExponents: slice.state.errorExponents.map((_, i) => fe - i % 3)
  }
  return { ...slice, state }
}

/** The input and the operations, each reading what the one before wrote unless it says otherwise. */
function model (channels: number, height: number, width: number, ...ops: ReadonlyArray<Partial<Op>>): Model {
  const made = { channels, height, width, ops: ops.map((op, i) => opOf({ a: i, ...op })) }
  expect(graphErrors(made, 16)).toEqual([])
  return made
}
const conv = (units: number, kernel: number, rest: Partial<Op> = {}): Partial<Op> => ({ kind: OP_CONV, units, kernel, stride: 1, groups: 1, relu: 1, ...rest })
const pool = (kernel: number, stride: number, kind = OP_MAX_POOL): Partial<Op> => ({ kind, kernel, stride })
const units = (units: number, relu = 1): Partial<Op> => ({ kind: OP_DENSE, units, relu })
const add = (b: number, relu = 0): Partial<Op> => ({ kind: OP_ADD, b, relu })
const norm = (relu = 0): Partial<Op> => ({ kind: OP_NORM, relu })

const lenet = model(1, 28, 28, conv(8, 5), pool(2, 2), conv(16, 5), pool(2, 2), units(64), units(10, 0))
/** Every operation, several readers of one tensor, groups of both kinds. */
const everything = model(
  2, 9, 8, conv(6, 3, { padding: 1 }), norm(), conv(6, 3, { padding: 1, groups: 6 }), conv(6, 1, { relu: 0 }), add(1, 1),
  conv(16, 2, { stride: 2, groups: 2 }), norm(1), pool(2, 1, OP_AVERAGE_POOL), pool(2, 1), conv(8, 1, { groups: 4 }), units(7), units(5, 0)
)
/** Attention with its residual: q, k and v read tensor a. */
const attention = (a: number, dim: number, scale: number): ReadonlyArray<Partial<Op>> => [
  conv(dim, 1, { a, relu: 0 }), conv(dim, 1, { a, relu: 0 }), conv(dim, 1, { a, relu: 0 }),
  { kind: OP_SCORES, a: a + 1, b: a + 2 }, { kind: OP_SOFTMAX, stride: scale }, { kind: OP_APPLY, b: a + 3 }, add(a)
]

describe('wasm equals reference', () => {
  test('on random dense nets', () => {
    fc.assert(fc.property(dense, settings, fc.integer({ min: 1, max: 5 }), ({ layers, batch }, rest, steps) => {
      expectSame(task(layers, batch, steps, rest))
    }), { numRuns: 40 })
  })

  test('on random graphs', () => {
    fc.assert(fc.property(modelCases, settings, fc.integer({ min: 1, max: 4 }), ({ model, batch }, rest, steps) => {
      expectSame(task(model, batch, steps, rest))
    }), { numRuns: 60 })
  })

  const bits = fc.integer({ min: 0, max: 30 })
  const exponent = fc.integer({ min: -40, max: 60 })
  test('from random states at every magnitude', () => {
    fc.assert(fc.property(dense, settings, bits, bits, exponent, exponent, ({ layers, batch }, rest, weightBits, biasBits, fo, fe) => {
      expectSame(fromState(task(layers, batch, 3, rest), rest.seed, weightBits, biasBits, fo, fe))
    }), { numRuns: 40 })
  })

  test('on random graphs from random states at every magnitude', () => {
    fc.assert(fc.property(modelCases, settings, bits, bits, exponent, exponent, ({ model, batch }, rest, weightBits, biasBits, fo, fe) => {
      expectSame(fromState(task(model, batch, 3, rest), rest.seed, weightBits, biasBits, fo, fe))
    }), { numRuns: 60 })
  })

  test.each(['zero', 'full', 'random'] as const)('on %s inputs, from zero, initial and saturated weights, at every rate', inputs => {
    for (const state of ['zero', 'initial', 'saturated'] as const) {
      for (const lr20 of [1, 1049, 65535]) {
        for (const oneClass of [false, true]) expectSame(task([19, 11, 6, 3], 18, 4, { inputs, state, lr20, oneClass, seed: lr20 + 7 }))
        expectSame(task(everything, 16, 3, { inputs, state, lr20, seed: lr20 + 8 }))
      }
    }
  })

  test('over hundreds of steps, past every warm-up of the optimiser', () => {
    expectSame(task([17, 9, 5], 16, 300, { seed: 5 }))
    expectSame(task([17, 9, 5], 16, 300, { seed: 6, inputs: 'full', oneClass: true, lr20: 65535 }))
    expectSame(task([9, 6, 4], 24, 300, { seed: 7, state: 'saturated', lr20: 65535 }))
    const small = model(1, 5, 4, conv(2, 2), norm(), conv(2, 3, { padding: 1, groups: 2, relu: 0 }), add(1, 1), pool(2, 2), units(3, 0))
    expectSame(task(small, 16, 200, { seed: 15 }))
    expectSame(task(small, 16, 200, { seed: 16, state: 'saturated', inputs: 'full', lr20: 65535 }))
  })

  test('where the second moment needs all of its bits', () => {
    // A huge batch gradient against exponents that leave it unscaled: v grows to its bound.
    const slice = task([8, 6, 4], 256, 12, { inputs: 'full', lr20: 3 })
    for (const fe of [-20, -12, -8, -4, 0, 4, 8, 30]) {
      expectSame({ ...slice, state: { ...slice.state, errorExponents: Int32Array.of(fe), activationExponents: Int32Array.of(fe) } })
    }
  })

  test('when the input does not fit one hand-over, and when shapes alternate', () => {
    const long = task([4096, 2], 256, 5, { seed: 9 })
    const short = task([5, 3], 16, 3, { seed: 10 })
    expectSame(long)
    expectSame(short)
    expectSame(task([784, 128, 64, 10], 32, 3, { seed: 11 }))
    expectSame(task(everything, 16, 2, { seed: 17 }))
    expectSame(short)
    expectSame(task(everything, 3, 2, { seed: 18 }))
  })

  test('on convolutions of many tiles and blocks', () => {
    expectSame(task(lenet, 64, 2, { seed: 19 }))
    // Lines that no tile is a multiple of, in a tensor of several blocks of channels.
    expectSame(task(model(1, 20, 101, conv(12, 3, { padding: 2 }), conv(9, 3, { stride: 2 }), pool(3, 3), units(3, 0)), 16, 1, { seed: 20 }))
    // Several readers and norms over several blocks.
    expectSame(task(model(
      1, 30, 30, conv(12, 3, { padding: 1 }), norm(), { ...norm(1), a: 1 }, { ...add(2), a: 3 }, { ...add(1, 1), a: 4 }, pool(6, 6, OP_AVERAGE_POOL), units(3, 0)
    ), 16, 1, { seed: 21 }))
  })

  test('on attention', () => {
    for (const [height, width, dim] of [[1, 1, 3], [1, 7, 5], [3, 5, 8], [4, 4, 1], [7, 7, 16]]) {
      const net = model(1, height, width, conv(dim, 1), ...attention(1, dim, 1), norm(), units(4, 0))
      expectSame(task(net, 17, 3, { seed: 30 }))
      expectSame(task(net, 16, 2, { seed: 31, state: 'saturated', inputs: 'full', lr20: 65535 }))
      expectSame(task(net, 1, 3, { seed: 32 }))
    }
    // Queries of one picture, keys and values of another; several blocks of channels; ReLU in the middle; softmaxes that take turns.
    expectSame(task(model(
      2, 6, 5, conv(6, 1), conv(6, 2, { stride: 2, a: 0 }), { kind: OP_SCORES, a: 1, b: 2, relu: 1 }, { kind: OP_SOFTMAX }, { kind: OP_APPLY, b: 2, relu: 1 }, units(4, 0)
    ), 19, 4, { seed: 33 }))
    expectSame(task(model(1, 12, 20, conv(4, 1), ...attention(1, 4, 2), pool(4, 4), units(3, 0)), 16, 1, { seed: 34 }))
    expectSame(task(model(
      1, 16, 18, conv(24, 1), { kind: OP_SOFTMAX }, { kind: OP_SOFTMAX, a: 1, stride: 3 }, norm(), { ...norm(), a: 1 }, { ...add(2), a: 4 }, add(5), add(1), pool(5, 5), units(3, 0)
    ), 16, 1, { seed: 35 }))
  })

  test('where products of tensors drive exponents to their bound', () => {
    const net = model(1, 3, 3, conv(3, 1), conv(3, 1, { a: 0 }), { kind: OP_SCORES, a: 1, b: 2 }, { kind: OP_APPLY, b: 2 }, units(3, 0))
    for (const [fo, fe] of [[1020, 1020], [-1020, -1020], [1020, -1020], [700, 900], [-900, 20]]) expectSame(fromState(task(net, 16, 6, { seed: 36 }), 36, 24, 20, fo, fe))
    const { activationExponents, errorExponents } = wasm.runSlice(fromState(task(net, 16, 6, { seed: 36 }), 36, 24, 20, -1020, -1020))
    expect(Math.min(...activationExponents, ...errorExponents)).toBe(-1023)
  })

  test('on odd windows', () => {
    const last = units(3, 0)
    for (const odd of [
      model(3, 2, 1, conv(4, 2, { padding: 1 }), last),
      model(2, 3, 50, conv(5, 9, { padding: 4, stride: 5 }), last),
      model(2, 50, 3, conv(5, 9, { padding: 4, stride: 5 }), pool(1, 2), last),
      model(2, 12, 12, conv(4, 12), conv(16, 1, { groups: 2 }), last),
      model(
        2, 9, 9, conv(8, 3, { stride: 3 }), { ...conv(8, 1, { stride: 3 }), a: 0 }, add(1),
        conv(8, 3, { padding: 1, stride: 2, groups: 8 }), { ...conv(8, 1, { stride: 2, groups: 8 }), a: 3 }, add(4), last
      ),
      model(4, 11, 7, pool(7, 4), pool(1, 1), conv(4, 1, { groups: 4 }), last),
      model(4, 11, 17, pool(4, 3, OP_AVERAGE_POOL), pool(2, 2, OP_AVERAGE_POOL), last),
      model(4, 11, 17, conv(4, 1), pool(4, 3, OP_AVERAGE_POOL), last),
      model(4, 11, 19, conv(4, 1), pool(2, 2, OP_AVERAGE_POOL), last),
      model(4, 11, 19, conv(4, 1), pool(2, 2), last),
      model(4, 9, 9, conv(4, 1), pool(9, 1, OP_AVERAGE_POOL), last),
      model(1, 8, 64, conv(2, 3, { padding: 1 }), pool(8, 8), last)
    ]) expectSame(task(odd, 17, 2, { seed: 22 }))
  })

  test('at the widest layer', () => {
    expectSame(task([40, 4096, 2], 16, 2, { seed: 12 }))
    expectSame(task([3, 5, 256], 16, 4, { seed: 13 }))
    expectSame(task(model(1024, 2, 2, conv(4096, 1, { groups: 1024 }), pool(2, 2), units(2, 0)), 16, 1, { seed: 23 }))
  })

  test('on any number of records when it evaluates', () => {
    for (const slice of [task([30, 12, 7], 32, 4, { seed: 14 }), task(everything, 17, 6, { seed: 24 })]) {
      const { spec, state, inputs, labels } = slice
      for (const count of [1, 7, 8, 31, 32, 33, 100]) {
        const evaluation = { spec, state, inputs: inputs.subarray(0, count * spec.data.features), labels: labels.subarray(0, count) }
        expect(wasm.score(evaluation)).toEqual(referenceKernels.score(evaluation))
      }
    }
  })

  test('with a batch of one', () => {
    expectSame(task([9, 4, 3], 1, 5, { seed: 25 }))
    expectSame(task(everything, 1, 5, { seed: 26 }))
  })

  test('weights stay within +-2^30', () => {
    const { weights, biases } = wasm.runSlice(task([9, 6, 4], 24, 200, { state: 'saturated', lr20: 65535 }))
    for (const tensor of [...weights, ...biases]) expect(tensor.every(x => Math.abs(x) <= MAX_WEIGHT)).toBe(true)
  })
})
