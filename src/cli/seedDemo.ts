/**
 * `npm run demo -- --scenario seed`: real tabs in separate browser contexts share a file. One seeds,
 * the others fetch it from it and from one another; then, with smaller files, the seeder leaves before
 * they are done, one of them is reloaded, and one tab's disk turns its bytes.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Browser, BrowserContext, Page } from '@playwright/test'
import type { LibraryItem, LibraryView, NodeApi } from '../bridge/api.ts'

declare global { interface Window { commonweight?: NodeApi } }

/** `shareMin`: of the bytes, how many leechers must have of one another; small files are over before they meet. */
export interface SeedOptions { readonly leechers: number, readonly bytes: number, readonly url: string, readonly shareMin?: number }

export interface SeedVerdict {
  readonly leechers: number
  readonly bytes: number
  readonly seconds: number
  /** Of all leechers together. */
  readonly aggregateMBps: number
  /** Of the bytes that leechers got, how much they got of one another. */
  readonly shareAmongLeechers: number
  readonly receiptsEqualBytes: boolean
  readonly receiptBytes: number
  readonly sha256Equal: boolean
  /** When the first seeder left: what the leechers had on average, and whether the second one finished it. */
  readonly seederLeftAt: number
  readonly secondSeederFinished: boolean
  /** Of the reloaded leecher: what it had before, and when it had loaded again. */
  readonly hadBeforeReload: number
  readonly hadAfterReload: number
  /** Pieces of the corrupting peer that were fetched until it was banned. */
  readonly badPieces: number
  readonly corruptorBanned: boolean
  /** Pieces by lot that the seeder was shown by those who have all of the first file, and claims that were not shown to be true. */
  readonly hostingPassed: number
  readonly hostingUnproven: number
  /**
   * Of the largest renderer, MB: its memory footprint, as the browser's task manager counts it (private
   * memory), and what is resident, the binary that all tabs share with it. Null where the platform does not tell.
   */
  readonly tabMBMax: number | null
  readonly residentMBMax: number | null
  readonly ok: boolean
  readonly failures: readonly string[]
}

