/** The desk that redeems receipts and sets aside, on a chain that is wherever the test says, with the real pool and wallet. */
import { describe, expect, it } from 'vitest'
import { SignedReceipt } from '../../src/core/codec/library.ts'
import type { SignedTransaction } from '../../src/core/codec/wire.ts'
import type { BlockMeta } from '../../src/core/consensus/chain.ts'
import { hash } from '../../src/core/crypto/hash.ts'
import { sign } from '../../src/core/crypto/keys.ts'
import { RingLog } from '../../src/node/log.ts'
import { Mempool } from '../../src/node/mempool.ts'
import type { BlockRecord, ChainEvents } from '../../src/node/parts.ts'
import { SeedingDesk } from '../../src/node/seedingDesk.ts'
import { Spending } from '../../src/node/spending.ts'
import { WalletDesk } from '../../src/node/walletDesk.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { MemoryPurse } from '../../src/storage/memoryPurse.ts'
import { ChainKit, EASY, keyPair, type KeyPair, type MineOptions } from '../core/chainKit.ts'
import { kitTime, ManualClock, settle, TestSignatures } from './chainRig.ts'

const MIB = 1024 * 1024
const kit = new ChainKit({ ...EASY, name: 'desk', maturity: 2, epochBlocks: 12 })
const { minFee } = kit.params
const [me, ann, cy, other] = [1, 2, 3, 4].map(keyPair)
const start = kit.extend(kit.endOfEpoch(kit.grown(18, 4)), 1, [other])
const EPOCH = start.height / kit.params.epochBlocks

class World {
  tip: BlockMeta = start
  receipts: SignedReceipt[] = []
  settings = { redeem: true, setAside: 0 }
  fetching = false
  readonly pool: Mempool
  readonly spending: Spending
  readonly desk: SeedingDesk
  readonly #listeners = new Set<ChainEvents['head']>()
  #changed = (): void => {}

