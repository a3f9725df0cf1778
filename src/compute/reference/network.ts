/**
 * One training step of an MLP in exact integers: the definition that every backend equals byte for
 * byte (EXACT 5, with the replacements of EXACT 9 coming in through the random source).
 *
 * All values are i32 modulo 2^32. Operands are at most 127 in magnitude (inputs -32..127), so a sum
 * over up to 133,144 terms does not wrap; where a sum can wrap, it wraps alike everywhere.
 * Notation: K inputs and N outputs of a layer, B samples; f is the number of fractional bits.
 */
import { MAX_WEIGHT, type ModelState } from '../../core/training/modelState.ts'
import type { Scores } from '../kernels.ts'
import { EXP2 } from '../tables.ts'
import { bitlen, clamp, roundNearest, roundStochastic } from './integer.ts'

/** Features are u8 >> 1: seven fractional bits. */
const INPUT_EXPONENT = 7
/** fe of the last layer, fixed. */
const OUTPUT_ERROR_EXPONENT = 7
/** Probabilities are 15-bit. */
export const ONE_PROBABILITY = 32767
/** Moments have 22 fractional bits. */
const MOMENT_BITS = 22
const MOMENT_MAX = 2 ** 30 - 1
/** exp(-20) is 0 in 16 bits: larger distances from the maximum need no more table. */
const SOFTMAX_DISTANCE_MAX = 20479

/** Where a step's random numbers come from. `layer` counts from 0. */
export interface RandomSource {
  /** What is added to feature `unit` of sample `sample`, before the clamp to +-127. */
  inputNoise (step: number, batch: number, features: number): (sample: number, unit: number) => number
  /** Uniform 32-bit words for the rounding of a layer's error. */
  rounding (step: number, layer: number, batch: number, units: number): (sample: number, unit: number) => number
  /** What is added to every element of a layer's error after rounding, before the clamp to +-127. */
  errorNoise (step: number, layer: number, batch: number, units: number): (sample: number, unit: number) => number
}

export interface Layer {
  readonly inputs: number
  readonly outputs: number
  /** [outputs, inputs] row major and [outputs], 28 fractional bits. */
  readonly weights: Int32Array
  readonly biases: Int32Array
  /** First and second moments of the optimiser, 22 fractional bits. */
  readonly weightMean: Int32Array
  readonly weightSpread: Int32Array
  readonly biasMean: Int32Array
  readonly biasSpread: Int32Array
}

export interface Network {
  readonly layers: readonly Layer[]
  /** fo of every hidden layer. */
  readonly activationExponents: Int32Array
  /** fe of every hidden layer. */
  readonly errorExponents: Int32Array
  /** T: steps done. */
  steps: number
}

/** Intermediate values of a step, for the golden vectors. */
export interface StepTrace {
  /** fw of every layer. */
  readonly weightExponents: number[]
  /** E of every layer, [batch, outputs]. */
  readonly errors: Int32Array[]
  /** G of every layer, [outputs, inputs]: raw sums over the batch. */
  readonly gradients: Int32Array[]
}

/** A network at S_r: no moments yet, T = 0 (EXACT 9). Copies the state. */
export function networkFrom (layers: readonly number[], state: ModelState): Network {
  return {
    layers: state.weights.map((weights, l) => ({
      inputs: layers[l],
      outputs: layers[l + 1],
      weights: weights.slice(),
      biases: state.biases[l].slice(),
      weightMean: new Int32Array(weights.length),
      weightSpread: new Int32Array(weights.length),
      biasMean: new Int32Array(state.biases[l].length),
      biasSpread: new Int32Array(state.biases[l].length)
    })),
    activationExponents: state.activationExponents.slice(),
    errorExponents: state.errorExponents.slice(),
    steps: 0
  }
}

/** The part of a network that outlives the slice. Shares its arrays. */
export const stateOf = (network: Network): ModelState => ({
  weights: network.layers.map(layer => layer.weights),
  biases: network.layers.map(layer => layer.biases),
  activationExponents: network.activationExponents,
  errorExponents: network.errorExponents
})

/** Step 1: int8 weights w and their exponent fw = 28 - s. */
function quantiseWeights (weights: Int32Array): { w: Int32Array, fw: number } {
  let largest = 0
  for (let i = 0; i < weights.length; i++) largest = Math.max(largest, Math.abs(weights[i]))
  const s = Math.max(0, bitlen(largest) - 7)
  const w = new Int32Array(weights.length)
  for (let i = 0; i < weights.length; i++) w[i] = clamp(roundNearest(weights[i], s), 127)
  return { w, fw: 28 - s }
}

