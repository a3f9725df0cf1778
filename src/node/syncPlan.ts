/** What catching up knows of a peer, of the chain that it shows, and of how following it went. */
import type { PartedView } from '../bridge/api.ts'
import type { Status } from '../core/codec/wire.ts'
import { chainId, type HeaderMeta } from '../core/consensus/chain.ts'
import type { ChainParams } from '../core/params.ts'
import type { Chain } from './chain.ts'
import type { ChainStore } from './persist.ts'
import { MAX_LOCATOR } from './syncServer.ts'

export interface Peer {
  status?: Status
  /** This node has dialled it. */
  readonly own: boolean
  askedAt: number
  /** When it last said its status, asked or asking. */
  heardAt: number
  failures: number
  shunnedUntil: number
  /** Of another network: never to be followed. */
  foreign: boolean
  /** Its chain was last seen to leave ours below all that is kept of it: never to be followed either. */
  parted?: boolean
  /** End of the last plan, where it did not lead yet: the next one goes on from there. */
  reached?: Uint8Array
}

/**
 * Peers that claim more work on a chain that left ours too long ago to be followed, of all that are heard; undefined where
 * they are not most of them. Such a claim costs nothing, nor does a link to us: only peers that we have dialled count.
 */
export function partedOf (peers: readonly Peer[], chain: Pick<Chain, 'head' | 'baseHeight'>): PartedView | undefined {
  const heard = peers.filter((p) => p.own && p.status !== undefined && !p.foreign)
  const parted = heard.filter((p) => p.parted === true && p.status!.work > chain.head().work).length
  return 2 * parted > heard.length ? { peers: parted, of: heard.length, below: chain.baseHeight() } : undefined
}

/** Headers of a chain better than ours, from its fork off ours; the fork block itself is known. */
export interface Plan {
  readonly fork: HeaderMeta
  readonly headers: readonly HeaderMeta[]
  /** The headers reach the end of the peer's chain. */
  readonly whole: boolean
  /** They do not, because it stopped answering. */
  readonly cut: boolean
}

/**
 * `leads`: false where it is all here and another chain is gone by all the same. `wrong`: a block of the chain breaks a
 * rule; otherwise something could not be had. `resting`: and it is not this peer's fault. `cut`: the peer fell silent.
 */
export type Followed = { readonly ok: true, readonly leads?: boolean, readonly cut?: undefined } | { readonly ok: false, readonly wrong: boolean, readonly why: string, readonly resting?: true, readonly cut?: true }
export const givenUp = (why: string): Followed & { readonly ok: false } => ({ ok: false, wrong: false, why })

/** Highest block whose work is not redone: above it are enough of them, and no less work than following them undoes here (`owed`). 0: there is none. */
export function trustedUpTo (params: Pick<ChainParams, 'joinReplayBlocks'>, owed: bigint, headers: readonly HeaderMeta[]): number {
  const { work } = headers[headers.length - 1]
  let i = headers.length - 1 - params.joinReplayBlocks
  while (i >= 0 && work - headers[i].work < owed) i--
  return i < 0 ? 0 : headers[i].height
}

/** Hashes for those blocks, at most. */
const NEAR_MOST = 24
/** Blocks between two hashes of a locator where another chain may leave ours. */
const NEAR_GAP = 10

/**
 * Where the last plan ended, and our main chain, newest first: the newest eight, every tenth down to where others can
 * still be followed, and from there on with growing gaps, to genesis. There is room for one more before it: the last header that was shown.
 */
export async function locatorOf (chain: Pick<Chain, 'head' | 'headerAt' | 'forkHeights'>, store: Pick<ChainStore, 'settledHash'>, reached: Uint8Array | undefined): Promise<Uint8Array[]> {
  const { height: head } = chain.head()
  const near = new Set<number>()
  for (let h = head; h > head - 8; h--) near.add(h)
  const ranges = chain.forkHeights()
  for (const [newest, base] of ranges) {
    // As many as there is room for, whatever is kept.
    const gap = Math.max(NEAR_GAP, Math.ceil((newest - base) / (NEAR_MOST / ranges.length)))
    for (let h = newest; h > base; h -= gap) near.add(h)
    near.add(base)
  }
  for (let h = head, gap = 8; h > 0; h -= gap, gap *= 2) near.add(h)
  const hashes: Uint8Array[] = []
  for (const h of [...near].filter((x) => x > 0).sort((a, b) => b - a)) {
    const hash = chain.headerAt(h)?.hash ?? await store.settledHash(h)
    if (hash !== undefined && hashes.length < MAX_LOCATOR - 3) hashes.push(hash)
  }
  return [...reached === undefined ? [] : [reached], ...hashes, chainId(chain.head())]
}
