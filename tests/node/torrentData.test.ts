/** Data sets as torrents: one torrent for all, whatever liars say; and what happens where there is none. */
import { describe, expect, test, vi } from 'vitest'
import type { JobSpec } from '../../src/core/codec/jobSpec.ts'
import { toHex } from '../../src/core/codec/ssz.ts'
import { DataResponse, type TorrentOffer, TorrentsRequest } from '../../src/core/codec/wire.ts'
import { hash } from '../../src/core/crypto/hash.ts'
import { rangeProof } from '../../src/core/crypto/merkle.ts'
import { type Dataset, packChunk, recordsOf } from '../../src/core/training/dataset.ts'
import { decodeDataFile, encodeDataFile, MAX_DATA_FILE_BYTES } from '../../src/core/training/datasetFile.ts'
import { sleep } from '../../src/node/askPeers.ts'
import { DATA_PROTOCOL, dataFor } from '../../src/node/datasets.ts'
import { RingLog } from '../../src/node/log.ts'
import { LET_DOWN_MS, STALL_MS, TorrentFetch } from '../../src/node/torrentFetch.ts'
import { OF_DATA, TORRENTS_PROTOCOL, TorrentShelf } from '../../src/node/torrentShelf.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { CHAIN, file, item, share, view } from './libraryRig.ts'
import { dataFile, holdsData, joined, type Member, packed, TorrentWorld } from './torrentRig.ts'
import { SeededRandom, smallData, workSpec } from './workRig.ts'

// Whole tabs on one thread: seconds on an idle machine, more on a busy one.
vi.setConfig({ testTimeout: 120_000 })

/** Five chunks of 1,024 records, 18 pieces. */
const data = smallData(4_500, 4_000, 3, 256)
const { root } = data.ref
const spec: JobSpec = { ...workSpec, data: data.ref }
const right = dataFile(data)

const same = (a: Dataset | undefined): boolean => a !== undefined && toHex(hash('test-data', recordsOf(a, 0, a.records))) === toHex(hash('test-data', recordsOf(data, 0, data.records)))
const holds = (m: Member) => (): boolean => m.data.held(root) !== undefined
const names = (m: Member): string[] => [...new Set(m.refused.map(r => r.peer!))].sort()
const world = (): TorrentWorld => new TorrentWorld(spec)

async function owner (w: TorrentWorld, name = 'owner'): Promise<Member> {
  const m = await w.member(name)
  await m.data.add(data)
  await w.until(`${name} shares`, () => holdsData(m, root))
  return m
}

describe('the file of a data set', () => {
  test('is the same whatever a job reads into the records, and is read back', () => {
    const other = smallData(4_500, 3_000, 3, 256)
    expect(toHex(other.ref.root)).toBe(toHex(root))
    expect(toHex(hash('test-data', dataFile(other)))).toBe(toHex(hash('test-data', right)))
    const d = decodeDataFile(right)
    expect(d.ok && toHex(joined(encodeDataFile(d.value))) === toHex(right)).toBe(true)
  })

  test.each<[string, (bytes: Uint8Array) => Uint8Array, RegExp]>([
    ['cut in the head', b => b.slice(0, 40), /begin/],
    ['of another kind', b => b.with(0, 88), /begin/],
    ['without records', b => b.map((x, i) => i >= 36 && i < 40 ? 0 : x), /0 records/],
    ['of more features than there can be', b => b.with(42, 255), /features/],
    ['cut in a chunk', b => b.slice(0, 1000), /chunk 0/],
    ['cut between chunks', b => b.slice(0, 44 + 4 + packed(data)[0].length), /before chunk 1/],
    ['with a chunk of nothing', b => b.map((x, i) => i >= 44 && i < 48 ? 0 : x), /chunk 0 of 0/],
    ['with a byte more', b => joined([b, Uint8Array.of(0)]), /1 bytes behind/],
    ['larger than any', () => new Uint8Array(MAX_DATA_FILE_BYTES + 1), /at most/]
  ])('is refused %s', (_, bend, detail) => {
    const d = decodeDataFile(bend(right))
    expect(d.ok ? 'taken' : d.error.detail).toMatch(detail)
  })
})

