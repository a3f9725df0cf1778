/** Renders the whole app on a scripted node and finds things by test id, as the browser tests do. */
import { cleanup, configure, fireEvent, waitFor } from '@solidjs/testing-library'
import { afterEach } from 'vitest'
import { renderApp, type AppDeps } from '../../src/ui/app.tsx'
import { createFakeNode, type FakeNode, type Options } from './fakeNode.ts'

// The message alone: the whole page as text says nothing and takes seconds.
configure({ asyncUtilTimeout: 10_000, getElementError: message => new Error(message ?? 'not found') })

const running: Array<() => void> = []

afterEach(() => {
  for (const stop of running.splice(0)) stop()
  cleanup()
  document.body.replaceChildren()
  window.localStorage.clear()
  window.sessionStorage.clear()
})

export interface Opened {
  readonly node: FakeNode
  readonly root: HTMLElement
  go (route: string): Promise<void>
}

/** Opens the app at a route, e.g. `wallet` or `jobs/new`, and waits until the node has answered. */
export async function open (route: string, options: Options = {}, deps: Partial<AppDeps> = {}, prepare?: (node: FakeNode) => void): Promise<Opened> {
  const node = createFakeNode(options)
  prepare?.(node)
  // Without a style sheet this DOM reports no animation name at all, and a closed dialog would wait for its end.
  document.head.innerHTML = '<style>* { animation-name: none }</style>'
  window.location.hash = `#/${route}`
  const root = document.createElement('div')
  document.body.append(root)
  running.push(renderApp(root, { node, version: '0.1.0', ...deps }))
  await waitFor(() => { get('height') })
  return {
    node,
    root,
    go: async to => {
      window.location.hash = `#/${to}`
      window.dispatchEvent(new Event('hashchange'))
      await Promise.resolve()
    }
  }
}

/** The one element with this test id, portals included. */
export function get (testid: string): HTMLElement {
  const found = all(testid)
  if (found.length !== 1) throw new Error(`${found.length} elements with test id ${testid}`)
  return found[0]!
}

export function all (testid: string): HTMLElement[] {
  return [...document.body.querySelectorAll<HTMLElement>(`[data-testid="${testid}"]`)]
}

export async function find (testid: string): Promise<HTMLElement> {
  return await waitFor(() => get(testid))
}

export function text (testid: string): string {
  return (get(testid).textContent ?? '').replace(/\s+/g, ' ').trim()
}

export function type (testid: string, value: string): void {
  fireEvent.input(get(testid), { target: { value } })
}

export function click (testid: string): void {
  fireEvent.click(get(testid))
}

/** Hands files to a file input, as a choice by a person would. */
export function choose (testid: string, files: File[]): void {
  const input = get(testid) as HTMLInputElement
  Object.defineProperty(input, 'files', { value: files, configurable: true })
  fireEvent.change(input)
}

/** What is wrong with the field of an input: the text its aria-describedby points at. */
export function errorOf (testid: string): string {
  const ids = (get(testid).getAttribute('aria-describedby') ?? '').split(' ').filter(id => id.endsWith('-error'))
  return ids.map(id => document.getElementById(id)?.textContent ?? '').join(' ')
}

export { waitFor }
