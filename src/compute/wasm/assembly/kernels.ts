/** Exact training steps (docs/exact.md, 4) on the memory that ../plan.ts lays out. */
import { bitlen } from './arithmetic'
import { keystream } from './chacha'
import { errorOf } from './errors'
import { biasGradient } from './gemm'
import {
  A, ADD, AMPLITUDE, AVERAGE_POOL, BATCH, BIASES, BIAS_MEAN, BIAS_SPREAD, CHANNELS, ERRORS, ERROR_EXPONENT,
  ERROR_STAT, ERROR_SUM_EXPONENT, EXPONENT, GRADIENT, INDEX, INPUTS, K, KEY, KIND, LABELS, LARGEST, LR20,
  B, MAX_POOL, N, NOISE, OPS, OUT, POSITIONS, ROW, SOFTMAX, SPARSE, STAT, STEPS, SUM_EXPONENT, VALUES, WEIGHT_EXPONENT
} from './layout'
import { addForward } from './add'
import { attendForward, channelSoftmaxForward, isMatrixProduct } from './attention'
import { normForward } from './norm'
import { optimise } from './optimiser'
import { loadInputs } from './pack'
import { poolForward, windowBits } from './pool'
import { productForward, productUpdate } from './product'
import { field, opAt, pointer, tensorAt } from './record'
import { logitsError, softmax } from './softmax'
import { sparseForward, sparseUpdate } from './sparse'
import { loadWeights, quantiseWeights, saveWeights } from './weights'

// Tags of the noise stream (core/training/noise.ts).
const INPUT_NOISE: i32 = 0
const ACTIVATION_NOISE: i32 = 0x100
const ERROR_NOISE: i32 = 0x200

const MOMENT_BITS: i32 = 22
/** The fractional bits of a norm's sums, whatever its input has. */
const NORM_BITS: i32 = 14
/** And of a softmax's. */
const SOFTMAX_BITS: i32 = 15
/** No exponent is larger (core/training/modelState.ts). */
const MAX_EXPONENT: i32 = 1023

// @ts-ignore: decorator
@inline
function isWeighted (op: usize): bool { return field(op, N) !== 0 }

/** Takes the canonical weights out of WEIGHT_MEAN. The first step does not read the moments. */
export function begin (plan: usize): void {
  store<i32>(plan + STEPS, 0)
  for (let i = 0; i < field(plan, OPS); i++) {
    const op = opAt(plan, i)
    if (isWeighted(op)) store<i32>(op + LARGEST, loadWeights(op))
  }
}

/** Puts the canonical weights into WEIGHT_MEAN. */
export function finish (plan: usize): void {
  for (let i = 0; i < field(plan, OPS); i++) {
    const op = opAt(plan, i)
    if (isWeighted(op)) saveWeights(op)
  }
}

/** 4.1 of every layer: makes the weights ready for a step or for `score`. */
export function prepare (plan: usize): void {
  for (let i = 0; i < field(plan, OPS); i++) {
    const op = opAt(plan, i)
    if (!isWeighted(op)) continue
    const s = max(0, bitlen(field(op, LARGEST)) - 7)
    store<i32>(op + WEIGHT_EXPONENT, 28 - s)
    quantiseWeights(op, s)
  }
}

/** Noise for every element of tensor `t`, of a tag, to NOISE. */
function tensorNoise (plan: usize, step: i32, tag: i32, tensor: usize): usize {
  const noise = pointer(plan, NOISE)
  keystream(noise, pointer(plan, KEY), step, tag, field(tensor, CHANNELS) * field(tensor, POSITIONS) * field(plan, BATCH))
  return noise
}

/** 4.3: fa, and max|seen| of what the operation has written. */
function forwardOp (plan: usize, op: usize, step: i32, last: bool, noisy: bool): void {
  const a = pointer(op, A)
  const out = pointer(op, OUT)
  const kind = field(op, KIND)
  let fa = field(a, EXPONENT)
  let stat: u32 = 0
  if (isWeighted(op)) {
    fa += field(op, WEIGHT_EXPONENT)
    const noise = noisy && !last ? tensorNoise(plan, step, ACTIVATION_NOISE + field(op, INDEX), out) : 0
    stat = field(op, SPARSE) ? sparseForward(plan, op, noise) : productForward(plan, op, last, noise)
  } else if (isMatrixProduct(op)) {
    fa += field(pointer(op, B), EXPONENT)
    stat = attendForward(plan, op, noisy ? tensorNoise(plan, step, ACTIVATION_NOISE + field(op, INDEX), out) : 0, fa - field(out, EXPONENT))
  } else if (kind === SOFTMAX) {
    fa = SOFTMAX_BITS
    stat = channelSoftmaxForward(plan, op, fa - field(out, EXPONENT))
  } else if (kind === ADD) {
    stat = addForward(plan, op)
    fa = field(out, SUM_EXPONENT)
  } else if (kind === MAX_POOL || kind === AVERAGE_POOL) {
    if (kind === AVERAGE_POOL) fa += windowBits(op)
    stat = poolForward(plan, op, fa - field(out, EXPONENT))
  } else {
    fa = NORM_BITS
    stat = normForward(plan, op, fa - field(out, EXPONENT))
  }
  store<i32>(out + SUM_EXPONENT, fa)
  store<u32>(out + STAT, stat)
}

