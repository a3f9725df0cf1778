/**
 * The WebSocket tracker at /announce, for tabs that the mesh has not brought together and for plain
 * WebTorrent clients. It introduces; no file passes it. Where a bridge runs, classic clients ask over
 * HTTP at the same path and are told of one another and of the bridge. Every stranger gets so much and no more.
 * Source: BEP 3 and 23 (HTTP, compact).
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import TrackerServer, { type TrackerSocket } from 'bittorrent-tracker/server'
import { WebSocketServer } from 'ws'
import { PeerBuckets } from '../src/net/peerBook.ts'
import type { Hybrid } from './hybrid.ts'

export const TRACKER_PATH = '/announce'

/** An announcement with its ten offers of WebRTC takes some 30 kB. */
const MAX_FRAME_BYTES = 128 * 1024
/** Torrents known, torrents one socket may name, and peers kept per torrent. */
export const MAX_TORRENTS = 4096
export const MAX_TORRENTS_PER_SOCKET = 128
const MAX_PEERS_PER_TORRENT = 256
/** Names that one socket may go by: clients of one page may share it. */
export const MAX_PEERS_PER_SOCKET = 4
/** Messages of one socket: sustained per second, and at once (each answer to an offer is one). */
const MESSAGES_PER_SECOND = 10
const MESSAGES_BURST = 200
/** The tracker's own word for how often a tab asks again is a fifth of it. */
const INTERVAL_MS = 10 * 60_000
const CLEAN_MS = 60_000
/** Questions over HTTP from one address: a household behind one has several clients. */
const HTTP_PER_SECOND = 2
const HTTP_BURST = 40
/** Clients of one torrent at one address: each is told to strangers, and takes the place of another. */
export const MAX_CLIENTS_PER_ADDRESS = 4

export interface Tracker {
  upgrade (request: IncomingMessage, socket: Duplex, head: Buffer): void
  /** A classic client's announcement. */
  announce (request: IncomingMessage, response: ServerResponse, bridge: AnnouncedBridge): void
  counts (): { readonly trackerSockets: number, readonly torrents: number }
  stop (): Promise<void>
}

export interface AnnouncedBridge {
  readonly hybrid: Pick<Hybrid, 'admits' | 'port' | 'peerId'>
  /** Where classic clients reach it; undefined: at the address they reach us. */
  readonly address?: string
  /** A proxy stands before us and says last who asks. */
  readonly behindProxy: boolean
}

export function startTracker (maxSockets: number): Tracker {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_FRAME_BYTES, perMessageDeflate: false, clientTracking: true })
  const tracker = new TrackerServer({
    udp: false, http: false, ws: { noServer: true }, stats: false, interval: INTERVAL_MS, peersCacheLength: MAX_PEERS_PER_TORRENT,
    filter: (infoHash, { event, peer_id: peer, socket }, done) => {
      const known = tracker.torrents[infoHash]
      if (known === undefined && Object.keys(tracker.torrents).length >= MAX_TORRENTS) done(new Error('too many torrents'))
      // Every name is told to strangers: only its own socket takes it out.
      else if (event === 'stopped' && known?.peers.peek(peer)?.socket !== socket) done(new Error('not a peer of this socket'))
      else done(null)
    }
  })
  // What strangers send is no failure of ours.
  tracker.on('warning', () => {})
  tracker.on('error', () => {})
  const cleaning = setInterval(() => {
    for (const [infoHash, swarm] of Object.entries(tracker.torrents)) if (swarm.complete + swarm.incomplete <= 0) delete tracker.torrents[infoHash]
  }, CLEAN_MS)
  cleaning.unref()
  const asked = new PeerBuckets(() => performance.now(), HTTP_PER_SECOND, HTTP_BURST)
  return {
    announce: (request, response, { hybrid, address: reachedAt, behindProxy }) => {
      response.setHeader('content-type', 'text/plain')
      const refuse = (why: string): void => { response.end(`d14:failure reason${why.length}:${why}e`) }
      const from = (behindProxy ? lastForwarded(request) : request.socket.remoteAddress)?.replace(/^::ffff:/, '')
      if (from === undefined || isIP(from) === 0) { refuse('where you are is not known'); return }
      // The tracker reads the first name of the list, which is the client's own to choose.
      if (behindProxy) request.headers['x-forwarded-for'] = from
      if (!asked.take(from)) { refuse('too many questions'); return }
      const question = questionOf(request.url ?? '')
      if (question === undefined || !hybrid.admits(question.infoHash)) { refuse('this torrent is not bridged here'); return }
      const { infoHash, port } = question
      request.url = question.url
      const address = `${isIP(from) === 6 ? `[${from}]` : from}:`
      const clients = tracker.torrents[infoHash]?.peers.keys.filter(k => k.startsWith(address) && k !== `${address}${hybrid.port}`) ?? []
      if (clients.length >= MAX_CLIENTS_PER_ADDRESS && !clients.includes(`${address}${port}`)) { refuse('too many clients at your address'); return }
      const ip = reachedAt ?? request.socket.localAddress?.replace(/^::ffff:/, '')
      if (ip !== undefined) introduce(tracker, infoHash, { ip, port: hybrid.port, id: hybrid.peerId })
      tracker.onHttpRequest(request, response, { trustProxy: behindProxy })
    },
    upgrade: (request, socket, head) => {
      socket.on('error', () => { socket.destroy() })
      if (sockets.clients.size >= maxSockets) {
        socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
        return
      }
      sockets.handleUpgrade(request, socket, head, ws => {
        // One per torrent that it is in.
        ws.setMaxListeners(MAX_TORRENTS_PER_SOCKET + 8)
        const own = Object.assign(ws, { upgradeReq: request, onMessageBound: null })
        tracker.onWebSocketConnection(own)
        bound(own)
      })
    },
    counts: () => ({ trackerSockets: sockets.clients.size, torrents: Object.keys(tracker.torrents).length }),
    stop: async () => {
      clearInterval(cleaning)
      for (const c of sockets.clients) c.terminate()
      sockets.close()
      await new Promise<void>(done => { tracker.close(() => { done() }) })
    }
  }
}

