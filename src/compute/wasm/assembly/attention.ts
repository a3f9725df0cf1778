/**
 * Products of two tensors and the softmax between them (docs/exact.md, 4.3 and 4.5). A product is
 * made sample by sample with the tile of gemm.ts that makes errors: sums over k of L[r][k] * X[k][s],
 * where L is packed along k, with zeros for what pads k, and X in panels of columns s.
 */
import { firstLanes, largestLane, roundNearest4 } from './arithmetic'
import { backward } from './gemm'
import {
  A, ALIVE, APPLY, B, BATCH, BLOCK, CHANNELS, CHANNEL_SUMS, COLUMNS, ERRORS, ERROR_SUMS, EXP2, EXPONENT, KIND, OUT, POSITIONS,
  RELU, ROW, SAMPLE_PANELS, SCORES, STRIDE, UNIT_PANELS, VALUES
} from './layout'
import { dotChannels } from './norm'
import { packSamples, packUnits, storeTransposed8 } from './pack'
import { field, padded8, pointer } from './record'
import { storeActivation } from './rounding'

// @ts-ignore: decorator
@inline
export function isMatrixProduct (op: usize): bool { return field(op, KIND) === SCORES || field(op, KIND) === APPLY }

/** Rows of `sum` neighbours, `row` elements apart, to i16 [sum / 8][rows padded to 4][8]. */
function packRows (from: usize, row: i32, to: usize, rows: i32, sum: i32): void {
  const skipped = <usize>(-rows & 3) * 16
  for (let k = 0; k < sum; k += 8) {
    const mask = firstLanes(sum - k)
    for (let r = 0; r < rows; r++) {
      v128.store(to, v128.and(v128.load(from + <usize>(r * row + k) * 2), mask))
      to += 16
    }
    to += skipped
  }
}

/** The same of a matrix that lies with its rows as columns: `sum` rows of `rows` neighbours. */
function packColumns (from: usize, row: i32, to: usize, rows: i32, sum: i32): void {
  const step = <usize>row * 2
  const zero = i32x4.splat(0)
  const panel = <usize>((rows + 3) & ~3) * 16
  for (let k = 0; k < sum; k += 8) {
    const there = sum - k
    for (let r = 0; r < rows; r += 8) {
      const at = from + <usize>(k * row + r) * 2
      storeTransposed8(
        v128.load(at), there > 1 ? v128.load(at + step) : zero, there > 2 ? v128.load(at + step * 2) : zero,
        there > 3 ? v128.load(at + step * 3) : zero, there > 4 ? v128.load(at + step * 4) : zero, there > 5 ? v128.load(at + step * 5) : zero,
        there > 6 ? v128.load(at + step * 6) : zero, there > 7 ? v128.load(at + step * 7) : zero,
        to + <usize>r * 16, 16, min(8, rows - r)
      )
    }
    to += panel
  }
}

/** i32 [rows][columns padded to 8] to i32 rows that are `row` elements apart. */
function copyOut (from: usize, to: usize, rows: i32, columns: i32, row: i32): void {
  for (let r = 0; r < rows; r++) {
    let s = 0
    for (; s + 4 <= columns; s += 4) v128.store(to + s * 4, v128.load(from + s * 4))
    for (; s < columns; s++) store<i32>(to + s * 4, load<i32>(from + s * 4))
    from += <usize>padded8(columns) * 4
    to += <usize>row * 4
  }
}

/** How L lies: along k, or across. X lies with its columns as rows where L and X are summed over positions. */
const ALONG: i32 = 0
const ACROSS: i32 = 1
const POSITIONWISE: i32 = 2

/** Rows from..to - 1 of a product of all samples, i32 [to - from][row]. `x` and `l` are i16 [channels][row]. */
function product (
  plan: usize, form: i32, l: usize, lRow: i32, lPositions: i32, x: usize, xRow: i32, xPositions: i32,
  from: i32, to: i32, sum: i32, columns: i32, out: usize, row: i32
): void {
  const left = pointer(plan, UNIT_PANELS)
  const right = pointer(plan, SAMPLE_PANELS)
  const sums = pointer(plan, COLUMNS)
  const rows = to - from
  const paddedSum = padded8(sum)
  const width = padded8(columns)
  for (let n = 0; n < field(plan, BATCH); n++) {
    const sample = l + <usize>(n * lPositions) * 2
    const other = x + <usize>(n * xPositions) * 2
    if (form === ACROSS) packColumns(sample + <usize>from * 2, lRow, left, rows, sum)
    else packRows(sample + <usize>(from * lRow) * 2, lRow, left, rows, sum)
    if (form === POSITIONWISE) packUnits(other, xRow, right, width, paddedSum)
    else packSamples(other, xRow, right, paddedSum, width)
    backward(left, <usize>((rows + 3) & ~3) * 16, right, paddedSum, rows, columns, sums, width, true, 0, 0, 0, 0)
    copyOut(sums, out + <usize>(n * columns) * 4, rows, columns, row)
  }
}

