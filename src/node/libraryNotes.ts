/**
 * Notes and announcements: what a publisher says of a set of files, and who has what. Strangers write
 * them, so texts are bounded, plain and strict UTF-8; a refusal has a name.
 */
import type { LibraryKind, LibraryNote } from '../bridge/api.ts'
import { type Announcement, type Note, SHARE_ALL, SHARE_LEFT, type SignedNote } from '../core/codec/library.ts'
import { equalBytes, fromHex, toHex, ZERO32 } from '../core/codec/ssz.ts'
import { noteMessage } from '../core/crypto/ids.ts'
import { isControl } from '../core/torrent/names.ts'
import { utf8Bytes, utf8Text } from '../core/training/utf8.ts'
import type { MinerKey } from './minerKey.ts'

export const KINDS: readonly LibraryKind[] = ['model', 'dataset', 'snapshot', 'file']

export type NoteFault = 'note-chain' | 'note-kind' | 'note-text' | 'note-bytes' | 'note-job' | 'note-parents'
export type AnnouncementFault = NoteFault | 'share' | 'duplicate-item' | 'note-of-another'

/** What can be shown: no control characters, nothing that turns the direction of text. */
function isPlain (text: string): boolean {
  for (const char of text) if (isControl(char.codePointAt(0)!)) return false
  return true
}

const isText = (bytes: Uint8Array): boolean => {
  const text = utf8Text(bytes)
  return text !== undefined && isPlain(text)
}

/** Everything but the signature, which takes longest. */
export function noteFault (chain: Uint8Array, note: Note): NoteFault | undefined {
  if (!equalBytes(note.chain, chain)) return 'note-chain'
  if (note.kind >= KINDS.length) return 'note-kind'
  if (note.name.length === 0 || ![note.name, note.licence, note.about].every(isText)) return 'note-text'
  if (!Number.isSafeInteger(note.bytes) || note.bytes < 0) return 'note-bytes'
  if (note.round !== 0 && equalBytes(note.job, ZERO32)) return 'note-job'
  return new Set(note.parents.map(toHex)).size !== note.parents.length ? 'note-parents' : undefined
}

export function announcementFault (chain: Uint8Array, a: Announcement): AnnouncementFault | undefined {
  const seen = new Set<string>()
  for (const item of a.items) {
    const name = toHex(item.infoHash)
    if (seen.has(name)) return 'duplicate-item'
    seen.add(name)
    if (item.share > SHARE_ALL && item.share !== SHARE_LEFT) return 'share'
    for (const { note } of item.note) {
      if (!equalBytes(note.infoHash, item.infoHash)) return 'note-of-another'
      const fault = noteFault(chain, note)
      if (fault !== undefined) return fault
    }
  }
  return undefined
}

/** What is to be said of a set. */
export type NewNote = Omit<LibraryNote, 'publisher'> & { readonly name: string }

/** What a person wrote, as a note; the message says which field is wrong. */
export function writeNote (chain: Uint8Array, key: MinerKey, infoHash: string, bytes: number, said: NewNote): { readonly ok: true, readonly value: SignedNote } | { readonly ok: false, readonly field: string, readonly message: string } {
  const texts: Uint8Array[] = []
  for (const [field, text, max] of [['name', said.name, 200], ['licence', said.licence, 64], ['about', said.about, 512]] as const) {
    const encoded = typeof text === 'string' ? utf8Bytes(text.trim()) : undefined
    if (encoded === undefined || !isPlain(text)) return { ok: false, field, message: 'plain text on one line, without control characters' }
    if (encoded.length > max) return { ok: false, field, message: `at most ${max} bytes, this is ${encoded.length}` }
    texts.push(encoded)
  }
  const [name, licence, about] = texts
  if (name.length === 0) return { ok: false, field: 'name', message: 'it needs a name' }
  const kind = KINDS.indexOf(said.kind)
  if (kind < 0) return { ok: false, field: 'kind', message: `one of ${KINDS.join(', ')}` }
  const job = said.job === undefined ? ZERO32 : fromHex(said.job, 32)
  if (job === undefined) return { ok: false, field: 'job', message: 'not a job' }
  const parents = said.parents.map(p => fromHex(p, 20))
  if (parents.length > 16 || parents.some(p => p === undefined)) return { ok: false, field: 'parents', message: 'at most 16 infohashes' }
  const note: Note = { chain, infoHash: fromHex(infoHash, 20)!, kind, name, licence, about, bytes, publisher: key.publicKey, job, round: said.job === undefined ? 0 : said.round ?? 0, parents: parents as Uint8Array[] }
  const fault = noteFault(chain, note)
  return fault === undefined ? { ok: true, value: { note, signature: key.sign(noteMessage(note)) } } : { ok: false, field: 'note', message: fault }
}

export function noteView ({ note }: SignedNote): LibraryNote {
  const hasJob = !equalBytes(note.job, ZERO32)
  return {
    kind: KINDS[note.kind],
    licence: utf8Text(note.licence) ?? '',
    about: utf8Text(note.about) ?? '',
    publisher: toHex(note.publisher),
    job: hasJob ? toHex(note.job) : undefined,
    round: hasJob ? note.round : undefined,
    parents: note.parents.map(toHex)
  }
}

export const noteName = ({ note }: SignedNote): string => utf8Text(note.name) ?? ''
