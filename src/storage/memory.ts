/**
 * The twin in memory: the same contract without a browser. A MemoryDisk outlives the connections to
 * it, so a test can close a node, or lose it, and open the next one on what was committed.
 */
import { STORES, StorageError, type RangeQuery, type Storage, type StorageFailure, type StorageOp, type StoreName } from '../ports/storage.ts'
import { gone } from './failures.ts'
import { checkStore, isEmptyQuery, snapshot } from './query.ts'

/** One ordered store: keys ascending by UTF-16 code unit (JavaScript's own string order). */
class Table {
  readonly keys: string[] = []
  readonly values = new Map<string, Uint8Array>()

  /** Index of the first key that is not below `key`. */
  lowerBound (key: string): number {
    let low = 0
    let high = this.keys.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.keys[middle] < key) low = middle + 1
      else high = middle
    }
    return low
  }

  put (key: string, value: Uint8Array): void {
    const before = this.values.size
    this.values.set(key, value)
    if (this.values.size > before) this.keys.splice(this.lowerBound(key), 0, key)
  }

  delete (key: string): void {
    if (this.values.delete(key)) this.keys.splice(this.lowerBound(key), 1)
  }

  select (query: RangeQuery): string[] {
    if (isEmptyQuery(query)) return []
    const { from, to, limit = Infinity, reverse = false } = query
    const start = from === undefined ? 0 : this.lowerBound(from)
    const end = to === undefined ? this.keys.length : this.lowerBound(to)
    if (reverse) return this.keys.slice(Math.max(start, end - limit), end).reverse()
    return this.keys.slice(start, Math.min(end, start + limit))
  }
}

const entryBytes = (key: string, value: Uint8Array): number => 2 * key.length + value.length

export class MemoryDisk {
  readonly #tables = new Map<StoreName, Table>(STORES.map(store => [store, new Table()]))
  #used = 0
  #failure: StorageFailure | undefined
  /** Values are kept and given as they are, not copied: for worlds whose nodes leave them as they are. */
  readonly shares: boolean
  /** Bytes of keys and values; undefined for no limit. */
  quota: number | undefined

  constructor (quota?: number, shares = false) {
    this.quota = quota
    this.shares = shares
  }

  /** Every operation fails like this from now on; undefined heals. */
  fail (kind: StorageFailure | undefined): void { this.#failure = kind }

  table (store: StoreName): Table {
    checkStore(store)
    if (this.#failure !== undefined && this.#failure !== 'full') throw new StorageError(this.#failure, `the disk fails: ${this.#failure}`)
    return this.#tables.get(store)!
  }

  get used (): number { return this.#used }

  /** All of it, or nothing: what it takes is known when it is done, and then undone if it is too much. */
  apply (ops: readonly StorageOp[]): void {
    for (const op of ops) this.table(op.store)
    const before: Array<Uint8Array | undefined> = []
    let used = this.#used
    for (const op of ops) {
      const old = this.#set(op.store, op.key, op.op === 'put' ? op.value : undefined)
      before.push(old)
      if (old !== undefined) used -= entryBytes(op.key, old)
      if (op.op === 'put') used += entryBytes(op.key, op.value)
    }
    if (this.#failure === 'full' || (this.quota !== undefined && used > this.quota && used > this.#used)) {
      for (let i = ops.length - 1; i >= 0; i--) this.#set(ops[i].store, ops[i].key, before[i])
      throw new StorageError('full', `the disk holds ${this.quota ?? this.#used} bytes, ${used} are asked for; nothing was written`)
    }
    this.#used = used
  }

  /** What was there. */
  #set (store: StoreName, key: string, value: Uint8Array | undefined): Uint8Array | undefined {
    const table = this.#tables.get(store)!
    const old = table.values.get(key)
    if (value !== undefined) table.put(key, value)
    else if (old !== undefined) table.delete(key)
    return old
  }
}

export class MemoryStorage implements Storage {
  readonly #disk: MemoryDisk
  #closed = false

  constructor (disk = new MemoryDisk()) { this.#disk = disk }

  #open (): MemoryDisk {
    if (this.#closed) throw gone('the storage is closed')
    return this.#disk
  }

  async get (store: StoreName, key: string): Promise<Uint8Array | undefined> {
    const disk = this.#open()
    const value = disk.table(store).values.get(key)
    return disk.shares ? value : value?.slice()
  }

  async range (store: StoreName, query: RangeQuery = {}): Promise<Array<readonly [string, Uint8Array]>> {
    const disk = this.#open()
    const table = disk.table(store)
    const copy = (value: Uint8Array): Uint8Array => disk.shares ? value : value.slice()
    return table.select(query).map(key => [key, copy(table.values.get(key)!)] as const)
  }

  async keys (store: StoreName, query: RangeQuery = {}): Promise<string[]> {
    return this.#open().table(store).select(query)
  }

  async commit (ops: readonly StorageOp[]): Promise<void> {
    const disk = this.#open()
    disk.apply(disk.shares ? ops : snapshot(ops))
  }

  async usage (): Promise<{ readonly used: number, readonly quota?: number, readonly persisted: boolean }> {
    const disk = this.#open()
    return { used: disk.used, quota: disk.quota, persisted: false }
  }

  async close (): Promise<void> { this.#closed = true }
}
