/** Ask a trained model, of a job or of a file: draw, drop a picture, take a held-out record, or enter values. */
import { createEffect, createMemo, createSignal, For, Match, on, Show, Switch, type JSX } from 'solid-js'
import type { JobView, OpenedModel, Prediction, RecordShape, RowPrediction } from '../../bridge/api.ts'
import type { Table } from '../../core/training/table.ts'
import { useApp } from '../context.tsx'
import { centreInk, fitInk, inkFromRgba } from '../digits.ts'
import { count, percent } from '../format.ts'
import { Badge, Button, Card, Empty, Note, Skeleton } from '../parts/basics.tsx'
import { DrawPad } from '../parts/DrawPad.tsx'
import { Toggle } from '../parts/fields.tsx'
import { Icon } from '../parts/Icon.tsx'
import { RecordImage } from '../parts/RecordImage.tsx'
import { Values } from '../parts/Values.tsx'
import { colourFromRgba, guessPicture, pictureOf } from '../pictures.ts'

/** A picture larger than this is refused before it is decoded. */
const PICTURE_MAX_BYTES = 20 * 1024 * 1024
/** Longest side at which a dropped picture is read. */
const PICTURE_SIDE = 512

/** A model file larger than this is refused before it is read; the node knows the exact bound. */
const MODEL_MAX_BYTES = 8 * 1024 * 1024

interface Asked {
  readonly features?: Uint8Array
  /** In the units of the table: asked as it is, or only how a held-out record is shown. */
  readonly row?: readonly string[]
  readonly truth?: string
}

/** With the row that was asked, if it was one. */
type Answer = (Prediction | RowPrediction) & { readonly row?: readonly string[] }

/** What can be asked: the newest model of a job, or that of a file, which brings no records along. */
type Subject = Pick<JobView, 'id' | 'features' | 'input' | 'round' | 'stateHash' | 'accuracy'> & { readonly testRecords?: number }

export function Try (): JSX.Element {
  const app = useApp()
  const [opened, setOpened] = createSignal<OpenedModel>()
  const [refused, setRefused] = createSignal<string>()
  const job = createMemo(() => app.view.jobs.find(j => j.id === app.router.route().arg) ?? app.view.jobs.find(j => j.id === app.view.mining.job) ?? app.view.jobs[0])
  const subject = (): Subject | undefined => opened() ?? job()
  // Whoever goes to a job's model means that one.
  createEffect(on(() => app.router.route().arg, () => { setOpened(undefined) }, { defer: true }))

  const openFile = async (file: File | undefined): Promise<void> => {
    if (file === undefined) return
    if (file.size > MODEL_MAX_BYTES) { setRefused(`${file.name} is too large for a model file.`); return }
    const bytes = new Uint8Array(await file.arrayBuffer())
    const outcome = await app.attempt('Opening the model file', async () => await app.node.openModel(bytes))
    if (outcome === undefined) return
    if (outcome.ok) { setRefused(undefined); setOpened(outcome.value) } else setRefused(`${file.name}: ${outcome.errors.map(e => e.message).join(' ')}`)
  }
  return (
    <>
      <div class="lead-row">
        <p class="lead">Runs in this tab, for free: the newest sealed state of a job, or a model file. Nothing you enter, draw or drop leaves this device.</p>
        <Show when={job()}>{j => (
          <label class="pick">Model
            <select class="select" value={j().id} data-testid="try-job" onChange={e => { setOpened(undefined); app.router.go('try', e.currentTarget.value) }}>
              <For each={app.view.jobs}>{o => <option value={o.id} selected={o.id === j().id}>{o.name}</option>}</For>
            </select>
          </label>
        )}</Show>
        <label class="button button-plain button-small"><Icon name="upload" size={16} /><span>Open a model file</span><input type="file" class="visually-hidden" accept=".cwmodel" data-testid="try-model-file" onChange={e => { void openFile(e.currentTarget.files?.[0]); e.currentTarget.value = '' }} /></label>
      </div>
      <Show when={refused()}>{text => <Note tone="warn" title="Not opened" role="alert" testid="try-model-error">{text()}</Note>}</Show>
      <Show when={opened()}>{o => <div class="row"><p class="quiet" data-testid="try-opened">From a file: <b>{o().name}</b>, {o().model}.</p><Button small icon="cross" data-testid="try-model-close" onClick={() => { setOpened(undefined) }}>Close the file</Button></div>}</Show>
      <Show when={subject()} fallback={<Card><Empty icon="try" title="No model yet">A model appears here as soon as this tab knows a job, or when you open a model file.</Empty></Card>}>{s => (
        <Show when={s().id} keyed>{_id => <Playground job={s()} />}</Show>
      )}</Show>
    </>
  )
}

