/** The mesh over real WebRTC in one process: the server introduces, dies, comes back. */
import '../../src/net/nodeGlobals.ts'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Connection, PeerId as LibPeerId, Stream } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { streamPair } from '@libp2p/utils'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseOptions, type ServerOptions } from '../../server/options.ts'
import { type RunningServer, startServer } from '../../server/server.ts'
import { writeFrame } from '../../src/net/frames.ts'
import { createLibp2pNetwork } from '../../src/net/libp2p.ts'
import { Mesh, MESH, type MeshOptions } from '../../src/net/mesh.ts'
import { decodeNames, encodeNames } from '../../src/net/protocols.ts'
// What createLibp2pNetwork would load by itself; here so that a test's time is the network's.
import { webTransports } from '../../src/net/webTransports.ts'
import type { Network } from '../../src/ports/network.ts'
import { until } from '../compliance/network.ts'

const links = async (n: Network): Promise<string[]> => (await n.status()).peers.filter(p => p.link === 'webrtc').map(p => p.id)
const idOf = async (n: Network): Promise<string> => (await n.status()).self

describe('the mesh', { timeout: 120_000 }, () => {
  let folder: string
  let options: ServerOptions
  let server: RunningServer
  const nodes: Network[] = []
  const node = async (namespace = 'one', before: string[] = []): Promise<Network> => {
    const made = await createLibp2pNetwork({ bootstraps: [...before, `/ip4/127.0.0.1/tcp/${server.port}/ws/p2p/${server.peerId}`], namespace, carriers: webTransports([]) })
    nodes.push(made)
    return made
  }
  const connected = async (n: Network): Promise<boolean> => (await n.status()).relays.every(r => r.connected)

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'commonweight-mesh-'))
    const parsed = parseOptions(['--host', '127.0.0.1', '--port', '0', '--relay-only', '--data-dir', folder])
    if (!parsed.ok) throw new Error(parsed.error)
    options = parsed.value
    server = await startServer(options, '1')
  })
  afterAll(async () => {
    await Promise.all(nodes.map(async n => n.stop()))
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  })

  it('links the peers of one network with one another, and with no other network', async () => {
    const three = await Promise.all([node(), node(), node()])
    const stranger = await node('two')
    await until('three links', async () => (await Promise.all(three.map(links))).every(l => l.length === 2), 60_000)
    await until('the stranger at the server', async () => connected(stranger))
    expect(await links(stranger)).toEqual([])
    expect((await three[0].status()).peers.find(p => p.link === 'server')?.id).toBe(server.peerId)
  })

  it('goes on without the server, and heals a cut link through the common neighbour', async () => {
    const [a, b, c] = nodes
    const { port } = server
    await server.stop()
    await until('the loss to show', async () => !(await connected(a)))
    const heard: string[] = []
    for (const n of [b, c]) {
      await n.subscribe('t', async m => {
        heard.push(m.origin)
        return 'accept'
      })
    }
    await until('gossip', async () => {
      await a.publish('t', crypto.getRandomValues(new Uint8Array(8)))
      return heard.length >= 2
    })
    const other = await idOf(b)
    await a.ban(other, 'cut', 1)
    expect(await links(a)).not.toContain(other)
    await until('the link anew', async () => (await links(a)).includes(other), 60_000)
    server = await startServer({ ...options, port }, '1')
    await until('everybody back', async () => (await Promise.all(nodes.map(connected))).every(Boolean), 60_000)
    // One live bootstrap of several is enough.
    const dead = `/ip4/127.0.0.1/tcp/1/ws/p2p/${await idOf(nodes[3])}`
    const late = await node('one', [dead])
    await until('a newcomer linked', async () => (await links(late)).length >= 2, 60_000)
    expect((await late.status()).relays.map(r => r.connected)).toEqual([false, true])
  })

  it('a banned peer is not let in again, whoever dials', async () => {
    const [a, b] = nodes
    const other = await idOf(b)
    await a.ban(other, 'lied')
    await new Promise(resolve => setTimeout(resolve, 4_000))
    expect((await a.status()).peers.map(p => p.id)).not.toContain(other)
  })
})

/** Links as libp2p shows them, on which names are asked for; a mesh identifies them at its start. */
const someone = async (): Promise<LibPeerId> => peerIdFromPrivateKey(await generateKeyPair('Ed25519'))

