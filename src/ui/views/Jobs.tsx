/** Models in training: who pays, how far they are, and one of them in full. */
import { createEffect, createSignal, For, Match, Show, Switch, type JSX } from 'solid-js'
import type { JobView, PendingView } from '../../bridge/api.ts'
import type { EvaluationResult } from '../../ports/compute.ts'
import { useApp } from '../context.tsx'
import { ago, bytes, count, credits, duration, inCredits, percent, plural, toCents } from '../format.ts'
import { recall } from '../memory.ts'
import { Badge, Button, Card, Empty, Hash, Note, Progress, saveFile } from '../parts/basics.tsx'
import { CurveChart } from '../parts/Chart.tsx'
import { Confusion } from '../parts/Confusion.tsx'
import { Confirm } from '../parts/dialogs.tsx'
import { Icon } from '../parts/Icon.tsx'
import { PendingJob } from '../parts/Pending.tsx'
import { ShareModelButton } from '../parts/ShareModelButton.tsx'
import { jobStatus } from '../words.ts'
import { Wizard } from './wizardView.ts'

/** Own jobs that no block has so far. */
const postings = (pending: readonly PendingView[]): readonly PendingView[] => pending.filter(p => p.kind === 'job' && p.job !== undefined)

export function Jobs (): JSX.Element {
  const app = useApp()
  const arg = (): string | undefined => app.router.route().arg
  const job = (): JobView | undefined => app.view.jobs.find(j => j.id === arg())
  const waiting = (): PendingView | undefined => postings(app.view.wallet.pending).find(p => p.job === arg())
  // The second: until the node has said that it waits, a moment after it was posted here.
  const posted = (): boolean => waiting() !== undefined || recall('session', 'posted-job') === arg()
  return (
    <Switch fallback={<List />}>
      <Match when={arg() === 'new'}><Back /><Wizard /></Match>
      <Match when={job()}>{j => <><Back /><Detail job={j()} /></>}</Match>
      <Match when={arg() !== undefined}>
        <Back />
        <Card>
          <Show when={!posted()} fallback={<Empty icon="jobs" title={waiting()?.name === undefined ? 'Your job waits for its block' : `“${waiting()?.name}” waits for its block`}>
            <span data-testid="job-waits">{waiting() === undefined ? '' : `Posted ${ago(waiting()?.sinceMs ?? 0, app.now())} with ${inCredits(waiting()?.amount ?? 0n)}. `}It appears here with one of the next blocks; blocks come while somebody trains. Keep this tab open, so that others can fetch your data.</span>
          </Empty>}>
            <Empty icon="jobs" title="This job is not known here">It ended long ago, or its block has not reached this tab yet.</Empty>
          </Show>
        </Card>
      </Match>
    </Switch>
  )
}

function Back (): JSX.Element {
  const app = useApp()
  return <a class="back" href={app.router.href('jobs')}><Icon name="back" size={16} />All jobs</a>
}

function List (): JSX.Element {
  const app = useApp()
  return (
    <>
      <div class="lead-row">
        <p class="lead">A job is a model that the network trains. Clients pay for theirs; with none to do, everybody works on the benchmark.</p>
        <a class="button button-primary" href={app.router.href('jobs', 'new')} data-testid="job-new"><Icon name="plus" />Train my data</a>
      </div>
      <ul class="jobs">
        <For each={postings(app.view.wallet.pending)}>{p => <li><PendingJob entry={p} /></li>}</For>
        <For each={app.view.jobs}>{j => <li><Item job={j} /></li>}</For>
      </ul>
      <Show when={app.view.jobs.every(j => j.benchmark) && postings(app.view.wallet.pending).length === 0}>
        <Card><Empty icon="jobs" title="No paid job right now" action={<a class="button button-plain" href={app.router.href('jobs', 'new')}>Be the first</a>}>Bring a CSV or IDX file, pay with credits you have earned, and every tab trains your model.</Empty></Card>
      </Show>
    </>
  )
}

function Labels (props: { job: JobView }): JSX.Element {
  return (
    <>
      <Show when={props.job.benchmark}><Badge tone="idle" tip="Built into the chain: worked on when nobody pays.">benchmark</Badge></Show>
      <Show when={props.job.mine}><Badge tone="busy">yours</Badge></Show>
      <Badge tone={jobStatus(props.job).tone} tip={jobStatus(props.job).text}>{jobStatus(props.job).label}</Badge>
    </>
  )
}

