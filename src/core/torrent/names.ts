/**
 * Which names of files a stranger may choose. A name that passes is one component on every system,
 * goes nowhere but down, shows what it is, and never meets another that differs by case alone.
 */
import { utf8Bytes } from '../training/utf8.ts'

/** What common file systems hold, bytes. */
const NAME_BYTES_MAX = 255
const DEPTH_MAX = 16
const PATH_CHARACTERS_MAX = 1024
const RESERVED = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\.|$)/i

export type NameFault = 'name-empty' | 'name-too-long' | 'name-climbs' | 'name-separator' | 'name-control' | 'name-character' | 'name-reserved' | 'name-ending'

/** Control characters, and those that turn the direction of what follows; `c`: a code point. */
export function isControl (c: number): boolean {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c === 0x61c || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x2069) || c === 0xfeff
}

export function nameFault (name: string): NameFault | undefined {
  if (name === '') return 'name-empty'
  if (name === '.' || name === '..') return 'name-climbs'
  for (const char of name) {
    if (char === '/' || char === '\\') return 'name-separator'
    if (isControl(char.codePointAt(0)!)) return 'name-control'
    if ('<>:"|?*'.includes(char)) return 'name-character'
  }
  const bytes = utf8Bytes(name)
  if (bytes === undefined) return 'name-character'
  if (bytes.length > NAME_BYTES_MAX) return 'name-too-long'
  if (RESERVED.test(name)) return 'name-reserved'
  return name.endsWith('.') || name.endsWith(' ') || name.startsWith(' ') ? 'name-ending' : undefined
}

export function pathFault (path: readonly string[]): NameFault | 'path-empty' | 'path-too-deep' | 'path-too-long' | undefined {
  if (path.length === 0) return 'path-empty'
  if (path.length > DEPTH_MAX) return 'path-too-deep'
  for (const name of path) {
    const fault = nameFault(name)
    if (fault !== undefined) return fault
  }
  return path.reduce((n, name) => n + name.length + 1, 0) > PATH_CHARACTERS_MAX ? 'path-too-long' : undefined
}

/** Whether two of the paths are one file to a system that ignores case, or one is inside the other. */
export function haveDuplicates (paths: ReadonlyArray<readonly string[]>): boolean {
  const files = new Set<string>()
  const folders = new Set<string>()
  for (const path of paths) {
    const folded = path.map(name => name.normalize('NFC').toLowerCase())
    for (let n = 1; n < folded.length; n++) folders.add(folded.slice(0, n).join('/'))
    const file = folded.join('/')
    if (files.has(file)) return true
    files.add(file)
  }
  for (const file of files) if (folders.has(file)) return true
  return false
}

/** A name that passes, as near to the wished one as can be: for what is shared here. */
export function tameName (wished: string): string {
  let name = ''
  for (const char of wished) name += char === '/' || char === '\\' || '<>:"|?*'.includes(char) || isControl(char.codePointAt(0)!) ? '-' : char
  name = name.trim().slice(0, 80).replace(/[. ]+$/, '')
  return nameFault(name) === undefined ? name : `file-${name.replace(/^[. ]+/, '')}`.slice(0, 80).replace(/[. ]+$/, '')
}
