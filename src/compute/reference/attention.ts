/**
 * Attention in exact integers (docs/exact.md, 4.3 and 4.5). Positions are tokens and channels their
 * features: scores hold every position of one tensor against every position of another, a softmax
 * over the channels makes weights of them, and their application mixes the positions of a third.
 */
import { OP_SCORES } from '../../core/codec/jobSpec.ts'
import type { OpShape, TensorShape } from '../../core/training/shape.ts'
import { probabilitiesOf } from './softmax.ts'
import type { Tensor } from './sums.ts'

/** A softmax's sums have 15 fractional bits whatever its input has. */
const SOFTMAX_BITS = 15

const positionsOf = ({ height, width }: TensorShape): number => height * width

/** Calls `visit` with the places of every product of a sample: in a, in b, in what is written. At most 4096 meet in an element of each. */
function eachProduct ({ op, input, second, output }: OpShape, batch: number, visit: (a: number, b: number, out: number) => void): void {
  const P = positionsOf(input)
  const Q = positionsOf(second)
  for (let n = 0; n < batch; n++) {
    for (let row = 0; row < output.channels; row++) {
      for (let k = 0; k < input.channels; k++) {
        // Scores: row is a position of b and k a channel of both. Application: row is a channel of b and k a position of it.
        const b = op.kind === OP_SCORES ? (k * batch + n) * Q + row : (row * batch + n) * Q + k
        for (let p = 0; p < P; p++) visit((k * batch + n) * P + p, b, (row * batch + n) * P + p)
      }
    }
  }
}

/** Scores S[j][i] = sum of K[c][j] * Q[c][i], or their application O[c][i] = sum of V[c][j] * P[j][i]; b is K or V. */
export function attend (shape: OpShape, a: Tensor, b: Tensor, batch: number): Tensor {
  const acc = new Int32Array(shape.output.size * batch)
  eachProduct(shape, batch, (at, bt, out) => { acc[out] += a.values[at] * b.values[bt] })
  return { values: acc, exponent: a.exponent + b.exponent }
}

/** D of tensor a, or of tensor b if `second`, `other` being the one of them that it is not. */
export function attendErrors (shape: OpShape, e: Tensor, other: Tensor, second: boolean, batch: number): Tensor {
  const d = new Int32Array((second ? shape.second : shape.input).size * batch)
  if (second) eachProduct(shape, batch, (at, bt, out) => { d[bt] += e.values[out] * other.values[at] })
  else eachProduct(shape, batch, (at, bt, out) => { d[at] += e.values[out] * other.values[bt] })
  return { values: d, exponent: e.exponent + other.exponent }
}

/** Probabilities of the channels at every position, of x / 2^v. */
export function channelSoftmax ({ op, input }: OpShape, x: Tensor, batch: number): Tensor {
  const columns = positionsOf(input) * batch
  const acc = new Int32Array(x.values.length)
  for (let s = 0; s < columns; s++) {
    const { probability } = probabilitiesOf(Int32Array.from({ length: input.channels }, (_, j) => x.values[j * columns + s]), x.exponent - 10 + op.stride)
    for (let j = 0; j < input.channels; j++) acc[j * columns + s] = probability[j]
  }
  return { values: acc, exponent: SOFTMAX_BITS }
}

/** D = y (2^f E - sum of y E over the channels), f the fractional bits of y: below 2^31 for the f that occur (section 7), and wraps alike for others. */
export function channelSoftmaxErrors ({ op, input }: OpShape, e: Tensor, y: Tensor, batch: number): Tensor {
  const columns = positionsOf(input) * batch
  const shift = Math.max(0, Math.min(SOFTMAX_BITS, y.exponent))
  const d = new Int32Array(y.values.length)
  for (let s = 0; s < columns; s++) {
    let mean = 0
    for (let j = 0; j < input.channels; j++) mean += y.values[j * columns + s] * e.values[j * columns + s]
    for (let j = 0; j < input.channels; j++) d[j * columns + s] = Math.imul(y.values[j * columns + s], (e.values[j * columns + s] << shift) - mean)
  }
  return { values: d, exponent: e.exponent + 2 * y.exponent + op.stride }
}
