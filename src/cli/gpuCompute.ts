/** Compute on the WebGPU of a Chromium, for the command line: one page does the slices, one at a time. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from '@playwright/test'
import { ensureChromium } from '../../scripts/ensure-chromium.mjs'
import { serveTestPage, type TestPage } from './builtPage.ts'
import { encodeJobSpec } from '../core/codec/jobSpec.ts'
import type { ModelState } from '../core/training/modelState.ts'
import { decodeState, stateBytes, stateHash } from '../core/training/stateHash.ts'
import type { Compute, ComputeStatus, EvaluationResult, EvaluationTask, SliceResult, SliceTask } from '../ports/compute.ts'
import type { WireTask } from './gpuPage/page.ts'

/** The machine's GPU where Chromium finds one, its own software adapter where not. */
const GPU_ARGS = ['--no-sandbox', '--disable-dev-shm-usage', '--enable-unsafe-webgpu', '--ignore-gpu-blocklist']

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'))
const wireOf = ({ spec, state, inputs, labels }: EvaluationTask): WireTask =>
  ({ spec: textOf(encodeJobSpec(spec)), state: textOf(stateBytes(state)), inputs: textOf(inputs), labels: textOf(labels) })

class GpuCompute implements Compute {
  readonly #page: Page
  readonly #close: () => Promise<void>

  constructor (page: Page, close: () => Promise<void>) {
    this.#page = page
    this.#close = close
  }

  async runSlice (task: SliceTask): Promise<SliceResult> {
    const wire = { ...wireOf(task), lr20: task.lr20, steps: task.steps, noiseKey: textOf(task.noiseKey) }
    const result = await this.#page.evaluate(async slice => await window.exact.runSlice(slice), wire)
    const state = decodeState(task.spec, bytesOf(result.state))
    if (!state.ok) throw new Error(`the page gave no state: ${state.error.detail}`)
    return { ...result, state: state.value, stateHash: bytesOf(result.stateHash), payload: bytesOf(result.payload), payloadDigest: bytesOf(result.payloadDigest) }
  }

  async evaluate (task: EvaluationTask): Promise<EvaluationResult> {
    const result = await this.#page.evaluate(async wire => await window.exact.evaluate(wire), wireOf(task))
    return { ...result, confusion: Uint32Array.from(result.confusion) }
  }

  async predict (): Promise<never> { throw new Error('the command line trains and evaluates only') }
  async stateHash (state: ModelState): Promise<Uint8Array> { return stateHash(state) }

  async status (): Promise<ComputeStatus> {
    return { backend: 'webgpu', workers: 1, workersMax: 1, busy: 0, stepsPerSecond: 0, macsPerSecond: 0, selfTest: 'passed', choice: 'webgpu', reports: [] }
  }

  async ready (): Promise<void> {}
  async setLimits (): Promise<void> {}
  async setBackend (): Promise<void> {}
  async stop (): Promise<void> { await this.#close() }
}

/** Throws, by name, where there is no adapter or it computes wrong bits. `say` gets the adapter's name. */
export async function createGpuCompute (say: (text: string) => void): Promise<Compute> {
  await ensureChromium()
  const served: TestPage = await serveTestPage('src/cli/gpuPage')
  const profile = await mkdtemp(join(tmpdir(), 'commonweight-gpu-'))
  let context: BrowserContext | undefined
  const close = async (): Promise<void> => {
    await context?.close()
    await served.stop()
    await rm(profile, { recursive: true, force: true, maxRetries: 5 })
  }
  try {
    context = await chromium.launchPersistentContext(profile, { executablePath: await ensureChromium(), headless: true, args: GPU_ARGS })
    const page = await context.newPage()
    page.setDefaultTimeout(0)
    await page.goto(served.url)
    await page.waitForFunction(() => window.exact !== undefined)
    say(`webgpu on ${await page.evaluate(async () => await window.exact.open())}`)
    return new GpuCompute(page, close)
  } catch (error) {
    await close()
    throw error
  }
}
