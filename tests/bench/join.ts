/**
 * How long a fresh tab takes to join a long chain with a large ledger: nodes on the twins in memory, in
 * real time, with real signatures, kernels and rules. What is measured is from the start of the node
 * until it says that it is ready: its wallet and head are right, it may send and mine.
 */
import { createInlineCompute } from '../../src/compute/inline.ts'
import { createSignatures } from '../../src/compute/signatures.ts'
import { type ChainParams, TEST } from '../../src/core/params.ts'
import { hash, u32le } from '../../src/core/crypto/hash.ts'
import { createMemoryHub } from '../../src/net/memory.ts'
import { MemorySwarmHub } from '../../src/net/swarm/memory.ts'
import { Node } from '../../src/node/node.ts'
import type { Clock, Random } from '../../src/ports/clock.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { MemoryPurse } from '../../src/storage/memoryPurse.ts'
import { MemorySiblings } from '../../src/storage/memorySiblings.ts'
import { diskFrom, longChainFile } from './longChain.ts'
import type { Measurement } from './measure.ts'

const clock: Clock = {
  now: () => Date.now(),
  after: (ms, fn) => {
    const timer = setTimeout(fn, ms)
    return () => { clearTimeout(timer) }
  }
}
const random: Random = { bytes: n => crypto.getRandomValues(new Uint8Array(n)) }
const LATENCY_MS = 20
const GIVEN_UP_MS = 15 * 60_000

const noKeystore = {
  backedUp: false,
  export: async () => ({ ok: false as const, message: 'there is nobody to take it' }),
  saved: async () => {},
  replaced: async () => false,
  inspect: () => ({ ok: false as const, message: 'none' }),
  import: async () => ({ ok: false as const, field: 'backup' as const, message: 'there is nobody to give it' })
}

export interface JoinWorld { readonly start: (name: string, disk: MemoryDisk, over?: Partial<Parameters<typeof Node.start>[0]>) => Promise<Node> }

export function joinWorld (params: ChainParams): JoinWorld {
  const hub = createMemoryHub({ clock, latencyMs: LATENCY_MS })
  const swarms = new MemorySwarmHub({ clock })
  let count = 0
  return {
    start: async (name, disk, over = {}) => await Node.start({
      network: hub.join(name), swarm: swarms.join(name), networkName: 'test', storage: new MemoryStorage(disk),
      compute: await createInlineCompute('wasm'), signatures: createSignatures(crypto.subtle), clock, random, keystore: noKeystore, purse: new MemoryPurse(), siblings: new MemorySiblings(),
      minerSeed: hash('join-miner', u32le(++count)), walletSeed: hash('join-wallet', u32le(count)),
      slot: 0, cores: 2, gunzip: async () => { throw new Error('nothing is packed here') }, params, ...over
    })
  }
}

/** Phases of a join, and when each began, ms. */
export async function watchJoin (start: () => Promise<Node>): Promise<{ readonly node: Node, readonly readyMs: number, readonly stages: ReadonlyMap<string, number> }> {
  const at = performance.now()
  const node = await start()
  const stages = new Map<string, number>()
  for (;;) {
    const phase = node.phase()
    const name = phase.phase === 'syncing' ? phase.stage : phase.phase
    const now = performance.now() - at
    if (!stages.has(name)) stages.set(name, now)
    if (phase.phase === 'ready') return { node, readyMs: now, stages }
    if (now > GIVEN_UP_MS) throw new Error(`not ready after ${Math.round(now / 1000)} s: ${JSON.stringify(phase)}`)
    await new Promise(resolve => { setTimeout(resolve, 50) })
  }
}

const BLOCKS = 10_000
/** 24 new accounts a block: ten megabytes of ledger in the end. */
const TRANSFERS = 24
const SEEDERS = 2
/** A second in which a seeder makes the torrent of its ledger. */
const SETTLE_MS = 1_000

/** The old way is timed on a shorter chain, for it takes minutes: it grows with the blocks. */
const OLD_WAY_BLOCKS = 1_000

async function joins (blocks: number, over: Partial<Parameters<typeof Node.start>[0]>): Promise<{ readonly readyMs: number, readonly stages: ReadonlyMap<string, number>, readonly behind: number }> {
  const say = (text: string): void => { process.stderr.write(`  ${text}\n`) }
  const file = await longChainFile({ params: TEST, blocks, transfersPerBlock: TRANSFERS }, say)
  const world = joinWorld(TEST)
  const seeders: Node[] = []
  for (let i = 0; i < SEEDERS; i++) seeders.push(await world.start(`seeder ${i}`, diskFrom(file)))
  while (!seeders.every(n => n.ledgers.offers().length > 0)) await new Promise(resolve => { setTimeout(resolve, SETTLE_MS) })
  const { node, readyMs, stages } = await watchJoin(async () => await world.start('fresh', new MemoryDisk(undefined, true), over))
  const behind = node.chain.baseHeight()
  for (const n of [node, ...seeders]) await n.stop()
  return { readyMs, stages, behind }
}

const once = (name: string, ms: number): Measurement => ({ name, unit: 's', median: ms / 1000, min: ms / 1000, runs: 1 })

export async function benchJoin (): Promise<Measurement[]> {
  const old = await joins(OLD_WAY_BLOCKS, { joinBySnapshot: false })
  const short = await joins(OLD_WAY_BLOCKS, {})
  const long = await joins(BLOCKS, {})
  const oldWay = once(`every block applied, ${OLD_WAY_BLOCKS} blocks`, old.readyMs)
  const scaled = once(`every block applied, ${BLOCKS} blocks (ten times the above)`, old.readyMs * BLOCKS / OLD_WAY_BLOCKS)
  const newWay = once(`by the ledger of a recent block, ${BLOCKS} blocks`, long.readyMs)
  return [
    oldWay,
    { ...once(`by the ledger of a recent block, ${OLD_WAY_BLOCKS} blocks`, short.readyMs), peer: oldWay.name, ratio: old.readyMs / short.readyMs },
    scaled,
    { ...newWay, peer: scaled.name, ratio: scaled.median / newWay.median },
    ...[...long.stages].map(([stage, ms]) => once(`of that, begins: ${stage}`, ms))
  ]
}
