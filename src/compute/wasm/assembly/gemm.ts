/**
 * The three products of a step, each a tile of 4 rows x 8 lanes: i16 pairs, multiplied and added by
 * i32x4.dot_i16x8_s. Operands are int8 values (inputs -32..127): a pair's sum is at most 2 * 127^2,
 * and a sum over K <= 4096 or B <= 256 terms is below 2^27.
 */
import { clamp127, clamp4, roundNearest, roundNearest4, roundStochastic4 } from './arithmetic'

// @ts-ignore: decorator
@inline
function multiplyAdd (sum: v128, row: v128, lanes: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(row, lanes))
}

/** acc + bias, in the lanes that hold samples. */
// @ts-ignore: decorator
@inline
function biased (acc: v128, bias: i32, mask: v128): v128 {
  return v128.and(i32x4.add(acc, i32x4.splat(bias)), mask)
}

/** y = clamp(RN(max(acc, 0), shift), 127) of eight samples. */
// @ts-ignore: decorator
@inline
function storeActivation (out: usize, low: v128, high: v128, shift: i32): void {
  const limit = i32x4.splat(127)
  v128.store(out, i16x8.narrow_i32x4_s(
    clamp4(roundNearest4(low, shift), limit),
    clamp4(roundNearest4(high, shift), limit)
  ))
}

/**
 * Steps 2 and 3 of one layer. `hidden`: y goes to `out` as i16 [N][B] and the largest max(acc, 0) is
 * returned; otherwise the accumulators go there as i32 [N][B].
 */
export function forward (
  weightPanels: usize, samplePanels: usize, biases: usize, out: usize, batchMask: usize,
  outputs: i32, paddedInputs: i32, paddedBatch: i32, biasShift: i32, hidden: bool, shift: i32
): i32 {
  const pairs = paddedInputs >> 1
  const stride = <usize>paddedBatch * (hidden ? 2 : 4)
  const zero = i32x4.splat(0)
  let stat = zero
  for (let j = 0; j < outputs; j += 4) {
    const panel = weightPanels + (<usize>(j >> 3) * pairs) * 32 + (j & 4) * 4
    const rows = outputs - j
    for (let n = 0; n < paddedBatch; n += 8) {
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
      const mask = v128.load(batchMask + n * 2)
      const m0 = i32x4.extend_low_i16x8_s(mask)
      const m1 = i32x4.extend_high_i16x8_s(mask)
      for (let r = 0; r < 4; r++) {
        if (r >= rows) break
        const bias = roundNearest(load<i32>(biases + (j + r) * 4), biasShift)
        let low = biased(r === 0 ? c00 : r === 1 ? c10 : r === 2 ? c20 : c30, bias, m0)
        let high = biased(r === 0 ? c01 : r === 1 ? c11 : r === 2 ? c21 : c31, bias, m1)
        const row = out + <usize>(j + r) * stride
        if (hidden) {
          low = i32x4.max_s(low, zero)
          high = i32x4.max_s(high, zero)
          stat = i32x4.max_s(stat, i32x4.max_s(low, high))
          storeActivation(row + n * 2, low, high, shift)
        } else {
          v128.store(row + n * 4, low)
          v128.store(row + n * 4, high, 16)
        }
      }
    }
  }
  return max(
    max(i32x4.extract_lane(stat, 0), i32x4.extract_lane(stat, 1)),
    max(i32x4.extract_lane(stat, 2), i32x4.extract_lane(stat, 3))
  )
}

/**
 * Rounds eight error sums with eight words and adds the error noise of eight bytes:
 * clamp(clamp(SR(D, shift), 127) + noise, 127), 0 where there is no sample.
 */
// @ts-ignore: decorator
@inline
export function storeError (out: usize, low: v128, high: v128, words: usize, bytes: usize, mask: v128, shift: i32): void {
  const s = min(shift, 31)
  const fraction = i32x4.splat(s > 0 ? <i32>(<u32>0xffffffff >> (32 - s)) : 0)
  const limit = i32x4.splat(127)
  const e = i16x8.narrow_i32x4_s(
    clamp4(roundStochastic4(low, s, fraction, v128.load(words)), limit),
    clamp4(roundStochastic4(high, s, fraction, v128.load(words, 16)), limit)
  )
  const byte = v128.load64_zero(bytes)
  // Comparisons give -1: one below 85 is -1, one above 170 is +1.
  const noise = i8x16.sub(i8x16.lt_u(byte, i8x16.splat(85)), i8x16.gt_u(byte, i8x16.splat(<i8>170)))
  v128.store(out, v128.and(clamp127(i16x8.add(e, i16x8.extend_low_i8x16_s(noise))), mask))
}

