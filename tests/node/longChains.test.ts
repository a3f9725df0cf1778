/** Chains of many headers: packed where the rules have left them behind, shown by peers that fall silent, and written after all else. */
import { expect, it } from 'vitest'
import { equalBytes, toHex } from '../../src/core/codec/ssz.ts'
import type { HeaderMeta } from '../../src/core/consensus/chain.ts'
import { appendHeaders, extendHeader } from '../../src/core/consensus/header.ts'
import { u32le } from '../../src/core/crypto/hash.ts'
import { sleep } from '../../src/node/askPeers.ts'
import { createMemoryHub } from '../../src/net/memory.ts'
import type { HeaderWalk } from '../../src/node/headerWalk.ts'
import { RingLog } from '../../src/node/log.ts'
import { PACKED_AT_ONCE, packOld } from '../../src/node/packedHeaders.ts'
import { ChainStore, ledgerLookBack } from '../../src/node/persist.ts'
import { treeDepths, treeNode } from '../../src/node/tree.ts'
import { Weigher } from '../../src/node/weigh.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { StorageError, type StorageOp } from '../../src/ports/storage.ts'
import { ChainKit, type Mined } from '../core/chainKit.ts'
import { ManualClock, rig, type Rig, settle } from './chainRig.ts'
import { Branch, honest, honestMiner, kit, ledgersOf, params, redoing, tip, world } from './forgedRig.ts'
import { hex, node, run, stranger, type World } from './syncRig.ts'

const shallow = new ChainKit({ ...params, historyBlocks: 30, joinReplayBlocks: 8, genesisTarget: 10n * params.genesisTarget })

/** Shows the headers of its first answer, and none after it. */
async function fallsSilent (w: World, id: string, blocks: readonly Mined[]): Promise<void> {
  let answers = 0
  await stranger(w, id, blocks, { busy: protocol => protocol.endsWith('headers') && ++answers > 1 })
}

it('who shows part of a long chain and falls silent costs a joiner nothing but that', async () => {
  const w = world()
  const found: number[] = []
  const snapshots = ledgersOf(48, headers => { found.push(headers.length); return honest[149].meta })
  const a = redoing(await node(w, 'a', new MemoryDisk(), { snapshots }))
  await fallsSilent(w, 'mute', honest)
  await run(a)
  await w.clock.advance(30_000)
  expect(a.chain.head().height).toBe(0)
  await stranger(w, 'b', honest)
  await w.clock.advance(10_000)
  expect(hex(a.chain.head())).toBe(hex(tip))
  expect(found).toEqual([honest.length])
  expect(a.blame.list()).toEqual([])
}, 60_000)

it('a peer that shows more headers than were asked for is banned', async () => {
  const w = world()
  const a = redoing(await node(w, 'a'))
  await stranger(w, 'long', honest, { headers: () => [...honest] })
  await run(a)
  await w.clock.advance(5_000)
  expect(a.blame.list().map(r => [r.peer, r.reason, r.detail])).toEqual([['long', 'malformed', '200 headers, 128 were asked for']])
}, 60_000)

it('a chain that is far longer than the one on probation is weighed by its end', async () => {
  const clock = new ManualClock(1_000_000_000_000)
  const count = 40_000
  const header = (height: number, parent: HeaderMeta): HeaderMeta => ({ ...kit.genesis, hash: u32le(height), height, work: parent.work + 1_000n, parent, header: { ...kit.genesis.header, template: { ...kit.genesis.header.template, height, time: clock.now() - (count - height) * 10_000 } } })
  const long: HeaderMeta[] = []
  while (long.length < count) long.push(header(long.length + 1, long.at(-1) ?? kit.genesis))
  const ours = header(count - 10, header(count - 11, kit.genesis))
  // As fast as it must be, or not quite.
  const shows = (perSecond: number): Pick<HeaderWalk, 'walk'> => {
    let at = 0
    return {
      walk: async (_, w) => {
        const fork = at === 0 ? kit.genesis : long[at - 1]
        const headers = long.slice(at, at + w.most)
        await sleep(clock, Math.min(w.leftMs(), headers.length * 1000 / perSecond))
        if (w.leftMs() === 0) return { why: 'its headers come too slowly' }
        at += headers.length
        w.shown?.(headers.length)
        return { fork, headers, whole: at === count, cut: false }
      }
    }
  }
  for (const [perSecond, isFound] of [[550, true], [300, false]] as const) {
    const weigher = new Weigher({
      params, clock, walk: shows(perSecond), log: new RingLog(clock), stopped: () => false, ours: () => ours,
      chain: { headerAt: height => height === 0 ? kit.genesis : height === ours.height ? ours : ours.parent, knownHeader: () => kit.genesis },
      redo: async () => 'right'
    })
    let heavier: unknown = 'under way'
    const weighed: string[] = []
    void weigher.heavier(['far'], [kit.genesis.hash], { onBegun: () => {}, onWeighed: id => { weighed.push(id) } }).then(h => { heavier = h })
    await clock.advance(11 * 60_000)
    expect(heavier).toEqual(isFound ? { peers: ['far'], fork: 0, first: long[0].hash } : undefined)
    expect(weighed).toEqual(['far'])
  }
})

