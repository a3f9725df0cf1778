/**
 * The wire types of the chain: what a node signs, hashes, sends and stores. docs/protocol.md says
 * what each field means; the rules that a decoded value must also satisfy are in `consensus`.
 */
import { ContainerType, ListBasicType, ListCompositeType, UnionType, NoneType, type ValueOf } from '@chainsafe/ssz'
import { MAX_BODIES_PER_REQUEST, MAX_BODY_BYTES, MAX_CONTRIBUTIONS_PER_SEAL, MAX_HEADERS_PER_REQUEST, MAX_RECEIPTS_PER_REDEMPTION, MAX_SEALS_PER_BLOCK, MAX_SPEC_BYTES, MAX_TRANSACTIONS_PER_BLOCK } from '../params.ts'
import { byteList, Bytes20, Bytes32, Bytes64, U16, U256, U32, U53, U64 } from './ssz.ts'

/**
 * The block header without proof, as in PoUW the zero-nonce block. Fixed before the work starts;
 * z = H("template", serialize(T)) keys the slice's noise, so one slice signs one block only.
 */
export const Template = new ContainerType({
  version: U16,
  /** Genesis hash of the network. */
  chain: Bytes32,
  height: U32,
  parent: Bytes32,
  /** Unix time, ms. */
  time: U53,
  /** Ticket bound per cost unit. */
  target: U256,
  bodyRoot: Bytes32,
  /** Root of the ledger after this block. */
  stateRoot: Bytes32,
  /** The key that works and signs; a tab has one of its own. */
  miner: Bytes32,
  /** The account that is paid. */
  payee: Bytes32,
  job: Bytes32,
  /** Index of the state worked on: S_round. */
  round: U32,
  /** Hash of the seal that defines S_round; zero for round 0 of the benchmark. */
  seal: Bytes32,
  stateHash: Bytes32,
  /** rho of height - 1 - rhoDelay: draws the job and the minibatches. */
  randomness: Bytes32
})

/**
 * One slice of work, claimed: a header if its ticket is below target, a contribution if its slice
 * index is eligible, both if both.
 */
export const Claim = new ContainerType({
  template: Template,
  /** s: the slice index under (miner, job, round). */
  slice: U32,
  /** stateHash after the slice's steps. */
  resultHash: Bytes32,
  payloadDigest: Bytes32,
  payloadBytes: U32,
  /** By template.miner over claimMessage(). */
  signature: Bytes64
})

/** What a committee signs: it defines S_round by naming the contributions whose mean it is. */
export const Seal = new ContainerType({
  job: Bytes32,
  /** Index of the state this seal defines; 0 attests that the job's data is held. */
  round: U32,
  /** Hash of the seal of round - 1 (zero where there is none). */
  previous: Bytes32,
  /** Block whose last C miners are the committee. */
  anchor: Bytes32,
  contributions: new ListCompositeType(Claim, MAX_CONTRIBUTIONS_PER_SEAL),
  /** stateHash of S_round. */
  stateHash: Bytes32
})

export const SealSignature = new ContainerType({
  /** Index into the committee of the seal's anchor (sorted keys). */
  member: U16,
  signature: Bytes64
})

export const MAX_COMMITTEE = 64
export const SignedSeal = new ContainerType({
  seal: Seal,
  /** Ascending by member, no member twice. */
  signatures: new ListCompositeType(SealSignature, MAX_COMMITTEE)
})

export const Transfer = new ContainerType({ to: Bytes32, amount: U64 })
export const PostJob = new ContainerType({
  spec: byteList(MAX_SPEC_BYTES),
  /** Paid out per sealed contribution, the rest returned. */
  escrow: U64,
  pricePerContribution: U64,
  /** Burned at once; the job's weight in the draw. */
  burn: U64,
  /** Height at which what is left returns. */
  deadline: U32
})
export const CancelJob = new ContainerType({ job: Bytes32 })