/** y of scores or their application; `noise` is 0 for none. Returns max|seen|. */
export function attendForward (plan: usize, op: usize, noise: usize, shift: i32): u32 {
  const a = pointer(op, A)
  const b = pointer(op, B)
  const out = pointer(op, OUT)
  const channels = field(out, CHANNELS)
  const row = field(out, ROW)
  const count = field(plan, BATCH) * field(out, POSITIONS)
  const alive = pointer(out, ALIVE)
  const relu = field(op, RELU) !== 0
  const form = field(op, KIND) === SCORES ? ACROSS : ALONG
  const sums = pointer(plan, ERROR_SUMS)
  let stat = i32x4.splat(0)
  for (let from = 0; from < channels; from += field(out, BLOCK)) {
    const to = min(channels, from + field(out, BLOCK))
    product(
      plan, form, pointer(b, VALUES), field(b, ROW), field(b, POSITIONS), pointer(a, VALUES), field(a, ROW), field(a, POSITIONS),
      from, to, field(a, CHANNELS), field(a, POSITIONS), sums, row
    )
    for (let c = from; c < to; c++) {
      const line = sums + <usize>((c - from) * row) * 4
      for (let s = 0; s < count; s += 8) {
        const at = <usize>c * row + s
        stat = i32x4.max_u(stat, storeActivation(
          pointer(out, VALUES) + at * 2, alive === 0 ? 0 : alive + (at >> 3), noise === 0 ? 0 : noise + <usize>c * count + s,
          v128.load(line + s * 4), v128.load(line + s * 4, 16), firstLanes(count - s), relu, shift
        ))
      }
    }
  }
  return largestLane(stat)
}

/** D of tensor b, or of tensor a, for channels from..to - 1. */
export function attendErrors (plan: usize, op: usize, second: bool, from: i32, to: i32, sums: usize): void {
  const a = pointer(op, A)
  const b = pointer(op, B)
  const e = pointer(op, OUT)
  const scores = field(op, KIND) === SCORES
  const errors = pointer(e, ERRORS)
  const positions = field(a, POSITIONS)
  if (!second) {
    product(
      plan, scores ? ALONG : ACROSS, pointer(b, VALUES), field(b, ROW), field(b, POSITIONS), errors, field(e, ROW), positions,
      from, to, field(e, CHANNELS), positions, sums, field(a, ROW)
    )
  } else if (scores) {
    product(
      plan, POSITIONWISE, pointer(a, VALUES), field(a, ROW), positions, errors, field(e, ROW), positions,
      from, to, positions, field(b, POSITIONS), sums, field(b, ROW)
    )
  } else {
    product(
      plan, POSITIONWISE, errors, field(e, ROW), positions, pointer(a, VALUES), field(a, ROW), positions,
      from, to, positions, field(b, POSITIONS), sums, field(b, ROW)
    )
  }
}

/** e of a lane. */
// @ts-ignore: decorator
@inline
function power (exp2: usize, t: i32): i32 { return load<i32>(exp2 + ((t & 255) << 2)) >> (t >> 8) }

/** e of four distances from the largest: below 2^17. */
// @ts-ignore: decorator
@inline
function power4 (exp2: usize, distance: v128): v128 {
  const t = i32x4.shr_u(i32x4.mul(i32x4.min_u(distance, i32x4.splat(20479)), i32x4.splat(23637)), 16)
  return i32x4(
    power(exp2, i32x4.extract_lane(t, 0)), power(exp2, i32x4.extract_lane(t, 1)),
    power(exp2, i32x4.extract_lane(t, 2)), power(exp2, i32x4.extract_lane(t, 3))
  )
}

