/**
 * Who earned what beside the work that he did: tab by tab, and all tabs of a kind of device or of enemy together, for
 * of one tab a short world says little. Credits are those that the chain makes; fees and prices hang on who pays them.
 */
import type { Rewards } from './audit/history.ts'
import { poissonAtLeast, poissonAtMost } from './chance.ts'
import { ratio } from './figures.ts'

/** Work may be paid so much more than its share before chance is asked: others lose more of theirs to latency and to faults. */
export const MORE = 2
/** And so much less, where nobody cheats. */
export const LESS = 3

export interface Earner {
  readonly name: string
  /** Other: of what it did some was wrong. It has its part of the whole, and no bound. */
  readonly kind: 'honest' | 'attacker' | 'other'
  /** Time of its device for slices x speed. */
  readonly work: number
  readonly blocks: number
  /** Grains. */
  readonly credits: number
}

/** What the chain's rewards, by the keys of miners, give to whoever has them; `nobodys`: keys that nobody has. */
export function earnedBy<Owner> (rewards: Rewards, ownerOf: (key: string) => Owner | undefined): { readonly earned: ReadonlyMap<Owner, Pick<Earner, 'blocks' | 'credits'>>, readonly nobodys: readonly string[] } {
  const earned = new Map<Owner, Pick<Earner, 'blocks' | 'credits'>>()
  const nobodys: string[] = []
  for (const [key, { blocks, credited }] of rewards) {
    const owner = ownerOf(key)
    if (owner === undefined) {
      nobodys.push(key)
      continue
    }
    const before = earned.get(owner) ?? { blocks: 0, credits: 0 }
    earned.set(owner, { blocks: before.blocks + blocks, credits: before.credits + Number(credited['block-reward'] + credited['contribution-subsidy']) })
  }
  return { earned, nobodys }
}

export function pooled (all: readonly Earner[]): Earner[] {
  const by = new Map<string, Earner>()
  for (const e of all) {
    const sum = by.get(e.name)
    by.set(e.name, sum === undefined ? e : { ...e, work: sum.work + e.work, blocks: sum.blocks + e.blocks, credits: sum.credits + e.credits })
  }
  return [...by.values()]
}

/** Its share of the work: of that of all for an attacker, who may do what is worth nothing; else of the honest. */
export function workShare (e: Earner, all: readonly Earner[]): number {
  return ratio(e.work, all.reduce((sum, x) => sum + (e.kind === 'attacker' || x.kind === 'honest' ? x.work : 0), 0))
}

/** Why somebody has too much or too little. `unit`: the most that is credited at once, grains. */
export function unfair (all: readonly Earner[], unit: number, rare: number): string[] {
  const blocks = all.reduce((sum, e) => sum + e.blocks, 0)
  const credits = all.reduce((sum, e) => sum + e.credits, 0)
  const isCalm = all.every(e => e.kind !== 'attacker')
  return all.filter(e => e.kind !== 'other').flatMap(e => {
    const share = workShare(e, all)
    const judge = (what: string, n: number, of: number, one: number): string[] => {
      // What comes in smaller parts than the largest varies less than as many of those would.
      const words = (how: string): string[] => [`${e.name} has ${how}${(n / one).toFixed(1)} of ${(of / one).toFixed(1)} ${what}, its work is worth ${(share * of / one).toFixed(1)}`]
      if (poissonAtLeast(Math.floor(n / one), MORE * share * of / one) < rare) return words('')
      return isCalm && poissonAtMost(Math.ceil(n / one), share * of / one / LESS) < rare ? words('only ') : []
    }
    return [...judge('blocks', e.blocks, blocks, 1), ...judge('block rewards', e.credits, credits, unit)]
  })
}
