/** What every view may use: the projected state, the routes, the theme and what the page can do. */
import { createContext, useContext, type JSX } from 'solid-js'
import type { NodeApi, NodeView } from '../bridge/api.ts'
import type { Router } from './router.ts'
import type { AppState } from './state.ts'
import type { Theme } from './theme.ts'

/** What the composition root hands the app. */
export interface AppDeps {
  readonly node: NodeApi
  readonly version: string
  readonly licenceUrl?: string
  readonly sourceUrl?: string
  /** Address that lets another person join this network; default: this page's own. */
  inviteLink? (): string
  /** Asks the browser to keep the data; resolves to whether it will. */
  persist? (): Promise<boolean>
  /** Removes everything this page saved on this device, then reloads. */
  erase? (): Promise<void>
  /** Default: reload the page. */
  reload? (): void
}

export interface App extends AppState {
  readonly deps: AppDeps
  readonly router: Router
  readonly theme: Theme
  readonly view: NodeView
  /** What was made under this name, kept while the page is open: entries of a form survive a look at another view. */
  keep<T> (name: string, make: () => T): T
  invite (): string
  reload (): void
}

const AppContext = createContext<App>()

export function AppProvider (props: { app: App, children: JSX.Element }): JSX.Element {
  return <AppContext.Provider value={props.app}>{props.children}</AppContext.Provider>
}

export function useApp (): App {
  const app = useContext(AppContext)
  if (app === undefined) throw new Error('useApp outside AppProvider')
  return app
}
