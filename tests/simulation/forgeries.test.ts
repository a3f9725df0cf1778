/** The checker of wrong contributions against nodes that do not look, keep what they have found, or seal for nobody. */
import { describe, expect, it } from 'vitest'
import { toHex } from '../../src/core/codec/ssz.ts'
import type { Claim, SignedSeal } from '../../src/core/codec/wire.ts'
import { hash, u32le } from '../../src/core/crypto/hash.ts'
import { claimId } from '../../src/core/crypto/ids.ts'
import type { Node } from '../../src/node/node.ts'
import { binomialAtLeast } from './chance.ts'
import { Deeds, type Squad } from './enemies/squad.ts'
import { Faults } from './faults.ts'
import { ahead, Forgeries, keptByChance, LOOKED_AT, tooManyKept } from './forgeries.ts'
import { drawOptions } from './options.ts'
import type { Session, Tab } from './tab.ts'
import { World } from './world.ts'

const RARE = 1e-9

describe('how many rounds may keep what is wrong', () => {
  it('is what those who look leave, and what the others win', () => {
    expect(binomialAtLeast(2, 3, 0.5)).toBeCloseTo(0.5, 12)
    expect(binomialAtLeast(10, 10, 0.1)).toBeCloseTo(1e-10, 20)
    expect([binomialAtLeast(0, 5, 0.2), binomialAtLeast(6, 5, 0.2), binomialAtLeast(1, 5, 0), binomialAtLeast(5, 5, 1)]).toEqual([1, 0, 0, 1])
    expect([ahead(0.5, 6), ahead(0, 6)]).toEqual([1, 0])
    expect(ahead(0.3, 1)).toBeCloseTo(0.3, 12)
    // Two before two others: both at once, or one of the first two and then the third.
    expect(ahead(0.3, 2)).toBeCloseTo(0.09 + 2 * 0.3 * 0.7 * 0.3, 12)
    expect(keptByChance([{ lookers: 1, wrong: 2, kept: true }], 0, 6)).toBeCloseTo((1 - LOOKED_AT / 256) ** 2, 12)
    expect(keptByChance([{ lookers: 0, wrong: 1, kept: true }], 0.3, 6)).toBe(1)
  })

  it('is passed where nobody looks, and not where everybody does and one comes through', () => {
    const rounds = Array.from({ length: 20 }, () => ({ lookers: 21, wrong: 1, kept: true }))
    const byChance = keptByChance(rounds, 0.3, 6)
    expect(tooManyKept(20, 20, byChance, RARE)).toContain('20 of 20 rounds')
    expect(tooManyKept(8, 20, byChance, RARE)).toBeUndefined()
    expect(tooManyKept(1, 1, keptByChance(rounds.slice(1, 2), 0.3, 6), RARE)).toBeUndefined()
  })
})

const draft: Claim = (() => {
  const world = new World({ seed: 'forgeries', nodes: 1, compute: 'stand-in', laptopSliceMs: 250 })
  return { ...world.genesis.header, slice: 1 }
})()
const claim = (i: number): Claim => ({ ...draft, slice: i, resultHash: hash('test', u32le(i)) })
const sealOf = (...contributions: Claim[]): SignedSeal =>
  ({ seal: { job: draft.template.job, round: 1, previous: draft.template.seal, anchor: draft.template.parent, contributions, stateHash: draft.template.stateHash }, signatures: [] })
const carrying = (height: number, carrier: number, signed: SignedSeal): Pick<Node, 'chain'> =>
  ({ chain: { head: () => ({ height }), at: (h: number) => ({ body: { transactions: [], seals: h === carrier ? [signed] : [] } }) } }) as unknown as Pick<Node, 'chain'>

