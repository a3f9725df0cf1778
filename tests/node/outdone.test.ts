/** Blocks that would not lead: what of them is redone, when, and what becomes of them if what leads is wrong. */
import { describe, expect, it } from 'vitest'
import { toHex } from '../../src/core/codec/ssz.ts'
import { compareChains } from '../../src/core/consensus/chain.ts'
import { claimId } from '../../src/core/crypto/ids.ts'
import { OUTDONE_MS } from '../../src/node/held.ts'
import { ChainKit, keyPair, type Mined } from '../core/chainKit.ts'
import { type Rig, rig, settle } from './chainRig.ts'

const id = (m: Mined): string => toHex(claimId(m.block.header))
const head = (r: Rig): string => toHex(r.chain.head().hash)
const gossip = async (r: Rig, m: Mined, via = 'v'): ReturnType<Rig['chain']['submit']> => await r.chain.submit(m.block, via, via)

/** On one parent, the one that leads first. */
function siblings (kit: ChainKit, parent: Mined['meta'], count: number): Mined[] {
  return Array.from({ length: count }, (_, i) => kit.mine(parent, { miner: keyPair(1 + i) })).sort((a, b) => compareChains(b.meta, a.meta))
}

/** Replays wait until it is opened. */
function gate (r: Rig): () => void {
  let open = (): void => {}
  r.replay.gate = new Promise<void>(resolve => { open = resolve })
  return () => { r.replay.gate = undefined; open() }
}

/** Two seconds a replay, one after another. */
function slow (r: Rig): void {
  const { replay } = r.replay
  let last: Promise<unknown> = Promise.resolve()
  r.replay.replay = async (...of) => {
    const before = last
    let done = (): void => {}
    last = new Promise<void>(resolve => { done = resolve })
    of[3]?.begun?.()
    await before
    await new Promise<void>(resolve => { r.clock.after(2_000, resolve) })
    done()
    return await replay.apply(r.replay, of)
  }
}

describe('a block that would not lead', () => {
  it('is held, and its work is not redone', async () => {
    const r = rig()
    const [best, ...others] = siblings(r.kit, r.kit.genesis, 6)
    expect(await gossip(r, best)).toEqual({ status: 'added', head: true })
    for (const o of others) expect(await gossip(r, o)).toMatchObject({ status: 'held', refusal: { verdict: 'unavailable' } })
    expect(r.replay.replayed).toEqual([id(best)])
    expect(r.refused).toEqual([])
  })

  it('is refused all the same where a rule forbids it', async () => {
    const r = rig()
    const [best, other] = siblings(r.kit, r.kit.genesis, 2)
    await gossip(r, best)
    const unsigned = { ...other.block, header: { ...other.block.header, signature: new Uint8Array(64) } }
    expect(await r.chain.submit(unsigned, 'v', 'v')).toMatchObject({ status: 'refused', refusal: { reason: 'header-signature' } })
  })

  it('is redone once something builds on it, whichever of them comes first', async () => {
    for (const first of ['parent', 'child', 'both']) {
      const r = rig()
      const [best, other] = siblings(r.kit, r.kit.genesis, 2)
      const child = r.kit.mine(other.meta)
      const missing: number[] = []
      r.chain.on('missing', e => { missing.push(e.height) })
      await gossip(r, best)
      if (first === 'both') await Promise.all([gossip(r, other), gossip(r, child)])
      else for (const m of first === 'parent' ? [other, child] : [child, other]) await gossip(r, m)
      await settle()
      expect(head(r), first).toBe(id(child))
      expect(r.replay.replayed, first).toEqual([best, other, child].map(id))
      // Nobody is asked for what is here.
      expect(missing, first).toEqual(first === 'child' ? [2] : [])
    }
  })

  it('is redone once a peer shows it on its chain', async () => {
    const r = rig()
    const [best, other] = siblings(r.kit, r.kit.genesis, 2)
    for (const m of [best, other]) await gossip(r, m)
    expect(await r.chain.submitAs(other.block, { mode: 'full', origin: 'p', via: 'p', blame: 'p' })).toEqual({ status: 'added', head: false })
    expect(r.replay.replayed).toEqual([best, other].map(id))
  })

  it('leads after all when what outdid it is taken back', async () => {
    const r = rig()
    const [best, second, third] = siblings(r.kit, r.kit.genesis, 3)
    for (const m of [best, third, second]) await gossip(r, m)
    r.chain.refute(best.meta.hash, { verdict: 'invalid', reason: 'result-hash', detail: 'redoing it gave another result' })
    await settle()
    expect(head(r)).toBe(id(second))
  })

  it('is forgotten after a while, and comes back with what builds on it', async () => {
    const r = rig()
    const [best, other] = siblings(r.kit, r.kit.genesis, 2)
    await gossip(r, best)
    await gossip(r, other)
    await r.clock.advance(OUTDONE_MS)
    const missing: number[] = []
    r.chain.on('missing', e => { missing.push(e.height) })
    const child = r.kit.mine(other.meta)
    await gossip(r, child)
    expect(missing).toEqual([2])
    await gossip(r, other)
    await settle()
    expect(head(r)).toBe(id(child))
  })
})

