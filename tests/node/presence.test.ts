/** What the page is told of this node's place in the network, and what hangs on its being in step. */
import { expect, test } from 'vitest'
import { blocksTopic } from '../../src/node/blocksGossip.ts'
import { Presence } from '../../src/node/presence.ts'
import { VERSION_WORD_MS, VERSION_WORDS } from '../../src/node/versions.ts'
import { branch, feed, kit, node, run, stranger, type TestNode, type World, world } from './syncRig.ts'

const OF_A_NEWER_VERSION = Uint8Array.of(0, 2, 0)

async function inStep (): Promise<{ readonly w: World, readonly me: TestNode, readonly presence: Presence }> {
  const w = world()
  const blocks = branch(kit, kit.genesis, 20)
  const me = await run(await node(w, 'me'))
  await feed(me, blocks)
  await stranger(w, 'honest', blocks)
  let status = await me.network.status()
  await me.network.onStatus(s => { status = s })
  const presence = new Presence({ clock: w.clock, chain: me.chain, sync: me.sync, network: () => status, dataMissing: () => undefined, pruned: () => undefined, params: kit.params })
  presence.start()
  await w.clock.advance(20_000)
  expect(presence.phase()).toEqual({ phase: 'ready' })
  return { w, me, presence }
}

/** Somebody says it and leaves. */
async function say (w: World, name: string): Promise<void> {
  const peer = w.hub.join(name)
  await peer.publish(blocksTopic(kit.genesis.hash), OF_A_NEWER_VERSION)
  await w.clock.advance(1_000)
  await peer.stop()
  await w.clock.advance(4_000)
}

test('one peer cannot make a newer version, however often it says so', async () => {
  const { w, presence } = await inStep()
  const peer = w.hub.join('x')
  for (let i = 0; i < 2 * VERSION_WORDS; i++) {
    await peer.publish(blocksTopic(kit.genesis.hash), Uint8Array.of(0, 2, 0, i))
    await w.clock.advance(2_000)
  }
  expect(presence.phase()).toEqual({ phase: 'ready' })
  expect(presence.inStep()).toBe(true)
})

test('several peers say that there is a newer version: the page is told for a while, and the tab stays in step and works', async () => {
  const { w, me, presence } = await inStep()
  for (let i = 0; i < VERSION_WORDS; i++) {
    expect(presence.phase()).toEqual({ phase: 'ready' })
    await say(w, `x${i}`)
  }
  expect(presence.phase()).toEqual({ phase: 'newer-version', version: 2 })
  expect(presence.inStep()).toBe(true)
  expect(presence.mayWork()).toBeUndefined()
  await w.clock.advance(VERSION_WORD_MS)
  expect(presence.phase()).toEqual({ phase: 'ready' })
  expect(me.blame.list()).toEqual([])
})

test('a tab that is behind is not in step', async () => {
  const { w, presence } = await inStep()
  // More work than this tab has seen, and no bodies of it.
  await stranger(w, 'ahead', branch(kit, kit.genesis, 30), { bodies: 'silent' })
  await w.clock.advance(3_000)
  expect(presence.phase().phase).not.toBe('ready')
  expect(presence.inStep()).toBe(false)
})

test('a clock that was ahead and is set right puts no tab to sleep', () => {
  let [now, tick] = [1e12, (): void => {}]
  const clock = { now: () => now, after: (_: number, fn: () => void) => { tick = fn; return () => {} } }
  const sync = { progress: () => undefined, statuses: () => new Map([['p', {}]]), targetHeight: () => 0, newestVersion: () => 0, unproved: () => false, redone: () => 0 }
  const presence = new Presence({ clock, chain: { head: () => kit.genesis, on: () => () => {} }, sync: sync as never, network: () => ({ peers: [{ id: 'p', link: 'webrtc' }] }) as never, dataMissing: () => undefined, pruned: () => undefined, params: kit.params })
  presence.start()
  now += 2 * 3_600_000
  tick()
  expect(presence.phase().phase).toBe('asleep')
  now -= 2 * 3_600_000
  tick()
  expect(presence.phase().phase).toBe('ready')
})
