/**
 * Pay for seeding: what a receipt takes and who gets it, when; and the game, in which an owner of many
 * keys signs whatever he likes for himself, mines his own redemptions, and is never better off for it.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toHex } from '../../../src/core/codec/ssz.ts'
import type { RedeemedReceipt, SignedTransaction } from '../../../src/core/codec/wire.ts'
import type { BlockMeta } from '../../../src/core/consensus/chain.ts'
import { checkTransaction, tryTransactions } from '../../../src/core/consensus/transaction.ts'
import { hash, u32le } from '../../../src/core/crypto/hash.ts'
import { claimOf, epochAt } from '../../../src/core/ledger/seeding.ts'
import { account, decodeLedger, encodeLedger, isConserved, type LedgerState } from '../../../src/core/ledger/state.ts'
import { COUNTER_HALVING_EPOCHS, REDEEM_BYTES_LEAST, SEED_PRICE_PER_MIB } from '../../../src/core/params.ts'
import { ChainKit, EASY, keyPair, type KeyPair, type Mined } from '../chainKit.ts'

const MIB = 1024 * 1024
const kit = new ChainKit({ ...EASY, name: 'seeding', maturity: 2, epochBlocks: 8 })
const { epochBlocks, minFee } = kit.params
const [ann, bob, cy, dan] = [1, 2, 3, 4].map(keyPair)
const start = kit.extend(kit.endOfEpoch(kit.grown(16, 4)), 1)
const epoch = epochAt(start.height, epochBlocks)
const torrent = (n: number): Uint8Array => hash('test-torrent', u32le(n)).subarray(0, 20)

/** `pots` are set aside in the epoch that begins with `start`; the tip is the first block of the next. */
function funded (...pots: ReadonlyArray<readonly [KeyPair, bigint]>): BlockMeta {
  const on = kit.mine(start, { miner: dan, transactions: pots.map(([who, grains]) => kit.setAside(start, who, grains)) }).meta
  return kit.extend(kit.endOfEpoch(on), 1, [dan])
}
const redeemed = (on: BlockMeta, to: KeyPair, ...receipts: RedeemedReceipt[]): Mined => kit.mine(on, { miner: dan, transactions: [kit.redeem(on, to, epoch, receipts)] })
const refusal = (on: BlockMeta, to: KeyPair, ...receipts: RedeemedReceipt[]): string | undefined => checkTransaction(kit.params, on, kit.redeem(on, to, epoch, receipts))?.reason
const potOf = (on: BlockMeta, who: KeyPair): bigint => on.ledger.seeding.redeemable.get(who.key)?.left ?? 0n
const gained = (m: Mined, who: KeyPair): bigint => m.events.filter(e => e.kind === 'seeding-pay' && toHex(e.account) === toHex(who.key)).reduce((n, e) => n + e.amount, 0n)

