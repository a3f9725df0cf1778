/** A member's and an auditor's duties where others would rather they were not done, or done too late. */
import { describe, expect, test } from 'vitest'
import { toHex, ZERO32 } from '../../src/core/codec/ssz.ts'
import type { Body, Claim, SignedSeal } from '../../src/core/codec/wire.ts'
import { hash, u32le } from '../../src/core/crypto/hash.ts'
import { claimId, sealHash } from '../../src/core/crypto/ids.ts'
import { benchmarkJob } from '../../src/core/ledger/state.ts'
import { AGAIN_MS, AUDITS_MAX, Challenges, CHALLENGES_BURST, type ChallengesDeps } from '../../src/node/challenges.ts'
import type { Candidate, HeardVouch } from '../../src/node/contributions.ts'
import { anchorOn, auditors, byLot, isVouched, replayers } from '../../src/node/duties.ts'
import { RingLog } from '../../src/node/log.ts'
import type { JobTip } from '../../src/node/parts.ts'
import { Supervisor, type SupervisorDeps } from '../../src/node/supervisor.ts'
import { committee } from '../../src/core/consensus/committee.ts'
import { ChainKit, keyPair } from '../core/chainKit.ts'
import { ManualClock } from './chainRig.ts'
import { minerKey, SeededRandom } from './workRig.ts'

const kit = new ChainKit()
const tip = kit.grown()
const job = benchmarkJob(tip.ledger)
const claim = kit.contribution(tip, job, keyPair(9))
const nothing = (): void => {}

test.each([
  ['while it can still be challenged, is condemned and called out', true],
  ['once it is ripe, is written down and no more: to condemn it alone would be to leave the network', false]
])('a sealed contribution found wrong %s', async (_, inTime) => {
  const signed: SignedSeal = { seal: { job: job.id, round: 1, previous: ZERO32, anchor: tip.hash, contributions: [claim], stateHash: ZERO32 }, signatures: [] }
  const clock = new ManualClock(1)
  const log = new RingLog(clock)
  const condemned: string[] = []
  let published = 0
  let sealedOn: (t: JobTip) => void = nothing
  const deps: Partial<Record<keyof ChallengesDeps, unknown>> = {
    params: kit.params, key: minerKey(keyPair(1)), clock, log, random: new SeededRandom(1), auditShare: 256,
    chain: { head: () => tip, at: () => undefined, on: () => nothing, condemn: async (id: Uint8Array) => { condemned.push(toHex(id)) } },
    rounds: { onTip: (l: (t: JobTip) => void) => { sealedOn = l; return nothing }, pendingSeal: (h: Uint8Array) => inTime && toHex(h) === toHex(sealHash(signed.seal)) ? signed : undefined, isWrong: () => false, signers: () => [], tips: () => [] },
    contributions: { vouchersOf: () => [] },
    blame: { refuse: nothing },
    publisher: { publish: async () => { published++ } },
    replay: { replay: async () => ({ kind: 'done', resultHash: hash('test-other'), payloadDigest: claim.payloadDigest }) }
  }
  const challenges = new Challenges(deps as unknown as ChallengesDeps)
  challenges.start()
  sealedOn({ pending: [signed] } as unknown as JobTip)
  for (let i = 0; i < 20; i++) await Promise.resolve()
  expect(challenges.counts).toEqual({ audited: 1, wrong: 1 })
  expect(condemned).toEqual(inTime ? [toHex(claimId(claim))] : [])
  expect(published).toBe(inTime ? 1 : 0)
})

