/** What can be done with a set: fetch, pause, save, pass on, remove. In a row the lesser ones are icons. */
import { createEffect, createSignal, on, Show, type JSX } from 'solid-js'
import type { LibraryItem, Outcome } from '../../bridge/api.ts'
import { useApp } from '../context.tsx'
import { bytes, plural, sentence, shortId } from '../format.ts'
import { healthOf, isWhole, nameOf, plainText } from '../libraryWords.ts'
import { Button, CopyButton, Note, saveFile } from './basics.tsx'
import { Confirm } from './dialogs.tsx'
import { Icon } from './Icon.tsx'

/** Of a path its last part: a download has no folders. */
const fileName = (path: string): string => plainText(path.split(/[/\\]/).at(-1) ?? '') || 'file'

/** Hands one whole file to the browser; false, and a notice, if that did not work. */
export function createSaver (): (item: LibraryItem, path: string) => Promise<boolean> {
  const app = useApp()
  return async (item, path) => {
    const outcome = await app.attempt('Saving the file', async () => await app.node.openFile(item.infoHash, path))
    if (outcome === undefined) return false
    if (outcome.ok) saveFile(fileName(path), outcome.value, outcome.value.type)
    else app.toast('warn', outcome.errors.map(e => sentence(e.message)).join(' '))
    return outcome.ok
  }
}

export function SetActions (props: { item: LibraryItem, small?: boolean, onRemoved?: () => void }): JSX.Element {
  const app = useApp()
  const save = createSaver()
  const [busy, setBusy] = createSignal<'main' | 'torrent'>()
  const name = (): string => nameOf(props.item)
  const small = (): boolean => props.small === true

  const run = async <T,>(which: 'main' | 'torrent', what: string, call: () => Promise<Outcome<T>>): Promise<T | undefined> => {
    setBusy(which)
    const outcome = await app.attempt(what, call)
    setBusy(undefined)
    if (outcome === undefined) return undefined
    if (outcome.ok) return outcome.value
    app.toast('warn', outcome.errors.map(e => sentence(e.message)).join(' '))
    return undefined
  }
  // The button that was pressed gives way to another: the focus goes there, not to the top of the page.
  let bar!: HTMLDivElement
  let pressed = false
  createEffect(on(() => props.item.state, () => {
    if (!pressed) return
    pressed = false
    requestAnimationFrame(() => { if (document.activeElement === document.body) bar.querySelector<HTMLElement>('button, a')?.focus() })
  }, { defer: true }))
  const fetchIt = (): void => { pressed = true; void run('main', 'Fetching', async () => await app.node.fetchItem(props.item.infoHash)) }
  const pause = async (): Promise<void> => {
    pressed = true
    setBusy('main')
    await app.attempt('Pausing', async () => { await app.node.pauseItem(props.item.infoHash) })
    setBusy(undefined)
  }
  const saveOne = async (): Promise<void> => { setBusy('main'); await save(props.item, props.item.files[0]!.path); setBusy(undefined) }
  const saveTorrent = async (): Promise<void> => {
    const file = await run('torrent', 'Making the .torrent file', async () => await app.node.torrentFile(props.item.infoHash))
    if (file !== undefined) saveFile(`${fileName(props.item.name)}.torrent`, file, 'application/x-bittorrent')
  }
  const state = (): LibraryItem['state'] => props.item.state
  const described = (): boolean => props.item.pieces > 0

  return (
    <div class="row set-actions" ref={bar}>
      <Show when={state() === 'found'}><Button kind="primary" small={small()} icon="download" busy={busy() === 'main'} aria-label={`Fetch ${name()}`} data-testid="set-fetch" onClick={fetchIt}>Fetch</Button></Show>
      <Show when={state() === 'downloading' || state() === 'metadata'}><Button small={small()} icon="pause" busy={busy() === 'main'} aria-label={`Pause ${name()}`} data-testid="set-pause" onClick={() => { void pause() }}>Pause</Button></Show>
      <Show when={state() === 'paused'}><Button kind="primary" small={small()} icon="play" busy={busy() === 'main'} aria-label={isWhole(props.item) ? `Share ${name()} again` : `Go on with ${name()}`} data-testid="set-resume" onClick={fetchIt}>{isWhole(props.item) ? 'Share again' : 'Go on'}</Button></Show>
      <Show when={state() === 'failed'}><Button small={small()} icon="replay" busy={busy() === 'main'} aria-label={`Try again: ${name()}`} data-testid="set-retry" onClick={fetchIt}>Try again</Button></Show>
      <Show when={state() === 'complete'}>
        <Show when={props.item.files.length === 1} fallback={<Show when={small()}><a class="button button-plain button-small" href={app.router.href('library', props.item.infoHash)} data-testid="set-files"><Icon name="file" />{plural(props.item.files.length, 'file')}</a></Show>}>
          <Button small={small()} icon="download" busy={busy() === 'main'} aria-label={`Save ${name()}`} data-testid="set-save" onClick={() => { void saveOne() }}>Save</Button>
        </Show>
      </Show>
      <Show when={state() === 'complete'}><StopSharing item={props.item} small={small()} onStop={() => { pressed = true }} /></Show>
      <Show when={small()} fallback={<CopyButton text={props.item.magnet} label={`Copy the magnet link of ${name()}`} icon="magnet" testid="set-magnet">Copy magnet link</CopyButton>}>
        <CopyButton text={props.item.magnet} label={`Copy the magnet link of ${name()}`} icon="magnet" testid="set-magnet" />
      </Show>
      <Show when={described()}><Button kind={small() ? 'quiet' : 'plain'} small icon="file" busy={busy() === 'torrent'} aria-label={`Save the .torrent file of ${name()}`} title="Save the .torrent file, for other clients" data-testid="set-torrent" onClick={() => { void saveTorrent() }}>{small() ? undefined : 'Save .torrent'}</Button></Show>
      <Remove item={props.item} small={small()} onRemoved={props.onRemoved} />
    </div>
  )
}

