/**
 * A libp2p stream as the duplex that the BitTorrent wire runs on. One stream carries one link; the
 * side that opened it sends its handshake first, which says what torrent it is about.
 * Source: BEP 3 (handshake: 19, "BitTorrent protocol", 8 reserved bytes, infohash, peer id).
 */
import type { Stream, StreamMessageEvent } from '@libp2p/interface'
import { Duplex } from 'streamx'
import { toHex } from '../../core/codec/ssz.ts'
import type { PeerId } from '../../ports/network.ts'

export const WIRE_PROTOCOL = '/cw/1/btwire'

const HEAD_BYTES = 48
const INFO_HASH_AT = 28
const PROTOCOL_NAME = '\x13BitTorrent protocol'
/** A stranger who opens a stream says what for within this time. */
const HEAD_MS = 10_000
/** What the wire may say before it waits for the stream to take it. */
const WRITE_AHEAD_BYTES = 128 * 1024

/** What WebTorrent takes for a connection; `id` tells two of them apart. */
export type WireConnection = Duplex & { readonly id: string, readonly connected: true }

/** A server's bridge passes on what strangers send who have no name in the mesh: it counts as one of them, and is never banned for them. */
export const connectionId = (peer: PeerId, ofServer = false): string => `${ofServer ? 'server' : 'mesh'}:${peer}`
export const peerOfConnection = (id: string): PeerId | undefined => id.startsWith('mesh:') ? id.slice(5) : undefined

function partsOf (e: StreamMessageEvent): Uint8Array[] {
  return e.data instanceof Uint8Array ? [e.data] : [...e.data]
}

function joined (parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]
  const all = new Uint8Array(parts.reduce((n, p) => n + p.length, 0))
  let at = 0
  for (const part of parts) { all.set(part, at); at += part.length }
  return all
}

/** `head`: what was read of the stream before. */
export function wireConnection (stream: Stream, id: string, head: readonly Uint8Array[] = []): WireConnection {
  let failed = false
  const duplex = new Duplex({
    read (done) {
      stream.resume()
      done(null)
    },
    // A block and its header, and with luck its neighbours, in one message: each costs as much as a block's bytes.
    highWaterMark: WRITE_AHEAD_BYTES,
    writev (parts, done) {
      try {
        if (stream.send(joined(parts as Uint8Array[]))) done(null)
        else stream.onDrain().then(() => { done(null) }, done)
      } catch (e) { done(e as Error) }
    },
    final (done) {
      stream.close().then(() => { done(null) }, done)
    },
    destroy (done) {
      // A close would wait for what the other side still sends.
      if (stream.status === 'open' || stream.status === 'closing') stream.abort(new Error('the link was ended'))
      done(null)
    }
  })
  // Pipelines end it with whatever the stream failed of; nobody else listens.
  duplex.on('error', () => { failed = true })
  for (const part of head) duplex.push(part)
  stream.addEventListener('message', e => {
    for (const part of partsOf(e)) if (!duplex.push(part) && !failed) stream.pause()
  })
  stream.addEventListener('remoteCloseWrite', () => { duplex.push(null) })
  stream.addEventListener('close', () => { duplex.destroy() })
  if (stream.status !== 'open') queueMicrotask(() => { duplex.destroy() })
  return Object.assign(duplex, { id, connected: true as const })
}

/** Reads the handshake's head of a stream that came in: the torrent it is about, and all that was read. */
export async function readWireHead (stream: Stream): Promise<{ readonly infoHash: string, readonly head: readonly Uint8Array[] } | undefined> {
  return await new Promise(resolve => {
    const head: Uint8Array[] = []
    let bytes = 0
    const end = (value: { readonly infoHash: string, readonly head: readonly Uint8Array[] } | undefined): void => {
      clearTimeout(timer)
      stream.removeEventListener('message', onMessage)
      stream.removeEventListener('close', onClose)
      resolve(value)
    }
    const onClose = (): void => { end(undefined) }
    const onMessage = (e: StreamMessageEvent): void => {
      for (const part of partsOf(e)) {
        head.push(part.slice())
        bytes += part.length
      }
      if (bytes < HEAD_BYTES) return
      // Until somebody listens again.
      stream.pause()
      const all = joined(head)
      const isWire = String.fromCharCode(...all.subarray(0, PROTOCOL_NAME.length)) === PROTOCOL_NAME
      end(isWire ? { infoHash: toHex(all.subarray(INFO_HASH_AT, HEAD_BYTES)), head } : undefined)
    }
    const timer = setTimeout(onClose, HEAD_MS)
    stream.addEventListener('message', onMessage)
    stream.addEventListener('close', onClose)
  })
}
