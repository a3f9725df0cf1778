/** The WebGPU kernels on the software adapter of Chromium, against the reference. No adapter: they fail. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrowserContext, Page } from '@playwright/test'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { OP_ADD, OP_APPLY, OP_AVERAGE_POOL, OP_CONV, OP_DENSE, OP_MAX_POOL, OP_NORM, OP_SCORES, OP_SOFTMAX, type Model } from '../../src/core/codec/jobSpec.ts'
import { opOf } from '../../src/core/training/shape.ts'
import type { GoldenInput, GoldenSlice } from '../../src/compute/golden.ts'
import { openProfile, serveTestPage, SOFTWARE_GPU, type TestPage } from '../../src/cli/builtPage.ts'
import vectors from '../vectors/slices-v1.json'
import { input } from './tasks.ts'

const slices = vectors.slices as unknown as readonly GoldenSlice[]
let served: TestPage
let profile: string
let context: BrowserContext
let page: Page

beforeAll(async () => {
  served = await serveTestPage('tests/compute/gpuPage')
  profile = await mkdtemp(join(tmpdir(), 'commonweight-gpu-'))
  context = await openProfile(profile, SOFTWARE_GPU)
  page = await context.newPage()
  await page.goto(served.url)
  await page.waitForFunction(() => window.gpuTest !== undefined)
})

afterAll(async () => {
  await context?.close()
  await served?.stop()
  if (profile !== undefined) await rm(profile, { recursive: true, force: true, maxRetries: 5 })
})

test('there is an adapter', async () => {
  expect(await page.evaluate(() => window.gpuTest.adapter())).toEqual({ found: true, software: true, dot4: true })
})

describe.each(['packed', 'plain'] as const)('%s products', dot => {
  test.each(slices.map(slice => [slice.name, slice] as const))('%s', async (_, { stateHash, payloadDigest, correct, lossBits16, ...golden }) => {
    expect(await page.evaluate(([path, one]) => window.gpuTest.golden(path, one), [dot, golden] as const)).toEqual({ stateHash, payloadDigest, correct, lossBits16 })
  })
})

test.each([['packed', 1, 100], ['packed', 2, 60], ['plain', 3, 40]] as const)('random models, %s products, seed %i: %i equal the reference', async (dot, seed, models) => {
  const { equal, first, kinds } = await page.evaluate(([path, from, count]) => window.gpuTest.random(path, from, count), [dot, seed, models] as const)
  expect([first, equal]).toEqual([undefined, models])
  // Every operation was among them.
  expect(Math.min(...kinds)).toBeGreaterThan(10)
})

describe('the three backends agree', () => {
  const conv = (units: number, kernel: number, padding: number, rest = {}): ReturnType<typeof opOf> => opOf({ kind: OP_CONV, units, kernel, stride: 1, padding, groups: 1, relu: 1, ...rest })
  /** More than a tile of rows, columns and terms everywhere, a gradient that is split, an odd batch. */
  const wide: Model = {
    channels: 3, height: 12, width: 10,
    ops: [conv(40, 3, 1, { a: 0 }), opOf({ kind: OP_MAX_POOL, a: 1, kernel: 2, stride: 2 }), conv(36, 5, 2, { a: 2 }), opOf({ kind: OP_DENSE, a: 3, units: 70, relu: 1 }), opOf({ a: 4, units: 41 })]
  }
  /** Windows that overlap, strides that leave a rest, four readers of one tensor. */
  const knotted: Model = {
    channels: 4, height: 9, width: 7,
    ops: [
      conv(8, 3, 1, { a: 0, groups: 4 }), conv(8, 3, 1, { a: 1, groups: 8, relu: 0 }), opOf({ kind: OP_NORM, a: 1 }), opOf({ kind: OP_ADD, a: 1, b: 2, relu: 1 }), opOf({ kind: OP_ADD, a: 3, b: 4 }),
      opOf({ kind: OP_AVERAGE_POOL, a: 1, kernel: 3, stride: 2 }), opOf({ kind: OP_MAX_POOL, a: 5, kernel: 3, stride: 2 }), opOf({ kind: OP_ADD, a: 6, b: 7 }),
      conv(5, 2, 1, { a: 8, stride: 3 }), opOf({ a: 9, units: 6 })
    ]
  }
  /** Attention over 49 positions, and of six positions over others that tensor 0 has. */
  const attentive: Model = {
    channels: 5, height: 7, width: 7,
    ops: [
      conv(12, 1, 0, { a: 0 }), conv(9, 1, 0, { a: 1 }), conv(9, 1, 0, { a: 1, relu: 0 }), conv(12, 1, 0, { a: 1, relu: 0 }), opOf({ kind: OP_SCORES, a: 2, b: 3 }), opOf({ kind: OP_SOFTMAX, a: 5, stride: 1 }),
      opOf({ kind: OP_APPLY, a: 6, b: 4, relu: 1 }), opOf({ kind: OP_ADD, a: 7, b: 1 }), conv(5, 5, 0, { a: 8, stride: 2, relu: 0 }), opOf({ kind: OP_SCORES, a: 9, b: 0 }), opOf({ kind: OP_APPLY, a: 10, b: 0 }), opOf({ a: 11, units: 6 })
    ]
  }
  const tasks: ReadonlyArray<readonly [string, GoldenInput]> = [
    ['attention', { ...input([1], 13, 4), layers: attentive }],
    ['attention, saturated', { ...input([1], 8, 3, { state: 'saturated', inputs: 'full', lr20: 65535 }), layers: attentive }],
    ['sixty steps of attention', { ...input([1], 3, 60), layers: attentive }],
    ['two hundred steps', input([20, 12, 5], 16, 200)],
    ['two hundred steps of a convolution', { ...input([1], 4, 200), layers: { channels: 2, height: 5, width: 5, ops: [conv(4, 3, 1), opOf({ kind: OP_NORM, a: 1, relu: 1 }), opOf({ a: 2, units: 4 })] } }],
    ['wide tiles', { ...input([1], 7, 3), layers: wide }],
    ['wide tiles, saturated', { ...input([1], 8, 2, { state: 'saturated', inputs: 'full', lr20: 65535 }), layers: wide }],
    ['knotted, batch 1', { ...input([1], 1, 4), layers: knotted }],
    ['knotted, saturated', { ...input([1], 6, 4, { state: 'saturated', inputs: 'full', lr20: 65535 }), layers: knotted }],
    ['largest batch, one input', input([1, 3, 2], 256, 3)],
    ['most inputs, batch 1', input([4096, 3, 2], 1, 2)],
    ['most classes', input([5, 7, 256], 9, 2)]
  ]
  test.each(tasks)('%s', async (_, golden) => {
    const { webgpu, wasm, reference } = await page.evaluate(one => window.gpuTest.three(one), golden)
    expect(webgpu).toBe(reference)
    expect(wasm).toBe(reference)
  })

  test.each([1, 2, 255, 300])('evaluation of %i records', async records => {
    expect(await page.evaluate(([golden, count]) => window.gpuTest.evaluation(golden, count), [{ ...input([1], 30, 10), layers: knotted }, records] as const)).toBe(true)
  })
})

