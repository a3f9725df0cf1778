/** What a peer may say besides blocks and requests for them: all that an honest one has to say at any speed, and little else. */
import { EventEmitter } from 'node:events'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { MAX_PIECES } from '../../../src/core/torrent/metainfo.ts'
import { EXTENDED_HANDSHAKES_MAX, LOOKS_MS, MAX_METADATA_BYTES, METADATA_PIECE_BYTES, METADATA_REQUESTS_SPARE, REQUESTS_MAX, UNSENT_BYTES_MAX, WIRE_MESSAGES_BURST, WIRE_MESSAGES_PER_PIECE, WIRE_MESSAGES_PER_SECOND } from '../../../src/net/swarm/bounds.ts'
import { HeldPieces } from '../../../src/net/swarm/heldPieces.ts'
import { Looks } from '../../../src/net/swarm/looks.ts'
import { queueMetadataRequests, RequestQueue } from '../../../src/net/swarm/requestQueue.ts'
import { Talk } from '../../../src/net/swarm/talk.ts'
import type { Torrent, Wire } from '../../../src/net/swarm/webtorrentTypes.ts'
import { FakeWire } from './wire.ts'

const [CHOKE, UNCHOKE, INTERESTED, UNINTERESTED, HAVE, BITFIELD, REQUEST, PIECE, CANCEL, ALLOWED_FAST, HAVE_ALL, HAVE_NONE, REJECT, EXTENDED] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 17, 14, 15, 16, 20]
const BLOCK = 16 * 1024

/** A talk about a set of so many pieces. */
function talk (pieces: number): { readonly wire: FakeWire, readonly floods: string[], readonly clock: { now: number } } {
  const wire = new FakeWire()
  const floods: string[] = []
  const clock = { now: 0 }
  new Talk({ wire: wire.wire, now: () => clock.now, pieces: () => pieces, during: hear => { hear() }, onFlood: detail => { floods.push(detail) } })
  return { wire, floods, clock }
}

describe('an honest peer is never too fast', () => {
  test.each([1, 1_600, MAX_PIECES])('that gets all %i pieces at once, and is interested and not in turns', pieces => {
    const { wire, floods } = talk(pieces)
    wire.say(BITFIELD)
    wire.say(UNCHOKE)
    for (let i = 0; i < pieces; i++) {
      wire.say(INTERESTED)
      wire.say(REQUEST, i, 0, BLOCK)
      wire.say(UNINTERESTED)
      wire.say(HAVE, i)
    }
    expect(floods).toEqual([])
    expect(wire.count(HAVE)).toBe(pieces)
  })

  test('that says what it has before the number of pieces is known', () => {
    const { wire, floods } = talk(0)
    for (let i = 0; i < MAX_PIECES; i++) wire.say(HAVE, i)
    expect(floods).toEqual([])
    expect(wire.count(HAVE)).toBe(MAX_PIECES)
  })

  test('that takes back what it asked for, and refuses what was asked of it', () => {
    const { wire, floods } = talk(1)
    for (let i = 0; i < 4 * WIRE_MESSAGES_BURST; i++) {
      wire.say(REQUEST, 0, i, BLOCK)
      wire.say(CANCEL, 0, i, BLOCK)
      wire.wire.request(0, i, BLOCK, () => {})
      wire.say(REJECT, 0, i, BLOCK)
    }
    expect(floods).toEqual([])
    expect(wire.count(REJECT)).toBe(4 * WIRE_MESSAGES_BURST)
  })

  test('over a day, with a choke every second, a keep-alive a minute and a message of the node each second', () => {
    const { wire, floods, clock } = talk(10)
    for (let s = 0; s < 86_400; s++) {
      clock.now += 1_000
      for (const id of [CHOKE, UNCHOKE, INTERESTED, UNINTERESTED]) wire.say(id)
      wire.say(EXTENDED, 0x03000000)
      if (s % 60 === 0) wire._onKeepAlive()
    }
    expect(floods).toEqual([])
  })

  test('and blocks are not counted', () => {
    const { wire, floods } = talk(1)
    for (let i = 0; i < 4 * WIRE_MESSAGES_BURST; i++) wire.say(PIECE, 0, 0)
    expect(floods).toEqual([])
    expect(wire.count(PIECE)).toBe(4 * WIRE_MESSAGES_BURST)
  })
})

