/** The root of a ledger, docs/protocol.md, section 10.6, and the snapshot that a node hands out. */
import { byteList, bytes, container, list, type Schema, serialize, uint } from '../../support/naiveSsz.ts'
import { bytesOf, H, type Hex, u32, u64, ZEROS } from './bytes.ts'
import { type Account, type Job, KINDS, type Ledger, STATUSES } from './ledger.ts'
import { potRows, type PotRow, seederRows, type SeederRow } from './seeding.ts'
import { type Read, readStrictly } from './wire.ts'

const b32 = bytes(32)
const amount = uint(8, 'bigint')
const JobType = container({
  id: b32, spec: byteList(1024), owner: b32, status: uint(1), round: uint(4), seal: b32, stateHash: b32, sealAnchorHeight: uint(4),
  escrow: amount, escrowLeft: amount, pricePerContribution: amount, burn: amount, postedAt: uint(4), deadline: uint(4), cancelsAt: uint(4), endedAt: uint(4), offerShare: uint(4)
})
const CreditType = container({ height: uint(4), account: b32, amount, kind: uint(1), job: b32 })
const CreditsType = list(CreditType, 2 ** 20)
const PaidType = list(container({ to: b32, infoHash: bytes(20), bytes: uint(8) }), 64)
const PotsType = list(container({ key: b32, left: amount, paid: PaidType }), 2 ** 17)
const SeedingType = container({ setAside: PotsType, redeemable: PotsType, seeders: list(container({ key: b32, bytes: amount, leechers: uint(4), sets: uint(4) }), 2 ** 20) })
const SnapshotType: Schema = container({
  height: uint(4),
  accounts: list(container({ key: b32, balance: amount, nonce: uint(4) }), 2 ** 20),
  jobs: list(JobType, 2 ** 20), maturing: CreditsType, seeding: SeedingType, issued: amount, burned: amount
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
  readonly seeding: { readonly setAside: readonly PotRow[], readonly redeemable: readonly PotRow[], readonly seeders: readonly SeederRow[] }
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
  seeding: { setAside: potRows(ledger.seeding.open), redeemable: potRows(ledger.seeding.redeemable), seeders: seederRows(ledger.seeding.seeders) },
  issued: ledger.issued,
  burned: ledger.burned
})

export const readSnapshot = (from: Uint8Array): Read<Snapshot> => readStrictly<Snapshot>(SnapshotType, from)
export const snapshotBytes = (s: Snapshot): Uint8Array => serialize(SnapshotType, s)

export const sumOfBalances = (s: Pick<Snapshot, 'accounts'>): bigint => sumOf(leavesOf(s.accounts))
const sumOfPots = (pots: readonly PotRow[]): bigint => sumOf(potLeaves(pots))
export const setAsideSum = ({ seeding }: Snapshot): bigint => sumOfPots(seeding.setAside) + sumOfPots(seeding.redeemable)

/** Of a tree: a key, what it weighs, and what else there is of it. */
interface Leaf { readonly key: Uint8Array, readonly weight: bigint, readonly rest: Uint8Array }
const sumOf = (leaves: readonly Leaf[]): bigint => leaves.reduce((sum, { weight }) => sum + weight, 0n)
const leavesOf = (accounts: readonly AccountRow[]): Leaf[] => accounts.map(({ key, balance, nonce }) => ({ key, weight: balance, rest: u32(nonce) }))
const potLeaves = (pots: readonly PotRow[]): Leaf[] => pots.map(({ key, left, paid }) => ({ key, weight: left, rest: serialize(PaidType, paid) }))
const seederLeaves = (seeders: readonly SeederRow[]): Leaf[] =>
  seeders.map(s => ({ key: s.key, weight: 0n, rest: H('seeder', u64(s.bytes), u32(s.leechers), u32(s.sets)) }))

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

/** Of leaves in ascending order of their keys: the first bit in which the first and the last differ divides them. */
function treeRoot (leaves: readonly Leaf[]): Uint8Array {
  if (leaves.length === 0) return ZEROS
  const first = leaves[0]
  if (leaves.length === 1) return remembered('map-leaf', first.key, u64(first.weight), first.rest)
  const last = leaves[leaves.length - 1]
  let bit = 0
  while (bitOf(first.key, bit) === bitOf(last.key, bit)) bit++
  const at = leaves.findIndex(({ key }) => bitOf(key, bit) === 1)
  const left = leaves.slice(0, at)
  const right = leaves.slice(at)
  return remembered('map-branch', u32(bit), treeRoot(left), u64(sumOf(left)), treeRoot(right), u64(sumOf(right)))
}

export const rootOf = (s: Snapshot): Uint8Array => H('ledger',
  u32(s.height), treeRoot(leavesOf(s.accounts)), u64(sumOfBalances(s)),
  H('jobs', ...s.jobs.map(job => H('job-record', serialize(JobType, job)))),
  H('maturing', serialize(CreditsType, s.maturing)),
  H('seeding',
    treeRoot(potLeaves(s.seeding.setAside)), u64(sumOfPots(s.seeding.setAside)),
    treeRoot(potLeaves(s.seeding.redeemable)), u64(sumOfPots(s.seeding.redeemable)), treeRoot(seederLeaves(s.seeding.seeders))),
  u64(s.issued), u64(s.burned))

