import { describe, expect, it } from 'vitest'
import { toHex } from '../../src/core/codec/ssz.ts'
import type { Block } from '../../src/core/codec/wire.ts'
import { type BlockMeta, compareChains } from '../../src/core/consensus/chain.ts'
import { claimId } from '../../src/core/crypto/ids.ts'
import type { BlockRecord } from '../../src/node/parts.ts'
import { CHAIN_LIMITS, ORPHAN_MS, RETRIES } from '../../src/node/held.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { ChainKit, keyPair, type Mined } from '../core/chainKit.ts'
import { kitTime, ManualClock, rig, settle, type Rig } from './chainRig.ts'

const hex = (m: BlockMeta): string => toHex(m.hash)

/** `count` blocks on `parent`, each with its own body. */
function branch (kit: ChainKit, parent: BlockMeta, count: number, miner = 1): Mined[] {
  const out: Mined[] = []
  let tip = parent
  for (let i = 0; i < count; i++) {
    out.push(kit.mine(tip, { miner: keyPair(miner) }))
    tip = out[i].meta
  }
  return out
}

async function feed (r: Rig, blocks: readonly Mined[], via = 'peer'): Promise<void> {
  for (const b of blocks) {
    const result = await r.chain.submitAs(b.block, { mode: 'full', origin: via, via, blame: via })
    if (result.status !== 'added') throw new Error(JSON.stringify(result))
  }
}

describe('fork choice', () => {
  it('follows the heaviest chain and says which blocks left and joined', async () => {
    const r = rig()
    const short = branch(r.kit, r.kit.genesis, 3, 1)
    const long = branch(r.kit, short[0].meta, 4, 2)
    const moves: Array<{ removed: string[], added: string[] }> = []
    await feed(r, short)
    r.chain.on('head', (e) => { moves.push({ removed: e.removed.map((b) => hex(b.meta)), added: e.added.map((b) => hex(b.meta)) }) })
    await feed(r, long)
    expect(hex(r.chain.head())).toBe(hex(long[3].meta))
    const reorg = moves.find((m) => m.removed.length > 0)!
    expect(reorg.removed).toEqual(short.slice(1).map((b) => hex(b.meta)))
    expect(reorg.added.slice(0, 2)).toEqual(long.slice(0, 2).map((b) => hex(b.meta)))
    expect(moves.flatMap((m) => m.added).slice(-1)).toEqual([hex(long[3].meta)])
    expect(hex(r.chain.at(2)!.meta)).toBe(hex(long[0].meta))
    expect(r.chain.get(short[2].meta.hash)?.checked).toBe('replayed')
    expect(r.chain.isMain(short[2].meta.hash)).toBe(false)
  })

  it('comes out the same whatever the order of arrival', async () => {
    const kit = new ChainKit()
    const blocks = [1, 2, 3].flatMap((m) => branch(kit, kit.genesis, 3, m))
    const best = blocks.map((b) => b.meta).reduce((a, b) => compareChains(a, b) > 0 ? a : b)
    for (const order of [blocks, [...blocks].reverse(), blocks.filter((_, i) => i % 2 === 0).concat(blocks.filter((_, i) => i % 2 === 1))]) {
      const r = rig({ kit })
      await Promise.all(order.map((b) => r.chain.submit(b.block, 'p', 'p')))
      await settle()
      expect(hex(r.chain.head())).toBe(hex(best))
    }
  })

  it('knows a block it has, and answers two askers of one block alike', async () => {
    const r = rig()
    const { block } = r.kit.mine(r.kit.genesis)
    const both = await Promise.all([r.chain.submit(block, 'a', 'a'), r.chain.submit(block, 'b', 'b')])
    expect(both.map((x) => x.status).sort()).toEqual(['added', 'known'])
    expect((await r.chain.submit(block)).status).toBe('known')
    expect(r.replay.replayed).toHaveLength(1)
  })
})

