/**
 * What a GPU is worth here: whether its bits are right, on golden slices and random models, and what
 * a step takes beside WASM. Runs in a page and in Node; what it needs of the world are arguments.
 */
import fc from 'fast-check'
import { type GoldenInput, type GoldenSlice, goldenTask } from '../../../src/compute/golden.ts'
import { useFastHash } from '../../../src/compute/hasher.ts'
import { hash } from '../../../src/core/crypto/hash.ts'
import type { Kernels } from '../../../src/compute/kernels.ts'
import { referenceKernels } from '../../../src/compute/reference/referenceKernels.ts'
import { runGolden } from '../../../src/compute/selfTest.ts'
import { createWasmKernels } from '../../../src/compute/wasm/wasmKernels.ts'
import type { DotPath } from '../../../src/compute/webgpu/prelude.ts'
import { requestAdapter } from '../../../src/compute/webgpu/gpu.ts'
import { createWebgpuKernels } from '../../../src/compute/webgpu/webgpuKernels.ts'
import { toHex } from '../../../src/core/codec/ssz.ts'
import { stepMacs } from '../../../src/core/training/cost.ts'
import { stateHash } from '../../../src/core/training/stateHash.ts'
import type { SliceTask } from '../../../src/ports/compute.ts'
import vectors from '../../vectors/slices-v1.json'
import { describeModel, modelCases } from '../../compute/models.ts'
import { BENCH_MODELS } from '../models.ts'

export interface ReportOptions {
  readonly gpu: GPU | undefined
  /** Random models per product path. */
  readonly models: number
  /** Which random models. */
  readonly seed: number
  /** Time for the steps of one model on one backend, ms. */
  readonly budgetMs: number
  readonly say: (line: string) => void
}

export interface Time { readonly model: string, readonly backend: string, readonly stepMs: number, readonly bestStepMs: number, readonly gigaMacsPerSecond: number, readonly equal: boolean }

async function bits (kernels: Kernels, task: SliceTask): Promise<string> {
  const state = await kernels.runSlice(task)
  const { distance, sum, probability } = await kernels.score({ spec: task.spec, state, inputs: task.inputs, labels: task.labels })
  return `${toHex(stateHash(state))} ${toHex(hash('tensor', new Uint8Array(distance.buffer), new Uint8Array(sum.buffer), new Uint8Array(probability.buffer)))}`
}

async function goldens (kernels: Kernels): Promise<string[]> {
  const wrong: string[] = []
  for (const { stateHash, payloadDigest, correct, lossBits16, ...golden } of vectors.slices as unknown as readonly GoldenSlice[]) {
    const got = await runGolden(kernels, golden)
    if (got.stateHash !== stateHash || got.payloadDigest !== payloadDigest || got.correct !== correct || got.lossBits16 !== lossBits16) wrong.push(golden.name)
  }
  return wrong
}

async function randoms (kernels: Kernels, models: number, seed: number, say: (line: string) => void): Promise<{ models: number, equal: number, wrong: string[] }> {
  const cases = fc.sample(fc.record({
    one: modelCases,
    steps: fc.integer({ min: 1, max: 5 }),
    state: fc.constantFrom('initial', 'initial', 'initial', 'saturated', 'zero'),
    inputs: fc.constantFrom('random', 'random', 'full', 'zero'),
    inputNoise: fc.constantFrom(0, 1, 16, 32),
    lr20: fc.constantFrom(1, 1049, 65535)
  }), { seed, numRuns: models })
  const wrong: string[] = []
  for (const [i, { one: { model, batch }, ...rest }] of cases.entries()) {
    const task = goldenTask({ name: `${i}`, layers: model, batch, seed: i + 1, ...rest } as GoldenInput)
    if ((i + 1) % 500 === 0) say(`${i + 1} models, ${wrong.length} wrong`)
    if (await bits(kernels, task) !== await bits(referenceKernels, task)) wrong.push(`${describeModel(model)}, batch ${batch}, ${JSON.stringify(rest)}`)
  }
  return { models, equal: models - wrong.length, wrong: wrong.slice(0, 5) }
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]

