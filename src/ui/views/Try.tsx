/** Ask a trained model: draw, drop a picture, take a held-out record, or enter values. */
import { createEffect, createMemo, createSignal, For, Match, on, Show, Switch, type JSX } from 'solid-js'
import type { JobView, Prediction, RecordShape } from '../../bridge/api.ts'
import { useApp } from '../context.tsx'
import { centreInk, fitInk, inkFromRgba } from '../digits.ts'
import { count, percent } from '../format.ts'
import { Badge, Button, Card, Empty, Note, Skeleton } from '../parts/basics.tsx'
import { DrawPad } from '../parts/DrawPad.tsx'
import { Toggle } from '../parts/fields.tsx'
import { RecordImage } from '../parts/RecordImage.tsx'
import { Values } from '../parts/Values.tsx'
import { colourFromRgba, guessPicture, pictureOf } from '../pictures.ts'

/** A picture larger than this is refused before it is decoded. */
const PICTURE_MAX_BYTES = 20 * 1024 * 1024
/** Longest side at which a dropped picture is read. */
const PICTURE_SIDE = 512

interface Asked { readonly features: Uint8Array, readonly truth?: string }

export function Try (): JSX.Element {
  const app = useApp()
  const job = createMemo(() => app.view.jobs.find(j => j.id === app.router.route().arg) ?? app.view.jobs.find(j => j.id === app.view.mining.job) ?? app.view.jobs[0])
  return (
    <Show when={job()} fallback={<Card><Empty icon="try" title="No model yet">A model appears here as soon as this tab knows a job.</Empty></Card>}>{j => (
      <>
        <div class="lead-row">
          <p class="lead">Runs in this tab on the newest sealed state, for free. Nothing you draw or drop leaves this device.</p>
          <label class="pick">Model
            <select class="select" value={j().id} data-testid="try-job" onChange={e => { app.router.go('try', e.currentTarget.value) }}>
              <For each={app.view.jobs}>{o => <option value={o.id} selected={o.id === j().id}>{o.name}</option>}</For>
            </select>
          </label>
        </div>
        <Show when={j().id} keyed>{_id => <Playground job={j()} />}</Show>
      </>
    )}</Show>
  )
}

function Playground (props: { job: JobView }): JSX.Element {
  const app = useApp()
  const [shape, setShape] = createSignal<RecordShape | null>()
  const [asked, setAsked] = createSignal<Asked>()
  const [answer, setAnswer] = createSignal<Prediction>()
  const [refused, setRefused] = createSignal<string>()
  const [centre, setCentre] = createSignal(true)
  let latest = 0

  const ask = async (a: Asked): Promise<void> => {
    const mine = ++latest
    setAsked(a)
    const outcome = await app.attempt('Asking the model', async () => await app.node.predict(props.job.id, a.features))
    // Strokes come faster than answers: only the newest question counts.
    if (outcome === undefined || mine !== latest) return
    if (outcome.ok) { setAnswer(outcome.value); setRefused(undefined) } else { setAnswer(undefined); setRefused(outcome.errors.map(e => e.message).join(' ')) }
  }
  const sample = async (index: number, silently = false): Promise<void> => {
    const outcome = await app.attempt('Reading a record', async () => await app.node.sample(props.job.id, index))
    if (outcome === undefined) { setShape(null); return }
    if (!outcome.ok) { setShape(drawable(pictureOf(props.job.features, props.job.input) ?? guessPicture(props.job.features))); if (!silently) setRefused(outcome.errors.map(e => e.message).join(' ')); return }
    const { features, className } = outcome.value
    setShape(drawable(pictureOf(props.job.features, outcome.value)))
    if (!silently) await ask({ features, truth: className })
  }
  const anySample = (): void => { void sample(Math.floor(Math.random() * Math.max(1, props.job.testRecords))) }
  void sample(0, true)
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
          <Match when={shape() === null}><Values features={props.job.features} values={asked()?.features} onChange={f => { void ask({ features: f }) }} /></Match>
          <Match when={shape()}>{s => <>
            <DrawPad colour={s().channels > 1} onDraw={drawn} onPicture={f => { void picture(f) }} onClear={() => { latest++; setAsked(undefined); setAnswer(undefined); setRefused(undefined) }} />
            <Show when={s().channels === 1} fallback={<p class="quiet">Pictures are cropped to their middle and scaled to {s().width} × {s().height}.</p>}>
              <Toggle label="Centre dropped pictures" description="Crop, scale and centre them like a handwritten digit." checked={centre()} onChange={setCentre} />
            </Show>
          </>}</Match>
        </Switch>
        <div class="row actions"><Button icon="shuffle" data-testid="try-sample" onClick={anySample}>Take a held-out record</Button></div>
      </Card>
      <Card title="Answer" testid="try-answer">
        <Show when={refused()}>{text => <Note tone="warn" title="No answer" role="alert" testid="try-error">{text()}</Note>}</Show>
        <Show when={answer()} fallback={<Show when={refused() === undefined}><Empty icon="try" title="Nothing asked yet">{shape() === null ? 'Enter values' : 'Draw something, drop a picture'}, or take a record the model has never trained on.</Empty></Show>}>{a => (
          <>
            <div class="answer">
              <Show when={asked()}>{q => <Show when={shape()}>{s => <figure><RecordImage features={q().features} shape={s()} size={96} label="What the model sees" /><figcaption>what it sees</figcaption></figure>}</Show>}</Show>
              <div role="status">
                <p class="answer-label" data-testid="try-label">{nameOf(a(), a().label)}</p>
                <p class="quiet">{percent(shares(a())[a().label])} sure<Show when={asked()?.truth}>{t => <> · truth: <b>{t()}</b> <Badge tone={t() === nameOf(a(), a().label) ? 'good' : 'bad'}>{t() === nameOf(a(), a().label) ? 'right' : 'wrong'}</Badge></>}</Show></p>
              </div>
            </div>
            <Bars answer={a()} />
          </>
        )}</Show>
        <p class="quiet">Round {count(props.job.round)}, accuracy {percent(props.job.accuracy)} on held-out records.</p>
      </Card>
    </div>
  )
}

const nameOf = (p: Prediction, i: number): string => p.classNames[i] ?? String(i)

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
