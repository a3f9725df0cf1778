/** Challenges of hosting: who holds nothing, rubbish or a part is found out; who holds it all is never blamed. */
import { describe, expect, test } from 'vitest'
import { Announcement, HostingRequest, SHARE_ALL } from '../../src/core/codec/library.ts'
import { fromHex } from '../../src/core/codec/ssz.ts'
import { drawnPiece, hostingAnswer, hostingCommitment, hostingDraw, type HostingDraw } from '../../src/core/torrent/hosting.ts'
import { ANNOUNCE_MS, HOLDER_MS, LIBRARY_TOPIC } from '../../src/node/libraryTable.ts'
import { BUSY_MAX, CHECK_AGAIN_MS, CHECK_MS, Hosting, HOSTING_DEADLINE_MS, type Standing, STILL_HERE_MS } from '../../src/node/hosting.ts'
import { BYTES_PER_MINUTE, HOSTING_AGE_MAX, HOSTING_ANSWER_MS, HOSTING_PROTOCOL, HostingAnswers, type HostingAnswersDeps, MAX_HOSTING_REQUEST_BYTES, PEER_BYTES_PER_MINUTE, READS_AT_ONCE, REQUEST_EVERY_MS, REQUESTS_BURST } from '../../src/node/hostingAnswers.ts'
import { ENOUGH_OTHERS } from '../../src/node/library.ts'
import { type PeerId, RequestError } from '../../src/ports/network.ts'
import { ManualClock } from './chainRig.ts'
import { blockAt, CHAIN, file, item, LibraryWorld, share, type Tab } from './libraryRig.ts'
import { SeededRandom } from './workRig.ts'

const HASH = 'ab'.repeat(20)
const INFO_HASH = fromHex(HASH, 20)!
const PIECES = 40
const PIECE_BYTES = 16_384
const pieceOf = (i: number): Uint8Array => new Uint8Array(PIECE_BYTES).fill(i + 1)
const RUBBISH = new Uint8Array(32).fill(7)
const never = (): Promise<never> => new Promise(() => {})

type Handler = (peer: PeerId, body: Uint8Array) => Promise<Uint8Array>

/** The side that is asked, holding `piece`. */
async function answerer (clock: ManualClock, piece: (i: number) => Promise<Uint8Array | undefined>, more: Partial<HostingAnswersDeps> = {}): Promise<Handler> {
  let handler: Handler | undefined
  const answers = new HostingAnswers({
    chain: CHAIN, clock, random: new SeededRandom(5), self: () => 'them', height: () => 100, block: blockAt,
    network: { handle: async (_protocol, _limits, h) => { handler = h; return () => {} } },
    swarm: { piece: async (_hash, i) => await piece(i) },
    served: hash => hash === HASH ? { pieces: PIECES, pieceBytes: PIECE_BYTES, bytes: PIECES * PIECE_BYTES } : undefined,
    ...more
  })
  await answers.start()
  return handler!
}

interface Desk {
  readonly clock: ManualClock
  readonly standing: () => Standing
  /** Lets one challenge come and what it came to be known; the other side announces itself meanwhile or not. */
  readonly turn: (announces?: boolean, waitMs?: number) => Promise<void>
  readonly there: { share: number, connected: boolean, heardAt: number, synced: boolean }
  readonly asked: number[]
}

