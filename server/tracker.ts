/**
 * The WebSocket tracker at /announce, for tabs that the mesh has not brought together and for plain
 * WebTorrent clients. It introduces; no file passes it. Every stranger gets so much and no more.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import TrackerServer from 'bittorrent-tracker/server'
import { type WebSocket, WebSocketServer } from 'ws'

export const TRACKER_PATH = '/announce'

/** An announcement with its ten offers of WebRTC takes some 30 kB. */
const MAX_FRAME_BYTES = 128 * 1024
/** Torrents known, torrents one socket may name, and peers kept per torrent. */
export const MAX_TORRENTS = 4096
export const MAX_TORRENTS_PER_SOCKET = 128
const MAX_PEERS_PER_TORRENT = 256
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
    filter: (infoHash, _params, done) => {
      done(tracker.torrents[infoHash] === undefined && Object.keys(tracker.torrents).length >= MAX_TORRENTS ? new Error('too many torrents') : null)
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
        bound(ws)
        tracker.onWebSocketConnection(Object.assign(ws, { upgradeReq: request }))
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

/** Ends a socket that asks too often, or for too much. Listens before the tracker does. */
function bound (ws: WebSocket): void {
  let tokens = MESSAGES_BURST
  let at = performance.now()
  const torrents = new Set<string>()
  ws.on('message', (data: Buffer) => {
    const now = performance.now()
    tokens = Math.min(MESSAGES_BURST, tokens + (now - at) / 1000 * MESSAGES_PER_SECOND) - 1
    at = now
    const named = /"info_hash":"((?:[^"\\]|\\.)*)"/.exec(data.toString())?.[1]
    if (named !== undefined) torrents.add(named)
    if (tokens < 0 || torrents.size > MAX_TORRENTS_PER_SOCKET) ws.terminate()
  })
}
