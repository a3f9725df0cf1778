/** What a node knows to be wrong it does not build on: after a reload, and while its own block is being written. */
import { describe, expect, it, test } from 'vitest'
import { toHex } from '../../src/core/codec/ssz.ts'
import type { Block, Claim, SignedSeal } from '../../src/core/codec/wire.ts'
import type { BlockMeta } from '../../src/core/consensus/chain.ts'
import { benchmarkJob } from '../../src/core/ledger/state.ts'
import { claimId, sealHash } from '../../src/core/crypto/ids.ts'
import { Rounds } from '../../src/node/rounds.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { type ChainKit, keyPair } from '../core/chainKit.ts'
import { gatedStorage, rig, type Rig, settle } from './chainRig.ts'

function roundsOf (r: Rig): Rounds {
  const rounds = new Rounds({ params: r.kit.params, chain: r.chain, states: r.states, signatures: r.signatures, blame: r.blame, clock: r.clock, log: r.log })
  rounds.start()
  return rounds
}

/** A seal on this block with one contribution. */
function sealOn (kit: ChainKit, tip: BlockMeta): { readonly seal: SignedSeal, readonly claim: Claim } {
  const job = benchmarkJob(tip.ledger)
  const claim = kit.contribution(tip, job, keyPair(2))
  return { claim, seal: kit.seal(tip, job, [claim]) }
}

async function grown (r: Rig): Promise<BlockMeta> {
  const tip = r.kit.grown()
  for (const block of r.kit.blocks(tip)) expect((await r.chain.submitOwn(block)).status).toBe('added')
  return tip
}

describe('a seal with a contribution that was condemned', () => {
  it('is built on no more from the moment the chain condemns it, whoever found it wrong', async () => {
    const r = rig()
    const { seal, claim } = sealOn(r.kit, await grown(r))
    const rounds = roundsOf(r)
    expect(await rounds.add(seal, 'x')).toEqual({ status: 'added' })
    expect(rounds.pendingSeals(r.chain.head())).toEqual([seal])
    await r.chain.condemn(claimId(claim), 'replay gave another result')
    expect(rounds.pendingSeals(r.chain.head())).toEqual([])
    expect(rounds.pendingSeal(sealHash(seal.seal))).toBeUndefined()
    expect(await rounds.add(seal, 'x')).toMatchObject({ status: 'refused', refusal: { reason: 'contribution-wrong' } })
  })

  it('is refused after a reload as before it, for every own block that carried it would be refused', async () => {
    const disk = new MemoryDisk()
    const first = rig({ storage: new MemoryStorage(disk) })
    const { kit } = first
    const { seal, claim } = sealOn(kit, await grown(first))
    await first.chain.condemn(claimId(claim), 'replay gave another result')
    await first.chain.stop()

    const again = rig({ kit, storage: new MemoryStorage(disk) })
    await again.chain.loadFromStorage()
    const rounds = roundsOf(again)
    expect(await rounds.add(seal, 'x')).toMatchObject({ status: 'refused', refusal: { reason: 'contribution-wrong' } })
    const carried = rounds.pendingSeals(again.chain.head())
    expect(carried).toEqual([])
    expect(await again.chain.submitOwn(kit.block(again.chain.head(), { seals: carried }))).toMatchObject({ status: 'added', head: true })
  })
})

test('the seal of a mined block that falls with its contribution does not wait for the next one', async () => {
  const r = rig()
  const tip = await grown(r)
  const { seal, claim } = sealOn(r.kit, tip)
  const rounds = roundsOf(r)
  expect(await r.chain.submitOwn(r.kit.block(tip, { seals: [seal] }))).toMatchObject({ status: 'added', head: true })
  await r.chain.condemn(claimId(claim), 'replay gave another result')
  expect(toHex(r.chain.head().hash)).toBe(toHex(tip.hash))
  expect(rounds.pendingSeals(r.chain.head())).toEqual([])
  expect(rounds.pendingSeal(sealHash(seal.seal))).toBeUndefined()
})

describe('an own block whose contribution is condemned while it is being written', () => {
  it('is refused, does not lead, and is not on disk', async () => {
    const { storage, release } = gatedStorage()
    const r = rig({ storage })
    const tip = r.kit.grown()
    for (const block of r.kit.blocks(tip)) expect((await r.chain.submitAs(block, { mode: 'full' })).status).toBe('added')
    const { seal, claim } = sealOn(r.kit, tip)
    const block = r.kit.block(tip, { seals: [seal] })
    const submitted = r.chain.submitOwn(block)
    await settle()
    await r.chain.condemn(claimId(claim), 'replay gave another result')
    release()
    expect(await submitted).toMatchObject({ status: 'refused', refusal: { reason: 'contribution-wrong' } })
    expect(toHex(r.chain.head().hash)).toBe(toHex(tip.hash))
    // Nor does it come back with the next submission.
    expect(await r.chain.submitOwn(block)).toMatchObject({ status: 'refused', refusal: { reason: 'contribution-wrong' } })
    await r.store.idle()
    const stored = await storage.keys('headers', { from: 'n/', to: 'n0' })
    expect(stored.filter(key => key.endsWith(toHex(claimId(block.header))))).toEqual([])
    expect(stored.length).toBeGreaterThanOrEqual(tip.height)
  })
})

test('n39-538: a condemned block that stands as ripe is left when the block above it is condemned too, before a reload and after it', async () => {
  const disk = new MemoryDisk()
  const r = rig({ storage: new MemoryStorage(disk) })
  const { kit } = r
  const tip = await grown(r)
  const add = async (block: Block): Promise<BlockMeta> => {
    expect(await r.chain.submitOwn(block)).toMatchObject({ status: 'added', head: true })
    return r.chain.head()
  }
  const first = sealOn(kit, tip)
  const lower = await add(kit.block(tip, { seals: [first.seal] }))
  const second = sealOn(kit, lower)
  let top = await add(kit.block(lower, { seals: [second.seal] }))
  while (top.height < lower.height + kit.params.maturity) top = await add(kit.block(top))
  // It is ripe: nothing falls.
  await r.chain.condemn(claimId(first.claim), 'replay gave another result')
  expect(r.chain.head()).toBe(top)
  // What made it ripe goes.
  await r.chain.condemn(claimId(second.claim), 'replay gave another result')
  expect(toHex(r.chain.head().hash)).toBe(toHex(tip.hash))
  await r.chain.stop()
  const again = rig({ kit, storage: new MemoryStorage(disk) })
  await again.chain.loadFromStorage()
  expect(toHex(again.chain.head().hash)).toBe(toHex(tip.hash))
  expect(await again.chain.submitOwn(kit.block(again.chain.head()))).toMatchObject({ status: 'added', head: true })
})
