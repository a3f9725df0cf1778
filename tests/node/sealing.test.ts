/** What a member does with offers of one round while no quorum comes together. */
import { expect, test } from 'vitest'
import { equalBytes, toHex, ZERO32 } from '../../src/core/codec/ssz.ts'
import type { Claim, Proposal } from '../../src/core/codec/wire.ts'
import { committee } from '../../src/core/consensus/committee.ts'
import { hash } from '../../src/core/crypto/hash.ts'
import { claimId, proposalMessage, sealHash } from '../../src/core/crypto/ids.ts'
import { sign } from '../../src/core/crypto/keys.ts'
import type { Candidate, HeardVouch, Taken } from '../../src/node/contributions.ts'
import { anchorOn } from '../../src/node/duties.ts'
import { LATE_SHARE, ODD_TURNS, SETTLE_SHARE } from '../../src/node/offer.ts'
import { type Sealing, VOTE_HOLD_ROUNDS } from '../../src/node/sealing.ts'
import { type KeyPair, keyPair } from '../core/chainKit.ts'
import { anchor, candidateOf, claimOf, from, job, kit, members, offer, pairs, placed, sealing, SETTLE_MS, START_MS, tip, tipSince, vote } from './sealingRig.ts'

const nothing = (): void => {}

test('a vote before its proposal waits if a member has signed it, though strangers\' proposals wait by the hundred', async () => {
  const { sealing: s } = sealing(keyPair(20))
  const p = offer(pairs[0], 0)
  const unknown = { verdict: 'ignore', reason: 'vote for an unknown seal' }
  expect(await s.takeVote(vote(keyPair(20), p), from)).toEqual(unknown)
  expect(await s.takeVote({ ...vote(pairs[1], p), signature: new Uint8Array(64) }, from)).toEqual({ verdict: 'reject', reason: 'vote-signature' })
  // Of an anchor that nobody has, and signed by nobody.
  const ahead = { ...p, seal: { ...p.seal, anchor: hash('test-anchor') } }
  let over = 0
  for (let i = 0; i < 200; i++) void s.takeProposal(ahead, { origin: 'x', via: `x${i % 2}` }).then(() => { over++ })
  for (let i = 0; i < 20; i++) await Promise.resolve()
  expect(over).toBe(72)
  const early = s.takeVote(vote(pairs[1], p), { origin: 'h', via: 'h' })
  for (let i = 0; i < 20; i++) await Promise.resolve()
  expect(over).toBe(73)
  expect(await s.takeProposal(p, from)).toEqual({ verdict: 'accept' })
  expect(await early).toEqual({ verdict: 'accept' })
  expect(await s.takeVote(vote(pairs[1], p), from)).toEqual({ verdict: 'ignore', reason: 'voted already' })
})

test('offers that nobody repeats make room: a round that stood still for long takes new ones', async () => {
  const { clock, sealing: s, signatures } = sealing(keyPair(20))
  const take = async (n: number): Promise<Taken> => await s.takeProposal(offer(pairs[0], n), from)
  for (let n = 0; n < 3; n++) expect(await take(n)).toEqual({ verdict: 'accept' })
  const { checked } = signatures
  expect(await take(3)).toEqual({ verdict: 'ignore', reason: 'too many proposals' })
  // Whoever makes one after another finds nobody who looks at what he has signed.
  expect(signatures.checked).toBe(checked)
  await clock.advance(VOTE_HOLD_ROUNDS * kit.params.roundMs)
  // Repeated or signed, it stays.
  expect(await take(0)).toEqual({ verdict: 'accept' })
  expect(await s.takeVote(vote(pairs[1], offer(pairs[0], 1)), from)).toEqual({ verdict: 'accept' })
  await clock.advance(VOTE_HOLD_ROUNDS * kit.params.roundMs + 1)
  expect(await take(3)).toEqual({ verdict: 'accept' })
  expect(await take(4)).toEqual({ verdict: 'ignore', reason: 'too many proposals' })
})