describe('what cannot be judged yet', () => {
  it('holds an orphan, asks for its parent, and takes it up when the parent comes', async () => {
    const r = rig()
    const [a, b, c] = branch(r.kit, r.kit.genesis, 3)
    const missing: string[] = []
    r.chain.on('missing', (e) => { missing.push(`${toHex(e.parent)} ${e.via}`) })
    expect(await r.chain.submit(c.block, 'o', 'v')).toMatchObject({ status: 'held', refusal: { verdict: 'orphan' } })
    expect(await r.chain.submit(b.block, 'o', 'v')).toMatchObject({ status: 'held', refusal: { verdict: 'orphan' } })
    expect(missing).toEqual([`${hex(b.meta)} v`, `${hex(a.meta)} v`])
    expect(r.replay.replayed).toHaveLength(0)
    await r.chain.submit(a.block, 'o', 'v')
    await settle()
    expect(hex(r.chain.head())).toBe(hex(c.meta))
    expect(r.chain.held().orphans).toBe(0)
  })

  it('forgets an orphan whose parent never comes, and names it once the chain has passed it by', async () => {
    const r = rig()
    const main = branch(r.kit, r.kit.genesis, 2, 1)
    const other = branch(r.kit, r.kit.genesis, 4, 2)
    await r.chain.submit(other[1].block, 'o', 'v')
    await r.chain.submit(other[3].block, 'o', 'ahead')
    await feed(r, main)
    await r.clock.advance(ORPHAN_MS - 1)
    expect(r.chain.held().orphans).toBe(2)
    await r.clock.advance(1)
    expect(r.chain.held().orphans).toBe(0)
    expect(r.refused).toMatchObject([{ reason: 'header-parent', peer: 'v', fatal: false }])
  })

  it('bounds orphans per peer, in count and in bytes', async () => {
    const r = rig({ limits: { ...CHAIN_LIMITS, orphans: { count: 8, bytes: 1 << 20, perPeer: 3 }, waiting: { count: 1, bytes: 1, perPeer: 1 } } })
    const root = r.kit.mine(r.kit.genesis).meta
    const orphans = Array.from({ length: 12 }, (_, i) => r.kit.mine(root, { slice: i }).block)
    const flood = await Promise.all(orphans.slice(0, 6).map(async (b) => await r.chain.submit(b, 'x', 'flooder')))
    expect(flood.filter((x) => x.status === 'held')).toHaveLength(3)
    expect(flood.filter((x) => x.status === 'refused')).toHaveLength(3)
    for (let i = 6; i < 12; i++) expect((await r.chain.submit(orphans[i], 'x', `honest ${i}`)).status).toBe('held')
    expect(r.chain.held().orphans).toBe(8)
    expect(r.replay.replayed).toHaveLength(0)
  })

  it('holds a block from the future until its time and refuses one from far ahead', async () => {
    const kit = new ChainKit()
    const r = rig({ kit, clock: new ManualClock(kitTime(kit, 1)) })
    const soon = kit.mine(kit.genesis, { timeMs: kitTime(kit, 1) + kit.params.futureMs + 5_000 })
    const far = kit.mine(kit.genesis, { timeMs: kitTime(kit, 1) + 24 * 3_600_000 })
    expect(await r.chain.submit(soon.block, 'o', 'v')).toMatchObject({ status: 'held', refusal: { verdict: 'future', reason: 'header-time-future' } })
    expect(await r.chain.submit(far.block, 'o', 'v')).toMatchObject({ status: 'refused', refusal: { verdict: 'future' } })
    await r.clock.advance(4_000)
    expect(r.chain.head().height).toBe(0)
    await r.clock.advance(2_000)
    expect(hex(r.chain.head())).toBe(hex(soon.meta))
    expect(r.refused).toEqual([])
  })

  it('retries an unavailable block and takes it once its data is there', async () => {
    const r = rig()
    const { block, meta } = r.kit.mine(r.kit.genesis)
    r.replay.unavailable.add(hex(meta))
    expect(await r.chain.submit(block, 'o', 'v')).toMatchObject({ status: 'held', refusal: { verdict: 'unavailable', reason: 'replay-unavailable' } })
    await r.clock.advance(2_500)
    expect(r.chain.head().height).toBe(0)
    r.replay.unavailable.clear()
    await r.clock.advance(5_000)
    expect(hex(r.chain.head())).toBe(hex(meta))
    expect(r.refused).toEqual([])
  })

  it('retries at once when peers come, and gives up unseen after the last retry', async () => {
    const r = rig()
    const { block, meta } = r.kit.mine(r.kit.genesis)
    r.replay.unavailable.add(hex(meta))
    await r.chain.submit(block, 'o', 'v')
    r.replay.unavailable.clear()
    r.chain.retryUnavailable()
    await settle()
    expect(hex(r.chain.head())).toBe(hex(meta))
    const next = r.kit.mine(meta)
    r.replay.unavailable.add(hex(next.meta))
    await r.chain.submit(next.block, 'o', 'v')
    for (let i = 0; i <= RETRIES; i++) await r.clock.advance(31_000)
    expect(r.chain.held().waiting).toBe(0)
    expect(hex(r.chain.head())).toBe(hex(meta))
    expect(r.refused).toEqual([])
  })

  it('verifies a bounded number at once and of one peer', async () => {
    const kit = new ChainKit()
    const r = rig({ kit, verifyLimits: { running: 2, waiting: 4, perPeer: 3 }, limits: { ...CHAIN_LIMITS, orphans: { count: 1, bytes: 1, perPeer: 1 }, waiting: { count: 64, bytes: 1 << 20, perPeer: 1 } } })
    let open = (): void => {}
    r.replay.gate = new Promise((resolve) => { open = resolve })
    const blocks = Array.from({ length: 6 }, (_, i) => kit.mine(kit.genesis, { slice: i }).block)
    const results = Promise.all(blocks.map(async (b) => await r.chain.submitAs(b, { mode: 'full', origin: 'x', via: 'flooder', blame: 'flooder' })))
    await settle()
    open()
    const statuses = (await results).map((x) => x.status)
    expect(statuses.filter((s) => s === 'added')).toHaveLength(3)
    expect(statuses.filter((s) => s === 'held')).toHaveLength(1)
    expect(statuses.filter((s) => s === 'refused')).toHaveLength(2)
    expect(r.refused).toEqual([])
  })
})

