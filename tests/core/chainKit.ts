/**
 * Builds chains for tests: a tiny model, a target every ticket meets, results that nobody computed
 * (replay is a fact, and the kit says what the fact is). Rules and signatures are the real ones.
 */
import type { JobSpec } from '../../src/core/codec/jobSpec.ts'
import { encodeJobSpec } from '../../src/core/codec/jobSpec.ts'
import { compareBytes } from '../../src/core/codec/ssz.ts'
import { ACTION_CANCEL_JOB, ACTION_POST_JOB, ACTION_REDEEM, ACTION_SET_ASIDE, ACTION_TRANSFER, type Block, type Claim, type RedeemedReceipt, type Seal, type SignedSeal, type SignedTransaction, type Template, type Transaction } from '../../src/core/codec/wire.ts'
import { applyBlock, type BlockFacts, blockSignatureItems, type BlockVerdict } from '../../src/core/consensus/apply.ts'
import { assembleBlock, type BlockParts } from '../../src/core/consensus/assemble.ts'
import { ancestor, type BlockMeta, chainId, genesis } from '../../src/core/consensus/chain.ts'
import { committee, quorum } from '../../src/core/consensus/committee.ts'
import { randomnessBlock } from '../../src/core/consensus/draw.ts'
import { nextRound } from '../../src/core/consensus/seal.ts'
import { hash, u32le } from '../../src/core/crypto/hash.ts'
import { claimId, receiptMessage, sealHash, templateHash, transactionId } from '../../src/core/crypto/ids.ts'
import { publicKey, sign, verifyZip215 } from '../../src/core/crypto/keys.ts'
import type { LedgerEvent } from '../../src/core/ledger/apply.ts'
import { account, benchmarkJob, type JobRecord } from '../../src/core/ledger/state.ts'
import { type ChainParams, TEST } from '../../src/core/params.ts'
import { benchmarkSpec } from '../../src/core/training/benchmark.ts'
import { sliceCost } from '../../src/core/training/cost.ts'
import { payloadSize } from '../../src/core/training/payload.ts'
import { mlp } from '../../src/core/training/shape.ts'

export interface KeyPair { readonly seed: Uint8Array, readonly key: Uint8Array }

const pairs = new Map<number, KeyPair>()

/** The same pair for the same number. */
export function keyPair (n: number): KeyPair {
  let pair = pairs.get(n)
  if (pair === undefined) {
    const seed = hash('test-key', u32le(n))
    pair = { seed, key: publicKey(seed) }
    pairs.set(n, pair)
  }
  return pair
}

const EASIEST = (1n << 256n) - 1n

/** Small enough to train in a test, on the built-in records. */
export const tinySpec: JobSpec = { ...benchmarkSpec, ...mlp([784, 4, 10]), batch: 16, stepsPerSlice: 2, rounds: 3 }

/** The test network with a target that every ticket meets, and room for tiny jobs. */
export const EASY: ChainParams = { ...TEST, name: 'easy', genesisTarget: EASIEST, maxTarget: EASIEST, minSliceCost: sliceCost(tinySpec) }

const tinyBenchmark: JobSpec = { ...tinySpec, seed: hash('test-benchmark'), rounds: 1000 }

export interface Mined {
  readonly block: Block
  readonly meta: BlockMeta
  readonly events: readonly LedgerEvent[]
}

export interface MineOptions {
  readonly miner?: KeyPair
  readonly payee?: Uint8Array
  readonly transactions?: readonly SignedTransaction[]
  readonly seals?: readonly SignedSeal[]
  readonly timeMs?: number
  readonly slice?: number
}

export interface Post {
  readonly spec?: JobSpec | Uint8Array
  readonly escrow?: bigint
  readonly price?: bigint
  readonly burn?: bigint
  readonly deadline?: number
  readonly fee?: bigint
  readonly nonce?: number
}

export class ChainKit {
  readonly params: ChainParams
  readonly genesis: BlockMeta
  private readonly trusting: boolean
  private readonly made = new WeakMap<BlockMeta, Block>()

  /** `trusting` takes every signature for right: for long runs of honest blocks. */
  constructor (params: ChainParams = EASY, o: { readonly benchmark?: JobSpec, readonly trusting?: boolean } = {}) {
    const { benchmark = tinyBenchmark, trusting = false } = o
    this.params = params
    this.trusting = trusting
    this.genesis = genesis(params, benchmark)
  }

  /** On schedule, so that the target stays. */
  timeAfter (parent: BlockMeta): number {
    return Math.max(parent.header.template.time, 1_000_000_000_000 - this.params.blockIntervalMs) + this.params.blockIntervalMs
  }

