/** Step 1: the user's files. They are read in this tab; nothing is sent before the job is posted. */
import { createMemo, createSignal, For, Match, Show, Switch, type JSX } from 'solid-js'
import type { DatasetPreview, FieldError, JobFiles, JobView, RecordShape } from '../../bridge/api.ts'
import { MAX_DATASET_BYTES } from '../../core/params.ts'
import { useApp } from '../context.tsx'
import { bytes, count, plural, sentence } from '../format.ts'
import { Button, Note, Progress } from '../parts/basics.tsx'
import { Field, Segments } from '../parts/fields.tsx'
import { Icon } from '../parts/Icon.tsx'
import { RecordImage } from '../parts/RecordImage.tsx'
import { pictureOf } from '../pictures.ts'
import type { Source, WizardDraft } from './wizardDraft.ts'

/** Text is longer than the bytes it stands for; more than this is never read into memory. */
export const FILE_MAX_BYTES = MAX_DATASET_BYTES * 4

const SOURCES = [{ value: 'csv', label: 'CSV' }, { value: 'idx', label: 'IDX (like MNIST)' }, { value: 'builtin', label: 'Built-in digits' }] as const

type Slot = 'trainFeatures' | 'trainLabels' | 'testFeatures' | 'testLabels'
type Chosen = Partial<Record<Slot, File>>

const SLOTS: Record<'csv' | 'idx', ReadonlyArray<{ readonly slot: Slot, readonly label: string, readonly needed: boolean }>> = {
  csv: [{ slot: 'trainFeatures', label: 'Records', needed: true }, { slot: 'testFeatures', label: 'Held-out records', needed: false }],
  idx: [
    { slot: 'trainFeatures', label: 'Training images', needed: true }, { slot: 'trainLabels', label: 'Training labels', needed: true },
    { slot: 'testFeatures', label: 'Held-out images', needed: false }, { slot: 'testLabels', label: 'Held-out labels', needed: false }
  ]
}

/** Which slot a file is for, by the names that data sets of this kind go by. */
export function slotOf (name: string, kind: 'csv' | 'idx', taken: Chosen): Slot {
  // At the start of a word only: latest.csv and contest.csv hold nothing out.
  const test = /(?<![a-z])(test|t10k|valid|held)/i.test(name)
  const labels = kind === 'idx' && /label|idx1/i.test(name)
  const named: Slot = test ? (labels ? 'testLabels' : 'testFeatures') : labels ? 'trainLabels' : 'trainFeatures'
  if (taken[named] === undefined) return named
  return SLOTS[kind].find(s => taken[s.slot] === undefined)?.slot ?? named
}

