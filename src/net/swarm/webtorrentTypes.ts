/** As much of WebTorrent 3 and of its wires as the adapter uses; the package brings no types of its own. */

export interface Bits { get (index: number): boolean, readonly buffer: Uint8Array }

/** What travels in an extension handshake (BEP 10). */
export interface ExtendedHandshake { readonly m?: unknown, readonly metadata_size?: unknown }

export interface WireExtension { onExtendedHandshake? (handshake: ExtendedHandshake): void, onMessage? (bytes: Uint8Array): void }
export interface WireExtensionClass { new (wire: Wire): WireExtension, readonly prototype: { readonly name: string } }

type PieceCallback = (error: Error | null, bytes: Uint8Array | null) => void

/** ut_metadata */
export interface MetadataExtension {
  on (event: 'warning', listener: (e: Error) => void): void
  on (event: 'metadata', listener: () => void): void
  /** Private there: whether it is here, its bytes then, and what the other side asks for of it: whatever stood in its message. */
  readonly _metadataComplete: boolean
  readonly _metadataSize: number
  _onRequest (piece: number): void
}

/** bittorrent-protocol */
export interface Wire {
  peerPieces: Bits
  readonly requests: ReadonlyArray<{ readonly piece: number }>
  readonly peerChoking: boolean
  readonly amChoking: boolean
  readonly peerInterested: boolean
  readonly uploaded: number
  readonly downloaded: number
  readonly destroyed: boolean
  readonly ut_metadata?: MetadataExtension
  /** By the id that is given out for it: the name of an extension. */
  readonly extendedMapping: Record<string, string>
  readonly peerExtendedHandshake: ExtendedHandshake
  /** Private there, both: whether BEP 10's handshake went out, and sending it (again, which BEP 10 allows). */
  readonly _extendedHandshakeSent: boolean
  _sendExtendedHandshake (): void
  /** Private there: what it waits for next, bytes. Whatever has come is copied with each part that comes. */
  _parse (bytes: number, parser: (message: Uint8Array) => void): void
  /** Asked for by the other side and not read yet. */
  readonly peerRequests: readonly unknown[]
  /** streamx's: bytes that nobody has taken yet. */
  readonly _readableState: { readonly buffered: number }
  /** Private there, both: what the other side asks for, and takes back. */
  _onRequest (piece: number, offset: number, length: number): void
  _onCancel (piece: number, offset: number, length: number): void
  /** Private there: a message whole, without its length; the empty one; and what is in it. */
  _onMessage (message: Uint8Array): void
  _onMessageLength (message: Uint8Array): void
  _onKeepAlive (): void
  _onBitField (bits: Uint8Array): void
  _onHaveAll (): void
  _onHaveNone (): void
  _onExtended (id: number, bytes: Uint8Array): void
  uploadSpeed (): number
  downloadSpeed (): number
  request (piece: number, offset: number, length: number, callback: PieceCallback): void
  choke (): void
  unchoke (): void
  destroy (): void
  use (extension: WireExtensionClass): void
  extended (name: string, bytes: Uint8Array): void
  on (event: 'reject', listener: (piece: number, offset: number, length: number) => void): void
  on (event: 'extended', listener: (name: string, payload: ExtendedHandshake | Uint8Array) => void): void
  on (event: 'piece' | 'upload' | 'choke' | 'unchoke' | 'interested' | 'uninterested', listener: () => void): void
  once (event: 'close', listener: () => void): void
}

/** As much of an emitter as is used. */
export interface SomeEmitter { on (event: 'error', listener: () => void): unknown, setMaxListeners (n: number): unknown }

export interface SwarmPeer { readonly id: string, readonly wire: Wire | null, readonly source: string | null }

/** A piece that is not here yet. */
export interface TorrentPiece {
  readonly length: number
  readonly constructor: new (length: number) => TorrentPiece
  /** True: all of it is here. */
  set (block: number, bytes: Uint8Array, from: Wire): boolean
}

