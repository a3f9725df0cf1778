/** Nobody pays twice by what the app offers, and what it says of a transfer is so: over reorganisations, tabs that are behind, disks that fail. */
import { describe, expect, it } from 'vitest'
import { toHex } from '../../src/core/codec/ssz.ts'
import { ACTION_REDEEM } from '../../src/core/codec/wire.ts'
import type { BlockMeta } from '../../src/core/consensus/chain.ts'
import { account } from '../../src/core/ledger/state.ts'
import { idOf, SIGNED_KEPT } from '../../src/node/purseRecord.ts'
import { JUDGED_MS } from '../../src/node/spending.ts'
import type { WalletDesk } from '../../src/node/walletDesk.ts'
import type { Purse } from '../../src/ports/purse.ts'
import { StorageError } from '../../src/ports/storage.ts'
import { toStorageError } from '../../src/storage/failures.ts'
import { MemoryDisk } from '../../src/storage/memory.ts'
import { MemoryProfile, MemoryPurse } from '../../src/storage/memoryPurse.ts'
import { type ChainKit, keyPair, type Mined } from '../core/chainKit.ts'
import { settle } from './chainRig.ts'
import { ann, bob, elsewhere, emptyOnes, kit, maturity, mine, minFee, owner, paidTo, start, Tab } from './walletTabs.ts'

type PostValue = Parameters<WalletDesk['postJob']>[0]
const jobValue = (tip: BlockMeta, o: Parameters<ChainKit['post']>[2] = {}): PostValue => kit.post(tip, owner, o).transaction.action.value as PostValue
const jobsOf = (tip: BlockMeta, key = owner.key): number => tip.ledger.jobs.filter(j => toHex(j.owner) === toHex(key)).length

/** Three jobs of others are open: one more, and the table is full. */
function crowded (on: BlockMeta): BlockMeta {
  const other = keyPair(2)
  const { nonce } = account(on.ledger, other.key)
  return mine(on, [0, 1, 2].map(i => kit.post(on, other, { nonce: nonce + i }))).meta
}

/** A tab has handed in receipts by itself; the rival's block has others, and the pot is empty then. */
async function redeeming (profile: MemoryProfile): Promise<{ readonly tab: Tab, readonly on: BlockMeta, readonly rival: Mined }> {
  const [payer, friend, GIB] = [keyPair(2), keyPair(3), 1024 ** 3]
  const pot = mine(start, [kit.setAside(start, payer, 2n * minFee)]).meta
  const epoch = Math.floor(pot.height / kit.params.epochBlocks)
  const on = kit.extend(kit.endOfEpoch(pot), 1)
  const tab = await Tab.open(profile, { tip: on })
  expect(await tab.wallet.submit({ selector: ACTION_REDEEM, value: { epoch, receipts: [kit.receipt(payer, owner.key, epoch, GIB)] } }, minFee)).toMatchObject({ ok: true })
  return { tab, on, rival: mine(on, [kit.redeem(on, friend, epoch, [kit.receipt(payer, friend.key, epoch, GIB)])], { miner: friend }) }
}

/** As a profile's purse is, but for what is said here. */
const purseOf = (profile: MemoryProfile, o: Partial<Purse>): Purse => {
  const memory = new MemoryPurse(profile)
  return { inTurn: async work => await memory.inTurn(work), read: async () => await memory.read(), write: async bytes => { await memory.write(bytes) }, ...o }
}

