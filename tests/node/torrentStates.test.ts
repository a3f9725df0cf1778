/** Model states as torrents: snapshots of more than one chunk; what lies between two is on the way from one. */
import { describe, expect, test, vi } from 'vitest'
import type { JobSpec } from '../../src/core/codec/jobSpec.ts'
import { toHex } from '../../src/core/codec/ssz.ts'
import type { Claim, Seal, TorrentOffer } from '../../src/core/codec/wire.ts'
import { hash } from '../../src/core/crypto/hash.ts'
import { CHUNK_BYTES } from '../../src/core/params.ts'
import { initialState } from '../../src/core/training/init.ts'
import type { ModelState } from '../../src/core/training/modelState.ts'
import { decodePayload, encodePayload, mergePayloads, payloadDigest, payloadSize } from '../../src/core/training/payload.ts'
import { mlp } from '../../src/core/training/shape.ts'
import { lr20At } from '../../src/core/training/schedule.ts'
import { stateBytes, stateHash, stateSize } from '../../src/core/training/stateHash.ts'
import { ANNOUNCE_MS, LIBRARY_TOPIC } from '../../src/node/libraryTable.ts'
import type { BlockRecord } from '../../src/node/parts.ts'
import { ASKED_STAYS_MS, OF_ASKED, OF_STATE } from '../../src/node/torrentShelf.ts'
import { item, view } from './libraryRig.ts'
import { holdsTorrent, type Member, type MemberOptions, TorrentWorld } from './torrentRig.ts'
import { workSpec } from './workRig.ts'

vi.setConfig({ testTimeout: 120_000 })

/** Two chunks and a bit, 5 pieces. */
const spec: JobSpec = { ...workSpec, ...mlp([8, 6000, 3]) }
const first = initialState(spec)
const world = (): TorrentWorld => new TorrentWorld(spec)

/** Seals of rounds 8 and on: each one adds the same change to the state before it. */
function path (w: TorrentWorld, rounds: number, from: ModelState = first): { readonly seals: Seal[], readonly states: ModelState[], readonly payloads: Map<string, Uint8Array> } {
  const zero = new Uint8Array(32)
  const seals: Seal[] = [{ job: w.job, round: 8, previous: zero, anchor: zero, contributions: [], stateHash: stateHash(from) }]
  const states = [from]
  const payloads = new Map<string, Uint8Array>()
  for (let round = 8; round < 8 + rounds; round++) {
    const before = states.at(-1)!
    const bytes = encodePayload(before, { ...before, biases: before.biases.map(b => b.map((x, i) => x + (i % 3) - 1)) })
    const read = decodePayload(spec, lr20At(spec, round), bytes)
    if (!read.ok) throw new Error(read.error.detail)
    const digest = payloadDigest(bytes)
    payloads.set(toHex(digest), bytes)
    states.push(mergePayloads(before, [read.value]))
    const template = {
      version: 1, chain: zero, height: 1, parent: zero, time: 0, target: 1n, bodyRoot: zero, stateRoot: zero, miner: zero, payee: zero,
      job: w.job, round, seal: zero, stateHash: stateHash(before), randomness: zero
    }
    const claim: Claim = { template, slice: 0, resultHash: zero, payloadDigest: digest, payloadBytes: bytes.length, signature: new Uint8Array(64) }
    seals.push({ job: w.job, round: round + 1, previous: zero, anchor: zero, contributions: [claim], stateHash: stateHash(states.at(-1)!) })
  }
  return { seals, states, payloads }
}

/** Holds the snapshot of round 8 and shares it. */
async function owner (w: TorrentWorld, name = 'owner', round = 8): Promise<Member> {
  const m = await w.member(name)
  await keep(w, m, round)
  return m
}

/** A seal without contributions says of any round that the state is the first one. */
async function keep (w: TorrentWorld, m: Member, round: number): Promise<void> {
  const zero = new Uint8Array(32)
  const seal = { job: w.job, round, previous: zero, anchor: zero, contributions: [], stateHash: stateHash(first) }
  expect((await m.states.sealState(spec, { seal, signatures: [] })).kind).toBe('done')
  await w.until('it is shared', () => holdsTorrent(m, OF_STATE, seal.stateHash))
}

/** A chain of one block, which seals the first state. */
function sealed (w: TorrentWorld, checked: BlockRecord['checked']): NonNullable<MemberOptions['chain']> {
  const zero = new Uint8Array(32)
  const block = { body: { transactions: [], seals: [{ seal: { job: w.job, round: 8, previous: zero, anchor: zero, contributions: [], stateHash: stateHash(first) }, signatures: [] }] }, checked }
  return { head: () => ({ ...w.head, height: 1 }), at: () => block as unknown as BlockRecord }
}

