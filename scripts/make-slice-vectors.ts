/**
 * Writes tests/vectors/slices-v1.json from the reference kernels, and its first rows to
 * src/compute/selfTestSlices.ts. Run it only when the definition changes on purpose.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { OP_ADD, OP_APPLY, OP_AVERAGE_POOL, OP_CONV, OP_DENSE, OP_MAX_POOL, OP_NORM, OP_SCORES, OP_SOFTMAX, type Model } from '../src/core/codec/jobSpec.ts'
import { opOf } from '../src/core/training/shape.ts'
import type { GoldenInput, GoldenSlice } from '../src/compute/golden.ts'
import { referenceKernels } from '../src/compute/reference/referenceKernels.ts'
import { runGolden } from '../src/compute/selfTest.ts'

const SELF_TEST_SLICES = 4

const row = (name: string, layers: number[] | Model, batch: number, steps: number, seed: number, rest: Partial<GoldenInput> = {}): GoldenInput =>
  ({ name, layers, batch, inputNoise: 16, lr20: 1049, steps, seed, state: 'initial', inputs: 'random', ...rest })

const lenet: Model = {
  channels: 1,
  height: 12,
  width: 12,
  ops: [
    opOf({ kind: OP_CONV, units: 5, kernel: 3, stride: 1, groups: 1, relu: 1 }),
    opOf({ kind: OP_MAX_POOL, a: 1, kernel: 2, stride: 2 }),
    opOf({ kind: OP_CONV, a: 2, units: 7, kernel: 3, stride: 2, padding: 1, groups: 1, relu: 1 }),
    opOf({ kind: OP_DENSE, a: 3, units: 12, relu: 1 }),
    opOf({ kind: OP_DENSE, a: 4, units: 4 })
  ]
}

/** Every operation but those of attention: depthwise and grouped convolutions, two residuals, tensors that several read. */
const residual: Model = {
  channels: 3,
  height: 7,
  width: 6,
  ops: [
    opOf({ kind: OP_CONV, units: 6, kernel: 3, stride: 1, padding: 1, groups: 1 }),
    opOf({ kind: OP_NORM, a: 1, relu: 1 }),
    opOf({ kind: OP_CONV, a: 2, units: 6, kernel: 3, stride: 1, padding: 1, groups: 6 }),
    opOf({ kind: OP_CONV, a: 3, units: 6, kernel: 1, stride: 1, groups: 2 }),
    opOf({ kind: OP_ADD, a: 4, b: 2, relu: 1 }),
    opOf({ kind: OP_AVERAGE_POOL, a: 5, kernel: 3, stride: 2 }),
    opOf({ kind: OP_CONV, a: 5, units: 6, kernel: 3, stride: 2, groups: 3, relu: 1 }),
    opOf({ kind: OP_ADD, a: 6, b: 7 }),
    opOf({ kind: OP_DENSE, a: 8, units: 5 })
  ]
}

/** Attention of fifteen positions with a residual, then of four positions over the records themselves, without a softmax. */
const attentive: Model = {
  channels: 3,
  height: 3,
  width: 5,
  ops: [
    opOf({ kind: OP_CONV, units: 6, kernel: 1, stride: 1, groups: 1, relu: 1 }),
    opOf({ kind: OP_CONV, a: 1, units: 5, kernel: 1, stride: 1, groups: 1 }),
    opOf({ kind: OP_CONV, a: 1, units: 5, kernel: 1, stride: 1, groups: 1 }),
    opOf({ kind: OP_CONV, a: 1, units: 6, kernel: 1, stride: 1, groups: 1 }),
    opOf({ kind: OP_SCORES, a: 2, b: 3 }),
    opOf({ kind: OP_SOFTMAX, a: 5, stride: 1 }),
    opOf({ kind: OP_APPLY, a: 6, b: 4 }),
    opOf({ kind: OP_ADD, a: 7, b: 1 }),
    opOf({ kind: OP_NORM, a: 8 }),
    opOf({ kind: OP_CONV, a: 9, units: 3, kernel: 2, stride: 2, groups: 1 }),
    opOf({ kind: OP_SCORES, a: 10, b: 0, relu: 1 }),
    opOf({ kind: OP_APPLY, a: 11, b: 0, relu: 1 }),
    opOf({ kind: OP_DENSE, a: 12, units: 5 })
  ]
}

