/**
 * Strict SSZ: one value, one encoding. A decoder takes bytes from a stranger, so it is bounded
 * before it parses and re-encodes after: bytes that do not come back the same are refused.
 * Source: Ethereum consensus specs, ssz/simple-serialize.md.
 */
import { ByteListType, ByteVectorType, type Type, UintBigintType, UintNumberType } from '@chainsafe/ssz'

export const Bytes20 = new ByteVectorType(20)
export const Bytes32 = new ByteVectorType(32)
export const Bytes64 = new ByteVectorType(64)
export const U8 = new UintNumberType(1)
export const U16 = new UintNumberType(2)
export const U32 = new UintNumberType(4)
/** Milliseconds and the like: exact in a double up to 2^53, larger values are refused by the rules. */
export const U53 = new UintNumberType(8, { clipInfinity: false })
export const U64 = new UintBigintType(8)
export const U256 = new UintBigintType(32)
export const byteList = (max: number): ByteListType => new ByteListType(max)

export type Decoded<T> = { readonly ok: true, readonly value: T } | { readonly ok: false, readonly error: DecodeError }
export interface DecodeError {
  readonly reason: 'empty' | 'too-large' | 'malformed' | 'not-canonical'
  readonly detail: string
}

/** Decodes `bytes` of at most `maxBytes` as `type`; a value that is not the canonical one is an error. */
export function decode<T> (type: Type<T>, bytes: Uint8Array, maxBytes: number): Decoded<T> {
  if (bytes.length === 0) return { ok: false, error: { reason: 'empty', detail: `expected ${type.typeName}, got nothing` } }
  if (bytes.length > maxBytes) return { ok: false, error: { reason: 'too-large', detail: `${bytes.length} bytes, at most ${maxBytes}` } }
  let value: T
  let again: Uint8Array
  try {
    value = type.deserialize(bytes)
    again = type.serialize(value)
  } catch (e) {
    return { ok: false, error: { reason: 'malformed', detail: e instanceof Error ? e.message : String(e) } }
  }
  if (!equalBytes(again, bytes)) return { ok: false, error: { reason: 'not-canonical', detail: 'bytes do not re-encode to themselves' } }
  return { ok: true, value }
}

export function equalBytes (a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  if (a.buffer === b.buffer && a.byteOffset === b.byteOffset) return true
  let i = 0
  // Snapshots are megabytes long: by words where both lie on them.
  if (a.length >= 1024 && a.byteOffset % 4 === 0 && b.byteOffset % 4 === 0) {
    const words = a.length >> 2
    const x = new Int32Array(a.buffer, a.byteOffset, words)
    const y = new Int32Array(b.buffer, b.byteOffset, words)
    for (let w = 0; w < words; w++) if (x[w] !== y[w]) return false
    i = 4 * words
  }
  for (; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** Byte-wise order, shorter first on a tie. */
export function compareBytes (a: Uint8Array, b: Uint8Array): number {
  const n = Math.min(a.length, b.length)
  for (let i = 0; i < n; i++) if (a[i] !== b[i]) return a[i] - b[i]
  return a.length - b.length
}

const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'))

/** Two bytes at a time: names are made of hashes all the time. */
const HEX16 = Array.from({ length: 65_536 }, (_, i) => HEX[i >> 8] + HEX[i & 255])

export function toHex (bytes: Uint8Array): string {
  let s = ''
  const even = bytes.length & ~1
  for (let i = 0; i < even; i += 2) s += HEX16[bytes[i] << 8 | bytes[i + 1]]
  return even === bytes.length ? s : s + HEX[bytes[even]]
}

/** Undefined unless `hex` is lower-case hex of exactly `length` bytes. */
export function fromHex (hex: string, length: number): Uint8Array | undefined {
  if (hex.length !== length * 2 || !/^[0-9a-f]*$/.test(hex)) return undefined
  const out = new Uint8Array(length)
  for (let i = 0; i < length; i++) out[i] = parseInt(hex.slice(2 * i, 2 * i + 2), 16)
  return out
}

export const ZERO32 = new Uint8Array(32)