const BLOCK = 1024 * 1024
const MB = 1_000_000
const log = (text: string): void => { process.stderr.write(`${text}\n`) }
const sleep = async (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

async function until<T> (what: string, ms: number, probe: () => Promise<T | undefined>, say?: () => Promise<string>): Promise<T> {
  const deadline = Date.now() + ms
  for (;;) {
    const value = await probe()
    if (value !== undefined) return value
    if (Date.now() > deadline) throw new Error(`${what} did not happen within ${Math.round(ms / 1000)} s${say === undefined ? '' : `\n${await say()}`}`)
    await sleep(200)
  }
}

/** Bytes nobody can guess or compress, the same here and in the page: xorshift32 by block. */
function fill (block: Uint32Array, seed: number): void {
  let x = seed
  for (let i = 0; i < block.length; i++) {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    block[i] = x
  }
}

/** Part by part, each of them good until the next. */
export function * sampleBytes (seed: number, bytes: number): Generator<Uint8Array> {
  const block = new Uint32Array(BLOCK / 4)
  for (let at = 0; at < bytes; at += BLOCK) {
    fill(block, seed + at / BLOCK + 1)
    yield new Uint8Array(block.buffer, 0, Math.min(BLOCK, bytes - at))
  }
}

export function sha256Of (seed: number, bytes: number): string {
  const h = createHash('sha256')
  for (const part of sampleBytes(seed, bytes)) h.update(part)
  return h.digest('hex')
}

/** A tab that shares and fetches. */
export class SwarmTab {
  private constructor (readonly name: string, readonly context: BrowserContext, readonly page: Page) {}

  static async open (browser: Browser, name: string, url: string, prepare?: (page: Page) => Promise<void>): Promise<SwarmTab> {
    const context = await browser.newContext()
    const page = await context.newPage()
    page.on('pageerror', e => { log(`  ${name}: page error: ${e.message.split('\n')[0]}`) })
    await prepare?.(page)
    await page.goto(url)
    const tab = new SwarmTab(name, context, page)
    await tab.up()
    return tab
  }

  async up (): Promise<void> { await this.page.waitForFunction(() => window.commonweight !== undefined, undefined, { timeout: 90_000 }) }
  async reload (): Promise<void> { await this.page.reload(); await this.up() }
  async close (): Promise<void> { await this.context.close() }
  async library (): Promise<LibraryView> { return await this.page.evaluate(async () => await window.commonweight!.library()) }
  async item (infoHash: string): Promise<LibraryItem | undefined> { return (await this.library()).items.find(i => i.infoHash === infoHash) }
  async self (): Promise<string> { return await this.page.evaluate(async () => (await window.commonweight!.view()).self) }
  async links (): Promise<number> { return await this.page.evaluate(async () => (await window.commonweight!.view()).peers.filter(p => p.link === 'webrtc').length) }

  /** Makes the file of that seed in the page, and shares it. */
  async share (seed: number, bytes: number, name: string): Promise<string> {
    const made = await this.page.evaluate(async ({ seed, bytes, name, BLOCK }) => {
      const parts: Blob[] = []
      const block = new Uint32Array(BLOCK / 4)
      for (let at = 0; at < bytes; at += BLOCK) {
        let x = seed + at / BLOCK + 1
        for (let i = 0; i < block.length; i++) {
          x ^= x << 13
          x ^= x >>> 17
          x ^= x << 5
          block[i] = x
        }
        parts.push(new Blob([new Uint8Array(block.buffer, 0, Math.min(BLOCK, bytes - at))]))
      }
      const out = await window.commonweight!.shareFiles([new File(parts, `${name}.bin`)], { name, kind: 'file', licence: 'CC0-1.0', about: '', parents: [] })
      return out.ok ? { infoHash: out.value.infoHash } : { error: JSON.stringify(out.errors) }
    }, { seed, bytes, name, BLOCK })
    if (made.infoHash === undefined) throw new Error(`${this.name} could not share: ${made.error}`)
    return made.infoHash
  }

  async fetch (infoHash: string): Promise<void> {
    await until(`${this.name} hears of the file`, 60_000, async () => (await this.item(infoHash)) === undefined ? undefined : true)
    const error = await this.page.evaluate(async hash => {
      const out = await window.commonweight!.fetchItem(hash)
      return out.ok ? undefined : JSON.stringify(out.errors)
    }, infoHash)
    if (error !== undefined) throw new Error(`${this.name} could not fetch: ${error}`)
  }

  async limit (upLimit: number): Promise<void> { await this.page.evaluate(async limit => { await window.commonweight!.setLibrary({ upLimit: limit }) }, upLimit) }

  async sha256 (infoHash: string): Promise<string> {
    return await this.page.evaluate(async hash => {
      const { items } = await window.commonweight!.library()
      const out = await window.commonweight!.openFile(hash, items.find(i => i.infoHash === hash)!.files[0].path)
      if (!out.ok) return JSON.stringify(out.errors)
      const digest = await crypto.subtle.digest('SHA-256', await out.value.arrayBuffer())
      return Array.from(new Uint8Array(digest), b => b.toString(16).padStart(2, '0')).join('')
    }, infoHash)
  }
}

/**
 * A disk that turns its bytes once they have been verified: every worker of the store reads right as
 * long as it has not read as much as there is, and wrong from then on.
 */
export async function turnBytes (page: Page): Promise<void> {
  const patch = `{ const read = FileSystemSyncAccessHandle.prototype.read; let seen = 0;
    FileSystemSyncAccessHandle.prototype.read = function (into, options) {
      const n = read.call(this, into, options); const before = seen; seen += n;
      if (before >= this.getSize() && n > 0) into[0] ^= 255;
      return n } };\n`
  await page.route('**/pieces.worker*.js', async route => {
    const response = await route.fetch()
    await route.fulfill({ response, body: patch + await response.text() })
  })
}

const share = (i: LibraryItem | undefined): number => i === undefined || i.bytes === 0 ? 0 : i.haveBytes / i.bytes

async function wait (tabs: readonly SwarmTab[], infoHash: string, what: string, ms: number, done: (items: Array<LibraryItem | undefined>) => boolean): Promise<void> {
  const read = async (): Promise<Array<LibraryItem | undefined>> => await Promise.all(tabs.map(async t => await t.item(infoHash)))
  await until(what, ms, async () => done(await read()) ? true : undefined, async () => (await read()).map((i, n) => `  ${tabs[n].name}: ${i === undefined ? 'nothing' : `${i.state} ${(100 * share(i)).toFixed(0)} % ${i.problem ?? ''} peers ${i.peers.map(p => `${p.via}:${(p.peer ?? '?').slice(-4)} has ${p.has.toFixed(2)} down ${p.down} up ${p.up}${p.choked ? ' choked' : ''}`).join(', ')}`}`).join('\n'))
}

const whole = (items: Array<LibraryItem | undefined>): boolean => items.every(i => i?.state === 'complete')

interface RendererMB { readonly footprint: number | null, readonly resident: number | null }

/** Largest of all renderers; Linux tells. Footprint: RssAnon and VmSwap, as Chromium's memory_instrumentation has it. */
async function rendererMB (browser: Browser): Promise<RendererMB> {
  const session = await browser.newBrowserCDPSession()
  const { processInfo } = await session.send('SystemInfo.getProcessInfo')
  await session.detach()
  const sizes = await Promise.all(processInfo.filter(p => p.type === 'renderer').map(async p => {
    const text = await readFile(`/proc/${p.id}/status`, 'utf8').catch(() => '')
    const mb = (field: string): number => Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(text)?.[1] ?? 0) * 1024 / MB
    return { footprint: mb('RssAnon') + mb('VmSwap'), resident: mb('VmRSS') }
  }))
  const max = (of: 'footprint' | 'resident'): number | null => Math.round(Math.max(0, ...sizes.map(s => s[of]))) || null
  return { footprint: max('footprint'), resident: max('resident') }
}

