/** The chain as the attacker holds it: copied from peers without looking, or made by himself. */
import { decode, toHex } from '../../../src/core/codec/ssz.ts'
import { BodiesRequest, BodiesResponse, type Block, Body, type Claim, HeadersRequest, HeadersResponse, StateRequest } from '../../../src/core/codec/wire.ts'
import { applyBlock, blockSignatureItems } from '../../../src/core/consensus/apply.ts'
import { type BlockMeta, compareChains, genesis } from '../../../src/core/consensus/chain.ts'
import type { JobRecord } from '../../../src/core/ledger/state.ts'
import { claimId } from '../../../src/core/crypto/ids.ts'
import { type ChainParams, MAX_BODIES_PER_REQUEST, MAX_BODY_BYTES, MAX_HEADERS_PER_REQUEST } from '../../../src/core/params.ts'
import type { ModelState } from '../../../src/core/training/modelState.ts'
import { decodeState, stateSize } from '../../../src/core/training/stateHash.ts'
import { BODIES_PROTOCOL, HEADERS_PROTOCOL, MAX_LOCATOR } from '../../../src/node/syncServer.ts'
import { STATE_PROTOCOL } from '../../../src/node/stateChunks.ts'
import type { Peer } from './peer.ts'

const ANSWER_BYTES = 1 << 22

function parsed<T> (d: { readonly ok: true, readonly value: T } | { readonly ok: false, readonly error: { readonly detail: string } }): T {
  if (!d.ok) throw new Error(`an honest answer does not parse: ${d.error.detail}`)
  return d.value
}

export interface Held { readonly meta: BlockMeta, readonly block: Block }

export class Follower {
  readonly params: ChainParams
  tip: BlockMeta
  readonly #held = new Map<string, Held>()

  constructor (params: ChainParams) {
    this.params = params
    this.tip = genesis(params)
  }

  held (hash: Uint8Array): Held | undefined { return this.#held.get(toHex(hash)) }

  /** From height 1 to the tip. */
  main (): Held[] {
    const out: Held[] = []
    for (let h = this.held(this.tip.hash); h !== undefined; h = this.held(h.meta.header.template.parent)) out.unshift(h)
    return out
  }

  /** Takes a block without any slow fact. */
  add (block: Block): BlockMeta {
    const parent = this.held(block.header.template.parent)?.meta ?? genesis(this.params)
    const verdict = applyBlock(this.params, parent, block, {
      nowMs: block.header.template.time,
      signatures: blockSignatureItems(this.params, parent, block).map(() => true),
      replay: { kind: 'skipped' },
      seals: block.body.seals.map(() => ({ kind: 'skipped' })),
      wrongContributions: new Set()
    })
    if (!verdict.ok) throw new Error(`a block to follow is refused: ${verdict.refusal.reason}, ${verdict.refusal.detail}`)
    this.#held.set(toHex(verdict.meta.hash), { meta: verdict.meta, block })
    if (compareChains(verdict.meta, this.tip) > 0) this.tip = verdict.meta
    return verdict.meta
  }

  /** The peer's chain, up to its head. */
  async follow (peer: Peer, from: string): Promise<void> {
    for (;;) {
      const locator = [...this.main().map(h => h.meta.hash).reverse().slice(0, MAX_LOCATOR - 1), genesis(this.params).hash]
      const answer = await peer.ask(from, HEADERS_PROTOCOL, HeadersRequest.serialize({ locator, count: MAX_HEADERS_PER_REQUEST }))
      if (answer.length === 0) return
      const { headers } = parsed(decode(HeadersResponse, answer, ANSWER_BYTES))
      for (let i = 0; i < headers.length; i += MAX_BODIES_PER_REQUEST) await this.#bodies(peer, from, headers.slice(i, i + MAX_BODIES_PER_REQUEST))
    }
  }

  async #bodies (peer: Peer, from: string, headers: readonly Claim[]): Promise<void> {
    const answer = await peer.ask(from, BODIES_PROTOCOL, BodiesRequest.serialize({ hashes: headers.map(claimId) }))
    const { bodies } = parsed(decode(BodiesResponse, answer, ANSWER_BYTES))
    for (const [i, header] of headers.entries()) this.add({ header, body: parsed(decode(Body, bodies[i], MAX_BODY_BYTES)) })
  }

  async state (peer: Peer, from: string, job: JobRecord): Promise<ModelState> {
    const bytes = new Uint8Array(stateSize(job.spec))
    for (let offset = 0; offset < bytes.length;) {
      const part = await peer.ask(from, STATE_PROTOCOL, StateRequest.serialize({ job: job.id, stateHash: job.stateHash, offset }))
      if (part.length === 0) throw new Error(`no state of round ${job.round}`)
      bytes.set(part, offset)
      offset += part.length
    }
    return parsed(decodeState(job.spec, bytes))
  }
}
