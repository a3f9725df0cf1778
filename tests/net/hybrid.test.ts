/**
 * The bridge: a classic client over TCP and a tab over its link to the server, both ways; and what
 * strangers may not make it do. The classic client is the webtorrent package's own, over TCP and the HTTP
 * tracker alone; `npm run interop` does the same with real tabs and aria2.
 */
import '../../src/net/nodeGlobals.ts'
import { createHash, randomBytes } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { webSockets } from '@libp2p/websockets'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { boundPerAddress, MAX_TCP_LINKS, MAX_TCP_PER_ADDRESS } from '../../server/hybrid.ts'
import { parseOptions } from '../../server/options.ts'
import { type RunningServer, startServer } from '../../server/server.ts'
import { MAX_CLIENTS_PER_ADDRESS } from '../../server/tracker.ts'
import { makeMetainfo, type Metainfo, wrapInfo } from '../../src/core/torrent/metainfo.ts'
import { createLibp2pNetwork, type TabNetwork } from '../../src/net/libp2p.ts'
import { MemoryDisk } from '../../src/net/swarm/pieceDisk.ts'
import { WebTorrentSwarm } from '../../src/net/swarm/webtorrentSwarm.ts'
import type { ClientClass, ClientOptions } from '../../src/net/swarm/webtorrentTypes.ts'

const PIECE = 64 * 1024
const BYTES = 20 * PIECE + 123

interface Sample { readonly bytes: Uint8Array<ArrayBuffer>, readonly metainfo: Metainfo, readonly torrent: Uint8Array }

function sample (name: string, length = BYTES): Sample {
  const bytes = new Uint8Array(randomBytes(length))
  const hashes: Buffer[] = []
  for (let at = 0; at < length; at += PIECE) hashes.push(createHash('sha1').update(bytes.subarray(at, at + PIECE)).digest())
  const metainfo = makeMetainfo(name, [{ path: name, bytes: length }], PIECE, new Uint8Array(Buffer.concat(hashes)))
  return { bytes, metainfo, torrent: wrapInfo(metainfo.info) }
}

let folder: string
const ends: Array<() => Promise<void>> = []
beforeAll(async () => { folder = await mkdtemp(join(tmpdir(), 'commonweight-hybrid-')) })
afterAll(async () => {
  for (const end of ends.reverse()) await end()
  await rm(folder, { recursive: true, force: true })
})

async function serve (data: string, ...flags: readonly string[]): Promise<RunningServer> {
  const o = parseOptions(['--host', '127.0.0.1', '--port', '0', '--relay-only', '--data-dir', join(folder, data), '--hybrid', '--hybrid-port', '0', ...flags])
  if (!o.ok) throw new Error(o.error)
  const server = await startServer(o.value, '1.2.3')
  ends.push(() => server.stop())
  return server
}

async function load (): Promise<ClientClass> {
  const { default: WebTorrent } = await import('webtorrent')
  return class extends WebTorrent { override torrentPort = 1 }
}

/** What a tab is to the server: a libp2p node on a WebSocket, with a swarm. */
async function tab (server: RunningServer): Promise<{ readonly network: TabNetwork, readonly swarm: WebTorrentSwarm, readonly disk: MemoryDisk }> {
  const network = await createLibp2pNetwork({ bootstraps: [`/ip4/127.0.0.1/tcp/${server.port}/ws/p2p/${server.peerId}`], namespace: 'hybrid', carriers: { transports: [webSockets()], listen: [] } })
  const disk = new MemoryDisk(64 * 1024 * 1024)
  const swarm = new WebTorrentSwarm({ streams: network.streams, openDisk: async () => ({ disk }), trackers: [], iceServers: [], onError: e => { throw e }, load })
  ends.push(async () => { await swarm.stop(); await network.stop() })
  return { network, swarm, disk }
}

interface ClassicTorrent { readonly done: boolean }
interface ClassicClient { add (torrent: Uint8Array, options: { readonly path: string, readonly announce: readonly string[] }): ClassicTorrent, destroy (done: () => void): void }

