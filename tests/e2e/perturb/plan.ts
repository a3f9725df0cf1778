/**
 * What is done to the tabs, drawn from the seed alone: the same seed gives the same actions, tabs and
 * pauses in the same order. Each profile has a sequence of its own; they run side by side.
 * What the tabs themselves do in between (who finds which block when) is chance, as in life.
 */
import { Seeded } from './seeded.ts'

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
    /** The tabs that come back are crashed again this long after they began to load. */
    readonly againMs: number | undefined
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

export interface Step { readonly lane: number, readonly number: number, readonly pauseMs: number, readonly action: Action }

export const COMMIT_WAIT_MS = 2_500

/** The steps of one profile, without end. `tabs`: places in it. */
export function * planOf (seed: string, lane: number, tabs: number): Generator<Step, never> {
  const r = new Seeded(`${seed}/${lane}`)
  for (let number = 0; ; number++) {
    yield { lane, number, pauseMs: r.chance(25) ? r.between(0, 150) : r.between(150, 2_200), action: draw(r, lane, tabs) }
  }
}

function draw (r: Seeded, lane: number, tabs: number): Action {
  const kind = r.weighted({ kill: 74, reload: 6, freeze: 5, cut: 5, relay: lane === 0 ? 2 : 0, throttle: 3, stop: 4, pressure: 1 })
  switch (kind) {
    case 'kill': {
      const how = r.weighted<KillKind>({ crash: 30, close: 15, renderers: 35, browser: 20 })
      const all = Array.from({ length: tabs }, (_, i) => i)
      const one = r.below(tabs)
      const both = r.chance(50)
      const aim = r.chance(40) ? 'commit' : 'any'
      const afterMs = r.between(0, 40)
      const send = r.chance(30)
      const sendMs = r.between(0, 60)
      const again = r.chance(35)
      const againMs = r.between(100, 6_000)
      return { kind, how, tabs: how === 'renderers' || how === 'browser' || both ? all : [one], aim, afterMs, sendMs: send ? sendMs : undefined, againMs: again ? againMs : undefined }
    }
    case 'reload': return { kind, tab: r.below(tabs) }
    case 'freeze': return { kind, tab: r.below(tabs), ms: r.between(500, 6_000) }
    case 'cut': return { kind, tab: r.below(tabs), ms: r.between(1_000, 8_000) }
    case 'relay': return { kind, ms: r.between(500, 4_000) }
    case 'throttle': return { kind, tab: r.below(tabs), rate: r.between(4, 12), ms: r.between(1_000, 6_000) }
    case 'stop': return { kind, ms: r.between(200, 3_000) }
    case 'pressure': return { kind }
    default: return kind satisfies never
  }
}

/** In one line, for people. */
export function describe ({ lane, number, action: a }: Step): string {
  const name = `step ${lane}.${number} ${a.kind}`
  switch (a.kind) {
    case 'kill': return `${name} ${a.how} of ${a.tabs.join('+')}${a.aim === 'commit' ? ' at a commit' : ''}${a.sendMs === undefined ? '' : ' after a transfer'}${a.againMs === undefined ? '' : ` and again after ${a.againMs} ms`}`
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
