/**
 * How many contributions a round offers, whatever the number of miners: the loop of draw, seal and offer
 * share, closed as on the chain, where a draw lies ten to twenty rounds behind the seals.
 */
import { describe, expect, it } from 'vitest'
import type { BlockMeta } from '../../../src/core/consensus/chain.ts'
import { distinctMiners, eligible } from '../../../src/core/consensus/draw.ts'
import { hash, u32le } from '../../../src/core/crypto/hash.ts'
import { offerShareAfter } from '../../../src/core/ledger/apply.ts'
import { benchmarkJob } from '../../../src/core/ledger/state.ts'
import { MAIN, MAX_CONTRIBUTION_SLICES, MAX_CONTRIBUTIONS_PER_SEAL, OFFER_SHARE_LEAST, OFFER_SHARE_WHOLE } from '../../../src/core/params.ts'
import { ChainKit, EASY, keyPair } from '../chainKit.ts'

/** Numbers that look random and are the same every time. */
function stream (name: string): () => number {
  let n = 0
  return () => {
    const h = hash('test-stream', hash('test-stream', Uint8Array.from(name, c => c.charCodeAt(0))), u32le(n++))
    return (h[0] + 256 * h[1] + 65536 * h[2]) / 2 ** 24
  }
}

/** Offered in each round by `miners` alike, four slices each; a share of the seals carries one whatever is offered. */
function offers (miners: number, rounds: number, delay: number, poor = 0): number[] {
  const uniform = stream(`${miners}/${delay}/${poor}`)
  const seen = miners * (1 - (1 - 1 / miners) ** MAIN.minerCountBlocks)
  const shares = [OFFER_SHARE_WHOLE]
  return Array.from({ length: rounds }, (_, r) => {
    const chance = Math.min(1, MAX_CONTRIBUTIONS_PER_SEAL * shares[Math.max(0, r - delay)] / OFFER_SHARE_WHOLE / (seen * MAX_CONTRIBUTION_SLICES))
    const mean = miners * MAX_CONTRIBUTION_SLICES * chance
    // The sum of twelve is normal enough.
    const normal = Array.from({ length: 12 }, uniform).reduce((a, b) => a + b, -6)
    const offered = Math.max(0, Math.round(mean + Math.sqrt(mean * (1 - chance)) * normal))
    shares.push(offerShareAfter(shares[r], Math.min(offered, uniform() < poor ? 1 : MAX_CONTRIBUTIONS_PER_SEAL)))
    return offered
  })
}

const percentile = (values: readonly number[], share: number): number => [...values].sort((a, b) => a - b)[Math.floor(share * (values.length - 1))]

describe('contributions offered per round', () => {
  it.each([20, 200, 2_000, 20_000])('settle at a seal\'s worth with %i miners', miners => {
    for (const delay of [10, 20]) {
      const all = offers(miners, 500, delay)
      // Without the share: 32 x miners / 64 for ever, where there are more than 64.
      if (miners >= 2_000) expect(all[0]).toBeGreaterThan(0.9 * MAX_CONTRIBUTIONS_PER_SEAL * miners / MAIN.minerCountBlocks)
      const settled = all.slice(250)
      expect(percentile(settled, 0.5)).toBeGreaterThan(8)
      expect(percentile(settled, 0.95)).toBeLessThanOrEqual(1.25 * MAX_CONTRIBUTIONS_PER_SEAL)
    }
  })

  it('do not run away while a third of the seals carry one contribution on purpose', () => {
    const settled = offers(2_000, 500, 10, 1 / 3).slice(250)
    expect(percentile(settled, 0.95)).toBeLessThan(2 * MAX_CONTRIBUTIONS_PER_SEAL)
  })
})

describe('the offer share', () => {
  it('stays within its bounds and moves at both ends', () => {
    expect(offerShareAfter(OFFER_SHARE_WHOLE, 1)).toBe(OFFER_SHARE_WHOLE)
    expect(offerShareAfter(OFFER_SHARE_LEAST, MAX_CONTRIBUTIONS_PER_SEAL)).toBe(OFFER_SHARE_LEAST)
    expect(offerShareAfter(OFFER_SHARE_LEAST, 1)).toBe(OFFER_SHARE_LEAST + 1)
    expect(offerShareAfter(1_600, MAX_CONTRIBUTIONS_PER_SEAL)).toBe(1_500)
    for (const carried of [0, 8, 20, 31]) expect(offerShareAfter(1_600, carried)).toBe(1_600)
    expect(offerShareAfter(1_600, 7)).toBe(1_700)
  })

  it('thins the draw of its job alone', () => {
    const kit = new ChainKit()
    const tip = kit.grown()
    const job = benchmarkJob(tip.ledger)
    const claim = kit.contribution(tip, job, keyPair(1))
    const drawn = (q: BlockMeta): number => Array.from({ length: 1_000 }, (_, i) => ({ slice: 0, template: { ...claim.template, miner: hash('miner', u32le(i)) } }))
      .filter(one => eligible(EASY, q, one)).length
    const withShare = (id: Uint8Array): BlockMeta => ({ ...tip, ledger: { ...tip.ledger, jobs: [{ ...job, id, offerShare: OFFER_SHARE_WHOLE / 16 }] } })
    expect(drawn(tip)).toBe(1_000)
    expect(drawn(withShare(hash('another')))).toBe(1_000)
    const miners = distinctMiners(tip, EASY.minerCountBlocks).length
    expect(Math.abs(drawn(withShare(job.id)) / 1_000 - 32 / (4 * miners) / 16)).toBeLessThan(0.05)
  })
})
