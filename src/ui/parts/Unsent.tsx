/** What the wallet called sent and no block will have: said plainly, to be sent again or let go. */
import { createSignal, For, Show, type JSX } from 'solid-js'
import type { UnsentView } from '../../bridge/api.ts'
import { useApp } from '../context.tsx'
import { credits, sentence, shortId } from '../format.ts'
import { Button, Note } from './basics.tsx'

export function Unsent (): JSX.Element {
  const app = useApp()
  return <For each={app.view.wallet.unsent}>{u => <UnsentNote unsent={u} />}</For>
}

/** What it was, and what became of it. */
function title ({ kind, why, amount, to }: UnsentView): string {
  const what = kind === 'transfer' ? `the transfer of ${credits(amount)} credits to ${shortId(to ?? '', 8, 6)}` : kind === 'job' ? `the job with ${credits(amount)} credits` : 'the cancellation of a job'
  return why === 'unseen' ? `It is not known here whether ${what} was sent` : `Not sent: ${what}`
}

const WHY: Readonly<Record<UnsentView['why'], string>> = {
  taken: 'Another transaction of this wallet took its place, sent from another tab or another device at the same time. The credits are still yours.',
  unseen: 'Its place in this wallet\'s row of transactions was used in a block that this tab has not seen. Ask whoever was to receive it, or compare the balance, before you send it once more.',
  void: 'The network\'s rules do not let it happen any more. The credits are still yours.'
}

function UnsentNote (props: { unsent: UnsentView }): JSX.Element {
  const app = useApp()
  const [busy, setBusy] = createSignal(false)
  const [refused, setRefused] = createSignal<string>()
  const again = async (): Promise<void> => {
    setBusy(true)
    const outcome = await app.attempt('Sending again', async () => await app.node.sendAgain(props.unsent.id))
    setBusy(false)
    if (outcome === undefined) return
    setRefused(outcome.ok ? undefined : outcome.errors.map(e => sentence(e.message)).join(' '))
    if (outcome.ok) app.toast('info', 'It is on its way again.')
  }
  const forget = async (): Promise<void> => { await app.attempt('Dismissing', async () => { await app.node.forgetUnsent(props.unsent.id) }) }
  return (
    <Note tone={props.unsent.why === 'unseen' ? 'warn' : 'bad'} role="alert" testid="unsent" title={title(props.unsent)} action={
      <div class="row">
        <Show when={props.unsent.why !== 'unseen'}><Button small kind="primary" icon="send" busy={busy()} data-testid="unsent-again" onClick={() => { void again() }}>Send again</Button></Show>
        <Button small kind="quiet" data-testid="unsent-forget" onClick={() => { void forget() }}>Dismiss</Button>
      </div>
    }>{WHY[props.unsent.why]}<Show when={refused()}>{why => <p data-testid="unsent-error">{why()}</p>}</Show></Note>
  )
}
