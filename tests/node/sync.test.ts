import { describe, expect, it } from 'vitest'
import { equalBytes, toHex } from '../../src/core/codec/ssz.ts'
import { BodiesRequest, BodiesResponse, Block, Body, HeadersRequest, HeadersResponse, Status } from '../../src/core/codec/wire.ts'
import type { BlockMeta } from '../../src/core/consensus/chain.ts'
import { claimId } from '../../src/core/crypto/ids.ts'
import { Backfill } from '../../src/node/backfill.ts'
import { sleep } from '../../src/node/askPeers.ts'
import { BlocksGossip, blocksTopic, MAX_GOSSIP_BLOCK_BYTES } from '../../src/node/blocksGossip.ts'
import { PATIENCE_MS, PROVE_BLOCK_MS, PROVE_MS } from '../../src/node/patience.ts'
import { Presence } from '../../src/node/presence.ts'
import { Records } from '../../src/node/records.ts'
import { Refusals } from '../../src/node/refusals.ts'
import { BODIES_PROTOCOL, HEADERS_PROTOCOL, STATUS_PROTOCOL } from '../../src/node/syncServer.ts'
import { Sync, type SyncProgress } from '../../src/node/sync.ts'
import { createMemoryHub, type MemoryHub } from '../../src/net/memory.ts'
import { type Network, RequestError } from '../../src/ports/network.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { ChainKit, keyPair, type Mined } from '../core/chainKit.ts'
import { kitTime, ManualClock, rig, type Rig } from './chainRig.ts'

const hex = (m: BlockMeta): string => toHex(m.hash)
const random = { bytes: (n: number): Uint8Array => Uint8Array.from({ length: n }, (_, i) => (i * 91 + 17) & 255) }

interface TestNode extends Rig { readonly id: string, readonly network: Network, readonly sync: Sync, readonly gossip: BlocksGossip, readonly backfill: Backfill, readonly blame: Refusals, readonly progress: SyncProgress[] }

interface World { readonly kit: ChainKit, readonly clock: ManualClock, readonly hub: MemoryHub }

const kit = new ChainKit({ ...new ChainKit().params, historyBlocks: 30, joinReplayBlocks: 8 })

function world (): World {
  const clock = new ManualClock(kitTime(kit, 500))
  return { kit, clock, hub: createMemoryHub({ clock, latencyMs: 5 }) }
}

async function node (w: World, id: string, disk = new MemoryDisk()): Promise<TestNode> {
  const network = w.hub.join(id)
  // Blame reaches the network of this node only once it exists, so the rig's is replaced by a real one.
  const r = rig({ kit: w.kit, clock: w.clock, storage: new MemoryStorage(disk), blame: (log) => new Refusals({ clock: w.clock, network, log }) })
  const blame = r.blame as Refusals
  await r.chain.loadFromStorage()
  const backfill = new Backfill({ chain: r.chain, replay: r.replay, log: r.log })
  const sync = new Sync({ params: w.kit.params, clock: w.clock, random, network, chain: r.chain, store: r.store, blame, log: r.log, backfill, historyFrom: () => 0 })
  const gossip = new BlocksGossip({ params: w.kit.params, clock: w.clock, network, chain: r.chain, sync, pool: { add: async () => undefined }, records: new Records(w.kit.params, r.chain), blame, log: r.log })
  const progress: SyncProgress[] = []
  sync.onProgress((p) => { if (p !== undefined) progress.push(p) })
  return { ...r, id, network, sync, gossip, backfill, blame, progress }
}

const run = async (n: TestNode): Promise<TestNode> => {
  await n.sync.start()
  await n.gossip.start()
  return n
}

const chains = new Map<string, Mined[]>()