export function WizardData (props: { draft: WizardDraft, change: (part: Partial<WizardDraft>) => void, data: DatasetPreview | undefined, onData: (d: DatasetPreview | undefined) => void, builtin: JobView | undefined }): JSX.Element {
  const app = useApp()
  const [chosen, setChosen] = createSignal<Chosen>({})
  const [errors, setErrors] = createSignal<readonly FieldError[]>([])
  const [busy, setBusy] = createSignal(false)
  const [over, setOver] = createSignal(false)
  const kind = (): 'csv' | 'idx' => props.draft.source === 'idx' ? 'idx' : 'csv'
  const missing = (): readonly string[] => SLOTS[kind()].filter(s => s.needed && chosen()[s.slot] === undefined).map(s => s.label.toLowerCase())
  const errorOf = (field: string): string | undefined => {
    const found = errors().filter(e => e.field === field)
    return found.length === 0 ? undefined : found.map(words).join(' ')
  }
  const others = (): readonly FieldError[] => errors().filter(e => !SLOTS[kind()].some(s => s.slot === e.field) && e.field !== 'labelColumn')

  const pick = (files: Iterable<File>, into?: Slot): void => {
    const next = { ...chosen() }
    // What was refused makes room: the next file is meant in its place, not beside it.
    for (const { slot } of SLOTS[kind()]) if (errorOf(slot) !== undefined) delete next[slot]
    for (const f of files) next[into ?? slotOf(f.name, kind(), next)] = f
    setChosen(next)
    setErrors([])
    props.onData(undefined)
    if (missing().length === 0) void readFiles()
  }
  const setSource = (source: Source): void => {
    setChosen({})
    setErrors([])
    props.onData(undefined)
    props.change({ source })
  }
  const readFiles = async (): Promise<void> => {
    const large = SLOTS[kind()].find(s => (chosen()[s.slot]?.size ?? 0) > FILE_MAX_BYTES)
    if (large !== undefined) { setErrors([{ field: large.slot, message: `the file is larger than ${bytes(FILE_MAX_BYTES)}; a data set may have ${bytes(MAX_DATASET_BYTES)} of features` }]); return }
    setBusy(true)
    const outcome = await app.attempt('Reading the files', async () => {
      const load = async (slot: Slot): Promise<{ name: string, bytes: Uint8Array } | undefined> => {
        const file = chosen()[slot]
        return file === undefined ? undefined : { name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) }
      }
      const trainFeatures = await load('trainFeatures')
      if (trainFeatures === undefined) throw new Error('no file was chosen')
      const files: JobFiles = {
        kind: kind(), trainFeatures,
        trainLabels: await load('trainLabels'), testFeatures: await load('testFeatures'), testLabels: await load('testLabels'),
        labelColumn: props.draft.labelColumn.trim() === '' ? undefined : props.draft.labelColumn.trim()
      }
      return await app.node.previewData(files)
    })
    setBusy(false)
    if (outcome === undefined) return
    setErrors(outcome.ok ? [] : outcome.errors)
    props.onData(outcome.ok ? outcome.value : undefined)
  }

  return (
    <div class="stack">
      <Segments label="Kind of data" options={SOURCES} value={props.draft.source} onChange={setSource} testid="wizard-source" />
      <Show when={props.draft.source !== 'builtin'} fallback={<Builtin job={props.builtin} />}>
        <div class="drop" classList={{ 'drop-over': over() }} data-testid="wizard-drop"
          onDragOver={e => { e.preventDefault(); setOver(true) }}
          onDragLeave={() => { setOver(false) }}
          onDrop={e => { e.preventDefault(); setOver(false); pick(e.dataTransfer?.files ?? []) }}>
          <Icon name="upload" size={26} />
          <p><b>Drop your files here</b><br /><span class="quiet">{kind() === 'csv' ? 'Numbers in columns, one of them the class; a header line is welcome. Also .gz.' : 'Images and labels in IDX format, as they are or as .gz. Several at once are fine.'}</span></p>
          <label class="button button-plain"><span>Choose files</span><input type="file" multiple class="visually-hidden" data-testid="wizard-files" onChange={e => { pick(e.currentTarget.files ?? []); e.currentTarget.value = '' }} /></label>
        </div>
        <ul class="slots">
          <For each={SLOTS[kind()]}>{s => (
            <li classList={{ 'slot-wrong': errorOf(s.slot) !== undefined }}>
              <span class="slot-name">{s.label}<Show when={!s.needed}><small> optional</small></Show></span>
              <span class="slot-file"><Show when={chosen()[s.slot]} fallback={<em class="quiet">none</em>}>{f => <>{f().name} <small>{bytes(f().size)}</small></>}</Show></span>
              <label class="button button-quiet button-small"><span>{chosen()[s.slot] === undefined ? 'Choose' : 'Change'}</span><input type="file" class="visually-hidden" aria-label={`Choose ${s.label.toLowerCase()}`} data-testid={`wizard-file-${s.slot}`} onChange={e => { pick(e.currentTarget.files ?? [], s.slot); e.currentTarget.value = '' }} /></label>
              <Show when={errorOf(s.slot)}><p class="field-error" role="alert" data-testid="wizard-file-error">{errorOf(s.slot)}</p></Show>
            </li>
          )}</For>
        </ul>
        <Show when={kind() === 'csv'}>
          <Field label="Column of the class" value={props.draft.labelColumn} onInput={labelColumn => { props.change({ labelColumn }); setErrors([]); props.onData(undefined) }} placeholder="last column" hint="Its name in the header line, or its number counted from 0. Left empty: the last column." error={errorOf('labelColumn')} testid="wizard-label-column" />
        </Show>
        <Show when={Object.keys(chosen()).length > 0}>
          <div class="row">
            <Button icon="replay" busy={busy()} disabled={missing().length > 0} data-testid="wizard-read" onClick={() => { void readFiles() }}>{props.data === undefined ? 'Read the files' : 'Read them again'}</Button>
            <Show when={missing().length > 0}><span class="quiet">Still needed: {missing().join(', ')}.</span></Show>
          </div>
        </Show>
        <Show when={busy()}><Progress label="Reading the files" /></Show>
        <Show when={others().length > 0}>
          <Note tone="bad" title="These files cannot be used as they are" role="alert" testid="wizard-data-error"><ul><For each={others()}>{e => <li>{e.field}: {words(e)}</li>}</For></ul></Note>
        </Show>
        <Show when={props.data}>{d => <Preview data={d()} />}</Show>
      </Show>
    </div>
  )
}

