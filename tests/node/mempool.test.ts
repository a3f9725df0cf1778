import { describe, expect, it } from 'vitest'
import { SignedTransaction } from '../../src/core/codec/wire.ts'
import type { BlockMeta } from '../../src/core/consensus/chain.ts'
import { MIN_DEADLINE_BLOCKS, openBlock } from '../../src/core/ledger/apply.ts'
import { toHex } from '../../src/core/codec/ssz.ts'
import { transactionId } from '../../src/core/crypto/ids.ts'
import { account } from '../../src/core/ledger/state.ts'
import { MAX_ACTIVE_JOBS, MAX_TRANSACTIONS_PER_BLOCK } from '../../src/core/params.ts'
import { RingLog } from '../../src/node/log.ts'
import { LOOKS_AT_ONCE, Mempool, POOL_LIMITS, type PoolLimits, REBROADCAST_MS } from '../../src/node/mempool.ts'
import type { BlockRecord, ChainEvents } from '../../src/node/parts.ts'
import type { Signatures } from '../../src/ports/signatures.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { ChainKit, EASY, keyPair, type Mined } from '../core/chainKit.ts'
import { gatedStorage, kitTime, ManualClock, TestSignatures } from './chainRig.ts'

const kit = new ChainKit()
/** Keys 1 to 3 can spend here. */
const grown = kit.grown()
const fee = kit.params.minFee

/** A chain that is wherever the test says. */
class StubChain {
  tip: BlockMeta
  side: readonly BlockRecord[] = []
  #listener: ChainEvents['head'] = () => {}
  constructor (tip: BlockMeta) { this.tip = tip }
  head (): BlockMeta { return this.tip }
  offMain (): BlockRecord[] { return [...this.side] }
  on<K extends keyof ChainEvents> (_: K, listener: ChainEvents[K]): () => void {
    this.#listener = listener
    return () => {}
  }

  move (to: BlockMeta, removed: readonly Mined[], added: readonly Mined[]): void {
    this.tip = to
    this.#listener({ head: to, removed: removed.map(record), added: added.map(record) })
  }
}

const record = (m: Mined): BlockRecord => ({ meta: m.meta, body: m.block.body, events: m.events, checked: 'replayed' })

interface Pool { readonly pool: Mempool, readonly chain: StubChain, /** Whether the blocks so far are on disk, and when that is known. */ blocksWritten: Promise<boolean>, readonly clock: ManualClock, readonly published: SignedTransaction[], readonly disk: MemoryDisk, readonly log: RingLog }

function make (o: { readonly limits?: PoolLimits, readonly disk?: MemoryDisk, readonly storage?: MemoryStorage, readonly own?: Uint8Array[], readonly kit?: ChainKit, readonly signatures?: Signatures, readonly clock?: ManualClock } = {}): Pool {
  const clock = o.clock ?? new ManualClock(kitTime(kit, 100))
  const chain = new StubChain(grown)
  const disk = o.disk ?? new MemoryDisk()
  const log = new RingLog(clock)
  const published: SignedTransaction[] = []
  const blocks = { written: async (): Promise<boolean> => await made.blocksWritten }
  const pool = new Mempool({ params: (o.kit ?? kit).params, clock, signatures: o.signatures ?? new TestSignatures(), chain, blocks, storage: o.storage ?? new MemoryStorage(disk), log, own: o.own ?? [], publish: (t) => { published.push(t) }, limits: o.limits })
  const made: Pool = { pool, chain, clock, published, disk, log, blocksWritten: Promise.resolve(true) }
  return made
}

/** Everything that needs no clock has its turn. */
const turns = async (): Promise<void> => { for (let i = 0; i < 50; i++) await Promise.resolve() }

const pay = (from: number, o: { readonly fee?: bigint, readonly nonce?: number, readonly amount?: bigint } = {}): SignedTransaction =>
  kit.transfer(grown, keyPair(from), keyPair(9).key, o.amount ?? 1n, o)