describe('what was mined, where the block that wins makes it void', () => {
  async function voided (profile: MemoryProfile): Promise<{ readonly tab: Tab, readonly rival: Mined, readonly id: string }> {
    const on = crowded(start)
    const tab = await Tab.open(profile, { tip: on })
    const posted = await tab.wallet.postJob(jobValue(on), minFee)
    if (!posted.ok) throw new Error(JSON.stringify(posted.errors))
    const block = mine(on, tab.published)
    await tab.move([], [block])
    // The block that wins has another's job in the last place of the table.
    const rival = mine(on, [kit.post(on, keyPair(3))], { miner: keyPair(3) })
    await tab.move([block], [rival])
    return { tab, rival, id: posted.value.id }
  }

  it('is shown to wait, and as not sent when that has gone on for a while', async () => {
    const { tab, rival, id } = await voided(new MemoryProfile())
    expect(tab.unsent).toEqual([[id, 'stuck']])
    await tab.move([], emptyOnes(rival.meta, maturity))
    expect(tab.unsent).toEqual([[id, 'void']])
  })

  it('does not hold up the wallet: what it signs next can be in the next block, here and after a reload', async () => {
    const profile = new MemoryProfile()
    const { tab, rival } = await voided(profile)
    await tab.send(ann, 10n)
    const later = await Tab.open(profile, { tip: rival.meta })
    await later.send(bob, 10n)
    const signed = [...tab.published.slice(1), ...later.published].map(t => t.transaction.nonce)
    expect({ signed, mineable: [tab, later].map(t => t.pool.select(rival.meta).length) }).toEqual({ signed: [0, 1], mineable: [1, 2] })
  })

  it('is sent again with the nonce it had, so that it cannot be paid twice', async () => {
    const { tab, rival, id } = await voided(new MemoryProfile())
    // A place in the table is free when it has been given up.
    const free = rival.meta.ledger.jobs.find(j => toHex(j.owner) === toHex(keyPair(3).key))!
    const blocks = emptyOnes(rival.meta, maturity)
    await tab.move([], blocks)
    const ended = mine(blocks[blocks.length - 1].meta, [kit.cancel(blocks[blocks.length - 1].meta, keyPair(3), free.id)])
    const more = emptyOnes(ended.meta, kit.params.maturity)
    await tab.move([], [ended, ...more])
    expect(tab.pool.size).toBe(0)
    const again = await tab.wallet.sendAgain(id)
    expect({ again, nonce: tab.published[1]?.transaction.nonce, unsent: tab.unsent }).toMatchObject({ again: { ok: true }, nonce: 0, unsent: [] })
    expect(jobsOf(mine(more[more.length - 1].meta, tab.pool.select(tab.tip)).meta)).toBe(1)
  })

  it('is not sent again while another one has its nonce, until that one is settled', async () => {
    const { tab, rival, id } = await voided(new MemoryProfile())
    const blocks = emptyOnes(rival.meta, maturity)
    await tab.move([], blocks)
    await tab.send(bob, 10n)
    expect(await tab.wallet.sendAgain(id)).toMatchObject({ ok: false, errors: [{ message: expect.stringContaining('on its way') }] })
    const paid = mine(tab.tip, tab.published.slice(1))
    await tab.move([], [paid])
    expect(await tab.wallet.sendAgain(id)).toMatchObject({ ok: false, errors: [{ message: expect.stringContaining(`in ${maturity} blocks`) }] })
    await tab.move([], emptyOnes(paid.meta, maturity))
    expect(tab.unsent).toEqual([[id, 'taken']])
  })

  it('is not sent again where its nonce was used in a block that is not here: it may have been this one', async () => {
    const { tab, rival, id } = await voided(new MemoryProfile())
    const blocks = emptyOnes(rival.meta, maturity)
    await tab.move([], blocks)
    expect(tab.unsent).toEqual([[id, 'void']])
    await tab.move([rival, ...blocks], [], mine(tab.tip, [kit.transfer(tab.tip, owner, keyPair(7).key, 5n, { nonce: 0 })]).meta)
    expect(tab.unsent).toEqual([[id, 'unseen']])
    expect((await tab.wallet.sendAgain(id)).ok).toBe(false)
  })

  it('is no hindrance either where it was a redemption that the tab handed in by itself', async () => {
    const { tab, on, rival } = await redeeming(new MemoryProfile())
    const block = mine(on, tab.published)
    await tab.move([], [block])
    await tab.move([block], [rival])
    for (let i = 0; i < 3; i++) await tab.send(ann, 10n)
    const { nonce } = account(rival.meta.ledger, owner.key)
    expect({ signed: tab.published.slice(1).map(t => t.transaction.nonce - nonce), mineable: tab.pool.select(rival.meta).length, unsent: tab.unsent }).toEqual({ signed: [0, 1, 2], mineable: 3, unsent: [] })
  })
})

