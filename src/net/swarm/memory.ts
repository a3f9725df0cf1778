/**
 * The twin in memory: swarms among nodes of one process, in the time of a given clock. Pieces move
 * one per link and tick, and are hashed as the real ones are, so that what a cheat sends is found out.
 */
import { sha1 } from '@noble/hashes/legacy.js'
import { equalBytes } from '../../core/codec/ssz.ts'
import { decodeMetainfo, makeMetainfo, type Metainfo, PIECE_HASH_BYTES, pieceBytesFor, pieceLength, wrapInfo } from '../../core/torrent/metainfo.ts'
import { tameName } from '../../core/torrent/names.ts'
import type { Clock } from '../../ports/clock.ts'
import type { PeerId } from '../../ports/network.ts'
import { type FollowOptions, type InfoHash, type LinkId, MAX_LINK_MESSAGE_BYTES, type Swarm, SwarmError, type SwarmEvent, type SwarmItem, type SwarmLink, type SwarmStatus } from '../../ports/swarm.ts'
import { STATUS_MS } from './bounds.ts'
import { MemoryDisk, type PieceDisk } from './pieceDisk.ts'

/** A link gives one piece in this time. */
const TICK_MS = 25
/** Where nothing is fetched, whom to link to is looked at this often only: in a world of many tabs most have nothing to do. */
const IDLE_MS = 15_000
const DISK_BYTES = 64 * 1024 * 1024

export interface MemorySwarmHubOptions {
  readonly clock: Clock
  /** Whether two nodes are connected in the mesh now; without it, all are. */
  readonly connected?: (a: PeerId, b: PeerId) => boolean
}

export interface JoinOptions {
  readonly disk?: PieceDisk
  /** What a cheat sends instead of a piece. */
  readonly tamper?: (piece: number, bytes: Uint8Array) => Uint8Array
  /** The tab's own clock, and whether its code runs, where tabs sleep and die. */
  readonly clock?: Clock
  readonly life?: { readonly up: boolean, run: (fn: () => void) => void }
}

export class MemorySwarmHub {
  readonly clock: Clock
  readonly connected: (a: PeerId, b: PeerId) => boolean
  readonly nodes = new Map<PeerId, MemorySwarm>()

  constructor (options: MemorySwarmHubOptions) {
    this.clock = options.clock
    this.connected = options.connected ?? (() => true)
  }

  join (self: PeerId, options: JoinOptions = {}): Swarm {
    const swarm = new MemorySwarm(this, self, options)
    this.nodes.set(self, swarm)
    return swarm
  }

  /** A tab has died without a word. */
  forget (self: PeerId): void { this.nodes.delete(self) }
}

interface Side { readonly id: LinkId, readonly item: Item, readonly peer: PeerId, other: Side | undefined, down: number, up: number, serves: boolean }

interface Item {
  readonly infoHash: InfoHash
  torrent: Uint8Array | undefined
  metainfo: Metainfo | undefined
  fetch: boolean
  ready: boolean
  failure: Pick<SwarmItem, 'failure' | 'detail'> | undefined
  readonly have: Set<number>
  readonly links: Map<PeerId, Side>
  wanted: readonly PeerId[]
  down: number
  up: number
}

class MemorySwarm implements Swarm {
  readonly #hub: MemorySwarmHub
  readonly #clock: Clock
  readonly #self: PeerId
  readonly #disk: PieceDisk
  readonly #tamper: JoinOptions['tamper']
  readonly #life: JoinOptions['life']
  readonly #items = new Map<InfoHash, Item>()
  readonly #listeners = new Set<(e: SwarmEvent) => void>()
  readonly #refused = new Set<PeerId>()
  readonly #cutUntil = new Map<string, number>()
  #nextLink = 1
  #cancel: (() => void) | undefined
  #cancelled = 0
  #toldAt = 0
  #changed = false
  /** Until the tick that is waited for; none is while one runs. */
  #waitMs: number | undefined
  #ticking = false
  #stopped = false

  constructor (hub: MemorySwarmHub, self: PeerId, options: JoinOptions) {
    this.#hub = hub
    this.#clock = options.clock ?? hub.clock
    this.#self = self
    this.#disk = options.disk ?? new MemoryDisk(DISK_BYTES)
    this.#tamper = options.tamper
    this.#life = options.life
  }

