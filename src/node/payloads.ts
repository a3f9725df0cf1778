/**
 * Contributions' payloads by digest: kept for as long as the seals that name them can be replayed,
 * fetched from whoever announced them, served to whoever asks. A payload is checked against its
 * digest before anything looks at it.
 *
 * Whoever makes a node ask decides how often it asks others: it keeps to a pace below what they answer,
 * and for what is only offered the peer that brought it is asked, others seldom, on that peer's account.
 */
import { decode, equalBytes, fromHex, toHex } from '../core/codec/ssz.ts'
import { PayloadRequest } from '../core/codec/wire.ts'
import { HASH_BYTES, MAX_OPS, MAX_PARAMETERS } from '../core/params.ts'
import { payloadDigest } from '../core/training/payload.ts'
import type { Clock, Random } from '../ports/clock.ts'
import type { Network, PeerId } from '../ports/network.ts'
import { StorageError, type Storage, type StorageOp } from '../ports/storage.ts'
import { ask, askPatiently, candidates, firstOf, sleep, type Asking } from './askPeers.ts'
import { Lru } from './lru.ts'
import { eachTime, type Once } from './once.ts'
import type { Blame, Hex, Log, PayloadService } from './parts.ts'
import { SpareRoom } from './spareRoom.ts'
import { TokenBuckets } from './tokenBucket.ts'

export const PAYLOAD_PROTOCOL = '/cw/1/payload'
/** payloadSize() of the largest legal model. */
export const MAX_PAYLOAD_BYTES = MAX_PARAMETERS + 6 * MAX_OPS
const MEMORY_BYTES = 16 * 1024 * 1024
export const PAYLOAD_DISK_BYTES = 512 * 1024 * 1024
const REQUEST_TIMEOUT_MS = 4_000
/** Peers asked for one payload before it counts as unavailable. */
const PEERS_ASKED = 6
/** Whole fetches of one payload take at most this. */
const FETCH_TIMEOUT_MS = 12_000
export const REQUESTS_PER_SECOND = 32
/** What this node asks of one peer: less than it answers itself, and a burst that may come twice, around a reload. */
export const ASKED_PER_SECOND = 24
const ASKED_BURST = 64
/** Requests to others for what one peer offered and did not give: it may have lost it, or want others pestered. */
const ON_ACCOUNT_PER_SECOND = 4
export const ON_ACCOUNT_BURST = 32
/** Requests to one peer at once: it answers eight, and another part may be asking too. */
const AT_ONCE_PER_PEER = 3

/** Sorts by height, so that the oldest come first and the index needs no values. */
const storageKey = (height: number, job: Hex, round: number, digest: Hex, size: number): string =>
  `${String(height).padStart(10, '0')}/${job}/${round}/${digest}/${size}`

/** What has come of one that is asked for in two ways. */
interface Here { bytes?: Uint8Array }

interface Held { readonly key: string, readonly height: number, readonly size: number }

function parseKey (key: string): { digest: Hex, held: Held } | undefined {
  const [height, job, , digest, size] = key.split('/')
  if (size === undefined || fromHex(job, HASH_BYTES) === undefined || fromHex(digest, HASH_BYTES) === undefined) return undefined
  // A size that is no number would end every count of what is held, and with it the bound.
  if (!/^\d{10}$/.test(height) || !/^\d{1,9}$/.test(size)) return undefined
  return { digest, held: { key, height: Number(height), size: Number(size) } }
}

export interface PayloadsDeps {
  readonly storage: Pick<Storage, 'get' | 'keys' | 'commit'>
  readonly network: Asking & Pick<Network, 'handle'>
  readonly clock: Pick<Clock, 'now' | 'after'>
  readonly random: Random
  readonly blame: Pick<Blame, 'refuse'>
  readonly log: Log
  /** Height of the head: what is put now belongs to about this height. */
  readonly height: () => number
  readonly historyBlocks: number
  readonly diskBytesMax?: number
  readonly once?: Once
}

