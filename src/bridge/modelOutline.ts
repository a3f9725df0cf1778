/**
 * What the layers of a job file come to, as far as they can be read: for a form that is being
 * filled in. Says nothing about what is wrong; that is the node's answer to checkJob.
 */
import type { Model } from '../core/codec/jobSpec.ts'
import { MIN_BATCH } from '../core/params.ts'
import { layersOf, readArchitecture } from '../core/training/architectureJson.ts'
import { graphErrors } from '../core/training/graphRules.ts'
import { parseJson } from '../core/training/json.ts'
import { Fields } from '../core/training/jsonFields.ts'
import { shapeOf } from '../core/training/shape.ts'
import type { RecordShape } from './api.ts'

export interface Outline {
  /** The input, then what each layer writes, then the classes; it ends before the first layer that cannot be. */
  readonly tensors: readonly RecordShape[]
  /** Weights and biases of each layer. */
  readonly parameters: readonly number[]
}

const NOTHING: Outline = { tensors: [], parameters: [] }

type Json = Readonly<Record<string, unknown>>

/** The model of the first `count` layers. */
function modelOf (architecture: Json, layers: readonly unknown[]): Model | undefined {
  const json = parseJson(JSON.stringify({ architecture: { ...architecture, layers } }))
  const root = json.ok ? Fields.root(json.value, []) : undefined
  return root === undefined ? undefined : readArchitecture(root, 'cnn')
}

/** Operations from the first that can be computed; a tensor that nothing reads does not matter here. */
function sound (model: Model): number {
  const place = /^ops\[(\d+)\]\./.exec(graphErrors(model, MIN_BATCH)[0]?.field ?? '')?.[1]
  return place === undefined ? model.ops.length : Number(place)
}

export function outlineModel (architecture: Json): Outline {
  const layers = Array.isArray(architecture['layers']) ? architecture['layers'] as readonly unknown[] : []
  for (let count = layers.length; count >= 0; count--) {
    const model = modelOf(architecture, layers.slice(0, count))
    if (model === undefined) continue
    // The classes follow the whole model only.
    const starts = layersOf(model)
    const most = Math.min(sound(model), starts[count] + (count === layers.length ? 1 : 0))
    // A layer may be several operations; it is there when its last one is.
    const ends = starts.map((_, i) => starts[i + 1] ?? model.ops.length).filter(end => end <= most)
    const shape = shapeOf({ ...model, ops: model.ops.slice(0, ends[ends.length - 1] ?? 0) })
    return {
      tensors: [0, ...ends].map(t => shape.tensors[t]).map(({ channels, height, width }) => ({ channels, height, width })),
      parameters: ends.map((end, i) => shape.ops.slice(starts[i], end).reduce((sum, { layer }) => sum + (layer === undefined ? 0 : layer.outputs * (layer.inputs + 1)), 0))
    }
  }
  return NOTHING
}
