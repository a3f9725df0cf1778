/** What a wallet has called sent is not lost: on a full disk, beside other tabs of the profile, beside another device. */
import { describe, expect, it } from 'vitest'
import { formatAddress } from '../../src/core/codec/address.ts'
import { toHex } from '../../src/core/codec/ssz.ts'
import type { SignedTransaction } from '../../src/core/codec/wire.ts'
import type { BlockMeta } from '../../src/core/consensus/chain.ts'
import { transactionId } from '../../src/core/crypto/ids.ts'
import { sign } from '../../src/core/crypto/keys.ts'
import { RingLog } from '../../src/node/log.ts'
import { Mempool, REBROADCAST_MS } from '../../src/node/mempool.ts'
import type { BlockRecord, ChainEvents } from '../../src/node/parts.ts'
import { WRITE_RETRY_MS } from '../../src/node/persist.ts'
import { LOOK_MS, Spending } from '../../src/node/spending.ts'
import { WalletDesk } from '../../src/node/walletDesk.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { MemoryProfile, MemoryPurse } from '../../src/storage/memoryPurse.ts'
import { ChainKit, keyPair, type Mined, type MineOptions } from '../core/chainKit.ts'
import { kitTime, ManualClock, rig, type Rig, settle, TestSignatures } from './chainRig.ts'

const owner = keyPair(1)

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

const kit = new ChainKit()
const start = kit.grown()
const [ann, bob] = [8, 9].map(n => formatAddress(keyPair(n).key))
const { minFee } = kit.params

const record = (m: Mined): BlockRecord => ({ meta: m.meta, body: m.block.body, events: m.events, checked: 'replayed' })
const idOf = (t: SignedTransaction): string => toHex(transactionId(t.transaction))

/** A tab of a profile, on a chain that is wherever the test says. */
class Tab {
  tip: BlockMeta = start
  foreign = 0
  readonly clock = new ManualClock(kitTime(kit, 100))
  readonly log: RingLog
  readonly pool: Mempool
  readonly spending: Spending
  readonly wallet: WalletDesk
  /** Told to the world, which hears nothing in these tests unless it is handed on. */
  readonly published: SignedTransaction[] = []
  readonly #blocks = new Map<number, BlockRecord>()
  readonly #listeners = new Set<ChainEvents['head']>()