test('who shows a block with what is known to be wrong here is told, once by anybody in a while, and by words that fit', async () => {
  const signed: SignedSeal = { seal: { job: job.id, round: 1, previous: ZERO32, anchor: tip.hash, contributions: [claim], stateHash: ZERO32 }, signatures: [] }
  const right = { job: job.id, sealHash: sealHash(signed.seal), contribution: claimId(claim) }
  const clock = new ManualClock(1)
  const condemned = new Set<string>()
  const published: unknown[] = []
  let shown: (body: Body) => void = nothing
  const deps: Partial<Record<keyof ChallengesDeps, unknown>> = {
    params: kit.params, key: minerKey(keyPair(1)), clock, log: new RingLog(clock), random: new SeededRandom(1),
    chain: { head: () => tip, at: () => undefined, on: (event: string, l: (body: Body) => void) => { if (event === 'carrier') shown = l; return nothing }, condemnedContributions: () => condemned },
    rounds: { onTip: () => nothing, isWrong: (id: Uint8Array) => condemned.has(toHex(id)) },
    publisher: { publish: async (m: { readonly value: unknown }) => { published.push(m.value) } }
  }
  const challenges = new Challenges(deps as unknown as ChallengesDeps)
  challenges.start()
  const show = async (): Promise<number> => {
    shown({ transactions: [], seals: [signed] })
    for (let i = 0; i < 5; i++) await Promise.resolve()
    return published.length
  }
  const from = { origin: 'x', via: 'x' }
  expect(await show()).toBe(0)
  condemned.add(toHex(right.contribution))
  expect(await show()).toBe(1)
  expect(published[0]).toEqual(right)
  expect(await show()).toBe(1)
  await clock.advance(AGAIN_MS)
  expect(await show()).toBe(2)
  await clock.advance(AGAIN_MS)
  // Of another seal: those who need it would find nothing under it.
  expect(await challenges.take({ ...right, sealHash: hash('test-other') }, from)).toMatchObject({ verdict: 'accept' })
  expect(await show()).toBe(3)
  await clock.advance(AGAIN_MS)
  expect(await challenges.take(right, from)).toMatchObject({ verdict: 'accept' })
  expect(await show()).toBe(3)
})

describe('a contribution whose id was ground until a friend is drawn to replay it', () => {
  const [cheat, mate, honest] = [1, 2, 3].map(keyPair)
  const members = committee(kit.params, tip)
  // A lie costs no work, so neither does another id: by the first lot the mate replays it.
  const lies = Array.from({ length: 64 }, (_, i) => kit.signClaim({ ...kit.contribution(tip, job, cheat), resultHash: hash('test-lie', Uint8Array.of(i)) }, cheat))
  const ground = lies.filter(lie => toHex(replayers(members, claimId(lie), lie)[0]) === toHex(mate.key))

  test('is not spared by the lot of the block that seals it, which nobody can know before', () => {
    expect(ground.length).toBeGreaterThan(16)
    const [lie] = ground
    // With the cheat out of the lot, two others are left and both are drawn; with more, whom it meets is new in every block.
    expect(auditors(kit.params, tip, claimId(lie), lie).map(toHex).sort()).toEqual([mate, honest].map(k => toHex(k.key)).sort())
    const crowd = kit.extend(tip, 8, [1, 2, 3, 4, 5, 6, 7, 8].map(keyPair))
    const firsts = new Set<string>()
    for (let m = crowd, i = 0; i < 4; i++, m = m.parent!) firsts.add(auditors(kit.params, m, claimId(lie), lie).map(toHex).join())
    expect(firsts.size).toBeGreaterThan(1)
  })

  test('is never given to its maker, nor to the key that is paid for it', () => {
    const paidTo = kit.contribution(tip, job, cheat, 0, { payee: honest.key })
    expect(replayers(members, claimId(paidTo), paidTo).map(toHex)).toEqual([toHex(mate.key)])
    expect(auditors(kit.params, tip, claimId(paidTo), paidTo).map(toHex)).toEqual([toHex(mate.key)])
    const alone = [cheat.key]
    expect(replayers(alone, claimId(paidTo), paidTo)).toEqual(alone)
  })

  test.each([['drawn', 3, 1], ['not drawn', 9, 0]])('a member that is %s redoes what the block has sealed, and calls it out', async (_, who, calls) => {
    const [lie] = ground
    const signed: SignedSeal = { seal: { job: job.id, round: 1, previous: ZERO32, anchor: tip.hash, contributions: [lie], stateHash: ZERO32 }, signatures: [] }
    const record = { meta: tip, body: { transactions: [], seals: [signed] } }
    const clock = new ManualClock(1)
    let published = 0
    let onHead: (e: unknown) => void = nothing
    const deps: Partial<Record<keyof ChallengesDeps, unknown>> = {
      // No audits but those of the lot: the least share there is, and a die that never falls so low.
      params: kit.params, key: minerKey(keyPair(who)), clock, log: new RingLog(clock), random: { bytes: () => Uint8Array.of(255) }, auditShare: 1,
      chain: { head: () => tip, at: (h: number) => h === tip.height ? record : undefined, on: (event: string, l: (e: unknown) => void) => { if (event === 'head') onHead = l; return nothing }, condemn: async () => {} },
      rounds: { onTip: () => nothing, pendingSeal: () => undefined, isWrong: () => false, signers: () => [], tips: () => [] },
      contributions: { vouchersOf: () => [] },
      blame: { refuse: nothing },
      publisher: { publish: async () => { published++ } },
      replay: { replay: async () => ({ kind: 'done', resultHash: hash('test-other'), payloadDigest: lie.payloadDigest }) }
    }
    const challenges = new Challenges(deps as unknown as ChallengesDeps)
    challenges.start()
    onHead({ head: tip, added: [record], removed: [] })
    for (let i = 0; i < 20; i++) await Promise.resolve()
    expect(challenges.counts).toEqual({ audited: calls, wrong: calls })
    expect(published).toBe(calls)
  })
})

