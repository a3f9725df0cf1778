/** One transaction by all its rules: the ledger's, and those that need the network or the model rules. */
import { decodeJobSpec } from '../codec/jobSpec.ts'
import { equalBytes } from '../codec/ssz.ts'
import { ACTION_POST_JOB, ACTION_REDEEM, SignedTransaction, type Transaction } from '../codec/wire.ts'
import { receiptMessage, transactionId } from '../crypto/ids.ts'
import type { SignatureItem } from '../crypto/keys.ts'
import { type Applied, applyTransaction, openBlock } from '../ledger/apply.ts'
import type { LedgerState } from '../ledger/state.ts'
import { type ChainParams, MAX_RECEIPTS_PER_BLOCK, MAX_TRANSACTIONS_PER_BLOCK } from '../params.ts'
import { specErrors } from '../training/specRules.ts'
import { type BlockMeta, chainId } from './chain.ts'
import { invalid, type Refusal } from './refusal.ts'

/** How many it hands in. */
export const receiptCount = ({ transaction: { action: { value } } }: SignedTransaction): number => value !== null && 'receipts' in value ? value.receipts.length : 0

/** Its sender's first, then those of the receipts it hands in. */
export function transactionSignatureItems ({ transaction, signature }: SignedTransaction): SignatureItem[] {
  const { chain, from: to, action: { selector, value } } = transaction
  const items: SignatureItem[] = [{ key: to, message: transactionId(transaction), signature }]
  if (selector === ACTION_REDEEM && value !== null && 'receipts' in value) {
    for (const { from, infoHash, bytes, signature: signed } of value.receipts) {
      items.push({ key: from, message: receiptMessage({ chain, from, to, infoHash, epoch: value.epoch, bytes }), signature: signed })
    }
  }
  return items
}

/** `signatures`: aligned with transactionSignatureItems. */
export function signatureRefusal (signatures: readonly boolean[]): Refusal | undefined {
  if (signatures[0] !== true) return invalid('transaction-signature', 'not signed by its sender')
  return signatures.every(Boolean) ? undefined : invalid('redeem-signature', 'a receipt is not signed by who got the bytes, for this sender and epoch, on this chain')
}

/** Applies a transaction whose signatures are known to be right. */
export function stepTransaction (params: ChainParams, chain: Uint8Array, ledger: LedgerState, tx: Transaction): Applied | { readonly ok: false, readonly refusal: Refusal } {
  if (!equalBytes(tx.chain, chain)) return { ok: false, refusal: invalid('transaction-chain', 'of another network') }
  const applied = applyTransaction(params, ledger, tx)
  if (!applied.ok) return { ok: false, refusal: invalid(applied.reason, applied.detail) }
  const { selector, value } = tx.action
  if (selector === ACTION_POST_JOB && value !== null && 'spec' in value) {
    const spec = decodeJobSpec(value.spec)
    const errors = spec.ok ? specErrors(spec.value, params.minSliceCost) : []
    if (errors.length > 0) return { ok: false, refusal: invalid('post-spec-rules', errors.map(e => `${e.field}: ${e.message}`).join('; ')) }
  }
  return applied
}

/** Whether a block on top of `tip` could carry it first. The signatures are the caller's to check. */
export function checkTransaction (params: ChainParams, tip: BlockMeta, signed: SignedTransaction): Refusal | undefined {
  const step = stepTransaction(params, chainId(tip), openBlock(params, tip.ledger, tip.height + 1).ledger, signed.transaction)
  return step.ok ? undefined : step.refusal
}

/** Those of `candidates`, in their order, that a block on `parent` can carry within `bytesMax`. */
export function tryTransactions (params: ChainParams, parent: BlockMeta, candidates: readonly SignedTransaction[], bytesMax: number): SignedTransaction[] {
  const taken: SignedTransaction[] = []
  let ledger = openBlock(params, parent.ledger, parent.height + 1).ledger
  let bytes = 0
  let receipts = 0
  for (const signed of candidates) {
    if (taken.length === MAX_TRANSACTIONS_PER_BLOCK) break
    // Four bytes of offset per list entry.
    const size = SignedTransaction.serialize(signed).length + 4
    if (bytes + size > bytesMax || receipts + receiptCount(signed) > MAX_RECEIPTS_PER_BLOCK) continue
    const step = stepTransaction(params, chainId(parent), ledger, signed.transaction)
    if (!step.ok) continue
    ledger = step.ledger
    bytes += size
    receipts += receiptCount(signed)
    taken.push(signed)
  }
  return taken
}
