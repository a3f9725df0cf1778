/** What the page is told of this node's place in the network, and what hangs on its being in step. */
import { expect, test } from 'vitest'
import { blocksTopic } from '../../src/node/blocksGossip.ts'
import { CatchUp } from '../../src/node/catchUp.ts'
import { JOIN_MS, Presence } from '../../src/node/presence.ts'
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
  const sync = { progress: () => undefined, spoken: () => 1, targetHeight: () => 0, newestVersion: () => 0, unproved: () => false, redone: () => 0 }
  const presence = new Presence({ clock, chain: { head: () => kit.genesis, on: () => () => {} }, sync: sync as never, network: () => ({ peers: [{ id: 'p', link: 'webrtc' }] }) as never, dataMissing: () => undefined, pruned: () => undefined, params: kit.params })
  presence.start()
  now += 2 * 3_600_000
  tick()
  expect(presence.phase().phase).toBe('asleep')
  now -= 2 * 3_600_000
  tick()
  expect(presence.phase().phase).toBe('ready')
})

/** A tab of which only the peers, and what they have said, are of interest. */
function joined (): { readonly w: { now: number, peers: string[], said: string[], target: number, progress?: object }, readonly presence: Presence } {
  const w = { now: 1e12, peers: [] as string[], said: [] as string[], target: 0 } as ReturnType<typeof joined>['w']
  const clock = { now: () => w.now, after: () => () => {} }
  const sync = { progress: () => w.progress, spoken: () => w.said.length, targetHeight: () => w.target, newestVersion: () => 0, unproved: () => false, redone: () => 0 }
  const network = (): object => ({ peers: w.peers.map(id => ({ id, link: 'webrtc' })) })
  return { w, presence: new Presence({ clock, chain: { head: () => kit.genesis, on: () => () => {} }, sync: sync as never, network: network as never, dataMissing: () => undefined, pruned: () => undefined, params: kit.params }) }
}

test('a tab is not in step before its peers have said where they are, however long it took to find them', () => {
  for (const foundMs of [500, JOIN_MS - 1, 5 * JOIN_MS]) {
    const { w, presence } = joined()
    w.now += foundMs
    w.peers = ['slow', 'fresh']
    const phases = (): string[] => [presence.phase().phase, String(presence.inStep())]
    expect(phases()).toEqual(['joining', 'false'])
    w.now += JOIN_MS / 2
    // Another one that has joined just now is no news of the network.
    w.said = ['fresh']
    expect(phases()).toEqual(['joining', 'false'])
    w.said = ['fresh', 'slow']
    w.target = 50
    expect(phases()).toEqual(['behind', 'false'])
    w.target = 0
    expect(phases()).toEqual(['ready', 'true'])
  }
})

test('peers that say nothing hold nobody up for long, and are not taken for a network', () => {
  const { w, presence } = joined()
  w.peers = ['mute', 'other']
  expect(presence.phase().phase).toBe('joining')
  w.now += JOIN_MS
  expect(presence.phase().phase).toBe('alone')
  expect(presence.mayWork()).toBeUndefined()
  w.said = ['other']
  expect(presence.phase().phase).toBe('ready')
})

test('the share of a catching-up does not go back over its stages, and the next one begins anew', () => {
  const { w, presence } = joined()
  w.peers = w.said = ['a']
  const done = (progress: object | undefined, target = 0): number | undefined => {
    Object.assign(w, { progress, target })
    const phase = presence.phase()
    return 'done' in phase ? Math.round(phase.done * 100) : undefined
  }
  const seen = [
    done({ stage: 'headers', height: 0, target: 100 }), done({ stage: 'headers', height: 58, target: 100 }), done({ stage: 'snapshot', height: 0, target: 100 }),
    // The plan was given up, and another one begins.
    done(undefined, 100), done({ stage: 'headers', height: 10, target: 100 }), done({ stage: 'blocks', height: 90, target: 100 }), done({ stage: 'states', height: 95, target: 110 }), done({ stage: 'replay', height: 100, target: 100 })
  ]
  expect(seen).toEqual([0, 17, 30, 30, 30, 93, 93, 100])
  expect(done(undefined)).toBeUndefined()
  expect(done({ stage: 'headers', height: 20, target: 100 })).toBe(6)
})

test('what was here before is not counted as gone', () => {
  const catchUp = new CatchUp()
  expect(catchUp.at({ stage: 'blocks', height: 900, target: 1_000 }, 900)).toBeCloseTo(0.3)
  expect(catchUp.at({ stage: 'blocks', height: 950, target: 1_000 }, 950)).toBeCloseTo(0.65)
})
