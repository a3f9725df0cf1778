/**
 * Exact training steps (reference/network.ts) on the memory that ../plan.ts lays out. A step is
 * kept in transposed form, [unit][sample], so that samples fill the lanes of the forward and error
 * products, and units those of the weight gradient.
 */
import { bitlen, roundNearest } from './arithmetic'
import { keystream } from './chacha'
import { backward, biasGradient, forward, gradientPanel, storeError } from './gemm'
import {
  ACTIVATIONS, ACTIVATION_STAT, AMPLITUDE, BACKWARD_PANELS, BATCH, BATCH_MASK, BATCH_PADDED, BIASES, BIAS_MEAN,
  BIAS_SPREAD, DISTANCE, ERRORS, ERROR_EXPONENT, ERROR_STAT, EXP2, FORWARD_PANELS, GRADIENT, INPUTS,
  INPUT_EXPONENT, K, KEY, K_PADDED, LABELS, LARGEST, LAYERS, LAYER_SIZE, LAYER_TABLE, LOGITS, LR20, N,
  NOISE_BYTES, NOISE_WORDS, N_PADDED, SAMPLE_PANELS, STEPS, SUM, UNIT_PANELS, WEIGHTS, WEIGHT_EXPONENT,
  WEIGHT_MEAN, WEIGHT_SPREAD
} from './layout'
import { gatherWeights, loadInputs, packSamples, packUnits, quantise, scatterWeights } from './pack'
import { optimise } from './optimiser'

// Tags of the noise stream (core/training/noise.ts).
const INPUT_NOISE: i32 = 0
const ROUNDING: i32 = 0x100
const ERROR_NOISE: i32 = 0x200

const ONE_PROBABILITY: i32 = 32767
const MOMENT_BITS: i32 = 22
/** Rounding of the output error: 15-bit probabilities to fe = 7. */
const OUTPUT_SHIFT: i32 = 8

// @ts-ignore: decorator
@inline
function field (at: usize, offset: usize): i32 { return load<i32>(at + offset) }
// @ts-ignore: decorator
@inline
function pointer (at: usize, offset: usize): usize { return load<u32>(at + offset) }
// @ts-ignore: decorator
@inline
function layerAt (plan: usize, l: i32): usize { return plan + LAYER_TABLE + <usize>l * LAYER_SIZE }

/** Takes the canonical weights out of WEIGHT_MEAN. The first step does not read the moments. */
export function begin (plan: usize): void {
  store<i32>(plan + STEPS, 0)
  for (let l = 0; l < field(plan, LAYERS); l++) {
    const layer = layerAt(plan, l)
    const largest = scatterWeights(pointer(layer, WEIGHT_MEAN), pointer(layer, WEIGHTS), field(layer, N), field(layer, K), field(layer, K_PADDED))
    store<i32>(layer + LARGEST, largest)
  }
}

/** Puts the canonical weights into WEIGHT_MEAN. */
export function finish (plan: usize): void {
  for (let l = 0; l < field(plan, LAYERS); l++) {
    const layer = layerAt(plan, l)
    gatherWeights(pointer(layer, WEIGHTS), pointer(layer, WEIGHT_MEAN), field(layer, N), field(layer, K), field(layer, K_PADDED))
  }
}

/** Step 1 of every layer. */
function quantiseAll (plan: usize): void {
  for (let l = 0; l < field(plan, LAYERS); l++) {
    const layer = layerAt(plan, l)
    const s = max(0, bitlen(field(layer, LARGEST)) - 7)
    store<i32>(layer + WEIGHT_EXPONENT, 28 - s)
    quantise(
      pointer(layer, WEIGHTS), pointer(layer, FORWARD_PANELS), pointer(layer, BACKWARD_PANELS),
      (field(layer, N_PADDED) >> 3) * field(layer, K_PADDED), s
    )
  }
}

/** Steps 2 and 3 of every layer, from the first layer's ACTIVATIONS to the LOGITS. */
function forwardAll (plan: usize): void {
  const layers = field(plan, LAYERS)
  const paddedBatch = field(plan, BATCH_PADDED)
  const panels = pointer(plan, SAMPLE_PANELS)
  for (let l = 0; l < layers; l++) {
    const layer = layerAt(plan, l)
    const next = layerAt(plan, l + 1)
    const hidden = l + 1 < layers
    const fa = field(layer, INPUT_EXPONENT) + field(layer, WEIGHT_EXPONENT)
    packSamples(pointer(layer, ACTIVATIONS), panels, field(layer, K_PADDED), paddedBatch)
    const stat = forward(
      pointer(layer, FORWARD_PANELS), panels, pointer(layer, BIASES),
      hidden ? pointer(next, ACTIVATIONS) : pointer(plan, LOGITS), pointer(plan, BATCH_MASK),
      field(layer, N), field(layer, K_PADDED), paddedBatch, 28 - fa,
      hidden, hidden ? fa - field(next, INPUT_EXPONENT) : 0
    )
    store<i32>(layer + ACTIVATION_STAT, stat)
  }
}