/** The side that asks, with one peer that announces all of a set and answers by `handler`. */
async function desk (handler: (clock: ManualClock) => Promise<Handler> | Handler, more: { readonly piece?: (i: number) => Uint8Array | undefined } = {}): Promise<Desk> {
  const clock = new ManualClock(1_000_000)
  const there = { share: 1, connected: true, heardAt: 1_000_000, synced: true }
  const asked: number[] = []
  const say = (): void => {}
  const answer = await handler(clock)
  const hosting = new Hosting({
    chain: CHAIN, clock, random: new SeededRandom(9), self: () => 'us', height: () => 100, block: blockAt, synced: () => there.synced,
    swarm: { piece: async (_hash, i) => (more.piece ?? pieceOf)(i) }, served: () => undefined,
    log: { debug: say, info: say, warn: say, error: (_area, text) => { throw new Error(text) } },
    whole: () => [{ infoHash: HASH, metainfo: { pieces: PIECES } }], holders: () => there.share === 0 ? [] : [{ peer: 'them', share: there.share, heardAt: there.heardAt, linked: true }], onChange: say,
    network: {
      handle: async () => () => {},
      status: async () => ({ self: 'us', peers: there.connected ? [{ id: 'them', link: 'memory', direction: 'inbound', score: 0, connectedAt: 0 }] : [], relays: [], bytesIn: 0, bytesOut: 0, banned: [] }),
      request: async (_peer, protocol, body, o) => {
        expect(protocol).toBe(HOSTING_PROTOCOL)
        asked.push(clock.now())
        return await new Promise((resolve, reject) => {
          const cancel = clock.after(o.timeoutMs, () => { reject(new RequestError('timeout', 'late')) })
          answer('us', body).then(resolve, reject).finally(cancel)
        })
      }
    }
  })
  await hosting.start()
  const turn = async (announces = true, waitMs = 2 * HOSTING_DEADLINE_MS): Promise<void> => {
    hosting.soon()
    await clock.advance(waitMs)
    if (announces) there.heardAt = clock.now()
    await clock.advance(CHECK_MS)
    hosting.soon()
    await clock.advance(CHECK_AGAIN_MS)
  }
  return { clock, there, asked, turn, standing: () => hosting.of(HASH, 'them') ?? { passed: 0, failed: 0, unanswered: 0, unproven: false } }
}

const honest = (clock: ManualClock): Promise<Handler> => answerer(clock, async i => pieceOf(i))

