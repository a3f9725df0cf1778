/**
 * Notices that another key was put in the place of this profile's wallet, by this tab or another one. A tab
 * that went on would be paid to an account whose key is on no disk any more.
 */
import type { Clock } from '../ports/clock.ts'
import type { Keystore } from '../ports/keystore.ts'
import type { Siblings } from '../ports/siblings.ts'
import { StorageError } from '../ports/storage.ts'
import type { ChainService, Log } from './parts.ts'

/** The wallet is looked at when another tab says so, and with the next block, but no sooner than this after the last time. */
export const WATCH_MS = 10_000

export interface WalletWatchDeps {
  readonly keystore: Pick<Keystore, 'replaced'>
  readonly chain: Pick<ChainService, 'on'>
  readonly siblings: Pick<Siblings, 'onNews'>
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
    const offs = [
      this.#d.chain.on('head', () => {
        const now = this.#d.clock.now()
        const since = now - this.#lookedAt
        // A clock may be set back.
        if (since >= 0 && since < WATCH_MS) return
        this.#lookedAt = now
        void this.look()
      }),
      this.#d.siblings.onNews(news => { if (news.kind === 'replaced') void this.look() })
    ]
    return () => { for (const off of offs) off() }
  }

  /** Another key is on this device: that of this tab is in its memory alone. */
  replaced (): boolean { return this.#replaced }

  /** Called once. */
  onReplaced (listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  /** What stands on the disk decides, whoever said what. */
  async look (): Promise<void> {
    if (this.#replaced) return
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
