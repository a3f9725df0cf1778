/**
 * Data sets as every node holds them: u8 features and a class per record, training records first,
 * committed to by a merkle root over the records. A chunk is a whole subtree of that tree, so that
 * one hash per chunk is all that has to be kept to prove chunks to others.
 */
import { DATA_BUILTIN, DATA_REGISTERED, type DataRef } from '../codec/jobSpec.ts'
import { DATA_CHUNK_BYTES } from '../codec/wire.ts'
import { hash } from '../crypto/hash.ts'
import { merkleRoot } from '../crypto/merkle.ts'
import { BUILTIN_CLASSES, BUILTIN_FEATURES, BUILTIN_ROOT, BUILTIN_SIDE, BUILTIN_TEST, BUILTIN_TRAIN, digitRecord } from './digits.ts'
import type { TableColumn } from './table.ts'
import { packZeros, unpackZeros } from './zeroRuns.ts'

export interface Batch { readonly inputs: Uint8Array, readonly labels: Uint8Array }

export interface Dataset {
  readonly ref: DataRef
  /** Training and held-out records. */
  readonly records: number
  readonly classNames: readonly string[]
  /** What its features were before they were scaled, where this node has read them from a table. */
  readonly columns?: readonly TableColumn[]
  /** Shape to draw a record in: features = channels * height * width, one row where it is no image. */
  readonly channels: number
  readonly width: number
  readonly height: number
  /** Absent where nobody asks others for it. */
  readonly chunkRoots?: readonly Uint8Array[]
  features(index: number): Uint8Array
  label(index: number): number
  /** Records in the order of `indices`: [indices.length, features] row major, and their classes. */
  gather(indices: ArrayLike<number>): Batch
}

const LABEL_BYTES = 1

/** Bytes of one record: the class, then the features. */
export const recordBytes = (ref: Pick<DataRef, 'features'>): number => LABEL_BYTES + ref.features

export function recordsPerChunk (ref: Pick<DataRef, 'features'>): number {
  let count = 1
  while (2 * count * recordBytes(ref) <= DATA_CHUNK_BYTES) count *= 2
  return count
}

type Sizes = Pick<DataRef, 'trainRecords' | 'testRecords' | 'features'>
export const recordCount = (ref: Pick<DataRef, 'trainRecords' | 'testRecords'>): number => ref.trainRecords + ref.testRecords
export const chunkCount = (ref: Sizes): number => Math.ceil(recordCount(ref) / recordsPerChunk(ref))
/** Records of one chunk: the last one may be short. */
export const chunkRecords = (ref: Sizes, chunk: number): number => Math.min(recordsPerChunk(ref), recordCount(ref) - chunk * recordsPerChunk(ref))

/** The root's node over a chunk, given its records' canonical bytes. */
export function chunkRoot (ref: Pick<DataRef, 'features'>, records: Uint8Array): Uint8Array {
  const size = recordBytes(ref)
  const leaves = Array.from({ length: records.length / size }, (_, i) => hash('record', records.subarray(i * size, (i + 1) * size)))
  return merkleRoot(leaves, (left, right) => hash('merkle-node', left, right))
}

export const datasetRoot = (chunkRoots: readonly Uint8Array[]): Uint8Array => merkleRoot(chunkRoots)

export interface PictureShape { readonly width: number, readonly height: number }

/** `shape`, if records of so many features can have it. */
function fits (features: number, shape: PictureShape | undefined): PictureShape | undefined {
  const size = shape === undefined ? 0 : shape.width * shape.height
  return size > 0 && features % size === 0 ? shape : undefined
}

/** A square for what can be one, else a row. */
export function imageShape (features: number): PictureShape {
  let side = 1
  while (side * side < features) side++
  return side * side === features ? { width: side, height: side } : { width: features, height: 1 }
}

function gatherFrom (data: Dataset, indices: ArrayLike<number>): Batch {
  const size = data.ref.features
  const inputs = new Uint8Array(indices.length * size)
  const labels = new Uint8Array(indices.length)
  for (let i = 0; i < indices.length; i++) {
    inputs.set(data.features(indices[i]), i * size)
    labels[i] = data.label(indices[i])
  }
  return { inputs, labels }
}

class MemoryDataset implements Dataset {
  readonly ref: DataRef
  readonly records: number
  readonly classNames: readonly string[]
  readonly columns?: readonly TableColumn[]
  readonly channels: number
  readonly width: number
  readonly height: number
  readonly chunkRoots: readonly Uint8Array[]
  private readonly allFeatures: Uint8Array
  private readonly allLabels: Uint8Array

  constructor (ref: DataRef, features: Uint8Array, labels: Uint8Array, chunkRoots: readonly Uint8Array[], display: Display) {
    this.ref = ref
    this.chunkRoots = chunkRoots
    this.records = labels.length
    this.allFeatures = features
    this.allLabels = labels
    const shape = fits(ref.features, display.shape) ?? imageShape(ref.features)
    this.channels = ref.features / (shape.width * shape.height)
    this.width = shape.width
    this.height = shape.height
    this.columns = display.columns
    this.classNames = display.classNames ?? Array.from({ length: ref.classes }, (_, c) => String(c))
  }

  features (index: number): Uint8Array {
    return this.allFeatures.subarray(index * this.ref.features, (index + 1) * this.ref.features)
  }

  label (index: number): number { return this.allLabels[index] }

