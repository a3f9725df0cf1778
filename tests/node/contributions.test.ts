/** What keeps a place among the contributions to a round, without a world around it. */
import { describe, expect, test } from 'vitest'
import { equalBytes, toHex } from '../../src/core/codec/ssz.ts'
import type { Claim, Vouch } from '../../src/core/codec/wire.ts'
import type { BlockMeta } from '../../src/core/consensus/chain.ts'
import { drawAt, randomnessBlock } from '../../src/core/consensus/draw.ts'
import { claimId, vouchMessage } from '../../src/core/crypto/ids.ts'
import { sign } from '../../src/core/crypto/keys.ts'
import { benchmarkJob } from '../../src/core/ledger/state.ts'
import { SIGNATURE_BYTES } from '../../src/core/params.ts'
import { AHEAD_MS, COMING_PER_PEER, Contributions, CONTRIBUTIONS_PER_JOB, CONTRIBUTIONS_PER_ORIGIN, type ContributionsDeps, type Taken } from '../../src/node/contributions.ts'
import { RENEW_BLOCKS } from '../../src/node/duties.ts'
import { RingLog } from '../../src/node/log.ts'
import type { Refused } from '../../src/node/refusals.ts'
import type { From } from '../../src/node/workTopics.ts'
import { ChainKit, type KeyPair, keyPair } from '../core/chainKit.ts'
import { ManualClock, TestSignatures } from './chainRig.ts'

const kit = new ChainKit()
const { params } = kit
const tip = kit.grown(params.randomnessAgeMax + 10)
const job = benchmarkJob(tip.ledger)
const nothing = (): void => {}
const payload = Uint8Array.of(1)
const from = (id: string): From => ({ origin: id, via: id })
const settle = async (): Promise<void> => { for (let i = 0; i < 20; i++) await Promise.resolve() }
const nameOf = (claim: Claim): string => toHex(claimId(claim))

interface Pool {
  readonly contributions: Contributions
  readonly refused: Refused[]
  /** Gives a claim's payload to whoever waits for it from this peer; undefined: there is none to be had. */
  readonly arrive: (claim: Claim, by: string, payload: Uint8Array | undefined) => void
  readonly held: () => string[]
  /** This miner cheated, as far as this node knows. */
  readonly ban: (miner: KeyPair) => void
  /** Another head. */
  readonly head: (meta: BlockMeta) => void
  /** And one without the job. */
  readonly leave: () => void
  readonly pass: (ms: number) => Promise<void>
}

function pool (at = tip): Pool {
  const clock = new ManualClock(1)
  let head = at
  const waiting = new Map<string, (payload: Uint8Array | undefined) => void>()
  const refused: Refused[] = []
  const banned: KeyPair[] = []
  let onHead: (e: { readonly head: BlockMeta }) => void = nothing
  let tips = at.ledger.jobs.map(j => ({ job: j, spec: j.spec, round: j.round, seal: j.seal, stateHash: j.stateHash, anchorHeight: j.sealAnchorHeight, pending: [], since: 0 }))
  const deps: Partial<Record<keyof ContributionsDeps, unknown>> = {
    params, clock, log: new RingLog(clock), signatures: new TestSignatures(),
    chain: { head: () => head, on: (_: string, l: typeof onHead) => { onHead = l; return nothing } },
    rounds: { tip: (id: Uint8Array) => tips.find(t => equalBytes(t.job.id, id)), tips: () => tips, onTip: () => nothing },
    blame: { refuse: (r: Refused) => { refused.push(r) }, isBannedMiner: (key: Uint8Array) => banned.some(p => p.key === key) },
    payloads: { fetchOffered: async (digest: Uint8Array, _: number, __: unknown, by: string) => await new Promise(resolve => { waiting.set(`${toHex(digest)}/${by}`, resolve) }) },
    // Every payload is in order.
    once: () => ({ ok: true })
  }
  const contributions = new Contributions(deps as unknown as ContributionsDeps)
  contributions.start()
  const arrive: Pool['arrive'] = (claim, by, bytes) => { waiting.get(`${toHex(claim.payloadDigest)}/${by}`)?.(bytes) }
  return { contributions, refused, arrive, held: () => contributions.pending(job.id).map(c => c.name), ban: p => { banned.push(p) }, head: meta => { head = meta; onHead({ head }) }, leave: () => { tips = []; onHead({ head }) }, pass: async ms => { await clock.advance(ms) } }
}

