/**
 * Why something was not taken. The verdict says what to do about it, the reason which rule it was.
 * One reason per rule: a test breaks every rule once and expects exactly its reason.
 */
import { TRANSACTION_REASONS } from '../ledger/apply.ts'

/**
 * invalid: breaks a rule and always will. unavailable: cannot be judged without data that could not
 * be had; retried, never taken unseen. future: its time has not come. orphan: names a block or seal
 * not known here. stale: was in time once, no longer is.
 */
export type Verdict = 'invalid' | 'unavailable' | 'future' | 'orphan' | 'stale'

/** Rules of a header that need no body. */
export const HEADER_REASONS = [
  'header-version',
  'header-chain',
  'header-parent',
  'header-height',
  'header-time-range',
  'header-time-old',
  'header-target',
  'header-randomness',
  'header-job',
  'header-payload-size',
  'header-ticket',
  'header-time-future'
] as const

/** Rules of a whole block. */
export const BLOCK_REASONS = [
  'body-size',
  'body-receipts',
  'body-root',
  'header-signature',
  'header-job-state',
  'state-root',
  'result-hash',
  'payload-digest',
  'replay-unavailable'
] as const

/** What consensus adds to the rules of the ledger. */
export const SPEC_REASONS = ['transaction-chain', 'transaction-signature', 'redeem-signature', 'post-spec-rules'] as const

export const SEAL_REASONS = [
  'seal-job-unknown',
  'seal-job-ended',
  'seal-round',
  'seal-previous',
  'seal-anchor-unknown',
  'seal-anchor-age',
  'seal-anchor-backwards',
  'seal-anchor-early',
  'seal-signature-order',
  'seal-member',
  'seal-quorum',
  'seal-contribution-count',
  'seal-contribution-order',
  'seal-contribution-repeated',
  'seal-signature',
  'seal-payload',
  'seal-state-hash',
  'seal-state-unavailable'
] as const

export const CONTRIBUTION_REASONS = [
  'contribution-version',
  'contribution-chain',
  'contribution-job',
  'contribution-round',
  'contribution-seal',
  'contribution-state',
  'contribution-randomness-age',
  'contribution-randomness',
  'contribution-draw',
  'contribution-slice',
  'contribution-eligibility',
  'contribution-payload-size',
  'contribution-signature',
  'contribution-wrong'
] as const

export const REASON_CODES = [
  ...HEADER_REASONS, ...BLOCK_REASONS, ...TRANSACTION_REASONS, ...SPEC_REASONS, ...SEAL_REASONS, ...CONTRIBUTION_REASONS
] as const
export type ReasonCode = typeof REASON_CODES[number]

export interface Refusal {
  readonly verdict: Verdict
  readonly reason: ReasonCode
  readonly detail: string
}

export const refusal = (verdict: Verdict, reason: ReasonCode, detail: string): Refusal => ({ verdict, reason, detail })
export const invalid = (reason: ReasonCode, detail: string): Refusal => refusal('invalid', reason, detail)

/** A hash commits to neither: other bytes under the same block hash may still be right. */
const NOT_IN_HASH: ReadonlySet<ReasonCode> = new Set<ReasonCode>(['header-signature', 'body-root', 'body-size', 'body-receipts'])

/** Whether it follows from a proof that spreads like the blocks do: whoever made or passed on what it concerns need not have had it. */
export const isNews = (r: Refusal): boolean => r.reason === 'contribution-wrong'

/** What only redoing its work shows of a block. */
const OF_WORK: ReadonlySet<ReasonCode> = new Set<ReasonCode>(['result-hash', 'payload-digest', 'seal-payload', 'seal-state-hash'])

/** Whether somebody who takes work on trust finds nothing wrong with it. */
export const isOfWork = (r: Refusal): boolean => OF_WORK.has(r.reason)

/** Whether a block of this hash is wrong whatever body and signature it comes with. */
export const condemnsHash = (r: Refusal): boolean => r.verdict === 'invalid' && !NOT_IN_HASH.has(r.reason)
