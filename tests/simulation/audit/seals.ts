/** The rules of seals and contributions, docs/protocol.md, sections 8 and 9: the first that one breaks. */
import { type Hex, hexOf } from './bytes.ts'
import { ancestorAt, committeeOf, drawingHeight, drawnJob, isEligible, isOn, quorumOf } from './draws.ts'
import { hasEnded, type Job, type Ledger } from './ledger.ts'
import { payloadBytesOf } from './model.ts'
import { type AuditParams, MAX_CONTRIBUTION_SLICES, MAX_CONTRIBUTIONS, VERSION } from './numbers.ts'
import type { Verify } from './signatures.ts'
import type { Entry } from './tree.ts'
import type { Finding } from './violations.ts'
import { type Claim, claimId, type Seal, sealHash, type SignedSeal } from './wire.ts'

export interface SealPlace {
  readonly params: AuditParams
  readonly chain: Hex
  readonly parent: Entry
  /** As left by the block's transactions and its earlier seals. */
  readonly ledger: Ledger
  readonly find: (id: Hex) => Entry | undefined
  readonly verify: Verify
}

function contributionFinding ({ params, chain, parent, verify }: SealPlace, job: Job, seal: Seal, anchor: Entry, claim: Claim): Finding | undefined {
  const { template } = claim
  const id = hexOf(claimId(claim))
  if (template.version !== VERSION) return ['contribution-version', `${id}: version ${template.version}`]
  if (hexOf(template.chain) !== chain) return ['contribution-chain', id]
  if (hexOf(template.job) !== job.id) return ['contribution-job', id]
  if (template.round !== seal.round - 1) return ['contribution-round', `${id}: round ${template.round} in the seal of ${seal.round}`]
  if (hexOf(template.seal) !== job.seal) return ['contribution-seal', id]
  if (hexOf(template.stateHash) !== job.stateHash) return ['contribution-state', id]
  if (claim.slice >= MAX_CONTRIBUTION_SLICES) return ['contribution-slice', `${id}: slice ${claim.slice}`]
  const drawing = drawingHeight(params, template.height)
  const q = ancestorAt(parent, drawing)
  if (anchor.height - drawing > params.randomnessAgeMax) return ['contribution-randomness-age', `${id}: drawn at ${drawing}, sealed under ${anchor.height}`]
  if (q === undefined || hexOf(q.rho) !== hexOf(template.randomness)) return ['contribution-randomness', `${id}: drawn at ${drawing}`]
  if (parent.ledger.workOn(drawnJob(q, template.miner)).id !== job.id) return ['contribution-draw', id]
  if (!isEligible(params, q, claim)) return ['contribution-eligibility', id]
  if (claim.payloadBytes !== payloadBytesOf(job.spec)) return ['contribution-payload-size', `${id}: ${claim.payloadBytes} bytes`]
  if (!verify(template.miner, claimId(claim), claim.signature)) return ['contribution-signature', id]
  return undefined
}

export function sealFinding (place: SealPlace, { seal, signatures }: SignedSeal): Finding | undefined {
  const { params, parent, ledger, find, verify } = place
  const height = parent.height + 1
  const jobName = hexOf(seal.job)
  const what = `seal of round ${seal.round} of ${jobName}`
  const job = ledger.job(jobName)
  if (parent.ledger.job(jobName) === undefined || job === undefined) return ['seal-job-unknown', what]
  if (hasEnded(job)) return ['seal-job-ended', `${what}, which is ${job.status}`]
  if (seal.round !== (job.status === 'waiting' ? 0 : job.round + 1)) return ['seal-round', `${what}, which is at ${job.round}`]
  if (hexOf(seal.previous) !== job.seal) return ['seal-previous', what]
  const anchor = find(hexOf(seal.anchor))
  if (anchor === undefined || !isOn(parent, anchor)) return ['seal-anchor-unknown', `${what}: ${hexOf(seal.anchor)}`]
  if (height - anchor.height > params.anchorAgeMax) return ['seal-anchor-age', `${what}: anchored at ${anchor.height}`]
  if (anchor.height < params.committeeBlocks) return ['seal-anchor-early', `${what}: anchored at ${anchor.height}`]
  if (anchor.height < job.sealAnchorHeight) return ['seal-anchor-backwards', `${what}: anchored at ${anchor.height}, the one before at ${job.sealAnchorHeight}`]
  if (signatures.some(({ member }, i) => i > 0 && member <= signatures[i - 1].member)) return ['seal-signature-order', what]
  const members = committeeOf(params, anchor)
  if (signatures.some(({ member }) => member >= members.length)) return ['seal-member', `${what}: a committee of ${members.length}`]
  if (signatures.length < quorumOf(members.length)) return ['seal-quorum', `${what}: ${signatures.length} of ${members.length} signed`]
  const count = seal.contributions.length
  if (seal.round === 0 ? count !== 0 : count < 1 || count > MAX_CONTRIBUTIONS) return ['seal-contribution-count', `${what}: ${count}`]
  const ids = seal.contributions.map(c => hexOf(claimId(c)))
  const slices = seal.contributions.map(c => `${hexOf(c.template.miner)}/${c.slice}`)
  if (new Set(ids).size < count || new Set(slices).size < count) return ['seal-contribution-repeated', what]
  if (ids.some((id, i) => i > 0 && id < ids[i - 1])) return ['seal-contribution-order', what]
  for (const claim of seal.contributions) {
    const finding = contributionFinding(place, job, seal, anchor, claim)
    if (finding !== undefined) return finding
  }
  const message = sealHash(seal)
  const forged = signatures.find(({ member, signature }) => !verify(Buffer.from(members[member], 'hex'), message, signature))
  return forged === undefined ? undefined : ['seal-signature', `${what}: member ${forged.member}`]
}

