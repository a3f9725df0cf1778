/** One member's sealing without a world around it, and what other members and miners say to it. */
import { compareBytes, equalBytes, toHex, ZERO32 } from '../../src/core/codec/ssz.ts'
import { type Claim, type Proposal, type SealVote, type SignedSeal, type Vouch, WORK_PROPOSAL, WORK_VOTE } from '../../src/core/codec/wire.ts'
import type { BlockMeta } from '../../src/core/consensus/chain.ts'
import { committee } from '../../src/core/consensus/committee.ts'
import { claimId, proposalMessage, sealHash, vouchMessage } from '../../src/core/crypto/ids.ts'
import { sign } from '../../src/core/crypto/keys.ts'
import { benchmarkJob } from '../../src/core/ledger/state.ts'
import type { Candidate } from '../../src/node/contributions.ts'
import { anchorOn, proposers } from '../../src/node/duties.ts'
import { RingLog } from '../../src/node/log.ts'
import { SETTLE_SHARE } from '../../src/node/offer.ts'
import type { RoundTip } from '../../src/node/rounds.ts'
import { Sealing, type SealingDeps } from '../../src/node/sealing.ts'
import { ChainKit, type KeyPair, keyPair } from '../core/chainKit.ts'
import { ManualClock, TestSignatures } from './chainRig.ts'
import { minerKey } from './workRig.ts'

export const START_MS = 1_000_000_000
export const kit = new ChainKit()
export const tip = kit.grown()
export const job = benchmarkJob(tip.ledger)
export const anchor = anchorOn(kit.params, tip, 0)!
export const members = committee(kit.params, anchor)
/** The pair of a miner of these chains. */
export const pairOf = (key: Uint8Array): KeyPair => Array.from({ length: 20 }, (_, n) => keyPair(n)).find(p => equalBytes(p.key, key))!
export const pairs = members.map(pairOf)
export const from = { origin: 'x', via: 'x' }
const nothing = (): void => {}
export const tipSince = (since: number): RoundTip => ({ job, spec: job.spec, round: job.round, seal: job.seal, stateHash: job.stateHash, anchorHeight: 0, pending: [], since, sinceHeight: tip.height })
/** Until an offer has settled. */
export const SETTLE_MS = SETTLE_SHARE * kit.params.roundMs + 1

/** A node that can have no payloads until it is told so: it can sign nothing before. */
type Judged = 'right' | 'wrong' | 'unavailable'

export interface Made {
  readonly sealing: Sealing
  readonly clock: ManualClock
  /** Names of the seals it signed, and what it offered itself. */
  readonly votes: string[]
  readonly offers: Proposal[]
  readonly seals: SignedSeal[]
  readonly signatures: TestSignatures
  /** What it finds of the n-th offer that it looks at. */
  readonly judge: (by: (n: number) => Promise<Judged>) => void
  readonly setReady: (yes: boolean) => void
  /** This miner cheated, as far as this node knows. */
  readonly ban: (miner: KeyPair) => void
  /** The job's branch is left and taken again. */
  readonly leave: () => void
  /** The round's newest seal is another, and these wait for a block. */
  readonly move: (to: RoundTip, pending: readonly SignedSeal[]) => void
  /** By contribution and member, whose word is held against him when it proves wrong. */
  readonly remembered: string[]
}

export interface MadeOf {
  readonly head?: BlockMeta
  readonly pending?: readonly Candidate[]
  readonly hasRecord?: boolean
  readonly since?: number
}

