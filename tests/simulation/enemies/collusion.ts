/**
 * Miners and verifiers who know one another: wrong contributions, made for the price of hashing and
 * ground until a friend is drawn to look at them first; friends vouch for them unseen and vote for
 * every seal that carries one. Blocks they mine honestly, because those are redone by everybody.
 */
import { decode, equalBytes, toHex } from '../../../src/core/codec/ssz.ts'
import { type Claim, PayloadRequest, type Vouch, WORK_CLAIM, WORK_VOUCH, WorkMessage } from '../../../src/core/codec/wire.ts'
import { assembleBlock } from '../../../src/core/consensus/assemble.ts'
import { committee } from '../../../src/core/consensus/committee.ts'
import { checkContribution } from '../../../src/core/consensus/contribution.ts'
import { hash, u32le } from '../../../src/core/crypto/hash.ts'
import { claimId, vouchMessage } from '../../../src/core/crypto/ids.ts'
import { MAX_CONTRIBUTION_SLICES, SIGNATURE_BYTES } from '../../../src/core/params.ts'
import { encodePayload, payloadDigest } from '../../../src/core/training/payload.ts'
import { anchorOn, replayers, vouchesNeeded } from '../../../src/node/duties.ts'
import { PAYLOAD_PROTOCOL } from '../../../src/node/payloads.ts'
import { Records } from '../../../src/node/records.ts'
import type { RoundTip } from '../../../src/node/rounds.ts'
import { workTopic } from '../../../src/node/workTopics.ts'
import { nativeKeyOf } from '../remember.ts'
import type { Tab } from '../tab.ts'
import { Believer } from './lazy.ts'
import { StateTap } from './sideMiner.ts'
import { Deeds, type Squad } from './squad.ts'
import { isWork, TappedNetwork, workMessage } from './tap.ts'
import { isWinner } from './withholdBlocks.ts'

/** Ids tried until friends are drawn. */
const TRIES = 32

export interface Colluders extends Squad {
  readonly forged: ReadonlySet<string>
  /** Of the forged ones those that a committee sealed. */
  readonly sealed: ReadonlySet<string>
}