function Playground (props: { job: Subject }): JSX.Element {
  const app = useApp()
  const [shape, setShape] = createSignal<RecordShape | null>()
  const [table, setTable] = createSignal<Table>()
  const [asked, setAsked] = createSignal<Asked>()
  const [answer, setAnswer] = createSignal<Answer>()
  const [refused, setRefused] = createSignal<string>()
  const [centre, setCentre] = createSignal(true)
  let latest = 0

  const ask = async (a: Asked): Promise<void> => {
    const mine = ++latest
    setAsked(a)
    const { features, row = [] } = a
    const outcome = await app.attempt('Asking the model', async () => features === undefined ? await app.node.predictRow(props.job.id, row) : await app.node.predict(props.job.id, features))
    // Strokes come faster than answers: only the newest question counts.
    if (outcome === undefined || mine !== latest) return
    if (outcome.ok) { setAnswer({ ...outcome.value, row: a.row }); setRefused(undefined) } else { setAnswer(undefined); setRefused(outcome.errors.map(e => e.message).join('; ')) }
  }
  const guess = (): void => { setShape(drawable(pictureOf(props.job.features, props.job.input) ?? guessPicture(props.job.features))) }
  const sample = async (index: number, silently = false): Promise<void> => {
    const outcome = await app.attempt('Reading a record', async () => await app.node.sample(props.job.id, index))
    if (outcome === undefined) { setShape(null); return }
    if (!outcome.ok) { if (table() === undefined) guess(); if (!silently) setRefused(outcome.errors.map(e => e.message).join(' ')); return }
    const { features, className, row } = outcome.value
    // A row of a table may have as many columns as a picture has pixels.
    setShape(table() === undefined ? drawable(pictureOf(props.job.features, outcome.value)) : null)
    if (!silently) await ask({ features, row, truth: className })
  }
  const anySample = (): void => { void sample(Math.floor(Math.random() * Math.max(1, props.job.testRecords ?? 0))) }
  const begin = async (): Promise<void> => {
    setTable(await app.attempt('Reading the columns', async () => await app.node.table(props.job.id)))
    if (table() !== undefined) setShape(null)
    else if (props.job.testRecords === undefined) guess()
    else await sample(0, true)
  }
  void begin()
  // A newer state may think differently about the same question.
  createEffect(on(() => props.job.stateHash, () => { const a = asked(); if (a !== undefined) void ask(a) }, { defer: true }))

  const drawn = (width: number, height: number, rgba: Uint8ClampedArray): void => {
    const s = shape()
    if (s === null || s === undefined) return
    if (s.channels > 1) { void ask({ features: colourFromRgba(width, height, rgba, s) }); return }
    const features = centreInk(inkFromRgba(width, height, rgba), s.width, s.height)
    if (features === undefined) { latest++; setAsked(undefined); setAnswer(undefined); return }
    void ask({ features })
  }
  const picture = async (file: File): Promise<void> => {
    const s = shape()
    if (s === null || s === undefined) return
    if (file.size > PICTURE_MAX_BYTES) { setRefused(`${file.name} is too large: at most 20 MB.`); return }
    const rgba = await readPicture(file)
    if (rgba === undefined) { setRefused(`${file.name} is not a picture this browser can read. Use PNG, JPEG or WebP.`); return }
    if (s.channels > 1) { await ask({ features: colourFromRgba(rgba.width, rgba.height, rgba.data, s) }); return }
    const ink = inkFromRgba(rgba.width, rgba.height, rgba.data)
    const features = centre() ? centreInk(ink, s.width, s.height) : fitInk(ink, s.width, s.height)
    if (features === undefined) { setRefused(`${file.name} seems to be empty: no strokes were found.`); return }
    await ask({ features })
  }

  return (
    <div class="try-grid">
      <Card title="Ask">
        <Switch>
          <Match when={shape() === undefined}><Skeleton lines={6} /></Match>
          <Match when={shape() === null}><Values features={props.job.features} table={table()} own={props.job.testRecords !== undefined} shown={asked()} onChange={f => { void ask({ features: f }) }} onRow={row => { void ask({ row }) }} /></Match>
          <Match when={shape()}>{s => <>
            <DrawPad colour={s().channels > 1} onDraw={drawn} onPicture={f => { void picture(f) }} onClear={() => { latest++; setAsked(undefined); setAnswer(undefined); setRefused(undefined) }} />
            <Show when={s().channels === 1} fallback={<p class="quiet">Pictures are cropped to their middle and scaled to {s().width} × {s().height}.</p>}>
              <Toggle label="Centre dropped pictures" description="Crop, scale and centre them like a handwritten digit." checked={centre()} onChange={setCentre} />
            </Show>
          </>}</Match>
        </Switch>
        <Show when={props.job.testRecords !== undefined}><div class="row actions"><Button icon="shuffle" data-testid="try-sample" onClick={anySample}>Take a held-out record</Button></div></Show>
      </Card>
      <Card title="Answer" testid="try-answer">
        <Show when={refused()}>{text => <Note tone="warn" title="No answer" role="alert" testid="try-error">{text()}</Note>}</Show>
        <Show when={answer()} fallback={<Show when={refused() === undefined}><Empty icon="try" title="Nothing asked yet">{shape() === null ? 'Enter values' : 'Draw something or drop a picture'}{props.job.testRecords === undefined ? '.' : ', or take a record the model has never trained on.'}</Empty></Show>}>{a => (
          <>
            <div class="answer">
              <Show when={asked()?.features}>{f => <Show when={shape()}>{s => <figure><RecordImage features={f()} shape={s()} size={96} label="What the model sees" /><figcaption>what it sees</figcaption></figure>}</Show>}</Show>
              <div role="status">
                <p class="answer-label" data-testid="try-label">{nameOf(a(), a().label)}</p>
                <p class="quiet">{percent(shares(a())[a().label])} sure<Show when={asked()?.truth}>{t => <> · truth: <b>{t()}</b> <Badge tone={t() === nameOf(a(), a().label) ? 'good' : 'bad'}>{t() === nameOf(a(), a().label) ? 'right' : 'wrong'}</Badge></>}</Show></p>
              </div>
            </div>
            <Show when={outsideWords(a(), table())}>{words => <Note tone="warn" title="Outside what training saw" testid="try-outside">{words()}</Note>}</Show>
            <Bars answer={a()} />
          </>
        )}</Show>
        <p class="quiet">Round {count(props.job.round)}<Show when={props.job.testRecords !== undefined}>, accuracy {percent(props.job.accuracy)} on held-out records</Show>.</p>
      </Card>
    </div>
  )
}