  async status (): Promise<SwarmStatus> { return { items: [...this.#items.values()].map(i => this.#view(i)), store: this.#disk.kind } }

  async onEvent (listener: (e: SwarmEvent) => void): Promise<() => void> {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  async share (files: readonly File[], name: string): Promise<Uint8Array> {
    const whole = new Uint8Array(await new Blob([...files]).arrayBuffer())
    const pieceBytes = pieceBytesFor(whole.length)
    const pieces = Math.ceil(whole.length / pieceBytes)
    const hashes = new Uint8Array(pieces * PIECE_HASH_BYTES)
    const piece = (i: number): Uint8Array => whole.subarray(i * pieceBytes, (i + 1) * pieceBytes)
    for (let i = 0; i < pieces; i++) hashes.set(sha1(piece(i)), i * PIECE_HASH_BYTES)
    const single = files.length === 1
    const tamed = tameName(single ? files[0].name : name)
    let m: Metainfo
    try {
      m = makeMetainfo(tamed, files.map(f => ({ path: single ? tamed : f.name, bytes: f.size })), pieceBytes, hashes)
    } catch (e) { throw new SwarmError('metainfo', (e as Error).message) }
    const isNew = !(await this.#disk.stored()).some(s => s.infoHash === m.infoHash)
    const cancelled = this.#cancelled
    for (let i = 0; i < pieces; i++) {
      if (this.#cancelled !== cancelled) {
        if (isNew) await this.#disk.remove(m.infoHash)
        throw new SwarmError('cancelled', 'it was cancelled')
      }
      this.emit({ type: 'sharing', done: whole.length + i * pieceBytes, of: 2 * whole.length })
      await this.#disk.write(m.infoHash, i * pieceBytes, piece(i))
    }
    return wrapInfo(m.info)
  }

  async cancelShare (): Promise<void> { this.#cancelled++ }

  async follow (infoHash: InfoHash, options: FollowOptions): Promise<void> {
    let item = this.#items.get(infoHash)
    if (item !== undefined && item.failure === undefined) {
      item.fetch ||= options.fetch
      this.#touch()
      return
    }
    item = { infoHash, torrent: undefined, metainfo: undefined, fetch: options.fetch, ready: false, failure: undefined, have: new Set(), links: new Map(), wanted: item?.wanted ?? [], down: 0, up: 0 }
    this.#items.set(infoHash, item)
    if (options.torrent !== undefined) await this.#read(item, options.torrent)
    this.#touch()
  }

  async leave (infoHash: InfoHash): Promise<void> {
    const item = this.#items.get(infoHash)
    if (item === undefined) return
    for (const side of [...item.links.values()]) this.#end(side)
    this.#items.delete(infoHash)
    this.#touch()
  }

  async remove (infoHash: InfoHash): Promise<void> {
    await this.leave(infoHash)
    await this.#disk.remove(infoHash)
  }

  async peers (infoHash: InfoHash, peers: readonly PeerId[]): Promise<void> {
    const item = this.#items.get(infoHash)
    if (item === undefined) return
    item.wanted = peers
    this.#connect(item)
  }

  async open (infoHash: InfoHash, path: string): Promise<Blob> {
    const item = this.#items.get(infoHash)
    const m = item?.metainfo
    if (item === undefined || m === undefined || item.have.size < m.pieces) throw new SwarmError('other', 'it is not whole yet')
    const parts: Uint8Array[] = []
    for (let i = 0; i < m.pieces; i++) parts.push((await this.#disk.read(infoHash, i * m.pieceBytes, pieceLength(m, i)))!)
    let at = 0
    for (const f of m.files) {
      if (f.path === path) return new Blob(parts as BlobPart[]).slice(at, at + f.bytes)
      at += f.bytes
    }
    throw new SwarmError('other', 'there is no such file in it')
  }

  async piece (infoHash: InfoHash, index: number): Promise<Uint8Array | undefined> {
    const item = this.#items.get(infoHash)
    const m = item?.metainfo
    if (item === undefined || m === undefined || !item.have.has(index)) return undefined
    const bytes = await this.#disk.read(infoHash, index * m.pieceBytes, pieceLength(m, index))
    return bytes !== undefined && this.#isRight(m, index, bytes) ? bytes : undefined
  }

  async limits (): Promise<void> {}

  async send (link: LinkId, bytes: Uint8Array): Promise<void> {
    const other = this.#side(link)?.other
    if (other === undefined || bytes.length > MAX_LINK_MESSAGE_BYTES) return
    const copy = bytes.slice()
    const node = this.#hub.nodes.get(this.#side(link)!.peer)
    this.#clock.after(1, () => { if (other.item.links.get(this.#self) === other) node?.emit({ type: 'message', link: node.linkView(other), bytes: copy }) })
  }

  async serve (link: LinkId, allowed: boolean): Promise<void> {
    const side = this.#side(link)
    if (side !== undefined) side.serves = allowed
    this.#touch()
  }

  async cut (link: LinkId, forMs?: number): Promise<void> {
    const side = this.#side(link)
    if (side === undefined) return
    if (forMs !== undefined) this.#cutUntil.set(`${side.item.infoHash} ${side.peer}`, this.#clock.now() + forMs)
    this.#end(side)
  }

  async refuse (peer: PeerId): Promise<void> {
    this.#refused.add(peer)
    for (const item of this.#items.values()) for (const side of [...item.links.values()]) if (side.peer === peer) this.#end(side)
  }

  async stored (): Promise<ReadonlyArray<{ readonly infoHash: InfoHash, readonly bytes: number }>> { return await this.#disk.stored() }

  async stop (): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    this.#cancel?.()
    this.#listeners.clear()
    for (const infoHash of [...this.#items.keys()]) await this.leave(infoHash)
    if (this.#hub.nodes.get(this.#self) === this) this.#hub.nodes.delete(this.#self)
  }

  // --- what the other nodes of the hub use

  get up (): boolean { return this.#life?.up ?? true }

  emit (e: SwarmEvent): void {
    const tell = (): void => { for (const l of this.#listeners) l(e) }
    if (this.#life === undefined) tell()
    else this.#life.run(tell)
  }

  item (infoHash: InfoHash): Item | undefined { return this.#items.get(infoHash) }

  admits (infoHash: InfoHash, peer: PeerId): boolean {
    return !this.#stopped && !this.#refused.has(peer) && (this.#cutUntil.get(`${infoHash} ${peer}`) ?? 0) <= this.#clock.now()
  }

  linkView (side: Side): SwarmLink {
    const { metainfo } = side.item
    const has = side.other?.item.have.size ?? 0
    return {
      id: side.id, infoHash: side.item.infoHash, peer: side.peer, via: 'mesh', has: metainfo === undefined ? 0 : has / metainfo.pieces,
      down: side.down, up: side.up, downPerSecond: 0, upPerSecond: 0, choked: !side.serves,
      interested: side.other?.item.fetch === true && [...side.item.have].some(i => !side.other!.item.have.has(i))
    }
  }

  attach (item: Item, peer: PeerId): Side {
    const side: Side = { id: this.#nextLink++, item, peer, other: undefined, down: 0, up: 0, serves: true }
    item.links.set(peer, side)
    this.#touch()
    return side
  }

  detach (side: Side): void {
    if (side.item.links.get(side.peer) !== side) return
    side.item.links.delete(side.peer)
    side.item.down += side.down
    side.item.up += side.up
    this.#touch()
    this.emit({ type: 'unlink', link: this.linkView(side) })
  }

  async give (side: Side, piece: number): Promise<Uint8Array | undefined> {
    const m = side.item.metainfo
    if (m === undefined || !side.serves || !side.item.have.has(piece)) return undefined
    const bytes = await this.#disk.read(m.infoHash, piece * m.pieceBytes, pieceLength(m, piece))
    if (bytes === undefined) return undefined
    side.up += bytes.length
    this.#touch()
    return this.#tamper?.(piece, bytes) ?? bytes
  }

  // ---

  #side (link: LinkId): Side | undefined {
    for (const item of this.#items.values()) for (const side of item.links.values()) if (side.id === link) return side
    return undefined
  }

  #end (side: Side): void {
    const node = this.#hub.nodes.get(side.peer)
    if (side.other !== undefined) node?.detach(side.other)
    this.detach(side)
  }

  /** A tab that sleeps or is gone answers nobody. */
  #reaches (peer: PeerId): boolean { return this.#hub.connected(this.#self, peer) && this.#hub.nodes.get(peer)?.up === true }

  #connect (item: Item): void {
    if (item.failure !== undefined) return
    for (const peer of item.wanted) {
      if (peer === this.#self || item.links.has(peer) || !this.#reaches(peer)) continue
      const node = this.#hub.nodes.get(peer)
      const theirs = node?.item(item.infoHash)
      if (node === undefined || theirs === undefined || theirs.failure !== undefined) continue
      if (!this.admits(item.infoHash, peer) || !node.admits(item.infoHash, this.#self)) continue
      const a = this.attach(item, peer)
      const b = node.attach(theirs, this.#self)
      a.other = b
      b.other = a
      this.emit({ type: 'link', link: this.linkView(a) })
      node.emit({ type: 'link', link: node.linkView(b) })
    }
  }

  async #read (item: Item, torrent: Uint8Array): Promise<boolean> {
    const m = decodeMetainfo(torrent)
    if (!m.ok || m.value.infoHash !== item.infoHash) {
      item.failure = { failure: 'metainfo', detail: m.ok ? 'it is of another torrent' : `${m.reason}: ${m.detail}` }
      return false
    }
    for (let i = 0; i < m.value.pieces; i++) {
      const bytes = await this.#disk.read(item.infoHash, i * m.value.pieceBytes, pieceLength(m.value, i))
      if (bytes !== undefined && this.#isRight(m.value, i, bytes)) item.have.add(i)
    }
    item.torrent = torrent
    item.metainfo = m.value
    item.ready = true
    return true
  }

  #isRight (m: Metainfo, i: number, bytes: Uint8Array): boolean { return equalBytes(sha1(bytes), m.hashes.subarray(i * PIECE_HASH_BYTES, (i + 1) * PIECE_HASH_BYTES)) }

  async #tick (): Promise<void> {
    this.#ticking = true
    for (const item of [...this.#items.values()]) {
      this.#connect(item)
      for (const side of [...item.links.values()]) {
        if (!this.#reaches(side.peer)) { this.#end(side); continue }
        const other = side.other!
        if (item.metainfo === undefined && other.item.torrent !== undefined) {
          if (await this.#read(item, other.item.torrent)) this.emit({ type: 'metadata', infoHash: item.infoHash, torrent: other.item.torrent.slice() })
        } else if (item.fetch && item.failure === undefined) await this.#fetchOne(item, side)
      }
    }
    const now = this.#clock.now()
    if (this.#changed && now - this.#toldAt >= STATUS_MS) {
      this.#changed = false
      this.#toldAt = now
      this.emit({ type: 'status', status: await this.status() })
    }
    this.#ticking = false
    this.#wait(this.#busy() ? TICK_MS : IDLE_MS)
  }

  /** Something is to be fetched from somebody, or to be told of. */
  #busy (): boolean {
    return this.#changed || [...this.#items.values()].some(i => i.links.size > 0 && i.failure === undefined && (i.metainfo === undefined || (i.fetch && i.have.size < i.metainfo.pieces)))
  }

  #touch (): void {
    this.#changed = true
    if (this.#ticking || this.#waitMs === TICK_MS) return
    this.#cancel?.()
    this.#wait(TICK_MS)
  }

  #wait (ms: number): void {
    if (this.#stopped || (this.#items.size === 0 && !this.#changed)) return
    this.#waitMs = ms
    this.#cancel = this.#clock.after(ms, () => {
      this.#waitMs = undefined
      void this.#tick()
    })
  }

  async #fetchOne (item: Item, side: Side): Promise<void> {
    const m = item.metainfo!
    const piece = rarest(item, side.other!.item)
    if (piece === undefined) return
    const bytes = await this.#hub.nodes.get(side.peer)?.give(side.other!, piece)
    if (bytes === undefined) return
    side.down += bytes.length
    this.#touch()
    if (!this.#isRight(m, piece, bytes)) {
      this.emit({ type: 'offence', link: this.linkView(side), offence: 'bad-piece', detail: `piece ${piece} is not what its hash says` })
      this.#end(side)
      return
    }
    try {
      await this.#disk.write(item.infoHash, piece * m.pieceBytes, bytes)
    } catch (e) {
      item.failure = { failure: e instanceof SwarmError ? e.kind : 'gone', detail: (e as Error).message }
      for (const s of [...item.links.values()]) this.#end(s)
      return
    }
    item.have.add(piece)
    if (item.have.size === m.pieces) this.emit({ type: 'complete', infoHash: item.infoHash })
  }

  #view (item: Item): SwarmItem {
    const m = item.metainfo
    const have = new Uint8Array(Math.ceil((m?.pieces ?? 0) / 8))
    const availability = new Uint8Array(m?.pieces ?? 0)
    let haveBytes = 0
    for (const i of item.have) {
      have[i >> 3] |= 128 >> (i & 7)
      haveBytes += pieceLength(m!, i)
    }
    for (const side of item.links.values()) for (const i of side.other?.item.have ?? []) if (i < availability.length) availability[i]++
    const links = [...item.links.values()].map(s => this.linkView(s))
    return {
      infoHash: item.infoHash, state: item.failure !== undefined ? 'failed' : m === undefined ? 'metadata' : item.have.size === m.pieces ? 'complete' : 'downloading',
      ...item.failure, have, haveBytes, availability, links,
      down: item.down + links.reduce((n, l) => n + l.down, 0), up: item.up + links.reduce((n, l) => n + l.up, 0), downPerSecond: 0, upPerSecond: 0
    }
  }
}

/** The piece of theirs that the fewest linked peers have; of several, one that depends on who asks. */
function rarest (item: Item, theirs: Item): number | undefined {
  let best: { readonly piece: number, readonly count: number } | undefined
  const offset = item.links.keys().next().value?.length ?? 0
  const pieces = item.metainfo!.pieces
  for (let k = 0; k < pieces; k++) {
    const piece = (k + offset) % pieces
    if (item.have.has(piece) || !theirs.have.has(piece)) continue
    let count = 0
    for (const side of item.links.values()) if (side.other?.item.have.has(piece) === true) count++
    if (best === undefined || count < best.count) best = { piece, count }
  }
  return best?.piece
}
