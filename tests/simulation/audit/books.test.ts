/** The auditor's ledger against the chain's, whatever blocks do; and what it says of nodes' words about their heads, histories and ledgers. */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { encodeJobSpec } from '../../../src/core/codec/jobSpec.ts'
import { equalBytes, toHex } from '../../../src/core/codec/ssz.ts'
import { Block } from '../../../src/core/codec/wire.ts'
import type { BlockMeta } from '../../../src/core/consensus/chain.ts'
import { drawAt, randomnessBlock } from '../../../src/core/consensus/draw.ts'
import { jobId, sealHash, specHash } from '../../../src/core/crypto/ids.ts'
import { benchmarkJob, encodeLedger, findJob, isEnded, type JobRecord } from '../../../src/core/ledger/state.ts'
import { MAX_ENDED_JOBS, MAX_WAITING_BLOCKS } from '../../../src/core/params.ts'
import { ChainKit, EASY, keyPair, type Mined, tinySpec } from '../../core/chainKit.ts'
import { kit as anyKit, runScript, script } from '../../core/ledger/anyChain.ts'
import { Auditor } from './auditor.ts'
import { hexOf } from './bytes.ts'
import { readSnapshot, rootOf, type Snapshot, snapshotBytes } from './ledgerRoot.ts'
import { scheduleUpTo } from './numbers.ts'

// A second or two on an idle machine, more on a busy one.
vi.setConfig({ testTimeout: 120_000 })

const auditorOf = (kit: ChainKit): Auditor => new Auditor(kit.params, encodeJobSpec(kit.genesis.ledger.jobs[0].spec))
function follow (auditor: Auditor, kit: ChainKit, tip: BlockMeta): void {
  for (const block of kit.blocks(tip)) expect(auditor.add(Block.serialize(block)).violations).toEqual([])
}
const names = (found: ReadonlyArray<{ readonly name: string }>): string[] => found.map(v => v.name)

describe('any chain', () => {
  it('has nothing wrong with it, and the ledger that the node keeps, to the byte', () => {
    const did: Record<string, number> = {}
    const auditor = auditorOf(anyKit)
    let blocks = 0
    fc.assert(fc.property(script, steps => {
      runScript(steps, did, (before, mined: Mined) => {
        if (!auditor.has(toHex(before.hash))) follow(auditor, anyKit, before)
        const { id, violations } = auditor.add(Block.serialize(mined.block))
        expect(violations).toEqual([])
        expect(toHex(snapshotBytes(auditor.snapshot(id)!))).toBe(toHex(encodeLedger(mined.meta.ledger)))
        expect(auditor.work(id)).toBe(mined.meta.work)
        blocks++
      })
    }), { numRuns: 20, seed: 12 })
    expect(blocks).toBeGreaterThan(100)
    for (const kind of ['contribution', 'contribution-subsidy', 'fees', 'received', 'job-refund', 'set-aside', 'seeding-pay', 'set-aside-returned', 'expired', 'cancelled', 'exhausted', 'being cancelled']) {
      expect(did[kind] ?? 0, kind).toBeGreaterThan(0)
    }
  })
})

