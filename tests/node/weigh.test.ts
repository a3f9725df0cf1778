/** While a chain is on probation those of all others are weighed: whoever is slow, silent or lying keeps this node neither from the one that weighs more nor from its work. */
import { describe, expect, it } from 'vitest'
import { toHex } from '../../src/core/codec/ssz.ts'
import { sleep } from '../../src/node/askPeers.ts'
import { Replays } from '../../src/node/replay.ts'
import { HEADERS_PROTOCOL } from '../../src/node/syncServer.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { tinySpec } from '../core/chainKit.ts'
import { Branch, COST, forge, forger, honest, honestSlices, kit, liar, mine, params, redoing, tip, undone, WITHHELD, world } from './forgedRig.ts'
import { branch, feed, hex, kit as plainKit, node, run, stranger, type TestNode, type World, world as plainWorld } from './syncRig.ts'

const DAY_MS = 86_400_000

async function honestPeer (w: World): Promise<void> {
  const b = redoing(await node(w, 'b'))
  await feed(b, honest)
  await run(b)
}

/** Has joined by an honest peer, and is on probation. */
async function joined (w: World, disk?: MemoryDisk): Promise<TestNode> {
  await honestPeer(w)
  const a = redoing(await node(w, 'a', disk))
  await run(a)
  await w.clock.advance(5_000)
  expect(hex(a.chain.head())).toBe(hex(tip))
  expect(a.sync.unproved()).toBe(false)
  return a
}

/** What was said of a peer's chain when it was weighed. */
const weighed = (n: TestNode, peer: string): string[] => n.log.entries(1_000).map(e => e.text).filter(t => t.startsWith(`the chain of ${peer} leaves ours`))

describe('an honest chain is weighed', () => {
  it('though eight others answer as slowly as they may, before it', async () => {
    const w = world()
    const long = new Branch(kit.genesis)
    long.at(honest[0].meta.header.template.time - DAY_MS, false)
    while (long.blocks.length < 920) long.after(60_000, false)
    await liar(w, 0, forge(kit.genesis, w.clock.now()))
    const a = redoing(await node(w, 'a'))
    await run(a)
    await w.clock.advance(5_000)
    expect(a.chain.head().header.template.miner).toEqual(forger.key)
    // They claim no work: nobody follows them.
    for (let i = 0; i < 8; i++) await stranger(w, `slow ${i}`, long.blocks, { slowMs: 9_900, work: 1n })
    await w.clock.advance(1_000)
    await honestPeer(w)
    await w.clock.advance(5 * 60_000)
    expect(weighed(a, 'b')).toHaveLength(1)
    expect(hex(a.chain.head())).toBe(hex(tip))
  })

  it('though it came too slowly once, and who has it is shunned', async () => {
    const w = world()
    const a = redoing(await node(w, 'a'))
    // Bodies one by one, four seconds each.
    await stranger(w, 'slow', honest, { slowMs: 4_000 })
    await run(a)
    await w.clock.advance(75_000)
    expect(a.chain.head().height).toBe(0)
    await liar(w, 0, forge(kit.genesis, w.clock.now()))
    await w.clock.advance(30_000)
    expect(weighed(a, 'slow')).toEqual([expect.stringContaining('it weighs more')])
  })

  it('and nobody is banned who goes over to a heavier one meanwhile', async () => {
    const w = plainWorld()
    const own = branch(plainKit, plainKit.genesis, 150, 3)
    const theirs = branch(plainKit, plainKit.genesis, 140, 1)
    const better = branch(plainKit, theirs[99].meta, 45, 2)
    const c = await node(w, 'c')
    await feed(c, own)
    const b = await node(w, 'b')
    await feed(b, theirs)
    const a = await node(w, 'a')
    w.hub.cut('b', 'c')
    w.hub.cut('a', 'b')
    for (const n of [c, b, a]) await run(n)
    await w.clock.advance(10_000)
    expect(hex(a.chain.head())).toBe(hex(own[149].meta))
    // Between the first part of its headers and the second.
    let parts = 0
    const request = a.network.request.bind(a.network)
    a.network.request = async (peer, protocol, body, o) => {
      if (peer === 'b' && protocol === HEADERS_PROTOCOL && ++parts === 2) {
        for (const m of better) await b.chain.submitAs(m.block, { mode: 'full' })
        expect(hex(b.chain.head())).toBe(hex(better[44].meta))
      }
      return await request(peer, protocol, body, o)
    }
    w.hub.heal()
    w.hub.cut('b', 'c')
    await w.clock.advance(20_000)
    expect(parts).toBeGreaterThanOrEqual(2)
    expect(a.blame.list()).toEqual([])
  })
})

