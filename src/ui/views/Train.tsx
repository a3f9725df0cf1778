/** Home: one button, what it does right now, how the model learns, what it earns. */
import { createEffect, createMemo, createSignal, For, Show, type JSX } from 'solid-js'
import type { JobView, MiningSettings, NodePhase } from '../../bridge/api.ts'
import { useApp } from '../context.tsx'
import { ago, count, credits, duration, inCredits, percent, plural, si, toCents } from '../format.ts'
import { recall, remember, REPLAYED } from '../memory.ts'
import { Badge, Button, Card, Empty, Note, Progress, Skeleton, Stat } from '../parts/basics.tsx'
import { CurveChart } from '../parts/Chart.tsx'
import { Range, Segments, Toggle } from '../parts/fields.tsx'
import { Icon } from '../parts/Icon.tsx'
import { Identicon } from '../parts/Identicon.tsx'
import { InviteCard } from '../parts/Invite.tsx'
import { backendReason, CHECKED, minerWords, miningWords, paidShareWords, phaseWords } from '../words.ts'

const SETTLING_BLOCKS = 3
/** A block or two to fetch is everyday business: the pill says so, the page does not jump. */
const isSettling = (p: NodePhase): boolean => (p.phase === 'syncing' || p.phase === 'behind') && p.height > 0 && p.target - p.height <= SETTLING_BLOCKS

export function Train (): JSX.Element {
  const app = useApp()
  const benchmark = (): JobView | undefined => app.view.jobs.find(j => j.benchmark)
  const [chosen, setChosen] = createSignal<string>()
  const job = createMemo(() => {
    const id = chosen() ?? app.view.mining.job
    return app.view.jobs.find(j => j.id === id) ?? benchmark() ?? app.view.jobs[0]
  })
  createEffect(() => { const j = job(); if (j !== undefined) app.watchCurve(j.id) })
  return (
    <>
      <PhaseNote />
      <BackupNudge />
      <div class="train-grid train-head">
        <Control jobName={app.view.jobs.find(j => j.id === app.view.mining.job)?.name} />
        <Guide />
        <Card class="train-chart" title="Learning curve" aside={
          <Show when={app.view.jobs.length > 1} fallback={<span class="quiet">{job()?.name}</span>}>
            <select class="select" aria-label="Job shown in the chart" value={job()?.id} onChange={e => { setChosen(e.currentTarget.value) }}>
              <For each={app.view.jobs}>{j => <option value={j.id} selected={j.id === job()?.id}>{j.name}</option>}</For>
            </select>
          </Show>
        }>
          <Show when={job()} fallback={<Skeleton lines={5} />}>{j => <CurveChart points={app.s.curves[j().id]} name={j().name} height={286} />}</Show>
        </Card>
      </div>
      <Numbers />
      <div class="train-grid train-foot">
        <RecentBlocks />
        <Paid />
      </div>
      <Show when={app.view.phase.phase === 'alone'}><InviteCard /></Show>
    </>
  )
}

function PhaseNote (): JSX.Element {
  const app = useApp()
  const words = createMemo(() => phaseWords(app.view.phase, app.view.joined))
  return (
    <Show when={app.view.phase.phase !== 'ready' && !isSettling(app.view.phase)}>
      <Note tone={words().tone} title={words().title} testid="phase-note" action={
        <>
          <Show when={words().action === 'reload'}><Button kind="primary" small onClick={app.reload}>Reload</Button></Show>
          <Show when={words().action === 'backup'}><a class="button button-plain button-small" href={app.router.href('wallet', 'keys')}>Export key</a></Show>
          <Show when={words().action === 'settings'}><a class="button button-plain button-small" href={app.router.href('settings')}>Settings</a></Show>
          <Show when={words().action === 'invite'}><a class="button button-plain button-small" href={app.router.href('network')}>Invite</a></Show>
        </>
      }>
        {words().text}
        <Show when={words().progress !== undefined}><Progress value={words().progress} label={words().title} /></Show>
      </Note>
    </Show>
  )
}