describe('an auditor with more to do than it can', () => {
  const claims = Array.from({ length: AUDITS_MAX + 44 }, (_, i) => kit.contribution(tip, job, keyPair(1000 + i)))
  const sealed = (contributions: Claim[]): SignedSeal => ({ seal: { job: job.id, round: 1, previous: ZERO32, anchor: tip.hash, contributions, stateHash: ZERO32 }, signatures: [] })
  const me = keyPair(1)
  const isMine = (c: Claim): boolean => auditors(kit.params, tip, claimId(c), c).some(m => toHex(m) === toHex(me.key))

  test.each([
    ['what the lot gave it', false],
    ['what it had chosen before the lot gave it', true]
  ])('keeps %s, and forgets its own choice first', async (_, before) => {
    const replayed: Claim[] = []
    let release = nothing
    const gate = new Promise<void>(resolve => { release = resolve })
    let sealedOn: (t: JobTip) => void = nothing
    let onHead: (e: unknown) => void = nothing
    const clock = new ManualClock(1)
    const deps: Partial<Record<keyof ChallengesDeps, unknown>> = {
      params: kit.params, key: minerKey(me), clock, log: new RingLog(clock), random: new SeededRandom(1), auditShare: 256,
      chain: { head: () => tip, at: () => undefined, on: (event: string, l: (e: unknown) => void) => { if (event === 'head') onHead = l; return nothing } },
      rounds: { onTip: (l: (t: JobTip) => void) => { sealedOn = l; return nothing }, isCondemned: () => false, pendingSeal: () => undefined, tips: () => [] },
      replay: { replay: async (c: Claim) => { await gate; replayed.push(c); return { kind: 'done', resultHash: c.resultHash, payloadDigest: c.payloadDigest } } }
    }
    const choose = (contributions: Claim[]): void => { sealedOn({ pending: [sealed(contributions)] } as unknown as JobTip) }
    const challenges = new Challenges(deps as unknown as ChallengesDeps)
    challenges.start()
    const [lot, others] = [claims.slice(0, 40), claims.slice(40)]
    const given = lot.filter(isMine)
    expect(given.length).toBeGreaterThan(5)
    if (before) choose(lot)
    choose(others.slice(0, -20))
    onHead({ head: tip, removed: [], added: [{ meta: tip, body: { transactions: [], seals: [sealed(lot)] } }] })
    choose(others.slice(-20))
    release()
    for (let i = 0; i < 4_000; i++) await Promise.resolve()
    expect(given.filter(c => !replayed.includes(c))).toEqual([])
    // And the one that it was at when there became too many.
    expect(replayed.length).toBe(AUDITS_MAX + 1)
  })
})

test('of the vouches for a contribution those that count soonest come first, those of members that have left not at all', () => {
  const members = committee(kit.params, anchorOn(kit.params, tip, 0)!)
  const id = claimId(claim)
  const order = replayers(members, id, claim)
  const stranger = keyPair(77).key
  expect(order.length).toBeGreaterThan(1)
  expect(byLot([members], id, claim, [stranger, ...[...order].reverse()]).map(toHex)).toEqual(order.map(toHex))
  expect(byLot([[stranger], members], id, claim, [...order, stranger]).slice(0, 2).map(toHex).sort()).toEqual([order[0], stranger].map(toHex).sort())
})

test('a member counts once, however often its word is given', () => {
  const members = committee(kit.params, anchorOn(kit.params, tip, 0)!)
  const id = claimId(claim)
  const [first, second] = replayers(members, id, claim)
  expect([[first], [first, first], [first, second]].map(by => isVouched([members], id, claim, by, false, 0))).toEqual([false, false, true])
})