describe('a joiner on the honest chain stays there', () => {
  it('whatever number of forged blocks lies below as many cheap ones as are redone', async () => {
    const w = world()
    const now = w.clock.now()
    const newest = params.joinReplayBlocks
    const forged = new Branch(kit.genesis)
    forged.at(now - 30 * DAY_MS, false)
    // More work in all than the honest chain, so that it is not left again for that.
    while (forged.tip.work < tip.work * 3n / 2n) forged.after(1, false)
    forged.withhold()
    // Cheaper than the honest ones by less than their number.
    while (forged.tip.header.template.target < 2n * params.genesisTarget) forged.after(60_000, false)
    while (forged.blocks.length < 1_200) forged.after(params.blockIntervalMs, false)
    forged.restore(now - newest * params.blockIntervalMs - 1_000 - forged.tip.header.template.time)
    for (let i = 0; i < newest; i++) forged.after(params.blockIntervalMs, true)
    expect(forged.slices).toBeLessThan(newest * honestSlices / 3)
    expect(forged.slices * forged.blocks.length).toBeGreaterThan(newest * honestSlices * honest.length)
    const a = await joined(w)
    const changes = undone(a)
    await liar(w, 0, forged, { work: tip.work })
    await w.clock.advance(5 * 60_000)
    expect(changes).toEqual([])
    expect(hex(a.chain.head())).toBe(hex(tip))
  })

  it('where the tickets of another do not win for what its slices cost', async () => {
    const w = world()
    // Half a minute ago, and close together: heavy by its headers, of which each is held against the dearest slice there is.
    const fork = honest[149].meta
    const other = new Branch(fork, { cost: 40 * COST })
    other.at(w.clock.now() - 30_000, true)
    while (other.blocks.length < 52) other.after(1, true)
    expect(other.slices).toBeLessThan(50 * honestSlices)
    const a = await joined(w)
    const changes = undone(a)
    await stranger(w, 'other', [...honest.slice(0, 150), ...other.blocks], { work: 1n })
    await w.clock.advance(120_000)
    expect(weighed(a, 'other')).toEqual([expect.stringContaining('what was redone of it weighs less')])
    expect(changes).toEqual([])
  })

  it('and settles there, though five strangers in a row show forged headers on a state that nobody has', async () => {
    const w = world()
    const forged = new Branch(honest[149].meta)
    forged.withhold(w.clock.now() - 30_000 - forged.tip.header.template.time)
    while (forged.blocks.length < 51) forged.after(1, false)
    const disk = new MemoryDisk()
    const a = await joined(w, disk)
    const { replay } = a.replay
    // So long five peers are asked for a state.
    a.replay.replay = async claim => {
      if (toHex(claim.template.stateHash) === toHex(WITHHELD)) await sleep(w.clock, 20_000)
      return await replay(claim)
    }
    for (let i = 0; i < 5; i++) {
      // They claim no work: nobody follows them.
      await stranger(w, `other ${i}`, [...honest.slice(0, 150), ...forged.blocks], { work: 1n })
      await w.clock.advance(180_000)
    }
    // Again and again, for others might have it by then; and not for ever.
    expect(weighed(a, 'other 0').length).toBeGreaterThan(0)
    expect(hex(a.chain.head())).toBe(hex(tip))
    expect(await new MemoryStorage(disk).get('meta', 'chain/head')).toBeDefined()
  })
})

it('a slice redone for its header alone is wrong where its ticket does not win for what the slice costs', async () => {
  const replays = new Replays({ compute: { runSlice: async () => { throw new Error('not asked for') } }, states: { state: async () => undefined }, data: { held: async () => undefined, want: () => {} } } as unknown as ConstructorParameters<typeof Replays>[0])
  const redone = async (cost: number): Promise<string> => {
    const { header } = mine(tip, kit.timeAfter(tip), true, { cost }).mined.block
    replays.remember(header.template, header.slice, { stateHash: header.resultHash, payloadDigest: header.payloadDigest, elapsedMs: 1 } as Parameters<Replays['remember']>[2])
    return await replays.redo(header, tinySpec)
  }
  expect(await redone(COST)).toBe('right')
  expect(await redone(1_000 * COST)).toBe('wrong')
})
