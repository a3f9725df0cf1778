/** Which job specs the network takes: every bound of params.ts, by field. Decoding has been done. */
import { DATA_BUILTIN, DATA_REGISTERED, OPTIMISER_L1_ADAM, SCHEDULE_CONSTANT, SCHEDULE_LINEAR, type JobSpec } from '../codec/jobSpec.ts'
import { equalBytes } from '../codec/ssz.ts'
import { MAX_BATCH, MAX_CLASSES, MAX_DATASET_BYTES, MAX_FEATURES, MAX_PARAMETERS, MAX_RECORDS, MAX_ROUNDS, MAX_SLICE_COST, MAX_STEPS_PER_SLICE, MIN_BATCH, MIN_SLICE_COST } from '../params.ts'
import { sliceCost, stepCost } from './cost.ts'
import { MAX_LR20 } from './decimal.ts'
import { BUILTIN_CLASSES, BUILTIN_FEATURES, BUILTIN_ROOT, BUILTIN_TEST, BUILTIN_TRAIN } from './digits.ts'
import type { FieldError } from './fieldError.ts'
import { graphErrors } from './graphRules.ts'
import { shapeOf } from './shape.ts'
import { utf8Text } from './utf8.ts'

/**
 * Amplitudes A of the input noise. Below 4 the noise has so few values that its products can be
 * tabulated; above 32 it drowns 7-bit inputs.
 */
export const INPUT_NOISES: readonly number[] = [4, 8, 16, 32]

const MAX_NAME_BYTES = 64

/** 40206336 as 40,206,336. */
const grouped = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, ',')

const inSteps = (n: number): string => n === 1 ? '1 step' : `${n} steps`

/**
 * First and last of every run of code points that control or format (Cc, Cf, Zl, Zp of Unicode 17).
 * Written down because a browser's own tables change with its version, and nodes must agree.
 */
const UNFIT_FOR_NAMES: ReadonlyArray<readonly [first: number, last: number]> = [
  [0x0, 0x1f], [0x7f, 0x9f], [0xad, 0xad], [0x600, 0x605], [0x61c, 0x61c], [0x6dd, 0x6dd], [0x70f, 0x70f], [0x890, 0x891], [0x8e2, 0x8e2],
  [0x180e, 0x180e], [0x200b, 0x200f], [0x2028, 0x202e], [0x2060, 0x2064], [0x2066, 0x206f], [0xfeff, 0xfeff], [0xfff9, 0xfffb],
  [0x110bd, 0x110bd], [0x110cd, 0x110cd], [0x13430, 0x1343f], [0x1bca0, 0x1bca3], [0x1d173, 0x1d17a], [0xe0001, 0xe0001], [0xe0020, 0xe007f]
]

const isUnfit = (char: string): boolean => {
  const c = char.codePointAt(0) as number
  return UNFIT_FOR_NAMES.some(([first, last]) => c >= first && c <= last)
}

/** Control characters would let a name break out of its line in a log or on a page. */
function nameError (name: Uint8Array): string | undefined {
  if (name.length < 1 || name.length > MAX_NAME_BYTES) return `must be 1 to ${MAX_NAME_BYTES} bytes of UTF-8, has ${name.length}`
  const text = utf8Text(name)
  if (text === undefined) return 'is not UTF-8'
  if (Array.from(text).some(isUnfit)) return 'must not contain control or formatting characters'
  return undefined
}

/** For whoever wrote the job: a cost unit is a multiply-add of a dense layer, and all else is priced in them (cost.ts). */
function costError (spec: JobSpec, least: number): string | undefined {
  const cost = sliceCost(spec)
  const step = stepCost(spec)
  const says = `a slice of ${inSteps(spec.stepsPerSlice)} costs ${grouped(cost)} multiply-adds, and the network takes`
  if (cost > MAX_SLICE_COST) {
    const most = Math.floor(MAX_SLICE_COST / step)
    return `${says} no more than ${grouped(MAX_SLICE_COST)}: ${most < 1 ? 'a single step is too much; use' : `use ${inSteps(most)} per slice or fewer, or`} a smaller batch or a smaller model`
  }
  if (cost < least) {
    const fewest = Math.ceil(least / step)
    return `${says} no less than ${grouped(least)}: ${fewest > MAX_STEPS_PER_SLICE ? `even ${inSteps(MAX_STEPS_PER_SLICE)} per slice, the most there may be, are too few; use` : `use ${inSteps(fewest)} per slice or more, or`} a larger batch or a larger model`
  }
  return undefined
}