it('packed headers say what they said, and others link on them', () => {
  const chain = new Branch(kit.genesis, { by: honestMiner })
  const keep = 20
  chain.at(1_000_000_000_000, false)
  while (chain.blocks.length < PACKED_AT_ONCE + keep + 5) chain.after(100_000, false)
  const plain: HeaderMeta[] = []
  for (const { block } of chain.blocks) plain.push(extendHeader(plain.at(-1) ?? kit.genesis, block.header))
  const headers: HeaderMeta[] = []
  let packed = 0
  for (let i = 0; i < chain.blocks.length; i += 100) {
    expect(appendHeaders(params, headers, kit.genesis, chain.blocks.slice(i, i + 100).map(m => m.block.header), 2_000_000_000_000)).toBeUndefined()
    packed = packOld(headers, packed, keep)
  }
  expect(packed).toBe(PACKED_AT_ONCE)
  const told = ({ hash, header, height, work, rho, ticket }: HeaderMeta): unknown => ({ hash: toHex(hash), header, height, work, rho: toHex(rho), ticket: toHex(ticket) })
  for (const [i, h] of headers.entries()) {
    expect(told(h)).toEqual(told(plain[i]))
    expect(h.parent).toBe(headers[i - 1] ?? kit.genesis)
  }
  // Below the packed ones, too, what a rule looks back at is there.
  const other = new Branch(chain.blocks[PACKED_AT_ONCE - 1].meta)
  for (let i = 0; i < 3; i++) other.after(5_000, false)
  expect(appendHeaders(params, [], headers[PACKED_AT_ONCE - 1], other.blocks.map(m => m.block.header), 2_000_000_000_000)).toBeUndefined()
})

it('a joiner comes to a chain that leaves the forged one far below what stays decoded', async () => {
  const of = shallow
  const common = new Branch(of.genesis, { of, by: honestMiner })
  while (common.blocks.length < PACKED_AT_ONCE - 1) common.at(of.timeAfter(common.tip), false)
  const theirs = new Branch(common.tip, { of, by: honestMiner })
  while (theirs.blocks.length < 250) theirs.after(10_000, true)
  const now = theirs.tip.header.template.time
  const forged = new Branch(common.tip, { of })
  while (forged.tip.work <= theirs.tip.work) forged.after(1, false)
  const decoded = treeDepths(of.params).metas + 2 * of.params.historyBlocks
  for (let left = decoded + 1 - 15 - forged.blocks.length; left > 0; left--) forged.after(Math.floor((now - forged.tip.header.template.time) / left), false)
  while (forged.blocks.length <= decoded) forged.after(1, true)
  const clock = new ManualClock(now + 1_000)
  const w: World = { kit: of, clock, hub: createMemoryHub({ clock, latencyMs: 5 }) }
  const base = forged.blocks.at(-12)!.meta
  const snapshots = ledgersOf(32, headers => headers.some(h => equalBytes(h.hash, base.hash)) ? base : undefined)
  const a = redoing(await node(w, 'a', new MemoryDisk(), { snapshots }))
  await stranger(w, 'liar', [...common.blocks, ...forged.blocks])
  await run(a)
  await clock.advance(20_000)
  expect(a.chain.baseHeight()).toBe(base.height)
  await stranger(w, 'b', [...common.blocks, ...theirs.blocks])
  await clock.advance(120_000)
  expect(a.log.entries(1_000).map(e => e.text)).toContain('the chain of b leaves ours after block 1023: it weighs more')
  expect(hex(a.chain.head())).toBe(hex(theirs.tip))
}, 120_000)

/** Its commits, and from some on nothing reaches the disk. */
class Cut extends MemoryStorage {
  left = Infinity
  /** While set, commits wait for it. */
  gate: Promise<void> | undefined
  readonly commits: Array<readonly StorageOp[]> = []
  override async commit (ops: readonly StorageOp[]): Promise<void> {
    if (this.left-- <= 0) return
    this.commits.push(ops)
    await this.gate
    await super.commit(ops)
  }
}

const settled = new Branch(shallow.genesis, { of: shallow, by: honestMiner })

/** Has settled on the ledger of a block, and `commits` of what that takes reach the disk. */
async function settles (height: number, clock: ManualClock, storage: Cut, commits: number): Promise<Rig> {
  while (settled.blocks.length < 1_200) settled.at(shallow.timeAfter(settled.tip), settled.blocks.length > 600)
  const r = rig({ kit: shallow, clock, storage })
  await r.chain.loadFromStorage()
  r.chain.adopt(settled.blocks[height - 1].meta, shallow.genesis, settled.blocks.slice(0, height - 1).map(m => m.meta), { headers: height, signatures: 1, height, bytes: 1 })
  storage.left = commits
  r.chain.settleAdopted()
  return r
}