/** Asked for a round that is not 0, so that nobody draws it from the seed. */
async function found (w: TorrentWorld, m: Member, round: number, name: Uint8Array, ms = 60_000): Promise<string | undefined> {
  let got: ModelState | undefined | null = null
  void m.states.state(w.job, round, name).then(s => { got = s })
  await w.until('the search is over', () => got !== null, ms)
  return got === undefined || got === null ? undefined : toHex(stateHash(got))
}

const names = (m: Member): string[] => [...new Set(m.refused.map(r => r.peer!))].sort()

describe('a snapshot', () => {
  test('comes as the torrent that all make of it, and is served on', async () => {
    const w = world()
    expect(stateSize(spec)).toBeGreaterThan(2 * CHUNK_BYTES)
    const [a, b] = [await owner(w), await owner(w, 'second')]
    const name = stateHash(first)
    const [kept] = a.shelf.whole(OF_STATE, [name])
    expect(kept).toEqual(b.shelf.whole(OF_STATE, [name])[0])
    expect(kept).toMatchObject({ order: 8, bytes: stateSize(spec), group: w.job })
    const me = await w.member('me')
    expect(await found(w, me, 8, name)).toBe(toHex(name))
    expect([a.asked.state, b.asked.state]).toEqual([0, 0])
    expect(holdsTorrent(me, OF_STATE, name)).toBe(true)
    // Nobody announces it, so that lists are not flooded; what it is this tab knows itself.
    await w.clock.advance(2 * ANNOUNCE_MS)
    expect([a, b, me].map(m => m.library.view().items.length)).toEqual([1, 1, 1])
    expect(item(me, toHex(kept.infoHash))).toMatchObject({ state: 'complete', note: { kind: 'snapshot', job: toHex(w.job), round: 8 } })
    await w.until('it is signed for', () => view(a).receiptsIn + view(b).receiptsIn === stateSize(spec))
    await a.stop()
    await b.stop()
    const late = await w.member('late')
    expect(await found(w, late, 8, name)).toBe(toHex(name))
    expect(me.asked.state).toBe(0)
    expect(late.refused).toEqual([])
  })

  test('of another state is nobody\'s lie where only a block taken on trust says that the job has this one', async () => {
    const w = world()
    const name = stateHash(first)
    const a = await owner(w)
    for (const n of [1, 2]) await w.cheat(`other ${n}`, OF_STATE, name, bent)
    const me = await w.member('me', { chain: sealed(w, 'ledger') })
    expect(await found(w, me, 8, name)).toBe(toHex(name))
    expect(a.asked.state).toBe(0)
    expect(me.refused).toEqual([])
  })

  const bent = (() => { const b = stateBytes(first); b[4] ^= 1; return b })()
  test.each<[string, Uint8Array | undefined, (o: TorrentOffer) => Partial<TorrentOffer>, string[], string[]]>([
    ['of another state', bent, () => ({}), ['liar 1', 'liar 2'], ['state-hash']],
    ['of no state', new Uint8Array(stateSize(spec)).fill(255), () => ({}), ['liar 1', 'liar 2'], ['state-hash']],
    ['of fewer bytes than were said', bent.slice(0, 200_000), () => ({ bytes: stateSize(spec) }), ['liar 1', 'liar 2'], ['torrent-size']],
    ['larger than any', bent, () => ({ bytes: 5_000_000 }), ['liar 1', 'liar 2'], ['torrent-size']],
    // Of which job a hash is, peers may see otherwise.
    ['that cannot be of this job', bent, () => ({ bytes: 100 }), [], []],
    ['of something nobody asked for', bent, () => ({ name: hash('other') }), [], []],
    ['that never comes', undefined, () => ({ bytes: stateSize(spec) }), [], []]
  ])('is had although more peers offer a file %s', async (_, bytes, say, named, reasons) => {
    const w = world()
    const name = stateHash(first)
    const a = await owner(w)
    for (const n of [1, 2]) await w.cheat(`liar ${n}`, OF_STATE, name, bytes, say)
    const me = await w.member('me', { chain: sealed(w, 'replayed') })
    expect(await found(w, me, 8, name)).toBe(toHex(name))
    expect(a.asked.state).toBe(0)
    expect(names(me)).toEqual(named)
    expect([...new Set(me.refused.map(r => r.reason))]).toEqual(reasons)
  })

  test('of which nobody has a torrent is read chunk by chunk', async () => {
    const w = world()
    const a = await owner(w)
    await a.library.pause(toHex(a.shelf.whole(OF_STATE, [stateHash(first)])[0].infoHash))
    const me = await w.member('me')
    expect(await found(w, me, 8, stateHash(first))).toBe(toHex(stateHash(first)))
    expect(a.asked.state).toBe(3)
  })

  test('of a job is there twice at most, and of a job that is gone not at all', async () => {
    const w = world()
    let jobs = w.head.ledger.jobs
    const { seals, states, payloads } = path(w, 24)
    const m = await w.member('me', {
      chain: { head: () => ({ ...w.head, height: 1, ledger: { ...w.head.ledger, jobs } }), at: () => undefined },
      payloads: { fetch: async digest => payloads.get(toHex(digest)) }
    })
    let messages = 0
    const ear = w.hub.join('ear')
    w.hub.connect('ear', 'me')
    await ear.subscribe(LIBRARY_TOPIC, async () => { messages++; return 'accept' })
    for (const seal of seals) {
      expect((await m.states.sealState(spec, { seal, signatures: [] })).kind).toBe('done')
      if (seal.round % 8 === 0) await w.until('it is shared', () => holdsTorrent(m, OF_STATE, seal.stateHash))
    }
    const shared = (round: number): boolean => holdsTorrent(m, OF_STATE, stateHash(states[round - 8]))
    expect([8, 16, 24, 32].map(shared)).toEqual([false, false, true, true])
    expect(view(m).items.length).toBe(2)
    jobs = []
    await m.states.flush()
    expect(view(m).items.length).toBe(0)
    // Four states, a minute at most: nothing of it was worth a message of its own.
    expect(messages).toBeLessThanOrEqual(1)
  })
})

