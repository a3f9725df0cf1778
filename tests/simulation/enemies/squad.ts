/**
 * What every enemy is made of: a squad for one world, which gives each of its tabs what changes it,
 * and counts what was done. An attack that never happened proves nothing, so tests ask the counts.
 */
import type { Enemy, Tab } from '../tab.ts'

export class Deeds {
  readonly #counts = new Map<string, number>()

  add (what: string, n = 1): void { this.#counts.set(what, this.of(what) + n) }
  of (what: string): number { return this.#counts.get(what) ?? 0 }
  all (): Readonly<Record<string, number>> { return Object.fromEntries([...this.#counts].sort()) }
}

/** The enemies of one kind in one world: they know one another. */
export interface Squad {
  readonly name: string
  readonly deeds: Deeds
  /** Ids in hex of contributions that were not worked for. */
  readonly forged?: ReadonlySet<string>
  /** Noise keys in hex of slices that were claimed without having been done. */
  readonly lies?: ReadonlySet<string>
  /** Public keys in hex that its tabs have worked under beside their own, and whose they are. */
  readonly keys?: ReadonlyMap<string, Tab>
  /** It vouches for what it has not redone. */
  readonly vouchesUnseen?: true
  /** What was given out as the change of the weights by what was not worked for: payloads by their digests in hex. */
  readonly payloads?: ReadonlyMap<string, Uint8Array>
  /** What makes one more tab an enemy. */
  recruit (): Enemy
}

/** Every `share`-th tab, spread evenly: of 10 at 0.3 the tabs 0, 4 and 7. */
export function everyNth (squad: Squad, share: number): (index: number) => Enemy | undefined {
  return index => Math.ceil((index + 1) * share - 1e-9) > Math.ceil(index * share - 1e-9) ? squad.recruit() : undefined
}
