/**
 * The gossip topics of the jobs this node follows: one per job that is not ended, subscribed as the
 * head's ledger lists them. What arrives is bounded, decoded strictly, and handed to the part that
 * knows what to make of it; each stranger may hand over so much and no more.
 */
import { decode, equalBytes, toHex } from '../core/codec/ssz.ts'
import {
  type Challenge, type Claim, type Proposal, type SealVote, type SignedSeal, type Vouch,
  WORK_CHALLENGE, WORK_CLAIM, WORK_PROPOSAL, WORK_SEAL, WORK_VOTE, WORK_VOUCH, WorkMessage
} from '../core/codec/wire.ts'
import { isEnded } from '../core/ledger/state.ts'
import { MAX_GOSSIP_BYTES } from '../core/params.ts'
import type { Clock } from '../ports/clock.ts'
import { RequestError, type GossipMessage, type Network, type PeerId, type Verdict } from '../ports/network.ts'
import type { Blame, ChainService, Hex, Log } from './parts.ts'
import { TokenBuckets } from './tokenBucket.ts'

/** Work messages one peer may originate: sustained per second, and at once. */
export const MESSAGES_PER_SECOND = 24
export const MESSAGES_BURST = 160

/** `via` has validated the message, so it also has what the message refers to. */
export interface From { readonly origin: PeerId, readonly via: PeerId }

export interface WorkHandlers {
  readonly claim: (claim: Claim, from: From) => Promise<Verdict>
  readonly vouch: (vouch: Vouch, from: From) => Promise<Verdict>
  readonly proposal: (proposal: Proposal, from: From) => Promise<Verdict>
  readonly vote: (vote: SealVote, from: From) => Promise<Verdict>
  readonly seal: (seal: SignedSeal, from: From) => Promise<Verdict>
  readonly challenge: (challenge: Challenge, from: From) => Promise<Verdict>
}

/** Sends to everyone who follows the job. */
export interface WorkPublisher { publish (message: WorkMessage): Promise<void> }

/** The whole id: whoever posts chooses his jobs' ids by trying, and two that shared a topic would be one too many. */
export const workTopic = (chain: Uint8Array, job: Uint8Array): string =>
  `/cw/${toHex(chain).slice(0, 8)}/job/${toHex(job)}`

/** The job a message is about. */
export function jobOf (message: WorkMessage): Uint8Array {
  const value = message.value
  if (value === null) throw new Error('a work message without a value')
  if ('template' in value) return value.template.job
  if ('seal' in value) return value.seal.job
  return value.job
}

export interface WorkTopicsDeps {
  readonly chainId: Uint8Array
  readonly network: Pick<Network, 'publish' | 'subscribe'>
  readonly chain: Pick<ChainService, 'head' | 'on'>
  readonly blame: Pick<Blame, 'refuse'>
  readonly clock: Pick<Clock, 'now'>
  readonly log: Log
}

export class WorkTopics implements WorkPublisher {
  readonly #d: WorkTopicsDeps
  readonly #subscriptions = new Map<Hex, Promise<() => void>>()
  readonly #rates: TokenBuckets
  #handlers: WorkHandlers | undefined
  #off: (() => void) | undefined

  constructor (d: WorkTopicsDeps) {
    this.#d = d
    this.#rates = new TokenBuckets(d.clock, MESSAGES_PER_SECOND, MESSAGES_BURST)
  }

  async start (handlers: WorkHandlers): Promise<void> {
    this.#handlers = handlers
    this.#off = this.#d.chain.on('head', () => { void this.#follow() })
    await this.#follow()
  }

  async stop (): Promise<void> {
    this.#off?.()
    const all = [...this.#subscriptions.values()]
    this.#subscriptions.clear()
    for (const unsubscribe of all) (await unsubscribe)()
  }

  /** Nobody may be there to hear it: a node alone works on. */
  async publish (message: WorkMessage): Promise<void> {
    try {
      await this.#d.network.publish(workTopic(this.#d.chainId, jobOf(message)), WorkMessage.serialize(message))
    } catch (e) {
      if (!(e instanceof RequestError)) throw e
      this.#d.log.debug('topics', `not published: ${e.message}`)
    }
  }

  /** Subscribes to jobs that came, leaves those that ended. One that cannot be followed holds up no other, and is tried again at the next head. */
  async #follow (): Promise<void> {
    const open = this.#d.chain.head().ledger.jobs.filter(j => !isEnded(j))
    const names = new Set(open.map(j => toHex(j.id)))
    for (const [name, unsubscribe] of [...this.#subscriptions]) {
      if (names.has(name)) continue
      this.#subscriptions.delete(name);
      (await unsubscribe)()
    }
    for (const job of open) {
      const name = toHex(job.id)
      if (this.#subscriptions.has(name)) continue
      const subscription = this.#d.network.subscribe(workTopic(this.#d.chainId, job.id), m => this.#validate(job.id, m)).catch((e: unknown) => {
        this.#d.log.error('topics', `job ${name.slice(0, 16)} cannot be followed: ${e instanceof Error ? e.message : String(e)}`)
        this.#subscriptions.delete(name)
        return () => {}
      })
      this.#subscriptions.set(name, subscription)
      await subscription
    }
  }

  async #validate (job: Uint8Array, m: GossipMessage): Promise<Verdict> {
    const decoded = decode(WorkMessage, m.bytes, MAX_GOSSIP_BYTES)
    if (!decoded.ok || decoded.value.selector === 0) {
      const detail = decoded.ok ? 'a message that says nothing' : decoded.error.detail
      this.#d.blame.refuse({ what: 'work message', reason: 'malformed', detail, peer: m.via, fatal: false })
      return 'reject'
    }
    if (!equalBytes(jobOf(decoded.value), job)) {
      this.#d.blame.refuse({ what: 'work message', reason: 'wrong topic', detail: `about job ${toHex(jobOf(decoded.value)).slice(0, 16)}`, peer: m.via, fatal: false })
      return 'reject'
    }
    if (!this.#rates.take(m.origin)) {
      this.#d.log.debug('topics', `too many work messages from ${m.origin}`)
      return 'ignore'
    }
    try {
      return await this.#dispatch(decoded.value, { origin: m.origin, via: m.via })
    } catch (e) {
      // Our own bug must neither blame the peer nor stop the topic.
      this.#d.log.error('topics', `a work message could not be judged: ${e instanceof Error ? e.stack ?? e.message : String(e)}`)
      return 'ignore'
    }
  }

  async #dispatch (message: WorkMessage, from: From): Promise<Verdict> {
    const handlers = this.#handlers
    if (handlers === undefined) return 'ignore'
    switch (message.selector) {
      case WORK_CLAIM: return await handlers.claim(message.value as Claim, from)
      case WORK_VOUCH: return await handlers.vouch(message.value as Vouch, from)
      case WORK_PROPOSAL: return await handlers.proposal(message.value as Proposal, from)
      case WORK_VOTE: return await handlers.vote(message.value as SealVote, from)
      case WORK_SEAL: return await handlers.seal(message.value as SignedSeal, from)
      case WORK_CHALLENGE: return await handlers.challenge(message.value as Challenge, from)
      default: return 'ignore'
    }
  }
}
