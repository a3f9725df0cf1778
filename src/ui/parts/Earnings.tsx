/** Pay for seeding: what others have signed for, what the chain pays for it, and what this wallet sets aside for those who send to it. */
import { createSignal, Show, type JSX } from 'solid-js'
import type { LibrarySettings, LibraryView } from '../../bridge/api.ts'
import { formatAmount, parseAmount } from '../../core/codec/amount.ts'
import { SET_ASIDE_MAX } from '../../core/codec/libraryLimits.ts'
import { useApp } from '../context.tsx'
import { bytes, count, credits, inCredits, plural, sentence } from '../format.ts'
import { Button, Card, Empty } from './basics.tsx'
import { Field, Toggle } from './fields.tsx'

export function Earnings (props: { view: LibraryView }): JSX.Element {
  const app = useApp()
  const s = () => app.view.seeding
  const nothing = (): boolean => props.view.receiptsIn === 0 && props.view.receiptsOut === 0 && s().counters.sets === 0
  return (
    <Card title="Earnings from seeding" testid="earnings">
      <Show when={!nothing()} fallback={<Empty icon="library" title="Nothing earned yet">Who fetches a set from this tab signs for the bytes. Once an epoch is over, the chain pays for them out of what the signer has set aside; an eighth of that is burned.</Empty>}>
        <dl class="facts">
          <div><dt>Pays now</dt><dd data-testid="earnings-payable">{inCredits(s().payable)} <small>{s().sent ? 'a redemption is on its way into a block' : `for ${plural(s().receipts, 'receipt')} of the last epoch, an eighth burned`}</small></dd></div>
          <div><dt>Signed in this epoch</dt><dd data-testid="earnings-signed">{bytes(s().signed)} <small>redeemable in {plural(s().blocksLeft, 'block')}</small></dd></div>
          <Show when={s().unpaid > 0}><div><dt>Not paid for</dt><dd data-testid="earnings-unpaid">{bytes(s().unpaid)} <small>signed for by others who have set nothing aside, or no longer have it</small></dd></div></Show>
          <div><dt>Paid for by others</dt><dd data-testid="earnings-paid">{bytes(s().counters.bytes)} <small>{s().counters.leechers > 0 ? `by ${plural(s().counters.leechers, 'payer')}, for ${plural(s().counters.sets, 'set')}; ` : ''}what is long past counts less: half after 16 epochs</small></dd></div>
          <div><dt>All receipts kept here</dt><dd data-testid="earnings-in">{bytes(props.view.receiptsIn)} <small>that this tab sent</small></dd></div>
          <div><dt>You signed for</dt><dd data-testid="earnings-out">{bytes(props.view.receiptsOut)} <small>that others sent this tab</small></dd></div>
        </dl>
      </Show>
      <Pay view={props.view} />
    </Card>
  )
}

function Pay (props: { view: LibraryView }): JSX.Element {
  const app = useApp()
  const [draft, setDraft] = createSignal<string>()
  const [refused, setRefused] = createSignal<string>()
  const [busy, setBusy] = createSignal(false)
  const value = (): string => draft() ?? formatAmount(BigInt(props.view.settings.setAside))
  const amount = (): ReturnType<typeof parseAmount> => parseAmount(value().trim())
  const wrong = (): string | undefined => {
    const a = amount()
    if (!a.ok) return /^\d/.test(value().trim()) ? sentence(a.error) : 'Enter a number of credits, such as 0.5, or 0 for nothing.'
    return a.value > BigInt(SET_ASIDE_MAX) ? `At most ${inCredits(BigInt(SET_ASIDE_MAX))} can be set aside in an epoch.` : undefined
  }
  const parsed = (): number | undefined => {
    const a = amount()
    return a.ok && wrong() === undefined ? Number(a.value) : undefined
  }
  const save = async (change: Partial<LibrarySettings>): Promise<void> => {
    setBusy(true)
    const outcome = await app.attempt('Saving the pay for seeding', async () => await app.node.setLibrary(change))
    setBusy(false)
    if (outcome === undefined) return
    setRefused(outcome.ok ? undefined : outcome.errors.map(e => sentence(e.message)).join(' '))
    if (!outcome.ok) return
    if (change.setAside !== undefined) app.toast('info', change.setAside === 0 ? 'Nothing is set aside while you fetch.' : `${inCredits(BigInt(change.setAside))} set aside per epoch while you fetch.`)
    setDraft(undefined)
  }
  return (
    <form class="form" novalidate data-testid="seeding-pay" onSubmit={e => {
      e.preventDefault()
      const grains = parsed()
      if (grains !== undefined && grains !== props.view.settings.setAside) void save({ setAside: grains })
    }}>
      <Toggle label="Redeem receipts by itself" description="Hands them to the chain once an epoch is over, where they pay more than the fee." checked={props.view.settings.redeem} onChange={redeem => { void save({ redeem }) }} testid="seeding-redeem" />
      <Field label="Set aside while you fetch" inputMode="decimal" value={value()} onInput={text => { setDraft(text); setRefused(undefined) }} suffix="credits" testid="seeding-set-aside"
        error={wrong() ?? refused()}
        hint={`Per epoch, for those who send to this tab: a credit pays for ${count(1000)} MiB. What they do not claim comes back after the next epoch.${app.view.seeding.setAside > 0n ? ` Set aside now: ${credits(app.view.seeding.setAside)}.` : ''}`} />
      <div class="row"><Button type="submit" busy={busy()} disabled={draft() === undefined || parsed() === props.view.settings.setAside} data-testid="seeding-save">Save</Button></div>
    </form>
  )
}
