/**
 * What a node finds on its own disk. Nobody else writes there, but a disk tears, and an older version
 * may have left other things: each reader takes the bytes or says that they are damaged.
 */
import { equalBytes, toHex, U32 } from '../../../src/core/codec/ssz.ts'
import { Claim } from '../../../src/core/codec/wire.ts'
import { claimId } from '../../../src/core/crypto/ids.ts'
import { encodeLedger, ledgerRoot, MAX_LEDGER_BYTES } from '../../../src/core/ledger/state.ts'
import { MAX_DATASET_BYTES, MAX_RECORDS } from '../../../src/core/params.ts'
import { recordCount } from '../../../src/core/training/dataset.ts'
import { Curve } from '../../../src/node/curve.ts'
import { DatasetStore } from '../../../src/node/datasetStore.ts'
import { History } from '../../../src/node/history.ts'
import { LedgerTorrents } from '../../../src/node/ledgerTorrents.ts'
import { OF_DATA, OF_STATE, TorrentShelf } from '../../../src/node/torrentShelf.ts'
import { Mempool } from '../../../src/node/mempool.ts'
import { MiningControl } from '../../../src/node/miningControl.ts'
import type { Log } from '../../../src/node/parts.ts'
import { Payloads } from '../../../src/node/payloads.ts'
import { ChainStore, heightKey } from '../../../src/node/persist.ts'
import { SliceCounter } from '../../../src/node/sliceCounter.ts'
import { Snapshots } from '../../../src/node/snapshots.ts'
import { Spending } from '../../../src/node/spending.ts'
import type { Storage } from '../../../src/ports/storage.ts'
import { COPY_BYTES, decodeCopy, encodeCopy } from '../../../src/storage/walletCopy.ts'
import { byteList, bytes, container, list, type Schema, serialize, uint } from '../../support/naiveSsz.ts'
import { WIRE_SCHEMAS } from '../../support/wireSchemas.ts'
import { keyPair } from '../../core/chainKit.ts'
import { ManualClock, TestSignatures } from '../../node/chainRig.ts'
import type { Rng } from '../random.ts'
import { sampleChain } from '../sampleChain.ts'
import { ACCEPTED, must, type Target, textBytes, words } from '../target.ts'
import { randomValue } from '../values.ts'

/** A disk on which every key holds the input. */
class OneValue implements Storage {
  value: Uint8Array = new Uint8Array(0)
  key = ''
  async get (): Promise<Uint8Array> { return this.value }
  async range (): Promise<Array<readonly [string, Uint8Array]>> { return [[this.key, this.value]] }
  async keys (): Promise<string[]> { return [this.key] }
  async commit (): Promise<void> {}
  async usage (): Promise<{ used: number, persisted: boolean }> { return { used: 0, persisted: false } }
  async close (): Promise<void> {}
}

/** Whether anything was said to be damaged. */
class Said implements Log {
  warned = false
  debug (): void {}
  info (): void {}
  warn (): void { this.warned = true }
  error (): void { this.warned = true }
}

const JSON_WORDS = words('{', '}', '[', ']', ',', ':', '"', 'null', 'true', 'false', '-1', '0.5', '1e999', '1e300', '""', '{}', '[]', '4294967295', '4294967296')
const JOB = 'ab'.repeat(32)

const headerRecord = container({ header: WIRE_SCHEMAS.Claim, work: uint(32, 'bigint'), rho: bytes(32), checked: uint(1) })
const CLAIM_BYTES = Claim.fixedSize!

function store (disk: OneValue, log: Log): ChainStore {
  return new ChainStore({ storage: disk, clock: new ManualClock(0), log, lookBack: 4, empty: sampleChain().kit.genesis.ledger })
}

