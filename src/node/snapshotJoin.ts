/**
 * Joining by snapshot: peers are asked which ledger snapshots they serve; one of a block of the
 * chain of headers that is being followed is fetched as a torrent and checked against that header. What
 * is wrong is refused by name, with those who offered it: the hash of a torrent names its bytes, and the
 * hash of a block its ledger, so nobody can have been mistaken about either. Where none is to be had the
 * blocks are applied one by one.
 */
import { equalBytes, toHex } from '../core/codec/ssz.ts'
import { type SnapshotOffer, SnapshotRequest, SnapshotResponse } from '../core/codec/wire.ts'
import type { BlockMeta, HeaderMeta } from '../core/consensus/chain.ts'
import { claimId } from '../core/crypto/ids.ts'
import type { LedgerState } from '../core/ledger/state.ts'
import type { ChainParams } from '../core/params.ts'
import type { Clock, Random } from '../ports/clock.ts'
import type { Network, PeerId } from '../ports/network.ts'
import type { Signatures } from '../ports/signatures.ts'
import { askEach, sleep } from './askPeers.ts'
import { MAX_SNAPSHOT_FILE_BYTES, metaOnHeaders, readSnapshotFile, type SnapshotRead } from './ledgerSnapshot.ts'
import { SNAPSHOT_FIRST, SNAPSHOT_PROTOCOL, SNAPSHOT_RESPONSE_BYTES, snapshotName } from './ledgerTorrents.ts'
import type { Library } from './library.ts'
import type { Obtained } from './libraryEntry.ts'
import type { Blame, Log } from './parts.ts'
import { type Joined, ledgerLookBack } from './persist.ts'
import { treeDepths } from './tree.ts'

const OFFERS_TIMEOUT_MS = 4_000
/** Peers asked, and snapshots tried, in one join. */
const PEERS_ASKED = 8
const SNAPSHOTS_TRIED = 4
/** Old headers whose signatures are checked: a miner's name on old work pays nobody any more, so a sample will do. */
export const SIGNATURES_SAMPLED = 512
/** A snapshot that does not grow for so long is given up. */
const STALL_MS = 10_000

/** The block to go on from. */
export interface Start { readonly base: BlockMeta, readonly offer: SnapshotOffer, readonly joined: Joined }

const isPossible = (offer: SnapshotOffer): boolean => offer.bytes > 0 && offer.bytes <= MAX_SNAPSHOT_FILE_BYTES
const offerName = (o: SnapshotOffer): string => `${toHex(o.infoHash)}/${toHex(o.block)}/${o.bytes}`

interface Candidate { readonly offer: SnapshotOffer, readonly header: HeaderMeta, readonly peers: PeerId[] }

export interface SnapshotJoinDeps {
  readonly params: ChainParams
  readonly chainId: Uint8Array
  /** The ledger of block 0. */
  readonly empty: LedgerState
  readonly network: Pick<Network, 'request'>
  readonly library: Pick<Library, 'obtain'>
  readonly signatures: Signatures
  readonly random: Random
  readonly clock: Pick<Clock, 'now' | 'after'>
  readonly blame: Pick<Blame, 'refuse'>
  readonly log: Log
}

export class SnapshotJoin {
  readonly #d: SnapshotJoinDeps

  /** What most peers offer, fetched while the headers still come. */
  #early: { readonly name: string, readonly infoHash: string, readonly got: Promise<Obtained> } | undefined

  /** What peers have said they serve, in this join: a line that breaks when they are asked again takes nothing of it back. */
  readonly #said = new Map<PeerId, readonly SnapshotOffer[]>()

  /** Joins so far that are over: what one of them has asked for is nobody's when it comes later. */
  #over = 0

  /** Peers of whose offer too little came, in time: nobody is banned for it, but others are asked first. */
  readonly #letDown = new Set<PeerId>()

