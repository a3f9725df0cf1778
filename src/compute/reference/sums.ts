/**
 * The sums of a model's operations and of their errors, in exact integers (docs/exact.md, sections
 * 4.3 and 4.5): the slow form that defines the fast ones.
 *
 * A tensor of a batch is [channels][batch][positions]: element (c * B + n) * P + y * width + x.
 * All values are i32 modulo 2^32. Activations and errors are at most 127 in magnitude (inputs
 * -32..127), weights too; where a sum can wrap, it wraps alike everywhere.
 */
import { OP_ADD, OP_APPLY, OP_AVERAGE_POOL, OP_DENSE, OP_MAX_POOL, OP_NORM, OP_SCORES, OP_SOFTMAX } from '../../core/codec/jobSpec.ts'
import { isqrt } from '../../core/training/integers.ts'
import type { OpShape, TensorShape } from '../../core/training/shape.ts'
import { attend, attendErrors, channelSoftmax, channelSoftmaxErrors } from './attention.ts'
import { bitlen, roundNearest } from './integer.ts'

/** Values of a tensor and their number of fractional bits. */
export interface Tensor { readonly values: Int32Array, readonly exponent: number }

/** int8 weights, their exponent fw, and the 28-bit biases. */
export interface Weights { readonly w: Int32Array, readonly exponent: number, readonly biases: Int32Array }

/** An RMS norm's sums have 14 fractional bits whatever its input has. */
const NORM_BITS = 14

/** Calls `visit` for every element under every window: (output position, kernel position, input position). */
function eachWindow ({ op, input, output }: OpShape, visit: (out: number, tap: number, at: number) => void): void {
  const { kernel, stride, padding } = op
  for (let oy = 0; oy < output.height; oy++) {
    for (let ox = 0; ox < output.width; ox++) {
      for (let ky = 0; ky < kernel; ky++) {
        for (let kx = 0; kx < kernel; kx++) {
          const y = oy * stride + ky - padding
          const x = ox * stride + kx - padding
          if (y < 0 || y >= input.height || x < 0 || x >= input.width) continue
          visit(oy * output.width + ox, ky * kernel + kx, y * input.width + x)
        }
      }
    }
  }
}

const positionsOf = ({ height, width }: TensorShape): number => height * width

/** log2 of a pooling window's size, rounded down: what a mean is divided by (section 4.3). */
const windowBits = (kernel: number): number => bitlen(kernel * kernel) - 1

/** The weight and input of every product of an operation: (unit, weight index, output position, input channel, input position). */
function eachProduct (shape: OpShape, visit: (unit: number, weight: number, out: number, channel: number, at: number) => void): void {
  const { op, input, output } = shape
  const taps = op.kernel * op.kernel
  if (op.kind === OP_DENSE) {
    const P = positionsOf(input)
    for (let j = 0; j < output.channels; j++) {
      for (let k = 0; k < input.size; k++) visit(j, j * input.size + k, 0, Math.floor(k / P), k % P)
    }
    return
  }
  const perGroup = input.channels / op.groups
  const unitsPerGroup = output.channels / op.groups
  for (let j = 0; j < output.channels; j++) {
    for (let c = 0; c < perGroup; c++) {
      const channel = Math.floor(j / unitsPerGroup) * perGroup + c
      eachWindow(shape, (out, tap, at) => { visit(j, (j * perGroup + c) * taps + tap, out, channel, at) })
    }
  }
}

/** acc = sum of x * w + RN(b, 28 - fa). */
function productSums (shape: OpShape, x: Tensor, weights: Weights, batch: number): Tensor {
  const { input, output } = shape
  const exponent = x.exponent + weights.exponent
  const P = positionsOf(input)
  const Q = positionsOf(output)
  const acc = new Int32Array(output.size * batch)
  for (let j = 0; j < output.channels; j++) acc.fill(roundNearest(weights.biases[j], 28 - exponent), j * batch * Q, (j + 1) * batch * Q)
  eachProduct(shape, (j, weight, out, channel, at) => {
    for (let n = 0; n < batch; n++) acc[(j * batch + n) * Q + out] += x.values[(channel * batch + n) * P + at] * weights.w[weight]
  })
  return { values: acc, exponent }
}

/** Place of the largest element under each window, the first of equals; -1 is not possible: pools have no padding. */
function largestAt (shape: OpShape, values: Int32Array, plane: number): Int32Array {
  const best = new Int32Array(positionsOf(shape.output)).fill(-1)
  eachWindow(shape, (out, _, at) => { if (best[out] === -1 || values[plane + at] > values[plane + best[out]]) best[out] = at })
  return best
}

