/** Backup of the wallet key under a passphrase, and its way back. */
import { createSignal, Show, type JSX } from 'solid-js'
import type { FieldError } from '../../bridge/api.ts'
import { useApp } from '../context.tsx'
import { inCredits, sentence, shortId, toCents } from '../format.ts'
import { Button, CopyButton, Note, saveFile } from '../parts/basics.tsx'
import { Confirm } from '../parts/dialogs.tsx'
import { Field } from '../parts/fields.tsx'

/** Short ones are guessed by trying; the file may end up anywhere. */
export const PASSPHRASE_MIN = 10
/** A backup that was made: its text, and whether it was taken away. It stays while the page is open, whatever else is looked at. */
interface Made { readonly text: string, readonly kept?: 'Saved' | 'Copied' }

/** A backup is some hundred characters; no more of a file is read. */
const BACKUP_MAX_BYTES = 64 * 1024

export function Keys (): JSX.Element {
  return <div class="keys"><Export /><hr /><Import /></div>
}

function Export (): JSX.Element {
  const app = useApp()
  const [passphrase, setPassphrase] = createSignal('')
  const [again, setAgain] = createSignal('')
  const [touched, setTouched] = createSignal(false)
  const [busy, setBusy] = createSignal(false)
  const [made, setMade] = app.keep('backup', () => createSignal<Made>())
  const [refused, setRefused] = createSignal<string>()
  const short = (): string | undefined => touched() && passphrase().length < PASSPHRASE_MIN ? `At least ${PASSPHRASE_MIN} characters; it has ${passphrase().length}.` : undefined
  const differs = (): string | undefined => touched() && passphrase() !== again() ? 'The two are not the same.' : undefined
  const run = async (e: Event): Promise<void> => {
    e.preventDefault()
    setTouched(true)
    if (short() !== undefined || differs() !== undefined) return
    setBusy(true)
    const outcome = await app.attempt('The export', async () => await app.node.exportKey(passphrase()))
    setBusy(false)
    if (outcome === undefined) return
    if (!outcome.ok) { setRefused(outcome.errors.map(x => sentence(x.message)).join(' ')); return }
    setRefused(undefined)
    setMade({ text: outcome.value })
    setPassphrase('')
    setAgain('')
    setTouched(false)
  }
  // A text that is only on the screen is gone with the page: what counts is that it was taken away.
  const keep = (how: 'Saved' | 'Copied'): void => {
    setMade(m => m === undefined ? m : { ...m, kept: how })
    void app.attempt('Noting the backup', async () => { await app.node.backupSaved() })
  }
  const copiedByHand = (e: ClipboardEvent & { readonly currentTarget: HTMLTextAreaElement }): void => {
    const { selectionStart, selectionEnd, value } = e.currentTarget
    if (selectionStart === 0 && selectionEnd >= value.trimEnd().length) keep('Copied')
  }
  const edit = (set: (v: string) => void) => (v: string): void => { setRefused(undefined); set(v) }
  const fileName = (): string => `commonweight-key-${app.view.wallet.address.slice(-8)}.txt`
  return (
    <section aria-labelledby="export-title">
      <h3 id="export-title">Back up the key</h3>
      <p class="quiet">The key is encrypted with your passphrase. Keep the file and the passphrase apart; whoever has both has your credits, and without the passphrase nobody can open it, you included.</p>
      <Show when={app.view.wallet.replaced}>
        <Note tone={app.view.wallet.backedUp ? 'warn' : 'bad'} title="Another key is on this device now" testid="key-replaced">The key of this tab, {shortId(app.view.wallet.address, 8, 6)}, is in its memory alone, and gone when it is reloaded or closed.{app.view.wallet.backedUp ? '' : ' It has no backup: make one here first, or what it holds is lost for good.'}</Note>
      </Show>
      <Show when={app.view.wallet.backedUp}><Note tone="good" testid="backed-up">There is a backup of this key: it was saved here, or the key was imported from it.</Note></Show>
      <form class="form" onSubmit={e => { void run(e) }} novalidate>
        <div class="form-pair">
          <Field label="Passphrase" type="password" autocomplete="new-password" value={passphrase()} onInput={edit(setPassphrase)} hint={`At least ${PASSPHRASE_MIN} characters.`} error={short() ?? refused()} testid="export-passphrase" />
          <Field label="Once more" type="password" autocomplete="new-password" value={again()} onInput={setAgain} error={differs()} testid="export-again" />
        </div>
        <Button type="submit" icon="key" busy={busy()} data-testid="export-submit">Make a backup</Button>
      </form>
      <Show when={made()}>{m => (
        <div class="backup" data-testid="export-result">
          <Show when={m().kept} fallback={<Note tone="warn" title="Now save it" role="status" testid="export-unsaved">This text is your backup. It counts as made once you have saved or copied it to a place that is not this browser.</Note>}>
            <Note tone="good" title={m().kept} role="status" testid="export-saved">It opens with the passphrase that you have just chosen. Check that it is where you meant it to be.</Note>
          </Show>
          <textarea class="mono" readonly rows={4} value={m().text} aria-label="Encrypted backup" onCopy={copiedByHand} />
          <div class="row">
            <Button kind="primary" icon="download" data-testid="export-save" onClick={() => { saveFile(fileName(), m().text, 'text/plain'); keep('Saved') }}>Save as a file</Button>
            <CopyButton text={m().text} label="Copy the backup" testid="export-copy" onCopied={() => { keep('Copied') }}>Copy</CopyButton>
          </div>
        </div>
      )}</Show>
    </section>
  )
}

