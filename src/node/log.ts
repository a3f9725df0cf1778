/** The node's log: a ring of the newest entries, for the page and the tests. Nothing is written to a console here. */
import type { LogEntry } from '../bridge/api.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from './parts.ts'

export const LOG_CAPACITY = 1000
/** Characters of one entry: details quote what strangers sent. */
export const LOG_TEXT_MAX = 500

const RANK = { debug: 0, info: 1, warn: 2, error: 3 } as const

export class RingLog implements Log {
  readonly #clock: Pick<Clock, 'now'>
  readonly #capacity: number
  readonly #listeners = new Set<(e: LogEntry) => void>()
  #entries: LogEntry[] = []
  #level: LogEntry['level'] = 'info'

  constructor (clock: Pick<Clock, 'now'>, capacity = LOG_CAPACITY) {
    this.#clock = clock
    this.#capacity = capacity
  }

  /** Entries below this level are not kept. */
  setLevel (level: LogEntry['level']): void { this.#level = level }

  debug (area: string, text: string): void { this.#add('debug', area, text) }
  info (area: string, text: string): void { this.#add('info', area, text) }
  warn (area: string, text: string): void { this.#add('warn', area, text) }
  error (area: string, text: string): void { this.#add('error', area, text) }

  /** Newest last. */
  entries (limit: number): LogEntry[] { return limit > 0 ? this.#entries.slice(-limit) : [] }

  onEntry (listener: (e: LogEntry) => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  #add (level: LogEntry['level'], area: string, text: string): void {
    if (RANK[level] < RANK[this.#level]) return
    const entry = { timeMs: this.#clock.now(), level, area, text: text.length > LOG_TEXT_MAX ? `${text.slice(0, LOG_TEXT_MAX)}…` : text }
    this.#entries.push(entry)
    // Cut in halves, not one by one: an array's head is expensive to shift.
    if (this.#entries.length >= this.#capacity * 2) this.#entries = this.#entries.slice(-this.#capacity)
    for (const l of this.#listeners) l(entry)
  }
}
