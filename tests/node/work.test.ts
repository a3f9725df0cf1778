/** Rounds from contribution to seal to block, on nodes that are whole but for the wire. */
import { afterEach, describe, expect, test, vi } from 'vitest'
import { equalBytes, toHex } from '../../src/core/codec/ssz.ts'
import { committee } from '../../src/core/consensus/committee.ts'
import { isEnded } from '../../src/core/ledger/state.ts'
import { MAX_PENDING_SEALS } from '../../src/core/params.ts'
import { noiseKey } from '../../src/core/training/sampling.ts'
import { stateHash } from '../../src/core/training/stateHash.ts'
import { PAYLOAD_PROTOCOL } from '../../src/node/payloads.ts'
import { ChainKit } from '../core/chainKit.ts'
import { benchmarkData, sameState, smallData, Stranger, workParams, workSpec, World, type WorkNode } from './workRig.ts'

// Whole nodes on one thread: seconds on an idle machine, more on a busy one.
vi.setConfig({ testTimeout: 120_000 })

let world: World | undefined
afterEach(async () => { await world?.stop(); world = undefined })

const sealedContributions = (n: WorkNode): string[] => {
  const miners: string[] = []
  for (let h = 1; h <= n.chain.head().height; h++) for (const s of n.chain.at(h)!.body.seals) for (const c of s.seal.contributions) miners.push(toHex(c.template.miner))
  return miners
}

describe('one node alone', () => {
  test('mines, seals every round by itself and puts the seals into blocks', async () => {
    world = new World()
    const a = await world.add('a', 1)
    a.mine(true)
    await world.until('five sealed rounds on chain', () => a.sealedRound >= 5)
    const head = a.chain.head()
    const state = await a.states.state(a.benchmark, head.ledger.jobs[0].round, head.ledger.jobs[0].stateHash)
    expect(toHex(stateHash(state!))).toBe(toHex(head.ledger.jobs[0].stateHash))
    expect(a.errors()).toEqual([])
    expect(a.refusals()).toEqual([])
    expect(a.trainer.view().blocksFound).toBe(head.height)
    expect(a.trainer.view().contributionsSealed).toBe(sealedContributions(a).length)
    expect(a.trainer.view().contributionsSealed).toBeGreaterThanOrEqual(5)
    expect(a.trainer.view().state).toBe('working')
  })

  test('says why it does not mine', async () => {
    world = new World()
    const a = await world.add('a', 1)
    expect(a.trainer.view()).toMatchObject({ state: 'off', slices: 0 })
    a.trainer.configure({ on: true, workers: 1, pause: 'paused-hidden' })
    await world.run(3_000)
    expect(a.trainer.view()).toMatchObject({ state: 'paused-hidden', slices: 0 })
    a.mine(true)
    await world.run(2_000)
    const { slices } = a.trainer.view()
    expect(slices).toBeGreaterThan(3)
    a.mine(false)
    await world.run(2_000)
    expect(a.trainer.view().slices).toBeLessThanOrEqual(slices + 1)
  })

  test('never works on one slice of a round twice, also after a restart', async () => {
    world = new World()
    const a = await world.add('a', 1)
    a.mine(true)
    await world.until('at work in round 3', () => a.round >= 3 && a.trainer.view().round === a.round)
    const { round } = a
    const { height } = a.chain.head()
    a.mine(false)
    await world.run(1_000)
    await world.remove(a)
    const again = await world.add('b', 1, { disk: a.disk })
    await world.catchUp(again, a)
    expect(await again.slices.take(again.benchmark, round, height + 1)).toBeGreaterThanOrEqual(32)
    // What was pending is lost, so some rounds are made again, and none is stuck.
    again.mine(true)
    await world.until('more rounds', () => again.sealedRound > round + 2)
    const claims = new Set<string>()
    for (let h = 1; h <= again.chain.head().height; h++) {
      for (const { seal } of again.chain.at(h)!.body.seals) {
        for (const c of seal.contributions) {
          const name = `${c.template.round}/${c.slice}`
          expect(claims.has(name)).toBe(false)
          claims.add(name)
        }
      }
    }
    expect(again.errors()).toEqual([])
  })
})