test('a copy in another member\'s name takes no room from him, and gives none to the first', async () => {
  const { sealing: s } = sealing(keyPair(20))
  const copied = (p: Proposal, by: KeyPair): Proposal => ({ ...p, proposer: by.key, signature: sign(by.seed, proposalMessage({ seal: p.seal, proposer: by.key })) })
  for (let n = 0; n < 3; n++) {
    const p = offer(pairs[0], n)
    for (const by of pairs) expect(await s.takeProposal(copied(p, by), from)).toEqual({ verdict: 'accept' })
  }
  expect(await s.takeProposal(offer(pairs[0], 3), from)).toEqual({ verdict: 'ignore', reason: 'too many proposals' })
  expect(await s.takeProposal(offer(pairs[1], 4), from)).toEqual({ verdict: 'accept' })
})

test('who is not where the others are signs nothing, nor says again what he signed', async () => {
  const [me, other] = pairs
  const { clock, judge, sealing: s, setReady, votes } = sealing(me)
  judge(async () => 'right')
  setReady(false)
  const p = offer(other, 0)
  expect(await s.takeProposal(p, from)).toEqual({ verdict: 'accept' })
  await clock.advance(1)
  expect(votes).toEqual([])
  setReady(true)
  await clock.advance(kit.params.roundMs)
  expect(await s.takeProposal(p, from)).toEqual({ verdict: 'accept' })
  await s.step(tipSince(0), anchor, members)
  await clock.advance(1)
  expect(votes.length).toBeGreaterThan(0)
  const before = votes.length
  setReady(false)
  await clock.advance(kit.params.roundMs)
  expect(await s.takeProposal(p, from)).toEqual({ verdict: 'accept' })
  expect(votes.length).toBe(before)
})

test('an offer that was forgotten and is repeated is there again, for votes too', async () => {
  const { clock, sealing: s } = sealing(keyPair(20))
  const p = offer(pairs[0], 0)
  expect(await s.takeProposal(p, from)).toEqual({ verdict: 'accept' })
  await clock.advance(2 * VOTE_HOLD_ROUNDS * kit.params.roundMs + 1)
  expect(await s.takeProposal(p, from)).toEqual({ verdict: 'accept' })
  expect(await s.takeVote(vote(pairs[1], p), from)).toEqual({ verdict: 'accept' })
})

test('offers whose payloads are withheld hold up no other, and one that leads elsewhere leaves no trace', async () => {
  const [me, other, third] = pairs
  const { sealing: s, judge, votes, clock } = sealing(me)
  const withheld = offer(other, 0)
  judge(n => n === 0 ? new Promise(() => {}) : Promise.resolve('right'))
  expect(await s.takeProposal(withheld, from)).toEqual({ verdict: 'accept' })
  for (const p of [other, third]) expect(await s.takeVote(vote(p, withheld), from)).toEqual({ verdict: 'accept' })
  const honest = offer(third, 1)
  expect(await s.takeProposal(honest, from)).toEqual({ verdict: 'accept' })
  await clock.advance(SETTLE_MS)
  expect([...new Set(votes)]).toEqual([toHex(sealHash(honest.seal))])
  const fresh = sealing(me)
  fresh.judge(() => Promise.resolve('wrong'))
  for (let n = 0; n < 5; n++) expect(await fresh.sealing.takeProposal(offer(other, n), from)).toEqual({ verdict: 'accept' })
})

test('of what it may sign a member signs what most have signed', async () => {
  const [me, other, third] = pairs
  const { clock, sealing: s, judge, votes } = sealing(me)
  const first = offer(other, 0)
  const second = offer(third, 1)
  for (const p of [first, second]) expect(await s.takeProposal(p, from)).toEqual({ verdict: 'accept' })
  expect(await s.takeVote(vote(third, second), from)).toEqual({ verdict: 'accept' })
  expect(votes).toEqual([])
  judge(async () => 'right')
  const step = async (): Promise<void> => {
    await s.step(tipSince(0), anchor, members)
    for (let i = 0; i < 20; i++) await Promise.resolve()
  }
  // What could not be had is not asked for at every step.
  await step()
  expect(votes).toEqual([])
  await clock.advance(kit.params.roundMs)
  await step()
  // In its turn it says so again.
  expect([...new Set(votes)]).toEqual([toHex(sealHash(second.seal))])
})

test('copies of an offer go on once in half a round, whoever says them', async () => {
  const [me, other] = pairs
  const { clock, judge, sealing: s, votes } = sealing(me)
  judge(async () => 'right')
  const p = offer(other, 0)
  expect(await s.takeProposal(p, from)).toEqual({ verdict: 'accept' })
  await clock.advance(SETTLE_MS)
  expect(votes).toHaveLength(1)
  for (let i = 0; i < 3; i++) expect(await s.takeProposal(p, from)).toEqual({ verdict: 'ignore', reason: 'offered already' })
  expect(votes).toHaveLength(1)
  await clock.advance(kit.params.roundMs / 2)
  expect(await s.takeProposal(p, from)).toEqual({ verdict: 'accept' })
  expect(votes).toHaveLength(2)
})

