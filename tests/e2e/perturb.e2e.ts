/**
 * Real tabs are killed and disturbed at random, a few times with a fresh seed; `npm run soak:tabs` does
 * it a thousand times. And the checks are shown to find what they are for: each is given a fault.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { toHex } from '../../src/core/codec/ssz.ts'
import { until } from './harness.ts'
import { checkAccount, checkReturn, type Loss } from './perturb/checks.ts'
import type { Identity } from './perturb/oracle.ts'
import { planOf } from './perturb/plan.ts'
import { World } from './perturb/world.ts'

const SEED = Date.now().toString(36)
const KILLS = 4
const STEPS = 6
/** Under a minute on two free cores; a busy machine is no fault of the tabs. */
const SLOW_MS = 900_000

let world: World

/** The first tab of the first profile, and who it is. */
const first = (): Identity => world.identity(world.profiles[0].seats.find(s => s.first?.slot === 0)!)!

/** Both tabs of the first profile die, something is done to their disk, and the finding is returned. */
async function autopsyAfter (fault: (who: Identity) => Promise<void>): Promise<Loss[]> {
  const profile = world.profiles[0]
  const who = first()
  const { dead, diedAt } = await world.die(profile, profile.seats, 'renderers')
  await fault(who)
  world.quiet = true
  await world.autopsy(profile, dead, diedAt)
  world.quiet = false
  return world.failures.splice(0)
}

/** The oracle knows a block whole, and so the ledger after it, once it has seen it on a disk. */
async function learn (profile: number): Promise<void> {
  await world.checkUp(world.profiles[profile], [...world.identities.values()].filter(i => i.profile === profile))
}

/** All tabs that live. */
async function mine (on: boolean): Promise<void> {
  const living = world.profiles.flatMap(p => p.seats).filter(s => s.page?.isClosed() === false && s.first !== undefined)
  await Promise.all(living.map(async s => { await s.page!.evaluate(async v => { await window.commonweight!.setMining({ on: v, workers: 2, duty: 0.2, backend: 'wasm' }) }, on) }))
}

async function reopen (): Promise<void> {
  world.quiet = true
  await Promise.all(world.profiles[0].seats.map(async s => { await world.back(s, new Map()) }))
  world.quiet = false
  world.failures.splice(0)
}

beforeAll(async () => {
  process.stderr.write(`  seed of the perturbations: ${SEED}\n`)
  world = await World.open(2, 2)
})

afterAll(async () => { await world?.close() })

/** In the message too: a list of findings is cut short there. */
const found = (): string => `seed ${SEED}: ${world.failures.map(f => `${f.what} at ${f.step}: ${f.detail}`).join('; ')}`

beforeEach(() => { expect(world.failures, found()).toEqual([]) })

test('tabs that are killed and disturbed at random lose no block and no credit, and agree afterwards', async () => {
  const steps = await Promise.all(world.profiles.map(async ({ index }) => {
    const plan = planOf(SEED, index, 2)
    let done = 0
    for (let killed = 0; killed < KILLS / 2 || done < STEPS / 2; done++) {
      const step = plan.next().value
      await world.act(step)
      if (step.action.kind === 'kill') killed += step.action.tabs.length
    }
    return done
  }))
  await world.heal('agreement')
  expect(world.failures, found()).toEqual([])
  expect(steps.reduce((x, y) => x + y)).toBeGreaterThanOrEqual(STEPS)
  expect(world.kills).toBeGreaterThanOrEqual(KILLS)
  expect(world.figures.blocksChecked).toBeGreaterThan(0)
  expect(world.figures.creditsChecked).toBeGreaterThan(0)
}, SLOW_MS)

test('a block that is missing, a swapped key, a forgotten transfer, forgotten slices and a database that is gone are found on the disk', async () => {
  await until('credits to send, and an own block', 120_000, async () => {
    await learn(0)
    return BigInt(first().shown?.balance ?? 0) > 100_000n && world.oracle.minedBy(first().miner).some(b => b.claim !== undefined && b.height > world.oracle.top - 20)
  })
  // Nothing was found that nobody has planted.
  expect(world.failures, found()).toEqual([])
  const { witness, context } = world.profiles[0]
  // In a block the transfer would not be forgotten.
  await mine(false)
  expect(await world.send(world.profiles[0])).toBe(true)
  const forgotten = await autopsyAfter(async who => {
    await witness.clearStore(context, who.database, 'pool')
    await witness.clearStore(context, who.database, 'meta')
    const own = world.oracle.minedBy(who.miner).sort((a, b) => b.height - a.height)[0]
    await witness.dropBlock(context, who.database, own.hash)
    await witness.swapSeed(context)
  })
  expect([...new Set(forgotten.map(l => l.what))]).toEqual(expect.arrayContaining(['block', 'key', 'transaction', 'slice']))
  const who = first()
  await witness.dropDatabase(context, who.database)
  world.quiet = true
  await world.autopsy(world.profiles[0], [who], Date.now())
  world.quiet = false
  expect(world.failures.splice(0).map(l => l.what)).toContain('damage')
  await mine(true)
}, SLOW_MS)

test('a tab that shows less than its disk gives it is found', async () => {
  await reopen()
  const who = world.identity(world.profiles[1].seats[0])!
  const view = await until('a head with its ledger', 120_000, async () => {
    const { shown } = who
    await learn(1)
    return shown !== undefined && world.oracle.meta(shown.head) !== undefined ? shown : undefined
  })
  const best = world.oracle.meta(view.head)!
  expect(checkReturn(world.oracle, who, best, view)).toEqual({ losses: [], heard: false })
  const wrong: ReadonlyArray<readonly [Loss['what'], Partial<typeof view>]> = [
    ['credit', { balance: String(BigInt(view.balance) + 1n) }],
    ['credit', { maturing: String(BigInt(view.maturing) + 1n) }],
    ['transaction', { nonce: -1 }],
    ['key', { miner: view.key }],
    ['start', { phase: 'storage-failed' }],
    ['block', { head: toHex(best.parent!.hash), height: view.height - 1, work: String(best.parent!.work) }]
  ]
  for (const [what, change] of wrong) expect(checkReturn(world.oracle, who, best, { ...view, ...change }).losses.map(l => l.what), JSON.stringify(change)).toEqual([what])
  expect(checkAccount(world.oracle, who, { ...view, head: 'f'.repeat(64) }).map(l => l.what)).toEqual(['block'])
}, SLOW_MS)
