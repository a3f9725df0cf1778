/** Joiners who have met a liar first, with several names of his that work without work to keep them from an honest chain; and reloads meanwhile. */
import { expect, it } from 'vitest'
import { equalBytes, toHex } from '../../src/core/codec/ssz.ts'
import { sleep } from '../../src/node/askPeers.ts'
import { MemoryDisk } from '../../src/storage/memory.ts'
import { Branch, datedBack, forge, forger, honest, honestMiner, kit, ledgersOf, liar, params, redoing, reloaded, tip, undone, WITHHELD, world } from './forgedRig.ts'
import { feed, hex, node, run, stranger, type TestNode, type World } from './syncRig.ts'

const DAY_MS = 86_400_000

async function honestPeer (w: World): Promise<void> {
  const b = redoing(await node(w, 'b'))
  await feed(b, honest)
  await run(b)
}

async function deceived (w: World): Promise<{ a: TestNode, forged: Branch }> {
  const a = redoing(await node(w, 'a'))
  const forged = forge(kit.genesis, w.clock.now())
  await liar(w, 0, forged)
  await run(a)
  await w.clock.advance(5_000)
  expect(a.chain.head().header.template.miner).toEqual(forger.key)
  expect(a.sync.unproved()).toBe(false)
  return { a, forged }
}

it('forged blocks told above a chain on probation are no weight of it', async () => {
  const w = world()
  const { a, forged } = await deceived(w)
  // By hashing alone: heavy, close together, and on a state that nobody has.
  const more = new Branch(forged.tip)
  more.withhold()
  while (more.blocks.length < 130) more.after(1, false)
  expect(more.slices).toBe(0)
  await stranger(w, 'more', [...forged.blocks, ...more.blocks])
  await w.clock.advance(5_000)
  expect(a.sync.unproved()).toBe(true)
  await honestPeer(w)
  await w.clock.advance(5 * 60_000)
  expect(hex(a.chain.head())).toBe(hex(tip))
}, 120_000)

it('an honest chain gets its slices redone though a decoy in the same look uses up the minute', async () => {
  const w = world()
  const decoys = [0, 1].map(i => {
    const decoy = new Branch(kit.genesis)
    decoy.at(tip.header.template.time - DAY_MS - i, false)
    decoy.at(w.clock.now() - 20_000, false)
    while (decoy.blocks.length < 10) decoy.after(1, false)
    decoy.withhold()
    while (decoy.blocks.length < 34) decoy.after(1, false)
    expect(decoy.slices).toBe(0)
    return decoy.blocks
  })
  const { a } = await deceived(w)
  const { replay } = a.replay
  // So long others are asked for a state.
  a.replay.replay = async claim => {
    if (toHex(claim.template.stateHash) === toHex(WITHHELD)) await sleep(w.clock, 20_000)
    return await replay(claim)
  }
  // They claim no work: nobody follows them.
  await stranger(w, 'decoy 0', decoys[0], { work: 1n })
  await w.clock.advance(5_000)
  await stranger(w, 'decoy 1', decoys[1], { work: 1n })
  await honestPeer(w)
  await w.clock.advance(5 * 60_000)
  expect(hex(a.chain.head())).toBe(hex(tip))
}, 120_000)

it('a chain that is outweighed is left though others claim more and show it slowly', async () => {
  const w = world()
  const { a } = await deceived(w)
  const long = new Branch(kit.genesis)
  long.at(honest[0].meta.header.template.time - DAY_MS, false)
  while (long.blocks.length < 2_000) long.after(60_000, false)
  for (let i = 0; i < 5; i++) await stranger(w, `slow ${i}`, long.blocks, { slowMs: 9_900, work: 1n << 200n })
  await w.clock.advance(1_000)
  await honestPeer(w)
  await w.clock.advance(30 * 60_000)
  expect(hex(a.chain.head())).toBe(hex(tip))
}, 120_000)

it('what was on trust is on trust after a reload, though its newest block was redone', async () => {
  const w = world()
  const disk = new MemoryDisk()
  const forged = datedBack()
  while (forged.tip.header.template.target < params.maxTarget) forged.after(60_000, false)
  forged.restore(60_000)
  forged.withhold(60_000)
  for (let i = 0; i < params.joinReplayBlocks - 2; i++) forged.after(60_000, false)
  const a = redoing(await node(w, 'a', disk))
  await liar(w, 0, forged)
  await run(a)
  await w.clock.advance(20_000)
  expect(a.sync.unproved()).toBe(true)
  const again = await reloaded(w, a, disk)
  expect(again.chain.head().header.template.miner).toEqual(forger.key)
  await run(again)
  await honestPeer(w)
  await w.clock.advance(10 * 60_000)
  expect(hex(again.chain.head())).toBe(hex(tip))
}, 120_000)