export function BackupNudge (): JSX.Element {
  const app = useApp()
  const needed = (): boolean => !app.view.wallet.backedUp && app.view.wallet.balance + app.view.wallet.maturing > 0n
  return (
    <Show when={needed() && app.router.route().arg !== 'keys'}>
      <Note tone={app.view.wallet.replaced ? 'bad' : 'warn'} title={app.view.wallet.replaced ? 'The key of this tab is on no disk any more' : 'Your credits live on this device only'} testid="backup-nudge" action={<a class="button button-plain button-small" href={app.router.href('wallet', 'keys')}>Back up the key</a>}>
        {app.view.wallet.replaced ? 'Another key has taken its place. Once this tab is reloaded or closed' : 'If this browser’s data is cleared'}, you lose {inCredits(toCents(app.view.wallet.balance + app.view.wallet.maturing))} for good. A backup takes a minute.
      </Note>
    </Show>
  )
}

function Guide (): JSX.Element {
  const app = useApp()
  const [open, setOpen] = createSignal(recall('local', 'guide') !== 'done')
  const dismiss = (): void => { setOpen(false); remember('local', 'guide', 'done') }
  // What a person did, not what the node does by itself.
  const replayed = recall('local', REPLAYED) !== undefined
  const done = (): readonly boolean[] => [app.view.mining.slices > 0, replayed, (app.s.history.spent?.length ?? 0) > 0]
  createEffect(() => { if (open()) app.watchHistory('spent') })
  // Whoever has done them all reads them to the end, and does not find them again.
  createEffect(() => { if (done().every(d => d)) remember('local', 'guide', 'done') })
  return (
    <Show when={open() && app.view.phase.phase !== 'stopped'}>
      <section class="card guide" aria-label="First steps" data-testid="guide">
        <div class="guide-head">
          <div><h2>Welcome. This tab is a full node now.</h2><p>It trains models with other tabs, checks their work bit for bit, and earns credits for it. Nothing to install, no account.</p></div>
          <Button kind="quiet" small icon="cross" aria-label="Dismiss the first steps" data-testid="guide-dismiss" onClick={dismiss} />
        </div>
        <ol class="guide-steps">
          <li classList={{ done: done()[0] }}><strong>Start training</strong><span>One button does it. It uses about half of this device’s processor; Gentle uses less, and you can pause at any time.</span></li>
          <li classList={{ done: done()[1] }}><strong>Watch it being checked</strong><span>Open any block and replay its work here: same bits or it does not count.</span></li>
          <li classList={{ done: done()[2] }}><strong>Use what you earn</strong><span>Spend credits on training your own data, or send them. Trying a model is free.</span></li>
        </ol>
      </section>
    </Show>
  )
}

const PRESETS = [{ value: 'gentle', label: 'Gentle' }, { value: 'balanced', label: 'Balanced' }, { value: 'full', label: 'Full' }] as const
type Preset = typeof PRESETS[number]['value']

export function presetSettings (preset: Preset, workersMax: number): Pick<MiningSettings, 'workers' | 'duty'> {
  switch (preset) {
    case 'gentle': return { workers: 1, duty: 0.5 }
    case 'balanced': return { workers: Math.max(1, Math.floor(workersMax / 2)), duty: 1 }
    case 'full': return { workers: workersMax, duty: 1 }
  }
}

