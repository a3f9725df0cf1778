import '../../src/net/nodeGlobals.ts'
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { originOf, webSocketMultiaddr } from '../../server/address.ts'
import { parseOptions } from '../../server/options.ts'
import { type RunningServer, startServer } from '../../server/server.ts'
import { StartError } from '../../server/startError.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PEER = `12D3KooW${'A'.repeat(44)}`

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'commonweight-server-'))
  await mkdir(join(folder, 'dist/assets'), { recursive: true })
  await writeFile(join(folder, 'dist/index.html'), '<!doctype html><p>page</p>')
  await writeFile(join(folder, 'dist/assets/app-1a2b3c.js'), `export const x = '${'long '.repeat(1000)}'`)
  await writeFile(join(folder, 'dist/assets/kernel-9f.wasm'), Uint8Array.of(0, 97, 115, 109))
  await writeFile(join(folder, 'secret.txt'), 'secret')
})
afterAll(async () => { await rm(folder, { recursive: true, force: true }) })

const options = (more: readonly string[] = []): ReturnType<typeof parseOptions> => parseOptions(['--host', '127.0.0.1', '--port', '0', '--dist', join(folder, 'dist'), '--data-dir', join(folder, 'data'), ...more])
async function start (more: readonly string[] = []): Promise<RunningServer> {
  const o = options(more)
  if (!o.ok) throw new Error(o.error)
  return startServer(o.value, '1.2.3')
}

interface Answer { readonly status: number, readonly headers: Record<string, string | string[] | undefined>, readonly body: string }
/** As it stands: fetch would tidy the path. */
async function get (port: number, path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const r = request({ host: '127.0.0.1', port, path, method, headers }, response => {
      let body = ''
      response.setEncoding('latin1')
      response.on('data', (d: string) => { body += d })
      response.on('end', () => { resolve({ status: response.statusCode ?? 0, headers: response.headers, body }) })
    })
    r.on('error', reject)
    r.end()
  })
}

