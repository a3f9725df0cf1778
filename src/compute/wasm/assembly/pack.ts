/** Reordering between products: everything a product reads is contiguous in the order it reads it. */
import { clamp127 } from './arithmetic'

/** Transposes 8 rows of 8 i16 lanes and stores `rows` of the result, `stride` bytes apart. */
// @ts-ignore: decorator
@inline
function storeTransposed8 (
  a0: v128, a1: v128, a2: v128, a3: v128, a4: v128, a5: v128, a6: v128, a7: v128,
  out: usize, stride: usize, rows: i32
): void {
  const b0 = v128.shuffle<u16>(a0, a1, 0, 8, 1, 9, 2, 10, 3, 11)
  const b1 = v128.shuffle<u16>(a0, a1, 4, 12, 5, 13, 6, 14, 7, 15)
  const b2 = v128.shuffle<u16>(a2, a3, 0, 8, 1, 9, 2, 10, 3, 11)
  const b3 = v128.shuffle<u16>(a2, a3, 4, 12, 5, 13, 6, 14, 7, 15)
  const b4 = v128.shuffle<u16>(a4, a5, 0, 8, 1, 9, 2, 10, 3, 11)
  const b5 = v128.shuffle<u16>(a4, a5, 4, 12, 5, 13, 6, 14, 7, 15)
  const b6 = v128.shuffle<u16>(a6, a7, 0, 8, 1, 9, 2, 10, 3, 11)
  const b7 = v128.shuffle<u16>(a6, a7, 4, 12, 5, 13, 6, 14, 7, 15)
  const c0 = v128.shuffle<u32>(b0, b2, 0, 4, 1, 5)
  const c1 = v128.shuffle<u32>(b0, b2, 2, 6, 3, 7)
  const c2 = v128.shuffle<u32>(b1, b3, 0, 4, 1, 5)
  const c3 = v128.shuffle<u32>(b1, b3, 2, 6, 3, 7)
  const c4 = v128.shuffle<u32>(b4, b6, 0, 4, 1, 5)
  const c5 = v128.shuffle<u32>(b4, b6, 2, 6, 3, 7)
  const c6 = v128.shuffle<u32>(b5, b7, 0, 4, 1, 5)
  const c7 = v128.shuffle<u32>(b5, b7, 2, 6, 3, 7)
  v128.store(out, v128.shuffle<u64>(c0, c4, 0, 2))
  if (rows > 1) v128.store(out + stride, v128.shuffle<u64>(c0, c4, 1, 3))
  if (rows > 2) v128.store(out + stride * 2, v128.shuffle<u64>(c1, c5, 0, 2))
  if (rows > 3) v128.store(out + stride * 3, v128.shuffle<u64>(c1, c5, 1, 3))
  if (rows > 4) v128.store(out + stride * 4, v128.shuffle<u64>(c2, c6, 0, 2))
  if (rows > 5) v128.store(out + stride * 5, v128.shuffle<u64>(c2, c6, 1, 3))
  if (rows > 6) v128.store(out + stride * 6, v128.shuffle<u64>(c3, c7, 0, 2))
  if (rows > 7) v128.store(out + stride * 7, v128.shuffle<u64>(c3, c7, 1, 3))
}

/** Eight features of one sample: clamp((u8 >> 1) + (byte & mask) - amplitude, 127) as i16. */
// @ts-ignore: decorator
@inline
function noisy8 (raw: usize, noise: usize, mask: v128, amplitude: v128): v128 {
  const x = i8x16.shr_u(v128.load64_zero(raw), 1)
  const n = i8x16.sub(v128.and(v128.load64_zero(noise), mask), amplitude)
  // A saturating sum of 0..127 and -128..127 stops at 127, which is the clamp.
  return i16x8.extend_low_i8x16_s(i8x16.add_sat_s(x, n))
}

/** u8 [B, K] to the seven-bit inputs with noise, i16 [K][paddedBatch]. Reads up to 7 bytes past the last row. */
export function loadInputs (raw: usize, noise: usize, out: usize, batch: i32, paddedBatch: i32, features: i32, amplitude: i32): void {
  const mask = i8x16.splat(<i8>max(0, 2 * amplitude - 1))
  const offset = i8x16.splat(<i8>amplitude)
  const zero = i32x4.splat(0)
  const stride = <usize>paddedBatch * 2
  for (let n = 0; n < batch; n += 8) {
    const samples = batch - n
    for (let k = 0; k < features; k += 8) {
      const at = <usize>(n * features + k)
      const r = raw + at
      const z = noise + at
      storeTransposed8(
        noisy8(r, z, mask, offset),
        samples > 1 ? noisy8(r + features, z + features, mask, offset) : zero,
        samples > 2 ? noisy8(r + features * 2, z + features * 2, mask, offset) : zero,
        samples > 3 ? noisy8(r + features * 3, z + features * 3, mask, offset) : zero,
        samples > 4 ? noisy8(r + features * 4, z + features * 4, mask, offset) : zero,
        samples > 5 ? noisy8(r + features * 5, z + features * 5, mask, offset) : zero,
        samples > 6 ? noisy8(r + features * 6, z + features * 6, mask, offset) : zero,
        samples > 7 ? noisy8(r + features * 7, z + features * 7, mask, offset) : zero,
        out + (<usize>k * paddedBatch + n) * 2, stride, min(8, features - k)
      )
    }
  }
}