describe('what the pool takes', () => {
  const rows: ReadonlyArray<readonly [string, () => SignedTransaction, string | undefined]> = [
    ['a payment', () => pay(1), undefined],
    ['the next nonce after a gap, if it could pay alone', () => pay(1, { nonce: 2 }), undefined],
    ['too low a fee', () => pay(1, { fee: fee - 1n }), 'transaction-fee'],
    ['more than there is', () => pay(1, { amount: 10n ** 15n }), 'transaction-balance'],
    ['an account with nothing', () => pay(42), 'transaction-balance'],
    ['a nonce far ahead', () => pay(1, { nonce: POOL_LIMITS.perSender }), 'transaction-nonce-gap'],
    ['nothing to nobody', () => pay(1, { amount: 0n }), 'transfer-amount'],
    ['another network', () => kit.signTransaction({ ...pay(1).transaction, chain: new Uint8Array(32) }, keyPair(1)), 'transaction-chain'],
    ['a forged signature', () => ({ ...pay(1), signature: pay(2).signature }), 'transaction-signature'],
    ['a job whose spec breaks a rule', () => kit.post(grown, keyPair(1), { spec: new Uint8Array(7) }), 'post-spec-encoding'],
    ['a job', () => kit.post(grown, keyPair(1)), undefined]
  ]
  it.each(rows)('%s', async (_, tx, reason) => {
    const { pool } = make()
    expect((await pool.add(tx()))?.reason).toBe(reason)
    expect(pool.size).toBe(reason === undefined ? 1 : 0)
  })

  it('refuses a nonce the chain has used', async () => {
    const { pool, chain } = make()
    const mined = kit.mine(grown, { transactions: [pay(1)] })
    chain.tip = mined.meta
    expect(await pool.add(pay(1, { amount: 2n }))).toMatchObject({ verdict: 'stale', reason: 'transaction-nonce-reused' })
  })

  it('sees what earlier waiting transactions leave of the balance', async () => {
    const { pool } = make()
    const { balance } = account(openBlock(kit.params, grown.ledger, grown.height + 1).ledger, keyPair(1).key)
    expect(await pool.add(pay(1, { amount: balance - 3n * fee }))).toBeUndefined()
    expect((await pool.add(pay(1, { nonce: 1, amount: 3n * fee })))?.reason).toBe('transaction-balance')
    expect(await pool.add(pay(1, { nonce: 1, amount: fee }))).toBeUndefined()
  })

  it('replaces a waiting one for a tenth more in fee, not for less', async () => {
    const { pool } = make()
    await pool.add(pay(1, { fee: 10_000n }))
    expect((await pool.add(pay(1, { fee: 10_999n, amount: 2n })))?.reason).toBe('transaction-fee')
    const better = pay(1, { fee: 11_000n, amount: 2n })
    expect(await pool.add(better)).toBeUndefined()
    expect(pool.pending(keyPair(1).key)).toEqual([better])
    expect(pool.size).toBe(1)
  })
})

