/** Models, data sets and files that travel from tab to tab: the list, and the way to its other pages. */
import { createMemo, createSignal, For, Match, Show, Switch, type JSX } from 'solid-js'
import type { LibraryItem, LibraryKind, LibraryView } from '../../bridge/api.ts'
import { useApp } from '../context.tsx'
import { bytes, count, rate } from '../format.ts'
import { healthRank, KINDS, kindOf, nameOf, plainText } from '../libraryWords.ts'
import { Button, Card, Empty, Note, Skeleton, Stat } from '../parts/basics.tsx'
import { Choice, Segments } from '../parts/fields.tsx'
import { Icon } from '../parts/Icon.tsx'
import { SetActions } from '../parts/SetActions.tsx'
import { HealthView, KindBadge, Licence, Lineage, MadeBy, OtherTab, Problem, Publisher, Standing, StoreNote } from '../parts/SetParts.tsx'
import { LibraryAdd } from './LibraryAdd.tsx'
import { LibraryLimits } from './LibraryLimits.tsx'
import { LibrarySet } from './LibrarySet.tsx'

/** Rows at first and with every "more": strangers can make the list long. */
const PAGE = 60

export function Library (): JSX.Element {
  const app = useApp()
  app.library.open()
  const arg = (): string | undefined => app.router.route().arg
  return (
    <Show when={app.library.view()} fallback={<Opening />}>{view => (
      <Switch fallback={<List view={view()} />}>
        <Match when={arg() === 'add'}><Back /><LibraryAdd view={view()} /></Match>
        <Match when={arg() === 'settings'}><Back /><LibraryLimits view={view()} /></Match>
        <Match when={arg()} keyed>{infoHash => <><Back /><LibrarySet view={view()} infoHash={infoHash} /></>}</Match>
      </Switch>
    )}</Show>
  )
}

function Opening (): JSX.Element {
  const app = useApp()
  return (
    <Card>
      <Show when={app.library.failure()} fallback={<Skeleton lines={8} />}>{why => (
        <Note tone="bad" title="The library cannot be read" role="alert" testid="library-failed" action={<Button small icon="replay" data-testid="library-again" onClick={app.library.open}>Try again</Button>}>{why()}</Note>
      )}</Show>
    </Card>
  )
}

function Back (): JSX.Element {
  const app = useApp()
  return <a class="back" href={app.router.href('library')}><Icon name="back" size={16} />The whole library</a>
}

const FILTERS = [{ value: 'all', label: 'All' }, ...(Object.keys(KINDS) as LibraryKind[]).map(value => ({ value, label: KINDS[value].many }))] as const
type Filter = 'all' | LibraryKind

const byName = (a: LibraryItem, b: LibraryItem): number => nameOf(a).localeCompare(nameOf(b))
/** The greatest first; what is the same, by name. */
const ORDERS: Readonly<Record<string, { readonly label: string, readonly rank: (i: LibraryItem) => number }>> = {
  // What the node has for its own work comes and goes by itself: it does not push down what one looks for.
  newest: { label: 'Newest first', rank: i => i.forNode ? -1 / (1 + i.addedAt) : i.addedAt },
  name: { label: 'By name', rank: () => 0 },
  size: { label: 'Largest first', rank: i => i.bytes },
  seeders: { label: 'Most seeders first', rank: i => i.seeders },
  health: { label: 'Rarest first', rank: i => -healthRank(i) },
  busy: { label: 'Busiest first', rank: i => i.downPerSecond + i.upPerSecond }
}

/** Every word must be somewhere in what is shown of the item. */
function matches (item: LibraryItem, words: readonly string[]): boolean {
  const text = `${nameOf(item)} ${plainText(item.name)} ${plainText(item.note?.about ?? '')} ${item.note?.licence ?? ''} ${item.infoHash} ${item.note?.publisher ?? ''}`.toLowerCase()
  return words.every(w => text.includes(w))
}