describe('while the device redoes a block', () => {
  it('none is redone that ranks below it', async () => {
    const r = rig()
    const [best, ...others] = siblings(r.kit, r.kit.genesis, 5)
    const open = gate(r)
    const added = gossip(r, best, 'a')
    await settle()
    const below = others.map(async (o, i) => await gossip(r, o, `b${i}`))
    await settle()
    open()
    expect(await added).toEqual({ status: 'added', head: true })
    expect((await Promise.all(below)).map(x => x.status)).toEqual(others.map(() => 'held'))
    expect(r.replay.replayed).toEqual([id(best)])
  })

  it('one that ranks above it is, at once', async () => {
    const r = rig()
    const [best, other] = siblings(r.kit, r.kit.genesis, 2)
    const open = gate(r)
    const both = [gossip(r, other, 'a')]
    await settle()
    both.push(gossip(r, best, 'b'))
    await settle()
    open()
    expect((await Promise.all(both)).map(x => x.status)).toEqual(['added', 'added'])
    expect(head(r)).toBe(id(best))
  })

  it('a forged one of the lowest ticket holds up the honest ones for one replay', async () => {
    const r = rig()
    const [forged, ...honest] = siblings(r.kit, r.kit.genesis, 4)
    r.replay.wrong.add(id(forged))
    const open = gate(r)
    const refused = gossip(r, forged, 'enemy')
    await settle()
    const waiting = honest.map(async (h, i) => await gossip(r, h, `honest${i}`))
    await settle()
    open()
    expect(await refused).toMatchObject({ status: 'refused', refusal: { reason: 'result-hash' } })
    expect((await Promise.all(waiting)).map(x => x.status)).toEqual(['added', 'added', 'added'])
    expect(head(r)).toBe(id(honest[0]))
    expect(r.refused.map(x => x.peer)).toEqual(['enemy'])
  })

  it('one that cannot be redone after all holds up the honest ones no longer than that takes', async () => {
    const r = rig()
    const [lacking, honest] = siblings(r.kit, r.kit.genesis, 2)
    r.replay.unavailable.add(id(lacking))
    const open = gate(r)
    const held = gossip(r, lacking, 'enemy')
    await settle()
    const added = gossip(r, honest)
    await settle()
    open()
    expect((await held).status).toBe('held')
    expect(await added).toEqual({ status: 'added', head: true })
  })

  it('forged ones that come one after another hold up an honest one for the first of them alone', async () => {
    const r = rig()
    slow(r)
    // Each ranks above those before it.
    const all = siblings(r.kit, r.kit.genesis, 24)
    const [honest, ...forged] = [...all].reverse()
    for (const f of forged) r.replay.wrong.add(id(f))
    const outcomes: string[] = []
    for (const [i, f] of forged.entries()) {
      void gossip(r, f, `enemy${i}`)
      await settle()
      if (i === 0) void gossip(r, honest).then(x => { outcomes.push(x.status) })
      await r.clock.advance(1_900)
      if (i === 4) expect(outcomes).toEqual(['added'])
    }
    expect(head(r)).toBe(id(honest))
  })

  it('one whose data is not to be had holds up none', async () => {
    const r = rig()
    const [lacking, other] = siblings(r.kit, r.kit.genesis, 2)
    // Its state is waited for: the device has not begun.
    r.replay.replay = (replay => async (claim, ...more) => {
      if (toHex(claimId(claim)) === id(lacking)) return await new Promise(() => {})
      return await replay(claim, ...more)
    })(r.replay.replay.bind(r.replay))
    void gossip(r, lacking, 'enemy')
    await settle()
    expect(await gossip(r, other)).toEqual({ status: 'added', head: true })
  })
})

describe('a device that takes long for a replay', () => {
  // Regression: world n39-258, phones 8 to 14 blocks behind for good.
  it('follows a chain with many siblings at each height', async () => {
    const kit = new ChainKit()
    const r = rig({ kit })
    slow(r)
    let tip = kit.genesis
    for (let height = 1; height <= 30; height++) {
      const all = siblings(kit, tip, 5)
      // In no order that says which leads.
      for (const m of [...all].sort((a, b) => id(a) < id(b) ? -1 : 1)) {
        void gossip(r, m, `v${m.meta.header.template.miner[0]}`)
        await r.clock.advance(100)
      }
      tip = all[0].meta
      await r.clock.advance(5_500)
      expect(r.chain.head().height).toBeGreaterThanOrEqual(height - 2)
    }
    // Of five in any order 2.3 rank above all before them; there are 150.
    expect(r.replay.replayed.length).toBeLessThan(90)
  })
})
