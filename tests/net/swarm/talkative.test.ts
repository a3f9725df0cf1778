/** Peers that say too much to the real adapter, by hand: what costs this tab more than them is named, and the rest costs little. */
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { encodeBencoded } from '../../../src/core/torrent/bencode.ts'
import { MAX_PIECES, makeMetainfo, wrapInfo } from '../../../src/core/torrent/metainfo.ts'
import { EXTENDED_HANDSHAKES_MAX, METADATA_PIECE_BYTES, METADATA_REQUESTS_SPARE, WIRE_MESSAGES_BURST, WIRE_MESSAGES_PER_PIECE } from '../../../src/net/swarm/bounds.ts'
import { HeldPieces } from '../../../src/net/swarm/heldPieces.ts'
import type { SwarmEvent, SwarmLink } from '../../../src/ports/swarm.ts'
import { connected, realNode, type RealNode } from './nodes.ts'
import { BITFIELD, CHOKE, EXTENDED, HAVE_ALL, RawPeer, UNCHOKE } from './rawPeer.ts'

const HAVE = 4
const PIECE_BYTES = 1024 * 1024
let victim: RealNode
let cheat: RealNode
let count = 0
const events: SwarmEvent[] = []

beforeAll(async () => {
  victim = await realNode()
  cheat = await realNode([victim.address])
  await connected([victim, cheat])
  await victim.swarm.onEvent(e => { events.push(e) })
})
afterAll(async () => {
  await cheat.end()
  await victim.end()
})
afterEach(() => { vi.restoreAllMocks() })

async function until (what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000
  while (!await holds()) {
    if (Date.now() > deadline) throw new Error(`${what} did not happen; ${JSON.stringify(events.filter(e => e.type !== 'status').slice(-5))}`)
    await new Promise(resolve => { setTimeout(resolve, 100) })
  }
}

/** A set of so many pieces, of which the victim has none and fetches none; somebody who says hello about it. */
async function linked (pieces: number): Promise<{ readonly hash: string, readonly peer: RawPeer, readonly info: Uint8Array }> {
  const hashes = new Uint8Array(20 * pieces)
  hashes[0] = ++count
  const m = makeMetainfo('x.bin', [{ path: 'x.bin', bytes: PIECE_BYTES * pieces }], PIECE_BYTES, hashes)
  await victim.swarm.follow(m.infoHash, { torrent: wrapInfo(m.info), fetch: false })
  await until('it is checked', async () => (await victim.swarm.status()).items.some(i => i.infoHash === m.infoHash && i.state === 'downloading'))
  const peer = await RawPeer.open(cheat, victim, m.infoHash)
  await until('the link', async () => peer.extensions.size > 0)
  return { hash: m.infoHash, peer, info: m.info }
}

const offences = (hash: string): string[] => events.flatMap(e => e.type === 'offence' && e.link.infoHash === hash ? [e.offence] : [])
const linkOf = async (hash: string): Promise<SwarmLink | undefined> => (await victim.swarm.status()).items.find(i => i.infoHash === hash)?.links[0]
const bits = (pieces: number, has: (i: number) => boolean): Uint8Array => {
  const out = new Uint8Array(Math.ceil(pieces / 8))
  for (let i = 0; i < pieces; i++) if (has(i)) out[i >> 3] |= 128 >> (i & 7)
  return out
}
const number = (n: number): Uint8Array => {
  const out = new Uint8Array(4)
  new DataView(out.buffer).setUint32(0, n)
  return out
}

/** Of pieces that are told from the middle up, whoever looks whether they are all looks at half of them; from the end down, whoever looks for one that is wanted does. */
test.each([[1_600, 'up'], [1_600, 'down'], [MAX_PIECES, 'up'], [MAX_PIECES, 'down']] as const)('half of %i pieces said one by one, %s, as fast as it goes, are heard and make nobody look at all of them each time', async (pieces, order) => {
  const { hash, peer } = await linked(pieces)
  const looks = vi.spyOn(HeldPieces.prototype, 'get')
  peer.message(BITFIELD, bits(pieces, i => order === 'up' && i < pieces / 2))
  for (let i = 0; i < pieces / 2; i++) peer.message(HAVE, number(order === 'up' ? pieces / 2 + i : pieces - 1 - i))
  await until('all are heard', async () => (await linkOf(hash))?.has === (order === 'up' ? 1 : 0.5))
  // A look at every piece each time were three eighths of the square.
  expect(looks.mock.calls.length).toBeLessThan(pieces * pieces / 4)
  expect(offences(hash)).toEqual([])
  peer.close()
  await victim.swarm.remove(hash)
}, 90_000)

test('what is had is said once as a whole', async () => {
  const { hash, peer } = await linked(100)
  peer.message(BITFIELD, bits(100, i => i < 50))
  peer.message(HAVE_ALL)
  peer.message(BITFIELD, bits(100, () => true))
  peer.message(HAVE, number(99))
  await until('it is heard', async () => (await linkOf(hash))?.has === 0.51)
  expect(peer.extensions.has('lt_donthave')).toBe(false)
  expect(offences(hash)).toEqual([])
  peer.close()
  await victim.swarm.remove(hash)
})

const ask = (piece: number): Uint8Array => encodeBencoded({ entries: new Map([['msg_type', 0], ['piece', piece]]) })

test('the metadata is given to who asks for it twice', async () => {
  const { hash, peer, info } = await linked(1_600)
  let got = 0
  peer.onMessage = (id, body) => { if (id === EXTENDED && body.length > 1_000) got += body.length }
  const pieces = Math.ceil(info.length / METADATA_PIECE_BYTES)
  for (let i = 0; i < 2 * pieces; i++) peer.message(EXTENDED, Uint8Array.of(peer.extensions.get('ut_metadata')!), ask(i % pieces))
  await until('it has come', async () => got > 2 * info.length)
  expect(offences(hash)).toEqual([])
  peer.close()
  await victim.swarm.remove(hash)
})

test.each<[string, string, number, (peer: RawPeer) => void]>([
  ['the metadata on and on, and takes nothing', 'request-flood', 2 * 2 + METADATA_REQUESTS_SPARE + 1, peer => { peer.message(EXTENDED, Uint8Array.of(peer.extensions.get('ut_metadata')!), ask(0)) }],
  ['to choke and not to choke, in turns', 'message-flood', WIRE_MESSAGES_BURST + WIRE_MESSAGES_PER_PIECE * 1_600, peer => { peer.message(CHOKE); peer.message(UNCHOKE) }],
  ['a piece that there is not', 'message-flood', 2 * (WIRE_MESSAGES_BURST + WIRE_MESSAGES_PER_PIECE * 1_600), peer => { peer.message(HAVE, number(1_600)) }],
  ['nothing at all, in messages', 'message-flood', 2 * (WIRE_MESSAGES_BURST + WIRE_MESSAGES_PER_PIECE * 1_600), peer => { peer.raw(new Uint8Array(4)) }],
  ['who it is', 'message-flood', EXTENDED_HANDSHAKES_MAX, peer => { peer.message(EXTENDED, Uint8Array.of(0), encodeBencoded({ entries: new Map() })) }]
])('a peer that says %s: a %s', async (_, offence, times, say) => {
  const { hash, peer } = await linked(1_600)
  peer.deaf()
  for (let i = 0; i < times; i++) say(peer)
  await until('the offence', async () => offences(hash).length > 0)
  await until('the end of the link', async () => await linkOf(hash) === undefined)
  expect(offences(hash)).toEqual([offence])
  await victim.swarm.remove(hash)
})
