/** Train my data: data, model, price, review. Whatever is refused, what was entered stays. */
import { createEffect, createMemo, createSignal, For, Match, on, onCleanup, Show, Switch, type Accessor, type JSX, type Setter } from 'solid-js'
import type { DatasetPreview, FieldError, JobCheck } from '../../bridge/api.ts'
import { useApp, type App } from '../context.tsx'
import { count, duration, inCredits, plural } from '../format.ts'
import { forget, recall, remember } from '../memory.ts'
import { Button, Card, Note } from '../parts/basics.tsx'
import { Confirm, Receipt } from '../parts/dialogs.tsx'
import { NotEnough } from './Wallet.tsx'
import { columnOf, emptyDraft, formErrors, isUntouched, PATHS, placed, readFields, restoreDraft, toJobDraft, typedCredits, type PriceErrors, type WizardDraft } from './wizardDraft.ts'
import { WizardData } from './WizardData.tsx'
import { createWizardFiles, type WizardFiles } from './wizardFiles.ts'
import { parseObject, print } from './wizardJson.ts'
import { WizardModel } from './WizardModel.tsx'
import { Cover, coverWords } from './WizardCover.tsx'
import { fitToData, propose, type Records } from './wizardPresets.ts'
import { WizardPrice } from './WizardPrice.tsx'

const STEPS = ['Data', 'Model', 'Price', 'Review'] as const
const CHECK_MS = 350
/** `form` is about the moment, not the entries: the network is full, the wallet is empty. */
const PRICE_FIELDS = ['escrow', 'pricePerContribution', 'burn', 'deadlineBlocks', 'fee', 'deadline', 'balance', 'form']

const FILE_KINDS = ['csv', 'idx'] as const

interface Entries {
  readonly draft: Accessor<WizardDraft>
  readonly setDraft: Setter<WizardDraft>
  readonly files: WizardFiles
  /** Entries of before a reload came back, without their files. */
  readonly restored: boolean
  /** The data that the model was last fitted to. */
  fitted: string | undefined
}

function createEntries (app: App): Entries {
  const saved = recall('session', 'wizard')
  const [draft, setDraft] = createSignal<WizardDraft>(restoreDraft(saved))
  return { draft, setDraft, files: createWizardFiles(app), restored: saved !== undefined, fitted: undefined }
}

