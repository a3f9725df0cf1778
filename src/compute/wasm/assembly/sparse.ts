/**
 * Convolutions whose groups have few units, depthwise ones above all: a unit at a time, because
 * panels of eight units would be mostly padding. Bounds as in gemm.ts.
 */
import { firstLanes, largestLane, roundNearest } from './arithmetic'
import {
  A, ALIVE, BATCH, BIASES, CHANNELS, ERRORS, ERROR_EXPONENT, EXPONENT, FORWARD_PANELS, GRADIENT, GROUPS, HEIGHT, K, KERNEL,
  LR20, N, OUT, PADDING, POSITIONS, RELU, ROW, SAMPLE_PANELS, STEPS, STRIDE, TILE, VALUES, WEIGHTS,
  WEIGHT_EXPONENT, WEIGHT_MEAN, WEIGHT_SPREAD, WIDTH, WINDOWS
} from './layout'
import { optimise } from './optimiser'
import { packSamples } from './pack'
import { field, padded8, pointer } from './record'
import { storeActivation } from './rounding'
import { gather } from './windows'

const MOMENT_BITS: i32 = 22

/** The int8 weights of unit j, i16. */
// @ts-ignore: decorator
@inline
function weightsOf (op: usize, j: i32): usize {
  return pointer(op, FORWARD_PANELS) + <usize>(j * ((field(op, K) + 1) & ~1)) * 2
}

/** One unit in `count` columns of sample panels; rounded to `out`, i16. Returns |seen| of the lanes. */
function forwardRow (
  weights: usize, panels: usize, pairs: i32, bias: i32, count: i32, out: usize, alive: usize, noise: usize, relu: bool, shift: i32
): v128 {
  let stat = i32x4.splat(0)
  for (let n = 0; n < count; n += 8) {
    let low = i32x4.splat(bias)
    let high = low
    let b = panels + <usize>n * pairs * 4
    for (let i = 0; i < pairs; i++) {
      const w = v128.load32_splat(weights + i * 4)
      low = i32x4.add(low, i32x4.dot_i16x8_s(w, v128.load(b)))
      high = i32x4.add(high, i32x4.dot_i16x8_s(w, v128.load(b, 16)))
      b += 32
    }
    stat = i32x4.max_u(stat, storeActivation(
      out + n * 2, alive === 0 ? 0 : alive + (n >> 3), noise === 0 ? 0 : noise + n, low, high, firstLanes(count - n), relu, shift
    ))
  }
  return stat
}

/** Activations; `noise` is 0 for none. Returns max|seen|. */
export function sparseForward (plan: usize, op: usize, noise: usize): u32 {
  const out = pointer(op, OUT)
  const fa = field(pointer(op, A), EXPONENT) + field(op, WEIGHT_EXPONENT)
  const total = field(plan, BATCH) * field(out, POSITIONS)
  const groups = field(op, GROUPS)
  const units = field(op, N) / groups
  const pairs = (field(op, K) + 1) >> 1
  const panels = pointer(plan, SAMPLE_PANELS)
  const alive = pointer(out, ALIVE)
  let stat = i32x4.splat(0)
  for (let g = 0; g < groups; g++) {
    for (let first = 0; first < total; first += field(op, TILE)) {
      const count = min(field(op, TILE), total - first)
      const columns = padded8(count)
      gather(op, g, first, count, pointer(plan, WINDOWS), columns)
      packSamples(pointer(plan, WINDOWS), columns, panels, pairs * 2, columns)
      for (let j = g * units; j < (g + 1) * units; j++) {
        const at = <usize>j * field(out, ROW) + first
        stat = i32x4.max_u(stat, forwardRow(
          weightsOf(op, j), panels, pairs, roundNearest(load<i32>(pointer(op, BIASES) + j * 4), 28 - fa), count,
          pointer(out, VALUES) + at * 2, alive === 0 ? 0 : alive + (at >> 3), noise === 0 ? 0 : noise + <usize>j * total + first,
          field(op, RELU) !== 0, fa - field(out, EXPONENT)
        ))
      }
    }
  }
  return largestLane(stat)
}

/** to[i * stride] += w * e[i], i32 and i16; the last vector adds 0 past the end. */
// @ts-ignore: decorator
@inline
function addLine (e: usize, to: usize, count: i32, stride: i32, w: i32): void {
  if (stride === 1) {
    const lanes = i16x8.splat(<i16>w)
    for (let i = 0; i < count; i += 8) {
      let x = v128.load(e + i * 2)
      if (i + 8 > count) x = v128.and(x, firstLanes(count - i))
      const at = to + i * 4
      v128.store(at, i32x4.add(v128.load(at), i32x4.extmul_low_i16x8_s(x, lanes)))
      v128.store(at, i32x4.add(v128.load(at, 16), i32x4.extmul_high_i16x8_s(x, lanes)), 16)
    }
  } else {
    for (let i = 0; i < count; i++) {
      const at = to + i * stride * 4
      store<i32>(at, load<i32>(at) + w * <i32>load<i16>(e + i * 2))
    }
  }
}