describe('a transfer behind a redemption that another one made void', () => {
  it('is shown to wait until what is sent next has taken the place before it, in every tab, and then follows', async () => {
    const profile = new MemoryProfile()
    const { tab, rival } = await redeeming(profile)
    const id = await tab.send(ann, 10n)
    expect(tab.unsent).toEqual([])
    await tab.move([], [rival])
    expect(tab.unsent).toEqual([[id, 'gap']])
    await tab.move([], emptyOnes(rival.meta, 2 * maturity))
    const later = await Tab.open(profile, { tip: tab.tip })
    const behind = await Tab.open(profile, { tip: start })
    expect([tab, later, behind].map(t => t.unsent)).toEqual([[[id, 'gap']], [[id, 'gap']], []])
    await tab.send(bob, 20n)
    expect(tab.unsent).toEqual([])
    const block = mine(tab.tip, tab.pool.select(tab.tip))
    expect([paidTo(block.meta), paidTo(block.meta, keyPair(9).key)]).toEqual([10n, 20n])
    await tab.move([], [block])
    expect(tab.unsent).toEqual([])
  })
})

describe('what a tab that was behind has sent, of credits that were spent by then', () => {
  async function overspent (): Promise<{ readonly tab: Tab, readonly ids: readonly string[] }> {
    const profile = new MemoryProfile()
    const { balance } = account(start.ledger, owner.key)
    const ahead = await Tab.open(profile)
    await ahead.send(bob, balance * 9n / 10n)
    const paid = mine(start, ahead.published)
    await ahead.move([], [paid])
    const tab = await Tab.open(profile, { inStep: false })
    const ids = [await tab.send(ann, balance * 8n / 10n), await tab.send(ann, 10n)]
    await tab.move([], [paid])
    tab.inStep = true
    await tab.move([], emptyOnes(paid.meta, 1))
    return { tab, ids }
  }

  it('is shown to wait, as is what is behind it, and no more than nothing can be spent', async () => {
    const { tab, ids } = await overspent()
    expect(tab.unsent).toEqual([[ids[0], 'stuck'], [ids[1], 'gap']])
    expect(await tab.wallet.send(bob, 10n, minFee)).toMatchObject({ ok: false, errors: [{ field: 'amount', message: expect.stringMatching(/you can spend 0 credits$/) }] })
  })

  it('is given up after a while: its place is free, and it cannot happen beside what takes that', async () => {
    const { tab, ids } = await overspent()
    await tab.move([], emptyOnes(tab.tip, maturity))
    expect(tab.unsent).toEqual([[ids[0], 'void'], [ids[1], 'gap']])
    expect(await tab.wallet.sendAgain(ids[0])).toMatchObject({ ok: false, errors: [{ field: 'amount' }] })
    await tab.send(bob, 30n)
    const [, , again] = tab.published
    expect(again.transaction.nonce).toBe(tab.published[0].transaction.nonce)
    const block = mine(tab.tip, tab.pool.select(tab.tip))
    expect([tab.unsent, paidTo(block.meta)]).toEqual([[[ids[0], 'void']], 10n])
    await tab.move([], [block, ...emptyOnes(block.meta, maturity)])
    expect(tab.unsent).toEqual([[ids[0], 'taken']])
  })
})

