/**
 * One participant: a person's device with a line, a disk and keys, on which a tab runs the real node,
 * is closed, crashes, sleeps and comes back.
 */
import { MemoryDisk as MemoryPieces } from '../../src/net/swarm/pieceDisk.ts'
import { type NodeDeps, Node } from '../../src/node/node.ts'
import type { Network, PeerId } from '../../src/ports/network.ts'
import { DUTY_MIN } from '../../src/node/miningControl.ts'
import { MemoryDisk } from '../../src/storage/memory.ts'
import { MemoryProfile, MemoryPurse } from '../../src/storage/memoryPurse.ts'
import { MemorySiblings } from '../../src/storage/memorySiblings.ts'
import { hash, ascii } from '../../src/core/crypto/hash.ts'
import { type DeviceClass, DEVICE_CLASSES, SimDevice, type WrongBit } from './devices.ts'
import { type DiskEvents, TabStorage } from './disk.ts'
import type { Line } from './internet.ts'
import { nativeKeyOf, plainSignatures, rememberedOnce, rememberedSignatures } from './remember.ts'
import { Life, TabClock, TabNetwork } from './life.ts'
import type { Seeded } from './seeded.ts'
import type { World } from './world.ts'

/** What changes a participant from an honest one: wraps what its node is given, or acts beside it. */
export interface Enemy {
  readonly name: string
  /** The ports its node is started with; called at every start of its tab. */
  ports?(deps: NodeDeps, tab: Tab): NodeDeps
  /** Its node runs. */
  started?(tab: Tab): void
}

const noKeystore: NodeDeps['keystore'] = {
  backedUp: false,
  export: async () => ({ ok: false, message: 'there is nobody to take it' }),
  saved: async () => {},
  replaced: async () => false,
  inspect: () => ({ ok: false, message: 'none' }),
  import: async () => ({ ok: false, field: 'backup', message: 'there is nobody to give it' })
}

const PIECES_BYTES = 64 * 1024 * 1024

/** Who it is on the network tells which tab it is, and which load of its page. */
export const tabIndexOf = (id: PeerId): number => Number.parseInt(id.slice(1))

/** The tab as it is now: everything that a reload makes anew. */
export interface Session {
  readonly id: PeerId
  readonly life: Life
  readonly clock: TabClock
  readonly device: SimDevice
  readonly network: Network
  /** Once started. */
  node: Node | undefined
}

