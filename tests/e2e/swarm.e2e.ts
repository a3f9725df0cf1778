/**
 * Real tabs share a file: the demonstration of seeding in small (exchange, receipts, a seeder that
 * leaves, a reload, a corrupting peer, pieces by lot), and a tab whose store of files is full or not there.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runSeedDemo, SwarmTab } from '../../src/cli/seedDemo.ts'
import { Stage, until } from './harness.ts'

const MB = 1_000_000
let stage: Stage | undefined

beforeAll(async () => { stage = await Stage.open() })
afterAll(async () => { await stage?.close() })

test('fetch it from one another and sign for every byte, finish without the seeder, resume, and send a corrupting peer away', async () => {
  const v = await runSeedDemo({ leechers: 2, bytes: 12 * MB, url: stage!.url, shareMin: 0 }, stage!.browser)
  expect(v.failures).toEqual([])
  expect(v).toMatchObject({ receiptsEqualBytes: true, sha256Equal: true, secondSeederFinished: true, corruptorBanned: true, badPieces: 1, hostingUnproven: 0, ok: true })
  expect(v.hostingPassed).toBeGreaterThan(0)
})

test('a store that is full, and a browser without one, are said in words; the node goes on', async () => {
  const { browser, url } = stage!
  const seeder = await SwarmTab.open(browser, 'seeder', url)
  const full = await SwarmTab.open(browser, 'full', url, async page => {
    // Room for a fifth of it, and then short counts, as a file system without room gives them.
    const patch = `{ const write = FileSystemSyncAccessHandle.prototype.write; let room = ${MB};
      FileSystemSyncAccessHandle.prototype.write = function (bytes, options) {
        const n = Math.min(bytes.length, room); room -= n
        return write.call(this, bytes.subarray(0, n), options) } };\n`
    await page.route('**/pieces.worker*.js', async route => {
      const response = await route.fetch()
      await route.fulfill({ response, body: patch + await response.text() })
    })
  })
  const bare = await SwarmTab.open(browser, 'bare', url, async page => { await page.addInitScript(() => { Object.defineProperty(StorageManager.prototype, 'getDirectory', { value: undefined }) }) })
  const hash = await seeder.share(7, 5 * MB, 'large')
  await Promise.all([full.fetch(hash), bare.fetch(hash)])
  const failed = await until('the full one says so', 60_000, async () => { const i = await full.item(hash); return i?.state === 'failed' ? i : undefined })
  expect(failed.problem).toMatch(/room/)
  expect(failed.haveBytes).toBeLessThanOrEqual(MB)
  await until('the bare one has it in memory', 60_000, async () => (await bare.item(hash))?.state === 'complete')
  const library = await bare.library()
  expect([library.store, library.storeProblem]).toEqual(['memory', expect.stringMatching(/memory.*lost/)])
  expect(await bare.sha256(hash)).toBe(await seeder.sha256(hash))
  expect((await full.page.evaluate(async () => (await window.commonweight!.view()).phase.phase))).not.toBe('stopped')
})
