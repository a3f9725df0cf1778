/**
 * The library: sets of files that this tab follows, and those it has heard of. Decides what is
 * fetched and kept within the user's budget, and what becomes of peers that do not keep their word;
 * the swarm moves and checks the bytes.
 */
import type { FieldError, LibrarySettings, LibraryView, Outcome } from '../bridge/api.ts'
import { type AnnouncedItem, SHARE_ALL, type SignedNote, type SignedReceipt } from '../core/codec/library.ts'
import { fromHex } from '../core/codec/ssz.ts'
import { parseMagnet } from '../core/torrent/magnet.ts'
import { decodeMetainfo, type Metainfo, torrentWithTracker, wrapInfo } from '../core/torrent/metainfo.ts'
import { utf8Bytes } from '../core/training/utf8.ts'
import type { Clock, Random } from '../ports/clock.ts'
import type { Network, NetworkStatus, PeerId } from '../ports/network.ts'
import type { Signatures } from '../ports/signatures.ts'
import type { Storage } from '../ports/storage.ts'
import { type InfoHash, type Swarm, SwarmError, type SwarmEvent, type SwarmItem, type SwarmStatus } from '../ports/swarm.ts'
import { Hosting } from './hosting.ts'
import type { HostingBlock } from './hostingAnswers.ts'
import { type Entry, here, type Obtained, whyNot } from './libraryEntry.ts'
import { type NewNote, noteView, writeNote } from './libraryNotes.ts'
import { DEFAULT_SETTINGS, type ItemRecord, LibraryStore, WHOSE, type Whose } from './libraryStore.ts'
import { LibraryTable } from './libraryTable.ts'
import { itemView, foundView } from './libraryViews.ts'
import { sleep } from './askPeers.ts'
import type { MinerKey } from './minerKey.ts'
import type { Once } from './once.ts'
import type { Blame, Log } from './parts.ts'
import { Receipts } from './receipts.ts'

/** Sets this tab follows at most. */
export const MAX_ITEMS = 128
/** Links are looked after this often as long as bytes moved within STILL_MS, and less often else. */
const TICK_MS = 1_000
const REST_MS = 15_000
const STILL_MS = 10_000
/** For how long a link to a slow peer is not made again. */
const SLOW_AGAIN_MS = 10 * 60_000
const NAMES_KEPT = 256
const OBTAIN_MS = 100
/** Others that follow a set, below which those are asked too who have not shown that they hold it. */
export const ENOUGH_OTHERS = 4

export interface LibraryDeps {
  readonly chain: Uint8Array
  /** Of the account: signs notes and receipts, pays for what comes and is paid for what goes. */
  readonly key: MinerKey
  readonly epochBlocks: number
  readonly network: Network
  readonly swarm: Swarm
  readonly storage: Storage
  readonly signatures: Signatures
  readonly clock: Clock
  readonly random: Random
  readonly once?: Once
  readonly blame: Pick<Blame, 'refuse'>
  readonly log: Log
  readonly self: () => PeerId
  readonly height: () => number
  /** Of the main chain, while kept. */
  readonly block: (height: number) => HostingBlock | undefined
  readonly synced: () => boolean
  /** Named in magnet links and .torrent files, for other clients. */
  readonly trackers: readonly string[]
}

const refuse = (field: string, message: string): { readonly ok: false, readonly errors: readonly FieldError[] } => ({ ok: false, errors: [{ field, message }] })
const FULL = `at most ${MAX_ITEMS} sets: remove one`
const mib = (bytes: number): string => `${Math.ceil(bytes / 1024 / 1024)} MiB`

