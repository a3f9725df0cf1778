/** The layers of a convolutional model as rows: what each is, what it writes, and what is wrong with it. */
import { createMemo, createSignal, createUniqueId, For, Index, Show, type JSX } from 'solid-js'
import type { FieldError, RecordShape } from '../../bridge/api.ts'
import type { Outline } from '../../bridge/modelOutline.ts'
import { count, plural, sentence } from '../format.ts'
import { Button } from '../parts/basics.tsx'
import { Choice } from '../parts/fields.tsx'
import { text, type Json } from './wizardJson.ts'
import { addLayer, fieldsOf, hasActivation, isLayerKind, kindLabel, LAYER_KINDS, layersOf, moveLayer, readsFrom, removeLayer, setField, setKind, setReads, setRelu, type LayerKind } from './wizardLayers.ts'

const LIST = 'architecture.layers'

export const shapeWords = (s: RecordShape): string => s.height * s.width === 1 ? count(s.channels) : `${s.channels} × ${s.height} × ${s.width}`
const sameShape = (a: RecordShape | undefined, b: RecordShape | undefined): boolean => a !== undefined && b !== undefined && a.channels === b.channels && a.height === b.height && a.width === b.width

/** What is wrong with layer `at`, each with the key it is about, if any. */
export function errorsAt (errors: readonly FieldError[], at: number): ReadonlyArray<{ readonly key?: string, readonly message: string }> {
  const path = `${LIST}[${at}]`
  return errors.filter(e => e.field === path || e.field.startsWith(`${path}.`)).map(e => ({ key: e.field.slice(path.length + 1) || undefined, message: e.message }))
}

export function LayerList (props: { architecture: Json, onChange: (architecture: Json) => void, outline: Outline, errors: readonly FieldError[] }): JSX.Element {
  const [kind, setNew] = createSignal<LayerKind>('conv2d')
  const [said, setSaid] = createSignal('')
  const id = createUniqueId()
  const layers = (): Json[] => layersOf(props.architecture)
  const wrong = (...fields: readonly string[]): string => props.errors.filter(e => fields.includes(e.field)).map(e => sentence(e.message)).join(' ')
  const focus = (at: number, part: string): void => { queueMicrotask(() => { document.getElementById(`${id}-${at}-${part}`)?.focus() }) }

  const move = (from: number, to: number): void => {
    props.onChange(moveLayer(props.architecture, from, to))
    setSaid(`Layer ${from + 1} is now layer ${to + 1}.`)
    const part = to < from ? (to === 0 ? 'down' : 'up') : (to === layers().length - 1 ? 'up' : 'down')
    focus(to, part)
  }
  const remove = (at: number): void => {
    const name = kindLabel(layers()[at] ?? {})
    props.onChange(removeLayer(props.architecture, at))
    setSaid(`Layer ${at + 1}, ${name}, is removed.`)
    focus(Math.min(at, layers().length - 1), 'kind')
  }
  const add = (): void => {
    const added = addLayer(props.architecture, kind())
    props.onChange(added.architecture)
    setSaid(`${kindLabel({ type: kind() })} added as layer ${added.at + 1}.`)
    focus(added.at, 'kind')
  }
  const shapeOf = (at: number): JSX.Element => (
    <Show when={props.outline.tensors[at + 1]} fallback="–">{s => <>{shapeWords(s())}<Show when={props.outline.parameters[at]}>{n => <small>{plural(n(), 'parameter')}</small>}</Show></>}</Show>
  )

  return (
    <fieldset class="layers" data-testid="wizard-layers">
      <legend class="field-label">Layers</legend>
      <ol>
        <li class="layer layer-end">
          <span class="layer-number" aria-hidden="true" />
          <span class="layer-what">Records</span>
          <span class="layer-shape" data-testid="wizard-shape-input"><Show when={props.outline.tensors[0]} fallback="–">{s => shapeWords(s())}</Show></span>
          <Show when={wrong('architecture.input_shape')}>{message => <p class="field-error" role="alert">{message()}</p>}</Show>
        </li>
        <Index each={layers()}>{(layer, at) => (
          <Row
            id={`${id}-${at}`} layer={layer()} at={at} last={at === layers().length - 1} architecture={props.architecture} tensors={props.outline.tensors}
            errors={errorsAt(props.errors, at)} shape={shapeOf(at)} onChange={props.onChange}
            onMove={to => { move(at, to) }} onRemove={() => { remove(at) }}
          />
        )}</Index>
        <li class="layer layer-end">
          <span class="layer-number" aria-hidden="true" />
          <span class="layer-what">Classes</span>
          <span class="layer-shape" data-testid="wizard-shape-output">{shapeOf(layers().length)}</span>
          <Show when={wrong('architecture.output_size')}>{message => <p class="field-error" role="alert">{message()}</p>}</Show>
        </li>
      </ol>
      <Show when={wrong(LIST)}>{message => <p class="field-error" role="alert" data-testid="wizard-layers-error">{message()}</p>}</Show>
      <div class="row">
        <label class="visually-hidden" for={`${id}-new`}>Kind of the new layer</label>
        <Choice id={`${id}-new`} options={LAYER_KINDS} value={kind()} data-testid="wizard-layer-new" onChange={v => { setNew(v as LayerKind) }} />
        <Button small icon="plus" data-testid="wizard-layer-add" onClick={add}>Add a layer</Button>
      </div>
      <p class="visually-hidden" role="status">{said()}</p>
    </fieldset>
  )
}

