/**
 * Scenario: enemies that nobody sends away for good, and what they get or cost all the same: the figures of
 * docs/security.md section 8. Each in a small world, beside a calm one.
 */
import { toHex } from '../../../src/core/codec/ssz.ts'
import { committee } from '../../../src/core/consensus/committee.ts'
import { percent } from '../../../src/ui/format.ts'
import { Observer } from '../observer.ts'
import type { SweepReport, Table, WorldReport } from '../report/types.ts'
import type { Tab } from '../tab.ts'
import { Arena, type ArenaOptions } from './arena.ts'
import { eclipse } from './eclipse.ts'
import { freeRiding } from './freeRiding.ts'
import { spam } from './spam.ts'
import { sybil, type SybilSquad } from './sybil.ts'

const STEP_MS = 30_000
const LOOK_MS = 1_000
/** Of an eclipse, and the time after it in which the victim may come back. */
const DARK_MS = 1_200_000
const AFTER_MS = 300_000
/** A network has its links by then. */
const FORMED_MS = 120_000

const part = (x: number, of: number): number => of === 0 ? 0 : x / of

/** What a swarm of keys has of the first honest tab's chain: blocks, sealed contributions and committee seats, of all there are. */
export function swarmShares ({ chain, world }: Arena, { keys }: SybilSquad): Record<'blocks' | 'sealed' | 'seats', { readonly own: number, readonly all: number }> {
  const count = (miners: readonly Uint8Array[]): { readonly own: number, readonly all: number } => ({ own: miners.filter(m => keys.has(toHex(m))).length, all: miners.length })
  return {
    blocks: count(chain.records.map(r => r.meta.header.template.miner)),
    sealed: count(chain.records.flatMap(r => r.body.seals.flatMap(s => s.seal.contributions)).map(c => c.template.miner)),
    seats: count(chain.records.flatMap(r => committee(world.params, r.meta)))
  }
}

/** How long a tab is away from the others' chain: a block of theirs that is older than the newest few is not on its own. */
export class Absence {
  readonly #tab: Tab
  readonly #other: Tab
  #sinceMs: number | undefined
  /** In all, and the longest at a time, ms. */
  awayMs = 0
  longestMs = 0
  /** Blocks of its own that it had on its chain and has no more. */
  replaced = 0

