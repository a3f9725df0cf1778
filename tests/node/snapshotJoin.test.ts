import { afterEach, describe, expect, it } from 'vitest'
import { fromHex, toHex } from '../../src/core/codec/ssz.ts'
import { type SnapshotOffer, SnapshotRequest, SnapshotResponse } from '../../src/core/codec/wire.ts'
import type { BlockMeta } from '../../src/core/consensus/chain.ts'
import { MerkleMap } from '../../src/core/crypto/merkleMap.ts'
import type { Pot } from '../../src/core/ledger/pots.ts'
import { account, decodeLedger, encodeLedger, type LedgerState, withAccount } from '../../src/core/ledger/state.ts'
import { sleep } from '../../src/node/askPeers.ts'
import { Backfill } from '../../src/node/backfill.ts'
import { ledgerLookBack } from '../../src/node/persist.ts'
import { encodeSnapshotFile, MAX_SNAPSHOT_FILE_BYTES, readSnapshotFile, SnapshotFile } from '../../src/node/ledgerSnapshot.ts'
import { BUDGET_MIN } from '../../src/core/codec/libraryLimits.ts'
import { LedgerTorrents, SNAPSHOT_PROTOCOL, snapshotDepth, snapshotName } from '../../src/node/ledgerTorrents.ts'
import { Library } from '../../src/node/library.ts'
import { RingLog } from '../../src/node/log.ts'
import { Refusals } from '../../src/node/refusals.ts'
import { SnapshotJoin } from '../../src/node/snapshotJoin.ts'
import { Sync } from '../../src/node/sync.ts'
import { createMemoryHub } from '../../src/net/memory.ts'
import { MemorySwarmHub } from '../../src/net/swarm/memory.ts'
import { treeDepths } from '../../src/node/tree.ts'
import { MemoryDisk as PieceMemory, type PieceDisk } from '../../src/net/swarm/pieceDisk.ts'
import type { Network } from '../../src/ports/network.ts'
import type { Storage, StorageOp } from '../../src/ports/storage.ts'
import { SwarmError } from '../../src/ports/swarm.ts'
import { RequestError } from '../../src/ports/network.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { ChainKit, keyPair, type Mined } from '../core/chainKit.ts'
import { kitTime, ManualClock, redo, rig, type Rig } from './chainRig.ts'
import { finish } from '../support/finish.ts'
import { keyOf } from './libraryRig.ts'

const kit = new ChainKit({ ...new ChainKit().params, historyBlocks: 48, joinReplayBlocks: 8 }, { trusting: true })
const BLOCKS = 250
/** Newest multiple of 32 that is twice the join window below the head. */
const HEIGHT = 224
const random = { bytes: (n: number): Uint8Array => Uint8Array.from({ length: n }, (_, i) => (i * 91 + 17) & 255) }

let chain: Mined[] | undefined

/** Made once: money moves between three accounts, and one that never spends. */
function blocks (): Mined[] {
  if (chain !== undefined) return chain
  chain = []
  let tip: BlockMeta = kit.genesis
  for (let i = 0; i < BLOCKS; i++) {
    const transactions = i > 20 && i % 5 === 0 ? [kit.transfer(tip, keyPair(1), keyPair(10 + i).key, 5_000n)] : []
    chain.push(kit.mine(tip, { miner: keyPair(1 + i % 3), payee: keyPair(1).key, transactions }))
    tip = chain[i].meta
  }
  return chain
}

interface World { readonly clock: ManualClock, readonly hub: ReturnType<typeof createMemoryHub>, readonly swarms: MemorySwarmHub, readonly stops: Array<() => Promise<void>> }
interface SnapNode extends Rig { readonly network: Network, readonly library: Library, readonly torrents: LedgerTorrents, readonly sync: Sync, readonly blame: Refusals, readonly disk: MemoryDisk }

let w: World = world()
function world (): World {
  const clock = new ManualClock(kitTime(kit, 500))
  return { clock, hub: createMemoryHub({ clock, latencyMs: 5 }), swarms: new MemorySwarmHub({ clock }), stops: [] }
}
const open = (): void => { w = world() }
afterEach(async () => { for (const stop of w.stops.splice(0)) await stop() })

