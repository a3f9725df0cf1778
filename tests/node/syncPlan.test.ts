/** Where a node begins to ask for the headers of others: wherever they can have left its chain, a block that both have is not far. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { BlockMeta } from '../../src/core/consensus/chain.ts'
import { locatorOf } from '../../src/node/syncPlan.ts'
import { MAX_LOCATOR } from '../../src/node/syncServer.ts'
import { branch, feed, hex, kit, node, run, world } from './syncRig.ts'

describe('a locator', () => {
  const hashOf = (height: number): Uint8Array => new Uint8Array(new Uint32Array([height]).buffer)
  const heightOf = (h: Uint8Array): number => new Uint32Array(h.slice().buffer)[0]
  const genesis = hashOf(0)

  /** Heights of it, of a chain with that head; `kept`: where it can still be left. */
  async function locate (kept: ReadonlyArray<readonly [number, number]>, reached?: Uint8Array): Promise<number[]> {
    const head = kept[0][0]
    const known = (height: number): boolean => kept.some(([newest, base]) => height <= newest && height >= base)
    const meta = (height: number): BlockMeta => ({ hash: hashOf(height), height, header: { template: { chain: genesis } } }) as unknown as BlockMeta
    const chain = { head: () => meta(head), headerAt: (h: number) => known(h) ? meta(h) : undefined, forkHeights: () => kept }
    const locator = await locatorOf(chain as never, { settledHash: async h => hashOf(h) }, reached)
    return locator.map(heightOf)
  }

  /** One range, or one and that below the fork of a chain joined by a ledger. */
  const ranges = fc.array(fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 1 << 29 })), { minLength: 4, maxLength: 4 }).chain(steps => fc.boolean().map(two => {
    const [below, kept, between, above] = steps
    const lower = [below + kept, below] as const
    const base = lower[0] + between + 1
    return two ? [[base + above, base] as const, lower] : [lower]
  }))

  it('has room for one more, and names each block once, the newest first', async () => {
    const reached = (1 << 31) >>> 0
    await fc.assert(fc.asyncProperty(ranges, fc.boolean(), async (kept, goesOn) => {
      const heights = await locate(kept, goesOn ? hashOf(reached) : undefined)
      expect(heights.length).toBeLessThanOrEqual(MAX_LOCATOR - 1)
      expect(heights).toEqual([...new Set(heights)].sort((a, b) => b - a))
      expect(heights.slice(0, 2)).toContain(kept[0][0])
      expect(heights.at(-1)).toBe(0)
      expect(heights[0] === reached).toBe(goesOn)
    }), { numRuns: 1_000, seed: 1 })
  })

  it('names a block close below each at which our chain can still be left', async () => {
    await fc.assert(fc.asyncProperty(ranges, async kept => {
      const heights = await locate(kept)
      for (const [newest, base] of kept) {
        const gap = Math.max(10, Math.ceil((newest - base) * kept.length / 24))
        const within = heights.filter(h => h <= newest && h >= base)
        expect(within[0]).toBe(newest)
        expect(within.at(-1)).toBe(base)
        // The one just below the next that is named is the farthest from any.
        for (let i = 1; i < within.length; i++) expect(within[i - 1] - 1 - within[i]).toBeLessThan(gap)
      }
    }), { numRuns: 1_000, seed: 1 })
  })
})

it('two halves of a network that were apart for less than they keep come together again', async () => {
  const w = world()
  const common = branch(kit, kit.genesis, 90)
  const a = await node(w, 'a')
  const b = await node(w, 'b')
  await feed(a, [...common, ...branch(kit, common[89].meta, 57, 2)])
  await feed(b, [...common, ...branch(kit, common[89].meta, 58, 3)])
  for (const n of [a, b]) expect(n.chain.baseHeight()).toBeLessThan(90)
  await run(a)
  await run(b)
  await w.clock.advance(60_000)
  expect(hex(a.chain.head())).toBe(hex(b.chain.head()))
  expect(b.chain.head().height).toBe(148)
})
