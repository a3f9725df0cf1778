/**
 * A miner that has earned a record spends it: blocks in its own name on results that nobody computed,
 * which others pass on before they redo them. Each of its mouths says another one, all at once, at
 * every new head, also when it has long been caught.
 */
import { blocksTopic } from '../../../src/node/blocksGossip.ts'
import { toHex } from '../../../src/core/codec/ssz.ts'
import { claimId } from '../../../src/core/crypto/ids.ts'
import { Records } from '../../../src/node/records.ts'
import { BarePeers } from './barePeers.ts'
import { forgeBlock } from './forge.ts'
import { Deeds, type Squad } from './squad.ts'
import { announcement } from './submit.ts'

const MOUTHS = 3

export interface Spender extends Squad {
  /** Blocks it forged. */
  readonly forged: ReadonlySet<string>
}

export function credit (): Spender {
  const deeds = new Deeds()
  const forged = new Set<string>()
  return {
    name: 'credit',
    deeds,
    forged,
    recruit: () => ({
      name: 'credit',
      started: tab => {
        const { world, session } = tab
        const node = tab.node!
        const mouths = new BarePeers(world, `credit of ${session!.id}`, MOUTHS, true, () => { deeds.add('names') })
        const records = new Records(world.params, node.chain)
        node.chain.on('head', ({ head }) => {
          if (tab.session !== session || records.standing(head, tab.minerKey) !== true) return
          mouths.all.forEach(({ network }, i) => {
            const { block } = forgeBlock(world.params, head, tab.minerSeed, world.now + i)
            forged.add(toHex(claimId(block.header)))
            deeds.add('blocks forged on credit')
            network.publish(blocksTopic(node.genesisHash), announcement(block)).catch(() => { deeds.add('said to nobody') })
          })
        })
      }
    })
  }
}