describe('bounds', () => {
  it('lets go of the lowest fee when full, the sender\'s last one first, and refuses what pays less', async () => {
    const { pool } = make({ limits: { ...POOL_LIMITS, count: 3 } })
    await pool.add(pay(1, { fee: 2_000n }))
    await pool.add(pay(1, { fee: 9_000n, nonce: 1 }))
    await pool.add(pay(2, { fee: 5_000n }))
    expect((await pool.add(pay(3, { fee: 2_000n })))?.reason).toBe('transaction-fee')
    expect(await pool.add(pay(3, { fee: 3_000n }))).toBeUndefined()
    expect(pool.size).toBe(3)
    expect(pool.pending(keyPair(1).key).map((t) => t.transaction.nonce)).toEqual([0])
  })

  it('of one neighbour looks only so often for room in a full pool; what offers too little costs no look', async () => {
    const { pool, clock } = make({ limits: { ...POOL_LIMITS, count: 3 } })
    for (const nonce of [0, 1, 2]) await pool.add(pay(1, { fee: 2_000n, nonce }))
    const low = async (via: string, n: number): Promise<string | undefined> => (await pool.add(pay(3, { fee: 1_900n + BigInt(n % 100) }), via))?.detail
    // Behind a gap, whatever it offers: which of all that wait are, is to be found out.
    const behind = async (via: string, n: number): Promise<string | undefined> => (await pool.add(pay(2, { fee: 9_000n + BigInt(n), nonce: 3 }), via))?.detail
    for (let n = 0; n < 3 * LOOKS_AT_ONCE; n++) expect(await low('x', n)).toBe(`the pool is full and fee ${1_900 + n % 100} is not above its lowest`)
    for (let n = 1; n < LOOKS_AT_ONCE; n++) expect(await behind('x', n)).toContain('is not above its lowest')
    for (let n = 0; n < 9; n++) expect(await behind('x', n)).toContain('too much that would take a place in it came of this neighbour')
    expect(await low('x', 0)).toContain('is not above its lowest')
    // Another is not held up by him, nor he himself for long.
    expect(await behind('y', 0)).toContain('is not above its lowest')
    await clock.advance(1_000)
    expect(await pool.add(pay(2, { fee: 9_000n }), 'x')).toBeUndefined()
  })

  it('has a place for what offers little where something waits that no block could have, whenever that came', async () => {
    const gap = pay(2, { fee: 9_000n, nonce: 3 })
    const two = async (pool: Mempool): Promise<void> => { for (const nonce of [0, 1]) await pool.add(pay(1, { fee: 2_000n, nonce })) }
    const late = make({ limits: { ...POOL_LIMITS, count: 3 } })
    await two(late.pool)
    const third = pay(1, { fee: 2_000n, nonce: 2 })
    await late.pool.add(third)
    expect((await late.pool.add(pay(3, { fee: 1_900n })))?.reason).toBe('transaction-fee')
    late.pool.withdraw([toHex(transactionId(third.transaction))])
    expect(await late.pool.add(gap)).toBeUndefined()
    expect(await late.pool.add(pay(3, { fee: 1_900n }))).toBeUndefined()
    const early = make({ limits: { ...POOL_LIMITS, count: 3 } })
    await two(early.pool)
    await early.pool.add(gap)
    expect((await early.pool.add(pay(2, { fee: 8_000n, nonce: 5 })))?.reason).toBe('transaction-fee')
    expect(await early.pool.add(pay(3, { fee: 1_900n }))).toBeUndefined()
  })

  it('looks at the signature of every copy: a known id does not make a forged one pass', async () => {
    const { pool } = make()
    const tx = pay(1)
    expect(await pool.add(tx)).toBeUndefined()
    expect(await pool.add(tx)).toBeUndefined()
    expect(await pool.add({ ...tx, signature: tx.signature.map(b => b ^ 1) })).toMatchObject({ verdict: 'invalid', reason: 'transaction-signature' })
    expect(pool.pending(keyPair(1).key)).toEqual([tx])
  })

  it('counts bytes', async () => {
    const one = make()
    await one.pool.add(pay(1))
    const { pool } = make({ limits: { ...POOL_LIMITS, bytes: one.pool.bytes * 2 } })
    await pool.add(pay(1))
    await pool.add(pay(2))
    expect((await pool.add(pay(3)))?.reason).toBe('transaction-fee')
    expect(pool.bytes).toBe(one.pool.bytes * 2)
  })

  it('one that is refused has driven nobody out', async () => {
    const cheaper = pay(1, { fee: fee + 1n })
    const dearer = pay(2, { fee: 9n * fee })
    const one = make()
    for (const t of [cheaper, dearer]) expect(await one.pool.add(t)).toBeUndefined()
    const signatures = new TestSignatures()
    const p = make({ limits: { ...POOL_LIMITS, bytes: one.pool.bytes }, signatures })
    for (const t of [cheaper, dearer]) expect(await p.pool.add(t)).toBeUndefined()
    const { checked } = signatures
    // So large that both would have to go, and it pays more than one of them.
    expect((await p.pool.add(kit.post(grown, keyPair(3), { fee: 2n * fee })))?.reason).toBe('transaction-fee')
    expect([p.pool.size, p.pool.bytes, signatures.checked]).toEqual([2, one.pool.bytes, checked])
    // Nor by one whose signature is wrong, for which there would be room.
    const forged = { ...kit.post(grown, keyPair(3), { fee: 20n * fee }), signature: new Uint8Array(64) }
    expect((await p.pool.add(forged))?.reason).toBe('transaction-signature')
    expect([p.pool.size, p.pool.bytes]).toEqual([2, one.pool.bytes])
  })

  it('never evicts own ones for a stranger\'s', async () => {
    const { pool } = make({ limits: { ...POOL_LIMITS, count: 1 }, own: [keyPair(1).key] })
    await pool.add(pay(1))
    expect((await pool.add(pay(2, { fee: 10n ** 6n })))?.reason).toBe('transaction-fee')
    expect(pool.pending(keyPair(1).key)).toHaveLength(1)
  })

  it('forgets what nobody mined for hours', async () => {
    const { pool, chain, clock } = make()
    await pool.start()
    await pool.add(pay(1))
    await clock.advance(POOL_LIMITS.ageMs + 1)
    const next = kit.mine(grown)
    chain.move(next.meta, [], [next])
    expect(pool.size).toBe(0)
  })
})

