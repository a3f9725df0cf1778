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
    if (!this.values.has(key)) this.keys.splice(this.lowerBound(key), 0, key)
    this.values.set(key, value)
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

  apply (ops: readonly StorageOp[]): void {
    let used = this.#used
    // The last op on a key decides, so earlier ones on it count only until then.
    const pending = new Map<string, number>()
    for (const op of ops) {
      const name = `${op.store}\n${op.key}`
      const old = this.table(op.store).values.get(op.key)
      const before = pending.get(name) ?? (old === undefined ? 0 : entryBytes(op.key, old))
      const after = op.op === 'put' ? entryBytes(op.key, op.value) : 0
      used += after - before
      pending.set(name, after)
    }
    if (this.#failure === 'full' || (this.quota !== undefined && used > this.quota && used > this.#used)) {
      throw new StorageError('full', `the disk holds ${this.quota ?? this.#used} bytes, ${used} are asked for; nothing was written`)
    }
    for (const op of ops) {
      if (op.op === 'put') this.table(op.store).put(op.key, op.value)
      else this.table(op.store).delete(op.key)
    }
    this.#used = used
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
