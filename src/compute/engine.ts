/** One backend's kernels with all that turns their output into a result; synchronous. */
import { encodePayload } from '../core/training/payload.ts'
import { stepMacs } from '../core/training/cost.ts'
import type { ModelState } from '../core/training/modelState.ts'
import { type Hasher, stateHash } from '../core/training/stateHash.ts'
import type { BackendName, EvaluationResult, EvaluationTask, PredictionResult, SliceResult, SliceTask } from '../ports/compute.ts'
import { checkEvaluation, checkSlice } from './check.ts'
import { evaluationOf, predictionOf } from './evaluation.ts'
import { createHasher } from './hasher.ts'
import type { Kernels } from './kernels.ts'
import { referenceKernels } from './reference/referenceKernels.ts'
import { selfTestFailure } from './selfTest.ts'
import { createWasmKernels } from './wasm/wasmKernels.ts'

export type KernelsFactory = () => Promise<Kernels>

/** Backends that this build has, `reference` always among them. */
export const KERNELS: Readonly<Partial<Record<BackendName, KernelsFactory>>> = {
  reference: async () => referenceKernels,
  wasm: createWasmKernels
}

export class Engine {
  readonly backend: BackendName
  /** Why the wanted backend is not the one in use. */
  readonly failure: string | undefined
  readonly #kernels: Kernels
  readonly #hasher: Hasher
  readonly #now: () => number

  constructor (kernels: Kernels, hasher: Hasher, now: () => number, failure?: string) {
    this.backend = kernels.backend
    this.failure = failure
    this.#kernels = kernels
    this.#hasher = hasher
    this.#now = now
  }

  runSlice (task: SliceTask): SliceResult {
    checkSlice(task)
    const started = this.#now()
    const state = this.#kernels.runSlice(task)
    const payload = encodePayload(task.state, state)
    return {
      stateHash: stateHash(state, this.#hasher),
      state,
      payload,
      payloadDigest: this.#hasher('payload', payload),
      macs: task.steps * stepMacs(task.spec),
      elapsedMs: this.#now() - started
    }
  }

  evaluate (task: EvaluationTask): EvaluationResult {
    checkEvaluation(task)
    return evaluationOf(this.#kernels.score(task), task.labels, classesOf(task))
  }

  predict (task: EvaluationTask): PredictionResult {
    checkEvaluation(task)
    return predictionOf(this.#kernels.score(task), classesOf(task))
  }

  stateHash (state: ModelState): Uint8Array {
    return stateHash(state, this.#hasher)
  }
}

const classesOf = (task: EvaluationTask): number => task.spec.data.classes

/**
 * The wanted backend if it exists, starts, and computes the golden slices to the bit; otherwise the
 * reference, with the reason. Throws when the reference is wrong too: nothing may run then.
 */
export async function openEngine (
  wanted: BackendName, kernels: Readonly<Partial<Record<BackendName, KernelsFactory>>> = KERNELS, now: () => number = () => performance.now()
): Promise<Engine> {
  const hasher = await createHasher()
  const attempt = async (backend: BackendName): Promise<Kernels | string> => {
    try {
      const opened = await kernels[backend]?.()
      if (opened === undefined) return `${backend}: not in this build`
      return selfTestFailure(opened, hasher) ?? opened
    } catch (e) {
      return `${backend}: ${e instanceof Error ? e.message : String(e)}`
    }
  }
  const first = await attempt(wanted)
  if (typeof first !== 'string') return new Engine(first, hasher, now)
  const fallback = wanted === 'reference' ? first : await attempt('reference')
  if (typeof fallback === 'string') throw new Error(`no backend computes the golden slices: ${[...new Set([first, fallback])].join('; ')}`)
  return new Engine(fallback, hasher, now, first)
}
