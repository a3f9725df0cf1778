/** The library of several tabs: finding, fetching, keeping within a budget, and peers that cheat. */
import { describe, expect, test } from 'vitest'
import { Announcement, SHARE_ALL, SHARE_LEFT } from '../../src/core/codec/library.ts'
import { fromHex } from '../../src/core/codec/ssz.ts'
import { noteMessage } from '../../src/core/crypto/ids.ts'
import { decodeMetainfo, torrentWithTracker } from '../../src/core/torrent/metainfo.ts'
import { MemoryDisk as PieceMemory, type PieceDisk } from '../../src/net/swarm/pieceDisk.ts'
import { announcementFault, type AnnouncementFault, writeNote } from '../../src/node/libraryNotes.ts'
import { ANNOUNCE_MS, ENOUGH_HOLDERS, HOLDER_MS, LIBRARY_TOPIC, MAX_HOLDERS, MAX_SETS_PER_PEER } from '../../src/node/libraryTable.ts'
import { SwarmError } from '../../src/ports/swarm.ts'
import { MemoryStorage } from '../../src/storage/memory.ts'
import { CHAIN, file, item, keyOf, LibraryWorld, SAID, share, view } from './libraryRig.ts'

const MIB = 1024 * 1024
const HASH = 'ab'.repeat(20)

describe('three tabs', () => {
  test('find a set by its announcement, fetch it from one another, and have the same bytes', async () => {
    const w = new LibraryWorld()
    const [a, b, c] = [await w.tab('a'), await w.tab('b'), await w.tab('c')]
    const f = file(300_000, 1)
    const name = await share(a, f)
    await w.until('all hear of it', () => item(b, name)?.state === 'found' && item(c, name)?.state === 'found')
    expect(item(b, name)).toMatchObject({ name: 'a set', bytes: 300_000, seeders: 1, note: { kind: 'file', licence: 'MIT' } })
    for (const t of [b, c]) expect(await t.library.fetch(name)).toMatchObject({ ok: true })
    await w.until('both have it', () => item(b, name)?.state === 'complete' && item(c, name)?.state === 'complete')
    const out = await c.library.open(name, item(c, name)!.files[0].path)
    expect(out.ok && Buffer.from(await out.value.arrayBuffer()).equals(Buffer.from(await f.arrayBuffer()))).toBe(true)
    expect(b.refused.concat(c.refused, a.refused)).toEqual([])
  })

  test('a magnet link or a .torrent file is enough, and what is neither is refused', async () => {
    const w = new LibraryWorld()
    const [a, b, c] = [await w.tab('a'), await w.tab('b'), await w.tab('c')]
    const name = await share(a, file(100_000, 2))
    const torrent = a.library.torrentFile(name)
    expect(await b.library.add(item(a, name)!.magnet)).toMatchObject({ ok: true })
    expect(await c.library.add(torrent.ok ? torrent.value : '')).toMatchObject({ ok: true, value: { infoHash: name } })
    await w.until('both have it', () => item(b, name)?.state === 'complete' && item(c, name)?.state === 'complete')
    for (const bad of ['', 'http://example.org', new Uint8Array(5)]) expect(await b.library.add(bad)).toMatchObject({ ok: false, errors: [{ field: 'source' }] })
  })

  test('what is followed is there again after a restart, with its pieces', async () => {
    const w = new LibraryWorld()
    const pieces = new PieceMemory(10 * MIB)
    const a = await w.tab('a')
    const b = await w.tab('b', { pieces })
    const name = await share(a, file(200_000, 3))
    await w.until('b hears of it', () => item(b, name) !== undefined)
    await b.library.fetch(name)
    await w.until('b has it', () => item(b, name)?.state === 'complete')
    await b.library.stop()
    await a.library.stop()
    const again = await w.tab('b2', { pieces, storage: b.disk })
    await w.until('b has it still', () => item(again, name)?.state === 'complete')
    expect(item(again, name)?.down).toBe(0)
  })

  test('what somebody only looks for is not offered to others, but found by who has it', async () => {
    const w = new LibraryWorld()
    const [a, b, c] = [await w.tab('a'), await w.tab('b'), await w.tab('c')]
    const invented = 'ab'.repeat(20)
    await b.library.add(invented)
    await w.clock.advance(2 * ANNOUNCE_MS)
    expect(item(a, invented)).toBeUndefined()
    const name = await share(a, file(200_000, 77))
    await c.library.add(name)
    await w.until('it is found', () => item(c, name)?.state === 'complete')
  })

  test('who leaves says so, and who is silent is forgotten', async () => {
    const w = new LibraryWorld()
    const [a, b, c] = [await w.tab('a'), await w.tab('b'), await w.tab('c')]
    const [one, two] = [await share(a, file(70_000, 4)), await share(c, file(70_000, 5))]
    await w.until('b hears of both', () => item(b, one) !== undefined && item(b, two) !== undefined)
    await a.library.stop()
    await w.until('the one is gone', () => item(b, one) === undefined)
    expect(item(b, two)).toBeDefined()
    w.hub.disconnect('c', 'b')
    w.hub.disconnect('c', 'a')
    await w.clock.advance(2 * HOLDER_MS)
    expect(item(b, two)).toBeUndefined()
  })
})

