import { expect, test } from 'vitest'
import { toHex } from '../../src/core/codec/ssz.ts'
import { genesis } from '../../src/core/consensus/chain.ts'
import { initialState } from '../../src/core/training/init.ts'
import type { ModelState } from '../../src/core/training/modelState.ts'
import { Curve } from '../../src/node/curve.ts'
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
  const tip = (round: number): RoundTip => ({ job, spec: workSpec, round, seal: job.id, stateHash: job.stateHash, anchorHeight: 0, pending: [], since: 0 })
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
  expect(measured).toEqual([untrained, trained, trained])
  await curve.stop()
})