/** Slices of as many steps as a tenth of the budget holds, until the budget is spent. */
async function timed (kernels: Kernels, taskOf: (steps: number) => SliceTask, budgetMs: number): Promise<{ stepMs: number, bestStepMs: number }> {
  const one = async (task: SliceTask): Promise<number> => {
    const at = performance.now()
    await kernels.runSlice(task)
    return performance.now() - at
  }
  await one(taskOf(1))
  const guess = Math.max(0.01, await one(taskOf(2)) / 2)
  const steps = Math.max(1, Math.min(256, Math.floor(budgetMs / 10 / guess)))
  const task = taskOf(steps)
  const all: number[] = []
  const end = performance.now() + budgetMs
  do all.push(await one(task) / steps)
  while (performance.now() < end)
  return { stepMs: median(all), bestStepMs: Math.min(...all) }
}

interface Equality { readonly openMs: number, readonly goldens: number, readonly goldensWrong: readonly string[], readonly random: Awaited<ReturnType<typeof randoms>> }

export interface Report {
  readonly adapter: { readonly vendor: string, readonly architecture: string, readonly device: string, readonly description: string, readonly isFallbackAdapter: boolean, readonly dot4: boolean }
  /** By product path. */
  readonly equality: Readonly<Record<string, Equality>>
  readonly times: readonly Time[]
}

/** Whether every bit was the reference's: a report of others is a failure, however fast. */
export const isRight = ({ equality, times }: Report): boolean =>
  Object.values(equality).every(e => e.goldensWrong.length === 0 && e.random.equal === e.random.models) && times.every(t => t.equal)

export async function gpuReport ({ gpu, models, seed, budgetMs, say }: ReportOptions): Promise<Report> {
  const adapter = gpu === undefined ? null : await requestAdapter(gpu)
  if (adapter === null) throw new Error('no WebGPU adapter')
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info
  const dot4 = gpu!.wgslLanguageFeatures?.has('packed_4x8_integer_dot_product') ?? false
  say(`adapter: ${[vendor, architecture, device, description].join(' ')}`)
  const paths: DotPath[] = dot4 ? ['packed', 'plain'] : ['plain']
  const equality: Record<string, Equality> = {}
  const times: Time[] = []
  await useFastHash()
  const wasm = await createWasmKernels()
  for (const dot of paths) {
    const at = performance.now()
    const kernels = await createWebgpuKernels({ dot }, gpu)
    const openMs = performance.now() - at
    const wrong = await goldens(kernels)
    say(`${dot}: opened in ${Math.round(openMs)} ms, golden slices wrong: ${wrong.length === 0 ? 'none' : wrong.join(', ')}`)
    const random = await randoms(kernels, models, seed, say)
    say(`${dot}: ${random.equal} of ${random.models} random models of seed ${seed} equal`)
    equality[dot] = { openMs, goldens: vectors.slices.length, goldensWrong: wrong, random }
    for (const { name, model, batch } of BENCH_MODELS) {
      const taskOf = (steps: number): SliceTask => goldenTask({ name, layers: model, batch, steps, inputNoise: 16, lr20: 1049, seed: 7, state: 'initial', inputs: 'random' })
      const short = taskOf(3)
      const want = toHex(stateHash(wasm.runSlice(short)))
      const all: ReadonlyArray<readonly [string, Kernels]> = [[`webgpu ${dot}`, kernels], ...(dot === paths[0] ? [['wasm', wasm] as const] : [])]
      for (const [backend, one] of all) {
        const equal = toHex(stateHash(await one.runSlice(short))) === want
        const { stepMs, bestStepMs } = await timed(one, taskOf, budgetMs)
        times.push({ model: name, backend, stepMs, bestStepMs, gigaMacsPerSecond: stepMacs(short.spec) / stepMs / 1e6, equal })
        say(`${name}, ${backend}: ${stepMs.toFixed(3)} ms a step (best ${bestStepMs.toFixed(3)}), ${equal ? 'equal' : 'NOT EQUAL'} to wasm`)
      }
    }
    kernels.close?.()
  }
  return { adapter: { vendor, architecture, device, description, isFallbackAdapter, dot4 }, equality, times }
}