/** Step 3: acc[n, j] = sum_k x[n, k] * w[j, k] + RN(b[j], 28 - fa). */
function accumulate (layer: Layer, w: Int32Array, fa: number, x: Int32Array, batch: number): Int32Array {
  const { inputs, outputs } = layer
  const acc = new Int32Array(batch * outputs)
  for (let n = 0; n < batch; n++) {
    for (let j = 0; j < outputs; j++) {
      const row = n * inputs
      const unit = j * inputs
      let sum = roundNearest(layer.biases[j], 28 - fa)
      for (let k = 0; k < inputs; k++) sum = (sum + x[row + k] * w[unit + k]) | 0
      acc[n * outputs + j] = sum
    }
  }
  return acc
}

export interface Forward {
  /** x of every layer, [batch, inputs]. */
  readonly inputs: Int32Array[]
  /** f of every layer's input. */
  readonly inputExponents: number[]
  readonly w: Int32Array[]
  readonly weightExponents: number[]
  /** Largest max(acc, 0) of every hidden layer. */
  readonly activationStats: number[]
  /** The last layer's accumulators and their exponent. */
  readonly logits: Int32Array
  readonly logitExponent: number
}

/** Steps 1 to 3. `x` is [batch, inputs] with seven fractional bits. */
export function forward (network: Network, x: Int32Array, batch: number): Forward {
  const inputs = [x]
  const inputExponents = [INPUT_EXPONENT]
  const ws: Int32Array[] = []
  const weightExponents: number[] = []
  const activationStats: number[] = []
  const last = network.layers.length - 1
  for (const [l, layer] of network.layers.entries()) {
    const { w, fw } = quantiseWeights(layer.weights)
    ws.push(w)
    weightExponents.push(fw)
    const fa = inputExponents[l] + fw
    const acc = accumulate(layer, w, fa, inputs[l], batch)
    if (l === last) return { inputs, inputExponents, w: ws, weightExponents, activationStats, logits: acc, logitExponent: fa }
    const fo = network.activationExponents[l]
    let stat = 0
    const y = new Int32Array(acc.length)
    for (let i = 0; i < acc.length; i++) {
      const positive = Math.max(acc[i], 0)
      stat = Math.max(stat, positive)
      y[i] = clamp(roundNearest(positive, fa - fo), 127)
    }
    activationStats.push(stat)
    inputs.push(y)
    inputExponents.push(fo)
  }
  throw new Error('a network has at least one layer')
}

/** Step 4 up to p. S is at most 65,535 * 2^16 < 2^32, and e * 32767 < 2^31. */
export function softmax (logits: Int32Array, logitExponent: number, batch: number, classes: number): Scores {
  const distance = new Int32Array(logits.length)
  const probability = new Int32Array(logits.length)
  const sum = new Uint32Array(batch)
  const z = new Int32Array(classes)
  const e = new Int32Array(classes)
  for (let n = 0; n < batch; n++) {
    const row = n * classes
    let largest = -(2 ** 31)
    for (let j = 0; j < classes; j++) {
      z[j] = roundNearest(logits[row + j], logitExponent - 10)
      largest = Math.max(largest, z[j])
    }
    for (let j = 0; j < classes; j++) {
      const d = Math.min((largest - z[j]) >>> 0, SOFTMAX_DISTANCE_MAX)
      const t = (d * 23637) >>> 16
      distance[row + j] = t
      e[j] = EXP2[t & 255] >>> (t >>> 8)
      sum[n] += e[j]
    }
    for (let j = 0; j < classes; j++) {
      // Both operands are below 2^32: the double quotient, floored, is the integer quotient.
      probability[row + j] = Math.floor(e[j] * ONE_PROBABILITY / sum[n])
    }
  }
  return { distance, sum, probability }
}

/** Step 8: an exponent follows its statistic at once when it must shrink, by one when it may grow. */
function nextExponent (current: number, accumulatorExponent: number, stat: number): number {
  if (stat === 0) return current
  const wanted = accumulatorExponent - Math.max(0, bitlen(stat) - 7)
  return wanted < current ? wanted : wanted > current ? current + 1 : current
}

/** Step 7 for one tensor. `gradientExponent` is the number of fractional bits of G. */
function optimise (
  values: Int32Array, mean: Int32Array, spread: Int32Array, gradient: Int32Array,
  gradientExponent: number, steps: number, lr20: number
): void {
  const sh = gradientExponent - MOMENT_BITS
  const warmth = bitlen(steps) - 1
  const s1 = Math.min(warmth, 3)
  const s2 = Math.min(warmth, 7)
  const up = Math.min(31, Math.max(0, -sh))
  for (let i = 0; i < values.length; i++) {
    const g = sh < 0 ? clamp(gradient[i], MOMENT_MAX >> up) << up : clamp(roundNearest(gradient[i], sh), MOMENT_MAX)
    mean[i] = mean[i] + roundNearest(g - mean[i], s1)
    spread[i] = spread[i] + roundNearest(Math.abs(g) - spread[i], s2)
    const q = Math.max(0, bitlen(spread[i]) - 15)
    // |numerator| <= 131071 * 4096 < 2^29, 16 <= denominator <= 32767.
    const numerator = clamp(mean[i] >> q, 131071) * 4096
    const denominator = (spread[i] >> q) + (16 >> q)
    const u = clamp(Math.trunc(numerator / denominator), 32767)
    values[i] = clamp(values[i] - roundNearest(u * lr20, 4), MAX_WEIGHT)
  }
}