/** Step 4 up to p, in place of the logits; t and S go to DISTANCE and SUM. */
function softmax (plan: usize): void {
  const last = layerAt(plan, field(plan, LAYERS) - 1)
  const classes = <usize>field(last, N)
  const stride = <usize>field(plan, BATCH_PADDED) * 4
  const shift = field(last, INPUT_EXPONENT) + field(last, WEIGHT_EXPONENT) - 10
  const exp2 = pointer(plan, EXP2)
  for (let n = 0; n < field(plan, BATCH); n++) {
    const column = pointer(plan, LOGITS) + n * 4
    const distances = pointer(plan, DISTANCE) + n * 4
    let largest = i32.MIN_VALUE
    for (let j: usize = 0; j < classes; j++) {
      const at = column + j * stride
      const z = roundNearest(load<i32>(at), shift)
      store<i32>(at, z)
      largest = max(largest, z)
    }
    let sum: u32 = 0
    for (let j: usize = 0; j < classes; j++) {
      const at = column + j * stride
      const d = min(<u32>(largest - load<i32>(at)), 20479)
      const t = (d * 23637) >> 16
      const e = load<u32>(exp2 + ((t & 255) << 2)) >> (t >> 8)
      store<u32>(at, e)
      store<u32>(distances + j * stride, t)
      sum += e
    }
    for (let j: usize = 0; j < classes; j++) {
      const at = column + j * stride
      store<u32>(at, load<u32>(at) * <u32>ONE_PROBABILITY / sum)
    }
    store<u32>(pointer(plan, SUM) + n * 4, sum)
  }
}

/** The keystream for the error of layer l: words for the rounding, bytes for the noise. */
function errorStream (plan: usize, step: i32, l: i32, units: i32): void {
  const elements = units * field(plan, BATCH)
  keystream(pointer(plan, NOISE_WORDS), pointer(plan, KEY), step, ROUNDING + l, elements * 4)
  keystream(pointer(plan, NOISE_BYTES), pointer(plan, KEY), step, ERROR_NOISE + l, elements)
}

/** Step 4 from p on: the error of the last layer. */
function outputError (plan: usize, step: i32, labels: usize): void {
  const l = field(plan, LAYERS) - 1
  const last = layerAt(plan, l)
  const classes = field(last, N)
  const batch = field(plan, BATCH)
  const paddedBatch = field(plan, BATCH_PADDED)
  const logits = pointer(plan, LOGITS)
  for (let n = 0; n < batch; n++) {
    const at = logits + (<usize>load<u8>(labels + n) * paddedBatch + n) * 4
    store<i32>(at, load<i32>(at) - ONE_PROBABILITY)
  }
  errorStream(plan, step, l, classes)
  for (let j = 0; j < classes; j++) {
    for (let n = 0; n < paddedBatch; n += 8) {
      const at = <usize>(j * paddedBatch + n)
      const element = <usize>(j * batch + n)
      storeError(
        pointer(last, ERRORS) + at * 2, v128.load(logits + at * 4), v128.load(logits + at * 4, 16),
        pointer(plan, NOISE_WORDS) + element * 4, pointer(plan, NOISE_BYTES) + element,
        v128.load(pointer(plan, BATCH_MASK) + n * 2), OUTPUT_SHIFT
      )
    }
  }
}

/** Step 5 of every layer but the first. */
function backwardAll (plan: usize, step: i32): void {
  const paddedBatch = field(plan, BATCH_PADDED)
  const panels = pointer(plan, SAMPLE_PANELS)
  for (let l = field(plan, LAYERS) - 1; l > 0; l--) {
    const layer = layerAt(plan, l)
    const before = layerAt(plan, l - 1)
    packSamples(pointer(layer, ERRORS), panels, field(layer, N_PADDED), paddedBatch)
    errorStream(plan, step, l - 1, field(layer, K))
    const stat = backward(
      pointer(layer, BACKWARD_PANELS), panels, pointer(layer, ACTIVATIONS), pointer(before, ERRORS),
      pointer(plan, BATCH_MASK), pointer(plan, NOISE_WORDS), pointer(plan, NOISE_BYTES),
      field(layer, K), field(layer, K_PADDED), field(layer, N_PADDED), field(plan, BATCH), paddedBatch,
      field(layer, ERROR_EXPONENT) + field(layer, WEIGHT_EXPONENT) - field(before, ERROR_EXPONENT)
    )
    store<u32>(before + ERROR_STAT, stat)
  }
}

