/**
 * What is done to the tabs, drawn from the seed alone: the same seed gives the same actions, tabs and
 * pauses in the same order. Each profile has a sequence of its own; they run side by side.
 * What the tabs themselves do in between (who finds which block when) is chance, as in life.
 */
import { Seeded } from '../../simulation/seeded.ts'

/**
 * crash: the tab's renderer falls over. close: the tab is closed. renderers: every process of the
 * profile's pages is killed at once by SIGKILL. browser: the browser itself is, as by a power cut.
 */
export type KillKind = 'crash' | 'close' | 'renderers' | 'browser'

export type Action =
  | {
    readonly kind: 'kill'
    readonly how: KillKind
    /** Places of the profile whose tabs die; all of them for renderers and browser. */
    readonly tabs: readonly number[]
    /** commit: as soon as a tab of them writes a block, this many ms after; any: at once. */
    readonly aim: 'any' | 'commit'
    readonly afterMs: number
    /** A transfer is sent, and the kill comes this many ms after it was acknowledged. */
    readonly sendMs: number | undefined
    /** The tabs that come back are crashed again, each time so long after they began to load. */
    readonly againMs: readonly number[]
  }
  | { readonly kind: 'reload', readonly tab: number }
  | { readonly kind: 'freeze', readonly tab: number, readonly ms: number }
  /** Every connection of the tab is dropped, and no new one comes up. */
  | { readonly kind: 'cut', readonly tab: number, readonly ms: number }
  /** The server, and its relay, is killed and comes back. */
  | { readonly kind: 'relay', readonly ms: number }
  /** The page gets a share of its time. */
  | { readonly kind: 'throttle', readonly tab: number, readonly rate: number, readonly ms: number }
  /** The processes of the profile's pages get no time at all. */
  | { readonly kind: 'stop', readonly ms: number }
  | { readonly kind: 'pressure' }

export interface Step {
  readonly lane: number
  readonly number: number
  /** Before the pause the tabs are let come to work. */
  readonly settle: boolean
  readonly pauseMs: number
  readonly action: Action
}

/** A block is waited for so long, where a kill is to come while one is written. */
export const COMMIT_WAIT_MS = 6_000
/** How often the tabs die again while they come back: one of these. */
const DEATHS_AT_BOOT = [0, 0, 0, 0, 0, 1, 1, 1, 2, 3]

/** The steps of one profile, without end. `tabs`: places in it. */
export function * planOf (seed: string, lane: number, tabs: number): Generator<Step, never> {
  const r = new Seeded(seed, `tabs of profile ${lane}`)
  for (let number = 0; ; number++) {
    yield { lane, number, settle: r.chance(0.5), pauseMs: r.chance(0.25) ? whole(r, 0, 150) : whole(r, 150, 2_200), action: draw(r, lane, tabs) }
  }
}

/** One name by its weight. */
function weighted<K extends string> (r: Seeded, weights: Readonly<Record<K, number>>): K {
  const entries = Object.entries(weights) as Array<[K, number]>
  let at = r.below(entries.reduce((n, [, w]) => n + w, 0))
  const found = entries.find(([, w]) => (at -= w) < 0)
  return found![0]
}

/** A whole number, both ends included. */
const whole = (r: Seeded, low: number, high: number): number => low + r.below(high - low + 1)

function draw (r: Seeded, lane: number, tabs: number): Action {
  const kind = weighted(r, { kill: 74, reload: 6, freeze: 5, cut: 5, relay: lane === 0 ? 2 : 0, throttle: 3, stop: 4, pressure: 1 })
  switch (kind) {
    case 'kill': {
      const how = weighted<KillKind>(r, { crash: 30, close: 13, renderers: 45, browser: 12 })
      const all = Array.from({ length: tabs }, (_, i) => i)
      const one = r.below(tabs)
      const both = r.chance(0.5)
      const send = r.chance(0.3)
      const sendMs = whole(r, 0, 60)
      return {
        kind,
        how,
        tabs: how === 'renderers' || how === 'browser' || both ? all : [one],
        aim: r.chance(0.4) ? 'commit' : 'any',
        afterMs: whole(r, 0, 40),
        sendMs: send ? sendMs : undefined,
        againMs: Array.from({ length: DEATHS_AT_BOOT[r.below(DEATHS_AT_BOOT.length)] }, () => whole(r, 100, 6_000))
      }
    }
    case 'reload': return { kind, tab: r.below(tabs) }
    case 'freeze': return { kind, tab: r.below(tabs), ms: whole(r, 500, 6_000) }
    case 'cut': return { kind, tab: r.below(tabs), ms: whole(r, 1_000, 8_000) }
    case 'relay': return { kind, ms: whole(r, 500, 4_000) }
    case 'throttle': return { kind, tab: r.below(tabs), rate: whole(r, 4, 12), ms: whole(r, 1_000, 6_000) }
    case 'stop': return { kind, ms: whole(r, 200, 3_000) }
    case 'pressure': return { kind }
    default: return kind satisfies never
  }
}

/** In one line, for people. */
export function describe ({ lane, number, action: a }: Step): string {
  const name = `step ${lane}.${number} ${a.kind}`
  switch (a.kind) {
    case 'kill': return `${name} ${a.how} of ${a.tabs.join('+')}${a.aim === 'commit' ? ' at a commit' : ''}${a.sendMs === undefined ? '' : ' after a transfer'}${a.againMs.map(ms => ` and again after ${ms} ms`).join('')}`
    case 'reload': return `${name} ${a.tab}`
    case 'freeze':
    case 'cut': return `${name} ${a.tab} for ${a.ms} ms`
    case 'throttle': return `${name} ${a.tab} to a ${a.rate}th for ${a.ms} ms`
    case 'relay':
    case 'stop': return `${name} for ${a.ms} ms`
    case 'pressure': return name
    default: return a satisfies never
  }
}
