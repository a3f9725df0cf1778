/**
 * Peers without a node: names on the network that say and answer what an enemy wants. A name costs
 * nothing, so one that was banned everywhere comes back under another.
 */
import type { Network, PeerId } from '../../../src/ports/network.ts'
import { drawLine, type Line } from '../internet.ts'
import type { World } from '../world.ts'

/** Looked after this often, ms. */
const TICK_MS = 1_000
/** Linked to no tab for so long, ms: another name. */
const LONELY_MS = 4_000

export interface BarePeer { readonly id: PeerId, readonly network: Network }

export class BarePeers {
  readonly #world: World
  readonly #name: string
  readonly #made: (peer: BarePeer) => void
  readonly #line: Line
  readonly #mixes: boolean
  readonly #present: Array<{ peer: BarePeer, lonely: number }> = []
  #names = 0
  #stopped = false

  /** `made` is called with every new name; `mixes`: it is dialled and dials like everybody. */
  constructor (world: World, name: string, count: number, mixes: boolean, made: (peer: BarePeer) => void = () => {}) {
    this.#world = world
    this.#name = name
    this.#mixes = mixes
    this.#made = made
    this.#line = { ...drawLine(world.random.stream(`line of ${name}`)), nat: 'cone' }
    for (let i = 0; i < count; i++) this.#present.push({ peer: this.#join(), lonely: 0 })
    this.#tick()
  }

  get names (): number { return this.#names }
  get all (): BarePeer[] { return this.#present.map(p => p.peer) }

  /** All of them leave, and none comes again. */
  stop (): void {
    this.#stopped = true
    for (const { peer } of this.#present.splice(0)) this.#leave(peer)
  }

  #join (): BarePeer {
    const { internet, topology } = this.#world
    const id = `${this.#name}.${this.#names++}`
    internet.plug(id, this.#line)
    const peer = { id, network: internet.hub.join(id) }
    if (this.#mixes) topology.add(id, this.#line)
    this.#made(peer)
    return peer
  }

  #leave ({ id, network }: BarePeer): void {
    const { internet, topology } = this.#world
    topology.remove(id)
    void network.stop()
    internet.unplug(id)
  }

  #tick (): void {
    if (this.#stopped) return
    const { internet, scheduler } = this.#world
    const tabs = new Set(this.#world.tabs.flatMap(t => t.session?.id ?? []))
    for (const p of this.#present) {
      p.lonely = internet.hub.links(p.peer.id).some(id => tabs.has(id)) ? 0 : p.lonely + TICK_MS
      if (p.lonely <= LONELY_MS) continue
      this.#leave(p.peer)
      p.peer = this.#join()
      p.lonely = 0
    }
    scheduler.after(TICK_MS, () => { this.#tick() })
  }
}
