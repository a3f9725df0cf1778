/** The logits' end (docs/exact.md, 4.5): probabilities, and the error they start. */
import { roundNearest } from './arithmetic'
import {
  BATCH, CHANNELS, DISTANCE, ERRORS, EXP2, LOGITS, NOISE, OPS, PROBABILITY, ROW, SUM, SUM_EXPONENT
} from './layout'
import { field, pointer, tensorAt } from './record'
import { roundErrors } from './rounding'

const ONE_PROBABILITY: i32 = 32767
/** Rounding of the logits' error: 15-bit probabilities to fe = 7. */
const OUTPUT_SHIFT: i32 = 8

/** p of every class and sample; t and S go to DISTANCE and SUM. e * 32767 is at most 2^31. */
export function softmax (plan: usize): void {
  const last = tensorAt(plan, field(plan, OPS))
  const classes = <usize>field(last, CHANNELS)
  const stride = <usize>field(last, ROW) * 4
  const shift = field(last, SUM_EXPONENT) - 10
  const exp2 = pointer(plan, EXP2)
  for (let n = 0; n < field(plan, BATCH); n++) {
    const logits = pointer(plan, LOGITS) + n * 4
    const column = pointer(plan, PROBABILITY) + n * 4
    const distances = pointer(plan, DISTANCE) + n * 4
    let largest = i32.MIN_VALUE
    for (let j: usize = 0; j < classes; j++) {
      const z = roundNearest(load<i32>(logits + j * stride), shift)
      store<i32>(column + j * stride, z)
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

/** The error of the logits, from p and the labels; its noise is in NOISE. */
export function logitsError (plan: usize, labels: usize): void {
  const last = tensorAt(plan, field(plan, OPS))
  const batch = field(plan, BATCH)
  const row = field(last, ROW)
  const d = pointer(plan, PROBABILITY)
  for (let n = 0; n < batch; n++) {
    const at = d + (<usize>load<u8>(labels + n) * row + n) * 4
    store<i32>(at, load<i32>(at) - ONE_PROBABILITY)
  }
  roundErrors(d, pointer(plan, LOGITS), pointer(last, ERRORS), 0, pointer(plan, NOISE), field(last, CHANNELS), row, batch, OUTPUT_SHIFT)
}
