/**
 * Chromium as a person runs it, over its own protocol: Playwright tells every page that it has the
 * focus, so none of its tabs is ever hidden and no timer of theirs is ever slowed down.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocket } from 'ws'
import { chromiumPath } from '../../scripts/ensure-chromium.mjs'

const START_MS = 30_000
const ENDPOINT = /DevTools listening on (ws:\S+)/

interface Answer { readonly id?: number, readonly result?: unknown, readonly error?: { readonly message: string } }

/** One tab: what it is asked to evaluate, and what is done to it. */
export class RawTab {
  readonly #browser: RawChromium
  readonly #target: string
  readonly #session: string

  constructor (browser: RawChromium, target: string, session: string) {
    this.#browser = browser
    this.#target = target
    this.#session = session
  }

  /** The value of an expression, its promise awaited; bigints come as text. */
  async evaluate<T> (expression: string): Promise<T> {
    const text = `(async () => JSON.stringify(await (${expression}), (_, v) => typeof v === 'bigint' ? String(v) : v))()`
    const { result, exceptionDetails } = await this.#browser.send('Runtime.evaluate', { expression: text, awaitPromise: true, returnByValue: true }, this.#session) as {
      readonly result: { readonly value?: string }, readonly exceptionDetails?: { readonly text: string, readonly exception?: { readonly description?: string } }
    }
    if (exceptionDetails !== undefined) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
    return (result.value === undefined ? undefined : JSON.parse(result.value)) as T
  }

  async toFront (): Promise<void> { await this.#browser.send('Target.activateTarget', { targetId: this.#target }) }

  async setFrozen (frozen: boolean): Promise<void> {
    await this.#browser.send('Page.setWebLifecycleState', { state: frozen ? 'frozen' : 'active' }, this.#session)
  }
}

export class RawChromium {
  readonly #process: ChildProcess
  readonly #profile: string
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, { readonly resolve: (value: unknown) => void, readonly reject: (reason: Error) => void }>()
  #id = 0

  private constructor (process: ChildProcess, profile: string, socket: WebSocket) {
    this.#process = process
    this.#profile = profile
    this.#socket = socket
    socket.on('message', (data: Buffer) => {
      const answer = JSON.parse(data.toString()) as Answer
      const waiting = answer.id === undefined ? undefined : this.#waiting.get(answer.id)
      if (waiting === undefined) return
      this.#waiting.delete(answer.id as number)
      if (answer.error === undefined) waiting.resolve(answer.result)
      else waiting.reject(new Error(answer.error.message))
    })
  }

  static async open (): Promise<RawChromium> {
    const profile = await mkdtemp(join(tmpdir(), 'commonweight-profile-'))
    const child = spawn(chromiumPath(), [
      '--headless=new', '--no-sandbox', '--disable-dev-shm-usage', '--remote-debugging-port=0', `--user-data-dir=${profile}`,
      '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', 'about:blank'
    ], { stdio: ['ignore', 'ignore', 'pipe'] })
    const url = await new Promise<string>((resolve, reject) => {
      let said = ''
      const late = setTimeout(() => { reject(new Error(`Chromium did not say where it listens: ${said}`)) }, START_MS)
      child.stderr.on('data', (data: Buffer) => {
        said += data.toString()
        const found = ENDPOINT.exec(said)?.[1]
        if (found === undefined) return
        clearTimeout(late)
        resolve(found)
      })
    })
    const socket = new WebSocket(url)
    await new Promise<void>((resolve, reject) => { socket.once('open', () => { resolve() }).once('error', reject) })
    return new RawChromium(child, profile, socket)
  }

  async send (method: string, params: object, sessionId?: string): Promise<unknown> {
    const id = ++this.#id
    return await new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#socket.send(JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }))
    })
  }

  /** In the newest window, or in one of its own; `apart` has storage of its own. */
  async tab (url: string, { apart = false } = {}): Promise<RawTab> {
    const context = apart ? await this.send('Target.createBrowserContext', {}) as { readonly browserContextId: string } : {}
    const { targetId } = await this.send('Target.createTarget', { url, ...context, newWindow: apart }) as { readonly targetId: string }
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true }) as { readonly sessionId: string }
    return new RawTab(this, targetId, sessionId)
  }

  async close (): Promise<void> {
    const ended = new Promise(resolve => { this.#process.once('exit', resolve) })
    this.#socket.close()
    this.#process.kill('SIGKILL')
    await ended
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5 })
  }
}
