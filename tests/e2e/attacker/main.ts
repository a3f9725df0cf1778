/**
 * The attacker's page. `window.attacker` joins the mesh of the honest tabs under a new name for each
 * attack, copies their chain, and breaks one rule at a time. What becomes of it the test reads in the
 * honest tabs.
 */
import { formatAddress } from '../../../src/core/codec/address.ts'
import { decode, toHex } from '../../../src/core/codec/ssz.ts'
import { Block, Claim, type SignedSeal, type SignedTransaction, WORK_SEAL, WorkMessage } from '../../../src/core/codec/wire.ts'
import { ancestor, chainId, genesis } from '../../../src/core/consensus/chain.ts'
import { claimId, sealHash } from '../../../src/core/crypto/ids.ts'
import { account, benchmarkJob } from '../../../src/core/ledger/state.ts'
import { MAX_GOSSIP_BYTES, NETWORKS } from '../../../src/core/params.ts'
import { builtinDataset } from '../../../src/core/training/dataset.ts'
import { createInlineCompute } from '../../../src/compute/inline.ts'
import { blocksTopic } from '../../../src/node/blocksGossip.ts'
import { sliceTask } from '../../../src/node/replay.ts'
import { STATUS_PROTOCOL } from '../../../src/node/syncServer.ts'
import { workTopic } from '../../../src/node/workTopics.ts'
import type { SliceResult } from '../../../src/ports/compute.ts'
import { Committee } from './committee.ts'
import { Follower } from './follower.ts'
import { blockOf, grind, honest, jobOf, type KeyPair, type Made, newKey, nonCanonical, type Part, random, signed, transfer, wins, withBody } from './forge.ts'
import { Peer } from './peer.ts'

const KIND_BLOCK = 0
const KIND_HEADER = 1
const OVERSIZED_BYTES = 80 * 1024
/** As much as it takes, on a slow machine too, where it goes out hardly faster than it may. */
const FLOOD = 10_000
const SENDS = 20
const SEND_AGAIN_MS = 500
/** Some come too late: the next round was sealed meanwhile. */
const SEALS_HEARD = 6
const HEAR_MS = 3_000

const params = NETWORKS.test
const chain = chainId(genesis(params))
const topic = blocksTopic(chain)
const follower = new Follower(params)
const wallet = newKey()
const data = builtinDataset()
const compute = createInlineCompute('wasm')
const committee = new Committee(params, async (template, slice, state, spec) => await (await compute).runSlice(sliceTask(spec, template, slice, state, data), 'slice'))

let peer: Peer | undefined
let next: Promise<Peer> | undefined
let targets: readonly string[] = []

const joined = (): Peer => {
  if (peer === undefined) throw new Error('not joined')
  return peer
}

const linked = (): string[] => joined().links().filter(id => targets.includes(id))

const message = (kind: number, content: Uint8Array): Uint8Array => {
  const out = new Uint8Array(1 + content.length)
  out[0] = kind
  out.set(content, 1)
  return out
}

/** Until each of them had it: a gossip stream may be a moment behind its link. */
async function send (bytes: Uint8Array, on = topic): Promise<void> {
  let reached = 0
  for (let i = 0; i < SENDS; i++) {
    reached = await joined().publish(on, bytes)
    if (reached >= targets.length) return
    await new Promise(resolve => setTimeout(resolve, SEND_AGAIN_MS))
  }
  throw new Error(`handed to ${reached} of ${targets.length}`)
}

/** Hash of what was sent, in hex. */
async function sendBlock (block: Block): Promise<string> {
  await send(message(KIND_BLOCK, Block.serialize(block)))
  return toHex(claimId(block.header))
}

/** A block with everything in order but what `break` does, its ticket ground over `part`. */
async function groundBlock (change: (made: Made, miner: KeyPair) => Made, part: Part = 'resultHash', sign: (claim: Claim, miner: KeyPair) => Claim = signed): Promise<string> {
  const miner = newKey()
  const made = change(honest(params, follower.tip, miner), miner)
  return await sendBlock(blockOf(made, sign(grind(made, {}, part), miner)))
}

/** The newest block of the honest chain. */
function stolen (): { readonly header: Claim, readonly parent: typeof follower.tip } {
  const held = follower.held(follower.tip.hash)
  if (held?.meta.parent === undefined) throw new Error('there is nothing to steal yet')
  return { header: held.block.header, parent: held.meta.parent }
}