/** A BitTorrent client of the old kind: TCP, an HTTP tracker, files in a folder. */
async function classic (name: string): Promise<{ readonly path: string, readonly add: (torrent: Uint8Array, announce: string) => ClassicTorrent }> {
  const { default: WebTorrent } = await import('webtorrent')
  const options: ClientOptions = { dht: false, lsd: false, utPex: false, natUpnp: false, natPmp: false, webSeeds: false, utp: false, tracker: { rtcConfig: {} } }
  const client = new WebTorrent(options) as unknown as ClassicClient
  const path = join(folder, name)
  ends.push(async () => { await new Promise<void>(done => { client.destroy(done) }) })
  return { path, add: (torrent, announce) => client.add(torrent, { path, announce: [announce] }) }
}

const announceOf = (server: RunningServer): string => `http://127.0.0.1:${server.port}/announce`
async function until (what: string, probe: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 45_000
  while (!await probe()) {
    if (Date.now() > deadline) throw new Error(`${what} did not happen`)
    await new Promise(resolve => { setTimeout(resolve, 50) })
  }
}
const health = async (server: RunningServer): Promise<Record<string, number>> => await (await fetch(`http://127.0.0.1:${server.port}/health`)).json() as Record<string, number>
async function ask (server: RunningServer, infoHash: string, more = '', port = 4000): Promise<string> {
  const raw = infoHash.replace(/../g, '%$&')
  const r = await fetch(`${announceOf(server)}?info_hash=${raw}&peer_id=${'p'.repeat(20)}&port=${port}&uploaded=0&downloaded=0&left=1&compact=1${more}`)
  return Buffer.from(await r.arrayBuffer()).toString('latin1')
}

test('a classic client gets what a tab shares, and a tab what a classic client has', async () => {
  const [ofTab, ofClassic] = [sample('of-a-tab.bin'), sample('of-a-client.bin')]
  const server = await serve('both', '--hybrid-torrent', ofTab.metainfo.infoHash, '--hybrid-torrent', ofClassic.metainfo.infoHash)
  const t = await tab(server)
  expect(await t.swarm.share([new File([ofTab.bytes], 'of-a-tab.bin')], '')).toEqual(ofTab.torrent)
  await t.swarm.follow(ofTab.metainfo.infoHash, { torrent: ofTab.torrent, fetch: true })
  await t.swarm.follow(ofClassic.metainfo.infoHash, { fetch: false })
  await t.swarm.onEvent(e => { if (e.type === 'metadata') void t.swarm.follow(e.infoHash, { fetch: true }) })

  const a = await classic('a')
  const down = a.add(ofTab.torrent, announceOf(server))
  const b = await classic('b')
  await mkdir(b.path)
  await writeFile(join(b.path, 'of-a-client.bin'), ofClassic.bytes)
  b.add(ofClassic.torrent, announceOf(server))

  await until('the classic client has it', async () => down.done)
  expect((await readFile(join(a.path, 'of-a-tab.bin'))).equals(ofTab.bytes)).toBe(true)
  await until('the tab has it', async () => (await t.swarm.status()).items.every(i => i.state === 'complete'))
  const got = new Uint8Array(await (await t.swarm.open(ofClassic.metainfo.infoHash, 'of-a-client.bin')).arrayBuffer())
  expect(Buffer.from(got).equals(Buffer.from(ofClassic.bytes))).toBe(true)
  // To the tab it is one of those without a name: what strangers do is not the server's fault.
  expect((await t.swarm.status()).items.flatMap(i => i.links.map(l => [l.via, l.peer]))).toEqual([['tracker', undefined], ['tracker', undefined]])
  expect(await health(server)).toMatchObject({ bridged: 2, cacheBytes: 2 * BYTES })
}, 60_000)

test('another torrent is refused at the tracker and on the wire; the list of peers names the bridge', async () => {
  const named = sample('named.bin', PIECE)
  const server = await serve('closed', '--hybrid-torrent', `magnet:?xt=urn:btih:${named.metainfo.infoHash}`)
  expect(await ask(server, 'ab'.repeat(20))).toBe('d14:failure reason32:this torrent is not bridged here' + 'e')
  const port = server.hybridPort!
  const here = String.fromCharCode(127, 0, 0, 1, port >> 8, port & 255)
  expect(await ask(server, named.metainfo.infoHash)).toContain(here)
  // A stranger says what he likes of where he is; without a proxy nobody believes it.
  const r = await fetch(`${announceOf(server)}?info_hash=${named.metainfo.infoHash.replace(/../g, '%$&')}&peer_id=${'q'.repeat(20)}&port=4001&left=1&compact=1&ip=10.1.2.3`, { headers: { 'x-forwarded-for': '10.1.2.3' } })
  expect(Buffer.from(await r.arrayBuffer()).toString('latin1')).not.toContain(String.fromCharCode(10, 1, 2, 3))

  const socket = connect(port, '127.0.0.1')
  const closed = new Promise<boolean>(resolve => { socket.on('close', () => { resolve(true) }).on('error', () => {}) })
  const answers: Buffer[] = []
  socket.on('data', (d: Buffer) => { answers.push(d) })
  socket.write(Buffer.concat([Buffer.from('\x13BitTorrent protocol'), Buffer.alloc(8), Buffer.from('ab'.repeat(20), 'hex'), Buffer.alloc(20, 1)]))
  expect(await closed).toBe(true)
  expect(Buffer.concat(answers).length).toBe(0)
})

