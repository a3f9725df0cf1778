/** What a tab dials with: WebSocket to the bootstraps, circuits for signalling, WebRTC to peers. */
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { webRTC } from '@libp2p/webrtc'
import { webSockets } from '@libp2p/websockets'
import type { Libp2pOptions } from 'libp2p'
import { installInitChannelShim } from './rtcShim.ts'

export interface Carriers {
  readonly transports: NonNullable<Libp2pOptions['transports']>
  /** Multiaddrs to listen on. */
  readonly listen: readonly string[]
}

/**
 * Of one message on a data channel. Every browser takes 64 KiB (RFC 8841, 6.1); with libp2p's 16 KiB a block
 * of a torrent and its header are two messages, and messages are what a swarm spends its time on.
 */
const MESSAGE_BYTES = 64 * 1024

export function webTransports (iceServers: readonly RTCIceServer[]): Carriers {
  installInitChannelShim()
  return {
    transports: [
      webSockets(),
      webRTC({ rtcConfiguration: { iceServers: [...iceServers] }, dataChannel: { maxMessageSize: MESSAGE_BYTES } }),
      circuitRelayTransport({ reservationCompletionTimeout: 10_000 })
    ],
    listen: ['/webrtc']
  }
}
