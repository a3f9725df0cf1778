/** What a backend must compute to the bit before it may work; under 50 ms for the reference. */
import { toHex } from '../core/codec/ssz.ts'
import { encodePayload } from '../core/training/payload.ts'
import { type Hasher, stateHash } from '../core/training/stateHash.ts'
import { evaluationOf } from './evaluation.ts'
import { goldenTask, type GoldenInput, type GoldenSlice } from './golden.ts'
import type { Kernels } from './kernels.ts'

/** Rows of tests/vectors/slices-v1.json: odd widths and batch, depth, and saturation. */
export const SELF_TEST: readonly GoldenSlice[] = [
  {
    name: 'odd widths and batch',
    layers: [13, 7, 5],
    batch: 17,
    inputNoise: 16,
    lr20: 1049,
    steps: 12,
    seed: 1,
    state: 'initial',
    inputs: 'random',
    stateHash: '4c2a91fbc3574aa16174519519a06c55317df007d806e2970c08830429c4dbea',
    payloadDigest: '964530db638ddd8c5e38ec6fd7914c6112ae7b8c209b14aa8462fbd7c8e307b5',
    correct: 43,
    lossBits16: 31186695
  },
  {
    name: 'three hidden layers',
    layers: [49, 24, 17, 16, 10],
    batch: 16,
    inputNoise: 16,
    lr20: 1049,
    steps: 8,
    seed: 2,
    state: 'initial',
    inputs: 'random',
    stateHash: '454ab8f918c365db8a910759bb4afd62e29af93371829f7c7d7b4b6cc1cbd190',
    payloadDigest: '19f0abe126d48f0bd5bb16dc400a167d2e5e5cc1337f54632a789cf730b80200',
    correct: 16,
    lossBits16: 28779735
  },
  {
    name: 'saturated weights, full inputs',
    layers: [21, 12, 9, 4],
    batch: 16,
    inputNoise: 16,
    lr20: 65535,
    steps: 6,
    seed: 3,
    state: 'saturated',
    inputs: 'full',
    stateHash: '42ccb45fa1ac0746a637b9cac7b068dd53ff4e0c7751afcf49b6b95c48daaaec',
    payloadDigest: '7571dca4445aa6f5d3d1233826e220b8c8dc7517ec1991bfa2d19c42240b6c6b',
    correct: 23,
    lossBits16: 114067968
  }
]

/** Runs a golden slice and evaluates its end on its own records. */
export function runGolden (kernels: Kernels, hasher: Hasher, input: GoldenInput): Pick<GoldenSlice, 'stateHash' | 'payloadDigest' | 'correct' | 'lossBits16'> {
  const task = goldenTask(input)
  const state = kernels.runSlice(task)
  const { labels, inputs, spec } = task
  const { correct, lossBits16 } = evaluationOf(kernels.score({ spec, state, inputs, labels }), labels, spec.data.classes)
  return {
    stateHash: toHex(stateHash(state, hasher)),
    payloadDigest: toHex(hasher('payload', encodePayload(task.state, state))),
    correct,
    lossBits16
  }
}

/** The first golden slice that the kernels get wrong, in words. */
export function selfTestFailure (kernels: Kernels, hasher: Hasher): string | undefined {
  for (const golden of SELF_TEST) {
    const got = runGolden(kernels, hasher, golden)
    for (const field of ['stateHash', 'payloadDigest', 'correct', 'lossBits16'] as const) {
      if (got[field] !== golden[field]) return `${kernels.backend}: golden slice "${golden.name}" has ${field} ${golden[field]}, computed ${got[field]}`
    }
  }
  return undefined
}
