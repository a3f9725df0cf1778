/**
 * Catching up. Every peer is asked for its status now and then; while one has a heavier chain than
 * this node, that chain is followed:
 *
 *   headers   the peer's headers from our last common block, checked as far as headers can be
 *   snapshot  far behind: the ledger of a newer block from whoever serves it, checked by its header
 *   blocks    bodies from whoever has them; rules and ledger checked, old work taken on trust
 *   states    waiting for the model state that the first replay starts from
 *   replay    the last joinReplayBlocks are redone before they are believed
 *
 * A plan ends in success, or is given up: then the peer that named the chain is left alone for a while
 * that doubles. What was taken on trust is dropped if a block above it proves wrong, if nobody is left
 * who can show the blocks that would vouch for it, or if none of it has been redone in time
 * (patience.ts). Whoever breaks a rule is banned by name; whoever is only slow or does not have it is
 * passed over, and comes after all others from then on.
 */
import { decode, equalBytes, toHex } from '../core/codec/ssz.ts'
import { type Block, type SnapshotOffer, Status } from '../core/codec/wire.ts'
import { type BlockMeta, chainId, type HeaderMeta } from '../core/consensus/chain.ts'
import { type ChainParams, PROTOCOL_VERSION } from '../core/params.ts'
import type { Clock, Random } from '../ports/clock.ts'
import { type Network, type NetworkStatus, type PeerId } from '../ports/network.ts'
import { ask, isDirect, sleep, within } from './askPeers.ts'
import type { Backfill } from './backfill.ts'
import { Beside } from './beside.ts'
import { BodyFetcher } from './bodyFetcher.ts'
import type { Chain, SubmitOptions } from './chain.ts'
import { HeaderWalk } from './headerWalk.ts'
import type { Blame, Log } from './parts.ts'
import { Due } from './patience.ts'
import type { ChainStore } from './persist.ts'
import { Planner } from './planner.ts'
import { Probation } from './probation.ts'
import type { SnapshotJoin } from './snapshotJoin.ts'
import { type Followed, givenUp, partedOf, type Peer, type Plan, trustedUpTo } from './syncPlan.ts'
import { MAX_STATUS_BYTES, STATUS_PROTOCOL, SyncServer } from './syncServer.ts'
import { type Told, Trust } from './trust.ts'
import { Versions } from './versions.ts'
import { type Redoing, Weigher } from './weigh.ts'

/** What finds the ledger of a newer block, and carries it over. */
type Ledgers = Pick<SnapshotJoin, 'ahead' | 'find' | 'forget' | 'leastBlocks'>

/** Statuses are exchanged this often, give or take a quarter. */
export const STATUS_EVERY_MS = 4_000
/** Peers asked in one go. */
const STATUS_PEERS = 16
/**
 * Of a peer that had no more than this node has nothing is asked for so long: what comes next comes by gossip, and who
 * has missed it hears of it by the next block, or from the first of its other peers whose turn it is.
 */
const AGREED_MS = 15 * STATUS_EVERY_MS
/** One peer is not asked again sooner than this, whatever happens. */
const STATUS_LEAST_MS = 1_000
const STATUS_TIMEOUT_MS = 5_000
/** Slices under way ahead of their blocks. */
const REDONE_AT_ONCE = 3
/** A block that lacks data is tried again this often. */
const UNAVAILABLE_POLL_MS = 1_000
/** A peer whose plan was given up is left alone, doubling, and at least twice as long as the plan took. */
export const SHUN_FIRST_MS = 10_000
export const SHUN_LAST_MS = 10 * 60_000
/** A peer that was too slow may take longer the next time, up to this many doublings: the line may be slow, or this device. */
const SLOWER_MAX = 3

export interface SyncProgress { readonly stage: 'headers' | 'snapshot' | 'blocks' | 'states' | 'replay', readonly height: number, readonly target: number }

