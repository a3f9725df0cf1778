/**
 * Notices that this tab's key is at work somewhere else, too: a wallet that was imported on a second
 * device gives its tabs the same keys. Then slices are done twice and count once, a seat in a committee
 * votes twice, and two transfers take one nonce.
 *
 * What the key signs here is remembered; a claim under its signature that is not among it was made
 * elsewhere, or by this tab before it was loaded. Those are told apart twice over, for either alone can
 * err: they are dated before the start (a clock may have been set back since), and are no higher than the
 * network was once this tab was in step with it. Tabs of one profile have keys of their own (storage/slots.ts), so that only one of them may
 * notice it; it is true of the wallet of all of them, and they tell one another.
 */
import { equalBytes, toHex } from '../core/codec/ssz.ts'
import type { Claim } from '../core/codec/wire.ts'
import { claimId } from '../core/crypto/ids.ts'
import type { ChainParams } from '../core/params.ts'
import type { Clock } from '../ports/clock.ts'
import type { Siblings } from '../ports/siblings.ts'
import { Lru } from './lru.ts'
import type { MinerKey } from './minerKey.ts'
import type { ChainService, Log } from './parts.ts'

/** What was signed here; of claims only those of the newest round and of new blocks are ever heard. */
const SIGNED_KEPT = 1024
/** So long after the last sign of it the user is told. */
export const ELSEWHERE_MS = 10 * 60_000
/** Said again, in the log and to the other tabs, no sooner than this. */
const SAID_MS = 60_000

export type Sign = 'block' | 'contribution' | 'transaction'

export interface KeyWatchDeps {
  readonly params: Pick<ChainParams, 'futureMs'>
  readonly key: MinerKey
  readonly chain: Pick<ChainService, 'head' | 'on'>
  /** Whether the height here is the network's, as far as this node knows. */
  readonly inStep: () => boolean
  /** The other tabs of this wallet. */
  readonly siblings: Pick<Siblings, 'tell' | 'onNews'>
  readonly clock: Pick<Clock, 'now'>
  readonly log: Log
}

export class KeyWatch {
  /** Signs as the key does, and remembers it. */
  readonly key: MinerKey
  readonly #d: KeyWatchDeps
  readonly #signed = new Lru<true>(SIGNED_KEPT)
  readonly #listeners = new Set<() => void>()
  readonly #startedAt: number
  /** Of the chain when this tab was in step for the first time. */
  #height: number | undefined
  #heardAt = -Infinity
  #saidAt = -Infinity

  constructor (d: KeyWatchDeps) {
    this.#d = d
    this.#startedAt = d.clock.now()
    this.key = {
      publicKey: d.key.publicKey,
      sign: message => {
        this.#signed.set(toHex(message), true)
        return d.key.sign(message)
      }
    }
  }

  start (): () => void {
    const { chain, siblings } = this.#d
    const offs = [
      chain.on('head', ({ added }) => {
        this.#see()
        // Others are what this tab wrote itself, or was only told.
        for (const { meta, checked } of added) if (checked === 'replayed') this.heard(meta.header, 'block')
      }),
      siblings.onNews(news => {
        const at = this.elsewhere()
        if (news.kind === 'opened' && at !== undefined) siblings.tell({ kind: 'elsewhere', atMs: at })
        // The clock may have been set back since.
        if (news.kind === 'elsewhere') this.#heardAt = Math.max(this.#heardAt, Math.min(news.atMs, this.#d.clock.now()))
      })
    ]
    siblings.tell({ kind: 'opened' })
    return () => { for (const off of offs) off() }
  }

  /** Called when it is noticed here, after none of the tabs of this wallet knew of it. */
  onElsewhere (listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  /** When it was last noticed, Unix time in ms; undefined: not lately. */
  elsewhere (): number | undefined { return this.#d.clock.now() - this.#heardAt < ELSEWHERE_MS ? this.#heardAt : undefined }

  /** A claim came in whose signature is right. */
  heard (claim: Claim, what: Sign): void {
    const { template } = claim
    if (!equalBytes(template.miner, this.key.publicKey) || this.#signed.has(toHex(claimId(claim)))) return
    this.#see()
    // A template may be dated ahead of the clock, as its parent may.
    if (this.#height === undefined || template.height <= this.#height + 1 || template.time <= this.#startedAt + this.#d.params.futureMs) return
    this.noticed(what)
  }

  noticed (what: Sign): void {
    const { clock, log, siblings } = this.#d
    const now = clock.now()
    const isKnown = this.elsewhere() !== undefined
    this.#heardAt = now
    if (now - this.#saidAt < SAID_MS) return
    this.#saidAt = now
    siblings.tell({ kind: 'elsewhere', atMs: now })
    log.warn('wallet', `this wallet is also in use elsewhere: a ${what} that was not made here is signed with its key`)
    if (!isKnown) for (const l of this.#listeners) l()
  }

  #see (): void {
    if (this.#height === undefined && this.#d.inStep()) this.#height = this.#d.chain.head().height
  }
}
