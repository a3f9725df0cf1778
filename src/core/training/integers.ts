/**
 * The integer functions of EXACT 5 that initialisation and payloads need. All values are i32 or
 * u32 modulo 2^32 unless said otherwise.
 */

/** Bits needed for the magnitude m, 0 <= m < 2^32; 0 for 0. */
export const bitLength = (m: number): number => 32 - Math.clz32(m)

/** Murmur3's finaliser. Not for anything an attacker could gain by grinding. */
export function fmix32 (x: number): number {
  let h = x | 0
  h ^= h >>> 16
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  h ^= h >>> 16
  return h >>> 0
}

/** key(tag) of EXACT 5: a 32-bit key for (seed, step, tag). */
export function key32 (seed: number, step: number, tag: number): number {
  const inner = Math.imul(step, 0x85ebca77) + Math.imul(tag, 0xc2b2ae3d) + 0x27220a95
  return fmix32(Math.imul(seed, 0x9e3779b1) ^ fmix32(inner))
}

/** floor(sqrt(n)) for an integer 0 <= n < 2^52. Newton from above; every step is an exact integer. */
export function isqrt (n: number): number {
  if (n < 2) return n
  let x = n
  let y = Math.floor((n + 1) / 2)
  while (y < x) {
    x = y
    y = Math.floor((x + Math.floor(n / x)) / 2)
  }
  return x
}
