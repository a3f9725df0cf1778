/** The WebSockets that an HTTP server of ours is asked for: so many in all, and so many of one address. */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { countedNetworkOf, PlacesPerNetwork } from './address.ts'

export interface SocketBounds {
  readonly maxConnections: number
  /** Of one network (address.ts). */
  readonly maxPerAddress: number
  /** A proxy stands before us and says last who asks. */
  readonly behindProxy: boolean
  /** Instead of SILENT_MS. */
  readonly silentMs?: number
}

/** Where a network is full, whoever of it does not answer for so long makes room: a line that was cut leaves dead sockets behind. */
const SILENT_MS = 5_000

export class Upgrades {
  readonly #server: WebSocketServer
  readonly #bounds: SocketBounds
  readonly #places: PlacesPerNetwork
  readonly #networks = new WeakMap<WebSocket, string | undefined>()
  /** Networks whose sockets are being asked whether they are alive. */
  readonly #asked = new Map<string | undefined, ReturnType<typeof setTimeout>>()

  constructor (bounds: SocketBounds, maxFrameBytes: number) {
    this.#server = new WebSocketServer({ noServer: true, maxPayload: maxFrameBytes, perMessageDeflate: false, clientTracking: true })
    this.#bounds = bounds
    this.#places = new PlacesPerNetwork(bounds.maxPerAddress)
  }

  get sockets (): ReadonlySet<WebSocket> { return this.#server.clients }

  /** `accept` is told for which network the socket counts; undefined: for none. */
  upgrade (request: IncomingMessage, socket: Duplex, head: Buffer, accept: (ws: WebSocket, network: string | undefined) => void): void {
    socket.on('error', () => { socket.destroy() })
    if (this.sockets.size >= this.#bounds.maxConnections) {
      refuse(socket, '503 Service Unavailable', 'this server has as many tabs as it takes')
      return
    }
    const network = countedNetworkOf(request, this.#bounds.behindProxy)
    if (!this.#places.hasRoom(network)) {
      this.#endSilent(network)
      refuse(socket, '429 Too Many Requests', 'your address has as many sockets as it may have')
      return
    }
    this.#server.handleUpgrade(request, socket, head, ws => {
      this.#places.take(network)
      this.#networks.set(ws, network)
      ws.once('close', () => { this.#places.giveBack(network) })
      accept(ws, network)
    })
  }

  #endSilent (network: string | undefined): void {
    if (this.#asked.has(network)) return
    const silent = new Set<WebSocket>()
    for (const ws of this.sockets) {
      // One that we do not read ourselves could say nothing.
      if (this.#networks.get(ws) !== network || ws.isPaused) continue
      silent.add(ws)
      const lives = (): void => {
        silent.delete(ws)
        ws.off('pong', lives)
        ws.off('message', lives)
      }
      ws.on('pong', lives)
      ws.on('message', lives)
      ws.ping()
    }
    const timer = setTimeout(() => {
      this.#asked.delete(network)
      for (const ws of silent) if (!ws.isPaused) ws.terminate()
    }, this.#bounds.silentMs ?? SILENT_MS)
    timer.unref()
    this.#asked.set(network, timer)
  }

  close (): void {
    for (const timer of this.#asked.values()) clearTimeout(timer)
    this.#asked.clear()
    for (const c of this.#server.clients) c.terminate()
    this.#server.close()
  }
}

function refuse (socket: Duplex, status: string, why: string): void {
  // Who is refused and does not hang up would hold a connection that nobody counts.
  socket.once('finish', () => { socket.destroy() })
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: ${why.length}\r\n\r\n${why}`)
}
