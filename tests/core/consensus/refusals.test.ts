/**
 * Every cheater of cheats.ts is refused with exactly the reason of its row, and would not be but for
 * the one thing that was changed.
 */
import { describe, expect, it } from 'vitest'
import { REASON_CODES, type Refusal } from '../../../src/core/consensus/refusal.ts'
import { type BlockAndFacts, CHEATS, kit } from './cheats.ts'

const judge = (b: BlockAndFacts): Refusal | undefined => {
  const verdict = (b.kit ?? kit).apply(b.on, b.block, b.facts)
  return verdict.ok ? undefined : verdict.refusal
}

describe('every rule has a cheater', () => {
  it('knows every reason, and no reason that is none', () => {
    expect(Object.keys(CHEATS).sort()).toEqual([...REASON_CODES].sort())
    expect(new Set(REASON_CODES).size).toBe(REASON_CODES.length)
  })

  for (const reason of REASON_CODES) {
    it(reason, () => {
      const { honest, cheat, verdict = 'invalid' } = CHEATS[reason]()
      if (honest !== undefined) expect(judge(honest)).toBeUndefined()
      expect(judge(cheat)).toMatchObject({ reason, verdict })
    })
  }
})