  constructor () {
    const chain = {
      head: (): BlockMeta => this.tip, at: (): undefined => undefined, offMain: (): BlockRecord[] => [],
      on: <K extends keyof ChainEvents>(_: K, l: ChainEvents[K]): (() => void) => { this.#listeners.add(l as ChainEvents['head']); return () => {} }
    }
    const clock = new ManualClock(kitTime(kit, 100))
    const log = new RingLog(clock)
    const signatures = new TestSignatures()
    this.pool = new Mempool({ params: kit.params, clock, signatures, chain, blocks: { written: async () => true }, storage: new MemoryStorage(new MemoryDisk()), log, own: [me.key], publish: () => {} })
    const spending = this.spending = new Spending({ purse: new MemoryPurse(), account: me.key, params: kit.params, chain, pool: this.pool, inStep: () => true, clock, log })
    const wallet = new WalletDesk({ params: kit.params, chain, pool: this.pool, spending, key: { publicKey: me.key, sign: m => sign(me.seed, m) }, publish: async () => {} })
    this.desk = new SeedingDesk({
      params: kit.params, chain, pool: this.pool, wallet, account: me.key, ready: () => true, log,
      library: { receipts: () => this.receipts, settings: () => this.settings, fetching: () => this.fetching, onChange: l => { this.#changed = l; return () => {} } }
    })
  }

  async open (): Promise<this> {
    await this.pool.start()
    this.spending.start()
    this.desk.start()
    return this
  }

  get waiting (): SignedTransaction[] { return this.pool.pending(me.key) }

  signed (from: KeyPair, bytes: number, o: { readonly epoch?: number, readonly infoHash?: Uint8Array } = {}): void {
    const epoch = o.epoch ?? EPOCH
    const { infoHash, signature } = kit.receipt(from, me.key, epoch, bytes, o)
    this.receipts.push({ receipt: { chain: kit.genesis.hash, from: from.key, to: me.key, infoHash, epoch, bytes }, signature })
  }

  /** A block, with what the pool has. */
  async mine (o: MineOptions = {}): Promise<void> {
    const mined = kit.mine(this.tip, { miner: other, transactions: this.pool.select(this.tip), ...o })
    this.tip = mined.meta
    for (const l of this.#listeners) l({ head: this.tip, removed: [], added: [{ meta: mined.meta, body: mined.block.body, events: mined.events, checked: 'replayed' }] })
    await settle()
  }

  async mineTo (height: number): Promise<void> { while (this.tip.height < height) await this.mine() }
  async change (): Promise<void> { this.#changed(); await settle() }
}

/** Keys 2 and 3 have set something aside in EPOCH. */
async function funded (ann_ = 90_000n, cy_ = 1_500n): Promise<World> {
  const w = await new World().open()
  await w.mine({ transactions: [kit.setAside(start, ann, ann_), kit.setAside(start, cy, cy_)] })
  return w
}
const NEXT = start.height + kit.params.epochBlocks

describe('redeeming', () => {
  it('hands in what pays, once the epoch is over, and is paid once', async () => {
    const w = await funded()
    w.signed(ann, 40 * MIB)
    w.signed(cy, 9 * MIB)
    w.signed(ann, 20 * MIB, { infoHash: hash('another').subarray(0, 20) })
    // Of who has set nothing aside, of oneself, of another epoch.
    w.signed(other, 70 * MIB)
    w.signed(me, 70 * MIB)
    w.signed(ann, 70 * MIB, { epoch: EPOCH - 1 })
    expect(w.desk.view()).toMatchObject({ epoch: EPOCH, signed: 139 * MIB, payable: 0n, receipts: 0 })
    await w.mineTo(NEXT - 1)
    expect(w.waiting).toEqual([])
    expect(w.desk.view()).toMatchObject({ payable: 53_812n, receipts: 3, unpaid: 70 * MIB, sent: false })
    await w.mineTo(NEXT + 1)
    expect(w.waiting).toHaveLength(1)
    expect(w.desk.view().sent).toBe(true)
    await w.mine()
    expect(w.waiting).toEqual([])
    expect(w.desk.view()).toMatchObject({ payable: 0n, receipts: 0, counters: { leechers: 2, sets: 3 } })
    await w.mineTo(NEXT + 8)
    expect(w.waiting).toEqual([])
  })

  it('carries sixteen receipts a transaction', async () => {
    const w = await funded(900_000n)
    for (let i = 0; i < 20; i++) w.signed(ann, 8 * MIB, { infoHash: hash('set', Uint8Array.of(i)).subarray(0, 20) })
    await w.mineTo(NEXT + 1)
    expect(w.waiting.map(t => (t.transaction.action.value as { receipts: unknown[] }).receipts.length)).toEqual([16, 4])
    await w.mine()
    expect(w.desk.view().counters).toEqual({ bytes: 160 * MIB, leechers: 1, sets: 20 })
  })

  it('does not where the fee is as much as the pay, nor where the user does not want it', async () => {
    const w = await funded()
    w.signed(ann, MIB)
    await w.mineTo(NEXT + 4)
    expect(w.waiting).toEqual([])
    w.settings = { redeem: false, setAside: 0 }
    w.signed(cy, 30 * MIB)
    await w.mine()
    expect(w.waiting).toEqual([])
    w.settings = { redeem: true, setAside: 0 }
    await w.mine()
    expect(w.waiting).toHaveLength(1)
  })

  it('that is in no block before its epoch has passed leaves the pool, and holds up nothing', async () => {
    const w = await funded()
    w.signed(ann, 40 * MIB)
    while (w.tip.height < NEXT + kit.params.epochBlocks) {
      await w.mine({ transactions: [] })
      if (w.tip.height === NEXT + 4) expect(w.waiting).toHaveLength(1)
    }
    expect(w.waiting).toEqual([])
  })

  it('is given up where another redemption has emptied the pot', async () => {
    const w = await funded()
    w.signed(ann, 40 * MIB)
    await w.mineTo(NEXT + 1)
    expect(w.waiting).toHaveLength(1)
    await w.mine({ transactions: [kit.redeem(w.tip, cy, EPOCH, [kit.receipt(ann, cy.key, EPOCH, 900 * MIB)])] })
    expect(w.waiting).toEqual([])
    expect(w.desk.view()).toMatchObject({ payable: 0n, unpaid: 40 * MIB })
  })
})

describe('a redemption that another makes void', () => {
  const setOf = (i: number): Uint8Array => hash('set', Uint8Array.of(i)).subarray(0, 20)

  it('does not hold up what was sent behind it', async () => {
    const w = await funded(900_000n, 100_000n)
    // The first sixteen with one of cy, the others behind them.
    w.signed(cy, 50 * MIB)
    for (let i = 0; i < 20; i++) w.signed(ann, 8 * MIB, { infoHash: setOf(i) })
    await w.mineTo(NEXT + 1)
    expect(w.waiting).toHaveLength(2)
    await w.mine({ transactions: [kit.redeem(w.tip, other, EPOCH, [kit.receipt(cy, other.key, EPOCH, 900 * MIB)])] })
    await w.mineTo(NEXT + 7)
    expect(w.desk.view().counters).toEqual({ bytes: 160 * MIB, leechers: 1, sets: 20 })
    expect(w.waiting).toEqual([])
  })

  it('costs only its own payer\'s receipts from then on', async () => {
    const w = await funded(900_000n, 100_000n)
    await w.mine({ transactions: [kit.setAside(w.tip, other, 100_000n)] })
    for (let i = 0; i < 4; i++) w.signed(ann, 8 * MIB, { infoHash: setOf(i) })
    for (const k of [cy, other]) w.signed(k, 50 * MIB)
    await w.mineTo(NEXT + 1)
    const receipts = (): number[] => w.waiting.map(t => (t.transaction.action.value as { receipts: unknown[] }).receipts.length)
    expect(receipts()).toEqual([6])
    const empty = (pot: KeyPair, by: KeyPair): Promise<void> => w.mine({ transactions: [kit.redeem(w.tip, by, EPOCH, [kit.receipt(pot, by.key, EPOCH, 900 * MIB)])] })
    await empty(cy, other)
    expect(receipts()).toEqual([1, 4])
    await empty(other, ann)
    await w.mine()
    await w.mine()
    expect(w.desk.view().counters).toEqual({ bytes: 32 * MIB, leechers: 1, sets: 4 })
    expect(w.waiting).toEqual([])
  })
})

describe('setting aside', () => {
  it('once per epoch, while something is fetched, as much as the user says', async () => {
    const w = await new World().open()
    w.settings = { redeem: true, setAside: 50_000 }
    await w.mineTo(start.height + 3)
    expect(w.waiting).toEqual([])
    w.fetching = true
    await w.change()
    await w.change()
    expect(w.waiting.map(t => t.transaction.action)).toMatchObject([{ value: { grains: 50_000n } }])
    await w.mineTo(start.height + 9)
    expect(w.waiting).toEqual([])
    expect(w.desk.view().setAside).toBe(50_000n)
    await w.mineTo(NEXT + 4)
    expect(w.desk.view().setAside).toBe(100_000n)
    w.fetching = false
    await w.mineTo(NEXT + 2 * kit.params.epochBlocks + 4)
    expect(w.desk.view().setAside).toBe(0n)
  })

  it('not what is not there, nor less than the chain takes', async () => {
    const w = await new World().open()
    w.fetching = true
    for (const setAside of [0, Number(minFee) - 1, 1_000_000_000]) {
      w.settings = { redeem: true, setAside }
      await w.mine()
      expect(w.waiting).toEqual([])
    }
  })
})
