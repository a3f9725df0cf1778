/** Gossip over the memory network: how long a message takes to the last of N nodes, in real time. */
import { createMemoryHub } from '../../src/net/memory.ts'
import type { Clock } from '../../src/ports/clock.ts'
import { median, type Measurement } from './measure.ts'

const realClock: Clock = {
  now: () => performance.now(),
  after: (ms, fn) => {
    const t = setTimeout(fn, ms)
    return () => { clearTimeout(t) }
  }
}

const TOPIC = '/bench'

async function delays (nodes: number, bytes: number, messages: number): Promise<number[]> {
  const hub = createMemoryHub({ clock: realClock, latencyMs: 0 })
  const networks = Array.from({ length: nodes }, (_, i) => hub.join(`node-${i}`))
  const last: number[] = []
  let arrived = 0
  let sentAt = 0
  let done: () => void = () => {}
  for (const [i, n] of networks.entries()) {
    await n.subscribe(TOPIC, async () => {
      if (i !== 0 && ++arrived === nodes - 1) { last.push(performance.now() - sentAt); done() }
      return 'accept'
    })
  }
  for (let m = 0; m < messages; m++) {
    const all = new Promise<void>((resolve) => { done = resolve })
    arrived = 0
    sentAt = performance.now()
    const body = new Uint8Array(bytes)
    new DataView(body.buffer).setUint32(0, m)
    await networks[0].publish(TOPIC, body)
    await all
  }
  await Promise.all(networks.map(async (n) => n.stop()))
  return last
}

export async function benchGossip (): Promise<Measurement[]> {
  const results: Measurement[] = []
  for (const nodes of [8, 32]) {
    const small = await delays(nodes, 1024, 40)
    const large = await delays(nodes, 48 * 1024, 20)
    const m = { name: `1 kB to the last of ${nodes} nodes, memory network`, unit: 'ms', median: median(small), min: Math.min(...small), runs: small.length }
    results.push(m, { name: `48 kB to the last of ${nodes} nodes, memory network`, unit: 'ms', median: median(large), min: Math.min(...large), runs: large.length, peer: m.name, ratio: median(large) / m.median })
  }
  return results
}