describe('a receipt', () => {
  it('takes its price out of the pot of who signed it: an eighth is destroyed, the rest is who sent it', () => {
    const on = funded([ann, 50_000n])
    const m = redeemed(on, bob, kit.receipt(ann, bob.key, epoch, 8 * MIB))
    expect(potOf(on, ann) - potOf(m.meta, ann)).toBe(8n * SEED_PRICE_PER_MIB)
    expect(gained(m, bob)).toBe(7n * SEED_PRICE_PER_MIB)
    expect(m.meta.ledger.burned - on.ledger.burned).toBe(SEED_PRICE_PER_MIB)
    expect(account(m.meta.ledger, bob.key).balance - account(on.ledger, bob.key).balance).toBe(7n * SEED_PRICE_PER_MIB - minFee)
  })

  it('that has grown takes the difference, and at most what is left', () => {
    const on = funded([ann, 10_000n])
    const first = redeemed(on, bob, kit.receipt(ann, bob.key, epoch, 6 * MIB)).meta
    expect(refusal(first, bob, kit.receipt(ann, bob.key, epoch, 6 * MIB))).toBe('redeem-bytes')
    expect(refusal(first, bob, kit.receipt(ann, bob.key, epoch, 5 * MIB))).toBe('redeem-bytes')
    expect(refusal(first, bob, kit.receipt(ann, bob.key, epoch, 6 * MIB + REDEEM_BYTES_LEAST - 1))).toBe('redeem-bytes')
    const second = redeemed(first, bob, kit.receipt(ann, bob.key, epoch, 9 * MIB))
    expect(potOf(second.meta, ann)).toBe(1_000n)
    const last = redeemed(second.meta, bob, kit.receipt(ann, bob.key, epoch, 900 * MIB))
    expect(gained(last, bob)).toBe(875n)
    expect(last.meta.ledger.seeding.redeemable.get(ann.key)).toBeUndefined()
    expect(refusal(last.meta, bob, kit.receipt(ann, bob.key, epoch, 2_000 * MIB))).toBe('redeem-pot')
  })

  it('is not paid twice within a transaction, of two transactions of a block, or in another block', () => {
    const on = funded([ann, 50_000n])
    const receipt = kit.receipt(ann, bob.key, epoch, 4 * MIB)
    expect(refusal(on, bob, receipt, receipt)).toBe('redeem-bytes')
    const once = kit.redeem(on, bob, epoch, [receipt])
    const again = kit.redeem(on, bob, epoch, [receipt], { nonce: once.transaction.nonce + 1 })
    expect(tryTransactions(kit.params, on, [once, again], 100_000)).toEqual([once])
    expect(refusal(kit.extend(kit.mine(on, { transactions: [once] }).meta, 2), bob, receipt)).toBe('redeem-bytes')
  })

  it('is paid once on the branch that won, whatever was paid on the one that lost', () => {
    const on = funded([ann, 50_000n])
    const tx = kit.redeem(on, bob, epoch, [kit.receipt(ann, bob.key, epoch, 4 * MIB)])
    const lost = kit.mine(on, { miner: dan, transactions: [tx] })
    const branch = kit.extend(on, 2, [cy])
    const won = kit.mine(branch, { miner: cy, transactions: [tx] })
    expect(gained(won, bob)).toBe(gained(lost, bob))
    expect(checkTransaction(kit.params, won.meta, tx)?.reason).toBe('transaction-nonce-reused')
    expect(refusal(won.meta, bob, kit.receipt(ann, bob.key, epoch, 4 * MIB))).toBe('redeem-bytes')
  })

  it('holds for one chain, one sender, one epoch and one torrent: its signature is of all of them', () => {
    const on = funded([ann, 50_000n])
    const good = kit.receipt(ann, bob.key, epoch, 4 * MIB)
    const bad: ReadonlyArray<readonly [string, RedeemedReceipt]> = [
      ['another chain', kit.receipt(ann, bob.key, epoch, 4 * MIB, { chain: hash('test-other') })],
      ['another sender', kit.receipt(ann, cy.key, epoch, 4 * MIB)],
      ['another epoch', kit.receipt(ann, bob.key, epoch - 1, 4 * MIB)],
      ['another torrent', { ...good, infoHash: torrent(9) }],
      ['more bytes', { ...good, bytes: good.bytes + MIB }],
      ['forged', { ...good, signature: new Uint8Array(64).fill(1) }]
    ]
    for (const [what, receipt] of bad) {
      const verdict = kit.apply(on, kit.block(on, { miner: dan, transactions: [kit.redeem(on, bob, epoch, [receipt])] }))
      expect(verdict.ok ? undefined : verdict.refusal.reason, what).toBe('redeem-signature')
    }
  })

  it('of an epoch that runs, that is long over, or is yet to come pays nothing', () => {
    const on = funded([ann, 50_000n])
    for (const e of [epoch + 1, epoch - 1, epoch + 2, 0]) expect(checkTransaction(kit.params, on, kit.redeem(on, bob, e, [kit.receipt(ann, bob.key, e, 4 * MIB)]))?.reason).toBe('redeem-epoch')
    const last = kit.extend(kit.endOfEpoch(on), 0)
    // The last block of the window is the one on top of it but one.
    expect(checkTransaction(kit.params, last.parent as BlockMeta, kit.redeem(last.parent as BlockMeta, bob, epoch, [kit.receipt(ann, bob.key, epoch, 4 * MIB)]))).toBeUndefined()
    expect(refusal(last, bob, kit.receipt(ann, bob.key, epoch, 4 * MIB))).toBe('redeem-epoch')
  })

  it('asks for whole numbers that a double holds', () => {
    const pot = { left: 1_000_000n, paid: [] }
    for (const bytes of [2 ** 53, Infinity, NaN, -1, 0]) expect(claimOf(pot, bob.key, { infoHash: torrent(1), bytes })).toBe('redeem-bytes')
  })
})

