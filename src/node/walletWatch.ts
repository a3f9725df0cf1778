/**
 * Notices that the key of this tab is on no disk any more: another one was put in its place, by this tab or
 * another one, or all of this site was erased. A tab that went on would be paid to an account that is lost with it.
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

export type Lost = 'replaced' | 'erased'

const SAID: Readonly<Record<Lost, string>> = { replaced: 'the wallet of this browser was replaced', erased: 'everything of this site was erased in another tab' }

export class WalletWatch {
  readonly #d: WalletWatchDeps
  readonly #listeners = new Set<(why: Lost) => void>()
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
      this.#d.siblings.onNews(news => {
        if (news.kind === 'replaced') void this.look()
        // The disk says nothing of it: it is empty, or has the key of whoever began anew.
        if (news.kind === 'erased') this.#lost('erased')
      })
    ]
    return () => { for (const off of offs) off() }
  }

  /** Another key is on this device, or none: that of this tab is in its memory alone. */
  replaced (): boolean { return this.#replaced }

  /** Called once. */
  onLost (listener: (why: Lost) => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  /** What stands on the disk decides, whoever said what. */
  async look (): Promise<void> {
    if (this.#replaced) return
    const { keystore, log } = this.#d
    try {
      if (await keystore.replaced()) this.#lost('replaced')
    } catch (e) {
      if (e instanceof StorageError) log.warn('wallet', `whether the wallet was replaced cannot be read: ${e.message}`)
      else log.error('wallet', e instanceof Error ? e.stack ?? e.message : String(e))
    }
  }

  #lost (why: Lost): void {
    if (this.#replaced) return
    this.#replaced = true
    this.#d.log.warn('wallet', `${SAID[why]}: this tab stops`)
    for (const l of this.#listeners) l(why)
  }
}