describe('within the budget', () => {
  test('what nobody asked for longest makes room, never one\'s own, never what is being fetched', async () => {
    const w = new LibraryWorld()
    const [a, b] = [await w.tab('a'), await w.tab('b')]
    await b.library.set({ budget: 16 * MIB })
    const own = await share(b, file(5 * MIB, 10))
    const names: string[] = []
    for (let i = 0; i < 3; i++) {
      names.push(await share(a, file(5 * MIB, 20 + i)))
      await w.until('b hears of it', () => item(b, names[i]) !== undefined)
      expect(await b.library.fetch(names[i])).toMatchObject({ ok: true })
      await w.until('b has it', () => item(b, names[i])?.state === 'complete')
    }
    // 5 of its own and two of the three fit; the first of the three was used longest ago.
    expect(item(b, own)?.state).toBe('complete')
    expect([names[1], names[2]].map(n => item(b, n)?.state)).toEqual(['complete', 'complete'])
    expect(item(b, names[0])?.state ?? 'found').toBe('found')
    expect(view(b).used).toBeLessThanOrEqual(16 * MIB)
    const large = await share(a, file(12 * MIB, 30))
    await w.until('b hears of it', () => item(b, large) !== undefined)
    await b.library.fetch(large)
    await w.until('it is refused', () => item(b, large)?.problem !== undefined)
    expect(item(b, large)?.problem).toMatch(/budget/)
    expect(item(b, own)?.state).toBe('complete')
  })

  test('what the node shares by itself makes room too, but what the user shares as well is his own', async () => {
    const w = new LibraryWorld()
    const a = await w.tab('a')
    await a.library.set({ budget: 16 * MIB })
    const made = async (bytes: number, seed: number): Promise<string> => {
      const out = await a.library.share([file(bytes, seed)], SAID, { evictable: true })
      if (!out.ok) throw new Error(JSON.stringify(out.errors))
      await w.until('it is served', () => item(a, out.value.infoHash)?.state === 'complete')
      return out.value.infoHash
    }
    const [first, second] = [await made(5 * MIB, 70), await made(4 * MIB, 71)]
    // The second one is his as well from here on.
    expect(await share(a, file(4 * MIB, 71))).toBe(second)
    const own = await share(a, file(7.5 * MIB, 72))
    expect([first, second, own].map(name => item(a, name) !== undefined)).toEqual([false, true, true])
    // Nor is his taken from him by the node's sharing of the same.
    expect(await made(4 * MIB, 71)).toBe(second)
    expect(await a.library.share([file(5 * MIB, 73)], SAID)).toMatchObject({ ok: false, errors: [{ field: 'files' }] })
    expect(item(a, second)).toBeDefined()
  })

  test('what the user has fetched makes room for what he fetches next, never for what the node needs, also after a reload', async () => {
    const w = new LibraryWorld()
    const pieces = new PieceMemory(64 * MIB)
    const [a, b] = [await w.tab('a'), await w.tab('b', { pieces })]
    await b.library.set({ budget: 16 * MIB })
    const [his, next] = [await share(a, file(9 * MIB, 74)), await share(a, file(10 * MIB, 75))]
    await w.until('b hears of both', () => item(b, his) !== undefined && item(b, next) !== undefined)
    await b.library.fetch(his)
    await w.until('b has it', () => item(b, his)?.state === 'complete')
    await b.library.stop()

    const again = await w.tab('b2', { pieces, storage: b.disk })
    await w.until('it is there again', () => item(again, his)?.state === 'complete')
    // Data of somebody's job, and a state that the node would share: neither finds room.
    const obtained = again.library.obtain(next, { name: 'job', bytes: 10 * MIB, peers: [a.name], stallMs: 60_000, leftMs: () => 60_000 })
    await w.clock.advance(30_000)
    expect(await obtained).toMatchObject({ ok: false, reason: 'room', detail: expect.stringMatching(/you have fetched or share/) })
    expect(await again.library.share([file(8 * MIB, 76)], SAID, { evictable: true })).toMatchObject({ ok: false, errors: [{ field: 'files' }] })
    expect(item(again, his)?.state).toBe('complete')

    await w.until('it is heard of again', () => item(again, next) !== undefined)
    expect(await again.library.fetch(next)).toMatchObject({ ok: true })
    await w.until('he has the next one', () => item(again, next)?.state === 'complete')
    expect(item(again, his)?.state ?? 'found').toBe('found')
  })

  test('the node takes nothing out of the user\'s hands: what he has paused, what stopped, and whom he gets it from', async () => {
    const w = new LibraryWorld()
    const [a, b] = [await w.tab('a'), await w.tab('b')]
    const [paused, stopped, shared] = [await share(a, file(MIB, 77)), await share(a, file(MIB, 78)), await share(b, file(MIB, 79))]
    await w.until('b hears of both', () => item(b, paused) !== undefined && item(b, stopped) !== undefined)
    for (const hash of [paused, stopped]) await b.library.fetch(hash)
    await w.until('b has both', () => item(b, paused)?.state === 'complete' && item(b, stopped)?.state === 'complete')
    await b.library.pause(paused)
    // Whom it is told to look for it at, from here on.
    const told: string[] = []
    const peers = b.swarm.peers.bind(b.swarm)
    b.swarm.peers = async (hash, names) => { told.push(...names); await peers(hash, names) }
    const obtain = async (hash: string, bytes: number): Promise<unknown> => {
      const got = b.library.obtain(hash, { name: 'job', bytes, peers: ['stranger'], stallMs: 60_000, leftMs: () => 60_000 })
      await w.clock.advance(2_000)
      return await got
    }
    expect(await obtain(paused, MIB)).toMatchObject({ ok: false, reason: 'kept' })
    expect(await obtain(paused, MIB + 1)).toMatchObject({ ok: false, reason: 'size' })
    expect(item(b, paused)?.state).toBe('paused')
    expect(await obtain(shared, MIB)).toMatchObject({ ok: true })
    b.swarm.follow = async () => { throw new Error('the disk is gone') }
    await b.library.pause(stopped)
    await b.library.fetch(stopped)
    expect(item(b, stopped)).toMatchObject({ state: 'failed', problem: 'the disk is gone' })
    expect(await obtain(stopped, MIB)).toMatchObject({ ok: false, reason: 'kept', detail: expect.stringContaining('the disk is gone') })
    expect(item(b, stopped)?.state).toBe('failed')
    expect(told).not.toContain('stranger')
  })

  test('what the user pauses while the node waits for it is not called withheld', async () => {
    const w = new LibraryWorld()
    const [a, b] = [await w.tab('a'), await w.tab('b')]
    const hash = await share(a, file(MIB, 80))
    await w.until('b hears of it', () => item(b, hash) !== undefined)
    await a.library.pause(hash)
    await b.library.fetch(hash)
    const got = b.library.obtain(hash, { name: 'job', bytes: MIB, peers: [a.name], stallMs: 5_000, leftMs: () => 5_000 })
    await w.clock.advance(1_000)
    await b.library.pause(hash)
    await w.clock.advance(10_000)
    expect(await got).toMatchObject({ ok: false, reason: 'kept' })
    expect(item(b, hash)?.state).toBe('paused')
  })

  test('two that are added at once do not get the same room', async () => {
    const w = new LibraryWorld()
    const a = await w.tab('a')
    await a.library.set({ budget: 16 * MIB })
    const both = await Promise.all([60, 61].map(async seed => await a.library.share([file(10 * MIB, seed)], SAID)))
    expect(both.map(o => o.ok).sort()).toEqual([false, true])
    expect(view(a).used).toBeLessThanOrEqual(16 * MIB)
    const torrents = await Promise.all([62, 63].map(async seed => { const t = await w.tab(`of-${seed}`); const out = t.library.torrentFile(await share(t, file(5 * MIB, seed))); return out.ok ? out.value : '' }))
    expect((await Promise.all(torrents.map(async t => await a.library.add(t)))).map(o => o.ok).sort()).toEqual([false, true])
    // What was reserved for the refused ones is free again.
    await a.library.set({ budget: 64 * MIB })
    expect(await a.library.share([file(40 * MIB, 64)], SAID)).toMatchObject({ ok: true })
  })

  test('a sharing that is cancelled leaves nothing, and its room is free', async () => {
    const w = new LibraryWorld()
    const a = await w.tab('a')
    await a.library.set({ budget: 16 * MIB })
    let seen: number | undefined
    a.library.onChange(() => {
      const { sharing } = view(a)
      if (sharing === undefined || seen !== undefined) return
      seen = sharing
      void a.library.cancelShare()
    })
    expect(await a.library.share([file(10 * MIB, 70)], SAID)).toEqual({ ok: false, errors: [{ field: 'files', message: 'it was cancelled' }] })
    expect(seen).toBeGreaterThan(0)
    expect([view(a).items, view(a).sharing, await a.swarm.stored()]).toEqual([[], undefined, []])
    expect(await a.library.share([file(10 * MIB, 71)], SAID)).toMatchObject({ ok: true })
  })

  test('a set too large for it is not fetched, not after a reload either, and stands in the way of no other', async () => {
    const w = new LibraryWorld()
    const pieces = new PieceMemory(100 * MIB)
    const a = await w.tab('a')
    const b = await w.tab('b', { pieces })
    await b.library.set({ budget: 16 * MIB })
    const [large, small] = [await share(a, file(20 * MIB, 31)), await share(a, file(MIB, 32))]
    await w.until('b hears of them', () => item(b, large) !== undefined && item(b, small) !== undefined)
    expect(await b.library.fetch(large)).toMatchObject({ ok: true })
    await w.until('it is refused', () => item(b, large)?.problem !== undefined)
    const torrent = a.library.torrentFile(small)
    expect(await b.library.add(torrent.ok ? torrent.value : '')).toMatchObject({ ok: true })
    await w.until('the small one comes', () => item(b, small)?.state === 'complete')
    // Again: it takes no second room, and nothing goes for it.
    expect(await b.library.fetch(small)).toMatchObject({ ok: true })
    await b.library.stop()
    const again = await w.tab('b2', { pieces, storage: b.disk })
    await w.until('the small one is there again', () => item(again, small)?.state === 'complete')
    await w.clock.advance(60_000)
    expect(item(again, large)).toMatchObject({ state: 'paused', haveBytes: 0, down: 0 })
    expect(await again.library.fetch(large)).toMatchObject({ ok: false, errors: [{ field: 'budget' }] })
  })

  test('what is here already takes no room twice, and what one shares oneself is one\'s own', async () => {
    const w = new LibraryWorld()
    const [a, b] = [await w.tab('a'), await w.tab('b')]
    await b.library.set({ budget: 16 * MIB })
    const files = [33, 34].map(seed => file(6 * MIB, seed))
    const names = [await share(a, files[0]), await share(a, files[1])]
    await w.until('b hears of them', () => names.every(n => item(b, n) !== undefined))
    for (const n of names) await b.library.fetch(n)
    await w.until('b has them', () => names.every(n => item(b, n)?.state === 'complete'))
    for (const n of names) expect(await b.library.fetch(n)).toMatchObject({ ok: true })
    expect(names.map(n => item(b, n)?.state)).toEqual(['complete', 'complete'])
    // There is room for one of the two again only if the other goes: the one that is not its own.
    await b.library.set({ budget: 1024 * MIB })
    expect(await share(b, files[0])).toBe(names[0])
    await b.library.set({ budget: 16 * MIB })
    const third = await share(a, file(6 * MIB, 35))
    await w.until('b hears of it', () => item(b, third) !== undefined)
    await b.library.open(names[1], item(b, names[1])!.files[0].path)
    await b.library.fetch(third)
    await w.until('b has it', () => item(b, third)?.state === 'complete')
    expect(item(b, names[0])?.state).toBe('complete')
    expect(item(b, names[1])?.state ?? 'found').toBe('found')
  })

  test.each(['the file', 'the .torrent'])('what is followed by its name alone takes %s for what belongs to it', async by => {
    const w = new LibraryWorld()
    const [a, b] = [await w.tab('a'), await w.tab('b')]
    const hash = await share(a, file(MIB, 81))
    const torrent = a.library.torrentFile(hash)
    await a.library.remove(hash)
    await b.library.add(`magnet:?xt=urn:btih:${hash}`)
    await w.clock.advance(1_000)
    expect(item(b, hash)).toMatchObject({ state: 'metadata', pieces: 0 })
    if (by === 'the file') expect(await share(b, file(MIB, 81))).toBe(hash)
    else if (torrent.ok) expect(await b.library.add(torrent.value)).toMatchObject({ ok: true })
    await w.until('it is known', () => item(b, hash)?.state === (by === 'the file' ? 'complete' : 'downloading'))
    expect(item(b, hash)).toMatchObject({ bytes: MIB, haveBytes: by === 'the file' ? MIB : 0 })
  })

  test('the trackers that a .torrent names are not kept', async () => {
    const w = new LibraryWorld()
    const [a, b] = [await w.tab('a'), await w.tab('b')]
    const name = await share(a, file(100_000, 36))
    const plain = a.library.torrentFile(name)
    if (!plain.ok) throw new Error('no .torrent')
    const m = decodeMetainfo(plain.value)
    if (!m.ok) throw new Error(m.reason)
    expect(await b.library.add(torrentWithTracker(m.value.info, 'ws://tracker.example/announce'))).toMatchObject({ ok: true })
    const kept = (await new MemoryStorage(b.disk).get('library', `item/${name}`))!
    expect(Buffer.from(kept).includes('tracker.example')).toBe(false)
    await w.until('b has it', () => item(b, name)?.state === 'complete')
  })

  test('settings out of bounds are refused', async () => {
    const a = await new LibraryWorld().tab('a')
    for (const bad of [{ budget: 1 }, { upLimit: -1 }, { downLimit: 0.5 }, { budget: Infinity }]) expect((await a.library.set(bad)).ok, JSON.stringify(bad)).toBe(false)
  })
})

