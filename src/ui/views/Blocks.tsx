/** The explorer: blocks as they come, and one of them in full with its work replayed. */
import { createMemo, createSignal, For, Match, Show, Switch, type JSX } from 'solid-js'
import type { BlockView } from '../../bridge/api.ts'
import { useApp } from '../context.tsx'
import { ago, count, creditUnit, credits, dateTime, duration, inCredits, plural, shortId, si, toCents } from '../format.ts'
import { addressOf } from '../libraryWords.ts'
import { Badge, Button, Card, Empty, Hash, Note, Skeleton, Stat } from '../parts/basics.tsx'
import { Segments } from '../parts/fields.tsx'
import { Icon } from '../parts/Icon.tsx'
import { Identicon } from '../parts/Identicon.tsx'
import { Replay } from '../parts/Replay.tsx'
import { CHECKED, isOwnOther, joinedWords, minerWords } from '../words.ts'

export function Blocks (): JSX.Element {
  const app = useApp()
  return <Show when={app.router.route().arg} keyed fallback={<List />}>{hash => <Detail hash={hash} />}</Show>
}

const FILTERS = [{ value: 'all', label: 'All' }, { value: 'mine', label: 'Mine' }, { value: 'forks', label: 'Off the chain' }] as const
type Filter = typeof FILTERS[number]['value']

function List (): JSX.Element {
  const app = useApp()
  const [filter, setFilter] = createSignal<Filter>('all')
  const [loading, setLoading] = createSignal(false)
  const shown = createMemo(() => app.s.blocks.filter(b => filter() === 'all' || (filter() === 'mine' ? b.mine || isOwnOther(b, app.view.wallet.key) : !b.onMainChain)))
  const older = async (): Promise<void> => { setLoading(true); await app.loadOlder(); setLoading(false) }
  return (
    <>
      <dl class="stats">
        <Stat label="Height" value={count(app.view.height)} note={app.view.headTimeMs > 0 ? ago(app.view.headTimeMs, app.now()) : undefined} />
        <Stat label="Interval" value={app.view.recentIntervalMs === undefined ? '–' : duration(app.view.recentIntervalMs)} note={`aim: ${duration(app.view.blockIntervalMs)}`} />
        <Stat label="Credits issued" value={credits(toCents(app.view.issued))} testid="issued" note={`${credits(toCents(app.view.burned))} burned`} tip="Every credit in existence is accounted for; each block checks the sum." />
        <Stat label="Total work" value={`${si(Number(app.view.totalWork))} units`} tip="Cost units of training that stand behind this chain. The chain with the most wins." />
      </dl>
      <Show when={app.view.joined}>{joined => <Note tone="idle" title="What this tab has checked" testid="joined">{joinedWords(joined())}</Note>}</Show>
      <Card title="Blocks" aside={<Segments label="Which blocks" options={FILTERS} value={filter()} onChange={setFilter} testid="blocks-filter" />}>
        <Show when={app.s.blocksLoaded || app.s.blocks.length > 0} fallback={<Skeleton lines={8} />}>
          <Show when={shown().length > 0} fallback={<Empty icon="blocks" title={filter() === 'all' ? 'No block yet' : 'None among the loaded blocks'}>{filter() === 'mine' ? 'Blocks won by the training of your tabs appear here.' : filter() === 'forks' ? 'A block that lost against another at its height would be listed here.' : 'The first block appears when someone’s training wins a ticket.'}</Empty>}>
            <ul class="blocks">
              <For each={shown()}>{b => <Row block={b} />}</For>
            </ul>
          </Show>
          <Show when={!app.s.blocksEnd} fallback={<Show when={shown().length > 0}><p class="quiet centre" data-testid="blocks-end">{filter() !== 'all' ? 'All blocks that this tab keeps have been looked through.' : app.s.blocks.some(b => b.height <= 1) ? 'The chain begins here.' : 'This is as far back as this tab keeps blocks.'}</p></Show>}>
            <div class="centre"><Button busy={loading()} data-testid="blocks-older" onClick={() => { void older() }}>Load older blocks</Button></div>
          </Show>
        </Show>
      </Card>
    </>
  )
}