it('an honest chain that was not followed because others were too slow is weighed again', async () => {
  const w = world()
  const { a, forged } = await deceived(w)
  const more = new Branch(forged.tip)
  more.withhold()
  while (more.blocks.length < 60) more.after(1, false)
  for (const name of ['slow 1', 'slow 2']) await stranger(w, name, [...forged.blocks, ...more.blocks], { slowMs: 4_000 })
  await w.clock.advance(100)
  await honestPeer(w)
  await w.clock.advance(20 * 60_000)
  expect(hex(a.chain.head())).toBe(hex(tip))
}, 120_000)

it('a reload on probation above a ledger is no damage', async () => {
  const w = world()
  const disk = new MemoryDisk()
  await honestPeer(w)
  const snapshots = ledgersOf(48, () => honest[149].meta)
  const a = redoing(await node(w, 'a', disk, { snapshots }))
  await run(a)
  await w.clock.advance(20_000)
  expect(hex(a.chain.head())).toBe(hex(tip))
  expect(a.chain.isAdopted).toBe(true)
  const again = await reloaded(w, a, disk, { snapshots })
  expect(again.log.entries(1_000).map(e => e.text).filter(t => t.includes('damaged'))).toEqual([])
}, 120_000)

it('a chain above a ledger that was never settled is not its own after a reload', async () => {
  const w = world()
  const disk = new MemoryDisk()
  const more = new Branch(tip, { by: honestMiner })
  while (more.blocks.length < 40) more.after(10_000, true)
  await w.clock.advance(400_000)
  await stranger(w, 'b', [...honest, ...more.blocks])
  const snapshots = ledgersOf(48, () => honest[94].meta)
  const a = redoing(await node(w, 'a', disk, { snapshots, probationPolls: 1_000 }))
  await run(a)
  await w.clock.advance(60_000)
  expect(hex(a.chain.head())).toBe(hex(more.tip))
  expect(a.chain.isAdopted).toBe(true)
  const again = await reloaded(w, a, disk, { snapshots })
  expect(again.chain.head().height).toBe(0)
}, 120_000)

it('n35-135: a wrong tip takes nothing with it where enough was redone below another one meanwhile', async () => {
  const w = world()
  const wrong = new Branch(honest[148].meta)
  wrong.after(5_000, false)
  const a = redoing(await node(w, 'a'))
  const { replay } = a.replay
  const takenBack = undone(a)
  a.replay.replay = async claim => {
    if (claim.template.height === 150 && equalBytes(claim.template.miner, forger.key)) await sleep(w.clock, 8_000)
    return await replay(claim)
  }
  await stranger(w, 'liar', [...honest.slice(0, 149), ...wrong.blocks])
  await run(a)
  await w.clock.advance(6_000)
  expect([a.chain.head().height, a.sync.unproved()]).toEqual([149, true])
  await a.chain.submit(honest[149].block)
  expect([hex(a.chain.head()), a.sync.unproved()]).toEqual([hex(honest[149].meta), true])
  await w.clock.advance(8_000)
  expect(a.blame.list().map(r => [r.peer, r.reason])).toEqual([['liar', 'result-hash']])
  expect([hex(a.chain.head()), a.sync.unproved(), takenBack]).toEqual([hex(honest[149].meta), false, []])
}, 120_000)

it('an honest peer that was deceived by somebody else is not banned for what it has on trust', async () => {
  const w = world()
  const wrong = new Branch(kit.genesis)
  while (wrong.blocks.length < 70) wrong.at(kit.timeAfter(wrong.tip), wrong.blocks.length !== 21)
  const own = honest.slice(0, 60)
  expect(wrong.tip.work).toBeGreaterThan(own[59].meta.work)
  const b = redoing(await node(w, 'b'))
  const { replay } = b.replay
  // It is deceived for long enough to show the chain to others.
  b.replay.replay = async claim => {
    if (claim.template.height === 22) await sleep(w.clock, 300_000)
    return await replay(claim)
  }
  await stranger(w, 'liar', wrong.blocks)
  await run(b)
  await w.clock.advance(10_000)
  expect(b.chain.head().height).toBe(70)
  const a = redoing(await node(w, 'a'))
  w.hub.cut('a', 'liar')
  await feed(a, own)
  await run(a)
  await w.clock.advance(20_000)
  expect(a.chain.head().header.template.miner).toEqual(honestMiner.key)
  expect(a.blame.list().map(r => [r.peer, r.reason])).toEqual([['b', 'result-hash']])
  expect((await a.network.status()).peers.map(p => p.id)).toContain('b')
  expect(a.blame.isBannedMiner(forger.key)).toBe(true)
}, 120_000)