describe('whole tabs', () => {
  /** Announces that it has all of a set, again and again, and answers as it likes. */
  async function liar (w: LibraryWorld, infoHash: string, answer: Handler, name = 'liar'): Promise<void> {
    const network = w.hub.join(name)
    for (const t of w.tabs.values()) w.hub.connect(name, t.name)
    await network.handle(HOSTING_PROTOCOL, { maxRequestBytes: MAX_HOSTING_REQUEST_BYTES, maxResponseBytes: 64, perPeerPerSecond: 100 }, answer)
    const say = (): void => {
      void network.publish(LIBRARY_TOPIC, Announcement.serialize({ items: [{ infoHash: fromHex(infoHash, 20)!, share: SHARE_ALL, note: [] }] }))
      w.clock.after(ANNOUNCE_MS, say)
    }
    say()
  }

  async function two (w: LibraryWorld): Promise<readonly [Tab, Tab, string]> {
    const [a, b] = [await w.tab('a'), await w.tab('b')]
    const f = file(300_000, 1)
    const name = await share(a, f)
    await share(b, f)
    await w.until('both hear of it', () => item(a, name)?.seeders === 1 && item(b, name)?.seeders === 1)
    return [a, b, name]
  }

  test('who has it shows it, every ten minutes and no more often', async () => {
    const w = new LibraryWorld()
    const [a, b, name] = await two(w)
    await w.clock.advance(25 * 60_000)
    for (const t of [a, b]) {
      expect(item(t, name)!.hosting).toEqual({ passed: 3, tried: 3, unproven: 0 })
      expect(item(t, name)).toMatchObject({ seeders: 1, peers: [{ hosting: { passed: 3, tried: 3, unproven: 0 } }] })
      expect(t.refused).toEqual([])
    }
  })

  test('who announces all and has nothing is no seeder, is asked last, and is one again once it shows it', async () => {
    const w = new LibraryWorld()
    const [a, , name] = await two(w)
    const asked: PeerId[][] = []
    const swarm = a.swarm as { peers: Tab['swarm']['peers'] }
    const peers = a.swarm.peers.bind(a.swarm)
    swarm.peers = async (hash, list) => { asked.push([...list]); await peers(hash, list) }
    let answer: Handler = async () => RUBBISH
    await liar(w, name, (peer, body) => answer(peer, body))
    await w.until('it is believed', () => item(a, name)?.seeders === 2)
    await w.until('it is found out', () => item(a, name)?.hosting.unproven === 1)
    expect(item(a, name)).toMatchObject({ seeders: 1, leechers: 0 })
    expect(asked.at(-1)).toEqual(['b', 'liar'])
    for (let i = 0; i < ENOUGH_OTHERS; i++) await share(await w.tab(`c${i}`), file(300_000, 1))
    await w.until('there are enough others', () => item(a, name)?.seeders === 1 + ENOUGH_OTHERS && !asked.at(-1)!.includes('liar'))
    answer = await answerer(w.clock, async i => await a.swarm.piece(name, i), { self: () => 'liar', height: () => w.height, served: () => ({ pieces: item(a, name)!.pieces, pieceBytes: item(a, name)!.pieceBytes, bytes: 300_000 }) })
    await w.until('it has shown it', () => item(a, name)?.hosting.unproven === 0, 2 * CHECK_AGAIN_MS)
    expect(item(a, name)!.seeders).toBe(2 + ENOUGH_OTHERS)
  })

  test('one whose disk has lost it is not counted in what can be had, though its link says it has all', async () => {
    const w = new LibraryWorld()
    const [a, b, name] = await two(w)
    await w.until('a whole copy is linked', () => item(a, name)!.availability.every(n => n === 1) && item(a, name)!.peers.length === 1)
    b.swarm.piece = async () => undefined
    await w.until('it is found out', () => item(a, name)!.hosting.unproven === 1, 2 * CHECK_AGAIN_MS)
    expect(item(a, name)).toMatchObject({ seeders: 0, leechers: 0, peers: [{ peer: 'b', has: 1, hosting: { unproven: 1 } }] })
    expect([...item(a, name)!.availability]).toEqual(new Array(item(a, name)!.pieces).fill(0))
  })

  test('what was found of a peer is not forgotten while it is away', async () => {
    const w = new LibraryWorld()
    const [a, , name] = await two(w)
    await liar(w, name, async () => new Uint8Array(0))
    await w.until('it says itself that it has nothing', () => item(a, name)?.hosting.unproven === 1, 4 * ANNOUNCE_MS)
    for (const t of ['a', 'b']) w.hub.disconnect('liar', t)
    await w.clock.advance(HOLDER_MS + ANNOUNCE_MS)
    expect(item(a, name)).toMatchObject({ seeders: 1, hosting: { unproven: 0 } })
    w.hub.connect('liar', 'b')
    await w.until('it is back', () => item(a, name)?.hosting.unproven === 1, 4 * ANNOUNCE_MS)
    expect(item(a, name)!.seeders).toBe(1)
  })
})

