/** When a slice counts as a contribution to a round. Payload, replay and signature are slow facts. */
import type { JobSpec } from '../codec/jobSpec.ts'
import { equalBytes } from '../codec/ssz.ts'
import type { Claim } from '../codec/wire.ts'
import { claimId } from '../crypto/ids.ts'
import type { SignatureItem } from '../crypto/keys.ts'
import { benchmarkJob } from '../ledger/state.ts'
import { type ChainParams, MAX_CONTRIBUTION_SLICES, PROTOCOL_VERSION } from '../params.ts'
import { payloadSize } from '../training/payload.ts'
import { ancestor, type BlockMeta, chainId } from './chain.ts'
import { drawAt, eligible, jobToWorkOn, randomnessHeight } from './draw.ts'
import { invalid, type Refusal, refusal } from './refusal.ts'

/** The state a contribution must start from. */
export interface WorkedState {
  /** Job id. */
  readonly job: Uint8Array
  readonly round: number
  readonly seal: Uint8Array
  readonly stateHash: Uint8Array
  readonly spec: JobSpec
}

export const contributionSignatureItem = (claim: Claim): SignatureItem =>
  ({ key: claim.template.miner, message: claimId(claim), signature: claim.signature })

/** A template of this height has its randomness from so long ago that no seal whose anchor is at `ageFrom` may have it. */
export const isAged = (params: ChainParams, height: number, ageFrom: number): boolean => ageFrom - randomnessHeight(params, height) > params.randomnessAgeMax

/**
 * The template's parent is not looked at: a contribution made on a block that lost stays good. What
 * ties it to the chain is the randomness, which `tip`'s chain must have at the height it names.
 * `ageFrom` is the height its age is measured from: the checker's own, or the anchor of a seal.
 */
export function checkContribution (params: ChainParams, tip: BlockMeta, claim: Claim, expected: WorkedState, ageFrom = tip.height): Refusal | undefined {
  const t = claim.template
  if (t.version !== PROTOCOL_VERSION) return invalid('contribution-version', `version ${t.version}, this is ${PROTOCOL_VERSION}`)
  if (!equalBytes(t.chain, chainId(tip))) return invalid('contribution-chain', 'of another network')
  if (!equalBytes(t.job, expected.job)) return invalid('contribution-job', 'of another job')
  if (t.round !== expected.round) return refusal(t.round < expected.round ? 'stale' : 'orphan', 'contribution-round', `starts from round ${t.round}, not ${expected.round}`)
  if (!equalBytes(t.seal, expected.seal)) return refusal('orphan', 'contribution-seal', 'starts from another seal of this round')
  if (!equalBytes(t.stateHash, expected.stateHash)) return invalid('contribution-state', 'names another state than its seal does')
  if (claim.slice >= MAX_CONTRIBUTION_SLICES) return invalid('contribution-slice', `slice ${claim.slice} only mines`)
  const drawnAt = randomnessHeight(params, t.height)
  if (isAged(params, t.height, ageFrom)) return refusal('stale', 'contribution-randomness-age', `drawn ${ageFrom - drawnAt} blocks ago, at most ${params.randomnessAgeMax}`)
  const q = ancestor(tip, drawnAt)
  if (q === undefined || !equalBytes(q.rho, t.randomness)) return refusal('orphan', 'contribution-randomness', `not the rho of height ${drawnAt} here`)
  const drawn = drawAt(q, t.miner)
  const benchmark = benchmarkJob(tip.ledger)
  const instead = equalBytes(t.job, benchmark.id) && jobToWorkOn(tip.ledger, drawn) === benchmark
  if (!equalBytes(t.job, drawn) && !instead) return invalid('contribution-draw', 'not the job this key draws')
  if (!eligible(params, q, claim)) return invalid('contribution-eligibility', 'the slice was not drawn')
  const size = payloadSize(expected.spec)
  if (claim.payloadBytes !== size) return invalid('contribution-payload-size', `${claim.payloadBytes} bytes, a payload has ${size}`)
  return undefined
}