describe('a transfer behind another one of its nonce, whose block is lost', () => {
  it('cannot be sent again before that, and is paid once', async () => {
    const tab = await Tab.open(new MemoryProfile())
    const id = await tab.send(ann, 10n)
    const block = mine(start, [elsewhere(0, 77n)])
    await tab.move([], [block])
    expect(tab.unsent).toEqual([[id, 'ahead']])
    expect((await tab.wallet.sendAgain(id)).ok).toBe(false)
    const rival = mine(start, [tab.published[0]], { miner: keyPair(3) })
    await tab.move([block], [rival])
    expect({ unsent: tab.unsent, paid: paidTo(mine(rival.meta, tab.pool.select(rival.meta)).meta) }).toEqual({ unsent: [], paid: 10n })
  })

  it('is handed on by no tab once it was called not sent, however deep the reorganisation', async () => {
    const profile = new MemoryProfile()
    const tab = await Tab.open(profile)
    const id = await tab.send(ann, 10n)
    const block = mine(start, [elsewhere(0, 77n)])
    const blocks = [block, ...emptyOnes(block.meta, maturity)]
    await tab.move([], blocks)
    expect(tab.unsent).toEqual([[id, 'taken']])
    const branch = emptyOnes(mine(start, [], { miner: keyPair(3) }).meta, maturity + 1)
    await tab.move(blocks, branch)
    const fresh = await Tab.open(profile, { tip: tab.tip })
    expect([tab, fresh].map(t => t.pool.pending(owner.key).map(idOf).includes(id))).toEqual([false, false])
    // The other one waits again for the nonce that both have: until it is in a block, either may be.
    expect(await tab.wallet.sendAgain(id)).toMatchObject({ ok: false, errors: [{ message: expect.stringContaining('on its way') }] })
  })

  it('leaves the pool of a tab of the profile on another branch when it was sent again', async () => {
    const profile = new MemoryProfile()
    const [a, b] = [await Tab.open(profile), await Tab.open(profile)]
    const id = await a.send(ann, 10n)
    const branch = mine(start, [], { miner: keyPair(3) })
    await b.move([], [branch])
    expect(b.pool.select(b.tip).map(idOf)).toContain(id)
    const block = mine(start, [elsewhere(0, 77n)])
    await a.move([], [block, ...emptyOnes(block.meta, maturity)])
    expect((await a.wallet.sendAgain(id)).ok).toBe(true)
    await b.move([], [mine(branch.meta, [])])
    expect(b.pool.select(b.tip).map(idOf)).not.toContain(id)
  })

  it('is not offered to be sent again where the other one pays the same to the same', async () => {
    const tab = await Tab.open(new MemoryProfile())
    const id = await tab.send(ann, 10n)
    const block = mine(start, [kit.transfer(start, owner, keyPair(8).key, 10n, { nonce: 0, fee: minFee + 1n })])
    await tab.move([], [block, ...emptyOnes(block.meta, maturity)])
    expect(tab.unsent).toEqual([[id, 'same']])
    expect((await tab.wallet.sendAgain(id)).ok).toBe(false)
  })

  it('is told of by the next tab where this one died before it could note the loss of what was mined', async () => {
    const profile = new MemoryProfile()
    const tab = await Tab.open(profile)
    const id = await tab.send(ann, 10n)
    await tab.move([], [mine(start, tab.published)])
    // The chain on disk is the new one already; in it another device's transaction has the nonce.
    const rival = mine(start, [elsewhere(0, 77n)], { miner: keyPair(3) })
    const next = await Tab.open(profile, { tip: rival.meta, blocks: [rival] })
    expect(next.unsent).toEqual([[id, 'ahead']])
    await next.move([], emptyOnes(rival.meta, maturity))
    expect(next.unsent).toEqual([[id, 'taken']])
  })
})

describe('a tab that is behind does not judge', () => {
  it('a job that is on its way, where the table was full a block ago', async () => {
    const profile = new MemoryProfile()
    const crowd = crowded(start)
    const before = mine(crowd, [kit.post(crowd, keyPair(3))]).meta
    // Two jobs of others end in the newest block, which the second tab does not have yet.
    const ended = before.ledger.jobs.filter(j => toHex(j.owner) === toHex(keyPair(2).key)).slice(0, 2)
    const { nonce } = account(before.ledger, keyPair(2).key)
    const now = mine(before, ended.map((j, i) => kit.cancel(before, keyPair(2), j.id, { nonce: nonce + i })))
    const tab = await Tab.open(profile, { tip: now.meta })
    expect((await tab.wallet.postJob(jobValue(now.meta), minFee)).ok).toBe(true)
    const behind = await Tab.open(profile, { tip: before })
    const empty = mine(now.meta, [])
    await tab.move([], [empty])
    expect([tab.unsent, behind.unsent]).toEqual([[], []])
    expect(jobsOf(mine(empty.meta, tab.pool.select(empty.meta)).meta)).toBe(1)
  })

  it('a job whose deadline is too far above the genesis, where fresh tabs begin', async () => {
    const profile = new MemoryProfile()
    const tab = await Tab.open(profile)
    expect((await tab.wallet.postJob(jobValue(start, { deadline: start.height + 200_000 }), minFee)).ok).toBe(true)
    await Tab.open(profile, { tip: kit.genesis })
    const empty = mine(start, [])
    await tab.move([], [empty])
    expect({ told: tab.unsent, posted: jobsOf(mine(empty.meta, tab.pool.select(empty.meta)).meta) }).toEqual({ told: [], posted: 1 })
  })

  it('a cancellation of a job that it does not know', async () => {
    const profile = new MemoryProfile()
    const posted = mine(start, [kit.post(start, owner)])
    const job = posted.meta.ledger.jobs.find(j => toHex(j.owner) === toHex(owner.key))!
    const tab = await Tab.open(profile, { tip: posted.meta })
    expect((await tab.wallet.cancelJob(job.id)).ok).toBe(true)
    const fresh = await Tab.open(profile, { tip: kit.genesis })
    await tab.move([], [mine(posted.meta, [])])
    expect([tab.unsent, fresh.unsent]).toEqual([[], []])
  })

  it('what waits behind another one, where it has joined by a snapshot and cannot look', async () => {
    const profile = new MemoryProfile()
    const tab = await Tab.open(profile)
    const id = await tab.send(ann, 10n)
    const block = mine(start, [elsewhere(0, 77n)])
    await tab.move([], [block])
    const fresh = await Tab.open(profile, { tip: kit.genesis })
    await fresh.move([], [], block.meta)
    expect([tab.unsent, fresh.unsent]).toEqual([[[id, 'ahead']], [[id, 'ahead']]])
    const blocks = emptyOnes(block.meta, maturity)
    await tab.move([], blocks)
    await fresh.move([], blocks)
    expect([tab.unsent, fresh.unsent]).toEqual([[[id, 'taken']], [[id, 'taken']]])
  })

  it('anything, while it is not in step with the network', async () => {
    const profile = new MemoryProfile()
    const tab = await Tab.open(profile, { inStep: false })
    await tab.send(ann, 10n)
    const block = mine(start, [elsewhere(0, 77n)])
    await tab.move([], [block, ...emptyOnes(block.meta, maturity)])
    expect({ unsent: tab.unsent, foreign: tab.foreign }).toEqual({ unsent: [], foreign: 0 })
    tab.inStep = true
    await tab.move([], emptyOnes(tab.tip, 1))
    expect({ unsent: tab.unsent.map(([, why]) => why), foreign: tab.foreign }).toEqual({ unsent: ['taken'], foreign: 1 })
  })

  it('but does where nobody has been as high for an hour: what was higher was given up', async () => {
    const profile = new MemoryProfile()
    const high = emptyOnes(start, 20)
    const tab = await Tab.open(profile, { tip: high[high.length - 1].meta })
    const id = await tab.send(ann, 10n)
    const block = mine(start, [elsewhere(0, 77n)])
    const low = await Tab.open(profile, { tip: block.meta, blocks: [block] })
    expect(low.unsent).toEqual([])
    await low.clock.advance(JUDGED_MS)
    await low.move([], [mine(block.meta, [])])
    expect(low.unsent).toEqual([[id, 'ahead']])
  })
})

