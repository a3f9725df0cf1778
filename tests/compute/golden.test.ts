/** The golden slices of the network's arithmetic, on every backend. */
import { beforeAll, describe, expect, test } from 'vitest'
import { openEngine } from '../../src/compute/engine.ts'
import { evaluationOf, log2Bits16, predictionOf } from '../../src/compute/evaluation.ts'
import type { GoldenSlice } from '../../src/compute/golden.ts'
import { createInlineCompute } from '../../src/compute/inline.ts'
import type { SyncKernels } from '../../src/compute/kernels.ts'
import { referenceKernels } from '../../src/compute/reference/referenceKernels.ts'
import { runGolden, selfTestFailure } from '../../src/compute/selfTest.ts'
import { SELF_TEST } from '../../src/compute/selfTestSlices.ts'
import { createWasmKernels } from '../../src/compute/wasm/wasmKernels.ts'
import { hash } from '../../src/core/crypto/hash.ts'
import { decodePayload, mergePayloads } from '../../src/core/training/payload.ts'
import vectors from '../vectors/slices-v1.json'
import { mlp } from '../../src/core/training/shape.ts'
import { hashOf, task } from './tasks.ts'

const slices = vectors.slices as unknown as readonly GoldenSlice[]
let wasm: SyncKernels
beforeAll(async () => { wasm = await createWasmKernels() })

describe('golden slices', () => {
  test.each(slices.map(slice => [slice.name, slice] as const))('%s', async (_, { stateHash, payloadDigest, correct, lossBits16, ...golden }) => {
    const want = { stateHash, payloadDigest, correct, lossBits16 }
    expect(await runGolden(referenceKernels, golden)).toEqual(want)
    expect(await runGolden(wasm, golden)).toEqual(want)
  })

  test('the self-test holds the first of them', () => {
    expect(SELF_TEST).toEqual(slices.slice(0, 4))
  })
})

describe('the self-test', () => {
  /** Kernels with one bit wrong in the last weight. */
  const broken = (kernels: SyncKernels): SyncKernels => ({
    backend: kernels.backend,
    runSlice (slice) {
      const state = kernels.runSlice(slice)
      const tensor = state.weights[state.weights.length - 1]
      tensor[tensor.length - 1] ^= 1
      return state
    },
    score: evaluation => kernels.score(evaluation)
  })

  test('passes on both backends', async () => {
    expect(await selfTestFailure(referenceKernels)).toBeUndefined()
    expect(await selfTestFailure(wasm)).toBeUndefined()
  })

  test('a single wrong bit disables the backend by name, and the reference stands in', async () => {
    const engine = await openEngine('wasm', { reference: async () => referenceKernels, wasm: async () => broken(wasm) })
    expect(engine.backend).toBe('reference')
    expect(engine.failure).toMatch(/^wasm: golden slice "odd widths and batch" has stateHash [0-9a-f]{64}, computed [0-9a-f]{64}$/)
    const slice = task([9, 5, 3], 16, 2)
    expect(hashOf((await engine.runSlice(slice)).state)).toBe(hashOf(referenceKernels.runSlice(slice)))
  })

  test('a wrong evaluation does so too', async () => {
    const engine = await openEngine('wasm', {
      reference: async () => referenceKernels,
      wasm: async () => ({ backend: 'wasm', runSlice: slice => wasm.runSlice(slice), score: e => ({ ...wasm.score(e), sum: new Uint32Array(e.labels.length).fill(65536) }) })
    })
    expect(engine.backend).toBe('reference')
    expect(engine.failure).toContain('wasm: golden slice "odd widths and batch" has lossBits16')
  })

  test('a backend that does not start or does not exist is named', async () => {
    const noSimd = await openEngine('wasm', { reference: async () => referenceKernels, wasm: async () => { throw new Error('no SIMD') } })
    expect([noSimd.backend, noSimd.failure]).toEqual(['reference', 'wasm: no SIMD'])
    const none = await openEngine('wasm', { reference: async () => referenceKernels })
    expect([none.backend, none.failure]).toEqual(['reference', 'wasm: not in this build'])
  })

  test('when the reference is wrong as well, nothing runs', async () => {
    await expect(openEngine('wasm', { reference: async () => broken(referenceKernels), wasm: async () => broken(wasm) }))
      .rejects.toThrow(/no backend computes the golden slices: wasm: .*; reference: /)
  })
})

