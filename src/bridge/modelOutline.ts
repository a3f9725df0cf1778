/**
 * What the layers of a job file come to, as far as they can be read: for a form that is being
 * filled in. Says nothing about what is wrong; that is the node's answer to checkJob.
 */
import type { Model } from '../core/codec/jobSpec.ts'
import { MIN_BATCH } from '../core/params.ts'
import { readArchitecture } from '../core/training/architectureJson.ts'
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
    const ops = model.ops.slice(0, Math.min(sound(model), count + (count === layers.length ? 1 : 0)))
    const shape = shapeOf({ ...model, ops })
    return {
      tensors: shape.tensors.map(({ channels, height, width }) => ({ channels, height, width })),
      parameters: shape.ops.map(({ layer }) => layer === undefined ? 0 : layer.outputs * (layer.inputs + 1))
    }
  }
  return NOTHING
}
