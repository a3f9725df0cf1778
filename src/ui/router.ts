/**
 * Hash routes: `#/blocks/<hash>`. Parameters behind a `?` in the first address (an invite's
 * bootstrap hints) are kept on every later one, so that a reload anywhere still finds the network.
 */
import { createSignal, onCleanup, type Accessor } from 'solid-js'

export const VIEWS = ['train', 'network', 'blocks', 'wallet', 'jobs', 'library', 'try', 'logs', 'settings'] as const
export type ViewName = typeof VIEWS[number]
export interface Route {
  readonly view: ViewName
  readonly arg?: string
  /** What the address names instead of a view, where it names none. */
  readonly unknown?: string
}

export function parseRoute (hash: string): Route {
  const path = hash.replace(/^#\/?/, '').split('?')[0] ?? ''
  const [name = '', arg] = path.split('/')
  const view = VIEWS.find(v => v === name)
  if (view === undefined) return name === '' ? { view: 'train' } : { view: 'train', unknown: decoded(name) }
  return arg === undefined || arg === '' ? { view } : { view, arg: decoded(arg) }
}

/** An address that was cut or mistyped names nothing, but it must not end the page. */
function decoded (arg: string): string {
  try {
    return decodeURIComponent(arg)
  } catch {
    return arg
  }
}

export function hashParams (hash: string): string {
  const at = hash.indexOf('?')
  return at < 0 ? '' : hash.slice(at)
}

export interface Router {
  readonly route: Accessor<Route>
  href (view: ViewName, arg?: string): string
  go (view: ViewName, arg?: string): void
}

export function createRouter (location: Location): Router {
  const sticky = hashParams(location.hash)
  const [route, setRoute] = createSignal(parseRoute(location.hash), { equals: (a, b) => a.view === b.view && a.arg === b.arg && a.unknown === b.unknown })
  const onChange = (): void => { setRoute(parseRoute(location.hash)) }
  window.addEventListener('hashchange', onChange)
  onCleanup(() => { window.removeEventListener('hashchange', onChange) })
  const href = (view: ViewName, arg?: string): string => `#/${view}${arg === undefined ? '' : `/${encodeURIComponent(arg)}`}${sticky}`
  return { route, href, go: (view, arg) => { location.hash = href(view, arg); onChange() } }
}
