/** `cw train`: options, files, the progress bar and the closing line of JSON. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { createInlineCompute } from '../compute/inline.ts'
import { builtinDataset, type Dataset } from '../core/training/dataset.ts'
import { datasetFromIdx } from '../core/training/idx.ts'
import type { JobSpec } from '../core/codec/jobSpec.ts'
import { toHex } from '../core/codec/ssz.ts'
import { specHash } from '../core/crypto/ids.ts'
import { describeModel } from '../core/training/architectureJson.ts'
import type { FieldError } from '../core/training/fieldError.ts'
import { parseJobJson, templateErrors, toSpec } from '../core/training/jobJson.ts'
import { BACKENDS, type BackendName, type Compute } from '../ports/compute.ts'
import { idxFolder } from './idxFolder.ts'
import { decodeCheckpoint, encodeCheckpoint, firstProgress, type Progress, train } from './train.ts'

const USAGE = `npm run -s cw -- train JOB.json [--data DIR] [--backend wasm|reference] [--epochs N] [--steps N]
                           [--resume] [--checkpoint FILE] [--json]

  --data DIR         a folder of MNIST-named IDX files (.gz or not); without it, the built-in digits
  --backend B        wasm (default); webgpu, in a Chromium that it finds or installs; or reference: slow, the
                     definition of correct. All give the same state hash
  --epochs N         passes over the training records (default: the job file's max_epochs)
  --steps N          stop after N local steps; makes a short run
  --resume           go on from the checkpoint; Ctrl-C writes one
  --checkpoint FILE  where it lies (default .commonweight/<job>.checkpoint)
  --json             end with one line of JSON on stdout
`

class Refused extends Error {}

function wholeNumber (name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const n = Number(text)
  if (!Number.isInteger(n) || n < 1 || n > 100_000_000) throw new Refused(`${name}: expected a whole number above 0, got "${text}"`)
  return n
}

async function loadData (dir: string | undefined): Promise<Dataset> {
  if (dir === undefined) return builtinDataset()
  const folder = await idxFolder(dir, true)
  if (!folder.ok) throw new Refused(folder.message)
  const f = folder.value
  const data = datasetFromIdx({ trainFeatures: f['train-images'].bytes, trainLabels: f['train-labels'].bytes, testFeatures: f['t10k-images'].bytes, testLabels: f['t10k-labels'].bytes })
  if (!data.ok) throw new Refused(data.errors.map((e) => `${e.field}: ${e.message}`).join('\n'))
  return data.value
}

/** Its text; read before the data, which take seconds. */
async function readJob (path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (e) {
    throw new Refused(`${path} cannot be read: ${e instanceof Error ? e.message : String(e)}`)
  }
}

function specOf (path: string, text: string, data: Dataset, epochs: number | undefined): JobSpec {
  const job = parseJobJson(text)
  const words = (errors: readonly FieldError[]): string => errors.map((e) => `${path}${e.line === undefined ? '' : `:${e.line}`}: ${e.field}: ${e.message}`).join('\n')
  if (!job.ok) throw new Refused(words(job.errors))
  const template = epochs === undefined ? job.value : { ...job.value, maxEpochs: epochs, rounds: undefined }
  const errors = templateErrors(template, data.ref)
  if (errors.length > 0) throw new Refused(words(errors))
  for (const note of template.notes) process.stderr.write(`${path}: ${note.field}: ${note.message}\n`)
  return toSpec(template, data.ref)
}

/** Accuracy and mean cross-entropy (nats) on the held-out records. */
async function test (compute: Compute, spec: JobSpec, data: Dataset, p: Progress): Promise<{ accuracy: number, loss: number }> {
  const { trainRecords, testRecords } = spec.data
  const held = data.gather(Uint32Array.from({ length: testRecords }, (_, i) => trainRecords + i))
  const r = await compute.evaluate({ spec, state: p.state, inputs: held.inputs, labels: held.labels })
  return { accuracy: r.correct / r.count, loss: (r.lossBits16 / 65536) * Math.LN2 / r.count }
}

