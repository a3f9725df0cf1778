/**
 * Backends with all that turns their output into a result: which of them may work (the self-test),
 * and which does (measured, per model).
 */
import type { JobSpec } from '../core/codec/jobSpec.ts'
import { hash } from '../core/crypto/hash.ts'
import { encodePayload } from '../core/training/payload.ts'
import { stepMacs } from '../core/training/cost.ts'
import type { ModelState } from '../core/training/modelState.ts'
import { stateHash } from '../core/training/stateHash.ts'
import type { BackendChoice, BackendName, BackendReport, EvaluationResult, EvaluationTask, PredictionResult, SliceResult, SliceTask } from '../ports/compute.ts'
import { checkEvaluation, checkSlice } from './check.ts'
import { evaluationOf, predictionOf } from './evaluation.ts'
import { type GoldenInput, goldenTask } from './golden.ts'
import { useFastHash } from './hasher.ts'
import { DeviceLost, type Kernels } from './kernels.ts'
import { referenceKernels } from './reference/referenceKernels.ts'
import { selfTestFailure } from './selfTest.ts'
import { createWasmKernels } from './wasm/wasmKernels.ts'
import { createWebgpuKernels } from './webgpu/webgpuKernels.ts'

/** `deliberate`: the user asked for this one, however slow it may be. */
export type KernelsFactory = (deliberate: boolean) => Promise<Kernels>
export type Registry = Readonly<Partial<Record<BackendName, KernelsFactory>>>

/** Backends that this build has, `reference` always among them. */
export const KERNELS: Registry = {
  reference: async () => referenceKernels,
  wasm: createWasmKernels,
  webgpu: async deliberate => await createWebgpuKernels({ software: deliberate })
}

/** What stands in for what: each for the ones before it. */
const CHAIN: readonly BackendName[] = ['webgpu', 'wasm', 'reference']
/** A backend that is so much slower than another on the first model is not tried on others. */
const HOPELESS = 8
/** Steps that a measurement times, after one that is not: short, but longer than what a slice costs besides its steps. */
const MEASURED_STEPS = 16
/** Models whose fastest backend is remembered. */
const MODELS_MAX = 64

/** The shape of the benchmark job, which every tab meets first. */
const MEASURED: GoldenInput = {
  name: 'measurement', layers: [784, 64, 32, 10], batch: 32, inputNoise: 16, lr20: 1049, steps: MEASURED_STEPS + 1, seed: 1, state: 'initial', inputs: 'random'
}

const reason = (error: unknown): string => error instanceof Error ? error.message : String(error)

const modelKey = ({ channels, height, width, ops, batch }: JobSpec): string => JSON.stringify([batch, channels, height, width, ops])

/** The first steps of a slice. */
const firstSteps = (task: SliceTask, steps: number): SliceTask => {
  const records = steps * task.spec.batch
  const features = task.inputs.length / task.labels.length
  return { ...task, steps, inputs: task.inputs.subarray(0, records * features), labels: task.labels.subarray(0, records) }
}

/** Milliseconds of a step. */
async function measure (kernels: Kernels, task: SliceTask, now: () => number): Promise<number> {
  const steps = Math.min(MEASURED_STEPS, task.steps)
  await kernels.runSlice(firstSteps(task, 1))
  const started = now()
  await kernels.runSlice(firstSteps(task, steps))
  return (now() - started) / steps
}

export class Engine {
  readonly choice: BackendChoice
  /** Replaced when something becomes known. */
  reports: readonly BackendReport[]
  /** Those that passed, the fastest on the first model first. */
  readonly #kernels: readonly Kernels[]
  readonly #standIn: () => Promise<Kernels>
  readonly #now: () => number
  readonly #fastest = new Map<string, Kernels>()
  #last: Kernels

  constructor (
    choice: BackendChoice, kernels: readonly [Kernels, ...Kernels[]], standIn: () => Promise<Kernels>, reports: readonly BackendReport[], now: () => number
  ) {
    this.choice = choice
    this.reports = reports
    this.#kernels = kernels
    this.#standIn = standIn
    this.#now = now
    this.#last = kernels[0]
  }

