import { describe, expect, it } from 'vitest'
import { formatAddress } from '../../src/core/codec/address.ts'
import { toHex } from '../../src/core/codec/ssz.ts'
import { account, benchmarkJob } from '../../src/core/ledger/state.ts'
import { entriesOf, History, HISTORY_KEPT } from '../../src/node/history.ts'
import type { BlockRecord, ChainEvents } from '../../src/node/parts.ts'
import { heightKey } from '../../src/node/persist.ts'
import { blockView } from '../../src/node/views.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { ChainKit, keyPair, type Mined } from '../core/chainKit.ts'
import { rig } from './chainRig.ts'

const kit = new ChainKit()
const me = keyPair(1)
const stored = (account: Uint8Array, group: string, height: number): string => `of/${toHex(account)}/${group}/${heightKey(height)}`

function line (m: Mined, kind: string, who = me.key): { readonly reason: string, readonly amount: bigint, readonly maturesAt?: number } {
  const found = entriesOf({ meta: m.meta, body: m.block.body, events: m.events, checked: 'own' }, who).find((e) => e.kind === kind)
  if (found === undefined) throw new Error(`no ${kind}`)
  return found
}

describe('why did I earn this', () => {
  const grown = kit.grown()
  const h = grown.height + 1
  const other = formatAddress(keyPair(2).key)

  it('a block', () => {
    const m = kit.mine(grown)
    // The numbers that the block's own page gives.
    const { round, slice } = blockView({ meta: m.meta, body: m.block.body, events: m.events, checked: 'own' }, { miner: me.key, onMainChain: true })
    expect(round).toBe(0)
    expect(line(m, 'block-reward').reason).toBe(`Block ${h}: you trained slice ${slice} in round ${round} of digits benchmark, and it won the draw.`)
    expect(line(m, 'block-reward').maturesAt).toBe(h + kit.params.maturity)
  })

  it('payments and their fees', () => {
    const m = kit.mine(grown, { transactions: [kit.transfer(grown, keyPair(2), me.key, 5n), kit.transfer(grown, me, keyPair(2).key, 7n)] })
    expect(line(m, 'received')).toMatchObject({ amount: 5n, reason: `Block ${h}: sent to you by ${other}.` })
    expect(line(m, 'sent')).toMatchObject({ amount: -7n - kit.params.minFee, reason: `Block ${h}: you sent it to ${other}, fee 0.001 included.` })
    expect(line(m, 'fees')).toMatchObject({ amount: 2n * kit.params.minFee, reason: `Block ${h}: the fees of the 2 transactions in the block you found.` })
  })

  it('a sealed contribution, the share of it, and what a job costs and returns', () => {
    const posted = kit.mine(grown, { transactions: [kit.post(grown, keyPair(2), { escrow: 1_000n, price: 1_000n })], miner: keyPair(3) })
    expect(line(posted, 'job-posted', keyPair(2).key).reason).toBe(`Block ${h}: you posted the job digits benchmark: escrow for its contributions and its burned weight, fee 0.001 included.`)
    const sealed = kit.sealRound(grown, [me], benchmarkJob(grown.ledger))
    expect(line(sealed, 'contribution-subsidy').reason).toBe(`Block ${h}: a slice you trained in round 0 of digits benchmark was sealed; your share of the block's issuance for sealed work.`)
    const job = posted.meta.ledger.jobs[1]
    const cancelled = kit.mine(posted.meta, { transactions: [kit.cancel(posted.meta, keyPair(2), job.id)], miner: keyPair(3) })
    expect(line(cancelled, 'sent', keyPair(2).key).reason).toBe(`Block ${h + 1}: the fee for cancelling your job digits benchmark.`)
    expect(line(cancelled, 'job-refund', keyPair(2).key)).toMatchObject({ amount: 1_000n, reason: `Block ${h + 1}: what was left of the escrow of your job digits benchmark came back: you cancelled it.` })
  })

  it('adds up to the balance', () => {
    let tip = grown
    const chain: Mined[] = []
    for (let i = 0; i < 8; i++) {
      chain.push(kit.mine(tip, { miner: keyPair(3), transactions: i % 2 === 0 ? [kit.transfer(tip, me, keyPair(2).key, 11n)] : [kit.transfer(tip, keyPair(2), me.key, 4n)] }))
      tip = chain[i].meta
    }
    const sum = chain.flatMap((m) => entriesOf({ meta: m.meta, body: m.block.body, events: m.events, checked: 'own' }, me.key)).reduce((s, e) => s + e.amount, 0n)
    const ripened = grown.ledger.maturing.filter((m) => m.height <= tip.height && Buffer.from(m.account).equals(Buffer.from(me.key))).reduce((s, m) => s + m.amount, 0n)
    expect(account(grown.ledger, me.key).balance + ripened + sum).toBe(account(tip.ledger, me.key).balance)
  })
})

