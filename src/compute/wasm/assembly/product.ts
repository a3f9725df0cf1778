/**
 * Dense layers and convolutions as products. The columns are all output positions of all samples, a
 * tile of them at a time; the inputs of a column are the window of its position, channels times
 * taps of them. A dense layer has one position and takes the whole input as its window.
 *
 * A group's units begin at a multiple of 8, if there are several groups: its panels are whole.
 * Other convolutions are in sparse.ts.
 */
import {
  A, ALIVE, BACKWARD_PANELS, BATCH, BIASES, CHANNELS, COLUMNS, DENSE, ERRORS, ERROR_EXPONENT, EXPONENT,
  FORWARD_PANELS, GRADIENT, GROUPS, K, KERNEL, KIND, K_PADDED, LOGITS, LR20, N, OUT, POSITIONS, RELU, ROW,
  SAMPLE_PANELS, STEPS, STRIDE, TILE, UNIT_PANELS, VALUES, WEIGHTS, WEIGHT_EXPONENT, WEIGHT_MEAN,
  WEIGHT_SPREAD, WINDOWS
} from './layout'
import { backward, forward, gradientPanel } from './gemm'
import { optimise } from './optimiser'
import { flatten, packSamples, packUnits, unflatten } from './pack'
import { field, padded8, pointer } from './record'
import { gather, scatter } from './windows'

const MOMENT_BITS: i32 = 22

/** Whether the windows are the tensor itself: one tap, at every position. */
export function isPointwise (op: usize): bool {
  if (field(op, KIND) === DENSE) return field(pointer(op, A), POSITIONS) === 1
  return field(op, KERNEL) === 1 && field(op, STRIDE) === 1
}

/** Elements of a window in one channel. */
function taps (op: usize): i32 {
  return field(op, KIND) === DENSE ? field(pointer(op, A), POSITIONS) : field(op, KERNEL) * field(op, KERNEL)
}

/** Elements between the rows of `windows`. */
let windowsRow: i32 = 0

/** Columns first..first + count - 1 of a group's inputs, i16 [K][...]. */
function windows (plan: usize, op: usize, group: i32, first: i32, count: i32): usize {
  const a = pointer(op, A)
  if (isPointwise(op)) {
    windowsRow = field(a, ROW)
    return pointer(a, VALUES) + (<usize>(group * field(op, K)) * windowsRow + first) * 2
  }
  const to = pointer(plan, WINDOWS)
  windowsRow = padded8(count)
  if (field(op, KIND) === DENSE) flatten(pointer(a, VALUES), field(a, ROW), to, windowsRow, field(a, CHANNELS), field(a, POSITIONS), count)
  else gather(op, group, first, count, to, windowsRow)
  return to
}

/** Activations of the operation, or its sums if it is the last one; `noise` is 0 for none. Returns max|seen|. */
export function productForward (plan: usize, op: usize, last: bool, noise: usize): u32 {
  const out = pointer(op, OUT)
  const fa = field(pointer(op, A), EXPONENT) + field(op, WEIGHT_EXPONENT)
  const total = field(plan, BATCH) * field(out, POSITIONS)
  const tile = field(op, TILE)
  const groups = field(op, GROUPS)
  const units = field(op, N) / groups
  const paddedInputs = <usize>field(op, K_PADDED)
  const pairs = (field(op, K) + 1) >> 1
  const panels = pointer(plan, SAMPLE_PANELS)
  const row = field(out, ROW)
  const to = last ? pointer(plan, LOGITS) : pointer(out, VALUES)
  const alive: usize = last ? 0 : pointer(out, ALIVE)
  let stat: u32 = 0
  for (let g = 0; g < groups; g++) {
    const unit = <usize>(g * units)
    for (let first = 0; first < total; first += tile) {
      const count = min(tile, total - first)
      const x = windows(plan, op, g, first, count)
      packSamples(x, windowsRow, panels, pairs * 2, padded8(count))
      const at = unit * row + first
      stat = max(stat, forward(
        pointer(op, FORWARD_PANELS) + unit * paddedInputs * 2, paddedInputs * 16, panels, pairs,
        pointer(op, BIASES) + unit * 4, 28 - fa, units, count,
        to + at * (last ? 4 : 2), row, last, alive === 0 ? 0 : alive + (at >> 3),
        noise === 0 ? 0 : noise + unit * total + first, total, field(op, RELU) !== 0, fa - field(out, EXPONENT)
      ))
    }
  }
  return stat
}

