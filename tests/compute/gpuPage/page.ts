/** The WebGPU kernels in a page, where tests can hold their device; and in the app's own workers. */
import fc from 'fast-check'
import { Engine, KERNELS, openEngine, type Registry } from '../../../src/compute/engine.ts'
import { type GoldenInput, type GoldenSlice, goldenTask } from '../../../src/compute/golden.ts'
import { useFastHash } from '../../../src/compute/hasher.ts'
import { hash } from '../../../src/core/crypto/hash.ts'
import type { SyncKernels } from '../../../src/compute/kernels.ts'
import type { WorkerLike } from '../../../src/compute/messages.ts'
import { createComputePool } from '../../../src/compute/pool.ts'
import { referenceKernels } from '../../../src/compute/reference/referenceKernels.ts'
import { runGolden } from '../../../src/compute/selfTest.ts'
import { serve } from '../../../src/compute/service.ts'
import { createWasmKernels } from '../../../src/compute/wasm/wasmKernels.ts'
import type { DotPath } from '../../../src/compute/webgpu/prelude.ts'
import { createWebgpuKernels, type WebgpuKernels } from '../../../src/compute/webgpu/webgpuKernels.ts'
import { fromWebWorker } from '../../../src/compute/webWorker.ts'
import { toHex } from '../../../src/core/codec/ssz.ts'
import { stateHash } from '../../../src/core/training/stateHash.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { BackendChoice, ComputeStatus, SliceTask } from '../../../src/ports/compute.ts'
import { describeModel, modelCases } from '../models.ts'

declare global {
  interface Window { gpuTest: typeof api }
}

type Results = Pick<GoldenSlice, 'stateHash' | 'payloadDigest' | 'correct' | 'lossBits16'>

const clock: Clock = {
  now: () => performance.now(),
  after: (ms, fn) => {
    const timer = setTimeout(fn, ms)
    return () => { clearTimeout(timer) }
  }
}

const opened = new Map<DotPath, Promise<WebgpuKernels>>()
const kernelsOf = (dot: DotPath): Promise<WebgpuKernels> => {
  const known = opened.get(dot) ?? createWebgpuKernels({ dot })
  opened.set(dot, known)
  return known
}

/** Everything of a slice and of its evaluation, in words that differ when a bit does. */
async function bits (kernels: SyncKernels | WebgpuKernels, task: SliceTask): Promise<string> {
  await useFastHash()
  const state = await kernels.runSlice(task)
  const { spec, inputs, labels } = task
  const { distance, sum, probability } = await kernels.score({ spec, state, inputs, labels })
  return `${toHex(stateHash(state))} ${toHex(hash('tensor', new Uint8Array(distance.buffer), new Uint8Array(sum.buffer), new Uint8Array(probability.buffer)))}`
}

/** Random models with random tasks: how many, and the first that two backends do not agree on. */
async function random (dot: DotPath, seed: number, models: number): Promise<{ equal: number, first?: string, kinds: number[] }> {
  const gpu = await kernelsOf(dot)
  const cases = fc.sample(fc.record({
    one: modelCases,
    steps: fc.integer({ min: 1, max: 4 }),
    state: fc.constantFrom('initial', 'initial', 'initial', 'saturated', 'zero'),
    inputs: fc.constantFrom('random', 'random', 'full', 'zero'),
    inputNoise: fc.constantFrom(0, 1, 16, 32),
    lr20: fc.constantFrom(1, 1049, 65535)
  }), { seed, numRuns: models })
  const kinds = new Array<number>(9).fill(0)
  let equal = 0
  for (const [i, { one: { model, batch }, ...rest }] of cases.entries()) {
    const input = { name: `${i}`, layers: model, batch, seed: i + 1, ...rest } as GoldenInput
    for (const { kind } of model.ops) kinds[kind]++
    const task = goldenTask(input)
    if (await bits(gpu, task) === await bits(referenceKernels, task)) equal++
    else return { equal, kinds, first: `model ${i} of seed ${seed}: ${describeModel(model)}, batch ${batch}, ${JSON.stringify(rest)}` }
  }
  return { equal, kinds }
}

/** The pool and the engine in this thread, on devices that the test can take away. */
async function poolHere (registry: Registry, choice: BackendChoice): ReturnType<typeof createComputePool> {
  const spawn = (): WorkerLike => {
    let reply: Parameters<WorkerLike['listen']>[0] = () => {}
    let gone = false
    const handle = serve(message => { if (!gone) reply(message) }, async (backend, _, now, given) => await openEngine(backend, registry, now, given))
    return { post: request => { void handle(request) }, listen: onReply => { reply = onReply }, terminate: () => { gone = true } }
  }
  return await createComputePool({ spawn, backend: choice, workersMax: 1, workers: 1, duty: 1, clock })
}

