/** What a block that cost its maker a few hashes can make a node do before it is refused. */
import { ed25519 } from '@noble/curves/ed25519.js'
import { sha512 } from '@noble/hashes/sha2.js'
import { describe, expect, it } from 'vitest'
import { createSignatures } from '../../src/compute/signatures.ts'
import type { Block, Body, Claim, SignedSeal, SignedTransaction } from '../../src/core/codec/wire.ts'
import { blockSignatureItems } from '../../src/core/consensus/apply.ts'
import { tryTransactions } from '../../src/core/consensus/transaction.ts'
import { bodyRoot, claimId, receiptMessage, transactionId } from '../../src/core/crypto/ids.ts'
import { benchmarkJob } from '../../src/core/ledger/state.ts'
import { MAX_CONTRIBUTIONS_PER_SEAL, MAX_RECEIPTS_PER_BLOCK, MAX_RECEIPTS_PER_REDEMPTION, MAX_SEALS_PER_BLOCK, MAX_TRANSACTIONS_PER_BLOCK } from '../../src/core/params.ts'
import { SIGNATURES_AT_ONCE } from '../../src/node/verify.ts'
import { ChainKit, EASY, type KeyPair, keyPair, tinySpec } from '../core/chainKit.ts'
import { rig } from './chainRig.ts'

const kit = new ChainKit(EASY, { trusting: true })
const BATCHES = MAX_RECEIPTS_PER_BLOCK / MAX_RECEIPTS_PER_REDEMPTION

function carrying (body: Body, on: ChainKit = kit): Block {
  const { header } = on.block(on.genesis)
  return { header: on.claim({ ...header.template, bodyRoot: bodyRoot(body) }, tinySpec, keyPair(1)), body }
}

const { Point } = ed25519
/** Of order eight. */
const TORSION = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05')
const ofLittleEndian = (b: Uint8Array): bigint => b.reduceRight((n, x) => (n << 8n) | BigInt(x), 0n)

/** Right by ZIP-215 and by nothing faster: R has a part of small order. */
function slowSign (by: KeyPair, message: Uint8Array): Uint8Array {
  const order = Point.CURVE().n
  const { scalar, pointBytes } = ed25519.utils.getExtendedPublicKey(by.seed)
  const r = ofLittleEndian(sha512(message)) % order
  const R = Point.BASE.multiply(r).add(TORSION).toBytes()
  const k = ofLittleEndian(sha512(Uint8Array.of(...R, ...pointBytes, ...message))) % order
  let s = (r + k * scalar) % order
  const out = new Uint8Array(64)
  out.set(R)
  for (let i = 0; i < 32; i++, s >>= 8n) out[32 + i] = Number(s & 255n)
  return out
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

  it('with hundreds of wrong signatures, and right in all else, is refused for the first of them', async () => {
    const r = rig({ kit })
    let tip = kit.genesis
    for (let i = 0; i <= kit.params.maturity; i++) {
      const mined = kit.mine(tip)
      expect(await r.chain.submitOwn(mined.block)).toMatchObject({ status: 'added' })
      tip = mined.meta
    }
    const transactions = Array.from({ length: 200 }, (_, nonce) => ({ ...kit.transfer(tip, keyPair(1), keyPair(2).key, 1n, { nonce }), signature: new Uint8Array(64).fill(1) }))
    r.signatures.checked = 0
    expect(await r.chain.submit(kit.block(tip, { transactions }), 'peer', 'peer')).toMatchObject({ status: 'refused', refusal: { reason: 'transaction-signature' } })
    expect(r.signatures.checked).toBe(1 + SIGNATURES_AT_ONCE)
  })

  it('with 1,793 right signatures that only the slow engine takes is refused by a rule that asks for none of them', async () => {
    const honest = new ChainKit(EASY)
    const enemy = keyPair(7)
    // One claim, one receipt, two transactions: each is signed once and repeated.
    const plain = honest.contribution(honest.genesis, benchmarkJob(honest.genesis.ledger), enemy)
    const claim: Claim = { ...plain, signature: slowSign(enemy, claimId(plain)) }
    const seal: SignedSeal = { seal: { job: claim.template.job, round: 9, previous: new Uint8Array(32), anchor: honest.genesis.hash, contributions: new Array(MAX_CONTRIBUTIONS_PER_SEAL).fill(claim), stateHash: new Uint8Array(32) }, signatures: [] }
    const receipt = honest.receipt(enemy, keyPair(8).key, 0, 2 ** 21)
    receipt.signature = slowSign(enemy, receiptMessage({ chain: honest.genesis.hash, to: keyPair(8).key, epoch: 0, from: enemy.key, infoHash: receipt.infoHash, bytes: receipt.bytes }))
    const slowly = ({ transaction }: SignedTransaction, by: KeyPair): SignedTransaction => ({ transaction, signature: slowSign(by, transactionId(transaction)) })
    const redeem = slowly(honest.redeem(honest.genesis, keyPair(8), 0, new Array(MAX_RECEIPTS_PER_REDEMPTION).fill(receipt)), keyPair(8))
    const transfer = slowly(honest.transfer(honest.genesis, enemy, keyPair(8).key, 1n), enemy)
    const block = carrying({
      transactions: [...new Array(MAX_TRANSACTIONS_PER_BLOCK - BATCHES).fill(transfer), ...new Array(BATCHES).fill(redeem)],
      seals: new Array(MAX_SEALS_PER_BLOCK).fill(seal)
    }, honest)
    const items = blockSignatureItems(honest.params, honest.genesis, block)
    expect(items.length).toBe(1_793)
    expect((await createSignatures(crypto.subtle).verify(items.slice(0, SIGNATURES_AT_ONCE))).every(Boolean)).toBe(true)
    const r = rig({ kit: honest })
    expect(await r.chain.submit(block, 'peer', 'peer')).toMatchObject({ status: 'refused', refusal: { reason: 'transaction-balance' } })
    expect(r.signatures.checked).toBe(1)
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
