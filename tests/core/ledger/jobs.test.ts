/** The life of a job and the edges of the ledger: to the block, to the grain. */
import { describe, expect, it } from 'vitest'
import type { JobSpec } from '../../../src/core/codec/jobSpec.ts'
import { toHex, ZERO32 } from '../../../src/core/codec/ssz.ts'
import type { BlockMeta } from '../../../src/core/consensus/chain.ts'
import { checkContribution } from '../../../src/core/consensus/contribution.ts'
import type { SignedSeal, SignedTransaction } from '../../../src/core/codec/wire.ts'
import { hash } from '../../../src/core/crypto/hash.ts'
import { jobId, specHash } from '../../../src/core/crypto/ids.ts'
import { MAX_DEADLINE_BLOCKS, MIN_DEADLINE_BLOCKS, openBlock, subsidyAt } from '../../../src/core/ledger/apply.ts'
import { account, benchmarkJob, decodeLedger, encodeLedger, findJob, isEnded, type JobRecord, ledgerRoot, type LedgerState, withAccount } from '../../../src/core/ledger/state.ts'
import { MAIN, MAX_ENDED_JOBS, MAX_WAITING_BLOCKS } from '../../../src/core/params.ts'
import { checkTransaction } from '../../../src/core/consensus/transaction.ts'
import { sliceCost } from '../../../src/core/training/cost.ts'
import { ChainKit, EASY, type KeyPair, keyPair, type Mined, type Post, tinySpec } from '../chainKit.ts'

const kit = new ChainKit()
const tip = kit.grown()
const ann = keyPair(1)

const jobIn = (meta: BlockMeta, id: Uint8Array): JobRecord => findJob(meta.ledger, id) as JobRecord

function posted (o: Post): { readonly on: BlockMeta, readonly id: Uint8Array } {
  const on = kit.mine(tip, { transactions: [kit.post(tip, ann, o)] }).meta
  return { on, id: on.ledger.jobs[1].id }
}

function activated (o: Post): { readonly on: BlockMeta, readonly id: Uint8Array } {
  const { on, id } = posted(o)
  const active = kit.mine(on, { seals: [kit.seal(on, jobIn(on, id), [])] }).meta
  return { on: kit.extend(active, EASY.rhoDelay + 1), id }
}

/** Seals the job's next round by `count` contributors who draw it. */
function sealWith (on: BlockMeta, id: Uint8Array, count: number): Mined {
  const job = jobIn(on, id)
  const state = { job: id, round: job.round, seal: job.seal, stateHash: job.stateHash, spec: job.spec }
  const claims = Array.from({ length: 60 }, (_, i) => kit.contribution(on, job, keyPair(i + 1)))
    .filter(c => checkContribution(kit.params, on, c, state) === undefined).slice(0, count)
  expect(claims.length).toBe(count)
  return kit.mine(on, { seals: [kit.seal(on, job, claims)] })
}

