/** What cheaters try with contributions, proposals and seals, and what it gets them. */
import { afterEach, describe, expect, test, vi } from 'vitest'
import { compareBytes, equalBytes, toHex, ZERO32 } from '../../src/core/codec/ssz.ts'
import { type Claim, type Seal, WORK_CHALLENGE, WORK_CLAIM, WorkMessage } from '../../src/core/codec/wire.ts'
import { hash } from '../../src/core/crypto/hash.ts'
import { claimId, proposalMessage, sealHash, vouchMessage } from '../../src/core/crypto/ids.ts'
import { sign } from '../../src/core/crypto/keys.ts'
import { MAX_CONTRIBUTION_SLICES } from '../../src/core/params.ts'
import { payloadDigest } from '../../src/core/training/payload.ts'
import { CONTRIBUTIONS_PER_JOB, CONTRIBUTIONS_PER_ORIGIN } from '../../src/node/contributions.ts'
import { RENEW_BLOCKS } from '../../src/node/duties.ts'
import { PAYLOAD_PROTOCOL } from '../../src/node/payloads.ts'
import { ChainKit, keyPair } from '../core/chainKit.ts'
import { claimOn, from, nameOf, Stranger, workParams, workSpec, World, type WorkNode } from './workRig.ts'

// Whole nodes on one thread: seconds on an idle machine, more on a busy one.
vi.setConfig({ testTimeout: 120_000 })

let world: World | undefined
afterEach(async () => { await world?.stop(); world = undefined })

/** One node that mined alone until its committee is there, and then stopped sealing. */
async function lone (): Promise<{ readonly w: World, readonly a: WorkNode }> {
  const w = world = new World()
  const a = await w.add('a', 1)
  a.mine(true)
  await w.until('two sealed rounds', () => a.sealedRound >= 2)
  a.awake = false
  a.mine(false)
  await w.run(2_000)
  return { w, a }
}

/** Calls that wait for virtual time. */
async function during<T> (w: World, ms: number, run: Promise<T>): Promise<T> {
  await w.run(ms)
  return await run
}

/** What it holds of others. */
const pool = (a: WorkNode): string[] => a.contributions.pending(a.benchmark).filter(c => !equalBytes(c.claim.template.miner, a.keys.key)).map(c => c.name)

async function serving (w: World, id: string, payloads: Array<{ readonly claim: Claim, readonly payload: Uint8Array }>): Promise<Stranger> {
  const s = new Stranger(w, id)
  const held = new Map(payloads.map(p => [toHex(p.claim.payloadDigest), p.payload]))
  await s.serve(PAYLOAD_PROTOCOL, body => held.get(toHex(body)) ?? new Uint8Array(0))
  return s
}

