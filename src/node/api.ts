/**
 * The node as the page sees it: one object of actions, and a stream of events. Views are built at
 * most four times a second, and only while somebody listens.
 */
import type { BlockView, CurvePoint, DatasetPreview, FieldError, HistoryEntry, HistoryGroup, JobCheck, JobDraft, JobFiles, JobView, JoinedView, LibraryNote, LibrarySettings, LibraryView, LogEntry, MiningSettings, NodeApi, NodeEvent, NodeView, OpenedModel, Outcome, Prediction, ReplayView, RowPrediction } from '../bridge/api.ts'
import { formatAddress } from '../core/codec/address.ts'
import { fromHex, toHex } from '../core/codec/ssz.ts'
import { findJob, type JobRecord } from '../core/ledger/state.ts'
import { HASH_BYTES } from '../core/params.ts'
import type { ModelFile } from '../core/training/modelFile.ts'
import type { Table } from '../core/training/table.ts'
import type { EvaluationResult } from '../ports/compute.ts'
import { StorageError } from '../ports/storage.ts'
import type { Node } from './node.ts'
import { Paced } from './paced.ts'
import type { BlockRecord, Hex, JobTip } from './parts.ts'
import { redoneView } from './redoneView.ts'
import { atRest, blockView, jobView, paidShare, peerHeights, samplesPerSecond, walletView } from './views.ts'
import type { Lost } from './walletWatch.ts'

const VIEW_MS = 250
/** Largest page of blocks, lines or entries one call gives. */
const PAGE_MAX = 2000
/** Blocks that the paid share and the samples per second are taken over. */
const RECENT_BLOCKS = 32
const SAMPLES_WINDOW_MS = 60_000

/** Why a tab stops whose key is on no disk any more, for people. */
const LOST: Readonly<Record<Lost, string>> = { replaced: 'the wallet of this browser was replaced by another one', erased: 'everything of this site was erased in another tab' }

const refuse = (field: string, message: string): { readonly ok: false, readonly errors: readonly FieldError[] } => ({ ok: false, errors: [{ field, message }] })
const page = (limit: number): number => Number.isInteger(limit) ? Math.min(Math.max(limit, 0), PAGE_MAX) : 0

export class NodeService implements NodeApi {
  readonly #n: Node
  readonly #listeners = new Set<(e: NodeEvent) => void>()
  readonly #off: Array<() => void>
  #scheduled: (() => void) | undefined
  #storage: NodeView['storage'] = { used: 0, persisted: false }
  #storageAt = 0

