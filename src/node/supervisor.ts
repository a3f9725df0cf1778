/**
 * A committee member's duties: replay the contributions drawn for it, vouch for the right ones,
 * call out the wrong ones, and take part in sealing. Every member works this out for itself from
 * the chain; nobody is asked.
 *
 * Alone in the committee a node does all of it with itself: no message needs an answer.
 */
import { equalBytes, toHex } from '../core/codec/ssz.ts'
import { WORK_VOUCH } from '../core/codec/wire.ts'
import type { BlockMeta } from '../core/consensus/chain.ts'
import { committee } from '../core/consensus/committee.ts'
import { vouchMessage } from '../core/crypto/ids.ts'
import { isEnded } from '../core/ledger/state.ts'
import type { ChainParams } from '../core/params.ts'
import type { Clock } from '../ports/clock.ts'
import type { Candidate, Contributions } from './contributions.ts'
import { anchorOn, replayers, vouchesNeeded } from './duties.ts'
import type { MinerKey } from './minerKey.ts'
import type { ChainService, Hex, Log, ReplayService } from './parts.ts'
import type { Records } from './records.ts'
import { differs } from './replay.ts'
import type { Rounds, RoundTip } from './rounds.ts'
import type { Sealing } from './sealing.ts'
import type { WorkPublisher } from './workTopics.ts'

/** Replays for vouching at once; more would only wait for the same kernels. */
const REPLAYS_AT_ONCE = 4
/** Steps per round's time. */
const STEPS_PER_ROUND = 8
const STEP_MIN_MS = 25

export interface SupervisorDeps {
  readonly params: ChainParams
  readonly key: MinerKey
  readonly chain: Pick<ChainService, 'head'>
  readonly rounds: Pick<Rounds, 'tips' | 'tip' | 'onTip'>
  readonly contributions: Contributions
  readonly records: Records
  readonly sealing: Sealing
  readonly replay: ReplayService
  readonly publisher: WorkPublisher
  readonly clock: Clock
  readonly log: Log
  /** A contribution that replay proved wrong before it was sealed. */
  readonly onWrong: (candidate: Candidate, detail: string) => Promise<void>
  /** False while the node is not synced: it must not sign what it cannot judge. */
  readonly ready: () => boolean
}

export interface CommitteeView { readonly size: number, readonly member: boolean, readonly ready: boolean, readonly needsBlocks: number }

export class Supervisor {
  readonly #d: SupervisorDeps
  readonly #replaying = new Set<Hex>()
  readonly #undo: Array<() => void> = []
  #cancelStep: (() => void) | undefined
  #stepping = false
  #again = false
  #stopped = false

