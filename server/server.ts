/** One port: the page, /bootstrap.json, /health, the relay's WebSocket and the tracker's. */
import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { join, resolve } from 'node:path'
import { originOf, webSocketMultiaddr } from './address.ts'
import { DEFAULT_PORT, PORT_TRIES, type ServerOptions } from './options.ts'
import type { Hybrid } from './hybrid.ts'
import { type Relay, startRelay } from './relay.ts'
import { StartError } from './startError.ts'
import { loadStaticFiles, serveStatic, type StaticFiles } from './staticFiles.ts'
import { startTracker, type Tracker, TRACKER_PATH } from './tracker.ts'

export interface RunningServer {
  readonly port: number
  /** Ports that were taken. */
  readonly skipped: readonly number[]
  readonly peerId: string
  /** TCP port of the BitTorrent wire, where the bridge runs. */
  readonly hybridPort?: number
  stop (): Promise<void>
}

export async function startServer (options: ServerOptions, version: string): Promise<RunningServer> {
  const files = options.dist === undefined ? new Map() as StaticFiles : await pageFiles(resolve(options.dist))
  const bounds = { maxConnections: options.maxConnections, maxPerAddress: options.maxPerAddress, behindProxy: options.publicUrl !== undefined }
  const relay = await startRelay({ ...bounds, dataDir: options.dataDir })
  const tracker = startTracker(bounds)
  const hybrid = options.hybrid === undefined ? undefined : await bridge(options, relay).catch(async (e: unknown) => {
    await tracker.stop()
    await relay.stop()
    throw e
  })
  const started = Date.now()
  const server = createServer({ requestTimeout: 30_000, headersTimeout: 10_000, maxHeaderSize: 16 * 1024 }, (request, response) => {
    answer(request, response, { options, version, files, relay, tracker, hybrid, started })
  })
  server.on('upgrade', (request, socket, head) => {
    if (pathOf(request.url) === TRACKER_PATH) tracker.upgrade(request, socket, head)
    else relay.gate.upgrade(request, socket, head)
  })
  server.on('clientError', (_e, socket) => { socket.destroy() })
  try {
    const { port, skipped } = await listen(server, options)
    return {
      port,
      skipped,
      peerId: relay.id,
      hybridPort: hybrid?.port,
      stop: async () => {
        const closed = once(server, 'close')
        server.close()
        await hybrid?.stop()
        await tracker.stop()
        await relay.stop()
        server.closeAllConnections()
        await closed
      }
    }
  } catch (e) {
    await hybrid?.stop()
    await tracker.stop()
    await relay.stop()
    throw e
  }
}

/** Loaded where it is wanted alone: it brings what only classic clients need. */
async function bridge (options: ServerOptions, relay: Relay): Promise<Hybrid> {
  const { startHybrid } = await import('./hybrid.ts')
  try {
    return await startHybrid({
      options: options.hybrid!, dataDir: options.dataDir, streams: relay.streams, tabs: () => relay.tabs(),
      onError: e => { process.stderr.write(`${e instanceof Error ? e.message : String(e)}\n`) }
    })
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === 'EADDRINUSE') throw new StartError(`port ${options.hybrid!.port} is taken: choose another for BitTorrent with --hybrid-port`)
    throw e
  }
}

async function pageFiles (dist: string): Promise<StaticFiles> {
  const built = await stat(join(dist, 'index.html')).then(s => s.isFile(), () => false)
  if (!built) throw new StartError(`there is no built page at ${dist}: run "npm run build", or pass --relay-only`)
  return loadStaticFiles(dist)
}

async function listen (server: Server, options: ServerOptions): Promise<{ port: number, skipped: number[] }> {
  const skipped: number[] = []
  const first = options.port ?? DEFAULT_PORT
  const last = options.port === undefined ? first + PORT_TRIES : first
  for (let port = first; port <= last; port++) {
    try {
      server.listen(port, options.host)
      await once(server, 'listening')
      const address = server.address()
      return { port: typeof address === 'object' && address !== null ? address.port : port, skipped }
    } catch (e) {
      const { code } = e as NodeJS.ErrnoException
      if (code === 'EADDRINUSE' && port < last) {
        skipped.push(port)
        continue
      }
      if (code === 'EADDRINUSE') throw new StartError(options.port === undefined ? `ports ${first} to ${last} are all taken` : `port ${port} is taken: end what listens there, or choose another with --port`)
      if (code === 'EACCES') throw new StartError(`port ${port} may not be used by this user: choose one above 1023`)
      if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') throw new StartError(`${options.host} is not an address of this machine`)
      throw e
    }
  }
  throw new StartError('no port was tried')
}

interface Context { readonly options: ServerOptions, readonly version: string, readonly files: StaticFiles, readonly relay: Relay, readonly tracker: Tracker, readonly hybrid?: Hybrid, readonly started: number }

function answer (request: IncomingMessage, response: ServerResponse, c: Context): void {
  response.setHeader('x-content-type-options', 'nosniff')
  response.setHeader('referrer-policy', 'no-referrer')
  response.setHeader('cross-origin-opener-policy', 'same-origin')
  const say = (status: number, value: unknown): void => {
    const body = `${JSON.stringify(value)}\n`
    response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', 'content-length': Buffer.byteLength(body) })
    response.end(request.method === 'HEAD' ? undefined : body)
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD')
    return say(405, { error: 'GET and HEAD only' })
  }
  const path = pathOf(request.url)
  if (path === undefined) return say(400, { error: 'not a path' })
  if (path === '/bootstrap.json') {
    const origin = c.options.publicUrl ?? originOf(request.headers.host, header(request, 'x-forwarded-proto'))
    if (origin === undefined) return say(400, { error: 'the Host header is not one' })
    // Others' pages may use this relay: the address is public.
    response.setHeader('access-control-allow-origin', '*')
    return say(200, { bootstraps: [webSocketMultiaddr(origin, c.relay.id), ...c.options.bootstraps], trackers: [trackerAddress(origin)], iceServers: c.options.iceServers, network: c.options.network, version: c.version })
  }
  if (path === '/health') {
    return say(200, { ok: true, version: c.version, network: c.options.network, peerId: c.relay.id, uptimeSeconds: Math.round((Date.now() - c.started) / 1000), ...c.relay.counts(), ...c.tracker.counts(), ...c.hybrid?.counts(), maxConnections: c.options.maxConnections, rssBytes: process.memoryUsage.rss() })
  }
  if (path === TRACKER_PATH && c.hybrid !== undefined) {
    c.tracker.announce(request, response, { hybrid: c.hybrid, address: c.options.hybrid?.address })
    return
  }
  serveStatic(c.files, path, request, response)
}

const trackerAddress = (origin: URL): string => `${origin.protocol === 'https:' ? 'wss' : 'ws'}://${origin.host}${TRACKER_PATH}`

const header = (request: IncomingMessage, name: string): string | undefined => {
  const v = request.headers[name]
  return typeof v === 'string' ? v.split(',')[0].trim() : undefined
}

/** The decoded path; undefined where it climbs, hides or is no path at all. */
function pathOf (url: string | undefined): string | undefined {
  if (url === undefined || !url.startsWith('/')) return undefined
  let path: string
  try { path = decodeURIComponent(url.split(/[?#]/)[0]) } catch { return undefined }
  return path.includes('\0') || path.includes('\\') || path.split('/').some(p => p === '..' || p === '.') ? undefined : path
}