/** Adds to channel D what unit j's error says through the weights of that channel, kernel^2 of them. */
function addUnit (plan: usize, op: usize, j: i32, weights: usize, d: usize): void {
  const a = pointer(op, A)
  const out = pointer(op, OUT)
  const kernel = field(op, KERNEL)
  const stride = field(op, STRIDE)
  const padding = field(op, PADDING)
  const height = field(a, HEIGHT)
  const width = field(a, WIDTH)
  const lines = field(out, HEIGHT)
  const line = field(out, WIDTH)
  for (let ky = 0; ky < kernel; ky++) {
    for (let kx = 0; kx < kernel; kx++) {
      const w = <i32>load<i16>(weights + (ky * kernel + kx) * 2)
      // Outputs ox of a line for which ox * stride + kx - padding is in the input.
      const start = padding > kx ? (padding - kx + stride - 1) / stride : 0
      const reach = width - 1 + padding - kx
      const end = reach < 0 ? 0 : min(line, reach / stride + 1)
      if (start >= end) continue
      for (let n = 0; n < field(plan, BATCH); n++) {
        const e = pointer(out, ERRORS) + (<usize>j * field(out, ROW) + n * field(out, POSITIONS)) * 2
        const sample = d + <usize>(n * field(a, POSITIONS)) * 4
        for (let oy = 0; oy < lines; oy++) {
          const y = oy * stride + ky - padding
          if (y < 0 || y >= height) continue
          addLine(e + (oy * line + start) * 2, sample + (y * width + start * stride + kx - padding) * 4, end - start, stride, w)
        }
      }
    }
  }
}

/** D for channels from..to - 1, i32 [channels][row]. */
export function sparseErrors (plan: usize, op: usize, from: i32, to: i32, out: usize): void {
  const a = pointer(op, A)
  const groups = field(op, GROUPS)
  const perGroup = field(a, CHANNELS) / groups
  const units = field(op, N) / groups
  const taps = field(op, KERNEL) * field(op, KERNEL)
  memory.fill(out, 0, <usize>(to - from) * field(a, ROW) * 4)
  for (let c = from; c < to; c++) {
    const g = c / perGroup
    for (let j = g * units; j < (g + 1) * units; j++) {
      addUnit(plan, op, j, weightsOf(op, j) + <usize>((c - g * perGroup) * taps) * 2, out + <usize>(c - from) * field(a, ROW) * 4)
    }
  }
}

/** The sum of x * e over `columns`, a multiple of 8. */
// @ts-ignore: decorator
@inline
function dot (x: usize, e: usize, columns: i32): i32 {
  let sum = i32x4.splat(0)
  for (let n: usize = 0; n < <usize>columns * 2; n += 16) sum = i32x4.add(sum, i32x4.dot_i16x8_s(v128.load(x + n), v128.load(e + n)))
  return i32x4.extract_lane(sum, 0) + i32x4.extract_lane(sum, 1) + i32x4.extract_lane(sum, 2) + i32x4.extract_lane(sum, 3)
}

/** Gradients and update of the weights; returns max|W|. */
export function sparseUpdate (plan: usize, op: usize): i32 {
  const e = pointer(op, OUT)
  const total = field(plan, BATCH) * field(e, POSITIONS)
  const groups = field(op, GROUPS)
  const units = field(op, N) / groups
  const inputs = field(op, K)
  const gradients = pointer(plan, GRADIENT)
  const weights = field(op, N) * inputs
  memory.fill(gradients, 0, <usize>weights * 4 + 32)
  for (let g = 0; g < groups; g++) {
    for (let first = 0; first < total; first += field(op, TILE)) {
      const count = min(field(op, TILE), total - first)
      const columns = padded8(count)
      gather(op, g, first, count, pointer(plan, WINDOWS), columns)
      for (let j = g * units; j < (g + 1) * units; j++) {
        const errors = pointer(e, ERRORS) + (<usize>j * field(e, ROW) + first) * 2
        for (let k = 0; k < inputs; k++) {
          const at = gradients + <usize>(j * inputs + k) * 4
          store<i32>(at, load<i32>(at) + dot(pointer(plan, WINDOWS) + <usize>(k * columns) * 2, errors, columns))
        }
      }
    }
  }
  const sh = field(e, ERROR_EXPONENT) + field(pointer(op, A), EXPONENT) - MOMENT_BITS
  const whole = weights >> 3
  const rest = <usize>whole * 32
  const values = pointer(op, WEIGHTS)
  const means = pointer(op, WEIGHT_MEAN)
  const spreads = pointer(op, WEIGHT_SPREAD)
  const steps = field(plan, STEPS)
  const lr20 = field(plan, LR20)
  const largest = optimise(values, means, spreads, gradients, whole, 8, sh, steps, lr20)
  if ((weights & 7) === 0) return largest
  return max(largest, optimise(values + rest, means + rest, spreads + rest, gradients + rest, 1, weights & 7, sh, steps, lr20))
}
