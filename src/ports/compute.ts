import type { JobSpec } from '../core/codec/jobSpec.ts'
import type { ModelState } from '../core/training/modelState.ts'

/**
 * Exact kernels. Every backend returns the same bytes for the same task; `reference` defines them.
 * Tasks are values: a backend holds no data set, no chain, no key.
 */
export const BACKENDS = ['reference', 'wasm', 'webgpu'] as const
export type BackendName = typeof BACKENDS[number]
/** `auto`: the fastest of those that pass their self-test, measured. */
export type BackendChoice = 'auto' | BackendName

/** What became of a backend when it was opened. */
export interface BackendReport {
  readonly backend: BackendName
  /**
   * ready: passed its self-test. absent: not here. wrong: gave other bits than the reference, and is
   * not used. lost: its device went away more than once. refused: could not run the newest model.
   */
  readonly state: 'ready' | 'absent' | 'wrong' | 'lost' | 'refused'
  /** What runs it: an adapter. */
  readonly detail?: string
  /** Milliseconds of a step of the model that was measured last. */
  readonly stepMs?: number
  /** Why it is not `ready`, with its name. */
  readonly failure?: string
}

export interface SliceTask {
  readonly spec: JobSpec
  /** S_r. */
  readonly state: ModelState
  /** Learning rate of the round, times 2^20. */
  readonly lr20: number
  /** 256-bit key of the slice's noise stream. */
  readonly noiseKey: Uint8Array
  /** Local steps to run: spec.stepsPerSlice, fewer only for tests and `cw --steps`. */
  readonly steps: number
  /** u8 features of the drawn records, shape [steps * batch, features], row major. */
  readonly inputs: Uint8Array
  /** Class of each drawn record, shape [steps * batch]. */
  readonly labels: Uint8Array
}

export interface SliceResult {
  /** stateHash of the state after the last step. */
  readonly stateHash: Uint8Array
  /** The state after the last step (the contribution itself is `payload`). */
  readonly state: ModelState
  /** int8 change against S_r, canonical bytes (EXACT 9). */
  readonly payload: Uint8Array
  readonly payloadDigest: Uint8Array
  /** MACs done, for the display. */
  readonly macs: number
  readonly elapsedMs: number
}

export interface EvaluationTask {
  readonly spec: JobSpec
  readonly state: ModelState
  readonly inputs: Uint8Array
  readonly labels: Uint8Array
}

export interface EvaluationResult {
  readonly count: number
  readonly correct: number
  /** Sum over records of -log2 p(label), times 2^16, integer. */
  readonly lossBits16: number
  /** Row-major [classes x classes] counts, true class first. */
  readonly confusion: Uint32Array
}

/** Probabilities are 15-bit integers that sum to about 32767. */
export interface PredictionResult { readonly probabilities: Uint16Array, readonly classes: number }

export interface ComputeStatus {
  readonly backend: BackendName
  readonly workers: number
  readonly workersMax: number
  readonly busy: number
  /** Smoothed over the last slices of this tab, mining and replays together. */
  readonly stepsPerSecond: number
  readonly macsPerSecond: number
  readonly selfTest: 'pending' | 'passed' | 'failed'
  readonly failure?: string
  /** What the user wants; `backend` is what came of it. */
  readonly choice: BackendChoice
  /** Of every backend that was tried. */
  readonly reports: readonly BackendReport[]
}

/** Replays go before slices: a block is waiting for them. */
export type Priority = 'replay' | 'slice' | 'background'

export interface Compute {
  /** Resolves when a slice would begin at once: what waits its turn here was fixed too early, and its block is of yesterday's head. */
  ready(): Promise<void>
  runSlice(task: SliceTask, priority: Priority): Promise<SliceResult>
  evaluate(task: EvaluationTask): Promise<EvaluationResult>
  predict(task: EvaluationTask): Promise<PredictionResult>
  stateHash(state: ModelState): Promise<Uint8Array>
  status(): Promise<ComputeStatus>
  /** Number of kernels that may run at once, and the share of time they may use, 0 < duty <= 1. */
  setLimits(workers: number, duty: number): Promise<void>
  /** From the next task on. */
  setBackend(choice: BackendChoice): Promise<void>
  stop(): Promise<void>
}
