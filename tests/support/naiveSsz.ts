/**
 * SSZ once more, straight from the specification and slow, to hold the library's codec against:
 * the same bytes, the same refusals, the same roots. It shares no code with what it checks.
 * Source: Ethereum consensus specs, ssz/simple-serialize.md (sections Serialization,
 * Deserialization, Merkleization), where the names in the comments come from.
 *
 *   const Point = container({ x: uint(2), y: uint(8, 'bigint'), tags: list(bytes(4), 16) })
 *   serialize(Point, { x: 1, y: 2n, tags: [] }); deserialize(Point, bytes); hashTreeRoot(Point, value)
 *
 * Values: a uint is a number or a bigint as its schema says, bytes are Uint8Arrays, lists arrays,
 * containers objects, a union is { selector, value } with null for None.
 */
import { sha256 } from '@noble/hashes/sha2.js'

export type Schema =
  | { readonly kind: 'uint', readonly bytes: number, readonly as: 'number' | 'bigint' }
  | { readonly kind: 'bytes', readonly length: number }
  | { readonly kind: 'byteList', readonly max: number }
  | { readonly kind: 'list', readonly of: Schema, readonly max: number }
  | { readonly kind: 'container', readonly fields: Readonly<Record<string, Schema>> }
  /** Undefined is None, which only selector 0 may be. */
  | { readonly kind: 'union', readonly options: ReadonlyArray<Schema | undefined> }

export const uint = (bytes: number, as: 'number' | 'bigint' = 'number'): Schema => ({ kind: 'uint', bytes, as })
export const bytes = (length: number): Schema => ({ kind: 'bytes', length })
export const byteList = (max: number): Schema => ({ kind: 'byteList', max })
export const list = (of: Schema, max: number): Schema => ({ kind: 'list', of, max })
export const container = (fields: Readonly<Record<string, Schema>>): Schema => ({ kind: 'container', fields })
export const union = (...options: ReadonlyArray<Schema | undefined>): Schema => ({ kind: 'union', options })

/** What the bytes break; any other error is a bug of this file. */
export class SszError extends Error {}

type Fields = Readonly<Record<string, unknown>>
interface Union { readonly selector: number, readonly value: unknown }

const BYTES_PER_LENGTH_OFFSET = 4
const BYTES_PER_CHUNK = 32

/** Bytes of every value of the schema; undefined where it depends on the value ("variable-size"). */
export function fixedSize (schema: Schema): number | undefined {
  switch (schema.kind) {
    case 'uint': return schema.bytes
    case 'bytes': return schema.length
    case 'container': return Object.values(schema.fields).reduce<number | undefined>((sum, field) => {
      const size = fixedSize(field)
      return sum === undefined || size === undefined ? undefined : sum + size
    }, 0)
    default: return undefined
  }
}

function concat (parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

function littleEndian (value: bigint, length: number): Uint8Array {
  if (value < 0n || value >= 1n << BigInt(8 * length)) throw new SszError(`${value} is no uint${8 * length}`)
  return Uint8Array.from({ length }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn))
}

const fromLittleEndian = (b: Uint8Array): bigint => b.reduceRight((n, byte) => (n << 8n) | BigInt(byte), 0n)

/** fixed_parts with offsets in the place of what is variable, then variable_parts. */
function serializeSeries (series: ReadonlyArray<readonly [Schema, unknown]>): Uint8Array {
  const encoded = series.map(([schema, value]) => serialize(schema, value))
  const isVariable = series.map(([schema]) => fixedSize(schema) === undefined)
  let offset = encoded.reduce((sum, part, i) => sum + (isVariable[i] ? BYTES_PER_LENGTH_OFFSET : part.length), 0)
  const fixed: Uint8Array[] = []
  const variable: Uint8Array[] = []
  for (const [i, part] of encoded.entries()) {
    if (!isVariable[i]) {
      fixed.push(part)
      continue
    }
    fixed.push(littleEndian(BigInt(offset), BYTES_PER_LENGTH_OFFSET))
    variable.push(part)
    offset += part.length
  }
  return concat([...fixed, ...variable])
}

