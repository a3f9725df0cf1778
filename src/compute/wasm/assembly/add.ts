/** Additions: of two tensors, and of what several operations say about one error. */
import { roundNearest4, firstLanes, largestLane } from './arithmetic'
import { A, ALIVE, B, BATCH, CHANNELS, ERRORS, EXPONENT, OUT, POSITIONS, RELU, ROW, SUM_EXPONENT, VALUES } from './layout'
import { field, pointer } from './record'
import { storeActivation } from './rounding'

/** y = x_a + x_b with the larger of their exponents, fa, which goes to SUM_EXPONENT. Returns max|seen|. */
export function addForward (plan: usize, op: usize): u32 {
  const a = pointer(op, A)
  const b = pointer(op, B)
  const out = pointer(op, OUT)
  const fa = max(field(a, EXPONENT), field(b, EXPONENT))
  // Not above 0: shifts to the left, which may wrap as everywhere.
  const shiftA = field(a, EXPONENT) - fa
  const shiftB = field(b, EXPONENT) - fa
  const shift = fa - field(out, EXPONENT)
  const relu = field(op, RELU) !== 0
  const row = field(out, ROW)
  const count = field(plan, BATCH) * field(out, POSITIONS)
  let stat = i32x4.splat(0)
  for (let c = 0; c < field(out, CHANNELS); c++) {
    for (let s = 0; s < count; s += 8) {
      const at = <usize>c * row + s
      const x = v128.load(pointer(a, VALUES) + at * 2)
      const y = v128.load(pointer(b, VALUES) + at * 2)
      const low = i32x4.add(roundNearest4(i32x4.extend_low_i16x8_s(x), shiftA), roundNearest4(i32x4.extend_low_i16x8_s(y), shiftB))
      const high = i32x4.add(roundNearest4(i32x4.extend_high_i16x8_s(x), shiftA), roundNearest4(i32x4.extend_high_i16x8_s(y), shiftB))
      const alive = pointer(out, ALIVE)
      stat = i32x4.max_u(stat, storeActivation(
        pointer(out, VALUES) + at * 2, alive === 0 ? 0 : alive + (at >> 3), 0, low, high, firstLanes(count - s), relu, shift
      ))
    }
  }
  store<i32>(out + SUM_EXPONENT, fa)
  return largestLane(stat)
}

/** D = E for channels from..to - 1. */
export function addErrors (plan: usize, op: usize, from: i32, to: i32, out: usize): void {
  const e = pointer(op, OUT)
  const at = pointer(e, ERRORS) + <usize>from * field(e, ROW) * 2
  const elements = <usize>(to - from) * field(e, ROW)
  for (let i: usize = 0; i < elements; i += 8) {
    const x = v128.load(at + i * 2)
    v128.store(out + i * 4, i32x4.extend_low_i16x8_s(x))
    v128.store(out + i * 4, i32x4.extend_high_i16x8_s(x), 16)
  }
}

/** sums += part << shift and trace += part; without `more` they begin. RN to more bits is a shift. */
export function addPart (part: usize, sums: usize, trace: usize, elements: i32, shift: i32, more: bool): void {
  for (let i = 0; i < elements; i += 4) {
    const at = <usize>i * 4
    const d = v128.load(part + at)
    const shifted = i32x4.shl(d, min(31, shift))
    v128.store(sums + at, more ? i32x4.add(v128.load(sums + at), shifted) : shifted)
    v128.store(trace + at, more ? i32x4.add(v128.load(trace + at), d) : d)
  }
}
