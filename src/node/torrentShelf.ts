/**
 * Data sets and model states as torrents, by the hash that the chain knows them by. What is made here is
 * the same file, with the same name and pieces, whoever makes it; so all that hold it are seeders of one
 * torrent, and a peer that is asked for a hash answers with an infohash. What is not of use any more
 * leaves the library again. A state is the newest for half a minute, and every node makes one: so they are
 * not announced, but found by asking. Getting one: torrentFetch.ts.
 */
import { ContainerType, ListCompositeType, type ValueOf } from '@chainsafe/ssz'
import { Bytes20, Bytes32, decode, equalBytes, fromHex, toHex, U32, U8 } from '../core/codec/ssz.ts'
import { MAX_TORRENT_NAMES, type TorrentOffer, TorrentsRequest, TorrentsResponse } from '../core/codec/wire.ts'
import type { Clock } from '../ports/clock.ts'
import { type Network, RequestError } from '../ports/network.ts'
import { type Storage, StorageError } from '../ports/storage.ts'
import { within } from './askPeers.ts'
import type { Library } from './library.ts'
import type { NewNote } from './libraryNotes.ts'
import { Lru } from './lru.ts'
import type { Hex, Log } from './parts.ts'

export const TORRENTS_PROTOCOL = '/cw/1/torrents'
/** The chain, the offset of the names, and they. */
export const TORRENTS_REQUEST_BYTES = 32 + 4 + MAX_TORRENT_NAMES * 32
/** The offset before the offers, and they. */
export const TORRENTS_RESPONSE_BYTES = 4 + MAX_TORRENT_NAMES * 56
const REQUESTS_PER_SECOND = 4
/** On the shelf at once: of each open job its set and two states, the user's own sets, and what is being fetched. */
const MAX_KEPT = 32
const SHELF_KEY = 'torrents/kept'

/** Kinds of what is on the shelf. */
export const OF_DATA = 0
export const OF_STATE = 1
/** A state that is none of the newest snapshots, and somebody wants it: who joins begins some rounds back. */
export const OF_ASKED = 2
export type ShelfKind = typeof OF_DATA | typeof OF_STATE | typeof OF_ASKED
/** One of each group, and no other for so long: strangers must not make a tab work, nor take it away from who fetches it. */
export const ASKED_STAYS_MS = 30_000
/** Whoever asks waits no longer: less than he allows for an answer. */
const ASKED_WITHIN_MS = 2_500

const Kept = new ContainerType({
  kind: U8,
  /** Whose: the root of a set, the job of a state. */
  group: Bytes32,
  /** Within the group, newest highest: the round of a state. */
  order: U32,
  /** What peers ask for. */
  name: Bytes32,
  infoHash: Bytes20,
  bytes: U32,
  /** 0: it is being fetched. */
  whole: U8
})
export type Kept = ValueOf<typeof Kept>
const ShelfRecord = new ListCompositeType(Kept, MAX_KEPT)
const SHELF_BYTES = MAX_KEPT * Kept.fixedSize!

/** What is to be shared. The file is made when its turn has come; undefined: it is not here any more. */
export interface Shareable {
  readonly kind: ShelfKind
  readonly group: Uint8Array
  readonly order: number
  readonly name: Uint8Array
  readonly file: () => Promise<readonly Uint8Array[] | undefined>
  readonly note: NewNote
  /** Of the group that stay: the newest ones. */
  readonly keep: number
}

/** The same for everybody, or it would be another torrent. */
export const torrentName = (kind: ShelfKind, name: Uint8Array): string => kind === OF_DATA ? `data-${toHex(name).slice(0, 32)}.cwd` : `state-${toHex(name).slice(0, 32)}.cws`

const sameThing = (a: Pick<Kept, 'kind' | 'name'>, b: Pick<Kept, 'kind' | 'name'>): boolean => a.kind === b.kind && equalBytes(a.name, b.name)