describe('a contribution from a stranger', () => {
  test('is taken when everything about it is in order', async () => {
    const { w, a } = await lone()
    const good = await claimOn(a, workParams, keyPair(7), 0)
    await serving(w, 's', [good])
    expect(await during(w, 1_000, a.contributions.take(good.claim, from('s')))).toEqual({ verdict: 'accept' })
    expect(pool(a)).toEqual([nameOf(good.claim)])
    expect(await during(w, 1_000, a.contributions.take(good.claim, from('s')))).toMatchObject({ verdict: 'ignore', reason: 'known' })
  })

  test('is not taken while its payload is withheld', async () => {
    const { w, a } = await lone()
    const good = await claimOn(a, workParams, keyPair(7), 0)
    await serving(w, 's', [])
    expect(await during(w, 20_000, a.contributions.take(good.claim, from('s')))).toEqual({ verdict: 'ignore', reason: 'payload unavailable' })
    expect(pool(a)).toEqual([])
    expect(a.refusals()).toEqual([])
  })

  test('is refused by name for each thing that is wrong', async () => {
    const { w, a } = await lone()
    const key = keyPair(7)
    const short = new Uint8Array(10)
    const cases: Array<readonly [string, (c: Claim) => Partial<Claim>]> = [
      ['contribution-chain', c => ({ template: { ...c.template, chain: ZERO32 } })],
      ['contribution-state', c => ({ template: { ...c.template, stateHash: ZERO32 } })],
      ['contribution-slice', () => ({ slice: MAX_CONTRIBUTION_SLICES })],
      ['contribution-payload-size', () => ({ payloadBytes: short.length, payloadDigest: payloadDigest(short) })]
    ]
    for (const [i, [reason, over]] of cases.entries()) {
      const bad = await claimOn(a, workParams, key, 0, over)
      await serving(w, `s${i}`, [bad])
      expect(await during(w, 1_000, a.contributions.take(bad.claim, from(`s${i}`)))).toEqual({ verdict: 'reject', reason })
      expect(a.refusals().at(-1)).toBe(reason)
    }
    const unsigned = await claimOn(a, workParams, key, 0)
    await serving(w, 'forger', [unsigned])
    const forged = { ...unsigned.claim, signature: sign(keyPair(8).seed, claimId(unsigned.claim)) }
    expect(await during(w, 1_000, a.contributions.take(forged, from('forger')))).toEqual({ verdict: 'reject', reason: 'contribution-signature' })
    expect((await a.net.status()).banned.map(b => b.id)).toContain('forger')
    const huge = await claimOn(a, workParams, key, 1, c => ({ payloadDigest: payloadDigest(new Uint8Array(c.payloadBytes).fill(129)) }))
    await serving(w, 'huge', [{ claim: huge.claim, payload: new Uint8Array(huge.payload.length).fill(129) }])
    expect(await during(w, 1_000, a.contributions.take(huge.claim, from('huge')))).toEqual({ verdict: 'reject', reason: 'bad payload' })
    expect(a.blame.isBannedMiner(key.key)).toBe(true)
    expect(pool(a)).toEqual([])
  })

  test('is too late, or the second for one slice', async () => {
    const { w, a } = await lone()
    const first = await claimOn(a, workParams, keyPair(7), 0)
    const second = await claimOn(a, workParams, keyPair(7), 0, c => ({ template: { ...c.template, time: c.template.time + 1 } }))
    const early = await claimOn(a, workParams, keyPair(7), 0, c => ({ template: { ...c.template, height: c.template.height + RENEW_BLOCKS } }))
    const old = await claimOn(a, workParams, keyPair(7), 1, c => ({ template: { ...c.template, round: c.template.round - 1 } }))
    await serving(w, 's', [first, second, early, old])
    expect(await during(w, 1_000, a.contributions.take(first.claim, from('s')))).toEqual({ verdict: 'accept' })
    expect(await during(w, 1_000, a.contributions.take(second.claim, from('s')))).toEqual({ verdict: 'ignore', reason: 'duplicate slice' })
    expect(a.refusals()).toEqual(['duplicate slice'])
    expect(await during(w, 1_000, a.contributions.take(old.claim, from('s')))).toEqual({ verdict: 'ignore', reason: 'stale round' })
    // Blocks that are not there yet: its randomness cannot be known.
    expect(await during(w, 1_000, a.contributions.take(early.claim, from('s')))).toEqual({ verdict: 'ignore', reason: 'contribution-randomness' })
    expect(pool(a)).toEqual([nameOf(first.claim)])
    // Some blocks later the round is still not sealed: a new one takes the old one's place.
    const { height } = a.chain.head()
    a.mine(true)
    await w.until('blocks', () => a.chain.head().height >= height + RENEW_BLOCKS)
    a.mine(false)
    await w.run(1_000)
    const renewed = await claimOn(a, workParams, keyPair(7), 0)
    await serving(w, 't', [renewed])
    expect(await during(w, 1_000, a.contributions.take(renewed.claim, from('t')))).toEqual({ verdict: 'accept' })
    expect(pool(a)).toEqual([nameOf(renewed.claim)])
  })

  test('is one of a flood: the pool is bounded per peer and per job', async () => {
    const { w, a } = await lone()
    const peers = Math.ceil(CONTRIBUTIONS_PER_JOB / CONTRIBUTIONS_PER_ORIGIN) + 2
    const taken: string[] = []
    for (let p = 0; p < peers; p++) {
      const claims = await Promise.all(Array.from({ length: CONTRIBUTIONS_PER_ORIGIN + 1 }, async (_, i) => await claimOn(a, workParams, keyPair(100 + 20 * p + i), 0)))
      await serving(w, `s${p}`, claims)
      const answers = await during(w, 3_000, Promise.all(claims.map(async c => await a.contributions.take(c.claim, from(`s${p}`)))))
      const accepted = answers.filter(t => t.verdict === 'accept').length
      expect(accepted).toBeLessThanOrEqual(CONTRIBUTIONS_PER_ORIGIN)
      expect(answers.at(-1)).toEqual({ verdict: 'ignore', reason: 'too many contributions' })
      taken.push(...answers.map(t => t.verdict))
    }
    expect(a.contributions.pending(a.benchmark)).toHaveLength(CONTRIBUTIONS_PER_JOB)
    expect(taken.filter(v => v === 'reject')).toEqual([])
  })

  test('finds room where others have filled the round, and what was wrong keeps no place', async () => {
    const { w, a } = await lone()
    // What it made of this round before it stopped depends on when the last seal came.
    for (const c of a.contributions.pending(a.benchmark)) a.contributions.drop(a.benchmark, c.id)
    const peers = CONTRIBUTIONS_PER_JOB / CONTRIBUTIONS_PER_ORIGIN
    const junk: Claim[] = []
    for (let p = 0; p < peers; p++) {
      const claims = await Promise.all(Array.from({ length: CONTRIBUTIONS_PER_ORIGIN }, async (_, i) => await claimOn(a, workParams, keyPair(100 + 20 * p + i), 0, () => ({ resultHash: hash('test-lie') }))))
      await serving(w, `s${p}`, claims)
      await during(w, 3_000, Promise.all(claims.map(async c => await a.contributions.take(c.claim, from(`s${p}`)))))
      junk.push(...claims.map(c => c.claim))
    }
    expect(a.contributions.pending(a.benchmark)).toHaveLength(CONTRIBUTIONS_PER_JOB)
    const good = await claimOn(a, workParams, keyPair(7), 0)
    await serving(w, 'honest', [good])
    expect(await during(w, 1_000, a.contributions.take(good.claim, from('honest')))).toEqual({ verdict: 'accept' })
    expect(pool(a)).toContain(nameOf(good.claim))
    expect(a.contributions.addOwn((await claimOn(a, workParams, a.keys, MAX_CONTRIBUTION_SLICES - 1)).claim)).toBe(true)
    for (const claim of junk) a.contributions.drop(a.benchmark, claimId(claim))
    const again = await Promise.all([8, 9, 10].map(async n => await claimOn(a, workParams, keyPair(n), 0)))
    await serving(w, 'honest2', again)
    const answers = await during(w, 1_000, Promise.all(again.map(async c => await a.contributions.take(c.claim, from('honest2')))))
    expect(answers.map(t => t.verdict)).toEqual(['accept', 'accept', 'accept'])
  })
})

