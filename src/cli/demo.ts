/**
 * `npm run demo`: real tabs in separate browser contexts train one model together, mine by it and
 * check one another, while the relay dies and returns, a tab reloads and another joins late.
 * The verdict is one line of JSON; progress goes to stderr.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Browser, type BrowserContext, chromium, type Page } from '@playwright/test'
import type { BlockView, JobView, NodeApi, NodeView } from '../bridge/api.ts'
import { ensureChromium } from '../../scripts/ensure-chromium.mjs'
import { type ServerProcess, startServer } from './serverProcess.ts'

const USAGE = `npm run demo -- [--miners 3] [--seconds 120] [--data DIR] [--network main|test] [--headed] [--json]

  --miners N     tabs that train and mine from the start (1..8)
  --seconds S    length of the run after the first tab is up (40..3600)
  --data DIR     a folder of MNIST-named IDX files (.gz or not) instead of the built-in digits
  --network N    main (10 s blocks) or test (2.5 s blocks)
  --headed       show the browser
  --json         end with one line of JSON on stdout`

interface Options { readonly miners: number, readonly seconds: number, readonly data?: string, readonly network: 'main' | 'test', readonly headed: boolean, readonly json: boolean }

interface Verdict {
  readonly tabs: number
  readonly webrtcPeersMin: number
  readonly secondsToFirstSlice: number | null
  readonly blocks: number
  readonly headsAgree: boolean
  readonly replays: number
  readonly replayFailures: number
  readonly accuracyStart: number | null
  readonly accuracyEnd: number | null
  readonly samplesPerSecond: number
  readonly relayKilledAt: number | null
  readonly blocksAfterRelayDeath: number
  readonly lateTabSyncSeconds: number | null
  readonly ok: boolean
  /** Empty when ok. */
  readonly failures: readonly string[]
}

declare global { interface Window { commonweight?: NodeApi } }

const log = (text: string): void => { process.stderr.write(`${text}\n`) }
const sleep = async (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

function options(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      miners: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '120' },
      data: { type: 'string' },
      network: { type: 'string', default: 'main' },
      headed: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false }
    }
  })
  if (values.help) { process.stdout.write(`${USAGE}\n`); process.exit(0) }
  const whole = (name: string, text: string, low: number, high: number): number => {
    const n = Number(text)
    if (!Number.isInteger(n) || n < low || n > high) throw new Error(`--${name}: expected a whole number from ${low} to ${high}, got "${text}"`)
    return n
  }
  if (values.network !== 'main' && values.network !== 'test') throw new Error(`--network: expected main or test, got "${values.network}"`)
  return { miners: whole('miners', values.miners, 1, 8), seconds: whole('seconds', values.seconds, 40, 3600), data: values.data, network: values.network, headed: values.headed, json: values.json }
}

/** One tab in a browser context of its own: its own storage, wallet and identity. */
class Tab {
  private constructor(readonly name: string, readonly context: BrowserContext, readonly page: Page) {}

  static async open(browser: Browser, name: string, url: string): Promise<Tab> {
    const context = await browser.newContext()
    const page = await context.newPage()
    page.on('pageerror', (e) => log(`  ${name}: page error: ${e.message.split('\n')[0]}`))
    const tab = new Tab(name, context, page)
    await page.goto(url)
    await tab.up()
    return tab
  }

  private async up(): Promise<void> {
    await this.page.waitForFunction(() => window.commonweight !== undefined, undefined, { timeout: 60_000 })
  }

  async reload(): Promise<void> {
    await this.page.reload()
    await this.up()
  }

  async view(): Promise<NodeView> { return this.page.evaluate(async () => window.commonweight!.view()) }
  async mine(on: boolean): Promise<void> { await this.page.evaluate(async (v) => window.commonweight!.setMining({ on: v, workers: 1, duty: 1 }), on) }
  async blocks(): Promise<BlockView[]> { return this.page.evaluate(async () => window.commonweight!.blocks(2000)) }
  /** Accuracy of the state that the job starts from, as this tab measured it. */
  async firstPoint(job: string): Promise<{ accuracy: number, loss: number } | undefined> {
    return this.page.evaluate(async (id) => (await window.commonweight!.curve(id)).find((p) => p.round === 0), job)
  }

