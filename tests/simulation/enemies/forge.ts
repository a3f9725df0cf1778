/** Blocks whose tickets were found by hashing alone: every rule but the replay holds for them. */
import type { Block, Claim } from '../../../src/core/codec/wire.ts'
import { assembleBlock } from '../../../src/core/consensus/assemble.ts'
import type { BlockMeta } from '../../../src/core/consensus/chain.ts'
import { extendHeader } from '../../../src/core/consensus/header.ts'
import { ticketWins } from '../../../src/core/consensus/target.ts'
import { hash, u32le } from '../../../src/core/crypto/hash.ts'
import { claimId, ticket } from '../../../src/core/crypto/ids.ts'
import { publicKey } from '../../../src/core/crypto/keys.ts'
import { type ChainParams, SIGNATURE_BYTES } from '../../../src/core/params.ts'
import { sliceCost } from '../../../src/core/training/cost.ts'
import { payloadSize } from '../../../src/core/training/payload.ts'
import { nativeKeyOf } from '../remember.ts'

export function forgeBlock (params: ChainParams, parent: BlockMeta, seed: Uint8Array, timeMs: number): { readonly block: Block, readonly meta: BlockMeta } {
  const { template, body, job, ledger } = assembleBlock(params, parent, { transactions: [], seals: [], miner: publicKey(seed), payee: publicKey(seed), timeMs })
  const cost = sliceCost(job.spec)
  for (let i = 0; ; i++) {
    const result = hash('enemy-forged', seed, u32le(i))
    const unsigned: Claim = { template, slice: 0, resultHash: result, payloadDigest: result, payloadBytes: payloadSize(job.spec), signature: new Uint8Array(SIGNATURE_BYTES) }
    if (!ticketWins(template.target, cost, ticket(unsigned))) continue
    const header = { ...unsigned, signature: nativeKeyOf(seed).sign(claimId(unsigned)) }
    return { block: { header, body }, meta: { ...extendHeader(parent, header), parent, ledger } }
  }
}