const nameOf = (p: Prediction, i: number): string => p.classNames[i] ?? String(i)

/** Which values were taken as the nearer end of their column's range. */
function outsideWords (answer: Answer, table: Table | undefined): string | undefined {
  if (!('outside' in answer) || answer.outside.length === 0 || table === undefined) return undefined
  const { outside, features, row } = answer
  return outside.map(i => {
    const { name, least, greatest } = table.columns[i]!
    return `${name}: ${row?.[i]?.trim() ?? ''} was taken as ${features[i] === 0 ? least : greatest}.`
  }).join(' ')
}

/** Probabilities sum to one here, whatever unit they came in. */
export function shares (p: Prediction): number[] {
  const sum = p.probabilities.reduce((a, b) => a + b, 0)
  return p.probabilities.map(x => sum > 0 ? x / sum : 0)
}

const BARS_MAX = 12

function Bars (props: { answer: Prediction }): JSX.Element {
  // Ten digits keep their places so that the eye can follow; of many classes only the best are shown.
  const rows = createMemo(() => {
    const all = shares(props.answer).map((share, i) => ({ i, share, name: nameOf(props.answer, i) }))
    return all.length <= BARS_MAX ? all : [...all].sort((a, b) => b.share - a.share).slice(0, BARS_MAX)
  })
  return (
    <ul class="bars" aria-label="Probability of each class">
      <For each={rows()}>{r => (
        <li class="bar" classList={{ 'bar-best': r.i === props.answer.label }} data-testid="try-bar" data-share={r.share}>
          <span class="bar-name">{r.name}</span>
          <span class="bar-track"><span style={{ width: `${r.share * 100}%` }} /></span>
          <span class="bar-value">{percent(r.share)}</span>
        </li>
      )}</For>
    </ul>
  )
}

/** A person can draw in black, or bring colours; channels of another kind are values like any others. */
const drawable = (shape: RecordShape | undefined): RecordShape | null =>
  shape !== undefined && (shape.channels === 1 || shape.channels === 3) ? shape : null

async function readPicture (file: File): Promise<ImageData | undefined> {
  try {
    const bitmap = await createImageBitmap(file)
    const scale = Math.min(1, PICTURE_SIDE / Math.max(bitmap.width, bitmap.height))
    const canvas = document.createElement('canvas')
    canvas.width = Math.max(1, Math.round(bitmap.width * scale))
    canvas.height = Math.max(1, Math.round(bitmap.height * scale))
    const context = canvas.getContext('2d')
    context?.drawImage(bitmap, 0, 0, canvas.width, canvas.height)
    bitmap.close()
    return context?.getImageData(0, 0, canvas.width, canvas.height)
  } catch { return undefined }
}
