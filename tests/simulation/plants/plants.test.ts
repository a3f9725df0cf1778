/** The table of planted bugs fits the code it changes: a stale row would plant nothing and prove nothing. */
import { readFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { checkerOf, hunt } from './hunt.ts'
import { PLANTS, plantNamed } from './table.mjs'

it('has at least ten, each named once', () => {
  expect(PLANTS.length).toBeGreaterThanOrEqual(10)
  expect(new Set(PLANTS.map(p => p.name)).size).toBe(PLANTS.length)
})

it.each(PLANTS)('$name changes one place of $file', ({ file, find, replace }) => {
  expect(readFileSync(file, 'utf8').split(find)).toHaveLength(2)
  expect(replace).not.toBe(find)
})

it('reads which checker has fired', () => {
  expect(checkerOf('VIOLATION at 1.20 min: audit: seal-quorum: block 7 1234abcd, taken by tab 3: 2 of 5')).toBe('audit: seal-quorum')
  expect(checkerOf('VIOLATION at 12.00 min: height lost: tab 4 had block 9: as its head')).toBe('height lost')
})

it('finds one of them by the checker that is meant, and nothing without it', async () => {
  const said: string[] = []
  const found = await hunt(plantNamed('rho-forgets'), `test-${randomBytes(4).toString('hex')}`, ['--nodes', '4', '--hours', '0.01'], line => { said.push(line) })
  expect(found.seed, said.join('\n')).toBeDefined()
  expect(found.cleanFails, said.join('\n')).toBe(false)
}, 300_000)
