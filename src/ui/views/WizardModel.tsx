/** Step 2: the model, as a form or as the job file itself; each shows what the other says. */
import { createMemo, createSignal, For, Match, Show, Switch, type JSX } from 'solid-js'
import type { FieldError, JobCheck } from '../../bridge/api.ts'
import { outlineModel } from '../../bridge/modelOutline.ts'
import { MAX_BATCH, MAX_SLICE_COST, MIN_BATCH } from '../../core/params.ts'
import { count, percent, plural, sentence, si } from '../format.ts'
import { Button, Note, saveFile, Stat } from '../parts/basics.tsx'
import { Confirm } from '../parts/dialogs.tsx'
import { Field, Segments } from '../parts/fields.tsx'
import { Icon } from '../parts/Icon.tsx'
import { LayerList } from './LayerList.tsx'
import { takesWords } from './WizardCover.tsx'
import { emptyDraft, formErrors, PATHS, placed, readFields, writeField, type ModelFields } from './wizardDraft.ts'
import { isObject, parseObject, print, type Json } from './wizardJson.ts'
import { architectureOf, kindOf, presetOf, PRESETS, recordsPicture, usePreset, withModel, type ModelKind, type Preset, type Records } from './wizardPresets.ts'

const MODES = [{ value: 'form', label: 'Form' }, { value: 'json', label: 'Job file (JSON)' }] as const
const KINDS = [{ value: 'cnn', label: 'Convolutional' }, { value: 'mlp', label: 'Dense layers' }] as const
const KIND_WORDS: Readonly<Record<ModelKind, string>> = {
  cnn: 'Looks at small patches wherever they are in the picture. Best for pictures; more work for each step.',
  mlp: 'Looks at all values of a record at once. Fast, and right for tables.'
}
const PRESET_WORDS: Readonly<Record<Preset, string>> = { small: 'Small', medium: 'Medium' }
const SCHEDULES = [{ value: 'linear', label: 'Falling' }, { value: 'constant', label: 'Constant' }] as const
const LAYERS = 'architecture.layers'
const JOB_FILE_MAX_BYTES = 64 * 1024

