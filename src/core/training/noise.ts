/**
 * The keyed counter stream of a slice (EXACT 9), the same for every backend.
 *
 * stream(step, tag) is the ChaCha8 keystream (RFC 8439 layout, 8 rounds) under the slice's 256-bit
 * noise key, nonce words (step, tag, 0), block counter from 0. Byte i of it and the little-endian
 * 32-bit word i (bytes 4i..4i+3) can be computed alone: block = floor(position / 64).
 *
 * Which tag serves what, with operations counted from 0 and B the batch size:
 *   INPUT_NOISE               byte n*K + k for feature k of sample n
 *   ACTIVATION_NOISE + op     byte (c*B + n)*P + p for position p of channel c of sample n, P positions
 *   ERROR_NOISE + op          likewise, for the error of the tensor that the operation writes
 * The tags never overlap while op < 256, so no bit is used twice.
 */

export const INPUT_NOISE = 0
export const ACTIVATION_NOISE = 0x100
export const ERROR_NOISE = 0x200

/** The key as eight little-endian words. */
export function noiseKeyWords (key: Uint8Array): Uint32Array {
  if (key.length !== 32) throw new Error(`noise key has ${key.length} bytes, needs 32`)
  const view = new DataView(key.buffer, key.byteOffset, 32)
  return Uint32Array.from({ length: 8 }, (_, i) => view.getUint32(i * 4, true))
}

