/**
 * Miners that leave out work in some step (docs/security.md, sections 2 and 3) and claim the result
 * all the same: in blocks and in contributions. Each is cheaper for its device by what it leaves out,
 * and none of them gives the bits that a replay gives.
 */
import { toHex } from '../../../src/core/codec/ssz.ts'
import { hash } from '../../../src/core/crypto/hash.ts'
import { encodePayload, payloadDigest } from '../../../src/core/training/payload.ts'
import { stateHash } from '../../../src/core/training/stateHash.ts'
import type { SliceResult, SliceTask } from '../../../src/ports/compute.ts'
import type { Tab } from '../tab.ts'
import { Deeds, type Squad } from './squad.ts'
import { tappedCompute } from './tap.ts'

export const SHORTCUTS = ['fewer steps', 'no noise', 'cached slice', 'no training', 'flipped labels'] as const
export type Shortcut = typeof SHORTCUTS[number]

type Run = (task: SliceTask) => Promise<SliceResult>

/** How a tab works off a slice by this shortcut; `run` takes the time of the steps it is given. */
function worker (shortcut: Shortcut, run: Run): Run {
  switch (shortcut) {
    // Half of the local steps.
    case 'fewer steps': return async task => await run({ ...task, steps: task.steps >> 1, inputs: task.inputs.subarray(0, task.inputs.length >> 1), labels: task.labels.subarray(0, task.labels.length >> 1) })
    // The noise of one key for all: its products could be kept.
    case 'no noise': return async task => await run({ ...task, noiseKey: new Uint8Array(32) })
    // One slice of a round done, and claimed for every other.
    case 'cached slice': {
      let kept: { readonly state: SliceTask['state'], readonly result: SliceResult } | undefined
      return async task => {
        // Done once under a key of nobody's, so that not even the first claim is a true one.
        if (kept?.state !== task.state) kept = { state: task.state, result: await run({ ...task, noiseKey: hash('enemy-cached', task.noiseKey) }) }
        // A tab that never waited would hold up the world's clock.
        else await run({ ...task, steps: 1, inputs: task.inputs.subarray(0, task.inputs.length / task.steps), labels: task.labels.subarray(0, task.labels.length / task.steps) })
        return kept.result
      }
    }
    // Nothing but a well-formed change of the weights: every ticket for the price of a hash.
    case 'no training': return async task => {
      await run({ ...task, steps: 1, inputs: task.inputs.subarray(0, task.inputs.length / task.steps), labels: task.labels.subarray(0, task.labels.length / task.steps) })
      const key = hash('enemy-no-training', task.noiseKey)
      const state = { ...task.state, weights: task.state.weights.map(w => w.map((x, i) => x + (key[i & 31] & 15) - 7)) }
      const payload = encodePayload(task.state, state)
      return { stateHash: stateHash(state), state, payload, payloadDigest: payloadDigest(payload), macs: 0, elapsedMs: 0 }
    }
    // All the work, on labels that are not those of the registered data: a poisoned model.
    case 'flipped labels': return async task => await run({ ...task, labels: task.labels.map(l => (l + 1) % task.spec.data.classes) })
    default: return shortcut satisfies never
  }
}

export interface ShortcutSquad extends Squad { readonly lies: ReadonlySet<string> }

export function shortcuts (shortcut: Shortcut = 'fewer steps'): ShortcutSquad {
  const deeds = new Deeds()
  const lies = new Set<string>()
  const payloads = new Map<string, Uint8Array>()
  const name = `shortcut: ${shortcut}`
  return {
    name,
    deeds,
    lies,
    payloads,
    recruit: () => ({
      name,
      ports: (deps, tab: Tab) => {
        // The stand-in gives the same for every number of steps; the lie must be one there, too.
        const standIn = tab.world.options.compute === 'stand-in'
        const work = worker(shortcut, async task => await deps.compute.runSlice(standIn ? { ...task, noiseKey: hash('enemy-shortcut', task.noiseKey) } : task, 'slice'))
        return {
          ...deps,
          compute: tappedCompute(deps.compute, async (task, priority) => {
            if (priority !== 'slice') return await deps.compute.runSlice(task, priority)
            deeds.add('false slices claimed')
            lies.add(toHex(task.noiseKey))
            const result = await work(task)
            payloads.set(toHex(result.payloadDigest), result.payload)
            return result
          })
        }
      }
    })
  }
}
