/** A small world of honest tabs and enemies, and what is asked of it in the end. */
import { toHex } from '../../../src/core/codec/ssz.ts'
import type { Claim } from '../../../src/core/codec/wire.ts'
import { claimId } from '../../../src/core/crypto/ids.ts'
import type { PeerId } from '../../../src/ports/network.ts'
import type { Enemy, Tab } from '../tab.ts'
import { World, type WorldOptions } from '../world.ts'
import { MainChain, shares } from './mainChain.ts'
import type { Squad } from './squad.ts'

/** Blocks come faster than on the main network and committees are smaller, so that minutes are enough. */
const QUICK = { blockIntervalMs: 6_000, roundMs: 6_000, committeeBlocks: 5 } as const

/** Oftener than a ban ends. */
const LOOK_MS = 5_000

export interface ArenaOptions extends Partial<Omit<WorldOptions, 'enemy'>> {
  readonly seed: string
  readonly honest: number
  /** Tabs of each squad. */
  readonly enemies: ReadonlyArray<readonly [Squad, number]>
}

export class Arena {
  readonly world: World
  /** As the first honest tab sees it. */
  readonly chain = new MainChain()
  /** Blocks in hex that were on an honest tab's main chain, if only for a moment. */
  readonly #believed = new Set<string>()
  /** Names of honest tabs, of every page load. */
  readonly #honestIds = new Set<PeerId>()
  readonly #refused = new Map<string, number>()
  /** Whom honest tabs have banned, and why; a first ban lasts a minute and is not to be seen in the end. */
  readonly #bans = new Map<string, { readonly by: Tab, readonly of: PeerId, readonly reason: string }>()

  constructor ({ honest, enemies, params, ...o }: ArenaOptions) {
    const recruits: Enemy[] = enemies.flatMap(([squad, count]) => Array.from({ length: count }, () => squad.recruit()))
    const nodes = honest + recruits.length
    // Honest ones first.
    this.world = new World({ compute: 'stand-in', devices: 'laptop', laptopSliceMs: 1_500, warm: true, ...o, nodes, params: { ...QUICK, ...params }, enemy: i => recruits[i - honest] })
    this.world.listen({
      opened: (tab, node) => {
        if (tab.index === 0) this.chain.follow(node)
        if (!tab.honest) return
        this.#honestIds.add(tab.session!.id)
        node.refusals.onRefusal(({ reason }) => { this.#refused.set(reason, this.refusals(reason) + 1) })
        node.chain.on('head', ({ added }) => { for (const r of added) if (r.checked !== 'ledger') this.#believed.add(toHex(r.meta.hash)) })
      }
    })
    this.world.openAll(500)
    this.#look()
  }

  get honest (): Tab[] { return this.world.tabs.filter(t => t.honest) }
  of (squad: Squad): Tab[] { return this.world.tabs.filter(t => t.enemy?.name === squad.name) }

  async run (ms: number): Promise<void> { await this.world.run(ms) }

  /** How many blocks below the lowest honest head the honest tabs stop agreeing; 0: all of it is one chain. */
  disagreement (): number {
    const chains = this.honest.map(t => t.node!.chain)
    const lowest = Math.min(...chains.map(c => c.head().height))
    for (let h = lowest; h > 0; h--) {
      const names = new Set(chains.map(c => c.metaAt(h) === undefined ? 'gone' : toHex(c.metaAt(h)!.hash)))
      if (names.size === 1) return lowest - h
    }
    return lowest
  }

  /** Goes on until the honest tabs agree but for so many blocks, for six block intervals at most: at any one moment they may be in the middle of a reorganisation. */
  async settle (most: number): Promise<number> {
    const { blockIntervalMs } = this.world.params
    for (let i = 0; i < 6 && this.disagreement() > most; i++) await this.run(blockIntervalMs)
    return this.disagreement()
  }

  /** Blocks on the main chain of any honest tab by these tabs. */
  blocksOf (tabs: readonly Tab[]): number { return tabs.reduce((sum, t) => sum + this.chain.blocksOf(t.minerKey), 0) }
  contributionsOf (tabs: readonly Tab[]): number { return tabs.reduce((sum, t) => sum + this.chain.contributionsOf(t.minerKey), 0) }

  /** Shares of some tabs together, in what all, or some, have done and got. */
  sharesOf (tabs: readonly Tab[], among: readonly Tab[] = this.world.tabs): { readonly work: number, readonly blocks: number, readonly rewards: number } {
    const all = shares(this.world, this.chain, this.world.tabs[0].node!).filter(s => among.includes(s.tab))
    const part = (what: 'work' | 'blocks' | 'rewards'): number => {
      const sum = (of: typeof all): number => of.reduce((n, s) => n + s[what], 0)
      return sum(all.filter(s => tabs.includes(s.tab))) / (sum(all) || 1)
    }
    return { work: part('work'), blocks: part('blocks'), rewards: part('rewards') }
  }

  /** Blocks on honest tabs' chains, and contributions there that nobody can challenge any more, that were not worked for. */
  survivors (isWrong: (claim: Claim) => boolean): string[] {
    const found = new Set<string>()
    const look = (claim: Claim): void => { if (isWrong(claim)) found.add(toHex(claimId(claim))) }
    for (const { node } of this.honest) {
      const { chain } = node!
      const head = chain.head().height
      for (let h = head; h > 0; h--) {
        const record = chain.at(h)
        if (record === undefined) continue
        look(record.meta.header)
        if (h <= head - this.world.params.maturity) for (const { seal } of record.body.seals) seal.contributions.forEach(look)
      }
    }
    return [...found]
  }

  /** Three standard deviations above the part of so many blocks, or of all, that a part of the work finds. */
  luck (work: number, of = this.chain.records.length): number { return work + 3 * Math.sqrt(work * (1 - work) / of) }

  /** Which of these blocks honest tabs had on their main chain, if only for a moment. */
  believed (blocks: ReadonlySet<string>): string[] { return [...blocks].filter(b => this.#believed.has(b)) }

  /** Honest tabs that have banned one of these peers. */
  bannedBy (isOne: (id: PeerId) => boolean): Tab[] { return this.honest.filter(t => [...this.#bans.values()].some(b => b.by === t && isOne(b.of))) }

  /** Honest tabs that an honest tab refused to talk to, if only for a while. */
  wronglyBanned (): string[] {
    return [...this.#bans.values()].filter(b => this.#honestIds.has(b.of)).map(b => `tab ${b.by.index} bans ${b.of}: ${b.reason}`)
  }

  #look (): void {
    for (const by of this.honest) for (const { id, reason } of by.node?.net.banned ?? []) this.#bans.set(`${by.index} ${id}`, { by, of: id, reason })
    this.world.scheduler.after(LOOK_MS, () => { this.#look() })
  }

  /** How often honest tabs refused something for this reason. */
  refusals (reason: string): number { return this.#refused.get(reason) ?? 0 }
}
