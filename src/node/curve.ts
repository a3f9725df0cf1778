/**
 * Learning curves: every so often the newest sealed state of a job is evaluated on records that no
 * slice trains on. For people only; nothing in the chain depends on it.
 */
import type { CurvePoint } from '../bridge/api.ts'
import { thinned } from '../core/codec/curvePoints.ts'
import type { JobSpec } from '../core/codec/jobSpec.ts'
import { toHex } from '../core/codec/ssz.ts'
import type { Dataset } from '../core/training/dataset.ts'
import { initialState } from '../core/training/init.ts'
import type { ModelState } from '../core/training/modelState.ts'
import type { Clock } from '../ports/clock.ts'
import type { Compute } from '../ports/compute.ts'
import { StorageError, type Storage } from '../ports/storage.ts'
import { sleep } from './askPeers.ts'
import { dataFor } from './datasets.ts'
import type { DataService, Hex, Log, StatesService } from './parts.ts'
import type { Rounds, RoundTip } from './rounds.ts'

/** Points kept per job; when there are more, every second of the older half goes. */
export const POINTS_MAX = 400
/** Least time between two evaluations of one job. */
export const EVERY_MS = 4_000
/**
 * A measurement begins a new stretch of the curve where more rounds than these went by in more time than this:
 * the tab was closed or asleep, or came later, and nobody here knows what lies between.
 */
export const GAP_ROUNDS = 8
export const GAP_MS = 60_000
/** Held-out records one evaluation looks at. */
export const RECORDS_MAX = 2_000
/** Points after which a job's curve is written. */
const SAVE_EVERY = 4
const KEY = 'curve/'

export interface CurveDeps {
  readonly rounds: Pick<Rounds, 'tips' | 'onTip'>
  readonly states: Pick<StatesService, 'state'>
  readonly data: Pick<DataService, 'held'>
  readonly compute: Pick<Compute, 'evaluate'>
  readonly storage: Pick<Storage, 'get' | 'keys' | 'commit'>
  readonly clock: Clock
  readonly log: Log
  readonly everyMs?: number
}

export class Curve {
  readonly #d: CurveDeps
  readonly #points = new Map<Hex, CurvePoint[]>()
  readonly #unsaved = new Map<Hex, number>()
  readonly #due = new Map<Hex, RoundTip>()
  readonly #last = new Map<Hex, { readonly at: number, readonly round: number }>()
  readonly #listeners = new Set<(point: CurvePoint) => void>()
  #running = false
  #stopped = false
  #off: (() => void) | undefined