function Row (props: { block: BlockView }): JSX.Element {
  const app = useApp()
  return (
    <li class="block" classList={{ 'block-fork': !props.block.onMainChain }} data-testid="block-row" data-hash={props.block.hash} data-height={props.block.height} data-main={props.block.onMainChain} data-checked={props.block.checked}>
      <a class="block-link" href={app.router.href('blocks', props.block.hash)}>
        <span class="block-height">{count(props.block.height)}</span>
        <span class="block-who"><Identicon id={props.block.miner} size={28} /><span><b>{minerWords(props.block, app.view.wallet.key)}</b><small>{ago(props.block.timeMs, app.now())}</small></span></span>
        <span class="block-job"><span>{props.block.jobName}</span><small>round {count(props.block.round)} · slice {count(props.block.slice)}</small></span>
        <span class="block-reward"><b>{credits(props.block.reward)}</b><small>{props.block.fees > 0n ? `+${credits(props.block.fees)} fees` : creditUnit(props.block.reward)}</small></span>
        <span class="block-body"><small>{plural(props.block.seals, 'seal')} · {plural(props.block.contributions, 'contribution')}</small><small>{plural(props.block.transactions, 'transaction')}</small></span>
        <span class="block-check">
          <Show when={!props.block.onMainChain}><Badge tone="warn">fork</Badge></Show>
          <Badge tone={CHECKED[props.block.checked].tone}>{CHECKED[props.block.checked].label}</Badge>
        </span>
        <Icon name="next" size={14} />
      </a>
    </li>
  )
}

function Detail (props: { hash: string }): JSX.Element {
  const app = useApp()
  const [fetched, setFetched] = createSignal<BlockView | null>()
  const listed = createMemo(() => app.s.blocks.find(b => b.hash === props.hash))
  if (listed() === undefined) void app.attempt('Reading the block', async () => await app.node.block(props.hash)).then(b => { setFetched(b ?? null) })
  const block = (): BlockView | undefined => listed() ?? fetched() ?? undefined
  return (
    <>
      <a class="back" href={app.router.href('blocks')}><Icon name="back" size={16} />All blocks</a>
      <Switch fallback={<Card><Skeleton lines={6} /></Card>}>
        <Match when={block()}>{b => <Facts block={b()} />}</Match>
        <Match when={fetched() === null}><Card><Empty icon="blocks" title="This tab does not hold that block">It may never have reached this tab, or lie before the history that is kept.</Empty></Card></Match>
      </Switch>
    </>
  )
}

function Facts (props: { block: BlockView }): JSX.Element {
  const app = useApp()
  const b = (): BlockView => props.block
  const parent = (): string => b().parent
  return (
    <div class="detail-grid" data-testid="block-detail">
      <Card title={`Block ${count(b().height)}`} aside={<><Show when={!b().onMainChain}><Badge tone="warn" tip="Another block at this height has more work behind it.">not on the main chain</Badge></Show><Badge tone={CHECKED[b().checked].tone} tip={CHECKED[b().checked].text}>{CHECKED[b().checked].label}</Badge></>}>
        <dl class="facts">
          <div><dt>Hash</dt><dd><Hash value={b().hash} label="block hash" /></dd></div>
          <div><dt>Parent</dt><dd><Show when={b().height > 0} fallback="none: this is genesis"><a href={app.router.href('blocks', parent())}><code>{shortId(parent())}</code></a></Show></dd></div>
          <div><dt>Time</dt><dd>{dateTime(b().timeMs)} <small>({ago(b().timeMs, app.now())})</small></dd></div>
          <div><dt>Mined by</dt><dd class="who"><Identicon id={b().miner} /><Hash value={b().miner} label="miner key" /><Show when={b().mine || isOwnOther(b(), app.view.wallet.key)}><Badge tone="good">{minerWords(b(), app.view.wallet.key)}</Badge></Show></dd></div>
          <div><dt>Paid to</dt><dd><Hash value={addressOf(b().payee)} label="address" /></dd></div>
          <div><dt>Reward</dt><dd>{inCredits(b().reward)}{b().fees > 0n ? ` and ${credits(b().fees)} in fees` : ''}</dd></div>
          <div><dt>Job</dt><dd><a href={app.router.href('jobs', b().job)}>{b().jobName}</a></dd></div>
          <div><dt>Work</dt><dd>round {count(b().round)}, slice {count(b().slice)} · {si(Number(b().work))} cost units</dd></div>
          <div><dt>Started from state</dt><dd><Hash value={b().stateHash} label="hash of the state the work started from" /></dd></div>
          <div><dt>Result</dt><dd><Hash value={b().resultHash} label="hash of the state after the work" /></dd></div>
          <div><dt>Carries</dt><dd>{plural(b().seals, 'seal')} with {plural(b().contributions, 'contribution')}, {plural(b().transactions, 'transaction')}</dd></div>
        </dl>
      </Card>
      <Replay block={b()} />
    </div>
  )
}
