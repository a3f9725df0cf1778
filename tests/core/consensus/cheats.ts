/**
 * A closed world of cheating: for every reason there is, somebody breaks exactly that rule in a
 * block that is otherwise honest. The type of the table makes a reason without a row a compile error.
 */
import { encodeJobSpec } from '../../../src/core/codec/jobSpec.ts'
import { equalBytes, toHex, ZERO32 } from '../../../src/core/codec/ssz.ts'
import type { Block, Body, Claim, RedeemedReceipt, Seal, SignedSeal, SignedTransaction, Template, Transaction } from '../../../src/core/codec/wire.ts'
import type { BlockFacts } from '../../../src/core/consensus/apply.ts'
import type { BlockMeta } from '../../../src/core/consensus/chain.ts'
import { drawAt, eligible, randomnessBlock } from '../../../src/core/consensus/draw.ts'
import type { ReasonCode, Verdict } from '../../../src/core/consensus/refusal.ts'
import { ticketWins } from '../../../src/core/consensus/target.ts'
import { hash } from '../../../src/core/crypto/hash.ts'
import { bodyRoot, claimId, jobId, specHash, ticket } from '../../../src/core/crypto/ids.ts'
import { account, benchmarkJob, findJob, type JobRecord, ledgerRoot, withAccount } from '../../../src/core/ledger/state.ts'
import { MAX_ACTIVE_JOBS, MAX_CONTRIBUTION_SLICES, MAX_RECEIPTS_PER_BLOCK, MAX_RECEIPTS_PER_POT, MAX_RECEIPTS_PER_REDEMPTION } from '../../../src/core/params.ts'
import { sliceCost } from '../../../src/core/training/cost.ts'
import { ChainKit, EASY, keyPair, type KeyPair, type MineOptions, type Post, tinySpec } from '../chainKit.ts'

/** Whose chains all rows stand on but those that bring their own. */
export const kit = new ChainKit()
const tip = kit.grown()
const [ann, bob, cy] = [keyPair(1), keyPair(2), keyPair(3)]
const other = hash('test-other')
const FAR = 1n << 63n

/** `honest` must pass: what is refused is refused for the one thing that was changed. */
export interface Cheat { readonly honest?: BlockAndFacts, readonly cheat: BlockAndFacts, readonly verdict?: Verdict }
export interface BlockAndFacts { readonly on: BlockMeta, readonly block: Block, readonly facts?: Partial<BlockFacts>, readonly kit?: ChainKit }

/** The header of an honest block with a few fields changed, signed again by its miner. */
function header (template: Partial<Template>, claim: Partial<Claim> = {}, on = tip): Cheat {
  const block = kit.block(on)
  const changed = kit.signClaim({ ...block.header, ...claim, template: { ...block.header.template, ...template } }, ann)
  return { honest: { on, block }, cheat: { on, block: { ...block, header: changed } } }
}

/** A body nobody would assemble, under a header that commits to it. */
function carrying (on: BlockMeta, body: Body): Block {
  const honest = kit.block(on)
  const template = { ...honest.header.template, bodyRoot: bodyRoot(body) }
  return { header: kit.signClaim({ ...honest.header, template }, ann), body }
}

const carryingTransactions = (on: BlockMeta, ...transactions: SignedTransaction[]): BlockAndFacts => ({ on, block: carrying(on, { transactions, seals: [] }) })
const carryingSeals = (on: BlockMeta, ...seals: SignedSeal[]): BlockAndFacts => ({ on, block: carrying(on, { transactions: [], seals }) })
const mined = (on: BlockMeta, o: MineOptions): BlockAndFacts => ({ on, block: kit.block(on, o) })

function transaction (honest: SignedTransaction, cheat: SignedTransaction, on = tip): Cheat {
  return { honest: mined(on, { transactions: [honest] }), cheat: carryingTransactions(on, cheat) }
}

const rewrite = (from: KeyPair, signed: SignedTransaction, over: Partial<Transaction>): SignedTransaction =>
  kit.signTransaction({ ...signed.transaction, ...over }, from)

const pay = kit.transfer(tip, ann, bob.key, 5n)
const post = (over: Post): Cheat => transaction(kit.post(tip, ann), kit.post(tip, ann, over))

/** A seal of the benchmark's first round by keys 1 and 2, and its block. */
const job = benchmarkJob(tip.ledger)
const work = [kit.contribution(tip, job, ann), kit.contribution(tip, job, bob)]
const goodSeal = kit.seal(tip, job, work)
const honestSeal: BlockAndFacts = mined(tip, { seals: [goodSeal] })

