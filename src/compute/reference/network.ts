/**
 * One training step in exact integers: the definition that every backend equals byte for byte
 * (docs/exact.md; EXACT 5 with the replacements of EXACT 9 coming in through the random source).
 * Notation: f is a number of fractional bits, B the samples of a batch, and a tensor of a batch is
 * [channels][B][positions] as in sums.ts.
 */
import type { Model } from '../../core/codec/jobSpec.ts'
import { MAX_EXPONENT, type ModelState } from '../../core/training/modelState.ts'
import { isMatrixProduct, type OpShape, readersOf, type Shape, shapeOf, type TensorShape } from '../../core/training/shape.ts'
import type { Scores } from '../kernels.ts'
import { bitlen, clamp, roundNearest } from './integer.ts'
import { optimise, type Parameters } from './optimiser.ts'
import { ONE_PROBABILITY, probabilitiesOf } from './softmax.ts'
import { combineErrors, errorSums, forwardSums, gradients, type Tensor, type Weights } from './sums.ts'

/** Features are u8 >> 1: seven fractional bits. */
const INPUT_EXPONENT = 7
/** fe of the logits, fixed. */
const OUTPUT_ERROR_EXPONENT = 7

/** Where a step's random numbers come from. Operations count from 0. */
export interface RandomSource {
  /** What is added to feature `feature` of sample `sample`, before the clamp to +-127. */
  inputNoise (step: number, batch: number, features: number): (sample: number, feature: number) => number
  /** What is added to a rounded activation of a product whose sum was `sum`, before the clamp to +-127. */
  activationNoise (step: number, op: number, batch: number, tensor: TensorShape): (channel: number, sample: number, position: number, sum: number) => number
  /** The int8 error of what operation `op` writes: `value` / 2^shift rounded, with noise. `trace` is the sum before masks and shifts. */
  error (step: number, op: number, batch: number, tensor: TensorShape): (channel: number, sample: number, position: number, value: number, shift: number, trace: number) => number
  /** Whether updates leave their trace in the parameters. */
  readonly traced: boolean
}

export interface Layer { readonly weights: Parameters, readonly biases: Parameters }

export interface Network {
  readonly shape: Shape
  readonly layers: readonly Layer[]
  /** fo and fe of every operation but the last. */
  readonly activationExponents: Int32Array
  readonly errorExponents: Int32Array
  /** T: steps done. */
  steps: number
}

/** Intermediate values of a step, for the golden vectors. */
export interface StepTrace {
  /** fw of every layer. */
  readonly weightExponents: number[]
  /** E of what every operation writes. */
  readonly errors: Int32Array[]
  /** G of every layer, [outputs, inputs]: raw sums over the batch. */
  readonly gradients: Int32Array[]
}

const parameters = (values: Int32Array): Parameters =>
  ({ values: values.slice(), mean: new Int32Array(values.length), spread: new Int32Array(values.length) })

/** A network at S_r: no moments yet, T = 0 (EXACT 9). Copies the state. */
export function networkFrom (model: Model, state: ModelState): Network {
  return {
    shape: shapeOf(model),
    layers: state.weights.map((weights, l) => ({ weights: parameters(weights), biases: parameters(state.biases[l]) })),
    activationExponents: state.activationExponents.slice(),
    errorExponents: state.errorExponents.slice(),
    steps: 0
  }
}

/** The part of a network that outlives the slice. Shares its arrays. */
export const stateOf = (network: Network): ModelState => ({
  weights: network.layers.map(layer => layer.weights.values),
  biases: network.layers.map(layer => layer.biases.values),
  activationExponents: network.activationExponents,
  errorExponents: network.errorExponents
})

/** int8 weights w and their exponent fw = 28 - s. */
function quantise ({ weights: { values }, biases }: Layer): Weights {
  let largest = 0
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i]))
  const s = Math.max(0, bitlen(largest) - 7)
  return { w: values.map(x => clamp(roundNearest(x, s), 127)), exponent: 28 - s, biases: biases.values }
}

