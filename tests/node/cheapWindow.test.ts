/**
 * Blocks that nobody redoes are forged by hashing, and set the target of those after them: close together they make weight,
 * far apart they make the newest ones, which are redone, next to no work. What a node that has redone its chain undoes must
 * be paid for in work of the same kind, and who joins weighs what he was shown first against what others show.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { toHex } from '../../src/core/codec/ssz.ts'
import type { Claim, SignedSeal } from '../../src/core/codec/wire.ts'
import { assembleBlock } from '../../src/core/consensus/assemble.ts'
import type { BlockMeta } from '../../src/core/consensus/chain.ts'
import { extendHeader } from '../../src/core/consensus/header.ts'
import { ticketWins } from '../../src/core/consensus/target.ts'
import { hash, u32le } from '../../src/core/crypto/hash.ts'
import { claimId, ticket } from '../../src/core/crypto/ids.ts'
import { benchmarkJob } from '../../src/core/ledger/state.ts'
import { type ChainParams, MAIN } from '../../src/core/params.ts'
import { sliceCost } from '../../src/core/training/cost.ts'
import { createMemoryHub } from '../../src/net/memory.ts'
import { weightOf } from '../../src/node/weigh.ts'
import { MemoryDisk } from '../../src/storage/memory.ts'
import { ChainKit, type KeyPair, keyPair, type Mined, tinySpec } from '../core/chainKit.ts'
import { ManualClock } from './chainRig.ts'
import { feed, hex, node, run, stranger, type TestNode, type World } from './syncRig.ts'

const COST = sliceCost(tinySpec)
/** Slices that a block of the honest network takes. */
const SLICES = 200n
const ALL = (1n << 256n) - 1n
/** The main network's numbers, but for the size of a slice. */
const params: ChainParams = { ...MAIN, name: 'cheap-window', minSliceCost: COST, maxTarget: ALL / BigInt(COST), genesisTarget: ALL / BigInt(COST) / SLICES }
const kit = new ChainKit(params)
const BLOCKS = 200
const PAYLOAD_BYTES = kit.block(kit.genesis, { timeMs: 1_000_000_000_000 }).header.payloadBytes
const honestMiner = keyPair(1)
const forger = keyPair(2)
/** The state of a seal that only a forger knows of: what stands on it cannot be redone by anybody. */
const WITHHELD = hash('test-withheld')

/** Blocks whose slices were really computed; those of all others were found by trying result hashes. */
const real = new Set<string>()

function mine (parent: BlockMeta, timeMs: number, by: KeyPair, isReal: boolean, seals: readonly SignedSeal[] = []): { readonly mined: Mined, readonly slices: number } {
  const { template, body, ledger } = assembleBlock(params, parent, { transactions: [], seals, miner: by.key, payee: by.key, timeMs })
  for (let slice = 0; ; slice++) {
    const claim: Claim = {
      template,
      slice: isReal ? slice : 0,
      resultHash: isReal ? hash('test-result', u32le(slice), template.bodyRoot, u32le(template.height)) : hash('test-forged', u32le(slice)),
      payloadDigest: hash('test-payload', u32le(slice)),
      payloadBytes: PAYLOAD_BYTES,
      signature: new Uint8Array(64)
    }
    if (!ticketWins(template.target, COST, ticket(claim))) continue
    const header = kit.signClaim(claim, by)
    if (isReal) real.add(toHex(claimId(header)))
    return { mined: { block: { header, body }, meta: { ...extendHeader(parent, header), parent, ledger }, events: [] }, slices: slice + 1 }
  }
}

function seal (tip: BlockMeta, stateHash: Uint8Array): SignedSeal {
  const job = benchmarkJob(tip.ledger)
  return kit.seal(tip, job, [kit.signClaim(kit.contribution(tip, job, forger), forger)], { over: { stateHash } })
}

interface Forged { readonly blocks: readonly Mined[], /** Really computed. */ readonly slices: number }

/** Heavier than `honest`, on its block `fork`, and as much cheaper as the rules let it be. */
function forge (fork: BlockMeta, honest: BlockMeta, nowMs: number): Forged {
  const blocks: Mined[] = []
  let slices = 0
  let tip = fork
  const add = (ms: number, isReal: boolean, seals: readonly SignedSeal[] = []): void => {
    const made = mine(tip, tip.header.template.time + ms, forger, isReal, seals)
    blocks.push(made.mined)
    tip = made.mined.meta
    if (isReal) slices += made.slices
  }
  const isGenesis = fork.height === 0
  if (isGenesis) add(honest.header.template.time - 86_400_000, false)
  // As close as may be: each block is a twelfth heavier than the one before it.
  while (tip.work < honest.work) add(1, false)
  add(1, false, [seal(tip, WITHHELD)])
  // Far apart: the target goes up by a half each time.
  while (tip.header.template.time + 60_000 <= nowMs + 15_000 - 24 && tip.header.template.target < params.maxTarget) add(60_000, false)
  // Back to a state that all have, and then what is redone before it is believed.
  add(1, true, [seal(tip, benchmarkJob(kit.genesis.ledger).stateHash)])
  for (let i = 0; i < params.joinReplayBlocks; i++) add(isGenesis ? 60_000 : 1, true)
  return { blocks, slices }
}