const header: Target = {
  name: 'stored/header',
  max: 1024,
  covers: ['src/node/persist.ts#decodeHeader', 'src/core/codec/ssz.ts#decode HeaderRecord'],
  seeds: rng => Array.from({ length: 6 }, () => serialize(headerRecord, { ...randomValue(headerRecord, rng) as object, checked: rng.below(4) })),
  run: async input => {
    const disk = new OneValue()
    disk.value = input
    // The key that belongs to the bytes, where there is one: else the hash alone refuses all.
    const claim = input.length < CLAIM_BYTES ? undefined : claimOf(input.subarray(0, CLAIM_BYTES))
    const stored = await store(disk, new Said()).header(1, claim === undefined ? JOB : toHex(claimId(claim)))
    if (stored === undefined) return 'damaged'
    must(equalBytes(Claim.serialize(stored.header), input.subarray(0, CLAIM_BYTES)), 'a stored header is another')
    return ACCEPTED
  }
}

function claimOf (b: Uint8Array): Claim | undefined {
  try { return Claim.deserialize(b) } catch { return undefined }
}

const snapshotRecord = container({ ledger: byteList(MAX_LEDGER_BYTES), before: list(byteList(MAX_LEDGER_BYTES), 64) })

const snapshot: Target = {
  name: 'stored/ledger-snapshot',
  max: 8 * 1024,
  covers: ['src/node/persist.ts#decodeSnapshot', 'src/core/codec/ssz.ts#decode SnapshotRecord'],
  seeds: () => {
    const [first, ...rest] = sampleChain().ledgers.map(encodeLedger)
    return [serialize(snapshotRecord, { ledger: first, before: [] }), serialize(snapshotRecord, { ledger: rest[2], before: [first, rest[0]] })]
  },
  run: async input => {
    const disk = new OneValue()
    disk.value = input
    disk.key = `${heightKey(3)}/${JOB}`
    for await (const s of store(disk, new Said()).snapshots(5)) {
      must(s.height === 3 && s.hash === JOB, 'a snapshot of another block')
      ledgerRoot(s.ledger)
      return ACCEPTED
    }
    return 'damaged'
  }
}

const condemnedList = list(bytes(32), 1024)
const followedRecord = container({ hash: bytes(32), height: uint(4) })

const condemned: Target = {
  name: 'stored/condemned',
  max: 512,
  covers: ['src/core/codec/ssz.ts#decode CondemnedRecord', 'src/core/codec/ssz.ts#decode U32', 'src/core/codec/ssz.ts#decode FollowedRecord'],
  seeds: rng => [serialize(condemnedList, [rng.bytes(32), rng.bytes(32)]), U32.serialize(9), serialize(followedRecord, { hash: rng.bytes(32), height: 9 })],
  run: async input => {
    const disk = new OneValue()
    disk.value = input
    disk.key = `n/${heightKey(7)}/${JOB}`
    const chain = store(disk, new Said())
    // Whatever it names is not among the headers: the highest that is there counts.
    must(await chain.topHeight() === 7, 'a chain that is not here is followed')
    const ids = await chain.loadCondemned()
    must([...ids].every(id => id.length === 64), 'an id of another length')
    const height = await chain.settledHeight(new Uint8Array(32))
    must(height === undefined || (Number.isInteger(height) && height >= 0 && height < 2 ** 32), 'a height that is none')
    return ids.size > 0 || height !== undefined ? ACCEPTED : 'damaged'
  }
}

const joinedRecord = container({ headers: uint(4), signatures: uint(4), height: uint(4), bytes: uint(4) })

const joined: Target = {
  name: 'stored/joined',
  max: 64,
  covers: ['src/core/codec/ssz.ts#decode JoinedRecord'],
  seeds: () => [serialize(joinedRecord, { headers: 10_000, signatures: 512, height: 9_952, bytes: 10_000_000 })],
  run: async input => {
    const disk = new OneValue()
    disk.value = input
    const how = await store(disk, new Said()).joined()
    if (how === undefined) return 'damaged'
    must(equalBytes(serialize(joinedRecord, how), input), 'what was checked is another')
    return ACCEPTED
  }
}

const keptRecord = list(container({ height: uint(4), block: bytes(32), infoHash: bytes(20), bytes: uint(4) }), 2)

