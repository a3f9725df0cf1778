/**
 * A data set as one file: what its root commits to, and nothing else. So whoever holds a set makes the
 * same bytes of it, and all that share it are seeders of one torrent; what a job reads into the records
 * (which of them train, how many classes there are) is in its own reference.
 *
 *   'CWD1', root b32, records u32, features u32, and per chunk its length u32 and its packed bytes
 *
 * Nothing here is hashed: whether the chunks have the root is for the reader to find out, chunk by chunk.
 */
import { type Decoded, equalBytes } from '../codec/ssz.ts'
import { DATA_CHUNK_BYTES } from '../codec/wire.ts'
import { ascii, firstU32, u32le } from '../crypto/hash.ts'
import { HASH_BYTES, MAX_DATASET_BYTES, MAX_FEATURES, MAX_RECORDS } from '../params.ts'
import { chunkCount, chunkRecords, recordBytes } from './dataset.ts'
import { packedMax } from './zeroRuns.ts'

const MAGIC = ascii('CWD1')
const LENGTH_BYTES = 4
const HEAD_BYTES = MAGIC.length + HASH_BYTES + 4 + 4

export interface DataFile {
  readonly root: Uint8Array
  readonly records: number
  readonly features: number
  /** Packed. */
  readonly chunks: readonly Uint8Array[]
}

/** What a file's chunks are cut by. */
export interface FileSizes { readonly trainRecords: number, readonly testRecords: number, readonly features: number }
export const fileSizes = ({ records, features }: Pick<DataFile, 'records' | 'features'>): FileSizes => ({ trainRecords: records, testRecords: 0, features })

/** Bytes that the file of such a set takes at most. */
export function dataFileMax (sizes: FileSizes): number {
  let bytes = HEAD_BYTES
  for (let i = 0; i < chunkCount(sizes); i++) bytes += LENGTH_BYTES + packedMax(chunkRecords(sizes, i) * recordBytes(sizes))
  return bytes
}

/** Every set's: a chunk holds more than half of what one may, the last one aside. */
const MOST_RECORD_BYTES = MAX_DATASET_BYTES + MAX_RECORDS
const MOST_CHUNKS = Math.ceil(MOST_RECORD_BYTES / (DATA_CHUNK_BYTES / 2)) + 1
export const MAX_DATA_FILE_BYTES = HEAD_BYTES + packedMax(MOST_RECORD_BYTES) + MOST_CHUNKS * (LENGTH_BYTES + 1)

/** The file in parts, in order. */
export function encodeDataFile ({ root, records, features, chunks }: DataFile): Uint8Array[] {
  return [MAGIC, root, u32le(records), u32le(features), ...chunks.flatMap(chunk => [u32le(chunk.length), chunk])]
}

/** The chunks are views of `bytes`, and not unpacked yet. */
export function decodeDataFile (bytes: Uint8Array): Decoded<DataFile> {
  const bad = (detail: string): Decoded<DataFile> => ({ ok: false, error: { reason: 'malformed', detail } })
  if (bytes.length > MAX_DATA_FILE_BYTES) return { ok: false, error: { reason: 'too-large', detail: `${bytes.length} bytes, at most ${MAX_DATA_FILE_BYTES}` } }
  if (bytes.length < HEAD_BYTES || !equalBytes(bytes.subarray(0, MAGIC.length), MAGIC)) return bad('it does not begin like the file of a data set')
  const u32At = (at: number): number => firstU32(bytes.subarray(at, at + 4))
  let at = MAGIC.length + HASH_BYTES
  const root = bytes.slice(MAGIC.length, at)
  const records = u32At(at)
  const features = u32At(at + 4)
  at = HEAD_BYTES
  if (records < 1 || records > MAX_RECORDS || features < 1 || features > MAX_FEATURES || records * features > MAX_DATASET_BYTES) return bad(`${records} records of ${features} features`)
  const sizes = fileSizes({ records, features })
  const chunks: Uint8Array[] = []
  for (let i = 0; i < chunkCount(sizes); i++) {
    if (at + LENGTH_BYTES > bytes.length) return bad(`it ends before chunk ${i}`)
    const length = u32At(at)
    at += LENGTH_BYTES
    if (length < 1 || length > packedMax(chunkRecords(sizes, i) * recordBytes(sizes)) || at + length > bytes.length) return bad(`chunk ${i} of ${length} bytes`)
    chunks.push(bytes.subarray(at, at + length))
    at += length
  }
  return at === bytes.length ? { ok: true, value: { root, records, features, chunks } } : bad(`${bytes.length - at} bytes behind the last chunk`)
}
