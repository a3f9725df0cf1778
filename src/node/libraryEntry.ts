/** A set that this tab follows: what is stored of it, and what the swarm says of it now. */
import type { Metainfo } from '../core/torrent/metainfo.ts'
import type { PeerId } from '../ports/network.ts'
import type { SwarmItem } from '../ports/swarm.ts'
import { type ItemRecord, WHOSE } from './libraryStore.ts'

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

/** A set that the node itself asked for. */
export type Obtained =
  | { readonly ok: true, readonly bytes: Uint8Array, readonly drop: () => Promise<void> }
  /** 'size': not what those who offer it say; 'withheld': it does not come; 'room' and 'kept': this tab's own affair, and nobody's fault. */
  | { readonly ok: false, readonly reason: 'size' | 'withheld' | 'room' | 'kept', readonly detail: string }

/** Bytes of it that are here. */
export const here = (e: Entry): number => e.live?.haveBytes ?? e.storedBytes

/** Why it is not what the node asks for by this size, or not to be touched for that: the user has paused what he follows, or was told why it does not go on. */
export function whyNot ({ metainfo: m, problem, record }: Entry, bytes: number): readonly ['size' | 'kept', string] | undefined {
  if (m !== undefined && (m.bytes !== bytes || m.files.length !== 1)) return ['size', `${m.bytes} bytes in ${m.files.length} files, ${bytes} in one were promised`]
  if (record.whose === WHOSE.node || (record.paused === 0 && problem === undefined)) return undefined
  return ['kept', `the user's own: ${problem ?? 'it is paused'}`]
}
