/**
 * Gets a data set or a model state as a torrent: peers are asked which torrent is the file of a hash; the
 * one that most of them offer is fetched, and read by whoever wanted it before it is used. What is wrong
 * is refused with all who offered it: the hash of a torrent names its bytes, so nobody can have been
 * mistaken about them. That it does not come may be anybody's fault; others are asked first from then on.
 */
import { equalBytes, toHex } from '../core/codec/ssz.ts'
import { MAX_TORRENT_NAMES, type TorrentOffer, TorrentsRequest, TorrentsResponse } from '../core/codec/wire.ts'
import type { Clock, Random } from '../ports/clock.ts'
import type { PeerId } from '../ports/network.ts'
import { askEach, type Asking, candidates } from './askPeers.ts'
import type { Library } from './library.ts'
import type { Obtained } from './libraryEntry.ts'
import type { NewNote } from './libraryNotes.ts'
import type { Blame, Log } from './parts.ts'
import { OF_DATA, type ShelfKind, type Shareable, torrentName, type TorrentShelf, TORRENTS_PROTOCOL, TORRENTS_RESPONSE_BYTES } from './torrentShelf.ts'

const OFFERS_TIMEOUT_MS = 4_000
/** Peers asked at once, and torrents tried, for one thing. */
const PEERS_ASKED = 8
const TORRENTS_TRIED = 4
/** What does not grow for so long is given up. */
export const STALL_MS = 15_000
/** What comes more slowly is given up too: 32 KiB a second, or who says a little from time to time could hold a node up for an hour. */
const SLOWEST_BYTES_PER_MS = 32
/** Until the rate counts: links are made, the first pieces are looked for. */
const SLOW_START_MS = 60_000
/** For how long a peer that let this node down is not relied on alone. */
export const LET_DOWN_MS = 5 * 60_000
const NAMES_KEPT = 256

/**
 * What the reader of a file says of it. `lie`: it cannot be what the name promises, whatever else is wrong here;
 * `unwanted`: it is that, and not what is wanted here; `unknown`: it is not what is wanted, and whose fault that is cannot be told.
 */
export type Read<T> =
  | { readonly ok: true, readonly value: T }
  | { readonly ok: false, readonly why: 'lie' | 'unwanted' | 'unknown', readonly reason: string, readonly detail: string }

export interface Wish<T> {
  readonly kind: ShelfKind
  /** In the order in which they are wanted; one of them is enough. */
  readonly names: readonly Uint8Array[]
  /** What it is called here, where it is not announced. */
  readonly note?: (name: Uint8Array) => NewNote
  /** Where it stands on the shelf. */
  readonly group: Uint8Array
  readonly order: (name: Uint8Array) => number
  readonly keep: number
  /** What no such file exceeds, bytes. */
  readonly bytesMax: number
  /** Whether it can be what is wanted here. */
  readonly fits: (bytes: number) => boolean
  readonly read: (bytes: Uint8Array, name: Uint8Array) => Promise<Read<T>>
  /** It is not wanted any more. */
  readonly over: () => boolean
}

export interface Got<T> { readonly name: Uint8Array, readonly value: T }

/** What data sets and states see of all this. */
export interface TorrentService {
  /** Settles once the library is there. */
  readonly started: Promise<void>
  share (s: Shareable): void
  onAsked (make: (name: Uint8Array) => Shareable | undefined): void
  keepGroups (kind: ShelfKind, groups: ReadonlySet<string>): Promise<void>
  /** Undefined: nobody offers it, or it did not come, or nothing right did. */
  fetch<T> (wish: Wish<T>): Promise<Got<T> | undefined>
}

export interface TorrentFetchDeps {
  readonly chainId: Uint8Array
  readonly shelf: TorrentShelf
  readonly library: Pick<Library, 'obtain' | 'has'>
  readonly network: Asking
  readonly clock: Pick<Clock, 'now'>
  readonly random: Random
  readonly blame: Pick<Blame, 'refuse'>
  readonly log: Log
}

interface Candidate { readonly offer: TorrentOffer, readonly peers: PeerId[] }

