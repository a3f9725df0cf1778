/** Each thing that a peer may do to a swarm and no honest one does, done by hand to the real adapter: it is named, and the link ends. */
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Bencoded, encodeBencoded } from '../../../src/core/torrent/bencode.ts'
import { decodeMetainfo, makeMetainfo, wrapInfo } from '../../../src/core/torrent/metainfo.ts'
import { FALSE_HAVE_MAX, LINK_MESSAGES_BURST, MAX_METADATA_BYTES, REQUESTS_MAX, UNASKED_BYTES_MAX, UNSENT_BYTES_MAX } from '../../../src/net/swarm/bounds.ts'
import { MemoryDisk } from '../../../src/net/swarm/pieceDisk.ts'
import { WIRE_PROTOCOL } from '../../../src/net/swarm/btStream.ts'
import { MAX_LINK_MESSAGE_BYTES, type Offence, type SwarmEvent } from '../../../src/ports/swarm.ts'
import { connected, realNode, type RealNode } from './nodes.ts'
import { type Asked, BITFIELD, EXTENDED, HAVE_ALL, INTERESTED, PIECE as BLOCK, RawPeer, REJECT, UNCHOKE } from './rawPeer.ts'

const PIECE = 65_536
const PIECES = 80
/** Time runs ten times as fast for the adapter: what is slow is found out sooner. */
const now = (): number => Date.now() * 10

let victim: RealNode
let cheat: RealNode
const events: SwarmEvent[] = []
let count = 0

beforeAll(async () => {
  victim = await realNode([], undefined, now)
  cheat = await realNode([victim.address])
  await connected([victim, cheat])
  await victim.swarm.onEvent(e => { events.push(e) })
})
afterAll(async () => {
  await cheat.end()
  await victim.end()
})

async function until (what: string, holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`${what} did not happen; ${JSON.stringify(events.filter(e => e.type !== 'status').slice(-5))}`)
    await new Promise(resolve => { setTimeout(resolve, 20) })
  }
}

/** A torrent nobody has, that the victim wants. */
async function wanted (): Promise<string> {
  const hashes = new Uint8Array(20 * PIECES)
  hashes[0] = ++count
  const m = makeMetainfo('x.bin', [{ path: 'x.bin', bytes: PIECE * PIECES }], PIECE, hashes)
  await victim.swarm.follow(m.infoHash, { torrent: wrapInfo(m.info), fetch: true })
  await until('it is checked', () => events.some(e => e.type === 'status' && e.status.items.some(i => i.infoHash === m.infoHash && i.state === 'downloading')))
  return m.infoHash
}

const offenceOf = (infoHash: string): Extract<SwarmEvent, { type: 'offence' }> | undefined => events.find(e => e.type === 'offence' && e.link.infoHash === infoHash) as Extract<SwarmEvent, { type: 'offence' }> | undefined

const open = async (infoHash: string, extended?: Record<string, number>): Promise<RawPeer> => {
  const peer = await RawPeer.open(cheat, victim, infoHash, extended)
  peer.message(HAVE_ALL)
  peer.message(UNCHOKE)
  return peer
}