test('classic clients of one torrent leave links for tabs', async () => {
  const s = sample('crowd.bin', PIECE)
  const server = await serve('crowd', '--hybrid-torrent', s.metainfo.infoHash)
  const sockets = Array.from({ length: MAX_TCP_LINKS + 6 }, (_, i) => {
    const socket = connect(server.hybridPort!, '127.0.0.1')
    socket.on('error', () => {}).resume()
    socket.write(Buffer.concat([Buffer.from('\x13BitTorrent protocol'), Buffer.alloc(8), Buffer.from(s.metainfo.infoHash, 'hex'), Buffer.alloc(20, i + 1)]))
    return socket
  })
  await until('the bridge has as many as it takes', async () => (await health(server)).bridgeLinks === MAX_TCP_LINKS && sockets.filter(x => x.destroyed || x.readableEnded).length === 6)
  for (const x of sockets) x.destroy()
}, 60_000)

test('one address has so many connections to the bridge and no more', async () => {
  const server = await serve('connections', '--hybrid-open')
  const open = (n: number): Socket[] => Array.from({ length: n }, () => connect(server.hybridPort!, '127.0.0.1').on('error', () => {}).resume())
  const ended = (x: Socket): boolean => x.destroyed || x.readableEnded
  const sockets = open(MAX_TCP_PER_ADDRESS + 5)
  await until('the last ones are ended', async () => sockets.filter(ended).length === 5)
  // What has gone makes room.
  for (const x of sockets.filter(x => !ended(x)).slice(0, 3)) x.destroy()
  await new Promise(resolve => { setTimeout(resolve, 300) })
  const again = open(4)
  await until('one of four is ended', async () => again.some(ended))
  await new Promise(resolve => { setTimeout(resolve, 300) })
  expect(again.filter(ended)).toHaveLength(1)
  for (const x of [...sockets, ...again]) x.destroy()
}, 60_000)

test('another address is not kept out, but another of the same 64 bits is', () => {
  const bound = boundPerAddress()
  const isTaken = (remoteAddress: string): boolean => {
    const socket = Object.assign(new EventEmitter(), { remoteAddress, ended: false, destroy () { this.ended = true } })
    bound(socket)
    return !socket.ended
  }
  const taken = (address: (i: number) => string): number => Array.from({ length: MAX_TCP_PER_ADDRESS + 8 }, (_, i) => isTaken(address(i))).filter(Boolean).length
  expect(taken(i => i % 2 === 0 ? '192.0.2.1' : '::ffff:192.0.2.1')).toBe(MAX_TCP_PER_ADDRESS)
  expect(isTaken('192.0.2.2')).toBe(true)
  expect(taken(i => i % 2 === 0 ? `2001:db8::${i.toString(16)}` : `2001:db8:0:0:${i.toString(16)}::7`)).toBe(MAX_TCP_PER_ADDRESS)
  expect(isTaken('2001:db8:0:1::1')).toBe(true)
})

test('flags that make no sense are named', () => {
  const error = (...flags: readonly string[]): string => { const o = parseOptions(flags); return o.ok ? 'taken' : o.error }
  expect(error('--hybrid')).toMatch(/name a torrent/)
  expect(error('--hybrid-open')).toMatch(/nothing without --hybrid/)
  expect(error('--hybrid', '--hybrid-torrent', 'abc')).toMatch(/40 hex digits/)
  expect(error('--hybrid', '--hybrid-open', '--hybrid-address', 'example.org')).toMatch(/IPv4/)
  expect(error('--hybrid', '--hybrid-open', '--hybrid-address', '192.0.2.1')).toBe('taken')
})