describe('what a block gets', () => {
  it('best fee first, each sender in the order of its nonces', async () => {
    const { pool } = make()
    await pool.add(pay(1, { fee: 2_000n }))
    await pool.add(pay(1, { fee: 50_000n, nonce: 1 }))
    await pool.add(pay(2, { fee: 7_000n }))
    await pool.add(pay(3, { fee: 1_000n }))
    await pool.add(pay(3, { fee: 1_000n, nonce: 2 }))
    const chosen = pool.select(grown)
    expect(chosen.map((t) => t.transaction.fee)).toEqual([7_000n, 2_000n, 50_000n, 1_000n])
    kit.mine(grown, { transactions: chosen })
  })
})

describe('as the chain moves', () => {
  it('drops what a block has, and what it has made impossible', async () => {
    const { pool, chain } = make()
    await pool.start()
    const mine = pay(1)
    await pool.add(mine)
    const other = kit.post(grown, keyPair(2), { escrow: 70_000_000n })
    const poor = pay(2, { nonce: 1, amount: 10n })
    await pool.add(pay(2, { amount: 5n }))
    await pool.add(poor)
    expect(await pool.add(pay(2, { nonce: 2, amount: 74_000_000n }))).toBeUndefined()
    const block = kit.mine(grown, { transactions: [mine, other] })
    chain.move(block.meta, [], [block])
    expect(pool.pending(keyPair(1).key)).toEqual([])
    expect(pool.pending(keyPair(2).key)).toEqual([poor])
  })

  it('takes back what a lost block had, unless the new chain has it', async () => {
    const { pool, chain } = make()
    await pool.start()
    const [a, b] = [pay(1), pay(2)]
    const lost = kit.mine(grown, { transactions: [a, b] })
    chain.move(lost.meta, [], [lost])
    const won = [kit.mine(grown, { transactions: [b], miner: keyPair(2) })]
    chain.move(won[0].meta, [lost], won)
    expect(pool.pending(keyPair(1).key)).toEqual([a])
    expect(pool.pending(keyPair(2).key)).toEqual([])
  })
})

