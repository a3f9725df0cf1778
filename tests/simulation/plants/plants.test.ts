/** The table of planted bugs fits the code it changes: a stale row would plant nothing and prove nothing. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { PLANTS } from './table.mjs'

it('has at least ten, each named once', () => {
  expect(PLANTS.length).toBeGreaterThanOrEqual(10)
  expect(new Set(PLANTS.map(p => p.name)).size).toBe(PLANTS.length)
})

it.each(PLANTS)('$name changes one place of $file', ({ file, find, replace }) => {
  expect(readFileSync(file, 'utf8').split(find)).toHaveLength(2)
  expect(replace).not.toBe(find)
})
