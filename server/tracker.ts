/**
 * The WebSocket tracker at /announce, for tabs that the mesh has not brought together and for plain
 * WebTorrent clients. It introduces; no file passes it. Every stranger gets so much and no more.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import TrackerServer, { type TrackerSocket } from 'bittorrent-tracker/server'
import { WebSocketServer } from 'ws'

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

export interface Tracker {
  upgrade (request: IncomingMessage, socket: Duplex, head: Buffer): void
  counts (): { readonly trackerSockets: number, readonly torrents: number }
  stop (): Promise<void>
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
  return {
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
