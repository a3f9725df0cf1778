/**
 * `npm run demo`: real tabs in separate browser contexts train one model together, mine by it and
 * check one another, while the relay dies and returns, a tab reloads and another joins late.
 * The verdict is one line of JSON; progress goes to stderr.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Browser, type BrowserContext, chromium, type Page } from '@playwright/test'
import type { BlockView, JobView, NodeApi, NodeView } from '../bridge/api.ts'
import type { BackendChoice } from '../ports/compute.ts'
import { buildPage } from '../../scripts/build.mjs'
import { ensureChromium } from '../../scripts/ensure-chromium.mjs'
import { Misused, number, runCommand, say as log } from './arguments.ts'
import { writeColourShapes } from './colourShapes.ts'
import { idxFolder } from './idxFolder.ts'
import { runSeedDemo } from './seedDemo.ts'
import { type ServerProcess, startServer } from './serverProcess.ts'

const USAGE = `npm run demo -- [--miners 3] [--seconds 120] [--data DIR | --scenario colour|seed] [--network main|test] [--headed] [--json]

  --miners N     tabs that train and mine from the start (1..8)
  --seconds S    length of the run after the first tab is up (40..3600)
  --data DIR     a folder of MNIST-named IDX files (.gz or not) instead of the built-in digits
  --scenario S   colour: a convolutional net on synthetic 3x32x32 pictures, every other tab on WebGPU,
                 by a software adapter where there is no GPU
                 seed: tabs share a file; with --leechers N (1..6, 3) and --size BYTES (200MB)
  --network N    main (10 s blocks) or test (2.5 s blocks)
  --headed       show the browser
  --json         end with one line of JSON on stdout`

interface Options { readonly miners: number, readonly seconds: number, readonly data?: string, readonly colour: boolean, readonly seed?: { readonly leechers: number, readonly bytes: number }, readonly network: 'main' | 'test', readonly headed: boolean, readonly json: boolean }

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
  /** Tabs by what their kernels ran on at the end; only where the scenario chooses. */
  readonly backends?: Readonly<Record<string, number>>
  readonly ok: boolean
  /** Empty when ok. */
  readonly failures: readonly string[]
}

declare global { interface Window { commonweight?: NodeApi } }

const sleep = async (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Undefined where only help was wanted. */
function options(): Options | undefined {
  const { values } = parseArgs({
    options: {
      miners: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '120' },
      data: { type: 'string' },
      scenario: { type: 'string' },
      leechers: { type: 'string' },
      size: { type: 'string' },
      network: { type: 'string', default: 'main' },
      headed: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false }
    }
  })
  if (values.help) { process.stdout.write(`${USAGE}\n`); return undefined }
  const whole = (name: string, text: string, low: number, high: number): number => number(name, text, low, high, true)!
  if (values.network !== 'main' && values.network !== 'test') throw new Misused(`--network: expected main or test, got "${values.network}"`)
  if (values.scenario !== undefined && values.scenario !== 'colour' && values.scenario !== 'seed') throw new Misused(`--scenario: expected colour or seed, got "${values.scenario}"`)
  if (values.scenario !== 'seed') for (const name of ['leechers', 'size'] as const) if (values[name] !== undefined) throw new Misused(`--${name} means nothing without --scenario seed`)
  if (values.scenario !== undefined && values.data !== undefined) throw new Misused('--scenario brings its own data: leave --data out')
  return { miners: whole('miners', values.miners, 1, 8), seconds: whole('seconds', values.seconds, 40, 3600), data: values.data, colour: values.scenario === 'colour', seed: values.scenario === 'seed' ? { leechers: whole('leechers', values.leechers ?? '3', 1, 6), bytes: sizeOf(values.size ?? '200MB') } : undefined, network: values.network, headed: values.headed, json: values.json }
}

/** '200MB', '64MiB' or plain bytes. */
function sizeOf(text: string): number {
  const parts = /^(\d+)(MB|MiB)?$/.exec(text)
  const bytes = parts === null ? 0 : Number(parts[1]) * (parts[2] === 'MB' ? 1e6 : parts[2] === 'MiB' ? 1024 ** 2 : 1)
  if (bytes < 1e6 || bytes > 1e9) throw new Misused(`--size: expected 1MB to 1000MB, got "${text}"`)
  return bytes
}

/** One tab in a browser context of its own: its own storage, wallet and identity. */
class Tab {
  private constructor(readonly name: string, readonly context: BrowserContext, readonly page: Page, readonly duty: number) {}
  backend: BackendChoice = 'wasm'

