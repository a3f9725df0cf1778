import { describe, expect, test } from 'vitest'
import { toHex } from '../../src/core/codec/ssz.ts'
import { databaseName, MAX_SLOTS, slotSeed, takeSlot, type SlotLocks } from '../../src/storage/slots.ts'

/** navigator.locks of one profile, for `ifAvailable` requests: exclusive names, freed when the callback's promise ends. */
function profile (): SlotLocks {
  const held = new Set<string>()
  return {
    request: async (name, _options, callback) => {
      if (held.has(name)) return await callback(null)
      held.add(name)
      try {
        return await callback({ name })
      } finally {
        held.delete(name)
      }
    }
  }
}

describe('takeSlot', () => {
  test('tabs take 0, 1, 2; a freed slot is the next one taken', async () => {
    const locks = profile()
    const tabs = [await takeSlot(locks), await takeSlot(locks), await takeSlot(locks)]
    expect(tabs.map(tab => tab.slot)).toEqual([0, 1, 2])
    await tabs[1].release()
    expect((await takeSlot(locks)).slot).toBe(1)
    expect((await takeSlot(locks)).slot).toBe(3)
  })

  test('tabs that start at once take different slots', async () => {
    const locks = profile()
    const tabs = await Promise.all(Array.from({ length: 8 }, () => takeSlot(locks)))
    expect(tabs.map(tab => tab.slot).sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })

  test('another profile starts at 0', async () => {
    expect((await takeSlot(profile())).slot).toBe(0)
    expect((await takeSlot(profile())).slot).toBe(0)
  })

  test('more tabs than slots is an error, and so is a browser that refuses the lock', async () => {
    const full: SlotLocks = { request: async (_name, _options, callback) => await callback(null) }
    await expect(takeSlot(full)).rejects.toThrow(String(MAX_SLOTS))
    const refusing: SlotLocks = { request: async () => { throw new Error('not a secure page') } }
    await expect(takeSlot(refusing)).rejects.toThrow('not a secure page')
  })
})

test('databases differ by network and by slot', () => {
  expect(databaseName('commonweight-test', 0)).not.toBe(databaseName('commonweight-test', 1))
  expect(databaseName('commonweight-test', 1)).not.toBe(databaseName('commonweight-1', 1))
})

test('a slot\'s seed is fixed by the wallet and the slot', () => {
  const wallet = new Uint8Array(32).fill(7)
  expect(toHex(slotSeed(wallet, 0))).toBe(toHex(slotSeed(wallet, 0)))
  const seeds = new Set([0, 1, 256, 65536].map(slot => toHex(slotSeed(wallet, slot))))
  seeds.add(toHex(slotSeed(new Uint8Array(32).fill(8), 0)))
  expect(seeds.size).toBe(5)
  expect(slotSeed(wallet, 0)).toHaveLength(32)
})
