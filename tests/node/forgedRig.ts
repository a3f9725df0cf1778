/** An honest chain whose slices were computed, and chains of a forger who only computes what will be redone; nodes that know the ones from the others. */
import { toHex } from '../../src/core/codec/ssz.ts'
import type { Claim, SignedSeal } from '../../src/core/codec/wire.ts'
import { assembleBlock } from '../../src/core/consensus/assemble.ts'
import type { BlockMeta, HeaderMeta } from '../../src/core/consensus/chain.ts'
import { extendHeader } from '../../src/core/consensus/header.ts'
import { ticketWins } from '../../src/core/consensus/target.ts'
import { hash, u32le } from '../../src/core/crypto/hash.ts'
import { claimId, ticket } from '../../src/core/crypto/ids.ts'
import { benchmarkJob } from '../../src/core/ledger/state.ts'
import { type ChainParams, MAIN } from '../../src/core/params.ts'
import { sliceCost } from '../../src/core/training/cost.ts'
import { createMemoryHub } from '../../src/net/memory.ts'
import type { Sync } from '../../src/node/sync.ts'
import type { MemoryDisk } from '../../src/storage/memory.ts'
import { ChainKit, type KeyPair, keyPair, type Mined, tinySpec } from '../core/chainKit.ts'
import { ManualClock } from './chainRig.ts'
import { node, stranger, type TestNode, type World } from './syncRig.ts'

export const COST = sliceCost(tinySpec)
/** Slices that a block of the honest network takes. */
const SLICES = 200n
const ALL = (1n << 256n) - 1n
/** The main network's numbers, but for the size of a slice. */
export const params: ChainParams = { ...MAIN, name: 'cheap-window', minSliceCost: COST, maxTarget: ALL / BigInt(COST), genesisTarget: ALL / BigInt(COST) / SLICES }
export const kit = new ChainKit(params)
const PAYLOAD_BYTES = kit.block(kit.genesis, { timeMs: 1_000_000_000_000 }).header.payloadBytes
export const honestMiner = keyPair(1)
export const forger = keyPair(2)
/** The state of a seal that only a forger knows of: what stands on it cannot be redone by anybody. */
export const WITHHELD = hash('test-withheld')

/** Blocks whose slices were really computed; those of all others were found by trying result hashes. */
const real = new Set<string>()

export interface Mining { readonly by?: KeyPair, readonly of?: ChainKit, /** What the ticket is held against. */ readonly cost?: number, readonly seals?: readonly SignedSeal[] }

export function mine (parent: BlockMeta, timeMs: number, isReal: boolean, { by = forger, of = kit, cost = COST, seals = [] }: Mining = {}): { readonly mined: Mined, readonly slices: number } {
  const { template, body, ledger } = assembleBlock(of.params, parent, { transactions: [], seals, miner: by.key, payee: by.key, timeMs })
  for (let slice = 0; ; slice++) {
    const claim: Claim = {
      template,
      slice: isReal ? slice : 0,
      resultHash: isReal ? hash('test-result', u32le(slice), template.bodyRoot, u32le(template.height)) : hash('test-forged', u32le(slice)),
      payloadDigest: hash('test-payload', u32le(slice)),
      payloadBytes: PAYLOAD_BYTES,
      signature: new Uint8Array(64)
    }
    if (!ticketWins(template.target, cost, ticket(claim))) continue
    const header = of.signClaim(claim, by)
    if (isReal) real.add(toHex(claimId(header)))
    return { mined: { block: { header, body }, meta: { ...extendHeader(parent, header), parent, ledger }, events: [] }, slices: slice + 1 }
  }
}

/** Gives the jobs after this block a state; only a forger's contribution is in it. */
export function seal (on: BlockMeta, stateHash: Uint8Array): SignedSeal {
  const job = benchmarkJob(on.ledger)
  return kit.seal(on, job, [kit.signClaim(kit.contribution(on, job, forger), forger)], { over: { stateHash } })
}

/** Blocks on a fork, each on the one before it. */
export class Branch {
  readonly blocks: Mined[] = []
  tip: BlockMeta
  /** Really computed. */
  slices = 0
  readonly #mining: Mining

  constructor (fork: BlockMeta, mining: Mining = {}) {
    this.tip = fork
    this.#mining = mining
  }