describe('what is refused', () => {
  it('replays one of the forged blocks that a peer brings at once, and nothing of the others', async () => {
    const r = rig()
    let open = (): void => {}
    r.replay.gate = new Promise((resolve) => { open = resolve })
    const forged = Array.from({ length: 6 }, (_, i) => r.kit.mine(r.kit.genesis, { slice: i, miner: keyPair(7 + i) }))
    const right = r.kit.mine(r.kit.genesis, { slice: 20 })
    for (const b of forged) r.replay.wrong.add(hex(b.meta))
    const flood = Promise.all([...forged, right].map(async (b) => await r.chain.submit(b.block, 'x', 'flooder')))
    await settle()
    open()
    expect((await flood).map((x) => x.status)).toEqual(Array.from({ length: 7 }, () => 'refused'))
    expect(r.replay.replayed).toEqual([hex(forged[0].meta)])
    await r.clock.advance(31_000)
    expect(r.replay.replayed).toHaveLength(1)
    // What was right among them is nobody's fault, and comes by another way.
    expect((await r.chain.submit(right.block, 'x', 'other')).status).toBe('added')
  })

  it('names a wrong replay, blames the peer and the miner, and remembers', async () => {
    const r = rig()
    const bad = r.kit.mine(r.kit.genesis, { miner: keyPair(7) })
    r.replay.wrong.add(hex(bad.meta))
    expect(await r.chain.submit(bad.block, 'o', 'liar')).toMatchObject({ status: 'refused', refusal: { verdict: 'invalid', reason: 'result-hash' } })
    expect(r.refused).toEqual([expect.objectContaining({ reason: 'result-hash', peer: 'liar', miner: toHex(keyPair(7).key), fatal: true })])
    expect((await r.chain.submit(bad.block, 'o', 'other')).status).toBe('refused')
    expect(r.replay.replayed).toHaveLength(1)
    expect(r.chain.head().height).toBe(0)
  })

  it('does not let a forged body or signature poison the block itself', async () => {
    const r = rig()
    const good = r.kit.mine(r.kit.genesis)
    const otherBody: Block = { header: good.block.header, body: { transactions: [r.kit.transfer(r.kit.genesis, keyPair(1), keyPair(2).key, 1n)], seals: [] } }
    const otherSignature: Block = { header: { ...good.block.header, signature: new Uint8Array(64) }, body: good.block.body }
    expect(await r.chain.submit(otherBody, 'o', 'a')).toMatchObject({ status: 'refused', refusal: { reason: 'body-root' } })
    expect(await r.chain.submit(otherSignature, 'o', 'b')).toMatchObject({ status: 'refused', refusal: { reason: 'header-signature' } })
    expect(r.refused.map((x) => x.miner)).toEqual([undefined, undefined])
    expect((await r.chain.submit(good.block, 'o', 'c')).status).toBe('added')
  })

  it('replays nothing that the rules refuse without it', async () => {
    const r = rig()
    const good = r.kit.block(r.kit.genesis)
    const template = { ...good.header.template, stateRoot: new Uint8Array(32) }
    const bad = { header: r.kit.claim(template, r.kit.genesis.ledger.jobs[0].spec, keyPair(1)), body: good.body }
    expect(await r.chain.submit(bad, 'o', 'v')).toMatchObject({ status: 'refused', refusal: { reason: 'state-root' } })
    expect(r.replay.replayed).toHaveLength(0)
  })

  it('refuses what forks off below its base as stale, without blame', async () => {
    const kit = new ChainKit({ ...new ChainKit().params, historyBlocks: 10 })
    const r = rig({ kit })
    const main = branch(kit, kit.genesis, 30)
    await feed(r, main)
    expect(r.chain.baseHeight()).toBe(10)
    const fork = kit.mine(main[4].meta, { miner: keyPair(2) })
    expect(await r.chain.submit(fork.block, 'o', 'v')).toMatchObject({ status: 'refused', refusal: { verdict: 'stale' } })
    expect(r.refused).toEqual([])
    expect(r.chain.at(25)).toBeDefined()
    expect(r.chain.at(15)).toBeUndefined()
    expect(r.chain.metaAt(15)).toBeDefined()
  })
})