test('what a question names beside what a tracker is asked reaches nobody', async () => {
  const s = sample('asked.bin', PIECE)
  const server = await serve('asked', '--hybrid-torrent', s.metainfo.infoHash)
  const tabs = new WebSocket(`ws://127.0.0.1:${server.port}/announce`)
  await once(tabs, 'open')
  tabs.send(JSON.stringify({ action: 'announce', info_hash: Buffer.from(s.metainfo.infoHash, 'hex').toString('latin1'), peer_id: 'w'.repeat(20), numwant: 5, uploaded: 0, downloaded: 0, left: 1, event: 'started', offers: [] }))
  await once(tabs, 'message')
  const thrown: unknown[] = []
  const others = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', e => { thrown.push(e) })
  try {
    const signal = (): AbortSignal => AbortSignal.timeout(3_000)
    const raw = s.metainfo.infoHash.replace(/../g, '%$&')
    for (const more of ['&event=started&socket=x', '&event=stopped', '&event=started&socket=x&compact=2', '&numwant=-1', '&left=x&event[]=1', '&type=ws&offers=1&numwant=1', '&peer_id=x']) {
      const r = await fetch(`${announceOf(server)}?info_hash=${raw}&peer_id=${'p'.repeat(20)}&port=4000&left=1&compact=1${more}`, { signal: signal() }).catch((e: unknown) => String(e))
      if (typeof r === 'string') thrown.push(`${more}: ${r}`)
      else if ((await r.text()).includes('w'.repeat(20))) thrown.push(`${more}: it is told of a tab`)
    }
  } finally {
    process.removeAllListeners('uncaughtException')
    for (const l of others) process.on('uncaughtException', l)
  }
  tabs.terminate()
  expect(thrown).toEqual([])
})

test('one address is so many clients of a torrent and no more', async () => {
  const s = sample('ports.bin', PIECE)
  const server = await serve('ports', '--hybrid-torrent', s.metainfo.infoHash)
  const answers: string[] = []
  for (let port = 5000; port < 5000 + 2 * MAX_CLIENTS_PER_ADDRESS; port++) answers.push(await ask(server, s.metainfo.infoHash, '', port))
  expect(answers.filter(a => a.includes('too many clients')).length).toBe(MAX_CLIENTS_PER_ADDRESS)
  // Those it knows may ask again.
  expect(await ask(server, s.metainfo.infoHash, '', 5000)).not.toContain('failure')
})

test('one address asks so often and no more', async () => {
  const server = await serve('often', '--hybrid-open')
  const answers: string[] = []
  for (let i = 0; i < 60; i++) answers.push(await ask(server, 'cd'.repeat(20)))
  expect(answers.filter(a => a.includes('too many questions')).length).toBeGreaterThan(10)
  expect(answers[0]).not.toContain('failure')
})

test('an open bridge takes what is asked for, fetches it when a tab follows it, and keeps to its room', async () => {
  const [first, large] = [sample('first.bin', 600_000), sample('large.bin', 1_100_000)]
  // Of a torrent that nobody has asked for since the last start.
  await mkdir(join(folder, 'open', 'bridge'), { recursive: true })
  await writeFile(join(folder, 'open', 'bridge', 'ef'.repeat(20)), Buffer.alloc(900_000))
  const server = await serve('open', '--hybrid-open', '--hybrid-cache', '1')
  const client = await classic('open-client')
  await mkdir(client.path)
  for (const s of [first, large]) {
    await writeFile(join(client.path, s.metainfo.name), s.bytes)
    client.add(s.torrent, announceOf(server))
  }
  await until('both are asked for', async () => (await health(server)).bridged === 2 && (await health(server)).bridgeLinks === 2)
  // No tab follows any: nothing is fetched.
  expect((await health(server)).cacheBytes).toBe(900_000)
  const t = await tab(server)
  const follow = async (s: Sample): Promise<void> => { await t.swarm.follow(s.metainfo.infoHash, { torrent: s.torrent, fetch: true }) }
  const has = async (s: Sample): Promise<boolean> => (await t.swarm.status()).items.find(i => i.infoHash === s.metainfo.infoHash)?.state === 'complete'
  await follow(first)
  await until('the first is bridged', () => has(first))
  await follow(large)
  await until('the large one is left', async () => (await health(server)).bridged === 1)
  expect(await health(server)).toMatchObject({ cacheBytes: 600_000 })
  expect(await readdir(join(folder, 'open', 'bridge'))).toEqual([first.metainfo.infoHash])
}, 60_000)
