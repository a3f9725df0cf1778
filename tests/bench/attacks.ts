/**
 * What the shortcuts are worth that are known. A kernel here takes as long for a hostile job as for
 * an honest one, so what an attacker's own kernel would save is counted: sums whose outcome is known
 * beforehand. What is timed is what the price of a slice depends on, its shape.
 */
import { type GoldenInput, goldenTask } from '../../src/compute/golden.ts'
import { createInlineCompute } from '../../src/compute/inline.ts'
import { OP_ADD, OP_AVERAGE_POOL, OP_CONV, OP_MAX_POOL, OP_NORM, type Model, type Op } from '../../src/core/codec/jobSpec.ts'
import { sliceCost, stepCost } from '../../src/core/training/cost.ts'
import { mlp, opOf } from '../../src/core/training/shape.ts'
import type { Compute, SliceTask } from '../../src/ports/compute.ts'
import { deadTask, hostileTask, learnedState, outputErrorZeros, run, shareOf, spec, task, template } from '../compute/attackKit.ts'
import { median, type Measurement, summary } from './measure.ts'

const ROUNDS = 5
/** Cost units of a timed slice, about: long enough that its own end is small beside it. */
const UNITS = 300_000_000

const conv = (units: number, kernel: number, rest: Partial<Op> = {}): Partial<Op> => ({ kind: OP_CONV, units, kernel, stride: 1, groups: 1, relu: 1, ...rest })
const pool = (kernel: number, stride: number, kind = OP_MAX_POOL): Partial<Op> => ({ kind, kernel, stride })
const add = (b: number): Partial<Op> => ({ kind: OP_ADD, b, relu: 1 })
const norm: Partial<Op> = { kind: OP_NORM, relu: 1 }
const ten: Partial<Op> = { units: 10 }

/** Each operation reads what the one before wrote. */
const net = (channels: number, side: number, ...ops: ReadonlyArray<Partial<Op>>): Model =>
  ({ channels, height: side, width: side, ops: ops.map((op, i) => opOf({ a: i, ...op })) })
const depthwise = conv(16, 3, { padding: 1, groups: 16 })

/** The benchmark first; then narrow and wide, shallow and deep, small and large batches, and one net for each kind of operation. */
const SHAPES: ReadonlyArray<readonly [layers: readonly number[] | Model, batch: number, name?: string]> = [
  [[784, 64, 32, 10], 32],
  [[784, 64, 32, 10], 16],
  [[784, 64, 32, 10], 256],
  [[784, 128, 64, 10], 64],
  [[784, 10], 32],
  [[4096, 64, 10], 64],
  [[64, 256, 256, 10], 16],
  [[64, 512, 512, 10], 256],
  [[16, 16, 4], 16],
  [[16, 4096, 4], 16],
  [[64, 64, 64, 64, 64, 64, 64, 64, 10], 32],
  [net(1, 28, conv(8, 5), pool(2, 2), conv(16, 5), pool(2, 2), { units: 64, relu: 1 }, ten), 64, 'LeNet'],
  [net(3, 16, conv(64, 3, { padding: 1 }), conv(64, 3, { padding: 1 }), pool(4, 4), ten), 16, 'wide convolutions'],
  [net(3, 16, conv(16, 3, { padding: 1 }), norm, conv(16, 3, { padding: 1 }), norm, add(2), pool(4, 4, OP_AVERAGE_POOL), ten), 32, 'residual'],
  [net(16, 16, depthwise, depthwise, depthwise, depthwise, pool(4, 4), ten), 16, 'depthwise'],
  [net(3, 32, conv(3, 3, { groups: 3 }), ten), 64, 'depthwise on the input'],
  [net(56, 8, conv(56, 3, { padding: 1, groups: 8 }), conv(56, 3, { padding: 1, groups: 8 }), ten), 16, 'groups of seven'],
  [net(1, 64, conv(1, 7, { padding: 3 }), ten), 16, 'one wide window'],
  [net(1, 64, conv(8, 1), norm, norm, norm, norm, pool(8, 8), ten), 16, 'norms'],
  [net(1, 64, conv(8, 1), norm, add(1), norm, add(3), pool(8, 8), ten), 16, 'sums'],
  [net(1, 64, conv(8, 1), pool(3, 1), pool(3, 1), pool(3, 1), pool(8, 8), ten), 16, 'pools that overlap'],
  [net(1, 64, pool(4, 4), ten), 16, 'a pool of the input'],
  [net(16, 7, conv(16, 7, { padding: 0, groups: 16 }), norm, norm, ten), 16, 'one position']
]

