/**
 * The layers of a job file as rows of a form. All functions take the architecture and give another
 * one; what a person typed stays as typed, and the node says what is wrong with it.
 */
import { number, type Json } from './wizardJson.ts'

export type LayerKind = 'conv2d' | 'max_pool2d' | 'average_pool2d' | 'dense' | 'add' | 'norm'

export const LAYER_KINDS: ReadonlyArray<{ readonly value: LayerKind, readonly label: string }> = [
  { value: 'conv2d', label: 'Convolution' }, { value: 'max_pool2d', label: 'Max pool' }, { value: 'average_pool2d', label: 'Average pool' },
  { value: 'dense', label: 'Dense' }, { value: 'add', label: 'Add (residual)' }, { value: 'norm', label: 'Norm' }
]

export interface LayerField {
  readonly key: string
  readonly label: string
  /** What holds where the field is left empty; without it the field is needed. */
  readonly empty?: string
}

const FIELDS: Readonly<Record<LayerKind, readonly LayerField[]>> = {
  conv2d: [{ key: 'filters', label: 'Filters' }, { key: 'kernel_size', label: 'Size' }, { key: 'padding', label: 'Padding', empty: '0' }, { key: 'stride', label: 'Stride', empty: '1' }, { key: 'groups', label: 'Groups', empty: '1' }],
  max_pool2d: [{ key: 'pool_size', label: 'Size' }, { key: 'stride', label: 'Stride', empty: 'size' }],
  average_pool2d: [{ key: 'pool_size', label: 'Size' }, { key: 'stride', label: 'Stride', empty: 'size' }],
  dense: [{ key: 'units', label: 'Units' }],
  add: [],
  norm: []
}

const ACTIVATED: readonly LayerKind[] = ['conv2d', 'dense', 'add', 'norm']

const START: Readonly<Record<LayerKind, Json>> = {
  conv2d: { type: 'conv2d', filters: 16, kernel_size: 3, padding: 1, activation: 'relu' },
  max_pool2d: { type: 'max_pool2d', pool_size: 2 },
  average_pool2d: { type: 'average_pool2d', pool_size: 2 },
  dense: { type: 'dense', units: 64, activation: 'relu' },
  add: { type: 'add', with: 'input', activation: 'relu' },
  norm: { type: 'norm' }
}

export const isLayerKind = (v: unknown): v is LayerKind => LAYER_KINDS.some(k => k.value === v)
export const fieldsOf = (layer: Json): readonly LayerField[] => isLayerKind(layer['type']) ? FIELDS[layer['type']] : []
export const hasActivation = (layer: Json): boolean => isLayerKind(layer['type']) && ACTIVATED.includes(layer['type'])
export const kindLabel = (layer: Json): string => LAYER_KINDS.find(k => k.value === layer['type'])?.label ?? 'Layer'

const asLayer = (v: unknown): Json => typeof v === 'object' && v !== null && !Array.isArray(v) ? v as Json : {}
export const layersOf = (architecture: Json): Json[] => Array.isArray(architecture['layers']) ? architecture['layers'].map(asLayer) : []
const withLayers = (architecture: Json, layers: readonly Json[]): Json => ({ ...architecture, layers })
const replace = (architecture: Json, at: number, layer: Json): Json => withLayers(architecture, layersOf(architecture).map((old, i) => i === at ? layer : old))
const without = (layer: Json, key: string): Json => { const { [key]: _gone, ...rest } = layer; return rest }

/** An empty field is a missing key: its default holds, or the node asks for it. */
export function setField (architecture: Json, at: number, key: string, text: string): Json {
  const layer = layersOf(architecture)[at] ?? {}
  return replace(architecture, at, text.trim() === '' ? without(layer, key) : { ...layer, [key]: number(text) })
}

export function setRelu (architecture: Json, at: number, on: boolean): Json {
  const layer = layersOf(architecture)[at] ?? {}
  return replace(architecture, at, on ? { ...layer, activation: 'relu' } : without(layer, 'activation'))
}

/** Where it stands and how it is called stay; units become filters, and the other way round. */
export function setKind (architecture: Json, at: number, kind: LayerKind): Json {
  const old = layersOf(architecture)[at] ?? {}
  const width = old['filters'] ?? old['units']
  const size = old['kernel_size'] ?? old['pool_size']
  const next: Json = { ...START[kind] }
  if (width !== undefined) for (const key of ['filters', 'units']) if (key in next) next[key] = width
  if (size !== undefined && old['type'] !== 'conv2d' && 'pool_size' in next) next['pool_size'] = size
  for (const key of ['name', 'input']) if (old[key] !== undefined) next[key] = old[key]
  return replace(architecture, at, next)
}

/** Dense layers come last: any other kind is put before those at the end. Says where it is. */
export function addLayer (architecture: Json, kind: LayerKind): { readonly architecture: Json, readonly at: number } {
  const layers = layersOf(architecture)
  let at = layers.length
  if (kind !== 'dense') while (at > 0 && layers[at - 1]?.['type'] === 'dense') at--
  return { architecture: withLayers(architecture, layers.toSpliced(at, 0, { ...START[kind] })), at }
}

/** Who read the layer that goes reads the one before itself, as if it had said nothing. */
export function removeLayer (architecture: Json, at: number): Json {
  const layers = layersOf(architecture)
  const name = layers[at]?.['name']
  return withLayers(architecture, layers.toSpliced(at, 1).map(layer => name !== undefined && layer['input'] === name ? without(layer, 'input') : layer))
}

export function moveLayer (architecture: Json, from: number, to: number): Json {
  const layers = layersOf(architecture)
  const layer = layers[from]
  if (layer === undefined || to < 0 || to >= layers.length) return architecture
  return withLayers(architecture, layers.toSpliced(from, 1).toSpliced(to, 0, layer))
}

/** The layer that `key` of layer `at` names: -1 is the record itself; undefined where there is none. */
export function readsFrom (architecture: Json, at: number, key: 'with' | 'input'): number | undefined {
  const layers = layersOf(architecture)
  const name = layers[at]?.[key]
  if (name === 'input') return -1
  const found = layers.slice(0, at).findIndex(layer => layer['name'] === name)
  return name === undefined || found === -1 ? undefined : found
}

/** Lets layer `at` read layer `from`, which gets a name if it has none. */
export function setReads (architecture: Json, at: number, key: 'with' | 'input', from: number | undefined): Json {
  const layers = layersOf(architecture)
  const layer = layers[at] ?? {}
  if (from === undefined) return replace(architecture, at, without(layer, key))
  if (from === -1) return replace(architecture, at, { ...layer, [key]: 'input' })
  const source = layers[from] ?? {}
  const name = typeof source['name'] === 'string' ? source['name'] : freeName(layers, from)
  return replace(replace(architecture, from, { ...source, name }), at, { ...layer, [key]: name })
}

function freeName (layers: readonly Json[], at: number): string {
  const taken = new Set(layers.map(layer => layer['name']))
  for (let n = at + 1; ; n++) if (!taken.has(`layer-${n}`)) return `layer-${n}`
}