export class Library {
  readonly #d: LibraryDeps
  readonly #entries = new Map<InfoHash, Entry>()
  readonly #store: LibraryStore
  readonly #table: LibraryTable
  readonly #receipts: Receipts
  readonly #hosting: Hosting
  readonly #listeners = new Set<() => void>()
  readonly #banned = new Map<PeerId, string>()
  /** Room found for what has no entry yet, bytes: two that ask at once do not get the same. */
  #reserved = 0
  #sharing: number | undefined
  #settings = DEFAULT_SETTINGS
  #status: SwarmStatus = { items: [], store: 'opfs' }
  #prepared: Promise<void> | undefined
  #offs: ReadonlyArray<() => void> = []
  #watching: { readonly cancel: () => void, readonly moving: boolean } | undefined
  #movedAt = -Infinity
  #peersKnown: ReadonlySet<PeerId> = new Set()
  #stopped = false

  constructor (d: LibraryDeps) {
    this.#d = d
    this.#store = new LibraryStore(d)
    this.#table = new LibraryTable({
      ...d,
      own: () => this.#announced(),
      isOwn: infoHash => this.#entries.get(infoHash)?.record.whose === WHOSE.shared,
      follows: infoHash => this.#entries.has(infoHash),
      onChange: infoHash => { this.#connect(infoHash); this.#changed() }
    })
    this.#receipts = new Receipts({ ...d, store: this.#store })
    this.#hosting = new Hosting({
      ...d,
      served: infoHash => this.#entries.get(infoHash)?.metainfo,
      whole: () => [...this.#entries].flatMap(([infoHash, { live, metainfo }]) => live?.state === 'complete' && metainfo !== undefined ? [{ infoHash, metainfo }] : []),
      holders: infoHash => this.#table.holders(infoHash),
      onChange: infoHash => { this.#connect(infoHash); this.#changed() }
    })
  }

  async start (): Promise<void> {
    const { settings, items } = await this.#store.start()
    this.#settings = settings
    this.#offs = [
      await this.#d.swarm.onEvent(e => { this.#onEvent(e).catch((error: unknown) => { this.#failed(error) }) }),
      await this.#d.network.onStatus(s => { this.#peersMoved(s.peers) })
    ]
    await this.#table.start()
    await this.#hosting.start()
    await this.#d.swarm.limits({ up: settings.upLimit, down: settings.downLimit })
    for (const [infoHash, record] of items.slice(0, MAX_ITEMS)) {
      const m = record.torrent.length === 0 ? undefined : decodeMetainfo(record.torrent)
      if (m?.ok === false || (m?.ok === true && m.value.infoHash !== infoHash)) {
        this.#d.log.warn('library', `what was stored of ${infoHash} is of another set`)
        continue
      }
      this.#entries.set(infoHash, { record, metainfo: m?.value, live: undefined, problem: undefined, storedBytes: 0 })
    }
    if (this.#entries.size > 0) {
      // Beside the rest: a disk that answers late must not hold up the node.
      void this.#prepare().then(async () => {
        for (const [infoHash, e] of this.#entries) if (e.record.paused === 0) await this.#follow(infoHash, e)
      })
    }
  }

  async stop (): Promise<void> {
    this.#stopped = true
    this.#watching?.cancel()
    this.#hosting.stop()
    await this.#table.stop()
    for (const off of this.#offs) off()
    await this.#store.stop()
    await this.#d.swarm.stop()
  }

  onChange (listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  settings (): LibrarySettings { return this.#settings }

  /** Signed by others for bytes that this tab sent. */
  receipts (): Iterable<SignedReceipt> { return this.#store.receiptsIn() }

  fetching (): boolean { return [...this.#entries.values()].some(e => e.record.paused === 0 && e.live?.state === 'downloading') }

  view (): LibraryView {
    const items = [...this.#entries].map(([infoHash, e]) => itemView(infoHash, e, { table: this.#table, receipts: this.#receipts, hosting: this.#hosting, trackers: this.#d.trackers }))
    for (const infoHash of this.#table.sets()) if (!this.#entries.has(infoHash) && this.#isOffered(infoHash)) items.push(foundView(infoHash, { table: this.#table, hosting: this.#hosting, trackers: this.#d.trackers }))
    return {
      items, settings: this.#settings, store: this.#status.store, storeProblem: this.#status.storeProblem, used: this.#used(),
      receiptsIn: this.#store.sum('in'), receiptsOut: this.#store.sum('out'),
      banned: [...this.#banned].map(([peer, reason]) => ({ peer, reason })), sharing: this.#sharing
    }
  }

  /** Who only looks for a set says so too, to be found by those who have it: that is no offer. */
  #isOffered (infoHash: InfoHash): boolean { return this.#table.note(infoHash) !== undefined || this.#table.holders(infoHash).some(h => h.share > 0) }

  /** `evictable`: of the node's own making, and no reason to refuse what the user wants. `quiet`: not announced, for others ask for it. */
  async share (files: readonly File[], said: NewNote, o: { readonly evictable?: boolean, readonly quiet?: boolean } = {}): Promise<Outcome<{ readonly infoHash: string }>> {
    if (this.#entries.size >= MAX_ITEMS) return refuse('files', FULL)
    const bytes = files.reduce((n, f) => n + f.size, 0)
    if (bytes === 0) return refuse('files', 'there is nothing in them')
    const fault = writeNote(this.#d.chain, this.#d.key, '00'.repeat(20), bytes, said)
    if (!fault.ok) return refuse(fault.field, fault.message)
    const whose = o.evictable === true ? WHOSE.node : WHOSE.shared
    const room = await this.#makeRoom(bytes, undefined, whose)
    if ('words' in room) return refuse('files', room.words)
    try {
      await this.#prepare()
      const torrent = await this.#d.swarm.share(files, said.name)
      const m = decodeMetainfo(torrent)
      if (!m.ok) return refuse('files', `${m.reason}: ${m.detail}`)
      const note = writeNote(this.#d.chain, this.#d.key, m.value.infoHash, m.value.bytes, said)
      if (!note.ok) return refuse(note.field, note.message)
      return await this.#add(m.value.infoHash, { torrent, metainfo: m.value, note: note.value, written: true, whose, quiet: o.quiet, name: said.name }, room.release)
    } catch (e) {
      return refuse('files', this.#words(e))
    } finally {
      room.release()
      this.#sharing = undefined
      this.#changed()
    }
  }

  async cancelShare (): Promise<void> { await this.#d.swarm.cancelShare() }

  async add (source: string | Uint8Array): Promise<Outcome<{ readonly infoHash: string }>> {
    if (typeof source !== 'string') {
      const m = decodeMetainfo(source)
      if (!m.ok) return refuse('source', `this .torrent is refused: ${m.reason} (${m.detail})`)
      // Without what stands beside `info`: its own trackers would be asked.
      return await this.#add(m.value.infoHash, { torrent: wrapInfo(m.value.info), metainfo: m.value, name: m.value.name, whose: WHOSE.fetched })
    }
    const magnet = parseMagnet(source)
    if (magnet === undefined) return refuse('source', 'a magnet link, an infohash of 40 hex digits, or a .torrent file is expected')
    return await this.#add(magnet.infoHash, { name: magnet.name ?? '', whose: WHOSE.fetched })
  }

  async fetch (infoHash: string): Promise<Outcome<{ readonly infoHash: string }>> {
    const e = this.#entries.get(infoHash)
    if (e !== undefined) return await this.#resume(infoHash, e, WHOSE.fetched)
    if (!this.#table.sets().includes(infoHash)) return refuse('infoHash', 'nobody here knows this set')
    return await this.#add(infoHash, { name: '', note: this.#table.note(infoHash), whose: WHOSE.fetched })
  }

  /** Goes on with a set that is known, for whoever asks for it now. */
  async #resume (infoHash: InfoHash, e: Entry, whose: Whose): Promise<Outcome<{ readonly infoHash: string }>> {
    if (e.metainfo !== undefined) {
      const room = await this.#makeRoom(e.metainfo.bytes - here(e), infoHash, whose)
      if ('words' in room) return refuse('budget', room.words)
      // From here on its entry stands for it.
      room.release()
    }
    e.problem = undefined
    await this.#put(infoHash, e, { paused: 0, usedAt: this.#d.clock.now(), whose: e.record.whose === WHOSE.node ? whose : e.record.whose })
    await this.#follow(infoHash, e)
    return { ok: true, value: { infoHash } }
  }

  has (infoHash: InfoHash): boolean { return this.#entries.has(infoHash) }

  /** Whether all of it is here and served. */
  holds (infoHash: InfoHash): boolean {
    const e = this.#entries.get(infoHash)
    return e?.metainfo !== undefined && e.problem === undefined && e.record.paused === 0 && here(e) >= e.metainfo.bytes
  }

  /**
   * The bytes of a set of one file that others need not have announced: for the node itself. Dropped again where they do not come.
   * What the user follows himself is read if it goes on, and left as it is in any case: a stranger says what is asked for. `note`: what it is, where nobody says so.
   */
  async obtain (infoHash: InfoHash, o: { readonly name: string, readonly bytes: number, readonly peers: readonly PeerId[], readonly stallMs: number, readonly leftMs: (haveBytes: number) => number, readonly quiet?: boolean, readonly note?: NewNote }): Promise<Obtained> {
    const before = this.#entries.get(infoHash)
    const isNew = before === undefined
    const given = async (reason: Extract<Obtained, { ok: false }>['reason'], detail: string): Promise<Obtained> => {
      if (isNew) await this.discard(infoHash)
      return { ok: false, reason, detail }
    }
    const notThis = before === undefined ? undefined : whyNot(before, o.bytes)
    if (notThis !== undefined) return await given(...notThis)
    const note = o.note === undefined ? undefined : writeNote(this.#d.chain, this.#d.key, infoHash, o.bytes, o.note)
    const added = await this.#add(infoHash, { name: o.name, whose: WHOSE.node, expect: o.bytes, hints: o.peers, quiet: o.quiet, note: note?.ok === true ? note.value : undefined })
    if (!added.ok) return { ok: false, reason: 'room', detail: added.errors.map(e => e.message).join('; ') }
    let had = -1
    let grewAt = this.#d.clock.now()
    for (;;) {
      const e = this.#entries.get(infoHash)
      if (this.#stopped || e === undefined) return { ok: false, reason: 'withheld', detail: 'it was removed' }
      const m = e.metainfo
      const no = whyNot(e, o.bytes)
      if (no !== undefined) return await given(...no)
      if (e.problem !== undefined) return await given('room', e.problem)
      if (m !== undefined && e.live?.state === 'complete') {
        try {
          const blob = await this.#d.swarm.open(infoHash, m.files[0].path)
          return { ok: true, bytes: new Uint8Array(await blob.arrayBuffer()), drop: async () => { if (isNew) await this.discard(infoHash) } }
        } catch (error) { return await given('room', this.#words(error)) }
      }
      const now = this.#d.clock.now()
      if (here(e) > had) { had = here(e); grewAt = now }
      if (now - grewAt > o.stallMs || o.leftMs(had) <= 0) return await given('withheld', `${Math.max(0, had)} of ${o.bytes} bytes came`)
      await sleep(this.#d.clock, OBTAIN_MS)
    }
  }

  async pause (infoHash: string): Promise<void> {
    const e = this.#entries.get(infoHash)
    if (e === undefined) return
    await this.#put(infoHash, e, { paused: 1 })
    await this.#leave(infoHash, e)
  }

  /** What the node has no use for any more goes, unless the user wants it. */
  async discard (infoHash: InfoHash): Promise<void> {
    const e = this.#entries.get(infoHash)
    if (e !== undefined && e.record.whose === WHOSE.node) await this.remove(infoHash)
  }

  async remove (infoHash: string): Promise<void> {
    const e = this.#entries.get(infoHash)
    if (e === undefined) return
    this.#entries.delete(infoHash)
    await this.#d.swarm.remove(infoHash).catch((e: unknown) => { this.#d.log.warn('library', `${infoHash} could not be deleted: ${this.#words(e)}`) })
    await this.#store.deleteItem(infoHash)
    await this.#table.left(fromHex(infoHash, 20)!)
    this.#changed()
  }

  async open (infoHash: string, path: string): Promise<Outcome<Blob>> {
    const e = this.#entries.get(infoHash)
    if (e === undefined) return refuse('infoHash', 'this set is not here')
    try {
      const blob = await this.#d.swarm.open(infoHash, path)
      await this.#put(infoHash, e, { usedAt: this.#d.clock.now() })
      return { ok: true, value: blob }
    } catch (error) { return refuse('path', this.#words(error)) }
  }

  torrentFile (infoHash: string): Outcome<Uint8Array> {
    const e = this.#entries.get(infoHash)
    if (e?.metainfo === undefined) return refuse('infoHash', 'its .torrent is not here yet')
    return { ok: true, value: this.#d.trackers.length === 0 ? e.record.torrent.slice() : torrentWithTracker(e.metainfo.info, this.#d.trackers[0]) }
  }

  async set (change: Partial<LibrarySettings>): Promise<Outcome<LibrarySettings>> {
    const changed = (): LibrarySettings => {
      const { budget, upLimit, downLimit, redeem, setAside } = { ...this.#settings, ...change }
      return { budget, upLimit, downLimit, redeem, setAside }
    }
    const errors = await this.#store.errors(changed(), this.#settings)
    if (errors.length > 0) return { ok: false, errors }
    // Others may have been changed meanwhile.
    const next = this.#settings = changed()
    await this.#store.putSettings(next)
    await this.#d.swarm.limits({ up: next.upLimit, down: next.downLimit })
    const room = await this.#makeRoom(0, undefined, WHOSE.fetched)
    if (!('words' in room)) room.release()
    this.#changed()
    return { ok: true, value: next }
  }

  async #add (infoHash: InfoHash, what: { readonly torrent?: Uint8Array, readonly metainfo?: Metainfo, readonly note?: SignedNote, readonly written?: boolean, readonly whose: Whose, readonly quiet?: boolean, readonly name: string, readonly expect?: number, readonly hints?: readonly PeerId[] }, release: () => void = () => {}): Promise<Outcome<{ readonly infoHash: string }>> {
    const known = this.#entries.get(infoHash)
    if (known !== undefined) {
      release()
      if (what.metainfo !== undefined && known.metainfo === undefined) {
        // Followed by its name alone so far: now it is known what belongs to it.
        known.metainfo = what.metainfo
        await this.#put(infoHash, known, { torrent: what.torrent })
        if (what.written !== true) await this.#leave(infoHash, known)
      }
      if (known.record.whose === WHOSE.node) known.hints = what.hints ?? known.hints
      if (what.written === true) {
        await this.#put(infoHash, known, { whose: what.whose === WHOSE.shared ? WHOSE.shared : known.record.whose, note: what.note === undefined ? known.record.note : [what.note] })
        // All of it has just been written: it is verified, not fetched.
        if (known.live?.state !== 'complete') await this.#leave(infoHash, known)
      }
      return await this.#resume(infoHash, known, what.whose)
    }
    if (this.#entries.size >= MAX_ITEMS) return refuse('source', FULL)
    const now = this.#d.clock.now()
    const note = what.note ?? this.#table.note(infoHash)
    const e: Entry = {
      record: { torrent: what.torrent ?? new Uint8Array(0), note: note === undefined ? [] : [note], name: (utf8Bytes(what.name) ?? new Uint8Array(0)).slice(0, 256), paused: 0, whose: what.whose, addedAt: now, usedAt: now },
      metainfo: what.metainfo, live: undefined, problem: undefined, storedBytes: what.written === true ? what.metainfo!.bytes : 0, expect: what.expect, hints: what.hints, quiet: what.quiet
    }
    if (what.metainfo !== undefined && what.written !== true) {
      const room = await this.#makeRoom(what.metainfo.bytes, infoHash, what.whose)
      if ('words' in room) return refuse('budget', room.words)
      return await this.#enter(infoHash, e, room.release)
    }
    return await this.#enter(infoHash, e, release)
  }

  /** `release`: of the room that was reserved for it. */
  async #enter (infoHash: InfoHash, e: Entry, release: () => void): Promise<Outcome<{ readonly infoHash: string }>> {
    await this.#prepare()
    // Of two that were added at once the first one stays.
    const first = this.#entries.get(infoHash)
    if (first === undefined) this.#entries.set(infoHash, e)
    release()
    if (first !== undefined) return await this.#resume(infoHash, first, e.record.whose as Whose)
    await this.#store.putItem(infoHash, e.record)
    await this.#follow(infoHash, e)
    return { ok: true, value: { infoHash } }
  }

  /** Once, before anything is written: what no set here belongs to was left by a crash. */
  #prepare (): Promise<void> {
    return this.#prepared ??= (async () => {
      try {
        for (const { infoHash, bytes } of await this.#d.swarm.stored()) {
          const e = this.#entries.get(infoHash)
          if (e === undefined) await this.#d.swarm.remove(infoHash)
          else e.storedBytes = bytes
        }
      } catch (error) { this.#d.log.warn('library', `the store of files does not answer: ${this.#words(error)}`) }
    })()
  }

  async #follow (infoHash: InfoHash, e: Entry): Promise<void> {
    try {
      await this.#d.swarm.follow(infoHash, { torrent: e.record.torrent.length === 0 ? undefined : e.record.torrent, fetch: e.metainfo !== undefined })
    } catch (error) { e.problem = this.#words(error) }
    this.#connect(infoHash)
    this.#watch()
    this.#tellSoon(e)
    this.#changed()
  }

  async #leave (infoHash: InfoHash, e: Entry): Promise<void> {
    e.storedBytes = here(e)
    e.live = undefined
    await this.#d.swarm.leave(infoHash)
    await this.#table.left(fromHex(infoHash, 20)!)
    this.#changed()
  }

  async #put (infoHash: InfoHash, e: Entry, change: Partial<ItemRecord>): Promise<void> {
    e.record = { ...e.record, ...change }
    if (this.#entries.get(infoHash) === e) await this.#store.putItem(infoHash, e.record)
  }

  #used (): number { return [...this.#entries.values()].reduce((n, e) => n + here(e), 0) }

  /** Evicts for `whose` set until `more` bytes fit, and reserves them until they are released; what stands in the way, in words, if they cannot. */
  async #makeRoom (more: number, keep: InfoHash | undefined, whose: Whose): Promise<{ readonly words: string } | { readonly release: () => void }> {
    const { budget } = this.#settings
    const active = (e: Entry): boolean => e.record.paused === 0 && e.problem === undefined
    // What is still being fetched will need its whole size; what stopped holds what it has.
    const promised = (): number => [...this.#entries].reduce<number>((n, [name, e]) => n + (name === keep || !active(e) ? here(e) : Math.max(e.metainfo?.bytes ?? 0, e.storedBytes)), this.#reserved)
    const fetching = (e: Entry): boolean => active(e) && e.live?.state !== 'complete'
    const mayGo = ({ record }: Entry): boolean => record.whose === WHOSE.node || (record.whose === WHOSE.fetched && whose !== WHOSE.node)
    const oldest = [...this.#entries].filter(([name, e]) => name !== keep && mayGo(e) && !fetching(e) && here(e) > 0)
      .sort(([, a], [, b]) => a.record.whose - b.record.whose || a.record.usedAt - b.record.usedAt)
    if (promised() - oldest.reduce((n, [, e]) => n + here(e), 0) + more > budget && more > 0) {
      return { words: `it takes ${mib(more)}; the budget of ${mib(budget)} has no such room beside what is being fetched and what ${whose === WHOSE.node ? 'you have fetched or share' : 'you share'} yourself: raise it, or remove something` }
    }
    let reserved = more
    this.#reserved += more
    const release = (): void => {
      this.#reserved -= reserved
      reserved = 0
    }
    for (const [name] of oldest) {
      if (promised() <= budget) break
      this.#d.log.info('library', `${name} makes room: it was used longest ago`)
      await this.remove(name)
    }
    return { release }
  }

  /** What all nodes come to have at the same moment waits for its turn: at once, all would say it before they have heard it said. */
  #tellSoon (...news: readonly Entry[]): void {
    if (news.some(e => e.quiet !== true && e.record.whose !== WHOSE.node)) this.#table.announceSoon()
  }

  /** Without what nodes find by asking one another: each has some of it, for minutes only, and it would flood the lists of all. */
  #announced (): AnnouncedItem[] {
    return [...this.#entries].filter(([, e]) => e.record.paused === 0 && e.problem === undefined && e.quiet !== true && (e.record.note.length === 0 || noteView(e.record.note[0]).kind !== 'snapshot')).map(([infoHash, e]) => ({
      infoHash: fromHex(infoHash, 20)!,
      share: e.metainfo === undefined || e.live === undefined ? 0 : Math.floor(SHARE_ALL * e.live.haveBytes / e.metainfo.bytes),
      note: e.record.note
    }))
  }

  /** From the first set on: a tab that follows none has nothing to look after. */
  #watch (): void {
    const moving = this.#d.clock.now() - this.#movedAt < STILL_MS
    if (this.#watching !== undefined) {
      if (this.#watching.moving || !moving) return
      this.#watching.cancel()
    }
    const cancel = this.#d.clock.after(moving ? TICK_MS : REST_MS, () => {
      this.#watching = undefined
      if (this.#stopped) return
      if (this.#entries.size > 0) this.#watch()
      this.#tick().catch((e: unknown) => { this.#failed(e) })
    })
    this.#watching = { cancel, moving }
  }

  #moved (): void {
    this.#movedAt = this.#d.clock.now()
    if (this.#watching !== undefined) this.#watch()
  }

  #connect (infoHash: InfoHash): void {
    const e = this.#entries.get(infoHash)
    if (e === undefined) return
    const told = this.#table.holders(infoHash).map(h => h.peer)
    const peers = [...new Set([...told, ...e.hints ?? []])].filter(p => !this.#banned.has(p))
    const isUnproven = (p: PeerId): boolean => this.#hosting.hasDoubted && this.#hosting.of(infoHash, p)?.unproven === true
    const others = peers.filter(p => !isUnproven(p))
    void this.#d.swarm.peers(infoHash, others.length >= ENOUGH_OTHERS ? others : [...others, ...peers.filter(isUnproven)]).catch(() => {})
  }

  async #tick (): Promise<void> {
    await this.#receipts.onCounts(this.#status.items.flatMap(i => i.links))
    this.#hosting.soon()
  }

  /** Whoever has just come knows nothing of what we have. */
  #peersMoved (peers: NetworkStatus['peers']): void {
    const before = this.#peersKnown
    const came = peers.some(p => !before.has(p.id))
    if (!came && peers.length === before.size) return
    this.#peersKnown = new Set(peers.map(p => p.id))
    if (came) this.#tellSoon(...this.#entries.values())
  }

  async #onEvent (e: SwarmEvent): Promise<void> {
    switch (e.type) {
      case 'status': await this.#onStatus(e.status); break
      case 'metadata': await this.#onMetadata(e.infoHash, e.torrent); break
      case 'link':
        this.#receipts.onLink(e.link)
        this.#moved()
        break
      case 'unlink': this.#receipts.onUnlink(e.link); break
      case 'message': await this.#receipts.onMessage(e.link, e.bytes); break
      case 'offence': await this.#onOffence(e); break
      case 'complete': {
        const entry = this.#entries.get(e.infoHash)
        if (entry !== undefined) this.#tellSoon(entry)
        break
      }
      case 'sharing': this.#sharing = e.done / e.of; break
      default: e satisfies never
    }
    this.#changed()
  }

  async #onStatus (status: SwarmStatus): Promise<void> {
    this.#status = status
    for (const item of status.items) {
      const entry = this.#entries.get(item.infoHash)
      // Said before it left the swarm.
      if (entry === undefined || entry.record.paused === 1 || entry.problem !== undefined) continue
      const uploaded = item.up > (entry.live?.up ?? 0)
      if (uploaded || item.down > (entry.live?.down ?? 0)) this.#moved()
      entry.live = item
      if (uploaded) entry.record = { ...entry.record, usedAt: this.#d.clock.now() }
      if (item.state === 'failed' && entry.problem === undefined) await this.#fail(item, entry)
    }
  }

  async #fail (item: SwarmItem, entry: Entry): Promise<void> {
    entry.problem = item.failure === 'full'
      ? 'there is no more room for it: make some, or lower the budget so that older sets go, then fetch it again'
      : item.failure === 'gone' ? `the disk does not answer (${item.detail ?? ''}): reload the tab, then fetch it again`
        : item.failure === 'metainfo' ? `it is refused: ${item.detail ?? ''}` : `it stopped: ${item.detail ?? ''}`
    this.#d.log.warn('library', `${item.infoHash}: ${entry.problem}`)
    await this.#leave(item.infoHash, entry)
  }

  async #onMetadata (infoHash: InfoHash, torrent: Uint8Array): Promise<void> {
    const entry = this.#entries.get(infoHash)
    const m = decodeMetainfo(torrent)
    if (entry === undefined || !m.ok || m.value.infoHash !== infoHash) return
    entry.metainfo = m.value
    // Whoever wanted another size sees it, and nothing of this one is fetched.
    if (entry.expect !== undefined && entry.expect !== m.value.bytes) return
    await this.#put(infoHash, entry, { torrent })
    const room = await this.#makeRoom(m.value.bytes, infoHash, entry.record.whose as Whose)
    if (!('words' in room)) {
      room.release()
      return await this.#d.swarm.follow(infoHash, { torrent, fetch: true })
    }
    entry.problem = room.words
    // Not fetched after a reload either, until it is asked for again and there is room.
    await this.#put(infoHash, entry, { paused: 1 })
    await this.#leave(infoHash, entry)
  }

  async #onOffence (e: Extract<SwarmEvent, { type: 'offence' }>): Promise<void> {
    const { peer } = e.link
    if (e.offence === 'slow') { await this.#d.swarm.cut(e.link.id, SLOW_AGAIN_MS); return }
    if (peer === undefined) { await this.#d.swarm.cut(e.link.id); return }
    this.#banned.set(peer, `${e.offence}: ${e.detail}`)
    if (this.#banned.size > NAMES_KEPT) this.#banned.delete(this.#banned.keys().next().value!)
    await this.#d.swarm.refuse(peer)
    this.#d.blame.refuse({ what: 'piece', reason: e.offence, detail: `${e.detail}, of ${e.link.infoHash}`, peer, fatal: e.offence === 'bad-piece' })
  }

  #failed (e: unknown): void { this.#d.log.error('library', e instanceof Error ? e.stack ?? e.message : String(e)) }

  #words (e: unknown): string {
    if (e instanceof SwarmError && e.kind === 'full') return `there is no more room: ${e.message}`
    return e instanceof Error ? e.message : String(e)
  }

  #changed (): void { for (const l of this.#listeners) l() }
}
