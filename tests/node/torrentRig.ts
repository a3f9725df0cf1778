/** Tabs that share and fetch data sets and model states as torrents, on the twins, in virtual time. */
import type { JobSpec } from '../../src/core/codec/jobSpec.ts'
import { fromHex } from '../../src/core/codec/ssz.ts'
import { type TorrentOffer, TorrentsResponse } from '../../src/core/codec/wire.ts'
import { genesis } from '../../src/core/consensus/chain.ts'
import { packChunk, type Dataset } from '../../src/core/training/dataset.ts'
import { encodeDataFile } from '../../src/core/training/datasetFile.ts'
import { DATA_PROTOCOL, Datasets } from '../../src/node/datasets.ts'
import { RingLog } from '../../src/node/log.ts'
import type { PayloadService } from '../../src/node/parts.ts'
import { STATE_PROTOCOL } from '../../src/node/stateChunks.ts'
import { States, type StatesDeps } from '../../src/node/states.ts'
import { TorrentFetch } from '../../src/node/torrentFetch.ts'
import { OF_DATA, type ShelfKind, torrentName, TORRENTS_PROTOCOL, TorrentShelf } from '../../src/node/torrentShelf.ts'
import type { Network } from '../../src/ports/network.ts'
import { MemoryDisk as MemoryPieces } from '../../src/net/swarm/pieceDisk.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { CHAIN, LibraryWorld, type Tab } from './libraryRig.ts'
import { SeededRandom, TestCompute, workParams } from './workRig.ts'

/** What is left of a tab when its page is gone. */
export interface Disks { readonly storage: MemoryDisk, readonly pieces: MemoryPieces }
export const disks = (): Disks => ({ storage: new MemoryDisk(), pieces: new MemoryPieces(64 * 1024 * 1024) })

export interface Member extends Tab {
  readonly disks: Disks
  readonly shelf: TorrentShelf
  readonly torrents: TorrentFetch
  readonly data: Datasets
  readonly states: States
  readonly log: RingLog
  /** Requests for chunks that it has answered. */
  readonly asked: { data: number, state: number }
  stop (): Promise<void>
}

export interface MemberOptions {
  readonly disks?: Disks
  readonly chain?: StatesDeps['chain']
  readonly payloads?: Partial<PayloadService>
  readonly tamper?: (piece: number, bytes: Uint8Array) => Uint8Array
}

export class TorrentWorld extends LibraryWorld {
  readonly #head: ReturnType<typeof genesis>

  /** The benchmark of this spec is the one job there is. */
  constructor (spec: JobSpec) {
    super()
    this.#head = genesis(workParams, spec)
  }

  get job (): Uint8Array { return this.#head.ledger.jobs[0].id }
  get head (): ReturnType<typeof genesis> { return this.#head }

  async member (name: string, o: MemberOptions = {}): Promise<Member> {
    const d = o.disks ?? disks()
    const tab = await this.tab(name, { pieces: d.pieces, storage: d.storage, tamper: o.tamper })
    const storage = new MemoryStorage(d.storage)
    const random = new SeededRandom(name.length)
    const log = new RingLog(this.clock)
    log.setLevel('debug')
    const blame = { refuse: (r: Parameters<Array<Member['refused'][number]>['push']>[0]) => { tab.refused.push(r) } }
    const asked = { data: 0, state: 0 }
    const counted: Pick<Network, 'handle' | 'request' | 'status'> = {
      status: async () => await tab.network.status(),
      request: async (...args) => await tab.network.request(...args),
      handle: async (protocol, limits, handler) => await tab.network.handle(protocol, limits, async (peer, body) => {
        if (protocol === DATA_PROTOCOL) asked.data++
        if (protocol === STATE_PROTOCOL) asked.state++
        return await handler(peer, body)
      })
    }
    const { clock } = this
    const shelf = new TorrentShelf({ chainId: CHAIN, library: tab.library, network: tab.network, storage, clock, log })
    const torrents = new TorrentFetch({ chainId: CHAIN, shelf, library: tab.library, network: tab.network, clock, random, blame, log })
    const data = new Datasets({ storage, network: counted, chain: { head: () => this.#head, on: () => () => {} }, clock, random, blame, log, torrents })
    const states = new States({
      storage, network: counted, compute: new TestCompute(clock), clock, random, blame, log, historyBlocks: 96, torrents, synced: () => true,
      payloads: { get: async () => undefined, fetch: async () => undefined, ...o.payloads }, chain: o.chain ?? { head: () => this.#head, at: () => undefined }
    })
    await states.start()
    await data.start()
    await torrents.start()
    const stop = async (): Promise<void> => {
      torrents.stop()
      await tab.library.stop()
      await data.stop()
      await states.stop()
      await tab.network.stop()
      this.tabs.delete(name)
    }
    return { ...tab, disks: d, shelf, torrents, data, states, log, asked, stop }
  }

  /** A tab that shares any bytes, and says of them what the test wants. */
  async cheat (name: string, kind: ShelfKind, of: Uint8Array, bytes: Uint8Array | undefined, say: (right: TorrentOffer) => Partial<TorrentOffer> = () => ({})): Promise<Tab & { readonly infoHash: string }> {
    const tab = await this.tab(name)
    let infoHash = 'ab'.repeat(20)
    if (bytes !== undefined) {
      const file = torrentName(kind, of)
      const shared = await tab.library.share([new File([bytes as BlobPart], file)], { name: file, kind: 'file', licence: '', about: '', parents: [] })
      if (!shared.ok) throw new Error(JSON.stringify(shared.errors))
      infoHash = shared.value.infoHash
    }
    const right = { name: of, infoHash: fromHex(infoHash, 20)!, bytes: bytes?.length ?? 100_000 }
    const offers = [{ ...right, ...say(right) }]
    await tab.network.handle(TORRENTS_PROTOCOL, { maxRequestBytes: 1000, maxResponseBytes: 1000, perPeerPerSecond: 100 }, async () => TorrentsResponse.serialize({ offers }))
    return { ...tab, infoHash }
  }
}

export const packed = (data: Dataset): Uint8Array[] => Array.from({ length: data.chunkRoots!.length }, (_, i) => packChunk(data, i))

export function joined (parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0))
  let at = 0
  for (const p of parts) { out.set(p, at); at += p.length }
  return out
}

export const dataFile = (data: Dataset): Uint8Array => joined(encodeDataFile({ root: data.ref.root, records: data.records, features: data.ref.features, chunks: packed(data) }))

/** On the shelf of a member, whole. */
export const holdsTorrent = (m: Member, kind: ShelfKind, name: Uint8Array): boolean => m.shelf.whole(kind, [name]).length === 1
export const holdsData = (m: Member, name: Uint8Array): boolean => holdsTorrent(m, OF_DATA, name)
