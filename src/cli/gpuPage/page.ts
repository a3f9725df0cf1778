/** The page behind `cw --backend webgpu`: an engine that must run on WebGPU, and bytes as base64. */
import { type Engine, openEngine } from '../../compute/engine.ts'
import { decodeJobSpec } from '../../core/codec/jobSpec.ts'
import { decodeState, stateBytes } from '../../core/training/stateHash.ts'
import type { EvaluationResult, EvaluationTask, SliceResult } from '../../ports/compute.ts'

export interface WireTask { readonly spec: string, readonly state: string, readonly inputs: string, readonly labels: string }
export interface WireSlice extends WireTask { readonly lr20: number, readonly steps: number, readonly noiseKey: string }
export type WireResult = Omit<SliceResult, 'stateHash' | 'state' | 'payload' | 'payloadDigest'> & Readonly<Record<'stateHash' | 'state' | 'payload' | 'payloadDigest', string>>

const bytesOf = (text: string): Uint8Array => Uint8Array.from(atob(text), c => c.charCodeAt(0))

function textOf (bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192))
  return btoa(text)
}

function taskOf (wire: WireTask): EvaluationTask {
  const spec = decodeJobSpec(bytesOf(wire.spec))
  if (!spec.ok) throw new Error(spec.error.detail)
  const state = decodeState(spec.value, bytesOf(wire.state))
  if (!state.ok) throw new Error(state.error.detail)
  return { spec: spec.value, state: state.value, inputs: bytesOf(wire.inputs), labels: bytesOf(wire.labels) }
}

let engine: Engine

const api = {
  /** What runs it; throws unless that is WebGPU. */
  async open (): Promise<string> {
    engine = await openEngine('webgpu')
    if (engine.backend !== 'webgpu') throw new Error(engine.failure ?? 'webgpu: not available')
    return engine.reports.find(report => report.backend === 'webgpu')?.detail ?? ''
  },
  async runSlice (wire: WireSlice): Promise<WireResult> {
    const result = await engine.runSlice({ ...taskOf(wire), lr20: wire.lr20, steps: wire.steps, noiseKey: bytesOf(wire.noiseKey) })
    if (engine.backend !== 'webgpu') throw new Error(engine.failure ?? 'webgpu: gave up')
    return {
      ...result,
      stateHash: textOf(result.stateHash), state: textOf(stateBytes(result.state)), payload: textOf(result.payload), payloadDigest: textOf(result.payloadDigest)
    }
  },
  async evaluate (wire: WireTask): Promise<Omit<EvaluationResult, 'confusion'> & { readonly confusion: number[] }> {
    const result = await engine.evaluate(taskOf(wire))
    return { ...result, confusion: [...result.confusion] }
  }
}

declare global { interface Window { exact: typeof api } }
window.exact = api