describe('what others make void', () => {
  // It would wait for ever, and everything behind it too.
  it('a cancellation of a job that has ended meanwhile leaves the pool', async () => {
    const { pool, chain } = make({ own: [keyPair(1).key] })
    await pool.start()
    const posted = kit.mine(grown, { transactions: [kit.post(grown, keyPair(1), { deadline: grown.height + 8 })] })
    chain.move(posted.meta, [], [posted])
    expect(await pool.add(kit.cancel(posted.meta, keyPair(1), posted.meta.ledger.jobs[1].id))).toBeUndefined()
    expect(await pool.add(kit.transfer(posted.meta, keyPair(1), keyPair(9).key, 5n, { nonce: 2 }))).toBeUndefined()
    const before = kit.extend(posted.meta, 6, [keyPair(2)])
    const ended = kit.mine(before, { miner: keyPair(2) })
    chain.move(ended.meta, [], [ended])
    expect(ended.meta.ledger.jobs[1].status).toBe('expired')
    expect(pool.pending(keyPair(1).key).map(t => t.transaction.nonce)).toEqual([2])
  })
})

describe('a posting that others keep out of the table', () => {
  const me = keyPair(1)
  const deadline = grown.height + 30
  const full = kit.mine(grown, { miner: keyPair(3), transactions: Array.from({ length: MAX_ACTIVE_JOBS }, (_, nonce) => kit.post(grown, keyPair(2), { nonce })) })

  it('leaves the pool, its owner is told, and what he sends goes into the next block', async () => {
    const { pool, chain, log } = make({ own: [me.key] })
    await pool.start()
    expect(await pool.add(kit.post(grown, me, { deadline }))).toBeUndefined()
    chain.move(full.meta, [], [full])
    expect(pool.pending(me.key)).toEqual([])
    expect(log.entries(1)[0]).toMatchObject({ level: 'warn', text: expect.stringContaining('post-table-full') })
    expect(await pool.add(pay(1))).toBeUndefined()
    expect(pool.select(full.meta).map(t => t.transaction.nonce)).toEqual([0])
  })

  it('nor does one stay that no miner took until its deadline was near; what was sent after it goes on behind the next', async () => {
    const { pool, chain, log } = make({ own: [me.key] })
    await pool.start()
    expect(await pool.add(kit.post(grown, me, { deadline }))).toBeUndefined()
    expect(await pool.add(pay(1, { nonce: 1 }))).toBeUndefined()
    const late = kit.mine(kit.extend(grown, deadline - MIN_DEADLINE_BLOCKS - grown.height - 1, [keyPair(3)]), { miner: keyPair(3) })
    chain.move(late.meta, [], [late])
    expect(log.entries(1)[0].text).toMatch(/post-deadline.*; 1 sent after it/)
    expect(pool.select(late.meta)).toEqual([])
    expect(await pool.add(pay(1, { amount: 2n }))).toBeUndefined()
    expect(pool.select(late.meta).map(t => t.transaction.nonce)).toEqual([0, 1])
  })
})

