/** The main chain as one tab sees it, block by block, however long it grows: who made what, and who was paid. */
import { toHex } from '../../../src/core/codec/ssz.ts'
import type { BlockRecord } from '../../../src/node/parts.ts'
import type { Node } from '../../../src/node/node.ts'
import { nativeKeyOf } from '../remember.ts'
import type { Tab } from '../tab.ts'
import type { World } from '../world.ts'

export class MainChain {
  /** From height 1 on. */
  readonly records: BlockRecord[] = []
  /** Blocks that were on it and are not any more. */
  orphaned = 0

  follow (node: Node): void {
    node.chain.on('head', ({ removed, added }) => {
      this.orphaned += removed.length
      if (removed.length > 0) this.records.length = removed[0].meta.height - 1
      // A node forgets the bodies of old blocks.
      this.records.push(...added.map(r => ({ ...r })))
    })
  }

  /** Blocks by who made them, in hex. */
  blocksOf (miner: Uint8Array): number {
    const name = toHex(miner)
    return this.records.filter(r => toHex(r.meta.header.template.miner) === name).length
  }

  /** Contributions of one key that the chain has sealed. */
  contributionsOf (miner: Uint8Array): number {
    const name = toHex(miner)
    return this.records.flatMap(r => r.body.seals.flatMap(s => s.seal.contributions)).filter(c => toHex(c.template.miner) === name).length
  }
}

/** Everything that an account owns, ripe or not, grains. */
export function wealth (node: Node, account: Uint8Array): bigint {
  const { ledger } = node.chain.head()
  const name = toHex(account)
  const ripe = ledger.accounts.get(account)?.balance ?? 0n
  return ledger.maturing.filter(m => toHex(m.account) === name).reduce((sum, m) => sum + m.amount, ripe)
}

export const payeeOf = (tab: Tab): Uint8Array => nativeKeyOf(tab.walletSeed).publicKey

/** Compute time x speed spent on slices, of a tab's whole life. */
export function workOf (tab: Tab): number {
  return (tab.work.minedMs + (tab.session?.device.minedMs ?? 0)) * tab.costPerSecond
}

/** Shares of the world's work, of the main chain's blocks and of all credits, by tab. */
export function shares (world: World, chain: MainChain, node: Node): Array<{ readonly tab: Tab, readonly work: number, readonly blocks: number, readonly rewards: number }> {
  const part = (x: number, of: number): number => of === 0 ? 0 : x / of
  const work = world.tabs.map(workOf)
  const blocks = world.tabs.map(t => chain.blocksOf(t.minerKey))
  const rewards = world.tabs.map(t => Number(wealth(node, payeeOf(t))))
  const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0)
  return world.tabs.map((tab, i) => ({ tab, work: part(work[i], sum(work)), blocks: part(blocks[i], chain.records.length), rewards: part(rewards[i], sum(rewards)) }))
}

/** Mean of a 0/1 sequence with dependence, and half of its 95 % interval, by the means of 20 batches. */
export function batchMeans (hits: readonly boolean[], batches = 20): { readonly mean: number, readonly half: number } {
  const size = Math.floor(hits.length / batches)
  const means = Array.from({ length: batches }, (_, b) => hits.slice(b * size, (b + 1) * size).filter(Boolean).length / size)
  const mean = means.reduce((a, b) => a + b, 0) / batches
  const variance = means.reduce((a, b) => a + (b - mean) ** 2, 0) / (batches - 1)
  // Student's t, 19 degrees of freedom.
  return { mean, half: 2.093 * Math.sqrt(variance / batches) }
}