  parts (parent: BlockMeta, o: MineOptions = {}): BlockParts {
    const miner = (o.miner ?? keyPair(1)).key
    return {
      transactions: o.transactions ?? [],
      seals: o.seals ?? [],
      miner,
      payee: o.payee ?? miner,
      timeMs: o.timeMs ?? this.timeAfter(parent)
    }
  }

  /** A slice of work on `template`, as if done. */
  claim (template: Template, spec: JobSpec, miner: KeyPair, slice = 0): Claim {
    const z = templateHash(template)
    return this.signClaim({
      template,
      slice,
      resultHash: hash('test-result', z, u32le(slice)),
      payloadDigest: hash('test-payload', z, u32le(slice)),
      payloadBytes: payloadSize(spec),
      signature: new Uint8Array(64)
    }, miner)
  }

  signClaim (claim: Claim, miner: KeyPair): Claim {
    return { ...claim, signature: sign(miner.seed, claimId(claim)) }
  }

  /** An honest block, not yet applied. */
  block (parent: BlockMeta, o: MineOptions = {}): Block {
    const made = assembleBlock(this.params, parent, this.parts(parent, o))
    return { header: this.claim(made.template, made.job.spec, o.miner ?? keyPair(1), o.slice), body: made.body }
  }

  /** What an honest checker with all data finds. */
  facts (parent: BlockMeta, block: Block): BlockFacts {
    return {
      nowMs: block.header.template.time,
      signatures: blockSignatureItems(this.params, parent, block).map(i => this.trusting || verifyZip215(i.key, i.message, i.signature)),
      replay: { kind: 'done', resultHash: block.header.resultHash, payloadDigest: block.header.payloadDigest },
      seals: block.body.seals.map(s => ({ kind: 'done', stateHash: s.seal.stateHash })),
      wrongContributions: new Set()
    }
  }

  apply (parent: BlockMeta, block: Block, facts: Partial<BlockFacts> = {}): BlockVerdict {
    return applyBlock(this.params, parent, block, { ...this.facts(parent, block), ...facts })
  }

  mine (parent: BlockMeta, o: MineOptions = {}): Mined {
    const block = this.block(parent, o)
    const verdict = this.apply(parent, block)
    if (!verdict.ok) throw new Error(`${verdict.refusal.reason}: ${verdict.refusal.detail}`)
    this.made.set(verdict.meta, block)
    return { block, meta: verdict.meta, events: verdict.events }
  }

  /** The blocks that were mined here from the first one to `tip`. */
  blocks (tip: BlockMeta): Block[] {
    const blocks: Block[] = []
    for (let m: BlockMeta | undefined = tip; m?.parent !== undefined; m = m.parent) {
      const block = this.made.get(m)
      if (block === undefined) throw new Error(`block ${m.height} was not mined by this kit`)
      blocks.push(block)
    }
    return blocks.reverse()
  }

  /** `count` empty blocks by `miners` in turn. */
  extend (parent: BlockMeta, count: number, miners: readonly KeyPair[] = [keyPair(1)]): BlockMeta {
    let tip = parent
    for (let i = 0; i < count; i++) tip = this.mine(tip, { miner: miners[i % miners.length] }).meta
    return tip
  }

  signTransaction (transaction: Transaction, from: KeyPair): SignedTransaction {
    return { transaction, signature: sign(from.seed, transactionId(transaction)) }
  }

  private transaction (tip: BlockMeta, from: KeyPair, action: Transaction['action'], fee: bigint, nonce?: number): SignedTransaction {
    return this.signTransaction({ chain: chainId(tip), from: from.key, nonce: nonce ?? account(tip.ledger, from.key).nonce, fee, action }, from)
  }

  transfer (tip: BlockMeta, from: KeyPair, to: Uint8Array, amount: bigint, o: { readonly fee?: bigint, readonly nonce?: number } = {}): SignedTransaction {
    return this.transaction(tip, from, { selector: ACTION_TRANSFER, value: { to, amount } }, o.fee ?? this.params.minFee, o.nonce)
  }

  post (tip: BlockMeta, from: KeyPair, o: Post = {}): SignedTransaction {
    const spec = o.spec ?? tinySpec
    return this.transaction(tip, from, {
      selector: ACTION_POST_JOB,
      value: {
        spec: spec instanceof Uint8Array ? spec : encodeJobSpec(spec),
        escrow: o.escrow ?? 1_000_000n,
        pricePerContribution: o.price ?? 1_000n,
        burn: o.burn ?? this.params.minFee,
        deadline: o.deadline ?? tip.height + 1000
      }
    }, o.fee ?? this.params.minFee, o.nonce)
  }

