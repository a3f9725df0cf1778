/** A chain of many headers is linked in parts: by one peer after another, and packed where the rules have left them behind. */
import { expect, it } from 'vitest'
import { equalBytes, toHex } from '../../src/core/codec/ssz.ts'
import type { HeaderMeta } from '../../src/core/consensus/chain.ts'
import { appendHeaders, extendHeader } from '../../src/core/consensus/header.ts'
import { createMemoryHub } from '../../src/net/memory.ts'
import { PACKED_AT_ONCE, packOld } from '../../src/node/packedHeaders.ts'
import { treeDepths } from '../../src/node/tree.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import type { StorageOp } from '../../src/ports/storage.ts'
import { ChainKit, type Mined } from '../core/chainKit.ts'
import { ManualClock, rig } from './chainRig.ts'
import { Branch, honest, honestMiner, kit, ledgersOf, params, redoing, tip, world } from './forgedRig.ts'
import { hex, node, run, stranger, type World } from './syncRig.ts'

/** Shows the headers of its first answer, and none after it. */
async function fallsSilent (w: World, id: string, blocks: readonly Mined[]): Promise<void> {
  let answers = 0
  await stranger(w, id, blocks, { busy: protocol => protocol.endsWith('headers') && ++answers > 1 })
}

it('what a peer showed before it fell silent is gone on from by the next one', async () => {
  const w = world()
  const found: HeaderMeta[][] = []
  const snapshots = ledgersOf(48, headers => { found.push([...headers]); return honest[149].meta })
  const a = redoing(await node(w, 'a', new MemoryDisk(), { snapshots }))
  await fallsSilent(w, 'mute', honest)
  await run(a)
  await w.clock.advance(60_000)
  expect(a.chain.head().height).toBe(0)
  let shown = 0
  await stranger(w, 'b', honest, { headers: hs => { shown += hs.length; return hs } })
  await w.clock.advance(10_000)
  expect(hex(a.chain.head())).toBe(hex(tip))
  expect(shown).toBe(honest.length - 128)
  expect(found.map(headers => [headers[0].height, headers.length])).toEqual([[1, honest.length]])
}, 60_000)

it('what a peer showed of another chain before it fell silent keeps nobody from the right one', async () => {
  const w = world()
  const snapshots = ledgersOf(48, headers => headers.some(h => equalBytes(h.hash, honest[149].meta.hash)) ? honest[149].meta : undefined)
  const a = redoing(await node(w, 'a', new MemoryDisk(), { snapshots }))
  const other = new Branch(kit.genesis)
  other.at(tip.header.template.time - 86_400_000, false)
  while (other.tip.work < 2n * tip.work) other.after(1, false)
  while (other.blocks.length < 200) other.after(60_000, false)
  await fallsSilent(w, 'mute', other.blocks)
  await run(a)
  await w.clock.advance(60_000)
  await stranger(w, 'b', honest)
  await w.clock.advance(20_000)
  expect(hex(a.chain.head())).toBe(hex(tip))
  expect(a.blame.list().map(r => r.peer)).not.toContain('b')
}, 60_000)

it('a header whose signature another has altered is no fault of who goes on from it', async () => {
  const w = world()
  const snapshots = ledgersOf(48, () => undefined)
  const a = redoing(await node(w, 'a', new MemoryDisk(), { snapshots }))
  const altered = honest.slice(0, 140).map((m, i) => i !== 125 ? m : { ...m, block: { ...m.block, header: { ...m.block.header, signature: new Uint8Array(64) } } })
  await fallsSilent(w, 'mute', altered)
  await run(a)
  await w.clock.advance(60_000)
  await stranger(w, 'b', honest.slice(0, 140))
  await w.clock.advance(120_000)
  expect(hex(a.chain.head())).toBe(hex(honest[139].meta))
  expect(a.blame.list().filter(r => r.peer === 'b')).toEqual([])
}, 60_000)

