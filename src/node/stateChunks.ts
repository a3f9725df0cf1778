/**
 * Whole states, chunk by chunk, for who joins or has fallen behind: /cw/1/state, the side that is asked. A state is
 * made ready as a whole, for all of its chunks, and a stranger chooses which and from where: so what that may cost is
 * bounded per peer and in all. Beyond it the answer is "busy", and whoever asks goes to another peer.
 */
import { decode, toHex } from '../core/codec/ssz.ts'
import { StateRequest } from '../core/codec/wire.ts'
import { CHUNK_BYTES, HASH_BYTES } from '../core/params.ts'
import type { Clock } from '../ports/clock.ts'
import { type Network, type PeerId, RequestError } from '../ports/network.ts'
import { Lru } from './lru.ts'
import type { Hex } from './parts.ts'
import { TokenBuckets } from './tokenBucket.ts'

export const STATE_PROTOCOL = '/cw/1/state'
const REQUEST_BYTES = 2 * HASH_BYTES + 4
/** One state of the largest model is 31 chunks. */
const REQUESTS_PER_SECOND = 32
/** States kept ready for peers that read them chunk by chunk. */
const READY_KEPT = 3
/** Bytes of states made ready for one peer, and for all: twice the largest at once, and one of it in four seconds. */
export const PEER_BYTES_AT_ONCE = 8 * 1024 * 1024
const PEER_BYTES_PER_SECOND = 1024 * 1024
const BYTES_AT_ONCE = 4 * PEER_BYTES_AT_ONCE
const BYTES_PER_SECOND = 4 * PEER_BYTES_PER_SECOND
const NOTHING = new Uint8Array(0)

export interface StateChunksDeps {
  readonly network: Pick<Network, 'handle'>
  readonly clock: Pick<Clock, 'now'>
  /** Bytes of a state that is held; undefined: it is not. */
  readonly size: (stateHash: Hex) => number | undefined
  /** Its canonical bytes. */
  readonly read: (stateHash: Hex) => Promise<Uint8Array | undefined>
}

export class StateChunks {
  readonly #d: StateChunksDeps
  readonly #ready = new Lru<Uint8Array>(READY_KEPT)
  readonly #reading = new Map<Hex, Promise<Uint8Array | undefined>>()
  readonly #peerBytes: TokenBuckets
  readonly #bytes: TokenBuckets

  constructor (d: StateChunksDeps) {
    this.#d = d
    this.#peerBytes = new TokenBuckets(d.clock, PEER_BYTES_PER_SECOND, PEER_BYTES_AT_ONCE)
    this.#bytes = new TokenBuckets(d.clock, BYTES_PER_SECOND, BYTES_AT_ONCE)
  }

  async start (): Promise<() => void> {
    return await this.#d.network.handle(STATE_PROTOCOL, { maxRequestBytes: REQUEST_BYTES, maxResponseBytes: CHUNK_BYTES, perPeerPerSecond: REQUESTS_PER_SECOND }, async (peer, body) => await this.#answer(peer, body))
  }

  async #answer (peer: PeerId, body: Uint8Array): Promise<Uint8Array> {
    const request = decode(StateRequest, body, REQUEST_BYTES)
    if (!request.ok) return NOTHING
    const { offset } = request.value
    const name = toHex(request.value.stateHash)
    const bytes = this.#ready.get(name) ?? await this.#makeReady(peer, name, offset)
    return bytes?.slice(offset, offset + CHUNK_BYTES) ?? NOTHING
  }

  async #makeReady (peer: PeerId, name: Hex, offset: number): Promise<Uint8Array | undefined> {
    const size = this.#d.size(name)
    if (size === undefined || offset >= size) return undefined
    const running = this.#reading.get(name)
    if (running !== undefined) return await running
    // Of what all may have, nothing is taken by who has had his own.
    if (!this.#peerBytes.take(peer, size) || !this.#bytes.take('', size)) throw new RequestError('busy', 'states are being read for others')
    const reading = this.#d.read(name).finally(() => this.#reading.delete(name))
    this.#reading.set(name, reading)
    const bytes = await reading
    if (bytes !== undefined) this.#ready.set(name, bytes)
    return bytes
  }
}
