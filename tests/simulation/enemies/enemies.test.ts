/**
 * Every enemy in a world where it attacks for real, and the honest ones hold. Several of them share a
 * world where they do not stand in one another's way. Each test first asks whether there was an attack.
 */
import { describe, expect, test } from 'vitest'
import { toHex } from '../../../src/core/codec/ssz.ts'
import { committee } from '../../../src/core/consensus/committee.ts'
import { claimId } from '../../../src/core/crypto/ids.ts'
import { noiseKey } from '../../../src/core/training/sampling.ts'
import { DRAWN } from '../attackers.ts'
import { idle } from '../soak.ts'
import { Arena } from './arena.ts'
import { collusion } from './collusion.ts'
import { eclipse } from './eclipse.ts'
import { equivocation } from './equivocation.ts'
import { freeRiding } from './freeRiding.ts'
import { lazy } from './lazy.ts'
import { Absence, swarmShares } from './gains.ts'
import { longRange } from './longRange.ts'
import { batchMeans, payeeOf } from './mainChain.ts'
import { nothingAtStake } from './nothingAtStake.ts'
import { selfish } from './selfish.ts'
import { selfPay } from './selfPay.ts'
import { SHORTCUTS, shortcuts } from './shortcuts.ts'
import { KINDS, spam } from './spam.ts'
import { credit } from './credit.ts'
import { everyNth } from './squad.ts'
import { sybil } from './sybil.ts'
import { ENEMIES } from './table.ts'
import { bestByTicket, eyalSirer, playTickets } from './theory.ts'
import { timestamps } from './timestamps.ts'
import { withholdBlocks } from './withholdBlocks.ts'
import { withholdPayloads } from './withholdPayloads.ts'

/** Honest tabs may differ in the newest blocks while they travel. */
const SETTLING = 2
/** Virtual, for shares of blocks: some hundred and fifty of them. */
const LONG_MS = 900_000
/** Wall ms, for machines that are busy with something else. */
const TIMEOUT = 600_000

const did = (squad: { readonly deeds: { of(what: string): number } }, what: string): number => squad.deeds.of(what)