function Control (props: { jobName?: string }): JSX.Element {
  const app = useApp()
  const [busy, setBusy] = createSignal(false)
  const mining = (): typeof app.view.mining => app.view.mining
  const settings = (): MiningSettings => mining().settings
  const words = createMemo(() => miningWords(mining(), app.view.phase, props.jobName))
  const workersMax = (): number => Math.max(1, app.view.compute.workersMax)
  const apply = (change: Partial<MiningSettings>): void => { void app.attempt('Changing the settings', async () => { await app.node.setMining(change) }) }
  const toggle = async (): Promise<void> => {
    setBusy(true)
    await app.attempt(settings().on ? 'Pausing' : 'Starting', async () => { await app.node.setMining({ on: !settings().on }) })
    setBusy(false)
  }
  // Of presets that mean the same on this device (one core: balanced is full), the first.
  const preset = (): Preset | undefined => PRESETS.find(p => {
    const s = presetSettings(p.value, workersMax())
    return s.workers === settings().workers && Math.abs(s.duty - settings().duty) < 0.01
  })?.value
  return (
    <Show when={app.view.phase.phase !== 'stopped'} fallback={<Stopped />}>
      <Card class="control" testid="control">
        <div class="control-state" data-testid="mining-state" data-state={mining().state}>
          <span class={`dot dot-large tone-${words().tone}`} classList={{ 'dot-live': mining().state === 'working' }} aria-hidden="true" />
          <div role="status"><strong>{words().title}</strong><p>{words().text}</p></div>
        </div>
        <Button kind={settings().on ? 'plain' : 'primary'} class="control-button" icon={settings().on ? 'pause' : 'play'} busy={busy()} data-testid="mine-toggle" data-on={settings().on} onClick={() => { void toggle() }}>
          {settings().on ? 'Pause' : 'Start training & mining'}
        </Button>
        <Show when={app.view.compute.selfTest === 'failed'}>
          <Note tone="bad" title="A faster kernel is not in use" testid="selftest-failed">{app.view.compute.failure ?? 'It gave other bits than the reference.'} This tab uses the {app.view.compute.backend} backend instead. <a href={app.router.href('settings')}>What computes</a></Note>
        </Show>
        <div class="control-block">
          <div class="control-label" id="intensity">Intensity</div>
          <Segments label="Intensity" options={PRESETS} value={preset()} onChange={p => { apply(presetSettings(p, workersMax())) }} testid="intensity" />
        </div>
        <details class="more" open={window.innerWidth > 860}>
          <summary>Fine-tune and when to pause</summary>
          <Range label="Processor cores" min={1} max={workersMax()} step={1} value={Math.min(settings().workers, workersMax())} words={v => `${v} of ${workersMax()}`} onChange={workers => { apply({ workers }) }} testid="workers" />
          <Range label="Share of their time" min={10} max={100} step={5} value={Math.round(settings().duty * 100)} words={v => `${v} %`} onChange={v => { apply({ duty: v / 100 }) }} testid="duty" />
          <Toggle label="Pause in the background" description="Stop working while another tab or window is in front." checked={settings().pauseWhenHidden} onChange={pauseWhenHidden => { apply({ pauseWhenHidden }) }} testid="pause-hidden" />
          <Toggle label="Pause on battery" description="Work only while this device is charging." checked={settings().pauseOnBattery} onChange={pauseOnBattery => { apply({ pauseOnBattery }) }} testid="pause-battery" />
        </details>
      </Card>
    </Show>
  )
}

/** In the place of the button that starts training: a node that has stopped cannot. */
function Stopped (): JSX.Element {
  const app = useApp()
  return (
    <Card class="control" testid="control">
      <div class="control-state" data-testid="mining-state" data-state="stopped">
        <span class="dot dot-large tone-bad" aria-hidden="true" />
        <div role="status"><strong>Stopped</strong><p>This tab has left the network: it trains, checks and passes on nothing. {app.view.wallet.replaced ? 'The key of this device is another one now, which a reload brings here; that of this tab is in its memory alone.' : 'Your key, your credits and the chain are kept on this device.'}</p></div>
      </div>
      <Button kind="primary" class="control-button" icon="replay" data-testid="control-reload" onClick={app.reload}>Reload to start again</Button>
    </Card>
  )
}