function fakeLink (remotePeer: LibPeerId, names: readonly string[], part: Partial<Connection> = {}): Connection {
  const answer = async (): Promise<Stream> => {
    const [here, there] = await streamPair()
    void writeFrame(there, encodeNames(names), AbortSignal.timeout(1_000))
    return here
  }
  return { id: remotePeer.toString(), status: 'open', direction: 'outbound', remotePeer, remoteAddr: multiaddr('/memory/1'), timeline: { open: Date.now() }, streams: [], newStream: answer, ...part } as unknown as Connection
}

function fakeNode (self: LibPeerId, links: readonly Connection[], dial: (address: Multiaddr) => void): MeshOptions['node'] {
  return {
    peerId: self,
    services: { relay: { reservations: new Map() } },
    getConnections: (of?: LibPeerId) => links.filter(c => c.status === 'open' && (of === undefined || c.remotePeer.equals(of))),
    addEventListener: (name: string, listener: (e: { readonly detail: unknown }) => void) => { if (name === 'peer:identify') for (const connection of links) listener({ detail: { connection } }) },
    handle: async () => {},
    dial: async (address: Multiaddr) => {
      dial(address)
      throw new Error('nobody there')
    }
  } as unknown as MeshOptions['node']
}

const quiet = { bootstraps: [], namespace: 'one', isBanned: () => false, welcomeAt: () => undefined, onChange: () => {}, onDebug: () => {} }

describe('too many links', () => {
  it.each([
    ['this tab', 'outbound', 0],
    // A stream that is held open for ever holds no place of its own.
    ['the others', 'inbound', 3]
  ] as const)('cost those that others have dialled and that brought nothing; where %s may be fetching over six more, those cost no others', async (_, direction, least) => {
    const fetchers = 6
    const [self, own, ...others] = await Promise.all(Array.from({ length: 7 + fetchers }, someone))
    const [useful, ...rest] = others.map(id => id.toString())
    const fetching = rest.slice(0, fetchers)
    const idle = rest.slice(fetchers)
    const dropped: string[] = []
    const links = [own, ...others].map(id => {
      const link = fakeLink(id, [], {
        direction: id === own ? 'outbound' : 'inbound',
        // With gossip both ways: who is silent goes for that.
        streams: [
          ...(['inbound', 'outbound'] as const).map(direction => ({ protocol: '/meshsub/1.2.0', direction })),
          ...fetching.includes(id.toString()) ? [{ protocol: '/cw/1/payload', direction }] : []
        ] as Connection['streams'],
        abort: () => {
          dropped.push(id.toString())
          ;(link as { status: string }).status = 'closed'
        }
      })
      return link
    })
    // Somebody new is looked for before each look, in vain: there is nobody else.
    const mesh = new Mesh({ ...quiet, node: fakeNode(self, links, () => {}), numbers: { ...MESH, soft: 3, tickMs: 20, exploreMs: 1 }, welcomeAt: id => id === useful ? 1 : undefined })
    await mesh.start()
    await until('room', async () => dropped.length >= 3 + least, 5_000)
    // At the next look, and the one after it, nobody else.
    await new Promise(resolve => setTimeout(resolve, 100))
    mesh.stop()
    expect(dropped.filter(id => idle.includes(id))).toHaveLength(3)
    expect(dropped.filter(id => fetching.includes(id))).toHaveLength(least)
    expect(dropped).toHaveLength(3 + least)
  })
})

describe('names of peers that neighbours give', () => {
  const nobody = '2'.repeat(50)

  it('are those of peers; the rest of an answer is dropped', async () => {
    const [a, b] = (await Promise.all([someone(), someone()])).map(id => id.toString())
    // Letters of base58 that are no key, another way to write one, and one too many.
    expect(decodeNames(encodeNames([nobody, a, '1'.repeat(50), (await someone()).toCID().toString(), `${b}1`, b]))).toEqual([a, b])
  })

  it('lead on to others, though one neighbour names what no peer is called', async () => {
    const [self, good, bad, ...newcomers] = await Promise.all(Array.from({ length: 5 }, someone))
    const links = [fakeLink(good, [newcomers[0].toString()]), fakeLink(bad, [nobody, newcomers[1].toString()])]
    const dialled: string[] = []
    const mesh = new Mesh({ ...quiet, node: fakeNode(self, links, address => { dialled.push(address.toString()) }), numbers: MESH })
    await mesh.start()
    await until('both dialled', async () => dialled.length === 2, 5_000)
    mesh.stop()
    expect(dialled.sort()).toEqual([[good, newcomers[0]], [bad, newcomers[1]]].map(([by, id]) => `/p2p/${by.toString()}/p2p-circuit/webrtc/p2p/${id.toString()}`).sort())
  })
})
