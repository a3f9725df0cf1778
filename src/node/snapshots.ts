/**
 * Whole model states in storage: every few rounds, and the newest of each job. The key carries job,
 * round and hash, so the list of keys is the index and one commit replaces one snapshot by another.
 */
import type { JobSpec } from '../core/codec/jobSpec.ts'
import { fromHex } from '../core/codec/ssz.ts'
import { HASH_BYTES } from '../core/params.ts'
import type { ModelState } from '../core/training/modelState.ts'
import { decodeState, stateBytes } from '../core/training/stateHash.ts'
import { StorageError, type Storage, type StorageOp } from '../ports/storage.ts'
import type { Hex, Log } from './parts.ts'

/** Rounds between two snapshots that stay. */
export const SNAPSHOT_ROUNDS = 8
/** Snapshots of one job: 32 * 8 rounds outlast the kept history. */
export const SNAPSHOTS_PER_JOB = 32
export const SNAPSHOT_BYTES = 192 * 1024 * 1024

export interface Snapshot { readonly job: Hex, readonly round: number, readonly stateHash: Hex }
interface Kept extends Snapshot { readonly key: string, readonly size: number }

const storageKey = (s: Snapshot, size: number): string => `${s.job}/${String(s.round).padStart(10, '0')}/${s.stateHash}/${size}`

function parseKey (key: string): Kept | undefined {
  const [job, round, stateHash, size] = key.split('/')
  if (size === undefined || fromHex(job, HASH_BYTES) === undefined || fromHex(stateHash, HASH_BYTES) === undefined) return undefined
  if (!/^\d{10}$/.test(round) || !/^\d{1,9}$/.test(size)) return undefined
  return { key, job, round: Number(round), stateHash, size: Number(size) }
}

export class Snapshots {
  readonly #storage: Pick<Storage, 'get' | 'keys' | 'commit'>
  readonly #log: Log
  readonly #bytesMax: number
  readonly #kept = new Map<Hex, Kept>()

  constructor (storage: Pick<Storage, 'get' | 'keys' | 'commit'>, log: Log, bytesMax = SNAPSHOT_BYTES) {
    this.#storage = storage
    this.#log = log
    this.#bytesMax = bytesMax
  }

  async start (): Promise<void> {
    for (const key of await this.#storage.keys('states')) {
      const kept = parseKey(key)
      if (kept !== undefined) this.#kept.set(kept.stateHash, kept)
    }
  }

  has (stateHash: Hex): boolean { return this.#kept.has(stateHash) }

  /** Bytes of one that is held. */
  size (stateHash: Hex): number | undefined { return this.#kept.get(stateHash)?.size }

  /** Ascending. */
  rounds (job: Hex): number[] {
    return [...new Set([...this.#kept.values()].filter(k => k.job === job).map(k => k.round))].sort((a, b) => a - b)
  }

  /** Canonical bytes as they were written; the caller checks the hash. */
  async bytes (stateHash: Hex): Promise<Uint8Array | undefined> {
    const kept = this.#kept.get(stateHash)
    if (kept === undefined) return undefined
    try {
      return await this.#storage.get('states', kept.key)
    } catch (e) {
      if (!(e instanceof StorageError)) throw e
      this.#log.warn('states', `not read (${e.kind}): ${e.message}`)
      return undefined
    }
  }

  /** Of another job's it cannot be told whether it is damaged. */
  async load (job: Hex, spec: JobSpec, stateHash: Hex): Promise<ModelState | undefined> {
    const bytes = this.#kept.get(stateHash)?.job === job ? await this.bytes(stateHash) : undefined
    if (bytes === undefined) return undefined
    const state = decodeState(spec, bytes)
    if (state.ok) return state.value
    this.#log.warn('states', `stored snapshot ${stateHash.slice(0, 16)} is damaged: ${state.error.detail}`)
    await this.drop(stateHash)
    return undefined
  }

  /** Writes one snapshot and, in the same commit, drops those it makes superfluous. */
  async save (s: Snapshot, state: ModelState): Promise<void> {
    if (this.#kept.has(s.stateHash)) return
    const value = stateBytes(state)
    const kept: Kept = { ...s, key: storageKey(s, value.length), size: value.length }
    this.#kept.set(s.stateHash, kept)
    const drop = this.#superfluous(s.job)
    for (const k of drop) this.#kept.delete(k.stateHash)
    const ops: StorageOp[] = drop.map(k => ({ op: 'delete', store: 'states', key: k.key }))
    if (await this.#commit([...ops, { op: 'put', store: 'states', key: kept.key, value }])) return
    this.#kept.delete(s.stateHash)
    // A full disk takes what makes room on it.
    if (ops.length > 0) await this.#commit(ops)
  }

  async drop (stateHash: Hex): Promise<void> {
    const kept = this.#kept.get(stateHash)
    if (kept === undefined) return
    this.#kept.delete(stateHash)
    await this.#commit([{ op: 'delete', store: 'states', key: kept.key }])
  }

  /** Drops the snapshots of jobs that the ledger no longer lists. */
  async keepJobs (jobs: ReadonlySet<Hex>): Promise<void> {
    const gone = [...this.#kept.values()].filter(k => !jobs.has(k.job))
    for (const k of gone) this.#kept.delete(k.stateHash)
    if (gone.length > 0) await this.#commit(gone.map(k => ({ op: 'delete', store: 'states', key: k.key })))
  }

  /**
   * Of the job just written: intermediate rounds but the newest two, and rounds beyond the bound.
   * Of all: the oldest rounds while the sum is too large, never the newest of a job.
   */
  #superfluous (job: Hex): Kept[] {
    const drop = new Set<Kept>()
    const all = [...this.#kept.values()].sort((a, b) => b.round - a.round)
    const own = all.filter(k => k.job === job)
    for (const [i, k] of own.entries()) if (i >= SNAPSHOTS_PER_JOB || (i >= 2 && k.round % SNAPSHOT_ROUNDS !== 0)) drop.add(k)
    let bytes = all.reduce((sum, k) => sum + (drop.has(k) ? 0 : k.size), 0)
    const newest = new Set(all.map(k => k.job).map(j => all.find(k => k.job === j)))
    for (const k of all.reverse()) {
      if (bytes <= this.#bytesMax) break
      if (drop.has(k) || newest.has(k)) continue
      drop.add(k)
      bytes -= k.size
    }
    return [...drop]
  }

  async #commit (ops: readonly StorageOp[]): Promise<boolean> {
    try {
      await this.#storage.commit(ops)
      return true
    } catch (e) {
      if (!(e instanceof StorageError)) throw e
      this.#log.warn('states', `not stored (${e.kind}): ${e.message}`)
      return false
    }
  }
}