export interface Torrent {
  readonly infoHash: string
  readonly destroyed: boolean
  readonly ready: boolean
  readonly done: boolean
  readonly metadata: Uint8Array | null
  readonly torrentFile?: Uint8Array
  readonly bitfield?: Bits
  readonly wires: readonly Wire[]
  readonly downloadSpeed: number
  readonly uploadSpeed: number
  /** By id; private there, and the only way from a wire to the connection it runs on. */
  readonly _peers: ReadonlyMap<string, SwarmPeer> | null
  /** Private there, both: looks at all pieces, whether one of this peer is wanted; at all peers, what is to be asked of them. */
  _updateWireInterest (wire: Wire): void
  _update (): void
  /** None where it is verified. */
  readonly pieces: Array<TorrentPiece | null>
  /** Private there: asks this peer for a block of this piece, if there is one to be asked for. */
  _request (wire: Wire, piece: number, hotswap: boolean): boolean
  addPeer (connection: object): boolean
  select (from: number, to: number, priority?: number): void
  on (event: 'wire', listener: (wire: Wire) => void): void
  on (event: 'warning' | 'error', listener: (e: Error | string) => void): void
  on (event: 'verified', listener: (piece: number) => void): void
  on (event: 'infoHash' | 'metadata' | 'ready' | 'done', listener: () => void): void
  /** A connection, or the address of a peer, that it took, or did not take. */
  on (event: 'peer' | 'invalidPeer', listener: (peer: SomeEmitter | string) => void): void
  /** Private there: its talk with the trackers, whose sockets it shares with all other torrents. */
  readonly discovery: { readonly tracker?: { readonly _trackers: ReadonlyArray<{ readonly socket?: SomeEmitter | null }> } | null } | null
}

/** abstract-chunk-store */
export interface ChunkStore {
  put (index: number, bytes: Uint8Array, done?: (e: Error | null) => void): void
  get (index: number, options: { readonly offset?: number, readonly length?: number } | ((e: Error | null, bytes?: Uint8Array) => void) | undefined, done?: (e: Error | null, bytes?: Uint8Array) => void): void
  close (done?: (e: Error | null) => void): void
  destroy (done?: (e: Error | null) => void): void
}
export type ChunkStoreClass = new (chunkLength: number, options: { readonly length?: number }) => ChunkStore

export interface AddOptions {
  readonly store: ChunkStoreClass
  readonly strategy: 'rarest'
  readonly announce: readonly string[]
  readonly storeCacheSlots: number
  readonly deselect: boolean
  readonly uploads: number
}

export interface ClientOptions {
  readonly dht: false
  readonly lsd: false
  readonly utPex: false
  readonly natUpnp: false
  readonly natPmp: false
  /** A native addon; a page has none. */
  readonly utp: false
  readonly webSeeds: false
  /** The function is called before each announcement. */
  readonly tracker: false | { readonly rtcConfig: RTCConfiguration, readonly getAnnounceOpts?: () => object }
  /** In Node: the TCP port. */
  readonly torrentPort?: number
}

/** As much of node:net's as is used. */
export interface IncomingTcp { readonly remoteAddress?: string, destroy (): void, once (event: 'close', listener: () => void): void }

export interface Client {
  add (torrent: string | Uint8Array, options: AddOptions): Torrent
  remove (infoHash: string, options: { readonly destroyStore: boolean }, done: (e?: Error | null) => void): Promise<void>
  throttleDownload (bytesPerSecond: number): void
  throttleUpload (bytesPerSecond: number): void
  on (event: 'error', listener: (e: Error | string) => void): void
  once (event: 'listening', listener: () => void): void
  /** In Node. */
  readonly torrentPort: number
  /** Hex. */
  readonly peerId: string
  /** Private there: in Node, where TCP connections wait for their handshake. */
  readonly _connPool?: { readonly tcpServer: { maxConnections: number, prependListener (event: 'connection', listener: (socket: IncomingTcp) => void): void } }
  destroy (done: () => void): void
}
export type ClientClass = new (options: ClientOptions) => Client
