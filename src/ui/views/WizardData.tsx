/** Step 1: the user's files. They are read in this tab; nothing is sent before the job is posted. */
import { createMemo, createSignal, For, Match, Show, Switch, type JSX } from 'solid-js'
import type { DatasetPreview, FieldError, JobView, RecordShape } from '../../bridge/api.ts'
import { bytes, count, plural, sentence } from '../format.ts'
import { Button, Note, Progress } from '../parts/basics.tsx'
import { Field, Segments } from '../parts/fields.tsx'
import { Icon } from '../parts/Icon.tsx'
import { RecordImage } from '../parts/RecordImage.tsx'
import { pictureOf } from '../pictures.ts'
import { columnOf, type Source, type WizardDraft } from './wizardDraft.ts'
import { missingSlots, place, SLOTS, type FileKind, type Slot, type WizardFiles } from './wizardFiles.ts'

const SOURCES = [{ value: 'csv', label: 'CSV' }, { value: 'idx', label: 'IDX (like MNIST)' }, { value: 'builtin', label: 'Built-in digits' }] as const

export function WizardData (props: { draft: WizardDraft, change: (part: Partial<WizardDraft>) => void, files: WizardFiles, builtin: JobView | undefined }): JSX.Element {
  const [over, setOver] = createSignal(false)
  const inputs: Partial<Record<Slot, HTMLInputElement>> = {}
  const kind = (): FileKind => props.draft.source === 'idx' ? 'idx' : 'csv'
  const set = (): ReturnType<WizardFiles['of']> => props.files.of(kind())
  const column = (): string => columnOf(props.draft)
  const missing = (): readonly string[] => missingSlots(kind(), set().chosen).map(slot => SLOTS[kind()].find(s => s.slot === slot)!.label.toLowerCase())
  const errorOf = (field: string): string | undefined => {
    const found = set().errors.filter(e => e.field === field)
    return found.length === 0 ? undefined : found.map(words).join(' ')
  }
  const others = (): readonly FieldError[] => set().errors.filter(e => !SLOTS[kind()].some(s => s.slot === e.field) && e.field !== 'labelColumn')
  /** What is in sight was read with another column than the one that stands in the field. */
  const stale = (): boolean => set().data !== undefined && set().column !== column()

  const read = (): void => { void props.files.read(kind(), column()) }
  const pick = (files: Iterable<File>, into?: Slot): void => {
    const refused = SLOTS[kind()].map(s => s.slot).filter(slot => errorOf(slot) !== undefined)
    props.files.choose(kind(), place(kind(), set().chosen, files, refused, into), column())
  }
  const remove = (slot: Slot): void => {
    const { [slot]: _gone, ...rest } = set().chosen
    props.files.choose(kind(), rest, column())
    inputs[slot]?.focus()
  }
  const setSource = (source: Source): void => {
    props.change({ source })
    // The node stages few sets: what was read of this kind before may have made room for another.
    if (source !== 'builtin') props.files.choose(source, props.files.of(source).chosen, column())
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
              <span class="slot-file" data-testid={`wizard-chosen-${s.slot}`}><Show when={set().chosen[s.slot]} fallback={<em class="quiet">none</em>}>{f => <>{f().name} <small>{bytes(f().size)}</small></>}</Show></span>
              <span class="slot-tools">
                <label class="button button-quiet button-small"><span>{set().chosen[s.slot] === undefined ? 'Choose' : 'Change'}</span><input ref={el => { inputs[s.slot] = el }} type="file" class="visually-hidden" aria-label={`${set().chosen[s.slot] === undefined ? 'Choose' : 'Change'} ${s.label.toLowerCase()}`} data-testid={`wizard-file-${s.slot}`} onChange={e => { pick(e.currentTarget.files ?? [], s.slot); e.currentTarget.value = '' }} /></label>
                <Show when={!s.needed && set().chosen[s.slot] !== undefined}><Button kind="quiet" small aria-label={`Remove ${s.label.toLowerCase()}`} data-testid={`wizard-remove-${s.slot}`} onClick={() => { remove(s.slot) }}>Remove</Button></Show>
              </span>
              <Show when={errorOf(s.slot)}><p class="field-error" role="alert" data-testid="wizard-file-error">{errorOf(s.slot)}</p></Show>
            </li>
          )}</For>
        </ul>
        <Show when={kind() === 'csv'}>
          <Field label="Column of the class" value={props.draft.labelColumn} onInput={labelColumn => { props.change({ labelColumn }); props.files.editColumn('csv') }} onCommit={() => { if (set().data === undefined || stale()) read() }} placeholder="last column" hint="Its name in the header line, or its number counted from 0. Left empty: the last column." error={errorOf('labelColumn')} testid="wizard-label-column" />
        </Show>
        <Show when={Object.keys(set().chosen).length > 0}>
          <div class="row">
            <Button icon="replay" busy={props.files.busy()} disabled={missing().length > 0} data-testid="wizard-read" onClick={read}>{set().data === undefined ? 'Read the files' : 'Read them again'}</Button>
            <Show when={missing().length > 0}><span class="quiet">Still needed: {missing().join(', ')}.</span></Show>
          </div>
        </Show>
        <Show when={props.files.busy()}><Progress label="Reading the files" /></Show>
        <Show when={others().length > 0}>
          <Note tone="bad" title="These files cannot be used as they are" role="alert" testid="wizard-data-error"><ul><For each={others()}>{e => <li>{e.field}: {words(e)}</li>}</For></ul></Note>
        </Show>
        <Show when={set().data}>{d => (
          <>
            <Show when={stale()}><Note tone="warn" role="status" testid="wizard-stale">What you see was read with {set().column === '' ? 'the last column' : `“${set().column}”`} as the class. The files are read again once you leave the field.</Note></Show>
            <Preview data={d()} />
          </>
        )}</Show>
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