describe('a state between two snapshots', () => {
  const me = async (w: TorrentWorld, p: ReturnType<typeof path>, { name = 'me', ...over }: MemberOptions & { readonly name?: string } = {}): Promise<Member> => {
    const record = { body: { seals: p.seals.slice(1).map(seal => ({ seal, signatures: [] })) } } as unknown as BlockRecord
    return await w.member(name, {
      chain: { head: () => ({ ...w.head, height: 1 }), at: h => h === 1 ? record : undefined },
      payloads: { fetch: async digest => p.payloads.get(toHex(digest)) }, ...over
    })
  }

  test('is made of the one before it and the payloads since, while these weigh no more', async () => {
    const w = world()
    const a = await owner(w)
    const p = path(w, 3)
    expect(3 * payloadSize(spec)).toBeLessThan(stateSize(spec))
    const m = await me(w, p)
    const last = stateHash(p.states[3])
    expect(await found(w, m, 11, last)).toBe(toHex(last))
    expect(a.asked.state).toBe(0)
    expect(m.shelf.whole(OF_STATE, [stateHash(first)])[0]).toMatchObject({ order: 8, whole: 1 })
  })

  const holder = async (w: TorrentWorld, p: ReturnType<typeof path>): Promise<Member> => {
    const m = await w.member('holder', { payloads: { fetch: async digest => p.payloads.get(toHex(digest)) } })
    for (const seal of p.seals) await m.states.sealState(spec, { seal, signatures: [] })
    return m
  }

  test('is made into a torrent by who holds it where they weigh more, one of a job in half a minute', async () => {
    const w = world()
    await owner(w)
    const p = path(w, 7)
    const m = await me(w, p, { payloads: { fetch: async () => undefined } })
    const h = await holder(w, p)
    const [last, next] = [stateHash(p.states[6]), stateHash(p.states[7])]
    expect(await found(w, m, 14, last)).toBe(toHex(last))
    expect(h.asked.state).toBe(0)
    // Another is read chunk by chunk, until the first one has been here for a while.
    expect(await found(w, m, 15, next)).toBe(toHex(next))
    expect(h.asked.state).toBe(3)
    expect(holdsTorrent(h, OF_ASKED, last)).toBe(true)
    await w.clock.advance(ASKED_STAYS_MS)
    const late = await me(w, p, { name: 'late', payloads: { fetch: async () => undefined } })
    await m.stop()
    expect(await found(w, late, 15, next)).toBe(toHex(next))
    expect(h.asked.state).toBe(3)
    expect([last, next].map(name => holdsTorrent(h, OF_ASKED, name))).toEqual([false, true])
    expect([m.refused, late.refused]).toEqual([[], []])
  })

  test('of one chunk is asked for, and never a torrent', async () => {
    const small = { ...workSpec, ...mlp([8, 60, 3]) }
    const w = new TorrentWorld(small)
    const zero = new Uint8Array(32)
    const state = initialState(small)
    const a = await w.member('owner')
    const seal = { job: w.job, round: 8, previous: zero, anchor: zero, contributions: [], stateHash: stateHash(state) }
    await a.states.sealState(small, { seal, signatures: [] })
    const m = await w.member('me')
    expect(await found(w, m, 8, seal.stateHash)).toBe(toHex(seal.stateHash))
    expect(a.asked.state).toBe(1)
    expect([view(a).items.length, view(m).items.length]).toEqual([0, 0])
  })
})
