/** What the page hands the node's worker at start. */
export interface NodeBoot {
  readonly network: 'main' | 'test'
  /** Identity slot of this tab: names its database and derives its key. */
  readonly slot: number
  /** The other end of the page's libp2p (net/portNetwork.ts). */
  readonly port: MessagePort
  /** The other end of the page's swarm (net/swarm/portSwarm.ts). */
  readonly swarm: MessagePort
  /** WebSocket trackers, ours. */
  readonly trackers: readonly string[]
  readonly cores: number
}
