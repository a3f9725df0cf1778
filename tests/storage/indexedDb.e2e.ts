/** The IndexedDB adapter, slots and wallet in real Chromium, on a profile that is on disk. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrowserContext, Page } from '@playwright/test'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SCHEMA_VERSION } from '../../src/storage/migrations.ts'
import { PURSE_CASES } from '../compliance/purse.ts'
import { SIBLINGS_CASES } from '../compliance/siblings.ts'
import { STORAGE_CASES } from '../compliance/storage.ts'
import { openProfile, serveTestPage, type TestPage } from '../../src/cli/builtPage.ts'

let served: TestPage
let profile: string
let context: BrowserContext
let page: Page

/** A tab of the profile with the test page in it. */
async function openTab (): Promise<Page> {
  const tab = await context.newPage()
  await tab.goto(served.url)
  await tab.waitForFunction(() => window.storageTest !== undefined)
  return tab
}


const FULL = STORAGE_CASES.filter(one => one.name.startsWith('a full disk')).map(one => one.name)
const OTHERS = STORAGE_CASES.map(one => one.name).filter(name => !FULL.includes(name))

/**
 * Chromium asks for the quota only when a commit needs more than it was told is left, half a minute
 * ago or less. So the tab of this case is of another origin, which never heard of a larger one.
 */
async function openLimitedTab (): Promise<Page> {
  const url = served.url.replace('127.0.0.1', 'localhost')
  const origin = new URL(url).origin
  const tab = await context.newPage()
  // The override lasts as long as the session that asked for it.
  const cdp = await context.newCDPSession(tab)
  await cdp.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 8 << 20 })
  await tab.exposeFunction('overrideQuota', (bytes: number | null) =>
    cdp.send('Storage.overrideQuotaForOrigin', bytes === null ? { origin } : { origin, quotaSize: bytes }))
  await tab.goto(url)
  return tab
}

/** Ends the browser as a power cut would: no chance to write anything more. */
async function killBrowser (): Promise<void> {
  const browser = context.browser()
  if (browser === null) throw new Error('the profile has no browser behind it')
  const cdp = await browser.newBrowserCDPSession()
  const { processInfo } = await cdp.send('SystemInfo.getProcessInfo')
  const main = processInfo.find(process => process.type === 'browser')
  if (main === undefined) throw new Error('Chromium names no browser process')
  const closed = new Promise<void>(resolve => { context.once('close', () => { resolve() }) })
  process.kill(main.id, 'SIGKILL')
  await closed
}

beforeAll(async () => {
  served = await serveTestPage('tests/storage/page')
  profile = await mkdtemp(join(tmpdir(), 'commonweight-storage-'))
  context = await openProfile(profile)
  page = await openTab()
})

afterAll(async () => {
  await context?.close()
  await served?.stop()
  if (profile !== undefined) await rm(profile, { recursive: true, force: true, maxRetries: 5 })
})

describe('IndexedDB storage meets the contract, on a page', () => {
  test.each(OTHERS)('%s', async name => {
    await page.evaluate(one => window.storageTest.runCase(one), name)
  })

  test.each(FULL)('%s', async name => {
    const tab = await openLimitedTab()
    await tab.evaluate(one => window.storageTest.runCase(one), name)
    await tab.close()
  })

  test('the one case about the quota is among them', () => { expect(FULL).toHaveLength(1) })
})

describe('IndexedDB storage meets the contract, in a worker', () => {
  test.each(OTHERS)('%s', async name => {
    await page.evaluate(one => window.storageTest.runCaseInWorker(one), name)
  })
})

describe('versions', () => {
  test('a database of version 1 is brought up to date and keeps what it held', async () => {
    await page.evaluate(() => window.storageTest.makeV1('v1'))
    expect(await page.evaluate(() => window.storageTest.versionOf('v1'))).toBe(1)
    expect(await page.evaluate(() => window.storageTest.open('v1'))).toBe('ok')
    expect(await page.evaluate(() => window.storageTest.versionOf('v1'))).toBe(SCHEMA_VERSION)
    expect(await page.evaluate(() => window.storageTest.read('meta', 'head'))).toEqual([1, 2, 3])
    expect(await page.evaluate(() => window.storageTest.read('pool', 'anything'))).toEqual([])
    await page.evaluate(() => window.storageTest.close())
  })

  test('a database of a later version is refused as newer, and left as it is', async () => {
    await page.evaluate(() => window.storageTest.makeNewer('later'))
    expect(await page.evaluate(() => window.storageTest.open('later'))).toBe('newer')
    expect(await page.evaluate(() => window.storageTest.versionOf('later'))).toBe(99)
  })

  test('a database without its stores is refused as corrupt', async () => {
    await page.evaluate(version => window.storageTest.makeBroken('broken', version), SCHEMA_VERSION)
    expect(await page.evaluate(() => window.storageTest.open('broken'))).toBe('corrupt')
  })

  test('a value that is not bytes is corrupt, and the rest can still be read', async () => {
    expect(await page.evaluate(() => window.storageTest.open('bad-value'))).toBe('ok')
    await page.evaluate(() => window.storageTest.put('good', 1))
    await page.evaluate(version => window.storageTest.putText('bad-value', version), SCHEMA_VERSION)
    expect(await page.evaluate(() => window.storageTest.get('bad'))).toBe('corrupt')
    expect(await page.evaluate(() => window.storageTest.get('good'))).toBe('ok')
    await page.evaluate(() => window.storageTest.close())
  })
})

