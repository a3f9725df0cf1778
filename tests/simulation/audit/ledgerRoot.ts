/** The root of a ledger, docs/protocol.md, section 10.6, and the snapshot that a node hands out. */
import { byteList, bytes, container, list, type Schema, serialize, uint } from '../../support/naiveSsz.ts'
import { bytesOf, H, type Hex, u32, u64, ZEROS } from './bytes.ts'
import { type Account, type Job, KINDS, type Ledger, STATUSES } from './ledger.ts'
import { type Read, readStrictly } from './wire.ts'

const b32 = bytes(32)
const amount = uint(8, 'bigint')
const JobType = container({
  id: b32, spec: byteList(1024), owner: b32, status: uint(1), round: uint(4), seal: b32, stateHash: b32, sealAnchorHeight: uint(4),
  escrow: amount, escrowLeft: amount, pricePerContribution: amount, burn: amount, postedAt: uint(4), deadline: uint(4), cancelsAt: uint(4), endedAt: uint(4), offerShare: uint(4)
})
const CreditType = container({ height: uint(4), account: b32, amount, kind: uint(1), job: b32 })
const CreditsType = list(CreditType, 2 ** 20)
const SnapshotType: Schema = container({
  height: uint(4),
  accounts: list(container({ key: b32, balance: amount, nonce: uint(4) }), 2 ** 20),
  jobs: list(JobType, 2 ** 20), maturing: CreditsType, issued: amount, burned: amount
})

interface JobRow {
  readonly id: Uint8Array, readonly spec: Uint8Array, readonly owner: Uint8Array, readonly status: number, readonly round: number
  readonly seal: Uint8Array, readonly stateHash: Uint8Array, readonly sealAnchorHeight: number, readonly escrow: bigint, readonly escrowLeft: bigint
  readonly pricePerContribution: bigint, readonly burn: bigint, readonly postedAt: number, readonly deadline: number, readonly cancelsAt: number, readonly endedAt: number, readonly offerShare: number
}
interface CreditRow { readonly height: number, readonly account: Uint8Array, readonly amount: bigint, readonly kind: number, readonly job: Uint8Array }
interface AccountRow { readonly key: Uint8Array, readonly balance: bigint, readonly nonce: number }

/** A ledger as it is written down. */
export interface Snapshot {
  readonly height: number, readonly accounts: readonly AccountRow[], readonly jobs: readonly JobRow[], readonly maturing: readonly CreditRow[]
  readonly issued: bigint, readonly burned: bigint
}

const jobRow = (j: Job): JobRow => ({
  id: bytesOf(j.id), spec: j.specBytes, owner: bytesOf(j.owner), status: STATUSES.indexOf(j.status), round: j.round, seal: bytesOf(j.seal),
  stateHash: bytesOf(j.stateHash), sealAnchorHeight: j.sealAnchorHeight, escrow: j.escrow, escrowLeft: j.escrowLeft, pricePerContribution: j.price,
  burn: j.burn, postedAt: j.postedAt, deadline: j.deadline, cancelsAt: j.cancelsAt, endedAt: j.endedAt, offerShare: j.offerShare
})

export const snapshotOf = (ledger: Ledger): Snapshot => ({
  height: ledger.height,
  accounts: [...ledger.accounts].sort(([x], [y]) => x < y ? -1 : 1).map(([key, { balance, nonce }]: readonly [Hex, Account]) => ({ key: bytesOf(key), balance, nonce })),
  jobs: ledger.jobs.map(jobRow),
  maturing: ledger.maturing.map(m => ({ height: m.height, account: bytesOf(m.account), amount: m.amount, kind: KINDS.indexOf(m.kind), job: bytesOf(m.job) })),
  issued: ledger.issued,
  burned: ledger.burned
})

export const readSnapshot = (from: Uint8Array): Read<Snapshot> => readStrictly<Snapshot>(SnapshotType, from)
export const snapshotBytes = (s: Snapshot): Uint8Array => serialize(SnapshotType, s)

export const sumOfBalances = (s: Pick<Snapshot, 'accounts'>): bigint => s.accounts.reduce((sum, { balance }) => sum + balance, 0n)

/** Nodes of the tree of accounts by what is hashed: from block to block most stay. */
const known = new Map<string, Uint8Array>()
const KNOWN_MAX = 400_000

function remembered (tag: 'map-leaf' | 'map-branch', ...parts: readonly Uint8Array[]): Uint8Array {
  const name = `${tag}${Buffer.concat(parts).toString('latin1')}`
  let digest = known.get(name)
  if (digest === undefined) {
    if (known.size >= KNOWN_MAX) known.clear()
    digest = H(tag, ...parts)
    known.set(name, digest)
  }
  return digest
}

const bitOf = (key: Uint8Array, i: number): number => (key[Math.floor(i / 8)] >> (7 - i % 8)) & 1

/** Of accounts in ascending order of their keys: the first bit in which the first and the last differ divides them. */
function accountsRoot (accounts: readonly AccountRow[]): Uint8Array {
  if (accounts.length === 0) return ZEROS
  const first = accounts[0]
  if (accounts.length === 1) return remembered('map-leaf', first.key, u64(first.balance), u32(first.nonce))
  const last = accounts[accounts.length - 1]
  let bit = 0
  while (bitOf(first.key, bit) === bitOf(last.key, bit)) bit++
  const at = accounts.findIndex(({ key }) => bitOf(key, bit) === 1)
  const left = accounts.slice(0, at)
  const right = accounts.slice(at)
  return remembered('map-branch', u32(bit), accountsRoot(left), u64(sumOfBalances({ accounts: left })), accountsRoot(right), u64(sumOfBalances({ accounts: right })))
}

export const rootOf = (s: Snapshot): Uint8Array => H('ledger',
  u32(s.height), accountsRoot(s.accounts), u64(sumOfBalances(s)),
  H('jobs', ...s.jobs.map(job => H('job-record', serialize(JobType, job)))),
  H('maturing', serialize(CreditsType, s.maturing)),
  u64(s.issued), u64(s.burned))

