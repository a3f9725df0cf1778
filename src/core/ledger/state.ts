/**
 * The ledger: an immutable value. Accounts are in a merkle-sum map, so the root of the ledger
 * commits to every balance and to their sum; jobs and unripe credits are short lists.
 */
import { ContainerType, ListCompositeType, type ValueOf } from '@chainsafe/ssz'
import { decodeJobSpec, encodeJobSpec, type JobSpec } from '../codec/jobSpec.ts'
import { byteList, Bytes32, type Decoded, decode, toHex, U32, U64, U8, compareBytes, equalBytes, ZERO32 } from '../codec/ssz.ts'
import { hash, u32le, u64le } from '../crypto/hash.ts'
import { MerkleMap, type MerkleValue } from '../crypto/merkleMap.ts'
import { NO_SEEDING, type Seeding, SeedingBytes, seedingFitsReaders, seedingFromBytes, seedingRoot, seedingSum, seedingToBytes } from './pots.ts'
import { MAX_ACTIVE_JOBS, MAX_ENDED_JOBS, MAX_SPEC_BYTES, OFFER_SHARE_LEAST, OFFER_SHARE_WHOLE } from '../params.ts'

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

const EMPTY_ACCOUNT: Account = { balance: 0n, nonce: 0 }
const ACCOUNT_VALUE: MerkleValue<Account> = { encode: a => u32le(a.nonce), amount: a => a.balance }
const NO_ACCOUNTS = MerkleMap.empty<Account>(ACCOUNT_VALUE)

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

/** Whether it was ever sealed: before that nobody can have worked for it. */
export const hasBegun = (job: Pick<JobRecord, 'seal'>): boolean => !equalBytes(job.seal, ZERO32)

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
export const escrowSum = (state: Pick<LedgerState, 'jobs'>): bigint => state.jobs.reduce((a, j) => a + j.escrowLeft, 0n)

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

/** An account is key b32, balance u64, nonce u32: all of fixed size, so a list of them is their bytes one after another. */
const ACCOUNT_BYTES = 44
const MAX_ACCOUNTS = 1 << 20
const MAX_MATURING = 1 << 18
const MAX_JOBS = 1 + MAX_ACTIVE_JOBS + MAX_ENDED_JOBS
const MaturingList = new ListCompositeType(MaturingBytes, MAX_MATURING)
const JobList = new ListCompositeType(JobRecordBytes, MAX_JOBS)

