/** Seals that are not what they seem, and what they cost whoever hears them. */
import { describe, expect, test } from 'vitest'
import { toHex } from '../../src/core/codec/ssz.ts'
import type { SignedSeal } from '../../src/core/codec/wire.ts'
import type { BlockMeta } from '../../src/core/consensus/chain.ts'
import { hash, u32le } from '../../src/core/crypto/hash.ts'
import { benchmarkJob } from '../../src/core/ledger/state.ts'
import { MAX_CONTRIBUTIONS_PER_SEAL, SIGNATURE_BYTES } from '../../src/core/params.ts'
import { RingLog } from '../../src/node/log.ts'
import { Refusals, type Refused } from '../../src/node/refusals.ts'
import type { BlockRecord } from '../../src/node/parts.ts'
import { HELD_SEALS, Rounds, type RoundsDeps } from '../../src/node/rounds.ts'
import { ChainKit, type KeyPair, keyPair } from '../core/chainKit.ts'
import { ManualClock, TestSignatures } from './chainRig.ts'

const kit = new ChainKit()
const tip = kit.grown()
const job = benchmarkJob(tip.ledger)
const nothing = (): void => {}

interface Bench {
  readonly rounds: Rounds
  readonly signatures: TestSignatures
  readonly refused: Refused[]
  readonly blame: Refusals
  /** Another head, for which the first of these blocks were left and the others taken; the seals that wait are looked at again. */
  readonly head: (meta: BlockMeta, removed?: ReadonlyArray<Pick<BlockRecord, 'body' | 'checked'>>, added?: ReadonlyArray<Pick<BlockRecord, 'body'>>) => Promise<void>
}

function bench (): Bench {
  const clock = new ManualClock(1)
  const signatures = new TestSignatures()
  const log = new RingLog(clock)
  const blame = new Refusals({ clock, network: { ban: async () => {} }, log })
  const refused: Refused[] = []
  let head = tip
  let onHead: (e: unknown) => void = nothing
  const deps: Partial<Record<keyof RoundsDeps, unknown>> = {
    params: kit.params, signatures, clock, log,
    chain: {
      head: () => head,
      get: (h: Uint8Array) => { for (let m: BlockMeta | undefined = head; m !== undefined; m = m.parent) if (toHex(m.hash) === toHex(h)) return { meta: m } },
      on: (event: string, l: (e: unknown) => void) => { if (event === 'head') onHead = l; return nothing },
      condemnedContributions: () => new Set()
    },
    states: { sealState: async (_: unknown, { seal }: SignedSeal) => ({ kind: 'done', stateHash: seal.stateHash }) },
    blame: { refuse: (r: Refused) => { refused.push(r); blame.refuse(r) } }
  }
  const rounds = new Rounds(deps as unknown as RoundsDeps)
  rounds.start()
  const settle: Bench['head'] = async (meta, removed = [], added = []) => {
    head = meta
    onHead({ head, removed, added })
    for (let i = 0; i < 4_000; i++) await Promise.resolve()
  }
  return { rounds, signatures, refused, blame, head: settle }
}

/** Somebody's contributions, as many as there may be, drawn by nobody knows what. */
const drawnElsewhere = (n: number): SignedSeal => kit.seal(tip, job, Array.from({ length: MAX_CONTRIBUTIONS_PER_SEAL }, (_, i) =>
  ({ ...kit.contribution(tip, job, keyPair(9), 0, { miner: hash('test-miner', u32le(i)), randomness: hash('test-branch', u32le(n)) }), signature: new Uint8Array(SIGNATURE_BYTES) })))

const unsigned = (s: SignedSeal): SignedSeal => ({ ...s, signatures: s.signatures.map(({ member }) => ({ member, signature: new Uint8Array(SIGNATURE_BYTES) })) })
const honest = (by: KeyPair, at: BlockMeta = tip): SignedSeal => kit.seal(at, job, [kit.contribution(tip, job, by)])

test.each([['replayed', 1], ['own', 1], ['ledger', 0]] as const)('the seals of a block that was left (%s) wait for the next one, unless nobody here has merged them', async (checked, waiting) => {
  const { rounds, head } = bench()
  await head(tip, [{ body: { transactions: [], seals: [honest(keyPair(1))] }, checked }])
  expect(rounds.tip(job.id)?.pending).toHaveLength(waiting)
})

