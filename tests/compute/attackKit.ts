/** A small honest job, and the reference kernels with parts of the work left out: what an attacker would run. */
import type { JobSpec } from '../../src/core/codec/jobSpec.ts'
import type { Claim, Template } from '../../src/core/codec/wire.ts'
import { networkFrom, type RandomSource, type StepTrace, stateOf, trainStep } from '../../src/compute/reference/network.ts'
import { keyedRandom } from '../../src/compute/reference/random.ts'
import { hash, u32le } from '../../src/core/crypto/hash.ts'
import { benchmarkSpec } from '../../src/core/training/benchmark.ts'
import { type Dataset, newDataset } from '../../src/core/training/dataset.ts'
import { initialState } from '../../src/core/training/init.ts'
import type { ModelState } from '../../src/core/training/modelState.ts'
import { encodePayload, payloadDigest, payloadSize } from '../../src/core/training/payload.ts'
import { stateHash } from '../../src/core/training/stateHash.ts'
import type { SliceTask } from '../../src/ports/compute.ts'
import { sliceTask } from '../../src/node/replay.ts'
import { task as goldenTask } from './tasks.ts'
import { mlp } from '../../src/core/training/shape.ts'

const FEATURES = 40
const CLASSES = 10
const RECORDS = 240

/** Ten classes, each with bright features of its own: learned to the last record within a few hundred steps. */
function easyData (): Dataset {
  const labels = Uint8Array.from({ length: RECORDS }, (_, i) => i % CLASSES)
  const features = new Uint8Array(RECORDS * FEATURES)
  for (let n = 0; n < RECORDS; n++) {
    const noise = hash('test-record', u32le(n))
    for (let k = 0; k < FEATURES; k++) features[n * FEATURES + k] = (k >> 2) === labels[n] ? 190 + noise[k & 31] % 64 : noise[k & 31] % 48
  }
  return newDataset({ features, labels, trainRecords: RECORDS - 40, classes: CLASSES })
}

export const data = easyData()
export const spec: JobSpec = { ...benchmarkSpec, ...mlp([FEATURES, 24, 16, CLASSES]), batch: 32, stepsPerSlice: 6, data: data.ref }
export const start = initialState(spec)

const field = (name: string): Uint8Array => hash('test-field', Uint8Array.from(name, c => c.charCodeAt(0)))

/** Every field has a value of its own. */
export const template: Template = {
  version: 1,
  chain: field('chain'),
  height: 1000,
  parent: field('parent'),
  time: 1_700_000_000_000,
  target: 1n << 220n,
  bodyRoot: field('bodyRoot'),
  stateRoot: field('stateRoot'),
  miner: field('miner'),
  payee: field('payee'),
  job: field('job'),
  round: 3,
  seal: field('seal'),
  stateHash: stateHash(start),
  randomness: field('randomness')
}

/** Each differs from `template` in one field, once per field. */
export function otherTemplates (): Array<readonly [field: keyof Template, template: Template]> {
  return Object.entries(template).map(([name, value]) => {
    const other = value instanceof Uint8Array ? value.map((byte, i) => i === 31 ? byte ^ 1 : byte) : typeof value === 'bigint' ? value ^ 1n : value + 1
    return [name as keyof Template, { ...template, [name]: other }]
  })
}

export const task = (t: Template = template, slice = 0, state: ModelState = start, over: Partial<JobSpec> = {}): SliceTask =>
  sliceTask({ ...spec, ...over }, t, slice, state, data)

/** Trained until nearly every record is right beyond doubt. */
export function learnedState (): ModelState {
  let state = start
  for (let round = 0; round < 60; round++) state = run(task({ ...template, round }, round, state, { lr20: 6000 })).state
  return state
}

/** A job made to be foreseen: one class, one bright image, and weights as `weights` makes them. */
export function hostileTask (layers: readonly number[], batch: number, lr20: number, weights: (tensor: Int32Array, layer: number) => Int32Array = tensor => tensor): SliceTask {
  const t = goldenTask(layers, batch, 2, { inputs: 'full', lr20, oneClass: true })
  return { ...t, state: { ...t.state, weights: t.state.weights.map(weights) } }
}

/** Its first hidden layer is dead for every record. */
export const deadTask = (layers: readonly number[]): SliceTask =>
  hostileTask(layers, 16, 1, (tensor, layer) => layer === 0 ? tensor.map(x => -Math.abs(x)) : tensor)

/** The errors of sample n at the output: a tensor is [units][batch]. */
export const outputErrors = (errors: StepTrace['errors'], batch: number, n: number): Int32Array =>
  errors[errors.length - 1].filter((_, i) => i % batch === n)

/** Zeros among the errors of the output layer: shares of single ones, and of samples all of whose are. */
export function outputErrorZeros (traces: readonly StepTrace[], batch: number, classes: number): { readonly elements: number, readonly rows: number } {
  let elements = 0
  let rows = 0
  for (const { errors } of traces) {
    for (let n = 0; n < batch; n++) {
      const zeros = outputErrors(errors, batch, n).filter(e => e === 0).length
      elements += zeros
      if (zeros === classes) rows++
    }
  }
  return { elements: elements / (traces.length * batch * classes), rows: rows / (traces.length * batch) }
}

/** Share of a tensor's values for which `is` holds of the value before and after. */
export const shareOf = (before: Int32Array, after: Int32Array, is: (from: number, to: number) => boolean): number =>
  after.reduce((n, to, i) => n + (is(before[i], to) ? 1 : 0), 0) / after.length

export interface Run { readonly state: ModelState, readonly traces: readonly StepTrace[] }

/** `steps` steps of a task with `random` for its noise: the rule itself, unless the caller bends it. */
export function run (t: SliceTask, random: RandomSource = keyedRandom(t.noiseKey, t.spec.inputNoise), steps = t.steps): Run {
  const { batch } = t.spec
  const network = networkFrom(t.spec, t.state)
  const stride = batch * t.spec.data.features
  const traces: StepTrace[] = []
  for (let step = 0; step < steps; step++) {
    traces.push(trainStep(network, step, t.inputs.subarray(step * stride, (step + 1) * stride), t.labels.subarray(step * batch, (step + 1) * batch), t.lr20, random))
  }
  return { state: stateOf(network), traces }
}

/** What a miner would claim for this end of slice `slice`. The signature is left out: it is not what is tried here. */
export function claimFor (end: ModelState, t: Template = template, slice = 0, from: ModelState = start): Claim {
  return {
    template: t,
    slice,
    resultHash: stateHash(end),
    payloadDigest: payloadDigest(encodePayload(from, end)),
    payloadBytes: payloadSize(spec),
    signature: new Uint8Array(64)
  }
}