test('what came for a job that has left with its branch goes with it', async () => {
  const p = pool()
  const claim = kit.contribution(tip, job, keyPair(9), 0)
  const taken = p.contributions.take(claim, from('a'))
  await settle()
  p.arrive(claim, 'a', payload)
  expect((await taken).verdict).toBe('accept')
  p.head(kit.extend(tip, 1))
  expect(p.held()).toEqual([nameOf(claim)])
  p.leave()
  expect(p.held()).toEqual([])
})

test('what no seal can take any more keeps no place, what a seal still can does', () => {
  const { contributions, held, head } = pool()
  const old = kit.contribution(kit.at(tip, tip.height - 1), job, keyPair(9))
  const young = kit.contribution(tip, job, keyPair(9), 1)
  for (const claim of [old, young]) expect(contributions.addOwn(claim)).toBe(true)
  // The anchor lies rhoDelay below the head: to its last block it is as old as may be.
  let last = kit.extend(tip, params.randomnessAgeMax - 1)
  head(last)
  expect(held()).toEqual([nameOf(old), nameOf(young)])
  head(last = kit.extend(last, 1))
  expect(held()).toEqual([nameOf(young)])
  // Its slice is free again.
  expect(contributions.addOwn(kit.contribution(last, job, keyPair(9)))).toBe(true)
})

test('what a reorganisation took the draw from waits for it to come back, until it is too old', () => {
  const { contributions, held, head } = pool()
  const claim = kit.contribution(tip, job, keyPair(9))
  expect(contributions.addOwn(claim)).toBe(true)
  const fork = kit.at(tip, tip.height - params.rhoDelay - 1)
  const other = kit.extend(fork, params.rhoDelay + 2, [keyPair(4)])
  head(other)
  expect(held()).toEqual([nameOf(claim)])
  head(kit.extend(other, params.randomnessAgeMax))
  expect(held()).toEqual([])
})

test('an own claim whose draw a reorganisation took has no place', () => {
  const { contributions, held, head } = pool()
  const claim = kit.contribution(tip, job, keyPair(9))
  head(kit.extend(kit.at(tip, tip.height - params.rhoDelay - 1), params.rhoDelay + 2, [keyPair(4)]))
  expect(contributions.addOwn(claim)).toBe(false)
  head(tip)
  expect(contributions.addOwn(claim)).toBe(true)
  expect(held()).toEqual([nameOf(claim)])
})

async function taken ({ arrive, contributions }: Pool, claim: Claim, by: string, author = by): Promise<Taken> {
  const answer = contributions.take(claim, { origin: author, via: by })
  await settle()
  arrive(claim, by, payload)
  return await answer
}

test('a miner who cheated, known as such here, has no place, whoever hands it over', async () => {
  const p = pool()
  const [cheater, other] = [keyPair(7), keyPair(8)]
  p.ban(cheater)
  expect(await p.contributions.take(kit.contribution(tip, job, cheater), from('h'))).toEqual({ verdict: 'ignore', reason: 'banned miner' })
  expect(await taken(p, kit.contribution(tip, job, other), 'h')).toEqual({ verdict: 'accept' })
  expect(p.held()).toHaveLength(1)
})

test('a round that is two ahead has time to come, one that is three ahead is not waited for', async () => {
  const p = pool()
  const reasons: Array<[number, string | undefined]> = []
  for (const ahead of [2, 3]) {
    const claim = kit.contribution(tip, job, keyPair(7), 0, { round: job.round + ahead })
    void p.contributions.take(claim, from('h')).then(({ reason }) => { reasons.push([ahead, reason]) })
  }
  await settle()
  expect(reasons).toEqual([[3, 'round from the future']])
  await p.pass(AHEAD_MS)
  expect(reasons).toEqual([[3, 'round from the future'], [2, 'another seal of this round']])
})

test('names of authors are free: who hands over the most under ever new ones makes room for the others, to their share', async () => {
  const p = pool()
  let n = 0
  const next = (): Claim => kit.contribution(tip, job, keyPair(100 + n++))
  const full = { verdict: 'ignore', reason: 'too many contributions' }
  const refused = async (via: string): Promise<Taken> => await p.contributions.take(next(), { origin: `fresh${n}`, via })
  for (let i = 0; i < CONTRIBUTIONS_PER_JOB; i++) expect(await taken(p, next(), 's', `fresh${n}`)).toEqual({ verdict: 'accept' })
  expect(await refused('s')).toEqual(full)
  for (let i = 0; i < CONTRIBUTIONS_PER_JOB / 2; i++) expect(await taken(p, next(), 'h', `fresh${n}`)).toEqual({ verdict: 'accept' })
  for (const via of ['s', 'h']) expect(await refused(via)).toEqual(full)
})

