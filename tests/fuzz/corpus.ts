/** Inputs worth keeping, a file per target with one of them a line, in hex. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const CORPUS_FOLDER = fileURLToPath(new URL('./corpus', import.meta.url))
/** Bounds of what is kept in the repository. */
export const CORPUS_INPUTS_MAX = 32
export const CORPUS_INPUT_BYTES_MAX = 1_500
/** Of one target. */
export const CORPUS_TARGET_BYTES_MAX = 4_000
export const CORPUS_BYTES_MAX = 250_000

const fileOf = (target: string): string => join(CORPUS_FOLDER, `${target}.txt`)

export function loadCorpus (target: string): Uint8Array[] {
  const path = fileOf(target)
  if (!existsSync(path)) return []
  return readFileSync(path, 'utf8').trimEnd().split('\n').map(line => Uint8Array.from(Buffer.from(line, 'hex')))
}

export function saveCorpus (target: string, inputs: readonly Uint8Array[]): void {
  const path = fileOf(target)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, inputs.map(input => `${Buffer.from(input).toString('hex')}\n`).join(''))
}
