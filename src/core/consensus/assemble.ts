/** Making a block: everything but the work, which the template fixes before it starts. */
import { Body, SignedSeal, type SignedTransaction, type Template } from '../codec/wire.ts'
import { bodyRoot } from '../crypto/ids.ts'
import type { LedgerEvent } from '../ledger/apply.ts'
import { type JobRecord, ledgerRoot, type LedgerState } from '../ledger/state.ts'
import { type ChainParams, MAX_BODY_BYTES, MAX_SEALS_PER_BLOCK, PROTOCOL_VERSION } from '../params.ts'
import { checkBodySize } from './apply.ts'
import { type BlockMeta, chainId } from './chain.ts'
import { drawAt, jobToWorkOn, randomnessBlock } from './draw.ts'
import type { SealFacts } from './seal.ts'
import { nextTarget } from './target.ts'
import { transactionSignatureItems } from './transaction.ts'
import { type BodyFacts, stepSeal, stepTransactions, transition } from './transition.ts'

export interface BlockParts {
  readonly transactions: readonly SignedTransaction[]
  readonly seals: readonly SignedSeal[]
  readonly miner: Uint8Array
  readonly payee: Uint8Array
  readonly timeMs: number
}

export interface AssembledBlock {
  readonly template: Template
  readonly body: Body
  /** After the block. */
  readonly ledger: LedgerState
  readonly events: readonly LedgerEvent[]
  /** The job to work on, in the state the template names. */
  readonly job: JobRecord
}

/** The maker has verified what it puts in. */
const ownTransactionFacts = (s: SignedTransaction): boolean[] => transactionSignatureItems(s).map(() => true)
const ownSealFacts = (s: SignedSeal): SealFacts =>
  ({ signatures: [...s.signatures, ...s.seal.contributions].map(() => true), nextStateHash: undefined })

function ownFacts (body: Body): BodyFacts {
  return {
    transactions: body.transactions.map(ownTransactionFacts),
    seals: body.seals.map(ownSealFacts),
    wrongContributions: new Set()
  }
}

/** Throws on parts that a block on `parent` cannot carry: `tryTransactions` and `trySeals` choose. */
export function assembleBlock (params: ChainParams, parent: BlockMeta, parts: BlockParts): AssembledBlock {
  const { miner, payee } = parts
  const body: Body = { transactions: [...parts.transactions], seals: [...parts.seals] }
  const tooLarge = checkBodySize(body)
  if (tooLarge !== undefined) throw new Error(`body of ${tooLarge.detail}`)
  const next = transition(params, parent, payee, body, ownFacts(body))
  if (!next.ok) throw new Error(`assembled an invalid block: ${next.refusal.reason}: ${next.refusal.detail}`)
  const q = randomnessBlock(params, parent)
  const job = jobToWorkOn(next.ledger, drawAt(q, miner))
  const template: Template = {
    version: PROTOCOL_VERSION,
    chain: chainId(parent),
    height: parent.height + 1,
    parent: parent.hash,
    time: timeAfter(parent, parts.timeMs),
    target: nextTarget(params, parent),
    bodyRoot: bodyRoot(body),
    stateRoot: ledgerRoot(next.ledger),
    miner,
    payee,
    job: job.id,
    round: job.round,
    seal: job.seal,
    stateHash: job.stateHash,
    randomness: q.rho
  }
  return { template, body, ledger: next.ledger, events: next.events, job }
}

/** The same block made later: nothing else in it depends on the time. */
export function retimeBlock (parent: BlockMeta, block: AssembledBlock, timeMs: number): AssembledBlock {
  return { ...block, template: { ...block.template, time: timeAfter(parent, timeMs) } }
}

const timeAfter = (parent: BlockMeta, timeMs: number): number => Math.max(timeMs, parent.header.template.time + 1)

/** Those of `candidates`, in their order, that a block on `parent` can carry after `transactions`. */
export function trySeals (params: ChainParams, parent: BlockMeta, transactions: readonly SignedTransaction[], candidates: readonly SignedSeal[]): SignedSeal[] {
  const begun = stepTransactions(params, parent, transactions, transactions.map(ownTransactionFacts))
  if (!begun.ok) throw new Error(`seals chosen on invalid transactions: ${begun.refusal.reason}`)
  const taken: SignedSeal[] = []
  let ledger = begun.ledger
  let bytes = Body.serialize({ transactions: [...transactions], seals: [] }).length
  for (const signed of candidates) {
    if (taken.length === MAX_SEALS_PER_BLOCK) break
    // Four bytes of offset per list entry.
    const size = SignedSeal.serialize(signed).length + 4
    if (bytes + size > MAX_BODY_BYTES) continue
    const step = stepSeal(params, parent, ledger, signed, ownSealFacts(signed))
    if (!step.ok) continue
    ledger = step.ledger
    bytes += size
    taken.push(signed)
  }
  return taken
}
