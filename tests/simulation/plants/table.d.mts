export interface Plant {
  readonly name: string
  /** What it does wrong. */
  readonly what: string
  readonly file: string
  /** Stands once in the file. */
  readonly find: string
  readonly replace: string
  /** Those that are meant to see it: one of them must fire. */
  readonly checkers: readonly string[]
  /** Worlds within which it must be found, whatever their seeds: about one hunt in a thousand may miss it. */
  readonly seeds: number
  /** Of the worlds it is looked for in, where not any world will do; they come after those of the command. */
  readonly options?: readonly string[]
}
export declare const PLANTS: readonly Plant[]
export declare function plantNamed (name: string): Plant