export function collusion (): Colluders {
  const deeds = new Deeds()
  const forged = new Set<string>()
  const sealed = new Set<string>()
  const payloads = new Map<string, Uint8Array>()
  const members: Tab[] = []
  const friendOf = (key: Uint8Array): Tab | undefined => members.find(t => equalBytes(t.minerKey, key))
  const networks = new Map<Tab, TappedNetwork>()

  const forge = async (tab: Tab, states: StateTap, tip: RoundTip): Promise<number> => {
    const node = tab.node
    const head = node?.chain.head()
    const anchor = head === undefined ? undefined : anchorOn(tab.world.params, head, tip.anchorHeight)
    const state = node === undefined || anchor === undefined ? undefined : await states.get(node, tip.job)
    if (node === undefined || head === undefined || anchor === undefined || state === undefined) return 0
    const { params } = tab.world
    const friends = committee(params, anchor)
    const { template } = assembleBlock(params, head, { transactions: [], seals: node.rounds.pendingSeals(head), miner: tab.minerKey, payee: node.payee, timeMs: tab.world.now })
    if (!equalBytes(template.seal, tip.seal) || template.round !== tip.round) return 0
    const hasRecord = new Records(params, node.chain).has(anchor, tab.minerKey)
    let made = 0
    const friendly = friends.filter(key => friendOf(key) !== undefined && !equalBytes(key, tab.minerKey)).length
    if (friendly < (hasRecord ? 1 : 2)) return 0
    const worked = { job: tip.job.id, round: tip.round, seal: tip.seal, stateHash: tip.stateHash, spec: tip.spec }
    for (let slice = 0; slice < MAX_CONTRIBUTION_SLICES; slice++) {
      const key = hash('enemy-collusion', tip.seal, tab.minerKey, u32le(slice))
      const payload = encodePayload(state, { ...state, weights: state.weights.map(w => w.map((x, i) => x + (key[i & 31] & 15) - 7)) })
      const digest = payloadDigest(payload)
      const draft: Claim = { template, slice, resultHash: digest, payloadDigest: digest, payloadBytes: payload.length, signature: new Uint8Array(SIGNATURE_BYTES) }
      if (checkContribution(params, head, draft, worked) !== undefined) continue
      for (let i = 0; i < TRIES; i++) {
        const unsigned: Claim = { ...draft, resultHash: hash('enemy-result', key, u32le(i)) }
        const id = claimId(unsigned)
        const drawn = replayers(friends, id, unsigned).slice(0, vouchesNeeded(friends, unsigned, hasRecord))
        if (isWinner(tab, unsigned) || drawn.length === 0 || !drawn.every(friendOf)) continue
        payloads.set(toHex(digest), payload)
        forged.add(toHex(id))
        deeds.add('wrong contributions')
        await tell(tab, { ...unsigned, signature: nativeKeyOf(tab.minerSeed).sign(id) }, drawn)
        made++
        break
      }
    }
    return made
  }

  const tell = async (tab: Tab, claim: Claim, drawn: readonly Uint8Array[]): Promise<void> => {
    const { session } = tab
    if (session?.node === undefined) return
    const topic = workTopic(session.node.genesisHash, claim.template.job)
    const all = async (bytes: Uint8Array): Promise<void> => {
      await session.network.publish(topic, bytes)
      for (const m of members) if (m.up) void networks.get(m)?.inject({ topic, bytes, origin: session.id, via: session.id })
    }
    await all(WorkMessage.serialize({ selector: WORK_CLAIM, value: claim }))
    for (const key of drawn) {
      const friend = friendOf(key)!
      const body = { job: claim.template.job, contribution: claimId(claim), member: key }
      const vouch: Vouch = { ...body, signature: nativeKeyOf(friend.minerSeed).sign(vouchMessage(body)) }
      deeds.add('vouches unseen')
      await all(WorkMessage.serialize({ selector: WORK_VOUCH, value: vouch }))
    }
  }

  return {
    name: 'collusion',
    deeds,
    forged,
    sealed,
    payloads,
    vouchesUnseen: true,
    recruit: () => {
      const states = new StateTap()
      return {
        name: 'collusion',
        ports: (deps, tab) => {
          const believer = new Believer(deeds, claim => friendOf(claim.template.miner) !== undefined)
          const network = new TappedNetwork(deps.network, {
            ...believer.taps,
            // Its honest slices would stand in the way of the wrong ones: one claim for a slice.
            publish: async (topic, bytes, pass) => isWork(topic) && workMessage(bytes)?.selector === WORK_CLAIM ? 0 : await pass(bytes),
            answer: async (peer, protocol, body, pass) => {
              const asked = protocol === PAYLOAD_PROTOCOL ? decode(PayloadRequest, body, 32) : undefined
              return (asked?.ok === true ? payloads.get(toHex(asked.value.digest)) : undefined) ?? await pass(peer, body)
            }
          })
          networks.set(tab, network)
          return { ...deps, compute: states.compute(believer.compute(deps.compute)), network }
        },
        started: tab => {
          if (!members.includes(tab)) members.push(tab)
          const node = tab.node!
          let busy = false
          let forgedFor = ''
          const tryForge = (tip: RoundTip): void => {
            const round = toHex(tip.seal)
            if (busy || forgedFor === round) return
            busy = true
            void forge(tab, states, tip).then(made => { if (made > 0) forgedFor = round }).finally(() => { busy = false })
          }
          node.chain.on('head', () => { for (const tip of node.rounds.tips()) tryForge(tip) })
          node.rounds.onTip(tip => {
            for (const { seal } of tip.pending) {
              for (const c of seal.contributions) {
                const name = toHex(claimId(c))
                if (!forged.has(name) || sealed.has(name)) continue
                sealed.add(name)
                deeds.add('wrong contributions sealed')
              }
            }
            tryForge(tip)
          })
        }
      }
    }
  }
}
