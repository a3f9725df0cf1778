/** What the naive codec reads of the wire types of docs/protocol.md, section 3, and the names of things (section 2). */
import { deserialize, type Schema, serialize, SszError } from '../../support/naiveSsz.ts'
import { WIRE_SCHEMAS as WIRE } from '../../support/wireSchemas.ts'
import { H, sameBytes, u32 } from './bytes.ts'
import { MAX_SPEC_BYTES } from './numbers.ts'

export interface Template {
  readonly version: number, readonly chain: Uint8Array, readonly height: number, readonly parent: Uint8Array
  /** Unix ms. */
  readonly time: number
  readonly target: bigint, readonly bodyRoot: Uint8Array, readonly stateRoot: Uint8Array
  readonly miner: Uint8Array, readonly payee: Uint8Array, readonly job: Uint8Array, readonly round: number
  readonly seal: Uint8Array, readonly stateHash: Uint8Array, readonly randomness: Uint8Array
}
export interface Claim {
  readonly template: Template, readonly slice: number, readonly resultHash: Uint8Array, readonly payloadDigest: Uint8Array
  readonly payloadBytes: number, readonly signature: Uint8Array
}
export interface Seal {
  readonly job: Uint8Array, readonly round: number, readonly previous: Uint8Array, readonly anchor: Uint8Array
  readonly contributions: readonly Claim[], readonly stateHash: Uint8Array
}
export interface SignedSeal { readonly seal: Seal, readonly signatures: ReadonlyArray<{ readonly member: number, readonly signature: Uint8Array }> }
export interface PostJob { readonly spec: Uint8Array, readonly escrow: bigint, readonly pricePerContribution: bigint, readonly burn: bigint, readonly deadline: number }
export interface Redeem {
  readonly epoch: number
  readonly receipts: ReadonlyArray<{ readonly from: Uint8Array, readonly infoHash: Uint8Array, readonly bytes: number, readonly signature: Uint8Array }>
}
export type Action =
  | { readonly selector: 0, readonly value: null }
  | { readonly selector: 1, readonly value: { readonly to: Uint8Array, readonly amount: bigint } }
  | { readonly selector: 2, readonly value: PostJob }
  | { readonly selector: 3, readonly value: { readonly job: Uint8Array } }
  | { readonly selector: 4, readonly value: { readonly grains: bigint } }
  | { readonly selector: 5, readonly value: Redeem }
export interface Transaction { readonly chain: Uint8Array, readonly from: Uint8Array, readonly nonce: number, readonly fee: bigint, readonly action: Action }
export interface SignedTransaction { readonly transaction: Transaction, readonly signature: Uint8Array }
export interface Body { readonly transactions: readonly SignedTransaction[], readonly seals: readonly SignedSeal[] }
export interface Block { readonly header: Claim, readonly body: Body }
export interface Op {
  readonly kind: number, readonly a: number, readonly b: number, readonly relu: number, readonly units: number
  readonly kernel: number, readonly stride: number, readonly padding: number, readonly groups: number
}
export interface Spec {
  readonly name: Uint8Array, readonly channels: number, readonly height: number, readonly width: number, readonly ops: Op[]
  readonly operandBits: number, readonly optimiser: number, readonly lr20: number, readonly schedule: number, readonly batch: number
  readonly stepsPerSlice: number, readonly inputNoise: number, readonly seed: Uint8Array, readonly rounds: number
  readonly data: { readonly source: number, readonly root: Uint8Array, readonly trainRecords: number, readonly testRecords: number, readonly features: number, readonly classes: number }
}

/** A value, or why the bytes are not the one encoding of one. */
export type Read<T> = { readonly value: T } | { readonly wrong: string }

/** Strict: all the bytes, and the same ones when encoded again. */
export function readStrictly<T> (schema: Schema, from: Uint8Array): Read<T> {
  let value: unknown
  try {
    value = deserialize(schema, from)
  } catch (e) {
    if (e instanceof SszError) return { wrong: e.message }
    throw e
  }
  return sameBytes(serialize(schema, value), from) ? { value: value as T } : { wrong: 'the bytes do not re-encode to themselves' }
}

export const readBlock = (from: Uint8Array): Read<Block> => readStrictly<Block>(WIRE.Block, from)
export const readSpec = (from: Uint8Array): Read<Spec> => from.length > MAX_SPEC_BYTES ? { wrong: `${from.length} bytes` } : readStrictly<Spec>(WIRE.JobSpec, from)

const CLAIM_BYTES = 506
const CLAIM_UNSIGNED_BYTES = CLAIM_BYTES - 64

export const bodyBytes = (body: Body): Uint8Array => serialize(WIRE.Body, body)
export const bodyRoot = (body: Body): Uint8Array => H('body', bodyBytes(body))

/** The name of a value that never changes: hashed once. */
function once<T extends object> (name: (value: T) => Uint8Array): (value: T) => Uint8Array {
  const known = new WeakMap<T, Uint8Array>()
  return value => {
    const digest = known.get(value) ?? name(value)
    known.set(value, digest)
    return digest
  }
}

export const templateHash = once<Template>(template => H('template', serialize(WIRE.Template, template)))
export const claimId = once<Claim>(claim => H('claim', serialize(WIRE.Claim, claim).subarray(0, CLAIM_UNSIGNED_BYTES)))
export const sealHash = once<Seal>(seal => H('seal', serialize(WIRE.Seal, seal)))
export const transactionId = once<Transaction>(transaction => H('transaction', serialize(WIRE.Transaction, transaction)))
/** What the signer of a receipt that `to` redeems has signed. */
export const receiptMessage = (chain: Uint8Array, to: Uint8Array, epoch: number, r: Redeem['receipts'][number]): Uint8Array =>
  H('receipt', serialize(WIRE.Receipt, { chain, from: r.from, to, infoHash: r.infoHash, epoch, bytes: r.bytes }))
export const ticketOf = (claim: Claim, z: Uint8Array): Uint8Array => H('ticket', z, u32(claim.slice), claim.resultHash, claim.payloadDigest)
export const specHash = (spec: Uint8Array): Uint8Array => H('spec', spec)
export const jobId = (spec: Uint8Array, owner: Uint8Array, nonce: number): Uint8Array => H('job', specHash(spec), owner, u32(nonce))
