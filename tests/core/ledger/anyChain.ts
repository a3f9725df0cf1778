/** Chains of any kind, from scripts of small steps: transfers, jobs that come and go, seals, blocks of any miner. */
import fc from 'fast-check'
import { toHex } from '../../../src/core/codec/ssz.ts'
import type { SignedSeal, SignedTransaction } from '../../../src/core/codec/wire.ts'
import { trySeals } from '../../../src/core/consensus/assemble.ts'
import type { BlockMeta } from '../../../src/core/consensus/chain.ts'
import { checkContribution } from '../../../src/core/consensus/contribution.ts'
import { tryTransactions } from '../../../src/core/consensus/transaction.ts'
import { epochAt } from '../../../src/core/ledger/seeding.ts'
import { isEnded } from '../../../src/core/ledger/state.ts'
import { ChainKit, EASY, keyPair, type Mined, tinySpec } from '../chainKit.ts'

export const kit = new ChainKit({ ...EASY, name: 'conserve', halvingBlocks: 20, maturity: 2, cancelDelay: 3, epochBlocks: 4 }, { trusting: true })
const people = [1, 2, 3, 4].map(keyPair)
const start = kit.grown(10, 4)

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('transfer' as const), who: fc.nat(3), to: fc.nat(4), share: fc.integer({ min: 0, max: 120 }), nonceOff: fc.constantFrom(0, 0, 0, 1, -1) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('post' as const), who: fc.nat(3), escrow: fc.integer({ min: 0, max: 9_000 }), price: fc.integer({ min: 0, max: 4_000 }), burn: fc.integer({ min: 500, max: 100_000 }), ahead: fc.integer({ min: 5, max: 16 }), steps: fc.integer({ min: 2, max: 9 }) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('cancel' as const), who: fc.nat(3), job: fc.nat(5) }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('seal' as const), job: fc.nat(5), workers: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('set-aside' as const), who: fc.nat(3), grains: fc.oneof(fc.integer({ min: 900, max: 3_000 }), fc.integer({ min: 0, max: 40_000 })) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('redeem' as const), who: fc.nat(3), back: fc.constantFrom(1, 1, 1, 1, 0, 2), receipts: fc.array(fc.record({ from: fc.nat(4), torrent: fc.nat(2), kib: fc.integer({ min: 900, max: 9_000 }) }), { maxLength: 4 }) }) },
  { weight: 7, arbitrary: fc.record({ kind: fc.constant('block' as const), miner: fc.nat(3) }) }
)
export type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

export const script = fc.array(step, { minLength: 30, maxLength: 90 })

/** Runs a script; `did` counts what really happened, so that no property passes by doing nothing. Returns the tip. */
export function runScript (script: readonly Step[], did: Record<string, number>, onBlock: (before: BlockMeta, mined: Mined) => void = () => {}): BlockMeta {
  let tip = start
  let transactions: SignedTransaction[] = []
  let seals: SignedSeal[] = []
  const block = (miner: number): void => {
    const valid = tryTransactions(kit.params, tip, transactions, 100_000)
    const sealed = trySeals(kit.params, tip, valid, seals)
    const mined = kit.mine(tip, { miner: people[miner], transactions: valid, seals: sealed })
    onBlock(tip, mined)
    for (const e of mined.events) did[e.kind] = (did[e.kind] ?? 0) + 1
    for (const j of mined.meta.ledger.jobs) {
      did[j.status] = (did[j.status] ?? 0) + 1
      if (j.status === 'active' && j.cancelsAt !== 0) did['being cancelled'] = (did['being cancelled'] ?? 0) + 1
    }
    transactions = []
    seals = []
    tip = mined.meta
  }
  for (const s of script) {
    switch (s.kind) {
      case 'transfer': {
        const from = people[s.who]
        const a = tip.ledger.accounts.get(from.key)
        const nonce = Math.max(0, (a?.nonce ?? 0) + transactions.filter(t => toHex(t.transaction.from) === toHex(from.key)).length + s.nonceOff)
        transactions.push(kit.transfer(tip, from, keyPair(s.to + 1).key, (a?.balance ?? 0n) * BigInt(s.share) / 100n, { nonce }))
        break
      }
      case 'post':
        transactions.push(kit.post(tip, people[s.who], { escrow: BigInt(s.escrow), price: BigInt(s.price), burn: BigInt(s.burn), deadline: tip.height + 1 + s.ahead, spec: { ...tinySpec, rounds: 2, stepsPerSlice: s.steps } }))
        break
      case 'set-aside':
        transactions.push(kit.setAside(tip, people[s.who], BigInt(s.grains)))
        break
      case 'redeem': {
        const to = people[s.who]
        const epoch = Math.max(0, epochAt(tip.height + 1, kit.params.epochBlocks) - s.back)
        const receipts = s.receipts.map(r => kit.receipt(keyPair(r.from + 1), to.key, epoch, r.kib * 1024, { infoHash: new Uint8Array(20).fill(r.torrent) }))
        transactions.push(kit.redeem(tip, to, epoch, receipts))
        break
      }
      case 'cancel': {
        const job = tip.ledger.jobs[s.job]
        if (job !== undefined) transactions.push(kit.cancel(tip, people[s.who], job.id))
        break
      }
      case 'seal': {
        const job = tip.ledger.jobs[s.job]
        if (job === undefined || isEnded(job)) break
        const claims = job.status === 'waiting' ? [] : people.slice(0, s.workers).map(p => kit.contribution(tip, job, p))
        const state = { job: job.id, round: job.round, seal: job.seal, stateHash: job.stateHash, spec: job.spec }
        seals.push(kit.seal(tip, job, claims.filter(c => checkContribution(kit.params, tip, c, state) === undefined)))
        break
      }
      case 'block': block(s.miner)
    }
  }
  block(0)
  return tip
}
