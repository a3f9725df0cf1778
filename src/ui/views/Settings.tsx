/** This device: looks, storage, identity, and the two buttons that end things. */
import { createSignal, For, Show, type JSX } from 'solid-js'
import { useApp } from '../context.tsx'
import { bytes, count, inCredits, percent, toCents } from '../format.ts'
import { Badge, Button, Card, Hash, Note, Progress } from '../parts/basics.tsx'
import { Confirm } from '../parts/dialogs.tsx'
import { Segments } from '../parts/fields.tsx'
import { backendReason, BACKENDS, backendWords } from '../words.ts'

const THEMES = [{ value: 'system', label: 'As the system' }, { value: 'light', label: 'Light' }, { value: 'dark', label: 'Dark' }] as const

export function Settings (): JSX.Element {
  const app = useApp()
  return (
    <div class="settings">
      <div class="stack">
        <Card title="Appearance"><Segments label="Theme" options={THEMES} value={app.theme.choice()} onChange={t => { app.theme.choose(t) }} testid="settings-theme" /></Card>
        <Backend />
        <Storage />
        <Danger />
      </div>
      <Card title="This node">
        <dl class="facts">
          <div><dt>Network</dt><dd data-testid="settings-network">{app.view.network === 'test' ? 'test network' : 'main network'} · chain {app.view.chain.slice(0, 8)}</dd></div>
          <div><dt>Identity slot</dt><dd>{count(app.view.slot)} <small>Each tab of a browser profile is a node of its own; they share one wallet.</small></dd></div>
          <div><dt>Miner key</dt><dd><Hash value={app.view.miner} label="miner key" /></dd></div>
          <div><dt>Peer id</dt><dd><Hash value={app.view.self} label="peer id" /></dd></div>
          <div><dt>Version</dt><dd data-testid="version">{app.deps.version}</dd></div>
          <div><dt>Licence</dt><dd><Show when={app.deps.licenceUrl} fallback="MIT">{url => <a href={url()} target="_blank" rel="noopener">MIT</a>}</Show><Show when={app.deps.sourceUrl}>{url => <> · <a href={url()} target="_blank" rel="noopener">source code</a></>}</Show></dd></div>
        </dl>
        <p class="quiet">Scripts can do all that this page does through <code>window.commonweight</code>.</p>
      </Card>
    </div>
  )
}

const CHOICES = (['auto', 'webgpu', 'wasm', 'reference'] as const).map(value => ({ value, label: BACKENDS[value].label }))

function Backend (): JSX.Element {
  const app = useApp()
  const compute = (): typeof app.view.compute => app.view.compute
  return (
    <Card title="What computes" aside={<Badge tone={compute().selfTest === 'failed' ? 'warn' : 'good'} testid="backend-used">{BACKENDS[compute().backend].label}</Badge>}>
      <Segments label="What computes" options={CHOICES} value={app.view.mining.settings.backend} onChange={backend => { void app.attempt('Changing what computes', async () => { await app.node.setMining({ backend }) }) }} testid="backend" />
      <p class="quiet" data-testid="backend-reason">{BACKENDS[app.view.mining.settings.backend].text} {backendReason(compute())} All give the same bits.</p>
      <dl class="facts" data-testid="backend-reports">
        <For each={compute().reports}>{report => <div><dt>{BACKENDS[report.backend].label}</dt><dd>{backendWords(report)}</dd></div>}</For>
      </dl>
    </Card>
  )
}

