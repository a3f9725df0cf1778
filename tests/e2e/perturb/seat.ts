/**
 * A profile on disk with its browser, and the tabs in it. Each tab sits at a place; which slot, and
 * so which database and key, the app gives it is found out from what it shows.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { cp, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrowserContext, CDPSession, Page } from '@playwright/test'
import { openProfile } from '../../../src/cli/builtPage.ts'
import { inPage, NAME_HELPER, type Report, type Shown, tellCommits } from './inPage.ts'
import { Witness } from './witness.ts'

/** A tab that has not shown anything by then has not come back. */
const UP_MS = 180_000
const LOADS = 6
const OPENINGS = 5
const DEAD_MS = 10_000

export interface Listener {
  report (seat: Seat, report: Report): void
  trouble (seat: Seat, text: string): void
}

/**
 * Errors inside webtorrent that nothing comes of. simple-peer reads of a connection that is gone: an offer to a tracker whose
 * candidates have not all come within five seconds, as while a tab is cut off, was given up meanwhile (feross/simple-peer#397).
 * And a peer that was let go of hears late of its connection's end (webtorrent/lib/peer.js, onError).
 */
const UPSTREAM = ["null (reading 'localDescription')", "null (reading 'removeListener')"]
const isUpstream = (e: Error): boolean => UPSTREAM.some(words => e.message.includes(words)) && e.stack?.includes('/webtorrent.min') === true

/** One tab, through all its deaths. */
export class Seat {
  readonly profile: Profile
  readonly place: number
  page: Page | undefined
  /** Since the page was opened. */
  first: Shown | undefined
  working: boolean = false
  openedAt = 0
  #commit: (() => void) | undefined
  #shown: (() => void) | undefined

  constructor (profile: Profile, place: number) {
    this.profile = profile
    this.place = place
  }

  get name (): string { return `tab ${this.profile.index}.${this.place}` }

