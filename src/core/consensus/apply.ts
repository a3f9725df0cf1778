/**
 * The block rule: a pure function of the parent, the block, and the slow facts found about it.
 * Facts may be missing; the answer is then 'unavailable', never a guess. The order of the checks is
 * the order of their cost, so a node may ask with facts left out before it pays for them.
 */
import { equalBytes } from '../codec/ssz.ts'
import { type Block, Body } from '../codec/wire.ts'
import { bodyRoot } from '../crypto/ids.ts'
import type { SignatureItem } from '../crypto/keys.ts'
import type { LedgerEvent } from '../ledger/apply.ts'
import { ledgerRoot } from '../ledger/state.ts'
import { type ChainParams, MAX_BODY_BYTES, MAX_RECEIPTS_PER_BLOCK } from '../params.ts'
import type { BlockMeta } from './chain.ts'
import { contributionSignatureItem } from './contribution.ts'
import { drawAt, jobToWorkOn, randomnessBlock } from './draw.ts'
import { checkHeader, extendHeader } from './header.ts'
import { invalid, type Refusal, refusal } from './refusal.ts'
import { type SealFacts, sealSignatureItems } from './seal.ts'
import { receiptCount, transactionSignatureItems } from './transaction.ts'
import { transition } from './transition.ts'

/** What redoing the block's slice gave. `skipped`: taken on trust, from before the replay window. */
export type ReplayFact =
  | { readonly kind: 'done', readonly resultHash: Uint8Array, readonly payloadDigest: Uint8Array }
  | { readonly kind: 'skipped' }
  | { readonly kind: 'unavailable', readonly detail: string }

/** What merging a seal's payloads gave. */
export type SealStateFact =
  | { readonly kind: 'done', readonly stateHash: Uint8Array }
  | { readonly kind: 'skipped' }
  | { readonly kind: 'unavailable', readonly detail: string }
  | { readonly kind: 'bad-payload', readonly detail: string }

export interface BlockFacts {
  readonly nowMs: number
  /** Aligned with blockSignatureItems. */
  readonly signatures: readonly boolean[]
  readonly replay: ReplayFact
  /** One per seal of the body. */
  readonly seals: readonly SealStateFact[]
  /** Hex ids of contributions that replay proved wrong. */
  readonly wrongContributions: ReadonlySet<string>
}

export type BlockVerdict =
  | { readonly ok: true, readonly meta: BlockMeta, readonly events: readonly LedgerEvent[] }
  | { readonly ok: false, readonly refusal: Refusal }

/**
 * Every signature of a block: the header's, transaction by transaction, then seal by seal. A seal whose
 * committee cannot be named has none; the rules refuse it.
 */
export function blockSignatureItems (params: ChainParams, parent: BlockMeta, block: Block): SignatureItem[] {
  const items = [contributionSignatureItem(block.header), ...block.body.transactions.flatMap(transactionSignatureItems)]
  for (const signed of block.body.seals) {
    const of = sealSignatureItems(params, parent, signed)
    if (Array.isArray(of)) items.push(...of)
  }
  return items
}

/** The rules of a block as a node asks for them: who runs many nodes in one process may remember the answers. */
export interface BlockRules {
  readonly checkHeader: typeof checkHeader
  readonly blockSignatureItems: typeof blockSignatureItems
  readonly applyBlock: typeof applyBlock
}

/** What a body costs who checks it is bounded before any of it is looked at. */
export function checkBodySize (body: Body): Refusal | undefined {
  const bytes = Body.value_serializedSize(body)
  if (bytes > MAX_BODY_BYTES) return invalid('body-size', `${bytes} bytes, at most ${MAX_BODY_BYTES}`)
  const receipts = body.transactions.reduce((n, t) => n + receiptCount(t), 0)
  return receipts > MAX_RECEIPTS_PER_BLOCK ? invalid('body-receipts', `${receipts} receipts, at most ${MAX_RECEIPTS_PER_BLOCK}`) : undefined
}

export function applyBlock (params: ChainParams, parent: BlockMeta, block: Block, facts: BlockFacts): BlockVerdict {
  const { header, body } = block
  const t = header.template
  const no = (r: Refusal): BlockVerdict => ({ ok: false, refusal: r })
  if (facts.seals.length !== body.seals.length) throw new Error('seal facts do not match the body')

  const headerWrong = checkHeader(params, parent, header, facts.nowMs)
  if (headerWrong !== undefined) return no(headerWrong)
  const tooLarge = checkBodySize(body)
  if (tooLarge !== undefined) return no(tooLarge)
  if (!equalBytes(bodyRoot(body), t.bodyRoot)) return no(invalid('body-root', 'the body is not the one the header names'))
  if (!facts.signatures[0]) return no(invalid('header-signature', 'not signed by its miner'))

  let next = 1
  const take = (count: number): readonly boolean[] => facts.signatures.slice(next, next += count)
  const transactions = body.transactions.map(signed => take(transactionSignatureItems(signed).length))
  const seals: Array<SealFacts | Refusal> = body.seals.map((signed, i) => {
    const items = sealSignatureItems(params, parent, signed)
    if (!Array.isArray(items)) return items
    const state = facts.seals[i]
    const signatures = take(items.length)
    if (state.kind === 'bad-payload') return invalid('seal-payload', state.detail)
    return { signatures, nextStateHash: state.kind === 'done' ? state.stateHash : undefined }
  })
  if (facts.signatures.length !== next) throw new Error('signature facts do not match the block')
  const after = transition(params, parent, t.payee, body, {
    transactions,
    seals,
    wrongContributions: facts.wrongContributions
  })
  if (!after.ok) return no(after.refusal)

  const job = jobToWorkOn(after.ledger, drawAt(randomnessBlock(params, parent), t.miner))
  if (!equalBytes(t.job, job.id)) return no(invalid('header-job', 'not the job this key draws once the body is applied'))
  if (t.round !== job.round || !equalBytes(t.seal, job.seal) || !equalBytes(t.stateHash, job.stateHash)) {
    return no(invalid('header-job-state', `works on round ${t.round}, the newest sealed one is ${job.round}`))
  }
  if (!equalBytes(ledgerRoot(after.ledger), t.stateRoot)) return no(invalid('state-root', 'the ledger comes out otherwise'))

  if (facts.replay.kind === 'done') {
    if (!equalBytes(facts.replay.resultHash, header.resultHash)) return no(invalid('result-hash', 'redoing the slice gave another result'))
    if (!equalBytes(facts.replay.payloadDigest, header.payloadDigest)) return no(invalid('payload-digest', 'redoing the slice gave another payload'))
  }
  for (const state of facts.seals) {
    if (state.kind === 'unavailable') return no(refusal('unavailable', 'seal-state-unavailable', state.detail))
  }
  if (facts.replay.kind === 'unavailable') return no(refusal('unavailable', 'replay-unavailable', facts.replay.detail))
  return { ok: true, meta: { ...extendHeader(parent, header), parent, ledger: after.ledger }, events: after.events }
}

export const BLOCK_RULES: BlockRules = { checkHeader, blockSignatureItems, applyBlock }
