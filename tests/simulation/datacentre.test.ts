/** One data-centre GPU among laptops, in the small; `npm run sim -- --scenario datacentre` does it with 200 of them. */
import { expect, it } from 'vitest'
import { datacentreWorld } from './datacentre.ts'

const LAPTOPS = 8

it('takes blocks by its work, and contributions by its key', async () => {
  const { options, violations } = await datacentreWorld({ seed: 'test', nodes: 1 + LAPTOPS, virtualMs: 6 * 60_000, command: 'npm run sim -- --scenario datacentre' })
  const of = (name: string): number => options[`${name} of the GPU`] as number
  const [blocks, contributions] = [options['blocks in all'] as number, options['contributions in all'] as number]
  expect(violations).toEqual([])
  // As fast as 200 laptops: of 208.
  expect(of('work')).toBeGreaterThan(0.9)
  expect(blocks).toBeGreaterThan(15)
  expect(contributions).toBeGreaterThan(300)
  const deviation = (share: number, n: number): number => Math.sqrt(share * (1 - share) / n)
  expect(Math.abs(of('blocks') - of('work'))).toBeLessThan(4 * deviation(of('work'), blocks))
  // One key of nine, however fast: were they drawn by work it would have nearly all.
  const share = 1 / (1 + LAPTOPS)
  expect(Math.abs(of('contributions') - share)).toBeLessThan(4 * deviation(share, contributions))
  expect(of('credits')).toBeLessThan(of('blocks'))
}, 300_000)
