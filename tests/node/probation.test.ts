/** What a joiner has proved is on probation: it is left for what weighs more, in part or as a whole, and nothing of what a liar said outlives that. */
import { describe, expect, it } from 'vitest'
import { equalBytes, toHex } from '../../src/core/codec/ssz.ts'
import { Status } from '../../src/core/codec/wire.ts'
import { createMemoryHub } from '../../src/net/memory.ts'
import { sleep } from '../../src/node/askPeers.ts'
import { RingLog } from '../../src/node/log.ts'
import { Probation } from '../../src/node/probation.ts'
import { HEADERS_PROTOCOL, STATUS_PROTOCOL } from '../../src/node/syncServer.ts'
import type { Heavier, Weigher } from '../../src/node/weigh.ts'
import { RequestError } from '../../src/ports/network.ts'
import { MemoryDisk } from '../../src/storage/memory.ts'
import { ChainKit } from '../core/chainKit.ts'
import { ManualClock } from './chainRig.ts'
import { Branch, datedBack, forge, forger, honest, honestMiner, kit, ledgersOf, liar, params, redoing, reloaded, tip, world } from './forgedRig.ts'
import { branch, feed, hex, kit as plainKit, node, run, stranger, type TestNode, type World, world as plainWorld } from './syncRig.ts'

const DAY_MS = 86_400_000

async function honestPeer (w: World): Promise<void> {
  const b = redoing(await node(w, 'b'))
  await feed(b, honest)
  await run(b)
}

/** On the liar's chain, and it is proved. */
async function deceived (w: World): Promise<TestNode> {
  const a = redoing(await node(w, 'a'))
  await liar(w, 0, forge(kit.genesis, w.clock.now()))
  await run(a)
  await w.clock.advance(5_000)
  expect(a.chain.head().header.template.miner).toEqual(forger.key)
  expect(a.sync.unproved()).toBe(false)
  return a
}

describe('a joiner on a liar\'s chain comes to the honest one', () => {
  it('though a peer without any work shows its headers first and then keeps the chain back', async () => {
    const w = world()
    const a = await deceived(w)
    // Enough for it to be weighed, and nothing when it is to be followed.
    let asked = 0
    await stranger(w, 'copies', honest, { headers: hs => ++asked > 2 ? [] : hs })
    await w.clock.advance(1_000)
    await honestPeer(w)
    await w.clock.advance(60_000)
    expect(asked).toBeGreaterThan(2)
    expect(hex(a.chain.head())).toBe(hex(tip))
  })

  it('that joined by a ledger far above its own blocks', async () => {
    const of = new ChainKit({ ...params, historyBlocks: 30, joinReplayBlocks: 8, genesisTarget: 10n * params.genesisTarget })
    const common = new Branch(of.genesis, { of, by: honestMiner })
    while (common.blocks.length < 100) common.at(of.timeAfter(common.tip), true)
    const theirs = new Branch(common.tip, { of, by: honestMiner })
    while (theirs.blocks.length < 70) theirs.after(10_000, true)
    const now = theirs.tip.header.template.time
    const forged = new Branch(common.tip, { of })
    while (forged.tip.work <= theirs.tip.work) forged.after(1, false)
    // So many that growing gaps from its end jump over all that both chains have and a node keeps.
    for (let left = 43 - forged.blocks.length; left > 0; left--) forged.after(Math.floor((now - forged.tip.header.template.time) / left), false)
    while (forged.blocks.length < 58) forged.after(1, true)
    const clock = new ManualClock(now + 1_000)
    const w: World = { kit: of, clock, hub: createMemoryHub({ clock, latencyMs: 5 }) }
    const base = forged.blocks.at(-12)!.meta
    const snapshots = ledgersOf(32, headers => headers.some(h => equalBytes(h.hash, base.hash)) ? base : undefined)
    const a = redoing(await node(w, 'a', new MemoryDisk(), { snapshots }))
    await feed(a, common.blocks)
    await stranger(w, 'liar', [...common.blocks, ...forged.blocks])
    const b = redoing(await node(w, 'b'))
    w.hub.cut('a', 'b')
    await feed(b, [...common.blocks, ...theirs.blocks])
    await run(b)
    await run(a)
    await w.clock.advance(6_000)
    expect(a.chain.baseHeight()).toBe(base.height)
    w.hub.heal()
    await w.clock.advance(60_000)
    expect(hex(a.chain.head())).toBe(hex(theirs.tip))
  })

  it('that is left above the ledger it was joined by', async () => {
    const w = world()
    const forged = forge(honest[99].meta, w.clock.now())
    // Of a block that both chains have, and later of one that is the honest chain's alone.
    const snapshots = ledgersOf(48, headers => headers[0].height <= 95 ? honest[94].meta : honest[169].meta)
    const a = redoing(await node(w, 'a', new MemoryDisk(), { snapshots }))
    await stranger(w, 'liar', [...honest.slice(0, 100), ...forged.blocks])
    await run(a)
    await w.clock.advance(5_000)
    expect(hex(a.chain.head())).toBe(hex(forged.tip))
    expect(a.chain.baseHeight()).toBe(95)
    await honestPeer(w)
    await w.clock.advance(60_000)
    expect(hex(a.chain.head())).toBe(hex(tip))
  })
})

