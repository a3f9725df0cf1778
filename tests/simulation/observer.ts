/**
 * What is seen in a world, for its report: blocks made, heads taken, where everybody stands now and
 * then. It looks on and changes nothing; what it gives is in sightings.ts.
 */
import { toHex } from '../../src/core/codec/ssz.ts'
import { claimId } from '../../src/core/crypto/ids.ts'
import { benchmarkJob, MATURING_KINDS } from '../../src/core/ledger/state.ts'
import type { Node } from '../../src/node/node.ts'
import type { BlockRecord } from '../../src/node/parts.ts'
import { type BlockSeen, type HeadSeen, mainChain, type Stand, stand } from './figures.ts'
import type { WorldReport } from './report/types.ts'
import { reportOf, type ReportWords, type Sightings, type TabSighting } from './sightings.ts'
import type { Session, Tab } from './tab.ts'
import type { World } from './world.ts'

const CREDITS: ReadonlySet<string> = new Set(MATURING_KINDS)

export class Observer {
  readonly #world: World
  readonly #sampleMs: number
  readonly blocks: BlockSeen[] = []
  readonly heads: HeadSeen[] = []
  readonly #stands: Stand[] = []
  /** Reorganisations, over all tabs. */
  reorganisations = 0
  /** Who worked for whom: miner keys and payees of every profile a tab has had. */
  readonly #tabOf = new Map<string, number>()
  readonly #made = new Set<string>()
  /** Credits of a block, by account. */
  readonly #credits = new Map<string, ReadonlyArray<readonly [string, number]>>()
  readonly #upSince = new Map<Tab, number>()
  readonly #upMs = new Map<Tab, number>()

  constructor (world: World, sampleMs = 2_000) {
    this.#world = world
    this.#sampleMs = sampleMs
    world.listen({ opened: (tab, node) => { this.#opened(tab, node) }, closed: (tab, session) => { this.#closed(tab, session) } })
    this.#sample()
  }

  report (words: ReportWords): WorldReport { return reportOf([this.sightings()], words) }

  sightings (): Sightings {
    const { elapsed, options, params, scheduler, tabs } = this.#world
    const tip = this.#tip()
    const attackers: Record<string, number> = {}
    for (const { enemy } of tabs) if (enemy !== undefined) attackers[enemy.name] = (attackers[enemy.name] ?? 0) + 1
    return {
      about: { seed: options.seed, compute: options.compute, blockIntervalMs: params.blockIntervalMs, laptopSliceMs: options.laptopSliceMs, nodes: tabs.length, attackers, elapsedMs: elapsed },
      events: scheduler.events,
      tip: tip === undefined ? undefined : { hash: toHex(tip.hash), height: tip.height, work: tip.work },
      blocks: this.blocks, heads: this.heads, stands: this.#stands, credits: this.#credits, tabOf: this.#tabOf,
      tabs: tabs.filter(t => this.#world.runs(t)).map(t => this.#sighting(t))
    }
  }

  /** Blocks at heights `from`..`to` that are not on the main chain. */
  orphans (from: number, to: number): BlockSeen[] {
    const tip = this.#tip()
    const main = mainChain(this.blocks, tip === undefined ? '' : toHex(tip.hash))
    return this.blocks.filter(b => b.height >= from && b.height <= to && !main.has(b.hash))
  }

  #opened (tab: Tab, node: Node): void {
    const world = this.#world
    this.#upSince.set(tab, world.elapsed)
    this.#tabOf.set(toHex(node.miner), tab.index)
    this.#tabOf.set(toHex(node.payee), tab.index)
    const { chain } = node
    // Not every block becomes its maker's head: a sibling with the lower ticket may have come before.
    const submitOwn = chain.submitOwn.bind(chain)
    chain.submitOwn = async block => {
      const madeAtMs = world.elapsed
      const result = await submitOwn(block)
      if (result.status === 'added') this.#madeBlock({ hash: toHex(claimId(block.header)), parent: toHex(block.header.template.parent), height: block.header.template.height, tab: tab.index, madeAtMs })
      return result
    }
    chain.on('head', ({ removed, added }) => {
      if (removed.length > 0) this.reorganisations++
      for (const record of added) this.#added(tab, record)
    })
  }

  #added (tab: Tab, record: BlockRecord): void {
    const hash = toHex(record.meta.hash)
    this.heads.push({ atMs: this.#world.elapsed, tab: tab.index, hash })
    if (!this.#credits.has(hash)) this.#credits.set(hash, record.events.filter(e => CREDITS.has(e.kind)).map(e => [toHex(e.account), Number(e.amount)] as const))
    if (this.#made.has(hash)) return
    // Its maker's answer is still on the way, or it did not come by way of a trainer.
    const { height, parent, miner } = record.meta.header.template
    this.#madeBlock({ hash, parent: toHex(parent), height, tab: this.#tabOf.get(toHex(miner)) ?? tab.index, madeAtMs: this.#world.elapsed })
  }

  #madeBlock (block: BlockSeen): void {
    if (this.#made.has(block.hash)) return
    this.#made.add(block.hash)
    this.blocks.push(block)
  }

  #closed (tab: Tab, _session: Session): void {
    const since = this.#upSince.get(tab)
    if (since === undefined) return
    this.#upSince.delete(tab)
    this.#upMs.set(tab, (this.#upMs.get(tab) ?? 0) + this.#world.elapsed - since)
  }

  #sample (): void {
    const tips = this.#world.tabs.filter(t => t.up && t.sound).map(t => t.node!.chain.head())
    this.#stands.push(stand(this.#world.elapsed, tips.map(h => ({ head: toHex(h.hash), height: h.height, round: benchmarkJob(h.ledger).round }))))
    this.#world.scheduler.after(this.#sampleMs, () => { this.#sample() })
  }

  /** The heaviest head of a sound tab. */
  #tip (): { readonly hash: Uint8Array, readonly height: number, readonly work: bigint } | undefined {
    const heads = this.#world.tabs.filter(t => t.sound && t.node !== undefined).map(t => t.node!.chain.head())
    return heads.reduce<typeof heads[number] | undefined>((best, h) => best === undefined || h.work > best.work ? h : best, undefined)
  }

  #sighting (tab: Tab): TabSighting {
    const since = this.#upSince.get(tab)
    const net = tab.node?.net
    return {
      tab: tab.index, device: tab.deviceClass, role: tab.enemy?.name ?? 'honest',
      work: (tab.work.minedMs + (tab.session?.device.minedMs ?? 0)) * tab.costPerSecond,
      bytes: tab.work.bytesIn + tab.work.bytesOut + (net === undefined ? 0 : net.bytesIn + net.bytesOut),
      upMs: (this.#upMs.get(tab) ?? 0) + (since === undefined ? 0 : this.#world.elapsed - since),
      diskBytes: tab.disk.used
    }
  }
}
