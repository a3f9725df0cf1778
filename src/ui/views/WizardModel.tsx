/** Step 2: the model, as a form or as the job file itself; each shows what the other says. */
import { createMemo, createSignal, For, Show, type JSX } from 'solid-js'
import type { FieldError } from '../../bridge/api.ts'
import { MAX_BATCH, MIN_BATCH } from '../../core/params.ts'
import { count, sentence, si } from '../format.ts'
import { Button, Note, saveFile } from '../parts/basics.tsx'
import { Field, Segments } from '../parts/fields.tsx'
import type { Checked } from './Wizard.tsx'
import { emptyDraft, parseObject, PATHS, print, readFields, writeField, type ModelFields } from './wizardDraft.ts'

const MODES = [{ value: 'form', label: 'Form' }, { value: 'json', label: 'Job file (JSON)' }] as const
const SCHEDULES = [{ value: 'linear', label: 'Falling' }, { value: 'constant', label: 'Constant' }] as const
const JOB_FILE_MAX_BYTES = 64 * 1024

export function WizardModel (props: { json: string, onJson: (json: string) => void, errors: readonly FieldError[], checked: Checked | undefined }): JSX.Element {
  const [mode, setMode] = createSignal<'form' | 'json'>('form')
  const [fileError, setFileError] = createSignal<string>()
  const root = createMemo(() => parseObject(props.json))
  const fields = createMemo(() => readFields(root() ?? {}))
  const set = (field: keyof ModelFields) => (value: string): void => { const r = root(); if (r !== undefined) props.onJson(print(writeField(r, field, value))) }
  const errorOf = (field: keyof ModelFields): string | undefined => {
    const found = props.errors.filter(e => e.field === PATHS[field])
    return found.length === 0 ? undefined : found.map(e => sentence(e.message)).join(' ')
  }
  const inForm = (e: FieldError): boolean => Object.values(PATHS).includes(e.field)
  const listed = (): readonly FieldError[] => mode() === 'json' ? props.errors : props.errors.filter(e => !inForm(e))
  const openFile = async (file: File | undefined): Promise<void> => {
    if (file === undefined) return
    if (file.size > JOB_FILE_MAX_BYTES) { setFileError(`${file.name} is too large for a job file.`); return }
    setFileError(undefined)
    props.onJson(await file.text())
  }
  return (
    <div class="stack">
      <Segments label="How to edit" options={MODES} value={mode()} onChange={setMode} testid="wizard-mode" />
      <Show when={mode() === 'form'} fallback={
        <>
          <Field label="Job file" rows={18} mono value={props.json} onInput={props.onJson} error={fileError()} testid="wizard-json" hint="The form of PoUW’s task files. What you change here shows in the form, and the other way round." />
          <div class="row">
            <label class="button button-plain button-small"><span>Open a job file</span><input type="file" accept=".json,application/json" class="visually-hidden" onChange={e => { void openFile(e.currentTarget.files?.[0]); e.currentTarget.value = '' }} /></label>
            <Button small icon="download" onClick={() => { saveFile('job.json', props.json, 'application/json') }}>Save as a file</Button>
          </div>
        </>
      }>
        <Show when={root() !== undefined} fallback={
          <Note tone="bad" title="The job file is not valid JSON" action={<Button small onClick={() => { setMode('json') }}>Fix it there</Button>}>The form shows it again once it can be read. Or <button type="button" class="linklike" onClick={() => { props.onJson(emptyDraft().json) }}>start from the default</button>.</Note>
        }>
          <div class="form">
            <Field label="Name" value={fields().name} onInput={set('name')} error={errorOf('name')} testid="wizard-name" hint="Everybody sees it." />
            <Field label="Hidden layers" value={fields().hidden} onInput={set('hidden')} error={errorOf('hidden')} testid="wizard-hidden" hint="Their widths, first to last, for example 128, 64. More is slower and can learn more." />
            <div class="form-pair">
              <Field label="Epochs" inputMode="numeric" value={fields().epochs} onInput={set('epochs')} error={errorOf('epochs')} testid="wizard-epochs" hint="How often the network goes through your data." />
              <Field label="Batch" inputMode="numeric" value={fields().batch} onInput={set('batch')} error={errorOf('batch')} testid="wizard-batch" hint={`${MIN_BATCH} to ${MAX_BATCH} records per step.`} />
            </div>
            <div class="form-pair">
              <Field label="Learning rate" inputMode="decimal" value={fields().learningRate} onInput={set('learningRate')} error={errorOf('learningRate')} testid="wizard-rate" hint="0.001 suits most models." />
              <Field label="Steps per slice" inputMode="numeric" value={fields().steps} onInput={set('steps')} placeholder="default" error={errorOf('steps')} testid="wizard-steps" hint="Local steps of one piece of work. Leave it empty unless you know." />
            </div>
            <div class="field"><span class="field-label">Learning rate over time</span><Segments label="Learning rate over time" options={SCHEDULES} value={fields().schedule} onChange={set('schedule')} /></div>
          </div>
        </Show>
      </Show>
      <Show when={listed().length > 0}>
        <Note tone="bad" title="Not right yet" role="alert" testid="wizard-model-error"><ul><For each={listed()}>{e => <li><code>{e.field}</code>{e.line === undefined ? '' : `, line ${e.line}`}: {e.message}</li>}</For></ul></Note>
      </Show>
      <Show when={props.checked}>{c => <p class="quiet" data-testid="wizard-checked" role="status">{count(c().parameters)} parameters, {si(c().costPerSlice)} cost units for one slice of work.</p>}</Show>
    </div>
  )
}
