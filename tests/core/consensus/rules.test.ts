/** Edges of the consensus rules that need more than one broken field. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareBytes, equalBytes, toHex } from '../../../src/core/codec/ssz.ts'
import type { SignedSeal, Template } from '../../../src/core/codec/wire.ts'
import { assembleBlock, trySeals } from '../../../src/core/consensus/assemble.ts'
import { ancestor, type BlockMeta, genesis, genesisText } from '../../../src/core/consensus/chain.ts'
import { committee, quorum } from '../../../src/core/consensus/committee.ts'
import { checkContribution } from '../../../src/core/consensus/contribution.ts'
import { distinctMiners, drawAt, eligible, randomnessBlock, randomnessFor } from '../../../src/core/consensus/draw.ts'
import { checkHeader, checkHeaderLink, extendHeader } from '../../../src/core/consensus/header.ts'
import { condemnsHash, invalid, refusal } from '../../../src/core/consensus/refusal.ts'
import { checkSeal, sealSignatureItems } from '../../../src/core/consensus/seal.ts'
import { tryTransactions } from '../../../src/core/consensus/transaction.ts'
import { hash, u32le } from '../../../src/core/crypto/hash.ts'
import { claimId, ticket } from '../../../src/core/crypto/ids.ts'
import { benchmarkJob, findJob, isConserved, type JobRecord, ledgerRoot, type LedgerState } from '../../../src/core/ledger/state.ts'
import { type ChainParams, JOB_DRAW_CAP, MAIN, NETWORKS, paramErrors, TEST } from '../../../src/core/params.ts'
import { benchmarkId, benchmarkSpec, benchmarkStateHash } from '../../../src/core/training/benchmark.ts'
import { ChainKit, EASY, keyPair, type KeyPair, tinySpec } from '../chainKit.ts'

const kit = new ChainKit()
const tip = kit.grown()
const [ann, bob, cy] = [keyPair(1), keyPair(2), keyPair(3)]
const other = hash('test-other')
const job = benchmarkJob(tip.ledger)
const state = { job: job.id, round: job.round, seal: job.seal, stateHash: job.stateHash, spec: job.spec }

describe('genesis', () => {
  it.each(Object.entries(NETWORKS))('of %s holds the benchmark and nothing else', (_, params) => {
    const g = genesis(params)
    expect(genesis(params)).toBe(g)
    expect(g).toMatchObject({ height: 0, work: 0n })
    expect(g.ledger.jobs).toMatchObject([{ id: benchmarkId, status: 'benchmark', round: 0, stateHash: benchmarkStateHash }])
    expect(g.ledger.accounts.size).toBe(0)
    expect(isConserved(g.ledger)).toBe(true)
    expect(g.rho).toEqual(hash('rho', g.hash))
  })

  it('differs as soon as one rule does', () => {
    const changes: Array<Partial<ChainParams>> = [{ name: 'x' }, { maturity: 7 }, { subsidy: 1n }, { genesisTarget: 5n }, { minFee: 2n }, { minSliceCost: 3 }, { cancelDelay: 9 }]
    const hashes = [MAIN, ...changes.map(c => ({ ...MAIN, ...c }))].map(p => toHex(genesis(p).hash))
    expect(new Set([...hashes, toHex(genesis(TEST).hash), toHex(genesis(MAIN, tinySpec).hash)]).size).toBe(hashes.length + 2)
  })

  it('does not depend on what is only policy', () => {
    expect(genesisText({ ...MAIN, roundMs: 1, joinReplayBlocks: 1, historyBlocks: 9999, futureMs: 1 }, benchmarkSpec)).toBe(genesisText(MAIN, benchmarkSpec))
  })

  it('has parameters whose relations hold', () => {
    expect(Object.values(NETWORKS).flatMap(paramErrors)).toEqual([])
  })
})

describe('time', () => {
  const at = (times: readonly number[]): BlockMeta => times.reduce((m, t) => kit.mine(m, { timeMs: t }).meta, kit.genesis)

  it('must exceed that of the parent, by a millisecond at least', () => {
    const m = at([100, 200, 300])
    const { header } = kit.mine(m, { timeMs: 301 }).block
    expect(checkHeader(EASY, m, header, 301)).toBeUndefined()
    for (const time of [300, 299, 201]) {
      expect(checkHeader(EASY, m, { ...header, template: { ...header.template, time } }, 301)).toMatchObject({ verdict: 'invalid', reason: 'header-time-old' })
    }
  })

  it('of an assembled block is lifted above the parent\'s, which a faster clock may have set', () => {
    const m = at([100, 200, 300])
    expect(assembleBlock(EASY, m, kit.parts(m, { timeMs: 5 })).template.time).toBe(301)
  })

  it('ahead of the clock is held back only when nothing else is wrong', () => {
    const block = kit.block(tip)
    const early = block.header.template.time - EASY.futureMs - 1
    expect(checkHeader(EASY, tip, block.header, early)).toMatchObject({ verdict: 'future' })
    expect(checkHeader(EASY, tip, { ...block.header, payloadBytes: 0 }, early)).toMatchObject({ verdict: 'invalid' })
  })
})

describe('headers alone', () => {
  it('can be linked before their bodies are known', () => {
    const next = kit.mine(tip)
    const link = extendHeader(tip, next.block.header)
    expect(link).toMatchObject({ hash: next.meta.hash, work: next.meta.work, rho: next.meta.rho, height: tip.height + 1 })
    expect(checkHeaderLink(EASY, tip, next.block.header, next.block.header.template.time)).toBeUndefined()
    expect(checkHeaderLink(EASY, tip, { ...next.block.header, template: { ...next.block.header.template, target: 1n } }, 0)).toMatchObject({ reason: 'header-target' })
    expect(checkHeaderLink(EASY, tip, next.block.header, 0)).toMatchObject({ verdict: 'future' })
  })

  it('need a ticket that some slice could have', () => {
    const hard = new ChainKit({ ...EASY, name: 'hard', genesisTarget: 1n })
    expect(checkHeaderLink(hard.params, hard.genesis, hard.block(hard.genesis).header, Infinity)).toMatchObject({ reason: 'header-ticket' })
  })
})

describe('randomness', () => {
  it('lies rhoDelay blocks below the parent, and at genesis before that', () => {
    expect(randomnessFor(EASY, tip)).toEqual(kit.at(tip, tip.height - EASY.rhoDelay).rho)
    for (let h = 0; h <= EASY.rhoDelay; h++) expect(randomnessFor(EASY, kit.at(tip, h))).toEqual(kit.genesis.rho)
  })

  it('chains the tickets', () => {
    const next = kit.mine(tip)
    expect(next.meta.rho).toEqual(hash('rho', tip.rho, ticket(next.block.header)))
  })
})

/** A block whose ledger has these active jobs. */
function withJobs (burns: readonly bigint[]): { readonly q: BlockMeta, readonly ids: readonly Uint8Array[] } {
  const jobs = burns.map((burn, i): JobRecord => ({ ...job, id: hash('draw-job', u32le(i)), status: 'active', burn }))
  const ledger: LedgerState = { ...tip.ledger, jobs: [job, ...jobs] }
  return { q: { ...tip, ledger }, ids: jobs.map(j => j.id) }
}

