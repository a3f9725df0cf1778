/** A folder of MNIST-named IDX files, packed or not, read with bounds. */
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { MAX_DATASET_BYTES } from '../core/params.ts'

/** Either half of a pair of files: images and labels, training and test. */
export const IDX_STEMS = ['train-images', 'train-labels', 't10k-images', 't10k-labels'] as const
export type IdxStem = typeof IDX_STEMS[number]

export interface IdxFile { readonly name: string, readonly bytes: Uint8Array }
export type IdxFolder = { readonly ok: true, readonly value: Record<IdxStem, IdxFile> } | { readonly ok: false, readonly message: string }

const unpack = promisify(gunzip)

async function readBounded (path: string): Promise<Uint8Array> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    if (size > MAX_DATASET_BYTES) throw new Error(`${path} has ${size} bytes, at most ${MAX_DATASET_BYTES} are read`)
    return await file.readFile()
  } finally { await file.close() }
}

/** The files as they lie there; `unpacked` undoes .gz. */
export async function idxFolder (dir: string, unpacked: boolean): Promise<IdxFolder> {
  let present: string[]
  try { present = (await readdir(dir)).sort() } catch (e) { return { ok: false, message: `--data: ${dir} cannot be read (${e instanceof Error ? e.message : String(e)})` } }
  const found: Partial<Record<IdxStem, IdxFile>> = {}
  for (const stem of IDX_STEMS) {
    // "train-images-idx3-ubyte" as published, "train-images.idx3-ubyte" as some tools unpack it.
    const name = present.find((f) => f.startsWith(stem) && /^[-.]idx[134]-ubyte(\.gz)?$/.test(f.slice(stem.length)))
    if (name === undefined) return { ok: false, message: `--data: ${dir} has no ${stem}-idx${stem.endsWith('images') ? 3 : 1}-ubyte (or .gz of it)` }
    try {
      const bytes = await readBounded(join(dir, name))
      found[stem] = { name, bytes: unpacked && name.endsWith('.gz') ? await unpack(bytes, { maxOutputLength: MAX_DATASET_BYTES }) : bytes }
    } catch (e) {
      return { ok: false, message: `--data: ${name}: ${e instanceof Error ? e.message : String(e)}` }
    }
  }
  return { ok: true, value: found as Record<IdxStem, IdxFile> }
}
