import { connectSwarm, exposeSwarm } from '../../../src/net/swarm/portSwarm.ts'
import { MemorySwarmHub } from '../../../src/net/swarm/memory.ts'
import { swarmCompliance, type Trio } from '../../compliance/swarm.ts'
import { connected, realNode } from './nodes.ts'

const realClock = {
  now: () => Date.now(),
  after (ms: number, fn: () => void) {
    const timer = setTimeout(fn, ms)
    return () => { clearTimeout(timer) }
  }
}

async function memoryTrio (): Promise<Trio> {
  const hub = new MemorySwarmHub({ clock: realClock })
  const [a, b, c] = ['a', 'b', 'c'].map(name => ({ name, swarm: hub.join(name) }))
  return { a, b, c, end: async () => { for (const n of [a, b, c]) await n.swarm.stop() } }
}

async function realTrio (): Promise<Trio> {
  const a = await realNode()
  const b = await realNode([a.address])
  const c = await realNode([a.address, b.address])
  await connected([a, b, c])
  return { a, b, c, end: async () => { for (const n of [c, b, a]) await n.end() } }
}

function overPort ({ a, b, c, end }: Trio): Trio {
  const [pa, pb, pc] = [a, b, c].map(({ name, swarm }) => {
    const { port1, port2 } = new MessageChannel()
    exposeSwarm(swarm, port1)
    // Files survive the way through a port in a browser (tests/e2e/swarm.e2e.ts), in Node they lose their names.
    return { name, swarm: { ...connectSwarm(port2), share: (files: readonly File[], as: string) => swarm.share(files, as) } }
  })
  return { a: pa, b: pb, c: pc, end: async () => { for (const n of [pa, pb, pc]) await n.swarm.stop(); await end() } }
}

swarmCompliance('in memory', memoryTrio)
swarmCompliance('in memory, behind a port', async () => overPort(await memoryTrio()))
swarmCompliance('WebTorrent over libp2p', realTrio)
