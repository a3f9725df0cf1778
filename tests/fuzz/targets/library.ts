/** The library: .torrent files, magnet links, names of files, what is stored of it, and the head of a wire. */
import type { Stream } from '@libp2p/interface'
import { decodeBencoded, encodeBencoded } from '../../../src/core/torrent/bencode.ts'
import { formatMagnet, parseMagnet } from '../../../src/core/torrent/magnet.ts'
import { decodeMetainfo, makeMetainfo, MAX_METAINFO_BYTES } from '../../../src/core/torrent/metainfo.ts'
import { nameFault, tameName } from '../../../src/core/torrent/names.ts'
import { readWireHead } from '../../../src/net/swarm/btStream.ts'
import { LibraryStore } from '../../../src/node/libraryStore.ts'
import type { Storage } from '../../../src/ports/storage.ts'
import { byteList, container, list, serialize, uint } from '../../support/naiveSsz.ts'
import { WIRE_SCHEMAS } from '../../support/wireSchemas.ts'
import { ManualClock } from '../../node/chainRig.ts'
import { ACCEPTED, bytesText, must, sameBytes, type Target, textBytes, words } from '../target.ts'
import { randomValue } from '../values.ts'

const TORRENTS = [
  makeMetainfo('one.bin', [{ path: 'one.bin', bytes: 70_000 }], 32_768, new Uint8Array(60)),
  makeMetainfo('set', [{ path: 'a', bytes: 5 }, { path: 'b/c', bytes: 9 }], 16_384, new Uint8Array(20))
].map(m => Uint8Array.of(...textBytes('d4:info'), ...m.info, ...textBytes('e')))

const metainfo: Target = {
  name: 'file/metainfo',
  max: 2048,
  covers: ['src/core/torrent/metainfo.ts#decodeMetainfo', 'src/core/torrent/bencode.ts#decodeBencoded'],
  dictionary: words('d', 'l', 'e', 'i0e', 'i-1e', '0:', '4:info', '4:name', '6:length', '5:files', '4:path', '12:piece length', '6:pieces', '2:..', '3:CON', '9:meta version', '4:attr'),
  seeds: () => TORRENTS,
  run: input => {
    const b = decodeBencoded(input)
    if (b.ok) must(sameBytes(encodeBencoded(b.value), input), 'what decodes encodes otherwise')
    const m = decodeMetainfo(input)
    if (!m.ok) return m.reason
    must(b.ok && m.value.info.length < MAX_METAINFO_BYTES && /^[0-9a-f]{40}$/.test(m.value.infoHash), 'a torrent without a name')
    must(m.value.hashes.length === 20 * m.value.pieces && m.value.pieces === Math.ceil(m.value.bytes / m.value.pieceBytes), 'pieces do not add up')
    for (const f of m.value.files) must(f.path.split('/').every(part => nameFault(part) === undefined), 'a path that climbs')
    return ACCEPTED
  }
}

const magnet: Target = {
  name: 'text/magnet',
  max: 512,
  covers: ['src/core/torrent/magnet.ts#parseMagnet'],
  dictionary: words('magnet:?', 'xt=urn:btih:', '&', '=', 'dn=', '%', '%20', 'ab'.repeat(20), 'A'.repeat(32)),
  seeds: () => words(`magnet:?xt=urn:btih:${'ab'.repeat(20)}&dn=a%20b`, 'cd'.repeat(20), `magnet:?xt=urn:btih:${'A2'.repeat(16)}`),
  run: input => {
    const m = parseMagnet(bytesText(input))
    if (m === undefined) return 'no magnet'
    must(/^[0-9a-f]{40}$/.test(m.infoHash), 'an infohash that is none')
    const again = parseMagnet(formatMagnet(m.infoHash, m.name ?? ''))
    must(again === undefined || again.infoHash === m.infoHash, 'another torrent')
    return ACCEPTED
  }
}

const tamed: Target = {
  name: 'text/tame-name',
  max: 256,
  covers: [],
  dictionary: words('/', '\\', '..', 'CON', 'nul.', ' ', '.', '\u202e'),
  seeds: () => words('a.bin', '../x', 'CON.txt', ' . '),
  run: input => {
    must(nameFault(tameName(bytesText(input))) === undefined, 'a name that others refuse')
    return ACCEPTED
  }
}

