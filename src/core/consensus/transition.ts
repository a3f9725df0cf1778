/**
 * The ledger after a block. There is this one way to compute it: who makes a block takes the state
 * root from here, and who checks it compares with what comes out here.
 */
import { toHex } from '../codec/ssz.ts'
import type { Body, SignedSeal, SignedTransaction } from '../codec/wire.ts'
import { claimId } from '../crypto/ids.ts'
import { applySeal, type LedgerEvent, openBlock, payBlock, type SealedContribution } from '../ledger/apply.ts'
import { findJob, isConserved, type JobRecord, type LedgerState } from '../ledger/state.ts'
import type { ChainParams } from '../params.ts'
import { sliceCost } from '../training/cost.ts'
import { type BlockMeta, chainId } from './chain.ts'
import { invalid, type Refusal } from './refusal.ts'
import { checkSeal, sealEffect, type SealFacts } from './seal.ts'
import { signatureRefusal, stepTransaction } from './transaction.ts'

/** What was found out about a body before the rules are asked. */
export interface BodyFacts {
  /** Per transaction, aligned with transactionSignatureItems. */
  readonly transactions: ReadonlyArray<readonly boolean[]>
  /** Per seal; a Refusal where its signatures could not even be named. */
  readonly seals: ReadonlyArray<SealFacts | Refusal>
  /** Hex ids of contributions that replay proved wrong. */
  readonly wrongContributions: ReadonlySet<string>
}

export interface Advanced { readonly ok: true, readonly ledger: LedgerState, readonly events: readonly LedgerEvent[] }
export type Transition = Advanced | { readonly ok: false, readonly refusal: Refusal }

/** The ancestors of a block are known, so what a seal misses on them it will never find. */
const final = (r: Refusal): Transition => ({ ok: false, refusal: invalid(r.reason, r.detail) })

const NONE_WRONG: ReadonlySet<string> = new Set()

/** One seal on the ledger that transactions and earlier seals of the block on `parent` have left. */
export function stepSeal (params: ChainParams, parent: BlockMeta, ledger: LedgerState, signed: SignedSeal, facts: SealFacts | Refusal, wrongContributions: ReadonlySet<string> = NONE_WRONG): Transition {
  const { job: id, contributions } = signed.seal
  // A job posted by this very block cannot have been seen by the committee of an ancestor.
  const job = findJob(parent.ledger, id) === undefined ? undefined : findJob(ledger, id)
  if (job === undefined) return final(invalid('seal-job-unknown', 'the parent\'s ledger has no such job'))
  if ('verdict' in facts) return final(facts)
  const wrong = checkSeal(params, parent, job, signed, facts)
  if (wrong !== undefined) return final(wrong)
  for (const claim of contributions) {
    const hex = toHex(claimId(claim))
    if (wrongContributions.has(hex)) return final(invalid('contribution-wrong', `replay of ${hex} gave another result`))
  }
  return applySeal(params, ledger, id, sealEffect(params, parent, signed))
}

/** Before the seals: what is due at this height, then the transactions. */
export function stepTransactions (params: ChainParams, parent: BlockMeta, transactions: readonly SignedTransaction[], signatures: BodyFacts['transactions']): Transition {
  const opened = openBlock(params, parent.ledger, parent.height + 1)
  let ledger = opened.ledger
  const events: LedgerEvent[] = [...opened.events]
  for (let i = 0; i < transactions.length; i++) {
    const step = stepTransaction(params, chainId(parent), ledger, transactions[i].transaction)
    if (!step.ok) return final(step.refusal)
    const unsigned = signatureRefusal(signatures[i])
    if (unsigned !== undefined) return final(unsigned)
    ledger = step.ledger
    events.push(...step.events)
  }
  return { ok: true, ledger, events }
}

export function transition (params: ChainParams, parent: BlockMeta, payee: Uint8Array, body: Body, facts: BodyFacts): Transition {
  const begun = stepTransactions(params, parent, body.transactions, facts.transactions)
  if (!begun.ok) return begun
  let ledger = begun.ledger
  const events = [...begun.events]
  const sealed: SealedContribution[] = []
  for (let i = 0; i < body.seals.length; i++) {
    const step = stepSeal(params, parent, ledger, body.seals[i], facts.seals[i], facts.wrongContributions)
    if (!step.ok) return step
    ledger = step.ledger
    events.push(...step.events)
    const { job, round, contributions } = body.seals[i].seal
    const cost = sliceCost((findJob(parent.ledger, job) as JobRecord).spec)
    for (const claim of contributions) sealed.push({ payee: claim.template.payee, job, round, cost })
  }
  const fees = body.transactions.reduce((sum, t) => sum + t.transaction.fee, 0n)
  const paid = payBlock(params, ledger, payee, fees, sealed)
  if (!isConserved(paid.ledger)) throw new Error(`grains do not add up at height ${paid.ledger.height}`)
  return { ok: true, ledger: paid.ledger, events: [...events, ...paid.events] }
}