/** The first `count` blocks that a miner alone makes on `parent`; made once for all tests. */
function branch (of: ChainKit, parent: BlockMeta, count: number, miner = 1): Mined[] {
  const name = `${hex(parent)}/${miner}`
  const out = chains.get(name) ?? []
  chains.set(name, out)
  while (out.length < count) {
    const tip = out.at(-1)?.meta ?? parent
    const block = of.block(tip, { miner: keyPair(miner) })
    const applied = of.apply(tip, block, { signatures: [true] })
    if (!applied.ok) throw new Error(applied.refusal.detail)
    out.push({ block, meta: applied.meta, events: applied.events })
  }
  return out.slice(0, count)
}

async function feed (n: Rig, blocks: readonly Mined[]): Promise<void> {
  for (const b of blocks) {
    const r = await n.chain.submitAs(b.block, { mode: 'own' })
    if (r.status !== 'added') throw new Error(JSON.stringify(r))
  }
}

/** A peer that says what the test wants. `work` is what it claims. */
async function stranger (w: World, id: string, blocks: readonly Mined[], o: { readonly bodies?: 'none' | 'silent' | 'other', readonly slowMs?: number, readonly work?: bigint, readonly headers?: (h: Mined[]) => Mined[], readonly busy?: (protocol: string) => boolean } = {}): Promise<Network> {
  const network = w.hub.join(id)
  const limits = { maxRequestBytes: 1 << 16, maxResponseBytes: 1 << 22, perPeerPerSecond: 100 }
  const tip = blocks[blocks.length - 1].meta
  await network.handle(STATUS_PROTOCOL, limits, async () => Status.serialize({ chain: w.kit.genesis.hash, version: 1, head: tip.hash, height: tip.height, work: o.work ?? tip.work, historyFrom: 0 }))
  const busy = (protocol: string): void => { if (o.busy?.(protocol) === true) throw new RequestError('busy', 'too many requests per second') }
  /** Slow as can be without missing a deadline, and one thing at a time. */
  const slow = async (): Promise<void> => { if (o.slowMs !== undefined) await sleep(w.clock, o.slowMs) }
  await network.handle(HEADERS_PROTOCOL, limits, async (_, body) => {
    await slow()
    busy(HEADERS_PROTOCOL)
    const request = HeadersRequest.deserialize(body)
    const from = request.locator.map((h) => blocks.findIndex((b) => hex(b.meta) === toHex(h))).find((i) => i >= 0) ?? -1
    const served = (o.headers ?? ((h) => h))(blocks.slice(from + 1, from + 1 + request.count))
    return served.length === 0 ? new Uint8Array(0) : HeadersResponse.serialize({ headers: served.map((b) => b.block.header) })
  })
  await network.handle(BODIES_PROTOCOL, limits, async (_, body) => {
    busy(BODIES_PROTOCOL)
    if (o.bodies === 'silent') await new Promise(() => {})
    if (o.bodies === 'none') return new Uint8Array(0)
    await slow()
    const request = BodiesRequest.deserialize(body)
    return BodiesResponse.serialize({
      bodies: request.hashes.slice(0, o.slowMs === undefined ? undefined : 1).map((h) => {
        if (o.bodies === 'other') return Body.serialize({ transactions: [w.kit.transfer(w.kit.genesis, keyPair(1), keyPair(2).key, 1n)], seals: [] })
        const b = blocks.find((x) => hex(x.meta) === toHex(h))
        return b === undefined ? new Uint8Array(0) : Body.serialize(b.block.body)
      })
    })
  })
  return network
}

