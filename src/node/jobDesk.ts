/** The job wizard's backend: the user's files become a staged data set, a draft becomes a paid job. */
import type { DatasetPreview, FieldError, JobCheck, JobDraft, JobFiles, Outcome } from '../bridge/api.ts'
import { formatCredits } from '../core/codec/amount.ts'
import { encodeJobSpec, type JobSpec } from '../core/codec/jobSpec.ts'
import { toHex } from '../core/codec/ssz.ts'
import { contributionsOf, distinctMiners } from '../core/consensus/draw.ts'
import { jobId, specHash } from '../core/crypto/ids.ts'
import { MAX_DEADLINE_BLOCKS, MIN_DEADLINE_BLOCKS } from '../core/ledger/apply.ts'
import { activeJobs } from './views.ts'
import { type ChainParams, MAX_ACTIVE_JOBS, MAX_CONTRIBUTIONS_PER_SEAL, MAX_DATASET_BYTES } from '../core/params.ts'
import { describeModel } from '../core/training/architectureJson.ts'
import { sliceCost } from '../core/training/cost.ts'
import { datasetFromCsv } from '../core/training/csv.ts'
import { BUILTIN_REF, type Dataset } from '../core/training/dataset.ts'
import { datasetFromIdx } from '../core/training/idx.ts'
import { parseJobJson, templateErrors, toSpec } from '../core/training/jobJson.ts'
import { shapeOf } from '../core/training/shape.ts'
import { MAX_CLASSES } from '../core/params.ts'
import type { ChainService, DataService, Hex } from './parts.ts'
import type { WalletDesk } from './walletDesk.ts'

/** Data sets previewed and not yet posted; the oldest goes. */
const STAGED_SETS = 2
const PREVIEW_SAMPLES = 12
/** The file a CSV or IDX set comes from may be somewhat larger than its features. */
const MAX_FILE_BYTES = 4 * MAX_DATASET_BYTES

export interface JobDeskDeps {
  readonly params: ChainParams
  readonly chain: Pick<ChainService, 'head'>
  readonly data: Pick<DataService, 'add' | 'held' | 'publish'>
  readonly wallet: Pick<WalletDesk, 'postJob'>
  readonly owner: Uint8Array
  /** Undoes .gz, giving at most `maxBytes`; rejects on what is no gzip or larger. */
  readonly gunzip: (bytes: Uint8Array, maxBytes: number) => Promise<Uint8Array>
}

type NamedFile = JobFiles['trainFeatures']
type FileField = 'trainFeatures' | 'trainLabels' | 'testFeatures' | 'testLabels'

const refuse = (field: string, message: string): { readonly ok: false, readonly errors: readonly FieldError[] } => ({ ok: false, errors: [{ field, message }] })
const isGzip = (b: Uint8Array): boolean => b.length > 2 && b[0] === 0x1f && b[1] === 0x8b

export class JobDesk {
  readonly #d: JobDeskDeps
  readonly #staged = new Map<Hex, Dataset>()