export function WizardModel (props: { json: string, onJson: (json: string) => void, errors: readonly FieldError[], checked: JobCheck | undefined, data: Records | undefined }): JSX.Element {
  const [mode, setMode] = createSignal<'form' | 'json'>('form')
  const [fileError, setFileError] = createSignal<string>()
  const [over, setOver] = createSignal(false)
  /** What each kind was before the other was looked at. */
  const kept: Partial<Record<ModelKind, Json>> = {}
  const root = createMemo(() => parseObject(props.json))
  const fields = createMemo(() => readFields(root() ?? {}))
  const kind = (): ModelKind => kindOf(root() ?? {})
  const architecture = (): Json => { const a = root()?.['architecture']; return isObject(a) ? a : {} }
  const outline = createMemo(() => outlineModel(kind() === 'cnn' ? architecture() : {}))
  const change = (edit: (r: Json) => Json): void => { const r = root(); if (r !== undefined) props.onJson(print(edit(r))) }
  const set = (field: keyof ModelFields) => (value: string): void => { change(r => writeField(r, field, value)) }
  const choose = (to: ModelKind): void => {
    const data = props.data
    if (data === undefined || to === kind()) return
    kept[kind()] = architecture()
    change(r => withModel(r, to, kept[to] ?? architectureOf(to, 'small', data), data))
  }
  const wrong = createMemo(() => formErrors(root() ?? {}))
  /** What a slice costs is refused at its steps. Where nobody chose those, it is the model that is too small or too large. */
  const ofModel = (): readonly FieldError[] => fields().steps === '' ? props.errors.filter(e => e.field === PATHS.steps) : []
  const errorOf = (field: keyof ModelFields): string | undefined => {
    const typed = wrong()[field]
    if (typed !== undefined) return typed
    const found = [...props.errors.filter(e => e.field === PATHS[field]), ...(field === 'hidden' ? ofModel() : [])]
    return found.length === 0 ? undefined : found.map(e => sentence(e.message)).join(' ')
  }
  const inForm = (e: FieldError): boolean => Object.values(PATHS).includes(e.field) || (kind() === 'cnn' && /^architecture\.(layers|input_shape$|output_size$)/.test(e.field))
  const listed = (): readonly FieldError[] => mode() === 'json' || root() === undefined ? props.errors : props.errors.filter(e => !inForm(e))
  const [odd, setOdd] = createSignal<{ readonly name: string, readonly text: string }>()
  const openFile = async (file: File | undefined): Promise<void> => {
    if (file === undefined) return
    if (file.size > JOB_FILE_MAX_BYTES) { setFileError(`${file.name} is too large for a job file.`); return }
    setFileError(undefined)
    const text = await file.text()
    if (parseObject(text) === undefined) setOdd({ name: file.name, text })
    else props.onJson(text)
  }
  const takeOdd = (): void => { const file = odd(); setOdd(undefined); if (file !== undefined) props.onJson(file.text) }
  return (
    <div class="stack wizard-model" classList={{ 'drop-over': over() }} data-testid="wizard-model"
      onDragOver={e => { e.preventDefault(); setOver(true) }}
      onDragLeave={() => { setOver(false) }}
      onDrop={e => { e.preventDefault(); setOver(false); void openFile(e.dataTransfer?.files[0]) }}>
      <div class="wizard-tools">
        <Segments label="How to edit" options={MODES} value={mode()} onChange={setMode} testid="wizard-mode" />
        <label class="button button-plain button-small"><Icon name="upload" size={16} /><span>Open a job file</span><input type="file" accept=".json,application/json" class="visually-hidden" data-testid="wizard-job-file" onChange={e => { void openFile(e.currentTarget.files?.[0]); e.currentTarget.value = '' }} /></label>
      </div>
      <Confirm open={odd() !== undefined} onClose={() => { setOdd(undefined) }} onConfirm={takeOdd} danger title="This is no job file" confirm="Open it all the same" testid="wizard-job-file-odd">
        <p>“{odd()?.name}” is not JSON, as a job file is{/\.(csv|tsv|txt|gz)$/i.test(odd()?.name ?? '') ? '; records are chosen at the step Data' : ''}. If you open it, its text takes the place of the job that you have here, and you have to mend it there.</p>
      </Confirm>
      <Show when={fileError()}>{message => <p class="field-error" role="alert" data-testid="wizard-job-file-error">{message()}</p>}</Show>
      <Show when={mode() === 'form'} fallback={
        <>
          <Field label="Job file" rows={18} mono value={props.json} onInput={props.onJson} testid="wizard-json" hint="Paste a job file, or drop one anywhere on this step. The form shows what you change here, and the other way round." />
          <div class="row"><Button small icon="download" onClick={() => { saveFile('job.json', props.json, 'application/json') }}>Save as a file</Button></div>
        </>
      }>
        <Show when={root() !== undefined} fallback={
          <Note tone="bad" title="The job file is not valid JSON" action={<Button small onClick={() => { setMode('json') }}>Fix it there</Button>}>The form shows it again once it can be read. Or <button type="button" class="linklike" onClick={() => { props.onJson(emptyDraft().json) }}>start from the default</button>.</Note>
        }>
          <div class="form">
            <Field label="Name" value={fields().name} onInput={set('name')} error={errorOf('name')} testid="wizard-name" hint="Everybody sees it." />
            <Show when={props.data}>{data => <Shape kind={kind()} choose={choose} data={data()} preset={presetOf(root() ?? {}, data())} usePreset={p => { change(r => usePreset(r, kind(), p, data())) }} />}</Show>
            <Switch>
              <Match when={kind() === 'cnn'}><LayerList architecture={architecture()} onChange={next => { change(r => ({ ...r, architecture: next })) }} outline={outline()} errors={[...props.errors, ...ofModel().map(e => ({ ...e, field: LAYERS }))]} /></Match>
              <Match when={kind() === 'mlp'}><Field label="Hidden layers" value={fields().hidden} onInput={set('hidden')} error={errorOf('hidden')} testid="wizard-hidden" hint="Their widths, first to last, for example 128, 64. More is slower and can learn more." /></Match>
            </Switch>
            <div class="form-pair">
              <Field label="Epochs" inputMode="numeric" value={fields().epochs} onInput={set('epochs')} error={errorOf('epochs')} testid="wizard-epochs" hint="How often the network goes through your data." />
              <Field label="Batch" inputMode="numeric" value={fields().batch} onInput={set('batch')} error={errorOf('batch')} testid="wizard-batch" hint={`${MIN_BATCH} to ${MAX_BATCH} records per step.`} />
            </div>
            <div class="form-pair">
              <Field label="Learning rate" inputMode="decimal" value={fields().learningRate} onInput={set('learningRate')} error={errorOf('learningRate')} testid="wizard-rate" hint={kind() === 'cnn' ? '0.002 suits most models.' : '0.001 suits most models.'} />
              <Field label="Steps per slice" inputMode="numeric" value={fields().steps} onInput={set('steps')} placeholder={props.checked === undefined ? 'chosen for you' : `${props.checked.stepsPerSlice}, chosen for you`} error={errorOf('steps')} testid="wizard-steps" hint="Local steps of one piece of work. Leave it empty unless you know." />
            </div>
            <div class="field"><span class="field-label">Learning rate over time</span><Segments label="Learning rate over time" options={SCHEDULES} value={fields().schedule} onChange={set('schedule')} /></div>
          </div>
        </Show>
      </Show>
      <Show when={listed().length > 0}>
        <Note tone="bad" title="Not right yet" role="alert" testid="wizard-model-error"><ul><For each={listed()}>{e => <li><code>{e.field}</code>{placed(e)}</li>}</For></ul></Note>
      </Show>
      <Show when={props.checked}>{c => <Comes check={c()} />}</Show>
    </div>
  )
}

