/** Data sets whose jobs have ended: what was fetched leaves the disk, what the user brought stays. */
import { describe, expect, test } from 'vitest'
import type { JobSpec } from '../../src/core/codec/jobSpec.ts'
import { toHex } from '../../src/core/codec/ssz.ts'
import { type BlockMeta, genesis } from '../../src/core/consensus/chain.ts'
import { recordsPerChunk } from '../../src/core/training/dataset.ts'
import { createMemoryHub } from '../../src/net/memory.ts'
import { DATA_PROTOCOL, Datasets, LEFT_MS } from '../../src/node/datasets.ts'
import { RingLog } from '../../src/node/log.ts'
import type { ChainService } from '../../src/node/parts.ts'
import { Refusals } from '../../src/node/refusals.ts'
import type { Network } from '../../src/ports/network.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { ManualClock } from './chainRig.ts'
import { noTorrents, SeededRandom, smallData, workParams, workSpec } from './workRig.ts'

// Five chunks of 1,024 records.
const data = smallData(4_500, 4_000, 3, 256)
const spec: JobSpec = { ...workSpec, data: data.ref }
const head = genesis(workParams, spec)
const NOTHING = new Uint8Array(0)

describe('data sets that no job needs any more', () => {
  const part = recordsPerChunk(data.ref)
  const [job] = head.ledger.jobs
  const ended = { ...head, ledger: { ...head.ledger, jobs: [{ ...job, status: 'cancelled', endedAt: 5 } as const] } }
  /** A tab whose jobs the test ends, beside a peer that gives so many chunks. */
  async function tab (chunks: number) {
    const disk = new MemoryDisk()
    const clock = new ManualClock(1_700_000_000_000)
    const hub = createMemoryHub({ clock, latencyMs: 5 })
    const log = new RingLog(clock)
    const net = hub.join('me')
    const make = (network: Network, disk: MemoryDisk, chain: Pick<ChainService, 'head' | 'on'>): Datasets => new Datasets({
      storage: new MemoryStorage(disk), network, chain, clock, random: new SeededRandom(1), blame: new Refusals({ clock, network, log }), log, torrents: noTorrents
    })
    const owner = make(hub.join('owner'), new MemoryDisk(), { head: () => head, on: () => () => {} })
    await owner.start()
    await owner.add(data)
    hub.cut('me', 'owner')
    const relay = hub.join('relay')
    const given = new Set<string>()
    await relay.handle(DATA_PROTOCOL, { maxRequestBytes: 64, maxResponseBytes: 1 << 20, perPeerPerSecond: 100 }, async (_, body) => {
      if (given.size === chunks || given.has(toHex(body))) return NOTHING
      given.add(toHex(body))
      return await relay.request('owner', DATA_PROTOCOL, body, { timeoutMs: 1000, maxResponseBytes: 1 << 20 })
    })
    let at: BlockMeta = head
    let moved = (): void => {}
    const start = async (): Promise<Datasets> => {
      const sets = make(net, disk, { head: () => at, on: (_, listener) => { moved = listener as () => void; return () => {} } })
      await sets.start()
      return sets
    }
    const until = async (test: () => boolean): Promise<void> => {
      for (let i = 0; i < 200 && !test(); i++) await clock.advance(100)
      expect(test()).toBe(true)
    }
    const storage = new MemoryStorage(disk)
    return { clock, hub, storage, owner, start, until, become: (meta: BlockMeta) => { at = meta; moved() }, stored: async () => (await storage.keys('data')).length }
  }

  test('leave the disk when they were fetched in part, a while after', async () => {
    const t = await tab(2)
    const mine = await t.start()
    await t.until(() => mine.progress(data.ref.root).have === 2 * part)
    t.become(ended)
    await t.clock.advance(LEFT_MS / 2)
    expect(await t.stored()).toBe(2)
    // Old blocks are redone: it is wanted once more, and its time begins anew.
    mine.want(spec)
    await t.clock.advance(1_000)
    t.become(ended)
    await t.clock.advance(LEFT_MS - 2_000)
    expect(await t.stored()).toBe(2)
    // Nor does its end come while it is being fetched.
    mine.want(spec)
    await t.clock.advance(LEFT_MS)
    expect(await t.stored()).toBe(2)
    t.become(ended)
    await t.clock.advance(LEFT_MS + 30_000)
    expect(await t.stored()).toBe(0)
    await mine.stop()
    await t.owner.stop()
  })

  test('stay while another job needs them, and go on where they were', async () => {
    const t = await tab(2)
    const mine = await t.start()
    await t.until(() => mine.progress(data.ref.root).have === 2 * part)
    t.become(ended)
    await t.clock.advance(20_000)
    t.become(head)
    await t.until(() => mine.progress(data.ref.root).have === 2 * part)
    await t.clock.advance(LEFT_MS)
    expect(await t.stored()).toBe(2)
    t.hub.heal()
    await t.until(() => mine.held(data.ref.root) !== undefined)
    await t.clock.advance(2 * LEFT_MS)
    expect(await t.stored()).toBe(5)
    await mine.stop()
    await t.owner.stop()
  })

  test.each([['whole', 5], ['in part', 2]] as const)('leave the disk at the next start if they were fetched %s and their job ended while the tab was closed', async (_, chunks) => {
    const t = await tab(chunks)
    const before = await t.start()
    await t.until(() => before.progress(data.ref.root).have >= Math.min(chunks * part, data.records))
    await before.stop()
    await t.clock.advance(20_000)
    // Of the open job it goes on.
    const open = await t.start()
    await t.clock.advance(1_000)
    await open.stop()
    expect(await t.stored()).toBe(chunks)
    t.become(ended)
    const after = await t.start()
    expect(await t.stored()).toBe(0)
    await after.stop()
    await t.owner.stop()
  })

  test('stay if the user brought them, though the note of it is damaged', async () => {
    const t = await tab(0)
    t.become(ended)
    const before = await t.start()
    await before.add(data)
    await before.stop()
    const after = await t.start()
    expect(after.held(data.ref.root)).toBeDefined()
    await after.stop()
    const note = (await t.storage.keys('data')).find(key => key.endsWith('/note'))!
    await t.storage.commit([{ op: 'put', store: 'data', key: note, value: Uint8Array.of(1) }])
    const last = await t.start()
    last.want(spec)
    t.become(ended)
    await t.clock.advance(2 * LEFT_MS)
    expect(await t.stored()).toBe(6)
    await last.stop()
    await t.owner.stop()
  })
})
