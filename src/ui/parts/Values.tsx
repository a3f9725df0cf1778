/** Feature values by hand, for records that are not pictures. Values are those the model sees: 0 to 255. */
import { createEffect, createSignal, For, on, Show, type JSX } from 'solid-js'
import { Button } from './basics.tsx'
import { Field } from './fields.tsx'

/** Up to this many features get a field each; more are entered as a list. */
const FIELDS_MAX = 32

export function parseValues (text: string, features: number): { readonly ok: true, readonly value: Uint8Array } | { readonly ok: false, readonly error: string } {
  const parts = text.split(/[\s,;]+/).filter(p => p !== '')
  if (parts.length !== features) return { ok: false, error: `Expected ${features} values, found ${parts.length}.` }
  const value = new Uint8Array(features)
  for (const [i, p] of parts.entries()) {
    if (!/^\d{1,3}$/.test(p) || Number(p) > 255) return { ok: false, error: `Value ${i + 1} is “${p.slice(0, 12)}”; expected a whole number from 0 to 255.` }
    value[i] = Number(p)
  }
  return { ok: true, value }
}

export function Values (props: { features: number, values?: Uint8Array, onChange: (features: Uint8Array) => void }): JSX.Element {
  const zeros = (): string[] => Array.from({ length: props.features }, () => '0')
  const [fields, setFields] = createSignal<readonly string[]>(zeros())
  const [list, setList] = createSignal(zeros().join(', '))
  const [error, setError] = createSignal<string>()
  const single = (): boolean => props.features <= FIELDS_MAX
  createEffect(on(() => props.values, v => { if (v !== undefined) { setFields(Array.from(v, String)); setList(v.join(', ')) } }))
  const ask = (): void => {
    const parsed = parseValues(single() ? fields().map(t => t.trim() === '' ? '?' : t.trim()).join(' ') : list(), props.features)
    setError(parsed.ok ? undefined : parsed.error)
    if (parsed.ok) props.onChange(parsed.value)
  }
  return (
    <form class="form" onSubmit={e => { e.preventDefault(); ask() }} novalidate data-testid="try-values">
      <p class="quiet">These records are not pictures. Enter the {props.features} values as the model sees them: the smallest value of a column in the data is 0, the largest 255.</p>
      <Show when={single()} fallback={<Field label="Values, separated by commas or spaces" rows={6} mono value={list()} onInput={setList} error={error()} />}>
        <div class="values"><For each={zeros().map((_, i) => i)}>{i => <Field label={`Value ${i + 1}`} inputMode="numeric" value={fields()[i] ?? ''} onInput={v => { setFields(f => f.map((old, at) => at === i ? v : old)) }} />}</For></div>
        <Show when={error()}><p class="field-error" role="alert">{error()}</p></Show>
      </Show>
      <Button kind="primary" type="submit">Ask</Button>
    </form>
  )
}