const keptSnapshots: Target = {
  name: 'stored/snapshots-served',
  max: 256,
  covers: ['src/core/codec/ssz.ts#decode KeptRecord'],
  seeds: rng => [serialize(keptRecord, [1, 2].map(height => ({ height, block: new Uint8Array(32), infoHash: rng.bytes(20), bytes: 9 }))), serialize(keptRecord, [])],
  run: async input => {
    const disk = new OneValue()
    disk.value = input
    const { kit, tip } = sampleChain()
    // Every block of this chain has the hash that the seeds name, so that what is read is offered.
    const torrents = new LedgerTorrents({
      params: kit.params, chainId: kit.genesis.hash, storage: disk, log: new Said(), synced: () => false,
      chain: { head: () => tip, metaAt: () => ({ ...tip, hash: new Uint8Array(32) }), on: () => () => {} },
      network: { handle: async () => () => {} },
      library: { holds: () => true, share: async () => { throw new Error('nothing is to be shared') }, discard: async () => {} }
    })
    await torrents.start()
    const offers = torrents.offers()
    must(offers.length <= 2, 'more are served than kept')
    return offers.length > 0 ? ACCEPTED : 'none'
  }
}

const shelfRecord = list(container({ kind: uint(1), group: bytes(32), order: uint(4), name: bytes(32), infoHash: bytes(20), bytes: uint(4), whole: uint(1) }), 32)

const shelf: Target = {
  name: 'stored/torrents-shared',
  max: 512,
  covers: ['src/core/codec/ssz.ts#decode ShelfRecord'],
  seeds: rng => [serialize(shelfRecord, [0, 1, 1].map((kind, whole) => ({ kind, group: new Uint8Array(32), order: 8, name: new Uint8Array(32), infoHash: rng.bytes(20), bytes: 9, whole: whole & 1 }))), serialize(shelfRecord, [])],
  run: async input => {
    const disk = new OneValue()
    disk.value = input
    const torrents = new TorrentShelf({
      chainId: new Uint8Array(32), storage: disk, clock: { now: () => 0, after: () => () => {} }, log: new Said(), network: { handle: async () => () => {} },
      library: { holds: () => true, share: async () => { throw new Error('nothing is to be shared') }, discard: async () => {} }
    })
    await torrents.start()
    const whole = ([OF_DATA, OF_STATE] as const).flatMap(kind => torrents.whole(kind, [new Uint8Array(32)]))
    must(whole.length <= 32 && whole.every(k => k.whole === 1), 'more is offered than is here')
    return whole.length > 0 ? ACCEPTED : 'none'
  }
}

const line: Schema = container({ kind: uint(1), timeMs: uint(8), debit: uint(1), amount: uint(8, 'bigint'), maturesAt: uint(4), block: bytes(32), job: bytes(32), counterparty: bytes(32), reason: byteList(512) })
const lines = list(line, 2048)

const history: Target = {
  name: 'stored/history',
  max: 2048,
  covers: ['src/core/codec/ssz.ts#decode Lines'],
  seeds: rng => Array.from({ length: 6 }, () => serialize(lines, randomValue(lines, rng))),
  fresh: (rng: Rng) => serialize(lines, randomValue(lines, rng)),
  run: async input => {
    const disk = new OneValue()
    disk.value = input
    const account = new Uint8Array(32)
    disk.key = `of/${toHex(account)}/earned/${heightKey(7)}`
    const log = new Said()
    const history = new History({ storage: disk, log, account, sinceMs: 0 })
    await history.start({ head: () => ({ height: 9 }), at: () => undefined, on: () => () => {}, baseHeight: () => 9 } as never)
    const entries = history.list(100)
    must(entries.every(e => e.height === 7 && typeof e.kind === 'string' && typeof e.amount === 'bigint' && Number.isFinite(e.timeMs)), 'a line that is none')
    return log.warned ? 'damaged' : ACCEPTED
  }
}

