/**
 * What the page may ask of the node and what the node tells the page. Every value survives
 * structured clone: bytes are Uint8Array or lower-case hex, amounts are bigint grains.
 * The same object, wrapped, is `window.commonweight`.
 */
import type { Table } from '../core/training/table.ts'
import type { BackendChoice, BackendName, ComputeStatus, EvaluationResult } from '../ports/compute.ts'
import type { NetworkStatus } from '../ports/network.ts'

export type Hex = string

/** Where the node stands, as one union; the UI words each. */
export type NodePhase =
  | { readonly phase: 'starting', readonly step: string }
  | { readonly phase: 'joining' }
  | { readonly phase: 'alone' }
  | { readonly phase: 'syncing', readonly height: number, readonly target: number, readonly stage: 'headers' | 'snapshot' | 'blocks' | 'states' | 'replay', /** Over all stages of this catching-up, 0..1; never less than before. */ readonly done: number }
  | { readonly phase: 'behind', readonly height: number, readonly target: number, readonly done: number }
  | { readonly phase: 'ready' }
  | { readonly phase: 'no-data', readonly job: Hex, readonly have: number, readonly want: number }
  | { readonly phase: 'pruned', readonly height: number, readonly detail: string }
  | { readonly phase: 'asleep', readonly forMs: number }
  | { readonly phase: 'newer-version', readonly version: number }
  | { readonly phase: 'storage-failed', readonly kind: 'full' | 'gone' | 'newer' | 'corrupt', readonly detail: string }
  | { readonly phase: 'stopped', readonly detail: string }

export interface MiningSettings {
  readonly on: boolean
  /** Kernels at once, 1..workersMax. */
  readonly workers: number
  /** Share of time the kernels may use, 0.1..1. */
  readonly duty: number
  readonly pauseWhenHidden: boolean
  readonly pauseOnBattery: boolean
  /** What computes: the fastest that is right, or what the user wants. */
  readonly backend: BackendChoice
}

export interface MiningView {
  readonly settings: MiningSettings
  readonly state: 'off' | 'waiting' | 'working' | 'paused-hidden' | 'paused-battery'
  /** Why it is waiting, for people. */
  readonly detail: string
  readonly job?: Hex
  readonly round?: number
  readonly slices: number
  readonly blocksFound: number
  readonly contributionsSealed: number
  /** Slices per second and expected seconds to the next block of this tab, smoothed. */
  readonly slicesPerSecond: number
  readonly expectedBlockSeconds?: number
}

export interface BlockView {
  readonly hash: Hex
  readonly height: number
  readonly parent: Hex
  readonly timeMs: number
  readonly miner: Hex
  readonly payee: Hex
  readonly mine: boolean
  readonly job: Hex
  readonly jobName: string
  /** Rounds are counted by the state that the work starts from, here, in `MiningView`, `JobView` and the history alike: work of round r goes into the seal that makes round r + 1. */
  readonly round: number
  readonly slice: number
  readonly resultHash: Hex
  readonly stateHash: Hex
  readonly transactions: number
  readonly seals: number
  readonly contributions: number
  readonly reward: bigint
  readonly fees: bigint
  /** Cost units. */
  readonly work: bigint
  readonly onMainChain: boolean
  /** replayed: this tab redid the work; ledger: rules checked, work taken from before the window. */
  readonly checked: 'replayed' | 'ledger' | 'own' | 'pending'
}

export interface ReplayView {
  readonly hash: Hex
  readonly ok: boolean
  readonly claimedResult: Hex
  readonly computedResult?: Hex
  readonly claimedPayload: Hex
  readonly computedPayload?: Hex
  readonly ticket?: Hex
  readonly backend: BackendName
  readonly steps: number
  readonly elapsedMs: number
  /** Named reason if it could not be done (state pruned, data missing) or did not match. */
  readonly reason?: string
}

/** A record is [channels, height, width], row major. */
export interface RecordShape { readonly channels: number, readonly height: number, readonly width: number }

/** A row is there where the columns of the data are known: the record in their units. */
export interface SampleView extends RecordShape { readonly features: Uint8Array, readonly label: number, readonly className: string, readonly row?: readonly string[] }

