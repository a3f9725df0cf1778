/** The purse's twin in memory. Tabs of one profile are given one MemoryProfile. */
import type { Purse } from '../ports/purse.ts'

/** What outlives a tab, and whose turn it is. */
export class MemoryProfile {
  bytes: Uint8Array | undefined
  /** Ends when the turns given so far have. */
  turns: Promise<unknown> = Promise.resolve()

  /** After the death of its only tab, which may have had its turn. */
  reopened (): MemoryProfile {
    const next = new MemoryProfile()
    next.bytes = this.bytes
    return next
  }
}

export class MemoryPurse implements Purse {
  readonly #profile: MemoryProfile

  constructor (profile = new MemoryProfile()) { this.#profile = profile }

  async inTurn<T> (work: () => Promise<T>): Promise<{ readonly value: T }> {
    const turn = this.#profile.turns.then(async () => ({ value: await work() }))
    this.#profile.turns = turn.catch(() => {})
    return await turn
  }

  async read (): Promise<Uint8Array | undefined> { return this.#profile.bytes?.slice() }

  async write (bytes: Uint8Array): Promise<void> { this.#profile.bytes = bytes.slice() }
}
