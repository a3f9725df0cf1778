/** EXACT 5's scalar operations and their four-lane forms. */

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

/** SR of four lanes with four random words; `mask` = 2^s - 1, s at most 31. Fits: reference/integer.ts. */
// @ts-ignore: decorator
@inline
export function roundStochastic4 (x: v128, s: i32, mask: v128, random: v128): v128 {
  if (s <= 0) return i32x4.shl(x, min(31, -s))
  return i32x4.add(i32x4.shr_s(x, s), i32x4.shr_u(i32x4.add(v128.and(x, mask), v128.and(random, mask)), s))
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