export interface JobView {
  readonly id: Hex
  readonly name: string
  readonly status: 'waiting-data' | 'active' | 'done' | 'expired' | 'cancelled' | 'exhausted'
  readonly benchmark: boolean
  readonly mine: boolean
  readonly owner?: Hex
  /** Its layers, in words. */
  readonly model: string
  /** What the model takes a record for; [features, 1, 1] where it is no picture. */
  readonly input: RecordShape
  readonly parameters: number
  readonly batch: number
  readonly stepsPerSlice: number
  readonly round: number
  readonly rounds: number
  readonly escrow: bigint
  readonly escrowLeft: bigint
  readonly pricePerContribution: bigint
  readonly burn: bigint
  readonly deadline?: number
  /** Block with which it ends because its owner has cancelled it; until then work is sealed and paid. */
  readonly cancelsAt?: number
  readonly features: number
  readonly classes: number
  readonly trainRecords: number
  readonly testRecords: number
  readonly dataHeld: number
  readonly dataBytes: number
  readonly stateHash: Hex
  /** Newest evaluation on the held-out records by this tab. */
  readonly accuracy?: number
  readonly loss?: number
}

/** One point of the learning curve, measured by this tab on `samples` held-out records. */
export interface CurvePoint {
  readonly job: Hex
  readonly round: number
  readonly timeMs: number
  readonly samples: number
  readonly accuracy: number
  readonly loss: number
  /** This tab was not there for the rounds between the point before and this one: nothing is known of them. */
  readonly gap?: boolean
}

/** Paid for work; come in otherwise; gone out. */
export type HistoryGroup = 'earned' | 'received' | 'spent'

export interface HistoryEntry {
  readonly id: string
  readonly height: number
  readonly timeMs: number
  readonly kind: 'block-reward' | 'contribution' | 'contribution-subsidy' | 'fees' | 'received' | 'sent' | 'job-posted' | 'job-refund' | 'set-aside' | 'seeding-pay' | 'set-aside-returned'
  /** Positive: credit. Negative: debit. Grains. */
  readonly amount: bigint
  /** Why, in one sentence. */
  readonly reason: string
  /** Height from which the credit can be spent; undefined when it can be already. */
  readonly maturesAt?: number
  readonly block?: Hex
  readonly job?: Hex
  readonly counterparty?: Hex
}

/** What the wallet called sent and no block will have; the user decides what becomes of it. */
export interface UnsentView {
  readonly id: Hex
  readonly kind: 'transfer' | 'job' | 'cancellation'
  /**
   * Not sent: taken (another transaction of this wallet has its place), same (that one does the same), void (the rules do
   * not let it happen). Whether it will be is open: ahead (another one has its place, in a block that may be lost), stuck (the
   * rules do not let it happen now, or the credits are missing), gap (an earlier one of this wallet is missing). unseen: its place was used where this tab cannot look.
   */
  readonly why: 'taken' | 'same' | 'void' | 'ahead' | 'stuck' | 'gap' | 'unseen'
  /** Of ahead and stuck: until it is known. */
  readonly blocks?: number
  /** Address. */
  readonly to?: string
  /** Without the fee. */
  readonly amount: bigint
  readonly fee: bigint
}

/** Signed, handed to the others, and in no block so far. */
export interface PendingView {
  readonly id: Hex
  readonly kind: 'transfer' | 'job' | 'cancellation' | 'set-aside' | 'redemption'
  /** Address. */
  readonly to?: string
  /** The job that is posted or cancelled, and its name. */
  readonly job?: Hex
  readonly name?: string
  /** Leaves the wallet beside the fee. */
  readonly amount: bigint
  readonly fee: bigint
  /** When this tab took it, Unix time in ms. */
  readonly sinceMs: number
}

export interface WalletView {
  readonly address: string
  readonly key: Hex
  readonly balance: bigint
  /** Earned, not yet spendable. */
  readonly maturing: bigint
  /** Sent but not yet in a block. */
  readonly pendingOut: bigint
  /** What waits for a block, in the order of sending; what stands under `unsent` is not among it. */
  readonly pending: readonly PendingView[]
  /** Oldest first, by whichever tab of this profile. */
  readonly unsent: readonly UnsentView[]
  readonly nonce: number
  /** For blocks and sealed work since the page was opened, by whichever tab of this wallet. */
  readonly earned: bigint
  readonly backedUp: boolean
  /** Another key was put in its place on this device, or all of this site was erased there: this one is in the memory of the tabs that have it, and gone with them. */
  readonly replaced: boolean
  readonly minFee: bigint
}

