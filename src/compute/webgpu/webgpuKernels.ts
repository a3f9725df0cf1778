/** The kernels on a GPU: a slice's state stays there from its first step to its last. Equal to reference/ byte for byte. */
import type { JobSpec } from '../../core/codec/jobSpec.ts'
import { bitLength } from '../../core/training/integers.ts'
import type { ModelState } from '../../core/training/modelState.ts'
import { noiseKeyWords } from '../../core/training/noise.ts'
import { shapeOf } from '../../core/training/shape.ts'
import type { EvaluationTask, SliceTask } from '../../ports/compute.ts'
import type { Kernels, Scores } from '../kernels.ts'
import { type Gpu, type GpuOptions, openGpu } from './gpu.ts'
import { S_F, S_FE, S_KEY, S_LR20, S_SHIFT, S_SIZE, S_STEP } from './layout.ts'
import { type Plan, planFor } from './plan.ts'
import { newPace, Session } from './session.ts'

const INPUT_BITS = 7
const OUTPUT_ERROR_BITS = 7
/** Models whose buffers are kept: training and evaluation take turns. */
const SESSIONS_MAX = 3
/** Records of an evaluation at once. */
const EVALUATION_BATCH_MAX = 256
const EVALUATION_ELEMENTS_MAX = 2 ** 21

interface Kept { readonly key: string, readonly session: Session }

const modelKey = ({ channels, height, width, ops }: JobSpec): string =>
  JSON.stringify([channels, height, width, ops.map(({ kind, a, b, relu, units, kernel, stride, padding, groups }) => [kind, a, b, relu, units, kernel, stride, padding, groups])])

export interface WebgpuKernels extends Kernels {
  readonly gpu: Gpu
}

class GpuKernels implements WebgpuKernels {
  readonly backend = 'webgpu'
  readonly gpu: Gpu
  readonly #now: () => number
  readonly #pace = newPace()
  #kept: Kept[] = []

  constructor (gpu: Gpu, now: () => number) {
    this.gpu = gpu
    this.#now = now
  }

  get detail (): string { return `${this.gpu.adapter}, ${this.gpu.dot} products` }