  at (timeMs: number, isReal: boolean, seals: readonly SignedSeal[] = []): void {
    const { mined, slices } = mine(this.tip, timeMs, isReal, { ...this.#mining, seals })
    this.blocks.push(mined)
    this.tip = mined.meta
    if (isReal) this.slices += slices
  }

  after (ms: number, isReal: boolean, seals: readonly SignedSeal[] = []): void { this.at(this.tip.header.template.time + ms, isReal, seals) }

  /** From here on nobody can redo a slice. */
  withhold (ms = 1): void { this.after(ms, false, [seal(this.tip, WITHHELD)]) }
  /** And from here on everybody can again. */
  restore (ms: number): void { this.after(ms, true, [seal(this.tip, benchmarkJob(kit.genesis.ledger).stateHash)]) }
}

export const BLOCKS = 200
const own = new Branch(kit.genesis, { by: honestMiner })
while (own.blocks.length < BLOCKS) own.at(kit.timeAfter(own.tip), true)
export const honest: readonly Mined[] = own.blocks
export const { tip } = own
/** Slices of an honest block, on average. */
export const honestSlices = own.slices / BLOCKS

/** Heavier than the honest chain, on its block `fork`, and as much cheaper as the rules let it be. */
export function forge (fork: BlockMeta, nowMs: number): Branch {
  const forged = new Branch(fork)
  const isGenesis = fork.height === 0
  if (isGenesis) forged.at(tip.header.template.time - 86_400_000, false)
  // As close as may be: each block is a twelfth heavier than the one before it.
  while (forged.tip.work < tip.work) forged.after(1, false)
  forged.withhold()
  // Far apart: the target goes up by a half each time.
  while (forged.tip.header.template.time + 60_000 <= nowMs + 15_000 - 24 && forged.tip.header.template.target < params.maxTarget) forged.after(60_000, false)
  // Back to a state that all have, and then what is redone before it is believed.
  forged.restore(1)
  for (let i = 0; i < params.joinReplayBlocks; i++) forged.after(isGenesis ? 60_000 : 1, true)
  return forged
}

/** Twice as heavy as the honest chain by its dates alone, and from its tip on with a state that nobody has. */
export function datedBack (): Branch {
  const forged = new Branch(kit.genesis)
  forged.at(tip.header.template.time - 86_400_000, false)
  while (forged.tip.work < 2n * tip.work) forged.after(1, false)
  forged.withhold()
  return forged
}

/** Just after the honest chain's newest block. */
export function world (): World {
  const clock = new ManualClock(tip.header.template.time + 1_000)
  return { kit, clock, hub: createMemoryHub({ clock, latencyMs: 5 }) }
}

/** Redoes what was computed, finds out what was forged, and has no state that was withheld. */
export function redoing (n: TestNode): TestNode {
  n.replay.replay = async claim => {
    if (real.has(toHex(claimId(claim)))) return { kind: 'done', resultHash: claim.resultHash, payloadDigest: claim.payloadDigest, elapsedMs: 1 }
    if (toHex(claim.template.stateHash) === toHex(WITHHELD)) return { kind: 'unavailable', detail: 'nobody has this state' }
    return { kind: 'done', resultHash: hash('test-other'), payloadDigest: claim.payloadDigest, elapsedMs: 1 }
  }
  return n
}

/** The tab is closed, and opened again on what it had stored. */
export async function reloaded (w: World, n: TestNode, disk: MemoryDisk, o: Parameters<typeof node>[3] = {}): Promise<TestNode> {
  await n.backfill.idle()
  await n.sync.stop()
  n.backfill.stop()
  await n.chain.stop()
  return redoing(await node(w, 'again', disk, o))
}

/** How many blocks each change of the head took away. */
export function undone (n: TestNode): number[] {
  const counts: number[] = []
  n.chain.on('head', ({ removed }) => { if (removed.length > 0) counts.push(removed.length) })
  return counts
}

/** Shows the honest chain up to block `below`, and then what was forged; only the headers of that. */
export async function liar (w: World, below: number, { blocks }: Pick<Branch, 'blocks'>, o: { readonly work?: bigint } = {}): Promise<void> {
  await stranger(w, 'liar', [...honest.slice(0, below), ...blocks], { ...o, headers: hs => hs.filter(h => blocks.includes(h)) })
}

/** Somebody has the ledger of the block that is picked. */
export function ledgersOf (leastBlocks: number, pick: (headers: readonly HeaderMeta[]) => BlockMeta | undefined): NonNullable<ConstructorParameters<typeof Sync>[0]['snapshots']> {
  return {
    ahead: () => {},
    forget: () => {},
    leastBlocks,
    find: async headers => {
      const base = pick(headers)
      return base && { base, offer: { height: base.height, block: base.hash, infoHash: new Uint8Array(20), bytes: 1 }, joined: { headers: 1, signatures: 1, height: base.height, bytes: 1 } }
    }
  }
}
