/**
 * The three products of dense layers and convolutions, each a tile of 4 rows x 8 lanes: i16 pairs,
 * multiplied and added by i32x4.dot_i16x8_s. A column is a sample, or a position of one. Operands
 * are at most 127 in magnitude: a pair's sum is at most 2 * 127^2, a sum over K <= 4096 inputs or
 * N <= 4096 units is below 2^26, and one over 131,072 columns, a gradient, below 2^31.
 */
import { firstLanes, largestLane, roundNearest } from './arithmetic'
import { storeActivation, storeError } from './rounding'

// @ts-ignore: decorator
@inline
function multiplyAdd (sum: v128, row: v128, lanes: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(row, lanes))
}

// @ts-ignore: decorator
@inline
function biasOf (biases: usize, j: i32, shift: i32): v128 {
  return i32x4.splat(roundNearest(load<i32>(biases + j * 4), shift))
}

/** Eight columns of one unit, element `at` of `out` on: see `forward`. */
// @ts-ignore: decorator
@inline
function endUnit (
  low: v128, high: v128, bias: v128, out: usize, at: usize, raw: bool, alive: usize, bytes: usize, mask: v128, relu: bool, shift: i32
): v128 {
  const sumLow = i32x4.add(low, bias)
  const sumHigh = i32x4.add(high, bias)
  if (!raw) return storeActivation(out + at * 2, alive === 0 ? 0 : alive + (at >> 3), bytes, sumLow, sumHigh, mask, relu, shift)
  v128.store(out + at * 4, sumLow)
  v128.store(out + at * 4, sumHigh, 16)
  return i32x4.splat(0)
}

/**
 * acc of `units` units in `count` columns, from weight panels that are `inputs` * 32 / 2 bytes
 * apart and sample panels of `pairs` pairs of inputs. `raw`: acc goes to `out` as i32; otherwise y
 * does as i16. Rows of `out` are `row` elements apart, and of the noise `noiseRow`. Returns max|seen|.
 */
export function forward (
  weightPanels: usize, panelStride: usize, samplePanels: usize, pairs: i32, biases: usize, biasShift: i32,
  units: i32, count: i32, out: usize, row: i32, raw: bool,
  alive: usize, noise: usize, noiseRow: i32, relu: bool, shift: i32
): u32 {
  const zero = i32x4.splat(0)
  let stat = zero
  for (let j = 0; j < units; j += 4) {
    const panel = weightPanels + <usize>(j >> 3) * panelStride + (j & 4) * 4
    const rows = units - j
    const first = <usize>j * row
    const bias0 = biasOf(biases, j, biasShift)
    const bias1 = biasOf(biases, j + 1, biasShift)
    const bias2 = biasOf(biases, j + 2, biasShift)
    const bias3 = biasOf(biases, j + 3, biasShift)
    for (let n = 0; n < count; n += 8) {
      let a = panel
      let b = samplePanels + <usize>n * pairs * 4
      let c00 = zero; let c01 = zero; let c10 = zero; let c11 = zero
      let c20 = zero; let c21 = zero; let c30 = zero; let c31 = zero
      for (let i = 0; i < pairs; i++) {
        const b0 = v128.load(b)
        const b1 = v128.load(b, 16)
        const r0 = v128.load32_splat(a)
        c00 = multiplyAdd(c00, r0, b0)
        c01 = multiplyAdd(c01, r0, b1)
        const r1 = v128.load32_splat(a, 4)
        c10 = multiplyAdd(c10, r1, b0)
        c11 = multiplyAdd(c11, r1, b1)
        const r2 = v128.load32_splat(a, 8)
        c20 = multiplyAdd(c20, r2, b0)
        c21 = multiplyAdd(c21, r2, b1)
        const r3 = v128.load32_splat(a, 12)
        c30 = multiplyAdd(c30, r3, b0)
        c31 = multiplyAdd(c31, r3, b1)
        a += 32
        b += 32
      }
      const mask = firstLanes(count - n)
      const at = first + n
      const bytes: usize = noise === 0 ? 0 : noise + <usize>j * noiseRow + n
      stat = i32x4.max_u(stat, endUnit(c00, c01, bias0, out, at, raw, alive, bytes, mask, relu, shift))
      if (rows > 1) stat = i32x4.max_u(stat, endUnit(c10, c11, bias1, out, at + row, raw, alive, bytes === 0 ? 0 : bytes + noiseRow, mask, relu, shift))
      if (rows > 2) stat = i32x4.max_u(stat, endUnit(c20, c21, bias2, out, at + row * 2, raw, alive, bytes === 0 ? 0 : bytes + noiseRow * 2, mask, relu, shift))
      if (rows > 3) stat = i32x4.max_u(stat, endUnit(c30, c31, bias3, out, at + row * 3, raw, alive, bytes === 0 ? 0 : bytes + noiseRow * 3, mask, relu, shift))
    }
  }
  return largestLane(stat)
}

/** Eight columns of one input, element `at` of `out` on: see `backward`. */
// @ts-ignore: decorator
@inline
function endInput (low: v128, high: v128, out: usize, at: usize, raw: bool, alive: usize, bytes: usize, mask: v128, shift: i32): v128 {
  if (!raw) return storeError(out + at * 2, alive === 0 ? 0 : alive + (at >> 3), bytes, low, high, low, high, mask, shift)
  v128.store(out + at * 4, low)
  v128.store(out + at * 4, high, 16)
  return i32x4.splat(0)
}

/**
 * D of `inputs` inputs in `count` columns, from backward panels `panelStride` bytes apart, of which
 * there are units / 8, and the error of the units in sample panels. `raw`: D goes to `out` as i32;
 * otherwise its rounding does as i16, and `noise` is that of element 0. Returns max|D|.
 */