test('a list of vouches that no proposer makes is refused before a signature is looked at', async () => {
  const { sealing: s } = sealing(keyPair(20))
  const p = offer(pairs[0], 0)
  const [vouch] = p.vouches
  const refused = { verdict: 'reject', reason: 'proposal-vouches' }
  expect(await s.takeProposal({ ...p, vouches: [vouch, vouch, vouch] }, from)).toEqual(refused)
  expect(await s.takeProposal({ ...p, vouches: [{ ...vouch, contribution: ZERO32 }] }, from)).toEqual(refused)
  expect(await s.takeProposal(p, from)).toEqual({ verdict: 'accept' })
})

test('one member\'s word said twice in its own offer is not the word of two, which a key without a record needs', async () => {
  const [cheater, me, third] = pairs
  for (const [vouchers, verdict, n] of [[[cheater, cheater], 'reject', 0], [[cheater], 'accept', 0], [[cheater, third], 'accept', 1]] as const) {
    const { clock, judge, sealing: s, votes } = sealing(me, { hasRecord: false })
    judge(async () => 'right')
    expect(await s.takeProposal(offer(cheater, 0, vouchers), from)).toMatchObject({ verdict })
    await clock.advance(SETTLE_MS)
    expect(votes).toHaveLength(n)
  }
})

test('right contributions that have grown too old, or whose draw is of another branch, are in no offer: nobody would sign it', async () => {
  const { params } = kit
  const head = kit.grown(params.randomnessAgeMax + 10)
  const anchor = anchorOn(params, head, 0)!
  const members = committee(params, anchor)
  const pair = (key: Uint8Array): KeyPair => [1, 2, 3].map(keyPair).find(p => equalBytes(p.key, key))!
  const candidate = (claim: Claim): Candidate =>
    ({ id: claimId(claim), name: toHex(claimId(claim)), claim, receivedAt: 0, verdict: 'right', vouches: new Map(members.map(m => [toHex(m), { member: m, contribution: claimId(claim), at: 0 } as HeardVouch])) })
  const drawnAt = (height: number, n: number): Claim => kit.contribution(kit.at(head, height + params.rhoDelay), job, keyPair(n))
  const tooOld = drawnAt(anchor.height - params.randomnessAgeMax - 1, 9)
  const oldest = drawnAt(anchor.height - params.randomnessAgeMax, 10)
  const elsewhere = kit.contribution(head, job, keyPair(11), 0, { randomness: hash('test-branch') })
  const offered = async (pending: readonly Claim[]): Promise<string[][]> => {
    const { clock, judge, offers, sealing: s } = sealing(pair(members[0]), { head, pending: pending.map(candidate) })
    judge(async () => 'right')
    // Whoever it is, he has his turn in one of these.
    for (let turn = 0; turn < members.length; turn++) {
      await s.step(tipSince(0), anchor, members)
      await clock.advance(params.roundMs)
    }
    return offers.map(o => o.seal.contributions.map(c => toHex(claimId(c))))
  }
  expect(await offered([tooOld, oldest, elsewhere])).toEqual([[toHex(claimId(oldest))]])
  expect(await offered([tooOld, elsewhere])).toEqual([])
})

test('an offer goes with the job when that leaves with its branch', async () => {
  const { leave, sealing: s } = sealing(pairs[0])
  const p = offer(pairs[1], 0)
  expect((await s.takeProposal(p, from)).verdict).toBe('accept')
  // It was said a moment ago.
  expect((await s.takeProposal(p, from)).verdict).toBe('ignore')
  leave()
  expect((await s.takeProposal(p, from)).verdict).toBe('accept')
})

