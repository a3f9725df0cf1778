/** The .torrent: infohashes as mktorrent makes them, and one input per reason for which one is refused. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type Bencoded, decodeBencoded, encodeBencoded } from '../../../src/core/torrent/bencode.ts'
import { formatMagnet, parseMagnet } from '../../../src/core/torrent/magnet.ts'
import { decodeMetainfo, makeMetainfo, MAX_METAINFO_BYTES, MAX_PIECES, MAX_TORRENT_FILES, type MetainfoFault, pieceBytesFor, torrentWithTracker, wrapInfo } from '../../../src/core/torrent/metainfo.ts'
import { nameFault, tameName } from '../../../src/core/torrent/names.ts'

interface Golden { readonly name: string, readonly log2: number, readonly files: ReadonlyArray<{ readonly path: string, readonly bytes: number, readonly seed: number }>, readonly infoHash: string }
const golden = (JSON.parse(readFileSync(new URL('../../vectors/infohashes.json', import.meta.url), 'utf8')) as { readonly torrents: readonly Golden[] }).torrents

function content (bytes: number, seed: number): Uint8Array {
  const out = new Uint8Array(bytes)
  let x = seed
  for (let i = 0; i < bytes; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0
    out[i] = x >>> 24
  }
  return out
}

test.each(golden.map(g => [g.name, g] as const))('the infohash of %s is mktorrent\'s', (_name, g) => {
  const whole = Buffer.concat(g.files.map(f => content(f.bytes, f.seed)))
  const pieceBytes = 2 ** g.log2
  const hashes: Buffer[] = []
  for (let at = 0; at < whole.length; at += pieceBytes) hashes.push(createHash('sha1').update(whole.subarray(at, at + pieceBytes)).digest())
  const made = makeMetainfo(g.name, g.files, pieceBytes, Buffer.concat(hashes))
  expect(made.infoHash).toBe(g.infoHash)
  const again = decodeMetainfo(torrentWithTracker(made.info, 'wss://example.org/announce'))
  expect(again.ok && again.value.infoHash).toBe(g.infoHash)
})

const dict = (entries: Record<string, Bencoded>): Bencoded => ({ entries: new Map(Object.entries(entries)) })
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const HASH = new Uint8Array(20)
const single = (change: Record<string, Bencoded>): Uint8Array => wrapInfo(encodeBencoded(dict({ name: bytes('n'), 'piece length': 16384, pieces: HASH, length: 5, ...change })))
const many = (...paths: string[][]): Uint8Array => {
  const { entries } = dict({ name: bytes('n'), 'piece length': 16384, pieces: HASH, files: paths.map(p => dict({ length: 1, path: p.map(bytes) })) }) as { entries: Map<string, Bencoded> }
  return wrapInfo(encodeBencoded({ entries }))
}
const named = (name: string): Uint8Array => single({ name: bytes(name) })
const without = (...keys: string[]): Uint8Array => {
  const entries = new Map<string, Bencoded>(Object.entries({ name: bytes('n'), 'piece length': 16384, pieces: HASH, length: 5 } as Record<string, Bencoded>))
  for (const k of keys) entries.delete(k)
  return wrapInfo(encodeBencoded({ entries }))
}

/** A row per reason; one without a row does not compile. */
const REFUSED: Readonly<Record<MetainfoFault, readonly Uint8Array[]>> = {
  empty: [new Uint8Array(0)],
  'too-large': [new Uint8Array(MAX_METAINFO_BYTES + 1)],
  malformed: [bytes('le'), bytes('i5e'), bytes('d4:info'), bytes('d4:infod4:name1:n4:name1:nee'), single({ files: [] }), bytes(`d4:info${'l'.repeat(40)}${'e'.repeat(40)}e`)],
  'no-info': [bytes('de'), bytes('d4:infoi5ee')],
  'no-name': [without('name'), single({ name: Uint8Array.of(0xff, 0xfe) }), single({ name: 7 })],
  'piece-length': [without('piece length'), single({ 'piece length': 0 }), single({ 'piece length': 16383 }), single({ 'piece length': 3 * 16384 }), single({ 'piece length': 2 ** 25 })],
  'piece-count': [without('pieces'), single({ pieces: new Uint8Array(19) }), single({ pieces: new Uint8Array(40) }), single({ length: 16385 })],
  'too-many-pieces': [single({ pieces: new Uint8Array(20 * (MAX_PIECES + 1)) })],
  'too-many-files': [many(...Array.from({ length: MAX_TORRENT_FILES + 1 }, (_, i) => [`f${i}`]))],
  'no-bytes': [single({ length: 0, pieces: new Uint8Array(0) })],
  'file-length': [without('length'), single({ length: -1 })],
  'duplicate-path': [many(['a'], ['A']), many(['a'], ['a', 'b']), many(['x', 'É'], ['X', 'E\u0301'])],
  padding: [wrapInfo(encodeBencoded(dict({ name: bytes('n'), 'piece length': 16384, pieces: HASH, files: [dict({ attr: bytes('p'), length: 1, path: [bytes('a')] })] })))],
  version: [wrapInfo(encodeBencoded(dict({ 'file tree': dict({}), 'meta version': 2, name: bytes('n'), 'piece length': 16384 })))],
  'name-empty': [named(''), many([''])],
  'name-too-long': [named('é'.repeat(128))],
  'name-climbs': [named('..'), named('.'), many(['..', 'etc', 'passwd'])],
  'name-separator': [named('/etc/passwd'), named('a/b'), named('..\\x'), many(['a/../../b'])],
  'name-control': [named('a\0b'), named('a\nb'), named('\u202Egnp.exe'), named('a\u061Cb'), named('\u0085')],
  'name-character': [named('a:b'), named('what?'), many(['a*'])],
  'name-reserved': [named('CON'), named('nul.txt'), named('Lpt1')],
  'name-ending': [named('a.'), named('a '), named(' a')],
  'path-empty': [many([]), wrapInfo(encodeBencoded(dict({ name: bytes('n'), 'piece length': 16384, pieces: HASH, files: [dict({ length: 1 })] })))],
  'path-too-deep': [many(new Array<string>(17).fill('a'))],
  'path-too-long': [many(new Array<string>(16).fill('a'.repeat(100)))]
}

