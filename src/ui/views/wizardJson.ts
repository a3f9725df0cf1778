/** A job file as an object with paths into it, and as text. */

export type Json = { [key: string]: unknown }

export const isObject = (v: unknown): v is Json => typeof v === 'object' && v !== null && !Array.isArray(v)

export function parseObject (json: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(json)
    return isObject(value) ? value : undefined
  } catch { return undefined }
}

export function read (root: Json, path: string): unknown {
  return path.split('.').reduce<unknown>((at, key) => isObject(at) ? at[key] : undefined, root)
}

/** `undefined` takes the key away. */
export function write (root: Json, path: string, value: unknown): Json {
  const [key = '', ...rest] = path.split('.')
  if (rest.length > 0) {
    const inner = root[key]
    return { ...root, [key]: write(isObject(inner) ? inner : {}, rest.join('.'), value) }
  }
  if (value !== undefined) return { ...root, [key]: value }
  const { [key]: _gone, ...others } = root
  return others
}

/** A number where it reads as one; else the text itself, which the node then refuses by name. */
export const number = (t: string): unknown => t.trim() !== '' && Number.isFinite(Number(t)) ? Number(t) : t.trim()

export const text = (v: unknown): string => v === undefined || v === null ? '' : Array.isArray(v) ? v.map(text).join(', ') : typeof v === 'object' ? JSON.stringify(v) : String(v)

/** Lists of numbers, and objects in a list such as layers, on a line each. */
export const print = (root: Json): string => JSON.stringify(root, null, 2)
  .replace(/\[\s+([-\d.,\s]+?)\s+\]/g, (_all, inner: string) => `[${inner.split(/,\s*/).join(', ')}]`)
  .replace(/^( +)\{\n([^{}]*?)\n\s*\}/gm, (_all, indent: string, inner: string) => `${indent}{ ${inner.split('\n').map(line => line.trim()).join(' ')} }`)
