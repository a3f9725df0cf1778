/** One's own files become a set that others can fetch: what it is called, what it is, and under which licence. */
import { createSignal, For, Show, type JSX } from 'solid-js'
import type { FieldError, Hex, LibraryKind, LibraryView } from '../../bridge/api.ts'
import { MAX_NOTE_ABOUT_BYTES, MAX_NOTE_LICENCE_BYTES, MAX_NOTE_NAME_BYTES, MAX_NOTE_PARENTS } from '../../core/codec/noteLimits.ts'
import { useApp } from '../context.tsx'
import { bytes, percent, plural, sentence } from '../format.ts'
import { KINDS, LICENCES, nameOf, plainText } from '../libraryWords.ts'
import { Button, Note, Progress } from '../parts/basics.tsx'
import { Choice, Field, Segments } from '../parts/fields.tsx'

const FILES_SHOWN = 12

const OWN = 'own'
const LICENCE_CHOICES = [{ value: '', label: 'Not stated' }, ...LICENCES.map(([value, name]) => ({ value, label: value === name ? name : `${value} (${name})` })), { value: OWN, label: 'In my own words…' }]
const KIND_CHOICES = (['model', 'dataset', 'file'] as const).map(value => ({ value, label: KINDS[value].one }))

const lengthOf = (text: string): number => new TextEncoder().encode(text).length
function tooLong (text: string, max: number): string | undefined {
  const length = lengthOf(text)
  if (length <= max) return undefined
  // Only of plain letters does each take one byte.
  return length === text.length ? `At most ${max} characters; this has ${length}.` : `Too long: at most ${max} characters, of which letters with accents and those of other scripts count two or three each; this comes to ${length}.`
}

/** What files of these names mostly are. */
export function guessKind (files: ReadonlyArray<{ readonly name: string }>): LibraryKind {
  const all = (pattern: RegExp): boolean => files.length > 0 && files.every(f => pattern.test(f.name))
  if (all(/\.(cwm|onnx|safetensors|gguf|pt|h5|tflite)$/i)) return 'model'
  if (all(/\.(csv|tsv|npy|npz|parquet|arrow|jsonl)(\.gz)?$|idx\d-ubyte(\.gz)?$/i)) return 'dataset'
  return 'file'
}

/** One file gives its name; several give what their names begin with, if that is a word. */
export function guessName (files: ReadonlyArray<{ readonly name: string }>): string {
  const names = files.map(f => f.name)
  if (names.length <= 1) return names[0] ?? ''
  let common = names[0]!
  for (const n of names) while (!n.startsWith(common)) common = common.slice(0, -1)
  // Not in the middle of a word: bird-train and bird-test are not "bird-t".
  const broken = names.some(n => /^[\p{L}\p{N}]/u.test(n.slice(common.length)))
  const trimmed = (broken ? common.replace(/[\p{L}\p{N}]*$/u, '') : common).replace(/[\s._-]+$/, '')
  return trimmed.length >= 3 ? trimmed : ''
}

