/** States and data sets from peers: some lie, some stop in the middle, pages are reloaded. */
import { describe, expect, test, vi } from 'vitest'
import type { JobSpec } from '../../src/core/codec/jobSpec.ts'
import { decode, toHex, ZERO32 } from '../../src/core/codec/ssz.ts'
import { DataRequest, DataResponse, StateListRequest, StateListResponse, StateRequest } from '../../src/core/codec/wire.ts'
import { genesis } from '../../src/core/consensus/chain.ts'
import { hash, u32le } from '../../src/core/crypto/hash.ts'
import { CHUNK_BYTES } from '../../src/core/params.ts'
import { datasetFromCsv } from '../../src/core/training/csv.ts'
import { type Dataset, newDataset, packChunk, recordsOf, recordsPerChunk } from '../../src/core/training/dataset.ts'
import { initialState } from '../../src/core/training/init.ts'
import { decodePayload, encodePayload, mergePayloads, payloadDigest } from '../../src/core/training/payload.ts'
import { lr20At } from '../../src/core/training/schedule.ts'
import { stateBytes, stateHash, stateSize } from '../../src/core/training/stateHash.ts'
import { dataFor, DATA_PROTOCOL, Datasets } from '../../src/node/datasets.ts'
import type { BlockRecord } from '../../src/node/parts.ts'
import { Payloads } from '../../src/node/payloads.ts'
import { SliceCounter } from '../../src/node/sliceCounter.ts'
import { RENEW_BLOCKS } from '../../src/node/duties.ts'
import { STATE_PROTOCOL } from '../../src/node/stateChunks.ts'
import { STATES_PROTOCOL, States } from '../../src/node/states.ts'
import { SNAPSHOTS_PER_JOB, Snapshots } from '../../src/node/snapshots.ts'
import type { Network } from '../../src/ports/network.ts'
import { StorageError, type StorageOp } from '../../src/ports/storage.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { gatedStorage } from './chainRig.ts'
import { JOB, NOTHING, place } from './fetchRig.ts'
import { noTorrents, smallData, TestCompute, workParams, workSpec } from './workRig.ts'
import { mlp } from '../../src/core/training/shape.ts'

// Whole nodes on one thread: seconds on an idle machine, more on a busy one.
vi.setConfig({ testTimeout: 120_000 })

/** Takes deletions always, and the rest while it is not full. */
class SmallDisk extends MemoryStorage {
  full = false
  override async commit (ops: readonly StorageOp[]): Promise<void> {
    if (this.full && ops.some(o => o.op === 'put')) throw new StorageError('full', 'no room')
    await super.commit(ops)
  }
}

test('what makes room leaves a full disk though what is new finds none there: payloads that are outlived, states beyond the bound', async () => {
  const p = place()
  const storage = new SmallDisk(new MemoryDisk())
  let height = 10
  const payloads = new Payloads({ storage, network: p.net, clock: p.clock, random: p.random, blame: p.blame, log: p.log, height: () => height, historyBlocks: 96 })
  await payloads.start()
  const put = async (n: number): Promise<void> => { const b = new Uint8Array(1_000).fill(n); await payloads.put(payloadDigest(b), b, { job: JOB, round: 1 }) }
  for (let n = 0; n < 5; n++) await put(n)
  storage.full = true
  height = 200
  await put(5)
  storage.full = false
  await put(6)
  expect([(await storage.keys('payloads')).length, payloads.bytesHeld]).toEqual([1, 1_000])
  const state = initialState(workSpec)
  const snapshots = new Snapshots(storage, p.log, 3 * stateBytes(state).length)
  await snapshots.start()
  for (let n = 1; n <= 5; n++) {
    for (const full of [true, false]) {
      storage.full = full
      await snapshots.save({ job: toHex(JOB), round: 8 * n, stateHash: toHex(hash('test-snapshot', u32le(n))) }, state)
    }
  }
  expect([(await storage.keys('states')).length, snapshots.rounds(toHex(JOB))]).toEqual([3, [24, 32, 40]])
})

