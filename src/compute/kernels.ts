/** What a backend implements: functions of tasks that have been checked (check.ts). */
import type { ModelState } from '../core/training/modelState.ts'
import type { BackendName, EvaluationTask, SliceTask } from '../ports/compute.ts'

/** What the last layer says about every record, without noise. */
export interface Scores {
  /** t = -256 log2(e / e_max), rounded down, [records, classes]; e = 2^16 * 2^(-t / 256), rounded down. */
  readonly distance: Int32Array
  /** S, the sum of e over the classes, [records]. */
  readonly sum: Uint32Array
  /** p = floor(e * 32767 / S), [records, classes]. */
  readonly probability: Int32Array
}

export interface Kernels {
  readonly backend: BackendName
  /** What runs them, in words: an adapter, an instruction set. */
  readonly detail?: string
  /** The state after `task.steps` steps from `task.state`. One call at a time. */
  runSlice (task: SliceTask): ModelState | Promise<ModelState>
  score (task: EvaluationTask): Scores | Promise<Scores>
  /** Gives back what the kernels hold outside this thread. */
  close? (): void
}

/** The device is gone, or does not answer: a new one may do. */
export class DeviceLost extends Error {}

/** Kernels that answer at once. */
export interface SyncKernels extends Kernels {
  runSlice (task: SliceTask): ModelState
  score (task: EvaluationTask): Scores
}