describe('a chain of rare things', () => {
  const kit = new ChainKit({ ...EASY, name: 'rare' }, { trusting: true })
  const ann = keyPair(1)
  const crowd = Array.from({ length: 40 }, (_, i) => keyPair(i + 1))
  const jobAt = (on: BlockMeta, id: Uint8Array): JobRecord => findJob(on.ledger, id)!
  const nothingWrong = (tip: BlockMeta): void => {
    const auditor = auditorOf(kit)
    follow(auditor, kit, tip)
    expect(toHex(snapshotBytes(auditor.snapshot(toHex(tip.hash))!))).toBe(toHex(encodeLedger(tip.ledger)))
  }

  it('rounds of one job on one another in one body', () => {
    const tip = kit.grown()
    const first = benchmarkJob(tip.ledger)
    const one = kit.seal(tip, first, [kit.contribution(tip, first, ann)])
    const second = { ...first, round: 1, seal: sealHash(one.seal), stateHash: one.seal.stateHash }
    const two = kit.seal(tip, second, [kit.contribution(tip, second, keyPair(2)), kit.contribution(tip, second, ann, 1)])
    const mined = kit.mine(tip, { seals: [one, two] }).meta
    expect(benchmarkJob(mined.ledger).round).toBe(2)
    nothingWrong(mined)
  })

  it('a job whose last round is sealed, and another in which the escrow ends between two contributions', () => {
    const tip = kit.grown()
    const posted = kit.mine(tip, { transactions: [kit.post(tip, ann, { burn: 50_000n }), kit.post(tip, ann, { nonce: 1, escrow: 25n, price: 10n, burn: 50_000n })] }).meta
    const ids = posted.ledger.jobs.slice(1).map(j => j.id)
    let on = kit.mine(posted, { seals: ids.map(id => kit.seal(posted, jobAt(posted, id), [])) }).meta
    on = kit.extend(on, EASY.rhoDelay + 1)
    for (let round = 1; round <= 3; round++) {
      const q = randomnessBlock(kit.params, on)
      const seals = ids.filter(id => !isEnded(jobAt(on, id))).map(id => {
        const workers = crowd.filter(k => equalBytes(drawAt(q, k.key), id)).slice(0, 4)
        return kit.seal(on, jobAt(on, id), workers.map(w => kit.contribution(on, jobAt(on, id), w)))
      })
      on = kit.mine(on, { seals }).meta
    }
    expect(ids.map(id => jobAt(on, id).status)).toEqual(['done', 'exhausted'])
    nothingWrong(kit.extend(on, EASY.maturity + 1))
  })

  it('more ended jobs than the table keeps, several of which end together', () => {
    let on = kit.grown()
    for (let i = 0; i < 9; i++) {
      const nonces = [0, 1, 2, 3].map(n => 8 * i + n)
      const ids = nonces.map(nonce => jobId(specHash(tinySpec), ann.key, nonce))
      on = kit.mine(on, { transactions: [...nonces.map(nonce => kit.post(on, ann, { nonce })), ...ids.map((id, n) => kit.cancel(on, ann, id, { nonce: 8 * i + 4 + n }))] }).meta
    }
    expect(on.ledger.jobs.length).toBe(1 + MAX_ENDED_JOBS)
    nothingWrong(on)
  })

  it('a trained job that ended before as many others as the table keeps, none of which began', () => {
    const tip = kit.grown()
    const posted = kit.mine(tip, { transactions: [kit.post(tip, ann, { deadline: tip.height + 8 })] }).meta
    const { id } = posted.ledger.jobs[1]
    let on = kit.extend(kit.mine(posted, { seals: [kit.seal(posted, jobAt(posted, id), [])] }).meta, 6)
    for (let i = 0; i < MAX_ENDED_JOBS + 1; i += 3) {
      const nonces = [0, 1, 2].map(n => 1 + 2 * i + n)
      const ids = nonces.map(nonce => jobId(specHash(tinySpec), ann.key, nonce))
      on = kit.mine(on, { transactions: [...nonces.map(nonce => kit.post(on, ann, { nonce })), ...ids.map((job, n) => kit.cancel(on, ann, job, { nonce: 4 + 2 * i + n }))] }).meta
    }
    expect(on.ledger.jobs.length).toBe(1 + MAX_ENDED_JOBS)
    expect(jobAt(on, id).status).toBe('expired')
    nothingWrong(on)
  })

  it('a job that waits too long', () => {
    const tip = kit.grown()
    const posted = kit.mine(tip, { transactions: [kit.post(tip, ann, { deadline: tip.height + 500 })] }).meta
    const after = kit.extend(posted, MAX_WAITING_BLOCKS)
    expect(after.ledger.jobs[1].status).toBe('expired')
    nothingWrong(after)
  })
})