describe('the draw', () => {
  const N = 4000
  const shares = (burns: readonly bigint[]): { readonly paid: number[], readonly benchmark: number } => {
    const { q, ids } = withJobs(burns)
    const drawn = Array.from({ length: N }, (_, i) => toHex(drawAt(q, hash('miner', u32le(i)))))
    const share = (id: Uint8Array): number => drawn.filter(d => d === toHex(id)).length / N
    return { paid: ids.map(share), benchmark: share(job.id) }
  }

  it('is the benchmark where no client pays', () => {
    expect(shares([]).benchmark).toBe(1)
  })

  it('goes by burned weight', () => {
    const { paid, benchmark } = shares([1n, 2n, 3n, 2n])
    for (const [i, want] of [1, 2, 3, 2].entries()) expect(Math.abs(paid[i] - want / 8)).toBeLessThan(0.03)
    expect(benchmark).toBeLessThan(0.001)
  })

  it('gives no job more than its cap, the rest goes to the benchmark', () => {
    const cap = JOB_DRAW_CAP / 256
    for (const burns of [[5n], [1_000_000n, 1n]]) {
      const { paid, benchmark } = shares(burns)
      expect(Math.abs(paid[0] - cap)).toBeLessThan(0.03)
      expect(Math.abs(benchmark - (1 - cap))).toBeLessThan(0.03)
    }
  })

  it('does not depend on the order of the job table', () => {
    const { q } = withJobs([3n, 1n, 2n, 9n])
    const turned: BlockMeta = { ...q, ledger: { ...q.ledger, jobs: [q.ledger.jobs[0], ...q.ledger.jobs.slice(1).reverse()] } }
    for (let i = 0; i < 200; i++) expect(drawAt(turned, hash('miner', u32le(i)))).toEqual(drawAt(q, hash('miner', u32le(i))))
  })

  it('takes burns up to all there is', () => {
    const most = (1n << 64n) - 1n
    const { q } = withJobs([most, most, most, most])
    for (let i = 0; i < 50; i++) expect(drawAt(q, hash('miner', u32le(i)))).toHaveLength(32)
  })
})

