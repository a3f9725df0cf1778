/** A set of files in the library: what its publisher says of it, how it stands, and how well it is spread. */
import { createMemo, For, Show, type JSX } from 'solid-js'
import type { Hex, LibraryItem, LibraryView } from '../../bridge/api.ts'
import { useApp } from '../context.tsx'
import { percent, plural, rate, sentence, shortId } from '../format.ts'
import { addressOf, healthOf, isWhole, KINDS, kindOf, LICENCES, nameOf, plainText, progressOf, progressWords, stateWords, storeWords } from '../libraryWords.ts'
import { Badge, Note, Progress } from './basics.tsx'
import { Identicon } from './Identicon.tsx'

export function KindBadge (props: { item: LibraryItem }): JSX.Element {
  return <Badge tone="idle">{KINDS[kindOf(props.item)].one}</Badge>
}

/** As its publisher states it; nobody has checked that. */
export function Licence (props: { item: LibraryItem }): JSX.Element {
  const stated = (): string => plainText(props.item.note?.licence ?? '')
  const full = (): string | undefined => LICENCES.find(([id]) => id === stated())?.[1]
  return <Show when={stated() !== ''} fallback={<span class="quiet">licence not stated</span>}><span class="licence" title={full() ?? stated()}>{stated()}</span></Show>
}

/** Who signed the note, as a picture and a short address. */
export function Publisher (props: { item: LibraryItem }): JSX.Element {
  const app = useApp()
  return (
    <Show when={props.item.note} fallback={<span class="quiet">publisher not known</span>}>{note => {
      const mine = (): boolean => note().publisher === app.view.wallet.key || note().publisher === app.view.miner
      // All who hold it make the same file of what the chain commits to: whoever signed first is no publisher.
      return <Show when={!props.item.forNode} fallback={<span class="quiet">the chain</span>}><span class="publisher"><Identicon id={note().publisher} /><code title={addressOf(note().publisher)}>{shortId(addressOf(note().publisher), 7, 4)}</code><Show when={mine()}><Badge tone="good">you</Badge></Show></span></Show>
    }}</Show>
  )
}

/** A tab of this profile announces what it holds under the key that all of them share; this one holds nothing of it. */
export function OtherTab (props: { item: LibraryItem }): JSX.Element {
  const app = useApp()
  const there = (): boolean => props.item.state === 'found' && !props.item.forNode && props.item.note?.publisher === app.view.wallet.key
  return (
    <Show when={there()}>
      <Note tone="idle" testid="set-other-tab">
        {props.item.seeders === 0 ? 'Shared by another tab of yours, which is not open now or has let it go: open it to share again.' : 'Shared by another tab of yours. Fetch it to hold it in this tab, too.'}
      </Note>
    </Show>
  )
}

/** The job whose training made it, as its publisher says. */
export function MadeBy (props: { item: LibraryItem }): JSX.Element {
  const app = useApp()
  return (
    <Show when={props.item.note?.job}>{job => (
      <span class="made-by">trained by <a href={app.router.href('jobs', job())}>{app.view.jobs.find(j => j.id === job())?.name ?? `job ${shortId(job())}`}</a>{props.item.note?.round === undefined ? '' : `, round ${props.item.note.round}`}</span>
    )}</Show>
  )
}

export function SetLinks (props: { infoHashes: readonly Hex[] }): JSX.Element {
  const app = useApp()
  const name = (infoHash: Hex): string => { const item = app.library.item(infoHash); return item === undefined ? shortId(infoHash) : nameOf(item) }
  return <For each={props.infoHashes}>{(p, i) => <>{i() > 0 ? ', ' : ''}<a href={app.router.href('library', p)}>{name(p)}</a></>}</For>
}

export function Lineage (props: { item: LibraryItem }): JSX.Element {
  return <Show when={(props.item.note?.parents ?? []).length > 0}><span class="made-by">from <SetLinks infoHashes={props.item.note?.parents ?? []} /></span></Show>
}

export function HealthView (props: { item: LibraryItem, tip?: boolean }): JSX.Element {
  const health = createMemo(() => healthOf(props.item))
  return (
    <span class="health" data-testid="health" data-share={health().share}>
      <Badge tone={health().tone} tip={props.tip === false ? undefined : health().text}>{health().label}</Badge>
      <Show when={health().share !== undefined}><small>{percent(health().share, health().share! > 0.99 && health().share! < 1 ? 1 : 0)} in reach</small></Show>
      <small>{plural(props.item.seeders, isWhole(props.item) || props.item.state === 'checking' ? 'other seeder' : 'seeder')}</small>
    </span>
  )
}

/** State, way to go and speed. */
export function Standing (props: { item: LibraryItem }): JSX.Element {
  const words = (): ReturnType<typeof stateWords> => stateWords(props.item)
  const moving = (): boolean => props.item.state === 'metadata' || props.item.state === 'checking' || props.item.state === 'downloading'
  const partly = (): boolean => moving() || (props.item.state === 'paused' && !isWhole(props.item)) || props.item.state === 'failed'
  return (
    <div class="standing">
      <div class="standing-head">
        <Badge tone={words().tone} tip={words().text} testid="set-state">{words().label}</Badge>
        <Show when={props.item.downPerSecond > 0}><span class="speed" title="Receiving"><span aria-hidden="true">↓</span><span class="visually-hidden">receiving </span>{rate(props.item.downPerSecond)}</span></Show>
        <Show when={props.item.upPerSecond > 0}><span class="speed" title="Sending"><span aria-hidden="true">↑</span><span class="visually-hidden">sending </span>{rate(props.item.upPerSecond)}</span></Show>
      </div>
      <Show when={partly()}>
        <Progress value={moving() ? progressOf(props.item) : progressOf(props.item) ?? 0} label={`Progress of ${nameOf(props.item)}`} />
        <small>{progressWords(props.item)}</small>
      </Show>
    </div>
  )
}

export function Problem (props: { item: LibraryItem }): JSX.Element {
  return <Show when={props.item.problem}>{text => <Note tone={props.item.state === 'failed' ? 'bad' : 'warn'} testid="set-problem">{sentence(plainText(text()))}</Note>}</Show>
}

/** Says when what is stored is not safe, or less than wished. */
export function StoreNote (props: { view: LibraryView }): JSX.Element {
  return <Show when={storeWords(props.view)}>{words => <Note tone="warn" title={words().title} role="status" testid="library-store">{words().text}</Note>}</Show>
}
