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

export function webTransports (iceServers: readonly RTCIceServer[]): Carriers {
  installInitChannelShim()
  return {
    transports: [
      webSockets(),
      webRTC({ rtcConfiguration: { iceServers: [...iceServers] } }),
      circuitRelayTransport({ reservationCompletionTimeout: 10_000 })
    ],
    listen: ['/webrtc']
  }
}
