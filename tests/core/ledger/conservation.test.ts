/** Whatever valid blocks do: no grain appears or is lost, and every account's history explains its balance. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toHex } from '../../../src/core/codec/ssz.ts'
import type { SignedSeal, SignedTransaction } from '../../../src/core/codec/wire.ts'
import { trySeals } from '../../../src/core/consensus/assemble.ts'
import type { BlockMeta } from '../../../src/core/consensus/chain.ts'
import { checkContribution } from '../../../src/core/consensus/contribution.ts'
import { tryTransactions } from '../../../src/core/consensus/transaction.ts'
import type { LedgerEvent } from '../../../src/core/ledger/apply.ts'
import { decodeLedger, encodeLedger, escrowSum, isConserved, isEnded, ledgerRoot, type LedgerState, maturingSum } from '../../../src/core/ledger/state.ts'
import { MAX_ACTIVE_JOBS } from '../../../src/core/params.ts'
import { ChainKit, EASY, keyPair, tinySpec } from '../chainKit.ts'

const kit = new ChainKit({ ...EASY, name: 'conserve', halvingBlocks: 20, maturity: 2, cancelDelay: 3 }, { trusting: true })
const people = [1, 2, 3, 4].map(keyPair)
const start = kit.grown(10, 4)

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('transfer' as const), who: fc.nat(3), to: fc.nat(4), share: fc.integer({ min: 0, max: 120 }), nonceOff: fc.constantFrom(0, 0, 0, 1, -1) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('post' as const), who: fc.nat(3), escrow: fc.integer({ min: 0, max: 9_000 }), price: fc.integer({ min: 0, max: 4_000 }), burn: fc.integer({ min: 500, max: 100_000 }), ahead: fc.integer({ min: 5, max: 16 }), steps: fc.integer({ min: 2, max: 9 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cancel' as const), who: fc.nat(3), job: fc.nat(5) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('seal' as const), job: fc.nat(5), workers: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('block' as const), miner: fc.nat(3) }) }
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** What an account holds in all: spendable and unripe. */
function holdings (ledger: LedgerState): Map<string, bigint> {
  const out = new Map<string, bigint>()
  const add = (key: Uint8Array, n: bigint): void => { out.set(toHex(key), (out.get(toHex(key)) ?? 0n) + n) }
  for (const [key, a] of ledger.accounts.entries()) add(key, a.balance)
  for (const m of ledger.maturing) add(m.account, m.amount)
  return out
}

function checkBlock (before: BlockMeta, after: BlockMeta, events: readonly LedgerEvent[]): void {
  const { ledger } = after
  expect(isConserved(ledger)).toBe(true)
  expect(ledger.accounts.sum + maturingSum(ledger) + escrowSum(ledger) + ledger.burned).toBe(ledger.issued)
  expect(after.header.template.stateRoot).toEqual(ledgerRoot(ledger))
  expect(ledger.issued - before.ledger.issued).toBeLessThanOrEqual(EASY.subsidy)
  expect(ledger.burned).toBeGreaterThanOrEqual(before.ledger.burned)
  expect(ledger.jobs.filter(j => j.status === 'waiting' || j.status === 'active').length).toBeLessThanOrEqual(MAX_ACTIVE_JOBS)
  for (const j of ledger.jobs) {
    if (j.cancelsAt !== 0 && !isEnded(j)) expect(j.cancelsAt).toBeGreaterThan(ledger.height)
    if (isEnded(j)) expect(j.escrowLeft).toBe(0n)
    expect(j.escrowLeft).toBeLessThanOrEqual(j.escrow)
  }
  for (const [, a] of ledger.accounts.entries()) expect(a.balance).toBeGreaterThanOrEqual(0n)

  const explained = holdings(before.ledger)
  for (const e of events) explained.set(toHex(e.account), (explained.get(toHex(e.account)) ?? 0n) + e.amount)
  const held = holdings(ledger)
  for (const key of new Set([...explained.keys(), ...held.keys()])) expect(held.get(key) ?? 0n).toBe(explained.get(key) ?? 0n)

  const again = decodeLedger(encodeLedger(ledger))
  expect(again.ok && toHex(ledgerRoot(again.value))).toBe(toHex(ledgerRoot(ledger)))
}

/** Runs the script; counts what really happened so that the property cannot pass by doing nothing. */
function run (script: readonly Step[], did: Record<string, number>): void {
  let tip = start
  let transactions: SignedTransaction[] = []
  let seals: SignedSeal[] = []
  const block = (miner: number): void => {
    const valid = tryTransactions(kit.params, tip, transactions, 100_000)
    const sealed = trySeals(kit.params, tip, valid, seals)
    const mined = kit.mine(tip, { miner: people[miner], transactions: valid, seals: sealed })
    checkBlock(tip, mined.meta, mined.events)
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
}

describe('conservation', () => {
  it('holds at every block of any sequence of transactions, jobs and seals', () => {
    const did: Record<string, number> = {}
    fc.assert(fc.property(fc.array(step, { minLength: 20, maxLength: 60 }), script => { run(script, did) }), { numRuns: 25, seed: 7 })
    for (const kind of ['block-reward', 'contribution', 'contribution-subsidy', 'fees', 'received', 'sent', 'job-posted', 'job-refund', 'active', 'expired', 'being cancelled', 'cancelled', 'exhausted']) {
      expect(did[kind] ?? 0, kind).toBeGreaterThan(0)
    }
  }, 120_000)
})
