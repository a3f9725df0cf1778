/** A member's and an auditor's duties where others would rather they were not done, or done too late. */
import { expect, test } from 'vitest'
import { toHex, ZERO32 } from '../../src/core/codec/ssz.ts'
import type { Claim, SignedSeal, Vouch } from '../../src/core/codec/wire.ts'
import { hash } from '../../src/core/crypto/hash.ts'
import { claimId, sealHash } from '../../src/core/crypto/ids.ts'
import { benchmarkJob } from '../../src/core/ledger/state.ts'
import { Challenges, type ChallengesDeps } from '../../src/node/challenges.ts'
import type { Candidate } from '../../src/node/contributions.ts'
import { anchorOn, replayers } from '../../src/node/duties.ts'
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
    params: kit.params, clock, log, random: new SeededRandom(1), auditShare: 256,
    chain: { head: () => tip, at: () => undefined, on: () => nothing, condemn: async (id: Uint8Array) => { condemned.push(toHex(id)) } },
    rounds: { onTip: (l: (t: JobTip) => void) => { sealedOn = l; return nothing }, pendingSeal: (h: Uint8Array) => inTime && toHex(h) === toHex(sealHash(signed.seal)) ? signed : undefined, condemn: nothing, isCondemned: () => false, signers: () => [], tips: () => [] },
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

test('vouches of members who were not drawn do not keep the drawn one from looking, and what cannot be had is not asked for without a pause', async () => {
  const anchor = anchorOn(kit.params, tip, 0)!
  const members = committee(kit.params, anchor)
  const id = claimId(claim)
  const first = replayers(members, id, claim)[0]
  const me = [1, 2, 3].map(keyPair).find(k => toHex(k.key) === toHex(first))!
  // Of committees a block or two away: their words are taken in, too.
  const idle = [21, 22, 23].map(n => keyPair(n).key)
  const candidate: Candidate = { id, name: toHex(id), claim, receivedAt: 1, verdict: 'unknown', vouches: new Map(idle.map(k => [toHex(k), {} as Vouch])) }
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