describe('a browser that has not let go of the files yet', () => {
  test('is asked again; what it refuses for another reason is refused', async () => {
    const tab = await openTab()
    const failing = async (times: number, name: string): Promise<{ readonly outcome: string, readonly asked: number }> => await tab.evaluate(async o => {
      const real = IDBFactory.prototype.open
      let asked = 0
      IDBFactory.prototype.open = function (...args) {
        if (asked++ < o.times) throw new DOMException('Internal error opening backing store for indexedDB.open.', o.name)
        return real.apply(this, args)
      }
      const outcome = await window.storageTest.open('held')
      IDBFactory.prototype.open = real
      await window.storageTest.close()
      return { outcome, asked }
    }, { times, name })
    expect(await failing(2, 'UnknownError')).toEqual({ outcome: 'ok', asked: 3 })
    expect(await failing(1, 'SecurityError')).toEqual({ outcome: 'gone', asked: 1 })
    await tab.close()
  })
})

describe('a database that is taken away', () => {
  test('a tab with a later version takes over: this one lets go and says gone', async () => {
    const other = await openTab()
    expect(await page.evaluate(() => window.storageTest.open('shared'))).toBe('ok')
    expect(await page.evaluate(() => window.storageTest.put('a', 1))).toBe('ok')
    await other.evaluate(version => window.storageTest.upgradeTo('shared', version), SCHEMA_VERSION + 1)
    expect(await page.evaluate(() => window.storageTest.get('a'))).toBe('gone')
    expect(await page.evaluate(() => window.storageTest.put('a', 2))).toBe('gone')
    expect(await page.evaluate(() => window.storageTest.open('shared'))).toBe('newer')
    await other.close()
  })

  test('a deleted database is gone', async () => {
    const other = await openTab()
    expect(await page.evaluate(() => window.storageTest.open('deleted'))).toBe('ok')
    await other.evaluate(() => window.storageTest.remove('deleted'))
    expect(await page.evaluate(() => window.storageTest.put('a', 1))).toBe('gone')
    await other.close()
  })

  test('the user clears the site\'s data: the next change says gone', async () => {
    expect(await page.evaluate(() => window.storageTest.open('cleared'))).toBe('ok')
    expect(await page.evaluate(() => window.storageTest.put('a', 1))).toBe('ok')
    const cdp = await context.newCDPSession(page)
    await cdp.send('Storage.clearDataForOrigin', { origin: new URL(served.url).origin, storageTypes: 'indexeddb' })
    await cdp.detach()
    await expect.poll(() => page.evaluate(() => window.storageTest.put('a', 2)), { timeout: 10_000 }).toBe('gone')
  })
})