describe('a flood is named once, and nothing more is heard of it', () => {
  const PIECES = 100
  const MOST = WIRE_MESSAGES_BURST + WIRE_MESSAGES_PER_PIECE * PIECES
  test.each<[string, (w: FakeWire) => void]>([
    ['choke and unchoke in turns', w => { w.say(w.count(UNCHOKE) < w.count(CHOKE) ? UNCHOKE : CHOKE) }],
    ['interested', w => { w.say(INTERESTED) }],
    ['a piece that is had already', w => { w.say(HAVE, 7) }],
    ['a piece that there is not', w => { w.say(HAVE, PIECES) }],
    ['a piece with a number below nothing', w => { w.say(HAVE, 0xffffffff) }],
    ['a have without a piece', w => { w.say(HAVE) }],
    ['what was never asked for is taken back', w => { w.say(CANCEL, 0, 0, BLOCK) }],
    ['what was never asked of it is refused', w => { w.say(REJECT, 0, 0, BLOCK) }],
    ['pieces that may be asked for while choked', w => { w.say(ALLOWED_FAST, 1) }],
    ['bitfields', w => { w.say(BITFIELD, 0) }],
    ['all of it', w => { w.say(HAVE_ALL) }],
    ['messages of no kind', w => { w.say(99) }],
    ['messages to extensions', w => { w.say(EXTENDED, 0x02000000) }],
    ['keep-alives', w => { w._onKeepAlive() }]
  ])('%s', (_, say) => {
    const { wire, floods, clock } = talk(PIECES)
    wire.say(HAVE, 7)
    for (let i = 0; i < MOST; i++) say(wire)
    expect(floods).toEqual([])
    for (let i = 0; i < MOST; i++) say(wire)
    expect(floods.length).toBe(1)
    const heard = [...wire.heard.values()].reduce((n, m) => n + m, 0)
    expect(heard).toBeLessThanOrEqual(MOST + 1)
    clock.now += 60_000
    say(wire)
    expect([...wire.heard.values()].reduce((n, m) => n + m, 0)).toBe(heard)
  })

  test('what was said is forgotten at the rate that goes on', () => {
    const { wire, floods, clock } = talk(0)
    for (let i = 0; i < WIRE_MESSAGES_BURST; i++) wire.say(INTERESTED)
    clock.now += 1_000
    for (let i = 0; i < WIRE_MESSAGES_PER_SECOND; i++) wire.say(INTERESTED)
    expect(floods).toEqual([])
    wire.say(INTERESTED)
    expect(floods.length).toBe(1)
  })

  test('extended handshakes', () => {
    const { wire, floods } = talk(PIECES)
    for (let i = 0; i < 3 * EXTENDED_HANDSHAKES_MAX; i++) wire.say(EXTENDED, 0)
    expect(floods).toEqual([expect.stringContaining('handshakes')])
    expect(wire.count(256)).toBe(EXTENDED_HANDSHAKES_MAX)
  })
})

describe('what a peer has', () => {
  test('is said once as a whole; that it has nothing may come before it', () => {
    const { wire } = talk(100)
    for (const id of [HAVE_NONE, HAVE_NONE, BITFIELD, BITFIELD, HAVE_ALL, HAVE_NONE]) wire.say(id)
    expect(wire.lists).toEqual(['none', 'bitfield'])
  })

  test('is not taken back: the extension for that is not offered', () => {
    expect(talk(100).wire.extendedMapping).toEqual({ 1: 'ut_metadata' })
  })

  test.each([1, 8, 13, 1_600])('is all of %i pieces only once it is, and the list is not looked through before', pieces => {
    const bytes = Math.ceil(pieces / 8)
    const held = new HeldPieces(() => pieces)
    expect(held.buffer.length).toBe(0)
    for (let i = 0; i < pieces; i++) {
      held.set(i)
      held.set(i)
      // WebTorrent goes through it where it is as long as its own list.
      expect(held.buffer.length === bytes).toBe(i === pieces - 1)
    }
    expect([held.get(-1), held.get(0), held.get(pieces - 1), held.get(pieces), held.get(MAX_PIECES)]).toEqual([false, true, true, false, false])
    held.set(0, false)
    expect(held.buffer.length).not.toBe(bytes)
    expect(new HeldPieces(() => pieces, held.buffer.slice(0, 0)).buffer.length).not.toBe(bytes)
    expect(new HeldPieces(() => pieces, new Uint8Array(MAX_PIECES).fill(255)).buffer.length).toBe(bytes)
  })
})

