import { describe, expect, test } from 'vitest'
import { MemoryProfile, MemoryPurse } from '../../src/storage/memoryPurse.ts'
import { PURSE_CASES } from '../compliance/purse.ts'

describe('the purse in memory meets the contract', () => {
  test.each(PURSE_CASES.map(one => [one.name, one] as const))('%s', async (_, one) => {
    const profile = new MemoryProfile()
    await one.run(() => new MemoryPurse(profile))
  })

  test('after the death of a tab that had its turn the next one has it', async () => {
    const profile = new MemoryProfile()
    const dying = new MemoryPurse(profile)
    await dying.write(Uint8Array.of(5))
    void dying.inTurn(async () => { await new Promise(() => {}) })
    const next = new MemoryPurse(profile.reopened())
    expect(await next.inTurn(async () => await next.read())).toEqual({ value: Uint8Array.of(5) })
  })
})