describe('results', () => {
  test('a slice result is its own evidence', async () => {
    const compute = await createInlineCompute('wasm')
    const slice = task([30, 12, 5], 16, 20)
    const result = await compute.runSlice(slice, 'slice')
    expect(Buffer.from(result.stateHash).toString('hex')).toBe(hashOf(result.state))
    expect(await compute.stateHash(result.state)).toEqual(result.stateHash)
    expect(result.payloadDigest).toEqual(hash('payload', result.payload))
    expect(result.macs).toBe(20 * 16 * (2 * 30 * 12 + 3 * 12 * 5))
    const payload = decodePayload(slice.spec, slice.lr20, result.payload)
    if (!payload.ok) throw new Error(payload.error.detail)
    const merged = mergePayloads(slice.state, [payload.value])
    // Eight bits of change per tensor: the merged state is within half a unit of the slice's.
    merged.weights.forEach((tensor, l) => {
      const unit = 2 ** payload.value.tensors[2 * l].shift
      expect(tensor.every((x, i) => Math.abs(x - result.state.weights[l][i]) <= unit)).toBe(true)
    })
    expect(merged.activationExponents).toEqual(result.state.activationExponents)
  })

  test('training lowers the loss, and what is predicted is what is evaluated', async () => {
    const compute = await createInlineCompute('wasm')
    // Class = brightest of four quarters: learnable in a few hundred steps.
    const records = 16 * 256
    const slice = task([16, 12, 4], 16, 256)
    const inputs = slice.inputs.map(byte => byte >> 2)
    const labels = slice.labels
    for (let n = 0; n < records; n++) inputs.fill(250, n * 16 + labels[n] * 4, n * 16 + labels[n] * 4 + 4)
    const learned = await compute.runSlice({ ...slice, inputs, labels, lr20: 4000 }, 'slice')
    const first = await compute.evaluate({ spec: slice.spec, state: slice.state, inputs, labels })
    const last = await compute.evaluate({ spec: slice.spec, state: learned.state, inputs, labels })
    expect(first.count).toBe(records)
    expect(last.lossBits16).toBeLessThan(first.lossBits16 / 4)
    expect(last.correct / last.count).toBeGreaterThan(0.95)
    expect(last.confusion.reduce((a, b) => a + b)).toBe(records)
    expect([0, 1, 2, 3].reduce((sum, c) => sum + last.confusion[c * 5], 0)).toBe(last.correct)
    const { probabilities, classes } = await compute.predict({ spec: slice.spec, state: learned.state, inputs, labels })
    expect(classes).toBe(4)
    for (let n = 0; n < 20; n++) {
      const row = [...probabilities.subarray(n * 4, n * 4 + 4)]
      const sum = row.reduce((a, b) => a + b)
      expect(sum).toBeGreaterThan(32767 - 4)
      expect(sum).toBeLessThanOrEqual(32767)
    }
  })

  test('loss and choice from scores', () => {
    // Two records, two classes: even odds, then 1 : 3.99 against the label.
    const scores = { distance: Int32Array.of(0, 0, 512, 0), sum: Uint32Array.of(131072, 81920), probability: Int32Array.of(16383, 16383, 6553, 26213) }
    const e = evaluationOf(scores, Uint8Array.of(1, 0), 2)
    expect(e).toEqual({ count: 2, correct: 0, lossBits16: 65536 + log2Bits16(81920) - 16 * 65536 + 2 * 65536, confusion: Uint32Array.of(0, 1, 1, 0) })
    expect(predictionOf(scores, 2)).toEqual({ classes: 2, probabilities: Uint16Array.of(16383, 16383, 6553, 26213) })
  })

  test('the integer logarithm is right to a hundred-thousandth', () => {
    for (let n = 1; n < 2 ** 32; n = Math.ceil(n * 1.37)) expect(Math.abs(log2Bits16(n) / 65536 - Math.log2(n))).toBeLessThan(2e-5)
    expect(log2Bits16(65536)).toBe(16 * 65536)
  })
})

describe('a task that does not fit its spec is refused before a kernel sees it', () => {
  const slice = task([9, 5, 3], 16, 2)
  test.each([
    ['labels', { labels: slice.labels.map(() => 3) }],
    ['labels for', { labels: slice.labels.subarray(1) }],
    ['feature bytes', { inputs: slice.inputs.subarray(1) }],
    ['noise key', { noiseKey: new Uint8Array(16) }],
    ['lr20', { lr20: 65536 }],
    ['lr20', { lr20: 0 }],
    ['steps', { steps: 0 }],
    ['input noise', { spec: { ...slice.spec, inputNoise: 3 } }],
    ['batch', { spec: { ...slice.spec, batch: 257 } }],
    ['units must be', { spec: { ...slice.spec, ...mlp([9, 4097, 3]) } }],
    ['depth', { spec: { ...slice.spec, ...mlp([9, 5, 5, 3]) } }],
    ['fit its data', { spec: { ...slice.spec, ...mlp([9, 5, 4]) } }],
    ['shape in layer 0', { spec: { ...slice.spec, ...mlp([9, 6, 3]) } }]
  ])('%s', async (words, change) => {
    const compute = await createInlineCompute('reference')
    await expect(compute.runSlice({ ...slice, ...change }, 'slice')).rejects.toThrow('compute task: ')
    await expect(compute.runSlice({ ...slice, ...change }, 'slice')).rejects.toThrow(words === 'labels' ? 'a label is not below 3' : words)
  })
})