/** Whether it may still be paid for; afterwards what was left of its escrow has gone back, so that none is left. */
const isOpen = (j: JobView): boolean => j.status === 'active' || j.status === 'waiting-data'

const done = (j: JobView): number => j.rounds === 0 ? 0 : j.round / j.rounds

function Item (props: { job: JobView }): JSX.Element {
  const app = useApp()
  return (
    <a class="card job" href={app.router.href('jobs', props.job.id)} data-testid="job-row" data-id={props.job.id} data-status={props.job.status}>
      <div class="job-head"><h2>{props.job.name}</h2><div class="row"><Labels job={props.job} /></div></div>
      <div class="job-facts">
        <span><b>{percent(props.job.accuracy)}</b><small>accuracy</small></span>
        <span class="job-model"><b title={props.job.model}>{props.job.model}</b><small>{count(props.job.parameters)} parameters</small></span>
        <span><b>{props.job.benchmark ? '–' : credits(isOpen(props.job) ? props.job.escrowLeft : props.job.escrow)}</b><small>{props.job.benchmark ? 'unpaid' : isOpen(props.job) ? `of ${credits(props.job.escrow)} left` : 'escrow, closed'}</small></span>
      </div>
      <Show when={!props.job.benchmark} fallback={<p class="quiet">Round {count(props.job.round)}, without end</p>}>
        <Progress value={done(props.job)} label={`Progress of ${props.job.name}`} />
        <p class="quiet">Round {count(props.job.round)} of {count(props.job.rounds)}</p>
      </Show>
    </a>
  )
}

function Detail (props: { job: JobView }): JSX.Element {
  const app = useApp()
  const j = (): JobView => props.job
  createEffect(() => { app.watchCurve(j().id) })
  const when = (block: number): string => {
    const blocks = block - app.view.height
    return `block ${count(block)}${blocks > 0 ? `, in about ${duration(blocks * app.view.blockIntervalMs)}` : ', passed'}`
  }
  return (
    <div class="stack" data-testid="job-detail">
      <Card title={j().name} aside={<div class="row"><Labels job={j()} /></div>}>
        <p class="quiet">{j().benchmark ? 'Built into the chain so that there is always work. Its digits are generated, identical in every tab.' : jobStatus(j()).text}</p>
        <Show when={j().dataHeld < 1}><Note tone="warn" title="The data is not all here" testid="job-data"><Progress value={j().dataHeld} label="Data held" />{percent(j().dataHeld, 0)} of {bytes(j().dataBytes)} held by this tab. It works on this job once it has all.</Note></Show>
        <dl class="facts facts-wide">
          <div><dt>Model</dt><dd>{j().model} ({count(j().parameters)} parameters)</dd></div>
          <div><dt>Data</dt><dd>{count(j().trainRecords)} records to train, {count(j().testRecords)} held out; {count(j().features)} features, {j().classes} classes, {bytes(j().dataBytes)}</dd></div>
          <div><dt>Work</dt><dd>batch {j().batch}, {count(j().stepsPerSlice)} steps per slice</dd></div>
          <div><dt>Round</dt><dd>{count(j().round)}{j().benchmark ? '' : ` of ${count(j().rounds)}`}</dd></div>
          <Show when={!j().benchmark}>
            <div><dt>Escrow</dt><dd>{isOpen(j()) ? `${credits(j().escrowLeft)} of ${inCredits(j().escrow)} left` : `${inCredits(j().escrow)}, closed`}, {credits(j().pricePerContribution)} for each contribution</dd></div>
            <div><dt>Burned</dt><dd>{inCredits(j().burn)}</dd></div>
            <Show when={isOpen(j())}><div><dt>Deadline</dt><dd><Show when={j().deadline} fallback="none">{d => when(d())}</Show></dd></div></Show>
            <Show when={j().cancelsAt}>{end => <div data-testid="job-cancels"><dt>Cancelled, ends with</dt><dd>{when(end())}</dd></div>}</Show>
          </Show>
          <div><dt>State</dt><dd><Hash value={j().stateHash} label="state hash" /></dd></div>
          <div><dt>Id</dt><dd><Hash value={j().id} label="job id" /></dd></div>
        </dl>
        <Actions job={j()} />
      </Card>
      <Card title="Learning curve"><CurveChart points={app.s.curves[j().id]} name={j().name} height={280} /></Card>
      <Evaluate job={j()} />
    </div>
  )
}

