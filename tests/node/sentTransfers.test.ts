/** What a wallet has called sent is not lost: on a full disk, beside other tabs of the profile, beside another device. */
import { describe, expect, it } from 'vitest'
import { Mempool, REBROADCAST_MS } from '../../src/node/mempool.ts'
import { WRITE_RETRY_MS } from '../../src/node/persist.ts'
import { idOf } from '../../src/node/purseRecord.ts'
import { LOOK_MS, Spending } from '../../src/node/spending.ts'
import type { WalletDesk } from '../../src/node/walletDesk.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { MemoryProfile, MemoryPurse } from '../../src/storage/memoryPurse.ts'
import { keyPair, type Mined } from '../core/chainKit.ts'
import { rig, type Rig } from './chainRig.ts'
import { ann, bob, elsewhere, emptyOnes, kit, maturity, mine, minFee, owner, start, Tab } from './walletTabs.ts'

describe('a transfer whose block is in memory only, for the disk is full', () => {
  async function poolOf (r: Rig, storage: MemoryStorage): Promise<Mempool> {
    const pool = new Mempool({ params: r.kit.params, clock: r.clock, signatures: r.signatures, chain: r.chain, blocks: r.store, storage, log: r.log, own: [owner.key], publish: () => {} })
    await pool.start()
    return pool
  }

  /** A lone tab with a transfer in its newest block, and no room for that block. */
  async function fullTab (mode: 'own' | 'full' = 'own'): Promise<{ readonly r: Rig, readonly pool: Mempool, readonly disk: MemoryDisk }> {
    const disk = new MemoryDisk()
    const storage = new MemoryStorage(disk)
    const r = rig({ storage })
    const tip = r.kit.grown()
    for (const block of r.kit.blocks(tip)) await r.chain.submitOwn(block)
    const pool = await poolOf(r, storage)
    expect(await pool.add(r.kit.transfer(tip, owner, keyPair(9).key, 10n))).toBeUndefined()
    await r.store.idle()
    disk.quota = disk.used
    expect(await r.chain.submitAs(r.kit.block(tip, { transactions: pool.select(tip) }), { mode })).toMatchObject({ status: 'added', head: true })
    await r.store.idle()
    expect(r.store.state.ok).toBe(false)
    expect(await r.store.written()).toBe(false)
    await pool.idle()
    expect(pool.size).toBe(0)
    return { r, pool, disk }
  }

  // An own one is tried before it leads; with another's the disk is found full when the transfer is let go of.
  it.each(['own', 'full'] as const)('stays on disk, and waits again if the tab dies before there is room (block: %s)', async (mode) => {
    const { r, disk } = await fullTab(mode)
    disk.quota = undefined
    const storage = new MemoryStorage(disk)
    const again = rig({ kit: r.kit, storage })
    expect((await again.chain.loadFromStorage()).height).toBe(r.chain.head().height - 1)
    expect((await poolOf(again, storage)).pending(owner.key)).toHaveLength(1)
  })

  it('leaves the disk once the block is there', async () => {
    const { r, pool, disk } = await fullTab()
    await r.clock.advance(REBROADCAST_MS)
    await pool.idle()
    expect(disk.table('pool').keys).toHaveLength(1)
    disk.quota = undefined
    await r.clock.advance(WRITE_RETRY_MS + REBROADCAST_MS)
    await pool.idle()
    expect(r.store.state.ok).toBe(true)
    expect(disk.table('pool').keys).toEqual([])
  })
})

it('a transfer in a block that this tab applied while it caught up is known to be sent when that block is no longer kept', async () => {
  const r = rig()
  const tip = r.kit.grown()
  for (const b of r.kit.blocks(tip)) await r.chain.submitOwn(b)
  let inStep = true
  const pool = new Mempool({ params: r.kit.params, clock: r.clock, signatures: r.signatures, chain: r.chain, blocks: r.store, storage: new MemoryStorage(new MemoryDisk()), log: r.log, own: [owner.key], publish: () => {} })
  await pool.start()
  const spending = new Spending({ purse: new MemoryPurse(), account: owner.key, params: r.kit.params, chain: r.chain, pool, inStep: () => inStep, clock: r.clock, log: r.log })
  spending.start()
  const signed = r.kit.transfer(tip, owner, keyPair(9).key, 10n)
  expect((await spending.sign(async () => ({ ok: true, value: signed }))).ok).toBe(true)
  // The lid is closed at once.
  inStep = false
  let at = r.kit.mine(tip, { transactions: [signed], miner: keyPair(2) })
  const { height } = at.meta
  const apply = async (): Promise<void> => {
    expect(await r.chain.submitOwn(at.block)).toMatchObject({ status: 'added' })
    await r.clock.advance(LOOK_MS)
    await spending.idle()
  }
  while (r.chain.head().height === tip.height || r.chain.at(height) !== undefined) {
    await apply()
    at = r.kit.mine(at.meta, { miner: keyPair(2) })
  }
  inStep = true
  await apply()
  expect(spending.unsent()).toEqual([])
}, 60_000)