  async evaluate(job: string): Promise<{ accuracy: number, loss: number } | undefined> {
    return this.page.evaluate(async (id) => {
      const r = await window.commonweight!.evaluate(id)
      return r.ok ? { accuracy: r.value.correct / r.value.count, loss: (r.value.lossBits16 / 65536) * Math.LN2 / r.value.count } : undefined
    }, job)
  }
}

async function until<T>(what: string, ms: number, probe: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + ms
  while (Date.now() < deadline) {
    const value = await probe()
    if (value !== undefined) return value
    await sleep(400)
  }
  throw new Error(`${what} did not happen within ${Math.round(ms / 1000)} s`)
}

/** The four MNIST-named files of a folder, .gz or not. */
async function idxFiles(dir: string): Promise<Array<{ name: string, bytes: number[] | Buffer }>> {
  const present = await readdir(dir)
  return Promise.all(['train-images', 'train-labels', 't10k-images', 't10k-labels'].map(async (stem) => {
    const name = present.find((f) => f.startsWith(stem))
    if (name === undefined) throw new Error(`--data: ${dir} has no file that starts with ${stem}`)
    return { name, bytes: await readFile(join(dir, name)) }
  }))
}

/** Posts the folder as a paid job from this tab, which has mined for the credits first. */
async function postData(tab: Tab, dir: string): Promise<string> {
  const files = await idxFiles(dir)
  const need = 40_000_000n
  log('  earning the fee of the job ...')
  await until('the fee', 90_000, async () => (await tab.view()).wallet.balance >= need ? true : undefined)
  await tab.page.evaluate(() => { (window as unknown as { demoFiles: unknown[] }).demoFiles = [] })
  for (const f of files) {
    // A file is too large for one message to the page: send it in slices.
    const text = Buffer.from(f.bytes).toString('base64')
    await tab.page.evaluate((name) => { (window as unknown as { demoFiles: Array<{ name: string, text: string }> }).demoFiles.push({ name, text: '' }) }, f.name)
    for (let at = 0; at < text.length; at += 4_000_000) await tab.page.evaluate((part) => { const list = (window as unknown as { demoFiles: Array<{ text: string }> }).demoFiles; list[list.length - 1]!.text += part }, text.slice(at, at + 4_000_000))
  }
  const json = await readFile(new URL('../../examples/mnist-mlp.json', import.meta.url), 'utf8')
  const posted = await tab.page.evaluate(async ({ json }) => {
    // No named function in here: the loader would wrap its name in a helper that the page does not have.
    const list = (window as unknown as { demoFiles: Array<{ name: string, text: string }> }).demoFiles
    const [trainFeatures, trainLabels, testFeatures, testLabels] = list.map((f) => ({ name: f.name, bytes: Uint8Array.from(atob(f.text), (c) => c.charCodeAt(0)) }))
    const preview = await window.commonweight!.previewData({ kind: 'idx', trainFeatures: trainFeatures!, trainLabels, testFeatures, testLabels })
    if (!preview.ok) return { error: preview.errors.map((e) => `${e.field}: ${e.message}`).join('; ') }
    const out = await window.commonweight!.postJob({ json, data: preview.value.root, escrow: 30_000_000n, pricePerContribution: 10_000n, burn: 1_000_000n, deadlineBlocks: 5000, fee: 1_000n })
    return out.ok ? { id: out.value.id } : { error: out.errors.map((e) => `${e.field}: ${e.message}`).join('; ') }
  }, { json })
  if (posted.id === undefined) throw new Error(`the job was refused: ${posted.error}`)
  return posted.id
}

const job = (v: NodeView, id: string | undefined): JobView | undefined => v.jobs.find((j) => id === undefined ? j.benchmark : j.id === id)

