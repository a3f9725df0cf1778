/**
 * The newest joinReplayBlocks of a heavier chain are redone before it is believed, however little work they are:
 * a chain whose blocks below them are forged by hashing sets its own target for them. (belongs in tests/node)
 */
import { expect, it } from 'vitest'
import { toHex } from '../../src/core/codec/ssz.ts'
import type { Claim, SignedSeal } from '../../src/core/codec/wire.ts'
import { assembleBlock } from '../../src/core/consensus/assemble.ts'
import type { BlockMeta } from '../../src/core/consensus/chain.ts'
import { extendHeader } from '../../src/core/consensus/header.ts'
import { blockWork, ticketWins } from '../../src/core/consensus/target.ts'
import { hash, u32le } from '../../src/core/crypto/hash.ts'
import { claimId, ticket } from '../../src/core/crypto/ids.ts'
import { benchmarkJob } from '../../src/core/ledger/state.ts'
import { type ChainParams, MAIN } from '../../src/core/params.ts'
import { sliceCost } from '../../src/core/training/cost.ts'
import { createMemoryHub } from '../../src/net/memory.ts'
import { ChainKit, type KeyPair, keyPair, type Mined, tinySpec } from '../core/chainKit.ts'
import { ManualClock } from './chainRig.ts'
import { feed, hex, node, run, stranger, type World } from './syncRig.ts'

const COST = sliceCost(tinySpec)
/** Slices that a block of the honest network takes. */
const SLICES = 200n
const ALL = (1n << 256n) - 1n
/** The main network's numbers, but for the size of a slice. */
const params: ChainParams = { ...MAIN, name: 'cheap-window', minSliceCost: COST, maxTarget: ALL / BigInt(COST), genesisTarget: ALL / BigInt(COST) / SLICES }

it.each([190, 90, 200])('keeps its chain, or joins it (200), against one that forks off %d blocks below and whose last 24 blocks are next to no work', async depth => {
  const kit = new ChainKit(params)
  /** Blocks whose slices were really computed; everything else was found by trying result hashes. */
  const real = new Set<string>()
  let tries = 0
  const mine = (parent: BlockMeta, timeMs: number, by: KeyPair, isReal: boolean, seals: readonly SignedSeal[] = []): Mined => {
    const { template, body, job, ledger } = assembleBlock(params, parent, { transactions: [], seals, miner: by.key, payee: by.key, timeMs })
    for (let slice = 0; ; slice++) {
      if (isReal) tries++
      const header: Claim = { ...kit.claim(template, job.spec, by, isReal ? slice : 0), ...(isReal ? {} : { resultHash: hash('test-forged', u32le(slice)) }) }
      if (!ticketWins(template.target, COST, ticket(header))) continue
      const signed = kit.signClaim(header, by)
      if (isReal) real.add(toHex(claimId(signed)))
      return { block: { header: signed, body }, meta: { ...extendHeader(parent, signed), parent, ledger }, events: [] }
    }
  }
  // signClaim is slow: only tickets are looked at while trying.
  kit.claim = (template, _spec, _miner, slice = 0) => ({ template, slice, resultHash: hash('test-result', u32le(slice), template.bodyRoot, u32le(template.height)), payloadDigest: hash('test-payload', u32le(slice)), payloadBytes: kitPayload, signature: new Uint8Array(64) })
  const kitPayload = new ChainKit(params).block(kit.genesis, { timeMs: 1_000_000_000_000 }).header.payloadBytes

  const honest: Mined[] = []
  for (let i = 0, tip = kit.genesis; i < 200; i++, tip = honest[i - 1].meta) honest.push(mine(tip, kit.timeAfter(tip), keyPair(1), true))
  const honestTip = honest[199].meta
  const honestSlicesOfABlock = tries / 200
  const clock = new ManualClock(honestTip.header.template.time + 1_000)
  const w: World = { kit, clock, hub: createMemoryHub({ clock, latencyMs: 5 }) }

  // --- the enemy's chain
  const forger = keyPair(2)
  const joins = depth === 200
  const fork = joins ? kit.genesis : honest[199 - depth].meta
  const forged: Mined[] = []
  let tip = fork
  const add = (ms: number, isReal: boolean, seals: readonly SignedSeal[] = []): void => {
    forged.push(mine(tip, tip.header.template.time + ms, forger, isReal, seals))
    tip = forged.at(-1)!.meta
  }
  const seal = (stateHash: Uint8Array): SignedSeal => {
    const job = benchmarkJob(tip.ledger)
    const contribution = kit.signClaim(kit.contribution(tip, job, forger), forger)
    return kit.seal(tip, job, [contribution], { over: { stateHash } })
  }
  const gap = joins ? 60_000 : 1
  if (joins) add(honestTip.header.template.time - 86_400_000, false)
  // 1. As close as may be: each block is a twelfth heavier than the one before it, and costs hashes alone.
  while (tip.work < honestTip.work) add(1, false)
  // 2. A round whose state nobody has: what follows can never be redone by anybody.
  const withheld = hash('test-withheld')
  add(1, false, [seal(withheld)])
  // 3. Far apart: the target goes up by a half each time.
  while (tip.header.template.time + 60_000 <= clock.now() + 15_000 - 24 && tip.header.template.target < params.maxTarget) add(60_000, false)
  // 4. Back to a state that all have, named by its hash.
  tries = 0
  add(1, true, [seal(benchmarkJob(kit.genesis.ledger).stateHash)])
  // 5. What is redone before it is believed.
  for (let i = 0; i < 24; i++) add(gap, true)
  const paid = tries
  console.log(`fork ${depth} deep: ${forged.length} blocks, real slices of the last 25, all that were done: ${paid}; a block of the honest chain takes ${honestSlicesOfABlock}, ${depth} of them ${depth * honestSlicesOfABlock}; work ${Number(tip.work * 100n / honestTip.work) / 100} of the honest chain's; last block ${Number(blockWork(tip.header.template.target)) / COST} slices`)

  const a = await node(w, 'a')
  const replay: typeof a.replay.replay = async claim => {
    const right = { kind: 'done' as const, resultHash: claim.resultHash, payloadDigest: claim.payloadDigest, elapsedMs: 1 }
    if (real.has(toHex(claimId(claim)))) return right
    if (toHex(claim.template.stateHash) === toHex(withheld)) return { kind: 'unavailable', detail: 'nobody has this state' }
    return { ...right, resultHash: hash('test-other') }
  }
  a.replay.replay = replay
  if (!joins) await feed(a, honest)
  await stranger(w, 'liar', [...honest.slice(0, 200 - depth), ...forged], { headers: hs => hs.filter(h => forged.includes(h)) })
  await run(a)
  if (joins) {
    // Whoever joins has an honest neighbour as well, whose status comes second.
    await clock.advance(5_000)
    const b = await node(w, 'b')
    b.replay.replay = replay
    await feed(b, honest)
    await run(b)
  }
  await clock.advance(120_000)
  await a.backfill.idle()
  console.log(a.log.entries(500).map(e => e.text).filter(t => !t.endsWith(' redone')).join('\n'), JSON.stringify(a.blame.list()), a.backfill.pruned)
  // All that was sent in the last `depth` blocks would be undone, for a fraction of the work of one of them.
  expect(a.sync.unproved()).toBe(false)
  expect(hex(a.chain.head()), `it follows the forged chain, and counts it as proved; banned: ${JSON.stringify(a.blame.list())}`).toBe(hex(honestTip))
}, 120_000)
