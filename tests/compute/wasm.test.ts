/** The fast kernels against the slow ones. */
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Kernels } from '../../src/compute/kernels.ts'
import { referenceKernels } from '../../src/compute/reference/referenceKernels.ts'
import { createWasmKernels } from '../../src/compute/wasm/wasmKernels.ts'
import { MAX_WEIGHT, type ModelState } from '../../src/core/training/modelState.ts'
import type { SliceTask } from '../../src/ports/compute.ts'
import { task } from './tasks.ts'

let wasm: Kernels
beforeAll(async () => { wasm = await createWasmKernels() })

/** Fails with the first tensor that differs, and where. */
function expectSame (slice: SliceTask): void {
  const want = referenceKernels.runSlice(slice)
  const got = wasm.runSlice(slice)
  const tensors = (s: ModelState): Array<readonly [string, Int32Array]> => [
    ['fo', s.activationExponents], ['fe', s.errorExponents],
    ...s.weights.flatMap((w, l) => [[`W${l}`, w] as const, [`b${l}`, s.biases[l]] as const])
  ]
  for (const [t, [name, tensor]] of tensors(want).entries()) {
    const other = tensors(got)[t][1]
    const at = tensor.findIndex((x, i) => x !== other[i])
    expect(at === -1 ? 'equal' : `${name}[${at}] is ${tensor[at]}, computed ${other[at]}`).toBe('equal')
    expect(other).toHaveLength(tensor.length)
  }
  const { spec, state, inputs, labels } = slice
  expect(wasm.score({ spec, state, inputs, labels })).toEqual(referenceKernels.score({ spec, state, inputs, labels }))
}

const width = fc.integer({ min: 1, max: 41 })
const layers = fc.array(width, { minLength: 1, maxLength: 8 })
  .chain(rest => fc.integer({ min: 1, max: 70 }).map(first => [first, ...rest]))
const model = fc.record({
  layers,
  batch: fc.integer({ min: 16, max: 64 }),
  inputNoise: fc.constantFrom(0, 1, 2, 4, 8, 16, 32),
  lr20: fc.oneof(fc.integer({ min: 1, max: 65535 }), fc.constantFrom(1, 1049, 65535)),
  seed: fc.nat({ max: 0xffffffff })
})

describe('wasm equals reference', () => {
  test('on random shapes', () => {
    fc.assert(fc.property(model, fc.integer({ min: 1, max: 5 }), ({ layers, batch, ...rest }, steps) => {
      expectSame(task(layers, batch, steps, rest))
    }), { numRuns: 40 })
  })

  test('from random states at every magnitude', () => {
    const bits = fc.integer({ min: 0, max: 30 })
    const exponent = fc.integer({ min: -40, max: 60 })
    fc.assert(fc.property(model, bits, bits, exponent, exponent, ({ layers, batch, ...rest }, weightBits, biasBits, fo, fe) => {
      const slice = task(layers, batch, 3, rest)
      let x = rest.seed | 1
      const random = (limit: number): number => {
        x ^= x << 13; x ^= x >>> 17; x ^= x << 5
        return Math.max(-limit, Math.min(limit, (x >>> 0) % (2 * limit + 1) - limit))
      }
      const state: ModelState = {
        weights: slice.state.weights.map(w => w.map(() => random(2 ** weightBits))),
        biases: slice.state.biases.map(b => b.map(() => random(2 ** biasBits))),
        activationExponents: slice.state.activationExponents.map(() => fo),
        errorExponents: slice.state.errorExponents.map(() => fe)
      }
      expectSame({ ...slice, state })
    }), { numRuns: 40 })
  })

  test.each(['zero', 'full', 'random'] as const)('on %s inputs, from zero, initial and saturated weights, at every rate', inputs => {
    for (const state of ['zero', 'initial', 'saturated'] as const) {
      for (const lr20 of [1, 1049, 65535]) {
        for (const oneClass of [false, true]) expectSame(task([19, 11, 6, 3], 18, 4, { inputs, state, lr20, oneClass, seed: lr20 + 7 }))
      }
    }
  })

  test('over hundreds of steps, past every warm-up of the optimiser', () => {
    expectSame(task([17, 9, 5], 16, 300, { seed: 5 }))
    expectSame(task([17, 9, 5], 16, 300, { seed: 6, inputs: 'full', oneClass: true, lr20: 65535 }))
    expectSame(task([9, 6, 4], 24, 300, { seed: 7, state: 'saturated', lr20: 65535 }))
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
    expectSame(short)
  })

  test('at the widest layer', () => {
    expectSame(task([40, 4096, 2], 16, 2, { seed: 12 }))
    expectSame(task([3, 5, 256], 16, 4, { seed: 13 }))
  })

  test('on any number of records when it evaluates', () => {
    const slice = task([30, 12, 7], 32, 4, { seed: 14 })
    const { spec, state, inputs, labels } = slice
    for (const count of [1, 7, 8, 31, 32, 33, 100]) {
      const evaluation = { spec, state, inputs: inputs.subarray(0, count * 30), labels: labels.subarray(0, count) }
      expect(wasm.score(evaluation)).toEqual(referenceKernels.score(evaluation))
    }
  })

  test('weights stay within +-2^30', () => {
    const { weights, biases } = wasm.runSlice(task([9, 6, 4], 24, 200, { state: 'saturated', lr20: 65535 }))
    for (const tensor of [...weights, ...biases]) expect(tensor.every(x => Math.abs(x) <= MAX_WEIGHT)).toBe(true)
  })
})