/**
 * Step 5: the error of the layer's inputs, i16 [K][B], from the error of its outputs in sample
 * panels. Returns max|D| as u32.
 */
export function backward (
  weightPanels: usize, samplePanels: usize, activations: usize, out: usize, batchMask: usize,
  words: usize, bytes: usize,
  inputs: i32, paddedInputs: i32, paddedOutputs: i32, batch: i32, paddedBatch: i32, shift: i32
): u32 {
  const zero = i32x4.splat(0)
  const panelStride = <usize>paddedInputs * 16
  const stride = <usize>paddedBatch * 2
  let stat = zero
  for (let k = 0; k < inputs; k += 4) {
    const rows = inputs - k
    for (let n = 0; n < paddedBatch; n += 8) {
      let a = weightPanels + <usize>k * 16
      let b = samplePanels + <usize>n * (paddedOutputs >> 1) * 4
      let c00 = zero; let c01 = zero; let c10 = zero; let c11 = zero
      let c20 = zero; let c21 = zero; let c30 = zero; let c31 = zero
      for (let p = 0; p < paddedOutputs; p += 8) {
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
      const samples = v128.load(batchMask + n * 2)
      for (let r = 0; r < 4; r++) {
        if (r >= rows) break
        const row = <usize>(k + r)
        const alive = i16x8.gt_s(v128.load(activations + row * stride + n * 2), zero)
        const low = v128.and(r === 0 ? c00 : r === 1 ? c10 : r === 2 ? c20 : c30, i32x4.extend_low_i16x8_s(alive))
        const high = v128.and(r === 0 ? c01 : r === 1 ? c11 : r === 2 ? c21 : c31, i32x4.extend_high_i16x8_s(alive))
        stat = i32x4.max_u(stat, i32x4.max_u(i32x4.abs(low), i32x4.abs(high)))
        const element = row * batch + n
        storeError(out + row * stride + n * 2, low, high, words + element * 4, bytes + element, samples, shift)
      }
    }
  }
  return max(
    max(<u32>i32x4.extract_lane(stat, 0), <u32>i32x4.extract_lane(stat, 1)),
    max(<u32>i32x4.extract_lane(stat, 2), <u32>i32x4.extract_lane(stat, 3))
  )
}

/** Step 6 for eight units: G of one panel, i32 [K][8], from the inputs i16 [K][B] and their error. */
export function gradientPanel (activations: usize, unitPanel: usize, out: usize, paddedInputs: i32, paddedBatch: i32): void {
  const zero = i32x4.splat(0)
  const stride = <usize>paddedBatch * 2
  for (let k = 0; k < paddedInputs; k += 4) {
    const a0 = activations + <usize>k * stride
    const a1 = a0 + stride
    const a2 = a1 + stride
    const a3 = a2 + stride
    let b = unitPanel
    let c00 = zero; let c01 = zero; let c10 = zero; let c11 = zero
    let c20 = zero; let c21 = zero; let c30 = zero; let c31 = zero
    for (let n: usize = 0; n < stride; n += 4) {
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

/** Gb = sum over the samples, i32 [N], from i16 [N][B]. */
export function biasGradient (errors: usize, out: usize, paddedOutputs: i32, paddedBatch: i32): void {
  const ones = i16x8.splat(1)
  const stride = <usize>paddedBatch * 2
  for (let j = 0; j < paddedOutputs; j++) {
    let sum = i32x4.splat(0)
    for (let n: usize = 0; n < stride; n += 16) sum = multiplyAdd(sum, v128.load(errors + n), ones)
    store<i32>(out, i32x4.extract_lane(sum, 0) + i32x4.extract_lane(sum, 1) + i32x4.extract_lane(sum, 2) + i32x4.extract_lane(sum, 3))
    errors += stride
    out += 4
  }
}
