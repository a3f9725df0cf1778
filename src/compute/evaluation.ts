/** From scores to what people read. Integers only, so that two backends agree on these as well. */
import type { EvaluationResult, PredictionResult } from '../ports/compute.ts'
import type { Scores } from './kernels.ts'
import { LOG2 } from './tables.ts'

/** 2^16 * log2(n) for 1 <= n < 2^32: the table, and a straight line between its entries. */
export function log2Bits16 (n: number): number {
  const zeros = Math.clz32(n)
  const mantissa = n << zeros
  const index = (mantissa >>> 23) & 255
  const between = (mantissa >>> 7) & 0xffff
  return (31 - zeros) * 65536 + LOG2[index] + (((LOG2[index + 1] - LOG2[index]) * between + 32768) >>> 16)
}

/**
 * The class with the smallest distance, the first of equals. The loss -log2(e / S) uses
 * e = 2^16 * 2^(-t / 256) before its rounding, so that it is finite: log2 S - 16 + t / 256.
 */
export function evaluationOf ({ distance, sum }: Scores, labels: Uint8Array, classes: number): EvaluationResult {
  const confusion = new Uint32Array(classes * classes)
  let correct = 0
  let lossBits16 = 0
  for (let n = 0; n < labels.length; n++) {
    const row = n * classes
    let best = 0
    for (let j = 1; j < classes; j++) if (distance[row + j] < distance[row + best]) best = j
    const label = labels[n]
    if (best === label) correct++
    confusion[label * classes + best]++
    lossBits16 += Math.max(0, log2Bits16(sum[n]) - 16 * 65536 + distance[row + label] * 256)
  }
  return { count: labels.length, correct, lossBits16, confusion }
}

export const predictionOf = ({ probability }: Scores, classes: number): PredictionResult =>
  ({ probabilities: Uint16Array.from(probability), classes })
