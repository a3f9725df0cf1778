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
