/**
 * Model states of the jobs this node follows. A state is named by its hash, so wherever it comes
 * from - memory, a snapshot, payloads merged again, a peer - it is the right one or it is not used.
 *
 * A seal names its contributions, and each contribution the state it started from: so the way back
 * from any sealed state to one that is held is written in the seals themselves.
 *
 * A state of more than one chunk is fetched as a torrent. The newest two snapshots of each job are shared
 * as such, and one more that a peer has asked for; where there is none, and for a state of one chunk, the
 * chunks are asked for: one question and one answer are cheaper than finding a torrent.
 */
import type { JobSpec } from '../core/codec/jobSpec.ts'
import { decode, equalBytes, toHex, ZERO32 } from '../core/codec/ssz.ts'
import { type Claim, type Seal, type SignedSeal, StateListRequest, StateListResponse, StateRequest } from '../core/codec/wire.ts'
import type { BlockMeta } from '../core/consensus/chain.ts'
import { claimId, sealHash } from '../core/crypto/ids.ts'
import { findJob } from '../core/ledger/state.ts'
import { CHUNK_BYTES, HASH_BYTES, MAX_OPS, MAX_PARAMETERS } from '../core/params.ts'
import { initialState } from '../core/training/init.ts'
import type { ModelState } from '../core/training/modelState.ts'
import { decodePayload, mergePayloads, type Payload, payloadSize } from '../core/training/payload.ts'
import { lr20At } from '../core/training/schedule.ts'
import { decodeState, isStateOf, stateBytes, stateSize, stateTensors } from '../core/training/stateHash.ts'
import type { Clock, Random } from '../ports/clock.ts'
import type { Compute } from '../ports/compute.ts'
import type { Network, PeerId } from '../ports/network.ts'
import type { Storage } from '../ports/storage.ts'
import { ask, candidates, type Asking } from './askPeers.ts'
import type { NewNote } from './libraryNotes.ts'
import { Lru } from './lru.ts'
import { eachTime, type Once } from './once.ts'
import type { Blame, BlockRecord, ChainService, Hex, Log, PayloadService, StatesService } from './parts.ts'
import { SNAPSHOT_ROUNDS, Snapshots } from './snapshots.ts'
import { STATE_PROTOCOL, StateChunks } from './stateChunks.ts'
import type { Read, TorrentService } from './torrentFetch.ts'
import { OF_ASKED, OF_STATE, type Shareable } from './torrentShelf.ts'

export const STATES_PROTOCOL = '/cw/1/states'
/** A list of 64 rounds and its offset. */
const STATE_LIST_BYTES = 4 + 64 * 4
const MEMORY_BYTES = 32 * 1024 * 1024
/** Seals remembered beside those in the kept blocks: pending ones and those of forks. */
const SEALS_KEPT = 1024
/** Of the largest model there can be, whatever job it is of: an offer of more is no mistake. */
const MAX_STATE_BYTES = 4 * (MAX_PARAMETERS + 2 * MAX_OPS)
/** Rounds recomputed in a row; a longer way needs a snapshot from a peer. */
const ROUNDS_RECOMPUTED = 160
const REQUEST_TIMEOUT_MS = 5_000
const PEERS_ASKED = 5
const FLUSH_MS = 15_000
/** Of a job, shared as torrents: who fetches the older one is not cut off by the newer. */
const TORRENTS_PER_JOB = 2

export type SealedState = Awaited<ReturnType<StatesService['sealState']>>
type FetchedPayload =
  | { readonly kind: 'payload', readonly payload: Payload }
  | { readonly kind: 'missing' | 'wrong', readonly detail: string, readonly claim: Claim }
type NextState =
  | { readonly kind: 'done', readonly state: ModelState, readonly stateHash: Uint8Array }
  | Exclude<SealedState, { kind: 'done' }>

export interface StatesDeps {
  readonly storage: Pick<Storage, 'get' | 'keys' | 'commit'>
  readonly network: Asking & Pick<Network, 'handle'>
  readonly compute: Pick<Compute, 'stateHash'>
  readonly payloads: Pick<PayloadService, 'get' | 'fetch'>
  readonly chain: Pick<ChainService, 'head' | 'at'>
  readonly clock: Clock
  readonly random: Random
  readonly blame: Pick<Blame, 'refuse'>
  readonly log: Log
  readonly historyBlocks: number
  readonly torrents: TorrentService
  /** Nothing is shared of a chain that is only being taken over. */
  readonly synced: () => boolean
  readonly once?: Once
}