export interface PeerNode { readonly id: string, readonly link: 'webrtc' | 'relay' | 'server' | 'memory', readonly score: number, readonly height?: number, readonly rttMs?: number }

export interface RefusalView { readonly timeMs: number, readonly what: string, readonly reason: string, readonly detail: string, readonly peer?: string }

export interface LogEntry { readonly timeMs: number, readonly level: 'debug' | 'info' | 'warn' | 'error', readonly area: string, readonly text: string }

/** Everything the page shows, at most four times a second. */
/** What a tab knows of a chain that it joined by the ledger of a recent block, and what it does not. */
export interface JoinedView {
  /** Each checked on the one before it: time, target, ticket, randomness. */
  readonly headers: number
  /** Of them, drawn by lot, those whose signature was checked. */
  readonly signatures: number
  /** Whose ledger was fetched and fits its header; of the blocks up to it only the headers are here. */
  readonly height: number
  /** Of that ledger. */
  readonly bytes: number
  /** Newest blocks in a row whose work was redone, or done, here. */
  readonly replayed: number
}

/** More than half of the peers that this node has dialled claim a chain with more work that left ours below a block of this height, too long ago to be followed. */
export interface PartedView { readonly peers: number, readonly of: number, readonly below: number }

export interface NodeView {
  readonly phase: NodePhase
  readonly network: 'main' | 'test'
  readonly chain: Hex
  readonly slot: number
  readonly self: string
  readonly miner: Hex
  readonly height: number
  readonly head: Hex
  readonly headTimeMs: number
  readonly blockIntervalMs: number
  /** Mean interval of the last blocks, ms. */
  readonly recentIntervalMs?: number
  readonly totalWork: bigint
  readonly issued: bigint
  readonly burned: bigint
  /** Share of recent blocks' work that a client paid for, 0..1. */
  readonly paidShare: number
  readonly peers: readonly PeerNode[]
  readonly net: NetworkStatus
  readonly compute: ComputeStatus
  readonly mining: MiningView
  readonly jobs: readonly JobView[]
  readonly seeding: SeedingView
  readonly wallet: WalletView
  readonly replays: number
  readonly replayFailures: number
  readonly blocksReplayed: readonly Hex[]
  readonly contributionsPerRound: number
  /** Samples trained per second by the whole network, from the seals of the last minute. */
  readonly networkSamplesPerSecond: number
  readonly committee: { readonly size: number, readonly member: boolean, readonly ready: boolean, readonly needsBlocks: number }
  readonly refusals: readonly RefusalView[]
  /** `claimed`: what the browser says, where that cannot be true and `used` is this page's own count. */
  readonly storage: { readonly used: number, readonly quota?: number, readonly claimed?: number, readonly persisted: boolean }
  /** Absent where every block was applied here. */
  readonly joined?: JoinedView
  /** When it was last seen that this wallet is at work on another device, or in another browser, too; absent: not lately. */
  readonly elsewhereAt?: number
  readonly parted?: PartedView
}

export type NodeEvent =
  | { readonly type: 'view', readonly view: NodeView }
  | { readonly type: 'block', readonly block: BlockView }
  | { readonly type: 'curve', readonly point: CurvePoint }
  | { readonly type: 'log', readonly entry: LogEntry }
  | { readonly type: 'notice', readonly level: 'info' | 'warn' | 'error', readonly text: string }

/** A refusal a person can act on: which field, what was wrong, what was expected. */
export interface FieldError { readonly field: string, readonly message: string, readonly line?: number }
export type Outcome<T> = { readonly ok: true, readonly value: T } | { readonly ok: false, readonly errors: readonly FieldError[] }

/** Raw bytes of the user's files; gz is unpacked by the node. */
export interface JobFiles {
  readonly kind: 'idx' | 'csv'
  readonly trainFeatures: { readonly name: string, readonly bytes: Uint8Array }
  /** IDX only. */
  readonly trainLabels?: { readonly name: string, readonly bytes: Uint8Array }
  readonly testFeatures?: { readonly name: string, readonly bytes: Uint8Array }
  readonly testLabels?: { readonly name: string, readonly bytes: Uint8Array }
  /** CSV only: index or header of the label column; default the last. */
  readonly labelColumn?: string
}

