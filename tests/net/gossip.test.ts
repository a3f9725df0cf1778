/** What the adapter makes of a topic's verdicts, at the validators that gossipsub asks. */
import { TopicValidatorResult } from '@libp2p/gossipsub'
import { expect, it } from 'vitest'
import { FORWARDS_PER_PEER_BURST, FORWARDS_SHARED_BURST, MAX_VALIDATIONS_PER_PEER, VALIDATIONS_KEPT_PER_PEER } from '../../src/net/bounds.ts'
import { Gossip, type GossipService } from '../../src/net/gossip.ts'
import { BanList, Penalties } from '../../src/net/peerBook.ts'
import type { Verdict } from '../../src/ports/network.ts'

/** A message of one byte by this neighbour, as gossipsub hands it over. */
function judgedBy (validator: () => Promise<Verdict>): (via: string) => Promise<TopicValidatorResult> {
  const now = (): number => 0
  const service = { topicValidators: new Map(), opts: { scoreParams: { topics: {} } }, subscribe: () => {}, unsubscribe: () => {} }
  const gossip = new Gossip({ service: service as unknown as GossipService, bans: new BanList(now), penalties: new Penalties(now), now, onReject: () => {}, onError: e => { throw e } })
  gossip.subscribe('t', validator)
  return async via => await service.topicValidators.get('t')(via, { type: 'signed', data: Uint8Array.of(1), from: 'origin' })
}

it('passes on so much of what it takes, and of each neighbour a little', async () => {
  let taken = 0
  const say = judgedBy(async () => { taken++; return 'accept' })
  const of = async (via: string, n: number): Promise<number> => {
    let on = 0
    for (let i = 0; i < n; i++) if (await say(via) === TopicValidatorResult.Accept) on++
    return on
  }
  expect(await of('loud', 200)).toBe(FORWARDS_SHARED_BURST + FORWARDS_PER_PEER_BURST)
  expect(await of('quiet', 3)).toBe(3)
  expect(taken).toBe(203)
})

it('judges so much at once, and of each neighbour a little', async () => {
  let judging = 0
  let judged: (v: Verdict) => void = () => {}
  const verdict = new Promise<Verdict>(resolve => { judged = resolve })
  const say = judgedBy(async () => { judging++; return await verdict })
  const all: Array<Promise<unknown>> = []
  for (let s = 0; s < 8; s++) for (let i = 0; i < MAX_VALIDATIONS_PER_PEER; i++) all.push(say(`s${s}`))
  const before = judging
  for (let i = 0; i < MAX_VALIDATIONS_PER_PEER; i++) all.push(say('quiet'))
  expect(judging - before).toBe(VALIDATIONS_KEPT_PER_PEER)
  judged('ignore')
  await Promise.all(all)
})