describe('the alarm that the wallet is in use elsewhere', () => {
  it('is raised once for a transaction, however many tabs are opened later', async () => {
    const profile = new MemoryProfile()
    const tab = await Tab.open(profile)
    await tab.send(ann, 10n)
    const block = mine(start, [elsewhere(0, 77n)])
    await tab.move([], [block])
    const later = await Tab.open(profile)
    await later.move([], [block])
    expect({ foreign: [tab.foreign, later.foreign], warnings: later.warnings }).toEqual({ foreign: [1, 0], warnings: [] })
  })

  it('is not raised for a lone user whose record has forgotten what was paid long ago, and no nonce comes twice', async () => {
    const profile = new MemoryProfile()
    const ahead = await Tab.open(profile)
    const blocks: Mined[] = []
    while (ahead.published.length < SIGNED_KEPT + 6) {
      const from = ahead.published.length
      for (let i = 0; i < 10; i++) await ahead.send(bob, 1n)
      const block = mine(ahead.tip, ahead.published.slice(from))
      blocks.push(block)
      await ahead.move([], [block])
    }
    const behind = await Tab.open(profile)
    // Its own ledger is too old for any nonce that is free.
    expect(await behind.wallet.send(ann, 10n, minFee)).toMatchObject({ ok: false, errors: [{ message: expect.stringContaining('catch up') }] })
    await behind.move([], blocks.slice(0, -1))
    await behind.send(ann, 10n)
    expect(behind.published[0].transaction.nonce).toBe(SIGNED_KEPT + 6)
    await behind.move([], blocks.slice(-1))
    expect({ unsent: behind.unsent, foreign: behind.foreign }).toEqual({ unsent: [], foreign: 0 })
  }, 60_000)

  it('nor is anything of that shown as on its way out', async () => {
    const profile = new MemoryProfile()
    const ahead = await Tab.open(profile)
    for (let i = 0; i < 10; i++) await ahead.send(bob, 1n)
    await ahead.move([], [mine(start, ahead.published)])
    expect((await Tab.open(profile, { tip: kit.genesis })).pool.pending(owner.key)).toEqual([])
  })
})

