/** Says that no block comes, where something hangs on the next one, and offers what ends it: to train here. */
import { createMemo, createSignal, Show, type Accessor, type JSX } from 'solid-js'
import { useApp } from '../context.tsx'
import { silence, silenceWords, type Words } from '../words.ts'
import { Button, Note } from './basics.tsx'

/** Undefined while blocks come. */
export function createSilence (): Accessor<Words | undefined> {
  const app = useApp()
  return createMemo(() => {
    const ms = silence(app.view, app.now(), app.openedAt)
    return ms === undefined ? undefined : silenceWords(ms, app.view)
  })
}

export function SilenceNote (): JSX.Element {
  const app = useApp()
  const silent = createSilence()
  const [busy, setBusy] = createSignal(false)
  const waits = (): boolean => app.view.wallet.pending.length > 0
  /** On the first page, on those of jobs, and wherever the wallet waits; a tab that is alone has been told what that means. */
  const here = (): boolean => {
    const { view } = app.router.route()
    return view === 'jobs' || ((view === 'wallet' || view === 'train') && waits()) || (view === 'train' && app.view.phase.phase !== 'alone')
  }
  const start = async (): Promise<void> => {
    setBusy(true)
    await app.attempt('Starting', async () => { await app.node.setMining({ on: true }) })
    setBusy(false)
  }
  return (
    <Show when={here() ? silent() : undefined}>{words => (
      <Note tone={words().tone} title={words().title} testid="silence" action={<Show when={words().action === 'train'}><Button kind="primary" small icon="play" busy={busy()} data-testid="silence-start" onClick={() => { void start() }}>Start training here</Button></Show>}>
        {words().text}{waits() ? ' What you have sent waits for that block.' : ''}
      </Note>
    )}</Show>
  )
}