/** More than a tile of a GPU's kernels in every direction, sums that it splits, and a max pool. */
const wide: Model = {
  channels: 2,
  height: 8,
  width: 8,
  ops: [
    opOf({ kind: OP_CONV, units: 33, kernel: 3, stride: 1, padding: 1, groups: 1, relu: 1 }),
    opOf({ kind: OP_MAX_POOL, a: 1, kernel: 2, stride: 2 }),
    opOf({ kind: OP_CONV, a: 2, units: 34, kernel: 1, stride: 1, groups: 1, relu: 1 }),
    opOf({ kind: OP_DENSE, a: 3, units: 33, relu: 1 }),
    opOf({ kind: OP_DENSE, a: 4, units: 35 })
  ]
}

const INPUTS: readonly GoldenInput[] = [
  row('odd widths and batch', [13, 7, 5], 17, 140, 1),
  row('a residual net of every operation', residual, 16, 5, 2),
  row('saturated weights, full inputs', [21, 12, 9, 4], 16, 6, 3, { state: 'saturated', inputs: 'full', lr20: 65535 }),
  row('wide tiles and a max pool', wide, 9, 2, 19),
  row('convolutions and a pool', lenet, 17, 12, 15),
  row('a residual net of odd batches, full inputs, largest rate', residual, 19, 10, 16, { inputs: 'full', lr20: 65535 }),
  row('a residual net from saturated weights', residual, 16, 6, 17, { state: 'saturated' }),
  row('a residual net from zero', residual, 16, 6, 18, { state: 'zero', inputs: 'zero' }),
  row('three hidden layers', [49, 24, 17, 16, 10], 16, 8, 2),
  row('one layer', [64, 10], 32, 20, 4),
  row('eight layers', [20, 19, 18, 17, 16, 15, 14, 13, 12], 16, 10, 5),
  row('no input noise', [30, 20, 10], 16, 10, 6, { inputNoise: 0 }),
  row('largest input noise', [30, 20, 10], 16, 10, 7, { inputNoise: 32 }),
  row('zero inputs', [16, 8, 4], 16, 10, 8, { inputs: 'zero', inputNoise: 0 }),
  row('zero weights stay alive', [16, 8, 4], 16, 10, 9, { state: 'zero' }),
  row('one class converges', [16, 12, 3], 16, 130, 10, { inputs: 'full', oneClass: true, lr20: 20000 }),
  row('smallest rate', [16, 12, 3], 64, 10, 11, { lr20: 1 }),
  row('largest rate', [16, 12, 3], 16, 130, 12, { lr20: 65535 }),
  row('two classes, width one', [5, 1, 2], 16, 20, 13),
  row('benchmark shape', [784, 128, 64, 10], 32, 4, 14),
  row('attention', attentive, 17, 24, 19),
  row('attention from saturated weights, largest rate', attentive, 16, 10, 20, { state: 'saturated', inputs: 'full', lr20: 65535 })
]

const slices: GoldenSlice[] = []
for (const input of INPUTS) {
  process.stderr.write(`${input.name}\n`)
  slices.push({ ...input, ...await runGolden(referenceKernels, input) })
}
const about = [
  'Slices of docs/exact.md; src/compute/golden.ts says how a row becomes a task.',
  'stateHash: merkle root of the state after the last step. payloadDigest: of the int8 change. correct and lossBits16: evaluation of that state on the records of the slice.'
]
const lines = slices.map(slice => `    ${JSON.stringify(slice)}`).join(',\n')
writeFileSync(join(import.meta.dirname, '..', 'tests', 'vectors', 'slices-v1.json'), `{
  "about": ${JSON.stringify(about)},
  "slices": [
${lines}
  ]
}
`)

const own = slices.slice(0, SELF_TEST_SLICES).map(slice => `  ${JSON.stringify(slice)}`).join(',\n')
writeFileSync(join(import.meta.dirname, '..', 'src', 'compute', 'selfTestSlices.ts'), `/**
 * What a backend computes before it may work: the first rows of tests/vectors/slices-v1.json, written
 * by scripts/make-slice-vectors.ts. The first is long enough to pass every warm-up of the optimiser
 * (128 steps), the second has every operation but a max pool, the third saturates, the fourth is wide.
 */
import type { GoldenSlice } from './golden.ts'

export const SELF_TEST: readonly GoldenSlice[] = [
${own}
]
`)
