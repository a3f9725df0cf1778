/**
 * Keys of one owner that pay one another for bytes that never moved: each sets aside, signs for the
 * others as much as a receipt can say, of several torrents, and hands in what the others signed, more than once.
 */
import { hash, u32le } from '../../../src/core/crypto/hash.ts'
import { ACTION_REDEEM, ACTION_SET_ASIDE, type RedeemedReceipt } from '../../../src/core/codec/wire.ts'
import { receiptMessage } from '../../../src/core/crypto/ids.ts'
import { sign } from '../../../src/core/crypto/keys.ts'
import { epochAt } from '../../../src/core/ledger/seeding.ts'
import type { Tab } from '../tab.ts'
import { payeeOf } from './mainChain.ts'
import { Deeds, type Squad } from './squad.ts'

/** Grains per key and epoch. */
const ASIDE = 2_000_000n
const TORRENTS = 3
const MIB = 1024 * 1024

export function selfPay (): Squad {
  const deeds = new Deeds()
  const members: Tab[] = []

  const receiptsFor = (tab: Tab, chain: Uint8Array, epoch: number): RedeemedReceipt[] => members.filter(m => m !== tab).flatMap(friend =>
    Array.from({ length: TORRENTS }, (_, i) => {
      const infoHash = hash('enemy-torrent', u32le(i)).subarray(0, 20)
      const said = { chain, from: payeeOf(friend), to: payeeOf(tab), infoHash, epoch, bytes: (i === 0 ? 300 : 1_000_000) * MIB }
      return { from: said.from, infoHash, bytes: said.bytes, signature: sign(friend.walletSeed, receiptMessage(said)) }
    }))

  const act = async (tab: Tab): Promise<void> => {
    const { node } = tab
    if (node === undefined) return
    const { params } = tab.world
    const head = node.chain.head()
    const epoch = epochAt(head.height + 1, params.epochBlocks)
    const aside = await node.wallet.submit({ selector: ACTION_SET_ASIDE, value: { grains: ASIDE } }, params.minFee)
    if (aside.ok) deeds.add('set aside')
    if (epoch === 0) return
    const receipts = receiptsFor(tab, node.genesisHash, epoch - 1)
    // All at once, then one by one: whichever the ledger takes.
    for (const some of [receipts, ...receipts.map(r => [r])]) {
      const outcome = await node.wallet.submit({ selector: ACTION_REDEEM, value: { epoch: epoch - 1, receipts: some } }, params.minFee)
      deeds.add(outcome.ok ? 'redemptions sent' : 'redemptions refused')
    }
  }

  return {
    name: 'self-pay',
    deeds,
    recruit: () => ({
      name: 'self-pay',
      started: tab => {
        if (!members.includes(tab)) members.push(tab)
        let busy = false
        tab.node!.chain.on('head', () => {
          if (busy) return
          busy = true
          void act(tab).finally(() => { busy = false })
        })
      }
    })
  }
}
