/** One node's place among peers that answer as they are told. */
import { hash } from '../../src/core/crypto/hash.ts'
import { createMemoryHub } from '../../src/net/memory.ts'
import { RingLog } from '../../src/node/log.ts'
import { Refusals } from '../../src/node/refusals.ts'
import type { Network } from '../../src/ports/network.ts'
import { ManualClock } from './chainRig.ts'
import { SeededRandom } from './workRig.ts'

export const JOB = hash('test-job')
export const NOTHING = new Uint8Array(0)

export function place () {
  const clock = new ManualClock(1_700_000_000_000)
  const hub = createMemoryHub({ clock, latencyMs: 5 })
  const net = hub.join('me')
  const log = new RingLog(clock)
  const blame = new Refusals({ clock, network: net, log })
  /** A peer that answers one protocol, and counts. */
  const peer = async (id: string, protocol: string, answer: (body: Uint8Array) => Uint8Array): Promise<{ asked: number, readonly net: Network }> => {
    const p = { asked: 0, net: hub.join(id) }
    await p.net.handle(protocol, { maxRequestBytes: 256, maxResponseBytes: 1 << 22, perPeerPerSecond: 1000 }, async (_, body) => { p.asked++; return answer(body) })
    return p
  }
  const during = async <T>(ms: number, run: Promise<T>): Promise<T> => { await clock.advance(ms); return await run }
  return { clock, hub, net, log, blame, peer, during, random: new SeededRandom(1), refusals: () => blame.list().map(r => r.reason) }
}