export function serialize (schema: Schema, value: unknown): Uint8Array {
  switch (schema.kind) {
    case 'uint': return littleEndian(BigInt(value as number | bigint), schema.bytes)
    case 'bytes': {
      const b = value as Uint8Array
      if (b.length !== schema.length) throw new SszError(`${b.length} bytes, expected ${schema.length}`)
      return Uint8Array.from(b)
    }
    case 'byteList': {
      const b = value as Uint8Array
      if (b.length > schema.max) throw new SszError(`${b.length} bytes, at most ${schema.max}`)
      return Uint8Array.from(b)
    }
    case 'list': {
      const items = value as readonly unknown[]
      if (items.length > schema.max) throw new SszError(`${items.length} items, at most ${schema.max}`)
      return serializeSeries(items.map(item => [schema.of, item] as const))
    }
    case 'container': return serializeSeries(Object.entries(schema.fields).map(([name, field]) => [field, (value as Fields)[name]] as const))
    case 'union': {
      const { selector, value: inner } = value as Union
      if (selector >= schema.options.length) throw new SszError(`no option ${selector}`)
      const option = schema.options[selector]
      return concat([Uint8Array.of(selector), option === undefined ? new Uint8Array(0) : serialize(option, inner)])
    }
  }
}

/**
 * Splits `b` into the parts of its members. Strict: the first offset is the size of the fixed part,
 * offsets never go back, the last part ends with the bytes.
 */
function split (b: Uint8Array, members: readonly Schema[]): Uint8Array[] {
  const sizes = members.map(fixedSize)
  const fixedLength = sizes.reduce<number>((sum, size) => sum + (size ?? BYTES_PER_LENGTH_OFFSET), 0)
  if (b.length < fixedLength) throw new SszError(`${b.length} bytes, the fixed part has ${fixedLength}`)
  const offsets: number[] = []
  let at = 0
  for (const size of sizes) {
    if (size === undefined) offsets.push(Number(fromLittleEndian(b.subarray(at, at + BYTES_PER_LENGTH_OFFSET))))
    at += size ?? BYTES_PER_LENGTH_OFFSET
  }
  if (offsets.length === 0 && b.length !== fixedLength) throw new SszError(`${b.length - fixedLength} bytes too many`)
  if (offsets.length > 0 && offsets[0] !== fixedLength) throw new SszError(`the first offset is ${offsets[0]}, the fixed part has ${fixedLength}`)
  const ends = [...offsets.slice(1), b.length]
  for (const [i, offset] of offsets.entries()) if (offset > ends[i]) throw new SszError(`offset ${offset} lies behind ${ends[i]}`)
  const parts: Uint8Array[] = []
  let next = 0
  at = 0
  for (const size of sizes) {
    if (size === undefined) {
      parts.push(b.subarray(offsets[next], ends[next]))
      next++
    } else parts.push(b.subarray(at, at + size))
    at += size ?? BYTES_PER_LENGTH_OFFSET
  }
  return parts
}

/** How many items of `of` the bytes hold; the first offset of variable items says it. */
function countItems (b: Uint8Array, of: Schema): number {
  if (b.length === 0) return 0
  const size = fixedSize(of)
  const unit = size ?? BYTES_PER_LENGTH_OFFSET
  if (size === undefined && b.length < BYTES_PER_LENGTH_OFFSET) throw new SszError('no room for an offset')
  const length = size === undefined ? Number(fromLittleEndian(b.subarray(0, BYTES_PER_LENGTH_OFFSET))) : b.length
  if (length === 0 || length % unit !== 0 || length > b.length) throw new SszError(`${length} bytes are no whole number of ${unit}`)
  return length / unit
}

