/**
 * Bytes with their runs of zeros cut short, the form in which records travel and are stored: images
 * are mostly background. One value, one encoding: what comes from a stranger must be what packZeros
 * would have made, so that an odd form cannot be passed on by one node and refused by the next.
 *
 * A control byte c below 128 stands before c + 1 literal bytes, any other for c - 127 zeros. Three
 * zeros or more are a run, fewer are literals; both are cut at 128, the first ones full.
 * Source: PackBits (Apple TN1023), with zeros in place of any repeated byte.
 */
import { equalBytes } from '../codec/ssz.ts'

const LONGEST = 128
/** Leaving the literals and coming back costs two control bytes. */
const SHORTEST_RUN = 3

/** Bytes that `size` bytes take at most. */
export const packedMax = (size: number): number => size + Math.ceil(size / LONGEST)

export function packZeros (bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(packedMax(bytes.length))
  let at = 0
  /** Start of the literals not yet written. */
  let from = 0
  const literals = (to: number): void => {
    while (from < to) {
      const count = Math.min(LONGEST, to - from)
      out[at++] = count - 1
      out.set(bytes.subarray(from, from + count), at)
      at += count
      from += count
    }
  }
  for (let i = 0; i < bytes.length;) {
    if (bytes[i] !== 0) {
      i++
      continue
    }
    let end = i + 1
    while (end < bytes.length && bytes[end] === 0) end++
    if (end - i >= SHORTEST_RUN) {
      literals(i)
      for (let left = end - i; left > 0; left -= LONGEST) out[at++] = LONGEST - 1 + Math.min(LONGEST, left)
      from = end
    }
    i = end
  }
  literals(bytes.length)
  return out.slice(0, at)
}

/** The `size` bytes that `packed` stands for; undefined where it is not their one packed form. */
export function unpackZeros (packed: Uint8Array, size: number): Uint8Array | undefined {
  if (packed.length > packedMax(size)) return undefined
  const bytes = new Uint8Array(size)
  let to = 0
  for (let at = 0; at < packed.length;) {
    const control = packed[at++]
    const count = control < LONGEST ? control + 1 : control - (LONGEST - 1)
    if (to + count > size) return undefined
    if (control < LONGEST) {
      if (at + count > packed.length) return undefined
      bytes.set(packed.subarray(at, at + count), to)
      at += count
    }
    to += count
  }
  if (to !== size) return undefined
  return equalBytes(packZeros(bytes), packed) ? bytes : undefined
}
