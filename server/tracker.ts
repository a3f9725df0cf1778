/**
 * The WebSocket tracker at /announce, for tabs that the mesh has not brought together and for plain
 * WebTorrent clients. It introduces; no file passes it. Where a bridge runs, classic clients ask over
 * HTTP at the same path and are told of one another and of the bridge. Every stranger gets so much and no more.
 * Source: BEP 3 and 23 (HTTP, compact).
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isIPv6 } from 'node:net'
import type { Duplex } from 'node:stream'
import TrackerServer, { type TrackedPeer, type TrackedSwarm } from 'bittorrent-tracker/server'
import type { WebSocket } from 'ws'
import { PeerBuckets } from '../src/net/peerBook.ts'
import { addressOf, networkOf, PlacesPerNetwork } from './address.ts'
import type { Hybrid } from './hybrid.ts'
import { bindSocket, followLeaving } from './trackerSocket.ts'
import { type SocketBounds, Upgrades } from './upgrades.ts'

export const TRACKER_PATH = '/announce'

/** An announcement with its ten offers of WebRTC takes some 30 kB. */
const MAX_FRAME_BYTES = 128 * 1024
/** Torrents known, those of them that one network was the first to name, and peers kept per torrent. */
export const MAX_TORRENTS = 4096
export const MAX_TORRENTS_PER_ADDRESS = MAX_TORRENTS / 8
const MAX_PEERS_PER_TORRENT = 256
/** The tracker's own word for how often a tab asks again is a fifth of it. */
const INTERVAL_MS = 10 * 60_000
const CLEAN_MS = 60_000
/** A socket that has not answered by the next time is ended. Browsers answer by themselves. */
const PING_MS = 60_000
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
}

export interface TrackerOptions extends SocketBounds {
  readonly cleanMs?: number
  readonly pingMs?: number
}

export function startTracker ({ cleanMs = CLEAN_MS, pingMs = PING_MS, ...bounds }: TrackerOptions): Tracker {
  const upgrades = new Upgrades(bounds, MAX_FRAME_BYTES)
  const networks = new WeakMap<WebSocket, string | undefined>()
  const places = new PlacesPerNetwork(MAX_TORRENTS_PER_ADDRESS)
  /** Every torrent of the tracker, and which network was the first to name it. */
  const openers = new Map<string, string | undefined>()
  const open = (infoHash: string, network: string | undefined): string | undefined => {
    if (openers.has(infoHash)) return undefined
    if (openers.size >= MAX_TORRENTS) return 'too many torrents'
    if (!places.take(network)) return 'too many torrents of your address'
    openers.set(infoHash, network)
    return undefined
  }
  const tracker = new TrackerServer({
    udp: false, http: false, ws: { noServer: true }, stats: false, interval: INTERVAL_MS, peersCacheLength: MAX_PEERS_PER_TORRENT,
    filter: (infoHash, { event, peer_id: peer, socket }, done) => {
      // Every name is told to strangers: only its own socket takes it out.
      const refused = event === 'stopped' && tracker.torrents[infoHash]?.peers.peek(peer)?.socket !== socket
        ? 'not a peer of this socket'
        : socket === undefined ? undefined : open(infoHash, networks.get(socket))
      done(refused === undefined ? null : new Error(refused))
    }
  })
  // What strangers send is no failure of ours.
  tracker.on('warning', () => {})
  tracker.on('error', () => {})
  followLeaving(tracker)
  /** The bridge's own places in the torrents. */
  const bridges = new WeakSet<TrackedPeer>()
  const cleaning = setInterval(() => {
    for (const [infoHash, network] of openers) {
      if (isAlive(tracker.torrents[infoHash], bridges)) continue
      delete tracker.torrents[infoHash]
      openers.delete(infoHash)
      places.giveBack(network)
    }
  }, cleanMs)
  cleaning.unref()
  const pinging = endSilent(upgrades.sockets, pingMs)
  const asked = new PeerBuckets(() => performance.now(), HTTP_PER_SECOND, HTTP_BURST)
  return {
    announce: (request, response, { hybrid, address: reachedAt }) => {
      response.setHeader('content-type', 'text/plain')
      const refuse = (why: string): void => { response.end(`d14:failure reason${why.length}:${why}e`) }
      const from = addressOf(request, bounds.behindProxy)
      if (from === undefined) { refuse('where you are is not known'); return }
      // The tracker reads the first name of the list, which is the client's own to choose.
      if (bounds.behindProxy) request.headers['x-forwarded-for'] = from
      const network = networkOf(from)
      if (!asked.take(network)) { refuse('too many questions'); return }
      const question = questionOf(request.url ?? '')
      if (question === undefined || !hybrid.admits(question.infoHash)) { refuse('this torrent is not bridged here'); return }
      const { infoHash, port } = question
      const full = open(infoHash, network)
      if (full !== undefined) { refuse(full); return }
      request.url = question.url
      const swarm = tracker.torrents[infoHash] ??= new TrackerServer.Swarm(infoHash, tracker)
      const clients = swarm.peers.keys.filter(k => networkOfClient(k) === network && !isBridge(swarm.peers.peek(k), bridges))
      if (clients.length >= MAX_CLIENTS_PER_ADDRESS && !clients.includes(`${isIPv6(from) ? `[${from}]` : from}:${port}`)) { refuse('too many clients at your address'); return }
      const ip = reachedAt ?? request.socket.localAddress?.replace(/^::ffff:/, '')
      if (ip !== undefined) {
        const place = introduce(swarm, { ip, port: hybrid.port, id: hybrid.peerId })
        if (place !== undefined) bridges.add(place)
      }
      tracker.onHttpRequest(request, response, { trustProxy: bounds.behindProxy })
    },
    upgrade: (request, socket, head) => {
      upgrades.upgrade(request, socket, head, (ws, network) => {
        networks.set(ws, network)
        bindSocket(tracker, Object.assign(ws, { upgradeReq: request, onMessageBound: null, peerId: null, infoHashes: null }))
      })
    },
    counts: () => ({ trackerSockets: upgrades.sockets.size, torrents: openers.size }),
    stop: async () => {
      clearInterval(cleaning)
      clearInterval(pinging)
      upgrades.close()
      await new Promise<void>(done => { tracker.close(() => { done() }) })
    }
  }
}