describe('a ledger that a node hands in', () => {
  const kit = new ChainKit()
  const ann = keyPair(1)
  const grown = kit.grown()
  const posted = kit.mine(grown, { transactions: [kit.post(grown, ann)] }).meta
  const auditor = auditorOf(kit)
  follow(auditor, kit, posted)

  /** A block whose maker commits to a doctored ledger, and what the auditor says of that ledger. */
  function doctored (change: (s: Snapshot) => Snapshot): string[] {
    const honest = kit.mine(posted, { miner: keyPair(2) })
    const read = readSnapshot(encodeLedger(honest.meta.ledger))
    if ('wrong' in read) throw new Error(read.wrong)
    const snapshot = change(read.value)
    const { header, body } = honest.block
    const claim = kit.signClaim({ ...header, template: { ...header.template, stateRoot: rootOf(snapshot) } }, keyPair(2))
    const { id, violations } = auditor.add(Block.serialize({ header: claim, body }))
    expect(names(violations)).toEqual(toHex(rootOf(snapshot)) === toHex(header.template.stateRoot) ? [] : ['state-root'])
    return names(auditor.state(id, snapshotBytes(snapshot)))
  }

  it('is taken if it is the right one', () => {
    expect(doctored(s => s)).toEqual([])
    expect(auditor.state(toHex(posted.hash), encodeLedger(posted.ledger))).toEqual([])
  })

  it('supply-sum: a grain from nowhere', () => {
    expect(doctored(s => ({ ...s, accounts: s.accounts.map((a, i) => i === 0 ? { ...a, balance: a.balance + 1n } : a) }))).toEqual(['supply-sum'])
  })

  it('supply-schedule: more issued than there may be', () => {
    const more = scheduleUpTo(EASY, posted.height + 1)
    expect(doctored(s => ({ ...s, issued: more + 1n, burned: s.burned + more + 1n - s.issued }))).toEqual(['supply-schedule'])
    expect(doctored(s => ({ ...s, issued: more, burned: s.burned + more - s.issued }))).toEqual([])
  })

  it('escrow: what is held is not what was put in less what went out', () => {
    expect(doctored(s => ({ ...s, burned: s.burned + 1n, jobs: s.jobs.map((j, i) => i === 1 ? { ...j, escrowLeft: j.escrowLeft - 1n } : j) }))).toEqual(['escrow'])
    expect(doctored(s => ({ ...s, issued: s.issued - 1_000_000n, jobs: s.jobs.slice(0, 1) }))).toEqual(['escrow'])
  })

  it('snapshot-root: whose grains they are', () => {
    const [a, b] = auditor.snapshot(toHex(posted.hash))!.accounts
    const swapped = { ...auditor.snapshot(toHex(posted.hash))!, accounts: [{ ...a, balance: a.balance - 1n }, { ...b, balance: b.balance + 1n }, ...auditor.snapshot(toHex(posted.hash))!.accounts.slice(2)] }
    expect(names(auditor.state(toHex(posted.hash), snapshotBytes(swapped)))).toEqual(['snapshot-root'])
  })

  it('snapshot-encoding', () => {
    expect(names(auditor.state(toHex(posted.hash), encodeLedger(posted.ledger).subarray(1)))).toEqual(['snapshot-encoding'])
  })
})