describe('a data set', () => {
  test('comes as the torrent that all make of it, is served on, and is receipted like any other', async () => {
    const w = world()
    const [a, b] = [await owner(w), await owner(w, 'second')]
    const [kept] = a.shelf.whole(OF_DATA, [root])
    expect(toHex(b.shelf.whole(OF_DATA, [root])[0].infoHash)).toBe(toHex(kept.infoHash))
    const me = await w.member('me')
    await w.until('it has come', holds(me))
    expect(same(me.data.held(root))).toBe(true)
    expect([a.asked.data, b.asked.data]).toEqual([0, 0])
    expect(holdsData(me, root)).toBe(true)
    expect(item(me, toHex(kept.infoHash))).toMatchObject({ state: 'complete', bytes: right.length, name: expect.stringMatching(/^Data (set|of “)/) as string, note: { kind: 'dataset' } })
    // Both have sent some, and both have it signed.
    await w.until('all of it is signed for', () => view(a).receiptsIn + view(b).receiptsIn === right.length)
    expect(Math.min(view(a).receiptsIn, view(b).receiptsIn)).toBeGreaterThan(0)
    await a.stop()
    await b.stop()
    const late = await w.member('late')
    await w.until('it goes on from there', holds(late))
    expect(me.asked.data).toBe(0)
    expect(late.refused).toEqual([])
  })

  test('is gone on with where the page was left', async () => {
    const w = world()
    const a = await owner(w)
    const before = await w.member('me')
    const infoHash = toHex(a.shelf.whole(OF_DATA, [root])[0].infoHash)
    await w.until('some of it is here', () => (item(before, infoHash)?.haveBytes ?? 0) > 0)
    const had = item(before, infoHash)!.haveBytes
    expect(had).toBeLessThan(right.length)
    await before.stop()
    await w.clock.advance(2_000)
    const after = await w.member('again', { disks: before.disks })
    await w.until('it has come', holds(after))
    expect(same(after.data.held(root))).toBe(true)
    expect(a.asked.data).toBe(0)
    // Only what was missing came.
    expect(item(after, infoHash)!.down).toBeLessThanOrEqual(right.length - had)
    expect(holdsData(after, root)).toBe(true)
    // And once more: out of storage, and offered still.
    await after.stop()
    await a.stop()
    const third = await w.member('third', { disks: before.disks })
    await w.until('it is here', () => holds(third)() && holdsData(third, root))
    expect(third.log.entries(500).filter(e => e.text.includes('is shared'))).toEqual([])
  })

  test.each<[string, Uint8Array, (o: TorrentOffer) => Partial<TorrentOffer>, string]>([
    ['of another set', dataFile(smallData(4_500, 4_000, 4, 256)), () => ({}), 'data-root'],
    ['with another root in it', right.with(10, right[10] ^ 1), () => ({}), 'data-root'],
    ['with one record changed', joined(encodeDataFile({ root, records: 4_500, features: 256, chunks: [...packed(data).slice(0, 4), packChunk(smallData(4_500, 4_000, 4, 256), 4)] })), () => ({}), 'data-root'],
    ['with a chunk packed otherwise', joined(encodeDataFile({ root, records: 4_500, features: 256, chunks: [packed(data)[1].slice(0, 400), ...packed(data).slice(1)] })), () => ({}), 'data-malformed'],
    ['that is none', new Uint8Array(200_000).fill(7), () => ({}), 'data-malformed'],
    ['of another size than was said', right.slice(0, 300_000), o => ({ bytes: o.bytes + 1 }), 'torrent-size'],
    ['larger than any', right, () => ({ bytes: MAX_DATA_FILE_BYTES + 1 }), 'torrent-size']
  ])('is had although more peers offer a file %s, and they are named', async (_, bytes, say, reason) => {
    const w = world()
    const honest = await owner(w)
    const liars = [await w.cheat('liar 1', OF_DATA, root, bytes, say), await w.cheat('liar 2', OF_DATA, root, bytes, say)]
    const me = await w.member('me')
    await w.until('it has come', holds(me))
    expect(same(me.data.held(root))).toBe(true)
    expect(names(me)).toEqual(['liar 1', 'liar 2'])
    expect([...new Set(me.refused.map(r => r.reason))]).toEqual([reason])
    expect(honest.asked.data).toBe(0)
    // Nothing of the wrong one is left.
    if (liars[0].infoHash !== toHex(me.shelf.whole(OF_DATA, [root])[0].infoHash)) expect(me.library.has(liars[0].infoHash)).toBe(false)
  })

  test('that does not come is had from the others, and nobody is named for it', async () => {
    const w = world()
    for (const n of [1, 2]) await w.cheat(`silent ${n}`, OF_DATA, root, undefined)
    await owner(w)
    const me = await w.member('me')
    const begun = w.clock.now()
    await w.until('it has come', holds(me))
    expect(w.clock.now() - begun).toBeGreaterThan(STALL_MS)
    expect(w.clock.now() - begun).toBeLessThan(2 * STALL_MS)
    expect(me.refused).toEqual([])
    expect(me.library.has('ab'.repeat(20))).toBe(false)
  })

  test('of which nobody has a torrent comes over the streams', async () => {
    const w = world()
    const bare = await w.tab('bare')
    const proofs = data.chunkRoots!
    await bare.network.handle(DATA_PROTOCOL, { maxRequestBytes: 64, maxResponseBytes: 1 << 20, perPeerPerSecond: 100 }, async (_, body) => {
      const chunk = new DataView(body.buffer, body.byteOffset).getUint32(32, true) / 1024
      return DataResponse.serialize({ records: packChunk(data, chunk), proof: rangeProof(proofs, chunk, 1) })
    })
    const me = await w.member('me')
    await w.until('it has come', holds(me))
    expect(same(me.data.held(root))).toBe(true)
    // It is a torrent from here on.
    await w.until('it is shared', () => holdsData(me, root))
  })

  test('of which only such a torrent is offered as never comes does so too', async () => {
    const w = world()
    await w.cheat('silent', OF_DATA, root, undefined)
    const bare = await w.member('bare')
    await bare.data.add(data)
    // Its torrent is not offered: the user has paused it.
    await w.until('it is shared', () => holdsData(bare, root))
    await bare.library.pause(toHex(bare.shelf.whole(OF_DATA, [root])[0].infoHash))
    const me = await w.member('me')
    await w.until('it has come', holds(me))
    expect(bare.asked.data).toBeGreaterThan(0)
    expect(me.refused).toEqual([])
  })

  test.each([
    ['a record more', { trainRecords: 4_001 }],
    ['other features', { features: 32 }],
    ['a chunk more', { trainRecords: 5_024 }],
    ['fewer classes', { classes: 2 }]
  ])('is had although an earlier job names its root with %s, and nobody is named', async (_, wrong) => {
    const w = new TorrentWorld({ ...spec, data: { ...data.ref, ...wrong } })
    const a = await owner(w)
    const me = await w.member('me')
    me.data.want(spec)
    await w.until('it has come', holds(me))
    expect(dataFor(me.data, spec)).toBeDefined()
    expect(me.refused).toEqual([])
    expect(holdsData(me, root)).toBe(true)
    await a.stop()
  })

  test('that fits no reference there is, is read once', async () => {
    const w = new TorrentWorld({ ...spec, data: { ...data.ref, classes: 2 } })
    const a = await owner(w)
    const me = await w.member('me')
    await w.clock.advance(30_000)
    expect(me.log.entries(500).filter(e => e.text.includes('not what is wanted')).length).toBe(1)
    expect([holds(me)(), me.refused, a.refused]).toEqual([false, [], []])
  })

  test('of which a torrent did not come is not waited for again, from the same peers, for some minutes', async () => {
    const w = world()
    await w.cheat('silent', OF_DATA, root, undefined)
    const me = await w.member('me')
    const tries = (): number => me.log.entries(5000).filter(e => e.text.includes('is not to be had')).length
    await w.clock.advance(LET_DOWN_MS)
    expect(tries()).toBe(1)
    await w.clock.advance(3 * STALL_MS)
    expect(tries()).toBe(2)
  })

  test('leaves what the user follows as it is, whatever a peer says it is', async () => {
    const w = world()
    const me = await w.member('me')
    const own = await share(me, file(300_000, 5))
    const other = await w.cheat('liar', OF_DATA, root, undefined, () => ({ infoHash: Uint8Array.from(own.match(/../g)!, h => parseInt(h, 16)), bytes: 300_000 }))
    await w.until('the liar is named', () => me.refused.length > 0)
    expect(names(me)).toEqual([other.name])
    expect(item(me, own)?.state).toBe('complete')
    await owner(w)
    await w.until('it has come', holds(me))
    expect(item(me, own)?.state).toBe('complete')
  })

  test.each<[string, number, readonly string[]]>([
    ['of its size, which is nobody\'s fault', 0, []],
    ['of a size that it has not, which is named', 1, ['liar']]
  ])('leaves paused what the user has paused, whatever a peer says it is: something %s', async (_, more, named) => {
    const w = world()
    const BYTES = 300_000
    const theirs = await w.tab('theirs')
    const own = await share(theirs, file(BYTES, 5))
    const me = await w.member('me')
    await w.until('it is heard of', () => item(me, own) !== undefined)
    await me.library.fetch(own)
    await w.until('it is here', () => item(me, own)?.state === 'complete')
    await me.library.pause(own)
    await w.cheat('liar', OF_DATA, root, undefined, () => ({ infoHash: Uint8Array.from(own.match(/../g)!, h => parseInt(h, 16)), bytes: BYTES + more }))
    await w.until('it was offered', () => more > 0 ? me.refused.length > 0 : me.log.entries(500).some(e => e.text.includes('(kept)')))
    await w.clock.advance(2_000)
    expect(item(me, own)?.state).toBe('paused')
    expect(names(me)).toEqual(named)
    // Others are asked, and what he paused goes on when he says so.
    await owner(w)
    await w.until('it has come', holds(me))
    expect(item(me, own)?.state).toBe('paused')
    await me.library.fetch(own)
    await w.until('it goes on', () => item(me, own)?.state === 'complete')
  })

  test('of another name that the user has begun to follow meanwhile is left to him, lie or not', async () => {
    const w = world()
    const liar = await w.cheat('liar', OF_DATA, root, dataFile(smallData(4_500, 4_000, 4, 256)))
    const me = await w.member('me')
    await w.until('it is being fetched', () => me.library.has(liar.infoHash))
    expect(await me.library.fetch(liar.infoHash)).toMatchObject({ ok: true })
    await w.until('the liar is named', () => me.refused.length > 0)
    await w.clock.advance(2_000)
    expect(item(me, liar.infoHash)?.state).toBe('complete')
  })

  test('that comes by drops is let go for its rate, long before all of it might have come so', async () => {
    const w = world()
    await owner(w)
    const { network } = await w.tab('me')
    const { clock } = w
    const storage = new MemoryStorage(new MemoryDisk())
    const log = new RingLog(clock)
    let waited = 0
    const library = {
      has: () => false, holds: () => false, discard: async () => {}, share: async () => { throw new Error('nothing is to be shared') },
      // Never a stall, and nothing like a rate.
      obtain: async (_: string, { leftMs }: { readonly leftMs: (have: number) => number }) => {
        for (let have = 0; leftMs(have) > 0; have += 100) {
          await sleep(clock, 5_000)
          waited += 5_000
        }
        return { ok: false, reason: 'withheld', detail: 'a drop now and then' } as const
      }
    }
    const torrents = new TorrentFetch({ chainId: CHAIN, shelf: new TorrentShelf({ chainId: CHAIN, library, network, storage, clock, log }), library, network, clock, random: new SeededRandom(5), blame: { refuse: () => {} }, log })
    await torrents.start()
    let over = false
    const fetch = torrents.fetch({ kind: OF_DATA, names: [root], group: root, order: () => 0, keep: 1, bytesMax: 1 << 30, fits: () => true, over: () => false, read: async () => ({ ok: true, value: undefined }) })
    void fetch.then(() => { over = true })
    await w.until('it is let go', () => over, 600_000)
    expect(await fetch).toBeUndefined()
    expect(waited).toBeGreaterThan(30_000)
    expect(waited).toBeLessThanOrEqual(65_000)
  })

  test('that no job needs any more leaves the library, and one that was taken out is not put back', async () => {
    const w = world()
    const me = await w.member('me')
    await me.data.add(data)
    const extra = [7, 8].map(salt => smallData(4_500, 4_000, salt, 256))
    for (const set of extra) {
      await me.data.add(set)
      await w.until('it is shared', () => holdsData(me, set.ref.root))
    }
    // One beside those of open jobs stays.
    await w.until('the older one is gone', () => view(me).items.length === 2)
    expect([data, ...extra].map(set => holdsData(me, set.ref.root))).toEqual([true, false, true])
    await me.library.remove(toHex(me.shelf.whole(OF_DATA, [root])[0].infoHash))
    me.data.publish(root)
    await w.clock.advance(5_000)
    expect(holdsData(me, root)).toBe(false)
    expect(view(me).items.length).toBe(1)
  })

  test('of one chunk is asked for, and shared by all who hold it', async () => {
    const small = smallData()
    const w = new TorrentWorld({ ...workSpec, data: small.ref })
    const a = await w.member('owner')
    await a.data.add(small)
    a.data.publish(small.ref.root)
    await w.until('it is shared', () => holdsData(a, small.ref.root))
    const me = await w.member('me')
    await w.until('it has come', () => me.data.held(small.ref.root) !== undefined)
    expect(a.asked.data).toBe(1)
    await w.until('it is shared by both', () => holdsData(me, small.ref.root))
    await w.until('one knows of the other', () => view(a).items[0].seeders === 1)
  })
})

describe('a request for torrents', () => {
  test('of another network, or that is none, is refused; of what is not here it is answered with nothing', async () => {
    const w = world()
    await owner(w)
    const stranger = await w.tab('stranger')
    const ask = async (body: Uint8Array): Promise<string> => {
      const answer = stranger.network.request('owner', TORRENTS_PROTOCOL, body, { timeoutMs: 400, maxResponseBytes: 1000 }).then(b => `${b.length} bytes`, (e: { kind?: string }) => e.kind ?? 'thrown')
      await w.clock.advance(500)
      return await answer
    }

    expect(await ask(TorrentsRequest.serialize({ chain: hash('other'), names: [root] }))).toBe('refused')
    expect(await ask(new Uint8Array(20))).toBe('refused')
    expect(await ask(TorrentsRequest.serialize({ chain: CHAIN, names: [hash('other')] }))).toBe('0 bytes')
    expect(await ask(TorrentsRequest.serialize({ chain: CHAIN, names: [root, root] }))).toBe('60 bytes')
  })
})