describe('announcements', () => {
  /** One that holds it, among so many names that say every half minute that they do; what he says in ten minutes. */
  const saidAmong = async (names: number, o: { readonly evictable: boolean, readonly before?: number, readonly leave?: boolean }): Promise<number> => {
    const w = new LibraryWorld()
    const a = await w.tab('a')
    const listener = w.hub.join('listener')
    const others = Array.from({ length: names }, (_, i) => w.hub.join(`name ${i}`))
    for (const n of [listener, ...others]) w.hub.connect('a', (await n.status()).self)
    let said = 0
    await listener.subscribe(LIBRARY_TOPIC, async m => { if (m.origin === 'a') said++; return 'accept' })
    const shared = await a.library.share([file(200_000, 60)], SAID, o)
    if (!shared.ok) throw new Error(JSON.stringify(shared.errors))
    const bytes = Announcement.serialize({ items: [{ infoHash: fromHex(shared.value.infoHash, 20)!, share: SHARE_ALL, note: [] }] })
    for (let i = 0; i < (o.before ?? 0); i++) {
      const gone = w.hub.join(`gone ${i}`)
      w.hub.connect('a', (await gone.status()).self)
      await gone.publish(LIBRARY_TOPIC, bytes)
    }
    for (let i = 0; i < 20; i++) {
      for (const n of others) await n.publish(LIBRARY_TOPIC, bytes)
      if (o.leave === true) for (const n of others) await n.publish(LIBRARY_TOPIC, Announcement.serialize({ items: [{ infoHash: fromHex(shared.value.infoHash, 20)!, share: SHARE_LEFT, note: [] }] }))
      if (i === 2) said = 0
      await w.clock.advance(ANNOUNCE_MS / 2)
    }
    return said
  }

  test('what enough others have said lately is not said again, but for what one shares oneself', async () => {
    expect(await saidAmong(ENOUGH_HOLDERS - 1, { evictable: true })).toBeGreaterThanOrEqual(7)
    expect(await saidAmong(ENOUGH_HOLDERS, { evictable: true })).toBe(0)
    expect(await saidAmong(ENOUGH_HOLDERS, { evictable: false })).toBeGreaterThanOrEqual(7)
    // Who has left again is nobody to fetch it from.
    expect(await saidAmong(ENOUGH_HOLDERS, { evictable: true, leave: true })).toBeGreaterThanOrEqual(7)
    // Where more have it than are remembered, what is heard counts all the same: else every tab of a large network speaks.
    expect(await saidAmong(ENOUGH_HOLDERS, { evictable: true, before: MAX_HOLDERS })).toBe(0)
  })
})

