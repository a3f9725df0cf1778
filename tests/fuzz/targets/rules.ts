/**
 * The rules of the chain on values that decode but that nobody honest made: an answer is a refusal
 * by one of the named reasons, or a ledger in which every grain is accounted for. What was asked about
 * stays as it was.
 */
import { decode, equalBytes } from '../../../src/core/codec/ssz.ts'
import { Block, Body, Claim, SignedSeal, SignedTransaction } from '../../../src/core/codec/wire.ts'
import { applyBlock, blockSignatureItems } from '../../../src/core/consensus/apply.ts'
import { checkContribution } from '../../../src/core/consensus/contribution.ts'
import { checkHeader, checkHeaderLink, extendHeader } from '../../../src/core/consensus/header.ts'
import { REASON_CODES, type Refusal } from '../../../src/core/consensus/refusal.ts'
import { sealSignatureItems, type SealFacts } from '../../../src/core/consensus/seal.ts'
import { checkTransaction, transactionSignatureItems } from '../../../src/core/consensus/transaction.ts'
import { stepSeal, transition } from '../../../src/core/consensus/transition.ts'
import { bodyRoot } from '../../../src/core/crypto/ids.ts'
import { applyTransaction, openBlock, subsidyAt } from '../../../src/core/ledger/apply.ts'
import { seedingSum } from '../../../src/core/ledger/pots.ts'
import { benchmarkJob, decodeLedger, encodeLedger, escrowSum, findJob, isConserved, type LedgerState, ledgerRoot, maturingSum } from '../../../src/core/ledger/state.ts'
import { MAX_BODY_BYTES, MAX_GOSSIP_BYTES } from '../../../src/core/params.ts'
import { type SampleChain, sampleChain } from '../sampleChain.ts'
import { ACCEPTED, must, type Target } from '../target.ts'

const INPUT_MAX = 16 * 1024
/** The ledger that everything is applied to is compared with what it was, once in so many inputs. */
const COMPARE_EVERY = 512
const NONE: ReadonlySet<string> = new Set()
const REASONS: ReadonlySet<string> = new Set(REASON_CODES)

const reasonOf = (r: Refusal): string => {
  must(REASONS.has(r.reason), `${r.reason} is no reason there is`)
  return r.reason
}

/** The chain, frozen as far as its caches allow, and its ledger as bytes. */
let frozen: { readonly chain: SampleChain, readonly before: Uint8Array } | undefined
let asked = 0

function chain (): SampleChain {
  if (frozen === undefined) {
    const sample = sampleChain()
    const { ledger } = sample.tip
    for (const part of [ledger, ledger.jobs, ledger.maturing, ...ledger.jobs, ...ledger.jobs.map(j => j.spec), ...ledger.maturing]) Object.freeze(part)
    frozen = { chain: sample, before: encodeLedger(ledger) }
  }
  if (asked++ % COMPARE_EVERY === 0) must(equalBytes(encodeLedger(frozen.chain.tip.ledger), frozen.before), 'a refused input has changed the ledger')
  return frozen.chain
}

const grains = (s: LedgerState): bigint => s.accounts.sum + maturingSum(s) + escrowSum(s) + seedingSum(s.seeding) + s.burned

function checkLedger (ledger: LedgerState): void {
  must(isConserved(ledger), 'grains do not add up')
  const back = decodeLedger(encodeLedger(ledger))
  must(back.ok && equalBytes(ledgerRoot(back.value), ledgerRoot(ledger)), 'a ledger does not come back from its bytes')
}

/** As if every signature were right: the fuzzer cannot sign, and the rules behind are what is asked. */
function sealFacts (body: Body): Array<SealFacts | Refusal> {
  const { kit, tip } = chain()
  return body.seals.map(signed => {
    const items = sealSignatureItems(kit.params, tip, signed)
    return Array.isArray(items) ? { signatures: items.map(() => true), nextStateHash: signed.seal.stateHash } : items
  })
}

const transaction: Target = {
  name: 'rules/transaction',
  max: 2048,
  covers: [],
  seeds: () => chain().blocks.flatMap(b => b.body.transactions.map(t => SignedTransaction.serialize(t))),
  run: input => {
    const { kit, tip } = chain()
    const d = decode(SignedTransaction, input, MAX_GOSSIP_BYTES)
    if (!d.ok) return 'undecodable'
    const refusal = checkTransaction(kit.params, tip, d.value)
    const opened = openBlock(kit.params, tip.ledger, tip.height + 1).ledger
    const applied = applyTransaction(kit.params, opened, d.value.transaction)
    if (applied.ok) {
      must(grains(applied.ledger) + d.value.transaction.fee === opened.issued, 'a transaction makes or loses grains')
      must(applied.ledger.issued === opened.issued, 'a transaction issues grains')
    }
    if (refusal === undefined) {
      must(applied.ok, 'taken and not applied')
      return ACCEPTED
    }
    return reasonOf(refusal)
  }
}