describe('eligibility', () => {
  it('takes every contribution slice while few mine, and none beyond', () => {
    const claim = kit.contribution(tip, job, ann)
    for (let slice = 0; slice < 4; slice++) expect(eligible(EASY, tip, { ...claim, slice })).toBe(true)
    expect(eligible(EASY, tip, { ...claim, slice: 4 })).toBe(false)
  })

  it('draws about R_MAX slices in all when many mine', () => {
    const crowd = kit.extend(tip, 32, Array.from({ length: 32 }, (_, i) => keyPair(200 + i)))
    expect(distinctMiners(crowd, EASY.minerCountBlocks).length).toBe(35)
    let drawn = 0
    for (let i = 0; i < 1000; i++) {
      const claim = kit.contribution(crowd, job, ann, 0, { miner: hash('miner', u32le(i)) })
      for (let slice = 0; slice < 4; slice++) if (eligible(EASY, crowd, { ...claim, slice })) drawn++
    }
    expect(Math.abs(drawn / 4000 - 32 / (35 * 4))).toBeLessThan(0.03)
  })

  it('of one claim is another question under another block, whatever was asked before', () => {
    const crowd = kit.extend(tip, 32, Array.from({ length: 32 }, (_, i) => keyPair(200 + i)))
    const claim = kit.contribution(crowd, job, ann)
    const blocks = [...Array(16).keys()].map(i => kit.at(crowd, crowd.height - i))
    const fresh = blocks.map(q => eligible(EASY, q, { ...claim }))
    expect(new Set(fresh).size).toBe(2)
    expect(blocks.map(q => eligible(EASY, q, claim))).toEqual(fresh)
  })
})

describe('the committee', () => {
  it('is the distinct miners of the last blocks, sorted; empty before there are enough', () => {
    const m = kit.extend(kit.genesis, 6, [ann, bob, ann, cy, cy, cy])
    expect(committee(EASY, m)).toEqual([ann.key, cy.key].sort(compareBytes))
    expect(committee(EASY, kit.at(m, EASY.committeeBlocks - 1))).toEqual([])
    expect(committee(EASY, kit.at(m, EASY.committeeBlocks)).length).toBe(3)
  })

  it('decides by more than two thirds', () => {
    expect([1, 2, 3, 4, 5, 6, 7, 8].map(quorum)).toEqual([1, 2, 3, 3, 4, 5, 5, 6])
    for (let n = 1; n <= 64; n++) expect(3 * quorum(n)).toBeGreaterThan(2 * n)
  })
})

describe('a seal heard before its block', () => {
  const good = kit.seal(tip, job, [kit.contribution(tip, job, ann)])
  const check = (seal = good, j: JobRecord = job, on = tip): ReturnType<typeof checkSeal> => {
    const items = sealSignatureItems(EASY, on, seal)
    return checkSeal(EASY, on, j, seal, { signatures: Array.isArray(items) ? items.map(() => true) : [], nextStateHash: undefined })
  }

  it('is taken, and taken by the next blocks too', () => {
    expect(check()).toBeUndefined()
    expect(check(good, job, kit.extend(tip, EASY.anchorAgeMax - 1))).toBeUndefined()
  })

  it('is stale or early rather than wrong where only the time is', () => {
    const sealed = kit.mine(tip, { seals: [good] }).meta
    expect(check(good, benchmarkJob(sealed.ledger))).toMatchObject({ verdict: 'stale', reason: 'seal-round' })
    expect(check(good, job, kit.extend(tip, EASY.anchorAgeMax))).toMatchObject({ verdict: 'stale', reason: 'seal-anchor-age' })
    expect(check({ ...good, seal: { ...good.seal, round: 2 } })).toMatchObject({ verdict: 'orphan', reason: 'seal-round' })
    expect(check({ ...good, seal: { ...good.seal, anchor: other } })).toMatchObject({ verdict: 'orphan', reason: 'seal-anchor-unknown' })
    expect(check({ ...good, seal: { ...good.seal, previous: other } })).toMatchObject({ verdict: 'orphan', reason: 'seal-previous' })
    expect(check({ ...good, seal: { ...good.seal, contributions: [] } })).toMatchObject({ verdict: 'invalid' })
  })

  it('stacks: several rounds in one block, each on the one before', () => {
    let j: JobRecord = job
    const seals: SignedSeal[] = []
    for (let round = 1; round <= 3; round++) {
      const seal = kit.seal(tip, j, [kit.contribution(tip, j, ann), kit.contribution(tip, j, bob)])
      seals.push(seal)
      const block = assembleBlock(EASY, tip, kit.parts(tip, { seals }))
      expect(block.job.round).toBe(round)
      expect(block.template.seal).toEqual(block.job.seal)
      j = block.job
    }
    const mined = kit.mine(tip, { seals })
    expect(benchmarkJob(mined.meta.ledger).round).toBe(3)
    expect(() => assembleBlock(EASY, tip, kit.parts(tip, { seals: [seals[1], seals[0]] }))).toThrow('seal-round')
    expect(trySeals(EASY, tip, [], [seals[1], seals[0], seals[2], seals[1]]).map(s => s.seal.round)).toEqual([1, 2])
  })
})