export interface DatasetPreview {
  readonly root: Hex
  readonly records: number
  readonly trainRecords: number
  readonly testRecords: number
  readonly features: number
  readonly classes: number
  readonly classNames: readonly string[]
  /** Of a record, where it can be a picture. */
  readonly channels?: number
  readonly width?: number
  readonly height?: number
  readonly bytes: number
  /** A few records to look at: u8 features and class. */
  readonly samples: ReadonlyArray<{ readonly features: Uint8Array, readonly label: number }>
}

export interface JobDraft {
  /** The JSON of a job file (PoUW's form), as text. */
  readonly json: string
  /** Root of a data set staged by previewData, or 'builtin'. */
  readonly data: Hex | 'builtin'
  readonly escrow: bigint
  readonly pricePerContribution: bigint
  readonly burn: bigint
  readonly deadlineBlocks: number
  readonly fee: bigint
}

/** What a draft comes to. */
export interface JobCheck {
  /** The model's layers, in words. */
  readonly model: string
  readonly parameters: number
  /** As the draft says, or as chosen for it. */
  readonly stepsPerSlice: number
  readonly costPerSlice: number
  readonly rounds: number
  readonly contributionsPaid: number
  /** Distinct miners of the recent blocks, at least one. */
  readonly miners: number
  /** About how many contributions a round takes if they all work on it; more miners bring more, up to `perRoundMost`. */
  readonly perRound: number
  readonly perRoundMost: number
  /** What `perRound` contributions in every round cost. */
  readonly escrowForAll: bigint
  readonly total: bigint
}

export interface Prediction { readonly probabilities: readonly number[], readonly label: number, readonly classNames: readonly string[] }

/** Of a row in the units of its table. */
export interface RowPrediction extends Prediction {
  /** What the model sees of it. */
  readonly features: Uint8Array
  /** Columns, from 0, whose value lies outside what training saw and was taken as the nearer end of it. */
  readonly outside: readonly number[]
}

/** A model file that the user has opened. */
export interface OpenedModel {
  /** For `predict`, `predictRow` and `table`, until as many others are open as a tab keeps. */
  readonly id: string
  readonly name: string
  readonly job: Hex
  readonly round: number
  readonly stateHash: Hex
  /** Its layers, in words. */
  readonly model: string
  readonly input: RecordShape
  readonly features: number
  readonly classes: number
}

export type LibraryKind = 'model' | 'dataset' | 'snapshot' | 'file'

/** What its publisher says of a set of files; checked for form, not for truth. */
export interface LibraryNote {
  readonly kind: LibraryKind
  /** SPDX identifier or a few words; empty: not stated. */
  readonly licence: string
  readonly about: string
  /** Key that signed the note. */
  readonly publisher: Hex
  /** Job whose training made it, and the round. */
  readonly job?: Hex
  readonly round?: number
  /** Infohashes of what it was made from. */
  readonly parents: readonly Hex[]
}

export interface SwarmPeerView {
  /** Mesh identity; absent for a plain WebTorrent client. */
  readonly peer?: string
  readonly via: 'mesh' | 'tracker'
  /** Share of the pieces it says it has, 0..1. */
  readonly has: number
  /** Bytes of this set that passed this link, by this tab's count. */
  readonly down: number
  readonly up: number
  readonly downPerSecond: number
  readonly upPerSecond: number
  /** Bytes that receipts signed by it, and by us for it, come to. */
  readonly receiptsIn: number
  readonly receiptsOut: number
  /** We do not serve it now: it gave too little, or others come first. */
  readonly choked: boolean
  /** Checks that it holds what it says to hold; absent where there was none. */
  readonly hosting?: HostingView
}

/** Pieces asked for by lot of those who say that they have all of a set. */
export interface HostingView {
  readonly passed: number
  readonly tried: number
  /** Claims that were not shown to be true and have not been since: 0 or 1 of one peer. */
  readonly unproven: number
}