it('packed headers say what they said, and others link on them', () => {
  const chain = new Branch(kit.genesis, { by: honestMiner })
  const keep = 20
  chain.at(1_000_000_000_000, false)
  while (chain.blocks.length < PACKED_AT_ONCE + keep + 5) chain.after(100_000, false)
  const plain: HeaderMeta[] = []
  for (const { block } of chain.blocks) plain.push(extendHeader(plain.at(-1) ?? kit.genesis, block.header))
  const headers: HeaderMeta[] = []
  let packed = 0
  for (let i = 0; i < chain.blocks.length; i += 100) {
    expect(appendHeaders(params, headers, kit.genesis, chain.blocks.slice(i, i + 100).map(m => m.block.header), 2_000_000_000_000)).toBeUndefined()
    packed = packOld(headers, packed, keep)
  }
  expect(packed).toBe(PACKED_AT_ONCE)
  const told = ({ hash, header, height, work, rho, ticket }: HeaderMeta): unknown => ({ hash: toHex(hash), header, height, work, rho: toHex(rho), ticket: toHex(ticket) })
  for (const [i, h] of headers.entries()) {
    expect(told(h)).toEqual(told(plain[i]))
    expect(h.parent).toBe(headers[i - 1] ?? kit.genesis)
  }
  // Below the packed ones, too, what a rule looks back at is there.
  const other = new Branch(chain.blocks[PACKED_AT_ONCE - 1].meta)
  for (let i = 0; i < 3; i++) other.after(5_000, false)
  expect(appendHeaders(params, [], headers[PACKED_AT_ONCE - 1], other.blocks.map(m => m.block.header), 2_000_000_000_000)).toBeUndefined()
})

it('a joiner comes to a chain that leaves the forged one far below what stays decoded', async () => {
  const of = new ChainKit({ ...params, historyBlocks: 30, joinReplayBlocks: 8, genesisTarget: 10n * params.genesisTarget })
  const common = new Branch(of.genesis, { of, by: honestMiner })
  while (common.blocks.length < PACKED_AT_ONCE - 1) common.at(of.timeAfter(common.tip), false)
  const theirs = new Branch(common.tip, { of, by: honestMiner })
  while (theirs.blocks.length < 250) theirs.after(10_000, true)
  const now = theirs.tip.header.template.time
  const forged = new Branch(common.tip, { of })
  while (forged.tip.work <= theirs.tip.work) forged.after(1, false)
  const decoded = treeDepths(of.params).metas + 2 * of.params.historyBlocks
  for (let left = decoded + 1 - 15 - forged.blocks.length; left > 0; left--) forged.after(Math.floor((now - forged.tip.header.template.time) / left), false)
  while (forged.blocks.length <= decoded) forged.after(1, true)
  const clock = new ManualClock(now + 1_000)
  const w: World = { kit: of, clock, hub: createMemoryHub({ clock, latencyMs: 5 }) }
  const base = forged.blocks.at(-12)!.meta
  const snapshots = ledgersOf(32, headers => headers.some(h => equalBytes(h.hash, base.hash)) ? base : undefined)
  const a = redoing(await node(w, 'a', new MemoryDisk(), { snapshots }))
  await stranger(w, 'liar', [...common.blocks, ...forged.blocks])
  await run(a)
  await clock.advance(20_000)
  expect(a.chain.baseHeight()).toBe(base.height)
  await stranger(w, 'b', [...common.blocks, ...theirs.blocks])
  await clock.advance(120_000)
  expect(a.log.entries(1_000).map(e => e.text)).toContain('the chain of b leaves ours after block 1023: it weighs more')
  expect(hex(a.chain.head())).toBe(hex(theirs.tip))
}, 120_000)

/** From some write on nothing reaches the disk. */
class Cut extends MemoryStorage {
  left = Infinity
  override async commit (ops: readonly StorageOp[]): Promise<void> {
    if (this.left-- > 0) await super.commit(ops)
  }
}

it.each([1, 2, 3])('a reload while the headers below a ledger are written, %d commits on, finds no damage and joins anew', async commits => {
  const w = world()
  const disk = new MemoryDisk()
  const storage = new Cut(disk)
  const r = rig({ kit, clock: w.clock, storage })
  await r.chain.loadFromStorage()
  const base = honest[149].meta
  r.chain.adopt(base, kit.genesis, honest.slice(0, 149).map(m => m.meta), { headers: 150, signatures: 1, height: 150, bytes: 1 })
  storage.left = commits
  r.chain.settleAdopted()
  await r.store.idle()
  await r.chain.stop()
  const again = redoing(await node(w, 'again', disk, { snapshots: ledgersOf(48, () => base) }))
  expect(again.log.entries(1_000).map(e => e.text).filter(t => t.includes('damaged'))).toEqual([])
  expect(again.chain.baseHeight()).toBe(commits === 3 ? 150 : 0)
  await stranger(w, 'b', honest)
  await run(again)
  await w.clock.advance(120_000)
  expect(hex(again.chain.head())).toBe(hex(tip))
  expect(toHex((await again.store.settledHash(70))!)).toBe(toHex(honest[69].meta.hash))
  // Somebody else can be shown all of them.
  const next = redoing(await node(w, 'next', new MemoryDisk(), { snapshots: ledgersOf(48, () => base) }))
  w.hub.cut('next', 'b')
  await run(next)
  await w.clock.advance(30_000)
  expect(hex(next.chain.head())).toBe(hex(tip))
}, 60_000)
