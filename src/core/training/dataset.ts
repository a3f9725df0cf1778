/**
 * Data sets as every node holds them: u8 features and a class per record, training records first,
 * committed to by a merkle root over the records, so that any range can be fetched and proved.
 */
import { DATA_BUILTIN, DATA_REGISTERED, type DataRef } from '../codec/jobSpec.ts'
import { hash } from '../crypto/hash.ts'
import { merkleRoot } from '../crypto/merkle.ts'
import { BUILTIN_CLASSES, BUILTIN_FEATURES, BUILTIN_ROOT, BUILTIN_SIDE, BUILTIN_TEST, BUILTIN_TRAIN, digitRecord } from './digits.ts'

export interface Batch { readonly inputs: Uint8Array, readonly labels: Uint8Array }

export interface Dataset {
  readonly ref: DataRef
  /** Training and held-out records. */
  readonly records: number
  readonly classNames: readonly string[]
  /** Shape to draw a record in: features = channels * height * width, one row where it is no image. */
  readonly channels: number
  readonly width: number
  readonly height: number
  features(index: number): Uint8Array
  label(index: number): number
  /** Records in the order of `indices`: [indices.length, features] row major, and their classes. */
  gather(indices: ArrayLike<number>): Batch
}

const LABEL_BYTES = 1

export const recordLeaf = (features: Uint8Array, label: number): Uint8Array =>
  hash('record', Uint8Array.of(label), features)

export const datasetRoot = (leafHashes: readonly Uint8Array[]): Uint8Array => merkleRoot(leafHashes)

export function datasetLeaves (data: Dataset): Uint8Array[] {
  return Array.from({ length: data.records }, (_, i) => recordLeaf(data.features(i), data.label(i)))
}

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
  readonly channels: number
  readonly width: number
  readonly height: number
  private readonly allFeatures: Uint8Array
  private readonly allLabels: Uint8Array

  constructor (ref: DataRef, features: Uint8Array, labels: Uint8Array, display: Display) {
    this.ref = ref
    this.records = labels.length
    this.allFeatures = features
    this.allLabels = labels
    const shape = fits(ref.features, display.shape) ?? imageShape(ref.features)
    this.channels = ref.features / (shape.width * shape.height)
    this.width = shape.width
    this.height = shape.height
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
  /** Of one channel: there are as many channels as the features leave room for. */
  readonly shape?: PictureShape
}

/** A data set that is held whole and verified: `ref` is trusted to describe these bytes. */
export function heldDataset (ref: DataRef, features: Uint8Array, labels: Uint8Array, display: Display = {}): Dataset {
  if (labels.length !== ref.trainRecords + ref.testRecords || features.length !== labels.length * ref.features) throw new Error('records do not match their reference')
  return new MemoryDataset(ref, features, labels, display)
}

/** A data set that a user brings: the first `trainRecords` records train. Computes the root. */
export function newDataset (
  records: { readonly features: Uint8Array, readonly labels: Uint8Array, readonly trainRecords: number, readonly classes: number },
  display: Display = {}
): Dataset {
  const { features, labels, trainRecords, classes } = records
  const size = features.length / labels.length
  const leaves = Array.from(labels, (label, i) => recordLeaf(features.subarray(i * size, (i + 1) * size), label))
  const ref: DataRef = { source: DATA_REGISTERED, root: datasetRoot(leaves), trainRecords, testRecords: labels.length - trainRecords, features: size, classes }
  return heldDataset(ref, features, labels, display)
}

/** Bytes of one record on the wire and in storage: the class, then the features. */
export const recordBytes = (ref: Pick<DataRef, 'features'>): number => LABEL_BYTES + ref.features

/** Canonical bytes of records first..first+count-1. */
export function packRecords (data: Dataset, first: number, count: number): Uint8Array {
  const size = recordBytes(data.ref)
  const bytes = new Uint8Array(count * size)
  for (let i = 0; i < count; i++) {
    bytes[i * size] = data.label(first + i)
    bytes.set(data.features(first + i), i * size + LABEL_BYTES)
  }
  return bytes
}

export interface UnpackedRecords extends Batch { readonly leafHashes: Uint8Array[] }

/** Undefined unless `bytes` are whole records whose classes exist. */
export function unpackRecords (ref: Pick<DataRef, 'features' | 'classes'>, bytes: Uint8Array): UnpackedRecords | undefined {
  const size = recordBytes(ref)
  if (bytes.length === 0 || bytes.length % size !== 0) return undefined
  const count = bytes.length / size
  const inputs = new Uint8Array(count * ref.features)
  const labels = new Uint8Array(count)
  const leafHashes: Uint8Array[] = []
  for (let i = 0; i < count; i++) {
    const record = bytes.subarray(i * size, (i + 1) * size)
    if (record[0] >= ref.classes) return undefined
    labels[i] = record[0]
    inputs.set(record.subarray(LABEL_BYTES), i * ref.features)
    leafHashes.push(hash('record', record))
  }
  return { inputs, labels, leafHashes }
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
  private readonly drawn = new Uint8Array(this.records)
  private readonly allFeatures = new Uint8Array(this.records * BUILTIN_FEATURES)
  private readonly allLabels = new Uint8Array(this.records)

  private draw (index: number): void {
    if (this.drawn[index] === 1) return
    const { features, label } = digitRecord(index)
    this.allFeatures.set(features, index * BUILTIN_FEATURES)
    this.allLabels[index] = label
    this.drawn[index] = 1
  }

  features (index: number): Uint8Array {
    this.draw(index)
    return this.allFeatures.subarray(index * BUILTIN_FEATURES, (index + 1) * BUILTIN_FEATURES)
  }

  label (index: number): number {
    this.draw(index)
    return this.allLabels[index]
  }

  gather (indices: ArrayLike<number>): Batch { return gatherFrom(this, indices) }
}

export const builtinDataset = (): Dataset => new BuiltinDataset()
