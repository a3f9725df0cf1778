/**
 * Compute on a pool of workers: the most urgent task first, one task per worker at a time, and
 * pauses between them that keep to the share of time the user allows.
 *
 * A slot's life: opening -> ready (its backend passed the self-test, or another stands in)
 * <-> busy; any of them -> gone, when it crashed (a new slot takes its place), lost its device,
 * is one too many, or has a backend that is no longer wanted.
 *
 * There is one GPU and one queue to it: where the choice may come to it, the first slot alone opens
 * and measures, undisturbed, and the others open afterwards on what the CPU has.
 */
import type { ModelState } from '../core/training/modelState.ts'
import { stateHash } from '../core/training/stateHash.ts'
import type { Clock } from '../ports/clock.ts'
import type {
  BackendChoice, BackendName, BackendReport, Compute, ComputeStatus, EvaluationResult, EvaluationTask, PredictionResult, Priority, SliceResult, SliceTask
} from '../ports/compute.ts'
import { useFastHash } from './hasher.ts'
import type { Opened, Reply, Work, WorkerLike } from './messages.ts'
import { Throughput } from './throughput.ts'

const URGENCY: Readonly<Record<Priority, number>> = { replay: 0, slice: 1, background: 2 }
/** A task that a crash interrupted runs once more; then the task is the likely cause. */
const ATTEMPTS_MAX = 2
/** Workers that die before they opened, in a row, until the pool gives up. */
const FAILED_OPENINGS_MAX = 3
/** A device that is lost again within so long is given up, ms; once may be a sleep or a driver's update. */
const LOSS_MEMORY_MS = 600_000

export interface PoolOptions {
  readonly spawn: () => WorkerLike
  readonly backend: BackendChoice
  readonly workersMax: number
  /** Kernels at once, and share of time, until setLimits says otherwise. */
  readonly workers: number
  readonly duty: number
  readonly clock: Clock
}

type Value = Extract<Reply, { kind: 'slice' | 'evaluate' | 'predict' }>['value']

interface Pending {
  readonly work: Work
  urgency: number
  attempts: number
  readonly resolve: (value: Value) => void
  readonly reject: (reason: Error) => void
}

interface Slot {
  readonly worker: WorkerLike
  /** The one that tries what was chosen; the pool's backend is its. */
  readonly lead: boolean
  /** Opened for a choice that holds no longer: leaves when it is done. */
  stale?: boolean
  state: 'opening' | 'ready' | 'busy' | 'gone'
  /** Once it is open. */
  backend?: BackendName
  pending?: Pending
  startedMs: number
  /** Until then only replays may use it. */
  restUntilMs: number
  /** No rest lasts longer: then other work has its turn first. 0: nothing to rest for yet. */
  restEndsMs: number
}

/**
 * What replays have cost is rested for later, up to this after other work: where they alone take more than the share
 * of time that the user allows, nothing else would ever have its turn again.
 */
export const REST_MAX_MS = 60_000
/** What is done in the background waits no longer than this for a rest to end. */
export const BACKGROUND_WAIT_MS = 15_000

/** A slot that is offered to a waiter is offered to the next one after this. */
const TURN_UNUSED_MS = 250

/** Whether it may come to the GPU, which only one slot can have. */
const usesGpu = (choice: BackendChoice): boolean => choice === 'auto' || choice === 'webgpu'
/** What is shown, and what helpers open, before anything is known. */
const firstGuess = (choice: BackendChoice): BackendName => choice === 'auto' ? 'wasm' : choice

/** A view of part of a buffer would be sent with the whole buffer behind it. */
const compact = (bytes: Uint8Array): Uint8Array => bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice()

class ComputePool implements Compute {
  readonly #options: PoolOptions
  readonly #throughput: Throughput
  #slots: Slot[] = []
  #queue: Pending[] = []
  #workers: number
  #duty: number
  #failedOpenings = 0
  #choice: BackendChoice
  #backend: BackendName
  #reports: readonly BackendReport[] = []
  /** What the helpers of the leading slot open; unknown until it has opened. */
  #helperBackend: BackendName | undefined
  /** Devices lost, and when the last one was. */
  #losses = 0
  #lostMs = 0
  /** Backends that are given up until the next choice. */
  #given: BackendReport[] = []
  #selfTest: ComputeStatus['selfTest'] = 'pending'
  #failure: string | undefined
  /** Why nothing can run any more. */
  #ended: string | undefined
  readonly #wakeUps = new Set<() => void>()
  /** Whoever waits for ready(), longest first. */
  #waiting: Array<() => void> = []

