/** A plan's buffers on a device, and the submits that run it: short ones, so that a GPU that others use too is never held for long. */
import { COPY_DST, COPY_SRC, type Gpu, MAP_READ, MODE_READ, STORAGE, UNIFORM } from './gpu.ts'
import { S_SIZE } from './layout.ts'
import type { Dispatch, Plan } from './plan.ts'

/** What a submit should take, ms. Two are under way at a time. */
const SUBMIT_MS = 25
/** Until the device's speed is known, and its bounds: work per ms. */
const FIRST_SPEED = 100_000
const SPEED_MIN = 1000
const SPEED_MAX = 2 ** 40
/** What starting a dispatch costs, as work: many small ones must not become one long submit. */
const DISPATCH_WORK = 4000
const UNDER_WAY_MAX = 2

/** Work per ms of a device, measured: submits are cut by it. */
export interface Pace { speed: number }
export const newPace = (): Pace => ({ speed: FIRST_SPEED })

export class Session {
  readonly plan: Plan
  readonly bytes: GPUBuffer
  readonly ints: GPUBuffer
  readonly state: GPUBuffer
  readonly grads: GPUBuffer
  readonly #gpu: Gpu
  readonly #pace: Pace
  readonly #now: () => number
  readonly #buffers: GPUBuffer[] = []
  readonly #group: GPUBindGroup
  #encoder: GPUCommandEncoder | undefined
  #pass: GPUComputePassEncoder | undefined
  #work = 0
  #underWay: Array<Promise<void>> = []
  #doneMs = 0

  constructor (gpu: Gpu, plan: Plan, pace: Pace, now: () => number) {
    this.#gpu = gpu
    this.plan = plan
    this.#pace = pace
    this.#now = now
    this.bytes = this.#buffer(plan.bytes)
    this.ints = this.#buffer(plan.ints)
    this.state = this.#buffer(S_SIZE)
    this.grads = this.#buffer(plan.grads)
    const table = this.#buffer(plan.table.length)
    const uniforms = this.#buffer(plan.uniforms.length / 4, UNIFORM | COPY_DST)
    const { queue } = gpu.device
    queue.writeBuffer(table, 0, plan.table as Uint32Array<ArrayBuffer>)
    queue.writeBuffer(uniforms, 0, plan.uniforms as Uint8Array<ArrayBuffer>)
    this.#group = gpu.device.createBindGroup({
      layout: gpu.layout,
      entries: [
        { binding: 0, resource: { buffer: uniforms, size: 512 } },
        ...[this.bytes, this.ints, this.state, this.grads, table].map((buffer, i) => ({ binding: i + 1, resource: { buffer } }))
      ]
    })
  }

  destroy (): void {
    for (const buffer of this.#buffers) buffer.destroy()
  }

  #buffer (words: number, usage = STORAGE | COPY_SRC | COPY_DST): GPUBuffer {
    const buffer = this.#gpu.device.createBuffer({ size: Math.max(16, 4 * words), usage })
    this.#buffers.push(buffer)
    return buffer
  }

  /** Bytes at a word of the byte buffer; a length that is not whole words is filled up. */
  writeBytes (word: number, data: Uint8Array): void {
    let whole = data
    if (data.length % 4 !== 0) {
      whole = new Uint8Array(Math.ceil(data.length / 4) * 4)
      whole.set(data)
    }
    this.#gpu.device.queue.writeBuffer(this.bytes, 4 * word, whole as Uint8Array<ArrayBuffer>)
  }

  writeInts (word: number, data: Int32Array): void { this.#gpu.device.queue.writeBuffer(this.ints, 4 * word, data as Int32Array<ArrayBuffer>) }

  writeState (data: Int32Array): void { this.#gpu.device.queue.writeBuffer(this.state, 0, data as Int32Array<ArrayBuffer>) }

  clear (buffer: GPUBuffer, word: number, words: number): void {
    this.#endPass()
    this.#commands().clearBuffer(buffer, 4 * word, 4 * words)
  }

  /** Adds dispatches to the submit that is being made; sends it when it has work enough. */
  async run (dispatches: readonly Dispatch[]): Promise<void> {
    for (const { kernel, offset, grid, work } of dispatches) {
      const pass = this.#pass ??= this.#commands().beginComputePass()
      pass.setPipeline(this.#gpu.pipelines[kernel])
      pass.setBindGroup(0, this.#group, [offset])
      pass.dispatchWorkgroups(...grid)
      this.#work += work + DISPATCH_WORK
      if (this.#work >= this.#pace.speed * SUBMIT_MS) await this.submit()
    }
  }

  /** Sends what there is, and waits until not too much is under way. */
  async submit (): Promise<void> {
    this.#endPass()
    if (this.#encoder === undefined) return
    const { queue } = this.#gpu.device
    const work = this.#work
    queue.submit([this.#encoder.finish()])
    this.#encoder = undefined
    this.#work = 0
    const sentMs = this.#now()
    const done = this.#gpu.answered(queue.onSubmittedWorkDone()).then(() => {
      const now = this.#now()
      const tookMs = Math.max(0.05, now - Math.max(sentMs, this.#doneMs))
      this.#doneMs = now
      // A short submit took mostly its way there and back: it says nothing about a device being slow.
      const speed = work / tookMs
      if (speed > this.#pace.speed) this.#pace.speed = Math.min(SPEED_MAX, speed, this.#pace.speed * 2)
      else if (tookMs > SUBMIT_MS) this.#pace.speed = Math.max(SPEED_MIN, speed, this.#pace.speed / 4)
    })
    done.catch(() => {})
    this.#underWay.push(done)
    while (this.#underWay.length >= UNDER_WAY_MAX) await this.#underWay.shift()
  }

  async finish (): Promise<void> {
    await this.submit()
    while (this.#underWay.length > 0) await this.#underWay.shift()
  }

  /** Copies of parts of buffers after all that was asked for. */
  async read (parts: ReadonlyArray<{ readonly buffer: GPUBuffer, readonly word: number, readonly words: number }>): Promise<Int32Array[]> {
    this.#endPass()
    const total = parts.reduce((sum, { words }) => sum + words, 0)
    const staging = this.#gpu.device.createBuffer({ size: 4 * total, usage: MAP_READ | COPY_DST })
    try {
      const encoder = this.#commands()
      let at = 0
      for (const { buffer, word, words } of parts) {
        encoder.copyBufferToBuffer(buffer, 4 * word, staging, 4 * at, 4 * words)
        at += words
      }
      await this.finish()
      await this.#gpu.answered(staging.mapAsync(MODE_READ))
      const all = new Int32Array(staging.getMappedRange()).slice()
      at = 0
      return parts.map(({ words }) => all.slice(at, at += words))
    } finally {
      staging.destroy()
    }
  }

  #commands (): GPUCommandEncoder { return this.#encoder ??= this.#gpu.device.createCommandEncoder() }

  #endPass (): void {
    this.#pass?.end()
    this.#pass = undefined
  }
}