export function sealing (me: KeyPair, o: MadeOf = {}): Made {
  const clock = new ManualClock(START_MS)
  const votes: string[] = []
  const offers: Proposal[] = []
  let asked = 0
  let ready = true
  let judged: (n: number) => Promise<Judged> = async () => 'unavailable'
  let hasLeft = false
  const signatures = new TestSignatures()
  const seals: SignedSeal[] = []
  const banned: KeyPair[] = []
  let onHead = nothing
  let onTip: (to: RoundTip) => void = nothing
  let waiting: readonly SignedSeal[] = []
  const remembered: string[] = []
  const find = (hash: Uint8Array): { readonly meta: BlockMeta } | undefined => {
    let meta: BlockMeta | undefined = o.head ?? tip
    while (meta !== undefined && !equalBytes(meta.hash, hash)) meta = meta.parent
    return meta && { meta }
  }
  const deps: Partial<Record<keyof SealingDeps, unknown>> = {
    params: kit.params, key: minerKey(me), clock, log: new RingLog(clock), signatures,
    chain: { head: () => o.head ?? tip, get: find, on: (_: string, l: typeof onHead) => { onHead = l; return nothing } },
    // Long ago: everybody has had a turn.
    rounds: { tip: () => hasLeft ? undefined : tipSince(o.since ?? 0), onTip: (l: typeof onTip) => { onTip = l; return nothing }, pendingSeal: (hash: Uint8Array) => waiting.find(s => equalBytes(sealHash(s.seal), hash)), has: () => seals.length > 0, add: async (signed: SignedSeal) => { seals.push(signed); return { status: 'added' } } },
    contributions: { pending: () => [...o.pending ?? []], find: () => undefined, vouch: async () => ({ verdict: 'accept' }), rememberVouchers: (id: Uint8Array, keys: Iterable<string>) => { for (const key of keys) remembered.push(`${toHex(id)}/${key}`) } },
    records: { has: () => o.hasRecord ?? true },
    states: {
      sealState: async () => {
        const as = await judged(asked++)
        return as === 'unavailable' ? { kind: as, detail: 'not here' } : { kind: 'done', stateHash: as === 'right' ? job.stateHash : ZERO32 }
      }
    },
    ready: () => ready,
    blame: { refuse: nothing, isBannedMiner: (key: Uint8Array) => banned.some(p => equalBytes(p.key, key)) },
    publisher: {
      publish: async (m: { readonly selector: number, readonly value: unknown }) => {
        if (m.selector === WORK_VOTE) votes.push(toHex((m.value as SealVote).sealHash))
        if (m.selector === WORK_PROPOSAL) offers.push(m.value as Proposal)
      }
    }
  }
  const sealing = new Sealing(deps as unknown as SealingDeps)
  sealing.start()
  const leave = (): void => { for (const gone of [true, false]) { hasLeft = gone; onHead() } }
  const move: Made['move'] = (to, pending) => { waiting = pending; onTip(to) }
  return { sealing, clock, votes, offers, judge: by => { judged = by }, setReady: yes => { ready = yes }, ban: p => { banned.push(p) }, leave, move, remembered, signatures, seals }
}

export const claimOf = (n: number): Claim => kit.contribution(tip, job, keyPair(9 + n), 0)
export const vouchFor = (claim: Claim, p: KeyPair): Vouch => {
  const vouch = { job: job.id, contribution: claimId(claim), member: p.key, signature: new Uint8Array(64) }
  return { ...vouch, signature: sign(p.seed, vouchMessage(vouch)) }
}

/** Offer number n of a member, or one of several numbers: as many contributions, with as many vouches as there may be. */
export function offer (by: KeyPair, n: number | readonly number[], vouchers: readonly KeyPair[] = pairs.slice(0, 2), on = anchor): Proposal {
  const claims = [n].flat().map(claimOf).sort((a, b) => compareBytes(claimId(a), claimId(b)))
  const seal = { job: job.id, round: job.round + 1, previous: job.seal, anchor: on.hash, contributions: claims, stateHash: job.stateHash }
  const vouches = claims.flatMap(claim => vouchers.map(p => vouchFor(claim, p)))
  const unsigned = { seal, vouches, proposer: by.key, signature: new Uint8Array(64) }
  return { ...unsigned, signature: sign(by.seed, proposalMessage(unsigned)) }
}

export const vote = (by: KeyPair, p: Proposal): SealVote => ({ job: job.id, sealHash: sealHash(p.seal), member: by.key, signature: sign(by.seed, sealHash(p.seal)) })

/** Here and vouched for by everybody at this time. */
export const candidateOf = (claim: Claim, at: number, vouchedAt = at): Candidate =>
  ({ id: claimId(claim), name: toHex(claimId(claim)), claim, receivedAt: at, verdict: 'right', vouches: new Map(pairs.map(p => [toHex(p.key), { ...vouchFor(claim, p), at: vouchedAt }])) })

/** The member in this place of the order, for seals of this anchor. */
export const placed = (place: number, on = anchor): KeyPair => pairOf(proposers(committee(kit.params, on), on, job.id, job.round + 1)[place])
