/**
 * Request and response over one stream each: a frame there, a frame back whose first byte says
 * how it went. Both sides state their limits; whoever breaks them pays in score.
 */
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import { type PeerId, type ProtocolLimits, RequestError, type RequestFailure, type RequestOptions } from '../ports/network.ts'
import { HANDLER_TIMEOUT_MS, MAX_REFUSAL_BYTES, MAX_REQUESTS_PER_PEER, PENALTY_OVERSIZE, PENALTY_TOO_FAST, REQUEST_READ_TIMEOUT_MS } from './bounds.ts'
import { FrameTooLarge, readFrame, writeFrame } from './frames.ts'
import { type Penalties, RequestGate } from './peerBook.ts'

const OK = 0
const STATUS: ReadonlyArray<RequestFailure | 'ok'> = ['ok', 'refused', 'busy', 'too-large']
/** After a short answer the asker may still be sending: time for it to read and hang up. */
const LINGER_MS = 2_000

export interface RequestsOptions {
  readonly node: Pick<Libp2p, 'handle' | 'unhandle'>
  /** A direct connection to a peer that has identified itself. */
  readonly connectionTo: (peer: PeerId) => Connection | undefined
  readonly penalties: Penalties
  readonly now: () => number
  readonly onOffence: (peer: PeerId) => void
  readonly onError: (e: unknown) => void
}

type Handler = (peer: PeerId, body: Uint8Array) => Promise<Uint8Array>

function frameOf (status: number, body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(1 + body.length)
  frame[0] = status
  frame.set(body, 1)
  return frame
}

export class Requests {
  readonly #o: RequestsOptions

  constructor (options: RequestsOptions) { this.#o = options }

  async request (peer: PeerId, protocol: string, body: Uint8Array, options: RequestOptions): Promise<Uint8Array> {
    const connection = this.#o.connectionTo(peer)
    if (connection === undefined) throw new RequestError('unreachable', `no direct link to ${peer}`)
    const signal = AbortSignal.timeout(options.timeoutMs)
    const late = new RequestError('timeout', `no answer within ${options.timeoutMs} ms`)
    let stream: Stream
    try {
      stream = await connection.newStream([protocol], { signal })
    } catch (e) {
      if (signal.aborted) throw late
      if (e instanceof Error && e.name === 'UnsupportedProtocolError') throw new RequestError('refused', `${protocol} is not served`)
      throw new RequestError('unreachable', e instanceof Error ? e.message : String(e))
    }
    try {
      // Not awaited: a peer that refuses answers before it has read all of it.
      writeFrame(stream, body, signal).catch(() => {})
      const frame = await readFrame(stream, Math.max(options.maxResponseBytes, MAX_REFUSAL_BYTES) + 1, signal)
      const status = STATUS[frame[0]]
      if (status === undefined) throw new RequestError('unreachable', 'an answer of no known kind')
      if (status !== 'ok') throw new RequestError(status, new TextDecoder().decode(frame.subarray(1, 1 + MAX_REFUSAL_BYTES)))
      if (frame.length - 1 > options.maxResponseBytes) throw new FrameTooLarge(frame.length - 1, options.maxResponseBytes)
      stream.close().catch(() => {})
      return frame.slice(1)
    } catch (e) {
      stream.abort(e as Error)
      if (e instanceof FrameTooLarge) {
        // One byte of a frame says how it went.
        if (e.bytes > 1 + (options.fairBytes ?? -1)) this.#offence(peer, PENALTY_OVERSIZE)
        throw new RequestError('too-large', `an answer of ${e.bytes} bytes, ${e.limit} were allowed`)
      }
      if (e instanceof RequestError) throw e
      if (signal.aborted) throw late
      throw new RequestError('unreachable', e instanceof Error ? e.message : String(e))
    }
  }

  async handle (protocol: string, limits: ProtocolLimits, handler: Handler): Promise<() => void> {
    const gate = new RequestGate(this.#o.now, limits)
    await this.#o.node.handle(protocol, async (stream, connection) => {
      try {
        await this.#serve(stream, connection.remotePeer.toString(), gate, limits, handler)
      } catch (e) {
        stream.abort(e as Error)
      }
    }, {
      // The gate answers `busy` at MAX_REQUESTS_PER_PEER; beyond twice that streams are reset.
      maxInboundStreams: MAX_REQUESTS_PER_PEER * 2,
      maxOutboundStreams: 64
    })
    return () => { this.#o.node.unhandle(protocol).catch(this.#o.onError) }
  }

  async #serve (stream: Stream, peer: PeerId, gate: RequestGate, limits: ProtocolLimits, handler: Handler): Promise<void> {
    const entry = gate.enter(peer)
    if ('refused' in entry) {
      if (entry.refused === 'rate') this.#offence(peer, PENALTY_TOO_FAST)
      return this.#refuse(stream, 'busy', entry.refused === 'rate' ? 'too many requests per second' : 'too many requests at once')
    }
    try {
      let body: Uint8Array
      try {
        body = await readFrame(stream, limits.maxRequestBytes, AbortSignal.timeout(REQUEST_READ_TIMEOUT_MS))
      } catch (e) {
        if (!(e instanceof FrameTooLarge)) throw e
        this.#offence(peer, PENALTY_OVERSIZE)
        return await this.#refuse(stream, 'too-large', `a request of ${e.bytes} bytes, ${e.limit} are allowed`)
      }
      const answer = await this.#answer(peer, body, limits, handler)
      if (answer instanceof RequestError) {
        return await this.#refuse(stream, answer.kind === 'busy' || answer.kind === 'too-large' ? answer.kind : 'refused', answer.message)
      }
      await writeFrame(stream, frameOf(OK, answer), AbortSignal.timeout(HANDLER_TIMEOUT_MS))
      await stream.close({ signal: AbortSignal.timeout(HANDLER_TIMEOUT_MS) })
    } finally {
      entry.leave()
    }
  }

  async #answer (peer: PeerId, body: Uint8Array, limits: ProtocolLimits, handler: Handler): Promise<Uint8Array | RequestError> {
    let timer: ReturnType<typeof setTimeout> | undefined
    try {
      const late = new Promise<RequestError>(resolve => { timer = setTimeout(() => { resolve(new RequestError('busy', 'the answer took too long')) }, HANDLER_TIMEOUT_MS) })
      const answer = await Promise.race([handler(peer, body), late])
      if (answer instanceof Uint8Array && answer.length > limits.maxResponseBytes) throw new Error(`our answer is ${answer.length} bytes, ${limits.maxResponseBytes} are allowed`)
      return answer
    } catch (e) {
      if (e instanceof RequestError) return e
      this.#o.onError(e)
      return new RequestError('refused', 'the answer failed')
    } finally {
      clearTimeout(timer)
    }
  }

  async #refuse (stream: Stream, kind: RequestFailure, words: string): Promise<void> {
    const text = new TextEncoder().encode(words).subarray(0, MAX_REFUSAL_BYTES)
    await writeFrame(stream, frameOf(STATUS.indexOf(kind), text), AbortSignal.timeout(LINGER_MS))
    setTimeout(() => { stream.abort(new Error(kind)) }, LINGER_MS)
    await stream.close({ signal: AbortSignal.timeout(LINGER_MS) })
  }

  #offence (peer: PeerId, amount: number): void {
    this.#o.penalties.add(peer, amount)
    this.#o.onOffence(peer)
  }
}