interface RowProps {
  id: string
  layer: Json
  at: number
  last: boolean
  architecture: Json
  tensors: readonly RecordShape[]
  errors: ReadonlyArray<{ readonly key?: string, readonly message: string }>
  shape: JSX.Element
  onChange: (architecture: Json) => void
  onMove: (to: number) => void
  onRemove: () => void
}

const UNKNOWN = 'unknown'

function Row (props: RowProps): JSX.Element {
  const n = (): number => props.at + 1
  const part = (name: string): string => `${props.id}-${name}`
  const testid = (name: string): string => `wizard-layer-${n()}-${name}`
  const label = (key: string): string => fieldsOf(props.layer).find(f => f.key === key)?.label ?? key.replaceAll('_', ' ')
  const words = (): string[] => props.errors.map(e => sentence(e.key === undefined ? e.message : `${label(e.key)}: ${e.message}`))
  const described = (): string | undefined => props.errors.length > 0 ? part('error') : undefined
  // The layer itself may be at fault in any of its fields; a key says which one.
  const invalid = (key: string): boolean => props.errors.some(e => e.key === key)
  const kindValue = (): string => isLayerKind(props.layer['type']) ? props.layer['type'] : UNKNOWN
  // A kind of a job file that does not exist is shown as it is written.
  const kinds = createMemo(() => kindValue() === UNKNOWN ? [{ value: UNKNOWN, label: text(props.layer['type']) || 'choose' }, ...LAYER_KINDS] : LAYER_KINDS)
  return (
    <li class="layer" classList={{ 'layer-wrong': props.errors.length > 0 }} role="group" aria-label={`Layer ${n()}, ${kindLabel(props.layer)}`} data-testid="wizard-layer">
      <span class="layer-number" aria-hidden="true">{n()}</span>
      <Choice id={part('kind')} class="layer-what" options={kinds()} value={kindValue()} aria-label={`Kind of layer ${n()}`} aria-invalid={invalid('type')} aria-describedby={described()} data-testid={testid('kind')}
        onChange={v => { if (isLayerKind(v)) props.onChange(setKind(props.architecture, props.at, v)) }} />
      <div class="layer-fields">
        <For each={fieldsOf(props.layer)}>{f => (
          <label class="layer-field"><span>{f.label}</span>
            <input inputmode="numeric" autocomplete="off" value={text(props.layer[f.key])} placeholder={f.empty} aria-invalid={invalid(f.key)} aria-describedby={described()} data-testid={testid(f.key)}
              onInput={e => { props.onChange(setField(props.architecture, props.at, f.key, e.currentTarget.value)) }} />
          </label>
        )}</For>
        <Show when={props.layer['type'] === 'add'}><Source {...props} key="with" label="Adds" part={part('with')} testid={testid('with')} invalid={invalid('with')} described={described()} /></Show>
        <Show when={props.layer['input'] !== undefined}><Source {...props} key="input" label="Reads" part={part('input')} testid={testid('input')} invalid={invalid('input')} described={described()} /></Show>
        <Show when={hasActivation(props.layer)}>
          <label class="layer-check"><input type="checkbox" checked={props.layer['activation'] === 'relu'} aria-invalid={invalid('activation')} data-testid={testid('relu')} onChange={e => { props.onChange(setRelu(props.architecture, props.at, e.currentTarget.checked)) }} /><span>ReLU</span></label>
        </Show>
      </div>
      <span class="layer-shape" data-testid={testid('shape')}><span class="visually-hidden">gives </span>{props.shape}</span>
      <div class="layer-tools">
        <Button kind="quiet" small icon="up" id={part('up')} disabled={props.at === 0} aria-label={`Move layer ${n()} up`} title="Move up" data-testid={testid('up')} onClick={() => { props.onMove(props.at - 1) }} />
        <Button kind="quiet" small icon="down" id={part('down')} disabled={props.last} aria-label={`Move layer ${n()} down`} title="Move down" data-testid={testid('down')} onClick={() => { props.onMove(props.at + 1) }} />
        <Button kind="quiet" small icon="cross" aria-label={`Remove layer ${n()}`} title="Remove" data-testid={testid('remove')} onClick={() => { props.onRemove() }} />
      </div>
      <Show when={words().length > 0}><p class="field-error" role="alert" id={part('error')} data-testid={testid('error')}>{words().join(' ')}</p></Show>
    </li>
  )
}

