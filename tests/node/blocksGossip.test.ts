/** What a tab passes on: never so much that its neighbours would take it for the one who floods them. */
import { describe, expect, it } from 'vitest'
import { SignedTransaction } from '../../src/core/codec/wire.ts'
import { createMemoryHub, type MemoryHub } from '../../src/net/memory.ts'
import { BlocksGossip, transactionsTopic } from '../../src/node/blocksGossip.ts'
import type { Chain } from '../../src/node/chain.ts'
import { RingLog } from '../../src/node/log.ts'
import { Mempool, REBROADCAST_MS } from '../../src/node/mempool.ts'
import { Refusals } from '../../src/node/refusals.ts'
import type { Network } from '../../src/ports/network.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { ChainKit, keyPair } from '../core/chainKit.ts'
import { kitTime, ManualClock, TestSignatures } from './chainRig.ts'

const kit = new ChainKit()
const grown = kit.grown()
const topic = transactionsTopic(kit.genesis.hash)
/** One with a gap before it: it waits in every pool for hours. */
const waiting = (seed: number, nonce: number): Uint8Array => SignedTransaction.serialize(kit.transfer(grown, keyPair(seed), keyPair(9).key, 1n, { nonce }))

class Line {
  readonly clock = new ManualClock(kitTime(kit, 100))
  readonly hub: MemoryHub = createMemoryHub({ clock: this.clock, latencyMs: 5, maxLinks: 0 })

  async tab (id: string): Promise<Network> {
    const { clock } = this
    const network = this.hub.join(id)
    const log = new RingLog(clock)
    const blame = new Refusals({ clock, network, log })
    const chain = { head: () => grown, on: () => () => {}, offMain: () => [] } as unknown as Chain
    const pool = new Mempool({ params: kit.params, clock, signatures: new TestSignatures(), chain, blocks: { written: async () => {} }, storage: new MemoryStorage(new MemoryDisk()), log, own: [], publish: () => {} })
    const gossip = new BlocksGossip({ params: kit.params, clock, network, chain, sync: { sawVersion: () => {} }, pool, records: { standing: () => false }, blame, log })
    await gossip.start()
    return network
  }

  stranger (id: string, ...linked: string[]): Network {
    const network = this.hub.join(id)
    for (const other of linked) this.hub.connect(id, other)
    return network
  }
}

describe('transactions passed on', () => {
  it('one that waits goes on once for all who repeat it, and again when its sender may have said it again', async () => {
    const line = new Line()
    await line.tab('relay')
    let heard = 0
    const neighbour = line.stranger('neighbour', 'relay')
    await neighbour.subscribe(topic, async () => { heard++; return 'ignore' })
    const bytes = waiting(1, 2)
    for (const id of ['x', 'y', 'z']) {
      const x = line.stranger(id, 'relay')
      for (let i = 0; i < 20; i++) { await x.publish(topic, bytes); await line.clock.advance(10) }
    }
    expect(heard).toBe(1)
    await line.clock.advance(REBROADCAST_MS)
    await line.stranger('owner', 'relay').publish(topic, bytes)
    await line.clock.advance(50)
    expect(heard).toBe(2)
  })
})
