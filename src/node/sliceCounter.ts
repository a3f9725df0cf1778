/**
 * The next unused slice index of every (job, round) this key works on. Two different claims for one
 * slice look like cheating, so indices are reserved in storage ahead of use: after a crash some are
 * skipped, none is used again - but for rounds that stay unsealed (duties.ts, RENEW_BLOCKS).
 */
import { toHex } from '../core/codec/ssz.ts'
import { StorageError, type Storage } from '../ports/storage.ts'
import { RENEW_BLOCKS } from './duties.ts'
import type { Hex, Log } from './parts.ts'

const KEY = 'trainer/slices'
/** Indices reserved by one write. */
const RESERVE = 32
/** Far above any index or height that comes to be, and room above it for those to come. */
const COUNT_MAX = 2 ** 31
/** Rounds remembered; a reorganisation goes back fewer. */
const ROUNDS_KEPT = 64

/** Name, indices reserved, height of the first template. */
type Stored = Array<readonly [string, number, number]>

export class SliceCounter {
  readonly #storage: Pick<Storage, 'get' | 'commit'>
  readonly #log: Log
  readonly #miner: Hex
  /** By job and round: next index, and how far storage has reserved. Oldest first. */
  readonly #rounds = new Map<string, { next: number, reserved: number, readonly since: number, written: Promise<void> }>()

  constructor (storage: Pick<Storage, 'get' | 'commit'>, log: Log, miner: Uint8Array) {
    this.#storage = storage
    this.#log = log
    this.#miner = toHex(miner)
  }

  async start (): Promise<void> {
    const bytes = await this.#storage.get('meta', this.#key())
    if (bytes === undefined) return
    const stored = parseStored(bytes)
    if (stored === undefined) this.#log.warn('trainer', 'stored slice indices are damaged')
    for (const [name, reserved, since] of stored ?? []) this.#rounds.set(name, { next: reserved, reserved, since, written: Promise.resolve() })
  }

  /** `height`: of the template. From RENEW_BLOCKS on the round starts again from 0. */
  async take (job: Uint8Array, round: number, height: number): Promise<number> {
    const name = `${toHex(job)}/${round}`
    let counter = this.#rounds.get(name)
    if (counter === undefined || height >= counter.since + RENEW_BLOCKS) {
      counter = { next: 0, reserved: 0, since: height, written: Promise.resolve() }
      this.#rounds.delete(name)
      this.#rounds.set(name, counter)
      if (this.#rounds.size > ROUNDS_KEPT) this.#rounds.delete(this.#rounds.keys().next().value!)
    }
    // Taken before the write is awaited: two lanes must not get the same one.
    const slice = counter.next++
    if (slice >= counter.reserved) {
      counter.reserved = slice + RESERVE
      counter.written = this.#write()
    }
    // Also by the lanes that came after the one that had to reserve.
    await counter.written
    return slice
  }

  #key (): string { return `${KEY}/${this.#miner}` }

  async #write (): Promise<void> {
    const stored: Stored = [...this.#rounds].map(([name, c]) => [name, c.reserved, c.since])
    try {
      await this.#storage.commit([{ op: 'put', store: 'meta', key: this.#key(), value: new TextEncoder().encode(JSON.stringify(stored)) }])
    } catch (e) {
      if (!(e instanceof StorageError)) throw e
      this.#log.warn('trainer', `slice indices not stored (${e.kind}): ${e.message}`)
    }
  }
}

/** Undefined if anything is not as it was written: an index that is no number would never find work again. */
function parseStored (bytes: Uint8Array): Stored | undefined {
  let value: unknown
  try { value = JSON.parse(new TextDecoder().decode(bytes)) } catch { return undefined }
  const isCount = (n: unknown): boolean => Number.isInteger(n) && (n as number) >= 0 && (n as number) <= COUNT_MAX
  const isEntry = (e: unknown): boolean => Array.isArray(e) && e.length === 3 && typeof e[0] === 'string' && isCount(e[1]) && isCount(e[2])
  return Array.isArray(value) && value.length <= ROUNDS_KEPT && value.every(isEntry) ? value : undefined
}
