/**
 * The chain on disk. Every block is one record in `headers` and one in `bodies`, written together;
 * a snapshot of the ledger is written with every SNAPSHOT_BLOCKS-th. Keys sort by height:
 *
 *   headers n/<height>/<hash>  header, cumulative work, rho, how it was checked
 *           m/<height>         hash of the settled main-chain block (below the tree's base)
 *           i/<hash>           height of a settled block
 *   bodies  <height>/<hash>    body, the oldest only as long as there is room for them
 *   ledger  <height>/<hash>    snapshot
 *   meta    chain/condemned    contributions proved wrong
 *           chain/head         hash and height of the newest block of the chain that is followed
 *           chain/joined       what was checked of a chain whose beginning is not here
 *
 * Writes are a queue: each commit is whole blocks, parents first, so that a crash between two commits
 * leaves a shorter chain and nothing else. Whoever must not be ahead of the disk awaits written(). If a
 * commit fails the queue waits and tries again; the node goes on in memory and says so.
 */
import { ContainerType, ListCompositeType, type ValueOf } from '@chainsafe/ssz'
import { byteList, Bytes32, type Decoded, decode, fromHex, toHex, U256, U32, U8 } from '../core/codec/ssz.ts'
import { Body, Claim } from '../core/codec/wire.ts'
import type { BlockMeta, HeaderMeta } from '../core/consensus/chain.ts'
import { bodyRoot, claimBytesId, claimId } from '../core/crypto/ids.ts'
import { decodeLedger, encodeLedger, escrowSum, type LedgerState, MAX_LEDGER_BYTES } from '../core/ledger/state.ts'
import { type ChainParams, MAX_BODY_BYTES } from '../core/params.ts'
import type { Clock } from '../ports/clock.ts'
import { type Storage, StorageError, type StorageFailure, type StorageOp } from '../ports/storage.ts'
import { eachTime, type Once } from './once.ts'
import type { BlockRecord, Hex, Log } from './parts.ts'
import type { TreeNode } from './tree.ts'

/** Blocks between two snapshots: a restart applies at most this many more than it must. */
export const SNAPSHOT_BLOCKS = 16
/** Blocks written in one commit while many wait, and their bytes. */
const COMMIT_BLOCKS = 16
const COMMIT_BYTES = 4 * 1024 * 1024
const COMMIT_HEADERS = 256
/** Headers in one commit while nothing else waits. */
const LATER_HEADERS = 1024
/** A failed write is tried again after this. */
export const WRITE_RETRY_MS = 30_000
export const CONDEMNED_KEPT = 1024
/**
 * Bodies on disk, about: a chain never ends, and full blocks are gigabytes a day. Above it the oldest go and
 * their headers stay, as with a tab that joined by a snapshot; the next joiner has the ledger from one, too.
 */
export const BODIES_DISK_BYTES = 1024 * 1024 * 1024
/** Bodies looked at to tell how large all of them are: nothing counts them, and the oldest are megabytes in all. */
const BODIES_SAMPLED = 64
/** Blocks by which the chain must have grown before that is done again. */
export const TRIM_BLOCKS = 64
/** Bodies below a base that a restart may begin from are kept: so many blocks lie between two snapshots. */
const BODIES_BELOW_BASE = 2 * SNAPSHOT_BLOCKS

const CHECKED = ['replayed', 'own', 'ledger'] as const

const HeaderRecord = new ContainerType({ header: Claim, work: U256, rho: Bytes32, checked: U8 })
const HEADER_RECORD_BYTES = 2048
/** A claim comes first in its record, and is of fixed size. */
const CLAIM_BYTES = Claim.fixedSize!

const SnapshotRecord = new ContainerType({
  ledger: byteList(MAX_LEDGER_BYTES),
  /** Job tables of the blocks before it, newest first: what draws and contributions look back at. */
  before: new ListCompositeType(byteList(MAX_LEDGER_BYTES), 64)
})
const SNAPSHOT_RECORD_BYTES = 2 * MAX_LEDGER_BYTES

