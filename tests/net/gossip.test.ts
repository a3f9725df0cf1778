/** What the adapter makes of a topic's verdicts, at the validators that gossipsub asks. */
import { TopicValidatorResult } from '@libp2p/gossipsub'
import { expect, it } from 'vitest'
import { FORWARDS_PER_PEER_BURST, FORWARDS_SHARED_BURST } from '../../src/net/bounds.ts'
import { Gossip, type GossipService } from '../../src/net/gossip.ts'
import { BanList, Penalties } from '../../src/net/peerBook.ts'

it('passes on so much of what it takes, and of each neighbour a little', async () => {
  const now = (): number => 0
  const service = { topicValidators: new Map(), opts: { scoreParams: { topics: {} } }, subscribe: () => {}, unsubscribe: () => {} }
  const gossip = new Gossip({ service: service as unknown as GossipService, bans: new BanList(now), penalties: new Penalties(now), now, onReject: () => {}, onError: e => { throw e } })
  let taken = 0
  gossip.subscribe('t', async () => { taken++; return 'accept' })
  const say = async (via: string): Promise<TopicValidatorResult> => await service.topicValidators.get('t')(via, { type: 'signed', data: Uint8Array.of(1), from: 'origin' })
  const of = async (via: string, n: number): Promise<number> => {
    let on = 0
    for (let i = 0; i < n; i++) if (await say(via) === TopicValidatorResult.Accept) on++
    return on
  }
  expect(await of('loud', 200)).toBe(FORWARDS_SHARED_BURST + FORWARDS_PER_PEER_BURST)
  expect(await of('quiet', 3)).toBe(3)
  expect(taken).toBe(203)
})
