/**
 * The node: its parts, built once and wired to one another, and the order in which they start and
 * stop. What it needs of the outside comes in as ports; api.ts shows it to the page.
 */
import type { MiningSettings, MiningView, NodePhase } from '../bridge/api.ts'
import type { JobSpec } from '../core/codec/jobSpec.ts'
import type { BlockRules } from '../core/consensus/apply.ts'
import { type BlockMeta, genesis } from '../core/consensus/chain.ts'
import { publicKey, sign } from '../core/crypto/keys.ts'
import { findJob } from '../core/ledger/state.ts'
import { type ChainParams, NETWORKS } from '../core/params.ts'
import type { Clock, Random } from '../ports/clock.ts'
import type { Compute, ComputeStatus } from '../ports/compute.ts'
import type { Keystore } from '../ports/keystore.ts'
import type { Network, NetworkStatus } from '../ports/network.ts'
import type { Purse } from '../ports/purse.ts'
import type { Siblings } from '../ports/siblings.ts'
import type { Signatures } from '../ports/signatures.ts'
import type { Storage } from '../ports/storage.ts'
import type { Swarm } from '../ports/swarm.ts'
import { Backfill } from './backfill.ts'
import { BlocksGossip } from './blocksGossip.ts'
import { Chain } from './chain.ts'
import { Challenges } from './challenges.ts'
import { Contributions } from './contributions.ts'
import { Curve } from './curve.ts'
import { Datasets } from './datasets.ts'
import { History } from './history.ts'
import { KeyWatch } from './keyWatch.ts'
import { JobDesk } from './jobDesk.ts'
import { LedgerTorrents } from './ledgerTorrents.ts'
import { Library } from './library.ts'
import { RingLog } from './log.ts'
import { Mempool } from './mempool.ts'
import type { MinerKey } from './minerKey.ts'
import { Models } from './models.ts'
import type { Once } from './once.ts'
import { Payloads } from './payloads.ts'
import { ChainStore, ledgerLookBack } from './persist.ts'
import { Presence } from './presence.ts'
import { Records } from './records.ts'
import { Refusals } from './refusals.ts'
import { Replays } from './replay.ts'
import { Rounds } from './rounds.ts'
import { Sealing } from './sealing.ts'
import { MiningControl } from './miningControl.ts'
import { SliceCounter } from './sliceCounter.ts'
import { SnapshotJoin } from './snapshotJoin.ts'
import { Spending } from './spending.ts'
import { States } from './states.ts'
import { type CommitteeView, Supervisor } from './supervisor.ts'
import { Sync } from './sync.ts'
import { TorrentFetch } from './torrentFetch.ts'
import { TorrentShelf } from './torrentShelf.ts'
import { Trainer } from './trainer.ts'
import { Verifier } from './verify.ts'
import { SeedingDesk } from './seedingDesk.ts'
import { WalletDesk } from './walletDesk.ts'
import { WalletWatch } from './walletWatch.ts'
import { workHandlers } from './workHandlers.ts'
import { WorkTopics } from './workTopics.ts'

export interface NodeDeps {
  readonly network: Network
  readonly swarm: Swarm
  /** WebSocket trackers that plain WebTorrent clients find our sets by. */
  readonly trackers?: readonly string[]
  readonly networkName: 'main' | 'test'
  readonly storage: Storage
  readonly compute: Compute
  readonly signatures: Signatures
  readonly clock: Clock
  readonly random: Random
  readonly keystore: Keystore
  /** Shared by all tabs of this wallet's profile. */
  readonly purse: Purse
  /** The other tabs of this wallet. */
  readonly siblings: Siblings
  /** Seeds of the tab's own key and of the profile's wallet. */
  readonly minerSeed: Uint8Array
  readonly walletSeed: Uint8Array
  /** The browser had lost its databases, and the seed is from its second copy. */
  readonly walletRestored?: boolean
  /** The seed is in its database alone: its second copy could not be written, or cannot be read. */
  readonly walletUncopied?: boolean
  /** Instead of core's own Ed25519, where there is a faster one. */
  readonly keyOf?: (seed: Uint8Array) => MinerKey
  readonly slot: number
  readonly cores: number
  readonly gunzip: (bytes: Uint8Array, maxBytes: number) => Promise<Uint8Array>
  /** False: every block of a long chain is applied, to compare. */
  readonly joinBySnapshot?: boolean
  /** Instead of the network's own numbers and benchmark, in tests and simulated worlds. */
  readonly params?: ChainParams
  readonly benchmark?: JobSpec
  /** Instead of what these two give: a network that begins as if it had been there for long. */
  readonly genesis?: BlockMeta
  /** Instead of core's own, with answers remembered, where many nodes share a process. */
  readonly rules?: BlockRules
  /** The same for what is no rule. */
  readonly once?: Once
}