describe('a late node', () => {
  it('asks a busy peer again: neither its chain nor its bodies end where it takes no more requests', async () => {
    const w = world()
    const blocks = branch(w.kit, w.kit.genesis, 150)
    const counts = new Map<string, number>()
    await stranger(w, 'a', blocks, {
      busy: protocol => {
        const count = (counts.get(protocol) ?? 0) + 1
        counts.set(protocol, count)
        // The second answer of each only at the third try; of bodies every third after that.
        return protocol === HEADERS_PROTOCOL ? count === 2 || count === 3 : count % 3 !== 1
      }
    })
    const late = await run(await node(w, 'late'))
    await w.clock.advance(60_000)
    expect(hex(late.chain.head())).toBe(hex(blocks[149].meta))
    // One plan to the end: the first blocks that were redone are the last of the chain.
    expect(late.replay.replayed.slice(0, 8)).toEqual(blocks.slice(142).map((b) => hex(b.meta)))
    expect(late.log.entries(500).filter((e) => e.text.includes('given up'))).toEqual([])
  })

  it('takes over old blocks by their rules, redoes the last ones, then the older ones backwards', async () => {
    const w = world()
    const blocks = branch(w.kit, w.kit.genesis, 60)
    const a = await run(await node(w, 'a'))
    await feed(a, blocks)
    const late = await run(await node(w, 'late'))
    const upgraded: number[] = []
    late.chain.on('checked', (r) => { upgraded.push(r.meta.height) })
    await w.clock.advance(10_000)
    expect(hex(late.chain.head())).toBe(hex(a.chain.head()))
    expect(late.replay.replayed.slice(0, 8)).toEqual(blocks.slice(52).map((b) => hex(b.meta)))
    await late.backfill.idle()
    // Bodies are kept for 30 blocks: 30..52 are redone afterwards, newest first.
    expect(upgraded).toEqual(Array.from({ length: 23 }, (_, i) => 52 - i))
    expect(late.chain.at(31)?.checked).toBe('replayed')
    expect(new Set(late.progress.map((p) => p.stage))).toEqual(new Set(['headers', 'blocks', 'replay']))
    expect(late.sync.progress()).toBeUndefined()
    expect(late.blame.list()).toEqual([])
  })

  it('says which blocks cannot be redone any more', async () => {
    const w = world()
    const blocks = branch(w.kit, w.kit.genesis, 40)
    const a = await run(await node(w, 'a'))
    await feed(a, blocks)
    const late = await node(w, 'late')
    for (const b of blocks.slice(0, 25)) late.replay.unavailable.add(hex(b.meta))
    await run(late)
    await w.clock.advance(10_000)
    await late.backfill.idle()
    expect(late.chain.head().height).toBe(40)
    expect(late.backfill.pruned).toBe(25)
    expect(late.chain.at(25)?.checked).toBe('ledger')
    expect(late.chain.at(26)?.checked).toBe('replayed')
  })

  it('finds the fork and reorganises to the heavier branch', async () => {
    const w = world()
    const common = branch(w.kit, w.kit.genesis, 12)
    const [mine, theirs] = [branch(w.kit, common[11].meta, 4, 2), branch(w.kit, common[11].meta, 6, 3)]
    const a = await run(await node(w, 'a'))
    await feed(a, [...common, ...theirs])
    const b = await node(w, 'b')
    await feed(b, [...common, ...mine])
    await run(b)
    await w.clock.advance(10_000)
    expect(hex(b.chain.head())).toBe(hex(theirs[5].meta))
    expect(b.replay.replayed).toEqual(theirs.map((x) => hex(x.meta)))
  })

  it('is served settled blocks from storage by a node that has restarted', async () => {
    const w = world()
    const disk = new MemoryDisk()
    const blocks = branch(w.kit, w.kit.genesis, 150)
    const before = rig({ kit: w.kit, clock: w.clock, storage: new MemoryStorage(disk) })
    await feed(before, blocks)
    await before.chain.stop()
    const a = await run(await node(w, 'a', disk))
    expect(a.chain.baseHeight()).toBeGreaterThan(100)
    const late = await run(await node(w, 'late'))
    await w.clock.advance(30_000)
    expect(hex(late.chain.head())).toBe(hex(blocks[149].meta))
  })

  it('hears that a neighbour cannot read its disk, and takes the blocks from another', async () => {
    const w = world()
    const blocks = branch(w.kit, w.kit.genesis, 150)
    const disks = [new MemoryDisk(), new MemoryDisk()]
    for (const [i, disk] of disks.entries()) {
      const before = rig({ kit: w.kit, clock: w.clock, storage: new MemoryStorage(disk) })
      await feed(before, blocks)
      await before.chain.stop()
      await run(await node(w, `old ${i}`, disk))
    }
    disks[0].fail('gone')
    const late = await node(w, 'late')
    const refused = expect(late.network.request('old 0', HEADERS_PROTOCOL, HeadersRequest.serialize({ locator: [blocks[20].meta.hash], count: 10 }), { timeoutMs: 1_000, maxResponseBytes: 1e6 }))
      .rejects.toMatchObject({ kind: 'busy', message: 'the disk cannot be read now' })
    await w.clock.advance(100)
    await refused
    await run(late)
    await w.clock.advance(60_000)
    expect(hex(late.chain.head())).toBe(hex(blocks[149].meta))
  })

  it('goes on where it stopped after a restart in the middle', async () => {
    const w = world()
    const blocks = branch(w.kit, w.kit.genesis, 60)
    const a = await run(await node(w, 'a'))
    await feed(a, blocks)
    const disk = new MemoryDisk()
    const half = rig({ kit: w.kit, clock: w.clock, storage: new MemoryStorage(disk) })
    for (const b of blocks.slice(0, 40)) await half.chain.submitAs(b.block, { mode: 'ledger' })
    await half.chain.stop()
    const late = await run(await node(w, 'late', disk))
    expect(late.chain.head().height).toBe(40)
    await w.clock.advance(10_000)
    expect(hex(late.chain.head())).toBe(hex(blocks[59].meta))
  })
})

