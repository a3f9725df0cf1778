/** What a block that cost its maker a few hashes can make a node do before it is refused. */
import { describe, expect, it } from 'vitest'
import type { Body, SignedTransaction } from '../../src/core/codec/wire.ts'
import { tryTransactions } from '../../src/core/consensus/transaction.ts'
import { bodyRoot } from '../../src/core/crypto/ids.ts'
import type { Block } from '../../src/core/codec/wire.ts'
import { MAX_RECEIPTS_PER_BLOCK, MAX_RECEIPTS_PER_REDEMPTION } from '../../src/core/params.ts'
import { SIGNATURES_AT_ONCE } from '../../src/node/verify.ts'
import { ChainKit, EASY, keyPair, tinySpec } from '../core/chainKit.ts'
import { rig } from './chainRig.ts'

const kit = new ChainKit(EASY, { trusting: true })
const BATCHES = MAX_RECEIPTS_PER_BLOCK / MAX_RECEIPTS_PER_REDEMPTION

function carrying (body: Body): Block {
  const { header } = kit.block(kit.genesis)
  return { header: kit.claim({ ...header.template, bodyRoot: bodyRoot(body) }, tinySpec, keyPair(1)), body }
}

/** Redemptions of receipts that nobody signed. */
function redemptions (count: number): SignedTransaction[] {
  const receipts = new Array(MAX_RECEIPTS_PER_REDEMPTION).fill({ ...kit.receipt(keyPair(2), keyPair(3).key, 0, 2 ** 21), signature: new Uint8Array(64).fill(1) })
  return Array.from({ length: count }, (_, nonce) => kit.redeem(kit.genesis, keyPair(3), 0, receipts, { nonce }))
}

describe('a block', () => {
  it('with more receipts than a block may carry is refused before one signature of it is checked', async () => {
    const r = rig({ kit })
    const refused = await r.chain.submit(carrying({ transactions: redemptions(BATCHES + 1), seals: [] }), 'peer', 'peer')
    expect(refused).toMatchObject({ status: 'refused', refusal: { reason: 'body-receipts' } })
    expect(r.signatures.checked).toBe(0)
  })

  it('with hundreds of wrong signatures is refused for the first of them', async () => {
    const r = rig({ kit })
    const refused = await r.chain.submit(carrying({ transactions: redemptions(BATCHES), seals: [] }), 'peer', 'peer')
    expect(refused.status).toBe('refused')
    expect(r.signatures.checked).toBe(SIGNATURES_AT_ONCE)
  })
})

describe('a miner', () => {
  it('takes no more redemptions than a block may carry', () => {
    const chain: ChainKit = kit
    const payer = keyPair(1)
    const torrent = (n: number): Uint8Array => new Uint8Array(20).fill(n)
    const { epochBlocks, maturity } = chain.params
    let tip = chain.extend(chain.genesis, maturity + 1)
    // As many pots as pay all of these receipts, each of 64; and money for the fees of who hands them in.
    const payers = Array.from({ length: BATCHES + 1 }, (_, i) => keyPair(100 + i))
    tip = chain.mine(tip, { transactions: payers.map((p, i) => chain.transfer(tip, payer, p.key, 1_000_000n, { nonce: i })) }).meta
    tip = chain.mine(tip, { transactions: payers.map(p => chain.setAside(tip, p, 500_000n)) }).meta
    const epoch = Math.floor(tip.height / epochBlocks)
    tip = chain.endOfEpoch(tip)
    const all = payers.map((p, i) => chain.redeem(tip, payer, epoch, Array.from({ length: MAX_RECEIPTS_PER_REDEMPTION }, (_, n) => chain.receipt(p, payer.key, epoch, 2 ** 20, { infoHash: torrent(n) })), { nonce: payers.length + i }))
    const taken = tryTransactions(chain.params, tip, all, 1e6)
    expect(taken.length).toBe(BATCHES)
    expect(chain.mine(tip, { transactions: taken }).block.body.transactions.length).toBe(BATCHES)
  })
})