describe('a pot', () => {
  it('is what was set aside in its epoch, and what nobody claims goes back at the end of the next', () => {
    const on = funded([ann, 30_000n], [cy, 5_000n])
    const more = redeemed(on, bob, kit.receipt(ann, bob.key, epoch, 10 * MIB)).meta
    const mined = kit.mine(kit.endOfEpoch(more), { miner: dan })
    expect(mined.events.filter(e => e.kind === 'set-aside-returned').map(e => [toHex(e.account), e.amount]).sort()).toEqual([[toHex(ann.key), 20_000n], [toHex(cy.key), 5_000n]].sort())
    expect(mined.meta.ledger.seeding.redeemable.size + mined.meta.ledger.seeding.setAside.size).toBe(0)
  })

  it('grows within its epoch, and is another one in the next', () => {
    let on = kit.mine(start, { transactions: [kit.setAside(start, ann, 2_000n)] }).meta
    on = kit.mine(on, { transactions: [kit.setAside(on, ann, 3_000n)] }).meta
    expect(on.ledger.seeding.setAside.get(ann.key)?.left).toBe(5_000n)
    on = kit.extend(kit.endOfEpoch(on), 1)
    on = kit.mine(on, { transactions: [kit.setAside(on, ann, 4_000n)] }).meta
    expect([potOf(on, ann), on.ledger.seeding.setAside.get(ann.key)?.left]).toEqual([5_000n, 4_000n])
  })
})

describe('counters', () => {
  it('count bytes that were paid for, payers and sets once per epoch, and are halved with time', () => {
    const on = funded([ann, 10_000n], [cy, 10_000n])
    const of = (m: BlockMeta): unknown => m.ledger.seeding.seeders.get(bob.key)
    let m = redeemed(on, bob, kit.receipt(ann, bob.key, epoch, 3 * MIB), kit.receipt(ann, bob.key, epoch, 2 * MIB, { infoHash: torrent(1) }), kit.receipt(cy, bob.key, epoch, 1 * MIB)).meta
    expect(of(m)).toEqual({ bytes: 6n * BigInt(MIB), leechers: 2, sets: 3 })
    // Ten thousand grains pay for ten mebibytes: the rest was for nothing, and counts for nothing.
    m = redeemed(m, bob, kit.receipt(ann, bob.key, epoch, 500 * MIB)).meta
    expect(of(m)).toEqual({ bytes: 11n * BigInt(MIB), leechers: 2, sets: 3 })
    const halving = Math.ceil(epochAt(m.height, epochBlocks) / COUNTER_HALVING_EPOCHS) * COUNTER_HALVING_EPOCHS * epochBlocks
    m = kit.extend(m, halving - 1 - m.height, [dan])
    expect(of(m)).toEqual({ bytes: 11n * BigInt(MIB), leechers: 2, sets: 3 })
    m = kit.extend(m, 1, [dan])
    expect(of(m)).toEqual({ bytes: 11n * BigInt(MIB) / 2n, leechers: 1, sets: 1 })
  }, 60_000)
})

