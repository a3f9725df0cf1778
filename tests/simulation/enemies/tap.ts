/**
 * Wire taps: what an enemy puts between its unmodified node and the ports. Each hook gets what passes
 * and a way to let it pass, changed or not, now or later, or never.
 */
import { decode } from '../../../src/core/codec/ssz.ts'
import { Block, Claim, WorkMessage } from '../../../src/core/codec/wire.ts'
import { MAX_GOSSIP_BYTES } from '../../../src/core/params.ts'
import type { Compute, Priority, SliceResult, SliceTask } from '../../../src/ports/compute.ts'
import type { GossipMessage, Network, NetworkStatus, PeerId, ProtocolLimits, RequestOptions, Verdict } from '../../../src/ports/network.ts'

type Validator = (m: GossipMessage) => Promise<Verdict>
type Handler = (peer: PeerId, body: Uint8Array) => Promise<Uint8Array>

export interface Taps {
  /** Its node says something to all. */
  publish?(topic: string, bytes: Uint8Array, pass: (bytes: Uint8Array) => Promise<number>): Promise<number>
  /** Its node is about to hear something. */
  heard?(m: GossipMessage, pass: Validator): Promise<Verdict>
  /** Its node asks a peer. */
  request?(peer: PeerId, protocol: string, body: Uint8Array, pass: (body: Uint8Array) => Promise<Uint8Array>): Promise<Uint8Array>
  /** A peer asks its node. */
  answer?(peer: PeerId, protocol: string, body: Uint8Array, pass: Handler): Promise<Uint8Array>
}

export class TappedNetwork implements Network {
  /** Without the taps. */
  readonly inner: Network
  readonly #taps: Taps
  readonly #validators = new Map<string, Validator>()

  constructor (inner: Network, taps: Taps) {
    this.inner = inner
    this.#taps = taps
  }

  /** The own node hears this, whatever the taps say. */
  async inject (m: GossipMessage): Promise<Verdict> { return await this.#validators.get(m.topic)?.(m) ?? 'ignore' }

  async status (): Promise<NetworkStatus> { return await this.inner.status() }
  async onStatus (listener: (s: NetworkStatus) => void): Promise<() => void> { return await this.inner.onStatus(listener) }
  async ban (peer: PeerId, reason: string, ms?: number): Promise<void> { await this.inner.ban(peer, reason, ms) }
  async stop (): Promise<void> { await this.inner.stop() }

  async publish (topic: string, bytes: Uint8Array): Promise<number> {
    const pass = async (b: Uint8Array): Promise<number> => await this.inner.publish(topic, b)
    return await (this.#taps.publish?.(topic, bytes, pass) ?? pass(bytes))
  }

  async subscribe (topic: string, validator: Validator): Promise<() => void> {
    this.#validators.set(topic, validator)
    const off = await this.inner.subscribe(topic, async m => await (this.#taps.heard?.(m, validator) ?? validator(m)))
    return () => {
      if (this.#validators.get(topic) === validator) this.#validators.delete(topic)
      off()
    }
  }

  async request (peer: PeerId, protocol: string, body: Uint8Array, options: RequestOptions): Promise<Uint8Array> {
    const pass = async (b: Uint8Array): Promise<Uint8Array> => await this.inner.request(peer, protocol, b, options)
    return await (this.#taps.request?.(peer, protocol, body, pass) ?? pass(body))
  }

  async handle (protocol: string, limits: ProtocolLimits, handler: Handler): Promise<() => void> {
    return await this.inner.handle(protocol, limits, async (peer, body) => await (this.#taps.answer?.(peer, protocol, body, handler) ?? handler(peer, body)))
  }
}

/** Slices and replays go through `runSlice`, everything else as before. */
export function tappedCompute (inner: Compute, runSlice: (task: SliceTask, priority: Priority) => Promise<SliceResult>): Compute {
  return {
    ready: async () => { await inner.ready() },
    runSlice,
    evaluate: async task => await inner.evaluate(task),
    predict: async task => await inner.predict(task),
    stateHash: async state => await inner.stateHash(state),
    status: async () => await inner.status(),
    setLimits: async (workers, duty) => { await inner.setLimits(workers, duty) },
    setBackend: async choice => { await inner.setBackend(choice) },
    stop: async () => { await inner.stop() }
  }
}

export const isBlocks = (topic: string): boolean => topic.endsWith('/blocks')
export const isTransactions = (topic: string): boolean => topic.endsWith('/tx')
export const isWork = (topic: string): boolean => topic.includes('/job/')

/** The header in a block message, whole or alone; undefined where it is no block message. */
export function headerOf (bytes: Uint8Array): Claim | undefined {
  if (bytes[0] === 0) {
    const d = decode(Block, bytes.subarray(1), MAX_GOSSIP_BYTES)
    return d.ok ? d.value.header : undefined
  }
  const d = bytes[0] === 1 ? decode(Claim, bytes.subarray(1), MAX_GOSSIP_BYTES) : undefined
  return d?.ok === true ? d.value : undefined
}

export function workMessage (bytes: Uint8Array): WorkMessage | undefined {
  const d = decode(WorkMessage, bytes, MAX_GOSSIP_BYTES)
  return d.ok ? d.value : undefined
}

/** As src/node/blocksGossip.ts sends a block that is small. */
export function blockMessage (block: Block): Uint8Array {
  const content = Block.serialize(block)
  const out = new Uint8Array(1 + content.length)
  out.set(content, 1)
  return out
}