describe('a seal without one right signature', () => {
  test.each([
    ['whose contributions were drawn on no branch', () => unsigned(drawnElsewhere(1))],
    ['on a seal that nobody knows', () => unsigned(kit.seal(tip, job, [kit.contribution(tip, job, keyPair(9))], { over: { round: job.round + 5, previous: hash('test-previous') } }))],
    ['with claims that nobody signed under the names of a committee', () => drawnElsewhere(2)]
  ])('%s is refused at once, and no block brings it back', async (_, make) => {
    const { rounds, signatures, head } = bench()
    expect(await rounds.add(make(), 'x')).toMatchObject({ status: 'refused', refusal: { verdict: 'invalid' } })
    const { checked } = signatures
    await head(kit.extend(tip, 1))
    expect(signatures.checked).toBe(checked)
  })

  test('costs no look at what it carries', async () => {
    const { rounds, signatures } = bench()
    const bogus = unsigned(drawnElsewhere(3))
    expect(await rounds.add(bogus, 'x')).toMatchObject({ refusal: { reason: 'seal-signature' } })
    expect(signatures.checked).toBe(bogus.signatures.length)
  })

  test('that breaks a rule besides is refused before a signature is looked at', async () => {
    const { rounds, signatures } = bench()
    const claim = kit.contribution(tip, job, keyPair(9))
    const twice = unsigned(kit.seal(tip, job, [claim, claim]))
    expect(await rounds.add(twice, 'x')).toMatchObject({ status: 'refused', refusal: { reason: 'seal-contribution-repeated' } })
    expect(signatures.checked).toBe(0)
  })

  test('on a block that is not here pushes out nothing that a committee has signed, and whoever brought it answers for it later', async () => {
    const { rounds, refused, head } = bench()
    const sealed = kit.sealRound(tip, [keyPair(9)])
    const later = benchmarkJob(sealed.meta.ledger)
    const early = kit.seal(tip, later, [kit.contribution(tip, later, keyPair(9))])
    expect(await rounds.add(early, 'h')).toMatchObject({ status: 'held', refusal: { reason: 'seal-previous' } })
    const next = kit.extend(tip, 1)
    const forged = Array.from({ length: HELD_SEALS + 1 }, (_, i) => unsigned(honest(keyPair(20 + i), next)))
    for (const seal of forged) expect(await rounds.add(seal, 'x')).toMatchObject({ status: 'held', refusal: { reason: 'seal-anchor-unknown' } })
    await head(next)
    // One of them had gone: there were too many.
    expect(refused.map(r => [r.peer, r.reason, r.fatal])).toEqual(Array(HELD_SEALS).fill(['x', 'seal-signature', true]))
    expect(await rounds.add(sealed.block.body.seals[0], 'h')).toEqual({ status: 'added' })
    expect(rounds.tip(job.id)).toMatchObject({ round: job.round + 2 })
  })
})

test('a seal on a block that is not here yet is taken once it is', async () => {
  const { rounds, head } = bench()
  const next = kit.extend(tip, 1)
  expect(await rounds.add(honest(keyPair(9), next), 'h')).toMatchObject({ status: 'held' })
  await head(next)
  expect(rounds.tip(job.id)).toMatchObject({ round: job.round + 1 })
})

test('who signed two seals for one round is named and keeps his key: a vote that found no quorum may be given again', async () => {
  const { rounds, refused, blame } = bench()
  const [first, second] = [9, 10].map(n => honest(keyPair(n)))
  expect(await rounds.add(first, 'x')).toEqual({ status: 'added' })
  expect(await rounds.add(second, 'x')).toMatchObject({ status: 'conflict' })
  const [signer] = rounds.signers(second)
  expect(refused).toMatchObject([{ reason: 'two seals for one round', miner: toHex(signer) }])
  expect(blame.isBannedMiner(signer)).toBe(false)
})

test('a copy of the newest seal costs what its members have signed and no more', async () => {
  const { head, rounds, signatures } = bench()
  const signed = honest(keyPair(9))
  expect(rounds.has(signed.seal)).toBe(false)
  expect(await rounds.add(signed, 'x')).toMatchObject({ status: 'added' })
  const { checked } = signatures
  expect(checked).toBe(signed.signatures.length + 1)
  expect(rounds.has(signed.seal)).toBe(true)
  const { block, meta } = kit.mine(tip, { seals: [signed] })
  await head(meta, [], [block])
  expect(rounds.has(signed.seal)).toBe(true)
  expect(await rounds.add({ ...signed }, 'x')).toMatchObject({ status: 'known' })
  expect(signatures.checked - checked).toBe(signed.signatures.length)
  const forged = await rounds.add(unsigned(signed), 'x')
  expect(forged).toMatchObject({ status: 'refused', refusal: { reason: 'seal-signature' } })
})
