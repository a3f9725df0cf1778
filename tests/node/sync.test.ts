import { describe, expect, it } from 'vitest'
import { toHex } from '../../src/core/codec/ssz.ts'
import { Block, HeadersRequest } from '../../src/core/codec/wire.ts'
import { benchmarkJob } from '../../src/core/ledger/state.ts'
import { claimId } from '../../src/core/crypto/ids.ts'
import { blocksTopic, MAX_GOSSIP_BLOCK_BYTES } from '../../src/node/blocksGossip.ts'
import { PATIENCE_MS, PROVE_BLOCK_MS, PROVE_MS } from '../../src/node/patience.ts'
import { Presence } from '../../src/node/presence.ts'
import { SHUN_FIRST_MS } from '../../src/node/sync.ts'
import { HEADERS_PROTOCOL } from '../../src/node/syncServer.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { ChainKit, keyPair } from '../core/chainKit.ts'
import { rig } from './chainRig.ts'
import { hex, type TestNode, type World, world, node, run, branch, feed, stranger } from './syncRig.ts'

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

  it.each([['wrong', 0], ['not to be had', 60]])('redoes what they have sealed as well: where that is %s the block is not taken for redone', async (what, kept) => {
    const w = world()
    const old = branch(w.kit, w.kit.genesis, 44)
    const tip = old[43].meta
    const job = benchmarkJob(tip.ledger)
    const sealing = w.kit.mine(tip, { seals: [w.kit.seal(tip, job, [w.kit.contribution(tip, job, keyPair(1))])] })
    const blocks = [...old, sealing, ...branch(w.kit, sealing.meta, 15)]
    const late = await node(w, 'late')
    late.states.sealState = async () => what === 'wrong' ? { kind: 'done', stateHash: new Uint8Array(32) } : { kind: 'unavailable', detail: 'a test says so' }
    await stranger(w, 'a', blocks)
    await run(late)
    await w.clock.advance(3_000)
    await late.backfill.idle()
    expect(late.chain.head().height).toBe(kept)
    if (kept > 0) expect([44, 45, 46].map((h) => late.chain.at(h)?.checked)).toEqual(['replayed', 'ledger', 'replayed'])
    else expect(late.log.entries(500).some((e) => e.area === 'refused' && e.text.includes('block 45') && e.text.includes('seal-state'))).toBe(true)
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

  it('follows a peer whose tip is replaced between two of its answers, and blames nobody', async () => {
    const w = world()
    const own = branch(w.kit, w.kit.genesis, 10)
    const old = branch(w.kit, w.kit.genesis, 140)
    const next = branch(w.kit, old[136].meta, 4, 2)
    const a = await run(await node(w, 'a'))
    await feed(a, old.slice(0, 138))
    const late = await node(w, 'late')
    await feed(late, own)
    const locators: string[][] = []
    const { request } = late.network
    late.network.request = async (peer, protocol, body, options) => {
      const bytes = await request.call(late.network, peer, protocol, body, options)
      // Ten blocks are here, and 128 are what is asked for at first: the last one of them is left.
      if (protocol === HEADERS_PROTOCOL && locators.push(HeadersRequest.deserialize(body).locator.slice(0, 2).map((h) => toHex(h))) === 1) await feed(a, next)
      return bytes
    }
    await run(late)
    await w.clock.advance(20_000)
    expect(hex(late.chain.head())).toBe(hex(next[3].meta))
    // The third one is about the chain that its stale status still names.
    expect(locators.slice(0, 2)).toEqual([[hex(old[9].meta), hex(old[8].meta)], [hex(old[137].meta), hex(old[9].meta)]])
    expect(late.blame.list()).toEqual([])
    expect(late.log.entries(500).filter((e) => e.text.includes('given up'))).toEqual([])
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

  it('keeps its own chain where one that forks off between two blocks it asked about proves wrong', async () => {
    const w = world()
    const own = branch(w.kit, w.kit.genesis, 40, 1)
    // What it has in common with the liar and asks about is block 19.
    const forged = [...own.slice(0, 21), ...branch(w.kit, own[20].meta, 40, 2)]
    const a = await node(w, 'a')
    await feed(a, own)
    for (const b of forged.slice(55)) a.replay.wrong.add(hex(b.meta))
    await stranger(w, 'liar', forged)
    await run(a)
    await w.clock.advance(20_000)
    expect(a.blame.list()).toMatchObject([{ reason: 'result-hash', peer: 'liar' }])
    expect(hex(a.chain.head())).toBe(hex(own[39].meta))
    for (const b of own) expect(a.chain.isMain(b.meta.hash)).toBe(true)
  })

  it('keeps nothing that it was told beside its own chain where a body of it is withheld', async () => {
    const w = world()
    const own = branch(w.kit, w.kit.genesis, 12, 1)
    const disk = new MemoryDisk()
    const a = await node(w, 'a', disk)
    await feed(a, own)
    await run(a)
    for (const miner of [10, 11]) {
      // Of 56 blocks 48 may be on trust: the last of those never comes.
      const forged = [...own.slice(0, 11), ...branch(w.kit, own[10].meta, 45, miner)]
      await stranger(w, `liar-${miner}`, forged, { withheld: forged[47] })
      await w.clock.advance(5_000)
      expect(a.log.entries(9).map(e => e.text)).toContainEqual(expect.stringContaining('nobody hands out the body of block 48'))
      expect([a.chain.offMain().length, (await new MemoryStorage(disk).keys('bodies')).length]).toEqual([0, 12])
      w.hub.cut('a', `liar-${miner}`)
    }
    expect(hex(a.chain.head())).toBe(hex(own[11].meta))
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

  it('waits no longer than the first time for who was given up again and again, and has led it on since', async () => {
    const w = world()
    const blocks = branch(w.kit, w.kit.genesis, 10)
    const shown = blocks.slice(0, 5)
    let shows = false
    await stranger(w, 'moody', shown, { headers: (h) => shows ? h : [] })
    const late = await run(await node(w, 'late'))
    const waits = (): number[] => late.log.entries(500).flatMap((e) => /given up for (\d+) s/.exec(e.text)?.slice(1).map((s) => 1_000 * Number(s)) ?? [])
    await w.clock.advance(5 * SHUN_FIRST_MS)
    expect(waits()).toEqual([1, 2, 4].map((n) => n * SHUN_FIRST_MS))
    shows = true
    await w.clock.advance(6 * SHUN_FIRST_MS)
    expect(hex(late.chain.head())).toBe(hex(blocks[4].meta))
    shows = false
    shown.push(...blocks.slice(5))
    await w.clock.advance(10 * SHUN_FIRST_MS)
    expect(waits()[3]).toBe(SHUN_FIRST_MS)
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

  it('gives up who leaves the chain it shows again and again, and bans who shows headers that stand on nothing it was asked about', async () => {
    const w = world()
    const blocks = branch(w.kit, w.kit.genesis, 140)
    let answers = 0
    // Slowly, so that 128 are asked for each time: always the first ones.
    await stranger(w, 'restless', blocks, {
      slowMs: 2_500,
      headers: () => {
        answers++
        return blocks.slice(0, 128)
      }
    })
    const late = await run(await node(w, 'late'))
    await w.clock.advance(20_000)
    expect(answers).toBe(3)
    expect(late.log.entries(500).filter((e) => /given up for 15.* s: it left the chain that it was showing, again/.test(e.text))).toHaveLength(1)
    expect(late.blame.list()).toEqual([])
    expect(late.chain.head().height).toBe(0)
    let first = true
    await stranger(w, 'forger', blocks, {
      headers: (h) => {
        const served = first ? h : h.slice(1)
        first = false
        return served
      }
    })
    await w.clock.advance(5_000)
    expect(late.blame.list()).toMatchObject([{ what: 'headers', reason: 'header-parent', peer: 'forger' }])
  })

  it('stays on its chain where that was left below all that is kept, and says so once most of its peers have more work on the other', async () => {
    const w = world()
    const ours = branch(w.kit, w.kit.genesis, 150)
    const a = await node(w, 'a')
    await feed(a, ours)
    const below = a.chain.baseHeight()
    expect(below).toBeGreaterThan(0)
    const theirs = branch(w.kit, w.kit.genesis, 160, 3)
    /** Dialled by the node that looks. */
    const other = async (id: string, blocks: typeof ours): Promise<void> => {
      await stranger(w, id, blocks)
      w.hub.disconnect('a', id)
      w.hub.connect('a', id)
    }
    await other('far', theirs)
    await run(a)
    await w.clock.advance(5_000)
    expect(hex(a.chain.head())).toBe(hex(ours[149].meta))
    expect(a.blame.list()).toEqual([])
    expect(a.sync.parted()).toEqual({ peers: 1, of: 1, below })
    await other('near', ours)
    await w.clock.advance(5_000)
    expect(a.sync.parted(), 'half of them').toBeUndefined()
    // Whoever comes by himself may say what he likes.
    for (const id of ['liar', 'and his name']) {
      await stranger(w, id, theirs)
      w.hub.disconnect('a', id)
      w.hub.connect(id, 'a')
    }
    await w.clock.advance(10_000)
    expect(a.sync.parted()).toBeUndefined()
    await other('further', theirs)
    await w.clock.advance(10_000)
    expect(a.sync.parted()).toEqual({ peers: 2, of: 3, below })
    await feed(a, branch(w.kit, ours[149].meta, 15))
    expect(a.sync.parted(), 'of less work').toBeUndefined()
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

  it('names garbage, and takes an unknown newer version as news, not as an offence', async () => {
    const w = world()
    const [x, y, ...more] = ['x', 'y', 'z', 'u'].map(id => w.hub.join(id))
    const a = await run(await node(w, 'a'))
    const topic = blocksTopic(w.kit.genesis.hash)
    for (const peer of [y, ...more]) await peer.publish(topic, Uint8Array.of(0, 7, 0, 1, 2, 3))
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