/** Which kind of model, and two sizes of it to begin with. */
function Shape (props: { kind: ModelKind, choose: (to: ModelKind) => void, data: Records, preset: Preset | undefined, usePreset: (p: Preset) => void }): JSX.Element {
  // A model of pictures for records that are none can be left, not chosen.
  const offered = (): boolean => props.kind === 'cnn' || recordsPicture(props.data) !== undefined
  return (
    <div class="field">
      <span class="field-label">Model</span>
      <div class="wizard-tools">
        <Show when={offered()}><Segments label="Kind of model" options={KINDS} value={props.kind} onChange={props.choose} testid="wizard-kind" /></Show>
        <div class="row presets" role="group" aria-label="Start from">
          <span class="quiet">Start from</span>
          <For each={PRESETS}>{p => <Button small class={props.preset === p ? 'button-on' : ''} aria-pressed={props.preset === p} data-testid={`wizard-preset-${p}`} onClick={() => { props.usePreset(p) }}>{PRESET_WORDS[p]}</Button>}</For>
        </div>
      </div>
      <p class="field-hint">{KIND_WORDS[props.kind]}</p>
    </div>
  )
}

/** What the network makes of it. */
function Comes (props: { check: JobCheck }): JSX.Element {
  return (
    <dl class="stats" data-testid="wizard-checked" aria-label="What it comes to">
      <Stat label="Parameters" value={count(props.check.parameters)} testid="wizard-parameters" />
      <Stat label="One slice of work" value={plural(props.check.stepsPerSlice, 'step')} testid="wizard-slice-steps" />
      <Stat label="Cost of a slice" value={si(props.check.costPerSlice)} note={`multiply-adds, ${percent(props.check.costPerSlice / MAX_SLICE_COST, 0)} of the most allowed`} testid="wizard-slice-cost" />
      <Stat label="Whole training" value={plural(props.check.rounds, 'round')} note={takesWords(props.check)} testid="wizard-rounds" />
    </dl>
  )
}