/**
 * Empty if the spec is one that may be posted. `field` is the name in JobSpec. `minSliceCost` is the
 * network's; only those that tests make have another than MIN_SLICE_COST.
 */
export function specErrors (spec: JobSpec, minSliceCost: number = MIN_SLICE_COST): FieldError[] {
  const errors: FieldError[] = []
  const must = (ok: boolean, field: string, message: string): void => { if (!ok) errors.push({ field, message }) }
  const within = (value: number, least: number, most: number, field: string): void =>
    must(Number.isInteger(value) && value >= least && value <= most, field, `must be ${least} to ${most}, is ${value}`)

  const wrongName = nameError(spec.name)
  if (wrongName !== undefined) errors.push({ field: 'name', message: wrongName })
  must(spec.operandBits === 8, 'operandBits', `must be 8, is ${spec.operandBits}`)
  must(spec.optimiser === OPTIMISER_L1_ADAM, 'optimiser', `unknown optimiser ${spec.optimiser}`)
  within(spec.lr20, 1, Number(MAX_LR20), 'lr20')
  must(spec.schedule === SCHEDULE_CONSTANT || spec.schedule === SCHEDULE_LINEAR, 'schedule', `unknown schedule ${spec.schedule}`)
  within(spec.batch, MIN_BATCH, MAX_BATCH, 'batch')
  within(spec.stepsPerSlice, 1, MAX_STEPS_PER_SLICE, 'stepsPerSlice')
  must(INPUT_NOISES.includes(spec.inputNoise), 'inputNoise', `must be one of ${INPUT_NOISES.join(', ')}, is ${spec.inputNoise}`)
  within(spec.rounds, 1, MAX_ROUNDS, 'rounds')

  const { data } = spec
  within(data.features, 1, MAX_FEATURES, 'data.features')
  within(data.classes, 2, MAX_CLASSES, 'data.classes')
  must(data.trainRecords >= spec.batch, 'data.trainRecords', `must be at least a batch (${spec.batch}), is ${data.trainRecords}`)
  must(data.testRecords >= 1, 'data.testRecords', 'at least one record must be held out')
  const records = data.trainRecords + data.testRecords
  must(records <= MAX_RECORDS, 'data', `${grouped(records)} records, at most ${grouped(MAX_RECORDS)}`)
  must(records * data.features <= MAX_DATASET_BYTES, 'data', `${grouped(records * data.features)} bytes of features, at most ${grouped(MAX_DATASET_BYTES)}`)
  must(data.source === DATA_BUILTIN || data.source === DATA_REGISTERED, 'data.source', `unknown source ${data.source}`)
  if (data.source === DATA_BUILTIN) {
    const same = equalBytes(data.root, BUILTIN_ROOT) && data.trainRecords === BUILTIN_TRAIN && data.testRecords === BUILTIN_TEST &&
      data.features === BUILTIN_FEATURES && data.classes === BUILTIN_CLASSES
    must(same, 'data', 'does not describe the built-in set')
  }

  const wrongGraph = graphErrors(spec, spec.batch)
  if (wrongGraph.length > 0) return [...errors, ...wrongGraph]
  const { parameters, tensors } = shapeOf(spec)
  const last = tensors.length - 1
  must(tensors[0].size === data.features, 'channels', `the input has ${tensors[0].size} values, a record has ${data.features} features`)
  must(tensors[last].size === data.classes, `ops[${last - 1}].units`, `the last operation has ${tensors[last].size} outputs, the data has ${data.classes} classes`)
  must(parameters <= MAX_PARAMETERS, 'ops', `${grouped(parameters)} parameters, at most ${grouped(MAX_PARAMETERS)}`)
  const wrongCost = costError(spec, minSliceCost)
  if (wrongCost !== undefined) errors.push({ field: 'stepsPerSlice', message: wrongCost })
  return errors
}
