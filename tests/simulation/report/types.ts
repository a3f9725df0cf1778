/** What a simulated run says of itself: the JSON of `npm run sim -- --json`, and what report.html draws. */

/** A rule of the checkers that did not hold. */
export interface Violation {
  readonly checker: string
  readonly detail: string
  /** Virtual ms since the world began. */
  readonly atMs: number
}

/** What a scenario is about, in figures made for reading; the first column names its row. */
export interface Table {
  readonly caption: string
  readonly head: readonly string[]
  readonly rows: ReadonlyArray<readonly string[]>
  /** Its last column is sentences, no figures. */
  readonly prose?: true
  /** What its words mean, a sentence each. */
  readonly notes?: readonly string[]
}

/** Of a list of figures. */
export interface Spread { readonly p50: number, readonly p95: number, readonly max: number }

/** One participant over the whole run. */
export interface TabFigures {
  readonly tab: number
  readonly device: string
  /** 'honest', or the name of the enemy. */
  readonly role: string
  /** Of all work done (virtual compute time x speed spent on slices), 0..1. */
  readonly workShare: number
  /** Of the main chain's blocks, and of all credits paid, 0..1. */
  readonly blockShare: number
  readonly rewardShare: number
  readonly bytesPerSecond: number
}

/** The world at one moment. */
export interface Moment {
  readonly atMs: number
  readonly up: number
  readonly heightMin: number
  readonly heightMax: number
  /** Different heads among tabs that are up. */
  readonly heads: number
  readonly round: number
}

/** Blocks made from one moment to the next. */
export interface ForkWindow {
  readonly fromMs: number
  readonly toMs: number
  readonly blocksMain: number
  readonly blocksOrphaned: number
}

export interface WorldReport {
  readonly kind: 'world'
  /** The command that does it again. */
  readonly command: string
  readonly seed: string
  readonly scenario: string
  /** What was drawn for this seed, in words and numbers. */
  readonly options: Readonly<Record<string, string | number | boolean>>
  /** What happened, counted: faults that struck, what users did, what came of it. */
  readonly counts?: Readonly<Record<string, string | number | boolean>>
  readonly nodes: number
  readonly attackers: Readonly<Record<string, number>>
  readonly virtualMs: number
  readonly wallMs: number
  readonly events: number
  readonly violations: readonly Violation[]
  /** What each kind of enemy did (enemies/table.ts), by name of the deed. */
  readonly deeds?: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** What the checkers of this run look for, a sentence each; absent where none ran. */
  readonly checked?: readonly string[]
  /** What the scenario was run for. */
  readonly tables?: readonly Table[]
  /** Blocks of the main chain, and valid ones that are not on it. */
  readonly blocksMain: number
  readonly blocksOrphaned: number
  /** Orphaned per main-chain block. */
  readonly forkRate: number
  /** The same by the time at which blocks were made. */
  readonly forksOverTime?: readonly ForkWindow[]
  /** From a block's making to its being the head elsewhere, ms. */
  readonly propagationMs: Spread
  readonly bytesPerSecond: Spread
  /** Bytes of every tab's disk. */
  readonly diskBytes: Spread
  /** What the process holds alive in the end, over its tabs; where it was measured. */
  readonly heapPerTab?: number
  readonly tabs: readonly TabFigures[]
  readonly moments: readonly Moment[]
  /** When everything was healed, and when all honest tabs agreed again; virtual ms. */
  readonly healedAtMs?: number
  readonly agreedAtMs?: number
}

/** Many worlds of one scenario, or one over growing numbers of nodes. */
export interface SweepReport {
  readonly kind: 'sweep'
  readonly command: string
  readonly scenario: string
  readonly points: readonly WorldReport[]
  /** Each world is an experiment of its own: what they share is no law of the number of nodes. */
  readonly unlike?: true
  /** What no point shows alone. */
  readonly violations?: readonly Violation[]
  /** What the scenario was run for, over all points. */
  readonly tables?: readonly Table[]
}

export type Report = WorldReport | SweepReport