describe('the server', () => {
  let server: RunningServer
  beforeAll(async () => { server = await start(['--network', 'test', '--stun', 'stun.example.org:3478', '--turn', 'u:p:q@turn.example.org:3478', '--bootstrap', `/dns/two.example.org/tcp/443/tls/ws/p2p/${PEER}`, '--max-connections', '3']) })
  afterAll(async () => { await server.stop() })

  it('serves the page, also for places inside the app', async () => {
    for (const path of ['/', '/index.html', '/jobs/new', '/?network=test']) {
      const r = await get(server.port, path)
      expect([r.status, r.headers['content-type'], r.body]).toEqual([200, 'text/html; charset=utf-8', '<!doctype html><p>page</p>'])
      expect(r.headers['cache-control']).toBe('no-cache')
      expect(r.headers['content-security-policy']).toMatch(/script-src 'self' 'wasm-unsafe-eval'.*worker-src 'self' blob:.*connect-src 'self' ws: wss:/)
      expect(r.headers['content-security-policy']).not.toMatch(/unsafe-eval' 'unsafe|'unsafe-eval'/)
      expect(r.headers['x-content-type-options']).toBe('nosniff')
    }
  })

  it('serves hashed files for good, with their type, packed where asked for', async () => {
    const js = await get(server.port, '/assets/app-1a2b3c.js')
    expect([js.status, js.headers['content-type'], js.headers['cache-control']]).toEqual([200, 'text/javascript; charset=utf-8', 'public, max-age=31536000, immutable'])
    const packed = await get(server.port, '/assets/app-1a2b3c.js', { 'accept-encoding': 'gzip' })
    expect(packed.headers['content-encoding']).toBe('gzip')
    expect(Number(packed.headers['content-length'])).toBeLessThan(200)
    expect((await get(server.port, '/assets/kernel-9f.wasm')).headers['content-type']).toBe('application/wasm')
    expect((await get(server.port, '/assets/app-1a2b3c.js', { 'if-none-match': String(js.headers.etag) })).status).toBe(304)
    expect((await get(server.port, '/assets/gone.js')).status).toBe(404)
  })

  it('refuses to leave its folder, and other methods', async () => {
    for (const path of ['/../secret.txt', '/%2e%2e/secret.txt', '/assets/../../secret.txt', '/..%2fsecret.txt', '/..%5csecret.txt', '/assets/%00', '/%zz', '//etc/passwd.txt', '/assets/.%2e/%2e./secret.txt']) {
      const r = await get(server.port, path)
      expect([400, 404], path).toContain(r.status)
      expect(r.body).not.toContain('secret')
    }
    expect((await get(server.port, '/', {}, 'POST')).status).toBe(405)
    const head = await get(server.port, '/', {}, 'HEAD')
    expect([head.status, head.body]).toEqual([200, ''])
  })

  it('tells a tab where to go, by how it came', async () => {
    const told = async (headers: Record<string, string>): Promise<string> => (JSON.parse((await get(server.port, '/bootstrap.json', headers)).body) as { bootstraps: string[] }).bootstraps[0]
    expect(await told({ host: 'localhost:8080' })).toBe(`/dns/localhost/tcp/8080/ws/p2p/${server.peerId}`)
    expect(await told({ host: '192.168.1.7:8080' })).toBe(`/ip4/192.168.1.7/tcp/8080/ws/p2p/${server.peerId}`)
    expect(await told({ host: 'example.org', 'x-forwarded-proto': 'https' })).toBe(`/dns/example.org/tcp/443/tls/ws/p2p/${server.peerId}`)
    for (const host of ['evil/x', 'a b', 'x:99999', '"', 'a'.repeat(300)]) expect((await get(server.port, '/bootstrap.json', { host })).status, host).toBe(400)
    expect(JSON.parse((await get(server.port, '/bootstrap.json')).body)).toMatchObject({
      bootstraps: [expect.stringContaining(server.peerId), `/dns/two.example.org/tcp/443/tls/ws/p2p/${PEER}`],
      iceServers: [{ urls: 'stun:stun.example.org:3478' }, { urls: 'turn:turn.example.org:3478', username: 'u', credential: 'p:q' }],
      network: 'test',
      version: '1.2.3'
    })
  })

  it('says how it is, and turns away the socket that is too many', async () => {
    const sockets = await Promise.all([0, 1, 2].map(async () => {
      const s = new WebSocket(`ws://127.0.0.1:${server.port}/`)
      await once(s, 'open')
      return s
    }))
    expect(JSON.parse((await get(server.port, '/health')).body)).toMatchObject({ ok: true, version: '1.2.3', network: 'test', peerId: server.peerId, maxConnections: 3, registered: 0 })
    const fourth = new WebSocket(`ws://127.0.0.1:${server.port}/`)
    const [e] = await once(fourth, 'error') as [Error]
    expect(e.message).toContain('503')
    // A frame over the bound ends its socket, not the server.
    sockets[0].on('error', () => {})
    sockets[0].send(new Uint8Array(300 * 1024))
    const [code] = await once(sockets[0], 'close') as [number]
    expect([1006, 1009]).toContain(code)
    for (const s of sockets) s.terminate()
    expect((await get(server.port, '/health')).status).toBe(200)
  })
})

