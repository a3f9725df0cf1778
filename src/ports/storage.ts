/**
 * A small ordered key-value store with atomic commits. Keys are strings ordered by UTF-16 code
 * unit; values are bytes. One commit is applied whole or not at all, also across a crash.
 */
export const STORES = ['meta', 'headers', 'bodies', 'ledger', 'payloads', 'states', 'data', 'history', 'pool', 'library'] as const
export type StoreName = typeof STORES[number]

export type StorageOp =
  | { readonly op: 'put', readonly store: StoreName, readonly key: string, readonly value: Uint8Array }
  | { readonly op: 'delete', readonly store: StoreName, readonly key: string }

/** `full`: quota or disk; nothing of the commit was written. `newer`: written by a later version. */
export type StorageFailure = 'full' | 'gone' | 'newer' | 'corrupt'

export class StorageError extends Error {
  constructor (readonly kind: StorageFailure, message: string) { super(message); this.name = 'StorageError' }
}

export interface RangeQuery {
  /** Inclusive lower bound. */
  readonly from?: string
  /** Exclusive upper bound. */
  readonly to?: string
  readonly limit?: number
  readonly reverse?: boolean
}

export interface Storage {
  get(store: StoreName, key: string): Promise<Uint8Array | undefined>
  range(store: StoreName, query?: RangeQuery): Promise<Array<readonly [string, Uint8Array]>>
  keys(store: StoreName, query?: RangeQuery): Promise<string[]>
  /** Atomic. Throws StorageError. */
  commit(ops: readonly StorageOp[]): Promise<void>
  /**
   * Bytes; `quota` is undefined where the platform does not tell. `claimed`: what the platform says, where that
   * cannot be true and `used` was counted instead.
   */
  usage(): Promise<{ readonly used: number, readonly quota?: number, readonly claimed?: number, readonly persisted: boolean }>
  close(): Promise<void>
}