describe('all or nothing', () => {
  const ROWS = 1500
  const BYTES = 8192

  test('a transaction that the browser aborts half-way leaves nothing and is gone', async () => {
    expect(await page.evaluate(() => window.storageTest.open('aborted'))).toBe('ok')
    expect(await page.evaluate(() => window.storageTest.abortAfterPuts(30))).toBe('gone')
    expect(await page.evaluate(() => window.storageTest.generations())).toEqual({ rows: 0, generations: [] })
    // The connection is as good as before.
    expect(await page.evaluate(() => window.storageTest.commitGeneration(1, 50, 10))).toBe('ok')
    expect(await page.evaluate(() => window.storageTest.generations())).toEqual({ rows: 50, generations: [1] })
    await page.evaluate(() => window.storageTest.close())
  })

  test('a tab that is closed in the middle of a commit leaves all of it or nothing', async () => {
    const outcomes = new Set<number>()
    let newest = 1
    expect(await page.evaluate(() => window.storageTest.open('tab-closed'))).toBe('ok')
    expect(await page.evaluate(([rows, bytes]) => window.storageTest.commitGeneration(1, rows, bytes), [ROWS, BYTES])).toBe('ok')
    for (const [i, waitMs] of [0, 30, 80, 200, 500, -1].entries()) {
      const victim = await openTab()
      expect(await victim.evaluate(() => window.storageTest.open('tab-closed'))).toBe('ok')
      if (waitMs < 0) {
        // Closed right after commit has resolved.
        expect(await victim.evaluate(([generation, rows, bytes]) => window.storageTest.commitGeneration(generation, rows, bytes), [i + 2, ROWS, BYTES])).toBe('ok')
      } else {
        await victim.evaluate(([generation, rows, bytes]) => { window.storageTest.startGeneration(generation, rows, bytes) }, [i + 2, ROWS, BYTES])
        await new Promise(resolve => setTimeout(resolve, waitMs))
      }
      await victim.close()
      const { rows, generations } = await page.evaluate(() => window.storageTest.generations())
      expect(rows).toBe(ROWS)
      expect(generations).toHaveLength(1)
      expect([newest, i + 2]).toContain(generations[0])
      outcomes.add(generations[0] === i + 2 ? 1 : 0)
      newest = generations[0]
    }
    await page.evaluate(() => window.storageTest.close())
    // Both ends were met, so the waits span the moment they are meant for (a commit takes some 300 ms).
    expect([...outcomes].sort()).toEqual([0, 1])
  })

  test('a browser that is killed in the middle of a commit leaves all of it or nothing, and keeps what was committed', async () => {
    let newest = 1
    expect(await page.evaluate(() => window.storageTest.open('killed'))).toBe('ok')
    expect(await page.evaluate(([rows, bytes]) => window.storageTest.commitGeneration(1, rows, bytes), [ROWS, BYTES])).toBe('ok')
    for (const [i, waitMs] of [-1, 0, 50, 150, 400].entries()) {
      const generation = i + 2
      if (waitMs < 0) {
        // Killed right after commit has resolved: strict durability says that it is there.
        expect(await page.evaluate(([g, rows, bytes]) => window.storageTest.commitGeneration(g, rows, bytes), [generation, ROWS, BYTES])).toBe('ok')
      } else {
        await page.evaluate(([g, rows, bytes]) => { window.storageTest.startGeneration(g, rows, bytes) }, [generation, ROWS, BYTES])
        await new Promise(resolve => setTimeout(resolve, waitMs))
      }
      await killBrowser()
      context = await openProfile(profile)
      page = await openTab()
      expect(await page.evaluate(() => window.storageTest.open('killed'))).toBe('ok')
      const { rows, generations } = await page.evaluate(() => window.storageTest.generations())
      expect(rows).toBe(ROWS)
      expect(generations).toHaveLength(1)
      if (waitMs < 0) expect(generations).toEqual([generation])
      else expect([newest, generation]).toContain(generations[0])
      newest = generations[0]
    }
    await page.evaluate(() => window.storageTest.close())
  })

  // Regression: Chromium found "Invalid locks on disk" and deleted every database of the site, with the wallet.
  test('a browser that is killed while several stores are written to keeps its databases', async () => {
    expect(await page.evaluate(() => window.storageTest.open('everywhere'))).toBe('ok')
    expect(await page.evaluate(() => window.storageTest.put('kept', 7))).toBe('ok')
    for (const waitMs of [300, 370, 420, 510, 650, 800]) {
      await page.evaluate(() => { window.storageTest.writeEverywhere() })
      await new Promise(resolve => setTimeout(resolve, waitMs))
      await killBrowser()
      context = await openProfile(profile)
      page = await openTab()
      expect(await page.evaluate(() => window.storageTest.open('everywhere'))).toBe('ok')
      expect(await page.evaluate(() => window.storageTest.read('meta', 'kept'))).toEqual([7])
    }
    await page.evaluate(() => window.storageTest.close())
  })
})

describe('slots', () => {
  test('three tabs take 0, 1, 2; closing and crashing tabs free theirs', async () => {
    const tabs = [await openTab(), await openTab(), await openTab()]
    expect(await Promise.all(tabs.map(tab => tab.evaluate(() => window.storageTest.takeSlot())))).toHaveLength(3)
    await tabs[0].close()
    const cdp = await context.newCDPSession(tabs[1])
    cdp.send('Page.crash').catch(() => {})
    await tabs[1].waitForEvent('crash')
    const next = [await openTab(), await openTab(), await openTab()]
    const slots = []
    for (const tab of next) slots.push(await tab.evaluate(() => window.storageTest.takeSlot()))
    // Two of 0, 1, 2 were freed, in whichever order the first three had taken them.
    expect(slots.filter(slot => slot < 3)).toHaveLength(2)
    expect(slots[2]).toBe(3)
    await next[2].evaluate(() => window.storageTest.releaseSlot())
    expect(await next[2].evaluate(() => window.storageTest.takeSlot())).toBe(3)
    for (const tab of [tabs[1], tabs[2], ...next]) await tab.close()
  })
})