describe('peers that lie or withhold', () => {
  it('bans by name who serves a forged chain, drops what was taken on trust, and follows the honest one', async () => {
    const w = world()
    const honest = branch(w.kit, w.kit.genesis, 30, 1)
    const forged = branch(w.kit, w.kit.genesis, 50, 2)
    const a = await run(await node(w, 'a'))
    await feed(a, honest)
    await stranger(w, 'liar', forged)
    const late = await node(w, 'late')
    // The liar did the work of one block in the window, to get past the first replay.
    for (const b of forged.slice(44)) late.replay.wrong.add(hex(b.meta))
    await run(late)
    await w.clock.advance(20_000)
    expect(hex(late.chain.head())).toBe(hex(honest[29].meta))
    for (const b of forged) expect(late.chain.has(b.meta.hash)).toBe(false)
    expect(late.blame.list()).toMatchObject([{ reason: 'result-hash', peer: 'liar' }])
    expect((await late.network.status()).banned.map((b) => b.id)).toEqual(['liar'])
    expect(late.blame.isBannedMiner(keyPair(2).key)).toBe(true)
  })

  it.each(['none', 'silent'] as const)('passes over a peer that names a heavier chain and hands out no bodies (%s)', async (bodies) => {
    const w = world()
    const honest = branch(w.kit, w.kit.genesis, 30, 1)
    const a = await run(await node(w, 'a'))
    await feed(a, honest)
    await stranger(w, 'miser', branch(w.kit, w.kit.genesis, 50, 2), { bodies })
    const late = await run(await node(w, 'late'))
    await w.clock.advance(60_000)
    expect(hex(late.chain.head())).toBe(hex(honest[29].meta))
    expect(late.blame.list()).toEqual([])
  })

  it('leaves trusted work whose newest blocks cannot be redone, and does not pass it on meanwhile', async () => {
    const w = world()
    const honest = branch(w.kit, w.kit.genesis, 30, 1)
    const forged = branch(w.kit, w.kit.genesis, 50, 2)
    await stranger(w, 'miser', forged)
    const late = await node(w, 'late')
    for (const b of forged.slice(44)) late.replay.unavailable.add(hex(b.meta))
    await run(late)
    await w.clock.advance(5_000)
    expect(late.chain.head().height).toBe(44)
    expect(late.sync.unproved()).toBe(true)
    expect(late.sync.progress()).toMatchObject({ stage: 'states', target: 50 })
    const other = await node(w, 'other')
    w.hub.cut('other', 'miser')
    await run(other)
    await w.clock.advance(10_000)
    expect(other.chain.head().height).toBe(0)
    const a = await node(w, 'a')
    w.hub.cut('a', 'miser')
    await feed(a, honest)
    await run(a)
    await w.clock.advance(120_000)
    expect(hex(late.chain.head())).toBe(hex(honest[29].meta))
    expect(late.sync.unproved()).toBe(false)
    expect(late.blame.list()).toEqual([])
  })

  it('bans who serves another body than the header names, and gets it elsewhere', async () => {
    const w = world()
    const blocks = branch(w.kit, w.kit.genesis, 6)
    await stranger(w, 'forger', blocks, { bodies: 'other' })
    const late = await run(await node(w, 'late'))
    await w.clock.advance(5_000)
    expect(late.blame.list()).toMatchObject([{ what: 'bodies', reason: 'body-root', peer: 'forger' }])
    expect(late.chain.head().height).toBe(0)
    const a = await run(await node(w, 'a'))
    await feed(a, blocks)
    await w.clock.advance(20_000)
    expect(hex(late.chain.head())).toBe(hex(blocks[5].meta))
  })

  it('bans who serves headers that break a rule', async () => {
    const w = world()
    const blocks = branch(w.kit, w.kit.genesis, 6)
    await stranger(w, 'forger', blocks, {
      headers: (h) => h.map((b, i) => i !== 3 ? b : { ...b, block: { ...b.block, header: { ...b.block.header, template: { ...b.block.header.template, target: 1n } } } })
    })
    const late = await run(await node(w, 'late'))
    await w.clock.advance(5_000)
    expect(late.blame.list()).toMatchObject([{ what: 'headers', reason: 'header-target', peer: 'forger' }])
    expect(late.chain.head().height).toBe(0)
  })

  it('ignores peers of another network, by name', async () => {
    const w = world()
    const other = { ...w, kit: new ChainKit({ ...w.kit.params, name: 'other' }) }
    await stranger(other, 'foreign', branch(other.kit, other.kit.genesis, 5))
    const late = await run(await node(w, 'late'))
    await w.clock.advance(20_000)
    expect(late.blame.list()).toMatchObject([{ reason: 'header-chain', peer: 'foreign' }])
    expect(late.sync.statuses().size).toBe(0)
  })
})