interface Ledger { readonly equal: boolean, readonly bytes: number, readonly detail: string }

/** Per link of the tabs: what one sent, the other got, and both have the receipts of. */
async function compareReceipts (tabs: readonly SwarmTab[], infoHash: string): Promise<Ledger> {
  const names = await Promise.all(tabs.map(async t => await t.self()))
  const items = await Promise.all(tabs.map(async t => await t.item(infoHash)))
  let bytes = 0
  let equal = true
  const lines: string[] = []
  items.forEach((a, i) => {
    for (const p of a?.peers ?? []) {
      const j = names.indexOf(p.peer ?? '')
      const back = items[j]?.peers.find(q => q.peer === names[i])
      if (j < 0 || back === undefined) continue
      bytes += p.receiptsIn
      if (p.up === back.down && p.receiptsIn === p.up && back.receiptsOut === p.up) continue
      equal = false
      lines.push(`${tabs[i].name} sent ${tabs[j].name} ${p.up}, which got ${back.down}; receipts ${p.receiptsIn} here, ${back.receiptsOut} there`)
    }
  })
  return { equal, bytes, detail: lines.join('; ') }
}

export async function runSeedDemo (o: SeedOptions, browser: Browser): Promise<SeedVerdict> {
  const failures: string[] = []
  const expect = (holds: boolean, what: string): void => { if (!holds) failures.push(what) }
  const patience = 60_000 + o.bytes / MB * 3_000

  const seeder = await SwarmTab.open(browser, 'seeder', o.url)
  const leechers: SwarmTab[] = []
  for (let i = 0; i < o.leechers; i++) leechers.push(await SwarmTab.open(browser, `leecher ${i + 1}`, o.url))
  await until('links between all tabs', 90_000, async () => (await Promise.all([seeder, ...leechers].map(async t => await t.links()))).every(n => n >= Math.min(3, o.leechers)) ? true : undefined)
  log(`${o.leechers + 1} tabs are linked`)

  // 1. One seeds, all fetch at once.
  const infoHash = await seeder.share(1, o.bytes, 'demo')
  log(`${(o.bytes / MB).toFixed(0)} MB are shared as ${infoHash}`)
  await until('every leecher hears of it', 90_000, async () => (await Promise.all(leechers.map(async t => await t.item(infoHash)))).every(i => i !== undefined) ? true : undefined)
  const started = Date.now()
  await Promise.all(leechers.map(async t => { await t.fetch(infoHash) }))
  await wait(leechers, infoHash, 'all leechers have the file', patience, whole)
  const seconds = (Date.now() - started) / 1000
  const memory = await rendererMB(browser)
  const ledger = await until('receipts for the last bytes', 30_000, async () => { const l = await compareReceipts([seeder, ...leechers], infoHash); return l.equal ? l : undefined }).catch(async () => await compareReceipts([seeder, ...leechers], infoHash))
  const items = await Promise.all(leechers.map(async t => (await t.item(infoHash))!))
  const seederName = await seeder.self()
  const got = items.reduce((n, i) => n + i.down, 0)
  const ofSeeder = items.reduce((n, i) => n + i.peers.filter(p => p.peer === seederName).reduce((m, p) => m + p.down, 0), 0)
  const shareAmongLeechers = got === 0 ? 0 : 1 - ofSeeder / got
  const expected = sha256Of(1, o.bytes)
  const digests: string[] = []
  for (const t of leechers) digests.push(await t.sha256(infoHash))
  const sha256Equal = digests.every(d => d === expected)
  log(`${seconds.toFixed(1)} s, ${(100 * shareAmongLeechers).toFixed(0)} % among leechers, receipts for ${ledger.bytes} bytes`)
  expect(sha256Equal, 'a file is not what was shared')
  expect(ledger.equal, `receipts are not the bytes: ${ledger.detail}`)
  // A link that ended meanwhile took its counts with it.
  expect(ledger.bytes >= 0.95 * o.bytes * o.leechers, `receipts for ${ledger.bytes} bytes only`)
  expect(o.leechers < 2 || shareAmongLeechers >= (o.shareMin ?? 0.4), `leechers had ${(100 * shareAmongLeechers).toFixed(1)} % of one another, less than ${Math.round(100 * (o.shareMin ?? 0.4))} %`)

  // 2. The seeder leaves, a leecher is reloaded, another seeder comes.
  const smaller = Math.max(4 * MB, Math.min(40 * MB, Math.floor(o.bytes / 4)))
  const leaving = await SwarmTab.open(browser, 'seeder that leaves', o.url)
  await leaving.limit(Math.max(500_000, Math.floor(smaller / 16)))
  const second = await leaving.share(1001, smaller, 'leaving')
  await Promise.all(leechers.map(async t => { await t.fetch(second) }))
  const mean = async (): Promise<number> => (await Promise.all(leechers.map(async t => share(await t.item(second))))).reduce((a, b) => a + b, 0) / leechers.length
  const seederLeftAt = await until('60 % with the leechers', patience, async () => { const m = await mean(); return m >= 0.6 ? m : undefined })
  await leaving.close()
  const reloaded = leechers[0]
  const hadBeforeReload = share(await reloaded.item(second))
  await reloaded.reload()
  const hadAfterReload = await until('the reloaded leecher has checked its pieces', 60_000, async () => {
    const i = await reloaded.item(second)
    return i !== undefined && i.state !== 'checking' && i.haveBytes > 0 ? share(i) : undefined
  })
  log(`the seeder left at ${(100 * seederLeftAt).toFixed(0)} %; reloaded with ${(100 * hadBeforeReload).toFixed(0)} %, resumed with ${(100 * hadAfterReload).toFixed(0)} %`)
  const relief = await SwarmTab.open(browser, 'second seeder', o.url)
  expect(await relief.share(1001, smaller, 'leaving') === second, 'the same file has two infohashes')
  const secondSeederFinished = await wait(leechers, second, 'the second seeder finishes it', patience, whole).then(() => true, (e: unknown) => { failures.push((e as Error).message); return false })
  if (secondSeederFinished) expect(await reloaded.sha256(second) === sha256Of(1001, smaller), 'the resumed file is not what was shared')
  expect(seederLeftAt < 1, 'the leechers were done before the seeder left')
  expect(hadAfterReload > 0 && hadAfterReload >= hadBeforeReload * 0.5, 'the reloaded leecher began anew')

  // 3. A tab whose disk turns bytes, alone with one leecher; then an honest one.
  const corruptor = await SwarmTab.open(browser, 'corruptor', o.url, turnBytes)
  const corruptorName = await corruptor.self()
  const third = await corruptor.share(2001, 4 * MB, 'turned')
  const victim = leechers.at(-1)!
  await victim.fetch(third)
  const banned = await until('the corruptor is banned', 60_000, async () => (await victim.library()).banned.find(b => b.peer === corruptorName)).catch((e: unknown) => { failures.push((e as Error).message); return undefined })
  const refused = await victim.page.evaluate(async name => (await window.commonweight!.view()).refusals.filter(r => r.what === 'piece' && r.peer === name).length, corruptorName)
  await relief.share(2001, 4 * MB, 'turned')
  await wait([victim], third, 'the honest seeder finishes it', 90_000, whole).catch((e: unknown) => { failures.push((e as Error).message) })
  expect(banned !== undefined && refused === 1, `${refused} bad pieces until the ban`)
  if (whole([await victim.item(third)])) expect(await victim.sha256(third) === sha256Of(2001, 4 * MB), 'a corrupted file was taken')

  // 4. Meanwhile the seeder has asked the leechers to show what they say to hold.
  const hosting = await until('the seeder is shown a piece by lot', 60_000, async () => {
    const h = (await seeder.item(infoHash))?.hosting
    return h !== undefined && h.passed > 0 ? h : undefined
  }).catch((e: unknown) => { failures.push((e as Error).message); return undefined })
  log(`the seeder was shown ${hosting?.passed ?? 0} of ${hosting?.tried ?? 0} pieces by lot`)
  expect(hosting?.unproven === 0, 'an honest tab is said not to hold what it holds')

  return {
    leechers: o.leechers, bytes: o.bytes, seconds, aggregateMBps: o.bytes * o.leechers / MB / seconds, shareAmongLeechers,
    receiptsEqualBytes: ledger.equal, receiptBytes: ledger.bytes, sha256Equal, seederLeftAt, secondSeederFinished, hadBeforeReload, hadAfterReload,
    badPieces: refused, corruptorBanned: banned !== undefined, hostingPassed: hosting?.passed ?? 0, hostingUnproven: hosting?.unproven ?? 0, tabMBMax: memory.footprint, residentMBMax: memory.resident, ok: failures.length === 0, failures
  }
}
