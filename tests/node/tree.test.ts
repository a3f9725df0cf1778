/** What the tree lets go of, against a definition that looks at all of it. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { u32le } from '../../src/core/crypto/hash.ts'
import type { BlockMeta } from '../../src/core/consensus/chain.ts'
import { BlockTree, type TreeNode, treeNode } from '../../src/node/tree.ts'

const DEPTHS = { bodies: 2, nodes: 4, metas: 3 }

/** Block n on a parent: only what the tree reads of it. */
function block (n: number, parent: BlockMeta | undefined, work = 1n, checked: TreeNode['checked'] = 'replayed'): TreeNode {
  const hash = new Uint8Array(32)
  hash.set(u32le(n + 1))
  const meta = { hash, parent, height: (parent?.height ?? -1) + 1, work: (parent?.work ?? 0n) + work, ticket: hash, header: { template: { parent: parent?.hash ?? new Uint8Array(32) } } }
  return treeNode({ meta: meta as unknown as BlockMeta, body: { transactions: [] } as unknown as TreeNode['body'], events: [], checked })
}

test('what hangs on the new base stays, all else goes, each once and no child before its parent', () => {
  fc.assert(fc.property(fc.array(fc.nat({ max: 7 }), { minLength: 1, maxLength: 80 }), backs => {
    const all = [block(0, undefined)]
    const tree = new BlockTree(all[0], 1, 0, 1)
    for (const back of backs) {
      // On one of the last: some of them side by side, some on blocks that are gone.
      const parent = all[Math.max(0, all.length - 1 - back)]
      if (tree.get(parent.key) !== parent) continue
      const n = block(all.length, parent.meta)
      all.push(n)
      tree.insert(n)
      const before = [...tree.nodes()]
      const { gone } = tree.prune(DEPTHS)
      const { base } = tree
      expect(base.meta.height).toBe(Math.max(0, tree.head.meta.height - DEPTHS.nodes))
      const hangsOn = (x: BlockMeta | undefined): boolean => x === base.meta || (x !== undefined && x.height > base.meta.height && hangsOn(x.parent))
      const stay = before.filter(x => hangsOn(x.meta))
      expect([...tree.nodes()]).toEqual(stay)
      expect(gone.map(x => x.key).sort()).toEqual(before.filter(x => !stay.includes(x)).map(x => x.key).sort())
      for (const [i, x] of gone.entries()) expect(gone.slice(i + 1).some(y => y.key === x.parent)).toBe(false)
      // Those of the main chain are settled, the others are to be stored no more.
      const main = new Set<BlockMeta>()
      for (let m: BlockMeta | undefined = base.meta; m !== undefined; m = m.parent) main.add(m)
      for (const x of gone) expect(x.removed).toBe(!main.has(x.meta))
      for (let h = base.meta.height; h <= tree.head.meta.height; h++) expect(tree.at(h)?.meta.height).toBe(h)
      expect(tree.at(base.meta.height - 1)).toBeUndefined()
    }
  }))
})

test('metas below the base are let go of in time', () => {
  const first = block(0, undefined)
  const tree = new BlockTree(first, 1, 0, 1)
  let last = first.meta
  for (let n = 1; n <= 200; n++) {
    const b = block(n, last)
    last = b.meta
    tree.insert(b)
    tree.prune(DEPTHS)
  }
  let metas = 0
  for (let m: BlockMeta | undefined = tree.base.meta.parent; m !== undefined; m = m.parent) metas++
  expect(metas).toBeGreaterThanOrEqual(DEPTHS.metas)
  expect(metas).toBeLessThan(DEPTHS.metas + 32)
})

test('a branch on trust leads once as much of it is redone, at its end, as it undoes of what was redone here', () => {
  const PROOF = 3
  const UNDONE = 4
  const root = block(0, undefined)
  const tree = new BlockTree(root, PROOF, 0, UNDONE)
  let last = root.meta
  // Six of work 10, the oldest two of them on trust: what a branch owes is the work of the newest four.
  for (let n = 1; n <= 6; n++) {
    const b = block(n, last, 10n, n <= 2 ? 'ledger' : 'replayed')
    last = b.meta
    tree.insert(b)
  }
  const { head } = tree
  expect(tree.owed(root)).toBe(40n)
  expect(tree.owed(tree.at(5)!)).toBe(10n)
  expect(tree.owed(tree.at(6)!)).toBe(0n)
  const trusted = block(10, root.meta, 1_000n, 'ledger')
  tree.insert(trusted)
  let tip = trusted.meta
  for (let n = 11; n <= 10 + 2 * UNDONE; n++) {
    const b = block(n, tip, 5n)
    tip = b.meta
    tree.insert(b)
    expect(tree.head === head, `after ${n - 10} redone blocks`).toBe(n < 10 + 2 * UNDONE)
  }
  expect(tree.head.meta).toBe(tip)
})

test('n36-31: what was kept on trust beside the chain leads in one step once it is looked at again, and not block by block', () => {
  const root = block(0, undefined)
  const tree = new BlockTree(root, 3, 0, 4)
  const kept: TreeNode[] = []
  let last = root.meta
  for (let n = 1; n <= 5; n++) {
    const b = block(n, last, 1n, n <= 2 || n === 5 ? 'ledger' : 'replayed')
    last = b.meta
    kept.push(b)
    tree.insert(b, false)
  }
  // Beside its second block a lighter one, and on the last a block that nobody may follow.
  tree.insert(block(8, kept[0].meta, 0n, 'ledger'), false)
  const condemned = block(9, last)
  condemned.condemned = true
  tree.insert(condemned, false)
  expect(tree.head).toBe(root)
  expect(tree.reconsider()).toEqual({ removed: [], added: kept })
  expect(tree.head).toBe(kept[4])
  expect(tree.reconsider()).toBeUndefined()
})

test('n39-538: a condemned block that was ripe falls too when so much above it goes that it is ripe no more', () => {
  const MATURITY = 3
  // Blocks 1 to 7 of one chain, some of them condemned, one of them on trust: which goes, and where the head falls to.
  const cases: ReadonlyArray<{ condemned: readonly number[], trusted?: number, goes: number, head: number }> = [
    { condemned: [2], goes: 3, head: 1 },
    { condemned: [2], goes: 5, head: 1 },
    { condemned: [2], goes: 6, head: 5 },
    { condemned: [2], trusted: 4, goes: 6, head: 1 },
    // The upper one takes with it what made the lower one ripe.
    { condemned: [1, 4], goes: 6, head: 0 },
    { condemned: [1, 4], goes: 7, head: 0 },
    { condemned: [2, 4], goes: 7, head: 1 },
    { condemned: [1], goes: 7, head: 6 }
  ]
  for (const { condemned, trusted, goes, head } of cases) {
    const all = [block(0, undefined)]
    const tree = new BlockTree(all[0], 1, MATURITY, 1)
    for (let n = 1; n <= 7; n++) {
      all.push(block(n, all[n - 1].meta, 1n, n === trusted ? 'ledger' : 'replayed'))
      tree.insert(all[n])
    }
    for (const n of condemned) all[n].condemned = true
    const { change } = tree.remove(all[goes])
    expect(tree.head.meta.height, JSON.stringify({ condemned, trusted, goes })).toBe(head)
    expect(change).toEqual({ removed: all.slice(head + 1), added: [] })
    // Beside what was left the work goes on.
    const beside = block(20, all[head].meta)
    if (head < goes - 1) expect(tree.insert(beside)).toEqual({ removed: [], added: [beside] })
  }
})