async function node (id: string, o: { readonly disk?: MemoryDisk, readonly storage?: Storage, readonly held?: readonly Mined[], readonly snapshots?: boolean, readonly pieces?: PieceDisk, readonly probationPolls?: number } = {}): Promise<SnapNode> {
  const network = w.hub.join(id)
  const { clock } = w
  const disk = o.disk ?? new MemoryDisk()
  const storage = o.storage ?? new MemoryStorage(disk)
  const r = rig({ kit, clock, storage, blame: log => new Refusals({ clock, network, log }) })
  const blame = r.blame as Refusals
  const { params } = kit
  await r.chain.loadFromStorage()
  const swarm = w.swarms.join(id, { disk: o.pieces })
  const library = new Library({
    chain: kit.genesis.hash, key: keyOf(id), epochBlocks: params.epochBlocks, network, swarm, storage, signatures: r.signatures, clock, random, blame, log: r.log,
    self: () => id, height: () => r.chain.head().height, block: height => r.chain.metaAt(height), synced: () => true, trackers: []
  })
  const torrents: LedgerTorrents = new LedgerTorrents({ params, chainId: kit.genesis.hash, chain: r.chain, library, network, storage, log: r.log, synced: () => !sync.unproved() && sync.progress() === undefined })
  const snapshots = new SnapshotJoin({ params, chainId: kit.genesis.hash, empty: kit.genesis.ledger, network, library, signatures: r.signatures, random, clock, blame, log: r.log })
  const sync: Sync = new Sync({
    params, clock, random, network, chain: r.chain, store: r.store, blame, log: r.log, historyFrom: () => 0,
    backfill: new Backfill({ chain: r.chain, verifier: r.verifier, log: r.log }), snapshots: o.snapshots === false ? undefined : snapshots, onJoined: offer => { void torrents.keep(offer) },
    probationPolls: o.probationPolls ?? 0, redoAhead: async claim => await redo(r, claim)
  })
  for (const { block } of o.held ?? []) {
    const added = await r.chain.submitAs(block, { mode: 'own' })
    if (added.status !== 'added') throw new Error(JSON.stringify(added))
  }
  await library.start()
  await torrents.start()
  await sync.start()
  w.stops.push(async () => {
    torrents.stop()
    await sync.stop()
    await library.stop()
  })
  return { ...r, network, library, torrents, sync, blame, disk }
}

class FullPieces extends PieceMemory implements PieceDisk {
  override async write (): Promise<void> { throw new SwarmError('full', 'no room') }
}

async function until (what: string, holds: () => boolean, ms = 120_000): Promise<void> {
  for (let t = 0; t < ms && !holds(); t += 250) {
    await w.clock.advance(250)
    await new Promise(resolve => { setImmediate(resolve) })
  }
  if (!holds()) throw new Error(`${what} did not happen`)
}

const head = (n: Rig): number => n.chain.head().height
/** Holds the whole chain and serves its ledger. */
async function seeder (id: string): Promise<SnapNode> {
  const n = await node(id, { held: blocks() })
  await until(`${id} shares`, () => n.torrents.offers().length > 0)
  return n
}
const synced = (n: SnapNode) => (): boolean => head(n) === BLOCKS && !n.sync.unproved() && n.sync.progress() === undefined
const reasons = (n: SnapNode): string[] => n.log.entries(500).filter(e => e.area === 'refused').map(e => e.text)
const logged = (n: SnapNode, text: string): boolean => n.log.entries(500).some(e => e.text.includes(text))