describe('refused', () => {
  test.each(Object.entries(REFUSED))('%s', (reason, inputs) => {
    for (const input of inputs) {
      const r = decodeMetainfo(input)
      expect(r.ok ? 'accepted' : r.reason).toBe(reason)
    }
  })

  test('what none of them has is accepted', () => {
    expect(decodeMetainfo(single({})).ok).toBe(true)
    expect(decodeMetainfo(many(['a'], ['b', 'c'], ['b', 'd'])).ok).toBe(true)
  })
})

test('bencoding: one value, one encoding', () => {
  for (const text of ['i-0e', 'i01e', 'ie', 'i9007199254740993e', '01:a', '5:ab', 'd1:b0:1:a0:e', 'd1:a0:1:a0:e', 'i5', 'l', 'i5ei6e', `${'l'.repeat(20)}${'e'.repeat(20)}`]) expect(decodeBencoded(bytes(text)).ok, text).toBe(false)
  for (const text of ['i0e', 'i-7e', '0:', '3:abc', 'le', 'l1:ai2ee', 'd1:a0:1:bi1ee']) {
    const d = decodeBencoded(bytes(text))
    expect(d.ok && new TextDecoder().decode(encodeBencoded(d.value)), text).toBe(text)
  }
})

test('magnet links', () => {
  const hash = golden[0].infoHash
  expect(parseMagnet(formatMagnet(hash, 'a & b', ['wss://x/announce']))).toEqual({ infoHash: hash, name: 'a & b' })
  // A name that no torrent may have is none: it would only deceive who reads it.
  for (const name of ['../../etc/passwd', 'a\u202egpj.exe', 'con', 'a:b', '']) expect(parseMagnet(formatMagnet(hash, name)), name).toEqual({ infoHash: hash })
  expect(parseMagnet(` ${hash.toUpperCase()} `)).toEqual({ infoHash: hash })
  expect(parseMagnet('magnet:?dn=x&xt=urn:btih:ZJLNP46MGP5NVEGCF6FYGJDVTT5KEFJH')?.infoHash).toBe(hash)
  for (const bad of ['', 'magnet:?dn=x', 'magnet:?xt=urn:btih:12', 'http://x', `magnet:?xt=urn:btih:${hash}&dn=%ff`, `magnet:?xt=urn:btih:${hash}${'&a=b'.repeat(1100)}`]) expect(parseMagnet(bad), bad).toBeUndefined()
})

test('a file of any name can be shared under one that passes', () => {
  for (const wished of ['', '..', 'a/b\\c', 'CON', 'x'.repeat(500), ' . ', 'a\u202Eb', 'ok.bin', '.hidden', 'é'.repeat(200), 'nul.tar.gz']) expect(nameFault(tameName(wished)), wished).toBeUndefined()
  expect(tameName('ok.bin')).toBe('ok.bin')
})

test('80 to 200 pieces where there are enough', () => {
  for (const size of [20e6, 50e6, 200e6, 1e9, 4e9]) {
    const pieces = size / pieceBytesFor(size)
    expect(pieces).toBeGreaterThan(75)
    expect(pieces).toBeLessThan(240)
  }
})
