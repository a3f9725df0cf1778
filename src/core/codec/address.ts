/**
 * Account keys as text people can copy: bech32m with the prefix `cw`. A typing error of up to four
 * characters is always noticed.
 * Source: BIP 173 (charset, layout), BIP 350 (the checksum constant).
 */
export type AddressParse =
  | { readonly ok: true, readonly value: Uint8Array }
  | { readonly ok: false, readonly error: string }

const PREFIX = 'cw'
const CHARSET = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'
const BECH32M = 0x2bc830a3
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3]
const CHECKSUM_SYMBOLS = 6
const KEY_BYTES = 32
/** 256 bits in symbols of five, the last one padded with zeros. */
const KEY_SYMBOLS = 52

function polymod (symbols: readonly number[]): number {
  let check = 1
  for (const s of symbols) {
    const top = check >>> 25
    check = ((check & 0x1ffffff) << 5) ^ s
    for (let i = 0; i < 5; i++) if (((top >> i) & 1) === 1) check ^= GENERATOR[i]
  }
  return check >>> 0
}

const expandPrefix = (prefix: string): number[] =>
  [...Array.from(prefix, c => c.charCodeAt(0) >> 5), 0, ...Array.from(prefix, c => c.charCodeAt(0) & 31)]

/** BIP 350 for any prefix and symbols: what the published vectors are about. */
export function bech32mEncode (prefix: string, symbols: readonly number[]): string {
  const check = polymod([...expandPrefix(prefix), ...symbols, ...new Array<number>(CHECKSUM_SYMBOLS).fill(0)]) ^ BECH32M
  const checksum = Array.from({ length: CHECKSUM_SYMBOLS }, (_, i) => (check >>> (5 * (CHECKSUM_SYMBOLS - 1 - i))) & 31)
  return `${prefix}1${[...symbols, ...checksum].map(s => CHARSET[s]).join('')}`
}

export function bech32mDecode (text: string): { readonly prefix: string, readonly symbols: readonly number[] } | undefined {
  if (text.length > 90 || !/^[\x21-\x7e]*$/.test(text)) return undefined
  const lower = text.toLowerCase()
  if (text !== lower && text !== text.toUpperCase()) return undefined
  const separator = lower.lastIndexOf('1')
  if (separator < 1 || lower.length - separator - 1 < CHECKSUM_SYMBOLS) return undefined
  const prefix = lower.slice(0, separator)
  const symbols = Array.from(lower.slice(separator + 1), c => CHARSET.indexOf(c))
  if (symbols.includes(-1) || polymod([...expandPrefix(prefix), ...symbols]) !== BECH32M) return undefined
  return { prefix, symbols: symbols.slice(0, -CHECKSUM_SYMBOLS) }
}

export function formatAddress (key: Uint8Array): string {
  if (key.length !== KEY_BYTES) throw new Error(`key of ${key.length} bytes`)
  const symbols: number[] = []
  let held = 0
  let bits = 0
  for (const byte of key) {
    held = (held << 8) | byte
    for (bits += 8; bits >= 5; bits -= 5) symbols.push((held >> (bits - 5)) & 31)
    held &= 31
  }
  symbols.push((held << (5 - bits)) & 31)
  return bech32mEncode(PREFIX, symbols)
}

export function parseAddress (text: string): AddressParse {
  const wrong = (error: string): AddressParse => ({ ok: false, error })
  const decoded = bech32mDecode(text.trim())
  if (decoded === undefined) return wrong('this is not an address: a character is missing or mistyped')
  if (decoded.prefix !== PREFIX) return wrong(`an address starts with "${PREFIX}1", this one with "${decoded.prefix}1"`)
  if (decoded.symbols.length !== KEY_SYMBOLS) return wrong('the address has the wrong length')
  const key = new Uint8Array(KEY_BYTES)
  let held = 0
  let bits = 0
  let n = 0
  for (const s of decoded.symbols) {
    held = (held << 5) | s
    bits += 5
    if (bits >= 8) {
      bits -= 8
      key[n++] = held >> bits
      held &= (1 << bits) - 1
    }
  }
  return held === 0 ? { ok: true, value: key } : wrong('the address is padded with other than zeros')
}
