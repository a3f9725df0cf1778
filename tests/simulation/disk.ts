/** A tab's storage with the faults of real disks: slow, full for a while, gone for a while, cut off in the middle. */
import type { Clock } from '../../src/ports/clock.ts'
import type { RangeQuery, Storage, StorageOp, StoreName } from '../../src/ports/storage.ts'
import { type MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import type { Life } from './life.ts'
import type { Seeded } from './seeded.ts'

export interface DiskTiming {
  readonly clock: Clock
  readonly random: Seeded
  /** Of one operation, ms; 0: at once, without a timer. */
  readonly latencyMs: number
  readonly events: DiskEvents
}

/** What others do with the commits of a tab, and learn of them. */
export interface DiskEvents {
  /** Asked at every commit: if it answers, the commit is applied or not, and nobody ever hears which: `die` ends the tab. */
  cut?: () => { readonly applied: boolean, readonly die: () => void } | undefined
  /** The tab has asked for this: what it lets go of by it may be gone from now on, whether it ever hears so or not. */
  asked?: (ops: readonly StorageOp[]) => void
  /** The tab was told that this is on the disk. */
  committed?: (ops: readonly StorageOp[]) => void
}

export class TabStorage implements Storage {
  readonly #inner: MemoryStorage
  readonly #life: Life
  readonly #timing: DiskTiming

  constructor (disk: MemoryDisk, life: Life, timing: DiskTiming) {
    this.#inner = new MemoryStorage(disk)
    this.#life = life
    this.#timing = timing
  }

  async get (store: StoreName, key: string): Promise<Uint8Array | undefined> { return await this.#slow(this.#inner.get(store, key)) }
  async range (store: StoreName, query?: RangeQuery): Promise<Array<readonly [string, Uint8Array]>> { return await this.#slow(this.#inner.range(store, query)) }
  async keys (store: StoreName, query?: RangeQuery): Promise<string[]> { return await this.#slow(this.#inner.keys(store, query)) }
  async usage (): ReturnType<Storage['usage']> { return await this.#inner.usage() }
  async close (): Promise<void> { await this.#inner.close() }

  /** Whole or not at all, at some moment before the answer: a tab that dies meanwhile never knows which. */
  async commit (ops: readonly StorageOp[]): Promise<void> {
    if (this.#life.dead) return await new Promise<void>(() => {})
    this.#timing.events.asked?.(ops)
    const cut = this.#timing.events.cut?.()
    if (cut !== undefined) {
      if (cut.applied) await this.#inner.commit(ops).catch(() => {})
      cut.die()
      return await new Promise<void>(() => {})
    }
    await this.#commit(ops)
    this.#timing.events.committed?.(ops)
  }

  async #commit (ops: readonly StorageOp[]): Promise<void> {
    const { clock, latencyMs, random } = this.#timing
    if (latencyMs === 0) return await this.#inner.commit(ops)
    if (random.chance(0.5)) return await this.#slow(this.#inner.commit(ops))
    await new Promise<void>(resolve => { clock.after(this.#wait(), () => { this.#life.run(resolve) }) })
    await this.#inner.commit(ops)
  }

  async #slow<T> (p: Promise<T>): Promise<T> {
    const { clock, latencyMs } = this.#timing
    if (this.#life.dead) return await new Promise<T>(() => {})
    if (latencyMs === 0) return await p
    // A rejection waits like an answer; without a handler meanwhile it would be nobody's.
    p.catch(() => {})
    await new Promise<void>(resolve => { clock.after(this.#wait(), () => { this.#life.run(resolve) }) })
    return await p
  }

  #wait (): number { return this.#timing.random.exponential(this.#timing.latencyMs) }
}
