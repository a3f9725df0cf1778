/**
 * What the shortcuts are worth that are known. A kernel here takes as long for a hostile job as for
 * an honest one, so what an attacker's own kernel would save is counted: sums whose outcome is known
 * beforehand. What is timed is what the price of a slice depends on, its shape.
 */
import { type GoldenInput, goldenTask } from '../../src/compute/golden.ts'
import { createInlineCompute } from '../../src/compute/inline.ts'
import { sliceCost } from '../../src/core/training/cost.ts'
import { mlp } from '../../src/core/training/shape.ts'
import type { Compute, SliceTask } from '../../src/ports/compute.ts'
import { deadTask, hostileTask, learnedState, outputErrorZeros, run, shareOf, spec, task, template } from '../compute/attackKit.ts'
import { median, type Measurement, summary } from './measure.ts'

const ROUNDS = 5
/** Cost units of a timed slice, about: long enough that its own end is small beside it. */
const UNITS = 300_000_000

/** The benchmark first; then narrow and wide, shallow and deep, small and large batches. */
const SHAPES: ReadonlyArray<readonly [layers: readonly number[], batch: number]> = [
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
  [[64, 64, 64, 64, 64, 64, 64, 64, 10], 32]
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
    const steps = Math.max(2, Math.min(512, Math.round(UNITS / sliceCost({ ...mlp(layers), batch, stepsPerSlice: 1 }))))
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
  const results = (await perCostUnit(compute)).map((ns, i) => summary(`slice ${SHAPES[i][0].join('-')}, batch ${SHAPES[i][1]}`, 'ns/cost unit', ns))
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
