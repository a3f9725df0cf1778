/** Who earns too much or too little for his work is named, and luck is not. */
import { describe, expect, it } from 'vitest'
import type { Earned } from './audit/history.ts'
import type { WorldReport } from './report/types.ts'
import { renderReport } from './report/html.ts'
import { count, type SoakSummary, soakVerdict } from './soak.ts'
import { soakReport } from './soakReport.ts'
import { earnedBy, type Earner, pooled, unfair, workShare } from './fairness.ts'

const RARE = 1e-9
const laptops = (n: number, blocks: number, credits = blocks): Earner[] => Array.from({ length: n }, (_, i) => ({ name: `laptop ${i}`, kind: 'honest', work: 1, blocks, credits }))
const one = (o: Partial<Earner>): Earner => ({ name: 'he', kind: 'honest', work: 1, blocks: 10, credits: 10, ...o })

it('what all keys of one owner earn is his, and the keys of nobody are named', () => {
  const earned = (blocks: number, reward: bigint, subsidy: bigint): Earned => ({ blocks, work: 0n, contributions: 0, contributedCost: 0n, credited: { 'block-reward': reward, contribution: 5n, 'contribution-subsidy': subsidy, fees: 5n }, total: 0n })
  const rewards = new Map([['a', earned(1, 10n, 1n)], ['b', earned(2, 20n, 0n)], ['c', earned(0, 0n, 3n)], ['d', earned(1, 10n, 0n)]])
  const { earned: of, nobodys } = earnedBy(rewards, key => key === 'c' ? 'she' : key === 'd' ? undefined : 'he')
  expect(Object.fromEntries(of)).toEqual({ he: { blocks: 3, credits: 31 }, she: { blocks: 0, credits: 3 } })
  expect(nobodys).toEqual(['d'])
})

describe('what is earned beside the work', () => {
  it('is fair where it is alike, or nearly', () => {
    expect(unfair(laptops(10, 10), 1, RARE)).toEqual([])
    expect(unfair([...laptops(9, 10), one({ blocks: 25, credits: 3 })], 1, RARE)).toEqual([])
    expect(unfair([], 1, RARE)).toEqual([])
  })

  it('is too much: blocks, or credits alone', () => {
    expect(unfair([...laptops(19, 10), one({ blocks: 70 })], 1, RARE)).toEqual([expect.stringContaining('he has 70.0 of 260.0 blocks, its work is worth 13.0')])
    expect(unfair([...laptops(19, 10), one({ credits: 50_000, blocks: 10 }), one({ credits: 1_000 })], 1_000, RARE)).toEqual([expect.stringContaining('he has 50.0 of 51.2 block rewards')])
  })

  it('is too much for an attacker whose work is worth nothing, and the honest are not blamed for what is left to them', () => {
    const rob = { name: 'he', kind: 'attacker', work: 0, blocks: 40, credits: 40 } as const
    expect(unfair([...laptops(10, 10), rob], 1, RARE)).toHaveLength(2)
    expect(unfair([...laptops(10, 10), { ...rob, work: 5, blocks: 0, credits: 0 }], 1, RARE)).toEqual([])
    expect(workShare(rob, [...laptops(3, 1), { ...rob, work: 1 }])).toBe(0)
    expect(workShare({ ...rob, work: 1 }, [...laptops(3, 1), { ...rob, work: 1 }])).toBe(0.25)
    expect(workShare(one({}), [one({}), { ...rob, work: 1 }])).toBe(1)
  })

  it('is too little where nobody cheats, and only there', () => {
    const poor = one({ work: 10, blocks: 5, credits: 5 })
    expect(unfair([...laptops(10, 20), poor], 1, RARE)).toEqual([expect.stringContaining('he has only 5.0 of 205.0 blocks'), expect.stringContaining('he has only 5.0 of 205.0 block rewards')])
    expect(unfair([...laptops(10, 20), poor, { name: 'she', kind: 'attacker', work: 0, blocks: 0, credits: 0 }], 1, RARE)).toEqual([])
  })

  it('shows in a kind of device what no tab of it shows', () => {
    const slow = Array.from({ length: 10 }, (): Earner => ({ name: 'phones', kind: 'honest', work: 1, blocks: 0, credits: 0 }))
    const all = [...laptops(10, 20), ...slow]
    expect(unfair(all, 1, RARE)).toEqual([])
    expect(pooled(all)).toHaveLength(11)
    expect(unfair(pooled(all), 1, RARE)[0]).toContain('phones has only 0.0 of 200.0 blocks')
  })

  it('counts what was done wrong into the whole, and judges it not', () => {
    expect(unfair([...laptops(10, 10), one({ kind: 'other', work: 0, blocks: 100 })], 1, RARE)).toEqual([])
  })
})

