/** The table of the Proof of Training experiment, and one world of it observed from beginning to end. */
import { expect, test } from 'vitest'
import { tableText } from './report/text.ts'
import { POT_SIZES, potRun, type PotRun, potTable, THEIRS } from './pot.ts'

const run = (n: number, seed: string, over: Partial<PotRun>): PotRun => ({ n, seed, blocks: 6, confirmed: 100, sent: 100, orphaned: 0, sightings: 0, reorganisations: 0, seconds: 60, report: undefined as never, ...over })

test('every size has their figures beside it', () => {
  expect(POT_SIZES.map(n => THEIRS.find(t => t.n === n)?.forks)).toEqual([1, 5, 13, 13, 20])
})

test('a row is the mean of its worlds, with the interval of what was counted', () => {
  const lines = tableText(potTable([run(20, 'a', { orphaned: 1, sightings: 9, confirmed: 96 }), run(20, 'b', {}), run(4000, 'a', { seconds: 61 })])).split('\n')
  const cells = (n: string): string[] => lines.find(l => l.startsWith(`${n} `))!.split(/ {2,}/)
  // One fork in two worlds: Garwood's 0.0253 and 5.572, halved.
  expect(cells('20')).toEqual(['20', '20', '4.5', '0.5 (0.0-2.8)', '0.0', '5', '6.0', '98.0 of 100.0', '60.0', '2'])
  expect(cells('4000').slice(0, 3)).toEqual(['4000', '?', '0.0'])
  expect(lines.findIndex(l => l.startsWith('20 '))).toBeLessThan(lines.findIndex(l => l.startsWith('4000 ')))
})

test('three nodes on a fast clock: six blocks, users paid and paying, everything seen', async () => {
  const r = await potRun(3, 'test', 'npm run sim -- --scenario pot --seed test', { blockIntervalMs: 2_500, maturity: 4, cancelDelay: 4, committeeBlocks: 4 })
  expect(r).toMatchObject({ n: 3, blocks: 6 })
  expect(r.confirmed).toBeGreaterThan(5)
  expect(r.confirmed).toBeLessThanOrEqual(r.sent)
  expect(r.sent).toBeLessThanOrEqual(100)
  expect(r.seconds).toBeGreaterThan(3)
  const { blocksMain, forksOverTime, moments, propagationMs, tabs } = r.report
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)
  expect(tabs.map(t => t.tab)).toEqual([0, 1, 2, 3])
  // The users' tab trains nothing and earns nothing.
  expect(tabs[0]).toMatchObject({ blockShare: 0, rewardShare: 0 })
  expect(sum(tabs.map(t => t.workShare))).toBeCloseTo(1, 9)
  expect(sum(tabs.map(t => t.blockShare))).toBeCloseTo(1, 9)
  expect(sum(tabs.map(t => t.rewardShare))).toBeCloseTo(1, 9)
  // The last look was up to two seconds before the end.
  expect(blocksMain).toBeGreaterThanOrEqual(moments[moments.length - 1].heightMax - 2)
  expect(sum(forksOverTime!.map(w => w.blocksMain))).toBe(blocksMain)
  expect(propagationMs.p50).toBeGreaterThan(8)
  expect(propagationMs.p95).toBeLessThan(10_000)
  expect(Math.min(...tabs.map(t => t.bytesPerSecond))).toBeGreaterThan(100)
}, 240_000)