export interface Forward {
  /** Tensor 0 and what every operation writes; the last one holds the logits, not rounded. */
  readonly tensors: readonly Tensor[]
  /** Where the operation's ReLU let a value through, for every operation that has one. */
  readonly alive: ReadonlyArray<Uint8Array | undefined>
  /** Exponents and largest magnitudes of every operation's sums, negative ones left out under ReLU. */
  readonly sumExponents: number[]
  readonly stats: number[]
  readonly weights: readonly Weights[]
}

type ActivationNoise = (op: number, tensor: TensorShape) => (channel: number, sample: number, position: number, sum: number) => number

/** `x` is tensor 0 of a batch, with seven fractional bits. Without `noise` it is an evaluation. */
export function forward (network: Network, x: Int32Array, batch: number, noise?: ActivationNoise): Forward {
  const { ops } = network.shape
  const weights = network.layers.map(quantise)
  const tensors: Tensor[] = [{ values: x, exponent: INPUT_EXPONENT }]
  const alive: Array<Uint8Array | undefined> = []
  const sumExponents: number[] = []
  const stats: number[] = []
  for (const [i, shape] of ops.entries()) {
    const { op, output, layer } = shape
    const sums = forwardSums(shape, tensors[op.a], tensors[op.b], layer === undefined ? undefined : weights[layer.index], batch)
    sumExponents.push(sums.exponent)
    if (i === ops.length - 1) {
      tensors.push(sums)
      break
    }
    const fo = network.activationExponents[i]
    const noiseOf = layer === undefined && !isMatrixProduct(op.kind) ? undefined : noise?.(i, output)
    const P = output.height * output.width
    const y = new Int32Array(sums.values.length)
    const passed = new Uint8Array(y.length)
    let stat = 0
    for (let e = 0; e < y.length; e++) {
      const sum = sums.values[e]
      const seen = op.relu === 1 ? Math.max(sum, 0) : sum
      stat = Math.max(stat, Math.abs(seen))
      const rounded = clamp(roundNearest(seen, sums.exponent - fo), 127)
      passed[e] = rounded > 0 ? 1 : 0
      y[e] = noiseOf === undefined ? rounded : clamp(rounded + noiseOf(Math.floor(e / P / batch), Math.floor(e / P) % batch, e % P, sum), 127)
    }
    stats.push(stat)
    alive.push(op.relu === 1 ? passed : undefined)
    tensors.push({ values: y, exponent: fo })
  }
  return { tensors, alive, sumExponents, stats, weights }
}

/** Probabilities of logits [classes][records]; the scores are [records, classes]. */
export function softmax ({ values, exponent }: Tensor, batch: number, classes: number): Scores {
  const distance = new Int32Array(values.length)
  const probability = new Int32Array(values.length)
  const sum = new Uint32Array(batch)
  for (let n = 0; n < batch; n++) {
    const one = probabilitiesOf(Int32Array.from({ length: classes }, (_, j) => values[j * batch + n]), exponent - 10)
    distance.set(one.distance, n * classes)
    probability.set(one.probability, n * classes)
    sum[n] = one.sum
  }
  return { distance, sum, probability }
}

/** An exponent follows its statistic at once when it must shrink, by one when it may grow. */
function nextExponent (current: number, sumExponent: number, stat: number): number {
  if (stat === 0) return current
  const wanted = clamp(sumExponent - Math.max(0, bitlen(stat) - 7), MAX_EXPONENT)
  return wanted < current ? wanted : wanted > current ? current + 1 : current
}

/** u8 [records, features] as tensor 0: clamp((u8 >> 1) + noise, 127), [features][records] with positions inmost. */
function inputTensor (raw: Uint8Array, batch: number, { channels, size, height, width }: TensorShape, noise?: (sample: number, feature: number) => number): Int32Array {
  const P = height * width
  const x = new Int32Array(batch * size)
  for (let n = 0; n < batch; n++) {
    for (let c = 0; c < channels; c++) {
      for (let p = 0; p < P; p++) {
        const k = c * P + p
        x[(c * batch + n) * P + p] = clamp((raw[n * size + k] >> 1) + (noise?.(n, k) ?? 0), 127)
      }
    }
  }
  return x
}

/** Features without noise, for evaluation. */
export const plainInputs = (raw: Uint8Array, batch: number, tensor: TensorShape): Int32Array => inputTensor(raw, batch, tensor)