describe('fees that nobody is asked for', () => {
  const rich = new ChainKit({ ...EASY, name: 'pots', maturity: 2, epochBlocks: 12 })
  const ended = rich.endOfEpoch(rich.grown(18, 5))
  const EPOCH = (ended.height + 1) / rich.params.epochBlocks
  /** Key 4's pot, which pays one receipt, and a block of its epoch's successor on top. */
  const potted = rich.endOfEpoch(rich.mine(ended, { transactions: [rich.setAside(ended, keyPair(4), rich.params.minFee)] }).meta)
  const claim = (to: number, fee: bigint): SignedTransaction => rich.redeem(potted, keyPair(to), EPOCH, [rich.receipt(keyPair(4), keyPair(to).key, EPOCH, 8 * 1024 * 1024)], { fee })
  const onPots = (count: number): Pool => {
    const p = make({ limits: { ...POOL_LIMITS, count }, kit: rich })
    p.chain.tip = potted
    return p
  }
  const modest = (): SignedTransaction => rich.transfer(potted, keyPair(5), keyPair(9).key, 1n, { fee: rich.params.minFee })

  it('redemptions of one pot, of which one can be paid, keep nobody out', async () => {
    const { pool } = onPots(3)
    for (const to of [1, 2, 3]) expect(await pool.add(claim(to, 100_000n * BigInt(to)))).toBeUndefined()
    expect(await pool.add(modest())).toBeUndefined()
    // The one that a block would have stays.
    expect([1, 2, 3].map(k => pool.pending(keyPair(k).key).length)).toEqual([0, 1, 1])
    expect(await pool.add(claim(1, 150_000n))).toMatchObject({ verdict: 'stale', reason: 'transaction-fee' })
    expect(pool.select(potted).map(t => t.transaction.fee)).toEqual([300_000n, rich.params.minFee])
  })

  it('nor do those behind a gap', async () => {
    const { pool } = make({ limits: { ...POOL_LIMITS, count: 4 } })
    for (const nonce of [1, 2, 3]) expect(await pool.add(pay(1, { nonce, fee: 1_000_000n }))).toBeUndefined()
    expect(await pool.add(pay(2, { nonce: 1, fee: 2_000_000n }))).toBeUndefined()
    expect(await pool.add(pay(3))).toBeUndefined()
    expect((await pool.add(pay(2, { nonce: 2, fee: 900_000n })))?.reason).toBe('transaction-fee')
    expect(pool.pending(keyPair(1).key).map(t => t.transaction.nonce)).toEqual([1, 2])
    expect(pool.pending(keyPair(3).key)).toHaveLength(1)
  })

  it('those that a filled gap leaves without money go', async () => {
    const { pool } = make()
    const now = account(grown.ledger, keyPair(1).key).balance
    const { balance } = account(openBlock(kit.params, grown.ledger, grown.height + 1).ledger, keyPair(1).key)
    for (const nonce of [1, 2]) expect(await pool.add(pay(1, { nonce, amount: now - fee }))).toBeUndefined()
    expect(await pool.add(pay(1, { amount: balance - fee }))).toBeUndefined()
    expect(pool.pending(keyPair(1).key).map(t => t.transaction.nonce)).toEqual([0, 2])
  })

  it('a block has what pays less than any number that come to nothing', async () => {
    // So many signatures would take seconds.
    const signatures = { verify: async (items: readonly unknown[]) => items.map(() => true) }
    const { pool, chain } = make({ limits: { ...POOL_LIMITS, perSender: 1024 }, kit: rich, signatures })
    chain.tip = potted
    const high = 2n * rich.params.minFee
    const { transaction, signature } = rich.transfer(potted, keyPair(1), keyPair(9).key, 1n, { fee: high })
    for (let nonce = 2 * MAX_TRANSACTIONS_PER_BLOCK; nonce > 0; nonce--) expect(await pool.add({ transaction: { ...transaction, nonce }, signature })).toBeUndefined()
    for (const to of [1, 2]) expect(await pool.add(claim(to, BigInt(to) * high))).toBeUndefined()
    const low = modest()
    expect(await pool.add(low)).toBeUndefined()
    expect(pool.select(potted).map(t => t.transaction.fee)).toEqual([2n * high, low.transaction.fee])
  })
})

