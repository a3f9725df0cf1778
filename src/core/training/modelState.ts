/**
 * S_r: everything a slice starts from (EXACT 9). Weights and biases are i32 with 28 fractional
 * bits within +-2^30; exponents are small non-negative integers.
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
