/**
 * The ledger: an immutable value. Accounts are in a merkle-sum map, so the root of the ledger
 * commits to every balance and to their sum; jobs and unripe credits are short lists.
 */
import { ContainerType, ListCompositeType } from '@chainsafe/ssz'
import { decodeJobSpec, encodeJobSpec, type JobSpec } from '../codec/jobSpec.ts'
import { byteList, Bytes32, type Decoded, decode, toHex, U32, U64, U8, compareBytes, equalBytes, ZERO32 } from '../codec/ssz.ts'
import { hash, u32le, u64le } from '../crypto/hash.ts'
import { MerkleMap } from '../crypto/merkleMap.ts'
import { NO_SEEDING, type Seeding, SeedingBytes, seedingFromBytes, seedingRoot, seedingSum, seedingToBytes } from './pots.ts'
import { MAX_ACTIVE_JOBS, MAX_SPEC_BYTES, OFFER_SHARE_LEAST, OFFER_SHARE_WHOLE } from '../params.ts'

export interface Account {
  /** Grains that can be spent now. */
  readonly balance: bigint
  /** The nonce the account's next transaction must carry. */
  readonly nonce: number
}

/**
 * waiting: posted, the committee has not yet attested that the data is held (seal of round 0).
 * waiting -> active -> done | exhausted; waiting, active -> expired | cancelled. The benchmark stays.
 * An active job whose owner has cancelled it stays active until cancelsAt.
 */
export const JOB_STATUSES = ['benchmark', 'waiting', 'active', 'done', 'expired', 'cancelled', 'exhausted'] as const
export type JobStatus = typeof JOB_STATUSES[number]

export interface JobRecord {
  readonly id: Uint8Array
  readonly spec: JobSpec
  /** Zeros for the benchmark, whose "owner" can do nothing. */
  readonly owner: Uint8Array
  readonly status: JobStatus
  /** Index of the newest sealed state. */
  readonly round: number
  /** Hash of the seal that defines it; zero for round 0 of the benchmark and for a waiting job. */
  readonly seal: Uint8Array
  /** Zero for a waiting job. */
  readonly stateHash: Uint8Array
  /** Height of the anchor of that seal; 0 where there is none. */
  readonly sealAnchorHeight: number
  readonly escrow: bigint
  readonly escrowLeft: bigint
  readonly pricePerContribution: bigint
  readonly burn: bigint
  readonly postedAt: number
  readonly deadline: number
  /** Height at which the job ends because its owner has cancelled it; 0 if he has not. */
  readonly cancelsAt: number
  /** Height at which the job ended; 0 while it has not. */
  readonly endedAt: number
  /** Of the contributions drawn by the count of miners, so many of OFFER_SHARE_WHOLE may be offered. */
  readonly offerShare: number
}

export const MATURING_KINDS = ['block-reward', 'contribution', 'contribution-subsidy', 'fees'] as const
export type MaturingKind = typeof MATURING_KINDS[number]

/** A credit that can be spent from block `height` on. */
export interface Maturing {
  readonly height: number
  readonly account: Uint8Array
  readonly amount: bigint
  readonly kind: MaturingKind
  readonly job?: Uint8Array
}

export interface LedgerState {
  readonly height: number
  readonly accounts: MerkleMap<Account>
  /** The benchmark first, then in the order of posting. */
  readonly jobs: readonly JobRecord[]
  /** Ascending in height. */
  readonly maturing: readonly Maturing[]
  /** What was set aside for those who send bytes, and what they were paid for. */
  readonly seeding: Seeding
  /** Grains ever issued, and grains destroyed of them. */
  readonly issued: bigint
  readonly burned: bigint
}

/** Ended jobs that stay readable in the table. */
export const MAX_ENDED_JOBS = 32

const EMPTY_ACCOUNT: Account = { balance: 0n, nonce: 0 }
const NO_ACCOUNTS = MerkleMap.empty<Account>({ encode: a => u32le(a.nonce), amount: a => a.balance })

export const account = (state: LedgerState, key: Uint8Array): Account => state.accounts.get(key) ?? EMPTY_ACCOUNT

export function withAccount (state: LedgerState, key: Uint8Array, value: Account): LedgerState {
  const empty = value.balance === 0n && value.nonce === 0
  return { ...state, accounts: empty ? state.accounts.delete(key) : state.accounts.set(key, value) }
}