  async runSlice (task: SliceTask): Promise<ModelState> {
    const { spec, steps, inputs, labels } = task
    const { batch } = spec
    return await this.#checked(async () => {
      const session = await this.#session(spec, batch, true)
      const { plan } = session
      const features = inputs.length / labels.length
      this.#loadState(session, task.state, task)
      session.clear(session.ints, plan.parameters, plan.ints - plan.parameters)
      session.clear(session.grads, 0, plan.grads)
      for (let step = 0; step < steps; step += plan.slots) {
        const count = Math.min(plan.slots, steps - step)
        // Writes are ordered between submits: what reads the last chunk must have been sent.
        await session.submit()
        session.writeBytes(plan.records, inputs.subarray(step * batch * features, (step + count) * batch * features))
        session.writeBytes(plan.labels, labels.subarray(step * batch, (step + count) * batch))
        await session.run(plan.opening(count))
        for (let i = 0; i < count; i++) await session.run(plan.step)
      }
      const [parameters, state] = await session.read([
        { buffer: session.ints, word: 0, words: plan.parameters },
        { buffer: session.state, word: 0, words: S_SIZE }
      ])
      if (state[S_STEP] !== steps) throw new Error(`the device did ${state[S_STEP]} of ${steps} steps`)
      return {
        weights: task.state.weights.map((tensor, l) => parameters.slice(plan.layers[l].weights, plan.layers[l].weights + tensor.length)),
        biases: task.state.biases.map((tensor, l) => parameters.slice(plan.layers[l].biases, plan.layers[l].biases + tensor.length)),
        activationExponents: state.slice(S_F + 1, S_F + 1 + task.state.activationExponents.length),
        errorExponents: state.slice(S_FE, S_FE + task.state.errorExponents.length)
      }
    })
  }

  async score (task: EvaluationTask): Promise<Scores> {
    const { spec, inputs, labels } = task
    const { tensors, ops } = shapeOf(spec)
    const features = tensors[0].size
    const classes = tensors[ops.length].size
    const count = labels.length
    const largest = Math.max(...tensors.map(({ size }) => size))
    const most = Math.max(1, Math.min(EVALUATION_BATCH_MAX, Math.floor(EVALUATION_ELEMENTS_MAX / largest)))
    const batch = Math.min(most, 2 ** bitLength(Math.max(0, count - 1)))
    const scores = { distance: new Int32Array(count * classes), sum: new Uint32Array(count), probability: new Int32Array(count * classes) }
    if (count === 0) return scores
    return await this.#checked(async () => {
      const session = await this.#session(spec, batch, false)
      const { plan } = session
      this.#loadState(session, task.state)
      for (let first = 0; first < count; first += batch) {
        const here = Math.min(batch, count - first)
        session.writeBytes(plan.records, inputs.subarray(first * features, (first + here) * features))
        await session.run(plan.opening(1))
        await session.run(plan.step)
        const [distance, sum, probability] = await session.read([
          { buffer: session.ints, word: plan.distances, words: here * classes },
          { buffer: session.ints, word: plan.sums, words: here },
          { buffer: session.ints, word: plan.probabilities, words: here * classes }
        ])
        scores.distance.set(distance, first * classes)
        scores.sum.set(new Uint32Array(sum.buffer), first)
        scores.probability.set(probability, first * classes)
      }
      return scores
    })
  }

  close (): void { this.gpu.device.destroy() }

  /** What the device finds wrong with what it was given, or has no memory for, becomes an error here. */
  async #checked<T> (work: () => Promise<T>): Promise<T> {
    const { device } = this.gpu
    for (const filter of ['internal', 'out-of-memory', 'validation'] as const) device.pushErrorScope(filter)
    let result: T | undefined
    let thrown: unknown
    try {
      result = await work()
    } catch (error) {
      thrown = error ?? new Error('unknown')
    }
    const found = await Promise.all(['validation', 'out-of-memory', 'internal'].map(async name => {
      const error = await this.gpu.answered(device.popErrorScope())
      return error === null ? undefined : `${name} error: ${error.message}`
    }))
    const named = found.filter(error => error !== undefined)
    if (named.length > 0) {
      this.#forget()
      throw new Error(named.join('; '))
    }
    if (thrown !== undefined) throw thrown
    return result as T
  }

  #forget (): void {
    for (const { session } of this.#kept) session.destroy()
    this.#kept = []
  }

  async #session (spec: JobSpec, batch: number, training: boolean): Promise<Session> {
    const key = `${training ? `train ${spec.inputNoise}` : 'score'} ${batch} ${modelKey(spec)}`
    const found = this.#kept.find(kept => kept.key === key)
    if (found !== undefined) {
      this.#kept = [...this.#kept.filter(kept => kept !== found), found]
      return found.session
    }
    const plan = planFor(spec, batch, training, spec.inputNoise)
    this.#fits(plan)
    while (this.#kept.length >= SESSIONS_MAX) this.#kept.shift()!.session.destroy()
    const session = new Session(this.gpu, plan, this.#pace, this.#now)
    this.#kept.push({ key, session })
    return session
  }

  #fits (plan: Plan): void {
    const most = Math.min(this.gpu.device.limits.maxStorageBufferBindingSize, this.gpu.device.limits.maxBufferSize)
    for (const words of [plan.bytes, plan.ints]) {
      if (4 * words > most) throw new Error(`the model needs a buffer of ${Math.ceil(words / 2 ** 18)} MB, the device has at most ${Math.floor(most / 2 ** 20)}`)
    }
  }

  #loadState (session: Session, state: ModelState, task?: SliceTask): void {
    const { plan } = session
    const places = new Int32Array(S_SIZE)
    for (const [l, tensor] of state.weights.entries()) {
      session.writeInts(plan.layers[l].weights, tensor)
      session.writeInts(plan.layers[l].biases, state.biases[l])
      let largest = 0
      for (let i = 0; i < tensor.length; i++) largest = Math.max(largest, Math.abs(tensor[i]))
      places[S_SHIFT + l] = Math.max(0, bitLength(largest) - 7)
    }
    places[S_F] = INPUT_BITS
    places.set(state.activationExponents, S_F + 1)
    places.set(state.errorExponents, S_FE)
    places[S_FE + state.errorExponents.length] = OUTPUT_ERROR_BITS
    if (task !== undefined) {
      places[S_LR20] = task.lr20
      places.set(noiseKeyWords(task.noiseKey), S_KEY)
    }
    session.writeState(places)
  }
}

/** Throws, in words, where there is no adapter or a kernel does not compile. */
export async function createWebgpuKernels (options: GpuOptions = {}, gpu: GPU | undefined = globalThis.navigator?.gpu, now: () => number = () => performance.now()): Promise<WebgpuKernels> {
  return new GpuKernels(await openGpu(gpu, options), now)
}