/** i16 [rows][B] to [B/8][rows/2][8 samples][2 rows]; `rows` is even. */
export function packSamples (from: usize, to: usize, rows: i32, paddedBatch: i32): void {
  const stride = <usize>paddedBatch * 2
  for (let n: usize = 0; n < stride; n += 16) {
    let at = from + n
    for (let k = 0; k < rows; k += 2) {
      const a = v128.load(at)
      const b = v128.load(at + stride)
      v128.store(to, v128.shuffle<u16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11))
      v128.store(to, v128.shuffle<u16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15), 16)
      at += stride * 2
      to += 32
    }
  }
}

/** Rows r0..r3 of four i32 lanes: stores column i at out + 32 * i. */
// @ts-ignore: decorator
@inline
function storeTransposed4 (r0: v128, r1: v128, r2: v128, r3: v128, out: usize): void {
  const a = v128.shuffle<u32>(r0, r1, 0, 4, 1, 5)
  const b = v128.shuffle<u32>(r2, r3, 0, 4, 1, 5)
  const c = v128.shuffle<u32>(r0, r1, 2, 6, 3, 7)
  const d = v128.shuffle<u32>(r2, r3, 2, 6, 3, 7)
  v128.store(out, v128.shuffle<u64>(a, b, 0, 2))
  v128.store(out, v128.shuffle<u64>(a, b, 1, 3), 32)
  v128.store(out, v128.shuffle<u64>(c, d, 0, 2), 64)
  v128.store(out, v128.shuffle<u64>(c, d, 1, 3), 96)
}

/** i16 [units][B] to [units/8][B/2][8 units][2 samples]; `units` is a multiple of 8. */
export function packUnits (from: usize, to: usize, units: i32, paddedBatch: i32): void {
  const stride = <usize>paddedBatch * 2
  for (let j = 0; j < units; j += 8) {
    for (let n: usize = 0; n < stride; n += 16) {
      const at = from + n
      storeTransposed4(v128.load(at), v128.load(at + stride), v128.load(at + stride * 2), v128.load(at + stride * 3), to)
      const more = at + stride * 4
      storeTransposed4(v128.load(more), v128.load(more + stride), v128.load(more + stride * 2), v128.load(more + stride * 3), to + 16)
      to += 128
    }
    from += stride * 8
  }
}

/** RN(W, s) of four lanes: |W| <= 2^30, so adding half a unit does not overflow. */
// @ts-ignore: decorator
@inline
function quantise4 (at: usize, half: v128, s: i32): v128 {
  return i32x4.shr_s(i32x4.add(v128.load(at), half), s)
}

/**
 * Step 1: w = clamp(RN(W, s), 127) from i32 [N/8][K][8] to the forward panels and, unless 0, the
 * backward panels. `rows` = N/8 * K, even within every panel.
 */
export function quantise (weights: usize, forward: usize, backward: usize, rows: i32, s: i32): void {
  const half = i32x4.splat(s > 0 ? 1 << (s - 1) : 0)
  const lower = i32x4.splat(0xffff)
  for (let i = 0; i < rows; i += 2) {
    const a0 = quantise4(weights, half, s)
    const a1 = quantise4(weights + 16, half, s)
    const b0 = quantise4(weights + 32, half, s)
    const b1 = quantise4(weights + 48, half, s)
    // |RN(W, s)| <= 128: two of them share a lane, and the clamp works on both halves.
    v128.store(forward, clamp127(v128.or(v128.and(a0, lower), i32x4.shl(b0, 16))))
    v128.store(forward, clamp127(v128.or(v128.and(a1, lower), i32x4.shl(b1, 16))), 16)
    forward += 32
    if (backward !== 0) {
      v128.store(backward, clamp127(i16x8.narrow_i32x4_s(a0, a1)))
      v128.store(backward, clamp127(i16x8.narrow_i32x4_s(b0, b1)), 16)
      backward += 32
    }
    weights += 64
  }
}

/** Canonical [N][K] to [N/8][K][8]. Returns max|W|. */
export function scatterWeights (canonical: usize, panels: usize, outputs: i32, inputs: i32, paddedInputs: i32): i32 {
  let largest = 0
  for (let j = 0; j < outputs; j++) {
    let at = panels + ((<usize>(j >> 3) * paddedInputs) * 8 + (j & 7)) * 4
    for (let k = 0; k < inputs; k++) {
      const value = load<i32>(canonical)
      largest = max(largest, abs(value))
      store<i32>(at, value)
      canonical += 4
      at += 32
    }
  }
  return largest
}

export function gatherWeights (panels: usize, canonical: usize, outputs: i32, inputs: i32, paddedInputs: i32): void {
  for (let j = 0; j < outputs; j++) {
    let at = panels + ((<usize>(j >> 3) * paddedInputs) * 8 + (j & 7)) * 4
    for (let k = 0; k < inputs; k++) {
      store<i32>(canonical, load<i32>(at))
      canonical += 4
      at += 32
    }
  }
}
