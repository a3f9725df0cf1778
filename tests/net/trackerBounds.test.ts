/** What strangers can leave behind at the tracker, make it say, or keep from others. */
import '../../src/net/nodeGlobals.ts'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { type AnnouncedBridge, MAX_CLIENTS_PER_ADDRESS, MAX_TORRENTS_PER_ADDRESS, startTracker, type Tracker, type TrackerOptions } from '../../server/tracker.ts'
import { MAX_OFFERS, MAX_SCRAPED, MAX_TORRENTS_PER_SOCKET, MAX_WAITING_BYTES } from '../../server/trackerSocket.ts'

/** The tracker alone, behind a port; its sockets say in a header where they come from. */
async function serve (options: Partial<TrackerOptions> = {}): Promise<{ readonly tracker: Tracker, readonly client: (from?: string) => Promise<WebSocket> }> {
  const tracker = startTracker({ maxConnections: 1000, maxPerAddress: 1000, behindProxy: true, cleanMs: 50, ...options })
  const server = createServer().on('upgrade', (request, socket, head) => { tracker.upgrade(request, socket, head) }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    await tracker.stop()
    server.close()
  })
  const client = async (from?: string): Promise<WebSocket> => {
    const s = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/announce`, { headers: from === undefined ? {} : { 'x-forwarded-for': `203.0.113.9, ${from}` } })
    onTestFinished(() => { s.terminate() })
    await once(s, 'open')
    return s
  }
  return { tracker, client }
}

const announce = (id: string, infoHash: string, more: object = {}): string => JSON.stringify({ action: 'announce', info_hash: infoHash, peer_id: id, left: 1, event: 'started', offers: [], ...more })
const next = async (s: WebSocket): Promise<Record<string, unknown>> => JSON.parse(String((await once(s, 'message') as [Buffer])[0])) as Record<string, unknown>
/** So many messages, answered. */
async function say (s: WebSocket, messages: readonly string[]): Promise<string[]> {
  const answers: string[] = []
  const heard = (data: Buffer): void => { answers.push(String(data)) }
  s.on('message', heard)
  for (const m of messages) s.send(m)
  await vi.waitFor(() => { expect(answers).toHaveLength(messages.length) }, 10_000)
  s.off('message', heard)
  return answers
}
const hash = (name: string): string => name.padStart(20, '.')
const name = (text: string): string => text.padEnd(20, '.')

interface ServerSide extends WebSocket { readonly _isServer?: boolean }
/** The most bytes that have waited for one socket of the server's side, from now on. */
function watchWaiting (): () => number {
  let most = 0
  const { send } = WebSocket.prototype
  vi.spyOn(WebSocket.prototype, 'send').mockImplementation(function (this: ServerSide, ...args: Parameters<WebSocket['send']>) {
    send.apply(this, args)
    if (this._isServer === true) most = Math.max(most, this.bufferedAmount)
  } as WebSocket['send'])
  return () => most
}
afterEach(() => { vi.restoreAllMocks() })

test('what waits for a client that reads nothing is bounded, and the client is ended; one that reads stays', async () => {
  const waiting = watchWaiting()
  const { tracker, client } = await serve()
  const [deaf, listener] = [await client(), await client()]
  await say(deaf, [announce(name('deaf'), hash('one'))])
  await say(listener, [announce(name('listener'), hash('one'))])
  deaf.pause()
  // Answers to an offer that nobody made.
  const talker = await client()
  const answer = (to: string): string => announce(name('talker'), hash('one'), { answer: { type: 'answer', sdp: 'x'.repeat(125_000) }, to_peer_id: name(to), offer_id: name('o'), offers: undefined })
  for (let i = 0; i < 150; i++) talker.send(answer('deaf'))
  await vi.waitFor(() => { expect(tracker.counts().trackerSockets).toBe(2) }, 20_000)
  expect(waiting()).toBeGreaterThan(MAX_WAITING_BYTES)
  expect(waiting()).toBeLessThan(MAX_WAITING_BYTES + 2 * 128 * 1024)
  const heard = next(listener)
  talker.send(answer('listener'))
  expect(await heard).toMatchObject({ peer_id: name('talker') })
}, 60_000)

test('more offers than clients make are refused with a reason, and passed on to nobody', async () => {
  const { client } = await serve()
  const [a, b] = [await client(), await client()]
  await say(a, [announce(name('a'), hash('one'))])
  const heard: Array<Record<string, unknown>> = []
  a.on('message', (data: Buffer) => { heard.push(JSON.parse(String(data)) as Record<string, unknown>) })
  const offers = (count: number): object => ({ offers: Array.from({ length: count }, (_, i) => ({ offer_id: name(String(i)), offer: { type: 'offer', sdp: '' } })) })
  const [refused] = await say(b, [announce(name('b'), hash('one'), offers(MAX_OFFERS + 1))])
  expect(JSON.parse(refused)).toEqual({ action: 'announce', info_hash: hash('one'), 'failure reason': `at most ${MAX_OFFERS} offers in a message` })
  const [taken] = await say(b, [announce(name('b'), hash('one'), offers(MAX_OFFERS))])
  expect(JSON.parse(taken)).toMatchObject({ incomplete: 2 })
  await vi.waitFor(() => { expect(heard).toHaveLength(1) })
})

test('a scrape of more torrents than a socket may be in is refused with a reason', async () => {
  const { client } = await serve()
  const s = await client()
  const scrape = (count: number): string => JSON.stringify({ action: 'scrape', info_hash: Array.from({ length: count }, (_, i) => hash(String(i))) })
  const [refused, taken] = await say(s, [scrape(MAX_SCRAPED + 1), scrape(MAX_SCRAPED)])
  expect(JSON.parse(refused)).toEqual({ action: 'scrape', 'failure reason': `at most ${MAX_SCRAPED} torrents in a scrape` })
  expect(Object.keys((JSON.parse(taken) as { files: object }).files)).toHaveLength(MAX_SCRAPED)
})

test('every name of a socket goes with it, out of every torrent, and the torrents with them', async () => {
  const { tracker, client } = await serve()
  const stays = await client()
  await say(stays, [announce(name('stays'), hash('0'))])
  for (let round = 0; round < 3; round++) {
    const s = await client()
    await say(s, [announce(name('first'), hash('first')), ...Array.from({ length: MAX_TORRENTS_PER_SOCKET - 1 }, (_, i) => announce(name('second'), hash(String(i))))])
    s.terminate()
    await vi.waitFor(() => { expect(tracker.counts().trackerSockets).toBe(1) })
  }
  expect(JSON.parse((await say(stays, [announce(name('stays'), hash('0'))]))[0])).toMatchObject({ incomplete: 1 })
  await vi.waitFor(() => { expect(tracker.counts().torrents).toBe(1) }, 5_000)
}, 30_000)

test('a socket that ends takes out no name that another holds', async () => {
  const { client } = await serve()
  const [a, thief] = [await client(), await client()]
  await say(a, [announce(name('a'), hash('one'))])
  await say(thief, [announce(name('a'), hash('one'))])
  thief.close()
  await once(thief, 'close')
  const other = await client()
  const [answer] = await say(other, [announce(name('other'), hash('one'))])
  expect(JSON.parse(answer)).toMatchObject({ incomplete: 2 })
})

test('one network opens so many torrents and no more; others, and torrents that are open, are as they were', async () => {
  const { client } = await serve()
  const liars = await Promise.all(Array.from({ length: MAX_TORRENTS_PER_ADDRESS / MAX_TORRENTS_PER_SOCKET }, async (_, i) => client(`2001:db8:0:1::${i}`)))
  await Promise.all(liars.map(async (s, l) => say(s, Array.from({ length: MAX_TORRENTS_PER_SOCKET }, (_, i) => announce(name(`liar${l}`), hash(`${l}-${i}`))))))
  const [more, other] = [await client('2001:db8:0:1::ffff'), await client('2001:db8:0:2::1')]
  expect(await say(more, [announce(name('more'), hash('more'))])).toEqual([expect.stringContaining('too many torrents of your address')])
  expect(await say(more, [announce(name('more'), hash('0-0'))])).toEqual([expect.stringContaining('"incomplete":2')])
  expect(await say(other, [announce(name('other'), hash('more'))])).toEqual([expect.stringContaining('"incomplete":1')])
  // What they leave is theirs again.
  for (const s of liars) s.terminate()
  await vi.waitFor(async () => { expect(await say(more, [announce(name('more'), hash('fresh'))])).toEqual([expect.stringContaining('"incomplete":1')]) }, 5_000)
}, 30_000)

test('a socket that does not answer a ping is ended, and its names go; one that answers stays', async () => {
  const { tracker, client } = await serve({ pingMs: 200 })
  const [dead, live] = [await client(), await client()]
  await say(dead, [announce(name('dead'), hash('one'))])
  await say(live, [announce(name('live'), hash('two'))])
  let pings = 0
  live.on('ping', () => { pings++ })
  dead.pause()
  await vi.waitFor(() => { expect(tracker.counts()).toEqual({ trackerSockets: 1, torrents: 1 }) }, 5_000)
  await vi.waitFor(() => { expect(pings).toBeGreaterThan(4) }, 5_000)
  expect(live.readyState).toBe(WebSocket.OPEN)
})

const bridge: AnnouncedBridge = { hybrid: { admits: () => true, port: 6881, peerId: 'ff'.repeat(20) }, address: '192.0.2.1' }
/** A classic client's announcement over HTTP, through a proxy. */
async function ask (tracker: Tracker, from: string, id: string, event = ''): Promise<string> {
  return new Promise(resolve => {
    const socket = { remoteAddress: '127.0.0.1', localAddress: '127.0.0.1' }
    const request = { headers: { 'x-forwarded-for': from }, url: `/announce?info_hash=${'%ab'.repeat(20)}&peer_id=${name(id)}&port=7000&event=${event}&left=0&compact=0&numwant=80`, socket, connection: socket }
    const response = { setHeader: () => {}, end: (text: string | Uint8Array) => { resolve(Buffer.from(text as Uint8Array).toString('latin1')) } }
    tracker.announce(request as unknown as IncomingMessage, response as unknown as ServerResponse, bridge)
  })
}

test('a network of IPv6 asks over HTTP like one address, and is as many clients of a torrent', async () => {
  const { tracker } = await serve()
  expect(await ask(tracker, '198.51.100.7', 'honest')).not.toContain('failure')
  const answers: string[] = []
  for (let i = 1; i <= 100; i++) answers.push(await ask(tracker, `2001:db8:0:1::${i.toString(16)}`, `liar${i}`))
  expect(answers.filter(a => !a.includes('failure'))).toHaveLength(MAX_CLIENTS_PER_ADDRESS)
  expect(answers.filter(a => a.includes('too many questions')).length).toBeGreaterThan(50)
  // The honest one keeps its place.
  const told = await ask(tracker, '2001:db8:0:2::1', 'asks')
  expect([told.split('liar').length - 1, told.split('honest').length - 1]).toEqual([MAX_CLIENTS_PER_ADDRESS, 1])
})

test('a torrent whose classic clients went without a word is left after a while', async () => {
  const { tracker } = await serve()
  const told = await ask(tracker, '198.51.100.7', 'goes')
  expect(told).toContain('192.0.2.1')
  await new Promise(resolve => { setTimeout(resolve, 200) })
  expect(tracker.counts().torrents).toBe(1)
  const now = Date.now()
  vi.spyOn(Date, 'now').mockImplementation(() => now + 21 * 60_000)
  await vi.waitFor(() => { expect(tracker.counts().torrents).toBe(0) }, 5_000)
})

test('a torrent that its last classic client has left is left, though the bridge was there a moment ago', async () => {
  const { tracker } = await serve()
  await ask(tracker, '198.51.100.7', 'goes', 'started')
  expect(tracker.counts().torrents).toBe(1)
  await ask(tracker, '198.51.100.7', 'goes', 'stopped')
  await vi.waitFor(() => { expect(tracker.counts().torrents).toBe(0) }, 5_000)
})

test('a tab that leaves torrents as it enters others keeps its socket; one that is in too many does not', async () => {
  // Fast enough for all of them, slow enough for nobody: the tracker's own clock stands in for the time between.
  let now = 0
  vi.spyOn(performance, 'now').mockImplementation(() => now += 1_000)
  const { tracker, client } = await serve({ cleanMs: 60_000 })
  const tab = await client()
  const set = (i: number): string => hash(`set ${i}`)
  const leave = (i: number, who = 'tab'): string => announce(name(who), set(i), { event: 'stopped', offers: undefined })
  const some = Array.from({ length: 32 }, (_, i) => i)
  for (let from = 0; from < 2 * MAX_TORRENTS_PER_SOCKET; from += some.length) {
    await say(tab, some.flatMap(i => [announce(name('tab'), set(from + i)), ...from === 0 ? [] : [leave(from + i - some.length)]]))
  }
  // Left and entered again in one breath: it is in it, and is taken out when it ends.
  const at = 2 * MAX_TORRENTS_PER_SOCKET - 1
  await say(tab, [leave(at), announce(name('tab'), set(at))])
  // Another name of the same socket has left it: the first one has not.
  await say(tab, [announce(name('tab 2'), set(at))])
  await say(tab, [leave(at, 'tab 2')])
  expect(tab.readyState).toBe(WebSocket.OPEN)
  const other = await client()
  const inIt = async (): Promise<unknown> => (JSON.parse((await say(other, [JSON.stringify({ action: 'scrape', info_hash: set(at) })]))[0]) as { files: Record<string, { incomplete: number }> }).files[set(at)].incomplete
  expect(await inIt()).toBe(1)
  for (let i = 0; i < MAX_TORRENTS_PER_SOCKET; i++) tab.send(announce(name('tab'), hash(`more ${i}`)))
  await once(tab, 'close')
  await vi.waitFor(async () => { expect(await inIt()).toBe(0) })
  expect(tracker.counts().trackerSockets).toBe(1)
}, 30_000)

test('where a network is full, the sockets of it whose line is dead make room at once; those that answer stay', async () => {
  const { client } = await serve({ maxPerAddress: 8, silentMs: 100 })
  const tabs: WebSocket[] = []
  for (let i = 0; i < 8; i++) tabs.push(await client('192.0.2.1'))
  // The line of six is cut: nothing of them is heard any more, their end neither.
  for (const tab of tabs.slice(2)) tab.pause()
  await expect(client('192.0.2.1')).rejects.toThrow('429')
  await vi.waitFor(async () => { await client('192.0.2.1') }, 5_000)
  for (let i = 0; i < 5; i++) await client('192.0.2.1')
  await expect(client('192.0.2.1')).rejects.toThrow('429')
  expect(tabs.slice(0, 2).map(t => t.readyState)).toEqual([WebSocket.OPEN, WebSocket.OPEN])
})
