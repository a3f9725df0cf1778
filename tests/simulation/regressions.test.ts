/**
 * Worlds that once went wrong, by name: what was found, and the smallest thing that shows that it is mended. A seed
 * whose world is needed as a whole stands with the options it had.
 */
import { describe, expect, it } from 'vitest'
import { ascii, hash } from '../../src/core/crypto/hash.ts'
import { toHex } from '../../src/core/codec/ssz.ts'
import { MAIN, paramErrors } from '../../src/core/params.ts'
import { initialState } from '../../src/core/training/init.ts'
import { RingLog } from '../../src/node/log.ts'
import { Spending } from '../../src/node/spending.ts'
import { MemoryPurse } from '../../src/storage/memoryPurse.ts'
import type { SliceTask } from '../../src/ports/compute.ts'
import { realKernels, standInKernels } from './devices.ts'
import { Faults } from './faults.ts'
import { drawOptions, paramsOf, printable } from './options.ts'
import { poissonAtLeast, poissonAtMost } from './chance.ts'
import { Seeded } from './seeded.ts'
import { Watch } from './watch.ts'
import { World } from './world.ts'

const world = new World({ seed: 'regressions', nodes: 2, compute: 'stand-in', laptopSliceMs: 250 })

function task (labels: Uint8Array): SliceTask {
  const { data, spec } = world
  const records = spec.batch * spec.stepsPerSlice
  const inputs = new Uint8Array(records * spec.data.features)
  for (let i = 0; i < records; i++) inputs.set(data.features(i), i * spec.data.features)
  return { spec, state: initialState(spec), lr20: spec.lr20, noiseKey: hash('test', ascii('one slice')), steps: spec.stepsPerSlice, inputs, labels }
}

describe('found in drawn worlds', () => {
  it('s2: a slice on flipped labels is not taken for the right one by a memory of slices', () => {
    const { data, spec } = world
    const right = Uint8Array.from({ length: spec.batch * spec.stepsPerSlice }, (_, i) => data.label(i))
    const kernels = realKernels()
    const flipped = kernels.slice(task(right.map(l => (l + 1) % spec.data.classes)))
    expect(toHex(kernels.slice(task(right)).stateHash)).not.toBe(toHex(flipped.stateHash))
    expect(toHex(kernels.slice(task(right)).stateHash)).toBe(toHex(realKernels().slice(task(right)).stateHash))
  })

  it('users: the next transaction fills the place of one that was dropped, or all behind it wait for ever', () => {
    const me = hash('test', ascii('wallet'))
    const waiting = [1, 2].map(nonce => ({ transaction: { chain: world.genesis.hash, from: me, nonce, fee: 1n, action: { selector: 1, value: { to: hash('test'), amount: 1n } } }, signature: new Uint8Array(64) }))
    const wallet = (pending: typeof waiting): Spending => new Spending({
      purse: new MemoryPurse(), account: me, params: { maturity: 6 }, inStep: () => true, clock: { now: () => 0 }, log: new RingLog({ now: () => 0 }), chain: { head: () => world.genesis, at: () => undefined, on: () => () => {} },
      pool: { pending: () => pending, add: async () => undefined, resume: async () => undefined, withdraw: () => {}, lacks: () => false, onVoid: () => () => {} }
    })
    expect(wallet(waiting).nextNonce()).toBe(0)
    expect(wallet([]).nextNonce()).toBe(0)
    expect(wallet([{ ...waiting[0], transaction: { ...waiting[0].transaction, nonce: 0 } }, waiting[0]]).nextNonce()).toBe(2)
  })

  it('a stand-in slice is named by its key alone, so that the audit can tell what it gives', () => {
    const one = task(new Uint8Array(64))
    expect(toHex(standInKernels().slice(one).stateHash)).toBe(toHex(hash('sim-slice', one.noiseKey)))
  })
})

