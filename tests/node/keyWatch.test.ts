/** A key that is at work in two places is noticed; a key that is at work in one is not. */
import { describe, expect, test } from 'vitest'
import type { Claim } from '../../src/core/codec/wire.ts'
import type { BlockMeta } from '../../src/core/consensus/chain.ts'
import { claimId } from '../../src/core/crypto/ids.ts'
import { sign } from '../../src/core/crypto/keys.ts'
import { benchmarkJob } from '../../src/core/ledger/state.ts'
import { Contributions, type ContributionsDeps } from '../../src/node/contributions.ts'
import { ELSEWHERE_MS, KeyWatch } from '../../src/node/keyWatch.ts'
import { RingLog } from '../../src/node/log.ts'
import type { BlockRecord, ChainEvents } from '../../src/node/parts.ts'
import { MemoryFamily, MemorySiblings } from '../../src/storage/memorySiblings.ts'
import { ChainKit, type KeyPair, keyPair } from '../core/chainKit.ts'
import { kitTime, ManualClock, settle, TestSignatures } from './chainRig.ts'

const kit = new ChainKit()
const tip = kit.grown(30)
const job = benchmarkJob(tip.ledger)
const [me, other] = [1, 2].map(keyPair)
/** The network is here when the tab comes to be in step, which was loaded two blocks' time before. */
const joined = kit.at(tip, tip.height - 4)
const LOADED = joined.header.template.time - kit.params.futureMs - 1

interface Bench {
  readonly watch: KeyWatch
  readonly clock: ManualClock
  readonly log: RingLog
  inStep: boolean
  readonly head: (to: BlockMeta, added?: ReadonlyArray<Pick<BlockRecord, 'meta' | 'checked'>>) => void
}

function bench (inStep = true, loaded = LOADED, family = new MemoryFamily()): Bench {
  const clock = new ManualClock(loaded)
  const log = new RingLog(clock)
  let head = joined
  let onHead: ChainEvents['head'] = () => {}
  const chain = { head: () => head, on: <K extends keyof ChainEvents>(_: K, l: ChainEvents[K]) => { onHead = l; return () => {} } }
  const b: Bench = {
    clock, log, inStep,
    watch: new KeyWatch({ params: kit.params, key: { publicKey: me.key, sign: m => sign(me.seed, m) }, chain, inStep: () => b.inStep, siblings: new MemorySiblings(family), clock, log }),
    head: (to, added = []) => { head = to; onHead({ head: to, removed: [], added: added as BlockRecord[] }) }
  }
  b.watch.start()
  b.head(joined)
  return b
}

const claim = (by: KeyPair, on: BlockMeta = tip): Claim => kit.contribution(on, job, by)
const warnings = (b: Bench): string[] => b.log.entries(20).filter(e => e.level === 'warn').map(e => e.text)

test('a claim under the own key that was not made here is a sign of it, is told at once, and is forgotten in a while', async () => {
  const b = bench()
  let told = 0
  b.watch.onElsewhere(() => { told++ })
  expect(b.watch.elsewhere()).toBeUndefined()
  b.watch.heard(claim(me), 'contribution')
  expect(b.watch.elsewhere()).toBe(b.clock.now())
  b.watch.heard(claim(me), 'contribution')
  expect({ told, warnings: warnings(b) }).toEqual({ told: 1, warnings: [expect.stringContaining('also in use elsewhere: a contribution')] })
  await b.clock.advance(ELSEWHERE_MS)
  expect(b.watch.elsewhere()).toBeUndefined()
})