describe('a disk that fails', () => {
  class FullDisk extends PieceMemory implements PieceDisk {
    /** Pieces that still find room. */
    room = 5
    override async write (infoHash: string, at: number, bytes: Uint8Array): Promise<void> {
      if (this.room-- <= 0) throw new SwarmError('full', 'no room')
      await super.write(infoHash, at, bytes)
    }
  }

  test('full: the item says so and stops, keeps what is right, and goes on when there is room', async () => {
    const w = new LibraryWorld()
    const pieces = new FullDisk(10 * MIB)
    const [a, b] = [await w.tab('a'), await w.tab('b', { pieces })]
    const name = await share(a, file(MIB, 40))
    await w.until('b hears of it', () => item(b, name) !== undefined)
    await b.library.fetch(name)
    await w.until('it fails', () => item(b, name)?.state === 'failed')
    expect(item(b, name)?.problem).toMatch(/room/)
    expect(item(b, name)?.haveBytes).toBe(5 * 65_536)
    pieces.room = 100
    expect(await b.library.fetch(name)).toMatchObject({ ok: true })
    await w.until('b has it', () => item(b, name)?.state === 'complete')
  })
})

describe('cheats', () => {
  test('one whose piece is wrong is sent away after the first, by name, and another gives the rest', async () => {
    const w = new LibraryWorld()
    const cheat = await w.tab('cheat', { tamper: (_i, bytes) => bytes.map(x => x ^ 1) })
    const victim = await w.tab('victim')
    const name = await share(cheat, file(400_000, 50))
    await w.until('it is heard of', () => item(victim, name) !== undefined)
    await victim.library.fetch(name)
    await w.until('the cheat is sent away', () => view(victim).banned.length === 1)
    expect(view(victim).banned[0]).toMatchObject({ peer: 'cheat', reason: expect.stringContaining('bad-piece') })
    expect(victim.refused).toEqual([expect.objectContaining({ what: 'piece', reason: 'bad-piece', peer: 'cheat', fatal: true })])
    const honest = await w.tab('honest')
    await share(honest, file(400_000, 50))
    await w.until('the rest comes', () => item(victim, name)?.state === 'complete')
    expect(victim.refused).toHaveLength(1)
  })

  const key = keyOf('cheat')
  const signed = (() => { const n = writeNote(CHAIN, key, HASH, 5, SAID); if (!n.ok) throw new Error(n.message); return n.value })()
  const announced = { infoHash: fromHex(HASH, 20)!, share: SHARE_ALL, note: [signed] }
  const noted = (change: Partial<typeof signed.note>): typeof announced => { const note = { ...signed.note, ...change }; return { ...announced, note: [{ note, signature: key.sign(noteMessage(note)) }] } }
  const bytes = (t: string): Uint8Array => new TextEncoder().encode(t)
  /** A row per reason; one without a row does not compile. */
  const FAULTS: Readonly<Record<AnnouncementFault, ReadonlyArray<typeof announced>>> = {
    'note-chain': [noted({ chain: new Uint8Array(32) })],
    'note-kind': [noted({ kind: 4 })],
    'note-text': [noted({ name: new Uint8Array(0) }), noted({ about: bytes('a\u202eb') }), noted({ about: bytes('a\u061cb') }), noted({ licence: Uint8Array.of(0xff) }), noted({ about: bytes('a\nb') })],
    'note-bytes': [noted({ bytes: 2 ** 53 })],
    'note-job': [noted({ round: 5 })],
    'note-parents': [noted({ parents: [new Uint8Array(20), new Uint8Array(20)] })],
    share: [{ ...announced, share: SHARE_ALL + 1 }],
    'duplicate-item': [announced, announced],
    'note-of-another': [noted({ infoHash: new Uint8Array(20) })]
  }

  test.each(Object.entries(FAULTS))('an announcement is refused: %s', (reason, items) => {
    const lists = reason === 'duplicate-item' ? [items] : items.map(i => [i])
    for (const list of lists) expect(announcementFault(CHAIN, { items: [...list] })).toBe(reason)
    expect(announcementFault(CHAIN, { items: [announced] })).toBeUndefined()
  })

  test('a note that its publisher did not sign is refused, also with a signature that is known from elsewhere', async () => {
    const w = new LibraryWorld()
    const [a, b] = [await w.tab('a'), await w.tab('b')]
    const say = async (items: ReadonlyArray<typeof announced>): Promise<void> => {
      await a.network.publish(LIBRARY_TOPIC, Announcement.serialize({ items: [...items] }))
      await w.clock.advance(100)
      await new Promise(resolve => { setImmediate(resolve) })
    }
    await say([announced])
    expect(b.refused).toEqual([])
    await say([{ ...announced, note: [{ note: { ...signed.note, about: bytes('other words') }, signature: signed.signature }] }])
    expect(b.refused).toEqual([expect.objectContaining({ what: 'announcement', reason: 'note-signature', peer: 'a' })])
    await a.network.publish(LIBRARY_TOPIC, Uint8Array.of(1, 2, 3))
    await w.clock.advance(100)
    expect(b.refused).toHaveLength(2)
  })

  test('one peer fills only its part of the table', async () => {
    const w = new LibraryWorld()
    const [a, b] = [await w.tab('a'), await w.tab('b')]
    for (let k = 0; k < 8; k++) {
      const items = Array.from({ length: 32 }, (_, i) => ({ infoHash: new Uint8Array(20).fill(k * 32 + i), share: 1, note: [] }))
      await a.network.publish(LIBRARY_TOPIC, Announcement.serialize({ items }))
      await w.clock.advance(1_000)
    }
    expect(view(b).items).toHaveLength(MAX_SETS_PER_PEER)
  })
})
