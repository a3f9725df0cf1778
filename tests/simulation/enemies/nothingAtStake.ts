/** Mines on every fork it knows of in turn, instead of on the best: whichever wins, it may have a block on it. */
import { toHex } from '../../../src/core/codec/ssz.ts'
import type { BlockMeta } from '../../../src/core/consensus/chain.ts'
import { claimId } from '../../../src/core/crypto/ids.ts'
import { Deeds, type Squad } from './squad.ts'
import { SideMiner, StateTap } from './sideMiner.ts'
import { submit } from './submit.ts'
import { headerOf, isBlocks, TappedNetwork } from './tap.ts'

/** A tip this far below the head may still be overtaken. */
const DEPTH = 1

export function nothingAtStake (): Squad {
  const deeds = new Deeds()
  return {
    name: 'nothing at stake',
    deeds,
    recruit: () => {
      const states = new StateTap()
      /** Newest blocks heard of: hash and height. */
      const heard = new Map<string, { readonly hash: Uint8Array, readonly height: number }>()
      const note = (hash: Uint8Array, height: number): void => {
        heard.set(toHex(hash), { hash, height })
        if (heard.size > 64) heard.delete(heard.keys().next().value as string)
      }
      let turn = 0
      return {
        name: 'nothing at stake',
        ports: deps => ({
          ...deps,
          compute: states.compute(deps.compute),
          network: new TappedNetwork(deps.network, {
            heard: async (m, pass) => {
              const header = isBlocks(m.topic) ? headerOf(m.bytes) : undefined
              if (header !== undefined) note(claimId(header), header.template.height)
              return await pass(m)
            }
          })
        }),
        started: tab => {
          const node = tab.node!
          const tips = (): BlockMeta[] => {
            const head = node.chain.head()
            const near = [...heard.values()].filter(b => b.height >= head.height - DEPTH && !node.chain.isMain(b.hash)).flatMap(b => node.chain.meta(b.hash) ?? [])
            const parents = new Set(near.map(m => toHex(m.header.template.parent)))
            return [head, ...near.filter(m => !parents.has(toHex(m.hash)))]
          }
          new SideMiner({
            tab,
            states,
            // Another tip for every slice.
            parent: () => {
              const all = tips()
              const chosen = all[turn++ % all.length]
              if (chosen !== all[0]) deeds.add('turns on other forks')
              return chosen
            },
            won: async block => {
              note(claimId(block.header), block.header.template.height)
              deeds.add(node.chain.isMain(block.header.template.parent) && block.header.template.height > node.chain.head().height ? 'blocks on the best chain' : 'blocks on other forks')
              await submit(tab, block)
            }
          }).start()
        }
      }
    }
  }
}