test('who vouched in an offer answers for it once it is sealed, also where the next seal comes with it', async () => {
  const { move, remembered, sealing: s } = sealing(keyPair(20))
  const [sealed, passedOver] = [offer(pairs[0], 0), offer(pairs[1], 1)]
  for (const p of [sealed, passedOver]) expect((await s.takeProposal(p, from)).verdict).toBe('accept')
  const next = kit.seal(tip, { ...job, round: job.round + 1, seal: sealHash(sealed.seal) }, [claimOf(2)])
  const top = { ...job, round: job.round + 2, seal: sealHash(next.seal) }
  move({ ...tipSince(0), job: top, round: top.round, seal: top.seal }, [kit.signSeal(sealed.seal, anchor), next])
  expect(remembered).toEqual(sealed.vouches.map(v => `${toHex(v.contribution)}/${toHex(v.member)}`))
})

test('a seal that was heard is looked at no more while it is the newest', async () => {
  const { seals, sealing: s } = sealing(keyPair(20))
  const signed = kit.seal(tip, job, [kit.contribution(tip, job, keyPair(9))])
  expect(await s.takeSeal(signed, from)).toEqual({ verdict: 'accept' })
  expect(await s.takeSeal(signed, from)).toEqual({ verdict: 'ignore', reason: 'known' })
  expect(seals).toHaveLength(1)
})

/** The round began a moment before its first turn ends; what is pending was there from its beginning. */
const inFirstTurn = (me: KeyPair, numbers: readonly number[] = []): ReturnType<typeof sealing> => {
  const since = START_MS - kit.params.roundMs
  const made = sealing(me, { since, pending: numbers.map(n => candidateOf(claimOf(n), since)) })
  made.judge(async () => 'right')
  return made
}
const stepOf = async (s: Sealing): Promise<void> => {
  await s.step(tipSince(START_MS - kit.params.roundMs), anchor, members)
  for (let i = 0; i < 20; i++) await Promise.resolve()
}

test('an offer that leaves out more than a quarter of what everybody has waits for the turns of the next two', async () => {
  const [first, me] = [placed(0), placed(2)]
  for (const [offered, isSigned] of [[[0, 1], false], [[0, 1, 2], true], [[0, 1, 2, 3], true]] as const) {
    const { clock, sealing: s, votes } = inFirstTurn(me, [0, 1, 2, 3])
    const p = offer(first, offered)
    expect(await s.takeProposal(p, from)).toEqual({ verdict: 'accept' })
    await clock.advance(SETTLE_MS)
    expect(votes).toEqual(isSigned ? [toHex(sealHash(p.seal))] : [])
    if (isSigned) continue
    // A little early, for clocks differ; this node's own turn has not come by then.
    await clock.advance((ODD_TURNS - LATE_SHARE - 0.1) * kit.params.roundMs - SETTLE_MS)
    await stepOf(s)
    expect(votes).toEqual([])
    await clock.advance(0.1 * kit.params.roundMs)
    await stepOf(s)
    expect(votes).toEqual([toHex(sealHash(p.seal))])
  }
})

test('such an offer is not held up once most members have signed it', async () => {
  const { clock, sealing: s, votes } = inFirstTurn(placed(2), [0, 1, 2, 3])
  const p = offer(placed(0), 0)
  await s.takeProposal(p, from)
  await s.takeVote(vote(placed(0), p), from)
  await clock.advance(SETTLE_MS)
  await stepOf(s)
  expect(votes).toEqual([])
  await s.takeVote(vote(placed(1), p), from)
  await stepOf(s)
  expect(votes).toEqual([toHex(sealHash(p.seal))])
})

test('what came just before an offer, or was vouched for since, is not missed in it', async () => {
  const [first, me] = [placed(0), placed(2)]
  const { roundMs } = kit.params
  const early = START_MS - roundMs
  const late = START_MS - (LATE_SHARE + SETTLE_SHARE) * roundMs + 1
  for (const [receivedAt, at, isSigned] of [[early, early, false], [early, late, true], [late, late, true]] as const) {
    const pending = [0, 1].map(n => candidateOf(claimOf(n), receivedAt, at))
    const { clock, judge, sealing: s, votes } = sealing(me, { since: early, pending })
    judge(async () => 'right')
    await s.takeProposal(offer(first, 0), from)
    await clock.advance(SETTLE_MS)
    expect(votes).toHaveLength(isSigned ? 1 : 0)
  }
})

