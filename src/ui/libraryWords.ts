/** Sets of files in words: what they are, how they are, and how likely they are to last. */
import type { Hex, LibraryItem, LibraryKind, LibraryState, LibraryView } from '../bridge/api.ts'
import { formatAddress } from '../core/codec/address.ts'
import { bytes, count, duration, percent, plural, sentence, shortId } from './format.ts'
import { spreadOf } from './torrents.ts'
import type { Tone } from './words.ts'

export const KINDS: Readonly<Record<LibraryKind, { readonly one: string, readonly many: string }>> = {
  model: { one: 'Model', many: 'Models' },
  dataset: { one: 'Data set', many: 'Data sets' },
  snapshot: { one: 'Snapshot', many: 'Snapshots' },
  file: { one: 'Files', many: 'Other files' }
}

/** A set of which nobody has said what it is, is files. */
export const kindOf = (item: LibraryItem): LibraryKind => item.note?.kind ?? 'file'

/** Common SPDX identifiers with their names; any other licence can be given in words. */
export const LICENCES: ReadonlyArray<readonly [id: string, name: string]> = [
  ['MIT', 'MIT'], ['Apache-2.0', 'Apache 2.0'], ['BSD-3-Clause', 'BSD, three clauses'], ['GPL-3.0-or-later', 'GNU GPL 3 or later'], ['AGPL-3.0-or-later', 'GNU Affero GPL 3 or later'],
  ['CC0-1.0', 'Creative Commons: no rights reserved'], ['CC-BY-4.0', 'Creative Commons: name the author'], ['CC-BY-SA-4.0', 'Creative Commons: name, share alike'], ['CC-BY-NC-4.0', 'Creative Commons: name, not commercial'],
  ['ODbL-1.0', 'Open Database Licence'], ['CDLA-Permissive-2.0', 'Community Data Licence, permissive']
]

/** Text of a stranger as it may be shown: nothing that turns the direction of reading or cannot be seen. */
export const plainText = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim()

/** A set of which only the infohash is known goes by that; of a state the round comes first: in a row, the end is cut off. */
export function nameOf ({ name, infoHash, note }: Pick<LibraryItem, 'name' | 'infoHash' | 'note'>): string {
  if (note?.kind === 'snapshot' && note.job !== undefined && note.round !== undefined) return `State after round ${count(note.round)} of job ${shortId(note.job)}`
  const shown = plainText(name)
  const ledger = note?.kind === 'snapshot' ? /^ledger-(\d{1,10})-[0-9a-f]+/.exec(shown) : null
  if (ledger !== null) return `Ledger after block ${count(Number(ledger[1]))}`
  return shown === '' || shown === infoHash ? `Unnamed ${shortId(infoHash)}` : shown
}

export function addressOf (key: Hex): string {
  return /^[0-9a-f]{64}$/.test(key) ? formatAddress(Uint8Array.from(key.match(/../g) ?? [], b => parseInt(b, 16))) : key
}

export const isWhole = (item: LibraryItem): boolean => item.state === 'complete' || (item.bytes > 0 && item.haveBytes >= item.bytes)

/** The pieces that are here; undefined while nobody looks at them: a set that rests is counted in bytes only. */
export function piecesHere (item: LibraryItem): Uint8Array | undefined {
  if (isWhole(item)) return new Uint8Array(Math.ceil(item.pieces / 8)).fill(255)
  return item.state === 'paused' && item.haveBytes > 0 && item.have.every(byte => byte === 0) ? undefined : item.have
}

interface StateWords { readonly tone: Tone, readonly label: string, readonly text: string }

const STATES: Readonly<Record<LibraryState, StateWords>> = {
  found: { tone: 'idle', label: 'Found', text: 'Others offer it. Nothing of it is in this tab.' },
  metadata: { tone: 'busy', label: 'Looking', text: 'Looking for somebody who knows what belongs to it: names, sizes and the hash of every piece.' },
  checking: { tone: 'busy', label: 'Checking', text: 'What is on this device is compared with the hash of every piece.' },
  downloading: { tone: 'busy', label: 'Fetching', text: 'Every piece is checked against its hash before it is kept or passed on.' },
  complete: { tone: 'good', label: 'Shared', text: 'All of it is here and checked. This tab passes it on for as long as it is open.' },
  paused: { tone: 'warn', label: 'Paused', text: 'Nothing of it is fetched or passed on until you go on.' },
  failed: { tone: 'bad', label: 'Failed', text: 'It does not go on by itself.' }
}

export const stateWords = (item: LibraryItem): StateWords =>
  item.state === 'found' && item.seeders === 0 ? { ...STATES.found, text: 'Others told of it, but nobody who has all of it is known. Nothing of it is in this tab.' } :
  item.state === 'paused' && isWhole(item) ? { ...STATES.paused, label: 'Not shared', text: 'All of it is here, but it is not passed on until you share it again.' } : STATES[item.state]

/** 0..1; undefined where the way to go is not known. */
export const progressOf = (item: LibraryItem): number | undefined => item.state === 'metadata' || item.bytes === 0 ? undefined : item.haveBytes / item.bytes

