/** A package without types of its own: as much of it as is used. */
declare module 'bittorrent-tracker/server' {
  export type TrackerSocket = import('ws').WebSocket & {
    upgradeReq: import('node:http').IncomingMessage | null
    /** Its listener, which it takes away again when the socket ends. */
    onMessageBound: ((data: Buffer) => void) | null
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
  export default class Server {
    constructor (options: TrackerOptions)
    readonly torrents: Record<string, { readonly complete: number, readonly incomplete: number, readonly peers: { peek (id: string): { readonly socket: TrackerSocket | null } | undefined } }>
    on (event: 'warning' | 'error', listener: (e: Error) => void): void
    onWebSocketConnection (socket: TrackerSocket): void
    close (done: () => void): void
  }
}
