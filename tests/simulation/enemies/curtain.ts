/**
 * Hides blocks: a node behind it works on chains of which nothing is to be seen from outside. Gossip,
 * statuses (asked and answered), headers and bodies show only what is public.
 */
import { BodiesRequest, BodiesResponse, type Claim, HeadersResponse, Status } from '../../../src/core/codec/wire.ts'
import type { BlockMeta } from '../../../src/core/consensus/chain.ts'
import { claimId } from '../../../src/core/crypto/ids.ts'
import type { PeerId } from '../../../src/ports/network.ts'
import { BODIES_PROTOCOL, HEADERS_PROTOCOL, STATUS_PROTOCOL } from '../../../src/node/syncServer.ts'
import type { Taps } from './tap.ts'

export interface Curtain {
  readonly isHidden: (hash: Uint8Array) => boolean
  /** Friends see everything. */
  readonly isFriend: (peer: PeerId) => boolean
  /** Of the node behind the curtain; undefined while it starts. */
  readonly head: () => BlockMeta | undefined
}

/** The newest block below a node's head that all may know. */
function publicHead ({ head, isHidden }: Curtain): BlockMeta | undefined {
  let meta = head()
  while (meta !== undefined && isHidden(meta.hash)) meta = meta.parent
  return meta
}

function publicStatus (c: Curtain, bytes: Uint8Array): Uint8Array {
  const meta = publicHead(c)
  const status = Status.deserialize(bytes)
  return meta === undefined || !c.isHidden(status.head) ? bytes : Status.serialize({ ...status, head: meta.hash, height: meta.height, work: meta.work })
}

function publicHeaders (c: Curtain, bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) return bytes
  const { headers } = HeadersResponse.deserialize(bytes)
  const first = headers.findIndex((h: Claim) => c.isHidden(claimId(h)))
  if (first < 0) return bytes
  return first === 0 ? new Uint8Array(0) : HeadersResponse.serialize({ headers: headers.slice(0, first) })
}

function publicBodies (c: Curtain, request: Uint8Array, bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) return bytes
  const { hashes } = BodiesRequest.deserialize(request)
  const { bodies } = BodiesResponse.deserialize(bytes)
  return BodiesResponse.serialize({ bodies: bodies.map((b, i) => c.isHidden(hashes[i]) ? new Uint8Array(0) : b) })
}

/** Requests and answers; what is published and heard is the enemy's own affair. */
export function curtainTaps (c: Curtain): Required<Pick<Taps, 'request' | 'answer'>> {
  return {
    request: async (peer, protocol, body, pass) => await pass(protocol === STATUS_PROTOCOL && !c.isFriend(peer) ? publicStatus(c, body) : body),
    answer: async (peer, protocol, body, pass) => {
      const bytes = await pass(peer, body)
      if (c.isFriend(peer)) return bytes
      switch (protocol) {
        case STATUS_PROTOCOL: return publicStatus(c, bytes)
        case HEADERS_PROTOCOL: return publicHeaders(c, bytes)
        case BODIES_PROTOCOL: return publicBodies(c, body, bytes)
        default: return bytes
      }
    }
  }
}
