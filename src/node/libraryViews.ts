/** The library as the page shows it. */
import type { LibraryItem, SwarmPeerView } from '../bridge/api.ts'
import { formatMagnet } from '../core/torrent/magnet.ts'
import { utf8Text } from '../core/training/utf8.ts'
import type { InfoHash, SwarmLink } from '../ports/swarm.ts'
import type { Entry } from './library.ts'
import { noteName, noteView } from './libraryNotes.ts'
import type { LibraryTable } from './libraryTable.ts'
import type { Receipts } from './receipts.ts'

type Table = Pick<LibraryTable, 'holders' | 'note'>
interface Parts { readonly table: Table, readonly receipts: Pick<Receipts, 'of' | 'nameOf'>, readonly trackers: readonly string[] }

function peerView (link: SwarmLink, receipts: Parts['receipts']): SwarmPeerView {
  const signed = receipts.of(link.id)
  return {
    peer: receipts.nameOf(link.id), via: link.via, has: link.has, down: link.down, up: link.up, downPerSecond: link.downPerSecond, upPerSecond: link.upPerSecond,
    receiptsIn: signed.in, receiptsOut: signed.out, choked: link.choked
  }
}

/** Others that have all of it, and others that have a part: linked, or heard of. */
function counts (table: Table, infoHash: InfoHash, links: readonly SwarmLink[]): { readonly seeders: number, readonly leechers: number } {
  const shares = new Map<string, number>()
  for (const h of table.holders(infoHash)) shares.set(h.peer, h.share)
  for (const l of links) shares.set(l.peer ?? `link ${l.id}`, Math.max(l.has, shares.get(l.peer ?? '') ?? 0))
  const all = [...shares.values()]
  return { seeders: all.filter(s => s >= 1).length, leechers: all.filter(s => s < 1).length }
}

export function itemView (infoHash: InfoHash, e: Entry, { table, receipts, trackers }: Parts): LibraryItem {
  const { live, metainfo, record } = e
  const note = record.note[0] ?? table.note(infoHash)
  const links = live?.links ?? []
  const name = note !== undefined ? noteName(note) : metainfo?.name ?? (utf8Text(record.name) || infoHash)
  return {
    infoHash,
    name,
    note: note === undefined ? undefined : noteView(note),
    bytes: metainfo?.bytes ?? note?.note.bytes ?? 0,
    files: metainfo?.files ?? [],
    pieceBytes: metainfo?.pieceBytes ?? 0,
    pieces: metainfo?.pieces ?? 0,
    have: live?.have ?? new Uint8Array(Math.ceil((metainfo?.pieces ?? 0) / 8)),
    haveBytes: live?.haveBytes ?? e.storedBytes,
    availability: live?.availability ?? new Uint8Array(0),
    state: e.problem !== undefined ? 'failed' : record.paused === 1 ? 'paused' : live?.state ?? 'checking',
    problem: e.problem,
    ...counts(table, infoHash, links),
    down: live?.down ?? 0,
    up: live?.up ?? 0,
    downPerSecond: live?.downPerSecond ?? 0,
    upPerSecond: live?.upPerSecond ?? 0,
    peers: links.map(l => peerView(l, receipts)),
    magnet: formatMagnet(infoHash, name, trackers),
    addedAt: record.addedAt
  }
}

/** Heard of, nothing of it is here. */
export function foundView (infoHash: InfoHash, table: Table, trackers: readonly string[]): LibraryItem {
  const note = table.note(infoHash)
  const name = note === undefined ? infoHash : noteName(note)
  return {
    infoHash, name, note: note === undefined ? undefined : noteView(note), bytes: note?.note.bytes ?? 0, files: [], pieceBytes: 0, pieces: 0,
    have: new Uint8Array(0), haveBytes: 0, availability: new Uint8Array(0), state: 'found', ...counts(table, infoHash, []),
    down: 0, up: 0, downPerSecond: 0, upPerSecond: 0, peers: [], magnet: formatMagnet(infoHash, name, trackers), addedAt: 0
  }
}