/** Milliseconds of processor time: what else the machine does must not look like a shortcut. */
async function cpuMs (compute: Compute, t: SliceTask): Promise<number> {
  const before = process.cpuUsage()
  await compute.runSlice(t, 'slice')
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

const single = (name: string, unit: string, value: number): Measurement => ({ name, unit, median: value, min: value, runs: 1 })

async function perCostUnit (compute: Compute): Promise<number[][]> {
  const tasks = SHAPES.map(([layers, batch]) => {
    const steps = Math.max(2, Math.min(512, Math.round(UNITS / stepCost({ ...('ops' in layers ? layers : mlp(layers)), batch }))))
    return goldenTask({ name: '', layers, batch, steps, inputNoise: 16, lr20: 1049, seed: 1, state: 'initial', inputs: 'random' })
  })
  const ns: number[][] = tasks.map(() => [])
  for (let round = 0; round <= ROUNDS; round++) {
    // In turns, so that what else the machine does falls on all of them; the first round warms up.
    for (const [i, t] of tasks.entries()) {
      const ms = await cpuMs(compute, t)
      if (round > 0) ns[i].push(ms * 1e6 / sliceCost({ ...t.spec, stepsPerSlice: t.steps }))
    }
  }
  return ns
}

async function shapeShopping (compute: Compute): Promise<Measurement[]> {
  const results = (await perCostUnit(compute)).map((ns, i) => {
    const [layers, batch, name] = SHAPES[i]
    return summary(`slice ${'ops' in layers ? name : layers.join('-')}, batch ${batch}`, 'ns/cost unit', ns)
  })
  const [benchmark] = results
  // The least of the runs is the least disturbed one.
  const least = results.map(r => r.min)
  return [
    ...results.map((r, i) => i === 0 ? r : { ...r, peer: benchmark.name, ratio: benchmark.median / r.median }),
    single('cheapest shape against the benchmark', 'times', benchmark.min / Math.min(...least)),
    single('cheapest shape against the dearest', 'times', Math.max(...least) / Math.min(...least))
  ]
}

/** A slice of one step against a step of a whole slice: what running step 0 alone would have saved, had it a ticket. */
async function firstStep (compute: Compute): Promise<Measurement[]> {
  const of = (steps: number, inputs: GoldenInput['inputs'] = 'random', state: GoldenInput['state'] = 'initial'): SliceTask =>
    goldenTask({ name: '', layers: [784, 64, 32, 10], batch: 32, steps, inputNoise: 16, lr20: 1049, seed: 1, state, inputs })
  const whole: number[] = []
  const first: number[] = []
  const zero: number[] = []
  for (let round = 0; round < 4 * ROUNDS; round++) {
    whole.push(await cpuMs(compute, of(32)) / 32)
    first.push(await cpuMs(compute, of(1)))
    zero.push(await cpuMs(compute, of(32, 'zero', 'zero')) / 32)
  }
  const honest = summary('a step of an honest slice', 'ms', whole)
  return [
    honest,
    { ...summary('step 0 alone, with the end of a slice', 'ms', first), peer: honest.name, ratio: honest.median / median(first) },
    { ...summary('a step on zero records from zero weights', 'ms', zero), peer: honest.name, ratio: honest.median / median(zero) }
  ]
}

/** Sums that need not be computed, in jobs that were made for it and in one that has been learned. */
function foreseen (): Measurement[] {
  const learned = task(template, 0, learnedState())
  const { rows } = outputErrorZeros(run(learned).traces, spec.batch, 10)
  const dead = deadTask([30, 1, 40, 30, 10])
  const behind = run(dead).state.weights.slice(1).map((tensor, l) => shareOf(dead.state.weights[l + 1], tensor, (from, to) => from === to))
  const alike = hostileTask([64, 2], 256, 1)
  const known = shareOf(alike.state.weights[0], run(alike).state.weights[0], (from, to) => Math.abs(to - from) === alike.steps * 256)
  return [
    single('learned data: samples without any output error', '% of rows', 100 * rows),
    single('dead layer: weights behind it that do not move', '%', 100 * Math.max(...behind)),
    single('one class, least rate: weights that end where foreseen', '%', 100 * known)
  ]
}

export async function benchAttacks (): Promise<Measurement[]> {
  const compute = await createInlineCompute('wasm')
  return [...await shapeShopping(compute), ...await firstStep(compute), ...foreseen()]
}