  /** What the newest task ran on. */
  get backend (): BackendName { return this.#last.backend }

  /** Why the wanted backend is not the one in use; under `auto`, what gave wrong bits or should be everywhere. */
  get failure (): string | undefined {
    const bad = this.reports.filter(({ state, backend }) => state === 'wrong' || (state !== 'ready' && (this.choice !== 'auto' || backend === 'wasm')))
    return bad.length === 0 ? undefined : bad.map(({ failure }) => failure).join('; ')
  }

  async runSlice (task: SliceTask): Promise<SliceResult> {
    checkSlice(task)
    await this.#measured(task)
    const started = this.#now()
    const state = await this.#run(task.spec, async kernels => await kernels.runSlice(task))
    const payload = encodePayload(task.state, state)
    return {
      stateHash: stateHash(state),
      state,
      payload,
      payloadDigest: hash('payload', payload),
      macs: task.steps * stepMacs(task.spec),
      elapsedMs: this.#now() - started
    }
  }

  async evaluate (task: EvaluationTask): Promise<EvaluationResult> {
    checkEvaluation(task)
    return evaluationOf(await this.#run(task.spec, async kernels => await kernels.score(task)), task.labels, classesOf(task))
  }

  async predict (task: EvaluationTask): Promise<PredictionResult> {
    checkEvaluation(task)
    return predictionOf(await this.#run(task.spec, async kernels => await kernels.score(task)), classesOf(task))
  }

  stateHash (state: ModelState): Uint8Array { return stateHash(state) }

  close (): void {
    for (const kernels of this.#kernels) kernels.close?.()
  }

  /** On the model's fastest backend. One that cannot run it has a stand-in; a lost device is the caller's to know. */
  async #run<T> (spec: JobSpec, work: (kernels: Kernels) => Promise<T>): Promise<T> {
    const kernels = this.#fastest.get(modelKey(spec)) ?? this.#kernels[0]
    this.#last = kernels
    try {
      return await work(kernels)
    } catch (error) {
      if (error instanceof DeviceLost || kernels.backend !== 'webgpu') throw error
      const other = this.#kernels.find(one => one !== kernels) ?? await this.#standIn()
      this.#refuse(kernels, error)
      this.#remember(spec, other)
      this.#last = other
      return await work(other)
    }
  }

  /** Several backends race over the first steps of a model that is new here. */
  async #measured (task: SliceTask): Promise<void> {
    if (this.#kernels.length === 1 || this.#fastest.has(modelKey(task.spec))) return
    let best: Kernels | undefined
    let bestMs = Infinity
    for (const kernels of this.#kernels) {
      try {
        const stepMs = await measure(kernels, task, this.#now)
        this.#report(kernels.backend, { stepMs, state: 'ready', failure: undefined })
        if (stepMs < bestMs) [best, bestMs] = [kernels, stepMs]
      } catch (error) {
        if (error instanceof DeviceLost) throw error
        this.#refuse(kernels, error)
      }
    }
    if (best === undefined) throw new Error('no backend runs this model')
    this.#remember(task.spec, best)
  }

  #remember (spec: JobSpec, kernels: Kernels): void {
    const oldest = this.#fastest.keys().next()
    if (this.#fastest.size >= MODELS_MAX && oldest.done !== true) this.#fastest.delete(oldest.value)
    this.#fastest.set(modelKey(spec), kernels)
  }

  #refuse ({ backend }: Kernels, error: unknown): void { this.#report(backend, { state: 'refused', failure: `${backend}: ${reason(error)}` }) }

  #report (backend: BackendName, news: Partial<BackendReport>): void {
    this.reports = this.reports.map(report => report.backend === backend ? { ...report, ...news } : report)
  }
}

const classesOf = (task: EvaluationTask): number => task.spec.data.classes

/**
 * The wanted backend if it exists, starts, and computes the golden slices to the bit; otherwise the
 * next of the chain that does, with the reasons. `auto` measures those that do. What is in `given` is
 * not tried again. Throws when the reference is wrong too: nothing may run then.
 */
export async function openEngine (
  choice: BackendChoice, kernels: Registry = KERNELS, now: () => number = () => performance.now(), given: readonly BackendReport[] = []
): Promise<Engine> {
  await useFastHash()
  const reports: BackendReport[] = [...given]
  const attempt = async (backend: BackendName): Promise<Kernels | undefined> => {
    if (given.some(report => report.backend === backend)) return undefined
    let opened: Kernels | undefined
    try {
      opened = await kernels[backend]?.(backend === choice)
      if (opened === undefined) throw new Error('not in this build')
      const failure = await selfTestFailure(opened)
      if (failure === undefined) {
        reports.push({ backend, state: 'ready', detail: opened.detail })
        return opened
      }
      reports.push({ backend, state: 'wrong', detail: opened.detail, failure })
    } catch (error) {
      reports.push({ backend, state: 'absent', failure: `${backend}: ${reason(error)}` })
    }
    opened?.close?.()
    return undefined
  }
  const firstOf = async (chain: readonly BackendName[]): Promise<Kernels> => {
    for (const backend of chain) {
      const opened = await attempt(backend)
      if (opened !== undefined) return opened
    }
    throw new Error(`no backend computes the golden slices: ${reports.map(({ failure }) => failure).join('; ')}`)
  }
  const standIn = async (): Promise<Kernels> => await firstOf(CHAIN.slice(1))

  if (choice !== 'auto') return new Engine(choice, [await firstOf(CHAIN.slice(CHAIN.indexOf(choice)))], standIn, reports, now)

  const task = goldenTask(MEASURED)
  const times = new Map<Kernels, number>()
  for (const backend of CHAIN.slice(0, -1)) {
    const opened = await attempt(backend)
    if (opened === undefined) continue
    const at = reports.length - 1
    try {
      const stepMs = await measure(opened, task, now)
      reports[at] = { ...reports[at], stepMs }
      times.set(opened, stepMs)
    } catch (error) {
      reports[at] = { ...reports[at], state: 'absent', failure: `${backend}: ${reason(error)}` }
      opened.close?.()
    }
  }
  const ranked = [...times.keys()].sort((a, b) => times.get(a)! - times.get(b)!)
  const kept = ranked.filter(one => times.get(one)! <= HOPELESS * times.get(ranked[0])!)
  for (const one of ranked) if (!kept.includes(one)) one.close?.()
  const [first, ...others] = kept
  if (first === undefined) return new Engine(choice, [await firstOf(['reference'])], standIn, reports, now)
  return new Engine(choice, [first, ...others], standIn, reports, now)
}