describe('a job', () => {
  it('waits for its data, is active once sealed, and ends with its last round; the rest goes back', () => {
    const { on, id } = posted({ escrow: 100_000n, price: 7n })
    expect(jobIn(on, id)).toMatchObject({ status: 'waiting', round: 0, seal: ZERO32, stateHash: ZERO32, endedAt: 0 })
    let { on: now } = activated({ escrow: 100_000n, price: 7n })
    expect(jobIn(now, id)).toMatchObject({ status: 'active', round: 0 })
    expect(jobIn(now, id).stateHash).not.toEqual(ZERO32)
    let last: Mined | undefined
    for (let round = 1; round <= tinySpec.rounds; round++) {
      last = sealWith(now, id, 2)
      now = last.meta
      expect(jobIn(now, id).round).toBe(round)
    }
    expect(jobIn(now, id)).toMatchObject({ status: 'done', escrowLeft: 0n, endedAt: now.height })
    expect(last!.events.filter(e => e.kind === 'job-refund')).toMatchObject([{ account: ann.key, amount: 100_000n - 7n * 6n }])
  })

  it('runs out of escrow in the middle of a seal: who comes first is paid, the change goes back', () => {
    const { on, id } = activated({ escrow: 25n, price: 10n })
    const { meta, events } = sealWith(on, id, 4)
    const paid = events.filter(e => e.kind === 'contribution')
    expect(paid.map(e => e.amount)).toEqual([10n, 10n])
    expect(events.filter(e => e.kind === 'contribution-subsidy').length).toBe(4)
    expect(events.filter(e => e.kind === 'job-refund')).toMatchObject([{ amount: 5n }])
    expect(jobIn(meta, id)).toMatchObject({ status: 'exhausted', escrowLeft: 0n })
  })

  it('is exhausted as soon as nothing more can be paid, even if everything was', () => {
    const { on, id } = activated({ escrow: 20n, price: 10n })
    const { meta, events } = sealWith(on, id, 2)
    expect(events.some(e => e.kind === 'job-refund')).toBe(false)
    expect(jobIn(meta, id).status).toBe('exhausted')
  })

  it('ends at its deadline, not a block before, and is refunded at once', () => {
    const deadline = tip.height + 1 + MIN_DEADLINE_BLOCKS + 3
    const { on, id } = activated({ escrow: 500n, price: 1n, deadline })
    const before = kit.extend(on, deadline - 1 - on.height)
    expect(jobIn(before, id).status).toBe('active')
    const balance = account(openBlock(kit.params, before.ledger, deadline).ledger, ann.key).balance
    const at = kit.mine(before, { miner: keyPair(2) })
    expect(jobIn(at.meta, id)).toMatchObject({ status: 'expired', endedAt: deadline })
    expect(at.events).toContainEqual({ kind: 'job-refund', account: ann.key, amount: 500n, job: id })
    expect(account(at.meta.ledger, ann.key).balance).toBe(balance)
  })

  it('cannot be sealed in the block of its deadline', () => {
    const deadline = tip.height + 1 + MIN_DEADLINE_BLOCKS + 3
    const { on, id } = activated({ deadline })
    const before = kit.extend(on, deadline - 1 - on.height)
    expect(() => sealWith(before, id, 1)).toThrow('seal-job-ended')
  })

  it('that nobody can hold does not wait for ever', () => {
    const { on, id } = posted({ deadline: tip.height + 100_000 })
    const record = jobIn(on, id)
    const overdue = record.postedAt + MAX_WAITING_BLOCKS
    expect(findJob(openBlock(kit.params, on.ledger, overdue - 1).ledger, id)?.status).toBe('waiting')
    expect(findJob(openBlock(kit.params, on.ledger, overdue).ledger, id)).toMatchObject({ status: 'expired', escrowLeft: 0n })
  })

  const annsLines = (m: Mined): unknown[] => m.events.filter(e => toHex(e.account) === toHex(ann.key) && e.maturesAt === undefined).map(e => [e.kind, e.amount])

  it('that waits for its data ends with the cancellation and pays back all, less the fee', () => {
    const { on, id } = posted({ escrow: 500n, price: 1n })
    const mined = kit.mine(on, { miner: keyPair(2), transactions: [kit.cancel(on, ann, id)] })
    expect(jobIn(mined.meta, id)).toMatchObject({ status: 'cancelled', endedAt: mined.meta.height, cancelsAt: 0 })
    expect(annsLines(mined)).toEqual([['sent', -EASY.minFee], ['job-refund', 500n]])
  })

  it('of an owner who cancels goes on for a few blocks, then pays back all that is left', () => {
    const { on, id } = activated({ escrow: 500n, price: 1n })
    const cancelled = kit.mine(on, { miner: keyPair(2), transactions: [kit.cancel(on, ann, id)] })
    const end = cancelled.meta.height + EASY.cancelDelay
    expect(jobIn(cancelled.meta, id)).toMatchObject({ status: 'active', cancelsAt: end, escrowLeft: 500n, endedAt: 0 })
    expect(annsLines(cancelled)).toEqual([['sent', -EASY.minFee]])
    const before = kit.extend(cancelled.meta, EASY.cancelDelay - 1, [keyPair(2)])
    expect(jobIn(before, id).status).toBe('active')
    const last = kit.mine(before, { miner: keyPair(2) })
    expect(jobIn(last.meta, id)).toMatchObject({ status: 'cancelled', endedAt: end, escrowLeft: 0n })
    expect(annsLines(last)).toEqual([['job-refund', 500n]])
  })

  it('that is cancelled in a block without its seals pays for them all the same, in the block of the next honest miner', () => {
    const { on, id } = activated({ escrow: 500n, price: 10n })
    const job = jobIn(on, id)
    const state = { job: id, round: job.round, seal: job.seal, stateHash: job.stateHash, spec: job.spec }
    const worked = Array.from({ length: 60 }, (_, i) => kit.contribution(on, job, keyPair(i + 1))).filter(c => checkContribution(kit.params, on, c, state) === undefined).slice(0, 2)
    const signed = kit.seal(on, job, worked)
    // The cheat: the owner has the seal, and finds blocks with his cancellation and without it.
    let now = kit.mine(on, { miner: ann, transactions: [kit.cancel(on, ann, id)] }).meta
    now = kit.extend(now, EASY.cancelDelay - 2, [ann])
    const honest = kit.mine(now, { miner: keyPair(2), seals: [signed] })
    expect(honest.events.filter(e => e.kind === 'contribution').map(e => e.amount)).toEqual([10n, 10n])
    // Who held it back to the end comes too late.
    const over = kit.mine(honest.meta, { miner: keyPair(2) })
    expect(annsLines(over)).toEqual([['job-refund', 480n]])
    expect(() => kit.mine(kit.extend(now, 1, [ann]), { seals: [signed] })).toThrow('seal-job-ended')
  })

  it('ends at its deadline if that comes before the cancellation does', () => {
    const deadline = tip.height + 1 + MIN_DEADLINE_BLOCKS + 3
    const { on, id } = activated({ deadline })
    const before = kit.extend(on, deadline - 2 - on.height)
    const cancelled = kit.mine(before, { transactions: [kit.cancel(before, ann, id)] }).meta
    expect(jobIn(cancelled, id).cancelsAt).toBeGreaterThan(deadline)
    expect(jobIn(kit.mine(cancelled).meta, id)).toMatchObject({ status: 'expired', endedAt: deadline })
  })

  it('has slices that are worth drawing: what costs less than the least slice is not posted', () => {
    const at = (spec: JobSpec): string | undefined => checkTransaction(kit.params, tip, kit.post(tip, ann, { spec }))?.reason
    expect(sliceCost(tinySpec)).toBe(EASY.minSliceCost)
    expect(at(tinySpec)).toBeUndefined()
    expect(at({ ...tinySpec, stepsPerSlice: tinySpec.stepsPerSlice - 1 })).toBe('post-spec-rules')
  })

  it('has a deadline within bounds', () => {
    const at = (deadline: number): string | undefined => checkTransaction(kit.params, tip, kit.post(tip, ann, { deadline }))?.reason
    const height = tip.height + 1
    expect(at(height + MIN_DEADLINE_BLOCKS)).toBe('post-deadline')
    expect(at(height + MIN_DEADLINE_BLOCKS + 1)).toBeUndefined()
    expect(at(height + MAX_DEADLINE_BLOCKS)).toBeUndefined()
    expect(at(height + MAX_DEADLINE_BLOCKS + 1)).toBe('post-deadline')
    expect(at(0)).toBe('post-deadline')
  })

  it('may cost all there is, and not a grain more', () => {
    const all = account(openBlock(kit.params, tip.ledger, tip.height + 1).ledger, ann.key).balance
    const reason = (o: Post): string | undefined => checkTransaction(kit.params, tip, kit.post(tip, ann, o))?.reason
    expect(reason({ escrow: all - 2n * EASY.minFee })).toBeUndefined()
    expect(reason({ escrow: all - 2n * EASY.minFee + 1n })).toBe('transaction-balance')
    const most = (1n << 64n) - 1n
    expect(reason({ escrow: most, price: most, burn: most, fee: most })).toBe('transaction-balance')
  })

  it('leaves the table when more than the bound have ended, oldest first', () => {
    let now = tip
    const ids: Uint8Array[] = []
    for (let i = 0; i < MAX_ENDED_JOBS + 2; i++) {
      now = kit.mine(now, { transactions: [kit.post(now, ann)] }).meta
      const id = now.ledger.jobs[now.ledger.jobs.length - 1].id
      ids.push(id)
      now = kit.mine(now, { transactions: [kit.cancel(now, ann, id)] }).meta
    }
    const ended = now.ledger.jobs.filter(isEnded)
    expect(ended.map(j => toHex(j.id))).toEqual(ids.slice(2).map(toHex))
    expect(benchmarkJob(now.ledger).status).toBe('benchmark')
    expect(checkTransaction(kit.params, now, kit.cancel(now, ann, ids[0]))?.reason).toBe('cancel-unknown')
  })

  /** Post, cancel, post, cancel: in one block any number of jobs end, and each makes room for the next. */
  function postedAndCancelled (on: BlockMeta, by: KeyPair, pairs: number): SignedTransaction[] {
    const first = account(on.ledger, by.key).nonce
    return Array.from({ length: pairs }, (_, i) => first + 2 * i).flatMap(nonce =>
      [kit.post(on, by, { nonce }), kit.cancel(on, by, jobId(specHash(tinySpec), by.key, nonce), { nonce: nonce + 1 })])
  }

  it('that was trained stays in the table, in the block of its end and after it, however many are posted and cancelled', () => {
    const { on, id } = activated({ spec: { ...tinySpec, rounds: 1 } })
    const job = jobIn(on, id)
    const state = { job: id, round: job.round, seal: job.seal, stateHash: job.stateHash, spec: job.spec }
    const claims = Array.from({ length: 60 }, (_, i) => kit.contribution(on, job, keyPair(i + 1))).filter(c => checkContribution(kit.params, on, c, state) === undefined).slice(0, 2)
    const flushed = (at: BlockMeta, seals = [] as SignedSeal[]): BlockMeta =>
      kit.mine(at, { miner: keyPair(3), seals, transactions: postedAndCancelled(at, keyPair(2), MAX_ENDED_JOBS + 1) }).meta
    const now = flushed(flushed(on, [kit.seal(on, job, claims)]))
    expect(jobIn(now, id)).toMatchObject({ status: 'done', round: 1 })
    const ended = now.ledger.jobs.filter(isEnded)
    expect(ended.length).toBe(MAX_ENDED_JOBS)
    // Of those that never began, the newest stay.
    expect(ended.filter(j => j.endedAt === now.height).length).toBe(MAX_ENDED_JOBS - 1)
  })
})

