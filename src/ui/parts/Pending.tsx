/** What this wallet has sent and no block has so far: rows of the history, and of the list of jobs. */
import { Show, type JSX } from 'solid-js'
import type { PendingView } from '../../bridge/api.ts'
import { useApp } from '../context.tsx'
import { ago, credits, dateTime, inCredits, shortId, signedCredits } from '../format.ts'
import { Badge } from './basics.tsx'

const KIND: Readonly<Record<PendingView['kind'], string>> = { transfer: 'Sending', job: 'Posting a job', cancellation: 'Cancelling a job', 'set-aside': 'Setting aside', redemption: 'Redeeming receipts' }

function what (p: PendingView): JSX.Element {
  const app = useApp()
  const name = (): string => p.name ?? 'a job'
  switch (p.kind) {
    case 'transfer': return <>To <code title={p.to}>{shortId(p.to ?? '', 8, 6)}</code>, and a fee of {credits(p.fee)}.</>
    case 'job': return <>The job <Show when={p.job} fallback={name()}>{id => <a href={app.router.href('jobs', id())}>{name()}</a>}</Show>: its escrow, its burned weight and a fee of {credits(p.fee)}.</>
    case 'cancellation': return <>The end of <Show when={p.job} fallback={name()}>{id => <a href={app.router.href('jobs', id())}>{name()}</a>}</Show>, for a fee.</>
    case 'set-aside': return <>For those who send you files, and a fee of {credits(p.fee)}.</>
    case 'redemption': return <>What others have signed for files they got from you, for a fee.</>
  }
}

export function PendingRow (props: { entry: PendingView }): JSX.Element {
  const app = useApp()
  return (
    <li class="history-row" data-testid="pending-row" data-kind={props.entry.kind} data-id={props.entry.id}>
      <span class="history-kind"><b>{KIND[props.entry.kind]}</b><small title={dateTime(props.entry.sinceMs)}>{ago(props.entry.sinceMs, app.now())}</small></span>
      <span class="history-why">{what(props.entry)}</span>
      <span class="history-amount"><b>{signedCredits(-props.entry.amount - props.entry.fee)}</b><Badge tone="busy">waits for a block</Badge></span>
    </li>
  )
}

/** A job that was posted from here, in the list of jobs. */
export function PendingJob (props: { entry: PendingView }): JSX.Element {
  const app = useApp()
  return (
    <a class="card job" href={app.router.href('jobs', props.entry.job)} data-testid="job-pending" data-id={props.entry.job}>
      <div class="job-head"><h2>{props.entry.name ?? 'A job'}</h2><div class="row"><Badge tone="busy">yours</Badge><Badge tone="warn">waits for a block</Badge></div></div>
      <p class="quiet">Posted {ago(props.entry.sinceMs, app.now())} with {inCredits(props.entry.amount)}. Training begins once a block has it and others hold its data.</p>
    </a>
  )
}