describe('states', () => {
  // Two chunks and a bit.
  const spec: JobSpec = { ...workSpec, ...mlp([8, 6000, 3]) }
  /** Another shape with as many bytes. */
  const other: JobSpec = { ...workSpec, ...mlp([11, 4800, 3]), seed: hash('test-other') }
  const head = genesis(workParams, spec)
  const state = { ...initialState(spec), activationExponents: Int32Array.of(5) }
  const wanted = stateHash(state)
  const bytes = stateBytes(state)
  const benchmark = head.ledger.jobs[0].id
  const top = { ...head, height: 1 }

  const chunkOf = (from: Uint8Array) => (body: Uint8Array): Uint8Array => {
    const r = decode(StateRequest, body, 68)
    return r.ok && toHex(r.value.stateHash) === toHex(wanted) ? from.slice(r.value.offset, r.value.offset + CHUNK_BYTES) : NOTHING
  }

  /** A block that was redone here and seals the state for its job. */
  const sealing = { body: { transactions: [], seals: [{ seal: { job: benchmark, round: 7, contributions: [], stateHash: wanted } }] }, checked: 'replayed' } as unknown as BlockRecord
  const make = (p: ReturnType<typeof place>, disk = new MemoryDisk(), block: BlockRecord | undefined = sealing, payload?: Uint8Array): States => new States({
    storage: new MemoryStorage(disk), network: p.net, compute: new TestCompute(p.clock), clock: p.clock, random: p.random, blame: p.blame, log: p.log,
    payloads: { get: async () => payload, fetch: async () => payload },
    chain: { head: () => top, at: () => block }, historyBlocks: 96, torrents: noTorrents, synced: () => true
  })

  test('are read chunk by chunk; who lies is named, who stops is followed by another', async () => {
    const p = place()
    const states = make(p)
    await states.start()
    expect(stateSize(spec)).toBeGreaterThan(2 * CHUNK_BYTES)
    const bent = bytes.slice()
    bent[2 * CHUNK_BYTES + 4] ^= 1
    await p.peer('liar', STATE_PROTOCOL, chunkOf(bent))
    const quitter = await p.peer('quitter', STATE_PROTOCOL, body => { const r = decode(StateRequest, body, 68); return r.ok && r.value.offset === 0 ? chunkOf(bytes)(body) : NOTHING })
    const rich = await p.peer('rich', STATE_PROTOCOL, chunkOf(bytes))
    const got = await p.during(60_000, states.state(benchmark, 7, wanted))
    expect(toHex(stateHash(got!))).toBe(toHex(wanted))
    expect(quitter.asked + rich.asked).toBeGreaterThan(0)
    // Whatever the order in which they were asked, only the liar can have been named.
    expect((await p.net.status()).banned.every(b => b.id === 'liar')).toBe(true)
    // Now it is in memory.
    const { asked } = rich
    expect(await states.state(benchmark, 7, wanted)).toBe(got)
    expect(rich.asked).toBe(asked)
  })

  test('from a lone liar are not taken', async () => {
    const p = place()
    const states = make(p)
    await states.start()
    const bent = bytes.slice()
    bent[4] ^= 1
    await p.peer('liar', STATE_PROTOCOL, chunkOf(bent))
    expect(await p.during(60_000, states.state(benchmark, 7, wanted))).toBeUndefined()
    expect(p.refusals()).toEqual(['state does not have its hash'])
    expect((await p.net.status()).banned.map(b => b.id)).toEqual(['liar'])
  })

  test('that no work redone here says the job has are taken if they are right, and nobody is named if they are not', async () => {
    for (const block of [{ ...sealing, checked: 'ledger' as const }, { ...sealing, body: { transactions: [], seals: [] } }]) {
      const p = place()
      const states = make(p, new MemoryDisk(), block)
      await states.start()
      // Another job's, of as many bytes: whoever has it gives what was asked for.
      const others = initialState(other)
      const theirs = stateBytes(others)
      expect(theirs.length).toBe(bytes.length)
      await p.peer('honest', STATE_PROTOCOL, body => { const r = decode(StateRequest, body, 68); return r.ok ? (toHex(r.value.stateHash) === toHex(wanted) ? bytes : theirs).slice(r.value.offset, r.value.offset + CHUNK_BYTES) : NOTHING })
      expect(await p.during(60_000, states.state(benchmark, 7, stateHash(others)))).toBeUndefined()
      expect(toHex(stateHash((await p.during(60_000, states.state(benchmark, 7, wanted)))!))).toBe(toHex(wanted))
      expect(p.refusals()).toEqual([])
      expect((await p.net.status()).banned).toEqual([])
    }
  })

  test('that work redone here leads to are not hidden by a seal that somebody only tells of', async () => {
    const p = place()
    const first = initialState(spec)
    const payload = encodePayload(first, { ...first, weights: first.weights.map(w => w.map(x => x + 5)) })
    const decoded = decodePayload(spec, lr20At(spec, 0), payload)
    if (!decoded.ok) throw new Error(decoded.error.detail)
    const next = stateHash(mergePayloads(first, [decoded.value]))
    const claim = { ...head.header, template: { ...head.header.template, job: benchmark, round: 0, stateHash: stateHash(first) }, payloadDigest: payloadDigest(payload), payloadBytes: payload.length }
    const seal = { job: benchmark, round: 1, previous: ZERO32, anchor: ZERO32, contributions: [claim], stateHash: next }
    const states = make(p, new MemoryDisk(), { ...sealing, body: { transactions: [], seals: [{ seal, signatures: [] }] } }, payload)
    await states.start()
    // Whoever has looked for a state knows the seals of its chain.
    expect(await p.during(60_000, states.state(benchmark, 7, wanted))).toBeUndefined()
    const elsewhere = { ...claim, template: { ...claim.template, round: 6, stateHash: JOB } }
    states.told([{ seal: { ...seal, contributions: [elsewhere] }, signatures: [] }])
    // Nor by as many as there is room for.
    states.told(Array.from({ length: 2_000 }, (_, i) => ({ seal: { ...seal, stateHash: hash('test-told', u32le(i)) }, signatures: [] })))
    expect(toHex(stateHash((await p.during(60_000, states.state(benchmark, 1, next)))!))).toBe(toHex(next))
  })

  test('of another job stay where they are when they are asked for as this one\'s', async () => {
    const p = place()
    const disk = new MemoryDisk()
    const theirs = initialState(other)
    await new Snapshots(new MemoryStorage(disk), p.log).save({ job: toHex(JOB), round: 8, stateHash: toHex(stateHash(theirs)) }, theirs)
    const states = make(p, disk)
    await states.start()
    expect(await p.during(5_000, states.state(benchmark, 8, stateHash(theirs)))).toBeUndefined()
    expect(await new MemoryStorage(disk).keys('states')).toHaveLength(1)
    // Held in memory for its own job it is not this one's either.
    const seal = { job: JOB, round: 0, previous: ZERO32, anchor: ZERO32, contributions: [], stateHash: stateHash(theirs) }
    expect((await states.sealState(other, { seal, signatures: [] })).kind).toBe('done')
    expect(await states.state(JOB, 0, stateHash(theirs))).toEqual(theirs)
    expect(await p.during(5_000, states.state(benchmark, 8, stateHash(theirs)))).toBeUndefined()
  })

  test('of round 0 need nobody, and only if the hash is right', async () => {
    const p = place()
    const states = make(p)
    await states.start()
    const first = head.ledger.jobs[0].stateHash
    expect(toHex(stateHash((await states.state(benchmark, 0, first))!))).toBe(toHex(first))
    expect(await states.state(benchmark, 0, wanted)).toBeUndefined()
    expect(await states.state(hash('test-unknown'), 0, wanted)).toBeUndefined()
  })

  test('that are come by on the way back do not take the place of the newest one, which a reload starts from', async () => {
    const p = place()
    const disk = new MemoryDisk()
    const states = make(p, disk)
    await states.start()
    const first = initialState(spec)
    // A seal without contributions says of any round that the state is the first one.
    for (const round of [9, 7]) expect((await states.sealState(spec, { seal: { job: benchmark, round, previous: ZERO32, anchor: ZERO32, contributions: [], stateHash: stateHash(first) }, signatures: [] })).kind).toBe('done')
    await states.flush()
    const stored = new Snapshots(new MemoryStorage(disk), p.log)
    await stored.start()
    expect(stored.rounds(toHex(benchmark))).toEqual([9])
  })

  test('are served from snapshots, whose rounds are listed', async () => {
    const p = place()
    const disk = new MemoryDisk()
    const storage = new MemoryStorage(disk)
    const snapshots = new Snapshots(storage, p.log)
    for (let round = 1; round <= 8 * (SNAPSHOTS_PER_JOB + 6); round++) {
      const s = { ...state, activationExponents: Int32Array.of(round % 200) }
      if (round % 8 === 0 || round > 8 * (SNAPSHOTS_PER_JOB + 5)) await snapshots.save({ job: toHex(benchmark), round, stateHash: toHex(hash('test-snapshot', Uint8Array.of(round & 255, round >> 8))) }, s)
    }
    const rounds = snapshots.rounds(toHex(benchmark))
    expect(rounds.length).toBeLessThanOrEqual(SNAPSHOTS_PER_JOB)
    expect(rounds.at(-1)).toBe(8 * (SNAPSHOTS_PER_JOB + 6))
    await snapshots.save({ job: toHex(benchmark), round: 1000, stateHash: toHex(wanted) }, state)
    const states = make(p, disk)
    await states.start()
    const asker = p.hub.join('asker')
    const list = await p.during(500, asker.request('me', STATES_PROTOCOL, StateListRequest.serialize({ job: benchmark }), { timeoutMs: 400, maxResponseBytes: 1000 }))
    expect(StateListResponse.deserialize(list).rounds.at(-1)).toBe(1000)
    const chunk = await p.during(500, asker.request('me', STATE_PROTOCOL, StateRequest.serialize({ job: benchmark, stateHash: wanted, offset: CHUNK_BYTES }), { timeoutMs: 400, maxResponseBytes: CHUNK_BYTES }))
    expect(toHex(chunk)).toBe(toHex(bytes.slice(CHUNK_BYTES, 2 * CHUNK_BYTES)))
    expect(await p.during(500, asker.request('me', STATE_PROTOCOL, StateRequest.serialize({ job: benchmark, stateHash: JOB, offset: 0 }), { timeoutMs: 400, maxResponseBytes: CHUNK_BYTES }))).toEqual(NOTHING)
    // A reload starts from there, without a peer.
    expect(toHex(stateHash((await states.state(benchmark, 1000, wanted))!))).toBe(toHex(wanted))
  })
})