describe('a soak', () => {
  const soaked = (worlds: number, o: { readonly reward: number, readonly kept: number }): SoakSummary => {
    const all: SoakSummary = { seed: 's', first: 0, worlds: 0, next: 0, failed: [], nodes: 0, virtualHours: 0, blocks: 0, enemies: {}, checkers: {}, wallMs: 0, earned: [], wrongRounds: { rounds: 0, kept: 0, byChance: 0 } }
    const tab = (role: string, workShare: number, rewardShare: number): WorldReport['tabs'][number] => ({ tab: 0, device: 'laptop', role, workShare, blockShare: workShare, rewardShare, bytesPerSecond: 0 })
    const report = {
      nodes: 2, virtualMs: 0, blocksMain: 10, tabs: [tab('honest', 0.8, 1 - o.reward), tab('selfish', 0.2, o.reward)],
      options: {}, counts: { 'wrong contributions: rounds': 1, 'wrong contributions: kept': o.kept, 'wrong contributions: byChance': 0.3 }
    } as unknown as WorldReport
    for (let i = 0; i < worlds; i++) count(all, { index: i, seed: `s-${i}`, command: '', report, violations: [] })
    return all
  }

  it('shows on its page what no world shows alone, and worlds that said nothing', () => {
    const all = soaked(100, { reward: 0.7, kept: 0 })
    expect(soakReport(soaked(100, { reward: 0.2, kept: 0 }), [], 'npm run soak', true).violations).toEqual([])
    count(all, { index: 100, seed: 's-100', command: 'npm run sim -- --seed s-100', violations: [{ checker: 'process', detail: 'ended with 134', atMs: 0 }] })
    all.enemies = { selfish: { worlds: 12, deeds: { 'blocks kept back': 0 } } }
    const report = soakReport(all, [], 'npm run soak', false)
    expect(report.violations!.map(v => v.checker)).toEqual(['process', 'idle enemy', 'all worlds together'])
    const page = renderReport(report)
    for (const words of ['Rules were broken 3 times', 'selfish: no blocks kept back in 12 worlds', 'npm run sim -- --seed s-100: ended with 134', 'selfish has 700.0 of 1000.0 block rewards', 'Of 100 rounds with wrong contributions 0 keep them, 30.0 by chance.', '>selfish</th><td>20.0 %</td><td>20.0 %</td><td>70.0 %</td>']) expect(page).toContain(words)
  })

  it('judges all worlds together: what shows in none of them', () => {
    expect(soakVerdict(soaked(100, { reward: 0.25, kept: 0 }))).toEqual([])
    expect(soakVerdict(soaked(3, { reward: 0.7, kept: 1 }))).toEqual([])
    expect(soakVerdict(soaked(100, { reward: 0.7, kept: 0 }))).toEqual([expect.stringContaining('selfish has 700.0 of 1000.0 block rewards, its work is worth 200.0')])
    expect(soakVerdict(soaked(100, { reward: 0.2, kept: 1 }))).toEqual([expect.stringContaining('100 of 100 rounds')])
  })
})
