/**
 * A strict JSON reader (RFC 8259) that keeps what JSON.parse drops: the text of every number and
 * the line of every value. Duplicate keys, trailing text and deep nesting are refused.
 */

export type JsonValue =
  | { readonly kind: 'object', readonly line: number, readonly entries: readonly JsonEntry[] }
  | { readonly kind: 'array', readonly line: number, readonly items: readonly JsonValue[] }
  | { readonly kind: 'string', readonly line: number, readonly value: string }
  | { readonly kind: 'number', readonly line: number, readonly text: string }
  | { readonly kind: 'boolean', readonly line: number, readonly value: boolean }
  | { readonly kind: 'null', readonly line: number }
export interface JsonEntry { readonly key: string, readonly line: number, readonly value: JsonValue }

export interface JsonError { readonly line: number, readonly column: number, readonly message: string }
export type JsonResult = { readonly ok: true, readonly value: JsonValue } | { readonly ok: false, readonly error: JsonError }

export const MAX_JSON_CHARS = 64 * 1024
const MAX_DEPTH = 16
const ESCAPES: Readonly<Record<string, string>> = { '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }

/** Unwinds the recursive descent; never leaves parseJson. */
class SyntaxFault extends Error {
  readonly at: number
  constructor (at: number, message: string) {
    super(message)
    this.at = at
  }
}

class Reader {
  private readonly text: string
  private at = 0
  /** Line of `at`: only white space can hold a line break. */
  private line = 1

  constructor (text: string) { this.text = text }

  document (): JsonValue {
    const value = this.value(0)
    this.space()
    if (this.at < this.text.length) throw this.fault(`expected the end of the text, found ${this.found()}`)
    return value
  }

  private fault (message: string, at = this.at): SyntaxFault { return new SyntaxFault(at, message) }

  private found (): string {
    if (this.at >= this.text.length) return 'the end of the text'
    return JSON.stringify(String.fromCodePoint(this.text.codePointAt(this.at) as number))
  }

  private space (): void {
    while (this.at < this.text.length && ' \t\n\r'.includes(this.text[this.at])) {
      if (this.text[this.at] === '\n') this.line++
      this.at++
    }
  }

  private take (char: string): boolean {
    this.space()
    if (this.text[this.at] !== char) return false
    this.at++
    return true
  }

  private value (depth: number): JsonValue {
    this.space()
    if (depth > MAX_DEPTH) throw this.fault(`nested deeper than ${MAX_DEPTH}`)
    const line = this.line
    const char = this.text[this.at]
    if (char === '{') return this.object(line, depth)
    if (char === '[') return this.array(line, depth)
    if (char === '"') return { kind: 'string', line, value: this.string() }
    if (char === '-' || (char >= '0' && char <= '9')) return { kind: 'number', line, text: this.number() }
    if (this.word('true')) return { kind: 'boolean', line, value: true }
    if (this.word('false')) return { kind: 'boolean', line, value: false }
    if (this.word('null')) return { kind: 'null', line }
    throw this.fault(`expected a value, found ${this.found()}`)
  }

  private word (word: string): boolean {
    if (!this.text.startsWith(word, this.at)) return false
    this.at += word.length
    return true
  }

  private object (line: number, depth: number): JsonValue {
    this.at++
    const entries: JsonEntry[] = []
    const seen = new Set<string>()
    if (this.take('}')) return { kind: 'object', line, entries }
    do {
      this.space()
      const at = this.at
      const keyLine = this.line
      if (this.text[at] !== '"') throw this.fault(`expected a key in double quotes, found ${this.found()}`)
      const key = this.string()
      if (seen.has(key)) throw this.fault(`the key ${JSON.stringify(key)} appears twice`, at)
      seen.add(key)
      if (!this.take(':')) throw this.fault(`expected ":" after the key ${JSON.stringify(key)}, found ${this.found()}`)
      entries.push({ key, line: keyLine, value: this.value(depth + 1) })
    } while (this.take(','))
    if (!this.take('}')) throw this.fault(`expected "," or "}", found ${this.found()}`)
    return { kind: 'object', line, entries }
  }

  private array (line: number, depth: number): JsonValue {
    this.at++
    const items: JsonValue[] = []
    if (this.take(']')) return { kind: 'array', line, items }
    do items.push(this.value(depth + 1))
    while (this.take(','))
    if (!this.take(']')) throw this.fault(`expected "," or "]", found ${this.found()}`)
    return { kind: 'array', line, items }
  }

  private string (): string {
    const start = this.at
    this.at++
    let out = ''
    for (;;) {
      const char = this.text[this.at]
      if (char === undefined) throw this.fault('a string without its closing quote', start)
      if (char === '"') {
        this.at++
        return out
      }
      if (char < ' ') throw this.fault('a line break or control character inside a string')
      out += char === '\\' ? this.escape() : char
      if (char !== '\\') this.at++
    }
  }

  private escape (): string {
    const letter = this.text[this.at + 1]
    if (letter === 'u') {
      const hex = this.text.slice(this.at + 2, this.at + 6)
      if (!/^[0-9a-fA-F]{4}$/.test(hex)) throw this.fault('expected four hex digits after \\u')
      this.at += 6
      return String.fromCharCode(parseInt(hex, 16))
    }
    if (letter === undefined || !Object.hasOwn(ESCAPES, letter)) throw this.fault('unknown escape in a string')
    this.at += 2
    return ESCAPES[letter]
  }

  private number (): string {
    const m = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
    m.lastIndex = this.at
    const text = m.exec(this.text)?.[0] ?? ''
    const next = this.text[this.at + text.length] ?? ''
    if (text === '' || /[0-9.eE+-]/.test(next)) throw this.fault('not a number as JSON writes it')
    this.at += text.length
    return text
  }
}

function position (text: string, at: number): { readonly line: number, readonly column: number } {
  let line = 1
  let start = 0
  for (let i = text.indexOf('\n'); i !== -1 && i < at; i = text.indexOf('\n', i + 1)) {
    line++
    start = i + 1
  }
  return { line, column: at - start + 1 }
}

export function parseJson (text: string): JsonResult {
  if (text.length > MAX_JSON_CHARS) return { ok: false, error: { line: 1, column: 1, message: `${text.length} characters, at most ${MAX_JSON_CHARS}` } }
  try {
    return { ok: true, value: new Reader(text).document() }
  } catch (e) {
    if (e instanceof SyntaxFault) return { ok: false, error: { ...position(text, e.at), message: e.message } }
    throw e
  }
}