describe('the benchmark', () => {
  it('cannot be cancelled by its zero key, for which anyone can sign', () => {
    const rich = kit.mine(tip, { transactions: [kit.transfer(tip, ann, ZERO32, 1_000_000n)] }).meta
    const tx = kit.cancel(rich, { seed: ann.seed, key: ZERO32 }, benchmarkJob(rich.ledger).id)
    expect(checkTransaction(kit.params, rich, tx)?.reason).toBe('cancel-owner')
  })
})

describe('issuance', () => {
  it('halves at the block that fills the span, and ends', () => {
    const n = MAIN.halvingBlocks
    expect(subsidyAt(MAIN, 1)).toBe(50_000_000n)
    expect(subsidyAt(MAIN, n - 1)).toBe(50_000_000n)
    expect(subsidyAt(MAIN, n)).toBe(25_000_000n)
    expect(subsidyAt(MAIN, 2 * n - 1)).toBe(25_000_000n)
    expect(subsidyAt(MAIN, 2 * n)).toBe(12_500_000n)
    expect(subsidyAt(MAIN, 26 * n)).toBe(0n)
    expect(subsidyAt(MAIN, 0xffffffff)).toBe(0n)
  })

  it('never comes near what 64 bits hold', () => {
    let total = 0n
    for (let h = 0; h < 30; h++) total += subsidyAt(MAIN, h * MAIN.halvingBlocks) * BigInt(MAIN.halvingBlocks)
    expect(total).toBeLessThan(1n << 50n)
  })

  it('of a block without contributions leaves their share unissued', () => {
    const { meta } = kit.mine(tip)
    expect(meta.ledger.issued - tip.ledger.issued).toBe(EASY.subsidy * 192n / 256n)
  })

  it('splits the share by the cost of the slices: small ones do not earn like large ones', () => {
    const small = tinySpec
    const large = { ...tinySpec, stepsPerSlice: 20, name: new TextEncoder().encode('large') }
    let on = kit.mine(tip, { transactions: [small, large].map((spec, i) => kit.post(tip, keyPair(i + 1), { spec, burn: 1_000_000n })) }).meta
    on = kit.mine(on, { seals: on.ledger.jobs.slice(1).map(j => kit.seal(on, j, [])) }).meta
    on = kit.extend(on, EASY.rhoDelay + 1)
    const seals = on.ledger.jobs.slice(1).map(job => {
      const state = { job: job.id, round: job.round, seal: job.seal, stateHash: job.stateHash, spec: job.spec }
      const claims = Array.from({ length: 60 }, (_, i) => kit.contribution(on, job, keyPair(i + 1))).filter(c => checkContribution(kit.params, on, c, state) === undefined)
      // The cheat: three small slices against one large one.
      return kit.seal(on, job, claims.slice(0, job.spec.stepsPerSlice === 2 ? 3 : 1))
    })
    const mined = kit.mine(on, { seals })
    const pool = EASY.subsidy * 64n / 256n
    const paid = mined.events.filter(e => e.kind === 'contribution-subsidy').map(e => e.amount)
    expect(paid.sort((a, b) => Number(a - b))).toEqual([pool / 13n, pool / 13n, pool / 13n, pool * 10n / 13n])
    expect(mined.meta.ledger.issued - on.ledger.issued).toBe(EASY.subsidy * 192n / 256n + 3n * (pool / 13n) + pool * 10n / 13n)
  })

  it('splits it evenly among slices of one job and does not issue the remainder', () => {
    const mined = kit.sealRound(tip, [ann, keyPair(2), keyPair(3)])
    const each = EASY.subsidy * 64n / 256n / 3n
    expect(mined.events.filter(e => e.kind === 'contribution-subsidy').map(e => e.amount)).toEqual([each, each, each])
    expect(mined.meta.ledger.issued - tip.ledger.issued).toBe(EASY.subsidy * 192n / 256n + 3n * each)
  })
})