export function Wizard (): JSX.Element {
  const app = useApp()
  const entries = app.keep('wizard', () => createEntries(app))
  const { draft, setDraft, files } = entries
  const [checked, setChecked] = createSignal<JobCheck>()
  const [errors, setErrors] = createSignal<readonly FieldError[]>([])
  const [asking, setAsking] = createSignal(false)
  const [busy, setBusy] = createSignal(false)
  createEffect(() => { if (isUntouched(draft())) forget('session', 'wizard'); else remember('session', 'wizard', JSON.stringify(draft())) })

  const builtin = createMemo(() => app.view.jobs.find(j => j.benchmark))
  const source = createMemo(() => draft().source)
  const data = createMemo((): DatasetPreview | undefined => {
    const kind = source()
    if (kind === 'builtin') return undefined
    const set = files.of(kind)
    // What was read with another column than the one that is entered now is not what is to be trained on.
    return set.column === columnOf(draft()) ? set.data : undefined
  })
  const dataId = (): string | undefined => source() === 'builtin' ? 'builtin' : data()?.root
  const change = (part: Partial<WizardDraft>): void => { setDraft(d => ({ ...d, ...part })) }
  const step = (): number => draft().step
  const go = (to: number): void => { change({ step: to }); document.getElementById('wizard-title')?.focus() }

  const records = (): Records | undefined => source() === 'builtin' ? builtin() : data()
  createEffect(on([data, source], () => {
    const d = records()
    const root = parseObject(draft().json)
    // Only other data than before refits the model: nobody's own edits are touched later.
    if (d === undefined || entries.fitted === dataId()) return
    entries.fitted = dataId()
    if (root !== undefined) change({ json: print(draft().edited ? fitToData(root, d) : propose(root, d)) })
  }))

  const job = createMemo(() => { const id = dataId(); return id === undefined ? undefined : toJobDraft(draft().json, id, draft().price) })
  const typed = (): PriceErrors => { const j = job(); return j !== undefined && !j.ok ? j.errors : {} }
  let latest = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  onCleanup(() => { latest++; clearTimeout(timer) })
  const check = async (): Promise<void> => {
    const j = job()
    if (j === undefined || !j.ok) { setChecked(undefined); return }
    const mine = ++latest
    const outcome = await app.attempt('Checking the job', async () => await app.node.checkJob(j.value))
    if (outcome === undefined || mine !== latest) return
    if (outcome.ok) { setChecked(outcome.value); setErrors([]) } else { setChecked(undefined); setErrors(outcome.errors) }
  }
  createEffect(on(job, () => { clearTimeout(timer); timer = setTimeout(() => { void check() }, CHECK_MS) }))

  const isPrice = (e: FieldError): boolean => PRICE_FIELDS.includes(e.field)
  // A job file may leave its name out; a job that others are to find in a list may not.
  const nameless = createMemo((): readonly FieldError[] => {
    const root = parseObject(draft().json)
    const message = root === undefined ? undefined : formErrors(root).name
    return message === undefined ? [] : [{ field: PATHS.name, message }]
  })
  const modelErrors = (): readonly FieldError[] => [...nameless(), ...errors().filter(e => !isPrice(e) && (e.field !== PATHS.name || nameless().length === 0))]
  const priceErrors = (): readonly FieldError[] => errors().filter(isPrice)
  const spendable = (): bigint => { const left = app.view.wallet.balance - app.view.wallet.pendingOut; return left > 0n ? left : 0n }
  const total = (): bigint => {
    const c = checked()
    if (c !== undefined) return c.total
    const j = job()
    return j?.ok === true ? j.value.escrow + j.value.burn + j.value.fee : 0n
  }
  const affordable = (): boolean => total() <= spendable()
  const canGo = (to: number): boolean => to === 0 || (dataId() !== undefined && (to === 1 || (modelErrors().length === 0 && parseObject(draft().json) !== undefined && (to === 2 || (Object.keys(typed()).length === 0 && priceErrors().length === 0)))))

  const post = async (): Promise<void> => {
    const j = job()
    if (j === undefined || !j.ok) return
    setBusy(true)
    const outcome = await app.attempt('Posting the job', async () => await app.node.postJob(j.value))
    setBusy(false)
    setAsking(false)
    if (outcome === undefined) return
    if (!outcome.ok) { setErrors(outcome.errors); return }
    reset()
    remember('session', 'posted-job', outcome.value.id)
    app.toast('info', 'Your job is posted. It enters the next block; training begins once others hold your data, so keep this tab open.')
    app.router.go('jobs', outcome.value.id)
  }
  const [leaving, setLeaving] = createSignal(false)
  const hasFiles = (): boolean => FILE_KINDS.some(kind => Object.keys(files.of(kind).chosen).length > 0)
  const reset = (): void => { files.clear(); entries.fitted = undefined; setDraft(emptyDraft()); setErrors([]); setChecked(undefined) }

  return (
    <Card class="wizard" testid="wizard">
      <header class="wizard-head">
        <h2 id="wizard-title" tabIndex={-1}>Train my data</h2>
        <Button kind="quiet" small data-testid="wizard-reset" onClick={() => { if (isUntouched(draft()) && !hasFiles()) reset(); else setLeaving(true) }}>Start over</Button>
      </header>
      <ol class="wizard-steps" aria-label="Steps">
        <For each={STEPS}>{(name, i) => (
          <li classList={{ past: i() < step(), here: i() === step() }} aria-current={i() === step() ? 'step' : undefined}>
            <button type="button" disabled={!canGo(i())} data-testid={`wizard-step-${i() + 1}`} onClick={() => { go(i()) }}><span class="wizard-number">{i() + 1}</span>{name}</button>
          </li>
        )}</For>
      </ol>
      <Show when={entries.restored && step() === 0 && !hasFiles() && source() !== 'builtin' && !isUntouched(draft())}>
        <Note tone="idle" testid="wizard-restored">Your entries from before are still here. Files cannot be kept by the browser: choose them again.</Note>
      </Show>
      <Switch>
        <Match when={step() === 0}><WizardData draft={draft()} change={change} files={files} builtin={builtin()} /></Match>
        <Match when={step() === 1}><WizardModel json={draft().json} onJson={json => { change({ json, edited: true }) }} errors={modelErrors()} checked={checked()} data={records()} /></Match>
        <Match when={step() === 2}>
          <WizardPrice price={draft().price} onPrice={price => { change({ price }) }} typed={typed()} errors={priceErrors()} checked={checked()} total={total()} spendable={spendable()} />
          <Show when={!affordable()}><NotEnough need={total()} have={spendable()} /></Show>
        </Match>
        <Match when={step() === 3}>
          <Review draft={draft()} data={data()} checked={checked()} total={total()} spendable={spendable()} />
          <Show when={!affordable()}><NotEnough need={total()} have={spendable()} /></Show>
        </Match>
      </Switch>
      <Show when={step() === 3 && errors().length > 0}>
        <Note tone="bad" title="The job was not taken" role="alert" testid="wizard-refused"><ul><For each={errors()}>{e => <li><code>{e.field}</code>{placed(e)}</li>}</For></ul></Note>
      </Show>
      <footer class="wizard-foot">
        <Button disabled={step() === 0} icon="back" data-testid="wizard-back" onClick={() => { go(step() - 1) }}>Back</Button>
        <Show when={step() < 3} fallback={<Button kind="primary" icon="send" disabled={!affordable() || checked() === undefined} data-testid="wizard-post" onClick={() => { setAsking(true) }}>Post the job…</Button>}>
          <Button kind="primary" disabled={!canGo(step() + 1)} data-testid="wizard-next" onClick={() => { go(step() + 1) }}>Next</Button>
        </Show>
      </footer>
      <Confirm open={asking()} onClose={() => { setAsking(false) }} onConfirm={() => { void post() }} busy={busy()} title="Post this job?" confirm="Post and pay" testid="wizard-confirm">
        <Receipt rows={[
          ['Job', readFields(parseObject(draft().json) ?? {}).name],
          ['Escrow', typedCredits(draft().price.escrow)],
          ['Burned for good', typedCredits(draft().price.burn)],
          ['Fee', typedCredits(draft().price.fee)],
          ['Leaves your wallet', <b>{inCredits(total())}</b>],
          ['Left to spend', inCredits(spendable() - total())]
        ]} />
        <p class="quiet">Your data is handed to every node that trains on it. Escrow that is not used comes back when the job ends or you cancel it.</p>
      </Confirm>
      <Confirm open={leaving()} onClose={() => { setLeaving(false) }} onConfirm={() => { setLeaving(false); reset() }} danger title="Start over?" confirm="Start over" testid="wizard-reset-confirm">
        <p>The files, the model and the price that you have entered here are let go. Files on your disk stay as they are.</p>
      </Confirm>
    </Card>
  )
}

