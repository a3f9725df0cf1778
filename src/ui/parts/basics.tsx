/** The small parts every view is made of. */
import { Tooltip } from '@kobalte/core/tooltip'
import { createSignal, onCleanup, Show, splitProps, type JSX } from 'solid-js'
import { useApp } from '../context.tsx'
import { shortId } from '../format.ts'
import type { Tone } from '../words.ts'
import { Icon, type IconName } from './Icon.tsx'

export function Card (props: { title?: string, aside?: JSX.Element, children: JSX.Element, class?: string, testid?: string }): JSX.Element {
  return (
    <section class={`card ${props.class ?? ''}`} data-testid={props.testid} aria-label={props.title}>
      <Show when={props.title !== undefined || props.aside !== undefined}>
        <header class="card-head">
          <Show when={props.title}><h2>{props.title}</h2></Show>
          <Show when={props.aside}><div class="card-aside">{props.aside}</div></Show>
        </header>
      </Show>
      {props.children}
    </section>
  )
}

type ButtonKind = 'primary' | 'plain' | 'quiet' | 'danger'

interface ButtonProps extends JSX.ButtonHTMLAttributes<HTMLButtonElement> { kind?: ButtonKind, icon?: IconName, busy?: boolean, small?: boolean, onClick?: (e: MouseEvent) => void, 'data-testid'?: string }

/** While it is busy it keeps the focus, which a button that is disabled loses, and does nothing. */
export function Button (props: ButtonProps): JSX.Element {
  const [own, rest] = splitProps(props, ['kind', 'icon', 'busy', 'small', 'class', 'children', 'disabled', 'onClick'])
  const onClick = (e: MouseEvent): void => {
    // A submit button would send its form again.
    if (own.busy === true) e.preventDefault()
    else own.onClick?.(e)
  }
  return (
    <button type="button" {...rest} onClick={onClick} disabled={own.disabled === true && own.busy !== true} aria-disabled={own.busy === true ? true : undefined} aria-busy={own.busy === true} class={`button button-${own.kind ?? 'plain'} ${own.small === true ? 'button-small' : ''} ${own.class ?? ''}`}>
      <Show when={own.busy === true} fallback={<Show when={own.icon}>{name => <Icon name={name()} />}</Show>}><span class="spinner" aria-hidden="true" /></Show>
      <Show when={own.children !== undefined}><span>{own.children}</span></Show>
    </button>
  )
}

/** Explains a word on hover, focus and touch. */
export function Tip (props: { text: string, children: JSX.Element }): JSX.Element {
  return (
    <Tooltip openDelay={250} gutter={6}>
      <Tooltip.Trigger as="span" class="tip" tabIndex={0}>{props.children}</Tooltip.Trigger>
      <Tooltip.Portal><Tooltip.Content class="tooltip"><Tooltip.Arrow />{props.text}</Tooltip.Content></Tooltip.Portal>
    </Tooltip>
  )
}

export function Badge (props: { tone: Tone, children: JSX.Element, tip?: string, testid?: string }): JSX.Element {
  const body = (): JSX.Element => <span class={`badge tone-${props.tone}`} data-testid={props.testid}>{props.children}</span>
  return <Show when={props.tip} fallback={body()}>{text => <Tip text={text()}>{body()}</Tip>}</Show>
}

export function Stat (props: { label: string, value: JSX.Element, note?: JSX.Element, tip?: string, testid?: string }): JSX.Element {
  return (
    <div class="stat">
      <dt><Show when={props.tip} fallback={props.label}>{text => <Tip text={text()}>{props.label}</Tip>}</Show></dt>
      <dd class="stat-value" data-testid={props.testid}>{props.value}</dd>
      <Show when={props.note}><dd class="stat-note">{props.note}</dd></Show>
    </div>
  )
}

export function Note (props: { tone: Tone, title?: string, children: JSX.Element, action?: JSX.Element, testid?: string, role?: 'status' | 'alert' }): JSX.Element {
  const icon = (): IconName => props.tone === 'good' ? 'check' : props.tone === 'warn' || props.tone === 'bad' ? 'warn' : 'info'
  return (
    <div class={`note tone-${props.tone}`} data-testid={props.testid} role={props.role}>
      <Icon name={icon()} />
      <div class="note-body">
        <Show when={props.title}><strong>{props.title}</strong></Show>
        <div>{props.children}</div>
      </div>
      <Show when={props.action}><div class="note-action">{props.action}</div></Show>
    </div>
  )
}

export function Empty (props: { icon: IconName, title: string, children?: JSX.Element, action?: JSX.Element }): JSX.Element {
  return (
    <div class="empty">
      <Icon name={props.icon} size={28} />
      <p class="empty-title">{props.title}</p>
      <Show when={props.children}><p>{props.children}</p></Show>
      {props.action}
    </div>
  )
}

/** Grey lines where text will be. */
export function Skeleton (props: { lines?: number, height?: string }): JSX.Element {
  return (
    <div class="skeleton" role="status" aria-label="Loading">
      {Array.from({ length: props.lines ?? 3 }, (_, i) => <span style={{ width: `${90 - (i % 3) * 18}%`, height: props.height }} />)}
    </div>
  )
}

export function Progress (props: { value?: number, label: string }): JSX.Element {
  return (
    <div class="progress" classList={{ 'progress-unknown': props.value === undefined }} role="progressbar" aria-label={props.label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={props.value === undefined ? undefined : Math.round(props.value * 100)}>
      <div class="progress-bar" style={{ width: props.value === undefined ? undefined : `${Math.max(0, Math.min(1, props.value)) * 100}%` }} />
    </div>
  )
}

export async function copyText (text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch { return false }
}

export function CopyButton (props: { text: string, label: string, icon?: IconName, children?: JSX.Element, testid?: string, onCopied?: () => void }): JSX.Element {
  const app = useApp()
  const [done, setDone] = createSignal(false)
  let timer: ReturnType<typeof setTimeout> | undefined
  onCleanup(() => { clearTimeout(timer) })
  const onClick = async (): Promise<void> => {
    if (!await copyText(props.text)) { app.toast('warn', 'The browser did not allow copying. Select the text and copy it by hand.'); return }
    props.onCopied?.()
    setDone(true)
    clearTimeout(timer)
    timer = setTimeout(() => { setDone(false) }, 1_600)
  }
  return (
    <Button kind={props.children === undefined ? 'quiet' : 'plain'} small icon={done() ? 'check' : props.icon ?? 'copy'} aria-label={props.children === undefined ? props.label : undefined} title={props.label} data-testid={props.testid} onClick={() => { void onClick() }}>
      {props.children === undefined ? undefined : done() ? 'Copied' : props.children}
    </Button>
  )
}

/** A hash or address, shortened to what is needed, with a button that copies it whole. */
export function Hash (props: { value: string, label: string, whole?: boolean }): JSX.Element {
  return (
    <span class="hash">
      <code title={props.value} class={props.whole === true ? 'hash-whole' : ''}>{props.whole === true ? props.value : shortId(props.value)}</code>
      <CopyButton text={props.value} label={`Copy ${props.label}`} />
    </span>
  )
}

/** Hands bytes or text to the browser as a download. */
export function saveFile (name: string, data: Uint8Array | string | Blob, type: string): void {
  const url = URL.createObjectURL(data instanceof Blob ? data : new Blob([data as BlobPart], { type }))
  const a = document.createElement('a')
  a.href = url
  a.download = name
  document.body.append(a)
  a.click()
  a.remove()
  setTimeout(() => { URL.revokeObjectURL(url) }, 10_000)
}