describe('a torrent looks at what peers say', () => {
  beforeEach(() => { vi.useFakeTimers() })
  afterEach(() => { vi.useRealTimers() })

  test('as soon as the first one says it, and at what follows together', () => {
    const looked: string[] = []
    const torrent = { destroyed: false, _updateWireInterest: (w: Wire) => { looked.push((w as unknown as { name: string }).name) }, _update: () => { looked.push('requests') } } as unknown as Torrent
    const [a, b, gone] = ['a', 'b', 'gone'].map(name => ({ name, destroyed: name === 'gone' }) as unknown as Wire)
    const looks = new Looks(torrent)
    const say = (w: Wire): void => { looks.during(() => { torrent._update(); torrent._updateWireInterest(w) }) }
    say(a)
    expect(looked).toEqual(['a', 'requests'])
    for (let i = 0; i < 65_536; i++) for (const w of [a, b, gone]) say(w)
    expect(looked.length).toBe(2)
    vi.advanceTimersByTime(LOOKS_MS)
    expect(looked.slice(2)).toEqual(['a', 'b', 'requests'])
    // What nobody has said is looked at as before.
    torrent._updateWireInterest(a)
    torrent._update()
    expect(looked.slice(5)).toEqual(['a', 'requests'])
    vi.advanceTimersByTime(10 * LOOKS_MS)
    expect(looked.length).toBe(7)
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('the metadata', () => {
  beforeEach(() => { vi.useFakeTimers() })
  afterEach(() => { vi.useRealTimers() })

  /** Of so many pieces; what is asked for and answered waits until the other side takes it. */
  function seeder (pieces: number): { readonly wire: FakeWire, readonly answered: number[], readonly floods: string[], ask (piece: unknown): void } {
    const wire = new FakeWire()
    const answered: number[] = []
    const floods: string[] = []
    wire.ut_metadata = Object.assign(new EventEmitter(), {
      _metadataComplete: true, _metadataSize: pieces * METADATA_PIECE_BYTES - 5,
      _onRequest (piece: number) {
        answered.push(piece)
        wire._readableState.buffered += METADATA_PIECE_BYTES
      }
    })
    queueMetadataRequests(wire.wire, detail => { floods.push(detail) })
    return { wire, answered, floods, ask: piece => { wire.ut_metadata!._onRequest(piece as number) } }
  }
  const MOST = MAX_METADATA_BYTES / METADATA_PIECE_BYTES

  test('of any size is given whole to one who takes it, twice', () => {
    const { wire, answered, floods, ask } = seeder(MOST)
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < MOST; i++) ask(i)
      expect(wire._readableState.buffered).toBeLessThan(UNSENT_BYTES_MAX + METADATA_PIECE_BYTES)
      for (let t = 0; t < 10; t++) {
        wire._readableState.buffered = 0
        vi.advanceTimersByTime(25)
      }
    }
    expect(floods).toEqual([])
    expect(answered).toEqual([0, 1].flatMap(() => Array.from({ length: MOST }, (_, i) => i)))
    expect(vi.getTimerCount()).toBe(0)
  })

  test('asked for again and again is a flood, and no more than 2 MiB of it wait for one who takes nothing', () => {
    const { wire, answered, floods, ask } = seeder(MOST)
    for (let i = 0; i < 10_000; i++) ask(i % MOST)
    vi.advanceTimersByTime(1_000)
    expect(floods).toEqual([`more than ${2 * MOST + METADATA_REQUESTS_SPARE} requests for ${MOST} pieces of metadata`])
    expect(answered.length).toBe(UNSENT_BYTES_MAX / METADATA_PIECE_BYTES)
    wire.destroyed = true
    wire.emit('close')
    expect(vi.getTimerCount()).toBe(0)
  })

  test('has whole pieces from the first to the last, and no others', () => {
    const { answered, ask } = seeder(3)
    for (const piece of [-1, 3, 0.5, NaN, '0', new Uint8Array(1), undefined, 2]) ask(piece)
    expect(answered).toEqual([2])
  })
})

describe('requests that wait', () => {
  test('are taken back one by one, and answered in order', () => {
    const wire = new FakeWire()
    new RequestQueue(wire.wire, () => { throw new Error('no flood') })
    wire._readableState.buffered = UNSENT_BYTES_MAX
    for (let i = 0; i < REQUESTS_MAX - 1; i++) wire._onRequest(i, 0, BLOCK)
    wire._onRequest(5, 0, BLOCK)
    for (let i = 0; i < REQUESTS_MAX - 1; i += 2) wire._onCancel(i, 0, BLOCK)
    // Of two that are the same the second one stays.
    wire._onCancel(5, 0, BLOCK)
    // Not here any more: the wire's own affair.
    wire._onCancel(6, 0, BLOCK)
    expect(wire.cancelled).toEqual([6])
    wire._readableState.buffered = 0
    wire.emit('upload')
    expect(wire.read.slice(0, 4)).toEqual([1, 3, 7, 9])
    expect([wire.read.length, wire.read.at(-1)]).toEqual([REQUESTS_MAX / 2 - 1, 5])
    wire.destroyed = true
    wire.emit('close')
  })
})