const body: Target = {
  name: 'rules/body',
  max: INPUT_MAX,
  covers: [],
  seeds: () => chain().blocks.map(b => Body.serialize(b.body)),
  run: input => {
    const { kit, tip } = chain()
    const d = decode(Body, input, MAX_BODY_BYTES)
    if (!d.ok) return 'undecodable'
    const facts = { transactions: d.value.transactions.map(t => transactionSignatureItems(t).map(() => true)), seals: sealFacts(d.value), wrongContributions: NONE }
    const payee = tip.header.template.payee
    const after = transition(kit.params, tip, payee, d.value, facts)
    if (!after.ok) return reasonOf(after.refusal)
    checkLedger(after.ledger)
    must(after.ledger.issued - tip.ledger.issued <= subsidyAt(kit.params, tip.height + 1), 'a block issues more than it may')
    const again = transition(kit.params, tip, payee, d.value, facts)
    must(again.ok && equalBytes(ledgerRoot(again.ledger), ledgerRoot(after.ledger)), 'twice the same is not the same')
    return ACCEPTED
  }
}

const header: Target = {
  name: 'rules/header',
  max: 1024,
  covers: [],
  seeds: () => chain().blocks.map(b => Claim.serialize(b.header)),
  run: input => {
    const { kit, tip } = chain()
    const d = decode(Claim, input, MAX_GOSSIP_BYTES)
    if (!d.ok) return 'undecodable'
    const now = tip.header.template.time + kit.params.blockIntervalMs
    const link = checkHeaderLink(kit.params, tip, d.value, now)
    const whole = checkHeader(kit.params, tip, d.value, now)
    must(link === undefined || whole !== undefined, 'the rules of the link are not among those of the header')
    if (whole !== undefined) return reasonOf(whole)
    const meta = extendHeader(tip, d.value)
    must(meta.height === tip.height + 1 && meta.work > tip.work, 'a header without work')
    return ACCEPTED
  }
}

const contribution: Target = {
  name: 'rules/contribution',
  max: 1024,
  covers: [],
  seeds: () => chain().blocks.flatMap(b => b.body.seals.flatMap(s => s.seal.contributions.map(c => Claim.serialize(c)))),
  run: input => {
    const { kit, tip } = chain()
    const d = decode(Claim, input, MAX_GOSSIP_BYTES)
    if (!d.ok) return 'undecodable'
    const job = findJob(tip.ledger, d.value.template.job) ?? benchmarkJob(tip.ledger)
    const refusal = checkContribution(kit.params, tip, d.value, { ...job, job: job.id })
    return refusal === undefined ? ACCEPTED : reasonOf(refusal)
  }
}

const seal: Target = {
  name: 'rules/seal',
  max: INPUT_MAX,
  covers: [],
  seeds: () => chain().blocks.flatMap(b => b.body.seals.map(s => SignedSeal.serialize(s))),
  run: input => {
    const { kit, tip } = chain()
    const d = decode(SignedSeal, input, MAX_GOSSIP_BYTES)
    if (!d.ok) return 'undecodable'
    const [facts] = sealFacts({ transactions: [], seals: [d.value] })
    const opened = openBlock(kit.params, tip.ledger, tip.height + 1).ledger
    const after = stepSeal(kit.params, tip, opened, d.value, facts)
    if (!after.ok) return reasonOf(after.refusal)
    checkLedger(after.ledger)
    return ACCEPTED
  }
}

const block: Target = {
  name: 'rules/block',
  max: INPUT_MAX,
  covers: [],
  seeds: () => chain().blocks.map(b => Block.serialize(b)),
  run: input => {
    const { kit, tip } = chain()
    const d = decode(Block, input, MAX_BODY_BYTES)
    if (!d.ok) return 'undecodable'
    // Half of the blocks commit to the body they have, and to what comes out of it.
    const given = (input.length & 1) === 0 ? d.value : committed(d.value)
    const verdict = applyBlock(kit.params, tip, given, {
      nowMs: given.header.template.time,
      signatures: blockSignatureItems(kit.params, tip, given).map(() => true),
      replay: { kind: 'done', resultHash: given.header.resultHash, payloadDigest: given.header.payloadDigest },
      seals: given.body.seals.map(s => ({ kind: 'done', stateHash: s.seal.stateHash })),
      wrongContributions: NONE
    })
    if (!verdict.ok) return reasonOf(verdict.refusal)
    checkLedger(verdict.meta.ledger)
    must(equalBytes(ledgerRoot(verdict.meta.ledger), given.header.template.stateRoot), 'a block with another ledger than it names')
    return ACCEPTED
  }
}

function committed (b: Block): Block {
  const { kit, tip } = chain()
  const { template } = b.header
  const after = transition(kit.params, tip, template.payee, b.body, { transactions: b.body.transactions.map(t => transactionSignatureItems(t).map(() => true)), seals: sealFacts(b.body), wrongContributions: NONE })
  const stateRoot = after.ok ? ledgerRoot(after.ledger) : template.stateRoot
  return { ...b, header: { ...b.header, template: { ...template, bodyRoot: bodyRoot(b.body), stateRoot } } }
}

export const ruleTargets: readonly Target[] = [transaction, body, header, contribution, seal, block]
