/**
 * What computes in a simulated tab: a device with a speed, and kernels that are either the real
 * ones on a small model or a stand-in that costs nothing. Slices take virtual time by their
 * cost. Results are remembered for the whole world: that every node redoes a slice is what the
 * chain asks, that every node of one process spends the time for it teaches nothing.
 */
import { toHex } from '../../src/core/codec/ssz.ts'
import { hash } from '../../src/core/crypto/hash.ts'
import { sliceCost } from '../../src/core/training/cost.ts'
import type { ModelState } from '../../src/core/training/modelState.ts'
import { encodePayload, payloadDigest } from '../../src/core/training/payload.ts'
import { stateHash } from '../../src/core/training/stateHash.ts'
import { evaluationOf } from '../../src/compute/evaluation.ts'
import { BACKGROUND_WAIT_MS, REST_MAX_MS } from '../../src/compute/pool.ts'
import { createWasmKernels } from '../../src/compute/wasm/wasmKernels.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Compute, ComputeStatus, EvaluationResult, EvaluationTask, PredictionResult, Priority, SliceResult, SliceTask } from '../../src/ports/compute.ts'
import type { Life } from './life.ts'
import type { Seeded } from './seeded.ts'

/** Cost units per second, as measured with the WASM and WebGPU kernels, and how common each is. */
export const DEVICE_CLASSES = {
  phone: { costPerSecond: 6e9, share: 0.3 },
  laptop: { costPerSecond: 30e9, share: 0.5 },
  gaming: { costPerSecond: 600e9, share: 0.2 },
  datacentre: { costPerSecond: 6000e9, share: 0 }
} as const
export type DeviceClass = keyof typeof DEVICE_CLASSES

/** What about the dearest slice that the rules allow (MAX_SLICE_COST) takes a laptop, ms: with dearer ones a slow tab works on old blocks while it redoes the new one. */
export const DEAREST_SLICE_MS = 250

export function drawDevice (random: Seeded): DeviceClass {
  let u = random.uniform()
  for (const [name, { share }] of Object.entries(DEVICE_CLASSES)) {
    if ((u -= share) < 0) return name as DeviceClass
  }
  return 'laptop'
}

/** What a slice and a model give, whoever computes them. */
export interface Kernels {
  slice(task: SliceTask): SliceResult
  evaluate(task: EvaluationTask): EvaluationResult
}

/**
 * How a backend errs. weight: a bit of a weight is wrong, and hash and payload are those of the wrong state, so that what
 * it hands out fits together and only the work done again tells. hot: as weight, in the slices that it makes one after
 * another, and not in those it redoes now and then, so that it stays on the others' chain and offers them its work.
 * hash: the state is right, its hash is not.
 */
export type WrongBit = 'weight' | 'hot' | 'hash'

/** Seen in a payload's eight bits beside changes a hundred times as large, and in the mean of many; no more than a slice may move a weight by. */
const WRONG_BIT = 2 ** 17

function erred (kind: WrongBit, before: ModelState, result: SliceResult): SliceResult {
  if (kind === 'hash') return { ...result, stateHash: result.stateHash.map((b, i) => i === 0 ? b ^ 1 : b) }
  const [first, ...others] = result.state.weights
  const state: ModelState = { ...result.state, weights: [first.map((w, i) => i === 0 ? w ^ WRONG_BIT : w), ...others] }
  const payload = encodePayload(before, state)
  return { ...result, state, stateHash: stateHash(state), payload, payloadDigest: payloadDigest(payload) }
}

const hashes = new WeakMap<ModelState, { readonly bytes: Uint8Array, readonly name: string }>()

function hashOf (state: ModelState): { readonly bytes: Uint8Array, readonly name: string } {
  let known = hashes.get(state)
  if (known === undefined) {
    const bytes = stateHash(state)
    hashes.set(state, known = { bytes, name: toHex(bytes) })
  }
  return known
}