export class Sync {
  readonly #params: ChainParams
  readonly #clock: Clock
  readonly #random: Random
  readonly #network: Pick<Network, 'status' | 'onStatus' | 'request' | 'handle'>
  readonly #chain: Chain
  readonly #blame: Pick<Blame, 'refuse'>
  readonly #log: Log
  readonly #server: SyncServer
  readonly #backfill: Backfill
  readonly #snapshots: Ledgers | undefined
  readonly #onJoined: (offer: SnapshotOffer) => void
  readonly #planner: Planner
  readonly #probation: Probation
  readonly #redoAhead: Redoing | undefined
  readonly #peers = new Map<PeerId, Peer>()
  /** The most that anybody has claimed since this node started: where it has that, nobody needs to be looked at. */
  #most = { height: 0, work: 0n }
  readonly #listeners = new Set<(p: SyncProgress | undefined) => void>()
  readonly #offs: Array<() => void> = []
  #progress: SyncProgress | undefined
  #following = false
  /** Every other plan that comes to nothing: next, claims say nothing. They cost nothing, and who is given up comes back by another name. */
  #isWary = false
  /** The snapshot that the chain being followed goes on from. */
  #offer: SnapshotOffer | undefined
  readonly #trust: Trust
  readonly #beside: Beside
  /** Of the chain being followed, or of the trusted one as long as nobody has shown its end. */
  #due: Due
  #redone = 0
  readonly #versions = new Versions()
  #stopped = false

  constructor (d: {
    readonly params: ChainParams
    readonly clock: Clock
    readonly random: Random
    readonly network: Pick<Network, 'status' | 'onStatus' | 'request' | 'handle'>
    readonly chain: Chain
    readonly store: ChainStore
    readonly blame: Pick<Blame, 'refuse'>
    readonly log: Log
    readonly backfill: Backfill
    /** Absent: every block is applied, however many they are. */
    readonly snapshots?: Ledgers
    /** Redoes a slice whose block is not here. */
    readonly redoAhead?: Redoing
    /** A chain that was joined by this snapshot is proved. */
    readonly onJoined?: (offer: SnapshotOffer) => void
    /** Oldest height of which this node keeps payloads and states. */
    readonly historyFrom: () => number
    readonly planHeaders?: number
    /** Looks at the peers after which a chain that was proved is settled. */
    readonly probationPolls?: number
  }) {
    this.#params = d.params
    this.#clock = d.clock
    this.#random = d.random
    this.#network = d.network
    this.#chain = d.chain
    this.#blame = d.blame
    this.#log = d.log
    this.#backfill = d.backfill
    this.#snapshots = d.snapshots
    this.#onJoined = d.onJoined ?? (() => {})
    this.#redoAhead = d.redoAhead
    const walk = new HeaderWalk(d)
    this.#beside = new Beside(d.chain)
    this.#trust = new Trust(d.chain, d.clock, d.params.joinReplayBlocks, d.probationPolls)
    this.#probation = new Probation({ chain: d.chain, store: d.store, trust: this.#trust, weigher: new Weigher({ ...d, ours: () => this.#ours(), walk, redo: d.redoAhead, stopped: () => this.#stopped }), log: d.log, elsewhere: () => this.#elsewhere(), onOutweighed: () => { this.#follow() } })
    this.#planner = new Planner({ ...d, walk, excludes: (headers) => this.#probation.excludes(headers) })
    this.#due = new Due(d.clock, 1)
    this.#server = new SyncServer({ network: d.network, chain: d.chain, store: d.store, historyFrom: d.historyFrom, servedUpTo: () => this.#provedUpTo(), onStatus: (peer, s) => { this.#heard(peer, s) } })
  }