async function run(o: Options, browser: Browser, server: ServerProcess): Promise<Verdict> {
  const url = `${server.url}?network=${o.network}`
  const tabs: Tab[] = []
  for (let i = 0; i < o.miners; i++) tabs.push(await Tab.open(browser, `tab ${i + 1}`, url))
  const started = Date.now()
  const elapsed = (): number => (Date.now() - started) / 1000
  log(`${o.miners} tabs are up at ${server.url}`)
  const accuracyAtStart = o.data === undefined ? await (async () => { const v = await tabs[0]!.view(); return tabs[0]!.evaluate(job(v, undefined)!.id) })() : undefined
  await Promise.all(tabs.map(async (t) => t.mine(true)))
  const firstSlice = await until('the first slice', 60_000, async () => (await Promise.all(tabs.map(async (t) => t.view()))).some((v) => v.mining.slices > 0) ? elapsed() : undefined)
  log(`first slice after ${firstSlice.toFixed(1)} s`)

  let jobId: string | undefined
  let start = accuracyAtStart
  if (o.data !== undefined) {
    jobId = await postData(tabs[0]!, o.data)
    const id = jobId
    log(`  job ${id.slice(0, 12)} posted; its data spreads from tab to tab`)
    start = await until('the job to start', 120_000, async () => tabs[0]!.firstPoint(id))
    log(`${elapsed().toFixed(0).padStart(4)} s  the job is active`)
  }

  const expectedPeers = Math.min(o.miners - 1, 3)
  await until(`${expectedPeers} WebRTC links per tab`, 45_000, async () => (await Promise.all(tabs.map(async (t) => t.view()))).every((v) => v.peers.filter((p) => p.link === 'webrtc').length >= expectedPeers) ? true : undefined)

  let peersMin = Number.POSITIVE_INFINITY
  let relayKilledAt: number | null = null
  let heightAtDeath = 0
  let blocksAfterRelayDeath = 0
  let lateTabSyncSeconds: number | null = null
  let relayBack = false
  let lateDone = false
  let lastLine = 0
  while (elapsed() < o.seconds) {
    const views = await Promise.all(tabs.map(async (t) => t.view()))
    if (!lateDone) peersMin = Math.min(peersMin, ...views.map((v) => v.peers.filter((p) => p.link === 'webrtc').length))
    const height = Math.max(...views.map((v) => v.height))
    if (elapsed() - lastLine >= 5) {
      lastLine = elapsed()
      const j = job(views[0]!, jobId)
      log(`${elapsed().toFixed(0).padStart(4)} s  height ${height}  round ${j?.round ?? 0}  accuracy ${j?.accuracy === undefined ? '-' : `${(100 * j.accuracy).toFixed(1)} %`}  peers ${views.map((v) => v.peers.filter((p) => p.link === 'webrtc').length).join('/')}  replays ${views.reduce((n, v) => n + v.replays, 0)}${relayKilledAt !== null && !relayBack ? '  (relay dead)' : ''}`)
    }
    if (relayKilledAt === null && elapsed() >= o.seconds / 2) {
      await server.kill()
      relayKilledAt = elapsed()
      heightAtDeath = height
      log(`${elapsed().toFixed(0).padStart(4)} s  the relay is killed`)
    }
    if (relayKilledAt !== null && !relayBack) {
      blocksAfterRelayDeath = height - heightAtDeath
      if (elapsed() >= o.seconds * 0.68) {
        // A page cannot be loaded from a dead server: it comes back before the late tab and the reload.
        await server.restart()
        relayBack = true
        log(`${elapsed().toFixed(0).padStart(4)} s  the relay is back; ${blocksAfterRelayDeath} blocks were found without it`)
      }
    }
    if (relayBack && !lateDone && elapsed() >= o.seconds * 0.72) {
      lateDone = true
      const at = Date.now()
      const late = await Tab.open(browser, 'late tab', url)
      tabs.push(late)
      await until('the late tab in sync', 60_000, async () => {
        const v = await late.view()
        return v.phase.phase === 'ready' && v.height >= height ? true : undefined
      })
      lateTabSyncSeconds = (Date.now() - at) / 1000
      log(`${elapsed().toFixed(0).padStart(4)} s  a late tab is in sync after ${lateTabSyncSeconds.toFixed(1)} s`)
      await late.mine(true)
      if (tabs.length > 2) {
        const before = await tabs[1]!.view()
        await tabs[1]!.reload()
        const after = await until('the reloaded tab', 30_000, async () => { const v = await tabs[1]!.view(); return v.phase.phase === 'ready' ? v : undefined })
        if (after.miner !== before.miner || after.wallet.address !== before.wallet.address) throw new Error('the reloaded tab lost its key')
        await tabs[1]!.mine(true)
        log(`${elapsed().toFixed(0).padStart(4)} s  tab 2 was reloaded: same key, height ${after.height}`)
      }
    }
    await sleep(1000)
  }

  await Promise.all(tabs.map(async (t) => t.mine(false)))
  const trained = elapsed()
  const settled = await until('agreement on the head', 45_000, async () => {
    const views = await Promise.all(tabs.map(async (t) => t.view()))
    return new Set(views.map((v) => v.head)).size === 1 ? views : undefined
  }).catch(() => undefined)
  const headsAgree = settled !== undefined
  // The late tab works backwards through what was found before it came.
  const unreplayed = await until('every block replayed by every tab', 45_000, async () => {
    const lists = await Promise.all(tabs.map(async (t) => t.blocks()))
    const missing = lists.flatMap((blocks, i) => blocks.filter((b) => b.onMainChain && b.height > 0 && b.checked !== 'replayed' && b.checked !== 'own').map((b) => `${tabs[i]!.name} has not replayed block ${b.height}`))
    return missing.length === 0 ? [] : undefined
  }).catch(async () => (await Promise.all(tabs.map(async (t) => t.blocks()))).flatMap((blocks, i) => blocks.filter((b) => b.onMainChain && b.height > 0 && b.checked !== 'replayed' && b.checked !== 'own').map((b) => `${tabs[i]!.name} has not replayed block ${b.height} (${b.checked})`)))
  const views = await Promise.all(tabs.map(async (t) => t.view()))
  const watched = job(views[0]!, jobId)!
  const end = await tabs[0]!.evaluate(watched.id)
  const main = (await tabs[0]!.blocks()).filter((b) => b.onMainChain && b.height > 0)
  const contributions = main.reduce((n, b) => n + b.contributions, 0)
  const replayFailures = views.reduce((n, v) => n + v.replayFailures, 0)

  const failures: string[] = []
  if (!headsAgree) failures.push('heads differ')
  failures.push(...unreplayed.slice(0, 10))
  if (replayFailures > 0) failures.push(`${replayFailures} replays failed`)
  if (start === undefined || end === undefined) failures.push('accuracy could not be measured')
  else if (end.accuracy - start.accuracy < 0.3) failures.push(`accuracy rose from ${(100 * start.accuracy).toFixed(1)} to ${(100 * end.accuracy).toFixed(1)} %, less than 30 points`)
  if (blocksAfterRelayDeath < 1) failures.push('no block was found while the relay was dead')
  if (lateTabSyncSeconds === null) failures.push('no late tab came in sync')
  if (peersMin < 1 && o.miners > 1) failures.push('a tab had no WebRTC peer')
  return {
    tabs: tabs.length,
    webrtcPeersMin: Number.isFinite(peersMin) ? peersMin : 0,
    secondsToFirstSlice: Number(firstSlice.toFixed(2)),
    blocks: main.length,
    headsAgree,
    replays: views.reduce((n, v) => n + v.replays, 0),
    replayFailures,
    accuracyStart: start?.accuracy ?? null,
    accuracyEnd: end?.accuracy ?? null,
    samplesPerSecond: Math.round(contributions * watched.stepsPerSlice * watched.batch / trained),
    relayKilledAt: relayKilledAt === null ? null : Number(relayKilledAt.toFixed(1)),
    blocksAfterRelayDeath,
    lateTabSyncSeconds: lateTabSyncSeconds === null ? null : Number(lateTabSyncSeconds.toFixed(2)),
    ok: failures.length === 0,
    failures
  }
}

