/**
 * A model on its own: a line of JSON that says what follows, the job's spec, the weights. What the spec
 * says already stands in the line for whoever reads the file without this code; a line that says it
 * otherwise is refused, so one model has one file. `table` is there where the node that wrote the file has
 * read the table its job trains on.
 */
import { decodeJobSpec, encodeJobSpec, type JobSpec, type Op } from '../codec/jobSpec.ts'
import { equalBytes, fromHex, toHex } from '../codec/ssz.ts'
import { HASH_BYTES, MAX_OPS, MAX_PARAMETERS, MAX_ROUNDS, MAX_SPEC_BYTES } from '../params.ts'
import type { ModelState } from './modelState.ts'
import { specErrors } from './specRules.ts'
import { decodeState, stateBytes, stateHash, stateSize } from './stateHash.ts'
import { MAX_TABLE_BYTES, parseTable, type Table, tableJson, type TableReason } from './table.ts'
import { utf8Bytes, utf8Text } from './utf8.ts'

const FORMAT = 'commonweight-model-1'
const WEIGHTS = 'i32 little-endian, 28 fractional bits, row major [outputs][inputs], then biases, layer by layer'
const LINE_FEED = 10

/** The line without its table: an operation takes 100 bytes, a name of 64 escaped ones 384. */
const MAX_PLAIN_HEAD_BYTES = 16 * 1024
const MAX_HEAD_BYTES = MAX_PLAIN_HEAD_BYTES + MAX_TABLE_BYTES
export const MAX_MODEL_FILE_BYTES = MAX_HEAD_BYTES + MAX_SPEC_BYTES + 4 * (MAX_PARAMETERS + 2 * MAX_OPS)

export interface ModelFile {
  /** The job that trained it. */
  readonly job: Uint8Array
  readonly round: number
  readonly spec: JobSpec
  readonly state: ModelState
  readonly table?: Table
}

export type ModelFileReason = 'model-size' | 'model-head' | 'model-json' | 'model-format' | 'model-length' | 'model-spec' | 'model-state' | 'model-hash' | 'model-canonical' | TableReason
export type ReadModel = { readonly ok: true, readonly value: ModelFile } | { readonly ok: false, readonly reason: ModelFileReason, readonly detail: string }

/** In the order of the wire, whatever made the spec. */
const opJson = ({ kind, a, b, relu, units, kernel, stride, padding, groups }: Op): Op => ({ kind, a, b, relu, units, kernel, stride, padding, groups })

export const modelName = ({ spec, job }: Pick<ModelFile, 'spec' | 'job'>): string => utf8Text(spec.name) ?? toHex(job).slice(0, 12)

function headOf (file: ModelFile, hash: Uint8Array, specBytes: number): string {
  const { channels, height, width, ops } = file.spec
  return JSON.stringify({
    format: FORMAT,
    name: modelName(file),
    job: toHex(file.job),
    round: file.round,
    stateHash: toHex(hash),
    channels,
    height,
    width,
    ops: ops.map(opJson),
    weights: WEIGHTS,
    specBytes,
    stateBytes: stateSize(file.spec),
    ...(file.table === undefined ? {} : { table: tableJson(file.table) })
  })
}

/** `hash` is the state's. */
export function encodeModelFile (file: ModelFile, hash: Uint8Array): Uint8Array {
  const spec = encodeJobSpec(file.spec)
  const head = utf8Bytes(`${headOf(file, hash, spec.length)}\n`)!
  const state = stateBytes(file.state)
  const bytes = new Uint8Array(head.length + spec.length + state.length)
  bytes.set(head)
  bytes.set(spec, head.length)
  bytes.set(state, head.length + spec.length)
  return bytes
}

export function decodeModelFile (bytes: Uint8Array): ReadModel {
  const bad = (reason: ModelFileReason, detail: string): ReadModel => ({ ok: false, reason, detail })
  if (bytes.length > MAX_MODEL_FILE_BYTES) return bad('model-size', `${bytes.length} bytes, at most ${MAX_MODEL_FILE_BYTES}`)
  const end = bytes.subarray(0, MAX_HEAD_BYTES).indexOf(LINE_FEED)
  const text = end === -1 ? undefined : utf8Text(bytes.subarray(0, end))
  if (text === undefined) return bad('model-head', 'it does not begin with a line of text')
  let value: unknown
  try { value = JSON.parse(text) } catch { return bad('model-json', 'its first line is not JSON') }
  if (typeof value !== 'object' || value === null) return bad('model-json', 'its first line is no object')
  const head = value as { readonly [key: string]: unknown }
  if (head.format !== FORMAT) return bad('model-format', `its format is not ${FORMAT}`)
  const job = typeof head.job === 'string' ? fromHex(head.job, HASH_BYTES) : undefined
  const hash = typeof head.stateHash === 'string' ? fromHex(head.stateHash, HASH_BYTES) : undefined
  const { round, specBytes, stateBytes: size } = head
  if (job === undefined || hash === undefined || !isCount(round, MAX_ROUNDS)) return bad('model-head', 'its job, its round or its hash is none')
  const body = bytes.subarray(end + 1)
  if (!isCount(specBytes, MAX_SPEC_BYTES) || !isCount(size, MAX_MODEL_FILE_BYTES) || specBytes + size !== body.length) return bad('model-length', `${body.length} bytes follow its first line, which says otherwise`)
  const decoded = decodeJobSpec(body.subarray(0, specBytes))
  if (!decoded.ok) return bad('model-spec', decoded.error.detail)
  const spec = decoded.value
  // A network's least cost of a slice is not a bound of the model.
  const wrong = specErrors(spec, 0)
  if (wrong.length > 0) return bad('model-spec', `${wrong[0].field} ${wrong[0].message}`)
  const state = decodeState(spec, body.subarray(specBytes))
  if (!state.ok) return bad('model-state', state.error.detail)
  if (!equalBytes(stateHash(state.value), hash)) return bad('model-hash', 'its weights do not have the hash it names')
  const table = head.table === undefined ? undefined : parseTable(head.table, spec.data)
  if (table?.ok === false) return table
  const file: ModelFile = { job, round, spec, state: state.value, ...(table === undefined ? {} : { table: table.value }) }
  if (headOf(file, hash, specBytes) !== text) return bad('model-canonical', 'its first line is not the one that is written for this model')
  return { ok: true, value: file }
}

const isCount = (n: unknown, most: number): n is number => Number.isInteger(n) && (n as number) >= 0 && (n as number) <= most
