/**
 * Every consensus number, with its unit, its reason, and the relations that must hold between them.
 * Two networks share the code: `main` is what `npm start` serves; `test` is the same rules on a
 * faster clock, so that a test in real tabs ends in seconds.
 */

/** Protocol version written into every template; a node ignores what it does not know. */
export const PROTOCOL_VERSION = 1

/** One credit is a million grains: the ledger knows grains only. */
export const GRAINS_PER_CREDIT = 1_000_000n

/** Hash sizes and key sizes are bytes. */
export const HASH_BYTES = 32
export const SIGNATURE_BYTES = 64

/** Contributions one seal can carry. */
export const MAX_CONTRIBUTIONS_PER_SEAL = 32
/** Slices s = 0..S_MAX-1 of a (key, job, round) may become contributions; later slices only mine. */
export const MAX_CONTRIBUTION_SLICES = 4
/**
 * A job's offer share, of 65,536: how much of what the count of miners lets through may be offered. A
 * full seal lowers it by a sixteenth, one that is not a quarter full raises it by one. A draw lies ten to
 * twenty rounds behind the seals (rhoDelay, the way into a block): with larger steps, or with less room
 * between the two, it swings (tests/core/ledger/offerShare.test.ts). From the whole to what 2,000 miners
 * need takes 55 rounds. The least still moves by one.
 */
export const OFFER_SHARE_WHOLE = 65_536
export const OFFER_SHARE_LEAST = 16
/** Seals one block body can carry; supervisors stop at half of it until a block comes. */
export const MAX_SEALS_PER_BLOCK = 32
/** Off-chain seals a committee will stack on top of the newest on-chain seal of a job. */
export const MAX_PENDING_SEALS = 16
/** Transactions one block body can carry. */
export const MAX_TRANSACTIONS_PER_BLOCK = 256
/** Serialized block body, bytes. */
export const MAX_BODY_BYTES = 768 * 1024
/** Serialized job spec, bytes. */
export const MAX_SPEC_BYTES = 1024
/** Jobs that are active (or waiting for data) at once, the benchmark aside. */
export const MAX_ACTIVE_JOBS = 4
/**
 * Blocks a posted job may wait until the committee holds its data; then it ends and refunds, so
 * that jobs whose data nobody can get do not fill the table. An hour on the main network.
 */
export const MAX_WAITING_BLOCKS = 360
/**
 * Ended jobs that stay readable in the table: their owners come for the model, and auditors need their spec
 * until what was sealed is ripe (paramErrors).
 */
export const MAX_ENDED_JOBS = 32

/** Operations of one model: bounds a spec (11 bytes each) and the range of exponents. */
export const MAX_OPS = 32
/** Operations that may read one tensor: their errors are added up. */
export const MAX_CONSUMERS = 4
/** Side and stride of a window, and zeros around an input. */
export const MAX_KERNEL = 64
export const MAX_PADDING = 16
/** Elements of one tensor for a whole batch: bounds the memory of a slice. */
export const MAX_TENSOR_ELEMENTS = 4 * 1024 * 1024
/** Elements of all its tensors for a whole batch. */
export const MAX_MODEL_ELEMENTS = 8 * 1024 * 1024
/**
 * Windows that lie over one element of the input, on average. More of a pool cost by the window while
 * a running maximum costs by the element; more of a convolution are done faster by transforms.
 */
export const MAX_CONV_OVERLAP = 64
export const MAX_POOL_OVERLAP = 9
/** One in so many products of a convolution must not be with the zeros around its input: those are priced at nothing. */
export const MAX_PADDED_SHARE = 4
/** One in so many elements of a tensor must be read, by one operation: the others need not be known. */
export const MAX_UNREAD_SHARE = 2
/** Terms of a weight's gradient (batch x positions), and of an input's error (units x window); 133,144 is where an int8 sum could wrap (EXACT 5). */
export const MAX_SUM_TERMS = 131_072
/** Inputs and outputs of any layer: terms of a forward or error sum. */
export const MAX_LAYER_WIDTH = 4096
/** Parameters of one model. Bounds a payload (1 byte each) and a state (4 bytes each). */
export const MAX_PARAMETERS = 1_000_000
/** Batch sizes: below 16 the fixed cost of a step dominates and its MACs are mispriced. */
export const MIN_BATCH = 16
export const MAX_BATCH = 256
/** Local steps of one slice. */
export const MAX_STEPS_PER_SLICE = 512
/** Records of a data set, and bytes of one record's features. */
export const MAX_RECORDS = 200_000
export const MAX_FEATURES = 4096
export const MAX_CLASSES = 256
/** Features of one data set in all, bytes: every full node holds it. */
export const MAX_DATASET_BYTES = 64 * 1024 * 1024
/** Rounds a job may ask for. */
export const MAX_ROUNDS = 100_000