describe('a claim takes no place from another', () => {
  test('before its signature is known to be right, however many come at once', async () => {
    const p = pool()
    const honest = [7, 8, 9].map(n => kit.contribution(tip, job, keyPair(n)))
    for (const claim of honest) expect(await taken(p, claim, 'h')).toEqual({ verdict: 'accept' })
    const head = kit.extend(tip, RENEW_BLOCKS)
    p.head(head)
    // Of newer draws in the same miners' names: signed, they would take the places of the old ones.
    const forged = honest.map((claim, i) => ({ ...kit.contribution(head, job, keyPair(7 + i)), signature: claim.signature }))
    const answers = forged.map(async claim => await p.contributions.take(claim, from('forger')))
    expect((await Promise.all(answers)).map(t => t.reason)).toEqual(forged.map(() => 'contribution-signature'))
    expect(p.held()).toEqual(honest.map(nameOf))
    const renewed = kit.contribution(head, job, keyPair(7))
    expect(await taken(p, renewed, 'h')).toEqual({ verdict: 'accept' })
    expect(p.held()).toEqual([...honest.slice(1), renewed].map(nameOf))
  })

  test('while it is looked at: a forged copy makes no honest one a duplicate, and names no miner', async () => {
    const p = pool()
    const claim = kit.contribution(tip, job, keyPair(7))
    const forged = { ...claim, template: { ...claim.template, time: 1 }, signature: new Uint8Array(SIGNATURE_BYTES) }
    const [bad, good] = [p.contributions.take(forged, from('forger')), taken(p, claim, 'h')]
    expect(await good).toEqual({ verdict: 'accept' })
    expect((await bad).verdict).toBe('reject')
    expect(await p.contributions.take(forged, from('forger2'))).toMatchObject({ verdict: 'reject' })
    expect(p.refused.map(r => [r.reason, r.miner])).toEqual([['contribution-signature', undefined], ['contribution-signature', undefined]])
  })

  test('nor from itself: what one peer withholds another one may bring', async () => {
    const p = pool()
    const claim = kit.contribution(tip, job, keyPair(7))
    const withheld = p.contributions.take(claim, from('x'))
    await settle()
    expect(await p.contributions.take(claim, { origin: 'another name', via: 'x' })).toEqual({ verdict: 'ignore', reason: 'known' })
    expect(await taken(p, claim, 'h')).toEqual({ verdict: 'accept' })
    p.arrive(claim, 'x', undefined)
    expect(await withheld).toEqual({ verdict: 'ignore', reason: 'payload unavailable' })
    expect(p.held()).toEqual([nameOf(claim)])
  })

  test('before its payload is here, in a round that is full', async () => {
    const p = pool()
    const peers = CONTRIBUTIONS_PER_JOB / CONTRIBUTIONS_PER_ORIGIN
    for (let i = 0; i < CONTRIBUTIONS_PER_JOB; i++) expect(await taken(p, kit.contribution(tip, job, keyPair(100 + i)), `p${i % peers}`)).toEqual({ verdict: 'accept' })
    const before = p.held()
    const claims = [7, 8, 9].map(n => kit.contribution(tip, job, keyPair(n)))
    const answers = claims.map(async (claim, i) => await p.contributions.take(claim, { origin: `fresh${i}`, via: 'x' }))
    await settle()
    expect(p.held()).toEqual(before)
    p.arrive(claims[0], 'x', undefined)
    p.arrive(claims[1], 'x', undefined)
    p.arrive(claims[2], 'x', payload)
    expect((await Promise.all(answers)).map(t => t.verdict)).toEqual(['ignore', 'ignore', 'accept'])
    expect(p.held()).toHaveLength(CONTRIBUTIONS_PER_JOB)
    expect(p.held().at(-1)).toBe(nameOf(claims[2]))
  })
})

test('of one peer no more payloads are on their way than there is room for, whatever names it writes on them', async () => {
  const p = pool()
  const claims = Array.from({ length: COMING_PER_PEER + 1 }, (_, i) => kit.contribution(tip, job, keyPair(200 + i)))
  const answers: Array<Promise<Taken>> = []
  for (const [i, claim] of claims.entries()) {
    answers.push(p.contributions.take(claim, { origin: `fresh${i}`, via: 'x' }))
    await settle()
  }
  expect(await answers.at(-1)).toEqual({ verdict: 'ignore', reason: 'too many contributions' })
  expect(await taken(p, kit.contribution(tip, job, keyPair(7)), 'h')).toEqual({ verdict: 'accept' })
})