type Deed = (infoHash: string) => Promise<RawPeer>
/** A row per offence; one without a row does not compile. */
const DEEDS: Readonly<Record<Exclude<Offence, 'request-flood'>, Deed>> = {
  'bad-piece': async hash => {
    const peer = await open(hash)
    peer.onRequest = ({ piece, offset, length }) => { peer.piece(piece, offset, new Uint8Array(length).fill(7)) }
    return peer
  },
  'false-have': async hash => {
    const peer = await open(hash)
    peer.onRequest = asked => { peer.reject(asked) }
    return peer
  },
  // One byte of each block that was asked for, now and then.
  slow: async hash => {
    const peer = await open(hash)
    peer.onRequest = ({ piece, offset }) => { setTimeout(() => { peer.piece(piece, offset, Uint8Array.of(1)) }, 500) }
    return peer
  },
  'metadata-too-large': async hash => await open(hash, { metadata_size: MAX_METADATA_BYTES + 1 }),
  'metadata-refused': async hash => {
    // Only its name is known to the victim.
    await victim.swarm.remove(hash)
    await victim.swarm.follow(hash, { fetch: false })
    const peer = await RawPeer.open(cheat, victim, hash, { metadata_size: 100 })
    peer.onMetadata = piece => { peer.metadata(piece, new Uint8Array(100)) }
    return peer
  },
  'unasked-bytes': async hash => {
    const peer = await open(hash)
    await until('the link', () => peer.extensions.size > 0)
    for (let sent = 0; sent <= UNASKED_BYTES_MAX + PIECE && !peer.closed; sent += 16384) {
      peer.piece(PIECES - 1, 0, new Uint8Array(16384))
      if (sent % (64 * 16384) === 0) await new Promise(resolve => { setTimeout(resolve, 5) })
    }
    return peer
  },
  'message-flood': async hash => {
    const peer = await open(hash)
    await until('the link', () => peer.extensions.has('cw_receipt'))
    for (let i = 0; i < 4 * LINK_MESSAGES_BURST; i++) peer.message(EXTENDED, Uint8Array.of(peer.extensions.get('cw_receipt')!), Uint8Array.of(0))
    return peer
  },
  'message-too-large': async hash => {
    const peer = await open(hash)
    await until('the link', () => peer.extensions.has('cw_receipt'))
    peer.message(EXTENDED, Uint8Array.of(peer.extensions.get('cw_receipt')!), new Uint8Array(MAX_LINK_MESSAGE_BYTES + 1))
    return peer
  }
}

describe('a peer is caught', () => {
  test.each(Object.entries(DEEDS))('%s', async (offence, deed) => {
    const hash = await wanted()
    const peer = await deed(hash)
    await until('the offence', () => offenceOf(hash) !== undefined)
    expect(offenceOf(hash)).toMatchObject({ offence, link: { peer: cheat.name } })
    await until('the end of the link', () => peer.closed)
    await victim.swarm.remove(hash)
  })

  test('the numbers are those of the bounds', () => { expect([FALSE_HAVE_MAX, MAX_METADATA_BYTES]).toEqual([64, 4 * 1024 * 1024]) })
})

test('a message of the wire that is announced as two gigabytes is not waited for', async () => {
  const hash = await wanted()
  const peer = await open(hash)
  await until('the link', () => peer.extensions.size > 0)
  peer.raw(Uint8Array.of(0x7f, 0xff, 0xff, 0xff))
  await until('the offence', () => offenceOf(hash) !== undefined)
  expect(offenceOf(hash)).toMatchObject({ offence: 'message-too-large', link: { peer: cheat.name } })
  await until('the end of the link', () => peer.closed)
  await victim.swarm.remove(hash)
})

test('a set whose names climb is refused by name, whoever sends its metadata', async () => {
  const info = encodeBencoded({ entries: new Map<string, Bencoded>([['length', 5], ['name', new TextEncoder().encode('../../etc/passwd')], ['piece length', 16384], ['pieces', new Uint8Array(20)]]) })
  const hash = createHash('sha1').update(info).digest('hex')
  await victim.swarm.follow(hash, { fetch: false })
  const peer = await RawPeer.open(cheat, victim, hash, { metadata_size: info.length })
  peer.onMetadata = piece => { peer.metadata(piece, info) }
  await until('it fails', () => events.some(e => e.type === 'status' && e.status.items.some(i => i.infoHash === hash && i.failure === 'metainfo' && /name-separator/.test(i.detail ?? ''))))
  await victim.swarm.remove(hash)
})

test('a stream that is no wire, or about a torrent that is not followed, is ended', async () => {
  const stream = await cheat.network.streams.open(victim.name, WIRE_PROTOCOL, 5_000)
  stream.send(new Uint8Array(100).fill(0x41))
  await until('it is ended', () => stream.status !== 'open')
  const peer = await RawPeer.open(cheat, victim, 'ef'.repeat(20))
  await until('it is ended', () => peer.closed)
})

