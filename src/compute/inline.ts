/** Compute without workers, for tests, the simulation and the command line: a task runs where it is asked for. */
import type { ModelState } from '../core/training/modelState.ts'
import type { BackendName, Compute, ComputeStatus, EvaluationResult, EvaluationTask, PredictionResult, SliceResult, SliceTask } from '../ports/compute.ts'
import { type Engine, openEngine } from './engine.ts'
import { Throughput } from './throughput.ts'

class InlineCompute implements Compute {
  readonly #engine: Engine
  readonly #throughput: Throughput

  constructor (engine: Engine, now: () => number) {
    this.#engine = engine
    this.#throughput = new Throughput(now)
  }

  async runSlice (task: SliceTask): Promise<SliceResult> {
    const result = this.#engine.runSlice(task)
    this.#throughput.add(task.steps, result.macs, result.elapsedMs)
    return result
  }

  async evaluate (task: EvaluationTask): Promise<EvaluationResult> { return this.#engine.evaluate(task) }

  async predict (task: EvaluationTask): Promise<PredictionResult> { return this.#engine.predict(task) }

  async stateHash (state: ModelState): Promise<Uint8Array> { return this.#engine.stateHash(state) }

  async status (): Promise<ComputeStatus> {
    const { backend, failure } = this.#engine
    const { steps, macs } = this.#throughput.perSecond()
    return {
      backend,
      workers: 1,
      workersMax: 1,
      busy: 0,
      stepsPerSecond: steps,
      macsPerSecond: macs,
      selfTest: failure === undefined ? 'passed' : 'failed',
      ...(failure === undefined ? {} : { failure })
    }
  }

  /** There is one kernel, and it runs when it is called. */
  async setLimits (): Promise<void> {}

  async stop (): Promise<void> {}
}

/** `now` is a monotonic clock, ms; a simulation passes its own. */
export async function createInlineCompute (backend: BackendName, now: () => number = () => performance.now()): Promise<Compute> {
  return new InlineCompute(await openEngine(backend, undefined, now), now)
}