const honest: Mined[] = []
/** Slices of an honest block, on average. */
let honestSlices = 0

function world (): World {
  const clock = new ManualClock(honest[BLOCKS - 1].meta.header.template.time + 1_000)
  return { kit, clock, hub: createMemoryHub({ clock, latencyMs: 5 }) }
}

/** Redoes what was computed, finds out what was forged, and has no state that was withheld. */
function redoing (n: TestNode): TestNode {
  n.replay.replay = async claim => {
    if (real.has(toHex(claimId(claim)))) return { kind: 'done', resultHash: claim.resultHash, payloadDigest: claim.payloadDigest, elapsedMs: 1 }
    if (toHex(claim.template.stateHash) === toHex(WITHHELD)) return { kind: 'unavailable', detail: 'nobody has this state' }
    return { kind: 'done', resultHash: hash('test-other'), payloadDigest: claim.payloadDigest, elapsedMs: 1 }
  }
  return n
}

/** How many blocks each change of the head took away. */
function undone (n: TestNode): number[] {
  const counts: number[] = []
  n.chain.on('head', ({ removed }) => { if (removed.length > 0) counts.push(removed.length) })
  return counts
}

const liar = async (w: World, below: number, { blocks }: Forged): Promise<void> => {
  await stranger(w, 'liar', [...honest.slice(0, below), ...blocks], { headers: hs => hs.filter(h => blocks.includes(h)) })
}

beforeAll(() => {
  let slices = 0
  for (let i = 0, tip = kit.genesis; i < BLOCKS; i++, tip = honest[i - 1].meta) {
    const made = mine(tip, kit.timeAfter(tip), honestMiner, true)
    honest.push(made.mined)
    slices += made.slices
  }
  honestSlices = slices / BLOCKS
})

describe('a node that has redone its chain keeps it against a heavier one whose newest blocks are next to no work', () => {
  it.each([190, 90])('and that forks off %d blocks below', async depth => {
    const w = world()
    const forged = forge(honest[BLOCKS - 1 - depth].meta, honest[BLOCKS - 1].meta, w.clock.now())
    expect(forged.blocks.at(-1)!.meta.work).toBeGreaterThan(honest[BLOCKS - 1].meta.work)
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
    expect(hex(a.chain.head())).toBe(hex(honest[BLOCKS - 1].meta))
    expect(a.sync.unproved()).toBe(false)
  }, 60_000)

  it('though the liar hands out a ledger near its end', async () => {
    const w = world()
    const forged = forge(honest[9].meta, honest[BLOCKS - 1].meta, w.clock.now())
    const base = forged.blocks[forged.blocks.length - params.joinReplayBlocks - 1].meta
    const offer = { height: base.height, block: base.hash, infoHash: new Uint8Array(20), bytes: 1 }
    let offered = 0
    const find = async (): Promise<{ readonly base: BlockMeta, readonly offer: typeof offer, readonly joined: { readonly headers: number, readonly signatures: number, readonly height: number, readonly bytes: number } }> => {
      offered++
      return { base, offer, joined: { headers: 1, signatures: 1, height: base.height, bytes: 1 } }
    }
    const a = redoing(await node(w, 'a', new MemoryDisk(), { snapshots: { ahead: () => {}, forget: () => {}, leastBlocks: 32, find } }))
    await feed(a, honest)
    const changes = undone(a)
    await liar(w, 10, forged)
    await run(a)
    await w.clock.advance(180_000)
    expect(offered).toBeGreaterThan(0)
    expect(changes).toEqual([])
    expect(hex(a.chain.head())).toBe(hex(honest[BLOCKS - 1].meta))
  }, 60_000)

  it('and yet goes over to a heavier one as real as its own, whatever its newest blocks weigh', async () => {
    const w = world()
    const fork = honest[BLOCKS - 61].meta
    // A little faster than ours, and then slower, as its miners leave.
    const other: Mined[] = []
    for (let i = 0, tip = fork; i < 100; i++, tip = other[i - 1].meta) other.push(mine(tip, tip.header.template.time + (i < 60 ? 9_500 : 12_000), keyPair(3), true).mined)
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
    const forged = forge(kit.genesis, honest[BLOCKS - 1].meta, w.clock.now())
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
    expect(hex(a.chain.head())).toBe(hex(honest[BLOCKS - 1].meta))
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
    const forged = forge(kit.genesis, honest[BLOCKS - 1].meta, w.clock.now())
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
    expect(hex(again.chain.head())).toBe(hex(honest[BLOCKS - 1].meta))
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
