/**
 * What a block does to the ledger, step by step and in this order: what is due, the transactions,
 * the seals, the block's own credits. Every step takes a ledger and gives one back together with
 * a line per account it touched. No step makes or loses a grain except where it says so.
 */
import type { ValueOf } from '@chainsafe/ssz'
import { decodeJobSpec } from '../codec/jobSpec.ts'
import { equalBytes, ZERO32 } from '../codec/ssz.ts'
import { ACTION_CANCEL_JOB, ACTION_POST_JOB, ACTION_REDEEM, ACTION_SET_ASIDE, ACTION_TRANSFER, type CancelJob, type PostJob, type Redeem, type SetAside, type Transaction, type Transfer } from '../codec/wire.ts'
import { jobId, specHash, transactionId } from '../crypto/ids.ts'
import { type ChainParams, CONTRIBUTION_SUBSIDY_SHARE, MAX_ACTIVE_JOBS, MAX_CONTRIBUTIONS_PER_SEAL, MAX_ENDED_JOBS, MAX_WAITING_BLOCKS, OFFER_SHARE_LEAST, OFFER_SHARE_WHOLE } from '../params.ts'
import { addToPot, redeem, REDEEM_REASONS, turnEpoch } from './seeding.ts'
import { account, credit, findJob, hasBegun, isEnded, type JobRecord, type JobStatus, type LedgerState, type Maturing, withAccount } from './state.ts'

/** Deadlines lie this many blocks ahead of the block that posts the job, at least and at most. */
export const MIN_DEADLINE_BLOCKS = 5
export const MAX_DEADLINE_BLOCKS = 200_000

/** One line of an account's history. */
export interface LedgerEvent {
  /** `sent` without counterparty is the fee of a cancellation or, without a job, of a redemption. */
  readonly kind: 'block-reward' | 'contribution' | 'contribution-subsidy' | 'fees' | 'received' | 'sent' | 'job-posted' | 'job-refund' | 'set-aside' | 'seeding-pay' | 'set-aside-returned'
  readonly account: Uint8Array
  /** Grains, signed as the account sees it; what was sent or posted includes the fee. */
  readonly amount: bigint
  /** Height from which the credit can be spent; absent when at once. */
  readonly maturesAt?: number
  readonly job?: Uint8Array
  readonly round?: number
  readonly counterparty?: Uint8Array
  readonly txId?: Uint8Array
  /** The fee within `amount`. */
  readonly fee?: bigint
}

export interface Applied { readonly ok: true, readonly ledger: LedgerState, readonly events: readonly LedgerEvent[] }

export const TRANSACTION_REASONS = [
  'transaction-action',
  'transaction-fee',
  'transaction-nonce-reused',
  'transaction-nonce-gap',
  'transaction-nonce-exhausted',
  'transaction-balance',
  'transfer-amount',
  'transfer-self',
  'post-spec-encoding',
  'post-price',
  'post-escrow',
  'post-burn',
  'post-deadline',
  'post-table-full',
  'post-duplicate',
  'cancel-unknown',
  'cancel-owner',
  'cancel-ended',
  'cancel-again',
  'set-aside-amount',
  ...REDEEM_REASONS
] as const
export type TransactionReason = typeof TRANSACTION_REASONS[number]

export interface TransactionRefused { readonly ok: false, readonly reason: TransactionReason, readonly detail: string }

const refused = (reason: TransactionReason, detail: string): TransactionRefused => ({ ok: false, reason, detail })

const replaceJob = (state: LedgerState, job: JobRecord): LedgerState =>
  ({ ...state, jobs: state.jobs.map(j => equalBytes(j.id, job.id) ? job : j) })

/**
 * Of the ended jobs beyond the bound, those that never began leave the table first: who posts and cancels
 * ends any number of them in one block, and must not drive out those with a model and unripe pay. Then
 * the oldest; of two that ended together, the one posted first.
 */
function dropEnded (state: LedgerState): LedgerState {
  const ended = state.jobs.filter(isEnded)
  if (ended.length <= MAX_ENDED_JOBS) return state
  const drop = new Set(ended.sort((a, b) => Number(hasBegun(a)) - Number(hasBegun(b)) || a.endedAt - b.endedAt).slice(0, ended.length - MAX_ENDED_JOBS))
  return { ...state, jobs: state.jobs.filter(j => !drop.has(j)) }
}

