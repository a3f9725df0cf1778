/** What a wallet has called sent is not lost: on a full disk, beside other tabs of the profile, beside another device. */
import { describe, expect, it } from 'vitest'
import { Mempool, REBROADCAST_MS } from '../../src/node/mempool.ts'
import { WRITE_RETRY_MS } from '../../src/node/persist.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { keyPair } from '../core/chainKit.ts'
import { rig, type Rig } from './chainRig.ts'

const owner = keyPair(1)

describe('a transfer whose block is in memory only, for the disk is full', () => {
  async function poolOf (r: Rig, storage: MemoryStorage): Promise<Mempool> {
    const pool = new Mempool({ params: r.kit.params, clock: r.clock, signatures: r.signatures, chain: r.chain, blocks: r.store, storage, log: r.log, own: [owner.key], publish: () => {} })
    await pool.start()
    return pool
  }

  /** A lone tab with a transfer in its newest block, and no room for that block. */
  async function fullTab (): Promise<{ readonly r: Rig, readonly pool: Mempool, readonly disk: MemoryDisk }> {
    const disk = new MemoryDisk()
    const storage = new MemoryStorage(disk)
    const r = rig({ storage })
    const tip = r.kit.grown()
    for (const block of r.kit.blocks(tip)) await r.chain.submitOwn(block)
    const pool = await poolOf(r, storage)
    expect(await pool.add(r.kit.transfer(tip, owner, keyPair(9).key, 10n))).toBeUndefined()
    await r.store.idle()
    disk.quota = disk.used
    expect(await r.chain.submitOwn(r.kit.block(tip, { transactions: pool.select(tip) }))).toMatchObject({ status: 'added', head: true })
    expect(r.store.state.ok).toBe(false)
    expect(await r.store.written()).toBe(false)
    await pool.idle()
    expect(pool.size).toBe(0)
    return { r, pool, disk }
  }

  it('stays on disk, and waits again if the tab dies before there is room', async () => {
    const { r, disk } = await fullTab()
    disk.quota = undefined
    const storage = new MemoryStorage(disk)
    const again = rig({ kit: r.kit, storage })
    expect((await again.chain.loadFromStorage()).height).toBe(r.chain.head().height - 1)
    expect((await poolOf(again, storage)).pending(owner.key)).toHaveLength(1)
  })

  it('leaves the disk once the block is there', async () => {
    const { r, pool, disk } = await fullTab()
    await r.clock.advance(REBROADCAST_MS)
    await pool.idle()
    expect(disk.table('pool').keys).toHaveLength(1)
    disk.quota = undefined
    await r.clock.advance(WRITE_RETRY_MS + REBROADCAST_MS)
    await pool.idle()
    expect(r.store.state.ok).toBe(true)
    expect(disk.table('pool').keys).toEqual([])
  })
})
