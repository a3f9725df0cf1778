/** Reads named fields of a parsed JSON object and collects every complaint, by path and line. */
import { integerOf, parseDecimal, type Decimal } from './decimal.ts'
import type { FieldError } from './fieldError.ts'
import type { JsonEntry, JsonValue } from './json.ts'

const article: Readonly<Record<JsonValue['kind'], string>> = {
  object: 'an object', array: 'a list', string: 'a string', number: 'a number', boolean: 'true or false', null: 'null'
}

const TEXT_SHOWN = 40

/** What was found instead: of a text, the text itself, since a form writes what was typed as one. */
function found (value: JsonValue): string {
  if (value.kind !== 'string') return article[value.kind]
  return value.value === '' ? 'nothing' : JSON.stringify(value.value.length > TEXT_SHOWN ? `${value.value.slice(0, TEXT_SHOWN)}…` : value.value)
}

export class Fields {
  readonly path: string
  readonly line: number
  private readonly entries: ReadonlyMap<string, JsonEntry>
  private readonly known = new Set<string>()
  private readonly errors: FieldError[]

  private constructor (path: string, line: number, entries: readonly JsonEntry[], errors: FieldError[]) {
    this.path = path
    this.line = line
    this.entries = new Map(entries.map(e => [e.key, e]))
    this.errors = errors
  }

  /** The document itself; undefined (and an error) if it is not an object. */
  static root (value: JsonValue, errors: FieldError[]): Fields | undefined {
    if (value.kind === 'object') return new Fields('', value.line, value.entries, errors)
    errors.push({ field: 'json', message: `expected an object, found ${found(value)}`, line: value.line })
    return undefined
  }

  name (key: string): string { return this.path === '' ? key : `${this.path}.${key}` }

  fail (key: string, message: string): undefined {
    this.errors.push({ field: this.name(key), message, line: this.entries.get(key)?.line ?? this.line })
    return undefined
  }

  /** Keys of this object that nobody asked for; call last. */
  refuseUnknown (): void {
    for (const { key } of this.entries.values()) {
      if (!this.known.has(key)) this.fail(key, `unknown key; expected one of ${[...this.known].join(', ')}`)
    }
  }

  private get (key: string, required: boolean): JsonValue | undefined {
    this.known.add(key)
    const entry = this.entries.get(key)
    if (entry === undefined && required) this.fail(key, 'is missing')
    return entry?.value
  }

  private typed<K extends JsonValue['kind']> (key: string, kind: K, required: boolean): Extract<JsonValue, { kind: K }> | undefined {
    const value = this.get(key, required)
    if (value === undefined) return undefined
    if (value.kind !== kind) return this.fail(key, `expected ${article[kind]}, found ${found(value)}`)
    return value as Extract<JsonValue, { kind: K }>
  }

  object (key: string, required: boolean): Fields | undefined {
    const value = this.typed(key, 'object', required)
    return value && new Fields(this.name(key), value.line, value.entries, this.errors)
  }

  string (key: string, required: boolean): string | undefined { return this.typed(key, 'string', required)?.value }

  boolean (key: string, required: boolean): boolean | undefined { return this.typed(key, 'boolean', required)?.value }

  choice<T extends string> (key: string, choices: readonly T[], required: boolean): T | undefined {
    const value = this.string(key, required)
    if (value === undefined) return undefined
    return choices.find(c => c === value) ?? this.fail(key, `${JSON.stringify(value)} is not supported; expected ${choices.map(c => JSON.stringify(c)).join(' or ')}`)
  }

  decimal (key: string, required: boolean): Decimal | undefined {
    const value = this.typed(key, 'number', required)
    if (value === undefined) return undefined
    return parseDecimal(value.text) ?? this.fail(key, `${value.text} has too many digits or too large an exponent`)
  }

  integer (key: string, least: number, most: number, required: boolean): number | undefined {
    const value = this.typed(key, 'number', required)
    return value && this.bounded(key, value.text, least, most)
  }

  integers (key: string, least: number, most: number): number[] | undefined {
    const list = this.typed(key, 'array', true)
    if (list === undefined) return undefined
    const values = list.items.map((item, i) => item.kind === 'number'
      ? this.bounded(key, item.text, least, most)
      : this.fail(key, `item ${i + 1}: expected a number, found ${found(item)}`))
    return values.every(v => v !== undefined) ? values as number[] : undefined
  }

  /** A list of at most `most` objects. */
  objects (key: string, most: number): Fields[] | undefined {
    const list = this.typed(key, 'array', true)
    if (list === undefined) return undefined
    if (list.items.length > most) return this.fail(key, `at most ${most}, has ${list.items.length}`)
    const values = list.items.map((item, i) => item.kind === 'object'
      ? new Fields(`${this.name(key)}[${i}]`, item.line, item.entries, this.errors)
      : this.fail(key, `item ${i + 1}: expected an object, found ${found(item)}`))
    return values.every(v => v !== undefined) ? values as Fields[] : undefined
  }

  choices<T extends string> (key: string, choices: readonly T[], required: boolean): void {
    const list = this.typed(key, 'array', required)
    for (const item of list?.items ?? []) {
      if (item.kind !== 'string') this.fail(key, `expected a list of strings, found ${article[item.kind]}`)
      else if (!choices.some(c => c === item.value)) this.fail(key, `${JSON.stringify(item.value)} is not supported; expected ${choices.map(c => JSON.stringify(c)).join(' or ')}`)
    }
  }

  /** A number, or a string that `parse` understands. */
  numberOrString<T> (key: string, expected: string, parse: (v: { readonly integer?: bigint, readonly text?: string }) => T | undefined): T | undefined {
    const value = this.get(key, false)
    if (value === undefined) return undefined
    const decimal = value.kind === 'number' ? parseDecimal(value.text) : undefined
    const integer = decimal && integerOf(decimal)
    const parsed = value.kind === 'string' ? parse({ text: value.value }) : integer === undefined ? undefined : parse({ integer })
    return parsed ?? this.fail(key, `expected ${expected}`)
  }

  private bounded (key: string, text: string, least: number, most: number): number | undefined {
    const decimal = parseDecimal(text)
    const n = decimal && integerOf(decimal)
    if (n === undefined || n < BigInt(least) || n > BigInt(most)) return this.fail(key, `must be a whole number from ${least} to ${most}, is ${text}`)
    return Number(n)
  }
}