describe('seals in blocks', () => {
  const sealed = (kit: ChainKit): { base: Mined[], block: Mined, contribution: Uint8Array } => {
    const base = branch(kit, kit.genesis, kit.params.committeeBlocks + 1)
    const tip = base[base.length - 1].meta
    const block = kit.sealRound(tip, [keyPair(1)])
    return { base, block, contribution: claimId(block.block.body.seals[0].seal.contributions[0]) }
  }

  it('recomputes the state of a seal before it takes the block', async () => {
    const r = rig()
    const { base, block } = sealed(r.kit)
    await feed(r, base)
    r.states.unavailable = true
    expect(await r.chain.submit(block.block, 'o', 'v')).toMatchObject({ status: 'held', refusal: { reason: 'seal-state-unavailable' } })
    r.states.unavailable = false
    r.chain.retryUnavailable()
    await settle()
    expect(hex(r.chain.head())).toBe(hex(block.meta))
  })

  it('refuses a block whose seal stands on a bad payload', async () => {
    const r = rig()
    const { base, block } = sealed(r.kit)
    await feed(r, base)
    r.states.badPayload = true
    expect(await r.chain.submit(block.block, 'o', 'v')).toMatchObject({ status: 'refused', refusal: { reason: 'seal-payload' } })
  })

  it('condemns every block that carries a wrong contribution, and all after it', async () => {
    const r = rig()
    const { base, block, contribution } = sealed(r.kit)
    const after = branch(r.kit, block.meta, 2)
    const other = branch(r.kit, base[base.length - 1].meta, 1, 2)
    await feed(r, [...base, block, ...after, ...other])
    const moves: Array<{ head: string, removed: number, added: readonly BlockRecord[] }> = []
    r.chain.on('head', (e) => { moves.push({ head: hex(e.head), removed: e.removed.length, added: e.added }) })
    await r.chain.condemn(contribution, 'replay gave another result')
    expect(moves).toMatchObject([{ head: hex(other[0].meta), removed: 3 }])
    expect(r.chain.get(block.meta.hash)).toBeUndefined()
    expect(await r.chain.submit(block.block, 'o', 'v')).toMatchObject({ status: 'refused', refusal: { reason: 'contribution-wrong' } })
    const again = r.kit.block(other[0].meta)
    expect((await r.chain.submit(again, 'o', 'v')).status).toBe('added')
  })

  it('tells of every block that somebody shows with a contribution that is known to be wrong', async () => {
    const r = rig()
    const { base, block, contribution } = sealed(r.kit)
    await feed(r, [...base, block])
    const shown: number[] = []
    r.chain.on('carrier', (body) => { shown.push(body.seals.length) })
    await r.chain.condemn(contribution, 'replay gave another result')
    for (let i = 0; i < 2; i++) await r.chain.submit(block.block, 'o', 'v')
    expect(shown).toEqual([1, 1])
    // Whoever hangs another body on that header says nothing.
    const invented = { ...block.block, body: { ...block.block.body, seals: Array.from({ length: 8 }, () => block.block.body.seals[0]) } }
    expect(await r.chain.submit(invented, 'o', 'v')).toMatchObject({ status: 'refused' })
    expect(shown).toEqual([1, 1])
  })

  it('takes a condemned contribution where it is ripe, and what stands on it, for nobody can be told any more', async () => {
    const disk = new MemoryDisk()
    const r = rig({ storage: new MemoryStorage(disk) })
    const { base, block, contribution } = sealed(r.kit)
    const { maturity } = r.kit.params
    const after = branch(r.kit, block.meta, maturity)
    await feed(r, [...base, block, after[0]])
    await r.chain.condemn(contribution, 'replay gave another result')
    // Its own chain goes on meanwhile, and loses.
    const own = branch(r.kit, base[base.length - 1].meta, 2, 2)
    await feed(r, own)
    expect(await r.chain.submitAs(block.block, { mode: 'full', origin: 'o' })).toMatchObject({ status: 'refused', refusal: { reason: 'contribution-wrong' } })
    expect((await r.chain.submitAs(after[0].block, { mode: 'full', origin: 'o' })).status).not.toBe('added')
    // That it is ripe is somebody's word so far: it leads nowhere until the blocks above it are here and redone.
    const first = hex(own[1].meta)
    expect(await r.chain.submitAs(block.block, { mode: 'full', origin: 'o', ripe: true })).toMatchObject({ status: 'added', head: false })
    expect(hex(r.chain.head())).toBe(first)
    for (const b of after) {
      expect(hex(r.chain.head())).toBe(first)
      // The first of them was held until its parent came.
      expect((await r.chain.submitAs(b.block, { mode: 'full', origin: 'o' })).status).toMatch(/added|known/)
    }
    const head = hex(after[maturity - 1].meta)
    expect(hex(r.chain.head())).toBe(head)
    // Nor does it fall with the next one that is condemned, or with a reload.
    await r.chain.condemn(new Uint8Array(32).fill(7), 'another one')
    expect(hex(r.chain.head())).toBe(head)
    await r.chain.stop()
    const again = rig({ kit: r.kit, storage: new MemoryStorage(disk) })
    await again.chain.loadFromStorage()
    expect(hex(again.chain.head())).toBe(head)
  })

  it('does not extend its head by a condemned block that a promise of more calls ripe, nor by work above it that was not redone', async () => {
    const r = rig()
    const { base, block, contribution } = sealed(r.kit)
    await feed(r, base)
    await r.chain.condemn(contribution, 'replay gave another result')
    const head = hex(base[base.length - 1].meta)
    expect((await r.chain.submitAs(block.block, { mode: 'full', origin: 'o', ripe: true })).status).toBe('added')
    expect(hex(r.chain.head())).toBe(head)
    for (const b of branch(r.kit, block.meta, 2 * r.kit.params.maturity)) await r.chain.submitAs(b.block, { mode: 'ledger', origin: 'o' })
    expect(hex(r.chain.head())).toBe(head)
    const next = r.kit.mine(base[base.length - 1].meta, { miner: keyPair(2) })
    expect(await r.chain.submit(next.block, 'o', 'v')).toMatchObject({ status: 'added', head: true })
  })

  it('lets a condemned block go however high work taken on trust has raised the head above it', async () => {
    const r = rig()
    const { base, block, contribution } = sealed(r.kit)
    await feed(r, [...base, block])
    for (const b of branch(r.kit, block.meta, r.kit.params.maturity + 2)) expect(await r.chain.submitAs(b.block, { mode: 'ledger', origin: 'o' })).toMatchObject({ status: 'added', head: true })
    await r.chain.condemn(contribution, 'replay gave another result')
    expect(hex(r.chain.head())).toBe(hex(base[base.length - 1].meta))
  })

  it('does not go back to a block whose contribution is condemned while another chain is proved', async () => {
    const r = rig()
    const { base, block, contribution } = sealed(r.kit)
    await feed(r, [...base, block])
    const fetched = branch(r.kit, r.kit.genesis, 30, 2)[29].meta
    r.chain.adopt(fetched, r.kit.genesis, [], { headers: 30, signatures: 30, height: 30, bytes: 1 })
    await r.chain.condemn(contribution, 'replay gave another result')
    r.chain.distrust(fetched.hash)
    expect(hex(r.chain.head())).toBe(hex(base[base.length - 1].meta))
  })

  it('refuses a block whose contribution is condemned while it is being verified', async () => {
    const r = rig()
    const { base, block, contribution } = sealed(r.kit)
    await feed(r, base)
    let open = (): void => {}
    r.replay.gate = new Promise((resolve) => { open = resolve })
    const result = r.chain.submit(block.block, 'o', 'v')
    await settle()
    await r.chain.condemn(contribution, 'just found')
    open()
    expect(await result).toMatchObject({ status: 'refused', refusal: { reason: 'contribution-wrong' } })
  })
})

