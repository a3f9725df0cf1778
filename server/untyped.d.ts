/** A package without types of its own: as much of it as is used. */
declare module 'bittorrent-tracker/server' {
  interface TrackerOptions {
    readonly udp: false
    readonly http: false
    readonly ws: { readonly noServer: true }
    readonly stats: false
    readonly interval: number
    readonly peersCacheLength: number
    readonly filter: (infoHash: string, params: unknown, done: (refused: Error | null) => void) => void
  }
  export default class Server {
    constructor (options: TrackerOptions)
    readonly torrents: Record<string, { readonly complete: number, readonly incomplete: number }>
    on (event: 'warning' | 'error', listener: (e: Error) => void): void
    onWebSocketConnection (socket: import('ws').WebSocket & { readonly upgradeReq: import('node:http').IncomingMessage }): void
    close (done: () => void): void
  }
}