it('a chain that was joined by a ledger and is settled is over with: what is told above it later is proved by itself', async () => {
  const w = world()
  const more = new Branch(tip, { by: honestMiner })
  while (more.blocks.length < 44) more.after(10_000, true)
  await w.clock.advance(500_000)
  const joined: number[] = []
  const a = redoing(await node(w, 'a', new MemoryDisk(), { snapshots: ledgersOf(48, () => honest[149].meta), probationPolls: 0, onJoined: o => { joined.push(o.height) } }))
  await stranger(w, 'b', honest)
  await run(a)
  await w.clock.advance(5_000)
  expect([hex(a.chain.head()), a.chain.isAdopted, joined]).toEqual([hex(tip), false, [150]])
  w.hub.cut('a', 'b')
  // Its last blocks do not come, and it leaves: what is here of it is redone all the same.
  await stranger(w, 'c', [...honest, ...more.blocks], { withheld: more.blocks[40] })
  await w.clock.advance(5_000)
  w.hub.cut('a', 'c')
  await a.backfill.idle()
  await w.clock.advance(120_000)
  expect([a.chain.head().height, a.sync.unproved(), joined]).toEqual([240, false, [150]])
}, 120_000)

describe('what has not been proved is not a node\'s own', () => {
  it('after a reload before any of it was redone', async () => {
    const w = world()
    const disk = new MemoryDisk()
    const forged = datedBack()
    for (let i = 0; i < params.joinReplayBlocks + 6; i++) forged.after(60_000, false)
    const a = redoing(await node(w, 'a', disk))
    await liar(w, 0, forged)
    await run(a)
    await w.clock.advance(20_000)
    expect(a.sync.unproved()).toBe(true)
    const again = await reloaded(w, a, disk)
    expect(again.chain.head().header.template.miner).toEqual(forger.key)
    w.hub.cut('again', 'liar')
    await run(again)
    await honestPeer(w)
    await w.clock.advance(5 * 60_000)
    expect(hex(again.chain.head())).toBe(hex(tip))
  })

  it('where only its end is left for another: the rest is on trust, and nobody builds on it', async () => {
    const w = world()
    const prefix = new Branch(kit.genesis)
    prefix.at(tip.header.template.time - DAY_MS, false)
    while (prefix.tip.work < 2n * tip.work) prefix.after(1, false)
    prefix.withhold()
    while (prefix.tip.header.template.target < params.maxTarget) prefix.after(130_000, false)
    const ends = [25, 40].map(count => {
      const end = new Branch(prefix.tip)
      end.restore(130_000 + count)
      for (let i = 0; i < count; i++) end.after(130_000, true)
      return [...prefix.blocks, ...end.blocks]
    })
    const a = redoing(await node(w, 'a'))
    await stranger(w, 'first', ends[0])
    await stranger(w, 'second', ends[1], { work: 0n })
    // Neither is there for what follows.
    let left: number | undefined
    a.chain.on('head', ({ head, removed }) => {
      if (removed.length === 0 || left !== undefined) return
      left = head.height
      w.hub.cut('a', 'first')
      w.hub.cut('a', 'second')
    })
    await run(a)
    await w.clock.advance(10_000)
    expect(left).toBe(prefix.tip.height)
    expect(a.chain.head().height).toBe(left)
    expect(a.sync.unproved()).toBe(true)
    await honestPeer(w)
    await w.clock.advance(5 * 60_000)
    expect(hex(a.chain.head())).toBe(hex(tip))
  })

  it('and takes nothing with it that was proved below it', async () => {
    const w = plainWorld()
    const blocks = branch(plainKit, plainKit.genesis, 60)
    const { meta } = blocks[59]
    const b = await node(w, 'b')
    await feed(b, blocks)
    await run(b)
    const a = await node(w, 'a')
    const heads: number[] = []
    a.chain.on('head', ({ head, removed }) => { if (removed.length > 0) heads.push(head.height) })
    await run(a)
    await w.clock.advance(10_000)
    expect(hex(a.chain.head())).toBe(hex(meta))
    expect(a.sync.unproved()).toBe(false)
    // Headers on the honest head, and the bodies of two of them.
    const forged = branch(plainKit, meta, 12, 100)
    for (const f of forged) for (const n of [a, b]) n.replay.wrong.add(hex(f.meta))
    await stranger(w, 'liar', [...blocks, ...forged.slice(0, 2)], { work: forged[11].meta.work, headers: hs => hs.at(-1) === forged[1] ? [...hs, ...forged.slice(2)] : hs })
    await w.clock.advance(50_000)
    expect(heads.length).toBeGreaterThan(0)
    expect(Math.min(...heads)).toBe(meta.height)
    expect(hex(a.chain.head())).toBe(hex(meta))
  })

  it('and is not kept beside the chain that it could not replace', async () => {
    const w = world()
    const a = redoing(await node(w, 'a'))
    await feed(a, honest)
    await run(a)
    const forged = new Branch(honest[90].meta)
    forged.withhold()
    while (forged.tip.work < tip.work * 11n / 10n) forged.after(1, false)
    let most = 0
    a.sync.onProgress(() => { most = Math.max(most, a.chain.offMain().length) })
    await stranger(w, 'liar', [...honest.slice(0, 91), ...forged.blocks])
    await w.clock.advance(180_000)
    expect(most).toBeGreaterThan(0)
    expect(a.chain.offMain()).toEqual([])
    expect(hex(a.chain.head())).toBe(hex(tip))
  })
})