describe('work taken on trust', () => {
  it('may lengthen the chain but not replace it until enough of it is redone', async () => {
    const r = rig({ kit: new ChainKit({ ...new ChainKit().params, joinReplayBlocks: 2 }) })
    const own = branch(r.kit, r.kit.genesis, 2, 1)
    const forged = branch(r.kit, r.kit.genesis, 4, 2)
    await feed(r, own)
    for (const b of forged) expect((await r.chain.submitAs(b.block, { mode: 'ledger', via: 'v', blame: 'v' })).status).toBe('added')
    expect(hex(r.chain.head())).toBe(hex(own[1].meta))
    expect(r.chain.get(forged[3].meta.hash)?.checked).toBe('ledger')
    expect(r.replay.replayed).toHaveLength(2)
    r.chain.markReplayed(forged[3].meta.hash)
    expect(hex(r.chain.head())).toBe(hex(own[1].meta))
    r.chain.markReplayed(forged[2].meta.hash)
    expect(hex(r.chain.head())).toBe(hex(forged[3].meta))
    const longer = branch(r.kit, forged[3].meta, 1, 2)
    expect(await r.chain.submitAs(longer[0].block, { mode: 'ledger' })).toEqual({ status: 'added', head: true })
  })

  it('is dropped with everything that stands on it', async () => {
    const r = rig()
    const [root] = branch(r.kit, r.kit.genesis, 1)
    await feed(r, [root])
    const forged = branch(r.kit, root.meta, 5, 2)
    for (const b of forged) await r.chain.submitAs(b.block, { mode: 'ledger' })
    expect(hex(r.chain.head())).toBe(hex(forged[4].meta))
    r.chain.distrust(forged[0].meta.hash)
    expect(hex(r.chain.head())).toBe(hex(root.meta))
    for (const b of forged) expect(r.chain.get(b.meta.hash)).toBeUndefined()
    // Not refused for good: the work may have been done after all.
    expect((await r.chain.submit(forged[0].block, 'o', 'v')).status).toBe('added')
  })

  it('keeps the way back open: the base does not pass the last block that was redone', async () => {
    const kit = new ChainKit({ ...new ChainKit().params, historyBlocks: 5 })
    const r = rig({ kit })
    const forged = branch(kit, kit.genesis, 40, 2)
    for (const b of forged) await r.chain.submitAs(b.block, { mode: 'ledger' })
    expect(r.chain.baseHeight()).toBe(0)
    r.chain.refute(forged[39].meta.hash, { verdict: 'invalid', reason: 'result-hash', detail: 'a test says so' })
    expect(r.chain.head().height).toBe(0)
    expect(r.refused).toMatchObject([{ reason: 'result-hash', miner: toHex(keyPair(2).key), fatal: true }])
  })
})