/** Ends a job: what is left of its escrow goes back to the owner, spendable at once. */
function endJob (state: LedgerState, job: JobRecord, status: JobStatus, height: number): Applied {
  const next = replaceJob(credit(state, job.owner, job.escrowLeft), { ...job, status, escrowLeft: 0n, endedAt: height })
  const events: LedgerEvent[] = job.escrowLeft === 0n ? [] : [{ kind: 'job-refund', account: job.owner, amount: job.escrowLeft, job: job.id }]
  return { ok: true, ledger: dropEnded(next), events }
}

/** Height at which a job ends whatever else happens. */
export function endsAt (job: JobRecord): number {
  if (job.status === 'waiting') return Math.min(job.deadline, job.postedAt + MAX_WAITING_BLOCKS)
  return job.cancelsAt === 0 ? job.deadline : Math.min(job.deadline, job.cancelsAt)
}

/** Ledgers never change in place: what each becomes in the next block is asked for with every transaction that comes. */
const opened = new WeakMap<LedgerState, { readonly height: number, readonly epochBlocks: number, readonly applied: Applied }>()

/** First step of block `height`: ripe credits become balances, an epoch turns, overdue jobs end. */
export function openBlock (params: Pick<ChainParams, 'epochBlocks'>, state: LedgerState, height: number): Applied {
  const known = opened.get(state)
  if (known?.height === height && known.epochBlocks === params.epochBlocks) return known.applied
  const applied = openNew(params, state, height)
  opened.set(state, { height, epochBlocks: params.epochBlocks, applied })
  return applied
}

function openNew (params: Pick<ChainParams, 'epochBlocks'>, state: LedgerState, height: number): Applied {
  let ledger: LedgerState = { ...state, height }
  const ripe = state.maturing.filter(m => m.height <= height)
  if (ripe.length > 0) ledger = { ...ledger, maturing: state.maturing.filter(m => m.height > height) }
  for (const m of ripe) ledger = credit(ledger, m.account, m.amount)
  const turned = turnEpoch(ledger, params.epochBlocks)
  ledger = turned.ledger
  const events: LedgerEvent[] = turned.returned.map(r => ({ kind: 'set-aside-returned', ...r }))
  for (const job of state.jobs) {
    if ((job.status !== 'waiting' && job.status !== 'active') || endsAt(job) > height) continue
    const ended = endJob(ledger, job, job.cancelsAt === endsAt(job) ? 'cancelled' : 'expired', height)
    ledger = ended.ledger
    events.push(...ended.events)
  }
  return { ok: true, ledger, events }
}

const MAX_NONCE = 0xffffffff

type Spend = (amount: bigint) => { readonly ok: true, readonly ledger: LedgerState } | TransactionRefused
type Line = Pick<LedgerEvent, 'account' | 'txId' | 'fee'>

function transfer (tx: Transaction, action: ValueOf<typeof Transfer>, spend: Spend, line: Line): Applied | TransactionRefused {
  if (action.amount < 1n) return refused('transfer-amount', 'nothing is sent')
  if (equalBytes(action.to, tx.from)) return refused('transfer-self', 'sender and receiver are the same')
  const paid = spend(action.amount)
  if (!paid.ok) return paid
  return {
    ok: true,
    ledger: credit(paid.ledger, action.to, action.amount),
    events: [
      { ...line, kind: 'sent', amount: -(action.amount + tx.fee), counterparty: action.to },
      { kind: 'received', account: action.to, amount: action.amount, counterparty: tx.from, txId: line.txId }
    ]
  }
}