/** Writes the 16 words of one ChaCha8 block to out[at..at+15]. */
export function chacha8Block (key: Uint32Array, counter: number, n0: number, n1: number, n2: number, out: Uint32Array, at: number): void {
  const c0 = 0x61707865; const c1 = 0x3320646e; const c2 = 0x79622d32; const c3 = 0x6b206574
  const k0 = key[0]; const k1 = key[1]; const k2 = key[2]; const k3 = key[3]
  const k4 = key[4]; const k5 = key[5]; const k6 = key[6]; const k7 = key[7]
  let x0 = c0; let x1 = c1; let x2 = c2; let x3 = c3
  let x4 = k0 | 0; let x5 = k1 | 0; let x6 = k2 | 0; let x7 = k3 | 0
  let x8 = k4 | 0; let x9 = k5 | 0; let x10 = k6 | 0; let x11 = k7 | 0
  let x12 = counter | 0; let x13 = n0 | 0; let x14 = n1 | 0; let x15 = n2 | 0
  for (let round = 0; round < 8; round += 2) {
    x0 = (x0 + x4) | 0; x12 ^= x0; x12 = (x12 << 16) | (x12 >>> 16)
    x8 = (x8 + x12) | 0; x4 ^= x8; x4 = (x4 << 12) | (x4 >>> 20)
    x0 = (x0 + x4) | 0; x12 ^= x0; x12 = (x12 << 8) | (x12 >>> 24)
    x8 = (x8 + x12) | 0; x4 ^= x8; x4 = (x4 << 7) | (x4 >>> 25)

    x1 = (x1 + x5) | 0; x13 ^= x1; x13 = (x13 << 16) | (x13 >>> 16)
    x9 = (x9 + x13) | 0; x5 ^= x9; x5 = (x5 << 12) | (x5 >>> 20)
    x1 = (x1 + x5) | 0; x13 ^= x1; x13 = (x13 << 8) | (x13 >>> 24)
    x9 = (x9 + x13) | 0; x5 ^= x9; x5 = (x5 << 7) | (x5 >>> 25)

    x2 = (x2 + x6) | 0; x14 ^= x2; x14 = (x14 << 16) | (x14 >>> 16)
    x10 = (x10 + x14) | 0; x6 ^= x10; x6 = (x6 << 12) | (x6 >>> 20)
    x2 = (x2 + x6) | 0; x14 ^= x2; x14 = (x14 << 8) | (x14 >>> 24)
    x10 = (x10 + x14) | 0; x6 ^= x10; x6 = (x6 << 7) | (x6 >>> 25)

    x3 = (x3 + x7) | 0; x15 ^= x3; x15 = (x15 << 16) | (x15 >>> 16)
    x11 = (x11 + x15) | 0; x7 ^= x11; x7 = (x7 << 12) | (x7 >>> 20)
    x3 = (x3 + x7) | 0; x15 ^= x3; x15 = (x15 << 8) | (x15 >>> 24)
    x11 = (x11 + x15) | 0; x7 ^= x11; x7 = (x7 << 7) | (x7 >>> 25)

    x0 = (x0 + x5) | 0; x15 ^= x0; x15 = (x15 << 16) | (x15 >>> 16)
    x10 = (x10 + x15) | 0; x5 ^= x10; x5 = (x5 << 12) | (x5 >>> 20)
    x0 = (x0 + x5) | 0; x15 ^= x0; x15 = (x15 << 8) | (x15 >>> 24)
    x10 = (x10 + x15) | 0; x5 ^= x10; x5 = (x5 << 7) | (x5 >>> 25)

    x1 = (x1 + x6) | 0; x12 ^= x1; x12 = (x12 << 16) | (x12 >>> 16)
    x11 = (x11 + x12) | 0; x6 ^= x11; x6 = (x6 << 12) | (x6 >>> 20)
    x1 = (x1 + x6) | 0; x12 ^= x1; x12 = (x12 << 8) | (x12 >>> 24)
    x11 = (x11 + x12) | 0; x6 ^= x11; x6 = (x6 << 7) | (x6 >>> 25)

    x2 = (x2 + x7) | 0; x13 ^= x2; x13 = (x13 << 16) | (x13 >>> 16)
    x8 = (x8 + x13) | 0; x7 ^= x8; x7 = (x7 << 12) | (x7 >>> 20)
    x2 = (x2 + x7) | 0; x13 ^= x2; x13 = (x13 << 8) | (x13 >>> 24)
    x8 = (x8 + x13) | 0; x7 ^= x8; x7 = (x7 << 7) | (x7 >>> 25)

    x3 = (x3 + x4) | 0; x14 ^= x3; x14 = (x14 << 16) | (x14 >>> 16)
    x9 = (x9 + x14) | 0; x4 ^= x9; x4 = (x4 << 12) | (x4 >>> 20)
    x3 = (x3 + x4) | 0; x14 ^= x3; x14 = (x14 << 8) | (x14 >>> 24)
    x9 = (x9 + x14) | 0; x4 ^= x9; x4 = (x4 << 7) | (x4 >>> 25)
  }
  out[at] = x0 + c0; out[at + 1] = x1 + c1; out[at + 2] = x2 + c2; out[at + 3] = x3 + c3
  out[at + 4] = x4 + k0; out[at + 5] = x5 + k1; out[at + 6] = x6 + k2; out[at + 7] = x7 + k3
  out[at + 8] = x8 + k4; out[at + 9] = x9 + k5; out[at + 10] = x10 + k6; out[at + 11] = x11 + k7
  out[at + 12] = x12 + counter; out[at + 13] = x13 + n0; out[at + 14] = x14 + n1; out[at + 15] = x15 + n2
}

/** Words 0..count-1 of stream(step, tag). */
export function noiseWords (key: Uint32Array, step: number, tag: number, count: number): Uint32Array {
  const blocks = Math.ceil(count / 16)
  const out = new Uint32Array(blocks * 16)
  for (let block = 0; block < blocks; block++) chacha8Block(key, block, step, tag, 0, out, block * 16)
  return out.subarray(0, count)
}

/** Bytes 0..count-1 of stream(step, tag). */
export function noiseBytes (key: Uint32Array, step: number, tag: number, count: number): Uint8Array {
  const words = noiseWords(key, step, tag, Math.ceil(count / 4))
  const out = new Uint8Array(words.length * 4)
  const view = new DataView(out.buffer)
  for (let i = 0; i < words.length; i++) view.setUint32(i * 4, words[i], true)
  return out.subarray(0, count)
}

/** Uniform in [-amplitude, amplitude); amplitude is 0 or a power of two up to 128. */
export const inputNoise = (byte: number, amplitude: number): number =>
  amplitude === 0 ? 0 : (byte & (2 * amplitude - 1)) - amplitude

/** -1, 0 or 1 with chances 85, 86, 85 of 256: without bias, and uniform to a third of a percent. */
export const ternaryNoise = (byte: number): number => (byte > 170 ? 1 : 0) - (byte < 85 ? 1 : 0)
