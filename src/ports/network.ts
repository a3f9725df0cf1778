/**
 * The mesh as the node sees it: topics, request/response, and peers with a name.
 * Everything is asynchronous, and every value survives structured clone, because libp2p lives on
 * the page (RTCPeerConnection exists only there) and the node in a worker.
 */
export type PeerId = string

/**
 * accept: forward it. ignore: do not forward, no blame. reject: do not forward, the sender pays.
 * welcome: forward it, and it cost work to make: a link that brings such things is among the last to go.
 */
export type Verdict = 'accept' | 'welcome' | 'ignore' | 'reject'

export interface GossipMessage {
  readonly topic: string
  readonly bytes: Uint8Array
  /** Who made the message (authenticated). */
  readonly origin: PeerId
  /** Who handed it to us; it has validated it, so it also has what the message refers to. */
  readonly via: PeerId
}

export interface PeerView {
  readonly id: PeerId
  /** 'webrtc' is a direct link, 'relay' a signalling circuit, 'server' the bootstrap, 'memory' a twin. */
  readonly link: 'webrtc' | 'relay' | 'server' | 'memory'
  readonly direction: 'inbound' | 'outbound'
  readonly score: number
  readonly connectedAt: number
  /** When it was the first to bring something welcome, last. */
  readonly welcomeAt?: number
  /** Round trip, ms, where known. */
  readonly rttMs?: number
}

export interface NetworkStatus {
  readonly self: PeerId
  readonly peers: readonly PeerView[]
  /** Bootstrap servers: reachable now? */
  readonly relays: ReadonlyArray<{ readonly address: string, readonly connected: boolean }>
  readonly bytesIn: number
  readonly bytesOut: number
  readonly banned: ReadonlyArray<{ readonly id: PeerId, readonly reason: string }>
}

export interface RequestOptions {
  readonly timeoutMs: number
  /** A longer answer is cut off and counts against the peer. */
  readonly maxResponseBytes: number
  /** Where the bound is what a third one said: an answer of up to so many bytes is cut off, and does not count. */
  readonly fairBytes?: number
}

export interface ProtocolLimits {
  readonly maxRequestBytes: number
  readonly maxResponseBytes: number
  /** Requests one peer may make per second (token bucket, burst of 4 seconds' worth). */
  readonly perPeerPerSecond: number
}

/** Why a request failed, apart from the handler's own refusal. */
export type RequestFailure = 'unreachable' | 'timeout' | 'too-large' | 'refused' | 'busy'

export class RequestError extends Error {
  constructor (readonly kind: RequestFailure, message: string) { super(message); this.name = 'RequestError' }
}

export interface Network {
  status(): Promise<NetworkStatus>
  /** Called when peers come or go and at most once a second otherwise. */
  onStatus(listener: (s: NetworkStatus) => void): Promise<() => void>
  /** Number of peers it was sent to. Throws if larger than MAX_GOSSIP_BYTES. */
  publish(topic: string, bytes: Uint8Array): Promise<number>
  /** The validator's verdict decides forwarding and score; no answer within 10 s is `ignore`. */
  subscribe(topic: string, validator: (m: GossipMessage) => Promise<Verdict>): Promise<() => void>
  request(peer: PeerId, protocol: string, body: Uint8Array, options: RequestOptions): Promise<Uint8Array>
  /** The handler answers, or throws RequestError('refused'). */
  handle(protocol: string, limits: ProtocolLimits, handler: (peer: PeerId, body: Uint8Array) => Promise<Uint8Array>): Promise<() => void>
  /** Disconnects the peer, refuses it from now on (for `ms`, or for good), and says why in status. */
  ban(peer: PeerId, reason: string, ms?: number): Promise<void>
  stop(): Promise<void>
}