const FollowedRecord = new ContainerType({ hash: Bytes32, height: U32 })
const FOLLOWED_RECORD_BYTES = 36

/** What a tab that joined by a snapshot knows, and from what: the page words it. */
const JoinedRecord = new ContainerType({
  /** Headers from the chain held before to the head, each checked on the one before it. */
  headers: U32,
  /** Of them, those whose signature was checked. */
  signatures: U32,
  /** Block whose ledger was fetched and fits its header. */
  height: U32,
  /** Of that snapshot. */
  bytes: U32
})
const JOINED_RECORD_BYTES = 16
export type Joined = ValueOf<typeof JoinedRecord>

const CondemnedRecord = new ListCompositeType(Bytes32, CONDEMNED_KEPT)

export const heightKey = (height: number): string => height.toString(16).padStart(8, '0')
const blockKey = (height: number, hash: Hex): string => `${heightKey(height)}/${hash}`
const headerKey = (height: number, hash: Hex): string => `n/${blockKey(height, hash)}`
const placeKey = ({ hash, height }: Settled): string => blockKey(height, toHex(hash))

export interface StoredHeader { readonly hash: Uint8Array, readonly header: Claim, readonly work: bigint, readonly rho: Uint8Array, readonly checked: BlockRecord['checked'] }
export type StoredBlock =
  | { readonly ok: true, readonly key: Hex, readonly height: number, readonly stored: StoredHeader, readonly body: Body }
  | { readonly ok: false, readonly key: Hex, readonly height: number, readonly detail: string }

export interface StoredSnapshot { readonly height: number, readonly hash: Hex, readonly ledger: LedgerState, readonly before: readonly LedgerState[] }

export type StoreState = { readonly ok: true } | { readonly ok: false, readonly kind: StorageFailure, readonly detail: string }

export interface Place { readonly height: number, readonly key: Hex }
/** Of a header, or more. */
export type Settled = Pick<HeaderMeta, 'hash' | 'height'>

/** What a chain that goes on from a fetched ledger brings, and what of the one before it stays or goes. */
export interface NewBase {
  readonly base: BlockMeta
  /** Newest block of it. */
  readonly head: BlockMeta
  /** Headers from the newest block known before up to those that a restart at the base needs, and those. */
  readonly far: readonly HeaderMeta[]
  readonly near: readonly HeaderMeta[]
  readonly joined: Joined
  readonly settled: readonly Settled[]
  readonly gone: readonly Place[]
}

interface Task {
  readonly ops: () => readonly StorageOp[]
  readonly bytes: number
  readonly put?: TreeNode
  /** Called when it is on disk, and when it cannot be written now: with which of the two. */
  readonly done?: (stored: boolean) => void
}

/** Job tables kept with a snapshot: a contribution's draw lies this far below the block that seals it. */
export const ledgerLookBack = (p: ChainParams): number => p.anchorAgeMax + p.randomnessAgeMax + p.rhoDelay + 2

export class ChainStore {
  readonly #storage: Storage
  readonly #clock: Pick<Clock, 'after'>
  readonly #log: Log
  readonly #lookBack: number
  readonly #empty: LedgerState
  readonly #once: Once
  readonly #bodyBytesMax: number
  #trimmedAt = 0
  #queue: Task[] = []
  /** Their turn comes when nothing else waits. */
  readonly #later: Task[] = []
  /** First ones of the queue that are being written. */
  #underWay = 0
  #running: Promise<void> | undefined
  #cancelRetry: (() => void) | undefined
  #state: StoreState = { ok: true }
  #onState: (s: StoreState) => void = () => {}
  #closed = false

  /** `lookBack`: how many blocks before a snapshot keep their job table; `empty`: the ledger of block 0. */
  constructor (d: { readonly storage: Storage, readonly clock: Pick<Clock, 'after'>, readonly log: Log, readonly lookBack: number, readonly empty: LedgerState, readonly once?: Once, readonly bodyBytesMax?: number }) {
    this.#storage = d.storage
    this.#clock = d.clock
    this.#log = d.log
    this.#lookBack = d.lookBack
    this.#empty = d.empty
    this.#once = d.once ?? eachTime
    this.#bodyBytesMax = d.bodyBytesMax ?? BODIES_DISK_BYTES
  }

