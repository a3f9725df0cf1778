/** One wallet on two devices, among others, in a small world: both users are told, and nobody else is. */
import { expect, test } from 'vitest'
import { MemoryDisk } from '../../src/storage/memory.ts'
import type { Enemy, Tab } from './tab.ts'
import { World } from './world.ts'

const TIMEOUT = 300_000

test('a key that was imported on a second device is noticed on both, and a tab that is reloaded or has lost its disk is not taken for one', { timeout: TIMEOUT }, async () => {
  // Not an enemy of anybody: a tab with the seeds of the one before it.
  const twin: Enemy = { name: 'second device', ports: (deps, tab) => ({ ...deps, minerSeed: twinOf(tab).minerSeed, walletSeed: twinOf(tab).walletSeed }) }
  const world = new World({ seed: 'one-key', nodes: 4, compute: 'stand-in', devices: 'laptop', laptopSliceMs: 1_500, warm: true, params: { blockIntervalMs: 6_000, roundMs: 6_000, committeeBlocks: 5 }, enemy: i => i === 3 ? twin : undefined })
  const twinOf = (tab: Tab): Tab => world.tabs[tab.index - 1]
  world.openAll(500)
  await world.run(60_000)
  const [reloaded, wiped, first, second] = world.tabs
  await reloaded.close()
  await reloaded.open()
  await wiped.crash(0)
  wiped.disk = new MemoryDisk()
  await wiped.open()
  await world.run(120_000)
  const noticed = world.tabs.map(t => t.node!.keyWatch.elsewhere() !== undefined)
  expect(noticed).toEqual([false, false, true, true])
  expect([first, second].every(t => t.node!.log.entries(1000).some(e => e.text.includes('also in use elsewhere')))).toBe(true)
})
