/**
 * `npm run interop`: files between a real tab and a classic BitTorrent client that is not ours, aria2,
 * through the server's bridge, both ways; and the infohash beside mktorrent's, where that is here.
 * Exits with 2 where the tools are missing or the arguments wrong, with 1 where something is not as it should be.
 */
import '../net/polyfill.ts'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { chromium } from '@playwright/test'
import { buildPage } from '../../scripts/build.mjs'
import { chromiumPath } from '../../scripts/ensure-chromium.mjs'
import { decodeMetainfo, makeMetainfo, type Metainfo, pieceBytesFor, wrapInfo } from '../core/torrent/metainfo.ts'
import { number, runCommand, say } from './arguments.ts'
import { sampleBytes, sha256Of, SwarmTab } from './seedDemo.ts'
import { freePort, startServer } from './serverProcess.ts'

const USAGE = `npm run interop -- [options]

  --size MB     of each file (0.1..4000, default: 20)
  --seconds N   patience for each direction (1..100000, default: 120)
  --json        the verdict as JSON

  needed: aria2c (the program named by ARIA2C, or the one on the PATH; Debian and Ubuntu: apt-get install aria2,
          macOS: brew install aria2, Windows: winget install aria2.aria2)
  wanted: mktorrent (MKTORRENT or the PATH; apt-get install mktorrent, brew install mktorrent); without it our
          infohash is compared with no other program's

Exit code 1 if a file or an infohash differs or did not come in time, 2 if a tool is missing or an argument wrong.`

const MISSING = 2
const MB = 1_000_000

function findTool (variable: string, name: string, ...probe: readonly string[]): { readonly path: string, readonly version: string } | undefined {
  const path = process.env[variable] ?? name
  const r = spawnSync(path, probe, { encoding: 'utf8' })
  // mktorrent has no flag for its version and complains, but it runs.
  return r.error !== undefined || r.status === null || r.status === 127 ? undefined : { path, version: `${r.stdout}${r.stderr}`.split('\n')[0].trim() }
}

interface Sample { readonly path: string, readonly metainfo: Metainfo }

/** The file of that seed on the disk, as a tab would share it. */
async function writeSample (folder: string, seed: number, bytes: number, name: string): Promise<Sample> {
  const path = join(folder, name)
  const pieceBytes = pieceBytesFor(bytes)
  const hashes: Buffer[] = []
  const file = await open(path, 'w')
  let inPiece = 0
  let h = createHash('sha1')
  const close = (): void => {
    hashes.push(h.digest())
    h = createHash('sha1')
    inPiece = 0
  }
  for (const part of sampleBytes(seed, bytes)) {
    await file.write(part)
    for (let at = 0; at < part.length;) {
      const take = Math.min(pieceBytes - inPiece, part.length - at)
      h.update(part.subarray(at, at + take))
      at += take
      inPiece += take
      if (inPiece === pieceBytes) close()
    }
  }
  if (inPiece > 0) close()
  await file.close()
  return { path, metainfo: makeMetainfo(name, [{ path: name, bytes }], pieceBytes, new Uint8Array(Buffer.concat(hashes))) }
}

async function sha256OfFile (path: string): Promise<string> {
  const h = createHash('sha256')
  for await (const part of createReadStream(path)) h.update(part as Buffer)
  return h.digest('hex')
}

class Aria2 {
  readonly #child: ChildProcess
  #output = ''