/** A peer that serves the right chain and what the test wants for a ledger. */
async function cheat (id: string, file: (right: Uint8Array) => Uint8Array | undefined, offer: (o: SnapshotOffer) => SnapshotOffer = o => o): Promise<SnapNode> {
  const n = await node(id, { held: blocks().slice(0, 1) })
  n.torrents.stop()
  for (const { block } of blocks().slice(1)) await n.chain.submitAs(block, { mode: 'own' })
  const meta = blocks()[HEIGHT - 1].meta
  const bytes = file(encodeSnapshotFile(meta, ledgerLookBack(kit.params))!)
  let infoHash = 'ab'.repeat(20)
  if (bytes !== undefined) {
    const name = snapshotName(HEIGHT, meta.hash)
    const shared = await n.library.share([new File([bytes as BlobPart], name)], { name, kind: 'snapshot', licence: '', about: '', parents: [] })
    if (!shared.ok) throw new Error(JSON.stringify(shared.errors))
    infoHash = shared.value.infoHash
  }
  const said = offer({ height: HEIGHT, block: meta.hash, infoHash: fromHex(infoHash, 20)!, bytes: bytes?.length ?? 1000 })
  await n.network.handle(SNAPSHOT_PROTOCOL, { maxRequestBytes: 100, maxResponseBytes: 1000, perPeerPerSecond: 10 }, async () => SnapshotResponse.serialize({ offers: [said] }))
  return n
}

/** The file with one grain moved from one account to another: in order, and nothing is lost. */
function withOneGrainMoved (file: Uint8Array): Uint8Array {
  const { before } = SnapshotFile.deserialize(file)
  const { ledger } = blocks()[HEIGHT - 1].meta
  const [[a], [b]] = [...ledger.accounts.entries()]
  const moved = [[a, -1n], [b, 1n]] as const
  const forged = moved.reduce<LedgerState>((l, [key, by]) => withAccount(l, key, { ...account(l, key), balance: account(l, key).balance + by }), ledger)
  return SnapshotFile.serialize({ ledger: encodeLedger(forged), before })
}

describe('the file of a ledger', () => {
  const lookBack = ledgerLookBack(kit.params)
  const meta = (): BlockMeta => blocks()[HEIGHT - 1].meta
  const read = (bytes: Uint8Array, of: BlockMeta = meta()): string => {
    const r = finish(readSnapshotFile(bytes, of, lookBack, kit.genesis.ledger))
    return r.ok ? 'right' : r.reason
  }

  it('is taken for the block it is of and for no other', () => {
    const file = encodeSnapshotFile(meta(), lookBack)!
    expect(read(file)).toBe('right')
    expect(read(file, blocks()[HEIGHT].meta)).toBe('snapshot-height')
    expect(read(withOneGrainMoved(file))).toBe('snapshot-root')
    expect(read(file.subarray(0, file.length - 1))).toBe('snapshot-before')
    expect(read(file.subarray(0, 100))).toBe('snapshot-malformed')
    expect(read(new Uint8Array(0))).toBe('snapshot-malformed')
  })

  it('is refused with outlines of other blocks, or with more or fewer of them', () => {
    const { ledger, before } = SnapshotFile.deserialize(encodeSnapshotFile(meta(), lookBack)!)
    expect(read(SnapshotFile.serialize({ ledger, before: before.slice(1) }))).toBe('snapshot-before')
    expect(read(SnapshotFile.serialize({ ledger, before: [...before, before[0]] }))).toBe('snapshot-before')
    expect(read(SnapshotFile.serialize({ ledger, before: [...before.slice(1), before[0]] }))).toBe('snapshot-before')
    expect(read(SnapshotFile.serialize({ ledger, before: before.map(b => Uint8Array.from(b, (x, i) => i === 40 ? x ^ 1 : x)) }))).toBe('snapshot-before')
  })

  it('is not made of a ledger that nobody could read, for those who offer such a one are banned', () => {
    const { ledger } = meta()
    const pots = (count: number): LedgerState['seeding'] => {
      const entries = Array.from({ length: count }, (_, i) => {
        const key = new Uint8Array(32)
        new DataView(key.buffer).setUint32(0, i)
        return [key, { left: 1n, paid: [] }] as const
      })
      const redeemable = MerkleMap.fromSorted<Pot>({ encode: () => new Uint8Array(0), amount: p => p.left }, entries)
      return { ...ledger.seeding, redeemable }
    }
    const of = (count: number): BlockMeta => ({ ...meta(), ledger: { ...ledger, seeding: pots(count), issued: ledger.issued + BigInt(count) } })
    // What was set aside in an epoch is far below: as many as there are transactions in its blocks.
    const most = of(1 << 17)
    const file = encodeSnapshotFile(most, lookBack)!
    expect(decodeLedger(SnapshotFile.deserialize(file).ledger).ok).toBe(true)
    expect(encodeSnapshotFile(of((1 << 17) + 1), lookBack)).toBeUndefined()
  }, 60_000)

  it('is the same whoever makes it, and not made where the ledgers before it are not whole', () => {
    const other: BlockMeta = { ...meta(), ledger: { ...meta().ledger } }
    expect(toHex(encodeSnapshotFile(other, lookBack)!)).toBe(toHex(encodeSnapshotFile(meta(), lookBack)!))
    const parent = { ...meta().parent!, ledger: { ...meta().parent!.ledger, accounts: kit.genesis.ledger.accounts } }
    expect(encodeSnapshotFile({ ...meta(), parent }, lookBack)).toBeUndefined()
  })
})