function Numbers (): JSX.Element {
  const app = useApp()
  const expected = (): string => {
    const s = app.view.mining.expectedBlockSeconds
    return app.view.mining.state !== 'working' || s === undefined ? '–' : `~ ${duration(s * 1000)}`
  }
  return (
    <dl class="stats" data-testid="numbers">
      <Stat label="Steps" value={`${si(app.view.compute.stepsPerSecond)}/s`} note={`${plural(app.view.mining.slices, 'slice')} done`} tip="Training steps of this tab per second, mining and checking together." testid="steps-rate" />
      <Stat label="Compute" value={`${si(app.view.compute.macsPerSecond)}MAC/s`} note={`${app.view.compute.backend} · ${app.view.compute.busy}/${app.view.compute.workers} busy`} tip={`Multiply-accumulates per second, on the backend named below. ${backendReason(app.view.compute)}`} testid="macs-rate" />
      <Stat label="Next block of yours" value={expected()} note={`${plural(app.view.mining.blocksFound, 'block')} found`} tip="Expected time until a piece of your work wins a block. Luck decides when exactly." testid="expected-block" />
      <Stat label="Samples, all tabs" value={`${si(app.view.networkSamplesPerSecond)}/s`} note={`${app.view.contributionsPerRound.toFixed(1)} contributions per round`} tip="Samples that sealed work of the last minute was trained on, all tabs together." testid="network-rate" />
      <Stat label="Earned this session" value={credits(toCents(app.view.wallet.earned))} note={`by all tabs of this wallet · ${plural(app.view.mining.contributionsSealed, 'contribution')} sealed by this one`} tip="Credits of this wallet for blocks and sealed work since this page was opened, whichever of its tabs did it. They can be spent after a few blocks." testid="earned" />
      <Stat label="Work replayed" value={count(app.view.replays)} note={app.view.replays + app.view.replayFailures === 0 ? 'nothing yet' : app.view.replayFailures === 0 ? 'all matched' : `${plural(app.view.replayFailures, 'mismatch', 'mismatches')}`} tip="Pieces of others’ work, in blocks and beside them, that this tab redid to check them." testid="replays" />
    </dl>
  )
}

function Paid (): JSX.Element {
  const app = useApp()
  return (
    <Card title="Who pays for the work" testid="paid-card" aside={<strong class="paid-number">{percent(app.view.paidShare, 0)} paid</strong>}>
      <div class="paid-bar" role="img" aria-label={paidShareWords(app.view.paidShare)}><span style={{ width: `${app.view.paidShare * 100}%` }} /></div>
      <p class="quiet">{app.view.height === 0 ? 'Who paid for the work stands here as soon as there is a block.' : paidShareWords(app.view.paidShare)}</p>
      <p class="quiet">The benchmark keeps the chain alive and is useful to nobody else; paid jobs are. <a href={app.router.href('jobs', 'new')}>Train your own data</a></p>
      <Committee />
    </Card>
  )
}

function Committee (): JSX.Element {
  const app = useApp()
  const c = (): typeof app.view.committee => app.view.committee
  // Until then the committee of the view is the one of an older block.
  const stopped = (): boolean => app.view.phase.phase === 'stopped'
  const behind = (): boolean => { const p = app.view.phase; return p.phase === 'joining' || ((p.phase === 'syncing' || p.phase === 'behind') && !isSettling(p)) }
  return (
    <p class="quiet" data-testid="committee">
      <Show when={c().ready && !behind() && !stopped()} fallback={stopped() ? 'Who seals the rounds is known again after a reload.' : behind() ? 'Who seals the rounds is known once this tab has caught up.' : `Rounds are sealed once a committee exists: ${plural(c().needsBlocks, 'more block')} to go.`}>
        {plural(c().size, 'recent miner')} seal{c().size === 1 ? 's' : ''} the rounds{c().member ? '; this tab is one of them.' : '.'}
      </Show>
    </p>
  )
}

function RecentBlocks (): JSX.Element {
  const app = useApp()
  const recent = createMemo(() => app.s.blocks.filter(b => b.onMainChain).slice(0, 5))
  return (
    <Card title="Latest blocks" aside={<a href={app.router.href('blocks')}>All blocks</a>}>
      <Show when={app.s.blocksLoaded || recent().length > 0} fallback={<Skeleton lines={5} />}>
        <Show when={recent().length > 0} fallback={<Empty icon="blocks" title="No block yet">The first block appears when someone’s training wins a ticket.</Empty>}>
          <ul class="recent">
            <For each={recent()}>{b => (
              <li>
                <a class="recent-row" href={app.router.href('blocks', b.hash)}>
                  <Identicon id={b.miner} size={26} />
                  <span class="recent-main"><b>{count(b.height)}</b> {minerWords(b, app.view.wallet.key)}<small>{b.jobName} · {ago(b.timeMs, app.now())}</small></span>
                  <Badge tone={CHECKED[b.checked].tone}>{CHECKED[b.checked].label}</Badge>
                  <Icon name="next" size={14} />
                </a>
              </li>
            )}</For>
          </ul>
        </Show>
      </Show>
    </Card>
  )
}
