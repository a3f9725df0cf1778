/**
 * libp2p over WebSockets that an HTTP server of ours upgrades, so that the page and the relay
 * share one port. The stock listener insists on a port of its own and takes frames of 100 MiB.
 */
import { setMaxListeners } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { isIPv6 } from 'node:net'
import type { Duplex } from 'node:stream'
import { type AbortOptions, type Connection, type CreateListenerOptions, type Listener, type ListenerEvents, type Transport, transportSymbol, TypedEventEmitter, type Upgrader } from '@libp2p/interface'
import { AbstractMultiaddrConnection, type AbstractMultiaddrConnectionInit, type SendResult } from '@libp2p/utils'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import type { Libp2pOptions } from 'libp2p'
import type { RawData, WebSocket } from 'ws'
import { type SocketBounds, Upgrades } from './upgrades.ts'

/** Frames of tabs carry signalling: a few kB. */
const MAX_FRAME_BYTES = 256 * 1024
/** Bytes waiting for a slow reader: above the first we wait, above the second he is dropped. */
const PAUSE_ABOVE_BYTES = 256 * 1024
const MAX_WAITING_BYTES = 2 * 1024 * 1024

class SocketConnection extends AbstractMultiaddrConnection {
  readonly #socket: WebSocket

  constructor (socket: WebSocket, init: AbstractMultiaddrConnectionInit) {
    super({ ...init, maxWriteBufferLength: MAX_WAITING_BYTES })
    this.#socket = socket
    socket.on('message', (data: RawData, binary: boolean) => {
      if (!binary || !(data instanceof ArrayBuffer)) this.abort(new Error('a text frame'))
      else this.onData(new Uint8Array(data))
    })
    socket.on('error', e => { this.abort(e) })
    socket.on('close', (code: number) => {
      if (code === 1006) this.onRemoteReset()
      else this.onTransportClosed()
    })
  }

  sendData (data: Iterable<Uint8Array> & { readonly byteLength: number }): SendResult {
    for (const part of data) {
      this.#socket.send(part, () => {
        if (this.writableNeedsDrain && this.#socket.bufferedAmount === 0) this.safeDispatchEvent('drain')
      })
    }
    return { sentBytes: data.byteLength, canSendMore: this.#socket.bufferedAmount < PAUSE_ABOVE_BYTES }
  }

  sendReset (): void { this.#socket.terminate() }

  async sendClose (options?: AbortOptions): Promise<void> {
    this.#socket.close()
    options?.signal?.throwIfAborted()
  }

  sendPause (): void { this.#socket.pause() }
  sendResume (): void { this.#socket.resume() }
}

/** What the HTTP server hands its upgrades to. */
export class SocketGate {
  readonly #upgrades: Upgrades
  #accept: ((socket: WebSocket, request: IncomingMessage) => void) | undefined

  constructor (bounds: SocketBounds) { this.#upgrades = new Upgrades(bounds, MAX_FRAME_BYTES) }

  upgrade (request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const accept = this.#accept
    if (accept === undefined) {
      socket.destroy()
      return
    }
    this.#upgrades.upgrade(request, socket, head, ws => {
      ws.binaryType = 'arraybuffer'
      accept(ws, request)
    })
  }

  open (accept: (socket: WebSocket, request: IncomingMessage) => void): void { this.#accept = accept }

  close (): void {
    this.#accept = undefined
    this.#upgrades.close()
  }
}

type Components = Parameters<NonNullable<Libp2pOptions['transports']>[number]>[0]

class SocketListener extends TypedEventEmitter<ListenerEvents> implements Listener {
  readonly #gate: SocketGate
  readonly #components: Components
  readonly #upgrader: Upgrader
  readonly #stopping = new AbortController()

  constructor (gate: SocketGate, components: Components, upgrader: Upgrader) {
    super()
    this.#gate = gate
    this.#components = components
    this.#upgrader = upgrader
    // One per socket that has not shaken hands.
    setMaxListeners(0, this.#stopping.signal)
  }

  async listen (): Promise<void> {
    this.#gate.open((socket, request) => {
      const { remoteAddress = '0.0.0.0', remotePort = 0 } = request.socket
      const connection = new SocketConnection(socket, {
        remoteAddr: multiaddr(`/${isIPv6(remoteAddress) ? 'ip6' : 'ip4'}/${remoteAddress.replace(/%.*$/, '')}/tcp/${remotePort}/ws`),
        direction: 'inbound',
        log: this.#components.logger.forComponent('commonweight:socket')
      })
      this.#upgrader.upgradeInbound(connection, { signal: this.#stopping.signal }).catch((e: unknown) => { connection.abort(e as Error) })
    })
    this.safeDispatchEvent('listening')
  }

  async close (): Promise<void> {
    this.#stopping.abort()
    this.#gate.close()
    this.safeDispatchEvent('close')
  }

  /** The public address depends on how a tab came here (address.ts): none is announced. */
  getAddrs (): Multiaddr[] { return [] }
  updateAnnounceAddrs (): void {}
}

class SocketTransport implements Transport {
  readonly [transportSymbol] = true as const
  readonly [Symbol.toStringTag] = 'commonweight-sockets'
  readonly #gate: SocketGate
  readonly #components: Components

  constructor (gate: SocketGate, components: Components) {
    this.#gate = gate
    this.#components = components
  }

  async dial (): Promise<Connection> { throw new Error('the server dials nobody') }
  createListener (options: CreateListenerOptions): Listener { return new SocketListener(this.#gate, this.#components, options.upgrader) }
  listenFilter (addresses: Multiaddr[]): Multiaddr[] { return addresses }
  dialFilter (): Multiaddr[] { return [] }
}

export function socketTransport (gate: SocketGate): NonNullable<Libp2pOptions['transports']>[number] {
  return components => new SocketTransport(gate, components)
}
