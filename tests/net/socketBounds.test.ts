/** How many sockets one address may have at the relay and at the tracker, and what counts as one address. */
import '../../src/net/nodeGlobals.ts'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { addressOf, countedNetworkOf, networkOf } from '../../server/address.ts'
import { parseOptions } from '../../server/options.ts'
import { startServer } from '../../server/server.ts'

/** Opens sockets to a server of its own; what each was answered is its status, 101 for one that is open. */
async function serve (...flags: readonly string[]): Promise<{ readonly port: number, readonly open: (path: string, from?: string) => Promise<{ readonly status: number, readonly socket: WebSocket }> }> {
  const folder = await mkdtemp(join(tmpdir(), 'commonweight-sockets-'))
  const o = parseOptions(['--host', '127.0.0.1', '--port', '0', '--relay-only', '--data-dir', folder, ...flags])
  if (!o.ok) throw new Error(o.error)
  const server = await startServer(o.value, '1.2.3')
  onTestFinished(async () => {
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  })
  const open = async (path: string, from?: string): Promise<{ readonly status: number, readonly socket: WebSocket }> => new Promise(resolve => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}${path}`, { headers: from === undefined ? {} : { 'x-forwarded-for': from } })
    socket.on('error', () => {})
    socket.on('upgrade', () => { resolve({ status: 101, socket }) })
    socket.on('unexpected-response', (_request, response) => { resolve({ status: response.statusCode ?? 0, socket }) })
  })
  return { port: server.port, open }
}
const PROXIED = ['--public-url', 'https://example.org', '--max-connections', '40', '--max-per-address', '10']

describe.each(['/announce', '/'])('sockets at %s', path => {
  test('one address has so many and no more; the others find room, and what it ends makes room', async () => {
    const { open } = await serve(...PROXIED)
    const held: WebSocket[] = []
    for (let i = 0; i < 10; i++) {
      // What stands before the proxy's own word is a stranger's.
      const { status, socket } = await open(path, `10.0.0.${i}, 198.51.100.7`)
      expect(status).toBe(101)
      held.push(socket)
    }
    expect((await open(path, '198.51.100.7')).status).toBe(429)
    expect((await open(path, '198.51.100.7, 198.51.100.8')).status).toBe(101)
    held[0].terminate()
    await vi.waitFor(async () => { expect((await open(path, '198.51.100.7')).status).toBe(101) }, 5_000)
    expect((await open(path, '198.51.100.7')).status).toBe(429)
  })

  test('the addresses of one network of IPv6 are one', async () => {
    const { open } = await serve(...PROXIED)
    for (let i = 0; i < 10; i++) expect((await open(path, `2001:db8:0:1:${i}::${i}`)).status).toBe(101)
    expect((await open(path, '2001:db8:0:1:ffff::1')).status).toBe(429)
    expect((await open(path, '2001:db8:0:2::1')).status).toBe(101)
  })

  test('this machine itself is bounded by the number of all sockets alone', async () => {
    const { open } = await serve('--max-connections', '40', '--max-per-address', '10')
    for (let i = 0; i < 40; i++) expect((await open(path)).status).toBe(101)
    expect((await open(path)).status).toBe(503)
  })
})

test('who is refused and does not hang up is hung up on', async () => {
  const { port, open } = await serve('--public-url', 'https://example.org', '--max-per-address', '1')
  expect((await open('/', '198.51.100.7')).status).toBe(101)
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  onTestFinished(() => { socket.destroy() })
  socket.resume().write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Forwarded-For: 198.51.100.7\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n')
  await once(socket, 'end')
  // To a connection that has gone, a word more is an error.
  const failed = once(socket, 'error')
  const words = setInterval(() => { socket.write('x') }, 20)
  expect(String((await failed as [Error])[0])).toMatch(/EPIPE|ECONNRESET/)
  clearInterval(words)
})

test('an eighth of all sockets is for one address, and on a small server no fewer than sixteen', () => {
  const told = (...flags: readonly string[]): number | string => { const o = parseOptions(flags); return o.ok ? o.value.maxPerAddress : o.error }
  expect([told(), told('--max-connections', '20000'), told('--max-connections', '40'), told('--max-connections', '40', '--max-per-address', '3')]).toEqual([125, 2500, 16, 3])
  for (const bad of ['0', 'x', '20001']) expect(told('--max-per-address', bad)).toMatch(/^--max-per-address: a whole number/)
})

describe('where a request comes from', () => {
  const request = (remoteAddress: string | undefined, forwarded?: string): IncomingMessage => ({ socket: { remoteAddress }, headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded } }) as unknown as IncomingMessage

  test('the socket says, or the last word of the proxy', () => {
    const cases: ReadonlyArray<readonly [IncomingMessage, boolean, string | undefined]> = [
      [request('198.51.100.7', '10.0.0.1'), false, '198.51.100.7'], [request('::ffff:198.51.100.7'), false, '198.51.100.7'], [request(undefined), false, undefined],
      [request('127.0.0.1', '198.51.100.7:51234'), true, '198.51.100.7'], [request('127.0.0.1', '10.0.0.1, [2001:db8::1]:443'), true, '2001:db8::1'], [request('127.0.0.1', '[2001:db8::1]'), true, '2001:db8::1'],
      [request('127.0.0.1', '198.51.100.7:x'), true, undefined], [request('127.0.0.1', '[198.51.100.7'), true, undefined],
      [request('127.0.0.1', '10.0.0.1, 198.51.100.7'), true, '198.51.100.7'], [request('127.0.0.1', '198.51.100.7, unknown'), true, undefined], [request('127.0.0.1'), true, undefined]
    ]
    for (const [r, behindProxy, address] of cases) expect(addressOf(r, behindProxy)).toBe(address)
  })

  test('64 bits of IPv6 are one network however they are written, an address of IPv4 is one', () => {
    const same = ['2001:db8::1', '2001:0DB8:0:0:ffff::', '2001:db8:0:0:1:2:3:4', '2001:db8::%eth0', '2001:db8::1:2:192.0.2.1']
    for (const a of same) expect(networkOf(a), a).toBe('2001:db8:0:0')
    expect(networkOf('2001:db8:0:1::1')).toBe('2001:db8:0:1')
    expect(networkOf('1::2:3:4:5:192.0.2.1')).toBe('1:0:2:3')
    expect(networkOf('::ffff:192.0.2.1')).toBe('192.0.2.1')
  })

  test('this machine counts for no network, unless a proxy names it', () => {
    const of = (r: IncomingMessage, behindProxy: boolean): string | undefined => countedNetworkOf(r, behindProxy)
    for (const own of ['127.0.0.1', '127.0.1.1', '::1', '::ffff:127.0.0.1']) expect(of(request(own), false), own).toBeUndefined()
    expect([of(request('127.0.0.1'), true), of(request('127.0.0.1', '127.0.0.1'), true), of(request('192.0.2.1', 'unknown'), true), of(request(undefined), false)]).toEqual([undefined, '127.0.0.1', '192.0.2.1', ''])
  })
})