it.each([0, 1, 2])('a tab that is killed %d commits after it has settled on a ledger finds no damage, and is on the chain', async commits => {
  const clock = new ManualClock(1_000_000_000_000 + 100_000_000)
  const w: World = { kit: shallow, clock, hub: createMemoryHub({ clock, latencyMs: 5 }) }
  const disk = new MemoryDisk()
  const r = await settles(650, clock, new Cut(disk), commits)
  await r.store.idle()
  await r.chain.stop()
  const blocks = settled.blocks.slice(0, 700)
  const again = redoing(await node(w, 'again', disk, { snapshots: ledgersOf(48, () => blocks[649].meta) }))
  expect(again.log.entries(1_000).map(e => e.text).filter(t => t.includes('damaged'))).toEqual([])
  expect(again.chain.baseHeight()).toBe(commits === 0 ? 0 : 650)
  const has = async (height: number): Promise<boolean> => await again.store.settledHash(height) !== undefined
  // What lies far below comes last.
  expect([await has(649), await has(649 - treeDepths(shallow.params).metas), await has(1)]).toEqual([commits > 0, commits > 1, commits > 1])
  await stranger(w, 'b', blocks)
  await run(again)
  await clock.advance(120_000)
  expect(hex(again.chain.head())).toBe(hex(blocks[699].meta))
  expect(await has(1)).toBe(commits !== 1)
}, 60_000)

it('an own block does not wait until all headers far below a ledger are written', async () => {
  const clock = new ManualClock(1_000_000_000_000 + 100_000_000)
  const storage = new Cut(new MemoryDisk())
  let open = (): void => {}
  storage.gate = new Promise(resolve => { open = resolve })
  const r = await settles(1_200, clock, storage, Infinity)
  const own = new Branch(settled.blocks[1_199].meta, { of: shallow, by: honestMiner })
  own.after(10_000, true)
  const submitted = r.chain.submitOwn(own.blocks[0].block)
  await settle()
  expect(storage.commits).toHaveLength(1)
  open()
  expect((await submitted).status).toBe('added')
  await r.store.idle()
  expect(storage.commits.findIndex(ops => ops.some(op => op.store === 'bodies'))).toBe(1)
  expect(storage.commits.length).toBeGreaterThan(3)
  expect(await r.store.settledHash(1)).toBeDefined()
}, 60_000)

it('where the disk has no room for them own blocks are written all the same', async () => {
  /** Room for a block. */
  class Tight extends Cut {
    isTight = false
    override async commit (ops: readonly StorageOp[]): Promise<void> {
      if (this.isTight && ops.length > 600) throw new StorageError('full', 'no room for so much')
      await super.commit(ops)
    }
  }
  const storage = new Tight(new MemoryDisk())
  const r = await settles(1_200, new ManualClock(1_000_000_000_000 + 100_000_000), storage, Infinity)
  const states: string[] = []
  r.chain.on('storage', s => { states.push(s.ok ? 'ok' : s.kind) })
  storage.isTight = true
  const own = new Branch(settled.blocks[1_199].meta, { of: shallow, by: honestMiner })
  own.after(10_000, true)
  expect((await r.chain.submitOwn(own.blocks[0].block)).status).toBe('added')
  await r.store.idle()
  expect(await r.store.header(1_201, hex(own.tip))).toBeDefined()
  expect(states).toEqual([])
  expect(r.log.entries(100).map(e => e.text).filter(t => t.includes('no room for all headers'))).toHaveLength(1)
})

it('what waits is not lost where a block leaves the queue while those before it are written', async () => {
  class Gated extends MemoryStorage {
    isFull = true
    open: (() => void) | undefined
    override async commit (ops: readonly StorageOp[]): Promise<void> {
      if (this.isFull) throw new StorageError('full', 'full')
      if (this.open === undefined) await new Promise<void>(resolve => { this.open = resolve })
      await super.commit(ops)
    }
  }
  const storage = new Gated(new MemoryDisk())
  const clock = new ManualClock(1_000_000_000_000)
  const store = new ChainStore({ storage, clock, log: new RingLog(clock), lookBack: ledgerLookBack(kit.params), empty: kit.genesis.ledger })
  const nodes = honest.slice(0, 20).map(m => treeNode({ meta: m.meta, body: m.block.body, events: [], checked: 'replayed' }))
  for (const n of nodes) store.put(n)
  await settle()
  expect(store.state.ok).toBe(false)
  storage.isFull = false
  store.retry()
  await settle()
  // The first sixteen are on their way.
  nodes[3].body = undefined
  store.follow(honest[19].meta)
  storage.open!()
  await store.idle()
  for (const n of nodes) expect(await store.header(n.meta.height, n.key), `block ${n.meta.height}`).toBeDefined()
})
