/**
 * Compute on a pool of workers: the most urgent task first, one task per worker at a time, and
 * pauses between them that keep to the share of time the user allows.
 *
 * A slot's life: opening -> ready (its backend passed the self-test, or the reference stands in)
 * <-> busy; any of them -> gone, when it crashed (a new slot takes its place) or is one too many.
 */
import type { ModelState } from '../core/training/modelState.ts'
import { type Hasher, stateHash } from '../core/training/stateHash.ts'
import type { Clock } from '../ports/clock.ts'
import type {
  BackendName, Compute, ComputeStatus, EvaluationResult, EvaluationTask, PredictionResult, Priority, SliceResult, SliceTask
} from '../ports/compute.ts'
import { createHasher } from './hasher.ts'
import type { Reply, Work, WorkerLike } from './messages.ts'
import { Throughput } from './throughput.ts'

const URGENCY: Readonly<Record<Priority, number>> = { replay: 0, slice: 1, background: 2 }
/** A task that a crash interrupted runs once more; then the task is the likely cause. */
const ATTEMPTS_MAX = 2
/** Workers that die before they opened, in a row, until the pool gives up. */
const FAILED_OPENINGS_MAX = 3

export interface PoolOptions {
  readonly spawn: () => WorkerLike
  readonly backend: BackendName
  readonly workersMax: number
  /** Kernels at once, and share of time, until setLimits says otherwise. */
  readonly workers: number
  readonly duty: number
  readonly clock: Clock
}

type Value = Exclude<Reply, { kind: 'open' | 'error' }>['value']

interface Pending {
  readonly work: Work
  readonly urgency: number
  attempts: number
  readonly resolve: (value: Value) => void
  readonly reject: (reason: Error) => void
}

interface Slot {
  readonly worker: WorkerLike
  state: 'opening' | 'ready' | 'busy' | 'gone'
  pending?: Pending
  startedMs: number
  /** Until then only replays may use it. */
  restUntilMs: number
}

/** A view of part of a buffer would be sent with the whole buffer behind it. */
const compact = (bytes: Uint8Array): Uint8Array => bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice()

class ComputePool implements Compute {
  readonly #options: PoolOptions
  readonly #hasher: Hasher
  readonly #throughput: Throughput
  #slots: Slot[] = []
  #queue: Pending[] = []
  #workers: number
  #duty: number
  #failedOpenings = 0
  #backend: BackendName
  #selfTest: ComputeStatus['selfTest'] = 'pending'
  #failure: string | undefined
  /** Why nothing can run any more. */
  #ended: string | undefined
  readonly #wakeUps = new Set<() => void>()

  constructor (options: PoolOptions, hasher: Hasher) {
    this.#options = options
    this.#hasher = hasher
    this.#throughput = new Throughput(() => options.clock.now())
    this.#backend = options.backend
    this.#workers = 0
    this.#duty = 1
    this.#limit(options.workers, options.duty)
  }

  async runSlice (task: SliceTask, priority: Priority): Promise<SliceResult> {
    const work: Work = { kind: 'slice', task: { ...task, inputs: compact(task.inputs), labels: compact(task.labels), noiseKey: compact(task.noiseKey) } }
    const result = await this.#submit(work, URGENCY[priority]) as SliceResult
    this.#throughput.add(task.steps, result.macs, result.elapsedMs)
    return result
  }

  async evaluate (task: EvaluationTask): Promise<EvaluationResult> {
    return await this.#submit({ kind: 'evaluate', task: this.#records(task) }, URGENCY.slice) as EvaluationResult
  }

  async predict (task: EvaluationTask): Promise<PredictionResult> {
    return await this.#submit({ kind: 'predict', task: this.#records(task) }, URGENCY.replay) as PredictionResult
  }

