/**
 * The canonical job spec: integers and bytes only. `training/jobJson.ts` turns the JSON of a job
 * file into it; its serialization is what the job's hash commits to.
 */
import { ContainerType, ListCompositeType, type ValueOf } from '@chainsafe/ssz'
import { MAX_OPS, MAX_SPEC_BYTES } from '../params.ts'
import { byteList, Bytes32, type Decoded, decode, U16, U32, U8 } from './ssz.ts'

export const OPTIMISER_L1_ADAM = 0
/** Learning rate: constant, or falling linearly to a twentieth at the last round. */
export const SCHEDULE_CONSTANT = 0
export const SCHEDULE_LINEAR = 1
/** Where the records come from: the built-in procedural digits, or bytes that peers hold. */
export const DATA_BUILTIN = 0
export const DATA_REGISTERED = 1

/** Operations of a model (docs/exact.md, section 3). */
export const OP_DENSE = 0
export const OP_CONV = 1
export const OP_MAX_POOL = 2
export const OP_AVERAGE_POOL = 3
export const OP_ADD = 4
export const OP_NORM = 5
export const OP_SCORES = 6
export const OP_SOFTMAX = 7
export const OP_APPLY = 8

export const DataRef = new ContainerType({
  source: U8,
  /** Merkle root over the records (training/dataset.ts). */
  root: Bytes32,
  /** The first `trainRecords` records train, the rest are held out for evaluation. */
  trainRecords: U32,
  testRecords: U32,
  /** u8 features of one record. */
  features: U16,
  classes: U16
})

/**
 * One operation. Tensor 0 is the input and operation i writes tensor i + 1; the last one writes the
 * logits. A field that the kind does not use is 0.
 */
export const Op = new ContainerType({
  kind: U8,
  /** The tensor it reads, and the second one of an addition, of scores and of their application. */
  a: U8,
  b: U8,
  /** 1: negative sums become 0. */
  relu: U8,
  /** Units of a dense layer, output channels of a convolution. */
  units: U16,
  /** Side of the window, its step (of a softmax: log2 of what it divides by), and the zeros around the input. */
  kernel: U8,
  stride: U8,
  padding: U8,
  /** Groups of a convolution: inputs and outputs fall into so many groups that do not mix. */
  groups: U16
})

export const JobSpec = new ContainerType({
  /** UTF-8, for people. */
  name: byteList(64),
  /** A record's features are [channels, height, width], row major. */
  channels: U16,
  height: U16,
  width: U16,
  ops: new ListCompositeType(Op, MAX_OPS),
  /** Operand width in bits (EXACT 9); 8 is the only one yet. */
  operandBits: U8,
  optimiser: U8,
  /** Learning rate times 2^20, 1..65535. */
  lr20: U32,
  schedule: U8,
  batch: U16,
  stepsPerSlice: U16,
  /** Input noise is uniform in [-A, A), A a power of two up to 32 (EXACT 7). */
  inputNoise: U8,
  /** Keys S_0. */
  seed: Bytes32,
  rounds: U32,
  data: DataRef
})

export type DataRef = ValueOf<typeof DataRef>
export type Op = ValueOf<typeof Op>
export type JobSpec = ValueOf<typeof JobSpec>
/** What a job spec says about the model itself. */
export type Model = Pick<JobSpec, 'channels' | 'height' | 'width' | 'ops'>

export const encodeJobSpec = (spec: JobSpec): Uint8Array => JobSpec.serialize(spec)
export const decodeJobSpec = (bytes: Uint8Array): Decoded<JobSpec> => decode(JobSpec, bytes, MAX_SPEC_BYTES)
