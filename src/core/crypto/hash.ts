/**
 * The one hash of the protocol: BLAKE3 in keyed mode. The key is the hash of a domain tag, so that
 * the same bytes under two meanings never collide.
 * Source: BLAKE3 paper, 2.3 (keyed_hash).
 */
import { blake3 } from '@noble/hashes/blake3.js'

/** What a hash is of; docs/protocol.md lists the tags. */
export const TAG_PREFIX = 'commonweight/1/'

const tagKeys = new Map<string, Uint8Array>()
/** An engine per tag with its key set, never fed: copying it is cheaper than setting the key again. */
const engines = new Map<string, ReturnType<typeof blake3.create>>()

/** Printable ASCII and line feeds as bytes; core has no TextEncoder. */
export function ascii (text: string): Uint8Array {
  const out = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 0x7e || (code < 0x20 && code !== 0x0a)) throw new Error(`not ASCII: ${text}`)
    out[i] = code
  }
  return out
}

function keyOf (tag: string): Uint8Array {
  let key = tagKeys.get(tag)
  if (key === undefined) {
    key = blake3(ascii(TAG_PREFIX + tag))
    tagKeys.set(tag, key)
  }
  return key
}

/** The BLAKE3 key of a tag. */
export const hashTagKey = (tag: string): Uint8Array => keyOf(tag).slice()

/** Keyed BLAKE3: 32 bytes over the concatenation of `parts`. It keeps and changes neither. */
export type KeyedHash = (key: Uint8Array, parts: readonly Uint8Array[]) => Uint8Array

/** One of a realm, as the hash has one meaning: whoever asks gets the same bytes from any engine. */
let faster: KeyedHash | undefined

/** From now on it hashes for hash(). */
export function hashWith (engine: KeyedHash): void { faster = engine }

/** 32 bytes over the concatenation of `parts`. */
export function hash (tag: string, ...parts: readonly Uint8Array[]): Uint8Array {
  if (faster !== undefined) return faster(keyOf(tag), parts)
  let keyed = engines.get(tag)
  if (keyed === undefined) engines.set(tag, keyed = blake3.create({ key: keyOf(tag) }))
  const h = keyed.clone()
  for (const part of parts) h.update(part)
  return h.digest()
}

/** Four bytes, little-endian: how every integer below 2^32 enters a hash. */
export function u32le (n: number): Uint8Array {
  if (!Number.isInteger(n) || n < 0 || n > 0xffffffff) throw new Error(`not a u32: ${n}`)
  return Uint8Array.of(n & 0xff, (n >>> 8) & 0xff, (n >>> 16) & 0xff, n >>> 24)
}

/** The first four bytes as a little-endian integer: a draw in [0, 2^32). */
export function firstU32 (bytes: Uint8Array): number {
  return (bytes[0] | (bytes[1] << 8) | (bytes[2] << 16) | (bytes[3] << 24)) >>> 0
}

/** Eight bytes, little-endian: how an amount enters a hash. */
export function u64le (n: bigint): Uint8Array {
  if (n < 0n || n > 0xffffffffffffffffn) throw new Error(`not a u64: ${n}`)
  const out = new Uint8Array(8)
  for (let i = 0; i < 8; i++) out[i] = Number((n >> BigInt(8 * i)) & 0xffn)
  return out
}