function Actions (props: { job: JobView }): JSX.Element {
  const app = useApp()
  const [saving, setSaving] = createSignal(false)
  const [asking, setAsking] = createSignal(false)
  const [cancelling, setCancelling] = createSignal(false)
  const [refused, setRefused] = createSignal<string>()
  const download = async (): Promise<void> => {
    setSaving(true)
    const outcome = await app.attempt('The download', async () => await app.node.downloadModel(props.job.id))
    setSaving(false)
    if (outcome === undefined) return
    if (outcome.ok) saveFile(outcome.value.name, outcome.value.bytes, 'application/octet-stream')
    else app.toast('warn', outcome.errors.map(e => e.message).join(' '))
  }
  const cancel = async (): Promise<void> => {
    setCancelling(true)
    const outcome = await app.attempt('Cancelling', async () => await app.node.cancelJob(props.job.id))
    setCancelling(false)
    if (outcome === undefined) return
    if (!outcome.ok) { setRefused(outcome.errors.map(e => e.message).join(' ')); return }
    setAsking(false)
    app.toast('info', 'The cancellation is on its way. The job ends a few blocks after it is on the chain; then the rest of the escrow comes back.')
  }
  const open = (): boolean => isOpen(props.job) && props.job.cancelsAt === undefined
  return (
    <div class="row actions">
      <a class="button button-primary" href={app.router.href('try', props.job.id)} data-testid="job-try"><Icon name="try" />Try it</a>
      <Button icon="download" busy={saving()} data-testid="job-download" onClick={() => { void download() }}>Download the model</Button>
      <ShareModelButton job={props.job.id} onShared={infoHash => { app.router.go('library', infoHash) }} />
      <Show when={props.job.mine && open()}>
        <Button kind="danger" icon="cross" data-testid="job-cancel" onClick={() => { setRefused(undefined); setAsking(true) }}>Cancel this job…</Button>
        <Confirm open={asking()} onClose={() => { setAsking(false) }} onConfirm={() => { void cancel() }} busy={cancelling()} danger title="Cancel this job?" confirm="Cancel the job" error={refused()} testid="job-cancel-confirm">
          <p>Training of “{props.job.name}” ends a few blocks from now; what is sealed until then is paid. Your wallet gets back about {inCredits(toCents(props.job.escrowLeft))}; what was burned, {inCredits(props.job.burn)}, is gone. What was trained so far stays available.</p>
        </Confirm>
      </Show>
    </div>
  )
}

function Evaluate (props: { job: JobView }): JSX.Element {
  const app = useApp()
  const [busy, setBusy] = createSignal(false)
  const [result, setResult] = createSignal<EvaluationResult>()
  const [names, setNames] = createSignal<readonly string[]>([])
  const [refused, setRefused] = createSignal<string>()
  const run = async (): Promise<void> => {
    setBusy(true)
    const outcome = await app.attempt('The evaluation', async () => await app.node.evaluate(props.job.id))
    // Class names come with any prediction; without one, numbers do.
    const sample = await app.node.sample(props.job.id, 0).catch(() => undefined)
    const named = sample?.ok === true ? await app.node.predict(props.job.id, sample.value.features).catch(() => undefined) : undefined
    setBusy(false)
    if (named?.ok === true) setNames(named.value.classNames)
    if (outcome === undefined) return
    if (outcome.ok) { setRefused(undefined); setResult(outcome.value) } else setRefused(outcome.errors.map(e => e.message).join(' '))
  }
  return (
    <Card title="How good is it now?" aside={<Button busy={busy()} icon="replay" data-testid="job-evaluate" onClick={() => { void run() }}>Evaluate now</Button>}>
      <Show when={refused()}>{text => <Note tone="warn" title="Not possible right now" role="alert">{text()}</Note>}</Show>
      <Show when={result()} fallback={<p class="quiet">Runs the newest state on all {plural(props.job.testRecords, 'held-out record')} in this tab, and shows which classes it mixes up.</p>}>{r => (
        <>
          <p data-testid="job-evaluation"><b>{percent(r().correct / r().count, 2)}</b> right: {count(r().correct)} of {count(r().count)} records. Loss {(r().lossBits16 / 65_536 / r().count * Math.LN2).toFixed(3)}.</p>
          <Confusion classes={props.job.classes} counts={r().confusion} names={names()} />
        </>
      )}</Show>
    </Card>
  )
}
