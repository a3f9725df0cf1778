/**
 * A chain from long ago, shown later: forged from the first block on by hashing alone, heavier than
 * the true one, with all the bodies, to whoever asks. Rules, ledger and signatures hold; no work does.
 */
import { toHex } from '../../../src/core/codec/ssz.ts'
import { BodiesRequest, BodiesResponse, Body, HeadersRequest, HeadersResponse, Status } from '../../../src/core/codec/wire.ts'
import type { BlockMeta } from '../../../src/core/consensus/chain.ts'
import { hash } from '../../../src/core/crypto/hash.ts'
import { PROTOCOL_VERSION } from '../../../src/core/params.ts'
import { BODIES_PROTOCOL, HEADERS_PROTOCOL, STATUS_PROTOCOL } from '../../../src/node/syncServer.ts'
import type { Tab } from '../tab.ts'
import { START_MS } from '../world.ts'
import { forgeBlock } from './forge.ts'
import { Deeds, type Squad } from './squad.ts'
import { TappedNetwork } from './tap.ts'

interface Forged { readonly meta: BlockMeta, readonly body: Uint8Array }

export interface LongRangeOptions {
  /** Blocks of the forged chain. */
  readonly blocks: number
  /** Between two of them, by their own times, ms: the closer, the heavier. */
  readonly everyMs: number
  /** Shown from then on, ms after its page was loaded. */
  readonly afterMs: number
}

export interface LongRange extends Squad {
  readonly forged: ReadonlySet<string>
}

export function longRange ({ blocks, everyMs, afterMs }: LongRangeOptions = { blocks: 40, everyMs: 3_000, afterMs: 130_000 }): LongRange {
  const deeds = new Deeds()
  const forged = new Set<string>()
  const forge = (tab: Tab): Forged[] => {
    const { params, genesis } = tab.world
    const chain: Forged[] = []
    for (let i = 1, parent = genesis; i <= blocks; i++) {
      const { block, meta } = forgeBlock(params, parent, hash('enemy-long-range', tab.minerSeed, Uint8Array.of(i & 255, i >> 8)), START_MS + i * everyMs)
      chain.push({ meta, body: Body.serialize(block.body) })
      forged.add(toHex(meta.hash))
      parent = meta
    }
    deeds.add('blocks forged', blocks)
    return chain
  }
  return {
    name: 'long-range fork',
    deeds,
    forged,
    recruit: () => {
      let chain: Forged[] = []
      const byHash = new Map<string, Forged>()
      const height = (hash: Uint8Array): number | undefined => byHash.get(toHex(hash))?.meta.height
      const status = (chainId: Uint8Array): Uint8Array => {
        const { meta } = chain[chain.length - 1]
        return Status.serialize({ chain: chainId, version: PROTOCOL_VERSION, head: meta.hash, height: meta.height, work: meta.work, historyFrom: 0 })
      }
      return {
        name: 'long-range fork',
        ports: (deps, tab) => ({
          ...deps,
          network: new TappedNetwork(deps.network, {
            request: async (_, protocol, body, pass) => await pass(protocol === STATUS_PROTOCOL && chain.length > 0 ? status(tab.world.genesis.hash) : body),
            answer: async (peer, protocol, body, pass) => {
              if (chain.length === 0) return await pass(peer, body)
              switch (protocol) {
                case STATUS_PROTOCOL:
                  await pass(peer, body)
                  deeds.add('promises')
                  return status(tab.world.genesis.hash)
                case HEADERS_PROTOCOL: {
                  const { locator, count } = HeadersRequest.deserialize(body)
                  const from = locator.map(height).find(h => h !== undefined) ?? 0
                  const headers = chain.slice(from, from + count).map(f => f.meta.header)
                  deeds.add('forged headers shown', headers.length)
                  return headers.length === 0 ? new Uint8Array(0) : HeadersResponse.serialize({ headers })
                }
                case BODIES_PROTOCOL: {
                  const { hashes } = BodiesRequest.deserialize(body)
                  if (!hashes.some(h => byHash.has(toHex(h)))) return await pass(peer, body)
                  deeds.add('forged bodies shown', hashes.length)
                  return BodiesResponse.serialize({ bodies: hashes.map(h => byHash.get(toHex(h))?.body ?? new Uint8Array(0)) })
                }
                default: return await pass(peer, body)
              }
            }
          })
        }),
        started: tab => {
          tab.session!.clock.after(afterMs, () => {
            chain = forge(tab)
            for (const f of chain) byHash.set(toHex(f.meta.hash), f)
          })
        }
      }
    }
  }
}