const mergeNames = new WeakMap<Seal, Hex>()

/** Names what a seal merges, whatever it says comes out. */
function mergeName (seal: Seal): Hex {
  let name = mergeNames.get(seal)
  if (name === undefined) mergeNames.set(seal, name = toHex(sealHash({ ...seal, anchor: ZERO32, previous: ZERO32, stateHash: ZERO32 })))
  return name
}
const stateOf = (job: Uint8Array, stateHash: Uint8Array): string => `${toHex(job)}/${toHex(stateHash)}`
const bytesOf = (state: ModelState): number => 4 * stateTensors(state).reduce((sum, t) => sum + t.length, 0)
const stateNote = (job: Uint8Array, round: number): NewNote =>
  ({ name: `State of job ${short(job)} after round ${round}`, kind: 'snapshot', licence: '', about: 'weights and biases as integers, as the chain names them', parents: [], job: toHex(job), round })
const short = (bytes: Uint8Array): string => toHex(bytes).slice(0, 16)

export class States implements StatesService {
  readonly #d: StatesDeps
  readonly #once: Once
  readonly #snapshots: Snapshots
  readonly #chunks: StateChunks
  readonly #memory = new Lru<ModelState>(MEMORY_BYTES, bytesOf)
  /** By the state that a seal defines, or says so: what is computed on the way is held against each. */
  readonly #seals = new Lru<Seal>(SEALS_KEPT)
  /** Of blocks whose work is on trust: another way, where none was redone here. */
  readonly #told = new Lru<Seal>(SEALS_KEPT)
  /** Jobs and their states, of seals that were merged here, by this node or in a block that it has redone. */
  readonly #proven = new Lru<true>(SEALS_KEPT)
  readonly #results = new Lru<Uint8Array>(SEALS_KEPT)
  readonly #specs = new Lru<JobSpec>(64)
  readonly #finding = new Map<string, Promise<ModelState | undefined>>()
  readonly #sealing = new Map<Hex, Promise<NextState>>()
  /** Newest state computed per job, for the snapshot that a reload starts from. */
  readonly #newest = new Map<Hex, { readonly round: number, readonly stateHash: Hex }>()
  #indexedHead: BlockMeta | undefined
  #undo: Array<() => void> = []
  #stopped = false

