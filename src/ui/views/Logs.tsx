/** What this node is doing, line by line. */
import { createEffect, createMemo, createSignal, For, Show, type JSX } from 'solid-js'
import type { LogEntry } from '../../bridge/api.ts'
import { useApp } from '../context.tsx'
import { clock, plural } from '../format.ts'
import { Button, Card, CopyButton, Empty } from '../parts/basics.tsx'
import { Segments } from '../parts/fields.tsx'

const LEVELS = [{ value: 'info', label: 'INFO' }, { value: 'debug', label: 'DEBUG' }] as const

export const line = (e: LogEntry): string => `${new Date(e.timeMs).toISOString()} ${e.level.toUpperCase().padEnd(5)} [${e.area}] ${e.text}`

export function Logs (): JSX.Element {
  const app = useApp()
  let box!: HTMLDivElement
  const [level, setLevel] = createSignal<'info' | 'debug'>('info')
  const [filter, setFilter] = createSignal('')
  const [follow, setFollow] = createSignal(true)
  const shown = createMemo(() => {
    const words = filter().trim().toLowerCase()
    return app.logs().filter(e => (level() === 'debug' || e.level !== 'debug') && (words === '' || `${e.level} ${e.area} ${e.text}`.toLowerCase().includes(words)))
  })
  const choose = (l: 'info' | 'debug'): void => {
    setLevel(l)
    void app.attempt('Changing the level', async () => { await app.node.setLogLevel(l) })
  }
  createEffect(() => { void shown().length; if (follow()) box.scrollTop = box.scrollHeight })
  return (
    <Card class="logs" title="Log" aside={<span class="quiet">{plural(shown().length, 'line')}</span>}>
      <div class="log-tools">
        <Segments label="Level" options={LEVELS} value={level()} onChange={choose} testid="log-level" />
        <input class="search" type="search" placeholder="Filter" aria-label="Filter the log" value={filter()} data-testid="log-filter" onInput={e => { setFilter(e.currentTarget.value) }} />
        <Button small icon={follow() ? 'pause' : 'play'} aria-pressed={!follow()} data-testid="log-follow" onClick={() => { setFollow(!follow()) }}>{follow() ? 'Pause scrolling' : 'Follow'}</Button>
        <CopyButton text={shown().map(line).join('\n')} label="Copy the lines shown" testid="log-copy">Copy</CopyButton>
      </div>
      <div class="log-box" ref={box} tabIndex={0} role="log" aria-live="off" aria-label="Log lines">
        <Show when={shown().length > 0} fallback={<Empty icon="logs" title={app.logs().length === 0 ? 'Nothing logged yet' : 'No line matches'} />}>
          <For each={shown()}>{e => <div class={`log-line log-${e.level}`} data-testid="log-row"><time>{clock(e.timeMs)}</time><b>{e.level}</b><i>{e.area}</i><span>{e.text}</span></div>}</For>
        </Show>
      </div>
    </Card>
  )
}
