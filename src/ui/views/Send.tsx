/** Sends credits: every field checked as typed, and nothing leaves without a confirmation that shows it all. */
import { createMemo, createSignal, Show, type Accessor, type JSX, type Setter } from 'solid-js'
import type { FieldError } from '../../bridge/api.ts'
import { parseAddress } from '../../core/codec/address.ts'
import { parseAmount } from '../../core/codec/amount.ts'
import { useApp } from '../context.tsx'
import { credits, inCredits, sentence } from '../format.ts'
import { Button, Note } from '../parts/basics.tsx'
import { Confirm, Receipt } from '../parts/dialogs.tsx'
import { Field } from '../parts/fields.tsx'

interface Entries {
  readonly to: Accessor<string>, readonly setTo: Setter<string>
  readonly amount: Accessor<string>, readonly setAmount: Setter<string>
  readonly fee: Accessor<string>, readonly setFee: Setter<string>
  readonly touched: Accessor<boolean>, readonly setTouched: Setter<boolean>
}

function createEntries (minFee: bigint): Entries {
  const [to, setTo] = createSignal('')
  const [amount, setAmount] = createSignal('')
  const [fee, setFee] = createSignal(credits(minFee))
  const [touched, setTouched] = createSignal(false)
  return { to, setTo, amount, setAmount, fee, setFee, touched, setTouched }
}

export function Send (): JSX.Element {
  const app = useApp()
  const wallet = (): typeof app.view.wallet => app.view.wallet
  const { to, setTo, amount, setAmount, fee, setFee, touched, setTouched } = app.keep('send', () => createEntries(app.view.wallet.minFee))
  const [asking, setAsking] = createSignal(false)
  const [busy, setBusy] = createSignal(false)
  const [refused, setRefused] = createSignal<readonly FieldError[]>([])
  const spendable = (): bigint => wallet().balance > wallet().pendingOut ? wallet().balance - wallet().pendingOut : 0n

  const toError = createMemo(() => {
    const text = to().trim()
    if (text === '') return touched() ? 'Enter the address to send to.' : undefined
    const parsed = parseAddress(text)
    if (!parsed.ok) return sentence(parsed.error)
    return text === wallet().address ? 'This is your own address.' : undefined
  })
  const feeValue = createMemo(() => parseAmount(fee().trim()))
  const feeError = createMemo(() => {
    const parsed = feeValue()
    if (!parsed.ok) return sentence(parsed.error)
    return parsed.value < wallet().minFee ? `At least ${credits(wallet().minFee)}.` : undefined
  })
  const amountValue = createMemo(() => parseAmount(amount().trim()))
  const amountError = createMemo(() => {
    if (amount().trim() === '') return touched() ? 'Enter how much to send.' : undefined
    const parsed = amountValue()
    if (!parsed.ok) return sentence(parsed.error)
    if (parsed.value <= 0n) return 'Must be more than nothing.'
    const f = feeValue()
    return f.ok && parsed.value + f.value > spendable() ? `You can spend ${credits(spendable())}, the fee included.` : undefined
  })
  const ofNode = (field: string): string | undefined => refused().find(e => e.field === field)?.message
  const other = (): readonly FieldError[] => refused().filter(e => !['to', 'amount', 'fee'].includes(e.field))
  const ready = (): boolean => to().trim() !== '' && amount().trim() !== '' && toError() === undefined && amountError() === undefined && feeError() === undefined
  const edit = (set: (v: string) => void) => (v: string): void => { setRefused([]); set(v) }

  const max = (): void => {
    const f = feeValue()
    const rest = spendable() - (f.ok ? f.value : wallet().minFee)
    setAmount(credits(rest > 0n ? rest : 0n).replaceAll(',', ''))
  }
  const submit = (e: Event): void => {
    e.preventDefault()
    setTouched(true)
    if (ready()) setAsking(true)
  }
  const send = async (): Promise<void> => {
    const a = amountValue()
    const f = feeValue()
    if (!a.ok || !f.ok) return
    setBusy(true)
    const outcome = await app.attempt('Sending', async () => await app.node.send(to().trim(), a.value, f.value))
    setBusy(false)
    setAsking(false)
    if (outcome === undefined) return
    if (!outcome.ok) { setRefused(outcome.errors); return }
    app.toast('info', `${inCredits(a.value)} on the way: the transfer arrives with the next block.`)
    setTo('')
    setAmount('')
    setTouched(false)
    void app.refreshHistory()
  }

  return (
    <form onSubmit={submit} class="form" data-testid="send-form" novalidate>
      <Field label="To" value={to()} onInput={edit(setTo)} placeholder="cw1…" mono error={toError() ?? ofNode('to')} testid="send-to" />
      <Field label="Amount" value={amount()} onInput={edit(setAmount)} inputMode="decimal" placeholder="0.0" error={amountError() ?? ofNode('amount')} testid="send-amount" suffix={<><span>credits</span><Button small kind="quiet" data-testid="send-max" onClick={max}>Max</Button></>} hint={`You can spend ${credits(spendable())}.`} />
      <Field label="Fee" value={fee()} onInput={edit(setFee)} inputMode="decimal" error={feeError() ?? ofNode('fee')} testid="send-fee" suffix="credits" hint="Goes to whoever mines the block. The minimum is enough unless blocks are full." />
      <Show when={other().length > 0}><Note tone="bad" title="Not sent" role="alert" testid="send-error">{other().map(e => e.message).join(' ')}</Note></Show>
      <Button kind="primary" type="submit" icon="send" data-testid="send-submit">Send…</Button>
      <Confirm open={asking()} onClose={() => { setAsking(false) }} onConfirm={() => { void send() }} busy={busy()} title="Send credits?" confirm="Send now" testid="send-confirm">
        <Summary to={to().trim()} amount={amountValue()} fee={feeValue()} balance={spendable()} />
        <p class="quiet">A transfer cannot be taken back once it is in a block.</p>
      </Confirm>
    </form>
  )
}

type Parsed = ReturnType<typeof parseAmount>

function Summary (props: { to: string, amount: Parsed, fee: Parsed, balance: bigint }): JSX.Element {
  const value = (p: Parsed): bigint => p.ok ? p.value : 0n
  return (
    <Receipt rows={[
      ['To', <code class="break">{props.to}</code>],
      ['Amount', inCredits(value(props.amount))],
      ['Fee', inCredits(value(props.fee))],
      ['Leaves your wallet', <b>{inCredits(value(props.amount) + value(props.fee))}</b>],
      ['Left to spend', inCredits(props.balance - value(props.amount) - value(props.fee))]
    ]} />
  )
}