function Review (props: { draft: WizardDraft, data: DatasetPreview | undefined, checked: JobCheck | undefined, total: bigint, spendable: bigint }): JSX.Element {
  const app = useApp()
  const fields = createMemo(() => readFields(parseObject(props.draft.json) ?? {}))
  return (
    <div class="stack" data-testid="wizard-review">
      <p>Check it once more. The next step asks for a confirmation.</p>
      <Receipt rows={[
        ['Name', fields().name],
        ['Data', props.draft.source === 'builtin' || props.data === undefined ? 'built-in digits' : `${plural(props.data.trainRecords, 'record')} to train, ${count(props.data.testRecords)} held out, ${plural(props.data.classes, 'class', 'classes')}`],
        ['Model', props.checked?.model ?? '–'],
        ['Training', `${fields().epochs} epochs, batch ${fields().batch}, learning rate ${fields().learningRate}${props.checked === undefined ? '' : `; ${plural(props.checked.rounds, 'round')}`}`],
        ['Size', props.checked === undefined ? '–' : `${count(props.checked.parameters)} parameters`],
        ['Escrow', `${typedCredits(props.draft.price.escrow)}, ${props.draft.price.price} for each contribution`],
        ['Burned', typedCredits(props.draft.price.burn)],
        ['Fee', typedCredits(props.draft.price.fee)],
        ['Pays for', props.checked === undefined ? '–' : `${plural(props.checked.contributionsPaid, 'contribution')}. ${coverWords(props.checked)}`],
        ['Deadline', `${count(Number(props.draft.price.deadline))} blocks, about ${duration(Number(props.draft.price.deadline) * app.view.blockIntervalMs)}`],
        ['Costs now', <b>{inCredits(props.total)}</b>],
        ['Left to spend', inCredits(props.spendable - props.total)]
      ]} />
      <Cover check={props.checked} />
    </div>
  )
}