test('whoever is first under an anchor that nobody would have taken since the round began is not first', async () => {
  const before = anchor.parent!
  const first = placed(0, before)
  const me = pairs.find(p => p !== first)!
  const { clock, sealing: s, votes } = inFirstTurn(me)
  expect(await s.takeProposal(offer(first, 0, pairs.slice(0, 2), before), from)).toEqual({ verdict: 'accept' })
  await clock.advance(SETTLE_MS)
  expect(votes).toEqual([])
  const usual = inFirstTurn(placed(2))
  await usual.sealing.takeProposal(offer(placed(0), 0), from)
  await usual.clock.advance(SETTLE_MS)
  expect(usual.votes).toHaveLength(1)
})

test('two offers of one proposer at once are signed by nobody in his turn, whichever came first', async () => {
  const [first, me] = [placed(0), placed(2)]
  const { clock, sealing: s, votes } = inFirstTurn(me)
  await s.takeProposal(offer(first, 0), from)
  // What the others were shown comes with them.
  await clock.advance(SETTLE_MS / 2)
  await s.takeProposal(offer(first, 1), from)
  await clock.advance(SETTLE_MS)
  await stepOf(s)
  expect(votes).toEqual([])
  // The next one's is signed in its turn.
  await clock.advance(kit.params.roundMs - 2 * SETTLE_MS)
  const p = offer(placed(1), 2)
  await s.takeProposal(p, from)
  await clock.advance(SETTLE_MS)
  expect(votes).toEqual([toHex(sealHash(p.seal))])
})

test('who says his own work early, while nobody has any, is held against what is there when his turn comes', async () => {
  const { roundMs } = kit.params
  const since = START_MS - 0.25 * roundMs
  for (const [offered, isSigned] of [[[0], false], [[0, 1, 2, 3], true]] as const) {
    const pending: Candidate[] = []
    const { clock, judge, sealing: s, votes } = sealing(placed(2), { since, pending })
    judge(async () => 'right')
    const p = offer(placed(0), offered)
    await s.takeProposal(p, from)
    await clock.advance(0.05 * roundMs)
    for (const claim of [0, 1, 2, 3].map(claimOf)) pending.push(candidateOf(claim, clock.now()))
    for (const at of [0.67, 0.7]) {
      await clock.advance(since + at * roundMs - clock.now())
      await s.step(tipSince(since), anchor, members)
      for (let i = 0; i < 20; i++) await Promise.resolve()
      expect(votes).toEqual(isSigned && at === 0.7 ? [toHex(sealHash(p.seal))] : [])
    }
    s.stop()
  }
})

test('of two offers that meet before either is signed all sign the same, whichever they heard first', async () => {
  const [x, y] = [offer(placed(0), 0), offer(placed(1), [1, 2])]
  const signed: string[][] = []
  for (const order of [[x, y], [y, x]]) {
    const { clock, judge, sealing: s, votes } = sealing(placed(2), { since: START_MS - 2 * kit.params.roundMs })
    judge(async () => 'right')
    for (const p of order) {
      await s.takeProposal(p, from)
      await clock.advance(SETTLE_MS / 2)
    }
    // The first has settled by now, and the better one has not.
    for (const [by, p] of [[placed(0), x], [placed(1), y]] as const) await s.takeVote(vote(by, p), from)
    await clock.advance(SETTLE_MS)
    signed.push(votes)
  }
  expect(signed).toEqual([[toHex(sealHash(y.seal))], [toHex(sealHash(y.seal))]])
})

test('what a member said long ago and others repeat does not make a new offer one of two', async () => {
  const { roundMs } = kit.params
  const { clock, judge, sealing: s, votes } = sealing(placed(1), { since: START_MS - 1.5 * roundMs })
  const old = offer(placed(0), 0)
  await s.takeProposal(old, from)
  for (let i = 0; i < 2; i++) {
    await clock.advance(roundMs / 2)
    expect((await s.takeProposal(old, from)).verdict).toBe('accept')
  }
  judge(async () => 'right')
  const next = offer(placed(0), [1, 2])
  await s.takeProposal(next, from)
  await clock.advance(SETTLE_MS)
  expect(votes).toEqual([toHex(sealHash(next.seal))])
})

test('who has stopped signs nothing, whatever was on its way', async () => {
  const { clock, judge, sealing: s, votes } = inFirstTurn(placed(2))
  let judged = nothing
  judge(() => new Promise(resolve => { judged = () => { resolve('right') } }))
  await s.takeProposal(offer(placed(0), 0), from)
  await clock.advance(2 * SETTLE_MS)
  s.stop()
  judged()
  await clock.advance(SETTLE_MS)
  expect(votes).toEqual([])
})