describe('enemies in simulated worlds', () => {
  test('shortcuts of every kind and withheld payloads: nothing that was not worked for stays', async () => {
    const cheats = SHORTCUTS.map(s => shortcuts(s))
    const withholder = withholdPayloads()
    const arena = new Arena({ seed: 'shortcuts', honest: 5, compute: 'real', enemies: [...cheats.map(c => [c, 1] as const), [withholder, 1]] })
    await arena.run(180_000)
    for (const c of cheats) expect(did(c, 'false slices claimed'), c.name).toBeGreaterThan(10)
    expect(arena.refusals('result-hash'), 'wrong blocks that were published and refused').toBeGreaterThan(0)
    const lies = new Set(cheats.flatMap(c => [...c.lies]))
    expect(arena.survivors(c => lies.has(toHex(noiseKey(c.template, c.slice))))).toEqual([])
    expect(cheats.map(c => arena.blocksOf(arena.of(c)))).toEqual(cheats.map(() => 0))
    expect(did(withholder, 'claims announced')).toBeGreaterThan(0)
    expect(did(withholder, 'payloads withheld')).toBeGreaterThan(0)
    expect(arena.contributionsOf(arena.of(withholder))).toBe(0)
    expect(arena.contributionsOf(arena.honest)).toBeGreaterThan(0)
    expect(arena.chain.records.length).toBeGreaterThan(8)
    expect(await arena.settle(SETTLING)).toBeLessThanOrEqual(SETTLING)
    expect(arena.wronglyBanned()).toEqual([])
  }, TIMEOUT)

  test('colluding miners and verifiers: what they seal does not outlive its challenge', async () => {
    const squad = collusion()
    // More of them have half of the work, and then time and again more blocks than all others (docs/security.md, 8).
    const arena = new Arena({ seed: 'c 7', honest: 6, compute: 'stand-in', enemies: [[squad, 3]] })
    await arena.run(200_000)
    expect(did(squad, 'wrong contributions')).toBeGreaterThan(0)
    expect(did(squad, 'vouches unseen')).toBeGreaterThan(0)
    expect(squad.sealed.size, 'wrong contributions that a committee sealed').toBeGreaterThan(0)
    expect(arena.refusals('wrong slice'), 'found by replaying').toBeGreaterThan(0)
    expect(arena.survivors(c => squad.forged.has(toHex(claimId(c))))).toEqual([])
    expect(await arena.settle(SETTLING)).toBeLessThanOrEqual(SETTLING)
    expect(arena.wronglyBanned()).toEqual([])
  }, TIMEOUT)

  test('lazy verifiers beside a liar: they carry nothing of his to the honest', async () => {
    const [idle, liar] = [lazy(), shortcuts('no training')]
    const arena = new Arena({ seed: 'lazy', honest: 5, enemies: [[idle, 2], [liar, 1]] })
    await arena.run(150_000)
    expect(did(idle, 'replays left out')).toBeGreaterThan(0)
    expect(did(liar, 'false slices claimed')).toBeGreaterThan(0)
    expect(arena.refusals('result-hash')).toBeGreaterThan(0)
    expect(arena.survivors(c => liar.lies.has(toHex(noiseKey(c.template, c.slice))))).toEqual([])
    expect(await arena.settle(SETTLING)).toBeLessThanOrEqual(SETTLING)
    expect(arena.wronglyBanned()).toEqual([])
  }, TIMEOUT)

  for (const [name, options] of [['the paper\'s machine', undefined], ['only low tickets are kept back', bestByTicket(1 / 4, 100_000)]] as const) {
    test(`a selfish pool, ${name}: what it keeps back is seen by nobody, its share is what theory allows, and it ends in one chain`, async () => {
      const squad = selfish(options)
      const arena = new Arena({ seed: 'selfish', honest: 6, enemies: [[squad, 2]] })
      let seen = 0
      arena.world.listen({ opened: (tab, node) => { if (tab.honest) node.chain.on('head', ({ added }) => { seen += added.filter(r => squad.isHidden(r.meta.hash)).length }) } })
      await arena.run(LONG_MS)
      expect(did(squad, 'blocks kept back')).toBeGreaterThan(10)
      expect(did(squad, 'blocks published')).toBeGreaterThan(10)
      expect(did(squad, 'ties with the lower ticket'), 'its branch beside another, and the better ticket').toBeGreaterThan(0)
      if (options !== undefined) expect(did(squad, 'blocks shown at once'), 'of high tickets').toBeGreaterThan(0)
      expect(seen).toBe(0)
      const { work, blocks } = arena.sharesOf(arena.of(squad))
      const allowed = options === undefined ? eyalSirer(work, 0.5) : bestByTicket(work, 100_000).share
      expect(blocks).toBeLessThanOrEqual(arena.luck(allowed))
      expect(await arena.settle(SETTLING)).toBeLessThanOrEqual(SETTLING)
      expect(arena.wronglyBanned()).toEqual([])
    }, TIMEOUT)
  }

  test('nothing at stake, times at the edges: no more blocks than work, one history', async () => {
    const squads = [nothingAtStake(), timestamps('ahead'), timestamps('behind')]
    const arena = new Arena({ seed: 'stake', honest: 5, enemies: squads.map(s => [s, 1] as const) })
    await arena.run(LONG_MS)
    expect(did(squads[0], 'turns on other forks')).toBeGreaterThan(10)
    expect(did(squads[0], 'blocks on the best chain')).toBeGreaterThan(0)
    expect(did(squads[0], 'blocks on other forks')).toBeGreaterThan(0)
    expect(did(squads[1], 'blocks dated ahead')).toBeGreaterThan(0)
    expect(did(squads[2], 'blocks dated behind')).toBeGreaterThan(0)
    for (const s of squads) {
      const { work, blocks } = arena.sharesOf(arena.of(s))
      expect(blocks, s.name).toBeLessThanOrEqual(arena.luck(work))
    }
    expect(await arena.settle(SETTLING)).toBeLessThanOrEqual(SETTLING)
    expect(arena.wronglyBanned()).toEqual([])
  }, TIMEOUT)

  test('times beyond what may be: nobody takes such a block before its time, and none is on the chain', async () => {
    const squad = timestamps('beyond')
    const arena = new Arena({ seed: 'beyond', honest: 5, enemies: [[squad, 2]] })
    const { futureMs } = arena.world.params
    let early = 0
    arena.world.listen({ opened: (tab, node) => { if (tab.honest) node.chain.on('head', ({ added }) => { early += added.filter(r => r.meta.header.template.time > tab.session!.clock.now() + futureMs).length }) } })
    await arena.run(LONG_MS)
    expect(did(squad, 'blocks dated beyond')).toBeGreaterThan(20)
    expect(early).toBe(0)
    expect(arena.blocksOf(arena.of(squad))).toBe(0)
    expect(await arena.settle(SETTLING)).toBeLessThanOrEqual(SETTLING)
    expect(arena.wronglyBanned()).toEqual([])
  }, TIMEOUT)

  test('two truths, free riders and withheld blocks: named, outlived, or only their own loss', async () => {
    const [twoFaced, rider, withholder] = [equivocation(), freeRiding(), withholdBlocks()]
    const arena = new Arena({ seed: 'two truths', honest: 5, enemies: [[twoFaced, 2], [rider, 1], [withholder, 1]] })
    await arena.run(LONG_MS)
    expect(did(twoFaced, 'slices claimed twice')).toBeGreaterThan(0)
    expect(did(twoFaced, 'blocks signed twice')).toBeGreaterThan(0)
    expect(did(twoFaced, 'votes unseen') + did(twoFaced, 'votes for a second seal')).toBeGreaterThan(0)
    expect(arena.refusals('duplicate slice'), 'named').toBeGreaterThan(0)
    expect(did(rider, 'duties left undone')).toBeGreaterThan(0)
    expect(did(rider, 'messages not passed on')).toBeGreaterThan(0)
    // Beside the honest: the blocks of the others are kept back, or refused once their keys are named.
    const among = [...arena.honest, ...arena.of(rider)]
    const ridden = arena.sharesOf(arena.of(rider), among)
    for (const what of ['blocks', 'rewards'] as const) {
      expect(ridden[what], `${what} of the free rider: not above its work`).toBeLessThanOrEqual(arena.luck(ridden.work, arena.blocksOf(among)))
      expect(ridden[what], 'nor is there anything that takes its pay').toBeGreaterThan(ridden.work / 2)
    }
    expect(did(withholder, 'blocks withheld')).toBeGreaterThan(0)
    expect(arena.blocksOf(arena.of(withholder))).toBe(0)
    expect(arena.chain.records.flatMap(r => r.body.seals).length, 'rounds go on').toBeGreaterThan(2)
    expect(await arena.settle(SETTLING)).toBeLessThanOrEqual(SETTLING)
    expect(arena.wronglyBanned()).toEqual([])
  }, TIMEOUT)

  test('a flood: the network goes on, and the names that say it are banned', async () => {
    const flood = spam({ perSecond: 3 })
    const arena = new Arena({ seed: 'flood', honest: 6, enemies: [[flood, 1]] })
    await arena.run(200_000)
    for (const kind of KINDS) expect(did(flood, kind), kind).toBeGreaterThan(50)
    const banned = [...flood.names].filter(([name]) => arena.bannedBy(id => id === name).length > 0).map(([, kind]) => kind)
    for (const kind of ['garbage', 'forged blocks', 'oversize requests'] as const) expect(banned.filter(k => k === kind).length, `names banned for ${kind}`).toBeGreaterThan(5)
    expect(flood.names.size - banned.length, 'names that are let alone: what they say is bounded, and may be honest').toBeLessThanOrEqual(KINDS.length)
    expect(did(flood, 'requests refused')).toBeGreaterThan(50)
    expect(arena.chain.records.length).toBeGreaterThan(5)
    expect(arena.chain.records.flatMap(r => r.body.seals).length).toBeGreaterThan(0)
    expect(arena.wronglyBanned()).toEqual([])
    expect(await arena.settle(SETTLING)).toBeLessThanOrEqual(SETTLING)
  }, TIMEOUT)

  test('an eclipse: names fill all other places of the victim, and the links that brought it blocks keep it on the chain', async () => {
    const dark = eclipse({ victim: 5, names: 24, afterMs: 120_000, forMs: 300_000 })
    const arena = new Arena({ seed: 'eclipse', honest: 6, enemies: [[dark, 1]] })
    const absence = new Absence(arena, arena.world.tabs[5], arena.world.tabs[0], SETTLING)
    await arena.run(420_000)
    expect(did(dark, 'empty answers')).toBeGreaterThan(50)
    expect(did(dark, 'half seconds with most links'), 'of six hundred').toBeGreaterThan(500)
    expect(absence.longestMs, 'forks of two blocks and less aside, the victim is on the chain of the others').toBeLessThan(30_000)
    expect(await arena.settle(SETTLING)).toBeLessThanOrEqual(SETTLING)
    expect(arena.wronglyBanned()).toEqual([])
  }, TIMEOUT)

  test('names that fill the places of all: those who bring blocks to one another keep their links', async () => {
    const dark = eclipse({ victim: 5, names: 24, everybody: true, afterMs: 120_000, forMs: 300_000 })
    const arena = new Arena({ seed: 'a', honest: 6, enemies: [[dark, 1]] })
    const absence = new Absence(arena, arena.world.tabs[5], arena.world.tabs[0], SETTLING)
    await arena.run(420_000)
    expect(did(dark, 'half seconds with most links'), 'of six hundred').toBeGreaterThan(500)
    expect(absence.awayMs, 'of three hundred seconds').toBeLessThan(30_000)
    expect(await arena.settle(SETTLING)).toBeLessThanOrEqual(SETTLING)
    expect(arena.wronglyBanned()).toEqual([])
  }, TIMEOUT)

  test('a record that is spent: each node redoes about one forged block, the key is banned, nobody who passed it on is', async () => {
    const squad = credit()
    const arena = new Arena({ seed: 'credit', honest: 8, enemies: [[squad, 1]] })
    await arena.run(200_000)
    const [spender] = arena.of(squad)
    expect(did(squad, 'blocks forged on credit')).toBeGreaterThan(15)
    for (const t of arena.honest) expect(t.node!.refusals.isBannedMiner(spender.minerKey), `tab ${t.index}`).toBe(true)
    const refused = arena.refusals('result-hash')
    expect(refused).toBeGreaterThanOrEqual(arena.honest.length / 2)
    expect(refused).toBeLessThanOrEqual(3 * arena.honest.length)
    expect(arena.survivors(c => squad.forged.has(toHex(claimId(c))))).toEqual([])
    expect(await arena.settle(SETTLING)).toBeLessThanOrEqual(SETTLING)
    expect(arena.wronglyBanned()).toEqual([])
  }, TIMEOUT)

  test('a Sybil swarm: blocks for its work alone, and a seat for each of them', async () => {
    const squad = sybil()
    const arena = new Arena({ seed: 'sybil', honest: 6, enemies: [[squad, 1]] })
    await arena.run(LONG_MS)
    expect(did(squad, 'keys')).toBeGreaterThan(10)
    expect(did(squad, 'claims')).toBeGreaterThan(10)
    const ofKeys = (miner: Uint8Array): boolean => squad.keys.has(toHex(miner))
    const blocks = arena.chain.records.filter(r => ofKeys(r.meta.header.template.miner)).length
    const { work } = arena.sharesOf(arena.of(squad))
    expect(blocks / arena.chain.records.length).toBeLessThanOrEqual(arena.luck(work))
    // A seat costs a block: never more of the swarm's keys in a committee than blocks it found for it.
    const { params } = arena.world
    for (const { meta } of arena.chain.records) {
      const last = arena.chain.records.slice(Math.max(0, meta.height - params.committeeBlocks), meta.height)
      expect(committee(params, meta).filter(ofKeys).length).toBeLessThanOrEqual(last.filter(r => ofKeys(r.meta.header.template.miner)).length)
    }
    const { sealed } = swarmShares(arena, squad)
    // Ground keys are drawn for all that they do: it has about twice as much of the seals as of the work, and with luck some more.
    expect(sealed.own).toBeGreaterThan(0)
    expect(sealed.own / sealed.all).toBeLessThanOrEqual(arena.luck(2 * work, sealed.all))
    expect(arena.sharesOf(arena.of(squad)).rewards).toBeLessThanOrEqual(1.5 * work)
    expect(await arena.settle(SETTLING)).toBeLessThanOrEqual(SETTLING)
    expect(arena.wronglyBanned()).toEqual([])
  }, TIMEOUT)

  test('a chain from long ago, forged by hashing: neither those who are there nor a joiner take it', async () => {
    const squad = longRange({ blocks: 40, everyMs: 2_000, afterMs: 80_000 })
    const arena = new Arena({ seed: 'long', honest: 5, enemies: [[squad, 1]] })
    await arena.run(90_000)
    const joiner = arena.world.tabs[4]
    await joiner.close()
    joiner.wipe()
    await arena.run(10_000)
    void joiner.open()
    await arena.run(120_000)
    expect(did(squad, 'blocks forged')).toBe(40)
    expect(did(squad, 'forged headers shown')).toBeGreaterThan(0)
    expect(did(squad, 'forged bodies shown')).toBeGreaterThan(0)
    expect(joiner.up).toBe(true)
    expect(arena.believed(squad.forged), 'forged blocks on an honest main chain').toEqual([])
    const liars = new Set(arena.of(squad).map(t => t.session!.id))
    const banned = arena.bannedBy(id => liars.has(id))
    expect(banned.length).toBeGreaterThan(arena.honest.length / 2)
    expect(banned, 'the joiner met it, too').toContain(joiner)
    expect(await arena.settle(SETTLING)).toBeLessThanOrEqual(SETTLING)
    expect(arena.wronglyBanned()).toEqual([])
  }, TIMEOUT)
})

