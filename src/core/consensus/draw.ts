/** Who works on what: draws from chain randomness that was fixed before the template was. */
import { compareBytes, equalBytes } from '../codec/ssz.ts'
import type { Claim } from '../codec/wire.ts'
import { firstU32, hash, u32le } from '../crypto/hash.ts'
import { benchmarkJob, findJob, type JobRecord, type LedgerState } from '../ledger/state.ts'
import { type ChainParams, JOB_DRAW_CAP, MAX_CONTRIBUTION_SLICES, MAX_CONTRIBUTIONS_PER_SEAL, OFFER_SHARE_WHOLE } from '../params.ts'
import { ancestor, type BlockMeta, type HeaderMeta } from './chain.ts'

/** Height of the block whose rho draws for a template at `height`. */
export const randomnessHeight = (params: ChainParams, height: number): number => Math.max(0, height - 1 - params.rhoDelay)

/** The block whose rho is the randomness of the block on top of `parent`. */
export function randomnessBlock<M extends HeaderMeta> (params: ChainParams, parent: M): M {
  const q = ancestor(parent, randomnessHeight(params, parent.height + 1))
  if (q === undefined) throw new Error('the chain is cut above the block that draws')
  return q
}

export const randomnessFor = (params: ChainParams, parent: HeaderMeta): Uint8Array => randomnessBlock(params, parent).rho

/** The id `miner` draws at block `q`: a paid job by burned weight, capped; the benchmark else. */
export function drawAt (q: BlockMeta, miner: Uint8Array): Uint8Array {
  const jobs = q.ledger.jobs.filter(j => j.status === 'active').sort((a, b) => compareBytes(a.id, b.id))
  if (jobs.length === 0) return benchmarkJob(q.ledger).id
  const weight = jobs.reduce((sum, j) => sum + j.burn, 0n)
  const u = BigInt(firstU32(hash('draw', q.rho, miner)))
  const cap = BigInt(JOB_DRAW_CAP) << 24n
  let below = 0n
  for (const job of jobs) {
    const share = (job.burn << 32n) / weight
    below += share < cap ? share : cap
    if (u < below) return job.id
  }
  return benchmarkJob(q.ledger).id
}

/** The drawn job as `ledger` has it; the benchmark if it has ended since. */
export function jobToWorkOn (ledger: LedgerState, drawn: Uint8Array): JobRecord {
  const job = findJob(ledger, drawn)
  return job?.status === 'active' ? job : benchmarkJob(ledger)
}

/** By the block they end at; a node asks for those of the same few blocks all the time. */
const distinct = new WeakMap<HeaderMeta, Map<number, readonly Uint8Array[]>>()

/** Distinct miners of the last `count` blocks up to `tip`, ascending. */
export function distinctMiners (tip: HeaderMeta, count: number): readonly Uint8Array[] {
  const known = distinct.get(tip) ?? new Map<number, readonly Uint8Array[]>()
  distinct.set(tip, known)
  const before = known.get(count)
  if (before !== undefined) return before
  const miners: Uint8Array[] = []
  let m: HeaderMeta | undefined = tip
  for (let i = 0; i < count && m !== undefined && m.height > 0; i++, m = m.parent) {
    const key = m.header.template.miner
    if (!miners.some(k => equalBytes(k, key))) miners.push(key)
  }
  known.set(count, miners.sort(compareBytes))
  return miners
}

/** The last answer about a claim: it comes alone, in a proposal, in a seal and in a block, mostly under one draw. */
const answered = new WeakMap<Pick<Claim, 'template' | 'slice'>, { readonly params: ChainParams, readonly q: BlockMeta, readonly drawn: boolean }>()

/**
 * Whether a slice may become a contribution. With n miners at work, n * S_MAX slices are worked on
 * and about R_MAX of them drawn, so that traffic per node does not grow with the network. The miners
 * of the last blocks are those n while they are few; where more work than blocks can tell, the job's
 * offer share, which follows how full its seals are, brings the number down.
 */
export function eligible (params: ChainParams, q: BlockMeta, claim: Pick<Claim, 'template' | 'slice'>): boolean {
  const before = answered.get(claim)
  if (before !== undefined && before.q === q && before.params === params) return before.drawn
  const drawn = claim.slice < MAX_CONTRIBUTION_SLICES && isDrawn(params, q, claim)
  answered.set(claim, { params, q, drawn })
  return drawn
}

/** How many slices the miners of a round bring to a job whose offer share is whole, as everyone of them draws it. */
export const contributionsOf = (miners: number): number => Math.min(MAX_CONTRIBUTIONS_PER_SEAL, Math.max(1, miners) * MAX_CONTRIBUTION_SLICES)

function isDrawn (params: ChainParams, q: BlockMeta, claim: Pick<Claim, 'template' | 'slice'>): boolean {
  const { job, round, miner } = claim.template
  const x = firstU32(hash('eligible', q.rho, job, u32le(round), miner, u32le(claim.slice)))
  const miners = Math.max(1, distinctMiners(q, params.minerCountBlocks).length)
  const share = findJob(q.ledger, job)?.offerShare ?? OFFER_SHARE_WHOLE
  // At most 2^32 * 64 * 4 = 2^40 and 2^5 * 2^16 * 2^16: exact.
  return x * miners * MAX_CONTRIBUTION_SLICES < MAX_CONTRIBUTIONS_PER_SEAL * 2 ** 16 * share
}