  constructor (options: PoolOptions) {
    this.#options = options
    this.#throughput = new Throughput(() => options.clock.now())
    this.#choice = options.backend
    this.#backend = firstGuess(options.backend)
    this.#workers = 0
    this.#duty = 1
    if (!usesGpu(options.backend)) this.#helperBackend = firstGuess(options.backend)
    this.#limit(options.workers, options.duty)
  }

  async ready (): Promise<void> {
    if (this.#ended === undefined && !this.#isIdle()) await new Promise<void>(resolve => { this.#waiting.push(resolve) })
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
  async stateHash (state: ModelState): Promise<Uint8Array> { return stateHash(state) }

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
      choice: this.#choice,
      reports: this.#reports,
      ...(this.#failure === undefined ? {} : { failure: this.#failure })
    }
  }

  async setLimits (workers: number, duty: number): Promise<void> { this.#limit(workers, duty) }

  async setBackend (choice: BackendChoice): Promise<void> {
    if (choice === this.#choice || this.#ended !== undefined) return
    this.#choice = choice
    this.#given = []
    this.#losses = 0
    this.#reports = []
    this.#selfTest = 'pending'
    this.#failure = undefined
    this.#reopen()
  }

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
      const pending: Pending = { work, urgency, attempts: 0, resolve, reject }
      this.#enqueue(pending, false)
      this.#dispatch()
      if (urgency === URGENCY.background) this.#hurryLater(pending)
    })
  }

