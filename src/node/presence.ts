/** Where this node stands in the network, as one phase for the page and one gate for the work. */
import type { NodePhase } from '../bridge/api.ts'
import { toHex } from '../core/codec/ssz.ts'
import { type ChainParams, PROTOCOL_VERSION } from '../core/params.ts'
import type { Clock } from '../ports/clock.ts'
import type { NetworkStatus } from '../ports/network.ts'
import { isDirect } from './askPeers.ts'
import type { Chain } from './chain.ts'
import { CatchUp } from './catchUp.ts'
import { Patience } from './patience.ts'
import type { StoreState } from './persist.ts'
import type { Sync } from './sync.ts'

/** Time in which the first peer is expected, and then what the peers say of themselves; after it the node is alone and may work. */
export const JOIN_MS = 8_000
/** A tick this late means that the tab was frozen or the machine asleep. */
export const ASLEEP_MS = 20_000
const TICK_MS = 4_000
/** Blocks behind the best peer from which the node says so. */
const BEHIND_BLOCKS = 3
/** After waking, the others are listened to for this long before work goes on. */
const WAKE_MS = 4_000

export interface PresenceDeps {
  readonly clock: Clock
  readonly chain: Pick<Chain, 'head' | 'on'>
  readonly sync: Pick<Sync, 'progress' | 'spoken' | 'targetHeight' | 'newestVersion' | 'unproved' | 'redone'>
  readonly network: () => NetworkStatus
  readonly dataMissing: () => { readonly job: Uint8Array, readonly have: number, readonly want: number } | undefined
  /** Newest height whose work could not be redone while catching up. */
  readonly pruned: () => number | undefined
  readonly params: Pick<ChainParams, 'joinReplayBlocks'>
}

/** A clock that was set back since says nothing of how long it was. */
const isWithin = (since: number, ms: number): boolean => since >= 0 && since < ms

export class Presence {
  readonly #d: PresenceDeps
  readonly #startedAt: number
  #tickAt: number
  #asleep: { readonly wokeAt: number, readonly forMs: number } | undefined
  /** When the first peer was met. */
  #metAt: number | undefined
  readonly #catchUp = new CatchUp()
  readonly #patience = new Patience()
  /** Blocks redone while catching up, as of the last tick. */
  #redone = 0
  #storage: StoreState = { ok: true }
  /** Why it was stopped. */
  #stopped: string | undefined
  #cancel: (() => void) | undefined

  constructor (d: PresenceDeps) {
    this.#d = d
    this.#startedAt = this.#tickAt = d.clock.now()
  }

  start (): void {
    const off = this.#d.chain.on('storage', (s) => { this.#storage = s })
    const tick = (): void => {
      const now = this.#d.clock.now()
      const late = now - this.#tickAt - TICK_MS
      if (late > ASLEEP_MS) this.#asleep = { wokeAt: now, forMs: late }
      // Time asleep is not time waited.
      this.#meet()
      this.#patience.pass(TICK_MS, this.#waits(), this.#d.sync.redone() - this.#redone)
      this.#redone = this.#d.sync.redone()
      this.#tickAt = now
      this.#cancel = this.#d.clock.after(TICK_MS, tick)
    }
    this.#tickAt = this.#d.clock.now()
    this.#cancel = this.#d.clock.after(TICK_MS, tick)
    const cancelTick = this.stop.bind(this)
    this.stop = why => { off(); cancelTick(why) }
  }

  stop (why = 'it was stopped on request'): void {
    this.#stopped = why
    this.#cancel?.()
  }