export function ShareFiles (props: { view: LibraryView, files: readonly File[], onFiles: (files: readonly File[]) => void, onShared: (infoHash: Hex) => void }): JSX.Element {
  const app = useApp()
  const [name, setName] = createSignal<string>()
  const [kind, setKind] = createSignal<LibraryKind>()
  const [licence, setLicence] = createSignal('')
  const [ownLicence, setOwnLicence] = createSignal('')
  const [about, setAbout] = createSignal('')
  const [parents, setParents] = createSignal<readonly Hex[]>([])
  const [touched, setTouched] = createSignal(false)
  const [errors, setErrors] = createSignal<readonly FieldError[]>([])
  const [busy, setBusy] = createSignal(false)
  const [cancelled, setCancelled] = createSignal(false)
  let buttons!: HTMLDivElement

  const shownName = (): string => name() ?? guessName(props.files)
  const shownKind = (): LibraryKind => kind() ?? guessKind(props.files)
  const total = (): number => props.files.reduce((n, f) => n + f.size, 0)
  const others = (): ReadonlyArray<{ readonly value: string, readonly label: string }> => [
    { value: '', label: 'Add one…' },
    ...props.view.items.filter(i => !parents().includes(i.infoHash)).map(i => ({ value: i.infoHash, label: nameOf(i) }))
  ]
  const refusal = (field: string): string | undefined => {
    const found = errors().filter(e => e.field === field)
    return found.length === 0 ? undefined : found.map(e => sentence(e.message)).join(' ')
  }
  const nameError = (): string | undefined => {
    const n = shownName().trim()
    if (/[/\\]/.test(n)) return 'A name has no slashes.'
    return tooLong(n, MAX_NOTE_NAME_BYTES) ?? (touched() && n === '' ? 'Give it a name that others can find it by.' : refusal('name'))
  }
  const licenceError = (): string | undefined => {
    if (licence() !== OWN) return refusal('licence')
    const long = tooLong(ownLicence().trim(), MAX_NOTE_LICENCE_BYTES)
    if (long !== undefined) return `${long} Put the rest into a file.`
    return touched() && ownLicence().trim() === '' ? 'Say under which terms others may use it, or choose “Not stated”.' : refusal('licence')
  }
  const aboutError = (): string | undefined => tooLong(about().trim(), MAX_NOTE_ABOUT_BYTES) ?? refusal('about')
  const filesError = (): string | undefined => {
    const twice = props.files.find((f, i) => props.files.findIndex(g => g.name === f.name) !== i)
    if (twice !== undefined) return `Two files are named ${plainText(twice.name)}. Take one out, or rename it.`
    if (total() === 0) return 'There is nothing in these files.'
    if (total() > props.view.settings.budget) return `These are ${bytes(total())}; the library may keep ${bytes(props.view.settings.budget)} on this device. Allow more under Limits, or take files out.`
    return refusal('files')
  }
  const somewhere = new Set(['name', 'licence', 'about', 'files'])
  const elsewhere = (): readonly FieldError[] => errors().filter(e => !somewhere.has(e.field))
  const wrong = (): boolean => [nameError(), licenceError(), aboutError(), filesError()].some(e => e !== undefined)
  const edit = <T,>(field: string, set: (value: T) => void) => (value: T): void => { setErrors(list => list.filter(e => e.field !== field)); set(value) }

  const share = async (e: Event): Promise<void> => {
    e.preventDefault()
    setTouched(true)
    setErrors([])
    if (wrong() || shownName().trim() === '') return
    setCancelled(false)
    setBusy(true)
    buttons.querySelector<HTMLElement>('button:enabled')?.focus()
    const outcome = await app.attempt('Sharing', async () => await app.node.shareFiles(props.files, {
      name: shownName().trim(), kind: shownKind(), licence: licence() === OWN ? ownLicence().trim() : licence(), about: about().trim(), parents: parents()
    }))
    setBusy(false)
    if (outcome?.ok !== true) buttons.querySelector<HTMLElement>('button:enabled')?.focus()
    if (outcome === undefined) return
    if (!outcome.ok) {
      // Who ends it himself needs no telling.
      if (!cancelled()) setErrors(outcome.errors)
      return
    }
    app.toast('info', `“${plainText(shownName())}” is shared from here.`)
    props.onShared(outcome.value.infoHash)
  }

  const cancel = (): void => {
    setCancelled(true)
    void app.attempt('Ending it', async () => { await app.node.cancelShare() })
  }

  return (
    <form class="form taken" onSubmit={e => { void share(e) }} novalidate data-testid="share">
      <Note tone="busy" title={`Taken for ${props.files.length === 1 ? 'a file' : `${props.files.length} files`} to share, ${bytes(total())}`} role="status">Everybody in the network can fetch what you share, and keep it. It is sent from this tab while it is open.</Note>
      <div>
        <ul class="slots share-files" aria-label="Files to share">
          <For each={props.files.slice(0, FILES_SHOWN)}>{f => (
            <li data-testid="share-file"><span class="slot-file">{plainText(f.name)} <small>{bytes(f.size)}</small></span><Button kind="quiet" small icon="cross" disabled={busy()} aria-label={`Take out ${plainText(f.name)}`} onClick={() => { setErrors(list => list.filter(e => e.field !== 'files')); props.onFiles(props.files.filter(g => g !== f)) }} /></li>
          )}</For>
          <Show when={props.files.length > FILES_SHOWN}><li><span class="quiet">and {plural(props.files.length - FILES_SHOWN, 'more file', 'more files')}</span></li></Show>
        </ul>
        <Show when={filesError()}>{text => <p class="field-error" role="alert" data-testid="share-files-error">{text()}</p>}</Show>
      </div>
      <Field label="Name" value={shownName()} onInput={edit('name', setName)} error={nameError()} disabled={busy()} testid="share-name" />
      <div class="field"><span class="field-label">What it is</span><Segments label="What it is" options={KIND_CHOICES} value={shownKind() === 'snapshot' ? 'file' : shownKind() as 'model'} onChange={setKind} testid="share-kind" /></div>
      <div class="form-pair">
        <label class="field"><span class="field-label">Licence</span><Choice options={LICENCE_CHOICES} value={licence()} onChange={edit('licence', setLicence)} disabled={busy()} data-testid="share-licence" aria-invalid={licence() !== OWN && licenceError() !== undefined} /></label>
        <Show when={licence() === OWN}><Field label="In your own words" value={ownLicence()} onInput={edit('licence', setOwnLicence)} error={licenceError()} hint="A short text, or an SPDX identifier that is not in the list." disabled={busy()} testid="share-own-licence" /></Show>
      </div>
      <Show when={licence() !== OWN && licenceError()}>{text => <p class="field-error" role="alert">{text()}</p>}</Show>
      <Field label="About it" rows={3} value={about()} onInput={edit('about', setAbout)} error={aboutError()} placeholder="What is in it, and where it comes from" disabled={busy()} testid="share-about" />
      <Show when={props.view.items.length > 0}>
        <div class="field">
          <label class="field"><span class="field-label">Made from</span><Choice options={others()} value="" disabled={busy() || parents().length >= MAX_NOTE_PARENTS} onChange={p => { if (p !== '') setParents(list => [...list, p]) }} data-testid="share-parents" /></label>
          <ul class="chips"><For each={parents()}>{p => <li>{nameOf(props.view.items.find(i => i.infoHash === p) ?? { name: '', infoHash: p })}<Button kind="quiet" small icon="cross" aria-label="Take this parent out" onClick={() => { setParents(list => list.filter(x => x !== p)) }} /></li>}</For></ul>
        </div>
      </Show>
      <Show when={elsewhere().length > 0}><Note tone="bad" title="It was not shared" role="alert" testid="share-refused">{elsewhere().map(e => sentence(e.message)).join(' ')}</Note></Show>
      <Show when={busy()}><Progress label="Reading and hashing the files" value={props.view.sharing} /><p class="quiet" role="status">Reading and hashing {bytes(total())}{props.view.sharing === undefined ? '' : `, ${percent(props.view.sharing, 0)} done`}. Keep this tab open.</p></Show>
      <div class="row" ref={buttons}>
        <Button kind="primary" type="submit" icon="share" busy={busy()} data-testid="share-submit">Share {props.files.length === 1 ? 'it' : 'them'}</Button>
        <Show when={busy()} fallback={<Button kind="quiet" onClick={() => { props.onFiles([]) }}>Leave it</Button>}>
          <Button kind="quiet" icon="cross" busy={cancelled()} data-testid="share-cancel" onClick={cancel}>Cancel</Button>
        </Show>
      </div>
    </form>
  )
}
