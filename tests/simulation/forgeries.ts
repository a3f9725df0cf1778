/**
 * Contributions that nobody has worked for, or a device that computes wrong bits: a committee may seal them, since a
 * seal is optimistic, but they are to be found and felled. How many rounds may keep one is a matter of chance: that
 * nobody draws it to look at, and that those who mine on it all the same are ahead when it is ripe.
 */
import { toHex } from '../../src/core/codec/ssz.ts'
import type { Claim, SignedSeal } from '../../src/core/codec/wire.ts'
import { claimId, sealHash } from '../../src/core/crypto/ids.ts'
import { noiseKey } from '../../src/core/training/sampling.ts'
import type { Node } from '../../src/node/node.ts'
import { binomialAtLeast } from './chance.ts'
import type { Squad } from './enemies/squad.ts'
import type { Faults } from './faults.ts'
import type { Session, Tab } from './tab.ts'
import type { World } from './world.ts'

/** Share of sealed contributions at which everybody is to look again (docs/protocol.md, section 9), of 256. */
export const LOOKED_AT = 26
/** A head that falls back a little takes from what was ripe: nothing is asked of the last of the blocks until then, nor of the first after it. */
const SURE_BLOCKS = 2

/** What is known of a round in which something wrong was sealed. */
export interface WrongRound {
  /** Right tabs that had the time to look, and the fewest wrong contributions that any of its seals has. */
  readonly lookers: number
  readonly wrong: number
  readonly kept: boolean
}

/** Chance that who has the share `q` of the speed finds so many blocks before all others do. */
export function ahead (q: number, blocks: number): number {
  if (q >= 0.5) return 1
  let sum = 0
  for (let i = 0, term = q ** blocks; i < blocks; term *= (blocks + i) / (i + 1) * (1 - q), i++) sum += term
  return sum
}

/**
 * How many rounds may keep something wrong by chance. `against`: share of the speed that is not the honest ones'. By
 * rounds, for what is sealed together falls together.
 */
export function keptByChance (rounds: readonly WrongRound[], against: number, maturity: number): number {
  const won = ahead(against, maturity)
  return rounds.reduce((sum, { lookers, wrong }) => sum + Math.min(1, (1 - LOOKED_AT / 256) ** (lookers * wrong) + won), 0)
}

/** Why the rounds that kept something wrong are too many; undefined if they may be. */
export function tooManyKept (kept: number, rounds: number, byChance: number, rare: number): string | undefined {
  // One chance for all, the mean of theirs: no other makes many more likely (Hoeffding 1956).
  return kept > byChance + 1 && binomialAtLeast(kept, rounds, byChance / rounds) < rare
    ? `${kept} of ${rounds} rounds in which a committee sealed wrong contributions keep them, ${byChance.toFixed(1)} by chance`
    : undefined
}

interface Round {
  /** By seal, its wrong contributions. */
  readonly seals: Map<string, readonly string[]>
  readonly seenBy: Map<Session, Tab>
  lookers: number
}

export class Forgeries {
  readonly #world: World
  readonly #faults: Faults
  readonly #squads: readonly Squad[]
  /** By job, number and the seal before it. */
  readonly #rounds = new Map<string, Round>()
  readonly #wrong = new Set<string>()
  /** Of those nobody has worked for, what a tab that judges for itself has been found with. */
  readonly #found = new Set<string>()
  /** What each page has condemned. */
  readonly #condemned = new WeakMap<Session, Set<string>>()
  readonly #fail: (checker: string, detail: string) => void
  /** What became of the rounds, once that was looked at. */
  counts: { readonly rounds: number, readonly kept: number, readonly byChance: number } = { rounds: 0, kept: 0, byChance: 0 }
  readonly #names = new WeakMap<Claim, string>()

  constructor (world: World, faults: Faults, squads: readonly Squad[], fail: (checker: string, detail: string) => void) {
    this.#fail = fail
    this.#world = world
    this.#faults = faults
    this.#squads = squads
  }

  /** Contributions of this id were seen, and are wrong. */
  has (id: string): boolean { return this.#wrong.has(id) }

  /** A change of the weights that an enemy has given out, or a device that computes wrong bits. */
  payload (digest: string): Uint8Array | undefined {
    for (const { payloads } of this.#squads) {
      const known = payloads?.get(digest)
      if (known !== undefined) return known
    }
    return this.#faults.wrongPayloads.get(digest)
  }

  #name (c: Claim): string {
    let name = this.#names.get(c)
    if (name === undefined) this.#names.set(c, name = toHex(claimId(c)))
    return name
  }