describe('a snapshot', () => {
  it('with pots and counters comes back, and is refused where they cannot be', () => {
    const { ledger } = redeemed(funded([ann, 10_000n], [cy, 10_000n]), bob, kit.receipt(ann, bob.key, epoch, 3 * MIB)).meta
    const open = { ...ledger.seeding, setAside: ledger.seeding.redeemable.delete(ann.key), redeemable: ledger.seeding.redeemable.delete(cy.key) }
    const reason = (seeding: LedgerState['seeding']): string => {
      const d = decodeLedger(encodeLedger({ ...ledger, seeding }))
      return d.ok ? 'taken' : d.error.detail
    }
    expect(reason(ledger.seeding)).toBe('taken')
    expect(reason(open)).toBe('taken')
    const pot = ledger.seeding.redeemable.get(ann.key)!
    const withPot = (p: typeof pot): LedgerState['seeding'] => ({ ...ledger.seeding, redeemable: ledger.seeding.redeemable.set(ann.key, p) })
    expect(reason(withPot({ ...pot, left: pot.left + 1n }))).toBe('grains do not add up')
    expect(reason(withPot({ ...pot, left: 0n }))).toBe('an empty pot is listed')
    expect(reason(withPot({ ...pot, paid: [...pot.paid, pot.paid[0]] }))).toBe('a pot has paid one receipt twice')
    expect(reason(withPot({ ...pot, paid: [{ ...pot.paid[0], bytes: MIB - 1 }] }))).toBe('a pot has paid what none pays')
    expect(reason(withPot({ ...pot, paid: [{ ...pot.paid[0], to: ann.key }] }))).toBe('a pot has paid what none pays')
    expect(reason({ ...ledger.seeding, setAside: ledger.seeding.redeemable, redeemable: ledger.seeding.setAside })).toBe('a pot has paid before its epoch was over')
    const { seeders } = ledger.seeding
    expect(reason({ ...ledger.seeding, seeders: seeders.set(cy.key, { bytes: 0n, leechers: 0, sets: 0 }) })).toBe('a seeder of nothing is listed')
    expect(reason({ ...ledger.seeding, seeders: seeders.set(cy.key, { bytes: 5n, leechers: 2, sets: 1 }) })).toBe('a seeder has more leechers than sets they asked for')
  })
})

const game = new ChainKit({ ...EASY, name: 'seeding-game', maturity: 2, epochBlocks: 4 }, { trusting: true })
/** Keys 1 to 4 have one owner; 5 and 6 are others, who set aside too and sign for nothing. */
const owned = [1, 2, 3, 4].map(keyPair)
const others = [5, 6].map(keyPair)
const grown = game.grown(16, 6)
const ours = fc.nat(3)

/** Amounts are small beside what everybody has, so that no step fails for want of grains in one world and not in the other. */
const move = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('set-aside' as const), who: fc.nat(5), grains: fc.integer({ min: 1_000, max: 40_000 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('transfer' as const), who: ours, to: fc.nat(5), grains: fc.integer({ min: 1, max: 50_000 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('post' as const), who: ours, burn: fc.integer({ min: 1_000, max: 50_000 }) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('redeem' as const), who: ours, receipts: fc.array(fc.record({ from: ours, torrent: fc.nat(2), kib: fc.integer({ min: 1_024, max: 60_000 }) }), { minLength: 1, maxLength: 4 }) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('block' as const), miner: fc.constantFrom(0, 1, 2, 3, 3, 4, 5) }) }
)
type Move = typeof move extends fc.Arbitrary<infer T> ? T : never

const everyone = [...owned, ...others]
const keysOf = (who: readonly KeyPair[]): Set<string> => new Set(who.map(k => toHex(k.key)))

/** All that some keys have: balances, what ripens, what is in escrow and what is set aside. */
function wealth (ledger: LedgerState, who: readonly KeyPair[]): bigint {
  const keys = keysOf(who)
  const mine = (key: Uint8Array): boolean => keys.has(toHex(key))
  let sum = who.reduce((n, k) => n + account(ledger, k.key).balance, 0n)
  for (const m of ledger.maturing) if (mine(m.account)) sum += m.amount
  for (const j of ledger.jobs) if (mine(j.owner)) sum += j.escrowLeft
  for (const pots of [ledger.seeding.setAside, ledger.seeding.redeemable]) for (const [key, pot] of pots.entries()) if (mine(key)) sum += pot.left
  return sum
}

