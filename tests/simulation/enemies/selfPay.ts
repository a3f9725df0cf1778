/**
 * Keys of one owner that pay one another for bytes that never moved: each sets aside, signs for the
 * others as much as a receipt can say, of several torrents, and hands in what the others signed, more than once.
 */
import { hash, u32le } from '../../../src/core/crypto/hash.ts'
import { ACTION_REDEEM, ACTION_SET_ASIDE, type RedeemedReceipt } from '../../../src/core/codec/wire.ts'
import { toHex } from '../../../src/core/codec/ssz.ts'
import { receiptMessage } from '../../../src/core/crypto/ids.ts'
import { epochAt } from '../../../src/core/ledger/seeding.ts'
import { nativeKeyOf } from '../remember.ts'
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
  /** One pair's receipts of an epoch say the same at each of its blocks. */
  const signed = new Map<string, RedeemedReceipt>()
  let signedFor = 0

  const receipt = (friend: Tab, tab: Tab, chain: Uint8Array, epoch: number, i: number): RedeemedReceipt => {
    const from = payeeOf(friend)
    const to = payeeOf(tab)
    const name = `${toHex(from)} ${toHex(to)} ${epoch} ${i}`
    let known = signed.get(name)
    if (known === undefined) {
      const infoHash = hash('enemy-torrent', u32le(i)).subarray(0, 20)
      const bytes = (i === 0 ? 300 : 1_000_000) * MIB
      signed.set(name, known = { from, infoHash, bytes, signature: nativeKeyOf(friend.walletSeed).sign(receiptMessage({ chain, from, to, infoHash, epoch, bytes })) })
    }
    return known
  }

  const receiptsFor = (tab: Tab, chain: Uint8Array, epoch: number): RedeemedReceipt[] => {
    if (epoch > signedFor) {
      signed.clear()
      signedFor = epoch
    }
    return members.filter(m => m !== tab).flatMap(friend => Array.from({ length: TORRENTS }, (_, i) => receipt(friend, tab, chain, epoch, i)))
  }

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