/** "312 MiB of 1.2 GiB, 4 min left" */
export function progressWords (item: LibraryItem): string {
  if (item.bytes === 0) return 'size not known yet'
  const parts = [`${bytes(item.haveBytes)} of ${bytes(item.bytes)}`]
  if (item.state === 'downloading') parts.push(item.downPerSecond > 0 ? `${duration((item.bytes - item.haveBytes) / item.downPerSecond * 1000)} left` : 'nothing comes in')
  return parts.join(', ')
}

export interface Health extends StateWords {
  /** Share of the pieces that somebody linked has, 0..1. */
  readonly share?: number
}

/** Whether others could still put the set together, as far as this tab sees: the peers linked now. */
export function healthOf (item: LibraryItem): Health {
  const spread = spreadOf(item)
  if (spread === undefined || (item.state === 'found' && item.peers.length === 0)) {
    return item.seeders > 0
      ? { tone: 'idle', label: 'Offered', text: `${plural(item.seeders, 'seeder')} said to have all of it. Which pieces are to be had is seen once this tab is linked to them.` }
      : { tone: 'warn', label: 'No seeder', text: 'Nobody who has all of it is known. It may take long, or never come.' }
  }
  if (item.peers.length === 0 && item.state === 'paused') return { tone: 'idle', label: 'Not looked for', text: `While it is ${isWhole(item) ? 'not shared' : 'paused'}, this tab is linked to nobody for it.` }
  if (item.peers.length === 0 && item.state === 'checking') return { tone: 'idle', label: 'Not looked for yet', text: 'Others are looked for once what is here has been checked.' }
  if (item.peers.length === 0 && item.state === 'failed') return { tone: 'idle', label: 'Not looked for', text: 'This tab is linked to nobody for it until you try again.' }
  if (item.peers.length === 0 && !isWhole(item)) return { tone: 'bad', label: 'Nobody in reach', text: 'No peer of this set is linked. It goes on when one is found.' }
  const share = spread.reachable / item.pieces
  const whole = isWhole(item)
  if (spread.copies >= 2) return { tone: 'good', share, label: 'Good', text: `The peers linked have ${count(spread.copies)} whole copies between them.` }
  // Others are heard of who have all of it: to say that pieces are only here, or with nobody, would be more than is known.
  if (spread.copies === 0 && item.seeders > 0 && (whole || spread.lost > 0)) return { tone: whole ? 'idle' : 'warn', label: whole ? 'No other linked' : 'No seeder linked', text: `${plural(item.seeders, whole ? 'other seeder' : 'seeder')} said to have all of it; none is linked to this tab now.${whole ? '' : ' It goes on when one is.'}` }
  if (spread.copies === 1) return { tone: whole ? 'good' : 'warn', share, label: whole ? 'One more copy' : 'One copy', text: whole ? 'The peers linked have one whole copy between them, beside the one here.' : item.peers.length === 1 ? 'The one peer linked has all of it: if it leaves, the rest may be gone.' : 'The peers linked have one whole copy between them: if one of them leaves, a piece may be gone.' }
  // All of it is in reach: it is here. That it is nowhere else is no fault of it.
  if (whole) return { tone: 'idle', label: spread.reachable === 0 ? 'Only here' : 'Whole only here', text: `Nobody linked has all of it${spread.reachable === 0 ? '' : `; ${percent(share, 0)} of the pieces are also elsewhere`}. Keep this tab open so that others can fetch it.` }
  if (spread.lost === 0) return { tone: 'warn', share, label: 'Just enough', text: 'What is not here is with somebody linked, but some pieces are only here.' }
  return { tone: 'bad', share, label: 'Pieces missing', text: `${plural(spread.lost, 'piece')} of ${count(item.pieces)} ${spread.lost === 1 ? 'is' : 'are'} with nobody linked now. It can be completed when somebody who has ${spread.lost === 1 ? 'it' : 'them'} comes back.` }
}

export const healthRank = (item: LibraryItem): number => {
  const spread = spreadOf(item)
  return spread === undefined ? (item.seeders > 0 ? 0.5 : 0) : spread.copies + spread.reachable / item.pieces
}

/** Whether those who say that they have all of it have shown it, when asked for a piece by lot. */
export function hostingWords (item: LibraryItem): string {
  const { passed, tried, unproven } = item.hosting
  if (tried === 0) {
    if (!isWhole(item)) return 'not checked: this tab can tell a right answer once it has all of it'
    return item.seeders + unproven === 0 ? 'nobody else says to have all of it' : 'not checked yet: the others are asked for a piece by lot, one after the other'
  }
  return `hosting checked ${count(passed)} of ${count(tried)}${unproven === 0 ? '' : `; ${plural(unproven, 'peer')} did not show what ${unproven === 1 ? 'it says' : 'they say'} to have, and ${unproven === 1 ? 'counts' : 'count'} as no seeder`}`
}

/** What stands above the list when bytes are not safe. */
export function storeWords (view: LibraryView): { readonly title: string, readonly text: string } | undefined {
  const why = view.storeProblem === undefined ? '' : `${sentence(plainText(view.storeProblem))} `
  if (view.store === 'memory') return { title: 'Kept in memory only', text: `${why}What you fetch or share is lost when this tab closes or reloads. Save what you need as files. In a private window this is always so: use an ordinary one.` }
  if (why !== '') return { title: 'Less can be kept than you allow', text: `${why}Free some space on this device or in the browser, or remove sets you do not need.` }
  return undefined
}