const seal = (over: Partial<Seal>, anchor = tip): Cheat =>
  ({ honest: honestSeal, cheat: carryingSeals(tip, kit.signSeal({ ...goodSeal.seal, ...over }, anchor)) })
const signatures = (change: (s: SignedSeal['signatures']) => SignedSeal['signatures']): Cheat =>
  ({ honest: honestSeal, cheat: carryingSeals(tip, { ...goodSeal, signatures: change(goodSeal.signatures) }) })
const sealOf = (...claims: Claim[]): Cheat => ({ honest: honestSeal, cheat: carryingSeals(tip, kit.seal(tip, job, claims)) })
const contribution = (over: Partial<Template>, slice = 0): Cheat => sealOf(kit.contribution(tip, job, ann, slice, over))

/** A chain on which a job of key 1 is active, and the job. */
function withActiveJob (): { readonly on: BlockMeta, readonly paid: JobRecord } {
  const posted = kit.mine(tip, { transactions: [kit.post(tip, ann, { burn: 1_000_000n })] }).meta
  const waiting = posted.ledger.jobs[1]
  let on = kit.mine(posted, { seals: [kit.seal(posted, waiting, [])] }).meta
  on = kit.extend(on, EASY.rhoDelay + 1, [ann, bob, cy])
  return { on, paid: findJob(on.ledger, waiting.id) as JobRecord }
}
const active = withActiveJob()
/** The block that carries its owner's cancellation. */
const cancelled = (): BlockMeta => kit.mine(active.on, { transactions: [kit.cancel(active.on, ann, active.paid.id)] }).meta

/** A key whose draw at the block on top of `on` is, or is not, the paid job. */
function whoDraws (on: BlockMeta, id: Uint8Array, yes: boolean): KeyPair {
  for (let n = 1; n < 200; n++) {
    if (equalBytes(drawAt(randomnessBlock(kit.params, on), keyPair(n).key), id) === yes) return keyPair(n)
  }
  throw new Error('nobody draws that')
}

const long = kit.extend(tip, 20, [ann, bob, cy])

const MIB = 1024 * 1024
/** The first block of an epoch, in the one before which key 1 set something aside and got bytes of key 2. */
function withPot (): { readonly on: BlockMeta, readonly epoch: number, readonly receipt: (bytes?: number) => RedeemedReceipt } {
  const first = kit.extend(kit.endOfEpoch(tip), 1)
  const epoch = first.height / EASY.epochBlocks
  const on = kit.extend(kit.endOfEpoch(kit.mine(first, { transactions: [kit.setAside(first, ann, 1_000_000n)] }).meta), 1)
  return { on, epoch, receipt: (bytes = 5 * MIB) => kit.receipt(ann, bob.key, epoch, bytes) }
}
const seeded = withPot()

function redeem (receipts: RedeemedReceipt[]): Cheat {
  const { on, epoch, receipt } = seeded
  return { honest: mined(on, { transactions: [kit.redeem(on, bob, epoch, [receipt()])] }), cheat: carryingTransactions(on, kit.redeem(on, bob, epoch, receipts)) }
}

