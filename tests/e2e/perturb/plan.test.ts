import { expect, test } from 'vitest'
import { describe as words, planOf, type Step } from './plan.ts'

const steps = (seed: string, lane: number, count: number): Step[] => {
  const plan = planOf(seed, lane, 2)
  return Array.from({ length: count }, () => plan.next().value)
}

test('a seed gives the same steps again, and each profile and each seed its own', () => {
  expect(steps('one', 0, 200)).toEqual(steps('one', 0, 200))
  expect(steps('one', 1, 200)).not.toEqual(steps('one', 0, 200))
  expect(steps('two', 0, 200)).not.toEqual(steps('one', 0, 200))
  expect(steps('one', 0, 3).map(words).join('; ')).toMatchInlineSnapshot(`"step 0.0 kill renderers of 0+1; step 0.1 cut 0 for 1013 ms; step 0.2 kill crash of 0+1"`)
})

test('every kind of step and every way to die comes up, and most steps kill', () => {
  const all = steps('all', 0, 600)
  expect(new Set(all.map(s => s.action.kind))).toEqual(new Set(['kill', 'reload', 'freeze', 'cut', 'relay', 'throttle', 'stop', 'pressure']))
  const kills = all.flatMap(s => s.action.kind === 'kill' ? [s.action] : [])
  expect(new Set(kills.map(k => k.how))).toEqual(new Set(['crash', 'close', 'renderers', 'browser']))
  expect(kills.length).toBeGreaterThan(400)
  for (const k of kills) if (k.how === 'renderers' || k.how === 'browser') expect(k.tabs).toEqual([0, 1])
})
