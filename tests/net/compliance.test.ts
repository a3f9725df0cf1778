import '../../src/net/nodeGlobals.ts'
import { memory } from '@libp2p/memory'
import { createLibp2pNetwork } from '../../src/net/libp2p.ts'
import { createMemoryHub } from '../../src/net/memory.ts'
import { connectNetwork, exposeNetwork } from '../../src/net/portNetwork.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Network } from '../../src/ports/network.ts'
import { type Line, networkCompliance } from '../compliance/network.ts'

const realClock: Clock = {
  now: () => Date.now(),
  after (ms, fn) {
    const timer = setTimeout(fn, ms)
    return () => { clearTimeout(timer) }
  }
}

async function memoryLine (): Promise<Line> {
  const hub = createMemoryHub({ clock: realClock, latencyMs: 2, maxLinks: 0 })
  const [a, b, c] = [hub.join('a'), hub.join('b'), hub.join('c')]
  hub.connect('a', 'b')
  hub.connect('c', 'b')
  return { a, b, c }
}

function overPort (network: Network): Network {
  const { port1, port2 } = new MessageChannel()
  exposeNetwork(network, port1)
  return connectNetwork(port2)
}

/** The middle listens; the ends know it as their bootstrap. */
async function libp2pLine (): Promise<Line> {
  const node = async (listen: string[], bootstraps: string[]): Promise<Network> => createLibp2pNetwork({ bootstraps, namespace: 'compliance', carriers: { transports: [memory()], listen } })
  const address = `/memory/line-${Math.random()}`
  const b = await node([address], [])
  const middle = `${address}/p2p/${(await b.status()).self}`
  const [a, c] = [await node([], [middle]), await node([], [middle])]
  return { a, b, c }
}

networkCompliance('in memory', memoryLine)
networkCompliance('in memory, behind a port', async () => {
  const { a, b, c } = await memoryLine()
  return { a: overPort(a), b: overPort(b), c: overPort(c) }
})
networkCompliance('libp2p', libp2pLine)
networkCompliance('libp2p, behind a port', async () => {
  const { a, b, c } = await libp2pLine()
  return { a: overPort(a), b: overPort(b), c: overPort(c) }
})
