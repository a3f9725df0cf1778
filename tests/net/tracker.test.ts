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
import { MAX_TORRENTS_PER_SOCKET } from '../../server/tracker.ts'

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
  await closed(s => { for (let i = 0; i < 400; i++) s.send('{}') })
  await closed(s => { s.send('x'.repeat(200 * 1024)) })
  good.send('not even JSON')
  expect(await next(good)).toHaveProperty('failure reason')
  good.send(announce('g'.repeat(20), HASH))
  expect(await next(good)).toMatchObject({ action: 'announce' })
  good.terminate()
})
