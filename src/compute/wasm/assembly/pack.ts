/** Reordering between products: everything a product reads is contiguous in the order it reads it. */
/** Transposes 8 rows of 8 i16 lanes and stores `rows` of the result, `stride` bytes apart. */
// @ts-ignore: decorator
@inline
export function storeTransposed8 (
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

/**
 * u8 [B, channels * P] to tensor 0, the seven-bit inputs with noise, where P = 1: i16 [channels][row].
 * Reads up to 7 bytes past the last record.
 */
function loadVectors (raw: usize, noise: usize, out: usize, batch: i32, row: i32, features: i32, mask: v128, offset: v128): void {
  const zero = i32x4.splat(0)
  const stride = <usize>row * 2
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
        out + (<usize>k * row + n) * 2, stride, min(8, features - k)
      )
    }
  }
}

/** The same for P > 1: the positions of a channel are neighbours in the record as in the tensor. */
function loadPlanes (raw: usize, noise: usize, out: usize, batch: i32, row: i32, channels: i32, positions: i32, mask: v128, offset: v128): void {
  for (let c = 0; c < channels; c++) {
    for (let n = 0; n < batch; n++) {
      const at = <usize>(n * channels + c) * positions
      const to = out + (<usize>c * row + n * positions) * 2
      // What runs over goes into the next sample or row, which comes next.
      for (let p = 0; p < positions; p += 8) v128.store(to + p * 2, noisy8(raw + at + p, noise + at + p, mask, offset))
    }
  }
}

export function loadInputs (raw: usize, noise: usize, out: usize, batch: i32, row: i32, channels: i32, positions: i32, amplitude: i32): void {
  const mask = i8x16.splat(<i8>max(0, 2 * amplitude - 1))
  const offset = i8x16.splat(<i8>amplitude)
  if (positions === 1) loadVectors(raw, noise, out, batch, row, channels, mask, offset)
  else loadPlanes(raw, noise, out, batch, row, channels, positions, mask, offset)
}

/** i16 [channels][row] of `batch` samples to a dense layer's inputs, i16 [channels * P][columns]. */
export function flatten (from: usize, row: i32, to: usize, columns: i32, channels: i32, positions: i32, batch: i32): void {
  const stride = <usize>columns * 2
  const step = <usize>positions * 2
  for (let c = 0; c < channels; c++) {
    for (let n = 0; n < batch; n += 8) {
      // Samples past the last one are read from what lies there: they pad.
      const plane = from + (<usize>c * row + n * positions) * 2
      for (let p = 0; p < positions; p += 8) {
        const at = plane + p * 2
        storeTransposed8(
          v128.load(at), v128.load(at + step), v128.load(at + step * 2), v128.load(at + step * 3),
          v128.load(at + step * 4), v128.load(at + step * 5), v128.load(at + step * 6), v128.load(at + step * 7),
          to + (<usize>(c * positions + p) * columns + n) * 2, stride, min(8, positions - p)
        )
      }
    }
  }
}

/** i32 [channels * P][columns] back to i32 [channels][row]. */
export function unflatten (from: usize, columns: i32, to: usize, row: i32, channels: i32, positions: i32, batch: i32): void {
  for (let c = 0; c < channels; c++) {
    for (let n = 0; n < batch; n++) {
      let at = from + (<usize>(c * positions) * columns + n) * 4
      const out = to + (<usize>c * row + n * positions) * 4
      for (let p = 0; p < positions; p++) {
        store<i32>(out + p * 4, load<i32>(at))
        at += <usize>columns * 4
      }
    }
  }
}

/** i16 [rows][columns], rows `row` elements apart, to [columns/8][rows/2][8 columns][2 rows]; `rows` is even. */
export function packSamples (from: usize, row: i32, to: usize, rows: i32, columns: i32): void {
  const stride = <usize>row * 2
  for (let n: usize = 0; n < <usize>columns * 2; n += 16) {
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

/** i16 [units][columns], rows `row` elements apart, to [units/8][columns/2][8 units][2 columns]; `units` is a multiple of 8. */
export function packUnits (from: usize, row: i32, to: usize, units: i32, columns: i32): void {
  const stride = <usize>row * 2
  for (let j = 0; j < units; j += 8) {
    for (let n: usize = 0; n < <usize>columns * 2; n += 16) {
      const at = from + n
      storeTransposed4(v128.load(at), v128.load(at + stride), v128.load(at + stride * 2), v128.load(at + stride * 3), to)
      const more = at + stride * 4
      storeTransposed4(v128.load(more), v128.load(more + stride), v128.load(more + stride * 2), v128.load(more + stride * 3), to + 16)
      to += 128
    }
    from += stride * 8
  }
}