/** floor(e * 32767 / sum) of four lanes: both are below 2^32, so the double quotient, cut off, is right. */
// @ts-ignore: decorator
@inline
function share4 (e: v128, sum: v128): v128 {
  const scaled = i32x4.mul(e, i32x4.splat(32767))
  const low = f64x2.div(f64x2.convert_low_i32x4_u(scaled), f64x2.convert_low_i32x4_u(sum))
  const high = f64x2.div(f64x2.convert_low_i32x4_u(upper(scaled)), f64x2.convert_low_i32x4_u(upper(sum)))
  return v128.shuffle<u64>(i32x4.trunc_sat_f64x2_u_zero(low), i32x4.trunc_sat_f64x2_u_zero(high), 0, 2)
}

// @ts-ignore: decorator
@inline
function upper (x: v128): v128 { return v128.shuffle<u64>(x, x, 1, 1) }

/** y of a softmax over the channels, eight columns at a time. Returns max|seen|. */
export function channelSoftmaxForward (plan: usize, op: usize, shift: i32): u32 {
  const a = pointer(op, A)
  const out = pointer(op, OUT)
  const channels = field(a, CHANNELS)
  const row = field(a, ROW)
  const count = field(plan, BATCH) * field(a, POSITIONS)
  const scale = field(a, EXPONENT) - 10 + field(op, STRIDE)
  const exp2 = pointer(plan, EXP2)
  const lanes = pointer(plan, COLUMNS)
  let stat = i32x4.splat(0)
  for (let s = 0; s < count; s += 8) {
    let largestLow = i32x4.splat(i32.MIN_VALUE)
    let largestHigh = largestLow
    let from = pointer(a, VALUES) + <usize>s * 2
    let at = lanes
    for (let j = 0; j < channels; j++) {
      const x = v128.load(from)
      const low = roundNearest4(i32x4.extend_low_i16x8_s(x), scale)
      const high = roundNearest4(i32x4.extend_high_i16x8_s(x), scale)
      largestLow = i32x4.max_s(largestLow, low)
      largestHigh = i32x4.max_s(largestHigh, high)
      v128.store(at, low)
      v128.store(at, high, 16)
      at += 32
      from += <usize>row * 2
    }
    let sumLow = i32x4.splat(0)
    let sumHigh = i32x4.splat(0)
    at = lanes
    for (let j = 0; j < channels; j++) {
      const low = power4(exp2, i32x4.sub(largestLow, v128.load(at)))
      const high = power4(exp2, i32x4.sub(largestHigh, v128.load(at, 16)))
      sumLow = i32x4.add(sumLow, low)
      sumHigh = i32x4.add(sumHigh, high)
      v128.store(at, low)
      v128.store(at, high, 16)
      at += 32
    }
    const mask = firstLanes(count - s)
    let to = pointer(out, VALUES) + <usize>s * 2
    at = lanes
    for (let j = 0; j < channels; j++) {
      const low = share4(v128.load(at), sumLow)
      const high = share4(v128.load(at, 16), sumHigh)
      stat = i32x4.max_u(stat, storeActivation(to, 0, 0, low, high, mask, false, shift))
      at += 32
      to += <usize>row * 2
    }
  }
  return largestLane(stat)
}

/** Whose sums of y * E over the channels are held. */
let summed: usize = 0

/** D = y (2^f E - sum of y E) for channels from..to - 1. The sums are made for channel 0, and again if another's are held. */
export function channelSoftmaxErrors (plan: usize, op: usize, from: i32, to: i32, out: usize): void {
  const y = pointer(op, OUT)
  const row = field(y, ROW)
  const sums = pointer(plan, CHANNEL_SUMS)
  if (from === 0 || summed !== op) {
    dotChannels(pointer(y, VALUES), pointer(y, ERRORS), row, field(y, CHANNELS), sums)
    summed = op
  }
  const shift = min(15, max(0, field(y, EXPONENT)))
  for (let c = from; c < to; c++) {
    for (let s = 0; s < row; s += 8) {
      const at = (<usize>c * row + s) * 2
      const value = v128.load(pointer(y, VALUES) + at)
      const e = v128.load(pointer(y, ERRORS) + at)
      const mean = sums + s * 4
      v128.store(out, i32x4.mul(i32x4.extend_low_i16x8_s(value), i32x4.sub(i32x4.shl(i32x4.extend_low_i16x8_s(e), shift), v128.load(mean))))
      v128.store(out, i32x4.mul(i32x4.extend_high_i16x8_s(value), i32x4.sub(i32x4.shl(i32x4.extend_high_i16x8_s(e), shift), v128.load(mean, 16))), 16)
      out += 32
    }
  }
}