  /** Behind its equals, or before them when it has waited its turn already. */
  #enqueue (pending: Pending, first: boolean): void {
    const at = this.#queue.findIndex(other => first ? other.urgency >= pending.urgency : other.urgency > pending.urgency)
    this.#queue.splice(at === -1 ? this.#queue.length : at, 0, pending)
  }

  /** A background task that still waits after a while is as urgent as a replay. */
  #hurryLater (pending: Pending): void {
    if (!this.#queue.includes(pending)) return
    const cancel = this.#options.clock.after(BACKGROUND_WAIT_MS, () => {
      this.#wakeUps.delete(cancel)
      // It may be under way, and come back when its worker crashes.
      pending.urgency = URGENCY.replay
      const at = this.#queue.indexOf(pending)
      if (at === -1) return
      this.#queue.splice(at, 1)
      this.#enqueue(pending, false)
      this.#dispatch()
    })
    this.#wakeUps.add(cancel)
  }

  /** As many slots as allowed; one that is busy leaves when it is done. */
  #resize (): void {
    if (this.#ended !== undefined) return
    for (const slot of [...this.#slots].reverse()) {
      if (this.#slots.length <= this.#workers) break
      if (slot.state !== 'busy' && !(slot.lead && usesGpu(this.#choice))) this.#remove(slot)
    }
    if (!this.#slots.some(slot => slot.lead && slot.stale !== true) && this.#slots.length < this.#workers) this.#open(true, this.#choice)
    while (this.#helperBackend !== undefined && this.#slots.length < this.#workers) this.#open(false, this.#helperBackend)
  }

  /** Every slot anew; those at work when they are done. */
  #reopen (): void {
    this.#backend = firstGuess(this.#choice)
    this.#helperBackend = usesGpu(this.#choice) ? undefined : firstGuess(this.#choice)
    for (const slot of [...this.#slots]) {
      if (slot.state === 'busy') slot.stale = true
      else this.#remove(slot)
    }
    this.#resize()
  }

  #remove (slot: Slot): void {
    slot.state = 'gone'
    slot.worker.terminate()
    this.#slots = this.#slots.filter(other => other !== slot)
  }

  #open (lead: boolean, backend: BackendChoice): void {
    const slot: Slot = { worker: this.#options.spawn(), lead, state: 'opening', startedMs: 0, restUntilMs: 0, restEndsMs: 0 }
    this.#slots.push(slot)
    slot.worker.listen(
      reply => { if (slot.state !== 'gone') this.#onReply(slot, reply) },
      reason => { if (slot.state !== 'gone') this.#onCrash(slot, reason) }
    )
    slot.worker.post({ kind: 'open', backend, ...(this.#given.length === 0 ? {} : { given: this.#given }) })
  }

  #onReply (slot: Slot, reply: Reply): void {
    if (reply.kind === 'news') {
      if (slot.lead && slot.stale !== true) this.#learn(reply.value)
      return
    }
    if (reply.kind === 'lost') {
      this.#onLost(slot, reply.error)
      return
    }
    if (slot.state === 'opening') {
      if (reply.kind === 'open') this.#onOpened(slot, reply.value)
      else if (this.#slots.length > 1) this.#doWithout(slot)
      else this.#end(reply.kind === 'error' ? reply.error : 'a worker answered before it was opened')
      return
    }
    const pending = slot.pending
    if (pending === undefined) throw new Error('a worker answered what it was not asked')
    slot.pending = undefined
    slot.state = 'ready'
    const now = this.#options.clock.now()
    if (slot.stale === true) this.#remove(slot)
    else this.#rest(slot, (now - slot.startedMs) * (1 / this.#duty - 1), now, pending.urgency === URGENCY.replay)
    if (reply.kind === 'error') pending.reject(new Error(reply.error))
    else if (reply.kind === pending.work.kind) pending.resolve(reply.value)
    else pending.reject(new Error(`a worker answered ${reply.kind} to ${pending.work.kind}`))
    this.#resize()
    this.#dispatch()
  }

  #onOpened (slot: Slot, opened: Opened): void {
    slot.state = 'ready'
    slot.backend = opened.backend
    this.#failedOpenings = 0
    if (!slot.lead && opened.backend === 'reference' && this.#slots.some(s => s.backend === 'wasm' && s.stale !== true)) {
      this.#doWithout(slot)
      return
    }
    // Without a GPU in question all slots are alike, and the first to know tells.
    if (slot.lead || !usesGpu(this.#choice)) this.#learn(opened)
    else if (opened.failure !== undefined) this.#failed(opened.failure)
    if (slot.lead && usesGpu(this.#choice)) {
      this.#helperBackend = opened.backend === 'webgpu' ? 'wasm' : opened.backend
      this.#resize()
    }
    this.#dispatch()
  }

  /** The machine, or what the browser gives a tab of it, has no room for one more like the others: those that are there go on. */
  #doWithout (slot: Slot): void {
    this.#remove(slot)
    this.#workers = Math.max(1, this.#slots.length)
    this.#dispatch()
  }

  #learn ({ backend, failure, reports }: Opened): void {
    this.#backend = backend
    this.#reports = reports
    if (failure !== undefined) this.#failed(failure)
    else if (this.#selfTest === 'pending') this.#selfTest = 'passed'
  }

  #failed (failure: string): void {
    this.#selfTest = 'failed'
    this.#failure = failure
  }

  /** The task did nothing wrong: it runs again, on a new device or, the second time, without one. */
  #onLost (slot: Slot, reason: string): void {
    const now = this.#options.clock.now()
    this.#losses = now - this.#lostMs > LOSS_MEMORY_MS ? 1 : this.#losses + 1
    this.#lostMs = now
    if (this.#losses > 1) {
      const failure = `webgpu: ${reason}`
      this.#given = [{ backend: 'webgpu', state: 'lost', failure }]
      this.#failed(failure)
    }
    const { pending } = slot
    this.#remove(slot)
    if (pending !== undefined) {
      pending.attempts--
      this.#enqueue(pending, true)
    }
    this.#resize()
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

  /** What a replay took while the slot rested is added to the rest, within bounds. */
  #rest (slot: Slot, forMs: number, now: number, replay: boolean): void {
    if (forMs <= 0) return
    if (!replay || slot.restEndsMs === 0) slot.restEndsMs = now + Math.max(forMs, REST_MAX_MS)
    const untilMs = Math.min(Math.max(now, slot.restUntilMs) + forMs, slot.restEndsMs)
    if (untilMs <= now) return
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
      if (next === undefined) {
        if (now >= slot.restUntilMs) this.#letOneGo()
        continue
      }
      if (next.urgency !== URGENCY.replay && now < slot.restUntilMs) continue
      this.#queue.shift()
      next.attempts++
      slot.state = 'busy'
      slot.pending = next
      slot.startedMs = now
      slot.worker.post(next.work)
    }
  }

  /** One per free slot. It may have changed its mind: then the next one gets its turn a little later. */
  #letOneGo (): void {
    this.#waiting.shift()?.()
    if (this.#waiting.length === 0) return
    const cancel = this.#options.clock.after(TURN_UNUSED_MS, () => {
      this.#wakeUps.delete(cancel)
      this.#dispatch()
    })
    this.#wakeUps.add(cancel)
  }

  #isIdle (): boolean {
    const now = this.#options.clock.now()
    return this.#queue.length === 0 && this.#slots.some(slot => slot.state === 'ready' && now >= slot.restUntilMs)
  }

  #end (reason: string): void {
    if (this.#ended !== undefined) return
    this.#ended = reason
    for (const resolve of this.#waiting.splice(0)) resolve()
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
  await useFastHash()
  return new ComputePool(options)
}