describe('purse', () => {
  test.each(PURSE_CASES.map(one => one.name))('%s', async name => {
    await page.evaluate(one => window.storageTest.runPurseCase(one), name)
  })

  test('tabs have their turns one after another, and a tab that is closed in its turn gives it up', async () => {
    const [one, two] = [await openTab(), await openTab()]
    const counts = await Promise.all([one, two, page].flatMap(tab => [tab, tab]).map(async tab => await tab.evaluate(() => window.storageTest.countInTurn(30))))
    expect([...counts].sort()).toEqual([1, 2, 3, 4, 5, 6])
    await one.evaluate(() => window.storageTest.holdTurn())
    expect(await two.evaluate(() => window.storageTest.turnWithin(200))).toBeUndefined()
    await one.close()
    expect(await two.evaluate(() => window.storageTest.turnWithin(10_000))).toBe('done')
    expect(await two.evaluate(() => window.storageTest.countInTurn(0))).toBe(7)
    await two.close()
  })
})

describe('siblings', () => {
  test.each(SIBLINGS_CASES.map(one => one.name))('%s', async name => {
    await page.evaluate(one => window.storageTest.runSiblingsCase(one), name)
  })
})

describe('wallet', () => {
  test('eight tabs that open at once have one seed', async () => {
    const tabs = await Promise.all(Array.from({ length: 8 }, () => openTab()))
    const wallets = await Promise.all(tabs.map(tab => tab.evaluate(() => window.storageTest.wallet())))
    expect(new Set(wallets.map(wallet => wallet.seed.join())).size).toBe(1)
    expect(wallets[0].seed).toHaveLength(32)
    expect(wallets[0].seed.some(byte => byte !== 0)).toBe(true)
    expect(wallets.every(wallet => !wallet.backedUp)).toBe(true)
    for (const tab of tabs) await tab.close()
  })

  test('the seed and the mark of a backup outlive the browser', async () => {
    const before = await page.evaluate(() => window.storageTest.wallet())
    await page.evaluate(() => window.storageTest.walletBackedUp())
    await killBrowser()
    context = await openProfile(profile)
    page = await openTab()
    expect(await page.evaluate(() => window.storageTest.wallet())).toEqual({ seed: before.seed, backedUp: true, restored: false })
  })

  test('an imported seed takes the place of the old one and counts as backed up, and whoever has the old one open can know', async () => {
    expect(await page.evaluate(() => window.storageTest.walletBackedUpLate(7))).toEqual([false, true])
    expect(await page.evaluate(() => window.storageTest.wallet())).toEqual({ seed: new Array(32).fill(7), backedUp: true, restored: false })
  })

  test('a wallet that the browser has lost comes back from its second copy, with the mark of its backup', async () => {
    await page.evaluate(() => window.storageTest.loseWallet())
    expect(await page.evaluate(() => window.storageTest.wallet())).toEqual({ seed: new Array(32).fill(7), backedUp: true, restored: true })
    expect(await page.evaluate(() => window.storageTest.wallet())).toEqual({ seed: new Array(32).fill(7), backedUp: true, restored: false })
    await page.evaluate(() => window.storageTest.makeWalletBroken())
    expect(await page.evaluate(() => window.storageTest.wallet())).toEqual({ seed: new Array(32).fill(7), backedUp: true, restored: true })
  })

  test('a second copy that was lost is made again, of the wallet there is', async () => {
    await page.evaluate(() => window.storageTest.loseCopy())
    await page.evaluate(() => window.storageTest.wallet())
    await page.evaluate(() => window.storageTest.loseWallet())
    expect(await page.evaluate(() => window.storageTest.wallet())).toEqual({ seed: new Array(32).fill(7), backedUp: true, restored: true })
  })

  test('a wallet that cannot be read, and has no copy, is corrupt and never silently replaced', async () => {
    await page.evaluate(() => window.storageTest.loseCopy())
    await page.evaluate(() => window.storageTest.makeWalletBroken())
    expect(await page.evaluate(() => window.storageTest.openWalletOutcome())).toBe('corrupt')
    expect(await page.evaluate(() => window.storageTest.openWalletOutcome())).toBe('corrupt')
  })
})
