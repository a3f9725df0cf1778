/**
 * Who has what: announcements on the library's topic, bounded in every direction. A peer is
 * remembered for a while after its last word; a set is, while somebody has it.
 *
 * Names cost nothing, links do: where the places for sets are short, each neighbour has an equal share of them for
 * what it hands over, and of that share what it has itself goes last.
 *
 * What everybody has, such as the ledger of a recent block, would be said by everybody to everybody: so
 * nobody says what enough others have said within the same time (RFC 6206, Trickle: suppression), but for
 * what he shares himself: names that say they have it cost nothing, and must not be all that is heard of it.
 */
import { Announcement, type AnnouncedItem, MAX_ANNOUNCED, SHARE_ALL, SHARE_LEFT, type SignedNote } from '../core/codec/library.ts'
import { decode, toHex } from '../core/codec/ssz.ts'
import { firstU32 } from '../core/crypto/hash.ts'
import { noteMessage } from '../core/crypto/ids.ts'
import type { SignatureItem } from '../core/crypto/keys.ts'
import { MAX_GOSSIP_BYTES } from '../core/params.ts'
import type { Clock, Random } from '../ports/clock.ts'
import { RequestError, type GossipMessage, type Network, type PeerId, type Verdict } from '../ports/network.ts'
import type { Signatures } from '../ports/signatures.ts'
import type { InfoHash } from '../ports/swarm.ts'
import { announcementFault } from './libraryNotes.ts'
import { eachTime, type Once } from './once.ts'
import type { Blame, Log } from './parts.ts'
import { TokenBuckets } from './tokenBucket.ts'

export const LIBRARY_TOPIC = '/cw/1/library'

/** What is held is said again this often, a quarter sooner or later by lot, and forgotten after three silences. */
export const ANNOUNCE_MS = 60_000
export const HOLDER_MS = 3 * ANNOUNCE_MS + 10_000
/** Between two announcements that something new calls for. */
export const ANNOUNCE_SOON_MS = 500
/** So many others that have as much of a set, heard of within so long, are enough: one more helps nobody to find it. They are not forgotten before others speak. */
export const ENOUGH_HOLDERS = 8
export const ENOUGH_MS = 2 * ANNOUNCE_MS
/** Sets known, peers known per set, and sets one peer may be known for. */
export const MAX_SETS = 512
export const MAX_HOLDERS = 64
export const MAX_SETS_PER_PEER = 128
/** Announcements one peer may originate: sustained per second, and at once. */
const MESSAGES_PER_SECOND = 1
const MESSAGES_BURST = 24
/** New notes one neighbour may hand on: names of origins are free, a signature costs a millisecond. */
const NOTES_PER_SECOND = 2
const NOTES_BURST = 128
/**
 * Sets that one neighbour may make known, of what it hands on and of what it has itself: names of origins are free, and to
 * find a place for a set is to look at all that are known. What comes too early is said again within the minute.
 */
const NEW_SETS_PER_SECOND = 4
const NEW_SETS_BURST = MAX_SETS
/** Notes whose signature is checked, remembered. */
const SIGNATURES_KEPT = 1024

/** A note's signature, and its name: of what it signs too, for the same one under another note is another. */
interface Signed { readonly name: string, readonly item: SignatureItem }

/** What a message says, all but whether it is signed right. */
type Reading =
  | { readonly ok: true, readonly items: readonly AnnouncedItem[], readonly signed: readonly Signed[] }
  | { readonly ok: false, readonly reason: string, readonly detail: string }

function read (chain: Uint8Array, bytes: Uint8Array): Reading {
  const d = decode(Announcement, bytes, MAX_GOSSIP_BYTES)
  if (!d.ok) return { ok: false, ...d.error }
  const { items } = d.value
  const fault = announcementFault(chain, d.value)
  if (fault !== undefined) return { ok: false, reason: fault, detail: 'an announcement breaks a rule' }
  const signed = items.flatMap(i => i.note).map(({ note, signature }): Signed => {
    const message = noteMessage(note)
    return { name: toHex(message) + toHex(signature), item: { key: note.publisher, message, signature } }
  })
  return { ok: true, items, signed }
}

