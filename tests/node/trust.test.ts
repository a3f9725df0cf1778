/** What a liar gains by work that is taken on trust, and what a node loses by it: nothing that it has redone itself. */
import { expect, test } from 'vitest'
import { toHex } from '../../src/core/codec/ssz.ts'
import { BodiesRequest, BodiesResponse, Body, HeadersRequest, HeadersResponse, Status } from '../../src/core/codec/wire.ts'
import { sleep } from '../../src/node/askPeers.ts'
import { Presence } from '../../src/node/presence.ts'
import { BODIES_PROTOCOL, HEADERS_PROTOCOL, STATUS_PROTOCOL } from '../../src/node/syncServer.ts'
import { Trust } from '../../src/node/trust.ts'
import { MemoryDisk } from '../../src/storage/memory.ts'
import { keyPair, type Mined } from '../core/chainKit.ts'
import { branch, feed, hex, node, run, type TestNode, type World, world } from './syncRig.ts'

interface Shows {
  /** It stops answering once it has shown all its headers, instead of saying that there are no more. */
  readonly silentAfter?: boolean
  readonly headersMs?: number
  readonly bodiesUpTo?: number
  readonly bodiesMs?: number
}

/** Who claims this chain and shows as much of it as it likes, as slowly as it likes. */
async function claimant (w: World, id: string, blocks: readonly Mined[], o: Shows = {}): Promise<void> {
  const network = w.hub.join(id)
  const limits = { maxRequestBytes: 1 << 16, maxResponseBytes: 1 << 22, perPeerPerSecond: 100 }
  const tip = blocks[blocks.length - 1].meta
  await network.handle(STATUS_PROTOCOL, limits, async () => Status.serialize({ chain: w.kit.genesis.hash, version: 1, head: tip.hash, height: tip.height, work: tip.work, historyFrom: 0 }))
  await network.handle(HEADERS_PROTOCOL, limits, async (_, body) => {
    const { count, locator } = HeadersRequest.deserialize(body)
    await sleep(w.clock, o.headersMs ?? 0)
    const from = locator.map(h => blocks.findIndex(b => hex(b.meta) === toHex(h))).find(i => i >= 0) ?? -1
    const some = blocks.slice(from + 1, from + 1 + count)
    if (some.length > 0) return HeadersResponse.serialize({ headers: some.map(b => b.block.header) })
    if (o.silentAfter === true) await new Promise(() => {})
    return new Uint8Array(0)
  })
  await network.handle(BODIES_PROTOCOL, limits, async (_, body) => {
    await sleep(w.clock, o.bodiesMs ?? 0)
    return BodiesResponse.serialize({
      bodies: BodiesRequest.deserialize(body).hashes.map(h => {
        const b = blocks.find(x => hex(x.meta) === toHex(h))
        return b === undefined || b.meta.height > (o.bodiesUpTo ?? Infinity) ? new Uint8Array(0) : Body.serialize(b.block.body)
      })
    })
  })
}

async function presence (w: World, n: TestNode): Promise<Presence> {
  let status = await n.network.status()
  await n.network.onStatus(s => { status = s })
  const p = new Presence({ clock: w.clock, chain: n.chain, sync: n.sync, network: () => status, dataMissing: () => undefined, pruned: () => n.backfill.pruned, params: w.kit.params })
  p.start()
  return p
}

test('what was redone in the background stays, and what was mined on it, when who showed it has left', async () => {
  const w = world()
  await claimant(w, 'a', branch(w.kit, w.kit.genesis, 40), { bodiesUpTo: 36 })
  const late = await run(await node(w, 'late'))
  await w.clock.advance(2_000)
  w.hub.cut('a', 'late')
  await w.clock.advance(12_000)
  await late.backfill.idle()
  expect(late.chain.head().height).toBe(36)
  expect(late.sync.unproved()).toBe(false)
  const own = w.kit.block(late.chain.head(), { miner: keyPair(7) })
  expect(await late.chain.submitOwn(own)).toMatchObject({ status: 'added' })
  await w.clock.advance(120_000)
  expect(late.chain.head().height).toBe(37)
})

test('a forged chain on a real block takes nothing with it that came by gossip and was redone', async () => {
  const w = world()
  const common = branch(w.kit, w.kit.genesis, 10)
  const real = branch(w.kit, common[9].meta, 6, 1)
  const forged = [...common, real[0], ...branch(w.kit, real[0].meta, 40, 2)]
  const late = await node(w, 'late')
  await feed(late, common)
  for (const b of forged.slice(11)) late.replay.wrong.add(hex(b.meta))
  await claimant(w, 'liar', forged, { bodiesMs: 7_000 })
  await run(late)
  await w.clock.advance(3_000)
  for (const b of real) await late.chain.submit(b.block)
  expect(late.sync.unproved()).toBe(false)
  await w.clock.advance(90_000)
  expect(hex(late.chain.head())).toBe(hex(real[5].meta))
})

