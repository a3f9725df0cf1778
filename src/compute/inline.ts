/** Compute without workers, for tests, the simulation and the command line: a task runs where it is asked for. */
import type { ModelState } from '../core/training/modelState.ts'
import type { BackendChoice, Compute, ComputeStatus, EvaluationResult, EvaluationTask, PredictionResult, SliceResult, SliceTask } from '../ports/compute.ts'
import { type Engine, openEngine } from './engine.ts'
import { Throughput } from './throughput.ts'

class InlineCompute implements Compute {
  #engine: Engine
  readonly #now: () => number
  readonly #throughput: Throughput

  constructor (engine: Engine, now: () => number) {
    this.#engine = engine
    this.#now = now
    this.#throughput = new Throughput(now)
  }

  async runSlice (task: SliceTask): Promise<SliceResult> {
    const result = await this.#engine.runSlice(task)
    this.#throughput.add(task.steps, result.macs, result.elapsedMs)
    return result
  }

  async evaluate (task: EvaluationTask): Promise<EvaluationResult> { return await this.#engine.evaluate(task) }

  async predict (task: EvaluationTask): Promise<PredictionResult> { return await this.#engine.predict(task) }

  async stateHash (state: ModelState): Promise<Uint8Array> { return this.#engine.stateHash(state) }

  async status (): Promise<ComputeStatus> {
    const { backend, failure, choice, reports } = this.#engine
    const { steps, macs } = this.#throughput.perSecond()
    return {
      backend,
      workers: 1,
      workersMax: 1,
      busy: 0,
      stepsPerSecond: steps,
      macsPerSecond: macs,
      choice,
      reports,
      selfTest: failure === undefined ? 'passed' : 'failed',
      ...(failure === undefined ? {} : { failure })
    }
  }

  /** There is one kernel, and it runs when it is called. */
  async ready (): Promise<void> {}
  async setLimits (): Promise<void> {}

  async setBackend (choice: BackendChoice): Promise<void> {
    const before = this.#engine
    this.#engine = await openEngine(choice, undefined, this.#now)
    before.close()
  }

  async stop (): Promise<void> { this.#engine.close() }
}

/** `now` is a monotonic clock, ms; a simulation passes its own. */
export async function createInlineCompute (backend: BackendChoice, now: () => number = () => performance.now()): Promise<Compute> {
  return new InlineCompute(await openEngine(backend, undefined, now), now)
}