describe('a contribution heard on its topic', () => {
  const at = (over: Partial<Template>): ReturnType<typeof checkContribution> => checkContribution(EASY, tip, kit.contribution(tip, job, ann, 0, over), state)

  it('is stale or early rather than wrong where only the time is', () => {
    expect(at({})).toBeUndefined()
    expect(checkContribution(EASY, tip, kit.contribution(tip, job, ann), { ...state, round: 1 })).toMatchObject({ verdict: 'stale', reason: 'contribution-round' })
    expect(at({ round: 3 })).toMatchObject({ verdict: 'orphan', reason: 'contribution-round' })
    expect(at({ seal: other })).toMatchObject({ verdict: 'orphan', reason: 'contribution-seal' })
    expect(at({ height: tip.height + 100 })).toMatchObject({ verdict: 'orphan', reason: 'contribution-randomness' })
    expect(at({ stateHash: other })).toMatchObject({ verdict: 'invalid' })
  })

  it('may be of the benchmark by a key whose drawn job has ended since', () => {
    const posted = kit.mine(tip, { transactions: [kit.post(tip, ann, { burn: 1_000_000n })] }).meta
    const id = posted.ledger.jobs[1].id
    let on = kit.mine(posted, { seals: [kit.seal(posted, posted.ledger.jobs[1], [])] }).meta
    on = kit.extend(on, EASY.rhoDelay + 1)
    const drawn = Array.from({ length: 60 }, (_, i) => keyPair(i + 1)).find(k => equalBytes(drawAt(randomnessBlock(EASY, on), k.key), id))!
    const b = benchmarkJob(on.ledger)
    const claim = kit.contribution(on, b, drawn)
    const expected = { job: b.id, round: b.round, seal: b.seal, stateHash: b.stateHash, spec: b.spec }
    expect(checkContribution(EASY, on, claim, expected)).toMatchObject({ reason: 'contribution-draw' })
    const ended = kit.extend(kit.mine(on, { transactions: [kit.cancel(on, ann, id)] }).meta, EASY.cancelDelay)
    expect(findJob(ended.ledger, id)?.status).toBe('cancelled')
    expect(checkContribution(EASY, ended, claim, expected)).toBeUndefined()
  })
})

describe('a block that ends the job its miner draws', () => {
  it('works on the benchmark', () => {
    const posted = kit.mine(tip, { transactions: [kit.post(tip, ann, { burn: 1_000_000n })] }).meta
    const id = posted.ledger.jobs[1].id
    let on = kit.mine(posted, { seals: [kit.seal(posted, posted.ledger.jobs[1], [])] }).meta
    on = kit.mine(on, { transactions: [kit.cancel(on, ann, id)] }).meta
    on = kit.extend(on, EASY.cancelDelay - 2)
    const last = kit.extend(on, 1)
    const whoDraws = (parent: BlockMeta): KeyPair => Array.from({ length: 60 }, (_, i) => keyPair(i + 1)).find(k => equalBytes(drawAt(randomnessBlock(EASY, parent), k.key), id))!
    expect(kit.mine(on, { miner: whoDraws(on) }).meta.header.template.job).toEqual(id)
    const miner = whoDraws(last)
    const ends = kit.mine(last, { miner })
    expect(findJob(ends.meta.ledger, id)?.status).toBe('cancelled')
    expect(ends.meta.header.template.job).toEqual(benchmarkJob(on.ledger).id)

    // The same block, still at work on the job that it ends.
    const { template } = ends.block.header
    const paid = findJob(last.ledger, id) as JobRecord
    const wrong = kit.claim({ ...template, job: id, round: paid.round, seal: paid.seal, stateHash: paid.stateHash }, paid.spec, miner)
    const verdict = kit.apply(last, { header: wrong, body: ends.block.body })
    expect(verdict.ok || verdict.refusal).toMatchObject({ verdict: 'invalid', reason: 'header-job' })
  })
})

