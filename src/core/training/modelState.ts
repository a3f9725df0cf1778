/**
 * S_r: everything a slice starts from (EXACT 9). Weights and biases are i32 with 28 fractional
 * bits within +-2^30; exponents are small integers.
 */
export interface ModelState {
  /** Per operation with weights, shape [outputs, inputs] row major (shape.ts). */
  readonly weights: readonly Int32Array[]
  /** Likewise, shape [outputs]. */
  readonly biases: readonly Int32Array[]
  /** fo of every operation but the last: fractional bits of the tensor it writes. */
  readonly activationExponents: Int32Array
  /** fe of every operation but the last, whose error has 7 fractional bits, fixed. */
  readonly errorExponents: Int32Array
}

/** Weights and biases are clamped to this magnitude: +-4.0 (EXACT 5). */
export const MAX_WEIGHT = 2 ** 30

/**
 * Every step adds to every parameter the low byte of what its update was made of, less this: so the
 * final state tells of every gradient, whatever rounding and clamps drop (docs/exact.md, 4.7).
 */
export const TRACE = 128

/**
 * No exponent exceeds this magnitude: where training would produce one that does, it is limited
 * (docs/exact.md, 4.8). Only products of tensors come near: fw is 4..28, a norm's is 14, a pool's at
 * most 12, and an accumulator's bitlen at most 31, so without them fo lies at most 28 up and 24 down
 * of its input's per operation from 7, over 31 operations; fe likewise from the last.
 */
export const MAX_EXPONENT = 1023