/**
 * Cost of one slice, in cost units (MACs, and parameters for what is done once per weight; docs/security.md, section 2). A MAC
 * of a dense layer is one unit; see training/cost.ts for the sum. The constants are measured by
 * `npm run bench -- --only attacks`: nanoseconds per thing over nanoseconds per MAC.
 */
export const COST_PER_PARAMETER = 96
/** A MAC of a convolution, an element of the windows it gathers, one of a pool's windows each way. */
export const COST_PER_CONV_MAC = 1
export const COST_PER_WINDOW_ELEMENT = 24
export const COST_PER_POOL_ELEMENT = 4
/** An element of the input, and of any other tensor. */
export const COST_PER_INPUT_ELEMENT = 32
export const COST_PER_ELEMENT = 96
/** A slice costs at most this: about a quarter of a second on the reference device, a fortieth of the block interval. */
export const MAX_SLICE_COST = 8_000_000_000
/**
 * A slice of a posted job costs at least this, in cost units: seven milliseconds on the reference
 * device. Below it the fixed cost of a slice (template, messages, hashing, a replay by everyone) is
 * most of the work, and a cheap job would keep busy whoever draws it at a thousandth of the price.
 */
export const MIN_SLICE_COST = 200_000_000

/** Share of a block's subsidy that goes to the contributions it seals, in 1/256; unissued if none. */
export const CONTRIBUTION_SUBSIDY_SHARE = 64
/** Share of draws one paid job can take, in 1/256: a self-made job cannot take them all. */
export const JOB_DRAW_CAP = 192

/**
 * Pay for seeding (ledger/seeding.ts). Grains a mebibyte costs whoever got it and has set something
 * aside: a credit buys nearly a gibibyte, and a receipt of some mebibytes is worth the fee.
 */
export const SEED_PRICE_PER_MIB = 1_000n
/** Of what a receipt takes out of a pot, in 1/256 and rounded up: destroyed, so that paying oneself loses. */
export const SEED_BURN_SHARE = 32n
/** Receipts one redemption carries. */
export const MAX_RECEIPTS_PER_REDEMPTION = 16
/** Bytes a receipt must name beyond what it was paid for: below it an entry in the ledger would cost nearly nothing. */
export const REDEEM_BYTES_LEAST = 1024 * 1024
/**
 * Receipts that one block carries. Each costs who checks it a signature, 2 ms of the reference device where the
 * fast engine says no, and a pot to be hashed anew: 16 in each of 256 redemptions would take longer than
 * the next block.
 */
export const MAX_RECEIPTS_PER_BLOCK = 512
/** Receipts that one pot pays; bounds the ledger. */
export const MAX_RECEIPTS_PER_POT = 64
/** Epochs after which the counters of seeding are halved: some three hours of the main network. */
export const COUNTER_HALVING_EPOCHS = 16

/** Bounds on what a stranger may send (bytes). */
export const MAX_GOSSIP_BYTES = 64 * 1024
/** 590 KB: a chain of ten thousand blocks is a dozen answers. Who asks begins with few (node/sync.ts). */
export const MAX_HEADERS_PER_REQUEST = 1024
export const MAX_BODIES_PER_REQUEST = 8
export const CHUNK_BYTES = 128 * 1024

export interface ChainParams {
  /** Human name; part of the genesis hash, so two networks never mix. */
  readonly name: string
  /** Target time between blocks, ms. */
  readonly blockIntervalMs: number
  /** Blocks over which the target forgets (WTEMA window). */
  readonly retargetWindow: number
  /** First target, 256 bit, per cost unit. */
  readonly genesisTarget: bigint
  /** No target is easier than this. */
  readonly maxTarget: bigint
  /** A block's time may be ahead of a node's clock by this, ms. */
  readonly futureMs: number
  /** Draws at height h use rho of height h-1-rhoDelay. */
  readonly rhoDelay: number
  /** Committee: distinct miners of the last this-many blocks up to the anchor. */
  readonly committeeBlocks: number
  /** A seal's anchor may be this far below the block that carries the seal. */
  readonly anchorAgeMax: number
  /** A contribution's randomness may be this many blocks old. */
  readonly randomnessAgeMax: number
  /** Blocks until a credit can be spent and a challenge is still heard. */
  readonly maturity: number
  /** Blocks for which payloads and states are kept and replay is possible. */
  readonly historyBlocks: number
  /** Blocks a joining tab replays before it calls itself synced. */
  readonly joinReplayBlocks: number
  /** Policy, not consensus: least time between two seals of a job, ms. */
  readonly roundMs: number
  /** Issuance per block at the start, grains, and the number of blocks after which it halves. */
  readonly subsidy: bigint
  readonly halvingBlocks: number
  /** Blocks over which distinct miners are counted for the eligibility draw. */
  readonly minerCountBlocks: number
  /** Least fee of a transaction, grains. */
  readonly minFee: bigint
  /** Least cost of a slice of a posted job, cost units. */
  readonly minSliceCost: number
  /**
   * Blocks from an owner's cancellation to the end of an active job. Until then seals are taken and
   * paid: an owner who also mines could else leave out those already signed.
   */
  readonly cancelDelay: number
  /** Blocks of an epoch: what a receipt for bytes is made out for, and a pot. */
  readonly epochBlocks: number
}

