/**
 * What was refused, from whom, and why, by name; and the price of it. A proven offence (`fatal`) bans
 * the peer for a time that grows with each offence, and the miner key for the life of this node.
 * A peer whose harmless refusals come in a flood is sent away for a minute.
 */
import type { RefusalView } from '../bridge/api.ts'
import { toHex } from '../core/codec/ssz.ts'
import type { Clock } from '../ports/clock.ts'
import type { Network, PeerId } from '../ports/network.ts'
import type { Blame, Hex, Log } from './parts.ts'

export const REFUSALS_KEPT = 200
/** First ban, and the factor and bound of the next ones. */
export const BAN_FIRST_MS = 60_000
export const BAN_FACTOR = 8
export const BAN_LAST_MS = 24 * 60 * 60_000
/** Harmless refusals one peer may cause per minute. */
export const REFUSALS_PER_MINUTE = 60
/** Peers and miner keys remembered; the longest unseen is forgotten first. */
export const OFFENDERS_KEPT = 1024

interface Offender { offences: number, minute: number, refusals: number }

export type Refused = Parameters<Blame['refuse']>[0]

export class Refusals implements Blame {
  readonly #clock: Pick<Clock, 'now'>
  readonly #network: Pick<Network, 'ban'>
  readonly #log: Log
  readonly #ring: RefusalView[] = []
  readonly #peers = new Map<PeerId, Offender>()
  readonly #miners = new Map<Hex, string>()
  readonly #listeners = new Set<(r: RefusalView) => void>()

  constructor (d: { readonly clock: Pick<Clock, 'now'>, readonly network: Pick<Network, 'ban'>, readonly log: Log }) {
    this.#clock = d.clock
    this.#network = d.network
    this.#log = d.log
  }

  refuse (r: Refused): void {
    const timeMs = this.#clock.now()
    const view: RefusalView = { timeMs, what: r.what, reason: r.reason, detail: r.detail.slice(0, 300), peer: r.peer }
    this.#keep(view, r.fatal)
    if (r.fatal && r.miner !== undefined) remember(this.#miners, r.miner, r.reason)
    if (r.peer !== undefined) this.#charge(r.peer, r, timeMs)
    for (const l of this.#listeners) l(view)
  }

  /** Once for the same thing from the same peer in a row: a flood must not push out what came before. */
  #keep (view: RefusalView, fatal: boolean): void {
    const last = this.#ring.at(-1)
    if (last !== undefined && last.peer === view.peer && last.what === view.what && last.reason === view.reason && last.detail === view.detail) {
      this.#ring[this.#ring.length - 1] = view
      return
    }
    this.#ring.push(view)
    if (this.#ring.length > REFUSALS_KEPT) this.#ring.shift()
    this.#log[fatal ? 'warn' : 'info']('refused', `${view.what}: ${view.reason} (${view.detail})${view.peer === undefined ? '' : ` from ${view.peer}`}`)
  }

  isBannedMiner (miner: Uint8Array): boolean { return this.#miners.has(toHex(miner)) }

  /** Newest first. */
  list (limit = REFUSALS_KEPT): RefusalView[] { return this.#ring.slice(-limit).reverse() }

  onRefusal (listener: (r: RefusalView) => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  #charge (peer: PeerId, r: Refused, timeMs: number): void {
    const minute = Math.floor(timeMs / 60_000)
    const o = this.#peers.get(peer) ?? { offences: 0, minute, refusals: 0 }
    remember(this.#peers, peer, o)
    if (o.minute !== minute) { o.minute = minute; o.refusals = 0 }
    o.refusals++
    if (r.fatal && r.deceived !== true) {
      const ms = Math.min(BAN_LAST_MS, BAN_FIRST_MS * BAN_FACTOR ** o.offences)
      o.offences++
      this.#ban(peer, `${r.what}: ${r.reason}`, ms)
    } else if (o.refusals > REFUSALS_PER_MINUTE) {
      o.refusals = 0
      this.#ban(peer, `more than ${REFUSALS_PER_MINUTE} refused messages in a minute, the last: ${r.reason}`, BAN_FIRST_MS)
    }
  }

  #ban (peer: PeerId, reason: string, ms: number): void {
    this.#network.ban(peer, reason, ms).catch((e: unknown) => {
      this.#log.warn('refused', `could not ban ${peer}: ${e instanceof Error ? e.message : String(e)}`)
    })
  }
}

function remember<V> (map: Map<string, V>, key: string, value: V): void {
  map.delete(key)
  map.set(key, value)
  if (map.size > OFFENDERS_KEPT) map.delete(map.keys().next().value!)
}