/** Seven-bit features with the step's noise: clamp((u8 >> 1) + noise, 127). */
function noisyInputs (raw: Uint8Array, batch: number, features: number, noise: (sample: number, unit: number) => number): Int32Array {
  const x = new Int32Array(batch * features)
  for (let n = 0; n < batch; n++) {
    for (let k = 0; k < features; k++) x[n * features + k] = clamp((raw[n * features + k] >> 1) + noise(n, k), 127)
  }
  return x
}

/** Features without noise, for evaluation. */
export const plainInputs = (raw: Uint8Array): Int32Array => Int32Array.from(raw, value => value >> 1)

/** Steps 1 to 8 on one batch; changes the network. `raw` is [batch, features] u8. */
export function trainStep (network: Network, step: number, raw: Uint8Array, labels: Uint8Array, lr20: number, random: RandomSource): StepTrace {
  const { layers } = network
  const batch = labels.length
  const last = layers.length - 1
  const features = layers[0].inputs
  const pass = forward(network, noisyInputs(raw, batch, features, random.inputNoise(step, batch, features)), batch)

  const errors: Int32Array[] = new Array(layers.length)
  const errorExponents = [...network.errorExponents, OUTPUT_ERROR_EXPONENT]
  const errorStats: number[] = new Array(last).fill(0)

  // Step 4.
  const classes = layers[last].outputs
  const { probability } = softmax(pass.logits, pass.logitExponent, batch, classes)
  const outputError = new Int32Array(batch * classes)
  const outputRounding = random.rounding(step, last, batch, classes)
  const outputNoise = random.errorNoise(step, last, batch, classes)
  for (let n = 0; n < batch; n++) {
    for (let j = 0; j < classes; j++) {
      const g = probability[n * classes + j] - (labels[n] === j ? ONE_PROBABILITY : 0)
      const rounded = clamp(roundStochastic(g, 15 - OUTPUT_ERROR_EXPONENT, outputRounding(n, j)), 127)
      outputError[n * classes + j] = clamp(rounded + outputNoise(n, j), 127)
    }
  }
  errors[last] = outputError

  // Step 5: the error of layer l - 1 from that of layer l.
  for (let l = last; l > 0; l--) {
    const { inputs, outputs } = layers[l]
    const accumulatorExponent = errorExponents[l] + pass.weightExponents[l]
    const rounding = random.rounding(step, l - 1, batch, inputs)
    const noise = random.errorNoise(step, l - 1, batch, inputs)
    const e = errors[l]
    const w = pass.w[l]
    const y = pass.inputs[l]
    const error = new Int32Array(batch * inputs)
    for (let n = 0; n < batch; n++) {
      for (let k = 0; k < inputs; k++) {
        let sum = 0
        for (let j = 0; j < outputs; j++) sum = (sum + e[n * outputs + j] * w[j * inputs + k]) | 0
        if (y[n * inputs + k] <= 0) sum = 0
        errorStats[l - 1] = Math.max(errorStats[l - 1], Math.abs(sum))
        const rounded = clamp(roundStochastic(sum, accumulatorExponent - errorExponents[l - 1], rounding(n, k)), 127)
        error[n * inputs + k] = clamp(rounded + noise(n, k), 127)
      }
    }
    errors[l - 1] = error
  }

  // Steps 6 and 7.
  network.steps++
  const gradients: Int32Array[] = []
  for (const [l, layer] of layers.entries()) {
    const { inputs, outputs } = layer
    const x = pass.inputs[l]
    const gradient = new Int32Array(outputs * inputs)
    const biasGradient = new Int32Array(outputs)
    for (let n = 0; n < batch; n++) {
      for (let j = 0; j < outputs; j++) {
        const e = errors[l][n * outputs + j]
        if (e === 0) continue
        biasGradient[j] += e
        const row = n * inputs
        const unit = j * inputs
        for (let k = 0; k < inputs; k++) gradient[unit + k] += e * x[row + k]
      }
    }
    gradients.push(gradient)
    optimise(layer.weights, layer.weightMean, layer.weightSpread, gradient, errorExponents[l] + pass.inputExponents[l], network.steps, lr20)
    optimise(layer.biases, layer.biasMean, layer.biasSpread, biasGradient, errorExponents[l], network.steps, lr20)
  }

  // Step 8, with the exponents the step was done with.
  for (let l = 0; l < last; l++) {
    network.activationExponents[l] = nextExponent(network.activationExponents[l], pass.inputExponents[l] + pass.weightExponents[l], pass.activationStats[l])
    network.errorExponents[l] = nextExponent(network.errorExponents[l], errorExponents[l + 1] + pass.weightExponents[l + 1], errorStats[l])
  }
  return { weightExponents: pass.weightExponents, errors, gradients }
}
