/** Who hands over a transaction that can be right on no chain and at no height has not looked at it, or made it. */
import { expect, test } from 'vitest'
import { SignedTransaction } from '../../src/core/codec/wire.ts'
import type { BlockMeta } from '../../src/core/consensus/chain.ts'
import { createMemoryHub } from '../../src/net/memory.ts'
import { BlocksGossip, transactionsTopic } from '../../src/node/blocksGossip.ts'
import { RingLog } from '../../src/node/log.ts'
import { Mempool } from '../../src/node/mempool.ts'
import { Refusals } from '../../src/node/refusals.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { ChainKit, keyPair } from '../core/chainKit.ts'
import { kitTime, ManualClock, TestSignatures } from './chainRig.ts'

const MIB = 1024 * 1024
const kit = new ChainKit()
const [ann, bob, eve] = [keyPair(1), keyPair(2), keyPair(5)]
/** Bob has set something aside in an epoch that is over. */
const withPot = kit.mine(kit.grown(), { miner: keyPair(3), transactions: [kit.setAside(kit.grown(), bob, 20_000n)] }).meta
const epoch = Math.floor(withPot.height / kit.params.epochBlocks)
const tip = kit.extend(kit.endOfEpoch(withPot), 2)

/** What a tab at `tip` makes of it. */
async function handed (tx: SignedTransaction): Promise<{ readonly pool: number, readonly named: string[], readonly banned: string[] }> {
  const clock = new ManualClock(kitTime(kit, 200))
  const hub = createMemoryHub({ clock, latencyMs: 5 })
  const network = hub.join('me')
  const log = new RingLog(clock)
  const blame = new Refusals({ clock, network, log })
  const chain = { head: (): BlockMeta => tip, on: () => () => {}, offMain: () => [] }
  const pool = new Mempool({ params: kit.params, clock, signatures: new TestSignatures(), chain: chain as never, blocks: { written: async () => true }, storage: new MemoryStorage(new MemoryDisk()), log, own: [], publish: () => {} })
  const gossip = new BlocksGossip({ params: kit.params, clock, network, chain: chain as never, sync: { sawVersion: () => {} }, pool, records: { standing: () => false }, signatures: new TestSignatures(), blame, log })
  const stop = await gossip.start()
  await hub.join('x').publish(transactionsTopic(kit.genesis.hash), SignedTransaction.serialize(tx))
  await clock.advance(1_000)
  stop()
  return { pool: pool.size, named: blame.list().map(r => `${r.reason} by ${r.peer}`), banned: (await network.status()).banned.map(b => b.id) }
}

const bobs = kit.receipt(bob, ann.key, epoch, 8 * MIB)

test.each([
  ['redeem-signature', kit.redeem(tip, ann, epoch, [kit.receipt(bob, ann.key, epoch, 8 * MIB, { by: eve })])],
  ['redeem-self', kit.redeem(tip, ann, epoch, [kit.receipt(ann, ann.key, epoch, 8 * MIB)])],
  ['redeem-none', kit.redeem(tip, ann, epoch, [])],
  ['set-aside-amount', kit.setAside(tip, ann, 0n)]
])('%s: refused, and whoever handed it over is named and banned', async (reason, tx) => {
  expect(await handed(tx)).toEqual({ pool: 0, named: [`${reason} by x`], banned: ['x'] })
})

test.each([
  ['redeem-epoch', kit.redeem(tip, ann, epoch + 1, [bobs])],
  ['redeem-pot', kit.redeem(tip, ann, epoch, [kit.receipt(eve, ann.key, epoch, 8 * MIB)])]
])('%s: refused, but it may be right elsewhere', async (_reason, tx) => {
  expect(await handed(tx)).toEqual({ pool: 0, named: [], banned: [] })
})

test('a right one waits', async () => {
  expect(await handed(kit.redeem(tip, ann, epoch, [bobs]))).toEqual({ pool: 1, named: [], banned: [] })
})