function Import (): JSX.Element {
  const app = useApp()
  const [backup, setBackup] = createSignal('')
  const [passphrase, setPassphrase] = createSignal('')
  /** Address that the backup names, while it is asked about. */
  const [asking, setAsking] = createSignal<string>()
  const [busy, setBusy] = createSignal(false)
  const [refused, setRefused] = createSignal<readonly FieldError[]>([])
  const [imported, setImported] = createSignal<string>()
  const readFile = async (file: File | undefined): Promise<void> => {
    if (file === undefined) return
    if (file.size > BACKUP_MAX_BYTES) { setRefused([{ field: 'backup', message: `${file.name} is too large to be a backup` }]); return }
    setRefused([])
    setBackup((await file.text()).trim())
  }
  const ask = async (e: Event): Promise<void> => {
    e.preventDefault()
    if (busy() || backup().trim() === '' || passphrase() === '') return
    setBusy(true)
    const outcome = await app.attempt('Reading the backup', async () => await app.node.inspectBackup(backup().trim()))
    setBusy(false)
    if (outcome === undefined) return
    if (outcome.ok) setAsking(outcome.value.address)
    else setRefused(outcome.errors)
  }
  const run = async (): Promise<void> => {
    setBusy(true)
    const outcome = await app.attempt('The import', async () => await app.node.importKey(backup().trim(), passphrase()))
    setBusy(false)
    setAsking(undefined)
    if (outcome === undefined) return
    if (!outcome.ok) { setRefused(outcome.errors); return }
    setRefused([])
    setBackup('')
    setImported(outcome.value.address)
    setPassphrase('')
  }
  /** What is wrong with the passphrase stands there; all else is about the backup itself. */
  const errorOf = (passphrase: boolean): string | undefined => refused().filter(e => (e.field === 'passphrase') === passphrase).map(e => sentence(e.message)).join(' ') || undefined
  const edit = (set: (v: string) => void) => (v: string): void => { setRefused([]); set(v) }
  const have = (): bigint => app.view.wallet.balance + app.view.wallet.maturing
  return (
    <section aria-labelledby="import-title">
      <h3 id="import-title">Use a key from a backup</h3>
      <p class="quiet">It replaces the key on this device, for every tab of this browser profile: those that are open stop until they are reloaded. <strong>A key must be used on one device at a time</strong>: where two work with it, they do the same work, which counts once, and transfers may be lost.</p>
      <form class="form" onSubmit={e => { void ask(e) }} novalidate>
        <Field label="Backup" value={backup()} onInput={edit(setBackup)} rows={3} mono error={errorOf(false)} placeholder="Paste the text of the backup, or choose the file" testid="import-backup" />
        <label class="button button-plain button-small"><span>Choose the file</span><input type="file" class="visually-hidden" accept=".txt,.json,text/plain" data-testid="import-file" onChange={e => { void readFile(e.currentTarget.files?.[0]); e.currentTarget.value = '' }} /></label>
        <Field label="Its passphrase" type="password" autocomplete="off" value={passphrase()} onInput={edit(setPassphrase)} error={errorOf(true)} testid="import-passphrase" />
        <Button type="submit" kind="danger" icon="upload" busy={busy() && asking() === undefined} disabled={backup().trim() === '' || passphrase() === ''} data-testid="import-submit">Replace the wallet…</Button>
      </form>
      <Show when={imported()}>{address => (
        <Note tone="good" title={`Imported ${shortId(address(), 8, 6)}: reload to use it`} testid="import-result" role="status" action={<Button kind="primary" small data-testid="import-reload" onClick={app.reload}>Reload now</Button>}>Until then this tab is stopped, and so are the others of this browser. Close this app on the device that the backup is from before you go on here.</Note>
      )}</Show>
      <Confirm open={asking() !== undefined} onClose={() => { setAsking(undefined) }} onConfirm={() => { void run() }} busy={busy()} danger title="Replace the wallet on this device?" confirm="Replace it" testid="import-confirm">
        <p>The backup is of {shortId(asking() ?? '', 8, 6)}.</p>
        <p>{app.view.wallet.replaced ? 'The key that took the place of this tab’s is removed from this device: whatever it holds, you need its backup to get at that again.' : `The key in use now (${shortId(app.view.wallet.address, 8, 6)}) is removed from this device.`}</p>
        <p>A key must be used on one device at a time: close this app wherever else the imported key is in use.</p>
        <Show when={have() > 0n && !app.view.wallet.replaced}><Note tone={app.view.wallet.backedUp ? 'warn' : 'bad'}>It holds {inCredits(toCents(have()))}. {app.view.wallet.backedUp ? 'You need its backup to get at that again.' : 'It has no backup: what it holds would be lost for good. Go back and make one first.'}</Note></Show>
      </Confirm>
    </section>
  )
}
