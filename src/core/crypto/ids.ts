/** The 32-byte names of things: what is hashed under which tag, and so what a signature signs. */
import { encodeJobSpec, type JobSpec } from '../codec/jobSpec.ts'
import { Note, Receipt } from '../codec/library.ts'
import { Body, Claim, type Proposal, Seal, Template, Transaction, type Vouch } from '../codec/wire.ts'
import { SIGNATURE_BYTES } from '../params.ts'
import { hash, u32le } from './hash.ts'

/** Values never change in place, so what they hash to is kept beside them: a node asks for it many times. */
function kept<K extends object> (of: (value: K) => Uint8Array): (value: K) => Uint8Array {
  const known = new WeakMap<K, Uint8Array>()
  return value => {
    let id = known.get(value)
    if (id === undefined) known.set(value, id = of(value))
    return id
  }
}

/** A claim without its signature: what its id commits to. All fields are of fixed size. */
export function claimBytes (claim: Claim): Uint8Array {
  const bytes = Claim.serialize(claim)
  return bytes.subarray(0, bytes.length - SIGNATURE_BYTES)
}

/** claimId() of a claim's bytes, signature and all. */
export const claimBytesId = (bytes: Uint8Array): Uint8Array => hash('claim', bytes.subarray(0, bytes.length - SIGNATURE_BYTES))

/** Block hash and contribution id in one; template.miner signs it. */
export const claimId = kept((claim: Claim) => hash('claim', claimBytes(claim)))

/** z: keys the noise of the slice. */
export const templateHash = kept((template: Template) => hash('template', Template.serialize(template)))

/** The lottery value of a slice. */
export const ticket = kept((claim: Claim) =>
  hash('ticket', templateHash(claim.template), u32le(claim.slice), claim.resultHash, claim.payloadDigest))

/** Members of the committee sign it. */
export const sealHash = kept((seal: Seal) => hash('seal', Seal.serialize(seal)))

/** tx.from signs it. */
export const transactionId = kept((tx: Transaction) => hash('transaction', Transaction.serialize(tx)))

export const bodyRoot = kept((body: Body) => hash('body', Body.serialize(body)))

export const vouchMessage = kept((v: Pick<Vouch, 'job' | 'contribution' | 'member'>) =>
  hash('vouch', v.job, v.contribution, v.member))

export const proposalMessage = (p: Pick<Proposal, 'seal' | 'proposer'>): Uint8Array =>
  hash('proposal', sealHash(p.seal), p.proposer)

export const specHash = (spec: JobSpec): Uint8Array => hash('spec', encodeJobSpec(spec))

/** `owner` and `nonce` are those of the transaction that posts the job; zeros for the benchmark. */
export const jobId = (spec: Uint8Array, owner: Uint8Array, nonce: number): Uint8Array =>
  hash('job', spec, owner, u32le(nonce))

/** note.publisher signs it. */
export const noteMessage = (note: Note): Uint8Array => hash('library-note', Note.serialize(note))

/** receipt.from signs it. */
export const receiptMessage = (receipt: Receipt): Uint8Array => hash('receipt', Receipt.serialize(receipt))