function watched (squad: Partial<Squad>): { readonly tab: Tab, readonly session: Session, readonly faults: Faults, readonly forgeries: Forgeries, readonly fired: string[] } {
  const world = new World({ seed: 'forgeries', nodes: 3, compute: 'stand-in', laptopSliceMs: 250 })
  const fired: string[] = []
  const faults = new Faults(world, drawOptions({ seed: 'forgeries', nodes: 3, enemies: [] }).faults)
  const forgeries = new Forgeries(world, faults, [{ name: 'test', deeds: new Deeds(), recruit: () => ({ name: 'test' }), ...squad }], checker => { fired.push(checker) })
  return { tab: world.tabs[0], session: {} as Session, faults, forgeries, fired }
}

describe('a wrong contribution', () => {
  it('is not sealed where nobody vouches for friends', () => {
    const forged = new Set([toHex(claimId(claim(1)))])
    const alone = watched({ forged })
    alone.forgeries.sealed(alone.tab, alone.session, sealOf(claim(2)), true)
    expect(alone.fired).toEqual([])
    alone.forgeries.sealed(alone.tab, alone.session, sealOf(claim(1), claim(2)), true)
    alone.forgeries.sealed(alone.tab, alone.session, sealOf(claim(1)), true)
    expect(alone.fired).toEqual(['wrong contribution sealed'])
    expect([1, 2].map(i => alone.forgeries.has(toHex(claimId(claim(i)))))).toEqual([true, false])
    const friends = watched({ forged, vouchesUnseen: true })
    friends.forgeries.sealed(friends.tab, friends.session, sealOf(claim(1)), true)
    expect(friends.fired).toEqual([])
  })

  it('n35-162: is in a chain that enemies have to themselves, and who joins that is told so and no more', () => {
    const { forgeries, fired, session, tab } = watched({ forged: new Set([toHex(claimId(claim(1)))]) })
    forgeries.sealed(tab, session, sealOf(claim(1)), false)
    expect(fired).toEqual([])
    forgeries.sealed(tab, session, sealOf(claim(1)), true)
    expect(fired).toEqual(['wrong contribution sealed'])
  })

  it('n35-61: that a device computed wrong has a change of the weights, which the states of later rounds are made with', async () => {
    const { faults, forgeries, tab } = watched({})
    tab.world.openAll(100)
    await tab.world.run(1_000)
    const payload = Uint8Array.of(1, 2, 3)
    tab.session!.device.onWrong({ payload, payloadDigest: hash('payload', payload), stateHash: hash('test') })
    expect(faults.wrongResults.get(toHex(hash('test')))).toBe(tab)
    expect(forgeries.payload(toHex(hash('payload', payload)))).toBe(payload)
    expect(forgeries.payload(toHex(hash('test')))).toBeUndefined()
  })

  it('is not kept by who has found it wrong, until it is ripe', () => {
    const { tab, session, forgeries, fired } = watched({})
    forgeries.look(tab, session, carrying(10, 10, sealOf(claim(1))))
    forgeries.condemned(session, claimId(claim(1)))
    forgeries.look(tab, session, carrying(10, 10, sealOf(claim(2))))
    forgeries.look(tab, session, carrying(20, 10, sealOf(claim(1))))
    expect(fired).toEqual([])
    forgeries.look(tab, session, carrying(11, 10, sealOf(claim(1))))
    expect(fired).toEqual(['wrong contribution kept'])
  })

  it('stays by chance, not round after round', () => {
    const ids = Array.from({ length: 40 }, (_, i) => claim(i))
    const { tab, session, forgeries, fired } = watched({ forged: new Set(ids.map(c => toHex(claimId(c)))), vouchesUnseen: true })
    ids.forEach((c, round) => { forgeries.sealed(tab, session, { ...sealOf(c), seal: { ...sealOf(c).seal, round } }, true) })
    forgeries.finish(() => new Set([toHex(claimId(ids[3]))]), RARE)
    expect(forgeries.counts).toMatchObject({ rounds: 40, kept: 1 })
    expect(fired).toEqual([])
  })
})