test('what one peer has on its way to one job takes none of its places in another', async () => {
  const posted = kit.mine(tip, { transactions: [kit.post(tip, keyPair(1))] }).meta
  const head = kit.extend(kit.mine(posted, { seals: [kit.seal(posted, posted.ledger.jobs[1], [])] }).meta, params.rhoDelay + 1)
  const [benchmark, paid] = head.ledger.jobs
  const drawing = (id: Uint8Array): KeyPair[] => Array.from({ length: 60 }, (_, n) => keyPair(100 + n)).filter(({ key }) => equalBytes(drawAt(randomnessBlock(params, head), key), id))
  const p = pool(head)
  const coming = drawing(paid.id).slice(0, CONTRIBUTIONS_PER_ORIGIN + 1).map(miner => kit.contribution(head, paid, miner))
  const answers = coming.map(async claim => await p.contributions.take(claim, from('x')))
  expect(await answers.at(-1)).toEqual({ verdict: 'ignore', reason: 'too many contributions' })
  expect(await taken(p, kit.contribution(head, benchmark, drawing(benchmark.id)[0]), 'x')).toEqual({ verdict: 'accept' })
})

test('in a round that stands for long the vouches of the newest members stay, and no more than there is room for', async () => {
  const { contributions, head } = pool()
  const claim = kit.contribution(tip, job, keyPair(7))
  expect(contributions.addOwn(claim)).toBe(true)
  const members = Array.from({ length: 10 }, (_, n) => keyPair(30 + n))
  const last = kit.extend(kit.extend(tip, members.length, members), params.rhoDelay)
  for (const [i, member] of members.entries()) {
    head(kit.at(last, tip.height + 1 + i + params.rhoDelay))
    const body = { job: job.id, contribution: claimId(claim), member: member.key }
    expect(await contributions.vouch({ ...body, signature: sign(member.seed, vouchMessage(body)) })).toEqual({ verdict: 'accept' })
  }
  expect([...contributions.find(job.id, claimId(claim))!.vouches.keys()]).toEqual(members.slice(-8).map(m => toHex(m.key)))
})

describe('a vouch that comes before its contribution', () => {
  const member = keyPair(1)
  const claim = kit.contribution(tip, job, keyPair(7))
  const unknown = { verdict: 'ignore', reason: 'vouch for an unknown contribution' }
  const vouch = (by: KeyPair): Vouch => {
    const body = { job: job.id, contribution: claimId(claim), member: by.key }
    return { ...body, signature: sign(by.seed, vouchMessage(body)) }
  }

  test('waits if a member has signed it, and is else judged at once', async () => {
    const p = pool()
    const forged = { ...vouch(member), signature: new Uint8Array(SIGNATURE_BYTES) }
    expect(await p.contributions.vouch(vouch(keyPair(20)), from('s'))).toEqual(unknown)
    expect(await p.contributions.vouch(forged, from('s'))).toEqual({ verdict: 'reject', reason: 'vouch-signature' })
    expect(p.refused).toMatchObject([{ reason: 'vouch-signature', peer: 's', fatal: true }])
    const early = p.contributions.vouch(vouch(member), from('h'))
    expect(await taken(p, claim, 'h')).toEqual({ verdict: 'accept' })
    expect(await early).toEqual({ verdict: 'accept' })
    expect(await p.contributions.vouch(vouch(member), from('h'))).toEqual({ verdict: 'ignore', reason: 'vouched already' })
  })

  test('has a place though strangers take all that there are, who share them evenly', async () => {
    const p = pool()
    const ahead = { ...claim, template: { ...claim.template, round: job.round + 1 } }
    const over = { s1: 0, s2: 0 }
    const say = async (via: keyof typeof over, times: number): Promise<void> => {
      for (let i = 0; i < times; i++) void p.contributions.take(ahead, from(via)).then(() => { over[via]++ })
      await settle()
    }
    await say('s1', 128)
    expect(over).toEqual({ s1: 0, s2: 0 })
    await say('s2', 74)
    expect(over).toEqual({ s1: 64, s2: 10 })
    const early = p.contributions.vouch(vouch(member), from('h'))
    await settle()
    expect(over.s1 + over.s2).toBe(75)
    expect(await taken(p, claim, 'h')).toEqual({ verdict: 'accept' })
    expect(await early).toEqual({ verdict: 'accept' })
  })
})
