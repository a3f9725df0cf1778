/** What is remembered across the nodes of a world changes no answer: the same seed makes the same chains without it. */
import { describe, expect, it } from 'vitest'
import { toHex } from '../../src/core/codec/ssz.ts'
import { World } from './world.ts'

async function chains (remember: boolean): Promise<{ readonly bytes: number, readonly rounds: number, readonly chains: string[][] }> {
  const world = new World({
    seed: 'remembered', nodes: 5, compute: 'real', laptopSliceMs: 250, warm: true, devices: 'laptop', duty: 0.2, remember,
    params: { blockIntervalMs: 4_000, committeeBlocks: 4, roundMs: 2_000 }
  })
  world.openAll(1_000)
  await world.run(75_000)
  return {
    // Not the events: a copy of a message that cannot be the first to arrive is counted, not carried.
    bytes: world.internet.bytes,
    rounds: world.tabs[0].node!.rounds.tips()[0].round,
    chains: world.tabs.map(({ node }) => Array.from({ length: node!.chain.head().height }, (_, i) => toHex(node!.chain.metaAt(i + 1)!.hash)))
  }
}

describe('remembering', () => {
  it('makes no difference to what happens', async () => {
    const plain = await chains(false)
    // The world did something that could differ: blocks, seals in them, and rounds.
    expect(plain.chains[0].length).toBeGreaterThan(6)
    expect(plain.rounds).toBeGreaterThan(1)
    expect(await chains(true)).toEqual(plain)
  }, 600_000)
})