  constructor (node: Node) {
    this.#n = node
    this.#off = [
      node.chain.on('head', ({ removed, added }) => {
        for (const r of removed) this.#emit({ type: 'block', block: this.#blockView(r) })
        for (const r of added) this.#emit({ type: 'block', block: this.#blockView(r) })
      }),
      node.chain.on('checked', (r) => { this.#emit({ type: 'block', block: this.#blockView(r) }) }),
      node.log.onEntry((entry) => { this.#emit({ type: 'log', entry }) }),
      node.curve.onPoint((point) => { this.#emit({ type: 'curve', point }) }),
      node.keyWatch.onElsewhere(() => { this.#notice('warn', 'This wallet is also in use elsewhere: use a key on one device at a time.'); this.#soon() }),
      node.walletWatch.onLost((why) => { this.#stop(LOST[why]).catch((e: unknown) => { node.log.error('wallet', e instanceof Error ? e.stack ?? e.message : String(e)) }) }),
      node.refusals.onRefusal((r) => { if (r.peer !== undefined && node.net.banned.some((b) => b.id === r.peer)) this.#notice('warn', `A peer was sent away: ${r.reason}.`) })
    ]
    // Also once this tab has stopped: it warns of a key without a backup still.
    node.siblings.onNews((news) => { if (news.kind === 'backed-up') this.#soon() })
    this.#schedule()
  }

  async view (): Promise<NodeView> { return await this.#view() }

  async listen (listener: (e: NodeEvent) => void): Promise<() => void> {
    this.#listeners.add(listener)
    listener({ type: 'view', view: await this.#view() })
    return () => { this.#listeners.delete(listener) }
  }

  async setMining (settings: Partial<MiningSettings>): Promise<void> {
    await this.#n.setMining(settings)
    this.#soon()
  }

  async setEnvironment (e: { readonly hidden: boolean, readonly onBattery: boolean }): Promise<void> {
    await this.#n.setEnvironment(e)
    this.#soon()
  }

  async setLogLevel (level: 'debug' | 'info'): Promise<void> { this.#n.log.setLevel(level) }

  async blocks (limit: number, before?: number): Promise<BlockView[]> {
    const { chain } = this.#n
    const from = Math.min(chain.head().height, (before ?? Number.MAX_SAFE_INTEGER) - 1)
    const found: BlockView[] = []
    for (let h = from; h > 0 && found.length < page(limit); h--) {
      const r = chain.at(h)
      if (r === undefined) break
      found.push(this.#blockView(r))
    }
    return found
  }

  async block (hash: Hex): Promise<BlockView | undefined> {
    const r = this.#record(hash)
    return r === undefined ? undefined : this.#blockView(r)
  }

  async replayBlock (hash: Hex): Promise<ReplayView> {
    const r = this.#record(hash)
    const backend = this.#n.computeStatus.backend
    if (r === undefined || r.meta.height === 0) {
      return { hash, ok: false, claimedResult: '', claimedPayload: '', backend, steps: 0, elapsedMs: 0, reason: r === undefined ? 'this block is older than what this tab keeps, or not known here' : 'the first block holds no work' }
    }
    return await redoneView(this.#n, r, backend)
  }

  async curve (job: Hex): Promise<CurvePoint[]> { return this.#n.curve.points(job) }
  async logs (limit: number): Promise<LogEntry[]> { return this.#n.log.entries(page(limit)) }
  async history (limit: number, group?: HistoryGroup): Promise<HistoryEntry[]> { return this.#n.history.list(page(limit), group) }

  async send (to: string, amount: bigint, fee: bigint): Promise<Outcome<{ readonly id: Hex }>> { return await this.#spend(async () => await this.#n.wallet.send(to, amount, fee)) }

  async sendAgain (id: Hex): Promise<Outcome<{ readonly id: Hex }>> {
    return await this.#spend(async () => await this.#n.wallet.sendAgain(id))
  }

  async forgetUnsent (id: Hex): Promise<void> {
    await this.#n.wallet.forgetUnsent(id)
    this.#soon()
  }

  async exportKey (passphrase: string): Promise<Outcome<string>> {
    const r = await this.#n.keystore.export(passphrase)
    return r.ok ? { ok: true, value: r.text } : refuse('passphrase', r.message)
  }

  async backupSaved (): Promise<void> {
    await this.#n.keystore.saved()
    this.#soon()
  }

  async inspectBackup (backup: string): Promise<Outcome<{ readonly address: string }>> {
    const r = this.#n.keystore.inspect(backup)
    return r.ok ? { ok: true, value: { address: r.address } } : refuse('backup', r.message)
  }

  async importKey (backup: string, passphrase: string): Promise<Outcome<{ readonly address: string }>> {
    const r = await this.#n.keystore.import(backup, passphrase)
    if (!r.ok) return refuse(r.field, r.message)
    // From here on this tab would earn for a key that no disk has.
    void this.#n.walletWatch.look()
    return { ok: true, value: { address: formatAddress(r.key) } }
  }

  async previewData (files: JobFiles): Promise<Outcome<DatasetPreview>> { return await this.#n.jobDesk.previewData(files) }
  async checkJob (draft: JobDraft): Promise<Outcome<JobCheck>> { return this.#n.jobDesk.checkJob(draft) }
  async postJob (draft: JobDraft): Promise<Outcome<{ readonly id: Hex }>> { return await this.#spend(async () => await this.#n.jobDesk.postJob(draft)) }

  async cancelJob (id: Hex): Promise<Outcome<{ readonly id: Hex }>> {
    const job = this.#job(id)
    if (job === undefined) return refuse('job', 'there is no such job')
    return await this.#spend(async () => await this.#n.wallet.cancelJob(job.id))
  }

  async predict (id: string, features: Uint8Array): Promise<Outcome<Prediction>> {
    const model = this.#model(id)
    return model.ok ? await this.#n.models.predict(model.value, features) : model
  }

  async predictRow (id: string, row: readonly string[]): Promise<Outcome<RowPrediction>> {
    const model = this.#model(id)
    return model.ok ? await this.#n.models.predictRow(model.value, row) : model
  }

  async table (id: string): Promise<Table | undefined> {
    const model = this.#n.models.opened(id) ?? this.#job(id)
    return model === undefined ? undefined : this.#n.models.table(model)
  }

  async openModel (bytes: Uint8Array): Promise<Outcome<OpenedModel>> { return this.#n.models.open(bytes) }

  async evaluate (job: Hex): Promise<Outcome<EvaluationResult>> {
    const tip = this.#tip(job)
    return tip.ok ? await this.#n.models.evaluate(tip.value) : tip
  }

  async sample (job: Hex, index: number): ReturnType<NodeApi['sample']> {
    const tip = this.#tip(job)
    return tip.ok ? this.#n.models.sample(tip.value, index) : tip
  }

  async downloadModel (job: Hex): Promise<Outcome<{ readonly name: string, readonly bytes: Uint8Array }>> {
    const tip = this.#tip(job)
    return tip.ok ? await this.#n.models.download(tip.value) : tip
  }

  async library (): Promise<LibraryView> { return this.#n.library.view() }

  async listenLibrary (listener: (v: LibraryView) => void): Promise<() => void> {
    const view = new Paced(this.#n.clock, VIEW_MS, () => { listener(this.#n.library.view()) })
    view.soon()
    const off = this.#n.library.onChange(() => { view.soon() })
    return () => { off(); view.stop() }
  }

  async shareFiles (files: readonly File[], note: Omit<LibraryNote, 'publisher'> & { readonly name: string }): Promise<Outcome<{ readonly infoHash: Hex }>> { return await this.#n.library.share(files, note) }

  async cancelShare (): Promise<void> { await this.#n.library.cancelShare() }

  async shareModel (job: Hex): Promise<Outcome<{ readonly infoHash: Hex }>> {
    const tip = this.#tip(job)
    if (!tip.ok) return tip
    const file = await this.#n.models.download(tip.value)
    if (!file.ok) return file
    const { name, round } = { name: this.#jobView(tip.value.job).name, round: tip.value.round }
    return await this.#n.library.share([new File([file.value.bytes as BlobPart], file.value.name)], { name: `${name}, round ${round}`, kind: 'model', licence: '', about: '', job, round, parents: [] })
  }

  async addToLibrary (source: string | Uint8Array): Promise<Outcome<{ readonly infoHash: Hex }>> { return await this.#n.library.add(source) }
  async fetchItem (infoHash: Hex): Promise<Outcome<{ readonly infoHash: Hex }>> { return await this.#n.library.fetch(infoHash) }
  async pauseItem (infoHash: Hex): Promise<void> { await this.#n.library.pause(infoHash) }
  async removeItem (infoHash: Hex): Promise<void> { await this.#n.library.remove(infoHash) }
  async openFile (infoHash: Hex, path: string): Promise<Outcome<Blob>> { return await this.#n.library.open(infoHash, path) }
  async torrentFile (infoHash: Hex): Promise<Outcome<Uint8Array>> { return this.#n.library.torrentFile(infoHash) }
  async setLibrary (settings: Partial<LibrarySettings>): Promise<Outcome<LibrarySettings>> { return await this.#n.library.set(settings) }

  async stop (): Promise<void> { await this.#stop() }

  async #stop (why?: string): Promise<void> {
    this.#scheduled?.()
    for (const off of this.#off.splice(0)) off()
    // From its first line on the node's phase is "stopped": the page hears that before the store closes.
    const stopped = this.#n.stop(why)
    this.#emit({ type: 'view', view: await this.#view() })
    await stopped
  }

  /** From a tab that has stopped it would go nowhere, and a wallet that was replaced is not the one the user sees elsewhere. */
  async #spend<T> (work: () => Promise<Outcome<T>>): Promise<Outcome<T>> {
    if (this.#n.phase().phase === 'stopped' || await this.#replaced()) return refuse('form', 'this tab has stopped: reload the page')
    const r = await work()
    this.#soon()
    return r
  }

  async #replaced (): Promise<boolean> {
    try {
      return await this.#n.keystore.replaced()
    } catch (e) {
      if (!(e instanceof StorageError)) throw e
      // Whether anything can be sent is the purse's to say.
      return false
    }
  }

  #record (hash: Hex): BlockRecord | undefined {
    const bytes = fromHex(hash, HASH_BYTES)
    return bytes === undefined ? undefined : this.#n.chain.get(bytes)
  }

  #job (id: Hex): JobRecord | undefined {
    const bytes = fromHex(id, HASH_BYTES)
    return bytes === undefined ? undefined : findJob(this.#n.chain.head().ledger, bytes)
  }

  #model (id: string): Outcome<JobTip | ModelFile> {
    const file = this.#n.models.opened(id)
    if (file !== undefined) return { ok: true, value: file }
    return id.startsWith('file-') ? refuse('model', 'this model file is no longer open here: open it again') : this.#tip(id)
  }

  #tip (id: Hex): Outcome<JobTip> {
    const job = this.#job(id)
    if (job === undefined) return refuse('job', 'there is no such job, or it ended long ago')
    if (job.status === 'waiting') return refuse('job', 'this job has no model yet: the committee is still fetching its data')
    const tip = this.#n.rounds.tip(job.id)
    return { ok: true, value: tip ?? { job, spec: job.spec, round: job.round, seal: job.seal, stateHash: job.stateHash, anchorHeight: job.sealAnchorHeight, pending: [] } }
  }

  #blockView (r: BlockRecord): BlockView {
    return blockView(r, { miner: this.#n.miner, onMainChain: this.#n.chain.isMain(r.meta.hash) })
  }

  #jobView (job: JobRecord): JobView {
    const tip = this.#n.rounds.tip(job.id)
    const newest = this.#n.curve.points(toHex(job.id)).at(-1)
    return jobView(job, {
      owner: this.#n.payee,
      round: tip?.round ?? job.round,
      stateHash: tip?.stateHash ?? job.stateHash,
      data: this.#n.data.progress(job.spec.data.root),
      newest
    })
  }

  async #view (): Promise<NodeView> {
    const n = this.#n
    const head = n.chain.head()
    const recent: BlockRecord[] = []
    for (let h = head.height; h > 0 && recent.length < RECENT_BLOCKS; h--) {
      const r = n.chain.at(h)
      if (r === undefined) break
      recent.unshift(r)
    }
    const spanned = recent.filter((r) => r.meta.header.template.time >= head.header.template.time - SAMPLES_WINDOW_MS)
    const main = recent.length < 2 ? undefined : (head.header.template.time - recent[0].meta.header.template.time) / (recent.length - 1)
    const heights = peerHeights(n.sync.statuses(), recent)
    await this.#readStorage()
    const jobs = head.ledger.jobs.map((j) => this.#jobView(j))
    const view: NodeView = {
      phase: n.phase(),
      network: n.networkName,
      chain: toHex(n.genesisHash),
      slot: n.slot,
      self: n.net.self,
      miner: toHex(n.miner),
      height: head.height,
      head: toHex(head.hash),
      headTimeMs: head.header.template.time,
      blockIntervalMs: n.params.blockIntervalMs,
      recentIntervalMs: main,
      totalWork: head.work,
      issued: head.ledger.issued,
      burned: head.ledger.burned,
      paidShare: paidShare(recent),
      peers: n.net.peers.map((p) => ({ id: p.id, link: p.link, score: p.score, rttMs: p.rttMs, height: heights.get(p.id) })),
      net: n.net,
      compute: n.computeStatus,
      mining: n.miningView(),
      jobs,
      seeding: n.seeding.view(),
      wallet: walletView(head.ledger, n.payee, n.pool.waiting(n.payee), n.spending.unsent(), { backedUp: n.keystore.backedUp, replaced: n.walletWatch.replaced(), earned: n.history.earned() }, n.params),
      replays: n.replayCount(),
      replayFailures: n.replayFailures(),
      blocksReplayed: recent.filter((r) => r.checked === 'replayed').map((r) => toHex(r.meta.hash)),
      contributionsPerRound: contributionsPerRound(recent),
      networkSamplesPerSecond: samplesPerSecond(spanned),
      committee: n.committeeView(),
      refusals: n.refusals.list(50),
      storage: this.#storage,
      joined: this.#joinedView(),
      elsewhereAt: n.keyWatch.elsewhere(),
      parted: n.sync.parted()
    }
    return view.phase.phase === 'stopped' ? atRest(view) : view
  }

  #joinedView (): JoinedView | undefined {
    const { chain } = this.#n
    const joined = chain.joined()
    if (joined === undefined) return undefined
    const head = chain.head().height
    let replayed = 0
    for (let r = chain.at(head); r !== undefined && r.checked !== 'ledger'; r = chain.at(head - replayed)) replayed++
    return { ...joined, replayed }
  }

  async #readStorage (): Promise<void> {
    const now = this.#n.clock.now()
    const since = now - this.#storageAt
    // A clock may be set back.
    if (since >= 0 && since < 5_000) return
    this.#storageAt = now
    try { this.#storage = await this.#n.storage.usage() } catch { /* The phase says that storage failed. */ }
  }

  #schedule (): void {
    this.#scheduled = this.#n.clock.after(VIEW_MS, () => { this.#soon(); this.#schedule() })
  }

  #soon (): void {
    if (this.#listeners.size === 0) return
    void this.#view().then((view) => { this.#emit({ type: 'view', view }) })
  }

  #notice (level: 'info' | 'warn' | 'error', text: string): void { this.#emit({ type: 'notice', level, text }) }

  #emit (e: NodeEvent): void { for (const l of this.#listeners) l(e) }
}

function contributionsPerRound (blocks: readonly BlockRecord[]): number {
  let contributions = 0
  let rounds = 0
  for (const b of blocks) for (const s of b.body.seals) { contributions += s.seal.contributions.length; rounds++ }
  return rounds === 0 ? 0 : contributions / rounds
}
