/**
 * The noise stream (core/training/noise.ts) in SIMD: a vector holds one row of one block's 4 x 4
 * state, and two blocks go through the rounds side by side.
 */

// @ts-ignore: decorator
@inline
function rotate16 (x: v128): v128 {
  return v128.shuffle<u8>(x, x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13)
}

// @ts-ignore: decorator
@inline
function rotate8 (x: v128): v128 {
  return v128.shuffle<u8>(x, x, 3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14)
}

// @ts-ignore: decorator
@inline
function rotate (x: v128, bits: i32): v128 {
  return v128.or(i32x4.shl(x, bits), i32x4.shr_u(x, 32 - bits))
}

/** Lane i takes lane i + 1, i + 2, i + 3 (mod 4): columns become diagonals and back. */
// @ts-ignore: decorator
@inline
function turn1 (x: v128): v128 { return v128.shuffle<u32>(x, x, 1, 2, 3, 0) }
// @ts-ignore: decorator
@inline
function turn2 (x: v128): v128 { return v128.shuffle<u32>(x, x, 2, 3, 0, 1) }
// @ts-ignore: decorator
@inline
function turn3 (x: v128): v128 { return v128.shuffle<u32>(x, x, 3, 0, 1, 2) }

/** Writes `bytes` of stream(step, tag) to `out`, and up to 127 more. */
export function keystream (out: usize, key: usize, step: i32, tag: i32, bytes: i32): void {
  const r0 = i32x4(0x61707865, 0x3320646e, 0x79622d32, 0x6b206574)
  const r1 = v128.load(key)
  const r2 = v128.load(key, 16)
  for (let block = 0; block * 64 < bytes; block += 2) {
    const r3 = i32x4(block, step, tag, 0)
    const s3 = i32x4(block + 1, step, tag, 0)
    let a0 = r0
    let a1 = r1
    let a2 = r2
    let a3 = r3
    let b0 = r0
    let b1 = r1
    let b2 = r2
    let b3 = s3
    for (let round = 0; round < 4; round++) {
      a0 = i32x4.add(a0, a1); b0 = i32x4.add(b0, b1)
      a3 = rotate16(v128.xor(a3, a0)); b3 = rotate16(v128.xor(b3, b0))
      a2 = i32x4.add(a2, a3); b2 = i32x4.add(b2, b3)
      a1 = rotate(v128.xor(a1, a2), 12); b1 = rotate(v128.xor(b1, b2), 12)
      a0 = i32x4.add(a0, a1); b0 = i32x4.add(b0, b1)
      a3 = rotate8(v128.xor(a3, a0)); b3 = rotate8(v128.xor(b3, b0))
      a2 = i32x4.add(a2, a3); b2 = i32x4.add(b2, b3)
      a1 = turn1(rotate(v128.xor(a1, a2), 7)); b1 = turn1(rotate(v128.xor(b1, b2), 7))
      a2 = turn2(a2); b2 = turn2(b2)
      a3 = turn3(a3); b3 = turn3(b3)

      a0 = i32x4.add(a0, a1); b0 = i32x4.add(b0, b1)
      a3 = rotate16(v128.xor(a3, a0)); b3 = rotate16(v128.xor(b3, b0))
      a2 = i32x4.add(a2, a3); b2 = i32x4.add(b2, b3)
      a1 = rotate(v128.xor(a1, a2), 12); b1 = rotate(v128.xor(b1, b2), 12)
      a0 = i32x4.add(a0, a1); b0 = i32x4.add(b0, b1)
      a3 = rotate8(v128.xor(a3, a0)); b3 = rotate8(v128.xor(b3, b0))
      a2 = i32x4.add(a2, a3); b2 = i32x4.add(b2, b3)
      a1 = turn3(rotate(v128.xor(a1, a2), 7)); b1 = turn3(rotate(v128.xor(b1, b2), 7))
      a2 = turn2(a2); b2 = turn2(b2)
      a3 = turn1(a3); b3 = turn1(b3)
    }
    v128.store(out, i32x4.add(a0, r0))
    v128.store(out, i32x4.add(a1, r1), 16)
    v128.store(out, i32x4.add(a2, r2), 32)
    v128.store(out, i32x4.add(a3, r3), 48)
    v128.store(out, i32x4.add(b0, r0), 64)
    v128.store(out, i32x4.add(b1, r1), 80)
    v128.store(out, i32x4.add(b2, r2), 96)
    v128.store(out, i32x4.add(b3, s3), 112)
    out += 128
  }
}
