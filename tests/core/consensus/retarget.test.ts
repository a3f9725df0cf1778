/** The retarget as a controlled loop: simulated miners of a given rate, times drawn from a seed. */
import { describe, expect, it } from 'vitest'
import type { Claim } from '../../../src/core/codec/wire.ts'
import type { HeaderMeta } from '../../../src/core/consensus/chain.ts'
import { blockWork, nextTarget, ticketBound, ticketWins } from '../../../src/core/consensus/target.ts'
import { type ChainParams, MAIN, targetForWork, TEST } from '../../../src/core/params.ts'
import { ChainKit } from '../chainKit.ts'

/** Only time, target and ancestry matter to the retarget. */
function extend (parent: HeaderMeta, params: ChainParams, elapsedMs: number): HeaderMeta {
  const template = { ...parent.header.template, height: parent.height + 1, target: nextTarget(params, parent), time: parent.header.template.time + elapsedMs }
  const header: Claim = { ...parent.header, template }
  return { ...parent, header, height: parent.height + 1, parent }
}

/** mulberry32: a test's dice. */
function dice (seed: number): () => number {
  let a = seed
  return () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/** Mean interval of `count` blocks at `rate` cost units a second, and the tip. */
function run (params: ChainParams, from: HeaderMeta, count: number, rate: number, random: () => number): { readonly tip: HeaderMeta, readonly meanMs: number } {
  let tip = from
  let total = 0
  for (let i = 0; i < count; i++) {
    const work = Number(blockWork(nextTarget(params, tip)))
    const elapsed = Math.max(1, Math.round(-Math.log(1 - random()) * work / rate * 1000))
    total += elapsed
    tip = extend(tip, params, elapsed)
  }
  return { tip, meanMs: total / count }
}

const start = (params: ChainParams): HeaderMeta => new ChainKit(params).genesis

describe.each([['main', MAIN], ['test', TEST]] as const)('the retarget of %s', (_, params) => {
  const rate = 8_000_000_000 * 10

  it.each([4, 1 / 4])('follows a step of the hash rate by %d', factor => {
    for (const seed of [1, 2, 3]) {
      const random = dice(seed)
      const before = run(params, start(params), 60, rate, random)
      const settling = run(params, before.tip, 3 * params.retargetWindow, rate * factor, random)
      const after = run(params, settling.tip, 1500, rate * factor, random)
      expect(Math.abs(after.meanMs / params.blockIntervalMs - 1)).toBeLessThan(0.12)
    }
  })

  it('is within a seventh after four windows when blocks are as regular as the work', () => {
    for (const factor of [4, 1 / 4]) {
      let tip = run(params, start(params), 60, rate, () => 1 - Math.exp(-1)).tip
      tip = run(params, tip, 4 * params.retargetWindow, rate * factor, () => 1 - Math.exp(-1)).tip
      const interval = Number(blockWork(nextTarget(params, tip))) / (rate * factor) * 1000
      expect(Math.abs(interval / params.blockIntervalMs - 1)).toBeLessThan(1 / 7)
    }
  })

  it('moves by bounded factors whatever the times say', () => {
    let tip = run(params, start(params), 30, rate, () => 0.5).tip
    tip = extend(tip, params, 2 ** 50)
    expect(nextTarget(params, tip)).toBeLessThanOrEqual(nextTarget(params, tip.parent as HeaderMeta) * 2n)
    tip = extend(tip, params, 1)
    const span = BigInt(params.retargetWindow * params.blockIntervalMs)
    expect(nextTarget(params, tip)).toBe(tip.header.template.target * (span + 1n - BigInt(params.blockIntervalMs)) / span)
  })

  it.each(['as old', 'as far ahead'])('is moved by less than an eighth when three of ten blocks are dated %s as they may be', game => {
    const mean = (liars: number): number => [1, 2, 3].map(seed => {
      const random = dice(seed)
      let tip = run(params, start(params), 60, rate, random).tip
      let now = tip.header.template.time
      const from = now
      const count = 3_000
      for (let i = 0; i < count; i++) {
        now += -Math.log(1 - random()) * Number(blockWork(nextTarget(params, tip))) / rate * 1000
        const oldest = tip.header.template.time + 1
        const wished = random() >= liars ? now : game === 'as old' ? 0 : now + params.futureMs
        tip = extend(tip, params, Math.round(Math.max(oldest, wished)) - tip.header.template.time)
      }
      return (now - from) / count
    }).reduce((a, b) => a + b)
    expect(mean(0.3) / mean(0)).toBeGreaterThan(7 / 8)
    expect(mean(0.3) / mean(0)).toBeLessThan(9 / 8)
  })

  it('stays within 1 and the easiest target', () => {
    let tip = run(params, start(params), 10, rate, () => 0.5).tip
    for (let i = 0; i < 400; i++) tip = extend(tip, params, 1)
    expect(nextTarget(params, tip)).toBeGreaterThanOrEqual(1n)
    for (let i = 0; i < 800; i++) tip = extend(tip, params, 2 ** 40)
    expect(nextTarget(params, tip)).toBe(params.maxTarget)
  })

  it('gives the first two blocks the first target', () => {
    let tip = start(params)
    expect(nextTarget(params, tip)).toBe(params.genesisTarget)
    tip = extend(tip, params, 1_700_000_000_000)
    expect(nextTarget(params, tip)).toBe(params.genesisTarget)
    tip = extend(tip, params, params.blockIntervalMs)
    expect(nextTarget(params, tip)).toBe(params.genesisTarget)
    tip = extend(tip, params, 2 * params.blockIntervalMs)
    expect(nextTarget(params, tip)).toBe(params.genesisTarget + params.genesisTarget / BigInt(params.retargetWindow))
  })
})

describe('tickets', () => {
  const ticket = (n: bigint): Uint8Array => Uint8Array.from(n.toString(16).padStart(64, '0').match(/../g) as string[], h => parseInt(h, 16))

  it('win strictly below target times cost', () => {
    expect(ticketWins(1000n, 7, ticket(6999n))).toBe(true)
    expect(ticketWins(1000n, 7, ticket(7000n))).toBe(false)
  })

  it('are bounded by 2^256 - 1 where the product is larger', () => {
    expect(ticketBound(1n << 255n, 3)).toBe((1n << 256n) - 1n)
    expect(ticketWins(1n << 255n, 3, ticket((1n << 256n) - 2n))).toBe(true)
    expect(ticketWins(1n << 255n, 3, ticket((1n << 256n) - 1n))).toBe(false)
  })

  it('weigh what they are expected to take', () => {
    expect(blockWork(targetForWork(12345n))).toBe(12345n)
  })
})
