/**
 * What this node tells others about its chain: status, headers, bodies. It serves only up to the
 * newest block whose work it has redone itself (or made), and not what it is just now taking over, so
 * that a forged chain does not travel by way of those it has fooled.
 */
import { BodiesRequest, BodiesResponse, Body, Claim, HeadersRequest, Status } from '../core/codec/wire.ts'
import { type Decoded, decode, equalBytes, toHex } from '../core/codec/ssz.ts'
import type { BlockMeta } from '../core/consensus/chain.ts'
import { MAX_BODIES_PER_REQUEST, MAX_BODY_BYTES, MAX_HEADERS_PER_REQUEST, PROTOCOL_VERSION } from '../core/params.ts'
import { type Network, type PeerId, type ProtocolLimits, RequestError } from '../ports/network.ts'
import { StorageError } from '../ports/storage.ts'
import type { Chain } from './chain.ts'
import type { ChainStore } from './persist.ts'

export const STATUS_PROTOCOL = '/cw/1/status'
export const HEADERS_PROTOCOL = '/cw/1/headers'
export const BODIES_PROTOCOL = '/cw/1/bodies'

export const BODIES_TIMEOUT_MS = 8_000
export const MAX_STATUS_BYTES = 256
export const MAX_LOCATOR = 64
const MAX_HEADERS_REQUEST_BYTES = 4 + 2 + MAX_LOCATOR * 32
const MAX_BODIES_REQUEST_BYTES = 4 + MAX_BODIES_PER_REQUEST * 32
/** A header is 576 bytes. */
export const MAX_HEADERS_RESPONSE_BYTES = 4 + MAX_HEADERS_PER_REQUEST * 640
/** Bodies are added to an answer until it is this long; the first one is always in it. */
const BODIES_ANSWER_BYTES = 1024 * 1024
export const MAX_BODIES_RESPONSE_BYTES = BODIES_ANSWER_BYTES + MAX_BODY_BYTES + 8 * (MAX_BODIES_PER_REQUEST + 1)

const LIMITS: Readonly<Record<string, ProtocolLimits>> = {
  [STATUS_PROTOCOL]: { maxRequestBytes: MAX_STATUS_BYTES, maxResponseBytes: MAX_STATUS_BYTES, perPeerPerSecond: 2 },
  [HEADERS_PROTOCOL]: { maxRequestBytes: MAX_HEADERS_REQUEST_BYTES, maxResponseBytes: MAX_HEADERS_RESPONSE_BYTES, perPeerPerSecond: 4 },
  [BODIES_PROTOCOL]: { maxRequestBytes: MAX_BODIES_REQUEST_BYTES, maxResponseBytes: MAX_BODIES_RESPONSE_BYTES, perPeerPerSecond: 8 }
}

/** What was said last of a head. */
const statuses = new WeakMap<BlockMeta, Status>()

export class SyncServer {
  readonly #network: Pick<Network, 'handle'>
  readonly #chain: Chain
  readonly #store: ChainStore
  readonly #historyFrom: () => number
  readonly #onStatus: (peer: PeerId, status: Status) => void
  readonly #servedUpTo: () => number

  constructor (d: {
    readonly network: Pick<Network, 'handle'>
    readonly chain: Chain
    readonly store: ChainStore
    /** Oldest height of which this node keeps payloads and states. */
    readonly historyFrom: () => number
    /** Above this height blocks are being taken over from others and are not proved yet. */
    readonly servedUpTo: () => number
    readonly onStatus: (peer: PeerId, status: Status) => void
  }) {
    this.#network = d.network
    this.#chain = d.chain
    this.#store = d.store
    this.#historyFrom = d.historyFrom
    this.#servedUpTo = d.servedUpTo
    this.#onStatus = d.onStatus
  }

