/**
 * The RMS norm of a sample (docs/exact.md, 4.3 and 4.5). What belongs to a sample is held for every
 * position of it, so that rows are worked on as they lie.
 */
import { bitlen, firstLanes, largestLane } from './arithmetic'
import {
  A, ALIVE, BATCH, CHANNELS, ERRORS, NORM_GAIN, NORM_PRODUCTS, NORM_PROJECTION, NORM_SQUARES, OUT, POSITIONS,
  RELU, ROW, VALUES
} from './layout'
import { field, pointer } from './record'
import { storeActivation } from './rounding'

/** out[s] = sum over the channels of x * y, i32 [row]. All positions of a sample come to at most 127^2 * 65,536 < 2^30. */
export function dotChannels (x: usize, y: usize, row: i32, channels: i32, out: usize): void {
  memory.fill(out, 0, <usize>row * 4)
  for (let c = 0; c < channels; c++) {
    for (let s = 0; s < row; s += 8) {
      const a = v128.load(x + s * 2)
      const b = v128.load(y + s * 2)
      const at = out + s * 4
      v128.store(at, i32x4.add(v128.load(at), i32x4.extmul_low_i16x8_s(a, b)))
      v128.store(at, i32x4.add(v128.load(at, 16), i32x4.extmul_high_i16x8_s(a, b)), 16)
    }
    x += <usize>row * 2
    y += <usize>row * 2
  }
}

/** The sum of sample n's positions. */
function sampleSum (sums: usize, positions: i32, n: i32): i32 {
  let sum = 0
  for (let p = 0; p < positions; p++) sum += load<i32>(sums + (n * positions + p) * 4)
  return sum
}

function fillSample (to: usize, positions: i32, n: i32, value: i32): void {
  for (let p = 0; p < positions; p++) store<i32>(to + (n * positions + p) * 4, value)
}

/** floor(2^18 / rms). floor(Q / N) * 256 is below 2^22, where the root of an f64 is right. */
function gainOf (squares: i32, size: i32): i32 {
  return 262144 / max(16, <i32>sqrt<f64>(<f64>(squares / size * 256)))
}

/** c = (sum of e * x) / (sum of x^2) with eight fractional bits (reference/sums.ts). */
function projection (products: i32, squares: i32): i32 {
  const shift = max(0, bitlen(squares) - 22)
  const p = products >> shift
  const q = max(1, squares >> shift)
  const whole = p / q
  return whole * 256 + (p - whole * q) * 256 / q
}

/** y from acc = x * gain < 2^21. Returns max|seen|. */
export function normForward (plan: usize, op: usize, shift: i32): u32 {
  const a = pointer(op, A)
  const out = pointer(op, OUT)
  const channels = field(a, CHANNELS)
  const positions = field(a, POSITIONS)
  const row = field(a, ROW)
  const count = field(plan, BATCH) * positions
  const squares = pointer(plan, NORM_SQUARES)
  const gains = pointer(plan, NORM_GAIN)
  const relu = field(op, RELU) !== 0
  dotChannels(pointer(a, VALUES), pointer(a, VALUES), row, channels, squares)
  for (let n = 0; n < field(plan, BATCH); n++) {
    fillSample(gains, positions, n, gainOf(sampleSum(squares, positions, n), channels * positions))
  }
  let stat = i32x4.splat(0)
  for (let c = 0; c < channels; c++) {
    for (let s = 0; s < count; s += 8) {
      const at = <usize>c * row + s
      const x = v128.load(pointer(a, VALUES) + at * 2)
      const gain = gains + s * 4
      const alive = pointer(out, ALIVE)
      stat = i32x4.max_u(stat, storeActivation(
        pointer(out, VALUES) + at * 2, alive === 0 ? 0 : alive + (at >> 3), 0,
        i32x4.mul(i32x4.extend_low_i16x8_s(x), v128.load(gain)), i32x4.mul(i32x4.extend_high_i16x8_s(x), v128.load(gain, 16)),
        firstLanes(count - s), relu, shift
      ))
    }
  }
  return largestLane(stat)
}

/** Whose gain and projection are held. */
let projected: usize = 0

/** Gain and c of every sample. */
function project (plan: usize, op: usize): void {
  const a = pointer(op, A)
  const channels = field(a, CHANNELS)
  const positions = field(a, POSITIONS)
  const squares = pointer(plan, NORM_SQUARES)
  const products = pointer(plan, NORM_PRODUCTS)
  dotChannels(pointer(a, VALUES), pointer(a, VALUES), field(a, ROW), channels, squares)
  dotChannels(pointer(a, VALUES), pointer(pointer(op, OUT), ERRORS), field(a, ROW), channels, products)
  for (let n = 0; n < field(plan, BATCH); n++) {
    const q = sampleSum(squares, positions, n)
    fillSample(pointer(plan, NORM_GAIN), positions, n, gainOf(q, channels * positions))
    fillSample(pointer(plan, NORM_PROJECTION), positions, n, projection(sampleSum(products, positions, n), q))
  }
  projected = op
}

/** gain * RN(256 e - x c, 6) of four elements; below 2^31 (docs/exact.md, 7). */
// @ts-ignore: decorator
@inline
function error4 (e: v128, x: v128, c: usize, gain: usize): v128 {
  const v = i32x4.sub(i32x4.shl(e, 8), i32x4.mul(x, v128.load(c)))
  const rounded = i32x4.add(i32x4.shr_s(v, 6), v128.and(i32x4.shr_s(v, 5), i32x4.splat(1)))
  return i32x4.mul(v128.load(gain), rounded)
}

/** D for channels from..to - 1. All samples' gains are made for channel 0, and again if another norm's are held. */
export function normErrors (plan: usize, op: usize, from: i32, to: i32, out: usize): void {
  if (from === 0 || projected !== op) project(plan, op)
  const a = pointer(op, A)
  const row = field(a, ROW)
  const errors = pointer(pointer(op, OUT), ERRORS)
  for (let c = from; c < to; c++) {
    for (let s = 0; s < row; s += 8) {
      const at = (<usize>c * row + s) * 2
      const e = v128.load(errors + at)
      const x = v128.load(pointer(a, VALUES) + at)
      const scale = pointer(plan, NORM_PROJECTION) + s * 4
      const gain = pointer(plan, NORM_GAIN) + s * 4
      v128.store(out, error4(i32x4.extend_low_i16x8_s(e), i32x4.extend_low_i16x8_s(x), scale, gain))
      v128.store(out, error4(i32x4.extend_high_i16x8_s(e), i32x4.extend_high_i16x8_s(x), scale + 16, gain + 16), 16)
      out += 32
    }
  }
}
