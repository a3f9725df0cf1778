/** What is shown instead of the app when it cannot run here: what is missing and how to get it. */
import { For, Show, type JSX } from 'solid-js'
import { render } from 'solid-js/web'
import { Button, Note } from './parts/basics.tsx'
import { Mark } from './parts/Icon.tsx'
import './styles/tokens.css'
import './styles/base.css'
import './styles/parts.css'
import './styles/shell.css'

export const REASONS = ['insecure-context', 'no-wasm-simd', 'no-webrtc', 'no-indexeddb', 'no-workers'] as const
export type UnsupportedReason = typeof REASONS[number]

interface Help { readonly missing: string, readonly why: string, readonly how: (host: Location) => JSX.Element }

const NEWER_BROWSER = 'Use a current version of Chrome, Edge, Firefox or Safari.'

const HELP: Record<UnsupportedReason, Help> = {
  'insecure-context': {
    missing: 'A secure connection',
    why: 'This page was opened over plain http from another machine. Browsers then withhold cryptography, storage locks and workers that a node needs.',
    how: host => (
      <ul>
        <li>On the machine that runs the server, open <code>http://localhost:{host.port === '' ? '80' : host.port}</code>.</li>
        <li>From another machine, forward the port through ssh and open the same address there:<pre tabIndex={0}>ssh -L {host.port === '' ? '8080:localhost:80' : `${host.port}:localhost:${host.port}`} {host.hostname}</pre></li>
        <li>For everyone else, put the server behind https, for example with a reverse proxy that holds a certificate.</li>
      </ul>
    )
  },
  'no-wasm-simd': { missing: 'WebAssembly SIMD', why: 'Training runs on exact 128-bit integer arithmetic, which this browser does not offer.', how: () => <p>{NEWER_BROWSER} If it is current, check that WebAssembly is not switched off by a setting or a lockdown mode.</p> },
  'no-webrtc': { missing: 'WebRTC', why: 'Tabs talk to one another directly, and this browser has no way to do so, or it is switched off.', how: () => <p>{NEWER_BROWSER} Some privacy extensions and settings switch WebRTC off; allow it for this page.</p> },
  'no-indexeddb': { missing: 'Storage in the browser (IndexedDB)', why: 'Your key and the chain are kept on this device, and this browser does not let the page keep anything.', how: () => <p>Leave the private window, or allow this site to store data, then reload.</p> },
  'no-workers': { missing: 'Web Workers', why: 'The node and the training run beside the page so that it never freezes; this browser does not start them.', how: () => <p>{NEWER_BROWSER} If the page is embedded in another one, open it in a tab of its own.</p> }
}

export function renderUnsupported (root: HTMLElement, reasons: readonly UnsupportedReason[]): () => void {
  root.replaceChildren()
  return render(() => (
    <main class="boot" data-testid="unsupported">
      <Mark size={44} />
      <h1>Commonweight cannot run here yet</h1>
      <p class="boot-lead">Opening this page makes the tab a full node. {reasons.length === 1 ? 'One thing is missing for that:' : 'For that it lacks:'}</p>
      <For each={reasons}>{r => (
        <section class="card boot-reason" data-reason={r}>
          <h2>{HELP[r].missing}</h2>
          <p>{HELP[r].why}</p>
          <h3>How to get it</h3>
          {HELP[r].how(window.location)}
        </section>
      )}</For>
      <div class="boot-foot"><Button kind="primary" icon="replay" onClick={() => { window.location.reload() }}>Try again</Button></div>
    </main>
  ), root)
}

/** The node could not be started; nothing on this device was changed by that. */
export function renderBootError (root: HTMLElement, error: unknown): () => void {
  const message = error instanceof Error ? error.message : String(error)
  const stack = error instanceof Error ? error.stack : undefined
  root.replaceChildren()
  return render(() => (
    <main class="boot" data-testid="boot-error">
      <Mark size={44} />
      <h1>This node did not start</h1>
      <Note tone="bad" role="alert">{message}</Note>
      <p class="boot-lead">Your key and the chain on this device are untouched. Reload the page; if it happens again, close other tabs of this site, and check that the browser allows it to store data.</p>
      <Show when={stack}><details><summary>Details</summary><pre tabIndex={0}>{stack}</pre></details></Show>
      <div class="boot-foot"><Button kind="primary" icon="replay" onClick={() => { window.location.reload() }}>Reload</Button></div>
    </main>
  ), root)
}