describe('two tabs of a profile', () => {
  it('take one nonce each, before either has heard of the other, and both transfers are paid', async () => {
    const profile = new MemoryProfile()
    const [a, b] = [await Tab.open(profile), await Tab.open(profile)]
    await Promise.all([a.send(ann, 10n), b.send(bob, 20n), a.send(bob, 30n)])
    const signed = [...a.published, ...b.published]
    expect(signed.map(t => t.transaction.nonce).sort()).toEqual([0, 1, 2])
    const all = mine(start, signed.sort((x, y) => x.transaction.nonce - y.transaction.nonce))
    for (const tab of [a, b]) {
      await tab.move([], [all])
      expect({ waiting: tab.pool.size, unsent: tab.unsent, warnings: tab.warnings }).toEqual({ waiting: 0, unsent: [], warnings: [] })
    }
    expect(b.spending.nextNonce()).toBe(3)
  })

  it('have what a tab has signed wait in the other, also where it was closed before anybody heard of it', async () => {
    const profile = new MemoryProfile()
    const a = await Tab.open(profile)
    await a.send(ann, 10n)
    const later = await Tab.open(profile)
    expect(later.pool.pending(owner.key)).toEqual(a.published)
    expect(later.pool.select(start)).toEqual(a.published)
    await later.send(bob, 20n)
    expect(later.published[0].transaction.nonce).toBe(1)
  })

  it('take no nonce that is used in a block which one of them, still behind, does not have', async () => {
    const profile = new MemoryProfile()
    const ahead = await Tab.open(profile)
    await ahead.send(ann, 10n)
    const block = mine(start, ahead.published)
    await ahead.move([], [block])
    const behind = await Tab.open(profile)
    const id = await behind.send(bob, 20n)
    expect(behind.published[0].transaction.nonce).toBe(1)
    // What is paid is not shown as on its way out.
    expect(behind.pool.pending(owner.key).map(idOf)).toEqual([id])
    await behind.move([], [block])
    expect(behind.pool.select(block.meta).map(idOf)).toEqual([id])
    expect([ahead.unsent, behind.unsent]).toEqual([[], []])
  })

  it('are told of a tab that does not give up its turn, and send nothing meanwhile', async () => {
    const profile = new MemoryProfile()
    const a = await Tab.open(profile)
    const busy = new Spending({ purse: { inTurn: async () => undefined, read: async () => undefined, write: async () => {} }, account: owner.key, params: kit.params, inStep: () => true, chain: { head: () => start, at: () => undefined, on: () => () => {} }, pool: a.pool, clock: a.clock, log: a.log })
    expect(await busy.sign(async () => { throw new Error('it was not its turn') })).toMatchObject({ ok: false, errors: [{ field: 'form', message: expect.stringContaining('another tab') }] })
  })

  it('go on each by itself where what they share cannot be read or written, and say so', async () => {
    const profile = new MemoryProfile()
    profile.bytes = Uint8Array.of(1, 2, 3)
    const a = await Tab.open(profile)
    await a.send(ann, 10n)
    expect(a.warnings.join()).toContain('damaged')
    expect((await Tab.open(profile)).pool.pending(owner.key)).toEqual(a.published)
  })
})

