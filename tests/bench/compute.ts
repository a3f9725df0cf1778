/**
 * Kernels: the exact step beside float Adam in TensorFlow.js on the same shape, in turns within one
 * run, so that what else the machine does falls on all of them; and what a MAC and a parameter take,
 * which is where COST_PER_PARAMETER comes from.
 */
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import '@tensorflow/tfjs-backend-cpu'
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm'
import { type GoldenInput, goldenTask } from '../../src/compute/golden.ts'
import { createInlineCompute } from '../../src/compute/inline.ts'
import { referenceKernels } from '../../src/compute/reference/referenceKernels.ts'
import { createWasmKernels } from '../../src/compute/wasm/wasmKernels.ts'
import { OP_CONV } from '../../src/core/codec/jobSpec.ts'
import { COST_PER_PARAMETER } from '../../src/core/params.ts'
import { sliceCost, stepMacs } from '../../src/core/training/cost.ts'
import { mlp, shapeOf } from '../../src/core/training/shape.ts'
import type { Compute, Priority, SliceTask } from '../../src/ports/compute.ts'
import { ensureChromium } from '../../scripts/ensure-chromium.mjs'
import { floatTrainer } from './floats.ts'
import { reportInChromium, serveReport } from './gpu/chromium.ts'
import { type Measurement, summary } from './measure.ts'
import { BENCH_MODELS, type BenchModel } from './models.ts'

const ROUNDS = 15
/** Short and many: the two are to differ by a few percent at most. */
const REPLAY_STEPS = 16
const REPLAY_ROUNDS = 80

const taskFor = (layers: GoldenInput['layers'], batch: number, steps: number, inputs: GoldenInput['inputs'] = 'random'): SliceTask =>
  goldenTask({ name: 'bench', layers, batch, steps, inputNoise: 16, lr20: 1049, seed: 1, state: 'initial', inputs })

async function msOf (work: () => Promise<unknown>): Promise<number> {
  const at = performance.now()
  await work()
  return performance.now() - at
}

/** A step of the definition is slow: once is enough to see by how much. */
const REFERENCE_STEPS = 1
/** Runs of each peer; what takes a second is run less often. */
const runsFor = (ms: number): number => Math.max(3, Math.min(ROUNDS, Math.round(6000 / ms)))

/** Trainers of a model, in turns: what else the machine does falls on all of them. */
async function inTurns (trainers: ReadonlyArray<{ readonly name: string, readonly steps: number, readonly train: () => Promise<unknown> }>): Promise<Measurement[]> {
  const ms = trainers.map((): number[] => [])
  const first: number[] = []
  for (const { steps, train } of trainers) first.push(await msOf(train) / steps)
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, { steps, train }] of trainers.entries()) {
      if (round < runsFor(first[i] * steps)) ms[i].push(await msOf(train) / steps)
    }
  }
  return trainers.map(({ name }, i) => summary(name, 'ms', ms[i]))
}

async function againstFloats ({ name, model, batch, steps }: BenchModel, compute: Compute): Promise<Measurement[]> {
  const task = taskFor(model, batch, steps)
  for (let i = 0; i < 3; i++) await compute.runSlice(task, 'slice')
  const convolutional = model.ops.some(op => op.kind === OP_CONV)
  const cpu = await floatTrainer('cpu', model, batch)
  // Its backend for WASM has no gradient of a convolution's filter (tensorflow/tfjs#8474).
  const wasm = convolutional ? undefined : await floatTrainer('wasm', model, batch)
  const small = taskFor(model, batch, REFERENCE_STEPS)
  const [exact, reference, ...floats] = await inTurns([
    { name: `exact wasm step, noise and slice hash included, ${name}`, steps, train: async () => await compute.runSlice(task, 'slice') },
    { name: `exact reference step, ${name}`, steps: REFERENCE_STEPS, train: async () => referenceKernels.runSlice(small) },
    { name: `tfjs-cpu float Adam step, ${name}`, steps: 1, train: async () => { await cpu(1) } },
    ...(wasm === undefined ? [] : [{ name: `tfjs-wasm float Adam step, ${name}`, steps: 6, train: async () => { await wasm(6) } }])
  ])
  return [...[...floats, reference].map(peer => ({ ...exact, peer: peer.name, ratio: peer.median / exact.median })), reference, ...floats]
}

/** A miner's slice and a verifier's replay of it, in turns, each on an instance of its own. */
async function replayAgainstSlice (miner: Compute): Promise<Measurement[]> {
  const verifier = await createInlineCompute('wasm')
  const { model, batch } = BENCH_MODELS[0]
  const task = taskFor(model, batch, REPLAY_STEPS)
  const run = async (compute: Compute, priority: Priority): Promise<number> => await msOf(async () => compute.runSlice(task, priority))
  const slices: number[] = []
  const replays: number[] = []
  for (let i = 0; i < 5; i++) await run(verifier, 'replay')
  for (let round = 0; round < REPLAY_ROUNDS; round++) {
    // Whoever goes first finds the caches as the other left them.
    if (round % 2 === 0) slices.push(await run(miner, 'slice'))
    replays.push(await run(verifier, 'replay'))
    if (round % 2 === 1) slices.push(await run(miner, 'slice'))
  }
  const slice = summary(`slice of ${REPLAY_STEPS} steps`, 'ms', slices)
  const replay = summary(`replay of a slice of ${REPLAY_STEPS} steps`, 'ms', replays)
  return [{ ...replay, peer: slice.name, ratio: slice.median / replay.median }, slice]
}