export class Payloads implements PayloadService {
  readonly #d: PayloadsDeps
  readonly #memory = new Lru<Uint8Array>(MEMORY_BYTES, b => b.length)
  /** What is in storage, oldest first. */
  readonly #held = new Map<Hex, Held>()
  readonly #fetching = new Map<Hex, Promise<Uint8Array | undefined>>()
  readonly #lines = new Map<PeerId, { running: number, readonly waiting: Array<() => void> }>()
  readonly #spare = new SpareRoom()
  readonly #pace: TokenBuckets
  readonly #accounts: TokenBuckets
  #heldBytes = 0
  #prunedAt = 0
  #unhandle: (() => void) | undefined

  constructor (d: PayloadsDeps) {
    this.#d = d
    this.#pace = new TokenBuckets(d.clock, ASKED_PER_SECOND, ASKED_BURST)
    this.#accounts = new TokenBuckets(d.clock, ON_ACCOUNT_PER_SECOND, ON_ACCOUNT_BURST)
  }

  async start (): Promise<void> {
    for (const key of await this.#d.storage.keys('payloads')) {
      const parsed = parseKey(key)
      if (parsed === undefined) continue
      this.#held.set(parsed.digest, parsed.held)
      this.#heldBytes += parsed.held.size
    }
    this.#unhandle = await this.#d.network.handle(PAYLOAD_PROTOCOL,
      { maxRequestBytes: HASH_BYTES, maxResponseBytes: MAX_PAYLOAD_BYTES, perPeerPerSecond: REQUESTS_PER_SECOND },
      async (_, body) => {
        const request = decode(PayloadRequest, body, HASH_BYTES)
        return (request.ok ? await this.get(request.value.digest) : undefined) ?? new Uint8Array(0)
      })
  }

  stop (): void { this.#unhandle?.() }

  get bytesHeld (): number { return this.#heldBytes }

  async has (digest: Uint8Array): Promise<boolean> {
    const name = toHex(digest)
    return this.#memory.has(name) || this.#held.has(name)
  }

  async get (digest: Uint8Array): Promise<Uint8Array | undefined> {
    const name = toHex(digest)
    const cached = this.#memory.get(name)
    if (cached !== undefined) return cached
    const held = this.#held.get(name)
    if (held === undefined) return undefined
    const bytes = await this.#read(held.key)
    if (bytes === undefined) return undefined
    if (!equalBytes(this.#digestOf(bytes), digest)) {
      this.#d.log.warn('payloads', `stored payload ${name.slice(0, 16)} is damaged; dropped`)
      await this.#commit(this.#forget([name]))
      return undefined
    }
    this.#memory.set(name, bytes)
    return bytes
  }

  async put (digest: Uint8Array, bytes: Uint8Array, round: { readonly job: Uint8Array, readonly round: number }): Promise<void> {
    const name = toHex(digest)
    this.#memory.set(name, bytes)
    if (this.#held.has(name)) return
    const height = this.#d.height()
    const held = { key: storageKey(height, toHex(round.job), round.round, name, bytes.length), height, size: bytes.length }
    const evicted = [...this.#forget(this.#outlived(height)), ...this.#evictions(bytes.length)]
    this.#held.set(name, held)
    this.#heldBytes += held.size
    const stored = await this.#commit([...evicted, { op: 'put', store: 'payloads', key: held.key, value: bytes }])
    if (stored) return
    this.#forget([name])
    // A full disk takes what makes room on it.
    if (evicted.length > 0) await this.#commit(evicted)
  }

  async fetch (digest: Uint8Array, bytes: number, round: { readonly job: Uint8Array, readonly round: number }, from?: PeerId): Promise<Uint8Array | undefined> {
    return await this.#fetch(toHex(digest), digest, bytes, async () => await this.#fetchFromPeers(digest, bytes, round, from))
  }

  async fetchOffered (digest: Uint8Array, bytes: number, round: { readonly job: Uint8Array, readonly round: number }, from: PeerId): Promise<Uint8Array | undefined> {
    // Of each peer by itself: what one withholds, another one gives.
    return await this.#fetch(`${toHex(digest)}/${from}`, digest, bytes, async () => await this.#fetchFromPeers(digest, bytes, round, from, from))
  }

  async #fetch (name: string, digest: Uint8Array, bytes: number, fromPeers: () => Promise<Uint8Array | undefined>): Promise<Uint8Array | undefined> {
    if (bytes < 1 || bytes > MAX_PAYLOAD_BYTES) return undefined
    const held = await this.get(digest)
    if (held !== undefined) return held.length === bytes ? held : undefined
    const running = this.#fetching.get(name)
    if (running !== undefined) return await running
    const fetching = fromPeers().finally(() => this.#fetching.delete(name))
    this.#fetching.set(name, fetching)
    return await fetching
  }

  #digestOf (bytes: Uint8Array): Uint8Array { return (this.#d.once ?? eachTime)('payload digest', [bytes], () => payloadDigest(bytes)) }

  /** What no replay can need any more below this head. */
  #outlived (head: number): Hex[] {
    if (head <= this.#prunedAt) return []
    this.#prunedAt = head
    const old: Hex[] = []
    for (const [name, held] of this.#held) if (held.height < head - this.#d.historyBlocks) old.push(name)
    return old
  }

  async #read (key: string): Promise<Uint8Array | undefined> {
    try {
      return await this.#d.storage.get('payloads', key)
    } catch (e) {
      if (!(e instanceof StorageError)) throw e
      this.#d.log.warn('payloads', `not read (${e.kind}): ${e.message}`)
      return undefined
    }
  }

  /** `account`: the peer that offered it; others are asked seldom, and only while they answer nothing else. */
  async #fetchFromPeers (digest: Uint8Array, size: number, round: { readonly job: Uint8Array, readonly round: number }, from?: PeerId, account?: PeerId): Promise<Uint8Array | undefined> {
    const { network, random, clock } = this.#d
    const until = clock.now() + FETCH_TIMEOUT_MS
    const peers = (await candidates(network, random, from)).slice(0, PEERS_ASKED)
    const here: Here = {}
    const ask = async (some: readonly PeerId[]): Promise<Uint8Array | undefined> => await this.#fetchFrom(some, digest, size, round, until, account, here)
    if (account !== undefined || !this.#isAsked(peers[0])) return await ask(peers)
    // A node that is behind lacks all of a seal: from one peer alone it may come no faster than rounds go by.
    const others = async (): Promise<Uint8Array | undefined> => await ask(peers.slice(1))
    const elsewhere = this.#spare.enter(others)
    let left = false
    const first = ask(peers.slice(0, 1)).finally(() => { left = elsewhere.leave() })
    return await firstOf([first, elsewhere.done]) ?? (left ? await others() : undefined)
  }

  /** One after another. */
  async #fetchFrom (peers: readonly PeerId[], digest: Uint8Array, size: number, round: { readonly job: Uint8Array, readonly round: number }, until: number, account: PeerId | undefined, here: Here): Promise<Uint8Array | undefined> {
    const { blame } = this.#d
    for (const peer of peers) {
      if (account !== undefined && peer !== account && (this.#isAsked(peer) || !this.#accounts.take(account))) continue
      // By the time it is this one's turn another may have brought it.
      const bytes = await this.#inTurn(peer, async () => here.bytes ?? this.#memory.get(toHex(digest)) ?? await this.#ask(peer, digest, size, until, account))
      if (bytes === undefined) continue
      if (bytes === here.bytes) return bytes
      if (!equalBytes(this.#digestOf(bytes), digest)) {
        blame.refuse({ what: 'payload', reason: 'payload does not have its digest', detail: `${bytes.length} bytes for ${toHex(digest).slice(0, 16)}, ${size} expected`, peer, fatal: true })
        continue
      }
      // Whoever named this digest with another job's size lied, and not who holds what has it.
      if (bytes.length !== size) return undefined
      here.bytes = bytes
      // Held at once: a replay or a seal waits for it, the disk takes its time.
      this.put(digest, bytes, round).catch((e: unknown) => { this.#d.log.error('payloads', e instanceof Error ? e.message : String(e)) })
      return bytes
    }
    return undefined
  }

  /** At this node's pace. Who offered it is asked again while it is busy: it has it, and others may not. */
  async #ask (peer: PeerId, digest: Uint8Array, size: number, until: number, account: PeerId | undefined): Promise<Uint8Array | undefined> {
    const { clock, network } = this.#d
    if (clock.now() >= until) return undefined
    let since = 0
    const paced: Pick<Network, 'request'> = {
      request: async (to, protocol, body, o) => {
        while (!this.#pace.take(to)) await sleep(clock, 1000 / ASKED_PER_SECOND)
        since = clock.now()
        // Its size is the word of whoever named it.
        return await network.request(to, protocol, body, { ...o, timeoutMs: Math.max(1, Math.min(o.timeoutMs, until - clock.now())), fairBytes: MAX_PAYLOAD_BYTES })
      }
    }
    const request = PayloadRequest.serialize({ digest })
    if (peer !== account) {
      const bytes = await ask(paced, peer, PAYLOAD_PROTOCOL, request, REQUEST_TIMEOUT_MS, size)
      if (account === undefined) this.#spare.answered(clock.now() - since, bytes !== undefined)
      return bytes
    }
    const bytes = await askPatiently(paced, clock, peer, PAYLOAD_PROTOCOL, request, REQUEST_TIMEOUT_MS, size)
    return bytes?.length === 0 ? undefined : bytes
  }

  #isAsked (peer: PeerId): boolean { return (this.#lines.get(peer)?.running ?? 0) >= AT_ONCE_PER_PEER }

  /** A seal's payloads are all fetched at once, mostly from one peer: so many of its requests at a time. */
  async #inTurn<T> (peer: PeerId, run: () => Promise<T>): Promise<T> {
    const line = this.#lines.get(peer) ?? { running: 0, waiting: [] }
    this.#lines.set(peer, line)
    if (line.running >= AT_ONCE_PER_PEER) await new Promise<void>(resolve => { line.waiting.push(resolve) })
    else line.running++
    try {
      return await run()
    } finally {
      const next = line.waiting.shift()
      if (next !== undefined) next()
      else if (--line.running === 0) this.#lines.delete(peer)
    }
  }

  /** Oldest payloads that must go before `incoming` bytes fit. */
  #evictions (incoming: number): StorageOp[] {
    const max = this.#d.diskBytesMax ?? PAYLOAD_DISK_BYTES
    const names: Hex[] = []
    let bytes = this.#heldBytes + incoming
    for (const [name, held] of this.#held) {
      if (bytes <= max) break
      names.push(name)
      bytes -= held.size
    }
    return this.#forget(names)
  }

  #forget (names: readonly Hex[]): StorageOp[] {
    const ops: StorageOp[] = []
    for (const name of names) {
      const held = this.#held.get(name)
      if (held === undefined) continue
      this.#held.delete(name)
      this.#heldBytes -= held.size
      ops.push({ op: 'delete', store: 'payloads', key: held.key })
    }
    return ops
  }

  /** False where storage refused: the payload then lives in memory only. */
  async #commit (ops: readonly StorageOp[]): Promise<boolean> {
    try {
      await this.#d.storage.commit(ops)
      return true
    } catch (e) {
      if (!(e instanceof StorageError)) throw e
      this.#d.log.warn('payloads', `not stored (${e.kind}): ${e.message}`)
      return false
    }
  }
}
