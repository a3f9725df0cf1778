/**
 * The data that jobs train on. The built-in digits every node draws for itself. A registered set is
 * fetched as the torrent that most peers say it is (training/datasetFile.ts), and every chunk of it
 * checked against the root before it is used. Where nobody has the torrent, where it does not come, and
 * for a set of one chunk, the chunks are asked for one by one, each proved against the root. Once whole
 * it is served on both ways. A set is `held` when all of it is here and its root is right.
 *
 * Anyone may post a job that names another's root with a wrong size. So a fetch is one of a whole
 * reference, and as long as no chunk has been proved, an answer that does not fit is nobody's lie.
 */
import { DATA_BUILTIN, DataRef, type JobSpec } from '../core/codec/jobSpec.ts'
import { decode, equalBytes, toHex } from '../core/codec/ssz.ts'
import { DataRequest, DataResponse, PACKED_CHUNK_BYTES } from '../core/codec/wire.ts'
import { rangeProof, verifyRange } from '../core/crypto/merkle.ts'
import { isEnded } from '../core/ledger/state.ts'
import { HASH_BYTES, MAX_ACTIVE_JOBS } from '../core/params.ts'
import {
  BUILTIN_REF, builtinDataset, chunkCount, chunkRecords, chunkRoot, type Dataset, datasetRoot, type Display, heldDataset, packChunk, readRecords, recordCount, recordsPerChunk, unpackChunk
} from '../core/training/dataset.ts'
import { MAX_DATA_FILE_BYTES, dataFileMax, decodeDataFile, encodeDataFile, fileSizes } from '../core/training/datasetFile.ts'
import type { Table } from '../core/training/table.ts'
import { utf8Text } from '../core/training/utf8.ts'
import type { Clock, Random } from '../ports/clock.ts'
import type { Network, PeerId } from '../ports/network.ts'
import type { Storage } from '../ports/storage.ts'
import { ask, candidates, sleep, type Asking } from './askPeers.ts'
import { DatasetStore, type Note } from './datasetStore.ts'
import type { NewNote } from './libraryNotes.ts'
import type { Blame, ChainService, DataService, Hex, Log } from './parts.ts'
import type { Read, TorrentService } from './torrentFetch.ts'
import { OF_DATA } from './torrentShelf.ts'

export const DATA_PROTOCOL = '/cw/1/data'
const REQUEST_BYTES = HASH_BYTES + 8
/** Two offsets, the records, 64 siblings. */
const RESPONSE_BYTES = 8 + PACKED_CHUNK_BYTES + 64 * HASH_BYTES
/** Half a megabyte over a slow line. */
const REQUEST_TIMEOUT_MS = 15_000
const REQUESTS_PER_SECOND = 32
/**
 * Peers one set is fetched from at once, and requests under way to each: below what a peer serves at
 * a time, as it counts one until its stream is closed. An answer passes eight threads, all of them busy.
 */
const PARALLEL_PEERS = 3
const REQUESTS_AT_ONCE = 6
/** Pause before those who did not have it are asked again. */
const RETRY_MS = 2_000
/** Sets the user brought, or of jobs that ended, that stay beside those of open jobs. */
const EXTRA_SETS = 1
/** Tables whose names stay after their records are gone: a model outlives its job. Of 128 KiB each at most. */
const NOTES = 16
/**
 * What was fetched for a job that is open no more stays so long after it was wanted last: what is asked for in order to
 * redo old blocks comes in parts, and a block that left the chain may come back.
 */
export const LEFT_MS = 5 * 60_000
/** Sets being fetched: no more jobs can be open. */
const MAX_FETCHES = MAX_ACTIVE_JOBS

interface Fetch {
  readonly ref: DataRef
  /** Made when the first chunk is here: a job whose data nobody has takes no memory. */
  records?: { readonly features: Uint8Array, readonly labels: Uint8Array }
  readonly roots: Uint8Array[]
  /** Chunks neither here nor asked for. */
  readonly missing: Set<number>
  have: number
  /** A chunk from a peer has been proved: the reference is right about its root. */
  proved: boolean
  /** The file that its root names is here and does not fit it: no torrent will. */
  misfit: boolean
  stopped: boolean
}

