/**
 * Blocks that nobody redoes are forged by hashing, and set the target of those after them: close together they make weight,
 * far apart they make the newest ones, which are redone, next to no work. What a node that has redone its chain undoes must
 * be paid for in work of the same kind, and who joins weighs what he was shown first against what others show.
 */
import { describe, expect, it } from 'vitest'
import { weightOf } from '../../src/node/weigh.ts'
import { MemoryDisk } from '../../src/storage/memory.ts'
import { keyPair, type Mined } from '../core/chainKit.ts'
import { BLOCKS, forge, forger, honest, honestSlices, kit, ledgersOf, liar, mine, params, redoing, tip, undone, world } from './forgedRig.ts'
import { feed, hex, node, run, stranger } from './syncRig.ts'

describe('a node that has redone its chain keeps it against a heavier one whose newest blocks are next to no work', () => {
  it.each([190, 90])('and that forks off %d blocks below', async depth => {
    const w = world()
    const forged = forge(honest[BLOCKS - 1 - depth].meta, w.clock.now())
    expect(forged.blocks.at(-1)!.meta.work).toBeGreaterThan(tip.work)
    // What makes it an attack: less than a tenth of the work that it would undo.
    expect(forged.slices).toBeLessThan(depth * honestSlices / 10)
    const a = redoing(await node(w, 'a'))
    await feed(a, honest)
    const changes = undone(a)
    await liar(w, BLOCKS - depth, forged)
    await run(a)
    await w.clock.advance(180_000)
    await a.backfill.idle()
    expect(changes).toEqual([])
    expect(hex(a.chain.head())).toBe(hex(tip))
    expect(a.sync.unproved()).toBe(false)
  }, 60_000)

  it('though the liar hands out a ledger near its end', async () => {
    const w = world()
    const forged = forge(honest[9].meta, w.clock.now())
    const base = forged.blocks[forged.blocks.length - params.joinReplayBlocks - 1].meta
    let offered = 0
    const snapshots = ledgersOf(32, () => {
      offered++
      return base
    })
    const a = redoing(await node(w, 'a', new MemoryDisk(), { snapshots }))
    await feed(a, honest)
    const changes = undone(a)
    await liar(w, 10, forged)
    await run(a)
    await w.clock.advance(180_000)
    expect(offered).toBeGreaterThan(0)
    expect(changes).toEqual([])
    expect(hex(a.chain.head())).toBe(hex(tip))
  }, 60_000)

  it('and yet goes over to a heavier one as real as its own, whatever its newest blocks weigh', async () => {
    const w = world()
    const fork = honest[BLOCKS - 61].meta
    // A little faster than ours, and then slower, as its miners leave.
    const other: Mined[] = []
    for (let i = 0, last = fork; i < 100; i++, last = other[i - 1].meta) other.push(mine(last, last.header.template.time + (i < 60 ? 9_500 : 12_000), true, { by: keyPair(3) }).mined)
    const own = honest.slice(BLOCKS - 60)
    const work = (blocks: readonly Mined[]): bigint => blocks.at(-1)!.meta.work - blocks[0].meta.work
    expect(other.at(-1)!.meta.work).toBeGreaterThan(own.at(-1)!.meta.work)
    expect(work(other.slice(-params.joinReplayBlocks))).toBeLessThan(work(own.slice(-params.joinReplayBlocks)))
    const a = redoing(await node(w, 'a'))
    await feed(a, honest)
    await w.clock.advance(other.at(-1)!.meta.header.template.time - w.clock.now())
    await stranger(w, 'other', [...honest.slice(0, BLOCKS - 60), ...other])
    await run(a)
    await w.clock.advance(60_000)
    expect(hex(a.chain.head())).toBe(hex(other.at(-1)!.meta))
  }, 60_000)
})

describe('who joins by a liar', () => {
  it('that is met first leaves his chain for an honest one that is met within a minute', async () => {
    const w = world()
    const forged = forge(kit.genesis, w.clock.now())
    expect(forged.slices).toBeLessThan(honestSlices)
    const a = redoing(await node(w, 'a'))
    await liar(w, 0, forged)
    await run(a)
    await w.clock.advance(5_000)
    expect(a.chain.head().header.template.miner).toEqual(forger.key)
    expect(a.sync.unproved()).toBe(false)
    const b = redoing(await node(w, 'b'))
    await feed(b, honest)
    await run(b)
    await w.clock.advance(20_000)
    expect(hex(a.chain.head())).toBe(hex(tip))
    // And stays there, though the liar goes on claiming more.
    const changes = undone(a)
    await w.clock.advance(15 * 60_000)
    expect(changes).toEqual([])
    expect(a.chain.baseHeight()).toBe(0)
    expect(a.blame.list()).toEqual([])
  }, 60_000)

  it('leaves it after a reload in that minute, too', async () => {
    const w = world()
    const disk = new MemoryDisk()
    const forged = forge(kit.genesis, w.clock.now())
    const a = redoing(await node(w, 'a', disk))
    await liar(w, 0, forged)
    await run(a)
    await w.clock.advance(5_000)
    await a.backfill.idle()
    await a.sync.stop()
    await a.chain.stop()
    const again = redoing(await node(w, 'again', disk))
    expect(again.chain.head().header.template.miner).toEqual(forger.key)
    await run(again)
    const b = redoing(await node(w, 'b'))
    await feed(b, honest)
    await run(b)
    await w.clock.advance(20_000)
    expect(hex(again.chain.head())).toBe(hex(tip))
  }, 60_000)
})

describe('the weight of a chain of which only the newest blocks were redone', () => {
  it('is what all its time would weigh if it had been like those, and faster than the network counts as in time', () => {
    const interval = 10_000
    expect(weightOf(2_000_000, 24n * 50n, 240_000, 24, interval)).toBe(200n * 50n)
    // In half the time, and in twice.
    expect(weightOf(2_000_000, 24n * 50n, 120_000, 24, interval)).toBe(200n * 50n)
    expect(weightOf(2_000_000, 24n * 50n, 480_000, 24, interval)).toBe(100n * 50n)
    expect(weightOf(2_000_000, 0n, 240_000, 24, interval)).toBe(0n)
    expect(weightOf(0, 90n, 0, 3, interval)).toBe(0n)
  })
})
