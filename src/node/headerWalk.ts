/** A peer's headers one answer after another, each checked as far as headers can be, from the newest block that both have. */
import { decode, equalBytes } from '../core/codec/ssz.ts'
import { HeadersRequest, HeadersResponse } from '../core/codec/wire.ts'
import type { HeaderMeta } from '../core/consensus/chain.ts'
import { appendHeaders } from '../core/consensus/header.ts'
import { claimId } from '../core/crypto/ids.ts'
import { type ChainParams, MAX_HEADERS_PER_REQUEST } from '../core/params.ts'
import type { Clock } from '../ports/clock.ts'
import type { Network, PeerId } from '../ports/network.ts'
import { askPatiently, within } from './askPeers.ts'
import { packOld } from './packedHeaders.ts'
import type { Blame } from './parts.ts'
import { HEADERS_PROTOCOL, MAX_HEADERS_RESPONSE_BYTES } from './syncServer.ts'
import { treeDepths } from './tree.ts'

const HEADERS_TIMEOUT_MS = 10_000
/** Headers asked for at first, and how soon they must come for more to be asked for at once. */
export const HEADERS_FIRST = 128
const HEADERS_QUICK_MS = 2_000

/** Headers that follow one another on `fork`. */
export interface Walked {
  readonly fork: HeaderMeta
  readonly headers: HeaderMeta[]
  /** They reach the end of the peer's chain. */
  readonly whole: boolean
  /** They do not, because it stopped answering. */
  readonly cut: boolean
}

export interface Walk {
  /** What the peer is asked to begin above, the newest first. */
  readonly locator: readonly Uint8Array[]
  readonly known: (hash: Uint8Array) => HeaderMeta | undefined
  /** Why a block that was asked about is not known any more. */
  readonly unknown: () => string
  readonly most: number
  readonly leftMs: () => number
  /** Before each answer: why there is no point in waiting for it, if there is none. */
  readonly ended: (last: HeaderMeta | undefined) => string | undefined
  readonly shown?: (headers: number) => void
}

interface Asked { readonly answer: Promise<Uint8Array | undefined>, readonly at: number, readonly count: number }

export class HeaderWalk {
  readonly #d: { readonly params: ChainParams, readonly clock: Clock, readonly network: Pick<Network, 'request'>, readonly blame: Pick<Blame, 'refuse'> }

  /** Newest headers that stay decoded: what the rules about the next ones look at, and the block of a ledger that is gone on from. */
  readonly #keep: number

  constructor (d: { readonly params: ChainParams, readonly clock: Clock, readonly network: Pick<Network, 'request'>, readonly blame: Pick<Blame, 'refuse'> }) {
    this.#d = d
    this.#keep = treeDepths(d.params).metas + 2 * d.params.historyBlocks
  }

  /** `parted`: it leaves ours below a block that is not known any more. */
  async walk (id: PeerId, w: Walk): Promise<Walked | { readonly why: string, readonly parted?: true }> {
    const { clock, params } = this.#d
    const headers: HeaderMeta[] = []
    let fork: HeaderMeta | undefined
    let whole = true
    let cut = false
    let moved = false
    let packed = 0
    let asked = this.#ask(id, w.locator, HEADERS_FIRST, w)
    for (;;) {
      const last: HeaderMeta | undefined = headers.at(-1)
      const before = w.ended(last)
      if (before !== undefined) return { why: before }
      // Whoever is busy is asked again and again, and no longer than there is time.
      const answer = await within(clock, w.leftMs(), asked.answer)
      const after = w.ended(last)
      if (after !== undefined) return { why: after }
      if (w.leftMs() === 0) return { why: 'its headers come too slowly' }
      if (answer === undefined && asked.count > HEADERS_FIRST) {
        asked = this.#ask(id, last === undefined ? w.locator : [last.hash, ...w.locator], HEADERS_FIRST, w)
        continue
      }
      // Where it does not answer, what it has shown is not the end of its chain.
      if (answer === undefined) [whole, cut] = [false, true]
      if (answer === undefined || answer.length === 0) break
      const d = decode(HeadersResponse, answer, MAX_HEADERS_RESPONSE_BYTES)
      if (!d.ok) return this.#lied(id, d.error.reason, d.error.detail)
      const batch = d.value.headers
      if (batch.length > asked.count) return this.#lied(id, 'malformed', `${batch.length} headers, ${asked.count} were asked for`)
      if (batch.length === 0) break
      const { parent } = batch[0].template
      if (last === undefined || !equalBytes(parent, last.hash)) {
        // Its tip may have been replaced between two answers: it begins anew, once, from what both have in common.
        if (moved) return { why: 'it left the chain that it was showing, again' }
        moved = last !== undefined
        headers.length = packed = 0
        fork = w.known(parent)
        if (fork === undefined) return w.locator.some((hash) => equalBytes(hash, parent)) ? { why: w.unknown(), parted: true } : this.#lied(id, 'header-parent', 'its headers stand on no block that was asked about')
      }
      // The next ones come while these are checked. A slow line gets few at a time; one that answers at once twice as many.
      const more = batch.length < asked.count || headers.length + batch.length >= w.most ? undefined
        : this.#ask(id, [claimId(batch[batch.length - 1]), ...w.locator], clock.now() - asked.at < HEADERS_QUICK_MS ? Math.min(MAX_HEADERS_PER_REQUEST, 2 * asked.count) : asked.count, w)
      const wrong = appendHeaders(params, headers, fork!, batch, clock.now())
      if (wrong?.verdict === 'invalid') return this.#lied(id, wrong.reason, wrong.detail)
      packed = packOld(headers, packed, this.#keep)
      w.shown?.(batch.length)
      whole = headers.length < w.most
      if (wrong !== undefined || more === undefined) break
      asked = more
    }
    return headers.length === 0 ? { why: 'it has no headers for us' } : { fork: fork!, headers, whole, cut }
  }

  #ask (id: PeerId, locator: readonly Uint8Array[], count: number, w: Walk): Asked {
    const { clock, network } = this.#d
    const request = HeadersRequest.serialize({ locator: [...locator], count })
    const answer = askPatiently(network, clock, id, HEADERS_PROTOCOL, request, Math.min(HEADERS_TIMEOUT_MS, w.leftMs()), MAX_HEADERS_RESPONSE_BYTES)
    // Nobody may come to wait for it.
    answer.catch(() => {})
    return { answer, at: clock.now(), count }
  }

  #lied (peer: PeerId, reason: string, detail: string): { readonly why: string } {
    this.#d.blame.refuse({ what: 'headers', reason, detail, peer, fatal: true })
    return { why: `${reason}: ${detail}` }
  }
}
