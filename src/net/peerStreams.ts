/** Streams to peers by name, on the connections the mesh keeps: what page-side protocols need of libp2p. */
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import type { PeerId } from '../ports/network.ts'

export interface PeerStreams {
  readonly self: PeerId
  isConnected (peer: PeerId): boolean
  isBanned (peer: PeerId): boolean
  /** Makes a direct connection, if there is a way. */
  meet (peer: PeerId): Promise<boolean>
  /** Throws where there is no direct connection, or the other side does not serve the protocol. */
  open (peer: PeerId, protocol: string, timeoutMs: number): Promise<Stream>
  /** `ofServer`: over a WebSocket, which tabs have to servers alone. */
  handle (protocol: string, maxPerConnection: number, handler: (stream: Stream, peer: PeerId, ofServer: boolean) => void): Promise<() => void>
}

/** A circuit leads on to somebody else. */
const isServer = (c: Connection): boolean => /\/wss?(\/|$)/.test(c.remoteAddr.toString()) && !c.remoteAddr.toString().includes('/p2p-circuit') && c.direction === 'outbound'

export function peerStreams (d: { readonly node: Libp2p, readonly connectionTo: (peer: PeerId) => Connection | undefined, readonly isBanned: (peer: PeerId) => boolean, readonly meet: (peer: PeerId) => Promise<boolean>, readonly maxPerConnection: number, readonly onError: (e: unknown) => void }): PeerStreams {
  return {
    self: d.node.peerId.toString(),
    isConnected: peer => d.connectionTo(peer) !== undefined,
    isBanned: d.isBanned,
    meet: d.meet,
    open: async (peer, protocol, timeoutMs) => {
      const connection = d.connectionTo(peer)
      if (connection === undefined) throw new Error(`no direct link to ${peer}`)
      return connection.newStream([protocol], { signal: AbortSignal.timeout(timeoutMs), maxOutboundStreams: d.maxPerConnection })
    },
    handle: async (protocol, maxPerConnection, handler) => {
      await d.node.handle(protocol, (stream, connection) => {
        const peer = connection.remotePeer.toString()
        if (d.isBanned(peer)) stream.abort(new Error('banned'))
        else handler(stream, peer, isServer(connection))
      }, { maxInboundStreams: maxPerConnection, maxOutboundStreams: maxPerConnection })
      return () => { d.node.unhandle(protocol).catch(d.onError) }
    }
  }
}
