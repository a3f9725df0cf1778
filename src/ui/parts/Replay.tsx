/** Redoes the work of a block in this tab and sets what it claimed beside what came out. */
import { createSignal, For, Match, onCleanup, Show, Switch, type JSX } from 'solid-js'
import type { BlockView, ReplayView } from '../../bridge/api.ts'
import { useApp } from '../context.tsx'
import { count, duration } from '../format.ts'
import { remember, REPLAYED } from '../memory.ts'
import { Badge, Button, Card, CopyButton, Note, Progress } from './basics.tsx'

type State =
  | { readonly step: 'idle' }
  | { readonly step: 'running', readonly since: number }
  | { readonly step: 'done', readonly result: ReplayView }
  | { readonly step: 'failed', readonly message: string }

/** ok: same bits. mismatch: other bits. unavailable: it could not be done, which says nothing about the block. */
export function verdict (r: ReplayView): 'ok' | 'mismatch' | 'unavailable' {
  return r.ok ? 'ok' : r.computedResult === undefined ? 'unavailable' : 'mismatch'
}

export function Replay (props: { block: BlockView }): JSX.Element {
  const app = useApp()
  const [state, setState] = createSignal<State>({ step: 'idle' })
  const [elapsed, setElapsed] = createSignal(0)
  let timer: ReturnType<typeof setInterval> | undefined
  onCleanup(() => { clearInterval(timer) })
  const run = async (): Promise<void> => {
    const since = Date.now()
    setElapsed(0)
    setState({ step: 'running', since })
    timer = setInterval(() => { setElapsed(Date.now() - since) }, 200)
    try {
      const result = await app.node.replayBlock(props.block.hash)
      setState({ step: 'done', result })
      if (verdict(result) !== 'unavailable') remember('local', REPLAYED, 'yes')
    } catch (e) {
      setState({ step: 'failed', message: e instanceof Error ? e.message : String(e) })
    } finally { clearInterval(timer) }
  }
  const done = (): ReplayView | undefined => { const s = state(); return s.step === 'done' ? s.result : undefined }
  const failed = (): string | undefined => { const s = state(); return s.step === 'failed' ? s.message : undefined }
  return (
    <Card title="Replay this work">
      <p class="quiet">The work behind a block is a run of training steps whose every bit is fixed by the block itself. Doing it again here must give the same hashes.</p>
      <Button kind="primary" icon="replay" busy={state().step === 'running'} disabled={props.block.height === 0} data-testid="replay-button" onClick={() => { void run() }}>
        {state().step === 'running' ? 'Replaying…' : state().step === 'idle' ? 'Replay this work' : 'Replay again'}
      </Button>
      <Show when={props.block.height === 0}><p class="quiet">The genesis block is built in and holds no work.</p></Show>
      <div aria-live="polite">
        <Show when={state().step === 'running'}><Progress label="Replaying" /><p class="quiet">{duration(elapsed())}, in line before mining</p></Show>
        <Show when={failed()}>{message => <Note tone="bad" title="The replay broke off" testid="replay-result">{message()}</Note>}</Show>
        <Show when={done()}>{r => <Result result={r()} />}</Show>
      </div>
    </Card>
  )
}

function Result (props: { result: ReplayView }): JSX.Element {
  const r = (): ReplayView => props.result
  const rows = (): Array<readonly [string, string, string | undefined]> => [['State after the work', r().claimedResult, r().computedResult], ['Payload', r().claimedPayload, r().computedPayload]]
  return (
    <div class="replay" data-testid="replay-result" data-verdict={verdict(r())}>
      <Switch>
        <Match when={verdict(r()) === 'ok'}><Note tone="good" title="The work matches, bit for bit">{count(r().steps)} steps redone in {duration(r().elapsedMs)} on the {r().backend} backend.</Note></Match>
        <Match when={verdict(r()) === 'mismatch'}><Note tone="bad" title="The work does not match">This block claims what its training does not give{r().reason === undefined ? '' : `: ${r().reason}`}. An honest node refuses it.</Note></Match>
        <Match when={verdict(r()) === 'unavailable'}><Note tone="warn" title="This work cannot be replayed here now">{r().reason ?? 'What it needs is not held by this tab.'} That says nothing against the block.</Note></Match>
      </Switch>
      <For each={rows()}>{([name, claimed, computed]) => (
        <div class="digest">
          <div class="digest-head">{name}<Show when={computed !== undefined}><Badge tone={claimed === computed ? 'good' : 'bad'}>{claimed === computed ? 'same' : 'differs'}</Badge></Show></div>
          <div class="digest-row"><span>claimed</span><code>{claimed}</code><CopyButton text={claimed} label={`Copy the claimed ${name.toLowerCase()} hash`} /></div>
          <div class="digest-row"><span>computed</span><Show when={computed} fallback={<em>not computed</em>}>{value => <><Compared claimed={claimed} computed={value()} /><CopyButton text={value()} label={`Copy the computed ${name.toLowerCase()} hash`} /></>}</Show></div>
        </div>
      )}</For>
      <Show when={r().ticket}>{t => <div class="digest"><div class="digest-head">Ticket</div><div class="digest-row"><span>value</span><code>{t()}</code></div></div>}</Show>
    </div>
  )
}

/** Marks where two hashes part. */
function Compared (props: { claimed: string, computed: string }): JSX.Element {
  const same = (): number => {
    let i = 0
    while (i < props.computed.length && props.claimed[i] === props.computed[i]) i++
    return i
  }
  return <code>{props.computed.slice(0, same())}<Show when={same() < props.computed.length}><mark>{props.computed.slice(same())}</mark></Show></code>
}