describe('peers that promise more work and hand it out slowly', () => {
  /** What a tab's gate says, second by second: whether it may mine, and on which head. */
  async function watch (w: World, late: TestNode, seconds: number): Promise<Array<{ readonly mines: boolean, readonly height: number, readonly redone: boolean }>> {
    const presence = new Presence({ clock: w.clock, chain: late.chain, sync: late.sync, network: () => status, dataMissing: () => undefined, pruned: () => late.backfill.pruned, params: w.kit.params })
    let status = await late.network.status()
    const off = await late.network.onStatus((s) => { status = s })
    presence.start()
    const seen: Array<{ readonly mines: boolean, readonly height: number, readonly redone: boolean }> = []
    for (let s = 0; s < seconds; s++) {
      await w.clock.advance(1_000)
      const head = late.chain.head()
      seen.push({ mines: presence.mayWork() === undefined, height: head.height, redone: late.chain.at(head.height)?.checked !== 'ledger' })
    }
    presence.stop()
    off()
    return seen
  }

  const SLOW_BOUND_S = (PROVE_MS + 50 * PROVE_BLOCK_MS) / 1_000 + 5
  const share = (seen: ReadonlyArray<{ readonly mines: boolean }>): number => seen.filter((s) => s.mines).length / seen.length

  it('alone with a slow liar a joiner mines in bounded time, on its own chain, and most of the time', async () => {
    const w = world()
    await stranger(w, 'liar', branch(w.kit, w.kit.genesis, 50, 2), { slowMs: 7_000 })
    const late = await run(await node(w, 'late'))
    const seen = await watch(w, late, 600)
    expect(seen.findIndex((s) => s.mines)).toBeLessThan(SLOW_BOUND_S)
    // Never on what was taken on trust.
    expect(seen.filter((s) => s.mines && !s.redone)).toEqual([])
    expect(share(seen)).toBeGreaterThan(0.5)
    expect(late.blame.list()).toEqual([])
  })

  it('then follows the honest chain, which comes first from then on', async () => {
    const w = world()
    const honest = branch(w.kit, w.kit.genesis, 30, 1)
    await stranger(w, 'liar', branch(w.kit, w.kit.genesis, 50, 2), { slowMs: 7_000 })
    const late = await run(await node(w, 'late'))
    // The liar is there first.
    await w.clock.advance(2_000)
    const a = await node(w, 'a')
    w.hub.cut('a', 'liar')
    await feed(a, honest)
    await run(a)
    const seen = await watch(w, late, 300)
    const first = seen.findIndex((s) => s.mines && s.height === 30)
    expect(first).toBeGreaterThan(-1)
    expect(first).toBeLessThan(SLOW_BOUND_S + 10)
  })

  it('headers alone hold up work for half a minute, however many peers promise them', async () => {
    const w = world()
    const honest = branch(w.kit, w.kit.genesis, 10, 1)
    const late = await node(w, 'late')
    await feed(late, honest)
    await run(late)
    const forged = branch(w.kit, w.kit.genesis, 50, 2)
    for (let i = 0; i < 12; i++) await stranger(w, `liar-${i}`, forged, { slowMs: 9_500, headers: () => [], work: forged[49].meta.work * 1000n })
    const seen = await watch(w, late, 600)
    expect(seen.findIndex((s) => s.mines)).toBeLessThanOrEqual(PATIENCE_MS / 1_000 + 1)
    expect(share(seen)).toBeGreaterThan(0.75)
    expect(late.chain.head().height).toBe(10)
  })

  it('two slow liars in a row get no third at once: the time they took is worked first', async () => {
    const w = world()
    const forged = branch(w.kit, w.kit.genesis, 50, 2)
    for (let i = 0; i < 8; i++) await stranger(w, `liar-${i}`, forged, { slowMs: 7_000 })
    const late = await run(await node(w, 'late'))
    for (let i = 0; i < 8; i++) for (let j = 0; j < i; j++) w.hub.cut(`liar-${i}`, `liar-${j}`)
    const seen = await watch(w, late, 900)
    expect(share(seen)).toBeGreaterThan(0.4)
    expect(seen.filter((s) => s.mines && !s.redone)).toEqual([])
  })
})

