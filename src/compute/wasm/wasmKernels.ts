/** The fast kernels: AssemblyScript with SIMD, equal to reference/ byte for byte. */
import type { JobSpec } from '../../core/codec/jobSpec.ts'
import type { ModelState } from '../../core/training/modelState.ts'
import type { EvaluationTask, SliceTask } from '../../ports/compute.ts'
import type { Scores, SyncKernels } from '../kernels.ts'
import * as at from './assembly/layout.ts'
import { KERNELS_BASE64 } from './kernels.wasm.ts'
import { FIRST_FREE, planFor, type Plan } from './plan.ts'

const INPUT_EXPONENT = 7
const OUTPUT_ERROR_EXPONENT = 7

interface Exports {
  begin (plan: number): void
  finish (plan: number): void
  train (plan: number, first: number, steps: number): void
  prepare (plan: number): void
  score (plan: number): void
}

class WasmKernels implements SyncKernels {
  readonly backend = 'wasm'
  readonly #memory: WebAssembly.Memory
  readonly #exports: Exports
  #held: { readonly model: string, readonly plan: Plan } | undefined
  // Views of the whole memory; renewed when it grows.
  #i32 = new Int32Array(0)
  #u8 = new Uint8Array(0)

  constructor (module: WebAssembly.Module) {
    this.#memory = new WebAssembly.Memory({ initial: 1 })
    // The generated module exports exactly what assembly/kernels.ts says.
    this.#exports = new WebAssembly.Instance(module, { env: { memory: this.#memory } }).exports as unknown as Exports
  }

  runSlice (task: SliceTask): ModelState {
    const { batch, inputNoise } = task.spec
    const plan = this.#planned(task.spec)
    const { train } = this.#exports
    this.#loadState(plan, task.state)
    this.#u8.set(task.noiseKey, plan.key)
    this.#set(plan.plan + at.BATCH, batch)
    this.#set(plan.plan + at.AMPLITUDE, inputNoise)
    this.#set(plan.plan + at.LR20, task.lr20)
    const features = plan.shape.tensors[0].size
    for (let step = 0; step < task.steps; step += plan.chunkSteps) {
      const end = Math.min(task.steps, step + plan.chunkSteps) * batch
      this.#u8.set(task.inputs.subarray(step * batch * features, end * features), plan.inputs)
      this.#u8.set(task.labels.subarray(step * batch, end), plan.labels)
      train(plan.plan, step, end / batch - step)
    }
    this.#exports.finish(plan.plan)
    return this.#readState(plan)
  }

  score (task: EvaluationTask): Scores {
    const plan = this.#planned(task.spec)
    this.#loadState(plan, task.state)
    this.#exports.prepare(plan.plan)
    const { tensors } = plan.shape
    const last = tensors.length - 1
    const count = task.labels.length
    const features = tensors[0].size
    const classes = tensors[last].size
    const distance = new Int32Array(count * classes)
    const probability = new Int32Array(count * classes)
    const sum = new Uint32Array(count)
    for (let first = 0; first < count; first += plan.batch) {
      const samples = Math.min(plan.batch, count - first)
      this.#set(plan.plan + at.BATCH, samples)
      this.#u8.set(task.inputs.subarray(first * features, (first + samples) * features), plan.inputs)
      this.#exports.score(plan.plan)
      for (let n = 0; n < samples; n++) {
        sum[first + n] = this.#i32[(plan.sums >> 2) + n]
        for (let j = 0; j < classes; j++) {
          const from = j * plan.tensors[last].row + n
          const to = (first + n) * classes + j
          distance[to] = this.#i32[(plan.distances >> 2) + from]
          probability[to] = this.#i32[(plan.probabilities >> 2) + from]
        }
      }
    }
    return { distance, sum, probability }
  }

  /** The plan in memory, laid out anew if the model is another. */
  #planned (spec: JobSpec): Plan {
    const held = this.#held
    const model = modelKey(spec)
    if (held?.model === model) return held.plan
    const plan = planFor(spec, spec.batch)
    const missing = plan.bytes - this.#memory.buffer.byteLength
    if (missing > 0) this.#memory.grow(missing / 65536)
    this.#i32 = new Int32Array(this.#memory.buffer)
    this.#u8 = new Uint8Array(this.#memory.buffer)
    this.#u8.fill(0, FIRST_FREE, plan.bytes)
    plan.write(this.#i32)
    this.#held = { model, plan }
    return plan
  }

  #set (address: number, value: number): void {
    this.#i32[address >> 2] = value
  }

  #loadState (plan: Plan, state: ModelState): void {
    const last = plan.tensors.length - 1
    for (const [l, layer] of plan.layers.entries()) {
      this.#i32.set(state.weights[l], layer.canonicalWeights >> 2)
      this.#i32.set(state.biases[l], layer.biases >> 2)
    }
    for (const [t, { record }] of plan.tensors.entries()) {
      this.#set(record + at.EXPONENT, t === 0 ? INPUT_EXPONENT : state.activationExponents[t - 1])
      this.#set(record + at.ERROR_EXPONENT, t === last ? OUTPUT_ERROR_EXPONENT : state.errorExponents[t - 1])
    }
    this.#exports.begin(plan.plan)
  }

  #readState ({ tensors, layers }: Plan): ModelState {
    const words = (address: number, length: number): Int32Array => this.#i32.slice(address >> 2, (address >> 2) + length)
    const inner = tensors.slice(1, -1)
    return {
      weights: layers.map(layer => words(layer.canonicalWeights, layer.inputs * layer.outputs)),
      biases: layers.map(layer => words(layer.biases, layer.outputs)),
      activationExponents: Int32Array.from(inner, ({ record }) => this.#i32[(record + at.EXPONENT) >> 2]),
      errorExponents: Int32Array.from(inner, ({ record }) => this.#i32[(record + at.ERROR_EXPONENT) >> 2])
    }
  }
}

/** Same key, same plan. */
const modelKey = ({ channels, height, width, ops, batch }: JobSpec): string => [
  channels, height, width, batch,
  ...ops.flatMap(op => [op.kind, op.a, op.b, op.relu, op.units, op.kernel, op.stride, op.padding, op.groups])
].join()

export async function createWasmKernels (): Promise<SyncKernels> {
  const bytes = Uint8Array.from(atob(KERNELS_BASE64), c => c.charCodeAt(0))
  return new WasmKernels(await WebAssembly.compile(bytes))
}
