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
    try {
      for (const [name, reserved, since] of JSON.parse(new TextDecoder().decode(bytes)) as Stored) this.#rounds.set(name, { next: reserved, reserved, since, written: Promise.resolve() })
    } catch (e) {
      this.#log.warn('trainer', `stored slice indices are damaged: ${e instanceof Error ? e.message : String(e)}`)
    }
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