describe('starting and stopping', () => {
  it('keeps its key, readable by its owner alone', async () => {
    const first = await start()
    await first.stop()
    const second = await start()
    await second.stop()
    expect(second.peerId).toBe(first.peerId)
    expect((await stat(join(folder, 'data/relay.key'))).mode & 0o077).toBe(0)
    expect(await readdir(join(folder, 'data'))).toEqual(['relay.key'])
  })

  it('does not replace a key it cannot read', async () => {
    const data = join(folder, 'torn')
    await mkdir(data)
    await writeFile(join(data, 'relay.key'), 'torn')
    const refused = await start(['--data-dir', data]).catch((e: unknown) => e)
    // Its message is all that is printed: it says what to do.
    expect(refused).toBeInstanceOf(StartError)
    expect((refused as Error).message).toMatch(/relay\.key cannot be read .*put its backup in its place, or delete it/)
    expect(await readFile(join(data, 'relay.key'), 'utf8')).toBe('torn')
  })

  it('says what is wrong: a taken port, no page', async () => {
    const taken = createServer()
    taken.listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as { port: number }
    await expect(start(['--port', String(port)])).rejects.toThrow(`port ${port} is taken`)
    await expect(start(['--dist', join(folder, 'nothing')])).rejects.toThrow(StartError)
    await expect(start(['--host', '203.0.113.77'])).rejects.toThrow(/not an address of this machine/)
    taken.close()
  })

  /** The program itself; `output` is what it has said. */
  async function program (): Promise<{ child: ChildProcessByStdio<null, Readable, Readable>, url: string, output: () => string }> {
    const child = spawn(process.execPath, ['--import', 'tsx', 'server/main.ts', '--host', '127.0.0.1', '--port', '0', '--dist', join(folder, 'dist'), '--data-dir', join(folder, 'data')], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
    onTestFinished(() => { child.kill('SIGKILL') })
    let output = ''
    const url = await new Promise<string>((resolve, reject) => {
      child.stdout.on('data', (b: Buffer) => {
        output += b.toString()
        const found = /http:\/\/localhost:(\d+)/.exec(output)
        if (found !== null) resolve(`ws://127.0.0.1:${found[1]}/`)
      })
      child.once('exit', code => { reject(new Error(`ended with ${code}: ${output}`)) })
    })
    return { child, url, output: () => output }
  }

  it('a signal ends the process with 0, with sockets open', async () => {
    const { child, url, output } = await program()
    const socket = new WebSocket(url)
    await once(socket, 'open')
    const exit = once(child, 'exit')
    child.kill('SIGTERM')
    expect(await exit).toEqual([0, null])
    expect(output()).toContain('stopping')
  }, 120_000)

  it('goes on and ends well where whoever read what it says has gone', async () => {
    const { child, url } = await program()
    child.stdout.destroy()
    child.stderr.destroy()
    const exit = once(child, 'exit')
    // "stopping" finds nobody: one that complained of it would complain of that, and so on.
    child.kill('SIGTERM')
    expect(await Promise.race([exit, delay(20_000, 'still there')])).toEqual([0, null])
    await expect(once(new WebSocket(url), 'open')).rejects.toThrow('ECONNREFUSED')
  }, 120_000)

  it('finds the next free port unless it was given one', async () => {
    // With the default port held here, whoever else may hold it.
    const held = createServer()
    const mine = await new Promise<boolean>(resolve => {
      held.once('error', () => { resolve(false) })
      held.listen(8080, '127.0.0.1', () => { resolve(true) })
    })
    const parsed = options()
    if (!parsed.ok) throw new Error(parsed.error)
    const server = await startServer({ ...parsed.value, port: undefined }, '1')
    expect(server.skipped[0]).toBe(8080)
    expect(server.port).toBe(8080 + server.skipped.length)
    await server.stop()
    if (mine) held.close()
  })
})

describe('flags', () => {
  it('are checked one by one', () => {
    for (const bad of [['--port', '70000'], ['--port', 'x'], ['--network', 'other'], ['--public-url', 'example.org'], ['--public-url', 'https://example.org/path'], ['--bootstrap', '/dns/x'], ['--turn', 'nobody'], ['--turn', 'u@h:1'], ['--stun', 'a b'], ['--stun', 'a:b'], ['--host', ''], ['--max-connections', '1'], ['--nonsense'], ['stray']]) {
      const r = options(bad)
      expect(r.ok, bad.join(' ')).toBe(false)
      if (!r.ok) expect(r.error).toContain(bad[0])
    }
    expect(options(['--help'])).toMatchObject({ ok: false, help: true, error: expect.stringContaining('or the next free one') })
  })
})

describe('addresses', () => {
  it('name the host as the tab knows it', () => {
    const cases: Array<[string, string | undefined, string]> = [
      ['localhost:8080', undefined, '/dns/localhost/tcp/8080/ws'], ['example.org', undefined, '/dns/example.org/tcp/80/ws'], ['example.org', 'https', '/dns/example.org/tcp/443/tls/ws'],
      ['[2001:db8::1]:8080', undefined, '/ip6/2001:db8::1/tcp/8080/ws'], ['10.0.0.2:81', 'http', '/ip4/10.0.0.2/tcp/81/ws']
    ]
    for (const [host, proto, address] of cases) expect(webSocketMultiaddr(originOf(host, proto)!, PEER)).toBe(`${address}/p2p/${PEER}`)
    expect(originOf(undefined, undefined)).toBeUndefined()
  })
})
