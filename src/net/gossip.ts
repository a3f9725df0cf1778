/**
 * Gossipsub as the port wants it: a validator per topic whose verdict decides forwarding and
 * score, sizes bounded before they can kill a link, neighbours bounded in what they may hand us.
 */
import { gossipsub, type GossipSub, type GossipSubComponents, type Message, StrictSign, TopicValidatorResult } from '@libp2p/gossipsub'
import type { RPC } from '@libp2p/gossipsub/message'
import type { PeerId as LibPeerId } from '@libp2p/interface'
import { equalBytes, toHex } from '../core/codec/ssz.ts'
import { MAX_GOSSIP_BYTES } from '../core/params.ts'
import type { GossipMessage, PeerId, Verdict } from '../ports/network.ts'
import { DISCONNECT_SCORE, GOSSIP_BURST, GOSSIP_HISTORY_SECONDS, GOSSIP_PER_PEER_PER_SECOND, PACKETS_BURST, PACKETS_PER_PEER_PER_SECOND, PENALTY_TOO_FAST, SEEN_MS, UNCHECKED_SHARE, VALIDATOR_TIMEOUT_MS } from './bounds.ts'
import { type BanList, Forwards, PeerBuckets, PeerTimes, type Penalties, Validations } from './peerBook.ts'

/** Over this, one RPC kills the link for good on both sides; several messages may share one. */
const MAX_RPC_BYTES = 2 * 1024 * 1024

/**
 * Rejects alone cost (P4: -10, -40, -90 for one, two, three of them, halved in about 5 minutes);
 * the delivery quotas of the defaults would punish a quiet topic.
 */
const TOPIC_SCORE = {
  topicWeight: 1,
  timeInMeshWeight: 0, timeInMeshQuantum: 1000, timeInMeshCap: 1,
  firstMessageDeliveriesWeight: 0.2, firstMessageDeliveriesDecay: 0.97, firstMessageDeliveriesCap: 25,
  meshMessageDeliveriesWeight: 0, meshFailurePenaltyWeight: 0,
  meshMessageDeliveriesDecay: 0.5, meshMessageDeliveriesCap: 1, meshMessageDeliveriesThreshold: 1, meshMessageDeliveriesWindow: 10, meshMessageDeliveriesActivation: 5000, meshFailurePenaltyDecay: 0.5,
  invalidMessageDeliveriesWeight: -10, invalidMessageDeliveriesDecay: 0.9977
}

/** What the service has beside its published interface. */
export type GossipService = GossipSub & {
  readonly opts: { readonly scoreParams: { readonly topics: Record<string, typeof TOPIC_SCORE> } }
  /** Of messages whose signature was right. */
  readonly fastMsgIdCache: { get (copy: string): string | undefined }
  getScore (peer: string): number
  handleReceivedRpc (from: LibPeerId, rpc: RPC): Promise<void>
}

/** An Ed25519 key as an envelope names it: its multihash is the key itself, behind these two bytes, as a protobuf. */
const MULTIHASH_IDENTITY = [0x00, 0x24]
const ED25519 = [...MULTIHASH_IDENTITY, 0x08, 0x01, 0x12, 0x20]

/** Whether all who sign so are of our kind. Other keys take up to ten times as long to verify, and nobody here has one. */
function isOurKind ({ from, key, signature }: RPC.Message): boolean {
  return from?.length === ED25519.length + 32 && ED25519.every((b, i) => from[i] === b) && signature?.length === 64 &&
    (key === undefined || equalBytes(key, from.subarray(MULTIHASH_IDENTITY.length)))
}

/** A copy has it, too. */
const copyId = (m: RPC.Message): string => toHex(m.signature ?? new Uint8Array(0))

export function gossipService (penalties: Penalties): (components: GossipSubComponents) => GossipService {
  return components => gossipsub({
    globalSignaturePolicy: StrictSign,
    D: 4, Dlo: 3, Dhi: 8, Dout: 1, Dscore: 2, Dlazy: 3,
    floodPublish: false,
    fallbackToFloodsub: false,
    emitSelf: false,
    allowPublishToZeroTopicPeers: true,
    // A circuit dies within two minutes; gossip streams on it would die unseen.
    runOnLimitedConnection: false,
    maxInboundDataLength: MAX_RPC_BYTES,
    // Without it the signature of each copy would be verified.
    fastMsgIdFn: copyId,
    mcacheGossip: GOSSIP_HISTORY_SECONDS,
    seenTTL: SEEN_MS,
    maxTopicBytesPerPeer: 64 * 1024,
    gossipsubIWantFollowupMs: 10_000,
    scoreThresholds: { gossipThreshold: -20, publishThreshold: -40, graylistThreshold: DISCONNECT_SCORE },
    scoreParams: {
      topics: {},
      topicScoreCap: 10,
      appSpecificScore: id => penalties.score(id),
      appSpecificWeight: 1,
      // Outbound WebRTC links are booked on the relay's address: with the default, a dozen peers
      // behind one relay silence one another.
      IPColocationFactorWeight: 0,
      IPColocationFactorThreshold: 10,
      IPColocationFactorWhitelist: new Set(),
      behaviourPenaltyWeight: -1,
      behaviourPenaltyThreshold: 6,
      behaviourPenaltyDecay: 0.9,
      decayInterval: 1000,
      decayToZero: 0.1,
      retainScore: 3600_000
    }
  })(components) as GossipService
}

