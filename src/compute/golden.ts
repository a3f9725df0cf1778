/**
 * Golden slices: tasks that a few numbers define, with the hashes that the reference gives. The
 * self-test runs some of them on every start; tests/vectors/slices-v1.json holds all.
 */
import { DATA_BUILTIN, OPTIMISER_L1_ADAM, SCHEDULE_CONSTANT, type JobSpec, type Model } from '../core/codec/jobSpec.ts'
import { MAX_WEIGHT, type ModelState } from '../core/training/modelState.ts'
import { stateFromSeed32 } from '../core/training/init.ts'
import { noiseBytes, noiseKeyWords } from '../core/training/noise.ts'
import { mlp, shapeOf } from '../core/training/shape.ts'
import type { SliceTask } from '../ports/compute.ts'

/** What the features of a golden slice are. */
export type GoldenInputs = 'random' | 'zero' | 'full'
/** Where a golden slice starts: S_0 of a seed, or weights all at +-2^30 by the parity of their index. */
export type GoldenState = 'initial' | 'saturated' | 'zero'

export interface GoldenInput {
  readonly name: string
  /** Widths of a dense net, or the whole model. */
  readonly layers: readonly number[] | Model
  readonly batch: number
  readonly inputNoise: number
  readonly lr20: number
  readonly steps: number
  readonly seed: number
  readonly state: GoldenState
  readonly inputs: GoldenInputs
  /** Every record has class 0 instead of a random one. */
  readonly oneClass?: boolean
}

export interface GoldenSlice extends GoldenInput {
  readonly stateHash: string
  readonly payloadDigest: string
  /** Evaluation of the final state on the slice's own records. */
  readonly correct: number
  readonly lossBits16: number
}

const STREAM_INPUTS = 0
const STREAM_LABELS = 1

const modelOf = ({ layers }: GoldenInput): Model => 'ops' in layers ? layers : mlp(layers)

function stateFor (golden: GoldenInput): ModelState {
  const { seed, state } = golden
  const initial = stateFromSeed32(modelOf(golden), seed)
  if (state === 'initial') return initial
  const value = state === 'zero' ? () => 0 : (i: number) => i % 2 === 0 ? MAX_WEIGHT : -MAX_WEIGHT
  return {
    ...initial,
    weights: initial.weights.map(tensor => tensor.map((_, i) => value(i))),
    biases: initial.biases.map(tensor => tensor.map((_, i) => value(i)))
  }
}

function specFor (golden: GoldenInput): JobSpec {
  const { batch, inputNoise, lr20, steps } = golden
  const model = modelOf(golden)
  const { tensors } = shapeOf(model)
  return {
    name: new Uint8Array(),
    ...model,
    operandBits: 8,
    optimiser: OPTIMISER_L1_ADAM,
    lr20,
    schedule: SCHEDULE_CONSTANT,
    batch,
    stepsPerSlice: steps,
    inputNoise,
    seed: new Uint8Array(32),
    rounds: 1,
    data: { source: DATA_BUILTIN, root: new Uint8Array(32), trainRecords: batch, testRecords: 0, features: tensors[0].size, classes: tensors[tensors.length - 1].size }
  }
}

/**
 * Features are bytes of stream(0, 0) and labels bytes of stream(0, 1), modulo the classes, of the
 * noise stream whose key is 32 times the seed's low byte; the slice's own noise key is 32 times its
 * complement.
 */
export function goldenTask (golden: GoldenInput): SliceTask {
  const { batch, steps, lr20, seed } = golden
  const spec = specFor(golden)
  const records = steps * batch
  const { features, classes } = spec.data
  const key = noiseKeyWords(new Uint8Array(32).fill(seed & 255))
  const inputs = golden.inputs === 'random'
    ? noiseBytes(key, 0, STREAM_INPUTS, records * features)
    : new Uint8Array(records * features).fill(golden.inputs === 'full' ? 255 : 0)
  const labels = noiseBytes(key, 0, STREAM_LABELS, records).map(byte => golden.oneClass === true ? 0 : byte % classes)
  return {
    spec,
    state: stateFor(golden),
    lr20,
    noiseKey: new Uint8Array(32).fill(~seed & 255),
    steps,
    inputs,
    labels
  }
}