describe('pay for seeding', () => {
  test('keys of one owner that sign for one another get back less than they set aside, and nobody else pays for it', async () => {
    const squad = selfPay()
    const arena = new Arena({ seed: 'self-pay', honest: 3, enemies: [[squad, 3]], params: { epochBlocks: 8 } })
    await arena.run(300_000)
    expect(did(squad, 'set aside')).toBeGreaterThan(3)
    expect(did(squad, 'redemptions sent')).toBeGreaterThan(3)
    expect(did(squad, 'redemptions refused')).toBeGreaterThan(3)
    const owned = new Set(arena.of(squad).map(t => toHex(payeeOf(t))))
    const events = arena.chain.records.flatMap(r => r.events).filter(e => ['set-aside', 'seeding-pay', 'set-aside-returned'].includes(e.kind))
    expect(events.filter(e => !owned.has(toHex(e.account)))).toEqual([])
    const sum = (kind: string): bigint => events.filter(e => e.kind === kind).reduce((n, e) => n + e.amount + (e.fee ?? 0n), 0n)
    const { seeding } = arena.chain.records.at(-1)!.meta.ledger
    const kept = seeding.setAside.sum + seeding.redeemable.sum
    const paid = sum('seeding-pay')
    expect(paid).toBeGreaterThan(1_000_000n)
    // Fees aside: of what a receipt took, seven eighths came back.
    const lost = -sum('set-aside') - sum('set-aside-returned') - paid - kept
    expect(lost * 7n).toBeGreaterThanOrEqual(paid)
    expect(await arena.settle(SETTLING)).toBeLessThanOrEqual(SETTLING)
    expect(arena.wronglyBanned()).toEqual([])
  }, TIMEOUT)
})

