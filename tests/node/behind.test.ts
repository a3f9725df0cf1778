/** A tab that is some blocks behind, among honest neighbours: one or two others do what they can to keep it there. */
import { expect, it, vi } from 'vitest'
import { Block, Status } from '../../src/core/codec/wire.ts'
import { PROTOCOL_VERSION } from '../../src/core/params.ts'
import { sleep } from '../../src/node/askPeers.ts'
import { blocksTopic } from '../../src/node/blocksGossip.ts'
import { HEADERS_PROTOCOL, STATUS_PROTOCOL } from '../../src/node/syncServer.ts'
import { RequestError } from '../../src/ports/network.ts'
import { branch, feed, hex, node, run, stranger, type TestNode, type World, world } from './syncRig.ts'

// Whole nodes on one thread: seconds on an idle machine, more on a busy one.
vi.setConfig({ testTimeout: 120_000 })

const MINED = 40
const BLOCK_MS = 12_000
const ALL_WORK = 1n << 200n

/** Honest nodes that go on mining; `each` is done at every block, and says nothing before it. */
async function honestOnes (w: World, n: number) {
  const chain = branch(w.kit, w.kit.genesis, 80)
  const nodes: TestNode[] = []
  for (let i = 0; i < n; i++) {
    nodes.push(await run(await node(w, `honest-${i}`)))
    await feed(nodes[i], chain.slice(0, MINED))
  }
  let height = MINED
  const apart = (id: string): void => { for (const { id: other } of nodes) w.hub.disconnect(id, other) }
  return {
    chain, apart,
    get height () { return height },
    met: (id: string): void => { for (const { id: other } of nodes) w.hub.connect(id, other) },
    /** For how long of these minutes `tab` was not more than a block behind, as a share. */
    inStep: async (minutes: number, tab: TestNode, each: () => Promise<void>): Promise<number> => {
      const steps = minutes * 60_000 / BLOCK_MS
      let fine = 0
      for (let i = 0; i < steps; i++) {
        await w.clock.advance(BLOCK_MS)
        for (const { chain: c } of nodes) await c.submitAs(chain[height].block, { mode: 'own' })
        await nodes[0].gossip.announce(chain[height].block, 1)
        height++
        await each()
        await w.clock.advance(10)
        if (height - tab.chain.head().height <= 1) fine++
      }
      return fine / steps
    }
  }
}

it('catches up though one peer gossips blocks whose parents it must take on trust first', async () => {
  const w = world()
  const others = await honestOnes(w, 6)
  const late = await node(w, 'late')
  await feed(late, others.chain.slice(0, 10))
  const evil = w.hub.join('evil')
  others.apart('evil')
  others.apart('late')
  await late.gossip.start()
  await w.clock.advance(100)
  // Real ones: they wait for their parents, and then for a turn that gossip alone does not get.
  const say = async (): Promise<void> => {
    const first = late.chain.redone().height + 2
    for (let i = first; i <= first + 4 && i < others.height; i += 2) await evil.publish(blocksTopic(w.kit.genesis.hash), Uint8Array.of(0, ...Block.serialize(others.chain[i].block)))
  }
  await say()
  await w.clock.advance(1_000)
  await late.sync.start()
  others.met('late')
  // Before, it was further behind after twenty minutes.
  expect(await others.inStep(4, late, say)).toBe(1)
  expect(late.sync.unproved()).toBe(false)
})

it('catches up though two names claim all the work there is, say "busy" to the end, and come back by another', async () => {
  const w = world()
  const others = await honestOnes(w, 8)
  const late = await node(w, 'late')
  await feed(late, others.chain.slice(0, MINED - 6))
  others.apart('late')
  await run(late)
  const names: string[] = []
  let used = 0
  const come = async (): Promise<void> => {
    const id = `liar-${used++}`
    const network = w.hub.join(id)
    const limits = { maxRequestBytes: 1 << 16, maxResponseBytes: 1 << 22, perPeerPerSecond: 100 }
    await network.handle(STATUS_PROTOCOL, limits, async () => Status.serialize({ chain: w.kit.genesis.hash, version: PROTOCOL_VERSION, head: w.kit.genesis.hash.map(b => b ^ 255), height: 200, work: ALL_WORK, historyFrom: 0 }))
    await network.handle(HEADERS_PROTOCOL, limits, async () => {
      await sleep(w.clock, 9_500)
      throw new RequestError('busy', 'later')
    })
    others.apart(id)
    for (const name of names) w.hub.disconnect(id, name)
    names.push(id)
  }
  await come()
  await come()
  await w.clock.advance(500)
  others.met('late')
  const share = await others.inStep(6, late, async () => {
    for (const id of [...names]) {
      if (!late.log.entries(1_000).some(e => e.text.startsWith(`chain of ${id} `))) continue
      names.splice(names.indexOf(id), 1)
      w.hub.disconnect(id, 'late')
      await come()
    }
  })
  // Before, never: whoever claimed the most was first, each time by another name.
  expect(share).toBeGreaterThan(0.5)
  expect(used).toBeGreaterThan(4)
})

it('that joins by a chain whose old data nobody keeps any more is not held up by its blocks when an honest one comes', async () => {
  const w = world()
  const chain = branch(w.kit, w.kit.genesis, 80)
  const late = await node(w, 'late')
  await feed(late, chain.slice(0, 3))
  for (const b of chain.slice(0, 50)) late.replay.unavailable.add(hex(b.meta))
  await run(late)
  // Real blocks, shown as if they were all: the newest of them are to be redone, and are on nobody's disk.
  await stranger(w, 'liar', chain.slice(0, 20), { work: ALL_WORK })
  await w.clock.advance(50)
  for (let i = 0; i < 3; i++) {
    const honest = await run(await node(w, `honest-${i}`))
    w.hub.disconnect(honest.id, 'liar')
    await feed(honest, chain)
  }
  // A minute for the liar; before, another two and a half for an honest plan that was given up.
  await w.clock.advance(90_000)
  expect(late.chain.head().height).toBe(80)
})
