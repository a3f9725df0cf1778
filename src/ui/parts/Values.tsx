/**
 * Feature values by hand, for records that are not pictures: in the units of their table where its columns
 * are known, else as the model sees them, 0 to 255.
 */
import { createEffect, createSignal, For, on, Show, type JSX } from 'solid-js'
import type { Table, TableColumn } from '../../core/training/table.ts'
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

/** Cells of a row; the node reads each, and names the column of one that is no number. */
export function splitRow (text: string, columns: number): { readonly ok: true, readonly value: string[] } | { readonly ok: false, readonly error: string } {
  const parts = text.split(/[\s,;]+/).filter(p => p !== '')
  return parts.length === columns ? { ok: true, value: parts } : { ok: false, error: `Expected ${columns} values, found ${parts.length}.` }
}

const rangeWords = ({ least, greatest }: TableColumn): string => least === greatest ? `always ${least} in training` : `${least} to ${greatest} in training`

/** A held-out record, to be shown in the fields: by its row where the table is known. */
interface Shown { readonly features?: Uint8Array, readonly row?: readonly string[] }

export function Values (props: { features: number, table?: Table, own?: boolean, shown?: Shown, onChange: (features: Uint8Array) => void, onRow: (row: readonly string[]) => void }): JSX.Element {
  const start = (): string[] => props.table?.columns.map(c => c.least) ?? Array.from({ length: props.features }, () => '0')
  const [fields, setFields] = createSignal<readonly string[]>(start())
  const [list, setList] = createSignal(start().join(', '))
  const [error, setError] = createSignal<string>()
  const single = (): boolean => props.features <= FIELDS_MAX
  createEffect(on(() => props.shown, shown => {
    const texts = props.table === undefined ? shown?.features === undefined ? undefined : Array.from(shown.features, String) : shown?.row
    if (texts !== undefined) { setFields(texts); setList(texts.join(', ')) }
  }))
  const ask = (): void => {
    if (props.table !== undefined) {
      const row = single() ? { ok: true as const, value: [...fields()] } : splitRow(list(), props.features)
      setError(row.ok ? undefined : row.error)
      if (row.ok) props.onRow(row.value)
      return
    }
    const parsed = parseValues(single() ? fields().map(t => t.trim() === '' ? '?' : t.trim()).join(' ') : list(), props.features)
    setError(parsed.ok ? undefined : parsed.error)
    if (parsed.ok) props.onChange(parsed.value)
  }
  return (
    <form class="form" onSubmit={e => { e.preventDefault(); ask() }} novalidate data-testid="try-values">
      <Show when={props.table} fallback={<p class="quiet">These records are not pictures. Enter the {props.features} values as the model sees them: the smallest value of a column in the data is 0, the largest 255.</p>}>
        <p class="quiet">Enter the values as they stand in the table; they are scaled as it was.{props.own === true ? ' The names and ranges of its columns go along in a model file that you download or share.' : ''}</p>
      </Show>
      <Show when={single()} fallback={<Field label="Values, separated by commas or spaces" rows={6} mono value={list()} onInput={setList} error={error()} />}>
        <div class="values" classList={{ 'values-named': props.table !== undefined }}><For each={start().map((_, i) => i)}>{i => <Field label={props.table?.columns[i]?.name ?? `Value ${i + 1}`} hint={props.table === undefined ? undefined : rangeWords(props.table.columns[i]!)} inputMode={props.table === undefined ? 'numeric' : 'text'} value={fields()[i] ?? ''} onInput={v => { setFields(f => f.map((old, at) => at === i ? v : old)) }} />}</For></div>
        <Show when={error()}><p class="field-error" role="alert">{error()}</p></Show>
      </Show>
      <Show when={single() ? undefined : props.table}>{t => <details><summary>The {t().columns.length} columns, in their order</summary><ol class="quiet"><For each={t().columns}>{c => <li>{c.name}: {rangeWords(c)}</li>}</For></ol></details>}</Show>
      <Button kind="primary" type="submit">Ask</Button>
    </form>
  )
}
