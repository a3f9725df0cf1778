/**
 * A stranger on the mesh who keeps to none of the bounds that src/net holds a node to: what is
 * published goes out as it is. Joins as the app does, with a name of its own each time.
 */
import '../../../src/net/polyfill.ts'
import { circuitRelayServer, type CircuitRelayService } from '@libp2p/circuit-relay-v2'
import type { GossipSubEvents } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { yamux } from '@libp2p/yamux'
import { createLibp2p, type Libp2p } from 'libp2p'
import { type GossipService, gossipService } from '../../../src/net/gossip.ts'
import { Mesh, MESH, TAB_RELAY } from '../../../src/net/mesh.ts'
import { Penalties } from '../../../src/net/peerBook.ts'
import { Requests } from '../../../src/net/requests.ts'
import { webTransports } from '../../../src/net/webTransports.ts'
import { type ProtocolLimits, RequestError } from '../../../src/ports/network.ts'

interface Services extends Record<string, unknown> { pubsub: GossipService, relay: CircuitRelayService }

const POLL_MS = 100
/** Both sides may have dialled at once: one of the two links goes. */
const LASTING_POLLS = 5
const TRIES = 5
const ANY: ProtocolLimits = { maxRequestBytes: 1 << 20, maxResponseBytes: 1 << 22, perPeerPerSecond: 1000 }

export class Peer {
  readonly id: string
  readonly #node: Libp2p<Services>
  readonly #mesh: Mesh
  readonly #requests: Requests

  private constructor (node: Libp2p<Services>, bootstraps: readonly string[], namespace: string, penalties: Penalties) {
    this.id = node.peerId.toString()
    this.#node = node
    this.#mesh = new Mesh({ node, bootstraps, namespace, numbers: MESH, isBanned: () => false, welcomeAt: () => undefined, onChange: () => {}, onDebug: () => {} })
    this.#requests = new Requests({ node, connectionTo: id => this.#mesh.connectionTo(id), penalties, now: () => Date.now(), onOffence: () => {}, onError: e => { console.error(e) } })
  }

  static async join (bootstraps: readonly string[], namespace: string): Promise<Peer> {
    const carriers = webTransports([])
    const penalties = new Penalties(() => Date.now())
    const node = await createLibp2p<Services>({
      addresses: { listen: [...carriers.listen] },
      transports: carriers.transports,
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      connectionGater: { denyDialMultiaddr: () => false },
      services: { identify: identify(), ping: ping(), pubsub: gossipService(penalties), relay: circuitRelayServer({ reservations: TAB_RELAY }) }
    })
    const peer = new Peer(node, bootstraps, namespace, penalties)
    await peer.#mesh.start()
    return peer
  }

  /** Direct links. */
  links (): string[] { return this.#mesh.peers(() => 0).filter(p => p.link === 'webrtc').map(p => p.id) }

  /** Waits for direct links to all of these that last, and until they are known to follow the topic. */
  async reach (targets: readonly string[], topic: string, ms = 90_000): Promise<void> {
    const deadline = Date.now() + ms
    const reached = (): boolean => {
      const followers = this.#node.services.pubsub.getSubscribers(topic).map(p => p.toString())
      return targets.every(t => this.#mesh.connectionTo(t) !== undefined && followers.includes(t))
    }
    for (let polls = 0; polls < LASTING_POLLS; polls = reached() ? polls + 1 : 0) {
      if (Date.now() > deadline) throw new Error(`the attacker did not reach ${targets.join(', ')}; it has ${this.links().join(', ')}`)
      await new Promise(resolve => setTimeout(resolve, POLL_MS))
    }
  }

  /** To how many it was handed. */
  async publish (topic: string, bytes: Uint8Array): Promise<number> { return (await this.#node.services.pubsub.publish(topic, bytes)).recipients.length }

  /** The next message of a topic that is waited for; undefined if none comes in time. */
  async hear (topic: string, ms: number, wanted: (bytes: Uint8Array) => boolean): Promise<Uint8Array | undefined> {
    const { pubsub } = this.#node.services
    if (!pubsub.getTopics().includes(topic)) pubsub.subscribe(topic)
    return await new Promise(resolve => {
      const end = (bytes?: Uint8Array): void => {
        pubsub.removeEventListener('gossipsub:message', listen)
        clearTimeout(timer)
        resolve(bytes)
      }
      const listen = (e: GossipSubEvents['gossipsub:message']): void => {
        const { msg } = e.detail
        if (msg.topic === topic && wanted(msg.data)) end(msg.data)
      }
      const timer = setTimeout(end, ms)
      pubsub.addEventListener('gossipsub:message', listen)
    })
  }

  async request (peer: string, protocol: string, body: Uint8Array): Promise<Uint8Array> {
    return await this.#requests.request(peer, protocol, body, { timeoutMs: 20_000, maxResponseBytes: ANY.maxResponseBytes })
  }

  /** Again if the link went meanwhile. */
  async ask (peer: string, protocol: string, body: Uint8Array): Promise<Uint8Array> {
    for (let i = 1; ; i++) {
      try {
        return await this.request(peer, protocol, body)
      } catch (e) {
        if (i === TRIES || !(e instanceof RequestError) || e.kind === 'too-large') throw e
        await new Promise(resolve => setTimeout(resolve, i * 300))
      }
    }
  }

  async serve (protocol: string, answer: (body: Uint8Array) => Uint8Array): Promise<void> {
    await this.#requests.handle(protocol, ANY, async (_peer, body) => answer(body))
  }

  async leave (): Promise<void> {
    this.#mesh.stop()
    await this.#node.stop()
  }
}