describe('facts that are missing', () => {
  const seal = kit.seal(tip, job, [kit.contribution(tip, job, ann)])
  const block = kit.block(tip, { seals: [seal] })
  const gone = { kind: 'unavailable', detail: 'not held' } as const

  it('make a block unavailable, never valid', () => {
    for (const facts of [{ replay: gone }, { seals: [gone] }, { replay: gone, seals: [gone] }]) {
      const v = kit.apply(tip, block, facts)
      expect(v.ok || v.refusal.verdict).toBe('unavailable')
    }
  })

  it('do not excuse what is wrong for certain', () => {
    const v = kit.apply(tip, { ...block, header: kit.signClaim({ ...block.header, template: { ...block.header.template, stateRoot: other } }, ann) }, { replay: gone, seals: [gone] })
    expect(v.ok || v.refusal).toMatchObject({ verdict: 'invalid', reason: 'state-root' })
    const w = kit.apply(tip, block, { seals: [gone], replay: { kind: 'done', resultHash: other, payloadDigest: other } })
    expect(w.ok || w.refusal).toMatchObject({ verdict: 'invalid', reason: 'result-hash' })
  })

  it('may be left out on purpose', () => {
    expect(kit.apply(tip, block, { replay: { kind: 'skipped' }, seals: [{ kind: 'skipped' }] }).ok).toBe(true)
  })

  it('that do not fit the block are our own bug', () => {
    expect(() => kit.apply(tip, block, { seals: [] })).toThrow('facts')
    expect(() => kit.apply(tip, block, { signatures: [true] })).toThrow('facts')
  })
})

describe('what a refusal says of a hash', () => {
  it('is nothing where the hash does not commit to what was wrong', () => {
    for (const reason of ['header-signature', 'body-root', 'body-size', 'body-receipts'] as const) expect(condemnsHash(invalid(reason, ''))).toBe(false)
    expect(condemnsHash(invalid('state-root', ''))).toBe(true)
    expect(condemnsHash(refusal('unavailable', 'replay-unavailable', ''))).toBe(false)
    expect(condemnsHash(refusal('future', 'header-time-future', ''))).toBe(false)
  })

  it('and indeed another signature leaves the hash as it is', () => {
    const { header } = kit.block(tip)
    expect(claimId({ ...header, signature: new Uint8Array(64) })).toEqual(claimId(header))
  })
})

describe('assembling', () => {
  it('promises the state root that applying finds', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 6 }), fc.array(fc.bigInt({ min: 1n, max: 9999n }), { maxLength: 4 }), (miner, amounts) => {
      const transactions = amounts.map((a, i) => kit.transfer(tip, bob, keyPair(20 + i).key, a, { nonce: i }))
      const made = assembleBlock(EASY, tip, kit.parts(tip, { miner: keyPair(miner), transactions }))
      const mined = kit.mine(tip, { miner: keyPair(miner), transactions })
      expect(toHex(made.template.stateRoot)).toBe(toHex(ledgerRoot(mined.meta.ledger)))
      expect(made.events).toEqual(mined.events)
    }), { numRuns: 20 })
  })

  it('throws on parts that no block can carry', () => {
    expect(() => kit.block(tip, { transactions: [kit.transfer(tip, ann, bob.key, 1n, { nonce: 9 })] })).toThrow('transaction-nonce-gap')
  })

  it('chooses transactions in order, within bytes', () => {
    const t = (nonce: number, amount = 1n): ReturnType<ChainKit['transfer']> => kit.transfer(tip, ann, bob.key, amount, { nonce })
    const rich = 1n << 60n
    expect(tryTransactions(EASY, tip, [t(0), t(0), t(2), t(1, rich), t(1), t(2)], 100_000).map(x => x.transaction.nonce)).toEqual([0, 1, 2])
    expect(tryTransactions(EASY, tip, [t(0), t(1), t(2)], 500).length).toBe(2)
    // What the first receives, the second may spend in the same block.
    const dan = keyPair(55)
    expect(tryTransactions(EASY, tip, [kit.transfer(tip, ann, dan.key, 5000n), kit.transfer(tip, dan, ann.key, 4000n)], 100_000).length).toBe(2)
  })
})

describe('chains that are cut', () => {
  it('find no ancestor below the cut, and say so', () => {
    const { parent: _, ...cut } = tip
    expect(ancestor(cut as BlockMeta, tip.height - 1)).toBeUndefined()
    expect(() => randomnessFor(EASY, cut as BlockMeta)).toThrow('cut')
  })
})
