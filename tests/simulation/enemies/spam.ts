/**
 * Floods: garbage, forged blocks that cost a replay each, claims of fresh keys without payloads,
 * transactions without money, requests faster than allowed and larger than allowed. Each comes from
 * names of its own, which are replaced when they are banned. The tab's own node stays polite: it only
 * tells them what is new.
 */
import { ACTION_TRANSFER, HeadersRequest, SignedTransaction, type Transaction, WORK_CLAIM, WorkMessage } from '../../../src/core/codec/wire.ts'
import { hash, u32le } from '../../../src/core/crypto/hash.ts'
import { claimId, transactionId } from '../../../src/core/crypto/ids.ts'
import { publicKey } from '../../../src/core/crypto/keys.ts'
import { blocksTopic, transactionsTopic } from '../../../src/node/blocksGossip.ts'
import { HEADERS_PROTOCOL } from '../../../src/node/syncServer.ts'
import { workTopic } from '../../../src/node/workTopics.ts'
import type { PeerId } from '../../../src/ports/network.ts'
import { nativeKeyOf } from '../remember.ts'
import type { Tab } from '../tab.ts'
import { BarePeers, type BarePeer } from './barePeers.ts'
import { forgeBlock } from './forge.ts'
import { Deeds, type Squad } from './squad.ts'
import { announcement } from './submit.ts'

const TICK_MS = 1_000
export const KINDS = ['garbage', 'forged blocks', 'claims without payload', 'dust', 'requests', 'oversize requests'] as const
type Kind = typeof KINDS[number]

export interface SpamOptions {
  /** Of each kind, per second and name. */
  readonly perSecond: number
  /** So many of its tabs flood; the others only belong to it. */
  readonly tabs?: number
}

export interface Flood extends Squad {
  /** What each name said. */
  readonly names: ReadonlyMap<PeerId, Kind>
}

export function spam ({ perSecond, tabs = Infinity }: SpamOptions = { perSecond: 10 }): Flood {
  const deeds = new Deeds()
  const names = new Map<PeerId, Kind>()
  const flooding = new Set<Tab>()

  const say = async (kind: Kind, tab: Tab, peer: BarePeer, serial: number): Promise<void> => {
    const node = tab.node
    if (node === undefined) return
    const key = hash('enemy-spam', tab.minerSeed, u32le(serial))
    const head = node.chain.head()
    const chain = node.genesisHash
    const { network } = peer
    switch (kind) {
      case 'garbage': {
        const topic = [blocksTopic(chain), transactionsTopic(chain), workTopic(chain, head.ledger.jobs[0].id)][serial % 3]
        await network.publish(topic, tab.world.random.stream(`garbage ${serial}`).bytes(200))
        break
      }
      case 'forged blocks':
        await network.publish(blocksTopic(chain), announcement(forgeBlock(tab.world.params, head, key, tab.world.now).block))
        break
      case 'claims without payload': {
        const { block: { header } } = forgeBlock(tab.world.params, head, key, tab.world.now)
        const unsigned = { ...header, resultHash: hash('enemy-spam-result', key) }
        await network.publish(workTopic(chain, header.template.job), WorkMessage.serialize({ selector: WORK_CLAIM, value: { ...unsigned, signature: nativeKeyOf(key).sign(claimId(unsigned)) } }))
        break
      }
      case 'dust': {
        const transaction: Transaction = { chain, from: publicKey(key), nonce: 0, fee: tab.world.params.minFee, action: { selector: ACTION_TRANSFER, value: { to: node.payee, amount: 1n } } }
        await network.publish(transactionsTopic(chain), SignedTransaction.serialize({ transaction, signature: nativeKeyOf(key).sign(transactionId(transaction)) }))
        break
      }
      case 'requests':
      case 'oversize requests': {
        const body = kind === 'requests' ? HeadersRequest.serialize({ locator: [chain], count: 128 }) : new Uint8Array(8192)
        for (const to of tab.world.internet.hub.links(peer.id)) network.request(to, HEADERS_PROTOCOL, body, { timeoutMs: 5_000, maxResponseBytes: 1 << 20 }).catch(() => { deeds.add('requests refused') })
        break
      }
      default: kind satisfies never
    }
    deeds.add(kind)
  }

  return {
    name: 'spam',
    deeds,
    names,
    recruit: () => ({
      name: 'spam',
      started: tab => {
        const { world, session } = tab
        flooding.add(tab)
        if ([...flooding].indexOf(tab) >= tabs) return
        const mouths = new BarePeers(world, `spam of ${session!.id}`, KINDS.length, true, () => { deeds.add('names') })
        let serial = 0
        const tick = (): void => {
          if (tab.session !== session) return
          mouths.all.forEach((peer, i) => {
            names.set(peer.id, KINDS[i])
            for (let k = 0; k < perSecond; k++) void say(KINDS[i], tab, peer, serial++)
          })
          world.scheduler.after(TICK_MS, tick)
        }
        tick()
      }
    })
  }
}
