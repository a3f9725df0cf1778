/** Exponentials of differences, in integers (docs/exact.md, 4.5): of the logits, and of the channels of a tensor. */
import { EXP2 } from '../tables.ts'
import { roundNearest } from './integer.ts'

/** Probabilities are 15-bit. */
export const ONE_PROBABILITY = 32767
/** exp(-20) is 0 in 16 bits: larger distances from the maximum need no more table. */
const DISTANCE_MAX = 20479

export interface Probabilities {
  /** t, the distance from the largest in 256ths of a power of two. */
  readonly distance: Int32Array
  readonly sum: number
  readonly probability: Int32Array
}

/** Of values with `shift` + 10 fractional bits. S is at most 65,535 * 2^16 < 2^32, and e * 32767 <= 2^31. */
export function probabilitiesOf (values: Int32Array, shift: number): Probabilities {
  const z = values.map(x => roundNearest(x, shift))
  const largest = z.reduce((most, x) => Math.max(most, x), -(2 ** 31))
  const distance = z.map(x => (Math.min((largest - x) >>> 0, DISTANCE_MAX) * 23637) >>> 16)
  const e = distance.map(t => EXP2[t & 255] >>> (t >>> 8))
  const sum = e.reduce((total, x) => total + x, 0)
  // Both operands are below 2^32: the double quotient, floored, is the integer quotient.
  return { distance, sum, probability: e.map(x => Math.floor(x * ONE_PROBABILITY / sum)) }
}