describe('data sets', () => {
  // Some chunks of 1,024 records.
  const data = smallData(4_500, 4_000, 3, 256)
  const spec: JobSpec = { ...workSpec, data: data.ref }
  const head = genesis(workParams, spec)

  const make = (p: ReturnType<typeof place>, disk: MemoryDisk, network: Network = p.net): Datasets => new Datasets({
    storage: new MemoryStorage(disk), network, chain: { head: () => head, on: () => () => {} }, clock: p.clock, random: p.random, blame: p.blame, log: p.log, torrents: noTorrents
  })

  const until = async (p: ReturnType<typeof place>, test: () => boolean): Promise<void> => {
    for (let i = 0; i < 200 && !test(); i++) await p.clock.advance(100)
    expect(test()).toBe(true)
  }

  const same = (a: Dataset, b: Dataset): boolean => toHex(hash('test-data', recordsOf(a, 0, a.records))) === toHex(hash('test-data', recordsOf(b, 0, b.records)))

  test('are fetched in proved ranges from several peers, go on after a reload, and are served on', async () => {
    const p = place()
    const owner = make(p, new MemoryDisk(), p.hub.join('owner'))
    await owner.start()
    await owner.add(data)
    const chunks = Math.ceil(data.records / recordsPerChunk(data.ref))
    expect(chunks).toBeGreaterThan(3)
    // One peer breaks off after the second range.
    const relay = p.hub.join('relay')
    let served = 0
    await p.net.handle('/test/none', { maxRequestBytes: 1, maxResponseBytes: 1, perPeerPerSecond: 1 }, async () => NOTHING)
    p.hub.cut('me', 'owner')
    await relay.handle(DATA_PROTOCOL, { maxRequestBytes: 64, maxResponseBytes: 1 << 20, perPeerPerSecond: 100 }, async (_, body) => {
      if (served === 2) return NOTHING
      served++
      return await relay.request('owner', DATA_PROTOCOL, body, { timeoutMs: 1000, maxResponseBytes: 1 << 20 })
    })
    const disk = new MemoryDisk()
    const before = make(p, disk)
    await before.start()
    await until(p, () => before.progress(data.ref.root).have === 2 * recordsPerChunk(data.ref))
    expect(before.held(data.ref.root)).toBeUndefined()
    expect(before.progress(data.ref.root).want).toBe(4_500)
    before.stop()
    await p.clock.advance(5_000)

    const after = make(p, disk)
    await after.start()
    await until(p, () => after.progress(data.ref.root).have === 2 * recordsPerChunk(data.ref))
    p.hub.heal()
    await until(p, () => after.held(data.ref.root) !== undefined)
    expect(same(after.held(data.ref.root)!, data)).toBe(true)
    expect(p.refusals()).toEqual([])
    const response = await p.during(500, relay.request('me', DATA_PROTOCOL, DataRequest.serialize({ root: data.ref.root, first: 4_096, count: 404 }), { timeoutMs: 400, maxResponseBytes: 1 << 20 }))
    expect(toHex(DataResponse.deserialize(response).records)).toBe(toHex(packChunk(data, 4)))
    // Chunks only: no stranger has a range hashed or packed that he made up.
    for (const [first, count] of [[0, 0], [4_499, 1], [4_096, 405], [0, 2_048], [0, 1_023], [1, 1_024], [5_120, 1_024]]) {
      expect(await p.during(500, relay.request('me', DATA_PROTOCOL, DataRequest.serialize({ root: data.ref.root, first, count }), { timeoutMs: 400, maxResponseBytes: 1 << 20 }))).toEqual(NOTHING)
    }
    after.stop()
    owner.stop()
  })

  test('with a wrong record are not taken, and the peer is sent away', async () => {
    const p = place()
    const owner = make(p, new MemoryDisk(), p.hub.join('owner'))
    await owner.start()
    await owner.add(data)
    const liar = p.hub.join('liar')
    let answers = 0
    await liar.handle(DATA_PROTOCOL, { maxRequestBytes: 64, maxResponseBytes: 1 << 20, perPeerPerSecond: 100 }, async (_, body) => {
      const bytes = (await liar.request('owner', DATA_PROTOCOL, body, { timeoutMs: 1000, maxResponseBytes: 1 << 20 })).slice()
      // One right answer first: from then on it is known that the reference is not the liar.
      if (answers++ > 0) bytes[100] ^= 1
      return bytes
    })
    p.hub.cut('me', 'owner')
    const mine = make(p, new MemoryDisk())
    await mine.start()
    await until(p, () => p.refusals().length > 0)
    expect(p.refusals()[0]).toBe('records do not have their root')
    expect((await p.net.status()).banned.map(b => b.id)).toEqual(['liar'])
    expect(mine.progress(data.ref.root).have).toBe(recordsPerChunk(data.ref))
    p.hub.heal()
    await until(p, () => mine.held(data.ref.root) !== undefined)
    expect(same(mine.held(data.ref.root)!, data)).toBe(true)
    mine.stop()
    owner.stop()
  })

  test.each([
    ['a record more', { trainRecords: 4_001 }],
    ['other features', { features: 32 }],
    ['a chunk more', { trainRecords: 5_024 }],
    ['fewer classes', { classes: 2 }]
  ])('are had although an earlier job names their root with %s, and nobody is blamed', async (_, wrong) => {
    const p = place()
    const owner = make(p, new MemoryDisk(), p.hub.join('owner'))
    await owner.start()
    await owner.add(data)
    const [job] = head.ledger.jobs
    const squatter: JobSpec = { ...spec, data: { ...data.ref, ...wrong } }
    const squatted = { ...head, ledger: { ...head.ledger, jobs: [{ ...job, spec: squatter }, { ...job, id: hash('test-second'), spec }] } }
    const mine = new Datasets({ storage: new MemoryStorage(new MemoryDisk()), network: p.net, chain: { head: () => squatted, on: () => () => {} }, clock: p.clock, random: p.random, blame: p.blame, log: p.log, torrents: noTorrents })
    await mine.start()
    await until(p, () => mine.held(data.ref.root) !== undefined)
    expect(dataFor(mine, spec)).toBeDefined()
    expect(p.refusals()).toEqual([])
    expect((await p.net.status()).banned).toEqual([])
    mine.stop()
    owner.stop()
  })

  test('that the user brought are there after a reload, with their names', async () => {
    const p = place()
    const disk = new MemoryDisk()
    const before = make(p, disk)
    await before.start()
    await before.add(smallData(60, 40, 9))
    before.stop()
    const after = make(p, disk)
    await after.start()
    const { ref } = smallData(60, 40, 9)
    expect(same(after.held(ref.root)!, smallData(60, 40, 9))).toBe(true)
    expect(after.held(ref.root)!.classNames).toEqual(['0', '1', '2'])
    after.stop()
  })

  test('of a table leave its names when their records go, over a reload and until the records are back', async () => {
    const csv = (n: number): Dataset => {
      const made = datasetFromCsv({ train: new TextEncoder().encode(`a,b,label\n${Array.from({ length: 40 }, (_, i) => `${i + n},${i * n},${i % 2 === 0 ? 'cat' : 'dog'}\n`).join('')}`) })
      if (!made.ok) throw new Error(JSON.stringify(made.errors))
      return made.value
    }
    const p = place()
    const disk = new MemoryDisk()
    const [first, second] = [csv(1), newDataset({ features: new Uint8Array(80).fill(9), labels: Uint8Array.from({ length: 40 }, (_, i) => i % 2), trainRecords: 30, classes: 2 })]
    const table = { columns: first.columns!, classes: ['cat', 'dog'] }
    const before = make(p, disk)
    await before.start()
    await before.add(first)
    await before.add(second)
    expect([before.held(first.ref.root), before.tableOf(first.ref), before.tableOf(second.ref)]).toEqual([undefined, table, undefined])
    before.stop()
    const after = make(p, disk)
    await after.start()
    expect([after.held(first.ref.root), after.tableOf(first.ref)]).toEqual([undefined, table])
    expect(after.tableOf({ ...first.ref, features: 3 })).toBeUndefined()
    expect(after.tableOf({ ...first.ref, classes: 3 })).toBeUndefined()
    await after.add(first)
    expect([after.held(first.ref.root)?.columns, after.tableOf(first.ref)]).toEqual([table.columns, table])
    after.stop()
  })

  test('of many tables leave the names of the last ones only', async () => {
    const p = place()
    const held = make(p, new MemoryDisk())
    await held.start()
    const sets = Array.from({ length: 18 }, (_, n) => newDataset({ features: new Uint8Array(80).fill(n), labels: Uint8Array.from({ length: 40 }, (_, i) => i % 2), trainRecords: 30, classes: 2 }, { classNames: ['cat', 'dog'], columns: ['a', 'b'].map(name => ({ name, least: '0', greatest: '1' })) }))
    for (const set of sets) await held.add(set)
    // Sixteen by their names, and the last one with its records.
    expect(sets.map(set => held.tableOf(set.ref) !== undefined)).toEqual(sets.map((_, n) => n > 0))
    held.stop()
  })

  test('fit a job only if its records do', async () => {
    const p = place()
    const held = make(p, new MemoryDisk())
    await held.start()
    await held.add(data)
    expect(dataFor(held, spec)).toBe(held.held(data.ref.root))
    expect(dataFor(held, { ...spec, data: { ...data.ref, classes: 2 } })).toBeUndefined()
    expect(dataFor(held, { ...spec, data: { ...data.ref, features: 32 } })).toBeUndefined()
    expect(dataFor(held, { ...spec, data: { ...data.ref, trainRecords: 4_001 } })).toBeUndefined()
    held.stop()
  })
})