function newFetch (ref: DataRef): Fetch {
  return { ref, roots: [], missing: new Set(Array.from({ length: chunkCount(ref) }, (_, i) => i)), have: 0, proved: false, misfit: false, stopped: false }
}

const maxLabels = new WeakMap<Dataset, number>()

function maxLabel (data: Dataset): number {
  let max = maxLabels.get(data)
  if (max === undefined) {
    max = 0
    for (let i = 0; i < data.records; i++) max = Math.max(max, data.label(i))
    maxLabels.set(data, max)
  }
  return max
}

/** The set a job trains on. Two specs may name one root and read it differently; kernels must not. */
export function dataFor (service: Pick<DataService, 'held'>, spec: JobSpec): Dataset | undefined {
  const data = service.held(spec.data.root)
  if (data === undefined || spec.data.source === DATA_BUILTIN) return data
  const fits = data.ref.features === spec.data.features && data.records === recordCount(spec.data) && maxLabel(data) < spec.data.classes
  return fits ? data : undefined
}

export interface DatasetsDeps {
  readonly storage: Pick<Storage, 'get' | 'keys' | 'commit'>
  readonly network: Asking & Pick<Network, 'handle'>
  readonly chain: Pick<ChainService, 'head' | 'on'>
  readonly clock: Clock
  readonly random: Random
  readonly blame: Pick<Blame, 'refuse'>
  readonly log: Log
  readonly torrents: TorrentService
  /** Called when a set becomes held. */
  readonly onHeld?: (root: Hex) => void
}

export class Datasets implements DataService {
  readonly #d: DatasetsDeps
  readonly #store: DatasetStore
  readonly #builtin = builtinDataset()
  readonly #held = new Map<Hex, Dataset>()
  /** Of tables whose records are not held, oldest first. */
  readonly #notes = new Map<Hex, Note>()
  /** By reference. */
  readonly #fetches = new Map<Hex, Fetch>()
  /** By root, of sets that are not here whole and were given up: the end of their time. */
  readonly #leaving = new Map<Hex, () => void>()
  readonly #undo: Array<() => void> = []
  #stopped = false

  constructor (d: DatasetsDeps) {
    this.#d = d
    this.#store = new DatasetStore(d.storage, d.log)
  }

  async start (): Promise<void> {
    for (const root of await this.#store.roots()) {
      const note = await this.#store.note(root)
      if (note !== undefined) await this.#load(root, note)
      else await this.#forget(root)
    }
    this.#undo.push(await this.#d.network.handle(DATA_PROTOCOL,
      { maxRequestBytes: REQUEST_BYTES, maxResponseBytes: RESPONSE_BYTES, perPeerPerSecond: REQUESTS_PER_SECOND },
      async (_, body) => this.#serve(body)))
    this.#undo.push(this.#d.chain.on('head', () => { this.#follow() }))
    this.#follow()
    // What is on the shelf may be of jobs that have ended since.
    this.#d.torrents.started.then(async () => { await this.#evict() }).catch((e: unknown) => { this.#d.log.error('data', e instanceof Error ? e.message : String(e)) })
  }

