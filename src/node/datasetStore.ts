/**
 * Data sets in storage: chunk by chunk as they arrive, packed, so that a fetch goes on after a
 * reload, and a note for each set that the user brought, with the names that no root commits to: those of
 * its classes, and of the columns of a table with the ranges they were scaled by.
 */
import { DataRef } from '../core/codec/jobSpec.ts'
import { decode, fromHex, toHex } from '../core/codec/ssz.ts'
import { HASH_BYTES, MAX_CLASSES, MAX_DATASET_BYTES, MAX_FEATURES, MAX_RECORDS } from '../core/params.ts'
import { chunkCount, type Dataset, type Display, packChunk, type PictureShape, recordCount } from '../core/training/dataset.ts'
import { columnJson, parseTable, type TableReason } from '../core/training/table.ts'
import { StorageError, type Storage, type StorageOp } from '../ports/storage.ts'
import type { Hex, Log } from './parts.ts'

const REF_BYTES = DataRef.fixedSize!
const NOTE = 'note'
const chunkKey = (root: Hex, chunk: number): string => `${root}/${String(chunk).padStart(8, '0')}`

export interface Note { readonly ref: DataRef, readonly display: Display }

type ReadNote = { readonly ok: true, readonly value: Note } | { readonly ok: false, readonly reason: TableReason | 'note-reference' | 'note-json' | 'note-display', readonly detail: string }

function parseNote (root: Hex, bytes: Uint8Array): ReadNote {
  const ref = decode(DataRef, bytes.subarray(0, REF_BYTES), REF_BYTES)
  if (!ref.ok || toHex(ref.value.root) !== root || !isHoldable(ref.value)) return { ok: false, reason: 'note-reference', detail: 'it is of another set, or of one that nobody can hold' }
  let value: unknown
  try { value = JSON.parse(new TextDecoder().decode(bytes.subarray(REF_BYTES))) } catch { value = undefined }
  if (typeof value !== 'object' || value === null) return { ok: false, reason: 'note-json', detail: 'it is no object of JSON' }
  const { classNames, shape, columns } = value as { readonly [key in keyof Display]: unknown }
  const named = classNames === undefined || (Array.isArray(classNames) && classNames.length === ref.value.classes && classNames.every(name => typeof name === 'string'))
  if (!named || !(shape === undefined || isShape(shape))) return { ok: false, reason: 'note-display', detail: 'its class names or its shape are none' }
  const table = columns === undefined ? undefined : parseTable({ columns, classes: classNames }, ref.value)
  if (table?.ok === false) return table
  return { ok: true, value: { ref: ref.value, display: { classNames, shape, columns: table?.value.columns } as Display } }
}

/** Within the bounds of a set that anybody can hold: what a damaged note claims is never made room for. */
function isHoldable (ref: DataRef): boolean {
  const records = recordCount(ref)
  return records >= 1 && records <= MAX_RECORDS && ref.features >= 1 && ref.features <= MAX_FEATURES && records * ref.features <= MAX_DATASET_BYTES && ref.classes <= MAX_CLASSES
}

function isShape (value: unknown): value is PictureShape {
  if (typeof value !== 'object' || value === null) return false
  const isSide = (n: unknown): boolean => Number.isInteger(n) && (n as number) >= 1 && (n as number) <= MAX_FEATURES
  const { width, height } = value as { readonly [key in keyof PictureShape]?: unknown }
  return isSide(width) && isSide(height)
}

export class DatasetStore {
  readonly #storage: Pick<Storage, 'get' | 'keys' | 'commit'>
  readonly #log: Log
  readonly #queue: StorageOp[] = []
  #writing: Promise<void> | undefined

  constructor (storage: Pick<Storage, 'get' | 'keys' | 'commit'>, log: Log) {
    this.#storage = storage
    this.#log = log
  }

  /** Roots with anything stored. */
  async roots (): Promise<Hex[]> {
    const roots = (await this.#storage.keys('data')).map(key => key.slice(0, 2 * HASH_BYTES))
    return [...new Set(roots)].filter(root => fromHex(root, HASH_BYTES) !== undefined)
  }

  /** Present for sets that the user brought. */
  async note (root: Hex): Promise<Note | undefined> {
    const bytes = await this.#storage.get('data', `${root}/${NOTE}`)
    if (bytes === undefined) return undefined
    const note = parseNote(root, bytes)
    if (note.ok) return note.value
    this.#log.warn('data', `the note of data set ${root.slice(0, 16)} is damaged (${note.reason}): ${note.detail}`)
    return undefined
  }

  /** Though it may be damaged. */
  async isNoted (root: Hex): Promise<boolean> { return await this.#storage.get('data', `${root}/${NOTE}`) !== undefined }

  async chunks (root: Hex): Promise<number[]> {
    // '0' is the character after '/'.
    const keys = await this.#storage.keys('data', { from: `${root}/`, to: `${root}0` })
    return keys.map(key => Number(key.slice(root.length + 1))).filter(n => Number.isInteger(n))
  }

  async chunk (root: Hex, chunk: number): Promise<Uint8Array | undefined> {
    return await this.#storage.get('data', chunkKey(root, chunk))
  }

  /** Written soon, together with what comes while another commit is under way: each waits for the disk. */
  putChunk (root: Hex, chunk: number, packed: Uint8Array): void {
    this.#queue.push({ op: 'put', store: 'data', key: chunkKey(root, chunk), value: packed })
    this.#writing ??= this.#write().finally(() => { this.#writing = undefined })
  }

  /** When all that was put is written. */
  async written (): Promise<void> { await this.#writing }

  /** Whole, in one commit: a set the user brought is there or it is not. */
  async putAll (data: Dataset): Promise<void> {
    const root = toHex(data.ref.root)
    const ops: StorageOp[] = Array.from({ length: chunkCount(data.ref) }, (_, i) => ({ op: 'put', store: 'data', key: chunkKey(root, i), value: packChunk(data, i) }))
    const display = new TextEncoder().encode(JSON.stringify({ classNames: data.classNames, shape: { width: data.width, height: data.height }, columns: data.columns?.map(columnJson) }))
    const note = new Uint8Array(REF_BYTES + display.length)
    note.set(DataRef.serialize(data.ref))
    note.set(display, REF_BYTES)
    await this.#commit([...ops, { op: 'put', store: 'data', key: `${root}/${NOTE}`, value: note }])
  }

  /** The note alone stays where `noted`: its names outlive the records. */
  async drop (root: Hex, noted = false): Promise<void> {
    await this.written()
    const all = await this.#storage.keys('data', { from: `${root}/`, to: `${root}0` })
    const keys = noted ? all.filter(key => key !== `${root}/${NOTE}`) : all
    if (keys.length > 0) await this.#commit(keys.map(key => ({ op: 'delete', store: 'data', key })))
  }

  async #write (): Promise<void> {
    while (this.#queue.length > 0) await this.#commit(this.#queue.splice(0))
  }

  /** Without room the set lives in memory, until the page goes. */
  async #commit (ops: readonly StorageOp[]): Promise<void> {
    try {
      await this.#storage.commit(ops)
    } catch (e) {
      if (!(e instanceof StorageError)) throw e
      this.#log.warn('data', `not stored (${e.kind}): ${e.message}`)
    }
  }
}
