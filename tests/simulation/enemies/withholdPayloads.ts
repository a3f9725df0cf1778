/** Claims without what stands behind them: contributions and blocks are announced, their payloads never served. */
import { WORK_CLAIM } from '../../../src/core/codec/wire.ts'
import { PAYLOAD_PROTOCOL } from '../../../src/node/payloads.ts'
import { Deeds, type Squad } from './squad.ts'
import { isWork, TappedNetwork, workMessage } from './tap.ts'

export function withholdPayloads (): Squad {
  const deeds = new Deeds()
  return {
    name: 'payload withholding',
    deeds,
    recruit: () => ({
      name: 'payload withholding',
      ports: deps => ({
        ...deps,
        network: new TappedNetwork(deps.network, {
          publish: async (topic, bytes, pass) => {
            if (isWork(topic) && workMessage(bytes)?.selector === WORK_CLAIM) deeds.add('claims announced')
            return await pass(bytes)
          },
          answer: async (peer, protocol, body, pass) => {
            if (protocol !== PAYLOAD_PROTOCOL) return await pass(peer, body)
            deeds.add('payloads withheld')
            return new Uint8Array(0)
          }
        })
      })
    })
  }
}