  constructor (d: CurveDeps) { this.#d = d }

  async start (): Promise<void> {
    const { storage, rounds } = this.#d
    for (const key of await storage.keys('meta', { from: KEY, to: 'curve0' })) {
      const bytes = await storage.get('meta', key)
      if (bytes !== undefined) this.#restore(key.slice(KEY.length), bytes)
    }
    this.#off = rounds.onTip(tip => { this.#want(tip) })
    for (const tip of rounds.tips()) this.#want(tip)
  }

  async stop (): Promise<void> {
    this.#stopped = true
    this.#off?.()
    for (const job of [...this.#unsaved.keys()]) await this.#save(job)
  }

  /** Oldest first. */
  points (job: Hex): CurvePoint[] { return this.#points.get(job) ?? [] }

  onPoint (listener: (point: CurvePoint) => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  #restore (job: Hex, bytes: Uint8Array): void {
    const points = parsePoints(job, bytes)
    if (points !== undefined) this.#points.set(job, points)
    else this.#d.log.warn('curve', `the stored curve of ${job.slice(0, 16)} is damaged`)
  }

  /** Only the newest round of a job waits. */
  #want (tip: RoundTip): void {
    if (tip.job.status === 'waiting' || tip.job.status === 'cancelled') return
    this.#due.set(toHex(tip.job.id), tip)
    void this.#run()
  }

  async #run (): Promise<void> {
    if (this.#running) return
    this.#running = true
    try {
      while (this.#due.size > 0 && !this.#stopped) {
        const now = this.#d.clock.now()
        const every = this.#d.everyMs ?? EVERY_MS
        const ready = [...this.#due].find(([job]) => (this.#last.get(job)?.at ?? -Infinity) + every <= now)
        if (ready === undefined) {
          await sleep(this.#d.clock, every / 4)
          continue
        }
        const [job, tip] = ready
        this.#due.delete(job)
        await this.#evaluate(job, tip)
      }
    } catch (e) {
      this.#d.log.warn('curve', `evaluation failed: ${e instanceof Error ? e.message : String(e)}`)
    } finally {
      this.#running = false
    }
  }

  async #evaluate (job: Hex, tip: RoundTip): Promise<void> {
    const { data, states, clock } = this.#d
    const held = dataFor(data, tip.spec)
    const last = this.#last.get(job)
    if (last?.round === tip.round || held === undefined || tip.spec.data.testRecords === 0) return
    const unseen = last === undefined || clock.now() - last.at > GAP_MS
    this.#last.set(job, { at: clock.now(), round: tip.round })
    const state = await states.state(tip.job.id, tip.round, tip.stateHash)
    if (state === undefined || this.#stopped) return
    // Every curve begins at the beginning, also for a tab that came later.
    if (tip.round > 0 && this.points(job).length === 0) await this.#measure(job, tip.spec, 0, initialState(tip.spec), held)
    await this.#measure(job, tip.spec, tip.round, state, held, unseen)
  }

  async #measure (job: Hex, spec: JobSpec, round: number, state: ModelState, data: Dataset, unseen = false): Promise<void> {
    const count = Math.min(spec.data.testRecords, RECORDS_MAX)
    const { inputs, labels } = data.gather(Array.from({ length: count }, (_, i) => spec.data.trainRecords + i))
    const r = await this.#d.compute.evaluate({ spec, state, inputs, labels })
    // Nats, as everyone plots them.
    const loss = r.lossBits16 / 65536 / r.count * Math.LN2
    const before = this.points(job).findLast(p => p.round < round)
    const gap = unseen && before !== undefined && round - before.round > GAP_ROUNDS
    await this.#add({ job, round, timeMs: this.#d.clock.now(), samples: r.count, accuracy: r.correct / r.count, loss, ...(gap ? { gap } : {}) })
  }

  async #add (point: CurvePoint): Promise<void> {
    // After a reorganisation the rounds go back; the curve follows the chain.
    const points = [...this.points(point.job).filter(p => p.round < point.round), point]
    this.#points.set(point.job, thinned(points, POINTS_MAX))
    for (const listener of this.#listeners) listener(point)
    const unsaved = (this.#unsaved.get(point.job) ?? 0) + 1
    this.#unsaved.set(point.job, unsaved)
    if (unsaved >= SAVE_EVERY) await this.#save(point.job)
  }

  async #save (job: Hex): Promise<void> {
    this.#unsaved.delete(job)
    try {
      await this.#d.storage.commit([{ op: 'put', store: 'meta', key: KEY + job, value: new TextEncoder().encode(JSON.stringify(this.points(job))) }])
    } catch (e) {
      if (!(e instanceof StorageError)) throw e
      this.#d.log.warn('curve', `not stored (${e.kind}): ${e.message}`)
    }
  }
}

/** The stored points of a job; undefined if there is anything among them that cannot be drawn. */
function parsePoints (job: Hex, bytes: Uint8Array): CurvePoint[] | undefined {
  let value: unknown
  try { value = JSON.parse(new TextDecoder().decode(bytes)) } catch { return undefined }
  return Array.isArray(value) && value.length <= POINTS_MAX && value.every(p => isPoint(job, p)) ? value : undefined
}

function isPoint (job: Hex, value: unknown): value is CurvePoint {
  if (typeof value !== 'object' || value === null) return false
  const { job: of, round, timeMs, samples, accuracy, loss, gap } = value as { readonly [key in keyof CurvePoint]?: unknown }
  const isCount = (n: unknown): boolean => Number.isSafeInteger(n) && (n as number) >= 0
  return of === job && isCount(round) && isCount(samples) && Number.isFinite(timeMs) && Number.isFinite(loss) && (gap === undefined || gap === true) &&
    typeof accuracy === 'number' && accuracy >= 0 && accuracy <= 1
}