const curve: Target = {
  name: 'stored/curve',
  max: 512,
  covers: ['src/node/curve.ts#parsePoints'],
  dictionary: [...JSON_WORDS, ...words('"job"', '"round"', '"timeMs"', '"samples"', '"accuracy"', '"loss"', '"gap"', 'true', JOB)],
  seeds: () => words(
    JSON.stringify([{ job: JOB, round: 1, timeMs: 5, samples: 100, accuracy: 0.5, loss: 1.25 }, { job: JOB, round: 2, timeMs: 9, samples: 100, accuracy: 0.75, loss: 1, gap: true }]),
    '[]', 'null', '{}', '[null]', '7', '[{"round":"1"}]'
  ),
  run: async input => {
    const disk = new OneValue()
    disk.value = input
    disk.key = `curve/${JOB}`
    const log = new Said()
    const curve = new Curve({ rounds: { tips: () => [], onTip: () => () => {} }, states: {} as never, data: {} as never, compute: {} as never, storage: disk, clock: new ManualClock(0), log })
    await curve.start()
    const points = curve.points(JOB)
    must(Array.isArray(points), 'a curve that is no list')
    for (const p of points) {
      must(p.job === JOB && Number.isInteger(p.round) && Number.isFinite(p.timeMs) && Number.isInteger(p.samples), 'a point that is none')
      must(p.accuracy >= 0 && p.accuracy <= 1 && Number.isFinite(p.loss) && (p.gap === undefined || p.gap === true), 'a point that cannot be drawn')
    }
    return log.warned ? 'damaged' : ACCEPTED
  }
}

const slices: Target = {
  name: 'stored/slice-counter',
  max: 512,
  covers: ['src/node/sliceCounter.ts#parseStored'],
  dictionary: [...JSON_WORDS, ...words(`"${JOB}/1"`)],
  seeds: () => words(`[["${JOB}/1",64,3]]`, `[["${JOB}/1",32,0],["${JOB}/2",0,9]]`, '[]', 'null', '7', '[[1,2]]', `[["${JOB}/1","64",null]]`),
  run: async input => {
    const disk = new OneValue()
    disk.value = input
    const log = new Said()
    const counter = new SliceCounter(disk, log, new Uint8Array(32))
    await counter.start()
    const job = new Uint8Array(32).fill(0xab)
    const first = await counter.take(job, 1, 5)
    const second = await counter.take(job, 1, 5)
    must(Number.isInteger(first) && first >= 0 && first < 2 ** 32 && second === first + 1, `slice ${String(first)}, then ${String(second)}`)
    return log.warned ? 'damaged' : ACCEPTED
  }
}

const settings: Target = {
  name: 'stored/mining-settings',
  max: 256,
  covers: ['src/node/miningControl.ts#parse'],
  dictionary: [...JSON_WORDS, ...words('"on"', '"workers"', '"duty"', '"pauseWhenHidden"', '"pauseOnBattery"', '"backend"', '"wasm"')],
  seeds: () => words('{"on":true,"workers":2,"duty":0.5,"pauseWhenHidden":true,"pauseOnBattery":false,"backend":"wasm"}', 'null', '[]', '"x"', '{"workers":1e999}'),
  run: async input => {
    const disk = new OneValue()
    disk.value = input
    const control = new MiningControl({
      trainer: { configure: () => {}, view: () => ({}) as never },
      compute: { setLimits: async () => {}, setBackend: async () => {}, status: async () => ({ workersMax: 4 }) as never },
      storage: disk, log: new Said(), cores: 4
    })
    await control.start()
    const s = control.view().settings
    must(typeof s.on === 'boolean' && Number.isInteger(s.workers) && s.workers >= 1 && s.workers <= 4, 'workers out of bounds')
    must(s.duty >= 0.1 && s.duty <= 1 && typeof s.backend === 'string' && typeof s.pauseWhenHidden === 'boolean', 'settings out of bounds')
    return s.on ? ACCEPTED : 'off'
  }
}

const NOTE_ROOT = new Uint8Array(32).fill(0xab)