/** Cost units the WASM kernels work off per second on the reference device (one core, `npm run bench`). */
export const REFERENCE_COST_PER_SECOND = 30_000_000_000n

/** Target under which `costUnits` of work are expected to find one block. */
export function targetForWork (costUnits: bigint): bigint {
  return (1n << 256n) / costUnits
}

const MAX_TARGET = targetForWork(20_000_000n)

export const MAIN: ChainParams = {
  name: 'commonweight-1',
  blockIntervalMs: 10_000,
  retargetWindow: 12,
  // A quarter of a second of the reference device: a young network fills its first committee
  // quickly, and the retarget brings the interval up within some thirty blocks.
  genesisTarget: targetForWork(REFERENCE_COST_PER_SECOND / 4n),
  maxTarget: MAX_TARGET,
  futureMs: 20_000,
  rhoDelay: 2,
  committeeBlocks: 8,
  anchorAgeMax: 16,
  randomnessAgeMax: 12,
  maturity: 6,
  historyBlocks: 96,
  joinReplayBlocks: 24,
  roundMs: 4_000,
  subsidy: 50n * GRAINS_PER_CREDIT,
  halvingBlocks: 2_100_000,
  minerCountBlocks: 64,
  minFee: 1_000n,
  minSliceCost: MIN_SLICE_COST,
  cancelDelay: 6,
  // Eleven minutes: a download is over in one or two, and what was set aside is back in half an hour.
  epochBlocks: 64
}

export const TEST: ChainParams = {
  ...MAIN,
  name: 'commonweight-test',
  blockIntervalMs: 2_500,
  retargetWindow: 8,
  genesisTarget: targetForWork(REFERENCE_COST_PER_SECOND / 30n),
  // Two intervals, as on the main network: dating ahead by more of them moves the target.
  futureMs: 5_000,
  committeeBlocks: 4,
  maturity: 4,
  cancelDelay: 4,
  epochBlocks: 16,
  roundMs: 1_500
}

export const NETWORKS: Readonly<Record<string, ChainParams>> = { main: MAIN, test: TEST }

/** Relations between the numbers; a test runs this for every network. */
export function paramErrors (p: ChainParams): string[] {
  const wrong: string[] = []
  const must = (ok: boolean, why: string): void => { if (!ok) wrong.push(`${p.name}: ${why}`) }
  must(p.anchorAgeMax >= p.rhoDelay + p.committeeBlocks, 'an anchor rhoDelay deep must stay usable while the committee rotates')
  must(p.randomnessAgeMax > p.rhoDelay, 'a fresh claim must be sealable')
  must(p.historyBlocks >= p.joinReplayBlocks + p.anchorAgeMax + p.maturity, 'what a joiner replays must be kept')
  must(p.historyBlocks > p.maturity + p.randomnessAgeMax, 'a challenge needs the state it names')
  must(p.genesisTarget <= p.maxTarget, 'the first target is a legal one')
  must(p.minFee >= 1n, 'a burn of nothing would weigh nothing in the draw')
  must(p.futureMs >= p.blockIntervalMs, 'clocks may differ by at least a block')
  must(MAX_PENDING_SEALS * 2 <= MAX_SEALS_PER_BLOCK, 'pending seals must fit one block, with room for a second job')
  must(BigInt(MAX_SLICE_COST) * 20n >= REFERENCE_COST_PER_SECOND, 'MAX_SLICE_COST is in reach of the reference device')
  must(BigInt(p.minSliceCost) * 200n >= REFERENCE_COST_PER_SECOND, 'a slice is at least five milliseconds of the reference device')
  must(p.minSliceCost * 20 <= MAX_SLICE_COST, 'models of very different sizes fit between the least slice and the dearest')
  must(p.epochBlocks > p.maturity, 'a reward of an epoch can be set aside in it, and a redemption has time to be found in a block')
  must((SEED_PRICE_PER_MIB * BigInt(REDEEM_BYTES_LEAST) >> 20n) * SEED_BURN_SHARE >= 256n, 'the least receipt that is paid destroys at least a grain')
  must(SEED_BURN_SHARE < 128n, 'whoever sends gets most of what his receipt takes')
  must(MAX_ENDED_JOBS >= MAX_ACTIVE_JOBS * (p.maturity + 1), 'a trained job, of which no block can end more than are open, stays in the table until its last contributions are ripe')
  must(p.cancelDelay > p.rhoDelay, 'what was drawn before a cancellation was known can still be sealed')
  return wrong
}
