/**
 * A Network on the other side of a message port: libp2p lives on the page, the node in a worker.
 * One side calls, the other answers; functions given as arguments (validators, handlers,
 * listeners) stay where they are and are called by number.
 */
import { type GossipMessage, type Network, type NetworkStatus, type PeerId, type ProtocolLimits, RequestError, type RequestOptions, type Verdict } from '../ports/network.ts'
import { Calls, compact, Given, type Port } from './portCalls.ts'

/** Serves `network` to the other end of the port; the result ends that and closes the port. */
export function exposeNetwork (network: Network, port: Port): () => void {
  const undo = new Map<number, () => void>()
  /** Registers under the other end's number, unless it was released while we were at it. */
  const released = new Set<number>()
  const keep = async (id: number, start: Promise<() => void>): Promise<void> => {
    const stop = await start
    if (released.delete(id)) stop()
    else undo.set(id, stop)
  }
  const close = (): void => {
    for (const stop of undo.values()) stop()
    undo.clear()
    calls.close()
  }
  const calls: Calls = new Calls(port, {
    status: () => network.status(),
    publish: (topic: string, bytes: Uint8Array) => network.publish(topic, bytes),
    request: async (peer: PeerId, protocol: string, body: Uint8Array, options: RequestOptions) => new Given(await network.request(peer, protocol, body, options)),
    ban: (peer: PeerId, reason: string, ms?: number) => network.ban(peer, reason, ms),
    onStatus: (id: number) => keep(id, network.onStatus(s => { calls.call('status', [id, s]).catch(() => {}) })),
    // The message stays with the adapter, which still has to forward it: copied, not transferred.
    subscribe: (id: number, topic: string) => keep(id, network.subscribe(topic, async m => await calls.call('validate', [id, { ...m, bytes: compact(m.bytes) }]) as Verdict)),
    handle: (id: number, protocol: string, limits: ProtocolLimits) => keep(id, network.handle(protocol, limits, async (peer, body) => {
      const given = compact(body)
      return await calls.call('answer', [id, peer, given], [given.buffer as ArrayBuffer]) as Uint8Array
    })),
    release: (id: number) => {
      const stop = undo.get(id)
      if (stop === undefined) released.add(id)
      else stop()
      undo.delete(id)
    },
    stop: async () => {
      await network.stop()
      // After the answer is on its way.
      setTimeout(close, 0)
    }
  })
  return close
}

/** The network that the other end of the port exposes. */
export function connectNetwork (port: Port): Network {
  return new PortNetwork(port)
}

class PortNetwork implements Network {
  readonly #calls: Calls
  readonly #validators = new Map<number, (m: GossipMessage) => Promise<Verdict>>()
  readonly #handlers = new Map<number, (peer: PeerId, body: Uint8Array) => Promise<Uint8Array>>()
  readonly #listeners = new Map<number, (s: NetworkStatus) => void>()
  #next = 0
  #stopped = false

  constructor (port: Port) {
    this.#calls = new Calls(port, {
      status: (id: number, s: NetworkStatus) => { this.#listeners.get(id)?.(s) },
      validate: async (id: number, m: GossipMessage): Promise<Verdict> => await this.#validators.get(id)?.(m) ?? 'ignore',
      answer: async (id: number, peer: PeerId, body: Uint8Array) => {
        const handler = this.#handlers.get(id)
        if (handler === undefined) throw new RequestError('refused', 'no longer served')
        return handler(peer, body)
      }
    })
  }

  async status (): Promise<NetworkStatus> { return await this.#calls.call('status', []) as NetworkStatus }
  async publish (topic: string, bytes: Uint8Array): Promise<number> { return await this.#calls.call('publish', [topic, compact(bytes)]) as number }
  async request (peer: PeerId, protocol: string, body: Uint8Array, options: RequestOptions): Promise<Uint8Array> { return await this.#calls.call('request', [peer, protocol, compact(body), options]) as Uint8Array }
  async ban (peer: PeerId, reason: string, ms?: number): Promise<void> { await this.#calls.call('ban', [peer, reason, ms]) }

  async onStatus (listener: (s: NetworkStatus) => void): Promise<() => void> { return this.#register(this.#listeners, listener, id => ['onStatus', [id]]) }
  async subscribe (topic: string, validator: (m: GossipMessage) => Promise<Verdict>): Promise<() => void> { return this.#register(this.#validators, validator, id => ['subscribe', [id, topic]]) }
  async handle (protocol: string, limits: ProtocolLimits, handler: (peer: PeerId, body: Uint8Array) => Promise<Uint8Array>): Promise<() => void> { return this.#register(this.#handlers, handler, id => ['handle', [id, protocol, limits]]) }

  async stop (): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    try { await this.#calls.call('stop', []) } finally { this.#calls.close() }
  }

  async #register<F> (table: Map<number, F>, fn: F, message: (id: number) => [string, readonly unknown[]]): Promise<() => void> {
    const id = this.#next++
    table.set(id, fn)
    try {
      await this.#calls.call(...message(id))
    } catch (e) {
      table.delete(id)
      throw e
    }
    return () => {
      if (table.delete(id)) this.#calls.call('release', [id]).catch(() => {})
    }
  }
}
