/**
 * The canonical job spec: integers and bytes only. `training/jobJson.ts` turns the JSON of a job
 * file into it; its serialization is what the job's hash commits to.
 */
import { ContainerType, ListBasicType, type ValueOf } from '@chainsafe/ssz'
import { MAX_LAYERS, MAX_SPEC_BYTES } from '../params.ts'
import { byteList, Bytes32, type Decoded, decode, U16, U32, U8 } from './ssz.ts'

export const MODEL_MLP = 0
export const OPTIMISER_L1_ADAM = 0
/** Learning rate: constant, or falling linearly to a twentieth at the last round. */
export const SCHEDULE_CONSTANT = 0
export const SCHEDULE_LINEAR = 1
/** Where the records come from: the built-in procedural digits, or bytes that peers hold. */
export const DATA_BUILTIN = 0
export const DATA_REGISTERED = 1

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

export const JobSpec = new ContainerType({
  /** UTF-8, for people. */
  name: byteList(64),
  model: U8,
  /** Widths: input, hidden layers, output. */
  layers: new ListBasicType(U16, MAX_LAYERS + 1),
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
export type JobSpec = ValueOf<typeof JobSpec>

export const encodeJobSpec = (spec: JobSpec): Uint8Array => JobSpec.serialize(spec)
export const decodeJobSpec = (bytes: Uint8Array): Decoded<JobSpec> => decode(JobSpec, bytes, MAX_SPEC_BYTES)