/** A slice really done, as an honest miner does it. */
async function trueSlice (made: Made): Promise<SliceResult> {
  const state = await follower.state(joined(), targets[0], made.job)
  return await (await compute).runSlice(sliceTask(made.job.spec, made.template, 0, state, data), 'slice')
}

function spend (amounts: ReadonlyArray<{ readonly amount: bigint, readonly nonce: number }>, from = wallet): SignedTransaction[] {
  return amounts.map(({ amount, nonce }) => transfer(follower.tip, from, newKey().key, amount, params.minFee, nonce))
}

const unsealed = (job: Uint8Array, round: number, previous: Uint8Array, anchor: Uint8Array): SignedSeal =>
  ({ seal: { job, round, previous, anchor, contributions: [], stateHash: random(32) }, signatures: [] })

const topicOfWork = (): string => workTopic(chain, benchmarkJob(follower.tip.ledger).id)

/** Each gives the hash of the block it sent, if it was one. */
const ATTACKS = {
  wrongState: async () => await groundBlock(made => made),
  wrongPayload: async () => {
    const miner = newKey()
    const made = honest(params, follower.tip, miner)
    const { stateHash } = await trueSlice(made)
    return await sendBlock(blockOf(made, signed(grind(made, { resultHash: stateHash }, 'payloadDigest'), miner)))
  },
  /** The newest block's work, claimed by another key: its ticket becomes another. */
  ticketOfAnother: async () => {
    const { header, parent } = stolen()
    for (;;) {
      const miner = newKey()
      const claim = { ...header, template: { ...header.template, miner: miner.key, payee: miner.key } }
      if (!wins(claim, jobOf(parent, claim))) return await sendBlock({ header: signed(claim, miner), body: follower.held(follower.tip.hash)!.block.body })
    }
  },
  /** In an honest miner's name, paid to the attacker. */
  forgedName: async () => await groundBlock((made) => ({ ...made, template: { ...made.template, miner: stolen().header.template.miner } })),
  forgedSignature: async () => await groundBlock(made => made, 'resultHash', claim => ({ ...claim, signature: random(64) })),
  nonCanonicalSignature: async () => await groundBlock(made => made, 'resultHash', (claim, miner) => ({ ...claim, signature: nonCanonical(signed(claim, miner).signature) })),
  /** Somebody's result once more, in the next block. */
  reusedTicket: async () => {
    const miner = newKey()
    const made = honest(params, follower.tip, miner)
    const { slice, resultHash, payloadDigest } = stolen().header
    return await sendBlock(blockOf(made, signed(grind(made, { slice, resultHash, payloadDigest }, 'time'), miner)))
  },
  /** The height of the next block on a parent of long ago. */
  staleParent: async () => await groundBlock(made => ({ ...made, template: { ...made.template, parent: ancestor(follower.tip, follower.tip.height - 4)!.hash } })),
  unknownParent: async () => await groundBlock(made => ({ ...made, template: { ...made.template, parent: random(32) } })),
  neverSealedState: async () => await groundBlock(made => ({ ...made, template: { ...made.template, round: made.template.round + 1, seal: random(32), stateHash: random(32) } })),
  sealWithoutQuorum: async () => await groundBlock(made => {
    const job = benchmarkJob(follower.tip.ledger)
    return withBody(made, { transactions: [], seals: [unsealed(job.id, job.round + 1, job.seal, follower.tip.hash)] })
  }),
  /** On the newest seal that the honest committee has made, before it makes the next. */
  gossipedSealWithoutQuorum: async () => {
    for (let i = 0; i < SEALS_HEARD && linked().length > 0; i++) {
      const bytes = await joined().hear(topicOfWork(), HEAR_MS, m => m[0] === WORK_SEAL)
      if (bytes === undefined) continue
      const heard = decode(WorkMessage, bytes, MAX_GOSSIP_BYTES)
      if (!heard.ok) throw new Error('an honest seal does not parse')
      const { seal } = heard.value.value as SignedSeal
      await joined().publish(topicOfWork(), WorkMessage.serialize({ selector: WORK_SEAL, value: unsealed(seal.job, seal.round + 1, sealHash(seal), seal.anchor) }))
    }
    return undefined
  },
  overspend: async () => {
    const { balance, nonce } = account(follower.tip.ledger, wallet.key)
    return await groundBlock(made => withBody(made, { transactions: spend([{ amount: balance, nonce }]), seals: [] }))
  },
  doubleSpend: async () => {
    const { balance, nonce } = account(follower.tip.ledger, wallet.key)
    const amount = balance - params.minFee
    if (amount <= 0n) throw new Error('there is nothing to spend twice')
    return await groundBlock(made => withBody(made, { transactions: spend([{ amount, nonce }, { amount, nonce }]), seals: [] }))
  },
  /** The ledger as it would be if the block paid its miner twice. */
  mintedCoin: async () => await groundBlock((made, miner) => ({ ...made, template: { ...made.template, stateRoot: honest({ ...params, subsidy: 2n * params.subsidy }, follower.tip, miner).template.stateRoot } })),
  oversizedMessages: async () => {
    const oversized = (fill: number): Uint8Array => message(KIND_BLOCK, new Uint8Array(OVERSIZED_BYTES).fill(fill))
    await send(oversized(1))
    // Whoever has had enough of the first is gone by now.
    for (let i = 2; i <= 3; i++) await joined().publish(topic, oversized(i))
    return undefined
  },
  oversizedRequest: async () => {
    const asked = targets.flatMap(t => [t, t, t]).map(async t => await joined().request(t, STATUS_PROTOCOL, new Uint8Array(OVERSIZED_BYTES)).then(() => true, () => false))
    if ((await Promise.all(asked)).includes(true)) throw new Error('an oversized request was answered')
    return undefined
  },
  truncatedMessage: async () => {
    const held = follower.held(follower.tip.hash)!
    const bytes = Block.serialize(held.block)
    await send(message(KIND_BLOCK, bytes.subarray(0, bytes.length >> 1)))
    return undefined
  },
  garbage: async () => {
    const bytes = random(300)
    // Not by chance a header of this version.
    bytes[2] |= 0x80
    await send(bytes)
    return undefined
  },
  newerVersion: async () => {
    const header = grind(honest(params, follower.tip, newKey()), {}, 'resultHash')
    header.template.version = 2
    await send(message(KIND_BLOCK, Block.serialize({ header, body: { transactions: [], seals: [] } })))
    return undefined
  },
  flood: async () => {
    const header = grind(honest(params, follower.tip, newKey()), {}, 'resultHash')
    for (let i = 0; i < FLOOD; i++) {
      header.template.parent = random(32)
      if (await joined().publish(topic, message(KIND_HEADER, Claim.serialize(header))) === 0) break
    }
    return undefined
  },
  /** Announced by its header; nobody has the body. */
  withheldBody: async () => {
    const miner = newKey()
    const made = honest(params, follower.tip, miner)
    const header = signed(grind(made, {}, 'resultHash'), miner)
    await send(message(KIND_HEADER, Claim.serialize(header)))
    return toHex(claimId(header))
  }
}
export type Attack = keyof typeof ATTACKS

const attacker = {
  address: formatAddress(wallet.key),
  /** Joins under a new name and knows the honest chain; gives the name. */
  join: async (bootstraps: readonly string[], honestTabs: readonly string[]): Promise<string> => {
    await peer?.leave()
    targets = honestTabs
    peer = await (next ?? Peer.join(bootstraps, params.name))
    await peer.reach(targets, topic)
    // Links take seconds: the next name makes its own meanwhile.
    next = Peer.join(bootstraps, params.name)
    return peer.id
  },
  balance: (): bigint => account(follower.tip.ledger, wallet.key).balance,
  follow: async (): Promise<number> => {
    await follower.follow(joined(), targets[0])
    return follower.tip.height
  },
  /** `at`: the tabs to be reached, where it is not all of them. */
  attack: async (name: Attack, at: readonly string[] = targets): Promise<string | undefined> => {
    targets = at
    await follower.follow(joined(), targets[0])
    return await ATTACKS[name]()
  },
  /** Honest tabs that still have a link to it. */
  links: linked,
  serveCommittee: async (): Promise<void> => { await committee.serve(joined()) },
  committee
}
export type AttackerPage = typeof attacker
declare global { interface Window { attacker?: AttackerPage } }
window.attacker = attacker
