/**
 * From sums to int8 values, eight neighbours of a row at a time: how every operation ends
 * (docs/exact.md, 4.4 and 4.5). `low` and `high` are i32 lanes, `mask` has -1 in the i16 lanes that
 * hold elements and 0 in those that pad.
 */
import { clamp127, largestLane, roundDithered4, roundNearest4, firstLanes } from './arithmetic'

/** Eight noise bytes, moved by the low bytes of eight sums. */
// @ts-ignore: decorator
@inline
function movedBytes (bytes: usize, low: v128, high: v128): v128 {
  const sums = v128.shuffle<u8>(low, high, 0, 4, 8, 12, 16, 20, 24, 28, 0, 4, 8, 12, 16, 20, 24, 28)
  return i8x16.add(v128.load64_zero(bytes), sums)
}

/** T of eight bytes as i16. Comparisons give -1: one below 85 is -1, one above 170 is +1. */
// @ts-ignore: decorator
@inline
function ternary (byte: v128): v128 {
  return i16x8.extend_low_i8x16_s(i8x16.sub(i8x16.lt_u(byte, i8x16.splat(85)), i8x16.gt_u(byte, i8x16.splat(<i8>170))))
}

/**
 * y = clamp(clamp(RN(seen, shift), 127) + T, 127) to i16 `out`, T only with noise `bytes`; the
 * bits of what is alive to `alive` unless 0. Returns |seen| of the lanes, u32, the larger of both
 * halves. The i16 narrowing saturates, so that the clamp can wait for it.
 */
// @ts-ignore: decorator
@inline
export function storeActivation (out: usize, alive: usize, bytes: usize, low: v128, high: v128, mask: v128, relu: bool, shift: i32): v128 {
  const zero = i32x4.splat(0)
  let seenLow = v128.and(low, i32x4.extend_low_i16x8_s(mask))
  let seenHigh = v128.and(high, i32x4.extend_high_i16x8_s(mask))
  if (relu) {
    seenLow = i32x4.max_s(seenLow, zero)
    seenHigh = i32x4.max_s(seenHigh, zero)
  }
  let y = clamp127(i16x8.narrow_i32x4_s(roundNearest4(seenLow, shift), roundNearest4(seenHigh, shift)))
  if (alive !== 0) store<u8>(alive, i16x8.bitmask(i16x8.gt_s(y, zero)))
  if (bytes !== 0) y = clamp127(i16x8.add(y, ternary(movedBytes(bytes, low, high))))
  v128.store(out, y)
  return i32x4.max_u(i32x4.abs(seenLow), i32x4.abs(seenHigh))
}

/** -1 in the i16 lanes whose bit is set in the byte at `alive`; everywhere if `alive` is 0. */
// @ts-ignore: decorator
@inline
function aliveLanes (alive: usize): v128 {
  if (alive === 0) return i32x4.splat(-1)
  const bits = i16x8(1, 2, 4, 8, 16, 32, 64, 128)
  return i16x8.eq(v128.and(i16x8.splat(load<u8>(alive)), bits), bits)
}

/**
 * E = clamp(clamp(DR(D, shift, 255 - r), 127) + T(r), 127), 0 where no element is, to i16 `out`:
 * r from the noise `bytes` and the trace. Returns |D| of the lanes that are alive, u32.
 */
// @ts-ignore: decorator
@inline
export function storeError (
  out: usize, alive: usize, bytes: usize, low: v128, high: v128, traceLow: v128, traceHigh: v128, mask: v128, shift: i32
): v128 {
  const live = v128.and(mask, aliveLanes(alive))
  const d0 = v128.and(low, i32x4.extend_low_i16x8_s(live))
  const d1 = v128.and(high, i32x4.extend_high_i16x8_s(live))
  const r = movedBytes(bytes, traceLow, traceHigh)
  // 2 (255 - r) + 1 is 1..511.
  const odd = i16x8.sub(i16x8.splat(511), i16x8.shl(i16x8.extend_low_i8x16_u(r), 1))
  const e = clamp127(i16x8.narrow_i32x4_s(
    roundDithered4(d0, shift, i32x4.extend_low_i16x8_u(odd)),
    roundDithered4(d1, shift, i32x4.extend_high_i16x8_u(odd))
  ))
  v128.store(out, v128.and(clamp127(i16x8.add(e, ternary(r))), mask))
  return i32x4.max_u(i32x4.abs(d0), i32x4.abs(d1))
}

/**
 * Rows of error sums and their trace, i32 [rows][row], to errors i16 [rows][row]. `bytes` is the
 * noise of the first element, of which every row has `count`. Returns max|D|.
 */
export function roundErrors (
  sums: usize, trace: usize, out: usize, alive: usize, bytes: usize, rows: i32, row: i32, count: i32, shift: i32
): u32 {
  let stat = i32x4.splat(0)
  for (let r = 0; r < rows; r++) {
    for (let s = 0; s < count; s += 8) {
      const at = <usize>s * 4
      stat = i32x4.max_u(stat, storeError(
        out + s * 2, alive === 0 ? 0 : alive + (s >> 3), bytes + s,
        v128.load(sums + at), v128.load(sums + at, 16), v128.load(trace + at), v128.load(trace + at, 16),
        firstLanes(count - s), shift
      ))
    }
    sums += <usize>row * 4
    trace += <usize>row * 4
    out += <usize>row * 2
    if (alive !== 0) alive += row >> 3
    bytes += count
  }
  return largestLane(stat)
}