/** The value of the bytes, all of them; an SszError where there is none. */
export function deserialize (schema: Schema, b: Uint8Array): unknown {
  switch (schema.kind) {
    case 'uint': {
      if (b.length !== schema.bytes) throw new SszError(`${b.length} bytes, expected ${schema.bytes}`)
      const value = fromLittleEndian(b)
      if (schema.as === 'bigint') return value
      if (BigInt(Number(value)) !== value) throw new SszError(`${value} is no double`)
      return Number(value)
    }
    case 'bytes':
      if (b.length !== schema.length) throw new SszError(`${b.length} bytes, expected ${schema.length}`)
      return b.slice()
    case 'byteList':
      if (b.length > schema.max) throw new SszError(`${b.length} bytes, at most ${schema.max}`)
      return b.slice()
    case 'list': {
      const count = countItems(b, schema.of)
      if (count > schema.max) throw new SszError(`${count} items, at most ${schema.max}`)
      return split(b, Array.from({ length: count }, () => schema.of)).map(part => deserialize(schema.of, part))
    }
    case 'container': {
      const entries = Object.entries(schema.fields)
      const parts = split(b, entries.map(([, field]) => field))
      return Object.fromEntries(entries.map(([name, field], i) => [name, deserialize(field, parts[i])]))
    }
    case 'union': {
      if (b.length === 0) throw new SszError('no selector')
      const selector = b[0]
      if (selector >= schema.options.length) throw new SszError(`no option ${selector}`)
      const option = schema.options[selector]
      if (option !== undefined) return { selector, value: deserialize(option, b.subarray(1)) }
      if (selector !== 0 || b.length !== 1) throw new SszError('None has no bytes')
      return { selector, value: null }
    }
  }
}

const hashPair = (left: Uint8Array, right: Uint8Array): Uint8Array => sha256(concat([left, right]))

/** pack(): the bytes in chunks of 32, the last one padded with zeros. */
function pack (b: Uint8Array): Uint8Array[] {
  const padded = new Uint8Array(Math.ceil(b.length / BYTES_PER_CHUNK) * BYTES_PER_CHUNK)
  padded.set(b)
  return Array.from({ length: padded.length / BYTES_PER_CHUNK }, (_, i) => padded.subarray(i * BYTES_PER_CHUNK, (i + 1) * BYTES_PER_CHUNK))
}

/** merkleize(chunks, limit): as if padded with zero chunks up to the next power of two of `limit`. */
function merkleize (chunks: readonly Uint8Array[], limit: number): Uint8Array {
  if (chunks.length > limit) throw new SszError(`${chunks.length} chunks, at most ${limit}`)
  let zero: Uint8Array = new Uint8Array(BYTES_PER_CHUNK)
  let level = [...chunks]
  for (let width = 1; width < limit; width *= 2) {
    if (level.length % 2 === 1) level.push(zero)
    level = Array.from({ length: level.length / 2 }, (_, i) => hashPair(level[2 * i], level[2 * i + 1]))
    zero = hashPair(zero, zero)
  }
  return level.length === 0 ? zero : level[0]
}

const mixIn = (root: Uint8Array, n: number): Uint8Array => hashPair(root, littleEndian(BigInt(n), BYTES_PER_CHUNK))
const chunksOf = (size: number): number => Math.max(1, Math.ceil(size / BYTES_PER_CHUNK))

export function hashTreeRoot (schema: Schema, value: unknown): Uint8Array {
  switch (schema.kind) {
    case 'uint': return merkleize(pack(serialize(schema, value)), 1)
    case 'bytes': return merkleize(pack(value as Uint8Array), chunksOf(schema.length))
    case 'byteList': return mixIn(merkleize(pack(value as Uint8Array), chunksOf(schema.max)), (value as Uint8Array).length)
    case 'list': {
      const items = value as readonly unknown[]
      const root = schema.of.kind === 'uint'
        ? merkleize(pack(concat(items.map(item => serialize(schema.of, item)))), chunksOf(schema.max * schema.of.bytes))
        : merkleize(items.map(item => hashTreeRoot(schema.of, item)), schema.max)
      return mixIn(root, items.length)
    }
    case 'container': {
      const roots = Object.entries(schema.fields).map(([name, field]) => hashTreeRoot(field, (value as Fields)[name]))
      return merkleize(roots, roots.length)
    }
    case 'union': {
      const { selector, value: inner } = value as Union
      const option = schema.options[selector]
      return mixIn(option === undefined ? new Uint8Array(BYTES_PER_CHUNK) : hashTreeRoot(option, inner), selector)
    }
  }
}
