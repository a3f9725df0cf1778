/**
 * The .torrent: what is in a set of files and the hashes of its pieces. Read from strangers, so it
 * is bounded and its names are checked before anything is made of it; a refusal has a name.
 * Source: BEP 3 (metainfo, infohash), BEP 9 (the info dictionary travels alone).
 */
import { sha1 } from '@noble/hashes/legacy.js'
import { toHex } from '../codec/ssz.ts'
import { utf8Bytes, utf8Text } from '../training/utf8.ts'
import { type Bencoded, decodeBencoded, encodeBencoded, isDict } from './bencode.ts'
import { haveDuplicates, nameFault, pathFault } from './names.ts'

/** SHA-1, as BEP 3 has it. */
export const PIECE_HASH_BYTES = 20
export const INFO_HASH_BYTES = 20
/** A .torrent at most: pieces' hashes are nearly all of it. */
export const MAX_METAINFO_BYTES = 4 * 1024 * 1024
export const MAX_PIECES = 65_536
export const MAX_TORRENT_FILES = 4096
/** A block of the wire protocol at least; and no piece so large that one costs a minute. */
export const MIN_PIECE_BYTES = 16 * 1024
export const MAX_PIECE_BYTES = 16 * 1024 * 1024

export interface TorrentFile { readonly path: string, readonly bytes: number }

export interface Metainfo {
  /** Lower-case hex. */
  readonly infoHash: string
  readonly name: string
  readonly pieceBytes: number
  readonly pieces: number
  readonly bytes: number
  readonly files: readonly TorrentFile[]
  /** PIECE_HASH_BYTES per piece. */
  readonly hashes: Uint8Array
  /** Encoded, as it is hashed. */
  readonly info: Uint8Array
}

export type MetainfoFault =
  | 'empty' | 'too-large' | 'malformed' | 'no-info' | 'no-name' | 'piece-length' | 'piece-count' | 'too-many-pieces' | 'too-many-files' | 'no-bytes' | 'file-length' | 'duplicate-path' | 'padding' | 'version'
  | NonNullable<ReturnType<typeof pathFault>>

export type MetainfoResult = { readonly ok: true, readonly value: Metainfo } | { readonly ok: false, readonly reason: MetainfoFault, readonly detail: string }

const refuse = (reason: MetainfoFault, detail: string): MetainfoResult => ({ ok: false, reason, detail })
const text = (v: Bencoded | undefined): string | undefined => v instanceof Uint8Array ? utf8Text(v) : undefined
const isCount = (v: Bencoded | undefined): v is number => typeof v === 'number' && v >= 0

/** Reads a .torrent; what stands beside `info` (trackers, comments) is left alone. */
export function decodeMetainfo (bytes: Uint8Array): MetainfoResult {
  if (bytes.length === 0) return refuse('empty', 'no bytes')
  if (bytes.length > MAX_METAINFO_BYTES) return refuse('too-large', `${bytes.length} bytes, at most ${MAX_METAINFO_BYTES}`)
  const decoded = decodeBencoded(bytes)
  if (!decoded.ok) return refuse('malformed', decoded.detail)
  if (!isDict(decoded.value)) return refuse('malformed', 'not a dictionary')
  const info = decoded.value.entries.get('info')
  const span = decoded.spans.get('info')
  if (!isDict(info) || span === undefined) return refuse('no-info', 'no info dictionary')
  return readInfo(info.entries, span)
}

function readInfo (info: ReadonlyMap<string, Bencoded>, span: Uint8Array): MetainfoResult {
  const name = text(info.get('name'))
  if (name === undefined) return refuse('no-name', 'no name in UTF-8')
  const fault = nameFault(name)
  if (fault !== undefined) return refuse(fault, 'the name')
  const hashes = info.get('pieces')
  if (!(hashes instanceof Uint8Array)) return info.has('file tree') ? refuse('version', 'of version 2 only (BEP 52)') : refuse('piece-count', 'no pieces')
  const pieceBytes = info.get('piece length')
  if (!isCount(pieceBytes) || pieceBytes < MIN_PIECE_BYTES || pieceBytes > MAX_PIECE_BYTES || (pieceBytes & (pieceBytes - 1)) !== 0) return refuse('piece-length', `a power of two from ${MIN_PIECE_BYTES} to ${MAX_PIECE_BYTES}`)
  if (hashes.length % PIECE_HASH_BYTES !== 0) return refuse('piece-count', 'a hash is cut')
  const pieces = hashes.length / PIECE_HASH_BYTES
  if (pieces > MAX_PIECES) return refuse('too-many-pieces', `${pieces}, at most ${MAX_PIECES}`)
  const listed = readFiles(info, name)
  if ('reason' in listed) return listed
  const bytes = listed.files.reduce((n, f) => n + f.bytes, 0)
  if (bytes === 0) return refuse('no-bytes', 'nothing in it')
  if (!Number.isSafeInteger(bytes) || Math.ceil(bytes / pieceBytes) !== pieces) return refuse('piece-count', `${pieces} pieces for ${bytes} bytes`)
  return { ok: true, value: { infoHash: toHex(sha1(span)), name, pieceBytes, pieces, bytes, files: listed.files, hashes, info: span } }
}