describe('a look at the others', () => {
  it('is not used up by those who are busy again and again: who had no turn in it has the next', async () => {
    const clock = new ManualClock(tip.header.template.time + 1_000)
    const w: World = { kit, clock, hub: createMemoryHub({ clock, latencyMs: 50 }) }
    const limits = { maxRequestBytes: 1 << 16, maxResponseBytes: 1 << 22, perPeerPerSecond: 100 }
    for (let i = 0; i < 9; i++) {
      const network = w.hub.join(`busy ${i}`)
      await network.handle(STATUS_PROTOCOL, limits, async () => Status.serialize({ chain: kit.genesis.hash, version: 1, head: new Uint8Array(32).fill(i + 1), height: 1, work: 1n, historyFrom: 0 }))
      let end: number | undefined
      // Just before what was once the end of a look.
      await network.handle(HEADERS_PROTOCOL, limits, async () => {
        end ??= clock.now() + 59_900
        if (end - clock.now() <= 9_800) {
          await sleep(clock, Math.max(0, end - clock.now() - 50))
          return new Uint8Array(0)
        }
        await sleep(clock, 9_700)
        throw new RequestError('busy', 'too many requests per second')
      })
    }
    await liar(w, 0, forge(kit.genesis, clock.now()))
    await stranger(w, 'b', honest)
    const a = redoing(await node(w, 'a'))
    await run(a)
    await clock.advance(5 * 60_000)
    expect(hex(a.chain.head())).toBe(hex(tip))
  }, 120_000)

  it('does not keep a chain on probation for one whose newest blocks nobody can redo', async () => {
    const w = world()
    const snapshots = ledgersOf(48, headers => headers.length > 150 && equalBytes(headers[149].hash, honest[149].meta.hash) ? honest[149].meta : undefined)
    const forged = new Branch(honest[149].meta)
    forged.withhold(w.clock.now() - 30_000 - forged.tip.header.template.time)
    while (forged.blocks.length < 51) forged.after(1, false)
    const a = redoing(await node(w, 'a', new MemoryDisk(), { snapshots }))
    await stranger(w, 'b', honest)
    await run(a)
    await w.clock.advance(5_000)
    await stranger(w, 'one', [...honest.slice(0, 150), ...forged.blocks], { work: 1n })
    await w.clock.advance(60_000)
    expect(a.chain.isAdopted).toBe(true)
    await w.clock.advance(4 * 60_000)
    expect(a.chain.isAdopted).toBe(false)
    expect(hex(a.chain.head())).toBe(hex(tip))
  }, 120_000)
})

it.each([['is still ours', 'left'], ['has become that very one', 'kept'], ['has become a third one', 'kept']] as const)('a chain that was weighed and %s by the time of the verdict is %s', async (now, what) => {
  const [ours, theirs, third] = [10, 20, 30].map(i => honest[i].meta)
  let main: readonly unknown[] = [ours.hash]
  const shut: string[] = []
  const verdict: Heavier = { peers: ['peer'], fork: ours.height - 1, first: theirs.hash }
  let said = (): void => {}
  const probation = new Probation({
    chain: { head: () => ours, headerAt: () => ours, forkHeights: () => [], metaAt: () => ours, isMain: hash => main.includes(hash) },
    store: { settledHash: async () => undefined },
    trust: { proved: { hash: ours.hash, height: ours.height, since: 0 } },
    weigher: { heavier: async () => verdict, outweigh: (first: Uint8Array) => { shut.push(toHex(first)) } } as unknown as Weigher,
    log: new RingLog({ now: () => 0 }),
    elsewhere: () => ['peer'],
    onOutweighed: () => { said() }
  })
  const outweighed = new Promise<void>(resolve => { said = resolve })
  probation.begin()
  await outweighed
  if (now === 'has become that very one') main = [theirs.hash]
  if (now === 'has become a third one') main = [third.hash]
  expect(probation.leave()?.hash).toBe(what === 'left' ? ours.hash : undefined)
  expect(shut).toEqual(what === 'left' ? [hex(ours)] : [])
  expect(probation.isOpen).toBe(false)
})
