/** The pool as a tab has it: module workers of the real entry file. */
import { type GoldenInput, type GoldenSlice, goldenTask } from '../../../src/compute/golden.ts'
import { createComputePool } from '../../../src/compute/pool.ts'
import { fromWebWorker } from '../../../src/compute/webWorker.ts'
import { toHex } from '../../../src/core/codec/ssz.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { ComputeStatus } from '../../../src/ports/compute.ts'

declare global {
  interface Window { computeTest: typeof api }
}

const clock: Clock = {
  now: () => performance.now(),
  after: (ms, fn) => {
    const timer = setTimeout(fn, ms)
    return () => { clearTimeout(timer) }
  }
}

const workers: Worker[] = []
const pool = createComputePool({
  spawn: () => {
    const worker = new Worker(new URL('../../../workers/compute.worker.ts', import.meta.url), { type: 'module' })
    workers.push(worker)
    return fromWebWorker(worker)
  },
  backend: 'wasm', workersMax: 16, workers: 1, duty: 1, clock
})

async function run (golden: GoldenInput): Promise<Pick<GoldenSlice, 'stateHash' | 'payloadDigest' | 'correct' | 'lossBits16'>> {
  const compute = await pool
  const task = goldenTask(golden)
  const { stateHash, payloadDigest, state } = await compute.runSlice(task, 'slice')
  const { correct, lossBits16 } = await compute.evaluate({ spec: task.spec, state, inputs: task.inputs, labels: task.labels })
  return { stateHash: toHex(stateHash), payloadDigest: toHex(payloadDigest), correct, lossBits16 }
}

const api = {
  run,
  status: async (): Promise<ComputeStatus> => (await pool).status(),
  /** The same slice by as many workers at once as a tab may have. */
  runWithAll: async (golden: GoldenInput) => {
    const compute = await pool
    const { workersMax } = await compute.status()
    await compute.setLimits(workersMax, 1)
    const results = await Promise.all(Array.from({ length: 2 * workersMax }, () => run(golden)))
    const { workers: used } = await compute.status()
    await compute.setLimits(1, 1)
    return { used, results }
  },
  /** An uncaught error in the thread, as a kernel that runs out of memory has it; then the slice. */
  crashThenRun: async (golden: GoldenInput) => {
    const before = workers.length
    const result = run(golden)
    workers[before - 1].dispatchEvent(new ErrorEvent('error', { message: 'out of memory' }))
    return { result: await result, replaced: workers.length - before }
  }
}

window.computeTest = api