describe('three nodes', () => {
  test('agree on every sealed state and carry the seals in blocks', async () => {
    world = new World()
    const nodes = [await world.add('a', 1), await world.add('b', 2), await world.add('c', 3)]
    for (const n of nodes) n.mine(true)
    await world.until('four sealed rounds on every chain', () => nodes.every(n => n.sealedRound >= 4))
    for (const n of nodes) {
      n.mine(false)
      expect(n.errors()).toEqual([])
    }
    await world.until('all at one tip', () => sameState(nodes))
    const tip = nodes[0].rounds.tip(nodes[0].benchmark)!
    for (const n of nodes) {
      const state = await n.states.state(tip.job.id, tip.round, tip.stateHash)
      expect(toHex(stateHash(state!))).toBe(toHex(tip.stateHash))
    }
    expect(new Set(sealedContributions(nodes[0])).size).toBe(3)
    expect(nodes.flatMap(n => n.refusals())).toEqual([])
    // It learns: the curve is measured on records no slice saw.
    const curve = nodes[0].curve.points(toHex(nodes[0].benchmark))
    expect(curve.length).toBeGreaterThan(2)
    expect(curve[0].samples).toBe(benchmarkData.ref.testRecords)
    expect(curve.at(-1)!.loss).toBeLessThan(curve[0].loss)
  })

  test('go on sealing when a member falls asleep', async () => {
    world = new World()
    const nodes = [await world.add('a', 1), await world.add('b', 2), await world.add('c', 3)]
    for (const n of nodes) n.mine(true)
    const [a, b, c] = nodes
    await world.until('a committee of three', () => a.sealedRound >= 1 && committee(workParams, a.chain.head()).length === 3)
    c.awake = false
    c.mine(false)
    const { round } = a
    await world.until('two more rounds on chain', () => a.sealedRound >= round + 2 && b.sealedRound >= round + 2)
    expect([...a.errors(), ...b.errors()]).toEqual([])
  })

  test('a node that joins late rebuilds the states and takes part', async () => {
    world = new World()
    const nodes = [await world.add('a', 1), await world.add('b', 2)]
    for (const n of nodes) n.mine(true)
    await world.until('six rounds', () => nodes.every(n => n.sealedRound >= 6))
    for (const n of nodes) n.mine(false)
    await world.until('all at one tip', () => sameState(nodes))
    const late = await world.add('late', 4)
    await world.catchUp(late, nodes[0])
    const job = late.chain.head().ledger.jobs[0]
    const wanted = late.states.state(job.id, job.round, job.stateHash)
    await world.run(5_000)
    expect(toHex(stateHash((await wanted)!))).toBe(toHex(job.stateHash))
    for (const n of [...nodes, late]) n.mine(true)
    await world.until('its contributions are sealed', () => late.trainer.view().contributionsSealed > 0)
    expect(late.errors()).toEqual([])
  })
})

// Regression: after a power cut nobody had the states between, and whoever was on another branch waited for them for minutes.
test('a node that takes the older blocks of another branch on trust puts the states together that they lead to', async () => {
  const w = world = new World()
  const [a, b] = [await w.add('a', 1), await w.add('b', 2)]
  for (const n of [a, b]) n.mine(true)
  await w.until('two rounds', () => [a, b].every(n => n.sealedRound >= 2))
  for (const n of [a, b]) n.mine(false)
  await w.until('both at one tip', () => sameState([a, b]))
  const fork = a.chain.head().height
  w.hub.cut('a', 'b')
  for (const n of [a, b]) n.onBlock = () => {}
  for (const [n, blocks] of [[a, 14], [b, 20]] as const) {
    n.mine(true)
    await w.until('its own blocks', () => n.chain.head().height >= fork + blocks)
    n.mine(false)
  }
  const trusted = fork + 8
  // Of the other branch nothing but blocks and payloads is left.
  const left = new Map<string, Uint8Array>()
  const branch = Array.from({ length: b.chain.head().height - fork }, (_, i) => b.chain.at(fork + 1 + i)!)
  for (const { body } of branch) {
    for (const { seal } of body.seals) for (const c of seal.contributions) left.set(toHex(c.payloadDigest), (await b.payloads.get(c.payloadDigest))!)
  }
  const round = (height: number): number => b.chain.metaAt(height)!.ledger.jobs[0].round
  expect(round(trusted)).toBeGreaterThan(round(fork))
  expect(round(trusted + 4)).toBeGreaterThan(round(trusted))
  const s = new Stranger(w, 's')
  await s.serve(PAYLOAD_PROTOCOL, body => left.get(toHex(body)) ?? new Uint8Array(0))
  for (const { meta, body } of branch) {
    const done = a.chain.submitAs({ header: meta.header, body }, { mode: meta.height <= trusted ? 'ledger' : 'full', via: 's' })
    await w.run(10_000)
    expect(await done).toMatchObject({ status: 'added' })
    // The way to them is not that of its own chain.
    if (meta.height <= trusted) expect(a.chain.isMain(meta.hash)).toBe(false)
  }
  expect(a.chain.get(branch.at(-1)!.meta.hash)!.checked).toBe('replayed')
  expect([...a.errors(), ...b.errors()]).toEqual([])
})

