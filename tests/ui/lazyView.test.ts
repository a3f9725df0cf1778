import { expect, test } from 'vitest'
import { loadAtLast } from '../../src/ui/lazyView.ts'

test('a view that could not be loaded is asked for again until it is there', async () => {
  let asked = 0
  const load = async (): Promise<string> => {
    if (++asked < 3) throw new TypeError('Failed to fetch dynamically imported module')
    return 'the view'
  }
  expect(await loadAtLast(load, 1)).toBe('the view')
  expect(asked).toBe(3)
})