function poolSums (shape: OpShape, x: Tensor, batch: number): Tensor {
  const { op, input, output } = shape
  const P = positionsOf(input)
  const Q = positionsOf(output)
  const acc = new Int32Array(output.size * batch)
  for (let plane = 0; plane < output.channels * batch; plane++) {
    if (op.kind === OP_MAX_POOL) {
      for (const [out, at] of largestAt(shape, x.values, plane * P).entries()) acc[plane * Q + out] = x.values[plane * P + at]
    } else eachWindow(shape, (out, _, at) => { acc[plane * Q + out] += x.values[plane * P + at] })
  }
  return { values: acc, exponent: x.exponent + (op.kind === OP_MAX_POOL ? 0 : windowBits(op.kernel)) }
}

/** Both tensors with the larger of their exponents. */
function addSums (a: Tensor, b: Tensor): Tensor {
  const exponent = Math.max(a.exponent, b.exponent)
  return {
    values: a.values.map((x, i) => roundNearest(x, a.exponent - exponent) + roundNearest(b.values[i], b.exponent - exponent)),
    exponent
  }
}

export interface Rms {
  /** Sum of squares; at most 127^2 * 65,536 < 2^30. */
  readonly squares: number
  /** 2^18 / (16 rms), 129..16,384. */
  readonly gain: number
}

/** What a norm divides sample n by: rms in sixteenths, at least 1. */
function rmsOf (x: Int32Array, { channels, size, height, width }: TensorShape, batch: number, n: number): Rms {
  const P = height * width
  let squares = 0
  for (let c = 0; c < channels; c++) {
    for (let p = 0; p < P; p++) squares += x[(c * batch + n) * P + p] ** 2
  }
  // The mean square is at most 127^2: its 256-fold is below 2^22 and its root below 2,048.
  const rms = Math.max(16, isqrt(Math.floor(squares / size) * 256))
  return { squares, gain: Math.floor(262144 / rms) }
}

/** acc = x * gain: x / rms with 14 fractional bits; below 2^21. */
function normSums ({ input }: OpShape, x: Tensor, batch: number): Tensor {
  const P = positionsOf(input)
  const acc = new Int32Array(x.values.length)
  for (let n = 0; n < batch; n++) {
    const { gain } = rmsOf(x.values, input, batch, n)
    for (let c = 0; c < input.channels; c++) {
      for (let p = 0; p < P; p++) acc[(c * batch + n) * P + p] = x.values[(c * batch + n) * P + p] * gain
    }
  }
  return { values: acc, exponent: NORM_BITS }
}

/** The sums of an operation, before ReLU and rounding. */
export function forwardSums (shape: OpShape, a: Tensor, b: Tensor, weights: Weights | undefined, batch: number): Tensor {
  if (weights !== undefined) return productSums(shape, a, weights, batch)
  switch (shape.op.kind) {
    case OP_MAX_POOL:
    case OP_AVERAGE_POOL: return poolSums(shape, a, batch)
    case OP_ADD: return addSums(a, b)
    case OP_NORM: return normSums(shape, a, batch)
    case OP_SCORES:
    case OP_APPLY: return attend(shape, a, b, batch)
    case OP_SOFTMAX: return channelSoftmax(shape, a, batch)
    default: throw new Error(`operation ${shape.op.kind} has no weights`)
  }
}

/** D = sum of e * w over the units. */
function productErrors (shape: OpShape, e: Tensor, weights: Weights, batch: number): Tensor {
  const P = positionsOf(shape.input)
  const Q = positionsOf(shape.output)
  const d = new Int32Array(shape.input.size * batch)
  eachProduct(shape, (j, weight, out, channel, at) => {
    for (let n = 0; n < batch; n++) d[(channel * batch + n) * P + at] += e.values[(j * batch + n) * Q + out] * weights.w[weight]
  })
  return { values: d, exponent: e.exponent + weights.exponent }
}

function poolErrors (shape: OpShape, e: Tensor, x: Tensor, batch: number): Tensor {
  const { op, input, output } = shape
  const P = positionsOf(input)
  const Q = positionsOf(output)
  const d = new Int32Array(input.size * batch)
  for (let plane = 0; plane < output.channels * batch; plane++) {
    if (op.kind === OP_MAX_POOL) {
      for (const [out, at] of largestAt(shape, x.values, plane * P).entries()) d[plane * P + at] += e.values[plane * Q + out]
    } else eachWindow(shape, (out, _, at) => { d[plane * P + at] += e.values[plane * Q + out] })
  }
  return { values: d, exponent: e.exponent + (op.kind === OP_MAX_POOL ? 0 : windowBits(op.kernel)) }
}

