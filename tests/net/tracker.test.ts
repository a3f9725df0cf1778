/** The tracker beside the relay: it introduces two clients, and turns away who asks for too much. */
import '../../src/net/nodeGlobals.ts'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { parseOptions } from '../../server/options.ts'
import { type RunningServer, startServer } from '../../server/server.ts'
import { MAX_PEERS_PER_SOCKET, MAX_TORRENTS_PER_SOCKET } from '../../server/trackerSocket.ts'

let folder: string
let server: RunningServer
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'commonweight-tracker-'))
  const o = parseOptions(['--host', '127.0.0.1', '--port', '0', '--relay-only', '--data-dir', folder])
  if (!o.ok) throw new Error(o.error)
  server = await startServer(o.value, '1.2.3')
})
afterAll(async () => {
  await server.stop()
  await rm(folder, { recursive: true, force: true })
})

async function client (): Promise<WebSocket> {
  const { trackers } = await (await fetch(`http://127.0.0.1:${server.port}/bootstrap.json`)).json() as { trackers: string[] }
  expect(trackers).toEqual([`ws://127.0.0.1:${server.port}/announce`])
  const s = new WebSocket(trackers[0])
  await once(s, 'open')
  return s
}
const announce = (id: string, infoHash: string, more: object = {}): string => JSON.stringify({ action: 'announce', info_hash: infoHash, peer_id: id, numwant: 5, uploaded: 0, downloaded: 0, left: 1, event: 'started', offers: [], ...more })
const next = async (s: WebSocket): Promise<Record<string, unknown>> => JSON.parse(String((await once(s, 'message') as [Buffer])[0])) as Record<string, unknown>
const HASH = 'h'.repeat(20)

test('hands the offer of one client to the other', async () => {
  const [a, b] = [await client(), await client()]
  a.send(announce('a'.repeat(20), HASH))
  expect(await next(a)).toMatchObject({ action: 'announce', incomplete: 1 })
  const offered = next(a)
  b.send(announce('b'.repeat(20), HASH, { offers: [{ offer_id: 'o'.repeat(20), offer: { type: 'offer', sdp: 'sdp' } }] }))
  expect(await offered).toMatchObject({ peer_id: 'b'.repeat(20), offer: { sdp: 'sdp' } })
  const health = await (await fetch(`http://127.0.0.1:${server.port}/health`)).json() as Record<string, unknown>
  expect(health).toMatchObject({ ok: true, trackerSockets: 2, torrents: 1 })
  a.terminate()
  b.terminate()
})

test('ends a socket that names too many torrents, asks too often, or sends too much; the others stay', async () => {
  const good = await client()
  const closed = async (run: (s: WebSocket) => void): Promise<void> => {
    const s = await client()
    s.on('error', () => {})
    const gone = once(s, 'close')
    run(s)
    await gone
  }
  await closed(s => { for (let i = 0; i <= MAX_TORRENTS_PER_SOCKET; i++) s.send(announce('c'.repeat(20), String(i).padStart(20, 't'))) })
  // However the name is written.
  await closed(s => { for (let i = 0; i <= MAX_TORRENTS_PER_SOCKET; i++) s.send(announce('c'.repeat(20), String(i).padStart(20, 'w')).replace('"info_hash":', '"info_hash" :')) })
  await closed(s => { for (let i = 0; i <= MAX_PEERS_PER_SOCKET; i++) s.send(announce(String(i).padStart(20, 'p'), HASH)) })
  await closed(s => { for (let i = 0; i < 400; i++) s.send('{}') })
  await closed(s => { s.send('x'.repeat(200 * 1024)) })
  good.send('not even JSON')
  expect(await next(good)).toHaveProperty('failure reason')
  good.send(announce('g'.repeat(20), HASH))
  expect(await next(good)).toMatchObject({ action: 'announce' })
  good.terminate()
})

test('a message that the tracker would fall over ends its socket, and is no exception of the server', async () => {
  const thrown: unknown[] = []
  const onThrown = (e: unknown): void => { thrown.push(e) }
  const others = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', onThrown)
  try {
    const good = await client()
    good.send(announce('g'.repeat(20), HASH))
    await next(good)
    for (const bad of [announce('x'.repeat(20), HASH, { offers: [null] }), JSON.stringify({ action: 'scrape', info_hash: 5 }), JSON.stringify({ action: 'scrape' }), JSON.stringify({ action: 'scrape', info_hash: [], peer_id: { toString: 1 } })]) {
      const s = await client()
      s.on('error', () => {})
      const gone = once(s, 'close')
      s.send(bad)
      await gone
    }
    good.terminate()
    expect(thrown).toEqual([])
  } finally {
    process.off('uncaughtException', onThrown)
    for (const l of others) process.on('uncaughtException', l)
  }
})

test('nobody takes another out of a torrent', async () => {
  const [a, b] = [await client(), await client()]
  const name = 'v'.repeat(20)
  a.send(announce(name, name))
  await next(a)
  b.send(announce(name, name, { event: 'stopped' }))
  expect(await next(b)).toMatchObject({ 'failure reason': expect.stringContaining('not a peer of this socket') })
  b.send(announce('b'.repeat(20), name))
  expect(await next(b)).toMatchObject({ incomplete: 2 })
  a.send(announce(name, name, { event: 'stopped' }))
  expect(await next(a)).toMatchObject({ incomplete: 1 })
  a.terminate()
  b.terminate()
})