/** A refusal for one of these reasons means that redone work came out differently. */
const REPLAY_FAILURES: ReadonlySet<string> = new Set(['result-hash', 'payload-digest', 'contribution-wrong', 'wrong slice'])

const COMPUTE_STATUS_MS = 15_000

const keyOf = (seed: Uint8Array): MinerKey => ({ publicKey: publicKey(seed), sign: (message) => sign(seed, message) })

export class Node {
  readonly params: ChainParams
  readonly networkName: 'main' | 'test'
  readonly clock: Clock
  readonly storage: Storage
  readonly keystore: Keystore
  readonly siblings: Siblings
  readonly slot: number
  readonly genesisHash: Uint8Array
  /** Public keys: of the tab's work, and of the account that is paid. */
  readonly miner: Uint8Array
  readonly payee: Uint8Array
  readonly log: RingLog
  readonly refusals: Refusals
  readonly chain: Chain
  readonly data: Datasets
  readonly replays: Replays
  readonly backfill: Backfill
  readonly rounds: Rounds
  readonly curve: Curve
  readonly sync: Sync
  readonly pool: Mempool
  readonly history: History
  readonly spending: Spending
  readonly wallet: WalletDesk
  readonly jobDesk: JobDesk
  readonly models: Models
  readonly library: Library
  readonly seeding: SeedingDesk
  readonly ledgers: LedgerTorrents
  readonly presence: Presence
  readonly keyWatch: KeyWatch
  readonly walletWatch: WalletWatch
  computeStatus: ComputeStatus
  net: NetworkStatus
  readonly #d: NodeDeps
  readonly #payloads: Payloads
  readonly #states: States
  readonly #torrents: TorrentFetch
  readonly #verifier: Verifier
  readonly #contributions: Contributions
  readonly #topics: WorkTopics
  readonly #challenges: Challenges
  readonly #sealing: Sealing
  readonly #supervisor: Supervisor
  readonly #slices: SliceCounter
  readonly #trainer: Trainer
  readonly #gossip: BlocksGossip
  readonly #mining: MiningControl
  readonly #offs: Array<() => void | Promise<void>> = []
  #replayFailures = 0
  #cancelTimer: (() => void) | undefined

  /** Builds and starts a node. Rejects with StorageError where the store cannot be read. */
  static async start (d: NodeDeps): Promise<Node> {
    const node = new Node(d, await d.network.status(), await d.compute.status())
    await node.#start()
    return node
  }