async function main(): Promise<void> {
  const o = options(process.argv.slice(2))
  const executablePath = await ensureChromium()
  const dataDir = await mkdtemp(join(tmpdir(), 'commonweight-demo-'))
  let browser: Browser | undefined
  let server: ServerProcess | undefined
  try {
    server = await startServer({ network: o.network, dataDir })
    browser = await chromium.launch({ executablePath, headless: !o.headed, args: ['--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] })
    const verdict = await run(o, browser, server)
    for (const f of verdict.failures) log(`NOT OK: ${f}`)
    if (o.json) process.stdout.write(`${JSON.stringify(verdict)}\n`)
    else process.stdout.write(`${verdict.ok ? 'ok' : 'NOT OK'}: ${verdict.tabs} tabs, ${verdict.blocks} blocks, ${verdict.replays} replays, accuracy ${(100 * (verdict.accuracyStart ?? 0)).toFixed(1)} -> ${(100 * (verdict.accuracyEnd ?? 0)).toFixed(1)} %\n`)
    process.exitCode = verdict.ok ? 0 : 1
  } finally {
    await browser?.close().catch(() => {})
    await server?.kill()
    await rm(dataDir, { recursive: true, force: true })
  }
}

await main().catch((e: unknown) => {
  log(e instanceof Error ? e.message : String(e))
  process.exitCode = 1
})