test('all tabs of the wallet know of it, those that open later, too, and it is told once as long as it goes on', async () => {
  const family = new MemoryFamily()
  const tabs = [bench(true, LOADED, family), bench(true, LOADED, family)]
  let told = 0
  for (const b of tabs) b.watch.onElsewhere(() => { told++ })
  tabs[0].watch.heard(claim(me), 'contribution')
  await settle()
  tabs.push(bench(true, LOADED, family))
  tabs[2].watch.onElsewhere(() => { told++ })
  await settle()
  expect(tabs.map(b => b.watch.elsewhere())).toEqual(tabs.map(() => LOADED))
  const minutes = ELSEWHERE_MS / 60_000
  for (let i = 0; i < minutes * 2; i++) {
    for (const b of tabs) await b.clock.advance(60_000)
    // Any of them may be the one that notices it.
    tabs[i % 3].watch.noticed('transaction')
    await settle()
  }
  expect(told).toBe(1)
  expect(tabs.every(b => b.watch.elsewhere() === b.clock.now())).toBe(true)
  for (const b of tabs) await b.clock.advance(ELSEWHERE_MS)
  expect(tabs.map(b => b.watch.elsewhere())).toEqual([undefined, undefined, undefined])
  tabs[1].watch.noticed('transaction')
  await settle()
  expect(told).toBe(2)
  expect(tabs.every(b => b.watch.elsewhere() !== undefined)).toBe(true)
})

test('so is a block of the own key that was redone here, where it was found elsewhere', () => {
  const mined = kit.mine(tip, { miner: me })
  for (const [checked, isSign] of [['own', false], ['ledger', false], ['replayed', true]] as const) {
    const b = bench()
    b.head(mined.meta, [{ meta: mined.meta, checked }])
    expect(b.watch.elsewhere() !== undefined, checked).toBe(isSign)
  }
})

describe('no sign of it is', () => {
  const rows: ReadonlyArray<readonly [string, (b: Bench) => void]> = [
    ['the claim of another key', b => { b.watch.heard(claim(other), 'contribution') }],
    ['a claim made here that comes back', b => {
      const made = claim(me)
      b.watch.key.sign(claimId(made))
      b.watch.heard(made, 'contribution')
    }],
    ['a claim that this tab may have made before it was loaded: no higher than the network was then', b => { b.watch.heard(claim(me, joined), 'contribution') }]
  ]
  test.each(rows)('%s', (_, act) => {
    const b = bench()
    act(b)
    expect(b.watch.elsewhere()).toBeUndefined()
  })

  test('what comes in before this tab is in step: it may be anything that it made and has lost', () => {
    const b = bench(false)
    b.watch.heard(claim(me), 'contribution')
    b.inStep = true
    expect(b.watch.elsewhere()).toBeUndefined()
  })

  test('a claim dated before this tab was loaded, wherever the chain was then', () => {
    const b = bench(true, tip.header.template.time + kit.params.blockIntervalMs)
    b.watch.heard(claim(me), 'contribution')
    expect(b.watch.elsewhere()).toBeUndefined()
  })
})

test('contributions under the own key are told of once their signature was looked at, also where the slice is taken', async () => {
  const clock = new ManualClock(kitTime(kit, 100))
  const heard: Claim[] = []
  const round = { job, spec: job.spec, round: job.round, seal: job.seal, stateHash: job.stateHash, anchorHeight: job.sealAnchorHeight, pending: [], since: 0 }
  const deps: Partial<Record<keyof ContributionsDeps, unknown>> = {
    params: kit.params, clock, log: new RingLog(clock), signatures: new TestSignatures(), onSigned: (c: Claim) => { heard.push(c) },
    chain: { head: () => tip, on: () => () => {} }, rounds: { tip: () => round, tips: () => [round], onTip: () => () => {} },
    blame: { refuse: () => {}, isBannedMiner: () => false }
  }
  const contributions = new Contributions(deps as unknown as ContributionsDeps)
  const own = claim(me)
  expect(contributions.addOwn(own)).toBe(true)
  const there = kit.signClaim({ ...own, resultHash: new Uint8Array(32).fill(7) }, me)
  const from = { origin: 'x', via: 'x' }
  expect((await contributions.take({ ...there, signature: own.signature }, from)).verdict).toBe('reject')
  expect(heard).toEqual([])
  expect(await contributions.take(there, from)).toEqual({ verdict: 'ignore', reason: 'duplicate slice' })
  expect(heard).toEqual([there])
})