describe('heads and histories', () => {
  const kit = new ChainKit()
  const main = kit.extend(kit.genesis, 12, [1, 2, 3].map(keyPair))
  const fork = kit.extend(kit.at(main, 8), 3, [keyPair(4)])
  const other = kit.extend(kit.at(main, 9), 1, [keyPair(5)])
  const auditor = auditorOf(kit)
  for (const tip of [main, fork, other]) follow(auditor, kit, tip)
  const id = (meta: BlockMeta): string => toHex(meta.hash)
  const held = (node: string, tip: BlockMeta): { readonly node: string, readonly blocks: readonly string[] } => ({ node, blocks: auditor.chain(id(tip)) })

  it('judges a block once', () => {
    expect(auditor.blockCount).toBe(12 + 3 + 1)
    expect(auditor.add(Block.serialize(kit.blocks(main)[5]))).toMatchObject({ fresh: false, height: 6, violations: [] })
    expect(auditor.chain(id(main)).length).toBe(12)
  })

  it('head-height, head-work, head-unknown', () => {
    const { height, work } = main
    expect(auditor.head({ id: id(main), height, work })).toEqual([])
    expect(names(auditor.head({ id: id(main), height: height + 1, work }))).toEqual(['head-height'])
    expect(names(auditor.head({ id: id(main), height, work: work + 1n }))).toEqual(['head-work'])
    expect(names(auditor.head({ id: '00'.repeat(32) }))).toEqual(['head-unknown'])
  })

  it('header-time-future: a block before its time', () => {
    const { time } = main.header.template
    expect(auditor.taken(id(main), time - EASY.futureMs)).toEqual([])
    expect(names(auditor.taken(id(main), time - EASY.futureMs - 1))).toEqual(['header-time-future'])
    expect(names(auditor.taken('00'.repeat(32), time))).toEqual(['head-unknown'])
  })

  it('head-order: a node that knows a better chain', () => {
    const known = [main, fork, other].map(id)
    expect(auditor.headAmong(id(main), known)).toEqual([])
    expect(names(auditor.headAmong(id(fork), known))).toEqual(['head-order'])
    // Of two with as much work one is better, and only one.
    const twins = [1, 2].map(n => kit.mine(main, { miner: keyPair(n) }))
    for (const t of twins) auditor.add(Block.serialize(t.block))
    const both = twins.map(t => id(t.meta))
    expect(both.map(t => names(auditor.headAmong(t, both)).length).sort()).toEqual([0, 1])
  })

  it('finds how deep nodes disagree, and who lags', () => {
    expect(auditor.agree([held('a', main), held('b', main), held('c', kit.at(main, 10))])).toMatchObject({ depth: 0, heads: 2, lag: 2, best: id(main), apart: [], findings: [] })
    expect(auditor.agree([held('a', main), held('b', fork), held('c', other)])).toMatchObject({
      depth: 3, heads: 3, lag: 0, best: id(main), apart: [{ node: 'b', head: id(fork), depth: 3 }, { node: 'c', head: id(other), depth: 1 }]
    })
    expect(auditor.agree([])).toMatchObject({ depth: 0, heads: 0 })
  })

  it('history-broken: a list that is no chain', () => {
    const blocks = auditor.chain(id(main))
    expect(auditor.agree([{ node: 'a', blocks: blocks.slice(3) }]).findings).toEqual([])
    expect(auditor.agree([{ node: 'a', blocks: [...blocks.slice(0, 5), ...blocks.slice(6)] }]).findings).toMatchObject([{ node: 'a', finding: ['history-broken', expect.any(String)] }])
    expect(auditor.agree([{ node: 'a', blocks: ['11'.repeat(32)] }]).findings).toMatchObject([{ node: 'a', finding: ['head-unknown', expect.any(String)] }])
  })

  it('finds the slices that a key counted anew', () => {
    const repeated = auditor.workedTwice(id(main))
    expect(repeated.map(r => [r.miner, r.round, r.slice, r.claims.length])).toEqual([3, 2, 1].map(n => [hexOf(keyPair(n).key), 0, 0, 4]))
    const counted = new ChainKit()
    let tip = counted.genesis
    for (let slice = 0; slice < 4; slice++) tip = counted.mine(tip, { slice }).meta
    const other = auditorOf(counted)
    follow(other, counted, tip)
    expect(other.workedTwice(id(tip))).toEqual([])
  })

  it('keeps the right copy of a block of which it was shown a wrong one first', () => {
    const fresh = auditorOf(kit)
    const [first, second] = kit.blocks(main)
    const wrong = { ...first, header: kit.signClaim(first.header, keyPair(2)) }
    expect(names(fresh.add(Block.serialize(wrong)).violations)).toEqual(['header-signature'])
    expect(names(fresh.add(Block.serialize({ ...first, body: { ...first.body, transactions: [kit.transfer(main, keyPair(1), keyPair(2).key, 1n)] } })).violations)).toEqual(['body-root', 'transaction-balance'])
    expect(fresh.add(Block.serialize(first)).violations).toEqual([])
    expect(fresh.add(Block.serialize(second)).violations).toEqual([])
    expect(fresh.blockCount).toBe(2)
    expect(fresh.violations.length).toBe(3)
  })

  it('gives every miner what it earned: all that was issued', () => {
    const job = benchmarkJob(main.ledger)
    const sealed = kit.mine(main, { miner: keyPair(1), payee: keyPair(9).key, seals: [kit.seal(main, job, [2, 3].map(n => kit.contribution(main, job, keyPair(n))))] })
    expect(auditor.add(Block.serialize(sealed.block)).violations).toEqual([])
    const rewards = auditor.rewards(id(sealed.meta))
    const of = (n: number): { readonly blocks: number, readonly contributions: number, readonly total: bigint } => rewards.get(hexOf(keyPair(n).key))!
    expect([1, 2, 3].map(n => [of(n).blocks, of(n).contributions])).toEqual([[5, 0], [4, 1], [4, 1]])
    expect([...rewards.values()].reduce((sum, r) => sum + r.total, 0n)).toBe(sealed.meta.ledger.issued)
    expect(of(1).total).toBe(5n * EASY.subsidy * 192n / 256n)
    expect(of(2).total).toBe(4n * EASY.subsidy * 192n / 256n + EASY.subsidy * 64n / 256n / 2n)
    expect([...rewards.values()].reduce((sum, r) => sum + r.work, 0n)).toBe(sealed.meta.work)
  })
})
