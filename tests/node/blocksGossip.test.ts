/** What a tab passes on, never so much that its neighbours would take it for the one who floods them; and headers whose bodies do not come. */
import { describe, expect, it } from 'vitest'
import { toHex } from '../../src/core/codec/ssz.ts'
import { Block, BodiesRequest, BodiesResponse, Body, Claim, SignedTransaction } from '../../src/core/codec/wire.ts'
import { claimId } from '../../src/core/crypto/ids.ts'
import { createMemoryHub, type MemoryHub } from '../../src/net/memory.ts'
import { sleep } from '../../src/node/askPeers.ts'
import { BlocksGossip, blocksTopic, transactionsTopic } from '../../src/node/blocksGossip.ts'
import type { Chain } from '../../src/node/chain.ts'
import { RingLog } from '../../src/node/log.ts'
import { Mempool, REBROADCAST_MS } from '../../src/node/mempool.ts'
import { Refusals } from '../../src/node/refusals.ts'
import { BODIES_PROTOCOL } from '../../src/node/syncServer.ts'
import { type Network, type PeerId, RequestError } from '../../src/ports/network.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { keyPair, type Mined } from '../core/chainKit.ts'
import { kitTime, ManualClock, TestSignatures } from './chainRig.ts'
import { branch, feed, kit, node, run, type TestNode, world, type World } from './syncRig.ts'

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
    const pool = new Mempool({ params: kit.params, clock, signatures: new TestSignatures(), chain, blocks: { written: async () => true }, storage: new MemoryStorage(new MemoryDisk()), log, own: [], publish: () => {} })
    const gossip = new BlocksGossip({ params: kit.params, clock, network, chain, sync: { sawVersion: () => {} }, pool, records: { standing: () => false }, signatures: new TestSignatures(), blame, log })
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

describe('a header alone', () => {
  const blocks = branch(kit, kit.genesis, 6)
  const parent = blocks[4].meta
  const [last] = blocks.slice(-1)
  /** Each is right and of another key, and so are their blocks. */
  const header = (n: number): Claim => kit.block(parent, { miner: keyPair(30 + n) }).header
  const said = (claim: Claim): Uint8Array => Uint8Array.of(1, ...Claim.serialize(claim))
  const nameOf = (claim: Claim): string => toHex(claimId(claim))
  const topic = blocksTopic(kit.genesis.hash)

  interface Victim extends TestNode { readonly asked: Array<readonly [PeerId, string]> }

  /** At the fifth block. Strangers, whose names begin with s, are silent when they are asked for a body. */
  async function victim (w: World): Promise<Victim> {
    const v = await node(w, 'victim')
    await feed(v, blocks.slice(0, 5))
    const asked: Array<readonly [PeerId, string]> = []
    const request = v.network.request.bind(v.network)
    v.network.request = async (peer, protocol, body, o) => {
      if (protocol !== BODIES_PROTOCOL) return await request(peer, protocol, body, o)
      const [block] = BodiesRequest.deserialize(body).hashes
      asked.push([peer, toHex(block)])
      if (!peer.startsWith('s') && toHex(block) === nameOf(last.block.header)) return await request(peer, protocol, body, o)
      await sleep(w.clock, o.timeoutMs)
      throw new RequestError('timeout', 'no answer')
    }
    return { ...await run(v), asked }
  }

  /** Linked to the victim alone. */
  function join (w: World, id: PeerId): Network {
    const network = w.hub.join(id)
    for (const other of w.hub.links(id)) if (other !== 'victim') w.hub.disconnect(id, other)
    return network
  }

  const serve = async (of: Network, { block }: Mined): Promise<void> => {
    await of.handle(BODIES_PROTOCOL, { maxRequestBytes: 1024, maxResponseBytes: 1 << 16, perPeerPerSecond: 100 }, async () => BodiesResponse.serialize({ bodies: [Body.serialize(block.body)] }))
  }

  it('that its miner has not signed is refused, and nobody is asked for its body', async () => {
    const w = world()
    const v = await victim(w)
    await join(w, 's').publish(topic, said({ ...header(0), signature: header(1).signature }))
    await w.clock.advance(100)
    expect(v.blame.list().map(r => [r.reason, r.peer])).toEqual([['header-signature', 's']])
    expect((await v.network.status()).banned.map(b => b.id)).toEqual(['s'])
    expect(v.asked).toEqual([])
  })

  it('has one question to each neighbour who brings it, and a neighbour two at once', async () => {
    const w = world()
    const v = await victim(w)
    const s = join(w, 's')
    const h = join(w, 'h')
    await serve(h, last)
    for (const claim of [last.block.header, last.block.header, header(0), header(1)]) await s.publish(topic, said(claim))
    await w.clock.advance(100)
    const silent: Victim['asked'] = [['s', nameOf(last.block.header)], ['s', nameOf(header(0))]]
    expect(v.asked).toEqual(silent)
    // Whoever says it first and withholds its body holds it up for nobody.
    await h.publish(topic, said(last.block.header))
    await w.clock.advance(100)
    expect(v.asked).toEqual([...silent, ['h', nameOf(last.block.header)]])
    expect(v.chain.head().height).toBe(6)
    expect(v.blame.list()).toEqual([])
    await w.clock.advance(10_000)
    await s.publish(topic, said(header(1)))
    await w.clock.advance(100)
    expect(v.asked.at(-1)).toEqual(['s', nameOf(header(1))])
  })

  it('for which there is no place now is found by the status of who brought it', async () => {
    const w = world()
    const v = await victim(w)
    const h = await node(w, 'h')
    await feed(h, blocks.slice(0, 5))
    await h.sync.start()
    await w.clock.advance(1_200)
    await feed(h, [last])
    for (const claim of [header(0), header(1), last.block.header]) await h.network.publish(topic, said(claim))
    await w.clock.advance(200)
    expect(v.chain.head().height).toBe(6)
    expect(v.blame.list()).toEqual([])
  })

  it('leaves places for what others say, over how many links soever it comes again and again', async () => {
    const w = world()
    const v = await victim(w)
    const h = join(w, 'h')
    for (let i = 0; i < 11; i++) {
      const s = join(w, `s${i}`)
      for (let k = 0; k < 48; k++) await s.publish(topic, said(header(0)))
    }
    await w.clock.advance(100)
    await h.publish(topic, Uint8Array.of(0, ...Block.serialize(last.block)))
    await w.clock.advance(100)
    expect(v.chain.head().height).toBe(6)
  })
})
