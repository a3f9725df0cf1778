/** The library as the page shows it. */
import type { HostingView, LibraryItem, SwarmPeerView } from '../bridge/api.ts'
import { formatMagnet } from '../core/torrent/magnet.ts'
import { utf8Text } from '../core/training/utf8.ts'
import type { InfoHash, SwarmLink } from '../ports/swarm.ts'
import type { Hosting, Standing } from './hosting.ts'
import { type Entry, here } from './libraryEntry.ts'
import { noteName, noteView } from './libraryNotes.ts'
import { WHOSE } from './libraryStore.ts'
import type { LibraryTable } from './libraryTable.ts'
import type { Receipts } from './receipts.ts'

type Table = Pick<LibraryTable, 'holders' | 'note'>
interface Heard { readonly table: Table, readonly hosting: Pick<Hosting, 'of'>, readonly trackers: readonly string[] }
interface Parts extends Heard { readonly receipts: Pick<Receipts, 'of' | 'nameOf'> }

const triedOf = (s: Standing): number => s.passed + s.failed + s.unanswered

function peerView (link: SwarmLink, { receipts, hosting }: Parts): SwarmPeerView {
  const signed = receipts.of(link.id)
  const shown = link.peer === undefined ? undefined : hosting.of(link.infoHash, link.peer)
  return {
    peer: receipts.nameOf(link.id), hosting: shown === undefined ? undefined : { passed: shown.passed, tried: triedOf(shown), unproven: shown.unproven ? 1 : 0 }, via: link.via, has: link.has, down: link.down, up: link.up, downPerSecond: link.downPerSecond, upPerSecond: link.upPerSecond,
    receiptsIn: signed.in, receiptsOut: signed.out, choked: link.choked
  }
}

/** Others that have all of it, and others that have a part, linked or heard of; claims that were not proved are neither. */
function counts ({ table, hosting }: Heard, infoHash: InfoHash, links: readonly SwarmLink[]): Pick<LibraryItem, 'seeders' | 'leechers' | 'hosting'> {
  const shares = new Map<string, number>()
  const holders = table.holders(infoHash)
  for (const h of holders) shares.set(h.peer, h.share)
  for (const l of links) shares.set(l.peer ?? `link ${l.id}`, Math.max(l.has, shares.get(l.peer ?? '') ?? 0))
  const sum = { passed: 0, tried: 0, unproven: 0 } satisfies HostingView
  for (const { peer } of holders) {
    const s = hosting.of(infoHash, peer)
    if (s === undefined) continue
    sum.passed += s.passed
    sum.tried += triedOf(s)
    if (s.unproven) sum.unproven++
  }
  const all = [...shares].filter(([peer, share]) => share < 1 || hosting.of(infoHash, peer)?.unproven !== true).map(([, share]) => share)
  return { seeders: all.filter(s => s >= 1).length, leechers: all.filter(s => s < 1).length, hosting: sum }
}

/** Without the whole copies that are only said to be. */
function availability (infoHash: InfoHash, of: Uint8Array, links: readonly SwarmLink[], hosting: Heard['hosting']): Uint8Array {
  const unproven = links.filter(l => l.has >= 1 && l.peer !== undefined && hosting.of(infoHash, l.peer)?.unproven === true).length
  return unproven === 0 ? of : of.map(n => Math.max(0, n - unproven))
}

export function itemView (infoHash: InfoHash, e: Entry, parts: Parts): LibraryItem {
  const { table, hosting, trackers } = parts
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
    haveBytes: here(e),
    availability: availability(infoHash, live?.availability ?? new Uint8Array(0), links, hosting),
    state: e.problem !== undefined ? 'failed' : record.paused === 1 ? 'paused' : live?.state ?? 'checking',
    problem: e.problem,
    ...counts(parts, infoHash, links),
    down: live?.down ?? 0,
    up: live?.up ?? 0,
    downPerSecond: live?.downPerSecond ?? 0,
    upPerSecond: live?.upPerSecond ?? 0,
    peers: links.map(l => peerView(l, parts)),
    magnet: formatMagnet(infoHash, name, trackers),
    addedAt: record.addedAt,
    forNode: record.whose === WHOSE.node
  }
}

/** Heard of, nothing of it is here. */
export function foundView (infoHash: InfoHash, heard: Heard): LibraryItem {
  const { table, trackers } = heard
  const note = table.note(infoHash)
  const name = note === undefined ? infoHash : noteName(note)
  return {
    infoHash, name, note: note === undefined ? undefined : noteView(note), bytes: note?.note.bytes ?? 0, files: [], pieceBytes: 0, pieces: 0,
    have: new Uint8Array(0), haveBytes: 0, availability: new Uint8Array(0), state: 'found', ...counts(heard, infoHash, []),
    down: 0, up: 0, downPerSecond: 0, upPerSecond: 0, peers: [], magnet: formatMagnet(infoHash, name, trackers), addedAt: 0, forNode: false
  }
}
