import { describe, expect, it } from 'vitest'
import { toHex } from '../../src/core/codec/ssz.ts'
import { Body } from '../../src/core/codec/wire.ts'
import { type BlockMeta, compareChains } from '../../src/core/consensus/chain.ts'
import { hash, u32le } from '../../src/core/crypto/hash.ts'
import { claimId } from '../../src/core/crypto/ids.ts'
import { ledgerRoot } from '../../src/core/ledger/state.ts'
import { RingLog } from '../../src/node/log.ts'
import { ChainStore, CONDEMNED_KEPT, heightKey, SNAPSHOT_BLOCKS, TRIM_BLOCKS, WRITE_RETRY_MS } from '../../src/node/persist.ts'
import { type Storage, StorageError, type StorageOp } from '../../src/ports/storage.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { ChainKit, keyPair, type Mined } from '../core/chainKit.ts'
import { kitTime, ManualClock, rig, type Rig, settle } from './chainRig.ts'

const hex = (m: BlockMeta): string => toHex(m.hash)
/** Shallow enough that blocks leave memory within a test. */
const shallow = (): ChainKit => new ChainKit({ ...new ChainKit().params, historyBlocks: 20 })

/** A chain with rounds sealed in it, by three miners in turn. */
function grow (kit: ChainKit, from: BlockMeta, count: number): Mined[] {
  const out: Mined[] = []
  let tip = from
  for (let i = 0; i < count; i++) {
    const miner = keyPair(1 + i % 3)
    const seals = tip.height >= kit.params.committeeBlocks && i % 2 === 0
      ? [kit.seal(tip, tip.ledger.jobs[0], [kit.contribution(tip, tip.ledger.jobs[0], keyPair(1)), kit.contribution(tip, tip.ledger.jobs[0], keyPair(2))])]
      : []
    out.push(kit.mine(tip, { miner, seals }))
    tip = out[i].meta
  }
  return out
}

async function feed (r: Rig, blocks: readonly Mined[]): Promise<void> {
  for (const b of blocks) {
    const result = await r.chain.submitAs(b.block, { mode: 'full', origin: 'p', via: 'p', blame: 'p' })
    if (result.status !== 'added') throw new Error(JSON.stringify(result))
  }
  await settle()
}

/** Fails commits by the test's choice, before anything is written. */
class FlakyStorage extends MemoryStorage implements Storage {
  allowed = Infinity
  commits = 0
  override async commit (ops: readonly StorageOp[]): Promise<void> {
    if (this.commits >= this.allowed) throw new StorageError('gone', 'the power is out')
    this.commits++
    await super.commit(ops)
  }
}

