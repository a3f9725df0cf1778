/** Blocks that go on before their work is redone: what a miner with a record can do with that, and what nobody is banned for. */
import { describe, expect, it } from 'vitest'
import { equalBytes, toHex } from '../../src/core/codec/ssz.ts'
import { Block, BodiesResponse, Body, Claim } from '../../src/core/codec/wire.ts'
import { compareChains } from '../../src/core/consensus/chain.ts'
import { claimId } from '../../src/core/crypto/ids.ts'
import { BlocksGossip, blocksTopic } from '../../src/node/blocksGossip.ts'
import { Records } from '../../src/node/records.ts'
import { BODIES_PROTOCOL } from '../../src/node/syncServer.ts'
import { type Network } from '../../src/ports/network.ts'
import { keyPair, type Mined } from '../core/chainKit.ts'
import { hex, type TestNode, type World, kit, world, node, run, branch, feed, stranger } from './syncRig.ts'

describe('blocks on credit', () => {
  const known = keyPair(2)
  const base = branch(kit, kit.genesis, kit.params.committeeBlocks + kit.params.maturity + 2)
  const workers = [known, keyPair(3), keyPair(4)]
  const round = kit.sealRound(base[base.length - 1].meta, workers)
  const grown = [...base, round]
  /** evil - a - b - c, all at the same block; evil can be heard by a alone unless a test says so. */
  async function line (): Promise<{ w: World, evil: Network, nodes: readonly TestNode[], hand: (block: Block) => Promise<void> }> {
    const w = world()
    const evil = w.hub.join('evil')
    const nodes = [await run(await node(w, 'a')), await run(await node(w, 'b')), await run(await node(w, 'c'))]
    for (const [x, y] of [['evil', 'b'], ['evil', 'c'], ['a', 'c']]) w.hub.cut(x, y)
    for (const n of nodes) await feed(n, grown)
    return { w, evil, nodes, hand: async block => { await evil.publish(blocksTopic(kit.genesis.hash), Uint8Array.of(0, ...Block.serialize(block))) } }
  }
  const bans = async (n: TestNode): Promise<string[]> => (await n.network.status()).banned.map(b => b.id)

  it('a sound block of a miner with a record goes on while its work is redone, and is built on only after that', async () => {
    const { w, nodes: [a, b, c], hand } = await line()
    let open = (): void => {}
    a.replay.gate = new Promise<void>(resolve => { open = resolve })
    const next = kit.mine(round.meta, { miner: known })
    await hand(next.block)
    await w.clock.advance(100)
    expect([a, b, c].map(n => n.chain.head().height)).toEqual([0, 1, 1].map(n => round.meta.height + n))
    open()
    await w.clock.advance(100)
    expect(hex(a.chain.head())).toBe(hex(next.meta))
  })

  it('a block of a stranger does not', async () => {
    const { w, nodes: [a, b], hand } = await line()
    a.replay.gate = new Promise<void>(() => {})
    await hand(kit.mine(round.meta, { miner: keyPair(7) }).block)
    await w.clock.advance(100)
    expect(b.chain.head().height).toBe(round.meta.height)
  })

  it('a forged one costs everybody one replay and its miner his key; who passed it on is not banned, and nothing more of that key is redone', async () => {
    const { w, nodes: [a, b, c], hand } = await line()
    const forged = [0, 1, 2].map(slice => kit.block(round.meta, { miner: known, slice }))
    for (const n of [a, b, c]) for (const f of forged) n.replay.wrong.add(toHex(claimId(f.header)))
    const before = [a, b, c].map(n => n.replay.replayed.length)
    // All at once: only the first is passed on, and only it is redone.
    for (const f of forged) await hand(f)
    await w.clock.advance(1_000)
    expect([a, b, c].map((n, i) => n.replay.replayed.length - before[i])).toEqual([1, 1, 1])
    expect(await Promise.all([a, b, c].map(bans))).toEqual([[], [], []])
    for (const n of [a, b, c]) {
      expect(n.blame.isBannedMiner(known.key)).toBe(true)
      expect(n.blame.list()).toMatchObject([{ reason: 'result-hash', peer: undefined }])
      expect(n.chain.head().height).toBe(round.meta.height)
    }
    await hand(kit.block(round.meta, { miner: known, slice: 3 }))
    await w.clock.advance(1_000)
    expect([a, b, c].map((n, i) => n.replay.replayed.length - before[i])).toEqual([1, 1, 1])
  })

  it('nobody is banned who passed on, before it was redone, what another has been shown as a header alone and has refused', async () => {
    const { w, nodes: [a, b, c], hand } = await line()
    const forged = workers.map(miner => kit.block(round.meta, { miner }))
    for (const n of [a, b, c]) for (const f of forged) n.replay.wrong.add(toHex(claimId(f.header)))
    for (const [i, f] of forged.entries()) {
      const name = w.hub.join(`evil${i}`)
      for (const n of ['a', 'b']) w.hub.cut(`evil${i}`, n)
      await name.handle(BODIES_PROTOCOL, { maxRequestBytes: 1 << 16, maxResponseBytes: 1 << 22, perPeerPerSecond: 100 }, async () => BodiesResponse.serialize({ bodies: [Body.serialize(f.body)] }))
      await name.publish(blocksTopic(kit.genesis.hash), Uint8Array.of(1, ...Claim.serialize(f.header)))
      await w.clock.advance(1_000)
      await hand(f)
      await w.clock.advance(1_000)
    }
    expect(c.blame.list().map(r => r.peer)).toEqual(['evil2', 'evil1', 'evil0'])
    expect(await Promise.all([a, b, c].map(bans))).toEqual([[], [], ['evil0', 'evil1', 'evil2']])
  })

  it('nobody is banned who brought wrong blocks of keys that had no credit left here: with him they may have had it', async () => {
    const { w, nodes: [a], hand } = await line()
    for (const miner of workers) {
      const [waits, forged] = [5, 0].map(slice => kit.block(round.meta, { miner, slice }))
      a.replay.unavailable.add(toHex(claimId(waits.header)))
      a.replay.wrong.add(toHex(claimId(forged.header)))
      for (const block of [waits, forged]) await hand(block)
      await w.clock.advance(1_000)
      expect(a.blame.isBannedMiner(miner.key)).toBe(true)
    }
    expect(await bans(a)).toEqual([])
  })

  it('what was refused is not redone again, and who brings it on and on is sent away', async () => {
    const { w, nodes: [a], hand } = await line()
    const forged = kit.block(round.meta, { miner: known })
    a.replay.wrong.add(toHex(claimId(forged.header)))
    await hand(forged)
    await w.clock.advance(1_000)
    const before = a.replay.replayed.length
    for (let i = 0; i < 130; i++) await hand(forged)
    await w.clock.advance(1_000)
    expect(a.replay.replayed.length).toBe(before)
    expect(await bans(a)).toEqual(['evil'])
  })

  it('what others build on a block of a banned key is followed all the same', async () => {
    const { w, evil, nodes: [a], hand } = await line()
    a.blame.refuse({ what: 'block', reason: 'result-hash', detail: 'caught', miner: toHex(known.key), fatal: true })
    const next = kit.mine(round.meta, { miner: known })
    await hand(next.block)
    await w.clock.advance(1_000)
    expect(a.chain.head().height).toBe(round.meta.height)
    const above = kit.mine(next.meta)
    const blocks = [...grown, next, above]
    await evil.stop()
    await stranger(w, 'honest', blocks)
    await w.clock.advance(20_000)
    expect(hex(a.chain.head())).toBe(hex(above.meta))
  })

  it('of a block that seals work found wrong meanwhile nobody answers who could not know it: not its miner, nor who passed it on', async () => {
    const { w, nodes: [a, b, c], hand } = await line()
    const next = kit.sealRound(round.meta, [keyPair(1)])
    await b.chain.condemn(claimId(next.block.body.seals[0].seal.contributions[0]), 'just found')
    await hand(next.block)
    await w.clock.advance(1_000)
    expect(a.chain.head().height).toBe(next.meta.height)
    expect(b.chain.head().height).toBe(round.meta.height)
    expect(await Promise.all([a, b, c].map(bans))).toEqual([[], [], []])
    expect(b.blame.isBannedMiner(next.block.header.template.miner)).toBe(false)
    expect(b.blame.list()).toMatchObject([{ reason: 'contribution-wrong', peer: 'a' }])
  })

  it('a key whose block cannot be redone has no more credit, however many heights there are, and nobody is banned for what it floods', async () => {
    const { w, nodes: [a, b, c] } = await line()
    // Blocks on a job whose data nobody has: sound as far as anybody can see, and made of a few hashes.
    let tip = round.meta
    const seen: boolean[][] = []
    for (let i = 0; i < 10; i++) {
      const f = kit.block(tip, { miner: keyPair(1), slice: 5 })
      for (const n of [a, b, c]) n.replay.unavailable.add(toHex(claimId(f.header)))
      const name = w.hub.join(`evil${i}`)
      for (const n of ['b', 'c']) w.hub.cut(`evil${i}`, n)
      await name.publish(blocksTopic(kit.genesis.hash), Uint8Array.of(0, ...Block.serialize(f)))
      await w.clock.advance(10)
      seen.push([a, b, c].map(n => n.chain.held().waiting > 0))
      const next = kit.mine(tip, { miner: keyPair(6) })
      for (const n of [a, b, c]) await feed(n, [next])
      tip = next.meta
    }
    // The first has gone all the way, and has been outdone by then.
    expect(seen[1]).toEqual([true, true, true])
    expect(seen.slice(2)).toEqual(new Array(8).fill([true, false, false]))
    expect(await Promise.all([a, b, c].map(bans))).toEqual([[], [], []])
  })

  it('nobody is banned for a block whose parent fell while it was looked at', async () => {
    const { w, nodes: [a, b, c], hand } = await line()
    const forged = kit.block(round.meta, { miner: known })
    for (const n of [a, b, c]) n.replay.wrong.add(toHex(claimId(forged.header)))
    let open = (): void => {}
    const gate = new Promise<void>(resolve => { open = resolve })
    const verify = b.signatures.verify.bind(b.signatures)
    b.signatures.verify = async items => { await gate; return await verify(items) }
    await hand(forged)
    await w.clock.advance(100)
    await b.chain.condemn(claimId(round.block.body.seals[0].seal.contributions[0]), 'just found')
    open()
    await w.clock.advance(1_000)
    expect(await bans(b)).toEqual([])
  })

  it('a forged one does not take with it what came from the same peer behind it', async () => {
    const { w, nodes: [a, b, c], hand } = await line()
    const forged = kit.block(round.meta, { miner: known })
    for (const n of [a, b, c]) n.replay.wrong.add(toHex(claimId(forged.header)))
    let open = (): void => {}
    b.replay.gate = new Promise<void>(resolve => { open = resolve })
    const next = kit.mine(round.meta)
    await hand(forged)
    await w.clock.advance(100)
    await a.chain.submitOwn(next.block)
    await a.gossip.announce(next.block)
    await w.clock.advance(100)
    open()
    await w.clock.advance(1_000)
    expect([a, b, c].map(n => n.chain.head().height)).toEqual([1, 1, 1].map(n => round.meta.height + n))
  })

  it('where nobody can say who has a record, a peer gets one wrong block redone and no more', async () => {
    const w = world()
    const evil = w.hub.join('evil')
    const n = await node(w, 'n')
    const blind = new Records(kit.params, { get: () => undefined })
    const gossip = new BlocksGossip({ params: kit.params, clock: w.clock, network: n.network, chain: n.chain, sync: n.sync, pool: { add: async () => undefined }, records: blind, signatures: n.signatures, blame: n.blame, log: n.log })
    await gossip.start()
    await feed(n, grown)
    const before = n.replay.replayed.length
    for (let i = 0; i < 5; i++) {
      const forged = kit.block(round.meta, { miner: keyPair(20 + i) })
      n.replay.wrong.add(toHex(claimId(forged.header)))
      await evil.publish(blocksTopic(kit.genesis.hash), Uint8Array.of(0, ...Block.serialize(forged)))
      await w.clock.advance(1_000)
    }
    expect(n.replay.replayed.length - before).toBe(1)
    expect(await bans(n)).toEqual([])
  })

  it('a record is a block of one\'s own, or a contribution that was sealed; without all bodies nobody can say that there is none', () => {
    const whole = new Records(kit.params, { get: hash => { const at = grown.find(b => equalBytes(b.meta.hash, hash)); return at === undefined ? undefined : { meta: at.meta, body: at.block.body, events: at.events, checked: 'own' } } })
    const none = new Records(kit.params, { get: () => undefined })
    const [sealed, miner, stranger] = [known, keyPair(1), keyPair(7)].map(k => k.key)
    expect([sealed, miner, stranger].map(k => whole.standing(round.meta, k))).toEqual([true, true, false])
    expect([sealed, miner, stranger].map(k => none.standing(round.meta, k))).toEqual([undefined, true, undefined])
    expect([sealed, miner, stranger].map(k => whole.has(round.meta, k))).toEqual([true, false, false])
  })

  /** Two siblings by miners with a record, the one that leads first. */
  const pair = (): Mined[] => [workers[0], workers[1]].map(miner => kit.mine(round.meta, { miner })).sort((x, y) => compareChains(y.meta, x.meta))

  it('a forged one does not keep an honest one that it outdid from going all the way', async () => {
    const { w, nodes: [a, b, c], hand } = await line()
    const [forged, honest] = pair()
    let open = (): void => {}
    const gate = new Promise<void>(resolve => { open = resolve })
    for (const n of [a, b, c]) {
      n.replay.wrong.add(toHex(claimId(forged.block.header)))
      n.replay.gate = gate
    }
    await hand(forged.block)
    await w.clock.advance(100)
    const maker = w.hub.join('maker')
    for (const n of ['evil', 'a', 'b']) w.hub.cut('maker', n)
    await maker.publish(blocksTopic(kit.genesis.hash), Uint8Array.of(0, ...Block.serialize(honest.block)))
    await w.clock.advance(100)
    open()
    await w.clock.advance(500)
    expect([a, b, c].map(n => hex(n.chain.head()))).toEqual(new Array(3).fill(hex(honest.meta)))
  })

  it('one that builds on a block that was outdone goes all the way', async () => {
    const { w, nodes: [a, b, c], hand } = await line()
    const [best, other] = pair()
    for (const n of [a, b, c]) {
      await feed(n, [best])
      expect(await n.chain.submit(other.block, 'other', 'other')).toMatchObject({ status: 'held' })
    }
    const next = kit.mine(other.meta, { miner: workers[2] })
    await hand(next.block)
    await w.clock.advance(500)
    expect([a, b, c].map(n => hex(n.chain.head()))).toEqual(new Array(3).fill(hex(next.meta)))
  })

  it('have no turn where they build on what is only told: hashes make that, and keys that are known from it', async () => {
    const w = world()
    const own = branch(kit, kit.genesis, 12)
    const a = await node(w, 'a')
    await feed(a, own)
    await run(a)
    const forged = [...own]
    for (let i = 0; i < 46; i++) forged.push(kit.mine(forged[forged.length - 1].meta, { miner: keyPair(500 + i) }))
    for (const f of forged.slice(12)) a.replay.wrong.add(toHex(claimId(f.block.header)))
    // Slowly: so long its blocks are at the head.
    const evil = await stranger(w, 'evil', forged, { slowMs: 1_000 })
    await w.clock.advance(30_000)
    expect(a.sync.unproved()).toBe(true)
    expect(a.chain.head().height).toBeGreaterThan(24)
    const wrong = new Set<string>()
    for (let i = 0; i < 10; i++) {
      const block = kit.block(a.chain.head(), { miner: keyPair(500 + i) })
      const id = toHex(claimId(block.header))
      a.replay.wrong.add(id)
      wrong.add(id)
      await evil.publish(blocksTopic(kit.genesis.hash), Uint8Array.of(0, ...Block.serialize(block)))
      await w.clock.advance(250)
    }
    expect(a.sync.unproved()).toBe(true)
    expect(a.replay.replayed.filter(id => wrong.has(id))).toEqual([])
    expect(a.chain.held()).toEqual({ orphans: 0, waiting: 10 })
    expect(w.hub.welcomeAt('a', 'evil')).toBeUndefined()
  })
})
