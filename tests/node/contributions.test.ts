/** What keeps a place among the contributions to a round, without a world around it. */
import { expect, test } from 'vitest'
import { toHex } from '../../src/core/codec/ssz.ts'
import type { Claim } from '../../src/core/codec/wire.ts'
import type { BlockMeta } from '../../src/core/consensus/chain.ts'
import { claimId } from '../../src/core/crypto/ids.ts'
import { benchmarkJob } from '../../src/core/ledger/state.ts'
import { Contributions, type ContributionsDeps } from '../../src/node/contributions.ts'
import { RingLog } from '../../src/node/log.ts'
import { ChainKit, keyPair } from '../core/chainKit.ts'
import { ManualClock, TestSignatures } from './chainRig.ts'

const kit = new ChainKit()
const { params } = kit
const tip = kit.grown(params.randomnessAgeMax + 10)
const job = benchmarkJob(tip.ledger)
const nothing = (): void => {}
const nameOf = (claim: Claim): string => toHex(claimId(claim))

interface Pool {
  readonly contributions: Contributions
  readonly held: () => string[]
  /** Another head. */
  readonly head: (meta: BlockMeta) => void
}

function pool (): Pool {
  const clock = new ManualClock(1)
  let head = tip
  let onHead: (e: { readonly head: BlockMeta }) => void = nothing
  const round = { job, spec: job.spec, round: job.round, seal: job.seal, stateHash: job.stateHash, anchorHeight: job.sealAnchorHeight, pending: [], since: 0 }
  const deps: Partial<Record<keyof ContributionsDeps, unknown>> = {
    params, clock, log: new RingLog(clock), signatures: new TestSignatures(),
    chain: { head: () => head, on: (_: string, l: typeof onHead) => { onHead = l; return nothing } },
    rounds: { tip: () => round, tips: () => [round], onTip: () => nothing },
    blame: { refuse: nothing, isBannedMiner: () => false }
  }
  const contributions = new Contributions(deps as unknown as ContributionsDeps)
  contributions.start()
  return { contributions, held: () => contributions.pending(job.id).map(c => c.name), head: meta => { head = meta; onHead({ head }) } }
}

test('what no seal can take any more keeps no place, what a seal still can does', () => {
  const { contributions, held, head } = pool()
  const old = kit.contribution(kit.at(tip, tip.height - 1), job, keyPair(9))
  const young = kit.contribution(tip, job, keyPair(9), 1)
  for (const claim of [old, young]) expect(contributions.addOwn(claim)).toBe(true)
  // The anchor lies rhoDelay below the head: to its last block it is as old as may be.
  let last = kit.extend(tip, params.randomnessAgeMax - 1)
  head(last)
  expect(held()).toEqual([nameOf(old), nameOf(young)])
  head(last = kit.extend(last, 1))
  expect(held()).toEqual([nameOf(young)])
  // Its slice is free again.
  expect(contributions.addOwn(kit.contribution(last, job, keyPair(9)))).toBe(true)
})

test('what a reorganisation took the draw from waits for it to come back, until it is too old', () => {
  const { contributions, held, head } = pool()
  const claim = kit.contribution(tip, job, keyPair(9))
  expect(contributions.addOwn(claim)).toBe(true)
  const fork = kit.at(tip, tip.height - params.rhoDelay - 1)
  const other = kit.extend(fork, params.rhoDelay + 2, [keyPair(2)])
  head(other)
  expect(held()).toEqual([nameOf(claim)])
  head(kit.extend(other, params.randomnessAgeMax))
  expect(held()).toEqual([])
})