function postJob (params: ChainParams, ledger: LedgerState, tx: Transaction, action: ValueOf<typeof PostJob>, spend: Spend, line: Line): Applied | TransactionRefused {
  const { escrow, pricePerContribution, burn, deadline } = action
  const spec = decodeJobSpec(action.spec)
  if (!spec.ok) return refused('post-spec-encoding', spec.error.detail)
  if (pricePerContribution < 1n) return refused('post-price', 'a contribution must be paid something')
  if (escrow < pricePerContribution) return refused('post-escrow', `escrow ${escrow} does not pay one contribution at ${pricePerContribution}`)
  if (burn < params.minFee) return refused('post-burn', `burn ${burn}, at least ${params.minFee}`)
  const ahead = deadline - ledger.height
  if (ahead <= MIN_DEADLINE_BLOCKS || ahead > MAX_DEADLINE_BLOCKS) return refused('post-deadline', `${ahead} blocks ahead, ${MIN_DEADLINE_BLOCKS + 1} to ${MAX_DEADLINE_BLOCKS}`)
  const open = ledger.jobs.filter(j => j.status === 'waiting' || j.status === 'active').length
  if (open >= MAX_ACTIVE_JOBS) return refused('post-table-full', `${open} jobs are open, at most ${MAX_ACTIVE_JOBS}`)
  const id = jobId(specHash(spec.value), tx.from, tx.nonce)
  // The benchmark's id has the zero key as owner, and under ZIP-215 anyone can sign for that key.
  if (findJob(ledger, id) !== undefined) return refused('post-duplicate', 'a job of this id is in the table')
  const paid = spend(escrow + burn)
  if (!paid.ok) return paid
  const job: JobRecord = {
    id,
    spec: spec.value,
    owner: tx.from,
    status: 'waiting',
    round: 0,
    seal: ZERO32,
    stateHash: ZERO32,
    sealAnchorHeight: 0,
    escrow,
    escrowLeft: escrow,
    pricePerContribution,
    burn,
    postedAt: ledger.height,
    deadline,
    cancelsAt: 0,
    endedAt: 0,
    offerShare: OFFER_SHARE_WHOLE
  }
  return {
    ok: true,
    ledger: { ...paid.ledger, jobs: [...paid.ledger.jobs, job], burned: paid.ledger.burned + burn },
    events: [{ ...line, kind: 'job-posted', amount: -(escrow + burn + tx.fee), job: id }]
  }
}

/** Nobody can have worked for a job that waits for its data: it ends at once. An active one goes on for cancelDelay blocks. */
function cancelJob (params: ChainParams, ledger: LedgerState, tx: Transaction, action: ValueOf<typeof CancelJob>, spend: Spend, line: Line): Applied | TransactionRefused {
  const job = findJob(ledger, action.job)
  if (job === undefined) return refused('cancel-unknown', 'no such job')
  // The benchmark has no owner: its zero key is one for which anyone can sign.
  if (job.status === 'benchmark' || !equalBytes(job.owner, tx.from)) return refused('cancel-owner', 'only the owner of a paid job may cancel it')
  if (isEnded(job)) return refused('cancel-ended', `the job is ${job.status}`)
  if (job.cancelsAt !== 0) return refused('cancel-again', `the job ends at height ${job.cancelsAt} already`)
  const paid = spend(0n)
  if (!paid.ok) return paid
  const ended: Applied = job.status === 'waiting'
    ? endJob(paid.ledger, job, 'cancelled', ledger.height)
    : { ok: true, ledger: replaceJob(paid.ledger, { ...job, cancelsAt: ledger.height + params.cancelDelay }), events: [] }
  return { ...ended, events: [{ ...line, kind: 'sent', amount: -tx.fee, job: job.id }, ...ended.events] }
}

function setAside (params: ChainParams, tx: Transaction, action: ValueOf<typeof SetAside>, spend: Spend, line: Line): Applied | TransactionRefused {
  if (action.grains < params.minFee) return refused('set-aside-amount', `${action.grains}, at least ${params.minFee}`)
  const paid = spend(action.grains)
  if (!paid.ok) return paid
  return { ok: true, ledger: addToPot(paid.ledger, tx.from, action.grains), events: [{ ...line, kind: 'set-aside', amount: -(action.grains + tx.fee) }] }
}

