/** Trying, judging and taking home the model that a job has trained so far. */
import type { Outcome, Prediction, RecordShape, SampleView } from '../bridge/api.ts'
import type { Dataset } from '../core/training/dataset.ts'
import { stateBytes } from '../core/training/stateHash.ts'
import { toHex } from '../core/codec/ssz.ts'
import { encodeJobSpec } from '../core/codec/jobSpec.ts'
import type { Compute, EvaluationResult } from '../ports/compute.ts'
import type { ModelState } from '../core/training/modelState.ts'
import type { DataService, JobTip, StatesService } from './parts.ts'
import { jobName } from './views.ts'

export interface ModelsDeps {
  readonly compute: Pick<Compute, 'evaluate' | 'predict'>
  readonly states: Pick<StatesService, 'state'>
  readonly data: Pick<DataService, 'held'>
}

const failed = (field: string, message: string): { readonly ok: false, readonly errors: ReadonlyArray<{ field: string, message: string }> } => ({ ok: false, errors: [{ field, message }] })

/** A convolutional model says what its records are; a set that peers sent does not. */
function recordShape ({ spec }: JobTip, { channels, height, width }: Dataset): RecordShape {
  return spec.height * spec.width > 1 ? { channels: spec.channels, height: spec.height, width: spec.width } : { channels, height, width }
}

export class Models {
  readonly #d: ModelsDeps

  constructor (d: ModelsDeps) { this.#d = d }

  async #state (tip: JobTip): Promise<Outcome<ModelState>> {
    const state = await this.#d.states.state(tip.job.id, tip.round, tip.stateHash)
    return state === undefined
      ? failed('job', `the state of round ${tip.round} is not here yet and no peer has sent it; it comes with the next blocks`)
      : { ok: true, value: state }
  }

  #data (tip: JobTip): Outcome<Dataset> {
    const data = this.#d.data.held(tip.spec.data.root)
    return data === undefined ? failed('job', 'the data set of this job is not held whole yet; it is being fetched from peers') : { ok: true, value: data }
  }

  async predict (tip: JobTip, features: Uint8Array): Promise<Outcome<Prediction>> {
    if (features.length !== tip.spec.data.features) return failed('features', `expected ${tip.spec.data.features} values, got ${features.length}`)
    const state = await this.#state(tip)
    if (!state.ok) return state
    const r = await this.#d.compute.predict({ spec: tip.spec, state: state.value, inputs: features, labels: new Uint8Array(1) })
    const all = r.probabilities.reduce((n, p) => n + p, 0)
    const probabilities = Array.from(r.probabilities, (p) => all === 0 ? 0 : p / all)
    const names = this.#d.data.held(tip.spec.data.root)?.classNames
    return { ok: true, value: { probabilities, label: probabilities.indexOf(Math.max(...probabilities)), classNames: names ?? probabilities.map((_, i) => String(i)) } }
  }

  /** On all held-out records. */
  async evaluate (tip: JobTip): Promise<Outcome<EvaluationResult>> {
    const data = this.#data(tip)
    if (!data.ok) return data
    const state = await this.#state(tip)
    if (!state.ok) return state
    const { trainRecords, testRecords } = tip.spec.data
    if (testRecords === 0) return failed('job', 'this job holds no records out, so there is nothing to measure it on')
    const { inputs, labels } = data.value.gather(Uint32Array.from({ length: testRecords }, (_, i) => trainRecords + i))
    return { ok: true, value: await this.#d.compute.evaluate({ spec: tip.spec, state: state.value, inputs, labels }) }
  }

  sample (tip: JobTip, index: number): Outcome<SampleView> {
    const data = this.#data(tip)
    if (!data.ok) return data
    const { trainRecords, testRecords } = tip.spec.data
    if (!Number.isInteger(index) || index < 0 || index >= testRecords) return failed('index', `expected a held-out record from 0 to ${testRecords - 1}, got ${index}`)
    const at = trainRecords + index
    const label = data.value.label(at)
    return { ok: true, value: { features: data.value.features(at).slice(), label, ...recordShape(tip, data.value), className: data.value.classNames[label] ?? String(label) } }
  }

  /** One line of JSON that says what follows, then the canonical spec and state bytes. */
  async download (tip: JobTip): Promise<Outcome<{ readonly name: string, readonly bytes: Uint8Array }>> {
    const state = await this.#state(tip)
    if (!state.ok) return state
    const spec = encodeJobSpec(tip.spec)
    const body = stateBytes(state.value)
    const name = jobName(tip.job)
    const head = new TextEncoder().encode(`${JSON.stringify({
      format: 'commonweight-model-1',
      name,
      job: toHex(tip.job.id),
      round: tip.round,
      stateHash: toHex(tip.stateHash),
      channels: tip.spec.channels,
      height: tip.spec.height,
      width: tip.spec.width,
      ops: tip.spec.ops,
      weights: 'i32 little-endian, 28 fractional bits, row major [outputs][inputs], then biases, layer by layer',
      specBytes: spec.length,
      stateBytes: body.length
    })}\n`)
    const bytes = new Uint8Array(head.length + spec.length + body.length)
    bytes.set(head)
    bytes.set(spec, head.length)
    bytes.set(body, head.length + spec.length)
    return { ok: true, value: { name: `${name.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '') || 'model'}-round-${tip.round}.cwmodel`, bytes } }
  }
}
