/**
 * What one WebSocket may do at the tracker. The stock listener takes any offers and any names, says what it has to
 * say without looking whether anybody listens, and takes out the first name alone when the socket ends.
 */
import type TrackerServer from 'bittorrent-tracker/server'
import type { TrackerSocket } from 'bittorrent-tracker/server'

/** Torrents that one socket may be in. */
export const MAX_TORRENTS_PER_SOCKET = 128
/** Names that one socket may go by: clients of one page may share it. */
export const MAX_PEERS_PER_SOCKET = 4
/** WebTorrent makes five, and made ten; each is passed on to another. */
export const MAX_OFFERS = 10
/** As many as a socket may be in. */
export const MAX_SCRAPED = MAX_TORRENTS_PER_SOCKET
/** What waits for one that reads slowly: a hundred offers and their answers are some 600 kB. */
export const MAX_WAITING_BYTES = 1024 * 1024
/** Messages of one socket: sustained per second, and at once (each answer to an offer is one). */
const MESSAGES_PER_SECOND = 10
const MESSAGES_BURST = 200
/** Of infohashes and of names. */
const ID_LENGTH = 20

/** Ends a socket that asks too often, for too much, or for what the tracker falls over. Stands before the tracker's listeners. */
export function bindSocket (tracker: TrackerServer, ws: TrackerSocket): void {
  // One listener per torrent that it is in.
  ws.setMaxListeners(MAX_TORRENTS_PER_SOCKET + 8)
  tracker.onWebSocketConnection(ws)
  boundSaying(ws)
  const names: Names = { torrents: new Set(), peers: new Set() }
  boundHearing(ws, names)
  namesOf.set(ws, names)
  const leave = (): void => { takeOut(tracker, ws, names) }
  ws.prependListener('error', leave)
  ws.prependListener('close', leave)
}

/** As the tracker keeps them, in hex. */
interface Names { readonly torrents: Set<string>, readonly peers: Set<string> }
const namesOf = new WeakMap<TrackerSocket, Names>()

/** Gives a socket the place of a torrent back when it has left it: what a tab follows changes all day. */
export function followLeaving (tracker: TrackerServer): void {
  tracker.on('stop', (_, { info_hash: infoHash, socket }) => {
    const names = socket === undefined ? undefined : namesOf.get(socket)
    if (socket === undefined || names === undefined || isIn(tracker, socket, names, infoHash)) return
    names.torrents.delete(infoHash)
    // The tracker notes what was announced last, also where that was the end.
    if (socket.infoHashes !== null) socket.infoHashes = socket.infoHashes.filter(h => h !== infoHash)
  })
  // The tracker does what it is told a moment later: it may have come back into one before it had left it.
  for (const event of ['start', 'update', 'complete'] as const) tracker.on(event, (_, { info_hash: infoHash, socket }) => { if (socket !== undefined) namesOf.get(socket)?.torrents.add(infoHash) })
}

function isIn (tracker: TrackerServer, ws: TrackerSocket, { peers }: Names, infoHash: string): boolean {
  for (const peer of peers) if (tracker.torrents[infoHash]?.peers.peek(peer)?.socket === ws) return true
  return false
}

/** Who does not listen is sent nothing more. */
function boundSaying (ws: TrackerSocket): void {
  const say = ws.send.bind(ws)
  ws.send = (data: string) => {
    if (ws.bufferedAmount > MAX_WAITING_BYTES) ws.terminate()
    // What is not delivered is told by the end of the socket.
    else say(data, () => {})
  }
}

function boundHearing (ws: TrackerSocket, names: Names): void {
  const take = ws.onMessageBound
  if (take === null) return
  let tokens = MESSAGES_BURST
  let at = performance.now()
  const admits = (message: Fields): message is SoundFields => {
    const now = performance.now()
    tokens = Math.min(MESSAGES_BURST, tokens + (now - at) / 1000 * MESSAGES_PER_SECOND) - 1
    at = now
    if (!isSound(message)) return false
    if (isId(message.info_hash)) names.torrents.add(hexOf(message.info_hash))
    if (isId(message.peer_id)) names.peers.add(hexOf(message.peer_id))
    return tokens >= 0 && names.torrents.size <= MAX_TORRENTS_PER_SOCKET && names.peers.size <= MAX_PEERS_PER_SOCKET
  }
  ws.off('message', take)
  ws.onMessageBound = data => {
    const message = fieldsOf(data)
    if (!admits(message)) {
      ws.terminate()
      return
    }
    const excess = excessOf(message)
    if (excess === undefined) take(data)
    else ws.send(JSON.stringify({ action: excess.action, info_hash: isId(message.info_hash) ? message.info_hash : undefined, 'failure reason': excess.why }))
  }
  ws.on('message', ws.onMessageBound)
}

/** Every name of the socket out of every torrent; those that another socket holds stay. */
function takeOut (tracker: TrackerServer, ws: TrackerSocket, names: Names): void {
  // The tracker would take this one out whoever holds it.
  ws.peerId = null
  for (const infoHash of names.torrents) {
    const swarm = tracker.torrents[infoHash]
    for (const peer of names.peers) {
      if (swarm?.peers.peek(peer)?.socket === ws) swarm.announce({ type: 'ws', event: 'stopped', numwant: 0, peer_id: peer })
    }
  }
}

interface Fields { readonly action?: unknown, readonly info_hash?: unknown, readonly peer_id?: unknown, readonly offers?: unknown }
interface SoundFields extends Fields { readonly peer_id?: string }

/** As the tracker will read them; none where it will read none. */
function fieldsOf (data: Buffer): Fields {
  let value: unknown
  try { value = JSON.parse(data.toString()) } catch { return {} }
  return typeof value === 'object' && value !== null ? value : {}
}

/** The tracker looks into these without looking at what they are; a scrape of nothing would be one of everything. */
function isSound (m: Fields): m is SoundFields {
  return (m.peer_id === undefined || typeof m.peer_id === 'string') &&
    (!Array.isArray(m.offers) || m.offers.every(o => typeof o === 'object' && o !== null)) &&
    (m.action !== 'scrape' || typeof m.info_hash === 'string' || Array.isArray(m.info_hash))
}

function excessOf (m: Fields): { readonly action: 'announce' | 'scrape', readonly why: string } | undefined {
  if (Array.isArray(m.offers) && m.offers.length > MAX_OFFERS) return { action: 'announce', why: `at most ${MAX_OFFERS} offers in a message` }
  if (Array.isArray(m.info_hash) && m.info_hash.length > MAX_SCRAPED) return { action: 'scrape', why: `at most ${MAX_SCRAPED} torrents in a scrape` }
  return undefined
}

const isId = (value: unknown): value is string => typeof value === 'string' && value.length === ID_LENGTH
const hexOf = (id: string): string => Buffer.from(id, 'latin1').toString('hex')
