/**
 * Ways into the library: a magnet link, an infohash or a .torrent file of what others have; one's
 * own files; the model of a job. Says what it took a thing for before it does anything with it.
 */
import { createSignal, For, Match, Show, Switch, type JSX } from 'solid-js'
import type { FieldError, Hex, LibraryView, Outcome } from '../../bridge/api.ts'
import { useApp } from '../context.tsx'
import { bytes, plural, sentence, shortId } from '../format.ts'
import { nameOf, plainText } from '../libraryWords.ts'
import { Button, Card, Note } from '../parts/basics.tsx'
import { Choice, Field } from '../parts/fields.tsx'
import { Icon } from '../parts/Icon.tsx'
import { ShareModelButton } from '../parts/ShareModelButton.tsx'
import { readSource, TORRENT_MAX_BYTES, type Source } from '../torrents.ts'
import { ShareFiles } from './LibraryShare.tsx'

const isTorrent = (f: File): boolean => /\.torrent$/i.test(f.name)

/** Torrent files among others are files to share like these: only alone do they mean what they name. */
export function sortFiles (chosen: readonly File[]): { readonly torrents: readonly File[], readonly files: readonly File[] } {
  return chosen.length > 0 && chosen.every(isTorrent) ? { torrents: chosen, files: [] } : { torrents: [], files: chosen }
}

export function LibraryAdd (props: { view: LibraryView }): JSX.Element {
  const app = useApp()
  const [torrents, setTorrents] = createSignal<readonly File[]>([])
  const [files, setFiles] = createSignal<readonly File[]>([])
  const [text, setText] = createSignal('')
  const [over, setOver] = createSignal(false)

  const take = (chosen: Iterable<File>): void => {
    const sorted = sortFiles([...chosen])
    // More files join those that are there; a torrent is a thing of its own.
    if (sorted.torrents.length > 0) { setTorrents(sorted.torrents); setFiles([]) }
    if (sorted.files.length > 0) { setFiles(have => [...have, ...sorted.files.filter(f => !have.some(h => h.name === f.name && h.size === f.size && h.lastModified === f.lastModified))]); setTorrents([]) }
  }
  const drop = (e: DragEvent): void => {
    e.preventDefault()
    setOver(false)
    const dropped = e.dataTransfer?.files ?? []
    if (dropped.length > 0) { take(dropped); return }
    const link = e.dataTransfer?.getData('text') ?? ''
    if (link !== '') setText(link)
  }
  /** Its page is shown once it is known there. */
  const added = (infoHash: Hex): void => { void app.attempt('Reading the library', app.library.refresh).then(() => { app.router.go('library', infoHash) }) }

  return (
    <div class="library-add" data-testid="library-adding">
      <Card title="Your files, or a .torrent file">
        <div class="drop" classList={{ 'drop-over': over() }} data-testid="library-drop"
          onDragOver={e => { e.preventDefault(); setOver(true) }} onDragLeave={() => { setOver(false) }} onDrop={drop}>
          <Icon name="upload" size={26} />
          <p><b>Drop files here</b><br /><span class="quiet">Files of yours are shared; of a .torrent file, what it names is fetched.</span></p>
          <label class="button button-plain"><span>Choose files</span><input type="file" multiple class="visually-hidden" data-testid="library-files" onChange={e => { take(e.currentTarget.files ?? []); e.currentTarget.value = '' }} /></label>
        </div>
        <Show when={torrents().length > 0}><Torrents torrents={torrents()} onAdded={added} onInstead={() => { setFiles(torrents()); setTorrents([]) }} onDrop={() => { setTorrents([]) }} /></Show>
        <Show when={files().length > 0}><ShareFiles view={props.view} files={files()} onFiles={setFiles} onShared={added} /></Show>
      </Card>
      <Link view={props.view} text={text()} onText={setText} onAdded={added} />
      <ShareModel onShared={added} />
    </div>
  )
}

const messages = (errors: readonly FieldError[]): string => errors.map(e => sentence(e.message)).join(' ')

