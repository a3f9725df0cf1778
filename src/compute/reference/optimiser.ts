/** The integer L1-Adam of EXACT 5, step 7, and the trace that every update leaves (docs/exact.md, 4.7). */
import { MAX_WEIGHT, TRACE } from '../../core/training/modelState.ts'
import { bitlen, clamp, roundNearest } from './integer.ts'

/** Moments have 22 fractional bits. */
const MOMENT_BITS = 22
const MOMENT_MAX = 2 ** 30 - 1

/** Values with 28 fractional bits and their two moments with 22. */
export interface Parameters {
  readonly values: Int32Array
  readonly mean: Int32Array
  readonly spread: Int32Array
}

/** One update. `exponent` is the number of fractional bits of the gradient, `steps` is T with this step. */
export function optimise ({ values, mean, spread }: Parameters, gradient: Int32Array, exponent: number, steps: number, lr20: number, traced: boolean): void {
  const sh = exponent - MOMENT_BITS
  const warmth = bitlen(steps) - 1
  const s1 = Math.min(warmth, 3)
  const s2 = Math.min(warmth, 7)
  const up = Math.min(31, Math.max(0, -sh))
  const limit = traced ? MAX_WEIGHT - TRACE : MAX_WEIGHT
  for (let i = 0; i < values.length; i++) {
    const g = sh < 0 ? clamp(gradient[i], MOMENT_MAX >> up) << up : clamp(roundNearest(gradient[i], sh), MOMENT_MAX)
    mean[i] = mean[i] + roundNearest(g - mean[i], s1)
    spread[i] = spread[i] + roundNearest(Math.abs(g) - spread[i], s2)
    const q = Math.max(0, bitlen(spread[i]) - 15)
    // |numerator| <= 131071 * 4096 < 2^29, 16 <= denominator <= 32767.
    const numerator = clamp(mean[i] >> q, 131071) * 4096
    const denominator = (spread[i] >> q) + (16 >> q)
    const u = clamp(Math.trunc(numerator / denominator), 32767)
    const trace = traced ? ((gradient[i] + mean[i] + spread[i]) & 255) - TRACE : 0
    values[i] = clamp(values[i] - roundNearest(u * lr20, 4), limit) + trace
  }
}
