import { expect, test } from 'vitest'
import { describe as words, planOf, type Step } from './plan.ts'
import { Seeded } from './seeded.ts'

const steps = (seed: string, lane: number, count: number): Step[] => {
  const plan = planOf(seed, lane, 2)
  return Array.from({ length: count }, () => plan.next().value)
}

test('a seed gives the same steps again, and each profile and each seed its own', () => {
  expect(steps('one', 0, 200)).toEqual(steps('one', 0, 200))
  expect(steps('one', 1, 200)).not.toEqual(steps('one', 0, 200))
  expect(steps('two', 0, 200)).not.toEqual(steps('one', 0, 200))
  expect(steps('one', 0, 3).map(words).join('; ')).toMatchInlineSnapshot(`"step 0.0 kill close of 0 and again after 229 ms; step 0.1 kill renderers of 0+1 and again after 3899 ms; step 0.2 kill renderers of 0+1 at a commit"`)
})

test('every kind of step and every way to die comes up, and most steps kill', () => {
  const all = steps('all', 0, 600)
  expect(new Set(all.map(s => s.action.kind))).toEqual(new Set(['kill', 'reload', 'freeze', 'cut', 'relay', 'throttle', 'stop', 'pressure']))
  const kills = all.flatMap(s => s.action.kind === 'kill' ? [s.action] : [])
  expect(new Set(kills.map(k => k.how))).toEqual(new Set(['crash', 'close', 'renderers', 'browser']))
  expect(kills.length).toBeGreaterThan(400)
  for (const k of kills) if (k.how === 'renderers' || k.how === 'browser') expect(k.tabs).toEqual([0, 1])
})

test('numbers are spread over their range', () => {
  const r = new Seeded('spread')
  const counts = new Array<number>(10).fill(0)
  for (let i = 0; i < 100_000; i++) counts[r.below(10)]++
  for (const n of counts) expect(Math.abs(n - 10_000)).toBeLessThan(500)
  for (let i = 0; i < 1_000; i++) expect([3, 4, 5]).toContain(r.between(3, 5))
})