/** `linked`: it said so itself over a link, so there is such a peer. */
export interface Holder { readonly peer: PeerId, readonly share: number, readonly heardAt: number, readonly linked: boolean }
/**
 * `said`: the newest words of the last who spoke of it, whether or not there is room for them among the holders.
 * `vias`: the neighbour that handed it over first and those that have it themselves, with the time when they last did.
 */
interface SetEntry { note: SignedNote | undefined, readonly holders: Map<PeerId, Holder>, heardAt: number, readonly said: Map<PeerId, { readonly at: number, readonly share: number }>, readonly vias: Map<PeerId, number> }

export interface LibraryTableDeps {
  readonly chain: Uint8Array
  readonly network: Pick<Network, 'publish' | 'subscribe'>
  readonly signatures: Signatures
  readonly blame: Pick<Blame, 'refuse'>
  readonly clock: Clock
  readonly random: Random
  readonly once?: Once
  readonly log: Log
  readonly self: () => PeerId
  /** What this tab says of itself. */
  readonly own: () => readonly AnnouncedItem[]
  /** Sets this tab's user shares himself. */
  readonly isOwn: (infoHash: InfoHash) => boolean
  /** Sets this tab follows: never forgotten. */
  readonly follows: (infoHash: InfoHash) => boolean
  readonly onChange: (infoHash: InfoHash) => void
}

export class LibraryTable {
  readonly #d: LibraryTableDeps
  readonly #sets = new Map<InfoHash, SetEntry>()
  readonly #rates: TokenBuckets
  readonly #notes: TokenBuckets
  readonly #newSets: TokenBuckets
  readonly #checked = new Set<string>()
  /** Of what this tab has said that it has some. */
  readonly #said = new Set<InfoHash>()
  #off: (() => void) | undefined
  #cancel: (() => void) | undefined
  #soon: (() => void) | undefined
  #stopped = false

  constructor (d: LibraryTableDeps) {
    this.#d = d
    this.#rates = new TokenBuckets(d.clock, MESSAGES_PER_SECOND, MESSAGES_BURST)
    this.#notes = new TokenBuckets(d.clock, NOTES_PER_SECOND, NOTES_BURST)
    this.#newSets = new TokenBuckets(d.clock, NEW_SETS_PER_SECOND, NEW_SETS_BURST)
  }

