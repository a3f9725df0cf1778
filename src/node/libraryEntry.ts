/** A set that this tab follows: what is stored of it, and what the swarm says of it now. */
import type { Metainfo } from '../core/torrent/metainfo.ts'
import type { PeerId } from '../ports/network.ts'
import type { SwarmItem } from '../ports/swarm.ts'
import type { ItemRecord } from './libraryStore.ts'

export interface Entry {
  record: ItemRecord
  metainfo: Metainfo | undefined
  live: SwarmItem | undefined
  problem: string | undefined
  /** Bytes on the disk as last seen. */
  storedBytes: number
  /** Bytes it must have, where who asked for it knows. */
  expect?: number
  /** Peers known to hold it before they have said so to all. */
  hints?: readonly PeerId[]
  /** Not announced: those who want it ask. */
  quiet?: boolean
}

/** Bytes of it that are here. */
export const here = (e: Entry): number => e.live?.haveBytes ?? e.storedBytes