describe('messages that nobody can read', () => {
  test('are refused, and so are those on another job\'s topic', async () => {
    const { w, a } = await lone()
    const s = new Stranger(w, 's')
    await s.say(w, a.benchmark, Uint8Array.of(0))
    await s.say(w, a.benchmark, Uint8Array.of(WORK_CLAIM, 1, 2, 3))
    const good = await claimOn(a, workParams, keyPair(7), 0, c => ({ template: { ...c.template, job: hash('test-other-job') } }))
    await s.say(w, a.benchmark, WorkMessage.serialize({ selector: WORK_CLAIM, value: good.claim }))
    await w.run(500)
    expect(a.refusals()).toEqual(['malformed', 'malformed', 'wrong topic'])
    // Three refused messages end a connection.
    expect((await a.net.status()).peers.map(p => p.id)).not.toContain('s')
  })
})

describe('a miner that cheats', () => {
  const bends: ReadonlyArray<readonly [string, WorkNode['compute']['bend']]> = [
    ['a wrong final state', r => ({ ...r, stateHash: hash('test-lie', r.stateHash) })],
    ['a wrong payload', r => { const payload = r.payload.slice(); payload[3] ^= 1; return { ...r, payload, payloadDigest: payloadDigest(payload) } }]
  ]
  for (const [what, bend] of bends) {
    test(`with ${what} is found before the round is sealed`, async () => {
      const w = world = new World()
      const [a, b, c] = [await w.add('a', 1), await w.add('b', 2), await w.add('c', 3)]
      c.compute.bend = bend
      // Its wrong blocks would be replayed by everyone anyway: here only the contributions travel.
      c.withholds = () => true
      for (const n of [a, b, c]) n.mine(true)
      // Whom the lot makes redo the first lie depends on the keys; whoever has sealed the round by then waits for the next.
      await w.until('the others seal, and both know who lies', () => [a, b].every(n => n.sealedRound >= 2 && n.blame.isBannedMiner(c.keys.key)))
      expect([...a.refusals(), ...b.refusals()]).toContain('wrong slice')
      for (let h = 1; h <= a.chain.head().height; h++) {
        for (const s of a.chain.at(h)!.body.seals) expect(s.seal.contributions.some(x => equalBytes(x.template.miner, c.keys.key))).toBe(false)
      }
    })
  }
})