test('vouches of members who were not drawn do not keep the drawn one from looking, and what cannot be had is not asked for without a pause', async () => {
  const anchor = anchorOn(kit.params, tip, 0)!
  const members = committee(kit.params, anchor)
  const id = claimId(claim)
  const first = replayers(members, id, claim)[0]
  const me = [1, 2, 3].map(keyPair).find(k => toHex(k.key) === toHex(first))!
  // Of committees a block or two away: their words are taken in, too.
  const idle = [21, 22, 23].map(n => keyPair(n).key)
  const candidate: Candidate = { id, name: toHex(id), claim, receivedAt: 1, verdict: 'unknown', vouches: new Map(idle.map(k => [toHex(k), { at: 1 } as HeardVouch])) }
  const replayed: Claim[] = []
  const clock = new ManualClock(1)
  const deps: Partial<Record<keyof SupervisorDeps, unknown>> = {
    params: kit.params, clock, log: new RingLog(clock), key: minerKey(me),
    chain: { head: () => tip },
    rounds: { tips: () => [{ job }], tip: () => ({ job, spec: job.spec, anchorHeight: 0 }), onTip: () => nothing },
    contributions: { pending: () => [candidate], onChange: () => nothing, changed: nothing },
    records: { has: () => false },
    sealing: { step: async () => {} },
    replay: { replay: async (c: Claim) => { replayed.push(c); return { kind: 'unavailable', detail: '' } } },
    publisher: { publish: async () => {} },
    ready: () => true
  }
  await new Supervisor(deps as unknown as SupervisorDeps).step()
  for (let i = 0; i < 50; i++) await Promise.resolve()
  expect(replayed).toEqual([claim])
})

test('what a branch on trust has sealed is not audited before that is redone, and does not hold up what is on the chain', async () => {
  const clock = new ManualClock(1)
  const contributions = (miner: number, n: number): Claim[] => Array.from({ length: n }, (_, i) => ({ ...kit.contribution(tip, job, keyPair(miner)), resultHash: hash('test', Uint8Array.of(miner, i)) }))
  const record = (claims: Claim[], checked: string): unknown => ({ meta: tip, checked, body: { transactions: [], seals: [{ seal: { job: job.id, round: 1, previous: ZERO32, anchor: tip.hash, contributions: claims, stateHash: ZERO32 }, signatures: [] }] } })
  const [told, redone] = [contributions(9, 100), contributions(8, 64)]
  const replayed: string[] = []
  const on = new Map<string, (e: unknown) => void>()
  const deps: Partial<Record<keyof ChallengesDeps, unknown>> = {
    params: kit.params, key: minerKey(keyPair(77)), clock, log: new RingLog(clock), random: new SeededRandom(1), auditShare: 256,
    chain: { head: () => tip, at: () => ({ meta: tip }), on: (e: string, l: (x: unknown) => void) => { on.set(e, l); return nothing }, condemnedContributions: () => new Set() },
    rounds: { onTip: () => nothing, isWrong: () => false, pendingSeal: () => undefined, tips: () => [], signers: () => [] },
    contributions: { vouchersOf: () => [] }, blame: { refuse: nothing }, publisher: { publish: async () => {} },
    replay: {
      replay: async (c: Claim) => {
        replayed.push(toHex(c.resultHash))
        return { kind: 'done', resultHash: c.resultHash, payloadDigest: c.payloadDigest }
      }
    }
  }
  const challenges = new Challenges(deps as unknown as ChallengesDeps)
  challenges.start()
  on.get('head')!({ head: tip, removed: [], added: [record(told, 'ledger')] })
  on.get('head')!({ head: tip, removed: [], added: [record(redone, 'replayed')] })
  await clock.advance(1_000)
  const names = (claims: Claim[]): string[] => claims.map(c => toHex(c.resultHash)).sort()
  expect([...replayed].sort()).toEqual(names(redone))
  on.get('checked')!(record(told.slice(0, 3), 'replayed'))
  await clock.advance(1_000)
  expect([...replayed].sort()).toEqual(names([...redone, ...told.slice(0, 3)]))
  challenges.stop()
})

test('challenges of what is known to be wrong are passed on a few at a time, whatever seals are named beside it', async () => {
  const clock = new ManualClock(1)
  const wrong = claimId(claim)
  const deps: Partial<Record<keyof ChallengesDeps, unknown>> = {
    params: kit.params, clock, log: new RingLog(clock), random: new SeededRandom(1), key: minerKey(keyPair(77)),
    rounds: { isWrong: (id: Uint8Array) => toHex(id) === toHex(wrong) }
  }
  const challenges = new Challenges(deps as unknown as ChallengesDeps)
  let n = 0
  const accepted = async (count: number): Promise<number> => {
    let sum = 0
    for (let i = 0; i < count; i++) {
      const { verdict } = await challenges.take({ job: job.id, sealHash: hash('test-seal', u32le(n++)), contribution: wrong }, { origin: `o${n}`, via: 'x' })
      if (verdict === 'accept') sum++
    }
    return sum
  }
  expect(await accepted(200)).toBe(CHALLENGES_BURST)
  await clock.advance(AGAIN_MS)
  expect(await accepted(200)).toBe(1)
})