  async start (): Promise<void> {
    this.#off = await this.#d.network.subscribe(LIBRARY_TOPIC, m => this.#receive(m))
    const after = (least: number, most: number): void => {
      this.#cancel = this.#d.clock.after(Math.floor(ANNOUNCE_MS * (least + (most - least) * firstU32(this.#d.random.bytes(4)) / 2 ** 32)), () => {
        this.#expire()
        void this.announce()
        if (!this.#stopped) after(0.75, 1.25)
      })
    }
    // Tabs that came together, or were told of something together, speak one after the other all the same: most then hear enough others first.
    after(0, 1)
  }

  async stop (): Promise<void> {
    this.#stopped = true
    this.#cancel?.()
    this.#soon?.()
    await this.#publish(this.#d.own().filter(i => this.#said.has(toHex(i.infoHash))).map(i => ({ infoHash: i.infoHash, share: SHARE_LEFT, note: [] })))
    this.#off?.()
  }

  /** Something new is worth saying; many such within a moment are said at once. */
  announceSoon (): void {
    if (this.#stopped) return
    this.#soon ??= this.#d.clock.after(ANNOUNCE_SOON_MS, () => {
      this.#soon = undefined
      void this.announce()
    })
  }

  async announce (): Promise<void> {
    const items = this.#d.own().filter(i => this.#d.isOwn(toHex(i.infoHash)) || !this.#isSaidEnough(i))
    for (const i of items) this.#said.add(toHex(i.infoHash))
    await this.#publish(items)
  }

  /** This tab has left the swarm. */
  async left (infoHash: Uint8Array): Promise<void> {
    if (this.#said.delete(toHex(infoHash))) await this.#publish([{ infoHash, share: SHARE_LEFT, note: [] }])
  }

  #isSaidEnough (item: AnnouncedItem): boolean {
    const since = this.#d.clock.now() - ENOUGH_MS
    let n = 0
    for (const s of this.#sets.get(toHex(item.infoHash))?.said.values() ?? []) if (s.at > since && s.share >= item.share) n++
    return n >= ENOUGH_HOLDERS
  }

  holders (infoHash: InfoHash): Holder[] { return [...this.#sets.get(infoHash)?.holders.values() ?? []] }
  note (infoHash: InfoHash): SignedNote | undefined { return this.#sets.get(infoHash)?.note }
  /** Sets that somebody has, longest known first. */
  sets (): InfoHash[] { return [...this.#sets].filter(([, s]) => s.holders.size > 0).map(([name]) => name) }

  #expire (): void {
    const before = this.#d.clock.now() - HOLDER_MS
    for (const [name, set] of this.#sets) {
      let gone = false
      for (const [peer, h] of set.holders) if (h.heardAt < before) gone = set.holders.delete(peer)
      if (set.holders.size === 0 && !this.#d.follows(name)) this.#sets.delete(name)
      if (gone) this.#d.onChange(name)
    }
  }

  async #publish (items: readonly AnnouncedItem[]): Promise<void> {
    for (let at = 0; at < items.length; at += MAX_ANNOUNCED) {
      const bytes = Announcement.serialize({ items: items.slice(at, at + MAX_ANNOUNCED) as AnnouncedItem[] })
      try {
        await this.#d.network.publish(LIBRARY_TOPIC, bytes)
      } catch (e) {
        if (!(e instanceof RequestError)) throw e
        this.#d.log.debug('library', `not announced: ${e.message}`)
      }
    }
  }

  async #receive (m: GossipMessage): Promise<Verdict> {
    if (m.origin === this.#d.self()) return 'ignore'
    if (!this.#rates.take(m.origin)) return 'ignore'
    const refuse = (reason: string, detail: string): Verdict => {
      this.#d.blame.refuse({ what: 'announcement', reason, detail, peer: m.origin, fatal: false })
      return 'reject'
    }
    const { chain } = this.#d
    const said = (this.#d.once ?? eachTime)('announcement', [m.bytes, chain], () => read(chain, m.bytes))
    if (!said.ok) return refuse(said.reason, said.detail)
    const unknown = said.signed.filter(n => !this.#checked.has(n.name))
    if (unknown.length > 0) {
      if (!this.#notes.take(m.via, unknown.length)) return 'ignore'
      const right = await this.#d.signatures.verify(unknown.map(n => n.item))
      if (right.includes(false)) return refuse('note-signature', 'not signed by its publisher')
      for (const n of unknown) this.#remember(n.name)
    }
    // What no place was looked for here is not handed on to where it would be looked for.
    let early = 0
    for (const item of said.items) if (!this.#take(m.origin, item, m.via)) early++
    return early > 0 && early === said.items.length ? 'ignore' : 'accept'
  }

  #remember (name: string): void {
    this.#checked.add(name)
    if (this.#checked.size > SIGNATURES_KEPT) this.#checked.delete(this.#checked.values().next().value!)
  }

  /** False: too many new sets came from there. */
  #take (peer: PeerId, item: AnnouncedItem, via: PeerId): boolean {
    const name = toHex(item.infoHash)
    const linked = via === peer
    const now = this.#d.clock.now()
    if (item.share === SHARE_LEFT) {
      const left = this.#sets.get(name)
      left?.said.delete(peer)
      if (left?.holders.delete(peer) === true) this.#d.onChange(name)
      return true
    }
    let set = this.#sets.get(name)
    if (set === undefined) {
      if (!this.#newSets.take(linked ? `own ${via}` : via)) return false
      if (this.#countOf(peer) >= MAX_SETS_PER_PEER || !this.#makeRoom()) return true
      this.#sets.set(name, set = { note: undefined, holders: new Map(), heardAt: now, said: new Map(), vias: new Map() })
    }
    set.said.delete(peer)
    set.said.set(peer, { at: now, share: item.share })
    if (set.said.size > ENOUGH_HOLDERS) set.said.delete(set.said.keys().next().value!)
    const before = set.holders.get(peer)
    if (before === undefined && (this.#countOf(peer) >= MAX_SETS_PER_PEER || !makeRoomAmong(set.holders, linked))) return true
    set.holders.set(peer, { peer, share: item.share / SHARE_ALL, heardAt: now, linked: linked || before?.linked === true })
    set.heardAt = now
    // Whoever has left holds no places: under a new name he would have as many again.
    for (const [other, at] of set.vias) if (at < now - HOLDER_MS) set.vias.delete(other)
    if (set.vias.size === 0 || set.vias.has(via) || (linked && set.vias.size < MAX_HOLDERS)) set.vias.set(via, now)
    // The first one stays: a later stranger cannot rename what is known.
    set.note ??= item.note[0]
    if (before?.share !== item.share / SHARE_ALL) this.#d.onChange(name)
    return true
  }

  #countOf (peer: PeerId): number {
    let n = 0
    for (const s of this.#sets.values()) if (s.holders.has(peer)) n++
    return n
  }

  /**
   * A set of the neighbour that has the most places goes, none that we follow. One with several vias is of the one that
   * has the fewest: nobody can make another's set his own.
   */
  #makeRoom (): boolean {
    if (this.#sets.size < MAX_SETS) return true
    const places = new Map<PeerId, number>()
    for (const [name, set] of this.#sets) if (!this.#d.follows(name)) for (const via of set.vias.keys()) places.set(via, (places.get(via) ?? 0) + 1)
    let worst: { readonly name: InfoHash, readonly standing: Standing } | undefined
    for (const [name, set] of this.#sets) {
      if (this.#d.follows(name)) continue
      const standing = standingOf(set, places)
      if (worst === undefined || isWorse(standing, worst.standing)) worst = { name, standing }
    }
    if (worst === undefined) return false
    this.#sets.delete(worst.name)
    return true
  }
}

/** `places`: of the neighbour it is of; `own`: this one has it itself. */
interface Standing { readonly places: number, readonly own: boolean, readonly holders: number, readonly heardAt: number }

function standingOf (set: SetEntry, placesOf: ReadonlyMap<PeerId, number>): Standing {
  let [places, own] = [Infinity, false]
  for (const via of set.vias.keys()) {
    const n = placesOf.get(via)!
    const has = set.holders.get(via)?.linked === true
    if (n < places || (n === places && has)) [places, own] = [n, has]
  }
  return { places, own, holders: set.holders.size, heardAt: set.heardAt }
}

function isWorse (a: Standing, b: Standing): boolean {
  if (a.places !== b.places) return a.places > b.places
  if (a.own !== b.own) return b.own
  return a.holders < b.holders || (a.holders === b.holders && a.heardAt < b.heardAt)
}

/** Names on envelopes are free: they do not keep out a peer that is there. */
function makeRoomAmong (holders: Map<PeerId, Holder>, linked: boolean): boolean {
  if (holders.size < MAX_HOLDERS) return true
  const other = linked ? [...holders.values()].find(h => !h.linked) : undefined
  return other !== undefined && holders.delete(other.peer)
}
