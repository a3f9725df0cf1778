/** What the wallet called sent and no block will have, to be sent again or let go; and what may come to that, while it is open. */
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
  if (isOpen(why)) return `Waits: ${what}`
  return why === 'unseen' ? `It is not known here whether ${what} was sent` : `Not sent: ${what}`
}

/** Whether it will be sent is open: whoever sends it once more may pay twice. */
const isOpen = (why: UnsentView['why']): boolean => why === 'ahead' || why === 'stuck' || why === 'gap'
const mayAgain = (why: UnsentView['why']): boolean => why === 'taken' || why === 'void'

const togo = ({ blocks = 0 }: UnsentView): string => blocks === 1 ? 'after one more block' : `after ${blocks} more blocks`

const WHY: Readonly<Record<UnsentView['why'], (unsent: UnsentView) => string>> = {
  ahead: u => `Another transaction of this wallet is ahead of it, sent from another device at the same time. Whether this one is lost is known ${togo(u)}. Do not send it once more before that: both could be paid.`,
  stuck: u => `The network's rules, a lack of credits or another transaction of this wallet keep it out of a block now. If that stays so, it is given up ${togo(u)}. Do not send it once more before that: both could be paid.`,
  gap: () => 'No block can have it before an earlier transaction of this wallet, which is missing or waits itself. Where that place is free, what you send next takes it, and this one follows. Do not send this one once more: both would be paid.',
  taken: () => 'Another transaction of this wallet took its place, sent from another tab or another device at the same time. The credits are still yours.',
  same: () => 'Another transaction of this wallet, which does the same, took its place. So it has happened once, as it should, and there is nothing to send again.',
  unseen: () => 'Its place in this wallet\'s row of transactions was used in a block that this tab has not seen. Ask whoever was to receive it, or compare the balance, before you send it once more.',
  void: () => 'The network\'s rules do not let it happen. The credits are still yours.'
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
    <Note tone={mayAgain(props.unsent.why) ? 'bad' : 'warn'} role="alert" testid="unsent" title={title(props.unsent)} action={
      <div class="row">
        <Show when={mayAgain(props.unsent.why)}><Button small kind="primary" icon="send" busy={busy()} data-testid="unsent-again" onClick={() => { void again() }}>Send again</Button></Show>
        <Show when={!isOpen(props.unsent.why)}><Button small kind="quiet" data-testid="unsent-forget" onClick={() => { void forget() }}>Dismiss</Button></Show>
      </div>
    }>{WHY[props.unsent.why](props.unsent)}<Show when={refused()}>{why => <p data-testid="unsent-error">{why()}</p>}</Show></Note>
  )
}