  get state (): StoreState { return this.#state }
  /** Tasks not yet on disk. */
  get waiting (): number { return this.#queue.length + this.#later.length }
  onState (listener: (s: StoreState) => void): void { this.#onState = listener }

  // --- writing

  put (n: TreeNode): void {
    const { body } = n
    if (body === undefined) return
    // The body is named here: the tree may let go of it before its turn comes.
    this.#enqueue({ put: n, bytes: Body.value_serializedSize(body), ops: () => this.#putOps(n, body) })
  }

  /** Settled headers whose bodies are not here, while nothing else is to be written. The oldest last, so that what is there has no gaps. */
  putHeaders (metas: readonly HeaderMeta[], checked: BlockRecord['checked']): void {
    for (let end = metas.length; end > 0; end -= LATER_HEADERS) {
      const some = metas.slice(Math.max(0, end - LATER_HEADERS), end)
      this.#later.push({ bytes: COMMIT_BYTES, ops: () => this.#belowOps(some, checked) })
    }
    if (this.#cancelRetry === undefined) this.#start()
  }

  /**
   * The chain that goes on from a fetched ledger takes the place of what was followed before, in one commit, so
   * that a restart finds the one or the other. What lies far below it comes after it, while nothing else is to be written:
   * a tab that is killed meanwhile is none the worse for it, but cannot show all of its chain to those who come without any.
   */
  putBase (b: NewBase): void {
    const { base, far, near } = b
    this.#enqueue({
      bytes: COMMIT_BYTES,
      ops: () => [
        ...b.gone.flatMap(forgetOps), ...this.#settleOps(b.settled), ...this.#belowOps(near, 'ledger'),
        this.#headerOp(base, 'ledger'),
        this.#snapshotOp(base),
        { op: 'put', store: 'meta', key: 'chain/joined', value: JoinedRecord.serialize(b.joined) },
        followOp(b.head)
      ]
    })
    this.putHeaders(far, 'ledger')
  }

  /** How this chain was joined, if its beginning was never applied here. */
  async joined (): Promise<Joined | undefined> {
    const v = await this.#storage.get('meta', 'chain/joined')
    const d = v === undefined ? undefined : decode(JoinedRecord, v, JOINED_RECORD_BYTES)
    return d?.ok === true ? d.value : undefined
  }

  /** The block is checked by replay now. */
  update (n: TreeNode): void {
    this.#enqueue({ bytes: 0, ops: () => n.removed ? [] : [this.#headerOp(n.meta, n.checked)] })
  }

  remove (nodes: readonly TreeNode[]): void {
    this.forget(nodes.map((n) => ({ height: n.meta.height, key: n.key })))
  }

  /** Parents first: where they are many the last ones go first, so that what is left hangs together. */
  forget (blocks: readonly Place[]): void {
    for (let end = blocks.length; end > 0; end -= COMMIT_HEADERS) {
      const some = blocks.slice(Math.max(0, end - COMMIT_HEADERS), end)
      this.#enqueue({ bytes: 0, ops: () => some.flatMap(forgetOps) })
    }
  }

  /** These main-chain blocks have left memory for good: index them, so that they can be served. */
  settle (blocks: readonly Settled[]): void {
    if (blocks.length > 0) this.#enqueue({ bytes: 0, ops: () => this.#settleOps(blocks) })
  }

  /** What no restart will need of a chain whose blocks up to `base` are settled. */
  trim (base: number): void {
    // Nothing is lost by it: what is written goes on, and the next time is soon.
    const failed = (e: unknown): void => {
      if (!(e instanceof StorageError)) throw e
      this.#log.warn('storage', `what is old could not be looked through (${e.kind}): ${e.message}`)
    }
    this.#trimSnapshots(base).catch(failed)
    if (base < this.#trimmedAt + TRIM_BLOCKS) return
    this.#trimmedAt = base
    this.#trimBodies(base - BODIES_BELOW_BASE).catch(failed)
  }

  /** All snapshots below the newest one at or below `height`. */
  async #trimSnapshots (height: number): Promise<void> {
    const keys = await this.#storage.keys('ledger', { to: `${heightKey(height)}0`, reverse: true })
    const newest = keys[0]?.slice(0, 8)
    this.#delete('ledger', keys.filter((k) => k.slice(0, 8) !== newest))
  }

  /** The oldest bodies below `height`, if all are too large. */
  async #trimBodies (height: number): Promise<void> {
    const keys = await this.#storage.keys('bodies')
    const sampled = Math.min(keys.length, BODIES_SAMPLED)
    let bytes = 0
    for (let i = 0; i < sampled; i++) bytes += (await this.#storage.get('bodies', keys[Math.floor(i * keys.length / sampled)]))?.length ?? 0
    const spare = Math.ceil(keys.length - this.#bodyBytesMax * sampled / bytes)
    if (spare > 0) this.#delete('bodies', keys.slice(0, spare).filter((k) => parseInt(k.slice(0, 8), 16) < height))
  }

  #delete (store: 'ledger' | 'bodies', keys: readonly string[]): void {
    for (let i = 0; i < keys.length; i += COMMIT_HEADERS) {
      const some = keys.slice(i, i + COMMIT_HEADERS)
      this.#enqueue({ bytes: COMMIT_BYTES, ops: () => some.map((key) => ({ op: 'delete', store, key })) })
    }
  }

  condemned (ids: ReadonlySet<Hex>): void {
    const list = [...ids].slice(-CONDEMNED_KEPT).map((h) => fromHex(h, 32)!)
    this.#enqueue({ bytes: 0, ops: () => [{ op: 'put', store: 'meta', key: 'chain/condemned', value: CondemnedRecord.serialize(list) }] })
  }

  /** Which chain is followed is more than which is heaviest: work taken on trust does not replace work that was redone. */
  follow (head: BlockMeta): void {
    this.#enqueue({ bytes: 0, ops: () => [followOp(head)] })
  }

  /** True once everything so far is on disk; false if it cannot be written now. */
  async written (): Promise<boolean> {
    if (!this.#state.ok || this.#closed) return false
    return await new Promise<boolean>((resolve) => { this.#enqueue({ bytes: 0, ops: () => [], done: resolve }) })
  }

  /** When everything that waits is written, or could not be. */
  async idle (): Promise<void> { while (this.#running !== undefined) await this.#running }

  async close (): Promise<void> {
    await this.idle()
    this.#closed = true
    this.#cancelRetry?.()
  }

  /** Tries a failed write again now, after the user has made room. */
  retry (): void {
    this.#cancelRetry?.()
    this.#cancelRetry = undefined
    this.#start()
  }

  #enqueue (t: Task): void {
    this.#queue.push(t)
    // A full disk must not fill the memory: blocks whose bodies are gone cannot be written any more.
    if (!this.#state.ok) this.#queue = this.#queue.filter((q, i) => i < this.#underWay || q.put === undefined || (!q.put.removed && q.put.body !== undefined))
    if (this.#cancelRetry === undefined) this.#start()
  }

  #start (): void {
    if (this.#running !== undefined || this.#closed) return
    this.#running = this.#drain().finally(() => { this.#running = undefined })
  }

  async #drain (): Promise<void> {
    // One turn later, so that what one event writes together becomes one commit.
    await Promise.resolve()
    while (this.waiting > 0) {
      const isLater = this.#queue.length === 0
      const ops: StorageOp[] = []
      let bytes = 0
      let taken = 0
      for (const t of isLater ? this.#later : this.#queue) {
        if (taken > 0 && (taken >= COMMIT_BLOCKS || bytes + t.bytes > COMMIT_BYTES)) break
        ops.push(...t.ops())
        bytes += t.bytes
        taken++
      }
      this.#underWay = isLater ? 0 : taken
      try {
        if (ops.length > 0) await this.#storage.commit(ops)
      } catch (e) {
        this.#underWay = 0
        if (isLater && e instanceof StorageError && e.kind === 'full') {
          this.#later.length = 0
          this.#log.warn('storage', 'the disk has no room for all headers of this chain: whoever comes without any must be shown them by others')
          continue
        }
        this.#fail(e)
        return
      }
      this.#underWay = 0
      for (const t of (isLater ? this.#later : this.#queue).splice(0, taken)) t.done?.(true)
      if (!this.#state.ok) this.#set({ ok: true })
    }
  }

  #fail (e: unknown): void {
    if (!(e instanceof StorageError)) throw e
    this.#set({ ok: false, kind: e.kind, detail: e.message })
    for (const t of this.#queue) t.done?.(false)
    this.#cancelRetry?.()
    this.#cancelRetry = e.kind === 'full' ? this.#clock.after(WRITE_RETRY_MS, () => { this.retry() }) : () => {}
  }

  #set (s: StoreState): void {
    if (s.ok !== this.#state.ok || (!s.ok && !this.#state.ok && s.kind !== this.#state.kind)) {
      if (s.ok) this.#log.info('storage', 'blocks are stored again')
      else this.#log.error('storage', `blocks are kept in memory only: ${s.kind}, ${s.detail}`)
    }
    this.#state = s
    this.#onState(s)
  }

  #putOps (n: TreeNode, body: Body): StorageOp[] {
    if (n.removed) return []
    const { checked, meta } = n
    const ops = [this.#headerOp(meta, checked), this.#once('body op', [meta, body], (): StorageOp => ({ op: 'put', store: 'bodies', key: placeKey(meta), value: Body.serialize(body) }))]
    if (meta.height % SNAPSHOT_BLOCKS === 0) ops.push(this.#snapshotOp(meta))
    return ops
  }

  #headerOp (m: HeaderMeta, checked: BlockRecord['checked']): StorageOp {
    return this.#once('header op', [m, checked], () => {
      const value = HeaderRecord.serialize({ header: m.header, work: m.work, rho: m.rho, checked: CHECKED.indexOf(checked) })
      return { op: 'put', store: 'headers', key: headerKey(m.height, toHex(m.hash)), value }
    })
  }

  /** Of blocks whose bodies are not here. */
  #belowOps (metas: readonly HeaderMeta[], checked: BlockRecord['checked']): StorageOp[] { return [...metas.map((m) => this.#headerOp(m, checked)), ...this.#settleOps(metas)] }

  #settleOps (metas: readonly Settled[]): StorageOp[] {
    return metas.flatMap((m) => this.#once('settle ops', [m], (): StorageOp[] => [
      { op: 'put', store: 'headers', key: `m/${heightKey(m.height)}`, value: m.hash.slice() },
      { op: 'put', store: 'headers', key: `i/${toHex(m.hash)}`, value: U32.serialize(m.height) }
    ]))
  }

  #snapshotOp (meta: BlockMeta): StorageOp {
    return this.#once('snapshot op', [meta, this.#empty, this.#lookBack], () => {
      const before: Uint8Array[] = []
      for (let m = meta.parent; m !== undefined && before.length < this.#lookBack; m = m.parent) before.push(encodeLedger(jobTable(this.#empty, m.ledger)))
      return { op: 'put', store: 'ledger', key: placeKey(meta), value: SnapshotRecord.serialize({ ledger: encodeLedger(meta.ledger), before }) }
    })
  }

  // --- reading

  async settledHash (height: number): Promise<Uint8Array | undefined> {
    const v = await this.#storage.get('headers', `m/${heightKey(height)}`)
    return v?.length === 32 ? v : undefined
  }

  async settledHeight (hash: Uint8Array): Promise<number | undefined> {
    const v = await this.#storage.get('headers', `i/${toHex(hash)}`)
    const d = v === undefined ? undefined : decode(U32, v, 4)
    return d?.ok === true ? d.value : undefined
  }

  /** Of the settled main chain, from one height to another or as far as they are here: two reads, however many they are. Serialized claims. */
  async settledHeaders (from: number, to: number): Promise<Uint8Array[]> {
    const names = new Map<string, Hex>()
    for (const [key, hash] of await this.#storage.range('headers', { from: `m/${heightKey(from)}`, to: `m/${heightKey(to)}0` })) names.set(key.slice(2), toHex(hash))
    const headers: Uint8Array[] = []
    for (const [key, bytes] of await this.#storage.range('headers', { from: `n/${heightKey(from)}`, to: `n/${heightKey(to)}0` })) {
      const [, height, hash] = key.split('/')
      if (names.get(height) !== hash) continue
      const claim = bytes.subarray(0, CLAIM_BYTES)
      // The hash commits to all but the signature; of a thousand it is the cheapest check there is.
      if (parseInt(height, 16) !== from + headers.length || toHex(claimBytesId(claim)) !== hash) break
      headers.push(claim)
    }
    return headers
  }

  async header (height: number, hash: Hex): Promise<StoredHeader | undefined> {
    const v = await this.#storage.get('headers', headerKey(height, hash))
    const d = v === undefined ? undefined : decodeHeader(hash, v)
    return d?.ok === true ? d.value : undefined
  }

  /** Serialized. */
  async body (height: number, hash: Hex): Promise<Uint8Array | undefined> {
    return await this.#storage.get('bodies', blockKey(height, hash))
  }

  /** Of the chain that was followed; of the highest block where that is not known. What is taken on trust beside it may be far longer. */
  async topHeight (): Promise<number | undefined> {
    const followed = await this.#followed()
    if (followed !== undefined && await this.header(followed.height, followed.key) !== undefined) return followed.height
    const [last] = await this.#storage.keys('headers', { from: 'n/', to: 'n0', reverse: true, limit: 1 })
    if (last === undefined) return undefined
    // What goes on from a ledger that was not settled stands on nothing that is here.
    const [first] = await this.#storage.keys('headers', { from: `n/${heightKey(1)}`, to: `n/${heightKey(2)}`, limit: 1 })
    return first === undefined ? 0 : parseInt(last.slice(2, 10), 16)
  }

  /**
   * The stored chain that was followed, or the one with the most work where that is not known: its
   * blocks by height, from `height` up as far as its headers are whole.
   */
  async branch (height: number): Promise<ReadonlyMap<number, Hex>> {
    const headers = new Map<Hex, { readonly parent: Hex, readonly height: number, readonly work: bigint }>()
    const followed = await this.#followed()
    let tip: Hex | undefined
    for (const [key, bytes] of await this.#storage.range('headers', { from: `n/${heightKey(height)}`, to: 'n0' })) {
      const hash = key.slice(11)
      const d = decodeHeader(hash, bytes)
      if (!d.ok) continue
      const { header, work } = d.value
      headers.set(hash, { parent: toHex(header.template.parent), height: header.template.height, work })
      if (tip === undefined || work > headers.get(tip)!.work) tip = hash
    }
    const branch = new Map<number, Hex>()
    let key = followed !== undefined && headers.has(followed.key) ? followed.key : tip
    for (let h = key === undefined ? undefined : headers.get(key); key !== undefined && h !== undefined; key = h.parent, h = headers.get(key)) branch.set(h.height, key)
    return branch
  }

  /** Decodable snapshots, newest first at or below `height`, then the newer ones ascending. */
  async * snapshots (height: number): AsyncGenerator<StoredSnapshot> {
    const keys = await this.#storage.keys('ledger')
    const low = keys.filter((k) => parseInt(k.slice(0, 8), 16) <= height).reverse()
    for (const key of [...low, ...keys.filter((k) => !low.includes(k))]) {
      const bytes = await this.#storage.get('ledger', key)
      const s = bytes === undefined ? undefined : decodeSnapshot(key, bytes)
      if (s !== undefined) yield s
      else this.#log.warn('storage', `ledger snapshot ${key} is damaged`)
    }
  }

  async #followed (): Promise<{ readonly key: Hex, readonly height: number } | undefined> {
    const v = await this.#storage.get('meta', 'chain/head')
    const d = v === undefined ? undefined : decode(FollowedRecord, v, FOLLOWED_RECORD_BYTES)
    return d?.ok === true ? { key: toHex(d.value.hash), height: d.value.height } : undefined
  }

  /** Every stored block above `height`: those of `first`, then the others, ascending; damaged ones by name. */
  async * blocksAbove (height: number, first: ReadonlyMap<number, Hex>): AsyncGenerator<StoredBlock> {
    const keys = await this.#storage.keys('headers', { from: `n/${heightKey(height + 1)}`, to: 'n0' })
    const isFirst = (k: string): boolean => first.get(parseInt(k.slice(2, 10), 16)) === k.slice(11)
    for (const k of [...keys.filter(isFirst), ...keys.filter((k) => !isFirst(k))]) {
      const at = parseInt(k.slice(2, 10), 16)
      const key = k.slice(11)
      const bytes = await this.#storage.get('headers', k)
      const header = bytes === undefined ? undefined : decodeHeader(key, bytes)
      if (header === undefined || !header.ok || header.value.header.template.height !== at) {
        yield { ok: false, key, height: at, detail: `header: ${header?.ok === false ? header.error.detail : 'missing or misplaced'}` }
        continue
      }
      const raw = await this.body(at, key)
      const body = raw === undefined ? undefined : decode(Body, raw, MAX_BODY_BYTES)
      if (body === undefined || !body.ok || toHex(bodyRoot(body.value)) !== toHex(header.value.header.template.bodyRoot)) {
        yield { ok: false, key, height: at, detail: `body: ${body === undefined ? 'missing' : body.ok ? 'hash mismatch' : body.error.detail}` }
        continue
      }
      yield { ok: true, key, height: at, stored: header.value, body: body.value }
    }
  }

  async loadCondemned (): Promise<Set<Hex>> {
    const v = await this.#storage.get('meta', 'chain/condemned')
    const d = v === undefined || v.length === 0 ? undefined : decode(CondemnedRecord, v, CONDEMNED_KEPT * 32)
    return new Set(d?.ok === true ? d.value.map(toHex) : [])
  }
}

/** A ledger that answers questions about jobs and holds nobody's money. */
export function jobTable (empty: LedgerState, of: Pick<LedgerState, 'height' | 'jobs'>): LedgerState {
  return { ...empty, height: of.height, jobs: of.jobs, issued: escrowSum(of) }
}

const forgetOps = ({ height, key }: Place): StorageOp[] => [
  { op: 'delete', store: 'headers', key: headerKey(height, key) },
  { op: 'delete', store: 'bodies', key: blockKey(height, key) },
  { op: 'delete', store: 'ledger', key: blockKey(height, key) }
]

const followOp = ({ hash, height }: Pick<BlockMeta, 'hash' | 'height'>): StorageOp =>
  ({ op: 'put', store: 'meta', key: 'chain/head', value: FollowedRecord.serialize({ hash, height }) })

function decodeHeader (hash: Hex, bytes: Uint8Array): Decoded<StoredHeader> {
  const d = decode(HeaderRecord, bytes, HEADER_RECORD_BYTES)
  if (!d.ok) return d
  const checked = CHECKED[d.value.checked]
  const id = claimId(d.value.header)
  if (checked === undefined || toHex(id) !== hash) return { ok: false, error: { reason: 'malformed', detail: 'hash mismatch' } }
  return { ok: true, value: { hash: id, header: d.value.header, work: d.value.work, rho: d.value.rho, checked } }
}

function decodeSnapshot (key: string, bytes: Uint8Array): StoredSnapshot | undefined {
  const d = decode(SnapshotRecord, bytes, SNAPSHOT_RECORD_BYTES)
  if (!d.ok) return undefined
  const ledger = decodeLedger(d.value.ledger)
  const before = d.value.before.map(decodeLedger)
  if (!ledger.ok || !before.every((b) => b.ok)) return undefined
  return { height: parseInt(key.slice(0, 8), 16), hash: key.slice(9), ledger: ledger.value, before: before.map((b) => (b as { value: LedgerState }).value) }
}
