/**
 * A world: many tabs of the real node on one clock and one internet, from one seed. What happens in
 * it is for others to decide (faults.ts, enemies/); what is to be seen in it, for watch.ts.
 */
import { useFastHash } from '../../src/compute/hasher.ts'
import type { JobSpec } from '../../src/core/codec/jobSpec.ts'
import { hash } from '../../src/core/crypto/hash.ts'
import { BLOCK_RULES, type BlockRules } from '../../src/core/consensus/apply.ts'
import { genesis, type BlockMeta } from '../../src/core/consensus/chain.ts'
import { type ChainParams, MAIN, MAX_CONTRIBUTION_SLICES, MAX_CONTRIBUTIONS_PER_SEAL, OFFER_SHARE_LEAST, OFFER_SHARE_WHOLE, targetForWork } from '../../src/core/params.ts'
import { benchmarkSpec } from '../../src/core/training/benchmark.ts'
import { sliceCost } from '../../src/core/training/cost.ts'
import { type Dataset, newDataset } from '../../src/core/training/dataset.ts'
import { mlp } from '../../src/core/training/shape.ts'
import type { Parcel } from '../../src/net/memoryParts.ts'
import { MemorySwarmHub } from '../../src/net/swarm/memory.ts'
import type { Node } from '../../src/node/node.ts'
import type { PeerId } from '../../src/ports/network.ts'
import { DEVICE_CLASSES, type DeviceClass, drawDevice, type Kernels, realKernels, standInKernels } from './devices.ts'
import { drawLine, Internet, partOf, PARTS, Topology } from './internet.ts'
import { rememberedRules } from './remember.ts'
import { Scheduler } from './scheduler.ts'
import { Seeded } from './seeded.ts'
import { type Enemy, type Session, Tab, tabIndexOf } from './tab.ts'

export const START_MS = 1_700_000_000_000

/** Miners of the last blocks, early in a world. */
const COUNTED_MINERS = 16

export interface WorldOptions {
  readonly seed: string
  readonly nodes: number
  /** real: a small model is trained and redone. stand-in: results cost nothing to make. */
  readonly compute: 'real' | 'stand-in'
  /** A slice of the benchmark takes a laptop this long, ms: every device is scaled by it. */
  readonly laptopSliceMs: number
  /** Devices: drawn by their shares, or all alike. */
  readonly devices?: DeviceClass | ((index: number) => DeviceClass)
  /** Who is not honest. */
  readonly enemy?: (index: number) => Enemy | undefined
  /** Instead of the numbers of the main network. */
  readonly params?: Partial<ChainParams>
  /** The first target fits the world's speed: no opening of easy blocks. */
  readonly warm?: boolean
  /**
   * The benchmark's offer share (core/params.ts) in block 0 is that of a network which has been there for long: about so
   * many contributions are offered per round. It comes to a quarter to the whole of a full seal by itself, but from the
   * whole share that takes some fifty rounds, in which all tabs offer more than any seal can carry.
   */
  readonly offers?: number
  /** Share of its device's time that a tab mines: the setting of the page; below the least of that, a device that is spared. */
  readonly duty?: number
  /** What every node would do again is done once (remember.ts); on unless it is to be shown that nothing changes. */
  readonly remember?: boolean
  /** Only the tabs of this part of the world are run, and what they send to others is posted (parts/). For calm worlds: a node must not ban another. */
  readonly part?: { readonly index: number, readonly post: (parcel: Parcel) => void }
}

/** Three clusters in eight dimensions: a model of 75 parameters learns them in a few rounds. */
export function clusters (records = 96, trainRecords = 72): Dataset {
  const labels = Uint8Array.from({ length: records }, (_, i) => i % 3)
  const features = new Uint8Array(records * 8)
  for (let i = 0; i < records; i++) {
    const noise = hash('sim-record', Uint8Array.of(i & 255, i >> 8))
    for (let k = 0; k < 8; k++) features[i * 8 + k] = (labels[i] === k % 3 ? 160 : 20) + noise[k] % 64
  }
  return newDataset({ features, labels, trainRecords, classes: 3 })
}

const smallData = clusters()
const smallSpec: JobSpec = { ...benchmarkSpec, ...mlp([8, 6, 3]), batch: 16, stepsPerSlice: 4, seed: hash('sim-benchmark'), data: smallData.ref }

export interface WorldListener {
  opened?(tab: Tab, node: Node): void
  closed?(tab: Tab, session: Session): void
  /** It was closed in good order: all that its node had to write is written. */
  rested?(tab: Tab, node: Node): void
}

export class World {
  readonly options: WorldOptions & { readonly speedScale: number }
  /** In block 0. */
  readonly offerShare: number
  readonly random: Seeded
  readonly scheduler = new Scheduler(START_MS)
  readonly internet: Internet
  readonly topology: Topology
  /** Of torrents: pieces pass between those that are linked, at the twin's pace. */
  readonly swarms: MemorySwarmHub
  readonly kernels: Kernels
  readonly rules: BlockRules
  readonly remembers: boolean
  readonly params: ChainParams
  readonly spec = smallSpec
  readonly data = smallData
  readonly genesis: BlockMeta
  readonly tabs: Tab[] = []
  readonly #listeners: WorldListener[] = []