/** Rounds the sums of an error and adds its noise. Returns it with the largest magnitude of what was rounded, u32. */
function roundError (
  tensor: TensorShape, batch: number, sums: Int32Array, trace: Int32Array, alive: Uint8Array | undefined, shift: number,
  error: ReturnType<RandomSource['error']>
): { readonly e: Int32Array, readonly stat: number } {
  const P = tensor.height * tensor.width
  const e = new Int32Array(sums.length)
  let stat = 0
  for (let i = 0; i < e.length; i++) {
    const value = alive === undefined || alive[i] === 1 ? sums[i] : 0
    stat = Math.max(stat, Math.abs(value))
    e[i] = error(Math.floor(i / P / batch), Math.floor(i / P) % batch, i % P, value, shift, trace[i])
  }
  return { e, stat }
}

const weightsOf = (pass: Forward, { layer }: OpShape): Weights | undefined => layer === undefined ? undefined : pass.weights[layer.index]

/** One batch; changes the network. `raw` is [batch, features] u8. */
export function trainStep (network: Network, step: number, raw: Uint8Array, labels: Uint8Array, lr20: number, random: RandomSource): StepTrace {
  const { shape, layers } = network
  const { ops, tensors } = shape
  const batch = labels.length
  const last = ops.length - 1
  const x = inputTensor(raw, batch, tensors[0], random.inputNoise(step, batch, tensors[0].size))
  const pass = forward(network, x, batch, (op, tensor) => random.activationNoise(step, op, batch, tensor))

  // The error of the logits.
  const classes = tensors[last + 1].size
  const logits = pass.tensors[last + 1]
  const { probability } = softmax(logits, batch, classes)
  const distance = new Int32Array(batch * classes)
  for (let n = 0; n < batch; n++) {
    for (let j = 0; j < classes; j++) distance[j * batch + n] = probability[n * classes + j] - (labels[n] === j ? ONE_PROBABILITY : 0)
  }
  const errors: Tensor[] = new Array(ops.length)
  const output = roundError(tensors[last + 1], batch, distance, logits.values, undefined, 15 - OUTPUT_ERROR_EXPONENT, random.error(step, last, batch, tensors[last + 1]))
  errors[last] = { values: output.e, exponent: OUTPUT_ERROR_EXPONENT }

  // The error of every tensor that an operation wrote, from those of its readers.
  const sumExponents: number[] = new Array(last)
  const stats: number[] = new Array(last)
  for (let t = last; t > 0; t--) {
    const parts = readersOf(ops.map(({ op }) => op), t).map(i => {
      const { op } = ops[i]
      const second = op.a !== t
      const read = { x: pass.tensors[t], other: pass.tensors[second ? op.a : op.b], second, y: pass.tensors[i + 1], e: errors[i] }
      return errorSums(ops[i], read, weightsOf(pass, ops[i]), batch)
    })
    const { values, exponent, trace } = combineErrors(parts)
    const fe = network.errorExponents[t - 1]
    const { e, stat } = roundError(tensors[t], batch, values, trace, pass.alive[t - 1], exponent - fe, random.error(step, t - 1, batch, tensors[t]))
    errors[t - 1] = { values: e, exponent: fe }
    sumExponents[t - 1] = exponent
    stats[t - 1] = stat
  }

  network.steps++
  const sums: Int32Array[] = []
  for (const [i, shape] of ops.entries()) {
    if (shape.layer === undefined) continue
    const { weights, biases } = layers[shape.layer.index]
    const input = pass.tensors[shape.op.a]
    const e = errors[i]
    const gradient = gradients(shape, e.values, input.values, batch)
    sums.push(gradient.weights)
    optimise(weights, gradient.weights, e.exponent + input.exponent, network.steps, lr20, random.traced)
    optimise(biases, gradient.biases, e.exponent, network.steps, lr20, random.traced)
  }

  for (let i = 0; i < last; i++) {
    network.activationExponents[i] = nextExponent(network.activationExponents[i], pass.sumExponents[i], pass.stats[i])
    network.errorExponents[i] = nextExponent(network.errorExponents[i], sumExponents[i], stats[i])
  }
  return { weightExponents: pass.weights.map(w => w.exponent), errors: errors.map(e => e.values), gradients: sums }
}