function Torrents (props: { torrents: readonly File[], onAdded: (infoHash: Hex) => void, onInstead: () => void, onDrop: () => void }): JSX.Element {
  const app = useApp()
  const [busy, setBusy] = createSignal(false)
  const [refused, setRefused] = createSignal<readonly string[]>([])
  const addOne = async (file: File): Promise<Outcome<{ readonly infoHash: Hex }>> => {
    if (file.size > TORRENT_MAX_BYTES) return { ok: false, errors: [{ field: 'source', message: `too large for a .torrent file: at most ${bytes(TORRENT_MAX_BYTES)}` }] }
    return await app.node.addToLibrary(new Uint8Array(await file.arrayBuffer()))
  }
  const add = async (): Promise<void> => {
    setBusy(true)
    const wrong: string[] = []
    let last: Hex | undefined
    for (const file of props.torrents) {
      const outcome = await app.attempt(`Adding ${file.name}`, async () => await addOne(file))
      if (outcome?.ok === true) last = outcome.value.infoHash
      else if (outcome !== undefined) wrong.push(`${file.name}: ${messages(outcome.errors)}`)
    }
    setBusy(false)
    setRefused(wrong)
    if (last !== undefined && wrong.length === 0) props.onAdded(last)
  }
  return (
    <div class="taken" data-testid="library-taken">
      <Note tone="busy" title={`Taken for ${props.torrents.length === 1 ? 'a .torrent file' : `${props.torrents.length} .torrent files`}`} role="status">
        <ul><For each={props.torrents}>{f => <li>{plainText(f.name)} <small>{bytes(f.size)}</small></li>}</For></ul>
        What {props.torrents.length === 1 ? 'it names' : 'they name'} is fetched from others.
      </Note>
      <Show when={refused().length > 0}><ul class="field-error" role="alert" data-testid="library-torrent-error"><For each={refused()}>{line => <li>{line}</li>}</For></ul></Show>
      <div class="row">
        <Button kind="primary" icon="download" busy={busy()} data-testid="library-torrent-add" onClick={() => { void add() }}>{props.torrents.length === 1 ? 'Add what it names' : 'Add what they name'}</Button>
        <Button data-testid="library-torrent-share" onClick={props.onInstead}>Share the file itself instead</Button>
        <Button kind="quiet" onClick={props.onDrop}>Leave it</Button>
      </div>
    </div>
  )
}

function Link (props: { view: LibraryView, text: string, onText: (text: string) => void, onAdded: (infoHash: Hex) => void }): JSX.Element {
  const app = useApp()
  const [busy, setBusy] = createSignal(false)
  const [refused, setRefused] = createSignal<string>()
  const [touched, setTouched] = createSignal(false)
  const source = (): Source => readSource(props.text)
  const known = (): ReturnType<typeof app.library.item> => { const s = source(); return s.kind === 'magnet' || s.kind === 'infohash' ? app.library.item(s.infoHash) : undefined }
  const error = (): string | undefined => {
    const s = source()
    return s.kind === 'wrong' ? s.error : s.kind === 'nothing' && touched() ? 'Paste a magnet link or an infohash.' : refused()
  }
  const enter = (text: string): void => { setRefused(undefined); props.onText(text) }
  const submit = async (e: Event): Promise<void> => {
    e.preventDefault()
    setTouched(true)
    const s = source()
    if (s.kind !== 'magnet' && s.kind !== 'infohash') return
    setBusy(true)
    const outcome = await app.attempt('Adding', async () => await app.node.addToLibrary(s.text))
    setBusy(false)
    if (outcome === undefined) return
    if (outcome.ok) props.onAdded(outcome.value.infoHash)
    else setRefused(messages(outcome.errors))
  }
  const taken = (): string | undefined => {
    const s = source()
    if (s.kind === 'infohash') return `Taken for an infohash, ${shortId(s.infoHash)}. Names and sizes come from somebody who has it.`
    if (s.kind === 'magnet') return `Taken for a magnet link${s.name === undefined ? '' : ` to “${plainText(s.name)}”`}, infohash ${shortId(s.infoHash)}${s.trackers === 0 ? '' : `, with ${plural(s.trackers, 'tracker')}`}.`
    return undefined
  }
  return (
    <Card title="A magnet link or an infohash">
      <form class="form" onSubmit={e => { void submit(e) }} novalidate>
        <Field label="Magnet link or infohash" rows={3} mono value={props.text} onInput={enter} placeholder="magnet:?xt=urn:btih:…" error={error()} testid="library-source" />
        <Show when={taken()}>{words => <p class="taken-words" role="status" data-testid="library-source-taken">{words()}</p>}</Show>
        <Show when={known()}>{item => <Note tone="idle" testid="library-known">{item().state === 'found' ? 'Others have told this tab of it' : 'This is in your library already'}: <a href={app.router.href('library', item().infoHash)}>{nameOf(item())}</a>.</Note>}</Show>
        <Button kind="primary" type="submit" icon="download" busy={busy()} data-testid="library-source-add">Add it</Button>
      </form>
    </Card>
  )
}

function ShareModel (props: { onShared: (infoHash: Hex) => void }): JSX.Element {
  const app = useApp()
  const [chosen, setChosen] = createSignal<Hex>()
  const job = (): Hex | undefined => app.view.jobs.find(j => j.id === chosen())?.id ?? app.view.jobs[0]?.id
  return (
    <Card title="The model of a job">
      <Switch fallback={<p class="quiet">No job is known here yet.</p>}>
        <Match when={job()}>{id => (
          <div class="form">
            <label class="pick">Job <Choice options={app.view.jobs.map(j => ({ value: j.id, label: j.name }))} value={id()} onChange={setChosen} data-testid="share-model-job" /></label>
            <p class="quiet">Its newest state becomes a file that others can fetch, with the job as where it came from.</p>
            <div class="row"><ShareModelButton job={id()} kind="primary" onShared={props.onShared} /></div>
          </div>
        )}</Match>
      </Switch>
    </Card>
  )
}