/** found: heard of, nothing of it is here. */
export type LibraryState = 'found' | 'metadata' | 'checking' | 'downloading' | 'complete' | 'paused' | 'failed'

export interface LibraryItem {
  readonly infoHash: Hex
  readonly name: string
  readonly note?: LibraryNote
  readonly bytes: number
  /** Empty until the metadata is here. */
  readonly files: ReadonlyArray<{ readonly path: string, readonly bytes: number }>
  readonly pieceBytes: number
  readonly pieces: number
  /** A bit per piece that is here and verified, the first one highest, as on the wire (BEP 3). */
  readonly have: Uint8Array
  readonly haveBytes: number
  /** Per piece, how many of the peers linked now have it, 255 at most. */
  readonly availability: Uint8Array
  readonly state: LibraryState
  /** What went wrong and what to do about it. */
  readonly problem?: string
  /** Others that have all of it, and are not known not to. */
  readonly seeders: number
  readonly leechers: number
  readonly down: number
  readonly up: number
  readonly downPerSecond: number
  readonly upPerSecond: number
  readonly peers: readonly SwarmPeerView[]
  /** Of all that announce it now. */
  readonly hosting: HostingView
  readonly magnet: string
  readonly addedAt: number
  /** Here for the node's own work: nobody has asked for it or shared it himself. */
  readonly forNode: boolean
}

export interface LibrarySettings {
  /** Bytes this tab may keep; what nobody asked for longest goes first. */
  readonly budget: number
  /** Bytes per second; 0: no limit. */
  readonly upLimit: number
  readonly downLimit: number
  /** Receipts that pay more than the fee are handed to the chain by themselves. */
  readonly redeem: boolean
  /** Grains set aside per epoch, while something is fetched, for those who send it; 0: nothing. */
  readonly setAside: number
}

/** Pay for seeding, as the chain and this tab's receipts have it. */
export interface SeedingView {
  /** Of the next block, and the blocks until the one after it. */
  readonly epoch: number
  readonly blocksLeft: number
  /** Bytes that others signed for in this epoch; they can be redeemed in the next. */
  readonly signed: number
  /** Grains that receipts of the last epoch pay now, and how many receipts. */
  readonly payable: bigint
  readonly receipts: number
  /** Bytes of the last epoch whose signers have nothing left that was set aside. */
  readonly unpaid: number
  /** A redemption is on its way into a block. */
  readonly sent: boolean
  /** Grains of this wallet that are set aside now. */
  readonly setAside: bigint
  /** Of the ledger, halved every 16 epochs: bytes paid for, payers (once per epoch), sets they asked for. */
  readonly counters: { readonly bytes: number, readonly leechers: number, readonly sets: number }
}

export interface LibraryView {
  readonly items: readonly LibraryItem[]
  readonly settings: LibrarySettings
  /** Where the bytes are: the browser's private file system, or memory only (lost with the tab). */
  readonly store: 'opfs' | 'memory'
  /** Why it is memory only, or why less than wished can be kept. */
  readonly storeProblem?: string
  readonly used: number
  /** Of receipts that others signed for this tab's key, bytes. */
  readonly receiptsIn: number
  readonly receiptsOut: number
  readonly banned: ReadonlyArray<{ readonly peer: string, readonly reason: string }>
  /** Files being read, hashed and copied, to be shared: the part that is done, 0..1. */
  readonly sharing?: number
}

export interface NodeApi {
  /** The current view. */
  view(): Promise<NodeView>
  /** Listens until the returned function is called. */
  listen(listener: (e: NodeEvent) => void): Promise<() => void>

  setMining(settings: Partial<MiningSettings>): Promise<void>
  /** The page tells the node what a worker cannot see. */
  setEnvironment(e: { readonly hidden: boolean, readonly onBattery: boolean }): Promise<void>
  setLogLevel(level: 'debug' | 'info'): Promise<void>

  /** Newest first, below `before` (exclusive) if given. */
  blocks(limit: number, before?: number): Promise<BlockView[]>
  block(hash: Hex): Promise<BlockView | undefined>
  replayBlock(hash: Hex): Promise<ReplayView>
  curve(job: Hex): Promise<CurvePoint[]>
  logs(limit: number): Promise<LogEntry[]>

