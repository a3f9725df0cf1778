/** The report of a GPU, from the page in a Chromium. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openProfile, serveTestPage, SOFTWARE_GPU, type TestPage } from '../../../src/cli/builtPage.ts'
import type { PageReport } from './page/page.ts'

/** Linux hides its GPUs behind these; elsewhere they change nothing. */
const HARDWARE_GPU = ['--enable-unsafe-webgpu', '--enable-features=Vulkan', '--ignore-gpu-blocklist']

export interface Asked { readonly models: number, readonly ms: number, readonly seed: number, readonly floats: boolean }

export const serveReport = (): Promise<TestPage> => serveTestPage('tests/bench/gpu/page')

export const addressOf = ({ url }: TestPage, { models, ms, seed, floats }: Asked): string =>
  `${url}?models=${models}&ms=${ms}&seed=${seed}&floats=${floats ? 1 : 0}`

/** `software`: Chromium's own adapter instead of the machine's. */
export async function reportInChromium (served: TestPage, asked: Asked, software: boolean, say: (line: string) => void): Promise<PageReport> {
  const profile = await mkdtemp(join(tmpdir(), 'commonweight-bench-gpu-'))
  const context = await openProfile(profile, software ? SOFTWARE_GPU : HARDWARE_GPU)
  try {
    const page = await context.newPage()
    page.on('console', message => { say(message.text()) })
    page.setDefaultTimeout(0)
    await page.goto(addressOf(served, asked))
    await page.waitForFunction(() => window.gpuReport !== undefined)
    return await page.evaluate(async () => await window.gpuReport)
  } finally {
    await context.close()
    await rm(profile, { recursive: true, force: true, maxRetries: 5 })
  }
}
