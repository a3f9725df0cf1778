/** A package without types of its own: as much of it as is used. */
declare module 'bittorrent-tracker/server' {
  export type TrackerSocket = import('ws').WebSocket & {
    upgradeReq: import('node:http').IncomingMessage | null
    /** Its listener, which it takes away again when the socket ends. */
    onMessageBound: ((data: Buffer) => void) | null
    /** The first name it used, which is taken out when it ends. */
    peerId: string | null
    /** Torrents that it is in, in hex; null once it has ended. */
    infoHashes: string[] | null
  }
  interface TrackerOptions {
    readonly udp: false
    readonly http: false
    readonly ws: { readonly noServer: true }
    readonly stats: false
    readonly interval: number
    readonly peersCacheLength: number
    readonly filter: (infoHash: string, params: { readonly event?: unknown, readonly peer_id: string, readonly socket?: TrackerSocket }, done: (refused: Error | null) => void) => void
  }
  interface Announced {
    readonly type: 'http'
    readonly event: 'update'
    readonly peer_id: string
    readonly ip: string
    readonly port: number
    readonly addr: string
    readonly left: number
    readonly numwant: number
  }
  interface Left {
    readonly type: 'ws'
    readonly event: 'stopped'
    readonly peer_id: string
    readonly numwant: 0
  }
  export interface TrackedPeer { readonly socket: TrackerSocket | null }
  export interface TrackedSwarm {
    readonly peers: { readonly keys: readonly string[], peek (id: string): TrackedPeer | undefined }
    announce (params: Announced, done: () => void): void
    announce (params: Left): void
  }
  export default class Server {
    constructor (options: TrackerOptions)
    static readonly Swarm: new (infoHash: string, server: Server) => TrackedSwarm
    readonly torrents: Record<string, TrackedSwarm>
    onHttpRequest (request: import('node:http').IncomingMessage, response: import('node:http').ServerResponse, options: { readonly trustProxy: boolean }): void
    on (event: 'warning' | 'error', listener: (e: Error) => void): void
    /** What was announced, once it is done; `socket` where it came over one. */
    on (event: 'start' | 'update' | 'complete' | 'pause' | 'stop', listener: (peer: string, params: { readonly info_hash: string, readonly socket?: TrackerSocket }) => void): void
    onWebSocketConnection (socket: TrackerSocket): void
    close (done: () => void): void
  }
}