test('who stops answering for headers is left alone: under one name it holds the head for less than half of the time', async () => {
  const w = world()
  await claimant(w, 'liar', branch(w.kit, w.kit.genesis, 128, 2), { silentAfter: true, headersMs: 2_100, bodiesMs: 2_900 })
  const late = await run(await node(w, 'late'))
  let onTrust = 0
  for (let s = 0; s < 600; s++) {
    await w.clock.advance(1_000)
    if (late.sync.unproved()) onTrust++
  }
  expect(onTrust).toBeGreaterThan(0)
  expect(onTrust).toBeLessThan(300)
})

test('a heavier chain that is here on trust, beside its own, is redone once somebody shows its end', async () => {
  const w = world()
  const honest = branch(w.kit, w.kit.genesis, 132, 1)
  const late = await node(w, 'late')
  await feed(late, branch(w.kit, w.kit.genesis, 5, 3))
  await claimant(w, 'breaks off', honest.slice(0, 128), { silentAfter: true })
  await run(late)
  await w.clock.advance(30_000)
  expect(late.chain.head().height).toBe(5)
  const a = await run(await node(w, 'a'))
  w.hub.cut('a', 'breaks off')
  await feed(a, honest)
  await w.clock.advance(60_000)
  expect(hex(late.chain.head())).toBe(hex(honest[131].meta))
  expect(late.chain.at(132)!.checked).toBe('replayed')
})

test('nobody works on a head that is only somebody\'s word, whoever has left and whoever is shunned', async () => {
  const w = world()
  const late = await node(w, 'late')
  const own = branch(w.kit, w.kit.genesis, 5, 3)
  await feed(late, own)
  const forged = [...own, ...branch(w.kit, own[4].meta, 40, 2)]
  for (const b of forged.slice(5)) late.replay.unavailable.add(hex(b.meta))
  await claimant(w, 'liar', forged, { bodiesUpTo: 37 })
  await run(late)
  const p = await presence(w, late)
  const heights = new Set<number>()
  let worked = 0
  for (let s = 0; s < 90; s++) {
    await w.clock.advance(1_000)
    heights.add(late.chain.head().height)
    if (p.mayWork() !== undefined) continue
    worked++
    expect(late.chain.head().height).toBe(5)
  }
  expect(heights).toEqual(new Set([37, 5]))
  expect(worked).toBeGreaterThan(5)
})

test('one real slice on top of a long forged chain moves no base: the honest chain can still be followed', async () => {
  const w = world()
  const own = branch(w.kit, w.kit.genesis, 5, 3)
  const forged = [...own, ...branch(w.kit, own[4].meta, 100, 2)]
  const honest = [...own, ...branch(w.kit, own[4].meta, 140, 1)]
  const late = await node(w, 'late')
  await feed(late, own)
  for (const b of forged.slice(5)) if (b.meta.height !== 98) late.replay.wrong.add(hex(b.meta))
  await claimant(w, 'liar', forged)
  await run(late)
  await w.clock.advance(20_000)
  expect(late.chain.head().height).toBe(5)
  expect(late.chain.baseHeight()).toBe(0)
  const a = await node(w, 'a')
  await feed(a, honest)
  await run(a)
  await w.clock.advance(60_000)
  expect(hex(late.chain.head())).toBe(hex(honest[144].meta))
})

test('a reload does not make a proof of somebody\'s word', async () => {
  const w = world()
  const disk = new MemoryDisk()
  const own = branch(w.kit, w.kit.genesis, 5, 3)
  const forged = [...own, ...branch(w.kit, own[4].meta, 40, 2)]
  const honest = [...own, ...branch(w.kit, own[4].meta, 60, 1)]
  const late = await node(w, 'late', disk)
  await feed(late, own)
  for (const b of forged.slice(5)) late.replay.unavailable.add(hex(b.meta))
  await claimant(w, 'liar', forged, { bodiesUpTo: 37 })
  await run(late)
  await w.clock.advance(10_000)
  expect(late.chain.head().height).toBe(37)
  await late.sync.stop()
  late.backfill.stop()
  await late.chain.stop()
  const again = await node(w, 'again', disk)
  expect(again.chain.head().height).toBe(5)
  for (const b of forged.slice(5)) again.replay.unavailable.add(hex(b.meta))
  w.hub.cut('liar', 'again')
  const a = await node(w, 'a')
  await feed(a, honest)
  w.hub.cut('liar', 'a')
  await run(a)
  await run(again)
  await w.clock.advance(60_000)
  expect(hex(again.chain.head())).toBe(hex(honest[64].meta))
})