describe('liars', () => {
  const salted = async (then: () => Promise<Uint8Array>): Promise<Handler> => async (_peer, body) => HostingRequest.deserialize(body).nonce.length === 0 ? RUBBISH : await then()
  /** Turns until the claim is unproven. */
  const LIARS: ReadonlyArray<readonly [string, number, () => Promise<Handler>]> = [
    ['answers rubbish', 1, async () => await salted(async () => RUBBISH)],
    ['answers too little', 1, async () => await salted(async () => new Uint8Array(31))],
    ['answers too much', 1, async () => await salted(async () => { throw new RequestError('too-large', 'x') })],
    ['says that it is not there', 1, async () => await salted(async () => new Uint8Array(0))],
    ['says so at once', 1, async () => async () => new Uint8Array(0)],
    ['does not answer', 3, async () => await salted(never)],
    ['does not even give a salt', 3, async () => never],
    ['ends the stream', 3, async () => await salted(async () => { throw new RequestError('unreachable', 'reset') })],
    ['does not speak the protocol', 3, async () => async () => { throw new RequestError('refused', 'not served') }],
    ['is busy, always', BUSY_MAX, async () => async () => { throw new RequestError('busy', 'x') }]
  ]
  test.each(LIARS)('one that %s is found out in %i', async (_what, turns, make) => {
    const d = await desk(make)
    for (let i = 1; i < turns; i++) {
      await d.turn()
      expect(d.standing().unproven).toBe(false)
    }
    await d.turn()
    expect(d.standing()).toMatchObject({ passed: 0, unproven: true })
    // Once for each turn, twice where there was a salt.
    expect(d.asked.length).toBeLessThanOrEqual(2 * turns)
  })

  test('the answer of another holder, to the same nonce, is of no use', async () => {
    const d = await desk(async clock => await answerer(clock, async i => pieceOf(i), { self: () => 'another' }))
    await d.turn()
    expect(d.standing()).toMatchObject({ failed: 1, unproven: true })
  })

  test.each([[0.05], [0.25], [0.5], [0.9]])('one that lacks %d of the pieces is found out as often', async missing => {
    const lacks = (i: number): boolean => i < missing * PIECES
    const d = await desk(async clock => await answerer(clock, async i => lacks(i) ? undefined : pieceOf(i)))
    const turns = 200
    let foundAfter = 0
    for (let i = 1; i <= turns; i++) {
      await d.turn()
      if (foundAfter === 0 && d.standing().unproven) foundAfter = i
    }
    const { passed, failed } = d.standing()
    expect(passed + failed).toBe(turns)
    // Four standard deviations of a fair draw.
    expect(Math.abs(failed / turns - missing)).toBeLessThan(4 * Math.sqrt(missing * (1 - missing) / turns))
    // (1 - missing)^n < 1e-4 of going undetected for so long.
    expect(foundAfter).toBeLessThanOrEqual(Math.ceil(Math.log(1e-4) / Math.log(1 - missing)))
  })
})

describe('an honest one is never blamed', () => {
  const clean = { failed: 0, unanswered: 0, unproven: false }

  test('it shows every piece', async () => {
    const d = await desk(honest)
    for (let i = 0; i < 50; i++) await d.turn()
    expect(d.standing()).toMatchObject({ ...clean, passed: 50 })
  })

  test('frozen: while it is silent, and when it is back', async () => {
    let frozen = false
    const d = await desk(async clock => {
      const answer = await honest(clock)
      return async (peer, body) => frozen ? await never() : await answer(peer, body)
    })
    for (let i = 0; i < 30; i++) {
      frozen = i % 4 !== 3
      // A tab that is frozen announces nothing either; it is back long after.
      await d.turn(!frozen)
    }
    expect(d.standing()).toMatchObject({ ...clean, passed: 7 })
  })

  test('slow: its disk takes longer than there is, now and again', async () => {
    let ms = 0
    const d = await desk(async clock => await answerer(clock, async i => await new Promise(resolve => { clock.after(ms, () => { resolve(pieceOf(i)) }) })))
    for (let i = 0; i < 44; i++) {
      ms = i % 11 === 0 ? HOSTING_ANSWER_MS - 100 : 60_000
      await d.turn()
    }
    expect(d.standing()).toMatchObject({ ...clean, passed: 4 })
  })

  test('silent twice, and then not', async () => {
    let n = 0
    const d = await desk(async clock => {
      const answer = await honest(clock)
      return async (peer, body) => n % 3 === 2 ? await answer(peer, body) : await never()
    })
    for (; n < 30; n++) await d.turn()
    expect(d.standing()).toMatchObject({ passed: 10, failed: 0, unanswered: 20, unproven: false })
  })

  test('it left, or its line broke', async () => {
    const d = await desk(() => never)
    for (let i = 0; i < 10; i++) {
      d.there.share = 1
      d.there.connected = true
      const turn = d.turn()
      await Promise.resolve()
      if (i % 2 === 0) d.there.share = 0
      else d.there.connected = false
      await turn
      await d.clock.advance(STILL_HERE_MS)
    }
    expect(d.standing()).toMatchObject(clean)
    expect(d.asked.length).toBeGreaterThan(0)
  })

  test('the challenger slept: its timer fires late, and what it has heard since says nothing', async () => {
    const d = await desk(clock => async () => {
      await new Promise<void>(resolve => { clock.after(2 * HOSTING_DEADLINE_MS, resolve) })
      throw new RequestError('timeout', 'late')
    })
    const { after } = d.clock
    d.clock.after = (ms, fn) => after.call(d.clock, ms === HOSTING_DEADLINE_MS ? 60_000 : ms, fn)
    for (let i = 0; i < 5; i++) await d.turn(true, 61_000)
    expect(d.standing()).toMatchObject({ ...clean, passed: 0 })
    expect(d.asked).toHaveLength(5)
  })

  test('the challenger cannot read its own piece', async () => {
    const d = await desk(honest, { piece: () => undefined })
    for (let i = 0; i < 5; i++) await d.turn()
    expect(d.standing()).toMatchObject({ ...clean, passed: 0 })
  })

  test.each([['is not connected', { connected: false }], ['has only a part', { share: 0.99 }], ['is ahead of a tab that still catches up', { synced: false }]])('one that %s is not asked', async (_what, change) => {
    const d = await desk(honest)
    Object.assign(d.there, change)
    await d.turn()
    expect(d.asked).toEqual([])
  })

  test('it follows another branch for a while', async () => {
    let other = true
    const d = await desk(async clock => await answerer(clock, async i => pieceOf(i), { block: height => blockAt(other ? height + 1000 : height) }))
    for (let i = 0; i < BUSY_MAX - 1; i++) await d.turn()
    other = false
    await d.turn()
    expect(d.standing()).toMatchObject({ ...clean, passed: 1 })
  })
})