const NOTHING = 'nothing'

/** Which earlier layer is read; those that cannot be added are left out. */
function Source (props: RowProps & { key: 'with' | 'input', label: string, part: string, testid: string, invalid: boolean, described: string | undefined }): JSX.Element {
  const chosen = (): number | undefined => readsFrom(props.architecture, props.at, props.key)
  const other = (): RecordShape | undefined => {
    const from = readsFrom(props.architecture, props.at, 'input')
    return props.tensors[from === undefined ? props.at : from + 1]
  }
  const choices = (): ReadonlyArray<{ readonly from: number, readonly label: string }> => [{}, ...layersOf(props.architecture).slice(0, props.at)]
    .map((layer, i) => ({ from: i - 1, label: i === 0 ? 'the records' : `${i} ${kindLabel(layer)}` }))
    .filter(({ from }) => from === chosen() || props.key === 'input' || (from !== props.at - 1 && sameShape(props.tensors[from + 1], other())))
  const nothing = (): string => props.key === 'input' ? 'the layer before' : choices().length === 0 ? 'no layer has this shape' : 'choose'
  const offered = createMemo(() => [
    ...(chosen() === undefined || props.key === 'input' ? [{ value: NOTHING, label: nothing() }] : []),
    ...choices().map(({ from, label }) => ({ value: String(from), label }))
  ])
  return (
    <label class="layer-field layer-source"><span>{props.label}</span>
      <Choice id={props.part} options={offered()} value={chosen() === undefined ? NOTHING : String(chosen())} aria-invalid={props.invalid} aria-describedby={props.described} data-testid={props.testid}
        onChange={v => { props.onChange(setReads(props.architecture, props.at, props.key, v === NOTHING ? undefined : Number(v))) }} />
    </label>
  )
}
