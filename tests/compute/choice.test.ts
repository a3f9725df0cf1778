/** Which backend works: the fastest of those that are right, per model, by a clock that the test turns. */
import { describe, expect, test } from 'vitest'
import { type Engine, openEngine, type Registry } from '../../src/compute/engine.ts'
import { DeviceLost, type Kernels } from '../../src/compute/kernels.ts'
import { referenceKernels } from '../../src/compute/reference/referenceKernels.ts'
import type { BackendChoice, BackendName, SliceTask } from '../../src/ports/compute.ts'
import { hashOf, task } from './tasks.ts'

class Rig {
  nowMs = 0
  closed: BackendName[] = []
  slices: BackendName[] = []
  /** Thrown by the next slices of webgpu. */
  fails: Error | undefined

  /** The reference under another name, a step taking so many ms of this clock. */
  kernels (backend: BackendName, stepMs: (task: SliceTask) => number): Kernels {
    return {
      backend,
      runSlice: async slice => {
        if (backend === 'webgpu' && this.fails !== undefined) throw this.fails
        this.nowMs += slice.steps * stepMs(slice)
        this.slices.push(backend)
        return referenceKernels.runSlice(slice)
      },
      score: async evaluation => referenceKernels.score(evaluation),
      close: () => { this.closed.push(backend) }
    }
  }

  async open (choice: BackendChoice, webgpu: (task: SliceTask) => number, wasm: (task: SliceTask) => number = () => 1, rest: Registry = {}): Promise<Engine> {
    const engine = await openEngine(choice, {
      reference: async () => referenceKernels, wasm: async () => this.kernels('wasm', wasm), webgpu: async () => this.kernels('webgpu', webgpu), ...rest
    }, () => this.nowMs)
    this.slices = []
    return engine
  }
}

const batch = (slice: SliceTask): number => slice.spec.batch

describe('auto', () => {
  test('the faster one works, the reports say how fast each is', async () => {
    const engine = await new Rig().open('auto', () => 0.5)
    expect([engine.backend, engine.failure]).toEqual(['webgpu', undefined])
    expect(engine.reports).toMatchObject([{ backend: 'webgpu', state: 'ready', stepMs: 0.5 }, { backend: 'wasm', state: 'ready', stepMs: 1 }])
  })

  test('the loser stays in the race for other models, unless it is hopeless', async () => {
    const rig = new Rig()
    const engine = await rig.open('auto', slice => batch(slice) === 17 ? 0.1 : 7)
    expect([engine.backend, rig.closed]).toEqual(['wasm', []])
    await engine.runSlice(task([9, 5, 3], 16, 2))
    expect(engine.backend).toBe('wasm')
    await engine.runSlice(task([9, 5, 3], 17, 2))
    expect(engine.backend).toBe('webgpu')
    rig.slices = []
    await engine.runSlice(task([9, 5, 3], 17, 2))
    expect(rig.slices).toEqual(['webgpu'])

    const slow = new Rig()
    await slow.open('auto', () => 9)
    expect(slow.closed).toEqual(['webgpu'])
  })

  test('one that is not here, or wrong, is named and another works', async () => {
    const absent = await new Rig().open('auto', () => 1, undefined, { webgpu: async () => { throw new Error('no adapter') } })
    expect([absent.backend, absent.failure]).toEqual(['wasm', undefined])
    expect(absent.reports[0]).toEqual({ backend: 'webgpu', state: 'absent', failure: 'webgpu: no adapter' })
    const none = await new Rig().open('auto', () => 1, undefined, { webgpu: async () => { throw new Error('no adapter') }, wasm: async () => { throw new Error('no SIMD') } })
    expect([none.backend, none.failure]).toEqual(['reference', 'wasm: no SIMD'])
  })

  test('without an adapter, a chosen GPU is stood in for by WASM', async () => {
    const engine = await new Rig().open('webgpu', () => 1, undefined, { webgpu: async () => { throw new Error('no adapter') } })
    expect([engine.backend, engine.failure]).toEqual(['wasm', 'webgpu: no adapter'])
  })
})

describe('a model that the GPU cannot run', () => {
  test('runs on the next backend, and only that model', async () => {
    const rig = new Rig()
    const engine = await rig.open('webgpu', () => 1)
    const slice = task([9, 5, 3], 16, 2)
    rig.fails = new Error('out-of-memory error: too large')
    const { state } = await engine.runSlice(slice)
    expect(hashOf(state)).toBe(hashOf(referenceKernels.runSlice(slice)))
    expect([engine.backend, engine.failure]).toEqual(['wasm', 'webgpu: out-of-memory error: too large'])
    rig.fails = undefined
    await engine.runSlice(slice)
    expect(engine.backend).toBe('wasm')
    await engine.runSlice(task([9, 6, 3], 16, 2))
    expect(engine.backend).toBe('webgpu')
  })

  test('a lost device is not the model\'s fault', async () => {
    const rig = new Rig()
    const engine = await rig.open('webgpu', () => 1)
    rig.fails = new DeviceLost('reset')
    await expect(engine.runSlice(task([9, 5, 3], 16, 2))).rejects.toThrow(DeviceLost)
  })
})