describe('a transfer whose nonce another transaction has used', () => {
  /** Sent here, while another device's with the same nonce is in a block; `deep` more are on top of that. */
  async function displaced (profile: MemoryProfile, deep = maturity): Promise<{ readonly tab: Tab, readonly id: string, readonly blocks: Mined[] }> {
    const tab = await Tab.open(profile)
    const id = await tab.send(ann, 10n)
    const block = mine(start, [elsewhere(0, 77n)])
    const blocks = [block, ...emptyOnes(block.meta, deep)]
    for (const b of blocks) await tab.move([], [b])
    return { tab, id, blocks }
  }
  const last = (blocks: readonly Mined[]): Mined => blocks[blocks.length - 1]

  it('waits while that block may be lost, is warned of then and shown as not sent, by every tab and after a reload', async () => {
    const profile = new MemoryProfile()
    const other = await Tab.open(profile)
    const { tab, id, blocks } = await displaced(profile, maturity - 1)
    expect(tab.pool.size).toBe(0)
    expect(tab.spending.unsent()).toEqual([{ id, kind: 'transfer', why: 'ahead', blocks: 1, to: ann, amount: 10n, fee: minFee }])
    expect(tab.warnings).toEqual([])
    expect(await tab.wallet.sendAgain(id)).toMatchObject({ ok: false })
    const [next] = emptyOnes(last(blocks).meta, 1)
    await tab.move([], [next])
    expect(tab.spending.unsent()).toEqual([{ id, kind: 'transfer', why: 'taken', blocks: undefined, to: ann, amount: 10n, fee: minFee }])
    expect(tab.warnings).toEqual([expect.stringMatching(/^transfer .* was called sent and is not: another transaction of this wallet/)])
    expect(tab.log.entries(50).filter(e => e.area === 'pool' && e.level === 'warn')).toHaveLength(1)
    await other.move([], [...blocks, next])
    expect(other.unsent).toEqual([[id, 'taken']])
    expect((await Tab.open(profile, { tip: next.meta })).unsent).toEqual([[id, 'taken']])
    expect([tab.foreign, other.foreign]).toEqual([1, 0])
  })

  it('is looked at also where the clock was set back meanwhile', async () => {
    const { tab, id, blocks } = await displaced(new MemoryProfile(), 0)
    await tab.clock.advance(-600_000)
    await tab.move([], emptyOnes(last(blocks).meta, maturity))
    expect(tab.unsent).toEqual([[id, 'taken']])
  })

  it('is sent again once, with the next nonce, whichever tab is asked', async () => {
    const profile = new MemoryProfile()
    const { tab, id, blocks } = await displaced(profile)
    const other = await Tab.open(profile, { tip: last(blocks).meta, blocks })
    const [one, two] = await Promise.all([tab.wallet.sendAgain(id), other.wallet.sendAgain(id)])
    expect([one.ok, two.ok]).toEqual([true, false])
    const again = tab.published[1]
    expect(again.transaction).toMatchObject({ nonce: 1, action: { value: { amount: 10n } } })
    const next = mine(last(blocks).meta, [again])
    for (const t of [tab, other]) {
      await t.move([], [next])
      expect(t.unsent).toEqual([])
    }
  })

  it('is shown no more when the user has let it go', async () => {
    const { tab, id } = await displaced(new MemoryProfile())
    await tab.wallet.forgetUnsent(id)
    expect(tab.unsent).toEqual([])
    expect(await tab.wallet.sendAgain(id)).toMatchObject({ ok: false })
  })

  it('waits again when a reorganisation takes the other one out, and is no failure once it is in a block', async () => {
    const { tab, id, blocks } = await displaced(new MemoryProfile(), 0)
    const without = mine(start, [], { miner: keyPair(3) })
    await tab.move(blocks, [without])
    expect(tab.unsent).toEqual([])
    const mined = mine(without.meta, [tab.published[0]])
    await tab.move([], [mined])
    expect(tab.unsent).toEqual([])
    expect(tab.spending.nextNonce()).toBe(1)
    expect(idOf(tab.published[0])).toBe(id)
  })

  it('is not said to be lost where the block that used it cannot be looked into', async () => {
    const tab = await Tab.open(new MemoryProfile())
    const id = await tab.send(ann, 10n)
    // As after a join by a snapshot: the ledger is there, the blocks are not.
    await tab.move([], [], mine(start, [tab.published[0]]).meta)
    expect(tab.unsent).toEqual([[id, 'unseen']])
    expect(await tab.wallet.sendAgain(id)).toMatchObject({ ok: false })
  })

  it('is known to be sent where another tab of the profile, though behind, has that block', async () => {
    const profile = new MemoryProfile()
    const [tab, behind] = [await Tab.open(profile), await Tab.open(profile, { inStep: false })]
    await tab.send(ann, 10n)
    const block = mine(start, tab.published)
    await tab.move([], [], block.meta)
    expect(tab.unsent.map(([, why]) => why)).toEqual(['unseen'])
    await behind.move([], [block])
    await tab.move([], emptyOnes(block.meta, 1))
    expect([tab.unsent, behind.unsent]).toEqual([[], []])
  })

  it('waits again where the block in which a tab that was behind has found it is lost', async () => {
    const profile = new MemoryProfile()
    const tab = await Tab.open(profile, { inStep: false })
    await tab.send(ann, 10n)
    const block = mine(start, tab.published)
    await tab.move([], [block])
    const rival = mine(start, [elsewhere(0, 77n)], { miner: keyPair(3) })
    tab.inStep = true
    await tab.move([block], [rival])
    expect(tab.unsent.map(([, why]) => why)).toEqual(['ahead'])
  })

  it('is not shown where this profile did not sign it: the device that did shows it', async () => {
    const tab = await Tab.open(new MemoryProfile())
    await tab.pool.add(elsewhere(0, 5n), 'gossip')
    await tab.move([], [mine(start, [elsewhere(0, 77n)])])
    expect(tab.unsent).toEqual([])
  })
})

it('what the rules do not let happen any more waits a while for them to, and is shown as not sent then', async () => {
  const tab = await Tab.open(new MemoryProfile())
  const job = kit.post(start, owner)
  const { value } = job.transaction.action
  const posted = await tab.wallet.postJob(value as Parameters<WalletDesk['postJob']>[0], minFee)
  expect(posted).toMatchObject({ ok: true, value: { nonce: 0 } })
  const { deadline } = value as { readonly deadline: number }
  const blocks = emptyOnes(start, deadline - start.height)
  await tab.move([], blocks)
  expect(tab.spending.unsent()).toMatchObject([{ kind: 'job', why: 'stuck', blocks: maturity }])
  expect(tab.spending.nextNonce()).toBe(0)
  await tab.move([], emptyOnes(blocks[blocks.length - 1].meta, maturity))
  expect(tab.spending.unsent()).toMatchObject([{ kind: 'job', why: 'void' }])
})