/** Steps 6 and 7 of one layer, a panel of eight units at a time while its gradient is in cache. */
function update (plan: usize, layer: usize): void {
  const paddedBatch = field(plan, BATCH_PADDED)
  const paddedInputs = field(layer, K_PADDED)
  const paddedOutputs = field(layer, N_PADDED)
  const units = pointer(plan, UNIT_PANELS)
  const gradient = pointer(plan, GRADIENT)
  const steps = field(plan, STEPS)
  const lr20 = field(plan, LR20)
  const fe = field(layer, ERROR_EXPONENT)
  const sh = fe + field(layer, INPUT_EXPONENT) - MOMENT_BITS
  packUnits(pointer(layer, ERRORS), units, paddedOutputs, paddedBatch)
  let largest = 0
  for (let j = 0; j < paddedOutputs; j += 8) {
    const at = <usize>j * paddedInputs * 4
    gradientPanel(pointer(layer, ACTIVATIONS), units + <usize>j * paddedBatch * 2, gradient, paddedInputs, paddedBatch)
    largest = max(largest, optimise(
      pointer(layer, WEIGHTS) + at, pointer(layer, WEIGHT_MEAN) + at, pointer(layer, WEIGHT_SPREAD) + at,
      gradient, paddedInputs * 2, sh, steps, lr20
    ))
  }
  store<i32>(layer + LARGEST, largest)
  biasGradient(pointer(layer, ERRORS), gradient, paddedOutputs, paddedBatch)
  optimise(
    pointer(layer, BIASES), pointer(layer, BIAS_MEAN), pointer(layer, BIAS_SPREAD),
    gradient, paddedOutputs >> 2, fe - MOMENT_BITS, steps, lr20
  )
}

function nextExponent (current: i32, accumulatorExponent: i32, stat: u32): i32 {
  if (stat === 0) return current
  const wanted = accumulatorExponent - max(0, bitlen(stat) - 7)
  return wanted < current ? wanted : wanted > current ? current + 1 : current
}

/** Step 8. A layer's own exponents are read before they change: the last layer is done last. */
function updateExponents (plan: usize): void {
  const layers = field(plan, LAYERS)
  let inputExponent = field(layerAt(plan, 0), INPUT_EXPONENT)
  for (let l = 0; l + 1 < layers; l++) {
    const layer = layerAt(plan, l)
    const next = layerAt(plan, l + 1)
    const current = field(next, INPUT_EXPONENT)
    store<i32>(next + INPUT_EXPONENT, nextExponent(current, inputExponent + field(layer, WEIGHT_EXPONENT), field(layer, ACTIVATION_STAT)))
    inputExponent = current
    store<i32>(layer + ERROR_EXPONENT, nextExponent(
      field(layer, ERROR_EXPONENT), field(next, ERROR_EXPONENT) + field(next, WEIGHT_EXPONENT), field(layer, ERROR_STAT)
    ))
  }
}

/** Runs `steps` steps on the batches in INPUTS and LABELS; the first of them is number `first` of the slice. */
export function train (plan: usize, first: i32, steps: i32): void {
  const batch = field(plan, BATCH)
  const input = layerAt(plan, 0)
  const features = field(input, K)
  const layers = field(plan, LAYERS)
  let raw = pointer(plan, INPUTS)
  let labels = pointer(plan, LABELS)
  for (let step = first; step < first + steps; step++) {
    keystream(pointer(plan, NOISE_BYTES), pointer(plan, KEY), step, INPUT_NOISE, batch * features)
    loadInputs(raw, pointer(plan, NOISE_BYTES), pointer(input, ACTIVATIONS), batch, field(plan, BATCH_PADDED), features, field(plan, AMPLITUDE))
    quantiseAll(plan)
    forwardAll(plan)
    softmax(plan)
    outputError(plan, step, labels)
    backwardAll(plan, step)
    store<i32>(plan + STEPS, field(plan, STEPS) + 1)
    for (let l = 0; l < layers; l++) update(plan, layerAt(plan, l))
    updateExponents(plan)
    raw += <usize>batch * features
    labels += batch
  }
}

/** Makes the weights ready for `score`. */
export function prepare (plan: usize): void {
  quantiseAll(plan)
}

/** Forward pass without noise on one batch in INPUTS: p to LOGITS, t to DISTANCE, S to SUM. */
export function score (plan: usize): void {
  const input = layerAt(plan, 0)
  loadInputs(pointer(plan, INPUTS), pointer(plan, INPUTS), pointer(input, ACTIVATIONS), field(plan, BATCH), field(plan, BATCH_PADDED), field(input, K), 0)
  forwardAll(plan)
  softmax(plan)
}