  gather (indices: ArrayLike<number>): Batch { return gatherFrom(this, indices) }
}

/** What is known about a data set besides its records; never committed to. */
export interface Display {
  readonly classNames?: readonly string[]
  readonly columns?: readonly TableColumn[]
  /** Of one channel: there are as many channels as the features leave room for. */
  readonly shape?: PictureShape
}

/** A data set that is held whole and verified: `ref` is trusted to describe these bytes. */
export function heldDataset (ref: DataRef, features: Uint8Array, labels: Uint8Array, chunkRoots: readonly Uint8Array[], display: Display = {}): Dataset {
  if (labels.length !== recordCount(ref) || features.length !== labels.length * ref.features || chunkRoots.length !== chunkCount(ref)) throw new Error('records do not match their reference')
  return new MemoryDataset(ref, features, labels, chunkRoots, display)
}

/** A data set that a user brings: the first `trainRecords` records train. Computes the root. */
export function newDataset (
  records: { readonly features: Uint8Array, readonly labels: Uint8Array, readonly trainRecords: number, readonly classes: number },
  display: Display = {}
): Dataset {
  const { features, labels, trainRecords, classes } = records
  const sizes = { trainRecords, testRecords: labels.length - trainRecords, features: features.length / labels.length }
  const roots = Array.from({ length: chunkCount(sizes) }, (_, chunk) => {
    const first = chunk * recordsPerChunk(sizes)
    return chunkRoot(sizes, joinRecords(sizes.features, features, labels, first, chunkRecords(sizes, chunk)))
  })
  return heldDataset({ source: DATA_REGISTERED, root: datasetRoot(roots), ...sizes, classes }, features, labels, roots, display)
}

function joinRecords (size: number, features: Uint8Array, labels: Uint8Array, first: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count * (LABEL_BYTES + size))
  for (let i = 0, at = 0; i < count; i++, at += LABEL_BYTES + size) {
    bytes[at] = labels[first + i]
    bytes.set(features.subarray((first + i) * size, (first + i + 1) * size), at + LABEL_BYTES)
  }
  return bytes
}

/** Canonical bytes of records first..first+count-1. */
export function recordsOf (data: Dataset, first: number, count: number): Uint8Array {
  const { inputs, labels } = data.gather(Uint32Array.from({ length: count }, (_, i) => first + i))
  return joinRecords(data.ref.features, inputs, labels, 0, count)
}

/** A chunk as it travels and is stored. */
export function packChunk (data: Dataset, chunk: number): Uint8Array {
  return packZeros(recordsOf(data, chunk * recordsPerChunk(data.ref), chunkRecords(data.ref, chunk)))
}

/** Undefined where `packed` is not the packed form of as many bytes as the chunk has. */
export function unpackChunk (ref: Sizes, chunk: number, packed: Uint8Array): Uint8Array | undefined {
  return unpackZeros(packed, chunkRecords(ref, chunk) * recordBytes(ref))
}

/** Undefined where a record is of a class that does not exist. */
export function readRecords (ref: Pick<DataRef, 'features' | 'classes'>, records: Uint8Array): Batch | undefined {
  const size = recordBytes(ref)
  const labels = new Uint8Array(records.length / size)
  const inputs = new Uint8Array(labels.length * ref.features)
  for (let i = 0; i < labels.length; i++) {
    labels[i] = records[i * size]
    if (labels[i] >= ref.classes) return undefined
    inputs.set(records.subarray(i * size + LABEL_BYTES, (i + 1) * size), i * ref.features)
  }
  return { inputs, labels }
}

export const BUILTIN_REF: DataRef = {
  source: DATA_BUILTIN,
  root: BUILTIN_ROOT,
  trainRecords: BUILTIN_TRAIN,
  testRecords: BUILTIN_TEST,
  features: BUILTIN_FEATURES,
  classes: BUILTIN_CLASSES
}

/** The built-in digits, each drawn when it is first asked for. */
class BuiltinDataset implements Dataset {
  readonly ref = BUILTIN_REF
  readonly records = BUILTIN_TRAIN + BUILTIN_TEST
  readonly classNames = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']
  readonly channels = 1
  readonly width = BUILTIN_SIDE
  readonly height = BUILTIN_SIDE
  /** Made when the first record is asked for: most tabs never train on the digits, and these are eleven megabytes. */
  private made: { readonly drawn: Uint8Array, readonly features: Uint8Array, readonly labels: Uint8Array } | undefined

  private draw (index: number): { readonly features: Uint8Array, readonly labels: Uint8Array } {
    const { drawn, features, labels } = this.made ??= { drawn: new Uint8Array(this.records), features: new Uint8Array(this.records * BUILTIN_FEATURES), labels: new Uint8Array(this.records) }
    if (drawn[index] === 0) {
      const digit = digitRecord(index)
      features.set(digit.features, index * BUILTIN_FEATURES)
      labels[index] = digit.label
      drawn[index] = 1
    }
    return { features, labels }
  }

  features (index: number): Uint8Array {
    return this.draw(index).features.subarray(index * BUILTIN_FEATURES, (index + 1) * BUILTIN_FEATURES)
  }

  label (index: number): number {
    return this.draw(index).labels[index]
  }

  gather (indices: ArrayLike<number>): Batch { return gatherFrom(this, indices) }
}

export const builtinDataset = (): Dataset => new BuiltinDataset()