  async start (): Promise<void> {
    this.#offs.push(
      await this.#server.start(),
      this.#chain.on('missing', (e) => { if (e.via !== undefined) this.askSoon(e.via) }),
      this.#chain.on('head', ({ added }) => {
        const told = added.find((r) => r.checked === 'ledger')
        if (told !== undefined) this.#told(told.meta)
        this.#reconsider()
      }),
      this.#chain.on('checked', () => { this.#reconsider() }),
      await this.#network.onStatus((s) => { this.#peersMoved(s) })
    )
    this.#trust.resume()
    this.#peersMoved(await this.#network.status())
    this.#pollLater()
    // What an earlier run took on trust and did not come to redo.
    this.#backfill.run()
  }

  async stop (): Promise<void> {
    this.#stopped = true
    for (const off of this.#offs) off()
  }

  /** Undefined: not catching up. */
  progress (): SyncProgress | undefined { return this.#progress }
  onProgress (listener: (p: SyncProgress | undefined) => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  /** The chain rests on work that was taken on trust and nobody has shown the end of it yet. */
  unproved (): boolean { return this.#trust.unproved() }

  /** Blocks redone while catching up, ever. */
  redone (): number { return this.#redone }

  #provedUpTo (): number { return this.unproved() ? this.#trust.first!.height - 1 : Infinity }

  /** A block that was not redone here is in the main chain now, wherever it came from. */
  #told ({ hash, height }: BlockMeta): void {
    if (!this.unproved()) this.#trust.forget()
    this.#trust.took(hash, height, this.#clock.now())
  }

  /** A chain joined by a ledger is proved as a whole. */
  #reconsider (): void {
    if (this.#offer === undefined) this.#trust.reconsider()
    if (this.#isRipe()) this.#follow()
  }

  /** What peers say of themselves. */
  statuses (): ReadonlyMap<PeerId, Status> { return new Map([...this.#peers].flatMap(([id, p]) => p.status === undefined || p.foreign ? [] : [[id, p.status] as const])) }

  /** How many of them have. */
  spoken (): number {
    let n = 0
    for (const { foreign, status } of this.#peers.values()) if (status !== undefined && !foreign) n++
    return n
  }

  /** Greatest height a peer that is worth following claims. */
  targetHeight (): number {
    let { height } = this.#chain.head()
    if (this.#most.height > height) for (const p of this.#peers.values()) if (p.status !== undefined && p.status.height > height && this.#worthFollowing(p)) height = p.status.height
    return height
  }

  parted (): ReturnType<typeof partedOf> { return partedOf([...this.#peers.values()], this.#chain) }

  /** Larger than ours where several peers speak it: a newer version is out there. */
  newestVersion (): number { return this.#versions.newest(this.#clock.now()) }
  sawVersion (version: number, peer: PeerId): void { this.#versions.saw(version, peer, this.#clock.now()) }

  /** A peer referred to something we lack: it has more than we thought. Asked a moment ago, it is asked at the next poll. */
  askSoon (id: PeerId): void {
    const peer = this.#peers.get(id)
    if (peer === undefined) return
    peer.heardAt = -Infinity
    void this.#askStatus(id)
  }

  // --- who has what

  #peersMoved (s: NetworkStatus): void {
    const present = new Map(s.peers.filter(isDirect).map((p) => [p.id, p.direction === 'outbound'] as const))
    for (const id of this.#peers.keys()) if (!present.has(id)) this.#peers.delete(id)
    const fresh = [...present.keys()].filter((id) => !this.#peers.has(id))
    for (const id of fresh) {
      this.#peers.set(id, { own: present.get(id)!, askedAt: -Infinity, heardAt: -Infinity, failures: 0, shunnedUntil: 0, foreign: false })
      void this.#askStatus(id)
    }
    if (fresh.length > 0) this.#chain.retryUnavailable()
  }

  #pollLater (): void {
    const jitter = this.#random.bytes(1)[0] / 256
    this.#offs.push(this.#clock.after(STATUS_EVERY_MS * (0.75 + jitter / 2), () => {
      this.#offs.pop()
      this.#poll()
      this.#trust.poll()
      this.#probation.weigh()
      if (!this.#following) this.#settleIfDue()
      // Whoever could have shown the end of the trusted chain has left.
      if (!this.#following && this.unproved() && this.#due.over()) this.#dropSlow()
      this.#pollLater()
    }))
  }

  /** Asks those whose status says little about now: both sides of a link ask, and either learns from it. */
  #poll (): void {
    const now = this.#clock.now()
    const { work } = this.#server.head()
    const old: Array<readonly [PeerId, Peer]> = []
    for (const entry of this.#peers) {
      const [, { heardAt, status }] = entry
      if (now - heardAt >= STATUS_EVERY_MS / 2 && (now - heardAt >= AGREED_MS || status === undefined || status.work > work)) old.push(entry)
    }
    // Those not asked for the longest first.
    if (old.length > 1) old.sort((a, b) => a[1].askedAt - b[1].askedAt)
    for (const [id] of old.slice(0, STATUS_PEERS)) void this.#askStatus(id)
    // Somebody who was shunned may not be any more.
    this.#follow()
  }

  async #askStatus (id: PeerId): Promise<void> {
    const peer = this.#peers.get(id)
    if (peer === undefined || peer.foreign || this.#stopped || this.#clock.now() - peer.askedAt < STATUS_LEAST_MS) return
    peer.askedAt = this.#clock.now()
    const answer = await ask(this.#network, id, STATUS_PROTOCOL, Status.serialize(this.#server.status()), STATUS_TIMEOUT_MS, MAX_STATUS_BYTES)
    if (answer === undefined || this.#stopped) return
    const d = decode(Status, answer, MAX_STATUS_BYTES)
    if (d.ok) this.#heard(id, d.value)
    else this.#blame.refuse({ what: 'status', reason: d.error.reason, detail: d.error.detail, peer: id, fatal: true })
  }

  #heard (id: PeerId, status: Status): void {
    const peer = this.#peers.get(id)
    if (peer === undefined) return
    if (!equalBytes(status.chain, chainId(this.#chain.head()))) {
      if (!peer.foreign) this.#blame.refuse({ what: 'status', reason: 'header-chain', detail: `of the network ${toHex(status.chain).slice(0, 16)}`, peer: id, fatal: false })
      peer.foreign = true
      return
    }
    this.sawVersion(status.version, id)
    peer.status = status
    this.#most = { height: Math.max(this.#most.height, status.height), work: status.work > this.#most.work ? status.work : this.#most.work }
    peer.heardAt = this.#clock.now()
    if (status.work > this.#chain.head().work || this.#trust.first !== undefined) this.#follow()
    this.#probation.weigh()
  }

  #reachable (p: Peer): boolean {
    return p.status !== undefined && !p.foreign && p.status.version === PROTOCOL_VERSION && p.shunnedUntil <= this.#clock.now()
  }

  /** Not for the block that is looked at here already: it came by gossip. */
  #worthFollowing (p: Peer): boolean { return this.#reachable(p) && p.status!.work > this.#chain.head().work && !this.#chain.judging(p.status!.head) }

  /** Newest block of ours that was not only told. */
  #ours (): BlockMeta { return (this.unproved() ? this.#chain.metaAt(this.#trust.first!.height - 1) : undefined) ?? this.#chain.head() }

  /** Whose chain goes on where ours does not, for all that is known. */
  #elsewhere (): PeerId[] {
    return [...this.#peers].filter(([, p]) => p.status?.version === PROTOCOL_VERSION && !p.foreign && !this.#chain.has(p.status!.head) && !this.#chain.judging(p.status!.head)).map(([id]) => id)
  }

  /** Who has let us down least, and of those who claims the most work, or has been here the longest. */
  #best (): PeerId | undefined {
    // Whoever was given up before gets this chance all the same.
    const next = this.#probation.next((id) => (this.#peers.get(id)?.status?.work ?? 0n) > this.#chain.head().work)
    if (next !== undefined || this.#most.work <= this.#chain.head().work) return next
    let best: readonly [PeerId, Peer] | undefined
    for (const [id, p] of this.#peers) {
      if (!this.#worthFollowing(p)) continue
      const b = best?.[1]
      if (b === undefined || p.failures < b.failures || (p.failures === b.failures && !this.#isWary && p.status!.work > b.status!.work)) best = [id, p]
    }
    return best?.[0]
  }

  // --- following

  #follow (): void {
    if (this.#following || this.#stopped || (this.#best() === undefined && !this.#mustDrop() && !this.#isRipe() && !this.#probation.isOutweighed)) return
    this.#following = true
    this.#followAll()
      .catch((e: unknown) => { this.#log.error('sync', e instanceof Error ? e.message : String(e)) })
      .finally(() => {
        this.#following = false
        this.#report(undefined)
        if (this.#stopped) return
        this.#tellThoseBehind()
        this.#backfill.run()
      })
  }

  /** What came by gossip went on by gossip; this did not, and asking a peer tells it where this node stands. */
  #tellThoseBehind (): void {
    const { work } = this.#server.head()
    for (const [id] of [...this.#peers].filter(([, p]) => p.status !== undefined && p.status.work < work).slice(0, STATUS_PEERS)) void this.#askStatus(id)
  }

  /** One plan after another while somebody has more than we do. */
  async #followAll (): Promise<void> {
    for (;;) {
      if (this.#isRipe()) this.#settle()
      const left = this.#probation.leave()
      if (left !== undefined) this.#leave(left)
      for (let id = this.#best(); id !== undefined && !this.#stopped && !this.#isRipe() && !this.#probation.isOutweighed; id = this.#best()) {
        const claimed = this.#peers.get(id)!.status!
        const since = this.#clock.now()
        this.#beside.follow(id)
        const followed = await this.#followPeer(id)
        if (!followed.ok || followed.leads === true) this.#beside.leave()
        if (!followed.ok && followed.wrong) this.#dropTrusted(followed.why)
        this.#isWary = !followed.ok && !this.#isWary
        this.#settleIfDue()
        this.#probation.followed(id, !followed.ok ? (followed.resting === true ? 'part' : 'failed') : followed.leads === undefined ? 'part' : 'leads')
        const peer = this.#peers.get(id)
        if (peer === undefined) continue
        // What it claimed may have come by gossip meanwhile: no fault of its.
        if ((claimed.work <= this.#chain.head().work && followed.cut !== true) || (followed.ok && followed.leads !== false)) { peer.failures = 0; continue }
        if (followed.ok) { peer.shunnedUntil = this.#clock.now() + SHUN_FIRST_MS; continue }
        if (followed.resting) { peer.shunnedUntil = this.#trust.restUntil; continue }
        const ms = Math.max(2 * (this.#clock.now() - since), Math.min(SHUN_LAST_MS, SHUN_FIRST_MS * 2 ** peer.failures))
        peer.failures++
        peer.shunnedUntil = this.#clock.now() + ms
        this.#log.info('sync', `chain of ${id} to block ${claimed.height} given up for ${ms / 1000} s: ${followed.why}`)
      }
      if ((this.#isRipe() || this.#probation.isOutweighed) && !this.#stopped) continue
      if (this.#stopped || !this.#mustDrop()) return
      this.#trust.failed()
      this.#dropTrusted('nobody shows the blocks above it, and there is another chain')
    }
  }

  /** Work taken on trust stands in the way of a chain that somebody can show. */
  #mustDrop (): boolean {
    return this.unproved() && [...this.#peers.values()].some((p) => this.#reachable(p) && p.status!.work > this.#server.head().work)
  }

  /** Unless enough was redone above it meanwhile, by way of another block than the one that failed. */
  #dropTrusted (why: string): void {
    if (this.#trust.first !== undefined && !this.#isRipe()) this.#drop(this.#trust.first, why)
  }

  #drop ({ hash, height }: Pick<Told, 'hash' | 'height'>, why: string): void {
    this.#log.warn('sync', `work taken on trust from block ${height} is dropped: ${why}`)
    this.#trust.forget()
    this.#chain.distrust(hash)
    if (!this.#chain.isAdopted) this.#offer = undefined
  }

  /** The trusted chain has had its time. */
  #dropSlow (): Followed {
    const why = 'none of its work could be redone in time'
    if (this.unproved() && !this.#isRipe()) {
      this.#trust.failed()
      this.#dropTrusted(why)
    }
    return givenUp(why)
  }

  async #followPeer (id: PeerId): Promise<Followed> {
    if (!this.unproved()) {
      this.#trust.forget()
      this.#due = new Due(this.#clock, 2 ** Math.min(SLOWER_MAX, this.#peers.get(id)!.failures))
    }
    const claimed = this.#peers.get(id)!.status!.height
    const ledgers = this.#joinable
    if (ledgers !== undefined && claimed - this.#chain.head().height >= ledgers.leastBlocks) ledgers.ahead(this.#sources(id), claimed, () => this.#due.leftMs())
    const plan = await this.#plan(id)
    if ('why' in plan) {
      this.#snapshots?.forget()
      return { ...givenUp(plan.why), ...plan.cut === undefined ? {} : { cut: true } }
    }
    const tip = plan.headers[plan.headers.length - 1]
    const headers = await this.#skip(id, plan)
    if (this.#stopped) return givenUp('the node stops')
    // Older work is taken on trust, but only under a chain whose newest blocks are redone.
    const trusted = plan.whole ? trustedUpTo(this.#params, this.#chain.owed(plan.fork.hash), headers) : tip.height
    if (trusted > 0 && this.#trust.first === undefined && this.#trust.resting && !this.#probation.chose(id)) return { ok: false, wrong: false, why: 'others promised as much and were too slow', resting: true }
    this.#log.info('sync', `following ${id}: ${headers.length} blocks from ${headers[0].height} to ${tip.height}`)
    const bodies = new BodyFetcher(this.#network, this.#clock, this.#blame, headers, () => this.#sources(id))
    try {
      for (const h of headers) {
        if (this.#stopped) return givenUp('the node stops')
        const mode = h.height <= trusted ? 'ledger' : 'full'
        this.#report({ stage: mode === 'ledger' ? 'blocks' : 'replay', height: h.height, target: tip.height })
        if (this.#chain.has(h.hash)) {
          const failed = mode === 'full' ? await this.#redo(h) : undefined
          if (failed !== undefined) return failed
          continue
        }
        const body = await within(this.#clock, this.#due.leftMs(), bodies.next(h))
        if (this.#due.over()) return this.#dropSlow()
        if (body === undefined) return givenUp(`nobody hands out the body of block ${h.height}`)
        const failed = await this.#submit({ header: h.header, body: body.body }, h, tip, { mode, origin: id, via: body.from, blame: id, maybeTrusted: tip.height - h.height >= this.#params.joinReplayBlocks, ripe: tip.height - h.height >= this.#params.maturity })
        if (mode === 'ledger') this.#beside.took(h.hash, id)
        if (failed !== undefined) return failed
      }
    } finally {
      bodies.stop()
    }
    if (plan.cut) return { ...givenUp('it stopped answering for headers'), cut: true }
    const proved = plan.whole ? await this.#prove(tip) : { ok: true as const }
    if (!proved.ok) return proved
    const leads = this.#chain.head().work >= tip.work
    const peer = this.#peers.get(id)
    if (plan.whole || leads) return { ok: true, leads }
    if (peer !== undefined) peer.reached = tip.hash
    return { ok: true }
  }

  /** What finds the ledger of a newer block, while one may be joined. */
  get #joinable (): Ledgers | undefined { return this.#trust.first === undefined && !this.#chain.isAdopted && !this.#trust.resting ? this.#snapshots : undefined }

  /** The headers whose blocks are still to be applied: all of them, unless a ledger near their end is to be had. */
  async #skip (id: PeerId, plan: Plan): Promise<readonly HeaderMeta[]> {
    const { headers, fork } = plan
    const tip = headers[headers.length - 1]
    const ledgers = this.#joinable
    if (ledgers === undefined || !plan.whole || headers.length < ledgers.leastBlocks) {
      this.#snapshots?.forget()
      return headers
    }
    this.#report({ stage: 'snapshot', height: this.#chain.head().height, target: tip.height })
    // The kernels would wait meanwhile.
    this.#redoNewest(headers.slice(-this.#params.joinReplayBlocks)).catch((e: unknown) => { this.#log.error('sync', e instanceof Error ? e.message : String(e)) })
    const start = await ledgers.find(headers, id, this.#sources(id), () => this.#due.leftMs())
    // Our own chain may have left the fork meanwhile, or never been there.
    if (start === undefined || this.#stopped || this.#chain.head().work >= tip.work || !this.#chain.isMain(fork.hash) || start.base.height > trustedUpTo(this.#params, this.#chain.owed(fork.hash), headers)) return headers
    const { base, offer, joined } = start
    this.#chain.adopt(base, fork, headers.slice(0, base.height - headers[0].height), joined)
    this.#offer = offer
    this.#trust.took(base.hash, base.height, this.#clock.now())
    return headers.slice(base.height - fork.height)
  }

  /**
   * What comes of it is remembered where slices are redone. A chain whose first one is wrong gets no second;
   * after it the data of one slice is put together while another is redone.
   */
  async #redoNewest ([first, ...others]: readonly HeaderMeta[]): Promise<void> {
    const redo = async ({ header }: HeaderMeta): Promise<boolean> => !this.#stopped && this.#redoAhead !== undefined && await this.#redoAhead(header) === 'right'
    let right = await redo(first)
    await Promise.all(Array.from({ length: REDONE_AT_ONCE }, async () => {
      for (let next = others.shift(); next !== undefined && right; next = others.shift()) right = await redo(next) && right
    }))
  }

  /** What is wrong with it, if anything, once its data had time to come. */
  async #submit (block: Block, h: HeaderMeta, tip: HeaderMeta, how: SubmitOptions): Promise<Followed | undefined> {
    for (;;) {
      const result = await within(this.#clock, this.#due.leftMs(), this.#chain.submitAs(block, how))
      if (result === undefined || this.#due.over()) return this.#dropSlow()
      if (result.status === 'added' && how.mode === 'full') this.#proved()
      if (result.status === 'added' || result.status === 'known') return undefined
      const { verdict, reason, detail } = result.refusal
      if (verdict === 'invalid') return { ok: false, wrong: true, why: `block ${h.height}: ${reason}, ${detail}` }
      if (verdict !== 'unavailable' || this.#stopped) return givenUp(`block ${h.height} ${verdict}: ${detail}`)
      this.#report({ stage: 'states', height: h.height, target: tip.height })
      await sleep(this.#clock, UNAVAILABLE_POLL_MS)
    }
  }

  /** What is here, and was taken on trust once, is redone in its turn; undefined where nothing is wrong with it. */
  async #redo (h: HeaderMeta): Promise<Followed | undefined> {
    const record = this.#chain.get(h.hash)
    if (record?.checked !== 'ledger') return undefined
    const redone = await within(this.#clock, this.#due.leftMs(), this.#backfill.redo(record))
    if (redone === undefined || this.#due.over()) return this.#dropSlow()
    if (redone === 'wrong') return { ok: false, wrong: true, why: `block ${h.height}: redoing its slice gave another result` }
    if (redone === 'unavailable') return givenUp(`block ${h.height} cannot be redone`)
    this.#proved()
    return undefined
  }

  #proved (): void { this.#redone++; this.#due.redone() }

  /** Several plans may have brought the chain here: its newest blocks must be redone all the same, and no less work than it undoes. */
  async #prove (tip: HeaderMeta): Promise<Followed> {
    if (!this.unproved() && this.#chain.isMain(tip.hash)) return { ok: true }
    const owed = this.#chain.owed(tip.hash)
    let meta = this.#chain.meta(tip.hash)
    for (let n = 0; meta !== undefined && (n < this.#params.joinReplayBlocks || tip.work - meta.work < owed); n++, meta = meta.parent) {
      const failed = await this.#redo(meta)
      if (failed !== undefined) return failed
    }
    if (this.#chain.isMain(tip.hash)) this.#settle()
    return { ok: true }
  }

  #isRipe (): boolean { return this.#offer === undefined && this.#trust.ripe }

  /** Its newest blocks are redone: it is this node's chain now, and settled after a while, unless somebody shows one that weighs more. */
  #settle (): void {
    this.#trust.prove()
    if (this.#trust.proved === undefined || this.#trust.isDue) this.#settleForGood()
    else this.#probation.begin()
  }

  #settleIfDue (): void {
    if (!this.unproved() && this.#trust.isDue && (!this.#probation.isOpen || (this.#trust.isOverdue(this.#probation.isFirst) && !this.#probation.isOutweighed))) this.#settleForGood()
  }

  #settleForGood (): void {
    this.#trust.settle()
    this.#chain.settleAdopted()
    if (this.#offer !== undefined) this.#onJoined(this.#offer)
    this.#offer = undefined
  }

  #leave (left: Pick<Told, 'hash' | 'height'>): void {
    this.#drop(left, 'another chain weighs more')
    // What stays below it was proved by what has gone.
    this.#trust.doubt()
    this.#due = new Due(this.#clock, 1)
  }

  /** Peers that may have the bodies of a plan, its own first. */
  #sources (planPeer: PeerId): PeerId[] {
    const others = [...this.#peers].filter(([id, p]) => id !== planPeer && p.status !== undefined && !p.foreign).map(([id]) => id)
    return this.#peers.has(planPeer) ? [planPeer, ...others] : others
  }

  // --- headers

  async #plan (id: PeerId): ReturnType<Planner['plan']> {
    const peer = this.#peers.get(id)
    const reached = peer?.reached
    if (peer !== undefined) peer.reached = undefined
    const plan = await this.#planner.plan(id, {
      reached,
      // By blocks alone as many would take too long.
      mostCut: this.#joinable?.leastBlocks ?? Infinity,
      leftMs: () => this.#due.leftMs(),
      ended: (last) => {
        const status = this.#peers.get(id)?.status
        if (status === undefined) return 'it left'
        this.#report({ stage: 'headers', height: last?.height ?? this.#chain.head().height, target: status.height })
        return this.#stopped ? 'the node stops' : undefined
      },
      shown: (headers) => { this.#due.shown(headers) }
    })
    if (peer !== undefined && ('parted' in plan || !('why' in plan))) peer.parted = 'parted' in plan
    return plan
  }

  #report (p: SyncProgress | undefined): void {
    const was = this.#progress
    if (was?.stage === p?.stage && was?.height === p?.height && was?.target === p?.target) return
    this.#progress = p
    for (const l of this.#listeners) l(p)
  }
}
