/**
 * Many keys on one device. A fresh key for every block, so that each of its blocks is another member
 * of the committee; and for contributions keys ground until all their slices are drawn, so that every
 * slice it works is one. Claims go out by many names, for each may bring only so many.
 */
import { decode, equalBytes, toHex } from '../../../src/core/codec/ssz.ts'
import { PayloadRequest, WORK_CLAIM, WorkMessage } from '../../../src/core/codec/wire.ts'
import { eligible, randomnessBlock } from '../../../src/core/consensus/draw.ts'
import { hash, u32le } from '../../../src/core/crypto/hash.ts'
import { publicKey } from '../../../src/core/crypto/keys.ts'
import { MAX_CONTRIBUTION_SLICES } from '../../../src/core/params.ts'
import { PAYLOAD_PROTOCOL } from '../../../src/node/payloads.ts'
import { workTopic } from '../../../src/node/workTopics.ts'
import type { Tab } from '../tab.ts'
import { BarePeers } from './barePeers.ts'
import { SideMiner, StateTap } from './sideMiner.ts'
import { Deeds, type Squad } from './squad.ts'
import { submit } from './submit.ts'

/** Keys tried for one whose slices are drawn. */
const TRIES = 16
const NAMES = 4

export interface SybilSquad extends Squad {
  readonly keys: ReadonlyMap<string, Tab>
}

export function sybil (): SybilSquad {
  const deeds = new Deeds()
  const keys = new Map<string, Tab>()

  /** Of some fresh keys the one with the most slices drawn now. */
  const grind = (tab: Tab, serial: number): Uint8Array => {
    const { node } = tab
    const { params } = tab.world
    const head = node!.chain.head()
    const job = node!.rounds.tip(head.ledger.jobs[0].id)!
    const q = randomnessBlock(params, head)
    let best: { readonly seed: Uint8Array, readonly drawn: number } = { seed: new Uint8Array(32), drawn: -1 }
    for (let i = 0; i < TRIES && best.drawn < MAX_CONTRIBUTION_SLICES; i++) {
      const seed = hash('enemy-sybil', tab.minerSeed, u32le(serial), u32le(i))
      const template = { ...head.header.template, job: job.job.id, round: job.round, miner: publicKey(seed) }
      const drawn = Array.from({ length: MAX_CONTRIBUTION_SLICES }, (_, slice) => eligible(params, q, { template, slice })).filter(Boolean).length
      if (drawn > best.drawn) best = { seed, drawn }
    }
    keys.set(toHex(publicKey(best.seed)), tab)
    deeds.add('keys')
    return best.seed
  }

  return {
    name: 'Sybil swarm',
    deeds,
    keys,
    recruit: () => {
      const states = new StateTap()
      const payloads = new Map<string, Uint8Array>()
      return {
        name: 'Sybil swarm',
        ports: deps => ({ ...deps, compute: states.compute(deps.compute) }),
        started: tab => {
          const node = tab.node!
          let serial = 0
          let turn = 0
          const mouths = new BarePeers(tab.world, `sybil ${tab.session!.id}`, NAMES, true, ({ network }) => {
            void network.handle(PAYLOAD_PROTOCOL, { maxRequestBytes: 32, maxResponseBytes: 1 << 20, perPeerPerSecond: 32 }, async (_, body) => {
              const asked = decode(PayloadRequest, body, 32)
              return (asked.ok ? payloads.get(toHex(asked.value.digest)) : undefined) ?? new Uint8Array(0)
            })
          })
          new SideMiner({
            tab,
            states,
            slices: MAX_CONTRIBUTION_SLICES,
            parent: () => node.chain.head(),
            seed: () => grind(tab, serial++),
            won: async block => {
              deeds.add('blocks')
              await submit(tab, block)
            },
            drawn: async (claim, result) => {
              const { round, job } = claim.template
              const tip = node.rounds.tip(job)
              if (tip?.round !== round || !equalBytes(tip.seal, claim.template.seal)) return
              payloads.set(toHex(result.payloadDigest), result.payload)
              deeds.add('claims')
              await mouths.all[turn++ % NAMES].network.publish(workTopic(node.genesisHash, job), WorkMessage.serialize({ selector: WORK_CLAIM, value: claim }))
            }
          }).start()
        }
      }
    }
  }
}
