/** What a backend implements: synchronous functions of tasks that have been checked (check.ts). */
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
  /** The state after `task.steps` steps from `task.state`. */
  runSlice (task: SliceTask): ModelState
  score (task: EvaluationTask): Scores
}
