/** Torrents in a simulated world: they pass between tabs that are linked, outlive the page, and go the same way for the same seed. */
import { describe, expect, it } from 'vitest'
import type { LibraryItem } from '../../src/bridge/api.ts'
import type { Tab } from './tab.ts'
import { World } from './world.ts'

const BYTES = 900_000

async function life (): Promise<unknown> {
  const world = new World({
    seed: 'torrents', nodes: 4, compute: 'stand-in', laptopSliceMs: 250, warm: true, devices: 'laptop', duty: 0.2,
    params: { blockIntervalMs: 10_000, committeeBlocks: 4, roundMs: 5_000 }
  })
  const { tabs } = world
  world.openAll(1_000)
  await world.run(20_000)
  const shared = await (async () => {
    const outcome = tabs[0].node!.library.share([new File([Uint8Array.from({ length: BYTES }, (_, i) => (i * i) >> 7)], 'a.bin')], { name: 'a', kind: 'file', licence: '', about: '', parents: [] })
    await world.run(2_000)
    return await outcome
  })()
  if (!shared.ok) throw new Error(JSON.stringify(shared.errors))
  const { infoHash } = shared.value
  const item = (tab: Tab): LibraryItem | undefined => tab.node?.library.view().items.find(i => i.infoHash === infoHash)
  const whole = (): boolean[] => tabs.map(tab => item(tab)?.state === 'complete')
  const ids = tabs.map(tab => tab.session!.id)
  const trace: unknown[] = []
  const step = async (ms: number): Promise<boolean[]> => {
    await world.run(ms)
    trace.push([world.scheduler.events, world.internet.bytes, ...tabs.map(tab => item(tab)?.haveBytes)])
    return whole()
  }

  world.internet.hub.partition([ids.slice(0, 2), ids.slice(2)])
  for (const tab of tabs.slice(1)) void tab.node!.library.add(infoHash)
  expect(await step(30_000)).toEqual([true, true, false, false])
  world.internet.hub.heal()
  // One of them sleeps for a while: nothing of it is served or fetched.
  tabs[3].session!.life.freeze()
  expect(await step(60_000)).toEqual([true, true, true, false])
  tabs[3].session!.life.thaw()
  tabs[0].crash(5_000)
  expect(await step(60_000)).toEqual([false, true, true, true])
  void tabs[2].close()
  await step(5_000)
  void tabs[2].open()
  expect(await step(30_000)).toEqual([false, true, true, true])
  // It was on its disk.
  expect(item(tabs[2])?.down).toBe(0)
  return trace
}

describe('torrents in a world', () => {
  it('pass between those that are linked and awake, and twice alike', async () => {
    expect(await life()).toEqual(await life())
  }, 120_000)
})