test('no lane works on a slice before its reservation is on disk', async () => {
  const p = place()
  const { storage, release } = gatedStorage()
  const counter = new SliceCounter(storage, p.log, JOB)
  await counter.start()
  const taken: number[] = []
  const lanes = [0, 1, 2].map(async () => { taken.push(await counter.take(JOB, 1, 10)) })
  await new Promise(resolve => setTimeout(resolve, 5))
  expect(taken).toEqual([])
  release()
  await Promise.all(lanes)
  expect(taken).toEqual([0, 1, 2])
})

test('slice indices are reserved before use, and start again only for a round that stays unsealed', async () => {
  const p = place()
  const storage = new MemoryStorage(new MemoryDisk())
  const counter = new SliceCounter(storage, p.log, JOB)
  await counter.start()
  const taken = await Promise.all(Array.from({ length: 40 }, async () => await counter.take(JOB, 1, 10)))
  expect(taken).toEqual(Array.from({ length: 40 }, (_, i) => i))
  expect(await counter.take(JOB, 2, 10)).toBe(0)
  const again = new SliceCounter(storage, p.log, JOB)
  await again.start()
  expect(await again.take(JOB, 1, 10)).toBeGreaterThanOrEqual(40)
  expect(await again.take(JOB, 1, 10 + RENEW_BLOCKS)).toBe(0)
  // Another key of the same tab has its own.
  const other = new SliceCounter(storage, p.log, hash('test-other'))
  await other.start()
  expect(await other.take(JOB, 1, 10)).toBe(0)
})