describe('restart', () => {
  it('restores head, ledger, records and roots of a chain longer than memory', async () => {
    const kit = shallow()
    const disk = new MemoryDisk()
    const first = rig({ kit, storage: new MemoryStorage(disk) })
    const blocks = grow(kit, kit.genesis, 70)
    const fork = kit.mine(blocks[66].meta, { miner: keyPair(9) })
    await feed(first, [...blocks, fork])
    const head = first.chain.head()
    await first.chain.stop()

    const second = rig({ kit, storage: new MemoryStorage(disk) })
    expect(await second.chain.loadFromStorage()).toEqual({ height: 70, problem: undefined })
    expect(hex(second.chain.head())).toBe(hex(head))
    expect(toHex(ledgerRoot(second.chain.head().ledger))).toBe(toHex(ledgerRoot(head.ledger)))
    expect(second.chain.head().work).toBe(head.work)
    expect(second.chain.baseHeight()).toBe(48)
    expect(second.chain.at(60)!.events).toEqual(first.chain.at(60)!.events)
    expect(second.chain.at(60)!.checked).toBe('replayed')
    expect(second.chain.get(fork.meta.hash)).toBeDefined()
    // Nothing was verified again, and the chain goes on, seals and all.
    expect(second.signatures.checked).toBe(0)
    await feed(second, grow(kit, blocks[69].meta, 30))
    expect(second.chain.head().height).toBe(100)
    expect(second.refused).toEqual([])
  })

  it('goes on from the chain it followed: work taken on trust beside it wins no more than before', async () => {
    const kit = new ChainKit({ ...shallow().params, joinReplayBlocks: 2 })
    const disk = new MemoryDisk()
    const first = rig({ kit, storage: new MemoryStorage(disk) })
    // A restart reads the blocks of a height in the order of their hashes: the forged one comes first, and wins ties.
    const firsts = [1, 2, 3, 4, 5, 6].map(k => ({ k, mined: kit.mine(kit.genesis, { miner: keyPair(k) }) })).sort((x, y) => hex(x.mined.meta) < hex(y.mined.meta) ? -1 : 1)
    const low = firsts.find((f, i) => firsts.slice(i + 1).some(o => compareChains(f.mined.meta, o.mined.meta) > 0))!
    const own = firsts.slice(firsts.indexOf(low) + 1).find(o => compareChains(low.mined.meta, o.mined.meta) > 0)!.mined
    const forged = [low.mined]
    while (forged.length < 5) forged.push(kit.mine(forged.at(-1)!.meta, { miner: keyPair(low.k) }))
    await feed(first, [own])
    for (const b of forged) await first.chain.submitAs(b.block, { mode: 'ledger' })
    expect(hex(first.chain.head())).toBe(hex(own.meta))
    await first.chain.stop()

    const second = rig({ kit, storage: new MemoryStorage(disk) })
    expect(await second.chain.loadFromStorage()).toEqual({ height: 1, problem: undefined })
    expect(hex(second.chain.head())).toBe(hex(own.meta))
    for (const b of forged.slice(3)) second.chain.markReplayed(b.meta.hash)
    expect(hex(second.chain.head())).toBe(hex(forged[4].meta))
    await second.chain.stop()

    const third = rig({ kit, storage: new MemoryStorage(disk) })
    await third.chain.loadFromStorage()
    expect(hex(third.chain.head())).toBe(hex(forged[4].meta))
  })

  it('goes on from the chain it followed, however much longer what is taken on trust beside it was', async () => {
    const kit = shallow()
    const disk = new MemoryDisk()
    const first = rig({ kit, storage: new MemoryStorage(disk) })
    const own = grow(kit, kit.genesis, 2)
    await feed(first, own)
    // Longer than what is kept, with a snapshot of its own for a restart to begin from.
    const forged = grow(kit, kit.mine(kit.genesis, { miner: keyPair(9) }).meta, 60)
    await first.chain.submitAs(kit.mine(kit.genesis, { miner: keyPair(9) }).block, { mode: 'ledger' })
    for (const b of forged) await first.chain.submitAs(b.block, { mode: 'ledger' })
    expect(hex(first.chain.head())).toBe(hex(own[1].meta))
    await settle()
    await first.chain.stop()

    const second = rig({ kit, storage: new MemoryStorage(disk) })
    expect(await second.chain.loadFromStorage()).toEqual({ height: 2, problem: undefined })
    expect(hex(second.chain.head())).toBe(hex(own[1].meta))
    expect(second.chain.baseHeight()).toBe(0)
  })

  it('goes on from the chain it had come to trust, also in the middle of joining', async () => {
    const kit = new ChainKit({ ...shallow().params, joinReplayBlocks: 2 })
    const disk = new MemoryDisk()
    const first = rig({ kit, storage: new MemoryStorage(disk) })
    const joined = grow(kit, kit.genesis, 6)
    for (const b of joined) await first.chain.submitAs(b.block, { mode: 'ledger' })
    await first.chain.stop()
    const second = rig({ kit, storage: new MemoryStorage(disk) })
    expect((await second.chain.loadFromStorage()).height).toBe(6)
  })

  it.each([['a young chain', 20], ['a chain longer than memory', 45]])('restores %s although its snapshot\'s height has a side branch', async (_, length) => {
    const kit = shallow()
    const below = grow(kit, kit.genesis, SNAPSHOT_BLOCKS - 1)
    // The main chain's block is neither the first nor the last of its height in the order of hashes.
    const rivals = [1, 2, 3].map(k => kit.mine(below[SNAPSHOT_BLOCKS - 2].meta, { miner: keyPair(k) })).sort((x, y) => hex(x.meta) < hex(y.meta) ? -1 : 1)
    const above = grow(kit, rivals[1].meta, length - SNAPSHOT_BLOCKS)
    const disk = new MemoryDisk()
    const first = rig({ kit, storage: new MemoryStorage(disk) })
    await feed(first, [...below, ...rivals, ...above])
    expect((await new MemoryStorage(disk).keys('ledger')).filter(k => k.startsWith(heightKey(SNAPSHOT_BLOCKS))).length).toBe(3)
    await first.chain.stop()

    const second = rig({ kit, storage: new MemoryStorage(disk) })
    expect(await second.chain.loadFromStorage()).toEqual({ height: length, problem: undefined })
    expect(hex(second.chain.head())).toBe(hex(above.at(-1)!.meta))
  })

  it('serves settled blocks by height and by hash after any number of restarts', async () => {
    const kit = shallow()
    const disk = new MemoryDisk()
    const blocks = grow(kit, kit.genesis, 90)
    for (let i = 0; i < 3; i++) {
      const r = rig({ kit, storage: new MemoryStorage(disk) })
      await r.chain.loadFromStorage()
      await feed(r, blocks.slice(30 * i, 30 * i + 30))
      await r.chain.stop()
    }
    const r = rig({ kit, storage: new MemoryStorage(disk) })
    await r.chain.loadFromStorage()
    await r.store.idle()
    for (let h = 1; h < r.chain.baseHeight(); h++) {
      expect(toHex((await r.store.settledHash(h))!)).toBe(hex(blocks[h - 1].meta))
      expect(await r.store.settledHeight(blocks[h - 1].meta.hash)).toBe(h)
      expect(await r.store.body(h, hex(blocks[h - 1].meta))).toBeDefined()
    }
  })

  it('keeps what branches off below the oldest snapshot, while all of it is in reach', async () => {
    const kit = shallow()
    const disk = new MemoryDisk()
    const first = rig({ kit, storage: new MemoryStorage(disk) })
    const blocks = grow(kit, kit.genesis, SNAPSHOT_BLOCKS + 6)
    const side = grow(kit, kit.mine(blocks[SNAPSHOT_BLOCKS - 4].meta, { miner: keyPair(9) }).meta, 5)
    await feed(first, [...blocks, kit.mine(blocks[SNAPSHOT_BLOCKS - 4].meta, { miner: keyPair(9) }), ...side])
    await first.chain.stop()

    const second = rig({ kit, storage: new MemoryStorage(disk) })
    expect(await second.chain.loadFromStorage()).toEqual({ height: blocks.length, problem: undefined })
    expect(second.chain.baseHeight()).toBe(0)
    for (const b of side) expect(second.chain.get(b.meta.hash)).toBeDefined()
  })

  it('forgets side branches and old snapshots once they are out of reach', async () => {
    const kit = shallow()
    const disk = new MemoryDisk()
    const storage = new MemoryStorage(disk)
    const r = rig({ kit, storage })
    const blocks = grow(kit, kit.genesis, 10)
    const side = kit.mine(blocks[4].meta, { miner: keyPair(9) })
    await feed(r, [...blocks, side])
    expect((await storage.keys('bodies')).some((k) => k.endsWith(hex(side.meta)))).toBe(true)
    await feed(r, grow(kit, blocks[9].meta, 70))
    await r.store.idle()
    expect((await storage.keys('bodies')).some((k) => k.endsWith(hex(side.meta)))).toBe(false)
    const snapshots = await storage.keys('ledger')
    expect(snapshots.length).toBeLessThanOrEqual(Math.ceil(40 / SNAPSHOT_BLOCKS) + 1)
    expect(parseInt(snapshots[0].slice(0, 8), 16)).toBeLessThanOrEqual(r.chain.baseHeight())
  })

  it('keeps the main chain\'s snapshot at a height where that of a side branch is being forgotten', async () => {
    const kit = shallow()
    const below = grow(kit, kit.genesis, SNAPSHOT_BLOCKS - 1)
    // The side branch's comes last in the order of hashes.
    const [main, side] = [1, 2].map(k => kit.mine(below.at(-1)!.meta, { miner: keyPair(k) })).sort((x, y) => hex(x.meta) < hex(y.meta) ? -1 : 1)
    const disk = new MemoryDisk()
    const storage = new MemoryStorage(disk)
    const first = rig({ kit, storage })
    await feed(first, [...below, main, side, ...grow(kit, main.meta, 29)])
    first.store.forget([{ height: SNAPSHOT_BLOCKS, key: hex(side.meta) }])
    first.store.trim(SNAPSHOT_BLOCKS)
    await settle()
    await first.chain.stop()
    expect((await storage.keys('ledger')).filter(k => k.startsWith(heightKey(SNAPSHOT_BLOCKS)))).toEqual([`${heightKey(SNAPSHOT_BLOCKS)}/${hex(main.meta)}`])

    const second = rig({ kit, storage: new MemoryStorage(disk) })
    expect(await second.chain.loadFromStorage()).toEqual({ height: 45, problem: undefined })
    expect(second.chain.baseHeight()).toBe(SNAPSHOT_BLOCKS)
  })

  it.each([['half of the bodies', 2], ['hardly any', 1_000_000]])('lets the oldest go where there is room for %s, keeps their headers, and is none the worse for it', async (_, parts) => {
    const kit = new ChainKit(shallow().params, { trusting: true })
    const disk = new MemoryDisk()
    const storage = new MemoryStorage(disk)
    const blocks = grow(kit, kit.genesis, 2 * TRIM_BLOCKS + 60)
    const bodyBytesMax = blocks.reduce((sum, b) => sum + Body.value_serializedSize(b.block.body), 0) / parts
    const r = rig({ kit, storage, bodyBytesMax })
    for (let i = 0; i < blocks.length; i += 30) await feed(r, blocks.slice(i, i + 30))
    await r.store.idle()
    const bodies = await storage.range('bodies')
    const heights = bodies.map(([key]) => parseInt(key.slice(0, 8), 16))
    expect(heights.length).toBeGreaterThan(blocks.length / parts)
    expect(heights.length).toBeLessThan(blocks.length / 2 + TRIM_BLOCKS / 2)
    expect(heights).toEqual(blocks.slice(-heights.length).map(b => b.meta.height))
    // A restart may have to begin below the base.
    expect(heights[0]).toBeLessThanOrEqual(r.chain.baseHeight() - SNAPSHOT_BLOCKS)
    // To others it is as to a tab that joined by a snapshot: it has the headers, and not the bodies.
    expect(await r.store.body(1, hex(blocks[0].meta))).toBeUndefined()
    expect(await r.store.settledHeaders(1, 50)).toHaveLength(50)
    await r.chain.stop()
    const again = rig({ kit, storage: new MemoryStorage(disk), bodyBytesMax })
    expect(await again.chain.loadFromStorage()).toEqual({ height: blocks.length, problem: undefined })
    expect(hex(again.chain.head())).toBe(hex(blocks.at(-1)!.meta))
    await feed(again, grow(kit, blocks.at(-1)!.meta, 2))
  })

  it('remembers what it condemned', async () => {
    const kit = shallow()
    const disk = new MemoryDisk()
    const first = rig({ kit, storage: new MemoryStorage(disk) })
    const blocks = grow(kit, kit.genesis, 8)
    await feed(first, blocks)
    const sealed = blocks.find((b) => b.block.body.seals.length > 0)!
    await first.chain.condemn(claimId(sealed.block.body.seals[0].seal.contributions[0]), 'wrong')
    await first.chain.stop()
    const second = rig({ kit, storage: new MemoryStorage(disk) })
    await second.chain.loadFromStorage()
    expect(second.chain.head().height).toBe(sealed.meta.height - 1)
    expect(await second.chain.submit(sealed.block, 'o', 'v')).toMatchObject({ status: 'refused', refusal: { reason: 'contribution-wrong' } })
  })

  it('remembers the newest of what it condemned, as much as there is room for', async () => {
    const disk = new MemoryDisk()
    const first = rig({ storage: new MemoryStorage(disk) })
    const ids = Array.from({ length: CONDEMNED_KEPT + 1 }, (_, i) => toHex(hash('test-condemned', u32le(i))))
    first.store.condemned(new Set(ids))
    await first.chain.stop()
    const second = rig({ storage: new MemoryStorage(disk) })
    await second.chain.loadFromStorage()
    expect([...second.chain.condemnedContributions()]).toEqual(ids.slice(1))
  })
})

