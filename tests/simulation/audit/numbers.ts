/**
 * The numbers of the rules, once more: those of a network come from its parameters, the others are
 * copied from what docs/protocol.md names. A wrong one gives another genesis hash, or refuses.
 */

/** What a network chooses; docs/protocol.md, section 4, lists them. */
export interface AuditParams {
  readonly name: string
  readonly blockIntervalMs: number
  readonly retargetWindow: number
  readonly genesisTarget: bigint
  readonly maxTarget: bigint
  /** How far a block's time may be ahead of a clock, ms; each node's own affair, and not in the genesis hash. */
  readonly futureMs: number
  readonly rhoDelay: number
  readonly committeeBlocks: number
  readonly anchorAgeMax: number
  readonly randomnessAgeMax: number
  /** Blocks until a credit can be spent. */
  readonly maturity: number
  /** Grains. */
  readonly subsidy: bigint
  readonly halvingBlocks: number
  readonly minerCountBlocks: number
  /** Grains. */
  readonly minFee: bigint
  /** Cost units. */
  readonly minSliceCost: number
  readonly cancelDelay: number
  readonly epochBlocks: number
}

export const VERSION = 1
export const MAX_CONTRIBUTIONS = 32
export const MAX_CONTRIBUTION_SLICES = 4
export const MAX_SEALS = 32
export const MAX_TRANSACTIONS = 256
export const MAX_BODY_BYTES = 786_432
export const MAX_SPEC_BYTES = 1024
export const MAX_ACTIVE_JOBS = 4
export const MAX_ENDED_JOBS = 32
export const MAX_WAITING_BLOCKS = 360
export const MIN_DEADLINE = 5
export const MAX_DEADLINE = 200_000
export const COST_PER_PARAMETER = 96
export const COST_PER_CONV_MAC = 1
export const COST_PER_WINDOW_ELEMENT = 24
export const COST_PER_POOL_ELEMENT = 4
export const COST_PER_INPUT_ELEMENT = 32
export const COST_PER_ELEMENT = 96
export const MAX_SLICE_COST = 8_000_000_000
/** Of a job's contributions that may be offered: all, and the fewest, of 65,536. */
export const OFFER_WHOLE = 65_536
export const OFFER_LEAST = 16
/** Of the subsidy, in 1/256. */
export const CONTRIBUTION_SHARE = 64
/** Of the draws, in 1/256. */
export const JOB_DRAW_CAP = 192
/** Grains. */
export const SEED_PRICE_PER_MIB = 1000n
/** Of what a receipt takes, in 1/256. */
export const SEED_BURN_SHARE = 32n
export const REDEEM_BYTES_LEAST = 1_048_576
export const MAX_RECEIPTS_PER_BLOCK = 512
export const MAX_RECEIPTS_PER_POT = 64
export const COUNTER_HALVING_EPOCHS = 16

/** The text whose hash is block 0. */
export function genesisText (p: AuditParams, specHash: string): string {
  const lines: ReadonlyArray<readonly [string, string | number | bigint]> = [
    ['version', VERSION], ['name', p.name], ['blockIntervalMs', p.blockIntervalMs], ['retargetWindow', p.retargetWindow],
    ['genesisTarget', p.genesisTarget], ['maxTarget', p.maxTarget], ['rhoDelay', p.rhoDelay],
    ['committeeBlocks', p.committeeBlocks], ['anchorAgeMax', p.anchorAgeMax], ['randomnessAgeMax', p.randomnessAgeMax],
    ['maturity', p.maturity], ['subsidy', p.subsidy], ['halvingBlocks', p.halvingBlocks], ['minerCountBlocks', p.minerCountBlocks],
    ['minFee', p.minFee], ['minSliceCost', p.minSliceCost], ['cancelDelay', p.cancelDelay], ['epochBlocks', p.epochBlocks],
    ['maxContributionsPerSeal', MAX_CONTRIBUTIONS], ['maxContributionSlices', MAX_CONTRIBUTION_SLICES], ['offerShareLeast', OFFER_LEAST], ['maxSealsPerBlock', MAX_SEALS],
    ['maxTransactionsPerBlock', MAX_TRANSACTIONS], ['maxBodyBytes', MAX_BODY_BYTES], ['maxActiveJobs', MAX_ACTIVE_JOBS],
    ['maxWaitingBlocks', MAX_WAITING_BLOCKS], ['maxEndedJobs', MAX_ENDED_JOBS], ['costPerParameter', COST_PER_PARAMETER], ['costPerConvMac', COST_PER_CONV_MAC],
    ['costPerWindowElement', COST_PER_WINDOW_ELEMENT], ['costPerPoolElement', COST_PER_POOL_ELEMENT],
    ['costPerInputElement', COST_PER_INPUT_ELEMENT], ['costPerElement', COST_PER_ELEMENT], ['maxSliceCost', MAX_SLICE_COST],
    ['contributionSubsidyShare', CONTRIBUTION_SHARE], ['jobDrawCap', JOB_DRAW_CAP], ['seedPricePerMib', SEED_PRICE_PER_MIB], ['seedBurnShare', SEED_BURN_SHARE],
    ['redeemBytesLeast', REDEEM_BYTES_LEAST], ['maxReceiptsPerPot', MAX_RECEIPTS_PER_POT], ['maxReceiptsPerBlock', MAX_RECEIPTS_PER_BLOCK], ['counterHalvingEpochs', COUNTER_HALVING_EPOCHS], ['benchmark', specHash]
  ]
  return lines.map(([name, value]) => `${name}=${value}\n`).join('')
}

/** Grains that block h may issue at most. */
export const subsidyAt = (p: AuditParams, h: number): bigint => p.subsidy >> BigInt(Math.floor(h / p.halvingBlocks))

/** Grains that blocks 1..h may have issued at most. */
export function scheduleUpTo (p: AuditParams, h: number): bigint {
  let sum = 0n
  for (let from = 1; from <= h;) {
    const next = (Math.floor(from / p.halvingBlocks) + 1) * p.halvingBlocks
    const to = Math.min(h, next - 1)
    sum += subsidyAt(p, from) * BigInt(to - from + 1)
    from = to + 1
  }
  return sum
}