  constructor ({ world }: Arena, tab: Tab, other: Tab, depth: number) {
    this.#tab = tab
    this.#other = other
    world.listen({
      opened: (opened, node) => {
        if (opened === tab) node.chain.on('head', ({ removed }) => { this.replaced += removed.filter(r => toHex(r.meta.header.template.miner) === toHex(tab.minerKey)).length })
      }
    })
    const look = (): void => {
      if (!this.#isAway(depth)) this.#sinceMs = undefined
      else {
        this.#sinceMs ??= world.elapsed
        this.awayMs += LOOK_MS
        this.longestMs = Math.max(this.longestMs, world.elapsed - this.#sinceMs)
      }
      world.scheduler.after(LOOK_MS, look)
    }
    look()
  }

  get away (): boolean { return this.#sinceMs !== undefined }

  #isAway (depth: number): boolean {
    const [mine, theirs] = [this.#tab.node?.chain, this.#other.node?.chain]
    if (mine === undefined || theirs === undefined) return false
    const settled = theirs.metaAt(Math.max(0, theirs.head().height - depth))
    return settled !== undefined && !mine.isMain(settled.hash)
  }
}

interface Run { readonly name: string, readonly ms: number, readonly arena: ArenaOptions, readonly measure: (arena: Arena) => () => string }

/** Blocks by time, beside what the target is for. */
const pace = ({ chain, world }: Arena): string => (chain.records.length * world.params.blockIntervalMs / world.elapsed).toFixed(2)
const replayTime = ({ honest, world }: Arena): string => percent(honest.reduce((sum, t) => sum + t.session!.device.replayedMs, 0) / honest.length / world.elapsed)

function runs (seed: string): Run[] {
  const [flood, swarm, rider] = [spam(), sybil(), freeRiding()]
  const eclipses = ([['eclipse', false, FORMED_MS], ['eclipse of all', true, FORMED_MS], ['eclipse of all from the start', true, 0]] as const).map(([name, everybody, afterMs]): Run => {
    const dark = eclipse({ victim: 5, names: 24, everybody, afterMs, forMs: DARK_MS })
    return {
      name, ms: afterMs + DARK_MS + AFTER_MS, arena: { seed, honest: 6, enemies: [[dark, 1]] },
      measure: a => {
        const absence = new Absence(a, a.world.tabs[5], a.world.tabs[0], 2)
        return () => {
          const [every, most, some] = ['every link', 'most links', 'some links'].map(d => dark.deeds.of(`half seconds with ${d}`))
          return `every link of the victim in ${every} of ${every + most + some} half seconds, most of them in ${most}; it was off the others' chain for ${absence.awayMs / 1000} s, at most ${absence.longestMs / 1000} s at a time, ${absence.away ? 'and was not back' : 'and was back'} ${AFTER_MS / 60_000} minutes after the end; ${absence.replaced} of its blocks were replaced`
        }
      }
    }
  })
  return [
    { name: 'calm', ms: 300_000, arena: { seed, honest: 8, enemies: [] }, measure: a => () => `blocks at ${pace(a)} of their pace, ${replayTime(a)} of the tabs' time for replays` },
    {
      name: 'flood', ms: 300_000, arena: { seed, honest: 7, enemies: [[flood, 1]] },
      measure: a => () => {
        const banned = [...flood.names.keys()].filter(name => a.bannedBy(id => id === name).length > 0)
        return `${flood.names.size} names, ${banned.length} banned, ${a.refusals('result-hash')} forged blocks redone, ${replayTime(a)} of the honest tabs' time for replays, blocks at ${pace(a)} of their pace, ${a.chain.records.flatMap(r => r.body.seals).length} seals`
      }
    },
    ...eclipses,
    {
      name: 'sybil', ms: 600_000, arena: { seed, honest: 15, enemies: [[swarm, 1]] },
      measure: a => () => {
        const { blocks, sealed, seats } = swarmShares(a, swarm)
        return `${percent(a.sharesOf(a.of(swarm)).work)} of the work, ${swarm.keys.size} keys, ${swarm.deeds.of('claims')} claims: ${sealed.own} of ${sealed.all} sealed contributions, ${blocks.own} of ${blocks.all} blocks, ${percent(part(seats.own, seats.all))} of the seats, ${percent(a.sharesOf(a.of(swarm)).rewards)} of the credits`
      }
    },
    {
      name: 'free riders', ms: 900_000, arena: { seed, honest: 6, enemies: [[rider, 2]] },
      measure: a => () => {
        const { blocks, rewards, work } = a.sharesOf(a.of(rider))
        const [own, all] = [a.of(rider), a.world.tabs].map(tabs => a.contributionsOf(tabs))
        return `${percent(work)} of the work, ${percent(blocks)} of ${a.chain.records.length} blocks, ${own} of ${all} sealed contributions, ${percent(rewards)} of the credits`
      }
    }
  ]
}

export async function gainsSweep ({ seed, command, progress }: { readonly seed: string, readonly command: string, readonly progress?: (line: string) => void }): Promise<SweepReport> {
  const points: WorldReport[] = []
  const rows: string[][] = []
  for (const { arena: options, measure, ms, name } of runs(seed)) {
    const begun = performance.now()
    const arena = new Arena(options)
    const observer = new Observer(arena.world, STEP_MS)
    const measured = measure(arena)
    await arena.run(ms)
    const row = [name, `${arena.honest.length}`, `${ms / 60_000} min`, measured()]
    rows.push(row)
    progress?.(row.join(', '))
    points.push(observer.report({ command, scenario: `gains, ${name}`, wallMs: performance.now() - begun, options: {}, violations: [], tables: [{ ...TABLE, rows: [row] }] }))
  }
  return { kind: 'sweep', command, scenario: 'gains', points, unlike: true, tables: [{ ...TABLE, rows }] }
}

const TABLE: Omit<Table, 'rows'> = {
  caption: 'What enemies get or cost that cannot be sent away for good, for names are free; beside a world without any',
  prose: true,
  head: ['enemy', 'honest tabs', 'for', 'what was measured'],
  notes: ['Off the others’ chain: their chain but for its two newest blocks is not the victim’s.']
}