function redeemReceipts (params: ChainParams, tx: Transaction, action: ValueOf<typeof Redeem>, spend: Spend, line: Line): Applied | TransactionRefused {
  const paid = spend(0n)
  if (!paid.ok) return paid
  const done = redeem(paid.ledger, params.epochBlocks, tx.from, action.epoch, action.receipts)
  if (!done.ok) return done
  const events = done.paid.map(({ from, amount }): LedgerEvent => ({ kind: 'seeding-pay', account: tx.from, amount, counterparty: from, txId: line.txId }))
  return { ok: true, ledger: done.ledger, events: [{ ...line, kind: 'sent', amount: -tx.fee }, ...events] }
}

/**
 * One transaction in block `ledger.height`. Signatures, chain and the spec's own rules are the
 * caller's to check. The fee leaves the sender here; `payBlock` hands it on.
 */
export function applyTransaction (params: ChainParams, ledger: LedgerState, tx: Transaction): Applied | TransactionRefused {
  const from = account(ledger, tx.from)
  if (tx.fee < params.minFee) return refused('transaction-fee', `fee ${tx.fee}, at least ${params.minFee}`)
  if (tx.nonce < from.nonce) return refused('transaction-nonce-reused', `nonce ${tx.nonce}, the account is at ${from.nonce}`)
  if (tx.nonce > from.nonce) return refused('transaction-nonce-gap', `nonce ${tx.nonce}, the account is at ${from.nonce}`)
  if (tx.nonce === MAX_NONCE) return refused('transaction-nonce-exhausted', 'the account has used its last nonce')
  const spend: Spend = amount => {
    const total = amount + tx.fee
    if (from.balance < total) return refused('transaction-balance', `needs ${total}, has ${from.balance}`)
    return { ok: true, ledger: withAccount(ledger, tx.from, { balance: from.balance - total, nonce: from.nonce + 1 }) }
  }
  const line: Line = { account: tx.from, txId: transactionId(tx), fee: tx.fee }
  const { selector, value } = tx.action
  // The codec gives each selector its own type of value.
  switch (selector) {
    case ACTION_TRANSFER: return transfer(tx, value as ValueOf<typeof Transfer>, spend, line)
    case ACTION_POST_JOB: return postJob(params, ledger, tx, value as ValueOf<typeof PostJob>, spend, line)
    case ACTION_CANCEL_JOB: return cancelJob(params, ledger, tx, value as ValueOf<typeof CancelJob>, spend, line)
    case ACTION_SET_ASIDE: return setAside(params, tx, value as ValueOf<typeof SetAside>, spend, line)
    case ACTION_REDEEM: return redeemReceipts(params, tx, value as ValueOf<typeof Redeem>, spend, line)
    default: return refused('transaction-action', `selector ${selector} is no action`)
  }
}

/** What a valid seal tells the ledger. */
export interface SealEffect {
  readonly hash: Uint8Array
  readonly round: number
  readonly stateHash: Uint8Array
  readonly anchorHeight: number
  /** template.payee of each contribution, in the seal's order. */
  readonly payees: readonly Uint8Array[]
}

/**
 * Traffic per round must not grow with the number of miners, and nobody can count them: a full seal
 * says that more was offered than it could carry, one that is not a quarter full that there is room.
 * The seal of round 0 carries none and says nothing.
 */
export function offerShareAfter (share: number, contributions: number): number {
  if (contributions === MAX_CONTRIBUTIONS_PER_SEAL) return Math.max(OFFER_SHARE_LEAST, share - Math.floor(share / 16))
  if (contributions > 0 && 4 * contributions < MAX_CONTRIBUTIONS_PER_SEAL) return Math.min(OFFER_SHARE_WHOLE, share + Math.floor(share / 16))
  return share
}