export function credit (state: LedgerState, key: Uint8Array, amount: bigint): LedgerState {
  const a = account(state, key)
  return withAccount(state, key, { ...a, balance: a.balance + amount })
}

export const findJob = (state: LedgerState, id: Uint8Array): JobRecord | undefined => state.jobs.find(j => equalBytes(j.id, id))

export function benchmarkJob (state: LedgerState): JobRecord {
  return state.jobs[0]
}

export const isEnded = (job: Pick<JobRecord, 'endedAt'>): boolean => job.endedAt !== 0

/** The ledger of block 0: nothing but the benchmark. */
export function emptyLedger (benchmark: Pick<JobRecord, 'id' | 'spec' | 'stateHash'>): LedgerState {
  const job: JobRecord = {
    ...benchmark,
    owner: ZERO32,
    status: 'benchmark',
    round: 0,
    seal: ZERO32,
    sealAnchorHeight: 0,
    escrow: 0n,
    escrowLeft: 0n,
    pricePerContribution: 0n,
    burn: 0n,
    postedAt: 0,
    deadline: 0,
    cancelsAt: 0,
    endedAt: 0,
    offerShare: OFFER_SHARE_WHOLE
  }
  return { height: 0, accounts: NO_ACCOUNTS, jobs: [job], maturing: [], seeding: NO_SEEDING, issued: 0n, burned: 0n }
}

export const maturingSum = (state: LedgerState): bigint => state.maturing.reduce((a, m) => a + m.amount, 0n)
export const escrowSum = (state: LedgerState): bigint => state.jobs.reduce((a, j) => a + j.escrowLeft, 0n)

/** Every grain ever issued is somewhere: in an account, unripe, in escrow, set aside, or burned. */
export const isConserved = (state: LedgerState): boolean =>
  state.accounts.sum + maturingSum(state) + escrowSum(state) + seedingSum(state.seeding) + state.burned === state.issued

const JobRecordBytes = new ContainerType({
  id: Bytes32,
  spec: byteList(MAX_SPEC_BYTES),
  owner: Bytes32,
  /** Index into JOB_STATUSES. */
  status: U8,
  round: U32,
  seal: Bytes32,
  stateHash: Bytes32,
  sealAnchorHeight: U32,
  escrow: U64,
  escrowLeft: U64,
  pricePerContribution: U64,
  burn: U64,
  postedAt: U32,
  deadline: U32,
  cancelsAt: U32,
  endedAt: U32,
  offerShare: U32
})

const MaturingBytes = new ContainerType({
  height: U32,
  account: Bytes32,
  amount: U64,
  /** Index into MATURING_KINDS. */
  kind: U8,
  /** Zero for none. */
  job: Bytes32
})

const AccountBytes = new ContainerType({ key: Bytes32, balance: U64, nonce: U32 })

const MAX_ACCOUNTS = 1 << 20
const MAX_MATURING = 1 << 18
const MAX_JOBS = 1 + MAX_ACTIVE_JOBS + MAX_ENDED_JOBS
const MaturingList = new ListCompositeType(MaturingBytes, MAX_MATURING)

const LedgerBytes = new ContainerType({
  height: U32,
  accounts: new ListCompositeType(AccountBytes, MAX_ACCOUNTS),
  jobs: new ListCompositeType(JobRecordBytes, MAX_JOBS),
  maturing: MaturingList,
  seeding: SeedingBytes,
  issued: U64,
  burned: U64
})

/** A snapshot may be this large, bytes. */
export const MAX_LEDGER_BYTES = 64 * 1024 * 1024

const jobToBytes = (j: JobRecord) => ({ ...j, spec: encodeJobSpec(j.spec), status: JOB_STATUSES.indexOf(j.status) })
const maturingToBytes = (m: Maturing) => ({ ...m, kind: MATURING_KINDS.indexOf(m.kind), job: m.job ?? ZERO32 })

/** Records never change in place, so their hash is kept beside them. */
const jobHashes = new WeakMap<JobRecord, Uint8Array>()

function jobHash (job: JobRecord): Uint8Array {
  let h = jobHashes.get(job)
  if (h === undefined) {
    h = hash('job-record', JobRecordBytes.serialize(jobToBytes(job)))
    jobHashes.set(job, h)
  }
  return h
}