function bar (done: number, all: number, extra: string): void {
  if (!process.stderr.isTTY) return
  const width = 30
  const filled = Math.round(width * done / all)
  process.stderr.write(`\r${'█'.repeat(filled)}${'░'.repeat(width - filled)} ${(100 * done / all).toFixed(1).padStart(5)} %  ${extra}\x1b[K`)
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

/** Written whole or not at all: a full disk or a crash leaves the one before. */
async function save (path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(`${path}.new`, bytes)
  await rename(`${path}.new`, path)
}

/** Loaded when it is wanted: it brings a browser with it. */
async function openGpu (): Promise<Compute> {
  const { createGpuCompute } = await import('./gpuCompute.ts')
  try {
    return await createGpuCompute(text => { process.stderr.write(`${text}\n`) })
  } catch (e) {
    throw new Refused(`--backend webgpu cannot be used here: ${e instanceof Error ? e.message : String(e)}`)
  }
}

async function run (argv: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      data: { type: 'string' }, backend: { type: 'string', default: 'wasm' }, epochs: { type: 'string' }, steps: { type: 'string' },
      resume: { type: 'boolean', default: false }, checkpoint: { type: 'string' }, json: { type: 'boolean', default: false }, help: { type: 'boolean', default: false }
    }
  })
  if (values.help) { process.stdout.write(USAGE); return 0 }
  if (positionals.length !== 1) throw new Refused(`expected one job file, got ${positionals.length}\n\n${USAGE}`)
  const backend = BACKENDS.find((b) => b === values.backend) as BackendName | undefined
  if (backend === undefined) throw new Refused(`--backend: expected wasm, webgpu or reference, got "${values.backend}"`)

  const epochs = wholeNumber('--epochs', values.epochs)
  const text = await readJob(positionals[0])
  const data = await loadData(values.data)
  const spec = specOf(positionals[0], text, data, epochs)
  const compute = backend === 'webgpu' ? await openGpu() : await createInlineCompute(backend)
  const total = Math.min(wholeNumber('--steps', values.steps) ?? Number.POSITIVE_INFINITY, spec.rounds * spec.stepsPerSlice)
  const checkpoint = values.checkpoint ?? join('.commonweight', `${toHex(specHash(spec)).slice(0, 16)}.checkpoint`)
  let from: Progress | undefined
  if (values.resume) {
    const bytes = await readFile(checkpoint).catch(() => undefined)
    if (bytes === undefined) throw new Refused(`--resume: there is no checkpoint at ${checkpoint}; run without --resume first`)
    const decoded = await decodeCheckpoint(spec, bytes, compute)
    if (!decoded.ok) throw new Refused(`--resume: ${checkpoint} cannot be used: ${decoded.reason}`)
    from = decoded.value
    process.stderr.write(`going on from step ${from.steps}\n`)
  }

  let interrupted = false
  process.on('SIGINT', () => { interrupted = true })
  const stepsPerEpoch = Math.ceil(spec.data.trainRecords / spec.batch)
  let epoch = Math.floor((from?.steps ?? 0) / stepsPerEpoch)
  process.stderr.write(`${describeModel(spec)}, ${spec.data.trainRecords} records, batch ${spec.batch}, ${total} steps in slices of ${spec.stepsPerSlice}, ${backend}\n`)
  const started = Date.now()
  const done = await train({
    spec, data, compute, from, steps: total,
    stopped: () => interrupted,
    onRound: async (p) => {
      const now = Math.floor(p.steps / stepsPerEpoch)
      if (now > epoch) {
        epoch = now
        const t = await test(compute, spec, data, p)
        bar(p.steps, total, '')
        process.stderr.write(`${process.stderr.isTTY ? '\r\x1b[K' : ''}epoch ${epoch}: accuracy ${(100 * t.accuracy).toFixed(2)} %, loss ${t.loss.toFixed(4)}\n`)
      }
      bar(p.steps, total, `${((p.steps - (from?.steps ?? 0)) / ((Date.now() - started) / 1000)).toFixed(0)} steps/s`)
      // Lets a signal be heard between slices.
      await new Promise((resolve) => setImmediate(resolve))
    }
  })
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
  const stateHash = await compute.stateHash(done.state)
  if (interrupted) {
    await save(checkpoint, encodeCheckpoint(spec, done, stateHash))
    process.stderr.write(`stopped at step ${done.steps} of ${total}; go on with the same command and --resume (checkpoint: ${checkpoint})\n`)
    return 130
  }
  const result = await test(compute, spec, data, done.steps === 0 ? firstProgress(spec) : done)
  await compute.stop()
  const line = { accuracy: result.accuracy, loss: Number(result.loss.toFixed(5)), steps: done.steps, msPerStepMedian: Number(median(done.msPerStep).toFixed(4)), stateHash: toHex(stateHash) }
  if (values.json) process.stdout.write(`${JSON.stringify(line)}\n`)
  else process.stdout.write(`accuracy ${(100 * line.accuracy).toFixed(2)} %, loss ${line.loss}, ${line.steps} steps, ${line.msPerStepMedian} ms per step (median), state ${line.stateHash}\n`)
  return 0
}

export async function trainCommand (argv: readonly string[]): Promise<number> {
  try {
    return await run(argv)
  } catch (e) {
    const usage = e instanceof Error && 'code' in e && String(e.code).startsWith('ERR_PARSE_ARGS')
    if (!(e instanceof Refused) && !usage) throw e
    process.stderr.write(`${(e as Error).message}\n`)
    return 2
  }
}
