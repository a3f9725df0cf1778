/**
 * Takes and gives nothing: no body, header, state or payload of others is served, no contribution of
 * others replayed and vouched for, no seal voted on. Its own payloads it serves, to be paid for them.
 */
import { decode, toHex } from '../../../src/core/codec/ssz.ts'
import { PayloadRequest, WORK_CHALLENGE, WORK_CLAIM, WORK_PROPOSAL, WORK_VOTE, WORK_VOUCH } from '../../../src/core/codec/wire.ts'
import { DATA_PROTOCOL } from '../../../src/node/datasets.ts'
import { PAYLOAD_PROTOCOL } from '../../../src/node/payloads.ts'
import { STATE_PROTOCOL } from '../../../src/node/stateChunks.ts'
import { STATES_PROTOCOL } from '../../../src/node/states.ts'
import { BODIES_PROTOCOL, HEADERS_PROTOCOL } from '../../../src/node/syncServer.ts'
import { TORRENTS_PROTOCOL } from '../../../src/node/torrentShelf.ts'
import { Deeds, type Squad } from './squad.ts'
import { isWork, TappedNetwork, tappedCompute, workMessage } from './tap.ts'

const REFUSED: ReadonlySet<string> = new Set([BODIES_PROTOCOL, HEADERS_PROTOCOL, STATE_PROTOCOL, STATES_PROTOCOL, DATA_PROTOCOL, TORRENTS_PROTOCOL])
const DUTIES: ReadonlySet<number> = new Set([WORK_VOUCH, WORK_PROPOSAL, WORK_VOTE, WORK_CHALLENGE])

export function freeRiding (): Squad {
  const deeds = new Deeds()
  return {
    name: 'free riding',
    deeds,
    recruit: () => {
      const own = new Set<string>()
      return {
        name: 'free riding',
        ports: deps => ({
          ...deps,
          compute: tappedCompute(deps.compute, async (task, priority) => {
            const result = await deps.compute.runSlice(task, priority)
            if (priority === 'slice') own.add(toHex(result.payloadDigest))
            return result
          }),
          network: new TappedNetwork(deps.network, {
            publish: async (topic, bytes, pass) => {
              const selector = isWork(topic) ? workMessage(bytes)?.selector : undefined
              if (selector === undefined || selector === WORK_CLAIM || !DUTIES.has(selector)) return await pass(bytes)
              deeds.add('duties left undone')
              return 0
            },
            // What others said is heard, and not passed on.
            heard: async (m, pass) => {
              const verdict = await pass(m)
              if (verdict === 'accept' || verdict === 'welcome') deeds.add('messages not passed on')
              return verdict === 'accept' || verdict === 'welcome' ? 'ignore' : verdict
            },
            answer: async (peer, protocol, body, pass) => {
              const asked = protocol === PAYLOAD_PROTOCOL ? decode(PayloadRequest, body, 32) : undefined
              const refuse = REFUSED.has(protocol) || (asked?.ok === true && !own.has(toHex(asked.value.digest)))
              if (!refuse) return await pass(peer, body)
              deeds.add('requests left unanswered')
              return new Uint8Array(0)
            }
          })
        })
      }
    }
  }
}