/** 4.3 and 4.4 of every operation, from tensor 0 to the logits. */
function forwardAll (plan: usize, step: i32, noisy: bool): void {
  const ops = field(plan, OPS)
  for (let i = 0; i < ops; i++) forwardOp(plan, opAt(plan, i), step, i + 1 === ops, noisy)
}

/** 4.5 of every tensor but the input. */
function backwardAll (plan: usize, step: i32, labels: usize): void {
  const ops = field(plan, OPS)
  tensorNoise(plan, step, ERROR_NOISE + ops - 1, tensorAt(plan, ops))
  logitsError(plan, labels)
  for (let t = ops - 1; t > 0; t--) {
    const tensor = tensorAt(plan, t)
    errorOf(plan, tensor, tensorNoise(plan, step, ERROR_NOISE + t - 1, tensor))
  }
}

/** 4.6 and 4.7 of one layer. */
function update (plan: usize, op: usize): void {
  const e = pointer(op, OUT)
  store<i32>(op + LARGEST, field(op, SPARSE) ? sparseUpdate(plan, op) : productUpdate(plan, op))
  const units = field(op, N)
  const gradient = pointer(plan, GRADIENT)
  biasGradient(pointer(e, ERRORS), gradient, units, field(e, ROW))
  memory.fill(gradient + <usize>units * 4, 0, 32)
  const sh = field(e, ERROR_EXPONENT) - MOMENT_BITS
  const steps = field(plan, STEPS)
  const whole = units >> 3
  const rest = <usize>whole * 32
  const biases = pointer(op, BIASES)
  const means = pointer(op, BIAS_MEAN)
  const spreads = pointer(op, BIAS_SPREAD)
  optimise(biases, means, spreads, gradient, whole, 8, sh, steps, field(plan, LR20))
  if (units & 7) optimise(biases + rest, means + rest, spreads + rest, gradient + rest, 1, units & 7, sh, steps, field(plan, LR20))
}

function nextExponent (current: i32, bits: i32, stat: u32): i32 {
  if (stat === 0) return current
  const wanted = max(-MAX_EXPONENT, min(MAX_EXPONENT, bits - max(0, bitlen(stat) - 7)))
  return wanted < current ? wanted : wanted > current ? current + 1 : current
}

/** 4.8. */
function updateExponents (plan: usize): void {
  for (let t = 1; t < field(plan, OPS); t++) {
    const tensor = tensorAt(plan, t)
    store<i32>(tensor + EXPONENT, nextExponent(field(tensor, EXPONENT), field(tensor, SUM_EXPONENT), field(tensor, STAT)))
    store<i32>(tensor + ERROR_EXPONENT, nextExponent(field(tensor, ERROR_EXPONENT), field(tensor, ERROR_SUM_EXPONENT), field(tensor, ERROR_STAT)))
  }
}

function load (plan: usize, raw: usize, noise: usize, amplitude: i32): void {
  const input = tensorAt(plan, 0)
  loadInputs(raw, noise, pointer(input, VALUES), field(plan, BATCH), field(input, ROW), field(input, CHANNELS), field(input, POSITIONS), amplitude)
}

/** Runs `steps` steps on the batches in INPUTS and LABELS; the first of them is number `first` of the slice. */
export function train (plan: usize, first: i32, steps: i32): void {
  const batch = field(plan, BATCH)
  const input = tensorAt(plan, 0)
  let raw = pointer(plan, INPUTS)
  let labels = pointer(plan, LABELS)
  for (let step = first; step < first + steps; step++) {
    load(plan, raw, tensorNoise(plan, step, INPUT_NOISE, input), field(plan, AMPLITUDE))
    prepare(plan)
    forwardAll(plan, step, true)
    softmax(plan)
    backwardAll(plan, step, labels)
    store<i32>(plan + STEPS, field(plan, STEPS) + 1)
    for (let i = 0; i < field(plan, OPS); i++) {
      if (isWeighted(opAt(plan, i))) update(plan, opAt(plan, i))
    }
    updateExponents(plan)
    raw += <usize>batch * field(input, CHANNELS) * field(input, POSITIONS)
    labels += batch
  }
}

/** Forward pass without noise on one batch in INPUTS: p to PROBABILITY, t to DISTANCE, S to SUM. */
export function score (plan: usize): void {
  load(plan, pointer(plan, INPUTS), pointer(plan, INPUTS), 0)
  forwardAll(plan, 0, false)
  softmax(plan)
}