  phase (): NodePhase { return this.#apart() ?? this.#flaw() ?? { phase: 'ready' } }

  /** Whether the height is the network's, as far as this node knows, whatever else the page is to be told: pay for bytes hangs on it. */
  inStep (): boolean { return this.#apart() === undefined }

  /** What keeps it from being in step with the others. */
  #apart (): NodePhase | undefined {
    const apart = this.#findApart()
    if (apart?.phase !== 'syncing' && apart?.phase !== 'behind') this.#catchUp.over()
    return apart
  }

  #findApart (): NodePhase | undefined {
    const { chain, clock, sync } = this.#d
    const now = clock.now()
    if (this.#stopped !== undefined) return { phase: 'stopped', detail: this.#stopped }
    if (!this.#storage.ok) return { phase: 'storage-failed', kind: this.#storage.kind, detail: this.#storage.detail }
    if (this.#asleep !== undefined && isWithin(now - this.#asleep.wokeAt, WAKE_MS)) return { phase: 'asleep', forMs: this.#asleep.forMs }
    const { height } = chain.head()
    const progress = sync.progress()
    // A block or two that came by another way than gossip is no reason to stop working.
    if (progress !== undefined && (progress.target - height >= BEHIND_BLOCKS || sync.unproved())) return { phase: 'syncing', ...progress, done: this.#catchUp.at(progress, height) }
    const peers = this.#meet()
    if (peers === 0) return isWithin(now - this.#startedAt, JOIN_MS) && this.#metAt === undefined ? { phase: 'joining' } : { phase: 'alone' }
    // Until they have said where they are, nobody knows where the network is. One that never says it holds up nobody for long.
    const said = sync.spoken()
    if (said < peers && isWithin(now - (this.#metAt ?? now), JOIN_MS)) return { phase: 'joining' }
    if (said === 0) return { phase: 'alone' }
    const target = sync.targetHeight()
    if (target >= height + BEHIND_BLOCKS) return { phase: 'behind', height, target, done: this.#catchUp.done }
    return undefined
  }

  /** What is wrong though it is in step. A newer version is what others say, and must not hide that this node has to catch up. */
  #flaw (): NodePhase | undefined {
    const { sync } = this.#d
    const { height } = this.#d.chain.head()
    if (sync.newestVersion() > PROTOCOL_VERSION) return { phase: 'newer-version', version: sync.newestVersion() }
    const pruned = this.#d.pruned()
    if (pruned !== undefined && height - pruned < this.#d.params.joinReplayBlocks) return { phase: 'pruned', height: pruned, detail: `the data of blocks up to ${pruned} is no longer kept by any peer: their rules and ledger were checked, their work was not redone` }
    const missing = this.#d.dataMissing()
    if (missing !== undefined) return { phase: 'no-data', job: toHex(missing.job), have: missing.have, want: missing.want }
    return undefined
  }

  /** Why this node must not mine or seal just now; undefined when it may. */
  mayWork (): string | undefined {
    const p = this.phase()
    switch (p.phase) {
      case 'joining':
      case 'starting': return 'looking for other tabs'
      case 'syncing': return this.#worksMeanwhile() ? undefined : 'catching up with the network first'
      case 'behind': return this.#worksMeanwhile() ? undefined : 'other tabs are ahead: catching up first'
      case 'asleep': return 'the tab was asleep: listening to the others first'
      case 'stopped': return 'the node was stopped'
      case 'newer-version':
      case 'storage-failed':
      case 'alone':
      case 'no-data':
      case 'pruned':
      case 'ready':
        // Whoever showed the newest work may have left before it was redone.
        return this.#d.sync.unproved() ? 'the newest work of this chain was not redone yet' : undefined
    }
  }

  #waits (): boolean {
    const { sync, chain } = this.#d
    // Asked at every tick: where nobody is ahead, it is neither.
    if (sync.progress() === undefined && sync.targetHeight() < chain.head().height + BEHIND_BLOCKS) return false
    const { phase } = this.phase()
    return phase === 'syncing' || phase === 'behind'
  }

  /** Promises are waited for so long, then work goes on above the newest block that was redone. */
  #worksMeanwhile (): boolean { return this.#patience.over && !this.#d.sync.unproved() }

  /** Peers there are now. */
  #meet (): number {
    const direct = this.#d.network().peers.filter(isDirect).length
    if (direct > 0) this.#metAt ??= this.#d.clock.now()
    return direct
  }
}
