/** Nodes that follow one another's chains on the network in memory, and strangers who say what the test wants. */
import { toHex } from '../../src/core/codec/ssz.ts'
import { BodiesRequest, BodiesResponse, Body, HeadersRequest, HeadersResponse, Status } from '../../src/core/codec/wire.ts'
import type { BlockMeta } from '../../src/core/consensus/chain.ts'
import { Backfill } from '../../src/node/backfill.ts'
import { sleep } from '../../src/node/askPeers.ts'
import { BlocksGossip } from '../../src/node/blocksGossip.ts'
import { Records } from '../../src/node/records.ts'
import { Refusals } from '../../src/node/refusals.ts'
import { BODIES_PROTOCOL, HEADERS_PROTOCOL, STATUS_PROTOCOL } from '../../src/node/syncServer.ts'
import { Sync, type SyncProgress } from '../../src/node/sync.ts'
import { createMemoryHub, type MemoryHub } from '../../src/net/memory.ts'
import { type Network, RequestError } from '../../src/ports/network.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { ChainKit, keyPair, type Mined } from '../core/chainKit.ts'
import { kitTime, ManualClock, redo, rig, type Rig } from './chainRig.ts'

export const hex = (m: BlockMeta): string => toHex(m.hash)
export const random = { bytes: (n: number): Uint8Array => Uint8Array.from({ length: n }, (_, i) => (i * 91 + 17) & 255) }

export interface TestNode extends Rig { readonly id: string, readonly network: Network, readonly sync: Sync, readonly gossip: BlocksGossip, readonly backfill: Backfill, readonly blame: Refusals, readonly progress: SyncProgress[] }

export interface World { readonly kit: ChainKit, readonly clock: ManualClock, readonly hub: MemoryHub }

export const kit = new ChainKit({ ...new ChainKit().params, historyBlocks: 30, joinReplayBlocks: 8 })

export function world (): World {
  const clock = new ManualClock(kitTime(kit, 500))
  return { kit, clock, hub: createMemoryHub({ clock, latencyMs: 5 }) }
}

export async function node (w: World, id: string, disk = new MemoryDisk(), o: Pick<ConstructorParameters<typeof Sync>[0], 'planHeaders' | 'probationPolls' | 'snapshots' | 'onJoined'> = {}): Promise<TestNode> {
  const network = w.hub.join(id)
  // Blame reaches the network of this node only once it exists, so the rig's is replaced by a real one.
  const r = rig({ kit: w.kit, clock: w.clock, storage: new MemoryStorage(disk), blame: (log) => new Refusals({ clock: w.clock, network, log }) })
  const blame = r.blame as Refusals
  await r.chain.loadFromStorage()
  const backfill = new Backfill({ chain: r.chain, verifier: r.verifier, log: r.log })
  const sync = new Sync({ params: w.kit.params, clock: w.clock, random, network, chain: r.chain, store: r.store, blame, log: r.log, backfill, historyFrom: () => 0, ...o, redoAhead: async (claim) => await redo(r, claim) })
  const gossip = new BlocksGossip({ params: w.kit.params, clock: w.clock, network, chain: r.chain, sync, pool: { add: async () => undefined }, records: new Records(w.kit.params, r.chain), signatures: r.signatures, blame, log: r.log })
  const progress: SyncProgress[] = []
  sync.onProgress((p) => { if (p !== undefined) progress.push(p) })
  return { ...r, id, network, sync, gossip, backfill, blame, progress }
}

export const run = async (n: TestNode): Promise<TestNode> => {
  await n.sync.start()
  await n.gossip.start()
  return n
}

const chains = new Map<string, Mined[]>()

/** The first `count` blocks that a miner alone makes on `parent`; made once for all tests. */
export function branch (of: ChainKit, parent: BlockMeta, count: number, miner = 1): Mined[] {
  const name = `${hex(parent)}/${miner}`
  const out = chains.get(name) ?? []
  chains.set(name, out)
  while (out.length < count) {
    const tip = out.at(-1)?.meta ?? parent
    const block = of.block(tip, { miner: keyPair(miner) })
    const applied = of.apply(tip, block, { signatures: [true] })
    if (!applied.ok) throw new Error(applied.refusal.detail)
    out.push({ block, meta: applied.meta, events: applied.events })
  }
  return out.slice(0, count)
}

export async function feed (n: Rig, blocks: readonly Mined[]): Promise<void> {
  for (const b of blocks) {
    const r = await n.chain.submitAs(b.block, { mode: 'own' })
    if (r.status !== 'added') throw new Error(JSON.stringify(r))
  }
}

/** A peer that says what the test wants. `work` is what it claims. */
export async function stranger (w: World, id: string, blocks: readonly Mined[], o: { readonly bodies?: 'none' | 'silent' | 'other', readonly withheld?: Mined, readonly slowMs?: number, readonly work?: bigint, readonly headers?: (h: Mined[]) => Mined[], readonly busy?: (protocol: string) => boolean } = {}): Promise<Network> {
  const network = w.hub.join(id)
  const limits = { maxRequestBytes: 1 << 16, maxResponseBytes: 1 << 22, perPeerPerSecond: 100 }
  await network.handle(STATUS_PROTOCOL, limits, async () => {
    const tip = blocks[blocks.length - 1].meta
    return Status.serialize({ chain: w.kit.genesis.hash, version: 1, head: tip.hash, height: tip.height, work: o.work ?? tip.work, historyFrom: 0 })
  })
  const busy = (protocol: string): void => { if (o.busy?.(protocol) === true) throw new RequestError('busy', 'too many requests per second') }
  /** Slow as can be without missing a deadline, and one thing at a time. */
  const slow = async (): Promise<void> => { if (o.slowMs !== undefined) await sleep(w.clock, o.slowMs) }
  await network.handle(HEADERS_PROTOCOL, limits, async (_, body) => {
    await slow()
    busy(HEADERS_PROTOCOL)
    const request = HeadersRequest.deserialize(body)
    const from = request.locator.map((h) => blocks.findIndex((b) => hex(b.meta) === toHex(h))).find((i) => i >= 0) ?? -1
    const served = (o.headers ?? ((h) => h))(blocks.slice(from + 1, from + 1 + request.count))
    return served.length === 0 ? new Uint8Array(0) : HeadersResponse.serialize({ headers: served.map((b) => b.block.header) })
  })
  await network.handle(BODIES_PROTOCOL, limits, async (_, body) => {
    busy(BODIES_PROTOCOL)
    if (o.bodies === 'silent') await new Promise(() => {})
    if (o.bodies === 'none') return new Uint8Array(0)
    await slow()
    const request = BodiesRequest.deserialize(body)
    return BodiesResponse.serialize({
      bodies: request.hashes.slice(0, o.slowMs === undefined ? undefined : 1).map((h) => {
        if (o.bodies === 'other') return Body.serialize({ transactions: [w.kit.transfer(w.kit.genesis, keyPair(1), keyPair(2).key, 1n)], seals: [] })
        const b = blocks.find((x) => hex(x.meta) === toHex(h))
        return b === undefined || b === o.withheld ? new Uint8Array(0) : Body.serialize(b.block.body)
      })
    })
  })
  return network
}