/** What is fetched comes at once, or so slowly that it is never whole. */
function slowWorld () {
  const clock = new ManualClock(kitTime(kit, 500))
  const meta = blocks()[HEIGHT - 1].meta
  const bytes = encodeSnapshotFile(meta, ledgerLookBack(kit.params))!
  const offered = new Map<string, SnapshotOffer>()
  const asked: string[] = []
  const log = new RingLog(clock)
  const join = new SnapshotJoin({
    params: kit.params, chainId: kit.genesis.hash, empty: kit.genesis.ledger, random, clock, log, blame: { refuse: r => { throw new Error(r.reason) } },
    signatures: { verify: async items => items.map(() => true) },
    network: { request: async peer => SnapshotResponse.serialize({ offers: [offered.get(peer)!] }) },
    library: {
      obtain: async (infoHash, o) => {
        asked.push(infoHash)
        if (infoHash === '11'.repeat(20)) return { ok: true, bytes, drop: async () => {} }
        if (infoHash === '22'.repeat(20)) return { ok: false, reason: 'kept', detail: 'it is paused' }
        while (o.leftMs(0) > 0) await sleep(clock, 250)
        return { ok: false, reason: 'withheld', detail: 'a byte now and then' }
      }
    }
  })
  const offer = (peer: string, byte: string, height = HEIGHT): void => { offered.set(peer, { height, block: blocks()[height - 1].meta.hash, infoHash: fromHex(byte.repeat(20), 20)!, bytes: bytes.length }) }
  const find = async (ms: number) => {
    const until = clock.now() + ms
    const found = join.find(blocks().map(b => b.meta), 'plan', [...offered.keys()], () => Math.max(0, until - clock.now()))
    let start: Awaited<typeof found> | 'open' = 'open'
    void found.then(s => { start = s })
    while (start === 'open' && clock.now() < until) await clock.advance(250)
    return { start: await found, tookMs: ms - (until - clock.now()) }
  }
  return { offer, find, asked }
}

