/**
 * What a node may find on a torn disk, by the names of what the fuzzer found: each was taken for
 * what it is not, and broke the part that read it later.
 */
import { describe, expect, it } from 'vitest'
import { DataRef } from '../../src/core/codec/jobSpec.ts'
import { toHex } from '../../src/core/codec/ssz.ts'
import { Curve } from '../../src/node/curve.ts'
import { DatasetStore } from '../../src/node/datasetStore.ts'
import { RingLog } from '../../src/node/log.ts'
import { Payloads } from '../../src/node/payloads.ts'
import { SliceCounter } from '../../src/node/sliceCounter.ts'
import { Snapshots } from '../../src/node/snapshots.ts'
import type { StoreName } from '../../src/ports/storage.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { ManualClock } from './chainRig.ts'

const JOB = 'ab'.repeat(32)
const clock = new ManualClock(0)

async function diskWith (store: StoreName, key: string, value: string | Uint8Array): Promise<MemoryStorage> {
  const storage = new MemoryStorage(new MemoryDisk())
  await storage.commit([{ op: 'put', store, key, value: typeof value === 'string' ? new TextEncoder().encode(value) : value }])
  return storage
}

describe('a stored curve', () => {
  const point = { job: JOB, round: 1, timeMs: 5, samples: 100, accuracy: 0.5, loss: 1.25 }

  async function pointsOf (text: string): Promise<{ readonly points: readonly unknown[], readonly log: RingLog }> {
    const log = new RingLog(clock)
    const storage = await diskWith('meta', `curve/${JOB}`, text)
    const curve = new Curve({ rounds: { tips: () => [], onTip: () => () => {} }, states: {} as never, data: {} as never, compute: {} as never, storage, clock, log })
    await curve.start()
    return { points: curve.points(JOB), log }
  }

  it('comes back', async () => {
    const { points, log } = await pointsOf(JSON.stringify([point]))
    expect(points).toEqual([point])
    expect(log.entries(9)).toEqual([])
  })

  it.each(['{}', '7', '"x"', '[null]', '[{"round":"1"}]', JSON.stringify([{ ...point, accuracy: 2 }]), JSON.stringify([{ ...point, job: 'cd' }]), '[', JSON.stringify(new Array(401).fill(point))])('is none if it is %.40s', async text => {
    const { points, log } = await pointsOf(text)
    expect(points).toEqual([])
    expect(log.entries(9).map(e => e.text)).toEqual([`the stored curve of ${JOB.slice(0, 16)} is damaged`])
  })
})

describe('stored slice indices', () => {
  const miner = new Uint8Array(32)

  async function take (text: string): Promise<number[]> {
    const counter = new SliceCounter(await diskWith('meta', `trainer/slices/${toHex(miner)}`, text), new RingLog(clock), miner)
    await counter.start()
    const job = new Uint8Array(32).fill(0xab)
    return [await counter.take(job, 1, 5), await counter.take(job, 1, 5)]
  }

  it('go on where they were reserved to', async () => {
    expect(await take(`[["${JOB}/1",64,3]]`)).toEqual([64, 65])
  })

  it.each([`[["${JOB}/1","x",3]]`, `[["${JOB}/1",60.5,3]]`, `[["${JOB}/1",-1,3]]`, `[["${JOB}/1",64]]`, `[["${JOB}/1",1e300,3]]`, 'null', '[7]'])('begin anew if they are %s', async text => {
    expect(await take(text)).toEqual([0, 1])
  })
})

describe('a stored snapshot', () => {
  it.each([`${JOB}/x/${JOB}/12`, `${JOB}/0000000008/${JOB}/=20`, `${JOB}/-000000001/${JOB}/12`, `${JOB}/0000000008/${JOB}/`])('is not counted under the key %s', async key => {
    const snapshots = new Snapshots(await diskWith('states', key, new Uint8Array(12)), new RingLog(clock))
    await snapshots.start()
    expect(snapshots.has(JOB)).toBe(false)
    expect(snapshots.rounds(JOB)).toEqual([])
  })
})