/** Plays the moves, with the owner's redemptions or without them; all else is the same. */
function play (moves: readonly Move[], redeeming: boolean): { readonly ledger: LedgerState, readonly steps: number, readonly paid: bigint, readonly feesAway: bigint } {
  let tip = grown
  let waiting: Array<(on: BlockMeta, nonce: number) => SignedTransaction> = []
  let senders: KeyPair[] = []
  const at = { steps: 0, paid: 0n, feesAway: 0n }
  const block = (miner: KeyPair): void => {
    const nonces = new Map<string, number>()
    const body: SignedTransaction[] = []
    for (const [i, make] of waiting.entries()) {
      const id = toHex(senders[i].key)
      const nonce = nonces.get(id) ?? account(tip.ledger, senders[i].key).nonce
      const next = tryTransactions(game.params, tip, [...body, make(tip, nonce)], 500_000)
      if (next.length === body.length) continue
      body.push(next[next.length - 1])
      nonces.set(id, nonce + 1)
    }
    const mined = game.mine(tip, { miner, transactions: body })
    for (const t of body) {
      if (t.transaction.action.selector !== 5) at.steps++
      else if (others.includes(miner)) at.feesAway += t.transaction.fee
    }
    for (const e of mined.events) if (e.kind === 'seeding-pay') at.paid += e.amount
    expect(isConserved(mined.meta.ledger)).toBe(true)
    waiting = []
    senders = []
    tip = mined.meta
  }
  const send = (who: KeyPair, make: (on: BlockMeta, nonce: number) => SignedTransaction): void => { senders.push(who); waiting.push(make) }
  for (const m of moves) {
    switch (m.kind) {
      case 'set-aside': send(everyone[m.who], (on, nonce) => game.setAside(on, everyone[m.who], BigInt(m.grains), { nonce })); break
      case 'transfer': send(owned[m.who], (on, nonce) => game.transfer(on, owned[m.who], everyone[m.to].key, BigInt(m.grains), { nonce })); break
      case 'post': send(owned[m.who], (on, nonce) => game.post(on, owned[m.who], { burn: BigInt(m.burn), escrow: 5_000n, nonce, deadline: on.height + 8 })); break
      case 'redeem':
        if (!redeeming) break
        send(owned[m.who], (on, nonce) => {
          const of = Math.max(0, epochAt(on.height + 1, game.params.epochBlocks) - 1)
          return game.redeem(on, owned[m.who], of, m.receipts.map(r => game.receipt(owned[r.from], owned[m.who].key, of, r.kib * 1024, { infoHash: torrent(r.torrent) })), { nonce })
        })
        break
      case 'block': block(everyone[m.miner]); break
    }
  }
  // Until all that was set aside is back.
  for (let i = 0; i < 3 * game.params.epochBlocks; i++) block(others[0])
  return { ledger: tip.ledger, ...at }
}

describe('the game', () => {
  it('an owner of several keys, who mines too, never has more for what he signs to himself, and others have what they had', () => {
    let paid = 0n
    let games = 0
    fc.assert(fc.property(fc.array(move, { minLength: 30, maxLength: 90 }), moves => {
      const without = play(moves, false)
      const with_ = play(moves, true)
      // The same was done in both worlds, or the comparison would say nothing.
      fc.pre(with_.steps === without.steps)
      games++
      paid += with_.paid
      const burned = with_.ledger.burned - without.ledger.burned
      const lost = wealth(without.ledger, owned) - wealth(with_.ledger, owned)
      expect(lost).toBe(burned + with_.feesAway)
      expect(lost).toBeGreaterThanOrEqual(0n)
      if (with_.paid > 0n) expect(burned * 7n).toBeGreaterThanOrEqual(with_.paid)
      expect(wealth(with_.ledger, others)).toBe(wealth(without.ledger, others) + with_.feesAway)
    }), { numRuns: 12, seed: 3 })
    expect(games).toBeGreaterThan(8)
    expect(paid).toBeGreaterThan(100_000n)
  }, 120_000)
})