function Storage (): JSX.Element {
  const app = useApp()
  const [busy, setBusy] = createSignal(false)
  const [refused, setRefused] = createSignal(false)
  const storage = (): typeof app.view.storage => app.view.storage
  const [granted, setGranted] = createSignal(false)
  const kept = (): boolean => storage().persisted || granted()
  const share = (): number | undefined => storage().quota === undefined || storage().quota === 0 ? undefined : storage().used / (storage().quota ?? 1)
  const keep = async (): Promise<void> => {
    setBusy(true)
    const ok = await app.attempt('Asking the browser', async () => await app.deps.persist?.())
    setBusy(false)
    setGranted(ok === true)
    setRefused(ok !== true)
  }
  return (
    <Card title="Storage" aside={<Badge tone={kept() ? 'good' : 'warn'} testid="persisted">{kept() ? 'kept' : 'may be cleared'}</Badge>}>
      <p data-testid="storage-used">{bytes(storage().used)} used{storage().quota === undefined ? '' : ` of ${bytes(storage().quota ?? 0)} (${percent(share())})`}</p>
      <Show when={storage().claimed}>{claimed => <p class="quiet" data-testid="storage-own-count">This is the page’s own count. The browser says {bytes(claimed())}, which is more than there can be: its account of deleted files is known to go wrong.</p>}</Show>
      <Show when={share() !== undefined}><Progress value={share()} label="Storage used" /></Show>
      <Show when={!kept()} fallback={<p class="quiet">The browser has agreed not to clear this data by itself.</p>}>
        <p class="quiet">When the disk is short, the browser may clear this data, the key included. Ask it not to.</p>
        <Show when={app.deps.persist !== undefined}><Button busy={busy()} data-testid="storage-persist" onClick={() => { void keep() }}>Keep my data</Button></Show>
      </Show>
      <p class="quiet">Models, data sets and files have a limit of their own, <a href={app.router.href('library', 'settings')}>in the library</a>.</p>
      <Show when={refused()}><Note tone="warn" role="status">The browser did not agree. Add this page to your bookmarks or install it, then ask again, and keep a <a href={app.router.href('wallet', 'keys')}>backup of your key</a>.</Note></Show>
    </Card>
  )
}

function Danger (): JSX.Element {
  const app = useApp()
  const [asking, setAsking] = createSignal<'stop' | 'erase'>()
  const [busy, setBusy] = createSignal(false)
  const stopped = (): boolean => app.view.phase.phase === 'stopped'
  const at = (): bigint => app.view.wallet.balance + app.view.wallet.maturing
  const run = async (what: string, call: () => Promise<void>): Promise<void> => {
    setBusy(true)
    await app.attempt(what, call)
    setBusy(false)
    setAsking(undefined)
  }
  return (
    <Card title="Danger zone" class="danger">
      <div class="danger-row">
        <div><b>{stopped() ? 'This node has stopped' : 'Stop this node'}</b><p class="quiet">{stopped() ? 'It trains, checks and passes on nothing. A reload starts it again.' : 'It leaves the network cleanly. A reload starts it again.'}</p></div>
        {/* One button for both, so that the focus the dialog gives back has where to go. */}
        <Button kind={stopped() ? 'primary' : 'plain'} data-testid={stopped() ? 'node-reload' : 'node-stop'} onClick={() => { if (stopped()) app.reload(); else setAsking('stop') }}>{stopped() ? 'Reload' : 'Stop…'}</Button>
      </div>
      <Show when={app.deps.erase !== undefined}>
        <div class="danger-row">
          <div><b>Erase everything on this device</b><p class="quiet">Key, wallet, chain and settings of this page, in all its tabs.</p></div>
          <Button kind="danger" data-testid="node-erase" onClick={() => { setAsking('erase') }}>Erase…</Button>
        </div>
      </Show>
      <Confirm open={asking() === 'stop'} onClose={() => { setAsking(undefined) }} onConfirm={() => { void run('Stopping', async () => { await app.node.stop() }) }} busy={busy()} title="Stop this node?" confirm="Stop it" testid="stop-confirm">
        <p>Training and checking end until you reload the page.</p>
      </Confirm>
      <Confirm open={asking() === 'erase'} onClose={() => { setAsking(undefined) }} onConfirm={() => { void run('Erasing', async () => { await app.deps.erase?.() }) }} busy={busy()} danger title="Erase everything?" confirm="Erase it all" testid="erase-confirm">
        <p>This page then reloads by itself and begins anew, with a new key; the chain comes again from other tabs, where one is in reach. Other tabs of this site stop until they are reloaded.</p>
        <Show when={at() > 0n}>
          <Note tone="bad" title={`${inCredits(toCents(at()))} at stake`}>{app.view.wallet.replaced ? 'That is of this tab’s key; the one that has taken its place on this device goes, too, with whatever it holds. ' : ''}{app.view.wallet.backedUp ? 'You can get at that again only with the backup of your key.' : 'There is no backup of the key: all of it would be gone for good.'}</Note>
        </Show>
      </Confirm>
    </Card>
  )
}
