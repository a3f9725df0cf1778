/**
 * The draft of a job: form fields and job file (PoUW's JSON) as two faces of one thing. The JSON
 * is what is posted; a field writes its key and leaves all others as they are, and reading goes the
 * other way. Numbers stay text, so that 0.0010 is not rewritten while someone is typing.
 */
import type { FieldError, JobDraft } from '../../bridge/api.ts'
import { parseAmount } from '../../core/codec/amount.ts'
import { inCredits, sentence } from '../format.ts'
import { isObject, number, read, text, write, type Json } from './wizardJson.ts'

export interface ModelFields {
  readonly name: string
  /** Widths of the hidden layers, separated by commas. */
  readonly hidden: string
  readonly learningRate: string
  readonly epochs: string
  readonly batch: string
  /** Empty: the network's default. */
  readonly steps: string
  readonly schedule: 'linear' | 'constant'
}

export interface PriceFields { readonly escrow: string, readonly price: string, readonly burn: string, readonly deadline: string, readonly fee: string }

export type Source = 'builtin' | 'csv' | 'idx'

export interface WizardDraft {
  readonly step: number
  readonly source: Source
  readonly labelColumn: string
  readonly json: string
  /** Somebody chose or changed the model: it is only fitted to other data, no longer proposed anew. */
  readonly edited: boolean
  readonly price: PriceFields
}

/** The column of the class as the node takes it; empty: the last, or there are none. */
export const columnOf = (draft: WizardDraft): string => draft.source === 'csv' ? draft.labelColumn.trim() : ''

/** Where each field lives in the JSON; also how the node names it in an error. */
export const PATHS: Readonly<Record<keyof ModelFields, string>> = {
  name: 'name',
  hidden: 'architecture.hidden_sizes',
  learningRate: 'optimizer.learning_rate',
  epochs: 'stopping_criterion.max_epochs',
  batch: 'dataset_info.batch_size',
  steps: 'training.steps_per_slice',
  schedule: 'training.schedule'
}

/** What follows the name of a field in a list: the line, unless the message begins with it, and what is wrong. */
export const placed = ({ line, message }: FieldError): string => `${line === undefined || message.startsWith('line ') ? '' : `, line ${line}`}: ${message}`

const START: Json = {
  name: 'My model',
  model_type: 'mlp',
  architecture: { input_size: 784, hidden_sizes: [128, 64], output_size: 10 },
  optimizer: { type: 'adam', learning_rate: 0.001 },
  stopping_criterion: { type: 'max_epochs', max_epochs: 10 },
  metrics: ['accuracy', 'loss'],
  dataset_info: { batch_size: 32 }
}

export const emptyDraft = (): WizardDraft => ({
  step: 0, source: 'csv', labelColumn: '', json: JSON.stringify(START, null, 2), edited: false,
  price: { escrow: '20', price: '0.05', burn: '0.5', deadline: '5000', fee: '0.001' }
})

/** Whether anything was entered that could be lost. */
export const isUntouched = (draft: WizardDraft): boolean => JSON.stringify({ ...draft, step: 0 }) === JSON.stringify(emptyDraft())

/** What an earlier visit left; anything unexpected in it is replaced by the default. */
export function restoreDraft (text: string | undefined): WizardDraft {
  const base = emptyDraft()
  if (text === undefined) return base
  try {
    const saved = JSON.parse(text) as Partial<WizardDraft>
    const price = { ...base.price }
    for (const key of Object.keys(price) as Array<keyof PriceFields>) {
      const value = saved.price?.[key]
      if (typeof value === 'string') Object.assign(price, { [key]: value })
    }
    return {
      // Files cannot be kept, so an unfinished draft goes on where they are chosen.
      step: 0,
      source: saved.source === 'builtin' || saved.source === 'idx' ? saved.source : 'csv',
      labelColumn: typeof saved.labelColumn === 'string' ? saved.labelColumn : '',
      json: typeof saved.json === 'string' ? saved.json : base.json,
      edited: typeof saved.edited === 'boolean' ? saved.edited : typeof saved.json === 'string' && saved.json !== base.json,
      price
    }
  } catch { return base }
}