describe('history and the chain', () => {
  it('drops the lines of a lost branch, also those stored', async () => {
    const disk = new MemoryDisk()
    const r = rig({ kit })
    const history = new History({ storage: new MemoryStorage(disk), log: r.log, account: me.key, sinceMs: 0 })
    await history.start(r.chain)
    const common = kit.mine(kit.genesis)
    const lost = [kit.mine(common.meta), kit.mine(kit.mine(common.meta).meta)]
    const won = [kit.mine(common.meta, { miner: keyPair(2) })]
    for (let i = 1; i < 4; i++) won.push(kit.mine(won[i - 1].meta, { miner: keyPair(2) }))
    for (const m of [common, ...lost]) await r.chain.submitAs(m.block, { mode: 'full' })
    expect(history.list(10).map((e) => e.height)).toEqual([3, 2, 1])
    for (const m of won) await r.chain.submitAs(m.block, { mode: 'full' })
    expect(r.chain.head().height).toBe(5)
    expect(history.list(10).map((e) => e.height)).toEqual([1])
    await history.idle()
    expect(await new MemoryStorage(disk).keys('history')).toEqual([stored(me.key, 'earned', 1)])
  })

  it('forgets at a restart what it had stored of blocks that are not there', async () => {
    const disk = new MemoryDisk()
    const r = rig({ kit })
    const history = new History({ storage: new MemoryStorage(disk), log: r.log, account: me.key, sinceMs: 0 })
    await history.start(r.chain)
    const one = kit.mine(kit.genesis)
    for (const m of [one, kit.mine(one.meta)]) await r.chain.submit(m.block)
    await history.idle()
    const shorter = rig({ kit })
    await shorter.chain.submit(one.block)
    const again = new History({ storage: new MemoryStorage(disk), log: r.log, account: me.key, sinceMs: 0 })
    await again.start(shorter.chain)
    await again.idle()
    expect(await new MemoryStorage(disk).keys('history')).toEqual([stored(me.key, 'earned', 1)])
  })

  it('is the same after a restart, and heals what was not stored', async () => {
    const disk = new MemoryDisk()
    const r = rig({ kit })
    const history = new History({ storage: new MemoryStorage(disk), log: r.log, account: me.key, sinceMs: 0 })
    await history.start(r.chain)
    let tip = kit.genesis
    for (let i = 0; i < 9; i++) {
      if (i === 6) disk.fail('full')
      const m = kit.mine(tip, { miner: me })
      await r.chain.submit(m.block)
      tip = m.meta
      await history.idle()
    }
    disk.fail(undefined)
    const again = new History({ storage: new MemoryStorage(disk), log: r.log, account: me.key, sinceMs: 0 })
    await again.start(r.chain)
    expect(again.list(100)).toEqual(history.list(100))
    expect(again.list(2).map((e) => e.height)).toEqual([9, 8])
    await again.idle()
    const bare = new History({ storage: new MemoryStorage(disk), log: r.log, account: me.key, sinceMs: 0 })
    await bare.start({ head: () => r.chain.head(), at: () => undefined, on: () => () => {}, baseHeight: () => 9 })
    expect(bare.list(100)).toEqual(history.list(100))
  })
})

