/** Trying, judging and taking home the model that a job has trained so far. */
import type { OpenedModel, Outcome, Prediction, RecordShape, RowPrediction, SampleView } from '../bridge/api.ts'
import type { JobSpec } from '../core/codec/jobSpec.ts'
import { toHex } from '../core/codec/ssz.ts'
import { describeModel } from '../core/training/architectureJson.ts'
import type { Dataset } from '../core/training/dataset.ts'
import { decodeModelFile, encodeModelFile, type ModelFile, modelName } from '../core/training/modelFile.ts'
import type { ModelState } from '../core/training/modelState.ts'
import { stateHash } from '../core/training/stateHash.ts'
import { rowOf, scaleRow, type Table } from '../core/training/table.ts'
import type { Compute, EvaluationResult } from '../ports/compute.ts'
import type { DataService, JobTip, StatesService } from './parts.ts'

export interface ModelsDeps {
  readonly compute: Pick<Compute, 'evaluate' | 'predict'>
  readonly states: Pick<StatesService, 'state'>
  readonly data: Pick<DataService, 'held' | 'tableOf'>
}

const failed = (field: string, message: string): { readonly ok: false, readonly errors: ReadonlyArray<{ field: string, message: string }> } => ({ ok: false, errors: [{ field, message }] })

/** A convolutional model says what its records are; a set that peers sent does not. */
function recordShape ({ spec }: JobTip, { channels, height, width }: Dataset): RecordShape {
  return spec.height * spec.width > 1 ? { channels: spec.channels, height: spec.height, width: spec.width } : { channels, height, width }
}

/** Model files that stay open, of up to 4 MB each; the oldest goes. */
const OPENED_MODELS = 2

/** What is asked: a job's newest model, or that of a file. */
interface Subject {
  readonly spec: JobSpec
  readonly table: Table | undefined
  readonly classNames: readonly string[] | undefined
  readonly state: () => Promise<Outcome<ModelState>>
}

export class Models {
  readonly #d: ModelsDeps

  readonly #opened = new Map<string, ModelFile>()
  #count = 0

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

  /** A job's is known before it has a model. */
  table (model: Pick<JobTip, 'spec'> | ModelFile): Table | undefined { return 'state' in model ? model.table : this.#d.data.tableOf(model.spec.data) }

  async predict (model: JobTip | ModelFile, features: Uint8Array): Promise<Outcome<Prediction>> {
    const { spec, state: stateOf, classNames } = this.#of(model)
    if (features.length !== spec.data.features) return failed('features', `expected ${spec.data.features} values, got ${features.length}`)
    const state = await stateOf()
    if (!state.ok) return state
    const r = await this.#d.compute.predict({ spec, state: state.value, inputs: features, labels: new Uint8Array(1) })
    const all = r.probabilities.reduce((n, p) => n + p, 0)
    const probabilities = Array.from(r.probabilities, (p) => all === 0 ? 0 : p / all)
    return { ok: true, value: { probabilities, label: probabilities.indexOf(Math.max(...probabilities)), classNames: classNames ?? probabilities.map((_, i) => String(i)) } }
  }

  async predictRow (model: JobTip | ModelFile, row: readonly string[]): Promise<Outcome<RowPrediction>> {
    const { table } = this.#of(model)
    if (table === undefined) return failed('row', 'the columns of the data are not known here: they are to the tab that read the table, and come with a model file it wrote')
    const scaled = scaleRow(table, row)
    if (!scaled.ok) return scaled
    const answer = await this.predict(model, scaled.value.features)
    return answer.ok ? { ok: true, value: { ...answer.value, ...scaled.value } } : answer
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
    const features = data.value.features(at).slice()
    const table = this.#d.data.tableOf(tip.spec.data)
    return {
      ok: true,
      value: { features, label, ...recordShape(tip, data.value), className: data.value.classNames[label] ?? String(label), ...(table === undefined ? {} : { row: rowOf(table, features) }) }
    }
  }

  /** With what is known of the table it was trained on, where this node has read that. */
  async download (tip: JobTip): Promise<Outcome<{ readonly name: string, readonly bytes: Uint8Array }>> {
    const state = await this.#state(tip)
    if (!state.ok) return state
    const file: ModelFile = { job: tip.job.id, round: tip.round, spec: tip.spec, state: state.value, table: this.#d.data.tableOf(tip.spec.data) }
    const name = modelName(file).toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '') || 'model'
    return { ok: true, value: { name: `${name}-round-${tip.round}.cwmodel`, bytes: encodeModelFile(file, tip.stateHash) } }
  }

  open (bytes: Uint8Array): Outcome<OpenedModel> {
    const read = decodeModelFile(bytes)
    if (!read.ok) return failed('file', `this is no model file that can be read (${read.reason}): ${read.detail}`)
    const { job, round, spec, state } = read.value
    const id = `file-${++this.#count}`
    this.#opened.set(id, read.value)
    if (this.#opened.size > OPENED_MODELS) this.#opened.delete(this.#opened.keys().next().value!)
    return {
      ok: true,
      value: {
        id, name: modelName(read.value), job: toHex(job), round, stateHash: toHex(stateHash(state)), model: describeModel(spec),
        input: { channels: spec.channels, height: spec.height, width: spec.width }, features: spec.data.features, classes: spec.data.classes
      }
    }
  }

  opened (id: string): ModelFile | undefined { return this.#opened.get(id) }

  /** A file brings its weights along; those of a job may have to come from peers. */
  #of (model: JobTip | ModelFile): Subject {
    if (!('state' in model)) return this.#ofJob(model)
    const { spec, table, state } = model
    return { spec, table, classNames: table?.classes, state: async () => ({ ok: true, value: state }) }
  }

  #ofJob (tip: JobTip): Subject {
    const table = this.#d.data.tableOf(tip.spec.data)
    return { spec: tip.spec, table, classNames: table?.classes ?? this.#d.data.held(tip.spec.data.root)?.classNames, state: async () => await this.#state(tip) }
  }
}
