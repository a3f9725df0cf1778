/** Form fields with label, hint and error tied together for screen readers. */
import { Slider } from '@kobalte/core/slider'
import { Switch } from '@kobalte/core/switch'
import { createEffect, createUniqueId, For, Show, splitProps, type JSX } from 'solid-js'

interface FieldProps {
  label: string
  value: string
  onInput: (value: string) => void
  /** The entry is finished: Enter, or the field is left. */
  onCommit?: () => void
  hint?: JSX.Element
  error?: string
  testid?: string
  type?: 'text' | 'password'
  inputMode?: 'text' | 'decimal' | 'numeric'
  placeholder?: string
  suffix?: JSX.Element
  mono?: boolean
  rows?: number
  disabled?: boolean
  autocomplete?: string
}

export function Field (props: FieldProps): JSX.Element {
  const id = createUniqueId()
  const describedBy = (): string | undefined => [props.hint === undefined ? '' : `${id}-hint`, props.error === undefined ? '' : `${id}-error`].filter(x => x !== '').join(' ') || undefined
  return (
    <div class="field" classList={{ 'field-wrong': props.error !== undefined }}>
      <label for={id}>{props.label}</label>
      <div class="field-row">
        <Show
          when={props.rows === undefined}
          fallback={<textarea id={id} rows={props.rows} class={props.mono === true ? 'mono' : ''} value={props.value} spellcheck={false} placeholder={props.placeholder} disabled={props.disabled} data-testid={props.testid} aria-invalid={props.error !== undefined} aria-describedby={describedBy()} onInput={e => { props.onInput(e.currentTarget.value) }} />}
        >
          <input id={id} type={props.type ?? 'text'} class={props.mono === true ? 'mono' : ''} value={props.value} inputmode={props.inputMode} autocomplete={props.autocomplete ?? 'off'} spellcheck={false} placeholder={props.placeholder} disabled={props.disabled} data-testid={props.testid} aria-invalid={props.error !== undefined} aria-describedby={describedBy()} onInput={e => { props.onInput(e.currentTarget.value) }} onChange={() => { props.onCommit?.() }} />
        </Show>
        <Show when={props.suffix}><span class="field-suffix">{props.suffix}</span></Show>
      </div>
      <Show when={props.hint}><p class="field-hint" id={`${id}-hint`}>{props.hint}</p></Show>
      <Show when={props.error}><p class="field-error" id={`${id}-error`} role="alert">{props.error}</p></Show>
    </div>
  )
}

export function Toggle (props: { label: string, description?: string, checked: boolean, onChange: (on: boolean) => void, testid?: string }): JSX.Element {
  return (
    <Switch class="switch" checked={props.checked} onChange={on => { props.onChange(on) }}>
      <div class="switch-words">
        <Switch.Label class="switch-label">{props.label}</Switch.Label>
        <Show when={props.description}><Switch.Description class="switch-text">{props.description}</Switch.Description></Show>
      </div>
      <Switch.Input class="switch-input" data-testid={props.testid} />
      <Switch.Control class="switch-control"><Switch.Thumb class="switch-thumb" /></Switch.Control>
    </Switch>
  )
}

export function Range (props: { label: string, min: number, max: number, step: number, value: number, words: (v: number) => string, onChange: (v: number) => void, testid?: string }): JSX.Element {
  return (
    <Slider class="slider" minValue={props.min} maxValue={props.max} step={props.step} value={[props.value]} onChange={v => { props.onChange(v[0] ?? props.min) }} getValueLabel={p => props.words(p.values[0] ?? props.min)} disabled={props.max <= props.min}>
      <div class="slider-head">
        <Slider.Label>{props.label}</Slider.Label>
        <Slider.ValueLabel class="slider-value" />
      </div>
      <Slider.Track class="slider-track">
        <Slider.Fill class="slider-fill" />
        <Slider.Thumb class="slider-thumb" data-testid={props.testid}><Slider.Input /></Slider.Thumb>
      </Slider.Track>
    </Slider>
  )
}

interface ChoiceProps extends Omit<JSX.SelectHTMLAttributes<HTMLSelectElement>, 'onChange'> { options: ReadonlyArray<{ readonly value: string, readonly label: string }>, value: string, onChange: (v: string) => void, 'data-testid'?: string }

/** A drop-down list. Its value is set when its options stand: marking options one by one depends on their order. */
export function Choice (props: ChoiceProps): JSX.Element {
  const [own, rest] = splitProps(props, ['options', 'value', 'onChange', 'class'])
  let select!: HTMLSelectElement
  createEffect(() => { void own.options; select.value = own.value })
  return (
    <select {...rest} ref={select} class={`select ${own.class ?? ''}`} onChange={e => { own.onChange(e.currentTarget.value) }}>
      <For each={own.options}>{o => <option value={o.value}>{o.label}</option>}</For>
    </select>
  )
}

/** One of a few, all in sight: radio buttons drawn as segments. */
export function Segments<T extends string> (props: { label: string, options: ReadonlyArray<{ readonly value: T, readonly label: string }>, value: T | undefined, onChange: (v: T) => void, testid?: string }): JSX.Element {
  const name = createUniqueId()
  return (
    <fieldset class="segments" data-testid={props.testid}>
      <legend class="visually-hidden">{props.label}</legend>
      <For each={props.options}>{o => (
        <label class="segment">
          <input type="radio" name={name} value={o.value} checked={props.value === o.value} onChange={() => { props.onChange(o.value) }} data-testid={props.testid === undefined ? undefined : `${props.testid}-${o.value}`} />
          <span>{o.label}</span>
        </label>
      )}</For>
    </fieldset>
  )
}