/** What a block's stateRoot names: all of the ledger. */
export function ledgerRoot (state: LedgerState): Uint8Array {
  return hash('ledger',
    u32le(state.height),
    state.accounts.root,
    u64le(state.accounts.sum),
    hash('jobs', ...state.jobs.map(jobHash)),
    hash('maturing', MaturingList.serialize(state.maturing.map(maturingToBytes))),
    seedingRoot(state.seeding),
    u64le(state.issued),
    u64le(state.burned))
}

export function encodeLedger (state: LedgerState): Uint8Array {
  return LedgerBytes.serialize({
    height: state.height,
    accounts: Array.from(state.accounts.entries(), ([key, a]) => ({ key, balance: a.balance, nonce: a.nonce })),
    jobs: state.jobs.map(jobToBytes),
    maturing: state.maturing.map(maturingToBytes),
    seeding: seedingToBytes(state.seeding),
    issued: state.issued,
    burned: state.burned
  })
}

const bad = (detail: string): { readonly ok: false, readonly error: { readonly reason: 'malformed', readonly detail: string } } =>
  ({ ok: false, error: { reason: 'malformed', detail } })

/** Whether it is the right ledger is for the caller to see: compare `ledgerRoot` with a stateRoot. */
export function decodeLedger (bytes: Uint8Array): Decoded<LedgerState> {
  const raw = decode(LedgerBytes, bytes, MAX_LEDGER_BYTES)
  if (!raw.ok) return raw
  const v = raw.value
  let accounts = NO_ACCOUNTS
  for (let i = 0; i < v.accounts.length; i++) {
    const a = v.accounts[i]
    if (i > 0 && compareBytes(v.accounts[i - 1].key, a.key) >= 0) return bad('accounts are not in ascending key order')
    if (a.balance === 0n && a.nonce === 0) return bad('an empty account is listed')
    accounts = accounts.set(a.key, { balance: a.balance, nonce: a.nonce })
  }
  const jobs: JobRecord[] = []
  const ids = new Set<string>()
  for (const j of v.jobs) {
    const spec = decodeJobSpec(j.spec)
    if (!spec.ok) return bad(`job spec: ${spec.error.detail}`)
    const status = JOB_STATUSES[j.status]
    if (status === undefined) return bad(`job status ${j.status}`)
    if ((status === 'benchmark') !== (jobs.length === 0)) return bad('the benchmark is not the first job')
    const open = status === 'benchmark' || status === 'waiting' || status === 'active'
    if (open !== (j.endedAt === 0)) return bad('endedAt and status of a job disagree')
    if (j.cancelsAt !== 0 && (status === 'benchmark' || status === 'waiting' || (status === 'active' && j.cancelsAt <= v.height))) return bad('the cancellation of a job is wrong')
    if (j.escrowLeft > j.escrow || (!open && j.escrowLeft !== 0n)) return bad('the escrow left of a job is wrong')
    if (j.offerShare < OFFER_SHARE_LEAST || j.offerShare > OFFER_SHARE_WHOLE) return bad('the offer share of a job is out of range')
    ids.add(toHex(j.id))
    jobs.push({ ...j, spec: spec.value, status })
  }
  if (jobs.length === 0) return bad('no benchmark')
  if (ids.size !== jobs.length) return bad('a job is listed twice')
  const maturing: Maturing[] = []
  for (const m of v.maturing) {
    const kind = MATURING_KINDS[m.kind]
    if (kind === undefined) return bad(`maturing kind ${m.kind}`)
    if (m.height <= (maturing.at(-1)?.height ?? v.height) && m.height !== maturing.at(-1)?.height) return bad('maturing credits are not in order')
    const { job, ...rest } = m
    maturing.push({ ...rest, kind, ...(equalBytes(job, ZERO32) ? {} : { job }) })
  }
  const seeding = seedingFromBytes(v.seeding)
  if (typeof seeding === 'string') return bad(seeding)
  const state: LedgerState = { height: v.height, accounts, jobs, maturing, seeding, issued: v.issued, burned: v.burned }
  return isConserved(state) ? { ok: true, value: state } : bad('grains do not add up')
}