describe('what theory allows', () => {
  test('Eyal and Sirer: pays from a third on without won ties, from a quarter on with half of them', () => {
    expect(eyalSirer(1 / 3, 0)).toBeCloseTo(1 / 3, 9)
    expect(eyalSirer(0.25, 0.5)).toBeCloseTo(0.25, 9)
    expect(eyalSirer(0.3, 0.5)).toBeCloseTo(0.3269, 4)
    expect(eyalSirer(0.4, 0.5)).toBeCloseTo(0.5256, 4)
  })

  test('the game that is played is the one of the formula', () => {
    for (const a of [0.2, 0.3, 0.4]) expect(playTickets(a, 1, true, 200_000)).toBeCloseTo(eyalSirer(a, 0.5), 2)
  })

  test('keeping back only low tickets pays a little at any share', () => {
    const { share } = bestByTicket(0.25, 100_000)
    expect(share).toBeGreaterThan(0.26)
    expect(share).toBeLessThan(0.275)
  })

  test('an interval of batches covers the mean of dependent blocks', () => {
    const hits = Array.from({ length: 2000 }, (_, i) => i % 4 === 0)
    expect(batchMeans(hits)).toEqual({ mean: 0.25, half: 0 })
  })
})

describe('the table of enemies', () => {
  test('a soak of a hundred worlds in which a kind did nothing has failed, one of fewer has not', () => {
    const busy = Object.fromEntries(DRAWN.map(name => [name, { worlds: 7, deeds: Object.fromEntries(ENEMIES[name].deeds.map(d => [d, 1])) }]))
    expect(idle({ worlds: 100, enemies: busy })).toEqual([])
    const lame = { ...busy, spam: { worlds: 7, deeds: { ...busy.spam.deeds, dust: 0 } } }
    expect(idle({ worlds: 100, enemies: lame })).toEqual(['spam: no dust in 7 worlds'])
    expect(idle({ worlds: 99, enemies: lame })).toEqual([])
    const { credit: _, ...others } = busy
    expect(idle({ worlds: 100, enemies: others })).toEqual([])
    expect(idle({ worlds: 1000, enemies: others })).toEqual(['credit was in no world'])
  })

  test('every kind can be drawn for a world', () => {
    expect([...DRAWN].sort()).toEqual(Object.keys(ENEMIES).sort())
  })

  test('every squad has its own name, and gives as many tabs as the share says', () => {
    const names = Object.values(ENEMIES).map(k => k.make().name)
    expect(names.length).toBeGreaterThan(15)
    const squad = freeRiding()
    const chosen = Array.from({ length: 10 }, (_, i) => everyNth(squad, 0.3)(i)).filter(e => e !== undefined)
    expect(chosen.length).toBe(3)
  })
})