describe('what goes wrong has a name', () => {
  const golden = slices[0]
  const task = input([16, 12, 3], 16, 130)

  test('a wrong bit disables the backend, and WASM stands in', async () => {
    const { backend, failure, reports } = await page.evaluate(() => window.gpuTest.planted())
    expect(backend).toBe('wasm')
    expect(failure).toMatch(/^webgpu: golden slice "odd widths and batch" has stateHash [0-9a-f]{64}, computed [0-9a-f]{64}$/)
    expect(reports).toEqual([
      { backend: 'webgpu', state: 'wrong', failure },
      { backend: 'wasm', state: 'ready', stepMs: expect.any(Number) }
    ])
  })

  test('a device that is lost in the middle of a slice is opened once more', async () => {
    const { openings, status, stateHash } = await page.evaluate(one => window.gpuTest.lost(1, one), task)
    expect(openings).toBe(2)
    expect(status).toMatchObject({ backend: 'webgpu', selfTest: 'passed' })
    expect(stateHash).toBe((await page.evaluate(one => window.gpuTest.three(one), task)).reference.slice(0, 64))
  })

  test('lost twice: WASM takes over', async () => {
    const { openings, status, stateHash } = await page.evaluate(one => window.gpuTest.lost(2, one), task)
    expect(openings).toBe(2)
    expect(status).toMatchObject({ backend: 'wasm', selfTest: 'failed', failure: expect.stringMatching(/^webgpu: device lost \(destroyed\)/) })
    expect(stateHash).toBe((await page.evaluate(one => window.gpuTest.three(one), task)).reference.slice(0, 64))
  })

  test('a model that does not fit runs on WASM', async () => {
    const { backend, reports, stateHash } = await page.evaluate(one => window.gpuTest.tooLarge(one), task)
    expect(backend).toBe('wasm')
    expect(reports[0]).toMatchObject({ backend: 'webgpu', state: 'refused', failure: 'webgpu: the model needs a buffer of 9000 MB, the device has at most 1024' })
    expect(stateHash).toBe((await page.evaluate(one => window.gpuTest.three(one), task)).reference.slice(0, 64))
  })

  test('in the app\'s workers: by choice, and not by itself where the adapter is a program', async () => {
    const chosen = await page.evaluate(one => window.gpuTest.worker('webgpu', one), golden)
    expect(chosen.stateHash).toBe(golden.stateHash)
    expect(chosen.status).toMatchObject({ backend: 'webgpu', selfTest: 'passed', reports: [{ backend: 'webgpu', state: 'ready', detail: expect.stringContaining('swiftshader') }] })
    const measured = await page.evaluate(one => window.gpuTest.worker('auto', one), golden)
    expect(measured.stateHash).toBe(golden.stateHash)
    expect(measured.status).toMatchObject({ backend: 'wasm', selfTest: 'passed', reports: [{ backend: 'webgpu', state: 'absent', failure: expect.stringContaining('is a program, not a GPU') }, { backend: 'wasm', state: 'ready' }] })
  })
})
