export interface Plant {
  readonly name: string
  /** What it does wrong. */
  readonly what: string
  readonly file: string
  /** Stands once in the file. */
  readonly find: string
  readonly replace: string
  /** Worlds within which it must be found. */
  readonly seeds: number
  /** Of the worlds it is looked for in, where not any world will do. */
  readonly options?: readonly string[]
}
export declare const PLANTS: readonly Plant[]
export declare function plantNamed (name: string): Plant