  /** Half a millisecond for a common model: not worth the way to a worker and back. */
  async stateHash (state: ModelState): Promise<Uint8Array> { return stateHash(state, this.#hasher) }

  async status (): Promise<ComputeStatus> {
    const { steps, macs } = this.#throughput.perSecond()
    return {
      backend: this.#backend,
      workers: this.#workers,
      workersMax: this.#options.workersMax,
      busy: this.#slots.filter(slot => slot.state === 'busy').length,
      stepsPerSecond: steps,
      macsPerSecond: macs,
      selfTest: this.#selfTest,
      ...(this.#failure === undefined ? {} : { failure: this.#failure })
    }
  }

  async setLimits (workers: number, duty: number): Promise<void> { this.#limit(workers, duty) }

  async stop (): Promise<void> { this.#end('compute is stopped') }

  #records (task: EvaluationTask): EvaluationTask {
    return { ...task, inputs: compact(task.inputs), labels: compact(task.labels) }
  }

  #limit (workers: number, duty: number): void {
    if (!Number.isFinite(workers)) throw new Error(`${workers} workers`)
    if (!(duty > 0 && duty <= 1)) throw new Error(`duty ${duty} is not in (0, 1]`)
    this.#workers = Math.max(1, Math.min(this.#options.workersMax, Math.floor(workers)))
    this.#duty = duty
    if (duty === 1) for (const slot of this.#slots) slot.restUntilMs = 0
    this.#resize()
    this.#dispatch()
  }

  #submit (work: Work, urgency: number): Promise<Value> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) {
        reject(new Error(this.#ended))
        return
      }
      this.#enqueue({ work, urgency, attempts: 0, resolve, reject }, false)
      this.#dispatch()
    })
  }

  /** Behind its equals, or before them when it has waited its turn already. */
  #enqueue (pending: Pending, first: boolean): void {
    const at = this.#queue.findIndex(other => first ? other.urgency >= pending.urgency : other.urgency > pending.urgency)
    this.#queue.splice(at === -1 ? this.#queue.length : at, 0, pending)
  }

  /** As many slots as allowed; one that is busy leaves when it is done. */
  #resize (): void {
    if (this.#ended !== undefined) return
    for (const slot of [...this.#slots].reverse()) {
      if (this.#slots.length <= this.#workers) break
      if (slot.state !== 'busy') this.#remove(slot)
    }
    while (this.#slots.length < this.#workers) this.#open()
  }

  #remove (slot: Slot): void {
    slot.state = 'gone'
    slot.worker.terminate()
    this.#slots = this.#slots.filter(other => other !== slot)
  }

  #open (): void {
    const slot: Slot = { worker: this.#options.spawn(), state: 'opening', startedMs: 0, restUntilMs: 0 }
    this.#slots.push(slot)
    slot.worker.listen(
      reply => { if (slot.state !== 'gone') this.#onReply(slot, reply) },
      reason => { if (slot.state !== 'gone') this.#onCrash(slot, reason) }
    )
    slot.worker.post({ kind: 'open', backend: this.#options.backend })
  }

  #onReply (slot: Slot, reply: Reply): void {
    if (slot.state === 'opening') {
      if (reply.kind === 'open') this.#onOpened(slot, reply.value.backend, reply.value.failure)
      else this.#end(reply.kind === 'error' ? reply.error : 'a worker answered before it was opened')
      return
    }
    const pending = slot.pending
    if (pending === undefined) throw new Error('a worker answered what it was not asked')
    slot.pending = undefined
    slot.state = 'ready'
    const now = this.#options.clock.now()
    this.#rest(slot, (now - slot.startedMs) * (1 / this.#duty - 1), now)
    if (reply.kind === 'error') pending.reject(new Error(reply.error))
    else if (reply.kind === pending.work.kind) pending.resolve(reply.value)
    else pending.reject(new Error(`a worker answered ${reply.kind} to ${pending.work.kind}`))
    this.#resize()
    this.#dispatch()
  }

  #onOpened (slot: Slot, backend: BackendName, failure: string | undefined): void {
    slot.state = 'ready'
    this.#failedOpenings = 0
    this.#backend = backend
    if (failure !== undefined) {
      this.#selfTest = 'failed'
      this.#failure = failure
    } else if (this.#selfTest === 'pending') this.#selfTest = 'passed'
    this.#dispatch()
  }

  #onCrash (slot: Slot, reason: string): void {
    const { pending } = slot
    const opening = slot.state === 'opening'
    this.#remove(slot)
    if (pending !== undefined) {
      if (pending.attempts < ATTEMPTS_MAX) this.#enqueue(pending, true)
      else pending.reject(new Error(`the worker crashed ${pending.attempts} times on this task: ${reason}`))
    }
    if (opening && ++this.#failedOpenings >= FAILED_OPENINGS_MAX) {
      this.#end(`workers do not start: ${reason}`)
      return
    }
    this.#resize()
    this.#dispatch()
  }

  /** What a replay took while the slot rested is added to the rest. */
  #rest (slot: Slot, forMs: number, now: number): void {
    if (forMs <= 0) return
    const untilMs = Math.max(now, slot.restUntilMs) + forMs
    slot.restUntilMs = untilMs
    const cancel = this.#options.clock.after(untilMs - now, () => {
      this.#wakeUps.delete(cancel)
      // Timers count whole milliseconds: by the clock it may be a fraction too early, and nothing else would wake it.
      if (slot.restUntilMs === untilMs) slot.restUntilMs = 0
      this.#dispatch()
    })
    this.#wakeUps.add(cancel)
  }

  #dispatch (): void {
    if (this.#ended !== undefined) return
    const now = this.#options.clock.now()
    for (const slot of this.#slots) {
      if (slot.state !== 'ready') continue
      const next = this.#queue[0]
      if (next === undefined) return
      if (next.urgency !== URGENCY.replay && now < slot.restUntilMs) continue
      this.#queue.shift()
      next.attempts++
      slot.state = 'busy'
      slot.pending = next
      slot.startedMs = now
      slot.worker.post(next.work)
    }
  }

  #end (reason: string): void {
    if (this.#ended !== undefined) return
    this.#ended = reason
    if (this.#selfTest === 'pending') {
      this.#selfTest = 'failed'
      this.#failure = reason
    }
    for (const cancel of this.#wakeUps) cancel()
    const waiting = [...this.#slots.flatMap(slot => slot.pending ?? []), ...this.#queue]
    for (const slot of this.#slots) this.#remove(slot)
    this.#queue = []
    for (const pending of waiting) pending.reject(new Error(reason))
  }
}

export async function createComputePool (options: PoolOptions): Promise<Compute> {
  return new ComputePool(options, await createHasher())
}