  static async open(browser: Browser, name: string, url: string, duty: number): Promise<Tab> {
    const context = await browser.newContext()
    const page = await context.newPage()
    page.on('pageerror', (e) => log(`  ${name}: page error: ${e.message.split('\n')[0]}`))
    const tab = new Tab(name, context, page, duty)
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
  async mine(on: boolean): Promise<void> { await this.page.evaluate(async (settings) => window.commonweight!.setMining(settings), { on, workers: 1, duty: this.duty, backend: this.backend }) }
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
async function idxFiles(dir: string): Promise<string[]> {
  const present = await readdir(dir)
  return ['train-images', 'train-labels', 't10k-images', 't10k-labels'].map((stem) => {
    const name = present.find((f) => f.startsWith(stem))
    if (name === undefined) throw new Error(`--data: ${dir} has no file that starts with ${stem}`)
    return name
  })
}

const FEE = { escrow: 30_000_000n, pricePerContribution: 10_000n, burn: 1_000_000n, fee: 1_000n }
/** Where the page finds the folder's files: answered by the browser, the server knows nothing of it. */
const FILES_PATH = 'demo-data/'

/** A folder of IDX files and the job file of a model for it. */
interface Posting { readonly dir: string, readonly json: string }

/** Posts the folder as a paid job, from the tab that has mined the credits first. */
async function postData(tabs: readonly Tab[], url: string, { dir, json }: Posting, say: (text: string) => void): Promise<string> {
  const names = await idxFiles(dir)
  // A block's reward can be spent some blocks later: whoever has the first one reads the files meanwhile.
  const tab = await until('a block that stays', 60_000, async () => {
    for (const t of tabs) {
      const [newest, ...older] = (await t.blocks()).filter((b) => b.onMainChain)
      if (older.some((b) => b.mine && b.height === 1 && newest!.height > 2)) return t
    }
    return undefined
  })
  for (const name of names) await tab.page.route(`${url}${FILES_PATH}${name}`, async (route) => route.fulfill({ path: join(dir, name) }))
  const preview = await tab.page.evaluate(async (urls) => {
    // No named function in here: the loader would wrap its name in a helper that the page does not have.
    const [trainFeatures, trainLabels, testFeatures, testLabels] = await Promise.all(urls.map(async (u) => ({ name: u.split('/').at(-1)!, bytes: new Uint8Array(await (await fetch(u)).arrayBuffer()) })))
    const read = await window.commonweight!.previewData({ kind: 'idx', trainFeatures: trainFeatures!, trainLabels, testFeatures, testLabels })
    return read.ok ? { root: read.value.root } : { error: read.errors.map((e) => `${e.field}: ${e.message}`).join('; ') }
  }, names.map((name) => `${url}${FILES_PATH}${name}`))
  if (preview.root === undefined) throw new Error(`the files were refused: ${preview.error}`)
  say(`${tab.name} has read the files`)
  await until('the fee', 90_000, async () => (await tab.view()).wallet.balance >= FEE.escrow + FEE.burn + FEE.fee ? true : undefined)
  const posted = await tab.page.evaluate(async (draft) => {
    const out = await window.commonweight!.postJob({ ...draft, deadlineBlocks: 5000 })
    return out.ok ? { id: out.value.id } : { error: out.errors.map((e) => `${e.field}: ${e.message}`).join('; ') }
  }, { json, data: preview.root, ...FEE })
  if (posted.id === undefined) throw new Error(`the job was refused: ${posted.error}`)
  return posted.id
}

const job = (v: NodeView, id: string | undefined): JobView | undefined => v.jobs.find((j) => id === undefined ? j.benchmark : j.id === id)

const dataShare = (j: JobView | undefined): number => j === undefined ? 0 : Math.floor(100 * j.dataHeld)

async function run(o: Options, posting: Posting | undefined, browser: Browser, server: ServerProcess): Promise<Verdict> {
  const url = `${server.url}?network=${o.network}`
  // A tab of its own machine would have cores to itself: here what mining leaves is for everything else.
  const duty = Math.min(1, availableParallelism() / (o.miners + 1))
  const tabs: Tab[] = []
  for (let i = 0; i < o.miners; i++) tabs.push(await Tab.open(browser, `tab ${i + 1}`, url, duty))
  const started = Date.now()
  const elapsed = (): number => (Date.now() - started) / 1000
  log(`${o.miners} tabs are up at ${server.url}`)
  const accuracyAtStart = posting === undefined ? await (async () => { const v = await tabs[0]!.view(); return tabs[0]!.evaluate(job(v, undefined)!.id) })() : undefined
  await Promise.all(tabs.map(async (t) => t.mine(true)))
  const firstSlice = await until('the first slice', 60_000, async () => (await Promise.all(tabs.map(async (t) => t.view()))).some((v) => v.mining.slices > 0) ? elapsed() : undefined)
  log(`first slice after ${firstSlice.toFixed(1)} s`)

  const say = (text: string): void => { log(`${elapsed().toFixed(0).padStart(4)} s  ${text}`) }
  let jobId: string | undefined
  let start = accuracyAtStart
  let postFailure: string | undefined
  if (posting !== undefined) {
    // Beside all that follows: tabs come and go while the data spreads.
    postData([...tabs], server.url, posting, say).then(async (id) => {
      jobId = id
      say(`job ${id.slice(0, 12)} is posted; its data spreads from tab to tab`)
      start = await until('the first accuracy of the posted job', o.seconds * 1000, async () => tabs[0]!.firstPoint(id))
      say('the job is active')
      if (!o.colour) return
      // Not from the start: a software adapter takes many seconds for a slice of the dense benchmark.
      for (const tab of tabs.filter((_, i) => i % 2 === 1)) {
        tab.backend = 'webgpu'
        await tab.mine(true)
        say(`${tab.name} goes on by WebGPU`)
      }
    }).catch((e: unknown) => { postFailure = e instanceof Error ? e.message : String(e) })
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
      say(`height ${height}  ${j?.status === 'waiting-data' ? `data ${views.map((v) => dataShare(job(v, jobId))).join('/')} %` : `round ${j?.round ?? 0}  accuracy ${j?.accuracy === undefined ? '-' : `${(100 * j.accuracy).toFixed(1)} %`}`}  peers ${views.map((v) => v.peers.filter((p) => p.link === 'webrtc').length).join('/')}  replays ${views.reduce((n, v) => n + v.replays, 0)}${relayKilledAt !== null && !relayBack ? '  (relay dead)' : ''}`)
    }
    if (relayKilledAt === null && elapsed() >= o.seconds / 2) {
      await server.kill()
      relayKilledAt = elapsed()
      heightAtDeath = height
      say('the relay is killed')
    }
    if (relayKilledAt !== null && !relayBack) {
      blocksAfterRelayDeath = height - heightAtDeath
      if (elapsed() >= o.seconds * 0.68) {
        // A page cannot be loaded from a dead server: it comes back before the late tab and the reload.
        await server.restart()
        relayBack = true
        say(`the relay is back; ${blocksAfterRelayDeath} blocks were found without it`)
      }
    }
    if (relayBack && !lateDone && elapsed() >= o.seconds * 0.72) {
      lateDone = true
      const at = Date.now()
      const late = await Tab.open(browser, 'late tab', url, duty)
      tabs.push(late)
      await until('the late tab in sync', 60_000, async () => {
        const v = await late.view()
        return v.phase.phase === 'ready' && v.height >= height ? true : undefined
      })
      lateTabSyncSeconds = (Date.now() - at) / 1000
      say(`a late tab is in sync after ${lateTabSyncSeconds.toFixed(1)} s`)
      await late.mine(true)
      if (tabs.length > 2) {
        const again = tabs[o.colour ? 2 : 1]!
        const before = await again.view()
        await again.reload()
        const after = await until('the reloaded tab', 30_000, async () => { const v = await again.view(); return v.phase.phase === 'ready' ? v : undefined })
        if (after.miner !== before.miner || after.wallet.address !== before.wallet.address) throw new Error('the reloaded tab lost its key')
        await again.mine(true)
        say(`${again.name} was reloaded: same key, height ${after.height}`)
      }
    }
    await sleep(1000)
  }

  await Promise.all(tabs.map(async (t) => t.mine(false)))
  const trained = elapsed()
  // A software adapter redoes the last blocks long after they were found.
  const settleMs = o.colour ? 240_000 : 45_000
  const settled = await until('agreement on the head', settleMs, async () => {
    const views = await Promise.all(tabs.map(async (t) => t.view()))
    return new Set(views.map((v) => v.head)).size === 1 ? views : undefined
  }).catch(() => undefined)
  const headsAgree = settled !== undefined
  // The late tab works backwards through what was found before it came.
  const unreplayed = await until('every block replayed by every tab', settleMs, async () => {
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
  if (postFailure !== undefined) failures.push(postFailure)
  if (!headsAgree) failures.push('heads differ')
  failures.push(...unreplayed.slice(0, 10))
  if (replayFailures > 0) failures.push(`${replayFailures} replays failed`)
  if (start === undefined || end === undefined) failures.push('accuracy could not be measured')
  else if (end.accuracy - start.accuracy < 0.3) failures.push(`accuracy rose from ${(100 * start.accuracy).toFixed(1)} to ${(100 * end.accuracy).toFixed(1)} %, less than 30 points`)
  if (blocksAfterRelayDeath < 1) failures.push('no block was found while the relay was dead')
  if (lateTabSyncSeconds === null) failures.push('no late tab came in sync')
  if (peersMin < 1 && o.miners > 1) failures.push('a tab had no WebRTC peer')
  const backends: Record<string, number> = {}
  for (const [i, { compute, mining }] of views.entries()) {
    backends[compute.backend] = (backends[compute.backend] ?? 0) + 1
    if (!o.colour) continue
    if (compute.backend !== tabs[i]!.backend) failures.push(`${tabs[i]!.name} ran on ${compute.backend} instead of ${tabs[i]!.backend}: ${compute.failure ?? 'no reason given'}`)
    else if (mining.slices === 0) failures.push(`${tabs[i]!.name} has done no slice on ${compute.backend}`)
  }
  if (o.colour && Object.keys(backends).length < 2) failures.push('all tabs ran on one backend')
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
    ...(o.colour ? { backends } : {}),
    ok: failures.length === 0,
    failures
  }
}

/** Small enough for a software adapter: a slice of it takes seconds there, milliseconds on a GPU. */
const COLOUR_JOB = {
  name: 'Coloured figures',
  model_type: 'cnn',
  architecture: {
    input_shape: [3, 32, 32],
    layers: [
      { type: 'conv2d', filters: 8, kernel_size: 3, stride: 2, padding: 1, activation: 'relu' },
      { type: 'conv2d', filters: 16, kernel_size: 3, stride: 2, padding: 1, activation: 'relu' }
    ],
    output_size: 10
  },
  optimizer: { type: 'adam', learning_rate: 0.005 },
  stopping_criterion: { type: 'max_epochs', max_epochs: 100 },
  dataset_info: { batch_size: 16 },
  training: { steps_per_slice: 32, schedule: 'constant' }
}

async function postingOf(o: Options, scratch: string): Promise<Posting | undefined> {
  if (o.colour) {
    const dir = join(scratch, 'colour')
    await writeColourShapes(dir, 4000, 500)
    return { dir, json: JSON.stringify(COLOUR_JOB) }
  }
  return o.data === undefined ? undefined : { dir: o.data, json: await readFile(new URL('../../examples/mnist-mlp.json', import.meta.url), 'utf8') }
}

async function main(o: Options): Promise<number> {
  await buildPage()
  const executablePath = await ensureChromium()
  const dataDir = await mkdtemp(join(tmpdir(), 'commonweight-demo-'))
  let browser: Browser | undefined
  let server: ServerProcess | undefined
  try {
    server = await startServer({ network: o.network, dataDir })
    const posting = await postingOf(o, dataDir)
    browser = await chromium.launch({ executablePath, headless: !o.headed, args: ['--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', ...(o.colour ? ['--enable-unsafe-webgpu'] : [])] })
    if (o.seed !== undefined) {
      const seeded = await runSeedDemo({ ...o.seed, url: `${server.url}?network=${o.network}` }, browser)
      for (const f of seeded.failures) log(`NOT OK: ${f}`)
      process.stdout.write(o.json ? `${JSON.stringify(seeded)}\n` : `${seeded.ok ? 'ok' : 'NOT OK'}: ${seeded.seconds.toFixed(1)} s, ${seeded.aggregateMBps.toFixed(1)} MB/s together, ${(100 * seeded.shareAmongLeechers).toFixed(0)} % among leechers\n`)
      return seeded.ok ? 0 : 1
    }
    const verdict = await run(o, posting, browser, server)
    for (const f of verdict.failures) log(`NOT OK: ${f}`)
    if (o.json) process.stdout.write(`${JSON.stringify(verdict)}\n`)
    else process.stdout.write(`${verdict.ok ? 'ok' : 'NOT OK'}: ${verdict.tabs} tabs, ${verdict.blocks} blocks, ${verdict.replays} replays, accuracy ${(100 * (verdict.accuracyStart ?? 0)).toFixed(1)} -> ${(100 * (verdict.accuracyEnd ?? 0)).toFixed(1)} %\n`)
    return verdict.ok ? 0 : 1
  } finally {
    await browser?.close().catch(() => {})
    await server?.kill()
    await rm(dataDir, { recursive: true, force: true })
  }
}

await runCommand(USAGE, async () => {
  const o = options()
  if (o === undefined) return 0
  // Now, and not when the tabs are up.
  const folder = o.data === undefined ? undefined : await idxFolder(o.data, false)
  if (folder?.ok === false) throw new Misused(folder.message)
  return await main(o).catch((e: unknown) => {
    log(e instanceof Error ? e.message : String(e))
    return 1
  })
})
