/**
 * What the tabs of one profile share of their wallet: turns, and bytes that each of them finds as the
 * last one left them. Whoever signs does so in a turn, knowing what the others have signed.
 */
export interface Purse {
  /** Runs `work` while no other tab of the profile has its turn. Undefined: no turn came in time. Rejects as `work` does. */
  inTurn<T>(work: () => Promise<T>): Promise<{ readonly value: T } | undefined>
  /** Undefined where nothing was left. Throws StorageError. */
  read(): Promise<Uint8Array | undefined>
  /** To be called in a turn. On disk when it resolves. Throws StorageError. */
  write(bytes: Uint8Array): Promise<void>
}
