/**
 * Bencoding, strictly: one value, one encoding. What decodes re-encodes to the same bytes, so an
 * infohash means the same to everybody. Source: BEP 3.
 */

export type Bencoded = number | Uint8Array | readonly Bencoded[] | BencodedDict
/** Keys are bytes on the wire; here each byte is one character (Latin-1), in which order is byte order. */
export interface BencodedDict { readonly entries: ReadonlyMap<string, Bencoded> }

/** Lists in lists, and dictionaries in them: deeper than any metainfo. */
const MAX_DEPTH = 16
/** Values in all, against a file of ten million empty lists. */
const MAX_VALUES = 200_000

const DIGIT_0 = 0x30
const DIGIT_9 = 0x39
const [COLON, MINUS, DICT, END, INT, LIST] = [0x3a, 0x2d, 0x64, 0x65, 0x69, 0x6c]

export type BencodeResult = { readonly ok: true, readonly value: Bencoded, readonly spans: ReadonlyMap<string, Uint8Array> } | { readonly ok: false, readonly detail: string }

class Malformed extends Error {}

const latin1 = (bytes: Uint8Array): string => {
  let s = ''
  for (const b of bytes) s += String.fromCharCode(b)
  return s
}

class Reader {
  at = 0
  #values = 0
  readonly bytes: Uint8Array
  /** The encodings of the outermost dictionary's values: `info` is hashed as it came. */
  readonly spans = new Map<string, Uint8Array>()

  constructor (bytes: Uint8Array) { this.bytes = bytes }

  value (depth: number): Bencoded {
    if (depth > MAX_DEPTH) throw new Malformed('nested too deeply')
    if (++this.#values > MAX_VALUES) throw new Malformed('too many values')
    const b = this.bytes[this.at]
    if (b === INT) return this.#int()
    if (b === LIST) return this.#list(depth)
    if (b === DICT) return this.#dict(depth)
    return this.#string()
  }

  #int (): number {
    this.at++
    const negative = this.bytes[this.at] === MINUS
    if (negative) this.at++
    const n = this.#digits(END)
    if (negative && n === 0) throw new Malformed('minus zero')
    return negative ? -n : n
  }

  /** Decimal without leading zeros, up to and over `end`. */
  #digits (end: number): number {
    const from = this.at
    let n = 0
    for (;;) {
      const b = this.bytes[this.at]
      if (b === undefined) throw new Malformed('cut short')
      if (b === end) break
      if (b < DIGIT_0 || b > DIGIT_9) throw new Malformed('not a digit')
      n = n * 10 + b - DIGIT_0
      if (!Number.isSafeInteger(n)) throw new Malformed('a number too large')
      this.at++
    }
    if (this.at === from) throw new Malformed('no digits')
    if (this.at - from > 1 && this.bytes[from] === DIGIT_0) throw new Malformed('a leading zero')
    this.at++
    return n
  }

  #string (): Uint8Array {
    const length = this.#digits(COLON)
    if (length > this.bytes.length - this.at) throw new Malformed('cut short')
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }

  #list (depth: number): Bencoded[] {
    this.at++
    const list: Bencoded[] = []
    while (this.bytes[this.at] !== END) list.push(this.value(depth + 1))
    this.at++
    return list
  }

  #dict (depth: number): BencodedDict {
    this.at++
    const entries = new Map<string, Bencoded>()
    let last: string | undefined
    while (this.bytes[this.at] !== END) {
      const key = latin1(this.#string())
      if (last !== undefined && key <= last) throw new Malformed('keys out of order')
      last = key
      const from = this.at
      entries.set(key, this.value(depth + 1))
      if (depth === 0) this.spans.set(key, this.bytes.subarray(from, this.at))
    }
    this.at++
    return { entries }
  }
}

export function decodeBencoded (bytes: Uint8Array): BencodeResult {
  const reader = new Reader(bytes)
  try {
    const value = reader.value(0)
    if (reader.at !== bytes.length) return { ok: false, detail: 'bytes after the end' }
    return { ok: true, value, spans: reader.spans }
  } catch (e) {
    if (e instanceof Malformed) return { ok: false, detail: e.message }
    throw e
  }
}

export const isDict = (v: Bencoded | undefined): v is BencodedDict => typeof v === 'object' && 'entries' in v && v.entries instanceof Map

function asciiBytes (text: string): Uint8Array {
  const out = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i)
  return out
}

export function encodeBencoded (value: Bencoded): Uint8Array {
  const parts: Uint8Array[] = []
  const put = (v: Bencoded): void => {
    if (typeof v === 'number') parts.push(asciiBytes(`i${v}e`))
    else if (v instanceof Uint8Array) parts.push(asciiBytes(`${v.length}:`), v)
    else if (isDict(v)) {
      parts.push(Uint8Array.of(DICT))
      for (const key of [...v.entries.keys()].sort()) {
        parts.push(asciiBytes(`${key.length}:${key}`))
        put(v.entries.get(key)!)
      }
      parts.push(Uint8Array.of(END))
    } else {
      parts.push(Uint8Array.of(LIST))
      for (const item of v as readonly Bencoded[]) put(item)
      parts.push(Uint8Array.of(END))
    }
  }
  put(value)
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0))
  let at = 0
  for (const p of parts) {
    out.set(p, at)
    at += p.length
  }
  return out
}
