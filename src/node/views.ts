/** Projections of the chain for the page: pure functions from records to what is shown. */
import type { BlockView, JobView, NodeView, PendingView, UnsentView, WalletView } from '../bridge/api.ts'
import { formatAddress } from '../core/codec/address.ts'
import { equalBytes, toHex } from '../core/codec/ssz.ts'
import { decodeJobSpec } from '../core/codec/jobSpec.ts'
import { ACTION_CANCEL_JOB, ACTION_POST_JOB, ACTION_REDEEM, ACTION_SET_ASIDE, ACTION_TRANSFER, type SignedTransaction } from '../core/codec/wire.ts'
import { blockWork } from '../core/consensus/target.ts'
import { jobId, specHash, transactionId } from '../core/crypto/ids.ts'
import { account, findJob, isEnded, type JobRecord, type LedgerState } from '../core/ledger/state.ts'
import type { ChainParams } from '../core/params.ts'
import { recordBytes } from '../core/training/dataset.ts'
import { describeModel } from '../core/training/architectureJson.ts'
import { shapeOf } from '../core/training/shape.ts'
import { utf8Text } from '../core/training/utf8.ts'
import type { PeerId } from '../ports/network.ts'
import type { BlockRecord, Hex } from './parts.ts'

export const jobName = (job: JobRecord | undefined): string => job === undefined ? 'unknown job' : (utf8Text(job.spec.name) ?? toHex(job.id).slice(0, 12))

export function blockView (record: BlockRecord, me: { readonly miner: Uint8Array, readonly onMainChain: boolean }): BlockView {
  const { meta, body } = record
  const t = meta.header.template
  const sum = (kind: string): bigint => record.events.filter((e) => e.kind === kind && equalBytes(e.account, t.payee)).reduce((n, e) => n + e.amount, 0n)
  return {
    hash: toHex(meta.hash),
    height: meta.height,
    parent: toHex(t.parent),
    timeMs: t.time,
    miner: toHex(t.miner),
    payee: toHex(t.payee),
    mine: equalBytes(t.miner, me.miner),
    job: toHex(t.job),
    jobName: jobName(findJob(meta.ledger, t.job)),
    round: t.round,
    slice: meta.header.slice,
    resultHash: toHex(meta.header.resultHash),
    stateHash: toHex(t.stateHash),
    transactions: body.transactions.length,
    seals: body.seals.length,
    contributions: body.seals.reduce((n, s) => n + s.seal.contributions.length, 0),
    reward: sum('block-reward'),
    fees: sum('fees'),
    work: blockWork(t.target),
    onMainChain: me.onMainChain,
    checked: record.checked
  }
}

/** What is left of a view once the node has stopped: what it knows, and nobody it is linked to, nothing it works on. */
export function atRest (v: NodeView): NodeView {
  return {
    ...v,
    peers: [],
    net: { ...v.net, peers: [], relays: v.net.relays.map((r) => ({ ...r, connected: false })) },
    compute: { ...v.compute, busy: 0, stepsPerSecond: 0, macsPerSecond: 0 },
    mining: { ...v.mining, state: 'off', detail: '', job: undefined, round: undefined, slicesPerSecond: 0, expectedBlockSeconds: undefined },
    networkSamplesPerSecond: 0,
    committee: { ...v.committee, member: false }
  }
}

export interface JobFacts {
  readonly owner: Uint8Array
  /** Newest sealed round and state, pending seals included. */
  readonly round: number
  readonly stateHash: Uint8Array
  readonly data: { readonly have: number, readonly want: number }
  readonly newest?: { readonly accuracy: number, readonly loss: number }
}

export function jobView (job: JobRecord, facts: JobFacts): JobView {
  const { spec } = job
  const benchmark = job.status === 'benchmark'
  const records = spec.data.trainRecords + spec.data.testRecords
  return {
    id: toHex(job.id),
    name: jobName(job),
    status: job.status === 'benchmark' ? 'active' : job.status === 'waiting' ? 'waiting-data' : job.status,
    benchmark,
    mine: !benchmark && equalBytes(job.owner, facts.owner),
    owner: benchmark ? undefined : toHex(job.owner),
    model: describeModel(spec),
    input: { channels: spec.channels, height: spec.height, width: spec.width },
    parameters: shapeOf(spec).parameters,
    batch: spec.batch,
    stepsPerSlice: spec.stepsPerSlice,
    round: facts.round,
    rounds: spec.rounds,
    escrow: job.escrow,
    escrowLeft: job.escrowLeft,
    pricePerContribution: job.pricePerContribution,
    burn: job.burn,
    deadline: benchmark ? undefined : job.deadline,
    cancelsAt: job.cancelsAt === 0 || isEnded(job) ? undefined : job.cancelsAt,
    features: spec.data.features,
    classes: spec.data.classes,
    trainRecords: spec.data.trainRecords,
    testRecords: spec.data.testRecords,
    dataHeld: facts.data.want === 0 ? 1 : facts.data.have / facts.data.want,
    dataBytes: records * recordBytes(spec.data),
    stateHash: toHex(facts.stateHash),
    accuracy: facts.newest?.accuracy,
    loss: facts.newest?.loss
  }
}

