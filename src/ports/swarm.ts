/**
 * The swarms of torrents as the node sees them. Everything is asynchronous, and every value survives
 * structured clone (Files and Blobs do), because WebTorrent and libp2p live on the page and the node
 * in a worker. The adapter moves and checks pieces; what to fetch, from whom, whom to serve and whom
 * to send away is the node's to say.
 */
import type { PeerId } from './network.ts'

/** Lower-case hex of 20 bytes. */
export type InfoHash = string
/** Of one link to one peer for one torrent; never used twice by one adapter. */
export type LinkId = number

export interface SwarmLink {
  readonly id: LinkId
  readonly infoHash: InfoHash
  /** Authenticated; absent where the link came of a tracker. */
  readonly peer?: PeerId
  readonly via: 'mesh' | 'tracker'
  /** Share of the pieces the other side says it has, 0..1. */
  readonly has: number
  /** Bytes of pieces: asked for and got, and sent. */
  readonly down: number
  readonly up: number
  /** Bytes per second, smoothed. */
  readonly downPerSecond: number
  readonly upPerSecond: number
  /** We do not serve it now. */
  readonly choked: boolean
  /** It asks for something we have. */
  readonly interested: boolean
}

export interface SwarmItem {
  readonly infoHash: InfoHash
  readonly state: 'metadata' | 'checking' | 'downloading' | 'complete' | 'failed'
  /** Of a failed one: what can be done is for the node to say. */
  readonly failure?: SwarmFailure
  readonly detail?: string
  /** A bit per piece that is here and verified, the first one highest. */
  readonly have: Uint8Array
  readonly haveBytes: number
  /** Per piece, how many of the linked peers have it, 255 at most. */
  readonly availability: Uint8Array
  readonly links: readonly SwarmLink[]
  readonly down: number
  readonly up: number
  readonly downPerSecond: number
  readonly upPerSecond: number
}

/** full: quota or disk. gone: the disk does not answer. metainfo: what it is cannot be accepted. */
export type SwarmFailure = 'full' | 'gone' | 'metainfo' | 'cancelled' | 'other'

export class SwarmError extends Error {
  constructor (readonly kind: SwarmFailure, message: string) { super(message); this.name = 'SwarmError' }
}

export interface SwarmStatus {
  readonly items: readonly SwarmItem[]
  /** Where the bytes are: the browser's private file system, or memory. */
  readonly store: 'opfs' | 'memory'
  readonly storeProblem?: string
}

/** What a peer did that no honest one does. */
export type Offence = 'bad-piece' | 'false-have' | 'slow' | 'metadata-too-large' | 'metadata-refused' | 'unasked-bytes' | 'message-too-large' | 'message-flood' | 'request-flood'

export type SwarmEvent =
  /** At most four times a second, while something changes. */
  | { readonly type: 'status', readonly status: SwarmStatus }
  /** The .torrent, checked (core/torrent/metainfo.ts). */
  | { readonly type: 'metadata', readonly infoHash: InfoHash, readonly torrent: Uint8Array }
  | { readonly type: 'link', readonly link: SwarmLink }
  /** With its last counts. */
  | { readonly type: 'unlink', readonly link: SwarmLink }
  /** A message of the node at the other end of a link, and the counts at the time it came. */
  | { readonly type: 'message', readonly link: SwarmLink, readonly bytes: Uint8Array }
  /** Nobody else can have done it. The link may be gone. */
  | { readonly type: 'offence', readonly link: SwarmLink, readonly offence: Offence, readonly detail: string }
  | { readonly type: 'complete', readonly infoHash: InfoHash }
  /** Of what share() is working on: bytes read, of so many; each byte is read twice. */
  | { readonly type: 'sharing', readonly done: number, readonly of: number }

export interface FollowOptions {
  /** The .torrent; without it, it comes from peers and is announced by an event. */
  readonly torrent?: Uint8Array
  /** Fetch what is missing; otherwise only the metadata, and what is here already is served. */
  readonly fetch: boolean
}

export interface SwarmLimits {
  /** Bytes per second; 0: no limit. */
  readonly up: number
  readonly down: number
}

/** Bytes of a message between two nodes on a link. */
export const MAX_LINK_MESSAGE_BYTES = 2048

export interface Swarm {
  status(): Promise<SwarmStatus>
  onEvent(listener: (e: SwarmEvent) => void): Promise<() => void>
  /** Hashes the files, copies them into the store, and gives the .torrent; follow() then serves it. Throws SwarmError. */
  share(files: readonly File[], name: string): Promise<Uint8Array>
  /** What share() is working on fails with 'cancelled', and leaves nothing on the disk. */
  cancelShare(): Promise<void>
  /** Takes part in the swarm; what is in the store already is verified first. Again: with other options. */
  follow(infoHash: InfoHash, options: FollowOptions): Promise<void>
  /** Leaves the swarm; the bytes stay. */
  leave(infoHash: InfoHash): Promise<void>
  /** Leaves the swarm and deletes the bytes. */
  remove(infoHash: InfoHash): Promise<void>
  /** Peers of the mesh that follow this torrent: links to those that are connected are made and kept. */
  peers(infoHash: InfoHash, peers: readonly PeerId[]): Promise<void>
  /** Bytes of one whole file. Throws SwarmError. */
  open(infoHash: InfoHash, path: string): Promise<Blob>
  /** One piece as it lies in the store now, hashed again; undefined where it is not here, or not right any more. */
  piece(infoHash: InfoHash, index: number): Promise<Uint8Array | undefined>
  limits(limits: SwarmLimits): Promise<void>
  /** To the node at the other end; dropped where the link is gone or the other end is no node. */
  send(link: LinkId, bytes: Uint8Array): Promise<void>
  /** Serves this link, or not (any more). */
  serve(link: LinkId, allowed: boolean): Promise<void>
  /** Ends a link; `forMs`: and takes none of this peer for this torrent for so long. */
  cut(link: LinkId, forMs?: number): Promise<void>
  /** Ends every link of the peer and takes none again while this page lives. */
  refuse(peer: PeerId): Promise<void>
  /** What is in the store: bytes by torrent, followed or not. */
  stored(): Promise<ReadonlyArray<{ readonly infoHash: InfoHash, readonly bytes: number }>>
  stop(): Promise<void>
}
