/** The app: navigation, status, the current view, notices. The only way in is `renderApp`. */
import { createEffect, createMemo, createSignal, For, on, onMount, Show, Suspense, type JSX } from 'solid-js'
import { Dynamic, render } from 'solid-js/web'
import { AppProvider, useApp, type App, type AppDeps } from './context.tsx'
import { watchEnvironment } from './environment.ts'
import { count, percent, plural, shortId } from './format.ts'
import { lazyView, loadAhead, type LazyView } from './lazyView.ts'
import { ERASED, forget, recall } from './memory.ts'
import { Button, Note, Skeleton } from './parts/basics.tsx'
import { Icon, Mark, type IconName } from './parts/Icon.tsx'
import { createSilence, SilenceNote } from './parts/Silence.tsx'
import { Toasts } from './parts/Toasts.tsx'
import { plainText } from './libraryWords.ts'
import { createRouter, type ViewName } from './router.ts'
import { createAppState } from './state.ts'
import './styles/tokens.css'
import './styles/base.css'
import './styles/parts.css'
import './styles/shell.css'
import './styles/views.css'
import './styles/forms.css'
import './styles/library.css'
import { createTheme } from './theme.ts'
import { Train } from './views/Train.tsx'
import { Wizard } from './views/wizardView.ts'
import { paidShareWords, phaseWords, type Words } from './words.ts'

export type { AppDeps } from './context.tsx'

interface Place { readonly title: string, readonly icon: IconName, readonly page: LazyView, readonly phoneBar: boolean }

const PLACES: Record<ViewName, Place> = {
  train: { title: 'Train', icon: 'train', page: Train, phoneBar: true },
  network: { title: 'Network', icon: 'network', phoneBar: false, page: lazyView(async () => (await import('./views/Network.tsx')).Network) },
  blocks: { title: 'Blocks', icon: 'blocks', phoneBar: true, page: lazyView(async () => (await import('./views/Blocks.tsx')).Blocks) },
  wallet: { title: 'Wallet', icon: 'wallet', phoneBar: true, page: lazyView(async () => (await import('./views/Wallet.tsx')).Wallet) },
  jobs: { title: 'Jobs', icon: 'jobs', phoneBar: true, page: lazyView(async () => (await import('./views/Jobs.tsx')).Jobs) },
  library: { title: 'Library', icon: 'library', phoneBar: false, page: lazyView(async () => (await import('./views/Library.tsx')).Library) },
  try: { title: 'Try a model', icon: 'try', phoneBar: false, page: lazyView(async () => (await import('./views/Try.tsx')).Try) },
  logs: { title: 'Logs', icon: 'logs', phoneBar: false, page: lazyView(async () => (await import('./views/Logs.tsx')).Logs) },
  settings: { title: 'Settings', icon: 'settings', phoneBar: false, page: lazyView(async () => (await import('./views/Settings.tsx')).Settings) }
}
/** Here the second part of a route is a page of its own; elsewhere it is a tab or a choice within one. */
const PAGES_BY_ARG: ReadonlySet<ViewName> = new Set<ViewName>(['blocks', 'jobs', 'library'])
const NAMES = Object.keys(PLACES) as ViewName[]
/** Characters of a name that is none. */
const NAME_SHOWN = 40

/** Shows the app in `root` and starts listening to the node. Returns what removes it again. */
export function renderApp (root: HTMLElement, deps: AppDeps): () => void {
  root.replaceChildren()
  return render(() => <Root deps={deps} />, root)
}

function Root (props: { deps: AppDeps }): JSX.Element {
  const deps = props.deps
  const state = createAppState(deps.node)
  const router = createRouter(window.location)
  const theme = createTheme()
  const kept = new Map<string, unknown>()
  const app: App = {
    ...state,
    deps,
    router,
    theme,
    get view () {
      if (state.s.view === undefined) throw new Error('a view was rendered before the node answered')
      return state.s.view
    },
    keep: <T,>(name: string, make: () => T): T => {
      if (!kept.has(name)) kept.set(name, make())
      return kept.get(name) as T
    },
    invite: () => deps.inviteLink?.() ?? `${window.location.origin}${window.location.pathname}${window.location.search}${router.href('train')}`,
    reload: () => { if (deps.reload === undefined) window.location.reload(); else deps.reload() }
  }
  onMount(() => {
    watchEnvironment(deps.node)
    void loadAhead([...NAMES.map(n => PLACES[n].page), Wizard])
  })
  return (
    <AppProvider app={app}>
      <Show when={state.s.view !== undefined} fallback={<Opening />}><Shell /></Show>
      <Toasts />
    </AppProvider>
  )
}

