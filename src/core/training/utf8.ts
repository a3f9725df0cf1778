/** UTF-8 for names: core has no TextEncoder. Source: RFC 3629. */

/** Undefined if the text has a lone surrogate, which UTF-8 cannot write. */
export function utf8Bytes (text: string): Uint8Array | undefined {
  const out: number[] = []
  for (const char of text) {
    const c = char.codePointAt(0) as number
    if (c >= 0xd800 && c <= 0xdfff) return undefined
    if (c < 0x80) out.push(c)
    else if (c < 0x800) out.push(0xc0 | c >> 6, 0x80 | c & 0x3f)
    else if (c < 0x10000) out.push(0xe0 | c >> 12, 0x80 | c >> 6 & 0x3f, 0x80 | c & 0x3f)
    else out.push(0xf0 | c >> 18, 0x80 | c >> 12 & 0x3f, 0x80 | c >> 6 & 0x3f, 0x80 | c & 0x3f)
  }
  return Uint8Array.from(out)
}

/** Least code point that may take n bytes: anything shorter would have two encodings. */
const LEAST = [0, 0, 0x80, 0x800, 0x10000]

/** Strict: undefined for overlong forms, surrogates, and anything cut short. A byte order mark is text. */
export function utf8Text (bytes: Uint8Array): string | undefined {
  const pieces: string[] = []
  let run = ''
  for (let i = 0; i < bytes.length;) {
    const b = bytes[i]
    const length = b < 0x80 ? 1 : b >> 5 === 6 ? 2 : b >> 4 === 14 ? 3 : b >> 3 === 30 ? 4 : 0
    if (length === 0 || i + length > bytes.length) return undefined
    let c = length === 1 ? b : b & (0x7f >> length)
    for (let k = 1; k < length; k++) {
      if (bytes[i + k] >> 6 !== 2) return undefined
      c = c << 6 | bytes[i + k] & 0x3f
    }
    if (c < LEAST[length] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) return undefined
    run += String.fromCodePoint(c)
    if (run.length >= 4096) {
      pieces.push(run)
      run = ''
    }
    i += length
  }
  return pieces.join('') + run
}
