/** The golden slices in real Chromium, in the worker that the app starts. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrowserContext, Page } from '@playwright/test'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { GoldenSlice } from '../../src/compute/golden.ts'
import { openProfile, serveTestPage, type TestPage } from '../../src/cli/builtPage.ts'
import vectors from '../vectors/slices-v1.json'

const slices = vectors.slices as readonly GoldenSlice[]
let served: TestPage
let profile: string
let context: BrowserContext
let page: Page

beforeAll(async () => {
  served = await serveTestPage('tests/compute/page')
  profile = await mkdtemp(join(tmpdir(), 'commonweight-compute-'))
  context = await openProfile(profile)
  page = await context.newPage()
  await page.goto(served.url)
  await page.waitForFunction(() => window.computeTest !== undefined)
})

afterAll(async () => {
  await context?.close()
  await served?.stop()
  if (profile !== undefined) await rm(profile, { recursive: true, force: true, maxRetries: 5 })
})

test.each(slices.map(slice => [slice.name, slice] as const))('%s', async (_, { stateHash, payloadDigest, correct, lossBits16, ...golden }) => {
  expect(await page.evaluate(one => window.computeTest.run(one), golden)).toEqual({ stateHash, payloadDigest, correct, lossBits16 })
})

test('all of that was the WASM backend, past its self-test', async () => {
  expect(await page.evaluate(() => window.computeTest.status())).toMatchObject({ backend: 'wasm', selfTest: 'passed' })
})

test('a worker that dies is replaced and its slice computed again', async () => {
  const { stateHash, payloadDigest, correct, lossBits16, ...golden } = slices[1]
  expect(await page.evaluate(one => window.computeTest.crashThenRun(one), golden))
    .toEqual({ result: { stateHash, payloadDigest, correct, lossBits16 }, replaced: 1 })
})

test('a large machine\'s workers fit into one tab, all sixteen', async () => {
  const { stateHash, payloadDigest, correct, lossBits16, ...golden } = slices[1]
  const { used, results } = await page.evaluate(one => window.computeTest.runWithAll(one), golden)
  expect(used).toBe(16)
  expect(results).toEqual(results.map(() => ({ stateHash, payloadDigest, correct, lossBits16 })))
}, 60_000)