  async start (): Promise<() => void> {
    const handle = async (protocol: keyof typeof LIMITS, answer: (peer: PeerId, body: Uint8Array) => Promise<Uint8Array>): Promise<() => void> =>
      await this.#network.handle(protocol, LIMITS[protocol], async (peer, body) => {
        try {
          return await answer(peer, body)
        } catch (e) {
          if (e instanceof StorageError) throw new RequestError('busy', 'the disk cannot be read now')
          throw e
        }
      })
    const offs = await Promise.all([
      handle(STATUS_PROTOCOL, async (peer, body) => {
        this.#onStatus(peer, parse(decode(Status, body, MAX_STATUS_BYTES)))
        return Status.serialize(this.status())
      }),
      handle(HEADERS_PROTOCOL, async (_, body) => {
        const { locator, count } = parse(decode(HeadersRequest, body, MAX_HEADERS_REQUEST_BYTES))
        return await this.#headers(locator, Math.min(count, MAX_HEADERS_PER_REQUEST))
      }),
      handle(BODIES_PROTOCOL, async (_, body) => {
        return await this.#bodies(parse(decode(BodiesRequest, body, MAX_BODIES_REQUEST_BYTES)).hashes)
      })
    ])
    return () => { for (const off of offs) off() }
  }

  /** The block up to which this node serves. */
  head (): BlockMeta {
    const redone = this.#chain.redone()
    const bound = this.#servedUpTo()
    return redone.height > bound ? this.#chain.metaAt(bound) ?? redone : redone
  }

  /** The same object as long as it says the same: it is asked for far more often than it changes. */
  status (): Status {
    const head = this.head()
    const historyFrom = this.#historyFrom()
    let status = statuses.get(head)
    if (status?.historyFrom !== historyFrom) statuses.set(head, status = { chain: head.header.template.chain, version: PROTOCOL_VERSION, head: head.hash, height: head.height, work: head.work, historyFrom })
    return status
  }

  async #headers (locator: readonly Uint8Array[], count: number): Promise<Uint8Array> {
    let from = 0
    for (const hash of locator) {
      const height = await this.#mainHeight(hash)
      if (height === undefined) continue
      from = height
      break
    }
    const headers: Uint8Array[] = []
    const last = Math.min(this.head().height, from + count)
    const settled = this.#chain.metaAt(from + 1) === undefined ? await this.#store.settledHeaders(from + 1, last) : []
    for (let h = from + 1; h <= last; h++) {
      const meta = this.#chain.metaAt(h)
      const header = meta === undefined ? settled[h - from - 1] : Claim.serialize(meta.header)
      // An answer that ends here would look like the end of the chain.
      if (header === undefined) throw new RequestError('busy', `header ${h} is not here`)
      headers.push(header)
    }
    return headers.length === 0 ? new Uint8Array(0) : headersResponse(headers)
  }

  /** Height of a main-chain block, however old. */
  async #mainHeight (hash: Uint8Array): Promise<number | undefined> {
    const meta = this.#chain.meta(hash)
    if (meta !== undefined) return this.#chain.isMain(hash) ? meta.height : undefined
    const height = await this.#store.settledHeight(hash)
    // What is settled lies below all that is in memory.
    if (height === undefined || height >= this.#chain.baseHeight()) return undefined
    const settled = await this.#store.settledHash(height)
    return settled !== undefined && equalBytes(settled, hash) ? height : undefined
  }

  async #bodies (hashes: readonly Uint8Array[]): Promise<Uint8Array> {
    const bodies: Uint8Array[] = []
    let bytes = 0
    for (const hash of hashes) {
      const body = bytes < BODIES_ANSWER_BYTES ? await this.#body(hash) : undefined
      bodies.push(body ?? new Uint8Array(0))
      bytes += body?.length ?? 0
    }
    return bytes === 0 ? new Uint8Array(0) : BodiesResponse.serialize({ bodies })
  }

  async #body (hash: Uint8Array): Promise<Uint8Array | undefined> {
    const record = this.#chain.get(hash)
    if (record !== undefined) return Body.serialize(record.body)
    const height = this.#chain.meta(hash)?.height ?? await this.#store.settledHeight(hash)
    return height === undefined ? undefined : await this.#store.body(height, toHex(hash))
  }
}

/** HeadersResponse of claims that are bytes already: an offset, and one after another, as all are of one size. */
function headersResponse (claims: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(4 + claims.length * Claim.fixedSize!)
  bytes[0] = 4
  for (const [i, claim] of claims.entries()) bytes.set(claim, 4 + i * Claim.fixedSize!)
  return bytes
}

function parse<T> (d: Decoded<T>): T {
  if (!d.ok) throw new RequestError('refused', `${d.error.reason}: ${d.error.detail}`)
  return d.value
}