/** The files stay; whoever fetches them from here is left in the middle of it, so it is asked first. */
function StopSharing (props: { item: LibraryItem, small: boolean, onStop: () => void }): JSX.Element {
  const app = useApp()
  const [asking, setAsking] = createSignal(false)
  const [asked, setAsked] = createSignal(false)
  const [busy, setBusy] = createSignal(false)
  const name = (): string => nameOf(props.item)
  const fetching = (): number => props.item.peers.filter(p => p.has < 1).length
  const stop = async (): Promise<void> => {
    props.onStop()
    setBusy(true)
    await app.attempt('Ending the sharing', async () => { await app.node.pauseItem(props.item.infoHash) })
    setBusy(false)
    setAsking(false)
  }
  return (
    <>
      <Button kind={props.small ? 'quiet' : 'plain'} small icon="pause" aria-label={`Stop sharing ${name()}`} title="Stop sharing; the files stay on this device" data-testid="set-stop" onClick={() => { setAsked(true); setAsking(true) }}>{props.small ? undefined : 'Stop sharing…'}</Button>
      <Show when={asked()}>
        <Confirm open={asking()} onClose={() => { setAsking(false) }} onConfirm={() => { void stop() }} busy={busy()} title={`Stop sharing “${name()}”?`} confirm="Stop sharing" testid="set-stop-confirm">
          <p>Its files stay on this device, and you can share them again at any time.</p>
          <Show when={fetching() > 0}><p>{plural(fetching(), 'linked peer is', 'linked peers are')} still fetching it, and will have to find the rest elsewhere.</p></Show>
          <Show when={props.item.seeders === 0}><Note tone="warn" title="Nobody else is known to have all of it">Until you share it again, others may not get it whole.</Note></Show>
        </Confirm>
      </Show>
    </>
  )
}

/** Linked peers that have every piece. */
const holdersOf = (item: LibraryItem): readonly string[] => item.peers.filter(p => p.has >= 1).map(p => p.peer === undefined ? 'a plain client' : shortId(p.peer, 4, 6))

const HOLDERS_NAMED = 3

function Remove (props: { item: LibraryItem, small: boolean, onRemoved?: () => void }): JSX.Element {
  const app = useApp()
  const [asking, setAsking] = createSignal(false)
  /** A list has many rows and mostly no dialog: it is made for the first question. */
  const [asked, setAsked] = createSignal(false)
  const [busy, setBusy] = createSignal(false)
  const name = (): string => nameOf(props.item)
  const holders = (): readonly string[] => holdersOf(props.item)
  const elsewhere = (): boolean => holders().length > 0 || props.item.seeders > 0 || (healthOf(props.item).share ?? 0) >= 1
  const remove = async (): Promise<void> => {
    const { infoHash, magnet, state } = props.item
    const removed = name()
    const again = elsewhere() && state !== 'found'
    setBusy(true)
    const done = await app.attempt('Removing', async () => { await app.node.removeItem(infoHash); return true })
    setBusy(false)
    if (done === undefined) return
    setAsking(false)
    const undo = (): void => {
      void app.attempt('Adding it again', async () => await app.node.addToLibrary(magnet)).then(outcome => {
        if (outcome?.ok === false) app.toast('warn', outcome.errors.map(e => sentence(e.message)).join(' '))
      })
    }
    app.toast('info', `“${removed}” was removed from this device.`, again ? { label: 'Fetch it again', run: undo } : undefined)
    props.onRemoved?.()
  }
  return (
    <>
      <Button kind={props.small ? 'quiet' : 'danger'} small icon="trash" aria-label={`Remove ${name()}`} title="Remove from this device" data-testid="set-remove" onClick={() => { setAsked(true); setAsking(true) }}>{props.small ? undefined : 'Remove…'}</Button>
      <Show when={asked()}>
        <Confirm open={asking()} onClose={() => { setAsking(false) }} onConfirm={() => { void remove() }} busy={busy()} danger title={`Remove “${name()}”?`} confirm="Remove it" testid="set-remove-confirm">
          <Show when={props.item.haveBytes > 0} fallback={<p>Nothing of it is on this device. It leaves the list, and may come back to it when somebody offers it.</p>}>
            <p>{bytes(props.item.haveBytes)} on this device are deleted, and this tab no longer passes them on.</p>
            <Show when={elsewhere()} fallback={<Note tone="bad" title="Nobody else in reach has all of it">As far as this tab can see, it would be gone for good. Save its files first if you may want them.</Note>}>
              <p>{holders().length > 0
                ? `${plural(holders().length, 'linked peer has', 'linked peers have')} all of it (${holders().slice(0, HOLDERS_NAMED).join(', ')}${holders().length > HOLDERS_NAMED ? ', …' : ''}), so it can be fetched again.`
                : `Others have all of it between them (${plural(props.item.seeders, 'seeder')} known), so it can probably be fetched again.`}</p>
            </Show>
          </Show>
        </Confirm>
      </Show>
    </>
  )
}