function Opening (): JSX.Element {
  return (
    <main class="opening" role="status" data-testid="phase" data-phase="opening">
      <Mark size={48} />
      <h1>Commonweight</h1>
      <p>Starting this node…</p>
    </main>
  )
}

function Shell (): JSX.Element {
  const app = useApp()
  let heading!: HTMLHeadingElement
  const place = createMemo(() => PLACES[app.router.route().view])
  createEffect(() => { document.title = `${place().title} · Commonweight` })
  // A new view starts at its heading, for eyes and for screen readers; not on the first one.
  const page = createMemo(() => { const r = app.router.route(); return PAGES_BY_ARG.has(r.view) ? `${r.view}/${r.arg ?? ''}` : r.view })
  createEffect(on(page, () => {
    window.scrollTo({ top: 0 })
    heading.focus({ preventScroll: true })
  }, { defer: true }))
  return (
    <div class="shell">
      <a class="skip" href="#content" onClick={e => { e.preventDefault(); document.getElementById('content')?.focus() }}>Skip to the content</a>
      <SideNav />
      <div class="page">
        <header class="topbar">
          <span class="topbar-mark"><Mark size={26} /></span>
          <h1 ref={heading} tabIndex={-1}>{place().title}</h1>
          <Status />
          <ThemeToggle />
        </header>
        <main id="content" tabIndex={-1} class="content">
          <Announce />
          <ErasedNote />
          <Show when={app.view.elsewhereAt !== undefined && app.view.phase.phase !== 'stopped'}>
            <Note tone="warn" role="alert" title="This wallet is also in use elsewhere" testid="elsewhere">Another device, or another browser, works with the same key. Use a key on one device at a time: both do the same slices, which count once, and of two transfers that are sent at the same time one may not arrive. Close the page there, or import another key there.</Note>
          </Show>
          <PartedNote />
          <StoppedNote />
          <SilenceNote />
          <Show when={app.router.route().unknown}>{name => <Note tone="warn" role="status" title="There is no such page" testid="unknown-address">The address names “{plainText(name()).slice(0, NAME_SHOWN)}”, which is none of the pages here. This is {PLACES.train.title}.</Note>}</Show>
          <Suspense fallback={<Skeleton lines={6} />}><Dynamic component={place().page} /></Suspense>
        </main>
      </div>
      <BottomBar />
    </div>
  )
}

function NavLink (props: { name: ViewName, class: string, testid?: string, onClick?: () => void }): JSX.Element {
  const app = useApp()
  const here = (): boolean => app.router.route().view === props.name
  return (
    <a href={app.router.href(props.name)} class={props.class} aria-current={here() ? 'page' : undefined} data-testid={props.testid} onClick={() => { props.onClick?.() }}>
      <Icon name={PLACES[props.name].icon} size={20} />
      <span>{PLACES[props.name].title}</span>
    </a>
  )
}

function SideNav (): JSX.Element {
  const app = useApp()
  return (
    <nav class="sidenav" aria-label="Main">
      <div class="brand"><Mark /><span>Commonweight</span></div>
      <For each={NAMES}>{name => <NavLink name={name} class="nav-item" testid={`nav-${name}`} />}</For>
      <p class="sidenav-foot">{app.view.network === 'test' ? 'Test network' : 'Main network'}<br />version {app.deps.version}</p>
    </nav>
  )
}

function BottomBar (): JSX.Element {
  const app = useApp()
  let more!: HTMLDetailsElement
  const inMore = (): boolean => !PLACES[app.router.route().view].phoneBar
  const close = (): void => { more.open = false }
  createEffect(on(app.router.route, close, { defer: true }))
  return (
    <nav class="bottombar" aria-label="Main, small screens">
      <For each={NAMES.filter(n => PLACES[n].phoneBar)}>{name => <NavLink name={name} class="bar-item" testid={`bar-${name}`} />}</For>
      <details class="bar-more" ref={more} onKeyDown={e => { if (e.key === 'Escape') close() }}>
        <summary class="bar-item" aria-current={inMore() ? 'page' : undefined} data-testid="bar-more"><Icon name="more" size={20} /><span>More</span></summary>
        <div class="bar-sheet"><For each={NAMES.filter(n => !PLACES[n].phoneBar)}>{name => <NavLink name={name} class="nav-item" testid={`bar-${name}`} onClick={close} />}</For></div>
      </details>
    </nav>
  )
}

