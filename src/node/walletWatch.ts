/**
 * Notices that another key was put in the place of this profile's wallet, by this tab or another one. A tab
 * that went on would be paid to an account whose key is on no disk any more.
 */
import type { Clock } from '../ports/clock.ts'
import type { Keystore } from '../ports/keystore.ts'
import { StorageError } from '../ports/storage.ts'
import type { ChainService, Log } from './parts.ts'

/** The wallet is looked at with the next block, but no sooner than this after the last time. */
export const WATCH_MS = 10_000

export interface WalletWatchDeps {
  readonly keystore: Pick<Keystore, 'replaced'>
  readonly chain: Pick<ChainService, 'on'>
  readonly clock: Pick<Clock, 'now'>
  readonly log: Log
}

export class WalletWatch {
  readonly #d: WalletWatchDeps
  readonly #listeners = new Set<() => void>()
  #lookedAt = -Infinity
  #replaced = false

  constructor (d: WalletWatchDeps) { this.#d = d }

  start (): () => void {
    return this.#d.chain.on('head', () => {
      const now = this.#d.clock.now()
      const since = now - this.#lookedAt
      // A clock may be set back.
      if (this.#replaced || (since >= 0 && since < WATCH_MS)) return
      this.#lookedAt = now
      void this.#look()
    })
  }

  /** Called once. */
  onReplaced (listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  async #look (): Promise<void> {
    const { keystore, log } = this.#d
    try {
      if (!await keystore.replaced() || this.#replaced) return
      this.#replaced = true
      log.warn('wallet', 'the wallet of this browser was replaced: this tab stops')
      for (const l of this.#listeners) l()
    } catch (e) {
      if (e instanceof StorageError) log.warn('wallet', `whether the wallet was replaced cannot be read: ${e.message}`)
      else log.error('wallet', e instanceof Error ? e.stack ?? e.message : String(e))
    }
  }
}