describe('own transactions', () => {
  it('survive a restart, are sent again until mined, and are then forgotten', async () => {
    const own = [keyPair(1).key]
    const first = make({ own })
    await first.pool.add(pay(1))
    await first.pool.add(pay(2))
    await first.pool.idle()
    const second = make({ own, disk: first.disk })
    await second.pool.start()
    expect(second.pool.size).toBe(1)
    await second.clock.advance(2 * REBROADCAST_MS)
    expect(second.published).toEqual([pay(1), pay(1)])
    const block = kit.mine(grown, { transactions: [pay(1)] })
    second.chain.move(block.meta, [], [block])
    await second.pool.idle()
    const third = make({ own, disk: first.disk })
    await third.pool.start()
    expect(third.pool.size).toBe(0)
  })

  it('are on disk before they count as taken', async () => {
    const { storage, release } = gatedStorage()
    const { pool, disk } = make({ own: [keyPair(1).key], storage })
    let taken = false
    const adding = pool.add(pay(1)).then(() => { taken = true })
    await turns()
    expect(pool.size).toBe(1)
    expect(taken).toBe(false)
    release()
    await adding
    expect(taken).toBe(true)
    expect(disk.table('pool').keys).toEqual([])
    expect(await storage.keys('pool')).toHaveLength(1)
  })

  it('wait since they were taken, also after a restart, and one that was stored without that is read all the same', async () => {
    const own = [keyPair(1).key]
    const clock = new ManualClock(1_000)
    const first = make({ own, clock })
    await first.pool.start()
    await first.pool.add(pay(1))
    await clock.advance(60_000)
    const again = make({ own, clock, disk: first.disk })
    await again.pool.start()
    expect(again.pool.waiting(keyPair(1).key)).toEqual([{ signed: pay(1), sinceMs: 1_000 }])
    const storage = new MemoryStorage(new MemoryDisk())
    await storage.commit([{ op: 'put', store: 'pool', key: '00', value: SignedTransaction.serialize(pay(1)) }])
    const old = make({ own, clock, storage })
    await old.pool.start()
    expect(old.pool.waiting(keyPair(1).key)).toEqual([{ signed: pay(1), sinceMs: 61_000 }])
  })

  it('stay on disk until the block that has them is there', async () => {
    const p = make({ own: [keyPair(1).key] })
    await p.pool.start()
    await p.pool.add(pay(1))
    let written = (_: boolean): void => {}
    p.blocksWritten = new Promise(resolve => { written = resolve })
    const block = kit.mine(grown, { transactions: [pay(1)] })
    p.chain.move(block.meta, [], [block])
    await turns()
    expect(p.pool.size).toBe(0)
    expect(p.disk.table('pool').keys).toHaveLength(1)
    written(true)
    await p.pool.idle()
    expect(p.disk.table('pool').keys).toEqual([])
  })

  it('wait again after a restart if their block is in a side branch', async () => {
    const own = [keyPair(1).key]
    const block = kit.mine(grown, { transactions: [pay(1), pay(2)] })
    const p = make({ own })
    p.chain.side = [record(block)]
    await p.pool.start()
    expect(p.pool.pending(keyPair(1).key)).toEqual([pay(1)])
    expect(p.pool.size).toBe(1)
    // One that the main chain has as well does not.
    const mined = make({ own })
    mined.chain.tip = block.meta
    mined.chain.side = [record(block)]
    await mined.pool.start()
    expect(mined.pool.size).toBe(0)
  })

  it('of a block that leaves the chain wait again, even if their credit has left with it', async () => {
    const { pool, chain } = make({ own: [keyPair(1).key] })
    await pool.start()
    const mined = kit.mine(grown, { transactions: [pay(1), pay(2)] })
    chain.move(mined.meta, [], [mined])
    chain.move(kit.genesis, [mined], [])
    expect(pool.pending(keyPair(1).key)).toEqual([pay(1)])
    expect(pool.size).toBe(1)
    const again = kit.mine(grown)
    chain.move(again.meta, [], [again])
    expect(pool.select(again.meta)).toEqual([pay(1)])
  })

  it('survive a restart on a chain that does not have their credit yet', async () => {
    const own = [keyPair(1).key]
    const first = make({ own })
    await first.pool.add(pay(1))
    const second = make({ own, disk: first.disk })
    second.chain.tip = kit.genesis
    await second.pool.start()
    expect(second.pool.pending(keyPair(1).key)).toEqual([pay(1)])
    const third = make({ own, disk: first.disk })
    await third.pool.start()
    expect(third.pool.select(grown)).toEqual([pay(1)])
  })

  it('are kept in memory when the disk is full', async () => {
    const { pool, disk } = make({ own: [keyPair(1).key] })
    disk.fail('full')
    expect(await pool.add(pay(1))).toBeUndefined()
    await pool.idle()
    expect(pool.size).toBe(1)
  })
})