/** The newest `kept` answers by name. */
class Remembered<T> {
  readonly #known = new Map<string, T>()
  readonly #kept: number
  constructor (kept: number) { this.#kept = kept }

  get (name: string, make: () => T): T {
    let value = this.#known.get(name)
    if (value === undefined) {
      this.#known.set(name, value = make())
      if (this.#known.size > this.#kept) this.#known.delete(this.#known.keys().next().value as string)
    }
    return value
  }
}

/** Those of the page; the auditor redoes what they did by the reference (audit/replay.ts). */
const fastKernels = await createWasmKernels()

/** Each slice once. The key stands for the records, but not for the labels an enemy gives them. */
export function realKernels (): Kernels {
  const slices = new Remembered<SliceResult>(4096)
  const evaluations = new Remembered<EvaluationResult>(256)
  return {
    slice: task => slices.get(`${toHex(task.noiseKey)}/${hashOf(task.state).name}/${task.lr20}/${task.steps}/${toHex(task.labels)}`, () => {
      const state = fastKernels.runSlice(task)
      const payload = encodePayload(task.state, state)
      return { stateHash: stateHash(state), state, payload, payloadDigest: payloadDigest(payload), macs: 0, elapsedMs: 0 }
    }),
    evaluate: task => evaluations.get(`${hashOf(task.state).name}/${task.labels.length}`, () => evaluationOf(fastKernels.score(task), task.labels, task.spec.data.classes))
  }
}

/** Not training, but as deterministic: every parameter moves by a byte of the noise key's hash. */
export function standInKernels (): Kernels {
  const slices = new Remembered<SliceResult>(65_536)
  const move = (tensor: Int32Array, key: Uint8Array): Int32Array => tensor.map((w, i) => w + (key[i % 32] & 63) - 31)
  return {
    slice: task => slices.get(`${toHex(task.noiseKey)}/${hashOf(task.state).name}`, () => {
      const key = hash('sim-slice', task.noiseKey)
      const state: ModelState = { ...task.state, weights: task.state.weights.map(w => move(w, key)), biases: task.state.biases.map(b => move(b, key)) }
      const payload = encodePayload(task.state, state)
      return { stateHash: key, state, payload, payloadDigest: payloadDigest(payload), macs: 0, elapsedMs: 0 }
    }),
    evaluate: ({ labels, spec: { data: { classes } } }) => ({ count: labels.length, correct: 0, lossBits16: 0, confusion: new Uint32Array(classes * classes) })
  }
}

interface Job { readonly ms: number, readonly start: () => void }

export interface DeviceOptions {
  readonly clock: Clock
  readonly life: Life
  readonly kernels: Kernels
  /** Cost units per second. */
  readonly costPerSecond: number
  /**
   * Share of time left for slices, whatever the tab is set to: its owner has other things for it to do,
   * at other times than anybody else. Replays do not wait for it.
   */
  readonly spared?: { readonly share: number, readonly random: Pick<Seeded, 'exponential'> }
}

/** One lane; replays before slices, as in the real pool. */
export class SimDevice implements Compute {
  readonly #o: DeviceOptions
  readonly #urgent: Job[] = []
  readonly #other: Job[] = []
  #busy = false
  #waiting: Array<() => void> = []
  #duty = 1
  #begun = false
  /** No slice starts before it; the clock's ms. */
  #restUntil = 0
  #restEnds = 0
  /** Faults. */
  lost = false
  slowness = 1
  wrongBit: WrongBit | undefined
  /** Told every result that is not what it should be. */
  onWrong: (result: Pick<SliceResult, 'payload' | 'payloadDigest' | 'stateHash'>) => void = () => {}
  /** Virtual ms of work done, by kind. */
  minedMs = 0
  replayedMs = 0
  slices = 0
  replays = 0

  constructor (o: DeviceOptions) { this.#o = o }

  async ready (): Promise<void> {
    if (!this.#isIdle()) await new Promise<void>(resolve => { this.#waiting.push(resolve) })
  }

  async runSlice (task: SliceTask, priority: Priority): Promise<SliceResult> {
    const ms = sliceCost(task.spec) * (task.steps / task.spec.stepsPerSlice) / this.#o.costPerSecond * 1000 * this.slowness
    await this.#turn(ms, priority)
    if (this.lost) throw new Error('the device was lost')
    if (priority === 'slice') { this.minedMs += ms; this.slices++ } else { this.replayedMs += ms; this.replays++ }
    const result = { ...this.#o.kernels.slice(task), elapsedMs: ms }
    if (this.wrongBit === undefined || (this.wrongBit === 'hot' && priority !== 'slice')) return result
    const wrong = erred(this.wrongBit, task.state, result)
    this.onWrong(wrong)
    return wrong
  }

  async evaluate (task: EvaluationTask): Promise<EvaluationResult> { return this.#o.kernels.evaluate(task) }
  async predict (): Promise<PredictionResult> { throw new Error('nobody predicts in a simulated world') }
  async stateHash (state: ModelState): Promise<Uint8Array> { return hashOf(state).bytes }

  async status (): Promise<ComputeStatus> {
    return { backend: 'reference', workers: 1, workersMax: 1, busy: this.#busy ? 1 : 0, stepsPerSecond: 0, macsPerSecond: 0, selfTest: 'passed', choice: 'auto', reports: [] }
  }

  async setLimits (_: number, duty: number): Promise<void> { this.#duty = duty }
  async setBackend (): Promise<void> { /* There is one. */ }
  async stop (): Promise<void> { /* What is under way ends unseen. */ }

  async #turn (ms: number, priority: Priority): Promise<void> {
    await new Promise<void>(resolve => {
      const job = { ms, start: resolve }
      const lane = priority === 'replay' ? this.#urgent : this.#other
      lane.push(job)
      if (priority === 'background') this.#hurryLater(job)
      // It was opened in the midst of something else.
      if (priority === 'slice' && !this.#begun) {
        this.#begun = true
        this.#spare(ms)
      }
      this.#next()
    })
  }

  #hurryLater (job: Job): void {
    this.#o.clock.after(BACKGROUND_WAIT_MS, () => {
      const at = this.#other.indexOf(job)
      if (at === -1) return
      this.#other.splice(at, 1)
      this.#urgent.push(job)
      this.#next()
    })
  }

  #isIdle (): boolean { return !this.#busy && this.#urgent.length === 0 && this.#other.length === 0 && this.#o.clock.now() >= this.#restUntil }

  #next (): void {
    if (this.#busy) return
    const { clock } = this.#o
    const urgent = this.#urgent.shift()
    // As in the real pool: after any work a rest in proportion, for which replays do not wait.
    if (urgent === undefined && clock.now() < this.#restUntil) return
    const job = urgent ?? this.#other.shift()
    if (job === undefined) {
      for (const resolve of this.#waiting.splice(0)) resolve()
      return
    }
    this.#busy = true
    clock.after(job.ms, () => {
      this.#busy = false
      if (this.#duty < 1) this.#rest(job.ms * (1 / this.#duty - 1), urgent !== undefined)
      if (urgent === undefined) this.#spare(job.ms)
      job.start()
      this.#next()
    })
  }

  /** Of one length for all, tabs opened together would mine in turns with long silence between. */
  #spare (ms: number): void {
    const { spared } = this.#o
    if (spared !== undefined) this.#rest(spared.random.exponential(ms * (1 / spared.share - 1)), false)
  }

  #rest (ms: number, replay: boolean): void {
    const { clock } = this.#o
    const now = clock.now()
    if (!replay || this.#restEnds === 0) this.#restEnds = now + Math.max(ms, REST_MAX_MS)
    const until = this.#restUntil = Math.min(Math.max(now, this.#restUntil) + ms, this.#restEnds)
    if (until <= now) return
    clock.after(until - now, () => {
      if (this.#restUntil !== until) return
      this.#restUntil = 0
      this.#next()
    })
  }
}