function words (e: FieldError): string {
  // A message that begins with the file's name keeps it as it is, and mostly names the line already.
  const named = /^[^ ]+\.[^ ]+ line \d/.test(e.message)
  return e.line === undefined || named ? sentence(e.message) : sentence(`line ${count(e.line)}: ${e.message}`)
}

function Builtin (props: { job: JobView | undefined }): JSX.Element {
  return (
    <Note tone="idle" title="Generated digits">
      Every tab can draw them itself, so nothing needs to be sent{props.job === undefined ? '' : `: ${count(props.job.trainRecords)} records to train, ${count(props.job.testRecords)} held out`}. Good for trying a model of your own shape.
    </Note>
  )
}

function pictureWords (shape: RecordShape | undefined): string {
  if (shape === undefined) return ''
  const { channels, height, width } = shape
  return ` (${width} × ${height} pictures${channels === 1 ? '' : channels === 3 ? ' in colour' : ` of ${channels} channels`})`
}

function Preview (props: { data: DatasetPreview }): JSX.Element {
  const d = (): DatasetPreview => props.data
  const image = createMemo(() => pictureOf(d().features, d()))
  return (
    <section class="preview" data-testid="wizard-preview" aria-label="What was read">
      <Note tone="good" title={`${plural(d().records, 'record')} read`} role="status">
        {count(d().trainRecords)} train the model, {count(d().testRecords)} are held out to measure it. {plural(d().features, 'feature')}{pictureWords(image())}, {plural(d().classes, 'class', 'classes')}, {bytes(d().bytes)}.
      </Note>
      <p class="quiet">Classes: {d().classNames.slice(0, 24).join(', ')}{d().classNames.length > 24 ? ', …' : ''}</p>
      <Switch>
        <Match when={image()}>{shape => (
          <ul class="samples"><For each={d().samples}>{s => <li><RecordImage features={s.features} shape={shape()} label={`A record of class ${d().classNames[s.label] ?? s.label}`} /><span>{d().classNames[s.label] ?? s.label}</span></li>}</For></ul>
        )}</Match>
        <Match when={image() === undefined}>
          <div class="table-scroll" tabIndex={0} role="region" aria-label="First records">
            <table class="table mono"><thead><tr><th scope="col">Class</th><th scope="col">Features, 0 to 255</th></tr></thead><tbody><For each={d().samples}>{s => <tr><td>{d().classNames[s.label] ?? s.label}</td><td>{Array.from(s.features.subarray(0, 12)).join('  ')}{s.features.length > 12 ? '  …' : ''}</td></tr>}</For></tbody></table>
          </div>
        </Match>
      </Switch>
    </section>
  )
}
