/**
 * What can be wrong with a chain, by name. Where docs/protocol.md names a rule, the name is that of its
 * reason; the others are what no single rule says but all of them together must give.
 */
import type { Hex } from './bytes.ts'

export const VIOLATIONS = [
  // Bytes and links.
  'encoding', 'parent-unknown',
  'header-version', 'header-chain', 'header-height', 'header-time-range', 'header-time-old', 'header-target', 'header-randomness',
  'header-time-future', 'header-job', 'header-job-state', 'header-payload-size', 'header-ticket', 'header-signature', 'body-size', 'body-receipts', 'body-root', 'state-root',
  // Transactions.
  'transaction-chain', 'transaction-fee', 'transaction-nonce-reused', 'transaction-nonce-gap', 'transaction-nonce-exhausted',
  'transaction-action', 'transaction-balance', 'transaction-signature', 'transfer-amount', 'transfer-self',
  'post-spec-encoding', 'post-spec-rules', 'post-price', 'post-escrow', 'post-burn', 'post-deadline', 'post-table-full', 'post-duplicate',
  'cancel-unknown', 'cancel-ended', 'cancel-again', 'cancel-owner',
  'set-aside-amount', 'redeem-epoch', 'redeem-none', 'redeem-self', 'redeem-pot', 'redeem-bytes', 'redeem-full', 'redeem-signature',
  // Seals and contributions.
  'seal-job-unknown', 'seal-job-ended', 'seal-round', 'seal-previous', 'seal-anchor-unknown', 'seal-anchor-age', 'seal-anchor-early',
  'seal-anchor-backwards', 'seal-signature-order', 'seal-member', 'seal-quorum', 'seal-contribution-count', 'seal-contribution-repeated',
  'seal-contribution-order', 'seal-signature',
  'contribution-version', 'contribution-chain', 'contribution-job', 'contribution-round', 'contribution-seal', 'contribution-state',
  'contribution-slice', 'contribution-randomness-age', 'contribution-randomness', 'contribution-draw', 'contribution-eligibility',
  'contribution-payload-size', 'contribution-signature',
  // Nothing twice on one chain.
  'ticket-repeated', 'contribution-repeated', 'transaction-repeated',
  // Every grain.
  'supply-sum', 'supply-schedule', 'escrow',
  // What a node says of its chain and its ledger.
  'snapshot-encoding', 'snapshot-root', 'head-unknown', 'head-height', 'head-work', 'head-order', 'history-broken',
  // The work, redone.
  'result-hash', 'payload-digest', 'contribution-wrong', 'seal-payload', 'seal-state-hash'
] as const
export type ViolationName = typeof VIOLATIONS[number]

export interface Violation {
  readonly name: ViolationName
  /** The block it was found in. */
  readonly block: Hex
  readonly height: number
  readonly evidence: string
}

/** Found before the block it is in is known to the finder. */
export type Finding = readonly [name: ViolationName, evidence: string]
