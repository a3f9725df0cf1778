/** Dialogs: focus is trapped inside and given back, Escape closes, the page behind is inert. */
import { AlertDialog } from '@kobalte/core/alert-dialog'
import { createComputed, on, Show, type JSX } from 'solid-js'
import { Button } from './basics.tsx'

/** Asks before something is spent or lost. The safe answer has the focus. */
export function Confirm (props: { open: boolean, onClose: () => void, onConfirm: () => void, title: string, confirm: string, danger?: boolean, busy?: boolean, children: JSX.Element, error?: string, testid?: string }): JSX.Element {
  let opener: Element | null = null
  createComputed(on(() => props.open, open => { if (open) opener = document.activeElement }))
  const giveBack = (e: Event): void => {
    e.preventDefault()
    if (opener instanceof HTMLElement) opener.focus()
  }
  return (
    <AlertDialog open={props.open} onOpenChange={open => { if (!open) props.onClose() }}>
      <AlertDialog.Portal>
        <AlertDialog.Overlay class="overlay" />
        <div class="dialog-place">
          <AlertDialog.Content class="dialog" data-testid={props.testid} onCloseAutoFocus={giveBack}>
            <header class="dialog-head"><AlertDialog.Title class="dialog-title">{props.title}</AlertDialog.Title></header>
            <AlertDialog.Description as="div" class="dialog-text">{props.children}</AlertDialog.Description>
            <Show when={props.error}><p class="field-error" role="alert">{props.error}</p></Show>
            <footer class="dialog-foot">
              <AlertDialog.CloseButton class="button button-plain" aria-label="Go back" data-testid={props.testid === undefined ? undefined : `${props.testid}-no`}>Go back</AlertDialog.CloseButton>
              <Button kind={props.danger === true ? 'danger' : 'primary'} busy={props.busy} data-testid={props.testid === undefined ? undefined : `${props.testid}-yes`} onClick={() => { props.onConfirm() }}>{props.confirm}</Button>
            </footer>
          </AlertDialog.Content>
        </div>
      </AlertDialog.Portal>
    </AlertDialog>
  )
}

/** Names and values, as in a receipt. */
export function Receipt (props: { rows: ReadonlyArray<readonly [string, JSX.Element]> }): JSX.Element {
  return <dl class="receipt">{props.rows.map(([name, value]) => <div><dt>{name}</dt><dd>{value}</dd></div>)}</dl>
}
