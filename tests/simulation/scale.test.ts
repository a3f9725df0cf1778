/** What a tab must do does not grow with the network, in the small; `npm run sim -- --scenario scale` does it in the large. */
import { describe, expect, it } from 'vitest'
import type { WorldReport } from './report/types.ts'
import { growth, GROWTH_SLACK, scale, scaleSweep } from './scale.ts'

describe('traffic, disk and memory of a tab', () => {
  it('grow no faster than log N from 20 to 80 tabs', async () => {
    const { points } = await scaleSweep({ seed: 'g3', nodes: 80, hours: 0.03, duty: 0.02, offers: 12, params: { blockIntervalMs: 3_000, committeeBlocks: 4 } }, [20, 80])
    expect(points.map(p => p.nodes)).toEqual([20, 80])
    for (const p of points) {
      // Blocks were found and rounds sealed: there was something to carry.
      expect(p.blocksMain).toBeGreaterThan(3)
      expect(p.moments.at(-1)!.round).toBeGreaterThan(0)
      expect(p.bytesPerSecond.p50).toBeGreaterThan(0)
    }
    expect(points.flatMap(p => p.violations)).toEqual([])
    for (const p of points) expect(p.heapPerTab).toBeGreaterThan(10_000)
    // The checks can fail: the same figures with one of them eight times as large.
    const [small, large] = points
    const much = (n: number): number => 8 * GROWTH_SLACK * n
    const broken = (change: Partial<WorldReport>): string[] => growth([small, { ...large, ...change }]).map(v => v.checker)
    const { bytesPerSecond, diskBytes, heapPerTab } = small
    expect(broken({})).toEqual([])
    expect(broken({ bytesPerSecond: { ...large.bytesPerSecond, p50: much(bytesPerSecond.p50) } })).toEqual(['bandwidth-growth'])
    expect(broken({ bytesPerSecond: { ...large.bytesPerSecond, p95: much(bytesPerSecond.p95) } })).toEqual(['bandwidth-growth'])
    expect(broken({ diskBytes: { ...large.diskBytes, p95: much(diskBytes.p95) } })).toEqual(['disk-growth'])
    expect(broken({ heapPerTab: much(heapPerTab!) })).toEqual(['memory-growth'])
    const [found] = growth([small, { ...large, bytesPerSecond: { ...large.bytesPerSecond, p50: much(bytesPerSecond.p50) } }])
    expect(found.detail).toMatch(/^half of the tabs: .*B\/s per tab with 80 tabs, .*B\/s with 20: more than .*B\/s$/)
  }, 600_000)

  it('are not judged by a few rounds', async () => {
    const short = await scaleSweep({ seed: 'short', nodes: 6, hours: 0.02 }, [3, 6])
    expect(short.points.flatMap(p => p.checked ?? [])).toEqual([])
    expect(short.tables![0].notes!.join()).toContain('Too short to judge')
  }, 120_000)
})

it('a world of a time that is no whole number of milliseconds ends', async () => {
  expect(0.017 * 3_600_000).toBeGreaterThan(61_200)
  expect(await scale({ seed: 'ends', nodes: 2, hours: 0.017 })).toMatchObject({ virtualMs: 61_200 })
}, 60_000)