  constructor (d: JobDeskDeps) { this.#d = d }

  async previewData (files: JobFiles): Promise<Outcome<DatasetPreview>> {
    const errors: FieldError[] = []
    const read = async (field: FileField): Promise<Uint8Array | undefined> => {
      const file: NamedFile | undefined = files[field]
      if (file === undefined) return undefined
      if (file.bytes.length > MAX_FILE_BYTES) { errors.push({ field, message: `${file.name} has ${file.bytes.length} bytes, at most ${MAX_FILE_BYTES} are read` }); return undefined }
      if (!isGzip(file.bytes)) return file.bytes
      try {
        return await this.#d.gunzip(file.bytes, MAX_FILE_BYTES)
      } catch (e) {
        errors.push({ field, message: `${file.name} starts like a gzip file but cannot be unpacked: ${e instanceof Error ? e.message : String(e)}` })
        return undefined
      }
    }
    const trainFeatures = await read('trainFeatures')
    const trainLabels = await read('trainLabels')
    const testFeatures = await read('testFeatures')
    const testLabels = await read('testLabels')
    if (files.kind === 'idx' && files.trainLabels === undefined) errors.push({ field: 'trainLabels', message: 'IDX keeps labels in a file of their own: choose it (train-labels-idx1-ubyte for MNIST)' })
    if (errors.length > 0 || trainFeatures === undefined) return { ok: false, errors }
    const made = files.kind === 'csv'
      ? datasetFromCsv({ train: trainFeatures, test: testFeatures, labelColumn: files.labelColumn })
      : datasetFromIdx({ trainFeatures, trainLabels: trainLabels!, testFeatures, testLabels })
    if (!made.ok) return { ok: false, errors: made.errors.map((e) => ({ ...e, message: `${files[e.field as FileField]?.name ?? ''} ${e.message}`.trim() })) }
    const data = made.value
    if (data.ref.classes > MAX_CLASSES) return refuse('trainLabels', `${data.ref.classes} classes, at most ${MAX_CLASSES}`)
    const root = toHex(data.ref.root)
    this.#staged.delete(root)
    this.#staged.set(root, data)
    if (this.#staged.size > STAGED_SETS) this.#staged.delete(this.#staged.keys().next().value!)
    return { ok: true, value: preview(data) }
  }

  checkJob (draft: JobDraft): Outcome<JobCheck> {
    const spec = this.#spec(draft)
    if (!spec.ok) return spec
    const errors = this.#terms(draft)
    if (errors.length > 0) return { ok: false, errors }
    const miners = Math.max(1, distinctMiners(this.#d.chain.head(), this.#d.params.minerCountBlocks).length)
    const perRound = contributionsOf(miners)
    return {
      ok: true,
      value: {
        model: describeModel(spec.value),
        parameters: shapeOf(spec.value).parameters,
        stepsPerSlice: spec.value.stepsPerSlice,
        costPerSlice: sliceCost(spec.value),
        rounds: spec.value.rounds,
        contributionsPaid: Number(draft.escrow / draft.pricePerContribution),
        miners,
        perRound,
        perRoundMost: MAX_CONTRIBUTIONS_PER_SEAL,
        escrowForAll: BigInt(spec.value.rounds * perRound) * draft.pricePerContribution,
        total: draft.escrow + draft.burn + draft.fee
      }
    }
  }

  async postJob (draft: JobDraft): Promise<Outcome<{ readonly id: Hex }>> {
    const spec = this.#spec(draft)
    if (!spec.ok) return spec
    const errors = this.#terms(draft)
    if (errors.length > 0) return { ok: false, errors }
    const staged = this.#staged.get(draft.data)
    // Kept and served before the job is known: others ask for it as soon as they see the job.
    if (staged !== undefined) await this.#d.data.add(staged)
    const posted = await this.#d.wallet.postJob({
      spec: encodeJobSpec(spec.value),
      escrow: draft.escrow,
      pricePerContribution: draft.pricePerContribution,
      burn: draft.burn,
      deadline: this.#d.chain.head().height + draft.deadlineBlocks
    }, draft.fee)
    if (!posted.ok) return posted
    if (staged !== undefined) this.#d.data.publish(staged.ref.root)
    return { ok: true, value: { id: toHex(jobId(specHash(spec.value), this.#d.owner, posted.value.nonce)) } }
  }

  #spec (draft: JobDraft): Outcome<JobSpec> {
    const template = parseJobJson(draft.json)
    if (!template.ok) return template
    const ref = draft.data === 'builtin' ? BUILTIN_REF : this.#staged.get(draft.data)?.ref
    if (ref === undefined) return refuse('data', 'this tab no longer holds what was read of the files: go back to the data and read them again')
    const errors = templateErrors(template.value, ref)
    return errors.length > 0 ? { ok: false, errors } : { ok: true, value: toSpec(template.value, ref) }
  }

  #terms (draft: JobDraft): FieldError[] {
    const { minFee } = this.#d.params
    const errors: FieldError[] = []
    const need = (ok: boolean, field: string, message: string): void => { if (!ok) errors.push({ field, message }) }
    need(draft.pricePerContribution >= 1n, 'pricePerContribution', 'a contribution must be paid something: enter more than 0')
    need(draft.escrow >= draft.pricePerContribution, 'escrow', 'the escrow must pay for at least one contribution: make it no less than the price of one')
    need(draft.burn >= minFee, 'burn', `burn at least ${formatCredits(minFee)}: the burn is the job's weight in the draw`)
    need(draft.fee >= minFee, 'fee', `the fee is at least ${formatCredits(minFee)}`)
    need(Number.isInteger(draft.deadlineBlocks) && draft.deadlineBlocks > MIN_DEADLINE_BLOCKS + 2 && draft.deadlineBlocks <= MAX_DEADLINE_BLOCKS, 'deadlineBlocks', `the deadline must lie ahead: ${MIN_DEADLINE_BLOCKS + 3} to ${MAX_DEADLINE_BLOCKS.toLocaleString('en')} blocks from now`)
    need(activeJobs(this.#d.chain.head().ledger).filter((j) => j.status !== 'benchmark').length < MAX_ACTIVE_JOBS, 'form', `${MAX_ACTIVE_JOBS} paid jobs are open already, the most that every tab follows at once; wait until one ends`)
    return errors
  }
}

function preview (data: Dataset): DatasetPreview {
  const image = data.height > 1
  const step = Math.max(1, Math.floor(data.records / PREVIEW_SAMPLES))
  return {
    root: toHex(data.ref.root),
    records: data.records,
    trainRecords: data.ref.trainRecords,
    testRecords: data.ref.testRecords,
    features: data.ref.features,
    classes: data.ref.classes,
    classNames: data.classNames,
    channels: image ? data.channels : undefined,
    width: image ? data.width : undefined,
    height: image ? data.height : undefined,
    bytes: data.records * data.ref.features,
    samples: Array.from({ length: Math.min(PREVIEW_SAMPLES, data.records) }, (_, i) => ({ features: data.features(i * step).slice(), label: data.label(i * step) }))
  }
}
