/** Who is parted is seen from the lines: in groups made by hand, and in a world that is cut in two and healed. */
import { describe, expect, it } from 'vitest'
import { Apart, groups, luckyDepth, ownDepth } from './apart.ts'
import { World } from './world.ts'

describe('groups', () => {
  it('are who can reach one another, by others too', () => {
    const links: Record<string, string[]> = { a: ['b'], b: ['a', 'c'], c: ['b'], d: [] }
    const of = groups(Object.keys(links), x => links[x])
    expect([...of.get('c')!].sort()).toEqual(['a', 'b', 'c'])
    expect([...of.get('d')!]).toEqual(['d'])
  })
})

describe('the depth that luck allows', () => {
  it('is that of one in 800,000, and none where enemies have half of the speed', () => {
    expect([luckyDepth(0, 16), luckyDepth(0.1, 16), luckyDepth(0.3, 16), luckyDepth(0.5, 16)]).toEqual([16, 16, 17, Infinity])
    expect((0.35 / 0.65) ** luckyDepth(0.35, 16)).toBeLessThan(1 / 800_000)
  })
})

describe('the depth of a reorganisation', () => {
  const of = (told: number, redone: number, below = 0): number => ownDepth([...Array(below).fill('own'), ...Array(told).fill('ledger'), ...Array(redone).fill('replayed')].map(checked => ({ checked })), 24)

  it('is that of what was redone', () => { expect([of(0, 0), of(0, 20), of(0, 20, 3)]).toEqual([0, 20, 23]) })

  // Regression: world n35-14, a tab whose device was lost while it proved what it had joined.
  it('is that of what lies below what the tab was only told of, unless enough was redone above to prove that', () => {
    expect([of(44, 20), of(44, 23, 5), of(44, 24), of(44, 24, 5)]).toEqual([0, 5, 24, 29])
  })
})

describe('a tab', () => {
  it('is apart as long as its lines or its clock are, and for a while after', async () => {
    const world = new World({ seed: 'apart', nodes: 4, compute: 'stand-in', laptopSliceMs: 250, warm: true, devices: 'laptop' })
    const apart = new Apart(world)
    const spell = async (ms: number): Promise<number[]> => {
      for (let t = 0; t < ms; t += 5_000) {
        await world.run(5_000)
        apart.sample(5_000)
      }
      return world.tabs.map(t => apart.ms(t))
    }
    world.openAll(1_000)
    await world.run(10_000)
    expect(await spell(10_000)).toEqual([0, 0, 0, 0])
    const { hub } = world.internet
    const ids = world.tabs.map(t => t.session!.id)
    hub.partition([ids.slice(0, 1), ids.slice(1)])
    const cut = await spell(20_000)
    expect(cut[0]).toBe(20_000)
    hub.heal()
    for (const id of ids.slice(1)) hub.connect(ids[0], id)
    expect((await spell(60_000))[0]).toBe(20_000)
    expect(await spell(130_000)).toEqual([0, 0, 0, 0])
    world.tabs[3].faults.skewMs = world.params.futureMs
    const wrong = await spell(10_000)
    expect(wrong[3]).toBe(10_000)
  }, 60_000)

  // Regression: world n39-485, a phone that had redone the others' 64 blocks 192 s after its network was healed.
  it('that is slow is in step again later', async () => {
    const world = new World({ seed: 'apart slow', nodes: 4, compute: 'stand-in', laptopSliceMs: 400, warm: true, devices: i => i === 0 ? 'phone' : 'laptop' })
    const apart = new Apart(world)
    const spell = async (ms: number): Promise<number[]> => {
      for (let t = 0; t < ms; t += 5_000) {
        await world.run(5_000)
        apart.sample(5_000)
      }
      return [0, 1].map(i => apart.ms(world.tabs[i]))
    }
    world.openAll(1_000)
    await spell(10_000)
    const { hub } = world.internet
    const ids = world.tabs.map(t => t.session!.id)
    hub.partition([ids.slice(0, 2), ids.slice(2)])
    expect(await spell(200_000)).toEqual([200_000, 200_000])
    hub.heal()
    for (const id of ids.slice(2)) for (const other of ids.slice(0, 2)) hub.connect(id, other)
    // 40 blocks of 10 s: 16 s of a laptop, 80 s of a phone.
    expect(await spell(185_000)).toEqual([200_000, 200_000])
    expect(await spell(30_000)).toEqual([200_000, 0])
    expect(await spell(50_000)).toEqual([0, 0])
  }, 60_000)

  // Regression: world n39-288, a tab opened as its network was healed, which had redone the chain of one part and then that of another.
  it('that has just been opened was apart as long as those whose chain it takes', async () => {
    const world = new World({ seed: 'apart late', nodes: 4, compute: 'stand-in', laptopSliceMs: 250, warm: true, devices: 'laptop' })
    const apart = new Apart(world)
    const spell = async (ms: number): Promise<number> => {
      for (let t = 0; t < ms; t += 5_000) {
        await world.run(5_000)
        apart.sample(5_000)
      }
      return apart.ms(world.tabs[3])
    }
    world.openAll(1_000)
    await spell(10_000)
    await world.tabs[3].close()
    const { hub } = world.internet
    const ids = world.tabs.slice(0, 3).map(t => t.session!.id)
    hub.partition([ids.slice(0, 1), ids.slice(1)])
    await spell(20_000)
    hub.heal()
    for (const id of ids.slice(1)) hub.connect(ids[0], id)
    await world.tabs[3].open()
    expect(await spell(30_000)).toBe(20_000)
    expect(await spell(200_000)).toBe(0)
  }, 60_000)
})