  /** Newest first, of one group or of all. Each group is kept apart: what is earned pushes out nothing that was received or spent. */
  history(limit: number, group?: HistoryGroup): Promise<HistoryEntry[]>
  send(to: string, amount: bigint, fee: bigint): Promise<Outcome<{ readonly id: Hex }>>
  /** What stands under `unsent` as taken or void; once. */
  sendAgain(id: Hex): Promise<Outcome<{ readonly id: Hex }>>
  forgetUnsent(id: Hex): Promise<void>
  /** Passphrase-encrypted backup of the wallet key, as text. The wallet counts as backed up once the caller has kept it and says so. */
  exportKey(passphrase: string): Promise<Outcome<string>>
  /** The text that exportKey gave was saved or copied. */
  backupSaved(): Promise<void>
  /** Whose key a backup says it is of. Refused where the text is no backup, or a damaged one: before anybody is asked to give up the key in use. */
  inspectBackup(backup: string): Promise<Outcome<{ readonly address: string }>>
  /** Replaces the wallet; the caller has confirmed. All tabs of it stop, and have the new one after a reload. */
  importKey(backup: string, passphrase: string): Promise<Outcome<{ readonly address: string }>>

  /** Reads the user's files; keeps the data set staged for postJob. */
  previewData(files: JobFiles): Promise<Outcome<DatasetPreview>>
  checkJob(draft: JobDraft): Promise<Outcome<JobCheck>>
  postJob(draft: JobDraft): Promise<Outcome<{ readonly id: Hex }>>
  cancelJob(id: Hex): Promise<Outcome<{ readonly id: Hex }>>

  /** Of a job, by its id, or of a file that was opened. features: u8, spec.features of them. */
  predict(model: string, features: Uint8Array): Promise<Outcome<Prediction>>
  /** For a model whose table is known: the values of a record as they would stand in it, scaled as the table was. */
  predictRow(model: string, row: readonly string[]): Promise<Outcome<RowPrediction>>
  /** Columns and classes of what a model was trained on; known to the node that read the table, and from a file that it wrote. */
  table(model: string): Promise<Table | undefined>
  /** Reads a model file that `downloadModel` wrote, here or elsewhere. */
  openModel(bytes: Uint8Array): Promise<Outcome<OpenedModel>>
  evaluate(job: Hex): Promise<Outcome<EvaluationResult>>
  /** A held-out record of the job's data, to try the model on. */
  sample(job: Hex, index: number): Promise<Outcome<SampleView>>
  /** The newest state of the job's model as a file. */
  downloadModel(job: Hex): Promise<Outcome<{ readonly name: string, readonly bytes: Uint8Array }>>

  /** The library: sets of files that travel as torrents. At most four views a second. */
  library(): Promise<LibraryView>
  listenLibrary(listener: (v: LibraryView) => void): Promise<() => void>
  /** Makes a torrent of the user's files and seeds it. */
  shareFiles(files: readonly File[], note: Omit<LibraryNote, 'publisher'> & { readonly name: string }): Promise<Outcome<{ readonly infoHash: Hex }>>
  /** Ends the sharing that is at work; its call is refused, and nothing of it stays. */
  cancelShare(): Promise<void>
  /** The newest state of a job's model, as a file that is seeded. */
  shareModel(job: Hex): Promise<Outcome<{ readonly infoHash: Hex }>>
  /** A magnet link, an infohash in hex, or the bytes of a .torrent file. */
  addToLibrary(source: string | Uint8Array): Promise<Outcome<{ readonly infoHash: Hex }>>
  /** Fetches what was found, or goes on with what was paused. */
  fetchItem(infoHash: Hex): Promise<Outcome<{ readonly infoHash: Hex }>>
  pauseItem(infoHash: Hex): Promise<void>
  /** Stops sharing it and deletes its bytes here. */
  removeItem(infoHash: Hex): Promise<void>
  /** A file that is whole, to be saved. */
  openFile(infoHash: Hex, path: string): Promise<Outcome<Blob>>
  /** The .torrent file, for other clients. */
  torrentFile(infoHash: Hex): Promise<Outcome<Uint8Array>>
  setLibrary(settings: Partial<LibrarySettings>): Promise<Outcome<LibrarySettings>>

  stop(): Promise<void>
}