function List (props: { view: LibraryView }): JSX.Element {
  const app = useApp()
  const [filter, setFilter] = createSignal<Filter>('all')
  const [text, setText] = createSignal('')
  const [order, setOrder] = createSignal('newest')
  const [rows, setRows] = createSignal(PAGE)
  const shown = createMemo(() => {
    const words = text().toLowerCase().split(/\s+/).filter(w => w !== '')
    const { rank } = ORDERS[order()]!
    return props.view.items.filter(i => (filter() === 'all' || kindOf(i) === filter()) && matches(i, words))
      .map(item => ({ item, rank: rank(item) })).sort((a, b) => b.rank - a.rank || byName(a.item, b.item)).map(({ item }) => item)
  })
  const sum = (of: (i: LibraryItem) => number): number => props.view.items.reduce((n, i) => n + of(i), 0)
  const clear = (): void => { setFilter('all'); setText('') }
  return (
    <>
      <div class="lead-row">
        <p class="lead">Sets of files that tabs pass on to one another, piece by piece, each piece checked. What you hold whole, you share.</p>
        <div class="row">
          <a class="button button-plain" href={app.router.href('library', 'settings')} data-testid="library-settings"><Icon name="settings" />Limits</a>
          <a class="button button-primary" href={app.router.href('library', 'add')} data-testid="library-add"><Icon name="plus" />Add or share</a>
        </div>
      </div>
      <StoreNote view={props.view} />
      <dl class="stats">
        <Stat label="Stored here" value={bytes(props.view.used)} note={props.view.store === 'memory' ? 'in memory only' : `of ${bytes(props.view.settings.budget)} allowed`} testid="library-used" />
        <Stat label="Receiving" value={rate(sum(i => i.downPerSecond))} note={props.view.settings.downLimit === 0 ? 'no limit' : `at most ${rate(props.view.settings.downLimit)}`} testid="library-down" />
        <Stat label="Sending" value={rate(sum(i => i.upPerSecond))} note={props.view.settings.upLimit === 0 ? 'no limit' : `at most ${rate(props.view.settings.upLimit)}`} testid="library-up" />
        <Stat label="Signed for by others" value={bytes(props.view.receiptsIn)} note={`you signed for ${bytes(props.view.receiptsOut)}`} tip="Who fetches from this tab signs receipts for the bytes that came. Once an epoch is over they are redeemed for what the signer has set aside." testid="library-receipts" />
      </dl>
      <Card title="Sets" aside={<span class="quiet" role="status" data-testid="library-count">{shown().length === props.view.items.length ? count(shown().length) : `${count(shown().length)} of ${count(props.view.items.length)}`}</span>}>
        <Show when={props.view.items.length > 0} fallback={
          <Empty icon="library" title="Nothing here yet" action={<a class="button button-plain" href={app.router.href('library', 'add')}>Add or share something</a>}>What other tabs offer appears by itself. You can share your own files, publish the model of a job, or paste a magnet link.</Empty>
        }>
          <div class="set-tools">
            <Segments label="Which kind" options={FILTERS} value={filter()} onChange={setFilter} testid="library-kind" />
            <input type="search" class="search" placeholder="Search" aria-label="Search the library" value={text()} data-testid="library-search" onInput={e => { setText(e.currentTarget.value) }} />
            <Choice aria-label="Order" options={Object.entries(ORDERS).map(([value, { label }]) => ({ value, label }))} value={order()} onChange={setOrder} data-testid="library-order" />
          </div>
          <Show when={shown().length > 0} fallback={<Empty icon="library" title="Nothing fits" action={<Button data-testid="library-clear" onClick={clear}>Show all</Button>}>No set is of this kind with these words.</Empty>}>
            <ul class="sets">
              <For each={shown().slice(0, rows())}>{item => <li><Row item={item} /></li>}</For>
            </ul>
            <Show when={shown().length > rows()}><div class="centre"><Button data-testid="library-more" onClick={() => { setRows(n => n + PAGE) }}>Show more</Button></div></Show>
          </Show>
        </Show>
      </Card>
    </>
  )
}

function Row (props: { item: LibraryItem }): JSX.Element {
  const app = useApp()
  return (
    <article class="set" data-testid="set-row" data-infohash={props.item.infoHash} data-state={props.item.state} aria-label={nameOf(props.item)}>
      <div class="set-what">
        <a class="set-name" href={app.router.href('library', props.item.infoHash)}>{nameOf(props.item)}</a>
        <div class="set-facts"><KindBadge item={props.item} /><span>{props.item.bytes === 0 ? 'size not known' : bytes(props.item.bytes)}</span><Licence item={props.item} /></div>
      </div>
      <div class="set-who"><Publisher item={props.item} /><small><MadeBy item={props.item} /><Lineage item={props.item} /></small></div>
      <HealthView item={props.item} />
      <Standing item={props.item} />
      <SetActions item={props.item} small />
      <OtherTab item={props.item} />
      <Problem item={props.item} />
    </article>
  )
}
