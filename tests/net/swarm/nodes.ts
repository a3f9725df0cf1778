/** The real adapter in Node: WebTorrent over libp2p streams, the mesh on the transport in memory. */
import '../../../src/net/nodeGlobals.ts'
import { memory } from '@libp2p/memory'
import { createLibp2pNetwork, type TabNetwork } from '../../../src/net/libp2p.ts'
import { MemoryDisk, type PieceDisk } from '../../../src/net/swarm/pieceDisk.ts'
import { WebTorrentSwarm } from '../../../src/net/swarm/webtorrentSwarm.ts'
import type { ClientClass } from '../../../src/net/swarm/webtorrentTypes.ts'

/** The package's own entry for Node: the page takes the one for browsers. It wants a port to announce, though nobody is told. */
const load = async (): Promise<ClientClass> => {
  const { default: WebTorrent } = await import('webtorrent')
  return class extends WebTorrent { override torrentPort = 1 }
}

export interface RealNode { readonly name: string, readonly network: TabNetwork, readonly swarm: WebTorrentSwarm, readonly address: string, readonly end: () => Promise<void> }

export async function realNode (bootstraps: readonly string[] = [], disk: PieceDisk = new MemoryDisk(64 * 1024 * 1024), now?: () => number): Promise<RealNode> {
  const listen = `/memory/swarm-${Math.random()}`
  const network = await createLibp2pNetwork({ bootstraps, namespace: 'swarm', carriers: { transports: [memory()], listen: [listen] } })
  const name = (await network.status()).self
  const swarm = new WebTorrentSwarm({ streams: network.streams, openDisk: async () => ({ disk }), trackers: [], iceServers: [], onError: e => { throw e }, load, now })
  return { name, network, swarm, address: `${listen}/p2p/${name}`, end: async () => { await swarm.stop(); await network.stop() } }
}

export async function connected (nodes: readonly RealNode[]): Promise<void> {
  const deadline = Date.now() + 15_000
  while (!nodes.every(n => nodes.every(m => m === n || n.network.streams.isConnected(m.name)))) {
    if (Date.now() > deadline) throw new Error('the nodes did not connect')
    await new Promise(resolve => { setTimeout(resolve, 50) })
  }
}