export class Tab {
  readonly world: World
  readonly index: number
  readonly line: Line
  readonly deviceClass: DeviceClass
  /** Cost units per second. */
  readonly costPerSecond: number
  readonly enemy: Enemy | undefined
  readonly random: Seeded
  disk: MemoryDisk
  /** What it has of torrents: outlives the page as the disk does. */
  pieces = new MemoryPieces(PIECES_BYTES)
  #purse = new MemoryProfile()
  session: Session | undefined
  #closing: Session | undefined
  /** Page loads, this one included. */
  loads = 0
  /** Profiles: a wiped one makes new keys. */
  #profile = 0
  get profile (): number { return this.#profile }
  /** Faults that outlive a reload. */
  readonly faults = { skewMs: 0, slowness: 1, wrongBit: undefined as WrongBit | undefined, diskLatencyMs: 0 }
  readonly diskEvents: DiskEvents = {}
  /** Is told what its node publishes. */
  published: ((topic: string, bytes: Uint8Array) => void) | undefined
  /** Of every session. */
  readonly work = { minedMs: 0, replayedMs: 0, slices: 0, replays: 0, bytesIn: 0, bytesOut: 0 }

  constructor (world: World, index: number, o: { readonly line: Line, readonly deviceClass: DeviceClass, readonly costPerSecond?: number, readonly enemy?: Enemy }) {
    this.world = world
    this.index = index
    this.line = o.line
    this.deviceClass = o.deviceClass
    this.costPerSecond = o.costPerSecond ?? DEVICE_CLASSES[o.deviceClass].costPerSecond * world.options.speedScale
    this.enemy = o.enemy
    this.random = world.random.stream(`tab ${index}`)
    this.disk = new MemoryDisk(undefined, world.remembers)
  }

  get honest (): boolean { return this.enemy === undefined }
  /** Honest, and its device computes right. */
  get sound (): boolean { return this.honest && this.faults.wrongBit === undefined }
  get node (): Node | undefined { return this.session?.node }
  get up (): boolean { return this.session?.node !== undefined && this.session.life.up }
  get minerSeed (): Uint8Array { return hash('sim-miner', ascii(`${this.world.options.seed}/${this.index}/${this.#profile}`)) }
  get walletSeed (): Uint8Array { return hash('sim-wallet', ascii(`${this.world.options.seed}/${this.index}/${this.#profile}`)) }
  get minerKey (): Uint8Array { return nativeKeyOf(this.minerSeed).publicKey }

  /** Loads the page; mining is on, as its user wants. */
  async open (): Promise<void> {
    if (this.session !== undefined) throw new Error(`tab ${this.index} is open already`)
    const { world } = this
    this.#purse = this.#purse.reopened()
    const duty = world.options.duty ?? 1
    const id = this.#newId()
    const life = new Life()
    const clock = new TabClock(world.scheduler, life)
    clock.skewMs = this.faults.skewMs
    const device = new SimDevice({ clock, life, kernels: world.kernels, costPerSecond: this.costPerSecond, spared: duty < DUTY_MIN ? { share: duty, random: this.random.stream(`spared ${id}`) } : undefined })
    device.slowness = this.faults.slowness
    device.wrongBit = this.faults.wrongBit
    world.internet.plug(id, this.line)
    const network = new TabNetwork(world.internet.hub.join(id), life, this.published)
    const session: Session = this.session = { id, life, clock, device, network, node: undefined }
    const storage = new TabStorage(this.disk, life, { clock: world.scheduler, random: this.random, latencyMs: this.faults.diskLatencyMs, events: this.diskEvents })
    const deps: NodeDeps = {
      network, swarm: world.swarms.join(id, { disk: this.pieces, clock, life }), networkName: 'test', storage, compute: device, signatures: world.remembers ? rememberedSignatures : plainSignatures, clock,
      random: world.random.stream(`node ${id}`), keystore: noKeystore, purse: new MemoryPurse(this.#purse), siblings: new MemorySiblings(), minerSeed: this.minerSeed, walletSeed: this.walletSeed, keyOf: world.remembers ? nativeKeyOf : undefined,
      slot: 0, cores: 2, gunzip: async () => { throw new Error('nobody unpacks files in a simulated world') },
      params: world.params, benchmark: world.spec, genesis: world.genesis, rules: world.rules, once: world.remembers ? rememberedOnce : undefined
    }
    const node = await Node.start(this.enemy?.ports?.(deps, this) ?? deps)
    // It may have been closed, or have died, while it started.
    if (this.session !== session || life.dead) return
    await node.data.add(world.data)
    await node.setMining({ on: true, workers: 1, duty: duty < DUTY_MIN ? 1 : duty })
    session.node = node
    world.topology.add(id, this.line, () => life.up)
    world.opened(this, node)
    this.enemy?.started?.(this)
  }

  /** Another part of the world runs it: of this one it is only a neighbour. */
  openElsewhere (): void {
    const { internet, topology } = this.world
    const id = this.#newId()
    internet.plug(id, this.line)
    internet.hub.join(id)
    topology.add(id, this.line)
  }

  /** Closes the page: in good order, unless it is still starting, which ends it where it is. */
  async close (): Promise<void> {
    if (this.session?.node === undefined) return this.crash(0)
    const session = this.#closing = this.#leave()!
    await Promise.race([session.node!.stop(), session.life.ended])
    this.#closing = undefined
    if (!session.life.dead) {
      session.life.end()
      this.world.rested(this, session.node!)
    }
    this.world.internet.unplug(session.id)
  }

  /** Nothing of the page runs any more, from this instant; the others notice later. */
  crash (noticeMs: number): void {
    const session = this.#leave()
    if (session === undefined) return
    session.life.end()
    const { internet, scheduler, swarms } = this.world
    internet.silence(session.id)
    swarms.forget(session.id)
    scheduler.after(noticeMs, () => {
      void session.network.stop()
      internet.unplug(session.id)
    })
  }

  /** It dies while it is being closed, and has not written all. */
  cutShort (): void { this.#closing?.life.end() }

  /** The browser has cleared the site's data. */
  wipe (): void {
    if (this.session !== undefined) throw new Error('a tab is open on this disk')
    this.disk = new MemoryDisk(this.disk.quota, this.world.remembers)
    this.pieces = new MemoryPieces(PIECES_BYTES)
    this.#purse = new MemoryProfile()
    this.#profile++
  }

  #newId (): PeerId { return `n${this.index}.${++this.loads}` }

  #leave (): Session | undefined {
    const { session } = this
    if (session === undefined) return undefined
    this.session = undefined
    this.world.topology.remove(session.id)
    this.world.closed(this, session)
    const { minedMs, replayedMs, slices, replays } = session.device
    this.work.minedMs += minedMs
    this.work.replayedMs += replayedMs
    this.work.slices += slices
    this.work.replays += replays
    if (session.node !== undefined) {
      this.work.bytesIn += session.node.net.bytesIn
      this.work.bytesOut += session.node.net.bytesOut
    }
    return session
  }
}
