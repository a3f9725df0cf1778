/** Step 3: what the job pays, in words and in credits. */
import { Show, type JSX } from 'solid-js'
import type { FieldError, JobCheck } from '../../bridge/api.ts'
import { useApp } from '../context.tsx'
import { count, creditUnit, credits, duration, sentence } from '../format.ts'
import { Field } from '../parts/fields.tsx'
import { Note, Stat } from '../parts/basics.tsx'
import { Cover, coverWords } from './WizardCover.tsx'
import { blocksOf, type PriceErrors, type PriceFields } from './wizardDraft.ts'

const named = (e: FieldError | undefined): string | undefined => e === undefined ? undefined : sentence(e.message)

export function WizardPrice (props: { price: PriceFields, onPrice: (p: PriceFields) => void, typed: PriceErrors, errors: readonly FieldError[], checked: JobCheck | undefined, total: bigint, spendable: bigint }): JSX.Element {
  const app = useApp()
  const set = (field: keyof PriceFields) => (value: string): void => { props.onPrice({ ...props.price, [field]: value }) }
  const errorOf = (field: keyof PriceFields, ...names: readonly string[]): string | undefined => props.typed[field] ?? named(props.errors.find(e => names.includes(e.field)))
  const other = (): readonly FieldError[] => props.errors.filter(e => e.field === 'form')
  /** Amounts that cannot be read add up to nothing that could be told. */
  const known = (): boolean => Object.keys(props.typed).every(field => field === 'price' || field === 'deadline')
  const deadline = (): string => blocksOf(props.price.deadline) !== undefined ? `About ${duration(blocksOf(props.price.deadline)! * app.view.blockIntervalMs)}. What is left of the escrow then comes back.` : 'In blocks from now.'
  return (
    <div class="stack">
      <div class="form">
        <div class="form-pair">
          <Field label="Escrow" inputMode="decimal" value={props.price.escrow} onInput={set('escrow')} suffix="credits" error={errorOf('escrow', 'escrow', 'balance')} testid="wizard-escrow" hint="Set aside to pay for work. What is not used comes back." />
          <Field label="Price for each contribution" inputMode="decimal" value={props.price.price} onInput={set('price')} suffix="credits" error={errorOf('price', 'pricePerContribution')} testid="wizard-price" hint="A contribution is a slice of training that the network has checked and sealed. Its price goes to the tab that did it." />
        </div>
        <div class="form-pair">
          <Field label="Burn for priority" inputMode="decimal" value={props.price.burn} onInput={set('burn')} suffix="credits" error={errorOf('burn', 'burn')} testid="wizard-burn" hint="The network divides its work among jobs in proportion to this. It pays nobody and is gone for good." />
          <Field label="Deadline" inputMode="numeric" value={props.price.deadline} onInput={set('deadline')} suffix="blocks" error={errorOf('deadline', 'deadlineBlocks', 'deadline')} testid="wizard-deadline" hint={deadline()} />
        </div>
        <Field label="Fee" inputMode="decimal" value={props.price.fee} onInput={set('fee')} suffix="credits" error={errorOf('fee', 'fee')} testid="wizard-fee" hint="To whoever mines the block with your job in it." />
      </div>
      <Show when={other().length > 0}><Note tone="warn" title="Not possible right now" role="alert" testid="wizard-price-error">{other().map(e => sentence(e.message)).join(' ')}</Note></Show>
      <dl class="stats">
        <Stat label="Pays for" value={props.checked === undefined ? '–' : count(props.checked.contributionsPaid)} note={props.checked?.contributionsPaid === 1 ? 'contribution' : 'contributions'} testid="wizard-pays" />
        <Stat label="Costs now" value={known() ? credits(props.total) : '–'} note={creditUnit(props.total)} testid="wizard-total" />
        <Stat label="Left to spend" value={<Show when={known()} fallback="–"><Show when={props.total <= props.spendable} fallback="not enough">{credits(props.spendable - props.total)}</Show></Show>} note={`of ${credits(props.spendable)}`} testid="wizard-left" />
      </dl>
      <Show when={props.checked}>{check => <p class="quiet" data-testid="wizard-cover">{coverWords(check())}</p>}</Show>
      <Cover check={props.checked} />
    </div>
  )
}
