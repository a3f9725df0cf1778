/** Tabs of one profile and their wallet, each on a chain that is wherever the test says. */
import { formatAddress } from '../../src/core/codec/address.ts'
import type { SignedTransaction } from '../../src/core/codec/wire.ts'
import type { BlockMeta } from '../../src/core/consensus/chain.ts'
import { sign } from '../../src/core/crypto/keys.ts'
import { account } from '../../src/core/ledger/state.ts'
import { RingLog } from '../../src/node/log.ts'
import { Mempool } from '../../src/node/mempool.ts'
import type { BlockRecord, ChainEvents } from '../../src/node/parts.ts'
import { LOOK_MS, Spending } from '../../src/node/spending.ts'
import { WalletDesk } from '../../src/node/walletDesk.ts'
import type { Purse } from '../../src/ports/purse.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { type MemoryProfile, MemoryPurse } from '../../src/storage/memoryPurse.ts'
import { ChainKit, keyPair, type Mined, type MineOptions } from '../core/chainKit.ts'
import { kitTime, ManualClock, settle, TestSignatures } from './chainRig.ts'

export const owner = keyPair(1)
export const kit = new ChainKit()
export const start = kit.grown(30)
export const [ann, bob] = [8, 9].map(n => formatAddress(keyPair(n).key))
export const { minFee, maturity } = kit.params

const record = (m: Mined): BlockRecord => ({ meta: m.meta, body: m.block.body, events: m.events, checked: 'replayed' })

export interface TabOptions {
  readonly disk?: MemoryDisk
  /** Where its chain ends; the blocks up to it are not here, but for these. */
  readonly tip?: BlockMeta
  readonly blocks?: readonly Mined[]
  readonly purse?: Purse
  readonly inStep?: boolean
}

export class Tab {
  tip: BlockMeta
  inStep: boolean
  foreign = 0
  /** Its network takes nothing. */
  unheard = false
  readonly clock = new ManualClock(kitTime(kit, 100))
  readonly log: RingLog
  readonly pool: Mempool
  readonly spending: Spending
  readonly wallet: WalletDesk
  /** Told to the world, which hears nothing in these tests unless it is handed on. */
  readonly published: SignedTransaction[] = []
  readonly #blocks = new Map<number, BlockRecord>()
  readonly #listeners = new Set<ChainEvents['head']>()

  private constructor (profile: MemoryProfile, { disk = new MemoryDisk(), tip = start, blocks = [], purse = new MemoryPurse(profile), inStep = true }: TabOptions) {
    this.tip = tip
    this.inStep = inStep
    for (const m of blocks) this.#blocks.set(m.meta.height, record(m))
    const clock = this.clock
    const log = this.log = new RingLog(clock)
    const chain = {
      head: (): BlockMeta => this.tip,
      at: (height: number): BlockRecord | undefined => this.#blocks.get(height),
      offMain: (): BlockRecord[] => [],
      on: <K extends keyof ChainEvents>(_: K, l: ChainEvents[K]): (() => void) => { this.#listeners.add(l); return () => { this.#listeners.delete(l) } }
    }
    const pool = this.pool = new Mempool({ params: kit.params, clock, signatures: new TestSignatures(), chain, blocks: { written: async () => true }, storage: new MemoryStorage(disk), log, own: [owner.key], publish: () => {} })
    const spending = this.spending = new Spending({ purse, account: owner.key, params: kit.params, chain, pool, inStep: () => this.inStep, clock, log, onForeign: () => { this.foreign++ } })
    this.wallet = new WalletDesk({ params: kit.params, chain, pool, spending, key: { publicKey: owner.key, sign: m => sign(owner.seed, m) }, publish: async t => { if (this.unheard) throw new Error('no network'); this.published.push(t) } })
  }

  static async open (profile: MemoryProfile, o: TabOptions = {}): Promise<Tab> {
    const tab = new Tab(profile, o)
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

export const mine = (on: BlockMeta, transactions: readonly SignedTransaction[], o: MineOptions = {}): Mined => kit.mine(on, { miner: keyPair(2), transactions: [...transactions], ...o })

/** Empty blocks. */
export function emptyOnes (on: BlockMeta, count: number): Mined[] {
  const blocks: Mined[] = []
  for (let tip = on; blocks.length < count; tip = blocks[blocks.length - 1].meta) blocks.push(mine(tip, []))
  return blocks
}

/** Another device with this wallet signs it. */
export const elsewhere = (nonce: number, amount: bigint, to = keyPair(7).key): SignedTransaction => kit.transfer(start, owner, to, amount, { nonce })
export const paidTo = (tip: BlockMeta, key = keyPair(8).key): bigint => account(tip.ledger, key).balance
