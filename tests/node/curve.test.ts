import { expect, test } from 'vitest'
import { toHex } from '../../src/core/codec/ssz.ts'
import { genesis } from '../../src/core/consensus/chain.ts'
import { initialState } from '../../src/core/training/init.ts'
import type { ModelState } from '../../src/core/training/modelState.ts'
import type { CurvePoint } from '../../src/bridge/api.ts'
import { thinned } from '../../src/core/codec/curvePoints.ts'
import { Curve, GAP_MS } from '../../src/node/curve.ts'
import { RingLog } from '../../src/node/log.ts'
import type { RoundTip } from '../../src/node/rounds.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { ManualClock } from './chainRig.ts'
import { benchmarkData, workParams, workSpec } from './workRig.ts'

test('a curve begins with the untrained model, whenever the tab came, and goes on with the newest round only', async () => {
  const clock = new ManualClock(1_700_000_000_000)
  const [job] = genesis(workParams, workSpec).ledger.jobs
  const untrained = initialState(workSpec)
  const trained: ModelState = { ...untrained, biases: untrained.biases.map(b => b.map(v => v + 1)) }
  const measured: ModelState[] = []
  let listener: (tip: RoundTip) => void = () => {}
  const tip = (round: number): RoundTip => ({ job, spec: workSpec, round, seal: job.id, stateHash: job.stateHash, anchorHeight: 0, pending: [], since: 0, sinceHeight: 0 })
  const curve = new Curve({
    rounds: { tips: () => [tip(7)], onTip: f => { listener = f; return () => {} } },
    states: { state: async () => trained },
    data: { held: () => benchmarkData },
    compute: { evaluate: async task => { measured.push(task.state); return { count: 10, correct: measured.length, lossBits16: 65536, confusion: new Uint32Array(9) } } },
    storage: new MemoryStorage(new MemoryDisk()), clock, log: new RingLog(clock), everyMs: 1_000
  })
  await curve.start()
  await clock.advance(0)
  listener(tip(8))
  listener(tip(9))
  await clock.advance(2_000)
  expect(curve.points(toHex(job.id)).map(p => [p.round, p.accuracy])).toEqual([[0, 0.1], [7, 0.2], [9, 0.3]])
  expect(curve.points(toHex(job.id)).some(p => p.gap)).toBe(false)
  expect(measured).toEqual([untrained, trained, trained])
  await curve.stop()
})

test('what a tab was not there for is a gap in its curve: before it came, while it slept, and while it was closed', async () => {
  const clock = new ManualClock(1_700_000_000_000)
  const [job] = genesis(workParams, workSpec).ledger.jobs
  const disk = new MemoryDisk()
  const tip = (round: number): RoundTip => ({ job, spec: workSpec, round, seal: job.id, stateHash: job.stateHash, anchorHeight: 0, pending: [], since: 0, sinceHeight: 0 })
  const tab = (first: number): { curve: Curve, at: (round: number) => Promise<void> } => {
    let listener: (t: RoundTip) => void = () => {}
    const curve = new Curve({
      rounds: { tips: () => [tip(first)], onTip: f => { listener = f; return () => {} } },
      states: { state: async () => initialState(workSpec) },
      data: { held: () => benchmarkData },
      compute: { evaluate: async () => ({ count: 10, correct: 1, lossBits16: 65536, confusion: new Uint32Array(9) }) },
      storage: new MemoryStorage(disk), clock, log: new RingLog(clock), everyMs: 1_000
    })
    return { curve, at: async round => { listener(tip(round)); await clock.advance(2_000) } }
  }
  const late = tab(600)
  await late.curve.start()
  await clock.advance(0)
  await late.at(620)
  await clock.advance(GAP_MS)
  await late.at(625)
  await clock.advance(GAP_MS)
  await late.at(700)
  await late.curve.stop()
  const again = tab(900)
  await again.curve.start()
  await clock.advance(0)
  expect(again.curve.points(toHex(job.id)).map(p => [p.round, p.gap === true])).toEqual([[0, false], [600, true], [620, false], [625, false], [700, true], [900, true]])
  await again.curve.stop()
})

test('a gap stays when the point after it is thinned out', () => {
  const points = Array.from({ length: 12 }, (_, round): CurvePoint => ({ job: '', round, timeMs: 0, samples: 1, accuracy: 0, loss: 0, ...(round === 3 ? { gap: true } : {}) }))
  expect(thinned(points, 11).map(p => [p.round, p.gap === true])).toEqual([[0, false], [2, false], [4, true], ...[6, 7, 8, 9, 10, 11].map(r => [r, false])])
})