  /** Opens the app in a new page, without waiting for it. */
  async open (url: string, serverUp: () => Promise<void>): Promise<void> {
    await this.page?.close().catch(() => {})
    this.first = undefined
    this.working = false
    const page = await openPage(this.profile.context)
    this.page = page
    page.on('pageerror', e => { if (this.page === page && !isUpstream(e)) this.profile.listener.trouble(this, `page error: ${e.stack ?? e.message}`) })
    page.on('console', message => { if (message.text().startsWith('perturb:')) this.#commit?.() })
    page.on('worker', worker => { if (worker.url().includes('node.worker')) worker.evaluate(tellCommits).catch(() => {}) })
    this.openedAt = Date.now()
    for (let i = 0; i < LOADS; i++) {
      await serverUp()
      try {
        await page.goto(url, { waitUntil: 'commit' })
        return
      } catch (e) {
        if (page.isClosed() || this.page !== page) return
        // The server may have been killed in between.
        if (i === LOADS - 1) throw e
      }
    }
  }

  /** Waits for the first view; loads again where the server was not there for what the page asks of it. */
  async up (serverUp: () => Promise<void>): Promise<Shown> {
    const deadline = Date.now() + UP_MS
    while (this.first === undefined) {
      if (Date.now() > deadline) throw new Error(`${this.name} did not come up within ${UP_MS / 1000} s`)
      await new Promise<void>(resolve => {
        this.#shown = resolve
        setTimeout(resolve, 1_000)
      })
      if (this.first !== undefined) break
      const words = await this.page?.getByTestId('boot-error').innerText({ timeout: 50 }).catch(() => undefined)
      const nothing = await this.page?.evaluate(() => document.querySelector('#root') === null).catch(() => false)
      if (words === undefined && nothing !== true) continue
      if (words !== undefined && !/fetch|server|load/i.test(words)) throw new Error(`${this.name} did not start: ${words.split('\n').slice(0, 3).join(' ')}`)
      await serverUp()
      await this.page?.reload({ waitUntil: 'commit' }).catch(() => {})
    }
    return this.first
  }

  heard (report: Report): void {
    if (report.kind === 'first') {
      this.first = report.view
      this.#shown?.()
    }
    // Alone, or with old work that nobody can hand out any more, a tab works as well.
    if (report.kind === 'view' && report.view.slices > 0) this.working = true
    this.profile.listener.report(this, report)
  }

  /** When the tab begins to write a block, or after `ms`. */
  async commit (ms: number): Promise<void> {
    await new Promise<void>(resolve => {
      this.#commit = resolve
      setTimeout(resolve, ms)
    })
    this.#commit = undefined
  }

  async session (): Promise<CDPSession> { return await this.profile.context.newCDPSession(this.page!) }

  async crash (): Promise<void> {
    const page = this.page!
    const gone = new Promise<void>(resolve => { page.once('crash', () => { resolve() }).once('close', () => { resolve() }) })
    const cdp = await this.session()
    cdp.send('Page.crash').catch(() => {})
    await Promise.race([gone, new Promise(resolve => setTimeout(resolve, 5_000))])
    await page.close()
  }

  async close (): Promise<void> { await this.page!.close() }
}

export class Profile {
  readonly index: number
  readonly listener: Listener
  readonly seats: readonly Seat[]
  readonly witness: Witness
  readonly #dir: string
  #context: BrowserContext | undefined
  #browser = 0
  #renderers: readonly number[] = []

  private constructor (index: number, tabs: number, dir: string, origin: string, listener: Listener) {
    this.index = index
    this.listener = listener
    this.#dir = dir
    this.witness = new Witness(origin, openPage)
    this.seats = Array.from({ length: tabs }, (_, place) => new Seat(this, place))
  }

  static async create (index: number, tabs: number, origin: string, listener: Listener): Promise<Profile> {
    const profile = new Profile(index, tabs, await mkdtemp(join(tmpdir(), 'commonweight-perturb-')), origin, listener)
    await profile.launch()
    return profile
  }

  get context (): BrowserContext { return this.#context! }

  async launch (): Promise<void> {
    // Nobody looks at these pages: what drawing them costs is better spent on their nodes.
    const context = this.#context = await openProfile(this.#dir, ['--disable-gpu', '--disable-software-rasterizer', '--window-size=320,240'])
    await context.addInitScript(NAME_HELPER)
    await context.addInitScript(inPage)
    await context.exposeBinding('perturbReport', ({ page }, text: string) => {
      // A dead page may still be heard: what it has shown counts.
      this.seats.find(s => s.page === page)?.heard(JSON.parse(text) as Report)
    })
    await this.pids()
  }

  /** Process ids of the pages, found out beforehand: a kill must not wait for an answer. */
  async pids (): Promise<readonly number[]> {
    const cdp = await this.context.browser()!.newBrowserCDPSession()
    const { processInfo } = await cdp.send('SystemInfo.getProcessInfo')
    await cdp.detach()
    this.#browser = processInfo.find(p => p.type === 'browser')!.id
    this.#renderers = processInfo.filter(p => p.type === 'renderer').map(p => p.id)
    return this.#renderers
  }

  /** Every process of the profile's pages, at once. */
  killRenderers (): void { for (const pid of this.#renderers) signal(pid, 'SIGKILL') }

  /**
   * The browser with all its processes, as a power cut does. It ends when none is left: one that lived
   * on would hold the files of the databases, and write to them, when the next browser opens them.
   */
  async killBrowser (): Promise<void> {
    const context = this.context
    const closed = new Promise<void>(resolve => { context.once('close', () => { resolve() }) })
    // The browser itself first: it must not see the others go.
    const all = family(this.#browser)
    for (const pid of all) signal(pid, 'SIGKILL')
    await closed
    for (const deadline = Date.now() + DEAD_MS; all.some(alive); await new Promise(resolve => setTimeout(resolve, 20))) {
      if (Date.now() > deadline) throw new Error(`processes ${all.filter(alive).join(', ')} of a killed browser live on`)
    }
    await rm(this.#left, { recursive: true, force: true })
    await cp(this.#databases, this.#left, { recursive: true }).catch(() => {})
  }

  get #databases (): string { return join(this.#dir, 'Default', 'IndexedDB') }

  /** The databases as the browser that was killed last left them. */
  get #left (): string { return `${this.#dir}-left` }

  /** Puts them aside for somebody to look at; the path, if there were any. */
  async keepLeft (): Promise<string | undefined> {
    const path = `${this.#left}-${Date.now()}`
    return await rename(this.#left, path).then(() => path, () => undefined)
  }

  /** What the browser's own log of its databases says, for a failure that is the browser's. */
  async databaseLog (): Promise<string> {
    const folder = this.#databases
    const names = await readdir(folder, { recursive: true }).catch(() => [])
    const sizes = await Promise.all(names.map(async name => `${name} ${await stat(join(folder, name)).then(s => s.size, () => 'unreadable')}`))
    const logs = names.filter(name => /(LOG(\.old)?|corruption_info\.json)$/.test(name))
    return sizes.join(', ') + '\n' + (await Promise.all(logs.map(async name => `${name}:\n${(await readFile(join(folder, name), 'utf8')).split('\n').slice(-30).join('\n')}`))).join('\n')
  }

  async pressure (): Promise<void> {
    const cdp = await this.context.browser()!.newBrowserCDPSession()
    await cdp.send('Memory.simulatePressureNotification', { level: 'critical' })
    await cdp.detach()
  }

  async destroy (): Promise<void> {
    await this.#context?.close().catch(() => {})
    for (const dir of [this.#dir, this.#left]) await rm(dir, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** A browser whose processes have just died refuses a new page for a moment. */
export async function openPage (context: BrowserContext): Promise<Page> {
  for (let i = 1; ; i++) {
    try {
      return await context.newPage()
    } catch (e) {
      if (i === OPENINGS) throw e
      await new Promise(resolve => setTimeout(resolve, 300 * i))
    }
  }
}

/** A process and all that come from it, itself first. */
function family (root: number): number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const [, parent] = /^\d+ \(.*\) \S (\d+) /s.exec(readFileSync(`/proc/${name}/stat`, 'utf8'))!
      parents.set(Number(name), Number(parent))
    } catch {
      // It has ended meanwhile.
    }
  }
  const found = [root]
  for (const pid of found) for (const [child, parent] of parents) if (parent === pid) found.push(child)
  return found
}

/**
 * A process that has ended and was not yet reaped counts as dead where that can be seen. Its first thread ends before
 * one that waits for the disk, and until the last has ended its files, and the lock on its databases, are held.
 */
function alive (pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX] /s.test(readFileSync(`/proc/${pid}/stat`, 'utf8')) || readdirSync(`/proc/${pid}/task`).length > 1
  } catch {
    return false
  }
}

/** A process that has ended by itself is no error. */
export function signal (pid: number, name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
  try {
    process.kill(pid, name)
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code !== 'ESRCH') throw e
  }
}