describe('a chain that goes on from a fetched ledger', () => {
  it('leaves nothing on the disk of the own blocks whose place it has taken', async () => {
    const kit = shallow()
    const storage = new MemoryStorage(new MemoryDisk())
    const r = rig({ kit, storage })
    const main = grow(kit, kit.genesis, 40)
    const fork = main[4].meta
    const left = kit.mine(fork, { miner: keyPair(9) })
    const own = [left, ...grow(kit, left.meta, 2)]
    await feed(r, [...main.slice(0, 5), ...own])
    r.chain.adopt(main[29].meta, fork, main.slice(5, 29).map(b => b.meta), { headers: 35, signatures: 0, height: 30, bytes: 1 })
    await feed(r, main.slice(30))
    r.chain.settleAdopted()
    await r.store.idle()
    for (const store of ['headers', 'bodies', 'ledger'] as const) expect((await storage.keys(store)).filter(k => own.some(b => k.includes(hex(b.meta))))).toEqual([])
    for (const { meta: { height } } of own) expect(toHex((await r.store.settledHash(height))!)).toBe(hex(main[height - 1].meta))
  })
})

describe('an own block', () => {
  it('is on disk before anyone hears of it', async () => {
    const kit = shallow()
    const disk = new MemoryDisk()
    let release = (): void => {}
    class Gated extends MemoryStorage {
      gate: Promise<void> = Promise.resolve()
      override async commit (ops: readonly StorageOp[]): Promise<void> {
        await this.gate
        await super.commit(ops)
      }
    }
    const storage = new Gated(disk)
    const r = rig({ kit, storage })
    const [first, own] = grow(kit, kit.genesis, 2)
    await feed(r, [first])
    storage.gate = new Promise(resolve => { release = resolve })
    let answered = false
    const heads: number[] = []
    r.chain.on('head', e => { heads.push(e.head.height) })
    const submitting = r.chain.submitOwn(own.block).then(result => { answered = true; return result })
    await settle()
    expect([answered, r.chain.head().height, heads]).toEqual([false, 1, []])
    release()
    expect(await submitting).toEqual({ status: 'added', head: true })
    const after = rig({ kit, storage: new MemoryStorage(disk) })
    expect((await after.chain.loadFromStorage()).height).toBe(2)
    expect(heads).toEqual([2])
  })

  it('is taken all the same where nothing can be written', async () => {
    const kit = shallow()
    const disk = new MemoryDisk()
    const r = rig({ kit, storage: new MemoryStorage(disk) })
    disk.fail('full')
    for (const b of grow(kit, kit.genesis, 3)) expect(await r.chain.submitOwn(b.block)).toEqual({ status: 'added', head: true })
    expect(r.store.state).toMatchObject({ ok: false, kind: 'full' })
  })

  it('whose parent is dropped while it is written is taken off the disk again', async () => {
    const kit = shallow()
    const disk = new MemoryDisk()
    const r = rig({ kit, storage: new MemoryStorage(disk) })
    const [first, own] = grow(kit, kit.genesis, 2)
    await feed(r, [first])
    const written = r.store.written.bind(r.store)
    r.store.written = async () => {
      const stored = await written()
      r.chain.distrust(first.meta.hash)
      return stored
    }
    expect((await r.chain.submitOwn(own.block)).status).toBe('held')
    await r.store.idle()
    expect(await new MemoryStorage(disk).keys('bodies')).toEqual([])
  })
})

