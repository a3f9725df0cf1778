/** A world's auditor against nodes that follow the worse block, and seals that nobody has computed. */
import { describe, expect, it, vi } from 'vitest'
import { equalBytes, toHex } from '../../src/core/codec/ssz.ts'
import { hash } from '../../src/core/crypto/hash.ts'
import type { Node } from '../../src/node/node.ts'
import type { BlockRecord } from '../../src/node/parts.ts'
import { hexOf } from './audit/bytes.ts'
import { firstState, stateHash } from './audit/states.ts'
import { Auditing, standIn } from './auditing.ts'
import { standInKernels } from './devices.ts'
import { World } from './world.ts'

interface Seen { readonly world: World, readonly auditing: Auditing, readonly fired: string[], readonly blocks: BlockRecord[] }

/** What two tabs have made, audited; all of its blocks, those beside the chain too. */
async function seen (): Promise<Seen> {
  const world = new World({ seed: 'auditing', nodes: 3, compute: 'stand-in', laptopSliceMs: 400, warm: true, devices: 'laptop', params: { blockIntervalMs: 4_000, roundMs: 4_000, committeeBlocks: 3 } })
  const fired: string[] = []
  const auditing = new Auditing(world, checker => { fired.push(checker) })
  const all = new Map<string, BlockRecord>()
  world.listen({
    opened: (tab, node) => {
      node.chain.on('head', ({ added }) => {
        auditing.added(tab.index, added)
        for (const r of added) all.set(toHex(r.meta.hash), { ...r })
      })
    }
  })
  world.openAll(500)
  await world.run(120_000)
  // Two histories of their own.
  world.internet.hub.partition(world.tabs.map(t => [t.session!.id]))
  await world.run(30_000)
  return { world, auditing, fired, blocks: [...all.values()] }
}

describe('a running world', () => {
  vi.setConfig({ testTimeout: 120_000 })

  it('shows that its nodes follow the best of what they hold, and who does not', async () => {
    const { auditing, blocks, fired, world } = await seen()
    const { chain } = world.tabs[0].node!
    const pair = blocks.flatMap(a => blocks.filter(b => a.meta.work === b.meta.work && !equalBytes(a.meta.hash, b.meta.hash) && toHex(a.meta.ticket) < toHex(b.meta.ticket)).map(b => [a, b] as const))[0]
    expect(pair, 'two blocks of one height').toBeDefined()
    const node = (head: BlockRecord, beside: BlockRecord): Pick<Node, 'chain'> => ({
      chain: {
        head: () => head.meta, offMain: () => [beside], condemnedContributions: () => new Set(),
        isMain: (id: Uint8Array) => equalBytes(id, beside.meta.header.template.parent)
      }
    }) as unknown as Pick<Node, 'chain'>
    auditing.choice(0, { chain })
    auditing.choice(0, node(pair[0], pair[1]))
    auditing.choice(0, node(pair[1], { ...pair[0], checked: 'ledger' }))
    expect(fired).toEqual([])
    auditing.choice(0, node(pair[1], pair[0]))
    expect(fired).toEqual(['audit: head-order'])
  })

  it('has each copy of a block judged: a forged signature or another body after the right one, and the right one after those', async () => {
    const { auditing, blocks, fired, world } = await seen()
    const block = blocks.find(r => r.body.seals.length > 0)!
    const unsigned: BlockRecord = { ...block, meta: { ...block.meta, header: { ...block.meta.header, signature: new Uint8Array(64) } } }
    const emptied: BlockRecord = { ...block, body: { transactions: [], seals: [] } }
    auditing.added(1, [block])
    expect(fired).toEqual([])
    auditing.added(1, [unsigned])
    expect(fired.splice(0)).toContain('audit: header-signature')
    auditing.added(2, [emptied])
    expect(fired.splice(0)).not.toEqual([])
    // Who is not honest may have had them first.
    const again = new Auditing(new World({ ...world.options }), checker => { fired.push(checker) })
    const chain = blocks.filter(r => world.tabs[0].node!.chain.isMain(r.meta.hash)).sort((a, b) => a.meta.height - b.meta.height)
    for (const r of chain) {
      if (r.meta.height > block.meta.height) break
      if (equalBytes(r.meta.hash, block.meta.hash)) again.heard([unsigned, emptied])
      again.added(1, [r])
    }
    expect(again.blocks).toBeGreaterThan(0)
    expect(fired).toEqual([])
  })

  it('has every contribution and every sealed state redone where nobody trains, and what cannot be is no pass', async () => {
    const { auditing, blocks, fired, world } = await seen()
    const head = world.tabs[0].node!.chain.head()
    const id = toHex(head.hash)
    auditing.replay(id, { has: () => false, payload: () => undefined })
    expect(fired).toEqual([])
    expect(auditing.sealed(id, 0).size).toBeGreaterThan(5)
    expect(auditing.sealed(id, head.height).size).toBe(0)
    expect([...auditing.rewards(id).values()].reduce((sum, r) => sum + r.blocks, 0)).toBe(head.height)
    // One payload is not what the slice gives: its seal, and all that follow, stand on nothing.
    const seal = blocks.flatMap(b => b.body.seals).find(s => s.seal.contributions.length > 0)!
    const template = seal.seal.contributions[0]
    const before = template.payloadDigest
    Object.assign(template, { payloadDigest: hash('test') })
    try {
      const other = new World({ ...world.options })
      const found: string[] = []
      const again = new Auditing(other, checker => { found.push(checker) })
      const chain: BlockRecord[] = []
      for (let m = head; m.height > 0;) {
        const r = blocks.find(b => equalBytes(b.meta.hash, m.hash))!
        chain.unshift(r)
        m = blocks.find(b => equalBytes(b.meta.hash, m.header.template.parent))?.meta ?? other.genesis
      }
      again.heard(chain)
      again.replay(id, { has: () => false, payload: () => undefined })
      expect([...new Set(found)].sort()).toEqual(['audit: contribution-wrong', 'audit: unchecked'])
    } finally {
      Object.assign(template, { payloadDigest: before })
    }
  })
})

it('a stand-in slice is that of the simulated devices', () => {
  const world = new World({ seed: 'stand-in', nodes: 1, compute: 'stand-in', laptopSliceMs: 400 })
  const key = hash('test-key')
  const state = firstState(world.spec as never)
  const ours = standIn(state, key)
  const theirs = standInKernels().slice({ spec: world.spec, state: state as never, lr20: 1, noiseKey: key, steps: 1, inputs: new Uint8Array(0), labels: new Uint8Array(0) })
  expect(hexOf(ours.resultHash)).toBe(toHex(theirs.stateHash))
  expect(hexOf(stateHash(ours.after))).toBe(hexOf(stateHash(theirs.state as never)))
})