describe('history keeps apart', () => {
  const grown = kit.grown()
  const record = (m: Mined, height = m.meta.height): BlockRecord => ({ meta: { ...m.meta, height }, body: m.block.body, events: m.events, checked: 'own' })
  /** A chain that tells of these blocks, and keeps none of them. */
  const telling = (): { readonly chain: Parameters<History['start']>[0], readonly tell: (blocks: readonly BlockRecord[]) => void } => {
    let head = grown
    let onHead: ChainEvents['head'] = () => {}
    return {
      chain: { head: () => head, at: () => undefined, baseHeight: () => head.height, on: <K extends keyof ChainEvents>(_: K, l: ChainEvents[K]) => { onHead = l as ChainEvents['head']; return () => {} } },
      tell: (added) => { head = added[added.length - 1].meta; onHead({ head, removed: [], added }) }
    }
  }

  it('count of what was earned from the lines, which are fewer, and takes back what leaves with its block', async () => {
    const { chain, tell } = telling()
    const mined = kit.mine(grown)
    const each = mined.events.filter((e) => e.kind === 'block-reward').reduce((sum, e) => sum + e.amount, 0n)
    const { time } = mined.meta.header.template
    const history = new History({ storage: new MemoryStorage(new MemoryDisk()), log: rig({ kit }).log, account: me.key, sinceMs: time })
    await history.start(chain)
    const before = kit.mine(grown, { transactions: [kit.transfer(grown, keyPair(2), me.key, 5n)] })
    // Of before the page was opened, and of somebody else's block.
    tell([{ ...record(before), meta: { ...before.meta, header: { ...before.meta.header, template: { ...before.meta.header.template, time: time - 1 } } } }])
    expect(history.earned()).toBe(0n)
    const blocks = Array.from({ length: HISTORY_KEPT + 5 }, (_, i) => record(mined, grown.height + 2 + i))
    tell(blocks)
    expect(history.earned()).toBe(each * BigInt(HISTORY_KEPT + 5))
    tell([record(kit.mine(grown, { miner: keyPair(3) }), grown.height + 2 + HISTORY_KEPT)])
    expect(history.earned()).toBe(each * BigInt(HISTORY_KEPT))
  })

  it('what was received and spent from what was earned, however much that is, and after a restart', async () => {
    const disk = new MemoryDisk()
    const log = rig({ kit }).log
    const { chain, tell } = telling()
    const history = new History({ storage: new MemoryStorage(disk), log, account: me.key, sinceMs: 0 })
    await history.start(chain)
    const paid = record(kit.mine(grown, { miner: keyPair(3), transactions: [kit.transfer(grown, keyPair(2), me.key, 5n), kit.transfer(grown, me, keyPair(2).key, 7n)] }))
    const reward = kit.mine(grown)
    tell([paid])
    tell(Array.from({ length: HISTORY_KEPT + 5 }, (_, i) => record(reward, paid.meta.height + 1 + i)))
    const kinds = (h: History): string[][] => [h.list(9, 'spent').map((e) => e.kind), h.list(9, 'received').map((e) => e.kind)]
    expect(history.list(HISTORY_KEPT).some((e) => e.kind === 'sent')).toBe(false)
    expect(kinds(history)).toEqual([['sent'], ['received']])
    expect(history.list(HISTORY_KEPT * 2, 'earned')).toHaveLength(HISTORY_KEPT)
    await history.idle()
    const again = new History({ storage: new MemoryStorage(disk), log, account: me.key, sinceMs: 0 })
    await again.start(chain)
    expect(kinds(again)).toEqual([['sent'], ['received']])
    expect(again.list(HISTORY_KEPT * 4)).toEqual(history.list(HISTORY_KEPT * 4))
  })

  it('the lines of one key from those of another that was imported, and has them again if it comes back', async () => {
    const disk = new MemoryDisk()
    const log = rig({ kit }).log
    const { chain, tell } = telling()
    const storage = new MemoryStorage(disk)
    // As they were stored when they did not say whose they are.
    await storage.commit([{ op: 'put', store: 'history', key: heightKey(1), value: Uint8Array.of(1) }])
    const old = new History({ storage, log, account: me.key, sinceMs: 0 })
    await old.start(chain)
    tell([record(kit.mine(grown))])
    await old.idle()
    expect(old.list(9)).toHaveLength(1)
    const imported = new History({ storage: new MemoryStorage(disk), log, account: keyPair(2).key, sinceMs: 0 })
    await imported.start(chain)
    expect(imported.list(9)).toEqual([])
    const back = new History({ storage: new MemoryStorage(disk), log, account: me.key, sinceMs: 0 })
    await back.start(chain)
    expect(back.list(9)).toEqual(old.list(9))
    expect(await storage.keys('history')).toEqual([stored(me.key, 'earned', grown.height + 1)])
  })
})