export function readFields (root: Json): ModelFields {
  const at = (field: keyof ModelFields): string => text(read(root, PATHS[field]))
  return { name: at('name'), hidden: at('hidden'), learningRate: at('learningRate'), epochs: at('epochs'), batch: at('batch'), steps: at('steps'), schedule: at('schedule') === 'constant' ? 'constant' : 'linear' }
}

export function writeField (root: Json, field: keyof ModelFields, value: string): Json {
  switch (field) {
    case 'name': return write(root, PATHS.name, value)
    case 'hidden': return write(root, PATHS.hidden, value.split(/[\s,]+/).filter(p => p !== '').map(number))
    case 'steps': return dropEmpty(write(root, PATHS.steps, value.trim() === '' ? undefined : number(value)))
    case 'schedule': return dropEmpty(write(root, PATHS.schedule, value === 'linear' ? undefined : value))
    default: return write(root, PATHS[field], number(value))
  }
}

/** Without any setting of its own, `training` is left out. */
function dropEmpty (root: Json): Json {
  return isObject(root['training']) && Object.keys(root['training']).length === 0 ? write(root, 'training', undefined) : root
}

/** An amount as typed, with its unit. */
export function typedCredits (text: string): string {
  const parsed = parseAmount(text)
  return parsed.ok ? inCredits(parsed.value) : `${text} credits`
}

/** Undefined where the text is no number of blocks; how many there may be the node says. */
export const blocksOf = (text: string): number | undefined => /^\d{1,15}$/.test(text.trim()) ? Number(text.trim()) : undefined

function deadlineError (text: string): string | undefined {
  const trimmed = text.trim()
  if (trimmed === '') return 'Enter in how many blocks from now the job ends at the latest, such as 5000.'
  if (/^(-\s*\d|0+$)/.test(trimmed)) return 'The deadline lies ahead: enter how many blocks from now, such as 5000.'
  return blocksOf(trimmed) === undefined ? 'Enter a whole number of blocks, such as 5000.' : undefined
}

const FORM_WORDS: Partial<Readonly<Record<keyof ModelFields, string>>> = {
  learningRate: 'Enter a number, such as 0.001.', epochs: 'Enter a whole number, such as 10.', batch: 'Enter a whole number, such as 32.', steps: 'Enter a whole number, such as 128, or leave it empty.'
}

/** What stands in a field of the form that is no value of its kind, in words for whoever typed it. */
export function formErrors (root: Json): Partial<Record<keyof ModelFields, string>> {
  const errors: Partial<Record<keyof ModelFields, string>> = {}
  const fields = readFields(root)
  if (fields.name.trim() === '') errors.name = 'Give the job a name: it stands in the list of jobs, for everybody to see.'
  for (const field of Object.keys(FORM_WORDS) as Array<keyof ModelFields>) {
    const value = read(root, PATHS[field])
    if (typeof value !== 'number' && (value !== undefined || field !== 'steps')) errors[field] = FORM_WORDS[field]
  }
  const widths = read(root, PATHS.hidden)
  const odd = Array.isArray(widths) ? widths.find(w => typeof w !== 'number') as unknown : undefined
  if (odd !== undefined) errors.hidden = `“${text(odd)}” is no width. Enter whole numbers with commas between them, such as 128, 64.`
  return errors
}

export type PriceErrors = Partial<Record<keyof PriceFields, string>>

/** The draft as the node takes it, or what is wrong with the amounts as typed. */
export function toJobDraft (json: string, data: string, price: PriceFields): { readonly ok: true, readonly value: JobDraft } | { readonly ok: false, readonly errors: PriceErrors } {
  const errors: PriceErrors = {}
  const amount = (key: keyof PriceFields): bigint => {
    const parsed = parseAmount(price[key].trim())
    if (parsed.ok) return parsed.value
    errors[key] = sentence(parsed.error)
    return 0n
  }
  const value = {
    json, data, escrow: amount('escrow'), pricePerContribution: amount('price'), burn: amount('burn'), fee: amount('fee'),
    deadlineBlocks: blocksOf(price.deadline) ?? 0
  }
  const wrong = deadlineError(price.deadline)
  if (wrong !== undefined) errors.deadline = wrong
  return Object.keys(errors).length === 0 ? { ok: true, value } : { ok: false, errors }
}