/** The job after a seal, and how many of its contributions the escrow paid; also for seals not yet in a block. */
export function jobAfterSeal (job: JobRecord, seal: SealEffect, height: number): { readonly job: JobRecord, readonly paid: number, readonly refund: bigint } {
  const sealed: JobRecord = {
    ...job,
    status: job.status === 'waiting' ? 'active' : job.status,
    round: seal.round,
    seal: seal.hash,
    stateHash: seal.stateHash,
    sealAnchorHeight: seal.anchorHeight,
    offerShare: offerShareAfter(job.offerShare, seal.payees.length)
  }
  if (job.status === 'benchmark') return { job: sealed, paid: 0, refund: 0n }
  const affordable = job.escrowLeft / job.pricePerContribution
  const paid = affordable < BigInt(seal.payees.length) ? Number(affordable) : seal.payees.length
  const escrowLeft = job.escrowLeft - BigInt(paid) * job.pricePerContribution
  const status: JobStatus = seal.round >= job.spec.rounds ? 'done' : escrowLeft < job.pricePerContribution ? 'exhausted' : sealed.status
  return status === sealed.status
    ? { job: { ...sealed, escrowLeft }, paid, refund: 0n }
    : { job: { ...sealed, status, escrowLeft: 0n, endedAt: height }, paid, refund: escrowLeft }
}

const addMaturing = (state: LedgerState, credits: readonly Maturing[]): LedgerState =>
  credits.length === 0 ? state : { ...state, maturing: [...state.maturing, ...credits] }

/** One seal in block `ledger.height`: pays its contributions from escrow, may end the job. */
export function applySeal (params: ChainParams, ledger: LedgerState, id: Uint8Array, seal: SealEffect): Applied {
  const job = findJob(ledger, id)
  if (job === undefined) throw new Error('seal of a job that is not in the ledger')
  const maturesAt = ledger.height + params.maturity
  const after = jobAfterSeal(job, seal, ledger.height)
  const events: LedgerEvent[] = []
  const credits: Maturing[] = []
  for (const payee of seal.payees.slice(0, after.paid)) {
    credits.push({ height: maturesAt, account: payee, amount: job.pricePerContribution, kind: 'contribution', job: job.id })
    events.push({ kind: 'contribution', account: payee, amount: job.pricePerContribution, maturesAt, job: job.id, round: seal.round, counterparty: job.owner })
  }
  let next = addMaturing(replaceJob(ledger, after.job), credits)
  if (after.refund > 0n) {
    next = credit(next, job.owner, after.refund)
    events.push({ kind: 'job-refund', account: job.owner, amount: after.refund, job: job.id })
  }
  return { ok: true, ledger: dropEnded(next), events }
}

/** Grains a block may issue at `height`. */
export function subsidyAt (params: ChainParams, height: number): bigint {
  return params.subsidy >> BigInt(Math.floor(height / params.halvingBlocks))
}

/** `cost`: of the slice, in cost units. */
export interface SealedContribution { readonly payee: Uint8Array, readonly job: Uint8Array, readonly round: number, readonly cost: number }

/** Last step: the only place where grains are issued, and where the block's fees go on. */
export function payBlock (params: ChainParams, ledger: LedgerState, payee: Uint8Array, fees: bigint, sealed: readonly SealedContribution[]): Applied {
  const maturesAt = ledger.height + params.maturity
  const subsidy = subsidyAt(params, ledger.height)
  const pool = subsidy * BigInt(CONTRIBUTION_SUBSIDY_SHARE) / 256n
  const reward = subsidy * BigInt(256 - CONTRIBUTION_SUBSIDY_SHARE) / 256n
  const costs = sealed.reduce((sum, c) => sum + BigInt(c.cost), 0n)
  const credits: Maturing[] = []
  const events: LedgerEvent[] = []
  const pay = (kind: Maturing['kind'], key: Uint8Array, amount: bigint, of?: SealedContribution): void => {
    if (amount === 0n) return
    credits.push({ height: maturesAt, account: key, amount, kind, ...(of === undefined ? {} : { job: of.job }) })
    events.push({ kind, account: key, amount, maturesAt, ...(of === undefined ? {} : { job: of.job, round: of.round }) })
  }
  pay('block-reward', payee, reward)
  pay('fees', payee, fees)
  let issued = reward
  for (const c of sealed) {
    // By cost: a count would pay small slices, of which one tab makes many, like large ones.
    const share = pool * BigInt(c.cost) / costs
    pay('contribution-subsidy', c.payee, share, c)
    issued += share
  }
  return { ok: true, ledger: { ...addMaturing(ledger, credits), issued: ledger.issued + issued }, events }
}