/**
 * The error sums of channels from..to - 1 of the input, i32 [channels][row], or, if the windows are
 * the tensor and `rounded`, its error i16; then `noise` is that of channel 0, and max|D| is returned.
 */
export function productErrors (plan: usize, op: usize, from: i32, to: i32, out: usize, rounded: bool, noise: usize, shift: i32): u32 {
  const a = pointer(op, A)
  const e = pointer(op, OUT)
  const total = field(plan, BATCH) * field(e, POSITIONS)
  const tile = field(op, TILE)
  const groups = field(op, GROUPS)
  const perGroup = field(a, CHANNELS) / groups
  const units = field(op, N) / groups
  const paddedUnits = padded8(units)
  const paddedInputs = <usize>field(op, K_PADDED)
  const panels = pointer(plan, SAMPLE_PANELS)
  const row = field(a, ROW)
  const errorRow = field(e, ROW)
  const direct = isPointwise(op)
  const columns = pointer(plan, COLUMNS)
  const alive = pointer(a, ALIVE)
  let stat: u32 = 0
  if (!direct) memory.fill(out, 0, <usize>(to - from) * row * 4)
  for (let g = from / perGroup; g * perGroup < to; g++) {
    const start = max(from, g * perGroup)
    const channels = min(to, (g + 1) * perGroup) - start
    const unit = <usize>(g * units)
    const inputs = channels * taps(op)
    const weights = pointer(op, BACKWARD_PANELS) + unit * paddedInputs * 2 + <usize>((start - g * perGroup) * taps(op)) * 16
    for (let first = 0; first < total; first += tile) {
      const count = min(tile, total - first)
      const width = padded8(count)
      packSamples(pointer(e, ERRORS) + (unit * errorRow + first) * 2, errorRow, panels, paddedUnits, width)
      if (direct) {
        const at = <usize>(start - from) * row + first
        stat = max(stat, backward(
          weights, paddedInputs * 16, panels, paddedUnits, inputs, count, out + at * (rounded ? 2 : 4), row, !rounded,
          alive === 0 ? 0 : alive + ((<usize>start * row + first) >> 3), noise + <usize>start * total + first, total, shift
        ))
        continue
      }
      backward(weights, paddedInputs * 16, panels, paddedUnits, inputs, count, columns, width, true, 0, 0, 0, 0)
      const plane = out + (<usize>(start - from) * row) * 4
      if (field(op, KIND) === DENSE) unflatten(columns, width, plane, row, channels, field(a, POSITIONS), count)
      else scatter(op, channels, first, count, columns, width, plane)
    }
  }
  return stat
}

/** Gradients and update of the weights; returns max|W|. A panel's are made and used while they are in cache. */
export function productUpdate (plan: usize, op: usize): i32 {
  const e = pointer(op, OUT)
  const total = field(plan, BATCH) * field(e, POSITIONS)
  const tile = field(op, TILE)
  const groups = field(op, GROUPS)
  const units = field(op, N) / groups
  const paddedInputs = field(op, K_PADDED)
  const panels = pointer(plan, UNIT_PANELS)
  const errorRow = field(e, ROW)
  const sh = field(e, ERROR_EXPONENT) + field(pointer(op, A), EXPONENT) - MOMENT_BITS
  // Of one panel if one tile is all, else of the group.
  const apart = total > tile ? <usize>paddedInputs * 32 : 0
  let largest = 0
  for (let g = 0; g < groups; g++) {
    const unit = <usize>(g * units)
    for (let first = 0; first < total; first += tile) {
      const count = min(tile, total - first)
      const width = padded8(count)
      const x = windows(plan, op, g, first, count)
      packUnits(pointer(e, ERRORS) + (unit * errorRow + first) * 2, errorRow, panels, padded8(units), width)
      for (let j = 0; j < units; j += 8) {
        const gradient = pointer(plan, GRADIENT) + <usize>(j >> 3) * apart
        gradientPanel(x, windowsRow, panels + <usize>j * width * 2, gradient, paddedInputs, width, first > 0)
        if (first + tile < total) continue
        const at = (unit + j) * paddedInputs * 4
        largest = max(largest, optimise(
          pointer(op, WEIGHTS) + at, pointer(op, WEIGHT_MEAN) + at, pointer(op, WEIGHT_SPREAD) + at,
          gradient, field(op, K), min(8, units - j), sh, field(plan, STEPS), field(plan, LR20)
        ))
      }
    }
  }
  return largest
}
