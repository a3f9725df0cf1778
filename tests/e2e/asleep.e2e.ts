/** A tab in the background goes on working; a frozen one says that it was asleep, and catches up. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { NodeView } from '../../src/bridge/api.ts'
import { type ServerProcess, startServer } from '../../src/cli/serverProcess.ts'
import { until } from './harness.ts'
import { RawChromium, type RawTab } from './rawChromium.ts'

/** Longer than presence.ts takes for sleep. */
const FROZEN_MS = 26_000

let server: ServerProcess
let browser: RawChromium
let dataDir: string
let worker: RawTab
let other: RawTab

const view = async (tab: RawTab): Promise<NodeView> => await tab.evaluate<NodeView>('window.commonweight.view()')
/** A page that is just being loaded has nothing to evaluate in. */
const isUp = async (tab: RawTab): Promise<boolean> => {
  try {
    return await tab.evaluate<boolean>('window.commonweight !== undefined')
  } catch (e) {
    if (e instanceof Error && e.message.includes('execution context')) return false
    throw e
  }
}
const up = async (tab: RawTab): Promise<true> => await until('the page being up', 90_000, async () => await isUp(tab) || undefined)
const mine = async (tab: RawTab): Promise<unknown> => await tab.evaluate('window.commonweight.setMining({ on: true, workers: 1, duty: 0.8, pauseWhenHidden: false })')

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'commonweight-asleep-'))
  server = await startServer({ network: 'test', dataDir })
  browser = await RawChromium.open()
  const url = `${server.url}?network=test`
  other = await browser.tab(url, { apart: true })
  worker = await browser.tab(url)
  await Promise.all([up(worker), up(other)])
})

afterAll(async () => {
  await browser?.close()
  await server?.kill()
  await rm(dataDir, { recursive: true, force: true })
})

test('a tab behind another one goes on mining', async () => {
  await Promise.all([mine(worker), mine(other)])
  await until('a direct link', 60_000, async () => (await view(worker)).peers.some(p => p.link === 'webrtc'))
  const cover = await browser.tab('about:blank')
  await cover.toFront()
  await until('the page being hidden', 10_000, async () => await worker.evaluate<string>('document.visibilityState') === 'hidden')
  const before = await view(worker)
  const after = await until('ten more slices in the background', 60_000, async () => {
    const now = await view(worker)
    return now.mining.slices >= before.mining.slices + 10 ? now : undefined
  })
  expect(after.phase.phase).toBe('ready')
  expect(await worker.evaluate<string>('document.visibilityState')).toBe('hidden')
})

test('a frozen tab says that it was asleep, and catches up', async () => {
  const before = await view(worker)
  await worker.setFrozen(true)
  await new Promise(resolve => setTimeout(resolve, FROZEN_MS))
  const ahead = await until('blocks that the sleeper has not seen', 60_000, async () => {
    const v = await view(other)
    return v.height > before.height + 1 ? v : undefined
  })
  await worker.setFrozen(false)
  await until('the words for it', 15_000, async () => (await view(worker)).phase.phase === 'asleep')
  await until('the height of the other', 60_000, async () => (await view(worker)).height >= ahead.height)
  const awake = await until('work again', 60_000, async () => {
    const v = await view(worker)
    return v.mining.state === 'working' && v.mining.slices > before.mining.slices ? v : undefined
  })
  expect(awake.replayFailures).toBe(0)
})
