/** The scalar operations of EXACT 5, in two's complement modulo 2^32. */

/** Bits needed for the magnitude m, read as u32: 0 for 0. */
export const bitlen = (m: number): number => 32 - Math.clz32(m)

/** x limited to [-m, m]. */
export const clamp = (x: number, m: number): number => x > m ? m : x < -m ? -m : x

/** x / 2^s rounded to nearest, ties toward +infinity; a left shift for s <= 0. */
export function roundNearest (x: number, s: number): number {
  if (s <= 0) return x << Math.min(31, -s)
  const shift = Math.min(s, 31)
  return ((x >> shift) + ((x >> (shift - 1)) & 1)) | 0
}

/** x / 2^s rounded up with the chance of its fraction, `random` being a uniform 32-bit word. */
export function roundStochastic (x: number, s: number, random: number): number {
  if (s <= 0) return x << Math.min(31, -s)
  const shift = Math.min(s, 31)
  const mask = shift === 31 ? 0x7fffffff : (1 << shift) - 1
  // Both terms are at most 2^31 - 1: the sum fits u32.
  return ((x >> shift) + (((x & mask) + (random & mask)) >>> shift)) | 0
}

/**
 * x / 2^s rounded up with the chance of its fraction to 1/256: `byte` uniform, its values standing
 * for the middles of 256 equal parts, so that the mean is off by less than 1/512.
 */
export function roundDithered (x: number, s: number, byte: number): number {
  if (s <= 0) return x << Math.min(31, -s)
  const shift = Math.min(s, 31)
  const mask = shift === 31 ? 0x7fffffff : (1 << shift) - 1
  // 511 * 2^(s - 9) < 2^s: the sum fits u32.
  const dither = shift >= 9 ? (2 * byte + 1) << (shift - 9) : (2 * byte + 1) >> (9 - shift)
  return ((x >> shift) + (((x & mask) + dither) >>> shift)) | 0
}