  cancel (tip: BlockMeta, from: KeyPair, job: Uint8Array, o: { readonly fee?: bigint, readonly nonce?: number } = {}): SignedTransaction {
    return this.transaction(tip, from, { selector: ACTION_CANCEL_JOB, value: { job } }, o.fee ?? this.params.minFee, o.nonce)
  }

  setAside (tip: BlockMeta, from: KeyPair, grains: bigint, o: { readonly fee?: bigint, readonly nonce?: number } = {}): SignedTransaction {
    return this.transaction(tip, from, { selector: ACTION_SET_ASIDE, value: { grains } }, o.fee ?? this.params.minFee, o.nonce)
  }

  /** `from` has got so many bytes of `to` and signs for them. */
  receipt (from: KeyPair, to: Uint8Array, epoch: number, bytes: number, o: { readonly infoHash?: Uint8Array, readonly chain?: Uint8Array, readonly by?: KeyPair } = {}): RedeemedReceipt {
    const infoHash = o.infoHash ?? hash('test-torrent').subarray(0, 20)
    const message = receiptMessage({ chain: o.chain ?? this.genesis.hash, from: from.key, to, infoHash, epoch, bytes })
    return { from: from.key, infoHash, bytes, signature: sign((o.by ?? from).seed, message) }
  }

  redeem (tip: BlockMeta, to: KeyPair, epoch: number, receipts: RedeemedReceipt[], o: { readonly fee?: bigint, readonly nonce?: number } = {}): SignedTransaction {
    return this.transaction(tip, to, { selector: ACTION_REDEEM, value: { epoch, receipts } }, o.fee ?? this.params.minFee, o.nonce)
  }

  /** The last block before the epoch after that of `tip`'s next block. */
  endOfEpoch (tip: BlockMeta): BlockMeta {
    const { epochBlocks } = this.params
    return this.extend(tip, epochBlocks - 1 - tip.height % epochBlocks)
  }

  /** A contribution to the job's round by somebody who stands on `tip`. */
  contribution (tip: BlockMeta, job: Pick<JobRecord, 'id' | 'spec' | 'round' | 'seal' | 'stateHash'>, miner: KeyPair, slice = 0, over: Partial<Template> = {}): Claim {
    const template: Template = {
      ...tip.header.template,
      height: tip.height + 1,
      parent: tip.hash,
      miner: miner.key,
      payee: miner.key,
      job: job.id,
      round: job.round,
      seal: job.seal,
      stateHash: job.stateHash,
      randomness: randomnessBlock(this.params, tip).rho,
      ...over
    }
    return this.claim(template, job.spec, miner, slice)
  }

  /** The seal of the job's next round, signed by the least quorum of those committee members the kit has keys of. */
  seal (tip: BlockMeta, job: JobRecord, contributions: readonly Claim[], o: { readonly anchor?: BlockMeta, readonly over?: Partial<Seal> } = {}): SignedSeal {
    const anchor = o.anchor ?? tip
    const seal: Seal = {
      job: job.id,
      round: nextRound(job),
      previous: job.seal,
      anchor: anchor.hash,
      contributions: [...contributions].sort((a, b) => compareBytes(claimId(a), claimId(b))),
      stateHash: hash('test-state', job.id, u32le(nextRound(job))),
      ...o.over
    }
    return this.signSeal(seal, anchor)
  }

  signSeal (seal: Seal, anchor: BlockMeta): SignedSeal {
    const members = committee(this.params, anchor)
    const message = sealHash(seal)
    const known = [...pairs.values()]
    const signatures = members.flatMap((key, member) => {
      const pair = known.find(p => compareBytes(p.key, key) === 0)
      return pair === undefined ? [] : [{ member, signature: sign(pair.seed, message) }]
    })
    return { seal, signatures: signatures.slice(0, quorum(members.length)) }
  }

  /** A chain whose first miners can spend: `blocks` blocks by keys 1..miners in turn. */
  grown (blocks = this.params.committeeBlocks + this.params.maturity + 2, miners = 3): BlockMeta {
    return this.extend(this.genesis, blocks, Array.from({ length: miners }, (_, i) => keyPair(i + 1)))
  }

  /** Seals the next round of the benchmark with one contribution per given miner, in a block of key 1. */
  sealRound (tip: BlockMeta, contributors: readonly KeyPair[], job: JobRecord = benchmarkJob(tip.ledger)): Mined {
    const contributions = contributors.map(m => this.contribution(tip, job, m))
    return this.mine(tip, { seals: [this.seal(tip, job, contributions)] })
  }

  at (tip: BlockMeta, height: number): BlockMeta {
    const m = ancestor(tip, height)
    if (m === undefined) throw new Error(`no block at ${height}`)
    return m
  }
}