  constructor (d: SupervisorDeps) { this.#d = d }

  start (): void {
    const soon = (): void => { void this.step() }
    this.#undo.push(this.#d.contributions.onChange(soon), this.#d.rounds.onTip(soon))
    this.#schedule()
  }

  stop (): void {
    this.#stopped = true
    this.#cancelStep?.()
    for (const undo of this.#undo.splice(0)) undo()
  }

  /** The committee that would seal the benchmark now. */
  view (): CommitteeView {
    const { params, chain, key } = this.#d
    const head = chain.head()
    const anchor = anchorOn(params, head, 0)
    const members = anchor === undefined ? [] : committee(params, anchor)
    return {
      size: members.length,
      member: members.some(m => equalBytes(m, key.publicKey)),
      ready: members.length > 0,
      needsBlocks: Math.max(0, params.committeeBlocks + params.rhoDelay - head.height)
    }
  }

  /** One look at every job. Steps never overlap: a call during one makes it run once more. */
  async step (): Promise<void> {
    if (this.#stepping) {
      this.#again = true
      return
    }
    this.#stepping = true
    try {
      do {
        this.#again = false
        for (const { job } of this.#d.rounds.tips()) if (!this.#stopped) await this.#stepJob(job.id)
      } while (this.#again && !this.#stopped)
    } catch (e) {
      this.#d.log.error('supervisor', `step failed: ${e instanceof Error ? e.stack ?? e.message : String(e)}`)
    } finally {
      this.#stepping = false
    }
  }

  #schedule (): void {
    const ms = Math.max(STEP_MIN_MS, this.#d.params.roundMs / STEPS_PER_ROUND)
    this.#cancelStep = this.#d.clock.after(ms, () => {
      void this.step()
      if (!this.#stopped) this.#schedule()
    })
  }

  async #stepJob (job: Uint8Array): Promise<void> {
    const { params, chain, rounds, key, sealing } = this.#d
    const tip = rounds.tip(job)
    if (tip === undefined || isEnded(tip.job)) return
    const anchor = anchorOn(params, chain.head(), tip.anchorHeight)
    if (anchor === undefined) return
    const members = committee(params, anchor)
    // Asked of members alone, who are few: contributions come all the time, and each makes a step.
    if (!members.some(m => equalBytes(m, key.publicKey)) || !this.#d.ready()) return
    this.#replayDrawn(tip, anchor, members)
    await sealing.step(tip, anchor, members)
  }

  #replayDrawn (tip: RoundTip, anchor: BlockMeta, members: readonly Uint8Array[]): void {
    const me = this.#d.key.publicKey
    for (const candidate of this.#d.contributions.pending(tip.job.id)) {
      if (candidate.verdict === 'wrong' || candidate.vouches.has(toHex(me))) continue
      const order = replayers(members, candidate.id, candidate.claim)
      const rank = order.findIndex(m => equalBytes(m, me))
      // Those drawn first get a round's time each before the next one steps in.
      const reserves = Math.floor((this.#d.clock.now() - candidate.receivedAt) / this.#d.params.roundMs)
      const needed = vouchesNeeded(members, candidate.claim, this.#d.records.has(anchor, candidate.claim.template.miner))
      if (rank < 0 || rank >= needed + reserves) continue
      // Words of members who were not drawn are no reason not to look.
      if (order.slice(0, needed + reserves).filter(m => candidate.vouches.has(toHex(m))).length > needed) continue
      if (candidate.verdict === 'right') {
        this.#vouch(candidate).catch((e: unknown) => { this.#d.log.error('supervisor', `vouch failed: ${e instanceof Error ? e.message : String(e)}`) })
        continue
      }
      if (this.#replaying.has(candidate.name) || this.#replaying.size >= REPLAYS_AT_ONCE) continue
      this.#replaying.add(candidate.name)
      this.#replay(candidate, tip)
        .catch((e: unknown) => { this.#d.log.error('supervisor', `replay failed: ${e instanceof Error ? e.message : String(e)}`) })
        .finally(() => {
          this.#replaying.delete(candidate.name)
          // What cannot be had yet is tried again at the next step: at once, it would be tried for ever.
          if (candidate.verdict !== 'unknown') void this.step()
        })
    }
  }

  async #replay (candidate: Candidate, tip: RoundTip): Promise<void> {
    const { claim } = candidate
    const r = await this.#d.replay.replay(claim, tip.spec, 'replay')
    if (r.kind === 'unavailable') {
      this.#d.log.debug('supervisor', `contribution ${candidate.name.slice(0, 16)} cannot be replayed: ${r.detail}`)
      return
    }
    const wrong = differs(claim, r)
    if (wrong === undefined) {
      candidate.verdict = 'right'
      await this.#vouch(candidate)
    } else {
      candidate.verdict = 'wrong'
      await this.#d.onWrong(candidate, wrong)
    }
  }

  async #vouch (candidate: Candidate): Promise<void> {
    const { clock, key, contributions, publisher } = this.#d
    const job = candidate.claim.template.job
    const body = { job, contribution: candidate.id, member: key.publicKey }
    const vouch = { ...body, signature: key.sign(vouchMessage(body)) }
    candidate.vouches.set(toHex(key.publicKey), { ...vouch, at: clock.now() })
    contributions.changed(job)
    await publisher.publish({ selector: WORK_VOUCH, value: vouch })
  }
}