  constructor (d: SnapshotJoinDeps) { this.#d = d }

  /** What most peers offer first, of those who have not let this node down, then the newest. */
  #inOrder<C extends { readonly offer: SnapshotOffer, readonly peers: readonly PeerId[] }> (all: Iterable<C>): C[] {
    const good = (c: C): number => c.peers.filter(p => !this.#letDown.has(p)).length
    return [...all].sort((a, b) => good(b) - good(a) || b.offer.height - a.offer.height)
  }

  /** Newer ones have too few blocks above them to be redone, older ones too many to be held until they are. */
  #isInReach (height: number, tip: number): boolean { return height <= tip - this.#d.params.joinReplayBlocks && height >= tip - 2 * this.#d.params.historyBlocks }

  /** Begins to fetch what most of these peers offer below the head they claim: headers say later whether it is of their chain. */
  ahead (peers: readonly PeerId[], claimedHeight: number, leftMs: () => number): void {
    if (this.#early !== undefined) return
    this.#fetchEarly(peers, claimedHeight, leftMs).catch((e: unknown) => { this.#d.log.error('sync', e instanceof Error ? e.message : String(e)) })
  }

  async #fetchEarly (peers: readonly PeerId[], claimedHeight: number, leftMs: () => number): Promise<void> {
    const over = this.#over
    const counts = new Map<string, { readonly offer: SnapshotOffer, readonly peers: PeerId[] }>()
    for (const [peer, offers] of await this.#offers(peers)) {
      for (const offer of offers) {
        if (!this.#isInReach(offer.height, claimedHeight) || !isPossible(offer)) continue
        const name = offerName(offer)
        const known = counts.get(name)
        if (known === undefined) counts.set(name, { offer, peers: [peer] })
        else known.peers.push(peer)
      }
    }
    const [best] = this.#inOrder(counts.values())
    if (best === undefined || this.#early !== undefined || this.#over !== over) return
    this.#early = { name: offerName(best.offer), infoHash: toHex(best.offer.infoHash), got: this.#obtain(best.offer, best.peers, leftMs) }
  }

  /** A third of the time there is, however it comes: what follows has to come in time as well. */
  async #obtain (offer: SnapshotOffer, peers: readonly PeerId[], leftMs: () => number): Promise<Obtained> {
    const begunAt = this.#d.clock.now()
    const ownMs = (): number => leftMs() / 2 - (this.#d.clock.now() - begunAt)
    const got = await this.#d.library.obtain(toHex(offer.infoHash), { name: snapshotName(offer.height, offer.block), bytes: offer.bytes, peers, stallMs: STALL_MS, leftMs: ownMs })
    if (!got.ok && got.reason === 'withheld') for (const peer of peers) this.#letDown.add(peer)
    return got
  }

  /** Blocks behind from which on it is worth it. */
  get leastBlocks (): number { return SNAPSHOT_FIRST }

  /** Undefined: nobody serves one that is right. `headers` follow one another; `planPeer` has shown them. */
  async find (headers: readonly HeaderMeta[], planPeer: PeerId, peers: readonly PeerId[], leftMs: () => number): Promise<Start | undefined> {
    const start = await this.#find(headers, planPeer, peers, leftMs)
    this.forget(start === undefined ? undefined : toHex(start.offer.infoHash))
    return start
  }

  /** What was fetched ahead is not wanted, unless it is this one. */
  forget (but?: string): void {
    const early = this.#early
    this.#early = undefined
    this.#said.clear()
    this.#over++
    if (early === undefined || early.infoHash === but) return
    early.got.then(async got => { if (got.ok) await got.drop() }).catch((e: unknown) => { this.#d.log.error('sync', e instanceof Error ? e.message : String(e)) })
  }

  async #find (headers: readonly HeaderMeta[], planPeer: PeerId, peers: readonly PeerId[], leftMs: () => number): Promise<Start | undefined> {
    const { log, params } = this.#d
    const tried = (await this.#candidates(headers, peers)).slice(0, SNAPSHOTS_TRIED)
    if (tried.length === 0) return undefined
    const signatures = await this.#sample(headers, planPeer)
    if (signatures === undefined) return undefined
    const enoughMs = leftMs() / 2
    for (const c of tried) {
      // No other is begun: the blocks have to come in time as well.
      if (leftMs() < enoughMs) return undefined
      const { offer, header } = c
      const early = this.#early?.infoHash === toHex(offer.infoHash) ? this.#early : undefined
      // Of one torrent others may have said something else: that is theirs, and over before it is tried again.
      const ahead = await early?.got
      const got = ahead !== undefined && early?.name === offerName(offer) ? ahead : await this.#obtain(offer, c.peers, leftMs)
      if (!got.ok) {
        // Its size is what they said themselves; that it does not come may be anybody's fault, or this tab's own affair.
        if (got.reason === 'size') this.#refuse(c, 'snapshot-size', got.detail)
        else log.info('sync', `ledger of block ${offer.height} not to be had (${got.reason}): ${got.detail}`)
        continue
      }
      const read = await this.#read(got.bytes, header)
      if (!read.ok) {
        this.#refuse(c, read.reason, read.detail)
        await got.drop()
        continue
      }
      const base = metaOnHeaders(header, read.ledgers, treeDepths(params).metas, this.#d.empty)
      log.info('sync', `the ledger of block ${offer.height} fits its header: ${read.ledgers[0].accounts.size} accounts, ${offer.bytes} bytes from ${c.peers.length} peers`)
      return { base, offer, joined: { headers: headers.length, signatures, height: offer.height, bytes: offer.bytes } }
    }
    return undefined
  }

  /** In turns, so that slices are sent to the kernels meanwhile. */
  async #read (bytes: Uint8Array, header: HeaderMeta): Promise<SnapshotRead> {
    const { clock, empty, params } = this.#d
    const steps = readSnapshotFile(bytes, header, ledgerLookBack(params), empty)
    for (;;) {
      const step = steps.next()
      if (step.done === true) return step.value
      await sleep(clock, 0)
    }
  }

  async #candidates (headers: readonly HeaderMeta[], peers: readonly PeerId[]): Promise<Candidate[]> {
    const first = headers[0].height
    const tip = headers[headers.length - 1].height
    const found = new Map<string, Candidate>()
    for (const [peer, offers] of await this.#offers(peers)) {
      for (const offer of offers) {
        const header = headers[offer.height - first]
        // Of another fork, or of none: this is no chain to blame it by.
        if (header === undefined || !equalBytes(header.hash, offer.block)) {
          this.#d.log.info('sync', `${peer} serves the ledger of a block ${offer.height} that is not on the chain it is followed on`)
          continue
        }
        if (!this.#isInReach(offer.height, tip) || offer.height < first + SNAPSHOT_FIRST / 2) continue
        if (!isPossible(offer)) {
          this.#d.blame.refuse({ what: 'snapshot', reason: 'snapshot-size', detail: `${offer.bytes} bytes, at most ${MAX_SNAPSHOT_FILE_BYTES}`, peer, fatal: true })
          continue
        }
        const name = offerName(offer)
        const known = found.get(name)
        if (known === undefined) found.set(name, { offer, header, peers: [peer] })
        else if (!known.peers.includes(peer)) known.peers.push(peer)
      }
    }
    return this.#inOrder(found.values())
  }

  /** What each of some peers serves. */
  async #offers (peers: readonly PeerId[]): Promise<Array<readonly [PeerId, readonly SnapshotOffer[]]>> {
    const said = await askEach(this.#d.network, this.#d.blame, peers.slice(0, PEERS_ASKED), {
      what: 'snapshot', protocol: SNAPSHOT_PROTOCOL, body: SnapshotRequest.serialize({ chain: this.#d.chainId }), timeoutMs: OFFERS_TIMEOUT_MS, answer: SnapshotResponse, maxBytes: SNAPSHOT_RESPONSE_BYTES
    })
    for (const [peer, { offers }] of said) this.#said.set(peer, offers)
    return peers.flatMap(peer => { const offers = this.#said.get(peer); return offers === undefined ? [] : [[peer, offers] as const] })
  }

  /** How many signatures of headers hold; undefined if one does not. The newest blocks are checked whole later. */
  async #sample (headers: readonly HeaderMeta[], planPeer: PeerId): Promise<number | undefined> {
    const chosen = new Set<HeaderMeta>()
    const draws = this.#d.random.bytes(4 * SIGNATURES_SAMPLED)
    const view = new DataView(draws.buffer, draws.byteOffset, draws.byteLength)
    for (let i = 0; i < SIGNATURES_SAMPLED; i++) chosen.add(headers[view.getUint32(4 * i, true) % headers.length])
    const sample = [...chosen]
    const right = await this.#d.signatures.verify(sample.map(({ header }) => ({ key: header.template.miner, message: claimId(header), signature: header.signature })))
    const bad = right.indexOf(false)
    if (bad < 0) return sample.length
    this.#d.blame.refuse({ what: 'headers', reason: 'header-signature', detail: `header ${sample[bad].height} is not signed by its miner`, peer: planPeer, fatal: true })
    return undefined
  }

  #refuse (c: Candidate, reason: string, detail: string): void {
    for (const peer of c.peers) this.#d.blame.refuse({ what: `snapshot of block ${c.offer.height}`, reason, detail, peer, fatal: true })
  }
}
