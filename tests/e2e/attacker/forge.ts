/** What the attacker makes: blocks that keep every rule but one, with tickets that win all the same. */
import { toHex } from '../../../src/core/codec/ssz.ts'
import { ACTION_TRANSFER, type Block, type Body, type Claim, type SignedTransaction, type Template } from '../../../src/core/codec/wire.ts'
import { assembleBlock } from '../../../src/core/consensus/assemble.ts'
import { type BlockMeta, chainId } from '../../../src/core/consensus/chain.ts'
import { ticketWins } from '../../../src/core/consensus/target.ts'
import { bodyRoot, claimId, ticket, transactionId } from '../../../src/core/crypto/ids.ts'
import { publicKey, sign } from '../../../src/core/crypto/keys.ts'
import { findJob, type JobRecord } from '../../../src/core/ledger/state.ts'
import { type ChainParams, SIGNATURE_BYTES } from '../../../src/core/params.ts'
import { sliceCost } from '../../../src/core/training/cost.ts'
import { payloadSize } from '../../../src/core/training/payload.ts'

export interface KeyPair { readonly seed: Uint8Array, readonly key: Uint8Array }

export const random = (n: number): Uint8Array => crypto.getRandomValues(new Uint8Array(n))

export function newKey (): KeyPair {
  const seed = random(32)
  return { seed, key: publicKey(seed) }
}

const TRIES = 1_000_000
/** The order of the group of ed25519, little-endian. */
const GROUP_ORDER = (1n << 252n) + 27742317777372353535851937790883648493n

export interface Made { readonly template: Template, readonly body: Body, readonly job: JobRecord }

/** What an honest miner would work on, on top of `tip`. */
export function honest (params: ChainParams, tip: BlockMeta, miner: KeyPair, body: Partial<Body> = {}): Made {
  const { template, body: made, job } = assembleBlock(params, tip, { transactions: body.transactions ?? [], seals: body.seals ?? [], miner: miner.key, payee: miner.key, timeMs: Date.now() })
  return { template, body: made, job }
}

/** The same block around another body; what the body does to the ledger is left as it was. */
export function withBody (made: Made, body: Body): Made {
  return { ...made, body, template: { ...made.template, bodyRoot: bodyRoot(body) } }
}

export type Part = 'resultHash' | 'payloadDigest' | 'time'

/** A claim whose ticket wins, found by trying values of one field that nobody computed. */
export function grind (made: Made, fixed: Partial<Pick<Claim, 'slice' | 'resultHash' | 'payloadDigest'>>, part: Part): Claim {
  let claim: Claim = {
    template: made.template,
    slice: 0,
    resultHash: random(32),
    payloadDigest: random(32),
    payloadBytes: payloadSize(made.job.spec),
    signature: new Uint8Array(SIGNATURE_BYTES),
    ...fixed
  }
  const cost = sliceCost(made.job.spec)
  for (let i = 0; i < TRIES; i++) {
    // Another object each time: ids are kept beside the values they are of.
    const { template } = claim
    claim = part === 'time' ? { ...claim, template: { ...template, time: template.time + 1 } } : { ...claim, [part]: random(32) }
    if (ticketWins(template.target, cost, ticket(claim))) return claim
  }
  throw new Error('no ticket wins')
}

export const wins = (claim: Claim, job: JobRecord): boolean => ticketWins(claim.template.target, sliceCost(job.spec), ticket(claim))

export const signed = (claim: Claim, miner: KeyPair): Claim => ({ ...claim, signature: sign(miner.seed, claimId(claim)) })

/** The same signature for whoever does not look whether S is below the group's order. */
export function nonCanonical (signature: Uint8Array): Uint8Array {
  let s = BigInt(`0x${toHex(signature.slice(32).reverse())}`) + GROUP_ORDER
  const out = signature.slice()
  for (let i = 32; i < 64; i++, s >>= 8n) out[i] = Number(s & 255n)
  return out
}

export function transfer (tip: BlockMeta, from: KeyPair, to: Uint8Array, amount: bigint, fee: bigint, nonce: number): SignedTransaction {
  const transaction = { chain: chainId(tip), from: from.key, nonce, fee, action: { selector: ACTION_TRANSFER, value: { to, amount } } }
  return { transaction, signature: sign(from.seed, transactionId(transaction)) }
}

/** The job of a stolen header, for its cost. */
export function jobOf (tip: BlockMeta, claim: Claim): JobRecord {
  const job = findJob(tip.ledger, claim.template.job)
  if (job === undefined) throw new Error('the job of a header is not in the ledger')
  return job
}

export const blockOf = (made: Made, header: Claim): Block => ({ header, body: made.body })