  /** Nobody has worked for it. */
  #isForged (c: Claim): boolean {
    return this.#squads.some(({ forged, lies }) =>
      (forged !== undefined && forged.size > 0 && forged.has(this.#name(c))) || (lies !== undefined && lies.size > 0 && lies.has(toHex(noiseKey(c.template, c.slice)))))
  }

  /** A right tab has a seal of a committee, in a block or not. `looks`: it judges for itself what is in it. */
  sealed (tab: Tab, session: Session, { seal }: SignedSeal, looks: boolean): void {
    const { wrongResults } = this.#faults
    const forged = seal.contributions.filter(c => this.#isForged(c)).map(c => this.#name(c))
    const wrong = wrongResults.size === 0 ? forged : [...forged, ...seal.contributions.filter(c => wrongResults.has(toHex(c.resultHash))).map(c => this.#name(c))]
    if (wrong.length === 0) return
    // Who is drawn redoes it before it is sealed: without friends there it comes no further than a chain that enemies
    // have to themselves, which is no more than what was said to who joins.
    const news = looks ? forged.filter(id => !this.#found.has(id)) : []
    for (const id of news) this.#found.add(id)
    if (news.length > 0 && !this.#squads.some(s => s.vouchesUnseen)) this.#fail('wrong contribution sealed', `tab ${tab.index} has a seal of round ${seal.round} with contribution ${news[0].slice(0, 8)}, which was not worked for, and nobody vouches for friends`)
    const name = `${toHex(seal.job)}/${seal.round}/${toHex(seal.previous)}`
    let round = this.#rounds.get(name)
    if (round === undefined) {
      const first: Round = round = { seals: new Map(), seenBy: new Map(), lookers: 0 }
      this.#rounds.set(name, first)
      const { blockIntervalMs, maturity } = this.#world.params
      // A challenge is heard until it is ripe: who is there for half of that time has looked if it was to.
      this.#world.scheduler.after(maturity * blockIntervalMs / 2, () => {
        first.lookers = [...first.seenBy].filter(([session, tab]) => tab.session === session && tab.up && this.#faults.sound(tab) && tab.deviceClass !== 'phone' && !this.#faults.devices.has(tab)).length
      })
    }
    for (const id of wrong) this.#wrong.add(id)
    round.seals.set(toHex(sealHash(seal)), wrong)
    if (looks) round.seenBy.set(session, tab)
  }

  condemned (session: Session, id: Uint8Array): void {
    const known = this.#condemned.get(session) ?? new Set()
    this.#condemned.set(session, known.add(toHex(id)))
  }

  /** Now and then: what a node has condemned is on its chain under as many blocks as it takes to ripen, or not at all. */
  look (tab: Tab, session: Session, { chain }: Pick<Node, 'chain'>): void {
    const condemned = this.#condemned.get(session)
    if (condemned === undefined) return
    const head = chain.head().height
    for (let height = head; height > head - this.#world.params.maturity + SURE_BLOCKS; height--) {
      for (const { seal } of chain.at(height)?.body.seals ?? []) {
        const kept = seal.contributions.map(c => this.#name(c)).find(id => condemned.has(id))
        if (kept !== undefined) this.#fail('wrong contribution kept', `tab ${tab.index} has found contribution ${kept.slice(0, 8)} wrong, and keeps the block at ${height} that has sealed it; its head is at ${head}`)
      }
    }
  }

  /** `sealedBelow`: ids of the contributions that the main chain has sealed, so many blocks below its head or deeper. */
  finish (sealedBelow: (depth: number) => ReadonlySet<string>, rare: number): void {
    if (this.#rounds.size === 0) return
    const { params: { maturity }, tabs } = this.#world
    const stay = sealedBelow(maturity + SURE_BLOCKS)
    const speed = (some: readonly Tab[]): number => some.reduce((sum, t) => sum + t.costPerSecond, 0)
    const rounds = [...this.#rounds.values()].map(({ lookers, seals }) =>
      ({ lookers, wrong: Math.min(...[...seals.values()].map(s => s.length)), kept: [...seals.values()].flat().some(id => stay.has(id)) }))
    const against = 1 - speed(tabs.filter(t => this.#faults.sound(t))) / speed(tabs)
    this.counts = { rounds: rounds.length, kept: rounds.filter(r => r.kept).length, byChance: keptByChance(rounds, against, maturity) }
    const why = tooManyKept(this.counts.kept, rounds.length, this.counts.byChance, rare)
    if (why !== undefined) this.#fail('wrong contributions kept', why)
  }
}
