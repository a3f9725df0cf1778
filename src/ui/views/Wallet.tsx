/** What you have, where it came from, how to send it and how not to lose it. */
import { Tabs } from '@kobalte/core/tabs'
import { createEffect, createMemo, createSignal, For, Show, type JSX } from 'solid-js'
import type { HistoryEntry, NodePhase, PendingView, WalletView } from '../../bridge/api.ts'
import { useApp } from '../context.tsx'
import { ago, count, creditUnit, credits, dateTime, duration, plural, shortId, signedCredits, toCents } from '../format.ts'
import { historyRows, rowWords, type HistoryRow } from '../historyRows.ts'
import { Badge, Button, Card, CopyButton, Empty, Note, Skeleton } from '../parts/basics.tsx'
import { Segments } from '../parts/fields.tsx'
import { PendingRow } from '../parts/Pending.tsx'
import { Qr } from '../parts/Qr.tsx'
import { Unsent } from '../parts/Unsent.tsx'
import { HISTORY_MAX, type HistoryChoice } from '../state.ts'
import { KIND_LABEL } from '../words.ts'
import { Keys } from './Keys.tsx'
import { Send } from './Send.tsx'
import { BackupNudge } from './Train.tsx'

const TABS = [{ value: 'send', label: 'Send' }, { value: 'receive', label: 'Receive' }, { value: 'keys', label: 'Key & backup' }] as const

/** A ledger that is not the newest: a balance of nothing may be about to change. */
const BEHIND: ReadonlyArray<NodePhase['phase']> = ['starting', 'joining', 'syncing', 'behind']

export function Wallet (): JSX.Element {
  const app = useApp()
  const tab = (): string => TABS.find(t => t.value === app.router.route().arg)?.value ?? 'send'
  const catchingUp = (): boolean => BEHIND.includes(app.view.phase.phase)
  return (
    <>
      <BackupNudge />
      <Unsent />
      <div class="wallet-grid">
        <div class="stack">
          <Balance wallet={app.view.wallet} />
          <Show when={catchingUp()} fallback={<Show when={app.view.wallet.balance + app.view.wallet.maturing === 0n && app.view.phase.phase !== 'stopped'}><HowToEarn /></Show>}>
            <Note tone="busy" title="Catching up with the network" testid="wallet-behind">What you see is as of block {count(app.view.height)}: credits of later blocks appear when this tab has caught up.</Note>
          </Show>
        </div>
        <Card class="wallet-tabs">
          <Tabs value={tab()} onChange={v => { app.router.go('wallet', v) }} class="tabs">
            <Tabs.List class="tablist" aria-label="Wallet actions">
              <For each={TABS}>{t => <Tabs.Trigger class="tab" value={t.value} data-testid={`wallet-tab-${t.value}`}>{t.label}</Tabs.Trigger>}</For>
            </Tabs.List>
            {/* All of them stay: what is entered in one is there after a look at another. */}
            <Tabs.Content forceMount value="send" class="tabpanel" hidden={tab() !== 'send'}><Send /></Tabs.Content>
            <Tabs.Content forceMount value="receive" class="tabpanel" hidden={tab() !== 'receive'}><Receive /></Tabs.Content>
            <Tabs.Content forceMount value="keys" class="tabpanel" hidden={tab() !== 'keys'}><Keys /></Tabs.Content>
          </Tabs>
        </Card>
      </div>
      <History />
    </>
  )
}

function Balance (props: { wallet: WalletView }): JSX.Element {
  return (
    <Card class="balance">
      <p class="balance-label">Balance</p>
      <p class="balance-number"><span data-testid="balance" data-grains={props.wallet.balance.toString()}>{credits(props.wallet.balance)}</span> <small>{creditUnit(props.wallet.balance)}</small></p>
      <dl class="balance-more">
        <div><dt>Maturing</dt><dd data-testid="maturing">{credits(props.wallet.maturing)}</dd></div>
        <div><dt>On its way out</dt><dd data-testid="pending">{credits(props.wallet.pendingOut)}</dd></div>
      </dl>
      <p class="quiet">Earned credits mature for a few blocks, so that cheated work can still be challenged; then they can be spent.</p>
      <div class="address-row"><code data-testid="address">{props.wallet.address}</code><CopyButton text={props.wallet.address} label="Copy your address" /></div>
    </Card>
  )
}

function HowToEarn (): JSX.Element {
  const app = useApp()
  return (
    <Note tone="busy" title="How to earn credits" testid="how-to-earn" action={<a class="button button-primary button-small" href={app.router.href('train')}>Start training</a>}>
      Train with the network: each block that your work wins and each contribution of yours that is sealed pays you. Meanwhile you can <a href={app.router.href('try')}>try the models</a>, <a href={app.router.href('blocks')}>replay any block</a>, prepare <a href={app.router.href('jobs', 'new')}>a job of your own</a>, or receive credits from someone else at your address.
    </Note>
  )
}

function Receive (): JSX.Element {
  const app = useApp()
  const address = (): string => app.view.wallet.address
  return (
    <div class="receive">
      <Qr text={address()} label="QR code of your address" />
      <div>
        <p>Give this address to whoever sends you credits. It can be used any number of times.</p>
        <code class="invite-link">{address()}</code>
        <CopyButton text={address()} label="Copy your address">Copy address</CopyButton>
      </div>
    </div>
  )
}

