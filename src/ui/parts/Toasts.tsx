/** Notices, announced to screen readers: errors at once and until closed, others when there is a pause. */
import { For, Show, type JSX } from 'solid-js'
import { useApp } from '../context.tsx'
import { Button } from './basics.tsx'
import { Icon } from './Icon.tsx'

export function Toasts (): JSX.Element {
  const app = useApp()
  return (
    <div class="toasts" role="region" aria-label="Notices" aria-live="polite">
      <For each={app.s.toasts}>{t => (
        <div class={`toast tone-${t.level === 'error' ? 'bad' : t.level === 'warn' ? 'warn' : 'busy'}`} role={t.level === 'error' ? 'alert' : undefined} data-testid="toast">
          <Icon name={t.level === 'info' ? 'info' : 'warn'} />
          <p>{t.text}</p>
          <Show when={t.action}>{action => <Button kind="quiet" small data-testid="toast-action" onClick={() => { app.dismiss(t.id); action().run() }}>{action().label}</Button>}</Show>
          <Button kind="quiet" small icon="cross" aria-label="Close this notice" onClick={() => { app.dismiss(t.id) }} />
        </div>
      )}</For>
    </div>
  )
}