class OneRow implements Storage {
  value: Uint8Array = new Uint8Array(0)
  async get (): Promise<Uint8Array> { return this.value }
  async range (_store: string, query?: { readonly from?: string }): Promise<Array<readonly [string, Uint8Array]>> { return [[query?.from === 'item/' ? `item/${'ab'.repeat(20)}` : 'receipt/in/x', this.value]] }
  async keys (): Promise<string[]> { return [] }
  async commit (): Promise<void> {}
  async usage (): Promise<{ used: number, persisted: boolean }> { return { used: 0, persisted: false } }
  async close (): Promise<void> {}
}

const item = container({ torrent: byteList(MAX_METAINFO_BYTES), note: list(WIRE_SCHEMAS.SignedNote, 1), name: byteList(256), paused: uint(1), own: uint(1), addedAt: uint(8), usedAt: uint(8) })

const stored: Target = {
  name: 'stored/library',
  max: 2048,
  covers: ['src/core/codec/ssz.ts#decode ItemRecord', 'src/node/libraryStore.ts#parseSettings'],
  dictionary: words('{"budget":', '"upLimit":0', '"downLimit":0', '}', '1e999', '16777216'),
  seeds: rng => [...Array.from({ length: 4 }, () => serialize(item, { ...randomValue(item, rng) as object, torrent: TORRENTS[0] })), serialize(WIRE_SCHEMAS.SignedReceipt, randomValue(WIRE_SCHEMAS.SignedReceipt, rng)), textBytes('{"budget":16777216,"upLimit":0,"downLimit":5}')],
  run: async input => {
    const disk = new OneRow()
    disk.value = input
    let warned = 0
    const log = { debug: () => {}, info: () => {}, warn: () => { warned++ }, error: () => {} }
    const store = new LibraryStore({ storage: disk, clock: new ManualClock(0), log })
    const { settings, items } = await store.start()
    must(Number.isInteger(settings.budget) && settings.budget > 0 && settings.upLimit >= 0 && settings.downLimit >= 0, 'settings out of bounds')
    must(items.length <= 1 && Number.isFinite(store.sum('in')), 'what cannot be counted')
    return items.length > 0 || warned < 4 ? ACCEPTED : 'damaged'
  }
}

class FakeStream {
  readonly listeners = new Map<string, (event: { readonly data?: Uint8Array }) => void>()
  addEventListener (type: string, listener: (event: { readonly data?: Uint8Array }) => void): void { this.listeners.set(type, listener) }
  removeEventListener (type: string): void { this.listeners.delete(type) }
  pause (): void {}
}

const HEAD = Uint8Array.of(19, ...textBytes('BitTorrent protocol'), ...new Uint8Array(8), ...new Uint8Array(20).fill(0xab), ...new Uint8Array(20))

/** The first byte says into how large pieces the rest is cut on its way. */
const wireHead: Target = {
  name: 'net/wire-head',
  max: 128,
  covers: ['src/net/swarm/btStream.ts#readWireHead'],
  seeds: () => [1, 20, 255].map(n => Uint8Array.of(n, ...HEAD)),
  run: async input => {
    if (input.length === 0) return 'nothing'
    const stream = new FakeStream()
    const read = readWireHead(stream as unknown as Stream)
    const sent = input.slice(1)
    for (let at = 0; at < sent.length; at += Math.max(1, input[0])) stream.listeners.get('message')?.({ data: sent.subarray(at, at + Math.max(1, input[0])) })
    stream.listeners.get('close')?.({})
    const head = await read
    if (head === undefined) return 'no wire'
    must(/^[0-9a-f]{40}$/.test(head.infoHash) && sent.length >= 48 && sameBytes(sent.subarray(0, 20), HEAD.subarray(0, 20)), 'a handshake of nothing')
    return ACCEPTED
  }
}

export const libraryTargets: readonly Target[] = [metainfo, magnet, tamed, stored, wireHead]