  constructor (d: StatesDeps) {
    this.#d = d
    this.#once = d.once ?? eachTime
    this.#snapshots = new Snapshots(d.storage, d.log)
    this.#chunks = new StateChunks({
      network: d.network, clock: d.clock,
      size: name => {
        const state = this.#memory.get(name)
        return state === undefined ? this.#snapshots.size(name) : bytesOf(state)
      },
      read: async name => {
        const state = this.#memory.get(name)
        return state === undefined ? await this.#snapshots.bytes(name) : stateBytes(state)
      }
    })
  }

  async start (): Promise<void> {
    await this.#snapshots.start()
    this.#d.torrents.onAsked(name => this.#asked(name))
    this.#undo.push(await this.#chunks.start())
    this.#undo.push(await this.#d.network.handle(STATES_PROTOCOL,
      { maxRequestBytes: HASH_BYTES, maxResponseBytes: STATE_LIST_BYTES, perPeerPerSecond: 2 },
      async (_, body) => this.#serveRounds(body)))
    this.#scheduleFlush()
  }

  async stop (): Promise<void> {
    this.#stopped = true
    for (const undo of this.#undo.splice(0)) undo()
    await this.flush()
  }

  /** Writes the newest state of every job: at intervals, and when the page may be about to go. */
  async flush (): Promise<void> {
    const head = this.#d.chain.head()
    if (head.height > 0) {
      const jobs = new Set(head.ledger.jobs.map(j => toHex(j.id)))
      await this.#snapshots.keepJobs(jobs)
      for (const kind of [OF_STATE, OF_ASKED] as const) await this.#d.torrents.keepGroups(kind, jobs)
    }
    for (const [job, { round, stateHash }] of [...this.#newest]) {
      const state = this.#memory.get(stateHash)
      if (state !== undefined && round > 0) await this.#snapshots.save({ job, round, stateHash }, state)
      this.#newest.delete(job)
    }
  }

  /** `from`: who is asked for it before all others. */
  async state (job: Uint8Array, round: number, stateHash: Uint8Array, from?: PeerId): Promise<ModelState | undefined> {
    const held = this.#inMemory(this.#specOf(job), stateHash)
    if (held !== undefined) return held
    // By the job as well: who names a state with a job that it is not of shall not hold up those who ask for it rightly.
    const name = stateOf(job, stateHash)
    const running = this.#finding.get(name)
    if (running !== undefined) return await running
    const finding = this.#find(job, round, stateHash, from).finally(() => this.#finding.delete(name))
    this.#finding.set(name, finding)
    return await finding
  }

  async sealState (spec: JobSpec, signed: SignedSeal, via?: PeerId): Promise<SealedState> {
    const { seal } = signed
    this.#specs.set(toHex(seal.job), spec)
    const name = mergeName(seal)
    let stateHash = this.#results.get(name)
    if (stateHash === undefined) {
      const next = await this.#nextState(spec, seal, name, via)
      if (next.kind !== 'done') return next
      stateHash = next.stateHash
      this.#results.set(name, stateHash)
      this.#memory.set(toHex(stateHash), next.state)
    }
    if (equalBytes(stateHash, seal.stateHash)) await this.#keep(seal)
    return { kind: 'done', stateHash }
  }

  told (seals: readonly SignedSeal[]): void { for (const { seal } of seals) this.#told.set(toHex(seal.stateHash), seal) }

  /** A seal that leads where it says: the way to its state, and from time to time a snapshot. */
  async #keep (seal: Seal): Promise<void> {
    const job = toHex(seal.job)
    const stateHash = toHex(seal.stateHash)
    const state = this.#memory.get(stateHash)
    this.#seals.set(stateHash, seal)
    this.#proven.set(stateOf(seal.job, seal.stateHash), true)
    if (state === undefined) return
    if (seal.round >= (this.#newest.get(job)?.round ?? 0)) this.#newest.set(job, { round: seal.round, stateHash })
    if (seal.round === 0 || seal.round % SNAPSHOT_ROUNDS !== 0) return
    await this.#snapshots.save({ job, round: seal.round, stateHash }, state)
    this.#share(seal, stateHash)
  }

  #share (seal: Seal, stateHash: Hex): void {
    if (this.#isShared(seal.job)) this.#d.torrents.share({ ...this.#shareable(seal, async () => await this.#snapshots.bytes(stateHash)), kind: OF_STATE, order: seal.round, keep: TORRENTS_PER_JOB })
  }

  /** Another that a peer wants, if it is here. */
  #asked (name: Uint8Array): Shareable | undefined {
    this.#indexChain()
    const stateHash = toHex(name)
    const seal = this.#seals.get(stateHash)
    const state = this.#memory.get(stateHash)
    if (seal === undefined || (state === undefined && !this.#snapshots.has(stateHash)) || !this.#isShared(seal.job)) return undefined
    const file = async (): Promise<Uint8Array | undefined> => state === undefined ? await this.#snapshots.bytes(stateHash) : stateBytes(state)
    return { ...this.#shareable(seal, file), kind: OF_ASKED, order: Math.floor(this.#d.clock.now() / 1000), keep: 1 }
  }

  #isShared (job: Uint8Array): boolean {
    const spec = this.#specOf(job)
    return spec !== undefined && stateSize(spec) > CHUNK_BYTES && this.#d.synced()
  }

  #shareable ({ job, round, stateHash }: Seal, bytes: () => Promise<Uint8Array | undefined>): Pick<Shareable, 'group' | 'name' | 'file' | 'note'> {
    return {
      group: job, name: stateHash,
      file: async () => {
        const whole = await bytes()
        return whole === undefined ? undefined : [whole]
      },
      note: stateNote(job, round)
    }
  }

  #nextState (spec: JobSpec, seal: Seal, name: Hex, via?: PeerId): Promise<NextState> {
    const running = this.#sealing.get(name)
    if (running !== undefined) return running
    const sealing = this.#merge(spec, seal, via, true).finally(() => this.#sealing.delete(name))
    this.#sealing.set(name, sealing)
    return sealing
  }

  /** S_{r+1} = S_r + mean of the sealed changes; nothing of the seal is trusted but what it names. */
  async #merge (spec: JobSpec, seal: Seal, via: PeerId | undefined, mayFetch: boolean, before?: ModelState): Promise<NextState> {
    if (seal.contributions.length === 0) {
      const state = this.#initial(spec)
      return { kind: 'done', state, stateHash: await this.#d.compute.stateHash(state) }
    }
    const { template } = seal.contributions[0]
    const from = before ?? await this.state(seal.job, template.round, template.stateHash)
    if (from === undefined) return { kind: 'unavailable', detail: `state of round ${template.round} of job ${short(seal.job)} is not to be had` }
    const lr20 = lr20At(spec, template.round)
    const size = payloadSize(spec)
    const fetched = await Promise.all(seal.contributions.map(async (claim): Promise<FetchedPayload> => {
      if (claim.payloadBytes !== size) return { kind: 'wrong', detail: `payload of ${claim.payloadBytes} bytes, the job's have ${size}`, claim }
      const bytes = mayFetch
        ? await this.#d.payloads.fetch(claim.payloadDigest, size, { job: seal.job, round: template.round }, via)
        : await this.#d.payloads.get(claim.payloadDigest)
      if (bytes === undefined) return { kind: 'missing', detail: `payload ${short(claim.payloadDigest)} of round ${seal.round} is not to be had`, claim }
      const payload = this.#once('payload', [bytes, spec, lr20], () => decodePayload(spec, lr20, bytes))
      return payload.ok ? { kind: 'payload', payload: payload.value } : { kind: 'wrong', detail: payload.error.detail, claim }
    }))
    // A payload that is wrong settles the matter, whatever else is missing.
    const wrong = fetched.find(f => f.kind === 'wrong')
    if (wrong?.kind === 'wrong') return { kind: 'bad-payload', detail: wrong.detail, contribution: claimId(wrong.claim) }
    const payloads: Payload[] = []
    for (const f of fetched) {
      if (f.kind !== 'payload') return { kind: 'unavailable', detail: f.detail }
      payloads.push(f.payload)
    }
    const state = this.#once('merged state', [from, ...payloads], () => mergePayloads(from, payloads))
    return { kind: 'done', state, stateHash: await this.#d.compute.stateHash(state) }
  }

  #initial (spec: JobSpec): ModelState { return this.#once('initial state', [spec], () => initialState(spec)) }

  #specOf (job: Uint8Array): JobSpec | undefined {
    return findJob(this.#d.chain.head().ledger, job)?.spec ?? this.#specs.get(toHex(job))
  }

  async #find (job: Uint8Array, round: number, stateHash: Uint8Array, from: PeerId | undefined): Promise<ModelState | undefined> {
    const spec = this.#specOf(job)
    if (spec === undefined) return undefined
    const held = await this.#own(spec, job, stateHash)
    if (held !== undefined) return held
    if (round === 0) return await this.#accept(this.#initial(spec), stateHash)
    const path = this.#pathTo(job, round, stateHash)
    return await this.#recompute(spec, path, false) ??
      await this.#fromTorrent(spec, job, round, path, stateHash) ??
      await this.#fetchState(spec, job, stateHash, { first: from }) ??
      await this.#recompute(spec, path, true) ??
      await this.#recomputeFromPeer(spec, job, path)
  }

  /** A state is named by its hash alone, whatever job it is asked for as. */
  #inMemory (spec: JobSpec | undefined, stateHash: Uint8Array): ModelState | undefined {
    const held = this.#memory.get(toHex(stateHash))
    return held !== undefined && (spec === undefined || isStateOf(spec, held)) ? held : undefined
  }

  /** From memory or storage. */
  async #own (spec: JobSpec, job: Uint8Array, stateHash: Uint8Array): Promise<ModelState | undefined> {
    const name = toHex(stateHash)
    const held = this.#inMemory(spec, stateHash)
    if (held !== undefined) return held
    const stored = await this.#snapshots.load(toHex(job), spec, name)
    if (stored === undefined) return undefined
    const accepted = await this.#accept(stored, stateHash)
    if (accepted === undefined) await this.#snapshots.drop(name)
    return accepted
  }

  async #accept (state: ModelState, stateHash: Uint8Array): Promise<ModelState | undefined> {
    if (!equalBytes(await this.#d.compute.stateHash(state), stateHash)) return undefined
    this.#memory.set(toHex(stateHash), state)
    return state
  }

  /** Seals that lead to a state, newest first, back to round 1 or as far as they are known. */
  #pathTo (job: Uint8Array, round: number, stateHash: Uint8Array): Seal[] {
    this.#indexChain()
    const path: Seal[] = []
    let wanted = stateHash
    for (let r = round; r > 0 && path.length < ROUNDS_RECOMPUTED; r--) {
      const seal = this.#seals.get(toHex(wanted)) ?? this.#told.get(toHex(wanted))
      if (seal === undefined || seal.round !== r || !equalBytes(seal.job, job) || seal.contributions.length === 0) break
      path.push(seal)
      wanted = seal.contributions[0].template.stateHash
    }
    return path
  }

  /** Seals of the kept main chain. */
  #indexChain (): void {
    const head = this.#d.chain.head()
    if (this.#indexedHead === head) return
    this.#indexedHead = head
    const records: BlockRecord[] = []
    for (let h = head.height; h > Math.max(0, head.height - this.#d.historyBlocks); h--) {
      const record = this.#d.chain.at(h)
      if (record !== undefined) records.push(record)
    }
    // Newest last: the least recently set are forgotten first.
    for (const { body, checked } of records.reverse()) {
      if (checked === 'ledger') {
        this.told(body.seals)
        continue
      }
      for (const { seal } of body.seals) {
        this.#seals.set(toHex(seal.stateHash), seal)
        this.#proven.set(stateOf(seal.job, seal.stateHash), true)
      }
    }
  }

  /**
   * Whether this node knows from work redone that the job has this state. Headers and blocks taken on trust may name
   * that of another job: whoever gives it when asked does not lie.
   */
  #isProven (job: Uint8Array, stateHash: Uint8Array): boolean {
    this.#indexChain()
    return this.#proven.has(stateOf(job, stateHash))
  }

  /** From the newest state on the path that is held; `mayFetch` the payloads in between. */
  async #recompute (spec: JobSpec, path: readonly Seal[], mayFetch: boolean): Promise<ModelState | undefined> {
    for (const [i, seal] of path.entries()) {
      const { round, stateHash } = seal.contributions[0].template
      const base = await this.#own(spec, seal.job, stateHash) ?? (round === 0 ? await this.#accept(this.#initial(spec), stateHash) : undefined)
      if (base !== undefined) return await this.#forward(spec, base, path.slice(0, i + 1).reverse(), mayFetch)
    }
    return undefined
  }

  async #forward (spec: JobSpec, base: ModelState, seals: readonly Seal[], mayFetch: boolean): Promise<ModelState | undefined> {
    let state = base
    for (const seal of seals) {
      const next = await this.#merge(spec, seal, undefined, mayFetch, state)
      if (next.kind !== 'done' || !equalBytes(next.stateHash, seal.stateHash)) return undefined
      state = next.state
      this.#memory.set(toHex(next.stateHash), state)
      await this.#keep(seal)
    }
    return state
  }

  /** A peer's newest snapshot on the path, and the payloads from there on. */
  async #recomputeFromPeer (spec: JobSpec, job: Uint8Array, path: readonly Seal[]): Promise<ModelState | undefined> {
    for (const peer of (await candidates(this.#d.network, this.#d.random)).slice(0, PEERS_ASKED)) {
      const bytes = await ask(this.#d.network, peer, STATES_PROTOCOL, StateListRequest.serialize({ job }), REQUEST_TIMEOUT_MS, STATE_LIST_BYTES)
      const list = bytes === undefined ? undefined : decode(StateListResponse, bytes, STATE_LIST_BYTES)
      if (list === undefined || !list.ok) continue
      const rounds = new Set(list.value.rounds)
      const i = path.findIndex(seal => rounds.has(seal.round))
      if (i < 1) continue
      const base = await this.#fromTorrent(spec, job, path[i].round, path.slice(i), path[i].stateHash) ?? await this.#fetchState(spec, job, path[i].stateHash, { only: peer })
      const state = base === undefined ? undefined : await this.#forward(spec, base, path.slice(0, i).reverse(), true)
      if (state !== undefined) return state
    }
    return undefined
  }

  /**
   * The state itself, or the nearest before it on the path from which the payloads weigh no more than a
   * state does. What is right of that kind is the state with this hash, so a wrong one is somebody's lie,
   * if the job is known to have such a state.
   */
  async #fromTorrent (spec: JobSpec, job: Uint8Array, round: number, path: readonly Seal[], stateHash: Uint8Array): Promise<ModelState | undefined> {
    const size = stateSize(spec)
    if (size <= CHUNK_BYTES) return undefined
    const names = [stateHash]
    const rounds = new Map([[toHex(stateHash), round]])
    let payloads = 0
    for (const { contributions } of path) {
      const { round: r, stateHash: before } = contributions[0].template
      payloads += contributions.length * payloadSize(spec)
      if (payloads > size || r === 0) break
      names.push(before)
      rounds.set(toHex(before), r)
    }
    const got = await this.#d.torrents.fetch({
      kind: OF_STATE, names, group: job, order: name => rounds.get(toHex(name)) ?? 0, keep: TORRENTS_PER_JOB, bytesMax: MAX_STATE_BYTES,
      note: name => stateNote(job, rounds.get(toHex(name)) ?? 0),
      fits: bytes => bytes === size,
      read: async (bytes, name): Promise<Read<ModelState>> => {
        const state = await this.#decoded(spec, bytes, name)
        return state === undefined ? { ok: false, why: this.#isProven(job, name) ? 'lie' : 'unknown', reason: 'state-hash', detail: `state ${short(name)} of job ${short(job)} does not have its hash` } : { ok: true, value: state }
      },
      over: () => this.#stopped
    })
    if (got === undefined) return undefined
    const behind = names.findIndex(name => equalBytes(name, got.name))
    return behind === 0 ? got.value : await this.#forward(spec, got.value, path.slice(0, behind).reverse(), true)
  }

  /**
   * Chunk by chunk; a peer that stops in the middle is followed by the next one from there. Bytes of
   * several peers that do not fit together are read again from one peer at a time, so that the one
   * who lies is the one who is named, if the job is known to have such a state.
   */
  async #fetchState (spec: JobSpec, job: Uint8Array, stateHash: Uint8Array, { only, first }: { readonly only?: PeerId, readonly first?: PeerId }): Promise<ModelState | undefined> {
    const peers = only === undefined ? (await candidates(this.#d.network, this.#d.random, first)).slice(0, PEERS_ASKED) : [only]
    const size = stateSize(spec)
    const bytes = new Uint8Array(size)
    const sources = new Set<PeerId>()
    let offset = 0
    for (const peer of peers) {
      const before = offset
      offset = await this.#readChunks(peer, job, stateHash, bytes, offset)
      if (offset > before) sources.add(peer)
      if (offset < size) continue
      const state = await this.#decoded(spec, bytes, stateHash)
      if (state !== undefined) return state
      if (sources.size === 1) {
        if (this.#isProven(job, stateHash)) this.#d.blame.refuse({ what: 'state', reason: 'state does not have its hash', detail: `state ${short(stateHash)} of job ${short(job)}`, peer, fatal: true })
      } else {
        for (const source of sources) {
          const alone = await this.#fetchState(spec, job, stateHash, { only: source })
          if (alone !== undefined) return alone
        }
      }
      sources.clear()
      offset = 0
    }
    return undefined
  }

  async #readChunks (peer: PeerId, job: Uint8Array, stateHash: Uint8Array, into: Uint8Array, start: number): Promise<number> {
    let offset = start
    while (offset < into.length) {
      const want = Math.min(CHUNK_BYTES, into.length - offset)
      const chunk = await ask(this.#d.network, peer, STATE_PROTOCOL, StateRequest.serialize({ job, stateHash, offset }), REQUEST_TIMEOUT_MS, CHUNK_BYTES)
      if (chunk === undefined || chunk.length !== want) break
      into.set(chunk, offset)
      offset += want
    }
    return offset
  }

  async #decoded (spec: JobSpec, bytes: Uint8Array, stateHash: Uint8Array): Promise<ModelState | undefined> {
    const state = decodeState(spec, bytes)
    return state.ok ? await this.#accept(state.value, stateHash) : undefined
  }

  #serveRounds (body: Uint8Array): Uint8Array {
    const request = decode(StateListRequest, body, HASH_BYTES)
    if (!request.ok) return new Uint8Array(0)
    return StateListResponse.serialize({ rounds: this.#snapshots.rounds(toHex(request.value.job)).slice(-64) })
  }

  #scheduleFlush (): void {
    const cancel = this.#d.clock.after(FLUSH_MS, () => {
      this.#undo = this.#undo.filter(u => u !== cancel)
      this.flush().catch((e: unknown) => { this.#d.log.error('states', `flush failed: ${e instanceof Error ? e.message : String(e)}`) })
      this.#scheduleFlush()
    })
    this.#undo.push(cancel)
  }
}