const note: Target = {
  name: 'stored/dataset-note',
  max: 512,
  covers: ['src/node/datasetStore.ts#parseNote', 'src/core/codec/ssz.ts#decode DataRef'],
  dictionary: [...JSON_WORDS, ...words('"classNames"', '"shape"', '"width"', '"height"', '"columns"', '["a","0","1"]', '"0.5"', '"1e-7"')],
  seeds: rng => ['{"classNames":["a","b"],"shape":{"width":2,"height":3}}', `{"classNames":["a","b"],"columns":[${Array(6).fill('["a","0","1.5"]').join(',')}]}`, '{}', 'null', '7', '{"classNames":5}', '{"shape":{"width":"x"}}'].map(text => {
    const ref = { source: 1, root: NOTE_ROOT, trainRecords: 1 + rng.below(9), testRecords: 3, features: 6, classes: 2 }
    return Uint8Array.of(...serialize(WIRE_SCHEMAS.DataRef, ref), ...textBytes(text))
  }),
  run: async input => {
    const disk = new OneValue()
    disk.value = input
    const found = await new DatasetStore(disk, new Said()).note(toHex(NOTE_ROOT))
    if (found === undefined) return 'damaged'
    const { classNames, shape, columns } = found.display
    // What would be made room for at the next start.
    must(recordCount(found.ref) <= MAX_RECORDS && recordCount(found.ref) * found.ref.features <= MAX_DATASET_BYTES, 'a set that nobody can hold')
    must(classNames === undefined || (Array.isArray(classNames) && classNames.every(n => typeof n === 'string')), 'class names that are none')
    must(columns === undefined || (columns.length === found.ref.features && columns.every(c => typeof c.name === 'string')), 'columns that are none')
    must(shape === undefined || (Number.isInteger(shape.width) && Number.isInteger(shape.height) && shape.width > 0 && shape.height > 0), 'a shape that is none')
    return ACCEPTED
  }
}

const snapshotKeys: Target = {
  name: 'stored/snapshot-keys',
  max: 256,
  covers: ['src/node/snapshots.ts#parseKey'],
  dictionary: words('/', '0000000001', JOB, '-1', 'NaN', '1e9', ' '),
  seeds: () => words(`${JOB}/0000000008/${JOB}/120`, `${JOB}/x/${JOB}/y`, '', '///'),
  run: async input => {
    const disk = new OneValue()
    disk.key = new TextDecoder().decode(input)
    const snapshots = new Snapshots(disk, new Said())
    await snapshots.start()
    const rounds = snapshots.rounds(JOB)
    must(rounds.every(r => Number.isInteger(r) && r >= 0), 'a round that is none')
    // One more of the same job is weighed against it.
    await snapshots.save({ job: JOB, round: 2 ** 31, stateHash: 'cd'.repeat(32) }, { weights: [], biases: [], activationExponents: new Int32Array(1), errorExponents: new Int32Array(1) })
    must(snapshots.rounds(JOB).includes(2 ** 31) || rounds.some(r => r > 2 ** 31), 'the newest snapshot was not taken')
    return rounds.length > 0 ? ACCEPTED : 'no snapshot'
  }
}

const payloadKeys: Target = {
  name: 'stored/payload-keys',
  max: 256,
  covers: ['src/node/payloads.ts#parseKey'],
  dictionary: words('/', '0000000001', JOB, '-1', 'NaN', '1e9', ' '),
  seeds: () => words(`0000000008/${JOB}/3/${JOB}/120`, `x/${JOB}/3/${JOB}/y`, '', '////'),
  run: async input => {
    const disk = new OneValue()
    disk.key = new TextDecoder().decode(input)
    const payloads = new Payloads({
      storage: disk, network: { handle: async () => () => {} } as never, clock: new ManualClock(0), random: {} as never,
      blame: { refuse: () => {} }, log: new Said(), height: () => 9, historyBlocks: 96
    })
    await payloads.start()
    must(Number.isSafeInteger(payloads.bytesHeld) && payloads.bytesHeld >= 0, 'bytes that cannot be counted')
    return payloads.bytesHeld > 0 ? ACCEPTED : 'no payload'
  }
}