type Validator = (m: GossipMessage) => Promise<Verdict>
const RESULT: Readonly<Record<Verdict, TopicValidatorResult>> = { accept: TopicValidatorResult.Accept, welcome: TopicValidatorResult.Accept, ignore: TopicValidatorResult.Ignore, reject: TopicValidatorResult.Reject }
type LibValidator = (via: LibPeerId, message: Message) => Promise<TopicValidatorResult>

/** Answers for topics nobody asked for, too: without a validator gossipsub would accept. */
class ValidatorMap extends Map<string, LibValidator> {
  override get (topic: string): LibValidator { return super.get(topic) ?? (async () => TopicValidatorResult.Ignore) }
}

export interface GossipOptions {
  readonly service: GossipService
  readonly bans: BanList
  readonly penalties: Penalties
  readonly now: () => number
  /** A verdict has changed this peer's score. */
  readonly onReject: (via: PeerId) => void
  readonly onError: (e: unknown) => void
}

export class Gossip {
  readonly #o: GossipOptions
  readonly #rate: PeerBuckets
  readonly #packets: PeerBuckets
  readonly #forwards: Forwards
  readonly #validating = new Validations()
  readonly #welcomes: PeerTimes
  readonly #validators = new ValidatorMap()

  constructor (options: GossipOptions) {
    this.#o = options
    this.#rate = new PeerBuckets(options.now, GOSSIP_PER_PEER_PER_SECOND, GOSSIP_BURST)
    this.#packets = new PeerBuckets(options.now, PACKETS_PER_PEER_PER_SECOND, PACKETS_BURST)
    this.#forwards = new Forwards(options.now)
    this.#welcomes = new PeerTimes(options.now)
    const { service } = options
    service.topicValidators = this.#validators
    // Gossipsub verifies first and then looks whether it has the message, or minds its topic.
    const receive = service.handleReceivedRpc.bind(service)
    service.handleReceivedRpc = async (from, rpc) => {
      const messages = this.#admit(from.toString(), rpc.messages)
      if (messages !== undefined) await receive(from, { ...rpc, messages })
    }
  }

  async publish (topic: string, bytes: Uint8Array): Promise<number> {
    if (bytes.length > MAX_GOSSIP_BYTES) throw new Error(`a message of ${bytes.length} bytes is over the limit of ${MAX_GOSSIP_BYTES}`)
    return (await this.#o.service.publish(topic, bytes)).recipients.length
  }

  subscribe (topic: string, validator: Validator): () => void {
    if (this.#validators.has(topic)) throw new Error(`subscribed to ${topic} already`)
    const check: LibValidator = async (via, message) => RESULT[await this.#judge(topic, validator, via, message)]
    this.#validators.set(topic, check)
    this.#o.service.opts.scoreParams.topics[topic] ??= TOPIC_SCORE
    this.#o.service.subscribe(topic)
    return () => {
      if (!this.#validators.has(topic) || this.#validators.get(topic) !== check) return
      this.#validators.delete(topic)
      this.#o.service.unsubscribe(topic)
    }
  }

  /** When a neighbour was the first to bring something welcome, last. */
  welcomeAt (via: PeerId): number | undefined { return this.#welcomes.of(via) }

  /** What of a packet is worth a look; undefined: nothing, whatever else it holds. */
  #admit (via: PeerId, messages: readonly RPC.Message[]): RPC.Message[] | undefined {
    const { bans, penalties, service } = this.#o
    if (bans.has(via)) return undefined
    let tooFast = this.#packets.take(via) ? 0 : 1
    const admitted = messages.filter(m => {
      const isMinded = this.#validators.has(m.topic) && isOurKind(m)
      const isChecked = isMinded && service.fastMsgIdCache.get(copyId(m)) === undefined
      if (this.#rate.take(via, isChecked ? 1 : UNCHECKED_SHARE)) return isMinded
      tooFast++
      return false
    })
    if (tooFast === 0) return admitted
    penalties.add(via, tooFast * PENALTY_TOO_FAST)
    this.#o.onReject(via)
    return bans.has(via) ? undefined : admitted
  }

  async #judge (topic: string, validator: Validator, from: LibPeerId, message: Message): Promise<Verdict> {
    const via = from.toString()
    if (message.type !== 'signed' || message.data.length > MAX_GOSSIP_BYTES) return this.#reject(via)
    const origin = message.from.toString()
    if (this.#o.bans.has(via) || this.#o.bans.has(origin)) return 'ignore'
    const done = this.#validating.enter(via)
    if (done === undefined) return 'ignore'
    let timer: ReturnType<typeof setTimeout> | undefined
    try {
      const late = new Promise<Verdict>(resolve => { timer = setTimeout(() => { resolve('ignore') }, VALIDATOR_TIMEOUT_MS) })
      const judged = validator({ topic, bytes: message.data, origin, via }).then(verdict => {
        // Also when it comes too late to be passed on: a slow device is no reason to part with whoever brings blocks.
        if (verdict === 'welcome') this.#welcomes.note(via)
        return verdict
      })
      const verdict = await Promise.race([judged, late])
      if (verdict === 'reject') return this.#reject(via)
      return verdict !== 'ignore' && !this.#forwards.take(via) ? 'ignore' : verdict
    } catch (e) {
      this.#o.onError(e)
      return 'ignore'
    } finally {
      clearTimeout(timer)
      done()
    }
  }

  #reject (via: PeerId): Verdict {
    // Gossipsub books the verdict after it has returned.
    setTimeout(() => { this.#o.onReject(via) }, 0)
    return 'reject'
  }
}
