/** A block that an enemy made beside its node: into its node, and out to all as a node would send it. */
import { type Block, Claim } from '../../../src/core/codec/wire.ts'
import { blocksTopic, MAX_GOSSIP_BLOCK_BYTES } from '../../../src/node/blocksGossip.ts'
import type { Tab } from '../tab.ts'
import { blockMessage } from './tap.ts'

export function announcement (block: Block): Uint8Array {
  const whole = blockMessage(block)
  if (whole.length <= MAX_GOSSIP_BLOCK_BYTES) return whole
  const header = Claim.serialize(block.header)
  const out = new Uint8Array(1 + header.length)
  out[0] = 1
  out.set(header, 1)
  return out
}

export async function submit (tab: Tab, block: Block): Promise<void> {
  const { session } = tab
  if (session?.node === undefined) return
  await session.node.chain.submitOwn(block)
  await session.network.publish(blocksTopic(session.node.genesisHash), announcement(block))
}