const purseRecord = container({ chain: bytes(32), next: uint(4), judged: uint(4), judgedAt: uint(8), foreign: list(bytes(32), 64), signed: list(container({ state: uint(1), at: uint(4), signed: WIRE_SCHEMAS.SignedTransaction }), 64) })

const purse: Target = {
  name: 'stored/purse',
  max: 2048,
  covers: ['src/node/purseRecord.ts#decodeBook', 'src/core/codec/ssz.ts#decode PurseRecord'],
  seeds: () => {
    const { kit } = sampleChain()
    const signed = [0, 1].map(nonce => kit.transfer(kit.genesis, keyPair(1), keyPair(9).key, 5n, { nonce }))
    const record = { chain: kit.genesis.hash, next: 2, judged: 0, judgedAt: 9, foreign: [new Uint8Array(32)], signed: signed.map((s, state) => ({ state: 3 * state, at: 0, signed: s })) }
    return [serialize(purseRecord, record), serialize(purseRecord, { ...record, foreign: [], signed: [] })]
  },
  run: async input => {
    const { kit } = sampleChain()
    const log = new Said()
    let resumed = 0
    const spending = new Spending({
      purse: { inTurn: async work => ({ value: await work() }), read: async () => input, write: async () => {} }, account: keyPair(1).key, params: kit.params, inStep: () => true, clock: new ManualClock(0), log,
      chain: { head: () => kit.genesis, at: () => undefined, on: () => () => {} }, pool: { pending: () => [], add: async () => undefined, resume: async () => { resumed++; return undefined }, withdraw: () => {}, lacks: () => false, onVoid: () => () => {} }
    })
    spending.start()
    await spending.idle()
    must(resumed <= 4 * 64 && spending.unsent().every(u => u.amount >= 0n && u.id.length === 64), 'a transaction that is none')
    must(Number.isInteger(spending.nextNonce()), 'a nonce that is none')
    return log.warned ? 'damaged' : ACCEPTED
  }
}

const kept = container({ addedAt: uint(8), signed: WIRE_SCHEMAS.SignedTransaction })

const pool: Target = {
  name: 'stored/pool',
  max: 2048,
  covers: ['src/node/mempool.ts#decodeKept', 'src/core/codec/ssz.ts#decode Kept'],
  seeds: () => {
    const { kit } = sampleChain()
    const signed = kit.transfer(kit.genesis, keyPair(1), keyPair(9).key, 5n)
    return [serialize(kept, { addedAt: 7, signed }), serialize(WIRE_SCHEMAS.SignedTransaction, signed)]
  },
  run: async input => {
    const { kit } = sampleChain()
    const disk = new OneValue()
    disk.value = input
    const mempool = new Mempool({
      params: kit.params, clock: new ManualClock(0), signatures: new TestSignatures(), chain: { head: () => kit.genesis, on: () => () => {}, offMain: () => [] },
      blocks: { written: async () => true }, storage: disk, log: new Said(), own: [keyPair(1).key], publish: () => {}
    })
    await mempool.start()
    const waiting = mempool.waiting(keyPair(1).key)
    must(waiting.length <= 1 && waiting.every(w => Number.isSafeInteger(w.sinceMs)), 'a time that is none')
    return waiting.length === 1 ? ACCEPTED : 'damaged'
  }
}

const walletCopy: Target = {
  name: 'stored/wallet-copy',
  max: 2 * COPY_BYTES,
  covers: ['src/storage/walletCopy.ts#decodeCopy'],
  seeds: rng => [true, false].map(backedUp => encodeCopy({ seed: rng.bytes(32), backedUp })),
  run: async input => {
    const record = decodeCopy(input)
    if (record === undefined) return 'damaged'
    must(equalBytes(encodeCopy(record), input), 'another copy says the same')
    return ACCEPTED
  }
}

export const storedTargets: readonly Target[] = [purse, pool, walletCopy, payloadKeys, header, snapshot, condemned, history, curve, slices, settings, note, snapshotKeys, joined, keptSnapshots, shelf]
