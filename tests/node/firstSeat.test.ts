/** A member who offers nothing but his own work, in each round in which he can find an anchor under which he is first. */
import { expect, test } from 'vitest'
import { compareBytes, equalBytes, toHex, ZERO32 } from '../../src/core/codec/ssz.ts'
import { WORK_PROPOSAL } from '../../src/core/codec/wire.ts'
import { ancestor, type BlockMeta } from '../../src/core/consensus/chain.ts'
import { committee } from '../../src/core/consensus/committee.ts'
import { checkContribution } from '../../src/core/consensus/contribution.ts'
import { nextRound } from '../../src/core/consensus/seal.ts'
import { proposalMessage } from '../../src/core/crypto/ids.ts'
import { sign } from '../../src/core/crypto/keys.ts'
import { worked } from '../../src/node/contributions.ts'
import { byLot, committeesAround, isVouched, proposers } from '../../src/node/duties.ts'
import { from, World, type WorkNode, workParams as params } from './workRig.ts'

/** Anchors that a seal of this node's newest round may name, oldest first: the older, the fewer others have looked at it. */
function anchorsOf ({ benchmark, chain, rounds }: WorkNode): BlockMeta[] {
  const head = chain.head()
  const lowest = Math.max(rounds.tip(benchmark)!.anchorHeight, params.committeeBlocks, head.height + 3 - params.anchorAgeMax)
  return Array.from({ length: head.height - lowest + 1 }, (_, i) => ancestor(head, lowest + i)!)
}

/** Offers what is his, once in a round; true if he found a way to be first. */
async function offersHisOwn (m: WorkNode): Promise<boolean> {
  const tip = m.rounds.tip(m.benchmark)!
  for (const anchor of anchorsOf(m)) {
    const first = proposers(committee(params, anchor), anchor, tip.job.id, nextRound(tip.job))[0]
    if (!equalBytes(first, m.keys.key)) continue
    const committees = committeesAround(params, anchor)
    const own = m.contributions.pending(tip.job.id).filter(c => equalBytes(c.claim.template.miner, m.keys.key) &&
      isVouched(committees, c.id, c.claim, [...c.vouches.values()].map(v => v.member), m.records.has(anchor, m.keys.key), 0) &&
      checkContribution(params, m.chain.head(), c.claim, worked(tip), anchor.height) === undefined)
    if (own.length === 0) continue
    own.sort((a, b) => compareBytes(a.id, b.id))
    const draft = { job: tip.job.id, round: nextRound(tip.job), previous: tip.seal, anchor: anchor.hash, contributions: own.map(c => c.claim), stateHash: ZERO32 }
    const next = await m.states.sealState(tip.spec, { seal: draft, signatures: [] })
    if (next.kind !== 'done') return false
    const vouches = own.flatMap(c => [...c.vouches.values()].filter(v => byLot(committees, c.id, c.claim, [v.member]).length > 0).slice(0, 2))
    const unsigned = { seal: { ...draft, stateHash: next.stateHash }, vouches, proposer: m.keys.key, signature: new Uint8Array(64) }
    const value = { ...unsigned, signature: sign(m.keys.seed, proposalMessage(unsigned)) }
    await m.topics.publish({ selector: WORK_PROPOSAL, value })
    await m.sealing.takeProposal(value, from('m'))
    return true
  }
  return false
}

test('who chooses the anchor under which he is first, and offers his own work alone, finds few who sign that', async () => {
  const world = new World()
  const nodes: WorkNode[] = []
  for (const [i, id] of ['a', 'b', 'c', 'm'].entries()) nodes.push(await world.add(id, i + 1))
  const [a, , , m] = nodes
  for (const n of nodes) n.mine(true)
  await world.until('a committee', () => a.chain.head().height >= 10)
  let strikes = 0
  const struck = new Set<string>()
  const strike = async (): Promise<void> => {
    const tip = m.rounds.tip(m.benchmark)!
    const round = `${nextRound(tip.job)}/${toHex(tip.seal)}`
    if (world.clock.now() - tip.since < params.roundMs / 5 || struck.has(round) || !await offersHisOwn(m)) return
    struck.add(round)
    strikes++
  }
  const again = (): void => { world.clock.after(50, () => { void strike(); again() }) }
  again()
  const start = a.chain.head().height
  await world.run(60_000)
  let seals = 0
  let hisAlone = 0
  for (let h = start + 1; h <= a.chain.head().height; h++) {
    for (const { seal } of a.chain.at(h)!.body.seals) {
      seals++
      if (seal.contributions.length > 0 && seal.contributions.every(c => equalBytes(c.template.miner, m.keys.key))) hisAlone++
    }
  }
  await world.stop()
  expect(strikes).toBeGreaterThan(8)
  expect(seals).toBeGreaterThan(12)
  // 29 of 41 before offers were held against what others would have made, 11 of 31 while they were held against it when they came.
  expect(hisAlone * 8).toBeLessThan(seals)
}, 120_000)
