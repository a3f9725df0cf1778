/**
 * How long a fresh tab takes to join a long chain with a large ledger: nodes on the twins in memory, in
 * real time, with real signatures, kernels and rules. What is measured is from the start of the node
 * until it says that it is ready: its wallet and head are right, it may send and mine.
 */
import { createInlineCompute } from '../../src/compute/inline.ts'
import { createSignatures } from '../../src/compute/signatures.ts'
import { type ChainParams, TEST } from '../../src/core/params.ts'
import { hash, u32le } from '../../src/core/crypto/hash.ts'
import { createHasher, DATA_TAGS, LEDGER_TAGS } from '../../src/compute/hasher.ts'
import { createMemoryHub } from '../../src/net/memory.ts'
import { MemorySwarmHub } from '../../src/net/swarm/memory.ts'
import { Node } from '../../src/node/node.ts'
import type { Clock, Random } from '../../src/ports/clock.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
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
      compute: await createInlineCompute('wasm'), signatures: createSignatures(crypto.subtle), clock, random, keystore: noKeystore,
      minerSeed: hash('join-miner', u32le(++count)), walletSeed: hash('join-wallet', u32le(count)),
      slot: 0, cores: 2, gunzip: async () => { throw new Error('nothing is packed here') }, dataHasher: await createHasher(DATA_TAGS), ledgerHasher: await createHasher(LEDGER_TAGS), params, ...over
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
