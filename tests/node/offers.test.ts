/** With whose offers and work a member has nothing to do, what it takes into its own, and how many of others it keeps. */
import { describe, expect, test } from 'vitest'
import { compareBytes, toHex } from '../../src/core/codec/ssz.ts'
import type { Claim } from '../../src/core/codec/wire.ts'
import { committee } from '../../src/core/consensus/committee.ts'
import { claimId, sealHash } from '../../src/core/crypto/ids.ts'
import { MAX_CONTRIBUTION_SLICES, MAX_CONTRIBUTIONS_PER_SEAL } from '../../src/core/params.ts'
import { AHEAD_MS, type Taken } from '../../src/node/contributions.ts'
import { keyPair } from '../core/chainKit.ts'
import { anchor, candidateOf, claimOf, from, job, kit, type Made, members, offer, pairOf, placed, sealing, SETTLE_MS, START_MS, tip, tipSince, vote } from './sealingRig.ts'

const { roundMs } = kit.params
const namesOf = (claims: readonly Claim[]): string[] => claims.map(c => toHex(claimId(c)))
const nameOf = ({ seal }: ReturnType<typeof offer>): string => toHex(sealHash(seal))
/** What it offers when its turn has come. */
async function offered ({ clock, judge, offers, sealing: s }: Made): Promise<string[][]> {
  judge(async () => 'right')
  for (let turn = 0; turn < members.length && offers.length === 0; turn++) {
    await s.step(tipSince(0), anchor, members)
    await clock.advance(roundMs)
  }
  return offers.map(o => namesOf(o.seal.contributions))
}

describe('a miner who cheated, known as such here', () => {
  const [proposer, me] = [placed(0), placed(2)]
  const cheater = keyPair(9)

  test('proposes to nobody, nor do copies of what he said before go on', async () => {
    const { ban, clock, sealing: s } = sealing(me)
    const ignored = { verdict: 'ignore', reason: 'of a proposer who cheated' }
    expect(await s.takeProposal(offer(proposer, 0), from)).toEqual({ verdict: 'accept' })
    ban(proposer)
    expect(await s.takeProposal(offer(proposer, 1), from)).toEqual(ignored)
    await clock.advance(roundMs)
    expect(await s.takeProposal(offer(proposer, 0), from)).toEqual(ignored)
  })

  test('has his work in no offer made here', async () => {
    const pending = [0, 1].map(n => candidateOf(claimOf(n), 0))
    const made = sealing(proposer, { pending })
    made.ban(cheater)
    expect(await offered(made)).toEqual([namesOf([claimOf(1)])])
    const alone = sealing(proposer, { pending: pending.slice(0, 1) })
    alone.ban(cheater)
    expect(await offered(alone)).toEqual([])
  })

  test('has no seal signed that pays him, though all have vouched for it; the same without his work is', async () => {
    const made = sealing(me, { since: START_MS - roundMs })
    made.judge(async () => 'right')
    made.ban(cheater)
    const { clock, sealing: s, votes } = made
    const [his, next] = [offer(proposer, [0, 1]), offer(placed(1), 1)]
    expect(await s.takeProposal(his, from)).toEqual({ verdict: 'accept' })
    for (const place of [0, 1]) await s.takeVote(vote(placed(place), his), from)
    await clock.advance(roundMs)
    await s.step(tipSince(START_MS - roundMs), anchor, members)
    await clock.advance(SETTLE_MS)
    expect(votes).toEqual([])
    expect(await s.takeProposal(next, from)).toEqual({ verdict: 'accept' })
    await clock.advance(SETTLE_MS)
    expect(votes).toEqual([nameOf(next)])
  })
})

test('where more is pending than a seal takes, each miner\'s first slices go before anyone\'s later ones', async () => {
  const miners = Math.floor(MAX_CONTRIBUTIONS_PER_SEAL / MAX_CONTRIBUTION_SLICES) + 1
  // One miner after another says all of his.
  const claims = Array.from({ length: miners }, (_, m) => Array.from({ length: MAX_CONTRIBUTION_SLICES }, (_, slice) => kit.contribution(tip, job, keyPair(9 + m), slice))).flat()
  const last = MAX_CONTRIBUTIONS_PER_SEAL - miners * (MAX_CONTRIBUTION_SLICES - 1)
  const taken = claims.filter((c, i) => c.slice < MAX_CONTRIBUTION_SLICES - 1 || i < last * MAX_CONTRIBUTION_SLICES)
  expect(taken).toHaveLength(MAX_CONTRIBUTIONS_PER_SEAL)
  const made = sealing(placed(0), { pending: claims.map((claim, i) => candidateOf(claim, i)) })
  expect(await offered(made)).toEqual([namesOf(taken.sort((a, b) => compareBytes(claimId(a), claimId(b))))])
})

test('of one job no more than 24 offers are kept: one of a newer committee takes the place of the oldest that fewest have signed', async () => {
  // A committee of strangers with every four blocks.
  const head = kit.extend(tip, 10, Array.from({ length: 9 }, (_, i) => keyPair(4 + i)))
  const at = (height: number) => kit.at(head, tip.height + height)
  const made = sealing(keyPair(19), { head })
  const { sealing: s } = made
  const say = async (by: number, n: number, height: number): Promise<Taken> => {
    const on = at(height)
    expect(committee(kit.params, on).map(pairOf)).toContain(keyPair(by))
    return await s.takeProposal(offer(keyPair(by), n, [], on), from)
  }
  const older = [4, 5, 6, 7].flatMap(by => [0, 1, 2].map(n => ({ by, n: 3 * by + n })))
  for (const { by, n } of older) expect(await say(by, n, 4)).toEqual({ verdict: 'accept' })
  for (const by of [8, 9, 10, 11]) for (const n of [0, 1, 2]) expect(await say(by, 3 * by + n, 8)).toEqual({ verdict: 'accept' })
  // All have a vote but one.
  const lone = older[7]
  for (const { by, n } of older) {
    if (by === lone.by && n === lone.n) continue
    const signed = offer(keyPair(by), n, [], at(4))
    expect(await s.takeVote(vote(keyPair(by === 4 ? 5 : 4), signed), from)).toEqual({ verdict: 'accept' })
  }
  const full = { verdict: 'ignore', reason: 'too many proposals' }
  const elder = pairOf(committee(kit.params, at(3)).find(key => !committee(kit.params, at(4)).includes(key))!)
  expect(await s.takeProposal(offer(elder, 50, [], at(3)), from)).toEqual(full)
  expect(await say(12, 51, 9)).toEqual({ verdict: 'accept' })
  // The one without is gone, and finds no place any more; the others are where they were.
  expect(await say(lone.by, lone.n, 4)).toEqual(full)
  for (const { by, n } of older) if (by !== lone.by || n !== lone.n) expect(await say(by, n, 4)).toEqual({ verdict: 'ignore', reason: 'offered already' })
})

test('an offer for a round that is three ahead is waited for, for one that is four ahead it is not', async () => {
  const { clock, sealing: s } = sealing(keyPair(19))
  const p = offer(placed(0), 0)
  const reasons: Array<[number, string | undefined]> = []
  for (const ahead of [3, 4]) void s.takeProposal({ ...p, seal: { ...p.seal, round: job.round + ahead } }, from).then(({ reason }) => { reasons.push([ahead, reason]) })
  for (let i = 0; i < 20; i++) await Promise.resolve()
  expect(reasons).toEqual([[4, 'round from the future']])
  await clock.advance(AHEAD_MS)
  expect(reasons).toEqual([[4, 'round from the future'], [3, 'proposal for another round']])
})
