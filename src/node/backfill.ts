/**
 * Redoes, newest first, the blocks that were taken on trust while catching up, their slices and what they have sealed, as
 * far as the data of both is still to be had. What cannot be redone any more is `pruned`, and says so.
 */
import { toHex } from '../core/codec/ssz.ts'
import type { Chain } from './chain.ts'
import type { BlockRecord, Log } from './parts.ts'
import type { Verifier } from './verify.ts'

/** Blocks in a row whose data nobody has: those before them are older still. */
const MISSING_IN_A_ROW = 3
/** Blocks the chain must have grown before what was missing is asked for again. */
const AGAIN_AFTER_BLOCKS = 16

export type Redone = 'right' | 'wrong' | 'unavailable'

export class Backfill {
  readonly #chain: Chain
  readonly #verifier: Pick<Verifier, 'redo'>
  readonly #log: Log
  #running: Promise<void> | undefined
  /** Newest block that could not be redone. */
  #last: { readonly height: number, readonly hash: Uint8Array } | undefined
  /** Head height when that was found. */
  #prunedAt = 0
  #stopped = false

  constructor (d: { readonly chain: Chain, readonly verifier: Pick<Verifier, 'redo'>, readonly log: Log }) {
    this.#chain = d.chain
    this.#verifier = d.verifier
    this.#log = d.log
  }

  /** Newest height of this chain that could not be redone; nothing at or below it was. */
  get pruned (): number | undefined { return this.#last !== undefined && this.#chain.isMain(this.#last.hash) ? this.#last.height : undefined }

  stop (): void { this.#stopped = true }

  /** Starts unless it runs. */
  run (): void {
    this.#running ??= this.#run()
      .catch((e: unknown) => { this.#log.error('backfill', e instanceof Error ? e.message : String(e)) })
      .finally(() => { this.#running = undefined })
  }

  async idle (): Promise<void> { await this.#running }

  async #run (): Promise<void> {
    const head = this.#chain.head().height
    const lowest = this.pruned !== undefined && head < this.#prunedAt + AGAIN_AFTER_BLOCKS ? this.pruned : 0
    let missing = 0
    let height = head
    while (!this.#stopped && height > lowest) {
      const record = this.#chain.at(height)
      if (record === undefined) break
      height--
      if (record.checked !== 'ledger') continue
      const redone = await this.redo(record)
      if (redone === 'wrong') return
      missing = redone === 'unavailable' ? missing + 1 : 0
      if (missing < MISSING_IN_A_ROW) continue
      const last = this.#chain.metaAt(height + missing)
      if (last === undefined) return
      this.#last = { height: last.height, hash: last.hash }
      this.#prunedAt = head
      this.#log.info('backfill', `blocks up to ${last.height} are pruned: their rules and ledger were checked, their work cannot be redone any more`)
      return
    }
    // Everything still kept is redone, what was missing last time too.
    if (lowest === 0 && missing === 0) this.#last = undefined
  }

  /** A wrong block is dropped with all that stands on it. As urgent as a new block: until then the node builds on what it was told. */
  async redo (record: BlockRecord): Promise<Redone> {
    const { header, ledger, hash, height, parent } = record.meta
    const redone = parent === undefined ? undefined : await this.#verifier.redo(parent, { header, body: record.body }, ledger)
    if (this.#stopped || redone === undefined) return 'unavailable'
    if (redone.ok) {
      this.#chain.markReplayed(hash)
      this.#log.debug('backfill', `block ${height} ${toHex(hash).slice(0, 8)} redone`)
      return 'right'
    }
    if (redone.refusal.verdict !== 'invalid') return 'unavailable'
    this.#chain.refute(hash, redone.refusal)
    return 'wrong'
  }
}