  private constructor (child: ChildProcess) {
    this.#child = child
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (d: Buffer) => { this.#output = (this.#output + d.toString()).slice(-4000) })
  }

  /** Only our tracker, no other way to find peers. */
  static async start (path: string, folder: string, torrent: string, tracker: string, ...more: readonly string[]): Promise<Aria2> {
    return new Aria2(spawn(path, [
      '--no-conf=true', `--dir=${folder}`, '--enable-dht=false', '--enable-dht6=false', '--enable-peer-exchange=false', '--bt-enable-lpd=false',
      `--listen-port=${await freePort()}`, `--bt-tracker=${tracker}`, '--file-allocation=none', '--summary-interval=0', '--show-console-readout=false', '--console-log-level=notice', ...more, torrent
    ], { stdio: ['ignore', 'pipe', 'pipe'] }))
  }

  get output (): string { return this.#output }

  /** Its exit code; undefined if it did not end in time. */
  async ended (ms: number): Promise<number | null | undefined> {
    if (this.#child.exitCode !== null) return this.#child.exitCode
    return await new Promise(resolve => {
      const timer = setTimeout(() => { resolve(undefined) }, ms)
      this.#child.once('exit', code => { clearTimeout(timer); resolve(code) })
    })
  }

  async stop (): Promise<void> {
    if (this.#child.exitCode !== null) return
    this.#child.kill('SIGKILL')
    await this.ended(5_000)
  }
}

/** Path of the .torrent it makes, or its words. */
function torrentOfMktorrent (tool: string, sample: Sample, folder: string): string {
  const out = join(folder, 'mktorrent.torrent')
  const r = spawnSync(tool, ['-l', String(Math.log2(sample.metainfo.pieceBytes)), '-o', out, sample.path], { encoding: 'utf8' })
  return r.status === 0 ? out : `mktorrent ended with ${r.status}: ${r.stderr}`
}

async function main (): Promise<number> {
  const { values } = parseArgs({ options: { size: { type: 'string', default: '20' }, seconds: { type: 'string', default: '120' }, json: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } } })
  if (values.help) { process.stdout.write(`${USAGE}\n`); return 0 }
  const bytes = Math.round(number('size', values.size, 0.1, 4000, false)! * MB)
  const patience = number('seconds', values.seconds, 1, 100_000, false)! * 1000
  const aria2 = findTool('ARIA2C', 'aria2c', '--version')
  if (aria2 === undefined) { say(`aria2c is not here: this run needs a classic BitTorrent client that is not ours.\n\n${USAGE}`); return MISSING }
  const mktorrent = findTool('MKTORRENT', 'mktorrent', '-h')
  say(`${aria2.version}; ${mktorrent === undefined ? 'mktorrent is not here, its infohash is not compared' : 'mktorrent is here'}`)
  await buildPage()

  const failures: string[] = []
  const expect = (holds: boolean, what: string): void => { if (!holds) failures.push(what) }
  const folder = await mkdtemp(join(tmpdir(), 'commonweight-interop-'))
  const made = async (name: string): Promise<string> => { const path = join(folder, name); await mkdir(path); return path }
  const [theirs, got, data] = [await made('theirs'), await made('got'), await made('data')]
  const ours = await writeSample(folder, 1, bytes, 'of-a-tab.bin')
  const ofAria2 = await writeSample(theirs, 501, bytes, 'of-aria2.bin')
  const server = await startServer({ network: 'test', dataDir: data, flags: ['--hybrid', '--hybrid-port', String(await freePort()), '--hybrid-torrent', ours.metainfo.infoHash, '--hybrid-torrent', ofAria2.metainfo.infoHash, '--hybrid-rate', '0'] })
  const browser = await chromium.launch({ executablePath: chromiumPath(), args: ['--no-sandbox', '--disable-dev-shm-usage'] })
  const running: Aria2[] = []
  const start = async (...a: Parameters<typeof Aria2.start>): Promise<Aria2> => {
    const r = await Aria2.start(...a)
    running.push(r)
    return r
  }
  try {
    const tracker = `${server.url}announce`
    const tab = await SwarmTab.open(browser, 'tab', `${server.url}?network=test`)

    // 1. What a tab shares, aria2 fetches.
    const infoHash = await tab.share(1, bytes, 'of-a-tab')
    expect(infoHash === ours.metainfo.infoHash, `the tab calls it ${infoHash}, Node ${ours.metainfo.infoHash}`)
    let sameAsMktorrent: boolean | undefined
    if (mktorrent !== undefined) {
      const out = torrentOfMktorrent(mktorrent.path, ours, folder)
      const m = decodeMetainfo(await readFile(out).catch(() => new Uint8Array(0)))
      sameAsMktorrent = m.ok && m.value.infoHash === infoHash
      expect(sameAsMktorrent, `mktorrent calls it ${m.ok ? m.value.infoHash : out}`)
    }
    const torrent = join(folder, 'ours.torrent')
    await writeFile(torrent, wrapInfo(ours.metainfo.info))
    let began = Date.now()
    const leech = await start(aria2.path, got, torrent, tracker, '--seed-time=0')
    const code = await leech.ended(patience)
    const downSeconds = (Date.now() - began) / 1000
    expect(code === 0, `aria2c did not fetch it (${code === undefined ? 'time is up' : `exit ${code}`}):\n${leech.output}`)
    const fetched = code === 0 && await sha256OfFile(join(got, 'of-a-tab.bin')) === sha256Of(1, bytes)
    expect(fetched, 'what aria2c has is not what the tab shared')
    say(`tab -> bridge -> aria2: ${downSeconds.toFixed(1)} s, ${fetched ? 'sha256 equal' : 'FAILED'}`)

    // 2. What aria2 seeds, a tab fetches by a magnet link.
    const theirTorrent = join(folder, 'theirs.torrent')
    await writeFile(theirTorrent, wrapInfo(ofAria2.metainfo.info))
    const seed = await start(aria2.path, theirs, theirTorrent, tracker, '--check-integrity=true', '--seed-ratio=0.0')
    began = Date.now()
    const refused = await tab.page.evaluate(async magnet => {
      const out = await window.commonweight!.addToLibrary(magnet)
      return out.ok ? undefined : JSON.stringify(out.errors)
    }, `magnet:?xt=urn:btih:${ofAria2.metainfo.infoHash}`)
    expect(refused === undefined, `the tab refuses the magnet link: ${refused}`)
    let state = ''
    while (state !== 'complete' && Date.now() - began < patience) {
      const item = await tab.item(ofAria2.metainfo.infoHash)
      state = item?.state ?? 'nothing'
      await new Promise(resolve => setTimeout(resolve, 200))
    }
    const upSeconds = (Date.now() - began) / 1000
    expect(state === 'complete', `the tab did not fetch it (${state}); aria2c said:\n${seed.output}`)
    const arrived = state === 'complete' && await tab.sha256(ofAria2.metainfo.infoHash) === sha256Of(501, bytes)
    expect(arrived, 'what the tab has is not what aria2c seeds')
    say(`aria2 -> bridge -> tab: ${upSeconds.toFixed(1)} s, ${arrived ? 'sha256 equal' : 'FAILED'}`)

    const verdict = { ok: failures.length === 0, client: aria2.version, bytes, toClient: { seconds: downSeconds, sha256Equal: fetched }, toTab: { seconds: upSeconds, sha256Equal: arrived }, infoHash, infoHashEqualsMktorrent: sameAsMktorrent ?? null, failures }
    if (values.json) process.stdout.write(`${JSON.stringify(verdict, undefined, 2)}\n`)
    for (const f of failures) say(f)
    say(failures.length === 0 ? 'ok' : `${failures.length} failures`)
    return failures.length === 0 ? 0 : 1
  } finally {
    for (const r of running) await r.stop()
    await browser.close()
    await server.kill()
    await rm(folder, { recursive: true, force: true })
  }
}

await runCommand(USAGE, main)
