/** Finds blocks and never publishes them: it burns its own pay to slow the others down and to steer the draws. */
import { toHex } from '../../../src/core/codec/ssz.ts'
import { claimId, ticket } from '../../../src/core/crypto/ids.ts'
import { ticketWins } from '../../../src/core/consensus/target.ts'
import { type Claim, WORK_CLAIM } from '../../../src/core/codec/wire.ts'
import { sliceCost } from '../../../src/core/training/cost.ts'
import type { Tab } from '../tab.ts'
import { curtainTaps } from './curtain.ts'
import { Deeds, type Squad } from './squad.ts'
import { headerOf, isBlocks, isWork, TappedNetwork, workMessage } from './tap.ts'

/** A contribution whose ticket wins is a block's header: to announce the one is to show the other. */
export function isWinner (tab: Tab, claim: Claim): boolean {
  return ticketWins(claim.template.target, sliceCost(tab.world.spec), ticket(claim))
}

export function withholdBlocks (): Squad {
  const deeds = new Deeds()
  return {
    name: 'block withholding',
    deeds,
    recruit: () => {
      const hidden = new Set<string>()
      return {
        name: 'block withholding',
        ports: (deps, tab) => ({
          ...deps,
          network: new TappedNetwork(deps.network, {
            ...curtainTaps({ isHidden: hash => hidden.has(toHex(hash)), isFriend: () => false, head: () => tab.node?.chain.head() }),
            publish: async (topic, bytes, pass) => {
              const header = isBlocks(topic) ? headerOf(bytes) : undefined
              if (header !== undefined) {
                const name = toHex(claimId(header))
                if (!hidden.has(name)) deeds.add('blocks withheld')
                hidden.add(name)
                return 0
              }
              const work = isWork(topic) ? workMessage(bytes) : undefined
              return work?.selector === WORK_CLAIM && isWinner(tab, work.value as Claim) ? 0 : await pass(bytes)
            }
          })
        })
      }
    }
  }
}
