/**
 * Real tabs for the end-to-end tests: one server, one Chromium, and tabs in contexts of their own.
 * The built page is taken from dist/, as the server hands it out.
 */
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, type BrowserContext, chromium, type Page } from '@playwright/test'
import { chromiumPath } from '../../scripts/ensure-chromium.mjs'
import type { BlockView, NodeApi, NodeView } from '../../src/bridge/api.ts'
import { type ServerProcess, startServer } from '../../src/cli/serverProcess.ts'

declare global { interface Window { commonweight?: NodeApi } }

const SHOTS = join('build', 'e2e-failures')
const POLL_MS = 300

/** A name that is the server's machine but no loopback address to the browser: not a secure context. */
export const FOREIGN_HOST = 'commonweight.test'

/** Polls until the probe gives something other than undefined or false; a probe that throws has failed. */
export async function until<T> (what: string, ms: number, probe: () => Promise<T | undefined | false>, say?: () => Promise<string>): Promise<T> {
  const deadline = Date.now() + ms
  for (;;) {
    const value = await probe()
    if (value !== undefined && value !== false) return value
    if (Date.now() >= deadline) throw new Error(`${what} did not happen within ${Math.round(ms / 1000)} s${say === undefined ? '' : `\n${await say()}`}`)
    await new Promise(resolve => setTimeout(resolve, POLL_MS))
  }
}

/** One tab, and what a person at it can do. */
export class Tab {
  readonly name: string
  readonly page: Page

  constructor (name: string, page: Page) {
    this.name = name
    this.page = page
    page.on('pageerror', e => { process.stderr.write(`  ${name}: page error: ${e.message}\n`) })
  }

  get context (): BrowserContext { return this.page.context() }

  async goto (url: string): Promise<void> {
    await this.page.goto(url)
    await this.up()
  }

  async reload (): Promise<void> {
    await this.page.reload()
    await this.up()
  }

  async view (): Promise<NodeView> { return await this.page.evaluate(async () => await window.commonweight!.view()) }

  async blocks (limit = 500): Promise<BlockView[]> { return await this.page.evaluate(async n => await window.commonweight!.blocks(n), limit) }

  async mine (on: boolean): Promise<void> {
    await this.page.evaluate(async v => { await window.commonweight!.setMining({ on: v, workers: 1, duty: 0.8 }) }, on)
  }

  /** Waits for something about the view; says what the view was if it does not come. */
  async until<T> (what: string, ms: number, probe: (v: NodeView) => T | undefined | false): Promise<T> {
    return await until(`${this.name}: ${what}`, ms, async () => probe(await this.view()), async () => this.summary(await this.view()))
  }

  summary (v: NodeView): string {
    const mine = v.mining
    return `  ${this.name}: ${JSON.stringify(v.phase)}, height ${v.height}, head ${v.head.slice(0, 8)}, peers ${v.peers.map(p => p.link).join('/')}, mining ${mine.state} (${mine.detail}), ${mine.slices} slices, ${mine.blocksFound} blocks, ${mine.contributionsSealed} sealed, ${v.replays} replays, ${v.replayFailures} failed, refusals ${JSON.stringify(v.refusals.slice(0, 5).map(r => `${r.what}: ${r.reason} (${r.detail})`))}, jobs ${JSON.stringify(v.jobs.map(j => `${j.name} ${j.status} round ${j.round}`))}`
  }

  /** Opens a view of the app, as its navigation does. */
  async show (view: string, arg?: string): Promise<void> {
    await this.page.evaluate(hash => { location.hash = hash }, `#/${view}${arg === undefined ? '' : `/${arg}`}`)
  }

  element (testid: string): ReturnType<Page['getByTestId']> { return this.page.getByTestId(testid) }

  async close (): Promise<void> { await this.page.close() }

  private async up (): Promise<void> {
    await this.page.waitForFunction(() => window.commonweight !== undefined, undefined, { timeout: 90_000 })
  }
}

/** What all tabs of a test file share. */
export class Stage {
  readonly browser: Browser
  readonly server: ServerProcess
  readonly #dataDir: string
  readonly #pages: Array<{ readonly name: string, readonly page: Page }> = []

  private constructor (browser: Browser, server: ServerProcess, dataDir: string) {
    this.browser = browser
    this.server = server
    this.#dataDir = dataDir
  }

  static async open (): Promise<Stage> {
    if (!existsSync('dist/index.html')) throw new Error('dist/index.html is not there: build the page first (npm run build; npm test does)')
    const dataDir = await mkdtemp(join(tmpdir(), 'commonweight-e2e-'))
    const server = await startServer({ network: 'test', dataDir })
    const browser = await chromium.launch({
      executablePath: chromiumPath(),
      // Test machines are often containers: no user namespaces, a small /dev/shm.
      args: ['--no-sandbox', '--disable-dev-shm-usage', `--host-resolver-rules=MAP ${FOREIGN_HOST} 127.0.0.1`]
    })
    return new Stage(browser, server, dataDir)
  }

  get url (): string { return `${this.server.url}?network=test` }

  /** A page in a context of its own (its own storage, wallet and keys), or in another tab's. */
  async page (name: string, context?: BrowserContext): Promise<Page> {
    const page = await (context ?? await this.browser.newContext()).newPage()
    page.setDefaultTimeout(60_000)
    this.#pages.push({ name, page })
    return page
  }

  async tab (name: string, context?: BrowserContext): Promise<Tab> {
    const tab = new Tab(name, await this.page(name, context))
    await tab.goto(this.url)
    return tab
  }

  async screenshots (test: string): Promise<void> {
    await mkdir(SHOTS, { recursive: true })
    for (const { name, page } of this.#pages) {
      if (page.isClosed()) continue
      const file = join(SHOTS, `${test}-${name}`.replaceAll(/[^\w-]+/g, '_').slice(0, 120))
      await page.screenshot({ path: `${file}.png`, timeout: 10_000 }).catch((e: unknown) => { process.stderr.write(`  no screenshot of ${name}: ${String(e).split('\n')[0]}\n`) })
      await page.evaluate(async () => (await window.commonweight?.logs(200))?.map(l => `${new Date(l.timeMs).toISOString().slice(11, 23)} ${l.level} ${l.area}: ${l.text}`).join('\n') ?? '')
        .then(async log => { await writeFile(`${file}.log`, log) })
        .catch(() => {})
    }
  }

  async close (): Promise<void> {
    await this.browser.close()
    await this.server.kill()
    await rm(this.#dataDir, { recursive: true, force: true })
  }
}

/** All tabs on one head, at one moment. */
export async function agree (tabs: readonly Tab[], ms: number, above = 0): Promise<NodeView[]> {
  return await until(`agreement of ${tabs.map(t => t.name).join(', ')}`, ms, async () => {
    const views = await Promise.all(tabs.map(async t => await t.view()))
    return new Set(views.map(v => v.head)).size === 1 && views[0].height > above ? views : undefined
  }, async () => (await Promise.all(tabs.map(async t => t.summary(await t.view())))).join('\n'))
}