export const CHEATS: Record<ReasonCode, () => Cheat> = {
  'header-version': () => header({ version: 2 }),
  'header-chain': () => header({ chain: other }),
  'header-parent': () => header({ parent: (tip.parent as BlockMeta).hash }),
  'header-height': () => header({ height: tip.height + 2 }),
  'header-time-range': () => header({ time: 2 ** 53 }),
  'header-time-old': () => header({ time: tip.header.template.time }),
  'header-target': () => header({ target: tip.header.template.target - 1n }),
  'header-randomness': () => header({ randomness: tip.rho }),
  'header-job': () => header({ job: other }),
  'header-payload-size': () => header({}, { payloadBytes: 1 }),
  // A target that one ticket in two meets: the cheater signs a slice that lost.
  'header-ticket': () => {
    const target = (1n << 255n) / BigInt(sliceCost(tinySpec))
    const hard = new ChainKit({ ...EASY, name: 'coin-toss', genesisTarget: target })
    const blocks = Array.from({ length: 40 }, (_, slice) => hard.block(hard.genesis, { slice }))
    const won = blocks.map(b => ticketWins(target, sliceCost(tinySpec), ticket(b.header)))
    const on = hard.genesis
    return { honest: { on, kit: hard, block: blocks[won.indexOf(true)] }, cheat: { on, kit: hard, block: blocks[won.indexOf(false)] } }
  },
  'header-time-future': () => {
    const block = kit.block(tip)
    const nowMs = block.header.template.time - EASY.futureMs
    return { honest: { on: tip, block, facts: { nowMs } }, cheat: { on: tip, block, facts: { nowMs: nowMs - 1 } }, verdict: 'future' }
  },

  'body-size': () => {
    const spec = new Uint8Array(1024)
    const padding = new Array<SignedTransaction>(256).fill(kit.post(tip, ann, { spec }))
    const seals = new Array<SignedSeal>(32).fill(kit.signSeal({ ...goodSeal.seal, anchor: other, contributions: new Array<Claim>(32).fill(work[0]) }, tip))
    const block = carrying(tip, { transactions: padding, seals })
    return { cheat: { on: tip, block, facts: { signatures: new Array<boolean>(1 + padding.length).fill(true) } } }
  },
  'body-receipts': () => {
    const { on, epoch, receipt } = seeded
    const padding = new Array<SignedTransaction>(1 + MAX_RECEIPTS_PER_BLOCK / MAX_RECEIPTS_PER_REDEMPTION).fill(kit.redeem(on, bob, epoch, new Array<RedeemedReceipt>(MAX_RECEIPTS_PER_REDEMPTION).fill(receipt())))
    const signatures = new Array<boolean>(1 + padding.length * (1 + MAX_RECEIPTS_PER_REDEMPTION)).fill(true)
    return { cheat: { on, block: carrying(on, { transactions: padding, seals: [] }), facts: { signatures } } }
  },
  'body-root': () => {
    const block = kit.block(tip)
    return { honest: { on: tip, block }, cheat: { on: tip, block: { ...block, body: { transactions: [pay], seals: [] } } } }
  },
  // Somebody else's ticket: the work names its miner, and only that key can sign it.
  'header-signature': () => {
    const block = kit.block(tip)
    return { honest: { on: tip, block }, cheat: { on: tip, block: { ...block, header: kit.signClaim(block.header, bob) } } }
  },
  // A state no seal defines.
  'header-job-state': () => header({ round: 1, seal: other, stateHash: other }),
  // Coins from nowhere.
  'state-root': () => {
    const { ledger } = kit.mine(tip).meta
    return header({ stateRoot: ledgerRoot(withAccount(ledger, ann.key, { ...account(ledger, ann.key), balance: FAR })) })
  },
  'result-hash': () => {
    const block = kit.block(tip)
    const { payloadDigest } = block.header
    return { honest: { on: tip, block }, cheat: { on: tip, block, facts: { replay: { kind: 'done', resultHash: other, payloadDigest } } } }
  },
  'payload-digest': () => {
    const block = kit.block(tip)
    const { resultHash } = block.header
    return { honest: { on: tip, block }, cheat: { on: tip, block, facts: { replay: { kind: 'done', resultHash, payloadDigest: other } } } }
  },
  'replay-unavailable': () => {
    const block = kit.block(tip)
    return { honest: { on: tip, block }, cheat: { on: tip, block, facts: { replay: { kind: 'unavailable', detail: 'no data' } } }, verdict: 'unavailable' }
  },

  'transaction-action': () => transaction(pay, rewrite(ann, pay, { action: { selector: 0, value: null } })),
  'transaction-fee': () => transaction(pay, rewrite(ann, pay, { fee: EASY.minFee - 1n })),
  'transaction-nonce-reused': () => {
    const on = kit.mine(tip, { transactions: [pay] }).meta
    return { honest: mined(tip, { transactions: [pay] }), cheat: carryingTransactions(on, pay) }
  },
  'transaction-nonce-gap': () => transaction(pay, rewrite(ann, pay, { nonce: pay.transaction.nonce + 1 })),
  'transaction-nonce-exhausted': () => {
    const spent = (nonce: number): BlockMeta => ({ ...tip, ledger: withAccount(tip.ledger, ann.key, { ...account(tip.ledger, ann.key), nonce }) })
    const before = spent(0xfffffffe)
    const on = spent(0xffffffff)
    return { honest: mined(before, { transactions: [kit.transfer(before, ann, bob.key, 1n)] }), cheat: carryingTransactions(on, kit.transfer(on, ann, bob.key, 1n)) }
  },
  'transaction-balance': () => {
    const all = account(kit.mine(tip).meta.ledger, ann.key).balance - EASY.minFee
    return transaction(kit.transfer(tip, ann, bob.key, all), kit.transfer(tip, ann, bob.key, all + 1n))
  },
  'transfer-amount': () => transaction(kit.transfer(tip, ann, bob.key, 1n), kit.transfer(tip, ann, bob.key, 0n)),
  'transfer-self': () => transaction(pay, kit.transfer(tip, ann, ann.key, 5n)),
  'post-spec-encoding': () => post({ spec: new Uint8Array([...encodeJobSpec(tinySpec), 0]) }),
  'post-price': () => post({ price: 0n }),
  'post-escrow': () => post({ price: 10n, escrow: 9n }),
  'post-burn': () => post({ burn: EASY.minFee - 1n }),
  'post-deadline': () => post({ deadline: tip.height + 6 }),
  'post-table-full': () => {
    let on = tip
    for (let i = 0; i < MAX_ACTIVE_JOBS - 1; i++) on = kit.mine(on, { transactions: [kit.post(on, ann)] }).meta
    const last = kit.post(on, ann)
    const full = kit.mine(on, { transactions: [last] }).meta
    return { honest: mined(on, { transactions: [last] }), cheat: carryingTransactions(full, kit.post(full, ann)) }
  },
  // Under ZIP-215 the all-zero key is a point of order four, for which anyone can sign: without this
  // rule anyone could post the benchmark's twin, with the benchmark's id.
  'post-duplicate': () => {
    const rich = kit.mine(tip, { transactions: [kit.transfer(tip, ann, ZERO32, 10_000_000n)] }).meta
    const nobody: KeyPair = { seed: ann.seed, key: ZERO32 }
    const forge = (signed: SignedTransaction): SignedTransaction => ({ ...signed, signature: Uint8Array.of(1, ...new Uint8Array(63)) })
    return {
      honest: mined(rich, { transactions: [forge(kit.post(rich, nobody))] }),
      cheat: carryingTransactions(rich, forge(kit.post(rich, nobody, { spec: benchmarkJob(rich.ledger).spec })))
    }
  },
  'cancel-unknown': () => ({
    honest: mined(active.on, { transactions: [kit.cancel(active.on, ann, active.paid.id)] }),
    cheat: carryingTransactions(active.on, kit.cancel(active.on, ann, other))
  }),
  'cancel-owner': () => ({
    honest: mined(active.on, { transactions: [kit.cancel(active.on, ann, active.paid.id)] }),
    cheat: carryingTransactions(active.on, kit.cancel(active.on, bob, active.paid.id))
  }),
  'cancel-ended': () => {
    const ended = kit.extend(cancelled(), EASY.cancelDelay, [ann, bob, cy])
    return { honest: mined(active.on, { transactions: [kit.cancel(active.on, ann, active.paid.id)] }), cheat: carryingTransactions(ended, kit.cancel(ended, ann, active.paid.id)) }
  },
  // To put off the end, and to hold the job's slot with it.
  'cancel-again': () => {
    const on = cancelled()
    return { honest: mined(active.on, { transactions: [kit.cancel(active.on, ann, active.paid.id)] }), cheat: carryingTransactions(on, kit.cancel(on, ann, active.paid.id)) }
  },
  'set-aside-amount': () => transaction(kit.setAside(tip, ann, EASY.minFee), kit.setAside(tip, ann, EASY.minFee - 1n)),
  // While the epoch runs, what is signed for may still grow.
  'redeem-epoch': () => {
    const { on, epoch, receipt } = seeded
    const late = kit.endOfEpoch(on)
    return { honest: mined(on, { transactions: [kit.redeem(on, bob, epoch, [receipt()])] }), cheat: carryingTransactions(late, kit.redeem(late, bob, epoch, [receipt()])) }
  },
  'redeem-none': () => redeem([]),
  'redeem-self': () => {
    const { on, epoch } = seeded
    const own = kit.redeem(on, ann, epoch, [kit.receipt(ann, ann.key, epoch, 5 * MIB)])
    return { honest: mined(on, { transactions: [kit.redeem(on, bob, epoch, [seeded.receipt()])] }), cheat: carryingTransactions(on, own) }
  },
  // Somebody who has set nothing aside: it costs nobody anything to sign for him.
  'redeem-pot': () => redeem([kit.receipt(cy, bob.key, seeded.epoch, 5 * MIB)]),
  // What was paid is paid: the receipt once more, in the next block.
  'redeem-bytes': () => {
    const { on, epoch, receipt } = seeded
    const once = kit.mine(on, { transactions: [kit.redeem(on, bob, epoch, [receipt()])] }).meta
    return { honest: mined(once, { transactions: [kit.redeem(once, bob, epoch, [receipt(6 * MIB)])] }), cheat: carryingTransactions(once, kit.redeem(once, bob, epoch, [receipt()])) }
  },
  'redeem-full': () => {
    const { epoch } = seeded
    const torrent = (n: number): Uint8Array => hash('test-torrent', Uint8Array.of(n)).subarray(0, 20)
    let { on } = seeded
    for (let n = 0; n < MAX_RECEIPTS_PER_POT - 1; n += MAX_RECEIPTS_PER_REDEMPTION) {
      const count = Math.min(MAX_RECEIPTS_PER_REDEMPTION, MAX_RECEIPTS_PER_POT - 1 - n)
      const receipts = Array.from({ length: count }, (_, i) => kit.receipt(ann, bob.key, epoch, MIB, { infoHash: torrent(n + i) }))
      on = kit.mine(on, { transactions: [kit.redeem(on, bob, epoch, receipts)] }).meta
    }
    const last = [254, 255].map(n => kit.receipt(ann, bob.key, epoch, MIB, { infoHash: torrent(n) }))
    return { honest: mined(on, { transactions: [kit.redeem(on, bob, epoch, [last[0]])] }), cheat: carryingTransactions(on, kit.redeem(on, bob, epoch, last)) }
  },
  // Signed by who sent the bytes, not by who got them.
  'redeem-signature': () => redeem([kit.receipt(ann, bob.key, seeded.epoch, 5 * MIB, { by: bob })]),
  'transaction-chain': () => transaction(pay, rewrite(ann, pay, { chain: other })),
  'transaction-signature': () => transaction(pay, { ...kit.signTransaction(pay.transaction, bob) }),
  'post-spec-rules': () => post({ spec: { ...tinySpec, operandBits: 16 } }),

  // The job is posted by the very block that seals it.
  'seal-job-unknown': () => {
    const tx = kit.post(tip, ann)
    const posted = kit.mine(tip, { transactions: [tx] }).meta
    const waiting = posted.ledger.jobs[1]
    if (!equalBytes(waiting.id, jobId(specHash(tinySpec), ann.key, tx.transaction.nonce))) throw new Error('the seal would be of another job')
    return {
      honest: mined(posted, { seals: [kit.seal(posted, waiting, [], { anchor: tip })] }),
      cheat: { on: tip, block: carrying(tip, { transactions: [tx], seals: [kit.seal(tip, waiting, [])] }) }
    }
  },
  // Held back until the cancellation has taken effect.
  'seal-job-ended': () => {
    const { on, paid } = active
    const signed = kit.seal(on, paid, [kit.contribution(on, paid, whoDraws(on, paid.id, true))])
    const last = kit.extend(cancelled(), EASY.cancelDelay - 2, [ann, bob, cy])
    return { honest: mined(last, { seals: [signed] }), cheat: carryingSeals(kit.extend(last, 1), signed) }
  },
  // Two seals for one round in one body.
  'seal-round': () => ({ honest: honestSeal, cheat: carryingSeals(tip, goodSeal, goodSeal) }),
  'seal-previous': () => seal({ previous: other }),
  'seal-anchor-unknown': () => {
    const fork = kit.mine(kit.at(tip, tip.height - 1), { miner: keyPair(9) }).meta
    return { honest: honestSeal, cheat: carryingSeals(tip, kit.seal(tip, job, work, { anchor: fork })) }
  },
  'seal-anchor-age': () => {
    const j = benchmarkJob(long.ledger)
    const at = (height: number): SignedSeal => kit.seal(long, j, [kit.contribution(long, j, ann)], { anchor: kit.at(long, height) })
    const oldest = long.height + 1 - EASY.anchorAgeMax
    return { honest: mined(long, { seals: [at(oldest)] }), cheat: carryingSeals(long, at(oldest - 1)) }
  },
  'seal-anchor-backwards': () => {
    const on = kit.mine(tip, { seals: [goodSeal] }).meta
    const next = benchmarkJob(on.ledger)
    const at = (anchor: BlockMeta): SignedSeal => kit.seal(on, next, [kit.contribution(on, next, bob)], { anchor })
    return { honest: mined(on, { seals: [at(tip)] }), cheat: carryingSeals(on, at(tip.parent as BlockMeta)) }
  },
  'seal-anchor-early': () => {
    const on = kit.at(tip, EASY.committeeBlocks + 1)
    const j = benchmarkJob(on.ledger)
    const at = (height: number): SignedSeal => kit.seal(on, j, [kit.contribution(on, j, ann)], { anchor: kit.at(on, height) })
    return { honest: mined(on, { seals: [at(EASY.committeeBlocks)] }), cheat: carryingSeals(on, at(EASY.committeeBlocks - 1)) }
  },
  // One member signs twice.
  'seal-signature-order': () => signatures(s => [s[0], s[0], s[1]]),
  'seal-member': () => signatures(s => [...s, { member: 3, signature: s[0].signature }]),
  'seal-quorum': () => signatures(s => s.slice(0, -1)),
  'seal-contribution-count': () => seal({ contributions: [] }),
  'seal-contribution-order': () => seal({ contributions: [...goodSeal.seal.contributions].reverse() }),
  // One slice, claimed under two templates.
  'seal-contribution-repeated': () => sealOf(work[0], kit.contribution(tip, job, ann, 0, { time: 7 })),
  'seal-signature': () => signatures(s => [s[0], { ...s[1], signature: s[0].signature }, s[2]]),
  'seal-payload': () => ({ honest: honestSeal, cheat: { ...honestSeal, facts: { seals: [{ kind: 'bad-payload', detail: 'too large a change' }] } } }),
  'seal-state-hash': () => ({ honest: honestSeal, cheat: { ...honestSeal, facts: { seals: [{ kind: 'done', stateHash: other }] } } }),
  'seal-state-unavailable': () => ({ honest: honestSeal, cheat: { ...honestSeal, facts: { seals: [{ kind: 'unavailable', detail: 'payload not held' }] } }, verdict: 'unavailable' }),

  'contribution-version': () => contribution({ version: 0 }),
  'contribution-chain': () => contribution({ chain: other }),
  'contribution-job': () => contribution({ job: other }),
  'contribution-round': () => contribution({ round: 1 }),
  'contribution-seal': () => contribution({ seal: other }),
  'contribution-state': () => contribution({ stateHash: other }),
  'contribution-randomness-age': () => {
    const j = benchmarkJob(long.ledger)
    // The template at height h is drawn by the block at h - 1 - rhoDelay.
    const made = (age: number): SignedSeal => kit.seal(long, j, [kit.contribution(kit.at(long, long.height - age + EASY.rhoDelay), j, ann)])
    return { honest: mined(long, { seals: [made(EASY.randomnessAgeMax)] }), cheat: carryingSeals(long, made(EASY.randomnessAgeMax + 1)) }
  },
  'contribution-randomness': () => contribution({ randomness: tip.rho }),
  'contribution-draw': () => {
    const { on, paid } = active
    const b = benchmarkJob(on.ledger)
    const drawn = whoDraws(on, paid.id, true)
    const free = whoDraws(on, paid.id, false)
    return {
      honest: mined(on, { seals: [kit.seal(on, b, [kit.contribution(on, b, free)]), kit.seal(on, paid, [kit.contribution(on, paid, drawn)])] }),
      cheat: carryingSeals(on, kit.seal(on, paid, [kit.contribution(on, paid, free)]))
    }
  },
  'contribution-slice': () => contribution({}, MAX_CONTRIBUTION_SLICES),
  // With 24 miners at work a third of the slices is drawn.
  'contribution-eligibility': () => {
    const crowd = kit.extend(tip, 24, Array.from({ length: 24 }, (_, i) => keyPair(100 + i)))
    const j = benchmarkJob(crowd.ledger)
    const q = randomnessBlock(kit.params, crowd)
    const claims = Array.from({ length: 24 }, (_, i) => kit.contribution(crowd, j, keyPair(100 + i)))
    const pick = (yes: boolean): SignedSeal => kit.seal(crowd, j, [claims.find(c => eligible(kit.params, q, c) === yes) as Claim])
    return { honest: mined(crowd, { seals: [pick(true)] }), cheat: carryingSeals(crowd, pick(false)) }
  },
  'contribution-payload-size': () => sealOf(kit.signClaim({ ...work[0], payloadBytes: work[0].payloadBytes + 1 }, ann)),
  'contribution-signature': () => sealOf(work[1], { ...work[0], signature: work[1].signature }),
  'contribution-wrong': () => ({ honest: honestSeal, cheat: { ...honestSeal, facts: { wrongContributions: new Set([toHex(claimId(work[1]))]) } } })
}