describe('damage', () => {
  const stored = async (count: number): Promise<{ kit: ChainKit, disk: MemoryDisk, storage: MemoryStorage, blocks: Mined[] }> => {
    const kit = shallow()
    const disk = new MemoryDisk()
    const r = rig({ kit, storage: new MemoryStorage(disk) })
    const blocks = grow(kit, kit.genesis, count)
    await feed(r, blocks)
    await r.chain.stop()
    return { kit, disk, storage: new MemoryStorage(disk), blocks }
  }

  it.each(['bodies', 'headers'] as const)('cuts the chain at a block damaged in %s, says so, and goes on from there', async (store) => {
    const { kit, disk, storage, blocks } = await stored(40)
    const key = (await storage.keys(store)).find((k) => k.endsWith(hex(blocks[34].meta)))!
    const value = (await storage.get(store, key))!
    value[value.length >> 1] ^= 1
    await storage.commit([{ op: 'put', store, key, value }])
    const r = rig({ kit, storage: new MemoryStorage(disk) })
    const loaded = await r.chain.loadFromStorage()
    expect(loaded.height).toBe(34)
    expect(loaded.problem).toContain('block 35')
    await feed(r, blocks.slice(34))
    expect(r.chain.head().height).toBe(40)
    await r.chain.stop()
    const again = rig({ kit, storage: new MemoryStorage(disk) })
    expect(await again.chain.loadFromStorage()).toEqual({ height: 40, problem: undefined })
  })

  it('falls back to another snapshot, and to genesis where all are damaged', async () => {
    const { kit, disk, storage } = await stored(70)
    const snapshots = await storage.keys('ledger')
    await storage.commit([{ op: 'put', store: 'ledger', key: snapshots.filter((k) => parseInt(k.slice(0, 8), 16) <= 50).at(-1)!, value: Uint8Array.of(1, 2, 3) }])
    const r = rig({ kit, storage: new MemoryStorage(disk) })
    expect((await r.chain.loadFromStorage()).height).toBe(70)
    for (const key of snapshots) await storage.commit([{ op: 'put', store: 'ledger', key, value: Uint8Array.of(1, 2, 3) }])
    const bare = rig({ kit, storage: new MemoryStorage(disk) })
    expect((await bare.chain.loadFromStorage()).height).toBe(70)
    expect(bare.chain.baseHeight()).toBe(0)
  })

  it('loses at most the blocks after the last commit in a crash, wherever it falls', async () => {
    const kit = shallow()
    const blocks = grow(kit, kit.genesis, 24)
    for (const allowed of [0, 1, 5, 13, 20]) {
      const disk = new MemoryDisk()
      const storage = new FlakyStorage(disk)
      storage.allowed = allowed
      const r = rig({ kit, storage })
      await feed(r, blocks)
      expect(r.chain.head().height).toBe(24)
      await r.chain.stop()
      const next = rig({ kit, storage: new MemoryStorage(disk) })
      const loaded = await next.chain.loadFromStorage()
      expect(loaded.problem).toBeUndefined()
      expect(loaded.height).toBeLessThanOrEqual(allowed)
      await feed(next, blocks.slice(loaded.height))
      expect(next.chain.head().height).toBe(24)
    }
  })

  it('goes on in memory on a full disk, says so, and catches up when there is room', async () => {
    const kit = shallow()
    const disk = new MemoryDisk()
    const r = rig({ kit, storage: new MemoryStorage(disk) })
    const states: string[] = []
    r.chain.on('storage', (s) => { states.push(s.ok ? 'ok' : s.kind) })
    const blocks = grow(kit, kit.genesis, 12)
    await feed(r, blocks.slice(0, 4))
    disk.fail('full')
    await feed(r, blocks.slice(4, 8))
    expect(r.chain.head().height).toBe(8)
    expect(r.store.state).toMatchObject({ ok: false, kind: 'full' })
    const meanwhile = rig({ kit, storage: new MemoryStorage(disk) })
    expect(await meanwhile.chain.loadFromStorage()).toEqual({ height: 4, problem: undefined })
    disk.fail(undefined)
    await r.clock.advance(WRITE_RETRY_MS)
    await feed(r, blocks.slice(8))
    expect(r.store.state).toEqual({ ok: true })
    expect(states).toContain('full')
    expect(states.at(-1)).toBe('ok')
    await r.chain.stop()
    const next = rig({ kit, storage: new MemoryStorage(disk) })
    expect(await next.chain.loadFromStorage()).toEqual({ height: 12, problem: undefined })
  })

  it('writes on where what is old could not be looked through', async () => {
    class OneBadRead extends MemoryStorage {
      #bad = true
      override async keys (...args: Parameters<Storage['keys']>): Promise<string[]> {
        if (!this.#bad) return await super.keys(...args)
        this.#bad = false
        throw new StorageError('corrupt', 'a read that failed')
      }

      /** Longer than a read, as on a real disk. */
      override async commit (ops: readonly StorageOp[]): Promise<void> {
        await settle()
        await super.commit(ops)
      }
    }
    const disk = new MemoryDisk()
    const kit = shallow()
    const clock = new ManualClock(kitTime(kit, 1))
    const log = new RingLog(clock)
    const store = new ChainStore({ storage: new OneBadRead(disk), clock, log, lookBack: 10, empty: kit.genesis.ledger })
    store.follow(kit.genesis)
    store.trim(0)
    await store.idle()
    expect(log.entries(10).map((e) => e.text)).toEqual([expect.stringContaining('a read that failed')])
    let written = false
    store.written().then(() => { written = true }, () => {})
    await store.idle()
    await settle()
    expect({ state: store.state, waiting: store.waiting, written }).toEqual({ state: { ok: true }, waiting: 0, written: true })
  })
})