describe('a peer that asks for everything', () => {
  const BYTES = 32 * 1024 * 1024
  const BLOCK_BYTES = 16 * 1024
  let read = 0
  class CountingDisk extends MemoryDisk {
    override async read (infoHash: string, at: number, bytes: number): Promise<Uint8Array | undefined> {
      read += bytes
      return await super.read(infoHash, at, bytes)
    }
  }
  let seeder: RealNode
  let hash: string
  const offences: string[] = []

  beforeAll(async () => {
    seeder = await realNode([cheat.address], new CountingDisk(2 * BYTES))
    await connected([seeder, cheat])
    await seeder.swarm.onEvent(e => { if (e.type === 'offence') offences.push(e.offence) })
    const torrent = await seeder.swarm.share([new File([new Uint8Array(BYTES).map((_, i) => i >> 14)], 'x.bin')], 'x.bin')
    const m = decodeMetainfo(torrent)
    if (!m.ok) throw new Error(m.reason)
    hash = m.value.infoHash
    piece = m.value.pieceBytes
    await seeder.swarm.follow(hash, { torrent, fetch: true })
  })
  afterAll(async () => { await seeder.end() })

  const served = async (): Promise<{ readonly peer: RawPeer, readonly got: Array<{ readonly id: number, readonly piece: number }> }> => {
    const peer = await RawPeer.open(cheat, seeder, hash)
    const got: Array<{ readonly id: number, readonly piece: number }> = []
    let allowed = false
    peer.onMessage = (id, body) => {
      if (id === UNCHOKE) allowed = true
      if (id === BLOCK || id === REJECT) got.push({ id, piece: body.readUInt32BE() })
    }
    peer.message(BITFIELD, new Uint8Array(Math.ceil(BYTES / piece / 8)))
    // As an honest one does, once it knows what there is.
    await until('the link', () => peer.extensions.size > 0)
    peer.message(INTERESTED)
    await until('it may ask', () => allowed)
    return { peer, got }
  }
  const blocks = (pieceBytes: number): Asked[] => Array.from({ length: BYTES / BLOCK_BYTES }, (_, i) => ({ piece: Math.floor(i * BLOCK_BYTES / pieceBytes), offset: i * BLOCK_BYTES % pieceBytes, length: BLOCK_BYTES }))
  let piece = 0

  test('and takes nothing has little read for it', async () => {
    const { peer } = await served()
    read = 0
    peer.deaf()
    for (const asked of blocks(piece)) peer.request(asked)
    await new Promise(resolve => { setTimeout(resolve, 1_000) })
    expect(read).toBeGreaterThan(0)
    expect(read).toBeLessThan(BYTES / 2)
    expect(UNSENT_BYTES_MAX).toBeLessThan(BYTES / 8)
    peer.close()
  })

  test('and takes it gets all of it', async () => {
    const { peer, got } = await served()
    for (const asked of blocks(piece)) peer.request(asked)
    await until('all of it', () => got.length >= BYTES / BLOCK_BYTES)
    expect(got.every(g => g.id === BLOCK)).toBe(true)
    expect(offences).toEqual([])
    peer.close()
  })

  test('beyond the last piece, or over the end of one, is refused', async () => {
    const { peer, got } = await served()
    const last = BYTES / piece - 1
    for (const asked of [{ piece: last + 1, offset: 0, length: BLOCK_BYTES }, { piece: 0xffffffff, offset: 0, length: BLOCK_BYTES }, { piece: last, offset: piece - 100, length: BLOCK_BYTES }, { piece: last, offset: 0xffffff00, length: 1 }]) peer.request(asked)
    peer.request({ piece: last, offset: 0, length: BLOCK_BYTES })
    await until('the answers', () => got.length >= 5)
    expect(got.filter(g => g.id === REJECT).length).toBe(4)
    expect(got.find(g => g.id === BLOCK)).toMatchObject({ piece: last })
    peer.close()
  })

  test('more often than any client does is named, and its link ends', async () => {
    const { peer } = await served()
    const all = blocks(piece)
    for (let i = 0; i < 4 * REQUESTS_MAX; i++) peer.request(all[i % all.length])
    await until('the offence', () => offences.includes('request-flood'))
    await until('the end of the link', () => peer.closed)
  })
})