test('pending seals are bounded, wait for the one before them and for payloads, and go into the next block', async () => {
  const w = world = new World()
  const a = await w.add('a', 1)
  a.mine(true)
  await w.until('a committee', () => a.sealedRound >= 1)
  a.withholds = () => true
  await w.until('as many as may be', () => a.rounds.tip(a.benchmark)!.pending.length === MAX_PENDING_SEALS)
  const { round } = a
  await w.run(10_000)
  expect(a.round).toBe(round)
  a.mine(false)
  const b = await w.add('b', 2)
  await w.catchUp(b, a)
  const [first, second] = a.rounds.tip(a.benchmark)!.pending
  expect(await b.rounds.add(second, 'a')).toMatchObject({ status: 'held', refusal: { reason: 'seal-previous' } })
  // One that nobody signed does not wait.
  const forged = { seal: { ...second.seal, stateHash: first.seal.stateHash }, signatures: [] }
  expect(await b.rounds.add(forged, 'stranger')).toMatchObject({ status: 'refused', refusal: { reason: 'seal-quorum' } })
  w.hub.cut('a', 'b')
  const unseen = b.rounds.add(first, 'a')
  await w.run(20_000)
  expect(await unseen).toMatchObject({ status: 'held', refusal: { verdict: 'unavailable' } })
  w.hub.heal()
  const seen = b.rounds.add(first, 'a')
  await w.run(5_000)
  expect(await seen).toEqual({ status: 'added' })
  expect(b.rounds.tip(b.benchmark)!.pending).toEqual([first, second])
  a.withholds = () => false
  a.mine(true)
  await w.until('one block carries them all', () => a.sealedRound >= round && b.sealedRound >= round)
  expect(a.errors()).toEqual([])
})

test('a paid job waits until the committee holds its data, then runs to its end', async () => {
  world = new World()
  const kit = new ChainKit(workParams, { benchmark: workSpec })
  const [a, b] = [await world.add('a', 1), await world.add('b', 2)]
  a.mine(true)
  b.mine(true)
  const data = smallData(120, 90, 1)
  await a.data.add(data)
  await world.until('something to spend', () => a.chain.head().ledger.accounts.get(a.keys.key) !== undefined)
  a.transactions = [kit.post(a.chain.head(), a.keys, { spec: { ...workSpec, name: new TextEncoder().encode('paid'), rounds: 3, data: data.ref }, escrow: 10_000_000n, price: 1_000n, burn: 1_000n })]
  const job = (): ReturnType<typeof a.chain.head>['ledger']['jobs'][number] | undefined => a.chain.head().ledger.jobs[1]
  await world.until('posted', () => job() !== undefined)
  await world.until('the other node fetches the data', () => b.data.held(data.ref.root) !== undefined)
  expect(b.data.progress(data.ref.root)).toEqual({ have: 120, want: 120 })
  await world.until('active', () => job()!.status === 'active')
  await world.until('over', () => isEnded(job()!), 300_000)
  expect(job()!.status).toBe('done')
  expect(job()!.round).toBe(3)
  expect([...a.errors(), ...b.errors()]).toEqual([])
})

test('a slice is named by its template and index', () => {
  // The memo of replays rests on it.
  const t = new World().genesis.header.template
  expect(equalBytes(noiseKey(t, 0), noiseKey(t, 1))).toBe(false)
  expect(equalBytes(noiseKey(t, 0), noiseKey({ ...t, time: t.time + 1 }, 0))).toBe(false)
})