  private constructor (d: NodeDeps, net: NetworkStatus, computeStatus: ComputeStatus) {
    const { clock, compute, network, random, signatures, storage } = d
    this.#d = d
    this.net = net
    this.computeStatus = computeStatus
    const params = this.params = d.params ?? NETWORKS[d.networkName]
    const { once, rules } = d
    this.networkName = d.networkName
    this.clock = clock
    this.storage = storage
    this.keystore = d.keystore
    this.siblings = d.siblings
    this.slot = d.slot
    const minerKey = (d.keyOf ?? keyOf)(d.minerSeed)
    const payee = (d.keyOf ?? keyOf)(d.walletSeed)
    this.miner = minerKey.publicKey
    this.payee = payee.publicKey

    const log = this.log = new RingLog(clock)
    if (d.walletRestored === true) log.warn('wallet', 'this browser has lost its databases: the key is from its second copy, blocks come again from peers, and what was sent a moment before may have to be sent again')
    if (d.walletUncopied === true) log.warn('wallet', 'the second copy of the key cannot be written, or not be read: should the browser lose its databases, the key is lost with them. Save a backup of it, and make room on the disk if it is full')
    const blame = this.refusals = new Refusals({ clock, network, log })
    const first = d.genesis ?? genesis(params, d.benchmark)
    this.genesisHash = first.hash
    const store = new ChainStore({ storage, clock, log, lookBack: ledgerLookBack(params), empty: first.ledger, once })
    const chain = this.chain = new Chain({ params, genesis: first, clock, store, blame, log, rules })
    const keyWatch = this.keyWatch = new KeyWatch({ params, key: minerKey, chain, inStep: () => this.presence.inStep(), siblings: d.siblings, clock, log })
    this.walletWatch = new WalletWatch({ keystore: d.keystore, chain, siblings: d.siblings, clock, log })
    const miner = keyWatch.key
    const historyBlocks = params.historyBlocks
    const payloads = this.#payloads = new Payloads({ storage, network, clock, random, blame, log, height: () => chain.head().height, historyBlocks, once })
    const library = this.library = new Library({
      chain: first.hash, key: payee, epochBlocks: params.epochBlocks, network, swarm: d.swarm, storage, signatures, clock, random, once, blame, log, trackers: d.trackers ?? [],
      self: () => this.net.self, height: () => chain.head().height, block: height => chain.metaAt(height), synced: () => this.presence.inStep()
    })
    const torrents = this.#torrents = new TorrentFetch({ chainId: first.hash, shelf: new TorrentShelf({ chainId: first.hash, library, network, storage, clock, log }), library, network, clock, random, blame, log })
    const synced = (): boolean => this.sync.progress() === undefined && !this.sync.unproved()
    const states = this.#states = new States({ storage, network, compute, payloads, chain, clock, random, blame, log, historyBlocks, torrents, synced, once })
    const data = this.data = new Datasets({ storage, network, chain, clock, random, blame, log, torrents, onHeld: () => { chain.retryUnavailable() } })
    const replays = this.replays = new Replays({ compute, states, data, log, once })
    this.#verifier = new Verifier({ params, clock, signatures, replay: replays, states, rules })
    const rounds = this.rounds = new Rounds({ params, chain, states, signatures, blame, clock, log })
    const contributions = this.#contributions = new Contributions({ params, chain, rounds, payloads, signatures, blame, clock, log, once, onSigned: (claim) => { keyWatch.heard(claim, 'contribution') } })
    const records = new Records(params, chain)
    const publisher = this.#topics = new WorkTopics({ chainId: first.hash, network, chain, blame, clock, log })
    const challenges = this.#challenges = new Challenges({ params, key: miner, chain, rounds, contributions, replay: replays, publisher, blame, random, clock, log })
    const sealing = this.#sealing = new Sealing({ params, key: miner, chain, rounds, contributions, records, states, data, signatures, publisher, ready: () => this.presence.mayWork() === undefined, blame, clock, log })
    this.#supervisor = new Supervisor({
      params, key: miner, chain, rounds, contributions, records, sealing, replay: replays, publisher, clock, log,
      onWrong: async (candidate, detail) => { await challenges.wrongUnsealed(candidate, detail) },
      ready: () => this.presence.mayWork() === undefined
    })
    this.curve = new Curve({ rounds, states, data, compute, storage, clock, log })
    const backfill = this.backfill = new Backfill({ chain, verifier: this.#verifier, log })
    const ledgers = this.ledgers = new LedgerTorrents({ params, chainId: first.hash, chain, library, network, storage, log, synced, once })
    const snapshots = new SnapshotJoin({ params, chainId: first.hash, empty: first.ledger, network, library, signatures, random, clock, blame, log })
    const sync = this.sync = new Sync({ params, clock, random, network, chain, store, blame, log, backfill, snapshots: d.joinBySnapshot === false ? undefined : snapshots, onJoined: (offer) => { ledgers.keep(offer).catch((e: unknown) => { log.error('snapshot', e instanceof Error ? e.message : String(e)) }) }, redoAhead: async (claim, from) => await replays.redo(claim, findJob(chain.head().ledger, claim.template.job)?.spec, from), historyFrom: () => Math.max(0, chain.head().height - historyBlocks) })
    this.presence = new Presence({ clock, chain, sync, network: () => this.net, dataMissing: () => this.#dataMissing(), pruned: () => backfill.pruned, params })
    // The pool publishes through gossip and gossip adds to the pool: the one that is built first is named late.
    const pool = this.pool = new Mempool({ params, clock, signatures, chain, blocks: store, storage, log, own: [payee.publicKey], publish: (tx) => { void gossip.announceTransaction(tx) } })
    const gossip = this.#gossip = new BlocksGossip({ params, clock, network, chain, sync, pool, records, signatures, blame, log })
    this.history = new History({ storage, log, account: payee.publicKey, sinceMs: clock.now() })
    this.#slices = new SliceCounter(storage, log, miner.publicKey)
    this.#trainer = new Trainer({
      params, key: miner, payee: () => payee.publicKey, chain, pool, rounds, states, data, payloads, contributions, replays,
      slices: this.#slices, compute, publisher, clock, log,
      submitOwn: async (block) => {
        const result = await chain.submitOwn(block)
        if (result.status === 'added') void gossip.announce(block)
        return result
      },
      gate: () => this.presence.mayWork()
    })
    this.#mining = new MiningControl({ trainer: this.#trainer, compute, storage, log, cores: d.cores })
    this.spending = new Spending({ purse: d.purse, account: payee.publicKey, params, chain, pool, inStep: () => this.presence.inStep(), clock, log, onForeign: () => { keyWatch.noticed('transaction') } })
    this.wallet = new WalletDesk({ params, chain, pool, key: payee, spending: this.spending, publish: async (tx) => { await gossip.announceTransaction(tx) } })
    this.jobDesk = new JobDesk({ params, chain, data, wallet: this.wallet, owner: payee.publicKey, gunzip: d.gunzip })
    this.models = new Models({ compute, states, data })
    this.seeding = new SeedingDesk({
      params, chain, pool, wallet: this.wallet, account: payee.publicKey, log, ready: () => this.presence.inStep(),
      library: { receipts: () => library.receipts(), settings: () => library.settings(), fetching: () => library.fetching(), onChange: l => library.onChange(l) }
    })
  }

  async #start (): Promise<void> {
    const { chain, log } = this
    chain.start(this.#verifier)
    const loaded = await chain.loadFromStorage()
    if (loaded.problem !== undefined) log.warn('chain', loaded.problem)
    if (loaded.height > 0) log.info('chain', `resumed at height ${loaded.height}`)
    await this.#slices.start()
    await this.#payloads.start()
    await this.data.start()
    await this.#states.start()
    this.rounds.start()
    this.#contributions.start()
    this.#challenges.start()
    this.#sealing.start()
    await this.#topics.start(workHandlers({ contributions: this.#contributions, sealing: this.#sealing, challenges: this.#challenges, log }))
    this.#offs.push(
      await this.history.start(chain),
      await this.pool.start(),
      this.spending.start(),
      this.keyWatch.start(),
      this.walletWatch.start(),
      await this.#gossip.start(),
      this.refusals.onRefusal((r) => { if (REPLAY_FAILURES.has(r.reason)) this.#replayFailures++ }),
      await this.#d.network.onStatus((s) => { this.net = s })
    )
    this.presence.start()
    // Before the chain is followed: a far chain is joined by a set of files.
    await this.library.start()
    await this.ledgers.start()
    await this.#torrents.start()
    await this.sync.start()
    this.#supervisor.start()
    await this.curve.start()
    this.#trainer.start()
    await this.#mining.start()
    this.seeding.start()
    this.#readCompute()
    log.info('node', `started on ${this.params.name}, slot ${this.slot}, backend ${this.computeStatus.backend}`)
  }

  phase (): NodePhase { return this.presence.phase() }

  miningView (): MiningView { return this.#mining.view() }

  committeeView (): CommitteeView { return this.#supervisor.view() }

  /** Slices of others that this tab has redone. */
  replayCount (): number { return this.replays.count }

  replayFailures (): number { return this.#replayFailures }

  async setMining (settings: Partial<MiningSettings>): Promise<void> { await this.#mining.set(settings) }

  async setEnvironment (e: { readonly hidden: boolean, readonly onBattery: boolean }): Promise<void> {
    this.#mining.environment(e)
    // A page that is hidden may be gone without another word.
    if (e.hidden) await this.#states.flush()
  }

  /** Leaves everything written and nothing running. `why` is told to the page. */
  async stop (why?: string): Promise<void> {
    this.#cancelTimer?.()
    this.presence.stop(why)
    this.#trainer.stop()
    this.#supervisor.stop()
    this.#sealing.stop()
    this.#challenges.stop()
    this.#contributions.stop()
    this.rounds.stop()
    this.backfill.stop()
    const rest: ReadonlyArray<() => unknown> = [
      () => this.sync.stop(), () => this.#topics.stop(), () => { this.seeding.stop() }, () => { this.ledgers.stop() }, () => { this.#torrents.stop() }, () => this.library.stop(), ...this.#offs.splice(0),
      () => this.curve.stop(), () => this.data.stop(), () => this.#states.stop(), () => this.#payloads.stop(), () => this.spending.idle(), () => this.pool.idle(), () => this.history.idle(), () => this.chain.stop(),
      () => this.#d.network.stop(), () => this.#d.compute.stop(), () => this.storage.close()
    ]
    const failures: unknown[] = []
    // Whatever fails to stop, what the others know must still be written, and the store closed for the next to open it.
    for (const stop of rest) {
      try { await stop() } catch (e) { failures.push(e) }
    }
    if (failures.length > 0) throw failures[0]
  }

  #dataMissing (): { readonly job: Uint8Array, readonly have: number, readonly want: number } | undefined {
    for (const { job } of this.rounds.tips()) {
      if (job.status !== 'active' || this.data.held(job.spec.data.root) !== undefined) continue
      return { job: job.id, ...this.data.progress(job.spec.data.root) }
    }
    return undefined
  }

  /** What computes, and what does not and why, is said once. */
  #learnCompute (status: ComputeStatus): void {
    const before = this.computeStatus
    this.computeStatus = status
    if (status.failure !== undefined && status.failure !== before.failure) this.log.warn('compute', status.failure)
    if (status.backend !== before.backend) this.log.info('compute', `${status.backend} instead of ${before.backend}`)
  }

  #readCompute (): void {
    this.#cancelTimer = this.clock.after(COMPUTE_STATUS_MS, () => {
      this.#d.compute.status().then((s) => { this.#learnCompute(s) }, () => {})
      this.#readCompute()
    })
  }
}
