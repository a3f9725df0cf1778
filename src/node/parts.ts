/**
 * The seams between the parts of a node: who may ask what of whom. Each part takes the few it needs
 * by constructor argument; nothing here has an implementation.
 */
import type { DataRef, JobSpec } from '../core/codec/jobSpec.ts'
import type { Block, Body, Claim, SignedSeal, SignedTransaction } from '../core/codec/wire.ts'
import type { BlockMeta } from '../core/consensus/chain.ts'
import type { Refusal } from '../core/consensus/refusal.ts'
import type { LedgerEvent } from '../core/ledger/apply.ts'
import type { JobRecord } from '../core/ledger/state.ts'
import type { Dataset } from '../core/training/dataset.ts'
import type { ModelState } from '../core/training/modelState.ts'
import type { Table } from '../core/training/table.ts'
import type { PeerId } from '../ports/network.ts'

export type Hex = string

export interface Log {
  debug(area: string, text: string): void
  info(area: string, text: string): void
  warn(area: string, text: string): void
  error(area: string, text: string): void
}

/** A refusal kept for the page, and the blame: `peer` is banned where `fatal`. */
export interface Blame {
  /** `deceived`: the peer may have been, by whoever made it; it costs him no more than a harmless one. */
  refuse(r: { readonly what: string, readonly reason: string, readonly detail: string, readonly peer?: PeerId, readonly miner?: Hex, readonly fatal: boolean, readonly deceived?: boolean }): void
  /** A miner key proved to have cheated; its claims are refused from now on. */
  isBannedMiner(miner: Uint8Array): boolean
}

export interface BlockRecord {
  readonly meta: BlockMeta
  readonly body: Body
  readonly events: readonly LedgerEvent[]
  /** How this tab knows the work: redone here, made here, or taken from before the window. */
  readonly checked: 'replayed' | 'own' | 'ledger'
  readonly origin?: PeerId
}

/** `held`: kept until its parent or its data comes. */
export type SubmitResult =
  | { readonly status: 'added', readonly head: boolean }
  | { readonly status: 'known' }
  | { readonly status: 'held', readonly refusal: Refusal }
  | { readonly status: 'refused', readonly refusal: Refusal }

export interface ChainEvents {
  /** Blocks that left and joined the main chain, oldest first. */
  readonly head: (e: { readonly head: BlockMeta, readonly removed: readonly BlockRecord[], readonly added: readonly BlockRecord[] }) => void
}

export interface ChainService {
  head(): BlockMeta
  get(hash: Uint8Array): BlockRecord | undefined
  /** Main-chain block at a height, while kept. */
  at(height: number): BlockRecord | undefined
  submit(block: Block, origin?: PeerId, via?: PeerId): Promise<SubmitResult>
  /** A sealed contribution was proved wrong: drops every block that carries it, and all after. */
  condemn(contribution: Uint8Array, detail: string): Promise<void>
  on<K extends keyof ChainEvents>(event: K, listener: ChainEvents[K]): () => void
}

/** The newest sealed state of a job as this node sees it: on-chain plus the pending seals on top. */
export interface JobTip {
  readonly job: JobRecord
  readonly spec: JobSpec
  readonly round: number
  /** Hash of the seal that defines the state. */
  readonly seal: Uint8Array
  readonly stateHash: Uint8Array
  readonly anchorHeight: number
  /** Seals of this job not yet on the main chain, ascending. */
  readonly pending: readonly SignedSeal[]
}

export interface StatesService {
  /** The model state with this hash, recomputed from a snapshot and payloads if need be. */
  state(job: Uint8Array, round: number, stateHash: Uint8Array, from?: PeerId): Promise<ModelState | undefined>
  /** Recomputes S_r from S_{r-1} and the payloads of the seal. Fetches what is missing. */
  sealState(spec: JobSpec, signed: SignedSeal, via?: PeerId): Promise<
    | { readonly kind: 'done', readonly stateHash: Uint8Array }
    | { readonly kind: 'unavailable', readonly detail: string }
    | { readonly kind: 'bad-payload', readonly detail: string, readonly contribution: Uint8Array }>
  /** Seals of a block whose work is taken on trust, on whatever branch: the way to the states that those after them start from. */
  told(seals: readonly SignedSeal[]): void
}

export interface PayloadService {
  has(digest: Uint8Array): Promise<boolean>
  get(digest: Uint8Array): Promise<Uint8Array | undefined>
  put(digest: Uint8Array, bytes: Uint8Array, round: { readonly job: Uint8Array, readonly round: number }): Promise<void>
  /** From `from` first, then others. Checks size and digest. */
  fetch(digest: Uint8Array, bytes: number, round: { readonly job: Uint8Array, readonly round: number }, from?: PeerId): Promise<Uint8Array | undefined>
  /** Of a contribution that nobody has sealed: from whoever brought it, from others only within what it may make this node ask. */
  fetchOffered(digest: Uint8Array, bytes: number, round: { readonly job: Uint8Array, readonly round: number }, from: PeerId): Promise<Uint8Array | undefined>
}

export interface DataService {
  /** The data set, once held whole and verified against its root. */
  held(root: Uint8Array): Dataset | undefined
  /** What this node knows of a table that it has read, its records held or not. */
  tableOf(ref: Pick<DataRef, 'root' | 'features' | 'classes'>): Table | undefined
  progress(root: Uint8Array): { readonly have: number, readonly want: number }
  /** Starts fetching in the background. */
  want(spec: JobSpec): void
  /** Takes a data set the user brought. */
  add(data: Dataset): Promise<void>
  /** Shares one that is held as a torrent, however small. */
  publish(root: Uint8Array): void
}

/** Redoes one slice. */
export interface ReplayOptions {
  /** Who shows the block, where it is not here. */
  readonly from?: PeerId
  /** All that it takes is here, and it waits for nothing but the device. Not called where the result is known. */
  readonly begun?: () => void
}

export interface ReplayService {
  replay(claim: Claim, spec: JobSpec, priority: 'replay' | 'background', o?: ReplayOptions): Promise<
    | { readonly kind: 'done', readonly resultHash: Uint8Array, readonly payloadDigest: Uint8Array, readonly elapsedMs: number }
    | { readonly kind: 'unavailable', readonly detail: string }>
}

export interface WorkService {
  /** Newest sealed state of a job, pending seals included. */
  tip(job: Uint8Array): JobTip | undefined
  /** Seals a block on top of `parent` must carry now. */
  pendingSeals(parent: BlockMeta): SignedSeal[]
}

export interface PoolService {
  add(tx: SignedTransaction, origin?: PeerId): Promise<Refusal | undefined>
  /** Valid in this order on top of `parent`, best fee first. */
  select(parent: BlockMeta): SignedTransaction[]
  pending(from: Uint8Array): SignedTransaction[]
}