describe('a stored payload', () => {
  const bytesHeld = async (key: string): Promise<number> => {
    const payloads = new Payloads({
      storage: await diskWith('payloads', key, new Uint8Array(12)), network: { handle: async () => () => {} } as never, clock,
      random: {} as never, blame: { refuse: () => {} }, log: new RingLog(clock), height: () => 9, historyBlocks: 96
    })
    await payloads.start()
    return payloads.bytesHeld
  }

  it('is counted by the size in its key', async () => {
    expect(await bytesHeld(`0000000008/${JOB}/3/${JOB}/12`)).toBe(12)
  })

  it.each([`0000000008/${JOB}/3/${JOB}/x`, `0000000008/${JOB}/3/${JOB}/`, `8/${JOB}/3/${JOB}/12`, `0000000008/${JOB}/3/${JOB}/1e99`])('is not counted under the key %s: the bound of all would be lost', async key => {
    expect(await bytesHeld(key)).toBe(0)
  })
})

describe('the note of a data set', () => {
  const ref: DataRef = { source: 1, root: new Uint8Array(32).fill(0xab), trainRecords: 6, testRecords: 3, features: 6, classes: 2 }
  const note = async (text: string, over: Partial<DataRef> = {}, log = new RingLog(clock)): Promise<unknown> => {
    const bytes = Uint8Array.of(...DataRef.serialize({ ...ref, ...over }), ...new TextEncoder().encode(text))
    return await new DatasetStore(await diskWith('data', `${JOB}/note`, bytes), log).note(JOB)
  }
  const columns = Array.from({ length: 6 }, (_, i) => [`c${i}`, '0', '1.5'])

  it('comes back', async () => {
    expect(await note('{"classNames":["a","b"],"shape":{"width":2,"height":3}}')).toEqual({ ref, display: { classNames: ['a', 'b'], shape: { width: 2, height: 3 } } })
    expect(await note('{}')).toEqual({ ref, display: { classNames: undefined, shape: undefined } })
  })

  it.each(['null', '7', '{"classNames":5}', '{"classNames":["a"]}', '{"classNames":["a",null]}', '{"shape":{"width":"2","height":3}}', '{"shape":{"width":0,"height":3}}', '{"shape":7}'])('is none if it says %s', async text => {
    expect(await note(text)).toBeUndefined()
  })

  it('comes back with the columns of a table', async () => {
    expect(await note(JSON.stringify({ classNames: ['a', 'b'], columns }))).toMatchObject({ display: { columns: columns.map(([name, least, greatest]) => ({ name, least, greatest })) } })
  })

  it.each<[string, object]>([
    ['table-columns', { classNames: ['a', 'b'], columns: columns.slice(1) }],
    ['table-name', { classNames: ['a', 'b'], columns: [['', '0', '1'], ...columns.slice(1)] }],
    ['table-number', { classNames: ['a', 'b'], columns: [['c', '0', '1.50'], ...columns.slice(1)] }],
    ['table-range', { classNames: ['a', 'b'], columns: [['c', '2', '1'], ...columns.slice(1)] }],
    ['table-form', { columns }]
  ])('is refused as %s', async (reason, text) => {
    const log = new RingLog(clock)
    expect(await note(JSON.stringify(text), {}, log)).toBeUndefined()
    expect(log.entries(9).map(e => e.text).join()).toContain(`damaged (${reason})`)
  })

  it('never makes a start reserve memory for what nobody can hold', async () => {
    expect(await note('{}', { trainRecords: 0xffffffff, features: 65535 })).toBeUndefined()
    expect(await note('{}', { features: 0 })).toBeUndefined()
    expect(await note('{}', { root: new Uint8Array(32) })).toBeUndefined()
  })
})