describe('peers whose ledger comes drop by drop', () => {
  it('do not take the time there is, and others are asked before them from then on', async () => {
    const { offer, find, asked } = slowWorld()
    for (const peer of ['drip', 'drip2']) offer(peer, 'dd')
    offer('honest', '11')
    const first = await find(60_000)
    expect(first.start?.base.height).toBe(HEIGHT)
    expect(first.tookMs).toBeLessThan(25_000)
    const second = await find(60_000)
    expect(second.tookMs).toBeLessThan(1_000)
    expect(asked.map(h => h.slice(0, 2))).toEqual(['dd', '11', '11'])
  })

  it('are not those whose ledger the user himself keeps back: nobody is blamed, and none is asked later for it', async () => {
    const { offer, find, asked } = slowWorld()
    for (const peer of ['one', 'two']) offer(peer, '22')
    offer('other', '11')
    for (let i = 0; i < 2; i++) expect((await find(60_000)).start?.base.height).toBe(HEIGHT)
    expect(asked.map(h => h.slice(0, 2))).toEqual(['22', '11', '22', '11'])
  })

  it('leave time for the blocks, however many they are', async () => {
    const { offer, find } = slowWorld()
    for (const byte of ['aa', 'bb', 'cc', 'dd', 'ee']) offer(byte, byte)
    const { start, tookMs } = await find(60_000)
    expect(start).toBeUndefined()
    expect(tookMs).toBeLessThan(40_000)
  })

  it('are not asked for one so old that its blocks would fill the memory', async () => {
    const { offer, find, asked } = slowWorld()
    offer('old', '11', BLOCKS - 2 * kit.params.historyBlocks - 1)
    expect((await find(60_000)).start).toBeUndefined()
    expect(asked).toEqual([])
  })
})

describe('the ledger that a node has made', () => {
  it('goes when it is old, and not if the user has fetched it', async () => {
    open()
    const [a, b] = [await seeder('a'), await seeder('b')]
    const [made] = a.torrents.offers()
    expect(await b.library.fetch(toHex(made.infoHash))).toMatchObject({ ok: true })
    for (const n of [a, b]) {
      for (const more of [1, 2]) await n.torrents.keep({ ...made, height: made.height + more, infoHash: made.infoHash.map(x => x ^ more) })
    }
    expect([a, b].map(n => n.library.has(toHex(made.infoHash)))).toEqual([false, true])
  }, 60_000)
})