/** Whether anybody but the bridge is in it. To look at one who has not been heard of for long is what takes him out. */
function isAlive (swarm: TrackedSwarm | undefined, bridges: WeakSet<TrackedPeer>): boolean {
  let alive = false
  for (const key of swarm?.peers.keys ?? []) {
    const peer = swarm?.peers.peek(key)
    if (peer !== undefined && !isBridge(peer, bridges)) alive = true
  }
  return alive
}

const isBridge = (peer: TrackedPeer | undefined, bridges: WeakSet<TrackedPeer>): boolean => peer !== undefined && bridges.has(peer)

/** Classic clients are kept by address and port, tabs by name. */
function networkOfClient (key: string): string | undefined {
  const colon = key.lastIndexOf(':')
  return colon < 0 ? undefined : networkOf(key.slice(0, colon).replace(/^\[|\]$/g, ''))
}

/** Pings each so often, and ends those whose line is dead: nobody else would tell. */
function endSilent (sockets: ReadonlySet<WebSocket>, ms: number): ReturnType<typeof setInterval> {
  const silent = new WeakSet<WebSocket>()
  const timer = setInterval(() => {
    for (const ws of sockets) {
      if (silent.has(ws)) {
        ws.terminate()
        continue
      }
      silent.add(ws)
      ws.once('pong', () => { silent.delete(ws) })
      ws.ping()
    }
  }, ms)
  timer.unref()
  return timer
}

/** The bridge among the peers of a torrent; it neither counts as one that has it all nor ever asks. Returns its place. */
function introduce (swarm: TrackedSwarm, bridge: { readonly ip: string, readonly port: number, readonly id: string }): TrackedPeer | undefined {
  const addr = `${bridge.ip}:${bridge.port}`
  swarm.announce({ type: 'http', event: 'update', peer_id: bridge.id, ip: bridge.ip, port: bridge.port, addr, left: 1, numwant: 0 }, () => {})
  return swarm.peers.peek(addr)
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
