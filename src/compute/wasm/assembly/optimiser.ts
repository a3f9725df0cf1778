/** The update of docs/exact.md, 4.7, four parameters at a time. */
import { clamp4, largestLane } from './arithmetic'

/**
 * The update of four parameters; `offset` is what the trace is less. Returns |W|.
 *
 * The division runs in f32, exactly. With q = max(0, bitlen(v) - 15), M = clamp(m >> q, 131071) and
 * d = (v >> q) + (16 >> q), 16 <= d <= 32783, it needs u = trunc(4096 M / d):
 * - v >> q and m >> q are floor(x * 2^-q), exact if x has 24 significant bits. For q >= 7 (v >= 2^21)
 *   the low seven bits cannot matter and are cleared: 23 are left of 30. For q < 7, v < 2^22, and an
 *   m of 2^24 or more is clamped whichever way its conversion rounds: 2^24 / 2^6 > 131071.
 * - d is floor((v + 16) * 2^-q) for q <= 4 (v < 2^19), where 2^q divides 16, and v >> q beyond.
 * - Two digits to the base 64: n1 = trunc(64 M / d), r = 64 M - n1 d, n2 = trunc(64 r / d),
 *   u = 64 n1 + n2. Each numerator is below 2^24. A quotient a / d that is no integer is at least
 *   1 / d away from one, and its rounding error is at most a / d * 2^-24 < 1 / d: trunc is right.
 *   n1 d <= 64 M < 2^23 makes r exact; 64 n1 + n2 may round only above 2^24, where u is clamped.
 */
// @ts-ignore: decorator
@inline
function update4 (
  values: usize, means: usize, spreads: usize, gradients: usize, offset: v128,
  sh: i32, up: i32, down: i32, limitUp: v128, first: bool, s1: i32, s2: i32, rate: v128
): v128 {
  const one = i32x4.splat(1)
  const raw = v128.load(gradients)
  // RN(x, s) = ((x >> (s - 1)) + 1) >> 1 for s >= 1; |G| < 2^31 - 1 and, below, |x| <= 2^31 - 2.
  const g = sh <= 0
    ? i32x4.shl(clamp4(raw, limitUp), up)
    : clamp4(i32x4.shr_s(i32x4.add(i32x4.shr_s(raw, down), one), 1), i32x4.splat(0x3fffffff))
  let m: v128
  let v: v128
  if (first) {
    // Both shifts are 0 and the moments were 0.
    m = g
    v = i32x4.abs(g)
  } else {
    m = v128.load(means)
    m = i32x4.add(m, i32x4.shr_s(i32x4.add(i32x4.shr_s(i32x4.sub(g, m), s1), one), 1))
    v = v128.load(spreads)
    v = i32x4.add(v, i32x4.shr_s(i32x4.add(i32x4.shr_s(i32x4.sub(i32x4.abs(g), v), s2), one), 1))
  }
  v128.store(means, m)
  v128.store(spreads, v)

  const low = v128.and(i32x4.gt_s(v, i32x4.splat(0x1fffff)), i32x4.splat(127))
  const vf = f32x4.convert_i32x4_s(v128.andnot(v, low))
  const mf = f32x4.convert_i32x4_s(v128.andnot(m, low))
  // The power of two of max(v, 2^14) is 2^(14 + q); 268 - its exponent field is that of 2^-q.
  const power = v128.and(f32x4.pmax(vf, f32x4.splat(16384)), i32x4.splat(0x7f800000))
  const scale = i32x4.sub(i32x4.splat(0x86000000), power)
  const md = f32x4.pmax(f32x4.pmin(f32x4.floor(f32x4.mul(mf, scale)), f32x4.splat(131071)), f32x4.splat(-131071))
  const more = v128.and(i32x4.lt_s(v, i32x4.splat(0x80000)), f32x4.splat(16))
  const d = f32x4.floor(f32x4.mul(f32x4.add(vf, more), scale))
  const a = f32x4.mul(md, f32x4.splat(64))
  const n1 = f32x4.trunc(f32x4.div(a, d))
  const r = f32x4.sub(a, f32x4.mul(n1, d))
  const n2 = f32x4.trunc(f32x4.div(f32x4.mul(r, f32x4.splat(64)), d))
  const uf = f32x4.add(f32x4.mul(n1, f32x4.splat(64)), n2)
  const clamped = f32x4.pmax(f32x4.pmin(uf, f32x4.splat(32767)), f32x4.splat(-32767))
  // Adding 1.5 * 2^23 leaves the integer in the low mantissa bits.
  const u = i32x4.sub(f32x4.add(clamped, f32x4.splat(12582912)), i32x4.splat(0x4b400000))
  // |u * lr20| + 8 < 2^31.
  const change = i32x4.shr_s(i32x4.add(i32x4.mul(u, rate), i32x4.splat(8)), 4)
  const trace = i32x4.sub(v128.and(i32x4.add(i32x4.add(raw, m), v), i32x4.splat(255)), offset)
  const value = i32x4.add(clamp4(i32x4.sub(v128.load(values), change), i32x4.splat(0x40000000 - 128)), trace)
  v128.store(values, value)
  return i32x4.abs(value)
}

/**
 * Updates rows of eight parameters from their raw gradients and returns max|W| of them. Only the
 * first `lanes` of every row are parameters, the others are zero in everything and stay zero.
 * `sh` is the gradient's exponent - 22, `steps` is T after its increment.
 */
export function optimise (
  values: usize, means: usize, spreads: usize, gradients: usize, rows: i32, lanes: i32,
  sh: i32, steps: i32, lr20: i32
): i32 {
  // For sh <= 0 both rules of g are one: clamp(G, limit >> up) << up.
  const up = min(31, max(0, -sh))
  const down = min(31, sh) - 1
  const limitUp = i32x4.splat(0x3fffffff >> up)
  const warmth = 31 - clz(steps)
  const s1 = min(warmth, 3) - 1
  const s2 = min(warmth, 7) - 1
  const first = steps === 1
  const rate = i32x4.splat(lr20)
  // In the two halves of a row: nothing where there is no parameter.
  const offsetLow = v128.and(i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(lanes)), i32x4.splat(128))
  const offsetHigh = v128.and(i32x4.lt_s(i32x4(4, 5, 6, 7), i32x4.splat(lanes)), i32x4.splat(128))
  let largest = i32x4.splat(0)
  for (let i = 0; i < rows; i++) {
    largest = i32x4.max_s(largest, update4(values, means, spreads, gradients, offsetLow, sh, up, down, limitUp, first, s1, s2, rate))
    largest = i32x4.max_s(largest, update4(values + 16, means + 16, spreads + 16, gradients + 16, offsetHigh, sh, up, down, limitUp, first, s1, s2, rate))
    gradients += 32
    means += 32
    spreads += 32
    values += 32
  }
  return largestLane(largest)
}