function Status (): JSX.Element {
  const app = useApp()
  const silent = createSilence()
  // Only of what is in order otherwise: other trouble is said first.
  const words = createMemo((): Words => (app.view.phase.phase === 'ready' ? silent() : undefined) ?? phaseWords(app.view.phase, app.view.joined))
  const people = (): number => app.view.peers.filter(p => p.link !== 'server').length
  return (
    <div class="status">
      <span class={`pill tone-${words().tone}`} data-testid="phase" data-phase={app.view.phase.phase} title={`${words().title}. ${words().text}`}><span class="dot" aria-hidden="true" />{words().label}</span>
      <span class="status-fact"><span class="status-name">Block </span><b data-testid="height">{app.view.height}</b></span>
      <a class="status-fact" href={app.router.href('network')} aria-label={plural(people(), 'peer')}><Icon name="network" size={15} /><b data-testid="peers-count">{count(people())}</b></a>
      <span class="status-fact" title={paidShareWords(app.view.paidShare)}><span class="status-name">Paid work </span><b data-testid="paid-share" data-value={app.view.paidShare}>{percent(app.view.paidShare, 0)}</b></span>
    </div>
  )
}

function ThemeToggle (): JSX.Element {
  const app = useApp()
  const icon = (): IconName => app.theme.choice() === 'system' ? 'auto' : app.theme.choice() === 'light' ? 'sun' : 'moon'
  return <Button kind="quiet" icon={icon()} aria-label={`Theme: ${app.theme.choice()}. Switch to ${app.theme.next()}`} title={`Theme: ${app.theme.choice()}`} data-testid="theme-toggle" data-theme-choice={app.theme.choice()} onClick={() => { app.theme.choose(app.theme.next()) }} />
}

/** After the reload with which erasing ends: once. */
function ErasedNote (): JSX.Element {
  const app = useApp()
  const [shown, setShown] = createSignal(recall('session', ERASED) !== undefined)
  forget('session', ERASED)
  return (
    <Show when={shown()}>
      <Note tone="good" role="status" title="Everything was erased" testid="erased" action={<Button small kind="quiet" data-testid="erased-dismiss" onClick={() => { setShown(false) }}>Dismiss</Button>}>
        This browser begins anew with a new key: your address is {shortId(app.view.wallet.address, 8, 6)} now. The chain comes from other tabs, where one is in reach.
      </Note>
    </Show>
  )
}

/** On every page: what is earned here is worth nothing to them. */
function PartedNote (): JSX.Element {
  const app = useApp()
  return (
    <Show when={app.view.phase.phase === 'stopped' ? undefined : app.view.parted}>{parted => (
      <Note tone="warn" role="alert" title="Others say they are on another chain" testid="parted" action={<Button small onClick={() => { app.router.go('wallet', 'keys') }}>Back up the key</Button>}>
        {count(parted().peers)} of {plural(parted().of, 'tab')} that this one has dialled {parted().peers === 1 ? 'says that it follows' : 'say that they follow'} a chain with more work, which parted from this one before block {count(parted().below)}: too long ago to come together by itself. If that is so, what is earned or sent here counts on this chain only. It may also be a lie, which costs nothing: nothing has been changed, and nothing has to be. If you know the others to be right, join them: back up the key, then <a href={app.router.href('settings')}>erase everything</a> here and import it again. What this chain has paid since they parted is lost by that.
      </Note>
    )}</Show>
  )
}

/** On every page but the first, which says it itself: nothing that is offered there works. */
function StoppedNote (): JSX.Element {
  const app = useApp()
  const words = createMemo(() => phaseWords(app.view.phase))
  return (
    <Show when={app.view.phase.phase === 'stopped' && app.router.route().view !== 'train'}>
      <Note tone={words().tone} title={words().title} testid="stopped-note" action={<Button kind="primary" small onClick={app.reload}>Reload</Button>}>{words().text}</Note>
    </Show>
  )
}

/** Says a change of state aloud, once, to those who cannot see the pill. */
function Announce (): JSX.Element {
  const app = useApp()
  const silent = createSilence()
  const text = createMemo(() => app.view.phase.phase === 'syncing' ? 'Catching up with the chain' : app.view.phase.phase === 'ready' ? silent()?.label ?? 'In sync' : phaseWords(app.view.phase).title)
  return <p class="visually-hidden" role="status" aria-live="polite">{text()}</p>
}