const FILTERS: ReadonlyArray<{ readonly value: HistoryChoice, readonly label: string }> = [{ value: 'all', label: 'All' }, { value: 'earned', label: 'Earned' }, { value: 'received', label: 'Received' }, { value: 'spent', label: 'Spent' }]

/** Entries shown at first, and with every "more": a miner's history grows by hundreds an hour. */
const HISTORY_PAGE = 30

function History (): JSX.Element {
  const app = useApp()
  const [filter, setFilter] = createSignal<HistoryChoice>('all')
  const [limit, setLimit] = createSignal(HISTORY_PAGE)
  // The node picks them: among its newest lines of all kinds there may be none but what was earned.
  createEffect(() => { app.watchHistory(filter()) })
  const shown = createMemo(() => { const entries = app.s.history[filter()] ?? []; return historyRows(entries, entries.length >= HISTORY_MAX) })
  // By name, for every block makes all rows anew.
  const [opened, setOpened] = createSignal<ReadonlySet<string>>(new Set())
  const toggle = (id: string): void => { setOpened(before => before.has(id) ? new Set([...before].filter(other => other !== id)) : new Set([...before, id])) }
  /** What goes out and no block has, the newest first. */
  const pending = (): readonly PendingView[] => filter() === 'all' || filter() === 'spent' ? [...app.view.wallet.pending].reverse() : []
  return (
    <Card title="History" aside={<Segments label="Which entries" options={FILTERS} value={filter()} onChange={setFilter} testid="history-filter" />}>
      <Show when={app.s.history[filter()] !== undefined} fallback={<Skeleton lines={6} />}>
        <Show when={pending().length + shown().length > 0} fallback={<Empty icon="wallet" title={filter() === 'all' ? 'Nothing yet' : 'Nothing of this kind'}>Every credit you earn, get or spend is listed here with the reason.</Empty>}>
          <ul class="history">
            <For each={pending()}>{p => <PendingRow entry={p} />}</For>
            <For each={shown().slice(0, limit())}>{row => <Row row={row} open={opened().has(row.id)} onToggle={() => { toggle(row.id) }} />}</For>
          </ul>
          <Show when={shown().length > limit()}>
            <div class="centre"><Button data-testid="history-more" onClick={() => setLimit(n => n + HISTORY_PAGE)}>Show more of {plural(shown().length, 'entry', 'entries')}</Button></div>
          </Show>
        </Show>
      </Show>
    </Card>
  )
}

function Row (props: { row: HistoryRow, open: boolean, onToggle: () => void }): JSX.Element {
  const app = useApp()
  const h = (): HistoryEntry => props.row.parts[0]!
  const left = (): number => (h().maturesAt ?? 0) - app.view.height
  const words = (): ReturnType<typeof rowWords> => rowWords(props.row)
  /** The job of all parts, if it is one. */
  const job = (): string | undefined => props.row.parts.every(e => e.job === h().job) ? h().job : undefined
  const toggled = (): string => `history-parts-${props.row.id}`
  return (
    <li class="history-row" data-testid="history-row" data-kind={h().kind} data-parts={props.row.parts.length}>
      <span class="history-kind"><b>{words()?.label ?? KIND_LABEL[h().kind]}</b><small title={dateTime(h().timeMs)}>{ago(h().timeMs, app.now())}</small></span>
      <span class="history-why">
        {words()?.why ?? h().reason}
        <small>
          block <Show when={h().block} fallback={count(h().height)}>{b => <a href={app.router.href('blocks', b())}>{count(h().height)}</a>}</Show>
          <Show when={job()}>{j => <> · <a href={app.router.href('jobs', j())}>job {shortId(j(), 4, 4)}</a></>}</Show>
          <Show when={words()}> · <button type="button" class="linklike" aria-expanded={props.open} aria-controls={toggled()} data-testid="history-open" onClick={props.onToggle}>{props.open ? 'hide the parts' : 'show the parts'}</button></Show>
        </small>
      </span>
      <span class="history-amount" classList={{ credit: props.row.amount > 0n }}>
        <b>{signedCredits(props.row.amount)}</b>
        <Show when={left() > 0}><Badge tone="warn" tip={`Can be spent from block ${count(h().maturesAt ?? 0)}, in about ${duration(left() * app.view.blockIntervalMs)}.`}>in {plural(left(), 'block')}</Badge></Show>
      </span>
      <Show when={words() !== undefined && props.open}>
        <ul class="history-parts" id={toggled()}>
          <For each={props.row.parts}>{part => <li data-testid="history-part"><span>{part.reason}</span><b>{signedCredits(part.amount)}</b></li>}</For>
        </ul>
      </Show>
    </li>
  )
}

/** Shown wherever an action needs credits the person does not have. */
export function NotEnough (props: { need: bigint, have: bigint }): JSX.Element {
  const app = useApp()
  return (
    <Note tone="warn" title="Not enough credits for this" testid="not-enough" action={<Show when={!app.view.mining.settings.on && app.view.phase.phase !== 'stopped'}><Button small kind="primary" icon="play" onClick={() => { void app.attempt('Starting', async () => { await app.node.setMining({ on: true }) }) }}>Start training</Button></Show>}>
      It takes {credits(props.need)}, you can spend {credits(toCents(props.have))}{app.view.wallet.maturing > 0n ? `, and ${credits(toCents(app.view.wallet.maturing))} mature soon` : ''}. Training in this tab earns credits; everything you have entered here is kept meanwhile.
    </Note>
  )
}
