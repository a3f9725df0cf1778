/**
 * The mesh in real tabs: it forms over WebRTC, outlives the relay, closes its gaps without it, and
 * takes the relay back. Times are printed.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Browser, chromium, type Page } from '@playwright/test'
import { build } from 'vite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chromiumPath } from '../../scripts/ensure-chromium.mjs'
import { until } from '../compliance/network.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const TABS = 5

describe('the mesh in real tabs', () => {
  let folder: string
  let browser: Browser
  let server: { readonly process: ChildProcess, readonly url: string }
  const pages: Page[] = []

  const startServer = async (port: number): Promise<typeof server> => {
    const child = spawn(process.execPath, ['--import', 'tsx', 'server/main.ts', '--host', '127.0.0.1', '--port', String(port), '--dist', join(folder, 'page'), '--data-dir', join(folder, 'data')], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    const keep = (b: Buffer): void => { output += b.toString() }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    await until('the server', () => {
      if (child.exitCode !== null) throw new Error(`the server ended: ${output}`)
      return /http:\/\/\S+:\d+\//.test(output)
    }, 30_000)
    return { process: child, url: /http:\/\/\S+:\d+\//.exec(output)![0] }
  }
  const killServer = async (): Promise<void> => {
    const gone = once(server.process, 'exit')
    server.process.kill('SIGKILL')
    await gone
  }
  const open = async (): Promise<Page> => {
    const page = await (await browser.newContext()).newPage()
    page.on('pageerror', e => { console.error(`page: ${e.message}`) })
    await page.goto(server.url)
    await page.waitForFunction(() => window.mesh !== undefined)
    return page
  }
  const links = async (page: Page): Promise<string[]> => (await page.evaluate(async () => window.mesh.status())).peers.filter(p => p.link === 'webrtc').map(p => p.id)
  const relayUp = async (page: Page): Promise<boolean> => (await page.evaluate(async () => window.mesh.status())).relays.every(r => r.connected)
  const notes = async (): Promise<string> => (await Promise.all(pages.map(async (p, i) => `tab ${i}: ${(await p.evaluate(() => window.mesh.notes())).join('\n  ')}`))).join('\n')
  const waitFor = async (what: string, probe: () => Promise<boolean>, ms: number): Promise<number> => {
    const at = Date.now()
    await until(what, probe, ms).catch(async (e: unknown) => { throw new Error(`${(e as Error).message}\n${await notes()}`) })
    return Date.now() - at
  }
  /** Says a word in one tab; the latencies at which the others hear it. */
  const spread = async (from: Page, word: string): Promise<number[]> => {
    const { at } = await from.evaluate(async w => window.mesh.say(w), word)
    const others = pages.filter(p => p !== from)
    await waitFor(`"${word}" everywhere`, async () => (await Promise.all(others.map(async p => p.evaluate(w => window.mesh.heard(w), word)))).every(t => t !== undefined), 10_000)
    return Promise.all(others.map(async p => (await p.evaluate(w => window.mesh.heard(w), word))! - at))
  }
  const report = (text: string): void => { process.stderr.write(`  mesh: ${text}\n`) }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'commonweight-mesh-'))
    await build({ root: join(ROOT, 'tests/net/page'), configFile: false, logLevel: 'warn', build: { outDir: join(folder, 'page'), emptyOutDir: true, target: 'es2023', chunkSizeWarningLimit: 2000 } })
    server = await startServer(0)
    browser = await chromium.launch({ executablePath: await chromiumPath(), args: ['--no-sandbox'] })
  })
  afterAll(async () => {
    await browser?.close()
    if (server?.process.exitCode === null) await killServer()
    await rm(folder, { recursive: true, force: true })
  })

  it('forms over WebRTC', async () => {
    pages.push(...await Promise.all(Array.from({ length: TABS }, open)))
    const ms = await waitFor('three direct links per tab', async () => (await Promise.all(pages.map(links))).every(l => l.length >= 3), 90_000)
    const each = await Promise.all(pages.map(async p => p.evaluate(() => Math.round(window.mesh.msToPeers(3) ?? -1))))
    report(`${TABS} tabs, three links each: ${each.join(', ')} ms after start (${ms} ms after the last page was up)`)
    if (each.includes(-1)) report(await notes())
    const status = await pages[0]!.evaluate(async () => window.mesh.status())
    expect(status.relays).toHaveLength(1)
    expect(status.peers.find(p => p.link === 'server')).toBeDefined()
    expect(status.banned).toEqual([])
    expect(status.bytesIn).toBeGreaterThan(0)
  })

  it('carries gossip and requests', async () => {
    await waitFor('gossip links', async () => (await pages[0]!.evaluate(async () => window.mesh.say(`ping ${Math.random()}`))).sent >= 3, 15_000)
    report(`gossip ${(await spread(pages[0]!, 'first')).join(', ')} ms`)
    const [peer] = await links(pages[0]!)
    const ms = await pages[0]!.evaluate(async p => window.mesh.double(p, 2_000_000), peer!)
    expect(ms).toBeGreaterThan(0)
    report(`2 MB there and back in ${Math.round(ms)} ms`)
  })

  it('goes on when the relay dies', async () => {
    await killServer()
    for (const [i, page] of pages.entries()) report(`relay dead: gossip ${(await spread(page, `orphan ${i}`)).join(', ')} ms`)
    await waitFor('the loss to show', async () => !(await relayUp(pages[0]!)), 20_000)
  })

  it('closes its gaps without the relay, introduced by common neighbours', async () => {
    const leaver = pages.pop()!
    const gone = (await leaver.evaluate(async () => window.mesh.status())).self
    await leaver.goto('about:blank')
    const noticed = await waitFor('the closed tab to be noticed', async () => (await Promise.all(pages.map(links))).every(l => !l.includes(gone)), 30_000)
    report(`a closed tab was gone after ${noticed} ms`)
    await leaver.context().close()
    await waitFor('links to every other tab', async () => (await Promise.all(pages.map(links))).every(l => l.length >= pages.length - 1), 60_000)

    const other = (await pages[1]!.evaluate(async () => window.mesh.status())).self
    await pages[0]!.evaluate(async id => window.mesh.cut(id), other)
    expect(await links(pages[0]!)).not.toContain(other)
    const healed = await waitFor('the link anew', async () => (await links(pages[0]!)).includes(other), 60_000)
    report(`a cut link was made anew ${healed} ms later, without a relay`)
    report(`gossip ${(await spread(pages[1]!, 'still here')).join(', ')} ms`)
  })

  it('takes the relay back and lets a newcomer in', async () => {
    server = await startServer(Number(new URL(server.url).port))
    const ms = await waitFor('every tab back at the relay', async () => (await Promise.all(pages.map(relayUp))).every(Boolean), 40_000)
    report(`relay back: all tabs reconnected after ${ms} ms`)
    pages.push(await open())
    const joined = await waitFor('the newcomer in the mesh', async () => (await links(pages[pages.length - 1]!)).length >= 3, 60_000)
    report(`a newcomer had three links after ${joined} ms`)
    await waitFor('the newcomer to be heard', async () => (await pages[pages.length - 1]!.evaluate(async () => window.mesh.say(`hello ${Math.random()}`))).sent > 0, 15_000)
    report(`gossip ${(await spread(pages[pages.length - 1]!, 'newcomer')).join(', ')} ms`)
  })
})