  constructor (o: WorldOptions) {
    const cost = sliceCost(smallSpec)
    // Device speeds are of real models; the small one is cheaper by this factor.
    const speedScale = cost / (o.laptopSliceMs / 1000) / DEVICE_CLASSES.laptop.costPerSecond
    this.options = { ...o, speedScale }
    this.random = new Seeded(o.seed)
    this.remembers = o.remember !== false
    this.rules = this.remembers ? rememberedRules() : BLOCK_RULES
    this.kernels = o.compute === 'real' ? realKernels() : standInKernels()
    const classes = this.random.stream('devices')
    const lines = this.random.stream('lines')
    const { part } = o
    const runs = (id: PeerId): boolean => !this.runs(this.tabs[tabIndexOf(id)])
    this.internet = new Internet(this.scheduler, this.random.stream(part === undefined ? 'internet' : `internet ${part.index}`), this.remembers, part === undefined ? undefined : { part: part.index, parts: PARTS, runs, post: part.post })
    this.swarms = new MemorySwarmHub({ clock: this.scheduler, connected: (a, b) => this.internet.passes(a, b) })
    this.topology = new Topology(this.internet, this.scheduler, this.random.stream('topology'))
    for (let i = 0; i < o.nodes; i++) {
      const drawn = drawDevice(classes)
      const deviceClass = typeof o.devices === 'function' ? o.devices(i) : o.devices ?? drawn
      this.tabs.push(new Tab(this, i, { line: drawLine(lines), deviceClass, enemy: o.enemy?.(i) }))
    }
    const interval = o.params?.blockIntervalMs ?? MAIN.blockIntervalMs
    const workPerBlock = BigInt(Math.ceil(this.tabs.reduce((sum, t) => sum + t.costPerSecond, 0) * (o.duty ?? 1) * interval / 1000))
    const easiest = targetForWork(BigInt(cost))
    const fitting = targetForWork(workPerBlock > BigInt(cost) ? workPerBlock : BigInt(cost))
    this.params = {
      ...MAIN, name: `sim ${o.seed}`, maxTarget: easiest, minSliceCost: cost,
      genesisTarget: o.warm === true ? fitting : targetForWork(BigInt(cost) * 6n),
      ...o.params
    }
    const first = genesis(this.params, this.spec)
    this.offerShare = o.offers === undefined ? OFFER_SHARE_WHOLE : this.#shareFor(o.offers)
    this.genesis = { ...first, ledger: { ...first.ledger, jobs: first.ledger.jobs.map(j => ({ ...j, offerShare: this.offerShare })) } }
  }

  /** The share under which tabs that mine like these offer so many contributions per round: `eligible` the other way round. */
  #shareFor (offers: number): number {
    const { duty = 1 } = this.options
    const perRound = (tab: Tab): number => Math.min(MAX_CONTRIBUTION_SLICES, tab.costPerSecond * duty * this.params.roundMs / 1000 / sliceCost(this.spec))
    const slices = this.tabs.reduce((sum, tab) => sum + perRound(tab), 0)
    const share = offers / slices * OFFER_SHARE_WHOLE * Math.min(COUNTED_MINERS, this.tabs.length) * MAX_CONTRIBUTION_SLICES / MAX_CONTRIBUTIONS_PER_SEAL
    return Math.min(OFFER_SHARE_WHOLE, Math.max(OFFER_SHARE_LEAST, Math.round(share)))
  }

  get now (): number { return this.scheduler.now() }
  /** Since the world began, ms. */
  get elapsed (): number { return this.now - START_MS }

  listen (listener: WorldListener): void { this.#listeners.push(listener) }
  opened (tab: Tab, node: Node): void { for (const l of this.#listeners) l.opened?.(tab, node) }
  rested (tab: Tab, node: Node): void { for (const l of this.#listeners) l.rested?.(tab, node) }
  closed (tab: Tab, session: Session): void { for (const l of this.#listeners) l.closed?.(tab, session) }

  /** All pages are loaded within `spreadMs`. */
  openAll (spreadMs: number): void {
    const random = this.random.stream('opening')
    for (const tab of this.tabs) {
      this.scheduler.after(random.uniform() * spreadMs, () => {
        if (!this.runs(tab)) tab.openElsewhere()
        // A world that is healed before all are open has opened it.
        else if (tab.session === undefined) void tab.open()
      })
    }
  }

  /** Here, and not in another part of the world. */
  runs (tab: Tab): boolean { return this.options.part === undefined || this.options.part.index === partOf(tab.line) }

  async run (ms: number): Promise<void> {
    await useFastHash()
    await this.scheduler.runUntil(this.now + ms)
  }
}
