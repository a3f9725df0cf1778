/**
 * Ledger snapshots as torrents. Every node makes the same file of the same block, with the same name and
 * pieces, so all that hold one are seeders of one torrent. A new one is made every few blocks, of a
 * block so deep that no fork is expected to undo it; the last two are kept and offered.
 */
import { ContainerType, ListCompositeType } from '@chainsafe/ssz'
import { Bytes20, Bytes32, decode, equalBytes, fromHex, toHex, U32 } from '../core/codec/ssz.ts'
import { MAX_SNAPSHOT_OFFERS, SnapshotOffer, SnapshotRequest, SnapshotResponse } from '../core/codec/wire.ts'
import type { BlockMeta } from '../core/consensus/chain.ts'
import type { ChainParams } from '../core/params.ts'
import { type Network, RequestError } from '../ports/network.ts'
import { type Storage, StorageError } from '../ports/storage.ts'
import type { Chain } from './chain.ts'
import { ledgerLookBack } from './persist.ts'
import { encodeSnapshotFile } from './ledgerSnapshot.ts'
import type { Library } from './library.ts'
import { eachTime, type Once } from './once.ts'
import type { Log } from './parts.ts'

export const SNAPSHOT_PROTOCOL = '/cw/1/snapshot'
export const SNAPSHOT_REQUEST_BYTES = 32
/** Two offers and the offset before them. */
export const SNAPSHOT_RESPONSE_BYTES = 4 + MAX_SNAPSHOT_OFFERS * 60
const REQUESTS_PER_SECOND = 2
/** Blocks between two snapshots, and of a chain without any: it is applied whole in less time. */
export const SNAPSHOT_EVERY = 32
export const SNAPSHOT_FIRST = 192

/** Blocks above a snapshot: twice as many as a joiner redoes. */
export const snapshotDepth = (p: Pick<ChainParams, 'joinReplayBlocks'>): number => 2 * p.joinReplayBlocks

const KeptRecord = new ListCompositeType(new ContainerType({ height: U32, block: Bytes32, infoHash: Bytes20, bytes: U32 }), MAX_SNAPSHOT_OFFERS)
const KEPT_KEY = 'chain/snapshots'

export const snapshotName = (height: number, block: Uint8Array): string => `ledger-${height}-${toHex(block).slice(0, 16)}.cwl`

export interface LedgerTorrentsDeps {
  readonly params: ChainParams
  readonly chainId: Uint8Array
  readonly chain: Pick<Chain, 'head' | 'metaAt' | 'on'>
  readonly library: Pick<Library, 'share' | 'discard' | 'holds'>
  readonly network: Pick<Network, 'handle'>
  readonly storage: Pick<Storage, 'get' | 'commit'>
  readonly log: Log
  /** Nothing is made of a chain that is only being taken over. */
  readonly synced: () => boolean
  readonly once?: Once
}

export class LedgerTorrents {
  readonly #d: LedgerTorrentsDeps
  /** Newest first. */
  #kept: readonly SnapshotOffer[] = []
  #making = false
  /** There was no room for the ledger of this block. */
  #roomless: BlockMeta | undefined
  #stopped = false
  #offs: Array<() => void> = []

  constructor (d: LedgerTorrentsDeps) { this.#d = d }

  async start (): Promise<void> {
    const bytes = await this.#d.storage.get('meta', KEPT_KEY)
    const kept = bytes === undefined ? undefined : decode(KeptRecord, bytes, SNAPSHOT_RESPONSE_BYTES)
    this.#kept = kept?.ok === true ? kept.value.filter(k => this.#d.library.holds(toHex(k.infoHash))) : []
    this.#offs = [
      await this.#d.network.handle(SNAPSHOT_PROTOCOL,
        { maxRequestBytes: SNAPSHOT_REQUEST_BYTES, maxResponseBytes: SNAPSHOT_RESPONSE_BYTES, perPeerPerSecond: REQUESTS_PER_SECOND },
        async (_, body) => this.#serve(body)),
      this.#d.chain.on('head', () => { this.#makeSoon() })
    ]
    this.#makeSoon()
  }

  stop (): void {
    this.#stopped = true
    for (const off of this.#offs) off()
  }

  /** What others are offered, newest first. */
  offers (): readonly SnapshotOffer[] { return this.#kept.filter(k => this.#d.library.holds(toHex(k.infoHash)) && this.#isMain(k)) }

  /** One that came from others and was found right: it is served on like an own one. */
  async keep (offer: SnapshotOffer): Promise<void> {
    const all = [offer, ...this.#kept.filter(k => !equalBytes(k.infoHash, offer.infoHash))].sort((a, b) => b.height - a.height)
    this.#kept = all.slice(0, MAX_SNAPSHOT_OFFERS)
    await this.#save()
    for (const old of all.slice(MAX_SNAPSHOT_OFFERS)) await this.#d.library.discard(toHex(old.infoHash))
  }

  #isMain (k: SnapshotOffer): boolean {
    const meta = this.#d.chain.metaAt(k.height)
    return meta !== undefined && equalBytes(meta.hash, k.block)
  }

  #serve (body: Uint8Array): Uint8Array {
    const request = decode(SnapshotRequest, body, SNAPSHOT_REQUEST_BYTES)
    if (!request.ok || !equalBytes(request.value.chain, this.#d.chainId)) throw new RequestError('refused', 'of another network')
    const offers = this.offers()
    return offers.length === 0 ? new Uint8Array(0) : SnapshotResponse.serialize({ offers: [...offers] })
  }

  #makeSoon (): void {
    if (this.#making || this.#stopped) return
    this.#making = true
    this.#make()
      .catch((e: unknown) => { this.#d.log.error('snapshot', e instanceof Error ? e.message : String(e)) })
      .finally(() => { this.#making = false })
  }

  async #make (): Promise<void> {
    const { chain, library, log, params } = this.#d
    const height = Math.floor((chain.head().height - snapshotDepth(params)) / SNAPSHOT_EVERY) * SNAPSHOT_EVERY
    const meta = chain.metaAt(height)
    if (height < SNAPSHOT_FIRST || meta === undefined || meta === this.#roomless || !this.#d.synced() || this.#kept.some(k => equalBytes(k.block, meta.hash))) return
    const lookBack = ledgerLookBack(params)
    const bytes = (this.#d.once ?? eachTime)('snapshot file', [meta, lookBack], () => encodeSnapshotFile(meta, lookBack))
    if (bytes === undefined) return
    const name = snapshotName(height, meta.hash)
    const shared = await library.share([new File([bytes as BlobPart], name)], { name, kind: 'snapshot', licence: '', about: `every account and job after block ${height}`, parents: [] }, { evictable: true, quiet: true })
    if (!shared.ok) {
      // It is megabytes to write down: not again at every block.
      this.#roomless = meta
      log.warn('snapshot', `the ledger after block ${height} is not shared: ${shared.errors.map(e => e.message).join('; ')}`)
      return
    }
    await this.keep({ height, block: meta.hash, infoHash: fromHex(shared.value.infoHash, 20)!, bytes: bytes.length })
    log.info('snapshot', `the ledger after block ${height} is shared: ${bytes.length} bytes`)
  }

  async #save (): Promise<void> {
    try {
      await this.#d.storage.commit([{ op: 'put', store: 'meta', key: KEPT_KEY, value: KeptRecord.serialize([...this.#kept]) }])
    } catch (e) {
      if (!(e instanceof StorageError)) throw e
      this.#d.log.warn('snapshot', `what is shared is not noted down: ${e.message}`)
    }
  }
}
