/**
 * What the page itself must know of torrents: what a pasted text is, which pieces are where, which
 * files are whole. Pure. Sources: BEP 3 (pieces, bit fields), BEP 9 (magnet links).
 */
import type { Hex, LibraryItem } from '../bridge/api.ts'

/** A magnet link with many trackers has some 2,000 characters; more is a pasted book. */
export const SOURCE_MAX_CHARS = 8_192
/** A .torrent file has 20 bytes a piece and some for every name. */
export const TORRENT_MAX_BYTES = 10 * 1024 * 1024

export type Source =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'magnet', readonly infoHash: Hex, readonly name?: string, readonly trackers: number, readonly text: string }
  | { readonly kind: 'infohash', readonly infoHash: Hex, readonly text: string }
  | { readonly kind: 'wrong', readonly error: string }

export const isInfoHash = (text: string): boolean => /^[0-9a-f]{40}$/.test(text)

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567'

/** 32 symbols of five bits are the same 160 bits as 40 of four (BEP 9). */
function hexOf (hash: string): Hex {
  const lower = hash.toLowerCase()
  if (lower.length === 40) return lower
  const bits = [...lower].map(c => BASE32.indexOf(c).toString(2).padStart(5, '0')).join('')
  return (bits.match(/.{4}/g) ?? []).map(nibble => parseInt(nibble, 2).toString(16)).join('')
}

/** Takes a text for what it is, or says why it is nothing of use. */
export function readSource (entered: string): Source {
  const text = entered.trim()
  if (text === '') return { kind: 'nothing' }
  if (text.length > SOURCE_MAX_CHARS) return { kind: 'wrong', error: 'This is too long for a magnet link.' }
  if (/^magnet:/i.test(text)) return readMagnet(text)
  if (/^([0-9a-f]{40}|[a-z2-7]{32})$/i.test(text)) { const infoHash = hexOf(text); return { kind: 'infohash', infoHash, text: infoHash } }
  if (/^[0-9a-f]+$/i.test(text)) return { kind: 'wrong', error: `An infohash has 40 hex digits; this has ${text.length}.${text.length === 64 ? ' One of 64 digits belongs to version 2 of the format, which is not spoken here.' : ''}` }
  if (/^https?:/i.test(text)) return { kind: 'wrong', error: 'This is a web address. Save the .torrent file it leads to and drop it here, or copy the magnet link from that page.' }
  return { kind: 'wrong', error: 'Expected a magnet link (magnet:?xt=urn:btih:…) or an infohash of 40 hex digits.' }
}

function readMagnet (text: string): Source {
  const query = new URLSearchParams(text.replace(/^magnet:\??/i, ''))
  const topics = query.getAll('xt')
  const hash = topics.map(t => /^urn:btih:([0-9a-f]{40}|[a-z2-7]{32})$/i.exec(t)?.[1]).find(h => h !== undefined)
  if (hash === undefined) return { kind: 'wrong', error: topics.some(t => /^urn:btmh:/i.test(t)) ? 'This magnet link is of version 2 of the format alone, which is not spoken here.' : 'This magnet link names no infohash: it may have been cut when it was copied.' }
  const name = query.get('dn') ?? ''
  return { kind: 'magnet', infoHash: hexOf(hash), ...(name === '' ? {} : { name }), trackers: query.getAll('tr').length, text }
}

/** Whether the bit of a piece is set; the first one is the highest of its byte (BEP 3). */
export const hasPiece = (bits: Uint8Array, i: number): boolean => ((bits[i >> 3] ?? 0) >> (7 - (i & 7)) & 1) === 1

type Pieces = Pick<LibraryItem, 'pieces' | 'have' | 'availability'>

export interface Spread {
  readonly here: number
  /** Pieces that somebody linked has. */
  readonly reachable: number
  /** Pieces that are neither here nor with anybody linked. */
  readonly lost: number
  /** Whole sets that the linked peers have between them: how often the rarest piece is there. */
  readonly copies: number
  /** How often the commonest piece is there. */
  readonly most: number
}

/** Undefined before the metadata is here: then nobody knows how many pieces there are. */
export function spreadOf (set: Pieces): Spread | undefined {
  if (set.pieces === 0) return undefined
  let here = 0
  let reachable = 0
  let lost = 0
  let copies = 255
  let most = 0
  for (let i = 0; i < set.pieces; i++) {
    const have = hasPiece(set.have, i)
    const others = set.availability[i] ?? 0
    if (have) here++
    if (others > 0) reachable++
    else if (!have) lost++
    copies = Math.min(copies, others)
    most = Math.max(most, others)
  }
  return { here, reachable, lost, copies, most }
}

export type Shade = 'here' | 'part' | 'nobody' | 'one' | 'few' | 'many'

const byCopies = (n: number): Shade => n === 0 ? 'nobody' : n === 1 ? 'one' : n < 4 ? 'few' : 'many'

/**
 * The pieces as at most `max` cells, each of the same number of pieces but the last. A cell tells
 * the worst of what it covers. `here`: what this tab has, and how common the rest is; `others`:
 * how common each piece is among the peers linked.
 */
export function cellsOf (set: Pieces, max: number, about: 'here' | 'others'): Shade[] {
  const each = Math.max(1, Math.ceil(set.pieces / max))
  const cells: Shade[] = []
  for (let from = 0; from < set.pieces; from += each) {
    const to = Math.min(set.pieces, from + each)
    let have = 0
    let fewest = 255
    for (let i = from; i < to; i++) {
      const here = about === 'here' && hasPiece(set.have, i)
      if (here) have++
      else fewest = Math.min(fewest, set.availability[i] ?? 0)
    }
    cells.push(have === to - from ? 'here' : fewest === 0 ? 'nobody' : have > 0 ? 'part' : byCopies(fewest))
  }
  return cells
}

/** Share of each file that is here, in whole pieces; 1 exactly when all of it is. Files lie one after another (BEP 3). */
export function fileShares (set: Pick<LibraryItem, 'files' | 'pieceBytes' | 'have'>): number[] {
  let start = 0
  return set.files.map(({ bytes }) => {
    const end = start + bytes
    const first = Math.floor(start / set.pieceBytes)
    const last = Math.ceil(end / set.pieceBytes)
    start = end
    if (bytes === 0) return 1
    let have = 0
    for (let i = first; i < last; i++) if (hasPiece(set.have, i)) have++
    return have / (last - first)
  })
}