test('a colluding committee\'s seal is challenged and dropped, with the blocks that carry it', async () => {
  const w = world = new World()
  const gang = [await w.add('a', 1, { auditShare: 0 }), await w.add('b', 2, { auditShare: 0 })]
  const auditor = await w.add('d', 4, { auditShare: 256 })
  const bystander = await w.add('e', 5, { auditShare: 0 })
  const lies = new Set<string>()
  for (const n of gang) {
    n.mine(true)
    // Once there is a committee every contribution is a lie; blocks stay honest, they would be replayed.
    n.compute.bend = r => {
      if (n.sealedRound < 1) return r
      const stateHash = hash('test-lie', r.stateHash)
      lies.add(toHex(stateHash))
      return { ...r, stateHash }
    }
    n.withholds = block => lies.has(toHex(block.header.resultHash))
    const honest = n.replays.replay.bind(n.replays)
    n.replays.replay = async (claim, spec, priority) => lies.has(toHex(claim.resultHash))
      ? { kind: 'done', resultHash: claim.resultHash, payloadDigest: claim.payloadDigest, payload: new Uint8Array(0), elapsedMs: 0 }
      : await honest(claim, spec, priority)
  }
  await w.until('an honest round', () => [...gang, auditor, bystander].every(n => n.sealedRound >= 1))
  await w.until('a lie is sealed and found', () => auditor.challenges.counts.wrong > 0)
  await w.run(1_000)
  for (const n of [auditor, bystander]) {
    expect(n.refusals()).toContain('wrong slice')
    expect(n.refusals()).toContain('signed a wrong slice')
    expect(gang.some(g => n.blame.isBannedMiner(g.keys.key))).toBe(true)
    const carried: Seal[] = []
    for (let h = 1; h <= n.chain.head().height; h++) carried.push(...n.chain.at(h)!.body.seals.map(s => s.seal))
    carried.push(...n.rounds.tip(n.benchmark)!.pending.map(s => s.seal))
    expect(carried.flatMap(s => s.contributions).filter(c => lies.has(toHex(c.resultHash)))).toEqual([])
  }
})

test('a member whose word for a wrong slice was in its offer alone loses its key once the slice is challenged', async () => {
  const { w, a } = await lone()
  const kit = new ChainKit(workParams, { benchmark: workSpec })
  const d = await w.add('d', 4, { auditShare: 0 })
  await w.catchUp(d, a)
  await w.until('the same round', () => equalBytes(d.rounds.tip(d.benchmark)!.seal, a.rounds.tip(a.benchmark)!.seal))
  // Its slice is another one than it says, and nobody hears of it before it is offered.
  const lie = await claimOn(a, workParams, keyPair(7), 0, c => ({ resultHash: hash('test-lie', c.resultHash) }))
  await serving(w, 's', [lie])
  const tip = d.rounds.tip(d.benchmark)!
  const anchor = d.chain.head()
  const draft: Seal = { job: tip.job.id, round: tip.round + 1, previous: tip.seal, anchor: anchor.hash, contributions: [lie.claim], stateHash: ZERO32 }
  const next = await during(w, 2_000, d.states.sealState(tip.spec, { seal: draft, signatures: [] }, 's'))
  if (next.kind !== 'done') throw new Error(next.detail)
  const seal = { ...draft, stateHash: next.stateHash }
  // A stranger's word beside it is nobody's.
  const vouches = [a.keys, keyPair(8)].map(by => {
    const vouch = { job: tip.job.id, contribution: claimId(lie.claim), member: by.key, signature: new Uint8Array(64) }
    return { ...vouch, signature: sign(by.seed, vouchMessage(vouch)) }
  })
  const proposal = { seal, vouches, proposer: a.keys.key, signature: sign(a.keys.seed, proposalMessage({ seal, proposer: a.keys.key })) }
  expect(await during(w, 1_000, d.sealing.takeProposal(proposal, from('s')))).toEqual({ verdict: 'accept' })
  expect(await during(w, 1_000, d.rounds.add(kit.signSeal(seal, anchor), 's'))).toEqual({ status: 'added' })
  const challenge = { job: seal.job, sealHash: sealHash(seal), contribution: claimId(lie.claim) }
  expect(await during(w, 1_000, d.challenges.take(challenge, from('t')))).toEqual({ verdict: 'accept' })
  expect([keyPair(7), a.keys, keyPair(8)].map(k => d.blame.isBannedMiner(k.key))).toEqual([true, true, false])
  expect(d.refusals()).toContain('vouched for a wrong slice')
})