describe('what a stranger can make it do', () => {
  const NONCE = new Uint8Array(32).fill(3)
  const request = (change: Partial<HostingRequest> = {}): Uint8Array => HostingRequest.serialize({ chain: CHAIN, infoHash: INFO_HASH, height: 97, block: blockAt(97).hash, commitment: hostingCommitment(NONCE), nonce: [], ...change })
  const kind = async (answer: Promise<Uint8Array>): Promise<string> => await answer.then(b => b.length === 0 ? 'nothing' : 'ok', (e: unknown) => e instanceof RequestError ? e.kind : String(e))

  test.each<readonly [string, string, Uint8Array]>([
    ['nothing', 'refused', new Uint8Array(0)],
    ['a byte too many', 'refused', Uint8Array.of(...request({ nonce: [NONCE] }), 0)],
    ['two nonces', 'refused', Uint8Array.of(...request({ nonce: [NONCE] }), ...NONCE)],
    ['another network', 'refused', request({ chain: new Uint8Array(32) })],
    ['a nonce chosen afterwards', 'refused', request({ nonce: [new Uint8Array(32)] })],
    ['a set that is not here', 'nothing', request({ infoHash: new Uint8Array(20) })],
    ['a block to come', 'busy', request({ height: 101, block: blockAt(101).hash })],
    ['an old block', 'busy', request({ height: 99 - HOSTING_AGE_MAX, block: blockAt(99 - HOSTING_AGE_MAX).hash })],
    ['a block of another branch', 'busy', request({ block: blockAt(98).hash })],
    ['a salt', 'ok', request()],
    ['a piece', 'ok', request({ nonce: [NONCE] })]
  ])('%s: %s', async (_what, answer, bytes) => {
    expect(await kind((await honest(new ManualClock(0)))('us', bytes))).toBe(answer)
  })

  test('a salt is the same for the same question only; with it and the nonce the piece is fixed', async () => {
    const handler = await honest(new ManualClock(0))
    const salt = await handler('us', request())
    expect(await handler('us', request())).toEqual(salt)
    for (const other of [await handler('you', request()), await handler('us', request({ commitment: NONCE })), await handler('us', request({ height: 96, block: blockAt(96).hash }))]) expect(other).not.toEqual(salt)
    const draw = hostingDraw({ rho: blockAt(97).rho, infoHash: INFO_HASH, challenger: 'you', challenged: 'them', nonce: NONCE, salt: await handler('you', request()) })
    expect(await handler('you', request({ nonce: [NONCE] }))).toEqual(hostingAnswer(draw, pieceOf(drawnPiece(draw, PIECES))))
  })

  test('a draw hangs on everything in it', () => {
    const d: HostingDraw = { rho: blockAt(1).rho, infoHash: INFO_HASH, challenger: 'a', challenged: 'b', nonce: NONCE, salt: RUBBISH }
    const others: ReadonlyArray<Partial<HostingDraw>> = [{ rho: blockAt(2).rho }, { infoHash: new Uint8Array(20) }, { challenger: 'ab' }, { challenged: 'a', challenger: 'b' }, { nonce: RUBBISH, salt: NONCE }]
    expect(new Set([d, ...others.map(o => ({ ...d, ...o }))].map(x => Buffer.from(hostingDraw(x)).toString('hex'))).size).toBe(1 + others.length)
  })

  test('one peer asks about one set a few times, and then no more often than it may', async () => {
    const clock = new ManualClock(0)
    const handler = await honest(clock)
    for (let i = 0; i < REQUESTS_BURST; i++) expect(await kind(handler('us', request()))).toBe('ok')
    expect(await kind(handler('us', request()))).toBe('busy')
    expect(await kind(handler('you', request()))).toBe('ok')
    await clock.advance(REQUEST_EVERY_MS)
    expect(await kind(handler('us', request()))).toBe('ok')
    expect(await kind(handler('us', request()))).toBe('busy')
  })

  test('pieces are read one at a time for one peer, and few for all, also when nobody waits for them any more', async () => {
    const clock = new ManualClock(0)
    const give: Array<() => void> = []
    const handler = await answerer(clock, async i => await new Promise(resolve => { give.push(() => { resolve(pieceOf(i)) }) }))
    const ask = (peer: PeerId): Promise<string> => kind(handler(peer, request({ nonce: [NONCE] })))
    const first = [ask('p0')]
    expect(await ask('p0')).toBe('busy')
    for (let i = 1; i < READS_AT_ONCE; i++) first.push(ask(`p${i}`))
    expect(await ask('other')).toBe('busy')
    await clock.advance(HOSTING_ANSWER_MS)
    expect(await Promise.all(first)).toEqual(first.map(() => 'busy'))
    expect(await ask('other')).toBe('busy')
    for (const g of give) g()
    await clock.advance(1)
    const last = ask('other')
    await clock.advance(1)
    give.at(-1)!()
    expect(await last).toBe('ok')
    expect(give).toHaveLength(READS_AT_ONCE + 1)
  })

  test('bytes read in a minute are bounded, for one peer and for all', async () => {
    const clock = new ManualClock(0)
    let read = 0
    const pieceBytes = PEER_BYTES_PER_MINUTE / 2
    const handler = await answerer(clock, async i => { read += pieceBytes; return pieceOf(i) }, { served: () => ({ pieces: PIECES, pieceBytes, bytes: PIECES * pieceBytes }) })
    // Of another set each time: that bound is not the one meant here.
    const ask = (peer: PeerId, set: number): Promise<string> => kind(handler(peer, request({ infoHash: new Uint8Array(20).fill(set), nonce: [NONCE] })))
    expect([await ask('p', 1), await ask('p', 2), await ask('p', 3)]).toEqual(['ok', 'ok', 'busy'])
    for (let i = 0; i < 20; i++) await ask(`q${i}`, i)
    expect(read).toBe(BYTES_PER_MINUTE)
    await clock.advance(60_000)
    expect(await ask('p', 3)).toBe('ok')
  })
})
