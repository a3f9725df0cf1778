/**
 * A device that computes a wrong bit, on its own and in a world: what it hands out fits together, so that only who redoes
 * the work can tell; those do, and none of the others suffers.
 */
import { expect, it } from 'vitest'
import { toHex } from '../../src/core/codec/ssz.ts'
import { encodePayload, payloadDigest } from '../../src/core/training/payload.ts'
import { initialState } from '../../src/core/training/init.ts'
import { stateHash } from '../../src/core/training/stateHash.ts'
import { hash } from '../../src/core/crypto/hash.ts'
import type { Priority, SliceResult, SliceTask } from '../../src/ports/compute.ts'
import { realKernels, SimDevice, type WrongBit } from './devices.ts'
import { Life } from './life.ts'
import { drawOptions } from './options.ts'
import { runWorld } from './phases.ts'
import { Scheduler } from './scheduler.ts'
import { World } from './world.ts'

const { data, spec } = new World({ seed: 'wrong', nodes: 2, compute: 'real', laptopSliceMs: 250 })
const records = spec.batch * spec.stepsPerSlice
const inputs = new Uint8Array(records * spec.data.features)
for (let i = 0; i < records; i++) inputs.set(data.features(i), i * spec.data.features)
const labels = Uint8Array.from({ length: records }, (_, i) => data.label(i))
const task: SliceTask = { spec, state: initialState(spec), lr20: spec.lr20, noiseKey: hash('test'), steps: spec.stepsPerSlice, inputs, labels }

async function slice (wrongBit: WrongBit | undefined, priority: Priority = 'slice'): Promise<SliceResult> {
  const clock = new Scheduler(0)
  const device = new SimDevice({ clock, life: new Life(), kernels: realKernels(), costPerSecond: 1e12 })
  device.wrongBit = wrongBit
  const result = device.runSlice(task, priority)
  await clock.runUntil(1_000)
  return await result
}

const fitsTogether = (r: SliceResult): boolean =>
  toHex(stateHash(r.state)) === toHex(r.stateHash) && toHex(encodePayload(task.state, r.state)) === toHex(r.payload) && toHex(payloadDigest(r.payload)) === toHex(r.payloadDigest)

it('in a weight: state, hash and payload are wrong alike; in the hash: the state stays right', async () => {
  const right = await slice(undefined)
  const weight = await slice('weight')
  const hot = await slice('hot')
  const inHash = await slice('hash')
  expect([right, weight, hot, inHash].map(fitsTogether)).toEqual([true, true, true, false])
  expect(toHex(hot.stateHash)).toBe(toHex(weight.stateHash))
  expect(toHex((await slice('hot', 'replay')).stateHash)).toBe(toHex(right.stateHash))
  for (const name of ['stateHash', 'payload', 'payloadDigest'] as const) expect(toHex(weight[name]), name).not.toBe(toHex(right[name]))
  expect(toHex(inHash.payload)).toBe(toHex(right.payload))
  expect(weight.state.weights[0].map((w, i) => w - right.state.weights[0][i]).filter(d => d !== 0)).toHaveLength(1)
})

const OPTIONS = { seed: 'wrong-5', nodes: 8, hours: 0.04, enemies: [], set: { compute: 'real', wrongShare: '0.2' } }

it('in a world: replay refuses what it makes, and all others agree and go on', async () => {
  const report = await runWorld(drawOptions(OPTIONS), { command: 'npm run sim -- --seed wrong-5 --nodes 8 --hours 0.04 --attackers 0 --set compute=real,wrongShare=0.2', scenario: 'faults' })
  expect(report.violations).toEqual([])
  expect(report.counts?.['struck: wrong hot']).toBeGreaterThan(0)
  expect(report.agreedAtMs).toBeGreaterThan(0)
}, 300_000)