/** For those who send bytes to the transaction's sender in this epoch; what they do not claim comes back. */
export const SetAside = new ContainerType({ grains: U64 })
/** A Receipt (library.ts) without what the transaction says already: its chain, and `to`, who sends it. */
export const RedeemedReceipt = new ContainerType({
  /** Who got the bytes, and pays. */
  from: Bytes32,
  infoHash: Bytes20,
  bytes: U53,
  /** By `from` over receiptMessage(). */
  signature: Bytes64
})
export const Redeem = new ContainerType({
  /** Of all the receipts: the one before the block's. */
  epoch: U32,
  receipts: new ListCompositeType(RedeemedReceipt, MAX_RECEIPTS_PER_REDEMPTION)
})

/** Selector 0 is never valid: the union's None keeps the other selectors stable. */
export const Action = new UnionType([new NoneType(), Transfer, PostJob, CancelJob, SetAside, Redeem])
export const ACTION_TRANSFER = 1
export const ACTION_POST_JOB = 2
export const ACTION_CANCEL_JOB = 3
export const ACTION_SET_ASIDE = 4
export const ACTION_REDEEM = 5

export const Transaction = new ContainerType({
  chain: Bytes32,
  from: Bytes32,
  nonce: U32,
  fee: U64,
  action: Action
})
export const SignedTransaction = new ContainerType({ transaction: Transaction, signature: Bytes64 })

export const Body = new ContainerType({
  transactions: new ListCompositeType(SignedTransaction, MAX_TRANSACTIONS_PER_BLOCK),
  /** Per job in ascending rounds. */
  seals: new ListCompositeType(SignedSeal, MAX_SEALS_PER_BLOCK)
})

export const Block = new ContainerType({ header: Claim, body: Body })

/** A supervisor's word that it replayed a contribution and found it right. */
export const Vouch = new ContainerType({ job: Bytes32, contribution: Bytes32, member: Bytes32, signature: Bytes64 })
/** A seal offered for signing, with the vouches that its contributions stand on. */
export const Proposal = new ContainerType({
  seal: Seal,
  vouches: new ListCompositeType(Vouch, MAX_CONTRIBUTIONS_PER_SEAL * 2),
  proposer: Bytes32,
  signature: Bytes64
})
/** One member's signature on a proposed seal. */
export const SealVote = new ContainerType({ job: Bytes32, sealHash: Bytes32, member: Bytes32, signature: Bytes64 })

/** "Replay this one": names a sealed contribution; whoever names a right one loses score. */
export const Challenge = new ContainerType({ job: Bytes32, sealHash: Bytes32, contribution: Bytes32 })

/** Everything that travels on a job's topic. */
export const WorkMessage = new UnionType([new NoneType(), Claim, Vouch, Proposal, SealVote, SignedSeal, Challenge])
export const WORK_CLAIM = 1
export const WORK_VOUCH = 2
export const WORK_PROPOSAL = 3
export const WORK_VOTE = 4
export const WORK_SEAL = 5
export const WORK_CHALLENGE = 6

