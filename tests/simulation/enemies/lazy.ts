/**
 * Verifies nothing: what a claim says came out is taken for what a replay would give, so it vouches,
 * votes and accepts at once and for free. Alone it saves its own time; beside liars it carries them.
 */
import { toHex } from '../../../src/core/codec/ssz.ts'
import { type Claim, HeadersResponse, WORK_CLAIM } from '../../../src/core/codec/wire.ts'
import { noiseKey } from '../../../src/core/training/sampling.ts'
import { HEADERS_PROTOCOL } from '../../../src/node/syncServer.ts'
import type { NodeDeps } from '../../../src/node/node.ts'
import { Deeds, type Squad } from './squad.ts'
import { headerOf, isBlocks, isWork, tappedCompute, TappedNetwork, type Taps, workMessage } from './tap.ts'

/** Claims remembered. */
const CLAIMS_KEPT = 4096

/** Believes claims instead of redoing them. */
export class Believer {
  readonly #claims = new Map<string, Claim>()
  readonly #deeds: Deeds
  /** Which claims are believed unseen; the others are redone. */
  readonly #believes: (claim: Claim) => boolean

  constructor (deeds: Deeds, believes: (claim: Claim) => boolean = () => true) {
    this.#deeds = deeds
    this.#believes = believes
  }

  readonly taps: Pick<Taps, 'heard' | 'request'> = {
    heard: async (m, pass) => {
      const claim = isBlocks(m.topic) ? headerOf(m.bytes) : isWork(m.topic) ? claimOf(m.bytes) : undefined
      if (claim !== undefined) this.note(claim)
      return await pass(m)
    },
    request: async (_, protocol, body, pass) => {
      const answer = await pass(body)
      if (protocol === HEADERS_PROTOCOL && answer.length > 0) for (const claim of HeadersResponse.deserialize(answer).headers) this.note(claim)
      return answer
    }
  }

  note (claim: Claim): void {
    this.#claims.set(toHex(noiseKey(claim.template, claim.slice)), claim)
    if (this.#claims.size > CLAIMS_KEPT) this.#claims.delete(this.#claims.keys().next().value as string)
  }

  compute (inner: NodeDeps['compute']): NodeDeps['compute'] {
    return tappedCompute(inner, async (task, priority) => {
      const claim = priority === 'slice' ? undefined : this.#claims.get(toHex(task.noiseKey))
      if (claim === undefined || !this.#believes(claim)) return await inner.runSlice(task, priority)
      this.#deeds.add('replays left out')
      return { stateHash: claim.resultHash, payloadDigest: claim.payloadDigest, state: task.state, payload: new Uint8Array(0), macs: 0, elapsedMs: 0 }
    })
  }
}

const claimOf = (bytes: Uint8Array): Claim | undefined => {
  const m = workMessage(bytes)
  return m?.selector === WORK_CLAIM ? m.value as Claim : undefined
}

export function lazy (): Squad {
  const deeds = new Deeds()
  return {
    name: 'lazy verification',
    deeds,
    vouchesUnseen: true,
    recruit: () => ({
      name: 'lazy verification',
      ports: deps => {
        const believer = new Believer(deeds)
        return { ...deps, compute: believer.compute(deps.compute), network: new TappedNetwork(deps.network, believer.taps) }
      }
    })
  }
}