  async stop (): Promise<void> {
    this.#stopped = true
    for (const fetch of this.#fetches.values()) fetch.stopped = true
    for (const undo of [...this.#undo.splice(0), ...this.#leaving.values()]) undo()
    await this.#store.written()
  }

  held (root: Uint8Array): Dataset | undefined {
    return equalBytes(root, BUILTIN_REF.root) ? this.#builtin : this.#held.get(toHex(root))
  }

  /** A root may be named with other sizes than its set has; then the columns are not those of that reference. */
  tableOf ({ root, features, classes }: Pick<DataRef, 'root' | 'features' | 'classes'>): Table | undefined {
    const data = this.held(root)
    const note = data === undefined ? this.#notes.get(toHex(root)) : { ref: data.ref, display: data }
    if (note === undefined || note.ref.features !== features || note.ref.classes !== classes) return undefined
    const { columns, classNames } = note.display
    return columns === undefined || classNames === undefined ? undefined : { columns, classes: classNames }
  }

  /** Records. */
  progress (root: Uint8Array): { readonly have: number, readonly want: number } {
    const data = this.held(root)
    if (data !== undefined) return { have: data.records, want: data.records }
    const fetch = this.#fetchesOf(root).sort((a, b) => b.have - a.have)[0]
    const ref = fetch?.ref ?? this.#d.chain.head().ledger.jobs.find(j => equalBytes(j.spec.data.root, root))?.spec.data
    return { have: fetch?.have ?? 0, want: ref === undefined ? 0 : recordCount(ref) }
  }

  want (spec: JobSpec): void {
    if (this.#stopped || spec.data.source === DATA_BUILTIN || this.held(spec.data.root) !== undefined || this.#fetches.size >= MAX_FETCHES) return
    const name = toHex(spec.data.root)
    const key = refKey(spec.data)
    if (this.#fetches.has(key)) return
    const fetch = newFetch(spec.data)
    this.#fetches.set(key, fetch)
    this.#run(name, fetch).catch((e: unknown) => {
      this.#d.log.error('data', `fetch of ${name.slice(0, 16)} failed: ${e instanceof Error ? e.message : String(e)}`)
    }).finally(() => { if (this.#fetches.get(key) === fetch) this.#fetches.delete(key) })
  }

  async add (data: Dataset): Promise<void> {
    const name = toHex(data.ref.root)
    this.#hold(name, data)
    await this.#store.putAll(data)
    await this.#evict()
  }

  /** As a torrent, if it is held. */
  publish (root: Uint8Array): void {
    const data = this.#held.get(toHex(root))
    if (data === undefined) return
    this.#d.torrents.share({
      kind: OF_DATA, group: root, order: 0, name: root, keep: 1,
      file: async () => await this.#fileOf(data),
      note: this.#noteOf(data.ref)
    })
  }

  #noteOf (ref: DataRef): NewNote {
    return { name: this.#nameOf(ref.root), kind: 'dataset', licence: '', about: `${recordCount(ref)} records of ${ref.features} features in ${ref.classes} classes; the root is ${toHex(ref.root)}`, parents: [] }
  }

  /** By the oldest job on it, if one is known. */
  #nameOf (root: Uint8Array): string {
    const job = this.#d.chain.head().ledger.jobs.find(j => equalBytes(j.spec.data.root, root))
    const name = job === undefined ? undefined : utf8Text(job.spec.name)
    return name === undefined || name === '' ? `Data set ${toHex(root).slice(0, 16)}` : `Data of “${name}”`
  }

  async #fileOf (data: Dataset): Promise<Uint8Array[] | undefined> {
    const chunks: Uint8Array[] = []
    for (let i = 0; i < chunkCount(data.ref); i++) {
      // A chunk takes some milliseconds: others of this thread get their turn.
      await sleep(this.#d.clock, 0)
      if (this.#stopped || this.#held.get(toHex(data.ref.root)) !== data) return undefined
      chunks.push(packChunk(data, i))
    }
    return encodeDataFile({ root: data.ref.root, records: data.records, features: data.ref.features, chunks })
  }

  /** Wants what open jobs need. */
  #follow (): void {
    const { jobs } = this.#d.chain.head().ledger
    for (const job of jobs) if (!isEnded(job)) this.want(job.spec)
    if (this.#fetches.size === 0) return
    const open = new Set(jobs.filter(j => !isEnded(j)).map(j => refKey(j.spec.data)))
    for (const [key, fetch] of this.#fetches) if (!open.has(key)) fetch.stopped = true
  }

  #fetchesOf (root: Uint8Array): Fetch[] { return [...this.#fetches.values()].filter(f => equalBytes(f.ref.root, root)) }

  #openRoots (): Set<Hex> {
    return new Set(this.#d.chain.head().ledger.jobs.filter(j => !isEnded(j)).map(j => toHex(j.spec.data.root)))
  }

  #hold (name: Hex, data: Dataset): void {
    this.#notes.delete(name)
    this.#held.delete(name)
    this.#held.set(name, data)
    for (const fetch of this.#fetchesOf(data.ref.root)) fetch.stopped = true
    this.publish(data.ref.root)
    this.#d.onHeld?.(name)
  }

  /** Oldest first, never one that an open job trains on. */
  async #evict (): Promise<void> {
    if (this.#stopped) return
    const open = this.#openRoots()
    const extra = [...this.#held.keys()].filter(name => !open.has(name))
    for (const name of extra.slice(0, Math.max(0, extra.length - EXTRA_SETS))) {
      const { ref, columns, classNames } = this.#held.get(name)!
      this.#held.delete(name)
      if (columns !== undefined) await this.#remember(name, { ref, display: { columns, classNames } })
      await this.#store.drop(name, columns !== undefined)
    }
    await this.#d.torrents.keepGroups(OF_DATA, new Set([...open, ...this.#held.keys()]))
  }

  /** Its note is in storage, or is left there by what drops the records. */
  async #remember (name: Hex, note: Note): Promise<void> {
    this.#notes.delete(name)
    this.#notes.set(name, note)
    const [oldest] = this.#notes.keys()
    if (this.#notes.size <= NOTES) return
    this.#notes.delete(oldest)
    await this.#store.drop(oldest, false)
  }

  /** It is fetched no more; its job may have ended. */
  #leave (name: Hex): void {
    if (this.#stopped) return
    this.#leaving.get(name)?.()
    this.#leaving.set(name, this.#d.clock.after(LEFT_MS, () => {
      this.#leaving.delete(name)
      this.#forget(name).catch((e: unknown) => { this.#d.log.error('data', e instanceof Error ? e.message : String(e)) })
    }))
  }

  /** What was fetched and nothing needs. What the user brought stays though its note cannot be read. */
  async #forget (name: Hex): Promise<void> {
    const isWanted = [...this.#fetches.values()].some(f => toHex(f.ref.root) === name)
    if (this.#stopped || isWanted || this.#held.has(name) || this.#openRoots().has(name)) return
    const noted = this.#notes.has(name)
    if (noted || !await this.#store.isNoted(name)) await this.#store.drop(name, noted)
  }

  /** A set that is in storage whole; of a table that is not, the names. */
  async #load (name: Hex, note: Note): Promise<void> {
    const fetch = newFetch(note.ref)
    await this.#resume(name, fetch)
    if (fetch.missing.size === 0 && this.#finish(name, fetch, note.display)) return
    const noted = note.display.columns !== undefined
    if (noted) await this.#remember(name, note)
    await this.#store.drop(name, noted)
  }

  async #run (name: Hex, fetch: Fetch): Promise<void> {
    await this.#resume(name, fetch)
    await this.#d.torrents.started
    while (!fetch.stopped && fetch.missing.size > 0) {
      await this.#fromTorrent(name, fetch)
      if (fetch.stopped || fetch.missing.size === 0) break
      const before = fetch.missing.size
      const peers = (await candidates(this.#d.network, this.#d.random)).slice()
      await Promise.all(Array.from({ length: PARALLEL_PEERS }, async () => {
        for (let peer = peers.shift(); peer !== undefined && !fetch.stopped; peer = peers.shift()) await this.#drainPeer(name, fetch, peer)
      }))
      if (fetch.missing.size === before) await sleep(this.#d.clock, RETRY_MS)
    }
    if (fetch.stopped) return this.#leave(name)
    const table = this.tableOf(fetch.ref)
    if (this.#finish(name, fetch, { columns: table?.columns, classNames: table?.classes })) await this.#evict()
    // What is stored may be good for the other reference.
    else if (this.#fetchesOf(fetch.ref.root).length === 1) await this.#store.drop(name, this.#notes.has(name))
  }

  /** Whole, unless most of it is here or it is of one chunk. */
  async #fromTorrent (name: Hex, fetch: Fetch): Promise<void> {
    const { ref } = fetch
    if (fetch.misfit || chunkCount(ref) === 1 || 2 * fetch.missing.size <= chunkCount(ref)) return
    const most = dataFileMax(ref)
    await this.#d.torrents.fetch({
      kind: OF_DATA, names: [ref.root], group: ref.root, order: () => 0, keep: 1, bytesMax: MAX_DATA_FILE_BYTES, note: () => this.#noteOf(ref),
      // More may be the fault of the reference.
      fits: bytes => bytes <= most,
      read: async bytes => await this.#read(name, fetch, bytes),
      over: () => fetch.stopped
    })
  }

  /** Checks all of it before anything is used: a file that has its root is right, whatever this reference says. */
  async #read (name: Hex, fetch: Fetch, bytes: Uint8Array): Promise<Read<true>> {
    const lie = (reason: string, detail: string): Read<true> => ({ ok: false, why: 'lie', reason, detail })
    const file = decodeDataFile(bytes)
    if (!file.ok) return lie('data-malformed', file.error.detail)
    if (!equalBytes(file.value.root, fetch.ref.root)) return lie('data-root', 'it is the file of another set')
    const sizes = fileSizes(file.value)
    const roots: Uint8Array[] = []
    for (const [i, packed] of file.value.chunks.entries()) {
      await sleep(this.#d.clock, 0)
      const records = unpackChunk(sizes, i, packed)
      if (records === undefined) return lie('data-malformed', `chunk ${i} is not packed as it has to be`)
      roots.push(chunkRoot(sizes, records))
    }
    if (!equalBytes(datasetRoot(roots), fetch.ref.root)) return lie('data-root', 'its records do not have the root')
    const misfit = (detail: string): Read<true> => {
      fetch.misfit = true
      return { ok: false, why: 'unwanted', reason: 'data-reference', detail }
    }
    if (file.value.features !== fetch.ref.features || file.value.records !== recordCount(fetch.ref)) return misfit(`${file.value.records} records of ${file.value.features} features`)
    for (const [i, packed] of file.value.chunks.entries()) {
      if (!fetch.missing.has(i)) continue
      await sleep(this.#d.clock, 0)
      if (!this.#take(fetch, i, unpackChunk(sizes, i, packed)!, roots[i])) return misfit('a record is of a class that the reference does not have')
      // A copy, or the whole file would stay with it.
      this.#store.putChunk(name, i, packed.slice())
    }
    return { ok: true, value: true }
  }

  /** Chunks that an earlier run of the page left in storage; proved when they came, and again as a whole. */
  async #resume (name: Hex, fetch: Fetch): Promise<void> {
    for (const chunk of await this.#store.chunks(name)) {
      if (!fetch.missing.has(chunk)) continue
      const packed = await this.#store.chunk(name, chunk)
      const bytes = packed === undefined ? undefined : unpackChunk(fetch.ref, chunk, packed)
      if (bytes !== undefined) this.#take(fetch, chunk, bytes, chunkRoot(fetch.ref, bytes))
    }
  }

  /** The first answer shows whether the peer has it; then several are under way at once, so that the way there and back costs little. */
  async #drainPeer (name: Hex, fetch: Fetch, peer: PeerId): Promise<void> {
    if (!await this.#fetchOne(name, fetch, peer)) return
    await Promise.all(Array.from({ length: REQUESTS_AT_ONCE }, async () => await this.#drain(name, fetch, peer)))
  }

  /** From one peer, until it has no more or nothing is missing. */
  async #drain (name: Hex, fetch: Fetch, peer: PeerId): Promise<void> {
    while (await this.#fetchOne(name, fetch, peer)) { /* the next one */ }
  }

  /** False: nothing is missing that nobody asks for, or the peer did not give it. */
  async #fetchOne (name: Hex, fetch: Fetch, peer: PeerId): Promise<boolean> {
    const [chunk] = fetch.missing
    if (chunk === undefined || fetch.stopped) return false
    fetch.missing.delete(chunk)
    const packed = await this.#ask(fetch, chunk, peer)
    if (packed === undefined) {
      fetch.missing.add(chunk)
      return false
    }
    this.#store.putChunk(name, chunk, packed)
    return true
  }

  /** The chunk, packed and taken. Undefined: the peer does not have it, or lied and was told so. */
  async #ask (fetch: Fetch, chunk: number, peer: PeerId): Promise<Uint8Array | undefined> {
    const { ref } = fetch
    const first = chunk * recordsPerChunk(ref)
    const count = chunkRecords(ref, chunk)
    const answer = await ask(this.#d.network, peer, DATA_PROTOCOL, DataRequest.serialize({ root: ref.root, first, count }), REQUEST_TIMEOUT_MS, RESPONSE_BYTES)
    if (answer === undefined) return undefined
    const response = decode(DataResponse, answer, RESPONSE_BYTES)
    if (response.ok) {
      const { records, proof } = response.value
      const bytes = unpackChunk(ref, chunk, records)
      const root = bytes === undefined ? undefined : chunkRoot(ref, bytes)
      if (bytes !== undefined && root !== undefined && verifyRange(ref.root, chunkCount(ref), chunk, [root], proof)) {
        fetch.proved = true
        if (this.#take(fetch, chunk, bytes, root)) return records
        this.#d.log.debug('data', `records of ${toHex(ref.root).slice(0, 16)} are of classes that its reference does not have`)
        return undefined
      }
      if (!fetch.proved) {
        this.#d.log.debug('data', `an answer of ${peer} does not fit the reference of ${toHex(ref.root).slice(0, 16)}: one of the two is wrong`)
        return undefined
      }
    }
    const detail = response.ok ? `records ${first}..${first + count - 1} of ${toHex(ref.root).slice(0, 16)}` : response.error.detail
    this.#d.blame.refuse({ what: 'data', reason: 'records do not have their root', detail, peer, fatal: true })
    return undefined
  }

  #take (fetch: Fetch, chunk: number, bytes: Uint8Array, root: Uint8Array): boolean {
    const { ref } = fetch
    const read = readRecords(ref, bytes)
    if (read === undefined) return false
    const first = chunk * recordsPerChunk(ref)
    fetch.records ??= { features: new Uint8Array(recordCount(ref) * ref.features), labels: new Uint8Array(recordCount(ref)) }
    fetch.records.features.set(read.inputs, first * ref.features)
    fetch.records.labels.set(read.labels, first)
    fetch.roots[chunk] = root
    fetch.missing.delete(chunk)
    fetch.have += read.labels.length
    return true
  }

  /** Nothing is missing. */
  #finish (name: Hex, fetch: Fetch, display: Display): boolean {
    if (fetch.records === undefined || !equalBytes(datasetRoot(fetch.roots), fetch.ref.root)) {
      this.#d.log.warn('data', `stored data set ${name.slice(0, 16)} is damaged; dropped`)
      return false
    }
    const { features, labels } = fetch.records
    this.#hold(name, heldDataset(fetch.ref, features, labels, fetch.roots, display))
    this.#d.log.info('data', `data set ${name.slice(0, 16)} held: ${labels.length} records`)
    return true
  }

  /** A chunk, whole: one hash per chunk proves it, and no stranger makes this node hash a range of his choice. */
  #serve (body: Uint8Array): Uint8Array {
    const nothing = new Uint8Array(0)
    const request = decode(DataRequest, body, REQUEST_BYTES)
    if (!request.ok) return nothing
    const { root, first, count } = request.value
    const data = this.#held.get(toHex(root))
    if (data?.chunkRoots === undefined || first >= data.records) return nothing
    const chunk = Math.floor(first / recordsPerChunk(data.ref))
    if (first !== chunk * recordsPerChunk(data.ref) || count !== chunkRecords(data.ref, chunk)) return nothing
    return DataResponse.serialize({ records: packChunk(data, chunk), proof: rangeProof(data.chunkRoots, chunk, 1) })
  }
}

const refKey = (ref: DataRef): Hex => toHex(DataRef.serialize(ref))
