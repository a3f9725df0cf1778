/** The scalar operations of docs/exact.md, section 1, and their four-lane forms. */

// @ts-ignore: decorator
@inline
export function bitlen (m: i32): i32 {
  return 32 - clz(m)
}

/** RN(x, s): nearest, ties up; a left shift for s <= 0. */
export function roundNearest (x: i32, s: i32): i32 {
  if (s <= 0) return x << min(31, -s)
  const shift = min(s, 31)
  return (x >> shift) + ((x >> (shift - 1)) & 1)
}

/** RN of four lanes. The branch is the same for a whole tensor. */
// @ts-ignore: decorator
@inline
export function roundNearest4 (x: v128, s: i32): v128 {
  if (s <= 0) return i32x4.shl(x, min(31, -s))
  const shift = min(s, 31)
  return i32x4.add(i32x4.shr_s(x, shift), v128.and(i32x4.shr_s(x, shift - 1), i32x4.splat(1)))
}

/** DR of four lanes; `odd` = 2r + 1 of each. Fits: reference/integer.ts. */
// @ts-ignore: decorator
@inline
export function roundDithered4 (x: v128, s: i32, odd: v128): v128 {
  if (s <= 0) return i32x4.shl(x, min(31, -s))
  const shift = min(s, 31)
  const fraction = v128.and(x, i32x4.splat(<i32>(<u32>0xffffffff >> (32 - shift))))
  const dither = shift >= 9 ? i32x4.shl(odd, shift - 9) : i32x4.shr_u(odd, 9 - shift)
  return i32x4.add(i32x4.shr_s(x, shift), i32x4.shr_u(i32x4.add(fraction, dither), shift))
}

// @ts-ignore: decorator
@inline
export function clamp4 (x: v128, m: v128): v128 {
  return i32x4.max_s(i32x4.min_s(x, m), i32x4.neg(m))
}

/** Eight i16 lanes limited to +-127. */
// @ts-ignore: decorator
@inline
export function clamp127 (x: v128): v128 {
  return i16x8.max_s(i16x8.min_s(x, i16x8.splat(127)), i16x8.splat(-127))
}

/** The first `count` of eight i16 lanes. */
// @ts-ignore: decorator
@inline
export function firstLanes (count: i32): v128 {
  return i16x8.lt_s(i16x8(0, 1, 2, 3, 4, 5, 6, 7), i16x8.splat(<i16>min(count, 8)))
}

/** The largest of four u32 lanes. */
// @ts-ignore: decorator
@inline
export function largestLane (x: v128): u32 {
  return max(
    max(<u32>i32x4.extract_lane(x, 0), <u32>i32x4.extract_lane(x, 1)),
    max(<u32>i32x4.extract_lane(x, 2), <u32>i32x4.extract_lane(x, 3))
  )
}
