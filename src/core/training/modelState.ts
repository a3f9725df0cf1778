/**
 * S_r: everything a slice starts from (EXACT 9). Weights and biases are i32 with 28 fractional
 * bits within +-2^30; exponents are small integers.
 */
export interface ModelState {
  /** Per layer, shape [outputs, inputs] row major: weights[l][k * inputs + j]. */
  readonly weights: readonly Int32Array[]
  /** Per layer, shape [outputs]. */
  readonly biases: readonly Int32Array[]
  /** fo of every hidden layer. */
  readonly activationExponents: Int32Array
  /** fe of every hidden layer; the last layer's is 7, fixed. */
  readonly errorExponents: Int32Array
}

/** Weights and biases are clamped to this magnitude: +-4.0 (EXACT 5). */
export const MAX_WEIGHT = 2 ** 30

/**
 * No exponent that training produces exceeds this magnitude. fw is 4..28 and an accumulator's
 * bitlen at most 31, so a layer's fo lies within its input's exponent + fw - 24 .. + fw: at most
 * 28 up and 20 down per layer from 7, over 7 hidden layers -133..203; fe likewise from the last.
 */
export const MAX_EXPONENT = 255
