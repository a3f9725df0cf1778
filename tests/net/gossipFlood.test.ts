/** Neighbours that say one thing over and over, to a real mesh: what is verified of it, and what becomes of them. */
import '../../src/net/nodeGlobals.ts'
import { generateKeyPair, publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { RPC } from '@libp2p/gossipsub/message'
import { identify } from '@libp2p/identify'
import { memory } from '@libp2p/memory'
import { noise } from '@libp2p/noise'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { expect, test, vi } from 'vitest'
import { GOSSIP_BURST, GOSSIP_PER_PEER_PER_SECOND } from '../../src/net/bounds.ts'
import { createLibp2pNetwork, type TabNetwork } from '../../src/net/libp2p.ts'

const node = async (listen: string[], bootstraps: string[] = []): Promise<TabNetwork> => await createLibp2pNetwork({ bootstraps, namespace: 'flood', carriers: { transports: [memory()], listen } })
const place = (): string => `/memory/flood-${Math.random()}`

function framed (bytes: Uint8Array): Uint8Array {
  const length: number[] = []
  let n = bytes.length
  for (; n >= 128; n >>>= 7) length.push((n & 127) | 128)
  const out = new Uint8Array(length.length + 1 + bytes.length)
  out.set([...length, n])
  out.set(bytes, length.length + 1)
  return out
}

type Flood = Readonly<{ topic: string, kind?: 'Ed25519' | 'secp256k1', isWrong?: boolean }>

/** As many at once, and what time gives back meanwhile: a ban is seconds away at most. */
const BOUND = GOSSIP_BURST + 5 * GOSSIP_PER_PEER_PER_SECOND

/** 10,000 copies in ten packets; how many signatures were looked at before they ended. */
async function verifiedOf ({ topic, kind = 'Ed25519', isWrong = false }: Flood): Promise<number> {
  const key = await generateKeyPair(kind)
  const address = place()
  const victim = await node([address])
  await victim.subscribe('known', async () => 'accept')
  const enemy = await createLibp2p({ addresses: { listen: [] }, transports: [memory()], connectionEncrypters: [noise()], streamMuxers: [yamux()], services: { identify: identify() } })
  await enemy.handle(['/meshsub/1.2.0', '/meshsub/1.1.0'], () => {})
  const connection = await enemy.dial(multiaddr(`${address}/p2p/${(await victim.status()).self}`))
  await vi.waitFor(async () => { expect((await victim.status()).peers).toHaveLength(1) }, 5_000)
  const stream = await connection.newStream(['/meshsub/1.1.0'])
  const unsigned = { from: peerIdFromPrivateKey(key).toMultihash().bytes, data: new Uint8Array(1), seqno: new Uint8Array(8).fill(1), topic }
  const signature = await key.sign(Uint8Array.of(...new TextEncoder().encode('libp2p-pubsub:'), ...RPC.Message.encode(unsigned)))
  if (isWrong) signature[signature.length - 1] ^= 1
  const message = { ...unsigned, signature, key: publicKeyToProtobuf(key.publicKey) }
  const packet = framed(RPC.encode({ subscriptions: [], messages: new Array<RPC.Message>(1_000).fill(message) }))
  const verify = vi.spyOn(Object.getPrototypeOf(key.publicKey) as typeof key.publicKey, 'verify')
  try {
    for (let i = 0; i < 10 && stream.status === 'open'; i++) {
      for (let at = 0; at < packet.length; at += 60_000) if (stream.status === 'open' && !stream.send(packet.subarray(at, at + 60_000))) await stream.onDrain()
    }
    await vi.waitFor(async () => { expect(await victim.status()).toMatchObject({ banned: [{ id: enemy.peerId.toString() }], peers: [] }) }, 10_000)
    return verify.mock.calls.length
  } finally {
    verify.mockRestore()
    await enemy.stop()
    await victim.stop()
  }
}

test.each<readonly [string, Flood, number]>([
  ['a topic nobody follows', { topic: 'nobody' }, 0],
  ['a topic nobody follows, a wrong signature', { topic: 'nobody', isWrong: true }, 0],
  ['copies on a topic that is followed', { topic: 'known' }, BOUND],
  ['copies with a wrong signature on a topic that is followed', { topic: 'known', isWrong: true }, BOUND],
  ['a slower kind of key', { topic: 'known', kind: 'secp256k1' }, 0]
])('ten thousand copies end in a ban: %s', async (_, flood, most) => {
  // What is verified at each link's handshake is no message.
  expect(await verifiedOf(flood)).toBeLessThanOrEqual(most + 4)
}, 30_000)

test('a burst of honest tabs reaches all of them, by many ways, and nobody is banned', async () => {
  const tabs: TabNetwork[] = []
  const addresses: string[] = []
  for (let i = 0; i < 5; i++) {
    const address = place()
    tabs.push(await node([address], [...addresses]))
    addresses.push(`${address}/p2p/${(await tabs[i].status()).self}`)
  }
  const heard = tabs.map(() => 0)
  for (const [i, t] of tabs.entries()) await t.subscribe('known', async () => { heard[i]++; return 'accept' })
  await vi.waitFor(async () => { for (const t of tabs) expect((await t.status()).peers).toHaveLength(4) }, 10_000)
  // Two heartbeats, for the mesh of the topic.
  await new Promise(resolve => { setTimeout(resolve, 2_000) })
  for (let n = 0; n < 40; n++) await Promise.all(tabs.map(async (t, i) => await t.publish('known', Uint8Array.of(i, n))))
  await vi.waitFor(() => { expect(heard).toEqual(tabs.map(() => 160)) }, 10_000)
  for (const t of tabs) expect(await t.status()).toMatchObject({ banned: [], peers: [{}, {}, {}, {}] })
  await Promise.all(tabs.map(async t => { await t.stop() }))
}, 40_000)