const LedgerBytes = new ContainerType({
  height: U32,
  /** Read by hand: there may be a million, and a value of its own for each field of each takes seconds. */
  accounts: byteList(MAX_ACCOUNTS * ACCOUNT_BYTES),
  jobs: JobList,
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

/** A ledger without its accounts, unripe credits and pay for seeding, which are named by hash: enough for its root, and for what jobs there were. */
export interface LedgerOutline {
  readonly height: number
  readonly accountsRoot: Uint8Array
  readonly accountsSum: bigint
  readonly jobs: readonly JobRecord[]
  readonly maturingHash: Uint8Array
  readonly seedingRoot: Uint8Array
  readonly issued: bigint
  readonly burned: bigint
}

export function outlineOf (state: LedgerState): LedgerOutline {
  return {
    height: state.height,
    accountsRoot: state.accounts.root,
    accountsSum: state.accounts.sum,
    jobs: state.jobs,
    maturingHash: hash('maturing', MaturingList.serialize(state.maturing.map(maturingToBytes))),
    seedingRoot: seedingRoot(state.seeding),
    issued: state.issued,
    burned: state.burned
  }
}

export function outlineRoot (o: LedgerOutline): Uint8Array {
  return hash('ledger', u32le(o.height), o.accountsRoot, u64le(o.accountsSum), hash('jobs', ...o.jobs.map(jobHash)), o.maturingHash, o.seedingRoot, u64le(o.issued), u64le(o.burned))
}

/** What a block's stateRoot names: all of the ledger. */
export const ledgerRoot = (state: LedgerState): Uint8Array => outlineRoot(outlineOf(state))

function accountsToBytes (accounts: MerkleMap<Account>): Uint8Array {
  const bytes = new Uint8Array(accounts.size * ACCOUNT_BYTES)
  const view = new DataView(bytes.buffer)
  let at = 0
  for (const [key, a] of accounts.entries()) {
    bytes.set(key, at)
    view.setBigUint64(at + 32, a.balance, true)
    view.setUint32(at + 40, a.nonce, true)
    at += ACCOUNT_BYTES
  }
  return bytes
}

/** What is wrong with them, if they cannot be read. */
function accountsFromBytes (bytes: Uint8Array): MerkleMap<Account> | string {
  if (bytes.length % ACCOUNT_BYTES !== 0) return 'an account is cut'
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const entries: Array<readonly [Uint8Array, Account]> = []
  for (let at = 0; at < bytes.length; at += ACCOUNT_BYTES) {
    const key = bytes.subarray(at, at + 32)
    const a = { balance: view.getBigUint64(at + 32, true), nonce: view.getUint32(at + 40, true) }
    if (at > 0 && compareBytes(entries[entries.length - 1][0], key) >= 0) return 'accounts are not in ascending key order'
    if (a.balance === 0n && a.nonce === 0) return 'an empty account is listed'
    entries.push([key, a])
  }
  return MerkleMap.fromSorted(ACCOUNT_VALUE, entries)
}

export function encodeLedger (state: LedgerState): Uint8Array {
  return LedgerBytes.serialize({
    height: state.height,
    accounts: accountsToBytes(state.accounts),
    jobs: state.jobs.map(jobToBytes),
    maturing: state.maturing.map(maturingToBytes),
    seeding: seedingToBytes(state.seeding),
    issued: state.issued,
    burned: state.burned
  })
}

/** Whether no list of it is longer than `decodeLedger` reads; the bytes of all together are for the caller to see. */
export const fitsReaders = ({ accounts, maturing, seeding }: LedgerState): boolean =>
  accounts.size <= MAX_ACCOUNTS && maturing.length <= MAX_MATURING && seedingFitsReaders(seeding)

const bad = (detail: string): { readonly ok: false, readonly error: { readonly reason: 'malformed', readonly detail: string } } =>
  ({ ok: false, error: { reason: 'malformed', detail } })

/** What is wrong with a job table, if it is none. */
function jobsFromBytes (list: ValueOf<typeof JobList>, height: number): JobRecord[] | string {
  const jobs: JobRecord[] = []
  const ids = new Set<string>()
  for (const j of list) {
    const spec = decodeJobSpec(j.spec)
    if (!spec.ok) return `job spec: ${spec.error.detail}`
    const status = JOB_STATUSES[j.status]
    if (status === undefined) return `job status ${j.status}`
    if ((status === 'benchmark') !== (jobs.length === 0)) return 'the benchmark is not the first job'
    const open = status === 'benchmark' || status === 'waiting' || status === 'active'
    if (open !== (j.endedAt === 0)) return 'endedAt and status of a job disagree'
    if (j.cancelsAt !== 0 && (status === 'benchmark' || status === 'waiting' || (status === 'active' && j.cancelsAt <= height))) return 'the cancellation of a job is wrong'
    if (j.escrowLeft > j.escrow || (!open && j.escrowLeft !== 0n)) return 'the escrow left of a job is wrong'
    if (j.offerShare < OFFER_SHARE_LEAST || j.offerShare > OFFER_SHARE_WHOLE) return 'the offer share of a job is out of range'
    ids.add(toHex(j.id))
    jobs.push({ ...j, spec: spec.value, status })
  }
  if (jobs.length === 0) return 'no benchmark'
  return ids.size === jobs.length ? jobs : 'a job is listed twice'
}

const OutlineBytes = new ContainerType({
  height: U32,
  accountsRoot: Bytes32,
  accountsSum: U64,
  jobs: JobList,
  maturingHash: Bytes32,
  seedingRoot: Bytes32,
  issued: U64,
  burned: U64
})
/** A job table is full of the largest specs at this, bytes. */
export const MAX_OUTLINE_BYTES = 64 * 1024

export const encodeOutline = (o: LedgerOutline): Uint8Array => OutlineBytes.serialize({ ...o, jobs: o.jobs.map(jobToBytes) })

/** Whether it is the right one is for the caller to see: compare `outlineRoot` with a stateRoot. */
export function decodeOutline (bytes: Uint8Array): Decoded<LedgerOutline> {
  const raw = decode(OutlineBytes, bytes, MAX_OUTLINE_BYTES)
  if (!raw.ok) return raw
  const jobs = jobsFromBytes(raw.value.jobs, raw.value.height)
  return typeof jobs === 'string' ? bad(jobs) : { ok: true, value: { ...raw.value, jobs } }
}

/** Whether it is the right ledger is for the caller to see: compare `ledgerRoot` with a stateRoot. */
export function decodeLedger (bytes: Uint8Array): Decoded<LedgerState> {
  const raw = decode(LedgerBytes, bytes, MAX_LEDGER_BYTES)
  if (!raw.ok) return raw
  const v = raw.value
  const accounts = accountsFromBytes(v.accounts)
  if (typeof accounts === 'string') return bad(accounts)
  const jobs = jobsFromBytes(v.jobs, v.height)
  if (typeof jobs === 'string') return bad(jobs)
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