function readFiles (info: ReadonlyMap<string, Bencoded>, name: string): { readonly files: readonly TorrentFile[] } | Extract<MetainfoResult, { ok: false }> {
  const wrong = (reason: MetainfoFault, detail: string): Extract<MetainfoResult, { ok: false }> => ({ ok: false, reason, detail })
  const list = info.get('files')
  const length = info.get('length')
  if (list === undefined) return isCount(length) ? { files: [{ path: name, bytes: length }] } : wrong('file-length', 'no length')
  if (length !== undefined || !Array.isArray(list)) return wrong('malformed', 'both one file and many')
  if (list.length > MAX_TORRENT_FILES) return wrong('too-many-files', `${list.length}, at most ${MAX_TORRENT_FILES}`)
  const files: TorrentFile[] = []
  const paths: string[][] = []
  for (const entry of list as readonly Bencoded[]) {
    if (!isDict(entry)) return wrong('malformed', 'a file that is none')
    // BEP 47: padding is not in a directory listing, and no file here is.
    if (entry.entries.has('attr')) return wrong('padding', 'files with attributes')
    const bytes = entry.entries.get('length')
    if (!isCount(bytes)) return wrong('file-length', 'a file without length')
    const parts = entry.entries.get('path')
    if (!Array.isArray(parts)) return wrong('path-empty', 'a file without path')
    const path = (parts as readonly Bencoded[]).map(text)
    if (path.some(p => p === undefined)) return wrong('name-character', 'a path that is not UTF-8')
    const fault = pathFault(path as string[])
    if (fault !== undefined) return wrong(fault, 'a path')
    paths.push(path as string[])
    files.push({ path: [name, ...path].join('/'), bytes })
  }
  return haveDuplicates(paths) ? wrong('duplicate-path', 'two paths are one where case does not count') : { files }
}

/** The info dictionary as a .torrent without trackers. */
export function wrapInfo (info: Uint8Array): Uint8Array {
  const head = [0x64, 0x34, 0x3a, 0x69, 0x6e, 0x66, 0x6f]
  const out = new Uint8Array(head.length + info.length + 1)
  out.set(head)
  out.set(info, head.length)
  out[out.length - 1] = 0x65
  return out
}

/** Length of a piece for so many bytes: 80 to 200 pieces where there are enough, for each costs time of its own. */
export function pieceBytesFor (bytes: number): number {
  let size = bytes < 4 * 1024 * 1024 ? 64 * 1024 : 256 * 1024
  while (size < MAX_PIECE_BYTES && bytes / size > 200) size *= 2
  return size
}

/** One file has its own name; several lie in a folder called `name`. Throws where that would be refused by others. */
export function makeMetainfo (name: string, files: readonly TorrentFile[], pieceBytes: number, hashes: Uint8Array): Metainfo {
  const bytesOf = (s: string): Uint8Array => utf8Bytes(s) ?? new Uint8Array(0)
  const entries = new Map<string, Bencoded>([['name', bytesOf(name)], ['piece length', pieceBytes], ['pieces', hashes]])
  if (files.length === 1 && files[0].path === name) entries.set('length', files[0].bytes)
  else entries.set('files', files.map(f => ({ entries: new Map<string, Bencoded>([['length', f.bytes], ['path', f.path.split('/').map(bytesOf)]]) })))
  const made = decodeMetainfo(wrapInfo(encodeBencoded({ entries })))
  if (!made.ok) throw new Error(`${made.reason}: ${made.detail}`)
  return made.value
}

/** Bytes of a piece: the last one is shorter. */
export const pieceLength = (m: Pick<Metainfo, 'pieceBytes' | 'pieces' | 'bytes'>, index: number): number =>
  index === m.pieces - 1 ? m.bytes - m.pieceBytes * index : m.pieceBytes

/** The .torrent for other clients. */
export function torrentWithTracker (info: Uint8Array, tracker: string): Uint8Array {
  const head = encodeBencoded({ entries: new Map([['announce', utf8Bytes(tracker) ?? new Uint8Array(0)]]) })
  const tail = wrapInfo(info)
  const out = new Uint8Array(head.length - 1 + tail.length - 1)
  out.set(head.subarray(0, -1))
  out.set(tail.subarray(1), head.length - 1)
  return out
}