describe('maturity', () => {
  it('makes a reward spendable in the block that many blocks later, not before', () => {
    const dan = keyPair(77)
    const mined = kit.mine(tip, { payee: dan.key }).meta
    const amount = EASY.subsidy * 192n / 256n
    const spend = (on: BlockMeta): string | undefined => checkTransaction(kit.params, on, kit.transfer(on, dan, ann.key, amount - EASY.minFee))?.reason
    const ripeAt = mined.height + EASY.maturity
    expect(spend(kit.extend(mined, ripeAt - 2 - mined.height))).toBe('transaction-balance')
    expect(spend(kit.extend(mined, ripeAt - 1 - mined.height))).toBeUndefined()
  })
})

describe('a snapshot', () => {
  const { ledger } = tip
  const reason = (l: LedgerState): string => {
    const d = decodeLedger(encodeLedger(l))
    return d.ok ? 'taken' : d.error.detail
  }

  it('is refused when grains do not add up', () => {
    expect(reason({ ...ledger, issued: ledger.issued + 1n })).toContain('add up')
    expect(reason(withAccount(ledger, ann.key, { balance: 1n << 60n, nonce: 0 }))).toContain('add up')
  })

  it('is refused with a job table that cannot be', () => {
    const benchmark = benchmarkJob(ledger)
    expect(reason({ ...ledger, jobs: [] })).toContain('no benchmark')
    expect(reason({ ...ledger, jobs: [benchmark, benchmark] })).toContain('not the first')
    expect(reason({ ...ledger, jobs: [{ ...benchmark, status: 'active' }] })).toContain('not the first')
    const job: JobRecord = { ...benchmark, status: 'active', id: hash('job-a') }
    expect(reason({ ...ledger, jobs: [benchmark, job, job] })).toContain('twice')
    expect(reason({ ...ledger, jobs: [benchmark, { ...job, endedAt: 3 }] })).toContain('disagree')
    expect(reason({ ...ledger, jobs: [benchmark, { ...job, escrowLeft: 1n }] })).toContain('escrow')
    expect(reason({ ...ledger, jobs: [benchmark, { ...job, cancelsAt: ledger.height }] })).toContain('cancellation')
    expect(reason({ ...ledger, jobs: [benchmark, { ...job, cancelsAt: ledger.height + 1 }] })).toBe('taken')
    expect(reason({ ...ledger, jobs: [{ ...benchmark, cancelsAt: 99 }] })).toContain('cancellation')
    for (const offerShare of [15, 65_537]) expect(reason({ ...ledger, jobs: [{ ...benchmark, offerShare }] })).toContain('offer share')
  })

  it('is refused with credits out of order or overdue', () => {
    const [m] = ledger.maturing
    expect(reason({ ...ledger, maturing: [...ledger.maturing].reverse() })).toContain('order')
    expect(reason({ ...ledger, maturing: [{ ...m, height: ledger.height }, ...ledger.maturing.slice(1)] })).toContain('order')
  })

  it('has the root of the ledger it came from, and no other', () => {
    const d = decodeLedger(encodeLedger(ledger))
    expect(d.ok && toHex(ledgerRoot(d.value))).toBe(toHex(tip.header.template.stateRoot))
    const roots = [
      { ...ledger, height: 0 }, { ...ledger, issued: 0n }, { ...ledger, burned: 1n }, { ...ledger, maturing: [] }, { ...ledger, jobs: [] },
      withAccount(ledger, ann.key, { balance: 0n, nonce: 0 })
    ].map(l => toHex(ledgerRoot(l)))
    expect(new Set([...roots, toHex(ledgerRoot(ledger))]).size).toBe(7)
  })
})