const poolOfWorkers = (choice: BackendChoice): ReturnType<typeof createComputePool> => createComputePool({
  spawn: () => fromWebWorker(new Worker(new URL('../../../workers/compute.worker.ts', import.meta.url), { type: 'module' })),
  backend: choice, workersMax: 2, workers: 2, duty: 1, clock
})

const api = {
  adapter: async () => {
    const adapter = await navigator.gpu?.requestAdapter()
    return { found: adapter != null, software: adapter?.info.isFallbackAdapter, dot4: navigator.gpu?.wgslLanguageFeatures.has('packed_4x8_integer_dot_product') }
  },
  golden: async (dot: DotPath, golden: GoldenInput): Promise<Results> => await runGolden(await kernelsOf(dot), golden),
  random,
  /** The same slice on all three. */
  three: async (golden: GoldenInput) => {
    const task = goldenTask(golden)
    return { webgpu: await bits(await kernelsOf('packed'), task), wasm: await bits(await createWasmKernels(), task), reference: await bits(referenceKernels, task) }
  },
  /** Scores of so many records, at once on the reference and as the GPU cuts them. */
  evaluation: async (golden: GoldenInput, records: number) => {
    const { spec, state, inputs, labels } = goldenTask(golden)
    const features = inputs.length / labels.length
    const task = { spec, state, inputs: inputs.subarray(0, records * features), labels: labels.subarray(0, records) }
    const [got, want] = [await (await kernelsOf('packed')).score(task), referenceKernels.score(task)]
    return (['distance', 'sum', 'probability'] as const).every(field => got[field].length === want[field].length && got[field].every((x, i) => x === want[field][i]))
  },
  /** A device that is right but for one bit of one weight. */
  planted: async () => {
    const gpu = await kernelsOf('packed')
    const engine = await openEngine('auto', {
      ...KERNELS,
      webgpu: async () => ({
        backend: 'webgpu',
        score: async task => await gpu.score(task),
        runSlice: async task => {
          const state = await gpu.runSlice(task)
          // Only where the optimiser has left its warm-up.
          if (task.steps >= 128) state.weights[0][0] ^= 1
          return state
        }
      })
    })
    return { backend: engine.backend, failure: engine.failure, reports: engine.reports }
  },
  /** The device is destroyed in the middle of a slice, so many times in a row. */
  lost: async (times: number, golden: GoldenInput) => {
    let left = times
    let openings = 0
    const pool = await poolHere({
      ...KERNELS,
      webgpu: async () => {
        openings++
        const kernels = await createWebgpuKernels()
        let slices = 0
        return {
          backend: 'webgpu',
          score: async task => await kernels.score(task),
          runSlice: async task => {
            const result = kernels.runSlice(task)
            // Not while it is still being tested.
            if (task.steps === golden.steps && slices++ === 0 && left-- > 0) setTimeout(() => { kernels.gpu.device.destroy() }, 1)
            return await result
          }
        }
      }
    }, 'webgpu')
    const { stateHash } = await pool.runSlice(goldenTask(golden), 'slice')
    const status = await pool.status()
    await pool.stop()
    return { stateHash: toHex(stateHash), openings, status }
  },
  /** A model that the device has no room for. */
  tooLarge: async (golden: GoldenInput) => {
    const engine: Engine = await openEngine('webgpu', {
      ...KERNELS,
      webgpu: async () => {
        const kernels = await createWebgpuKernels()
        return {
          backend: 'webgpu',
          score: async task => await kernels.score(task),
          runSlice: async task => {
            if (task.steps === golden.steps) throw new Error('the model needs a buffer of 9000 MB, the device has at most 1024')
            return await kernels.runSlice(task)
          }
        }
      }
    })
    const { stateHash } = await engine.runSlice(goldenTask(golden))
    return { stateHash: toHex(stateHash), backend: engine.backend, reports: engine.reports }
  },
  /** In the worker that the app starts. */
  worker: async (choice: BackendChoice, golden: GoldenInput): Promise<{ stateHash: string, status: ComputeStatus }> => {
    const pool = await poolOfWorkers(choice)
    const { stateHash } = await pool.runSlice(goldenTask(golden), 'slice')
    const status = await pool.status()
    await pool.stop()
    return { stateHash: toHex(stateHash), status }
  }
}

window.gpuTest = api
