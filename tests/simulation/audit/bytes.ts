/** Bytes, hex and the protocol's hash, from docs/protocol.md, sections 1 and 2; nothing here is the node's code. */
import { blake3 } from '@noble/hashes/blake3.js'

/** Lower-case hex of some bytes: a key of a map. */
export type Hex = string

export const hexOf = (bytes: Uint8Array): Hex => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
export const bytesOf = (hex: Hex): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'))
export const ZEROS = new Uint8Array(32)
export const NO_HASH: Hex = hexOf(ZEROS)

export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0
export const numberBE = (bytes: Uint8Array): bigint => BigInt(`0x${hexOf(bytes)}`)

/** Little-endian; a value that does not fit is an error of ours. */
export function u32 (n: number): Uint8Array {
  const out = Buffer.alloc(4)
  out.writeUInt32LE(n)
  return out
}
export function u64 (n: bigint): Uint8Array {
  const out = Buffer.alloc(8)
  out.writeBigUInt64LE(n)
  return out
}
export const firstU32 = (bytes: Uint8Array): number => Buffer.from(bytes.subarray(0, 4)).readUInt32LE(0)

const tagKeys = new Map<string, Uint8Array>()

/** H(tag, x): keyed BLAKE3, the key being the plain BLAKE3 of `commonweight/1/` and the tag. */
export function H (tag: string, ...parts: readonly Uint8Array[]): Uint8Array {
  let key = tagKeys.get(tag)
  if (key === undefined) {
    key = blake3(Buffer.from(`commonweight/1/${tag}`, 'ascii'))
    tagKeys.set(tag, key)
  }
  return blake3(Buffer.concat(parts), { key })
}

/** Binary; an odd last node of a level moves up unhashed. */
export function merkleRoot (leaves: readonly Uint8Array[], node: (left: Uint8Array, right: Uint8Array) => Uint8Array): Uint8Array {
  if (leaves.length === 1) return leaves[0]
  const above: Uint8Array[] = []
  for (let i = 0; i < leaves.length; i += 2) above.push(i + 1 < leaves.length ? node(leaves[i], leaves[i + 1]) : leaves[i])
  return merkleRoot(above, node)
}
