/** Figures by hand for observations small enough to count. */
import { describe, expect, test } from 'vitest'
import type { Node } from '../../src/node/node.ts'
import { MainChain } from './enemies/mainChain.ts'
import { agreedAtMs, type BlockSeen, forks, forkWindows, forkWords, likeLog, mainChain, moment, propagationMs, rateInterval, shares, spread, stand, tabFigures } from './figures.ts'

const block = (hash: string, parent: string, height: number, tab = 0, madeAtMs = 0): BlockSeen => ({ hash, parent, height, tab, madeAtMs })

describe('of lists', () => {
  test('a spread holds values that were seen', () => {
    expect(spread(Array.from({ length: 100 }, (_, i) => 100 - i))).toEqual({ p50: 50, p95: 95, max: 100 })
    expect(spread([9, 10, 1])).toEqual({ p50: 9, p95: 10, max: 10 })
    expect(spread([7])).toEqual({ p50: 7, p95: 7, max: 7 })
    expect(spread([])).toEqual({ p50: 0, p95: 0, max: 0 })
  })

  test('shares add up to one, or are nothing of nothing', () => {
    expect(shares([1, 3, 0])).toEqual([0.25, 0.75, 0])
    expect(shares([0, 0])).toEqual([0, 0])
  })
})

describe('of blocks', () => {
  //  g - a - b - c
  //    \ x   \ y
  const blocks = [block('a', 'g', 1, 0, 10), block('x', 'g', 1, 1, 12), block('b', 'a', 2, 1, 20), block('c', 'b', 3, 2, 30), block('y', 'b', 3, 0, 31)]

  test('the main chain goes down from the head, whatever the order of the blocks', () => {
    expect(mainChain([...blocks].reverse(), 'c')).toEqual(new Set(['a', 'b', 'c']))
    expect(mainChain(blocks, 'unknown').size).toBe(0)
    expect(mainChain([block('p', 'q', 1), block('q', 'p', 1)], 'p')).toEqual(new Set(['p', 'q']))
  })

  test('a fork is a block beside the main chain; undecided ones count nowhere', () => {
    expect(forks(blocks, 'c')).toEqual({ blocksMain: 3, blocksOrphaned: 2, forkRate: 2 / 3 })
    expect(forks(blocks, 'y')).toEqual({ blocksMain: 3, blocksOrphaned: 2, forkRate: 2 / 3 })
    expect(forks(blocks, 'c', 2)).toEqual({ blocksMain: 2, blocksOrphaned: 1, forkRate: 0.5 })
    expect(forkWords(forks([], 'g'))).toBe('no blocks, no fork rate')
    expect(forkWords({ blocksMain: 176, blocksOrphaned: 9, forkRate: 9 / 176 })).toBe('fork rate 0.051 (95 %: 0.023 to 0.097)')
    expect(forks([], 'g')).toEqual({ blocksMain: 0, blocksOrphaned: 0, forkRate: 0 })
  })

  test('windows of time hold each block once', () => {
    expect(forkWindows(blocks, 'c', 40, 2)).toEqual([{ fromMs: 0, toMs: 20, blocksMain: 1, blocksOrphaned: 1 }, { fromMs: 20, toMs: 40, blocksMain: 2, blocksOrphaned: 1 }])
    expect(forkWindows(blocks, 'c', 31, 1, 2)).toEqual([{ fromMs: 0, toMs: 31, blocksMain: 2, blocksOrphaned: 1 }])
  })

  test('propagation counts every other tab once, and not a return to an old head', () => {
    const heads = [{ atMs: 10, tab: 0, hash: 'a' }, { atMs: 110, tab: 1, hash: 'a' }, { atMs: 95, tab: 2, hash: 'a' }, { atMs: 500, tab: 1, hash: 'a' }, { atMs: 40, tab: 1, hash: 'nobody made it' }]
    expect(propagationMs(blocks, heads)).toEqual([100, 85])
  })
})

describe('of the world', () => {
  test('a moment', () => {
    const three = stand(5, [{ head: 'a', height: 3, round: 1 }, { head: 'b', height: 4, round: 2 }, { head: 'a', height: 3, round: 2 }])
    expect(moment([three])).toEqual({ atMs: 5, up: 3, heightMin: 3, heightMax: 4, heads: 2, round: 2 })
    expect(moment([three, stand(5, []), stand(5, [{ head: 'b', height: 4, round: 3 }, { head: 'c', height: 2, round: 1 }])])).toEqual({ atMs: 5, up: 5, heightMin: 2, heightMax: 4, heads: 3, round: 3 })
    expect(moment([stand(5, [])])).toEqual({ atMs: 5, up: 0, heightMin: 0, heightMax: 0, heads: 0, round: 0 })
  })

  test('agreement is after the healing, and not of nobody', () => {
    const at = (atMs: number, up: number, heads: number) => ({ atMs, up, heads, heightMin: 0, heightMax: 0, round: 0 })
    const moments = [at(0, 3, 1), at(10, 3, 2), at(20, 0, 0), at(30, 3, 2), at(40, 3, 1), at(50, 3, 2)]
    expect(agreedAtMs(moments, 10)).toBe(40)
    expect(agreedAtMs(moments, 45)).toBeUndefined()
  })

  test('a tab is a share of all', () => {
    const [a, b] = tabFigures([
      { tab: 0, device: 'phone', role: 'honest', work: 1, blocks: 0, reward: 25, bytes: 4000, upMs: 2000 },
      { tab: 1, device: 'laptop', role: 'selfish', work: 3, blocks: 4, reward: 75, bytes: 0, upMs: 0 }
    ])
    expect(a).toEqual({ tab: 0, device: 'phone', role: 'honest', workShare: 0.25, blockShare: 0, rewardShare: 0.25, bytesPerSecond: 2000 })
    expect(b).toEqual({ tab: 1, device: 'laptop', role: 'selfish', workShare: 0.75, blockShare: 1, rewardShare: 0.75, bytesPerSecond: 0 })
  })
})

describe('of chance', () => {
  // Garwood's table: limits of the mean of a Poisson count.
  test.each([[0, 0, 3.689], [1, 0.0253, 5.572], [5, 1.623, 11.668], [20, 12.217, 30.888], [100, 81.364, 121.627], [2000, 1913.299, 2089.617]])('%i events: %f to %f', (events, low, high) => {
    const found = rateInterval(events, 1)
    expect(found.low).toBeCloseTo(low, 2)
    expect(found.high).toBeCloseTo(high, 2)
    expect(rateInterval(events, 10).high).toBeCloseTo(high / 10, 3)
  })

  test('growth like log N: once more for every squaring', () => {
    expect(likeLog(7, 20, 400)).toBeCloseTo(14, 9)
    expect(likeLog(7, 20, 20)).toBe(7)
    expect(likeLog(7, 1, 4)).toBe(14)
  })
})

test('who made what is counted of blocks too whose bodies the node has forgotten since', () => {
  const key = new Uint8Array(32).fill(7)
  const record: { readonly meta: object, body?: object } = { meta: { height: 1, header: { template: { miner: key } } }, body: { seals: [{ seal: { contributions: [{ template: { miner: key } }] } }] } }
  const chain = new MainChain()
  chain.follow({ chain: { on: (_: 'head', fn: (e: unknown) => void) => { fn({ removed: [], added: [record] }) } } } as unknown as Node)
  record.body = undefined
  expect([chain.blocksOf(key), chain.contributionsOf(key)]).toEqual([1, 1])
})