/** The bridge among the peers of a torrent; it neither counts as one that has it all nor ever asks. */
function introduce (tracker: TrackerServer, infoHash: string, bridge: { readonly ip: string, readonly port: number, readonly id: string }): void {
  if (tracker.torrents[infoHash] === undefined && Object.keys(tracker.torrents).length >= MAX_TORRENTS) return
  const swarm = tracker.torrents[infoHash] ??= new TrackerServer.Swarm(infoHash, tracker)
  swarm.announce({ type: 'http', event: 'update', peer_id: bridge.id, ip: bridge.ip, port: bridge.port, addr: `${bridge.ip}:${bridge.port}`, left: 1, numwant: 0 }, () => {})
}

const lastForwarded = (request: IncomingMessage): string | undefined => {
  const list = request.headers['x-forwarded-for']
  return typeof list === 'string' ? list.split(',').at(-1)?.trim() : undefined
}

/** 20 bytes, percent-encoded (BEP 3). */
function infoHashOf (text: string): string | undefined {
  if (text.length > 60) return undefined
  const hex = text.replace(/%([0-9a-fA-F]{2})|([\x00-\x7f])/g, (_, code: string | undefined, char: string) => code?.toLowerCase() ?? char.charCodeAt(0).toString(16).padStart(2, '0'))
  return /^[0-9a-f]{40}$/.test(hex) ? hex : undefined
}

/**
 * What a client asks, said again in the tracker's own words: it takes every name in a query for one of its
 * own, `socket` among them, and falls over what it finds there.
 */
function questionOf (url: string): { readonly infoHash: string, readonly port: number, readonly url: string } | undefined {
  const field = (name: string): string => new RegExp(`[?&]${name}=([^&]*)`).exec(url)?.[1] ?? ''
  const infoHash = infoHashOf(field('info_hash'))
  if (infoHash === undefined) return undefined
  const whole = (name: string): number => /^\d{1,15}$/.test(field(name)) ? Number(field(name)) : 0
  const peer = /^[^&=]{1,60}$/.test(field('peer_id')) ? field('peer_id') : ''
  const event = /^(started|stopped|completed)?$/.test(field('event')) ? field('event') : ''
  const port = whole('port')
  const wanted = field('numwant') === '' ? '' : `&numwant=${whole('numwant')}`
  return { infoHash, port, url: `${TRACKER_PATH}?info_hash=${infoHash.replace(/../g, '%$&')}&peer_id=${peer}&port=${port}&left=${whole('left')}&event=${event}&compact=${field('compact') === '0' ? 0 : 1}${wanted}` }
}

/** Ends a socket that asks too often, for too much, or for what the tracker falls over. Stands before the tracker's listener. */
function bound (ws: TrackerSocket): void {
  const take = ws.onMessageBound
  if (take === null) return
  let tokens = MESSAGES_BURST
  let at = performance.now()
  const torrents = new Set<string>()
  const peers = new Set<string>()
  const admits = (data: Buffer): boolean => {
    const now = performance.now()
    tokens = Math.min(MESSAGES_BURST, tokens + (now - at) / 1000 * MESSAGES_PER_SECOND) - 1
    at = now
    const message = fieldsOf(data)
    if (!isSound(message)) return false
    if (typeof message.info_hash === 'string') torrents.add(message.info_hash)
    if (message.peer_id !== undefined) peers.add(message.peer_id)
    return tokens >= 0 && torrents.size <= MAX_TORRENTS_PER_SOCKET && peers.size <= MAX_PEERS_PER_SOCKET
  }
  ws.off('message', take)
  ws.onMessageBound = data => {
    if (admits(data)) take(data)
    else ws.terminate()
  }
  ws.on('message', ws.onMessageBound)
}

interface Fields { readonly action?: unknown, readonly info_hash?: unknown, readonly peer_id?: unknown, readonly offers?: unknown }

/** As the tracker will read them; none where it will read none. */
function fieldsOf (data: Buffer): Fields {
  let value: unknown
  try { value = JSON.parse(data.toString()) } catch { return {} }
  return typeof value === 'object' && value !== null ? value : {}
}

/** The tracker looks into these without looking at what they are; a scrape of nothing would be one of everything. */
function isSound (m: Fields): m is Fields & { readonly peer_id?: string } {
  return (m.peer_id === undefined || typeof m.peer_id === 'string') &&
    (!Array.isArray(m.offers) || m.offers.every(o => typeof o === 'object' && o !== null)) &&
    (m.action !== 'scrape' || typeof m.info_hash === 'string' || Array.isArray(m.info_hash))
}
