/**
 * Plays with the times of its blocks: always as far ahead as others take (so that whoever's clock is
 * behind has to wait), further than that (which nobody may take), or always a millisecond younger than
 * the parent (so that the target, which reads the times of single blocks, is moved for everybody).
 */
import { Deeds, type Squad } from './squad.ts'
import { SideMiner, StateTap } from './sideMiner.ts'
import { submit } from './submit.ts'

export type TimeGame = 'ahead' | 'beyond' | 'behind'

/** Less than futureMs by so much, ms: a little more than a way between neighbours takes. */
const EDGE_MS = 20
/** More than futureMs by so much, ms. */
const BEYOND_MS = 120_000

export function timestamps (game: TimeGame = 'behind'): Squad {
  const deeds = new Deeds()
  const name = `timestamps ${game}`
  const ahead = { ahead: -EDGE_MS, beyond: BEYOND_MS }
  return {
    name,
    deeds,
    recruit: () => {
      const states = new StateTap()
      return {
        name,
        ports: deps => ({ ...deps, compute: states.compute(deps.compute) }),
        started: tab => {
          const { node, clock } = tab.session!
          new SideMiner({
            tab,
            states,
            parent: () => node!.chain.head(),
            // 0 is older than any parent: the least that is allowed is taken instead.
            timeMs: () => game === 'behind' ? 0 : clock.now() + tab.world.params.futureMs + ahead[game],
            won: async block => {
              deeds.add(`blocks dated ${game}`)
              await submit(tab, block)
            }
          }).start()
        }
      }
    }
  }
}
