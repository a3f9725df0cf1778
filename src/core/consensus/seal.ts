/**
 * A seal defines the next state of a job: a quorum of the committee names the contributions whose
 * mean it is. Signatures order and attest; the state itself every node recomputes.
 */
import { compareBytes, equalBytes, toHex } from '../codec/ssz.ts'
import type { SignedSeal } from '../codec/wire.ts'
import { claimId, sealHash } from '../crypto/ids.ts'
import type { SignatureItem } from '../crypto/keys.ts'
import type { SealEffect } from '../ledger/apply.ts'
import { isEnded, type JobRecord } from '../ledger/state.ts'
import type { ChainParams } from '../params.ts'
import type { BlockMeta, HeaderMeta } from './chain.ts'
import { committee, quorum } from './committee.ts'
import { checkContribution, contributionSignatureItem } from './contribution.ts'
import { invalid, type Refusal, refusal } from './refusal.ts'

/** The job as it stands before the seal: its ledger record, or that plus seals not yet in a block. */
export type SealedJob = Pick<JobRecord, 'id' | 'spec' | 'status' | 'round' | 'seal' | 'stateHash' | 'sealAnchorHeight' | 'endedAt'>

export interface SealFacts {
  /** Aligned with sealSignatureItems. */
  readonly signatures: readonly boolean[]
  /** stateHash of the recomputed next state; undefined where it was not recomputed. */
  readonly nextStateHash: Uint8Array | undefined
}

/** Round the next seal of a job must define. */
export const nextRound = (job: Pick<JobRecord, 'status' | 'round'>): number => job.status === 'waiting' ? 0 : job.round + 1

/** The block a seal names, looked for below the block that would carry it on top of `tip`. */
function findAnchor (params: ChainParams, tip: BlockMeta, hash: Uint8Array): BlockMeta | Refusal {
  const oldest = tip.height + 1 - params.anchorAgeMax
  let m: BlockMeta | undefined = tip
  // Looks one span further than is allowed, only to tell an old anchor from an unknown one.
  while (m !== undefined && m.height > oldest - params.anchorAgeMax) {
    if (equalBytes(m.hash, hash)) {
      return m.height < oldest ? refusal('stale', 'seal-anchor-age', `anchor at height ${m.height}, at least ${oldest}`) : m
    }
    m = m.parent
  }
  return refusal('orphan', 'seal-anchor-unknown', 'the anchor is not below this block')
}

const isRefusal = (x: HeaderMeta | SignatureItem[] | Refusal): x is Refusal => 'verdict' in x

/**
 * What must be verified outside: the members' signatures, then the contributions'. A refusal if the
 * committee is not known or a signature names nobody in it.
 */
export function sealSignatureItems (params: ChainParams, tip: BlockMeta, signed: SignedSeal): SignatureItem[] | Refusal {
  const anchor = findAnchor(params, tip, signed.seal.anchor)
  if (isRefusal(anchor)) return anchor
  const members = committee(params, anchor)
  const message = sealHash(signed.seal)
  const items: SignatureItem[] = []
  for (const { member, signature } of signed.signatures) {
    if (member >= members.length) return invalid('seal-member', `member ${member} of ${members.length}`)
    items.push({ key: members[member], message, signature })
  }
  for (const claim of signed.seal.contributions) items.push(contributionSignatureItem(claim))
  return items
}

/** Whether members of the anchor's committee, each once and enough of them, have put their names to it. */
function quorumRefusal (params: ChainParams, anchor: HeaderMeta, { signatures }: SignedSeal): Refusal | undefined {
  const members = committee(params, anchor)
  for (let i = 0; i < signatures.length; i++) {
    if (signatures[i].member >= members.length) return invalid('seal-member', `member ${signatures[i].member} of ${members.length}`)
    if (i > 0 && signatures[i].member <= signatures[i - 1].member) return invalid('seal-signature-order', 'members are not ascending')
  }
  const need = quorum(members.length)
  return signatures.length < need ? invalid('seal-quorum', `${signatures.length} signatures, ${need} of ${members.length} needed`) : undefined
}

