/** What a tab keeps of peers by name: something of those that are here, nothing of those that have gone. */
import '../../src/net/nodeGlobals.ts'
import { identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import { memory } from '@libp2p/memory'
import { noise } from '@libp2p/noise'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { expect, test, vi } from 'vitest'
import type { GossipService } from '../../src/net/gossip.ts'

type Tab = Libp2p<{ pubsub: GossipService & { readonly peers: ReadonlyMap<string, unknown> } }>
const made = vi.hoisted(() => ({ nodes: [] as unknown[] }))
vi.mock('libp2p', async original => {
  const real = await original<typeof import('libp2p')>()
  return {
    ...real,
    createLibp2p: async (o: Parameters<typeof real.createLibp2p>[0]) => {
      const node = await real.createLibp2p(o)
      made.nodes.push(node)
      return node
    }
  }
})

test('a name that has gone leaves nothing behind in a tab, and one that comes back is a neighbour as before', async () => {
  const { createLibp2pNetwork } = await import('../../src/net/libp2p.ts')
  const { createLibp2p } = await import('libp2p')
  const carriers = (listen: string[]) => ({ transports: [memory()], listen })
  const address = `/memory/names-${Math.random()}`
  const network = await createLibp2pNetwork({ bootstraps: [], namespace: 'names', carriers: carriers([address]) })
  const tab = made.nodes[0] as Tab
  const known = async (): Promise<string[]> => (await tab.peerStore.all()).map(p => p.id.toString()).filter(id => id !== tab.peerId.toString())
  const here = multiaddr(`${address}/p2p/${tab.peerId.toString()}`)
  const neighbour = await createLibp2pNetwork({ bootstraps: [here.toString()], namespace: 'names', carriers: carriers([]) })
  const itsName = (await neighbour.status()).self
  await vi.waitFor(() => { expect([...tab.services.pubsub.peers.keys()]).toEqual([itsName]) }, 5_000)

  for (let i = 0; i < 8; i++) {
    const passing = await createLibp2p({ addresses: { listen: [] }, transports: [memory()], connectionEncrypters: [noise()], streamMuxers: [yamux()], services: { identify: identify() }, nodeInfo: { userAgent: 'x'.repeat(5_000) } })
    await passing.handle('/meshsub/1.1.0', () => {})
    await passing.dial(here)
    // The others go as soon as they are here.
    if (i % 2 === 0) await vi.waitFor(async () => { expect(await known()).toContain(passing.peerId.toString()) }, 5_000)
    await passing.stop()
  }
  await vi.waitFor(async () => { expect(await known()).toEqual([itsName]) }, 5_000)
  // Gossip was told of each that went.
  expect([...tab.services.pubsub.peers.keys()]).toEqual([itsName])

  // Its bootstrap is dialled again as soon as it is away.
  for (const c of tab.getConnections()) c.abort(new Error('the line broke'))
  await vi.waitFor(() => { expect(tab.services.pubsub.peers.size).toBe(0) }, 5_000)
  let heard = 0
  await network.subscribe('t', async () => { heard++; return 'accept' })
  await neighbour.subscribe('t', async () => 'accept')
  await vi.waitFor(async () => { expect(await neighbour.publish('t', Uint8Array.of(heard))).toBe(1) }, 15_000)
  await vi.waitFor(() => { expect(heard).toBeGreaterThan(0) }, 5_000)
  expect(await known()).toEqual([itsName])

  await neighbour.stop()
  await vi.waitFor(async () => { expect(await known()).toEqual([]) }, 5_000)
  await network.stop()
}, 60_000)