describe('where the record cannot be written or read', () => {
  it('nothing is sent, and that is what is said, whatever word the browser has for it', async () => {
    const profile = new MemoryProfile()
    // What a browser says when a transaction of IndexedDB took too long (IndexedDB 3.0, "TimeoutError").
    const purse = purseOf(profile, { write: async () => { throw toStorageError(new DOMException('the transaction took too long', 'TimeoutError')) } })
    const disk = new MemoryDisk()
    const tab = await Tab.open(profile, { purse, disk })
    const told = [await tab.wallet.send(ann, 10n, minFee), await tab.wallet.send(ann, 10n, minFee)]
    const reloaded = await Tab.open(profile, { disk })
    expect(told).toMatchObject([0, 1].map(() => ({ ok: false, errors: [{ field: 'form', message: expect.stringContaining('nothing was sent') }] })))
    expect({ published: tab.published, out: reloaded.pool.select(start) }).toEqual({ published: [], out: [] })
  })

  it('nothing is sent again, and once it can be, once', async () => {
    const profile = new MemoryProfile()
    const memory = new MemoryPurse(profile)
    let full = false
    const purse = purseOf(profile, { write: async bytes => { if (full) throw new StorageError('full', 'no more room'); await memory.write(bytes) } })
    const tab = await Tab.open(profile, { purse })
    const id = await tab.send(ann, 10n)
    const block = mine(start, [elsewhere(0, 77n)])
    await tab.move([], [block, ...emptyOnes(block.meta, maturity)])
    full = true
    // What a turn made of the record and could not write is not what the next one finds.
    for (let i = 0; i < 2; i++) {
      expect((await tab.wallet.sendAgain(id)).ok).toBe(false)
      await tab.move([], [mine(tab.tip, [])])
      expect(tab.unsent).toEqual([[id, 'taken']])
    }
    full = false
    expect([(await tab.wallet.sendAgain(id)).ok, (await tab.wallet.sendAgain(id)).ok]).toEqual([true, false])
    expect(paidTo(mine(tab.tip, tab.pool.select(tab.tip)).meta)).toBe(10n)
  })

  it('nothing is signed over what another tab has signed', async () => {
    const profile = new MemoryProfile()
    const memory = new MemoryPurse(profile)
    let flaky = false
    const purse = purseOf(profile, { read: async () => { if (flaky) throw new StorageError('corrupt', 'UnknownError'); return await memory.read() } })
    const [a, b] = [await Tab.open(profile), await Tab.open(profile, { purse })]
    await a.send(ann, 10n)
    flaky = true
    expect(await b.wallet.send(bob, 20n, minFee)).toMatchObject({ ok: false })
    flaky = false
    await b.send(bob, 20n)
    const block = mine(start, [...a.published, ...b.published])
    for (const tab of [a, b]) await tab.move([], [block])
    expect({ paid: [paidTo(block.meta), paidTo(block.meta, keyPair(9).key)], unsent: [a.unsent, b.unsent] }).toEqual({ paid: [10n, 20n], unsent: [[], []] })
  })

  it('a tab that dies in its turn has sent nothing: whoever sends it anew from another tab pays once', async () => {
    const profile = new MemoryProfile()
    const disk = new MemoryDisk()
    // Its lock goes with it.
    const dying = purseOf(profile, { inTurn: async work => ({ value: await work() }), write: async () => { await new Promise<never>(() => {}) } })
    const tab = await Tab.open(profile, { disk, purse: dying })
    void tab.wallet.send(ann, 10n, minFee)
    await settle()
    const other = await Tab.open(profile)
    expect((await other.wallet.send(ann, 10n, minFee + 1n)).ok).toBe(true)
    // The first one is opened again, and finds a block.
    const reopened = await Tab.open(profile, { disk })
    const block = mine(start, reopened.pool.select(start))
    await other.move([], [block])
    expect({ told: other.unsent, foreign: other.foreign, paid: paidTo(mine(block.meta, other.pool.select(block.meta)).meta) }).toEqual({ told: [], foreign: 0, paid: 10n })
  })

  it('what is written down is sent, also where it cannot be announced: another tab goes on with it', async () => {
    const profile = new MemoryProfile()
    const tab = await Tab.open(profile)
    tab.unheard = true
    expect((await tab.wallet.send(ann, 10n, minFee)).ok).toBe(true)
    expect((await Tab.open(profile)).pool.select(start)).toHaveLength(1)
  })
})