/** `valid` is aligned with sealSignatureItems. */
function factsRefusal ({ seal, signatures }: SignedSeal, valid: readonly boolean[]): Refusal | undefined {
  if (valid.length !== signatures.length + seal.contributions.length) throw new Error('signature facts do not match the seal')
  const bad = valid.indexOf(false)
  if (bad < 0) return undefined
  return bad < signatures.length
    ? invalid('seal-signature', `signature of member ${signatures[bad].member} is wrong`)
    : invalid('contribution-signature', `signature of contribution ${toHex(claimId(seal.contributions[bad - signatures.length]))} is wrong`)
}

/** What is wrong with the signatures of a copy of a seal that is known to be right but for them. */
export function sealSignatureRefusal (params: ChainParams, tip: BlockMeta, signed: SignedSeal, valid: readonly boolean[]): Refusal | undefined {
  const anchor = findAnchor(params, tip, signed.seal.anchor)
  return isRefusal(anchor) ? anchor : quorumRefusal(params, anchor, signed) ?? factsRefusal(signed, valid)
}

/** All rules of a seal as the next block on `tip` would see it. */
export function checkSeal (params: ChainParams, tip: BlockMeta, job: SealedJob, signed: SignedSeal, facts: SealFacts): Refusal | undefined {
  const { seal } = signed
  if (!equalBytes(seal.job, job.id)) return refusal('orphan', 'seal-job-unknown', 'of another job')
  if (isEnded(job)) return refusal('stale', 'seal-job-ended', `the job is ${job.status}`)
  const round = nextRound(job)
  if (seal.round !== round) return refusal(seal.round < round ? 'stale' : 'orphan', 'seal-round', `defines round ${seal.round}, next is ${round}`)
  if (!equalBytes(seal.previous, job.seal)) return refusal('orphan', 'seal-previous', 'stands on another seal')
  const anchor = findAnchor(params, tip, seal.anchor)
  if (isRefusal(anchor)) return anchor
  if (anchor.height < params.committeeBlocks) return invalid('seal-anchor-early', `no seal before height ${params.committeeBlocks}`)
  if (anchor.height < job.sealAnchorHeight) return invalid('seal-anchor-backwards', `anchor at ${anchor.height}, the seal before it at ${job.sealAnchorHeight}`)

  const unsigned = quorumRefusal(params, anchor, signed)
  if (unsigned !== undefined) return unsigned

  const contributions = seal.contributions
  if ((contributions.length === 0) !== (round === 0)) return invalid('seal-contribution-count', `${contributions.length} contributions in the seal of round ${round}`)
  const ids = contributions.map(claimId)
  const slices = new Set<string>()
  const expected = { job: job.id, round: job.round, seal: job.seal, stateHash: job.stateHash, spec: job.spec }
  for (let i = 0; i < contributions.length; i++) {
    const order = i === 0 ? -1 : compareBytes(ids[i - 1], ids[i])
    const slice = `${toHex(contributions[i].template.miner)}/${contributions[i].slice}`
    if (order === 0 || slices.has(slice)) return invalid('seal-contribution-repeated', 'a slice is in it twice')
    if (order > 0) return invalid('seal-contribution-order', 'contributions are not ascending by id')
    slices.add(slice)
    const wrong = checkContribution(params, tip, contributions[i], expected, anchor.height)
    if (wrong !== undefined) return wrong
  }

  const wrongSignature = factsRefusal(signed, facts.signatures)
  if (wrongSignature !== undefined) return wrongSignature
  if (facts.nextStateHash !== undefined && !equalBytes(facts.nextStateHash, seal.stateHash)) {
    return invalid('seal-state-hash', 'the contributions do not lead to the state it names')
  }
  return undefined
}

/** What the ledger does with a seal that was found valid on `tip`. */
export function sealEffect (params: ChainParams, tip: BlockMeta, signed: SignedSeal): SealEffect {
  const anchor = findAnchor(params, tip, signed.seal.anchor)
  if (isRefusal(anchor)) throw new Error('effect of a seal that was refused')
  const { seal } = signed
  return {
    hash: sealHash(seal),
    round: seal.round,
    stateHash: seal.stateHash,
    anchorHeight: anchor.height,
    payees: seal.contributions.map(c => c.template.payee)
  }
}