describe('a tab that joins a long chain', () => {
  it('joins by the ledger though whoever serves it does not answer when it is asked again', async () => {
    open()
    const a = await seeder('a')
    const offers = [...a.torrents.offers()]
    a.torrents.stop()
    let asked = 0
    await a.network.handle(SNAPSHOT_PROTOCOL, { maxRequestBytes: 100, maxResponseBytes: 1000, perPeerPerSecond: 10 }, async () => {
      if (asked++ > 0) throw new RequestError('busy', 'too many requests per second')
      return SnapshotResponse.serialize({ offers })
    })
    const fresh = await node('fresh')
    await until('it has joined', synced(fresh))
    expect(asked).toBe(2)
    expect(logged(fresh, `the ledger of block ${HEIGHT} fits its header`)).toBe(true)
  })

  it('goes on from a ledger that several peers serve as one torrent, redoes the newest blocks, and serves it on', async () => {
    open()
    const [a, b] = [await seeder('a'), await seeder('b')]
    expect(a.torrents.offers()).toEqual(b.torrents.offers())
    expect(a.torrents.offers()[0].height).toBe(HEIGHT)
    expect(HEIGHT).toBeLessThanOrEqual(BLOCKS - snapshotDepth(kit.params))
    const fresh = await node('fresh')
    await until('fresh is in sync', synced(fresh))
    expect(toHex(fresh.chain.head().hash)).toBe(toHex(a.chain.head().hash))
    expect(fresh.chain.joined()).toEqual({ headers: BLOCKS, signatures: expect.any(Number), height: HEIGHT, bytes: a.torrents.offers()[0].bytes })
    expect(fresh.chain.joined()!.signatures).toBeGreaterThan(50)
    // Applied from the snapshot on; redone at least as many as the window has.
    expect(fresh.chain.baseHeight()).toBe(HEIGHT)
    const redone = new Set(fresh.replay.replayed)
    for (const { meta } of blocks().slice(-kit.params.joinReplayBlocks)) expect(redone.has(toHex(meta.hash))).toBe(true)
    expect(account(fresh.chain.head().ledger, keyPair(1).key)).toEqual(account(a.chain.head().ledger, keyPair(1).key))
    // And others may have it of this tab.
    await until('fresh offers it', () => fresh.torrents.offers().length === 1)
    expect(reasons(fresh)).toEqual([])

    await fresh.store.idle()
    expect((await fresh.store.settledHeaders(1, HEIGHT)).length).toBeGreaterThanOrEqual(HEIGHT - 1)
    const again = rig({ kit, clock: w.clock, storage: new MemoryStorage(fresh.disk) })
    await again.chain.loadFromStorage()
    expect(toHex(again.chain.head().hash)).toBe(toHex(a.chain.head().hash))
    expect(again.chain.joined()).toEqual(fresh.chain.joined())
    // The next block stands on it.
    const next = kit.mine(blocks()[BLOCKS - 1].meta)
    expect((await again.chain.submit(next.block)).status).toBe('added')
    expect((await fresh.chain.submit(next.block)).status).toBe('added')
  }, 60_000)

  it('refuses by name who serves a ledger with one balance changed, and joins by another peer', async () => {
    open()
    await cheat('liar', withOneGrainMoved)
    const fresh = await node('fresh')
    await until('the liar is named', () => reasons(fresh).some(r => r.includes('snapshot-root')))
    expect((await fresh.network.status()).banned.map(b => b.id)).toEqual(['liar'])
    expect(fresh.library.view().items).toEqual([])
    expect(head(fresh)).toBeLessThan(HEIGHT)
    await seeder('honest')
    await until('fresh is in sync', synced(fresh))
    expect(fresh.chain.joined()?.height).toBe(HEIGHT)
  }, 60_000)

  it('tries the next ledger where the first is a lie', async () => {
    open()
    await cheat('liar', withOneGrainMoved)
    await cheat('liar2', withOneGrainMoved)
    await seeder('honest')
    const fresh = await node('fresh')
    await until('fresh is in sync', synced(fresh))
    expect(fresh.chain.joined()?.height).toBe(HEIGHT)
    expect((await fresh.network.status()).banned.map(b => b.id).sort()).toEqual(['liar', 'liar2'])
  }, 60_000)

  it.each([
    ['another size than it has', (o: SnapshotOffer) => ({ ...o, bytes: o.bytes + 1 })],
    ['a size that no ledger can have', (o: SnapshotOffer) => ({ ...o, bytes: MAX_SNAPSHOT_FILE_BYTES + 1 })],
    ['a size of nothing', (o: SnapshotOffer) => ({ ...o, bytes: 0 })]
  ])('refuses who promises %s, before any of it is fetched', async (_, change) => {
    open()
    await cheat('liar', right => right, change)
    const fresh = await node('fresh')
    await until('the liar is named', () => reasons(fresh).some(r => r.includes('snapshot-size')))
    expect((await fresh.network.status()).banned.map(b => b.id)).toEqual(['liar'])
    expect(fresh.library.view().items).toEqual([])
  }, 60_000)

  it('blames nobody for what others say of the size of his torrent', async () => {
    open()
    await cheat('liar', right => right, o => ({ ...o, bytes: o.bytes + 1 }))
    await cheat('liar2', right => right, o => ({ ...o, bytes: o.bytes + 1 }))
    await seeder('honest')
    const fresh = await node('fresh')
    await until('fresh is in sync', synced(fresh))
    expect((await fresh.network.status()).banned.map(b => b.id).sort()).toEqual(['liar', 'liar2'])
    expect(fresh.chain.joined()?.height).toBe(HEIGHT)
  }, 60_000)

  it('begins to fetch nothing once the join is over for which offers were asked', async () => {
    const offer: SnapshotOffer = { height: HEIGHT, block: new Uint8Array(32).fill(1), infoHash: new Uint8Array(20).fill(2), bytes: 1_000 }
    const fetched: string[] = []
    const answers: Array<(bytes: Uint8Array) => void> = []
    const { params } = kit
    const joining = new SnapshotJoin({
      params, chainId: kit.genesis.hash, empty: kit.genesis.ledger, random, clock: w.clock, log: new RingLog(w.clock),
      network: { request: async () => await new Promise<Uint8Array>(resolve => { answers.push(resolve) }) },
      library: { obtain: async infoHash => { fetched.push(infoHash); return { ok: false, reason: 'withheld', detail: 'nobody has it' } } },
      signatures: { verify: async items => items.map(() => true) }, blame: { refuse: () => {} }
    })
    const answer = async (): Promise<void> => {
      for (const give of answers.splice(0)) give(SnapshotResponse.serialize({ offers: [offer] }))
      await new Promise(resolve => { setImmediate(resolve) })
    }
    joining.ahead(['a'], BLOCKS, () => 60_000)
    joining.forget()
    await answer()
    expect(fetched).toEqual([])
    joining.ahead(['a'], BLOCKS, () => 60_000)
    await answer()
    expect(fetched).toEqual([toHex(offer.infoHash)])
  })

  it('does not go on from the ledger of a block that is not on the chain, and applies the blocks instead', async () => {
    open()
    const other = kit.mine(blocks()[HEIGHT - 2].meta, { miner: keyPair(9) })
    await cheat('odd', right => right, o => ({ ...o, block: other.meta.hash }))
    const fresh = await node('fresh')
    await until('fresh is in sync', synced(fresh))
    expect(logged(fresh, 'not on the chain')).toBe(true)
    expect(fresh.chain.joined()).toBeUndefined()
    expect(fresh.chain.baseHeight()).toBeLessThan(HEIGHT)
    expect((await fresh.network.status()).banned).toEqual([])
  }, 60_000)

  it('gives up a ledger whose bytes do not come, and applies the blocks instead', async () => {
    open()
    await cheat('miser', () => undefined)
    const fresh = await node('fresh')
    await until('fresh is in sync', synced(fresh))
    expect(logged(fresh, 'not to be had (withheld)')).toBe(true)
    expect(fresh.chain.joined()).toBeUndefined()
    expect(fresh.library.view().items).toEqual([])
  }, 60_000)

  describe('whose disk has an older chain comes back after a death at any commit', () => {
    const OLD = 50
    /** Every commit there was. */
    class Journal extends MemoryStorage {
      readonly commits: Array<readonly StorageOp[]> = []
      override async commit (ops: readonly StorageOp[]): Promise<void> {
        await super.commit(ops)
        this.commits.push(ops.map(op => op.op === 'put' ? { ...op, value: op.value.slice() } : op))
      }
    }

    it.each([['of the same', 0], ['of a fork', 6]])('%s', async (_, own) => {
      open()
      await seeder('a')
      const storage = new Journal()
      const before = blocks().slice(0, OLD - own)
      for (let i = 0; i < own; i++) before.push(kit.mine(before[before.length - 1].meta, { miner: keyPair(7) }))
      const fresh = await node('fresh', { storage, held: before })
      await fresh.store.idle()
      const had = storage.commits.length
      await until('fresh is in sync', synced(fresh))
      await fresh.store.idle()
      expect(fresh.chain.joined()?.height).toBe(HEIGHT)
      const [oldHead, newHead] = [toHex(before[OLD - 1].meta.hash), toHex(blocks()[BLOCKS - 1].meta.hash)]
      const disk = new MemoryDisk()
      let atNew = 0
      for (const [i, ops] of storage.commits.entries()) {
        disk.apply(ops)
        if (i < had || ops.every(o => o.store === 'library')) continue
        const image = new MemoryDisk()
        for (const earlier of storage.commits.slice(0, i + 1)) image.apply(earlier)
        const again = rig({ kit, clock: w.clock, storage: new MemoryStorage(image) })
        const { problem } = await again.chain.loadFromStorage()
        await again.store.idle()
        expect(problem).toBeUndefined()
        const isNew = again.chain.joined() !== undefined
        expect(toHex(again.chain.head().hash), `after commit ${i}`).toBe(isNew ? newHead : oldHead)
        // What is far below it comes last of all.
        const from = HEIGHT - treeDepths(kit.params).metas
        if (isNew) expect((await again.store.settledHeaders(from, HEIGHT)).length, `after commit ${i}`).toBeGreaterThanOrEqual(HEIGHT - from)
        else expect(await again.store.body(OLD - 1, toHex(before[OLD - 2].meta.hash))).toBeDefined()
        if (isNew) atNew++
        else expect(atNew).toBe(0)
      }
      expect(atNew).toBeGreaterThan(0)
      expect((await fresh.store.settledHeaders(1, HEIGHT)).length).toBeGreaterThanOrEqual(HEIGHT - 1)
    }, 120_000)
  })

  describe('on a full disk', () => {
    it('that has no room for the ledger\'s pieces applies the blocks instead, and says why', async () => {
      open()
      await seeder('a')
      const fresh = await node('fresh', { pieces: new FullPieces(1 << 20) })
      await until('fresh is in sync', synced(fresh))
      expect(fresh.chain.joined()).toBeUndefined()
      expect(logged(fresh, 'not to be had (room)')).toBe(true)
      expect(reasons(fresh)).toEqual([])
    }, 60_000)

    it('that has no room to share a ledger writes it down once, not at every block', async () => {
      open()
      const a = await node('a')
      await a.library.set({ budget: BUDGET_MIN })
      expect(await a.library.share([new File([new Uint8Array(BUDGET_MIN - 1000)], 'mine.bin')], { name: 'mine.bin', kind: 'file', licence: '', about: '', parents: [] })).toMatchObject({ ok: true })
      for (const { block } of blocks()) await a.chain.submit(block)
      await until('it is in sync', synced(a))
      const refused = (): number => a.log.entries(500).filter(e => e.text.includes('is not shared')).length
      await until('it has tried', () => refused() > 0)
      const before = refused()
      let tip = blocks()[BLOCKS - 1].meta
      for (let i = 0; i < 3; i++) {
        const next = kit.mine(tip)
        expect((await a.chain.submit(next.block)).status).toBe('added')
        await w.clock.advance(1_000)
        tip = next.meta
      }
      expect(refused()).toBe(before)
    }, 60_000)

    it('that takes no more blocks is in sync in memory, says so, and comes back sound', async () => {
      open()
      const a = await seeder('a')
      const disk = new MemoryDisk()
      const fresh = await node('fresh', { disk, held: blocks().slice(0, 3) })
      await fresh.store.idle()
      disk.quota = disk.used
      await until('fresh is in sync', synced(fresh))
      expect(toHex(fresh.chain.head().hash)).toBe(toHex(a.chain.head().hash))
      expect(fresh.store.state).toMatchObject({ kind: 'full' })
      const again = rig({ kit, clock: w.clock, storage: new MemoryStorage(disk) })
      await again.chain.loadFromStorage()
      expect(head(again)).toBe(3)
      expect(toHex(again.chain.head().hash)).toBe(toHex(blocks()[2].meta.hash))
      expect(again.chain.joined()).toBeUndefined()
    }, 60_000)
  })

  it('goes back to where it was if a block above the ledger proves wrong', async () => {
    open()
    await seeder('a')
    const fresh = await node('fresh')
    fresh.replay.wrong.add(toHex(blocks()[BLOCKS - 4].meta.hash))
    await until('it is dropped', () => logged(fresh, 'is dropped'))
    expect(head(fresh)).toBe(0)
    expect(fresh.chain.joined()).toBeUndefined()
    expect(fresh.torrents.offers()).toEqual([])
  }, 60_000)

  it('serves nothing of a chain it has not proved', async () => {
    open()
    await seeder('a')
    const fresh = await node('fresh')
    fresh.replay.gate = new Promise(() => {})
    await until('it has gone on from the ledger', () => fresh.chain.baseHeight() === HEIGHT)
    await w.clock.advance(1_000)
    expect(fresh.chain.redone().height).toBe(0)
    const other = w.hub.join('other')
    await w.clock.advance(1_000)
    const asked = other.request('fresh', SNAPSHOT_PROTOCOL, SnapshotRequest.serialize({ chain: kit.genesis.hash }), { timeoutMs: 2_000, maxResponseBytes: 1_000 })
    await w.clock.advance(3_000)
    expect((await asked).length).toBe(0)
  }, 60_000)
})
