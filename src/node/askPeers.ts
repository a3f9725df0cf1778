/** Asks one peer after another for something that can be checked by its hash. */
import type { Type } from '@chainsafe/ssz'
import { decode } from '../core/codec/ssz.ts'
import type { Clock, Random } from '../ports/clock.ts'
import { RequestError, type Network, type PeerId, type PeerView } from '../ports/network.ts'
import type { Blame } from './parts.ts'

export type Asking = Pick<Network, 'status' | 'request'>

/** The server relays and holds nothing of the chain; a signalling circuit carries no requests. */
export const isDirect = (p: PeerView): boolean => p.link === 'webrtc' || p.link === 'memory'

/** Peers that may hold what a node asks for, `first` before all, the rest in random order. */
export async function candidates (network: Pick<Network, 'status'>, random: Random, first?: PeerId): Promise<PeerId[]> {
  const { self, peers } = await network.status()
  const others = peers.filter(p => isDirect(p) && p.id !== first && p.id !== self).map(p => p.id)
  const keys = random.bytes(others.length * 2)
  const shuffled = others
    .map((id, i) => ({ id, key: keys[2 * i] * 256 + keys[2 * i + 1] }))
    .sort((a, b) => a.key - b.key)
    .map(p => p.id)
  return first === undefined || first === self ? shuffled : [first, ...shuffled]
}

/** The peer's answer; undefined where it does not answer or does not hold it (an empty answer). */
export async function ask (network: Pick<Network, 'request'>, peer: PeerId, protocol: string, body: Uint8Array, timeoutMs: number, maxResponseBytes: number): Promise<Uint8Array | undefined> {
  try {
    const bytes = await network.request(peer, protocol, body, { timeoutMs, maxResponseBytes })
    return bytes.length === 0 ? undefined : bytes
  } catch (e) {
    if (e instanceof RequestError) return undefined
    throw e
  }
}

export interface Question<T> { readonly what: string, readonly protocol: string, readonly body: Uint8Array, readonly timeoutMs: number, readonly answer: Type<T>, readonly maxBytes: number }

/** What each of these peers says, of those that say something; one whose answer cannot be read is named for it. */
export async function askEach<T> (network: Pick<Network, 'request'>, blame: Pick<Blame, 'refuse'>, peers: readonly PeerId[], q: Question<T>): Promise<Array<readonly [PeerId, T]>> {
  const answers = await Promise.all(peers.map(async peer => [peer, await ask(network, peer, q.protocol, q.body, q.timeoutMs, q.maxBytes)] as const))
  return answers.flatMap(([peer, answer]) => {
    if (answer === undefined) return []
    const d = decode(q.answer, answer, q.maxBytes)
    if (d.ok) return [[peer, d.value] as const]
    blame.refuse({ what: q.what, reason: d.error.reason, detail: d.error.detail, peer, fatal: true })
    return []
  })
}

/** Waits before a peer that has answered "busy" is asked again: it takes so many requests a second and no more. */
const BUSY_MS = [250, 500, 1_000, 1_000, 2_000, 2_000]

/** As ask(), but a peer that is busy now is asked again a little later, and an empty answer is one. */
export async function askPatiently (network: Pick<Network, 'request'>, clock: Pick<Clock, 'after'>, peer: PeerId, protocol: string, body: Uint8Array, timeoutMs: number, maxResponseBytes: number): Promise<Uint8Array | undefined> {
  for (let i = 0; ; i++) {
    try {
      return await network.request(peer, protocol, body, { timeoutMs, maxResponseBytes })
    } catch (e) {
      if (!(e instanceof RequestError)) throw e
      if (e.kind !== 'busy' || i === BUSY_MS.length) return undefined
      await sleep(clock, BUSY_MS[i])
    }
  }
}

export function sleep (clock: Pick<Clock, 'after'>, ms: number): Promise<void> {
  return new Promise(resolve => { clock.after(ms, resolve) })
}

/** The first that comes to something; undefined where none does. */
export async function firstOf<T> (runs: ReadonlyArray<Promise<T | undefined>>): Promise<T | undefined> {
  return await new Promise((resolve, reject) => {
    let left = runs.length
    for (const run of runs) run.then((found) => { if (found !== undefined || --left === 0) resolve(found) }, reject)
  })
}

/** Undefined if it takes longer; what was begun goes on. */
export async function within<T> (clock: Pick<Clock, 'after'>, ms: number, work: Promise<T>): Promise<T | undefined> {
  return await new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => { resolve(undefined) })
    work.then(resolve, reject).finally(cancel)
  })
}
