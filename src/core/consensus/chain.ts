/** A block in its chain: what every rule about ancestors walks on. */
import type { JobSpec } from '../codec/jobSpec.ts'
import { compareBytes, equalBytes, toHex, ZERO32 } from '../codec/ssz.ts'
import type { Claim } from '../codec/wire.ts'
import { ascii, hash } from '../crypto/hash.ts'
import { jobId, specHash } from '../crypto/ids.ts'
import { emptyLedger, ledgerRoot, type LedgerState } from '../ledger/state.ts'
import * as P from '../params.ts'
import { benchmarkSpec } from '../training/benchmark.ts'
import { initialState } from '../training/init.ts'
import { stateHash } from '../training/stateHash.ts'

/** As much of a block as its header gives. */
export interface HeaderMeta {
  readonly hash: Uint8Array
  readonly header: Claim
  readonly height: number
  /** Of this block and all before it. */
  readonly work: bigint
  readonly rho: Uint8Array
  readonly ticket: Uint8Array
  /** Absent for genesis. */
  readonly parent?: HeaderMeta
}

export interface BlockMeta extends HeaderMeta {
  /** After this block. */
  readonly ledger: LedgerState
  readonly parent?: BlockMeta
}

/** 256-bit big-endian. */
export const bytesToNumberBE = (bytes: Uint8Array): bigint => BigInt(`0x${toHex(bytes)}`)

export const nextRho = (rho: Uint8Array, ticket: Uint8Array): Uint8Array => hash('rho', rho, ticket)

/** Undefined below what is kept or above the block itself. */
export function ancestor<M extends HeaderMeta> (meta: M, height: number): M | undefined {
  let m: M | undefined = meta
  while (m !== undefined && m.height > height) m = m.parent as M | undefined
  return m?.height === height ? m : undefined
}

export function isAncestor (of: HeaderMeta, candidate: HeaderMeta): boolean {
  const m = ancestor(of, candidate.height)
  return m !== undefined && equalBytes(m.hash, candidate.hash)
}

/**
 * Positive when `a` is the better chain: more work, then the lower ticket at the tip, then the lower
 * hash. The ticket decides before the network does: being heard first gains nothing.
 */
export function compareChains (a: HeaderMeta, b: HeaderMeta): number {
  if (a.work !== b.work) return a.work > b.work ? 1 : -1
  const tickets = compareBytes(b.ticket, a.ticket)
  return tickets !== 0 ? tickets : compareBytes(b.hash, a.hash)
}

/** Every number the rules depend on, as text: two networks that differ in one share no genesis. */
export function genesisText (params: P.ChainParams, benchmark: JobSpec): string {
  const rules: Array<readonly [string, string | number | bigint]> = [
    ['version', P.PROTOCOL_VERSION],
    ['name', params.name],
    ['blockIntervalMs', params.blockIntervalMs],
    ['retargetWindow', params.retargetWindow],
    ['genesisTarget', params.genesisTarget],
    ['maxTarget', params.maxTarget],
    ['rhoDelay', params.rhoDelay],
    ['committeeBlocks', params.committeeBlocks],
    ['anchorAgeMax', params.anchorAgeMax],
    ['randomnessAgeMax', params.randomnessAgeMax],
    ['maturity', params.maturity],
    ['subsidy', params.subsidy],
    ['halvingBlocks', params.halvingBlocks],
    ['minerCountBlocks', params.minerCountBlocks],
    ['minFee', params.minFee],
    ['minSliceCost', params.minSliceCost],
    ['cancelDelay', params.cancelDelay],
    ['epochBlocks', params.epochBlocks],
    ['maxContributionsPerSeal', P.MAX_CONTRIBUTIONS_PER_SEAL],
    ['maxContributionSlices', P.MAX_CONTRIBUTION_SLICES],
    ['offerShareLeast', P.OFFER_SHARE_LEAST],
    ['maxSealsPerBlock', P.MAX_SEALS_PER_BLOCK],
    ['maxTransactionsPerBlock', P.MAX_TRANSACTIONS_PER_BLOCK],
    ['maxBodyBytes', P.MAX_BODY_BYTES],
    ['maxActiveJobs', P.MAX_ACTIVE_JOBS],
    ['maxWaitingBlocks', P.MAX_WAITING_BLOCKS],
    ['maxEndedJobs', P.MAX_ENDED_JOBS],
    ['costPerParameter', P.COST_PER_PARAMETER],
    ['costPerConvMac', P.COST_PER_CONV_MAC],
    ['costPerWindowElement', P.COST_PER_WINDOW_ELEMENT],
    ['costPerPoolElement', P.COST_PER_POOL_ELEMENT],
    ['costPerInputElement', P.COST_PER_INPUT_ELEMENT],
    ['costPerElement', P.COST_PER_ELEMENT],
    ['maxSliceCost', P.MAX_SLICE_COST],
    ['contributionSubsidyShare', P.CONTRIBUTION_SUBSIDY_SHARE],
    ['jobDrawCap', P.JOB_DRAW_CAP],
    ['seedPricePerMib', P.SEED_PRICE_PER_MIB],
    ['seedBurnShare', P.SEED_BURN_SHARE],
    ['redeemBytesLeast', P.REDEEM_BYTES_LEAST],
    ['maxReceiptsPerPot', P.MAX_RECEIPTS_PER_POT],
    ['maxReceiptsPerBlock', P.MAX_RECEIPTS_PER_BLOCK],
    ['counterHalvingEpochs', P.COUNTER_HALVING_EPOCHS],
    ['benchmark', toHex(specHash(benchmark))]
  ]
  return rules.map(([name, value]) => `${name}=${value}\n`).join('')
}

function buildGenesis (params: P.ChainParams, spec: JobSpec): BlockMeta {
  const chain = hash('genesis', ascii(genesisText(params, spec)))
  const id = jobId(specHash(spec), ZERO32, 0)
  const state = stateHash(initialState(spec))
  const ledger = emptyLedger({ id, spec, stateHash: state })
  const rho = hash('rho', chain)
  const header: Claim = {
    template: {
      version: P.PROTOCOL_VERSION,
      chain,
      height: 0,
      parent: ZERO32,
      time: 0,
      target: params.genesisTarget,
      bodyRoot: ZERO32,
      stateRoot: ledgerRoot(ledger),
      miner: ZERO32,
      payee: ZERO32,
      job: id,
      round: 0,
      seal: ZERO32,
      stateHash: state,
      randomness: rho
    },
    slice: 0,
    resultHash: ZERO32,
    payloadDigest: ZERO32,
    payloadBytes: 0,
    signature: new Uint8Array(P.SIGNATURE_BYTES)
  }
  return { hash: chain, header, height: 0, work: 0n, rho, ticket: ZERO32, ledger }
}

const genesisOf = new WeakMap<P.ChainParams, WeakMap<JobSpec, BlockMeta>>()

/** Block 0: nobody made it, its hash names the network. `benchmark` differs only in tests. */
export function genesis (params: P.ChainParams, benchmark: JobSpec = benchmarkSpec): BlockMeta {
  const known = genesisOf.get(params) ?? new WeakMap<JobSpec, BlockMeta>()
  genesisOf.set(params, known)
  const block = known.get(benchmark) ?? buildGenesis(params, benchmark)
  known.set(benchmark, block)
  return block
}

/** Genesis hash of the network a block belongs to. */
export const chainId = (meta: HeaderMeta): Uint8Array => meta.header.template.chain
