/** What the adapter makes of a topic's verdicts, at the validators that gossipsub asks. */
import { TopicValidatorResult } from '@libp2p/gossipsub'
import type { RPC } from '@libp2p/gossipsub/message'
import { expect, it } from 'vitest'
import { toHex } from '../../src/core/codec/ssz.ts'
import { DISCONNECT_SCORE, FORWARDS_BURST, FORWARDS_PER_PEER_BURST, FORWARDS_PER_SECOND, FORWARDS_SHARED_BURST, GOSSIP_BURST, GOSSIP_HISTORY_SECONDS, GOSSIP_PER_PEER_PER_SECOND, MAX_VALIDATIONS_PER_PEER, PACKETS_BURST, UNCHECKED_SHARE, VALIDATIONS_KEPT_PER_PEER } from '../../src/net/bounds.ts'
import { Gossip, type GossipService } from '../../src/net/gossip.ts'
import { BanList, Penalties } from '../../src/net/peerBook.ts'
import type { Verdict } from '../../src/ports/network.ts'

/** A message of one byte by this neighbour, as gossipsub hands it over. */
function judgedBy (validator: () => Promise<Verdict>): (via: string) => Promise<TopicValidatorResult> {
  const now = (): number => 0
  const service = { topicValidators: new Map(), opts: { scoreParams: { topics: {} } }, subscribe: () => {}, unsubscribe: () => {}, handleReceivedRpc: async () => {} }
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

/** A packet of so many messages, and how many of them the service is given to verify. */
function packets () {
  let at = 0
  let serial = 0
  const now = (): number => at
  const known = new Map<string, string>()
  const penalties = new Penalties(now)
  const bans = new BanList(now)
  let verified = 0
  let given = 0
  const idOf = (m: RPC.Message): string => toHex(m.signature!)
  const service = {
    topicValidators: new Map(), opts: { scoreParams: { topics: {} } }, subscribe: () => {}, unsubscribe: () => {},
    fastMsgIdCache: known,
    handleReceivedRpc: async (_: unknown, rpc: RPC) => {
      given += rpc.messages.length
      for (const m of rpc.messages) {
        if (known.has(idOf(m))) continue
        verified++
        if (m.data?.[0] !== 0) known.set(idOf(m), 'name')
      }
    }
  }
  const gossip = new Gossip({
    service: service as unknown as GossipService, bans, penalties, now,
    onReject: via => { if (penalties.score(via) <= DISCONNECT_SCORE) bans.ban(via, 'score') },
    onError: e => { throw e }
  })
  gossip.subscribe('t', async () => 'accept')
  const from = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20, ...new Uint8Array(32))
  const message = (o: Partial<RPC.Message> = {}): RPC.Message => {
    const signature = new Uint8Array(64)
    new DataView(signature.buffer).setUint32(0, serial++)
    return { from, key: from.slice(2), signature, topic: 't', data: Uint8Array.of(1), ...o }
  }
  return {
    message,
    many: (n: number, o: Partial<RPC.Message> = {}) => Array.from({ length: n }, () => message(o)),
    say: async (via: string, messages: RPC.Message[]) => { await service.handleReceivedRpc(via, { subscriptions: [], messages }) },
    after: (ms: number) => { at += ms },
    isBanned: (via: string) => bans.has(via),
    owed: (via: string) => 0 - penalties.score(via),
    verified: () => verified,
    given: () => given
  }
}

const secp256k1 = { from: Uint8Array.of(0x00, 0x25, 0x08, 0x02, 0x12, 0x21, ...new Uint8Array(33)), key: undefined }
const rsa = { from: Uint8Array.of(0x12, 0x20, ...new Uint8Array(32)), key: new Uint8Array(300) }
/** What is said, and how many of it are verified at most: per name, however much it says. */
const FLOODS: ReadonlyArray<readonly [string, (p: ReturnType<typeof packets>) => RPC.Message[], number]> = [
  ['one message on a topic that nobody follows', p => new Array<RPC.Message>(5_000).fill(p.message({ topic: 'nobody' })), 0],
  ['new messages on topics that nobody follows', p => p.many(5_000, { topic: 'nobody' }), 0],
  ['one message on a topic that is followed', p => new Array<RPC.Message>(5_000).fill(p.message()), 1],
  ['one whose signature is wrong', p => new Array<RPC.Message>(5_000).fill(p.message({ data: Uint8Array.of(0) })), GOSSIP_BURST],
  ['new ones on a topic that is followed', p => p.many(5_000), GOSSIP_BURST],
  ['signed with secp256k1', p => p.many(5_000, secp256k1), 0],
  ['signed with RSA', p => p.many(5_000, rsa), 0],
  ['named by one key and signed by another', p => p.many(5_000, { key: new Uint8Array(36) }), 0],
  ['a signature of another length', p => p.many(5_000, { signature: new Uint8Array(72) }), 0]
]
it.each(FLOODS)('a flood ends in a ban before it is verified: %s', async (_, flood, most) => {
  const p = packets()
  // The first of one message that is repeated in many packets is known by then.
  const all = flood(p)
  await p.say('loud', all.slice(0, 1))
  await p.say('loud', all)
  expect(p.isBanned('loud')).toBe(true)
  expect(p.verified()).toBeLessThanOrEqual(most)
  const before = p.given()
  await p.say('loud', all)
  expect(p.given()).toBe(before)
  await p.say('quiet', p.many(GOSSIP_BURST))
  expect(p.isBanned('quiet')).toBe(false)
})

it('packets without any message are counted, more of them than an honest neighbour has any reason for', async () => {
  const p = packets()
  for (let i = 0; i < PACKETS_BURST; i++) await p.say('empty', [])
  expect(p.owed('empty')).toBe(0)
  for (let i = 0; i < -DISCONNECT_SCORE; i++) await p.say('empty', [])
  expect(p.isBanned('empty')).toBe(true)
})

it('a neighbour that passes on all it may, and gives what we missed as often as we ask, is within its bounds', async () => {
  const p = packets()
  const missed = p.many(FORWARDS_BURST + GOSSIP_HISTORY_SECONDS * FORWARDS_PER_SECOND)
  // A slow line: in each of the next seconds it is asked again, and says so much that is new, a fifth of it its own.
  for (let second = 0; second < 60; second++) {
    if (second < GOSSIP_HISTORY_SECONDS) await p.say('honest', missed)
    for (const m of p.many(GOSSIP_PER_PEER_PER_SECOND)) {
      await p.say('honest', [m])
      p.after(1_000 / GOSSIP_PER_PEER_PER_SECOND)
    }
  }
  expect(p.owed('honest')).toBe(0)
  expect(p.verified()).toBe(missed.length + 60 * GOSSIP_PER_PEER_PER_SECOND)
})

it('copies of what is known cost a share, also when all neighbours bring them at once', async () => {
  const p = packets()
  const all = p.many(GOSSIP_BURST)
  for (const via of ['a', 'b', 'c', 'd']) await p.say(via, all)
  expect(p.verified()).toBe(GOSSIP_BURST)
  expect(p.owed('a') + p.owed('b')).toBe(0)
  for (let i = 1; i < 1 / UNCHECKED_SHARE; i++) await p.say('b', all)
  expect(p.owed('b')).toBe(0)
  await p.say('b', all.slice(0, 1))
  expect(p.owed('b')).toBe(1)
})