const SHAPES = [[784, 128, 64, 10], [784, 64, 32, 10], [256, 256, 256, 10], [784, 32, 10], [64, 64, 64, 64, 10]]
const BATCHES = [16, 32, 64, 256]
/** A run this short often fits between two interruptions; the least of many is the undisturbed time. */
const RUN_MACS = 5e7
const CALIBRATION_MS = 400

interface Point { readonly macs: number, readonly parameters: number, readonly costPerStep: number, readonly ns: number }

async function points (): Promise<Point[]> {
  const kernels = await createWasmKernels()
  return SHAPES.flatMap(layers => BATCHES.map(batch => {
    const macs = stepMacs({ ...mlp(layers), batch })
    const { parameters } = shapeOf(mlp(layers))
    const steps = Math.max(2, Math.min(32, Math.floor(RUN_MACS / (macs + COST_PER_PARAMETER * parameters))))
    const task = taskFor(layers, batch, steps)
    let best = Infinity
    const end = performance.now() + CALIBRATION_MS
    do {
      const at = performance.now()
      kernels.runSlice(task)
      best = Math.min(best, performance.now() - at)
    } while (performance.now() < end)
    return { macs, parameters, costPerStep: sliceCost(task.spec) / steps, ns: best * 1e6 / steps }
  }))
}

/** Least squares of ns = a MACs + b parameters, every point weighing the same in relative terms. */
function fit (all: readonly Point[]): { perMac: number, perParameter: number } {
  let mm = 0; let mp = 0; let pp = 0; let m1 = 0; let p1 = 0
  for (const { macs, parameters, ns } of all) {
    const m = macs / ns
    const p = parameters / ns
    mm += m * m; mp += m * p; pp += p * p; m1 += m; p1 += p
  }
  const determinant = mm * pp - mp * mp
  return { perMac: (m1 * pp - p1 * mp) / determinant, perParameter: (p1 * mm - m1 * mp) / determinant }
}

async function calibration (): Promise<Measurement[]> {
  const all = await points()
  const { perMac, perParameter } = fit(all)
  const one = (name: string, unit: string, value: number): Measurement => ({ name, unit, median: value, min: value, runs: all.length })
  const perUnit = summary('time of a cost unit over shapes and batches 16 to 256', 'ns', all.map(p => p.ns / p.costPerStep))
  return [
    one('time of a MAC (fit)', 'ns', perMac),
    one('time of a parameter (fit)', 'ns', perParameter),
    one(`a parameter in MACs (fit; COST_PER_PARAMETER is ${COST_PER_PARAMETER})`, 'MAC', perParameter / perMac),
    perUnit,
    // How much cheaper than the middle the cheapest shape is: what choosing one's shape could gain.
    { ...one('dearest fair price: middle over cheapest cost unit', 'x', perUnit.median / perUnit.min), runs: all.length },
    one('cost units per second, one core', '1/s', 1e9 / perUnit.median)
  ]
}

/** Time of one model on the GPU, ms: a software adapter takes seconds for a step. */
const GPU_MS = 1_000

/** The exact WebGPU step beside TensorFlow.js's, both on the adapter that a Chromium finds here; its name is in theirs. */
async function againstWebgpuFloats (): Promise<Measurement[]> {
  await ensureChromium()
  const served = await serveReport()
  try {
    const { adapter, times, floats } = await reportInChromium(served, { models: 0, seed: 1, ms: GPU_MS, floats: true }, false, line => { process.stderr.write(`  ${line}\n`) })
    const on = `on ${[adapter.vendor, adapter.architecture, adapter.isFallbackAdapter ? '(software)' : ''].filter(word => word !== '').join(' ')}`
    return BENCH_MODELS.flatMap(({ name }): Measurement[] => {
      const float = floats.find(one => 'model' in one && one.model === name)
      const peers = float === undefined || !('model' in float) ? [] : [{ name: `tfjs-webgpu float Adam step, ${name}, ${on}`, unit: 'ms', median: float.stepMs, min: float.bestStepMs, runs: 1 }]
      const exact = times.filter(time => time.model === name && time.backend !== 'wasm').map(time => {
        if (!time.equal) throw new Error(`${time.backend} does not give the bits of wasm on ${name}`)
        const [peer] = peers
        return { name: `exact ${time.backend} products step, ${name}, ${on}`, unit: 'ms', median: time.stepMs, min: time.bestStepMs, runs: 1, ...(peer === undefined ? {} : { peer: peer.name, ratio: peer.median / time.stepMs }) }
      })
      return [...exact, ...peers]
    })
  } finally {
    await served.stop()
  }
}

export async function benchCompute (): Promise<Measurement[]> {
  const compute = await createInlineCompute('wasm')
  const { backend, failure } = await compute.status()
  if (backend !== 'wasm') throw new Error(`the wasm kernels are not in use: ${failure ?? ''}`)
  setWasmPaths(`${dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm'))}/`)
  // Its advice to install another package is not for this comparison.
  const warn = console.warn
  console.warn = () => {}
  const results: Measurement[] = []
  for (const model of BENCH_MODELS) results.push(...await againstFloats(model, compute))
  console.warn = warn
  return [...results, ...await replayAgainstSlice(compute), ...await calibration(), ...await againstWebgpuFloats()]
}