describe('auditing', () => {
  it('n31-690: a block that is on the disk of its miner, who crashed before anybody heard of it, is known when the next one comes', async () => {
    const o = drawOptions({ seed: 'n31-690', nodes: 1, enemies: [] })
    const alone = new World({ seed: o.seed, nodes: 1, compute: 'stand-in', laptopSliceMs: 250, warm: true, devices: 'laptop' })
    const watch = new Watch(alone, new Faults(alone, o.faults), [])
    const [tab] = alone.tabs
    let announced = 0
    let unheard = 0
    let commits = 0
    tab.diskEvents.cut = () => ++commits % 40 > 0 ? undefined : { applied: true, die: () => { tab.crash(0) } }
    alone.listen({
      opened: (_, node) => {
        if (node.chain.head().height > announced) unheard++
        node.chain.on('head', ({ head }) => { announced = head.height })
      }
    })
    for (let i = 0; i < 60 && unheard < 2; i++) {
      if (tab.session === undefined) void tab.open()
      await alone.run(20_000)
    }
    expect(unheard).toBe(2)
    tab.diskEvents.cut = undefined
    if (tab.session === undefined) void tab.open()
    const before = announced
    await alone.run(60_000)
    expect(announced).toBeGreaterThan(before)
    expect(watch.violations).toEqual([])
  })
})

describe('options', () => {
  it('are the same for a seed, and each has a stream of its own', () => {
    const drawn = drawOptions({ seed: 'x', enemies: ['a', 'b', 'c'] })
    expect(drawOptions({ seed: 'x', enemies: ['a', 'b', 'c'] })).toEqual(drawn)
    expect(drawOptions({ seed: 'x', nodes: 5, enemies: [] }).faults).toEqual(drawn.faults)
    expect(Object.values(printable(drawn)).every(v => ['string', 'number', 'boolean'].includes(typeof v))).toBe(true)
  })

  it('leave every kind of fault out in some worlds and have it in others', () => {
    const worlds = Array.from({ length: 60 }, (_, i) => drawOptions({ seed: `draw ${i}`, enemies: ['a'] }))
    for (const w of worlds) expect(w.nodes).toSatisfy((n: number) => n >= 30 && n <= 100)
    for (const name of Object.keys(worlds[0].faults) as Array<keyof typeof worlds[0]['faults']>) {
      if (name === 'outageMostMs') continue
      const values = worlds.map(w => w.faults[name])
      expect(new Set(values).size, name).toBeGreaterThan(10)
      if (!['jitter', 'outageMs', 'awayMs', 'jumpMs'].includes(name)) expect(values.filter(v => v === 0).length, name).toBeGreaterThan(5)
    }
    expect(new Set(worlds.map(w => w.attackerShare))).toEqual(new Set([0, 0.3]))
    // What is cut may not be missed by any rule.
    expect(new Set(worlds.map(w => w.history))).toEqual(new Set(['long', 'short']))
    for (const w of worlds) expect(paramErrors({ ...MAIN, ...paramsOf(w) })).toEqual([])
  })
})

describe('bounds of chance', () => {
  it('are those of the Poisson distribution', () => {
    expect(poissonAtMost(0, 2)).toBeCloseTo(Math.exp(-2), 12)
    expect(poissonAtMost(3, 2) + poissonAtLeast(4, 2)).toBeCloseTo(1, 12)
    // Too small to be had as 1 less its complement: between its first term and twice that.
    const first = Math.exp(-5) * Array.from({ length: 30 }, (_, i) => 5 / (i + 1)).reduce((a, b) => a * b, 1)
    expect(poissonAtLeast(30, 5)).toBeGreaterThan(first)
    expect(poissonAtLeast(30, 5)).toBeLessThan(2 * first)
    expect(poissonAtLeast(0, 3)).toBeCloseTo(1, 12)
    expect([poissonAtMost(0, 0), poissonAtLeast(1, 0)]).toEqual([1, 0])
    // Where e^-mean is too small for a number, a count at the mean is still nothing rare.
    expect(poissonAtMost(2_000, 2_000)).toBeCloseTo(0.506, 3)
    expect(poissonAtLeast(2_000, 2_000)).toBeCloseTo(0.503, 3)
  })

  it('agree with what a seeded stream gives', () => {
    const random = new Seeded('poisson')
    let atLeast4 = 0
    for (let i = 0; i < 20_000; i++) {
      let n = 0
      for (let t = random.exponential(1); t < 2; t += random.exponential(1)) n++
      if (n >= 4) atLeast4++
    }
    expect(atLeast4 / 20_000).toBeCloseTo(poissonAtLeast(4, 2), 1)
  })
})
