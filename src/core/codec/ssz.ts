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

/** Of a typed array without a buffer of its own, at most. */
const INLINE_BYTES = 64

export function equalBytes (a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  // Short arrays lie inside their object in V8 until somebody asks for the buffer: then each gets one of its own.
  if (a.length > INLINE_BYTES && a.buffer === b.buffer && a.byteOffset === b.byteOffset) return true
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

/** Character codes of the two digits of each byte, one after the other. */
const HEX_CODES = Uint8Array.from({ length: 512 }, (_, i) => HEX[i >> 1].charCodeAt(i & 1))
/** Bytes made text at a time: most names are of so many. */
const HEX_CHUNK = 32
const hexChunk = new Array<number>(2 * HEX_CHUNK).fill(0)

/** Hashes named lately, by two of their bytes, as many as there are kept. */
const NAMED = 2048
const HASH_BYTES = 32
const namedBytes: Array<Uint8Array | undefined> = new Array<undefined>(NAMED).fill(undefined)
const namedHex: string[] = new Array<string>(NAMED).fill('')

/**
 * The same few hashes are named all the time, as keys of many tables: a name that was made lately is the same
 * string again, which costs a comparison and no memory.
 */
export function toHex (bytes: Uint8Array): string {
  if (bytes.length !== HASH_BYTES) return hexOf(bytes)
  const at = (bytes[HASH_BYTES - 2] << 8 | bytes[HASH_BYTES - 1]) % NAMED
  const known = namedBytes[at]
  if (known !== undefined && equalBytes(known, bytes)) return namedHex[at]
  namedBytes[at] = bytes.slice()
  return namedHex[at] = hexOf(bytes)
}

/** One flat string per chunk is a quarter of the time of joining digits. */
function hexOf (bytes: Uint8Array): string {
  let s = ''
  let from = 0
  for (; from + HEX_CHUNK <= bytes.length; from += HEX_CHUNK) {
    for (let i = 0; i < HEX_CHUNK; i++) {
      const code = 2 * bytes[from + i]
      hexChunk[2 * i] = HEX_CODES[code]
      hexChunk[2 * i + 1] = HEX_CODES[code + 1]
    }
    s += String.fromCharCode.apply(undefined, hexChunk)
  }
  for (; from < bytes.length; from++) s += HEX[bytes[from]]
  return s
}

/** Undefined unless `hex` is lower-case hex of exactly `length` bytes. */
export function fromHex (hex: string, length: number): Uint8Array | undefined {
  if (hex.length !== length * 2 || !/^[0-9a-f]*$/.test(hex)) return undefined
  const out = new Uint8Array(length)
  for (let i = 0; i < length; i++) out[i] = parseInt(hex.slice(2 * i, 2 * i + 2), 16)
  return out
}

export const ZERO32 = new Uint8Array(32)