/** Sync. Requests and responses of the stream protocols; docs/protocol.md lists them. */
export const Status = new ContainerType({
  chain: Bytes32,
  version: U16,
  head: Bytes32,
  height: U32,
  /** Cumulative work of the head. */
  work: U256,
  /** Oldest height of which this node keeps payloads and states. */
  historyFrom: U32
})
export const HeadersRequest = new ContainerType({
  /** Known blocks, newest first, with growing gaps; the answer starts after the first one known. */
  locator: new ListCompositeType(Bytes32, 64),
  count: U16
})
export const HeadersResponse = new ContainerType({ headers: new ListCompositeType(Claim, MAX_HEADERS_PER_REQUEST) })
/** Which ledger snapshots the node serves as torrents, newest first. */
export const SnapshotRequest = new ContainerType({ chain: Bytes32 })
export const SnapshotOffer = new ContainerType({
  height: U32,
  /** The block after which the ledger is as in the snapshot. */
  block: Bytes32,
  infoHash: Bytes20,
  /** Of the one file. */
  bytes: U32
})
export const MAX_SNAPSHOT_OFFERS = 2
export const SnapshotResponse = new ContainerType({ offers: new ListCompositeType(SnapshotOffer, MAX_SNAPSHOT_OFFERS) })
/** Names asked for at once: roots of data sets, hashes of model states. */
export const MAX_TORRENT_NAMES = 16
/** Which torrents of these the node serves whole. */
export const TorrentsRequest = new ContainerType({ chain: Bytes32, names: new ListCompositeType(Bytes32, MAX_TORRENT_NAMES) })
export const TorrentOffer = new ContainerType({
  name: Bytes32,
  infoHash: Bytes20,
  /** Of the one file. */
  bytes: U32
})
export const TorrentsResponse = new ContainerType({ offers: new ListCompositeType(TorrentOffer, MAX_TORRENT_NAMES) })
export const BodiesRequest = new ContainerType({ hashes: new ListCompositeType(Bytes32, MAX_BODIES_PER_REQUEST) })
/** Empty list entry: not held. */
export const BodiesResponse = new ContainerType({ bodies: new ListCompositeType(byteList(MAX_BODY_BYTES), MAX_BODIES_PER_REQUEST) })
export const PayloadRequest = new ContainerType({ digest: Bytes32 })
/** A chunk of the canonical bytes of the model state with this hash. */
export const StateRequest = new ContainerType({ job: Bytes32, stateHash: Bytes32, offset: U32 })
/** Rounds of a job of which the node holds a whole state, ascending. */
export const StateListRequest = new ContainerType({ job: Bytes32 })
export const StateListResponse = new ContainerType({ rounds: new ListBasicType(U32, 64) })
/**
 * A chunk is the largest power of two of records that takes at most this many bytes: the ranges in
 * which a data set is asked for, proved and stored. Few and large, for each costs a way there and back.
 */
export const DATA_CHUNK_BYTES = 512 * 1024
/** What its packed form takes at most: a control byte per 128 literals more (training/zeroRuns.ts). */
export const PACKED_CHUNK_BYTES = DATA_CHUNK_BYTES + DATA_CHUNK_BYTES / 128
/** Records first..first+count-1 are one chunk, the last one of a set ends with it. */
export const DataRequest = new ContainerType({ root: Bytes32, first: U32, count: U32 })
export const DataResponse = new ContainerType({
  /** Canonical record bytes, concatenated, packed. */
  records: byteList(PACKED_CHUNK_BYTES),
  /** Sibling hashes that prove the chunk against the root (crypto/merkle.ts). */
  proof: new ListCompositeType(Bytes32, 64)
})

export type Template = ValueOf<typeof Template>
export type Claim = ValueOf<typeof Claim>
export type Seal = ValueOf<typeof Seal>
export type SealSignature = ValueOf<typeof SealSignature>
export type SignedSeal = ValueOf<typeof SignedSeal>
export type Transaction = ValueOf<typeof Transaction>
export type RedeemedReceipt = ValueOf<typeof RedeemedReceipt>
export type SignedTransaction = ValueOf<typeof SignedTransaction>
export type Body = ValueOf<typeof Body>
export type Block = ValueOf<typeof Block>
export type Vouch = ValueOf<typeof Vouch>
export type Proposal = ValueOf<typeof Proposal>
export type SealVote = ValueOf<typeof SealVote>
export type Challenge = ValueOf<typeof Challenge>
export type WorkMessage = ValueOf<typeof WorkMessage>
export type Status = ValueOf<typeof Status>
export type SnapshotOffer = ValueOf<typeof SnapshotOffer>
export type TorrentOffer = ValueOf<typeof TorrentOffer>