describe('a challenge', () => {
  test('of a right contribution costs the challenger, and is bounded', async () => {
    const { w, a } = await lone()
    const s = new Stranger(w, 's')
    const sealed = Array.from({ length: workParams.maturity }, (_, i) => a.chain.at(a.chain.head().height - i)!.body.seals).flat()
    expect(sealed.length).toBeGreaterThan(0)
    const { seal } = sealed[0]
    const challenge = { job: seal.job, sealHash: sealHash(seal), contribution: claimId(seal.contributions[0]) }
    await s.say(w, a.benchmark, WorkMessage.serialize({ selector: WORK_CHALLENGE, value: challenge }))
    await w.run(1_000)
    expect(a.refusals()).toEqual(['challenge of a right contribution'])
    const replays = a.compute.replays
    for (let i = 0; i < 5; i++) expect((await during(w, 100, a.challenges.take(challenge, from('s')))).verdict).not.toBe('accept')
    expect((await during(w, 100, a.challenges.take(challenge, from('s')))).reason).toBe('too many challenges')
    // However often it is named, it is replayed once.
    expect(a.compute.replays).toBe(replays)
    expect((await during(w, 100, a.challenges.take({ ...challenge, contribution: ZERO32 }, from('t')))).reason).toBe('challenge of an unknown or ripe contribution')
  })
})

test('two seals for one round: the first is built on, both names are kept, the chain decides', async () => {
  const { w, a } = await lone()
  const kit = new ChainKit(workParams, { benchmark: workSpec })
  const tip = a.rounds.tip(a.benchmark)!
  const claims = [await claimOn(a, workParams, keyPair(7), 0), await claimOn(a, workParams, keyPair(7), 1)]
  await serving(w, 's', claims)
  for (const c of claims) await during(w, 500, a.contributions.take(c.claim, from('s')))
  const head = a.chain.head()
  const make = async (contributions: Claim[]): Promise<ReturnType<ChainKit['signSeal']>> => {
    const seal: Seal = {
      job: tip.job.id, round: tip.round + 1, previous: tip.seal, anchor: head.hash,
      contributions: [...contributions].sort((x, y) => compareBytes(claimId(x), claimId(y))), stateHash: ZERO32
    }
    const next = await a.states.sealState(tip.spec, { seal, signatures: [] })
    if (next.kind !== 'done') throw new Error(next.detail)
    return kit.signSeal({ ...seal, stateHash: next.stateHash }, head)
  }
  const first = await make([claims[0].claim])
  const second = await make([claims[0].claim, claims[1].claim])
  // A forged copy that is being looked at does not answer for the right one.
  const early = a.rounds.add({ ...first, signatures: first.signatures.map(s => ({ ...s, signature: s.signature.map(b => b ^ 2) })) })
  expect(await a.rounds.add(first)).toEqual({ status: 'added' })
  expect(await early).toMatchObject({ status: 'refused', refusal: { reason: 'seal-signature' } })
  expect(await a.rounds.add(first)).toEqual({ status: 'known' })
  // Its name does not commit to its signatures: whoever passed this copy on would be banned for it.
  const forged = { ...first, signatures: first.signatures.map(s => ({ ...s, signature: s.signature.map(b => b ^ 1) })) }
  expect(await a.rounds.add(forged)).toMatchObject({ status: 'refused', refusal: { reason: 'seal-signature' } })
  expect(await a.rounds.add({ ...first, signatures: [] })).toMatchObject({ status: 'refused', refusal: { reason: 'seal-quorum' } })
  expect(a.rounds.pendingSeals(head)).toEqual([first])
  expect(await a.rounds.add(second)).toMatchObject({ status: 'conflict' })
  expect(a.blame.list()[0]).toMatchObject({ reason: 'two seals for one round' })
  expect(a.blame.list()[0].detail).toContain(toHex(a.keys.key).slice(0, 16))
  expect(a.rounds.pendingSeals(head)).toEqual([first])
  // A block with the other one comes: that is the history now.
  const tickets = Array.from({ length: 200 }, (_, slice) => kit.block(head, { miner: keyPair(1), seals: [second], timeMs: w.clock.now(), slice }))
  const block = tickets.find(b => kit.apply(head, b).ok)!
  expect(await during(w, 500, a.chain.submitOwn(block))).toMatchObject({ status: 'added', head: true })
  expect(a.sealedRound).toBe(tip.round + 1)
  expect(toHex(a.rounds.tip(a.benchmark)!.seal)).toBe(toHex(sealHash(second.seal)))
  expect(a.rounds.pendingSeals(a.chain.head())).toEqual([])
  // A seal whose state is not what its payloads give is no seal.
  const wrong = kit.signSeal({ ...first.seal, stateHash: hash('test-lie'), previous: sealHash(second.seal), round: tip.round + 2 }, head)
  expect(await a.rounds.add(wrong)).toMatchObject({ status: 'refused' })
})