export function backward (
  weightPanels: usize, panelStride: usize, samplePanels: usize, units: i32,
  inputs: i32, count: i32, out: usize, row: i32, raw: bool, alive: usize, noise: usize, noiseRow: i32, shift: i32
): u32 {
  const zero = i32x4.splat(0)
  let stat = zero
  for (let k = 0; k < inputs; k += 4) {
    const rows = inputs - k
    for (let n = 0; n < count; n += 8) {
      let a = weightPanels + <usize>k * 16
      let b = samplePanels + <usize>n * (units >> 1) * 4
      let c00 = zero; let c01 = zero; let c10 = zero; let c11 = zero
      let c20 = zero; let c21 = zero; let c30 = zero; let c31 = zero
      for (let p = 0; p < units; p += 8) {
        for (let q: usize = 0; q < 16; q += 4) {
          const at = a + q
          const b0 = v128.load(b)
          const b1 = v128.load(b, 16)
          const r0 = v128.load32_splat(at)
          c00 = multiplyAdd(c00, r0, b0)
          c01 = multiplyAdd(c01, r0, b1)
          const r1 = v128.load32_splat(at, 16)
          c10 = multiplyAdd(c10, r1, b0)
          c11 = multiplyAdd(c11, r1, b1)
          const r2 = v128.load32_splat(at, 32)
          c20 = multiplyAdd(c20, r2, b0)
          c21 = multiplyAdd(c21, r2, b1)
          const r3 = v128.load32_splat(at, 48)
          c30 = multiplyAdd(c30, r3, b0)
          c31 = multiplyAdd(c31, r3, b1)
          b += 32
        }
        a += panelStride
      }
      const mask = firstLanes(count - n)
      const at = <usize>k * row + n
      const bytes = noise + <usize>k * noiseRow + n
      stat = i32x4.max_u(stat, endInput(c00, c01, out, at, raw, alive, bytes, mask, shift))
      if (rows > 1) stat = i32x4.max_u(stat, endInput(c10, c11, out, at + row, raw, alive, bytes + noiseRow, mask, shift))
      if (rows > 2) stat = i32x4.max_u(stat, endInput(c20, c21, out, at + row * 2, raw, alive, bytes + noiseRow * 2, mask, shift))
      if (rows > 3) stat = i32x4.max_u(stat, endInput(c30, c31, out, at + row * 3, raw, alive, bytes + noiseRow * 3, mask, shift))
    }
  }
  return largestLane(stat)
}

/**
 * G of eight units, i32 [K][8], from the inputs i16 [K][columns], rows `row` elements apart, and
 * the error of the units in `columns` columns; `more` adds to what is there.
 */
export function gradientPanel (inputs: usize, row: i32, unitPanel: usize, out: usize, paddedInputs: i32, columns: i32, more: bool): void {
  const zero = i32x4.splat(0)
  const stride = <usize>row * 2
  for (let k = 0; k < paddedInputs; k += 4) {
    const a0 = inputs + <usize>k * stride
    const a1 = a0 + stride
    const a2 = a1 + stride
    const a3 = a2 + stride
    let b = unitPanel
    let c00 = zero; let c01 = zero; let c10 = zero; let c11 = zero
    let c20 = zero; let c21 = zero; let c30 = zero; let c31 = zero
    for (let n: usize = 0; n < <usize>columns * 2; n += 4) {
      const b0 = v128.load(b)
      const b1 = v128.load(b, 16)
      const r0 = v128.load32_splat(a0 + n)
      c00 = multiplyAdd(c00, r0, b0)
      c01 = multiplyAdd(c01, r0, b1)
      const r1 = v128.load32_splat(a1 + n)
      c10 = multiplyAdd(c10, r1, b0)
      c11 = multiplyAdd(c11, r1, b1)
      const r2 = v128.load32_splat(a2 + n)
      c20 = multiplyAdd(c20, r2, b0)
      c21 = multiplyAdd(c21, r2, b1)
      const r3 = v128.load32_splat(a3 + n)
      c30 = multiplyAdd(c30, r3, b0)
      c31 = multiplyAdd(c31, r3, b1)
      b += 32
    }
    if (more) {
      c00 = i32x4.add(c00, v128.load(out))
      c01 = i32x4.add(c01, v128.load(out, 16))
      c10 = i32x4.add(c10, v128.load(out, 32))
      c11 = i32x4.add(c11, v128.load(out, 48))
      c20 = i32x4.add(c20, v128.load(out, 64))
      c21 = i32x4.add(c21, v128.load(out, 80))
      c30 = i32x4.add(c30, v128.load(out, 96))
      c31 = i32x4.add(c31, v128.load(out, 112))
    }
    v128.store(out, c00)
    v128.store(out, c01, 16)
    v128.store(out, c10, 32)
    v128.store(out, c11, 48)
    v128.store(out, c20, 64)
    v128.store(out, c21, 80)
    v128.store(out, c30, 96)
    v128.store(out, c31, 112)
    out += 128
  }
}

/** Gb = sum over the columns, i32 [units], from errors i16 [units][row]; below 2^24. */
export function biasGradient (errors: usize, out: usize, units: i32, row: i32): void {
  const ones = i16x8.splat(1)
  const stride = <usize>row * 2
  for (let j = 0; j < units; j++) {
    let sum = i32x4.splat(0)
    for (let n: usize = 0; n < stride; n += 16) sum = multiplyAdd(sum, v128.load(errors + n), ones)
    store<i32>(out, i32x4.extract_lane(sum, 0) + i32x4.extract_lane(sum, 1) + i32x4.extract_lane(sum, 2) + i32x4.extract_lane(sum, 3))
    errors += stride
    out += 4
  }
}