export class TorrentFetch implements TorrentService {
  readonly #d: TorrentFetchDeps
  /** When. */
  readonly #letDown = new Map<PeerId, number>()
  /** One after another for each thing: two that want the same do not take it away from one another. */
  readonly #turns = new Map<string, Promise<unknown>>()
  readonly started: Promise<void>
  #start: () => void = () => {}
  #running = false

  constructor (d: TorrentFetchDeps) {
    this.#d = d
    this.started = new Promise(resolve => { this.#start = resolve })
  }

  async start (): Promise<void> {
    await this.#d.shelf.start()
    this.#running = true
    this.#start()
  }

  stop (): void {
    this.#running = false
    this.#start()
    this.#d.shelf.stop()
  }

  share (s: Shareable): void { this.#d.shelf.share(s) }
  onAsked (make: (name: Uint8Array) => Shareable | undefined): void { this.#d.shelf.onAsked(make) }
  async keepGroups (kind: ShelfKind, groups: ReadonlySet<string>): Promise<void> { if (this.#running) await this.#d.shelf.keepGroups(kind, groups) }

  async fetch<T> (wish: Wish<T>): Promise<Got<T> | undefined> {
    const key = `${wish.kind}/${toHex(wish.names[0])}`
    const turn = (this.#turns.get(key) ?? Promise.resolve()).then(async () => await this.#fetch(wish))
    const settled = turn.catch(() => {})
    this.#turns.set(key, settled)
    try {
      return await turn
    } finally {
      if (this.#turns.get(key) === settled) this.#turns.delete(key)
    }
  }

  async #fetch<T> (wish: Wish<T>): Promise<Got<T> | undefined> {
    if (!this.#running) return undefined
    const names = wish.names.slice(0, MAX_TORRENT_NAMES)
    // Here already, of an earlier run of the page or for another job.
    for (const { name, infoHash, bytes } of this.#d.shelf.whole(wish.kind, names)) {
      const got = wish.fits(bytes) ? await this.#take(wish, { offer: { name, infoHash, bytes }, peers: [] }) : undefined
      if (got !== undefined) return got
    }
    const tried = (await this.#candidates(wish, names)).slice(0, TORRENTS_TRIED)
    for (const c of tried) {
      const got = wish.over() || !this.#running ? undefined : await this.#take(wish, c)
      if (got !== undefined) return got
    }
    return undefined
  }

  async #take<T> (wish: Wish<T>, c: Candidate): Promise<Got<T> | undefined> {
    const { clock, library, log, shelf } = this.#d
    const { name, infoHash, bytes } = c.offer
    const hex = toHex(infoHash)
    const entry = { kind: wish.kind, group: wish.group, order: wish.order(name), name, infoHash, bytes }
    // What the user follows himself is left as it is, whatever a peer says it is.
    const mine = shelf.of(infoHash) !== undefined || !library.has(hex)
    const isNew = mine && shelf.of(infoHash) === undefined
    if (isNew) await shelf.put({ ...entry, whole: 0 }, wish.keep)
    const begunAt = clock.now()
    // A rate, not a sum: a drop now and then shall not hold up for as long as all of it may take.
    const ownMs = (have: number): number => begunAt + Math.min(STALL_MS + bytes / SLOWEST_BYTES_PER_MS, SLOW_START_MS + have / SLOWEST_BYTES_PER_MS) - clock.now()
    const got = await library.obtain(hex, { name: torrentName(wish.kind, name), bytes, peers: c.peers, stallMs: STALL_MS, leftMs: have => wish.over() ? 0 : ownMs(have), quiet: wish.kind !== OF_DATA, note: wish.note?.(name) })
    // Of a page that goes it is gone on with by the next one.
    if (!this.#running) return undefined
    if (!got.ok) {
      this.#missed(c, got)
      // What the user keeps back stays on the shelf for when he goes on with it.
      if (got.reason === 'kept' ? isNew : mine) await shelf.drop(infoHash)
      return undefined
    }
    const read = await wish.read(got.bytes, name)
    if (!read.ok && read.why !== 'unwanted') {
      const isLie = read.why === 'lie'
      if (isLie) this.#refuse(c, read.reason, read.detail)
      else this.#letDownBy(c, read.detail)
      if (isLie ? mine : isNew) await shelf.drop(infoHash)
      return undefined
    }
    if (mine) await shelf.put({ ...entry, whole: 1 }, wish.keep)
    if (!read.ok) {
      log.debug('torrents', `${torrentName(wish.kind, name)} is right and not what is wanted: ${read.detail}`)
      return undefined
    }
    log.info('torrents', `${torrentName(wish.kind, name)} has come: ${bytes} bytes from ${c.peers.length} peers`)
    return { name, value: read.value }
  }

  #missed (c: Candidate, got: Extract<Obtained, { ok: false }>): void {
    // Its size is what they said themselves.
    if (got.reason === 'size') this.#refuse(c, 'torrent-size', got.detail)
    else if (got.reason === 'withheld') this.#letDownBy(c, got.detail)
    // Of this tab's own room, or of the user's will, nobody is to blame.
    else this.#d.log.info('torrents', `${toHex(c.offer.infoHash)} is not to be had (${got.reason}): ${got.detail}`)
  }

  #letDownBy (c: Candidate, detail: string): void {
    this.#d.log.info('torrents', `${toHex(c.offer.infoHash)} is not to be had of ${c.peers.length} peers: ${detail}`)
    for (const peer of c.peers) {
      this.#letDown.delete(peer)
      this.#letDown.set(peer, this.#d.clock.now())
    }
    for (const peer of this.#letDown.keys()) {
      if (this.#letDown.size <= NAMES_KEPT) break
      this.#letDown.delete(peer)
    }
  }

  #isGood (peer: PeerId): boolean { return this.#d.clock.now() - (this.#letDown.get(peer) ?? -Infinity) > LET_DOWN_MS }

  /** What is wanted most first, of that what most peers offer; nothing that only such peers offer as have let this node down. */
  async #candidates<T> (wish: Wish<T>, names: readonly Uint8Array[]): Promise<Candidate[]> {
    const found = new Map<string, Candidate>()
    for (const [peer, offers] of await this.#offers(names)) {
      for (const offer of offers) {
        if (offer.bytes < 1 || offer.bytes > wish.bytesMax) {
          this.#d.blame.refuse({ what: 'torrent', reason: 'torrent-size', detail: `${offer.bytes} bytes, at most ${wish.bytesMax}`, peer, fatal: true })
          break
        }
        const known = this.#d.shelf.of(offer.infoHash)
        if (!names.some(n => equalBytes(n, offer.name)) || !wish.fits(offer.bytes)) continue
        // What stands here as something else is not what they say.
        if (known !== undefined && (!equalBytes(known.name, offer.name) || (known.whole === 1 && known.bytes !== offer.bytes))) continue
        const key = `${toHex(offer.name)}/${toHex(offer.infoHash)}/${offer.bytes}`
        const c = found.get(key)
        if (c === undefined) found.set(key, { offer, peers: [peer] })
        else if (!c.peers.includes(peer)) c.peers.push(peer)
      }
    }
    const good = (c: Candidate): number => c.peers.filter(p => this.#isGood(p)).length
    const rank = (c: Candidate): number => names.findIndex(n => equalBytes(n, c.offer.name))
    // Of one that was begun there are pieces here.
    const begun = (c: Candidate): number => this.#d.shelf.of(c.offer.infoHash) === undefined ? 0 : 1
    return [...found.values()].filter(c => good(c) > 0).sort((a, b) => rank(a) - rank(b) || good(b) - good(a) || begun(b) - begun(a))
  }

  async #offers (names: readonly Uint8Array[]): Promise<Array<readonly [PeerId, readonly TorrentOffer[]]>> {
    const { blame, chainId, network, random } = this.#d
    const peers = (await candidates(network, random)).slice(0, PEERS_ASKED)
    const said = await askEach(network, blame, peers, {
      what: 'torrent', protocol: TORRENTS_PROTOCOL, body: TorrentsRequest.serialize({ chain: chainId, names: [...names] }), timeoutMs: OFFERS_TIMEOUT_MS, answer: TorrentsResponse, maxBytes: TORRENTS_RESPONSE_BYTES
    })
    return said.map(([peer, { offers }]) => [peer, offers] as const)
  }

  #refuse (c: Candidate, reason: string, detail: string): void {
    for (const peer of c.peers) this.#d.blame.refuse({ what: `torrent ${toHex(c.offer.infoHash)}`, reason, detail, peer, fatal: true })
  }
}
