/** What the relay keeps of tabs by name: something of those that are here, nothing of those that have gone. */
import '../../src/net/nodeGlobals.ts'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { type Connection, type Libp2pEvents, type PeerId, type PrivateKey, TypedEventEmitter } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type Relay, startRelay } from '../../server/relay.ts'
import { forgetTheGone } from '../../src/net/forgetTheGone.ts'
import { readFrame, writeFrame } from '../../src/net/frames.ts'
import { decodeNames, MAX_NAMES_BYTES, RENDEZVOUS } from '../../src/net/protocols.ts'

let folder: string
let relay: Relay
let address: Multiaddr
const server = createServer().on('upgrade', (request, socket, head) => { relay.gate.upgrade(request, socket, head) })
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'commonweight-names-'))
  relay = await startRelay({ dataDir: folder, maxConnections: 100, maxPerAddress: 100, behindProxy: false })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  address = multiaddr(`/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}/ws/p2p/${relay.id}`)
})
afterAll(async () => {
  await relay.stop()
  server.close()
  await rm(folder, { recursive: true, force: true })
})

async function tab (privateKey: PrivateKey): Promise<{ readonly id: string, readonly ask: () => Promise<readonly string[]>, readonly stop: () => Promise<void> }> {
  const node = await createLibp2p({ privateKey, transports: [webSockets()], connectionEncrypters: [noise()], streamMuxers: [yamux()], connectionGater: { denyDialMultiaddr: () => false }, services: { identify: identify() }, nodeInfo: { userAgent: 'x'.repeat(5_000) } })
  await node.dial(address)
  return {
    id: node.peerId.toString(),
    ask: async () => {
      const stream = await node.dialProtocol(address, RENDEZVOUS)
      const signal = AbortSignal.timeout(5_000)
      await writeFrame(stream, new TextEncoder().encode('names'), signal)
      const names = decodeNames(await readFrame(stream, MAX_NAMES_BYTES, signal))
      await stream.close({ signal })
      return names
    },
    stop: async () => { await node.stop() }
  }
}

test('a name that has gone leaves nothing behind, one that is here stays known', async () => {
  const here = await tab(await generateKeyPair('Ed25519'))
  for (let i = 0; i < 8; i++) {
    const passing = await tab(await generateKeyPair('Ed25519'))
    // The others go as soon as they are here.
    if (i % 2 === 0) await vi.waitFor(async () => { expect(await relay.known()).toContain(passing.id) }, 5_000)
    await passing.stop()
  }
  await vi.waitFor(() => { expect(relay.counts().connections).toBe(1) }, 5_000)
  await vi.waitFor(async () => { expect(await relay.known()).toEqual([here.id]) }, 5_000)
  await here.stop()
}, 30_000)

test('a name that comes back at once is known and introduced as before', async () => {
  const key = await generateKeyPair('Ed25519')
  const other = await tab(await generateKeyPair('Ed25519'))
  for (let i = 0; i < 5; i++) {
    const returning = await tab(key)
    expect(await returning.ask()).not.toContain(returning.id)
    expect(await other.ask()).toContain(returning.id)
    await vi.waitFor(async () => { expect(await relay.known()).toContain(returning.id) }, 5_000)
    expect(relay.counts()).toMatchObject({ connections: 2, reservations: 2 })
    await returning.stop()
  }
  await other.stop()
  await vi.waitFor(async () => { expect(await relay.known()).toEqual([]) }, 5_000)
}, 30_000)

test('what is written of a name after it has gone goes too, what is written of one that is here stays; a book that fails ends nothing', async () => {
  const [here, gone] = await Promise.all([0, 1].map(async () => peerIdFromPrivateKey(await generateKeyPair('Ed25519'))))
  const forgotten: string[] = []
  const node = Object.assign(new TypedEventEmitter<Libp2pEvents>(), {
    getConnections: (peer?: PeerId) => peer?.equals(here) === true ? [{} as Connection] : [],
    peerStore: {
      delete: async (peer: PeerId) => {
        forgotten.push(peer.toString())
        throw new Error('no such entry')
      }
    }
  })
  forgetTheGone(node)
  for (const id of [here, gone]) node.dispatchEvent(new CustomEvent('peer:update', { detail: { peer: { id, addresses: [], protocols: [], metadata: new Map(), tags: new Map() } } }))
  expect(forgotten).toEqual([gone.toString()])
  // It came back before its going was told.
  node.dispatchEvent(new CustomEvent('peer:disconnect', { detail: here }))
  expect(forgotten).toHaveLength(1)
})
