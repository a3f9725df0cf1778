/**
 * A committee that is one attacker: he mines first and alone, so every seat is a key of his, and its
 * quorum signs what he likes. The blocks' own slices are really done; the lies are in the seals.
 */
import type { JobSpec } from '../../../src/core/codec/jobSpec.ts'
import { compareBytes, decode, equalBytes, toHex } from '../../../src/core/codec/ssz.ts'
import { Block, BodiesRequest, BodiesResponse, Body, type Claim, HeadersRequest, HeadersResponse, PayloadRequest, type Seal, type SignedSeal, Status, type Template, WORK_SEAL, WorkMessage } from '../../../src/core/codec/wire.ts'
import { assembleBlock } from '../../../src/core/consensus/assemble.ts'
import { chainId } from '../../../src/core/consensus/chain.ts'
import { committee as committeeOf } from '../../../src/core/consensus/committee.ts'
import { claimId, sealHash } from '../../../src/core/crypto/ids.ts'
import { sign } from '../../../src/core/crypto/keys.ts'
import { benchmarkJob, type JobRecord } from '../../../src/core/ledger/state.ts'
import { type ChainParams, MAX_CONTRIBUTION_SLICES, MAX_HEADERS_PER_REQUEST, PROTOCOL_VERSION } from '../../../src/core/params.ts'
import { initialState } from '../../../src/core/training/init.ts'
import type { ModelState } from '../../../src/core/training/modelState.ts'
import { shapeOf } from '../../../src/core/training/shape.ts'
import { decodePayload, mergePayloads, payloadDigest } from '../../../src/core/training/payload.ts'
import { lr20At } from '../../../src/core/training/schedule.ts'
import { stateHash } from '../../../src/core/training/stateHash.ts'
import { blocksTopic } from '../../../src/node/blocksGossip.ts'
import { PAYLOAD_PROTOCOL } from '../../../src/node/payloads.ts'
import { BODIES_PROTOCOL, HEADERS_PROTOCOL, STATUS_PROTOCOL } from '../../../src/node/syncServer.ts'
import { workTopic } from '../../../src/node/workTopics.ts'
import type { SliceResult } from '../../../src/ports/compute.ts'
import { Follower } from './follower.ts'
import { grind, type KeyPair, newKey, random, signed, wins } from './forge.ts'
import type { Peer } from './peer.ts'

const SEATS = 3
const REQUEST_BYTES = 1 << 16

type Run = (template: Template, slice: number, state: ModelState, spec: JobSpec) => Promise<SliceResult>

export class Committee {
  readonly #params: ChainParams
  readonly #run: Run
  readonly #seats: readonly KeyPair[] = Array.from({ length: SEATS }, newKey)
  readonly #chain: Follower
  readonly #states = new Map<string, ModelState>()
  readonly #payloads = new Map<string, Uint8Array>()
  #withholding = false
  #peer: Peer | undefined

  constructor (params: ChainParams, run: Run) {
    this.#params = params
    this.#run = run
    this.#chain = new Follower(params)
    this.#keep(initialState(benchmarkJob(this.#chain.tip.ledger).spec))
  }