/** What a transaction takes from its sender. */
export function spending (signed: SignedTransaction): bigint {
  const { action, fee } = signed.transaction
  const value = action.value
  if (action.selector === ACTION_TRANSFER && value !== null && 'amount' in value) return fee + value.amount
  if (action.selector === ACTION_POST_JOB && value !== null && 'escrow' in value) return fee + value.escrow + value.burn
  if (action.selector === ACTION_SET_ASIDE && value !== null && 'grains' in value) return fee + value.grains
  return fee
}

/** A transaction that waits for a block, and since when. */
export interface Waiting { readonly signed: SignedTransaction, readonly sinceMs: number }

const PENDING_KIND: Readonly<Record<number, PendingView['kind']>> = {
  [ACTION_TRANSFER]: 'transfer', [ACTION_POST_JOB]: 'job', [ACTION_CANCEL_JOB]: 'cancellation', [ACTION_SET_ASIDE]: 'set-aside', [ACTION_REDEEM]: 'redemption'
}

function pendingView (ledger: LedgerState, { signed, sinceMs }: Waiting): PendingView {
  const { from, nonce, fee, action: { selector, value } } = signed.transaction
  const base = { id: toHex(transactionId(signed.transaction)), kind: PENDING_KIND[selector], amount: spending(signed) - fee, fee, sinceMs }
  if (value !== null && 'to' in value) return { ...base, to: formatAddress(value.to) }
  if (value !== null && 'spec' in value) {
    // The pool takes no job whose spec cannot be read.
    const spec = decodeJobSpec(value.spec)
    return spec.ok ? { ...base, job: toHex(jobId(specHash(spec.value), from, nonce)), name: utf8Text(spec.value.name) } : base
  }
  if (selector === ACTION_CANCEL_JOB && value !== null && 'job' in value) return { ...base, job: toHex(value.job), name: jobName(findJob(ledger, value.job)) }
  return base
}

export function walletView (ledger: LedgerState, key: Uint8Array, waiting: readonly Waiting[], unsent: readonly UnsentView[], kept: Pick<WalletView, 'backedUp' | 'replaced' | 'earned'>, params: Pick<ChainParams, 'minFee'>): WalletView {
  const { balance, nonce } = account(ledger, key)
  return {
    address: formatAddress(key),
    key: toHex(key),
    balance,
    maturing: ledger.maturing.filter((m) => equalBytes(m.account, key)).reduce((n, m) => n + m.amount, 0n),
    pendingOut: waiting.reduce((n, { signed }) => n + spending(signed), 0n),
    pending: waiting.map((w) => pendingView(ledger, w)).filter(({ id }) => unsent.every((u) => u.id !== id)),
    unsent,
    nonce: nonce + waiting.length,
    ...kept,
    minFee: params.minFee
  }
}

/**
 * How far each peer is as far as this tab knows: what it said last, which is not asked of whoever agrees for a
 * minute, or the newest of these blocks that came from it.
 */
export function peerHeights (statuses: ReadonlyMap<PeerId, { readonly height: number }>, blocks: readonly BlockRecord[]): ReadonlyMap<PeerId, number> {
  const heights = new Map([...statuses].map(([id, { height }]) => [id, height]))
  for (const { meta, origin } of blocks) if (origin !== undefined) heights.set(origin, Math.max(heights.get(origin) ?? 0, meta.height))
  return heights
}

/** Share of the work of these blocks that a client paid for, 0..1. */
export function paidShare (blocks: readonly BlockRecord[]): number {
  let paid = 0n
  let all = 0n
  for (const { meta } of blocks) {
    const work = blockWork(meta.header.template.target)
    all += work
    if (findJob(meta.ledger, meta.header.template.job)?.status !== 'benchmark') paid += work
  }
  return all === 0n ? 0 : Number(paid * 10_000n / all) / 10_000
}

/** Samples per second that were sealed into `blocks`, over the time they span. */
export function samplesPerSecond (blocks: readonly BlockRecord[]): number {
  if (blocks.length < 2) return 0
  const newest = blocks[blocks.length - 1].meta
  const span = newest.header.template.time - blocks[0].meta.header.template.time
  let samples = 0
  for (const b of blocks.slice(1)) {
    for (const s of b.body.seals) {
      const spec = findJob(b.meta.ledger, s.seal.job)?.spec
      if (spec !== undefined) samples += s.seal.contributions.length * spec.stepsPerSlice * spec.batch
    }
  }
  return span <= 0 ? 0 : samples / (span / 1000)
}

export const activeJobs = (ledger: LedgerState): readonly JobRecord[] => ledger.jobs.filter((j) => !isEnded(j))

export const shortHex = (bytes: Uint8Array): Hex => toHex(bytes).slice(0, 12)