test('real blocks shown in between do not buy forged chains more time', async () => {
  const w = world()
  const own = branch(w.kit, w.kit.genesis, 5, 3)
  const real = branch(w.kit, own[4].meta, 20, 1)
  const late = await node(w, 'late')
  await feed(late, own)
  await run(late)
  let onTrust = 0
  let total = 0
  const pass = async (seconds: number, done: () => boolean): Promise<void> => {
    for (let s = 0; s < seconds && !done(); s++) {
      await w.clock.advance(1_000)
      total++
      if (late.sync.unproved()) onTrust++
    }
  }
  for (let i = 0; i < 6; i++) {
    const shown = [...own, ...real.slice(0, i + 1), ...branch(w.kit, real[i].meta, 12, 30 + i)]
    for (const b of shown.slice(6 + i)) late.replay.unavailable.add(hex(b.meta))
    await claimant(w, `real ${i}`, shown, { bodiesUpTo: 6 + i })
    await pass(15, () => late.chain.head().height === 6 + i && !late.sync.unproved())
    w.hub.cut(`real ${i}`, 'late')
    const forged = [...own, ...real.slice(0, i + 1), ...branch(w.kit, real[i].meta, 30, 50 + i)]
    for (const b of forged.slice(6 + i)) late.replay.unavailable.add(hex(b.meta))
    await claimant(w, `forged ${i}`, forged)
    await pass(100, () => late.sync.unproved())
    await pass(100, () => !late.sync.unproved())
    w.hub.cut(`forged ${i}`, 'late')
  }
  expect(onTrust).toBeGreaterThan(60)
  expect(onTrust / total).toBeLessThan(0.75)
})

test('when one forged chain falls, what is here of another is nobody\'s proof either', async () => {
  const w = world()
  const own = branch(w.kit, w.kit.genesis, 5, 3)
  const first = [...own, ...branch(w.kit, own[4].meta, 40, 2)]
  const second = [...own, ...branch(w.kit, own[4].meta, 60, 4)]
  const late = await node(w, 'late')
  await feed(late, own)
  for (const b of [...first, ...second].filter(x => x.meta.height > 5)) late.replay.unavailable.add(hex(b.meta))
  await claimant(w, 'first', first, { bodiesUpTo: 37 })
  await run(late)
  const p = await presence(w, late)
  await w.clock.advance(5_000)
  await claimant(w, 'second', second, { bodiesUpTo: 30 })
  let worked = 0
  for (let s = 0; s < 160; s++) {
    await w.clock.advance(1_000)
    if (p.mayWork() !== undefined) continue
    worked++
    expect(late.chain.head().height).toBe(5)
  }
  expect(worked).toBeGreaterThan(0)
})

test('a chain longer than one plan, beside a block of its own that lost, is followed plan by plan', async () => {
  const w = world()
  const own = branch(w.kit, w.kit.genesis, 5, 3)
  const honest = [...own.slice(0, 4), ...branch(w.kit, own[3].meta, 136, 1)]
  const late = await node(w, 'late', new MemoryDisk(), { planHeaders: 128 })
  await feed(late, own)
  const a = await node(w, 'a')
  await feed(a, honest)
  await run(a)
  await run(late)
  await w.clock.advance(60_000)
  expect(hex(late.chain.head())).toBe(hex(honest[139].meta))
  expect(late.chain.at(140)!.checked).toBe('replayed')
})

test('what was proved is settled after so many looks at the peers, whatever the clock says', () => {
  let now = 1_000_000_000_000
  const held: boolean[] = []
  const chain = { head: () => ({ height: 30 }), at: () => ({ checked: 'replayed' }), isMain: () => true, hold: (from: Uint8Array | undefined) => { held.push(from !== undefined) } } as unknown as ConstructorParameters<typeof Trust>[0]
  const trust = new Trust(chain, { now: () => now }, 8, 3)
  trust.took(new Uint8Array(32), 1, now)
  expect(trust.ripe).toBe(true)
  trust.prove()
  expect(trust.first).toBeUndefined()
  expect(trust.proved?.height).toBe(1)
  now += 86_400_000
  for (const due of [false, false, true]) {
    expect(trust.isDue).toBe(false)
    trust.poll()
    expect(trust.isDue).toBe(due)
    now -= 86_400_000
  }
  expect(held.at(-1)).toBe(true)
  trust.settle()
  expect(trust.proved).toBeUndefined()
  expect(held.at(-1)).toBe(false)
})
