/**
 * The bodies of a chain of headers, in order, fetched ahead from several peers at once. Whoever hands
 * out another body than the header names is banned; whoever has none is passed over.
 */
import { decode, equalBytes } from '../core/codec/ssz.ts'
import { BodiesRequest, BodiesResponse, Body } from '../core/codec/wire.ts'
import type { HeaderMeta } from '../core/consensus/chain.ts'
import { bodyRoot } from '../core/crypto/ids.ts'
import { MAX_BODIES_PER_REQUEST, MAX_BODY_BYTES } from '../core/params.ts'
import type { Clock } from '../ports/clock.ts'
import type { Network, PeerId } from '../ports/network.ts'
import { askPatiently } from './askPeers.ts'
import type { Blame } from './parts.ts'
import { BODIES_PROTOCOL, BODIES_TIMEOUT_MS, MAX_BODIES_RESPONSE_BYTES } from './syncServer.ts'

/** Bodies fetched ahead of the block being applied, and requests for them at once. */
const BODIES_AHEAD = 48
const BODY_REQUESTS = 3
/** Requests for bodies a peer may leave unanswered before it is passed over. */
const MISSES = 2

export interface Fetched { readonly body: Body, readonly from: PeerId }

export class BodyFetcher {
  readonly #network: Pick<Network, 'request'>
  readonly #clock: Pick<Clock, 'after'>
  readonly #blame: Pick<Blame, 'refuse'>
  readonly #headers: readonly HeaderMeta[]
  readonly #sources: () => PeerId[]
  readonly #ready = new Map<number, Fetched>()
  readonly #asked = new Set<number>()
  readonly #misses = new Map<PeerId, number>()
  readonly #busy = new Set<PeerId>()
  #running = 0
  #at = 0
  /** Bodies handed out, all from the first on: they may come again. */
  #done = 0
  #wake: () => void = () => {}
  #stopped = false

  constructor (network: Pick<Network, 'request'>, clock: Pick<Clock, 'after'>, blame: Pick<Blame, 'refuse'>, headers: readonly HeaderMeta[], sources: () => PeerId[]) {
    this.#network = network
    this.#clock = clock
    this.#blame = blame
    this.#headers = headers
    this.#sources = sources
  }

  /** Who waits for a body is told that there is none, and nobody is asked any more. */
  stop (): void {
    this.#stopped = true
    this.#wake()
  }

  /** Undefined if no peer is left that might have it, or if it was stopped. */
  async next (h: HeaderMeta): Promise<Fetched | undefined> {
    this.#at = h.height - this.#headers[0].height
    while (!this.#stopped) {
      this.#fill()
      const got = this.#ready.get(this.#at)
      if (got !== undefined) {
        this.#ready.delete(this.#at)
        this.#done = this.#at + 1
        return got
      }
      if (this.#running === 0) return undefined
      await new Promise<void>((resolve) => { this.#wake = resolve })
    }
    return undefined
  }

  #fill (): void {
    while (this.#running < BODY_REQUESTS) {
      const sources = this.#sources()
      const free = sources.filter((id) => !this.#busy.has(id) && this.#missed(id) < MISSES)
      if (free.length === 0) return
      const peer = free.reduce((a, b) => this.#missed(b) < this.#missed(a) ? b : a)
      const batch: number[] = []
      for (let i = this.#at; i < this.#headers.length && i < this.#at + BODIES_AHEAD && batch.length < MAX_BODIES_PER_REQUEST; i++) {
        // Whoever shows the chain has it: the others may be silent, and cost no more than what they are asked for.
        const isWaitedFor = i === this.#at && peer === sources[0]
        if (!this.#ready.has(i) && (isWaitedFor || !this.#asked.has(i))) batch.push(i)
      }
      if (batch.length === 0) return
      void this.#fetch(peer, batch)
    }
  }

  #missed (peer: PeerId): number { return this.#misses.get(peer) ?? 0 }

  async #fetch (peer: PeerId, batch: readonly number[]): Promise<void> {
    this.#running++
    this.#busy.add(peer)
    for (const i of batch) this.#asked.add(i)
    const request = BodiesRequest.serialize({ hashes: batch.map((i) => this.#headers[i].hash) })
    const answer = await askPatiently(this.#network, this.#clock, peer, BODIES_PROTOCOL, request, BODIES_TIMEOUT_MS, MAX_BODIES_RESPONSE_BYTES)
    this.#running--
    this.#busy.delete(peer)
    for (const i of batch) this.#asked.delete(i)
    if (!this.#stopped && !this.#take(peer, batch, answer)) this.#misses.set(peer, this.#missed(peer) + 1)
    this.#wake()
  }

  /** False if the first body that was asked for did not come. */
  #take (peer: PeerId, batch: readonly number[], answer: Uint8Array | undefined): boolean {
    if (answer === undefined || answer.length === 0) return false
    const d = decode(BodiesResponse, answer, MAX_BODIES_RESPONSE_BYTES)
    if (!d.ok) return this.#lied(peer, d.error.reason, d.error.detail)
    for (let k = 0; k < Math.min(batch.length, d.value.bodies.length); k++) {
      const bytes = d.value.bodies[k]
      if (bytes.length === 0 || batch[k] < this.#done) continue
      const body = decode(Body, bytes, MAX_BODY_BYTES)
      if (!body.ok) return this.#lied(peer, body.error.reason, body.error.detail)
      const { template } = this.#headers[batch[k]].header
      if (!equalBytes(bodyRoot(body.value), template.bodyRoot)) return this.#lied(peer, 'body-root', `body of block ${template.height} is another one`)
      this.#ready.set(batch[k], { body: body.value, from: peer })
    }
    return batch[0] < this.#done || this.#ready.has(batch[0])
  }

  #lied (peer: PeerId, reason: string, detail: string): false {
    this.#misses.set(peer, MISSES)
    this.#blame.refuse({ what: 'bodies', reason, detail, peer, fatal: true })
    return false
  }
}