describe('gossip', () => {
  it('spreads a block through nodes that have replayed it, and catches up who missed some', async () => {
    const w = world()
    const [a, b] = [await run(await node(w, 'a')), await run(await node(w, 'b'))]
    const c = await run(await node(w, 'c'))
    w.hub.cut('a', 'c')
    const blocks = branch(w.kit, w.kit.genesis, 5)
    await a.chain.submitOwn(blocks[0].block)
    await a.gossip.announce(blocks[0].block)
    await w.clock.advance(100)
    expect([b, c].map((n) => n.chain.head().height)).toEqual([1, 1])
    expect(c.replay.replayed).toHaveLength(1)
    for (const m of blocks.slice(1)) await a.chain.submitOwn(m.block)
    await a.gossip.announce(blocks[4].block)
    await w.clock.advance(8_000)
    expect([b, c].map((n) => n.chain.head().height)).toEqual([5, 5])
  })

  it('does not forward a wrong block; only its sender is banned', async () => {
    const w = world()
    const evil = w.hub.join('evil')
    const [a, b] = [await run(await node(w, 'a')), await run(await node(w, 'b'))]
    w.hub.cut('evil', 'b')
    const bad = w.kit.mine(w.kit.genesis)
    for (const n of [a, b]) n.replay.wrong.add(hex(bad.meta))
    const bytes = Block.serialize(bad.block)
    await evil.publish(blocksTopic(w.kit.genesis.hash), Uint8Array.of(0, ...bytes))
    await w.clock.advance(1_000)
    expect((await a.network.status()).banned.map((x) => x.id)).toEqual(['evil'])
    expect(b.replay.replayed).toEqual([])
    expect(b.blame.list()).toEqual([])
  })

  describe('on credit', () => {
    const known = keyPair(2)
    const base = branch(kit, kit.genesis, kit.params.committeeBlocks + kit.params.maturity + 2)
    const round = kit.sealRound(base[base.length - 1].meta, [known])
    const grown = [...base, round]
    /** evil - a - b - c, all at the same block; evil can be heard by a alone unless a test says so. */
    async function line (): Promise<{ w: World, evil: Network, nodes: readonly TestNode[], hand: (block: Block) => Promise<void> }> {
      const w = world()
      const evil = w.hub.join('evil')
      const nodes = [await run(await node(w, 'a')), await run(await node(w, 'b')), await run(await node(w, 'c'))]
      for (const [x, y] of [['evil', 'b'], ['evil', 'c'], ['a', 'c']]) w.hub.cut(x, y)
      for (const n of nodes) await feed(n, grown)
      return { w, evil, nodes, hand: async block => { await evil.publish(blocksTopic(kit.genesis.hash), Uint8Array.of(0, ...Block.serialize(block))) } }
    }
    const bans = async (n: TestNode): Promise<string[]> => (await n.network.status()).banned.map(b => b.id)

    it('a sound block of a miner with a record goes on while its work is redone, and is built on only after that', async () => {
      const { w, nodes: [a, b, c], hand } = await line()
      let open = (): void => {}
      a.replay.gate = new Promise<void>(resolve => { open = resolve })
      const next = kit.mine(round.meta, { miner: known })
      await hand(next.block)
      await w.clock.advance(100)
      expect([a, b, c].map(n => n.chain.head().height)).toEqual([0, 1, 1].map(n => round.meta.height + n))
      open()
      await w.clock.advance(100)
      expect(hex(a.chain.head())).toBe(hex(next.meta))
    })

    it('a block of a stranger does not', async () => {
      const { w, nodes: [a, b], hand } = await line()
      a.replay.gate = new Promise<void>(() => {})
      await hand(kit.mine(round.meta, { miner: keyPair(7) }).block)
      await w.clock.advance(100)
      expect(b.chain.head().height).toBe(round.meta.height)
    })

    it('a forged one costs everybody one replay and its miner his key; who passed it on is not banned, and nothing more of that key is redone', async () => {
      const { w, nodes: [a, b, c], hand } = await line()
      const forged = [0, 1, 2].map(slice => kit.block(round.meta, { miner: known, slice }))
      for (const n of [a, b, c]) for (const f of forged) n.replay.wrong.add(toHex(claimId(f.header)))
      const before = [a, b, c].map(n => n.replay.replayed.length)
      // All at once: only the first is passed on, and only it is redone.
      for (const f of forged) await hand(f)
      await w.clock.advance(1_000)
      expect([a, b, c].map((n, i) => n.replay.replayed.length - before[i])).toEqual([1, 1, 1])
      expect(await Promise.all([a, b, c].map(bans))).toEqual([[], [], []])
      for (const n of [a, b, c]) {
        expect(n.blame.isBannedMiner(known.key)).toBe(true)
        expect(n.blame.list()).toMatchObject([{ reason: 'result-hash', peer: undefined }])
        expect(n.chain.head().height).toBe(round.meta.height)
      }
      await hand(kit.block(round.meta, { miner: known, slice: 3 }))
      await w.clock.advance(1_000)
      expect([a, b, c].map((n, i) => n.replay.replayed.length - before[i])).toEqual([1, 1, 1])
    })

    it('what others build on a block of a banned key is followed all the same', async () => {
      const { w, evil, nodes: [a], hand } = await line()
      a.blame.refuse({ what: 'block', reason: 'result-hash', detail: 'caught', miner: toHex(known.key), fatal: true })
      const next = kit.mine(round.meta, { miner: known })
      await hand(next.block)
      await w.clock.advance(1_000)
      expect(a.chain.head().height).toBe(round.meta.height)
      const above = kit.mine(next.meta)
      const blocks = [...grown, next, above]
      await evil.stop()
      await stranger(w, 'honest', blocks)
      await w.clock.advance(20_000)
      expect(hex(a.chain.head())).toBe(hex(above.meta))
    })

    it('a record is a block of one\'s own, or a contribution that was sealed; without all bodies nobody can say that there is none', () => {
      const whole = new Records(kit.params, { get: hash => { const at = grown.find(b => equalBytes(b.meta.hash, hash)); return at === undefined ? undefined : { meta: at.meta, body: at.block.body, events: at.events, checked: 'own' } } })
      const none = new Records(kit.params, { get: () => undefined })
      const [sealed, miner, stranger] = [known, keyPair(1), keyPair(7)].map(k => k.key)
      expect([sealed, miner, stranger].map(k => whole.standing(round.meta, k))).toEqual([true, true, false])
      expect([sealed, miner, stranger].map(k => none.standing(round.meta, k))).toEqual([undefined, true, undefined])
      expect([sealed, miner, stranger].map(k => whole.has(round.meta, k))).toEqual([true, false, false])
    })
  })

  it('names garbage, and takes an unknown newer version as news, not as an offence', async () => {
    const w = world()
    const [x, y] = [w.hub.join('x'), w.hub.join('y')]
    const a = await run(await node(w, 'a'))
    const topic = blocksTopic(w.kit.genesis.hash)
    await y.publish(topic, Uint8Array.of(0, 7, 0, 1, 2, 3))
    await w.clock.advance(100)
    expect(a.sync.newestVersion()).toBe(7)
    expect(a.blame.list()).toEqual([])
    await x.publish(topic, Uint8Array.of(0, 1, 0, 1, 2, 3))
    await w.clock.advance(100)
    expect(a.blame.list()).toMatchObject([{ what: 'block message', reason: 'malformed', peer: 'x' }])
    // No network is thousands of versions ahead: noise must not look like news.
    await y.publish(topic, Uint8Array.of(0, 7, 200, 1, 2, 3))
    await w.clock.advance(100)
    expect(a.sync.newestVersion()).toBe(7)
    expect(a.blame.list()[0]).toMatchObject({ reason: 'malformed', peer: 'y' })
  })

  it('bounds how many blocks one peer may hand over', async () => {
    const w = world()
    const flooder = w.hub.join('flooder')
    const a = await run(await node(w, 'a'))
    const orphan = Block.serialize(branch(w.kit, w.kit.genesis, 3)[2].block)
    for (let i = 0; i < 60; i++) await flooder.publish(blocksTopic(w.kit.genesis.hash), Uint8Array.of(0, ...orphan))
    await w.clock.advance(100)
    expect(a.chain.held().orphans).toBe(1)
    expect(a.blame.list()[0]).toMatchObject({ reason: 'too-many', peer: 'flooder' })
  })

  it('announces a large block by its header; the body is pulled', async () => {
    const w = world()
    const [a, b] = [await run(await node(w, 'a')), await run(await node(w, 'b'))]
    const base = branch(w.kit, w.kit.genesis, w.kit.params.committeeBlocks + w.kit.params.maturity + 2)
    await feed(a, base)
    await w.clock.advance(6_000)
    const tip = base[base.length - 1].meta
    const contributions = Array.from({ length: 32 }, (_, i) => w.kit.contribution(tip, tip.ledger.jobs[0], keyPair(1 + (i >> 2)), i & 3))
    const block = w.kit.block(tip, {
      transactions: Array.from({ length: 240 }, (_, i) => w.kit.transfer(tip, keyPair(1), keyPair(2).key, 1n, { nonce: i })),
      seals: [w.kit.seal(tip, tip.ledger.jobs[0], contributions)]
    })
    expect(Block.serialize(block).length).toBeGreaterThan(MAX_GOSSIP_BLOCK_BYTES)
    await a.chain.submitOwn(block)
    await a.gossip.announce(block)
    await w.clock.advance(1_000)
    expect(b.chain.head().height).toBe(tip.height + 1)
    expect(toHex(b.chain.head().hash)).toBe(toHex(claimId(block.header)))
  })
})