  /** Answers as a node would that holds this chain. */
  async serve (peer: Peer): Promise<void> {
    this.#peer = peer
    await peer.serve(STATUS_PROTOCOL, () => {
      const { tip } = this.#chain
      return Status.serialize({ chain: chainId(tip), version: PROTOCOL_VERSION, head: tip.hash, height: tip.height, work: tip.work, historyFrom: 0 })
    })
    await peer.serve(HEADERS_PROTOCOL, body => {
      const asked = decode(HeadersRequest, body, REQUEST_BYTES)
      const main = this.#chain.main()
      const known = asked.ok ? asked.value.locator.map(hash => main.findIndex(h => equalBytes(h.meta.hash, hash))).find(i => i >= 0) : undefined
      const headers = main.slice((known ?? -1) + 1).slice(0, MAX_HEADERS_PER_REQUEST).map(h => h.block.header)
      return headers.length === 0 ? new Uint8Array(0) : HeadersResponse.serialize({ headers })
    })
    await peer.serve(BODIES_PROTOCOL, body => {
      const asked = decode(BodiesRequest, body, REQUEST_BYTES)
      const bodies = asked.ok ? asked.value.hashes.map(hash => this.#chain.held(hash)?.block.body) : []
      return BodiesResponse.serialize({ bodies: bodies.map(b => b === undefined ? new Uint8Array(0) : Body.serialize(b)) })
    })
    await peer.serve(PAYLOAD_PROTOCOL, body => {
      const asked = decode(PayloadRequest, body, REQUEST_BYTES)
      const bytes = asked.ok && !this.#withholding ? this.#payloads.get(toHex(asked.value.digest)) : undefined
      return bytes ?? new Uint8Array(0)
    })
  }

  /** Honest blocks on schedule up to now, the seats in turn. */
  async mineAlone (blocks: number): Promise<number> {
    const start = Date.now() - blocks * this.#params.blockIntervalMs
    for (let i = 1; i <= blocks; i++) await this.#mine([], start + i * this.#params.blockIntervalMs)
    return this.#chain.tip.height
  }

  /** Two seals of one round with a quorum each, of contributions that are both right. */
  async publishTwoSeals (): Promise<void> {
    const { id } = this.#job()
    for (const seat of this.#seats.slice(0, 2)) {
      const seal = this.#seal([await this.#contribution(seat, 0)])
      await this.#publish(workTopic(chainId(this.#chain.tip), id), WorkMessage.serialize({ selector: WORK_SEAL, value: seal }))
    }
  }

  /** A right block whose seal merges a payload that nobody hands out until `release`. */
  async publishWithheld (): Promise<string> {
    this.#withholding = true
    return await this.#publishBlock(await this.#mine([this.#seal([await this.#contribution(this.#seats[2], 0)])]))
  }

  release (): void { this.#withholding = false }

  /** Its seal says that the contributions lead to a state they do not lead to. */
  async publishWrongNextState (): Promise<string> {
    const before = this.#chain.tip
    const seal = this.#seal([await this.#contribution(this.#seats[0], 1)], random(32))
    const miner = this.#seats[1]
    const { template, body, job } = assembleBlock(this.#params, before, { transactions: [], seals: [seal], miner: miner.key, payee: miner.key, timeMs: Date.now() })
    return await this.#publishBlock({ header: signed(grind({ template, body, job }, {}, 'resultHash'), miner), body })
  }

  /** Its seal merges payloads that nobody's training gave: the true change, backwards. */
  async publishWrongContributions (miners: number): Promise<string> {
    const claims: Claim[] = []
    const poison = this.#keepPayload(negated(this.#payloads.get(toHex((await this.#contribution(this.#seats[0], 2)).payloadDigest))!, this.#job()))
    for (const miner of Array.from({ length: miners }, newKey)) {
      for (let slice = 0; slice < MAX_CONTRIBUTION_SLICES; slice++) {
        const template = this.#template(miner)
        claims.push(signed({ template, slice, resultHash: random(32), payloadDigest: poison, payloadBytes: this.#payloads.get(toHex(poison))!.length, signature: new Uint8Array(64) }, miner))
      }
    }
    return await this.#publishBlock(await this.#mine([this.#seal(claims)]))
  }

  #job (): JobRecord { return benchmarkJob(this.#chain.tip.ledger) }

  #template (miner: KeyPair): Template {
    return assembleBlock(this.#params, this.#chain.tip, { transactions: [], seals: [], miner: miner.key, payee: miner.key, timeMs: Date.now() }).template
  }

  async #contribution (miner: KeyPair, slice: number): Promise<Claim> {
    const template = this.#template(miner)
    const job = this.#job()
    const result = await this.#run(template, slice, this.#states.get(toHex(job.stateHash))!, job.spec)
    this.#keepPayload(result.payload)
    return signed({ template, slice, resultHash: result.stateHash, payloadDigest: result.payloadDigest, payloadBytes: result.payload.length, signature: new Uint8Array(64) }, miner)
  }

  /** Signed by the whole committee of the tip. */
  #seal (claims: readonly Claim[], claimedState?: Uint8Array): SignedSeal {
    const { tip } = this.#chain
    const job = this.#job()
    const contributions = [...claims].sort((a, b) => compareBytes(claimId(a), claimId(b)))
    const seal: Seal = { job: job.id, round: job.round + 1, previous: job.seal, anchor: tip.hash, contributions, stateHash: claimedState ?? this.#merged(job, contributions) }
    const members = committeeOf(this.#params, tip)
    const message = sealHash(seal)
    return { seal, signatures: members.map((key, member) => ({ member, signature: sign(this.#seats.find(s => equalBytes(s.key, key))!.seed, message) })) }
  }

  #merged (job: JobRecord, claims: readonly Claim[]): Uint8Array {
    const payloads = claims.map(c => {
      const decoded = decodePayload(job.spec, lr20At(job.spec, job.round), this.#payloads.get(toHex(c.payloadDigest))!)
      if (!decoded.ok) throw new Error(`the attacker's payload is malformed: ${decoded.error.detail}`)
      return decoded.value
    })
    return this.#keep(mergePayloads(this.#states.get(toHex(job.stateHash))!, payloads))
  }

  /** A block on the tip, its slice really done. */
  async #mine (seals: readonly SignedSeal[], timeMs = Date.now()): Promise<Block> {
    const { tip } = this.#chain
    const miner = this.#seats[tip.height % SEATS]
    const { template, body, job } = assembleBlock(this.#params, tip, { transactions: [], seals, miner: miner.key, payee: miner.key, timeMs })
    for (let slice = 0; ; slice++) {
      const result = await this.#run(template, slice, this.#states.get(toHex(template.stateHash))!, job.spec)
      const claim: Claim = { template, slice, resultHash: result.stateHash, payloadDigest: result.payloadDigest, payloadBytes: result.payload.length, signature: new Uint8Array(64) }
      if (!wins(claim, job)) continue
      const block = { header: signed(claim, miner), body }
      this.#chain.add(block)
      return block
    }
  }

  async #publishBlock (block: Block): Promise<string> {
    const bytes = Block.serialize(block)
    const message = new Uint8Array(1 + bytes.length)
    message.set(bytes, 1)
    await this.#publish(blocksTopic(chainId(this.#chain.tip)), message)
    return toHex(claimId(block.header))
  }

  async #publish (topic: string, bytes: Uint8Array): Promise<void> {
    if (this.#peer === undefined || await this.#peer.publish(topic, bytes) === 0) throw new Error('handed to nobody')
  }

  #keep (state: ModelState): Uint8Array {
    const hash = stateHash(state)
    this.#states.set(toHex(hash), state)
    return hash
  }

  #keepPayload (bytes: Uint8Array): Uint8Array {
    const digest = payloadDigest(bytes)
    this.#payloads.set(toHex(digest), bytes)
    return digest
  }

  /** Height of the tip, the lies included. */
  height (): number { return this.#chain.tip.height }
}

/** Every change the other way; shifts and exponents stay, so it parses. */
function negated (payload: Uint8Array, job: JobRecord): Uint8Array {
  const bytes = payload.slice()
  let offset = 0
  for (const { outputs, inputs } of shapeOf(job.spec).layers) {
    for (const length of [outputs * inputs, outputs]) {
      offset++
      for (const end = offset + length; offset < end; offset++) bytes[offset] = (256 - bytes[offset]) & 255
    }
  }
  return bytes
}
