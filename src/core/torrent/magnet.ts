/** Magnet links: an infohash, and what a set calls itself. Source: BEP 9. */
import { toHex } from '../codec/ssz.ts'
import { nameFault } from './names.ts'

const MAGNET_CHARACTERS_MAX = 4096
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** `name`: if it is one that a torrent may have; others are for deceiving who reads them. */
export interface Magnet { readonly infoHash: string, readonly name?: string }

/** 32 characters of RFC 4648 are 20 bytes. */
function fromBase32 (text: string): string | undefined {
  const out: number[] = []
  let bits = 0
  let held = 0
  for (const char of text.toUpperCase()) {
    const value = BASE32.indexOf(char)
    if (value < 0) return undefined
    held = (held << 5 | value) & 0xfff
    bits += 5
    if (bits >= 8) {
      bits -= 8
      out.push(held >> bits & 0xff)
    }
  }
  return toHex(Uint8Array.from(out))
}

/** A magnet link, or the infohash alone; undefined for anything else. */
export function parseMagnet (text: string): Magnet | undefined {
  const trimmed = text.trim()
  if (trimmed.length > MAGNET_CHARACTERS_MAX) return undefined
  if (/^[0-9a-fA-F]{40}$/.test(trimmed)) return { infoHash: trimmed.toLowerCase() }
  if (!/^magnet:\?/i.test(trimmed)) return undefined
  let infoHash: string | undefined
  let name: string | undefined
  for (const pair of trimmed.slice(8).split('&')) {
    const at = pair.indexOf('=')
    const key = at < 0 ? pair : pair.slice(0, at)
    let value: string
    try { value = decodeURIComponent(at < 0 ? '' : pair.slice(at + 1).replace(/\+/g, ' ')) } catch { return undefined }
    const hash = key === 'xt' ? /^urn:btih:([0-9a-fA-F]{40}|[A-Za-z2-7]{32})$/.exec(value)?.[1] : undefined
    if (hash !== undefined) infoHash ??= hash.length === 40 ? hash.toLowerCase() : fromBase32(hash)
    if (key === 'dn' && nameFault(value) === undefined) name ??= value
  }
  return infoHash === undefined ? undefined : { infoHash, name }
}

export function formatMagnet (infoHash: string, name: string, trackers: readonly string[] = []): string {
  return `magnet:?xt=urn:btih:${infoHash}&dn=${encodeURIComponent(name)}${trackers.map(t => `&tr=${encodeURIComponent(t)}`).join('')}`
}
