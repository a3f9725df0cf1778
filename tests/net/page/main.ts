/**
 * A tab that is nothing but the network, behind the message port as in the app; the test drives
 * it through `window.mesh`.
 */
import { createLibp2pNetwork } from '../../../src/net/libp2p.ts'
import { connectNetwork, exposeNetwork } from '../../../src/net/portNetwork.ts'
import type { NetworkStatus } from '../../../src/ports/network.ts'

const TOPIC = '/test/words'
const bootstrap = await (await fetch('/bootstrap.json')).json() as { readonly bootstraps: string[], readonly network: string }
const started = performance.now()
const notes: string[] = []
const channel = new MessageChannel()
exposeNetwork(await createLibp2pNetwork({
  bootstraps: bootstrap.bootstraps,
  namespace: bootstrap.network,
  onDebug: t => { notes.push(`${Math.round(performance.now() - started)} ${t}`) },
  onError: e => { notes.push(`ERROR ${String(e)}`) }
}), channel.port1)
const network = connectNetwork(channel.port2)

/** Text to the time it arrived, ms since the epoch (the tabs share one clock). */
const heard = new Map<string, number>()
await network.subscribe(TOPIC, async m => {
  heard.set(new TextDecoder().decode(m.bytes), Date.now())
  return 'accept'
})
await network.handle('/test/double', { maxRequestBytes: 4_000_000, maxResponseBytes: 4_000_000, perPeerPerSecond: 10 }, async (_peer, body) => body.map(b => b * 2))

const firstAt = new Map<number, number>()
await network.onStatus(s => {
  const n = s.peers.filter(p => p.link === 'webrtc').length
  if (!firstAt.has(n)) firstAt.set(n, performance.now() - started)
})

const mesh = {
  status: async (): Promise<NetworkStatus> => network.status(),
  notes: () => notes.slice(-60),
  msToPeers: (n: number) => firstAt.get(n),
  say: async (words: string) => ({ sent: await network.publish(TOPIC, new TextEncoder().encode(words)), at: Date.now() }),
  /** Cuts the link; both sides may make it anew at once. */
  cut: async (peer: string) => network.ban(peer, 'cut', 1),
  heard: (words: string) => heard.get(words),
  /** ms for `bytes` there and back, where every byte came back doubled. */
  double: async (peer: string, bytes: number) => {
    const body = new Uint8Array(bytes).map((_, i) => i % 128)
    const at = performance.now()
    const answer = await network.request(peer, '/test/double', body, { timeoutMs: 30_000, maxResponseBytes: bytes })
    const ms = performance.now() - at
    return answer.length === bytes && answer.every((b, i) => b === (i % 128) * 2) ? ms : -1
  }
}
export type MeshPage = typeof mesh
declare global { interface Window { mesh: MeshPage } }
window.mesh = mesh
