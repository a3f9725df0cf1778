/** A small world of honest tabs and enemies, and what is asked of it in the end. */
import { toHex } from '../../../src/core/codec/ssz.ts'
import { claimId } from '../../../src/core/crypto/ids.ts'
import type { Enemy, Tab } from '../tab.ts'
import { World, type WorldOptions } from '../world.ts'
import { MainChain, shares } from './mainChain.ts'
import type { Squad } from './squad.ts'

/** Rounds and slices are slower than on the main network, so that a minute of it is cheap to play. */
const SLOW = { roundMs: 8_000, committeeBlocks: 4 } as const

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

  constructor ({ honest, enemies, params, ...o }: ArenaOptions) {
    const recruits: Enemy[] = enemies.flatMap(([squad, count]) => Array.from({ length: count }, () => squad.recruit()))
    const nodes = honest + recruits.length
    // Honest ones first.
    this.world = new World({ compute: 'stand-in', devices: 'laptop', laptopSliceMs: 2_500, warm: true, ...o, nodes, params: { ...SLOW, ...params }, enemy: i => recruits[i - honest] })
    this.world.listen({ opened: (tab, node) => { if (tab.index === 0) this.chain.follow(node) } })
    this.world.openAll(500)
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

  /** Blocks on the main chain of any honest tab by these tabs. */
  blocksOf (tabs: readonly Tab[]): number { return tabs.reduce((sum, t) => sum + this.chain.blocksOf(t.minerKey), 0) }
  contributionsOf (tabs: readonly Tab[]): number { return tabs.reduce((sum, t) => sum + this.chain.contributionsOf(t.minerKey), 0) }

  /** Shares of some tabs together. */
  sharesOf (tabs: readonly Tab[]): { readonly work: number, readonly blocks: number, readonly rewards: number } {
    const all = shares(this.world, this.chain, this.world.tabs[0].node!).filter(s => tabs.includes(s.tab))
    const sum = (what: 'work' | 'blocks' | 'rewards'): number => all.reduce((n, s) => n + s[what], 0)
    return { work: sum('work'), blocks: sum('blocks'), rewards: sum('rewards') }
  }

  /** Of these contributions, those on an honest tab's chain that nobody can challenge any more. */
  survivors (forged: ReadonlySet<string>): string[] {
    const found = new Set<string>()
    for (const { node } of this.honest) {
      const { chain } = node!
      for (let h = chain.head().height - this.world.params.maturity; h > 0; h--) {
        for (const { seal } of chain.at(h)?.body.seals ?? []) for (const c of seal.contributions) if (forged.has(toHex(claimId(c)))) found.add(toHex(claimId(c)))
      }
    }
    return [...found]
  }

  /** Honest tabs that an honest tab refuses to talk to. */
  wronglyBanned (): string[] {
    const honest = new Set(this.honest.flatMap(t => t.session?.id ?? []))
    return this.honest.flatMap(t => t.node!.net.banned.filter(b => honest.has(b.id)).map(b => `${t.session!.id} bans ${b.id}: ${b.reason}`))
  }

  /** How often honest tabs refused something for this reason. */
  refusals (reason: string): number {
    return this.honest.reduce((sum, t) => sum + t.node!.refusals.list().filter(r => r.reason === reason).length, 0)
  }
}