export interface TorrentShelfDeps {
  readonly chainId: Uint8Array
  readonly library: Pick<Library, 'share' | 'discard' | 'holds'>
  readonly network: Pick<Network, 'handle'>
  readonly storage: Pick<Storage, 'get' | 'commit'>
  readonly clock: Pick<Clock, 'now' | 'after'>
  readonly log: Log
}

export class TorrentShelf {
  readonly #d: TorrentShelfDeps
  #kept: readonly Kept[] = []
  /** By kind and group: of one group only what was asked last. */
  readonly #queue = new Map<string, Shareable>()
  #making = false
  #onAsked: ((name: Uint8Array) => Shareable | undefined) | undefined
  /** When one was made of a group because somebody asked. */
  readonly #askedAt = new Lru<number>(MAX_KEPT)
  /** What is being made now, by name. */
  readonly #underWay = new Map<Hex, Promise<void>>()
  #started = false
  #stopped = false
  #off: (() => void) | undefined

  constructor (d: TorrentShelfDeps) { this.#d = d }

  /** Once the library is there. */
  async start (): Promise<void> {
    const bytes = await this.#d.storage.get('meta', SHELF_KEY)
    const kept = bytes === undefined ? undefined : decode(ShelfRecord, bytes, SHELF_BYTES)
    if (kept?.ok === true) this.#kept = kept.value
    this.#off = await this.#d.network.handle(TORRENTS_PROTOCOL,
      { maxRequestBytes: TORRENTS_REQUEST_BYTES, maxResponseBytes: TORRENTS_RESPONSE_BYTES, perPeerPerSecond: REQUESTS_PER_SECOND },
      async (_, body) => await this.#serve(body))
    this.#started = true
    this.#makeSoon()
  }

  stop (): void {
    this.#stopped = true
    this.#off?.()
  }

  /** In its turn, unless it is on the shelf: what the user has taken out of the library is not put back. */
  share (s: Shareable): void {
    this.#queue.set(`${s.kind}/${toHex(s.group)}`, s)
    this.#makeSoon()
  }

  /** Who can make what is asked for and does not stand here. */
  onAsked (make: (name: Uint8Array) => Shareable | undefined): void { this.#onAsked = make }

  /** All of these that are here whole. */
  whole (kind: ShelfKind, names: readonly Uint8Array[]): Kept[] {
    return names.flatMap(name => this.#kept.filter(k => sameThing(k, { kind, name }) && this.#isWhole(k)))
  }

  /** What stands under this infohash. */
  of (infoHash: Uint8Array): Kept | undefined { return this.#kept.find(k => equalBytes(k.infoHash, infoHash)) }

  /** It is being fetched, or has come and was found right: then it is served on like one's own. */
  async put (kept: Kept, keep: number): Promise<void> {
    const others = this.#kept.filter(k => !equalBytes(k.infoHash, kept.infoHash))
    const group = [kept, ...others.filter(k => k.kind === kept.kind && k.whole === 1 && equalBytes(k.group, kept.group))].sort((a, b) => b.order - a.order)
    const old = kept.whole === 1 ? group.slice(keep) : []
    const all = [kept, ...others].filter(k => !old.includes(k))
    await this.#set(all.slice(0, MAX_KEPT), [...old, ...all.slice(MAX_KEPT)])
  }

  /** It was wrong, or it did not come. */
  async drop (infoHash: Uint8Array): Promise<void> {
    const gone = this.#kept.filter(k => equalBytes(k.infoHash, infoHash))
    if (gone.length > 0) await this.#set(this.#kept.filter(k => !gone.includes(k)), gone)
  }

  /** What is of other groups leaves the library. */
  async keepGroups (kind: ShelfKind, groups: ReadonlySet<Hex>): Promise<void> {
    const goes = (k: { readonly kind: number, readonly group: Uint8Array }): boolean => k.kind === kind && !groups.has(toHex(k.group))
    for (const [key, s] of this.#queue) if (goes(s)) this.#queue.delete(key)
    const gone = this.#kept.filter(goes)
    if (gone.length > 0) await this.#set(this.#kept.filter(k => !goes(k)), gone)
  }

  #isWhole (k: Kept): boolean { return k.whole === 1 && this.#d.library.holds(toHex(k.infoHash)) }

  async #serve (body: Uint8Array): Promise<Uint8Array> {
    const request = decode(TorrentsRequest, body, TORRENTS_REQUEST_BYTES)
    if (!request.ok || !equalBytes(request.value.chain, this.#d.chainId)) throw new RequestError('refused', 'of another network')
    const { names } = request.value
    // What is wanted most stands first.
    if (names.length > 0 && !this.#kept.some(k => equalBytes(k.name, names[0]))) await this.#makeAsked(names[0])
    const offers: TorrentOffer[] = this.#kept.filter(k => names.some(n => equalBytes(n, k.name)) && this.#isWhole(k)).map(({ name, infoHash, bytes }) => ({ name, infoHash, bytes }))
    return offers.length === 0 ? new Uint8Array(0) : TorrentsResponse.serialize({ offers: offers.slice(0, MAX_TORRENT_NAMES) })
  }

  async #makeAsked (name: Uint8Array): Promise<void> {
    const { clock } = this.#d
    // Whoever hears of a job with its first block asks while it is being made.
    const underWay = this.#underWay.get(toHex(name))
    if (underWay !== undefined) return void await within(clock, ASKED_WITHIN_MS, underWay)
    for (const [key, queued] of this.#queue) {
      if (!equalBytes(queued.name, name)) continue
      this.#queue.delete(key)
      return void await within(clock, ASKED_WITHIN_MS, this.#make(queued))
    }
    const s = this.#onAsked?.(name)
    if (s === undefined || clock.now() - (this.#askedAt.get(toHex(s.group)) ?? -Infinity) < ASKED_STAYS_MS) return
    this.#askedAt.set(toHex(s.group), clock.now())
    await within(clock, ASKED_WITHIN_MS, this.#make(s))
  }

  #makeSoon (): void {
    if (!this.#started || this.#stopped || this.#making) return
    this.#making = true
    this.#makeAll()
      .catch((e: unknown) => { this.#d.log.error('torrents', e instanceof Error ? e.message : String(e)) })
      .finally(() => { this.#making = false })
  }

  /** One after another: a tab that trains has little time for it. */
  async #makeAll (): Promise<void> {
    for (;;) {
      const [next] = this.#queue
      if (next === undefined || this.#stopped) return
      this.#queue.delete(next[0])
      if (!this.#kept.some(k => k.whole === 1 && sameThing(k, next[1]))) await this.#make(next[1])
    }
  }

  async #make (s: Shareable): Promise<void> {
    const name = toHex(s.name)
    const making = this.#makeOne(s).finally(() => this.#underWay.delete(name))
    this.#underWay.set(name, making)
    await making
  }

  async #makeOne (s: Shareable): Promise<void> {
    const { library, log } = this.#d
    const parts = await s.file()
    if (parts === undefined || this.#stopped) return
    const name = torrentName(s.kind, s.name)
    const file = new File([...parts] as BlobPart[], name)
    const shared = await library.share([file], s.note, { evictable: true, quiet: s.kind !== OF_DATA })
    if (!shared.ok) {
      log.warn('torrents', `${name} is not shared: ${shared.errors.map(e => e.message).join('; ')}`)
      return
    }
    await this.put({ kind: s.kind, group: s.group, order: s.order, name: s.name, infoHash: fromHex(shared.value.infoHash, 20)!, bytes: file.size, whole: 1 }, s.keep)
    log.info('torrents', `${name} is shared: ${file.size} bytes`)
  }

  async #set (kept: readonly Kept[], gone: readonly Kept[]): Promise<void> {
    this.#kept = kept
    try {
      await this.#d.storage.commit([{ op: 'put', store: 'meta', key: SHELF_KEY, value: ShelfRecord.serialize([...kept]) }])
    } catch (e) {
      if (!(e instanceof StorageError)) throw e
      this.#d.log.warn('torrents', `what is shared is not noted down: ${e.message}`)
    }
    for (const k of gone) await this.#d.library.discard(toHex(k.infoHash))
  }
}
