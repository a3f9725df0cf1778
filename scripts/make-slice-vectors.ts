/**
 * Writes tests/vectors/slices-v1.json from the reference kernels. Run it only when the definition
 * changes on purpose, and copy the first three rows to src/compute/selfTest.ts.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hash } from '../src/core/crypto/hash.ts'
import type { GoldenInput } from '../src/compute/golden.ts'
import { referenceKernels } from '../src/compute/reference/referenceKernels.ts'
import { runGolden } from '../src/compute/selfTest.ts'

const row = (name: string, layers: number[], batch: number, steps: number, seed: number, rest: Partial<GoldenInput> = {}): GoldenInput =>
  ({ name, layers, batch, inputNoise: 16, lr20: 1049, steps, seed, state: 'initial', inputs: 'random', ...rest })

const INPUTS: readonly GoldenInput[] = [
  row('odd widths and batch', [13, 7, 5], 17, 12, 1),
  row('three hidden layers', [49, 24, 17, 16, 10], 16, 8, 2),
  row('saturated weights, full inputs', [21, 12, 9, 4], 16, 6, 3, { state: 'saturated', inputs: 'full', lr20: 65535 }),
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
  row('benchmark shape', [784, 128, 64, 10], 32, 4, 14)
]

const slices = INPUTS.map(input => {
  process.stderr.write(`${input.name}\n`)
  return { ...input, ...runGolden(referenceKernels, hash, input) }
})
const about = [
  'Slices of EXACT 9 under the keyed noise stream (src/core/training/noise.ts); src/compute/golden.ts says how a row becomes a task.',
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