  private constructor (profile: MemoryProfile, disk: MemoryDisk) {
    const clock = this.clock
    const log = this.log = new RingLog(clock)
    const chain = {
      head: (): BlockMeta => this.tip,
      at: (height: number): BlockRecord | undefined => this.#blocks.get(height),
      offMain: (): BlockRecord[] => [],
      on: <K extends keyof ChainEvents>(_: K, l: ChainEvents[K]): (() => void) => { this.#listeners.add(l); return () => { this.#listeners.delete(l) } }
    }
    const pool = this.pool = new Mempool({ params: kit.params, clock, signatures: new TestSignatures(), chain, blocks: { written: async () => true }, storage: new MemoryStorage(disk), log, own: [owner.key], publish: () => {} })
    const spending = this.spending = new Spending({ purse: new MemoryPurse(profile), account: owner.key, chain, pool, clock, log, onForeign: () => { this.foreign++ } })
    this.wallet = new WalletDesk({ params: kit.params, chain, pool, spending, key: { publicKey: owner.key, sign: m => sign(owner.seed, m) }, publish: async t => { this.published.push(t) } })
  }

  static async open (profile: MemoryProfile, o: { readonly disk?: MemoryDisk, readonly tip?: BlockMeta } = {}): Promise<Tab> {
    const tab = new Tab(profile, o.disk ?? new MemoryDisk())
    tab.tip = o.tip ?? start
    await tab.pool.start()
    tab.spending.start()
    await tab.spending.idle()
    return tab
  }

  async send (to: string, amount: bigint): Promise<string> {
    const sent = await this.wallet.send(to, amount, minFee)
    if (!sent.ok) throw new Error(sent.errors.map(e => e.message).join())
    return sent.value.id
  }

  async move (removed: readonly Mined[], added: readonly Mined[], tip = added[added.length - 1].meta): Promise<void> {
    for (const { meta } of removed) this.#blocks.delete(meta.height)
    for (const m of added) this.#blocks.set(m.meta.height, record(m))
    this.tip = tip
    await this.clock.advance(LOOK_MS)
    for (const l of this.#listeners) l({ head: tip, removed: removed.map(record), added: added.map(record) })
    await settle()
    await this.spending.idle()
  }

  get unsent (): Array<readonly [string, string]> { return this.spending.unsent().map(u => [u.id, u.why]) }
  get warnings (): string[] { return this.log.entries(50).filter(e => e.level === 'warn' && e.area === 'wallet').map(e => e.text) }
}

const mine = (on: BlockMeta, transactions: readonly SignedTransaction[], o: MineOptions = {}): Mined => kit.mine(on, { miner: keyPair(2), transactions: [...transactions], ...o })
/** Another device with this wallet signs it. */
const elsewhere = (nonce: number, amount: bigint): SignedTransaction => kit.transfer(start, owner, keyPair(7).key, amount, { nonce })

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
    // If that block is lost, what it had is not.
    expect(behind.pool.select(start).map(idOf)).toEqual([...ahead.published.map(idOf), id])
    await behind.move([], [block])
    expect(behind.pool.select(block.meta).map(idOf)).toEqual([id])
    expect([ahead.unsent, behind.unsent]).toEqual([[], []])
  })

  it('are told of a tab that does not give up its turn, and send nothing meanwhile', async () => {
    const profile = new MemoryProfile()
    const a = await Tab.open(profile)
    const busy = new Spending({ purse: { inTurn: async () => undefined, read: async () => undefined, write: async () => {} }, account: owner.key, chain: { head: () => start, at: () => undefined, on: () => () => {} }, pool: a.pool, clock: a.clock, log: a.log })
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
  /** Sent here, while another device's with the same nonce is in a block. */
  async function displaced (profile: MemoryProfile): Promise<{ readonly tab: Tab, readonly id: string, readonly block: Mined }> {
    const tab = await Tab.open(profile)
    const id = await tab.send(ann, 10n)
    const block = mine(start, [elsewhere(0, 77n)])
    await tab.move([], [block])
    return { tab, id, block }
  }

  it('is warned of and shown as not sent, by every tab and after a reload', async () => {
    const profile = new MemoryProfile()
    const other = await Tab.open(profile)
    const { tab, id, block } = await displaced(profile)
    expect(tab.pool.size).toBe(0)
    expect(tab.spending.unsent()).toEqual([{ id, kind: 'transfer', why: 'taken', to: ann, amount: 10n, fee: minFee }])
    expect(tab.warnings).toEqual([expect.stringMatching(/^transfer .* was called sent and is not: another transaction of this wallet/)])
    expect(tab.log.entries(50).filter(e => e.area === 'pool' && e.level === 'warn')).toHaveLength(1)
    await other.move([], [block])
    expect(other.unsent).toEqual([[id, 'taken']])
    expect((await Tab.open(profile, { tip: block.meta })).unsent).toEqual([[id, 'taken']])
    expect(tab.foreign).toBeGreaterThan(0)
  })

  it('is sent again once, with the next nonce, whichever tab is asked', async () => {
    const profile = new MemoryProfile()
    const { tab, id, block } = await displaced(profile)
    const other = await Tab.open(profile, { tip: block.meta })
    const [one, two] = await Promise.all([tab.wallet.sendAgain(id), other.wallet.sendAgain(id)])
    expect([one.ok, two.ok]).toEqual([true, false])
    const again = tab.published[1]
    expect(again.transaction).toMatchObject({ nonce: 1, action: { value: { amount: 10n } } })
    expect([tab.unsent, other.unsent]).toEqual([[], []])
    const next = mine(block.meta, [again])
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
    const { tab, id, block } = await displaced(new MemoryProfile())
    const without = mine(start, [], { miner: keyPair(3) })
    await tab.move([block], [without])
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
  })

  it('is not shown where this profile did not sign it: the device that did shows it', async () => {
    const tab = await Tab.open(new MemoryProfile())
    await tab.pool.add(elsewhere(0, 5n), 'gossip')
    await tab.move([], [mine(start, [elsewhere(0, 77n)])])
    expect(tab.unsent).toEqual([])
  })
})

it('what the rules do not let happen any more is shown as not sent', async () => {
  const tab = await Tab.open(new MemoryProfile())
  const job = kit.post(start, owner)
  const { value } = job.transaction.action
  const posted = await tab.wallet.postJob(value as Parameters<WalletDesk['postJob']>[0], minFee)
  expect(posted).toMatchObject({ ok: true, value: { nonce: 0 } })
  const { deadline } = value as { readonly deadline: number }
  let tip = start
  const blocks: Mined[] = []
  while (tip.height < deadline) { blocks.push(mine(tip, [])); tip = blocks[blocks.length - 1].meta }
  await tab.move([], blocks)
  expect(tab.spending.unsent()).toMatchObject([{ kind: 'job', why: 'void' }])
})
