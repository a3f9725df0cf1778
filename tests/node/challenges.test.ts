/** What a challenge of a sealed contribution reaches: which seals, and whose keys. */
import { expect, test } from 'vitest'
import { toHex } from '../../src/core/codec/ssz.ts'
import type { Challenge, Claim, SignedSeal } from '../../src/core/codec/wire.ts'
import { claimId, sealHash } from '../../src/core/crypto/ids.ts'
import { benchmarkJob } from '../../src/core/ledger/state.ts'
import { Challenges, type ChallengesDeps } from '../../src/node/challenges.ts'
import { Refusals } from '../../src/node/refusals.ts'
import { Rounds } from '../../src/node/rounds.ts'
import { keyPair } from '../core/chainKit.ts'
import { rig, type Rig } from './chainRig.ts'

interface Bench extends Rig {
  readonly challenges: Challenges
  readonly rounds: Rounds
  readonly blame: Refusals
  /** In the newest block. */
  readonly signed: SignedSeal
  readonly claim: Claim
  readonly challenge: Challenge
}

/** `vouched`: who gave his word for the one contribution, of those who signed its seal. */
async function bench (vouched: (signers: readonly string[]) => string[] = () => []): Promise<Bench> {
  const r = rig({ blame: log => new Refusals({ clock: { now: () => 0 }, network: { ban: async () => {} }, log }) })
  const { chain, clock, kit, log, replay, signatures, states } = r
  const blame = r.blame as Refusals
  const tip = kit.grown()
  const job = benchmarkJob(tip.ledger)
  const claim = kit.contribution(tip, job, keyPair(9))
  const signed = kit.seal(tip, job, [claim])
  for (const block of [...kit.blocks(tip), kit.block(tip, { seals: [signed] })]) expect((await chain.submitOwn(block)).status).toBe('added')
  const rounds = new Rounds({ params: kit.params, chain, states, signatures, blame, clock, log })
  rounds.start()
  const deps: Partial<Record<keyof ChallengesDeps, unknown>> = {
    params: kit.params, key: { publicKey: keyPair(20).key }, chain, rounds, replay, blame, clock, log, auditShare: 0,
    contributions: { vouchersOf: () => vouched(rounds.signers(signed).map(toHex)) }
  }
  const challenges = new Challenges(deps as unknown as ChallengesDeps)
  return { ...r, blame, challenges, rounds, signed, claim, challenge: { job: job.id, sealHash: sealHash(signed.seal), contribution: claimId(claim) } }
}

test('who signed the seal of a wrong slice is named, and only who vouched for the slice loses his key with its miner', async () => {
  const { blame, challenge, challenges, claim, replay, rounds, signed } = await bench(([first]) => [first])
  replay.wrong.add(toHex(claimId(claim)))
  expect(await challenges.take(challenge, { origin: 'x', via: 'x' })).toEqual({ verdict: 'accept' })
  const [voucher, ...others] = rounds.signers(signed)
  expect(others.length).toBeGreaterThan(0)
  expect(blame.list().filter(r => r.reason === 'signed a wrong slice').map(r => r.detail.slice(0, 16)).reverse()).toEqual([voucher, ...others].map(key => toHex(key).slice(0, 16)))
  expect([keyPair(9).key, voucher, ...others].map(key => blame.isBannedMiner(key))).toEqual([true, true, ...others.map(() => false)])
})

test('a seal can be challenged until as many blocks stand on it as make its credits ripe', async () => {
  const { chain, challenge, challenges, kit } = await bench()
  const extend = async (): Promise<void> => { expect((await chain.submitOwn(kit.block(chain.head()))).status).toBe('added') }
  for (let above = 1; above < kit.params.maturity; above++) await extend()
  // It is heard: its slice is redone, and right.
  expect(await challenges.take(challenge, { origin: 'x', via: 'x' })).toEqual({ verdict: 'reject', reason: 'challenge of a right contribution' })
  await extend()
  expect(await challenges.take(challenge, { origin: 'x', via: 'x' })).toEqual({ verdict: 'ignore', reason: 'challenge of an unknown or ripe contribution' })
})