/**
 * c = (sum of e * x) / (sum of x^2) with eight fractional bits, truncated towards zero digit by
 * digit; |sum of e * x| <= 127 * squares, because |x| <= x^2.
 * Both sums are first shifted so that the divisor is below 2^22: every product is below 2^31.
 */
export function projection (products: number, squares: number): number {
  const shift = Math.max(0, bitlen(squares) - 22)
  const p = products >> shift
  const q = Math.max(1, squares >> shift)
  const whole = Math.trunc(p / q)
  return whole * 256 + Math.trunc((p - whole * q) * 256 / q)
}

/** D = gain * RN(256 e - x c, 6): the error less its part along x. */
function normErrors ({ input }: OpShape, e: Tensor, x: Tensor, batch: number): Tensor {
  const P = positionsOf(input)
  const d = new Int32Array(x.values.length)
  for (let n = 0; n < batch; n++) {
    const { squares, gain } = rmsOf(x.values, input, batch, n)
    const elements = Array.from({ length: input.size }, (_, k) => (Math.floor(k / P) * batch + n) * P + k % P)
    const products = elements.reduce((sum, i) => sum + e.values[i] * x.values[i], 0)
    const c = projection(products, squares)
    for (const i of elements) d[i] = Math.imul(gain, roundNearest(256 * e.values[i] - Math.imul(x.values[i], c), 6))
  }
  return { values: d, exponent: e.exponent + 16 - x.exponent }
}

/** What an operation has read and written, for the error of the tensor `x` that it reads. */
export interface Reading {
  readonly x: Tensor
  /** What else it read, of operations that read two, and whether `x` is its tensor b. */
  readonly other: Tensor
  readonly second: boolean
  /** What it wrote, and the error of that. */
  readonly y: Tensor
  readonly e: Tensor
}

/** What an operation says about the error of a tensor it reads. */
export function errorSums (shape: OpShape, { x, other, second, y, e }: Reading, weights: Weights | undefined, batch: number): Tensor {
  if (weights !== undefined) return productErrors(shape, e, weights, batch)
  switch (shape.op.kind) {
    case OP_MAX_POOL:
    case OP_AVERAGE_POOL: return poolErrors(shape, e, x, batch)
    case OP_ADD: return e
    case OP_NORM: return normErrors(shape, e, x, batch)
    case OP_SCORES:
    case OP_APPLY: return attendErrors(shape, e, other, second, batch)
    case OP_SOFTMAX: return channelSoftmaxErrors(shape, e, y, batch)
    default: throw new Error(`operation ${shape.op.kind} has no weights`)
  }
}

/** G [units, inputs] = sum of e * x over samples and positions, and Gb [units] = sum of e: raw, not rounded. */
export function gradients (shape: OpShape, e: Int32Array, x: Int32Array, batch: number): { readonly weights: Int32Array, readonly biases: Int32Array } {
  const { input, output, layer } = shape
  const P = positionsOf(input)
  const Q = positionsOf(output)
  const weights = new Int32Array(layer === undefined ? 0 : layer.outputs * layer.inputs)
  const biases = new Int32Array(output.channels)
  eachProduct(shape, (j, weight, out, channel, at) => {
    let sum = weights[weight]
    for (let n = 0; n < batch; n++) sum += e[(j * batch + n) * Q + out] * x[(channel * batch + n) * P + at]
    weights[weight] = sum
  })
  for (let j = 0; j < output.channels; j++) {
    for (let i = j * batch * Q; i < (j + 1) * batch * Q; i++) biases[j] += e[i]
  }
  return { weights, biases }
}

/** The error of a tensor that several operations read: with the largest of their exponents. */
export function combineErrors (parts: readonly Tensor[]): Tensor & { readonly trace: Int32Array } {
  const exponent = Math.max(...parts.map(part => part.exponent))
  const values = new Int32Array(parts[0].values.length)
  const trace = new Int32Array(values.length)
  for (const part of parts) {
    for (let i = 0; i < values.length; i++) {
      values[i] += roundNearest(part.values[i], part.exponent - exponent)
      trace[i] += part.values[i]
    }
  }
  return { values, exponent, trace }
}
